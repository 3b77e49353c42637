/* Takes the place of replicate/loop.c: timers in a short array, no descriptors. */
#include "fake_loop.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "fake_clock.h"

enum { TIMERS_MAX = 1024 };

struct fake_timer {
    int64_t due_ms;
    struct loop_timer *timer;
};

struct loop {
    struct fake_timer timers[TIMERS_MAX]; /* in the order in which they were set; a timer knows its place + 1 */
    size_t count, wakes;
};

struct loop *loop_new(void)
{
    return xcalloc(1, sizeof(struct loop));
}

void loop_free(struct loop *loop)
{
    ensure(loop->count == 0);
    free(loop);
}

void loop_watch_init(struct loop_watch *watch, loop_event_fn on_event, void *arg)
{
    *watch = (struct loop_watch){-1, on_event, arg};
}

bool loop_watch_set(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events)
{
    (void)loop;
    (void)events;
    watch->fd = fd;
    return true;
}

void loop_watch_clear(struct loop *loop, struct loop_watch *watch)
{
    (void)loop;
    watch->fd = -1;
}

void loop_timer_init(struct loop_timer *timer, loop_timer_fn on_due, void *arg)
{
    *timer = (struct loop_timer){.on_due = on_due, .arg = arg};
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t due_ms)
{
    loop_timer_clear(loop, timer);
    ensure(loop->count < TIMERS_MAX);
    loop->timers[loop->count++] = (struct fake_timer){due_ms, timer};
    timer->place = loop->count;
}

void loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
    if (timer->place == 0)
        return;
    for (size_t i = timer->place; i < loop->count; i++) {
        loop->timers[i - 1] = loop->timers[i];
        loop->timers[i - 1].timer->place = i;
    }
    loop->count--;
    timer->place = 0;
}

static const struct fake_timer *earliest(const struct loop *loop)
{
    const struct fake_timer *first = NULL;
    for (size_t i = 0; i < loop->count; i++)
        if (first == NULL || loop->timers[i].due_ms < first->due_ms)
            first = &loop->timers[i];
    return first;
}

void fake_loop_advance(struct loop *loop, int64_t ms)
{
    int64_t end_ms = clock_now_ms() + ms;
    const struct fake_timer *first = earliest(loop);
    while (first != NULL && first->due_ms <= end_ms) {
        struct loop_timer *timer = first->timer;
        if (first->due_ms > clock_now_ms())
            fake_clock_set(first->due_ms);
        loop_timer_clear(loop, timer);
        timer->on_due(timer->arg);
        first = earliest(loop);
    }
    fake_clock_set(end_ms);
}

size_t fake_loop_timers(const struct loop *loop)
{
    return loop->count;
}

void loop_turn(struct loop *loop, int64_t max_wait_ms)
{
    (void)max_wait_ms;
    fake_loop_advance(loop, 0);
}

void loop_wake(struct loop *loop)
{
    loop->wakes++;
}

size_t fake_loop_wakes(const struct loop *loop)
{
    return loop->wakes;
}
