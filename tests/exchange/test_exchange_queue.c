/* A request that waits in line for room: how it gets on, and all the ways in which it may end before. And the memory
 * that bodies take. */
#include <string.h>

#include "base/ensure.h"
#include "check_main.h"
#include "fake_listener.h"

enum { QUEUE_MS = 10000 };

static void setup(void)
{
    listener_setup();
    bench.config.queue_timeout_ms = QUEUE_MS;
    bench.writer.limits.max_parallel = 1;
}

static void advance(int64_t ms)
{
    fake_loop_advance(bench.worker.loop, ms);
    admission_room_turn(bench.worker.admission_room);
}

static void succeed_and_close(struct door *door, size_t prediction)
{
    fake_prediction_succeed(fake_prediction_at(prediction), "Hi");
    door_expect_status(door, 200);
    door_close(door, true);
}

START_TEST(who_waits_runs_when_another_has_its_answer)
{
    struct door *first = door_chat(BENCH_CHAT), *second = door_chat(BENCH_CHAT);
    ck_assert_uint_eq(bench_in(EXCHANGE_QUEUED), 1);
    ck_assert_uint_eq(fake_predictions_count(), 1);
    advance(QUEUE_MS - 1);
    succeed_and_close(first, 0);
    ck_assert_uint_eq(fake_predictions_count(), 1); /* on the worker's turn, not before */
    advance(0);
    ck_assert_uint_eq(bench_in(EXCHANGE_QUEUED), 0);
    ck_assert_uint_eq(fake_predictions_count(), 2);
    ck_assert_int_eq(fake_prediction_at(1)->job->deadline_ms, BENCH_START_MS + BENCH_TIMEOUT_MS);
    advance(QUEUE_MS);
    succeed_and_close(second, 1);
}
END_TEST

START_TEST(who_waits_too_long_is_told_when_to_come_again)
{
    struct door *first = door_chat(BENCH_CHAT), *second = door_chat(BENCH_CHAT);
    advance(QUEUE_MS);
    door_expect_error(second, ERROR_RATE_LIMITED);
    ck_assert_str_eq(door_answer(second, "retry-after"), "1");
    door_close(second, true);
    succeed_and_close(first, 0);
    ck_assert_uint_eq(fake_predictions_count(), 1);
}
END_TEST

START_TEST(time_in_line_counts_towards_the_timeout)
{
    bench.config.queue_timeout_ms = 2 * BENCH_TIMEOUT_MS;
    struct door *first = door_chat(BENCH_CHAT), *second = door_chat(BENCH_CHAT);
    advance(BENCH_TIMEOUT_MS);
    door_expect_error(second, ERROR_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(buf_text(&second->request.reply.body), "models.writer.timeout"));
    door_close(second, true);
    succeed_and_close(first, 0);
}
END_TEST

START_TEST(who_hangs_up_in_line_makes_room_for_the_next)
{
    struct door *doors[3];
    for (size_t i = 0; i < 3; i++)
        doors[i] = door_chat(BENCH_CHAT);
    door_hang_up(doors[1]);
    door_close(doors[1], false);
    succeed_and_close(doors[0], 0);
    advance(0);
    ck_assert_uint_eq(fake_predictions_count(), 2);
    succeed_and_close(doors[2], 1);
}
END_TEST

/* Between the moment in which its turn came and the one in which it is told. */
START_TEST(who_hangs_up_when_just_let_in_makes_room_for_the_next)
{
    struct door *doors[3];
    for (size_t i = 0; i < 3; i++)
        doors[i] = door_chat(BENCH_CHAT);
    succeed_and_close(doors[0], 0);
    door_hang_up(doors[1]);
    door_close(doors[1], false);
    advance(0);
    ck_assert_uint_eq(fake_predictions_count(), 2);
    succeed_and_close(doors[2], 1);
}
END_TEST

START_TEST(the_end_of_the_daemon_reaches_those_in_line)
{
    struct door *first = door_chat(BENCH_CHAT), *second = door_chat(BENCH_CHAT);
    struct error error = {0};
    error_set(&error, ERROR_SHUTTING_DOWN, NULL, "The end.");
    exchange_fail_all(&bench.worker.exchanges, &error);
    door_expect_error(second, ERROR_SHUTTING_DOWN);
    door_close(first, true);
    door_close(second, true);
    advance(0);
    ck_assert_uint_eq(fake_predictions_count(), 1);
}
END_TEST

START_TEST(a_stream_in_line_is_kept_company)
{
    bench.config.queue_timeout_ms = 20000;
    struct door *first = door_chat(BENCH_CHAT), *stream = door_chat(LISTENER_STREAM);
    advance(4999);
    ck_assert(!stream->request.reply.is_stream);
    advance(1);
    listener_expect_comments(stream, "queued");
    ck_assert_uint_eq(bench_in(EXCHANGE_STREAMING), 1);
    succeed_and_close(first, 0);
    advance(0);
    ck_assert_uint_eq(fake_predictions_count(), 2);
    fake_prediction_succeed(fake_prediction_at(1), "Hi");
    listener_hear(stream);
    ck_assert(listener.heard.is_done);
    door_close(stream, true);
}
END_TEST

START_TEST(a_stream_that_waited_too_long_ends_with_an_error_frame)
{
    struct door *first = door_chat(BENCH_CHAT), *stream = door_chat(LISTENER_STREAM);
    advance(QUEUE_MS);
    ck_assert(stream->request.reply.is_stream && stream->request.reply.is_ended);
    ck_assert_ptr_nonnull(strstr(buf_text(&stream->request.reply.body), "rate_limit_exceeded"));
    door_close(stream, true);
    succeed_and_close(first, 0);
}
END_TEST

/* ---- the memory for bodies ---- */

static void open_with(struct door **door, int64_t content_length)
{
    *door = door_new("POST", BENCH_CHAT_PATH);
    door_open(*door, content_length);
}

START_TEST(a_body_that_finds_no_memory_is_refused_before_it_is_read)
{
    struct door *first, *second, *third;
    bench.config.max_body_memory_bytes = 1500;
    open_with(&first, 1000);
    open_with(&second, 501);
    door_expect_error(second, ERROR_OVERLOADED);
    ck_assert_str_eq(door_answer(second, "retry-after"), "1");
    door_body(second, "{");
    ck_assert_uint_eq(second->request.body.length, 0);
    door_close(second, true);
    door_close(first, false);
    open_with(&third, 1000);
    ck_assert(!third->request.reply.is_ready);
    door_close(third, false);
}
END_TEST

START_TEST(a_chunked_body_is_counted_as_it_grows)
{
    struct door *first, *chunked;
    bench.config.max_body_memory_bytes = 1000;
    open_with(&first, 995);
    open_with(&chunked, -1);
    door_body(chunked, "{\"a\":");
    ck_assert(!chunked->request.reply.is_ready);
    door_body(chunked, "1");
    door_expect_error(chunked, ERROR_OVERLOADED);
    door_close(chunked, true);
    door_close(first, false);
}
END_TEST

START_TEST(memory_is_given_back_with_the_answer)
{
    bench.writer.limits.max_parallel = 0;
    struct door *door = door_chat(BENCH_CHAT);
    ck_assert_int_ge(atomic_load(&bench.shared.body_memory.used_bytes), (int64_t)strlen(BENCH_CHAT));
    fake_prediction_succeed(fake_prediction_at(0), "Hi");
    ck_assert_int_eq(atomic_load(&bench.shared.body_memory.used_bytes), 0);
    door_close(door, true);
}
END_TEST

/* Two bytes may become a value of many more. */
START_TEST(many_small_values_count_more_than_their_bytes)
{
    char body[900];
    memset(body, ',', sizeof body - 1);
    for (size_t i = 0; i < sizeof body; i += 2)
        body[i] = '0';
    body[0] = '[';
    body[sizeof body - 2] = ']';
    body[sizeof body - 1] = '\0';
    bench.config.max_body_memory_bytes = 20000;
    struct door *door = door_chat(body);
    door_expect_error(door, ERROR_REQUEST_TOO_LARGE);
    door_close(door, true);
}
END_TEST

START_TEST(each_choice_counts_as_a_body)
{
    bench.writer.limits.max_parallel = 0;
    bench.config.max_body_memory_bytes = 4000;
    struct door *whole = door_chat(BENCH_CHAT), *three = door_chat(BENCH_CHAT_OF_THREE);
    int64_t used = atomic_load(&bench.shared.body_memory.used_bytes);
    fake_prediction_succeed(fake_prediction_at(0), "Hi");
    int64_t of_three = atomic_load(&bench.shared.body_memory.used_bytes);
    ck_assert_int_ge(of_three, used - of_three + 2 * (int64_t)strlen(BENCH_CHAT_OF_THREE));
    door_close(whole, true);
    for (size_t i = 1; i < 4; i++)
        fake_prediction_succeed(fake_prediction_at(i), "Hi");
    door_close(three, true);
}
END_TEST

static Suite *queue_suite(void)
{
    Suite *suite = suite_create("exchange: the line, and memory");
    TCase *tcase = tcase_create("line");
    tcase_add_checked_fixture(tcase, setup, listener_teardown);
    tcase_add_test(tcase, who_waits_runs_when_another_has_its_answer);
    tcase_add_test(tcase, who_waits_too_long_is_told_when_to_come_again);
    tcase_add_test(tcase, time_in_line_counts_towards_the_timeout);
    tcase_add_test(tcase, who_hangs_up_in_line_makes_room_for_the_next);
    tcase_add_test(tcase, who_hangs_up_when_just_let_in_makes_room_for_the_next);
    tcase_add_test(tcase, the_end_of_the_daemon_reaches_those_in_line);
    tcase_add_test(tcase, a_stream_in_line_is_kept_company);
    tcase_add_test(tcase, a_stream_that_waited_too_long_ends_with_an_error_frame);
    tcase_add_test(tcase, a_body_that_finds_no_memory_is_refused_before_it_is_read);
    tcase_add_test(tcase, a_chunked_body_is_counted_as_it_grows);
    tcase_add_test(tcase, memory_is_given_back_with_the_answer);
    tcase_add_test(tcase, many_small_values_count_more_than_their_bytes);
    tcase_add_test(tcase, each_choice_counts_as_a_body);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(queue_suite());
}
