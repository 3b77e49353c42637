/* Finds a string in a text that comes byte by byte (Knuth, Morris and Pratt): linear time whatever the two look like,
 * for both are chosen by strangers. */
#include "text_filter_int.h"

#include <stdlib.h>

#include "base/ensure.h"

enum { FIRST_CAPACITY = 16 };

void text_match_init(struct text_match *match, const char *text, size_t length)
{
    ensure(length > 0);
    *match = (struct text_match){.text = text, .length = length};
}

void text_match_dispose(struct text_match *match)
{
    free(match->borders);
    *match = (struct text_match){0};
}

/* The border of a prefix is the longest shorter prefix that also ends it: where the search goes on after a mismatch.
 * Borders are computed only as far as the text has ever matched, so that a huge string which never occurs costs
 * nothing. */
static void add_border(struct text_match *match)
{
    if (match->border_count == match->border_capacity) {
        match->border_capacity = match->border_capacity ? match->border_capacity * 2 : FIRST_CAPACITY;
        match->borders = xrealloc(match->borders, match->border_capacity * sizeof *match->borders);
    }
    size_t last = match->border_count++;
    size_t border = last ? match->borders[last - 1] : 0;
    while (border > 0 && match->text[border] != match->text[last])
        border = match->borders[border - 1];
    if (last > 0 && match->text[border] == match->text[last])
        border++;
    match->borders[last] = border;
}

bool text_match_step(struct text_match *match, char byte)
{
    while (match->matched > 0 && match->text[match->matched] != byte)
        match->matched = match->borders[match->matched - 1];
    if (match->text[match->matched] == byte)
        match->matched++;
    if (match->matched > match->border_count)
        add_border(match);
    return match->matched == match->length;
}
