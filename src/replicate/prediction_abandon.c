/* A prediction that is wanted no longer: its client has left, or its time is over. It is cancelled, unless another
 * request shares it; and what was never created is not created any more. */
#include "replicate/prediction.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "prediction_int.h"

enum {
    /* From so many in a row it is the answers that are at fault; fewer may be a gateway's passing trouble. */
    UNREADABLE_POLLS = 3,
    LOOK_AGAIN_MS = 1000, /* whether another request still wants it, or follows it by now */
};

/* An observer that is still there is one of those who want it. */
static size_t own_interest(const struct prediction *prediction)
{
    return prediction->observer != NULL ? 1 : 0;
}

/* Another request wants it, but could not cancel it yet, or needs the files that are deleted when this one ends: it is
 * polled until that has changed. */
static void stand_by(struct prediction *prediction)
{
    prediction->wish = WISH_GRACE;
    prediction->is_paused = false;
    if (prediction->state == PREDICTION_STREAMING)
        prediction_stream_leave(prediction, LOOK_AGAIN_MS);
    else if (prediction->transfer == NULL && prediction->step.place == 0)
        prediction_sleep(prediction, LOOK_AGAIN_MS);
    loop_timer_set(prediction->engine->options.loop, &prediction->grace, clock_now_ms() + LOOK_AGAIN_MS);
}

/* An observer is told by the caller, and follows it until then: what is to become of it is decided a moment later. */
void prediction_cancel_or_leave(struct prediction *prediction)
{
    bool is_free = prediction->observer == NULL && prediction->job->hold == NULL;
    if (is_free && join_may_let_go(prediction->join))
        prediction_end(prediction);
    else if (join_may_cancel(prediction->join, own_interest(prediction)))
        prediction_start_cancel(prediction);
    else
        stand_by(prediction);
}

/* A create under way has no id yet that could be cancelled; the wish is acted upon when it comes, unless another wants
 * it then. Nothing that is abandoned is in STREAMING: without an observer there is nothing to stream. */
static void end_grace(struct prediction *prediction)
{
    if (prediction->state != PREDICTION_CREATING)
        prediction_cancel_or_leave(prediction);
    else
        prediction->wish = WISH_CANCEL;
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

/* ---- its time is over ---- */

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

/* Nothing exists upstream, and nothing will: whoever joined it has to begin anew. */
static void end_uncreated(struct prediction *prediction)
{
    join_gone(prediction->join);
    prediction_end(prediction);
}

/* Nobody waits any longer; whatever exists, or comes to exist, is cancelled. */
static void pass_deadline(struct prediction *prediction)
{
    switch (prediction->state) {
    case PREDICTION_CREATING:
        if (prediction_is_unsent(prediction))
            end_uncreated(prediction);
        else if (prediction->wish != WISH_KEEP)
            prediction->wish = WISH_CANCEL;
        break;
    case PREDICTION_BACKOFF:
    case PREDICTION_RESOLVING:
        end_uncreated(prediction);
        break;
    default:
        prediction_cancel_or_leave(prediction);
        break;
    }
}

void prediction_on_deadline(void *arg)
{
    struct prediction *prediction = arg;
    if (prediction->state == PREDICTION_CANCELING) {
        log_write(LOG_LEVEL_WARN, "cancel_given_up", log_text("request_id", prediction->job->request_id),
                  log_text("prediction_id", prediction->id));
        prediction_end(prediction);
        return;
    }
    struct error error = {0};
    if (prediction->observer != NULL)
        prediction->reason = METRIC_REASON_deadline;
    timeout_error(prediction, &error);
    if (join_may_cancel(prediction->join, own_interest(prediction)))
        join_ended(prediction->join, &error, clock_now_ms());
    pass_deadline(prediction);
    prediction_report(prediction, &error);
}

void prediction_on_grace(void *arg)
{
    end_grace(arg);
}

/* ---- its client has left ---- */

void prediction_note_reason(struct prediction *prediction, enum metric_reason reason)
{
    prediction->reason = reason;
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

/* Its files are deleted when it ends here, so with files it is followed for as long as Replicate lets it run. */
static int64_t true_grace_ms(const struct prediction *prediction, int64_t grace_ms)
{
    int64_t left_ms = prediction->job->deadline_ms - clock_now_ms();
    if (grace_ms != PREDICTION_KEEP || prediction->job->hold == NULL)
        return grace_ms;
    return left_ms > 0 ? left_ms : 0;
}

/* The observer is forgotten first: nothing that follows may call it. */
void prediction_abandon(struct prediction **handle, int64_t grace_ms)
{
    struct prediction *prediction = *handle;
    *handle = NULL;
    ensure(prediction->observer != NULL);
    ensure(grace_ms >= 0 || grace_ms == PREDICTION_KEEP);
    prediction->observer = NULL;
    grace_ms = true_grace_ms(prediction, grace_ms);
    prediction->wish = grace_ms == 0 ? WISH_CANCEL : grace_ms == PREDICTION_KEEP ? WISH_KEEP : WISH_GRACE;
    switch (prediction->state) {
    case PREDICTION_DONE:
        /* From within its last piece. */
        return;
    case PREDICTION_BACKOFF:
    case PREDICTION_RESOLVING:
        end_uncreated(prediction);
        return;
    case PREDICTION_CREATING:
        prediction->is_paused = false;
        if (prediction_is_unsent(prediction)) {
            end_uncreated(prediction);
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
