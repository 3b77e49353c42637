/* Takes the place of server/reply.c and of http_header in server/http.c: what an exchange says to a client is kept in
 * the reply, for the test to look at. */
#include "fake_door.h"

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

void reply_header(struct reply *reply, const char *name, const char *value)
{
    ensure(!reply->is_ready && reply->header_count < REPLY_MAX_HEADERS);
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

void reply_drop(struct reply *reply)
{
    ensure(!reply->is_ready);
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
