/* One HTTP exchange with Replicate, by libcurl's multi-socket interface on the worker's loop.
 *
 * start → handle; `done` exactly once, never from inside start; after cancel: nothing. First come, first served: of
 * each kind at most `max_active` are with curl, the rest wait in order. All on the loop's thread. The process ignores
 * SIGPIPE. */
#ifndef REPLICATE_TRANSFER_H
#define REPLICATE_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/job.h"
#include "base/metrics.h"
#include "replicate/loop.h"

struct transfers; /* one per worker: curl's multi, its idle handles, the queue */
struct transfer;

struct transfers_options {
    const char *ca_file; /* NULL = the system's bundle */
    const char *proxy;   /* NULL = none, whatever the environment says */
    int64_t connect_timeout_ms;
    size_t max_active;       /* 0 = 256; of uploads, which are large, never more than 4 */
    struct metrics *metrics; /* where the time of calls is counted; NULL = nowhere */
};

/* What waits behind what: each kind has its own queue, so that polls that hang hold up neither creates nor cancels. */
enum transfer_kind { TRANSFER_CALL, TRANSFER_CREATE, TRANSFER_CANCEL, TRANSFER_UPLOAD, TRANSFER_KIND_COUNT };

/* A piece of a streamed answer's body, as it comes. May cancel this or other transfers. */
typedef void (*transfer_data_fn)(void *arg, const char *bytes, size_t length);

struct transfer_request {
    enum transfer_kind kind;
    enum metric_call call; /* what it is, for the metrics */
    const char *method;    /* "GET", "POST" or "DELETE" */
    const char *url;
    const char *token;            /* sent as Authorization: Bearer; NULL = none */
    const struct header *headers; /* further ones; copied. A body is application/json unless they say otherwise */
    size_t header_count;
    const char *body; /* copied; NULL = none (POST: empty) */
    size_t body_length;
    /* Instead of `body`, and for a POST alone: its bytes become the transfer's own without being copied, at once, and
     * are freed with it. The buf is left empty, and stays the caller's. NULL = use `body`. */
    struct buf *body_taken;
    bool never_repeat;  /* the body must not go out twice: not even when a kept connection dies under it */
    bool is_on_new;     /* on a new connection: the kept ones may be dead, too, without anyone having told */
    int64_t timeout_ms; /* for the whole, from the moment it is given to curl; 0 = none */
    size_t max_answer_bytes;

    /* For a stream: the body of a 2xx answer whose Content-Type begins with `accept` goes to on_data as it comes, and
     * is neither collected nor bounded; any other answer is collected as usual. Streams are not counted among the
     * `max_active`, and live in multis of their own, of at most 500 connections each. */
    const char *accept;       /* sent as Accept; NULL = no such header, and no stream */
    transfer_data_fn on_data; /* NULL = no stream */
    int64_t idle_timeout_ms;  /* a stream without a byte for this long, pauses aside, ends as LOST; 0 = none */
};

enum transfer_result {
    TRANSFER_ANSWERED,    /* a whole HTTP answer of whatever status */
    TRANSFER_UNREACHABLE, /* surely nothing was sent: name not resolved, refused, no TLS */
    TRANSFER_LOST,        /* it may have arrived: reset, cut, timed out, too long, malformed */
};

/* Valid during the callback. */
struct transfer_answer {
    enum transfer_result result;
    int status; /* 0 unless ANSWERED */
    const char *body;
    size_t body_length;
    int64_t retry_after_ms;      /* of the Retry-After header; -1 = none */
    int64_t ratelimit_remaining; /* -1 = not said */
    int64_t ratelimit_reset_ms;  /* -1 = not said */
    const char *detail;          /* why not ANSWERED, in curl's words; "" else */
};

/* May start and cancel transfers. */
typedef void (*transfer_done_fn)(void *arg, const struct transfer_answer *answer);

struct transfers *transfers_new(struct loop *loop, const struct transfers_options *options);
void transfers_free(struct transfers *transfers);          /* none may be left */
size_t transfers_count(const struct transfers *transfers); /* under way or queued */

/* Sends what was started since the loop's turn at once, instead of in its next one. For the end of a turn: whoever does
 * not call it only waits that much longer. */
void transfers_turn(struct transfers *transfers);

/* Everything in `request` is copied, but for `body_taken`. */
struct transfer *transfer_start(struct transfers *transfers, const struct transfer_request *request,
                                transfer_done_fn on_done, void *arg);

/* No callback after this; *transfer becomes NULL. NULL is fine. */
void transfer_cancel(struct transfer **transfer);

/* A paused stream reads nothing more from its socket (what is on its way may still come): the sender is slowed down.
 * Resuming may deliver at the next turn. Only for streams; repeating either is harmless. */
void transfer_pause(struct transfer *transfer);
void transfer_resume(struct transfer *transfer);

/* Does it still wait its turn, so that nothing of it was sent? */
bool transfer_is_queued(const struct transfer *transfer);

/* Once per process, by the main thread, before any worker and after all. */
void transfer_global_init(void);
void transfer_global_cleanup(void);

/* Curl's own version, such as "7.88.1". */
const char *transfer_curl_version(void);

#endif
