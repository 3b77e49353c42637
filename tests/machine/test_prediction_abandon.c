/* A prediction whose observer leaves, in every state: cancelled at once, after a grace, or kept. */
#include <string.h>

#include "base/clock.h"
#include "check_main.h"
#include "fake_bench.h"

enum { GRACE_MS = 10000 };

static void abandon(int64_t grace_ms)
{
    prediction_abandon(&bench.prediction, grace_ms);
    ck_assert_ptr_null(bench.prediction);
}

/* The observer has left: whatever happened, it must not have been told. */
static void expect_silence(void)
{
    bench_expect_none();
    ck_assert_int_eq(bench.finished, 0);
}

/* --- creating --- */

START_TEST(creating_abandoned_is_cancelled_as_soon_as_the_id_is_known)
{
    bench_start_model();
    abandon(0);
    bench_expect_state(PREDICTION_CREATING);
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    bench_finish_cancel();
    expect_silence();
}
END_TEST

START_TEST(creating_abandoned_with_grace_is_followed_until_the_grace_is_over)
{
    bench_start_model();
    abandon(GRACE_MS);
    bench_advance(4000);
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    bench_expect_state(PREDICTION_SLEEPING);
    bench_advance(GRACE_MS - 4000);
    bench_finish_cancel();
    expect_silence();
}
END_TEST

START_TEST(creating_abandoned_whose_grace_ends_first_is_cancelled_when_the_id_arrives)
{
    bench_start_model();
    abandon(GRACE_MS);
    bench_advance(GRACE_MS);
    bench_expect_state(PREDICTION_CREATING);
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    bench_finish_cancel();
    expect_silence();
}
END_TEST

START_TEST(creating_abandoned_to_keep_is_done_when_the_id_arrives)
{
    bench_start_model();
    abandon(PREDICTION_KEEP);
    bench_expect_state(PREDICTION_CREATING);
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    expect_silence();
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), 1);
}
END_TEST

START_TEST(creating_abandoned_to_keep_is_not_cancelled_by_the_deadline)
{
    bench_start_model();
    abandon(PREDICTION_KEEP);
    bench_advance(60000);
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    expect_silence();
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), 1);
}
END_TEST

START_TEST(creating_abandoned_is_never_tried_again)
{
    static const int64_t graces[] = {0, GRACE_MS, PREDICTION_KEEP};
    bench_start_model();
    abandon(graces[_i % 3]);
    switch (_i / 3) {
    case 0:
        fake_transfer_break(bench_create_call(), TRANSFER_UNREACHABLE);
        break;
    case 1:
        fake_transfer_break(bench_create_call(), TRANSFER_LOST);
        break;
    case 2:
        fake_transfer_answer(bench_create_call(), 429, "{\"retry_after\":1}");
        break;
    case 3:
        fake_transfer_answer(bench_create_call(), 404, "{}");
        break;
    case 4:
        fake_transfer_answer(bench_create_call(), 201, "<html>");
        break;
    default:
        fake_transfer_answer(bench_create_call(), 201, BENCH_SUCCEEDED);
        break;
    }
    expect_silence();
    bench_advance(60000);
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), 1);
}
END_TEST

START_TEST(creating_abandoned_while_it_is_queued_is_done_at_once)
{
    static const int64_t graces[] = {0, GRACE_MS, PREDICTION_KEEP};
    struct job *job = bench_job("acme/writer");
    job->wants_pieces = _i >= 3;
    bench_start(job);
    bench_create_call()->queued = true;
    abandon(graces[_i % 3]);
    expect_silence();
    bench_advance(60000);
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), 1);
}
END_TEST

/* --- nothing exists upstream --- */

START_TEST(backoff_abandoned_is_done_at_once)
{
    static const int64_t graces[] = {0, GRACE_MS, PREDICTION_KEEP};
    bench_start_model();
    fake_transfer_break(bench_create_call(), TRANSFER_UNREACHABLE);
    bench_expect_state(PREDICTION_BACKOFF);
    abandon(graces[_i]);
    expect_silence();
    bench_advance(60000);
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), 1);
}
END_TEST

START_TEST(resolving_abandoned_is_done_at_once)
{
    static const int64_t graces[] = {0, GRACE_MS, PREDICTION_KEEP};
    bench_start_model();
    fake_transfer_answer(bench_create_call(), 404, "{}");
    bench_expect_state(PREDICTION_RESOLVING);
    abandon(graces[_i]);
    expect_silence();
}
END_TEST

/* --- it exists --- */

static void to_existing(int which)
{
    if (which == 0)
        bench_to_sleeping();
    else
        bench_to_polling();
}

START_TEST(sleeping_or_polling_abandoned_is_cancelled_at_once)
{
    to_existing(_i);
    abandon(0);
    bench_finish_cancel();
    expect_silence();
}
END_TEST

START_TEST(sleeping_or_polling_abandoned_to_keep_is_done_at_once)
{
    to_existing(_i);
    size_t started = fake_transfer_started(bench.transfers);
    abandon(PREDICTION_KEEP);
    expect_silence();
    bench_advance(60000);
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), started);
}
END_TEST

START_TEST(sleeping_or_polling_abandoned_with_grace_may_end_by_itself)
{
    to_existing(_i);
    abandon(GRACE_MS);
    bench_advance(250);
    bench_expect_state(PREDICTION_POLLING);
    fake_transfer_answer(bench_poll_call(), 200, BENCH_SUCCEEDED);
    expect_silence();
    bench_advance(60000);
    expect_silence();
}
END_TEST

START_TEST(sleeping_or_polling_abandoned_with_grace_is_cancelled_at_its_end)
{
    to_existing(_i);
    abandon(GRACE_MS);
    bench_advance(GRACE_MS - 1);
    ck_assert_uint_eq(engine_count_in(bench.engine, PREDICTION_CANCELING), 0);
    bench_advance(1);
    bench_finish_cancel();
    expect_silence();
}
END_TEST

START_TEST(a_grace_does_not_outlast_the_deadline)
{
    bench_to_sleeping();
    bench_advance(250);
    abandon(10 * 60 * 1000);
    bench_advance(59750);
    bench_finish_cancel();
    expect_silence();
}
END_TEST

START_TEST(a_token_refused_during_the_grace_ends_in_a_cancel_without_a_word)
{
    bench_to_polling();
    abandon(18000);
    for (int i = 0; i < 3; i++) {
        fake_transfer_answer(bench_poll_call(), 401, "{}");
        if (i < 2)
            bench_advance(8000);
    }
    /* The grace would be over now; the cancel is under way already. */
    size_t started = fake_transfer_started(bench.transfers);
    bench_advance(3000);
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), started);
    bench_finish_cancel();
    expect_silence();
}
END_TEST

/* --- the daemon stops --- */

START_TEST(a_stop_cancels_what_waits_out_its_grace)
{
    to_existing(_i);
    abandon(GRACE_MS);
    engine_cancel_abandoned(bench.engine);
    bench_finish_cancel();
    expect_silence();
}
END_TEST

START_TEST(a_stop_cancels_a_create_that_waits_out_its_grace_when_its_id_arrives)
{
    bench_start_model();
    abandon(GRACE_MS);
    engine_cancel_abandoned(bench.engine);
    bench_expect_state(PREDICTION_CREATING);
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    bench_finish_cancel();
    expect_silence();
}
END_TEST

START_TEST(a_stop_leaves_alone_what_is_waited_for)
{
    bench_to_polling();
    engine_cancel_abandoned(bench.engine);
    bench_expect_state(PREDICTION_POLLING);
    fake_transfer_answer(bench_poll_call(), 200, BENCH_SUCCEEDED);
    bench_expect_success();
}
END_TEST

START_TEST(an_engine_drops_what_is_left_when_it_is_freed)
{
    bench_to_polling();
    engine_free(bench.engine);
    const struct engine_options options = {bench.loop, bench.transfers, bench.metrics, bench.pacing, bench.models};
    bench.engine = engine_new(&options);
    ck_assert_uint_eq(fake_loop_timers(bench.loop), 0);
    expect_silence();
}
END_TEST

static Suite *abandon_suite(void)
{
    Suite *suite = suite_create("prediction_abandon");
    TCase *tcase = tcase_create("abandon");
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_test(tcase, creating_abandoned_is_cancelled_as_soon_as_the_id_is_known);
    tcase_add_test(tcase, creating_abandoned_with_grace_is_followed_until_the_grace_is_over);
    tcase_add_test(tcase, creating_abandoned_whose_grace_ends_first_is_cancelled_when_the_id_arrives);
    tcase_add_test(tcase, creating_abandoned_to_keep_is_done_when_the_id_arrives);
    tcase_add_test(tcase, creating_abandoned_to_keep_is_not_cancelled_by_the_deadline);
    tcase_add_loop_test(tcase, creating_abandoned_is_never_tried_again, 0, 18);
    tcase_add_loop_test(tcase, creating_abandoned_while_it_is_queued_is_done_at_once, 0, 6);
    tcase_add_loop_test(tcase, backoff_abandoned_is_done_at_once, 0, 3);
    tcase_add_loop_test(tcase, resolving_abandoned_is_done_at_once, 0, 3);
    tcase_add_loop_test(tcase, sleeping_or_polling_abandoned_is_cancelled_at_once, 0, 2);
    tcase_add_loop_test(tcase, sleeping_or_polling_abandoned_to_keep_is_done_at_once, 0, 2);
    tcase_add_loop_test(tcase, sleeping_or_polling_abandoned_with_grace_may_end_by_itself, 0, 2);
    tcase_add_loop_test(tcase, sleeping_or_polling_abandoned_with_grace_is_cancelled_at_its_end, 0, 2);
    tcase_add_test(tcase, a_grace_does_not_outlast_the_deadline);
    tcase_add_test(tcase, a_token_refused_during_the_grace_ends_in_a_cancel_without_a_word);
    tcase_add_loop_test(tcase, a_stop_cancels_what_waits_out_its_grace, 0, 2);
    tcase_add_test(tcase, a_stop_cancels_a_create_that_waits_out_its_grace_when_its_id_arrives);
    tcase_add_test(tcase, a_stop_leaves_alone_what_is_waited_for);
    tcase_add_test(tcase, an_engine_drops_what_is_left_when_it_is_freed);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(abandon_suite());
}
