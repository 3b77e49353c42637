/* A prediction whose id is known: every status word, the pace of polls, and polls that fail. */
#include <string.h>

#include "base/clock.h"
#include "check_main.h"
#include "fake_bench.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static const struct {
    const char *word;
    bool is_terminal;
    enum error_kind kind;
} status_rows[] = {
    {"starting", false, ERROR_NONE},
    {"processing", false, ERROR_NONE},
    {"succeeded", true, ERROR_NONE},
    {"failed", true, ERROR_PREDICTION_FAILED},
    {"canceled", true, ERROR_PREDICTION_CANCELED},
    {"aborted", true, ERROR_TIMEOUT},
    {"a-word-of-tomorrow", false, ERROR_NONE},
};

enum { STATUS_ROWS = sizeof status_rows / sizeof status_rows[0] };

static void expect_status(int row)
{
    if (!status_rows[row].is_terminal) {
        bench_expect_unfinished();
        bench_expect_state(PREDICTION_SLEEPING);
        bench_advance(375);
        fake_transfer_answer(bench_poll_call(), 200, BENCH_SUCCEEDED);
        bench_expect_success();
    } else if (status_rows[row].kind == ERROR_NONE) {
        bench_expect_success();
    } else {
        bench_expect_error(status_rows[row].kind);
        ck_assert_ptr_nonnull(strstr(bench.outcome->error->message, BENCH_ID));
        ck_assert_str_eq(bench.outcome->prediction_id, BENCH_ID);
    }
    bench_expect_none();
    int64_t succeeded = metrics_sum(METRIC_predictions_succeeded_total);
    int64_t failed = metrics_sum(METRIC_predictions_failed_total);
    ck_assert_int_eq(succeeded + failed, metrics_sum(METRIC_predictions_created_total));
}

START_TEST(the_status_of_a_create_decides_whatever_its_code)
{
    static const int codes[] = {200, 201, 202};
    bench_start_model();
    fake_transfer_answer(bench_create_call(), codes[_i / STATUS_ROWS],
                         bench_status_body(status_rows[_i % STATUS_ROWS].word));
    expect_status(_i % STATUS_ROWS);
}
END_TEST

START_TEST(the_status_of_a_poll_decides)
{
    bench_to_polling();
    fake_transfer_answer(bench_poll_call(), 200, bench_status_body(status_rows[_i].word));
    expect_status(_i);
}
END_TEST

START_TEST(a_silent_poll_is_given_up_soon_and_made_again_on_a_new_connection)
{
    static const int64_t tries_ms[] = {10000, 20000, 30000, 30000};
    bench_to_polling();
    for (int i = 0; i < ROWS(tries_ms); i++) {
        ck_assert_int_eq(bench_poll_call()->timeout_ms, tries_ms[i]);
        ck_assert_int_eq(bench_poll_call()->is_on_new, i > 0);
        fake_transfer_break(bench_poll_call(), TRANSFER_LOST);
        bench_advance(500 << i);
    }
    /* Any answer shows that the way is open. */
    fake_transfer_answer(bench_poll_call(), 503, "{}");
    bench_advance(8000);
    ck_assert_int_eq(bench_poll_call()->timeout_ms, 10000);
    ck_assert(!bench_poll_call()->is_on_new);
    fake_transfer_answer(bench_poll_call(), 200, BENCH_SUCCEEDED);
    bench_expect_success();
}
END_TEST

START_TEST(sleeping_leads_to_polling_and_back_until_the_end)
{
    bench_to_sleeping();
    for (int i = 0; i < 5; i++) {
        bench_expect_state(PREDICTION_SLEEPING);
        bench_advance(2000);
        bench_expect_state(PREDICTION_POLLING);
        fake_transfer_answer(bench_poll_call(), 200, i < 3 ? BENCH_STARTING : BENCH_PROCESSING);
    }
    bench_advance(2000);
    fake_transfer_answer(bench_poll_call(), 200, BENCH_SUCCEEDED);
    bench_expect_success();
    ck_assert_int_eq(bench.outcome->polls, 6);
    ck_assert_int_eq(bench.outcome->running_after_ms, 7000); /* between the last `starting` and the first after it */
    ck_assert_int_eq(bench.outcome->finished_after_ms, 12000);
    ck_assert_int_eq(bench.outcome->usage.output_tokens, 3);
}
END_TEST

START_TEST(characters_that_are_none_do_not_cost_the_output)
{
    bench_to_polling();
    fake_transfer_answer(bench_poll_call(), 200,
                         "{\"id\":\"" BENCH_ID "\",\"status\":\"succeeded\",\"output\":\"a\\u0000\\ud83d\"}");
    bench_expect_success();
    ck_assert_str_eq(json_string_value(bench.outcome->output), "a\xEF\xBF\xBD\xEF\xBF\xBD");
}
END_TEST

START_TEST(output_seen_while_processing_is_not_taken_for_the_end)
{
    bench_start_model();
    fake_transfer_answer(bench_create_call(), 201, BENCH_PROCESSING);
    bench_expect_unfinished();
    bench_advance(200);
    fake_transfer_answer(bench_poll_call(), 200,
                         "{\"id\":\"" BENCH_ID "\",\"status\":\"failed\",\"output\":[],\"error\":\"boom\"}");
    bench_expect_error(ERROR_PREDICTION_FAILED);
}
END_TEST

START_TEST(polls_come_quickly_at_first_slower_while_it_boots_and_quicker_when_it_runs)
{
    static const int64_t starting_ms[] = {250, 375, 562, 843, 1264, 1896, 2000, 2000};
    bench_to_sleeping();
    for (int i = 0; i < ROWS(starting_ms); i++) {
        bench_advance(starting_ms[i] - 1);
        bench_expect_idle();
        bench_advance(1);
        fake_transfer_answer(bench_poll_call(), 200, i < ROWS(starting_ms) - 1 ? BENCH_STARTING : BENCH_PROCESSING);
    }
    bench_advance(199);
    bench_expect_idle();
    bench_advance(1);
    fake_transfer_answer(bench_poll_call(), 200, BENCH_SUCCEEDED);
}
END_TEST

static void fail_poll(int way)
{
    static const char *const bodies[] = {"", "<html>busy</html>", "{}", "not json",
                                         "{\"id\":\"another\",\"status\":\"failed\"}"};
    struct transfer *call = bench_poll_call();
    switch (way) {
    case 0:
        fake_transfer_break(call, TRANSFER_LOST);
        break;
    case 1:
        fake_transfer_break(call, TRANSFER_UNREACHABLE);
        break;
    case 2:
        fake_transfer_answer(call, 429, "{}");
        break;
    case 3:
        fake_transfer_answer(call, 502, "<html>bad gateway</html>");
        break;
    default:
        fake_transfer_answer(call, 200, bodies[way - 4]);
        break;
    }
}

START_TEST(a_poll_that_fails_is_not_a_failed_prediction)
{
    bench_to_polling();
    for (int i = 0; i < 6; i++) {
        fail_poll(_i);
        bench_expect_unfinished();
        bench_expect_state(PREDICTION_SLEEPING);
        bench_advance(8000);
        bench_expect_state(PREDICTION_POLLING);
    }
    fake_transfer_answer(bench_poll_call(), 200, BENCH_SUCCEEDED);
    bench_expect_success();
}
END_TEST

START_TEST(failed_polls_are_spaced_out_and_one_success_resets_that)
{
    bench_to_polling();
    for (int i = 0; i < 3; i++) {
        fail_poll(3);
        bench_advance((500 << i) - 1);
        bench_expect_idle();
        bench_advance(1);
    }
    fake_transfer_answer(bench_poll_call(), 200, BENCH_PROCESSING);
    bench_advance(200);
    fail_poll(3);
    bench_advance(499);
    bench_expect_idle();
    bench_advance(1);
    fake_transfer_answer(bench_poll_call(), 200, BENCH_SUCCEEDED);
}
END_TEST

START_TEST(a_429_to_a_poll_holds_all_polls_for_the_time_it_names)
{
    bench_to_polling();
    fake_transfer_answer(bench_poll_call(), 429, "{\"detail\":\"Request was throttled. Your limit resets in ~3s.\"}");
    ck_assert(budget_is_held(bench.budget, clock_now_ms() + 2999));
    ck_assert(!budget_is_held(bench.budget, clock_now_ms() + 3000));
    bench_advance(2999);
    bench_expect_idle();
    bench_advance(1);
    fake_transfer_answer(bench_poll_call(), 200, BENCH_SUCCEEDED);
}
END_TEST

static void hold(int64_t wait_ms)
{
    budget_refused(bench.budget, BUDGET_CALLS, clock_now_ms(), &(struct budget_refusal){.wait_ms = wait_ms});
}

START_TEST(a_sleeper_whose_pause_ends_within_a_hold_waits_it_out)
{
    bench_to_sleeping();
    hold(4000);
    bench_advance(3999);
    bench_expect_idle();
    bench_expect_state(PREDICTION_SLEEPING);
    /* A hold that is prolonged meanwhile is kept too. */
    hold(1001);
    bench_advance(1000);
    bench_expect_idle();
    bench_advance(1);
    fake_transfer_answer(bench_poll_call(), 200, BENCH_SUCCEEDED);
}
END_TEST

START_TEST(a_poll_that_says_the_limit_is_used_up_holds_the_next_one)
{
    const struct transfer_answer answer = {
        .result = TRANSFER_ANSWERED,
        .status = 200,
        .body = BENCH_STARTING,
        .body_length = strlen(BENCH_STARTING),
        .retry_after_ms = -1,
        .ratelimit_remaining = 0,
        .ratelimit_reset_ms = 9000,
        .detail = "",
    };
    bench_to_polling();
    fake_transfer_answer_with(bench_poll_call(), &answer);
    bench_advance(8999);
    bench_expect_idle();
    bench_advance(1);
    fake_transfer_answer(bench_poll_call(), 200, BENCH_SUCCEEDED);
}
END_TEST

START_TEST(a_token_refused_three_times_in_a_row_ends_the_wait)
{
    bench_to_polling();
    for (int i = 0; i < 2; i++) {
        fake_transfer_answer(bench_poll_call(), i == 0 ? 401 : 403, "{}");
        bench_expect_unfinished();
        bench_advance(8000);
    }
    /* Something else between them begins the count anew. */
    fake_transfer_answer(bench_poll_call(), 502, "{}");
    for (int i = 0; i < 3; i++) {
        bench_expect_unfinished();
        bench_advance(8000);
        fake_transfer_answer(bench_poll_call(), 401, "{}");
    }
    bench_expect_error(ERROR_UPSTREAM_AUTHENTICATION);
    bench_finish_cancel();
}
END_TEST

START_TEST(a_prediction_that_is_unknown_five_times_in_a_row_is_lost)
{
    bench_to_polling();
    for (int i = 0; i < 4; i++) {
        fake_transfer_answer(bench_poll_call(), 404, "{\"detail\":\"Not found.\"}");
        bench_expect_unfinished();
        bench_advance(8000);
    }
    fake_transfer_answer(bench_poll_call(), 404, "{\"detail\":\"Not found.\"}");
    bench_expect_error(ERROR_UPSTREAM_ERROR);
    bench_finish_cancel();
}
END_TEST

START_TEST(every_call_is_counted)
{
    int64_t polls = metrics_sum(METRIC_polls_total);
    int64_t created = metrics_sum(METRIC_predictions_created_total);
    bench_to_polling();
    fail_poll(3);
    bench_advance(500);
    fake_transfer_answer(bench_poll_call(), 200, BENCH_SUCCEEDED);
    ck_assert_int_eq(metrics_sum(METRIC_polls_total) - polls, 2);
    ck_assert_int_eq(metrics_sum(METRIC_predictions_created_total) - created, 1);
}
END_TEST

static Suite *poll_suite(void)
{
    Suite *suite = suite_create("prediction_poll");
    TCase *tcase = tcase_create("poll");
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_loop_test(tcase, the_status_of_a_create_decides_whatever_its_code, 0, 3 * STATUS_ROWS);
    tcase_add_loop_test(tcase, the_status_of_a_poll_decides, 0, STATUS_ROWS);
    tcase_add_test(tcase, a_silent_poll_is_given_up_soon_and_made_again_on_a_new_connection);
    tcase_add_test(tcase, sleeping_leads_to_polling_and_back_until_the_end);
    tcase_add_test(tcase, characters_that_are_none_do_not_cost_the_output);
    tcase_add_test(tcase, output_seen_while_processing_is_not_taken_for_the_end);
    tcase_add_test(tcase, polls_come_quickly_at_first_slower_while_it_boots_and_quicker_when_it_runs);
    tcase_add_loop_test(tcase, a_poll_that_fails_is_not_a_failed_prediction, 0, 9);
    tcase_add_test(tcase, failed_polls_are_spaced_out_and_one_success_resets_that);
    tcase_add_test(tcase, a_429_to_a_poll_holds_all_polls_for_the_time_it_names);
    tcase_add_test(tcase, a_sleeper_whose_pause_ends_within_a_hold_waits_it_out);
    tcase_add_test(tcase, a_poll_that_says_the_limit_is_used_up_holds_the_next_one);
    tcase_add_test(tcase, a_token_refused_three_times_in_a_row_ends_the_wait);
    tcase_add_test(tcase, a_prediction_that_is_unknown_five_times_in_a_row_is_lost);
    tcase_add_test(tcase, every_call_is_counted);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(poll_suite());
}
