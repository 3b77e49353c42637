/* What the simulated Replicate answers: predictions that their ids tell all of, the model's document, files that are
 * thrown away, and, for gateways that take OpenAI's form as it is, a chat completion. */
#include "upstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"

enum { DOCUMENT_BYTES = 2048, URL_BYTES = 96 };

#define PREDICTIONS "/v1/predictions/"
#define STREAMS "/v1/streams/"

/* As long as an answer of some forty tokens. */
static const char filler[] =
    "\"Slow\",\" models\",\" are\",\" worth\",\" waiting\",\" for\",\" and\",\" quick\",\" ones\",\" are\",\" worth\","
    "\" having\",\" too\",\".\",\" Some\",\" boot\",\" for\",\" a\",\" minute\",\",\",\" some\",\" answer\",\" at\","
    "\" once\",\",\",\" and\",\" nobody\",\" should\",\" have\",\" to\",\" know\",\" which\",\" is\",\" which\",\".\"";

/* The document of the model, which is read once: the inputs that chat models usually have. */
static const char model_document[] =
    "{\"url\":\"https://replicate.com/bench/instant\",\"owner\":\"bench\",\"name\":\"instant\",\"is_official\":true,"
    "\"visibility\":\"public\",\"latest_version\":{\"id\":"
    "\"00000000000000000000000000000000000000000000000000000000000bench\",\"openapi_schema\":{\"openapi\":\"3.1.0\","
    "\"components\":{\"schemas\":{\"Input\":{\"type\":\"object\",\"title\":\"Input\",\"required\":[\"prompt\"],"
    "\"properties\":{\"prompt\":{\"type\":\"string\",\"title\":\"Prompt\",\"x-order\":0},"
    "\"system_prompt\":{\"type\":\"string\",\"title\":\"System Prompt\",\"x-order\":1},"
    "\"max_tokens\":{\"type\":\"integer\",\"title\":\"Max Tokens\",\"x-order\":2},"
    "\"temperature\":{\"type\":\"number\",\"title\":\"Temperature\",\"x-order\":3},"
    "\"image\":{\"type\":\"string\",\"format\":\"uri\",\"title\":\"Image\",\"x-order\":4}}},"
    "\"Output\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"title\":\"Output\","
    "\"x-cog-array-type\":\"iterator\",\"x-cog-array-display\":\"concatenate\"}}}}}}";

static void send_json(struct upstream *upstream, struct connection *connection, int status, const char *json)
{
    const char *reason = status == 201 ? "Created" : status == 404 ? "Not Found" : "OK";
    char *answer = xasprintf("HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                             status, reason, strlen(json), json);
    upstream_send(upstream, connection, answer, strlen(answer));
    free(answer);
}

/* ---- predictions ---- */

/* NULL where the order's stream has not ended. */
static const struct told *told_of(const struct upstream *upstream, const struct order *order)
{
    const struct told *told = upstream->told[order->nonce % UPSTREAM_TOLD];
    return told != NULL && told->nonce == order->nonce ? told : NULL;
}

static bool has_succeeded(const struct upstream *upstream, const struct order *order)
{
    if (order->pieces > 0)
        return told_of(upstream, order) != NULL;
    return order_now_us() >= order->started_us + (int64_t)order->wait_ms * 1000;
}

/* The pieces as the stream told them, each a member. The caller frees. */
static char *told_output(const struct told *told)
{
    size_t size = 4 + told->pieces * (ORDER_PIECE_BYTES + 3), used = 1;
    char *out = xcalloc(size, 1);
    out[0] = '[';
    for (uint32_t i = 0; i < told->pieces; i++) {
        struct piece piece = {told->nonce, i, told->sent_us[i]};
        char text[ORDER_PIECE_BYTES];
        piece_write(&piece, text);
        used += (size_t)snprintf(out + used, size - used, "%s\"%s\"", i > 0 ? "," : "", text);
    }
    out[used] = ']';
    return out;
}

/* The caller frees. */
static char *output_of(const struct upstream *upstream, const struct order *order, const char *id, const char *status)
{
    if (strcmp(status, "succeeded") != 0)
        return xstrdup("null");
    if (order->pieces > 0)
        return told_output(told_of(upstream, order));
    return xasprintf("[\"%s\",\": \",%s]", id, filler);
}

/* Of a prediction that took its time no times are told: what was measured from outside counts. */
static void send_prediction(struct upstream *upstream, struct connection *connection, const struct order *order,
                            const char *status, int http_status)
{
    static const char times[] = ",\"started_at\":\"2026-01-01T00:00:00.100000Z\","
                                "\"completed_at\":\"2026-01-01T00:00:00.600000Z\","
                                "\"metrics\":{\"input_token_count\":40,\"output_token_count\":41,\"predict_time\":0.5}";
    char id[ORDER_ID_LENGTH + 1], stream[URL_BYTES] = "";
    bool is_instant = order->wait_ms == 0 && order->pieces == 0 && strcmp(status, "succeeded") == 0;
    order_id_write(order, id);
    char *output = output_of(upstream, order, id, status);
    if (order->pieces > 0)
        snprintf(stream, sizeof stream, ",\"stream\":\"http://127.0.0.1:%d" STREAMS "%s\"", upstream->port, id);
    char *json =
        xasprintf("{\"id\":\"%s\",\"model\":\"bench/instant\",\"version\":\"hidden\",\"input\":{\"prompt\":\"...\"},"
                  "\"logs\":\"\",\"output\":%s,\"data_removed\":false,\"error\":null,\"status\":\"%s\","
                  "\"created_at\":\"2026-01-01T00:00:00.000Z\"%s,\"urls\":{"
                  "\"cancel\":\"http://127.0.0.1:%d" PREDICTIONS "%s/cancel\",\"get\":\"http://127.0.0.1:%d" PREDICTIONS
                  "%s\"%s,\"web\":\"https://replicate.com/p/%s\"}}",
                  id, output, status, is_instant ? times : "", upstream->port, id, upstream->port, id, stream, id);
    send_json(upstream, connection, http_status, json);
    free(json);
    free(output);
}

static void create(struct upstream *upstream, struct connection *connection, const struct request *request)
{
    struct order order = {0};
    upstream->counts.creates++;
    (void)order_find(request->body, request->body_length, &order);
    order.started_us = order_now_us();
    bool is_instant = order.wait_ms == 0 && order.pieces == 0;
    send_prediction(upstream, connection, &order, is_instant ? "succeeded" : "starting", 201);
}

static void note_cancel(struct upstream *upstream, const struct order *order)
{
    struct cancel *cancel = &upstream->cancels[upstream->counts.cancels % UPSTREAM_CANCELS_MAX];
    *cancel = (struct cancel){.nonce = order->nonce, .at_us = order_now_us()};
    upstream->counts.cancels++;
}

static void show(struct upstream *upstream, struct connection *connection, const char *id)
{
    struct order order;
    if (!order_id_read(id, strlen(id), &order)) {
        upstream->counts.unknown++;
        send_json(upstream, connection, 404, "{\"detail\":\"There is no such prediction.\"}");
    } else if (strcmp(id + ORDER_ID_LENGTH, "/cancel") == 0) {
        note_cancel(upstream, &order);
        send_prediction(upstream, connection, &order, "canceled", 200);
    } else {
        upstream->counts.polls++;
        send_prediction(upstream, connection, &order, has_succeeded(upstream, &order) ? "succeeded" : "processing",
                        200);
    }
}

/* What a proxy that only passes bytes on is asked for. */
static void complete(struct upstream *upstream, struct connection *connection, const struct request *request)
{
    char id[ORDER_ID_LENGTH + 1], json[DOCUMENT_BYTES];
    struct order order = {0};
    upstream->counts.creates++;
    (void)order_find(request->body, request->body_length, &order);
    order.started_us = order_now_us();
    order_id_write(&order, id);
    snprintf(json, sizeof json,
             "{\"id\":\"chatcmpl-%s\",\"object\":\"chat.completion\",\"created\":1767225600,\"model\":\"bench\","
             "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s: Slow models are worth "
             "waiting for and quick ones are worth having too. Some boot for a minute, some answer at once, and nobody "
             "should have to know which is which.\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{"
             "\"prompt_tokens\":40,\"completion_tokens\":41,\"total_tokens\":81}}",
             id, id);
    send_json(upstream, connection, 200, json);
}

/* ---- the bench's own questions ---- */

static void send_counts(struct upstream *upstream, struct connection *connection)
{
    char json[DOCUMENT_BYTES];
    snprintf(json, sizeof json,
             "{\"requests\":%llu,\"creates\":%llu,\"polls\":%llu,\"cancels\":%llu,\"streams\":%llu,\"pieces\":%llu,"
             "\"files\":%llu,\"models\":%llu,\"unknown\":%llu,\"open_connections\":%llu,\"open_streams\":%llu}",
             (unsigned long long)upstream->counts.requests, (unsigned long long)upstream->counts.creates,
             (unsigned long long)upstream->counts.polls, (unsigned long long)upstream->counts.cancels,
             (unsigned long long)upstream->counts.streams, (unsigned long long)upstream->counts.pieces,
             (unsigned long long)upstream->counts.files, (unsigned long long)upstream->counts.models,
             (unsigned long long)upstream->counts.unknown, (unsigned long long)upstream->counts.open_connections,
             (unsigned long long)upstream->counts.open_streams);
    send_json(upstream, connection, 200, json);
}

/* All that are remembered, a pair each: the nonce, and when in microseconds. */
static void send_cancels(struct upstream *upstream, struct connection *connection)
{
    enum { PAIR_BYTES = 40 };
    size_t count = upstream->counts.cancels < UPSTREAM_CANCELS_MAX ? upstream->counts.cancels : UPSTREAM_CANCELS_MAX;
    size_t size = 4 + count * PAIR_BYTES, used = 1;
    char *json = xcalloc(size, 1);
    json[0] = '[';
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(json + used, size - used, "%s[%u,%lld]", i > 0 ? "," : "", upstream->cancels[i].nonce,
                                 (long long)upstream->cancels[i].at_us);
    json[used] = ']';
    send_json(upstream, connection, 200, json);
    free(json);
}

static void reset(struct upstream *upstream, struct connection *connection)
{
    uint64_t connections = upstream->counts.open_connections, streams = upstream->counts.open_streams;
    memset(&upstream->counts, 0, sizeof upstream->counts);
    upstream->counts.open_connections = connections;
    upstream->counts.open_streams = streams;
    send_json(upstream, connection, 200, "{}");
}

/* ---- the routes ---- */

static bool begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static void post_file(struct upstream *upstream, struct connection *connection)
{
    char json[256];
    upstream->counts.files++;
    snprintf(json, sizeof json,
             "{\"id\":\"file%llu\",\"name\":\"file\",\"content_type\":\"image/png\",\"size\":1,\"urls\":{\"get\":"
             "\"http://127.0.0.1:%d/v1/files/file%llu\"}}",
             (unsigned long long)upstream->counts.files, upstream->port, (unsigned long long)upstream->counts.files);
    send_json(upstream, connection, 201, json);
}

static void get(struct upstream *upstream, struct connection *connection, const char *path)
{
    struct order order;
    if (begins_with(path, PREDICTIONS)) {
        show(upstream, connection, path + strlen(PREDICTIONS));
    } else if (begins_with(path, STREAMS) &&
               order_id_read(path + strlen(STREAMS), strlen(path + strlen(STREAMS)), &order)) {
        stream_begin(upstream, connection, &order);
    } else if (begins_with(path, "/v1/models/")) {
        upstream->counts.models++;
        send_json(upstream, connection, 200, model_document);
    } else if (strcmp(path, "/bench/counts") == 0) {
        send_counts(upstream, connection);
    } else if (strcmp(path, "/bench/cancels") == 0) {
        send_cancels(upstream, connection);
    } else {
        upstream->counts.unknown++;
        send_json(upstream, connection, 404, "{\"detail\":\"Not found\"}");
    }
}

void upstream_answer(struct upstream *upstream, struct connection *connection, const struct request *request)
{
    static const char no_content[] = "HTTP/1.1 204 No Content\r\n\r\n";
    const char *path = request->path;
    upstream->counts.requests++;
    if (strcmp(request->method, "POST") != 0 && strcmp(request->method, "DELETE") != 0) {
        get(upstream, connection, path);
    } else if (strcmp(request->method, "DELETE") == 0) {
        upstream_send(upstream, connection, no_content, sizeof no_content - 1);
    } else if (begins_with(path, PREDICTIONS)) {
        show(upstream, connection, path + strlen(PREDICTIONS));
    } else if (ends_with(path, "/predictions")) {
        create(upstream, connection, request);
    } else if (ends_with(path, "/chat/completions")) {
        complete(upstream, connection, request);
    } else if (strcmp(path, "/v1/files") == 0) {
        post_file(upstream, connection);
    } else if (strcmp(path, "/bench/reset") == 0) {
        reset(upstream, connection);
    } else {
        upstream->counts.unknown++;
        send_json(upstream, connection, 404, "{\"detail\":\"Not found\"}");
    }
}
