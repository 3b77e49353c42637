/* One round of many streams at once, on one thread: through the daemon, or straight from the simulated Replicate. */
#ifndef BENCH_STREAM_ROUND_H
#define BENCH_STREAM_ROUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "stream_figures.h"

struct round_options {
    bool is_direct;
    int port;               /* of the daemon, or of the simulator */
    const char *name;       /* no other round has it: the streams' names begin with it */
    const char *model;      /* "owner/name", or the daemon's alias */
    size_t streams, pieces; /* pieces: of each stream */
    int64_t ramp_ms;        /* over which the streams are begun, evenly */
    int64_t patience_ms;    /* for the whole round */
    pid_t daemon, simulator;
};

struct round_result {
    struct stream_figures figures;
    size_t good, lost, doubled, garbled; /* pieces */
    size_t faulty;                       /* streams that were wrong in any way besides */
    char fault[512];                     /* what was wrong first; "" = nothing */
};

void round_run(const struct round_options *options, struct round_result *result);

bool round_is_right(const struct round_result *result);

#endif
