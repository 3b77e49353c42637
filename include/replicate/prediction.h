/* One Replicate prediction, from create to end, as a state machine.
 *
 *  start ─▶ CREATING ──429, unreachable──▶ BACKOFF ─timer─▶ CREATING    (only where surely nothing was created;
 *              │  │      not its turn yet                                  RESOLVING may be tried again the same way)
 *              │  └─404: community model──▶ RESOLVING ─version─▶ CREATING
 *              │ 2xx: id
 *              ├─ already terminal ────────────────────────────────────────┐
 *              ├─ a stream offered, few of them ──▶ STREAMING ── terminal ─┤   (polled meanwhile when it is silent)
 *              │                                        │ done, broken,    │
 *              │                                        ▼ behind a poll    │
 *              └─ otherwise ─▶ SLEEPING ─timer─▶ POLLING ─── terminal ─────┤
 *                                 ▲────── not yet ──────┘                  │
 *  any of these ── abandoned, or deadline ──▶ CANCELING ─────────────▶ DONE ─▶ freed at the end of the turn
 *
 * One thread: the loop's. A prediction is in exactly one state, which is exactly one list of its engine.
 * start → handle; `finished` exactly once, never from inside start; after abandon: no further callback, and
 * the prediction lives on alone until Replicate has been told. */
#ifndef REPLICATE_PREDICTION_H
#define REPLICATE_PREDICTION_H

#include <stddef.h>
#include <stdint.h>

#include "base/job.h"
#include "base/metrics.h"
#include "replicate/loop.h"
#include "replicate/model_memory.h"
#include "replicate/pacing.h"
#include "replicate/transfer.h"

/* Name, word in logs. */
#define PREDICTION_STATES(X)                                                                                           \
    X(CREATING, "creating")                                                                                            \
    X(BACKOFF, "backoff")                                                                                              \
    X(RESOLVING, "resolving")                                                                                          \
    X(SLEEPING, "sleeping")                                                                                            \
    X(POLLING, "polling")                                                                                              \
    X(STREAMING, "streaming")                                                                                          \
    X(CANCELING, "canceling")                                                                                          \
    X(DONE, "done")

enum prediction_state {
#define X(name, word) PREDICTION_##name,
    PREDICTION_STATES(X)
#undef X
        PREDICTION_STATE_COUNT
};

struct engine; /* one per worker: its predictions, by state */
struct prediction;

struct engine_options {
    struct loop *loop;
    struct transfers *transfers;
    struct metrics *metrics;
    struct pacing *pacing;       /* shared by all workers */
    struct model_memory *models; /* shared by all workers */
};

struct engine *engine_new(const struct engine_options *options);
void engine_free(struct engine *engine);          /* drops what is left without telling Replicate */
size_t engine_count(const struct engine *engine); /* predictions in any state but DONE */
size_t engine_count_in(const struct engine *engine, enum prediction_state state);
void engine_cancel_abandoned(
    struct engine *engine);               /* cancels at once what waits out its grace: the daemon is stopping */
void engine_sweep(struct engine *engine); /* frees what is DONE; at the end of each turn */

struct prediction_observer {
    /* More of the output's text, as soon as Replicate has it; 0..k times before `finished`, never from inside start.
     * Only where the job wants pieces. Put together, the pieces of a prediction that succeeds are the text of its
     * output (a string, or an array of strings), nothing twice, nothing missing; files and outputs of other shapes come
     * with the outcome alone. May abandon this or other predictions. */
    void (*piece)(void *arg, size_t index, const char *bytes, size_t length);
    /* The end, in success or not. `outcome` becomes the observer's; the handle is dead. Called exactly once. */
    void (*finished)(void *arg, size_t index, struct outcome *outcome);
};

/* Takes the job. `index` comes back in the callbacks: a request may run several. */
struct prediction *prediction_start(struct engine *engine, struct job **job, const struct prediction_observer *observer,
                                    void *arg, size_t index);

enum { PREDICTION_KEEP = -1 };

/* Nobody waits for it any more. grace_ms = 0: cancel upstream at once (a create under way: as soon as its id is known);
 * > 0: cancel after that time, unless it has ended by then; PREDICTION_KEEP: let it run to its end upstream.
 * *prediction becomes NULL. */
void prediction_abandon(struct prediction **prediction, int64_t grace_ms);

/* Why it is about to be abandoned, for the metrics; where nobody says, it counts as a fault. */
void prediction_note_reason(struct prediction *prediction, enum metric_reason reason);

/* The observer cannot take more for now: the upstream stream is read no further, and no output is polled for. Repeating
 * either is harmless. A few pieces may still come after a pause. */
void prediction_pause(struct prediction *prediction);
void prediction_resume(struct prediction *prediction);

/* Replicate's word for how far it is: "starting" until it is known to be further. */
const char *prediction_status_word(const struct prediction *prediction);

/* How far it has come, in clock_now_ms(); -1 = not yet. */
struct prediction_times {
    int64_t created_ms; /* Replicate answered its create */
    int64_t running_ms; /* the model was booted and at work, as far as Replicate let us know */
};
void prediction_times(const struct prediction *prediction, struct prediction_times *times);

enum prediction_state prediction_state(const struct prediction *prediction);
const char *prediction_id(const struct prediction *prediction); /* "" until it is known */
const char *prediction_state_word(enum prediction_state state);

#endif
