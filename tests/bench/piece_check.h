/* Checks byte for byte that the text of a stream is what was asked for: each piece once, in order, its own.
 *
 * A prompt is a list of words; the simulated Replicate makes a piece of each, and puts the time before it. A word holds
 * the stream's name and its own number, so that a piece which is lost, comes twice, or belongs to another stream shows.
 * One thread at a time. */
#ifndef BENCH_PIECE_CHECK_H
#define BENCH_PIECE_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Called for each good piece with the monotonic microseconds at which it was made. */
typedef void piece_check_fn(void *arg, int64_t made_us);

struct piece_check {
    char name[32]; /* of the stream */
    size_t count;  /* of pieces that have to come */
    size_t next;   /* the number that has to come next */
    size_t good, lost, doubled, garbled;
    struct buf piece; /* the one that is coming */
    piece_check_fn *on_piece;
    void *arg;
};

/* The words that make up the prompt of a stream. */
void piece_check_prompt(struct buf *out, const char *name, size_t count);

void piece_check_init(struct piece_check *check, const char *name, size_t count, piece_check_fn *on_piece, void *arg);
void piece_check_dispose(struct piece_check *check);

/* More of the text, cut anywhere. */
void piece_check_text(struct piece_check *check, const char *text);

/* There is no more text: what has not come is lost. */
void piece_check_end(struct piece_check *check);

#endif
