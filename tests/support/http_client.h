/* A small HTTP/1.1 client over raw sockets, for tests: because an HTTP library will not misbehave on request.
 *
 * Every wait has a deadline. Everything is loopback. Nothing here asserts: a failure is a status of 0 or a false, and
 * the test says what it expected. One thread at a time per connection. */
#ifndef SUPPORT_HTTP_CLIENT_H
#define SUPPORT_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_request {
    const char *method; /* NULL: GET, or POST where there is a body */
    const char *path;
    const char *headers; /* whole lines, each with its CRLF; may be NULL */
    const char *body;    /* NULL: none. Content-Type: application/json unless `headers` names one */
    size_t body_length;  /* 0: strlen(body) */
};

/* All zero, or as left by the last use: http_response_dispose makes it so again. */
struct http_response {
    int status; /* 0: no answer arrived */
    char *head; /* the status line and the headers, NUL-terminated; NULL before they arrived */
    char *body; /* decoded; NUL-terminated; never NULL once the head arrived */
    size_t body_length;
    bool complete; /* the body arrived to its end */
    int64_t first_byte_ms,
        complete_ms; /* since the request was sent (http_exchange, http_read_*): monotonic durations */

    enum { HTTP_BY_LENGTH, HTTP_CHUNKED, HTTP_BY_CLOSE } framing;
    size_t content_length;
};

enum http_progress {
    HTTP_MORE,   /* something arrived */
    HTTP_END,    /* the answer is complete */
    HTTP_CLOSED, /* the connection ended before the answer did, or its framing is wrong */
    HTTP_LATE,   /* nothing arrived within the deadline */
};

struct http_connection;

/* To 127.0.0.1:port; NULL when it is refused. */
struct http_connection *http_connect(int port);
void http_close(struct http_connection **connection);     /* nulls the pointer; NULL inside is fine */
void http_reset(struct http_connection **connection);     /* the same, but the server sees a reset (SO_LINGER 0) */
bool http_half_close(struct http_connection *connection); /* no more requests; answers are still read */

/* Bytes as they are. False when the server closed. */
bool http_send(struct http_connection *connection, const void *bytes, size_t length);
bool http_send_text(struct http_connection *connection, const char *text);
/* In pieces with a pause after each, stopping early (true) as soon as the server answers or hangs up. */
bool http_send_slowly(struct http_connection *connection, const void *bytes, size_t length, size_t piece_bytes,
                      int pause_ms);
bool http_send_request(struct http_connection *connection, const struct http_request *request);

/* Reads the next answer's head (informational 1xx answers are skipped). HTTP_MORE when a body follows, HTTP_END when
 * none does. */
enum http_progress http_read_head(struct http_connection *connection, struct http_response *response, int timeout_ms);
/* Reads what comes next of the body. */
enum http_progress http_read_piece(struct http_connection *connection, struct http_response *response, int timeout_ms);
/* Reads until the body holds `text`; false when it ended or the deadline passed before that. */
bool http_read_until(struct http_connection *connection, struct http_response *response, const char *text,
                     int timeout_ms);
/* The whole next answer; `timeout_ms` for all of it. False when it did not arrive complete (what did is in `response`).
 */
bool http_read(struct http_connection *connection, struct http_response *response, int timeout_ms);
/* The next answer is to a HEAD request: no body follows its head. */
void http_expect_no_body(struct http_connection *connection);

/* True when the server closes (or resets) within the deadline without sending anything more. */
bool http_wait_closed(struct http_connection *connection, int timeout_ms);

/* One request on a connection of its own. False as http_read. */
bool http_exchange(int port, const struct http_request *request, struct http_response *response, int timeout_ms);

void http_response_dispose(struct http_response *response);
/* A header's value, copied to `value` (of `size` bytes); false, and "", when it is missing. */
bool http_answer_header(const struct http_response *response, const char *name, char *value, size_t size);

/* Many requests of the same shape at once, on one thread. */
struct http_load {
    int port;
    size_t count;     /* requests in all */
    size_t in_flight; /* at most so many at the same time, each on its own connection; 0 = all */
    const char *path;
    const char *headers; /* whole lines with CRLF; may be NULL */
    const char *body; /* every `@NONCE@` in it is replaced by the request's own; the answer's body must hold it too */
    int timeout_ms;   /* for all of them together */
    bool keep_alive;  /* the same connection serves one request after the other */
    void (*all_sent)(void *arg); /* called once, when the first `in_flight` requests are under way; may be NULL */
    void *arg;
};

struct http_load_result {
    size_t answered;    /* complete answers */
    size_t ok;          /* of them, with status 200 and their own nonce in the body */
    size_t wrong_nonce; /* of them, with status 200 and not */
    size_t other_status;
    int first_other_status;
    size_t broken; /* closed, malformed or refused */
    size_t late;   /* unanswered at the deadline */
    int64_t median_ms, p99_ms, max_ms;
    char example[256]; /* the start of the first body that was not ok, to print */
};

/* False when it could not even begin (descriptors). */
bool http_load_run(const struct http_load *load, struct http_load_result *result);

#endif
