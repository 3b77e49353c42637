/* A raw reader of streamed answers: chunks of HTTP in, frames with the time of their arrival out. */
#include "stream_client.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/ensure.h"
#include "http_client_int.h"

enum { RECEIVED_MAX_BYTES = 4 * 1024 * 1024, LITTLE_BYTES = 128 * 1024 };

int64_t stream_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

bool stream_open(struct stream_client *client, int port, const struct http_request *request)
{
    memset(client, 0, sizeof *client);
    buf_init(&client->received, RECEIVED_MAX_BYTES);
    buf_init(&client->tail, RECEIVED_MAX_BYTES);
    client->connection = http_connect(port);
    client->opened_us = stream_now_us();
    return client->connection != NULL && http_send_request(client->connection, request);
}

/* Less than a segment of the loopback device would make the rest of the stream crawl. */
void stream_take_little(struct stream_client *client)
{
    int bytes = LITTLE_BYTES;
    setsockopt(http_descriptor(client->connection), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

void stream_dispose(struct stream_client *client)
{
    http_close(&client->connection);
    http_response_dispose(&client->answer);
    for (size_t i = 0; i < client->frame_count; i++)
        free(client->frames[i].text);
    free(client->frames);
    buf_dispose(&client->received);
    buf_dispose(&client->tail);
    memset(client, 0, sizeof *client);
}

/* ---- frames ---- */

static void add_frame(struct stream_client *client, const char *text, size_t length)
{
    if (client->frame_count == client->frame_capacity) {
        client->frame_capacity = client->frame_capacity > 0 ? 2 * client->frame_capacity : 64;
        client->frames = xrealloc(client->frames, client->frame_capacity * sizeof *client->frames);
    }
    client->frames[client->frame_count++] =
        (struct stream_frame){.text = xstrndup(text, length), .length = length, .at_us = stream_now_us()};
}

/* A chunk's bytes: whole frames, or some of them were torn. */
static void take_chunk(struct stream_client *client, const char *bytes, size_t length)
{
    bool is_torn = client->tail.length > 0;
    buf_append(&client->tail, bytes, length);
    const char *at = buf_text(&client->tail);
    for (const char *end; (end = strstr(at, "\n\n")) != NULL; at = end + 2)
        add_frame(client, at, (size_t)(end - at));
    buf_shift(&client->tail, (size_t)(at - buf_text(&client->tail)));
    client->torn_chunks += is_torn || client->tail.length > 0;
}

/* ---- HTTP ---- */

static bool take_head(struct stream_client *client)
{
    const char *bytes = buf_text(&client->received), *end = strstr(bytes, "\r\n\r\n");
    char value[64];
    if (end == NULL)
        return false;
    if (sscanf(bytes, "HTTP/1.%*1d %3d", &client->answer.status) != 1)
        client->progress = STREAM_BROKEN;
    client->answer.head = xstrndup(bytes, (size_t)(end - bytes) + 2);
    client->answer.body = xstrdup("");
    if (http_answer_header(&client->answer, "transfer-encoding", value, sizeof value))
        client->answer.framing = HTTP_CHUNKED;
    else if (!http_answer_header(&client->answer, "content-length", value, sizeof value))
        client->progress = STREAM_BROKEN;
    else
        client->answer.content_length = (size_t)strtoull(value, NULL, 10);
    buf_shift(&client->received, (size_t)(end - bytes) + 4);
    return true;
}

static void take_plain_body(struct stream_client *client)
{
    if (client->received.length < client->answer.content_length)
        return;
    free(client->answer.body);
    client->answer.body = buf_take(&client->received, &client->answer.body_length);
    client->answer.complete = true;
    client->progress = STREAM_OVER;
}

/* One whole chunk at `at`; how many bytes it is long, 0 = it is not all there. */
static size_t take_one_chunk(struct stream_client *client, const char *at, const char *end)
{
    char *stop;
    const char *line_end = strstr(at, "\r\n");
    if (line_end == NULL)
        return 0;
    size_t size = strtoull(at, &stop, 16);
    if (stop == at || (*stop != '\r' && *stop != ';')) {
        client->progress = STREAM_BROKEN;
        return 0;
    }
    const char *data = line_end + 2;
    if ((size_t)(end - data) < size + 2)
        return 0;
    if (size > 0) {
        take_chunk(client, data, size);
    } else {
        client->answer.complete = client->tail.length == 0;
        client->progress = client->answer.complete ? STREAM_OVER : STREAM_BROKEN;
    }
    return (size_t)(data - at) + size + 2;
}

static void take_chunks(struct stream_client *client)
{
    const char *bytes = buf_text(&client->received), *at = bytes, *end = bytes + client->received.length;
    while (at < end && client->progress == STREAM_MORE) {
        size_t length = take_one_chunk(client, at, end);
        if (length == 0)
            break;
        at += length;
    }
    buf_shift(&client->received, (size_t)(at - bytes));
}

static void take_received(struct stream_client *client)
{
    client->progress = STREAM_MORE;
    if (client->answer.head == NULL && !take_head(client))
        return;
    if (client->progress == STREAM_MORE && client->answer.framing == HTTP_CHUNKED)
        take_chunks(client);
    else if (client->progress == STREAM_MORE)
        take_plain_body(client);
}

/* ---- reading ---- */

static bool is_over(const struct stream_client *client)
{
    return client->progress == STREAM_OVER || client->progress == STREAM_BROKEN;
}

enum stream_progress stream_read(struct stream_client *client, size_t at_most, int timeout_ms)
{
    static char piece[256 * 1024];
    if (is_over(client))
        return client->progress;
    struct pollfd readable = {.fd = http_descriptor(client->connection), .events = POLLIN};
    if (poll(&readable, 1, timeout_ms) <= 0)
        return STREAM_LATE;
    ssize_t got = recv(readable.fd, piece, at_most == 0 || at_most > sizeof piece ? sizeof piece : at_most, 0);
    if (got <= 0 || !buf_append(&client->received, piece, (size_t)got))
        client->progress = STREAM_BROKEN;
    else
        take_received(client);
    return client->progress;
}

static int left_ms(int64_t deadline_ms)
{
    int64_t left = deadline_ms - http_now_ms();
    return left > 0 ? (int)left : 0;
}

bool stream_read_frames(struct stream_client *client, size_t count, int timeout_ms)
{
    int64_t deadline_ms = http_now_ms() + timeout_ms;
    while (client->frame_count < count)
        if (stream_read(client, 0, left_ms(deadline_ms)) != STREAM_MORE)
            return client->frame_count >= count;
    return true;
}

bool stream_read_until(struct stream_client *client, const char *text, int timeout_ms)
{
    int64_t deadline_ms = http_now_ms() + timeout_ms;
    for (size_t i = 0;; i++) {
        if (!stream_read_frames(client, i + 1, left_ms(deadline_ms)))
            return false;
        if (strstr(client->frames[i].text, text) != NULL)
            return true;
    }
}

bool stream_read_to_end(struct stream_client *client, int timeout_ms)
{
    return stream_read_all(client, 1, timeout_ms);
}

/* Fills `polled` with those that are still under way; how many they are. */
static size_t gather(const struct stream_client *clients, size_t count, struct pollfd *polled, size_t *whose)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_over(&clients[i]))
            continue;
        whose[used] = i;
        polled[used++] = (struct pollfd){.fd = http_descriptor(clients[i].connection), .events = POLLIN};
    }
    return used;
}

bool stream_read_all(struct stream_client *clients, size_t count, int timeout_ms)
{
    int64_t deadline_ms = http_now_ms() + timeout_ms;
    struct pollfd *polled = xcalloc(count, sizeof *polled);
    size_t *whose = xcalloc(count, sizeof *whose), open;
    while ((open = gather(clients, count, polled, whose)) > 0) {
        if (poll(polled, (nfds_t)open, left_ms(deadline_ms)) <= 0)
            break;
        for (size_t i = 0; i < open; i++)
            if (polled[i].revents != 0)
                stream_read(&clients[whose[i]], 0, 0);
    }
    bool all_over = open == 0;
    for (size_t i = 0; i < count; i++)
        all_over = all_over && clients[i].progress == STREAM_OVER;
    free(polled);
    free(whose);
    return all_over;
}
