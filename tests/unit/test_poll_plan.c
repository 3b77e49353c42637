/* When to ask next: as soon as ever where there is budget to spare; else those first that are likely to have ended. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "replicate/poll_plan.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

enum { SECOND = 1000, MINUTE = 60 * SECOND };

static const struct usual_time unknown;

/* Learnt from so many runs, which vary by a tenth. */
static struct usual_time learnt(int64_t took_ms, int runs)
{
    struct usual_time usual = {0};
    for (int i = 0; i < runs; i++)
        usual_time_learn(&usual, took_ms * (100 + 10 * (i % 3 - 1)) / 100);
    return usual;
}

static struct poll_moment moment(const struct usual_time *usual, int64_t age_ms)
{
    return (struct poll_moment){.usual = usual, .age_ms = age_ms, .shortest_ms = 250, .jitter = 1};
}

/* So many others, each with this urgency, share 45 calls a second. */
static struct budget_load load_of(size_t others, double urgency)
{
    return (struct budget_load){.calls_per_ms = 0.045, .waiting = others, .demand.urgency = (double)others * urgency};
}

static int64_t delay_of(const struct budget_load *load, const struct poll_moment *asked)
{
    struct poll_plan plan;
    poll_plan_make(load, asked, &plan);
    ck_assert_int_eq((plan.demand.seldom_per_ms > 0) + (plan.demand.often_per_ms > 0) + (plan.demand.urgency > 0), 1);
    return plan.delay_ms;
}

/* ---- how long it takes ---- */

START_TEST(a_usual_time_is_near_what_was_seen)
{
    struct usual_time usual = learnt(MINUTE, 12);
    ck_assert_double_eq_tol(usual.ms, MINUTE, MINUTE * 0.05);
    ck_assert_double_lt(sqrt(usual.variance), 0.2);
    ck_assert_int_eq(unknown.samples, 0);
}
END_TEST

START_TEST(one_odd_run_moves_it_little_and_many_move_it_whole)
{
    struct usual_time usual = learnt(MINUTE, 12);
    usual_time_learn(&usual, 100 * MINUTE);
    ck_assert_double_lt(usual.ms, 1.3 * MINUTE);
    for (int i = 0; i < 40; i++)
        usual_time_learn(&usual, 10 * MINUTE);
    ck_assert_double_eq_tol(usual.ms, 10 * MINUTE, MINUTE);
}
END_TEST

START_TEST(odd_times_are_taken_as_they_come)
{
    static const int64_t times_ms[] = {0, -5, 1, INT64_MAX};
    struct usual_time usual = {0};
    for (int i = 0; i < ROWS(times_ms); i++) {
        usual_time_learn(&usual, times_ms[i]);
        for (int64_t age_ms = -1; age_ms < INT64_MAX / 4; age_ms = age_ms * 2 + 3) {
            double hazard = usual_time_hazard(&usual, age_ms);
            ck_assert_msg(isfinite(hazard) && hazard >= 0, "after %lld ms: %g", (long long)age_ms, hazard);
        }
    }
}
END_TEST

START_TEST(an_end_is_likely_around_the_usual_time_and_not_before_nor_long_after)
{
    struct usual_time usual = learnt(MINUTE, 20);
    double early = usual_time_hazard(&usual, 30 * SECOND), usually = usual_time_hazard(&usual, MINUTE);
    double late = usual_time_hazard(&usual, 2 * MINUTE);
    ck_assert_double_gt(usually, 10 * early);
    ck_assert_double_gt(usually, 10 * late);
    ck_assert_double_gt(early, 0);
    ck_assert_double_gt(late, usual_time_hazard(&usual, 10 * MINUTE));
}
END_TEST

START_TEST(of_an_unknown_model_the_next_moment_is_the_less_likely_the_longer_it_takes)
{
    double last = 1;
    for (int64_t age_ms = 0; age_ms < 10 * MINUTE; age_ms += SECOND) {
        double hazard = usual_time_hazard(&unknown, age_ms);
        ck_assert_double_lt(hazard, last);
        last = hazard;
    }
}
END_TEST

/* ---- budget to spare ---- */

START_TEST(with_few_that_wait_every_pause_is_the_shortest)
{
    static const int64_t shortest_ms[] = {200, 250, 250, 1000, 2000, 60 * SECOND};
    struct usual_time usual = learnt(MINUTE, 12);
    for (int known = 0; known < 2; known++) {
        for (int64_t age_ms = 0; age_ms < 5 * MINUTE; age_ms += 700) {
            struct poll_moment asked = moment(known ? &usual : &unknown, age_ms);
            asked.shortest_ms = shortest_ms[_i];
            struct budget_load load = {.calls_per_ms = 0.045};
            /* Each of twenty others is asked once a second. */
            if (_i >= 2)
                load.waiting = 20, load.demand.often_per_ms = 0.020, load.demand.often_urgency = 0.1;
            ck_assert_int_eq(delay_of(&load, &asked), shortest_ms[_i]);
        }
    }
}
END_TEST

START_TEST(a_shortest_pause_of_nothing_is_a_millisecond)
{
    struct usual_time usual = learnt(MINUTE, 12);
    struct poll_moment asked = moment(&usual, MINUTE);
    struct budget_load few = load_of(0, 0), many = load_of(2000, 0.004);
    asked.shortest_ms = 0;
    ck_assert_int_ge(delay_of(&few, &asked), 1);
    ck_assert_int_gt(delay_of(&many, &asked), SECOND);
}
END_TEST

/* ---- many that wait ---- */

START_TEST(before_the_likely_end_it_is_asked_seldom_around_it_soon_and_then_seldom_again)
{
    struct usual_time usual = learnt(2 * MINUTE, 20);
    struct budget_load load = load_of(2000, 0.004);
    struct poll_moment early = moment(&usual, 20 * SECOND), due = moment(&usual, 115 * SECOND),
                       late = moment(&usual, 5 * MINUTE);
    int64_t early_ms = delay_of(&load, &early), due_ms = delay_of(&load, &due), late_ms = delay_of(&load, &late);
    ck_assert_int_gt(early_ms, 60 * SECOND);
    ck_assert_msg(early_ms < 130 * SECOND, "%lld ms", (long long)early_ms);
    ck_assert_int_lt(due_ms, 20 * SECOND);
    ck_assert_int_gt(late_ms, 2 * due_ms);
}
END_TEST

START_TEST(nobody_waits_longer_than_one_and_a_half_turns_of_all_or_half_a_minute)
{
    struct usual_time usual = learnt(60 * MINUTE, 20);
    static const size_t others[] = {50, 500, 5000, 50000};
    struct budget_load load = load_of(others[_i], 0.05);
    struct poll_moment asked = moment(&usual, 0);
    double bound_ms = fmax(30 * SECOND, 1.5 * (double)(others[_i] + 1) / 0.045);
    ck_assert_int_le(delay_of(&load, &asked), (int64_t)bound_ms + 1);
    load.backlog_ms = INT64_MAX / 2;
    ck_assert_int_le(delay_of(&load, &asked), (int64_t)bound_ms + 1);
}
END_TEST

START_TEST(the_more_wait_the_longer_is_the_pause_and_a_backlog_lengthens_it)
{
    struct poll_moment asked = moment(&unknown, 20 * SECOND);
    int64_t last_ms = 0;
    for (size_t others = 100; others <= 10000; others *= 10) {
        struct budget_load load = load_of(others, 0.002);
        int64_t delay_ms = delay_of(&load, &asked);
        ck_assert_int_gt(delay_ms, last_ms);
        last_ms = delay_ms;
        load.backlog_ms = 5 * SECOND;
        ck_assert_int_gt(delay_of(&load, &asked), delay_ms);
    }
}
END_TEST

START_TEST(whose_end_a_stream_tells_is_asked_less_often)
{
    struct budget_load load = load_of(2000, 0.001);
    struct poll_moment asked = moment(&unknown, 20 * SECOND);
    int64_t delay_ms = delay_of(&load, &asked);
    asked.is_told = true;
    ck_assert_int_gt(delay_of(&load, &asked), 2 * delay_ms);
}
END_TEST

/* Whatever the pauses of a thousand come to: they ask no more often than there are calls. */
START_TEST(the_plans_of_all_together_keep_to_the_budget)
{
    enum { ALL = 1000 };
    static struct budget_share shares[ALL];
    struct usual_time usual = learnt(2 * MINUTE, 20);
    struct pacing *pacing = pacing_new(&(struct pacing_rates){2700, 600});
    struct budget *budget = budget_of(pacing, "http://replicate.test/v1", "test-token");
    memset(shares, 0, sizeof shares);
    double calls_per_ms = 0;
    for (int round = 0; round < 5; round++) {
        calls_per_ms = 0;
        for (int i = 0; i < ALL; i++) {
            struct poll_moment asked = moment(i % 2 == 0 ? &usual : &unknown, i * 200);
            struct budget_load load;
            struct poll_plan plan;
            budget_load(budget, &shares[i], 1000000, &load);
            ck_assert_uint_eq(load.waiting, round == 0 ? (size_t)i : ALL - 1);
            poll_plan_make(&load, &asked, &plan);
            budget_share_set(budget, &shares[i], &plan.demand);
            calls_per_ms += 1 / (double)plan.delay_ms;
        }
    }
    ck_assert_double_lt(calls_per_ms, 0.045 * 1.05);
    ck_assert_double_gt(calls_per_ms, 0.045 * 0.7);
    for (int i = 0; i < ALL; i++)
        budget_share_clear(budget, &shares[i]);
    struct budget_load load;
    budget_load(budget, &shares[0], 1000000, &load);
    ck_assert_uint_eq(load.waiting, 0);
    ck_assert(load.demand.often_per_ms == 0 && load.demand.urgency == 0);
    budget_unref(&budget);
    pacing_free(pacing);
}
END_TEST

/* ---- jitter ---- */

START_TEST(those_that_began_together_do_not_go_on_together)
{
    double least = 2, most = 0, sum = 0;
    char id[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(id, sizeof id, "prediction-%d", i / 10);
        double jitter = poll_jitter(id, i % 10);
        ck_assert(jitter >= 0.8 && jitter <= 1.2);
        least = fmin(least, jitter);
        most = fmax(most, jitter);
        sum += jitter;
    }
    ck_assert(least < 0.82 && most > 1.18);
    ck_assert_double_eq_tol(sum / 1000, 1, 0.02);
    ck_assert(poll_jitter("a", 1) == poll_jitter("a", 1));
}
END_TEST

static Suite *poll_plan_suite(void)
{
    Suite *suite = suite_create("poll_plan");
    TCase *tcase = tcase_create("plan");
    tcase_add_test(tcase, a_usual_time_is_near_what_was_seen);
    tcase_add_test(tcase, one_odd_run_moves_it_little_and_many_move_it_whole);
    tcase_add_test(tcase, odd_times_are_taken_as_they_come);
    tcase_add_test(tcase, an_end_is_likely_around_the_usual_time_and_not_before_nor_long_after);
    tcase_add_test(tcase, of_an_unknown_model_the_next_moment_is_the_less_likely_the_longer_it_takes);
    tcase_add_loop_test(tcase, with_few_that_wait_every_pause_is_the_shortest, 0, 6);
    tcase_add_test(tcase, a_shortest_pause_of_nothing_is_a_millisecond);
    tcase_add_test(tcase, before_the_likely_end_it_is_asked_seldom_around_it_soon_and_then_seldom_again);
    tcase_add_loop_test(tcase, nobody_waits_longer_than_one_and_a_half_turns_of_all_or_half_a_minute, 0, 4);
    tcase_add_test(tcase, the_more_wait_the_longer_is_the_pause_and_a_backlog_lengthens_it);
    tcase_add_test(tcase, whose_end_a_stream_tells_is_asked_less_often);
    tcase_add_test(tcase, the_plans_of_all_together_keep_to_the_budget);
    tcase_add_test(tcase, those_that_began_together_do_not_go_on_together);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(poll_plan_suite());
}
