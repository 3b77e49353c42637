/* Clients that read slowly, or not at all: nothing is lost, memory is bounded, and in the end they are given up. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "chat_stream.h"
#include "check_main.h"

/* What the sockets on the way hold besides the program is a few MB: each text is more than that. */
enum { PIECE_BYTES = 32 * 1024, PIECES = 400, MANY_PIECES = 1600, MODEST_PIECES = 120, LARGE_PIECES = 700 };

static struct bridge bridge;
static struct stream_client client;
static char *pieces[MANY_PIECES];

/* Each piece begins with its number, so that none can be taken for another. */
static void set_up(void)
{
    for (size_t i = 0; i < MANY_PIECES; i++) {
        pieces[i] = xmalloc(PIECE_BYTES + 1);
        memset(pieces[i], 'a' + (int)(i % 26), PIECE_BYTES);
        pieces[i][snprintf(pieces[i], 32, "<%zu>", i)] = '.';
        pieces[i][PIECE_BYTES] = '\0';
    }
}

static void tear_down(void)
{
    stream_dispose(&client);
    chat_case_stop(&bridge);
    for (size_t i = 0; i < MANY_PIECES; i++)
        free(pieces[i]);
}

/* All of them at once, as fast as they are taken. */
static struct sim_plan flood(size_t count)
{
    return (struct sim_plan){.model = BRIDGE_MODEL,
                             .official = true,
                             .pieces = (const char *const *)pieces,
                             .piece_count = count,
                             .stream.offered = true};
}

static bool is_sanitized(void)
{
    return daemon_patience_ms() > 50000;
}

static void expect_all_pieces(size_t count)
{
    struct chat_stream heard;
    chat_stream_hear(&client, &heard);
    const struct buf *content = &heard.choices[0].content;
    ck_assert_uint_eq(content->length, count * PIECE_BYTES);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(memcmp(content->data + i * PIECE_BYTES, pieces[i], PIECE_BYTES) == 0, "piece %zu is wrong", i);
    ck_assert(heard.is_done && heard.error == NULL);
    ck_assert_uint_eq(client.torn_chunks, 0);
    chat_stream_dispose(&heard);
}

static void read_nothing_for(int ms)
{
    (void)poll(NULL, 0, ms);
}

/* ---- slow readers ---- */

START_TEST(who_does_not_read_for_a_while_misses_nothing)
{
    struct sim_plan plan = flood(PIECES);
    bridge_start(&bridge, &plan, "  poll_interval: 100ms\n");
    chat_stream_begin(&bridge, &(struct chat_case){0}, &client);
    ck_assert(replicate_sim_wait_streams(bridge.sim, 1, daemon_patience_ms()));
    read_nothing_for(3500); /* longer than a stream may be silent before polls take over */
    chat_stream_finish(&client);
    expect_all_pieces(PIECES);
}
END_TEST

START_TEST(who_reads_with_pauses_misses_nothing_and_is_not_given_up)
{
    struct sim_plan plan = flood(PIECES);
    bridge_start(&bridge, &plan, "write_timeout: 1500ms\n");
    chat_stream_begin(&bridge, &(struct chat_case){0}, &client);
    ck_assert(replicate_sim_wait_streams(bridge.sim, 1, daemon_patience_ms()));
    for (int i = 0; i < 4; i++) {
        size_t frames = client.frame_count;
        read_nothing_for(600);
        ck_assert(stream_read_frames(&client, frames + 1000, daemon_patience_ms()));
    }
    chat_stream_finish(&client);
    expect_all_pieces(PIECES);
}
END_TEST

START_TEST(who_reads_a_polled_text_late_misses_nothing)
{
    struct sim_plan plan = flood(MODEST_PIECES);
    plan.stream.offered = false;
    plan.run_ms = 800;
    bridge_start(&bridge, &plan, "  poll_interval: 100ms\n");
    chat_stream_begin(&bridge, &(struct chat_case){0}, &client);
    stream_take_little(&client);
    ck_assert(replicate_sim_wait_ended(bridge.sim, 1, daemon_patience_ms()));
    chat_stream_finish(&client);
    expect_all_pieces(MODEST_PIECES);
}
END_TEST

/* More than an outbox holds for a client that is slow: this one is not. */
START_TEST(a_large_text_that_comes_at_once_is_whole)
{
    struct sim_plan plan = flood(LARGE_PIECES);
    plan.stream.offered = false;
    bridge_start(&bridge, &plan, "  poll_interval: 100ms\n");
    chat_stream_begin(&bridge, &(struct chat_case){0}, &client);
    chat_stream_finish(&client);
    expect_all_pieces(LARGE_PIECES);
}
END_TEST

/* All is said, and the rest waits for room in the socket: it is still to be had by a client that says no more. */
START_TEST(who_half_closes_after_the_end_gets_the_rest)
{
    struct sim_plan plan = flood(LARGE_PIECES);
    plan.stream.offered = false;
    bridge_start(&bridge, &plan, "  poll_interval: 100ms\n");
    chat_stream_begin(&bridge, &(struct chat_case){0}, &client);
    stream_take_little(&client);
    bridge_expect_metric(&bridge, "replibridge_requests_in_flight{state=\"replying\"}", 1);
    ck_assert(http_half_close(client.connection));
    chat_stream_finish(&client);
    expect_all_pieces(LARGE_PIECES);
}
END_TEST

/* One that does not read holds up nobody else, not even on its own worker. */
START_TEST(who_does_not_read_holds_up_nobody_else)
{
    struct sim_plan plan = flood(PIECES);
    static struct stream_client others[4];
    bridge_start(&bridge, &plan, "");
    chat_stream_begin(&bridge, &(struct chat_case){0}, &client);
    ck_assert(replicate_sim_wait_streams(bridge.sim, 1, daemon_patience_ms()));
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = BRIDGE_MODEL,
                                                      .official = true,
                                                      .pieces = (const char *const[]){"quick"},
                                                      .piece_count = 1,
                                                      .stream.offered = true});
    for (size_t i = 0; i < 4; i++)
        chat_stream_begin(&bridge, &(struct chat_case){0}, &others[i]);
    ck_assert(stream_read_all(others, 4, daemon_patience_ms()));
    for (size_t i = 0; i < 4; i++) {
        chat_stream_expect_text(&others[i], "another client's answer", "quick");
        stream_dispose(&others[i]);
    }
    chat_stream_finish(&client);
    expect_all_pieces(PIECES);
}
END_TEST

/* ---- those who read nothing ---- */

/* 50 MB wait for a client that reads nothing: they wait at Replicate. */
START_TEST(what_nobody_reads_is_not_collected)
{
    enum { GROWTH_MAX_KIB = 8 * 1024 };
    struct sim_counters counters;
    struct sim_plan plan = flood(MANY_PIECES);
    plan.run_ms = SIM_HOLD;
    bridge_start(&bridge, NULL, "");
    chat_stream_begin(&bridge, &(struct chat_case){0}, &client); /* what every program needs once is not counted */
    chat_stream_finish(&client);
    stream_dispose(&client);
    long before_kib = daemon_rss_kib(bridge.daemon), most_kib = 0;
    replicate_sim_plan(bridge.sim, &plan);
    chat_stream_begin(&bridge, &(struct chat_case){0}, &client);
    stream_take_little(&client);
    ck_assert(replicate_sim_wait_stream_pieces(bridge.sim, MANY_PIECES - 1, daemon_patience_ms()));
    replicate_sim_advance(bridge.sim, 1); /* the model has ended, and could all be told */
    for (int i = 0; i < 15; i++) {
        read_nothing_for(200);
        long now_kib = daemon_rss_kib(bridge.daemon);
        most_kib = now_kib > most_kib ? now_kib : most_kib;
    }
    if (!is_sanitized())
        ck_assert_msg(most_kib - before_kib < GROWTH_MAX_KIB, "memory grew by %ld KiB", most_kib - before_kib);
    /* Replicate still has a connection to write to, and the rest of the text to write. */
    replicate_sim_counters(bridge.sim, &counters);
    ck_assert_uint_eq(counters.open_streams, 1);
    http_close(&client.connection);
    ck_assert(replicate_sim_wait_streams_closed(bridge.sim, daemon_patience_ms()));
    bridge_expect_metric(&bridge, "replibridge_predictions", 0);
}
END_TEST

START_TEST(who_reads_nothing_is_given_up_after_the_write_timeout)
{
    enum { TIMEOUT_MS = 1000 };
    struct sim_plan plan = flood(PIECES);
    plan.run_ms = SIM_HOLD;
    plan.stream.offered = _i == 0;
    bridge_start(&bridge, &plan, "  poll_interval: 100ms\nwrite_timeout: 1s\n");
    int64_t began_ms = clock_now_ms();
    chat_stream_begin(&bridge, &(struct chat_case){0}, &client);
    stream_take_little(&client);
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 1, daemon_patience_ms()));
    int64_t took_ms = clock_now_ms() - began_ms;
    ck_assert_msg(took_ms >= TIMEOUT_MS, "it was cancelled after %lld ms", (long long)took_ms);
    ck_assert_msg(is_sanitized() || took_ms < TIMEOUT_MS + 2000, "it was cancelled after %lld ms", (long long)took_ms);
    ck_assert(daemon_log_wait(bridge.daemon, "client_gone", daemon_patience_ms()));
    ck_assert_msg(!stream_read_to_end(&client, daemon_patience_ms()), "the answer looks complete");
    ck_assert_int_eq(client.progress, STREAM_BROKEN);
    bridge_expect_metric(&bridge, "replibridge_predictions", 0);
}
END_TEST

/* The write timeout is one of writing: a silent model is no client that does not read. */
START_TEST(a_silent_model_is_not_the_clients_fault)
{
    static const char *const two[] = {"one", "two"};
    struct sim_plan plan = {.model = BRIDGE_MODEL,
                            .official = true,
                            .pieces = two,
                            .piece_count = 2,
                            .piece_ms = 2500,
                            .stream.offered = true};
    bridge_start(&bridge, &plan, "write_timeout: 1s\n");
    chat_stream_begin(&bridge, &(struct chat_case){0}, &client);
    chat_stream_finish(&client);
    chat_stream_expect_text(&client, "the answer", "onetwo");
}
END_TEST

static Suite *slow_suite(void)
{
    Suite *suite = suite_create("slow readers of streams");
    TCase *tcase = tcase_create("back-pressure");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, who_does_not_read_for_a_while_misses_nothing);
    tcase_add_test(tcase, who_reads_with_pauses_misses_nothing_and_is_not_given_up);
    tcase_add_test(tcase, who_reads_a_polled_text_late_misses_nothing);
    tcase_add_test(tcase, a_large_text_that_comes_at_once_is_whole);
    tcase_add_test(tcase, who_half_closes_after_the_end_gets_the_rest);
    tcase_add_test(tcase, who_does_not_read_holds_up_nobody_else);
    tcase_add_test(tcase, what_nobody_reads_is_not_collected);
    tcase_add_loop_test(tcase, who_reads_nothing_is_given_up_after_the_write_timeout, 0, 2);
    tcase_add_test(tcase, a_silent_model_is_not_the_clients_fault);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(slow_suite());
}
