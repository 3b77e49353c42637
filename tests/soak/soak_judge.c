/* Judges answers: the whole text of the own prompt and nothing else, or an error that the request or a fault explains.
 */
#include "soak_judge.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/json.h"
#include "http_client_int.h"

enum { TEXT_MAX_BYTES = 4 * 1024 * 1024, STATUS_COUNT = 600 };

static const char *const manner_names[SOAK_MANNER_COUNT] = {
#define X(name, text) [SOAK_##name] = text,
    SOAK_MANNERS(X)
#undef X
};

void soak_blame(struct soak_client *client, const char *what)
{
    const struct stream_client *wire = &client->wire;
    struct soak_tally *tally = client->tally;
    if (tally->wrong++ > 0)
        return;
    snprintf(tally->example, sizeof tally->example,
             "%s (%s, %s, try %d): %s; status %d, %zu frames, the last: %.300s; body: %.300s", client->nonce,
             manner_names[client->manner], client->model->name, client->retry_count + 1, what, wire->answer.status,
             wire->frame_count, wire->frame_count > 0 ? wire->frames[wire->frame_count - 1].text : "(none)",
             wire->answer.body != NULL ? wire->answer.body : "(none)");
}

/* ---- texts ---- */

struct heard {
    struct buf text;
    bool is_done, has_error, is_garbled;
};

static void hear_frame(struct heard *heard, const char *frame)
{
    struct error err = {0};
    if (strncmp(frame, ": ", 2) == 0)
        return;
    /* Nothing comes after the end. */
    if (strncmp(frame, "data: ", 6) != 0 || heard->is_done || heard->has_error) {
        heard->is_garbled = true;
        return;
    }
    frame += 6;
    heard->is_done = strcmp(frame, "[DONE]") == 0;
    json_t *json = heard->is_done ? NULL : json_parse(frame, strlen(frame), &err);
    const json_t *choice = json_array_get(json_object_get(json, "choices"), 0);
    const char *piece = json_text(json_object_get(choice, "delta"), "content");
    heard->has_error = json_object_get(json, "error") != NULL;
    heard->is_garbled = heard->is_garbled || (json == NULL && !heard->is_done);
    if (piece != NULL)
        buf_append_text(&heard->text, piece);
    json_decref(json);
}

static void judge_stream(struct soak_client *client, const struct buf *expected)
{
    struct heard heard = {0};
    buf_init(&heard.text, TEXT_MAX_BYTES);
    for (size_t i = 0; i < client->wire.frame_count; i++)
        hear_frame(&heard, client->wire.frames[i].text);
    client->tally->late_errors += heard.has_error;
    bool is_part = heard.text.length <= expected->length &&
                   strncmp(buf_text(&heard.text), buf_text(expected), heard.text.length) == 0;
    bool is_failure = client->model->end == SOAK_FAILS;
    if (heard.is_garbled || client->wire.torn_chunks > 0)
        soak_blame(client, "the stream is garbled");
    else if (heard.is_done == heard.has_error)
        soak_blame(client, "the stream has not exactly one end");
    else if (!is_part || (heard.is_done && heard.text.length != expected->length))
        soak_blame(client, "the stream's text is not the model's");
    else if (heard.is_done && is_failure)
        soak_blame(client, "a failed prediction came to a good end");
    buf_dispose(&heard.text);
}

static void judge_whole(struct soak_client *client, const struct buf *expected)
{
    struct error err = {0};
    json_t *json = json_parse(client->wire.answer.body, client->wire.answer.body_length, &err);
    const json_t *choice = json_array_get(json_object_get(json, "choices"), 0);
    const char *content = json_text(json_object_get(choice, "message"), "content");
    if (content == NULL || strcmp(content, buf_text(expected)) != 0)
        soak_blame(client, "the text is not the model's");
    else if (client->model->end == SOAK_FAILS)
        soak_blame(client, "a failed prediction is told as a good one");
    json_decref(json);
}

/* ---- errors ---- */

/* Faults of Replicate's show as these; a request that is right is never blamed for them. */
static bool is_explained(const struct soak_client *client, int status)
{
    if (client->manner == SOAK_MALFORMED)
        return status >= 400 && status < 500;
    if (status == 422)
        return client->model->end == SOAK_FAILS;
    return status == 429 || status == 502 || status == 503 || status == 504;
}

static bool is_error_object(const struct stream_client *wire)
{
    struct error err = {0};
    json_t *json = json_parse(wire->answer.body, wire->answer.body_length, &err);
    const json_t *error = json_object_get(json, "error");
    bool is_one = json_object_size(error) == 4 && json_text(error, "message") != NULL;
    json_decref(json);
    return is_one;
}

/* Bytes behind the end of an answer would be a second one. */
static bool has_more(const struct stream_client *wire)
{
    char byte;
    return wire->received.length > 0 || recv(http_descriptor(wire->connection), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void judge_answer(struct soak_client *client)
{
    struct buf expected;
    int status = client->wire.answer.status;
    bool is_events = client->wire.answer.framing == HTTP_CHUNKED;
    if (status != 200) {
        /* What libmicrohttpd itself refuses has a page of its own. */
        if (!is_explained(client, status))
            soak_blame(client, "nothing explains this error");
        else if (client->manner != SOAK_MALFORMED && !is_error_object(&client->wire))
            soak_blame(client, "the error has not OpenAI's form");
        return;
    }
    if (client->manner == SOAK_MALFORMED || is_events != client->is_streamed) {
        soak_blame(client, "an answer to something else");
        return;
    }
    buf_init(&expected, TEXT_MAX_BYTES);
    soak_model_text(client->model, client->nonce, &expected);
    if (is_events)
        judge_stream(client, &expected);
    else
        judge_whole(client, &expected);
    buf_dispose(&expected);
}

void soak_judge(struct soak_client *client)
{
    int status = client->wire.answer.status;
    client->tally->answered++;
    if (status > 0 && status < STATUS_COUNT)
        client->tally->by_status[status]++;
    if (client->wire.progress == STREAM_BROKEN) {
        if (client->manner != SOAK_MALFORMED)
            soak_blame(client, "the answer broke off");
        return;
    }
    if (has_more(&client->wire))
        soak_blame(client, "it was answered more than once");
    judge_answer(client);
}
