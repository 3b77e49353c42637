/* How a prediction ends decides the answer: every status word, whatever code the create had, and polls that fail. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "chat_case.h"
#include "check_main.h"

#define QUICK_POLLS "  poll_interval: 100ms\n"
#define LENGTH(table) ((int)(sizeof(table) / sizeof *(table)))

static struct bridge bridge;

static void tear_down(void)
{
    chat_case_stop(&bridge);
}

/* ---- words ---- */

static const struct {
    const char *word, *error_text;
    struct chat_error error; /* .status 0: an answer */
} ends[] = {
    {"succeeded", NULL, {0}},
    {"failed", "it broke", {422, "server_error", "prediction_failed", NULL, false, "it broke"}},
    {"canceled", NULL, {422, "server_error", "prediction_canceled", NULL, false, NULL}},
    {"aborted", NULL, {504, "server_error", "timeout", NULL, false, NULL}},
};
static const int codes[] = {200, 201, 202};

enum { ENDS = sizeof ends / sizeof *ends, CODES = sizeof codes / sizeof *codes };

/* Besides what the table says: whoever asks Replicate about the failure needs the prediction's id. */
static void expect_end(const struct http_response *response, int end, const char *id, const char *text)
{
    chat_case_expect_header(response, "x-replicate-prediction-id", id);
    if (ends[end].error.status == 0) {
        chat_case_expect_text(response, text);
        return;
    }
    chat_case_expect_error(response, &ends[end].error);
    char *message = chat_case_message(response);
    ck_assert_msg(strstr(message, id) != NULL, "the prediction %s is not in: %s", id, message);
    free(message);
}

START_TEST(the_status_decides_and_not_the_code_of_the_create)
{
    int end = _i / CODES;
    const struct sim_plan plan = {.model = BRIDGE_MODEL,
                                  .official = true,
                                  .end_status = ends[end].word,
                                  .error_text = ends[end].error_text,
                                  .boot_ms = 20,
                                  .run_ms = 20,
                                  .create_status = codes[_i % CODES]};
    struct http_response response = {0};
    bridge_start(&bridge, &plan, QUICK_POLLS);
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    expect_end(&response, end, chat_case_prediction(&bridge, 0).id, "~" CHAT_CASE_PROMPT);
    ck_assert_uint_eq(chat_case_creates(&bridge), 1);
    http_response_dispose(&response);
}
END_TEST

START_TEST(an_end_that_the_create_already_tells_needs_no_poll)
{
    int end = _i / CODES;
    char *body = xasprintf("{\"id\":\"gm3qorzdhgbfurvjtvhg6dckhu\",\"status\":\"%s\",\"output\":[\"done \",\"at "
                           "once\"],\"error\":\"%s\",\"logs\":null,\"version\":\"hidden\",\"urls\":{}}",
                           ends[end].word, ends[end].error_text != NULL ? ends[end].error_text : "");
    struct http_response response = {0};
    bridge_start(&bridge, NULL, "");
    replicate_sim_fault(
        bridge.sim, SIM_CREATE,
        &(struct sim_fault_spec){.fault = SIM_FAULT_STATUS, .status = codes[_i % CODES], .body = body, .count = 1});
    free(body);
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    expect_end(&response, end, "gm3qorzdhgbfurvjtvhg6dckhu", "done at once");
    ck_assert_uint_eq(replicate_sim_request_count(bridge.sim, SIM_GET), 0);
    ck_assert_uint_eq(replicate_sim_request_count(bridge.sim, SIM_CANCEL), 0);
    http_response_dispose(&response);
}
END_TEST

START_TEST(words_that_nobody_knows_yet_mean_to_go_on_waiting)
{
    static const char *const words[] = {"queued", "STARTING", "", "succeeded-ish"};
    const struct sim_plan plan = {.model = BRIDGE_MODEL,
                                  .official = true,
                                  .boot_ms = 400,
                                  .run_ms = 100,
                                  .starting_word = words[_i],
                                  .processing_word = "warming_up"};
    struct http_response response = {0};
    bridge_start(&bridge, &plan, QUICK_POLLS);
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    if (words[_i][0] != '\0')
        chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    ck_assert_uint_eq(chat_case_creates(&bridge), 1);
    http_response_dispose(&response);
}
END_TEST

START_TEST(an_end_that_nobody_knows_is_none)
{
    const struct sim_plan plan = {.model = BRIDGE_MODEL, .official = true, .end_status = "on_hold"};
    static const struct chat_error late = {504, "server_error", "timeout", NULL, false, "raise timeout"};
    struct http_response response = {0};
    bridge_start(&bridge, &plan, QUICK_POLLS "timeout: 600ms\n");
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_error(&response, &late);
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 1, daemon_patience_ms()));
    http_response_dispose(&response);
}
END_TEST

/* ---- a create that was held ---- */

START_TEST(output_seen_while_processing_is_not_yet_an_answer)
{
    static const char *const pieces[] = {"looks ", "complete"};
    const struct sim_plan fails = {.model = BRIDGE_MODEL,
                                   .official = true,
                                   .pieces = pieces,
                                   .piece_count = 2,
                                   .run_ms = 20,
                                   .end_status = "failed",
                                   .error_text = "it broke at the end",
                                   .wait_answer = SIM_WAIT_ALL_PROCESSING};
    static const struct chat_error failed = {422, "server_error", "prediction_failed", NULL, false, "at the end"};
    struct http_response response = {0};
    char prefer[32];
    bridge_start(&bridge, NULL, QUICK_POLLS);
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    ck_assert_msg(
        !sim_request_header(replicate_sim_request(bridge.sim, SIM_CREATE, 0), "prefer", prefer, sizeof prefer),
        "a model of which nothing is known is waited for: %s", prefer);

    /* Known to be quick now, so the next create is held. */
    replicate_sim_plan(bridge.sim, &fails);
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_error(&response, &failed);
    ck_assert(sim_request_header(replicate_sim_request(bridge.sim, SIM_CREATE, 1), "prefer", prefer, sizeof prefer));
    ck_assert_str_eq(prefer, "wait=5");
    ck_assert_uint_ge(chat_case_prediction(&bridge, 1).polls, 1);
    http_response_dispose(&response);
}
END_TEST

/* Seconds are short here, and the first one is slow enough to be polled for. */
START_TEST(a_create_that_was_held_in_vain_is_polled_for)
{
    const struct sim_plan slow = {.model = BRIDGE_MODEL, .official = true, .boot_ms = 600, .run_ms = 10};
    struct http_response response = {0};
    chat_case_start_with(&bridge, &(struct replicate_sim_options){.second_ms = 50},
                         &(struct sim_plan){.model = BRIDGE_MODEL, .official = true}, QUICK_POLLS);
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    replicate_sim_plan(bridge.sim, &slow);
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    ck_assert_uint_eq(chat_case_creates(&bridge), 2);
    ck_assert_uint_ge(chat_case_prediction(&bridge, 1).polls, 1);
    http_response_dispose(&response);
}
END_TEST

START_TEST(prefer_wait_can_be_turned_off)
{
    struct http_response response = {0};
    char prefer[32];
    bridge_start(&bridge, NULL, QUICK_POLLS "  prefer_wait: 0\n");
    for (size_t i = 0; i < 3; i++) {
        chat_case_run(&bridge, &(struct chat_case){0}, &response);
        chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
        ck_assert(
            !sim_request_header(replicate_sim_request(bridge.sim, SIM_CREATE, i), "prefer", prefer, sizeof prefer));
    }
    http_response_dispose(&response);
}
END_TEST

/* ---- polls that fail ---- */

static const struct sim_fault_spec poll_faults[] = {
    {.fault = SIM_FAULT_STATUS, .status = 429, .retry_after_s = 1},
    {.fault = SIM_FAULT_STATUS, .status = 429, .retry_after_s = 1, .retry_after_header = true},
    {.fault = SIM_FAULT_STATUS, .status = 500},
    {.fault = SIM_FAULT_STATUS, .status = 503},
    {.fault = SIM_FAULT_STATUS, .status = 504},
    {.fault = SIM_FAULT_STATUS, .status = 401},
    {.fault = SIM_FAULT_STATUS, .status = 404},
    {.fault = SIM_FAULT_STATUS, .status = 302, .headers = "Location: http://127.0.0.1:1/\r\n"},
    {.fault = SIM_FAULT_STATUS, .status = 200, .body = "{}"},
    {.fault = SIM_FAULT_STATUS, .status = 200, .body = "{\"id\":\"another\",\"status\":\"failed\"}"},
    {.fault = SIM_FAULT_HTML, .status = 502},
    {.fault = SIM_FAULT_HTML, .status = 200},
    {.fault = SIM_FAULT_RESET},
    {.fault = SIM_FAULT_CLOSE_BEFORE_HEADERS},
    {.fault = SIM_FAULT_CLOSE_IN_HEADERS},
    {.fault = SIM_FAULT_CUT_BODY},
    {.fault = SIM_FAULT_LENGTH_TOO_LONG},
    {.fault = SIM_FAULT_LENGTH_TOO_SHORT},
    {.fault = SIM_FAULT_INVALID_JSON},
    /* valid, if odd */
    {.fault = SIM_FAULT_NO_LENGTH},
    {.fault = SIM_FAULT_CHUNKED},
    {.fault = SIM_FAULT_BYTEWISE},
    {.fault = SIM_FAULT_SLOW, .delay_ms = 200},
};

START_TEST(a_poll_that_fails_is_not_a_failed_prediction)
{
    const struct sim_plan plan = {.model = BRIDGE_MODEL, .official = true, .boot_ms = 10, .run_ms = 10};
    struct http_response response = {0};
    bridge_start(&bridge, &plan, QUICK_POLLS);
    replicate_sim_fault(bridge.sim, SIM_GET, &poll_faults[_i]);
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    ck_assert_uint_eq(chat_case_creates(&bridge), 1);
    ck_assert_uint_eq(replicate_sim_request_count(bridge.sim, SIM_CANCEL), 0);
    http_response_dispose(&response);
}
END_TEST

START_TEST(a_refused_connection_while_polling_is_outlived)
{
    const struct sim_plan plan = {.model = BRIDGE_MODEL, .official = true, .boot_ms = 300};
    struct http_response response = {0};
    bridge_start(&bridge, &plan, QUICK_POLLS);
    struct http_connection *client = chat_case_begin(&bridge, &(struct chat_case){0});
    ck_assert(replicate_sim_wait_created(bridge.sim, 1, daemon_patience_ms()));
    ck_assert(replicate_sim_wait_polls(bridge.sim, 1, daemon_patience_ms()));
    replicate_sim_fault(bridge.sim, SIM_ANY, &(struct sim_fault_spec){.fault = SIM_FAULT_REFUSE, .delay_ms = 700});
    chat_case_finish(&client, &response);
    chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    http_response_dispose(&response);
}
END_TEST

static const struct {
    int status;
    struct chat_error error;
} hopeless[] = {
    {401, {502, "server_error", "upstream_authentication_error", NULL, false, "REPLICATE_API_TOKEN"}},
    {404, {502, "server_error", "upstream_error", NULL, false, NULL}},
};

START_TEST(polls_that_are_refused_again_and_again_end_the_wait_and_the_prediction)
{
    const struct sim_plan plan = {.model = BRIDGE_MODEL, .official = true, .boot_ms = SIM_HOLD};
    struct http_response response = {0};
    bridge_start(&bridge, &plan, QUICK_POLLS);
    replicate_sim_fault(
        bridge.sim, SIM_GET,
        &(struct sim_fault_spec){.fault = SIM_FAULT_STATUS, .status = hopeless[_i].status, .count = SIM_FOREVER});
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_error(&response, &hopeless[_i].error);
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 1, daemon_patience_ms()));
    http_response_dispose(&response);
}
END_TEST

static Suite *predictions_suite(void)
{
    Suite *suite = suite_create("predictions");
    TCase *tcase = tcase_create("words");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, the_status_decides_and_not_the_code_of_the_create, 0, ENDS * CODES);
    tcase_add_loop_test(tcase, an_end_that_the_create_already_tells_needs_no_poll, 0, ENDS * CODES);
    tcase_add_loop_test(tcase, words_that_nobody_knows_yet_mean_to_go_on_waiting, 0, 4);
    tcase_add_test(tcase, an_end_that_nobody_knows_is_none);
    tcase_add_test(tcase, output_seen_while_processing_is_not_yet_an_answer);
    tcase_add_test(tcase, a_create_that_was_held_in_vain_is_polled_for);
    tcase_add_test(tcase, prefer_wait_can_be_turned_off);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("polls");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_poll_that_fails_is_not_a_failed_prediction, 0, LENGTH(poll_faults));
    tcase_add_test(tcase, a_refused_connection_while_polling_is_outlived);
    tcase_add_loop_test(tcase, polls_that_are_refused_again_and_again_end_the_wait_and_the_prediction, 0,
                        LENGTH(hopeless));
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(predictions_suite());
}
