/* Warnings and errors that come again and again: after the tenth of a kind within ten seconds the rest are counted, and
 * one line says how many there were.
 *
 * Of a kind are those of the same level and event whose field `error`, `reason` or `warning` (the first that there is)
 * says the same. Bounded: so many kinds at once, then the one that is longest under way makes room. Any thread, one
 * mutex inside. */
#ifndef BASE_LOG_REPEAT_H
#define BASE_LOG_REPEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

enum { LOG_REPEAT_LINES = 10, LOG_REPEAT_WINDOW_MS = 10 * 1000, LOG_REPEAT_KINDS = 32, LOG_REPEAT_TEXT_BYTES = 160 };

/* What was left out of one kind. */
struct log_repeats {
    enum log_level level;
    char event[64], field[16], text[LOG_REPEAT_TEXT_BYTES]; /* field "" = it had none */
    int64_t count;
};

/* May this line be written? Where not, it is counted. */
bool log_repeat_allows(enum log_level level, const char *event, const struct log_field *fields, int64_t now_ms);

/* Takes the next kind whose time is over (`all`: or is not) and of which lines were left out. False where there is
 * none.
 */
bool log_repeat_take(int64_t now_ms, bool all, struct log_repeats *repeats);

#endif
