/* A prediction from the moment its id is known: sleeping, polling, and the cancel of what nobody wants any more.
 *
 * A poll that fails says nothing about the prediction, which may be running and paid for; only Replicate's terminal
 * status, the deadline, or a token or id that is refused again and again end the wait. */
#include "prediction_int.h"

#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"

enum {
    REFUSED_POLLS_MAX = 3, /* a gateway may answer 401 once by mistake, hardly three times in a row */
    MISSING_POLLS_MAX = 5, /* a prediction that was just created may be unknown to a lagging replica */
    HOLD_LONGEST_MS = 60 * 1000,
    POLL_TRY_MS = 10 * 1000,
    CANCEL_TRY_MS = 2 * 1000,
    CANCEL_BOUND_MS = 5 * 1000, /* for all tries together */
};

void prediction_sleep(struct prediction *prediction, int64_t delay_ms)
{
    prediction_set_state(prediction, PREDICTION_SLEEPING);
    prediction_poll_after(prediction, delay_ms);
}

void prediction_poll_after(struct prediction *prediction, int64_t delay_ms)
{
    prediction->has_place = false;
    loop_timer_set(prediction->engine->options.loop, &prediction->step, clock_now_ms() + delay_ms);
}

static void on_cancel_done(void *arg, const struct transfer_answer *answer);

/* All calls on an existing prediction are harmless to repeat, unlike its creation. */
static struct transfer *call(struct prediction *prediction, const char *method, const char *url, int64_t timeout_ms,
                             transfer_done_fn on_done)
{
    const struct job *job = prediction->job;
    const struct transfer_request request = {
        .kind = on_done == on_cancel_done ? TRANSFER_CANCEL : TRANSFER_CALL,
        .call = on_done == on_cancel_done ? METRIC_CALL_cancel : METRIC_CALL_poll,
        .method = method,
        .url = url,
        .token = job->token,
        .headers = job->headers,
        .header_count = job->header_count,
        .is_on_new = prediction->lost_calls > 0,
        .timeout_ms = timeout_ms,
        .max_answer_bytes = PREDICTION_ANSWER_BYTES,
    };
    return transfer_start(prediction->engine->options.transfers, &request, on_done, prediction);
}

static void note_loss(struct prediction *prediction, const struct transfer_answer *answer)
{
    prediction->lost_calls = answer->result == TRANSFER_LOST ? prediction->lost_calls + 1 : 0;
}

/* Tells the observer, and cancels what may still be running. */
void prediction_give_up(struct prediction *prediction, const struct error *error)
{
    join_ended(prediction->join, error, clock_now_ms());
    prediction_cancel_or_leave(prediction);
    prediction_report(prediction, error);
}

/* True where this answer, after those before it, ends the wait. */
static bool is_hopeless(struct prediction *prediction, const struct transfer_answer *answer)
{
    int status = answer->status;
    prediction->refused_polls = status == 401 || status == 403 ? prediction->refused_polls + 1 : 0;
    prediction->missing_polls = status == 404 ? prediction->missing_polls + 1 : 0;
    struct error error = {0};
    if (prediction->refused_polls >= REFUSED_POLLS_MAX)
        error_set(
            &error, ERROR_UPSTREAM_AUTHENTICATION, NULL,
            "Replicate refused this server's API token while the prediction %s was followed (HTTP %d). Its operator "
            "must check REPLICATE_API_TOKEN.",
            prediction->id, status);
    else if (prediction->missing_polls >= MISSING_POLLS_MAX)
        error_set(&error, ERROR_UPSTREAM_ERROR, NULL,
                  "Replicate no longer knows the prediction %s (HTTP 404), so its result is lost.", prediction->id);
    else
        return false;
    prediction_give_up(prediction, &error);
    return true;
}

static void poll_failed(struct prediction *prediction, const struct transfer_answer *answer)
{
    if (is_hopeless(prediction, answer))
        return;
    int64_t wait_ms = pacing_backoff_ms(++prediction->failed_polls);
    if (answer->status == 429) {
        int64_t told_ms = answer->retry_after_ms >= 0 ? answer->retry_after_ms
                                                      : api_retry_after_ms(answer->body, answer->body_length);
        if (told_ms > wait_ms)
            wait_ms = told_ms < HOLD_LONGEST_MS ? told_ms : HOLD_LONGEST_MS;
        struct budget_refusal refusal = {.wait_ms = wait_ms};
        api_told_rate(answer->body, answer->body_length, &refusal.per_minute, &refusal.burst);
        budget_refused(prediction->budget, BUDGET_CALLS, clock_now_ms(), &refusal);
    }
    log_write(LOG_LEVEL_DEBUG, "poll_failed", log_text("request_id", prediction->job->request_id),
              log_text("prediction_id", prediction->id), log_number("status", answer->status),
              log_number("wait_ms", wait_ms));
    if (prediction->state == PREDICTION_STREAMING)
        prediction_poll_after(prediction, wait_ms);
    else
        prediction_sleep(prediction, wait_ms);
}

/* An object about another prediction is as good as none. */
static bool parse_poll(struct prediction *prediction, const struct transfer_answer *answer,
                       struct api_prediction *parsed)
{
    if (answer->result != TRANSFER_ANSWERED || answer->status < 200 || answer->status >= 300) {
        prediction->unreadable_polls = 0;
        return false;
    }
    prediction->unreadable_polls++;
    if (!api_prediction_parse(answer->body, answer->body_length, prediction->job->token, parsed, NULL))
        return false;
    if (strcmp(parsed->id, prediction->id) == 0)
        return true;
    api_prediction_dispose(parsed);
    return false;
}

/* A good answer forgives the bad ones before it: only failures in a row mean something. */
static void on_poll_done(void *arg, const struct transfer_answer *answer)
{
    struct prediction *prediction = arg;
    struct api_prediction parsed;
    prediction->transfer = NULL;
    note_loss(prediction, answer);
    budget_learn(prediction->budget, BUDGET_CALLS, clock_now_ms(), answer->ratelimit_remaining,
                 answer->ratelimit_reset_ms);
    if (!parse_poll(prediction, answer, &parsed)) {
        poll_failed(prediction, answer);
        return;
    }
    prediction->failed_polls = prediction->refused_polls = prediction->missing_polls = 0;
    prediction->unreadable_polls = 0;
    prediction_take_answer(prediction, &parsed);
    api_prediction_dispose(&parsed);
}

/* A place is asked for when the pause is over: then places are given in the order in which polls are due. */
static bool has_turn(struct prediction *prediction)
{
    int64_t now_ms = clock_now_ms();
    if (prediction->has_place && !budget_is_held(prediction->budget, now_ms))
        return true;
    int64_t place_ms = budget_reserve(prediction->budget, now_ms);
    prediction->has_place = true;
    if (place_ms > now_ms)
        loop_timer_set(prediction->engine->options.loop, &prediction->step, place_ms);
    return place_ms <= now_ms;
}

/* Silence is not waited out for long; but what was lost may also be a large answer that takes its time. */
static int64_t poll_try_ms(const struct prediction *prediction)
{
    int64_t try_ms = (int64_t)POLL_TRY_MS * (prediction->lost_calls + 1);
    return try_ms < PREDICTION_CALL_MS ? try_ms : PREDICTION_CALL_MS;
}

/* Called when the pause is over, and again when a place in the budget comes up. */
void prediction_poll(struct prediction *prediction)
{
    if (!has_turn(prediction))
        return;
    struct buf url;
    buf_init(&url, PREDICTION_URL_BYTES);
    ensure(api_prediction_url(prediction->job, prediction->id, &url));
    prediction->polls++;
    prediction->status_polls++;
    metrics_add(prediction->engine->options.metrics, METRIC_polls_total, 1);
    /* A stream that is silent goes on beside its polls. */
    if (prediction->state != PREDICTION_STREAMING)
        prediction_set_state(prediction, PREDICTION_POLLING);
    prediction->transfer = call(prediction, "GET", buf_text(&url), poll_try_ms(prediction), on_poll_done);
    buf_dispose(&url);
}

/* A prediction that was created a moment ago may not be known everywhere yet, so a 404 is tried again, and so is what a
 * passing trouble with the token may be; other refusals mean that there is nothing left to cancel. */
static bool is_settled(const struct transfer_answer *answer)
{
    int status = answer->status;
    if (answer->result != TRANSFER_ANSWERED || status == 401 || status == 403 || status == 404 || status == 429)
        return false;
    return status >= 200 && status < 500;
}

static void on_cancel_done(void *arg, const struct transfer_answer *answer)
{
    struct prediction *prediction = arg;
    prediction->transfer = NULL;
    note_loss(prediction, answer);
    if (is_settled(answer)) {
        log_write(LOG_LEVEL_INFO, "prediction_cancelled", log_text("request_id", prediction->job->request_id),
                  log_text("prediction_id", prediction->id), log_number("status", answer->status));
        prediction_end(prediction);
        return;
    }
    /* The bound of the whole is the deadline's timer; waiting past it would only delay that. */
    int64_t wait_ms = pacing_backoff_ms(prediction->cancels);
    loop_timer_set(prediction->engine->options.loop, &prediction->step, clock_now_ms() + wait_ms);
}

/* Silence leaves time for another try; the last one cannot outlast the bound. */
void prediction_try_cancel(struct prediction *prediction)
{
    int64_t remaining_ms = prediction->cancel_until_ms - clock_now_ms();
    if (remaining_ms <= 0)
        return;
    struct buf url;
    buf_init(&url, PREDICTION_URL_BYTES);
    ensure(api_cancel_url(prediction->job, prediction->id, &url));
    prediction->cancels++;
    int64_t try_ms = remaining_ms < CANCEL_TRY_MS ? remaining_ms : CANCEL_TRY_MS;
    prediction->transfer = call(prediction, "POST", buf_text(&url), try_ms, on_cancel_done);
    buf_dispose(&url);
}

/* From here on nobody waits; what is left is to tell Replicate, within a bound of its own. Where another that shared it
 * does so, nothing is left. */
void prediction_start_cancel(struct prediction *prediction)
{
    struct loop *loop = prediction->engine->options.loop;
    ensure(prediction->id[0] != '\0');
    if (!join_claim_cancel(prediction->join, prediction->index, prediction->id)) {
        prediction_end(prediction);
        return;
    }
    metrics_add_at(prediction->engine->options.metrics, METRIC_cancels_total, prediction->reason, 0, 1);
    transfer_cancel(&prediction->transfer);
    prediction_stream_close(prediction);
    budget_share_clear(prediction->budget, &prediction->share);
    loop_timer_clear(loop, &prediction->step);
    loop_timer_clear(loop, &prediction->grace);
    prediction->cancel_until_ms = clock_now_ms() + CANCEL_BOUND_MS;
    loop_timer_set(loop, &prediction->deadline, prediction->cancel_until_ms);
    prediction_set_state(prediction, PREDICTION_CANCELING);
    prediction_try_cancel(prediction);
}
