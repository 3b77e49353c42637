/* A client that tries again while its first try goes on elsewhere: both are given the same prediction. */
#include "fake_door.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "check_main.h"
#include "fake_schemas.h"
#include "replicate/joins.h"

enum { LOOK_AGAIN_MS = 20, SHARED_GRACE_MS = 1000 };

static void setup(void)
{
    bench_setup();
    bench_use_fallbacks();
}

static struct door *try_body(const char *count, const char *body)
{
    return door_post(BENCH_CHAT_PATH, body, "x-stainless-retry-count", count);
}

static struct door *try(const char *count)
{
    return try_body(count, BENCH_CHAT);
}

static void created(size_t index, const char *id)
{
    struct prediction *prediction = fake_prediction_at(index);
    join_created(prediction->job->join, prediction->index, id);
    snprintf(prediction->id, sizeof prediction->id, "%s", id);
}

/* As a prediction does it: the join hears of it first. */
static void fail_with(size_t index, enum error_kind kind)
{
    struct error error = {0};
    error_set(&error, kind, NULL, "The prediction %zu failed.", index);
    join_ended(fake_prediction_at(index)->job->join, &error, BENCH_START_MS);
    fake_prediction_fail(fake_prediction_at(index), &error);
}

static void break_down(size_t index)
{
    fail_with(index, ERROR_UPSTREAM_TRANSIENT);
}

static void expect_made(size_t index, const char *name)
{
    ck_assert_uint_eq(fake_predictions_count(), index + 1);
    ck_assert_str_eq(fake_prediction_at(index)->job->target.name, name);
    ck_assert_ptr_null(fake_prediction_at(index)->job->follow_id);
}

static void expect_follows(size_t index, const char *id)
{
    ck_assert_uint_eq(fake_predictions_count(), index + 1);
    ck_assert_str_eq(fake_prediction_at(index)->job->follow_id, id);
}

static void answer(struct door *door, size_t index, const char *alias)
{
    fake_prediction_succeed(fake_prediction_at(index), "Hi");
    door_expect_status(door, 200);
    json_t *json = door_json(door);
    ck_assert_str_eq(json_text(json, "model"), alias);
    json_decref(json);
    door_close(door, true);
}

START_TEST(a_retry_that_waits_for_a_create_follows_where_the_first_try_goes_on)
{
    struct door *first = try("0");
    struct door *second = try("1");
    break_down(0);
    expect_made(1, "acme/helper");
    fake_loop_advance(bench.worker.loop, LOOK_AGAIN_MS);
    created(1, "pred-2");
    fake_loop_advance(bench.worker.loop, LOOK_AGAIN_MS);
    expect_follows(2, "pred-2");
    ck_assert_str_eq(fake_prediction_at(2)->job->target.name, "acme/helper");
    answer(first, 1, "helper");
    answer(second, 2, "helper");
}
END_TEST

START_TEST(a_retry_that_follows_is_led_on_when_it_sees_the_failure)
{
    struct door *first = try("0");
    created(0, "pred-1");
    struct door *second = try("1");
    expect_follows(1, "pred-1");
    break_down(0);
    expect_made(2, "acme/helper");
    created(2, "pred-2");
    break_down(1);
    expect_follows(3, "pred-2");
    answer(second, 3, "helper");
    answer(first, 2, "helper");
}
END_TEST

START_TEST(whoever_sees_the_failure_first_goes_on_and_the_other_follows)
{
    struct door *first = try("0");
    created(0, "pred-1");
    struct door *second = try("1");
    break_down(1);
    expect_made(2, "acme/helper");
    break_down(0);
    ck_assert_uint_eq(fake_predictions_count(), 3);
    created(2, "pred-2");
    fake_loop_advance(bench.worker.loop, LOOK_AGAIN_MS);
    expect_follows(3, "pred-2");
    answer(first, 3, "helper");
    answer(second, 2, "helper");
}
END_TEST

START_TEST(a_retry_goes_on_by_itself_when_its_first_try_has_left)
{
    struct door *first = try("0");
    created(0, "pred-1");
    door_hang_up(first);
    door_close(first, false);
    struct door *second = try("1");
    break_down(1);
    expect_made(2, "acme/helper");
    answer(second, 2, "helper");
}
END_TEST

START_TEST(a_retry_that_comes_after_it_went_on_follows_at_once)
{
    struct door *first = try("0");
    break_down(0);
    created(1, "pred-2");
    struct door *second = try("1");
    expect_follows(2, "pred-2");
    answer(second, 2, "helper");
    answer(first, 1, "helper");
}
END_TEST

START_TEST(a_retry_that_comes_while_the_fallback_is_prepared_waits_for_it)
{
    struct door *first = try("0");
    bench.helper.read_schema = true;
    fake_schemas_hold(true);
    break_down(0);
    struct door *second = try("1");
    fake_loop_advance(bench.worker.loop, 3 * LOOK_AGAIN_MS);
    ck_assert_uint_eq(fake_predictions_count(), 1);
    fake_schemas_hold(false);
    fake_schemas_give(NULL);
    expect_made(1, "acme/helper");
    created(1, "pred-2");
    fake_loop_advance(bench.worker.loop, LOOK_AGAIN_MS);
    expect_follows(2, "pred-2");
    answer(second, 2, "helper");
    answer(first, 1, "helper");
}
END_TEST

/* What keeps a place at its own alias is not to be refused there for want of that place. */
START_TEST(a_retry_that_followed_elsewhere_may_still_use_the_place_it_came_in_at)
{
    bench.writer.limits.max_parallel = 1;
    struct door *first = try("0");
    break_down(0);
    created(1, "pred-2");
    struct door *second = try("1");
    expect_follows(2, "pred-2");
    door_hang_up(first);
    door_close(first, false);
    break_down(2);
    expect_made(3, "acme/writer");
    answer(second, 3, "writer");
}
END_TEST

/* As after a reload. */
START_TEST(a_retry_that_cannot_go_where_its_first_try_went_follows_as_itself)
{
    struct door *first = try("0");
    break_down(0);
    created(1, "pred-2");
    bench.helper.token = NULL;
    struct door *second = try("1");
    expect_follows(2, "pred-2");
    ck_assert_str_eq(fake_prediction_at(2)->job->target.name, "acme/writer");
    ck_assert_ptr_nonnull(fake_prediction_at(2)->job->token);
    answer(second, 2, "writer");
    answer(first, 1, "helper");
}
END_TEST

START_TEST(a_retry_begins_anew_when_its_first_try_leaves_before_it_could_go_on)
{
    struct door *first = try("0");
    bench.helper.read_schema = true;
    fake_schemas_hold(true);
    fail_with(0, ERROR_INSUFFICIENT_QUOTA);
    struct door *second = try("1");
    door_hang_up(first);
    door_close(first, false);
    fake_schemas_hold(false);
    fake_loop_advance(bench.worker.loop, LOOK_AGAIN_MS);
    expect_made(1, "acme/writer");
    answer(second, 1, "writer");
}
END_TEST

START_TEST(when_all_have_failed_a_retry_that_waited_is_told_or_begins_anew)
{
    bool may_retry = _i == 0;
    bench.writer.fallback_count = 1;
    struct door *first = try("0");
    break_down(0);
    struct door *second = try("1");
    fail_with(1, may_retry ? ERROR_UPSTREAM_TRANSIENT : ERROR_INSUFFICIENT_QUOTA);
    door_expect_error(first, ERROR_UPSTREAM_TRANSIENT);
    fake_loop_advance(bench.worker.loop, LOOK_AGAIN_MS);
    if (may_retry) {
        expect_made(2, "acme/helper");
        answer(second, 2, "helper");
    } else {
        door_expect_error(second, ERROR_INSUFFICIENT_QUOTA);
        door_close(second, true);
    }
    door_close(first, true);
}
END_TEST

START_TEST(it_goes_on_twice_and_the_retry_with_it)
{
    struct door *first = try("0");
    struct door *second = try("1");
    break_down(0);
    break_down(1);
    expect_made(2, "acme/spare");
    created(2, "pred-3");
    fake_loop_advance(bench.worker.loop, LOOK_AGAIN_MS);
    expect_follows(3, "pred-3");
    answer(first, 2, "spare");
    answer(second, 3, "spare");
}
END_TEST

START_TEST(a_retry_understands_what_it_follows_as_the_deployment_that_runs_it)
{
    bench.writer.next = &bench.twin;
    bench.twin.params = (json_decref(bench.twin.params), json_pack("{s:[s]}", "stop", "Hi"));
    struct door *first = try("0");
    created(0, "pred-1");
    ck_assert_str_eq(fake_prediction_at(0)->job->target.name, "acme/writer");
    struct door *second = try("1"); /* left to itself, it would take the one without load */
    expect_follows(1, "pred-1");
    ck_assert_str_eq(fake_prediction_at(1)->job->target.name, "acme/writer");
    fake_prediction_succeed(fake_prediction_at(1), "Hi");
    json_t *json = door_json(second);
    const json_t *choice = json_array_get(json_object_get(json, "choices"), 0);
    ck_assert_str_eq(json_text(json_object_get(choice, "message"), "content"), "Hi");
    json_decref(json);
    door_close(second, true);
    answer(first, 0, "writer");
}
END_TEST

START_TEST(choices_that_are_left_behind_are_cancelled_by_whoever_has_them_last)
{
    struct door *first = try_body("0", BENCH_CHAT_OF_THREE);
    for (size_t i = 0; i < 3; i++)
        created(i, "pred-x");
    struct door *second = try_body("1", BENCH_CHAT_OF_THREE);
    ck_assert_uint_eq(fake_predictions_count(), 6);
    struct join *old = fake_prediction_at(0)->job->join;
    ck_assert(!join_may_cancel(old, 1));
    break_down(0);
    ck_assert_uint_eq(fake_predictions_count(), 9);
    ck_assert_int_eq(fake_prediction_at(1)->grace_ms, SHARED_GRACE_MS);
    ck_assert(join_may_cancel(old, 0)); /* as they ask when the grace is over */
    for (size_t i = 6; i < 9; i++)
        created(i, "pred-y");
    fail_with(4, ERROR_PREDICTION_CANCELED); /* that is what a cancel looks like to the other */
    ck_assert_int_eq(fake_prediction_at(3)->grace_ms, 0);
    ck_assert_uint_eq(fake_predictions_count(), 12);
    ck_assert_str_eq(fake_prediction_at(11)->job->follow_id, "pred-y");
    for (size_t i = 6; i < 12; i++)
        fake_prediction_succeed(fake_prediction_at(i), "Hi");
    door_expect_status(first, 200);
    door_expect_status(second, 200);
    door_close(first, true);
    door_close(second, true);
}
END_TEST

static Suite *go_on_suite(void)
{
    Suite *suite = suite_create("exchange: retries that go on");
    TCase *tcase = tcase_create("go on");
    tcase_add_checked_fixture(tcase, setup, bench_teardown);
    tcase_add_test(tcase, a_retry_that_waits_for_a_create_follows_where_the_first_try_goes_on);
    tcase_add_test(tcase, a_retry_that_follows_is_led_on_when_it_sees_the_failure);
    tcase_add_test(tcase, whoever_sees_the_failure_first_goes_on_and_the_other_follows);
    tcase_add_test(tcase, a_retry_goes_on_by_itself_when_its_first_try_has_left);
    tcase_add_test(tcase, a_retry_that_comes_after_it_went_on_follows_at_once);
    tcase_add_test(tcase, a_retry_that_comes_while_the_fallback_is_prepared_waits_for_it);
    tcase_add_test(tcase, a_retry_that_followed_elsewhere_may_still_use_the_place_it_came_in_at);
    tcase_add_test(tcase, a_retry_that_cannot_go_where_its_first_try_went_follows_as_itself);
    tcase_add_test(tcase, a_retry_begins_anew_when_its_first_try_leaves_before_it_could_go_on);
    tcase_add_loop_test(tcase, when_all_have_failed_a_retry_that_waited_is_told_or_begins_anew, 0, 2);
    tcase_add_test(tcase, it_goes_on_twice_and_the_retry_with_it);
    tcase_add_test(tcase, a_retry_understands_what_it_follows_as_the_deployment_that_runs_it);
    tcase_add_test(tcase, choices_that_are_left_behind_are_cancelled_by_whoever_has_them_last);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(go_on_suite());
}
