/* Streamed answers: when they begin, how the client is kept company meanwhile, and how they come to a good end. */
#include "fake_listener.h"

#include <string.h>

#include "base/json.h"
#include "check_main.h"

static void advance(int64_t ms)
{
    fake_loop_advance(bench.worker.loop, ms);
}

/* ---- the beginning ---- */

/* A comment comes a tenth before it has to. */
enum { SILENCE_MS = BENCH_KEEPALIVE_MS - BENCH_KEEPALIVE_MS / 10 };

START_TEST(the_first_piece_begins_the_answer)
{
    struct door *door = door_chat("{\"model\":\"writer\",\"verbosity\":\"low\"," LISTENER_HELLO "}");
    door_expect_waiting(door);
    fake_prediction_piece(listener_named(0, "pred-a"), "Hel");
    listener_expect_streaming(door);
    ck_assert_str_eq(door_answer(door, "Content-Type"), "text/event-stream; charset=utf-8");
    ck_assert_str_eq(door_answer(door, "Cache-Control"), "no-cache");
    ck_assert_str_eq(door_answer(door, "X-Accel-Buffering"), "no");
    ck_assert_ptr_nonnull(door_answer(door, "x-request-id"));
    ck_assert_str_eq(door_answer(door, "x-replicate-prediction-id"), "pred-a");
    ck_assert_str_eq(door_answer(door, "x-replibridge-ignored"), "verbosity");
    ck_assert_ptr_null(door_answer(door, "x-replibridge-usage")); /* nobody knows yet */
    ck_assert_ptr_null(door_answer(door, "x-should-retry"));
    ck_assert_int_eq(door->request.reply.write_timeout_ms, BENCH_WRITE_TIMEOUT_MS);
    listener_hear(door);
    listener_expect_choice(0, "Hel", "");
    fake_prediction_piece(fake_prediction_at(0), "lo");
    listener_hear(door);
    listener_expect_choice(0, "Hello", "");
    fake_prediction_succeed(fake_prediction_at(0), "Hello");
    listener_hear(door);
    listener_expect_choice(0, "Hello", "stop");
    ck_assert(listener.heard.is_done);
    ck_assert_ptr_null(listener.heard.usage);
    listener_expect_ended(door);
    door_close(door, true);
}
END_TEST

START_TEST(a_prediction_knows_that_its_output_is_streamed)
{
    struct door *stream = door_chat(LISTENER_STREAM), *whole = door_chat(BENCH_CHAT);
    const struct job *job = fake_prediction_at(0)->job;
    ck_assert(job->wants_pieces);
    ck_assert_int_eq(job->timeout_ms, BENCH_STREAM_TIMEOUT_MS);
    ck_assert_int_eq(job->deadline_ms, BENCH_START_MS + BENCH_STREAM_TIMEOUT_MS);
    ck_assert_str_eq(job->timeout_hint, "To wait longer, raise models.writer.stream_timeout.");
    ck_assert(!fake_prediction_at(1)->job->wants_pieces);
    ck_assert_int_eq(fake_prediction_at(1)->job->timeout_ms, BENCH_TIMEOUT_MS);
    fake_prediction_succeed(fake_prediction_at(0), "Hi");
    fake_prediction_succeed(fake_prediction_at(1), "Hi");
    door_close(stream, true);
    door_close(whole, true);
}
END_TEST

START_TEST(an_output_without_pieces_is_streamed_at_its_end)
{
    struct door *door = door_chat(LISTENER_STREAM);
    struct outcome *outcome = outcome_new();
    outcome->succeeded = true;
    outcome->output = json_pack("{s:i}", "answer", 4);
    fake_prediction_finish(listener_named(0, "pred-a"), outcome);
    ck_assert_str_eq(door_answer(door, "x-replicate-prediction-id"), "pred-a");
    listener_hear(door);
    listener_expect_choice(0, "{\"answer\":4}", "stop");
    ck_assert(listener.heard.is_done);
    listener_expect_ended(door);
    door_close(door, true);
}
END_TEST

/* ---- the client is kept company ---- */

START_TEST(after_a_while_of_waiting_the_answer_begins_with_a_comment)
{
    struct door *door = door_chat(LISTENER_STREAM);
    listener_named(0, "pred-a");
    advance(4999);
    door_expect_waiting(door);
    advance(1);
    listener_expect_streaming(door);
    ck_assert_str_eq(door_answer(door, "x-replicate-prediction-id"), "pred-a");
    listener_expect_comments(door, "starting");
    advance(SILENCE_MS - 1);
    listener_expect_comments(door, "");
    advance(1);
    listener_expect_comments(door, "starting");
    fake_prediction_at(0)->status_word = "processing";
    advance(2 * SILENCE_MS);
    listener_expect_comments(door, "processing processing");
    fake_prediction_piece(fake_prediction_at(0), "Hi");
    fake_prediction_succeed(fake_prediction_at(0), "Hi");
    listener_hear(door);
    listener_expect_choice(0, "Hi", "stop");
    ck_assert(listener.heard.is_done);
    advance(10 * SILENCE_MS);
    listener_expect_comments(door, "");
    door_close(door, true);
}
END_TEST

START_TEST(the_wait_counts_from_the_first_byte_of_the_request)
{
    struct door *door = door_new("POST", BENCH_CHAT_PATH);
    door_open(door, -1);
    advance(4000);
    door_body(door, LISTENER_STREAM);
    door_done(door);
    advance(999);
    door_expect_waiting(door);
    advance(1);
    listener_expect_comments(door, "starting");
    fake_prediction_succeed(fake_prediction_at(0), "Hi");
    door_close(door, true);
}
END_TEST

START_TEST(text_breaks_the_silence_as_well_as_a_comment)
{
    struct door *door = door_chat(LISTENER_STREAM);
    fake_prediction_piece(fake_prediction_at(0), "a");
    for (int i = 0; i < 5; i++) {
        advance(SILENCE_MS - 1);
        listener_expect_comments(door, "");
        fake_prediction_piece(fake_prediction_at(0), "a");
    }
    /* A piece that is held back says nothing, so the silence goes on. */
    listener_hear(door);
    advance(SILENCE_MS - 1);
    fake_prediction_piece(fake_prediction_at(0), "\xC3");
    advance(1);
    listener_expect_comments(door, "starting");
    fake_prediction_succeed(fake_prediction_at(0), "x");
    door_close(door, true);
}
END_TEST

START_TEST(without_keepalive_only_text_begins_the_answer)
{
    bench.writer.keepalive_ms = 0;
    struct door *door = door_chat(LISTENER_STREAM);
    advance(BENCH_STREAM_TIMEOUT_MS);
    door_expect_waiting(door);
    fake_prediction_piece(fake_prediction_at(0), "Hi");
    listener_expect_streaming(door);
    listener_hear(door);
    advance(BENCH_STREAM_TIMEOUT_MS);
    listener_expect_comments(door, "");
    fake_prediction_succeed(fake_prediction_at(0), "Hi");
    door_close(door, true);
}
END_TEST

/* ---- traces ---- */

START_TEST(usage_and_one_log_line_come_at_the_end)
{
    struct door *door =
        door_chat("{\"model\":\"writer\",\"n\":2,\"stream_options\":{\"include_usage\":true}," LISTENER_HELLO "}");
    listener.asked.include_usage = true;
    fake_prediction_piece(listener_named(1, "pred-b"), "one");
    fake_prediction_piece(listener_named(0, "pred-a"), "zero");
    fake_prediction_succeed(fake_prediction_at(0), "zero");
    fake_prediction_succeed(fake_prediction_at(1), "one");
    advance(250);
    size_t bytes = door->request.reply.body_bytes;
    listener_hear(door);
    ck_assert_int_eq(json_integer_value(json_object_get(listener.heard.usage, "total_tokens")), 10);
    door_close(door, true);
    json_t *line = bench_log_line(0);
    ck_assert_str_eq(json_text(line, "outcome"), "sent");
    ck_assert_str_eq(json_text(line, "usage"), "reported");
    ck_assert_int_eq(json_integer_value(json_object_get(line, "status")), 200);
    ck_assert_int_eq(json_integer_value(json_object_get(line, "bytes")), (json_int_t)bytes);
    ck_assert_int_eq(json_integer_value(json_object_get(line, "total_ms")), 250);
    json_decref(line);
}
END_TEST

static Suite *exchange_stream_suite(void)
{
    Suite *suite = suite_create("exchange: streams");
    TCase *tcase = tcase_create("stream");
    tcase_add_checked_fixture(tcase, listener_setup, listener_teardown);
    tcase_add_test(tcase, the_first_piece_begins_the_answer);
    tcase_add_test(tcase, a_prediction_knows_that_its_output_is_streamed);
    tcase_add_test(tcase, an_output_without_pieces_is_streamed_at_its_end);
    tcase_add_test(tcase, after_a_while_of_waiting_the_answer_begins_with_a_comment);
    tcase_add_test(tcase, the_wait_counts_from_the_first_byte_of_the_request);
    tcase_add_test(tcase, text_breaks_the_silence_as_well_as_a_comment);
    tcase_add_test(tcase, without_keepalive_only_text_begins_the_answer);
    tcase_add_test(tcase, usage_and_one_log_line_come_at_the_end);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(exchange_stream_suite());
}
