/* What a round of streams measures, and what comes of it.
 *
 * Times are of the steady part alone: from the moment at which the last stream has had its first piece until the first
 * stream ends. Setting streams up costs something too, but it is not what a piece costs. One thread at a time. */
#ifndef BENCH_STREAM_FIGURES_H
#define BENCH_STREAM_FIGURES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The processes as they stand: processor time that has been used so far, and the daemon's memory. */
struct snapshot {
    int64_t at_us; /* 0 = not taken */
    int64_t daemon_cpu_us, simulator_cpu_us, client_cpu_us;
    int64_t machine_cpu_us; /* all processes, all processors */
    long daemon_rss_kib;
};

/* One piece's arrival. */
struct arrival {
    int64_t at_us;
    int64_t latency_us; /* since it was made */
    int64_t gap_us;     /* since the stream's piece before; -1 = it was the first */
};

struct recording {
    struct arrival *arrivals;
    size_t count, capacity;
    struct snapshot begin, end; /* of the steady part */
};

struct stream_figures {
    double p50_ms, p99_ms, slowest_ms, largest_gap_ms;
    double slowest_ever_ms;                                /* of the whole round */
    double daemon_cpu_us, simulator_cpu_us, client_cpu_us; /* a piece */
    double others_cpu_percent; /* what the rest of the machine took, of one processor: how far to trust the times */
    double daemon_rss_kib;
    double steady_s, steady_pieces;
};

int64_t figures_now_us(void); /* the monotonic clock, which the simulator's stamps are of */

void snapshot_take(struct snapshot *snapshot, pid_t daemon, pid_t simulator);

void recording_init(struct recording *recording, size_t capacity);
void recording_dispose(struct recording *recording);
void recording_add(struct recording *recording, const struct arrival *arrival);

/* All zero where there was no steady part. Sorts the arrivals. */
void recording_sum_up(struct recording *recording, struct stream_figures *figures);

#endif
