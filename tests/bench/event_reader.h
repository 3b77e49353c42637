/* Reads an HTTP answer from bytes that come cut anywhere: a stream of events one by one, any other body as a whole.
 *
 * It shares nothing with the parsers of the program under test, so that a fault of theirs cannot hide itself. It is
 * strict: what a careful client would stumble over makes the answer broken. One thread at a time. */
#ifndef BENCH_EVENT_READER_H
#define BENCH_EVENT_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* `type` is "" where the event names none; both texts are valid during the call. */
typedef void event_reader_fn(void *arg, const char *type, const char *data);

enum event_reader_state {
    READING_HEAD,
    READING_BODY, /* as long as Content-Length says */
    READING_CHUNK_SIZE,
    READING_CHUNK,
    READING_CHUNK_END,
    READING_TRAILER,
    READING_COMPLETE,
    READING_BROKEN
};

struct event_reader {
    enum event_reader_state state;
    int status;
    bool is_chunked, is_events;
    size_t left;      /* of the body or of its chunk */
    struct buf line;  /* of the head, and of what frames the chunks */
    struct buf field; /* a line of events */
    struct buf type, data;
    bool has_data;
    struct buf body; /* where the answer is no stream of events */
    event_reader_fn *on_event;
    void *arg;
};

void event_reader_init(struct event_reader *reader, event_reader_fn *on_event, void *arg);
void event_reader_dispose(struct event_reader *reader);

/* Look at `state` afterwards. The callback must not dispose of the reader. */
void event_reader_feed(struct event_reader *reader, const char *bytes, size_t length);

#endif
