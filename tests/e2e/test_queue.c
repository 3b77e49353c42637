/* Requests above a limit wait in line: in order over all workers, for as long as they may, and never longer than they
 * are wanted. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "chat_case.h"
#include "check_main.h"

#define HEAD "workers: 2\nreplicate: {base_url: \"@SIM@\", token: test-token}\n"
#define QUEUED "replibridge_requests_in_flight{state=\"queued\"}"
#define ONE_AT_A_TIME "models: {writer: {model: acme/writer, max_parallel_requests: 1}}\n"

enum { CLIENTS = 20 };

static const struct sim_plan held = {.model = BRIDGE_MODEL, .official = true, .boot_ms = SIM_HOLD};
static const struct chat_error limited = {429,  "rate_limit_error", "rate_limit_exceeded", NULL,
                                          true, "at the same time"};
static const struct chat_error stopping = {503, "server_error", "shutting_down", NULL, true, NULL};

static struct bridge bridge;
static struct http_connection *clients[CLIENTS + 1];
static struct http_response response;

static void tear_down(void)
{
    for (size_t i = 0; i <= CLIENTS; i++)
        http_close(&clients[i]);
    http_response_dispose(&response);
    chat_case_stop(&bridge);
}

static void start(const struct sim_plan *plan, const char *config)
{
    bridge_start_sim(&bridge);
    replicate_sim_plan(bridge.sim, plan);
    chat_case_start(&bridge, config);
}

static void let_end(size_t i)
{
    replicate_sim_advance(bridge.sim, i);
    replicate_sim_advance(bridge.sim, i);
}

static void expect_created(size_t count)
{
    ck_assert(replicate_sim_wait_created(bridge.sim, count, daemon_patience_ms()));
    ck_assert_uint_eq(chat_case_creates(&bridge), count);
}

/* The first runs, and `waiting` more are in line, in their order. */
static void fill(size_t waiting)
{
    for (size_t i = 0; i <= waiting; i++) {
        char content[32];
        snprintf(content, sizeof content, "number %zu.", i);
        clients[i] = bridge_chat_begin(&bridge, "writer", content);
        if (i == 0)
            expect_created(1);
        bridge_expect_metric(&bridge, QUEUED, (long)i);
    }
}

static void expect_answer(size_t i)
{
    char content[32];
    snprintf(content, sizeof content, "~number %zu.", i);
    chat_case_finish(&clients[i], &response);
    chat_case_expect_text(&response, content);
}

START_TEST(a_crowd_is_served_in_the_order_in_which_it_came)
{
    start(&held, HEAD "queue_timeout: 5m\n" ONE_AT_A_TIME);
    fill(CLIENTS);
    for (size_t i = 0; i <= CLIENTS; i++) {
        expect_created(i + 1); /* one at a time */
        let_end(i);
        expect_answer(i);
    }
}
END_TEST

static void start_with_fallback(void)
{
    static const struct sim_plan helper = {.model = "acme/helper", .official = true, .boot_ms = SIM_HOLD};
    bridge_start_sim(&bridge);
    replicate_sim_plan(bridge.sim, &helper);
    replicate_sim_plan(bridge.sim, &held);
    chat_case_start(&bridge, HEAD "queue_timeout: 5m\nfallbacks: [helper]\nmax_parallel_requests: 100\nmodels:\n"
                                  "  writer: {model: acme/writer, max_parallel_requests: 1}\n"
                                  "  helper: {model: acme/helper, max_parallel_requests: 1, fallbacks: []}\n");
}

START_TEST(a_full_model_hands_over_at_once_and_only_full_ones_are_waited_for)
{
    start_with_fallback();
    for (size_t i = 0; i < 4; i++) {
        char content[32];
        snprintf(content, sizeof content, "number %zu.", i);
        clients[i] = bridge_chat_begin(&bridge, "writer", content);
        if (i < 2)
            expect_created(i + 1);
        else
            bridge_expect_metric(&bridge, QUEUED, (long)i - 1);
    }
    let_end(1);
    expect_answer(1);
    chat_case_expect_header(&response, "x-replibridge-model", "helper");
    static const size_t writers[] = {0, 2, 3};
    for (size_t i = 0; i < 3; i++) {
        expect_created(i + 2);
        let_end(writers[i]);
        expect_answer(writers[i]);
        chat_case_expect_header(&response, "x-replibridge-model", NULL);
    }
}
END_TEST

static const char *const limits[] = {ONE_AT_A_TIME, "max_parallel_requests: 1\nmodels: {writer: acme/writer}\n"};

START_TEST(who_has_waited_for_long_enough_is_told_to_come_again)
{
    char *config = xasprintf(HEAD "queue_timeout: 200ms\n%s", limits[_i]);
    start(&held, config);
    free(config);
    clients[0] = chat_case_begin(&bridge, &(struct chat_case){0});
    expect_created(1);
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_error(&response, &limited);
    chat_case_expect_retry_after(&response, 1, 60000);
    let_end(0);
    chat_case_finish(&clients[0], &response);
    ck_assert_int_eq(response.status, 200);
    expect_created(1);
}
END_TEST

START_TEST(who_hangs_up_in_line_is_forgotten)
{
    start(&held, HEAD "queue_timeout: 5m\n" ONE_AT_A_TIME);
    fill(3);
    http_close(&clients[1]);
    bridge_expect_metric(&bridge, QUEUED, 2);
    let_end(0);
    expect_answer(0);
    expect_created(2);
    let_end(1);
    expect_answer(2);
    expect_created(3);
    let_end(2);
    expect_answer(3);
}
END_TEST

START_TEST(whoever_runs_and_hangs_up_lets_the_next_one_in)
{
    start(&held, HEAD "queue_timeout: 5m\n" ONE_AT_A_TIME);
    fill(1);
    http_close(&clients[0]);
    expect_created(2);
    let_end(1);
    expect_answer(1);
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 1, daemon_patience_ms()));
}
END_TEST

START_TEST(requests_of_a_minute_wait_for_the_next_place)
{
    /* Wrong in a way that is found after the limit was counted, so that no prediction slows this down. */
    const struct chat_case wrong = {.more = ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]"};
    start(&held, HEAD "rpm: 300\nmodels: {writer: acme/writer}\n");
    for (int i = 0; i < 305; i++) {
        chat_case_run(&bridge, &wrong, &response);
        ck_assert_msg(response.status == 400, "request %d: status %d", i, response.status);
    }
}
END_TEST

static void reload(const char *config)
{
    char *text = xasprintf("replicate: {base_url: \"%s\", token: test-token}\nworkers: 2\n%s",
                           replicate_sim_base_url(bridge.sim), config);
    ck_assert(daemon_write_config(bridge.daemon, text));
    free(text);
    ck_assert(daemon_signal(bridge.daemon, SIGHUP));
}

START_TEST(a_reload_lets_in_those_who_wait)
{
    start(&held, HEAD "queue_timeout: 5m\n" ONE_AT_A_TIME);
    fill(4);
    reload("models: {writer: {model: acme/writer, max_parallel_requests: 3}}\n");
    expect_created(3);
    bridge_expect_metric(&bridge, QUEUED, 2);
    for (size_t i = 0; i < 5; i++) {
        ck_assert(replicate_sim_wait_created(bridge.sim, i + 1, daemon_patience_ms()));
        let_end(i);
    }
    for (size_t i = 0; i < 5; i++) {
        chat_case_finish(&clients[i], &response);
        ck_assert_int_eq(response.status, 200);
    }
}
END_TEST

/* ---- the end ---- */

START_TEST(a_drain_serves_those_in_line_too)
{
    start(&held, HEAD "queue_timeout: 5m\ndrain_timeout: 5m\n" ONE_AT_A_TIME);
    fill(2);
    ck_assert(daemon_signal(bridge.daemon, SIGTERM));
    ck_assert(daemon_log_wait(bridge.daemon, "draining", daemon_patience_ms()));
    for (size_t i = 0; i < 3; i++) {
        expect_created(i + 1);
        let_end(i);
        expect_answer(i);
    }
    ck_assert_int_eq(daemon_wait_exit(bridge.daemon, 3 * daemon_patience_ms()), 0);
}
END_TEST

START_TEST(a_drain_that_takes_too_long_ends_the_line)
{
    start(&held, HEAD "queue_timeout: 5m\ndrain_timeout: 100ms\n" ONE_AT_A_TIME);
    fill(2);
    ck_assert(daemon_signal(bridge.daemon, SIGTERM));
    for (size_t i = 0; i < 3; i++) {
        chat_case_finish(&clients[i], &response);
        chat_case_expect_error(&response, &stopping);
    }
    ck_assert_int_eq(daemon_wait_exit(bridge.daemon, 3 * daemon_patience_ms()), 0);
    ck_assert_uint_eq(chat_case_creates(&bridge), 1);
}
END_TEST

static Suite *queue_suite(void)
{
    Suite *suite = suite_create("the line");
    TCase *tcase = tcase_create("line");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_crowd_is_served_in_the_order_in_which_it_came);
    tcase_add_test(tcase, a_full_model_hands_over_at_once_and_only_full_ones_are_waited_for);
    tcase_add_loop_test(tcase, who_has_waited_for_long_enough_is_told_to_come_again, 0, 2);
    tcase_add_test(tcase, who_hangs_up_in_line_is_forgotten);
    tcase_add_test(tcase, whoever_runs_and_hangs_up_lets_the_next_one_in);
    tcase_add_test(tcase, requests_of_a_minute_wait_for_the_next_place);
    tcase_add_test(tcase, a_reload_lets_in_those_who_wait);
    tcase_add_test(tcase, a_drain_serves_those_in_line_too);
    tcase_add_test(tcase, a_drain_that_takes_too_long_ends_the_line);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(queue_suite());
}
