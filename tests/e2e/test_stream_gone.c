/* Clients that hang up on a stream: the prediction is cancelled within a second, whatever the stream was doing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "chat_stream.h"
#include "check_main.h"

enum { NOTICED_WITHIN_MS = 1000 };

static struct bridge bridge;
static struct stream_client client;

static const char *const pieces[] = {"Once", " upon", " a", " time"};

static const struct sim_plan held = {.model = BRIDGE_MODEL,
                                     .official = true,
                                     .pieces = pieces,
                                     .piece_count = 4,
                                     .piece_ms = SIM_HOLD,
                                     .stream.offered = true};

static void tear_down(void)
{
    stream_dispose(&client);
    chat_case_stop(&bridge);
}

/* A sanitizer slows everything down tenfold. */
static int64_t within_ms(void)
{
    return daemon_patience_ms() > 50000 ? 10 * NOTICED_WITHIN_MS : NOTICED_WITHIN_MS;
}

static void begin(const struct sim_plan *plan, const char *headers, const char *more)
{
    bridge_start(&bridge, plan, more);
    chat_stream_begin(&bridge, &(struct chat_case){.headers = headers}, &client);
    ck_assert(replicate_sim_wait_created(bridge.sim, 1, daemon_patience_ms()));
}

/* ---- ways to go ---- */

static void go_by_closing(void)
{
    http_close(&client.connection);
}

static void go_by_reset(void)
{
    http_reset(&client.connection);
}

static void go_by_half_closing(void)
{
    ck_assert(http_half_close(client.connection));
}

static void (*const goodbyes[])(void) = {go_by_closing, go_by_reset, go_by_half_closing};

enum { GOODBYES = sizeof goodbyes / sizeof *goodbyes };

static void expect_cancel_in_time(void)
{
    int64_t began_ms = clock_now_ms();
    ck_assert_msg(replicate_sim_wait_cancel_calls(bridge.sim, 1, within_ms()), "no cancel within a second");
    ck_assert_int_le(clock_now_ms() - began_ms, within_ms());
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 1, daemon_patience_ms()));
    bridge_expect_metric(&bridge, "replibridge_predictions", 0);
    ck_assert(replicate_sim_wait_streams_closed(bridge.sim, daemon_patience_ms()));
    ck_assert(daemon_log_wait(bridge.daemon, "client_gone", daemon_patience_ms()));
}

/* ---- phases ---- */

START_TEST(who_hangs_up_while_the_model_boots_is_noticed)
{
    struct sim_plan boots = held;
    boots.boot_ms = SIM_HOLD;
    begin(&boots, NULL, "");
    ck_assert(replicate_sim_wait_streams(bridge.sim, 1, daemon_patience_ms()));
    goodbyes[_i]();
    expect_cancel_in_time();
}
END_TEST

START_TEST(who_hangs_up_during_the_create_is_noticed)
{
    bridge_start(&bridge, &held, "");
    replicate_sim_fault(bridge.sim, SIM_CREATE, &(struct sim_fault_spec){.fault = SIM_FAULT_SLOW, .delay_ms = 300});
    chat_stream_begin(&bridge, &(struct chat_case){0}, &client);
    ck_assert(replicate_sim_wait_created(bridge.sim, 1, daemon_patience_ms()));
    goodbyes[_i]();
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 1, 300 + within_ms()));
    ck_assert_uint_eq(replicate_sim_request_count(bridge.sim, SIM_STREAM), 0);
}
END_TEST

START_TEST(who_hangs_up_between_two_pieces_is_noticed)
{
    begin(&held, NULL, "");
    ck_assert(replicate_sim_wait_streams(bridge.sim, 1, daemon_patience_ms()));
    for (int i = 0; i < 2; i++)
        replicate_sim_advance(bridge.sim, 0);
    ck_assert(stream_read_until(&client, " upon", daemon_patience_ms()));
    goodbyes[_i]();
    expect_cancel_in_time();
}
END_TEST

START_TEST(who_hangs_up_between_two_polls_of_the_text_is_noticed)
{
    struct sim_plan no_stream = held;
    no_stream.stream.offered = false;
    begin(&no_stream, NULL, "  poll_interval: 100ms\n");
    ck_assert(replicate_sim_wait_polls(bridge.sim, 1, daemon_patience_ms()));
    replicate_sim_advance(bridge.sim, 0);
    ck_assert(stream_read_until(&client, "Once", daemon_patience_ms()));
    goodbyes[_i]();
    expect_cancel_in_time();
}
END_TEST

/* Pieces come all the time, so that somebody is always in the middle of a write. */
START_TEST(who_hangs_up_in_a_flood_is_noticed)
{
    struct sim_plan flood = held;
    flood.piece_ms = 1;
    flood.repeat_pieces = 20000;
    begin(&flood, NULL, "");
    ck_assert(stream_read_frames(&client, 200, daemon_patience_ms()));
    goodbyes[_i]();
    expect_cancel_in_time();
}
END_TEST

/* A client that reads slowly: the outbox is full, and the stream from Replicate held back. */
START_TEST(who_hangs_up_on_a_stream_that_waits_for_him_is_noticed)
{
    enum { PIECE_BYTES = 32 * 1024 };
    static char large[PIECE_BYTES + 1];
    static const char *const large_pieces[] = {large};
    static const struct sim_plan flood = {.model = BRIDGE_MODEL,
                                          .official = true,
                                          .pieces = large_pieces,
                                          .piece_count = 1,
                                          .repeat_pieces = 500,
                                          .run_ms = SIM_HOLD,
                                          .stream.offered = true};
    memset(large, 'x', PIECE_BYTES);
    bridge_start(&bridge, &flood, "");
    chat_stream_begin(&bridge, &(struct chat_case){0}, &client);
    stream_take_little(&client);
    ck_assert(replicate_sim_wait_stream_pieces(bridge.sim, 490, daemon_patience_ms()));
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(stream_read(&client, 4096, daemon_patience_ms()), STREAM_MORE);
        ck_assert(!replicate_sim_wait_streams_closed(bridge.sim, 100)); /* nobody took all of it */
    }
    goodbyes[_i]();
    expect_cancel_in_time();
}
END_TEST

/* ---- those who may come back ---- */

START_TEST(who_may_come_back_is_waited_for)
{
    enum { GRACE_MS = 700 };
    begin(&held, "x-stainless-retry-count: 0\r\n", "grace: 700ms\n");
    ck_assert(replicate_sim_wait_streams(bridge.sim, 1, daemon_patience_ms()));
    replicate_sim_advance(bridge.sim, 0);
    ck_assert(stream_read_until(&client, "Once", daemon_patience_ms()));
    int64_t left_ms = clock_now_ms();
    http_close(&client.connection);
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 1, GRACE_MS + within_ms()));
    ck_assert_int_ge(clock_now_ms() - left_ms, GRACE_MS - 50);
    bridge_expect_metric(&bridge, "replibridge_predictions", 0);
}
END_TEST

START_TEST(who_hangs_up_on_several_choices_has_them_all_cancelled)
{
    bridge_start(&bridge, &held, "");
    chat_stream_begin(&bridge, &(struct chat_case){.more = ",\"n\":3"}, &client);
    ck_assert(replicate_sim_wait_streams(bridge.sim, 3, daemon_patience_ms()));
    replicate_sim_advance(bridge.sim, 1);
    ck_assert(stream_read_until(&client, "Once", daemon_patience_ms()));
    goodbyes[_i]();
    ck_assert_msg(replicate_sim_wait_cancelled(bridge.sim, 3, within_ms()), "not all were cancelled within a second");
    ck_assert(replicate_sim_wait_streams_closed(bridge.sim, daemon_patience_ms()));
}
END_TEST

static Suite *gone_suite(void)
{
    Suite *suite = suite_create("hung up streams");
    TCase *tcase = tcase_create("phases");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, who_hangs_up_while_the_model_boots_is_noticed, 0, GOODBYES);
    tcase_add_loop_test(tcase, who_hangs_up_during_the_create_is_noticed, 0, GOODBYES);
    tcase_add_loop_test(tcase, who_hangs_up_between_two_pieces_is_noticed, 0, GOODBYES);
    tcase_add_loop_test(tcase, who_hangs_up_between_two_polls_of_the_text_is_noticed, 0, GOODBYES);
    tcase_add_loop_test(tcase, who_hangs_up_in_a_flood_is_noticed, 0, GOODBYES);
    tcase_add_loop_test(tcase, who_hangs_up_on_a_stream_that_waits_for_him_is_noticed, 0, GOODBYES);
    tcase_add_test(tcase, who_may_come_back_is_waited_for);
    tcase_add_loop_test(tcase, who_hangs_up_on_several_choices_has_them_all_cancelled, 0, GOODBYES);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(gone_suite());
}
