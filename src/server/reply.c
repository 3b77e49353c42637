/* The answer of one request on its way to libmicrohttpd; see the header for how it waits. */
#include "server/reply.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "http_int.h"

void reply_queue_init(struct reply_queue *queue, struct loop *loop)
{
    queue->loop = loop;
    list_init(&queue->ready);
    list_init(&queue->blocked);
}

/* The connection has something to hear: at the end of the turn it is served. */
static void serve_soon(struct reply *reply)
{
    list_remove(&reply->link);
    if (reply->is_suspended)
        list_append(&reply->queue->ready, &reply->link);
}

/* Level-triggered, a hang-up would come back without end; whoever waits on this connection next sets the watch again.
 * A client that only half-closed may still be reading the rest of its stream. */
static void on_hangup(struct reply_hangup *hangup)
{
    struct reply *waiting = hangup->waiting;
    hangup->waiting = NULL;
    loop_watch_clear(hangup->loop, &hangup->watch);
    if (waiting != NULL)
        waiting->on_gone(waiting->arg);
    if (hangup->blocked != NULL)
        (void)loop_watch_set(hangup->loop, &hangup->watch, hangup->blocked->fd, EPOLLOUT);
}

/* Errors come with EPOLLOUT, and sending tells what they are. */
static void on_event(void *arg, uint32_t events)
{
    struct reply_hangup *hangup = arg;
    if (hangup->blocked != NULL && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
        serve_soon(hangup->blocked);
    if (events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP))
        on_hangup(hangup);
}

void reply_hangup_init(struct reply_hangup *hangup, struct loop *loop, struct http_shard *shard)
{
    *hangup = (struct reply_hangup){.loop = loop, .shard = shard};
    loop_watch_init(&hangup->watch, on_event, hangup);
}

void reply_hangup_dispose(struct reply_hangup *hangup)
{
    loop_watch_clear(hangup->loop, &hangup->watch);
}

static void listen_no_more(struct reply *reply)
{
    if (reply->hangup->waiting == reply)
        reply->hangup->waiting = NULL;
}

/* The client can be told nothing more. Not for the exchange to decide, but it hears of it: the connection ends. */
static void give_up(struct reply *reply)
{
    reply->is_dropped = true;
    reply_cut(reply);
    serve_soon(reply);
}

static void on_stall(void *arg)
{
    give_up(arg);
}

/* The room in the socket is waited for no longer; the watch for a hang-up stays. */
static void unblock(struct reply *reply)
{
    struct reply_hangup *hangup = reply->hangup;
    if (hangup->blocked != reply)
        return;
    hangup->blocked = NULL;
    if (hangup->watch.fd >= 0)
        (void)loop_watch_set(hangup->loop, &hangup->watch, reply->fd, EPOLLRDHUP);
}

void reply_init(struct reply *reply, struct reply_queue *queue, struct MHD_Connection *connection,
                struct reply_hangup *hangup)
{
    *reply = (struct reply){.queue = queue, .connection = connection, .fd = -1, .hangup = hangup};
    reply->head_room = REPLY_LEAST_HEAD_BYTES;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info != NULL)
        reply->fd = info->connect_fd;
    buf_init(&reply->body, 0);
    loop_timer_init(&reply->stall, on_stall, reply);
}

void reply_dispose(struct reply *reply)
{
    listen_no_more(reply);
    unblock(reply);
    loop_timer_clear(reply->queue->loop, &reply->stall);
    list_remove(&reply->link);
    for (size_t i = 0; i < reply->header_count; i++)
        free(reply->headers[i].value);
    free(reply->headers);
    reply->headers = NULL;
    reply->header_count = 0;
    buf_dispose(&reply->body);
}

void reply_header(struct reply *reply, const char *name, const char *value)
{
    ensure(reply->header_count < REPLY_MAX_HEADERS);
    for (const char *c = value; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return;
    size_t bytes = strlen(name) + strlen(value) + 4; /* ": " and the line's end */
    if (bytes > reply->head_room)
        return;
    reply->head_room -= bytes;
    if (reply->headers == NULL)
        reply->headers = xcalloc(REPLY_MAX_HEADERS, sizeof *reply->headers);
    reply->headers[reply->header_count++] = (struct reply_header){name, xstrdup(value)};
}

static void mark_ready(struct reply *reply)
{
    reply->is_ready = true;
    listen_no_more(reply);
    serve_soon(reply);
}

void reply_send(struct reply *reply, int status, struct buf *body)
{
    ensure(!reply->is_ready);
    reply->status = status;
    reply->body_bytes = body->length;
    reply->body = *body;
    buf_init(body, 0);
    mark_ready(reply);
}

void reply_drop(struct reply *reply)
{
    ensure(!reply->is_ready || reply->is_stream);
    reply->is_dropped = true;
    mark_ready(reply);
    /* Else a client that has half-closed and does not read would keep its connection until the write times out. */
    if (reply->is_stream)
        reply_cut(reply);
}

void reply_wait(struct reply *reply, reply_gone_fn on_gone, void *arg)
{
    ensure(!reply->is_ready && !reply->is_suspended);
    reply->on_gone = on_gone;
    reply->arg = arg;
    reply->is_suspended = true;
    MHD_suspend_connection(reply->connection);
    /* A descriptor that epoll refuses is only a hang-up that we learn of late: the deadline still stands. */
    reply->hangup->waiting = reply;
    if (reply->hangup->watch.fd < 0)
        (void)loop_watch_set(reply->queue->loop, &reply->hangup->watch, reply->fd, EPOLLRDHUP);
}

/* ---- streams ---- */

void reply_stream_begin(struct reply *reply, int status, int64_t write_timeout_ms, reply_drained_fn on_drained)
{
    ensure(!reply->is_ready);
    reply->is_stream = reply->is_ready = true;
    reply->status = status;
    reply->write_timeout_ms = write_timeout_ms;
    reply->on_drained = on_drained;
    buf_dispose(&reply->body);
    buf_init(&reply->body, REPLY_MAX_BYTES);
    serve_soon(reply); /* the watch for a hang-up stays: a stream may be silent for long */
}

static size_t pending_bytes(const struct reply *reply)
{
    return reply->body.length - reply->taken_bytes;
}

static void watch_for_stall(struct reply *reply)
{
    loop_timer_set(reply->queue->loop, &reply->stall, clock_now_ms() + reply->write_timeout_ms);
}

bool reply_write(struct reply *reply, const struct buf *bytes)
{
    ensure(reply->is_stream && !reply->is_ended);
    if (bytes->length == 0)
        return true;
    if (!reply->has_head && pending_bytes(reply) == 0)
        watch_for_stall(reply);
    if (!buf_append(&reply->body, bytes->data, bytes->length))
        give_up(reply);
    reply->body_bytes += bytes->length;
    if (reply->link.list == NULL)
        serve_soon(reply);
    reply->was_full = reply->was_full || pending_bytes(reply) > REPLY_HIGH_BYTES;
    return !reply->was_full;
}

void reply_stream_end(struct reply *reply)
{
    reply->is_ended = true;
    mark_ready(reply);
}

enum { CHUNK_BYTES = 4096, CHUNK_FRAME_BYTES = 8 };

/* How much of the outbox goes out in one piece: whole events where they fit, because some clients lose one
 * that comes in two reads. */
static size_t portion(const char *bytes, size_t length)
{
    if (length <= CHUNK_BYTES)
        return length;
    for (size_t end = CHUNK_BYTES; end >= 2; end--)
        if (bytes[end - 1] == '\n' && bytes[end - 2] == '\n')
            return end;
    return CHUNK_BYTES;
}

/* `length` bytes of the outbox are out. */
static void take(struct reply *reply, size_t length)
{
    reply->taken_bytes += length;
    if (pending_bytes(reply) == 0) {
        buf_clear(&reply->body);
        reply->taken_bytes = 0;
    }
    /* Else a slow client's outbox would only ever grow; but a large one is not to be moved for every piece of it. */
    if (reply->taken_bytes > REPLY_HIGH_BYTES && reply->taken_bytes >= pending_bytes(reply)) {
        buf_shift(&reply->body, reply->taken_bytes);
        reply->taken_bytes = 0;
    }
    if (!reply->was_full || pending_bytes(reply) > REPLY_LOW_BYTES)
        return;
    reply->was_full = false;
    if (!reply->is_ended && !reply->is_dropped)
        reply->on_drained(reply->arg);
}

/* The chunk being sent, with its frame (RFC 9112, 7.1); to a client that does not know chunks its bytes alone. */
static size_t frame_chunk(const struct reply *reply, char out[CHUNK_BYTES + CHUNK_FRAME_BYTES])
{
    const char *bytes = reply->body.data + reply->taken_bytes;
    size_t length = reply->chunk_bytes;
    char *at = out;
    if (!reply->is_chunked) {
        memcpy(out, bytes, length);
        return length;
    }
    int shift = 12; /* of the first digit, of four at most */
    while (length >> shift == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        *at++ = "0123456789abcdef"[length >> shift & 0xf];
    memcpy(at, "\r\n", 2);
    memcpy(at + 2, bytes, length);
    memcpy(at + 2 + length, "\r\n", 2);
    return (size_t)(at - out) + 2 + length + 2;
}

/* Sends one chunk, or what was left of it. False: the socket took not all of it. */
static bool send_chunk(struct reply *reply)
{
    char framed[CHUNK_BYTES + CHUNK_FRAME_BYTES];
    if (reply->chunk_bytes == 0)
        reply->chunk_bytes = portion(reply->body.data + reply->taken_bytes, pending_bytes(reply));
    size_t length = frame_chunk(reply, framed);
    ssize_t sent = send(reply->fd, framed + reply->chunk_sent, length - reply->chunk_sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        give_up(reply);
    if (sent <= 0)
        return false;
    reply->chunk_sent += (size_t)sent;
    if (reply->stall.place != 0)
        watch_for_stall(reply);
    if (reply->chunk_sent < length)
        return false;
    size_t taken = reply->chunk_bytes;
    reply->chunk_bytes = reply->chunk_sent = 0;
    take(reply, taken);
    return true;
}

/* The socket is full: the rest goes when it has room. */
static void block(struct reply *reply)
{
    struct reply_hangup *hangup = reply->hangup;
    list_remove(&reply->link);
    list_append(&reply->queue->blocked, &reply->link);
    if (reply->stall.place == 0)
        watch_for_stall(reply);
    if (hangup->blocked == reply)
        return;
    hangup->blocked = reply;
    /* Of a client that half-closed, which nobody waits for any more, epoll would speak without end. */
    uint32_t hang_up = hangup->watch.fd >= 0 ? EPOLLRDHUP : 0;
    (void)loop_watch_set(hangup->loop, &hangup->watch, reply->fd, EPOLLOUT | hang_up);
}

/* Sends what there is, but no more at once than lets others have their turn. True: all of it is out. */
static bool send_pending(struct reply *reply)
{
    enum { CHUNKS_A_TURN = 16 };
    bool has_room = true;
    for (int i = 0; i < CHUNKS_A_TURN && has_room && pending_bytes(reply) > 0; i++)
        has_room = send_chunk(reply);
    if (reply->is_dropped)
        return false;
    if (pending_bytes(reply) > 0) {
        block(reply);
        return false;
    }
    unblock(reply);
    loop_timer_clear(reply->queue->loop, &reply->stall);
    return true;
}

/* False: nothing for libmicrohttpd to do, the stream goes on. */
static bool needs_mhd(struct reply *reply)
{
    if (reply->is_stream && reply->has_head && !reply->is_dropped && (!send_pending(reply) || !reply->is_ended))
        return reply->is_dropped;
    return true;
}

void reply_queue_flush(struct reply_queue *queue)
{
    for (struct list_link *link; (link = list_shift(&queue->ready)) != NULL;) {
        struct reply *reply = list_entry(link, struct reply, link);
        if (!needs_mhd(reply))
            continue;
        list_remove(&reply->link); /* where sending failed it was to be served once more */
        reply->is_suspended = false;
        MHD_resume_connection(reply->connection);
        http_shard_wake(reply->hangup->shard);
    }
}

void reply_queue_close(struct reply_queue *queue)
{
    reply_queue_flush(queue);
    for (struct list_link *link; (link = list_first(&queue->blocked)) != NULL;)
        give_up(list_entry(link, struct reply, link));
    reply_queue_flush(queue);
}

/* libmicrohttpd asks for a stream's body, so its head is out: from now on the socket is ours until the end. */
static ssize_t on_read(void *arg, uint64_t position, char *out, size_t room)
{
    (void)position;
    (void)out;
    (void)room;
    struct reply *reply = arg;
    reply->has_head = true;
    if (needs_mhd(reply))
        return reply->is_dropped ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
    reply->is_suspended = true;
    MHD_suspend_connection(reply->connection);
    return 0;
}

/* ---- to libmicrohttpd ---- */

static struct MHD_Response *make_response(struct reply *reply)
{
    enum { BLOCK_BYTES = 4096 };
    if (reply->is_stream)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_read, reply, NULL);
    size_t length;
    char *bytes = buf_take(&reply->body, &length);
    struct MHD_Response *response = MHD_create_response_from_buffer(length, bytes, MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        free(bytes);
    return response;
}

bool reply_hand_over(struct reply *reply)
{
    ensure(reply->is_ready && !reply->is_sent);
    reply->is_sent = true;
    struct MHD_Response *response = reply->is_dropped ? NULL : make_response(reply);
    if (response == NULL)
        return false;
    for (size_t i = 0; i < reply->header_count; i++)
        (void)MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
    enum MHD_Result queued = MHD_queue_response(reply->connection, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    return queued == MHD_YES;
}

void reply_cut(struct reply *reply)
{
    (void)shutdown(reply->fd, SHUT_RDWR);
}

static void append_head(const struct reply *reply, int status, const struct buf *body, struct buf *out)
{
    buf_printf(out, "HTTP/1.1 %d Error\r\nContent-Length: %zu\r\nConnection: close\r\n", status, body->length);
    for (size_t i = 0; i < reply->header_count; i++)
        buf_printf(out, "%s: %s\r\n", reply->headers[i].name, reply->headers[i].value);
    buf_append_text(out, "\r\n");
}

void reply_send_raw(struct reply *reply, int status, const struct buf *body)
{
    ensure(!reply->is_suspended);
    struct buf out;
    buf_init(&out, 64 * 1024);
    append_head(reply, status, body, &out);
    buf_append(&out, body->data, body->length);
    reply->status = status;
    reply->body_bytes = body->length;
    /* One try is enough: nothing was answered on this connection yet, so the socket's buffer is empty. */
    (void)send(reply->fd, buf_text(&out), out.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    reply->was_sent_raw = true;
    buf_dispose(&out);
}
