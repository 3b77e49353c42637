/* A raw reader of streamed answers, for tests: it stamps each frame's arrival, and reads slowly, or not at all, on
 * request.
 *
 * Nothing here asserts. One thread at a time. The connection is http_client.h's: hanging up, resetting and half-closing
 * are done with its functions. */
#ifndef SUPPORT_STREAM_CLIENT_H
#define SUPPORT_STREAM_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "http_client.h"

/* An event or a comment, without the blank line at its end. */
struct stream_frame {
    char *text; /* NUL-terminated */
    size_t length;
    int64_t at_us; /* when its end arrived, by the monotonic clock: that of replicate_sim_now_us */
};

enum stream_progress {
    STREAM_MORE,  /* something arrived */
    STREAM_LATE,  /* nothing did in time */
    STREAM_OVER,  /* the answer is complete */
    STREAM_BROKEN /* the connection ended before the answer did, or its framing is wrong */
};

/* All zero before stream_open, and after stream_dispose. */
struct stream_client {
    struct http_connection *connection;
    struct http_response answer; /* status and head; the body where it is no stream of events */
    struct stream_frame *frames;
    size_t frame_count, frame_capacity;
    size_t torn_chunks;            /* chunks of HTTP that do not hold whole frames: some clients lose those */
    struct buf received, tail;     /* not looked at yet; the beginning of a frame */
    enum stream_progress progress; /* OVER and BROKEN are for good */
    int64_t opened_us;
};

/* Connects and sends the request. False when the server does not take it. */
bool stream_open(struct stream_client *client, int port, const struct http_request *request);

/* Makes the kernel keep little for a client that does not read. */
void stream_take_little(struct stream_client *client);

/* Reads once, `at_most` bytes (0 = what there is). */
enum stream_progress stream_read(struct stream_client *client, size_t at_most, int timeout_ms);

/* Reads until a frame holds this text; until there are so many frames; until the end. False when the answer ends before
 * that, or the deadline passes. */
bool stream_read_until(struct stream_client *client, const char *text, int timeout_ms);
bool stream_read_frames(struct stream_client *client, size_t count, int timeout_ms);
bool stream_read_to_end(struct stream_client *client, int timeout_ms);

/* The same for many at once; `timeout_ms` for all together. True when all came to their end. */
bool stream_read_all(struct stream_client *clients, size_t count, int timeout_ms);

void stream_dispose(struct stream_client *client); /* hangs up, too */

int64_t stream_now_us(void);

#endif
