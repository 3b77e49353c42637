/* The event loop: events of descriptors, timers, waking, and callbacks that change what is being delivered. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "check_main.h"
#include "replicate/loop.h"

static struct loop *loop;
static int rung[1024], rung_count; /* which timers rang, in order */

static void setup(void)
{
    rung_count = 0;
    loop = loop_new();
    ck_assert_ptr_nonnull(loop);
}

static void teardown(void)
{
    loop_free(loop);
}

/* ---- descriptors ---- */

struct source {
    struct loop_watch watch;
    int fd, calls;
    uint32_t events;
};

static void on_source(void *arg, uint32_t events)
{
    struct source *source = arg;
    source->calls++;
    source->events = events;
}

/* An eventfd that is readable from the beginning, watched. */
static void source_open(struct source *source, loop_event_fn on_event, void *arg)
{
    *source = (struct source){.fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)};
    ck_assert_int_ge(source->fd, 0);
    loop_watch_init(&source->watch, on_event, arg);
    ck_assert(loop_watch_set(loop, &source->watch, source->fd, EPOLLIN));
}

static void source_close(struct source *source)
{
    loop_watch_clear(loop, &source->watch);
    close(source->fd);
}

START_TEST(an_event_comes_again_until_it_is_served)
{
    struct source source;
    source_open(&source, on_source, &source);
    loop_turn(loop, 1000);
    loop_turn(loop, 1000);
    ck_assert_int_eq(source.calls, 2);
    ck_assert_uint_eq(source.events, EPOLLIN);
    eventfd_t value;
    ck_assert_int_eq(eventfd_read(source.fd, &value), 0);
    loop_turn(loop, 0);
    ck_assert_int_eq(source.calls, 2);
    source_close(&source);
}
END_TEST

START_TEST(the_events_of_interest_can_be_changed)
{
    struct source source;
    source_open(&source, on_source, &source);
    ck_assert(loop_watch_set(loop, &source.watch, source.fd, EPOLLOUT));
    loop_turn(loop, 1000);
    ck_assert_uint_eq(source.events, EPOLLOUT);
    ck_assert(loop_watch_set(loop, &source.watch, source.fd, 0));
    loop_turn(loop, 0);
    ck_assert_int_eq(source.calls, 1);
    source_close(&source);
}
END_TEST

START_TEST(a_watch_can_move_to_another_descriptor)
{
    struct source first, second;
    source_open(&first, on_source, &first);
    source_open(&second, on_source, &second);
    loop_watch_clear(loop, &second.watch);
    ck_assert_int_eq(second.watch.fd, -1);
    ck_assert(loop_watch_set(loop, &first.watch, second.fd, EPOLLIN));
    eventfd_t value;
    ck_assert_int_eq(eventfd_read(second.fd, &value), 0);
    loop_turn(loop, 0);
    ck_assert_int_eq(first.calls, 0);
    source_close(&first);
    source_close(&second);
}
END_TEST

START_TEST(a_descriptor_whose_number_came_back_is_watched_anew)
{
    struct source source;
    source_open(&source, on_source, &source);
    close(source.fd);
    ck_assert_int_eq(eventfd(1, EFD_CLOEXEC), source.fd);
    ck_assert(loop_watch_set(loop, &source.watch, source.fd, EPOLLIN));
    loop_turn(loop, 1000);
    ck_assert_int_eq(source.calls, 1);
    source_close(&source);
}
END_TEST

START_TEST(a_descriptor_that_epoll_refuses_is_not_watched)
{
    struct loop_watch watch;
    loop_watch_init(&watch, on_source, NULL);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ck_assert(!loop_watch_set(loop, &watch, fd, EPOLLIN));
    ck_assert_int_eq(errno, EPERM);
    ck_assert_int_eq(watch.fd, -1);
    loop_watch_clear(loop, &watch);
    close(fd);
}
END_TEST

START_TEST(more_events_than_a_batch_holds_are_all_delivered)
{
    enum { COUNT = 600 };
    static struct source sources[COUNT];
    int served = 0;
    for (int i = 0; i < COUNT; i++)
        source_open(&sources[i], on_source, &sources[i]);
    for (int turn = 0; turn < 4; turn++)
        loop_turn(loop, 0);
    for (int i = 0; i < COUNT; i++) {
        served += sources[i].calls > 0;
        source_close(&sources[i]);
    }
    ck_assert_int_eq(served, COUNT);
}
END_TEST

/* The first that is served clears and frees all others of its batch. */
struct group {
    struct source *members[8];
    int calls;
};

static void on_group_member(void *arg, uint32_t events)
{
    struct group *group = arg;
    (void)events;
    group->calls++;
    for (int i = 0; i < 8; i++) {
        source_close(group->members[i]);
        free(group->members[i]);
    }
}

START_TEST(a_watch_cleared_and_freed_by_a_callback_gets_nothing_more_of_the_batch)
{
    struct group group = {.calls = 0};
    for (int i = 0; i < 8; i++) {
        group.members[i] = xcalloc(1, sizeof(struct source));
        source_open(group.members[i], on_group_member, &group);
    }
    loop_turn(loop, 1000);
    loop_turn(loop, 0);
    ck_assert_int_eq(group.calls, 1);
}
END_TEST

/* ---- timers ---- */

struct alarm {
    struct loop_timer timer;
    int64_t due_ms;
    int number;
};

static void on_alarm(void *arg)
{
    struct alarm *alarm = arg;
    ck_assert_uint_eq(alarm->timer.place, 0);
    rung[rung_count++] = alarm->number;
}

static void alarm_move(struct alarm *alarm, int64_t due_ms)
{
    alarm->due_ms = due_ms;
    loop_timer_set(loop, &alarm->timer, due_ms);
    ck_assert_uint_gt(alarm->timer.place, 0);
}

static void alarm_set(struct alarm *alarm, int number, int64_t due_ms)
{
    alarm->number = number;
    loop_timer_init(&alarm->timer, on_alarm, alarm);
    alarm_move(alarm, due_ms);
}

static void check_rung(const int *numbers, int count)
{
    ck_assert_int_eq(rung_count, count);
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(rung[i], numbers[i]);
}

START_TEST(timers_ring_by_due_time_and_those_of_one_time_in_the_order_of_their_setting)
{
    struct alarm alarms[6];
    int64_t now_ms = clock_now_ms();
    const int64_t due_ms[] = {now_ms - 1, now_ms - 5, now_ms - 1, now_ms - 9, now_ms - 5, now_ms - 1};
    for (int i = 0; i < 6; i++)
        alarm_set(&alarms[i], i, due_ms[i]);
    loop_turn(loop, 1000);
    check_rung((const int[]){3, 1, 4, 0, 2, 5}, 6);
}
END_TEST

START_TEST(a_timer_is_moved_by_setting_it_again_and_silent_once_cleared)
{
    struct alarm alarms[3];
    int64_t now_ms = clock_now_ms();
    for (int i = 0; i < 3; i++)
        alarm_set(&alarms[i], i, now_ms - 10 + i);
    loop_timer_set(loop, &alarms[0].timer, now_ms - 1);
    loop_timer_clear(loop, &alarms[1].timer);
    loop_timer_clear(loop, &alarms[1].timer);
    ck_assert_uint_eq(alarms[1].timer.place, 0);
    loop_turn(loop, 1000);
    check_rung((const int[]){2, 0}, 2);
}
END_TEST

START_TEST(any_mixture_of_setting_moving_and_clearing_keeps_the_order)
{
    enum { COUNT = 500 };
    static struct alarm alarms[COUNT];
    int64_t now_ms = clock_now_ms();
    uint32_t random = 12345u + (uint32_t)_i;
    int expected = COUNT;
    for (int i = 0; i < COUNT; i++) {
        random = random * 1664525u + 1013904223u;
        alarm_set(&alarms[i], i, now_ms - 1000 + (random >> 24));
    }
    for (int i = 0; i < COUNT; i += 3) {
        random = random * 1664525u + 1013904223u;
        alarm_move(&alarms[i], now_ms - 1000 + (random >> 24));
    }
    for (int i = 0; i < COUNT; i += 7) {
        loop_timer_clear(loop, &alarms[i].timer);
        expected--;
    }
    loop_turn(loop, 0);
    ck_assert_int_eq(rung_count, expected);
    for (int i = 1; i < rung_count; i++)
        ck_assert_int_le(alarms[rung[i - 1]].due_ms, alarms[rung[i]].due_ms);
}
END_TEST

START_TEST(a_timer_is_due_once_it_is_set_and_its_time_is_over)
{
    struct alarm alarm;
    int64_t now_ms = clock_now_ms();
    alarm_set(&alarm, 1, now_ms + 60000);
    ck_assert(!loop_timer_is_due(loop, &alarm.timer));
    alarm_move(&alarm, now_ms);
    ck_assert(loop_timer_is_due(loop, &alarm.timer));
    loop_timer_clear(loop, &alarm.timer);
    ck_assert(!loop_timer_is_due(loop, &alarm.timer));
}
END_TEST

static void on_again(void *arg)
{
    struct alarm *alarm = arg;
    rung[rung_count++] = alarm->number;
    loop_timer_set(loop, &alarm->timer, 0); /* long past */
}

START_TEST(a_timer_that_sets_itself_anew_neither_starves_the_turn_nor_hides_others)
{
    struct alarm again, other;
    int64_t now_ms = clock_now_ms();
    alarm_set(&again, 1, now_ms - 20);
    again.timer.on_due = on_again;
    alarm_set(&other, 2, now_ms - 10);
    loop_turn(loop, 1000);
    check_rung((const int[]){1, 2}, 2);
    loop_turn(loop, 1000);
    check_rung((const int[]){1, 2, 1}, 3);
    loop_timer_clear(loop, &again.timer);
}
END_TEST

static struct alarm *victim;

static void on_killer(void *arg)
{
    on_alarm(arg);
    loop_timer_clear(loop, &victim->timer);
    free(victim);
}

START_TEST(a_timer_cleared_and_freed_by_another_does_not_ring)
{
    struct alarm killer;
    victim = xcalloc(1, sizeof(*victim));
    alarm_set(&killer, 1, 0);
    killer.timer.on_due = on_killer;
    alarm_set(victim, 2, 0);
    loop_turn(loop, 1000);
    check_rung((const int[]){1}, 1);
}
END_TEST

START_TEST(a_turn_waits_for_the_next_timer_and_no_longer)
{
    struct alarm alarm;
    int64_t began_ms = clock_now_ms();
    alarm_set(&alarm, 1, began_ms + 30);
    while (rung_count == 0)
        loop_turn(loop, -1);
    ck_assert_int_ge(clock_now_ms(), began_ms + 30);
    ck_assert_int_lt(clock_now_ms(), began_ms + 5000);
}
END_TEST

START_TEST(a_turn_waits_no_longer_than_it_may)
{
    struct alarm alarm;
    int64_t began_ms = clock_now_ms();
    alarm_set(&alarm, 1, began_ms + 3600000);
    loop_turn(loop, 20);
    ck_assert_int_ge(clock_now_ms(), began_ms + 19);
    loop_turn(loop, 0);
    ck_assert_int_lt(clock_now_ms(), began_ms + 5000);
    ck_assert_int_eq(rung_count, 0);
    loop_timer_clear(loop, &alarm.timer);
}
END_TEST

/* ---- waking ---- */

static pthread_t waker;
static int starter[2];

static void *wake_when_told(void *unused)
{
    char byte;
    (void)unused;
    if (read(starter[0], &byte, 1) == 1)
        loop_wake(loop);
    return NULL;
}

static void setup_waker(void)
{
    setup();
    ck_assert_int_eq(pipe(starter), 0);
    ck_assert_int_eq(pthread_create(&waker, NULL, wake_when_told, NULL), 0);
}

static void teardown_waker(void)
{
    close(starter[1]);
    pthread_join(waker, NULL);
    close(starter[0]);
    teardown();
}

START_TEST(another_thread_ends_a_wait_without_bound)
{
    ck_assert_int_eq(write(starter[1], "x", 1), 1);
    loop_turn(loop, -1);
    int64_t began_ms = clock_now_ms();
    loop_turn(loop, 20); /* one wake, one turn */
    ck_assert_int_ge(clock_now_ms(), began_ms + 19);
}
END_TEST

START_TEST(many_wakes_before_a_turn_are_one)
{
    for (int i = 0; i < 1000; i++)
        loop_wake(loop);
    loop_turn(loop, -1);
    int64_t began_ms = clock_now_ms();
    loop_turn(loop, 20);
    ck_assert_int_ge(clock_now_ms(), began_ms + 19);
}
END_TEST

static void on_signal(int number)
{
    (void)number;
}

START_TEST(a_signal_ends_the_wait_without_harm)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct itimerval soon = {.it_value = {.tv_usec = 20000}, .it_interval = {.tv_usec = 20000}};
    const struct itimerval never = {.it_value = {0}};
    sigaction(SIGALRM, &action, NULL);
    int64_t began_ms = clock_now_ms();
    setitimer(ITIMER_REAL, &soon, NULL);
    loop_turn(loop, 5000);
    setitimer(ITIMER_REAL, &never, NULL);
    ck_assert_int_lt(clock_now_ms(), began_ms + 4000);
}
END_TEST

START_TEST(without_descriptors_there_is_no_loop_but_a_reason)
{
    struct rlimit limit, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int next = dup(0);
    ck_assert_int_ge(next, 0);
    close(next);
    none = limit;
    none.rlim_cur = (rlim_t)next + (rlim_t)_i; /* room for none, or only for the first of two */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    errno = 0;
    struct loop *refused = loop_new();
    int reason = errno;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_ptr_null(refused);
    ck_assert_int_eq(reason, EMFILE);
    int again = dup(0);
    ck_assert_int_eq(again, next);
    close(again);
}
END_TEST

static TCase *descriptor_cases(void)
{
    TCase *cases = tcase_create("descriptors");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, an_event_comes_again_until_it_is_served);
    tcase_add_test(cases, the_events_of_interest_can_be_changed);
    tcase_add_test(cases, a_watch_can_move_to_another_descriptor);
    tcase_add_test(cases, a_descriptor_whose_number_came_back_is_watched_anew);
    tcase_add_test(cases, a_descriptor_that_epoll_refuses_is_not_watched);
    tcase_add_test(cases, more_events_than_a_batch_holds_are_all_delivered);
    tcase_add_test(cases, a_watch_cleared_and_freed_by_a_callback_gets_nothing_more_of_the_batch);
    tcase_add_loop_test(cases, without_descriptors_there_is_no_loop_but_a_reason, 0, 2);
    return cases;
}

static TCase *timer_cases(void)
{
    TCase *cases = tcase_create("timers");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, timers_ring_by_due_time_and_those_of_one_time_in_the_order_of_their_setting);
    tcase_add_test(cases, a_timer_is_moved_by_setting_it_again_and_silent_once_cleared);
    tcase_add_loop_test(cases, any_mixture_of_setting_moving_and_clearing_keeps_the_order, 0, 10);
    tcase_add_test(cases, a_timer_is_due_once_it_is_set_and_its_time_is_over);
    tcase_add_test(cases, a_timer_that_sets_itself_anew_neither_starves_the_turn_nor_hides_others);
    tcase_add_test(cases, a_timer_cleared_and_freed_by_another_does_not_ring);
    tcase_add_test(cases, a_turn_waits_for_the_next_timer_and_no_longer);
    tcase_add_test(cases, a_turn_waits_no_longer_than_it_may);
    return cases;
}

static TCase *waking_cases(void)
{
    TCase *cases = tcase_create("waking");
    tcase_add_checked_fixture(cases, setup_waker, teardown_waker);
    tcase_add_test(cases, another_thread_ends_a_wait_without_bound);
    tcase_add_test(cases, many_wakes_before_a_turn_are_one);
    tcase_add_test(cases, a_signal_ends_the_wait_without_harm);
    return cases;
}

static Suite *loop_suite(void)
{
    Suite *suite = suite_create("loop");
    suite_add_tcase(suite, descriptor_cases());
    suite_add_tcase(suite, timer_cases());
    suite_add_tcase(suite, waking_cases());
    return suite;
}

int main(void)
{
    return suite_run(loop_suite());
}
