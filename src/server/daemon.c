/* The main thread after the start: it binds, starts the workers, and waits for signals. */
#include "server/daemon.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "openai/mapping.h"
#include "server/listener.h"
#include "server/notify.h"
#include "server/telemetry.h"
#include "server/watchdog.h"
#include "server/worker.h"

/* How long the main thread sleeps at most: so late the log may say how often something was repeated. */
enum { TICK_MS = 10000 };

/* How long the cancel calls may take once everything was cancelled. */
enum { CANCEL_LIMIT_MS = 6000 };

/* Descriptors of a worker that are no client connections: upstream connections, epolls, events. */
enum { WORKER_OWN_DESCRIPTORS = 640, PROCESS_OWN_DESCRIPTORS = 32 };

/* As it is looked for when the configuration is loaded. */
static const char *file_name(const struct config_options *options)
{
    if (options->file != NULL)
        return options->file;
    const char *file = options->model == NULL && options->getenv != NULL ? options->getenv("CONFIG_FILE_PATH") : NULL;
    return file != NULL && file[0] != '\0' ? file : "the configuration";
}

static const struct route *first_unsendable(const struct route *route, struct error *err)
{
    while (route != NULL && mapping_check(route, err))
        route = route->next;
    return route;
}

/* False with the sentence for the operator where a model is given a parameter that could never be sent. */
static bool check_params(const struct config *config, const char *file, char *message, size_t size)
{
    struct error err = {0};
    const struct route *wrong = NULL;
    for (size_t i = 0; wrong == NULL && i < config->route_count; i++)
        wrong = first_unsendable(config->routes[i], &err);
    if (wrong == NULL)
        return true;
    char alias[80];
    error_quote(alias, sizeof alias, wrong->alias, strlen(wrong->alias), NULL);
    snprintf(message, size, "%s: model `%s`: %s Correct this parameter of the model.", file, alias, err.message);
    return false;
}

struct config *daemon_load_config(const struct config_options *options, char *message, size_t size)
{
    struct config *config = config_load(options, message, size);
    if (config == NULL)
        return NULL;
    if (!check_params(config, file_name(options), message, size)) {
        config_unref(config);
        return NULL;
    }
    telemetry_name_routes(config);
    return config;
}

struct daemon {
    struct config *config;
    const struct config_options *options;
    struct shared shared;
    int listen_fd, signal_fd;
    struct worker **workers;
    size_t worker_count;
    struct watchdog watchdog;
};

/* ---- start ---- */

static void log_warnings(const struct config *config)
{
    for (size_t i = 0; i < config->warning_count; i++)
        log_write(LOG_LEVEL_WARN, "config", log_text("warning", config->warnings[i]));
}

/* As many descriptors as we may have: each waiting client is one. */
static unsigned connections_per_worker(int workers)
{
    struct rlimit limit = {0};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        limit.rlim_cur = 1024;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            (void)getrlimit(RLIMIT_NOFILE, &limit);
    }
    int64_t total = limit.rlim_cur > 1000000 ? 1000000 : (int64_t)limit.rlim_cur;
    int64_t each = (total - PROCESS_OWN_DESCRIPTORS) / workers - WORKER_OWN_DESCRIPTORS;
    each -= each / 100; /* libmicrohttpd's epolls and events, two for each 256 connections */
    return each < 64 ? 64 : (unsigned)each;
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    ensure(sigprocmask(SIG_BLOCK, &set, NULL) == 0); /* before any thread: all inherit it */
    ensure(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    ensure(fd >= 0);
    return fd;
}

static struct pacing_rates rates_of(const struct config *config)
{
    return (struct pacing_rates){config->polls_per_minute, config->creates_per_minute};
}

static void open_shared(struct daemon *daemon)
{
    const struct pacing_rates rates = rates_of(daemon->config);
    daemon->shared.pacing = pacing_new(&rates);
    telemetry_open(daemon->shared.pacing);
    daemon->shared.models = model_memory_new();
    daemon->shared.joins = joins_new();
    daemon->shared.schemas = schema_cache_new(daemon->config->cache_dir);
    daemon->shared.admission = admission_new();
    daemon->shared.board = board_new();
    daemon->shared.deployments = deployments_new();
    atomic_init(&daemon->shared.is_draining, false);
    daemon->shared.idle_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ensure(daemon->shared.idle_fd >= 0);
}

static bool start_workers(struct daemon *daemon, struct error *err)
{
    int wanted = daemon->config->workers;
    struct worker_options options = {.shared = &daemon->shared,
                                     .config = daemon->config,
                                     .listen_fd = daemon->listen_fd,
                                     .connection_limit = connections_per_worker(wanted)};
    daemon->workers = xcalloc((size_t)wanted, sizeof(struct worker *));
    for (; daemon->worker_count < (size_t)wanted; daemon->worker_count++) {
        options.index = daemon->worker_count;
        options.warms = daemon->worker_count == 0;
        struct worker *worker = worker_start(&options, err);
        if (worker == NULL)
            return false;
        daemon->workers[daemon->worker_count] = worker;
    }
    return true;
}

static void tell_all(struct daemon *daemon, enum worker_message message, struct config *config)
{
    for (size_t i = 0; i < daemon->worker_count; i++)
        worker_send(daemon->workers[i], message, config);
}

/* ---- signals ---- */

static void reload_failed(const char *reason)
{
    log_write(LOG_LEVEL_ERROR, "reload_failed", log_text("reason", reason),
              log_text("effect", "the configuration in use stays"));
    telemetry_note_load(METRIC_RESULT_failure);
    notify_systemd("READY=1");
}

static void reload(struct daemon *daemon)
{
    char message[1024], keys[512];
    notify_systemd("RELOADING=1");
    struct config *fresh = daemon_load_config(daemon->options, message, sizeof message);
    if (fresh == NULL) {
        reload_failed(message);
        return;
    }
    struct error err = {0};
    if (!log_open(&fresh->log, &err)) {
        reload_failed(err.message);
        config_unref(fresh);
        return;
    }
    config_restart_keys(daemon->config, fresh, keys, sizeof keys);
    if (keys[0] != '\0')
        log_write(LOG_LEVEL_WARN, "reload", log_text("needs_restart", keys));
    log_warnings(fresh);
    const struct pacing_rates rates = rates_of(fresh);
    pacing_set_rates(daemon->shared.pacing, &rates);
    tell_all(daemon, WORKER_CONFIG, fresh);
    admission_reload(daemon->shared.admission, fresh);
    config_unref(daemon->config);
    daemon->config = fresh;
    telemetry_note_load(METRIC_RESULT_success);
    log_write(LOG_LEVEL_INFO, "reloaded", log_number("models", (int64_t)fresh->route_count));
    notify_systemd("READY=1");
}

static void reopen_log(void)
{
    struct error err = {0};
    if (!log_reopen(&err))
        log_write(LOG_LEVEL_ERROR, "log_not_reopened", log_text("reason", err.message));
}

/* The earlier of two moments, of which -1 never comes. */
static int64_t earlier_ms(int64_t one_ms, int64_t other_ms)
{
    return one_ms < 0 || (other_ms >= 0 && other_ms < one_ms) ? other_ms : one_ms;
}

/* The next signal, or 0 when none has come by `until_ms` (-1 = wait for ever), workers have become idle, or the watchdog
 * was looked at. */
static int wait_signal(struct daemon *daemon, int64_t until_ms, size_t *idle_workers)
{
    struct pollfd fds[] = {{.fd = daemon->signal_fd, .events = POLLIN},
                           {.fd = daemon->shared.idle_fd, .events = POLLIN}};
    watchdog_look(&daemon->watchdog, daemon->workers, daemon->worker_count);
    until_ms = earlier_ms(until_ms, watchdog_due_ms(&daemon->watchdog));
    int64_t left_ms = until_ms < 0 ? -1 : until_ms - clock_now_ms();
    if (until_ms >= 0 && left_ms <= 0)
        return 0;
    (void)poll(fds, 2, until_ms < 0 || left_ms > TICK_MS ? TICK_MS : (int)left_ms);
    log_flush_repeats(false);
    uint64_t idle;
    if (read(daemon->shared.idle_fd, &idle, sizeof idle) == (ssize_t)sizeof idle)
        *idle_workers += (size_t)idle;
    struct signalfd_siginfo info;
    if (read(daemon->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        return (int)info.ssi_signo;
    return 0;
}

static bool is_stop(int signal_number)
{
    return signal_number == SIGTERM || signal_number == SIGINT;
}

static void serve(struct daemon *daemon)
{
    size_t idle = 0;
    for (int got = 0; !is_stop(got);) {
        got = wait_signal(daemon, -1, &idle);
        if (got == SIGHUP)
            reload(daemon);
        else if (got == SIGUSR1)
            reopen_log();
    }
}

/* Waits until all workers are idle, a stop signal comes, or the time is up. */
static void wait_idle(struct daemon *daemon, int64_t limit_ms, size_t *idle)
{
    int64_t until_ms = clock_now_ms() + limit_ms;
    while (*idle < daemon->worker_count && clock_now_ms() < until_ms)
        if (is_stop(wait_signal(daemon, until_ms, idle)))
            return;
}

static void drain(struct daemon *daemon)
{
    size_t idle = 0;
    atomic_store(&daemon->shared.is_draining, true);
    notify_systemd("STOPPING=1");
    log_write(LOG_LEVEL_INFO, "draining", log_number("drain_timeout_ms", daemon->config->drain_timeout_ms));
    tell_all(daemon, WORKER_DRAIN, NULL);
    wait_idle(daemon, daemon->config->drain_timeout_ms, &idle);
    if (idle < daemon->worker_count) {
        log_write(LOG_LEVEL_WARN, "drain_cut_short", log_text("effect", "what still runs is cancelled"));
        admission_close(daemon->shared.admission); /* or one worker's cancels would let in who waits on another */
        tell_all(daemon, WORKER_CANCEL, NULL);
        wait_idle(daemon, CANCEL_LIMIT_MS, &idle);
    }
}

/* ---- the whole ---- */

static void close_all(struct daemon *daemon)
{
    tell_all(daemon, WORKER_STOP, NULL);
    for (size_t i = 0; i < daemon->worker_count; i++)
        worker_join(daemon->workers[i]);
    free(daemon->workers);
    admission_free(daemon->shared.admission);
    board_free(daemon->shared.board);
    deployments_free(daemon->shared.deployments);
    joins_free(daemon->shared.joins);
    schema_cache_free(daemon->shared.schemas);
    model_memory_free(daemon->shared.models);
    telemetry_close();
    pacing_free(daemon->shared.pacing);
    close(daemon->shared.idle_fd);
    close(daemon->listen_fd);
    close(daemon->signal_fd);
    config_unref(daemon->config);
    transfer_global_cleanup();
}

static int refuse(struct config *config, const struct error *err, int code)
{
    fprintf(stderr, "replibridge: %s\n", err->message);
    config_unref(config);
    return code;
}

int daemon_run(struct config *config, const struct config_options *options)
{
    struct daemon daemon = {.config = config, .options = options};
    struct error err = {0};
    char url[LISTENER_URL_BYTES];
    if (!log_open(&config->log, &err))
        return refuse(config, &err, EXIT_BAD_CONFIG);
    daemon.listen_fd = listener_open(config->host, config->port, url, &err);
    if (daemon.listen_fd < 0)
        return refuse(config, &err, EXIT_NOT_BOUND);
    log_warnings(config);
    transfer_global_init();
    json_object_seed(0); /* once, before any thread: hash collisions cannot be planned from outside */
    daemon.signal_fd = open_signals();
    open_shared(&daemon);
    int code = EXIT_STOPPED;
    if (start_workers(&daemon, &err)) {
        printf("listening on %s\n", url);
        fflush(stdout);
        notify_systemd("READY=1");
        watchdog_init(&daemon.watchdog);
        serve(&daemon);
        drain(&daemon);
        log_write(LOG_LEVEL_INFO, "stopped", log_number("requests", metrics_sum(METRIC_requests_total)));
    } else {
        fprintf(stderr, "replibridge: %s\n", err.message);
        code = EXIT_NOT_BOUND;
    }
    close_all(&daemon);
    log_flush_repeats(true);
    return code;
}
