/* A streamed prediction whose observer pauses or leaves, or whose time is over. */
#include <string.h>

#include "base/clock.h"
#include "check_main.h"
#include "fake_stream.h"

enum { GRACE_MS = 10000 };

static const int64_t graces[] = {0, GRACE_MS, PREDICTION_KEEP};

static void expect_silence(void)
{
    bench_expect_none();
    ck_assert_int_eq(bench.finished, 0);
}

/* --- pauses --- */

START_TEST(a_paused_stream_is_not_read_and_not_polled)
{
    stream_start();
    stream_tell(0, 3, true);
    prediction_pause(bench.prediction);
    prediction_pause(bench.prediction);
    ck_assert(stream_call()->paused);
    bench_advance(20000);
    ck_assert_ptr_null(stream_poll_call());
    bench_expect_state(PREDICTION_STREAMING);
    /* What was on its way still comes. */
    stream_tell(3, 5, true);
    stream_expect_given(stream_text(5));
    prediction_resume(bench.prediction);
    prediction_resume(bench.prediction);
    ck_assert(!stream_call()->paused);
    bench_advance(1999);
    ck_assert_ptr_null(stream_poll_call());
    bench_advance(1);
    stream_answer_poll("processing", 5);
    stream_tell(5, STORY_TOKENS, true);
    stream_done();
    stream_expect_story();
}
END_TEST

START_TEST(a_pause_from_within_a_piece_takes_hold)
{
    bench.pause_at = 1;
    stream_start();
    stream_tell(0, 2, true);
    ck_assert(stream_call()->paused);
    prediction_resume(bench.prediction);
    stream_tell(2, STORY_TOKENS, true);
    stream_done();
    stream_expect_story();
}
END_TEST

START_TEST(a_stream_cut_while_paused_is_connected_when_it_is_resumed)
{
    stream_start();
    stream_tell(0, 5, true);
    prediction_pause(bench.prediction);
    fake_transfer_break(stream_call(), TRANSFER_LOST);
    bench_advance(_i * 30000);
    ck_assert_ptr_null(stream_call());
    prediction_resume(bench.prediction);
    bench_advance(_i == 0 ? 500 : 0);
    ck_assert_str_eq(fake_transfer_header(stream_call(), "Last-Event-ID"), "100:4");
    stream_tell(5, STORY_TOKENS, true);
    stream_done();
    stream_expect_story();
}
END_TEST

START_TEST(the_end_of_a_stream_is_looked_into_when_the_pause_is_over)
{
    stream_start();
    stream_tell(0, 5, true);
    prediction_pause(bench.prediction);
    stream_say("done", NULL, "{}");
    bench_advance(20000);
    bench_expect_state(PREDICTION_SLEEPING);
    bench_expect_idle();
    prediction_resume(bench.prediction);
    bench_advance(0);
    stream_answer_poll("succeeded", STORY_TOKENS);
    stream_expect_story();
}
END_TEST

START_TEST(output_is_not_polled_for_during_a_pause)
{
    bench_start(stream_job());
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    if (_i == 1) {
        bench_advance(250);
        bench_expect_state(PREDICTION_POLLING);
    }
    prediction_pause(bench.prediction);
    if (_i == 1)
        fake_transfer_answer(bench_poll_call(), 200, BENCH_PROCESSING);
    bench_advance(20000);
    bench_expect_idle();
    stream_expect_given("");
    prediction_resume(bench.prediction);
    bench_advance(0);
    stream_answer_poll("succeeded", STORY_TOKENS);
    stream_expect_story();
}
END_TEST

START_TEST(a_pause_shorter_than_the_sleep_changes_nothing)
{
    bench_start(stream_job());
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    prediction_pause(bench.prediction);
    bench_advance(100);
    prediction_resume(bench.prediction);
    bench_advance(149);
    bench_expect_idle();
    bench_advance(1);
    stream_answer_poll("succeeded", STORY_TOKENS);
    stream_expect_story();
}
END_TEST

START_TEST(a_pause_before_the_id_is_known_holds_back_the_stream)
{
    bench_start(stream_job());
    prediction_pause(bench.prediction);
    if (_i == 1) {
        fake_transfer_break(bench_create_call(), TRANSFER_UNREACHABLE);
        bench_expect_state(PREDICTION_BACKOFF);
        bench_advance(500);
    } else if (_i == 2) {
        fake_transfer_answer(bench_create_call(), 404, "{}");
        bench_expect_state(PREDICTION_RESOLVING);
        fake_transfer_answer(fake_transfer_first(bench.transfers), 200, BENCH_MODEL);
    }
    fake_transfer_answer(fake_transfer_first(bench.transfers), 201,
                         "{\"id\":\"" BENCH_ID "\",\"status\":\"starting\",\"urls\":{\"stream\":\"" STREAM_URL "\"}}");
    bench_expect_state(PREDICTION_STREAMING);
    bench_advance(5000);
    bench_expect_idle();
    prediction_resume(bench.prediction);
    bench_advance(0);
    stream_tell(0, STORY_TOKENS, true);
    stream_done();
    stream_expect_story();
}
END_TEST

START_TEST(a_poll_answered_during_a_pause_may_still_end_it)
{
    stream_start();
    stream_tell(0, 3, true);
    bench_advance(2000);
    prediction_pause(bench.prediction);
    stream_answer_poll("succeeded", STORY_TOKENS);
    stream_expect_story();
}
END_TEST

START_TEST(a_stream_that_is_behind_is_not_left_during_a_pause)
{
    stream_start();
    stream_tell(0, 3, true);
    bench_advance(2000);
    if (_i == 0)
        stream_answer_poll("processing", 7);
    prediction_pause(bench.prediction);
    if (_i == 1)
        stream_answer_poll("processing", 7);
    bench_advance(5000);
    bench_expect_state(PREDICTION_STREAMING);
    prediction_resume(bench.prediction);
    stream_tell(3, STORY_TOKENS, true);
    stream_done();
    stream_expect_story();
}
END_TEST

/* --- the deadline --- */

START_TEST(streaming_past_the_deadline_is_cancelled)
{
    stream_start();
    stream_tell(0, 3, true);
    if (_i == 1)
        prediction_pause(bench.prediction);
    if (_i == 2)
        fake_transfer_break(stream_call(), TRANSFER_LOST);
    bench_advance(60000);
    bench_expect_error(ERROR_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(bench.outcome->error->message, "was still processing"));
    ck_assert_ptr_null(stream_call());
    bench_finish_cancel();
    stream_expect_given(stream_text(3));
}
END_TEST

/* --- an observer who leaves --- */

static void expect_left(int64_t grace_ms)
{
    ck_assert_ptr_null(bench.prediction);
    ck_assert_ptr_null(stream_call());
    if (grace_ms == 0) {
        bench_finish_cancel();
    } else if (grace_ms > 0) {
        bench_advance(GRACE_MS - 1);
        ck_assert_uint_eq(engine_count_in(bench.engine, PREDICTION_CANCELING), 0);
        bench_advance(1);
        bench_finish_cancel();
    }
    expect_silence();
}

/* Also while a poll is under way, a reconnect is awaited, or nothing is read for a pause. */
START_TEST(streaming_abandoned_is_cancelled_now_or_later_or_kept)
{
    int64_t grace_ms = graces[_i % 3];
    stream_start();
    stream_tell(0, 3, true);
    if (_i / 3 == 1)
        bench_advance(2000);
    else if (_i / 3 == 2)
        fake_transfer_break(stream_call(), TRANSFER_LOST);
    else if (_i / 3 == 3)
        prediction_pause(bench.prediction);
    prediction_abandon(&bench.prediction, grace_ms);
    expect_left(grace_ms);
    stream_expect_given(stream_text(3));
}
END_TEST

START_TEST(streaming_abandoned_with_grace_may_end_by_itself)
{
    stream_start();
    stream_tell(0, 3, true);
    if (_i == 1)
        prediction_pause(bench.prediction);
    if (_i == 2)
        bench_advance(2000);
    prediction_abandon(&bench.prediction, GRACE_MS);
    bench_advance(0);
    bench_expect_state(PREDICTION_POLLING);
    stream_answer_poll("processing", 7);
    bench_expect_state(PREDICTION_SLEEPING);
    bench_advance(2000);
    stream_answer_poll("succeeded", STORY_TOKENS);
    expect_silence();
    stream_expect_given(stream_text(3));
}
END_TEST

START_TEST(sleeping_in_a_pause_abandoned_with_grace_is_polled_again)
{
    bench_start(stream_job());
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    prediction_pause(bench.prediction);
    bench_advance(3000);
    prediction_abandon(&bench.prediction, GRACE_MS);
    bench_advance(0);
    stream_answer_poll("succeeded", STORY_TOKENS);
    expect_silence();
}
END_TEST

START_TEST(leaving_from_within_a_piece_of_the_stream_ends_the_pieces)
{
    bench.leave_at = 2;
    bench.leave_grace_ms = graces[_i];
    stream_start();
    stream_raw("event: output\nid: 1:0\ndata: a\n\nevent: output\nid: 1:1\ndata: b\n\n"
               "event: output\nid: 1:2\ndata: c\n\nevent: done\ndata: {}\n\n");
    expect_left(graces[_i]);
    stream_expect_given("ab");
}
END_TEST

START_TEST(leaving_from_within_a_piece_of_a_poll_ends_the_pieces)
{
    bench.leave_at = 1;
    bench.leave_grace_ms = graces[_i];
    bench_start(stream_job());
    fake_transfer_answer(bench_create_call(), 201, BENCH_PROCESSING);
    expect_left(graces[_i]);
    stream_expect_given("early");
}
END_TEST

START_TEST(leaving_from_within_the_last_piece_is_in_order)
{
    bench.leave_at = 1;
    bench.leave_grace_ms = graces[_i];
    stream_start();
    stream_say("done", NULL, "{}");
    bench_advance(0);
    stream_answer_poll("succeeded", STORY_TOKENS);
    expect_silence();
    stream_expect_given(stream_text(STORY_TOKENS));
}
END_TEST

START_TEST(an_engine_drops_a_stream_when_it_is_freed)
{
    stream_start();
    stream_tell(0, 3, true);
    engine_free(bench.engine);
    const struct engine_options options = {bench.loop, bench.transfers, bench.metrics, bench.pacing, bench.models};
    bench.engine = engine_new(&options);
    ck_assert_uint_eq(fake_loop_timers(bench.loop), 0);
    expect_silence();
}
END_TEST

START_TEST(a_stop_cancels_a_stream_that_was_abandoned_with_grace_and_no_other)
{
    stream_start();
    engine_cancel_abandoned(bench.engine);
    bench_expect_state(PREDICTION_STREAMING);
    prediction_abandon(&bench.prediction, GRACE_MS);
    engine_cancel_abandoned(bench.engine);
    bench_finish_cancel();
    expect_silence();
}
END_TEST

static Suite *end_suite(void)
{
    Suite *suite = suite_create("prediction_stream_end");
    TCase *tcase = tcase_create("end");
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_test(tcase, a_paused_stream_is_not_read_and_not_polled);
    tcase_add_test(tcase, a_pause_from_within_a_piece_takes_hold);
    tcase_add_loop_test(tcase, a_stream_cut_while_paused_is_connected_when_it_is_resumed, 0, 2);
    tcase_add_test(tcase, the_end_of_a_stream_is_looked_into_when_the_pause_is_over);
    tcase_add_loop_test(tcase, output_is_not_polled_for_during_a_pause, 0, 2);
    tcase_add_test(tcase, a_pause_shorter_than_the_sleep_changes_nothing);
    tcase_add_loop_test(tcase, a_pause_before_the_id_is_known_holds_back_the_stream, 0, 3);
    tcase_add_test(tcase, a_poll_answered_during_a_pause_may_still_end_it);
    tcase_add_loop_test(tcase, a_stream_that_is_behind_is_not_left_during_a_pause, 0, 2);
    tcase_add_loop_test(tcase, streaming_past_the_deadline_is_cancelled, 0, 3);
    tcase_add_loop_test(tcase, streaming_abandoned_is_cancelled_now_or_later_or_kept, 0, 12);
    tcase_add_loop_test(tcase, streaming_abandoned_with_grace_may_end_by_itself, 0, 3);
    tcase_add_test(tcase, sleeping_in_a_pause_abandoned_with_grace_is_polled_again);
    tcase_add_loop_test(tcase, leaving_from_within_a_piece_of_the_stream_ends_the_pieces, 0, 3);
    tcase_add_loop_test(tcase, leaving_from_within_a_piece_of_a_poll_ends_the_pieces, 0, 3);
    tcase_add_loop_test(tcase, leaving_from_within_the_last_piece_is_in_order, 0, 3);
    tcase_add_test(tcase, an_engine_drops_a_stream_when_it_is_freed);
    tcase_add_test(tcase, a_stop_cancels_a_stream_that_was_abandoned_with_grace_and_no_other);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(end_suite());
}
