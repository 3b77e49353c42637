/* The engine that lists a worker's predictions by state, and the start, end and abandonment of one.
 *
 * An observer is told last, after the prediction has reached the state that follows: whatever the observer then does,
 * it finds the engine in order. Memory is freed by the sweep alone, so a callback may still hold the pointer. */
#include "replicate/prediction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "prediction_int.h"

enum { SETTLING_FIRST_MS = 100 };

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
    budget_turn_leave(&prediction->turn);
    budget_share_clear(prediction->budget, &prediction->share);
}

static void prediction_free(struct prediction *prediction)
{
    clear_waits(prediction);
    prediction_stream_dispose(prediction);
    list_remove(&prediction->link);
    join_unref(prediction->join);
    budget_unref(&prediction->budget);
    job_free(prediction->job);
    free(prediction->deployment_key);
    free(prediction->version);
    free(prediction->refused_version);
    free(prediction->ran_version);
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
    buf_copy_text(outcome->prediction_id, sizeof outcome->prediction_id, prediction->id);
    if (prediction->ran_version != NULL)
        buf_copy_text(outcome->version, sizeof outcome->version, prediction->ran_version);
    outcome->created_after_ms = prediction->created_ms < 0 ? -1 : prediction->created_ms - prediction->started_ms;
    outcome->running_after_ms = prediction->running_ms < 0 ? -1 : prediction->running_ms - prediction->started_ms;
    outcome->finished_after_ms = clock_now_ms() - prediction->started_ms;
    prediction_spans(prediction, outcome);
    outcome->polls = prediction->polls;
    observer->finished(prediction->arg, prediction->index, outcome);
}

/* Whoever only follows an earlier try came late, and knows no duration; and it is counted once. */
static void learn_success(struct prediction *prediction, const struct api_prediction *answer)
{
    if (prediction->job->follow_id != NULL)
        return;
    metrics_add(prediction->engine->options.metrics, METRIC_predictions_succeeded_total, 1);
    prediction_learn_times(prediction, answer);
}

static void succeed(struct prediction *prediction, struct api_prediction *answer)
{
    learn_success(prediction, answer);
    prediction_note_end(prediction, answer);
    join_ended(prediction->join, NULL, clock_now_ms());
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
    outcome_set_error(outcome, error);
    deliver(prediction, outcome);
}

/* Told before the observer is: from then on nobody can come to share what has failed. */
void prediction_fail(struct prediction *prediction, const struct error *error)
{
    join_ended(prediction->join, error, clock_now_ms());
    prediction_end(prediction);
    prediction_report(prediction, error);
}

bool prediction_has_time(const struct prediction *prediction, int64_t wait_ms)
{
    return wait_ms < prediction->job->deadline_ms - clock_now_ms();
}

/* Replicate ends a prediction at the deadline of the try that created it, which one that follows it outlives. */
static void failure_error(const struct prediction *prediction, const struct api_prediction *answer, struct error *error)
{
    const struct job *job = prediction->job;
    bool is_outlived = job->follow_id != NULL && clock_now_ms() >= join_deadline_ms(prediction->join);
    if (answer->status != API_STATUS_CANCELED || !is_outlived) {
        api_failure_error(answer, error);
        return;
    }
    error_set(
        error, ERROR_TIMEOUT, NULL,
        "The model did not answer in time: Replicate ended the prediction %s at the deadline of an earlier try of "
        "this request, which had created it.%s%s",
        prediction->id, job->timeout_hint == NULL ? "" : " ", job->timeout_hint == NULL ? "" : job->timeout_hint);
}

static void conclude(struct prediction *prediction, struct api_prediction *answer)
{
    if (answer->status == API_STATUS_SUCCEEDED) {
        succeed(prediction, answer);
        return;
    }
    /* Some models tell the reason in their stream alone. */
    const char *streamed = prediction->stream == NULL ? NULL : prediction->stream->error_text;
    if (answer->error_text[0] == '\0' && streamed != NULL)
        snprintf(answer->error_text, sizeof answer->error_text, "%s", streamed);
    prediction_note_end(prediction, answer);
    struct error error = {0};
    failure_error(prediction, answer, &error);
    metrics_add(prediction->engine->options.metrics, METRIC_predictions_failed_total, 1);
    prediction_fail(prediction, &error);
}

/* Output that is there already proves nothing about the end: a run that fails later shows some too. */
static int64_t poll_delay_ms(struct prediction *prediction)
{
    int64_t longest_ms = prediction->job->poll_interval_ms;
    if (prediction->stream == NULL || !prediction->stream->is_done)
        return prediction_plan_ms(
            prediction,
            pacing_poll_delay_ms(prediction->status_polls, prediction->status == API_STATUS_PROCESSING, longest_ms));
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

/* Each answer names it, and rarely another one than before. */
static void note_version(struct prediction *prediction, const char *version)
{
    if (version[0] == '\0' || (prediction->ran_version != NULL && strcmp(prediction->ran_version, version) == 0))
        return;
    free(prediction->ran_version);
    prediction->ran_version = xstrdup(version);
}

void prediction_take_answer(struct prediction *prediction, struct api_prediction *answer)
{
    note_version(prediction, answer->version);
    if (answer->status != prediction->status)
        prediction->status_polls = 0;
    if (!api_status_is_terminal(answer->status))
        prediction_note_times(prediction, answer);
    prediction->status = answer->status;
    if (api_status_is_terminal(answer->status)) {
        conclude(prediction, answer);
    } else if (prediction->wish == WISH_CANCEL) {
        prediction_cancel_or_leave(prediction);
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

bool prediction_is_unsent(const struct prediction *prediction)
{
    return prediction->state == PREDICTION_CREATING && prediction->transfer != NULL &&
           transfer_is_queued(prediction->transfer);
}

/* An earlier try of the same request created it; the first poll tells how far it is. */
static void follow_existing(struct prediction *prediction)
{
    snprintf(prediction->id, sizeof prediction->id, "%s", prediction->job->follow_id);
    prediction->created_ms = prediction->sent_ms = prediction->seen_ms = prediction->started_ms;
    prediction_sleep(prediction, 0);
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
    if (prediction->job->target.kind == TARGET_DEPLOYMENT)
        prediction->deployment_key = xasprintf("deployments/%s", prediction->job->target.name);
    prediction->started_ms = clock_now_ms();
    prediction->created_ms = prediction->running_ms = -1;
    prediction->told_boot_ms = prediction->told_run_ms = -1;
    prediction->budget = budget_of(engine->options.pacing, prediction->job->base_url, prediction->job->token);
    prediction->join = prediction->job->join;
    prediction->job->join = NULL;
    loop_timer_init(&prediction->step, on_step_due, prediction);
    loop_timer_init(&prediction->deadline, prediction_on_deadline, prediction);
    loop_timer_init(&prediction->grace, prediction_on_grace, prediction);
    pieces_init(&prediction->pieces);
    loop_timer_set(engine->options.loop, &prediction->deadline, prediction->job->deadline_ms);
    if (prediction->job->follow_id != NULL) {
        follow_existing(prediction);
        return prediction;
    }
    if (prediction->job->target.kind == TARGET_MODEL)
        (void)prediction_recall_version(prediction);
    prediction_try_create(prediction);
    return prediction;
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

void prediction_times(const struct prediction *prediction, struct prediction_times *times)
{
    *times = (struct prediction_times){prediction->created_ms, prediction->running_ms};
}

enum prediction_state prediction_state(const struct prediction *prediction)
{
    return prediction->state;
}

const char *prediction_id(const struct prediction *prediction)
{
    return prediction->id;
}
