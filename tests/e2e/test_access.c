/* Who may ask, and with whose token: clients that bring their own Replicate token, keys as hashes, keys that ended,
 * addresses; and what the log tells of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/json.h"
#include "chat_case.h"
#include "check_main.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof *(table)))
#define INVALID "invalid_request_error"
#define BRINGS "Authorization: Bearer test-token\r\n"

/* The hash of "test-key-alice". */
#define ALICE "sha256:ad77f83d5d5b9a3b738cfc75982ec0460450b94aa1bac0f16451a1142c89c4c8"

static const char passthrough[] = "workers: 2\n"
                                  "replicate: {base_url: \"@SIM@\", token: passthrough}\n"
                                  "models: {writer: acme/writer}\n";

static struct bridge bridge;

static void tear_down(void)
{
    chat_case_stop(&bridge);
}

static void start(const struct sim_plan *plan, const char *config)
{
    static const struct sim_plan quick = {.model = BRIDGE_MODEL, .official = true};
    bridge_start_sim(&bridge);
    replicate_sim_plan(bridge.sim, plan != NULL ? plan : &quick);
    chat_case_start(&bridge, config);
}

/* ---- tokens that clients bring ---- */

static const struct {
    const char *headers, *more;
} ways[] = {
    {BRINGS, NULL},
    {"x-api-key: test-token\r\n", NULL},
    {"api-key: test-token\r\n", NULL},
    {"Authorization: Bearer placeholder\r\nX-Replicate-Token: test-token\r\n", NULL},
    {BRINGS, ",\"stream\":true"},
};

/* The simulated Replicate takes no other token, and complains at the end of any request that had another. The model
 * is of the community and boots for a while: so its schema, its version, creates and polls all need the token. */
START_TEST(a_client_s_own_token_goes_wherever_one_is_needed)
{
    static const struct sim_plan plan = {.model = BRIDGE_MODEL, .boot_ms = 300, .run_ms = 300};
    struct http_response response = {0};
    start(&plan, passthrough);
    chat_case_run(&bridge, &(struct chat_case){.headers = ways[_i].headers, .more = ways[_i].more}, &response);
    ck_assert_int_eq(response.status, 200);
    ck_assert_ptr_nonnull(strstr(response.body, CHAT_CASE_PROMPT));
    http_response_dispose(&response);
}
END_TEST

START_TEST(a_client_s_own_token_uploads_and_deletes_its_files)
{
    enum { FILE_DIGITS = 400 * 1024 }; /* more than may stand in an input */
    static const struct sim_plan plan = {.model = BRIDGE_MODEL,
                                         .official = true,
                                         .input_schema_json =
                                             "{\"properties\":{\"prompt\":{\"type\":\"string\"},\"image\":{"
                                             "\"type\":\"string\",\"format\":\"uri\"}}}"};
    struct http_response response = {0};
    char *digits = xmalloc(FILE_DIGITS + 1);
    memset(digits, 'A', FILE_DIGITS);
    digits[FILE_DIGITS] = '\0';
    char *body = xasprintf("{\"model\":\"writer\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
                           "\"text\":\"hi\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,"
                           "%s\"}}]}]}",
                           digits);
    start(&plan, passthrough);
    const struct http_request request = {.path = "/v1/chat/completions", .headers = BRINGS, .body = body};
    ck_assert(http_exchange(bridge.port, &request, &response, daemon_patience_ms()));
    ck_assert_msg(response.status == 200, "%.500s", response.body);
    ck_assert_uint_ge(replicate_sim_request_count(bridge.sim, SIM_FILES), 1);
    http_response_dispose(&response);
    free(digits);
    free(body);
}
END_TEST

START_TEST(a_client_that_leaves_cancels_with_its_own_token)
{
    static const struct sim_plan held = {.model = BRIDGE_MODEL, .official = true, .boot_ms = SIM_HOLD};
    start(&held, passthrough);
    struct http_connection *client = chat_case_begin(&bridge, &(struct chat_case){.headers = BRINGS});
    ck_assert(replicate_sim_wait_created(bridge.sim, 1, daemon_patience_ms()));
    http_close(&client);
    ck_assert(replicate_sim_wait_idle(bridge.sim, daemon_patience_ms()));
    ck_assert_str_eq(chat_case_prediction(&bridge, 0).status, "canceled");
}
END_TEST

START_TEST(without_a_token_nothing_is_asked_of_replicate)
{
    static const struct chat_error no_token = {401, INVALID, NULL, NULL, false, "Replicate token"};
    struct http_response response = {0};
    start(NULL, passthrough);
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_error(&response, &no_token);
    ck_assert_uint_eq(replicate_sim_request_count(bridge.sim, SIM_ANY), 0);
    http_response_dispose(&response);
}
END_TEST

START_TEST(a_token_that_replicate_refuses_is_a_401_for_the_client)
{
    static const struct chat_error refused = {401,  INVALID, "invalid_api_key",
                                              NULL, false,   "does not accept the token"};
    struct http_response response = {0};
    start(NULL, passthrough);
    replicate_sim_expect(bridge.sim, SIM_EXPECT_UNAUTHORIZED, SIM_FOREVER);
    chat_case_run(&bridge, &(struct chat_case){.headers = "Authorization: Bearer r8_hidden\r\n"}, &response);
    chat_case_expect_error(&response, &refused);
    ck_assert(!daemon_log_contains(bridge.daemon, "r8_hidden"));
    http_response_dispose(&response);
}
END_TEST

/* The status page, once it shows that. */
static void wait_page(const char *part, struct http_response *page)
{
    int64_t until_ms = clock_now_ms() + daemon_patience_ms();
    do {
        http_response_dispose(page);
        *page = (struct http_response){0};
        ck_assert_int_eq(bridge_get(&bridge, "/", page), 200);
    } while (strstr(page->body, part) == NULL && clock_now_ms() < until_ms);
    ck_assert_msg(strstr(page->body, part) != NULL, "the page never shows %s", part);
}

/* As the name of a model, and in a path. */
START_TEST(a_token_in_the_wrong_place_is_neither_logged_nor_shown)
{
    struct http_response response = {0}, page = {0};
    start(NULL, passthrough);
    bridge_chat(&bridge, "r8_hidden1", "hi", &response);
    ck_assert_int_eq(response.status, 404);
    http_response_dispose(&response);
    ck_assert_int_eq(bridge_get(&bridge, "/v1/models/r8_hidden2", NULL), 404);
    ck_assert_int_eq(bridge_get(&bridge, "/r8_hidden3", NULL), 404);
    wait_page("404 unknown_path", &page);
    ck_assert(daemon_log_wait(bridge.daemon, "\"path\":\"/***\"", daemon_patience_ms()));
    ck_assert(!daemon_log_contains(bridge.daemon, "r8_hidden"));
    ck_assert_ptr_null(strstr(page.body, "r8_hidden"));
    http_response_dispose(&page);
}
END_TEST

/* The status page tells of a model's health, and the next client may have all the credit there is. */
START_TEST(a_client_without_credit_does_not_spoil_the_health_of_a_model)
{
    static const struct sim_fault_spec no_credit = {.fault = SIM_FAULT_STATUS, .status = 402};
    struct http_response response = {0}, page = {0};
    start(NULL, passthrough);
    replicate_sim_fault(bridge.sim, SIM_CREATE, &no_credit);
    chat_case_run(&bridge, &(struct chat_case){.headers = BRINGS}, &response);
    ck_assert_int_eq(response.status, 429);
    http_response_dispose(&response);
    wait_page("429 insufficient_quota", &page);
    ck_assert_ptr_nonnull(strstr(page.body, "not used yet"));
    http_response_dispose(&page);
}
END_TEST

START_TEST(beside_keys_the_token_has_its_own_header_and_the_key_is_not_sent_on)
{
    static const struct chat_error no_token = {401, INVALID, NULL, NULL, false, "X-Replicate-Token"};
    struct http_response response = {0};
    char *config = xasprintf("%skeys: [{name: alice, key: \"" ALICE "\"}]\n", passthrough);
    start(NULL, config);
    chat_case_run(&bridge, &(struct chat_case){.headers = "x-api-key: test-key-alice\r\n"}, &response);
    chat_case_expect_error(&response, &no_token);
    http_response_dispose(&response);
    chat_case_run(&bridge,
                  &(struct chat_case){.headers = "x-api-key: test-key-alice\r\nX-Replicate-Token: test-token\r\n"},
                  &response);
    chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    ck_assert(!daemon_log_contains(bridge.daemon, "test-key-alice"));
    http_response_dispose(&response);
    free(config);
}
END_TEST

START_TEST(a_configuration_with_passthrough_is_checked_without_a_token)
{
    bridge_start_sim(&bridge);
    bridge.daemon = daemon_spawn(&(struct daemon_options){.config = "replicate: {token: passthrough}\n"
                                                                    "models: {writer: acme/writer}\n",
                                                          .arguments = (const char *[]){"--check", NULL}});
    ck_assert_int_eq(daemon_wait_exit(bridge.daemon, daemon_patience_ms()), 0);
}
END_TEST

/* ---- keys ---- */

static const char keys_config[] = "workers: 1\n"
                                  "replicate: {base_url: \"@SIM@\", token: test-token}\n"
                                  "models: {writer: acme/writer}\n"
                                  "keys:\n"
                                  "  - {name: alice, key: \"" ALICE "\", expires: 2999-12-31}\n"
                                  "  - {name: bob, key: test-key-bob, expires: \"2020-01-01T00:00:00Z\"}\n";

static const struct chat_error expired = {401, INVALID, "invalid_api_key", NULL, false, "has expired"};
static const struct chat_error wrong_key = {401, INVALID, "invalid_api_key", NULL, false, "Incorrect API key"};

static const struct {
    const char *headers;
    const struct chat_error *error; /* NULL: an answer */
} visitors[] = {
    {"Authorization: Bearer test-key-alice\r\n", NULL},
    {"Authorization: Bearer test-key-bob\r\n", &expired},
    {"Authorization: Bearer " ALICE "\r\n", &wrong_key},
};

START_TEST(a_key_is_known_by_its_hash_until_it_ends)
{
    struct http_response response = {0};
    start(NULL, keys_config);
    ck_assert(daemon_log_contains(bridge.daemon, "this key has expired"));
    chat_case_run(&bridge, &(struct chat_case){.headers = visitors[_i].headers}, &response);
    if (visitors[_i].error == NULL)
        chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    else
        chat_case_expect_error(&response, visitors[_i].error);
    http_response_dispose(&response);
}
END_TEST

/* ---- addresses ---- */

static const struct {
    const char *more, *headers;
    bool is_allowed;
} places[] = {
    {"allowed_ips: [127.0.0.1]\n", NULL, true},
    {"allowed_ips: [10.0.0.0/8, \"::1\"]\n", NULL, false},
    {"allowed_ips: 10.0.0.0/8\n", "X-Forwarded-For: 10.1.1.1\r\n", false},
    {"allowed_ips: 10.0.0.0/8\nuse_x_forwarded_for: true\n", "X-Forwarded-For: 10.1.1.1\r\n", true},
    {"allowed_ips: 10.0.0.0/8\nuse_x_forwarded_for: true\n", "X-Forwarded-For: 10.1.1.1, 192.0.2.9\r\n", false},
    {"allowed_ips: 10.0.0.0/8\nuse_x_forwarded_for: true\n",
     "X-Forwarded-For: 10.1.1.1\r\nX-Forwarded-For: 192.0.2.9\r\n", false},
    {"allowed_ips: 10.0.0.0/8\nuse_x_forwarded_for: true\n",
     "X-Forwarded-For: 192.0.2.9\r\nx-forwarded-for: 10.1.1.1\r\n", true},
};

START_TEST(only_addresses_of_the_list_are_served_and_probes_always)
{
    static const struct chat_error denied = {403, INVALID, "ip_not_allowed", NULL, false, "allowed_ips"};
    struct http_response response = {0};
    bridge_start(&bridge, NULL, places[_i].more);
    chat_case_run(&bridge, &(struct chat_case){.headers = places[_i].headers}, &response);
    if (places[_i].is_allowed)
        chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    else
        chat_case_expect_error(&response, &denied);
    http_response_dispose(&response);
    ck_assert_int_eq(bridge_get(&bridge, "/healthz", NULL), 200);
    ck_assert_int_eq(bridge_get(&bridge, "/health/readiness", NULL), 200);
}
END_TEST

/* ---- the log ---- */

/* The line of this event; the test fails when there is none. The caller lets go of it. */
static json_t *log_line(const char *event)
{
    char *mark = xasprintf("\"event\":\"%s\"", event);
    ck_assert_msg(daemon_log_wait(bridge.daemon, mark, daemon_patience_ms()), "no line %s", event);
    char *log = daemon_log(bridge.daemon), *begin = strstr(log, mark), *end = strchr(begin, '\n');
    ck_assert_ptr_nonnull(end);
    while (begin > log && begin[-1] != '\n')
        begin--;
    struct error err = {0};
    json_t *line = json_parse(begin, (size_t)(end - begin), &err);
    ck_assert_msg(line != NULL, "%s", err.message);
    free(log);
    free(mark);
    return line;
}

START_TEST(a_line_tells_where_the_time_of_a_request_went)
{
    static const char *const moments[] = {"queued_ms",      "started_ms",  "created_ms", "booted_ms",
                                          "first_piece_ms", "finished_ms", "total_ms"};
    static const struct sim_plan plan = {
        .model = BRIDGE_MODEL, .official = true, .boot_ms = 300, .run_ms = 300, .tokens = SIM_TOKENS_METRICS};
    struct http_response response = {0};
    bridge_start(&bridge, &plan, "");
    chat_case_run(&bridge, &(struct chat_case){.more = ",\"stream\":true"}, &response);
    json_t *line = log_line("request");
    json_int_t before = 0;
    for (int i = 0; i < LENGTH(moments); i++) {
        const json_t *moment = json_object_get(line, moments[i]);
        ck_assert_msg(json_is_integer(moment), "no %s", moments[i]);
        ck_assert_msg(json_integer_value(moment) >= before, "%s is before the one before", moments[i]);
        before = json_integer_value(moment);
    }
    ck_assert_str_eq(json_text(line, "usage"), "reported");
    ck_assert_int_gt(json_integer_value(json_object_get(line, "output_tokens")), 0);
    ck_assert_int_gt(json_integer_value(json_object_get(line, "bytes_in")), 0);
    json_decref(line);
    http_response_dispose(&response);
}
END_TEST

START_TEST(with_log_prompts_a_line_tells_what_was_asked)
{
    struct http_response response = {0};
    bridge_start_sim(&bridge);
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = BRIDGE_MODEL, .official = true});
    chat_case_start(&bridge, "replicate: {base_url: \"@SIM@\", token: test-token}\nmodels: {writer: acme/writer}\n"
                             "log: {prompts: true}\n");
    bridge_chat(&bridge, "writer", "what-is-asked, and r8_hidden", &response);
    json_t *line = log_line("prompt");
    ck_assert_ptr_nonnull(strstr(json_text(line, "prompt"), "user: what-is-asked, and "));
    ck_assert(!daemon_log_contains(bridge.daemon, "r8_hidden"));
    json_decref(line);
    http_response_dispose(&response);
}
END_TEST

/* What a browser sends for a page of elsewhere without asking first, what it asks first for, and what is no browser. */
static const struct {
    const char *headers;
    int status;
} pages[] = {
    {"Origin: http://evil.example\r\nContent-Type: text/plain\r\n", 400},
    {"Origin: http://evil.example\r\nContent-Type: text/plain; application/json\r\n", 400},
    {"Origin: null\r\nContent-Type: application/x-www-form-urlencoded\r\n", 400},
    {"Origin: http://evil.example\r\nContent-Type: application/json\r\n", 200},
    {"Origin: http://chat.example\r\nContent-Type: text/plain\r\n", 200},
    {"Content-Type: text/plain\r\n", 200},
};

START_TEST(a_web_page_of_elsewhere_runs_nothing_behind_its_visitor_s_back)
{
    struct http_response response = {0};
    char *body = bridge_chat_body("writer", "hi", "");
    bridge_start(&bridge, NULL, "cors_origins: [\"http://chat.example\"]\n");
    const struct http_request request = {.path = "/v1/chat/completions", .headers = pages[_i].headers, .body = body};
    ck_assert(http_exchange(bridge.port, &request, &response, daemon_patience_ms()));
    ck_assert_int_eq(response.status, pages[_i].status);
    ck_assert_uint_eq(replicate_sim_request_count(bridge.sim, SIM_CREATE), pages[_i].status == 200 ? 1 : 0);
    http_response_dispose(&response);
    free(body);
}
END_TEST

static Suite *access_suite(void)
{
    Suite *suite = suite_create("access");
    TCase *tcase = tcase_create("access");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_add_loop_test(tcase, a_client_s_own_token_goes_wherever_one_is_needed, 0, LENGTH(ways));
    tcase_add_test(tcase, a_client_s_own_token_uploads_and_deletes_its_files);
    tcase_add_test(tcase, a_client_that_leaves_cancels_with_its_own_token);
    tcase_add_test(tcase, without_a_token_nothing_is_asked_of_replicate);
    tcase_add_test(tcase, a_token_that_replicate_refuses_is_a_401_for_the_client);
    tcase_add_test(tcase, a_token_in_the_wrong_place_is_neither_logged_nor_shown);
    tcase_add_test(tcase, a_client_without_credit_does_not_spoil_the_health_of_a_model);
    tcase_add_test(tcase, beside_keys_the_token_has_its_own_header_and_the_key_is_not_sent_on);
    tcase_add_test(tcase, a_configuration_with_passthrough_is_checked_without_a_token);
    tcase_add_loop_test(tcase, a_key_is_known_by_its_hash_until_it_ends, 0, LENGTH(visitors));
    tcase_add_loop_test(tcase, only_addresses_of_the_list_are_served_and_probes_always, 0, LENGTH(places));
    tcase_add_test(tcase, a_line_tells_where_the_time_of_a_request_went);
    tcase_add_test(tcase, with_log_prompts_a_line_tells_what_was_asked);
    tcase_add_loop_test(tcase, a_web_page_of_elsewhere_runs_nothing_behind_its_visitor_s_back, 0, LENGTH(pages));
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(access_suite());
}
