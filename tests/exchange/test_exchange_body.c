/* From the first byte of a body to the start of its predictions, or to the answer that there will be none. */
#include "fake_door.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "check_main.h"

static const char *prompt_of(const struct prediction *prediction)
{
    return json_text(prediction->job->input, "prompt");
}

static void finish_and_close(struct door *door)
{
    fake_prediction_succeed(fake_prediction_at(fake_predictions_count() - 1), "Hi");
    door_expect_status(door, 200);
    door_close(door, true);
}

START_TEST(the_pieces_of_a_body_are_put_together)
{
    struct door *door = door_new("POST", BENCH_CHAT_PATH);
    door_open(door, -1);
    ck_assert_uint_eq(bench_in(EXCHANGE_READING), 1);
    door_body(door, "{\"model\":\"writer\",\"messages\":[{\"ro");
    door_body(door, "le\":\"user\",\"content\":\"Say hi\"}]}");
    ck_assert_uint_eq(fake_predictions_count(), 0);
    door_done(door);
    door_expect_waiting(door);
    ck_assert_uint_eq(bench_in(EXCHANGE_READING), 0);
    ck_assert_uint_eq(fake_predictions_count(), 1);
    ck_assert_str_eq(prompt_of(fake_prediction_at(0)), "Say hi");
    finish_and_close(door);
}
END_TEST

START_TEST(a_chunked_body_over_the_limit_is_refused_and_its_rest_forgotten)
{
    char piece[601];
    memset(piece, ' ', sizeof piece - 1);
    piece[sizeof piece - 1] = '\0';
    struct door *door = door_new("POST", BENCH_CHAT_PATH);
    door_open(door, -1);
    door_body(door, piece);
    ck_assert(!door->request.reply.is_ready);
    door_body(door, piece);
    door_expect_error(door, ERROR_REQUEST_TOO_LARGE);
    ck_assert_ptr_null(door->request.body.data);
    door_body(door, BENCH_CHAT);
    ck_assert_uint_eq(door->request.body.length, 0);
    door_done(door);
    ck_assert_uint_eq(fake_predictions_count(), 0);
    door_close(door, true);
}
END_TEST

START_TEST(a_body_of_exactly_the_limit_is_taken)
{
    char body[1001];
    memset(body, ' ', sizeof body - 1);
    memcpy(body, BENCH_CHAT, strlen(BENCH_CHAT));
    body[sizeof body - 1] = '\0';
    struct door *door = door_chat(body);
    door_expect_waiting(door);
    finish_and_close(door);
}
END_TEST

START_TEST(a_body_that_does_not_arrive_in_time_is_answered_past_the_door)
{
    struct door *door = door_new("POST", BENCH_CHAT_PATH);
    door_open(door, (int64_t)strlen(BENCH_CHAT));
    door_body(door, "{\"model\":");
    fake_loop_advance(bench.worker.loop, BENCH_READ_TIMEOUT_MS - 1);
    ck_assert(!door->is_raw);
    fake_loop_advance(bench.worker.loop, 1);
    ck_assert(door->is_raw && door->is_cut);
    ck_assert_int_eq(door->request.reply.status, 408);
    ck_assert_str_eq(door_answer(door, "x-should-retry"), "false");
    ck_assert_str_eq(door_answer(door, "Content-Type"), "application/json");
    ck_assert_ptr_nonnull(door_answer(door, "x-request-id"));
    json_t *json = door_json(door), *error = json_object_get(json, "error");
    ck_assert_str_eq(json_text(error, "code"), "request_timeout");
    ck_assert_ptr_nonnull(strstr(json_text(error, "message"), "30 seconds"));
    json_decref(json);
    door_close(door, false);
    json_t *line = bench_log_line(0);
    ck_assert_str_eq(json_text(line, "error"), "request_timeout");
    ck_assert_int_eq(json_integer_value(json_object_get(line, "status")), 408);
    json_decref(line);
}
END_TEST

START_TEST(what_arrives_after_the_time_limit_starts_nothing)
{
    struct door *door = door_new("POST", BENCH_CHAT_PATH);
    door_open(door, (int64_t)strlen(BENCH_CHAT));
    fake_loop_advance(bench.worker.loop, BENCH_READ_TIMEOUT_MS);
    ck_assert(door->is_raw);
    door_body(door, BENCH_CHAT);
    door_done(door);
    ck_assert_uint_eq(fake_predictions_count(), 0);
    ck_assert(door->request.reply.is_dropped);
    door_close(door, false);
}
END_TEST

START_TEST(an_answer_that_waits_for_the_end_of_the_body_does_not_wait_for_ever)
{
    struct door *door = door_new("POST", "/nowhere");
    door_open(door, -1);
    door_expect_error(door, ERROR_UNKNOWN_PATH);
    door_body(door, "and so on");
    fake_loop_advance(bench.worker.loop, BENCH_READ_TIMEOUT_MS);
    ck_assert(door->is_raw && door->is_cut);
    door_expect_error(door, ERROR_UNKNOWN_PATH);
    door_close(door, false);
}
END_TEST

START_TEST(a_client_that_sends_on_after_its_answer_is_cut_off_in_the_end)
{
    struct door *door = door_new("POST", "/nowhere");
    door_open(door, -1);
    door->request.reply.is_sent = true;
    fake_loop_advance(bench.worker.loop, BENCH_READ_TIMEOUT_MS);
    ck_assert(door->is_cut && !door->is_raw);
    door_close(door, false);
}
END_TEST

START_TEST(the_time_limit_for_the_body_ends_with_the_body)
{
    struct door *door = door_chat(BENCH_CHAT);
    fake_loop_advance(bench.worker.loop, 10 * BENCH_READ_TIMEOUT_MS);
    ck_assert(!door->is_raw && !door->is_cut);
    door_expect_waiting(door);
    finish_and_close(door);
}
END_TEST

START_TEST(a_request_keeps_the_configuration_it_began_with)
{
    struct config fresh = bench.config;
    fresh.route_count = 0;
    struct door *door = door_new("POST", BENCH_CHAT_PATH);
    door_open(door, -1);
    bench.worker.config = config_ref(&fresh);
    config_unref(&bench.config);
    ck_assert_int_eq(fake_config_references(&bench.config), 1);
    door_body(door, BENCH_CHAT);
    door_done(door);
    door_expect_waiting(door);
    struct door *later = door_chat(BENCH_CHAT);
    door_expect_error(later, ERROR_MODEL_NOT_FOUND);
    door_close(later, true);
    ck_assert_int_eq(fake_config_references(&fresh), 1);
    finish_and_close(door);
    ck_assert_int_eq(fake_config_references(&bench.config), 0);
    bench.worker.config = config_ref(&bench.config);
    config_unref(&fresh);
}
END_TEST

#define HELLO "\"messages\":[{\"role\":\"user\",\"content\":\"Say hi\"}]"

static const struct {
    const char *body;
    enum error_kind kind;
    const char *param; /* NULL = null */
} refused[] = {
    {"", ERROR_BAD_REQUEST, NULL},
    {"{\"model\":", ERROR_BAD_REQUEST, NULL},
    {"[]", ERROR_INVALID_TYPE, NULL},
    {"{" HELLO "}", ERROR_MISSING_PARAMETER, "model"},
    {"{\"model\":\"writer\"}", ERROR_MISSING_PARAMETER, "messages"},
    {"{\"model\":\"writer\",\"messages\":[]}", ERROR_INVALID_VALUE, "messages"},
    {"{\"model\":\"nobody\"," HELLO "}", ERROR_MODEL_NOT_FOUND, "model"},
    {"{\"model\":\"replicate/nobody\"," HELLO "}", ERROR_MODEL_NOT_FOUND, "model"},
    {"{\"model\":\"writer\",\"n\":129," HELLO "}", ERROR_INVALID_VALUE, "n"},
    {"{\"model\":\"writer\",\"logprobs\":true," HELLO "}", ERROR_UNSUPPORTED_PARAMETER, "logprobs"},
};

START_TEST(what_cannot_be_run_is_refused_and_costs_nothing)
{
    struct door *door = door_chat(refused[_i].body);
    door_expect_error(door, refused[_i].kind);
    json_t *json = door_json(door), *error = json_object_get(json, "error");
    ck_assert_pstr_eq(json_text(error, "param"), refused[_i].param);
    ck_assert_ptr_null(door_answer(door, "x-replicate-prediction-id"));
    json_decref(json);
    ck_assert_uint_eq(fake_predictions_count(), 0);
    door_close(door, true);
}
END_TEST

START_TEST(a_request_that_is_refused_after_its_admission_leaves_room_for_the_next)
{
    bench.writer.limits.max_parallel = 1;
    for (int i = 0; i < 3; i++) {
        struct door *door = door_chat("{\"model\":\"writer\",\"logprobs\":true," HELLO "}");
        door_expect_error(door, ERROR_UNSUPPORTED_PARAMETER);
        door_close(door, true);
    }
}
END_TEST

START_TEST(a_key_may_use_its_own_models_only)
{
    char *models[] = {"writer"};
    struct key key = {.name = "alice", .digest = BENCH_ALICE_DIGEST, .models = models, .model_count = 1};
    bench.config.keys = &key;
    bench.config.key_count = 1;
    struct door *door = door_post(BENCH_CHAT_PATH, "{\"model\":\"replicate/acme/other\"," HELLO "}", "Authorization",
                                  "Bearer test-key-alice");
    door_expect_error(door, ERROR_MODEL_NOT_ALLOWED);
    ck_assert_uint_eq(fake_predictions_count(), 0);
    door_close(door, true);
    door = door_post(BENCH_CHAT_PATH, BENCH_CHAT, "Authorization", "Bearer test-key-alice");
    door_expect_waiting(door);
    finish_and_close(door);
}
END_TEST

static const struct {
    const char *path, *body, *completion_model, *expected;
} targets[] = {
    {BENCH_CHAT_PATH, BENCH_CHAT, NULL, "acme/writer"},
    {BENCH_CHAT_PATH, "{\"model\":\"replicate/acme/other\"," HELLO "}", NULL, "acme/other"},
    {"/engines/replicate%2Facme/other/chat/completions", "{" HELLO "}", NULL, "acme/other"},
    {BENCH_CHAT_PATH, "{\"model\":\"whatever\"," HELLO "}", "writer", "acme/writer"},
    {BENCH_CHAT_PATH, "{\"model\":\"whatever\"," HELLO "}", "replicate/acme/third", "acme/third"},
};

START_TEST(the_model_that_was_named_is_run)
{
    char completion_model[64];
    if (targets[_i].completion_model != NULL) {
        snprintf(completion_model, sizeof completion_model, "%s", targets[_i].completion_model);
        bench.config.completion_model = completion_model;
    }
    struct door *door = door_post(targets[_i].path, targets[_i].body, NULL, NULL);
    door_expect_waiting(door);
    ck_assert_str_eq(fake_prediction_at(0)->job->target.name, targets[_i].expected);
    finish_and_close(door);
    bench.config.completion_model = NULL;
}
END_TEST

START_TEST(a_full_daemon_says_when_to_try_again)
{
    bench.config.max_in_flight = 1;
    struct door *first = door_chat(BENCH_CHAT), *second = door_chat(BENCH_CHAT);
    door_expect_error(second, ERROR_OVERLOADED);
    ck_assert_str_eq(door_answer(second, "retry-after"), "1");
    ck_assert_str_eq(door_answer(second, "retry-after-ms"), "1000");
    ck_assert_uint_eq(fake_predictions_count(), 1);
    door_close(second, true);
    door_expect_waiting(first);
    finish_and_close(first);
}
END_TEST

START_TEST(a_rate_limit_says_when_to_try_again)
{
    bench.writer.limits.requests_per_minute = 1;
    finish_and_close(door_chat(BENCH_CHAT));
    fake_loop_advance(bench.worker.loop, 20000);
    struct door *door = door_chat(BENCH_CHAT);
    door_expect_error(door, ERROR_RATE_LIMITED);
    ck_assert_str_eq(door_answer(door, "retry-after"), "41");
    ck_assert_str_eq(door_answer(door, "retry-after-ms"), "40001");
    door_close(door, true);
    fake_loop_advance(bench.worker.loop, 40001);
    finish_and_close(door_chat(BENCH_CHAT));
}
END_TEST

/* Not until the answer has gone out: a client that has read it must find its place free. */
START_TEST(a_request_is_in_until_its_answer_is_ready)
{
    bench.writer.limits.max_parallel = 1;
    struct door *first = door_chat(BENCH_CHAT), *second = door_chat(BENCH_CHAT);
    door_expect_error(second, ERROR_RATE_LIMITED);
    door_close(second, true);
    fake_prediction_succeed(fake_prediction_at(0), "Hi");
    door_expect_status(first, 200);
    struct door *third = door_chat(BENCH_CHAT);
    door_expect_waiting(third);
    door_close(first, true); /* gives back nothing that is the third's */
    struct door *fourth = door_chat(BENCH_CHAT);
    door_expect_error(fourth, ERROR_RATE_LIMITED);
    door_close(fourth, true);
    finish_and_close(third);
}
END_TEST

START_TEST(a_body_that_is_complete_only_while_draining_starts_nothing)
{
    struct door *door = door_new("POST", BENCH_CHAT_PATH);
    door_open(door, -1);
    door_body(door, BENCH_CHAT);
    atomic_store(&bench.shared.is_draining, true);
    door_done(door);
    door_expect_error(door, ERROR_SHUTTING_DOWN);
    ck_assert_uint_eq(fake_predictions_count(), 0);
    door_close(door, true);
}
END_TEST

static Suite *exchange_body_suite(void)
{
    Suite *suite = suite_create("exchange: the body of a request");
    TCase *reading = tcase_create("reading"), *starting = tcase_create("starting");
    tcase_add_checked_fixture(reading, bench_setup, bench_teardown);
    tcase_add_test(reading, the_pieces_of_a_body_are_put_together);
    tcase_add_test(reading, a_chunked_body_over_the_limit_is_refused_and_its_rest_forgotten);
    tcase_add_test(reading, a_body_of_exactly_the_limit_is_taken);
    tcase_add_test(reading, a_body_that_does_not_arrive_in_time_is_answered_past_the_door);
    tcase_add_test(reading, what_arrives_after_the_time_limit_starts_nothing);
    tcase_add_test(reading, an_answer_that_waits_for_the_end_of_the_body_does_not_wait_for_ever);
    tcase_add_test(reading, a_client_that_sends_on_after_its_answer_is_cut_off_in_the_end);
    tcase_add_test(reading, the_time_limit_for_the_body_ends_with_the_body);
    tcase_add_test(reading, a_request_keeps_the_configuration_it_began_with);
    tcase_add_test(reading, a_body_that_is_complete_only_while_draining_starts_nothing);
    suite_add_tcase(suite, reading);
    tcase_add_checked_fixture(starting, bench_setup, bench_teardown);
    tcase_add_loop_test(starting, what_cannot_be_run_is_refused_and_costs_nothing, 0,
                        sizeof refused / sizeof refused[0]);
    tcase_add_test(starting, a_request_that_is_refused_after_its_admission_leaves_room_for_the_next);
    tcase_add_test(starting, a_key_may_use_its_own_models_only);
    tcase_add_loop_test(starting, the_model_that_was_named_is_run, 0, sizeof targets / sizeof targets[0]);
    tcase_add_test(starting, a_full_daemon_says_when_to_try_again);
    tcase_add_test(starting, a_rate_limit_says_when_to_try_again);
    tcase_add_test(starting, a_request_is_in_until_its_answer_is_ready);
    suite_add_tcase(suite, starting);
    return suite;
}

int main(void)
{
    return suite_run(exchange_body_suite());
}
