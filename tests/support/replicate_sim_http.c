/* The simulated Replicate's side of a connection: raw sockets in, whole requests out, bytes back.
 *
 * A connection reads all the time, also while a request is held, so that it notices a client that has gone. It serves
 * one request at a time; what a client pipelines waits in `in`. */
#include "replicate_sim_int.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ensure.h"

/* Asks epoll for writability, or no longer. */
static void ask(struct replicate_sim *sim, struct connection *connection, bool writes)
{
    if (connection->closed || connection->writes == writes)
        return;
    connection->writes = writes;
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | (writes ? EPOLLOUT : 0), .data.ptr = connection};
    ensure(epoll_ctl(sim->epoll_fd, EPOLL_CTL_MOD, connection->fd, &event) == 0);
}

/* One timer serves both: a connection never waits for a prediction and for a delay at the same time. */
static void on_timer(struct replicate_sim *sim, struct sim_timer *timer)
{
    struct connection *connection = list_entry(timer, struct connection, timer);
    if (connection->waits_for)
        sim_api_create_waited(sim, connection->waits_for);
    else
        sim_connection_write(sim, connection);
}

/* Without delay: answers of one byte per write are to travel as such. */
static void open_connection(struct replicate_sim *sim, int fd, bool other_origin)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct connection *connection = xcalloc(1, sizeof(*connection));
    connection->fd = fd;
    connection->other_origin = other_origin;
    connection->number = ++sim->connection_numbers;
    connection->timer.fire = on_timer;
    buf_init(&connection->in, SIM_BODY_MAX_BYTES);
    buf_init(&connection->out, SIM_BODY_MAX_BYTES);
    list_append(&sim->connections, &connection->link);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = connection};
    ensure(epoll_ctl(sim->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0);

    struct sim_counters *counters = &sim->counters;
    counters->accepted_connections++;
    counters->open_connections++;
    if (counters->peak_connections < counters->open_connections)
        counters->peak_connections = counters->open_connections;
    sim->has_changed = true;
}

/* Until there are none. When descriptors run out the rest waits in the backlog until some are closed. */
void sim_connections_accept(struct replicate_sim *sim, int listen_fd)
{
    for (;;) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        open_connection(sim, fd, listen_fd == sim->stream_listen_fd);
    }
}

/* The request itself may have been kept for the test; then it lives until the stop. */
static void end_request(struct connection *connection)
{
    if (!connection->request_kept)
        sim_request_free(connection->request);
    free(connection->held_headers);
    connection->held_headers = NULL;
    connection->request = NULL;
    connection->request_kept = connection->serving = connection->continued = false;
    connection->fault = NULL;
}

/* Frees at the end of the turn only: epoll may have reported it in this very turn. */
void sim_connection_close(struct replicate_sim *sim, struct connection *connection, bool reset)
{
    if (connection->closed)
        return;
    if (reset) {
        struct linger linger = {.l_onoff = 1, .l_linger = 0};
        setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    }
    close(connection->fd);
    connection->closed = true;
    sim_timer_clear(sim, &connection->timer);
    sim_stream_detach(sim, connection);
    if (connection->waits_for) {
        connection->waits_for->waiter = NULL;
        connection->waits_for = NULL;
        sim->counters.waiting--;
    }
    end_request(connection);
    list_remove(&connection->link);
    list_append(&sim->closed_connections, &connection->link);
    sim->counters.open_connections--;
    sim->has_changed = true;
}

void sim_connections_bury(struct replicate_sim *sim)
{
    struct list_link *link;
    while ((link = list_shift(&sim->closed_connections))) {
        struct connection *connection = list_entry(link, struct connection, link);
        buf_dispose(&connection->in);
        buf_dispose(&connection->out);
        free(connection);
    }
}

/* The answer has been written: on to the next request, or the end. */
static void finish(struct replicate_sim *sim, struct connection *connection)
{
    if (connection->close_after || connection->reset_after) {
        sim_connection_close(sim, connection, connection->reset_after);
        return;
    }
    buf_clear(&connection->out);
    connection->sent = 0;
    end_request(connection);
    /* A pipelined request is taken up by the loop and not here: otherwise a thousand of them would recurse. */
    ask(sim, connection, connection->in.length > connection->taken);
}

/* Writes what the socket takes; epoll tells when it takes more. A byte at a time where the fault says so: each is a
 * system call and, without delay, a segment of its own. */
void sim_connection_write(struct replicate_sim *sim, struct connection *connection)
{
    const struct fault *fault = connection->fault;
    bool bytewise = connection->bytewise || (fault && fault->spec.fault == SIM_FAULT_BYTEWISE);
    while (connection->sent < connection->out.length) {
        size_t left = bytewise ? 1 : connection->out.length - connection->sent;
        ssize_t count = send(connection->fd, connection->out.data + connection->sent, left, MSG_NOSIGNAL);
        if (count < 0 && errno != EAGAIN && errno != EINTR) {
            sim_connection_close(sim, connection, false);
            return;
        }
        connection->sent += count > 0 ? (size_t)count : 0;
        if ((count < 0 || bytewise) && connection->sent < connection->out.length) {
            ask(sim, connection, true);
            return;
        }
    }
    if (connection->stream && !connection->stream->ended) {
        buf_clear(&connection->out);
        connection->sent = 0;
        ask(sim, connection, false);
        return;
    }
    if (fault && fault->spec.fault == SIM_FAULT_HUGE_BODY) {
        sim_fault_refill(connection);
        ask(sim, connection, true);
        return;
    }
    finish(sim, connection);
}

/* False when the client has gone. */
static bool read_all(struct connection *connection)
{
    char bytes[65536];
    for (;;) {
        ssize_t count = recv(connection->fd, bytes, sizeof(bytes), 0);
        if (count < 0)
            return errno == EAGAIN || errno == EINTR;
        if (count == 0 || !buf_append(&connection->in, bytes, (size_t)count))
            return false;
        if ((size_t)count < sizeof(bytes))
            return true; /* level-triggered: more is reported again */
    }
}

/* Reading comes first: a client that has gone needs no answer. */
void sim_connection_event(struct replicate_sim *sim, struct connection *connection, uint32_t events)
{
    if (connection->closed)
        return;
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) && !read_all(connection)) {
        sim_connection_close(sim, connection, false);
        return;
    }
    if ((events & EPOLLOUT) && connection->writes && connection->serving)
        sim_connection_write(sim, connection);
    sim_connection_parse(sim, connection);
}

void sim_request_free(struct sim_request *request)
{
    if (!request)
        return;
    free((char *)request->method);
    free((char *)request->path);
    free((char *)request->headers);
    free((char *)request->body);
    free(request);
}

/* Line by line; the first one of that name counts. */
bool sim_request_header(const struct sim_request *request, const char *name, char *value, size_t size)
{
    size_t name_length = strlen(name);
    snprintf(value, size, "%s", "");
    for (const char *line = request->headers; *line;) {
        size_t length = strcspn(line, "\r\n");
        if (length > name_length && line[name_length] == ':' && strncasecmp(line, name, name_length) == 0) {
            const char *text = line + name_length + 1;
            text += strspn(text, " \t");
            snprintf(value, size, "%.*s", (int)(line + length - text), text);
            return true;
        }
        line += length;
        line += strspn(line, "\r\n");
    }
    return false;
}

/* What the request line and the headers say; NULL when they are not HTTP. */
static struct sim_request *parse_head(const char *head, size_t length)
{
    const char *line_end = memmem(head, length, "\r\n", 2);
    const char *space = memchr(head, ' ', (size_t)(line_end - head));
    if (!space || memchr(head, '\0', length))
        return NULL;
    const char *path = space + 1;
    const char *path_end = memchr(path, ' ', (size_t)(line_end - path));
    if (!path_end || *path != '/' || strncmp(path_end, " HTTP/1.", 8) != 0)
        return NULL;
    struct sim_request *request = xcalloc(1, sizeof(*request));
    request->method = xstrndup(head, (size_t)(space - head));
    request->path = xstrndup(path, (size_t)(path_end - path));
    request->headers = xstrndup(line_end + 2, (size_t)(head + length - line_end - 2));
    return request;
}

enum reading { READING_MORE, READING_DONE, READING_BAD };

/* Goes over chunks from `*walked` on, as far as they are there, and appends them to `body` where that is not NULL. */
static enum reading walk_chunks(const char *bytes, size_t length, size_t *walked, struct buf *body)
{
    for (const char *end = bytes + length;;) {
        const char *at = bytes + *walked, *line_end = memmem(at, (size_t)(end - at), "\r\n", 2);
        if (!line_end)
            return READING_MORE;
        char *stop;
        unsigned long size = strtoul(at, &stop, 16);
        if (stop == at || stop > line_end || size > SIM_BODY_MAX_BYTES)
            return READING_BAD;
        at = line_end + 2;
        if ((size_t)(end - at) < size + 2)
            return READING_MORE;
        if (body && !buf_append(body, at, size))
            return READING_BAD;
        *walked = (size_t)(at + size + 2 - bytes);
        if (size == 0)
            return READING_DONE; /* trailers are nobody's habit here */
    }
}

/* Chunks to plain bytes, when the last one is there. `*walked` is kept between calls, so that a large body costs no
 * more than its length, in however many pieces it comes. */
static enum reading decode_chunks(struct sim_request *request, const char *bytes, size_t length, size_t *walked)
{
    struct buf body;
    size_t again = 0;
    enum reading reading = walk_chunks(bytes, length, walked, NULL);
    if (reading != READING_DONE)
        return reading;
    buf_init(&body, SIM_BODY_MAX_BYTES);
    reading = walk_chunks(bytes, length, &again, &body);
    if (reading == READING_DONE)
        request->body = buf_take(&body, &request->body_length);
    buf_dispose(&body);
    return reading;
}

/* The body behind the headers; `*used` is how many bytes it takes, when it is there. */
static enum reading read_body(struct sim_request *request, const char *bytes, size_t length, size_t *used)
{
    char value[64];
    if (sim_request_header(request, "transfer-encoding", value, sizeof(value)))
        return strcasecmp(value, "chunked") == 0 ? decode_chunks(request, bytes, length, used) : READING_BAD;
    unsigned long size = 0;
    if (sim_request_header(request, "content-length", value, sizeof(value))) {
        char *stop;
        size = strtoul(value, &stop, 10);
        if (*stop || stop == value || size > SIM_BODY_MAX_BYTES)
            return READING_BAD;
    }
    if (length < size)
        return READING_MORE;
    char *body = xmalloc(size + 1);
    memcpy(body, bytes, size);
    body[size] = '\0';
    request->body = body;
    request->body_length = *used = size;
    return READING_DONE;
}

/* A client that waits for leave to send its body gets it. */
static void maybe_continue(struct connection *connection, const struct sim_request *request)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    char value[32];
    if (connection->continued || !sim_request_header(request, "expect", value, sizeof(value)))
        return;
    connection->continued = true;
    if (send(connection->fd, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL) < 0)
        connection->close_after = true;
}

/* The next whole request in `in`, taken out of it. */
static enum reading take_request(struct connection *connection)
{
    const char *head = buf_text(&connection->in) + connection->taken;
    size_t length = connection->in.length - connection->taken;
    const char *head_end = memmem(head, length, "\r\n\r\n", 4);
    if (!head_end)
        return length > SIM_HEADER_MAX_BYTES ? READING_BAD : READING_MORE;
    size_t head_length = (size_t)(head_end - head) + 2;
    struct sim_request *request = parse_head(head, head_length);
    if (!request)
        return READING_BAD;
    enum reading reading = read_body(request, head_end + 4, length - head_length - 2, &connection->walked);
    if (reading != READING_DONE) {
        maybe_continue(connection, request);
        sim_request_free(request);
        return reading;
    }
    connection->taken += head_length + 2 + connection->walked;
    connection->walked = 0;
    connection->request = request;
    return READING_DONE;
}

/* What has been served makes room. */
static void drop_taken(struct connection *connection)
{
    struct buf *in = &connection->in;
    if (!connection->taken)
        return;
    in->length -= connection->taken;
    memmove(in->data, in->data + connection->taken, in->length + 1);
    connection->taken = 0;
}

/* What cannot be read cannot be skipped either: the connection ends with it. */
static void refuse_request(struct replicate_sim *sim, struct connection *connection)
{
    struct answer answer;
    sim_answer_init(&answer);
    sim_answer_problem(&answer, 400, NULL, "The request is not HTTP as this server knows it.");
    sim->counters.invalid++;
    connection->close_after = connection->serving = true;
    sim_fault_answer(sim, connection, &answer);
}

/* One after the other, until one is incomplete or waits for its answer. */
void sim_connection_parse(struct replicate_sim *sim, struct connection *connection)
{
    while (!connection->closed && !connection->serving) {
        enum reading reading = take_request(connection);
        if (reading == READING_BAD) {
            refuse_request(sim, connection);
            return;
        }
        if (reading == READING_MORE) {
            drop_taken(connection);
            ask(sim, connection, false);
            return;
        }
        char value[32];
        if (sim_request_header(connection->request, "connection", value, sizeof(value)))
            connection->close_after = strcasecmp(value, "close") == 0;
        connection->serving = true;
        ask(sim, connection, false);
        sim_api_serve(sim, connection);
    }
}
