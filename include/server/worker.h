/* A worker: one thread with one loop, in which libmicrohttpd and libcurl both live.
 *
 * It owns its loop, its door, its transfers, its predictions and exchanges, its metrics slot, and a reference to the
 * present configuration. The way in from other threads is a message. worker_start, worker_send, worker_join: the main
 * thread; the rest: the worker's own. */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/metrics.h"
#include "config/config.h"
#include "replicate/joins.h"
#include "replicate/model_memory.h"
#include "replicate/pacing.h"
#include "replicate/prediction.h"
#include "replicate/schemas.h"
#include "replicate/uploads.h"
#include "server/admission.h"
#include "server/body_memory.h"
#include "server/board.h"
#include "server/deployments.h"
#include "server/exchange.h"

/* What all workers share; the main thread owns it. */
struct shared {
    struct pacing *pacing;
    struct model_memory *models;
    struct schema_cache *schemas;
    struct joins *joins;
    struct admission *admission;
    struct body_memory body_memory;
    struct board *board;
    struct deployments *deployments;
    atomic_bool is_draining;
    int idle_fd; /* an eventfd: a draining worker that has nothing left to do writes 1, once */
};

/* All that can be said to a worker. */
enum worker_message {
    WORKER_CONFIG, /* use this configuration for new requests */
    WORKER_DRAIN,  /* finish what runs; say so on idle_fd when nothing is left */
    WORKER_CANCEL, /* cancel what still runs and answer it with 503 */
    WORKER_STOP,   /* leave the thread */
};

struct worker_options {
    struct shared *shared;
    size_t index;          /* which of them it is, from 0 */
    struct config *config; /* a reference is taken */
    int listen_fd;
    unsigned connection_limit;
    bool warms; /* it asks for the schemas of the configured models ahead of requests; one worker does */
};

struct worker {
    struct shared *shared;
    size_t index;
    struct config *config; /* the present one */
    struct loop *loop;
    struct http *http;
    struct transfers *transfers;
    struct engine *engine;
    struct schemas *schemas;
    struct uploader *uploader;
    struct metrics *metrics;
    struct admission_room *admission_room;
    struct exchange_lists exchanges;
    atomic_uint turns; /* counted for the watchdog; any thread may read */
};

/* A running worker, or NULL and err. */
struct worker *worker_start(const struct worker_options *options, struct error *err);

/* `config`: for WORKER_CONFIG, a reference is taken; else NULL. */
void worker_send(struct worker *worker, enum worker_message message, struct config *config);

/* Waits for the thread's end after WORKER_STOP, and frees. */
void worker_join(struct worker *worker);

#endif
