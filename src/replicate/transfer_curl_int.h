/* What transfer_curl.c and transfer_handle.c share: the two files that know curl. The loop's thread. */
#ifndef REPLICATE_TRANSFER_CURL_INT_H
#define REPLICATE_TRANSFER_CURL_INT_H

#include <curl/curl.h>

#include "transfer_int.h"

enum { TRANSFER_KNOWN_ORIGINS = 16 };

struct transfer_multi {
    struct list_link link; /* in stream_multis; in none when it is that of the calls */
    struct transfer_curl *curl;
    CURLM *multi;
    struct transfer_sockets sockets;
    struct transfer_prune prune;
    struct loop_timer timer; /* curl's one timer */
    size_t handle_count;
};

/* The first parts of URLs, up to the path, that curl has read already: requests go to the same few hosts. */
struct transfer_origins {
    struct {
        char *text;
        size_t length;
        CURLU *parsed;
    } known[TRANSFER_KNOWN_ORIGINS];
    size_t count;
};

struct transfer_handle {
    struct list_link link; /* in idle_handles */
    CURL *easy;
    struct curl_slist *lines; /* room for the header lines of a transfer */
    size_t line_room;
    struct transfer_multi *multi; /* this and all below: while it carries a transfer */
    struct transfer *transfer;
    bool has_begun; /* to send the request */
    char error[CURL_ERROR_SIZE];
};

struct transfer_curl {
    struct transfers *transfers;
    struct transfer_multi calls;
    struct list stream_multis;     /* the oldest first */
    struct transfer_multi *driven; /* the one that is being driven; NULL = none */

    struct list idle_handles; /* at most max_idle, options that never change already set */
    size_t max_idle;

    struct transfer_origins origins;
    char *ca_file, *proxy;
    int64_t connect_timeout_ms;
};

/* ---- transfer_handle.c ---- */

/* With all options that are the same for every transfer. */
struct transfer_handle *transfer_handle_new(const struct transfer_curl *curl);
void transfer_handle_free(struct transfer_handle *handle);

/* Sets what its transfer asks for, undoing what the last one has left; and lets go of it. */
void transfer_handle_fill(struct transfer_handle *handle);
void transfer_handle_clear(struct transfer_handle *handle);

/* How many bytes of the request went out, in all attempts; where curl cannot tell, some. */
long transfer_handle_sent_bytes(const struct transfer_handle *handle);

void transfer_origins_dispose(struct transfer_origins *origins);

#endif
