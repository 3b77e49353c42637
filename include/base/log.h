/* One line per event, one write(2) per line, to standard error or a file. A thread with an event loop may gather its
 * lines and write several at once.
 *
 * Text on a terminal, JSON otherwise (or as told). Fields are name/value pairs; values are escaped;
 * a line is at most 4096 bytes and a value 2048, longer ones are cut;
 * secrets never get here: whoever logs a text from outside passes it through error_quote first.
 * Any thread. log_open and log_reopen: the main thread. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_options {
    enum log_level level;
    enum log_format format;
    const char *file; /* NULL = standard error; opened for appending */
};

/* False with err (ERROR_INTERNAL) when the file cannot be opened; then the old target stays. */
bool log_open(const struct log_options *options, struct error *err);

/* Opens the file of that name anew (after a rotation); no effect on standard error. */
bool log_reopen(struct error *err);

bool log_level_parse(const char *word, enum log_level *level); /* error warn info debug, and warning, critical; in any case */
bool log_is_on(enum log_level level);

struct log_field {
    const char *name;
    enum { LOG_TEXT, LOG_NUMBER } type;
    const char *text; /* NULL = the field is left out */
    int64_t number;
};

#define log_text(name, value) ((struct log_field){(name), LOG_TEXT, (value), 0})
#define log_number(name, value) ((struct log_field){(name), LOG_NUMBER, NULL, (value)})

/* Writes one line: time, level, event, then the fields up to the first without a name. */
void log_event(enum log_level level, const char *event, const struct log_field *fields);

/* The same, but warnings and errors that come again and again are counted instead (base/log_repeat.h). */
void log_event_limited(enum log_level level, const char *event, const struct log_field *fields);

/* Says how many lines were left out of each kind whose time is over, or (`all`) of every kind. */
void log_flush_repeats(bool all);

/* From now on this thread's lines wait for log_flush, or until they are as many as a pipe takes whole (PIPE_BUF); but a
 * warning or an error goes out at once, and those before it with it. They are not lost in an abort by `ensure`. */
void log_gather(void);
/* Writes what this thread has gathered. To be called before the thread waits. */
void log_flush(void);
/* Writes it, and gathers no more. */
void log_gather_end(void);

#define log_write(level, event, ...)                                                         \
    do {                                                                                     \
        if (log_is_on(level))                                                                \
            log_event_limited(level, event, (const struct log_field[]){__VA_ARGS__, {0}});           \
    } while (0)

#endif
