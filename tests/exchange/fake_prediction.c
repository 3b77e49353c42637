/* Takes the place of replicate/prediction.c: nothing runs, and the end of each prediction is a call of the test's. */
#include "fake_prediction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "replicate/joins.h"

enum { PREDICTIONS_MAX = 256 };

static struct prediction *started[PREDICTIONS_MAX];
static size_t count;

void fake_predictions_reset(void)
{
    for (size_t i = 0; i < count; i++) {
        join_unref(started[i]->job->join);
        started[i]->job->join = NULL;
        job_free(started[i]->job);
        free(started[i]);
    }
    count = 0;
}

size_t fake_predictions_count(void)
{
    return count;
}

struct prediction *fake_prediction_at(size_t index)
{
    ensure(index < count);
    return started[index];
}

struct prediction *prediction_start(struct engine *engine, struct job **job, const struct prediction_observer *observer,
                                    void *arg, size_t index)
{
    (void)engine;
    ensure(count < PREDICTIONS_MAX);
    struct prediction *prediction = xcalloc(1, sizeof *prediction);
    *prediction = (struct prediction){.job = job_take(job),
                                      .observer = observer,
                                      .arg = arg,
                                      .index = index,
                                      .grace_ms = -100,
                                      .status_word = "starting",
                                      .times = {-1, -1}};
    started[count++] = prediction;
    return prediction;
}

void prediction_abandon(struct prediction **prediction, int64_t grace_ms)
{
    ensure(*prediction != NULL && !(*prediction)->is_finished && !(*prediction)->is_abandoned);
    (*prediction)->is_abandoned = true;
    (*prediction)->grace_ms = grace_ms;
    *prediction = NULL;
}

void prediction_note_reason(struct prediction *prediction, enum metric_reason reason)
{
    prediction->reason = reason;
}

static void ensure_alive(const struct prediction *prediction)
{
    ensure(!prediction->is_finished && !prediction->is_abandoned);
}

void prediction_pause(struct prediction *prediction)
{
    ensure_alive(prediction);
    prediction->is_paused = true;
    prediction->pauses++;
}

void prediction_resume(struct prediction *prediction)
{
    ensure_alive(prediction);
    prediction->is_paused = false;
    prediction->resumes++;
}

const char *prediction_status_word(const struct prediction *prediction)
{
    ensure_alive(prediction);
    return prediction->status_word;
}

const char *prediction_id(const struct prediction *prediction)
{
    ensure_alive(prediction);
    return prediction->id;
}

void prediction_times(const struct prediction *prediction, struct prediction_times *times)
{
    ensure_alive(prediction);
    *times = prediction->times;
}

void fake_prediction_piece(struct prediction *prediction, const char *text)
{
    ensure_alive(prediction);
    ensure(prediction->job->wants_pieces);
    prediction->observer->piece(prediction->arg, prediction->index, text, strlen(text));
}

void fake_prediction_finish(struct prediction *prediction, struct outcome *outcome)
{
    ensure_alive(prediction);
    prediction->is_finished = true;
    snprintf(outcome->prediction_id, sizeof outcome->prediction_id, "%s", prediction->id);
    prediction->observer->finished(prediction->arg, prediction->index, outcome);
}

void fake_prediction_succeed(struct prediction *prediction, const char *text)
{
    struct outcome *outcome = outcome_new();
    outcome->succeeded = true;
    outcome->output = json_string(text);
    outcome->usage = (struct usage){.reported = true, .input_tokens = 3, .output_tokens = 2};
    fake_prediction_finish(prediction, outcome);
}

void fake_prediction_fail(struct prediction *prediction, const struct error *error)
{
    struct outcome *outcome = outcome_new();
    outcome_set_error(outcome, error);
    fake_prediction_finish(prediction, outcome);
}
