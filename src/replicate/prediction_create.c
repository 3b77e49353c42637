/* A prediction until its id is known: the create, the pauses before it is tried again, and the look-up of a community
 * model's latest version.
 *
 * A create costs money and has no idempotency key upstream, so it goes out again only where the answer, or the lack of
 * a connection, proves that nothing was created. */
#include "prediction_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"

enum {
    HELD_AT_ONCE_MAX = 64,         /* a held create occupies a place among the active transfers */
    AFTER_DEADLINE_MS = 15 * 1000, /* for the id of a create under way when nobody waits any longer */
    MODEL_DOCUMENT_BYTES = 8 * 1024 * 1024,
    RESOLVE_TRIES = 5,
    SLOWEST_BYTES_PER_MS = 32, /* an upload may be as slow as this */
    OWN_HEADERS = 2,
    CREATE_URL_BYTES = 8 * 1024, /* a client may name a model of any length */
};

/* The server bounds what it lets in far below this; what is larger is refused, not cut. */
static const size_t body_max_bytes = (size_t)1 << 30;

static void back_off(struct prediction *prediction, int64_t wait_ms)
{
    prediction_set_state(prediction, PREDICTION_BACKOFF);
    loop_timer_set(prediction->engine->options.loop, &prediction->step, clock_now_ms() + wait_ms);
}

/* How long Replicate may hold the create open for the result: only where that is likely to save a poll. */
static int64_t hold_ms(const struct prediction *prediction, int64_t remaining_ms)
{
    const struct engine_options *options = &prediction->engine->options;
    int64_t longest_ms = prediction->job->prefer_wait_ms;
    if (prediction->job->wants_pieces)
        return 0; /* a held create would hold back the first piece */
    int64_t usual_ms = model_memory_duration_ms(options->models, prediction_memory_key(prediction));
    if (usual_ms < 0 || usual_ms >= longest_ms || transfers_count(options->transfers) > HELD_AT_ONCE_MAX)
        return 0;
    int64_t held_ms = longest_ms < remaining_ms ? longest_ms : remaining_ms;
    return held_ms < 1000 ? 0 : held_ms;
}

/* A create that is under way at the deadline is waited for a little longer: without its id it cannot be cancelled. */
static int64_t create_timeout_ms(int64_t held_ms, int64_t remaining_ms, size_t body_bytes)
{
    int64_t upload_ms = (int64_t)(body_bytes / SLOWEST_BYTES_PER_MS);
    int64_t timeout_ms = held_ms + PREDICTION_CALL_MS + upload_ms;
    int64_t longest_ms = remaining_ms + AFTER_DEADLINE_MS;
    return timeout_ms < longest_ms ? timeout_ms : longest_ms;
}

/* A 2xx that is no prediction may have created one all the same; Cancel-After ends it. */
static void created(struct prediction *prediction, const struct transfer_answer *answer)
{
    struct api_prediction parsed;
    struct error error = {0};
    if (!api_prediction_parse(answer->body, answer->body_length, prediction->job->token, &parsed, &error)) {
        prediction_fail(prediction, &error);
        return;
    }
    memcpy(prediction->id, parsed.id, sizeof prediction->id);
    join_created(prediction->join, prediction->index, prediction->id);
    prediction->created_ms = clock_now_ms();
    prediction->seen_ms = prediction->sent_ms;
    json_decref(prediction->job->input); /* it may be large, and the wait long */
    prediction->job->input = NULL;
    metrics_add(prediction->engine->options.metrics, METRIC_predictions_created_total, 1);
    prediction_take_answer(prediction, &parsed);
    api_prediction_dispose(&parsed);
}

/* Nothing was sent, so trying again is free. */
static void create_unreachable(struct prediction *prediction, const char *detail)
{
    int64_t wait_ms = pacing_backoff_ms(++prediction->failed_creates);
    if (prediction->failed_creates <= prediction->job->create_retries && prediction_has_time(prediction, wait_ms)) {
        back_off(prediction, wait_ms);
        return;
    }
    struct error error = {0};
    error_set(&error, ERROR_UPSTREAM_UNAVAILABLE, NULL,
              "Replicate could not be reached (%s), so no prediction was created. Try again later.", detail);
    prediction_fail(prediction, &error);
}

/* The one case where we cannot know: it may run and be paid for, so it must not be bought twice. */
static void create_lost(struct prediction *prediction, const char *detail)
{
    struct error error = {0};
    error_set(
        &error, ERROR_UPSTREAM_ERROR, NULL,
        "Replicate's answer to the creation of the prediction was lost (%s). It may have been created, so it is not "
        "tried again by itself; if it runs, it is stopped when this request's time is over.",
        detail);
    prediction_fail(prediction, &error);
}

/* ---- its turn ----
 *
 * All who create with the same token share one budget, and wait in line for it. */

/* True: its turn has come. Else it waits for it, or fails where the turn comes only after its time is over: now, or, as
 * the observer may not hear of it from inside the start, in a moment. */
static bool has_turn(struct prediction *prediction)
{
    struct budget_forecast forecast;
    int64_t now_ms = clock_now_ms();
    if (budget_turn_ask(prediction->budget, &prediction->turn, now_ms, &forecast))
        return true;
    bool was_too_late = prediction->is_too_late;
    prediction->is_too_late = !prediction_has_time(prediction, forecast.place_ms - now_ms);
    if (!prediction->is_too_late) {
        back_off(prediction, forecast.ask_again_ms - now_ms);
    } else if (!was_too_late) {
        back_off(prediction, 0);
    } else {
        struct error error = {0};
        error_set(&error, ERROR_RATE_LIMITED, NULL,
                  "Replicate's rate limit for creating predictions is used up by this server's other requests for "
                  "longer than this request's timeout, so no prediction was created. Try again later.");
        error.retry_after_ms = forecast.place_ms - now_ms;
        prediction_fail(prediction, &error);
    }
    return false;
}

/* Waits as long as Replicate says, and longer each time, for refused tries count against the limit too. So do all
 * others of its token: none of them would fare better. */
static void throttled(struct prediction *prediction, const struct transfer_answer *answer, struct error *error)
{
    struct budget_forecast forecast;
    int64_t now_ms = clock_now_ms();
    struct budget_refusal refusal = {.wait_ms = pacing_backoff_ms(++prediction->throttled_creates)};
    if (error->retry_after_ms > refusal.wait_ms)
        refusal.wait_ms = error->retry_after_ms;
    api_told_rate(answer->body, answer->body_length, &refusal.per_minute, &refusal.burst);
    budget_refused(prediction->budget, BUDGET_CREATES, now_ms, &refusal);
    (void)budget_turn_ask(prediction->budget, &prediction->turn, now_ms, &forecast);
    int64_t wait_ms = forecast.place_ms - now_ms;
    if (refusal.wait_ms > wait_ms)
        wait_ms = refusal.wait_ms;
    if (prediction_has_time(prediction, wait_ms)) {
        back_off(prediction, forecast.ask_again_ms - now_ms);
        return;
    }
    error->retry_after_ms = wait_ms;
    prediction_fail(prediction, error);
}

/* ---- the other form ----
 *
 * A model runs by its name or by a version. Which one is known from what was learnt of it, or found out: each form is
 * tried once, and so is each version. All this is free, for a create that is refused has surely created nothing. */

static void resolve(struct prediction *prediction);

static void set_version(struct prediction *prediction, const char *version)
{
    free(prediction->version);
    prediction->version = xstrdup(version);
}

bool prediction_recall_version(struct prediction *prediction)
{
    char version[MODEL_VERSION_BYTES];
    if (!model_memory_version(prediction->engine->options.models, prediction->job->target.name, clock_now_ms(),
                              version))
        return false;
    set_version(prediction, version);
    return true;
}

/* What this refusal says of the form that was sent; false where it says nothing of it. What was remembered of the model
 * is out of date then. */
static bool note_wrong_form(struct prediction *prediction, const struct transfer_answer *answer)
{
    const struct job *job = prediction->job;
    if (job->target.kind != TARGET_MODEL || !api_is_wrong_form(answer->status, answer->body, answer->body_length))
        return false;
    if (prediction->version == NULL) {
        prediction->name_was_refused = true;
        return true;
    }
    model_memory_forget_version(prediction->engine->options.models, job->target.name);
    free(prediction->refused_version);
    prediction->refused_version = prediction->version;
    prediction->version = NULL;
    return true;
}

/* Some models that are not official run by their name all the same, and then by no version. */
static bool try_by_name(struct prediction *prediction)
{
    if (prediction->name_was_refused)
        return false;
    log_write(LOG_LEVEL_INFO, "model_tried_by_name", log_text("request_id", prediction->job->request_id),
              log_text("model", prediction->job->target.name), log_text("version", prediction->refused_version));
    prediction_try_create(prediction);
    return true;
}

/* Of requests that came together the first looks the version up, and the others find it known by now. But what one of
 * them remembered and was refused, another may have found in the same place. */
static bool recall(struct prediction *prediction)
{
    return prediction->refused_version == NULL && prediction_recall_version(prediction);
}

/* Looking up once is enough: what was looked up just now and is refused does not get better by looking again. */
static bool try_other_form(struct prediction *prediction)
{
    if (prediction->was_resolved)
        return try_by_name(prediction);
    if (recall(prediction))
        prediction_try_create(prediction);
    else
        resolve(prediction);
    return true;
}

static void create_refused(struct prediction *prediction, const struct transfer_answer *answer)
{
    if (note_wrong_form(prediction, answer) && try_other_form(prediction))
        return;
    struct error error = {0};
    api_create_error(answer->status, answer->body, answer->body_length, answer->retry_after_ms, prediction->job,
                     &error);
    if (error.kind == ERROR_RATE_LIMITED)
        throttled(prediction, answer, &error);
    else
        prediction_fail(prediction, &error);
}

/* Nobody waits any longer, and no id is known. A retry begins anew only where surely nothing was created. */
static void create_unwanted(struct prediction *prediction, const struct transfer_answer *answer)
{
    bool is_unsure = answer->result == TRANSFER_LOST || (answer->result == TRANSFER_ANSWERED && answer->status >= 500);
    if (is_unsure) {
        create_lost(prediction, answer->result == TRANSFER_LOST ? answer->detail : "a fault on its side");
        return;
    }
    join_gone(prediction->join);
    prediction_end(prediction);
}

/* Whoever left meanwhile is not served any further, but an id that arrives is always acted upon. */
static void on_create_done(void *arg, const struct transfer_answer *answer)
{
    struct prediction *prediction = arg;
    prediction->transfer = NULL;
    if (answer->result != TRANSFER_ANSWERED)
        budget_turn_unanswered(prediction->budget);
    else if (answer->status != 429)
        budget_learn(prediction->budget, BUDGET_CREATES, clock_now_ms(), answer->ratelimit_remaining,
                     answer->ratelimit_reset_ms);
    if (answer->result == TRANSFER_ANSWERED && answer->status >= 200 && answer->status < 300)
        created(prediction, answer);
    else if (prediction->wish != WISH_RUN)
        create_unwanted(prediction, answer);
    else if (answer->result == TRANSFER_UNREACHABLE)
        create_unreachable(prediction, answer->detail);
    else if (answer->result == TRANSFER_LOST)
        create_lost(prediction, answer->detail);
    else
        create_refused(prediction, answer);
}

/* The job's headers and ours after them; the caller frees. */
static struct header *create_headers(const struct job *job, char *cancel_after, char *prefer, size_t *count)
{
    struct header *headers = xcalloc(job->header_count + OWN_HEADERS, sizeof *headers);
    size_t used = 0;
    for (; used < job->header_count; used++)
        headers[used] = job->headers[used];
    static char cancel_name[] = "Cancel-After", prefer_name[] = "Prefer";
    headers[used++] = (struct header){cancel_name, cancel_after};
    if (prefer[0] != '\0')
        headers[used++] = (struct header){prefer_name, prefer};
    *count = used;
    return headers;
}

static void send_create(struct prediction *prediction, const char *url, struct buf *body, int64_t remaining_ms)
{
    const struct job *job = prediction->job;
    int64_t held_ms = hold_ms(prediction, remaining_ms);
    char cancel_after[32], prefer[32];
    api_cancel_after(remaining_ms, cancel_after);
    api_prefer(held_ms, prefer);
    size_t header_count = 0;
    struct header *headers = create_headers(job, cancel_after, prefer, &header_count);
    const struct transfer_request request = {
        .kind = TRANSFER_CREATE,
        .call = METRIC_CALL_create,
        .method = "POST",
        .url = url,
        .token = job->token,
        .headers = headers,
        .header_count = header_count,
        .body_taken = body,
        .never_repeat = true,
        .timeout_ms = create_timeout_ms(held_ms, remaining_ms, body->length),
        .max_answer_bytes = PREDICTION_ANSWER_BYTES,
    };
    prediction->sent_ms = clock_now_ms();
    metrics_add(prediction->engine->options.metrics, METRIC_creates_total, 1);
    prediction->transfer = transfer_start(prediction->engine->options.transfers, &request, on_create_done, prediction);
    free(headers);
}

void prediction_try_create(struct prediction *prediction)
{
    int64_t remaining_ms = prediction->job->deadline_ms - clock_now_ms();
    /* The deadline's timer is due and ends it; a create now would be paid for and thrown away. */
    if (remaining_ms <= 0) {
        prediction_set_state(prediction, PREDICTION_BACKOFF);
        return;
    }
    if (!has_turn(prediction))
        return;
    struct buf url, body;
    buf_init(&url, CREATE_URL_BYTES);
    buf_init(&body, body_max_bytes);
    if (api_create_url(prediction->job, prediction->version, &url) &&
        api_create_body(prediction->job, prediction->version, &body)) {
        prediction_set_state(prediction, PREDICTION_CREATING);
        send_create(prediction, buf_text(&url), &body, remaining_ms);
    } else {
        /* The observer may not hear of it from inside the start. */
        prediction->is_too_large = true;
        back_off(prediction, 0);
    }
    buf_dispose(&url);
    buf_dispose(&body);
}

/* No version to be run: but its name may. */
static void find_none(struct prediction *prediction, const struct error *error)
{
    prediction->was_resolved = true;
    prediction->is_resolving = false;
    if (error->kind != ERROR_MODEL_NOT_FOUND || !try_by_name(prediction))
        prediction_fail(prediction, error);
}

/* Logged, because it is the only place where an operator learns which version an unpinned model runs. */
static void resolved(struct prediction *prediction, const struct transfer_answer *answer)
{
    const char *name = prediction->job->target.name;
    char version[MODEL_VERSION_BYTES];
    struct error error = {0};
    if (!api_latest_version(answer->body, answer->body_length, name, version, &error)) {
        find_none(prediction, &error);
        return;
    }
    if (prediction->refused_version != NULL && strcmp(version, prediction->refused_version) == 0) {
        error_set(&error, ERROR_MODEL_NOT_FOUND, NULL,
                  "Replicate runs the model %s neither by its name nor by its latest version, or %s token may not use "
                  "it. Check the name.",
                  name, prediction->job->is_client_token ? "your" : "this server's");
        find_none(prediction, &error);
        return;
    }
    prediction->was_resolved = true;
    prediction->is_resolving = false;
    set_version(prediction, version);
    model_memory_set_version(prediction->engine->options.models, name, clock_now_ms(), version);
    log_write(LOG_LEVEL_INFO, "model_resolved", log_text("request_id", prediction->job->request_id),
              log_text("model", name), log_text("version", version));
    prediction_try_create(prediction);
}

static bool is_passing(const struct transfer_answer *answer)
{
    return answer->result != TRANSFER_ANSWERED || answer->status == 429 || answer->status >= 500;
}

static int64_t resolve_wait_ms(struct prediction *prediction, const struct transfer_answer *answer)
{
    int64_t wait_ms = pacing_backoff_ms(prediction->failed_resolves);
    if (answer->status != 429)
        return wait_ms;
    int64_t told_ms =
        answer->retry_after_ms >= 0 ? answer->retry_after_ms : api_retry_after_ms(answer->body, answer->body_length);
    return told_ms > wait_ms ? told_ms : wait_ms;
}

/* A look-up is free and harmless, so it is tried again whatever happened to it. */
static void resolve_failed(struct prediction *prediction, const struct transfer_answer *answer)
{
    prediction->failed_resolves++;
    int64_t wait_ms = resolve_wait_ms(prediction, answer);
    bool is_tried_again = is_passing(answer) && prediction->failed_resolves < RESOLVE_TRIES;
    if (is_tried_again && prediction_has_time(prediction, wait_ms)) {
        back_off(prediction, wait_ms);
        return;
    }
    struct error error = {0};
    if (answer->result == TRANSFER_ANSWERED && answer->status < 500) {
        api_create_error(answer->status, answer->body, answer->body_length, answer->retry_after_ms, prediction->job,
                         &error);
        if (error.kind == ERROR_RATE_LIMITED)
            error.retry_after_ms = wait_ms;
    } else {
        error_set(&error, ERROR_UPSTREAM_UNAVAILABLE, NULL,
                  "Replicate did not tell the latest version of %s, so no prediction was created. Try again later.",
                  prediction->job->target.name);
    }
    find_none(prediction, &error);
}

static void on_resolve_done(void *arg, const struct transfer_answer *answer)
{
    struct prediction *prediction = arg;
    prediction->transfer = NULL;
    budget_learn(prediction->budget, BUDGET_CALLS, clock_now_ms(), answer->ratelimit_remaining,
                 answer->ratelimit_reset_ms);
    if (answer->result == TRANSFER_ANSWERED && answer->status >= 200 && answer->status < 300)
        resolved(prediction, answer);
    else
        resolve_failed(prediction, answer);
}

static void resolve(struct prediction *prediction)
{
    const struct job *job = prediction->job;
    struct buf url;
    buf_init(&url, PREDICTION_URL_BYTES);
    ensure(api_model_url(job, &url));
    prediction->is_resolving = true;
    prediction_set_state(prediction, PREDICTION_RESOLVING);
    const struct transfer_request request = {
        .call = METRIC_CALL_model,
        .method = "GET",
        .url = buf_text(&url),
        .token = job->token,
        .headers = job->headers,
        .header_count = job->header_count,
        .timeout_ms = PREDICTION_CALL_MS,
        .max_answer_bytes = MODEL_DOCUMENT_BYTES,
    };
    prediction->transfer = transfer_start(prediction->engine->options.transfers, &request, on_resolve_done, prediction);
    buf_dispose(&url);
}

void prediction_try_again(struct prediction *prediction)
{
    if (prediction->is_resolving) {
        resolve(prediction);
        return;
    }
    if (!prediction->is_too_large) {
        prediction_try_create(prediction);
        return;
    }
    struct error error = {0};
    error_set(&error, ERROR_REQUEST_TOO_LARGE, NULL,
              "The model's name or its input is too long to be sent to Replicate. Send less.");
    prediction_fail(prediction, &error);
}
