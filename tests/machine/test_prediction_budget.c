/* Many predictions of one token, on two workers: what one of them learns of Replicate's limits, all of them keep. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check_main.h"
#include "fake_bench.h"

enum { MANY = 10, SECOND = 1000, MINUTE = 60 * SECOND };

#define LOW_CREDIT                                                                                                     \
    "{\"detail\":\"Request was throttled. Your rate limit for creating predictions is reduced to 6 requests per "      \
    "minute with a burst of 1 requests while you have less than $5.0 in credit. Your rate limit resets in ~%ds.\","    \
    "\"status\":429,\"retry_after\":%d}"

/* The two workers share what the bench has: loop, network, budgets. */
static struct engine *second_engine;

static struct asked {
    struct prediction *prediction; /* NULL once it has ended */
    struct outcome *outcome;
} all[MANY];

static void on_finished(void *arg, size_t index, struct outcome *outcome)
{
    struct asked *asked = arg;
    ck_assert_ptr_eq(asked, &all[index]);
    ck_assert_ptr_null(asked->outcome);
    asked->prediction = NULL;
    asked->outcome = outcome;
}

static void setup(void)
{
    bench_setup();
    memset(all, 0, sizeof all);
    const struct engine_options options = {bench.loop, bench.transfers, bench.metrics, bench.pacing, bench.models};
    second_engine = engine_new(&options);
}

static void teardown(void)
{
    for (int i = 0; i < MANY; i++)
        outcome_free(all[i].outcome);
    ck_assert_uint_eq(engine_count(second_engine), 0);
    engine_sweep(second_engine);
    engine_free(second_engine);
    bench_teardown();
}

static void start(size_t i, const char *token, int64_t timeout_ms)
{
    static const struct prediction_observer observer = {NULL, on_finished};
    struct job *job = bench_job("acme/writer");
    free(job->token);
    job->token = strdup(token);
    job->timeout_ms = timeout_ms;
    job->deadline_ms = clock_now_ms() + timeout_ms;
    all[i].prediction = prediction_start(i % 2 == 0 ? bench.engine : second_engine, &job, &observer, &all[i], i);
}

static void start_many(int count)
{
    for (int i = 0; i < count; i++)
        start((size_t)i, "test-token", 10 * MINUTE);
}

static size_t open_transfers(void)
{
    size_t count = 0;
    struct transfer *transfer = fake_transfer_first(bench.transfers);
    for (; transfer != NULL; count++) {
        struct list_link *next = list_next(transfer->link.list, &transfer->link);
        transfer = next == NULL ? NULL : list_entry(next, struct transfer, link);
    }
    return count;
}

static void answer(int status, const char *body, int64_t remaining)
{
    const struct transfer_answer told = {
        .result = TRANSFER_ANSWERED,
        .status = status,
        .body = body,
        .body_length = strlen(body),
        .retry_after_ms = -1,
        .ratelimit_remaining = remaining,
        .ratelimit_reset_ms = remaining < 0 ? -1 : 1000,
        .detail = "",
    };
    struct transfer *transfer = fake_transfer_first(bench.transfers);
    ck_assert_ptr_nonnull(transfer);
    ck_assert_str_eq(transfer->method, "POST");
    fake_transfer_answer_with(transfer, &told);
}

static void refuse(int wait_s)
{
    char body[512];
    snprintf(body, sizeof body, LOW_CREDIT, wait_s, wait_s);
    answer(429, body, -1);
}

static int ended(void)
{
    int count = 0;
    for (int i = 0; i < MANY; i++)
        count += all[i].outcome != NULL;
    return count;
}

START_TEST(one_refusal_holds_all_creates_of_its_token)
{
    start_many(MANY);
    ck_assert_uint_eq(open_transfers(), 1); /* nothing is known of the token yet */
    refuse(9);
    bench_advance(8999);
    bench_expect_idle();
    int64_t last_ms = 0;
    for (int i = 0; i < MANY; i++) {
        while (open_transfers() == 0)
            bench_advance(10);
        ck_assert_uint_eq(open_transfers(), 1);
        ck_assert_msg(last_ms == 0 || clock_now_ms() - last_ms >= 10 * SECOND, "number %d follows too soon", i);
        ck_assert_msg(last_ms == 0 || clock_now_ms() - last_ms <= 11 * SECOND, "number %d follows too late", i);
        last_ms = clock_now_ms();
        answer(201, BENCH_SUCCEEDED, 0);
        ck_assert_msg(all[i].outcome != NULL, "number %d was not served in the order of asking", i);
    }
    ck_assert_int_eq(ended(), MANY);
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), MANY + 1);
}
END_TEST

START_TEST(with_a_limit_that_is_far_off_all_go_as_soon_as_the_first_is_answered)
{
    start_many(MANY);
    ck_assert_uint_eq(open_transfers(), 1);
    answer(201, BENCH_SUCCEEDED, 599);
    bench_advance(30);
    ck_assert_uint_eq(open_transfers(), MANY - 1);
    while (open_transfers() > 0)
        answer(201, BENCH_SUCCEEDED, 590);
    ck_assert_int_eq(ended(), MANY);
}
END_TEST

START_TEST(the_limit_of_one_token_is_not_anothers)
{
    start(0, "test-token", 10 * MINUTE);
    refuse(30);
    start(1, "test-token-2", 10 * MINUTE);
    ck_assert_uint_eq(open_transfers(), 1);
    answer(201, BENCH_SUCCEEDED, 599);
    ck_assert_ptr_nonnull(all[1].outcome);
    start(2, "test-token", 10 * MINUTE);
    bench_expect_idle();
    bench_advance(30 * SECOND);
    answer(201, BENCH_SUCCEEDED, 599);
    bench_advance(1100);
    answer(201, BENCH_SUCCEEDED, 598);
    ck_assert_int_eq(ended(), 3);
}
END_TEST

START_TEST(who_cannot_have_a_turn_in_time_is_told_at_once)
{
    start(0, "test-token", 10 * MINUTE);
    refuse(9);
    start(1, "test-token", MINUTE);
    start(2, "test-token", 25 * SECOND); /* its turn would come after thirty seconds */
    ck_assert_ptr_null(all[2].outcome);  /* not from inside the start */
    bench_advance(0);
    ck_assert_ptr_nonnull(all[2].outcome);
    ck_assert_int_eq(all[2].outcome->error->kind, ERROR_RATE_LIMITED);
    ck_assert_int_eq(all[2].outcome->error->retry_after_ms, 9 * SECOND + 2 * 10500);
    ck_assert_ptr_null(all[1].outcome);
    bench_advance(9 * SECOND);
    answer(201, BENCH_SUCCEEDED, 0);
    bench_advance(10500);
    answer(201, BENCH_SUCCEEDED, 0);
    ck_assert_int_eq(ended(), 3);
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), 3);
}
END_TEST

START_TEST(who_leaves_the_line_makes_room_for_the_next)
{
    start_many(3);
    refuse(9);
    prediction_abandon(&all[0].prediction, 0);
    prediction_abandon(&all[1].prediction, 10000);
    bench_advance(9 * SECOND + 10);
    ck_assert_uint_eq(open_transfers(), 1);
    answer(201, BENCH_SUCCEEDED, 0);
    ck_assert_ptr_nonnull(all[2].outcome);
    ck_assert_ptr_null(all[0].outcome);
}
END_TEST

START_TEST(whose_turn_another_ones_refusal_puts_off_too_far_is_told_when_it_next_asks)
{
    start(0, "test-token", MINUTE);
    start(1, "test-token", 10 * SECOND); /* waits for the first to be answered */
    refuse(9);
    bench_advance(SECOND);
    ck_assert_ptr_nonnull(all[1].outcome);
    ck_assert_int_eq(all[1].outcome->error->kind, ERROR_RATE_LIMITED);
    bench_advance(8 * SECOND);
    answer(201, BENCH_SUCCEEDED, 0);
    ck_assert_int_eq(ended(), 2);
}
END_TEST

/* ---- polls ---- */

/* Each with its own id and these further members. */
static void answer_all_polls(const char *members)
{
    for (struct transfer *transfer; (transfer = fake_transfer_first(bench.transfers)) != NULL;) {
        char body[512];
        const char *id = strrchr(transfer->url, '/') + 1;
        ck_assert_str_eq(transfer->method, "GET");
        snprintf(body, sizeof body, "{\"id\":\"%s\",%s}", id, members);
        fake_transfer_answer(transfer, 200, body);
    }
}

static size_t polls_within(int64_t ms)
{
    size_t before = fake_transfer_started(bench.transfers);
    for (int64_t gone_ms = 0; gone_ms < ms; gone_ms += 50) {
        bench_advance(50);
        answer_all_polls("\"status\":\"processing\"");
    }
    return fake_transfer_started(bench.transfers) - before;
}

static void create_many(void)
{
    budget_learn(bench.budget, BUDGET_CREATES, clock_now_ms(), -1, -1);
    start_many(MANY);
    ck_assert_uint_eq(open_transfers(), MANY);
    for (int i = 0; i < MANY; i++) {
        char body[128];
        snprintf(body, sizeof body, "{\"id\":\"prediction-%d\",\"status\":\"processing\"}", i);
        answer(201, body, -1);
    }
}

static void end_many(void)
{
    for (int rounds = 0; ended() < MANY && rounds < 10000; rounds++) {
        bench_advance(50);
        answer_all_polls("\"status\":\"succeeded\",\"output\":\"Hi\"");
    }
    ck_assert_int_eq(ended(), MANY);
}

START_TEST(few_are_polled_as_often_as_one_would_be)
{
    create_many();
    polls_within(10 * SECOND);
    size_t polls = polls_within(10 * SECOND);
    ck_assert_msg(polls >= 9 * MANY && polls <= 10 * MANY, "%zu polls of ten predictions in ten seconds", polls);
    end_many();
}
END_TEST

START_TEST(under_a_small_budget_the_polls_of_all_keep_to_it)
{
    pacing_set_rates(bench.pacing, &(struct pacing_rates){120, 600});
    create_many();
    polls_within(30 * SECOND);
    size_t polls = polls_within(MINUTE);
    ck_assert_msg(polls >= 60 && polls <= 121, "%zu polls in a minute", polls);
    end_many();
}
END_TEST

START_TEST(what_replicate_tells_of_times_is_learnt)
{
    start(0, "test-token", 10 * MINUTE);
    answer(201, "{\"id\":\"prediction-0\",\"status\":\"starting\"}", -1);
    bench_advance(250);
    answer_all_polls("\"status\":\"succeeded\",\"output\":\"Hi\",\"created_at\":\"2026-03-01T10:00:00Z\","
                     "\"started_at\":\"2026-03-01T10:00:20.5Z\",\"completed_at\":\"2026-03-01T10:00:30.75Z\"");
    ck_assert_int_eq(ended(), 1);
    struct usual_time usual, expected = {0};
    usual_time_learn(&expected, 30750);
    model_memory_usual(bench.models, "acme/writer", MODEL_WHOLE, &usual);
    ck_assert(usual.samples == 1 && usual.ms == expected.ms);
    expected = (struct usual_time){0};
    usual_time_learn(&expected, 10250);
    model_memory_usual(bench.models, "acme/writer", MODEL_RUN, &usual);
    ck_assert(usual.samples == 1 && usual.ms == expected.ms);
    model_memory_usual(bench.models, "acme/never-seen", MODEL_RUN, &usual);
    ck_assert_int_eq(usual.samples, 0);
}
END_TEST

static Suite *budget_suite(void)
{
    Suite *suite = suite_create("prediction_budget");
    TCase *tcase = tcase_create("budget");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, one_refusal_holds_all_creates_of_its_token);
    tcase_add_test(tcase, with_a_limit_that_is_far_off_all_go_as_soon_as_the_first_is_answered);
    tcase_add_test(tcase, the_limit_of_one_token_is_not_anothers);
    tcase_add_test(tcase, who_cannot_have_a_turn_in_time_is_told_at_once);
    tcase_add_test(tcase, who_leaves_the_line_makes_room_for_the_next);
    tcase_add_test(tcase, whose_turn_another_ones_refusal_puts_off_too_far_is_told_when_it_next_asks);
    tcase_add_test(tcase, few_are_polled_as_often_as_one_would_be);
    tcase_add_test(tcase, under_a_small_budget_the_polls_of_all_keep_to_it);
    tcase_add_test(tcase, what_replicate_tells_of_times_is_learnt);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(budget_suite());
}
