/* What the tools for load agree upon. A prompt holds an order: how long its prediction takes, or how many pieces it
 * streams. The prediction's id repeats the order and adds when it began, so the simulated Replicate has nothing to
 * remember, and whoever holds an answer can check all of it: whose it is, and how late it came. */
#ifndef BENCH_ORDER_H
#define BENCH_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ORDER_TEXT_BYTES = 80, ORDER_ID_LENGTH = 39, ORDER_PIECE_BYTES = 64 };

struct order {
    uint32_t nonce;
    uint32_t wait_ms;   /* until the prediction has succeeded; 0 = at once */
    uint32_t pieces;    /* to be streamed; 0 = no stream */
    uint32_t pace_us;   /* from piece to piece */
    int64_t started_us; /* when it was created, by order_now_us(); not part of the prompt */
};

/* The monotonic clock, which all processes of a machine share. */
int64_t order_now_us(void);

/* As it stands in a prompt; the length. */
size_t order_write(const struct order *order, char out[ORDER_TEXT_BYTES]);

/* The first order in the bytes; false where there is none. */
bool order_find(const char *bytes, size_t length, struct order *order);

void order_id_write(const struct order *order, char out[ORDER_ID_LENGTH + 1]);

/* At the beginning of the bytes; false where they are no id. */
bool order_id_read(const char *bytes, size_t length, struct order *order);

/* The first id in the bytes; false where there is none. */
bool order_id_find(const char *bytes, size_t length, struct order *order);

/* A piece of a stream: whose it is, its number, and when it was sent. */
struct piece {
    uint32_t nonce, number;
    int64_t sent_us;
};

size_t piece_write(const struct piece *piece, char out[ORDER_PIECE_BYTES]);

/* The next piece in the bytes, which moves them past it; false where there is no whole one. */
bool piece_next(const char **bytes, size_t *length, struct piece *piece);

#endif
