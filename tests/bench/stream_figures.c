/* From single arrivals, and from what /proc says of the processes, to the figures of a round. */
#include "stream_figures.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/ensure.h"

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;
    ensure(clock_gettime(clock, &now) == 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t figures_now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

/* ---- processes ---- */

/* All threads together, user and system; 0 when the process is gone. */
static int64_t cpu_us(pid_t pid)
{
    clockid_t clock;
    return clock_getcpuclockid(pid, &clock) == 0 ? clock_us(clock) : 0;
}

/* The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal. Neither waiting counts. */
static int64_t machine_cpu_us(void)
{
    long long ticks[8] = {0}, busy = 0;
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &ticks[0], &ticks[1], &ticks[2], &ticks[3],
               &ticks[4], &ticks[5], &ticks[6], &ticks[7]) == 8)
        busy = ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6] + ticks[7];
    fclose(file);
    return busy * (1000000 / sysconf(_SC_CLK_TCK));
}

static long rss_kib(pid_t pid)
{
    char path[64];
    long size, resident = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%ld %ld", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

void snapshot_take(struct snapshot *snapshot, pid_t daemon, pid_t simulator)
{
    *snapshot = (struct snapshot){.at_us = figures_now_us(),
                                  .daemon_cpu_us = cpu_us(daemon),
                                  .simulator_cpu_us = cpu_us(simulator),
                                  .client_cpu_us = cpu_us(getpid()),
                                  .machine_cpu_us = machine_cpu_us(),
                                  .daemon_rss_kib = rss_kib(daemon)};
}

/* ---- arrivals ---- */

void recording_init(struct recording *recording, size_t capacity)
{
    *recording = (struct recording){.capacity = capacity};
    recording->arrivals = xcalloc(capacity, sizeof *recording->arrivals);
}

void recording_dispose(struct recording *recording)
{
    free(recording->arrivals);
    *recording = (struct recording){0};
}

void recording_add(struct recording *recording, const struct arrival *arrival)
{
    ensure(recording->count < recording->capacity);
    recording->arrivals[recording->count++] = *arrival;
}

static int by_latency(const void *left, const void *right)
{
    const struct arrival *a = left, *b = right;
    return (a->latency_us > b->latency_us) - (a->latency_us < b->latency_us);
}

/* Moves the steady arrivals to the front: how many they are. */
static size_t pick_steady(struct recording *recording)
{
    size_t steady = 0;
    for (size_t i = 0; i < recording->count; i++) {
        struct arrival arrival = recording->arrivals[i];
        if (arrival.at_us < recording->begin.at_us || arrival.at_us > recording->end.at_us)
            continue;
        recording->arrivals[i] = recording->arrivals[steady];
        recording->arrivals[steady++] = arrival;
    }
    return steady;
}

static double ms(int64_t us)
{
    return (double)us / 1000.0;
}

static void sum_up_times(struct recording *recording, size_t steady, struct stream_figures *figures)
{
    const struct arrival *arrivals = recording->arrivals;
    int64_t slowest_us = 0, gap_us = 0;
    for (size_t i = 0; i < recording->count; i++)
        slowest_us = arrivals[i].latency_us > slowest_us ? arrivals[i].latency_us : slowest_us;
    for (size_t i = 0; i < steady; i++)
        gap_us = arrivals[i].gap_us > gap_us ? arrivals[i].gap_us : gap_us;
    qsort(recording->arrivals, steady, sizeof *recording->arrivals, by_latency);
    figures->p50_ms = ms(arrivals[steady / 2].latency_us);
    figures->p99_ms = ms(arrivals[steady * 99 / 100].latency_us);
    figures->slowest_ms = ms(arrivals[steady - 1].latency_us);
    figures->largest_gap_ms = ms(gap_us);
    figures->slowest_ever_ms = ms(slowest_us);
}

void recording_sum_up(struct recording *recording, struct stream_figures *figures)
{
    const struct snapshot *begin = &recording->begin, *end = &recording->end;
    *figures = (struct stream_figures){0};
    if (begin->at_us == 0 || end->at_us <= begin->at_us)
        return;
    size_t steady = pick_steady(recording);
    if (steady == 0)
        return;
    sum_up_times(recording, steady, figures);
    double pieces = (double)steady;
    int64_t daemon_us = end->daemon_cpu_us - begin->daemon_cpu_us;
    int64_t simulator_us = end->simulator_cpu_us - begin->simulator_cpu_us;
    int64_t client_us = end->client_cpu_us - begin->client_cpu_us;
    int64_t others_us = end->machine_cpu_us - begin->machine_cpu_us - daemon_us - simulator_us - client_us;
    figures->daemon_cpu_us = (double)daemon_us / pieces;
    figures->simulator_cpu_us = (double)simulator_us / pieces;
    figures->client_cpu_us = (double)client_us / pieces;
    /* Two ways of counting: theirs may come out a little below nothing. */
    figures->others_cpu_percent = others_us > 0 ? 100.0 * (double)others_us / (double)(end->at_us - begin->at_us) : 0;
    figures->daemon_rss_kib = (double)end->daemon_rss_kib;
    figures->steady_s = (double)(end->at_us - begin->at_us) / 1e6;
    figures->steady_pieces = pieces;
}
