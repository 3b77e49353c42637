/* What was given of an output's text so far, so that it can be gone on with from another source: nothing twice,
 * nothing missing.
 *
 * The text of an output is a string, or an array of strings put together, unless all there is are links to files: those
 * are only known for what they are when they are whole. Once something was given it is text for good. Only a count and
 * a hash of what was given are kept, not the text. Carriage returns do not count: event streams cannot carry them.
 * Pure; one thread at a time. */
#ifndef REPLICATE_PIECES_H
#define REPLICATE_PIECES_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct pieces {
    size_t given_bytes;  /* carriage returns aside */
    size_t open_returns; /* carriage returns given after the last byte that counts */
    uint64_t hash;       /* FNV-1a of the bytes that count */
};

enum pieces_match {
    PIECES_MATCH,   /* the text begins with what was given */
    PIECES_BEHIND,  /* it is shorter than what was given */
    PIECES_DIFFER,  /* it begins otherwise */
    PIECES_NO_TEXT, /* the output has another shape, or is files */
};

void pieces_init(struct pieces *pieces);

/* These bytes were given. */
void pieces_count(struct pieces *pieces, const char *bytes, size_t length);

/* Compares with an output (NULL = an empty text). Appends to `rest` what of its text was not given yet, which is of use
 * on PIECES_MATCH alone; *text_bytes becomes the length of the text, carriage returns aside. */
enum pieces_match pieces_compare(const struct pieces *pieces, const json_t *output, struct buf *rest,
                                 size_t *text_bytes);

#endif
