/* Many clients in one process, each with a connection that it keeps: what they send, and what they find in the answers.
 * Every answer is checked against its request by what order.h puts into both. */
#ifndef BENCH_HOLDER_H
#define BENCH_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../event_reader.h"
#include "order.h"
#include "samples.h"

/* How a client asks: as OpenAI's clients do, as Replicate's do, or for a stream by an id that it makes up. */
enum holder_form { FORM_OPENAI, FORM_REPLICATE, FORM_STREAM, FORM_COUNT };

struct holder_options {
    int port, clients, rounds;
    enum holder_form form;
    const char *path, *model, *header; /* header: a further one, or NULL */
    int wait_least_ms, wait_most_ms;
    int pieces, pace_us;
    int ramp_ms;                           /* over which the clients begin */
    int pause_ms;                          /* between a client's rounds */
    int hang_up_percent, hang_up_after_ms; /* clients that leave in their first round */
    int image_bytes;                       /* an image in every request */
    int patience_ms;                       /* after which all that is missing is lost */
};

struct client {
    struct holder *holder;
    int fd; /* -1 = not connected */
    struct order order;
    struct event_reader reader;
    char *message; /* that is being sent */
    size_t message_length, sent;
    int64_t asked_us, arrived_us, last_piece_us; /* last_piece_us: 0 = none yet */
    int64_t due_us;                              /* of the next round, where there is a pause; 0 = none */
    uint32_t next_piece;
    int rounds_left;
    bool has_asked, wants_to_write;
    bool is_reading, is_done, is_faulty, is_over;
};

struct holder {
    struct holder_options options;
    int epoll;
    struct client *clients;
    int64_t began_us;
    uint32_t next_nonce;
    uint64_t random;
    int started, asked, begun, over, hung_up; /* clients: begun: have had a piece */
    bool is_steady, is_ending;
    uint64_t requests, answers, pieces, faults;
    char fault[256]; /* the first */
    char *image;     /* NULL where there is none */
    struct samples latency_us, late_us, piece_us, gap_us;
    uint32_t *hang_up_nonces;
    int64_t *hang_ups_us;
};

/* Connects, and sends its first request. */
void client_start(struct client *client);

/* Sends its next request, or is over. */
void client_go_on(struct client *client);
void client_hang_up(struct client *client);
void client_on_event(struct client *client, uint32_t events);
void client_blame(struct client *client, const char *what);

/* A request of the client's as bytes; the caller frees. */
char *message_make(const struct holder_options *options, const struct order *order, const char *image, size_t *length);

#endif
