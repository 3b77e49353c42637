/* The simulated Replicate for load: one thread, epoll, connections kept open, and nothing remembered of a prediction
 * but what its id says, and when the pieces of a stream were sent: the prediction shows them once more at its end. It
 * checks nothing and breaks nothing, which tests/support/replicate_sim.h is for. */
#ifndef BENCH_UPSTREAM_H
#define BENCH_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "order.h"

enum { UPSTREAM_IN_BYTES = 16 * 1024, UPSTREAM_CANCELS_MAX = 20000, UPSTREAM_TOLD = 1 << 16 };

/* What a stream told, from which its text can be made again. */
struct told {
    uint32_t nonce, pieces;
    int64_t sent_us[];
};

/* A connection that streams waits in the slot of the millisecond in which its next piece is due. */
struct connection {
    int fd;
    char *in; /* UPSTREAM_IN_BYTES: a head, and as much of its body as fits */
    size_t in_length;
    size_t skip;       /* bytes of a body that are still to come, and not looked at */
    char *out;         /* what the socket did not take yet; NULL = nothing */
    size_t out_length; /* of that */
    bool is_closing;   /* after what is left to send */
    bool is_streaming;
    struct order order; /* that is streamed */
    uint32_t next_piece;
    struct told *told; /* of this stream so far */
    int64_t due_us;
    size_t slot;
    struct connection *previous, *next; /* in its slot */
};

struct cancel {
    uint32_t nonce;
    int64_t at_us;
};

struct upstream {
    int epoll, listener;
    int port;
    struct connection **connections; /* by descriptor */
    size_t connections_size;
    struct stream_wheel *wheel;
    struct {
        uint64_t requests, creates, polls, cancels, streams, pieces, files, models, unknown;
        uint64_t open_connections, open_streams;
    } counts;
    struct told *told[UPSTREAM_TOLD]; /* of streams that have ended, by the last bits of their nonces */
    struct cancel cancels[UPSTREAM_CANCELS_MAX];
};

struct request {
    const char *method, *path; /* path ends with a NUL */
    const char *body;
    size_t body_length; /* of what is at hand of it */
};

/* Answers the request, or begins its stream. */
void upstream_answer(struct upstream *upstream, struct connection *connection, const struct request *request);

/* Sends now what the socket takes, and the rest later. */
void upstream_send(struct upstream *upstream, struct connection *connection, const char *bytes, size_t length);

struct stream_wheel *stream_wheel_new(void);
void stream_wheel_free(struct stream_wheel *wheel);

/* The connection streams the order from now on: the answer's head at once, its first piece after one pace. */
void stream_begin(struct upstream *upstream, struct connection *connection, const struct order *order);

/* It is closed, or done. */
void stream_forget(struct upstream *upstream, struct connection *connection);

/* Sends the pieces that are due. How long until the next, in ms: -1 = there are no streams. */
int stream_turn(struct upstream *upstream);

#endif
