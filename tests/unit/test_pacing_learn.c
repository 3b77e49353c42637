/* What the budgets learn: tokens apart, limits that are used up or nearly, and refusals of creates. */
#include <stdint.h>
#include <stdio.h>

#include "check_main.h"
#include "replicate/pacing.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define BASE "http://replicate.test/v1"

enum { NOW = 1000000, SECOND = 1000, MINUTE = 60 * SECOND };

static struct pacing *pacing;
static struct budget *budget;

static void make(void)
{
    pacing = pacing_new(&(struct pacing_rates){3000, 600});
    budget = budget_of(pacing, BASE, "test-token");
}

static void drop(void)
{
    budget_unref(&budget);
    pacing_free(pacing);
}

/* One who asks until its turn comes: when that is. */
static int64_t turn_at(struct budget_turn *turn, int64_t now_ms)
{
    struct budget_forecast forecast;
    while (!budget_turn_ask(budget, turn, now_ms, &forecast)) {
        ck_assert_int_gt(forecast.ask_again_ms, now_ms);
        now_ms = forecast.ask_again_ms;
    }
    return now_ms;
}

static int64_t create_at(int64_t now_ms)
{
    struct budget_turn turn = {0};
    return turn_at(&turn, now_ms);
}

static void refuse(int64_t now_ms, int64_t wait_ms, int64_t per_minute, int64_t burst)
{
    const struct budget_refusal refusal = {wait_ms, per_minute, burst};
    budget_refused(budget, BUDGET_CREATES, now_ms, &refusal);
}

/* The first create went out, and its answer said nothing of limits. */
static void sound(void)
{
    ck_assert_int_eq(create_at(NOW), NOW);
    budget_learn(budget, BUDGET_CREATES, NOW, -1, -1);
}

/* ---- which budget ---- */

START_TEST(a_token_has_one_budget_at_each_base_url)
{
    struct budget *same = budget_of(pacing, BASE, "test-token");
    struct budget *other_token = budget_of(pacing, BASE, "test-token-2");
    struct budget *other_base = budget_of(pacing, BASE "x", "test-token");
    ck_assert_ptr_eq(same, budget);
    ck_assert_ptr_ne(other_token, budget);
    ck_assert_ptr_ne(other_base, budget);
    ck_assert_ptr_ne(other_base, other_token);
    refuse(NOW, MINUTE, 6, 1);
    budget_learn(budget, BUDGET_CALLS, NOW, 0, MINUTE);
    struct budget_turn turn = {0};
    struct budget_forecast forecast;
    ck_assert(budget_turn_ask(other_token, &turn, NOW, &forecast));
    ck_assert_int_eq(budget_reserve(other_base, NOW), NOW);
    ck_assert(budget_is_held(same, NOW));
    budget_unref(&same);
    budget_unref(&other_token);
    budget_unref(&other_base);
}
END_TEST

static struct budget *numbered(int number)
{
    char token[32];
    snprintf(token, sizeof token, "test-token-%d", number);
    return budget_of(pacing, BASE, token);
}

START_TEST(what_was_learnt_outlives_its_users_until_others_take_its_room)
{
    budget_learn(budget, BUDGET_CALLS, NOW, 0, MINUTE);
    for (int i = 0; i < PACING_IDLE_MAX; i++) {
        struct budget *idle = numbered(i);
        if (i == 0)
            budget_learn(idle, BUDGET_CALLS, NOW, 0, MINUTE);
        budget_unref(&idle);
    }
    struct budget *oldest = numbered(0);
    ck_assert_msg(budget_is_held(oldest, NOW), "it was forgotten too soon");
    struct budget *more[2] = {numbered(-1), numbered(-2)};
    budget_unref(&oldest);
    budget_unref(&more[0]);
    budget_unref(&more[1]);
    for (int i = 0; i < PACING_IDLE_MAX; i++) {
        struct budget *idle = numbered(1000 + i);
        budget_unref(&idle);
    }
    oldest = numbered(0);
    ck_assert_msg(!budget_is_held(oldest, NOW), "it was not forgotten");
    ck_assert_msg(budget_is_held(budget, NOW), "what is in use was forgotten");
    budget_unref(&oldest);
}
END_TEST

START_TEST(a_reload_changes_the_rates_of_budgets_in_use)
{
    sound();
    pacing_set_rates(pacing, &(struct pacing_rates){3000, 6});
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(create_at(NOW + MINUTE), NOW + MINUTE);
    ck_assert_int_eq(create_at(NOW + MINUTE), NOW + MINUTE + 10 * SECOND);
}
END_TEST

/* ---- the first create ---- */

START_TEST(the_very_first_create_goes_alone_until_it_is_answered)
{
    struct budget_turn second = {0};
    struct budget_forecast forecast;
    ck_assert_int_eq(create_at(NOW), NOW);
    ck_assert(!budget_turn_ask(budget, &second, NOW, &forecast));
    ck_assert_int_le(forecast.ask_again_ms, NOW + 50);
    ck_assert_int_eq(forecast.place_ms, NOW);
    budget_learn(budget, BUDGET_CREATES, NOW + 10, 599, 1000);
    ck_assert(budget_turn_ask(budget, &second, NOW + 10, &forecast));
    for (int i = 2; i < 600; i++)
        ck_assert_int_eq(create_at(NOW + 10), NOW + 10);
}
END_TEST

START_TEST(an_answer_that_does_not_come_holds_up_the_others_for_a_second)
{
    ck_assert_int_eq(create_at(NOW), NOW);
    int64_t second_ms = create_at(NOW);
    ck_assert_int_ge(second_ms, NOW + 1000);
    ck_assert_int_le(second_ms, NOW + 1050);
    ck_assert_int_eq(create_at(second_ms), second_ms);
}
END_TEST

START_TEST(after_a_create_that_was_not_answered_the_next_goes_alone)
{
    ck_assert_int_eq(create_at(NOW), NOW);
    budget_turn_unanswered(budget);
    ck_assert_int_eq(create_at(NOW + 1), NOW + 1);
    ck_assert_int_ge(create_at(NOW + 1), NOW + 1001);
}
END_TEST

/* ---- creates ---- */

START_TEST(creates_beyond_a_minutes_worth_are_spaced_out)
{
    sound();
    for (int i = 1; i < 600; i++)
        ck_assert_int_eq(create_at(NOW), NOW);
    for (int i = 1; i <= 20; i++)
        ck_assert_int_eq(create_at(NOW), NOW + 100 * i);
}
END_TEST

START_TEST(those_who_wait_go_in_the_order_of_asking_and_may_leave)
{
    struct budget_turn turns[4] = {0};
    struct budget_forecast forecast;
    sound();
    refuse(NOW, 5 * SECOND, 60, 1);
    for (int i = 0; i < 4; i++) {
        ck_assert(!budget_turn_ask(budget, &turns[i], NOW, &forecast));
        ck_assert_int_eq(forecast.place_ms, NOW + 5000 + 1050 * i);
        ck_assert_int_le(forecast.ask_again_ms, NOW + 2000);
    }
    budget_turn_leave(&turns[1]);
    ck_assert(!budget_turn_ask(budget, &turns[3], NOW, &forecast));
    ck_assert_int_eq(forecast.place_ms, NOW + 5000 + 1050 * 2);
    /* Whoever asks out of turn does not overtake. */
    ck_assert(!budget_turn_ask(budget, &turns[2], NOW + 5000, &forecast));
    ck_assert(budget_turn_ask(budget, &turns[0], NOW + 5000, &forecast));
    ck_assert(!budget_turn_ask(budget, &turns[3], NOW + 6050, &forecast));
    ck_assert(budget_turn_ask(budget, &turns[2], NOW + 6050, &forecast));
    ck_assert_int_eq(turn_at(&turns[3], NOW + 6050), NOW + 7100);
}
END_TEST

START_TEST(whoever_was_refused_goes_first_again)
{
    struct budget_turn refused = {0}, other = {0}, last = {0};
    struct budget_forecast forecast;
    sound();
    ck_assert(budget_turn_ask(budget, &refused, NOW, &forecast));
    refuse(NOW, 2 * SECOND, 6, 1);
    ck_assert(!budget_turn_ask(budget, &other, NOW, &forecast));
    ck_assert(!budget_turn_ask(budget, &last, NOW, &forecast));
    ck_assert(!budget_turn_ask(budget, &refused, NOW, &forecast));
    ck_assert_int_eq(forecast.place_ms, NOW + 2000);
    ck_assert(!budget_turn_ask(budget, &other, NOW, &forecast));
    ck_assert_int_eq(forecast.place_ms, NOW + 12500);
    ck_assert(!budget_turn_ask(budget, &last, NOW, &forecast));
    ck_assert_int_eq(forecast.place_ms, NOW + 23000);
    budget_turn_leave(&refused);
    budget_turn_leave(&other);
    budget_turn_leave(&last);
}
END_TEST

/* One whose worker is late holds up nobody, as long as there is a place for it too. */
START_TEST(nobody_waits_for_one_who_does_not_ask)
{
    struct budget_turn late = {0}, next = {0};
    struct budget_forecast forecast;
    sound();
    refuse(NOW, SECOND, 60, 1);
    ck_assert(!budget_turn_ask(budget, &late, NOW, &forecast));
    ck_assert_int_eq(turn_at(&next, NOW), NOW + 2050);
    budget_turn_leave(&late);
}
END_TEST

/* ---- refusals ---- */

START_TEST(a_rate_that_a_refusal_names_is_kept_for_ten_minutes)
{
    sound();
    refuse(NOW, 9 * SECOND, 6, 1);
    int64_t at_ms = NOW;
    int creates = 0;
    while ((at_ms = create_at(at_ms)) < NOW + 10 * MINUTE) {
        ck_assert_int_ge(at_ms, NOW + 9000 + 10500 * creates++);
        budget_learn(budget, BUDGET_CREATES, at_ms, 0, -1);
    }
    ck_assert_int_ge(creates, 56);
    ck_assert_int_le(creates, 60);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(create_at(NOW + 11 * MINUTE), NOW + 11 * MINUTE);
}
END_TEST

static const struct {
    int64_t per_minute, burst, remaining;
    bool is_lifted;
} lifts[] = {
    {6, 1, 0, false},  {6, 1, 1, true},  {60, 10, 9, false}, {60, 10, 10, true}, {60, 0, 40, false},
    {60, 0, 60, true}, {0, 0, 0, false}, {0, 0, 1, true},    {900, 5, 1, true},  {6, 1, -1, false},
};

START_TEST(what_remains_shows_whether_a_refusal_still_holds)
{
    sound();
    refuse(NOW, 20 * SECOND, lifts[_i].per_minute, lifts[_i].burst);
    ck_assert_int_eq(create_at(NOW), NOW + 20000);
    budget_learn(budget, BUDGET_CREATES, NOW + 20000, lifts[_i].remaining, -1);
    int64_t next_ms = create_at(NOW + 20000);
    ck_assert_msg((next_ms <= NOW + 20100) == lifts[_i].is_lifted, "the next one goes %lld ms later",
                  (long long)(next_ms - NOW - 20000));
}
END_TEST

/* There may be hundreds again as soon as it is over, or one; that it went well says more each time. */
START_TEST(without_a_rate_the_wait_is_a_guess_that_success_halves)
{
    sound();
    refuse(NOW, 16 * SECOND, 0, 0);
    int64_t at_ms = create_at(NOW);
    ck_assert_int_eq(at_ms, NOW + 16000);
    for (int64_t pause_ms = 8000; pause_ms >= 500; pause_ms /= 2) {
        budget_learn(budget, BUDGET_CREATES, at_ms, -1, -1);
        int64_t next_ms = create_at(at_ms);
        ck_assert_int_eq(next_ms - at_ms, pause_ms);
        at_ms = next_ms;
    }
}
END_TEST

START_TEST(a_guess_does_not_undo_what_was_told)
{
    sound();
    refuse(NOW, SECOND, 6, 1);
    ck_assert_int_eq(create_at(NOW), NOW + 1000);
    refuse(NOW + 1000, SECOND, 0, 0);
    ck_assert_int_eq(create_at(NOW + 1000), NOW + 12500);
}
END_TEST

/* Replicate counts what it refuses, and may not allow for that in the wait that it names. */
START_TEST(a_wait_that_was_too_short_is_lengthened_by_a_turn)
{
    sound();
    refuse(NOW, SECOND, 60, 1);
    ck_assert_int_eq(create_at(NOW), NOW + 1000);
    refuse(NOW + 1000, SECOND, 60, 1);
    ck_assert_int_eq(create_at(NOW + 1000), NOW + 2000 + 1050);
    budget_learn(budget, BUDGET_CREATES, NOW + 3050, 0, -1);
    refuse(NOW + 3050, 2 * SECOND, 60, 1);
    ck_assert_int_eq(create_at(NOW + 3050), NOW + 5050);
}
END_TEST

START_TEST(no_refusal_stops_a_token_for_more_than_an_hour)
{
    sound();
    refuse(NOW, INT64_C(1000000000000), 0, 0);
    ck_assert_int_le(create_at(NOW), NOW + 60 * MINUTE);
}
END_TEST

/* ---- what remains ---- */

static const struct {
    int64_t remaining, reset_ms, waits_ms[4]; /* of the next four */
} little[] = {
    {0, 5000, {5000, 5100, 5200, 5300}},   {0, -1, {0, 0, 0, 0}},
    {1, 1000, {0, 1000, 1100, 1200}},      {2, 1000, {0, 500, 1000, 1100}},
    {4, 10000, {0, 2500, 5000, 7500}},     {20, 1000, {0, 0, 0, 0}},
    {INT64_MAX / 200, 1000, {0, 0, 0, 0}},
};

START_TEST(what_little_remains_of_creates_is_made_to_last)
{
    sound();
    budget_learn(budget, BUDGET_CREATES, NOW, little[_i].remaining, little[_i].reset_ms);
    for (int i = 0; i < 4; i++) {
        int64_t wait_ms = create_at(NOW) - NOW;
        ck_assert_msg(wait_ms == little[_i].waits_ms[i], "number %d waits %lld ms", i, (long long)wait_ms);
    }
}
END_TEST

/* Ten for two seconds are five a second. */
START_TEST(what_little_remains_of_calls_is_made_to_last)
{
    budget_learn(budget, BUDGET_CALLS, NOW, 10, 2000);
    int given = 0;
    for (int64_t now_ms = NOW; now_ms < NOW + 2000; now_ms += 10)
        if (budget_reserve(budget, now_ms) < NOW + 2000)
            given++;
    ck_assert_int_ge(given, 10);
    ck_assert_int_le(given, 11);
    /* What is said of creates is not said of calls. */
    ck_assert_int_eq(create_at(NOW), NOW);
}
END_TEST

static Suite *pacing_suite(void)
{
    Suite *suite = suite_create("pacing_learn");
    TCase *tcase = tcase_create("learn");
    tcase_add_checked_fixture(tcase, make, drop);
    tcase_add_test(tcase, a_token_has_one_budget_at_each_base_url);
    tcase_add_test(tcase, what_was_learnt_outlives_its_users_until_others_take_its_room);
    tcase_add_test(tcase, a_reload_changes_the_rates_of_budgets_in_use);
    tcase_add_test(tcase, the_very_first_create_goes_alone_until_it_is_answered);
    tcase_add_test(tcase, an_answer_that_does_not_come_holds_up_the_others_for_a_second);
    tcase_add_test(tcase, after_a_create_that_was_not_answered_the_next_goes_alone);
    tcase_add_test(tcase, creates_beyond_a_minutes_worth_are_spaced_out);
    tcase_add_test(tcase, those_who_wait_go_in_the_order_of_asking_and_may_leave);
    tcase_add_test(tcase, whoever_was_refused_goes_first_again);
    tcase_add_test(tcase, nobody_waits_for_one_who_does_not_ask);
    tcase_add_test(tcase, a_rate_that_a_refusal_names_is_kept_for_ten_minutes);
    tcase_add_loop_test(tcase, what_remains_shows_whether_a_refusal_still_holds, 0, ROWS(lifts));
    tcase_add_test(tcase, without_a_rate_the_wait_is_a_guess_that_success_halves);
    tcase_add_test(tcase, a_guess_does_not_undo_what_was_told);
    tcase_add_test(tcase, a_wait_that_was_too_short_is_lengthened_by_a_turn);
    tcase_add_test(tcase, no_refusal_stops_a_token_for_more_than_an_hour);
    tcase_add_loop_test(tcase, what_little_remains_of_creates_is_made_to_last, 0, ROWS(little));
    tcase_add_test(tcase, what_little_remains_of_calls_is_made_to_last);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(pacing_suite());
}
