/* A request's predictions: decode, admit, map, start; gather the outcomes; answer. */
#include "exchange_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/json.h"
#include "openai/mapping.h"
#include "openai/models.h"

enum { ANSWER_MAX_BYTES = 256 * 1024 * 1024 };

/* ---- from the body to the jobs ---- */

static bool decode(struct exchange *exchange, struct error *err)
{
    struct http_request *request = exchange->request;
    struct call_request call_request = {.endpoint = exchange->endpoint,
                                        .path_model = exchange->model_id[0] == '\0' ? NULL : exchange->model_id,
                                        .body = buf_text(&request->body),
                                        .body_length = request->body.length,
                                        .is_unlisted = models_are_unlisted(exchange->config),
                                        .unique = exchange->unique,
                                        .now_s = clock_wall_s()};
    bool is_decoded = exchange->endpoint->decode(&exchange->call, &call_request, err);
    exchange->request_bytes = request->body.length;
    buf_dispose(&request->body); /* it may be large, and the prediction may take long */
    return is_decoded;
}

static bool find_route(struct exchange *exchange, struct error *err)
{
    const char *alias = exchange->call.alias;
    const char *served = exchange->config->completion_model != NULL ? exchange->config->completion_model : alias;
    char shown[80];
    exchange->route = config_find_route(exchange->config, served);
    if (exchange->route == NULL) {
        error_quote(shown, sizeof shown, alias, strlen(alias), NULL);
        return error_set(err, ERROR_MODEL_NOT_FOUND, "model", "The model `%s` does not exist here. %s", shown,
                         models_are_unlisted(exchange->config) ? "Use a model reference such as owner/name."
                                                               : "GET /v1/models lists the models that do.");
    }
    if (!endpoint_key_allows(exchange->key, served)) {
        error_quote(shown, sizeof shown, alias, strlen(alias), NULL);
        return error_set(err, ERROR_MODEL_NOT_ALLOWED, "model", "Your API key may not use the model `%s`.", shown);
    }
    return true;
}

static bool copy_upstream(const struct exchange *exchange, struct job *job, struct error *err)
{
    const struct route *route = exchange->route;
    const char *served =
        exchange->config->completion_model != NULL ? exchange->config->completion_model : exchange->call.alias;
    if (!route_target(route, served, &job->target, err))
        return false;
    job->base_url = xstrdup(route->base_url);
    job->token = xstrdup(route->token);
    job->header_count = route->header_count;
    job->headers = xcalloc(route->header_count + 1, sizeof *job->headers);
    for (size_t i = 0; i < route->header_count; i++)
        job->headers[i] = (struct header){xstrdup(route->headers[i].name), xstrdup(route->headers[i].value)};
    return true;
}

static struct job *make_job(const struct exchange *exchange, json_t *input, struct error *err)
{
    const struct route *route = exchange->route;
    struct job *job = job_new();
    if (!copy_upstream(exchange, job, err)) {
        job_free(job);
        return NULL;
    }
    job->input = json_incref(input);
    bool is_stream = exchange->call.is_stream;
    job->wants_pieces = is_stream;
    job->timeout_ms = is_stream ? route->stream_timeout_ms : route->timeout_ms;
    job->deadline_ms = exchange->timeline.received_ms + job->timeout_ms;
    job->timeout_hint =
        xasprintf("To wait longer, raise %s.", is_stream ? route->stream_timeout_key : route->timeout_key);
    job->prefer_wait_ms = route->prefer_wait_ms;
    job->poll_interval_ms = route->poll_interval_ms;
    job->create_retries = route->create_retries;
    snprintf(job->request_id, sizeof job->request_id, "%s", exchange->request_id);
    return job;
}

/* ---- outcomes ---- */

void exchange_collect_ids(struct exchange *exchange)
{
    buf_clear(&exchange->prediction_ids);
    for (size_t i = 0; i < exchange->choices; i++) {
        const char *id = exchange->outcomes[i] != NULL      ? exchange->outcomes[i]->prediction_id
                         : exchange->predictions[i] != NULL ? prediction_id(exchange->predictions[i])
                                                            : "";
        if (id[0] != '\0') /* an id once known stays, though its prediction was let go of */
            snprintf(exchange->ids[i], sizeof exchange->ids[i], "%s", id);
        if (exchange->ids[i][0] != '\0')
            buf_printf(&exchange->prediction_ids, "%s%s", exchange->prediction_ids.length > 0 ? ", " : "",
                       exchange->ids[i]);
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
    if (outcome->version[0] != '\0')
        snprintf(exchange->version, sizeof exchange->version, "%s", outcome->version);
    exchange->timeline.finished_ms = clock_now_ms();
    if (!outcome->succeeded) {
        struct error error = outcome->error;
        mapping_name_param(&exchange->call, exchange->route, &error);
        exchange_fail(exchange, &error);
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

/* One prediction per choice. All jobs are made before the first is started, so a failure costs nothing. */
static bool start_predictions(struct exchange *exchange, json_t *input, struct error *err)
{
    exchange->choices = exchange->pending = (size_t)exchange->call.n;
    exchange->predictions = xcalloc(exchange->choices, sizeof(struct prediction *));
    exchange->outcomes = xcalloc(exchange->choices, sizeof(struct outcome *));
    exchange->ids = xcalloc(exchange->choices, sizeof *exchange->ids);
    struct job *jobs[CALL_MAX_CHOICES];
    for (size_t i = 0; i < exchange->choices; i++) {
        jobs[i] = make_job(exchange, input, err);
        if (jobs[i] == NULL) {
            while (i > 0)
                job_free(jobs[--i]);
            return false;
        }
    }
    exchange->timeline.started_ms = clock_now_ms();
    exchange_set_state(exchange, EXCHANGE_RUNNING);
    for (size_t i = 0; i < exchange->choices; i++)
        exchange->predictions[i] = prediction_start(exchange->worker->engine, &jobs[i], &OBSERVER, exchange, i);
    if (exchange->call.is_stream)
        exchange_stream_start(exchange);
    return true;
}

/* Each choice sends the whole input: what one request makes of itself is bounded as its body is. */
static bool check_copies(const struct exchange *exchange, struct error *err)
{
    int64_t choices = exchange->call.n, bytes = (int64_t)exchange->request_bytes;
    if (choices == 1 || bytes <= exchange->config->max_body_bytes / choices)
        return true;
    return error_set(
        err, ERROR_REQUEST_TOO_LARGE, "n",
        "%lld choices of a request of %lld bytes are more than this server takes at once (`max_body`). Ask for "
        "fewer choices.",
        (long long)choices, (long long)bytes);
}

static bool try_start(struct exchange *exchange, struct error *err)
{
    if (!decode(exchange, err) || !find_route(exchange, err))
        return false;
    if (!admission_enter(exchange->worker->shared->admission, exchange->config, exchange->route, exchange->key,
                         &exchange->ticket, err))
        return false;
    json_t *input = mapping_input(&exchange->call, exchange->route, err);
    call_forget_messages(&exchange->call);
    if (input == NULL)
        return false;
    if (!check_copies(exchange, err)) {
        json_decref(input);
        return false;
    }
    bool is_started = start_predictions(exchange, input, err);
    json_decref(input);
    return is_started;
}

void exchange_start(struct exchange *exchange)
{
    struct error err = {0};
    if (!try_start(exchange, &err))
        exchange_fail(exchange, &err);
}

void exchange_abandon(struct exchange *exchange, int64_t grace_ms)
{
    if (!exchange_is_running(exchange))
        return;
    loop_timer_clear(exchange->worker->loop, &exchange->keepalive);
    exchange_collect_ids(exchange);
    for (size_t i = 0; i < exchange->choices; i++)
        if (exchange->predictions[i] != NULL)
            prediction_abandon(&exchange->predictions[i], grace_ms);
}

void exchange_run_dispose(struct exchange *exchange)
{
    for (size_t i = 0; i < exchange->choices; i++) {
        ensure(exchange->predictions == NULL || exchange->predictions[i] == NULL);
        if (exchange->outcomes != NULL)
            outcome_free(exchange->outcomes[i]);
    }
    free(exchange->predictions);
    free(exchange->outcomes);
    free(exchange->ids);
}
