/* What to run on Replicate, and what came of it: the two messages between the
 * rooms `openai` and `replicate`, which never see each other.
 *
 * Plain values. Whoever holds the pointer owns it; giving it away takes the
 * pointer's address and nulls it (job_take, outcome_take). One thread at a time. */
#ifndef BASE_JOB_H
#define BASE_JOB_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Which of Replicate's three create paths runs the model. */
enum target_kind {
    TARGET_MODEL,   /* POST /models/{owner}/{name}/predictions; a community model's latest version is resolved on 404 */
    TARGET_VERSION, /* POST /predictions with "version" */
    TARGET_DEPLOYMENT, /* POST /deployments/{owner}/{name}/predictions */
};

struct target {
    enum target_kind kind;
    char *name;    /* "owner/name"; NULL for a bare version */
    char *version; /* 64 hex digits for TARGET_VERSION, else NULL */
};

/* Reads `owner/name`, `owner/name:VERSION`, `VERSION` (64 hex digits), `deployments/owner/name`, each with or
 * without the prefix `replicate/`. False, nothing allocated, and err (ERROR_INVALID_VALUE) when it is none of them. */
bool target_parse(const char *reference, struct target *target, struct error *err);
void target_copy(struct target *to, const struct target *from);
void target_dispose(struct target *target);

/* Appends to every upstream request of a job; never Authorization. */
struct header {
    char *name, *value;
};

struct join;

struct job {
    struct target target;
    char *base_url; /* with its /v1, no trailing slash */
    char *token;
    bool is_client_token;   /* the client brought it; else it is the operator's */
    struct header *headers; /* extra ones */
    size_t header_count;
    json_t *input;            /* the prediction's `input`; owned */
    int64_t deadline_ms;      /* clock_now_ms() at which the client gets a timeout */
    int64_t timeout_ms;       /* the whole time it was given, for the message of a timeout */
    char *timeout_hint;       /* a sentence for that message: which key to raise; may be NULL */
    bool wants_pieces;        /* the output's text is wanted piece by piece, as it grows */
    int64_t prefer_wait_ms;   /* longest `Prefer: wait`; 0 = never hold the create */
    int64_t poll_interval_ms; /* longest pause between polls */
    int create_retries;       /* how often a create that surely never reached Replicate is tried again */
    char *request_id;         /* for log lines; may be NULL */

    /* The requests that share its prediction (replicate/joins.h), a reference that the prediction takes over; NULL =
     * none can. Where `follow_id` is set, nothing is created: the prediction of that id, of an earlier try, is
     * followed; else it is NULL. */
    struct join *join;
    char *follow_id;

    /* What must live as long as the job, such as files that its input points to; released with it. NULL = nothing. */
    void *hold;
    void (*release)(void *hold);
};

struct job *job_new(void);
void job_free(struct job *job); /* NULL is fine */
struct job *job_take(struct job **job);

/* Token counts as Replicate reported them. */
struct usage {
    bool reported; /* false: nothing was found, the counts are 0 */
    int64_t input_tokens, output_tokens, reasoning_tokens;
};

/* How one prediction ended, seen from whoever asked for it. */
struct outcome {
    bool succeeded;
    struct error *error; /* why not; owned; NULL when succeeded */
    json_t *output;      /* any JSON, or NULL when missing or null; owned */
    struct usage usage;
    char prediction_id[64];    /* "" when none was created */
    char version[80];          /* the version that ran, as Replicate names it; "" when unknown */
    int64_t created_after_ms;  /* from the start of the job to the create's answer; -1 = never */
    int64_t running_after_ms;  /* from the start of the job until the model was at work; -1 = not known */
    int64_t finished_after_ms; /* from the start of the job to its end */
    int64_t boot_ms, run_ms;   /* how long its model booted, and was at work, as far as known; -1 = not known */
    int polls;
};

struct outcome *outcome_new(void);
void outcome_free(struct outcome *outcome); /* NULL is fine */
void outcome_set_error(struct outcome *outcome, const struct error *error);
struct outcome *outcome_take(struct outcome **outcome);

#endif
