/* Polls beside a stream: when they are made, who is ahead of whom, and texts that contradict each other. */
#include <string.h>

#include "base/clock.h"
#include "check_main.h"
#include "fake_stream.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

START_TEST(a_stream_that_speaks_is_not_polled_beside)
{
    stream_start();
    for (int i = 1; i < STORY_TOKENS; i++) {
        bench_advance(1999);
        ck_assert_ptr_null(stream_poll_call());
        if (story[i][0] == '\0')
            break;
        stream_tell(i, i + 1, true);
    }
    bench_advance(1);
    ck_assert_ptr_nonnull(stream_poll_call());
    bench_expect_state(PREDICTION_STREAMING);
    stream_answer_poll("processing", 3);
    stream_tell(4, STORY_TOKENS, true);
    stream_done();
    stream_expect_story();
}
END_TEST

START_TEST(a_silent_stream_is_polled_beside_at_every_interval)
{
    stream_start();
    bench_advance(1999);
    ck_assert_ptr_null(stream_poll_call());
    bench_advance(1);
    for (int i = 0; i < 4; i++) {
        ck_assert_ptr_nonnull(stream_poll_call());
        bench_expect_state(PREDICTION_STREAMING);
        stream_answer_poll(i < 2 ? "starting" : "processing", 0);
        ck_assert_str_eq(prediction_status_word(bench.prediction), i < 2 ? "starting" : "processing");
        bench_advance(1999);
        ck_assert_ptr_null(stream_poll_call());
        bench_advance(1);
    }
    ck_assert_ptr_nonnull(stream_call());
    stream_answer_poll("succeeded", STORY_TOKENS);
    stream_expect_story();
}
END_TEST

START_TEST(a_terminal_poll_ends_a_silent_stream_at_once)
{
    stream_start();
    stream_tell(0, _i, true);
    bench_advance(2000);
    stream_answer_poll("succeeded", STORY_TOKENS);
    stream_expect_story();
}
END_TEST

START_TEST(a_failure_that_a_poll_shows_ends_it_after_its_pieces)
{
    stream_start();
    stream_tell(0, 5, true);
    bench_advance(2000);
    stream_answer_poll("failed", STORY_TOKENS);
    bench_expect_error(ERROR_PREDICTION_FAILED);
    bench_expect_none();
    stream_expect_given(stream_text(5));
}
END_TEST

START_TEST(a_poll_that_is_behind_the_stream_means_nothing)
{
    stream_start();
    stream_tell(0, 7, true);
    bench_advance(2000);
    stream_answer_poll("processing", _i);
    bench_advance(1500);
    bench_expect_state(PREDICTION_STREAMING);
    stream_tell(7, STORY_TOKENS, true);
    stream_done();
    stream_expect_story();
}
END_TEST

START_TEST(a_stream_that_is_a_moment_behind_a_poll_is_waited_for)
{
    stream_start();
    stream_tell(0, 3, true);
    bench_advance(2000);
    stream_answer_poll("processing", 7);
    stream_expect_given(stream_text(3));
    bench_advance(999);
    bench_expect_state(PREDICTION_STREAMING);
    stream_tell(3, 7, true);
    bench_advance(1000);
    bench_expect_state(PREDICTION_STREAMING);
    stream_tell(7, STORY_TOKENS, true);
    stream_done();
    stream_expect_story();
}
END_TEST

START_TEST(a_stream_that_stays_behind_a_poll_is_left)
{
    stream_start();
    stream_tell(0, _i, _i % 2 == 0);
    bench_advance(2000);
    stream_answer_poll("processing", 7);
    stream_tell(_i, 6, _i % 2 == 0);
    bench_advance(1000);
    ck_assert_ptr_null(stream_call());
    bench_expect_state(PREDICTION_POLLING);
    stream_answer_poll("processing", 8);
    stream_expect_given(stream_text(8));
    bench_advance(400);
    stream_answer_poll("succeeded", STORY_TOKENS);
    stream_expect_story();
}
END_TEST

START_TEST(a_stream_is_left_for_the_poll_that_is_under_way)
{
    struct job *job = stream_job();
    job->poll_interval_ms = 500;
    bench_start(job);
    fake_transfer_answer(bench_create_call(), 201,
                         "{\"id\":\"" BENCH_ID "\",\"status\":\"starting\",\"urls\":{\"stream\":\"" STREAM_URL "\"}}");
    bench_advance(2000);
    stream_answer_poll("processing", 7);
    bench_advance(1000);
    bench_expect_state(PREDICTION_POLLING);
    stream_answer_poll("succeeded", STORY_TOKENS);
    stream_expect_story();
}
END_TEST

START_TEST(a_poll_beside_a_stream_that_fails_is_no_failure)
{
    stream_start();
    bench_advance(2000);
    for (int i = 0; i < 4; i++) {
        if (_i == 0)
            fake_transfer_answer(stream_poll_call(), 502, "oops");
        else if (_i == 1)
            fake_transfer_break(stream_poll_call(), TRANSFER_LOST);
        else
            fake_transfer_answer(stream_poll_call(), 200, "{\"id\":\"another\",\"status\":\"failed\"}");
        bench_expect_state(PREDICTION_STREAMING);
        bench_advance((500 << i) - 1);
        ck_assert_ptr_null(stream_poll_call());
        bench_advance(1);
        ck_assert_ptr_nonnull(stream_poll_call());
    }
    stream_answer_poll("processing", 0);
    stream_tell(0, STORY_TOKENS, true);
    stream_done();
    stream_expect_story();
}
END_TEST

START_TEST(a_poll_beside_a_stream_waits_out_a_hold)
{
    stream_start();
    bench_advance(2000);
    fake_transfer_answer(stream_poll_call(), 429, "{\"retry_after\":6}");
    bench_advance(5999);
    ck_assert_ptr_null(stream_poll_call());
    bench_advance(1);
    stream_answer_poll("succeeded", STORY_TOKENS);
    stream_expect_story();
}
END_TEST

START_TEST(a_token_refused_beside_a_stream_ends_the_wait)
{
    stream_start();
    bench_advance(2000);
    for (int i = 0; i < 3; i++) {
        fake_transfer_answer(stream_poll_call(), 401, "{}");
        if (i < 2)
            bench_advance(8000);
    }
    bench_expect_error(ERROR_UPSTREAM_AUTHENTICATION);
    ck_assert_ptr_null(stream_call());
    bench_finish_cancel();
}
END_TEST

/* --- texts that contradict each other --- */

static void expect_mismatch(const char *given)
{
    bench_expect_error(ERROR_UPSTREAM_ERROR);
    bench_expect_none();
    ck_assert_ptr_nonnull(
        strstr(bench.outcome->error->message, "The stream of prediction " BENCH_ID " does not match its output"));
    stream_expect_given(given);
}

static const char *const contradictions[] = {"\"Once upon\"", "\"Twice upon a time\"",       "[]", "null",
                                             "{\"a\":1}",     "[\"Once\",\" upon a tim\",7]"};

START_TEST(an_end_that_contradicts_the_stream_is_an_error)
{
    stream_start();
    stream_say("output", "1:0", "Once");
    stream_say("output", "1:1", " upon a tim");
    stream_say("done", NULL, "{}");
    bench_advance(0);
    stream_answer_poll_raw("succeeded", contradictions[_i]);
    expect_mismatch("Once upon a tim");
}
END_TEST

START_TEST(a_poll_that_contradicts_the_stream_silences_it)
{
    stream_start();
    stream_say("output", "1:0", "Once");
    bench_advance(2000);
    stream_answer_poll_raw("processing", "\"Twice upon\"");
    ck_assert_ptr_null(stream_call());
    bench_advance(200);
    stream_answer_poll_raw("processing", "\"Twice upon a\"");
    stream_expect_given("Once");
    bench_advance(400);
    if (_i == 0) {
        stream_answer_poll_raw("succeeded", "\"Twice upon a time\"");
        expect_mismatch("Once");
    } else {
        /* The poll was wrong, not the stream. */
        stream_answer_poll_raw("succeeded", "\"Once more\"");
        bench_expect_success();
        stream_expect_given("Once more");
    }
}
END_TEST

START_TEST(a_piece_that_the_stream_left_out_is_noticed)
{
    stream_start();
    stream_tell(0, 2, true);
    stream_tell(4, STORY_TOKENS, true);
    stream_say("done", NULL, "{}");
    bench_advance(0);
    stream_answer_poll("succeeded", STORY_TOKENS);
    bench_expect_error(ERROR_UPSTREAM_ERROR);
}
END_TEST

START_TEST(output_that_is_replaced_instead_of_grown_is_noticed_by_polls_too)
{
    bench_start(stream_job());
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    bench_advance(250);
    fake_transfer_answer(bench_poll_call(), 200,
                         "{\"id\":\"" BENCH_ID "\",\"status\":\"processing\",\"output\":\"10 %\"}");
    bench_advance(200);
    fake_transfer_answer(bench_poll_call(), 200,
                         "{\"id\":\"" BENCH_ID "\",\"status\":\"succeeded\",\"output\":\"All done\"}");
    expect_mismatch("10 %");
}
END_TEST

START_TEST(carriage_returns_that_a_stream_cannot_carry_are_no_contradiction)
{
    stream_start();
    stream_raw("event: output\nid: 1:0\ndata: a\r\ndata: b\n\n");
    stream_say("done", NULL, "{}");
    bench_advance(0);
    stream_answer_poll_raw("processing", "\"a\\r\\nb\\r\"");
    bench_advance(100);
    stream_answer_poll_raw("succeeded", "\"a\\r\\nb\\r\\nc\"");
    bench_expect_success();
    stream_expect_given("a\nb\r\nc");
}
END_TEST

#define LINK "https://replicate.delivery/xezq/abc/out-0.png"

/* A growing list of links, too, is never begun as text. */
START_TEST(files_come_with_the_outcome_alone)
{
    bench_start(stream_job());
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    bench_advance(250);
    fake_transfer_answer(bench_poll_call(), 200,
                         "{\"id\":\"" BENCH_ID "\",\"status\":\"processing\",\"output\":[\"" LINK "\"]}");
    bench_advance(200);
    fake_transfer_answer(bench_poll_call(), 200,
                         "{\"id\":\"" BENCH_ID "\",\"status\":\"succeeded\",\"output\":[\"" LINK "\",\"" LINK "\"]}");
    bench_expect_success();
    stream_expect_given("");
    ck_assert_uint_eq(json_array_size(bench.outcome->output), 2);
}
END_TEST

START_TEST(a_file_that_comes_by_a_stream_of_text_comes_with_the_outcome_alone)
{
    stream_start();
    stream_say("output", "1:0", "");
    stream_say("output", "1:1", LINK);
    ck_assert_ptr_null(stream_call());
    bench_advance(2000);
    stream_answer_poll_raw("succeeded", "\"" LINK "\"");
    bench_expect_success();
    stream_expect_given("");
}
END_TEST

START_TEST(a_link_in_a_text_is_text)
{
    stream_start();
    stream_say("output", "1:0", "See ");
    stream_say("output", "1:1", LINK);
    stream_say("done", NULL, "{}");
    bench_advance(0);
    stream_answer_poll_raw("succeeded", "[\"See \",\"" LINK "\"]");
    bench_expect_success();
    stream_expect_given("See " LINK);
}
END_TEST

static Suite *poll_suite(void)
{
    Suite *suite = suite_create("prediction_stream_poll");
    TCase *tcase = tcase_create("poll");
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_test(tcase, a_stream_that_speaks_is_not_polled_beside);
    tcase_add_test(tcase, a_silent_stream_is_polled_beside_at_every_interval);
    tcase_add_loop_test(tcase, a_terminal_poll_ends_a_silent_stream_at_once, 0, STORY_TOKENS + 1);
    tcase_add_test(tcase, a_failure_that_a_poll_shows_ends_it_after_its_pieces);
    tcase_add_loop_test(tcase, a_poll_that_is_behind_the_stream_means_nothing, 0, 8);
    tcase_add_test(tcase, a_stream_that_is_a_moment_behind_a_poll_is_waited_for);
    tcase_add_loop_test(tcase, a_stream_that_stays_behind_a_poll_is_left, 0, 7);
    tcase_add_test(tcase, a_stream_is_left_for_the_poll_that_is_under_way);
    tcase_add_loop_test(tcase, a_poll_beside_a_stream_that_fails_is_no_failure, 0, 3);
    tcase_add_test(tcase, a_poll_beside_a_stream_waits_out_a_hold);
    tcase_add_test(tcase, a_token_refused_beside_a_stream_ends_the_wait);
    tcase_add_loop_test(tcase, an_end_that_contradicts_the_stream_is_an_error, 0, ROWS(contradictions));
    tcase_add_loop_test(tcase, a_poll_that_contradicts_the_stream_silences_it, 0, 2);
    tcase_add_test(tcase, a_piece_that_the_stream_left_out_is_noticed);
    tcase_add_test(tcase, output_that_is_replaced_instead_of_grown_is_noticed_by_polls_too);
    tcase_add_test(tcase, carriage_returns_that_a_stream_cannot_carry_are_no_contradiction);
    tcase_add_test(tcase, files_come_with_the_outcome_alone);
    tcase_add_test(tcase, a_file_that_comes_by_a_stream_of_text_comes_with_the_outcome_alone);
    tcase_add_test(tcase, a_link_in_a_text_is_text);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(poll_suite());
}
