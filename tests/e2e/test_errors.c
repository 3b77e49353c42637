/* Every error that a request without streaming can meet before or at its prediction, as the client sees it: status,
 * type, code, param, headers and message. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "chat_case.h"
#include "check_main.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof *(table)))
#define INVALID "invalid_request_error"
#define CHAT "/v1/chat/completions"
#define SAY "\"messages\":[{\"role\":\"user\",\"content\":\"" CHAT_CASE_PROMPT "\"}]"

static struct bridge bridge;

static void tear_down(void)
{
    chat_case_stop(&bridge);
}

/* ---- the client's own mistakes ---- */

static const struct {
    const char *method, *path, *headers, *body;
    struct chat_error error;
} mistakes[] = {
    {NULL, CHAT, NULL, CHAT_CASE_PROMPT, {400, INVALID, NULL, NULL, false, NULL}},
    {NULL, CHAT, NULL, "{\"model\":\"writer\"," SAY, {400, INVALID, NULL, NULL, false, NULL}},
    {NULL, CHAT, NULL, "{\"model\":\"\xC0\xAF\"," SAY "}", {400, INVALID, NULL, NULL, false, NULL}},
    {NULL, CHAT, NULL, "{\"model\":\"\\ud800\"," SAY "}", {400, INVALID, NULL, NULL, false, NULL}},
    {NULL,
     CHAT,
     NULL,
     "["
     "\"" CHAT_CASE_PROMPT "\"]",
     {400, INVALID, "invalid_type", NULL, false, NULL}},
    {NULL,
     CHAT,
     NULL,
     "{\"model\":\"writer\",\"messages\":[]}",
     {400, INVALID, "invalid_value", "messages", false, "`messages`"}},
    {NULL, CHAT, NULL, "{\"model\":\"writer\"," SAY ",\"n\":129}", {400, INVALID, "invalid_value", "n", false, "128"}},
    {NULL,
     CHAT,
     NULL,
     "{\"model\":\"writer\"}",
     {400, INVALID, "missing_required_parameter", "messages", false, "`messages`"}},
    {NULL, CHAT, NULL, "{" SAY "}", {400, INVALID, "missing_required_parameter", "model", false, "/v1/models"}},
    {NULL,
     CHAT,
     NULL,
     "{\"model\":\"writer\",\"messages\":[{\"role\":\"user\",\"content\":true}]}",
     {400, INVALID, "invalid_type", "messages[0].content", false, "`messages[0].content`"}},
    {NULL,
     CHAT,
     NULL,
     "{\"model\":\"writer\"," SAY ",\"temperature\":3}",
     {400, INVALID, "invalid_value", "temperature", false, "2"}},
    {NULL,
     CHAT,
     NULL,
     "{\"model\":\"writer\"," SAY ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]}",
     {400, INVALID, "unsupported_parameter", "tools", false, "`tools`"}},
    {NULL,
     CHAT,
     NULL,
     "{\"model\":\"writer\"," SAY ",\"logprobs\":true}",
     {400, INVALID, "unsupported_parameter", "logprobs", false, "`logprobs`"}},
    {NULL, CHAT, NULL, "{\"model\":\"nobody\"," SAY "}", {404, INVALID, "model_not_found", "model", false, "`nobody`"}},
    {NULL, "/v1/models/nobody", NULL, NULL, {404, INVALID, "model_not_found", "*", false, "`nobody`"}},
    {NULL, "/v1/chat/complete", NULL, "{}", {404, INVALID, NULL, NULL, false, "/v1/chat/complete"}},
    {"PUT", CHAT, NULL, NULL, {405, INVALID, "method_not_supported", NULL, false, "POST"}},
    {"POST", "/health", NULL, NULL, {405, INVALID, "method_not_supported", NULL, false, "GET"}},
    {NULL,
     CHAT,
     "Content-Length: 2000000\r\nExpect: 100-continue\r\n",
     NULL,
     {413, INVALID, "request_too_large", NULL, false, "max_body"}},
};

START_TEST(a_mistake_of_the_clients_is_told_in_every_detail_and_costs_nothing)
{
    const struct http_request request = {.method = mistakes[_i].error.status == 413 ? "POST" : mistakes[_i].method,
                                         .path = mistakes[_i].path,
                                         .headers = mistakes[_i].headers,
                                         .body = mistakes[_i].body};
    struct http_response response = {0};
    bridge_start(&bridge, NULL, "max_body: 1MiB\nread_schema: false\n");
    ck_assert(http_exchange(bridge.port, &request, &response, daemon_patience_ms()));
    chat_case_expect_error(&response, &mistakes[_i].error);
    chat_case_expect_header(&response, "retry-after", NULL);
    chat_case_expect_header(&response, "x-replicate-prediction-id", NULL);
    if (response.status == 405)
        ck_assert(strstr(response.head, "Allow: ") != NULL);
    ck_assert_uint_eq(replicate_sim_request_count(bridge.sim, SIM_ANY), 0);
    http_response_dispose(&response);
}
END_TEST

/* ---- keys ---- */

static const char keys_config[] = "workers: 1\n"
                                  "replicate: {base_url: \"@SIM@\", token: test-token}\n"
                                  "models: {writer: acme/writer, \"lab/*\": \"acme/*\"}\n"
                                  "keys:\n"
                                  "  - {name: alice, key: test-key-alice, models: [writer]}\n"
                                  "  - {name: bob, key: test-key-bob}\n"
                                  "  - {name: carol, key: test-key-carol, models: [\"lab/*\"]}\n";

static const struct chat_error no_key = {401, INVALID, NULL, NULL, false, "Authorization"};
static const struct chat_error wrong_key = {401, INVALID, "invalid_api_key", NULL, false, NULL};
static const struct chat_error not_allowed = {403, INVALID, "model_not_allowed", "model", false, NULL};

static const struct {
    const char *headers, *model;
    const struct chat_error *error; /* NULL: an answer */
} keys[] = {
    {NULL, "writer", &no_key},
    {"Authorization: Bearer \r\n", "writer", &no_key},
    {"Authorization: Basic dGVzdA==\r\n", "writer", &no_key},
    {"Authorization: Bearer test-key-mallory\r\n", "writer", &wrong_key},
    {"Authorization: Bearer test-key-alic\r\n", "writer", &wrong_key},
    {"Authorization: Bearer test-key-alicee\r\n", "writer", &wrong_key},
    {"Authorization: Bearer TEST-KEY-ALICE\r\n", "writer", &wrong_key},
    {"Authorization: Bearer test-token\r\n", "writer", &wrong_key},
    {"x-api-key: test-key-mallory\r\n", "writer", &wrong_key},
    {"Authorization: Bearer test-key-alice\r\n", "writer", NULL},
    {"authorization: bearer test-key-alice\r\n", "writer", NULL},
    {"x-api-key: test-key-alice\r\n", "writer", NULL},
    {"api-key: test-key-alice\r\n", "writer", NULL},
    {"Authorization: Bearer test-key-alice\r\n", "lab/writer", &not_allowed},
    {"Authorization: Bearer test-key-carol\r\n", "writer", &not_allowed},
    {"Authorization: Bearer test-key-carol\r\n", "lab/writer", NULL},
    {"Authorization: Bearer test-key-bob\r\n", "writer", NULL},
    {"Authorization: Bearer test-key-bob\r\n", "lab/writer", NULL},
};

static void start_with_keys(void)
{
    bridge_start_sim(&bridge);
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = BRIDGE_MODEL, .official = true});
    chat_case_start(&bridge, keys_config);
}

START_TEST(a_key_lets_in_whom_it_should)
{
    struct http_response response = {0};
    start_with_keys();
    chat_case_run(&bridge, &(struct chat_case){.model = keys[_i].model, .headers = keys[_i].headers}, &response);
    if (keys[_i].error == NULL) {
        chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    } else {
        chat_case_expect_error(&response, keys[_i].error);
        ck_assert_msg(strstr(response.body, "test-key") == NULL, "the key is told: %s", response.body);
    }
    ck_assert_uint_eq(chat_case_creates(&bridge), keys[_i].error == NULL ? 1 : 0);
    ck_assert_msg(!daemon_log_contains(bridge.daemon, "test-key"), "the log tells a key");
    http_response_dispose(&response);
}
END_TEST

START_TEST(the_list_of_models_is_guarded_and_health_is_not)
{
    struct http_response response = {0};
    start_with_keys();
    ck_assert_int_eq(bridge_get(&bridge, "/v1/models", &response), 401);
    chat_case_expect_error(&response, &no_key);
    static const char *const open_to_all[] = {
        "/health", "/health/liveliness", "/health/liveness", "/health/readiness", "/healthz", "/readyz", "/metrics"};
    for (int i = 0; i < LENGTH(open_to_all); i++)
        ck_assert_int_eq(bridge_get(&bridge, open_to_all[i], &response), 200);
    http_response_dispose(&response);
}
END_TEST

/* ---- what Replicate says to a create ---- */

static const struct {
    struct sim_fault_spec fault;
    struct chat_error error;
} refusals[] = {
    {{.fault = SIM_FAULT_STATUS, .status = 401},
     {502, "server_error", "upstream_authentication_error", NULL, false, "REPLICATE_API_TOKEN"}},
    {{.fault = SIM_FAULT_STATUS, .status = 403},
     {502, "server_error", "upstream_authentication_error", NULL, false, "REPLICATE_API_TOKEN"}},
    {{.fault = SIM_FAULT_STATUS, .status = 402},
     {429, "insufficient_quota", "insufficient_quota", NULL, false, "credit"}},
    {{.fault = SIM_FAULT_STATUS, .status = 400}, {400, INVALID, "invalid_value", NULL, false, NULL}},
    {{.fault = SIM_FAULT_STATUS, .status = 413}, {400, INVALID, "invalid_value", NULL, false, NULL}},
    {{.fault = SIM_FAULT_STATUS, .status = 500}, {502, "server_error", "upstream_error", NULL, false, "500"}},
    {{.fault = SIM_FAULT_HTML, .status = 502}, {502, "server_error", "upstream_error", NULL, false, "502"}},
    {{.fault = SIM_FAULT_STATUS,
      .status = 422,
      .body = "{\"title\":\"Input validation failed\",\"detail\":\"- input: prompt is required\\n\",\"status\":422,"
              "\"invalid_fields\":[{\"type\":\"required\",\"field\":\"input\",\"description\":\"prompt is "
              "required\"}]}"},
     {400, INVALID, "invalid_value", "messages", false, "prompt is required"}},
    {{.fault = SIM_FAULT_STATUS,
      .status = 422,
      .body = "{\"detail\":\"the token r8_abcdefghijklmnopqrstuvwxyz and test-token are bad\",\"status\":422}"},
     {400, INVALID, "invalid_value", NULL, false, "are bad"}},
};

START_TEST(what_replicate_refuses_is_told_in_every_detail)
{
    struct http_response response = {0};
    bridge_start(&bridge, NULL, "");
    replicate_sim_fault(bridge.sim, SIM_CREATE, &refusals[_i].fault);
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_error(&response, &refusals[_i].error);
    chat_case_expect_header(&response, "retry-after", NULL);
    chat_case_expect_header(&response, "x-replicate-prediction-id", NULL);
    ck_assert_msg(strstr(response.body, "r8_abc") == NULL, "a secret is told: %s", response.body);
    ck_assert_uint_eq(chat_case_creates(&bridge), 1);
    http_response_dispose(&response);
}
END_TEST

/* The model's own schema decides here, and names its own input. */
static const struct {
    const char *more, *param;
} fields[] = {
    {",\"max_tokens\":500", "max_tokens"},
    {",\"max_completion_tokens\":500", "max_completion_tokens"},
    {",\"temperature\":1.5", "temperature"},
    {",\"top_k\":\"many\"", "top_k"},
};

START_TEST(a_field_that_replicate_refuses_is_named_as_the_client_named_it)
{
    static const struct sim_plan plan = {
        .model = BRIDGE_MODEL,
        .official = true,
        .input_schema_json =
            "{\"type\":\"object\",\"required\":[\"prompt\"],\"properties\":{\"prompt\":{\"type\":\"string\"},"
            "\"max_tokens\":{\"type\":\"integer\",\"maximum\":100},\"temperature\":{\"type\":\"number\",\"maximum\":1},"
            "\"top_k\":{\"type\":\"integer\"}}}"};
    const struct chat_error refused = {400, INVALID, "invalid_value", fields[_i].param, false, NULL};
    struct http_response response = {0};
    bridge_start(&bridge, &plan, "read_schema: false\n"); /* with it the values would have been made to fit */
    replicate_sim_expect(bridge.sim, SIM_EXPECT_INVALID, 1);
    chat_case_run(&bridge, &(struct chat_case){.more = fields[_i].more}, &response);
    chat_case_expect_error(&response, &refused);
    http_response_dispose(&response);
}
END_TEST

static const char *const missing[] = {
    "lab/nobody",
    "lab/nobody:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "lab/writer:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "gone",
};

START_TEST(what_replicate_does_not_have_is_not_found)
{
    static const struct chat_error not_found = {404, INVALID, "model_not_found", "*", false, NULL};
    struct http_response response = {0};
    bridge_start_sim(&bridge);
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = BRIDGE_MODEL, .official = true});
    replicate_sim_expect(bridge.sim, SIM_EXPECT_UNKNOWN_PATH, SIM_FOREVER);
    replicate_sim_expect(bridge.sim, SIM_EXPECT_INVALID, SIM_FOREVER);
    chat_case_start(&bridge, "replicate: {base_url: \"@SIM@\", token: test-token}\n"
                             "models: {\"lab/*\": \"acme/*\", gone: deployments/acme/gone}\n");
    chat_case_run(&bridge, &(struct chat_case){.model = missing[_i]}, &response);
    chat_case_expect_error(&response, &not_found);
    http_response_dispose(&response);
}
END_TEST

static Suite *errors_suite(void)
{
    Suite *suite = suite_create("errors");
    TCase *tcase = tcase_create("the client's");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 30);
    tcase_add_loop_test(tcase, a_mistake_of_the_clients_is_told_in_every_detail_and_costs_nothing, 0, LENGTH(mistakes));
    tcase_add_loop_test(tcase, a_key_lets_in_whom_it_should, 0, LENGTH(keys));
    tcase_add_test(tcase, the_list_of_models_is_guarded_and_health_is_not);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("Replicate's");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 30);
    tcase_add_loop_test(tcase, what_replicate_refuses_is_told_in_every_detail, 0, LENGTH(refusals));
    tcase_add_loop_test(tcase, a_field_that_replicate_refuses_is_named_as_the_client_named_it, 0, LENGTH(fields));
    tcase_add_loop_test(tcase, what_replicate_does_not_have_is_not_found, 0, LENGTH(missing));
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(errors_suite());
}
