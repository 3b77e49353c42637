/* Many large bodies at once: what is too much is told to come again, nothing breaks, and afterwards all is as before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "chat_case.h"
#include "check_main.h"

enum { MIB = 1 << 20, CLIENTS = 40 };

static const struct chat_error overloaded = {503, "server_error", "overloaded", NULL, true, "max_body_memory"};

static struct bridge bridge;
static struct http_connection *clients[CLIENTS];
static struct http_response response;
static char *large; /* a chat completion */

static void make_large(size_t bytes)
{
    char *text = xmalloc(bytes + 1);
    memset(text, 'a', bytes);
    text[bytes] = '\0';
    large = bridge_chat_body("writer", text, "");
    free(text);
}

static void tear_down(void)
{
    for (int i = 0; i < CLIENTS; i++)
        http_close(&clients[i]);
    http_response_dispose(&response);
    free(large);
    large = NULL;
    chat_case_stop(&bridge);
}

static void send_head(int i, size_t length)
{
    char *head = xasprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                           "Content-Length: %zu\r\n\r\n",
                           length);
    clients[i] = http_connect(bridge.port);
    ck_assert_ptr_nonnull(clients[i]);
    ck_assert(http_send_text(clients[i], head));
    free(head);
}

/* It is given back when the program has noticed that they are gone. */
static void expect_large_accepted(void)
{
    int64_t deadline_ms = clock_now_ms() + daemon_patience_ms();
    const struct http_request request = {.path = "/v1/chat/completions", .body = large};
    do
        ck_assert(http_exchange(bridge.port, &request, &response, 3 * daemon_patience_ms()));
    while (response.status == 503 && clock_now_ms() < deadline_ms);
    ck_assert_msg(response.status == 200, "status %d: %.300s", response.status, response.body);
}

/* Nothing of the body is sent: what was announced counts. */
START_TEST(announced_bodies_count_and_are_given_back)
{
    bridge_start(&bridge, NULL, "max_body: 1MiB\nmax_body_memory: 2MiB\n");
    make_large(900 * 1024);
    for (int i = 0; i < 2; i++)
        send_head(i, MIB);
    bridge_expect_metric(&bridge, "replibridge_requests_in_flight", 2);
    send_head(2, MIB);
    ck_assert(http_send(clients[2], large, 10));
    clients[3] = http_connect(bridge.port);
    ck_assert(http_send_text(clients[3], "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                                         "Content-Length: 1048576\r\n\r\n"));
    ck_assert(http_read(clients[3], &response, daemon_patience_ms()));
    chat_case_expect_error(&response, &overloaded);
    chat_case_expect_retry_after(&response, 1, 60000);
    for (int i = 0; i < 4; i++)
        http_close(&clients[i]);
    expect_large_accepted();
}
END_TEST

START_TEST(a_chunked_body_counts_as_it_grows)
{
    static char chunk[64 * 1024];
    size_t sent = 0;
    bridge_start(&bridge, NULL, "max_body: 1MiB\nmax_body_memory: 2MiB\n");
    make_large(900 * 1024);
    memset(chunk, ' ', sizeof chunk);
    send_head(0, MIB);
    send_head(1, MIB - 256 * 1024);
    bridge_expect_metric(&bridge, "replibridge_requests_in_flight", 2);
    clients[2] = http_connect(bridge.port);
    ck_assert(http_send_text(clients[2], "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
                                         "Transfer-Encoding: chunked\r\n\r\n"));
    for (; sent < 6; sent++)
        ck_assert(http_send_text(clients[2], "10000\r\n") && http_send(clients[2], chunk, sizeof chunk) &&
                  http_send_text(clients[2], "\r\n"));
    ck_assert(http_send_text(clients[2], "0\r\n\r\n"));
    ck_assert(http_read(clients[2], &response, daemon_patience_ms()));
    chat_case_expect_error(&response, &overloaded);
    for (int i = 0; i < 3; i++)
        http_close(&clients[i]);
    expect_large_accepted();
}
END_TEST

/* A prediction that waits still holds its body. */
START_TEST(bodies_count_until_their_answer)
{
    static const struct sim_plan held = {.model = BRIDGE_MODEL, .official = true, .boot_ms = SIM_HOLD};
    bridge_start(&bridge, &held, "max_body: 1MiB\nmax_body_memory: 1536KiB\n");
    make_large(900 * 1024);
    const struct http_request request = {.path = "/v1/chat/completions", .body = large};
    clients[0] = http_connect(bridge.port);
    ck_assert(http_send_request(clients[0], &request));
    ck_assert(replicate_sim_wait_created(bridge.sim, 1, daemon_patience_ms()));
    ck_assert(http_exchange(bridge.port, &request, &response, daemon_patience_ms()));
    chat_case_expect_error(&response, &overloaded);
    replicate_sim_advance(bridge.sim, 0);
    replicate_sim_advance(bridge.sim, 0);
    chat_case_finish(&clients[0], &response);
    ck_assert_int_eq(response.status, 200);
    clients[0] = http_connect(bridge.port);
    ck_assert(http_send_request(clients[0], &request));
    ck_assert_msg(replicate_sim_wait_created(bridge.sim, 2, daemon_patience_ms()), "there is no room again");
    replicate_sim_advance(bridge.sim, 1);
    replicate_sim_advance(bridge.sim, 1);
    chat_case_finish(&clients[0], &response);
    ck_assert_int_eq(response.status, 200);
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

enum { SPACE_KIB = 512 * 1024, BODY_BYTES = 8 * MIB };

/* A shell lowers the limit on the address space and becomes the program. */
static void start_in_little_space(const char *more)
{
    bridge_start_sim(&bridge);
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = BRIDGE_MODEL,
                                                      .official = true,
                                                      .run_ms = 300,
                                                      .pieces = (const char *const[]){"done"},
                                                      .piece_count = 1});
    char *command = xasprintf("ulimit -v %d && exec \"$0\" \"$@\"", SPACE_KIB);
    const char *given = getenv("REPLIBRIDGE");
    char *program = xstrdup(given != NULL ? given : BUILD_DIR "/replibridge");
    const char *arguments[] = {"-c", command, program, "--config", "@CONFIG@", "--port", "0", NULL};
    char *config = bridge_config(&bridge, more);
    setenv("REPLIBRIDGE", "/bin/sh", 1);
    bridge.daemon = daemon_start(&(struct daemon_options){.config = config, .bare = true, .arguments = arguments});
    setenv("REPLIBRIDGE", program, 1);
    free(config);
    free(program);
    free(command);
    ck_assert_msg(bridge.daemon != NULL, "the program did not become ready");
    bridge.port = daemon_port(bridge.daemon);
}

/* Piece by piece in turns, so that all are read at the same time. Who was refused may be cut off meanwhile. */
static void send_all_in_turns(void)
{
    size_t length = strlen(large);
    for (int i = 0; i < CLIENTS; i++)
        send_head(i, length);
    for (size_t at = 0; at < length; at += MIB)
        for (int i = 0; i < CLIENTS; i++)
            (void)http_send(clients[i], large + at, length - at < MIB ? length - at : MIB);
}

/* Together they are most of the space, and what is made of them would be several times as much. */
START_TEST(more_large_bodies_than_the_memory_holds_break_nothing)
{
    int served = 0, refused = 0;
    start_in_little_space("max_body: 16MiB\n");
    make_large(BODY_BYTES);
    send_all_in_turns();
    for (int i = 0; i < CLIENTS; i++) {
        ck_assert_msg(http_read(clients[i], &response, 6 * daemon_patience_ms()), "client %d was not answered", i);
        ck_assert_msg(response.status == 200 || response.status == 503, "status %d: %.300s", response.status,
                      response.body);
        served += response.status == 200;
        refused += response.status == 503;
    }
    printf("of %d clients %d were served, %d refused\n", CLIENTS, served, refused);
    ck_assert_int_gt(served, 0);
    ck_assert_int_gt(refused, 0);
    expect_large_accepted();
}
END_TEST

#endif

static Suite *body_memory_suite(void)
{
    Suite *suite = suite_create("memory of bodies");
    TCase *tcase = tcase_create("bodies");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 200);
    tcase_add_test(tcase, announced_bodies_count_and_are_given_back);
    tcase_add_test(tcase, a_chunked_body_counts_as_it_grows);
    tcase_add_test(tcase, bodies_count_until_their_answer);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    tcase_add_test(tcase, more_large_bodies_than_the_memory_holds_break_nothing);
#endif
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(body_memory_suite());
}
