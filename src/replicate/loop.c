/* The event loop of a worker: one level-triggered epoll, a binary heap of timers and an eventfd to wake it. */
#include "replicate/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"

enum { BATCH_EVENTS = 256, FIRST_HEAP_SLOTS = 64 };

struct heap_slot {
    int64_t key_ms; /* not always when the timer is due: see loop_timer_set */
    int64_t set_ms; /* in or before the turn in which it was set: what was overdue by then is not the loop's fault */
    uint64_t order;
    struct loop_timer *timer;
};

struct loop {
    int epoll_fd;
    struct loop_watch wake; /* the eventfd: a watch like any other */

    /* What epoll gave in this turn, from batch_next on not yet delivered. It outlives a callback, and so may point to
     * watches that the callback has removed: loop_watch_clear strikes them out. */
    struct epoll_event batch[BATCH_EVENTS];
    int batch_next, batch_count;

    struct heap_slot *heap; /* heap[0] is unused: places begin at 1 */
    size_t heap_count, heap_slots;
    uint64_t next_order;
    int64_t earliest_key_ms; /* while timers are delivered: their moment; else INT64_MIN */
    int64_t turn_ms;         /* when this turn's events came */
    int64_t lag_ms;          /* of the last turn's timers; -1 = none was due */
};

static void on_wake(void *arg, uint32_t events)
{
    (void)events;
    struct loop *loop = arg;
    uint64_t count;
    /* Nothing to do on failure: the descriptor does not block, and EAGAIN means that it is empty already. */
    ssize_t got = read(loop->wake.fd, &count, sizeof(count));
    (void)got;
}

/* The caller of loop_new is to see why it failed, not how the cleaning up went. */
static void close_keeping_errno(int fd)
{
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
}

struct loop *loop_new(void)
{
    struct loop *loop = xcalloc(1, sizeof(*loop));
    loop->earliest_key_ms = INT64_MIN;
    loop->turn_ms = clock_now_ms();
    loop->lag_ms = -1;
    loop_watch_init(&loop->wake, on_wake, loop);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll_fd < 0 || wake_fd < 0 || !loop_watch_set(loop, &loop->wake, wake_fd, EPOLLIN)) {
        close_keeping_errno(wake_fd);
        close_keeping_errno(loop->epoll_fd);
        free(loop);
        return NULL;
    }
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    ensure(loop->heap_count == 0);
    int wake_fd = loop->wake.fd;
    loop_watch_clear(loop, &loop->wake);
    close(wake_fd);
    close(loop->epoll_fd);
    free(loop->heap);
    free(loop);
}

void loop_wake(struct loop *loop)
{
    uint64_t one = 1;
    /* EAGAIN means that the counter is full, so the loop is awake anyway. */
    ssize_t put = write(loop->wake.fd, &one, sizeof(one));
    (void)put;
}

/* ---- watches ---- */

void loop_watch_init(struct loop_watch *watch, loop_event_fn on_event, void *arg)
{
    *watch = (struct loop_watch){.fd = -1, .on_event = on_event, .arg = arg};
}

bool loop_watch_set(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events)
{
    ensure(fd >= 0);
    if (watch->fd >= 0 && watch->fd != fd)
        loop_watch_clear(loop, watch);
    struct epoll_event event = {.events = events, .data.ptr = watch};
    int operation = watch->fd == fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    int failed = epoll_ctl(loop->epoll_fd, operation, fd, &event);
    /* The kernel forgets a descriptor that is closed; its number may have come back as another file since. */
    if (failed && errno == ENOENT)
        failed = epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    else if (failed && errno == EEXIST)
        failed = epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &event);
    if (failed)
        return false;
    watch->fd = fd;
    return true;
}

void loop_watch_clear(struct loop *loop, struct loop_watch *watch)
{
    if (watch->fd < 0)
        return;
    /* Fails only when the descriptor is closed already, and then there is nothing to remove. */
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->fd = -1;
    /* The owner may free the watch next, so the rest of the batch must not point to it. */
    for (int i = loop->batch_next; i < loop->batch_count; i++) {
        if (loop->batch[i].data.ptr == watch)
            loop->batch[i].data.ptr = NULL;
    }
}

/* ---- timers ---- */

/* The order of setting decides between equal times, so that none of a crowd of timers is passed over. */
static bool slot_is_before(const struct heap_slot *a, const struct heap_slot *b)
{
    return a->key_ms != b->key_ms ? a->key_ms < b->key_ms : a->order < b->order;
}

/* A timer knows its place, so that it can be cleared or moved without a search. */
static void heap_put(struct loop *loop, size_t place, struct heap_slot slot)
{
    loop->heap[place] = slot;
    slot.timer->place = place;
}

/* `place` is a hole: it moves up until `slot` fits in. */
static void heap_rise(struct loop *loop, size_t place, struct heap_slot slot)
{
    while (place > 1 && slot_is_before(&slot, &loop->heap[place / 2])) {
        heap_put(loop, place, loop->heap[place / 2]);
        place /= 2;
    }
    heap_put(loop, place, slot);
}

/* `place` is a hole: it moves down until `slot` fits in. */
static void heap_sink(struct loop *loop, size_t place, struct heap_slot slot)
{
    size_t child;
    while ((child = place * 2) <= loop->heap_count) {
        if (child < loop->heap_count && slot_is_before(&loop->heap[child + 1], &loop->heap[child]))
            child++;
        if (!slot_is_before(&loop->heap[child], &slot))
            break;
        heap_put(loop, place, loop->heap[child]);
        place = child;
    }
    heap_put(loop, place, slot);
}

void loop_timer_init(struct loop_timer *timer, loop_timer_fn on_due, void *arg)
{
    *timer = (struct loop_timer){.on_due = on_due, .arg = arg};
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t due_ms)
{
    loop_timer_clear(loop, timer);
    if (loop->heap_count + 1 >= loop->heap_slots) {
        loop->heap_slots = loop->heap_slots ? loop->heap_slots * 2 : FIRST_HEAP_SLOTS;
        loop->heap = xrealloc(loop->heap, loop->heap_slots * sizeof(*loop->heap));
    }
    /* A timer set by a timer's callback sorts behind all that are due in this turn, however long overdue it is;
     * else it could hide them, or be served again and again. */
    int64_t key_ms = due_ms > loop->earliest_key_ms ? due_ms : loop->earliest_key_ms;
    struct heap_slot slot = {.key_ms = key_ms, .set_ms = loop->turn_ms, .order = loop->next_order++, .timer = timer};
    heap_rise(loop, ++loop->heap_count, slot);
}

void loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
    size_t place = timer->place;
    if (place == 0)
        return;
    ensure(place <= loop->heap_count && loop->heap[place].timer == timer);
    timer->place = 0;
    struct heap_slot last = loop->heap[loop->heap_count--];
    if (last.timer == timer)
        return;
    /* The last one fills the hole. It comes from another branch, so it may belong higher as well as deeper. */
    if (place > 1 && slot_is_before(&last, &loop->heap[place / 2]))
        heap_rise(loop, place, last);
    else
        heap_sink(loop, place, last);
}

bool loop_timer_is_due(const struct loop *loop, const struct loop_timer *timer)
{
    return timer->place != 0 && loop->heap[timer->place].key_ms <= clock_now_ms();
}

/* ---- the turn ---- */

/* What epoll_wait is to be told: -1 only where there is neither a timer nor a bound. */
static int wait_ms(const struct loop *loop, int64_t max_wait_ms)
{
    int64_t wait = max_wait_ms < 0 ? INT64_MAX : max_wait_ms;
    if (loop->heap_count > 0) {
        int64_t now_ms = clock_now_ms(), due_ms = loop->heap[1].key_ms;
        int64_t until_due = due_ms <= now_ms ? 0 : due_ms - now_ms;
        wait = until_due < wait ? until_due : wait;
    } else if (max_wait_ms < 0) {
        return -1;
    }
    return wait < INT_MAX ? (int)wait : INT_MAX;
}

/* batch_next is past the event before its callback runs: a callback that clears its own watch may free it. Time stands
 * still within a callback only, so that one that takes long does not make the next one set its timers too early. */
static void deliver_events(struct loop *loop, int count)
{
    loop->batch_count = count;
    for (loop->batch_next = 0; loop->batch_next < loop->batch_count;) {
        const struct epoll_event *event = &loop->batch[loop->batch_next++];
        struct loop_watch *watch = event->data.ptr;
        if (!watch)
            continue;
        watch->on_event(watch->arg, event->events);
        clock_step();
    }
    loop->batch_next = loop->batch_count = 0;
}

static void note_lag(struct loop *loop, const struct heap_slot *slot, int64_t now_ms)
{
    int64_t lag_ms = now_ms - (slot->key_ms > slot->set_ms ? slot->key_ms : slot->set_ms);
    if (lag_ms > loop->lag_ms)
        loop->lag_ms = lag_ms;
}

int64_t loop_lag_ms(const struct loop *loop)
{
    return loop->lag_ms;
}

/* Only timers that were set before this began: the turn ends even when every callback sets its timer anew. */
static void deliver_timers(struct loop *loop)
{
    int64_t now_ms = clock_now_ms();
    uint64_t end_order = loop->next_order;
    loop->earliest_key_ms = now_ms;
    loop->lag_ms = -1;
    while (loop->heap_count > 0 && loop->heap[1].key_ms <= now_ms && loop->heap[1].order < end_order) {
        struct loop_timer *timer = loop->heap[1].timer;
        note_lag(loop, &loop->heap[1], now_ms);
        loop_timer_clear(loop, timer);
        timer->on_due(timer->arg);
        clock_step();
    }
    loop->earliest_key_ms = INT64_MIN;
}

void loop_turn(struct loop *loop, int64_t max_wait_ms)
{
    int count = epoll_wait(loop->epoll_fd, loop->batch, BATCH_EVENTS, wait_ms(loop, max_wait_ms));
    /* A signal ends the wait early; the caller turns again. Anything else is a bug of ours. */
    ensure(count >= 0 || errno == EINTR);
    clock_stand();
    loop->turn_ms = clock_now_ms();
    if (count > 0)
        deliver_events(loop, count);
    deliver_timers(loop);
    clock_run(); /* what is waited for next is counted from the present */
}
