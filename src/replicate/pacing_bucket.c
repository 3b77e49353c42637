/* One budget, as a generic cell rate algorithm, and what it learns from answers.
 *
 * One number says when the next place comes up; every place moves it on by one interval. It may lie in the past, by as
 * much as a burst is long. */
#include "base/ensure.h"
#include "pacing_int.h"

enum {
    RESET_LONGEST_MS = 60 * 1000, /* what an answer may ask for: no header stops all calls for longer */
    REFUSED_MS = 10 * 60 * 1000,
    LITTLE = 100, /* of what remains */
    HOLD_LONGEST_MS = 60 * 60 * 1000,
    GUESS_LONGEST_MS = 60 * 1000,
    MARGIN_PERCENT = 5, /* a rate that was told is not used up: the way there is not always equally long */
};

/* No more than this is believed, nor needed. */
static const int64_t per_minute_max = 60 * 1000 * 1000;

static struct pace pace_of(int64_t interval_us, int64_t burst)
{
    return (struct pace){interval_us, (burst - 1) * interval_us};
}

static int64_t interval_us(int64_t per_minute)
{
    return INT64_C(60000000) / (per_minute < per_minute_max ? per_minute : per_minute_max);
}

void bucket_set_rate(struct bucket *bucket, int64_t per_minute, int64_t burst)
{
    ensure(per_minute > 0 && burst > 0);
    bucket->usual = pace_of(interval_us(per_minute), burst);
}

static bool is_refused(const struct bucket *bucket, int64_t now_ms)
{
    return now_ms < bucket->refused_until_ms && bucket->refused.interval_us > bucket->usual.interval_us;
}

struct pace bucket_long_pace(const struct bucket *bucket, int64_t now_ms)
{
    return is_refused(bucket, now_ms) && !bucket->is_guess ? bucket->refused : bucket->usual;
}

struct pace bucket_pace(const struct bucket *bucket, int64_t now_ms)
{
    struct pace pace = is_refused(bucket, now_ms) ? bucket->refused : bucket->usual;
    if (now_ms < bucket->slow_until_ms && bucket->slow_interval_us > pace.interval_us)
        pace = pace_of(bucket->slow_interval_us, 1);
    return pace;
}

int64_t bucket_earliest_us(const struct bucket *bucket, int64_t now_ms)
{
    int64_t burst_us = now_ms * 1000 - bucket_pace(bucket, now_ms).ahead_us;
    return bucket->earliest_us > burst_us ? bucket->earliest_us : burst_us;
}

/* A place that is not used is lost, which errs on the side of asking too rarely. */
int64_t bucket_take_us(struct bucket *bucket, int64_t now_ms)
{
    int64_t earliest_us = bucket_earliest_us(bucket, now_ms), now_us = now_ms * 1000;
    bucket->earliest_us = earliest_us + bucket_pace(bucket, now_ms).interval_us;
    return earliest_us > now_us ? earliest_us : now_us;
}

int64_t bucket_left(const struct bucket *bucket, int64_t now_ms)
{
    int64_t ahead_us = now_ms * 1000 - bucket_earliest_us(bucket, now_ms);
    return ahead_us < 0 ? 0 : ahead_us / bucket_pace(bucket, now_ms).interval_us + 1;
}

/* No burst follows a hold: those who waited come one after the other. */
void bucket_hold(struct bucket *bucket, int64_t until_ms)
{
    if (until_ms > bucket->held_until_ms)
        bucket->held_until_ms = until_ms;
    if (until_ms * 1000 > bucket->earliest_us)
        bucket->earliest_us = until_ms * 1000;
}

/* ---- what answers tell ---- */

static void lift(struct bucket *bucket, int64_t now_ms)
{
    bucket->refused_until_ms = 0;
    bucket->held_until_ms = now_ms;
    if (bucket->earliest_us > now_ms * 1000)
        bucket->earliest_us = now_ms * 1000;
}

/* What was refused and then went well without a number may go well sooner. */
static void hurry_guess(struct bucket *bucket, int64_t now_ms)
{
    if (!is_refused(bucket, now_ms) || !bucket->is_guess)
        return;
    bucket->earliest_us -= bucket->refused.interval_us / 2;
    bucket->refused = pace_of(bucket->refused.interval_us / 2, 1);
}

/* There are no more places now than remain; and what little remains is spread over the time until the reset. Of more
 * than that the next answers will tell in time. */
static void make_last(struct bucket *bucket, int64_t now_ms, int64_t remaining, int64_t reset_ms)
{
    struct pace pace = is_refused(bucket, now_ms) ? bucket->refused : bucket->usual;
    if (remaining - 1 < pace.ahead_us / pace.interval_us) {
        int64_t least_us = now_ms * 1000 - (remaining - 1) * pace.interval_us;
        if (bucket->earliest_us < least_us)
            bucket->earliest_us = least_us;
    }
    bool is_little = remaining <= LITTLE && reset_ms > 0;
    bucket->slow_interval_us = is_little ? reset_ms * 1000 / remaining : 0;
    bucket->slow_until_ms = is_little ? now_ms + reset_ms : 0;
}

void bucket_learn(struct bucket *bucket, int64_t now_ms, int64_t remaining, int64_t reset_ms)
{
    bucket->is_heard = true;
    bucket->refusals = 0;
    if (reset_ms > RESET_LONGEST_MS)
        reset_ms = RESET_LONGEST_MS;
    if (remaining < 0) {
        hurry_guess(bucket, now_ms);
        return;
    }
    if (is_refused(bucket, now_ms) && remaining >= bucket->lifted_from)
        lift(bucket, now_ms);
    if (remaining > 0)
        make_last(bucket, now_ms, remaining, reset_ms);
    else if (reset_ms > 0)
        bucket_hold(bucket, now_ms + reset_ms);
}

/* Where the wait that was named was not enough, the refused try itself was counted: it has to be earned as well. */
static int64_t hold_ms(struct bucket *bucket, int64_t wait_ms)
{
    bool was_too_short = bucket->refusals++ > 0 && !bucket->is_guess;
    if (was_too_short)
        wait_ms += bucket->refused.interval_us / 1000;
    return wait_ms < HOLD_LONGEST_MS ? wait_ms : HOLD_LONGEST_MS;
}

/* Where a refusal says no rate, the wait is the best guess at one; but what was told before is better. */
void bucket_refuse(struct bucket *bucket, int64_t now_ms, const struct budget_refusal *refusal, bool may_guess)
{
    bucket->is_heard = true;
    bucket->slow_until_ms = 0;
    bool was_told = is_refused(bucket, now_ms) && !bucket->is_guess;
    int64_t wait_ms = refusal->wait_ms < GUESS_LONGEST_MS ? refusal->wait_ms : GUESS_LONGEST_MS;
    if (refusal->per_minute > 0) {
        int64_t told_us = interval_us(refusal->per_minute) * (100 + MARGIN_PERCENT) / 100;
        bucket->refused = pace_of(told_us, refusal->burst > 0 ? refusal->burst : 1);
        bucket->lifted_from = refusal->burst > 0 ? refusal->burst : refusal->per_minute;
        bucket->is_guess = false;
    } else if (may_guess && !was_told) {
        bucket->refused = pace_of(wait_ms * 1000, 1);
        bucket->lifted_from = 1;
        bucket->is_guess = true;
    }
    bucket->refused_until_ms = now_ms + REFUSED_MS;
    bucket_hold(bucket, now_ms + hold_ms(bucket, refusal->wait_ms));
}
