/* Counters and gauges: written without a lock by one worker each, summed under the lock of the list of slots. */
#include "base/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "base/list.h"

struct metrics {
    struct list_link link;
    atomic_int_least64_t values[METRIC_COUNT];
};

enum metric_type { COUNTER, GAUGE };

static const struct {
    const char *name, *help;
    enum metric_type type;
} rows[METRIC_COUNT] = {
#define X(name, type, help) [METRIC_##name] = {#name, help, type},
    METRICS(X)
#undef X
};

/* `lock` guards the two below; the values in the slots need no lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list slots = {.ends = {.previous = &slots.ends, .next = &slots.ends}};
static int64_t remainders[METRIC_COUNT]; /* what freed slots had counted: a counter never falls */

struct metrics *metrics_new(void)
{
    struct metrics *slot = xcalloc(1, sizeof *slot);
    for (int metric = 0; metric < METRIC_COUNT; metric++)
        atomic_init(&slot->values[metric], 0);
    pthread_mutex_lock(&lock);
    list_append(&slots, &slot->link);
    pthread_mutex_unlock(&lock);
    return slot;
}

static int64_t value_of(const struct metrics *slot, enum metric metric)
{
    return atomic_load_explicit(&slot->values[metric], memory_order_relaxed);
}

void metrics_free(struct metrics *slot)
{
    if (!slot)
        return;
    pthread_mutex_lock(&lock);
    list_remove(&slot->link);
    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        if (rows[metric].type == COUNTER)
            remainders[metric] += value_of(slot, (enum metric)metric);
    }
    pthread_mutex_unlock(&lock);
    free(slot);
}

void metrics_add(struct metrics *slot, enum metric metric, int64_t amount)
{
    ensure(metric < METRIC_COUNT && (amount >= 0 || rows[metric].type == GAUGE));
    if (slot)
        atomic_fetch_add_explicit(&slot->values[metric], amount, memory_order_relaxed);
}

void metrics_set(struct metrics *slot, enum metric metric, int64_t value)
{
    ensure(metric < METRIC_COUNT && rows[metric].type == GAUGE);
    if (slot)
        atomic_store_explicit(&slot->values[metric], value, memory_order_relaxed);
}

int64_t metrics_sum(enum metric metric)
{
    ensure(metric < METRIC_COUNT);
    pthread_mutex_lock(&lock);
    int64_t sum = remainders[metric];
    for (struct list_link *link = list_first(&slots); link; link = list_next(&slots, link))
        sum += value_of(list_entry(link, struct metrics, link), metric);
    pthread_mutex_unlock(&lock);
    return sum;
}

void metrics_write(struct buf *out)
{
    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        const char *name = rows[metric].name;
        const char *type = rows[metric].type == COUNTER ? "counter" : "gauge";
        buf_printf(out, "# HELP replibridge_%s %s\n# TYPE replibridge_%s %s\nreplibridge_%s %" PRId64 "\n", name,
                   rows[metric].help, name, type, name, metrics_sum((enum metric)metric));
    }
}
