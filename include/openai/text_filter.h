/* A model's raw text → reasoning and content, piece by piece: the same for streams and for whole answers.
 *
 * Three things happen on the way, in this order. UTF-8 characters cut across pieces are put together (each byte that
 * stays broken becomes U+FFFD). A `<think>` at the very start of the output (white space before it aside) opens
 * reasoning, `</think>` ends it, and the blank lines after it belong to neither. The content ends where the first stop
 * string begins. Nothing is held back longer than it can still become a tag or a stop string: so white space that is
 * waited behind is bounded, too, and is text like any other where there is more of it. Pure; one thread at a time. */
#ifndef OPENAI_TEXT_FILTER_H
#define OPENAI_TEXT_FILTER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "config/route.h"

/* White space before a `<think>`, and blank lines after a `</think>`: as much as this is told from text. */
enum { TEXT_FILTER_SPACE_BYTES = 256 };

/* A string that is looked for, and how far the text matches it so far. */
struct text_match {
    const char *text; /* borrowed */
    size_t length, matched;
    size_t *borders; /* of the prefixes that have ever matched */
    size_t border_count, border_capacity;
};

struct text_filter {
    enum reasoning_mode mode;
    enum { TEXT_AT_START, TEXT_REASONING, TEXT_AFTER_REASONING, TEXT_CONTENT, TEXT_STOPPED } place;
    struct text_match closing; /* `</think>` */
    struct text_match *stops;
    size_t stop_count;
    size_t stop_at;  /* where a stop string begins in what is held, while an earlier one may still come; or NO_STOP */
    struct buf held; /* bytes not decided yet */
    char partial[4]; /* an incomplete UTF-8 character */
    size_t partial_length;
};

/* `stops` is an array of non-empty strings or NULL; it must outlive the filter. */
void text_filter_init(struct text_filter *filter, enum reasoning_mode mode, const json_t *stops);
void text_filter_dispose(struct text_filter *filter);

/* Appends what has become certain to `reasoning` and `content`. False where one of them exceeds its maximum. */
bool text_filter_feed(struct text_filter *filter, const char *bytes, size_t length, struct buf *reasoning,
                      struct buf *content);

/* The output has ended: appends what was held back. */
bool text_filter_end(struct text_filter *filter, struct buf *reasoning, struct buf *content);

/* Has a stop string ended the content? Nothing that follows is of use then. */
bool text_filter_is_stopped(const struct text_filter *filter);

/* Feed and end at once, on a filter that was fed nothing. Here a `</think>` that no `<think>` precedes is known before
 * anything was given away: in REASONING_AUTO all before it is reasoning then, where the first such tag is followed by a
 * line break or the end of the text, or stands at the start of a line. Elsewhere it is text. */
bool text_filter_whole(struct text_filter *filter, const char *text, size_t length, struct buf *reasoning,
                       struct buf *content);

#endif
