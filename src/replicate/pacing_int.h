/* What the files of the module `pacing` share: pacing.c (tokens, calls, load), pacing_bucket.c (one budget as a bucket
 * of places, and what it learns), pacing_turns.c (who creates next). */
#ifndef PACING_INT_H
#define PACING_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/hash.h"
#include "base/list.h"
#include "replicate/pacing.h"

/* A rate, as the time between two places, and how far a burst may run ahead of it. */
struct pace {
    int64_t interval_us, ahead_us;
};

struct bucket {
    struct pace usual;
    int64_t earliest_us; /* of the next place; what lies in the past is a burst */
    int64_t held_until_ms;

    /* What a refusal made of the rate. */
    struct pace refused;
    int64_t refused_until_ms;
    int64_t lifted_from; /* so many calls that remain show that it holds no longer */
    bool is_guess;       /* the rate was not said, only the wait */
    int refusals;        /* in a row */

    /* What remained was little. */
    int64_t slow_interval_us, slow_until_ms;

    bool is_heard; /* some answer told how it stands */
};

struct budget {
    struct list_link link; /* in the pacing's list, least recently used first */
    struct pacing *pacing;
    unsigned char key[HASH_BYTES];
    atomic_size_t references; /* taken, and the last one dropped, with the mutex held */
    struct bucket buckets[BUDGET_KIND_COUNT];

    struct list turns; /* creates that wait, by number */
    uint64_t last_number;
    int64_t sounded_ms; /* when the first create went out; -1 = not yet */

    struct poll_demand demand; /* the sum of the shares */
    size_t waiting;
};

struct pacing {
    pthread_mutex_t mutex;
    struct pacing_rates rates;
    unsigned char hash_key[HASH_KEY_BYTES];
    struct list budgets;
    size_t idle; /* budgets without a reference */
};

void pacing_lock(struct budget *budget);
void pacing_unlock(struct budget *budget);

/* --- pacing_bucket.c; the lock is held --- */

void bucket_set_rate(struct bucket *bucket, int64_t per_minute, int64_t burst);
struct pace bucket_pace(const struct bucket *bucket, int64_t now_ms);
/* The pace without what holds for moments only: for looking far ahead. A guess is no base for that. */
struct pace bucket_long_pace(const struct bucket *bucket, int64_t now_ms);
/* When the next place comes up, in the past for a burst. */
int64_t bucket_earliest_us(const struct bucket *bucket, int64_t now_ms);
/* Takes a place. */
int64_t bucket_take_us(struct bucket *bucket, int64_t now_ms);
/* How many places there are at once. */
int64_t bucket_left(const struct bucket *bucket, int64_t now_ms);
void bucket_hold(struct bucket *bucket, int64_t until_ms);
void bucket_learn(struct bucket *bucket, int64_t now_ms, int64_t remaining, int64_t reset_ms);
void bucket_refuse(struct bucket *bucket, int64_t now_ms, const struct budget_refusal *refusal, bool may_guess);

#endif
