/* What the files of the module `metrics` share: metrics.c (slots and cells), metrics_labels.c (what the values of
 * labels are called), metrics_write.c (the text) and metrics_process.c (the process as a whole). */
#ifndef METRICS_INT_H
#define METRICS_INT_H

#include <stdbool.h>

#include "base/metrics.h"

enum metric_type { METRIC_TYPE_COUNTER, METRIC_TYPE_GAUGE, METRIC_TYPE_HISTOGRAM };

/* A row of the table. The cells of a combination of labels stand side by side: one; of a histogram one for each bound,
 * one for what is above all bounds, and the sum in milliseconds. */
struct metrics_family {
    const char *name, *help;
    enum metric_type type;
    enum metric_label labels[2];
    size_t start, width;
    const int64_t *bounds_ms; /* NULL = no histogram */
    size_t bound_count;
};

/* --- metrics.c --- */

extern const struct metrics_family metrics_families[METRIC_COUNT];

size_t metrics_cell(const struct metrics_family *family, size_t first, size_t second);

/* One lock for the list of slots and for the words and names. */
void metrics_lock(void);
void metrics_unlock(void);

/* The sum over all slots; the lock is held. */
int64_t metrics_cell_sum(size_t cell);

/* --- metrics_labels.c; the lock is held but for the functions of the header --- */

enum metric_label_kind { METRIC_LABEL_KIND_WORDS, METRIC_LABEL_KIND_NAMES, METRIC_LABEL_KIND_NUMBERS };

struct metrics_label {
    const char *name;
    enum metric_label_kind kind;
    size_t capacity;
};

extern const struct metrics_label metrics_labels[METRIC_LABEL_COUNT];

/* How many values there may be by now, and the text of one; NULL where it has none. A number is written to `room`. */
size_t metrics_label_count(enum metric_label label);
const char *metrics_label_text(enum metric_label label, size_t index, char *room, size_t size);

/* --- metrics_write.c --- */

/* `name="value"`, escaped. */
void metrics_write_label(struct buf *out, const char *name, const char *value);
void metrics_write_head(struct buf *out, const char *name, const char *help, enum metric_type type);

/* --- metrics_process.c --- */

void metrics_write_process(struct buf *out);

#endif
