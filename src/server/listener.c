/* The listening socket: one for all workers, without SO_REUSEPORT, so that a second daemon on the same port
 * is told so instead of silently taking half of the connections. */
#include "server/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static struct addrinfo *resolve(const char *host, int port, int flags, struct error *err)
{
    char service[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV}, *found = NULL;
    snprintf(service, sizeof service, "%d", port);
    int code = getaddrinfo(host, service, &hints, &found);
    if (code != 0) {
        error_set(err, ERROR_INTERNAL, NULL, "The address %s cannot be used: %s.", host, gai_strerror(code));
        return NULL;
    }
    return found;
}

static int bind_one(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int yes = 1;
    if (fd < 0)
        return -1;
    /* A restarted daemon must not wait for old connections to fade. */
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static void write_url(int fd, const char *host, char url[LISTENER_URL_BYTES])
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    int port = 0;
    if (getsockname(fd, (struct sockaddr *)&address, &length) == 0) {
        if (address.ss_family == AF_INET6)
            port = ntohs(((const struct sockaddr_in6 *)(const void *)&address)->sin6_port);
        else
            port = ntohs(((const struct sockaddr_in *)(const void *)&address)->sin_port);
    }
    bool needs_brackets = strchr(host, ':') != NULL;
    snprintf(url, LISTENER_URL_BYTES, "http://%s%s%s:%d", needs_brackets ? "[" : "", host, needs_brackets ? "]" : "",
             port);
}

int listener_open(const char *host, int port, char url[LISTENER_URL_BYTES], struct error *err)
{
    struct addrinfo *found = resolve(host, port, AI_PASSIVE, err);
    if (found == NULL)
        return -1;
    int fd = -1;
    for (const struct addrinfo *address = found; address != NULL && fd < 0; address = address->ai_next)
        fd = bind_one(address);
    if (fd < 0)
        error_set(err, ERROR_INTERNAL, NULL,
                  "%s:%d cannot be listened on: %s. Choose another with `listen`, --host or --port.", host, port,
                  strerror(errno));
    else
        write_url(fd, host, url);
    freeaddrinfo(found);
    return fd;
}

/* ---- the probe ---- */

static int connect_one(const struct addrinfo *address)
{
    struct timeval limit = {.tv_sec = 5};
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool ask_readiness(int fd)
{
    static const char request[] = "GET /health/readiness HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    static const char expected[] = "HTTP/1.1 200";
    char answer[sizeof expected] = "";
    size_t length = 0;
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)sizeof request - 1)
        return false;
    while (length < sizeof expected - 1) {
        ssize_t got = recv(fd, answer + length, sizeof expected - 1 - length, 0);
        if (got <= 0)
            return false;
        length += (size_t)got;
    }
    return strcmp(answer, expected) == 0;
}

bool listener_probe(const char *host, int port, struct error *err)
{
    struct addrinfo *found = resolve(host, port, 0, err);
    if (found == NULL)
        return false;
    int fd = -1;
    for (const struct addrinfo *address = found; address != NULL && fd < 0; address = address->ai_next)
        fd = connect_one(address);
    freeaddrinfo(found);
    bool is_ready = fd >= 0 && ask_readiness(fd);
    if (fd >= 0)
        close(fd);
    return is_ready || error_set(err, ERROR_INTERNAL, NULL, "The daemon at %s:%d is not ready.", host, port);
}
