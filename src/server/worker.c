/* A worker's thread, its turn, and its mailbox. */
#include "server/worker.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"

/* While a worker drains it looks this often whether anything is left. */
enum { DRAIN_LOOK_MS = 50 };

/* The status page hears of what runs as often, and of the first request soon. */
enum { PUBLISH_MS = 1000, PUBLISH_SOON_MS = 100 };

/* After so many at once the memory of all of them goes back to the system, in the next lull; not too often, since that
 * takes a moment. */
enum { MANY_EXCHANGES = 1000, TRIM_PAUSE_MS = 10 * 1000 };

struct message {
    struct list_link link;
    enum worker_message what;
    struct config *config;
};

/* What only this file sees of a worker. */
struct worker_thread {
    struct worker worker; /* first: a struct worker is the beginning of one of these */
    pthread_t thread;
    pthread_mutex_t mutex; /* guards the mailbox */
    struct list mailbox;
    bool warms;
    bool is_draining, said_idle, is_stopping; /* the thread's own, as all below */
    struct loop_timer publish;                /* set while anything is open, and once more after it */
    size_t most_open;                         /* exchanges at once, since memory was last given back */
    int64_t trimmed_ms;
};

static void warm_route(struct worker_thread *thread, const struct route *route)
{
    struct target target;
    if (!route->read_schema || route->token == NULL || strchr(route->alias, '*') != NULL ||
        !route_target(route, route->alias, &target, NULL))
        return;
    const struct schema_source source = {.target = &target,
                                         .base_url = route->base_url,
                                         .token = route->token,
                                         .headers = route->headers,
                                         .header_count = route->header_count};
    schemas_warm(thread->worker.schemas, &source);
    target_dispose(&target);
}

/* Asks what the configured models take, so that not even the first request of one waits for it. */
static void warm(struct worker_thread *thread)
{
    const struct config *config = thread->worker.config;
    for (size_t i = 0; thread->warms && i < config->route_count; i++)
        for (const struct route *route = config->routes[i]; route != NULL; route = route->next)
            warm_route(thread, route);
}

/* ---- messages ---- */

void worker_send(struct worker *worker, enum worker_message what, struct config *config)
{
    struct worker_thread *thread = (struct worker_thread *)worker;
    struct message *message = xcalloc(1, sizeof *message);
    message->what = what;
    message->config = config == NULL ? NULL : config_ref(config);
    ensure(pthread_mutex_lock(&thread->mutex) == 0);
    list_append(&thread->mailbox, &message->link);
    ensure(pthread_mutex_unlock(&thread->mutex) == 0);
    loop_wake(worker->loop);
}

static struct message *next_message(struct worker_thread *thread)
{
    ensure(pthread_mutex_lock(&thread->mutex) == 0);
    struct list_link *link = list_shift(&thread->mailbox);
    ensure(pthread_mutex_unlock(&thread->mutex) == 0);
    return link == NULL ? NULL : list_entry(link, struct message, link);
}

static void cancel_all(struct worker *worker)
{
    struct error err = {0};
    error_set(&err, ERROR_SHUTTING_DOWN, NULL,
              "This server shut down before the model had answered. The prediction was cancelled; try again.");
    exchange_fail_all(&worker->exchanges, &err);
    engine_cancel_abandoned(worker->engine);
}

static void obey(struct worker_thread *thread, const struct message *message)
{
    struct worker *worker = &thread->worker;
    switch (message->what) {
    case WORKER_CONFIG:
        config_unref(worker->config);
        worker->config = config_ref(message->config);
        warm(thread);
        break;
    case WORKER_DRAIN:
        thread->is_draining = true;
        engine_cancel_abandoned(worker->engine); /* nobody can come back for those */
        exchange_hurry(&worker->exchanges);
        break;
    case WORKER_CANCEL:
        cancel_all(worker);
        break;
    case WORKER_STOP:
        thread->is_stopping = true;
        break;
    }
}

static void read_mail(struct worker_thread *thread)
{
    for (struct message *message; (message = next_message(thread)) != NULL;) {
        obey(thread, message);
        config_unref(message->config);
        free(message);
    }
}

/* ---- the turn ---- */

static void say_when_idle(struct worker_thread *thread)
{
    const struct worker *worker = &thread->worker;
    if (!thread->is_draining || thread->said_idle || exchange_lists_open(&worker->exchanges) > 0 ||
        engine_count(worker->engine) > 0 || uploader_count(worker->uploader) > 0)
        return;
    thread->said_idle = true;
    uint64_t one = 1;
    ensure(write(worker->shared->idle_fd, &one, sizeof one) == (ssize_t)sizeof one);
}

static void set_gauges(const struct worker *worker)
{
    for (int state = 0; state < EXCHANGE_CLOSED; state++)
        metrics_set_at(worker->metrics, METRIC_requests_in_flight, (size_t)state,
                       (int64_t)worker->exchanges.in[state].length);
    for (int state = 0; state < PREDICTION_STATE_COUNT; state++)
        metrics_set_at(worker->metrics, METRIC_predictions, (size_t)state,
                       (int64_t)engine_count_in(worker->engine, (enum prediction_state)state));
    metrics_set(worker->metrics, METRIC_transfers, (int64_t)transfers_count(worker->transfers));
}

/* An idle worker is not woken for it. */
static void on_publish_due(void *arg)
{
    struct worker_thread *thread = arg;
    exchange_publish(&thread->worker);
    if (exchange_lists_open(&thread->worker.exchanges) > 0)
        loop_timer_set(thread->worker.loop, &thread->publish, clock_now_ms() + PUBLISH_MS);
}

static void publish_soon(struct worker_thread *thread)
{
    const struct exchange_lists *exchanges = &thread->worker.exchanges;
    if (thread->publish.place == 0 && exchange_lists_open(exchanges) > 0)
        loop_timer_set(thread->worker.loop, &thread->publish, clock_now_ms() + PUBLISH_SOON_MS);
}

/* The C library keeps what was freed: after a crowd, for as long as the process lives. */
static void give_memory_back(struct worker_thread *thread)
{
    size_t open = exchange_lists_open(&thread->worker.exchanges);
    if (open > thread->most_open)
        thread->most_open = open;
    if (open > 0 || thread->most_open < MANY_EXCHANGES || engine_count(thread->worker.engine) > 0 ||
        clock_now_ms() - thread->trimmed_ms < TRIM_PAUSE_MS)
        return;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
    thread->most_open = 0;
    thread->trimmed_ms = clock_now_ms();
}

static void turn(struct worker_thread *thread)
{
    struct worker *worker = &thread->worker;
    int64_t wait_ms = http_wait_ms(worker->http);
    if (thread->is_draining && (wait_ms < 0 || wait_ms > DRAIN_LOOK_MS))
        wait_ms = DRAIN_LOOK_MS;
    loop_turn(worker->loop, wait_ms); /* hang-ups, curl's sockets, timers, in that order */
    if (loop_lag_ms(worker->loop) >= 0)
        metrics_observe(worker->metrics, METRIC_loop_lag_seconds, 0, loop_lag_ms(worker->loop));
    read_mail(thread);
    schemas_turn(worker->schemas);
    admission_room_turn(worker->admission_room);
    http_turn(worker->http); /* resumes what got ready, lets libmicrohttpd run */
    transfers_turn(worker->transfers); /* what that has started goes out */
    exchange_sweep(&worker->exchanges);
    engine_sweep(worker->engine);
    set_gauges(worker);
    log_flush();
    say_when_idle(thread); /* after the lines: with this the log may end */
    publish_soon(thread);
    give_memory_back(thread);
    atomic_fetch_add_explicit(&worker->turns, 1, memory_order_relaxed);
}

/* ---- birth and death ---- */

static void free_parts(struct worker_thread *thread)
{
    struct worker *worker = &thread->worker;
    loop_timer_clear(worker->loop, &thread->publish);
    if (worker->http != NULL) {
        cancel_all(worker);
        http_free(worker->http); /* closes every exchange */
    }
    exchange_sweep(&worker->exchanges);
    engine_free(worker->engine);
    uploader_free(worker->uploader);
    schemas_free(worker->schemas);
    admission_room_free(worker->admission_room);
    transfers_free(worker->transfers);
    loop_free(worker->loop);
    metrics_free(worker->metrics);
    config_unref(worker->config);
    pthread_mutex_destroy(&thread->mutex);
    free(thread);
}

static void *run(void *arg)
{
    struct worker_thread *thread = arg;
    warm(thread);
    log_gather();
    while (!thread->is_stopping)
        turn(thread);
    log_gather_end();
    return NULL;
}

static void make_parts(struct worker_thread *thread, const struct worker_options *options)
{
    struct worker *worker = &thread->worker;
    worker->shared = options->shared;
    worker->index = options->index;
    loop_timer_init(&thread->publish, on_publish_due, thread);
    atomic_init(&worker->turns, 0);
    worker->config = config_ref(options->config);
    thread->warms = options->warms;
    worker->metrics = metrics_new();
    exchange_lists_init(&worker->exchanges);
    list_init(&thread->mailbox);
    ensure(pthread_mutex_init(&thread->mutex, NULL) == 0);
    worker->transfers = transfers_new(
        worker->loop, &(struct transfers_options){.ca_file = options->config->ca_file,
                                                  .proxy = options->config->proxy,
                                                  .connect_timeout_ms = options->config->connect_timeout_ms,
                                                  .metrics = worker->metrics});
    worker->schemas = schemas_new(&(struct schemas_options){.loop = worker->loop,
                                                            .transfers = worker->transfers,
                                                            .cache = options->shared->schemas,
                                                            .pacing = options->shared->pacing,
                                                            .models = options->shared->models});
    worker->admission_room = admission_room_new(options->shared->admission, worker->loop);
    worker->uploader = uploader_new(worker->loop, worker->transfers);
    worker->engine = engine_new(&(struct engine_options){.loop = worker->loop,
                                                         .transfers = worker->transfers,
                                                         .metrics = worker->metrics,
                                                         .pacing = options->shared->pacing,
                                                         .models = options->shared->models});
}

struct worker *worker_start(const struct worker_options *options, struct error *err)
{
    struct loop *loop = loop_new();
    if (loop == NULL) {
        error_set(err, ERROR_INTERNAL, NULL, "No event loop could be made: %s.", strerror(errno));
        return NULL;
    }
    struct worker_thread *thread = xcalloc(1, sizeof *thread);
    struct worker *worker = &thread->worker;
    worker->loop = loop;
    make_parts(thread, options);
    worker->http = http_new(&(struct http_options){.worker = worker,
                                                   .loop = worker->loop,
                                                   .listen_fd = options->listen_fd,
                                                   .connection_limit = options->connection_limit,
                                                   .head_timeout_ms = options->config->read_timeout_ms,
                                                   .idle_timeout_ms = options->config->idle_timeout_ms},
                            err);
    if (worker->http == NULL) {
        free_parts(thread);
        return NULL;
    }
    int code = pthread_create(&thread->thread, NULL, run, thread);
    if (code != 0) {
        error_set(err, ERROR_INTERNAL, NULL, "No thread could be started: %s.", strerror(code));
        free_parts(thread);
        return NULL;
    }
    return worker;
}

void worker_join(struct worker *worker)
{
    struct worker_thread *thread = (struct worker_thread *)worker;
    ensure(pthread_join(thread->thread, NULL) == 0);
    read_mail(thread); /* what came after the stop; its references must go */
    free_parts(thread);
}
