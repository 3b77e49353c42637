/* How a request ends: answered or not, with its client there or gone, and with one line in the log. */
#include "fake_door.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "check_main.h"

/* ---- the client hangs up ---- */

static const struct {
    enum on_disconnect on_disconnect;
    const char *header, *value;
    int64_t grace_ms;
} hang_ups[] = {
    {DISCONNECT_GRACE, NULL, NULL, 0},
    {DISCONNECT_GRACE, "x-stainless-retry-count", "0", BENCH_GRACE_MS},
    {DISCONNECT_GRACE, "X-Stainless-Retry-Count", "2", BENCH_GRACE_MS},
    {DISCONNECT_GRACE, "Idempotency-Key", "abc", BENCH_GRACE_MS},
    {DISCONNECT_GRACE, "x-request-id", "abc", 0},
    {DISCONNECT_CANCEL, NULL, NULL, 0},
    {DISCONNECT_CANCEL, "x-stainless-retry-count", "0", 0},
    {DISCONNECT_CANCEL, "Idempotency-Key", "abc", 0},
    {DISCONNECT_KEEP, NULL, NULL, PREDICTION_KEEP},
    {DISCONNECT_KEEP, "x-stainless-retry-count", "0", PREDICTION_KEEP},
    {DISCONNECT_KEEP, "Idempotency-Key", "abc", PREDICTION_KEEP},
};

START_TEST(what_becomes_of_the_prediction_of_a_client_that_hung_up)
{
    bench.writer.on_disconnect = hang_ups[_i].on_disconnect;
    struct door *door = door_post(BENCH_CHAT_PATH, BENCH_CHAT, hang_ups[_i].header, hang_ups[_i].value);
    door_expect_waiting(door);
    door_hang_up(door);
    ck_assert(door->request.reply.is_dropped);
    ck_assert(fake_prediction_at(0)->is_abandoned);
    ck_assert_int_eq(fake_prediction_at(0)->grace_ms, hang_ups[_i].grace_ms);
    door_close(door, false);
    json_t *line = bench_log_line(0);
    ck_assert_str_eq(json_text(line, "outcome"), "client_gone");
    ck_assert_str_eq(json_text(line, "level"), "info");
    ck_assert_int_eq(json_integer_value(json_object_get(line, "status")), 0);
    json_decref(line);
}
END_TEST

START_TEST(of_several_predictions_only_those_that_run_are_let_go)
{
    struct door *door = door_chat(BENCH_CHAT_OF_THREE);
    snprintf(fake_prediction_at(0)->id, sizeof fake_prediction_at(0)->id, "pred-a");
    snprintf(fake_prediction_at(1)->id, sizeof fake_prediction_at(1)->id, "pred-b");
    fake_prediction_succeed(fake_prediction_at(1), "Hi");
    door_hang_up(door);
    ck_assert(fake_prediction_at(0)->is_abandoned && fake_prediction_at(2)->is_abandoned);
    ck_assert(!fake_prediction_at(1)->is_abandoned);
    door_close(door, false);
    json_t *line = bench_log_line(0);
    ck_assert_str_eq(json_text(line, "prediction"), "pred-a, pred-b");
    json_decref(line);
}
END_TEST

START_TEST(a_client_that_goes_while_it_sends_leaves_nothing_behind)
{
    struct door *door = door_new("POST", BENCH_CHAT_PATH);
    door_open(door, 500);
    door_body(door, "{\"model\":");
    door_close(door, false);
    ck_assert_uint_eq(fake_predictions_count(), 0);
    json_t *line = bench_log_line(0);
    ck_assert_str_eq(json_text(line, "outcome"), "client_gone");
    json_decref(line);
}
END_TEST

START_TEST(an_answer_that_did_not_reach_its_client_is_logged_as_such)
{
    struct door *door = door_chat(BENCH_CHAT);
    fake_prediction_succeed(fake_prediction_at(0), "Hi");
    door_close(door, false);
    json_t *line = bench_log_line(0);
    ck_assert_str_eq(json_text(line, "outcome"), "not_sent");
    ck_assert_int_eq(json_integer_value(json_object_get(line, "status")), 200);
    json_decref(line);
}
END_TEST

START_TEST(a_connection_that_ends_under_a_running_request_cancels_it)
{
    struct door *door = door_chat(BENCH_CHAT);
    door_close(door, false);
    ck_assert(fake_prediction_at(0)->is_abandoned);
    ck_assert_int_eq(fake_prediction_at(0)->grace_ms, 0);
}
END_TEST

/* ---- the daemon stops ---- */

static void fail_all(void)
{
    struct error error;
    error_set(&error, ERROR_SHUTTING_DOWN, NULL, "This server shut down before the model had answered.");
    exchange_fail_all(&bench.worker.exchanges, &error);
}

START_TEST(at_the_end_of_a_drain_all_that_runs_is_cancelled_and_answered)
{
    bench.writer.on_disconnect = DISCONNECT_KEEP;
    struct door *first = door_chat(BENCH_CHAT), *second = door_chat(BENCH_CHAT_OF_THREE);
    struct door *answered = door_chat(BENCH_CHAT), *reading = door_new("POST", BENCH_CHAT_PATH);
    door_open(reading, 500);
    fake_prediction_succeed(fake_prediction_at(4), "Hi");
    ck_assert_uint_eq(exchange_lists_open(&bench.worker.exchanges), 4);
    fail_all();
    ck_assert_uint_eq(bench_in(EXCHANGE_RUNNING), 0);
    ck_assert_uint_eq(bench_in(EXCHANGE_READING), 1);
    ck_assert_uint_eq(bench_in(EXCHANGE_REPLYING), 3);
    door_expect_error(first, ERROR_SHUTTING_DOWN);
    door_expect_error(second, ERROR_SHUTTING_DOWN);
    door_expect_status(answered, 200);
    for (size_t i = 0; i < 4; i++) {
        ck_assert(fake_prediction_at(i)->is_abandoned);
        ck_assert_int_eq(fake_prediction_at(i)->grace_ms, 0);
    }
    door_close(first, true);
    door_close(second, true);
    door_close(answered, true);
    door_close(reading, false);
}
END_TEST

START_TEST(what_is_being_answered_already_cannot_fail_any_more)
{
    struct error error;
    error_set(&error, ERROR_INTERNAL, NULL, "Something went wrong.");
    struct door *door = door_chat(BENCH_CHAT);
    fake_prediction_succeed(fake_prediction_at(0), "Hi");
    exchange_fail(door->request.exchange, &error);
    exchange_client_gone(door->request.exchange);
    door_expect_status(door, 200);
    ck_assert_str_eq(door_answer(door, "x-replibridge-usage"), "reported");
    door_close(door, true);
    json_t *line = bench_log_line(0);
    ck_assert_ptr_null(json_text(line, "error"));
    ck_assert_str_eq(json_text(line, "outcome"), "sent");
    json_decref(line);
}
END_TEST

/* ---- one line, one count ---- */

START_TEST(the_line_of_a_success_has_what_an_operator_asks_for)
{
    struct door *door = door_post(BENCH_CHAT_PATH, BENCH_CHAT, "x-request-id", "my-request");
    fake_prediction_succeed(fake_prediction_at(0), "Hi");
    door_close(door, true);
    json_t *line = bench_log_line(0);
    ck_assert_str_eq(json_text(line, "level"), "info");
    ck_assert_str_eq(json_text(line, "id"), "my-request");
    ck_assert_str_eq(json_text(line, "method"), "POST");
    ck_assert_str_eq(json_text(line, "endpoint"), "chat.completions");
    ck_assert_ptr_null(json_object_get(line, "path"));
    ck_assert_str_eq(json_text(line, "model"), "writer");
    ck_assert_str_eq(json_text(line, "outcome"), "sent");
    ck_assert_int_eq(json_integer_value(json_object_get(line, "status")), 200);
    ck_assert_ptr_null(json_object_get(line, "error"));
    ck_assert_ptr_null(json_object_get(line, "reason"));
    json_decref(line);
}
END_TEST

START_TEST(what_concerns_the_operator_is_a_warning_with_its_reason)
{
    const struct error_row *row = error_row((enum error_kind)_i);
    struct error error;
    error_set(&error, (enum error_kind)_i, NULL, "Something went wrong.");
    struct door *door = door_chat(BENCH_CHAT);
    fake_prediction_fail(fake_prediction_at(0), &error);
    door_close(door, true);
    json_t *line = bench_log_line(0);
    ck_assert_str_eq(json_text(line, "level"), row->is_incident ? "warn" : "info");
    ck_assert_str_eq(json_text(line, "error"), row->name);
    ck_assert_pstr_eq(json_text(line, "reason"), row->is_incident ? "Something went wrong." : NULL);
    json_decref(line);
}
END_TEST

START_TEST(an_unknown_path_is_logged_as_it_may_be_shown)
{
    struct door *door = door_new("GET", "/v1/no\"where\n");
    door_open(door, -1);
    door_close(door, true);
    json_t *line = bench_log_line(0);
    ck_assert_str_eq(json_text(line, "path"), "/v1/no\"where ");
    ck_assert_ptr_null(json_object_get(line, "endpoint"));
    json_decref(line);
}
END_TEST

START_TEST(neither_secrets_nor_prompts_get_into_the_log)
{
    struct key key = {.name = "alice", .digest = BENCH_ALICE_DIGEST};
    bench.config.keys = &key;
    bench.config.key_count = 1;
    struct error error;
    error_set(&error, ERROR_INTERNAL, NULL, "Something went wrong.");
    struct door *door = door_post(BENCH_CHAT_PATH, BENCH_CHAT, "Authorization", "Bearer test-key-alice");
    fake_prediction_fail(fake_prediction_at(0), &error);
    door_close(door, true);
    struct door *wrong = door_post(BENCH_CHAT_PATH, BENCH_CHAT, "Authorization", "Bearer test-key-wrong");
    door_close(wrong, true);
    char log[8192];
    FILE *file = fopen(bench.log_path, "r");
    ck_assert_ptr_nonnull(file);
    size_t length = fread(log, 1, sizeof log - 1, file);
    fclose(file);
    log[length] = '\0';
    ck_assert_ptr_nonnull(strstr(log, "alice"));
    ck_assert_ptr_null(strstr(log, "test-key"));
    ck_assert_ptr_null(strstr(log, "test-token"));
    ck_assert_ptr_null(strstr(log, "Say hi"));
}
END_TEST

START_TEST(each_request_is_counted_once)
{
    int64_t requests = metrics_sum(METRIC_requests_total), errors = metrics_sum(METRIC_errors_total);
    int64_t gone = metrics_sum(METRIC_clients_gone_total);
    struct door *good = door_chat(BENCH_CHAT);
    fake_prediction_succeed(fake_prediction_at(0), "Hi");
    door_close(good, true);
    struct door *bad = door_chat("[]");
    door_close(bad, true);
    struct door *left = door_chat(BENCH_CHAT);
    door_hang_up(left);
    door_close(left, false);
    ck_assert_int_eq(metrics_sum(METRIC_requests_total) - requests, 3);
    ck_assert_int_eq(metrics_sum(METRIC_errors_total) - errors, 1);
    ck_assert_int_eq(metrics_sum(METRIC_clients_gone_total) - gone, 1);
}
END_TEST

static Suite *exchange_end_suite(void)
{
    Suite *suite = suite_create("exchange: the end of a request");
    TCase *ends = tcase_create("ends"), *traces = tcase_create("traces");
    tcase_add_checked_fixture(ends, bench_setup, bench_teardown);
    tcase_add_loop_test(ends, what_becomes_of_the_prediction_of_a_client_that_hung_up, 0,
                        sizeof hang_ups / sizeof hang_ups[0]);
    tcase_add_test(ends, of_several_predictions_only_those_that_run_are_let_go);
    tcase_add_test(ends, a_client_that_goes_while_it_sends_leaves_nothing_behind);
    tcase_add_test(ends, an_answer_that_did_not_reach_its_client_is_logged_as_such);
    tcase_add_test(ends, a_connection_that_ends_under_a_running_request_cancels_it);
    tcase_add_test(ends, at_the_end_of_a_drain_all_that_runs_is_cancelled_and_answered);
    tcase_add_test(ends, what_is_being_answered_already_cannot_fail_any_more);
    suite_add_tcase(suite, ends);
    tcase_add_checked_fixture(traces, bench_setup, bench_teardown);
    tcase_add_test(traces, the_line_of_a_success_has_what_an_operator_asks_for);
    tcase_add_loop_test(traces, what_concerns_the_operator_is_a_warning_with_its_reason, 1, ERROR_KIND_COUNT);
    tcase_add_test(traces, an_unknown_path_is_logged_as_it_may_be_shown);
    tcase_add_test(traces, neither_secrets_nor_prompts_get_into_the_log);
    tcase_add_test(traces, each_request_is_counted_once);
    suite_add_tcase(suite, traces);
    return suite;
}

int main(void)
{
    return suite_run(exchange_end_suite());
}
