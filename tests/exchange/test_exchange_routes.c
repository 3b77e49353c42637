/* A request that goes on elsewhere: which failures it does so for, in which order, and what the client is told. */
#include "fake_door.h"

#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "check_main.h"
#include "fake_listener.h"
#include "fake_schemas.h"

static char *content_fallbacks[] = {"spare"};

static void setup(void)
{
    listener_setup();
    bench_use_fallbacks();
}

static void fail_with(size_t index, enum error_kind kind)
{
    struct error error = {0};
    error_set(&error, kind, NULL, "The prediction %zu failed.", index);
    fake_prediction_fail(fake_prediction_at(index), &error);
}

static void expect_running(size_t count, const char *name)
{
    ck_assert_uint_eq(fake_predictions_count(), count);
    const struct job *job = fake_prediction_at(count - 1)->job;
    ck_assert_str_eq(job->target.name, name);
    ck_assert_int_eq(job->deadline_ms,
                     BENCH_START_MS + (job->wants_pieces ? BENCH_STREAM_TIMEOUT_MS : BENCH_TIMEOUT_MS));
    ck_assert_str_eq(json_text(job->input, "prompt"), "Say hi");
}

static void expect_answered_by(struct door *door, const char *alias)
{
    json_t *json = door_json(door);
    door_expect_status(door, 200);
    ck_assert_str_eq(json_text(json, "model"), alias);
    json_decref(json);
}

static void expect_message(struct door *door, const char *message)
{
    json_t *json = door_json(door);
    ck_assert_str_eq(json_text(json_object_get(json, "error"), "message"), message);
    json_decref(json);
}

static void close_and_expect_log(struct door *door, const char *model, const char *fallback, int attempts)
{
    door_close(door, true);
    json_t *line = bench_log_line(bench.closed - 1);
    ck_assert_str_eq(json_text(line, "model"), model);
    if (fallback == NULL)
        ck_assert_ptr_null(json_object_get(line, "fallback"));
    else
        ck_assert_str_eq(json_text(line, "fallback"), fallback);
    ck_assert_int_eq(json_integer_value(json_object_get(line, "attempts")), attempts);
    json_decref(line);
}

static const enum error_kind passing[] = {ERROR_UPSTREAM_UNAVAILABLE, ERROR_UPSTREAM_TRANSIENT, ERROR_RATE_LIMITED,
                                          ERROR_INSUFFICIENT_QUOTA, ERROR_TIMEOUT};

START_TEST(a_failure_that_another_might_not_have_goes_on_to_the_fallback)
{
    struct door *door = door_chat(BENCH_CHAT);
    fake_loop_advance(bench.worker.loop, 1000);
    fail_with(0, passing[_i]);
    expect_running(2, "acme/helper");
    fake_prediction_succeed(fake_prediction_at(1), "Hi");
    expect_answered_by(door, "helper");
    ck_assert_str_eq(door_answer(door, "x-replibridge-model"), "helper");
    close_and_expect_log(door, "writer", "helper", 2);
}
END_TEST

static const enum error_kind lasting[] = {ERROR_UPSTREAM_ERROR, ERROR_PREDICTION_FAILED, ERROR_PREDICTION_CANCELED,
                                          ERROR_INVALID_VALUE,  ERROR_CONTENT_POLICY,    ERROR_UPSTREAM_AUTHENTICATION};

START_TEST(a_failure_that_may_have_been_paid_for_or_is_the_clients_goes_on_nowhere)
{
    struct door *door = door_chat(BENCH_CHAT);
    fail_with(0, lasting[_i]);
    ck_assert_uint_eq(fake_predictions_count(), 1);
    door_expect_error(door, lasting[_i]);
    ck_assert_ptr_null(door_answer(door, "x-replibridge-model"));
    close_and_expect_log(door, "writer", NULL, 1);
}
END_TEST

START_TEST(an_answer_without_a_fallback_names_none)
{
    struct door *door = door_chat(BENCH_CHAT);
    fake_prediction_succeed(fake_prediction_at(0), "Hi");
    expect_answered_by(door, "writer");
    ck_assert_ptr_null(door_answer(door, "x-replibridge-model"));
    close_and_expect_log(door, "writer", NULL, 1);
}
END_TEST

START_TEST(when_all_fail_the_first_error_is_told_and_that_others_failed)
{
    struct door *door = door_chat(BENCH_CHAT);
    fail_with(0, ERROR_UPSTREAM_TRANSIENT);
    fail_with(1, ERROR_RATE_LIMITED);
    fail_with(2, ERROR_UPSTREAM_UNAVAILABLE);
    door_expect_error(door, ERROR_UPSTREAM_TRANSIENT);
    expect_message(door, "The prediction 0 failed. 2 other deployments or fallbacks failed, too.");
    ck_assert_ptr_null(door_answer(door, "x-replibridge-model"));
    close_and_expect_log(door, "writer", NULL, 3);
}
END_TEST

/* A client that is told to try again would pay for it again. */
START_TEST(a_fallback_that_may_have_been_paid_for_is_told_as_it_is)
{
    struct door *door = door_chat(BENCH_CHAT);
    fail_with(0, ERROR_UPSTREAM_TRANSIENT);
    fail_with(1, ERROR_UPSTREAM_ERROR);
    ck_assert_uint_eq(fake_predictions_count(), 2);
    door_expect_error(door, ERROR_UPSTREAM_ERROR);
    close_and_expect_log(door, "writer", "helper", 2);
}
END_TEST

START_TEST(another_deployment_comes_before_a_fallback_and_keeps_the_name)
{
    bench.writer.next = &bench.twin;
    struct door *door = door_chat(BENCH_CHAT);
    expect_running(1, "acme/writer");
    fail_with(0, ERROR_UPSTREAM_UNAVAILABLE);
    expect_running(2, "acme/twin");
    fake_prediction_succeed(fake_prediction_at(1), "Hi");
    expect_answered_by(door, "writer");
    ck_assert_ptr_null(door_answer(door, "x-replibridge-model"));
    close_and_expect_log(door, "writer", NULL, 2);
}
END_TEST

START_TEST(a_refused_content_goes_to_its_own_fallbacks_alone)
{
    bench.writer.next = &bench.twin;
    bench.writer.content_policy_fallbacks = content_fallbacks;
    bench.writer.content_policy_fallback_count = 1;
    struct door *door = door_chat(BENCH_CHAT);
    fail_with(0, ERROR_CONTENT_POLICY);
    expect_running(2, "acme/spare");
    fail_with(1, ERROR_CONTENT_POLICY);
    ck_assert_uint_eq(fake_predictions_count(), 2);
    door_expect_error(door, ERROR_CONTENT_POLICY);
    expect_message(door, "The prediction 0 failed. Another deployment or fallback failed, too.");
    door_close(door, true);
}
END_TEST

START_TEST(a_fallback_that_the_key_may_not_use_is_passed_over)
{
    static char *models[] = {"writer", "spare"};
    struct key key = {.name = "alice", .digest = BENCH_ALICE_DIGEST, .models = models, .model_count = 2};
    bench.config.keys = &key;
    bench.config.key_count = 1;
    struct door *door = door_post(BENCH_CHAT_PATH, BENCH_CHAT, "Authorization", "Bearer test-key-alice");
    fail_with(0, ERROR_UPSTREAM_UNAVAILABLE);
    expect_running(2, "acme/spare");
    fake_prediction_succeed(fake_prediction_at(1), "Hi");
    expect_answered_by(door, "spare");
    door_close(door, true);
}
END_TEST

START_TEST(no_time_that_is_over_is_gone_on_in)
{
    struct door *door = door_chat(BENCH_CHAT);
    fake_loop_advance(bench.worker.loop, BENCH_TIMEOUT_MS);
    fail_with(0, ERROR_TIMEOUT);
    ck_assert_uint_eq(fake_predictions_count(), 1);
    door_expect_error(door, ERROR_TIMEOUT);
    expect_message(door, "The prediction 0 failed.");
    door_close(door, true);
}
END_TEST

START_TEST(one_failing_choice_takes_the_whole_request_elsewhere)
{
    struct door *door = door_chat(BENCH_CHAT_OF_THREE);
    fake_prediction_succeed(fake_prediction_at(0), "Lost");
    fail_with(1, ERROR_UPSTREAM_TRANSIENT);
    ck_assert(fake_prediction_at(2)->is_abandoned);
    ck_assert_int_eq(fake_prediction_at(2)->grace_ms, 0);
    expect_running(6, "acme/helper");
    for (size_t i = 3; i < 6; i++) {
        snprintf(fake_prediction_at(i)->id, sizeof fake_prediction_at(i)->id, "pred-%zu", i);
        fake_prediction_succeed(fake_prediction_at(i), "Hi");
    }
    expect_answered_by(door, "helper");
    ck_assert_str_eq(door_answer(door, "x-replicate-prediction-id"), "pred-3, pred-4, pred-5");
    door_close(door, true);
}
END_TEST

START_TEST(each_route_has_its_own_parameters_and_what_it_leaves_out)
{
    static char *dropped[] = {"temperature"};
    bench.writer.dropped = dropped;
    bench.writer.dropped_count = 1;
    bench.helper.input = (json_decref(bench.helper.input), json_pack("{s:s}", "style", "plain"));
    struct door *door = door_chat("{\"model\":\"writer\",\"temperature\":0.5,\"messages\":[{\"role\":\"user\","
                                  "\"content\":\"Say hi\"}]}");
    ck_assert_ptr_null(json_object_get(fake_prediction_at(0)->job->input, "temperature"));
    fail_with(0, ERROR_UPSTREAM_TRANSIENT);
    expect_running(2, "acme/helper");
    ck_assert_ptr_nonnull(json_object_get(fake_prediction_at(1)->job->input, "temperature"));
    ck_assert_str_eq(json_text(fake_prediction_at(1)->job->input, "style"), "plain");
    fake_prediction_succeed(fake_prediction_at(1), "Hi");
    ck_assert_ptr_null(door_answer(door, "x-replibridge-ignored"));
    door_close(door, true);
}
END_TEST

START_TEST(an_alias_that_is_full_hands_over_to_its_fallback_and_takes_no_place_there_twice)
{
    bench.writer.limits.max_parallel = 1;
    bench.helper.limits.max_parallel = 1;
    struct door *first = door_chat(BENCH_CHAT), *second = door_chat(BENCH_CHAT), *third = door_chat(BENCH_CHAT);
    ck_assert_str_eq(fake_prediction_at(1)->job->target.name, "acme/helper");
    expect_running(3, "acme/spare");
    fail_with(0, ERROR_UPSTREAM_UNAVAILABLE);
    expect_running(4, "acme/spare"); /* the helper is full, too */
    struct door *fourth = door_chat(BENCH_CHAT);
    expect_running(5, "acme/writer"); /* the first has left its place */
    for (size_t i = 1; i < 5; i++)
        fake_prediction_succeed(fake_prediction_at(i), "Hi");
    expect_answered_by(first, "spare");
    expect_answered_by(second, "helper");
    expect_answered_by(fourth, "writer");
    door_close(first, true);
    door_close(second, true);
    door_close(third, true);
    door_close(fourth, true);
}
END_TEST

START_TEST(a_limit_of_the_key_is_the_same_for_all_aliases)
{
    struct key key = {.name = "alice", .digest = BENCH_ALICE_DIGEST, .limits = {.max_parallel = 1}};
    bench.config.keys = &key;
    bench.config.key_count = 1;
    struct door *first = door_post(BENCH_CHAT_PATH, BENCH_CHAT, "Authorization", "Bearer test-key-alice");
    struct door *second = door_post(BENCH_CHAT_PATH, BENCH_CHAT, "Authorization", "Bearer test-key-alice");
    door_expect_error(second, ERROR_RATE_LIMITED);
    fake_prediction_succeed(fake_prediction_at(0), "Hi");
    door_close(first, true);
    door_close(second, true);
}
END_TEST

START_TEST(what_cools_down_is_diverted_from_at_once)
{
    for (int i = 0; i < 4; i++) {
        struct door *door = door_chat(BENCH_CHAT);
        expect_running(2 * (size_t)i + 1, "acme/writer");
        fail_with(2 * (size_t)i, ERROR_UPSTREAM_UNAVAILABLE);
        fake_prediction_succeed(fake_prediction_at(2 * (size_t)i + 1), "Hi");
        door_close(door, true);
    }
    struct door *diverted = door_chat(BENCH_CHAT);
    expect_running(9, "acme/helper");
    fake_prediction_succeed(fake_prediction_at(8), "Hi");
    expect_answered_by(diverted, "helper");
    close_and_expect_log(diverted, "writer", "helper", 1);
    fake_loop_advance(bench.worker.loop, bench.writer.cooldown_ms);
    struct door *back = door_chat(BENCH_CHAT);
    ck_assert_str_eq(fake_prediction_at(9)->job->target.name, "acme/writer");
    fake_prediction_succeed(fake_prediction_at(9), "Hi");
    door_close(back, true);
}
END_TEST

START_TEST(a_client_with_a_wrong_token_of_its_own_diverts_nobody_else)
{
    bench.writer.token = bench.helper.token = bench.spare.token = NULL;
    bench.writer.allowed_fails = 0;
    for (size_t i = 0; i < 2; i++) {
        struct door *door = door_post(BENCH_CHAT_PATH, BENCH_CHAT, "Authorization", "Bearer test-token-of-carol");
        expect_running(2 * i + 1, "acme/writer");
        fail_with(2 * i, ERROR_INSUFFICIENT_QUOTA);
        fake_prediction_succeed(fake_prediction_at(2 * i + 1), "Hi");
        door_close(door, true);
    }
}
END_TEST

START_TEST(what_cools_down_is_used_when_there_is_nothing_else)
{
    bench.writer.fallback_count = 0;
    bench.writer.next = &bench.twin;
    bench.writer.allowed_fails = bench.twin.allowed_fails = 0;
    for (size_t i = 0; i < 3; i++) {
        struct door *door = door_chat(BENCH_CHAT);
        fail_with(2 * i, ERROR_UPSTREAM_UNAVAILABLE);
        fail_with(2 * i + 1, ERROR_UPSTREAM_UNAVAILABLE);
        door_expect_error(door, ERROR_UPSTREAM_UNAVAILABLE);
        door_close(door, true);
    }
    ck_assert_uint_eq(fake_predictions_count(), 6);
}
END_TEST

START_TEST(a_fallback_that_cannot_take_the_request_is_passed_over)
{
    bench.helper.strict_params = true;
    bench.helper.params = (json_decref(bench.helper.params), json_pack("{s:s}", "temperature", "hot"));
    struct door *door = door_chat(BENCH_CHAT);
    fail_with(0, ERROR_UPSTREAM_UNAVAILABLE);
    expect_running(2, "acme/spare");
    fake_prediction_succeed(fake_prediction_at(1), "Hi");
    expect_answered_by(door, "spare");
    close_and_expect_log(door, "writer", "spare", 3);
}
END_TEST

START_TEST(a_client_that_leaves_while_a_fallback_is_prepared_leaves_nothing)
{
    struct door *door = door_chat(BENCH_CHAT);
    bench.helper.read_schema = true;
    fake_schemas_hold(true);
    fail_with(0, ERROR_UPSTREAM_UNAVAILABLE);
    ck_assert_uint_eq(fake_schemas_waiting(), 1);
    ck_assert_uint_eq(bench_in(EXCHANGE_PREPARING), 1);
    door_hang_up(door);
    door_close(door, false);
    ck_assert_uint_eq(fake_schemas_waiting(), 0);
    fake_schemas_hold(false);
}
END_TEST

START_TEST(a_stream_with_comments_alone_goes_on_as_the_fallbacks)
{
    listener.asked.alias = (free(listener.asked.alias), xstrdup("helper"));
    struct door *door = door_chat(LISTENER_STREAM);
    fake_loop_advance(bench.worker.loop, 6000);
    listener_expect_comments(door, "starting");
    fail_with(0, ERROR_UPSTREAM_TRANSIENT);
    expect_running(2, "acme/helper");
    fake_loop_advance(bench.worker.loop, BENCH_KEEPALIVE_MS);
    listener_expect_comments(door, "starting");
    fake_prediction_piece(fake_prediction_at(1), "Hi");
    fake_prediction_succeed(fake_prediction_at(1), "Hi");
    listener_hear(door);
    listener_expect_choice(0, "Hi", "stop");
    listener_expect_ended(door);
    door_close(door, true);
}
END_TEST

START_TEST(a_stream_that_has_given_a_piece_goes_on_nowhere)
{
    struct door *door = door_chat(LISTENER_STREAM);
    fake_prediction_piece(fake_prediction_at(0), "Hi");
    fail_with(0, ERROR_UPSTREAM_TRANSIENT);
    ck_assert_uint_eq(fake_predictions_count(), 1);
    listener_expect_error(door, ERROR_UPSTREAM_TRANSIENT);
    door_close(door, true);
}
END_TEST

static Suite *routes_suite(void)
{
    Suite *suite = suite_create("exchange: fallbacks");
    TCase *tcase = tcase_create("routes");
    tcase_add_checked_fixture(tcase, setup, listener_teardown);
    tcase_add_loop_test(tcase, a_failure_that_another_might_not_have_goes_on_to_the_fallback, 0, 5);
    tcase_add_loop_test(tcase, a_failure_that_may_have_been_paid_for_or_is_the_clients_goes_on_nowhere, 0, 6);
    tcase_add_test(tcase, an_answer_without_a_fallback_names_none);
    tcase_add_test(tcase, when_all_fail_the_first_error_is_told_and_that_others_failed);
    tcase_add_test(tcase, a_fallback_that_may_have_been_paid_for_is_told_as_it_is);
    tcase_add_test(tcase, another_deployment_comes_before_a_fallback_and_keeps_the_name);
    tcase_add_test(tcase, a_refused_content_goes_to_its_own_fallbacks_alone);
    tcase_add_test(tcase, a_fallback_that_the_key_may_not_use_is_passed_over);
    tcase_add_test(tcase, no_time_that_is_over_is_gone_on_in);
    tcase_add_test(tcase, one_failing_choice_takes_the_whole_request_elsewhere);
    tcase_add_test(tcase, each_route_has_its_own_parameters_and_what_it_leaves_out);
    tcase_add_test(tcase, an_alias_that_is_full_hands_over_to_its_fallback_and_takes_no_place_there_twice);
    tcase_add_test(tcase, a_limit_of_the_key_is_the_same_for_all_aliases);
    tcase_add_test(tcase, what_cools_down_is_diverted_from_at_once);
    tcase_add_test(tcase, a_client_with_a_wrong_token_of_its_own_diverts_nobody_else);
    tcase_add_test(tcase, what_cools_down_is_used_when_there_is_nothing_else);
    tcase_add_test(tcase, a_fallback_that_cannot_take_the_request_is_passed_over);
    tcase_add_test(tcase, a_client_that_leaves_while_a_fallback_is_prepared_leaves_nothing);
    tcase_add_test(tcase, a_stream_with_comments_alone_goes_on_as_the_fallbacks);
    tcase_add_test(tcase, a_stream_that_has_given_a_piece_goes_on_nowhere);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(routes_suite());
}
