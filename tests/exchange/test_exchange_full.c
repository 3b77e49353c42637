/* A request that finds its alias full: it goes to what is free at once, and waits in line only where nothing is. */
#include <string.h>

#include "base/json.h"
#include "check_main.h"
#include "fake_listener.h"

enum { QUEUE_MS = 10000 };

static struct key alice;
static char *spare_alone[] = {"spare"};

static void setup(void)
{
    listener_setup();
    bench_use_fallbacks();
    bench.config.queue_timeout_ms = QUEUE_MS;
    bench.writer.limits.max_parallel = 1;
    bench.helper.limits.max_parallel = 1;
    bench.spare.limits.max_parallel = 1;
    alice = (struct key){.name = "alice", .digest = BENCH_ALICE_DIGEST};
}

static void advance(int64_t ms)
{
    fake_loop_advance(bench.worker.loop, ms);
    admission_room_turn(bench.worker.admission_room);
}

static void fill(struct door *doors[3])
{
    for (size_t i = 0; i < 3; i++)
        doors[i] = door_chat(BENCH_CHAT);
    ck_assert_uint_eq(fake_predictions_count(), 3);
}

static void expect_running(size_t count, const char *name)
{
    ck_assert_uint_eq(fake_predictions_count(), count);
    ck_assert_str_eq(fake_prediction_at(count - 1)->job->target.name, name);
    ck_assert_str_eq(json_text(fake_prediction_at(count - 1)->job->input, "prompt"), "Say hi");
}

static void fail_with(size_t prediction, enum error_kind kind)
{
    struct error error = {0};
    error_set(&error, kind, NULL, "The prediction %zu failed.", prediction);
    fake_prediction_fail(fake_prediction_at(prediction), &error);
}

static void end(struct door *door, size_t prediction, const char *alias)
{
    fake_prediction_succeed(fake_prediction_at(prediction), "Hi");
    door_expect_status(door, 200);
    json_t *json = door_json(door);
    ck_assert_str_eq(json_text(json, "model"), alias);
    json_decref(json);
    door_close(door, true);
}

START_TEST(a_full_alias_with_a_free_fallback_goes_there_at_once)
{
    struct door *first = door_chat(BENCH_CHAT), *second = door_chat(BENCH_CHAT);
    ck_assert_uint_eq(bench_in(EXCHANGE_QUEUED), 0);
    expect_running(2, "acme/helper");
    end(second, 1, "helper");
    end(first, 0, "writer");
}
END_TEST

START_TEST(where_all_are_full_the_alias_that_was_asked_for_answers_in_its_turn)
{
    struct door *doors[3], *last;
    fill(doors);
    last = door_chat(BENCH_CHAT);
    ck_assert_uint_eq(bench_in(EXCHANGE_QUEUED), 1);
    end(doors[1], 1, "helper");
    advance(QUEUE_MS - 1);
    ck_assert_uint_eq(bench_in(EXCHANGE_QUEUED), 1); /* it waits for one place, not for any */
    end(doors[0], 0, "writer");
    advance(0);
    expect_running(4, "acme/writer");
    ck_assert_int_eq(fake_prediction_at(3)->job->deadline_ms, BENCH_START_MS + BENCH_TIMEOUT_MS);
    end(last, 3, "writer");
    json_t *line = bench_log_line(bench.closed - 1);
    ck_assert_int_eq(json_integer_value(json_object_get(line, "attempts")), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(line, "queued_ms")), QUEUE_MS - 1);
    ck_assert_ptr_null(json_object_get(line, "fallback"));
    json_decref(line);
    end(doors[2], 2, "spare");
}
END_TEST

START_TEST(where_all_stay_full_the_limit_is_told)
{
    struct door *doors[3], *last;
    fill(doors);
    last = door_chat(BENCH_CHAT);
    advance(QUEUE_MS);
    door_expect_error(last, ERROR_RATE_LIMITED);
    ck_assert_str_eq(door_answer(last, "retry-after"), "1");
    ck_assert_ptr_nonnull(strstr(buf_text(&last->request.reply.body), "(model writer)"));
    door_close(last, true);
    end(doors[0], 0, "writer");
    end(doors[1], 1, "helper");
    end(doors[2], 2, "spare");
}
END_TEST

START_TEST(who_came_in_from_the_line_still_falls_back)
{
    struct door *doors[3], *last;
    fill(doors);
    last = door_chat(BENCH_CHAT);
    end(doors[0], 0, "writer");
    advance(0);
    end(doors[1], 1, "helper");
    fail_with(3, ERROR_UPSTREAM_UNAVAILABLE);
    expect_running(5, "acme/helper");
    end(last, 4, "helper");
    end(doors[2], 2, "spare");
}
END_TEST

START_TEST(whoever_goes_on_elsewhere_lets_in_the_next_one)
{
    struct door *doors[3], *last;
    fill(doors);
    last = door_chat(BENCH_CHAT);
    end(doors[1], 1, "helper");
    fail_with(0, ERROR_UPSTREAM_UNAVAILABLE);
    expect_running(4, "acme/helper");
    advance(0);
    expect_running(5, "acme/writer");
    end(last, 4, "writer");
    end(doors[0], 3, "helper");
    end(doors[2], 2, "spare");
}
END_TEST

/* The key's limit, or the daemon's: no alias would change anything. */
START_TEST(who_may_not_come_in_anywhere_waits_though_a_fallback_is_free)
{
    struct limits *limits[] = {&alice.limits, &bench.config.limits};
    limits[_i]->max_parallel = 1;
    bench.config.keys = &alice;
    bench.config.key_count = 1;
    bench.writer.limits.max_parallel = 0;
    struct door *first = door_post(BENCH_CHAT_PATH, BENCH_CHAT, "Authorization", "Bearer test-key-alice");
    struct door *second = door_post(BENCH_CHAT_PATH, BENCH_CHAT, "Authorization", "Bearer test-key-alice");
    ck_assert_uint_eq(bench_in(EXCHANGE_QUEUED), 1);
    end(first, 0, "writer");
    advance(0);
    expect_running(2, "acme/writer");
    end(second, 1, "writer");
}
END_TEST

/* A fallback that lets in and cannot be run must not keep the place there while the request waits. */
START_TEST(a_fallback_without_a_token_is_no_reason_not_to_wait)
{
    bench.writer.fallbacks = spare_alone;
    bench.writer.fallback_count = 1;
    bench.spare.token = NULL;
    struct door *first = door_chat(BENCH_CHAT), *second = door_chat(BENCH_CHAT);
    ck_assert_uint_eq(bench_in(EXCHANGE_QUEUED), 1);
    struct admission_ticket ticket = {0};
    struct error err = {0};
    ck_assert(admission_enter(bench.shared.admission, &bench.config, &bench.spare, NULL, &ticket, &err));
    admission_leave(bench.shared.admission, &ticket);
    end(first, 0, "writer");
    advance(0);
    expect_running(2, "acme/writer");
    end(second, 1, "writer");
}
END_TEST

START_TEST(a_stream_waits_for_all_of_its_aliases_too)
{
    struct door *doors[3], *stream;
    fill(doors);
    stream = door_chat(LISTENER_STREAM);
    advance(5000);
    listener_expect_comments(stream, "queued");
    end(doors[0], 0, "writer");
    advance(0);
    ck_assert_uint_eq(fake_predictions_count(), 4);
    fake_prediction_succeed(fake_prediction_at(3), "Hi");
    listener_hear(stream);
    ck_assert(listener.heard.is_done);
    door_close(stream, true);
    end(doors[1], 1, "helper");
    end(doors[2], 2, "spare");
}
END_TEST

/* ---- the memory for bodies ---- */

START_TEST(a_further_try_counts_its_choices_no_second_time)
{
    struct door *door = door_chat(BENCH_CHAT_OF_THREE);
    int64_t used = atomic_load(&bench.shared.body_memory.used_bytes);
    fail_with(0, ERROR_UPSTREAM_UNAVAILABLE);
    expect_running(6, "acme/helper");
    ck_assert_int_eq(atomic_load(&bench.shared.body_memory.used_bytes), used);
    for (size_t i = 3; i < 6; i++)
        fake_prediction_succeed(fake_prediction_at(i), "Hi");
    door_expect_status(door, 200);
    ck_assert_int_eq(atomic_load(&bench.shared.body_memory.used_bytes), 0);
    door_close(door, true);
}
END_TEST

static Suite *full_suite(void)
{
    Suite *suite = suite_create("exchange: full aliases");
    TCase *tcase = tcase_create("full");
    tcase_add_checked_fixture(tcase, setup, listener_teardown);
    tcase_add_test(tcase, a_full_alias_with_a_free_fallback_goes_there_at_once);
    tcase_add_test(tcase, where_all_are_full_the_alias_that_was_asked_for_answers_in_its_turn);
    tcase_add_test(tcase, where_all_stay_full_the_limit_is_told);
    tcase_add_test(tcase, who_came_in_from_the_line_still_falls_back);
    tcase_add_test(tcase, whoever_goes_on_elsewhere_lets_in_the_next_one);
    tcase_add_loop_test(tcase, who_may_not_come_in_anywhere_waits_though_a_fallback_is_free, 0, 2);
    tcase_add_test(tcase, a_fallback_without_a_token_is_no_reason_not_to_wait);
    tcase_add_test(tcase, a_stream_waits_for_all_of_its_aliases_too);
    tcase_add_test(tcase, a_further_try_counts_its_choices_no_second_time);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(full_suite());
}
