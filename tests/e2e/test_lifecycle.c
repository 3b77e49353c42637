/* The running program and its signals: reload, reopened logs, draining, and the second signal. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ensure.h"
#include "bridge.h"
#include "check_main.h"

/* Short of the patience of daemon_wait_exit, and long enough that nothing but a signal can end it in time. */
#define LONG_DRAIN "drain_timeout: 10m\n"

static const struct sim_plan held = {.model = BRIDGE_MODEL, .official = true, .boot_ms = SIM_HOLD};

static struct bridge bridge;

static void tear_down(void)
{
    bridge_stop(&bridge);
}

/* A request whose prediction is `starting` and stays so until the test says otherwise. */
static struct http_connection *begin_held(void)
{
    struct http_connection *client = bridge_chat_begin(&bridge, "writer", "hold the line");
    ck_assert(replicate_sim_wait_created(bridge.sim, 1, daemon_patience_ms()));
    return client;
}

static void let_it_end(void)
{
    replicate_sim_advance(bridge.sim, 0);
    replicate_sim_advance(bridge.sim, 0);
}

static void expect_answer(struct http_connection **client, const char *text)
{
    struct http_response response = {0};
    ck_assert_msg(http_read(*client, &response, daemon_patience_ms()), "no answer arrived");
    ck_assert_msg(response.status == 200, "status %d: %s", response.status, response.body);
    ck_assert_ptr_nonnull(strstr(response.body, text));
    http_response_dispose(&response);
    http_close(client);
}

static void expect_shut_down(struct http_connection **client)
{
    struct http_response response = {0};
    ck_assert_msg(http_read(*client, &response, daemon_patience_ms()), "no answer arrived");
    bridge_expect_error(&response, 503, "shutting_down", NULL);
    char retry[8];
    http_answer_header(&response, "x-should-retry", retry, sizeof retry);
    ck_assert_str_eq(retry, "true");
    http_response_dispose(&response);
    http_close(client);
}

static void send_signal(int number, const char *log_mark)
{
    ck_assert(daemon_signal(bridge.daemon, number));
    ck_assert_msg(daemon_log_wait(bridge.daemon, log_mark, daemon_patience_ms()), "\"%s\" is not in the log", log_mark);
}

static void expect_clean_end(void)
{
    ck_assert_int_eq(daemon_wait_exit(bridge.daemon, 3 * daemon_patience_ms()), 0);
}

/* ---- reload ---- */

static bool is_served(const char *alias)
{
    struct http_response response = {0};
    ck_assert_int_eq(bridge_get(&bridge, "/v1/models", &response), 200);
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\"", alias);
    bool found = strstr(response.body, quoted) != NULL;
    http_response_dispose(&response);
    return found;
}

/* What is in the file now, with this in it for the old alias. */
static void write_renamed_config(const char *alias)
{
    char *config = xasprintf("replicate:\n  base_url: %s\n  token: test-token\nworkers: 2\nmodels:\n  %s: %s\n",
                             replicate_sim_base_url(bridge.sim), alias, BRIDGE_MODEL);
    ck_assert(daemon_write_config(bridge.daemon, config));
    free(config);
}

/* Each worker takes the new configuration over by itself: until both have, an answer may be either. */
static void wait_served(const char *alias)
{
    int in_a_row = 0;
    for (int tries = 0; tries < 2000 && in_a_row < 20; tries++)
        in_a_row = is_served(alias) ? in_a_row + 1 : 0;
    ck_assert_msg(in_a_row == 20, "%s is not served", alias);
}

START_TEST(a_reload_changes_the_models)
{
    bridge_start(&bridge, NULL, "");
    ck_assert(is_served("writer"));
    write_renamed_config("scribe");
    send_signal(SIGHUP, "reloaded");
    wait_served("scribe");
    ck_assert(!is_served("writer"));
    struct http_response response = {0};
    bridge_chat(&bridge, "scribe", "hello again", &response);
    ck_assert_int_eq(response.status, 200);
    bridge_chat(&bridge, "writer", "hello", &response);
    bridge_expect_error(&response, 404, "model_not_found", "*");
    http_response_dispose(&response);
}
END_TEST

START_TEST(a_running_request_keeps_the_configuration_it_began_with)
{
    bridge_start(&bridge, &held, "");
    struct http_connection *client = begin_held();
    write_renamed_config("scribe");
    send_signal(SIGHUP, "reloaded");
    wait_served("scribe");
    let_it_end();
    expect_answer(&client, "hold the line");
}
END_TEST

static const char *const bad_files[] = {"models:\n  writer: acme/writer\nno_such_key: 1\n", "models: [\n", "",
                                        "models:\n  writer: ${NO_SUCH_VARIABLE}\n",
                                        "models: {writer: {model: acme/writer, params: {temperature: 9}}}\n"};

START_TEST(a_bad_file_changes_nothing_and_is_logged)
{
    bridge_start(&bridge, NULL, "");
    daemon_allow_error(bridge.daemon, "reload_failed");
    ck_assert(daemon_write_config(bridge.daemon, bad_files[_i]));
    send_signal(SIGHUP, "reload_failed");
    ck_assert(daemon_log_contains(bridge.daemon, "config.yaml"));
    ck_assert(is_served("writer"));
    struct http_response response = {0};
    bridge_chat(&bridge, "writer", "still here", &response);
    ck_assert_int_eq(response.status, 200);
    http_response_dispose(&response);
    write_renamed_config("scribe");
    send_signal(SIGHUP, "reloaded");
    wait_served("scribe");
}
END_TEST

START_TEST(a_log_file_that_cannot_be_opened_changes_nothing)
{
    bridge_start(&bridge, NULL, "");
    daemon_allow_error(bridge.daemon, "reload_failed");
    char *config = xasprintf("replicate:\n  base_url: %s\n  token: test-token\nworkers: 2\nmodels:\n  scribe: %s\n"
                             "log:\n  file: /nonexistent/folder/log\n",
                             replicate_sim_base_url(bridge.sim), BRIDGE_MODEL);
    ck_assert(daemon_write_config(bridge.daemon, config));
    free(config);
    send_signal(SIGHUP, "reload_failed");
    ck_assert(is_served("writer"));
    ck_assert(!is_served("scribe"));
}
END_TEST

START_TEST(many_reloads_under_load_lose_no_request_and_leak_nothing)
{
    bridge_start(&bridge, NULL, "");
    char *body = bridge_chat_body("writer", "@NONCE@", "");
    for (int round = 0; round < 10; round++) {
        struct http_load_result result;
        ck_assert(daemon_signal(bridge.daemon, SIGHUP));
        ck_assert(http_load_run(&(struct http_load){.port = bridge.port,
                                                    .count = 40,
                                                    .in_flight = 20,
                                                    .path = "/v1/chat/completions",
                                                    .body = body,
                                                    .timeout_ms = daemon_patience_ms()},
                                &result));
        ck_assert_msg(result.ok == 40, "%zu of 40 are right: %s", result.ok, result.example);
    }
    free(body);
}
END_TEST

/* ---- the log file ---- */

static bool file_holds(const char *path, const char *text)
{
    char line[4096];
    bool found = false;
    FILE *file = fopen(path, "re");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
        found = strstr(line, text) != NULL;
    if (file != NULL)
        fclose(file);
    return found;
}

/* The signal is answered by nothing but the new file, so requests are made until their lines are in it. */
static bool logs_to(const char *path)
{
    for (int tries = 0; tries < 2000; tries++) {
        ck_assert_int_eq(bridge_get(&bridge, "/v1/models", NULL), 200);
        if (file_holds(path, "GET"))
            return true;
    }
    return false;
}

START_TEST(the_log_file_is_reopened_after_a_rotation)
{
    char folder[] = "/tmp/replibridge-log-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    char *path = xasprintf("%s/log", folder), *old = xasprintf("%s/log.1", folder);
    char *more = xasprintf("log:\n  file: %s\n  level: debug\n", path);
    bridge_start(&bridge, NULL, more);
    ck_assert(logs_to(path));
    ck_assert_int_eq(rename(path, old), 0);
    ck_assert(daemon_signal(bridge.daemon, SIGUSR1));
    bool reopened = logs_to(path);
    unlink(path);
    unlink(old);
    rmdir(folder);
    free(path);
    free(old);
    free(more);
    ck_assert_msg(reopened, "nothing is written to the new file");
}
END_TEST

START_TEST(without_a_log_file_the_signal_for_it_changes_nothing)
{
    bridge_start(&bridge, NULL, "");
    ck_assert(daemon_signal(bridge.daemon, SIGUSR1));
    ck_assert_int_eq(bridge_get(&bridge, "/health/liveliness", NULL), 200);
}
END_TEST

/* ---- the end ---- */

#define CHAT_HEAD "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n"

static const int stop_signals[] = {SIGTERM, SIGINT};

START_TEST(an_idle_program_ends_at_once)
{
    bridge_start(&bridge, NULL, LONG_DRAIN);
    ck_assert(daemon_signal(bridge.daemon, stop_signals[_i]));
    expect_clean_end();
}
END_TEST

START_TEST(an_idle_connection_does_not_hold_up_the_end)
{
    bridge_start(&bridge, NULL, LONG_DRAIN);
    struct http_connection *idle = http_connect(bridge.port), *kept = http_connect(bridge.port);
    struct http_response response = {0};
    ck_assert(http_send_request(kept, &(struct http_request){.path = "/healthz"}));
    ck_assert(http_read(kept, &response, daemon_patience_ms()));
    ck_assert(daemon_signal(bridge.daemon, SIGTERM));
    expect_clean_end();
    http_response_dispose(&response);
    http_close(&idle);
    http_close(&kept);
}
END_TEST

/* Neither one that is still to be answered nor one that has its answer and goes on sending. */
START_TEST(a_body_that_is_half_sent_does_not_hold_up_the_end)
{
    static const char *const heads[] = {CHAT_HEAD "Content-Length: 100\r\n\r\n{\"model\"",
                                        "POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n{"};
    static const int statuses[] = {503, 404};
    bridge_start(&bridge, NULL, LONG_DRAIN "read_timeout: 10m\n");
    struct http_connection *client = http_connect(bridge.port);
    struct http_response response = {0};
    ck_assert(http_send_text(client, heads[_i]));
    bridge_expect_metric(&bridge, "replibridge_requests_in_flight", 1);
    ck_assert(daemon_signal(bridge.daemon, SIGTERM));
    ck_assert_msg(http_read(client, &response, daemon_patience_ms()), "no answer arrived");
    ck_assert_int_eq(response.status, statuses[_i]);
    expect_clean_end();
    http_response_dispose(&response);
    http_close(&client);
}
END_TEST

START_TEST(a_client_that_leaves_while_it_drains_is_not_waited_for)
{
    bridge_start(&bridge, &held, LONG_DRAIN "grace: 10m\n");
    char *body = bridge_chat_body("writer", "hold the line", "");
    char *request = xasprintf(CHAT_HEAD "Idempotency-Key: once\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    struct http_connection *client = http_connect(bridge.port);
    ck_assert(http_send_text(client, request));
    ck_assert(replicate_sim_wait_created(bridge.sim, 1, daemon_patience_ms()));
    send_signal(SIGTERM, "draining");
    http_close(&client);
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 1, daemon_patience_ms()));
    expect_clean_end();
    free(request);
    free(body);
}
END_TEST

START_TEST(a_running_request_is_finished_and_new_ones_are_refused)
{
    bridge_start(&bridge, &held, LONG_DRAIN);
    struct http_connection *client = begin_held();
    send_signal(SIGTERM, "draining");
    ck_assert_int_eq(bridge_get(&bridge, "/health/readiness", NULL), 503);
    ck_assert_int_eq(bridge_get(&bridge, "/healthz", NULL), 200);
    struct http_connection *late = bridge_chat_begin(&bridge, "writer", "too late");
    expect_shut_down(&late);
    let_it_end();
    expect_answer(&client, "hold the line");
    expect_clean_end();
    struct sim_counters counters;
    replicate_sim_counters(bridge.sim, &counters);
    ck_assert_uint_eq(counters.created, 1);
}
END_TEST

START_TEST(what_runs_longer_than_the_drain_timeout_is_cancelled_and_told)
{
    bridge_start(&bridge, &held, "drain_timeout: 300ms\n");
    struct http_connection *client = begin_held();
    send_signal(SIGTERM, "draining");
    expect_shut_down(&client);
    expect_clean_end();
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 1, daemon_patience_ms()));
}
END_TEST

START_TEST(a_second_signal_cuts_the_drain_short)
{
    bridge_start(&bridge, &held, LONG_DRAIN);
    struct http_connection *client = begin_held();
    send_signal(stop_signals[_i], "draining");
    ck_assert(daemon_signal(bridge.daemon, stop_signals[_i]));
    expect_shut_down(&client);
    expect_clean_end();
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 1, daemon_patience_ms()));
}
END_TEST

static Suite *lifecycle_suite(void)
{
    Suite *suite = suite_create("lifecycle");
    TCase *tcase = tcase_create("reload and logs");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_reload_changes_the_models);
    tcase_add_test(tcase, a_running_request_keeps_the_configuration_it_began_with);
    tcase_add_loop_test(tcase, a_bad_file_changes_nothing_and_is_logged, 0, sizeof bad_files / sizeof *bad_files);
    tcase_add_test(tcase, a_log_file_that_cannot_be_opened_changes_nothing);
    tcase_add_test(tcase, many_reloads_under_load_lose_no_request_and_leak_nothing);
    tcase_add_test(tcase, the_log_file_is_reopened_after_a_rotation);
    tcase_add_test(tcase, without_a_log_file_the_signal_for_it_changes_nothing);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("the end");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, an_idle_program_ends_at_once, 0, 2);
    tcase_add_test(tcase, an_idle_connection_does_not_hold_up_the_end);
    tcase_add_loop_test(tcase, a_body_that_is_half_sent_does_not_hold_up_the_end, 0, 2);
    tcase_add_test(tcase, a_client_that_leaves_while_it_drains_is_not_waited_for);
    tcase_add_test(tcase, a_running_request_is_finished_and_new_ones_are_refused);
    tcase_add_test(tcase, what_runs_longer_than_the_drain_timeout_is_cancelled_and_told);
    tcase_add_loop_test(tcase, a_second_signal_cuts_the_drain_short, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(lifecycle_suite());
}
