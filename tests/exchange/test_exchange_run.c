/* The predictions of a request: what they are started with, and what becomes of their outcomes. */
#include "fake_door.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "check_main.h"

#define HELLO "\"messages\":[{\"role\":\"user\",\"content\":\"Say hi\"}]"

static struct prediction *named(size_t index, const char *id)
{
    struct prediction *prediction = fake_prediction_at(index);
    snprintf(prediction->id, sizeof prediction->id, "%s", id);
    return prediction;
}

static const char *content_of(const json_t *answer, size_t choice)
{
    const json_t *entry = json_array_get(json_object_get(answer, "choices"), choice);
    ck_assert_int_eq(json_integer_value(json_object_get(entry, "index")), (json_int_t)choice);
    return json_text(json_object_get(entry, "message"), "content");
}

START_TEST(a_job_says_everything_that_a_prediction_needs)
{
    struct door *door = door_new("POST", BENCH_CHAT_PATH);
    door_header(door, "x-request-id", "my-request");
    door_open(door, -1);
    fake_loop_advance(bench.worker.loop, 4000);
    door_body(door, BENCH_CHAT);
    door_done(door);
    const struct prediction *prediction = fake_prediction_at(0);
    const struct job *job = prediction->job;
    ck_assert_int_eq(job->target.kind, TARGET_MODEL);
    ck_assert_str_eq(job->target.name, "acme/writer");
    ck_assert_str_eq(job->base_url, "http://replicate.test/v1");
    ck_assert_str_eq(job->token, "test-token");
    ck_assert_uint_eq(job->header_count, 1);
    ck_assert_str_eq(job->headers[0].name, "X-Team");
    ck_assert_str_eq(job->headers[0].value, "red");
    ck_assert_str_eq(json_text(job->input, "prompt"), "Say hi");
    /* Time counts from the first byte: a client that sends slowly does not wait longer for that. */
    ck_assert_int_eq(job->deadline_ms, BENCH_START_MS + BENCH_TIMEOUT_MS);
    ck_assert_int_eq(job->timeout_ms, BENCH_TIMEOUT_MS);
    ck_assert_str_eq(job->timeout_hint, "To wait longer, raise models.writer.timeout.");
    ck_assert_int_eq(job->prefer_wait_ms, 5000);
    ck_assert_int_eq(job->poll_interval_ms, 2000);
    ck_assert_int_eq(job->create_retries, 2);
    ck_assert_str_eq(job->request_id, "my-request");
    ck_assert_uint_eq(prediction->index, 0);
    fake_prediction_succeed(fake_prediction_at(0), "Hi");
    door_close(door, true);
}
END_TEST

START_TEST(an_outcome_becomes_the_answer)
{
    struct door *door = door_chat(BENCH_CHAT);
    fake_prediction_succeed(named(0, "pred-a"), "Hi there");
    door_expect_status(door, 200);
    ck_assert_uint_eq(bench_in(EXCHANGE_RUNNING), 0);
    ck_assert_str_eq(door_answer(door, "Content-Type"), "application/json");
    ck_assert_str_eq(door_answer(door, "x-replicate-prediction-id"), "pred-a");
    ck_assert_str_eq(door_answer(door, "x-replibridge-usage"), "reported");
    ck_assert_ptr_null(door_answer(door, "x-replibridge-ignored"));
    ck_assert_ptr_null(door_answer(door, "x-should-retry"));
    ck_assert_ptr_null(door_answer(door, "retry-after"));
    json_t *answer = door_json(door);
    ck_assert_str_eq(content_of(answer, 0), "Hi there");
    json_decref(answer);
    door_close(door, true);
}
END_TEST

START_TEST(usage_that_the_model_does_not_report_is_said_to_be_estimated)
{
    struct door *door = door_chat(BENCH_CHAT);
    struct outcome *outcome = outcome_new();
    outcome->succeeded = true;
    outcome->output = json_string("Hi");
    fake_prediction_finish(fake_prediction_at(0), outcome);
    door_expect_status(door, 200);
    ck_assert_str_eq(door_answer(door, "x-replibridge-usage"), "estimated");
    ck_assert_ptr_null(door_answer(door, "x-replicate-prediction-id"));
    door_close(door, true);
}
END_TEST

START_TEST(choices_of_a_seeded_request_differ_in_their_seeds)
{
    struct door *door = door_chat("{\"model\":\"writer\",\"n\":3,\"seed\":7," HELLO "}");
    for (size_t i = 0; i < 3; i++) {
        const json_t *input = fake_prediction_at(i)->job->input;
        ck_assert_int_eq(json_integer_value(json_object_get(input, "seed")), 7 + (json_int_t)i);
        ck_assert_str_eq(json_text(input, "prompt"), "Say hi");
    }
    for (size_t i = 0; i < 3; i++)
        fake_prediction_succeed(fake_prediction_at(i), "Hi");
    door_close(door, true);
}
END_TEST

/* Every order in which three predictions can end. */
static const size_t orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

START_TEST(choices_stand_in_their_order_however_they_end)
{
    static const char *const texts[] = {"zero", "one", "two"};
    struct door *door = door_chat(BENCH_CHAT_OF_THREE);
    ck_assert_uint_eq(fake_predictions_count(), 3);
    named(0, "pred-a");
    named(1, "pred-b");
    named(2, "pred-c");
    for (size_t i = 0; i < 3; i++) {
        door_expect_waiting(door);
        fake_prediction_succeed(fake_prediction_at(orders[_i][i]), texts[orders[_i][i]]);
    }
    door_expect_status(door, 200);
    ck_assert_str_eq(door_answer(door, "x-replicate-prediction-id"), "pred-a, pred-b, pred-c");
    json_t *answer = door_json(door), *usage = json_object_get(answer, "usage");
    for (size_t i = 0; i < 3; i++)
        ck_assert_str_eq(content_of(answer, i), texts[i]);
    ck_assert_int_eq(json_integer_value(json_object_get(usage, "completion_tokens")), 6);
    json_decref(answer);
    door_close(door, true);
}
END_TEST

START_TEST(when_one_choice_fails_the_others_are_let_go_at_once)
{
    struct error error;
    error_set(&error, ERROR_PREDICTION_FAILED, NULL, "The prediction failed.");
    struct door *door = door_chat(BENCH_CHAT_OF_THREE);
    size_t failing = (size_t)_i;
    named(0, "pred-a");
    named(2, "pred-c"); /* the create of the second is still under way */
    fake_prediction_fail(fake_prediction_at(failing), &error);
    door_expect_error(door, ERROR_PREDICTION_FAILED);
    ck_assert_str_eq(door_answer(door, "x-replicate-prediction-id"), "pred-a, pred-c");
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(fake_prediction_at(i)->is_abandoned, i != failing);
        if (i != failing)
            ck_assert_int_eq(fake_prediction_at(i)->grace_ms, 0);
    }
    door_close(door, true);
}
END_TEST

START_TEST(a_failure_after_a_success_is_still_a_failure)
{
    struct error error;
    error_set(&error, ERROR_CONTENT_POLICY, NULL, "The model refused this.");
    struct door *door = door_chat(BENCH_CHAT_OF_THREE);
    fake_prediction_succeed(named(1, "pred-b"), "fine");
    door_expect_waiting(door);
    fake_prediction_fail(named(2, "pred-c"), &error);
    door_expect_error(door, ERROR_CONTENT_POLICY);
    ck_assert_str_eq(door_answer(door, "x-replicate-prediction-id"), "pred-b, pred-c");
    ck_assert(fake_prediction_at(0)->is_abandoned);
    door_close(door, true);
}
END_TEST

START_TEST(choices_that_would_send_too_much_between_them_are_refused)
{
    struct door *door = door_chat("{\"model\":\"writer\",\"n\":128," HELLO "}");
    door_expect_error(door, ERROR_REQUEST_TOO_LARGE);
    ck_assert_uint_eq(fake_predictions_count(), 0);
    door_close(door, true);
}
END_TEST

START_TEST(as_many_choices_as_may_be_asked_for_are_run)
{
    bench.config.max_body_bytes = 1000 * 1000;
    struct door *door = door_chat("{\"model\":\"writer\",\"n\":128," HELLO "}");
    ck_assert_uint_eq(fake_predictions_count(), 128);
    char id[32];
    for (size_t i = 0; i < 128; i++) {
        door_expect_waiting(door);
        snprintf(id, sizeof id, "prediction-number-%zu", i);
        fake_prediction_succeed(named(127 - i, id), "Hi");
    }
    door_expect_status(door, 200);
    ck_assert_mem_eq(door_answer(door, "x-replicate-prediction-id"), "prediction-number-127, ", 23);
    ck_assert_ptr_nonnull(strstr(door_answer(door, "x-replicate-prediction-id"), ", prediction-number-0"));
    door_close(door, true);
}
END_TEST

/* ---- errors ---- */

START_TEST(every_kind_of_error_has_its_status_and_says_whether_to_try_again)
{
    struct error error;
    error_set(&error, (enum error_kind)_i, NULL, "Something went wrong.");
    struct door *door = door_chat(BENCH_CHAT);
    fake_prediction_fail(named(0, "pred-a"), &error);
    door_expect_error(door, (enum error_kind)_i);
    ck_assert_str_eq(door_answer(door, "x-replicate-prediction-id"), "pred-a");
    ck_assert_ptr_null(door_answer(door, "retry-after"));
    ck_assert_ptr_null(door_answer(door, "retry-after-ms"));
    door_close(door, true);
}
END_TEST

static const struct {
    int64_t retry_after_ms;
    const char *seconds, *milliseconds;
} waits[] = {
    {1, "1", "1"}, {999, "1", "999"}, {1000, "1", "1000"}, {1001, "2", "1001"}, {INT64_C(3600000), "3600", "3600000"},
};

START_TEST(the_time_to_wait_is_said_in_seconds_and_milliseconds)
{
    struct error error;
    error_set(&error, ERROR_RATE_LIMITED, NULL, "Replicate's rate limit is reached.");
    error.retry_after_ms = waits[_i].retry_after_ms;
    struct door *door = door_chat(BENCH_CHAT);
    fake_prediction_fail(fake_prediction_at(0), &error);
    door_expect_error(door, ERROR_RATE_LIMITED);
    ck_assert_str_eq(door_answer(door, "retry-after"), waits[_i].seconds);
    ck_assert_str_eq(door_answer(door, "retry-after-ms"), waits[_i].milliseconds);
    door_close(door, true);
}
END_TEST

START_TEST(an_input_that_replicate_refuses_has_the_name_the_client_knows)
{
    json_object_set_new(bench.writer.map, "max_tokens", json_string("max_new_tokens"));
    struct error error;
    error_set(&error, ERROR_INVALID_VALUE, "input.max_new_tokens", "It must be smaller.");
    struct door *door = door_chat("{\"model\":\"writer\",\"max_tokens\":100000," HELLO "}");
    fake_prediction_fail(fake_prediction_at(0), &error);
    door_expect_error(door, ERROR_INVALID_VALUE);
    json_t *json = door_json(door);
    ck_assert_str_eq(json_text(json_object_get(json, "error"), "param"), "max_tokens");
    json_decref(json);
    door_close(door, true);
}
END_TEST

/* ---- what was left out ---- */

START_TEST(parameters_left_out_are_named_on_answers_and_on_errors)
{
    struct error error;
    error_set(&error, ERROR_PREDICTION_FAILED, NULL, "The prediction failed.");
    struct door *door =
        door_chat("{\"model\":\"writer\",\"reasoning_effort\":\"low\",\"verbosity\":\"low\"," HELLO "}");
    if (_i == 0)
        fake_prediction_succeed(fake_prediction_at(0), "Hi");
    else
        fake_prediction_fail(fake_prediction_at(0), &error);
    door_expect_status(door, _i == 0 ? 200 : 422);
    ck_assert_str_eq(door_answer(door, "x-replibridge-ignored"), "reasoning_effort, verbosity");
    door_close(door, true);
}
END_TEST

/* ---- the log ---- */

START_TEST(the_log_line_has_the_version_that_ran_and_all_polls)
{
    struct door *door = door_chat("{\"model\":\"writer\",\"n\":2," HELLO "}");
    for (size_t i = 0; i < 2; i++) {
        struct outcome *outcome = outcome_new();
        outcome->succeeded = true;
        outcome->output = json_string("Hi");
        outcome->polls = 3;
        snprintf(outcome->version, sizeof outcome->version, "39ed52f2a78e");
        fake_prediction_finish(named(i, i == 0 ? "pred-a" : "pred-b"), outcome);
    }
    fake_loop_advance(bench.worker.loop, 1234);
    size_t bytes = door->request.reply.body.length;
    door_close(door, true);
    json_t *line = bench_log_line(0);
    ck_assert_str_eq(json_text(line, "version"), "39ed52f2a78e");
    ck_assert_int_eq(json_integer_value(json_object_get(line, "polls")), 6);
    ck_assert_str_eq(json_text(line, "prediction"), "pred-a, pred-b");
    ck_assert_str_eq(json_text(line, "reference"), "acme/writer");
    ck_assert_str_eq(json_text(line, "usage"), "estimated");
    ck_assert_int_eq(json_integer_value(json_object_get(line, "bytes")), (json_int_t)bytes);
    ck_assert_int_eq(json_integer_value(json_object_get(line, "total_ms")), 1234);
    json_decref(line);
}
END_TEST

static Suite *exchange_run_suite(void)
{
    Suite *suite = suite_create("exchange: its predictions");
    TCase *tcase = tcase_create("run");
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_test(tcase, a_job_says_everything_that_a_prediction_needs);
    tcase_add_test(tcase, an_outcome_becomes_the_answer);
    tcase_add_test(tcase, usage_that_the_model_does_not_report_is_said_to_be_estimated);
    tcase_add_test(tcase, choices_of_a_seeded_request_differ_in_their_seeds);
    tcase_add_loop_test(tcase, choices_stand_in_their_order_however_they_end, 0, sizeof orders / sizeof orders[0]);
    tcase_add_loop_test(tcase, when_one_choice_fails_the_others_are_let_go_at_once, 0, 3);
    tcase_add_test(tcase, a_failure_after_a_success_is_still_a_failure);
    tcase_add_test(tcase, choices_that_would_send_too_much_between_them_are_refused);
    tcase_add_test(tcase, as_many_choices_as_may_be_asked_for_are_run);
    tcase_add_loop_test(tcase, every_kind_of_error_has_its_status_and_says_whether_to_try_again, 1, ERROR_KIND_COUNT);
    tcase_add_loop_test(tcase, the_time_to_wait_is_said_in_seconds_and_milliseconds, 0, sizeof waits / sizeof waits[0]);
    tcase_add_test(tcase, an_input_that_replicate_refuses_has_the_name_the_client_knows);
    tcase_add_loop_test(tcase, parameters_left_out_are_named_on_answers_and_on_errors, 0, 2);
    tcase_add_test(tcase, the_log_line_has_the_version_that_ran_and_all_polls);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(exchange_run_suite());
}
