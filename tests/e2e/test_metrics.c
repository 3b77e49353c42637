/* What /metrics says after known requests on the simulated Replicate: exact figures. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "bridge.h"
#include "check_main.h"
#include "prometheus.h"

static struct bridge bridge;
static struct http_response metrics;

static void tear_down(void)
{
    http_response_dispose(&metrics);
    bridge_stop(&bridge);
}

static void read_metrics(void)
{
    char type[128];
    http_response_dispose(&metrics);
    ck_assert_int_eq(bridge_get(&bridge, "/metrics", &metrics), 200);
    http_answer_header(&metrics, "Content-Type", type, sizeof type);
    ck_assert_str_eq(type, "text/plain; version=0.0.4; charset=utf-8");
    prometheus_check(metrics.body, metrics.body_length);
}

/* `name` without its prefix. A request is counted when its connection is done with it, which is a moment after the client
 * has read the answer. */
static void expect(const char *name, long value)
{
    char series[256];
    int64_t until_ms = clock_now_ms() + daemon_patience_ms();
    snprintf(series, sizeof series, "replibridge_%s", name);
    double found = prometheus_value(metrics.body, series);
    while (found != (double)value && clock_now_ms() < until_ms) {
        read_metrics();
        found = prometheus_value(metrics.body, series);
    }
    ck_assert_msg(found == (double)value, "%s is %g, not %ld", series, found, value);
}

static void chat(const char *model, int status)
{
    struct http_response response = {0};
    bridge_chat(&bridge, model, "one two three", &response);
    ck_assert_msg(response.status == status, "status %d: %s", response.status, response.body);
    http_response_dispose(&response);
}

/* The words of the prompt template are not the matter here, so the counts are the simulator's own. */
static const struct sim_plan counted = {
    .model = BRIDGE_MODEL,
    .official = true,
    .metrics_json = "{\"input_token_count\":11,\"output_token_count\":5}",
    .boot_ms = 300,
    .run_ms = 300,
};

START_TEST(a_prediction_counts_its_request_its_tokens_and_its_times)
{
    bridge_start(&bridge, &counted, "");
    chat("writer", 200);
    chat("writer", 200);
    bridge_expect_metric(&bridge, "replibridge_requests_total{endpoint=\"chat.completions\",code=\"200\"}", 2);
    bridge_expect_metric(&bridge, "replibridge_predictions", 0);
    read_metrics();
    expect("requests_total{endpoint=\"chat.completions\",code=\"200\"}", 2);
    expect("creates_total", 2);
    expect("predictions_created_total", 2);
    expect("predictions_succeeded_total", 2);
    expect("predictions_failed_total", 0);
    expect("tokens_total{alias=\"writer\",kind=\"input\"}", 22);
    expect("tokens_total{alias=\"writer\",kind=\"output\"}", 10);
    expect("tokens_total{alias=\"writer\",kind=\"reasoning\"}", -1);
    expect("prediction_boot_seconds_count{alias=\"writer\"}", 2);
    expect("prediction_boot_seconds_bucket{alias=\"writer\",le=\"0.1\"}", 0);
    expect("prediction_run_seconds_count{alias=\"writer\"}", 2);
    expect("prediction_run_seconds_bucket{alias=\"writer\",le=\"0.25\"}", 0);
    expect("request_duration_seconds_count{alias=\"writer\"}", 2);
    expect("request_duration_seconds_bucket{alias=\"writer\",le=\"0.5\"}", 0);
    expect("first_piece_seconds_count{alias=\"writer\"}", -1);
    expect("upstream_duration_seconds_count{call=\"create\"}", 2);
    expect("polls_total", (long)replicate_sim_request_count(bridge.sim, SIM_GET));
    expect("upstream_duration_seconds_count{call=\"poll\"}", (long)replicate_sim_request_count(bridge.sim, SIM_GET));
    expect("upstream_duration_seconds_count{call=\"cancel\"}", 0);
    expect("errors_total", 0);
    expect("cancels_total", 0);
    expect("clients_gone_total", 0);
}
END_TEST

START_TEST(a_stream_counts_the_time_to_its_first_piece)
{
    static const struct sim_plan streams = {.model = BRIDGE_MODEL, .official = true, .stream = {.offered = true}};
    struct http_response response = {0};
    bridge_start(&bridge, &streams, "");
    char *body = bridge_chat_body("writer", "one two", ",\"stream\":true");
    ck_assert(http_exchange(bridge.port, &(struct http_request){.path = "/v1/chat/completions", .body = body},
                            &response, daemon_patience_ms()));
    ck_assert_int_eq(response.status, 200);
    http_response_dispose(&response);
    free(body);
    bridge_expect_metric(&bridge, "replibridge_first_piece_seconds_count{alias=\"writer\"}", 1);
    read_metrics();
    expect("upstream_duration_seconds_count{call=\"stream_open\"}", 1);
    expect("request_duration_seconds_count{alias=\"writer\"}", 1);
}
END_TEST

/* A file that is too large for an input is uploaded, and deleted afterwards. */
START_TEST(calls_beside_the_prediction_are_timed_too)
{
    enum { FILE_DIGITS = 400 * 1024 };
    static const struct sim_plan sees = {
        .model = BRIDGE_MODEL,
        .official = true,
        .input_schema_json = "{\"properties\":{\"prompt\":{\"type\":\"string\"},\"image\":{\"type\":\"string\","
                             "\"format\":\"uri\"}}}",
    };
    struct http_response response = {0};
    bridge_start(&bridge, &sees, "");
    char *digits = xmalloc(FILE_DIGITS + 1);
    memset(digits, 'A', FILE_DIGITS);
    digits[FILE_DIGITS] = '\0';
    char *body = xasprintf("{\"model\":\"writer\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
                           "\"text\":\"What is it?\"},{\"type\":\"image_url\",\"image_url\":{\"url\":"
                           "\"data:image/png;base64,%s\"}}]}]}",
                           digits);
    ck_assert(http_exchange(bridge.port, &(struct http_request){.path = "/v1/chat/completions", .body = body},
                            &response, daemon_patience_ms()));
    ck_assert_msg(response.status == 200, "%s", response.body);
    bridge_expect_metric(&bridge, "replibridge_upstream_duration_seconds_count{call=\"delete\"}", 1);
    read_metrics();
    expect("upstream_duration_seconds_count{call=\"upload\"}", 1);
    expect("upstream_duration_seconds_count{call=\"model\"}", 0);
    expect("upstream_duration_seconds_count{call=\"schema\"}",
           (long)replicate_sim_request_count(bridge.sim, SIM_MODEL));
    http_response_dispose(&response);
    free(digits);
    free(body);
}
END_TEST

START_TEST(looking_up_a_models_version_is_a_call_of_its_own)
{
    bridge_start(&bridge, &(struct sim_plan){.model = BRIDGE_MODEL}, "read_schema: false\n");
    chat("writer", 200);
    bridge_expect_metric(&bridge, "replibridge_upstream_duration_seconds_count{call=\"model\"}", 1);
    read_metrics();
    expect("upstream_duration_seconds_count{call=\"schema\"}", 0);
    expect("upstream_duration_seconds_count{call=\"create\"}", 2);
    expect("creates_total", 2);
    expect("predictions_created_total", 1);
}
END_TEST

START_TEST(errors_are_counted_by_kind_and_failures_by_themselves)
{
    static const struct sim_plan fails = {
        .model = BRIDGE_MODEL, .official = true, .end_status = "failed", .error_text = "out of ideas"};
    bridge_start(&bridge, &fails, "");
    chat("writer", 422);
    chat("nobody", 404);
    chat("nobody-else", 404);
    ck_assert_int_eq(bridge_get(&bridge, "/nowhere", NULL), 404);
    bridge_expect_metric(&bridge, "replibridge_errors_total", 4);
    read_metrics();
    expect("errors_total{kind=\"prediction_failed\"}", 1);
    expect("errors_total{kind=\"model_not_found\"}", 2);
    expect("errors_total{kind=\"unknown_path\"}", 1);
    expect("predictions_failed_total", 1);
    expect("predictions_succeeded_total", 0);
    expect("requests_total{endpoint=\"chat.completions\",code=\"422\"}", 1);
    expect("requests_total{endpoint=\"chat.completions\",code=\"404\"}", 2);
    expect("requests_total{endpoint=\"other\",code=\"404\"}", 1);
    expect("cancels_total", 0);
}
END_TEST

/* ---- cancels ---- */

static const struct sim_plan held = {.model = BRIDGE_MODEL, .official = true, .boot_ms = SIM_HOLD};

START_TEST(a_prediction_in_progress_shows_its_state_and_a_client_that_leaves_its_reason)
{
    bridge_start(&bridge, &held, "");
    struct http_connection *client = bridge_chat_begin(&bridge, "writer", "hold the line");
    ck_assert(replicate_sim_wait_polls(bridge.sim, 1, daemon_patience_ms()));
    bridge_expect_metric(&bridge, "replibridge_predictions{state=\"sleeping\"}", 1);
    bridge_expect_metric(&bridge, "replibridge_requests_in_flight{state=\"running\"}", 1);
    http_close(&client);
    bridge_expect_metric(&bridge, "replibridge_cancels_total{reason=\"client_gone\"}", 1);
    bridge_expect_metric(&bridge, "replibridge_predictions", 0);
    read_metrics();
    expect("cancels_total", 1);
    expect("clients_gone_total", 1);
    expect("requests_total{endpoint=\"chat.completions\",code=\"499\"}", 1);
    expect("upstream_duration_seconds_count{call=\"cancel\"}", 1);
    expect("requests_in_flight{state=\"running\"}", 0);
}
END_TEST

START_TEST(a_timeout_is_the_reason_of_its_cancel)
{
    bridge_start(&bridge, &held, "timeout: 1s\n");
    chat("writer", 504);
    bridge_expect_metric(&bridge, "replibridge_cancels_total{reason=\"deadline\"}", 1);
    read_metrics();
    expect("cancels_total", 1);
    expect("errors_total{kind=\"timeout\"}", 1);
    expect("prediction_boot_seconds_count{alias=\"writer\"}", -1);
}
END_TEST

/* Of two choices one stops at once, where the other never ends: the reason is the stop alone. */
START_TEST(a_stop_string_is_the_reason_of_its_cancel)
{
    static const char *const pieces[] = {"one ", "two ", "three "};
    static const struct sim_plan talks = {.model = BRIDGE_MODEL,
                                          .official = true,
                                          .pieces = pieces,
                                          .piece_count = 3,
                                          .run_ms = SIM_HOLD,
                                          .stream = {.offered = true}};
    struct http_response response = {0};
    bridge_start(&bridge, &talks, "");
    char *body = bridge_chat_body("writer", "count", ",\"stream\":true,\"stop\":\"two\"");
    ck_assert(http_exchange(bridge.port, &(struct http_request){.path = "/v1/chat/completions", .body = body},
                            &response, daemon_patience_ms()));
    free(body);
    http_response_dispose(&response);
    bridge_expect_metric(&bridge, "replibridge_cancels_total{reason=\"stop\"}", 1);
    bridge_expect_metric(&bridge, "replibridge_requests_total{endpoint=\"chat.completions\",code=\"200\"}", 1);
    read_metrics();
    expect("cancels_total", 1);
    expect("errors_total", 0);
}
END_TEST

/* ---- the whole ---- */

START_TEST(a_reload_is_counted_and_takes_nothing_from_the_series)
{
    bridge_start(&bridge, &counted, "");
    chat("writer", 200);
    read_metrics();
    expect("config_last_reload_successful", 1);
    expect("config_reloads_total", 0);
    char *config = bridge_config(&bridge, "");
    ck_assert(daemon_write_config(bridge.daemon, "nonsense: [\n"));
    daemon_allow_error(bridge.daemon, "reload_failed");
    ck_assert(daemon_signal(bridge.daemon, SIGHUP));
    bridge_expect_metric(&bridge, "replibridge_config_reloads_total{result=\"failure\"}", 1);
    bridge_expect_metric(&bridge, "replibridge_config_last_reload_successful", 0);
    ck_assert(daemon_write_config(bridge.daemon, config));
    ck_assert(daemon_signal(bridge.daemon, SIGHUP));
    bridge_expect_metric(&bridge, "replibridge_config_reloads_total{result=\"success\"}", 1);
    free(config);
    chat("writer", 200);
    bridge_expect_metric(&bridge, "replibridge_tokens_total{alias=\"writer\",kind=\"input\"}", 22);
    read_metrics();
    expect("config_last_reload_successful", 1);
    ck_assert(prometheus_value(metrics.body, "replibridge_config_last_reload_success_timestamp_seconds") > 1e9);
}
END_TEST

START_TEST(what_the_process_and_its_budget_are_is_told)
{
    bridge_start(&bridge, NULL, "");
    read_metrics();
    expect("build_info", 1);
    expect("upstream_budget_remaining{budget=\"creates\"}", 600);
    expect("requests_total{endpoint=\"chat.completions\",code=\"200\"}", -1);
    ck_assert(prometheus_value(metrics.body, "process_open_fds") > 5);
    ck_assert(prometheus_promtool_agrees(metrics.body, metrics.body_length));
    chat("writer", 200);
    bridge_expect_metric(&bridge, "replibridge_predictions_succeeded_total", 1);
    read_metrics();
    ck_assert(prometheus_promtool_agrees(metrics.body, metrics.body_length));
}
END_TEST

/* A wildcard is one series, whatever names clients make up. */
START_TEST(a_wildcard_counts_under_its_pattern)
{
    bridge_start_sim(&bridge);
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = "acme/one", .official = true});
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = "acme/two", .official = true});
    char *config = xasprintf("models: {\"acme/*\": \"acme/*\"}\nreplicate: {base_url: \"%s\", token: test-token}\n",
                             replicate_sim_base_url(bridge.sim));
    bridge.daemon = daemon_start(&(struct daemon_options){.config = config});
    free(config);
    ck_assert_ptr_nonnull(bridge.daemon);
    bridge.port = daemon_port(bridge.daemon);
    chat("acme/one", 200);
    chat("acme/two", 200);
    bridge_expect_metric(&bridge, "replibridge_request_duration_seconds_count{alias=\"acme/*\"}", 2);
    read_metrics();
    ck_assert_ptr_null(strstr(metrics.body, "acme/one"));
}
END_TEST

START_TEST(head_gives_the_headers_alone)
{
    struct http_response response = {0};
    bridge_start(&bridge, NULL, "");
    struct http_connection *client = http_connect(bridge.port);
    ck_assert_ptr_nonnull(client);
    ck_assert(http_send_request(client, &(struct http_request){.method = "HEAD", .path = "/metrics"}));
    http_expect_no_body(client);
    ck_assert(http_read(client, &response, daemon_patience_ms()));
    ck_assert_int_eq(response.status, 200);
    ck_assert_uint_gt(response.content_length, 1000);
    http_response_dispose(&response);
    http_close(&client);
}
END_TEST

static Suite *metrics_suite(void)
{
    Suite *suite = suite_create("e2e: metrics");
    TCase *tcase = tcase_create("figures");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_prediction_counts_its_request_its_tokens_and_its_times);
    tcase_add_test(tcase, a_stream_counts_the_time_to_its_first_piece);
    tcase_add_test(tcase, calls_beside_the_prediction_are_timed_too);
    tcase_add_test(tcase, looking_up_a_models_version_is_a_call_of_its_own);
    tcase_add_test(tcase, errors_are_counted_by_kind_and_failures_by_themselves);
    tcase_add_test(tcase, a_prediction_in_progress_shows_its_state_and_a_client_that_leaves_its_reason);
    tcase_add_test(tcase, a_timeout_is_the_reason_of_its_cancel);
    tcase_add_test(tcase, a_stop_string_is_the_reason_of_its_cancel);
    tcase_add_test(tcase, a_reload_is_counted_and_takes_nothing_from_the_series);
    tcase_add_test(tcase, what_the_process_and_its_budget_are_is_told);
    tcase_add_test(tcase, a_wildcard_counts_under_its_pattern);
    tcase_add_test(tcase, head_gives_the_headers_alone);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(metrics_suite());
}
