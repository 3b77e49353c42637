/* The two ends of a streamed chat completion: see the header. Nothing is taken on trust, so that fuzzing can use it. */
#include "stream_help.h"

#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "openai/endpoint.h"

enum { TEXT_MAX_BYTES = 1 << 28 };

void heard_init(struct heard *heard)
{
    *heard = (struct heard){0};
    for (size_t i = 0; i < HEARD_CHOICES_MAX; i++) {
        buf_init(&heard->choices[i].reasoning, TEXT_MAX_BYTES);
        buf_init(&heard->choices[i].content, TEXT_MAX_BYTES);
    }
}

void heard_dispose(struct heard *heard)
{
    for (size_t i = 0; i < HEARD_CHOICES_MAX; i++) {
        buf_dispose(&heard->choices[i].reasoning);
        buf_dispose(&heard->choices[i].content);
    }
    json_decref(heard->usage);
    json_decref(heard->error);
}

/* Exactly these members, named in one text with spaces between. */
static void expect_keys(const json_t *object, const char *names)
{
    size_t count = 1;
    ensure(json_is_object(object));
    for (const char *c = names; *c != '\0'; c++)
        count += *c == ' ';
    ensure(json_object_size(object) == count);
    while (*names != '\0') {
        char name[32];
        size_t length = strcspn(names, " ");
        ensure(length < sizeof name);
        memcpy(name, names, length);
        name[length] = '\0';
        ensure(json_object_get(object, name) != NULL);
        names += length + (names[length] == ' ');
    }
}

static bool has(const json_t *object, const char *key)
{
    return json_object_get(object, key) != NULL;
}

static void append_delta(struct buf *out, const json_t *delta, const char *key)
{
    const json_t *text = json_object_get(delta, key);
    ensure(json_is_string(text) && json_string_length(text) > 0);
    ensure(buf_append(out, json_string_value(text), json_string_length(text)));
}

static void read_delta(struct heard_choice *choice, const json_t *delta)
{
    if (has(delta, "role")) {
        expect_keys(delta, "role content refusal");
        ensure(strcmp(json_text(delta, "role"), "assistant") == 0 && strcmp(json_text(delta, "content"), "") == 0);
        ensure(json_is_null(json_object_get(delta, "refusal")));
        choice->roles++;
        return;
    }
    ensure(choice->roles == 1);
    choice->deltas++;
    if (has(delta, "reasoning")) {
        expect_keys(delta, "reasoning_content reasoning");
        ensure(json_equal(json_object_get(delta, "reasoning_content"), json_object_get(delta, "reasoning")));
        ensure(choice->content.length == 0); /* thoughts come first */
        append_delta(&choice->reasoning, delta, "reasoning");
    } else {
        expect_keys(delta, "content");
        append_delta(&choice->content, delta, "content");
    }
}

static void read_choice(struct heard *heard, const json_t *entry)
{
    expect_keys(entry, "index delta logprobs finish_reason");
    json_int_t index = json_integer_value(json_object_get(entry, "index"));
    ensure(index >= 0 && index < HEARD_CHOICES_MAX);
    struct heard_choice *choice = &heard->choices[index];
    const json_t *delta = json_object_get(entry, "delta");
    const char *reason = json_text(entry, "finish_reason");
    ensure(json_is_null(json_object_get(entry, "logprobs")));
    ensure(choice->finish_reason[0] == '\0'); /* nothing comes after it */
    if (reason == NULL) {
        ensure(json_is_null(json_object_get(entry, "finish_reason")));
        read_delta(choice, delta);
        return;
    }
    ensure(json_is_object(delta) && json_object_size(delta) == 0 && choice->roles == 1);
    snprintf(choice->finish_reason, sizeof choice->finish_reason, "%s", reason);
}

static void read_usage(struct heard *heard, const struct call *call, const json_t *chunk)
{
    const json_t *usage = json_object_get(chunk, "usage");
    ensure(call->include_usage && heard->usage == NULL);
    expect_keys(usage, "prompt_tokens completion_tokens total_tokens prompt_tokens_details completion_tokens_details");
    heard->usage = json_deep_copy(usage);
}

static void read_chunk(struct heard *heard, const struct call *call, const json_t *chunk)
{
    const json_t *choices = json_object_get(chunk, "choices");
    expect_keys(chunk,
                call->include_usage ? "id object created model choices usage" : "id object created model choices");
    ensure(strcmp(json_text(chunk, "id"), call->id) == 0);
    ensure(strcmp(json_text(chunk, "object"), "chat.completion.chunk") == 0);
    ensure(json_integer_value(json_object_get(chunk, "created")) == call->created_s);
    ensure(strcmp(json_text(chunk, "model"), call->alias) == 0);
    ensure(json_is_array(choices) && json_array_size(choices) <= 1 && heard->usage == NULL);
    heard->chunks++;
    if (json_array_size(choices) == 0) {
        read_usage(heard, call, chunk);
        return;
    }
    ensure(!call->include_usage || json_is_null(json_object_get(chunk, "usage")));
    read_choice(heard, json_array_get(choices, 0));
}

static void read_frame(struct heard *heard, const struct call *call, const char *data, size_t length)
{
    ensure(!heard->is_done && heard->error == NULL); /* these are the last */
    if (length == 6 && memcmp(data, "[DONE]", 6) == 0) {
        heard->is_done = true;
        return;
    }
    /* A text may hold a NUL: our own parser, which is for requests, would refuse it. */
    json_t *json = json_loadb(data, length, JSON_ALLOW_NUL, NULL);
    ensure(json != NULL);
    if (has(json, "error")) {
        expect_keys(json, "error");
        expect_keys(json_object_get(json, "error"), "message type param code");
        heard->error = json_incref(json_object_get(json, "error"));
    } else {
        read_chunk(heard, call, json);
    }
    json_decref(json);
}

void heard_read(struct heard *heard, const struct call *call, const char *bytes, size_t length)
{
    static const char start[] = "data: ";
    enum { START_BYTES = sizeof start - 1 };
    for (const char *end = bytes + length; bytes < end;) {
        const char *line_end = memchr(bytes, '\n', (size_t)(end - bytes));
        ensure(line_end != NULL && line_end + 1 < end && line_end[1] == '\n');
        size_t line = (size_t)(line_end - bytes);
        ensure(line > START_BYTES && memcmp(bytes, start, START_BYTES) == 0 && memchr(bytes, '\r', line) == NULL);
        read_frame(heard, call, bytes + START_BYTES, line - START_BYTES);
        heard->longest_frame = line + 2 > heard->longest_frame ? line + 2 : heard->longest_frame;
        bytes = line_end + 2;
    }
}

/* ---- the other end ---- */

static const struct endpoint_stream *encoder(const struct telling *telling)
{
    return telling->call->endpoint->stream;
}

void telling_begin(struct telling *telling, struct call *call)
{
    *telling = (struct telling){.call = call};
    buf_init(&telling->out, TEXT_MAX_BYTES);
    ensure(encoder(telling)->begin(call, &telling->out));
}

void telling_dispose(struct telling *telling)
{
    buf_dispose(&telling->out);
}

static void end_choice(struct telling *telling, size_t index, const struct outcome *outcome)
{
    ensure(encoder(telling)->choice_end(telling->call, index, outcome, &telling->out));
    telling->is_over[index] = true;
    if (++telling->choices_over == telling->call->n)
        ensure(encoder(telling)->end(telling->call, &telling->out));
}

void telling_piece(struct telling *telling, size_t index, const char *bytes, size_t length)
{
    if (telling->is_over[index])
        return;
    ensure(encoder(telling)->piece(telling->call, index, bytes, length, &telling->out));
    if (encoder(telling)->is_stopped(telling->call, index))
        end_choice(telling, index, NULL);
}

void telling_end(struct telling *telling, size_t index, const struct outcome *outcome)
{
    if (!telling->is_over[index])
        end_choice(telling, index, outcome);
}
