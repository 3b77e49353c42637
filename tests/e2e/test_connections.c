/* More connections than one of a worker's libmicrohttpd daemons takes: none is confused with another, whoever hangs up
 * is noticed, all come to their end with the program, and beyond the limit they wait. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "chat_case.h"
#include "check_main.h"

/* One worker, so that all of them are its own: three daemons' worth. */
enum { CLIENTS = 700, LEAVING = CLIENTS / 4, DESCRIPTORS = 8192 };

/* Of these the program keeps most for Replicate, and 563 are left for clients. */
enum { FEW_DESCRIPTORS = 1240, LIMIT = 563 };

#define CONFIG                                                                                                         \
    "workers: 1\nmodels: {writer: acme/writer}\nread_schema: false\nqueue_timeout: 0\n%s"                              \
    "replicate: {base_url: \"%s\", token: test-token, polls_per_minute: 60000, creates_per_minute: 60000, "            \
    "poll_interval: 200ms}\n"

static struct bridge bridge;
static struct http_connection *clients[CLIENTS];
static struct http_connection *late;

static void tear_down(void)
{
    http_close(&late);
    for (size_t i = 0; i < CLIENTS; i++)
        http_close(&clients[i]);
    bridge_stop(&bridge);
}

static void start(int boot_ms, const char *more, int descriptors)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    bridge_start_sim(&bridge);
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = BRIDGE_MODEL, .official = true, .boot_ms = boot_ms});
    char *config = xasprintf(CONFIG, more, replicate_sim_base_url(bridge.sim));
    bridge.daemon = daemon_start(&(struct daemon_options){.config = config, .descriptors = descriptors});
    free(config);
    ck_assert_msg(bridge.daemon != NULL, "the program did not become ready");
    bridge.port = daemon_port(bridge.daemon);
}

static void connect_all(void)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = http_connect(bridge.port);
        ck_assert(clients[i] != NULL);
    }
}

static void hang_up(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        http_close(&clients[i]);
}

static void send_chat(struct http_connection *client, size_t nonce)
{
    char prompt[32];
    snprintf(prompt, sizeof prompt, "nonce-%zu.", nonce);
    char *body = bridge_chat_body("writer", prompt, "");
    ck_assert(http_send_request(client, &(struct http_request){.path = "/v1/chat/completions", .body = body}));
    free(body);
}

static void expect_own_answer(struct http_connection *client, size_t nonce)
{
    char prompt[32];
    struct http_response response = {0};
    snprintf(prompt, sizeof prompt, "~nonce-%zu.", nonce);
    ck_assert_msg(http_read(client, &response, 2 * daemon_patience_ms()), "client %zu has no answer", nonce);
    chat_case_expect_text(&response, prompt);
    http_response_dispose(&response);
}

START_TEST(all_are_answered_and_their_connections_used_again)
{
    start(1000, "", 0);
    connect_all();
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < CLIENTS; i++)
            send_chat(clients[i], round * CLIENTS + i);
        ck_assert(replicate_sim_wait_created(bridge.sim, (round + 1) * CLIENTS, 2 * daemon_patience_ms()));
        for (size_t i = 0; i < CLIENTS; i++)
            expect_own_answer(clients[i], round * CLIENTS + i);
    }
    ck_assert_uint_eq(chat_case_creates(&bridge), 2 * CLIENTS);
}
END_TEST

/* Their places are taken again, and those beside them are not disturbed. */
START_TEST(whoever_hangs_up_is_noticed_in_each_daemon)
{
    start(3000, "on_disconnect: cancel\n", 0);
    connect_all();
    for (size_t i = 0; i < CLIENTS; i++)
        send_chat(clients[i], i);
    ck_assert(replicate_sim_wait_created(bridge.sim, CLIENTS, 2 * daemon_patience_ms()));
    for (size_t i = 0; i < CLIENTS; i += CLIENTS / LEAVING)
        hang_up(i, i + 1);
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, LEAVING, 2 * daemon_patience_ms()));
    for (size_t i = 0; i < CLIENTS; i += CLIENTS / LEAVING) {
        clients[i] = http_connect(bridge.port);
        send_chat(clients[i], CLIENTS + i);
    }
    for (size_t i = 0; i < CLIENTS; i++)
        expect_own_answer(clients[i], i % (CLIENTS / LEAVING) == 0 ? CLIENTS + i : i);
}
END_TEST

START_TEST(all_that_wait_at_the_end_of_the_program_are_told_so)
{
    struct http_response response = {0};
    start(SIM_HOLD, "drain_timeout: 100ms\n", 0);
    connect_all();
    for (size_t i = 0; i < CLIENTS; i++)
        send_chat(clients[i], i);
    ck_assert(replicate_sim_wait_created(bridge.sim, CLIENTS, 2 * daemon_patience_ms()));
    ck_assert(daemon_signal(bridge.daemon, SIGTERM));
    for (size_t i = 0; i < CLIENTS; i++) {
        ck_assert_msg(http_read(clients[i], &response, 2 * daemon_patience_ms()), "client %zu has no answer", i);
        ck_assert_int_eq(response.status, 503);
        http_response_dispose(&response);
    }
    ck_assert_int_eq(daemon_wait_exit(bridge.daemon, daemon_patience_ms()), 0);
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, CLIENTS, daemon_patience_ms()));
}
END_TEST

static void wait_for_descriptors(long at_least)
{
    int64_t deadline_ms = clock_now_ms() + daemon_patience_ms();
    long now = 0;
    while (now < at_least && clock_now_ms() < deadline_ms)
        now = daemon_descriptors(bridge.daemon);
    ck_assert_msg(now >= at_least, "%ld descriptors are open", now);
}

/* Those that say nothing take all the room; who comes after them waits until some of them have left. */
START_TEST(connections_beyond_the_limit_wait_until_there_is_room)
{
    enum { OWN = 40, SHORT_MS = 300 };
    struct http_response response = {0};
    start(0, "read_timeout: 10m\n", FEW_DESCRIPTORS);
    connect_all();
    late = http_connect(bridge.port);
    ck_assert(late != NULL);
    send_chat(late, CLIENTS);
    wait_for_descriptors(LIMIT);
    ck_assert_int_eq(http_read_head(late, &response, SHORT_MS), HTTP_LATE);
    ck_assert_int_lt(daemon_descriptors(bridge.daemon), LIMIT + OWN);
    hang_up(0, CLIENTS - LIMIT);
    ck_assert_int_eq(http_read_head(late, &response, SHORT_MS), HTTP_LATE);
    hang_up(CLIENTS - LIMIT, CLIENTS - LIMIT + 1);
    http_response_dispose(&response);
    expect_own_answer(late, CLIENTS);
}
END_TEST

static Suite *connections_suite(void)
{
    Suite *suite = suite_create("connections");
    TCase *tcase = tcase_create("many of one worker");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, all_are_answered_and_their_connections_used_again);
    tcase_add_test(tcase, whoever_hangs_up_is_noticed_in_each_daemon);
    tcase_add_test(tcase, all_that_wait_at_the_end_of_the_program_are_told_so);
    tcase_add_test(tcase, connections_beyond_the_limit_wait_until_there_is_room);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(connections_suite());
}
