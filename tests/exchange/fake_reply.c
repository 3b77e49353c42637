/* Takes the place of server/reply.c and of what reads a head in server/http.c: what an exchange says to a client is kept in
 * the reply, for the test to look at. */
#include "fake_door.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ensure.h"

const char *http_header(const struct http_request *request, const char *name)
{
    const struct door *door = list_entry(request, struct door, request);
    for (size_t i = 0; i < door->header_count; i++)
        if (strcasecmp(door->headers[i].name, name) == 0)
            return door->headers[i].value;
    return NULL;
}

const char *http_last_header(const struct http_request *request, const char *name)
{
    const struct door *door = list_entry(request, struct door, request);
    for (size_t i = door->header_count; i-- > 0;)
        if (strcasecmp(door->headers[i].name, name) == 0)
            return door->headers[i].value;
    return NULL;
}

const struct sockaddr *http_peer(const struct http_request *request)
{
    struct door *door = list_entry(request, struct door, request);
    door->peer_address = (struct sockaddr_in){.sin_family = AF_INET};
    if (door->peer == NULL || inet_pton(AF_INET, door->peer, &door->peer_address.sin_addr) != 1)
        return NULL;
    return (const struct sockaddr *)&door->peer_address;
}

void reply_header(struct reply *reply, const char *name, const char *value)
{
    ensure(!reply->is_ready && reply->header_count < REPLY_MAX_HEADERS);
    if (reply->headers == NULL)
        reply->headers = xcalloc(REPLY_MAX_HEADERS, sizeof *reply->headers);
    reply->headers[reply->header_count++] = (struct reply_header){name, xstrdup(value)};
}

void reply_send(struct reply *reply, int status, struct buf *body)
{
    ensure(!reply->is_ready);
    reply->is_ready = true;
    reply->status = status;
    reply->body_bytes = body->length;
    reply->body = *body;
    buf_init(body, 0);
}

void reply_stream_begin(struct reply *reply, int status, int64_t write_timeout_ms, reply_drained_fn on_drained)
{
    ensure(!reply->is_ready);
    reply->is_stream = reply->is_ready = true;
    reply->status = status;
    reply->write_timeout_ms = write_timeout_ms;
    reply->on_drained = on_drained;
    reply->is_suspended = false;
    buf_dispose(&reply->body);
    buf_init(&reply->body, REPLY_MAX_BYTES);
}

bool reply_write(struct reply *reply, const struct buf *bytes)
{
    struct door *door = list_entry(reply, struct door, request.reply);
    ensure(reply->is_stream && !reply->is_ended && !reply->is_dropped);
    ensure(buf_append(&reply->body, bytes->data, bytes->length));
    reply->body_bytes += bytes->length;
    return !door->is_full;
}

void reply_stream_end(struct reply *reply)
{
    ensure(reply->is_stream && !reply->is_ended && !reply->is_dropped);
    reply->is_ended = true;
}

void reply_drop(struct reply *reply)
{
    ensure(!reply->is_ready || (reply->is_stream && !reply->is_ended));
    reply->is_ready = true;
    reply->is_dropped = true;
}

void reply_send_raw(struct reply *reply, int status, const struct buf *body)
{
    struct door *door = list_entry(reply, struct door, request.reply);
    ensure(!reply->is_suspended && !reply->is_sent);
    reply->status = status;
    reply->body_bytes = body->length;
    if (body != &reply->body) {
        buf_init(&reply->body, body->length);
        buf_append(&reply->body, body->data, body->length);
    }
    door->is_raw = true;
}

void reply_cut(struct reply *reply)
{
    struct door *door = list_entry(reply, struct door, request.reply);
    door->is_cut = true;
}
