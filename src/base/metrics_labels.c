/* What the values of labels are called: words, names that configurations bring, and numbers. */
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "base/error.h"
#include "metrics_int.h"

enum { WORDS_MAX = 64, NAMES_MAX = 1001 };

const struct metrics_label metrics_labels[METRIC_LABEL_COUNT] = {
#define X(id, name, kind, capacity) [METRIC_LABEL_##id] = {name, METRIC_LABEL_KIND_##kind, capacity},
    METRIC_LABELS(X)
#undef X
};

/* Room for the most that any label of its kind has. */
#define X(id, name, kind, capacity)                                                                                    \
    _Static_assert(METRIC_LABEL_KIND_##kind != METRIC_LABEL_KIND_WORDS || (capacity) <= WORDS_MAX, "too many words");  \
    _Static_assert(METRIC_LABEL_KIND_##kind != METRIC_LABEL_KIND_NAMES || (capacity) <= NAMES_MAX, "too many names");
METRIC_LABELS(X)
#undef X
_Static_assert((int)ERROR_KIND_COUNT <= WORDS_MAX, "each kind of error has a value of its own");

#define X(name) #name,
static const char *words[METRIC_LABEL_COUNT][WORDS_MAX] = {
    [METRIC_LABEL_none] = {""},
    [METRIC_LABEL_token] = {METRIC_TOKENS(X)},
    [METRIC_LABEL_reason] = {METRIC_REASONS(X)},
    [METRIC_LABEL_call] = {METRIC_CALLS(X)},
    [METRIC_LABEL_budget] = {METRIC_BUDGETS(X)},
    [METRIC_LABEL_result] = {METRIC_RESULTS(X)},
};
#undef X

/* The only label of names there is so far; they are kept until the process ends. */
static char *aliases[NAMES_MAX];
static size_t alias_count = 1; /* the first is "other" */

void metrics_word(enum metric_label label, size_t index, const char *word)
{
    ensure(metrics_labels[label].kind == METRIC_LABEL_KIND_WORDS && index < metrics_labels[label].capacity);
    metrics_lock();
    words[label][index] = word;
    metrics_unlock();
}

/* Some hundred names, looked through when a configuration is loaded and never for a request. */
static size_t find_or_add(const char *name)
{
    for (size_t i = 1; i < alias_count; i++)
        if (strcmp(aliases[i], name) == 0)
            return i;
    if (alias_count == NAMES_MAX)
        return 0;
    aliases[alias_count] = xstrdup(name);
    return alias_count++;
}

size_t metrics_name(enum metric_label label, const char *name)
{
    ensure(label == METRIC_LABEL_alias);
    metrics_lock();
    size_t index = find_or_add(name);
    metrics_unlock();
    return index;
}

size_t metrics_label_count(enum metric_label label)
{
    return label == METRIC_LABEL_alias ? alias_count : metrics_labels[label].capacity;
}

const char *metrics_label_text(enum metric_label label, size_t index, char *room, size_t size)
{
    if (label == METRIC_LABEL_error)
        return index > ERROR_NONE && index < ERROR_KIND_COUNT ? error_row((enum error_kind)index)->name : NULL;
    if (metrics_labels[label].kind == METRIC_LABEL_KIND_WORDS)
        return words[label][index];
    if (index == 0)
        return "other";
    if (metrics_labels[label].kind == METRIC_LABEL_KIND_NAMES)
        return aliases[index];
    snprintf(room, size, "%zu", index);
    return room;
}
