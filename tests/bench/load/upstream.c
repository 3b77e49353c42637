/* The simulated Replicate for load: connections and requests. See the header.
 *
 *   upstream        listens on a free port of 127.0.0.1 and prints it
 */
#include "upstream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ensure.h"

enum { EVENTS_A_TURN = 512, OUT_MAX_BYTES = 4 * 1024 * 1024, BACKLOG = 4096 };

/* ---- connections ---- */

static void watch(const struct upstream *upstream, const struct connection *connection, bool wants_to_write)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | (wants_to_write ? EPOLLOUT : 0),
                                .data.fd = connection->fd};
    ensure(epoll_ctl(upstream->epoll, EPOLL_CTL_MOD, connection->fd, &event) == 0);
}

static void close_connection(struct upstream *upstream, struct connection *connection)
{
    stream_forget(upstream, connection);
    upstream->connections[connection->fd] = NULL;
    upstream->counts.open_connections--;
    close(connection->fd);
    free(connection->in);
    free(connection->out);
    free(connection);
}

/* The turn of the loop that reads the end of the connection closes it: here somebody may still hold it. */
static void give_up(struct connection *connection)
{
    connection->is_closing = true;
    (void)shutdown(connection->fd, SHUT_RDWR);
}

static void keep_for_later(struct upstream *upstream, struct connection *connection, const char *bytes, size_t length)
{
    if (connection->out_length + length > OUT_MAX_BYTES) {
        give_up(connection);
        return;
    }
    if (connection->out == NULL)
        watch(upstream, connection, true);
    connection->out = realloc(connection->out, connection->out_length + length);
    ensure(connection->out != NULL);
    memcpy(connection->out + connection->out_length, bytes, length);
    connection->out_length += length;
}

void upstream_send(struct upstream *upstream, struct connection *connection, const char *bytes, size_t length)
{
    ssize_t sent = 0;
    if (connection->is_closing)
        return;
    if (connection->out == NULL)
        sent = send(connection->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) {
        give_up(connection);
        return;
    }
    size_t done = sent > 0 ? (size_t)sent : 0;
    if (done < length)
        keep_for_later(upstream, connection, bytes + done, length - done);
}

static void send_rest(struct upstream *upstream, struct connection *connection)
{
    ssize_t sent = send(connection->fd, connection->out, connection->out_length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) {
        give_up(connection);
        return;
    }
    size_t done = sent > 0 ? (size_t)sent : 0;
    connection->out_length -= done;
    memmove(connection->out, connection->out + done, connection->out_length);
    if (connection->out_length > 0)
        return;
    free(connection->out);
    connection->out = NULL;
    watch(upstream, connection, false);
}

/* ---- requests ---- */

static size_t content_length(const char *head, const char *end)
{
    static const char name[] = "\r\ncontent-length:";
    for (const char *at = head; (at = memchr(at, '\r', (size_t)(end - at))) != NULL; at++)
        if ((size_t)(end - at) > sizeof name && strncasecmp(at, name, sizeof name - 1) == 0)
            return strtoul(at + sizeof name - 1, NULL, 10);
    return 0;
}

/* Cuts "METHOD PATH HTTP/1.1" into its words. */
static bool read_first_line(char *line, struct request *request)
{
    char *space = strchr(line, ' ');
    char *end = space == NULL ? NULL : strchr(space + 1, ' ');
    if (end == NULL)
        return false;
    *space = *end = '\0';
    request->method = line;
    request->path = space + 1;
    return true;
}

/* How many bytes the first request took; 0 = it is not all there. Of a body that is too long for the buffer the first
 * part counts, and the rest is not looked at, but answered only when all has come. */
static size_t take_request(struct upstream *upstream, struct connection *connection, char *bytes, size_t length)
{
    struct request request = {0};
    char *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    char *body = end + 4;
    size_t body_length = content_length(bytes, body), at_hand = length - (size_t)(body - bytes);
    if (at_hand < body_length) {
        bool is_too_long = body_length + (size_t)(body - bytes) > UPSTREAM_IN_BYTES;
        if (is_too_long && length == UPSTREAM_IN_BYTES)
            connection->skip = body_length - at_hand;
        return 0;
    }
    request.body = body;
    request.body_length = body_length;
    if (!read_first_line(bytes, &request)) {
        give_up(connection);
        return 0;
    }
    upstream_answer(upstream, connection, &request);
    return (size_t)(body - bytes) + body_length;
}

/* The last of a long body has come: what was kept of it is the request. */
static void take_long_request(struct upstream *upstream, struct connection *connection)
{
    struct request request = {0};
    char *end = memmem(connection->in, connection->in_length, "\r\n\r\n", 4);
    ensure(end != NULL);
    request.body = end + 4;
    request.body_length = connection->in_length - (size_t)(request.body - connection->in);
    connection->in_length = 0;
    if (read_first_line(connection->in, &request))
        upstream_answer(upstream, connection, &request);
    else
        give_up(connection);
}

static void take_requests(struct upstream *upstream, struct connection *connection)
{
    size_t taken = 0, one;
    do {
        one = take_request(upstream, connection, connection->in + taken, connection->in_length - taken);
        taken += one;
    } while (one > 0 && taken < connection->in_length);
    connection->in_length -= taken;
    memmove(connection->in, connection->in + taken, connection->in_length);
    if (connection->in_length == UPSTREAM_IN_BYTES && connection->skip == 0)
        give_up(connection); /* a head that does not end */
}

static ssize_t skip_bytes(struct upstream *upstream, struct connection *connection)
{
    static char nowhere[256 * 1024];
    size_t most = connection->skip < sizeof nowhere ? connection->skip : sizeof nowhere;
    ssize_t got = recv(connection->fd, nowhere, most, MSG_DONTWAIT);
    if (got > 0 && (connection->skip -= (size_t)got) == 0)
        take_long_request(upstream, connection);
    return got;
}

static ssize_t read_bytes(struct upstream *upstream, struct connection *connection)
{
    ssize_t got = recv(connection->fd, connection->in + connection->in_length,
                       UPSTREAM_IN_BYTES - connection->in_length, MSG_DONTWAIT);
    if (got > 0) {
        connection->in_length += (size_t)got;
        take_requests(upstream, connection);
    }
    return got;
}

/* ---- the loop ---- */

static void on_event(struct upstream *upstream, struct connection *connection, uint32_t events)
{
    ssize_t got = 1;
    if (events & EPOLLIN)
        got = connection->skip > 0 ? skip_bytes(upstream, connection) : read_bytes(upstream, connection);
    bool is_over = got == 0 || (got < 0 && errno != EAGAIN) || (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0;
    if (is_over)
        close_connection(upstream, connection);
    else if ((events & EPOLLOUT) && connection->out != NULL)
        send_rest(upstream, connection);
}

static void keep(struct upstream *upstream, int fd)
{
    int on = 1;
    struct connection *connection = xcalloc(1, sizeof *connection);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = fd};
    connection->fd = fd;
    connection->in = xcalloc(1, UPSTREAM_IN_BYTES);
    ensure((size_t)fd < upstream->connections_size);
    upstream->connections[fd] = connection;
    upstream->counts.open_connections++;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ensure(epoll_ctl(upstream->epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

static void accept_all(struct upstream *upstream)
{
    int fd;
    while ((fd = accept4(upstream->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        keep(upstream, fd);
}

static void serve(struct upstream *upstream)
{
    struct epoll_event events[EVENTS_A_TURN];
    for (;;) {
        int count = epoll_wait(upstream->epoll, events, EVENTS_A_TURN, stream_turn(upstream));
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == upstream->listener)
                accept_all(upstream);
            else if (upstream->connections[fd] != NULL)
                on_event(upstream, upstream->connections[fd], events[i].events);
        }
    }
}

static int listen_on_any_port(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ensure(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, BACKLOG) == 0);
    ensure(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    *port = ntohs(address.sin_port);
    return fd;
}

int main(void)
{
    static struct upstream upstream;
    struct rlimit limit;
    ensure(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGPIPE, SIG_IGN);
    upstream.connections_size = (size_t)limit.rlim_cur;
    upstream.connections = xcalloc(upstream.connections_size, sizeof(struct connection *));
    upstream.wheel = stream_wheel_new();
    upstream.listener = listen_on_any_port(&upstream.port);
    upstream.epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = upstream.listener};
    ensure(upstream.epoll >= 0 && epoll_ctl(upstream.epoll, EPOLL_CTL_ADD, upstream.listener, &event) == 0);
    printf("%d\n", upstream.port);
    fflush(stdout);
    serve(&upstream);
}
