/* The budget for polls: bursts, spacing, order, holds; and the pure pauses. */
#include <stdint.h>

#include "check_main.h"
#include "replicate/pacing.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

enum { NOW = 1000000 };

static struct pacing *pacing;

static void make(void)
{
    pacing = pacing_new(3000); /* 50 a second */
}

static void drop(void)
{
    pacing_free(pacing);
}

static void use_up_burst(void)
{
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(pacing_reserve(pacing, NOW), NOW);
}

START_TEST(a_seconds_worth_may_go_at_once_and_the_rest_is_spaced_out)
{
    use_up_burst();
    for (int i = 1; i <= 100; i++)
        ck_assert_int_eq(pacing_reserve(pacing, NOW), NOW + 20 * i);
}
END_TEST

START_TEST(no_minute_sees_more_than_the_rate_and_one_burst)
{
    int given = 0;
    for (int64_t now_ms = NOW; now_ms < NOW + 60000; now_ms += 5)
        given += pacing_reserve(pacing, now_ms) < NOW + 60000;
    ck_assert_int_ge(given, 3000);
    ck_assert_int_le(given, 3000 + 50);
}
END_TEST

START_TEST(a_pause_gives_the_burst_back)
{
    use_up_burst();
    ck_assert_int_gt(pacing_reserve(pacing, NOW), NOW);
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(pacing_reserve(pacing, NOW + 2000), NOW + 2000);
    ck_assert_int_gt(pacing_reserve(pacing, NOW + 2000), NOW + 2000);
}
END_TEST

START_TEST(a_small_rate_still_allows_a_burst_of_ten)
{
    pacing_set_rate(pacing, 60);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(pacing_reserve(pacing, NOW), NOW);
    ck_assert_int_eq(pacing_reserve(pacing, NOW), NOW + 1000);
    ck_assert_int_eq(pacing_reserve(pacing, NOW), NOW + 2000);
}
END_TEST

START_TEST(places_are_given_in_the_order_of_asking)
{
    int64_t last_ms = 0;
    for (int i = 0; i < 1000; i++) {
        if (i == 300)
            pacing_hold(pacing, NOW + 4000);
        int64_t place_ms = pacing_reserve(pacing, NOW + i);
        ck_assert_int_ge(place_ms, last_ms);
        ck_assert_int_ge(place_ms, NOW + i);
        last_ms = place_ms;
    }
}
END_TEST

START_TEST(nobody_asks_within_a_hold_and_no_burst_follows_it)
{
    pacing_hold(pacing, NOW + 3000);
    ck_assert(pacing_is_held(pacing, NOW));
    ck_assert(pacing_is_held(pacing, NOW + 2999));
    ck_assert(!pacing_is_held(pacing, NOW + 3000));
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(pacing_reserve(pacing, NOW), NOW + 3000 + 20 * i);
}
END_TEST

START_TEST(a_shorter_hold_does_not_shorten_a_longer_one)
{
    pacing_hold(pacing, NOW + 3000);
    pacing_hold(pacing, NOW + 1000);
    ck_assert(pacing_is_held(pacing, NOW + 2999));
    ck_assert_int_eq(pacing_reserve(pacing, NOW), NOW + 3000);
}
END_TEST

static const struct {
    int64_t remaining, reset_ms, place_ms;
} learn_rows[] = {
    {0, 2000, NOW + 2000}, {0, INT64_MAX, NOW + 60000}, {0, 0, NOW},   {0, -1, NOW},
    {1, 2000, NOW},        {2999, 1000, NOW},           {-1, -1, NOW}, {-1, 2000, NOW},
};

START_TEST(a_used_up_limit_is_waited_for_at_most_a_minute)
{
    pacing_learn(pacing, NOW, learn_rows[_i].remaining, learn_rows[_i].reset_ms);
    ck_assert_int_eq(pacing_reserve(pacing, NOW), learn_rows[_i].place_ms);
}
END_TEST

static const struct {
    int polls;
    bool running;
    int64_t longest_ms, delay_ms;
} delay_rows[] = {
    {0, false, 5000, 250}, {1, false, 5000, 375},   {2, false, 5000, 562}, {100, false, 5000, 5000},
    {0, false, 100, 100},  {50, false, 600, 600},   {0, true, 5000, 200},  {1, true, 5000, 260},
    {2, true, 5000, 338},  {100, true, 5000, 1000}, {100, true, 500, 500}, {INT32_MAX, true, 5000, 1000},
    {0, false, 0, 1},      {3, true, -7, 1},
};

START_TEST(pauses_grow_to_the_longest_and_are_shorter_while_it_runs)
{
    ck_assert_int_eq(pacing_poll_delay_ms(delay_rows[_i].polls, delay_rows[_i].running, delay_rows[_i].longest_ms),
                     delay_rows[_i].delay_ms);
}
END_TEST

START_TEST(backing_off_doubles_up_to_a_cap)
{
    static const int64_t delays_ms[] = {500, 500, 1000, 2000, 4000, 8000, 8000};
    for (int attempt = 0; attempt < ROWS(delays_ms); attempt++)
        ck_assert_int_eq(pacing_backoff_ms(attempt), delays_ms[attempt]);
    ck_assert_int_eq(pacing_backoff_ms(INT32_MAX), 8000);
}
END_TEST

static Suite *pacing_suite(void)
{
    Suite *suite = suite_create("pacing");
    TCase *tcase = tcase_create("pacing");
    tcase_add_checked_fixture(tcase, make, drop);
    tcase_add_test(tcase, a_seconds_worth_may_go_at_once_and_the_rest_is_spaced_out);
    tcase_add_test(tcase, no_minute_sees_more_than_the_rate_and_one_burst);
    tcase_add_test(tcase, a_pause_gives_the_burst_back);
    tcase_add_test(tcase, a_small_rate_still_allows_a_burst_of_ten);
    tcase_add_test(tcase, places_are_given_in_the_order_of_asking);
    tcase_add_test(tcase, nobody_asks_within_a_hold_and_no_burst_follows_it);
    tcase_add_test(tcase, a_shorter_hold_does_not_shorten_a_longer_one);
    tcase_add_loop_test(tcase, a_used_up_limit_is_waited_for_at_most_a_minute, 0, ROWS(learn_rows));
    tcase_add_loop_test(tcase, pauses_grow_to_the_longest_and_are_shorter_while_it_runs, 0, ROWS(delay_rows));
    tcase_add_test(tcase, backing_off_doubles_up_to_a_cap);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(pacing_suite());
}
