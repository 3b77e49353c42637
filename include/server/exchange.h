/* One client request, from its first byte to its last: it joins endpoint, predictions and reply.
 *
 * The story of a request. The door (http.c) opens an exchange as soon as the head of a request is in: the exchange
 * takes a reference to the configuration, finds the endpoint, checks the client's key and how long the body may be. The
 * body is collected; then the endpoint decodes it into a call and admission lets it in, under the alias that was asked
 * for or, where that is full, a fallback; where all are full it waits in line for a while. The model's schema is asked
 * for (only the first request of a model waits for it), by which the call becomes the model's input; files that are too
 * large for it are uploaded. One job per choice starts as a prediction. The connection is suspended meanwhile. When all
 * predictions have ended, the endpoint encodes their outcomes, the reply is filled in and the connection resumed. A
 * streamed answer begins with the first piece of text, or after a while of waiting, and carries comments while the
 * model is silent. If a try fails in a way that another model might not, and no piece was given yet, the request goes
 * back to PREPARING (a stream that has begun with comments stays one) for another deployment of its alias or a
 * fallback. If the client hangs up, or the daemon stops, the predictions are abandoned, which cancels them at
 * Replicate. Whatever happens, there is one way out (exchange_closed): one log line, one cleanup.
 *
 *                   ┌──▶ QUEUED ───┐    ▼──a failure──┐
 *   READING ─body complete────────▶ PREPARING ─input─▶ RUNNING ─outcomes─────────▶ REPLYING ─▶ CLOSED
 *      │            └──(all three)──── a while, or the first piece ─▶ STREAMING ─end──▲
 *      └──── error, or an answer at hand ─────────────────────────────────────────────┘
 *
 * All on the worker's thread. An exchange is in exactly one state, which is one list of its worker. */
#ifndef SERVER_EXCHANGE_H
#define SERVER_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/list.h"
#include "server/http.h"

#define EXCHANGE_STATES(X)                                                                                             \
    X(READING, "reading")                                                                                              \
    X(QUEUED, "queued")                                                                                                \
    X(PREPARING, "preparing")                                                                                          \
    X(RUNNING, "running")                                                                                              \
    X(STREAMING, "streaming")                                                                                          \
    X(REPLYING, "replying")                                                                                            \
    X(CLOSED, "closed")

enum exchange_state {
#define X(name, word) EXCHANGE_##name,
    EXCHANGE_STATES(X)
#undef X
        EXCHANGE_STATE_COUNT
};

struct worker;

/* Says what endpoints and states are called in the metrics: once, before there are workers. */
void exchange_name_metrics(void);

/* The exchanges of a worker, by state. */
struct exchange_lists {
    struct list in[EXCHANGE_STATE_COUNT];
};

void exchange_lists_init(struct exchange_lists *lists);
size_t exchange_lists_open(const struct exchange_lists *lists); /* all but CLOSED */

/* A new exchange for a request whose head is in. It may have its answer ready at once (request->reply.is_ready).
 * `framing`: what the door found wrong with the head, or NULL. */
struct exchange *exchange_open(struct worker *worker, struct http_request *request, const struct error *framing);

/* More of the body. */
void exchange_body(struct exchange *exchange, const char *bytes, size_t length);

/* The body is complete. Afterwards the reply is ready, or the exchange waits for its predictions. */
void exchange_body_done(struct exchange *exchange);

/* The client hung up while it waited. */
void exchange_client_gone(struct exchange *exchange);

/* Answers with `error` and gives up what is running; no effect on one that is replying already. */
void exchange_fail(struct exchange *exchange, const struct error *error);

/* The connection is done with this request, well (`sent`) or not. */
void exchange_closed(struct exchange *exchange, bool sent);

/* Bodies that are still being read must be in within a moment: the daemon is stopping. */
void exchange_hurry(struct exchange_lists *lists);

/* Fails all that run: the daemon is stopping. */
void exchange_fail_all(struct exchange_lists *lists, const struct error *error);

/* Tells the status page what `worker` runs. */
void exchange_publish(struct worker *worker);

/* Frees what is CLOSED; at the end of each turn. */
void exchange_sweep(struct exchange_lists *lists);

#endif
