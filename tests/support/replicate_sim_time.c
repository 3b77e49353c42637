/* Time in the simulated Replicate: its clock, its timers, its timestamps, its budgets. */
#include "replicate_sim_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/ensure.h"

/* Not base/clock.h: a test that replaces that clock must not stop this one. */
int64_t sim_monotonic_us(void)
{
    struct timespec now;
    ensure(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t sim_monotonic_ms(void)
{
    return sim_monotonic_us() / 1000;
}

int64_t replicate_sim_now_us(void)
{
    return sim_monotonic_us();
}

int64_t sim_now(const struct replicate_sim *sim)
{
    return sim_monotonic_ms() - sim->start_ms;
}

/* The heap remembers in each timer where it is, so that clearing one needs no search. */
static void place(struct sim_timers *timers, struct sim_timer *timer, size_t slot)
{
    timers->heap[slot] = timer;
    timer->slot = slot;
}

/* Moves a timer towards the root until its parent is due before it. */
static void sift_up(struct sim_timers *timers, struct sim_timer *timer)
{
    size_t slot = timer->slot;
    while (slot > 1 && timers->heap[slot / 2]->due_ms > timer->due_ms) {
        place(timers, timers->heap[slot / 2], slot);
        slot /= 2;
    }
    place(timers, timer, slot);
}

/* Moves it away from the root until both its children are due after it. */
static void sift_down(struct sim_timers *timers, struct sim_timer *timer)
{
    size_t slot = timer->slot;
    for (;;) {
        size_t child = slot * 2;
        if (child > timers->count)
            break;
        if (child < timers->count && timers->heap[child + 1]->due_ms < timers->heap[child]->due_ms)
            child++;
        if (timers->heap[child]->due_ms >= timer->due_ms)
            break;
        place(timers, timers->heap[child], slot);
        slot = child;
    }
    place(timers, timer, slot);
}

void sim_timer_clear(struct replicate_sim *sim, struct sim_timer *timer)
{
    struct sim_timers *timers = &sim->timers;
    if (!timer->slot)
        return;
    struct sim_timer *last = timers->heap[timers->count--];
    if (last != timer) {
        place(timers, last, timer->slot);
        sift_up(timers, last);
        sift_down(timers, last);
    }
    timer->slot = 0;
}

void sim_timer_set(struct replicate_sim *sim, struct sim_timer *timer, int64_t due_ms)
{
    struct sim_timers *timers = &sim->timers;
    sim_timer_clear(sim, timer);
    if (timers->count + 2 > timers->capacity) {
        timers->capacity = timers->capacity ? timers->capacity * 2 : 64;
        timers->heap = xrealloc(timers->heap, timers->capacity * sizeof(struct sim_timer *));
    }
    timer->due_ms = due_ms;
    place(timers, timer, ++timers->count);
    sift_up(timers, timer);
}

int64_t sim_timers_next(const struct sim_timers *timers)
{
    return timers->count ? timers->heap[1]->due_ms : -1;
}

/* A timer set while firing, and due already, fires in the same turn: a plan without times ends at once. The clock is
 * read once, so this ends even so. */
void sim_timers_fire(struct replicate_sim *sim)
{
    int64_t now_ms = sim_now(sim);
    while (sim->timers.count && sim->timers.heap[1]->due_ms <= now_ms) {
        struct sim_timer *timer = sim->timers.heap[1];
        sim_timer_clear(sim, timer);
        timer->fire(sim, timer);
    }
}

/* The wall clock is read once, at the start, and moved by the monotonic one: timestamps never go backwards. */
void sim_timestamp(const struct replicate_sim *sim, int64_t at_ms, int digits, char out[40])
{
    int64_t wall_us = sim->start_wall_us + at_ms * 1000;
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    char text[32], fraction[16];
    ensure(strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts) > 0);
    snprintf(fraction, sizeof(fraction), "%06d", (int)(wall_us % 1000000));
    snprintf(out, 40, "%s.%.*sZ", text, digits, fraction);
}

bool sim_bucket_take(struct sim_bucket *bucket, int per_minute, int capacity, int64_t now_ms, int *wait_s)
{
    double per_ms = per_minute / 60000.0;
    bucket->level += (double)(now_ms - bucket->at_ms) * per_ms;
    if (bucket->level > capacity)
        bucket->level = capacity;
    bucket->at_ms = now_ms;
    if (bucket->level >= 1) {
        bucket->level -= 1;
        return true;
    }
    /* Rounded up; nearly a whole second is one. */
    *wait_s = (int)((1 - bucket->level) / per_ms / 1000 + 0.999);
    if (*wait_s < 1)
        *wait_s = 1;
    return false;
}
