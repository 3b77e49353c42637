/* The headers of every answer: which request it was, which predictions, what was left out, where the usage comes from.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "chat_case.h"
#include "check_main.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof *(table)))

static struct bridge bridge;

static void tear_down(void)
{
    chat_case_stop(&bridge);
}

/* ---- x-request-id ---- */

static const struct {
    const char *method, *path, *body;
    int status;
} answers[] = {
    {NULL, "/v1/chat/completions",
     "{\"model\":\"writer\",\"messages\":[{\"role\":\"user\",\"content\":\"" CHAT_CASE_PROMPT "\"}]}", 200},
    {NULL, "/v1/chat/completions", "{", 400},
    {NULL, "/v1/models", NULL, 200},
    {NULL, "/models/writer", NULL, 200},
    {"HEAD", "/v1/models", NULL, 200},
    {NULL, "/v1/models/nobody", NULL, 404},
    {NULL, "/nowhere", NULL, 404},
    {"DELETE", "/v1/models", NULL, 405},
    {NULL, "/health", NULL, 200},
    {NULL, "/health/liveliness", NULL, 200},
    {NULL, "/health/liveness", NULL, 200},
    {NULL, "/health/readiness", NULL, 200},
    {NULL, "/healthz", NULL, 200},
    {NULL, "/readyz", NULL, 200},
    {NULL, "/metrics", NULL, 200},
    {"HEAD", "/metrics", NULL, 200},
};

/* Sends the i-th with these headers; the value of x-request-id, which must be there. */
static void ask(int i, const char *headers, char *id, size_t size)
{
    struct http_connection *client = http_connect(bridge.port);
    struct http_response response = {0};
    const struct http_request request = {
        .method = answers[i].method, .path = answers[i].path, .body = answers[i].body, .headers = headers};
    if (answers[i].method != NULL && strcmp(answers[i].method, "HEAD") == 0)
        http_expect_no_body(client);
    ck_assert(http_send_request(client, &request));
    ck_assert(http_read(client, &response, daemon_patience_ms()));
    ck_assert_int_eq(response.status, answers[i].status);
    ck_assert_msg(http_answer_header(&response, "x-request-id", id, size), "no x-request-id");
    char retry[16];
    bool has_retry = http_answer_header(&response, "x-should-retry", retry, sizeof retry);
    ck_assert_int_eq(has_retry, response.status >= 400);
    http_response_dispose(&response);
    http_close(&client);
}

START_TEST(every_answer_has_an_id_of_its_own_that_is_in_the_log)
{
    char first[256], second[256];
    bridge_start(&bridge, NULL, "");
    ask(_i, NULL, first, sizeof first);
    ask(_i, NULL, second, sizeof second);
    ck_assert_uint_ge(strlen(first), 16);
    ck_assert_str_ne(first, second);
    ck_assert_msg(daemon_log_wait(bridge.daemon, first, daemon_patience_ms()), "%s is not in the log", first);
}
END_TEST

START_TEST(every_answer_has_the_clients_own_id_where_it_sent_one)
{
    char id[256];
    bridge_start(&bridge, NULL, "");
    ask(_i, "X-Request-Id: the-client's-own_id/42\r\n", id, sizeof id);
    ck_assert_str_eq(id, "the-client's-own_id/42");
    ck_assert(daemon_log_wait(bridge.daemon, "the-client's-own_id/42", daemon_patience_ms()));
}
END_TEST

#define FIFTY "01234567890123456789012345678901234567890123456789"

static const struct {
    const char *id;
    bool is_kept;
} ids[] = {
    {"!", true},
    {"~", true},
    {FIFTY FIFTY "0123456789012345678901234567", true},
    {FIFTY FIFTY "01234567890123456789012345678", false},
    {FIFTY FIFTY FIFTY FIFTY FIFTY, false},
    {"", false},
    {"two words", false},
    {"tab\tbed", false},
    {"caf\xC3\xA9", false},
    {"\x7f", false},
    {"bell\x07", false},
};

START_TEST(an_id_that_cannot_stand_in_a_header_is_replaced)
{
    char id[256], *header = xasprintf("x-request-id: %s\r\n", ids[_i].id);
    bridge_start(&bridge, NULL, "");
    ask(0, header, id, sizeof id);
    free(header);
    if (ids[_i].is_kept)
        ck_assert_str_eq(id, ids[_i].id);
    else
        ck_assert_msg(strcmp(id, ids[_i].id) != 0 && strncmp(id, "req_", 4) == 0, "the id is \"%s\"", id);
}
END_TEST

/* ---- predictions ---- */

START_TEST(the_predictions_are_named_in_the_order_of_their_choices)
{
    static const struct sim_plan plan = {.model = BRIDGE_MODEL, .official = true};
    struct http_response response = {0};
    char expected[1024], ids_text[1024];
    bridge_start(&bridge, &plan, "");
    chat_case_run(&bridge, &(struct chat_case){.more = _i == 0 ? "" : ",\"n\":3"}, &response);
    ck_assert_int_eq(response.status, 200);
    ck_assert(http_answer_header(&response, "x-replicate-prediction-id", ids_text, sizeof ids_text));
    size_t length = 0, count = _i == 0 ? 1 : 3;
    for (size_t i = 0; i < count; i++) {
        const char *id = chat_case_prediction(&bridge, i).id;
        ck_assert_msg(strstr(ids_text, id) != NULL, "%s is not in %s", id, ids_text);
        length += strlen(id) + (i > 0 ? 2 : 0);
    }
    ck_assert_uint_eq(strlen(ids_text), length);
    json_t *body = bridge_json(&response);
    ck_assert_uint_eq(json_array_size(json_object_get(body, "choices")), count);
    json_decref(body);
    snprintf(expected, sizeof expected, "%.20s", ids_text);
    ck_assert(daemon_log_wait(bridge.daemon, expected, daemon_patience_ms()));
    http_response_dispose(&response);
}
END_TEST

/* ---- what was left out ---- */

static const struct {
    const char *more, *ignored; /* ignored: NULL = nothing */
} left_out[] = {
    {"", NULL},
    {",\"user\":\"u\",\"store\":true,\"metadata\":{},\"service_tier\":\"auto\",\"stream_options\":null", NULL},
    {",\"temperature\":0.5,\"top_p\":0.5,\"max_tokens\":10", NULL},
    {",\"verbosity\":\"low\"", "verbosity"},
    {",\"no_such_thing\":1", "no_such_thing"},
    {",\"logit_bias\":{},\"verbosity\":\"low\",\"no_such_thing\":1", "~verbosity, no_such_thing"},
    {",\"stop\":[\"END\"],\"n\":1", NULL},
};

START_TEST(what_was_left_out_is_named)
{
    struct http_response response = {0};
    char value[256];
    bridge_start(&bridge, NULL, "");
    chat_case_run(&bridge, &(struct chat_case){.more = left_out[_i].more}, &response);
    chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    const char *expected = left_out[_i].ignored;
    if (expected != NULL && expected[0] == '~') {
        ck_assert(http_answer_header(&response, "x-replibridge-ignored", value, sizeof value));
        ck_assert_msg(strstr(value, expected + 1) != NULL, "%s is not in %s", expected + 1, value);
    } else {
        chat_case_expect_header(&response, "x-replibridge-ignored", expected);
    }
    http_response_dispose(&response);
}
END_TEST

START_TEST(with_strict_params_what_would_be_left_out_is_refused)
{
    static const struct chat_error refused = {400,   "invalid_request_error", "unsupported_parameter", "verbosity",
                                              false, "strict_params"};
    struct http_response response = {0};
    bridge_start(&bridge, NULL, "strict_params: true\n");
    chat_case_run(&bridge, &(struct chat_case){.more = ",\"verbosity\":\"low\""}, &response);
    chat_case_expect_error(&response, &refused);
    ck_assert_uint_eq(chat_case_creates(&bridge), 0);
    chat_case_run(&bridge, &(struct chat_case){.more = ",\"user\":\"u\",\"temperature\":1"}, &response);
    chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    http_response_dispose(&response);
}
END_TEST

/* ---- usage ---- */

static const struct {
    enum sim_tokens tokens;
    const char *source, *more;
} usages[] = {
    {SIM_TOKENS_METRICS, "reported", ""},
    {SIM_TOKENS_OLD_METRICS, "reported", ""},
    {SIM_TOKENS_LOGS, "reported", ""},
    {SIM_TOKENS_NONE, "estimated", ""},
    {SIM_TOKENS_METRICS, "reported", ",\"n\":2"},
    {SIM_TOKENS_NONE, "estimated", ",\"n\":2"},
};

START_TEST(where_the_usage_comes_from_is_said)
{
    static const char *const pieces[] = {"one two ", "three ", "four five"};
    const struct sim_plan plan = {
        .model = BRIDGE_MODEL, .official = true, .tokens = usages[_i].tokens, .pieces = pieces, .piece_count = 3};
    struct http_response response = {0};
    bridge_start(&bridge, &plan, "");
    chat_case_run(&bridge, &(struct chat_case){.more = usages[_i].more}, &response);
    chat_case_expect_text(&response, "one two three four five");
    chat_case_expect_header(&response, "x-replibridge-usage", usages[_i].source);
    json_t *body = bridge_json(&response);
    const json_t *usage = json_object_get(body, "usage");
    json_int_t given = json_integer_value(json_object_get(usage, "prompt_tokens"));
    json_int_t made = json_integer_value(json_object_get(usage, "completion_tokens"));
    ck_assert_int_gt(given, 0);
    ck_assert_int_gt(made, 0);
    ck_assert_int_eq(json_integer_value(json_object_get(usage, "total_tokens")), given + made);
    if (strcmp(usages[_i].source, "reported") == 0) /* five words a choice */
        ck_assert_int_eq(made, usages[_i].more[0] == '\0' ? 5 : 10);
    json_decref(body);
    http_response_dispose(&response);
}
END_TEST

START_TEST(an_error_has_no_usage)
{
    static const struct sim_plan fails = {
        .model = BRIDGE_MODEL, .official = true, .end_status = "failed", .tokens = SIM_TOKENS_METRICS};
    struct http_response response = {0};
    bridge_start(&bridge, &fails, "");
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    ck_assert_int_eq(response.status, 422);
    chat_case_expect_header(&response, "x-replibridge-usage", NULL);
    http_response_dispose(&response);
}
END_TEST

/* ---- one connection ---- */

START_TEST(a_connection_goes_on_after_every_kind_of_answer)
{
    static const struct chat_case requests[] = {{0},
                                                {.model = "nobody"},
                                                {0},
                                                {.more = ",\"n\":0"},
                                                {.more = ",\"verbosity\":\"low\""},
                                                {.headers = "X-Request-Id: the-third\r\n"},
                                                {0}};
    static const int statuses[] = {200, 404, 200, 400, 200, 200, 200};
    struct http_response response = {0};
    bridge_start(&bridge, NULL, "");
    struct http_connection *client = http_connect(bridge.port);
    for (int i = 0; i < LENGTH(requests); i++) {
        chat_case_run_on(client, &requests[i], &response);
        ck_assert_msg(response.status == statuses[i], "request %d: status %d: %s", i, response.status, response.body);
        /* Nothing of the request before clings to the connection. */
        chat_case_expect_header(&response, "x-replibridge-ignored", i == 4 ? "verbosity" : NULL);
        char id[64];
        http_answer_header(&response, "x-request-id", id, sizeof id);
        ck_assert_int_eq(strcmp(id, "the-third") == 0, i == 5);
    }
    http_response_dispose(&response);
    http_close(&client);
}
END_TEST

/* A failed prediction, a lost create and a passed deadline are answers too. A limit that is used up is so for the next
 * request as well. */
static const struct {
    struct sim_fault_spec fault;
    int status, next_status;
} upstream[] = {{{.fault = SIM_FAULT_STATUS, .status = 500}, 502, 200},
                {{.fault = SIM_FAULT_RESET}, 502, 200},
                {{.fault = SIM_FAULT_STATUS, .status = 402}, 429, 200},
                {{.fault = SIM_FAULT_STATUS, .status = 429, .retry_after_s = 60}, 429, 429},
                {{.fault = SIM_FAULT_SILENT}, 504, 200}};

START_TEST(a_connection_goes_on_after_an_error_of_replicates)
{
    struct http_response response = {0};
    bridge_start(&bridge, NULL, "timeout: 1s\ndrain_timeout: 100ms\n");
    replicate_sim_fault(bridge.sim, SIM_CREATE, &upstream[_i].fault);
    struct http_connection *client = http_connect(bridge.port);
    chat_case_run_on(client, &(struct chat_case){0}, &response);
    ck_assert_int_eq(response.status, upstream[_i].status);
    chat_case_run_on(client, &(struct chat_case){0}, &response);
    ck_assert_int_eq(response.status, upstream[_i].next_status);
    if (response.status == 200)
        chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    ck_assert_uint_eq(chat_case_creates(&bridge), upstream[_i].next_status == 200 ? 2 : 1);
    http_response_dispose(&response);
    http_close(&client);
}
END_TEST

static Suite *headers_suite(void)
{
    Suite *suite = suite_create("headers");
    TCase *tcase = tcase_create("ids");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 30);
    tcase_add_loop_test(tcase, every_answer_has_an_id_of_its_own_that_is_in_the_log, 0, LENGTH(answers));
    tcase_add_loop_test(tcase, every_answer_has_the_clients_own_id_where_it_sent_one, 0, LENGTH(answers));
    tcase_add_loop_test(tcase, an_id_that_cannot_stand_in_a_header_is_replaced, 0, LENGTH(ids));
    tcase_add_loop_test(tcase, the_predictions_are_named_in_the_order_of_their_choices, 0, 2);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("the request");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 30);
    tcase_add_loop_test(tcase, what_was_left_out_is_named, 0, LENGTH(left_out));
    tcase_add_test(tcase, with_strict_params_what_would_be_left_out_is_refused);
    tcase_add_loop_test(tcase, where_the_usage_comes_from_is_said, 0, LENGTH(usages));
    tcase_add_test(tcase, an_error_has_no_usage);
    tcase_add_test(tcase, a_connection_goes_on_after_every_kind_of_answer);
    tcase_add_loop_test(tcase, a_connection_goes_on_after_an_error_of_replicates, 0, LENGTH(upstream));
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(headers_suite());
}
