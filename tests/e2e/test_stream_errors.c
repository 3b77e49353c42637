/* Streams that come to no good end: a status code before anything was sent, one error frame afterwards, never silence.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "chat_stream.h"
#include "check_main.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof *(table)))

#define SERVER "server_error"

static struct bridge bridge;
static struct stream_client client;

static const char *const pieces[] = {"Once", " upon"};

static void tear_down(void)
{
    stream_dispose(&client);
    chat_case_stop(&bridge);
}

static void begin(const struct sim_plan *plan, const char *more)
{
    bridge_start(&bridge, plan, more);
    chat_stream_begin(&bridge, &(struct chat_case){0}, &client);
}

/* ---- the create ---- */

static const struct create_case {
    struct sim_fault_spec fault;
    struct chat_error error;
} create_cases[] = {
    {{.fault = SIM_FAULT_STATUS, .status = 500}, {502, SERVER, "upstream_error", NULL, false, NULL}},
    {{.fault = SIM_FAULT_READ_AND_CLOSE}, {502, SERVER, "upstream_error", NULL, false, NULL}},
    {{.fault = SIM_FAULT_STATUS, .status = 401}, {502, SERVER, "upstream_authentication_error", NULL, false, NULL}},
    {{.fault = SIM_FAULT_STATUS, .status = 402}, {429, "insufficient_quota", "insufficient_quota", NULL, false, NULL}},
    {{.fault = SIM_FAULT_STATUS, .status = 404, .count = SIM_FOREVER},
     {404, "invalid_request_error", "model_not_found", NULL, false, NULL}},
    {{.fault = SIM_FAULT_STATUS, .status = 429, .retry_after_s = 3600, .count = SIM_FOREVER},
     {429, "rate_limit_error", "rate_limit_exceeded", NULL, true, NULL}},
};

START_TEST(a_create_that_fails_keeps_its_status)
{
    bridge_start_sim(&bridge);
    replicate_sim_expect(bridge.sim, SIM_EXPECT_RUNNING, 1); /* one that nobody was told of */
    char *config = bridge_config(&bridge, "");
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = BRIDGE_MODEL, .official = true});
    replicate_sim_fault(bridge.sim, SIM_CREATE, &create_cases[_i].fault);
    chat_case_start(&bridge, config);
    free(config);
    chat_stream_begin(&bridge, &(struct chat_case){0}, &client);
    chat_stream_finish(&client);
    chat_stream_expect_refused(&client, &create_cases[_i].error);
}
END_TEST

static const struct request_case {
    const char *more;
    struct chat_error error;
} request_cases[] = {
    {",\"n\":0", {400, "invalid_request_error", "invalid_value", "n", false, NULL}},
    {",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]",
     {400, "invalid_request_error", "unsupported_parameter", "tools", false, NULL}},
    {",\"stream_options\":17", {400, "invalid_request_error", "invalid_type", "stream_options", false, NULL}},
};

START_TEST(a_request_that_is_wrong_is_refused_as_any_other)
{
    bridge_start(&bridge, NULL, "");
    chat_stream_begin(&bridge, &(struct chat_case){.more = request_cases[_i].more}, &client);
    chat_stream_finish(&client);
    chat_stream_expect_refused(&client, &request_cases[_i].error);
    ck_assert_uint_eq(chat_case_creates(&bridge), 0);
}
END_TEST

/* ---- bad ends ---- */

static const struct end_case {
    const char *status, *error_text;
    bool plain_error;
    struct chat_error error;
} end_cases[] = {
    {"failed", "it broke", false, {422, SERVER, "prediction_failed", NULL, false, "it broke"}},
    {"failed", "it broke", true, {422, SERVER, "prediction_failed", NULL, false, "it broke"}},
    {"failed",
     "The input was flagged as sensitive. (E005)",
     false,
     {400, "invalid_request_error", "content_policy_violation", NULL, false, NULL}},
    {"failed", "Service is unavailable (E003)", false, {503, SERVER, "upstream_transient_failure", NULL, true, NULL}},
    {"canceled", NULL, false, {422, SERVER, "prediction_canceled", NULL, false, NULL}},
    {"aborted", NULL, false, {504, SERVER, "timeout", NULL, false, NULL}},
};

static struct sim_plan ending_plan(const struct end_case *end)
{
    return (struct sim_plan){.model = BRIDGE_MODEL,
                             .official = true,
                             .pieces = pieces,
                             .piece_count = LENGTH(pieces),
                             .piece_ms = SIM_HOLD,
                             .end_status = end->status,
                             .error_text = end->error_text,
                             .stream = {.offered = true, .plain_error = end->plain_error}};
}

START_TEST(a_bad_end_before_the_first_piece_is_a_status)
{
    struct sim_plan plan = ending_plan(&end_cases[_i]);
    plan.pieces = NULL;
    plan.output_json = "null";
    plan.piece_ms = 0;
    plan.boot_ms = plan.run_ms = 50;
    begin(&plan, "");
    chat_stream_finish(&client);
    chat_stream_expect_refused(&client, &end_cases[_i].error);
    chat_case_expect_header(&client.answer, "x-replicate-prediction-id", chat_case_prediction(&bridge, 0).id);
}
END_TEST

START_TEST(a_bad_end_after_the_first_piece_is_one_frame)
{
    struct sim_plan plan = ending_plan(&end_cases[_i]);
    begin(&plan, "");
    ck_assert(replicate_sim_wait_streams(bridge.sim, 1, daemon_patience_ms()));
    replicate_sim_advance(bridge.sim, 0);
    ck_assert(stream_read_until(&client, "Once", daemon_patience_ms()));
    replicate_sim_advance(bridge.sim, 0);
    ck_assert(stream_read_until(&client, " upon", daemon_patience_ms()));
    replicate_sim_advance(bridge.sim, 0);
    chat_stream_finish(&client);
    chat_stream_expect_broken(&client, "Once upon", &end_cases[_i].error);
    ck_assert_uint_eq(replicate_sim_request_count(bridge.sim, SIM_CANCEL), 0);
}
END_TEST

/* Only polls tell of the text and of the end. What was aborted, the last case, has never shown any text. */
START_TEST(a_bad_end_without_a_stream_is_one_frame_too)
{
    struct sim_plan plan = ending_plan(&end_cases[_i]);
    plan.stream.offered = false;
    begin(&plan, "  poll_interval: 100ms\n");
    ck_assert(replicate_sim_wait_polls(bridge.sim, 1, daemon_patience_ms()));
    replicate_sim_advance(bridge.sim, 0);
    ck_assert(stream_read_until(&client, "Once", daemon_patience_ms()));
    replicate_sim_advance(bridge.sim, 0);
    replicate_sim_advance(bridge.sim, 0);
    chat_stream_finish(&client);
    struct chat_stream heard;
    chat_stream_hear(&client, &heard);
    ck_assert_msg(heard.error != NULL && !heard.is_done, "the stream does not end with its error");
    ck_assert_pstr_eq(json_string_value(json_object_get(heard.error, "code")), end_cases[_i].error.code);
    chat_stream_dispose(&heard);
}
END_TEST

/* ---- the deadline ---- */

static const struct chat_error too_late = {504, SERVER, "timeout", NULL, false, "stream_timeout"};

static const struct sim_plan held = {.model = BRIDGE_MODEL,
                                     .official = true,
                                     .pieces = pieces,
                                     .piece_count = LENGTH(pieces),
                                     .piece_ms = SIM_HOLD,
                                     .stream.offered = true};

START_TEST(the_deadline_before_the_first_piece_is_a_status)
{
    struct sim_plan boots = held;
    boots.boot_ms = SIM_HOLD;
    begin(_i == 0 ? &boots : &held, "stream_timeout: 600ms\n");
    chat_stream_finish(&client);
    chat_stream_expect_refused(&client, &too_late);
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 1, daemon_patience_ms()));
}
END_TEST

START_TEST(the_deadline_after_the_first_piece_is_one_frame)
{
    begin(&held, "stream_timeout: 1500ms\ntimeout: 5m\n");
    ck_assert(replicate_sim_wait_streams(bridge.sim, 1, daemon_patience_ms()));
    replicate_sim_advance(bridge.sim, 0);
    ck_assert(stream_read_until(&client, "Once", daemon_patience_ms()));
    chat_stream_finish(&client);
    chat_stream_expect_broken(&client, "Once", &too_late);
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 1, daemon_patience_ms()));
}
END_TEST

/* ---- the end of the program ---- */

static void begin_and_read_first(const char *more)
{
    begin(&held, more);
    ck_assert(replicate_sim_wait_streams(bridge.sim, 1, daemon_patience_ms()));
    replicate_sim_advance(bridge.sim, 0);
    ck_assert(stream_read_until(&client, "Once", daemon_patience_ms()));
}

START_TEST(a_stream_that_outlasts_the_drain_is_told_so)
{
    static const struct chat_error draining = {503, SERVER, "shutting_down", NULL, true, NULL};
    begin_and_read_first("drain_timeout: 300ms\n");
    ck_assert(daemon_signal(bridge.daemon, SIGTERM));
    chat_stream_finish(&client);
    chat_stream_expect_broken(&client, "Once", &draining);
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 1, daemon_patience_ms()));
    ck_assert_int_eq(daemon_wait_exit(bridge.daemon, daemon_patience_ms()), 0);
}
END_TEST

START_TEST(a_stream_that_ends_within_the_drain_is_whole)
{
    begin_and_read_first("drain_timeout: 10m\n");
    ck_assert(daemon_signal(bridge.daemon, SIGTERM));
    ck_assert(daemon_log_wait(bridge.daemon, "draining", daemon_patience_ms()));
    replicate_sim_advance(bridge.sim, 0);
    replicate_sim_advance(bridge.sim, 0);
    chat_stream_finish(&client);
    chat_stream_expect_text(&client, "the answer", "Once upon");
    http_close(&client.connection);
    ck_assert_int_eq(daemon_wait_exit(bridge.daemon, daemon_patience_ms()), 0);
}
END_TEST

START_TEST(before_its_first_piece_a_drained_stream_is_a_status)
{
    static const struct chat_error draining = {503, SERVER, "shutting_down", NULL, true, NULL};
    begin(&held, "drain_timeout: 100ms\n");
    ck_assert(replicate_sim_wait_streams(bridge.sim, 1, daemon_patience_ms()));
    ck_assert(daemon_signal(bridge.daemon, SIGTERM));
    chat_stream_finish(&client);
    chat_stream_expect_refused(&client, &draining);
    ck_assert_int_eq(daemon_wait_exit(bridge.daemon, daemon_patience_ms()), 0);
}
END_TEST

static Suite *errors_suite(void)
{
    Suite *suite = suite_create("errors of streams");
    TCase *tcase = tcase_create("upstream");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_create_that_fails_keeps_its_status, 0, LENGTH(create_cases));
    tcase_add_loop_test(tcase, a_request_that_is_wrong_is_refused_as_any_other, 0, LENGTH(request_cases));
    tcase_add_loop_test(tcase, a_bad_end_before_the_first_piece_is_a_status, 0, LENGTH(end_cases));
    tcase_add_loop_test(tcase, a_bad_end_after_the_first_piece_is_one_frame, 0, LENGTH(end_cases));
    tcase_add_loop_test(tcase, a_bad_end_without_a_stream_is_one_frame_too, 0, LENGTH(end_cases) - 1);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("time");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, the_deadline_before_the_first_piece_is_a_status, 0, 2);
    tcase_add_test(tcase, the_deadline_after_the_first_piece_is_one_frame);
    tcase_add_test(tcase, a_stream_that_outlasts_the_drain_is_told_so);
    tcase_add_test(tcase, a_stream_that_ends_within_the_drain_is_whole);
    tcase_add_test(tcase, before_its_first_piece_a_drained_stream_is_a_status);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(errors_suite());
}
