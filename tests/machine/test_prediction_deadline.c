/* The deadline in every state: the client hears of it at once, and nothing that may exist is left running. */
#include <string.h>

#include "base/clock.h"
#include "check_main.h"
#include "fake_bench.h"

static void expect_timeout(const char *words)
{
    bench_expect_error(ERROR_TIMEOUT);
    const char *message = bench.outcome->error->message;
    ck_assert_msg(strstr(message, words) != NULL, "%s", message);
    ck_assert_ptr_nonnull(strstr(message, "did not answer within 60 s"));
    ck_assert_ptr_nonnull(strstr(message, "Raise timeout to wait longer."));
    ck_assert_int_eq(bench.outcome->finished_after_ms, 60000);
}

/* To just before the deadline, by polls that say `starting`. */
static void poll_until(int64_t end_ms)
{
    while (clock_now_ms() < end_ms) {
        int64_t left_ms = end_ms - clock_now_ms();
        bench_advance(left_ms < 2000 ? left_ms : 2000);
        struct transfer *poll = fake_transfer_first(bench.transfers);
        if (poll != NULL && clock_now_ms() < end_ms)
            fake_transfer_answer(poll, 200, BENCH_STARTING);
    }
}

START_TEST(creating_past_the_deadline_is_cancelled_when_its_id_arrives)
{
    bench_start_model();
    bench_advance(59999);
    bench_expect_unfinished();
    bench_advance(1);
    expect_timeout("not yet confirmed");
    bench_expect_state(PREDICTION_CREATING);
    bench_advance(10000);
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    bench_finish_cancel();
}
END_TEST

START_TEST(creating_past_the_deadline_while_it_is_queued_is_done_at_once)
{
    struct job *job = bench_job("acme/writer");
    job->wants_pieces = _i == 1;
    bench_start(job);
    bench_create_call()->queued = true;
    bench_advance(60000);
    expect_timeout("none was created");
    bench_expect_none();
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), 1);
}
END_TEST

START_TEST(creating_past_the_deadline_is_not_cancelled_when_it_has_ended)
{
    bench_start_model();
    bench_advance(60000);
    expect_timeout("not yet confirmed");
    fake_transfer_answer(bench_create_call(), 201, BENCH_SUCCEEDED);
    bench_expect_none();
    ck_assert_int_eq(bench.finished, 1);
}
END_TEST

START_TEST(creating_past_the_deadline_ends_with_an_answer_that_creates_nothing)
{
    bench_start_model();
    bench_advance(60000);
    expect_timeout("not yet confirmed");
    switch (_i) {
    case 0:
        fake_transfer_break(bench_create_call(), TRANSFER_LOST);
        break;
    case 1:
        fake_transfer_break(bench_create_call(), TRANSFER_UNREACHABLE);
        break;
    default:
        fake_transfer_answer(bench_create_call(), _i == 2 ? 429 : 404, "{}");
        break;
    }
    bench_expect_none();
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), 1);
}
END_TEST

START_TEST(backoff_ends_before_the_deadline_or_is_not_begun)
{
    bench_start_model();
    bench_advance(59000);
    fake_transfer_break(bench_create_call(), TRANSFER_UNREACHABLE);
    bench_expect_state(PREDICTION_BACKOFF);
    bench_advance(500);
    bench_expect_state(PREDICTION_CREATING);
    fake_transfer_break(bench_create_call(), TRANSFER_UNREACHABLE);
    bench_expect_error(ERROR_UPSTREAM_UNAVAILABLE);
    bench_expect_none();
}
END_TEST

START_TEST(backoff_past_the_deadline_is_done_and_sends_nothing)
{
    struct job *job = bench_job("acme/writer");
    job->deadline_ms = clock_now_ms() - _i;
    bench_start(job);
    bench_expect_state(PREDICTION_BACKOFF);
    bench_expect_unfinished();
    bench_advance(0);
    bench_expect_error(ERROR_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(bench.outcome->error->message, "none was created"));
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), 0);
}
END_TEST

START_TEST(resolving_past_the_deadline_is_done)
{
    bench_start_model();
    bench_advance(59000);
    fake_transfer_answer(bench_create_call(), 404, "{}");
    bench_expect_state(PREDICTION_RESOLVING);
    bench_advance(1000);
    expect_timeout("none was created");
    bench_expect_none();
}
END_TEST

START_TEST(sleeping_past_the_deadline_is_cancelled)
{
    bench_to_sleeping();
    int64_t deadline_ms = clock_now_ms() + 60000;
    poll_until(deadline_ms - 500);
    if (fake_transfer_first(bench.transfers) != NULL)
        fake_transfer_answer(bench_poll_call(), 200, BENCH_STARTING);
    bench_expect_state(PREDICTION_SLEEPING);
    bench_advance(500);
    expect_timeout("prediction " BENCH_ID " was still starting. It has been cancelled.");
    bench_finish_cancel();
}
END_TEST

START_TEST(polling_past_the_deadline_is_cancelled)
{
    bench_to_polling();
    fake_transfer_answer(bench_poll_call(), 200, BENCH_PROCESSING);
    bench_advance(200);
    bench_expect_state(PREDICTION_POLLING);
    bench_advance(59550);
    expect_timeout("was still processing");
    bench_finish_cancel();
}
END_TEST

START_TEST(polling_past_the_deadline_says_when_the_answers_could_not_be_read)
{
    static const char *const bodies[] = {"<html>", "{}", "{\"id\":\"another\",\"status\":\"succeeded\"}", "[]"};
    bench_to_polling();
    int64_t deadline_ms = clock_now_ms() + 59750;
    for (size_t i = 0; clock_now_ms() < deadline_ms; i++) {
        struct transfer *poll = fake_transfer_first(bench.transfers);
        if (poll != NULL)
            fake_transfer_answer(poll, 200, bodies[i % 4]);
        int64_t left_ms = deadline_ms - clock_now_ms();
        bench_advance(left_ms < 2000 ? left_ms : 2000);
    }
    expect_timeout("Replicate's answers about the prediction " BENCH_ID " could not be read. It has been cancelled.");
    bench_finish_cancel();
}
END_TEST

START_TEST(a_cancel_is_tried_again_and_given_up_after_five_seconds)
{
    int64_t cancels = metrics_sum_at(METRIC_cancels_total, METRIC_REASON_deadline, 0);
    bench_to_polling();
    bench_advance(59750);
    expect_timeout("was still starting");
    /* At 0, 0.5 and 1.5 seconds; the fourth, at 3.5, gets no answer. */
    for (int i = 0; i < 3; i++) {
        bench_expect_state(PREDICTION_CANCELING);
        if (i == 0)
            fake_transfer_break(bench_cancel_call(), TRANSFER_LOST);
        else
            fake_transfer_answer(bench_cancel_call(), i == 1 ? 502 : 429, "{}");
        bench_expect_idle();
        bench_advance(500 << i);
    }
    ck_assert_int_eq(bench_cancel_call()->timeout_ms, 1500);
    bench_advance(1499);
    bench_expect_state(PREDICTION_CANCELING);
    bench_advance(1);
    bench_expect_none();
    ck_assert_int_eq(metrics_sum_at(METRIC_cancels_total, METRIC_REASON_deadline, 0) - cancels, 1);
}
END_TEST

START_TEST(a_cancel_that_meets_silence_is_tried_again_on_a_new_connection)
{
    bench_to_sleeping();
    prediction_abandon(&bench.prediction, 0);
    ck_assert(!bench_cancel_call()->is_on_new);
    ck_assert_int_eq(bench_cancel_call()->timeout_ms, 2000);
    bench_advance(2000);
    fake_transfer_break(bench_cancel_call(), TRANSFER_LOST);
    bench_expect_idle();
    bench_advance(500);
    ck_assert(bench_cancel_call()->is_on_new);
    ck_assert_int_eq(bench_cancel_call()->timeout_ms, 2000);
    /* An answer shows that the way is open. */
    fake_transfer_answer(bench_cancel_call(), 503, "{}");
    bench_advance(1000);
    ck_assert(!bench_cancel_call()->is_on_new);
    ck_assert_int_eq(bench_cancel_call()->timeout_ms, 1500);
    bench_finish_cancel();
}
END_TEST

START_TEST(a_cancel_is_settled_by_a_2xx_or_a_final_refusal)
{
    static const int codes[] = {200, 201, 202, 400, 409, 422};
    bench_to_sleeping();
    prediction_abandon(&bench.prediction, 0);
    bench_expect_state(PREDICTION_CANCELING);
    fake_transfer_answer(bench_cancel_call(), codes[_i], "");
    bench_expect_none();
}
END_TEST

START_TEST(a_cancel_that_may_yet_be_heard_is_tried_again)
{
    static const int codes[] = {401, 403, 404, 429, 500, 503};
    bench_to_sleeping();
    prediction_abandon(&bench.prediction, 0);
    fake_transfer_answer(bench_cancel_call(), codes[_i], "");
    bench_expect_state(PREDICTION_CANCELING);
    bench_advance(500);
    fake_transfer_answer(bench_cancel_call(), 200, "{}");
    bench_expect_none();
}
END_TEST

START_TEST(several_predictions_keep_their_own_deadlines)
{
    struct job *job = bench_job("acme/writer");
    job->deadline_ms = clock_now_ms() + 1500;
    job->timeout_ms = 1500;
    bench_to_sleeping();
    struct prediction *first = bench.prediction;
    bench_start(job);
    fake_transfer_answer(bench_create_call(), 201, "{\"id\":\"another\",\"status\":\"processing\"}");
    bench_advance(200);
    fake_transfer_answer(bench_call("GET", BENCH_BASE "/predictions/another"), 200, "x");
    bench_advance(50);
    fake_transfer_answer(bench_poll_call(), 200, BENCH_STARTING);
    ck_assert_uint_eq(engine_count(bench.engine), 2);
    ck_assert_uint_eq(engine_count_in(bench.engine, PREDICTION_SLEEPING), 2);
    prediction_abandon(&first, PREDICTION_KEEP);
    ck_assert_uint_eq(engine_count(bench.engine), 1);
    bench_advance(1250);
    bench_expect_error(ERROR_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(bench.outcome->error->message, "within 1500 ms: prediction another"));
    fake_transfer_answer(bench_call("POST", BENCH_BASE "/predictions/another/cancel"), 200, "{}");
}
END_TEST

static Suite *deadline_suite(void)
{
    Suite *suite = suite_create("prediction_deadline");
    TCase *tcase = tcase_create("deadline");
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_test(tcase, creating_past_the_deadline_is_cancelled_when_its_id_arrives);
    tcase_add_loop_test(tcase, creating_past_the_deadline_while_it_is_queued_is_done_at_once, 0, 2);
    tcase_add_test(tcase, creating_past_the_deadline_is_not_cancelled_when_it_has_ended);
    tcase_add_loop_test(tcase, creating_past_the_deadline_ends_with_an_answer_that_creates_nothing, 0, 4);
    tcase_add_test(tcase, backoff_ends_before_the_deadline_or_is_not_begun);
    tcase_add_loop_test(tcase, backoff_past_the_deadline_is_done_and_sends_nothing, 0, 2);
    tcase_add_test(tcase, resolving_past_the_deadline_is_done);
    tcase_add_test(tcase, sleeping_past_the_deadline_is_cancelled);
    tcase_add_test(tcase, polling_past_the_deadline_is_cancelled);
    tcase_add_test(tcase, polling_past_the_deadline_says_when_the_answers_could_not_be_read);
    tcase_add_test(tcase, a_cancel_is_tried_again_and_given_up_after_five_seconds);
    tcase_add_test(tcase, a_cancel_that_meets_silence_is_tried_again_on_a_new_connection);
    tcase_add_loop_test(tcase, a_cancel_is_settled_by_a_2xx_or_a_final_refusal, 0, 6);
    tcase_add_loop_test(tcase, a_cancel_that_may_yet_be_heard_is_tried_again, 0, 6);
    tcase_add_test(tcase, several_predictions_keep_their_own_deadlines);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(deadline_suite());
}
