/* What is counted of a request: why its predictions are let go of, its tokens and times, under which alias. */
#include "fake_door.h"

#include "base/metrics.h"
#include "check_main.h"

enum { WRITER = 7, ANY = 9 };

static void set_up(void)
{
    bench_setup();
    bench.writer.metrics_index = WRITER;
    bench.any.metrics_index = ANY;
}

/* ---- reasons ---- */

static void hang_up(struct door *door)
{
    door_hang_up(door);
}

static void end_first(enum error_kind kind)
{
    struct error error = {0};
    error_set(&error, kind, NULL, "It did not go well.");
    fake_prediction_fail(fake_prediction_at(0), &error);
}

static void fail_one(struct door *door)
{
    (void)door;
    end_first(ERROR_PREDICTION_FAILED);
}

static void let_one_be_late(struct door *door)
{
    (void)door;
    end_first(ERROR_TIMEOUT);
}

static void shut_down(struct door *door)
{
    (void)door;
    struct error error = {0};
    error_set(&error, ERROR_SHUTTING_DOWN, NULL, "It stops.");
    exchange_fail_all(&bench.worker.exchanges, &error);
}

static const struct {
    void (*end)(struct door *door);
    enum metric_reason reason;
} reasons[] = {
    {hang_up, METRIC_REASON_client_gone},
    {fail_one, METRIC_REASON_sibling},
    {let_one_be_late, METRIC_REASON_deadline},
    {shut_down, METRIC_REASON_drain},
};

START_TEST(predictions_are_let_go_of_for_this_reason)
{
    struct door *door = door_chat(BENCH_CHAT_OF_THREE);
    reasons[_i].end(door);
    ck_assert(fake_prediction_at(1)->is_abandoned && fake_prediction_at(2)->is_abandoned);
    ck_assert_int_eq(fake_prediction_at(1)->reason, reasons[_i].reason);
    ck_assert_int_eq(fake_prediction_at(2)->reason, reasons[_i].reason);
    door_close(door, reasons[_i].end != hang_up);
}
END_TEST

/* ---- outcomes ---- */

static void finish(size_t index, int64_t boot_ms, int64_t run_ms)
{
    struct outcome *outcome = outcome_new();
    outcome->succeeded = true;
    outcome->output = json_string("Hi");
    outcome->usage = (struct usage){true, 30, 20, 4};
    outcome->boot_ms = boot_ms;
    outcome->run_ms = run_ms;
    fake_prediction_finish(fake_prediction_at(index), outcome);
}

START_TEST(tokens_and_times_of_each_prediction_count_under_the_alias_of_its_route)
{
    struct door *door = door_chat(BENCH_CHAT_OF_THREE);
    finish(0, 100, 200);
    finish(1, -1, -1);
    finish(2, 0, 0);
    door_close(door, true);
    ck_assert_int_eq(metrics_sum_at(METRIC_tokens_total, WRITER, METRIC_TOKEN_input), 90);
    ck_assert_int_eq(metrics_sum_at(METRIC_tokens_total, WRITER, METRIC_TOKEN_output), 60);
    ck_assert_int_eq(metrics_sum_at(METRIC_tokens_total, WRITER, METRIC_TOKEN_reasoning), 12);
    ck_assert_int_eq(metrics_sum_at(METRIC_prediction_boot_seconds, WRITER, 0), 2);
    ck_assert_int_eq(metrics_sum_at(METRIC_prediction_run_seconds, WRITER, 0), 2);
    ck_assert_int_eq(metrics_sum_at(METRIC_request_duration_seconds, WRITER, 0), 1);
    ck_assert_int_eq(metrics_sum(METRIC_tokens_total), 162);
}
END_TEST

START_TEST(a_prediction_that_fails_counts_its_boot_and_no_run)
{
    struct door *door = door_chat(BENCH_CHAT);
    struct outcome *outcome = outcome_new();
    outcome_set_error(outcome, &(struct error){.kind = ERROR_PREDICTION_FAILED, .message = "No."});
    outcome->boot_ms = outcome->run_ms = 10;
    fake_prediction_finish(fake_prediction_at(0), outcome);
    door_close(door, true);
    ck_assert_int_eq(metrics_sum(METRIC_prediction_boot_seconds), 1);
    ck_assert_int_eq(metrics_sum(METRIC_prediction_run_seconds), 0);
    ck_assert_int_eq(metrics_sum_at(METRIC_errors_total, ERROR_PREDICTION_FAILED, 0), 1);
}
END_TEST

START_TEST(what_has_no_route_counts_under_no_alias)
{
    door_close(door_chat("[]"), true);
    ck_assert_int_eq(metrics_sum(METRIC_requests_total), 1);
    ck_assert_int_eq(metrics_sum(METRIC_request_duration_seconds), 0);
}
END_TEST

static Suite *exchange_metrics_suite(void)
{
    Suite *suite = suite_create("exchange: what is counted");
    TCase *tcase = tcase_create("counts");
    tcase_add_checked_fixture(tcase, set_up, bench_teardown);
    tcase_add_loop_test(tcase, predictions_are_let_go_of_for_this_reason, 0, sizeof reasons / sizeof reasons[0]);
    tcase_add_test(tcase, tokens_and_times_of_each_prediction_count_under_the_alias_of_its_route);
    tcase_add_test(tcase, a_prediction_that_fails_counts_its_boot_and_no_run);
    tcase_add_test(tcase, what_has_no_route_counts_under_no_alias);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(exchange_metrics_suite());
}
