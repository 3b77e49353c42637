/* Reads an HTTP answer from bytes that come cut anywhere; see the header. */
#include "event_reader.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LINE_MAX_BYTES = 64 * 1024, BODY_MAX_BYTES = 1024 * 1024 };

void event_reader_init(struct event_reader *reader, event_reader_fn *on_event, void *arg)
{
    *reader = (struct event_reader){.on_event = on_event, .arg = arg};
    buf_init(&reader->line, LINE_MAX_BYTES);
    buf_init(&reader->field, LINE_MAX_BYTES);
    buf_init(&reader->type, LINE_MAX_BYTES);
    buf_init(&reader->data, LINE_MAX_BYTES);
    buf_init(&reader->body, BODY_MAX_BYTES);
}

void event_reader_dispose(struct event_reader *reader)
{
    buf_dispose(&reader->line);
    buf_dispose(&reader->field);
    buf_dispose(&reader->type);
    buf_dispose(&reader->data);
    buf_dispose(&reader->body);
}

static void give_up(struct event_reader *reader)
{
    reader->state = READING_BROKEN;
}

/* Moves bytes to `line` up to and with a line feed: how many were taken. `*whole`: the line is there, without its end.
 */
static size_t take_line(struct event_reader *reader, struct buf *line, const char *bytes, size_t length, bool *whole)
{
    const char *feed = memchr(bytes, '\n', length);
    size_t taken = feed == NULL ? length : (size_t)(feed - bytes) + 1;
    if (!buf_append(line, bytes, feed == NULL ? taken : taken - 1))
        give_up(reader);
    *whole = feed != NULL && reader->state != READING_BROKEN;
    return taken;
}

/* ---- events ---- */

/* The value of a field, without the one space that may follow its colon; NULL where the line is another field. */
static const char *value_of(const char *line, const char *name)
{
    size_t length = strlen(name);
    if (strncmp(line, name, length) != 0 || line[length] != ':')
        return NULL;
    return line + length + 1 + (line[length + 1] == ' ');
}

/* Neither side sends an event of several data lines here, so a second one is a fault. */
static void read_field(struct event_reader *reader, const char *line)
{
    const char *value;
    if (*line == '\0') {
        if (reader->has_data)
            reader->on_event(reader->arg, buf_text(&reader->type), buf_text(&reader->data));
        buf_clear(&reader->type);
        buf_clear(&reader->data);
        reader->has_data = false;
    } else if ((value = value_of(line, "data")) != NULL && !reader->has_data) {
        buf_append_text(&reader->data, value);
        reader->has_data = true;
    } else if ((value = value_of(line, "event")) != NULL) {
        buf_append_text(&reader->type, value);
    } else if (*line != ':' && value_of(line, "id") == NULL) {
        give_up(reader);
    }
}

static void read_events(struct event_reader *reader, const char *bytes, size_t length)
{
    while (length > 0 && reader->state != READING_BROKEN) {
        bool whole;
        size_t taken = take_line(reader, &reader->field, bytes, length, &whole);
        if (whole) {
            read_field(reader, buf_text(&reader->field));
            buf_clear(&reader->field);
        }
        bytes += taken;
        length -= taken;
    }
}

/* ---- HTTP ---- */

static void read_head_line(struct event_reader *reader, const char *line)
{
    const char *value;
    if (reader->status == 0) {
        const char *space = strchr(line, ' ');
        reader->status = space == NULL ? 0 : (int)strtol(space, NULL, 10);
        if (strncmp(line, "HTTP/1.1 ", 9) != 0 || reader->status < 200)
            give_up(reader);
    } else if (strncasecmp(line, "Transfer-Encoding: chunked", 26) == 0) {
        reader->is_chunked = true;
    } else if (strncasecmp(line, "Content-Length: ", 16) == 0) {
        reader->left = strtoul(line + 16, NULL, 10);
    } else if (strncasecmp(line, "Content-Type: ", 14) == 0) {
        value = line + 14;
        reader->is_events = strncmp(value, "text/event-stream", 17) == 0;
    } else if (*line == '\0') {
        reader->state = reader->is_chunked ? READING_CHUNK_SIZE : reader->left > 0 ? READING_BODY : READING_COMPLETE;
    }
}

static void read_chunk_size(struct event_reader *reader, const char *line)
{
    char *end;
    reader->left = strtoul(line, &end, 16);
    if (end == line || *end != '\0')
        give_up(reader);
    else
        reader->state = reader->left > 0 ? READING_CHUNK : READING_TRAILER;
}

static void read_line(struct event_reader *reader)
{
    struct buf *line = &reader->line;
    if (line->length == 0 || line->data[line->length - 1] != '\r') {
        give_up(reader);
        return;
    }
    line->data[--line->length] = '\0';
    const char *text = buf_text(line);
    if (reader->state == READING_HEAD)
        read_head_line(reader, text);
    else if (reader->state == READING_CHUNK_SIZE)
        read_chunk_size(reader, text);
    else if (*text != '\0') /* nobody sends trailers */
        give_up(reader);
    else
        reader->state = reader->state == READING_TRAILER ? READING_COMPLETE : READING_CHUNK_SIZE;
    buf_clear(line);
}

static void read_body(struct event_reader *reader, const char *bytes, size_t length)
{
    if (reader->is_events)
        read_events(reader, bytes, length);
    else if (!buf_append(&reader->body, bytes, length))
        give_up(reader);
    reader->left -= length;
    if (reader->left == 0 && reader->state != READING_BROKEN)
        reader->state = reader->state == READING_CHUNK ? READING_CHUNK_END : READING_COMPLETE;
}

void event_reader_feed(struct event_reader *reader, const char *bytes, size_t length)
{
    while (length > 0 && reader->state != READING_BROKEN) {
        size_t taken;
        bool whole = false;
        if (reader->state == READING_COMPLETE) { /* more than the answer: it was framed wrongly */
            give_up(reader);
            return;
        }
        if (reader->state == READING_BODY || reader->state == READING_CHUNK) {
            taken = length < reader->left ? length : reader->left;
            read_body(reader, bytes, taken);
        } else {
            taken = take_line(reader, &reader->line, bytes, length, &whole);
        }
        if (whole)
            read_line(reader);
        bytes += taken;
        length -= taken;
    }
}
