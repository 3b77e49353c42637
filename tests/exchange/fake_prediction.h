/* Predictions that run as a test says: they remember what they were started and abandoned with. */
#ifndef FAKE_PREDICTION_H
#define FAKE_PREDICTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replicate/prediction.h"

struct prediction {
    struct job *job;
    const struct prediction_observer *observer;
    void *arg;
    size_t index;
    char id[64]; /* "" until a test says that the create was answered */
    bool is_finished, is_abandoned;
    int64_t grace_ms; /* with which it was abandoned */
    enum metric_reason reason;
    bool is_paused;
    int pauses, resumes;     /* how often it was asked to */
    const char *status_word; /* Replicate's, as a test says */
    struct prediction_times times;
};

void fake_predictions_reset(void);                   /* frees all */
size_t fake_predictions_count(void);                 /* started since the reset */
struct prediction *fake_prediction_at(size_t index); /* in the order of their starts */

/* More of its output's text. The observer may let go of it meanwhile. */
void fake_prediction_piece(struct prediction *prediction, const char *text);

/* Ends it with `outcome`, which is taken over; the id and the observer are those of the prediction. */
void fake_prediction_finish(struct prediction *prediction, struct outcome *outcome);
void fake_prediction_succeed(struct prediction *prediction, const char *text);
void fake_prediction_fail(struct prediction *prediction, const struct error *error);

#endif
