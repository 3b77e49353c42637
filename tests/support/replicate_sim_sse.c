/* Server-sent events of the simulated Replicate, as bytes. */
#include "replicate_sim_int.h"

#include <string.h>

static const char *line_end(const struct sim_stream_plan *style)
{
    return style->crlf ? "\r\n" : "\n";
}

/* A client takes one space away, so data that begin with one need one before them in any style. */
static void put_field(struct buf *out, const struct sim_stream_plan *style, const char *name, const char *value,
                      size_t length)
{
    bool needs_space = !style->no_space || (length > 0 && *value == ' ');
    buf_append_text(out, name);
    buf_append_text(out, needs_space ? ": " : ":");
    buf_append(out, value, length);
    buf_append_text(out, line_end(style));
}

/* Only line feeds split the data, as Replicate's server has it: a lone carriage return stays inside its line. */
static void put_data(struct buf *out, const struct sim_stream_plan *style, const struct buf *data)
{
    const char *at = buf_text(data), *end = at + data->length, *feed;
    while ((feed = memchr(at, '\n', (size_t)(end - at)))) {
        put_field(out, style, "data", at, (size_t)(feed - at));
        at = feed + 1;
    }
    put_field(out, style, "data", at, (size_t)(end - at));
}

void sim_sse_event(struct buf *out, const struct sim_stream_plan *style, const char *name, const char *id,
                   const struct buf *data)
{
    put_field(out, style, "event", name, strlen(name));
    if (id)
        put_field(out, style, "id", id, strlen(id));
    if (data)
        put_data(out, style, data);
    buf_append_text(out, line_end(style));
}

void sim_sse_comment(struct buf *out, const struct sim_stream_plan *style, const char *text)
{
    buf_append_text(out, ":");
    buf_append_text(out, text);
    buf_append_text(out, line_end(style));
    buf_append_text(out, line_end(style));
}
