/* A create costs money: it is sent again only where surely nothing was created. And where it is sent: its three paths,
 * its headers, and the look-up of a community model's version. */
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

/* ---- once ---- */

static const struct chat_error lost = {502, "server_error", "upstream_error", NULL, false, NULL};

static const struct sim_fault_spec lost_creates[] = {
    {.fault = SIM_FAULT_RESET},
    {.fault = SIM_FAULT_RESET_AFTER},
    {.fault = SIM_FAULT_CLOSE_BEFORE_HEADERS},
    {.fault = SIM_FAULT_READ_AND_CLOSE},
    {.fault = SIM_FAULT_CLOSE_IN_HEADERS},
    {.fault = SIM_FAULT_CUT_BODY},
    {.fault = SIM_FAULT_LENGTH_TOO_LONG},
    {.fault = SIM_FAULT_LENGTH_TOO_SHORT},
    {.fault = SIM_FAULT_INVALID_JSON},
    {.fault = SIM_FAULT_INVALID_JSON, .body = "{\"id\":7,\"status\":\"starting\"}"},
    {.fault = SIM_FAULT_INVALID_JSON, .body = "{\"id\":\"../../account\",\"status\":\"starting\"}"},
    {.fault = SIM_FAULT_INVALID_JSON, .body = "[]"},
    {.fault = SIM_FAULT_HTML, .status = 502},
    {.fault = SIM_FAULT_HTML, .status = 200},
    {.fault = SIM_FAULT_STATUS, .status = 500},
    {.fault = SIM_FAULT_STATUS, .status = 502},
    {.fault = SIM_FAULT_STATUS, .status = 503},
    {.fault = SIM_FAULT_STATUS, .status = 503, .headers = "Retry-After: 1\r\n"},
    {.fault = SIM_FAULT_STATUS, .status = 504},
    {.fault = SIM_FAULT_STATUS, .status = 599},
    {.fault = SIM_FAULT_STATUS, .status = 302, .headers = "Location: /v1/predictions\r\n"},
    {.fault = SIM_FAULT_STATUS_AFTER, .status = 500},
    {.fault = SIM_FAULT_STATUS_AFTER, .status = 504},
    {.fault = SIM_FAULT_HUGE_BODY},
};

START_TEST(a_create_whose_answer_is_lost_or_broken_is_never_sent_again)
{
    struct http_response response = {0};
    bridge_start(&bridge, NULL, "");
    replicate_sim_fault(bridge.sim, SIM_CREATE, &lost_creates[_i]);
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_error(&response, &lost);
    chat_case_expect_header(&response, "retry-after", NULL);
    /* The next request is another matter, and creates anew: nothing of the first is left. */
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    ck_assert_uint_eq(chat_case_creates(&bridge), 2);
    http_response_dispose(&response);
}
END_TEST

/* A create on a connection that was kept and breaks now: HTTP libraries like to send that again by themselves. */
START_TEST(nor_is_a_create_on_a_kept_connection)
{
    static const enum sim_fault faults[] = {SIM_FAULT_CLOSE_BEFORE_HEADERS, SIM_FAULT_RESET, SIM_FAULT_READ_AND_CLOSE,
                                            SIM_FAULT_RESET_AFTER};
    struct http_response response = {0};
    bridge_start(&bridge, NULL, "");
    struct http_connection *client = http_connect(bridge.port);
    chat_case_run_on(client, &(struct chat_case){0}, &response);
    chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    replicate_sim_fault(bridge.sim, SIM_CREATE, &(struct sim_fault_spec){.fault = faults[_i]});
    chat_case_run_on(client, &(struct chat_case){0}, &response);
    chat_case_expect_error(&response, &lost);
    ck_assert_uint_eq(chat_case_creates(&bridge), 2);
    size_t requests = replicate_sim_request_count(bridge.sim, SIM_ANY);
    uint64_t before = replicate_sim_request(bridge.sim, SIM_ANY, requests - 2)->connection;
    ck_assert_msg(replicate_sim_request(bridge.sim, SIM_ANY, requests - 1)->connection == before,
                  "the second create had a new connection, so this proves nothing");
    http_response_dispose(&response);
    http_close(&client);
}
END_TEST

START_TEST(a_create_that_is_never_answered_ends_at_the_deadline)
{
    static const struct chat_error late = {504, "server_error", "timeout", NULL, false, "raise timeout"};
    struct http_response response = {0};
    bridge_start(&bridge, NULL, "timeout: 400ms\ndrain_timeout: 100ms\n");
    replicate_sim_fault(bridge.sim, SIM_CREATE, &(struct sim_fault_spec){.fault = SIM_FAULT_SILENT});
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_error(&response, &late);
    ck_assert_uint_eq(chat_case_creates(&bridge), 1);
    http_response_dispose(&response);
}
END_TEST

static const struct sim_fault_spec odd_creates[] = {
    {.fault = SIM_FAULT_NO_LENGTH},
    {.fault = SIM_FAULT_CHUNKED},
    {.fault = SIM_FAULT_BYTEWISE},
    {.fault = SIM_FAULT_SLOW, .delay_ms = 300},
};

START_TEST(an_odd_but_valid_answer_to_a_create_is_understood)
{
    struct http_response response = {0};
    bridge_start(&bridge, NULL, "");
    replicate_sim_fault(bridge.sim, SIM_CREATE, &odd_creates[_i]);
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    ck_assert_uint_eq(chat_case_creates(&bridge), 1);
    http_response_dispose(&response);
}
END_TEST

/* ---- again ---- */

START_TEST(a_refused_connection_is_tried_again)
{
    struct http_response response = {0};
    bridge_start(&bridge, NULL, "");
    replicate_sim_fault(bridge.sim, SIM_ANY, &(struct sim_fault_spec){.fault = SIM_FAULT_REFUSE, .delay_ms = 300});
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    ck_assert_uint_eq(chat_case_creates(&bridge), 1);
    http_response_dispose(&response);
}
END_TEST

START_TEST(a_replicate_that_stays_unreachable_is_told)
{
    static const struct chat_error unreachable = {503, "server_error", "upstream_unavailable", NULL, true, NULL};
    struct http_response response = {0};
    bridge_start(&bridge, NULL, "  retries: 1\n");
    replicate_sim_fault(bridge.sim, SIM_ANY, &(struct sim_fault_spec){.fault = SIM_FAULT_REFUSE});
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_error(&response, &unreachable);
    chat_case_expect_header(&response, "x-replicate-prediction-id", NULL);
    replicate_sim_clear_faults(bridge.sim);
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    ck_assert_uint_eq(chat_case_creates(&bridge), 1);
    http_response_dispose(&response);
}
END_TEST

static const struct sim_fault_spec short_throttles[] = {
    {.fault = SIM_FAULT_STATUS, .status = 429, .retry_after_s = 1, .throttle = SIM_THROTTLE_LOW_CREDIT},
    {.fault = SIM_FAULT_STATUS, .status = 429, .retry_after_s = 1, .throttle = SIM_THROTTLE_SHORT},
    {.fault = SIM_FAULT_STATUS, .status = 429, .retry_after_s = 1, .throttle = SIM_THROTTLE_OLD},
    {.fault = SIM_FAULT_STATUS, .status = 429, .retry_after_s = 1, .retry_after_header = true},
};

START_TEST(a_create_over_the_limit_waits_as_long_as_it_is_told_and_goes_again)
{
    struct http_response response = {0};
    bridge_start(&bridge, NULL, "");
    replicate_sim_fault(bridge.sim, SIM_CREATE, &short_throttles[_i]);
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    ck_assert_uint_eq(chat_case_creates(&bridge), 2);
    int64_t pause_ms = replicate_sim_request(bridge.sim, SIM_CREATE, 1)->at_ms -
                       replicate_sim_request(bridge.sim, SIM_CREATE, 0)->at_ms;
    ck_assert_msg(pause_ms >= 990, "it came back after %lld ms, before the second was over", (long long)pause_ms);
    struct sim_counters counters;
    replicate_sim_counters(bridge.sim, &counters);
    ck_assert_uint_eq(counters.created, 1);
    http_response_dispose(&response);
}
END_TEST

static const struct sim_fault_spec long_throttles[] = {
    {.fault = SIM_FAULT_STATUS, .status = 429, .retry_after_s = 30, .throttle = SIM_THROTTLE_LOW_CREDIT},
    {.fault = SIM_FAULT_STATUS, .status = 429, .retry_after_s = 30, .throttle = SIM_THROTTLE_NO_PAYMENT},
    {.fault = SIM_FAULT_STATUS, .status = 429, .retry_after_s = 30, .throttle = SIM_THROTTLE_SHORT},
    {.fault = SIM_FAULT_STATUS, .status = 429, .retry_after_s = 30, .throttle = SIM_THROTTLE_OLD},
    {.fault = SIM_FAULT_STATUS,
     .status = 429,
     .retry_after_s = 30,
     .retry_after_header = true,
     .no_retry_after_in_body = true},
};

START_TEST(a_wait_that_does_not_fit_the_deadline_is_the_clients)
{
    static const struct chat_error throttled = {429, "rate_limit_error", "rate_limit_exceeded", NULL, true, NULL};
    struct http_response response = {0};
    bridge_start(&bridge, NULL, "timeout: 5s\n");
    replicate_sim_fault(bridge.sim, SIM_CREATE, &long_throttles[_i]);
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_error(&response, &throttled);
    chat_case_expect_retry_after(&response, 30000, 30000);
    ck_assert_msg(response.complete_ms < 3000, "it took %lld ms to say so", (long long)response.complete_ms);
    ck_assert_uint_eq(chat_case_creates(&bridge), 1);
    http_response_dispose(&response);
}
END_TEST

/* ---- where to ---- */

#define VERSION "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char paths_config[] = "workers: 1\n"
                                   "replicate: {base_url: \"@SIM@\", token: test-token, prefer_wait: 0}\n"
                                   "models:\n"
                                   "  official: acme/writer\n"
                                   "  prefixed: replicate/acme/writer\n"
                                   "  pinned: acme/writer:" VERSION "\n"
                                   "  bare: " VERSION "\n"
                                   "  deployed: deployments/acme/support\n"
                                   "  quick: {model: acme/writer, timeout: 2s}\n"
                                   "  \"house/*\": \"acme/*\"\n"
                                   "  \"house/special\": acme/reader\n"
                                   "  \"replicate/*\": \"*\"\n";

static const struct {
    const char *model, *path, *version; /* version: NULL = none in the body */
} paths[] = {
    {"official", "/v1/models/acme/writer/predictions", NULL},
    {"prefixed", "/v1/models/acme/writer/predictions", NULL},
    {"pinned", "/v1/predictions", VERSION},
    {"bare", "/v1/predictions", VERSION},
    {"deployed", "/v1/deployments/acme/support/predictions", NULL},
    {"house/writer", "/v1/models/acme/writer/predictions", NULL},
    {"house/special", "/v1/models/acme/reader/predictions", NULL},
    {"replicate/acme/writer", "/v1/models/acme/writer/predictions", NULL},
    {"replicate/acme/writer:" VERSION, "/v1/predictions", VERSION},
    {"replicate/" VERSION, "/v1/predictions", VERSION},
    {"replicate/deployments/acme/support", "/v1/deployments/acme/support/predictions", NULL},
};

static void start_with_paths(void)
{
    static const char *const versions[] = {VERSION};
    bridge_start_sim(&bridge);
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = "acme/writer",
                                                      .deployment = "acme/support",
                                                      .official = true,
                                                      .versions = versions,
                                                      .version_count = 1});
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = "acme/reader", .official = true});
    chat_case_start(&bridge, paths_config);
}

START_TEST(a_reference_decides_where_its_prediction_is_created)
{
    struct http_response response = {0};
    start_with_paths();
    chat_case_run(&bridge, &(struct chat_case){.model = paths[_i].model}, &response);
    chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    ck_assert_uint_eq(chat_case_creates(&bridge), 1);
    const struct sim_request *create = replicate_sim_request(bridge.sim, SIM_CREATE, 0);
    ck_assert_str_eq(create->path, paths[_i].path);
    struct error err = {0};
    json_t *body = json_parse(create->body, create->body_length, &err);
    ck_assert_pstr_eq(json_text(body, "version"), paths[_i].version);
    ck_assert(json_is_object(json_object_get(body, "input")));
    ck_assert_uint_eq(json_object_size(body), paths[_i].version == NULL ? 1 : 2);
    json_decref(body);
    http_response_dispose(&response);
}
END_TEST

static const struct {
    const char *model;
    long least_s, most_s;
} ends[] = {{"official", 598, 600}, {"quick", 5, 5}};

START_TEST(every_create_says_when_replicate_is_to_end_it)
{
    struct http_response response = {0};
    char value[32], content_type[64];
    start_with_paths();
    chat_case_run(&bridge, &(struct chat_case){.model = ends[_i].model}, &response);
    const struct sim_request *create = replicate_sim_request(bridge.sim, SIM_CREATE, 0);
    ck_assert(sim_request_header(create, "cancel-after", value, sizeof value));
    char *unit;
    long seconds = strtol(value, &unit, 10);
    ck_assert_msg(strcmp(unit, "s") == 0 && seconds >= ends[_i].least_s && seconds <= ends[_i].most_s,
                  "Cancel-After is %s", value);
    ck_assert(sim_request_header(create, "content-type", content_type, sizeof content_type));
    ck_assert_str_eq(content_type, "application/json");
    http_response_dispose(&response);
}
END_TEST

/* ---- community models ---- */

START_TEST(a_community_model_whose_document_is_not_read_is_looked_up_when_its_name_is_refused)
{
    struct http_response response = {0};
    bridge_start(&bridge, &(struct sim_plan){.model = BRIDGE_MODEL}, "read_schema: false\n");
    for (int i = 0; i < 2; i++) {
        chat_case_run(&bridge, &(struct chat_case){0}, &response);
        chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    }
    ck_assert_uint_eq(replicate_sim_request_count(bridge.sim, SIM_MODEL), 1);
    ck_assert_uint_eq(chat_case_creates(&bridge), 3); /* by name, refused; then twice by version */
    ck_assert(daemon_log_wait(bridge.daemon, "model_resolved", daemon_patience_ms()));
    http_response_dispose(&response);
}
END_TEST

START_TEST(a_community_model_is_looked_up_once_and_its_version_is_logged)
{
    char version[65];
    struct http_response response = {0};
    bridge_start(&bridge, &(struct sim_plan){.model = BRIDGE_MODEL}, "");
    replicate_sim_version(BRIDGE_MODEL, version);
    for (int i = 0; i < 2; i++) {
        chat_case_run(&bridge, &(struct chat_case){0}, &response);
        chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
        ck_assert_str_eq(chat_case_prediction(&bridge, (size_t)i).version, version);
    }
    ck_assert_uint_eq(replicate_sim_request_count(bridge.sim, SIM_MODEL), 1);
    ck_assert_uint_eq(chat_case_creates(&bridge), 2); /* its document says which version runs */
    /* Once when it is found, and with each of the requests. */
    ck_assert(daemon_log_wait(bridge.daemon, "schema_fetched", daemon_patience_ms()));
    http_response_dispose(&response);
    int lines = daemon_log_count(bridge.daemon, version);
    ck_assert_msg(lines >= 2, "the version stands in %d lines of the log", lines);
}
END_TEST

START_TEST(a_look_up_that_fails_is_tried_again)
{
    struct http_response response = {0};
    bridge_start(&bridge, &(struct sim_plan){.model = BRIDGE_MODEL}, "read_schema: false\n");
    replicate_sim_fault(bridge.sim, SIM_MODEL, &(struct sim_fault_spec){.fault = SIM_FAULT_STATUS, .status = 503});
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    ck_assert_uint_eq(replicate_sim_request_count(bridge.sim, SIM_MODEL), 2);
    http_response_dispose(&response);
}
END_TEST

static Suite *creates_suite(void)
{
    Suite *suite = suite_create("creates");
    TCase *tcase = tcase_create("once");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_create_whose_answer_is_lost_or_broken_is_never_sent_again, 0, LENGTH(lost_creates));
    tcase_add_loop_test(tcase, nor_is_a_create_on_a_kept_connection, 0, 4);
    tcase_add_test(tcase, a_create_that_is_never_answered_ends_at_the_deadline);
    tcase_add_loop_test(tcase, an_odd_but_valid_answer_to_a_create_is_understood, 0, LENGTH(odd_creates));
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("again");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_refused_connection_is_tried_again);
    tcase_add_test(tcase, a_replicate_that_stays_unreachable_is_told);
    tcase_add_loop_test(tcase, a_create_over_the_limit_waits_as_long_as_it_is_told_and_goes_again, 0,
                        LENGTH(short_throttles));
    tcase_add_loop_test(tcase, a_wait_that_does_not_fit_the_deadline_is_the_clients, 0, LENGTH(long_throttles));
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("where to");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_reference_decides_where_its_prediction_is_created, 0, LENGTH(paths));
    tcase_add_loop_test(tcase, every_create_says_when_replicate_is_to_end_it, 0, LENGTH(ends));
    tcase_add_test(tcase, a_community_model_is_looked_up_once_and_its_version_is_logged);
    tcase_add_test(tcase, a_community_model_whose_document_is_not_read_is_looked_up_when_its_name_is_refused);
    tcase_add_test(tcase, a_look_up_that_fails_is_tried_again);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(creates_suite());
}
