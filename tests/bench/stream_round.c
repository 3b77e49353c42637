/* The client of the benchmark of streams: an epoll loop, a connection for each stream, and every byte checked. */
#include "stream_round.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/json.h"
#include "event_reader.h"
#include "piece_check.h"

enum { EVENTS_A_TURN = 512, READ_BYTES = 32 * 1024, MESSAGE_MAX_BYTES = 1024 * 1024, RAMP_TURN_MS = 1, TURN_MS = 100 };

struct round {
    const struct round_options *options;
    struct round_result *result;
    struct recording recording;
    struct client *clients;
    size_t started, begun, over; /* begun: have had a piece */
    int epoll;
};

struct client {
    struct round *round;
    int fd;
    struct buf message;  /* to be sent */
    struct buf received; /* of this turn, not yet looked at */
    struct event_reader reader;
    struct piece_check check;
    int64_t arrived_us, last_piece_us; /* last_piece_us: 0 = none yet */
    bool is_sent, is_closed;
    bool has_stream; /* the prediction was created, and this connection is its stream's */
    bool is_finished, is_done, is_faulty, is_over;
};

/* ---- judging ---- */

__attribute__((format(printf, 2, 3))) static void blame(struct client *client, const char *format, ...)
{
    struct round_result *result = client->round->result;
    if (client->is_faulty)
        return;
    client->is_faulty = true;
    if (result->faulty++ > 0)
        return;
    int used = snprintf(result->fault, sizeof result->fault, "stream %s: ", client->check.name);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(result->fault + used, sizeof result->fault - (size_t)used, format, arguments);
    va_end(arguments);
}

static void take_snapshot(struct round *round, struct snapshot *snapshot)
{
    if (snapshot->at_us == 0)
        snapshot_take(snapshot, round->options->daemon, round->options->simulator);
}

static void on_piece(void *arg, int64_t made_us)
{
    struct client *client = arg;
    struct round *round = client->round;
    bool is_first = client->last_piece_us == 0;
    recording_add(&round->recording,
                  &(struct arrival){.at_us = client->arrived_us,
                                    .latency_us = client->arrived_us - made_us,
                                    .gap_us = is_first ? -1 : client->arrived_us - client->last_piece_us});
    client->last_piece_us = client->arrived_us;
    if (is_first && ++round->begun == round->options->streams)
        take_snapshot(round, &round->recording.begin);
}

/* An event of Replicate's stream. */
static void on_replicate_event(struct client *client, const char *type, const char *data)
{
    if (client->is_done)
        blame(client, "an event came after `done`: %s", data);
    else if (strcmp(type, "output") == 0)
        piece_check_text(&client->check, data);
    else if (strcmp(type, "done") == 0 && strcmp(data, "{}") == 0)
        client->is_done = client->is_finished = true;
    else
        blame(client, "an unexpected event `%s`: %s", type, data);
}

static void read_choice(struct client *client, const json_t *choice)
{
    const char *text = json_text(json_object_get(choice, "delta"), "content");
    const char *reason = json_text(choice, "finish_reason");
    if (text != NULL && client->is_finished && *text != '\0')
        blame(client, "text came after the finish_reason");
    if (text != NULL)
        piece_check_text(&client->check, text);
    if (reason != NULL && (client->is_finished || strcmp(reason, "stop") != 0))
        blame(client, "a wrong or second finish_reason: %s", reason);
    client->is_finished = client->is_finished || reason != NULL;
}

/* An event of OpenAI's stream. */
static void on_openai_event(struct client *client, const char *type, const char *data)
{
    if (client->is_done || *type != '\0') {
        blame(client, "an event has a type, or came after [DONE]: %s", data);
        return;
    }
    client->is_done = strcmp(data, "[DONE]") == 0;
    if (client->is_done)
        return;
    json_t *chunk = json_parse(data, strlen(data), NULL);
    const json_t *choices = json_object_get(chunk, "choices");
    if (json_array_size(choices) == 1)
        read_choice(client, json_array_get(choices, 0));
    else
        blame(client, "an event is not a chunk of one choice: %s", data);
    json_decref(chunk);
}

static void on_event(void *arg, const char *type, const char *data)
{
    struct client *client = arg;
    if (client->round->options->is_direct)
        on_replicate_event(client, type, data);
    else
        on_openai_event(client, type, data);
}

/* ---- connections ---- */

static void watch(struct client *client, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = client};
    ensure(epoll_ctl(client->round->epoll, operation, client->fd, &event) == 0);
}

static void end_client(struct client *client)
{
    struct round *round = client->round;
    if (client->is_over)
        return;
    client->is_over = true;
    take_snapshot(round, &round->recording.end);
    round->over++;
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
    piece_check_end(&client->check);
}

/* The connection is made and `message` sent as soon as there is room; the answer is read from its start. */
static void open_connection(struct client *client)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)client->round->options->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    event_reader_init(&client->reader, on_event, client);
    client->is_sent = client->is_closed = false;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ensure(client->fd >= 0);
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(client->fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) {
        blame(client, "no connection: %s", strerror(errno));
        end_client(client);
        return;
    }
    watch(client, EPOLL_CTL_ADD, EPOLLOUT);
}

static void put_message(struct client *client, const char *method, const char *path, const struct buf *body)
{
    buf_clear(&client->message);
    buf_printf(&client->message,
               "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer test-token\r\nConnection: close\r\n", method,
               path);
    if (body != NULL)
        buf_printf(&client->message, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body->length);
    buf_append_text(&client->message, "\r\n");
    if (body != NULL)
        buf_append(&client->message, buf_text(body), body->length);
}

/* Nothing in a prompt needs to be escaped. */
static void start_client(struct client *client)
{
    const struct round_options *options = client->round->options;
    struct buf prompt, body;
    char path[256] = "/v1/chat/completions";
    buf_init(&prompt, MESSAGE_MAX_BYTES);
    buf_init(&body, MESSAGE_MAX_BYTES);
    piece_check_prompt(&prompt, client->check.name, options->pieces);
    if (options->is_direct) {
        snprintf(path, sizeof path, "/v1/models/%s/predictions", options->model);
        buf_printf(&body, "{\"stream\":true,\"input\":{\"prompt\":\"%s\"}}", buf_text(&prompt));
    } else {
        buf_printf(&body, "{\"model\":\"%s\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}",
                   options->model, buf_text(&prompt));
    }
    put_message(client, "POST", path, &body);
    buf_dispose(&prompt);
    buf_dispose(&body);
    open_connection(client);
}

/* The create was answered: its stream is at urls.stream, on the same port. */
static void open_stream(struct client *client)
{
    struct buf *body = &client->reader.body;
    json_t *prediction = json_parse(buf_text(body), body->length, NULL);
    const char *url = json_text(json_object_get(prediction, "urls"), "stream");
    const char *path = url != NULL && strncmp(url, "http://", 7) == 0 ? strchr(url + 7, '/') : NULL;
    close(client->fd);
    client->fd = -1;
    client->has_stream = true;
    if (path != NULL) {
        put_message(client, "GET", path, NULL);
        event_reader_dispose(&client->reader);
        open_connection(client);
    } else {
        blame(client, "the create was answered %d: %.200s", client->reader.status, buf_text(body));
        end_client(client);
    }
    json_decref(prediction);
}

static void complete(struct client *client)
{
    const struct event_reader *reader = &client->reader;
    if (client->round->options->is_direct && !client->has_stream) {
        open_stream(client);
        return;
    }
    if (reader->status != 200 || !reader->is_events)
        blame(client, "the answer is %d: %.300s", reader->status, buf_text(&reader->body));
    else if (!client->is_finished || !client->is_done)
        blame(client, "it ended without %s", client->is_finished ? "its last event" : "a finish_reason");
    end_client(client);
}

/* ---- the loop ---- */

static void send_message(struct client *client)
{
    const struct buf *message = &client->message;
    ssize_t sent = send(client->fd, buf_text(message), message->length, MSG_NOSIGNAL);
    client->is_sent = true;
    if (sent == (ssize_t)message->length) {
        watch(client, EPOLL_CTL_MOD, EPOLLIN);
        return;
    }
    blame(client, "the request could not be sent: %s", sent < 0 ? strerror(errno) : "only a part of it fits");
    end_client(client);
}

static void receive(struct client *client)
{
    static char bytes[READ_BYTES];
    ssize_t got = recv(client->fd, bytes, sizeof bytes, 0);
    client->arrived_us = figures_now_us();
    if (got > 0)
        buf_append(&client->received, bytes, (size_t)got);
    else
        client->is_closed = got == 0 || errno != EAGAIN;
}

static void digest(struct client *client)
{
    struct event_reader *reader = &client->reader;
    event_reader_feed(reader, buf_text(&client->received), client->received.length);
    buf_clear(&client->received);
    if (reader->state == READING_COMPLETE) {
        complete(client);
    } else if (reader->state == READING_BROKEN || client->is_closed) {
        blame(client, "the answer %s", client->is_closed ? "was cut off" : "is not well formed");
        end_client(client);
    }
}

/* All is received first and only then looked at, so that a piece does not seem late for what the client did with those
 * before it. */
static void turn(struct round *round, int wait_ms)
{
    struct epoll_event events[EVENTS_A_TURN];
    int count = epoll_wait(round->epoll, events, EVENTS_A_TURN, wait_ms);
    for (int i = 0; i < count; i++) {
        struct client *client = events[i].data.ptr;
        if (client->is_sent)
            receive(client);
    }
    for (int i = 0; i < count; i++) {
        struct client *client = events[i].data.ptr;
        if (client->is_sent)
            digest(client);
        else
            send_message(client);
    }
}

static void run_clients(struct round *round)
{
    const struct round_options *options = round->options;
    int64_t start_us = figures_now_us(), now_us = start_us;
    while (round->over < options->streams && now_us < start_us + options->patience_ms * 1000) {
        while (round->started < options->streams &&
               now_us >= start_us + (int64_t)round->started * options->ramp_ms * 1000 / (int64_t)options->streams)
            start_client(&round->clients[round->started++]);
        turn(round, round->started < options->streams ? RAMP_TURN_MS : TURN_MS);
        now_us = figures_now_us();
    }
}

static void init_clients(struct round *round)
{
    const struct round_options *options = round->options;
    round->clients = xcalloc(options->streams, sizeof *round->clients);
    for (size_t i = 0; i < options->streams; i++) {
        struct client *client = &round->clients[i];
        char name[32];
        snprintf(name, sizeof name, "%s.%05zu", options->name, i);
        client->round = round;
        client->fd = -1;
        buf_init(&client->message, MESSAGE_MAX_BYTES);
        buf_init(&client->received, READ_BYTES);
        piece_check_init(&client->check, name, options->pieces, on_piece, client);
    }
}

static void judge_and_free(struct client *client, struct round_result *result)
{
    if (!client->is_over)
        blame(client, "it did not end in time");
    end_client(client);
    const struct piece_check *check = &client->check;
    result->good += check->good;
    result->lost += check->lost;
    result->doubled += check->doubled;
    result->garbled += check->garbled;
    bool is_right = check->good == check->count && check->doubled + check->garbled == 0;
    if (!is_right && *result->fault == '\0')
        snprintf(result->fault, sizeof result->fault, "stream %s: %zu pieces good, %zu lost, %zu doubled, %zu garbled",
                 check->name, check->good, check->lost, check->doubled, check->garbled);
    event_reader_dispose(&client->reader);
    piece_check_dispose(&client->check);
    buf_dispose(&client->message);
    buf_dispose(&client->received);
}

void round_run(const struct round_options *options, struct round_result *result)
{
    *result = (struct round_result){0};
    struct round round = {.options = options, .result = result, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    ensure(round.epoll >= 0);
    recording_init(&round.recording, options->streams * options->pieces);
    init_clients(&round);
    run_clients(&round);
    for (size_t i = 0; i < options->streams; i++)
        judge_and_free(&round.clients[i], result);
    recording_sum_up(&round.recording, &result->figures);
    recording_dispose(&round.recording);
    free(round.clients);
    close(round.epoll);
}

bool round_is_right(const struct round_result *result)
{
    return result->lost == 0 && result->doubled == 0 && result->garbled == 0 && result->faulty == 0;
}
