/* What the files of the text filter share: the search for tags and stop strings, and the bytes held back meanwhile. */
#ifndef OPENAI_TEXT_FILTER_INT_H
#define OPENAI_TEXT_FILTER_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openai/text_filter.h"

#define NO_STOP SIZE_MAX

/* `text` is not empty and outlives the match. */
void text_match_init(struct text_match *match, const char *text, size_t length);
void text_match_dispose(struct text_match *match);

/* Takes the next byte of the text; true when an occurrence ends with it. Not to be called again after that. */
bool text_match_step(struct text_match *match, char byte);

/* Of what is held followed by `bytes`, appends all to `out` but the last `keep` bytes, which are held from now on. */
void text_filter_pass(struct text_filter *filter, struct buf *out, const char *bytes, size_t length, size_t keep);

/* Looks for stop strings in the next bytes of the content, and at its end. */
void text_filter_content(struct text_filter *filter, const char *bytes, size_t length, struct buf *content);
void text_filter_content_end(struct text_filter *filter, struct buf *content);

#endif
