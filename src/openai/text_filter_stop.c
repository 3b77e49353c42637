/* The content's way past the stop strings: it ends where the first of them begins, and nothing of a stop string is
 * given away before it is certain that it is none. */
#include "text_filter_int.h"

/* How many bytes at the end of the text may be the beginning of a stop string. One that was found already may be among
 * them: it begins at `stop_at` or later, so that it neither hides an earlier beginning nor delays the end. */
static size_t longest_match(const struct text_filter *filter)
{
    size_t longest = 0;
    for (size_t i = 0; i < filter->stop_count; i++)
        longest = filter->stops[i].matched > longest ? filter->stops[i].matched : longest;
    return longest;
}

/* Takes the byte that ends at `position`, counted from the first held one. True when the content's end is certain: a
 * stop string was found, and no other that began before it can still be completed. */
static bool is_over(struct text_filter *filter, char byte, size_t position)
{
    for (size_t i = 0; i < filter->stop_count; i++) {
        struct text_match *stop = &filter->stops[i];
        bool was_found = stop->matched == stop->length;
        if (!was_found && text_match_step(stop, byte) && position - stop->length < filter->stop_at)
            filter->stop_at = position - stop->length;
    }
    return filter->stop_at != NO_STOP && position - longest_match(filter) >= filter->stop_at;
}

static void stop_content(struct text_filter *filter)
{
    filter->place = TEXT_STOPPED;
    buf_clear(&filter->held);
}

void text_filter_content(struct text_filter *filter, const char *bytes, size_t length, struct buf *content)
{
    size_t held = filter->held.length;
    for (size_t i = 0; i < length && filter->stop_count > 0; i++) {
        size_t position = held + i + 1;
        if (!is_over(filter, bytes[i], position))
            continue;
        text_filter_pass(filter, content, bytes, i + 1, position - filter->stop_at);
        stop_content(filter);
        return;
    }
    size_t keep = longest_match(filter);
    if (filter->stop_at != NO_STOP)
        filter->stop_at -= held + length - keep;
    text_filter_pass(filter, content, bytes, length, keep);
}

void text_filter_content_end(struct text_filter *filter, struct buf *content)
{
    bool is_found = filter->stop_at != NO_STOP;
    text_filter_pass(filter, content, "", 0, is_found ? filter->held.length - filter->stop_at : 0);
    if (is_found)
        stop_content(filter);
}
