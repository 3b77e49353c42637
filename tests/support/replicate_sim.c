/* The life of the simulated Replicate: its socket, its thread and loop, its beginning and its end. */
#include "replicate_sim_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/ensure.h"

enum { EVENTS_A_TURN = 256, BACKLOG = 4096, DEFAULT_REQUEST_LIMIT = 20000 };

/* Tests hold it for moments only; the thread gives it up while it sleeps in epoll. */
void sim_lock(struct replicate_sim *sim)
{
    ensure(pthread_mutex_lock(&sim->lock) == 0);
}

/* A timer may have become due earlier than the loop knows, so it is woken: rare enough, only tests do this. */
void sim_unlock(struct replicate_sim *sim)
{
    uint64_t one = 1;
    if (sim->has_changed)
        pthread_cond_broadcast(&sim->changed);
    sim->has_changed = false;
    ensure(write(sim->wake_fd, &one, sizeof(one)) == sizeof(one));
    ensure(pthread_mutex_unlock(&sim->lock) == 0);
}

int64_t sim_second_ms(const struct replicate_sim *sim)
{
    return sim->options.second_ms > 0 ? sim->options.second_ms : 1000;
}

/* --- Listening -------------------------------------------------------------------------------------------------- */

/* A socket bound to the port, not yet listening: who connects is refused, and nobody else can take the port. */
static int bind_socket(int port)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ensure(fd >= 0);
    ensure(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    fprintf(stderr, "replicate-sim: port %d of 127.0.0.1 cannot be used: %s\n", port, strerror(errno));
    close(fd);
    return -1;
}

/* No effect while it listens already, so that clearing faults is always allowed. */
static void listen_on(struct replicate_sim *sim, int *fd)
{
    int listening = 0;
    socklen_t size = sizeof(listening);
    ensure(getsockopt(*fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0);
    if (listening)
        return;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = fd};
    ensure(listen(*fd, BACKLOG) == 0);
    ensure(epoll_ctl(sim->epoll_fd, EPOLL_CTL_ADD, *fd, &event) == 0);
}

void sim_listen(struct replicate_sim *sim)
{
    listen_on(sim, &sim->listen_fd);
}

static void on_listen_timer(struct replicate_sim *sim, struct sim_timer *timer)
{
    (void)timer;
    sim_listen(sim);
}

/* Idle connections go too: a client that has one would not notice otherwise. Streams' own port is another host's. */
void sim_refuse_connections(struct replicate_sim *sim, int64_t for_ms)
{
    close(sim->listen_fd);
    sim->listen_fd = bind_socket(sim->port);
    ensure(sim->listen_fd >= 0);
    struct list_link *link = list_first(&sim->connections);
    while (link) {
        struct connection *connection = list_entry(link, struct connection, link);
        link = list_next(&sim->connections, link);
        if (!connection->serving && !connection->other_origin)
            sim_connection_close(sim, connection, false);
    }
    if (for_ms > 0)
        sim_timer_set(sim, &sim->listen_timer, sim_now(sim) + for_ms);
}

/* --- The loop --------------------------------------------------------------------------------------------------- */

/* Being woken is all the message there is. */
static void drain_wakeups(struct replicate_sim *sim)
{
    uint64_t count;
    ssize_t got = read(sim->wake_fd, &count, sizeof(count));
    ensure(got == sizeof(count) || errno == EAGAIN);
}

static int until_next_timer(const struct replicate_sim *sim)
{
    int64_t due_ms = sim_timers_next(&sim->timers), left_ms = due_ms - sim_now(sim);
    return due_ms < 0 ? -1 : left_ms < 0 ? 0 : left_ms > 60000 ? 60000 : (int)left_ms;
}

/* Timers, so that requests find what is due by now; events; the timers that these have set; then the dead. Waiting
 * tests are told once a turn and not at every change. */
static void turn(struct replicate_sim *sim, const struct epoll_event *events, int count)
{
    sim_timers_fire(sim);
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == &sim->listen_fd || events[i].data.ptr == &sim->stream_listen_fd)
            sim_connections_accept(sim, *(const int *)events[i].data.ptr);
        else if (events[i].data.ptr == &sim->wake_fd)
            drain_wakeups(sim);
        else
            sim_connection_event(sim, events[i].data.ptr, events[i].events);
    }
    sim_timers_fire(sim);
    sim_connections_bury(sim);
    if (sim->has_changed)
        pthread_cond_broadcast(&sim->changed);
    sim->has_changed = false;
}

static void *run(void *arg)
{
    struct replicate_sim *sim = arg;
    struct epoll_event events[EVENTS_A_TURN];
    ensure(pthread_mutex_lock(&sim->lock) == 0);
    while (!sim->stopping) {
        int timeout_ms = until_next_timer(sim);
        ensure(pthread_mutex_unlock(&sim->lock) == 0);
        int count = epoll_wait(sim->epoll_fd, events, EVENTS_A_TURN, timeout_ms);
        ensure(count >= 0 || errno == EINTR);
        ensure(pthread_mutex_lock(&sim->lock) == 0);
        turn(sim, events, count < 0 ? 0 : count);
    }
    ensure(pthread_mutex_unlock(&sim->lock) == 0);
    return NULL;
}

/* --- Beginning -------------------------------------------------------------------------------------------------- */

/* Thousands of connections need more descriptors than a shell allows by default. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Nothing of the caller's options is pointed to afterwards. */
static void init_state(struct replicate_sim *sim, const struct replicate_sim_options *options)
{
    static const struct replicate_sim_options defaults = {0};
    sim->options = options ? *options : defaults;
    options = &sim->options;
    sim->token = xstrdup(options->token ? options->token : "test-token");
    sim->any_model = options->any_model ? sim_plan_new(options->any_model) : NULL;
    sim->options.any_model = NULL; /* the caller's */
    sim->options.token = NULL;
    sim->request_limit = options->request_limit < 0   ? 0
                         : options->request_limit > 0 ? (size_t)options->request_limit
                                                      : DEFAULT_REQUEST_LIMIT;
    sim->creates.level = options->create_burst > 0 ? options->create_burst : options->creates_per_minute;
    sim->calls.level = options->call_burst > 0 ? options->call_burst : options->calls_per_minute;
    list_init(&sim->plans);
    list_init(&sim->retired_plans);
    list_init(&sim->faults);
    list_init(&sim->retired_faults);
    list_init(&sim->connections);
    list_init(&sim->closed_connections);
    sim->lost_names = json_array();
    sim->listen_timer.fire = on_listen_timer;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    sim->start_wall_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    sim->start_ms = sim_monotonic_ms();
}

/* A bound socket's port goes to `*bound`. */
static int bind_or_die(int port, int *bound)
{
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    int fd = bind_socket(port);
    ensure(fd >= 0);
    ensure(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    *bound = ntohs(address.sin_port);
    return fd;
}

static void init_sockets(struct replicate_sim *sim)
{
    sim->listen_fd = bind_or_die(sim->options.port, &sim->port);
    sim->stream_port = sim->port;
    sim->stream_listen_fd = sim->options.separate_streams ? bind_or_die(0, &sim->stream_port) : -1;
    snprintf(sim->base_url, sizeof(sim->base_url), "http://127.0.0.1:%d/v1", sim->port);
    sim->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    sim->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ensure(sim->epoll_fd >= 0 && sim->wake_fd >= 0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &sim->wake_fd};
    ensure(epoll_ctl(sim->epoll_fd, EPOLL_CTL_ADD, sim->wake_fd, &event) == 0);
    sim_listen(sim);
    if (sim->stream_listen_fd >= 0)
        listen_on(sim, &sim->stream_listen_fd);
}

struct replicate_sim *replicate_sim_start(const struct replicate_sim_options *options)
{
    struct replicate_sim *sim = xcalloc(1, sizeof(*sim));
    pthread_condattr_t monotonic;
    raise_descriptor_limit();
    ensure(pthread_mutex_init(&sim->lock, NULL) == 0);
    ensure(pthread_condattr_init(&monotonic) == 0);
    ensure(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    ensure(pthread_cond_init(&sim->changed, &monotonic) == 0);
    pthread_condattr_destroy(&monotonic);
    init_state(sim, options);
    init_sockets(sim);
    ensure(pthread_create(&sim->thread, NULL, run, sim) == 0);
    return sim;
}

const char *replicate_sim_base_url(const struct replicate_sim *sim)
{
    return sim->base_url;
}

int replicate_sim_port(const struct replicate_sim *sim)
{
    return sim->port;
}

int replicate_sim_stream_port(const struct replicate_sim *sim)
{
    return sim->stream_port;
}

/* --- The end ---------------------------------------------------------------------------------------------------- */

static void free_plans(struct list *plans)
{
    struct list_link *link;
    while ((link = list_shift(plans)))
        sim_plan_free(list_entry(link, struct plan, link));
}

static void free_faults(struct list *faults)
{
    struct list_link *link;
    while ((link = list_shift(faults)))
        sim_fault_free(list_entry(link, struct fault, link));
}

/* After the thread has ended, so no lock is needed. Connections first: they point to predictions and faults. */
static void free_all(struct replicate_sim *sim)
{
    struct list_link *link;
    while ((link = list_first(&sim->connections)))
        sim_connection_close(sim, list_entry(link, struct connection, link), false);
    sim_connections_bury(sim);
    for (size_t i = 0; i < sim->counters.created; i++)
        sim_prediction_free(sim, sim->predictions[i]);
    for (size_t i = 0; i < sim->request_count; i++)
        sim_request_free(sim->requests[i]);
    json_decref(sim->lost_names);
    sim_files_free(sim);
    free_plans(&sim->plans);
    free_plans(&sim->retired_plans);
    sim_plan_free(sim->any_model);
    free_faults(&sim->faults);
    free_faults(&sim->retired_faults);
    close(sim->listen_fd);
    if (sim->stream_listen_fd >= 0)
        close(sim->stream_listen_fd);
    close(sim->epoll_fd);
    close(sim->wake_fd);
    free(sim->predictions);
    free(sim->requests);
    free(sim->timers.heap);
    free(sim->token);
    pthread_cond_destroy(&sim->changed);
    pthread_mutex_destroy(&sim->lock);
    free(sim);
}

/* The reckoning comes while everything still runs: what is on its way may yet arrive. */
bool replicate_sim_stop(struct replicate_sim **handle, char *report, size_t size)
{
    struct replicate_sim *sim = *handle;
    *handle = NULL;
    bool clean = sim_report(sim, report, size);
    sim_lock(sim);
    sim->stopping = true;
    sim_unlock(sim);
    ensure(pthread_join(sim->thread, NULL) == 0);
    free_all(sim);
    return clean;
}
