/* The budget for polls, as a generic cell rate algorithm, and the pauses between tries.
 *
 * One number says how far ahead of real time the budget is used up; every place moves it on by one interval. A burst
 * may run ahead of it by a second's worth. */
#include "replicate/pacing.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/ensure.h"

enum {
    BURST_LEAST = 10,
    RESET_LONGEST_MS = 60 * 1000, /* what an answer may ask for: no header stops all polls for longer */
    FIRST_STARTING_MS = 250,
    FIRST_RUNNING_MS = 200,
    LONGEST_RUNNING_MS = 1000,
    BACKOFF_FIRST_MS = 500,
    BACKOFF_LONGEST_MS = 8000,
};

struct pacing {
    pthread_mutex_t mutex;
    int64_t interval_us; /* between two places */
    int64_t ahead_us;    /* how far a burst may run ahead */
    int64_t next_us;     /* when the next place would come up if there were no bursts */
    int64_t held_until_ms;
};

static void set_rate(struct pacing *pacing, int64_t per_minute)
{
    ensure(per_minute > 0);
    int64_t burst = per_minute / 60;
    if (burst < BURST_LEAST)
        burst = BURST_LEAST;
    pacing->interval_us = INT64_C(60000000) / per_minute;
    if (pacing->interval_us < 1)
        pacing->interval_us = 1;
    pacing->ahead_us = (burst - 1) * pacing->interval_us;
}

struct pacing *pacing_new(int64_t per_minute)
{
    struct pacing *pacing = xcalloc(1, sizeof *pacing);
    ensure(pthread_mutex_init(&pacing->mutex, NULL) == 0);
    set_rate(pacing, per_minute);
    return pacing;
}

void pacing_free(struct pacing *pacing)
{
    if (pacing == NULL)
        return;
    pthread_mutex_destroy(&pacing->mutex);
    free(pacing);
}

void pacing_set_rate(struct pacing *pacing, int64_t per_minute)
{
    pthread_mutex_lock(&pacing->mutex);
    set_rate(pacing, per_minute);
    pthread_mutex_unlock(&pacing->mutex);
}

/* A place that is not used is lost, which errs on the side of asking too rarely. */
int64_t pacing_reserve(struct pacing *pacing, int64_t now_ms)
{
    pthread_mutex_lock(&pacing->mutex);
    int64_t now_us = now_ms * 1000;
    int64_t place_us = pacing->next_us - pacing->ahead_us;
    if (place_us < now_us)
        place_us = now_us;
    pacing->next_us = (pacing->next_us > now_us ? pacing->next_us : now_us) + pacing->interval_us;
    pthread_mutex_unlock(&pacing->mutex);
    return (place_us + 999) / 1000;
}

/* The budget counts as used up until then, so that those who waited come one after the other, not in a burst. */
static void hold(struct pacing *pacing, int64_t until_ms)
{
    if (until_ms > pacing->held_until_ms)
        pacing->held_until_ms = until_ms;
    int64_t next_us = until_ms * 1000 + pacing->ahead_us;
    if (next_us > pacing->next_us)
        pacing->next_us = next_us;
}

/* What remains is not divided among the workers: below the limit the budget is enough, at the limit all must stop. */
void pacing_learn(struct pacing *pacing, int64_t now_ms, int64_t remaining, int64_t reset_ms)
{
    if (remaining != 0 || reset_ms <= 0)
        return;
    pacing_hold(pacing, now_ms + (reset_ms < RESET_LONGEST_MS ? reset_ms : RESET_LONGEST_MS));
}

void pacing_hold(struct pacing *pacing, int64_t until_ms)
{
    pthread_mutex_lock(&pacing->mutex);
    hold(pacing, until_ms);
    pthread_mutex_unlock(&pacing->mutex);
}

bool pacing_is_held(struct pacing *pacing, int64_t now_ms)
{
    pthread_mutex_lock(&pacing->mutex);
    bool is_held = now_ms < pacing->held_until_ms;
    pthread_mutex_unlock(&pacing->mutex);
    return is_held;
}

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
