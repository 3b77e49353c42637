/* What the files of the module `prediction` share: prediction.c (engine, start, end), prediction_abandon.c (nobody
 * wants it any more), prediction_create.c (until the id is known), prediction_poll.c (from then on, and the cancel),
 * prediction_plan.c (how long until the next poll), prediction_stream.c (its event stream) and prediction_pieces.c
 * (what its output's text becomes for the observer). */
#ifndef PREDICTION_INT_H
#define PREDICTION_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/sse.h"
#include "replicate/api.h"
#include "replicate/joins.h"
#include "replicate/pieces.h"
#include "replicate/prediction.h"

enum {
    PREDICTION_ANSWER_BYTES = 64 * 1024 * 1024,
    PREDICTION_URL_BYTES = 16 * 1024, /* twice what a create's may be: no later one can be too long */
    PREDICTION_CALL_MS = 30 * 1000,   /* for a call that Replicate does not hold open */
};

/* Who still wants the prediction, and so what follows once its id is known. */
enum prediction_wish {
    WISH_RUN,    /* an observer waits */
    WISH_GRACE,  /* nobody waits, but it may end by itself until the grace is over */
    WISH_CANCEL, /* nobody waits: cancel it as soon as its id is known */
    WISH_KEEP,   /* nobody waits: let it run */
};

/* The event stream of a prediction. */
struct prediction_stream {
    char *url;
    struct transfer *transfer; /* NULL while it is not connected */
    struct sse_parser *parser; /* NULL until it was connected: it is large */
    struct loop_timer reconnect;
    struct loop_timer catch_up; /* until then it may lag behind what a poll showed */
    size_t owed_bytes;          /* what a poll showed */
    bool is_done;               /* the prediction is about to be terminal */
    bool was_silent_close;      /* this connection announced that it is closed for silence */
    bool is_unnumbered;         /* some event had no id that grows: the stream cannot be gone on with */
    bool has_last_id;
    bool is_resumed; /* this connection goes on after last_id: what it repeats is known */
    struct api_event_id last_id;
    int reconnects; /* in a row, without a piece */
    int64_t connected_ms, heard_ms;
    char *error_text; /* of its `error` event; NULL = none */
};

struct prediction {
    struct list_link link; /* in the engine's list of its state */
    struct engine *engine;
    enum prediction_state state; /* written by prediction_set_state alone */
    enum prediction_wish wish;
    enum metric_reason reason; /* why it is cancelled, should it be */

    const struct prediction_observer *observer; /* NULL once it was told the end, or has left */
    void *arg;
    size_t index;

    struct job *job;
    struct join *join;         /* those who share it; NULL = none can */
    char *deployment_key;      /* see prediction_memory_key; NULL where it runs no deployment */
    struct budget *budget;     /* of its token */
    struct budget_turn turn;   /* to create */
    struct budget_share share; /* of the load of polls */
    char *version;             /* a resolved one; NULL = none */
    char *refused_version;     /* that the model does not run as; NULL = none yet */
    bool name_was_refused;     /* nor does it run by its name */
    bool was_resolved;         /* by this prediction: it is done once */
    bool is_resolving;         /* a BACKOFF leads back to RESOLVING */
    bool is_too_large;         /* a BACKOFF leads to an error: this cannot be sent at all */
    bool is_too_late;          /* the same, where its turn to create comes too late */

    struct transfer *transfer;  /* at most one at a time, besides the stream's */
    struct loop_timer step;     /* the next try, poll or cancel */
    struct loop_timer deadline; /* the job's; in CANCELING the bound of the cancel */
    struct loop_timer grace;

    int64_t started_ms, sent_ms, created_ms; /* created_ms: -1 = not yet */
    int64_t seen_ms, running_ms;             /* its last answer; from when on it runs, -1 = not seen to */
    int64_t told_boot_ms, told_run_ms;       /* as Replicate's clock has them; -1 = not told */
    int failed_creates, throttled_creates, failed_resolves;

    char id[64]; /* "" until Replicate has told */
    enum api_status status;
    char *ran_version; /* as Replicate names it; NULL until it has */
    bool is_paused;
    bool has_place;                                 /* in the budget for polls */
    int polls;                                      /* in all */
    int status_polls;                               /* since the status last changed */
    int failed_polls, refused_polls, missing_polls; /* in a row */
    int unreadable_polls;                           /* in a row: of HTTP 200, and no prediction */
    int settling_polls;                             /* since the stream said that it is done */
    int lost_calls; /* polls and cancels in a row: the next one takes a new connection */
    int cancels;
    int64_t cancel_until_ms;

    struct pieces pieces;
    struct prediction_stream *stream; /* NULL until one was begun with: most predictions have none */
};

/* --- prediction.c --- */

void prediction_set_state(struct prediction *prediction, enum prediction_state state);

/* Ends it here, and tells the observer (if there is one still) what came of it. */
void prediction_fail(struct prediction *prediction, const struct error *error);

/* Tells the observer, while the prediction goes on to be cancelled. */
void prediction_report(struct prediction *prediction, const struct error *error);

/* Ends it where nobody is to be told. */
void prediction_end(struct prediction *prediction);

/* Is its create still in the queue of transfers, so that nothing exists upstream? */
bool prediction_is_unsent(const struct prediction *prediction);

/* Does a wait from now end before the job's deadline? */
bool prediction_has_time(const struct prediction *prediction, int64_t wait_ms);

/* Acts upon a prediction object that Replicate sent: end, cancel, or wait on. */
void prediction_take_answer(struct prediction *prediction, struct api_prediction *answer);

/* --- prediction_abandon.c --- */

/* Its own observer wants it no longer, and Replicate knows it: it is cancelled, unless another request shares it, which
 * then follows it to its end. */
void prediction_cancel_or_leave(struct prediction *prediction);

void prediction_on_deadline(void *prediction);
void prediction_on_grace(void *prediction);

/* --- prediction_create.c --- */

/* Takes the version of its model that is remembered; false where none is. */
bool prediction_recall_version(struct prediction *prediction);
void prediction_try_create(struct prediction *prediction);
void prediction_try_again(struct prediction *prediction); /* after a BACKOFF */

/* --- prediction_poll.c --- */

void prediction_sleep(struct prediction *prediction, int64_t delay_ms);
void prediction_poll_after(struct prediction *prediction, int64_t delay_ms);       /* the same, in the state it is in */
void prediction_give_up(struct prediction *prediction, const struct error *error); /* reports, and cancels it */
void prediction_poll(struct prediction *prediction);
void prediction_start_cancel(struct prediction *prediction); /* ends it where another cancels it */
void prediction_try_cancel(struct prediction *prediction);

/* --- prediction_plan.c --- */

/* Under which the durations of what it runs are remembered: a model, a version and a deployment are remembered apart,
 * for they run at their own pace. */
const char *prediction_memory_key(const struct prediction *prediction);

/* The pause until the next poll: this one, or a longer one where many wait. */
int64_t prediction_plan_ms(struct prediction *prediction, int64_t shortest_ms);
/* An answer, before its status is acted upon. */
void prediction_note_times(struct prediction *prediction, const struct api_prediction *answer);
/* The answer that ends it may be the first to tell when it began to run. */
void prediction_note_end(struct prediction *prediction, const struct api_prediction *answer);
/* How long it booted and ran, for the outcome. */
void prediction_spans(const struct prediction *prediction, struct outcome *outcome);
/* It succeeded: so long does the model take. */
void prediction_learn_times(struct prediction *prediction, const struct api_prediction *answer);

/* --- prediction_stream.c --- */

void prediction_stream_dispose(struct prediction *prediction);

/* Is there a stream to begin with, according to this answer? */
bool prediction_stream_is_offered(const struct prediction *prediction, const struct api_prediction *answer);
void prediction_stream_start(struct prediction *prediction, const struct api_prediction *answer);

/* A status poll is due, or has told something that is not the end. */
void prediction_stream_poll(struct prediction *prediction);
void prediction_stream_compare(struct prediction *prediction, const struct api_prediction *answer);

/* Closes it for good; the state stays what it is. */
void prediction_stream_close(struct prediction *prediction);
/* Closes it for good, and goes on polling. */
void prediction_stream_leave(struct prediction *prediction, int64_t delay_ms);

void prediction_stream_pause(struct prediction *prediction);
void prediction_stream_resume(struct prediction *prediction);

/* --- prediction_pieces.c --- */

/* Gives a piece as it is. The observer may leave meanwhile, and a text that gets too long ends the prediction. */
void prediction_pieces_give(struct prediction *prediction, const char *bytes, size_t length);
/* Gives what a poll shows beyond what was given; nothing where the two do not match. */
void prediction_pieces_give_rest(struct prediction *prediction, const json_t *output);
/* The same for the output of a prediction that has succeeded, which must match. */
bool prediction_pieces_finish(struct prediction *prediction, const json_t *output, struct error *err);

struct engine {
    struct engine_options options;
    struct list states[PREDICTION_STATE_COUNT];
};

#endif
