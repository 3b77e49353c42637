/* Counters, gauges and histograms from one table (base/metrics_table.h), one slot a thread, summed when read.
 *
 * A slot is an array with a cell for every value that every label may take, so that counting is an addition at a known
 * place, without a lock. Most cells are never touched and cost address space alone. A label's values are resolved to
 * their indexes ahead of requests: words once, names when a configuration is loaded. An index stays what it is as long
 * as the process lives, so a series keeps its value over reloads. Any thread may read. */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/metrics_table.h"

enum metric {
#define X(name, type, first, second, help) METRIC_##name,
    METRICS(X)
#undef X
        METRIC_COUNT
};

enum metric_label {
#define X(id, name, kind, capacity) METRIC_LABEL_##id,
    METRIC_LABELS(X)
#undef X
        METRIC_LABEL_COUNT
};

#define X(name) METRIC_REASON_##name,
enum metric_reason { METRIC_REASONS(X) METRIC_REASON_COUNT };
#undef X
#define X(name) METRIC_TOKEN_##name,
enum metric_token { METRIC_TOKENS(X) METRIC_TOKEN_COUNT };
#undef X
#define X(name) METRIC_CALL_##name,
enum metric_call { METRIC_CALLS(X) METRIC_CALL_COUNT };
#undef X
#define X(name) METRIC_BUDGET_##name,
enum metric_budget { METRIC_BUDGETS(X) METRIC_BUDGET_COUNT };
#undef X
#define X(name) METRIC_RESULT_##name,
enum metric_result { METRIC_RESULTS(X) METRIC_RESULT_COUNT };
#undef X

/* ---- labels; any thread, under a lock ---- */

/* The index of a name among the values of a label of NAMES: the same for the same name. 0, which is shown as "other",
 * where the label has no room for more. The name is copied. */
size_t metrics_name(enum metric_label label, const char *name);

/* Says what a value of a label of WORDS is called; `word` is static. What nobody has named is not shown. The words of
 * reasons, tokens, calls, budgets, results and errors are known. */
void metrics_word(enum metric_label label, size_t index, const char *word);

/* ---- counting; a slot has one writer as a rule, but may have several ---- */

struct metrics; /* one slot */

/* A slot of zeros, registered for reading until freed. */
struct metrics *metrics_new(void);
void metrics_free(struct metrics *slot); /* what it counted stays in the sums; NULL is fine */

/* `first` and `second` are indexes of the metric's labels, 0 where it has none; an index beyond its label's room counts
 * as 0. Without a slot (NULL) nothing is counted. */
void metrics_add_at(struct metrics *slot, enum metric metric, size_t first, size_t second, int64_t amount);
void metrics_set_at(struct metrics *slot, enum metric metric, size_t first, int64_t value); /* gauges */
void metrics_observe(struct metrics *slot, enum metric metric, size_t first, int64_t ms);   /* histograms */

/* The same of metrics without labels. */
void metrics_add(struct metrics *slot, enum metric metric, int64_t amount);
void metrics_set(struct metrics *slot, enum metric metric, int64_t value);

/* ---- reading; any thread, under a lock ---- */

/* The sum over all slots and labels; of a histogram how often something was observed. */
int64_t metrics_sum(enum metric metric);
int64_t metrics_sum_at(enum metric metric, size_t first, size_t second);

/* Is called before each reading of the whole, to set gauges that nobody keeps up to date. NULL: nothing is. */
typedef void (*metrics_collect_fn)(void *arg);
void metrics_on_read(metrics_collect_fn collect, void *arg);

/* Who this process is; once, at its start, which is noted. The texts are copied. */
void metrics_identify(const char *mhd_version, const char *curl_version);

/* Appends the text exposition, version 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/), of all
 * metrics. */
void metrics_write(struct buf *out);

#endif
