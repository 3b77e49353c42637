/* A worker's libmicrohttpd daemons: who accepts, which of them gets a connection, and which of them run in a turn.
 *
 * The listening socket is ours, since libmicrohttpd would accept into one daemon only. It is watched while there is
 * room: what comes beyond that waits in the kernel's backlog. */
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "http_int.h"

/* Where the system has no descriptor or memory for another connection it is asked again so much later. */
enum { RETRY_MS = 200 };

/* ---- one shard ---- */

void http_shard_wake(struct http_shard *shard)
{
    if (shard->busy.list == NULL)
        list_append(&shard->http->busy, &shard->busy);
}

static void on_mhd_event(void *arg, uint32_t events)
{
    (void)events;
    http_shard_wake(arg);
}

static void on_silence(void *arg)
{
    http_shard_wake(arg);
}

static void free_shard(struct http_shard *shard)
{
    struct loop *loop = shard->http->options.loop;
    loop_watch_clear(loop, &shard->watch);
    if (shard->daemon != NULL)
        MHD_stop_daemon(shard->daemon);
    loop_timer_clear(loop, &shard->silence);
    list_remove(&shard->busy);
    free(shard);
}

static bool add_shard(struct http *http)
{
    struct http_shard *shard = xcalloc(1, sizeof *shard);
    *shard = (struct http_shard){.http = http, .index = http->shard_count};
    loop_watch_init(&shard->watch, on_mhd_event, shard);
    loop_timer_init(&shard->silence, on_silence, shard);
    shard->daemon = http_start_daemon(shard);
    const union MHD_DaemonInfo *info =
        shard->daemon == NULL ? NULL : MHD_get_daemon_info(shard->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL || !loop_watch_set(http->options.loop, &shard->watch, info->epoll_fd, EPOLLIN)) {
        int saved = errno;
        free_shard(shard);
        errno = saved;
        return false;
    }
    http->shards = xrealloc(http->shards, (http->shard_count + 1) * sizeof(struct http_shard *));
    http->shards[http->shard_count++] = shard;
    return true;
}

/* After an answer libmicrohttpd wants to run twice more, to close the request and to look for the next one; each turn of
 * the loop for that would cost another look at all descriptors. */
static bool run_daemon(struct MHD_Daemon *daemon, MHD_UNSIGNED_LONG_LONG *timeout_ms)
{
    enum { RUNS_MAX = 3 };
    bool has_timeout = true;
    *timeout_ms = 0;
    for (int i = 0; i < RUNS_MAX && has_timeout && *timeout_ms == 0; i++) {
        (void)MHD_run(daemon);
        has_timeout = MHD_get_timeout(daemon, timeout_ms) == MHD_YES;
    }
    return has_timeout;
}

/* All silence is equally long, so none ends before the one that the timer was set for: it need not be moved. */
static void run_shard(struct http_shard *shard)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    if (!run_daemon(shard->daemon, &timeout_ms))
        return;
    if (timeout_ms == 0)
        http_shard_wake(shard);
    else if (shard->silence.place == 0)
        loop_timer_set(shard->http->options.loop, &shard->silence, clock_now_ms() + (int64_t)timeout_ms);
}

void http_shards_run(struct http *http)
{
    if (list_is_empty(&http->busy))
        return;
    clock_stand();
    for (size_t left = http->busy.length; left > 0; left--) { /* one that wakes itself waits for the next turn */
        run_shard(list_entry(list_shift(&http->busy), struct http_shard, busy));
        clock_step();
    }
    clock_run();
}

/* ---- accepting ---- */

/* The first that has room, so that the younger ones run empty after a crowd. */
static struct http_shard *shard_with_room(struct http *http)
{
    while (http->first_with_room < http->shard_count &&
           http->shards[http->first_with_room]->connections >= HTTP_SHARD_CONNECTIONS)
        http->first_with_room++;
    if (http->first_with_room == http->shard_count && !add_shard(http))
        return NULL;
    return http->shards[http->first_with_room];
}

static void retry_later(struct http *http)
{
    loop_watch_clear(http->options.loop, &http->listener);
    loop_timer_set(http->options.loop, &http->retry, clock_now_ms() + RETRY_MS);
}

/* Level-triggered and without EPOLLEXCLUSIVE: a worker that was woken alone and then is full, or busy for long, would
 * leave connections waiting that another has room for. */
static void watch_listener(struct http *http)
{
    if (http->is_closing || http->listener.fd >= 0 || http->connections >= http->options.connection_limit)
        return;
    if (!loop_watch_set(http->options.loop, &http->listener, http->options.listen_fd, EPOLLIN))
        retry_later(http);
}

static void on_retry(void *arg)
{
    watch_listener(arg);
}

/* True: go on. libmicrohttpd 0.9.75 tells of the new connection in the call, later versions in their next run; where it
 * refuses it closes the descriptor. */
static bool accept_one(struct http *http)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    struct http_shard *shard = shard_with_room(http);
    if (shard == NULL) {
        retry_later(http);
        return false;
    }
    struct sockaddr *peer = (struct sockaddr *)&address;
    int fd = accept4(http->options.listen_fd, peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        (void)MHD_add_connection(shard->daemon, fd, peer, length);
        http_shard_wake(shard);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
        retry_later(http);
    return errno == ECONNABORTED || errno == EINTR;
}

static void on_listener(void *arg, uint32_t events)
{
    (void)events;
    struct http *http = arg;
    for (int i = 0; i < HTTP_ACCEPTS_A_TURN && http->connections < http->options.connection_limit; i++)
        if (!accept_one(http))
            return;
    if (http->connections >= http->options.connection_limit)
        loop_watch_clear(http->options.loop, &http->listener);
}

void http_shard_joined(struct http_shard *shard)
{
    shard->connections++;
    shard->http->connections++;
}

void http_shard_left(struct http_shard *shard)
{
    struct http *http = shard->http;
    shard->connections--;
    http->connections--;
    if (shard->index < http->first_with_room)
        http->first_with_room = shard->index;
    watch_listener(http);
}

/* ---- the whole ---- */

bool http_shards_open(struct http *http)
{
    list_init(&http->busy);
    loop_watch_init(&http->listener, on_listener, http);
    loop_timer_init(&http->retry, on_retry, http);
    if (!add_shard(http))
        return false;
    watch_listener(http);
    return true;
}

void http_shards_close(struct http *http)
{
    http->is_closing = true;
    loop_watch_clear(http->options.loop, &http->listener);
    loop_timer_clear(http->options.loop, &http->retry);
    for (size_t i = 0; i < http->shard_count; i++)
        free_shard(http->shards[i]);
    free(http->shards);
}
