/* The clock of a thread whose time may stand still. */
#include <poll.h>
#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "check_main.h"

static int64_t kernel_ms(clockid_t clock)
{
    struct timespec now;
    ck_assert_int_eq(clock_gettime(clock, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until the kernel's clock has gone on, whatever ours says. */
static void let_time_pass(void)
{
    for (int64_t until_ms = kernel_ms(CLOCK_MONOTONIC) + 3; kernel_ms(CLOCK_MONOTONIC) < until_ms;)
        (void)poll(NULL, 0, 1);
}

START_TEST(time_that_stands_says_one_moment_on_both_clocks)
{
    int64_t before_ms = kernel_ms(CLOCK_MONOTONIC), wall_before_ms = kernel_ms(CLOCK_REALTIME);
    clock_stand();
    int64_t now_ms = clock_now_ms(), wall_ms = clock_wall_ms();
    ck_assert_int_ge(now_ms, before_ms);
    ck_assert_int_ge(wall_ms, wall_before_ms - 1);
    ck_assert_int_le(wall_ms, kernel_ms(CLOCK_REALTIME) + 1);
    let_time_pass();
    ck_assert_int_eq(clock_now_ms(), now_ms);
    ck_assert_int_eq(clock_wall_ms(), wall_ms);
    ck_assert_int_eq(clock_wall_s(), wall_ms / 1000);
    clock_run();
}
END_TEST

START_TEST(a_step_takes_both_clocks_to_the_present)
{
    clock_stand();
    int64_t now_ms = clock_now_ms(), wall_ms = clock_wall_ms();
    let_time_pass();
    clock_step();
    int64_t stepped_ms = clock_now_ms();
    ck_assert_int_ge(stepped_ms, now_ms + 3);
    ck_assert_int_ge(clock_wall_ms() - wall_ms, stepped_ms - now_ms - 1);
    let_time_pass();
    ck_assert_int_eq(clock_now_ms(), stepped_ms);
    clock_run();
}
END_TEST

START_TEST(time_that_runs_again_is_the_kernels)
{
    clock_stand();
    let_time_pass();
    clock_run();
    int64_t before_ms = kernel_ms(CLOCK_MONOTONIC);
    ck_assert_int_ge(clock_now_ms(), before_ms);
    clock_step(); /* no effect where time runs */
    let_time_pass();
    ck_assert_int_ge(clock_now_ms(), before_ms + 3);
}
END_TEST

static void *look(void *arg)
{
    *(int64_t *)arg = clock_now_ms();
    return NULL;
}

START_TEST(time_runs_on_for_other_threads)
{
    clock_stand();
    let_time_pass();
    int64_t before_ms = kernel_ms(CLOCK_MONOTONIC), seen_ms = 0;
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, look, &seen_ms), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_ge(seen_ms, before_ms);
    clock_run();
}
END_TEST

static Suite *clock_suite(void)
{
    Suite *suite = suite_create("clock");
    TCase *clocks = tcase_create("clocks");
    tcase_add_test(clocks, time_that_stands_says_one_moment_on_both_clocks);
    tcase_add_test(clocks, a_step_takes_both_clocks_to_the_present);
    tcase_add_test(clocks, time_that_runs_again_is_the_kernels);
    tcase_add_test(clocks, time_runs_on_for_other_threads);
    suite_add_tcase(suite, clocks);
    return suite;
}

int main(void)
{
    return suite_run(clock_suite());
}
