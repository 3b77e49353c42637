/* The text that a scraper reads. Lines of one metric stand together, behind their HELP and TYPE. */
#include <inttypes.h>
#include <stdio.h>

#include "base/ensure.h"
#include "metrics_int.h"

static metrics_collect_fn collect_fn;
static void *collect_arg;

void metrics_on_read(metrics_collect_fn collect, void *arg)
{
    metrics_lock();
    collect_fn = collect;
    collect_arg = arg;
    metrics_unlock();
}

/* ---- the parts of a line ---- */

void metrics_write_label(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "%s=\"", name);
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\n')
            buf_append_text(out, "\\n");
        else if (*c == '"' || *c == '\\')
            buf_append(out, (const char[]){'\\', *c}, 2);
        else
            buf_append(out, c, 1);
    }
    buf_append_text(out, "\"");
}

void metrics_write_head(struct buf *out, const char *name, const char *help, enum metric_type type)
{
    static const char *const types[] = {
        [METRIC_TYPE_COUNTER] = "counter", [METRIC_TYPE_GAUGE] = "gauge", [METRIC_TYPE_HISTOGRAM] = "histogram"};
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, types[type]);
}

/* Seconds, as short as they can be said: 2.5, 60. */
static void append_seconds(struct buf *out, int64_t ms)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%" PRId64 ".%03" PRId64, ms / 1000, ms % 1000);
    ensure(length > 0 && (size_t)length < sizeof text);
    while (text[length - 1] == '0')
        length--;
    if (text[length - 1] == '.')
        length--;
    buf_append(out, text, (size_t)length);
}

/* `labels` without their braces; `le_ms`: -1 = no bound, INT64_MAX = +Inf. */
static void append_name(struct buf *out, const struct metrics_family *family, const char *suffix, const char *labels,
                        int64_t le_ms)
{
    buf_printf(out, "%s%s", family->name, suffix);
    if (labels[0] == '\0' && le_ms < 0)
        return;
    buf_printf(out, "{%s", labels);
    if (le_ms >= 0)
        buf_append_text(out, labels[0] == '\0' ? "le=\"" : ",le=\"");
    if (le_ms == INT64_MAX)
        buf_append_text(out, "+Inf");
    else if (le_ms >= 0)
        append_seconds(out, le_ms);
    buf_append_text(out, le_ms >= 0 ? "\"}" : "}");
}

/* The count is made of the buckets, so that it agrees with them while others go on counting. */
static void append_histogram(struct buf *out, const struct metrics_family *family, const char *labels, size_t cell)
{
    int64_t count = 0;
    for (size_t i = 0; i <= family->bound_count; i++) {
        count += metrics_cell_sum(cell + i);
        append_name(out, family, "_bucket", labels, i < family->bound_count ? family->bounds_ms[i] : INT64_MAX);
        buf_printf(out, " %" PRId64 "\n", count);
    }
    append_name(out, family, "_sum", labels, -1);
    buf_append_text(out, " ");
    append_seconds(out, metrics_cell_sum(cell + family->bound_count + 1));
    buf_append_text(out, "\n");
    append_name(out, family, "_count", labels, -1);
    buf_printf(out, " %" PRId64 "\n", count);
}

/* ---- a metric ---- */

static bool is_of_words(const struct metrics_family *family)
{
    return metrics_labels[family->labels[0]].kind == METRIC_LABEL_KIND_WORDS &&
           metrics_labels[family->labels[1]].kind == METRIC_LABEL_KIND_WORDS;
}

/* A histogram's sum may be 0 though something was observed, but then its buckets are not. */
static bool has_counted(const struct metrics_family *family, size_t cell)
{
    bool has = false;
    for (size_t i = 0; i < family->width && !has; i++)
        has = metrics_cell_sum(cell + i) != 0;
    return has;
}

static void append_label(struct buf *labels, enum metric_label label, const char *text)
{
    if (label == METRIC_LABEL_none)
        return;
    if (labels->length > 0)
        buf_append_text(labels, ",");
    metrics_write_label(labels, metrics_labels[label].name, text);
}

/* The series of one combination of labels, where it is to be shown. */
static void append_series(struct buf *out, const struct metrics_family *family, size_t first, size_t second)
{
    char rooms[2][24];
    size_t cell = metrics_cell(family, first, second);
    if (!is_of_words(family) && !has_counted(family, cell))
        return;
    const char *first_text = metrics_label_text(family->labels[0], first, rooms[0], sizeof rooms[0]);
    const char *second_text = metrics_label_text(family->labels[1], second, rooms[1], sizeof rooms[1]);
    if (first_text == NULL || second_text == NULL)
        return;
    struct buf labels;
    buf_init(&labels, 64 * 1024);
    append_label(&labels, family->labels[0], first_text);
    append_label(&labels, family->labels[1], second_text);
    if (family->type == METRIC_TYPE_HISTOGRAM) {
        append_histogram(out, family, buf_text(&labels), cell);
    } else {
        append_name(out, family, "", buf_text(&labels), -1);
        buf_printf(out, " %" PRId64 "\n", metrics_cell_sum(cell));
    }
    buf_dispose(&labels);
}

static void append_family(struct buf *out, const struct metrics_family *family)
{
    size_t firsts = metrics_label_count(family->labels[0]), seconds = metrics_label_count(family->labels[1]);
    metrics_write_head(out, family->name, family->help, family->type);
    for (size_t first = 0; first < firsts; first++)
        for (size_t second = 0; second < seconds; second++)
            append_series(out, family, first, second);
}

void metrics_write(struct buf *out)
{
    metrics_lock();
    metrics_collect_fn collect = collect_fn;
    void *arg = collect_arg;
    metrics_unlock();
    if (collect != NULL)
        collect(arg);
    metrics_lock();
    for (int metric = 0; metric < METRIC_COUNT; metric++)
        append_family(out, &metrics_families[metric]);
    metrics_write_process(out);
    metrics_unlock();
}
