/* Who creates next: those who wait for a place in a token's budget for creates, in the order of asking.
 *
 * Nobody is woken: who waits asks again when its turn is due, and now and then before, for others may have left or the
 * limit may have been lifted. */
#include "base/ensure.h"
#include "pacing_int.h"

enum {
    SOUNDING_MS = 1000,        /* how long the first create goes alone, at most */
    SOUNDING_AGAIN_MS = 25,    /* how often the others ask whether it is over ... */
    SOUNDING_RANKS_PER_MS = 8, /* ... and less often the more there are */
    ASK_AGAIN_MS = 1000,       /* how often those in front ask whether anything has changed ... */
    RANK_MS = 10,              /* ... and the others, per place in the line */
};

/* Whoever was refused has a number already, and goes before those who came later. */
static void stand_in_line(struct budget *budget, struct budget_turn *turn)
{
    if (turn->number == 0)
        turn->number = ++budget->last_number;
    list_append(&budget->turns, &turn->link);
    size_t others = turn->number == budget->last_number ? 0 : budget->turns.length - 1;
    for (struct list_link *link = list_first(&budget->turns), *next; others > 0; others--, link = next) {
        next = list_next(&budget->turns, link);
        if (list_entry(link, struct budget_turn, link)->number < turn->number)
            continue;
        list_remove(link);
        list_append(&budget->turns, link);
    }
}

/* How many go before it. */
static int64_t rank_of(const struct budget *budget, const struct budget_turn *turn)
{
    int64_t rank = 0;
    for (const struct list_link *link = list_first(&budget->turns); link != &turn->link;
         link = list_next(&budget->turns, link))
        rank++;
    return rank;
}

/* Of a token that was never asked with, nobody knows how many creates it may make; if they all went at once, those too
 * many would count against it. */
static bool is_sounding(const struct budget *budget, int64_t now_ms)
{
    return !budget->buckets[BUDGET_CREATES].is_heard && budget->sounded_ms >= 0 &&
           now_ms < budget->sounded_ms + SOUNDING_MS;
}

static int64_t up_to_ms(int64_t us)
{
    return (us + 999) / 1000;
}

/* Not only the first may go: one whose worker is late holds up nobody, once its own place and theirs have come up. */
static int64_t comes_ms(const struct bucket *bucket, int64_t rank, int64_t now_ms)
{
    int64_t turns_us = rank * bucket_pace(bucket, now_ms).interval_us;
    int64_t burst_us = bucket_earliest_us(bucket, now_ms) + turns_us;
    int64_t late_us = bucket->earliest_us + turns_us;
    return up_to_ms(late_us < burst_us ? late_us : burst_us);
}

static void foresee(const struct budget *budget, int64_t rank, int64_t now_ms, struct budget_forecast *forecast)
{
    const struct bucket *bucket = &budget->buckets[BUDGET_CREATES];
    int64_t interval_us = bucket_long_pace(bucket, now_ms).interval_us;
    int64_t place_ms = up_to_ms(bucket_earliest_us(bucket, now_ms) + rank * interval_us);
    int64_t again_ms = now_ms + ASK_AGAIN_MS + rank * RANK_MS;
    int64_t turn_ms = comes_ms(bucket, rank, now_ms);
    if (is_sounding(budget, now_ms))
        again_ms = now_ms + SOUNDING_AGAIN_MS + rank / SOUNDING_RANKS_PER_MS;
    else if (turn_ms < again_ms)
        again_ms = turn_ms;
    forecast->place_ms = place_ms > now_ms ? place_ms : now_ms;
    forecast->ask_again_ms = again_ms;
}

static bool ask(struct budget *budget, struct budget_turn *turn, int64_t now_ms, struct budget_forecast *forecast)
{
    struct bucket *bucket = &budget->buckets[BUDGET_CREATES];
    if (turn->link.list == NULL)
        stand_in_line(budget, turn);
    int64_t rank = rank_of(budget, turn);
    if (is_sounding(budget, now_ms) || comes_ms(bucket, rank, now_ms) > now_ms) {
        foresee(budget, rank, now_ms, forecast);
        return false;
    }
    (void)bucket_take_us(bucket, now_ms);
    list_remove(&turn->link);
    if (budget->sounded_ms < 0)
        budget->sounded_ms = now_ms;
    *forecast = (struct budget_forecast){now_ms, now_ms};
    return true;
}

bool budget_turn_ask(struct budget *budget, struct budget_turn *turn, int64_t now_ms, struct budget_forecast *forecast)
{
    ensure(turn->budget == NULL || turn->budget == budget);
    turn->budget = budget;
    pacing_lock(budget);
    bool is_taken = ask(budget, turn, now_ms, forecast);
    pacing_unlock(budget);
    turn->is_waiting = !is_taken;
    return is_taken;
}

void budget_turn_leave(struct budget_turn *turn)
{
    if (!turn->is_waiting)
        return;
    turn->is_waiting = false;
    pacing_lock(turn->budget);
    list_remove(&turn->link);
    pacing_unlock(turn->budget);
}

void budget_turn_unanswered(struct budget *budget)
{
    pacing_lock(budget);
    budget->sounded_ms = -1;
    pacing_unlock(budget);
}
