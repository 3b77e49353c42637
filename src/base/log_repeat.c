/* Which lines of the log are one too many of their kind: a small table of kinds, each with its window of time. */
#include "base/log_repeat.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"

struct kind {
    struct log_repeats repeats; /* its count: of what was left out in this window */
    int64_t began_ms;
    int64_t seen; /* in this window, 0 = this place is free */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct kind kinds[LOG_REPEAT_KINDS]; /* guarded by the mutex */
static atomic_int left_out;                 /* kinds of which lines were left out: nobody locks while there are none */

static void describe(enum log_level level, const char *event, const struct log_field *fields,
                     struct log_repeats *repeats)
{
    static const char *const telling[] = {"error", "reason", "warning"};
    *repeats = (struct log_repeats){.level = level};
    snprintf(repeats->event, sizeof repeats->event, "%s", event);
    for (const struct log_field *field = fields; field != NULL && field->name != NULL; field++)
        for (size_t i = 0; i < sizeof telling / sizeof telling[0]; i++) {
            if (field->text == NULL || repeats->field[0] != '\0' || strcmp(field->name, telling[i]) != 0)
                continue;
            snprintf(repeats->field, sizeof repeats->field, "%s", field->name);
            snprintf(repeats->text, sizeof repeats->text, "%s", field->text);
        }
}

static bool is_same(const struct log_repeats *a, const struct log_repeats *b)
{
    return a->level == b->level && strcmp(a->event, b->event) == 0 && strcmp(a->field, b->field) == 0 &&
           strcmp(a->text, b->text) == 0;
}

static struct kind *find(const struct log_repeats *wanted)
{
    for (size_t i = 0; i < LOG_REPEAT_KINDS; i++)
        if (kinds[i].seen > 0 && is_same(&kinds[i].repeats, wanted))
            return &kinds[i];
    return NULL;
}

/* What a kind has left out stays until it is taken, so only kinds that owe nothing make room. NULL where all do. */
static struct kind *room(void)
{
    struct kind *oldest = NULL;
    for (size_t i = 0; i < LOG_REPEAT_KINDS; i++) {
        if (kinds[i].seen == 0)
            return &kinds[i];
        if (kinds[i].repeats.count == 0 && (oldest == NULL || kinds[i].began_ms < oldest->began_ms))
            oldest = &kinds[i];
    }
    return oldest;
}

/* The kind with its window, a new one where the old one is over. NULL where there is no room. */
static struct kind *kind_of(const struct log_repeats *wanted, int64_t now_ms)
{
    struct kind *kind = find(wanted);
    bool is_over = kind != NULL && kind->repeats.count == 0 && now_ms - kind->began_ms >= LOG_REPEAT_WINDOW_MS;
    if (kind == NULL)
        kind = room();
    else if (!is_over)
        return kind;
    if (kind != NULL)
        *kind = (struct kind){.repeats = *wanted, .began_ms = now_ms};
    return kind;
}

/* The mutex is held. */
static bool count(struct kind *kind)
{
    if (kind == NULL || ++kind->seen <= LOG_REPEAT_LINES)
        return true;
    if (kind->repeats.count++ == 0)
        atomic_fetch_add(&left_out, 1);
    return false;
}

bool log_repeat_allows(enum log_level level, const char *event, const struct log_field *fields, int64_t now_ms)
{
    struct log_repeats wanted;
    if (level > LOG_LEVEL_WARN)
        return true;
    describe(level, event, fields, &wanted);
    ensure(pthread_mutex_lock(&mutex) == 0);
    bool is_allowed = count(kind_of(&wanted, now_ms));
    ensure(pthread_mutex_unlock(&mutex) == 0);
    return is_allowed;
}

bool log_repeat_take(int64_t now_ms, bool all, struct log_repeats *repeats)
{
    bool is_found = false;
    if (atomic_load_explicit(&left_out, memory_order_relaxed) == 0)
        return false;
    ensure(pthread_mutex_lock(&mutex) == 0);
    for (size_t i = 0; i < LOG_REPEAT_KINDS && !is_found; i++) {
        struct kind *kind = &kinds[i];
        is_found = kind->repeats.count > 0 && (all || now_ms - kind->began_ms >= LOG_REPEAT_WINDOW_MS);
        if (!is_found)
            continue;
        *repeats = kind->repeats;
        *kind = (struct kind){0};
        atomic_fetch_sub(&left_out, 1);
    }
    ensure(pthread_mutex_unlock(&mutex) == 0);
    return is_found;
}
