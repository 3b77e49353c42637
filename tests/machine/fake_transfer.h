/* The network of the machine tests: requests are kept until a test answers them by hand. */
#ifndef FAKE_TRANSFER_H
#define FAKE_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "replicate/transfer.h"

/* A request that is open; everything in it is a copy. */
struct transfer {
    struct list_link link;
    enum transfer_kind kind;
    char *method, *url, *token;
    char *body; /* NUL-terminated, though it may hold NULs; NULL = none */
    size_t body_length;
    struct header *headers;
    size_t header_count;
    bool never_repeat, is_on_new;
    int64_t timeout_ms;
    size_t max_answer_bytes;
    char *accept; /* NULL and on_data NULL: no stream */
    int64_t idle_timeout_ms;
    transfer_data_fn on_data;
    transfer_done_fn on_done;
    void *arg;
    bool paused; /* by transfer_pause */
    bool queued; /* what transfer_is_queued says; a test sets it */
};

/* The one that was started first and is still open; NULL when none is. */
struct transfer *fake_transfer_first(const struct transfers *transfers);

/* How many were ever started. */
size_t fake_transfer_started(const struct transfers *transfers);

/* transfers_count then says so many more. */
void fake_transfer_pretend_busy(struct transfers *transfers, size_t count);

/* The value of a header, NULL when it was not sent. */
const char *fake_transfer_header(const struct transfer *transfer, const char *name);

/* Gives a stream a piece of its answer's body, also while it is paused: what was on its way still comes. The transfer
 * may be gone afterwards. */
void fake_transfer_data(struct transfer *transfer, const char *bytes, size_t length);

/* Each ends the transfer. */
void fake_transfer_answer(struct transfer *transfer, int status, const char *body);
void fake_transfer_answer_with(struct transfer *transfer, const struct transfer_answer *answer);
void fake_transfer_break(struct transfer *transfer, enum transfer_result result);

#endif
