/* Many streams at once: each client gets its own text, byte for byte. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "chat_stream.h"
#include "check_main.h"

enum { STREAMS = 200, REPEATS = 10, TEXT_MAX_BYTES = 4096 };

static const char *const pieces[] = {"\xe2\x82\xac ", SIM_PROMPT, " -", "\n", " \xf0\x9f\x90\xb1", ", "};

static struct bridge bridge;
static struct stream_client clients[STREAMS];

static void tear_down(void)
{
    for (size_t i = 0; i < STREAMS; i++)
        stream_dispose(&clients[i]);
    bridge_stop(&bridge);
}

static void begin_all(void)
{
    for (size_t i = 0; i < STREAMS; i++) {
        char *prompt = xasprintf("nonce-%zu", i * 7919);
        char *body = bridge_chat_body("writer", prompt, ",\"stream\":true");
        ck_assert(stream_open(&clients[i], bridge.port,
                              &(struct http_request){.path = "/v1/chat/completions", .body = body}));
        free(body);
        free(prompt);
    }
}

static void expect_own_text(size_t i)
{
    struct buf text;
    buf_init(&text, TEXT_MAX_BYTES);
    for (int repeat = 0; repeat < REPEATS; repeat++)
        buf_printf(&text, "\xe2\x82\xac nonce-%zu -\n \xf0\x9f\x90\xb1, ", i * 7919);
    char *name = xasprintf("stream %zu", i);
    chat_stream_expect_text(&clients[i], name, buf_text(&text));
    free(name);
    buf_dispose(&text);
}

/* In good order; with pieces cut inside characters; broken in the middle and gone on with; broken and polled. */
static const struct sim_stream_plan streams[] = {
    {.offered = true},
    {.offered = true, .half_characters = true, .bytewise = true},
    {.offered = true, .fault = SIM_STREAM_CUT, .fault_after = 25},
    {.offered = true, .fault = SIM_STREAM_RESET, .fault_after = 25, .no_ids = true},
    {.offered = false},
};

START_TEST(each_of_many_clients_gets_its_own_text)
{
    struct sim_counters counters;
    struct sim_plan plan = {.model = BRIDGE_MODEL,
                            .official = true,
                            .pieces = pieces,
                            .piece_count = sizeof pieces / sizeof *pieces,
                            .repeat_pieces = REPEATS,
                            .piece_ms = 20,
                            .stream = streams[_i]};
    bridge_start(&bridge, &plan, "  polls_per_minute: 60000\n  creates_per_minute: 60000\n");
    begin_all();
    stream_read_all(clients, STREAMS, 5 * daemon_patience_ms());
    for (size_t i = 0; i < STREAMS; i++)
        expect_own_text(i);
    replicate_sim_counters(bridge.sim, &counters);
    ck_assert_uint_eq(counters.created, STREAMS);
    ck_assert_uint_eq(counters.cancel_calls, 0);
    ck_assert_uint_eq(counters.throttled, 0);
    bridge_expect_metric(&bridge, "replibridge_predictions", 0);
}
END_TEST

/* Half of them hang up, each at another place; the others do not notice. */
START_TEST(those_who_stay_do_not_notice_those_who_go)
{
    /* None may have come to its end before its client goes, also where a sanitizer slows everything else down. */
    struct sim_plan plan = {.model = BRIDGE_MODEL,
                            .official = true,
                            .pieces = pieces,
                            .piece_count = sizeof pieces / sizeof *pieces,
                            .repeat_pieces = REPEATS,
                            .piece_ms = daemon_patience_ms() > 50000 ? 300 : 30,
                            .stream.offered = true};
    bridge_start(&bridge, &plan, "  polls_per_minute: 60000\n  creates_per_minute: 60000\n");
    begin_all();
    for (size_t i = 0; i < STREAMS; i += 2) {
        ck_assert(stream_read_frames(&clients[i], 1 + i % 12, daemon_patience_ms()));
        http_reset(&clients[i].connection);
        clients[i].progress = STREAM_BROKEN;
    }
    stream_read_all(clients, STREAMS, 2 * daemon_patience_ms());
    for (size_t i = 1; i < STREAMS; i += 2)
        expect_own_text(i);
    bridge_expect_metric(&bridge, "replibridge_predictions", 0);
    ck_assert(replicate_sim_wait_streams_closed(bridge.sim, daemon_patience_ms()));
    bridge_expect_metric(&bridge, "replibridge_clients_gone_total", STREAMS / 2);
}
END_TEST

static Suite *load_suite(void)
{
    Suite *suite = suite_create("many streams");
    TCase *tcase = tcase_create("side by side");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, each_of_many_clients_gets_its_own_text, 0, sizeof streams / sizeof *streams);
    tcase_add_test(tcase, those_who_stay_do_not_notice_those_who_go);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(load_suite());
}
