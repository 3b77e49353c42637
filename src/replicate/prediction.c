/* The engine that lists a worker's predictions by state, and the start, end and abandonment of one.
 *
 * An observer is told last, after the prediction has reached the state that follows: whatever the observer then does,
 * it finds the engine in order. Memory is freed by the sweep alone, so a callback may still hold the pointer. */
#include "replicate/prediction.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "prediction_int.h"

enum { SETTLING_FIRST_MS = 100 };

/* From so many in a row it is the answers that are at fault; fewer may be a gateway's passing trouble. */
enum { UNREADABLE_POLLS = 3 };

static const char *const state_words[] = {
#define X(name, word) [PREDICTION_##name] = word,
    PREDICTION_STATES(X)
#undef X
};

const char *prediction_state_word(enum prediction_state state)
{
    ensure((size_t)state < PREDICTION_STATE_COUNT);
    return state_words[state];
}

struct engine *engine_new(const struct engine_options *options)
{
    struct engine *engine = xcalloc(1, sizeof *engine);
    engine->options = *options;
    for (int i = 0; i < PREDICTION_STATE_COUNT; i++)
        list_init(&engine->states[i]);
    return engine;
}

/* Whatever could still call back for this prediction: after this, nothing does. */
static void clear_waits(struct prediction *prediction)
{
    struct loop *loop = prediction->engine->options.loop;
    transfer_cancel(&prediction->transfer);
    prediction_stream_close(prediction);
    loop_timer_clear(loop, &prediction->step);
    loop_timer_clear(loop, &prediction->deadline);
    loop_timer_clear(loop, &prediction->grace);
}

static void prediction_free(struct prediction *prediction)
{
    clear_waits(prediction);
    prediction_stream_dispose(prediction);
    list_remove(&prediction->link);
    job_free(prediction->job);
    free(prediction->memory_key);
    free(prediction);
}

void engine_free(struct engine *engine)
{
    if (engine == NULL)
        return;
    for (int i = 0; i < PREDICTION_STATE_COUNT; i++)
        for (struct list_link *link = list_first(&engine->states[i]); link != NULL;
             link = list_first(&engine->states[i]))
            prediction_free(list_entry(link, struct prediction, link));
    free(engine);
}

size_t engine_count_in(const struct engine *engine, enum prediction_state state)
{
    ensure((size_t)state < PREDICTION_STATE_COUNT);
    return engine->states[state].length;
}

size_t engine_count(const struct engine *engine)
{
    size_t count = 0;
    for (int i = 0; i < PREDICTION_STATE_COUNT; i++)
        if (i != PREDICTION_DONE)
            count += engine->states[i].length;
    return count;
}

/* Only here is a prediction freed while the engine lives, so no callback ever returns into freed memory. */
void engine_sweep(struct engine *engine)
{
    for (struct list_link *link = list_shift(&engine->states[PREDICTION_DONE]); link != NULL;
         link = list_shift(&engine->states[PREDICTION_DONE]))
        prediction_free(list_entry(link, struct prediction, link));
}

/* A create under way has no id yet that could be cancelled; the wish is acted upon when it comes. Nothing that is
 * abandoned is in STREAMING: without an observer there is nothing to stream. */
static void end_grace(struct prediction *prediction)
{
    if (prediction->state == PREDICTION_CREATING)
        prediction->wish = WISH_CANCEL;
    else
        prediction_start_cancel(prediction);
}

/* The cancel moves a prediction to another list, so the next link is taken before. */
void engine_cancel_abandoned(struct engine *engine)
{
    static const enum prediction_state states[] = {PREDICTION_CREATING, PREDICTION_SLEEPING, PREDICTION_POLLING};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        struct list *list = &engine->states[states[i]];
        struct list_link *next = NULL;
        for (struct list_link *link = list_first(list); link != NULL; link = next) {
            struct prediction *prediction = list_entry(link, struct prediction, link);
            next = list_next(list, link);
            if (prediction->wish == WISH_GRACE)
                end_grace(prediction);
        }
    }
}

void prediction_set_state(struct prediction *prediction, enum prediction_state state)
{
    log_write(LOG_LEVEL_DEBUG, "prediction_state", log_text("request_id", prediction->job->request_id),
              log_text("prediction_id", prediction->id[0] != '\0' ? prediction->id : NULL),
              log_text("from", prediction_state_word(prediction->state)), log_text("to", prediction_state_word(state)));
    list_remove(&prediction->link);
    prediction->state = state;
    list_append(&prediction->engine->states[state], &prediction->link);
}

void prediction_end(struct prediction *prediction)
{
    clear_waits(prediction);
    prediction_set_state(prediction, PREDICTION_DONE);
}

/* Fills in what every outcome says and hands it over; nobody there to take it means nobody wants it. */
static void deliver(struct prediction *prediction, struct outcome *outcome)
{
    const struct prediction_observer *observer = prediction->observer;
    if (observer == NULL) {
        outcome_free(outcome);
        return;
    }
    prediction->observer = NULL;
    snprintf(outcome->prediction_id, sizeof outcome->prediction_id, "%s", prediction->id);
    snprintf(outcome->version, sizeof outcome->version, "%s", prediction->ran_version);
    outcome->created_after_ms = prediction->created_ms < 0 ? -1 : prediction->created_ms - prediction->started_ms;
    outcome->finished_after_ms = clock_now_ms() - prediction->started_ms;
    outcome->polls = prediction->polls;
    observer->finished(prediction->arg, prediction->index, outcome);
}

/* The duration counts from the create, as a held create would: that is what it decides about next time. */
static void succeed(struct prediction *prediction, struct api_prediction *answer)
{
    struct engine *engine = prediction->engine;
    metrics_add(engine->options.metrics, METRIC_predictions_succeeded_total, 1);
    model_memory_learn_duration(engine->options.models, prediction->memory_key, clock_now_ms() - prediction->sent_ms);
    prediction_end(prediction);
    struct error error = {0};
    if (prediction->job->wants_pieces && !prediction_pieces_finish(prediction, answer->output, &error)) {
        prediction_report(prediction, &error);
        return;
    }
    struct outcome *outcome = outcome_new();
    outcome->succeeded = true;
    outcome->output = answer->output;
    answer->output = NULL;
    outcome->usage = answer->usage;
    deliver(prediction, outcome);
}

void prediction_report(struct prediction *prediction, const struct error *error)
{
    if (prediction->observer == NULL)
        return;
    struct outcome *outcome = outcome_new();
    outcome->error = *error;
    deliver(prediction, outcome);
}

void prediction_fail(struct prediction *prediction, const struct error *error)
{
    prediction_end(prediction);
    prediction_report(prediction, error);
}

bool prediction_has_time(const struct prediction *prediction, int64_t wait_ms)
{
    return wait_ms < prediction->job->deadline_ms - clock_now_ms();
}

static void conclude(struct prediction *prediction, struct api_prediction *answer)
{
    if (answer->status == API_STATUS_SUCCEEDED) {
        succeed(prediction, answer);
        return;
    }
    /* Some models tell the reason in their stream alone. */
    if (answer->error_text[0] == '\0' && prediction->stream.error_text != NULL)
        snprintf(answer->error_text, sizeof answer->error_text, "%s", prediction->stream.error_text);
    struct error error = {0};
    api_failure_error(answer, &error);
    metrics_add(prediction->engine->options.metrics, METRIC_predictions_failed_total, 1);
    prediction_fail(prediction, &error);
}

/* Output that is there already proves nothing about the end: a run that fails later shows some too. */
static int64_t poll_delay_ms(struct prediction *prediction)
{
    int64_t longest_ms = prediction->job->poll_interval_ms;
    if (!prediction->stream.is_done)
        return pacing_poll_delay_ms(prediction->status_polls, prediction->status == API_STATUS_PROCESSING, longest_ms);
    /* The stream said that it is over; the status follows within moments. */
    int64_t delay_ms = SETTLING_FIRST_MS << (prediction->settling_polls < 8 ? prediction->settling_polls : 8);
    prediction->settling_polls++;
    return delay_ms < longest_ms ? delay_ms : longest_ms;
}

/* Not yet at its end: how it is followed from here. Of its text the stream gives all, so what a create's answer shows
 * of it already is not given where a stream begins. */
static void follow(struct prediction *prediction, const struct api_prediction *answer)
{
    if (prediction->state == PREDICTION_STREAMING) {
        prediction_stream_compare(prediction, answer);
    } else if (prediction_stream_is_offered(prediction, answer)) {
        prediction_stream_start(prediction, answer);
    } else {
        prediction_sleep(prediction, poll_delay_ms(prediction));
        if (prediction->job->wants_pieces && !prediction->is_paused)
            prediction_pieces_give_rest(prediction, answer->output);
    }
}

void prediction_take_answer(struct prediction *prediction, struct api_prediction *answer)
{
    if (answer->version[0] != '\0')
        memcpy(prediction->ran_version, answer->version, sizeof prediction->ran_version);
    if (answer->status != prediction->status)
        prediction->status_polls = 0;
    prediction->status = answer->status;
    if (api_status_is_terminal(answer->status)) {
        conclude(prediction, answer);
    } else if (prediction->wish == WISH_CANCEL) {
        prediction_start_cancel(prediction);
    } else if (prediction->wish == WISH_KEEP) {
        prediction_end(prediction);
    } else {
        follow(prediction, answer);
    }
}

static void on_step_due(void *arg)
{
    struct prediction *prediction = arg;
    switch (prediction->state) {
    case PREDICTION_BACKOFF:
        prediction_try_again(prediction);
        break;
    case PREDICTION_SLEEPING:
        /* While the observer can take nothing, there is nothing to ask for; resuming goes on from here. */
        if (!prediction->is_paused)
            prediction_poll(prediction);
        break;
    case PREDICTION_STREAMING:
        prediction_stream_poll(prediction);
        break;
    case PREDICTION_CANCELING:
        prediction_try_cancel(prediction);
        break;
    default:
        ensure(false);
    }
}

/* Says how far it got: a model that is still starting needs more time, one that is processing may need a smaller task.
 */
static void timeout_error(const struct prediction *prediction, struct error *error)
{
    const struct job *job = prediction->job;
    char time[48], what[256];
    if (job->timeout_ms % 1000 == 0)
        snprintf(time, sizeof time, "%" PRId64 " s", job->timeout_ms / 1000);
    else
        snprintf(time, sizeof time, "%" PRId64 " ms", job->timeout_ms);
    if (prediction->id[0] != '\0' && prediction->unreadable_polls >= UNREADABLE_POLLS)
        snprintf(what, sizeof what,
                 "Replicate's answers about the prediction %s could not be read. It has been cancelled.",
                 prediction->id);
    else if (prediction->id[0] != '\0')
        snprintf(what, sizeof what, "prediction %s was still %s. It has been cancelled.", prediction->id,
                 prediction->status == API_STATUS_UNKNOWN ? "not finished" : api_status_word(prediction->status));
    else if (prediction->state == PREDICTION_CREATING && !prediction_is_unsent(prediction))
        snprintf(what, sizeof what,
                 "Replicate had not yet confirmed the prediction. It is cancelled if it comes to be.");
    else
        snprintf(what, sizeof what, "Replicate had not yet accepted the prediction, so none was created.");
    error_set(error, ERROR_TIMEOUT, NULL, "The model did not answer within %s: %s%s%s", time, what,
              job->timeout_hint == NULL ? "" : " ", job->timeout_hint == NULL ? "" : job->timeout_hint);
}

bool prediction_is_unsent(const struct prediction *prediction)
{
    return prediction->state == PREDICTION_CREATING && prediction->transfer != NULL &&
           transfer_is_queued(prediction->transfer);
}

/* Nobody waits any longer; whatever exists, or comes to exist, is cancelled. */
static void pass_deadline(struct prediction *prediction)
{
    switch (prediction->state) {
    case PREDICTION_CREATING:
        if (prediction_is_unsent(prediction))
            prediction_end(prediction);
        else if (prediction->wish != WISH_KEEP)
            prediction->wish = WISH_CANCEL;
        break;
    case PREDICTION_BACKOFF:
    case PREDICTION_RESOLVING:
        prediction_end(prediction);
        break;
    default:
        prediction_start_cancel(prediction);
        break;
    }
}

static void on_deadline_due(void *arg)
{
    struct prediction *prediction = arg;
    if (prediction->state == PREDICTION_CANCELING) {
        log_write(LOG_LEVEL_WARN, "cancel_given_up", log_text("request_id", prediction->job->request_id),
                  log_text("prediction_id", prediction->id));
        prediction_end(prediction);
        return;
    }
    struct error error = {0};
    timeout_error(prediction, &error);
    pass_deadline(prediction);
    prediction_report(prediction, &error);
}

static void on_grace_due(void *arg)
{
    end_grace(arg);
}

/* A model, a version and a deployment are remembered apart: they run at their own pace. */
static char *memory_key(const struct target *target)
{
    if (target->kind == TARGET_VERSION)
        return xstrdup(target->version);
    if (target->kind == TARGET_DEPLOYMENT)
        return xasprintf("deployments/%s", target->name);
    return xstrdup(target->name);
}

/* A transfer never calls back from inside its start, and timers only from the loop, so neither does this. */
struct prediction *prediction_start(struct engine *engine, struct job **job, const struct prediction_observer *observer,
                                    void *arg, size_t index)
{
    struct prediction *prediction = xcalloc(1, sizeof *prediction);
    prediction->engine = engine;
    prediction->observer = observer;
    prediction->arg = arg;
    prediction->index = index;
    prediction->job = job_take(job);
    prediction->memory_key = memory_key(&prediction->job->target);
    prediction->started_ms = clock_now_ms();
    prediction->created_ms = -1;
    loop_timer_init(&prediction->step, on_step_due, prediction);
    loop_timer_init(&prediction->deadline, on_deadline_due, prediction);
    loop_timer_init(&prediction->grace, on_grace_due, prediction);
    pieces_init(&prediction->pieces);
    prediction_stream_init(prediction);
    loop_timer_set(engine->options.loop, &prediction->deadline, prediction->job->deadline_ms);
    if (prediction->job->target.kind == TARGET_MODEL)
        model_memory_version(engine->options.models, prediction->job->target.name, prediction->started_ms,
                             prediction->version);
    prediction_try_create(prediction);
    return prediction;
}

/* With a grace it is only polled from here on: nobody is there to take what a stream would give. */
static void abandon_existing(struct prediction *prediction, int64_t grace_ms)
{
    if (grace_ms == 0) {
        prediction_start_cancel(prediction);
    } else if (grace_ms == PREDICTION_KEEP) {
        prediction_end(prediction);
    } else {
        if (prediction->state == PREDICTION_STREAMING)
            prediction_stream_leave(prediction, 0);
        prediction_resume(prediction);
    }
}

/* The observer is forgotten first: nothing that follows may call it. */
void prediction_abandon(struct prediction **handle, int64_t grace_ms)
{
    struct prediction *prediction = *handle;
    *handle = NULL;
    ensure(prediction->observer != NULL);
    ensure(grace_ms >= 0 || grace_ms == PREDICTION_KEEP);
    prediction->observer = NULL;
    prediction->wish = grace_ms == 0 ? WISH_CANCEL : grace_ms == PREDICTION_KEEP ? WISH_KEEP : WISH_GRACE;
    switch (prediction->state) {
    case PREDICTION_DONE:
        /* From within its last piece. */
        return;
    case PREDICTION_BACKOFF:
    case PREDICTION_RESOLVING:
        /* Nothing exists upstream. */
        prediction_end(prediction);
        return;
    case PREDICTION_CREATING:
        prediction->is_paused = false;
        if (prediction_is_unsent(prediction)) {
            prediction_end(prediction);
            return;
        }
        break;
    default:
        abandon_existing(prediction, grace_ms);
        break;
    }
    if (prediction->wish == WISH_GRACE)
        loop_timer_set(prediction->engine->options.loop, &prediction->grace, clock_now_ms() + grace_ms);
}

void prediction_pause(struct prediction *prediction)
{
    /* A result that comes in one piece at its end holds up nobody. */
    if (!prediction->job->wants_pieces || prediction->is_paused || prediction->state == PREDICTION_DONE)
        return;
    prediction->is_paused = true;
    if (prediction->state == PREDICTION_STREAMING)
        prediction_stream_pause(prediction);
}

/* A timer that was due meanwhile was not set again; what is under way goes on by itself. */
void prediction_resume(struct prediction *prediction)
{
    if (!prediction->is_paused)
        return;
    prediction->is_paused = false;
    if (prediction->state == PREDICTION_STREAMING)
        prediction_stream_resume(prediction);
    else if (prediction->state == PREDICTION_SLEEPING && prediction->step.place == 0)
        prediction_poll_after(prediction, 0);
}

const char *prediction_status_word(const struct prediction *prediction)
{
    bool is_known = prediction->status == API_STATUS_PROCESSING || api_status_is_terminal(prediction->status);
    return api_status_word(is_known ? API_STATUS_PROCESSING : API_STATUS_STARTING);
}

enum prediction_state prediction_state(const struct prediction *prediction)
{
    return prediction->state;
}

const char *prediction_id(const struct prediction *prediction)
{
    return prediction->id;
}
