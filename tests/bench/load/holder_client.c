/* One client of the holder: its connection, its requests one after the other, and what it makes of the answers. */
#include "holder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ensure.h"

enum { READ_BYTES = 64 * 1024 };

void client_blame(struct client *client, const char *what)
{
    struct holder *holder = client->holder;
    if (client->is_faulty)
        return;
    client->is_faulty = true;
    if (holder->faults++ == 0)
        snprintf(holder->fault, sizeof holder->fault, "request %u: %s", client->order.nonce, what);
}

static void close_client(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
    client->is_reading = false;
    free(client->message);
    client->message = NULL;
}

static void end_client(struct client *client)
{
    if (client->is_over)
        return;
    client->is_over = true;
    client->due_us = 0;
    client->holder->over++;
    close_client(client);
}

/* ---- what arrives ---- */

static void take_piece(struct client *client, const struct piece *piece)
{
    struct holder *holder = client->holder;
    bool is_first = client->last_piece_us == 0;
    if (piece->nonce != client->order.nonce)
        client_blame(client, "a piece of somebody else's stream came");
    else if (piece->number != client->next_piece)
        client_blame(client, "a piece is lost, doubled, or out of its order");
    client->next_piece = piece->number + 1;
    if (holder->is_steady && !holder->is_ending) {
        samples_add(&holder->piece_us, client->arrived_us - piece->sent_us);
        if (!is_first)
            samples_add(&holder->gap_us, client->arrived_us - client->last_piece_us);
    }
    holder->pieces++;
    client->last_piece_us = client->arrived_us;
    holder->begun += is_first;
}

/* Of a stream: OpenAI's chunks and Replicate's events alike, for a piece looks the same in both. */
static void on_event(void *arg, const char *type, const char *data)
{
    struct client *client = arg;
    struct piece piece;
    size_t length = strlen(data);
    if (client->is_done)
        client_blame(client, "something came after the end of the stream");
    if (strcmp(type, "done") == 0 || strcmp(data, "[DONE]") == 0) {
        client->is_done = true;
        return;
    }
    while (piece_next(&data, &length, &piece))
        take_piece(client, &piece);
}

static void check_stream(struct client *client)
{
    if (!client->is_done)
        client_blame(client, "the stream ended without saying so");
    else if (client->next_piece != client->order.pieces)
        client_blame(client, "pieces are missing at the end of the stream");
}

static void check_whole(struct client *client)
{
    struct holder *holder = client->holder;
    struct order got;
    const struct buf *body = &client->reader.body;
    if (!order_id_find(buf_text(body), body->length, &got))
        client_blame(client, "the answer holds no id of a prediction");
    else if (got.nonce != client->order.nonce)
        client_blame(client, "the answer is somebody else's");
    else
        samples_add(&holder->late_us, client->arrived_us - got.started_us - (int64_t)got.wait_ms * 1000);
    samples_add(&holder->latency_us, client->arrived_us - client->asked_us);
}

/* The whole answer is here. */
static void finish(struct client *client)
{
    struct holder *holder = client->holder;
    holder->answers++;
    client->is_reading = false;
    if (client->reader.status != 200 && client->reader.status != 201) {
        char what[160];
        snprintf(what, sizeof what, "status %d: %.120s", client->reader.status, buf_text(&client->reader.body));
        client_blame(client, what);
    } else if (client->reader.is_events) {
        check_stream(client);
    } else if (client->order.pieces > 0) {
        client_blame(client, "a whole answer came in place of a stream");
    } else {
        check_whole(client);
    }
    event_reader_dispose(&client->reader);
    if (holder->options.pause_ms > 0 && client->rounds_left > 0)
        client->due_us = order_now_us() + (int64_t)holder->options.pause_ms * 1000;
    else
        client_go_on(client);
}

static void lose(struct client *client, const char *what)
{
    if (client->is_reading) {
        client_blame(client, what);
        event_reader_dispose(&client->reader);
    } else if (client->rounds_left > 0) {
        client_blame(client, "the connection was closed between two requests");
    }
    close_client(client);
    end_client(client);
}

static void receive(struct client *client)
{
    static char bytes[READ_BYTES];
    ssize_t got = recv(client->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        lose(client, "the connection ended before its answer");
        return;
    }
    client->arrived_us = order_now_us();
    if (client->is_reading)
        event_reader_feed(&client->reader, bytes, (size_t)got);
    if (!client->is_reading || client->reader.state == READING_BROKEN)
        lose(client, "bytes that are no answer came");
    else if (client->reader.state == READING_COMPLETE)
        finish(client);
}

/* ---- what is sent ---- */

static void watch(struct client *client, int operation, bool wants_to_write)
{
    struct epoll_event event = {.events = EPOLLIN | (wants_to_write ? EPOLLOUT : 0), .data.ptr = client};
    client->wants_to_write = wants_to_write;
    ensure(epoll_ctl(client->holder->epoll, operation, client->fd, &event) == 0);
}

static void send_more(struct client *client)
{
    ssize_t sent = send(client->fd, client->message + client->sent, client->message_length - client->sent,
                        MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        lose(client, "the request could not be sent");
        return;
    }
    client->sent += sent > 0 ? (size_t)sent : 0;
    bool is_sent = client->sent == client->message_length;
    if (client->wants_to_write == is_sent)
        watch(client, EPOLL_CTL_MOD, !is_sent);
    if (!is_sent)
        return;
    free(client->message);
    client->message = NULL;
    client->holder->asked += !client->has_asked;
    client->has_asked = true;
}

static uint32_t chosen_wait_ms(struct holder *holder)
{
    int least = holder->options.wait_least_ms, most = holder->options.wait_most_ms;
    holder->random = holder->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(least + (int)((holder->random >> 33) % (uint64_t)(most - least + 1)));
}

static void ask(struct client *client)
{
    struct holder *holder = client->holder;
    client->rounds_left--;
    client->due_us = 0;
    client->order = (struct order){.nonce = ++holder->next_nonce & 0xffffff,
                                   .wait_ms = chosen_wait_ms(holder),
                                   .pieces = (uint32_t)holder->options.pieces,
                                   .pace_us = (uint32_t)holder->options.pace_us,
                                   .started_us = order_now_us()};
    client->next_piece = 0;
    client->last_piece_us = 0;
    client->is_done = client->is_faulty = false;
    client->is_reading = true;
    client->message = message_make(&holder->options, &client->order, holder->image, &client->message_length);
    client->sent = 0;
    client->asked_us = order_now_us();
    event_reader_init(&client->reader, on_event, client);
    holder->requests++;
}

void client_go_on(struct client *client)
{
    if (client->rounds_left == 0) {
        end_client(client);
        return;
    }
    ask(client);
    send_more(client);
}

/* The socket says when it is connected; only then is anything sent. */
void client_start(struct client *client)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)client->holder->options.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ensure(client->fd >= 0);
    (void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ask(client);
    watch(client, EPOLL_CTL_ADD, true);
    if (connect(client->fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS)
        lose(client, "the connection could not be made");
}

void client_hang_up(struct client *client)
{
    struct holder *holder = client->holder;
    if (client->is_over || !client->is_reading)
        return;
    holder->hang_up_nonces[holder->hung_up] = client->order.nonce;
    holder->hang_ups_us[holder->hung_up++] = order_now_us();
    close_client(client);
    event_reader_dispose(&client->reader);
    end_client(client);
}

void client_on_event(struct client *client, uint32_t events)
{
    if (client->fd >= 0 && (events & EPOLLOUT) && client->message != NULL)
        send_more(client);
    if (client->fd >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        receive(client);
}
