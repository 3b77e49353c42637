/* What a client of a soak does: asking, reading, leaving, coming back. */
#include "soak_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "http_client_int.h"
#include "soak_judge.h"

enum {
    PATIENCE_MS = 90 * 1000, /* a request that is not answered by then is lost */
    LEAVES_WITHIN_MS = 900,
    RETRIES_WITHIN_MS = 250, /* well within the grace that the program gives */
    SLOW_PAUSE_MS = 20,
    SLOW_BYTES_PER_MS = 200,   /* a little less than a large answer has */
    IMAGE_DIGITS = 300 * 1024, /* more than may stand in an input */
};

static const int chances[SOAK_MANNER_COUNT] = {
    [SOAK_WHOLE] = 25,   [SOAK_STREAMED] = 25, [SOAK_SLOW] = 8,  [SOAK_LEAVING] = 15,
    [SOAK_RETRYING] = 9, [SOAK_KEYED] = 6,     [SOAK_IMAGE] = 4, [SOAK_MALFORMED] = 8,
};

void soak_client_init(struct soak_client *client, int port, struct soak_random *random, struct soak_tally *tally)
{
    *client = (struct soak_client){.port = port, .random = random, .tally = tally};
}

void soak_client_dispose(struct soak_client *client)
{
    stream_dispose(&client->wire);
    free(client->body);
    client->body = NULL;
}

bool soak_client_is_busy(const struct soak_client *client)
{
    return client->is_busy;
}

int soak_client_descriptor(const struct soak_client *client)
{
    bool reads = client->is_busy && client->wire.connection != NULL && client->reads_at_ms == 0;
    return reads ? http_descriptor(client->wire.connection) : -1;
}

static void finish(struct soak_client *client)
{
    soak_client_dispose(client);
    client->is_busy = false;
}

/* ---- asking ---- */

static enum soak_manner pick_manner(struct soak_random *random)
{
    int left = soak_random_below(random, 100);
    for (int manner = 0; manner < SOAK_MANNER_COUNT; manner++) {
        left -= chances[manner];
        if (left < 0)
            return (enum soak_manner)manner;
    }
    return SOAK_WHOLE;
}

static bool suits(const struct soak_client *client, const struct soak_model *model)
{
    if (client->manner == SOAK_SLOW || model->is_large)
        return client->manner == SOAK_SLOW && model->is_large;
    return model->takes_images == (client->manner == SOAK_IMAGE);
}

static const struct soak_model *pick_model(const struct soak_client *client)
{
    for (;;) {
        const struct soak_model *model = soak_model((size_t)soak_random_below(client->random, (int)soak_model_count()));
        if (suits(client, model))
            return model;
    }
}

static char *make_body(const struct soak_client *client)
{
    const char *stream = client->is_streamed ? ",\"stream\":true" : "";
    if (client->manner != SOAK_IMAGE)
        return xasprintf("{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]%s}",
                         client->model->name, client->nonce, stream);
    char *digits = xmalloc(IMAGE_DIGITS + 1);
    memset(digits, 'A', IMAGE_DIGITS);
    digits[IMAGE_DIGITS] = '\0';
    char *body =
        xasprintf("{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
                  "\"%s\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,%s\"}}]}]%s}",
                  client->model->name, client->nonce, digits, stream);
    free(digits);
    return body;
}

static char *make_headers(const struct soak_client *client)
{
    if (client->manner == SOAK_RETRYING)
        return xasprintf("x-stainless-retry-count: %d\r\n", client->retry_count);
    if (client->manner == SOAK_KEYED)
        return xasprintf("Idempotency-Key: key-of-%s\r\n", client->nonce);
    return xstrdup("");
}

/* Requests that nobody should send, as they go over the wire. */
static const char *const malformed[] = {
    "\r\n\r\nGARBAGE\r\n\r\n",
    "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n{",
    "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 15\r\n\r\n{\"model\":\"\xff\xfe\"}",
    "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n[]",
    "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 17\r\n\r\n{\"model\":\"quick\"}",
    "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: -7\r\n\r\n",
    "GET /v1/chat/completions HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST /v1/nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
    "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 900000000\r\n\r\n{",
};

/* As stream_open does, but with bytes that are no request. */
static bool send_malformed(struct soak_client *client)
{
    size_t count = sizeof malformed / sizeof *malformed;
    const char *bytes = malformed[soak_random_below(client->random, (int)count)];
    client->wire.connection = http_connect(client->port);
    buf_init(&client->wire.received, 1024 * 1024);
    buf_init(&client->wire.tail, 1024 * 1024);
    return client->wire.connection != NULL && http_send_text(client->wire.connection, bytes);
}

static bool send_request(struct soak_client *client)
{
    char *headers = make_headers(client);
    bool is_sent =
        stream_open(&client->wire, client->port,
                    &(struct http_request){.path = "/v1/chat/completions", .headers = headers, .body = client->body});
    free(headers);
    return is_sent;
}

/* Also again, after it has left. */
static void open_connection(struct soak_client *client)
{
    int64_t now_ms = http_now_ms();
    client->begins_at_ms = client->leaves_at_ms = client->reads_at_ms = 0;
    client->read_at_ms = now_ms;
    client->deadline_ms = now_ms + PATIENCE_MS;
    if (client->leaves_left > 0)
        client->leaves_at_ms = now_ms + 1 + soak_random_below(client->random, LEAVES_WITHIN_MS);
    client->tally->tries++;
    if (client->manner == SOAK_MALFORMED ? send_malformed(client) : send_request(client))
        return;
    /* Malformed requests may be refused before they are all there; no other is. */
    client->tally->untaken++;
    if (client->manner != SOAK_MALFORMED)
        soak_blame(client, "the request was not taken");
    finish(client);
}

void soak_client_begin(struct soak_client *client)
{
    if (client->is_busy)
        return;
    struct soak_random *random = client->random;
    memset(&client->wire, 0, sizeof client->wire);
    client->is_busy = true;
    client->manner = pick_manner(random);
    client->model = pick_model(client);
    client->is_streamed = client->manner == SOAK_STREAMED || client->manner == SOAK_SLOW ||
                          (client->manner != SOAK_WHOLE && soak_random_percent(random, 50));
    snprintf(client->nonce, sizeof client->nonce, "nonce-%016llx.", (unsigned long long)soak_random_next(random));
    client->body = make_body(client);
    client->retry_count = 0;
    client->leaves_left = client->manner == SOAK_LEAVING ? 1 : 0;
    if (client->manner == SOAK_RETRYING || client->manner == SOAK_KEYED)
        client->leaves_left = soak_random_below(random, 3);
    client->tally->begun[client->manner]++;
    open_connection(client);
}

/* ---- leaving ---- */

static void leave(struct soak_client *client)
{
    client->tally->broken_off++;
    client->leaves_at_ms = 0;
    client->leaves_left--;
    if (soak_random_percent(client->random, 50))
        http_reset(&client->wire.connection);
    stream_dispose(&client->wire);
    if (client->manner == SOAK_LEAVING) {
        finish(client);
        return;
    }
    client->retry_count++;
    client->begins_at_ms = http_now_ms() + 1 + soak_random_below(client->random, RETRIES_WITHIN_MS);
}

/* ---- reading ---- */

/* At a steady pace, also where this process gets little of the processor: else its slowness would be the machine's, and
 * without bounds. */
static void read_more(struct soak_client *client)
{
    bool is_slow = client->manner == SOAK_SLOW;
    int64_t now_ms = http_now_ms(), since_ms = now_ms - client->read_at_ms;
    enum stream_progress progress =
        stream_read(&client->wire, is_slow ? (size_t)(since_ms + 1) * SLOW_BYTES_PER_MS : 0, 0);
    client->read_at_ms = now_ms;
    client->reads_at_ms = is_slow ? now_ms + SLOW_PAUSE_MS : 0;
    if (progress != STREAM_OVER && progress != STREAM_BROKEN)
        return;
    soak_judge(client);
    finish(client);
}

static bool is_due(int64_t at_ms, int64_t now_ms)
{
    return at_ms != 0 && now_ms >= at_ms;
}

void soak_client_turn(struct soak_client *client, bool is_readable)
{
    int64_t now_ms = http_now_ms();
    if (!client->is_busy)
        return;
    if (is_due(client->begins_at_ms, now_ms)) {
        open_connection(client);
    } else if (client->wire.connection == NULL) {
        return;
    } else if (is_due(client->leaves_at_ms, now_ms)) {
        leave(client);
    } else if (is_readable || is_due(client->reads_at_ms, now_ms)) {
        read_more(client);
    } else if (is_due(client->deadline_ms, now_ms)) {
        soak_blame(client, "it was never answered"); /* nor is it counted as anything else */
        finish(client);
    }
}
