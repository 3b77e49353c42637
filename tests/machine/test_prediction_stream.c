/* A prediction whose stream works: its pieces, its end, what is asked of whom, and predictions without a stream. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "check_main.h"
#include "fake_stream.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

START_TEST(pieces_come_with_their_events_and_the_prediction_has_the_last_word)
{
    stream_start();
    stream_raw(": hi\n\n");
    for (int i = 0; i < STORY_TOKENS; i++) {
        stream_tell(i, i + 1, true);
        stream_expect_given(stream_text(i + 1));
    }
    bench_expect_unfinished();
    stream_done();
    stream_expect_story();
    ck_assert_int_eq(bench.pieces, STORY_TOKENS - 2);
    ck_assert_int_eq(bench.outcome->polls, 1);
    ck_assert_str_eq(bench.outcome->prediction_id, BENCH_ID);
}
END_TEST

START_TEST(events_may_be_cut_anywhere)
{
    static const char bytes[] = ": hi\n\nevent: output\nid: 100:0\ndata:  a\ndata: \n\n"
                                "event: output\r\nid: 100:1\r\ndata: \xC3\xA4\r\n\r\nevent: done\ndata: {}\n\n";
    stream_start();
    for (size_t i = 0; i < sizeof bytes - 1; i++)
        fake_transfer_data(stream_call(), &bytes[i], 1);
    stream_expect_given(" a\n\xC3\xA4");
    bench_advance(0);
    stream_answer_poll_raw("succeeded", "\" a\\n\xC3\xA4\"");
    bench_expect_success();
    stream_expect_given(" a\n\xC3\xA4");
}
END_TEST

START_TEST(half_characters_are_passed_on_as_they_are)
{
    stream_start();
    stream_say("output", "1:0", "\xF0\x9F");
    stream_expect_given("\xF0\x9F");
    stream_say("output", "1:1", "\x98\x80");
    stream_say("done", NULL, "{}");
    bench_advance(0);
    stream_answer_poll_raw("succeeded", "\"\xF0\x9F\x98\x80!\"");
    bench_expect_success();
    stream_expect_given("\xF0\x9F\x98\x80!");
}
END_TEST

static const char *const done_data[] = {"{}", "{\"reason\":\"canceled\"}", "{\"reason\":\"error\"}", "", "garbage"};

static const struct {
    const char *status;
    enum error_kind kind;
} ends[] = {
    {"succeeded", ERROR_NONE},
    {"failed", ERROR_PREDICTION_FAILED},
    {"canceled", ERROR_PREDICTION_CANCELED},
    {"aborted", ERROR_TIMEOUT},
};

START_TEST(done_ends_the_stream_and_the_status_decides_whatever_its_reason)
{
    int end = _i % ROWS(ends);
    stream_start();
    stream_tell(0, 6, true);
    stream_say("done", "101:0", done_data[_i / ROWS(ends)]);
    ck_assert_ptr_null(stream_call());
    bench_advance(0);
    stream_answer_poll(ends[end].status, STORY_TOKENS);
    if (ends[end].kind == ERROR_NONE) {
        stream_expect_story();
        return;
    }
    bench_expect_error(ends[end].kind);
    bench_expect_none();
    stream_expect_given(stream_text(6));
}
END_TEST

START_TEST(what_comes_after_done_is_ignored)
{
    stream_start();
    stream_tell(0, STORY_TOKENS, true);
    stream_raw("event: done\ndata: {}\n\nevent: done\ndata: {}\n\nevent: output\nid: 100:99\ndata: more\n\n"
               "event: error\ndata: late\n\n");
    bench_expect_state(PREDICTION_SLEEPING);
    bench_advance(0);
    stream_answer_poll("succeeded", STORY_TOKENS);
    stream_expect_story();
}
END_TEST

START_TEST(after_done_polls_are_briefly_spaced_until_the_status_follows)
{
    static const int64_t pauses_ms[] = {0, 100, 200, 400, 800, 1600, 2000, 2000};
    stream_start();
    stream_tell(0, 5, true);
    stream_say("done", NULL, "{}");
    for (int i = 0; i < ROWS(pauses_ms); i++) {
        if (i > 0)
            bench_advance(pauses_ms[i] - 1);
        bench_expect_idle();
        bench_advance(i > 0);
        int tokens = i < 4 ? 5 + i : STORY_TOKENS;
        stream_answer_poll(i == ROWS(pauses_ms) - 1 ? "succeeded" : "processing", tokens);
        stream_expect_given(stream_text(tokens));
    }
    stream_expect_story();
}
END_TEST

START_TEST(the_reason_of_a_failure_is_taken_from_the_stream_where_the_prediction_has_none)
{
    stream_start();
    stream_tell(0, 2, true);
    stream_say("error", "101:0", _i < 2 ? "{\"detail\":\"It ran out of memory\"}" : "It ran out of memory");
    stream_say("error", "101:1", "and then some");
    if (_i % 2 == 0)
        stream_say("done", "101:2", "{\"reason\":\"error\"}");
    else
        stream_close();
    bench_advance(0);
    stream_answer_poll("failed", 2);
    bench_expect_error(ERROR_PREDICTION_FAILED);
    ck_assert_ptr_nonnull(strstr(bench.outcome->error->message, "\"It ran out of memory\""));
}
END_TEST

START_TEST(the_reason_that_the_prediction_gives_is_preferred)
{
    stream_start();
    stream_say("error", NULL, "something");
    stream_say("done", NULL, "{\"reason\":\"error\"}");
    bench_advance(0);
    fake_transfer_answer(stream_poll_call(), 200,
                         "{\"id\":\"" BENCH_ID "\",\"status\":\"failed\",\"error\":\"NSFW content detected\"}");
    bench_expect_error(ERROR_CONTENT_POLICY);
}
END_TEST

START_TEST(an_error_event_is_forgotten_when_the_prediction_succeeds)
{
    stream_start();
    stream_tell(0, 2, true);
    stream_say("error", NULL, "a hiccup");
    stream_tell(2, STORY_TOKENS, true);
    stream_done();
    stream_expect_story();
}
END_TEST

START_TEST(logs_and_unknown_events_are_no_output)
{
    stream_start();
    stream_say("logs", "99:0", "loading");
    stream_say("message", "99:1", "loading");
    stream_say("tomorrow", "99:2", "loading");
    stream_tell(0, STORY_TOKENS, true);
    stream_done();
    stream_expect_story();
}
END_TEST

START_TEST(a_status_word_follows_what_is_known)
{
    bench_start(stream_job());
    ck_assert_str_eq(prediction_status_word(bench.prediction), "starting");
    prediction_abandon(&bench.prediction, 0);
    fake_transfer_break(bench_create_call(), TRANSFER_LOST);
    stream_start();
    ck_assert_str_eq(prediction_status_word(bench.prediction), "starting");
    bench_advance(2000);
    stream_answer_poll_raw(_i == 0 ? "processing" : "a-word-of-tomorrow", "null");
    ck_assert_str_eq(prediction_status_word(bench.prediction), _i == 0 ? "processing" : "starting");
    stream_tell(0, STORY_TOKENS, true);
    ck_assert_str_eq(prediction_status_word(bench.prediction), "processing");
    stream_done();
    stream_expect_story();
}
END_TEST

static void answer_create_with_stream(const char *url)
{
    char *body = xasprintf("{\"id\":\"" BENCH_ID "\",\"status\":\"starting\",\"urls\":{\"stream\":\"%s\"}}", url);
    fake_transfer_answer(bench_create_call(), 201, body);
    free(body);
}

static const struct {
    const char *url;
    bool is_own;
} origins[] = {
    {"http://replicate.test/v1/streams/abc", true},
    {"http://replicate.test:8080/v1/streams/abc", false},
    {"https://replicate.test/v1/streams/abc", false},
    {"https://stream.replicate.com/v1/streams/abc", false},
};

START_TEST(the_token_and_the_jobs_headers_go_to_the_api_alone)
{
    struct job *job = stream_job();
    job->headers = xcalloc(1, sizeof *job->headers);
    job->headers[0] = (struct header){xstrdup("X-Gateway-Key"), xstrdup("test-key")};
    job->header_count = 1;
    bench_start(job);
    answer_create_with_stream(origins[_i].url);
    struct transfer *stream = stream_call();
    ck_assert_str_eq(stream->method, "GET");
    ck_assert_str_eq(stream->url, origins[_i].url);
    ck_assert_str_eq(stream->accept, "text/event-stream");
    ck_assert_ptr_null(fake_transfer_header(stream, "Cache-Control")); /* the transfer says it, once */
    ck_assert_ptr_null(fake_transfer_header(stream, "Last-Event-ID"));
    ck_assert_int_eq(stream->timeout_ms, 0);
    ck_assert_int_gt(stream->idle_timeout_ms, 30000);
    ck_assert(origins[_i].is_own == (stream->token != NULL));
    ck_assert(origins[_i].is_own == (fake_transfer_header(stream, "X-Gateway-Key") != NULL));
    stream_tell(0, STORY_TOKENS, true);
    stream_done();
    stream_expect_story();
}
END_TEST

static const char *const refused_urls[] = {
    "http://stream.replicate.com/v1/streams/abc",
    "https://evil.test/abc",
    "https://evil.test#.replicate.com/abc",
    "https://replicate.test@evil.test/abc",
    "http://replicate.test.evil/a",
    "",
};

START_TEST(a_stream_elsewhere_is_not_read_and_the_output_is_polled)
{
    bench_start(stream_job());
    answer_create_with_stream(refused_urls[_i]);
    bench_expect_state(PREDICTION_SLEEPING);
    bench_expect_idle();
    bench_advance(250);
    fake_transfer_answer(bench_poll_call(), 200, BENCH_SUCCEEDED);
    bench_expect_success();
    stream_expect_given("Hi");
}
END_TEST

START_TEST(without_a_stream_each_poll_gives_what_is_new)
{
    bench_start(stream_job());
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    for (int tokens = 0; tokens < STORY_TOKENS; tokens++) {
        bench_advance(2000);
        bench_expect_state(PREDICTION_POLLING);
        stream_answer_poll("processing", tokens);
        /* Only from a prediction's very beginning is a stream begun. */
        if (tokens == 0) {
            bench_expect_state(PREDICTION_STREAMING);
            fake_transfer_answer(stream_call(), 404, "{\"detail\":\"Not found.\"}");
        }
        bench_expect_state(PREDICTION_SLEEPING);
        stream_expect_given(stream_text(tokens));
    }
    bench_advance(2000);
    stream_answer_poll("succeeded", STORY_TOKENS);
    stream_expect_story();
}
END_TEST

START_TEST(what_is_over_at_once_comes_as_one_piece)
{
    bench_start(stream_job());
    fake_transfer_answer(bench_create_call(), 201,
                         "{\"id\":\"" BENCH_ID "\",\"status\":\"succeeded\",\"output\":[\"All\",\" at once\"],"
                         "\"urls\":{\"stream\":\"" STREAM_URL "\"}}");
    bench_expect_success();
    stream_expect_given("All at once");
    ck_assert_int_eq(bench.pieces, 1);
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), 1);
}
END_TEST

START_TEST(output_of_another_shape_comes_with_the_outcome_alone)
{
    static const char *const outputs[] = {"{\"text\":\"Hi\"}", "[1,2]", "7", "null", "[]", "\"\""};
    stream_start();
    stream_say("done", NULL, "{}");
    bench_advance(0);
    stream_answer_poll_raw("processing", outputs[_i]);
    bench_advance(100);
    stream_answer_poll_raw("succeeded", outputs[_i]);
    bench_expect_success();
    stream_expect_given("");
    ck_assert(_i >= 3 || bench.outcome->output != NULL);
}
END_TEST

START_TEST(whoever_wants_no_pieces_is_told_the_end_by_the_stream)
{
    bench_start_model();
    answer_create_with_stream(STREAM_URL);
    bench_expect_state(PREDICTION_STREAMING);
    prediction_pause(bench.prediction);
    stream_tell(0, STORY_TOKENS, true);
    ck_assert_int_eq(bench.pieces, 0);
    stream_done();
    bench_expect_success();
    stream_expect_given("");
    ck_assert_int_eq(bench.outcome->polls, 1);
}
END_TEST

/* The output is what the prediction says: nothing of the stream was given away that could contradict it. */
START_TEST(a_stream_that_is_only_followed_may_tell_anything)
{
    bench_start_model();
    answer_create_with_stream(STREAM_URL);
    stream_say("output", "1:0", "something else");
    stream_done();
    bench_expect_success();
}
END_TEST

START_TEST(a_create_is_never_held_for_whoever_wants_pieces)
{
    bench_learn_duration("acme/writer", 1000);
    bench_start_model();
    ck_assert_ptr_nonnull(fake_transfer_header(bench_create_call(), "Prefer"));
    fake_transfer_answer(bench_create_call(), 201, BENCH_SUCCEEDED);
    bench_start(stream_job());
    ck_assert_ptr_null(fake_transfer_header(bench_create_call(), "Prefer"));
    fake_transfer_break(bench_create_call(), TRANSFER_LOST);
}
END_TEST

START_TEST(many_pieces_arrive_whole)
{
    enum { COUNT = 20000 };
    char data[32], id[32];
    struct buf text;
    buf_init(&text, (size_t)1024 * 1024);
    stream_start();
    for (int i = 0; i < COUNT; i++) {
        snprintf(data, sizeof data, " %d", i);
        snprintf(id, sizeof id, "%d:%d", 100 + i / 64, i % 64);
        stream_say("output", id, data);
        buf_append_text(&text, data);
    }
    stream_say("done", NULL, "{}");
    bench_advance(0);
    ck_assert_int_eq(bench.pieces, COUNT);
    stream_expect_given(buf_text(&text));
    char *output = xasprintf("\"%s\"", buf_text(&text));
    stream_answer_poll_raw("succeeded", output);
    bench_expect_success();
    stream_expect_given(buf_text(&text));
    free(output);
    buf_dispose(&text);
}
END_TEST

START_TEST(a_text_without_end_is_cancelled)
{
    enum { PIECE = 1000 * 1000 };
    char *data = xcalloc(1, PIECE + 1), id[32];
    memset(data, 'a', PIECE);
    stream_start();
    for (int i = 0; i < 67; i++) {
        snprintf(id, sizeof id, "100:%d", i);
        stream_say("output", id, data);
    }
    bench_expect_unfinished();
    /* Twice in one go: of what comes after the end, nothing has an effect. */
    char *twice = xasprintf("event: output\ndata: %s\n\nevent: output\ndata: %s\n\n", data, data);
    stream_raw(twice);
    free(twice);
    bench_expect_error(ERROR_UPSTREAM_ERROR);
    ck_assert_int_eq(metrics_sum_at(METRIC_cancels_total, METRIC_REASON_fault, 0), 1);
    ck_assert_ptr_nonnull(strstr(bench.outcome->error->message, "64 MiB"));
    bench_finish_cancel();
    free(data);
}
END_TEST

static Suite *stream_suite(void)
{
    Suite *suite = suite_create("prediction_stream");
    TCase *tcase = tcase_create("stream");
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, pieces_come_with_their_events_and_the_prediction_has_the_last_word);
    tcase_add_test(tcase, events_may_be_cut_anywhere);
    tcase_add_test(tcase, half_characters_are_passed_on_as_they_are);
    tcase_add_loop_test(tcase, done_ends_the_stream_and_the_status_decides_whatever_its_reason, 0,
                        ROWS(done_data) * ROWS(ends));
    tcase_add_test(tcase, what_comes_after_done_is_ignored);
    tcase_add_test(tcase, after_done_polls_are_briefly_spaced_until_the_status_follows);
    tcase_add_loop_test(tcase, the_reason_of_a_failure_is_taken_from_the_stream_where_the_prediction_has_none, 0, 4);
    tcase_add_test(tcase, the_reason_that_the_prediction_gives_is_preferred);
    tcase_add_test(tcase, an_error_event_is_forgotten_when_the_prediction_succeeds);
    tcase_add_test(tcase, logs_and_unknown_events_are_no_output);
    tcase_add_loop_test(tcase, a_status_word_follows_what_is_known, 0, 2);
    tcase_add_loop_test(tcase, the_token_and_the_jobs_headers_go_to_the_api_alone, 0, ROWS(origins));
    tcase_add_loop_test(tcase, a_stream_elsewhere_is_not_read_and_the_output_is_polled, 0, ROWS(refused_urls));
    tcase_add_test(tcase, without_a_stream_each_poll_gives_what_is_new);
    tcase_add_test(tcase, what_is_over_at_once_comes_as_one_piece);
    tcase_add_loop_test(tcase, output_of_another_shape_comes_with_the_outcome_alone, 0, 6);
    tcase_add_test(tcase, whoever_wants_no_pieces_is_told_the_end_by_the_stream);
    tcase_add_test(tcase, a_stream_that_is_only_followed_may_tell_anything);
    tcase_add_test(tcase, a_create_is_never_held_for_whoever_wants_pieces);
    tcase_add_test(tcase, many_pieces_arrive_whole);
    tcase_add_test(tcase, a_text_without_end_is_cancelled);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(stream_suite());
}
