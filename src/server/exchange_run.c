/* A request's predictions: one job per choice; gather the outcomes; answer. */
#include "exchange_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "openai/mapping.h"

enum { ANSWER_MAX_BYTES = 256 * 1024 * 1024 };

/* ---- the jobs ---- */

int64_t exchange_timeout_ms(const struct exchange *exchange)
{
    const struct route *route = exchange->routes.timed;
    return exchange->call.is_stream ? route->stream_timeout_ms : route->timeout_ms;
}

int64_t exchange_deadline_ms(const struct exchange *exchange)
{
    return exchange->timeline.received_ms + exchange_timeout_ms(exchange);
}

char *exchange_timeout_hint(const struct exchange *exchange)
{
    const struct route *route = exchange->routes.timed;
    const char *key = exchange->call.is_stream ? route->stream_timeout_key : route->timeout_key;
    static const char lead[] = "To wait longer, raise ";
    struct buf hint;
    buf_init(&hint, sizeof lead + strlen(key));
    buf_append(&hint, lead, sizeof lead - 1);
    buf_append_text(&hint, key);
    buf_append_text(&hint, ".");
    return buf_take(&hint, NULL);
}

static void copy_upstream(const struct exchange *exchange, struct job *job)
{
    const struct route *route = exchange->route;
    target_copy(&job->target, &exchange->target);
    job->base_url = xstrdup(route->base_url);
    job->token = xstrdup(exchange_token(exchange));
    job->is_client_token = route->token == NULL;
    job->header_count = route->header_count;
    if (route->header_count > 0)
        job->headers = xcalloc(route->header_count, sizeof *job->headers);
    for (size_t i = 0; i < route->header_count; i++)
        job->headers[i] = (struct header){xstrdup(route->headers[i].name), xstrdup(route->headers[i].value)};
}

static void release_uploads(void *uploads)
{
    uploads_unref(uploads);
}

static struct job *make_job(const struct exchange *exchange, json_t *input, size_t index)
{
    const struct route *route = exchange->route;
    struct job *job = job_new();
    copy_upstream(exchange, job);
    job->input = mapping_input_of_choice(&exchange->call, input, index);
    job->wants_pieces = exchange->call.is_stream;
    job->timeout_ms = exchange_timeout_ms(exchange);
    job->deadline_ms = exchange_deadline_ms(exchange);
    job->timeout_hint = exchange_timeout_hint(exchange);
    job->prefer_wait_ms = route->prefer_wait_ms;
    job->poll_interval_ms = route->poll_interval_ms;
    job->create_retries = route->create_retries;
    job->request_id = xstrdup(exchange->request_id);
    if (exchange->uploads != NULL) {
        job->hold = uploads_ref(exchange->uploads);
        job->release = release_uploads;
    }
    return job;
}

/* ---- outcomes ---- */

static void note_running(struct exchange *exchange, const struct prediction *prediction)
{
    struct prediction_times times;
    prediction_times(prediction, &times);
    exchange_note_times(exchange, &times);
}

static void note_outcome(struct exchange *exchange, const struct outcome *outcome)
{
    int64_t now_ms = clock_now_ms(), started_ms = now_ms - outcome->finished_after_ms;
    exchange_note_times(exchange,
                        &(struct prediction_times){
                            .created_ms = outcome->created_after_ms < 0 ? -1 : started_ms + outcome->created_after_ms,
                            .running_ms = outcome->running_after_ms < 0 ? -1 : started_ms + outcome->running_after_ms});
    exchange->timeline.finished_ms = now_ms;
}

/* Once known it stays, though its prediction was let go of. "" where there is none. */
static const char *id_of(const struct exchange *exchange, size_t index)
{
    if (exchange->outcomes[index] != NULL)
        return exchange->outcomes[index]->prediction_id;
    if (exchange->predictions[index] != NULL)
        return prediction_id(exchange->predictions[index]);
    return exchange->ids[index] != NULL ? exchange->ids[index] : "";
}

void exchange_collect_ids(struct exchange *exchange)
{
    buf_clear(&exchange->prediction_ids);
    for (size_t i = 0; i < exchange->choices; i++) {
        const char *id = id_of(exchange, i);
        if (exchange->predictions[i] != NULL)
            note_running(exchange, exchange->predictions[i]);
        if (id[0] == '\0')
            continue;
        if (exchange->prediction_ids.length > 0)
            buf_append_text(&exchange->prediction_ids, ", ");
        buf_append_text(&exchange->prediction_ids, id);
    }
}

static void complete(struct exchange *exchange)
{
    struct error err = {0};
    struct buf body;
    buf_init(&body, ANSWER_MAX_BYTES);
    if (!exchange->endpoint->finish(&exchange->call, exchange->outcomes, &body, &err)) {
        buf_dispose(&body);
        exchange_fail(exchange, &err);
        return;
    }
    exchange_answer(exchange, 200, "application/json", &body);
}

static void on_finished(void *arg, size_t index, struct outcome *outcome)
{
    struct exchange *exchange = arg;
    exchange->predictions[index] = NULL;
    exchange->outcomes[index] = outcome;
    exchange->pending--;
    exchange->polls += outcome->polls;
    exchange_count_outcome(exchange, outcome);
    if (outcome->version[0] != '\0')
        exchange->version = outcome->version;
    note_outcome(exchange, outcome);
    if (!outcome->succeeded) {
        struct error error = *outcome->error;
        if (error.kind == ERROR_INVALID_VALUE)
            exchange_refresh_schema(exchange);
        mapping_name_param(&exchange->call, exchange->route, exchange->schema, &error);
        exchange_try_failed(exchange, &error);
    } else if (exchange->call.is_stream) {
        exchange_stream_choice_end(exchange, index);
    } else if (exchange->pending == 0) {
        exchange_collect_ids(exchange);
        complete(exchange);
    }
}

static void on_piece(void *arg, size_t index, const char *bytes, size_t length)
{
    exchange_stream_piece(arg, index, bytes, length);
}

static const struct prediction_observer OBSERVER = {.piece = on_piece, .finished = on_finished};

/* ---- start and end ---- */

/* All that there is per choice, in one piece. */
static void make_choices(struct exchange *exchange, size_t count)
{
    exchange->choices = exchange->pending = count;
    exchange->predictions =
        xcalloc(count, sizeof *exchange->predictions + sizeof *exchange->outcomes + sizeof *exchange->ids);
    exchange->outcomes = (void *)(exchange->predictions + count);
    exchange->ids = (void *)(exchange->outcomes + count);
}

/* `input` is NULL where predictions of these ids are followed instead. */
static void start(struct exchange *exchange, json_t *input, char (*ids)[JOIN_ID_BYTES])
{
    make_choices(exchange, (size_t)exchange->call.n);
    exchange_forget_waits(exchange);
    exchange->timeline.started_ms = clock_now_ms();
    /* A stream may have begun already, with comments. */
    if (exchange->state == EXCHANGE_PREPARING)
        exchange_set_state(exchange, EXCHANGE_RUNNING);
    for (size_t i = 0; i < exchange->choices; i++) {
        struct job *job = make_job(exchange, input, i);
        job->join = join_ref(exchange->join);
        if (ids != NULL)
            job->follow_id = xstrdup(ids[i]);
        exchange->predictions[i] = prediction_start(exchange->worker->engine, &job, &OBSERVER, exchange, i);
    }
    join_follow(exchange->join);
    exchange->holds_join = exchange->routes.has_more;
    if (exchange->holds_join)
        join_hold(exchange->join);
}

void exchange_run(struct exchange *exchange, json_t *input)
{
    start(exchange, input, NULL);
}

void exchange_follow(struct exchange *exchange, char (*ids)[JOIN_ID_BYTES])
{
    json_decref(exchange->input);
    exchange->input = NULL;
    json_decref(exchange->call.uploads); /* large, and not needed: the first try has uploaded them */
    exchange->call.uploads = NULL;
    start(exchange, NULL, ids);
}

void exchange_leave(struct exchange *exchange, size_t index, enum metric_reason reason, int64_t grace_ms)
{
    struct prediction **prediction = &exchange->predictions[index];
    exchange->ids[index] = xstrdup(prediction_id(*prediction));
    prediction_note_reason(*prediction, reason);
    prediction_abandon(prediction, exchange_join_grace_ms(exchange, grace_ms));
}

void exchange_abandon(struct exchange *exchange, int64_t grace_ms)
{
    if (!exchange_is_running(exchange))
        return;
    loop_timer_clear(exchange->worker->loop, &exchange->keepalive);
    exchange_prepare_stop(exchange);
    exchange_collect_ids(exchange);
    for (size_t i = 0; i < exchange->choices; i++)
        if (exchange->predictions[i] != NULL)
            exchange_leave(exchange, i, exchange_cancel_reason(exchange), grace_ms);
}

/* A stream that has begun with comments stays one, and is kept alive. */
void exchange_let_go(struct exchange *exchange)
{
    exchange_prepare_stop(exchange);
    for (size_t i = 0; i < exchange->choices; i++)
        if (exchange->predictions[i] != NULL)
            exchange_leave(exchange, i, METRIC_REASON_sibling, 0);
    if (exchange->choices > 0)
        join_unfollow(exchange->join);
    exchange_run_dispose(exchange);
    buf_clear(&exchange->prediction_ids);
    if (exchange->state == EXCHANGE_RUNNING)
        exchange_set_state(exchange, EXCHANGE_PREPARING);
}

void exchange_run_dispose(struct exchange *exchange)
{
    for (size_t i = 0; i < exchange->choices; i++) {
        ensure(exchange->predictions[i] == NULL);
        outcome_free(exchange->outcomes[i]);
        free(exchange->ids[i]);
    }
    free(exchange->predictions); /* and with it the outcomes and ids */
    exchange->predictions = NULL;
    exchange->outcomes = NULL;
    exchange->version = NULL;
    exchange->ids = NULL;
    exchange->choices = exchange->pending = 0;
}
