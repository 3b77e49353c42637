/* The way of a model's text: broken characters are mended, then the tags tell reasoning from content. */
#include "openai/text_filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/utf8.h"
#include "text_filter_int.h"

static const char opening_tag[] = "<think>", closing_tag[] = "</think>";
enum { OPENING_BYTES = sizeof opening_tag - 1, CLOSING_BYTES = sizeof closing_tag - 1 };

/* The most that waits before it is decided, stop strings aside. */
enum { START_BYTES = TEXT_FILTER_SPACE_BYTES + OPENING_BYTES };

/* Where text goes that has become certain. */
struct outputs {
    struct buf *reasoning, *content;
};

void text_filter_init(struct text_filter *filter, enum reasoning_mode mode, const json_t *stops)
{
    *filter = (struct text_filter){.mode = mode, .stop_at = NO_STOP, .stop_count = json_array_size(stops)};
    filter->place = mode == REASONING_OFF ? TEXT_CONTENT : TEXT_AT_START;
    text_match_init(&filter->closing, closing_tag, CLOSING_BYTES);
    size_t longest = START_BYTES;
    if (filter->stop_count > 0)
        filter->stops = xcalloc(filter->stop_count, sizeof *filter->stops);
    for (size_t i = 0; i < filter->stop_count; i++) {
        const json_t *stop = json_array_get(stops, i);
        size_t length = json_string_length(stop);
        text_match_init(&filter->stops[i], json_string_value(stop), length);
        longest = length > longest ? length : longest;
    }
    buf_init(&filter->held, longest);
}

void text_filter_dispose(struct text_filter *filter)
{
    text_match_dispose(&filter->closing);
    for (size_t i = 0; i < filter->stop_count; i++)
        text_match_dispose(&filter->stops[i]);
    free(filter->stops);
    filter->stops = NULL;
    filter->stop_count = 0;
    buf_dispose(&filter->held);
}

void text_filter_pass(struct text_filter *filter, struct buf *out, const char *bytes, size_t length, size_t keep)
{
    struct buf *held = &filter->held;
    size_t given = held->length + length - keep;
    size_t from_held = given < held->length ? given : held->length;
    if (from_held > 0) {
        buf_append(out, held->data, from_held);
        memmove(held->data, held->data + from_held, held->length - from_held + 1);
        held->length -= from_held;
    }
    size_t from_bytes = given - from_held;
    buf_append(out, bytes, from_bytes);
    ensure(buf_append(held, bytes + from_bytes, length - from_bytes));
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static void feed_text(struct text_filter *filter, const char *bytes, size_t length, const struct outputs *outputs);

/* What was held is plain text: it goes to the next place, before whatever follows it. */
static void release_held(struct text_filter *filter, const struct outputs *outputs)
{
    char text[START_BYTES];
    size_t length = filter->held.length;
    ensure(length <= sizeof text);
    memcpy(text, buf_text(&filter->held), length);
    buf_clear(&filter->held);
    feed_text(filter, text, length, outputs);
}

/* Can the held bytes, or are they, white space followed by the opening tag? */
static bool is_tag_possible(const struct text_filter *filter, bool *is_complete)
{
    const char *held = buf_text(&filter->held);
    size_t spaces = 0;
    while (spaces < filter->held.length && is_space(held[spaces]))
        spaces++;
    size_t rest = filter->held.length - spaces;
    *is_complete = rest == OPENING_BYTES;
    return spaces <= TEXT_FILTER_SPACE_BYTES && memcmp(held + spaces, opening_tag, rest) == 0;
}

static void leave_start(struct text_filter *filter, const struct outputs *outputs)
{
    filter->place = filter->mode == REASONING_OPENED ? TEXT_REASONING : TEXT_CONTENT;
    release_held(filter, outputs);
}

/* Each of these takes some of the bytes, at least one, and returns how many. */

static size_t feed_start(struct text_filter *filter, const char *bytes, size_t length, const struct outputs *outputs)
{
    for (size_t i = 0; i < length; i++) {
        bool is_complete = false;
        buf_append(&filter->held, &bytes[i], 1);
        if (!is_tag_possible(filter, &is_complete)) {
            leave_start(filter, outputs);
            return i + 1;
        }
        if (is_complete) {
            filter->place = TEXT_REASONING;
            buf_clear(&filter->held);
            return i + 1;
        }
    }
    return length;
}

static size_t feed_reasoning(struct text_filter *filter, const char *bytes, size_t length,
                             const struct outputs *outputs)
{
    for (size_t i = 0; i < length; i++) {
        if (!text_match_step(&filter->closing, bytes[i]))
            continue;
        text_filter_pass(filter, outputs->reasoning, bytes, i + 1, CLOSING_BYTES);
        buf_clear(&filter->held);
        filter->place = TEXT_AFTER_REASONING;
        return i + 1;
    }
    text_filter_pass(filter, outputs->reasoning, bytes, length, filter->closing.matched);
    return length;
}

/* Drops blank lines. What indents the first line that is none belongs to the content: it may be code. */
static size_t feed_after_reasoning(struct text_filter *filter, const char *bytes, size_t length,
                                   const struct outputs *outputs)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n' || bytes[i] == '\r') {
            buf_clear(&filter->held);
            continue;
        }
        buf_append(&filter->held, &bytes[i], 1);
        if (!is_space(bytes[i]) || filter->held.length > TEXT_FILTER_SPACE_BYTES) {
            filter->place = TEXT_CONTENT;
            release_held(filter, outputs);
            return i + 1;
        }
    }
    return length;
}

/* Whole characters, or parts of them in ASCII text: the tags are ASCII, so any cut between bytes is as good as another.
 */
static void feed_text(struct text_filter *filter, const char *bytes, size_t length, const struct outputs *outputs)
{
    while (length > 0) {
        size_t taken = length;
        if (filter->place == TEXT_AT_START)
            taken = feed_start(filter, bytes, length, outputs);
        else if (filter->place == TEXT_REASONING)
            taken = feed_reasoning(filter, bytes, length, outputs);
        else if (filter->place == TEXT_AFTER_REASONING)
            taken = feed_after_reasoning(filter, bytes, length, outputs);
        else if (filter->place == TEXT_CONTENT)
            text_filter_content(filter, bytes, length, outputs->content);
        bytes += taken;
        length -= taken;
    }
}

static void feed_replacement(struct text_filter *filter, const struct outputs *outputs)
{
    feed_text(filter, "\xEF\xBF\xBD", 3, outputs);
}

/* Can more bytes make a character of these? They can if the least or the greatest continuation bytes do: every range of
 * second bytes ends at one of the two. */
static bool is_beginning(const char *bytes, size_t length)
{
    if (length >= 4)
        return false;
    char least[4], greatest[4];
    memset(least, 0x80, sizeof least);
    memset(greatest, 0xBF, sizeof greatest);
    memcpy(least, bytes, length);
    memcpy(greatest, bytes, length);
    return utf8_sequence(least, 4) > length || utf8_sequence(greatest, 4) > length;
}

/* Decides as much as can be decided, and returns how many bytes that was; what is left is the beginning of a character.
 */
static size_t feed_characters(struct text_filter *filter, const char *bytes, size_t length,
                              const struct outputs *outputs)
{
    size_t valid = 0, at = 0;
    while (at < length) {
        at += utf8_valid_length(bytes + at, length - at);
        if (at == length)
            break;
        feed_text(filter, bytes + valid, at - valid, outputs);
        valid = at;
        if (is_beginning(bytes + at, length - at))
            return at;
        feed_replacement(filter, outputs);
        valid = ++at;
    }
    feed_text(filter, bytes + valid, at - valid, outputs);
    return at;
}

/* Completes the character that the last piece began. Returns how many of the bytes that took. */
static size_t feed_partial(struct text_filter *filter, const char *bytes, size_t length, const struct outputs *outputs)
{
    size_t used = 0;
    while (filter->partial_length > 0 && used < length) {
        filter->partial[filter->partial_length++] = bytes[used++];
        size_t decided = feed_characters(filter, filter->partial, filter->partial_length, outputs);
        filter->partial_length -= decided;
        memmove(filter->partial, filter->partial + decided, filter->partial_length);
    }
    return used;
}

static bool fits(const struct outputs *outputs)
{
    return !outputs->reasoning->overflowed && !outputs->content->overflowed;
}

bool text_filter_feed(struct text_filter *filter, const char *bytes, size_t length, struct buf *reasoning,
                      struct buf *content)
{
    struct outputs outputs = {reasoning, content};
    size_t used = feed_partial(filter, bytes, length, &outputs);
    used += feed_characters(filter, bytes + used, length - used, &outputs);
    if (used < length) {
        filter->partial_length = length - used;
        memcpy(filter->partial, bytes + used, filter->partial_length);
    }
    return fits(&outputs);
}

bool text_filter_end(struct text_filter *filter, struct buf *reasoning, struct buf *content)
{
    struct outputs outputs = {reasoning, content};
    for (; filter->partial_length > 0; filter->partial_length--)
        feed_replacement(filter, &outputs);
    if (filter->place == TEXT_AT_START)
        leave_start(filter, &outputs);
    if (filter->place == TEXT_REASONING)
        text_filter_pass(filter, reasoning, "", 0, 0);
    else if (filter->place == TEXT_CONTENT)
        text_filter_content_end(filter, content);
    /* After reasoning nothing but white space is held: a last blank line. */
    return fits(&outputs);
}

bool text_filter_is_stopped(const struct text_filter *filter)
{
    return filter->place == TEXT_STOPPED;
}

/* Does the tag at `tag` stand where models put it that close what their template opened: at the start of a line, or at
 * the end of one? In the midst of a line somebody writes about the tag. */
static bool stands_alone(const char *text, size_t length, const char *tag)
{
    const char *end = text + length, *after = tag + CLOSING_BYTES;
    return tag == text || tag[-1] == '\n' || tag[-1] == '\r' || after == end || *after == '\n' || *after == '\r';
}

/* Tags in the midst of a text are text: only a closing one that no opening one precedes was opened unseen. */
static bool was_opened_unseen(const char *text, size_t length)
{
    const char *closing = memmem(text, length, closing_tag, CLOSING_BYTES);
    return closing != NULL && stands_alone(text, length, closing) &&
           !memmem(text, (size_t)(closing - text), opening_tag, OPENING_BYTES);
}

bool text_filter_whole(struct text_filter *filter, const char *text, size_t length, struct buf *reasoning,
                       struct buf *content)
{
    bool has_tags = memchr(text, '<', length) != NULL;
    if (filter->mode == REASONING_AUTO && has_tags && was_opened_unseen(text, length))
        filter->mode = REASONING_OPENED;
    if (filter->mode != REASONING_OPENED && !has_tags)
        filter->place = TEXT_CONTENT;
    text_filter_feed(filter, text, length, reasoning, content);
    return text_filter_end(filter, reasoning, content);
}
