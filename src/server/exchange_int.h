/* What exchange.c (a request's life) and exchange_run.c (its predictions) share. */
#ifndef SERVER_EXCHANGE_INT_H
#define SERVER_EXCHANGE_INT_H

#include "openai/call.h"
#include "openai/endpoint.h"
#include "server/exchange.h"
#include "server/worker.h"

enum { REQUEST_ID_BYTES = 136, UNIQUE_BYTES = 40, MODEL_ID_BYTES = 512 };

/* Where the time went, in clock_now_ms(); 0 = it did not come to that. */
struct timeline {
    int64_t received_ms, started_ms, finished_ms;
};

struct exchange {
    struct list_link link; /* in its worker's list of its state */
    enum exchange_state state;
    struct worker *worker;
    struct http_request *request; /* NULL once closed */
    struct config *config;        /* a reference, from the first byte to the last */
    const struct endpoint *endpoint;
    const struct key *key;     /* the client's; NULL where none is asked for */
    const struct route *route; /* known once the body is decoded */
    struct call call;
    size_t request_bytes; /* of the body */
    struct admission_ticket ticket;
    struct loop_timer read_timer;
    struct loop_timer keepalive; /* of a stream */

    /* one per choice: a prediction while it runs, its outcome once it has ended */
    struct prediction **predictions;
    struct outcome **outcomes;
    size_t choices, pending;
    bool has_begun_answer; /* of a stream: the endpoint's first frames are out */
    char (*ids)[64];           /* of the predictions, "" where there was none */
    struct buf prediction_ids; /* joined by ", ", in the order of the choices */
    char version[80];          /* the one that ran, for the log */
    int polls;

    struct error error; /* what it was answered with; ERROR_NONE = an answer */
    bool client_is_gone;
    struct timeline timeline;
    char request_id[REQUEST_ID_BYTES];
    char unique[UNIQUE_BYTES];
    char model_id[MODEL_ID_BYTES]; /* from the path */
};

/* exchange.c */
static inline bool exchange_is_running(const struct exchange *exchange)
{
    return exchange->state == EXCHANGE_RUNNING || exchange->state == EXCHANGE_STREAMING;
}

/* Adds what stands on every answer, whatever it is. */
void exchange_add_headers(struct exchange *exchange, const char *content_type);
void exchange_set_state(struct exchange *exchange, enum exchange_state state);
void exchange_answer(struct exchange *exchange, int status, const char *content_type, struct buf *body);

/* exchange_run.c */
/* Decodes the body and starts the predictions; or fails the exchange. */
void exchange_start(struct exchange *exchange);
/* Lets go of all predictions that still run. */
void exchange_abandon(struct exchange *exchange, int64_t grace_ms);
/* Writes down the ids of the predictions there are, in the order of their choices. */
void exchange_collect_ids(struct exchange *exchange);
/* Frees what exchange_start made. */
void exchange_run_dispose(struct exchange *exchange);

/* exchange_stream.c: how a streamed answer is written */
void exchange_stream_init(struct exchange *exchange);
/* The predictions have been started: from now on the client is kept company. */
void exchange_stream_start(struct exchange *exchange);
void exchange_stream_piece(struct exchange *exchange, size_t index, const char *bytes, size_t length);
/* A choice has come to its end well. */
void exchange_stream_choice_end(struct exchange *exchange, size_t index);
/* An error as the last frame of a stream that has begun. */
void exchange_stream_fail(struct exchange *exchange, const struct error *error);

#endif
