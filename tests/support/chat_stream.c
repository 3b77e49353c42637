/* A streamed chat completion of an end-to-end test: sent, and understood as strictly as any client would. */
#include "chat_stream.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"

enum { TEXT_MAX_BYTES = 128 * 1024 * 1024 };

void chat_stream_begin(const struct bridge *bridge, const struct chat_case *request, struct stream_client *client)
{
    char *more = xasprintf(",\"stream\":true%s", request->more != NULL ? request->more : "");
    char *body = bridge_chat_body(request->model != NULL ? request->model : "writer", CHAT_CASE_PROMPT, more);
    bool is_sent =
        stream_open(client, bridge->port,
                    &(struct http_request){.path = "/v1/chat/completions", .headers = request->headers, .body = body});
    free(body);
    free(more);
    ck_assert_msg(is_sent, "the program does not take the request");
}

void chat_stream_finish(struct stream_client *client)
{
    bool is_whole = stream_read_to_end(client, 2 * daemon_patience_ms());
    ck_assert_msg(is_whole, "the answer did not come to its end: status %d, %zu frames, the last is: %.300s",
                  client->answer.status, client->frame_count,
                  client->frame_count > 0 ? client->frames[client->frame_count - 1].text : "(none)");
}

/* ---- understanding ---- */

/* Exactly these members, named in one text with a space between them. */
static void expect_members(const json_t *object, const char *names)
{
    size_t count = 0;
    char name[64];
    for (const char *at = names; sscanf(at, "%63s", name) == 1; at += strlen(name), at += *at == ' ') {
        ck_assert_msg(json_object_get(object, name) != NULL, "a chunk lacks %s", name);
        count++;
    }
    ck_assert_msg(json_object_size(object) == count, "something has %zu members, not only: %s",
                  json_object_size(object), names);
}

static void add_text(struct buf *out, const json_t *delta, const char *key)
{
    const json_t *text = json_object_get(delta, key);
    ck_assert_msg(json_string_length(text) > 0, "a delta whose %s is empty", key);
    if (out->maximum == 0)
        buf_init(out, TEXT_MAX_BYTES);
    ck_assert(buf_append(out, json_string_value(text), json_string_length(text)));
}

static void hear_delta(struct chat_stream_choice *choice, const json_t *delta)
{
    if (choice->roles == 0) {
        expect_members(delta, "role content refusal");
        ck_assert_pstr_eq(json_text(delta, "role"), "assistant");
        ck_assert_pstr_eq(json_text(delta, "content"), "");
        choice->roles++;
        return;
    }
    choice->deltas++;
    if (json_object_get(delta, "reasoning") == NULL) {
        expect_members(delta, "content");
        add_text(&choice->content, delta, "content");
        return;
    }
    expect_members(delta, "reasoning_content reasoning");
    ck_assert_msg(choice->content.length == 0, "a thought comes after content");
    ck_assert(json_equal(json_object_get(delta, "reasoning_content"), json_object_get(delta, "reasoning")));
    add_text(&choice->reasoning, delta, "reasoning");
}

static void hear_choice(struct chat_stream *heard, const json_t *entry)
{
    expect_members(entry, "index delta logprobs finish_reason");
    json_int_t index = json_integer_value(json_object_get(entry, "index"));
    ck_assert_int_ge(index, 0);
    ck_assert_int_lt(index, CHAT_STREAM_CHOICES);
    struct chat_stream_choice *choice = &heard->choices[index];
    const char *reason = json_text(entry, "finish_reason");
    ck_assert_msg(choice->finish_reason[0] == '\0', "choice %d goes on after its finish_reason", (int)index);
    if (reason == NULL) {
        hear_delta(choice, json_object_get(entry, "delta"));
        return;
    }
    ck_assert_msg(choice->roles == 1, "choice %d ends before its role", (int)index);
    ck_assert_uint_eq(json_object_size(json_object_get(entry, "delta")), 0);
    snprintf(choice->finish_reason, sizeof choice->finish_reason, "%s", reason);
}

static void hear_chunk(struct chat_stream *heard, const json_t *chunk)
{
    const json_t *choices = json_object_get(chunk, "choices"), *usage = json_object_get(chunk, "usage");
    expect_members(chunk, usage != NULL ? "id object created model choices usage" : "id object created model choices");
    ck_assert_pstr_eq(json_text(chunk, "object"), "chat.completion.chunk");
    ck_assert_msg(heard->usage == NULL, "a chunk comes after the usage");
    heard->chunks++;
    if (json_array_size(choices) == 0) {
        ck_assert_msg(json_is_object(usage), "a chunk with neither choice nor usage");
        heard->usage = json_deep_copy(usage);
        return;
    }
    ck_assert_uint_eq(json_array_size(choices), 1);
    ck_assert(usage == NULL || json_is_null(usage));
    hear_choice(heard, json_array_get(choices, 0));
}

/* Id, model and time are the same in all chunks; they are compared with the first one's. */
static void expect_same_head(const json_t *chunk, json_t **first)
{
    static const char *const members[] = {"id", "created", "model"};
    if (*first == NULL)
        *first = json_deep_copy(chunk);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        ck_assert_msg(json_equal(json_object_get(chunk, members[i]), json_object_get(*first, members[i])),
                      "%s changes between chunks", members[i]);
}

static void hear_event(struct chat_stream *heard, const char *data, json_t **first)
{
    struct error err = {0};
    ck_assert_msg(!heard->is_done && heard->error == NULL, "this comes after the end: %s", data);
    heard->is_done = strcmp(data, "[DONE]") == 0;
    if (heard->is_done)
        return;
    json_t *json = json_parse(data, strlen(data), &err);
    ck_assert_msg(json != NULL, "an event is not JSON (%s): %s", err.message, data);
    if (json_object_get(json, "error") != NULL) {
        expect_members(json, "error");
        heard->error = json_incref(json_object_get(json, "error"));
        expect_members(heard->error, "message type param code");
    } else {
        expect_same_head(json, first);
        hear_chunk(heard, json);
    }
    json_decref(json);
}

void chat_stream_hear(const struct stream_client *client, struct chat_stream *heard)
{
    json_t *first = NULL;
    memset(heard, 0, sizeof *heard);
    ck_assert_msg(client->answer.status == 200, "status %d: %s", client->answer.status, client->answer.body);
    chat_case_expect_header(&client->answer, "content-type", "text/event-stream; charset=utf-8");
    chat_case_expect_header(&client->answer, "cache-control", "no-cache");
    for (size_t i = 0; i < client->frame_count; i++) {
        const char *text = client->frames[i].text;
        ck_assert_msg(strchr(text, '\n') == NULL && strchr(text, '\r') == NULL, "a frame of several lines: %s", text);
        heard->comments += strncmp(text, ": ", 2) == 0;
        if (strncmp(text, ": ", 2) == 0)
            continue;
        ck_assert_msg(strncmp(text, "data: ", 6) == 0, "a frame without data: %s", text);
        hear_event(heard, text + 6, &first);
    }
    json_decref(first);
}

void chat_stream_dispose(struct chat_stream *heard)
{
    for (size_t i = 0; i < CHAT_STREAM_CHOICES; i++) {
        buf_dispose(&heard->choices[i].content);
        buf_dispose(&heard->choices[i].reasoning);
    }
    json_decref(heard->usage);
    json_decref(heard->error);
    memset(heard, 0, sizeof *heard);
}

/* ---- whole answers ---- */

void chat_stream_expect_text(const struct stream_client *client, const char *name, const char *text)
{
    struct chat_stream heard;
    ck_assert_msg(client->progress == STREAM_OVER, "%s: the answer did not come to its end (status %d, %zu frames)",
                  name, client->answer.status, client->frame_count);
    ck_assert_msg(client->answer.status == 200, "%s: status %d: %s", name, client->answer.status, client->answer.body);
    chat_stream_hear(client, &heard);
    const char *content = buf_text(&heard.choices[0].content);
    ck_assert_msg(heard.error == NULL, "%s: ends with an error: %s", name,
                  client->frames[client->frame_count - 1].text);
    ck_assert_msg(strcmp(content, text) == 0, "%s: the text is \"%s\", not \"%s\"", name, content, text);
    ck_assert_msg(heard.is_done, "%s: there is no [DONE]", name);
    ck_assert_pstr_eq(heard.choices[0].finish_reason, "stop");
    ck_assert_uint_eq(heard.choices[1].roles, 0);
    ck_assert_msg(client->torn_chunks == 0, "%s: %zu chunks hold parts of frames", name, client->torn_chunks);
    chat_stream_dispose(&heard);
}

static void expect_error(const json_t *object, const struct chat_error *expected)
{
    const char *message = json_text(object, "message");
    ck_assert_msg(message != NULL && message[0] != '\0', "an error without a message");
    ck_assert_pstr_eq(json_text(object, "type"), expected->type);
    ck_assert_pstr_eq(json_text(object, "code"), expected->code);
    ck_assert_pstr_eq(json_text(object, "param"), expected->param);
    ck_assert_msg(expected->says == NULL || strstr(message, expected->says) != NULL, "\"%s\" is not in: %s",
                  expected->says, message);
    ck_assert_msg(strstr(message, "test-token") == NULL && strstr(message, CHAT_CASE_PROMPT) == NULL,
                  "the token or the prompt is told: %s", message);
}

void chat_stream_expect_broken(const struct stream_client *client, const char *text, const struct chat_error *error)
{
    struct chat_stream heard;
    ck_assert_msg(client->progress == STREAM_OVER, "the answer did not come to its end");
    chat_stream_hear(client, &heard);
    ck_assert_str_eq(buf_text(&heard.choices[0].content), text);
    ck_assert_msg(heard.error != NULL, "a silent end after %zu chunks", heard.chunks);
    expect_error(heard.error, error);
    for (size_t i = 0; i < CHAT_STREAM_CHOICES; i++)
        ck_assert_str_eq(heard.choices[i].finish_reason, "");
    chat_stream_dispose(&heard);
}

void chat_stream_expect_refused(const struct stream_client *client, const struct chat_error *error)
{
    ck_assert_msg(client->progress == STREAM_OVER, "the answer did not come to its end");
    ck_assert_uint_eq(client->frame_count, 0);
    chat_case_expect_error(&client->answer, error);
}
