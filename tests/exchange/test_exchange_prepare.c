/* What comes before the predictions of a request: the wait for the model's schema, and the upload of files. */
#include "fake_door.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "check_main.h"
#include "fake_schemas.h"

#define STREAM "{\"model\":\"writer\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"Say hi\"}]}"

/* A model whose prompt and limit go by other names, and that reads images. */
static const char DOCUMENT[] =
    "{\"owner\":\"acme\",\"name\":\"writer\",\"latest_version\":{\"id\":\"v1\",\"openapi_schema\":{\"components\":"
    "{\"schemas\":{\"Input\":{\"properties\":{\"question\":{\"type\":\"string\"},\"image\":{\"type\":\"string\","
    "\"format\":\"uri\"}}}}}}}}";

static void setup(void)
{
    bench_setup();
    fake_schemas_reset();
    bench.writer.read_schema = true;
    fake_schemas_hold(true);
}

static void teardown(void)
{
    ck_assert_uint_eq(fake_schemas_waiting(), 0);
    bench_teardown();
    ck_assert_uint_eq(fake_uploads_references(), 0);
}

START_TEST(the_first_request_of_a_model_waits_for_its_schema_and_is_mapped_by_it)
{
    struct door *door = door_chat(BENCH_CHAT);
    ck_assert_uint_eq(bench_in(EXCHANGE_PREPARING), 1);
    ck_assert_uint_eq(fake_predictions_count(), 0);
    fake_schemas_give(DOCUMENT);
    ck_assert_uint_eq(bench_in(EXCHANGE_RUNNING), 1);
    ck_assert_str_eq(json_text(fake_prediction_at(0)->job->input, "question"), "Say hi");
    ck_assert_ptr_null(json_object_get(fake_prediction_at(0)->job->input, "prompt"));
    fake_prediction_succeed(fake_prediction_at(0), "Hi");
    door_expect_status(door, 200);
    door_close(door, true);
}
END_TEST

START_TEST(without_a_schema_the_common_names_serve)
{
    struct door *door = door_chat(BENCH_CHAT);
    fake_schemas_give(NULL);
    ck_assert_str_eq(json_text(fake_prediction_at(0)->job->input, "prompt"), "Say hi");
    fake_prediction_succeed(fake_prediction_at(0), "Hi");
    door_close(door, true);
}
END_TEST

START_TEST(an_operator_may_forbid_to_read_schemas)
{
    bench.writer.read_schema = false;
    struct door *door = door_chat(BENCH_CHAT);
    ck_assert_uint_eq(fake_schemas_wanted(), 0);
    fake_prediction_succeed(fake_prediction_at(0), "Hi");
    door_close(door, true);
}
END_TEST

#define SMALL_IMAGE                                                                                                    \
    "{\"model\":\"writer\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{"      \
    "\"url\":\"data:image/png;base64,iVBORw0KGgo=\"}}]}]}"

START_TEST(what_may_be_supported_is_refused_for_now_while_the_schema_may_yet_come)
{
    static const enum error_kind kinds[] = {ERROR_UNSUPPORTED_PARAMETER, ERROR_UPSTREAM_UNAVAILABLE};
    if (_i == 1)
        fake_schemas_fail_for_now();
    struct door *door = door_chat(SMALL_IMAGE);
    fake_schemas_give(NULL);
    door_expect_error(door, kinds[_i]);
    ck_assert_uint_eq(fake_predictions_count(), 0);
    ck_assert_ptr_nonnull(strstr(buf_text(&door->request.reply.body), "messages[0].content[0]"));
    door_close(door, true);
}
END_TEST

START_TEST(what_a_model_does_not_take_is_refused_for_good_whatever_may_come)
{
    fake_schemas_fail_for_now();
    bench.writer.read_schema = _i == 1;
    struct door *door = door_chat("{\"model\":\"writer\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":"
                                  "\"f\"}}],\"messages\":[{\"role\":\"user\",\"content\":\"Say hi\"}]}");
    fake_schemas_give(DOCUMENT);
    door_expect_error(door, ERROR_UNSUPPORTED_PARAMETER);
    door_close(door, true);
}
END_TEST

START_TEST(a_schema_takes_half_of_a_requests_time_at_most)
{
    struct door *door = door_chat(BENCH_CHAT);
    fake_loop_advance(bench.worker.loop, BENCH_TIMEOUT_MS / 2 - 1);
    ck_assert_uint_eq(fake_predictions_count(), 0);
    fake_loop_advance(bench.worker.loop, 1);
    ck_assert_uint_eq(fake_schemas_waiting(), 0);
    ck_assert_uint_eq(fake_schemas_given_up(), 1);
    ck_assert_uint_eq(fake_predictions_count(), 1);
    ck_assert_int_eq(fake_prediction_at(0)->job->deadline_ms, BENCH_START_MS + BENCH_TIMEOUT_MS);
    fake_prediction_succeed(fake_prediction_at(0), "Hi");
    door_close(door, true);
}
END_TEST

START_TEST(a_client_that_leaves_while_it_is_prepared_costs_nothing)
{
    struct door *door = door_chat(BENCH_CHAT);
    door_hang_up(door);
    ck_assert_uint_eq(fake_schemas_waiting(), 0);
    ck_assert_uint_eq(fake_predictions_count(), 0);
    door_close(door, false);
}
END_TEST

START_TEST(a_stream_hears_comments_while_it_is_prepared_and_goes_on_from_there)
{
    struct door *door = door_chat(STREAM);
    fake_loop_advance(bench.worker.loop, 5000);
    ck_assert_uint_eq(bench_in(EXCHANGE_STREAMING), 1);
    ck_assert_ptr_nonnull(strstr(buf_text(&door->request.reply.body), ": starting"));
    fake_schemas_give(DOCUMENT);
    ck_assert_uint_eq(bench_in(EXCHANGE_STREAMING), 1);
    fake_prediction_piece(fake_prediction_at(0), "Hi");
    fake_prediction_succeed(fake_prediction_at(0), "Hi");
    door_close(door, true);
}
END_TEST

START_TEST(a_stream_that_has_begun_hears_of_a_request_that_cannot_be_mapped)
{
    struct door *door =
        door_chat("{\"model\":\"writer\",\"stream\":true,\"tools\":[{\"type\":\"function\",\"function\":{"
                  "\"name\":\"f\"}}],\"messages\":[{\"role\":\"user\",\"content\":\"Say hi\"}]}");
    fake_loop_advance(bench.worker.loop, 5000);
    fake_schemas_give(DOCUMENT);
    ck_assert_uint_eq(fake_predictions_count(), 0);
    ck_assert_ptr_nonnull(strstr(buf_text(&door->request.reply.body), "unsupported_parameter"));
    door_close(door, true);
}
END_TEST

START_TEST(a_daemon_that_stops_answers_those_who_are_being_prepared)
{
    struct error err = {0};
    struct door *door = door_chat(BENCH_CHAT);
    error_set(&err, ERROR_SHUTTING_DOWN, NULL, "This server is shutting down.");
    exchange_fail_all(&bench.worker.exchanges, &err);
    door_expect_error(door, ERROR_SHUTTING_DOWN);
    door_close(door, true);
}
END_TEST

START_TEST(an_input_that_replicate_refuses_makes_the_schema_be_read_again)
{
    struct error err = {0};
    struct door *door = door_chat(BENCH_CHAT);
    fake_schemas_give(DOCUMENT);
    error_set(&err, ERROR_INVALID_VALUE, "input.question", "It is too long.");
    fake_prediction_fail(fake_prediction_at(0), &err);
    ck_assert_uint_eq(fake_schemas_refreshed(), 1);
    door_expect_error(door, ERROR_INVALID_VALUE);
    json_t *answer = door_json(door);
    ck_assert_str_eq(json_text(json_object_get(answer, "error"), "param"), "messages");
    json_decref(answer);
    door_close(door, true);
}
END_TEST

/* A chat with an image that is too large to be sent within the input. */
static char *chat_with_image(void)
{
    enum { PAYLOAD_BYTES = 300000 };
    static const char head[] = "{\"model\":\"writer\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
                               "\"text\":\"What is it?\"},{\"type\":\"image_url\",\"image_url\":{\"url\":"
                               "\"data:image/png;base64,iVBORw0KGgoA";
    static const char tail[] = "\"}}]}]}";
    char *body = xcalloc(1, sizeof head + PAYLOAD_BYTES + sizeof tail);
    memcpy(body, head, sizeof head - 1);
    memset(body + sizeof head - 1, 'A', PAYLOAD_BYTES);
    memcpy(body + sizeof head - 1 + PAYLOAD_BYTES, tail, sizeof tail);
    return body;
}

static struct door *upload(void)
{
    char *body = chat_with_image();
    bench.config.max_body_bytes = 1 << 20;
    struct door *door = door_chat(body);
    fake_schemas_give(DOCUMENT);
    free(body);
    return door;
}

START_TEST(large_files_are_uploaded_before_and_kept_as_long_as_the_prediction)
{
    struct door *door = upload();
    ck_assert_ptr_nonnull(fake_uploads_last());
    ck_assert_uint_eq(fake_predictions_count(), 0);
    fake_uploads_end(fake_uploads_last(), NULL);
    ck_assert_str_eq(json_text(fake_prediction_at(0)->job->input, "image"), "https://files.test/1");
    ck_assert_uint_eq(fake_uploads_references(), 1);
    fake_prediction_succeed(fake_prediction_at(0), "A cat");
    door_close(door, true);
}
END_TEST

START_TEST(a_failed_upload_is_answered_with_its_error)
{
    struct error err = {0};
    struct door *door = upload();
    error_set(&err, ERROR_UPSTREAM_UNAVAILABLE, NULL, "Replicate could not be reached.");
    fake_uploads_end(fake_uploads_last(), &err);
    ck_assert_uint_eq(fake_uploads_references(), 0);
    ck_assert_uint_eq(fake_predictions_count(), 0);
    door_expect_error(door, ERROR_UPSTREAM_UNAVAILABLE);
    door_close(door, true);
}
END_TEST

/* The helper's files are its own: sent anew from what the client sent, whatever the first ones have become. */
START_TEST(a_fallback_uploads_the_files_anew)
{
    bool is_upload_failed = _i == 0;
    struct error err = {0};
    error_set(&err, ERROR_UPSTREAM_UNAVAILABLE, NULL, "Replicate could not be reached.");
    bench_use_fallbacks();
    bench.helper.read_schema = true;
    struct door *door = upload();
    struct uploads *first = fake_uploads_last();
    if (is_upload_failed) {
        fake_uploads_end(first, &err);
    } else {
        fake_uploads_end(first, NULL);
        fake_prediction_fail(fake_prediction_at(0), &err);
        /* Its job, which a real prediction would free by now. */
        ck_assert_uint_eq(fake_uploads_references(), 1);
    }
    fake_schemas_give(DOCUMENT);
    const char *value = json_string_value(json_array_get(fake_uploads_values(fake_uploads_last()), 0));
    ck_assert_msg(strncmp(value, "data:image/png;base64,", 22) == 0, "what is uploaded is %.40s", value);
    fake_uploads_end(fake_uploads_last(), NULL);
    const struct prediction *second = fake_prediction_at(is_upload_failed ? 0 : 1);
    ck_assert_str_eq(second->job->target.name, "acme/helper");
    ck_assert_str_eq(json_text(second->job->input, "image"), "https://files.test/1");
    fake_prediction_succeed(fake_prediction_at(is_upload_failed ? 0 : 1), "Hi");
    door_expect_status(door, 200);
    door_close(door, true);
}
END_TEST

START_TEST(a_client_that_leaves_during_an_upload_lets_go_of_it)
{
    struct door *door = upload();
    door_hang_up(door);
    ck_assert_uint_eq(fake_uploads_references(), 0);
    door_close(door, false);
}
END_TEST

static Suite *exchange_prepare_suite(void)
{
    Suite *suite = suite_create("exchange_prepare");
    TCase *tcase = tcase_create("schema");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_first_request_of_a_model_waits_for_its_schema_and_is_mapped_by_it);
    tcase_add_test(tcase, without_a_schema_the_common_names_serve);
    tcase_add_test(tcase, an_operator_may_forbid_to_read_schemas);
    tcase_add_loop_test(tcase, what_may_be_supported_is_refused_for_now_while_the_schema_may_yet_come, 0, 2);
    tcase_add_loop_test(tcase, what_a_model_does_not_take_is_refused_for_good_whatever_may_come, 0, 2);
    tcase_add_test(tcase, a_schema_takes_half_of_a_requests_time_at_most);
    tcase_add_test(tcase, a_client_that_leaves_while_it_is_prepared_costs_nothing);
    tcase_add_test(tcase, a_stream_hears_comments_while_it_is_prepared_and_goes_on_from_there);
    tcase_add_test(tcase, a_stream_that_has_begun_hears_of_a_request_that_cannot_be_mapped);
    tcase_add_test(tcase, a_daemon_that_stops_answers_those_who_are_being_prepared);
    tcase_add_test(tcase, an_input_that_replicate_refuses_makes_the_schema_be_read_again);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("uploads");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, large_files_are_uploaded_before_and_kept_as_long_as_the_prediction);
    tcase_add_test(tcase, a_failed_upload_is_answered_with_its_error);
    tcase_add_loop_test(tcase, a_fallback_uploads_the_files_anew, 0, 2);
    tcase_add_test(tcase, a_client_that_leaves_during_an_upload_lets_go_of_it);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(exchange_prepare_suite());
}
