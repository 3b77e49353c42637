/* Predictions that several tries of one request share: who creates, who follows, and who may cancel. */
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "check_main.h"
#include "fake_bench.h"
#include "replicate/joins.h"

enum { GRACE_MS = 10000, MINUTE_MS = 60000, LOOK_AGAIN_MS = 1000 };
enum { INDEX = 7 }; /* of the bench's prediction among those of its request */

static struct joins *joins;
static struct join *join; /* the test's own, in the place of an exchange */

static struct join *enter(bool is_retry)
{
    struct join *entered;
    const struct join_request request = {.identity.is_retry = is_retry,
                                         .choices = INDEX + 1,
                                         .now_ms = clock_now_ms(),
                                         .deadline_ms = clock_now_ms() + MINUTE_MS};
    joins_enter(joins, &request, &entered);
    ck_assert_ptr_nonnull(entered);
    return entered;
}

static void setup(void)
{
    bench_setup();
    joins = joins_new();
    join = enter(false);
    for (size_t i = 0; i < INDEX; i++)
        join_created(join, i, "a-sibling");
}

static void teardown(void)
{
    join_leave(&join);
    engine_sweep(bench.engine);
    joins_free(joins);
    joins = NULL;
    bench_teardown();
}

static void start_first(void)
{
    struct job *job = bench_job("acme/writer");
    job->join = join_ref(join);
    bench_start(job);
}

/* A prediction of an earlier try is followed by its id. */
static void start_second(bool wants_pieces)
{
    struct job *job = bench_job("acme/writer");
    job->join = join_ref(join);
    job->wants_pieces = wants_pieces;
    job->follow_id = xstrdup(BENCH_ID);
    bench_start(job);
}

static enum join_state look(void)
{
    char ids[INDEX + 1][JOIN_ID_BYTES];
    struct error error = {0};
    return join_look(join, ids, &error);
}

START_TEST(the_id_is_told_as_soon_as_it_is_known)
{
    start_first();
    ck_assert_int_eq(look(), JOIN_WAITING);
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    ck_assert_int_eq(look(), JOIN_RUNNING);
    bench_advance(500);
    fake_transfer_answer(bench_poll_call(), 200, BENCH_SUCCEEDED);
    bench_expect_success();
}
END_TEST

START_TEST(one_that_follows_creates_nothing)
{
    start_second(false);
    bench_advance(0);
    fake_transfer_answer(bench_poll_call(), 200, BENCH_SUCCEEDED);
    bench_expect_success();
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), 1);
    ck_assert_str_eq(bench.outcome->prediction_id, BENCH_ID);
}
END_TEST

START_TEST(one_that_follows_teaches_no_duration)
{
    start_second(false);
    bench_advance(0);
    fake_transfer_answer(bench_poll_call(), 200, BENCH_SUCCEEDED);
    bench_expect_success();
    ck_assert_int_eq(model_memory_duration_ms(bench.models, "acme/writer"), -1);
}
END_TEST

/* Replicate was told the deadline of the first try alone. */
START_TEST(one_that_follows_is_told_of_a_timeout_when_the_first_tries_time_is_over)
{
    static const enum error_kind kinds[] = {ERROR_PREDICTION_CANCELED, ERROR_TIMEOUT};
    bench_advance(MINUTE_MS / 2);
    start_second(false);
    bench_advance(0);
    fake_transfer_answer(bench_poll_call(), 200, BENCH_STARTING);
    if (_i == 1)
        bench_advance(MINUTE_MS / 2);
    else
        bench_advance(2000);
    fake_transfer_answer(bench_poll_call(), 200, BENCH_CANCELED);
    bench_expect_error(kinds[_i]);
    const char *message = bench.outcome->error->message;
    ck_assert_ptr_nonnull(strstr(message, BENCH_ID));
    ck_assert_int_eq(strstr(message, "an earlier try") != NULL, _i == 1);
    ck_assert_int_eq(strstr(message, "Raise timeout to wait longer.") != NULL, _i == 1);
    bench_expect_none();
}
END_TEST

START_TEST(one_that_follows_is_given_the_text_from_its_first_piece)
{
    start_second(true);
    bench_advance(0);
    fake_transfer_answer(bench_poll_call(), 200,
                         "{\"id\":\"" BENCH_ID "\",\"status\":\"processing\",\"output\":[\"Hi\",\" there\"]}");
    ck_assert_str_eq(buf_text(&bench.given), "Hi there");
    bench_advance(2000);
    fake_transfer_answer(bench_poll_call(), 200,
                         "{\"id\":\"" BENCH_ID "\",\"status\":\"succeeded\",\"output\":[\"Hi\",\" there\",\"!\"]}");
    ck_assert_str_eq(buf_text(&bench.given), "Hi there!");
    bench_expect_success();
}
END_TEST

START_TEST(a_grace_that_ends_lets_go_of_what_a_retry_follows)
{
    start_first();
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    prediction_abandon(&bench.prediction, GRACE_MS);
    join_follow(join); /* the retry, which is the test's own, is there */
    bench_advance(GRACE_MS);
    bench_expect_none();
    ck_assert_int_eq(look(), JOIN_RUNNING);
}
END_TEST

/* It may leave before it follows, and could not cancel what it has no id of. */
START_TEST(a_grace_goes_on_while_a_retry_only_waits)
{
    start_first();
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    prediction_abandon(&bench.prediction, GRACE_MS);
    bench_advance(GRACE_MS);
    ck_assert_uint_eq(engine_count(bench.engine), 1);
    join_leave(&join);
    bench_advance(LOOK_AGAIN_MS);
    bench_finish_cancel();
    bench_expect_none();
}
END_TEST

START_TEST(what_has_succeeded_by_the_end_of_its_grace_is_not_cancelled)
{
    struct join *alone;
    const struct join_request request = {.choices = 1, .now_ms = clock_now_ms(), .deadline_ms = MINUTE_MS};
    struct job *job = bench_job("acme/writer");
    joins_enter(joins, &request, &alone);
    job->join = join_ref(alone);
    job->follow_id = xstrdup(BENCH_ID);
    bench_start(job);
    prediction_abandon(&bench.prediction, GRACE_MS);
    join_ended(alone, NULL, clock_now_ms()); /* as another try has seen */
    join_leave(&alone);
    bench_advance(GRACE_MS);
    bench_expect_none();
    bench_expect_idle();
}
END_TEST

static int released;

static void release(void *hold)
{
    (void)hold;
    released++;
}

/* A job with files, which are deleted when it is freed. */
static void start_with_files(void)
{
    struct job *job = bench_job("acme/writer");
    released = 0;
    job->join = join_ref(join);
    job->hold = &released;
    job->release = release;
    bench_start(job);
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
}

static void expect_files_until_its_end(void)
{
    engine_sweep(bench.engine);
    ck_assert_int_eq(released, 0);
    fake_transfer_answer(bench_poll_call(), 200, BENCH_SUCCEEDED);
    bench_expect_none();
    engine_sweep(bench.engine);
    ck_assert_int_eq(released, 1);
}

START_TEST(files_stay_for_the_retry_that_follows)
{
    start_with_files();
    prediction_abandon(&bench.prediction, GRACE_MS);
    join_follow(join);
    bench_advance(GRACE_MS);
    expect_files_until_its_end();
}
END_TEST

START_TEST(files_stay_for_what_is_kept)
{
    start_with_files();
    prediction_abandon(&bench.prediction, PREDICTION_KEEP);
    bench_advance(GRACE_MS);
    expect_files_until_its_end();
}
END_TEST

START_TEST(a_grace_that_ends_cancels_what_nobody_wants)
{
    start_first();
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    prediction_abandon(&bench.prediction, GRACE_MS);
    join_leave(&join);
    bench_advance(GRACE_MS);
    bench_finish_cancel();
    bench_expect_none();
}
END_TEST

/* Answers all that is open, and counts what is sent rather than asked. */
static int answer_all(void)
{
    int posts = 0;
    struct transfer *open;
    while ((open = fake_transfer_first(bench.transfers)) != NULL) {
        posts += strcmp(open->method, "POST") == 0;
        fake_transfer_answer(open, 200, BENCH_STARTING);
    }
    return posts;
}

/* The same prediction upstream, once made and once followed: the bench watches the second. */
START_TEST(what_two_have_left_is_cancelled_once)
{
    int cancels = 0;
    start_first();
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    struct prediction *first = bench.prediction;
    start_second(false);
    join_leave(&join);
    prediction_abandon(&first, LOOK_AGAIN_MS * (_i + 1));
    prediction_abandon(&bench.prediction, LOOK_AGAIN_MS);
    for (int i = 0; i < 40; i++) {
        bench_advance(100);
        cancels += answer_all();
    }
    ck_assert_int_eq(cancels, 1);
    bench_expect_none();
}
END_TEST

START_TEST(a_create_under_way_at_the_end_of_its_grace_is_kept_for_a_retry)
{
    start_first();
    prediction_abandon(&bench.prediction, GRACE_MS);
    bench_advance(GRACE_MS);
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    ck_assert_int_eq(look(), JOIN_RUNNING);
    join_follow(join);
    bench_advance(LOOK_AGAIN_MS);
    bench_expect_none();
}
END_TEST

START_TEST(a_create_under_way_is_cancelled_where_the_retry_has_left_meanwhile)
{
    start_first();
    prediction_abandon(&bench.prediction, GRACE_MS);
    bench_advance(GRACE_MS);
    join_leave(&join);
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    bench_finish_cancel();
    bench_expect_none();
}
END_TEST

START_TEST(what_was_not_sent_when_its_client_left_is_gone)
{
    start_first();
    fake_transfer_answer(bench_create_call(), 429, "{\"detail\":\"Request was throttled.\",\"retry_after\":5}");
    bench_expect_state(PREDICTION_BACKOFF);
    prediction_abandon(&bench.prediction, 0);
    ck_assert_int_eq(look(), JOIN_GONE);
}
END_TEST

START_TEST(a_deadline_cancels_what_nobody_else_wants_and_remembers_why)
{
    start_first();
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    bench_advance(400);
    fake_transfer_break(bench_poll_call(), TRANSFER_LOST);
    bench_advance(MINUTE_MS);
    bench_expect_error(ERROR_TIMEOUT);
    ck_assert_int_eq(look(), JOIN_FAILED);
    bench_finish_cancel();
}
END_TEST

START_TEST(a_deadline_leaves_alone_what_another_wants)
{
    struct join *other;
    start_first();
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    other = enter(true);
    ck_assert_ptr_eq(other, join);
    join_follow(other);
    bench_advance(400);
    fake_transfer_break(bench_poll_call(), TRANSFER_LOST);
    bench_advance(MINUTE_MS);
    bench_expect_error(ERROR_TIMEOUT);
    bench_advance(LOOK_AGAIN_MS);
    bench_expect_none();
    ck_assert_int_eq(look(), JOIN_RUNNING);
    join_leave(&other);
}
END_TEST

START_TEST(a_retry_begins_anew_what_came_to_nothing_by_the_deadline)
{
    struct join *other;
    start_first();
    fake_transfer_answer(bench_create_call(), 404, "{\"detail\":\"Not found.\"}");
    bench_expect_state(PREDICTION_RESOLVING);
    other = enter(true);
    bench_advance(MINUTE_MS);
    bench_expect_error(ERROR_TIMEOUT);
    ck_assert_int_eq(look(), JOIN_GONE);
    join_leave(&other);
}
END_TEST

START_TEST(a_failure_is_remembered)
{
    start_first();
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    bench_advance(400);
    fake_transfer_answer(bench_poll_call(), 200, "{\"id\":\"" BENCH_ID "\",\"status\":\"failed\",\"error\":\"No.\"}");
    bench_expect_error(ERROR_PREDICTION_FAILED);
    ck_assert_int_eq(look(), JOIN_FAILED);
}
END_TEST

START_TEST(a_create_whose_answer_is_lost_is_remembered_though_its_client_left)
{
    start_first();
    prediction_abandon(&bench.prediction, GRACE_MS);
    fake_transfer_break(bench_create_call(), TRANSFER_LOST);
    bench_expect_none();
    ck_assert_int_eq(look(), JOIN_FAILED);
}
END_TEST

START_TEST(a_create_that_surely_came_to_nothing_is_begun_anew_by_a_retry)
{
    start_first();
    prediction_abandon(&bench.prediction, GRACE_MS);
    fake_transfer_break(bench_create_call(), TRANSFER_UNREACHABLE);
    bench_expect_none();
    ck_assert_int_eq(look(), JOIN_GONE);
}
END_TEST

static Suite *prediction_join_suite(void)
{
    Suite *suite = suite_create("prediction: joins");
    TCase *tcase = tcase_create("joins");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_id_is_told_as_soon_as_it_is_known);
    tcase_add_test(tcase, one_that_follows_creates_nothing);
    tcase_add_test(tcase, one_that_follows_teaches_no_duration);
    tcase_add_loop_test(tcase, one_that_follows_is_told_of_a_timeout_when_the_first_tries_time_is_over, 0, 2);
    tcase_add_test(tcase, one_that_follows_is_given_the_text_from_its_first_piece);
    tcase_add_test(tcase, a_grace_that_ends_lets_go_of_what_a_retry_follows);
    tcase_add_test(tcase, a_grace_goes_on_while_a_retry_only_waits);
    tcase_add_test(tcase, what_has_succeeded_by_the_end_of_its_grace_is_not_cancelled);
    tcase_add_test(tcase, files_stay_for_the_retry_that_follows);
    tcase_add_test(tcase, files_stay_for_what_is_kept);
    tcase_add_test(tcase, a_grace_that_ends_cancels_what_nobody_wants);
    tcase_add_loop_test(tcase, what_two_have_left_is_cancelled_once, 0, 2);
    tcase_add_test(tcase, a_create_under_way_at_the_end_of_its_grace_is_kept_for_a_retry);
    tcase_add_test(tcase, a_create_under_way_is_cancelled_where_the_retry_has_left_meanwhile);
    tcase_add_test(tcase, what_was_not_sent_when_its_client_left_is_gone);
    tcase_add_test(tcase, a_deadline_cancels_what_nobody_else_wants_and_remembers_why);
    tcase_add_test(tcase, a_deadline_leaves_alone_what_another_wants);
    tcase_add_test(tcase, a_retry_begins_anew_what_came_to_nothing_by_the_deadline);
    tcase_add_test(tcase, a_failure_is_remembered);
    tcase_add_test(tcase, a_create_whose_answer_is_lost_is_remembered_though_its_client_left);
    tcase_add_test(tcase, a_create_that_surely_came_to_nothing_is_begun_anew_by_a_retry);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(prediction_join_suite());
}
