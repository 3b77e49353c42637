/* What transfer.c shares with its helpers, which know nothing of curl: what goes out, the descriptors that curl uses,
 * and the header lines of an answer. The loop's thread. */
#ifndef REPLICATE_TRANSFER_INT_H
#define REPLICATE_TRANSFER_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replicate/loop.h"
#include "replicate/transfer.h"

/* ---- transfer_wire.c ---- */

/* A request as it goes out: copies of everything, the header lines ready for curl. */
struct transfer_wire {
    char *url, *token, *body; /* token and body: NULL = none */
    size_t body_length;
    char **lines;
    size_t line_count;
    bool is_post, never_repeat;
    int64_t timeout_ms;
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
    int64_t death_seen_ms; /* when an event came for a kept connection; -1 = never */
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

/* ---- transfer_headers.c ---- */

struct transfer_headers {
    size_t bytes;  /* of all lines, those of interim answers too */
    bool complete; /* the empty line after the final answer's headers was seen */
    bool interim;
    int64_t retry_after_ms, ratelimit_remaining, ratelimit_reset_ms; /* -1 = not said */
};

void transfer_headers_init(struct transfer_headers *headers);

/* Takes one line, with its end. False when the answer has more header bytes than any sane one. */
bool transfer_headers_line(struct transfer_headers *headers, const char *line, size_t length);

#endif
