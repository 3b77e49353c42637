/* The table of all metrics: a new one is one row, here, and the calls that count. docs/metrics.md is generated from it
 * (scripts/metrics-table.sh), and the dashboard and the alerts of config/monitoring/ are checked against it.
 *
 * Names and units follow https://prometheus.io/docs/practices/naming/: base units, `_total` for counters. */
#ifndef BASE_METRICS_TABLE_H
#define BASE_METRICS_TABLE_H

/* Why a prediction was cancelled. */
#define METRIC_REASONS(X)                                                                                              \
    X(fault)       /* it could not be followed any further */                                                          \
    X(client_gone) /* its client hung up */                                                                            \
    X(deadline)    /* its time was over */                                                                             \
    X(sibling)     /* another choice of the same request failed */                                                     \
    X(stop)        /* a stop string ended the text */                                                                  \
    X(drain)       /* the daemon stops */

#define METRIC_TOKENS(X) X(input) X(output) X(reasoning)

/* What Replicate is asked for: `model` is the latest version of a model, `delete` an uploaded file's end. */
#define METRIC_CALLS(X) X(create) X(poll) X(cancel) X(stream_open) X(schema) X(model) X(upload) X(delete)

#define METRIC_BUDGETS(X) X(calls) X(creates)

#define METRIC_RESULTS(X) X(success) X(failure)

/* Where a label's values come from.
 * WORDS: a fixed list; a metric of such labels alone shows them all from the start, as 0.
 * NAMES: given by the configuration, remembered for ever; the first is "other", for all that find no place.
 * NUMBERS: the number itself; 0 is "other".
 * Identifier, the label as it is shown, kind, how many values at most. */
#define METRIC_LABELS(X)                                                                                               \
    X(none, "", WORDS, 1)                                                                                              \
    X(alias, "alias", NAMES, 1001)                                                                                     \
    X(endpoint, "endpoint", WORDS, 40)                                                                                 \
    X(code, "code", NUMBERS, 600)                                                                                      \
    X(request_state, "state", WORDS, 8)                                                                                \
    X(prediction_state, "state", WORDS, 16)                                                                            \
    X(error, "kind", WORDS, 64)                                                                                        \
    X(token, "kind", WORDS, 3)                                                                                         \
    X(reason, "reason", WORDS, 6)                                                                                      \
    X(call, "call", WORDS, 8)                                                                                          \
    X(budget, "budget", WORDS, 2)                                                                                      \
    X(result, "result", WORDS, 2)

/* Upper bounds of the buckets in milliseconds: of what takes as long as a model does, of a call to Replicate, and of
 * what should take no time at all. */
#define METRIC_BOUNDS_LONG                                                                                             \
    100, 250, 500, 1000, 2500, 5000, 10000, 20000, 30000, 60000, 120000, 300000, 600000, 1200000, 3600000
#define METRIC_BOUNDS_CALL 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000
#define METRIC_BOUNDS_LAG 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000

/* Name, type (LONG, CALL and LAG are histograms of these bounds), its labels, help. */
#define METRICS(X)                                                                                                     \
    X(requests_total, COUNTER, endpoint, code,                                                                         \
      "HTTP requests, by endpoint and status code; code 499: the client hung up before its answer")                    \
    X(requests_in_flight, GAUGE, request_state, none, "HTTP requests in progress, by state")                           \
    X(request_duration_seconds, LONG, alias, none,                                                                     \
      "Time from the head of a request to the last byte of its answer, by the alias of its model")                     \
    X(first_piece_seconds, LONG, alias, none,                                                                          \
      "Time from the head of a request for a stream to the first piece of the model's output")                         \
    X(tokens_total, COUNTER, alias, token, "Tokens that Replicate reported of finished predictions")                   \
    X(errors_total, COUNTER, error, none, "HTTP requests that ended in an error, by its kind")                         \
    X(clients_gone_total, COUNTER, none, none, "Clients that hung up before their answer")                             \
    X(retries_joined_total, COUNTER, none, none, "Retries that were given the prediction of an earlier try")           \
    X(fallbacks_total, COUNTER, alias, none, "Times that another route stood in for this one, which had failed")       \
    X(predictions, GAUGE, prediction_state, none, "Predictions that are followed, by state")                           \
    X(predictions_created_total, COUNTER, none, none, "Predictions created at Replicate")                              \
    X(predictions_succeeded_total, COUNTER, none, none, "Predictions that succeeded")                                  \
    X(predictions_failed_total, COUNTER, none, none, "Predictions that failed, were canceled or aborted")              \
    X(prediction_boot_seconds, LONG, alias, none,                                                                      \
      "Time from the creation of a prediction until its model was at work: queue and cold boot")                       \
    X(prediction_run_seconds, LONG, alias, none,                                                                       \
      "Time from when a model was at work on a prediction until that succeeded")                                       \
    X(cancels_total, COUNTER, reason, none, "Predictions that were cancelled, by reason")                              \
    X(creates_total, COUNTER, none, none, "Create calls sent to Replicate")                                            \
    X(polls_total, COUNTER, none, none, "Polls sent to Replicate")                                                     \
    X(upstream_duration_seconds, CALL, call, none,                                                                     \
      "Time until Replicate answered a call, of a stream until its first byte")                                        \
    X(upstream_budget_remaining, GAUGE, budget, none,                                                                  \
      "Calls that may be made to Replicate at once, of the token that has the fewest left")                            \
    X(transfers, GAUGE, none, none, "Transfers to Replicate under way or queued")                                      \
    X(loop_lag_seconds, LAG, none, none, "How late the most overdue timer of a turn of a worker's loop was")           \
    X(config_reloads_total, COUNTER, result, none, "Reloads of the configuration, by result")                          \
    X(config_last_reload_successful, GAUGE, none, none,                                                                \
      "1 where the configuration was loaded at the last attempt, 0 where that failed")                                 \
    X(config_last_reload_success_timestamp_seconds, GAUGE, none, none,                                                 \
      "When the configuration in use was loaded, in seconds since 1970")

/* Of the process as a whole: name as it stands in the text, type, labels, help. */
#define METRICS_PROCESS(X)                                                                                             \
    X(replibridge_build_info, GAUGE, "version,mhd,curl,jansson", "1, with the versions of what runs")                  \
    X(process_start_time_seconds, GAUGE, "", "When the process was started, in seconds since 1970")                    \
    X(process_cpu_seconds_total, COUNTER, "", "User and system CPU time spent in seconds")                             \
    X(process_resident_memory_bytes, GAUGE, "", "Resident memory in bytes")                                            \
    X(process_virtual_memory_bytes, GAUGE, "", "Virtual memory in bytes")                                              \
    X(process_open_fds, GAUGE, "", "Open file descriptors")                                                            \
    X(process_max_fds, GAUGE, "", "File descriptors that may be open")

#endif
