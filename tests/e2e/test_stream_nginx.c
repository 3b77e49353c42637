/* Streams through a real nginx, which gives up on what stays silent: a model may boot for longer than that. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "chat_stream.h"
#include "check_main.h"
#include "nginx.h"

/* The first byte comes after five seconds, so nginx must wait for six; and the boot is longer than twice that. */
enum { READ_TIMEOUT_S = 6, BOOT_MS = 12500, PATHS = 2 };

static const char *const paths[PATHS] = {"/plain/v1/chat/completions", "/kept/v1/chat/completions"};
static const char *const pieces[] = {"At", " long", " last"};

static struct bridge bridge;
static struct nginx *nginx;
static struct stream_client clients[PATHS];

static void tear_down(void)
{
    for (size_t i = 0; i < PATHS; i++)
        stream_dispose(&clients[i]);
    nginx_stop(&nginx);
    chat_case_stop(&bridge);
}

static void start(const struct sim_plan *plan, const char *more)
{
    bridge_start(&bridge, plan, more);
    nginx = nginx_start(bridge.port, READ_TIMEOUT_S);
}

static void begin(struct stream_client *client, const char *path)
{
    char *body = bridge_chat_body("writer", CHAT_CASE_PROMPT, ",\"stream\":true");
    ck_assert(stream_open(client, nginx_port(nginx), &(struct http_request){.path = path, .body = body}));
    free(body);
}

/* Through nginx the events may come in other chunks than they were sent in, but they are the same. */
static void expect_text(struct stream_client *client, const char *name)
{
    client->torn_chunks = 0;
    chat_stream_expect_text(client, name, "At long last");
}

START_TEST(a_boot_longer_than_the_timeout_of_nginx_is_survived)
{
    static const struct sim_plan boots = {.model = BRIDGE_MODEL,
                                          .official = true,
                                          .boot_ms = BOOT_MS,
                                          .pieces = pieces,
                                          .piece_count = 3,
                                          .piece_ms = 50,
                                          .stream.offered = true};
    if (!nginx_is_there())
        return;
    start(&boots, "keepalive: 1s\n");
    for (size_t i = 0; i < PATHS; i++)
        begin(&clients[i], paths[i]);
    stream_read_all(clients, PATHS, BOOT_MS + daemon_patience_ms());
    for (size_t i = 0; i < PATHS; i++) {
        expect_text(&clients[i], paths[i]);
        ck_assert_str_eq(clients[i].frames[0].text, ": starting");
    }
}
END_TEST

/* It would collect an answer if it were not told not to. */
START_TEST(each_piece_comes_through_nginx_at_once)
{
    static const struct sim_plan held = {.model = BRIDGE_MODEL,
                                         .official = true,
                                         .pieces = pieces,
                                         .piece_count = 3,
                                         .piece_ms = SIM_HOLD,
                                         .stream.offered = true};
    if (!nginx_is_there())
        return;
    start(&held, "");
    begin(&clients[0], paths[_i]);
    ck_assert(replicate_sim_wait_streams(bridge.sim, 1, daemon_patience_ms()));
    for (size_t i = 0; i < 3; i++) {
        replicate_sim_advance(bridge.sim, 0);
        char *content = xasprintf("\"content\":\"%s\"", pieces[i]);
        ck_assert_msg(stream_read_until(&clients[0], content, daemon_patience_ms()), "piece %zu did not come", i);
        free(content);
    }
    replicate_sim_advance(bridge.sim, 0);
    chat_stream_finish(&clients[0]);
    expect_text(&clients[0], paths[_i]);
}
END_TEST

/* nginx closes its own connection when its client is gone. */
START_TEST(who_hangs_up_on_nginx_is_noticed)
{
    static const struct sim_plan held = {.model = BRIDGE_MODEL,
                                         .official = true,
                                         .boot_ms = SIM_HOLD,
                                         .pieces = pieces,
                                         .piece_count = 3,
                                         .piece_ms = SIM_HOLD,
                                         .stream.offered = true};
    if (!nginx_is_there())
        return;
    start(&held, "");
    begin(&clients[0], paths[_i]);
    ck_assert(replicate_sim_wait_streams(bridge.sim, 1, daemon_patience_ms()));
    http_close(&clients[0].connection);
    ck_assert_msg(replicate_sim_wait_cancelled(bridge.sim, 1, daemon_patience_ms() > 50000 ? 10000 : 1000),
                  "no cancel within a second");
}
END_TEST

static Suite *nginx_suite(void)
{
    Suite *suite = suite_create("streams through nginx");
    TCase *tcase = tcase_create("nginx");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_boot_longer_than_the_timeout_of_nginx_is_survived);
    tcase_add_loop_test(tcase, each_piece_comes_through_nginx_at_once, 0, PATHS);
    tcase_add_loop_test(tcase, who_hangs_up_on_nginx_is_noticed, 0, PATHS);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(nginx_suite());
}
