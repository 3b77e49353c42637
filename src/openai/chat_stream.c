/* Writes a chat completion as events, while its predictions run. Clients are strict about them: the role comes once per
 * choice, thoughts before content, no delta is empty, each choice has one finish_reason, and usage comes last. */
#include "openai/chat.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "base/output.h"
#include "base/sse.h"
#include "base/utf8.h"
#include "chat_int.h"
#include "openai/error_body.h"
#include "openai/text_filter.h"

/* Some clients lose an event that comes in two reads, so each is to fit into one write of 4 KB. An alias so long that
 * nothing is left for the text is not worth the trouble: text takes its least. */
enum { FRAME_BYTES = 3900, ENVELOPE_BYTES = 200, DELTA_MAX_BYTES = 2048, DELTA_ROOM_LEAST_BYTES = 256 };

enum { ESCAPED_MOST_BYTES = 6 }; /* of a single byte, as \\u0000 */

struct choice {
    struct text_filter filter;
    size_t given_bytes; /* of text, to the client */
    bool has_pieces;    /* the model's text has come by pieces */
    bool is_over;
};

struct stream_state {
    struct choice *choices;
    size_t count;
    struct buf head;               /* what all chunks begin with, up to their choices */
    struct buf chunk;              /* the one being built */
    struct buf reasoning, content; /* what the filters have let through, and was not said yet */
    struct chat_totals totals;
};

/* A choice that something is to be said of. */
struct speaker {
    const struct call *call;
    struct stream_state *state;
    struct choice *choice;
    size_t index;
    struct buf *out;
};

static void state_free(void *state)
{
    struct stream_state *stream = state;
    for (size_t i = 0; i < stream->count; i++)
        text_filter_dispose(&stream->choices[i].filter);
    free(stream->choices);
    buf_dispose(&stream->head);
    buf_dispose(&stream->chunk);
    buf_dispose(&stream->reasoning);
    buf_dispose(&stream->content);
    free(stream);
}

static struct stream_state *state_new(const struct call *call)
{
    struct stream_state *state = xcalloc(1, sizeof *state);
    state->count = (size_t)call->n;
    state->choices = xcalloc(state->count, sizeof *state->choices);
    for (size_t i = 0; i < state->count; i++)
        text_filter_init(&state->choices[i].filter, call->reasoning, call->stops);
    buf_init(&state->head, CHAT_TEXT_MAX_BYTES);
    buf_init(&state->chunk, CHAT_TEXT_MAX_BYTES);
    buf_init(&state->reasoning, CHAT_TEXT_MAX_BYTES);
    buf_init(&state->content, CHAT_TEXT_MAX_BYTES);
    buf_append_text(&state->head, "{\"id\":");
    json_append_string(&state->head, call->id, strlen(call->id));
    buf_printf(&state->head,
               ",\"object\":\"chat.completion.chunk\",\"created\":%" PRId64 ",\"model\":", call->created_s);
    json_append_string(&state->head, call->alias, strlen(call->alias));
    buf_append_text(&state->head, ",\"choices\":[");
    return state;
}

/* ---- chunks ---- */

static struct buf *open_chunk(struct stream_state *state)
{
    buf_clear(&state->chunk);
    buf_append(&state->chunk, buf_text(&state->head), state->head.length);
    return &state->chunk;
}

/* `usage` (NULL = none yet) is said only to clients that asked for it; others do not expect the key. */
static void close_chunk(const struct call *call, const struct chat_totals *usage, struct buf *out)
{
    struct stream_state *state = call->state;
    buf_append_text(&state->chunk, "]");
    if (call->include_usage)
        buf_append_text(&state->chunk, ",\"usage\":");
    if (call->include_usage && usage != NULL)
        chat_append_usage(usage, &state->chunk);
    else if (call->include_usage)
        buf_append_text(&state->chunk, "null");
    buf_append_text(&state->chunk, "}");
    if (state->head.overflowed || state->chunk.overflowed)
        out->overflowed = true; /* no half of an event */
    else
        sse_append_data(out, buf_text(&state->chunk), state->chunk.length);
}

static struct buf *open_delta(const struct speaker *speaker)
{
    struct buf *chunk = open_chunk(speaker->state);
    buf_append_text(chunk, "{\"index\":");
    buf_append_integer(chunk, (int64_t)speaker->index);
    buf_append_text(chunk, ",\"delta\":{");
    return chunk;
}

static void close_delta(const struct speaker *speaker, const char *finish_reason)
{
    struct buf *chunk = &speaker->state->chunk;
    buf_append_text(chunk, "},\"logprobs\":null,\"finish_reason\":");
    if (finish_reason != NULL)
        buf_printf(chunk, "\"%s\"}", finish_reason);
    else
        buf_append_text(chunk, "null}");
    close_chunk(speaker->call, NULL, speaker->out);
}

/* ---- text ---- */

/* How many bytes of the text go into one delta: whole characters, which take up to `room` bytes in JSON. */
static size_t delta_length(const char *text, size_t length, size_t room)
{
    size_t at = 0;
    if (length <= DELTA_MAX_BYTES && length <= room / ESCAPED_MOST_BYTES)
        return length; /* as most are: a piece is a few words */
    while (at < length) {
        char escaped[UTF8_ESCAPE_BYTES];
        size_t used;
        size_t needed = utf8_escape(escaped, text + at, length - at, &used);
        if (needed > room || at + used > DELTA_MAX_BYTES)
            break;
        room -= needed;
        at += used;
    }
    return at;
}

static size_t room_for_text(const struct stream_state *state)
{
    size_t taken = state->head.length + ENVELOPE_BYTES + DELTA_ROOM_LEAST_BYTES;
    return DELTA_ROOM_LEAST_BYTES + (taken < FRAME_BYTES ? FRAME_BYTES - taken : 0);
}

static void say_content(const struct speaker *speaker, const struct buf *text)
{
    size_t room = room_for_text(speaker->state);
    for (size_t at = 0, length; at < text->length; at += length) {
        length = delta_length(text->data + at, text->length - at, room);
        struct buf *chunk = open_delta(speaker);
        buf_append_text(chunk, "\"content\":");
        json_append_string(chunk, text->data + at, length);
        close_delta(speaker, NULL);
    }
}

/* OpenAI has no name for thoughts. Half of the clients read one of these, half the other; each gets both. */
static void say_reasoning(const struct speaker *speaker, const struct buf *text)
{
    size_t room = room_for_text(speaker->state) / 2;
    for (size_t at = 0, length; at < text->length; at += length) {
        length = delta_length(text->data + at, text->length - at, room);
        struct buf *chunk = open_delta(speaker);
        buf_append_text(chunk, "\"reasoning_content\":");
        json_append_string(chunk, text->data + at, length);
        buf_append_text(chunk, ",\"reasoning\":");
        json_append_string(chunk, text->data + at, length);
        close_delta(speaker, NULL);
    }
}

/* What a piece takes is kept for the next one; what a whole text took is not. */
static void use_up(struct buf *text)
{
    if (text->capacity > FRAME_BYTES)
        buf_dispose(text);
    buf_clear(text);
}

/* Says what the filter has let through, and uses it up. */
static bool say_texts(const struct speaker *speaker)
{
    struct buf *reasoning = &speaker->state->reasoning, *content = &speaker->state->content;
    bool fits = !reasoning->overflowed && !content->overflowed;
    speaker->choice->given_bytes += reasoning->length + content->length;
    say_reasoning(speaker, reasoning);
    say_content(speaker, content);
    use_up(reasoning);
    use_up(content);
    return fits;
}

/* ---- the stream ---- */

static struct speaker make_speaker(struct call *call, size_t index, struct buf *out)
{
    struct stream_state *state = call->state;
    ensure(state != NULL && index < state->count && !state->choices[index].is_over);
    return (struct speaker){call, state, &state->choices[index], index, out};
}

static bool begin(struct call *call, struct buf *out)
{
    ensure(call->state == NULL);
    call->state = state_new(call);
    call->state_free = state_free;
    for (size_t i = 0; i < (size_t)call->n; i++) {
        struct speaker speaker = make_speaker(call, i, out);
        buf_append_text(open_delta(&speaker), "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null");
        close_delta(&speaker, NULL);
    }
    return !out->overflowed;
}

static bool piece(struct call *call, size_t index, const char *bytes, size_t length, struct buf *out)
{
    struct speaker speaker = make_speaker(call, index, out);
    struct stream_state *state = speaker.state;
    speaker.choice->has_pieces = speaker.choice->has_pieces || length > 0;
    text_filter_feed(&speaker.choice->filter, bytes, length, &state->reasoning, &state->content);
    return say_texts(&speaker) && !out->overflowed;
}

static bool is_stopped(const struct call *call, size_t index)
{
    const struct stream_state *state = call->state;
    ensure(state != NULL && index < state->count);
    return text_filter_is_stopped(&state->choices[index].filter);
}

/* Outputs that are no text do not come by pieces: their text comes now, at once. */
static bool filter_output(struct choice *choice, const json_t *output, struct buf *reasoning, struct buf *content)
{
    struct buf raw;
    buf_init(&raw, CHAT_TEXT_MAX_BYTES);
    output_append_text(output, &raw);
    text_filter_whole(&choice->filter, buf_text(&raw), raw.length, reasoning, content);
    bool fits = !raw.overflowed;
    buf_dispose(&raw);
    return fits;
}

static bool choice_end(struct call *call, size_t index, const struct outcome *outcome, struct buf *out)
{
    struct speaker speaker = make_speaker(call, index, out);
    struct choice *choice = speaker.choice;
    struct stream_state *state = speaker.state;
    bool fits = true;
    ensure(outcome != NULL ? outcome->succeeded : text_filter_is_stopped(&choice->filter));
    if (outcome != NULL && !choice->has_pieces)
        fits = filter_output(choice, outcome->output, &state->reasoning, &state->content);
    else
        text_filter_end(&choice->filter, &state->reasoning, &state->content);
    fits = say_texts(&speaker) && fits;
    open_delta(&speaker);
    close_delta(&speaker, chat_finish_reason(call, outcome, text_filter_is_stopped(&choice->filter)));
    chat_count(&state->totals, call, outcome, choice->given_bytes);
    choice->is_over = true;
    return fits && !out->overflowed;
}

static bool end(struct call *call, struct buf *out)
{
    static const char terminator[] = "[DONE]";
    struct stream_state *state = call->state;
    ensure(state != NULL);
    for (size_t i = 0; i < state->count; i++)
        ensure(state->choices[i].is_over);
    if (call->include_usage) {
        open_chunk(state);
        close_chunk(call, &state->totals, out);
    }
    chat_note_usage(&state->totals, call);
    return sse_append_data(out, terminator, sizeof terminator - 1);
}

/* May come before `begin`: the client may have been kept waiting with comments alone. */
static bool fail(struct call *call, const struct error *error, struct buf *out)
{
    enum { ERROR_BODY_MAX_BYTES = 16 * 1024 };
    (void)call;
    struct buf body;
    buf_init(&body, ERROR_BODY_MAX_BYTES);
    ensure(error_body_append(&body, error));
    bool fits = sse_append_data(out, buf_text(&body), body.length);
    buf_dispose(&body);
    return fits;
}

const struct endpoint_stream chat_stream = {begin, piece, is_stopped, choice_end, end, fail};
