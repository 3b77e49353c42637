/* A model that boots for 70 seconds, streamed through an nginx that gives up after 15 seconds of silence, in real time
 * and with the configuration as it is by default. CK_EXCLUDE_TAGS=slow leaves this out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "chat_stream.h"
#include "check_main.h"
#include "nginx.h"

enum { READ_TIMEOUT_S = 15, BOOT_MS = 70 * 1000, LONGEST_SILENCE_MS = 10 * 1000, LATE_MS = 1000, CLIENTS = 2 };

static const char *const paths[CLIENTS] = {"/plain/v1/chat/completions", "/kept/v1/chat/completions"};
static const char *const pieces[] = {"At", " long", " last"};

static struct bridge bridge;
static struct nginx *nginx;
static struct stream_client clients[CLIENTS];

static void tear_down(void)
{
    for (size_t i = 0; i < CLIENTS; i++)
        stream_dispose(&clients[i]);
    nginx_stop(&nginx);
    chat_case_stop(&bridge);
}

static void expect_no_long_silence(const struct stream_client *client)
{
    int64_t last_us = client->opened_us;
    for (size_t i = 0; i < client->frame_count; i++) {
        int64_t silence_ms = (client->frames[i].at_us - last_us) / 1000;
        ck_assert_msg(silence_ms < LONGEST_SILENCE_MS + LATE_MS, "%lld ms of silence before frame %zu",
                      (long long)silence_ms, i);
        last_us = client->frames[i].at_us;
    }
    ck_assert_int_ge(last_us - client->opened_us, BOOT_MS * INT64_C(1000));
}

/* Replicate closes a stream every half minute while the model boots. */
START_TEST(a_boot_of_seventy_seconds_streams_through_nginx)
{
    static const struct sim_plan boots = {.model = BRIDGE_MODEL,
                                          .official = true,
                                          .boot_ms = BOOT_MS,
                                          .pieces = pieces,
                                          .piece_count = 3,
                                          .piece_ms = 50,
                                          .stream.offered = true};
    struct sim_counters counters;
    if (!nginx_is_there())
        return;
    bridge_start(&bridge, &boots, "");
    nginx = nginx_start(bridge.port, READ_TIMEOUT_S);
    char *body = bridge_chat_body("writer", CHAT_CASE_PROMPT, ",\"stream\":true");
    for (size_t i = 0; i < CLIENTS; i++)
        ck_assert(stream_open(&clients[i], nginx_port(nginx), &(struct http_request){.path = paths[i], .body = body}));
    free(body);
    stream_read_all(clients, CLIENTS, BOOT_MS + daemon_patience_ms());
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i].torn_chunks = 0; /* nginx may cut where it likes */
        chat_stream_expect_text(&clients[i], paths[i], "At long last");
        expect_no_long_silence(&clients[i]);
    }
    replicate_sim_counters(bridge.sim, &counters);
    ck_assert_uint_eq(counters.created, CLIENTS);
    ck_assert_uint_ge(counters.stream_timeouts, 2 * CLIENTS);
}
END_TEST

static Suite *slow_boot_suite(void)
{
    Suite *suite = suite_create("slow boots of streams");
    TCase *tcase = tcase_create("slow");
    tcase_set_tags(tcase, "slow");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_boot_of_seventy_seconds_streams_through_nginx);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(slow_boot_suite());
}
