/* The door: libmicrohttpd in external epoll mode on the worker's loop, all workers accepting from one socket.
 *
 * A worker has several libmicrohttpd daemons ("shards") of some hundred connections each, made as they are needed: a
 * resume costs as much as there are suspended connections in its daemon (measured with 0.9.75: 18 ns for each).
 *
 * It checks how requests are framed, collects their bodies, and gives them to the exchange. All on the worker's
 * thread. Facts about libmicrohttpd are those of 0.9.75 to 1.0. */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "server/reply.h"

struct http;
struct sockaddr;
struct exchange;
struct worker;

/* A request as it came in. Lives until its connection has been told the end. */
struct http_request {
    struct MHD_Connection *connection;
    const char *method;     /* valid while the request lives, as is path */
    char *path;             /* as in the request line, percent-encoded, without the query */
    struct buf body;        /* complete when exchange_body_done is called */
    uint64_t header_bits;   /* which headers it has, roughly: of http.c alone */
    int64_t content_length; /* -1 = none given (chunked, or no body) */
    bool has_body;
    bool is_misframed;     /* where its body ends is in doubt */
    bool is_oversized; /* its head fills all the memory that there is for it */
    bool expects_continue; /* the client holds its body back until it is told to go on */
    struct reply reply;
    struct exchange *exchange;
};

struct http_options {
    struct worker *worker;
    struct loop *loop;
    int listen_fd; /* borrowed, and shared with the other workers */
    unsigned connection_limit;
    int64_t head_timeout_ms; /* for the first request's head to arrive */
    int64_t idle_timeout_ms; /* for the next one's on a kept connection */
};

/* NULL with err (ERROR_INTERNAL) when libmicrohttpd refuses. */
struct http *http_new(const struct http_options *options, struct error *err);
/* Closes every connection, telling their exchanges. Nothing may be waiting (reply_wait) any more. */
void http_free(struct http *http);

/* Libmicrohttpd's own version, such as "0.9.75". */
const char *http_library_version(void);

struct reply_queue *http_replies(struct http *http);

/* How long the loop may wait before http_turn has work: 0, or -1 = as long as it likes. */
int64_t http_wait_ms(const struct http *http);
/* Resumes what is ready, and lets each libmicrohttpd run once that has anything to do. */
void http_turn(struct http *http);

/* A request header's value, or NULL; names are compared without case. */
const char *http_header(const struct http_request *request, const char *name);

/* Of several headers of that name the value of the last, or NULL. */
const char *http_last_header(const struct http_request *request, const char *name);

/* The other end of the request's connection; NULL where libmicrohttpd does not know. */
const struct sockaddr *http_peer(const struct http_request *request);

#endif
