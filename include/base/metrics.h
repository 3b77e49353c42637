/* Counters and gauges from one table, one slot a worker, summed when read.
 *
 * A slot has one writer (its worker); readers add up what they see. Names begin with
 * `replibridge_` in the exposition. Any thread may read. */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdint.h>

#include "base/buf.h"

/* Name, type, help. Counters only grow; gauges are set. */
#define METRICS(X)                                                                                    \
    X(requests_total, COUNTER, "HTTP requests answered")                                              \
    X(request_errors_total, COUNTER, "HTTP requests answered with an error")                          \
    X(clients_gone_total, COUNTER, "Clients that hung up before their answer")                        \
    X(predictions_created_total, COUNTER, "Predictions created at Replicate")                         \
    X(predictions_succeeded_total, COUNTER, "Predictions that succeeded")                             \
    X(predictions_failed_total, COUNTER, "Predictions that failed, were canceled or aborted")         \
    X(retries_joined_total, COUNTER, "Retries that were given the prediction of an earlier try")      \
    X(cancels_total, COUNTER, "Cancel calls sent to Replicate")                                       \
    X(polls_total, COUNTER, "Polls sent to Replicate")                                                \
    X(exchanges, GAUGE, "HTTP requests in progress")                                                  \
    X(queued, GAUGE, "Requests that wait in line, as rpm and max_parallel_requests say")              \
    X(predictions, GAUGE, "Predictions followed, in any state")                                       \
    X(transfers, GAUGE, "Transfers to Replicate under way or queued")

enum metric {
#define X(name, type, help) METRIC_##name,
    METRICS(X)
#undef X
    METRIC_COUNT
};

struct metrics; /* one slot */

/* A zeroed slot, registered for reading until freed. */
struct metrics *metrics_new(void);
void metrics_free(struct metrics *slot); /* its counters stay in the sums */

void metrics_add(struct metrics *slot, enum metric metric, int64_t amount);
void metrics_set(struct metrics *slot, enum metric metric, int64_t value);

/* The sum over all slots. */
int64_t metrics_sum(enum metric metric);

/* Appends the Prometheus text exposition (version 0.0.4) of all metrics. */
void metrics_write(struct buf *out);

#endif
