/* The schemas of models: fetched from Replicate once, shared by all workers, kept for a while and on disk.
 *
 * Of each model the document is asked for once by whoever needs it first, and the others, on whatever worker, wait for
 * the same answer. What is known serves at once: after its life (SCHEMA_LIFE_MS) it still serves, while it is fetched
 * anew behind. A failure is remembered for a while in which nobody asks or waits; so no request waits for a model's
 * schema twice. A schema whose model Replicate does not know, or that cannot be fetched, is simply not there: requests
 * are mapped without.
 *
 * struct schema_cache: any thread, one mutex inside; bounded, the least recently used is forgotten. struct schemas: one
 * per worker, on its thread. */
#ifndef REPLICATE_SCHEMAS_H
#define REPLICATE_SCHEMAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/job.h"
#include "base/list.h"
#include "base/model_schema.h"
#include "replicate/loop.h"
#include "replicate/model_memory.h"
#include "replicate/pacing.h"
#include "replicate/transfer.h"

enum {
    SCHEMA_LIFE_MS = 60 * 60 * 1000,
    SCHEMA_WAIT_MS = 10 * 1000,          /* so long after it was asked for a schema is waited for, by whomever */
    SCHEMA_FAILED_MS = 60 * 1000,        /* so long a failure is remembered */
    SCHEMA_REFRESH_LEAST_MS = 60 * 1000, /* a refusal refreshes a schema that is older than this */
};

struct schema_cache;

/* `directory` (NULL = none) keeps the documents over restarts: one file per model, written anew in one step, readable
 * for this user alone. It is made where it is missing; where it cannot be used, that is logged once and the cache works
 * without. */
struct schema_cache *schema_cache_new(const char *directory);
void schema_cache_free(struct schema_cache *cache);

/* Where a model's document is to be had. Borrowed for the call. */
struct schema_source {
    const struct target *target;
    const char *base_url, *token;
    bool is_private; /* what this token may see is for those who present it, and is kept in memory alone */
    const struct header *headers;
    size_t header_count;
};

struct schemas;

struct schemas_options {
    struct loop *loop;
    struct transfers *transfers;
    struct schema_cache *cache;
    struct pacing *pacing;       /* learns from the answers' limits */
    struct model_memory *models; /* learns the latest version of models that are said not to be official */
};

struct schemas *schemas_new(const struct schemas_options *options);
/* Gives up what is under way: it counts as failed, for the other workers too. */
void schemas_free(struct schemas *schemas);

/* What is known now, fresh or not, from memory or disk: a reference for the caller, or NULL. Asks nobody upstream. Any
 * thread. */
struct model_schema *schema_cache_peek(struct schema_cache *cache, const struct schema_source *source);

/* Is nothing known of it only for now: is it being fetched, or did that fail for a reason that may pass (no answer,
 * HTTP 429 or 5xx)? Any thread. */
bool schema_cache_may_come(struct schema_cache *cache, const struct schema_source *source);

/* One who waits for a schema; embedded in its owner, who sets on_schema and arg; idle while `schemas` is NULL. */
struct schema_wait {
    void (*on_schema)(void *arg, struct model_schema *schema);
    void *arg;
    struct list_link link;
    struct schemas *schemas; /* NULL while idle */
    struct loop_timer timer;
    char *key;
};

/* True: it is decided at once, and *schema is a reference for the caller or NULL. False: `on_schema` comes exactly
 * once, never from inside, within SCHEMA_WAIT_MS, with a reference for the receiver or NULL. Where what is known is
 * old, it is refreshed behind. A bare version has no document: decided at once, NULL. `wait` is idle; its on_schema and
 * arg are set by the caller before. */
bool schemas_want(struct schemas *schemas, const struct schema_source *source, struct schema_wait *wait,
                  struct model_schema **schema);

/* No callback after this; harmless when idle. */
void schemas_forget(struct schema_wait *wait);

/* The same for one that waits and has run out of time: nobody after it waits for what is so slow. */
void schemas_give_up(struct schema_wait *wait);

/* Replicate refused an input: the schema may have changed. Fetches it anew, unless that was done just now. */
void schemas_refresh(struct schemas *schemas, const struct schema_source *source);

/* Fetches it if nothing is known of it, a few at a time; nobody waits. For the start. */
void schemas_warm(struct schemas *schemas, const struct schema_source *source);

/* Once a turn: tells those who wait for what another worker fetched. Cheap when nobody waits. */
void schemas_turn(struct schemas *schemas);

#endif
