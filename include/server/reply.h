/* The answer of one request on its way to libmicrohttpd: the only place that suspends and resumes.
 *
 * A reply is open, then ready (reply_send: status, headers and body are filled in), then gone to
 * MHD. While it waits, its connection is suspended and its descriptor is watched for a client that hangs up, which MHD
 * does not notice. Fill first, resume last: resumes are collected and done once a turn.
 *
 * Or it is streamed: reply_stream_begin, then reply_write as often as there is something, then reply_stream_end. MHD
 * writes the head. When it then asks for the body its connection is suspended until the stream has ended, and what is
 * written goes from the outbox to the socket past MHD, framed here: to resume MHD for each piece would cost more than
 * the piece, the more so the more connections are suspended (it walks the list of all). What the socket does not take
 * waits in the outbox until there is room. At the end MHD is resumed, writes the last chunk, and reads the next
 * request.
 *
 * One thread: the worker's. */
#ifndef SERVER_REPLY_H
#define SERVER_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "replicate/loop.h"

struct MHD_Connection;
struct http_shard;

enum { REPLY_MAX_HEADERS = 20, REPLY_LEAST_HEAD_BYTES = 768 };

/* One worker's replies that are to be resumed, or streams that have something to send, at the end of the turn. */
struct reply_queue {
    struct loop *loop;
    struct list ready;
    struct list blocked; /* streams whose socket is full */
};

/* What belongs to a connection, not to one of its requests: the watch for a client that hangs up. It stays with epoll
 * between requests, since setting and clearing it for each would be two system calls. */
struct reply_hangup {
    struct loop *loop;
    struct http_shard *shard; /* whose connection it is: what runs after a resume */
    struct loop_watch watch;
    struct reply *waiting; /* whom to tell; NULL = nobody */
    struct reply *blocked; /* who waits for room in the socket; NULL = nobody */
};

struct reply_header {
    const char *name; /* static */
    char *value;      /* owned */
};

/* Above the high mark an outbox is full: whoever fills it should pause until it has been drained to the low mark. Above
 * its maximum the client is given up: that is as much as any answer may have, for a text may come all at once. */
enum { REPLY_LOW_BYTES = 16 * 1024, REPLY_HIGH_BYTES = 64 * 1024, REPLY_MAX_BYTES = 256 * 1024 * 1024 };

/* The client hung up while the reply waited or was streamed. Called once at most; not after reply_send or
 * reply_stream_end. */
typedef void (*reply_gone_fn)(void *arg);
/* A full outbox is down to the low mark again. */
typedef void (*reply_drained_fn)(void *arg);

struct reply {
    struct reply_queue *queue;
    struct MHD_Connection *connection;
    int fd;
    bool is_ready, is_dropped, is_suspended, is_sent;
    bool is_stream, is_ended, was_full, was_sent_raw;
    bool is_chunked; /* the client knows chunks (HTTP/1.1): so a stream is framed */
    bool has_head;   /* a stream's head is out: the socket is ours */
    int status;
    struct reply_header *headers; /* room for REPLY_MAX_HEADERS; NULL until the first: most of the time is waiting */
    size_t header_count;
    size_t head_room; /* how many bytes of headers may still be added */
    struct buf body;
    size_t body_bytes;  /* for the log, after the body has gone to MHD */
    size_t taken_bytes; /* of a stream's outbox, which is `body`: what the socket has taken */
    size_t chunk_bytes; /* of what is left, what the chunk holds that is being sent; 0 = between chunks */
    size_t chunk_sent;  /* of that chunk with its frame, what the socket has taken */
    int64_t write_timeout_ms;
    struct loop_timer stall;
    struct reply_hangup *hangup; /* of its connection */
    struct list_link link;
    reply_gone_fn on_gone;
    reply_drained_fn on_drained;
    void *arg;
};

void reply_queue_init(struct reply_queue *queue, struct loop *loop);

/* Of a connection, for as long as its descriptor is open. */
void reply_hangup_init(struct reply_hangup *hangup, struct loop *loop, struct http_shard *shard);
void reply_hangup_dispose(struct reply_hangup *hangup);

/* `hangup` is borrowed from the connection. */
void reply_init(struct reply *reply, struct reply_queue *queue, struct MHD_Connection *connection,
                struct reply_hangup *hangup);
void reply_dispose(struct reply *reply);

/* Adds a header; `name` is static, `value` copied. A value with control characters is left out, and what is more than
 * the connection has room for: the most important ones go first. */
void reply_header(struct reply *reply, const char *name, const char *value);

/* Takes the bytes of `body` as the answer. Once per reply. */
void reply_send(struct reply *reply, int status, struct buf *body);

/* Begins a streamed answer with the headers added so far. A client that takes nothing for write_timeout_ms while there
 * is something to take is cut off. `on_drained` gets the arg of reply_wait. */
void reply_stream_begin(struct reply *reply, int status, int64_t write_timeout_ms, reply_drained_fn on_drained);
/* Appends to the outbox. True while it is not full; a client that lets it grow to its maximum is cut off. */
bool reply_write(struct reply *reply, const struct buf *bytes);
void reply_stream_end(struct reply *reply);

/* Gives up: the connection is closed without an answer, or in the midst of its stream. */
void reply_drop(struct reply *reply);

/* Suspends the connection until reply_send or reply_drop; `on_gone` is told when the client hangs up meanwhile.
 * Only from MHD's access handler, which returns MHD_YES afterwards. */
void reply_wait(struct reply *reply, reply_gone_fn on_gone, void *arg);

/* Hands a ready reply to MHD: from the access handler. False: close the connection. */
bool reply_hand_over(struct reply *reply);

/* Sends what the streams have to say, and resumes every reply that got ready: MHD has work then. Once per turn. */
void reply_queue_flush(struct reply_queue *queue);

/* Before MHD is stopped: no connection stays suspended, and what a full socket did not take is given up. */
void reply_queue_close(struct reply_queue *queue);

/* Ends the connection, whatever was on its way. MHD notices by itself. */
void reply_cut(struct reply *reply);

/* Answers past MHD, which cannot answer in the middle of an upload. Whoever calls sees to it that the connection ends.
 */
void reply_send_raw(struct reply *reply, int status, const struct buf *body);

#endif
