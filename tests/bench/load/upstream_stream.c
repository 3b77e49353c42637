/* The streams of the simulated Replicate: a wheel of milliseconds, and in each slot the connections that are due. */
#include "upstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"

enum { SLOTS = 8192, EVENT_BYTES = 160 }; /* no pace is longer than the wheel goes round */

struct stream_wheel {
    struct connection *slots[SLOTS];
    int64_t turned_ms; /* up to and with this one, all were sent */
};

struct stream_wheel *stream_wheel_new(void)
{
    struct stream_wheel *wheel = xcalloc(1, sizeof *wheel);
    wheel->turned_ms = order_now_us() / 1000;
    return wheel;
}

void stream_wheel_free(struct stream_wheel *wheel)
{
    free(wheel);
}

/* What is late already is due at the next turn. */
static size_t slot_of(const struct stream_wheel *wheel, const struct connection *connection)
{
    int64_t due_ms = connection->due_us / 1000;
    return (size_t)((due_ms > wheel->turned_ms ? due_ms : wheel->turned_ms + 1) % SLOTS);
}

static void enter(struct upstream *upstream, struct connection *connection)
{
    connection->slot = slot_of(upstream->wheel, connection);
    struct connection **slot = &upstream->wheel->slots[connection->slot];
    connection->previous = NULL;
    connection->next = *slot;
    if (*slot != NULL)
        (*slot)->previous = connection;
    *slot = connection;
}

static void leave(struct upstream *upstream, struct connection *connection)
{
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        upstream->wheel->slots[connection->slot] = connection->next;
}

void stream_begin(struct upstream *upstream, struct connection *connection, const struct order *order)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";
    connection->is_streaming = true;
    connection->order = *order;
    connection->next_piece = 0;
    connection->due_us = order_now_us() + order->pace_us;
    connection->told = xcalloc(1, sizeof *connection->told + order->pieces * sizeof connection->told->sent_us[0]);
    connection->told->nonce = order->nonce;
    upstream->counts.streams++;
    upstream->counts.open_streams++;
    enter(upstream, connection);
    upstream_send(upstream, connection, head, sizeof head - 1);
}

void stream_forget(struct upstream *upstream, struct connection *connection)
{
    if (!connection->is_streaming)
        return;
    connection->is_streaming = false;
    upstream->counts.open_streams--;
    free(connection->told);
    connection->told = NULL;
    leave(upstream, connection);
}

/* One event in a chunk of its own, as it would come from far away. */
static void send_event(struct upstream *upstream, struct connection *connection, const char *type, const char *data)
{
    char event[EVENT_BYTES], chunk[EVENT_BYTES + 16];
    int length =
        snprintf(event, sizeof event, "event: %s\nid: 1700000000:%u\ndata: %s\n\n", type, connection->next_piece, data);
    length = snprintf(chunk, sizeof chunk, "%x\r\n%s\r\n", (unsigned)length, event);
    upstream_send(upstream, connection, chunk, (size_t)length);
}

/* True: there are more to come. */
static bool send_piece(struct upstream *upstream, struct connection *connection, int64_t now_us)
{
    char text[ORDER_PIECE_BYTES];
    if (connection->next_piece < connection->order.pieces) {
        struct piece piece = {connection->order.nonce, connection->next_piece, now_us};
        piece_write(&piece, text);
        send_event(upstream, connection, "output", text);
        connection->told->sent_us[connection->told->pieces++] = now_us;
        upstream->counts.pieces++;
        connection->next_piece++;
        connection->due_us += connection->order.pace_us;
        return true;
    }
    struct told **place = &upstream->told[connection->order.nonce % UPSTREAM_TOLD];
    free(*place);
    *place = connection->told;
    connection->told = NULL;
    send_event(upstream, connection, "done", "{}");
    upstream_send(upstream, connection, "0\r\n\r\n", 5);
    return false;
}

static void serve_slot(struct upstream *upstream, size_t index)
{
    struct connection *connection = upstream->wheel->slots[index], *next;
    upstream->wheel->slots[index] = NULL;
    for (; connection != NULL; connection = next) {
        next = connection->next;
        if (send_piece(upstream, connection, order_now_us())) {
            enter(upstream, connection);
        } else {
            connection->is_streaming = false;
            upstream->counts.open_streams--;
        }
    }
}

int stream_turn(struct upstream *upstream)
{
    struct stream_wheel *wheel = upstream->wheel;
    int64_t now_ms = order_now_us() / 1000;
    if (upstream->counts.open_streams == 0) {
        wheel->turned_ms = now_ms;
        return -1;
    }
    while (wheel->turned_ms < now_ms)
        serve_slot(upstream, (size_t)(++wheel->turned_ms % SLOTS));
    return upstream->counts.open_streams > 0 ? 1 : -1;
}
