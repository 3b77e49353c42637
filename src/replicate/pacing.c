/* The budgets of all tokens: a list, least recently used first, behind the one lock of all that they hold; and the
 * pauses between tries.
 *
 * A budget that is in use is never forgotten; of the others the last ones used are kept, for what they have learnt. */
#include "replicate/pacing.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/ensure.h"
#include "pacing_int.h"

enum {
    CALLS_BURST_LEAST = 10,
    FIRST_STARTING_MS = 250,
    FIRST_RUNNING_MS = 200,
    LONGEST_RUNNING_MS = 1000,
    BACKOFF_FIRST_MS = 500,
    BACKOFF_LONGEST_MS = 8000,
};

struct pacing *pacing_new(const struct pacing_rates *rates)
{
    struct pacing *pacing = xcalloc(1, sizeof *pacing);
    ensure(pthread_mutex_init(&pacing->mutex, NULL) == 0);
    ensure(getrandom(pacing->hash_key, sizeof pacing->hash_key, 0) == (ssize_t)sizeof pacing->hash_key);
    list_init(&pacing->budgets);
    pacing->rates = *rates;
    return pacing;
}

/* A second's worth of polls may go at once. Of creates it is a minute's worth: that is how many Replicate says remain
 * when none was made for a while, and who waits for a create waits for nothing else. */
static void set_rates(struct budget *budget, const struct pacing_rates *rates)
{
    int64_t burst = rates->polls_per_minute / 60;
    bucket_set_rate(&budget->buckets[BUDGET_CALLS], rates->polls_per_minute,
                    burst > CALLS_BURST_LEAST ? burst : CALLS_BURST_LEAST);
    bucket_set_rate(&budget->buckets[BUDGET_CREATES], rates->creates_per_minute, rates->creates_per_minute);
}

static void forget(struct budget *budget)
{
    list_remove(&budget->link);
    free(budget);
}

void pacing_free(struct pacing *pacing)
{
    if (pacing == NULL)
        return;
    for (struct list_link *link = list_first(&pacing->budgets); link != NULL; link = list_first(&pacing->budgets)) {
        struct budget *budget = list_entry(link, struct budget, link);
        ensure(budget->references == 0);
        forget(budget);
    }
    pthread_mutex_destroy(&pacing->mutex);
    free(pacing);
}

void pacing_lock(struct budget *budget)
{
    ensure(pthread_mutex_lock(&budget->pacing->mutex) == 0);
}

void pacing_unlock(struct budget *budget)
{
    ensure(pthread_mutex_unlock(&budget->pacing->mutex) == 0);
}

void pacing_set_rates(struct pacing *pacing, const struct pacing_rates *rates)
{
    ensure(pthread_mutex_lock(&pacing->mutex) == 0);
    pacing->rates = *rates;
    for (struct list_link *link = list_first(&pacing->budgets); link != NULL; link = list_next(&pacing->budgets, link))
        set_rates(list_entry(link, struct budget, link), rates);
    ensure(pthread_mutex_unlock(&pacing->mutex) == 0);
}

/* ---- which budget ---- */

static struct budget *find(struct pacing *pacing, const unsigned char key[HASH_BYTES])
{
    for (struct list_link *link = list_first(&pacing->budgets); link != NULL; link = list_next(&pacing->budgets, link))
        if (memcmp(list_entry(link, struct budget, link)->key, key, HASH_BYTES) == 0)
            return list_entry(link, struct budget, link);
    return NULL;
}

static struct budget *add(struct pacing *pacing, const unsigned char key[HASH_BYTES])
{
    struct budget *budget = xcalloc(1, sizeof *budget);
    budget->pacing = pacing;
    memcpy(budget->key, key, HASH_BYTES);
    list_init(&budget->turns);
    atomic_init(&budget->references, 0);
    budget->sounded_ms = -1;
    set_rates(budget, &pacing->rates);
    return budget;
}

/* The list is as a rule of one entry, and at most of some hundred. */
struct budget *budget_of(struct pacing *pacing, const char *base_url, const char *token)
{
    struct hash hash;
    unsigned char key[HASH_BYTES];
    hash_init(&hash, pacing->hash_key);
    hash_add_text(&hash, base_url);
    hash_add_text(&hash, token);
    hash_end(&hash, key);
    ensure(pthread_mutex_lock(&pacing->mutex) == 0);
    struct budget *budget = find(pacing, key);
    if (budget == NULL)
        budget = add(pacing, key);
    else if (budget->references == 0)
        pacing->idle--;
    atomic_fetch_add(&budget->references, 1);
    list_remove(&budget->link);
    list_append(&pacing->budgets, &budget->link);
    ensure(pthread_mutex_unlock(&pacing->mutex) == 0);
    return budget;
}

static void forget_oldest_idle(struct pacing *pacing)
{
    struct list_link *link = list_first(&pacing->budgets);
    while (list_entry(link, struct budget, link)->references > 0)
        link = list_next(&pacing->budgets, link);
    forget(list_entry(link, struct budget, link));
    pacing->idle--;
}

/* True: others hold it still, so nothing else changes, and no lock is needed. The last one is dropped under the lock,
 * where no other can come meanwhile. */
static bool drop_one_of_many(struct budget *budget)
{
    size_t held = atomic_load(&budget->references);
    while (held > 1)
        if (atomic_compare_exchange_weak(&budget->references, &held, held - 1))
            return true;
    return false;
}

void budget_unref(struct budget **handle)
{
    struct budget *budget = *handle;
    *handle = NULL;
    if (budget == NULL)
        return;
    if (drop_one_of_many(budget))
        return;
    struct pacing *pacing = budget->pacing;
    ensure(pthread_mutex_lock(&pacing->mutex) == 0);
    list_remove(&budget->link);
    list_append(&pacing->budgets, &budget->link);
    if (atomic_fetch_sub(&budget->references, 1) == 1 && ++pacing->idle > PACING_IDLE_MAX)
        forget_oldest_idle(pacing);
    ensure(pthread_mutex_unlock(&pacing->mutex) == 0);
}

int64_t pacing_remaining(struct pacing *pacing, enum budget_kind kind, int64_t now_ms)
{
    struct budget untouched = {0};
    ensure(pthread_mutex_lock(&pacing->mutex) == 0);
    set_rates(&untouched, &pacing->rates);
    int64_t least = bucket_left(&untouched.buckets[kind], now_ms);
    for (struct list_link *link = list_first(&pacing->budgets); link != NULL;
         link = list_next(&pacing->budgets, link)) {
        int64_t left = bucket_left(&list_entry(link, struct budget, link)->buckets[kind], now_ms);
        least = left < least ? left : least;
    }
    ensure(pthread_mutex_unlock(&pacing->mutex) == 0);
    return least;
}

/* ---- calls ---- */

int64_t budget_reserve(struct budget *budget, int64_t now_ms)
{
    pacing_lock(budget);
    int64_t place_us = bucket_take_us(&budget->buckets[BUDGET_CALLS], now_ms);
    pacing_unlock(budget);
    return (place_us + 999) / 1000;
}

bool budget_is_held(struct budget *budget, int64_t now_ms)
{
    pacing_lock(budget);
    bool is_held = now_ms < budget->buckets[BUDGET_CALLS].held_until_ms;
    pacing_unlock(budget);
    return is_held;
}

/* ---- what answers tell ---- */

void budget_learn(struct budget *budget, enum budget_kind kind, int64_t now_ms, int64_t remaining, int64_t reset_ms)
{
    pacing_lock(budget);
    bucket_learn(&budget->buckets[kind], now_ms, remaining, reset_ms);
    pacing_unlock(budget);
}

/* A poll costs nothing and can be made another time, so its refusal holds up the others and no more is made of it. */
void budget_refused(struct budget *budget, enum budget_kind kind, int64_t now_ms, const struct budget_refusal *refusal)
{
    pacing_lock(budget);
    bucket_refuse(&budget->buckets[kind], now_ms, refusal, kind == BUDGET_CREATES);
    pacing_unlock(budget);
}

/* ---- how many wait ---- */

static void add_demand(struct poll_demand *sum, const struct poll_demand *more, double sign)
{
    sum->seldom_per_ms += sign * more->seldom_per_ms;
    sum->often_per_ms += sign * more->often_per_ms;
    sum->often_urgency += sign * more->often_urgency;
    sum->urgency += sign * more->urgency;
}

void budget_load(struct budget *budget, const struct budget_share *own, int64_t now_ms, struct budget_load *load)
{
    pacing_lock(budget);
    const struct bucket *bucket = &budget->buckets[BUDGET_CALLS];
    int64_t ahead_us = bucket_earliest_us(bucket, now_ms) - now_ms * 1000;
    *load = (struct budget_load){
        .calls_per_ms = 1000.0 / (double)bucket_long_pace(bucket, now_ms).interval_us,
        .demand = budget->demand,
        .waiting = budget->waiting - (own->is_counted ? 1 : 0),
        .backlog_ms = ahead_us > 0 ? ahead_us / 1000 : 0,
    };
    pacing_unlock(budget);
    add_demand(&load->demand, &own->demand, -1);
}

/* Without any share the sums are nothing, whatever rounding has made of them. */
static void share_drop(struct budget *budget, struct budget_share *own)
{
    if (!own->is_counted)
        return;
    budget->waiting--;
    add_demand(&budget->demand, &own->demand, -1);
    if (budget->waiting == 0)
        budget->demand = (struct poll_demand){0};
    *own = (struct budget_share){0};
}

void budget_share_set(struct budget *budget, struct budget_share *own, const struct poll_demand *demand)
{
    pacing_lock(budget);
    share_drop(budget, own);
    *own = (struct budget_share){*demand, true};
    budget->waiting++;
    add_demand(&budget->demand, demand, 1);
    pacing_unlock(budget);
}

void budget_share_clear(struct budget *budget, struct budget_share *own)
{
    if (!own->is_counted)
        return;
    pacing_lock(budget);
    share_drop(budget, own);
    pacing_unlock(budget);
}

/* ---- pauses ---- */

int64_t pacing_poll_delay_ms(int polls, bool running, int64_t longest_ms)
{
    if (longest_ms < 1)
        longest_ms = 1;
    if (running && longest_ms > LONGEST_RUNNING_MS)
        longest_ms = LONGEST_RUNNING_MS;
    int64_t delay_ms = running ? FIRST_RUNNING_MS : FIRST_STARTING_MS;
    /* In hundredths, without the rounding of a power: 1.3 while it runs, 1.5 while it boots. */
    for (int i = 0; i < polls && delay_ms < longest_ms; i++)
        delay_ms = delay_ms * (running ? 130 : 150) / 100;
    return delay_ms < longest_ms ? delay_ms : longest_ms;
}

int64_t pacing_backoff_ms(int attempt)
{
    int64_t delay_ms = BACKOFF_FIRST_MS;
    for (int i = 1; i < attempt && delay_ms < BACKOFF_LONGEST_MS; i++)
        delay_ms *= 2;
    return delay_ms < BACKOFF_LONGEST_MS ? delay_ms : BACKOFF_LONGEST_MS;
}
