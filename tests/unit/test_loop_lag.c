/* How late the timers of a turn were: by the loop's own fault, and by nobody else's. */
#include <poll.h>
#include <stdint.h>

#include "base/clock.h"
#include "check_main.h"
#include "replicate/loop.h"

enum { BUSY_MS = 60 };

static struct loop *loop;
static struct loop_timer timer;

static void ignore(void *arg)
{
    (void)arg;
}

static void make(void)
{
    loop = loop_new();
    ck_assert_ptr_nonnull(loop);
    loop_timer_init(&timer, ignore, NULL);
    loop_turn(loop, 0);
}

static void drop(void)
{
    loop_timer_clear(loop, &timer);
    loop_free(loop);
}

/* Something holds up the thread. */
static void be_busy(void)
{
    int64_t until_ms = clock_now_ms() + BUSY_MS;
    while (clock_now_ms() < until_ms)
        (void)poll(NULL, 0, (int)(until_ms - clock_now_ms()));
}

START_TEST(a_timer_that_was_held_up_is_late)
{
    loop_timer_set(loop, &timer, clock_now_ms() + 1);
    be_busy();
    loop_turn(loop, 0);
    ck_assert_int_ge(loop_lag_ms(loop), BUSY_MS - 1);
    ck_assert_int_lt(loop_lag_ms(loop), 5000);
}
END_TEST

START_TEST(a_timer_that_was_overdue_when_it_was_set_is_not_late)
{
    loop_timer_set(loop, &timer, clock_now_ms() - 100000);
    loop_turn(loop, 0);
    ck_assert_int_ge(loop_lag_ms(loop), 0);
    ck_assert_int_lt(loop_lag_ms(loop), 5000);
}
END_TEST

START_TEST(without_a_timer_that_is_due_there_is_nothing_to_say)
{
    loop_timer_set(loop, &timer, clock_now_ms());
    loop_turn(loop, 1000);
    ck_assert_int_ge(loop_lag_ms(loop), 0);
    loop_timer_set(loop, &timer, clock_now_ms() + 100000);
    loop_turn(loop, 0);
    ck_assert_int_eq(loop_lag_ms(loop), -1);
}
END_TEST

static Suite *lag_suite(void)
{
    Suite *suite = suite_create("loop: lag");
    TCase *tcase = tcase_create("lag");
    tcase_add_checked_fixture(tcase, make, drop);
    tcase_add_test(tcase, a_timer_that_was_held_up_is_late);
    tcase_add_test(tcase, a_timer_that_was_overdue_when_it_was_set_is_not_late);
    tcase_add_test(tcase, without_a_timer_that_is_due_there_is_nothing_to_say);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(lag_suite());
}
