/* The scripted server: one thread, one poll, blocking writes (its answers are small, and a client that stops reading
 * is given up after some seconds). */
#include "script_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/ensure.h"

enum { MAX_CONNECTIONS = 64, MAX_REQUEST_BYTES = 8 << 20, GIVE_UP_S = 10 };

struct connection {
    int fd;
    struct buf input;
};

struct script_server {
    pthread_t thread;
    int stop_fd, listen_fd, port;
    struct connection connections[MAX_CONNECTIONS]; /* of the thread alone */
    size_t count;

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    const struct script_answer *answers;
    size_t answer_count, answer_next;
    char **requests;
    size_t request_count, accepted, closed, received;
    bool hangs_up;
};

static bool send_all(int fd, const char *bytes, size_t length, size_t piece_bytes)
{
    while (length > 0) {
        size_t piece = piece_bytes && piece_bytes < length ? piece_bytes : length;
        ssize_t sent = send(fd, bytes, piece, MSG_NOSIGNAL);
        if (sent < 0)
            return false;
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

static void note_closed(struct script_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->closed++;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

static void drop(struct script_server *server, size_t index, bool with_reset)
{
    struct connection *connection = &server->connections[index];
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    if (with_reset)
        setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(connection->fd);
    buf_dispose(&connection->input);
    server->connections[index] = server->connections[--server->count];
    note_closed(server);
}

/* Records the request and returns its answer. */
static struct script_answer next_answer(struct script_server *server, const char *request, size_t length)
{
    struct script_answer answer = {.end = SCRIPT_CLOSE};
    pthread_mutex_lock(&server->lock);
    server->requests = xrealloc(server->requests, (server->request_count + 1) * sizeof(char *));
    server->requests[server->request_count++] = xstrndup(request, length);
    if (server->answer_count > 0)
        answer = server->answers[server->answer_next];
    if (server->answer_next + 1 < server->answer_count)
        server->answer_next++;
    pthread_mutex_unlock(&server->lock);
    return answer;
}

/* Length of the first whole request in the input; 0 while it is not whole. */
static size_t request_length(const struct buf *input)
{
    const char *text = buf_text(input);
    const char *end = strstr(text, "\r\n\r\n");
    if (!end)
        return 0;
    const char *field = strcasestr(text, "\r\nContent-Length:");
    size_t length = (size_t)(end + 4 - text);
    if (field && field < end)
        length += strtoul(field + strlen("\r\nContent-Length:"), NULL, 10);
    return input->length >= length ? length : 0;
}

/* False when the connection is over. */
static bool play(int fd, const struct script_answer *answer)
{
    size_t length = answer->bytes ? strlen(answer->bytes) : 0;
    bool alive = send_all(fd, answer->bytes, length, answer->piece_bytes);
    while (alive && answer->end == SCRIPT_ENDLESS)
        alive = send_all(fd, answer->bytes + answer->repeat_from, length - answer->repeat_from, 0);
    return alive && answer->end == SCRIPT_KEEP;
}

static void serve(struct script_server *server, size_t index)
{
    struct connection *connection = &server->connections[index];
    char bytes[65536];
    ssize_t got = recv(connection->fd, bytes, sizeof(bytes), 0);
    pthread_mutex_lock(&server->lock);
    server->received += got > 0 ? (size_t)got : 0;
    pthread_mutex_unlock(&server->lock);
    if (got <= 0 || !buf_append(&connection->input, bytes, (size_t)got)) {
        drop(server, index, false);
        return;
    }
    size_t length = request_length(&connection->input);
    if (length == 0)
        return;
    struct script_answer answer = next_answer(server, buf_text(&connection->input), length);
    buf_clear(&connection->input);
    if (answer.end == SCRIPT_QUIT) {
        close(server->listen_fd);
        server->listen_fd = -1;
    }
    if (!play(connection->fd, &answer))
        drop(server, index, answer.end == SCRIPT_RESET);
}

static void accept_one(struct script_server *server)
{
    int fd = accept(server->listen_fd, NULL, NULL);
    if (fd < 0)
        return;
    int on = 1;
    struct timeval patience = {.tv_sec = GIVE_UP_S};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    struct connection *connection = &server->connections[server->count++];
    connection->fd = fd;
    buf_init(&connection->input, MAX_REQUEST_BYTES);
    pthread_mutex_lock(&server->lock);
    server->accepted++;
    bool hangs_up = server->hangs_up;
    pthread_mutex_unlock(&server->lock);
    if (hangs_up)
        drop(server, server->count - 1, false);
}

static void *run(void *arg)
{
    struct script_server *server = arg;
    for (;;) {
        struct pollfd fds[MAX_CONNECTIONS + 2] = {{.fd = server->stop_fd, .events = POLLIN}};
        bool has_room = server->count < MAX_CONNECTIONS;
        fds[1] = (struct pollfd){.fd = has_room ? server->listen_fd : -1, .events = POLLIN};
        for (size_t i = 0; i < server->count; i++)
            fds[i + 2] = (struct pollfd){.fd = server->connections[i].fd, .events = POLLIN};
        size_t count = server->count;
        if (poll(fds, count + 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (fds[0].revents)
            return NULL;
        /* Backwards: a dropped connection is replaced by the last one, which was looked at already. */
        for (size_t i = count; i > 0; i--) {
            if (fds[i + 1].revents)
                serve(server, i - 1);
        }
        if (fds[1].revents && server->listen_fd >= 0)
            accept_one(server);
    }
}

static void listen_on_loopback(struct script_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ensure(server->listen_fd >= 0);
    ensure(bind(server->listen_fd, (struct sockaddr *)&address, length) == 0);
    ensure(listen(server->listen_fd, 128) == 0);
    ensure(getsockname(server->listen_fd, (struct sockaddr *)&address, &length) == 0);
    server->port = ntohs(address.sin_port);
}

struct script_server *script_server_start(void)
{
    struct script_server *server = xcalloc(1, sizeof(*server));
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->changed, NULL);
    server->stop_fd = eventfd(0, EFD_CLOEXEC);
    ensure(server->stop_fd >= 0);
    listen_on_loopback(server);
    ensure(pthread_create(&server->thread, NULL, run, server) == 0);
    return server;
}

void script_server_stop(struct script_server *server)
{
    uint64_t one = 1;
    ensure(write(server->stop_fd, &one, sizeof(one)) == (ssize_t)sizeof(one));
    pthread_join(server->thread, NULL);
    while (server->count > 0)
        drop(server, 0, false);
    if (server->listen_fd >= 0)
        close(server->listen_fd);
    close(server->stop_fd);
    for (size_t i = 0; i < server->request_count; i++)
        free(server->requests[i]);
    free(server->requests);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

int script_server_port(const struct script_server *server)
{
    return server->port;
}

void script_server_play(struct script_server *server, const struct script_answer *answers, size_t count)
{
    pthread_mutex_lock(&server->lock);
    server->answers = answers;
    server->answer_count = count;
    server->answer_next = 0;
    pthread_mutex_unlock(&server->lock);
}

void script_server_hang_up(struct script_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->hangs_up = true;
    pthread_mutex_unlock(&server->lock);
}

static size_t read_locked(struct script_server *server, const size_t *counter)
{
    pthread_mutex_lock(&server->lock);
    size_t value = *counter;
    pthread_mutex_unlock(&server->lock);
    return value;
}

size_t script_server_connections(struct script_server *server)
{
    return read_locked(server, &server->accepted);
}

size_t script_server_requests(struct script_server *server)
{
    return read_locked(server, &server->request_count);
}

size_t script_server_received(struct script_server *server)
{
    return read_locked(server, &server->received);
}

const char *script_server_request(struct script_server *server, size_t index)
{
    pthread_mutex_lock(&server->lock);
    const char *request = index < server->request_count ? server->requests[index] : NULL;
    pthread_mutex_unlock(&server->lock);
    return request;
}

bool script_server_await_closed(struct script_server *server, size_t count)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += GIVE_UP_S;
    int failed = 0;
    pthread_mutex_lock(&server->lock);
    while (server->closed < count && !failed)
        failed = pthread_cond_timedwait(&server->changed, &server->lock, &deadline);
    bool reached = server->closed >= count;
    pthread_mutex_unlock(&server->lock);
    return reached;
}
