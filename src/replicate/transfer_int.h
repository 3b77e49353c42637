/* What the files of transfer share: transfer.c (the lanes, the life of a transfer), transfer_curl.c (the only one that
 * knows curl), and the helpers of both: what goes out, the descriptors that curl uses, the header lines of an answer,
 * and streams. The loop's thread. */
#ifndef REPLICATE_TRANSFER_INT_H
#define REPLICATE_TRANSFER_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/version.h"
#include "replicate/loop.h"
#include "replicate/transfer.h"

enum { TRANSFER_DETAIL_BYTES = 320 };

#define TRANSFER_USER_AGENT "replibridge/" REPLIBRIDGE_VERSION

/* ---- transfer_wire.c ---- */

enum transfer_method { TRANSFER_GET, TRANSFER_POST, TRANSFER_DELETE };

/* A request as it goes out: all of it is its own. */
struct transfer_wire {
    enum transfer_method method;
    bool never_repeat, is_on_new;
    int64_t timeout_ms;
    const char *url, *token, *accept; /* in `text`; token and accept: NULL = none */
    const char *lines;                /* in `text`: header lines as curl takes them, each with its NUL */
    size_t line_count;
    char *text;
    size_t used; /* of `text` */
    char *body;  /* NULL = none */
    size_t body_length;
};

void transfer_wire_init(struct transfer_wire *wire, const struct transfer_request *request);

void transfer_wire_dispose(struct transfer_wire *wire);

/* ---- transfer_sockets.c ---- */

typedef void (*transfer_ready_fn)(void *arg, int fd, uint32_t events);

struct transfer_socket;

struct transfer_sockets {
    struct loop *loop;
    transfer_ready_fn on_ready;
    void *arg;
    struct transfer_socket **by_fd;
    size_t size;
    int64_t death_seen_ms;        /* when an event came for a kept connection; -1 = never */
    size_t dead;                  /* kept connections that had one */
    struct transfer_prune *prune; /* is told of them */
};

void transfer_sockets_init(struct transfer_sockets *sockets, struct loop *loop, transfer_ready_fn on_ready, void *arg);
void transfer_sockets_dispose(struct transfer_sockets *sockets);

/* A connection's descriptor is told at its birth and before its close. */
void transfer_sockets_opened(struct transfer_sockets *sockets, int fd);
void transfer_sockets_closing(struct transfer_sockets *sockets, int fd);

/* From now on `events` (EPOLLIN, EPOLLOUT; 0 = none) of this descriptor are of interest. */
void transfer_sockets_want(struct transfer_sockets *sockets, int fd, uint32_t events);

/* Was a kept connection last seen to end, as it seems, within this time? */
bool transfer_sockets_saw_death(const struct transfer_sockets *sockets, int64_t within_ms);

/* How many kept connections have ended, as it seems, and were not closed yet? */
size_t transfer_sockets_dead(const struct transfer_sockets *sockets);

/* ---- transfer_prune.c ---- */

struct transfer_prune {
    struct loop *loop;
    void *multi; /* curl's */
    struct transfer_sockets *sockets;
    struct loop_timer timer;
    void *request; /* curl's; NULL = none is under way */
};

/* Of a multi of curl's and its sockets; disposed of before both. */
void transfer_prune_init(struct transfer_prune *prune, struct loop *loop, void *multi,
                         struct transfer_sockets *sockets);
void transfer_prune_dispose(struct transfer_prune *prune);

/* A kept connection has ended: it is closed in a few seconds, if it is not before. */
void transfer_prune_later(struct transfer_prune *prune);

/* ---- transfer_headers.c ---- */

struct transfer_headers {
    const char *accept; /* of the request; borrowed; NULL = none */
    size_t bytes;       /* of all lines, those of interim answers too */
    bool complete;      /* the empty line after the final answer's headers was seen */
    bool interim;
    bool success;                                                    /* the status is 2xx */
    bool accepted;                                                   /* the Content-Type begins with `accept` */
    int64_t retry_after_ms, ratelimit_remaining, ratelimit_reset_ms; /* -1 = not said */
};

void transfer_headers_init(struct transfer_headers *headers, const char *accept);

/* Takes one line, with its end. False when the answer has more header bytes than any sane one. */
bool transfer_headers_line(struct transfer_headers *headers, const char *line, size_t length);

/* ---- a transfer ---- */

enum transfer_body {
    TRANSFER_BODY_UNDECIDED, /* no byte of it came yet */
    TRANSFER_BODY_COLLECTED,
    TRANSFER_BODY_STREAMED,
};

struct transfer_stream {
    transfer_data_fn on_data; /* NULL = no stream */
    enum transfer_body body;
    bool paused;  /* by its user */
    bool stalled; /* curl was told to hold back, and must be told to go on */

    struct buf pending;          /* not yet given to on_data */
    struct list_link ready_link; /* in `ready` while it has pending bytes that nobody looked at */
    struct loop_timer resume_timer, idle_timer;
    int64_t idle_timeout_ms, last_byte_ms;
};

/* How a transfer ended. */
struct transfer_end {
    enum transfer_result result;
    int status; /* 0 unless ANSWERED */
    char detail[TRANSFER_DETAIL_BYTES];
};

struct transfer_handle; /* one of curl's handles */
struct transfer_curl;   /* what one worker has of curl */

/* A queue before a number of places. Both lists are in the order of the starts. */
struct transfer_lane {
    struct list queued, active;
    size_t max_active;
};

struct transfers {
    struct loop *loop;
    struct metrics *metrics; /* NULL = none */
    struct transfer_curl *curl;
    struct transfer_lane kinds[TRANSFER_KIND_COUNT], streams;
    struct list ready;           /* streams with bytes for their users */
    struct transfer *delivering; /* whose on_data is running; NULL when it cancelled itself, and between */
};

struct transfer {
    struct list_link link; /* in a list of its lane; in none while `done` runs */
    struct transfers *transfers;
    struct transfer_lane *lane;
    struct transfer_handle *handle; /* NULL while it is not with curl */
    transfer_done_fn on_done;
    void *arg;
    enum metric_call call;
    int64_t given_ms; /* to curl; -1 once its answer was timed */

    struct transfer_wire wire;
    struct transfer_headers headers;
    struct buf answer;
    struct transfer_stream stream;
    bool has_ended; /* though there may be bytes that a paused user is to see first */
    struct transfer_end end;
};

/* The handle was taken back: the transfer finishes, at once or when its user has seen all bytes. */
void transfer_ended(struct transfer *transfer, const struct transfer_end *end);

/* It has its answer, or of a stream the first byte of it: counts how long that took, once. */
void transfer_time(struct transfer *transfer);

/* Calls `done` and frees. */
void transfer_finish(struct transfer *transfer);

/* ---- transfer_stream.c ---- */

enum transfer_taken { TRANSFER_TAKEN, TRANSFER_HELD_BACK, TRANSFER_REFUSED };

void transfer_stream_init(struct transfer *transfer, const struct transfer_request *request);
void transfer_stream_dispose(struct transfer *transfer);

/* It is with curl from now on: the idle time begins. */
void transfer_stream_begin(struct transfer *transfer);

/* Called by curl, so it only notes. Bytes held back are offered again after transfer_curl_unpause. */
enum transfer_taken transfer_stream_take(struct transfer *transfer, const char *bytes, size_t length);
void transfer_stream_heard(struct transfer *transfer); /* a header line */

/* Gives the users what came for them; not while curl is on the stack. */
void transfer_stream_deliver(struct transfers *transfers);

/* ---- transfer_curl.c ---- */

struct transfer_curl *transfer_curl_new(struct transfers *transfers, const struct transfers_options *options);
void transfer_curl_free(struct transfer_curl *curl); /* no transfer may be with it */

/* Does not yet move a byte: curl sets its timer, and the loop drives it. So `done` never runs inside a start. */
void transfer_curl_give(struct transfer_curl *curl, struct transfer *transfer);
void transfer_curl_take(struct transfer *transfer);

/* Lets curl begin with the calls that it was given since it was last driven. Not from inside a callback of curl's. */
void transfer_curl_begin(struct transfer_curl *curl);

/* Offers what was held back again at once. Not from inside a callback of curl's. */
void transfer_curl_unpause(struct transfer *transfer);

#endif
