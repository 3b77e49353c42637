/* Streamed answers that end early: failures, stop strings, clients that go, a daemon that stops; and slow clients. */
#include "fake_listener.h"

#include <string.h>

#include "base/json.h"
#include "check_main.h"

static void expect_let_go(size_t index, int64_t grace_ms)
{
    ck_assert(fake_prediction_at(index)->is_abandoned);
    ck_assert_int_eq(fake_prediction_at(index)->grace_ms, grace_ms);
}

static void fail_prediction(size_t index, enum error_kind kind)
{
    struct error error;
    error_set(&error, kind, NULL, "Something went wrong.");
    fake_prediction_fail(fake_prediction_at(index), &error);
}

static void advance(int64_t ms)
{
    fake_loop_advance(bench.worker.loop, ms);
}

/* ---- failures ---- */

START_TEST(what_fails_before_the_beginning_keeps_its_status)
{
    struct door *door = door_chat(LISTENER_STREAM);
    advance(_i == 0 ? 0 : 4999);
    fail_prediction(0, ERROR_PREDICTION_FAILED);
    door_expect_error(door, ERROR_PREDICTION_FAILED);
    ck_assert(!door->request.reply.is_stream);
    advance(10 * BENCH_KEEPALIVE_MS); /* no comment behind an answer */
    door_close(door, true);
}
END_TEST

/* 0: after a comment alone. 1: after text. */
START_TEST(what_fails_after_the_beginning_is_the_last_frame)
{
    struct door *door = door_chat(LISTENER_STREAM);
    if (_i == 0) {
        advance(5000);
        listener_expect_comments(door, "starting");
    } else {
        fake_prediction_piece(listener_named(0, "pred-a"), "Hel");
    }
    fail_prediction(0, ERROR_UPSTREAM_TRANSIENT);
    listener_expect_error(door, ERROR_UPSTREAM_TRANSIENT);
    ck_assert_uint_eq(listener.heard.chunks, _i == 0 ? 0 : 2);
    door_close(door, true);
    json_t *line = bench_log_line(0);
    ck_assert_str_eq(json_text(line, "error"), error_row(ERROR_UPSTREAM_TRANSIENT)->name);
    ck_assert_int_eq(json_integer_value(json_object_get(line, "status")), 200);
    json_decref(line);
}
END_TEST

START_TEST(when_one_choice_fails_the_others_are_let_go)
{
    struct door *door = door_chat(LISTENER_STREAM_OF_TWO);
    fake_prediction_piece(listener_named(0, "pred-a"), "zero");
    fake_prediction_piece(listener_named(1, "pred-b"), "one");
    fail_prediction(1, ERROR_CONTENT_POLICY);
    expect_let_go(0, 0);
    listener_expect_error(door, ERROR_CONTENT_POLICY);
    listener_expect_choice(0, "zero", "");
    door_close(door, true);
}
END_TEST

START_TEST(a_choice_that_is_over_does_not_hide_the_failure_of_another)
{
    struct door *door = door_chat(LISTENER_STREAM_OF_TWO);
    fake_prediction_piece(listener_named(0, "pred-a"), "zero");
    fake_prediction_succeed(fake_prediction_at(0), "zero");
    listener_expect_streaming(door);
    fail_prediction(1, ERROR_TIMEOUT);
    listener_expect_error(door, ERROR_TIMEOUT);
    listener_expect_choice(0, "zero", "stop");
    door_close(door, true);
}
END_TEST

/* ---- stop strings ---- */

START_TEST(a_stop_string_cancels_the_prediction)
{
    struct door *door = door_chat(
        "{\"model\":\"writer\",\"stop\":\"END\",\"stream_options\":{\"include_usage\":true}," LISTENER_HELLO "}");
    listener.asked.include_usage = true;
    bench.writer.on_disconnect = DISCONNECT_KEEP; /* is about clients, not about this */
    fake_prediction_piece(listener_named(0, "pred-a"), "one E");
    ck_assert(!fake_prediction_at(0)->is_abandoned);
    fake_prediction_piece(fake_prediction_at(0), "ND two");
    expect_let_go(0, 0);
    listener_hear(door);
    listener_expect_choice(0, "one ", "stop");
    ck_assert(listener.heard.is_done);
    ck_assert_int_eq(json_integer_value(json_object_get(listener.heard.usage, "completion_tokens")), 1);
    listener_expect_ended(door);
    door_close(door, true);
    json_t *line = bench_log_line(0);
    ck_assert_str_eq(json_text(line, "usage"), "estimated");
    ck_assert_str_eq(json_text(line, "prediction"), "pred-a");
    ck_assert_ptr_null(json_text(line, "error"));
    json_decref(line);
}
END_TEST

START_TEST(a_choice_that_was_stopped_leaves_the_others_running)
{
    struct door *door = door_chat("{\"model\":\"writer\",\"n\":2,\"stop\":\"END\"," LISTENER_HELLO "}");
    fake_prediction_piece(listener_named(0, "pred-a"), "zero END");
    expect_let_go(0, 0);
    listener_expect_streaming(door);
    fake_prediction_piece(listener_named(1, "pred-b"), "one");
    fake_prediction_succeed(fake_prediction_at(1), "one");
    listener_hear(door);
    listener_expect_choice(0, "zero ", "stop");
    listener_expect_choice(1, "one", "stop");
    ck_assert(listener.heard.is_done);
    listener_expect_ended(door);
    door_close(door, true);
}
END_TEST

/* ---- the client, the daemon ---- */

START_TEST(a_client_that_hangs_up_in_the_middle_is_treated_as_any_other)
{
    struct door *door =
        door_post(BENCH_CHAT_PATH, LISTENER_STREAM_OF_TWO, _i == 0 ? NULL : "x-stainless-retry-count", "0");
    fake_prediction_piece(listener_named(0, "pred-a"), "zero");
    fake_prediction_succeed(fake_prediction_at(0), "zero");
    fake_prediction_piece(listener_named(1, "pred-b"), "on");
    door_hang_up(door);
    expect_let_go(1, _i == 0 ? 0 : BENCH_GRACE_MS);
    ck_assert(door->request.reply.is_dropped);
    advance(10 * BENCH_KEEPALIVE_MS);
    door_close(door, false);
    json_t *line = bench_log_line(0);
    ck_assert_str_eq(json_text(line, "outcome"), "client_gone");
    ck_assert_str_eq(json_text(line, "prediction"), "pred-a, pred-b");
    json_decref(line);
}
END_TEST

START_TEST(a_connection_that_ends_in_the_middle_cancels_what_runs)
{
    struct door *door = door_chat(LISTENER_STREAM_OF_TWO);
    fake_prediction_piece(listener_named(0, "pred-a"), "zero");
    door_close(door, false);
    expect_let_go(0, 0);
    expect_let_go(1, 0);
}
END_TEST

START_TEST(the_end_of_a_drain_is_an_error_in_the_stream)
{
    struct error error;
    error_set(&error, ERROR_SHUTTING_DOWN, NULL, "This server shut down before the model had answered.");
    struct door *door = door_chat(LISTENER_STREAM);
    fake_prediction_piece(listener_named(0, "pred-a"), "Hel");
    exchange_fail_all(&bench.worker.exchanges, &error);
    expect_let_go(0, 0);
    listener_expect_error(door, ERROR_SHUTTING_DOWN);
    door_close(door, true);
}
END_TEST

START_TEST(a_full_outbox_pauses_all_predictions_until_it_is_drained)
{
    struct door *door = door_chat("{\"model\":\"writer\",\"n\":3," LISTENER_HELLO "}");
    fake_prediction_piece(fake_prediction_at(0), "a");
    ck_assert(!fake_prediction_at(0)->is_paused);
    fake_prediction_succeed(fake_prediction_at(2), "");
    door->is_full = true;
    fake_prediction_piece(fake_prediction_at(0), "b");
    ck_assert(fake_prediction_at(0)->is_paused && fake_prediction_at(1)->is_paused);
    fake_prediction_piece(fake_prediction_at(1), "late"); /* may still come after a pause */
    fake_prediction_succeed(fake_prediction_at(1), "late");
    ck_assert_int_eq(fake_prediction_at(0)->resumes, 0);
    door_drain(door);
    ck_assert(!fake_prediction_at(0)->is_paused);
    ck_assert_int_eq(fake_prediction_at(0)->resumes, 1);
    ck_assert_int_eq(fake_prediction_at(2)->pauses + fake_prediction_at(2)->resumes, 0);
    fake_prediction_succeed(fake_prediction_at(0), "ab");
    listener_hear(door);
    listener_expect_choice(0, "ab", "stop");
    listener_expect_choice(1, "late", "stop");
    ck_assert(listener.heard.is_done);
    door_close(door, true);
}
END_TEST

static Suite *exchange_stream_end_suite(void)
{
    Suite *suite = suite_create("exchange: the early end of a stream");
    TCase *tcase = tcase_create("ends");
    tcase_add_checked_fixture(tcase, listener_setup, listener_teardown);
    tcase_add_loop_test(tcase, what_fails_before_the_beginning_keeps_its_status, 0, 2);
    tcase_add_loop_test(tcase, what_fails_after_the_beginning_is_the_last_frame, 0, 2);
    tcase_add_test(tcase, when_one_choice_fails_the_others_are_let_go);
    tcase_add_test(tcase, a_choice_that_is_over_does_not_hide_the_failure_of_another);
    tcase_add_test(tcase, a_stop_string_cancels_the_prediction);
    tcase_add_test(tcase, a_choice_that_was_stopped_leaves_the_others_running);
    tcase_add_loop_test(tcase, a_client_that_hangs_up_in_the_middle_is_treated_as_any_other, 0, 2);
    tcase_add_test(tcase, a_connection_that_ends_in_the_middle_cancels_what_runs);
    tcase_add_test(tcase, the_end_of_a_drain_is_an_error_in_the_stream);
    tcase_add_test(tcase, a_full_outbox_pauses_all_predictions_until_it_is_drained);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(exchange_stream_end_suite());
}
