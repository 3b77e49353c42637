/* A client that tries again: it is given the prediction of its first try. */
#include "fake_door.h"

#include <string.h>

#include "base/json.h"
#include "check_main.h"
#include "fake_schemas.h"
#include "replicate/joins.h"

#define STREAM_TO_STOP                                                                                                 \
    "{\"model\":\"writer\",\"stream\":true,\"stop\":\"END\",\"messages\":[{\"role\":\"user\",\"content\":\"Say "       \
    "hi\"}]}"

enum { LOOK_AGAIN_MS = 20, SHARED_GRACE_MS = 1000 };

static struct door *try_with(const char *count, const char *key, const char *body, const char *credential)
{
    struct door *door = door_new("POST", BENCH_CHAT_PATH);
    if (count != NULL)
        door_header(door, "x-stainless-retry-count", count);
    if (key != NULL)
        door_header(door, "Idempotency-Key", key);
    if (credential != NULL)
        door_header(door, "Authorization", credential);
    door_open(door, -1);
    door_body(door, body);
    door_done(door);
    return door;
}

static struct door *try(const char *count)
{
    return try_with(count, NULL, BENCH_CHAT, NULL);
}

static void created(size_t index, const char *id)
{
    join_created(fake_prediction_at(index)->job->join, 0, id);
}

/* The prediction that was started last follows the one of that id. */
static void expect_follows(size_t count, const char *id)
{
    ck_assert_uint_eq(fake_predictions_count(), count);
    const struct job *job = fake_prediction_at(count - 1)->job;
    ck_assert_str_eq(job->follow_id, id);
    ck_assert_ptr_null(job->input);
}

static void answer(struct door *door, size_t prediction)
{
    fake_prediction_succeed(fake_prediction_at(prediction), "Hi");
    door_expect_status(door, 200);
    door_close(door, true);
}

START_TEST(a_retry_follows_the_prediction_that_its_first_try_left)
{
    struct door *first = try("0");
    created(0, "pred-1");
    door_hang_up(first);
    door_close(first, false);
    ck_assert_int_eq(fake_prediction_at(0)->grace_ms, BENCH_GRACE_MS);
    struct door *second = try("1");
    expect_follows(2, "pred-1");
    answer(second, 1);
}
END_TEST

/* A reload between the two tries makes one choice of three, or three of one. */
START_TEST(a_retry_follows_as_many_predictions_as_its_first_try_has_made)
{
    static char *n[] = {"n"};
    static const char *const ids[] = {"pred-1", "pred-2", "pred-3"};
    size_t count = _i == 0 ? 1 : 3;
    bench.writer.dropped = n;
    bench.writer.dropped_count = count == 1;
    struct door *first = try_with("0", NULL, BENCH_CHAT_OF_THREE, NULL);
    ck_assert_uint_eq(fake_predictions_count(), count);
    for (size_t i = 0; i < count; i++)
        join_created(fake_prediction_at(i)->job->join, i, ids[i]);
    door_hang_up(first);
    door_close(first, false);
    bench.writer.dropped_count = count == 3;
    struct door *second = try_with("1", NULL, BENCH_CHAT_OF_THREE, NULL);
    expect_follows(2 * count, ids[count - 1]);
    for (size_t i = 0; i + 1 < count; i++)
        fake_prediction_succeed(fake_prediction_at(count + i), "Hi");
    answer(second, 2 * count - 1);
}
END_TEST

START_TEST(a_retry_waits_for_the_create_of_its_first_try)
{
    struct door *first = try("0");
    door_hang_up(first);
    door_close(first, false);
    struct door *second = try("1");
    fake_loop_advance(bench.worker.loop, 3 * LOOK_AGAIN_MS);
    ck_assert_uint_eq(fake_predictions_count(), 1);
    ck_assert_uint_eq(bench_in(EXCHANGE_PREPARING), 1);
    created(0, "pred-1");
    fake_loop_advance(bench.worker.loop, LOOK_AGAIN_MS);
    expect_follows(2, "pred-1");
    answer(second, 1);
}
END_TEST

START_TEST(a_client_that_leaves_while_it_waits_for_a_create_leaves_nothing)
{
    struct door *first = try("0");
    struct door *second = try("1");
    door_hang_up(second);
    door_close(second, false);
    answer(first, 0);
}
END_TEST

START_TEST(nobody_lets_go_of_a_prediction_for_one_that_only_waits_for_it)
{
    bench.writer.on_disconnect = DISCONNECT_CANCEL;
    struct door *first = try("0");
    struct door *second = try("1");
    door_hang_up(first);
    door_close(first, false);
    struct join *join = fake_prediction_at(0)->job->join;
    ck_assert_int_eq(fake_prediction_at(0)->grace_ms, SHARED_GRACE_MS);
    ck_assert(!join_may_let_go(join) && !join_may_cancel(join, 0));
    door_hang_up(second);
    door_close(second, false);
    ck_assert(join_may_cancel(join, 0));
}
END_TEST

START_TEST(a_retry_waits_for_a_create_no_longer_than_its_own_time)
{
    struct door *first = try("0");
    struct door *second = try("1");
    fake_loop_advance(bench.worker.loop, bench.writer.timeout_ms);
    door_expect_error(second, ERROR_TIMEOUT);
    door_close(second, true);
    answer(first, 0);
}
END_TEST

START_TEST(first_tries_are_never_joined)
{
    struct door *first = try("0"), *second = try("0");
    created(0, "pred-1");
    ck_assert_uint_eq(fake_predictions_count(), 2);
    ck_assert_ptr_null(fake_prediction_at(1)->job->follow_id);
    answer(first, 0);
    answer(second, 1);
}
END_TEST

/* How the second request differs, so that it is none that the first could have been. */
static const struct {
    const char *body, *credential;
} others[] = {
    {BENCH_CHAT_OF_THREE, "Bearer one"},
    {BENCH_CHAT, "Bearer two"},
    {BENCH_CHAT, NULL},
};

START_TEST(only_the_same_client_with_the_same_body_joins)
{
    struct door *first = try_with("0", NULL, BENCH_CHAT, "Bearer one");
    created(0, "pred-1");
    struct door *second = try_with("1", NULL, others[_i].body, others[_i].credential);
    ck_assert_ptr_null(fake_prediction_at(1)->job->follow_id);
    answer(first, 0);
    door_hang_up(second);
    door_close(second, false);
}
END_TEST

START_TEST(an_idempotency_key_joins_without_any_count)
{
    struct door *first = try_with(NULL, "k1", BENCH_CHAT, NULL);
    created(0, "pred-1");
    struct door *second = try_with(NULL, "k1", BENCH_CHAT, NULL);
    expect_follows(2, "pred-1");
    answer(first, 0);
    answer(second, 1);
}
END_TEST

START_TEST(an_idempotency_key_with_another_body_is_refused)
{
    struct door *first = try_with(NULL, "k1", BENCH_CHAT, NULL);
    struct door *second = try_with(NULL, "k1", BENCH_CHAT_OF_THREE, NULL);
    door_expect_error(second, ERROR_IDEMPOTENCY_KEY_REUSED);
    door_close(second, true);
    answer(first, 0);
}
END_TEST

START_TEST(what_is_shared_is_not_cancelled_when_one_of_them_leaves)
{
    bench.writer.on_disconnect = DISCONNECT_CANCEL;
    struct door *first = try("0");
    created(0, "pred-1");
    struct door *second = try("1");
    door_hang_up(first);
    door_close(first, false);
    ck_assert_int_eq(fake_prediction_at(0)->grace_ms, SHARED_GRACE_MS);
    ck_assert(join_may_let_go(fake_prediction_at(0)->job->join));
    door_hang_up(second);
    door_close(second, false);
    ck_assert_int_eq(fake_prediction_at(1)->grace_ms, 0);
    ck_assert(!join_may_let_go(fake_prediction_at(0)->job->join));
    /* Nobody comes to what is being cancelled. */
    struct door *third = try("2");
    ck_assert_ptr_null(fake_prediction_at(2)->job->follow_id);
    answer(third, 2);
}
END_TEST

START_TEST(a_stop_string_does_not_cancel_what_another_still_reads)
{
    struct door *first = try_with("0", NULL, STREAM_TO_STOP, NULL);
    created(0, "pred-1");
    struct door *second = try_with("1", NULL, STREAM_TO_STOP, NULL);
    fake_prediction_piece(fake_prediction_at(0), "Hi END");
    ck_assert_int_eq(fake_prediction_at(0)->grace_ms, SHARED_GRACE_MS);
    fake_prediction_piece(fake_prediction_at(1), "Hi END");
    ck_assert_int_eq(fake_prediction_at(1)->grace_ms, 0);
    door_close(first, true);
    door_close(second, true);
}
END_TEST

START_TEST(what_was_never_created_is_begun_anew_by_the_retry)
{
    struct door *first = try("0");
    door_hang_up(first);
    door_close(first, false);
    struct door *second = try("1");
    join_gone(fake_prediction_at(0)->job->join);
    fake_loop_advance(bench.worker.loop, LOOK_AGAIN_MS);
    ck_assert_uint_eq(fake_predictions_count(), 2);
    ck_assert_ptr_null(fake_prediction_at(1)->job->follow_id);
    ck_assert_str_eq(json_text(fake_prediction_at(1)->job->input, "prompt"), "Say hi");
    answer(second, 1);
}
END_TEST

START_TEST(an_error_that_must_not_be_tried_again_is_told_again)
{
    struct error err = {0};
    struct door *first = try("0");
    error_set(&err, ERROR_UPSTREAM_ERROR, NULL, "The answer to the create was lost.");
    join_ended(fake_prediction_at(0)->job->join, &err, BENCH_START_MS);
    fake_prediction_fail(fake_prediction_at(0), &err);
    door_close(first, true);
    struct door *second = try("1");
    door_expect_error(second, ERROR_UPSTREAM_ERROR);
    ck_assert_uint_eq(fake_predictions_count(), 1);
    door_close(second, true);
}
END_TEST

START_TEST(an_error_that_may_be_tried_again_is_tried_again)
{
    struct error err = {0};
    struct door *first = try("0");
    error_set(&err, ERROR_UPSTREAM_TRANSIENT, NULL, "Try again later.");
    join_ended(fake_prediction_at(0)->job->join, &err, BENCH_START_MS);
    fake_prediction_fail(fake_prediction_at(0), &err);
    door_close(first, true);
    struct door *second = try("1");
    ck_assert_uint_eq(fake_predictions_count(), 2);
    answer(second, 1);
}
END_TEST

START_TEST(who_never_said_that_it_may_retry_is_remembered_nowhere)
{
    struct door *first = door_chat(BENCH_CHAT);
    ck_assert_ptr_null(fake_prediction_at(0)->job->join);
    answer(first, 0);
}
END_TEST

static Suite *exchange_join_suite(void)
{
    Suite *suite = suite_create("exchange_join");
    TCase *tcase = tcase_create("joins");
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_test(tcase, a_retry_follows_the_prediction_that_its_first_try_left);
    tcase_add_loop_test(tcase, a_retry_follows_as_many_predictions_as_its_first_try_has_made, 0, 2);
    tcase_add_test(tcase, a_retry_waits_for_the_create_of_its_first_try);
    tcase_add_test(tcase, a_client_that_leaves_while_it_waits_for_a_create_leaves_nothing);
    tcase_add_test(tcase, nobody_lets_go_of_a_prediction_for_one_that_only_waits_for_it);
    tcase_add_test(tcase, a_retry_waits_for_a_create_no_longer_than_its_own_time);
    tcase_add_test(tcase, first_tries_are_never_joined);
    tcase_add_loop_test(tcase, only_the_same_client_with_the_same_body_joins, 0, 3);
    tcase_add_test(tcase, an_idempotency_key_joins_without_any_count);
    tcase_add_test(tcase, an_idempotency_key_with_another_body_is_refused);
    tcase_add_test(tcase, what_is_shared_is_not_cancelled_when_one_of_them_leaves);
    tcase_add_test(tcase, a_stop_string_does_not_cancel_what_another_still_reads);
    tcase_add_test(tcase, what_was_never_created_is_begun_anew_by_the_retry);
    tcase_add_test(tcase, an_error_that_must_not_be_tried_again_is_told_again);
    tcase_add_test(tcase, an_error_that_may_be_tried_again_is_tried_again);
    tcase_add_test(tcase, who_never_said_that_it_may_retry_is_remembered_nowhere);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(exchange_join_suite());
}
