/* The other side of streams, and their viewer: plain sockets that do not block. */
#include "stream_peer.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"

enum { MAX_PEERS = 1024, SEND_BUFFER_BYTES = 32 * 1024 };

static int listen_fd, port;
static int peers[MAX_PEERS];
static size_t peer_count;
static char last_request[4096];

void peer_setup(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    fixture_setup();
    peer_count = 0;
    listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(listen_fd, 0);
    /* Small, and of a fixed size, so that it fills up soon. */
    int buffer_bytes = SEND_BUFFER_BYTES;
    ck_assert_int_eq(setsockopt(listen_fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof(buffer_bytes)), 0);
    ck_assert_int_eq(bind(listen_fd, (struct sockaddr *)&address, length), 0);
    ck_assert_int_eq(listen(listen_fd, MAX_PEERS), 0);
    ck_assert_int_eq(getsockname(listen_fd, (struct sockaddr *)&address, &length), 0);
    port = ntohs(address.sin_port);
}

void peer_teardown(void)
{
    for (size_t i = 0; i < peer_count; i++) {
        if (peers[i] >= 0)
            close(peers[i]);
    }
    close(listen_fd);
    fixture_teardown();
}

struct transfer_request peer_request(void)
{
    static char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/stream", port);
    struct transfer_request request = fixture_get("/");
    request.url = url;
    request.timeout_ms = 0;
    request.accept = "text/event-stream";
    return request;
}

/* ---- the viewer ---- */

static void meddle(const struct viewer *viewer)
{
    if (viewer->sleeper && viewer->sleeper->transfer)
        viewer_pause(viewer->sleeper);
    if (viewer->victim)
        transfer_cancel(&viewer->victim->transfer);
}

static void on_data(void *arg, const char *bytes, size_t length)
{
    struct viewer *viewer = arg;
    ck_assert_ptr_nonnull(viewer->transfer); /* neither inside the start nor after the end */
    ck_assert(!viewer->paused);
    ck_assert_uint_gt(length, 0);
    viewer->bytes = xrealloc(viewer->bytes, viewer->length + length + 1);
    memcpy(viewer->bytes + viewer->length, bytes, length);
    viewer->length += length;
    viewer->bytes[viewer->length] = '\0';
    viewer->pieces++;
    if (viewer->length > viewer->meddles_after)
        meddle(viewer);
    if (viewer->pauses_itself)
        viewer_pause(viewer);
    if (viewer->cancels_itself)
        transfer_cancel(&viewer->transfer);
}

static void on_done(void *arg, const struct transfer_answer *answer)
{
    struct viewer *viewer = arg;
    ck_assert_ptr_nonnull(viewer->transfer);
    viewer->transfer = NULL;
    fixture_on_done(&viewer->seen, answer);
}

void viewer_start(struct viewer *viewer, const struct transfer_request *request)
{
    struct transfer_request asked = request ? *request : peer_request();
    asked.on_data = on_data;
    viewer->transfer = transfer_start(fixture_transfers, &asked, on_done, viewer);
    ck_assert_ptr_nonnull(viewer->transfer);
}

void viewer_pause(struct viewer *viewer)
{
    transfer_pause(viewer->transfer);
    viewer->paused = true;
}

/* Data that came from within the resume would be seen as coming while paused. */
void viewer_resume(struct viewer *viewer)
{
    transfer_resume(viewer->transfer);
    viewer->paused = false;
}

void viewer_dispose(struct viewer *viewer)
{
    transfer_cancel(&viewer->transfer);
    free(viewer->bytes);
    *viewer = (struct viewer){0};
}

/* ---- the peer ---- */

static bool accept_next(int *fd)
{
    *fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return *fd >= 0;
}

static bool request_is_whole(int fd, size_t *length)
{
    ssize_t got = recv(fd, last_request + *length, sizeof(last_request) - 1 - *length, 0);
    *length += got > 0 ? (size_t)got : 0;
    last_request[*length] = '\0';
    return strstr(last_request, "\r\n\r\n") != NULL;
}

int peer_accept(void)
{
    int fd, on = 1;
    size_t length = 0;
    ck_assert_uint_lt(peer_count, MAX_PEERS);
    TURN_UNTIL(accept_next(&fd));
    peers[peer_count++] = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    TURN_UNTIL(request_is_whole(fd, &length));
    return fd;
}

const char *peer_last_request(void)
{
    return last_request;
}

size_t peer_offer(int fd, const char *bytes, size_t length)
{
    ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    ck_assert_msg(sent >= 0 || errno == EAGAIN, "send: %s", strerror(errno));
    return sent > 0 ? (size_t)sent : 0;
}

static bool send_more(int fd, const char *bytes, size_t length, size_t *sent)
{
    *sent += peer_offer(fd, bytes + *sent, length - *sent);
    return *sent == length;
}

void peer_send(int fd, const char *bytes, size_t length)
{
    size_t sent = 0;
    TURN_UNTIL(send_more(fd, bytes, length, &sent));
}

void peer_say(int fd, const char *text)
{
    peer_send(fd, text, strlen(text));
}

void peer_close(int fd)
{
    for (size_t i = 0; i < peer_count; i++) {
        if (peers[i] == fd)
            peers[i] = -1;
    }
    close(fd);
}

void peer_reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    peer_close(fd);
}

bool peer_sees_close(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN);
}
