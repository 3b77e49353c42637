/* The budget for polls: bursts, spacing, order, holds; and the pure pauses. */
#include <stdint.h>

#include "check_main.h"
#include "replicate/pacing.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

enum { NOW = 1000000 };

static struct pacing *pacing;
static struct budget *budget;

static void make(void)
{
    pacing = pacing_new(&(struct pacing_rates){3000, 600}); /* polls: 50 a second */
    budget = budget_of(pacing, "http://replicate.test/v1", "test-token");
}

static void drop(void)
{
    budget_unref(&budget);
    pacing_free(pacing);
}

static void hold(int64_t wait_ms)
{
    budget_refused(budget, BUDGET_CALLS, NOW, &(struct budget_refusal){.wait_ms = wait_ms});
}

static void use_up_burst(void)
{
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(budget_reserve(budget, NOW), NOW);
}

START_TEST(a_seconds_worth_may_go_at_once_and_the_rest_is_spaced_out)
{
    use_up_burst();
    for (int i = 1; i <= 100; i++)
        ck_assert_int_eq(budget_reserve(budget, NOW), NOW + 20 * i);
}
END_TEST

START_TEST(no_minute_sees_more_than_the_rate_and_one_burst)
{
    int given = 0;
    for (int64_t now_ms = NOW; now_ms < NOW + 60000; now_ms += 5)
        given += budget_reserve(budget, now_ms) < NOW + 60000;
    ck_assert_int_ge(given, 3000);
    ck_assert_int_le(given, 3000 + 50);
}
END_TEST

START_TEST(a_pause_gives_the_burst_back)
{
    use_up_burst();
    ck_assert_int_gt(budget_reserve(budget, NOW), NOW);
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(budget_reserve(budget, NOW + 2000), NOW + 2000);
    ck_assert_int_gt(budget_reserve(budget, NOW + 2000), NOW + 2000);
}
END_TEST

START_TEST(a_small_rate_still_allows_a_burst_of_ten)
{
    pacing_set_rates(pacing, &(struct pacing_rates){60, 600});
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(budget_reserve(budget, NOW), NOW);
    ck_assert_int_eq(budget_reserve(budget, NOW), NOW + 1000);
    ck_assert_int_eq(budget_reserve(budget, NOW), NOW + 2000);
}
END_TEST

START_TEST(what_remains_is_what_the_token_with_the_fewest_has_left)
{
    ck_assert_int_eq(pacing_remaining(pacing, BUDGET_CALLS, NOW), 50);
    ck_assert_int_eq(pacing_remaining(pacing, BUDGET_CREATES, NOW), 600);
    for (int i = 0; i < 3; i++)
        budget_reserve(budget, NOW);
    struct budget *other = budget_of(pacing, "http://replicate.test/v1", "test-token-2");
    budget_reserve(other, NOW);
    ck_assert_int_eq(pacing_remaining(pacing, BUDGET_CALLS, NOW), 47);
    ck_assert_int_eq(pacing_remaining(pacing, BUDGET_CALLS, NOW + 40), 49);
    for (int i = 0; i < 47; i++)
        budget_reserve(budget, NOW);
    ck_assert_int_eq(pacing_remaining(pacing, BUDGET_CALLS, NOW), 0);
    ck_assert_int_eq(pacing_remaining(pacing, BUDGET_CALLS, NOW + 60000), 50);
    hold(3000);
    ck_assert_int_eq(pacing_remaining(pacing, BUDGET_CALLS, NOW + 2000), 0);
    ck_assert_int_eq(pacing_remaining(pacing, BUDGET_CREATES, NOW), 600);
    budget_unref(&other);
}
END_TEST

START_TEST(places_are_given_in_the_order_of_asking)
{
    int64_t last_ms = 0;
    for (int i = 0; i < 1000; i++) {
        if (i == 300)
            hold(4000);
        int64_t place_ms = budget_reserve(budget, NOW + i);
        ck_assert_int_ge(place_ms, last_ms);
        ck_assert_int_ge(place_ms, NOW + i);
        last_ms = place_ms;
    }
}
END_TEST

START_TEST(nobody_asks_within_a_hold_and_no_burst_follows_it)
{
    hold(3000);
    ck_assert(budget_is_held(budget, NOW));
    ck_assert(budget_is_held(budget, NOW + 2999));
    ck_assert(!budget_is_held(budget, NOW + 3000));
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(budget_reserve(budget, NOW), NOW + 3000 + 20 * i);
}
END_TEST

START_TEST(a_shorter_hold_does_not_shorten_a_longer_one)
{
    hold(3000);
    hold(1000);
    ck_assert(budget_is_held(budget, NOW + 2999));
    ck_assert_int_eq(budget_reserve(budget, NOW), NOW + 3000);
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
    budget_learn(budget, BUDGET_CALLS, NOW, learn_rows[_i].remaining, learn_rows[_i].reset_ms);
    ck_assert_int_eq(budget_reserve(budget, NOW), learn_rows[_i].place_ms);
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
    tcase_add_test(tcase, what_remains_is_what_the_token_with_the_fewest_has_left);
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
