/* Clients that try again, as OpenAI's SDKs do after a timeout: one prediction is created, and one answer delivered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chat_case.h"
#include "check_main.h"
#include "stream_client.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof *(table)))

#define FIRST "x-stainless-retry-count: 0\r\n"
#define SECOND "x-stainless-retry-count: 1\r\n"
#define THIRD "x-stainless-retry-count: 2\r\n"

static struct bridge bridge;
static struct http_connection *client;

static void tear_down(void)
{
    http_close(&client);
    chat_case_stop(&bridge);
}

static void start(const struct sim_plan *plan)
{
    chat_case_start_with(&bridge, NULL, plan, "");
}

/* Sends it and hangs up as soon as the simulator has `created` predictions. */
static void try_and_leave(const char *headers, size_t created)
{
    client = chat_case_begin(&bridge, &(struct chat_case){.headers = headers});
    ck_assert(replicate_sim_wait_created(bridge.sim, created, daemon_patience_ms()));
    http_close(&client);
}

static struct sim_counters counters(void)
{
    struct sim_counters seen;
    replicate_sim_counters(bridge.sim, &seen);
    return seen;
}

static const struct sim_plan held = {.model = BRIDGE_MODEL, .official = true, .boot_ms = SIM_HOLD};

START_TEST(a_retry_is_given_the_prediction_of_its_first_try)
{
    struct http_response answer = {0};
    start(&held);
    try_and_leave(FIRST, 1);
    client = chat_case_begin(&bridge, &(struct chat_case){.headers = SECOND});
    bridge_expect_metric(&bridge, "replibridge_retries_joined_total", 1);
    replicate_sim_advance(bridge.sim, 0);
    replicate_sim_advance(bridge.sim, 0);
    chat_case_finish(&client, &answer);
    chat_case_expect_text(&answer, "~" CHAT_CASE_PROMPT);
    ck_assert_uint_eq(counters().created, 1);
    ck_assert_uint_eq(counters().cancel_calls, 0);
    http_response_dispose(&answer);
}
END_TEST

START_TEST(a_retry_after_the_end_is_given_the_same_answer)
{
    struct http_response first = {0}, second = {0};
    char first_id[64], second_id[64];
    start(&(struct sim_plan){.model = BRIDGE_MODEL, .official = true});
    chat_case_run(&bridge, &(struct chat_case){.headers = FIRST}, &first);
    chat_case_run(&bridge, &(struct chat_case){.headers = SECOND}, &second);
    chat_case_expect_text(&second, "~" CHAT_CASE_PROMPT);
    ck_assert(http_answer_header(&first, "x-replicate-prediction-id", first_id, sizeof first_id));
    ck_assert(http_answer_header(&second, "x-replicate-prediction-id", second_id, sizeof second_id));
    ck_assert_str_eq(first_id, second_id);
    ck_assert_uint_eq(counters().created, 1);
    http_response_dispose(&first);
    http_response_dispose(&second);
}
END_TEST

/* On whatever worker a try comes in: connections are spread over them by chance. */
START_TEST(many_retries_on_many_connections_cost_one_prediction)
{
    struct http_connection *clients[16];
    start(&held);
    try_and_leave(FIRST, 1);
    for (int i = 0; i < LENGTH(clients); i++)
        clients[i] = chat_case_begin(&bridge, &(struct chat_case){.headers = i % 2 == 0 ? SECOND : THIRD});
    bridge_expect_metric(&bridge, "replibridge_retries_joined_total", LENGTH(clients));
    replicate_sim_advance(bridge.sim, 0);
    replicate_sim_advance(bridge.sim, 0);
    for (int i = 0; i < LENGTH(clients); i++) {
        struct http_response answer = {0};
        chat_case_finish(&clients[i], &answer);
        chat_case_expect_text(&answer, "~" CHAT_CASE_PROMPT);
        http_response_dispose(&answer);
    }
    ck_assert_uint_eq(counters().created, 1);
}
END_TEST

START_TEST(when_the_last_of_them_leaves_it_is_cancelled)
{
    chat_case_start_with(&bridge, NULL, &held, "on_disconnect: cancel\n");
    client = chat_case_begin(&bridge, &(struct chat_case){.headers = FIRST});
    ck_assert(replicate_sim_wait_created(bridge.sim, 1, daemon_patience_ms()));
    struct http_connection *second = chat_case_begin(&bridge, &(struct chat_case){.headers = SECOND});
    bridge_expect_metric(&bridge, "replibridge_retries_joined_total", 1);
    http_close(&client);
    bridge_expect_metric(&bridge, "replibridge_clients_gone_total", 1);
    ck_assert_uint_eq(counters().cancel_calls, 0);
    http_close(&second);
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 1, daemon_patience_ms()));
}
END_TEST

START_TEST(two_first_tries_are_two_predictions)
{
    struct http_response answer = {0};
    start(&(struct sim_plan){.model = BRIDGE_MODEL, .official = true});
    for (int i = 0; i < 2; i++) {
        chat_case_run(&bridge, &(struct chat_case){.headers = FIRST}, &answer);
        chat_case_expect_text(&answer, "~" CHAT_CASE_PROMPT);
        http_response_dispose(&answer);
    }
    ck_assert_uint_eq(counters().created, 2);
}
END_TEST

START_TEST(an_idempotency_key_is_one_prediction_and_one_body)
{
    struct http_response answer = {0};
    start(&(struct sim_plan){.model = BRIDGE_MODEL, .official = true});
    for (int i = 0; i < 3; i++) {
        chat_case_run(&bridge, &(struct chat_case){.headers = "Idempotency-Key: one\r\n"}, &answer);
        chat_case_expect_text(&answer, "~" CHAT_CASE_PROMPT);
        http_response_dispose(&answer);
    }
    ck_assert_uint_eq(counters().created, 1);
    chat_case_run(&bridge, &(struct chat_case){.headers = "Idempotency-Key: one\r\n", .more = ",\"seed\":1"}, &answer);
    chat_case_expect_error(&answer, &(struct chat_error){.status = 422,
                                                         .type = "invalid_request_error",
                                                         .code = "idempotency_key_reused",
                                                         .says = "Idempotency-Key"});
    http_response_dispose(&answer);
}
END_TEST

START_TEST(a_failure_that_may_be_tried_again_is_a_new_prediction)
{
    struct http_response answer = {0};
    start(&(struct sim_plan){.model = BRIDGE_MODEL,
                             .official = true,
                             .end_status = "failed",
                             .error_text = "Prediction interrupted; please retry (code: PA)"});
    chat_case_run(&bridge, &(struct chat_case){.headers = FIRST}, &answer);
    ck_assert_int_eq(answer.status, 503);
    http_response_dispose(&answer);
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = BRIDGE_MODEL, .official = true});
    chat_case_run(&bridge, &(struct chat_case){.headers = SECOND}, &answer);
    chat_case_expect_text(&answer, "~" CHAT_CASE_PROMPT);
    ck_assert_uint_eq(counters().created, 2);
    http_response_dispose(&answer);
}
END_TEST

START_TEST(a_failure_that_must_not_be_tried_again_is_told_again)
{
    struct http_response answer = {0};
    start(&(struct sim_plan){.model = BRIDGE_MODEL, .official = true, .end_status = "failed", .error_text = "No."});
    for (int i = 0; i < 2; i++) {
        chat_case_run(&bridge, &(struct chat_case){.headers = i == 0 ? FIRST : SECOND}, &answer);
        ck_assert_int_eq(answer.status, 422);
        http_response_dispose(&answer);
    }
    ck_assert_uint_eq(counters().created, 1);
}
END_TEST

/* The create reached Replicate, but its answer did not come back: what exists must not be bought again. */
START_TEST(a_lost_create_is_not_bought_again_by_a_retry)
{
    struct http_response answer = {0};
    start(&(struct sim_plan){.model = BRIDGE_MODEL, .official = true});
    replicate_sim_fault(bridge.sim, SIM_CREATE,
                        &(struct sim_fault_spec){.fault = SIM_FAULT_READ_AND_CLOSE, .count = 1});
    for (int i = 0; i < 2; i++) {
        chat_case_run(&bridge, &(struct chat_case){.headers = i == 0 ? FIRST : SECOND}, &answer);
        ck_assert_int_eq(answer.status, 502);
        http_response_dispose(&answer);
    }
    ck_assert_uint_eq(chat_case_creates(&bridge), 1);
    ck_assert(replicate_sim_wait_idle(bridge.sim, daemon_patience_ms()));
}
END_TEST

static const char *const words[] = {"one ", "two ", "three ", "four ", "five ", "six"};

START_TEST(a_streaming_retry_is_told_everything_from_the_first_piece)
{
    struct stream_client stream = {0};
    char *body = bridge_chat_body("writer", "count", ",\"stream\":true");
    const struct sim_plan counting = {.model = BRIDGE_MODEL,
                                      .official = true,
                                      .pieces = words,
                                      .piece_count = sizeof words / sizeof *words,
                                      .piece_ms = SIM_HOLD,
                                      .stream = {.offered = _i == 0}};
    start(&counting);
    ck_assert(stream_open(&stream, bridge.port,
                          &(struct http_request){.path = "/v1/chat/completions", .headers = FIRST, .body = body}));
    for (int i = 0; i < 3; i++)
        replicate_sim_advance(bridge.sim, SIM_ALL);
    ck_assert(replicate_sim_wait_created(bridge.sim, 1, daemon_patience_ms()));
    replicate_sim_advance(bridge.sim, SIM_ALL);
    replicate_sim_advance(bridge.sim, SIM_ALL);
    ck_assert(stream_read_until(&stream, "one ", (int)daemon_patience_ms()));
    stream_dispose(&stream);
    ck_assert(stream_open(&stream, bridge.port,
                          &(struct http_request){.path = "/v1/chat/completions", .headers = SECOND, .body = body}));
    ck_assert(stream_read_until(&stream, "one ", (int)daemon_patience_ms()));
    for (int i = 0; i < LENGTH(words) + 2; i++)
        replicate_sim_advance(bridge.sim, SIM_ALL);
    ck_assert(stream_read_to_end(&stream, (int)daemon_patience_ms()));
    struct buf text;
    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < stream.frame_count; i++)
        buf_append(&text, stream.frames[i].text, stream.frames[i].length);
    for (int i = 0; i < LENGTH(words); i++)
        ck_assert_msg(strstr(buf_text(&text), words[i]) != NULL, "%s is missing: %s", words[i], buf_text(&text));
    ck_assert_uint_eq(counters().created, 1);
    ck_assert_uint_eq(counters().cancel_calls, 0);
    buf_dispose(&text);
    stream_dispose(&stream);
    free(body);
}
END_TEST

static Suite *retries_suite(void)
{
    Suite *suite = suite_create("retries");
    TCase *tcase = tcase_create("retries");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_retry_is_given_the_prediction_of_its_first_try);
    tcase_add_test(tcase, a_retry_after_the_end_is_given_the_same_answer);
    tcase_add_test(tcase, many_retries_on_many_connections_cost_one_prediction);
    tcase_add_test(tcase, when_the_last_of_them_leaves_it_is_cancelled);
    tcase_add_test(tcase, two_first_tries_are_two_predictions);
    tcase_add_test(tcase, an_idempotency_key_is_one_prediction_and_one_body);
    tcase_add_test(tcase, a_failure_that_may_be_tried_again_is_a_new_prediction);
    tcase_add_test(tcase, a_failure_that_must_not_be_tried_again_is_told_again);
    tcase_add_test(tcase, a_lost_create_is_not_bought_again_by_a_retry);
    tcase_add_loop_test(tcase, a_streaming_retry_is_told_everything_from_the_first_piece, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(retries_suite());
}
