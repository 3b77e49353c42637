/* The engine under test, on fake time and a fake network, with assertions that the tests share. */
#include "fake_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "fake_clock.h"

struct bench bench;

static void on_piece(void *arg, size_t index, const char *bytes, size_t length)
{
    ck_assert_ptr_eq(arg, &bench);
    ck_assert_uint_eq(index, 7);
    ck_assert_msg(!bench.is_starting, "a piece came from inside the start");
    ck_assert_ptr_nonnull(bench.prediction);
    ck_assert_uint_gt(length, 0);
    ck_assert(buf_append(&bench.given, bytes, length));
    bench.pieces++;
    if (bench.pieces == bench.leave_at)
        prediction_abandon(&bench.prediction, bench.leave_grace_ms);
    else if (bench.pieces == bench.pause_at)
        prediction_pause(bench.prediction);
}

static void on_finished(void *arg, size_t index, struct outcome *outcome)
{
    ck_assert_ptr_eq(arg, &bench);
    ck_assert_uint_eq(index, 7);
    ck_assert_msg(!bench.is_starting, "the observer was called from inside the start");
    outcome_free(bench.outcome);
    bench.outcome = outcome;
    bench.prediction = NULL;
    bench.finished++;
}

void bench_setup(void)
{
    struct error err;
    const struct log_options quiet = {LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, NULL};
    ck_assert(log_open(&quiet, &err));
    memset(&bench, 0, sizeof bench);
    buf_init(&bench.given, (size_t)128 * 1024 * 1024);
    fake_clock_set(1000000);
    bench.loop = loop_new();
    bench.transfers = transfers_new(bench.loop, &(struct transfers_options){0});
    bench.metrics = metrics_new();
    bench.pacing = pacing_new(&(struct pacing_rates){3000, 600});
    bench.budget = budget_of(bench.pacing, BENCH_BASE, "test-token");
    bench.models = model_memory_new();
    const struct engine_options options = {bench.loop, bench.transfers, bench.metrics, bench.pacing, bench.models};
    bench.engine = engine_new(&options);
}

void bench_teardown(void)
{
    bench_expect_none();
    engine_sweep(bench.engine);
    ck_assert_uint_eq(engine_count_in(bench.engine, PREDICTION_DONE), 0);
    ck_assert_msg(fake_transfer_first(bench.transfers) == NULL, "a transfer is left over");
    ck_assert_uint_eq(fake_loop_timers(bench.loop), 0);
    outcome_free(bench.outcome);
    buf_dispose(&bench.given);
    engine_free(bench.engine);
    model_memory_free(bench.models);
    budget_unref(&bench.budget);
    pacing_free(bench.pacing);
    metrics_free(bench.metrics);
    transfers_free(bench.transfers);
    loop_free(bench.loop);
}

struct job *bench_job(const char *reference)
{
    struct error err;
    struct job *job = job_new();
    ck_assert(target_parse(reference, &job->target, &err));
    job->base_url = xstrdup(BENCH_BASE);
    job->token = xstrdup("test-token");
    job->input = json_pack("{s:s}", "prompt", "Say hi");
    job->timeout_ms = 60000;
    job->deadline_ms = clock_now_ms() + job->timeout_ms;
    job->timeout_hint = xstrdup("Raise timeout to wait longer.");
    job->prefer_wait_ms = 5000;
    job->poll_interval_ms = 2000;
    job->create_retries = 2;
    job->request_id = xstrdup("req-1");
    return job;
}

void bench_start(struct job *job)
{
    static const struct prediction_observer observer = {on_piece, on_finished};
    bench.is_starting = true;
    bench.prediction = prediction_start(bench.engine, &job, &observer, &bench, 7);
    bench.is_starting = false;
    ck_assert_ptr_null(job);
}

void bench_start_model(void)
{
    bench_start(bench_job("acme/writer"));
}

struct transfer *bench_call(const char *method, const char *url)
{
    struct transfer *transfer = fake_transfer_first(bench.transfers);
    ck_assert_msg(transfer != NULL, "no transfer is open where %s %s was expected", method, url);
    ck_assert_ptr_null(list_next(transfer->link.list, &transfer->link));
    ck_assert_str_eq(transfer->method, method);
    ck_assert_str_eq(transfer->url, url);
    ck_assert_str_eq(transfer->token, "test-token");
    return transfer;
}

struct transfer *bench_create_call(void)
{
    return bench_call("POST", BENCH_BASE "/models/acme/writer/predictions");
}

struct transfer *bench_poll_call(void)
{
    return bench_call("GET", BENCH_BASE "/predictions/" BENCH_ID);
}

struct transfer *bench_cancel_call(void)
{
    return bench_call("POST", BENCH_BASE "/predictions/" BENCH_ID "/cancel");
}

void bench_to_sleeping(void)
{
    bench_start_model();
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    bench_expect_state(PREDICTION_SLEEPING);
}

void bench_to_polling(void)
{
    bench_to_sleeping();
    bench_advance(250);
    bench_expect_state(PREDICTION_POLLING);
}

void bench_learn_duration(const char *model, int64_t duration_ms)
{
    model_memory_learn(bench.models, model, &(struct model_times){.duration_ms = duration_ms, .phase_ms = {-1, -1}});
}

void bench_advance(int64_t ms)
{
    fake_loop_advance(bench.loop, ms);
}

void bench_expect_state(enum prediction_state state)
{
    ck_assert_uint_eq(engine_count(bench.engine), 1);
    ck_assert_uint_eq(engine_count_in(bench.engine, state), 1);
    if (bench.prediction != NULL)
        ck_assert_int_eq(prediction_state(bench.prediction), state);
}

void bench_expect_idle(void)
{
    struct transfer *transfer = fake_transfer_first(bench.transfers);
    ck_assert_msg(transfer == NULL, "%s %s is open", transfer == NULL ? "" : transfer->method,
                  transfer == NULL ? "" : transfer->url);
}

void bench_expect_error(enum error_kind kind)
{
    ck_assert_int_eq(bench.finished, 1);
    ck_assert(!bench.outcome->succeeded);
    ck_assert_str_eq(error_row(bench.outcome->error->kind)->name, error_row(kind)->name);
    ck_assert_ptr_null(strstr(bench.outcome->error->message, "test-token"));
}

void bench_expect_success(void)
{
    ck_assert_int_eq(bench.finished, 1);
    ck_assert_msg(bench.outcome->succeeded, "%s", bench.outcome->succeeded ? "" : bench.outcome->error->message);
    ck_assert_ptr_null(bench.outcome->error);
}

void bench_expect_unfinished(void)
{
    ck_assert_int_eq(bench.finished, 0);
}

void bench_expect_none(void)
{
    ck_assert_uint_eq(engine_count(bench.engine), 0);
    bench_expect_idle();
}

void bench_finish_cancel(void)
{
    bench_expect_state(PREDICTION_CANCELING);
    fake_transfer_answer(bench_cancel_call(), 200, BENCH_CANCELED);
    bench_expect_none();
}

const char *bench_status_body(const char *word)
{
    static char body[256];
    snprintf(body, sizeof body, "{\"id\":\"%s\",\"status\":\"%s\",\"output\":[\"Hi\"],\"error\":null}", BENCH_ID, word);
    return body;
}
