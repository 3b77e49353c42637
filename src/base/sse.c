/* Server-sent events as the HTML standard defines them, read from bytes that come cut anywhere, and written in the one
 * form that every client of OpenAI's streams understands. */
#include "base/sse.h"

#include <string.h>

#include "base/ensure.h"

void sse_parser_init(struct sse_parser *parser, size_t maximum_bytes, sse_event_fn on_event, sse_comment_fn on_comment,
                     void *arg)
{
    *parser = (struct sse_parser){.on_event = on_event, .on_comment = on_comment, .arg = arg, .at_start = true};
    buf_init(&parser->line, maximum_bytes);
    buf_init(&parser->type, maximum_bytes);
    buf_init(&parser->data, maximum_bytes);
    buf_init(&parser->id, maximum_bytes);
    buf_init(&parser->last_id, maximum_bytes);
}

void sse_parser_dispose(struct sse_parser *parser)
{
    buf_dispose(&parser->line);
    buf_dispose(&parser->type);
    buf_dispose(&parser->data);
    buf_dispose(&parser->id);
    buf_dispose(&parser->last_id);
}

static void forget_event(struct sse_parser *parser)
{
    buf_clear(&parser->type);
    buf_clear(&parser->data);
    parser->has_data = false;
}

void sse_parser_restart(struct sse_parser *parser)
{
    forget_event(parser);
    buf_clear(&parser->line);
    parser->has_id = false;
    parser->after_cr = false;
    parser->at_start = true;
}

const char *sse_parser_last_id(const struct sse_parser *parser)
{
    return buf_text(&parser->last_id);
}

/* A blank line ends the event. Only now does its id count: whoever asks to go on after the id of an event that was cut
 * off would never get that event. */
static void end_event(struct sse_parser *parser)
{
    if (parser->has_id) {
        struct buf previous = parser->last_id;
        parser->last_id = parser->id;
        parser->id = previous;
        parser->has_id = false;
    }
    if (parser->has_data) {
        struct sse_event event = {
            .type = parser->type.length ? buf_text(&parser->type) : "message",
            .data = buf_text(&parser->data),
            .data_length = parser->data.length,
            .id = buf_text(&parser->last_id),
        };
        parser->on_event(parser->arg, &event);
    }
    forget_event(parser);
}

/* A text that holds a NUL cannot be handed on as a C string: keeping its beginning would make another text of it. */
static bool replace_text(struct buf *buf, const char *value, size_t length)
{
    if (memchr(value, '\0', length))
        return false;
    buf_clear(buf);
    /* It is part of a line, which has the same maximum. */
    ensure(buf_append(buf, value, length));
    return true;
}

static bool take_data(struct sse_parser *parser, const char *value, size_t length)
{
    if (parser->has_data)
        buf_append(&parser->data, "\n", 1);
    parser->has_data = true;
    return buf_append(&parser->data, value, length);
}

static bool is_name(const char *name, size_t length, const char *expected)
{
    return length == strlen(expected) && memcmp(name, expected, length) == 0;
}

/* One line that is neither blank nor a comment. Without a colon the whole line is the field's name. */
static bool take_field(struct sse_parser *parser, const char *line, size_t length)
{
    const char *colon = memchr(line, ':', length);
    size_t name_length = colon ? (size_t)(colon - line) : length;
    const char *value = colon ? colon + 1 : line + length;
    const char *end = line + length;
    if (value < end && *value == ' ')
        value++;
    size_t value_length = (size_t)(end - value);
    if (is_name(line, name_length, "data"))
        return take_data(parser, value, value_length);
    if (is_name(line, name_length, "event"))
        replace_text(&parser->type, value, value_length);
    else if (is_name(line, name_length, "id") && replace_text(&parser->id, value, value_length))
        parser->has_id = true;
    return true;
}

static void take_comment(struct sse_parser *parser, const char *text, size_t length)
{
    if (!parser->on_comment)
        return;
    size_t spaces = length > 0 && text[0] == ' ';
    parser->on_comment(parser->arg, text + spaces, length - spaces);
}

static bool end_line(struct sse_parser *parser)
{
    static const char byte_order_mark[] = "\xEF\xBB\xBF";
    const char *line = buf_text(&parser->line);
    size_t length = parser->line.length;
    if (parser->at_start && length >= 3 && memcmp(line, byte_order_mark, 3) == 0) {
        line += 3;
        length -= 3;
    }
    parser->at_start = false;
    bool fits = true;
    if (length == 0)
        end_event(parser);
    else if (line[0] == ':')
        take_comment(parser, line + 1, length - 1);
    else
        fits = take_field(parser, line, length);
    buf_clear(&parser->line);
    return fits;
}

static size_t length_before_line_end(const char *bytes, size_t length)
{
    size_t before = 0;
    while (before < length && bytes[before] != '\n' && bytes[before] != '\r')
        before++;
    return before;
}

bool sse_parser_feed(struct sse_parser *parser, const char *bytes, size_t length)
{
    if (parser->line.overflowed || parser->data.overflowed)
        return false;
    while (length > 0) {
        /* A CR ends its line at once, and an LF after it belongs to the same line end: to wait for it would delay
         * events. */
        size_t skipped = parser->after_cr && *bytes == '\n';
        parser->after_cr = false;
        bytes += skipped;
        length -= skipped;
        size_t before = length_before_line_end(bytes, length);
        if (!buf_append(&parser->line, bytes, before))
            return false;
        if (before == length)
            return true;
        parser->after_cr = bytes[before] == '\r';
        bytes += before + 1;
        length -= before + 1;
        if (!end_line(parser))
            return false;
    }
    return true;
}

bool sse_append_data(struct buf *out, const char *text, size_t length)
{
    /* A second line would need a second `data:`, and some clients read line by line. */
    ensure(memchr(text, '\n', length) == NULL && memchr(text, '\r', length) == NULL);
    buf_reserve(out, length + sizeof "data: \n\n" - 1);
    buf_append_text(out, "data: ");
    buf_append(out, text, length);
    return buf_append_text(out, "\n\n");
}

bool sse_append_comment(struct buf *out, const char *text)
{
    ensure(text[strcspn(text, "\r\n")] == '\0');
    return buf_printf(out, ": %s\n\n", text);
}
