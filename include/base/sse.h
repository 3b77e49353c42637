/* Server-sent events: an incremental parser of Replicate's event streams, and a writer of ours.
 *
 * Pure; one thread at a time. The parser takes bytes cut anywhere (also inside a line end or a UTF-8 character), lines
 * ended by LF, CRLF or CR, a byte order mark at the start, comments, several data lines per event, and strips exactly
 * one space after the colon: tokens begin with spaces. `retry` and unknown fields are ignored, and so is an `id` or
 * `event` that holds a NUL. */
#ifndef BASE_SSE_H
#define BASE_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Valid during the callback; texts are NUL-terminated. */
struct sse_event {
    const char *type; /* "message" where the event names none */
    const char *data;
    size_t data_length;
    const char *id; /* the last id that the stream gave, "" when none */
};

/* Only events with a `data` line are delivered; the data may be empty. */
typedef void (*sse_event_fn)(void *arg, const struct sse_event *event);
/* The text after the colon, one space stripped; NUL-terminated. */
typedef void (*sse_comment_fn)(void *arg, const char *text, size_t length);

struct sse_parser {
    sse_event_fn on_event;
    sse_comment_fn on_comment; /* may be NULL */
    void *arg;
    struct buf line, type, data;
    struct buf id, last_id; /* of the event under way, and of the last whole one that named any */
    bool has_data, has_id, after_cr, at_start;
};

/* A line, and the data of an event put together, have at most `maximum_bytes`. */
void sse_parser_init(struct sse_parser *parser, size_t maximum_bytes, sse_event_fn on_event, sse_comment_fn on_comment,
                     void *arg);
void sse_parser_dispose(struct sse_parser *parser);

/* Forgets a half-received event but keeps the last id: for a stream that is connected again. */
void sse_parser_restart(struct sse_parser *parser);

/* What to ask the server to go on after: the last id of a whole event, "" when none. Valid until the next feed. */
const char *sse_parser_last_id(const struct sse_parser *parser);

/* Delivers what is complete. False when the maximum is exceeded: the stream is of no use any more, until a restart. The
 * callbacks must neither feed, restart nor dispose of the parser. */
bool sse_parser_feed(struct sse_parser *parser, const char *bytes, size_t length);

/* Appends `data: …` and a blank line; `text` has no line end in it. */
bool sse_append_data(struct buf *out, const char *text, size_t length);
/* Appends `: text` and a blank line. */
bool sse_append_comment(struct buf *out, const char *text);

#endif
