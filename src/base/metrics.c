/* Slots and their cells: written without a lock, summed under the lock of the list of slots. */
#include "base/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "base/list.h"
#include "metrics_int.h"

static const int64_t bounds_LONG[] = {METRIC_BOUNDS_LONG};
static const int64_t bounds_CALL[] = {METRIC_BOUNDS_CALL};
static const int64_t bounds_LAG[] = {METRIC_BOUNDS_LAG};

enum {
    BOUNDS_COUNTER = 0,
    BOUNDS_GAUGE = 0,
    BOUNDS_LONG = sizeof bounds_LONG / sizeof bounds_LONG[0],
    BOUNDS_CALL = sizeof bounds_CALL / sizeof bounds_CALL[0],
    BOUNDS_LAG = sizeof bounds_LAG / sizeof bounds_LAG[0],
    WIDTH_COUNTER = 1,
    WIDTH_GAUGE = 1,
    WIDTH_LONG = BOUNDS_LONG + 2,
    WIDTH_CALL = BOUNDS_CALL + 2,
    WIDTH_LAG = BOUNDS_LAG + 2,
};

enum {
#define X(id, name, kind, capacity) CAPACITY_##id = capacity,
    METRIC_LABELS(X)
#undef X
};

/* Each metric's cells follow those of the one before. */
enum {
#define X(name, type, first, second, help)                                                                             \
    START_##name, LAST_##name = START_##name + WIDTH_##type * CAPACITY_##first * CAPACITY_##second - 1,
    METRICS(X)
#undef X
        CELL_COUNT
};

#define bounds_COUNTER NULL
#define bounds_GAUGE NULL
enum {
    TYPE_COUNTER = METRIC_TYPE_COUNTER,
    TYPE_GAUGE = METRIC_TYPE_GAUGE,
    TYPE_LONG = METRIC_TYPE_HISTOGRAM,
    TYPE_CALL = METRIC_TYPE_HISTOGRAM,
    TYPE_LAG = METRIC_TYPE_HISTOGRAM,
};

const struct metrics_family metrics_families[METRIC_COUNT] = {
#define X(name, type, first, second, help)                                                                             \
    [METRIC_##name] = {"replibridge_" #name,                                                                           \
                       help,                                                                                           \
                       (enum metric_type)TYPE_##type,                                                                  \
                       {METRIC_LABEL_##first, METRIC_LABEL_##second},                                                  \
                       START_##name,                                                                                   \
                       WIDTH_##type,                                                                                   \
                       bounds_##type,                                                                                  \
                       BOUNDS_##type},
    METRICS(X)
#undef X
};

struct metrics {
    struct list_link link;
    atomic_int_least64_t cells[CELL_COUNT];
};

/* `lock` guards the list; the cells need no lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list slots = {.ends = {.previous = &slots.ends, .next = &slots.ends}};
static struct metrics *remainders; /* what freed slots had counted: a counter never falls */

void metrics_lock(void)
{
    ensure(pthread_mutex_lock(&lock) == 0);
}

void metrics_unlock(void)
{
    ensure(pthread_mutex_unlock(&lock) == 0);
}

/* ---- slots ---- */

/* Memory of zeros is a valid atomic 0 wherever such integers need no lock; writing the zeros would make all of it
 * resident. */
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit integers are atomic by themselves");

struct metrics *metrics_new(void)
{
    struct metrics *slot = xcalloc(1, sizeof *slot);
    metrics_lock();
    list_append(&slots, &slot->link);
    metrics_unlock();
    return slot;
}

static int64_t value_of(const struct metrics *slot, size_t cell)
{
    return atomic_load_explicit(&slot->cells[cell], memory_order_relaxed);
}

static void add_to(struct metrics *slot, size_t cell, int64_t amount)
{
    atomic_fetch_add_explicit(&slot->cells[cell], amount, memory_order_relaxed);
}

static size_t end_of(const struct metrics_family *family)
{
    return family + 1 < metrics_families + METRIC_COUNT ? family[1].start : CELL_COUNT;
}

void metrics_free(struct metrics *slot)
{
    if (slot == NULL)
        return;
    metrics_lock();
    list_remove(&slot->link);
    if (remainders == NULL)
        remainders = xcalloc(1, sizeof *remainders);
    for (const struct metrics_family *family = metrics_families; family < metrics_families + METRIC_COUNT; family++) {
        size_t end = family->type == METRIC_TYPE_GAUGE ? family->start : end_of(family);
        for (size_t cell = family->start; cell < end; cell++)
            if (value_of(slot, cell) != 0)
                add_to(remainders, cell, value_of(slot, cell));
    }
    metrics_unlock();
    free(slot);
}

/* ---- cells ---- */

static size_t within(enum metric_label label, size_t index)
{
    return index < metrics_labels[label].capacity ? index : 0;
}

size_t metrics_cell(const struct metrics_family *family, size_t first, size_t second)
{
    size_t combination = within(family->labels[0], first) * metrics_labels[family->labels[1]].capacity +
                         within(family->labels[1], second);
    return family->start + combination * family->width;
}

void metrics_add_at(struct metrics *slot, enum metric metric, size_t first, size_t second, int64_t amount)
{
    ensure(metric < METRIC_COUNT);
    const struct metrics_family *family = &metrics_families[metric];
    ensure(family->type == METRIC_TYPE_GAUGE || (family->type == METRIC_TYPE_COUNTER && amount >= 0));
    if (slot != NULL)
        add_to(slot, metrics_cell(family, first, second), amount);
}

void metrics_set_at(struct metrics *slot, enum metric metric, size_t first, int64_t value)
{
    ensure(metric < METRIC_COUNT && metrics_families[metric].type == METRIC_TYPE_GAUGE);
    if (slot != NULL)
        atomic_store_explicit(&slot->cells[metrics_cell(&metrics_families[metric], first, 0)], value,
                              memory_order_relaxed);
}

/* A bucket holds what is at most its bound. */
void metrics_observe(struct metrics *slot, enum metric metric, size_t first, int64_t ms)
{
    ensure(metric < METRIC_COUNT && metrics_families[metric].type == METRIC_TYPE_HISTOGRAM);
    const struct metrics_family *family = &metrics_families[metric];
    if (slot == NULL)
        return;
    if (ms < 0)
        ms = 0;
    size_t cell = metrics_cell(family, first, 0), bucket = 0;
    while (bucket < family->bound_count && ms > family->bounds_ms[bucket])
        bucket++;
    add_to(slot, cell + bucket, 1);
    add_to(slot, cell + family->bound_count + 1, ms);
}

void metrics_add(struct metrics *slot, enum metric metric, int64_t amount)
{
    metrics_add_at(slot, metric, 0, 0, amount);
}

void metrics_set(struct metrics *slot, enum metric metric, int64_t value)
{
    metrics_set_at(slot, metric, 0, value);
}

/* ---- sums ---- */

int64_t metrics_cell_sum(size_t cell)
{
    int64_t sum = remainders == NULL ? 0 : value_of(remainders, cell);
    for (struct list_link *link = list_first(&slots); link != NULL; link = list_next(&slots, link))
        sum += value_of(list_entry(link, struct metrics, link), cell);
    return sum;
}

/* Of a histogram all but the sum of what was observed. */
static int64_t combination_sum(const struct metrics_family *family, size_t cell)
{
    int64_t sum = 0;
    for (size_t i = 0; i < (family->bounds_ms == NULL ? 1 : family->bound_count + 1); i++)
        sum += metrics_cell_sum(cell + i);
    return sum;
}

int64_t metrics_sum_at(enum metric metric, size_t first, size_t second)
{
    ensure(metric < METRIC_COUNT);
    metrics_lock();
    int64_t sum = combination_sum(&metrics_families[metric], metrics_cell(&metrics_families[metric], first, second));
    metrics_unlock();
    return sum;
}

int64_t metrics_sum(enum metric metric)
{
    ensure(metric < METRIC_COUNT);
    const struct metrics_family *family = &metrics_families[metric];
    int64_t sum = 0;
    metrics_lock();
    for (size_t cell = family->start; cell < end_of(family); cell += family->width)
        sum += combination_sum(family, cell);
    metrics_unlock();
    return sum;
}
