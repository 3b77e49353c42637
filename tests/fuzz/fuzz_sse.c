/* Any bytes as an event stream: in one piece, cut in two, or byte by byte it says the same, and the same as a simple
 * reader says that has the whole stream at hand. The first byte chooses the parser's maximum. */
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STREAM_MAX_BYTES = 4096, TRANSCRIPT_MAX_BYTES = 1 << 24, CUTS = 64 };

/* Each text is preceded by its length, so that two transcripts are equal only where all texts are. */
static void write_text(struct buf *transcript, const char *name, const char *text, size_t length)
{
    ensure(buf_printf(transcript, "%s %zu:", name, length));
    ensure(buf_append(transcript, text, length));
}

static void write_event(void *arg, const struct sse_event *event)
{
    ensure(event->data[event->data_length] == '\0');
    write_text(arg, "type", event->type, strlen(event->type));
    write_text(arg, "id", event->id, strlen(event->id));
    write_text(arg, "data", event->data, event->data_length);
}

static void write_comment(void *arg, const char *text, size_t length)
{
    ensure(text[length] == '\0');
    write_text(arg, "comment", text, length);
}

/* The simple reader. */
struct reader {
    size_t maximum;
    struct buf type, data, id, last_id;
    bool has_data, has_id;
    struct buf *transcript;
};

static void set(struct buf *buf, const char *value, size_t length)
{
    buf_clear(buf);
    buf_append(buf, value, length);
}

static void read_blank_line(struct reader *reader)
{
    if (reader->has_id)
        set(&reader->last_id, buf_text(&reader->id), reader->id.length);
    struct sse_event event = {
        .type = reader->type.length > 0 ? buf_text(&reader->type) : "message",
        .data = buf_text(&reader->data),
        .data_length = reader->data.length,
        .id = buf_text(&reader->last_id),
    };
    if (reader->has_data)
        write_event(reader->transcript, &event);
    set(&reader->type, "", 0);
    set(&reader->data, "", 0);
    reader->has_data = reader->has_id = false;
}

static bool read_line(struct reader *reader, const char *line, size_t length)
{
    size_t name = 0;
    while (name < length && line[name] != ':')
        name++;
    size_t value = name < length ? name + 1 : length;
    if (value < length && line[value] == ' ')
        value++;
    const char *text = line + value;
    size_t text_length = length - value;
    bool has_nul = strnlen(text, text_length) < text_length;
    if (length == 0) {
        read_blank_line(reader);
    } else if (name == 0) {
        write_text(reader->transcript, "comment", text, text_length);
    } else if (name == 4 && memcmp(line, "data", 4) == 0) {
        if (reader->has_data)
            buf_append_text(&reader->data, "\n");
        buf_append(&reader->data, text, text_length);
        reader->has_data = true;
    } else if (name == 5 && memcmp(line, "event", 5) == 0 && !has_nul) {
        set(&reader->type, text, text_length);
    } else if (name == 2 && memcmp(line, "id", 2) == 0 && !has_nul) {
        set(&reader->id, text, text_length);
        reader->has_id = true;
    }
    return reader->data.length <= reader->maximum;
}

/* `lines` has only LF for line ends. False where a line, also the last without an end, or the data is too long. */
static bool read_lines(struct reader *reader, const char *lines, size_t length)
{
    size_t mark = length >= 3 && memcmp(lines, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    for (size_t at = 0; at < length;) {
        const char *end = memchr(lines + at, '\n', length - at);
        size_t line_length = end != NULL ? (size_t)(end - lines) - at : length - at;
        if (line_length > reader->maximum)
            return false;
        if (end == NULL)
            return true;
        if (!read_line(reader, lines + at + mark, line_length - mark))
            return false;
        at += line_length + 1;
        mark = 0;
    }
    return true;
}

static bool read_simply(const char *bytes, size_t length, size_t maximum, struct buf *transcript)
{
    char lines[STREAM_MAX_BYTES + 1];
    size_t lines_length = 0;
    struct reader reader = {.maximum = maximum, .transcript = transcript};
    struct buf *const bufs[] = {&reader.type, &reader.data, &reader.id, &reader.last_id};
    for (size_t i = 0; i < 4; i++)
        buf_init(bufs[i], STREAM_MAX_BYTES);
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n' && i > 0 && bytes[i - 1] == '\r')
            continue;
        lines[lines_length++] = bytes[i] == '\r' ? '\n' : bytes[i];
    }
    bool is_read = read_lines(&reader, lines, lines_length);
    for (size_t i = 0; i < 4; i++)
        buf_dispose(bufs[i]);
    return is_read;
}

/* Feeds `step` bytes at a time after the first `first`. */
static bool read_in_pieces(const char *bytes, size_t length, size_t maximum, size_t first, size_t step,
                           struct buf *transcript)
{
    struct sse_parser parser;
    sse_parser_init(&parser, maximum, write_event, write_comment, transcript);
    bool is_read = sse_parser_feed(&parser, bytes, first);
    for (size_t at = first; at < length; at += step)
        is_read = sse_parser_feed(&parser, bytes + at, step < length - at ? step : length - at);
    ensure(parser.line.length <= maximum && parser.data.length <= maximum);
    sse_parser_dispose(&parser);
    return is_read;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > STREAM_MAX_BYTES)
        return 0;
    size_t maximum = (size_t)8 << data[0] % 8;
    const char *bytes = (const char *)data + 1;
    size_t length = size - 1;
    struct buf expected, transcript;
    buf_init(&expected, TRANSCRIPT_MAX_BYTES);
    buf_init(&transcript, TRANSCRIPT_MAX_BYTES);
    bool is_readable = read_simply(bytes, length, maximum, &expected);
    /* A stream of up to CUTS bytes is cut at every place; the last round is byte by byte. */
    size_t stride = length / CUTS + 1;
    for (size_t cut = 0; cut <= length + stride; cut += stride) {
        bool is_last = cut > length;
        buf_clear(&transcript);
        bool is_read =
            read_in_pieces(bytes, length, maximum, is_last ? 0 : cut, is_last ? 1 : STREAM_MAX_BYTES, &transcript);
        ensure(is_read == is_readable);
        ensure(transcript.length == expected.length);
        ensure(memcmp(buf_text(&transcript), buf_text(&expected), expected.length) == 0);
    }
    buf_dispose(&expected);
    buf_dispose(&transcript);
    return 0;
}
