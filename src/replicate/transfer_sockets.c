/* The descriptors that curl wants watched, by number.
 *
 * Curl stops watching a connection at the end of each transfer and begins again with the next one. To spare the two
 * system calls a connection stays in epoll in between. That is safe only for descriptors whose birth and close we are
 * told of; all others (curl's own helpers) are taken out at once. */
#include "transfer_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"

struct transfer_socket {
    struct loop_watch watch;
    struct transfer_sockets *sockets;
    bool lasting;     /* we will be told of its close */
    bool dead;        /* an event came between transfers */
    uint32_t wanted;  /* by curl; 0 = between transfers */
    uint32_t watched; /* by epoll */
};

static void set_dead(struct transfer_socket *socket, bool dead)
{
    socket->sockets->dead += (size_t)dead - (size_t)socket->dead;
    socket->dead = dead;
}

static void on_socket_event(void *arg, uint32_t events)
{
    struct transfer_socket *socket = arg;
    struct transfer_sockets *sockets = socket->sockets;
    if (socket->wanted == 0) {
        /* Most often the server closed a kept connection. Level-triggered, this would come back without end. */
        sockets->death_seen_ms = clock_now_ms();
        loop_watch_clear(sockets->loop, &socket->watch);
        socket->watched = 0;
        set_dead(socket, true);
        if (sockets->prune)
            transfer_prune_later(sockets->prune);
        return;
    }
    /* The socket may be gone when this returns. */
    sockets->on_ready(sockets->arg, socket->watch.fd, events);
}

void transfer_sockets_init(struct transfer_sockets *sockets, struct loop *loop, transfer_ready_fn on_ready, void *arg)
{
    *sockets = (struct transfer_sockets){.loop = loop, .on_ready = on_ready, .arg = arg, .death_seen_ms = -1};
}

/* Descriptors are small numbers, so a plain array finds them at no cost. */
static struct transfer_socket *find(const struct transfer_sockets *sockets, int fd)
{
    return (size_t)fd < sockets->size ? sockets->by_fd[fd] : NULL;
}

static struct transfer_socket *add(struct transfer_sockets *sockets, int fd)
{
    if ((size_t)fd >= sockets->size) {
        size_t size = (size_t)fd * 2 + 16;
        sockets->by_fd = xrealloc(sockets->by_fd, size * sizeof(struct transfer_socket *));
        memset(sockets->by_fd + sockets->size, 0, (size - sockets->size) * sizeof(struct transfer_socket *));
        sockets->size = size;
    }
    struct transfer_socket *socket = xcalloc(1, sizeof(*socket));
    socket->sockets = sockets;
    loop_watch_init(&socket->watch, on_socket_event, socket);
    sockets->by_fd[fd] = socket;
    return socket;
}

/* No event of this descriptor comes after this, also not from the batch that is being delivered. */
static void forget(struct transfer_sockets *sockets, int fd)
{
    struct transfer_socket *socket = find(sockets, fd);
    if (!socket)
        return;
    loop_watch_clear(sockets->loop, &socket->watch);
    set_dead(socket, false);
    sockets->by_fd[fd] = NULL;
    free(socket);
}

void transfer_sockets_dispose(struct transfer_sockets *sockets)
{
    for (size_t fd = 0; fd < sockets->size; fd++)
        forget(sockets, (int)fd);
    free(sockets->by_fd);
    *sockets = (struct transfer_sockets){0};
}

void transfer_sockets_opened(struct transfer_sockets *sockets, int fd)
{
    /* A number that comes back while we still know it was closed without a word: what we know is void. */
    forget(sockets, fd);
    add(sockets, fd)->lasting = true;
}

void transfer_sockets_closing(struct transfer_sockets *sockets, int fd)
{
    forget(sockets, fd);
}

void transfer_sockets_want(struct transfer_sockets *sockets, int fd, uint32_t events)
{
    struct transfer_socket *socket = find(sockets, fd);
    if (events == 0 && !(socket && socket->lasting)) {
        forget(sockets, fd);
        return;
    }
    if (!socket)
        socket = add(sockets, fd);
    socket->wanted = events;
    if (events == 0 || socket->watched == events)
        return;
    set_dead(socket, false);
    /* A refusal (no kernel memory) ends this one transfer by its timeout; told of it, curl would give up all. */
    socket->watched = loop_watch_set(sockets->loop, &socket->watch, fd, events) ? events : 0;
}

bool transfer_sockets_saw_death(const struct transfer_sockets *sockets, int64_t within_ms)
{
    return sockets->death_seen_ms >= 0 && clock_now_ms() - sockets->death_seen_ms <= within_ms;
}

size_t transfer_sockets_dead(const struct transfer_sockets *sockets)
{
    return sockets->dead;
}
