/* Runs the built program as a child of a test: start, ready line, log, signals, exit. */
#include "daemon_int.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/ensure.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif
#ifndef UNDER_SANITIZER
#define UNDER_SANITIZER 0
#endif

#ifndef BUILD_DIR
#define BUILD_DIR "build"
#endif

enum { MAX_ARGUMENTS = 64, MAX_ENVIRONMENT = 64, LOG_MAX_BYTES = 256 << 20 };

static const char ready_mark[] = "listening on http://";

/* What a child may need of ours: where programs and temporary files are, and what the sanitizers are told. */
static const char *const kept_environment[] = {
    "PATH", "TMPDIR", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS",
};

/* Where Check's tests are given more time, the program is slow, too. */
int daemon_patience_ms(void)
{
    return UNDER_SANITIZER || getenv("CK_TIMEOUT_MULTIPLIER") != NULL ? 100000 : 10000;
}

/* ---- the thread that drains the log ---- */

static void find_ready_line(struct daemon *daemon)
{
    const char *at = daemon->port != 0 ? NULL : strstr(buf_text(&daemon->log), ready_mark);
    const char *end = at == NULL ? NULL : strpbrk(at + strlen(ready_mark), " \t\r\n\"");
    if (end == NULL)
        return;
    at += strlen(ready_mark);
    const char *colon = end;
    while (colon > at && *colon != ':')
        colon--;
    size_t length = (size_t)(colon - at);
    if (length == 0 || length >= sizeof daemon->host)
        return;
    memcpy(daemon->host, at, length);
    daemon->host[length] = '\0';
    daemon->port = (int)strtol(colon + 1, NULL, 10);
}

static void note_end(struct daemon *daemon)
{
    siginfo_t info;
    /* The child stays a zombie until the lock is held, so that nobody signals a process id that is somebody else's by
     * now. */
    while (waitid(P_PID, (id_t)daemon->pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        ;
    pthread_mutex_lock(&daemon->lock);
    waitpid(daemon->pid, &daemon->wait_status, 0);
    daemon->ended = true;
    pthread_cond_broadcast(&daemon->changed);
    pthread_mutex_unlock(&daemon->lock);
}

static void *drain_log(void *arg)
{
    struct daemon *daemon = arg;
    char piece[16384];
    for (;;) {
        ssize_t got = read(daemon->log_fd, piece, sizeof piece);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        pthread_mutex_lock(&daemon->lock);
        buf_append(&daemon->log, piece, (size_t)got);
        find_ready_line(daemon);
        pthread_cond_broadcast(&daemon->changed);
        pthread_mutex_unlock(&daemon->lock);
    }
    note_end(daemon);
    return NULL;
}

/* ---- starting ---- */

static bool write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return false;
    bool written = fputs(text, file) >= 0;
    return fclose(file) == 0 && written;
}

bool daemon_write_config(struct daemon *daemon, const char *text)
{
    char fresh[128];
    snprintf(fresh, sizeof fresh, "%s.new", daemon->config_path);
    return write_file(fresh, text) && rename(fresh, daemon->config_path) == 0;
}

static void make_config(struct daemon *daemon, const char *text)
{
    const char *base = getenv("TMPDIR");
    snprintf(daemon->directory, sizeof daemon->directory, "%.30s/replibridge-test-XXXXXX", base ? base : "/tmp");
    ensure(mkdtemp(daemon->directory) != NULL);
    snprintf(daemon->config_path, sizeof daemon->config_path, "%s/config.yaml", daemon->directory);
    ensure(write_file(daemon->config_path, text));
}

/* The text with its `@CONFIG@` replaced by the configuration file's path; the caller frees. */
static char *with_config_path(const struct daemon *daemon, const char *text)
{
    static const char mark[] = "@CONFIG@";
    const char *at = strstr(text, mark);
    if (at == NULL)
        return xstrdup(text);
    return xasprintf("%.*s%s%s", (int)(at - text), text, daemon->config_path, at + strlen(mark));
}

/* The entries are strings of their own, as those of fill_environment; free_texts frees them. */
static void fill_arguments(const struct daemon *daemon, const struct daemon_options *options, char **argv)
{
    size_t count = 0;
    const char *program = getenv("REPLIBRIDGE");
    argv[count++] = xstrdup(program != NULL ? program : BUILD_DIR "/replibridge");
    if (!options->bare && options->config != NULL) {
        argv[count++] = xstrdup("--config");
        argv[count++] = xstrdup(daemon->config_path);
    }
    if (!options->bare) {
        argv[count++] = xstrdup("--port");
        argv[count++] = xstrdup("0");
    }
    for (const char *const *extra = options->arguments; extra != NULL && *extra != NULL; extra++) {
        ensure(count < MAX_ARGUMENTS - 1);
        argv[count++] = with_config_path(daemon, *extra);
    }
    argv[count] = NULL;
}

static void fill_environment(const struct daemon *daemon, const struct daemon_options *options, char **environment)
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof kept_environment / sizeof *kept_environment; i++) {
        const char *value = getenv(kept_environment[i]);
        if (value != NULL)
            environment[count++] = xasprintf("%s=%s", kept_environment[i], value);
    }
    for (const char *const *extra = options->environment; extra != NULL && *extra != NULL; extra++) {
        ensure(count < MAX_ENVIRONMENT - 1);
        environment[count++] = with_config_path(daemon, *extra);
    }
    environment[count] = NULL;
}

static void free_texts(char **texts)
{
    for (; *texts != NULL; texts++)
        free(*texts);
}

/* In the child, which was forked from a process with threads: only calls that are safe after that. */
static _Noreturn void become_program(int log_fd, pid_t parent, int descriptors, char **argv, char **environment)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(log_fd, STDOUT_FILENO);
    dup2(log_fd, STDERR_FILENO);
#ifdef SYS_close_range
    syscall(SYS_close_range, 3U, ~0U, 0U); /* the test's own sockets must not live on in the program */
#endif
    const struct rlimit limit = {(rlim_t)descriptors, (rlim_t)descriptors};
    if (descriptors > 0 && setrlimit(RLIMIT_NOFILE, &limit) != 0)
        _exit(127);
    execve(argv[0], argv, environment);
    _exit(127);
}

static void init_waiting(struct daemon *daemon)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&daemon->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&daemon->lock, NULL);
}

struct daemon *daemon_spawn(const struct daemon_options *options)
{
    struct daemon *daemon = xcalloc(1, sizeof *daemon);
    buf_init(&daemon->log, LOG_MAX_BYTES);
    init_waiting(daemon);
    if (options->config != NULL)
        make_config(daemon, options->config);
    char *argv[MAX_ARGUMENTS + 8], *environment[MAX_ENVIRONMENT + 8];
    fill_arguments(daemon, options, argv);
    fill_environment(daemon, options, environment);

    int ends[2];
    ensure(pipe2(ends, O_CLOEXEC) == 0);
    pid_t parent = getpid();
    daemon->pid = fork();
    ensure(daemon->pid >= 0);
    if (daemon->pid == 0)
        become_program(ends[1], parent, options->descriptors, argv, environment);
    close(ends[1]);
    free_texts(argv);
    free_texts(environment);
    daemon->log_fd = ends[0];
    ensure(pthread_create(&daemon->drain, NULL, drain_log, daemon) == 0);
    return daemon;
}

/* ---- waiting ---- */

static struct timespec deadline_in(int timeout_ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += timeout_ms / 1000;
    at.tv_nsec += (timeout_ms % 1000) * 1000000L;
    if (at.tv_nsec >= 1000000000L) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000L;
    }
    return at;
}

static bool is_ready(struct daemon *daemon, const char *unused)
{
    (void)unused;
    return daemon->port != 0;
}

static bool log_holds(struct daemon *daemon, const char *text)
{
    return strstr(buf_text(&daemon->log), text) != NULL;
}

static bool never(struct daemon *daemon, const char *unused)
{
    (void)daemon;
    (void)unused;
    return false;
}

/* Waits for `condition`, the child's end, or the deadline; says whether the condition holds. */
static bool wait_for(struct daemon *daemon, bool (*condition)(struct daemon *, const char *), const char *text,
                     int timeout_ms)
{
    struct timespec deadline = deadline_in(timeout_ms);
    pthread_mutex_lock(&daemon->lock);
    bool holds;
    while (!(holds = condition(daemon, text)) && !daemon->ended)
        if (pthread_cond_timedwait(&daemon->changed, &daemon->lock, &deadline) == ETIMEDOUT)
            break;
    pthread_mutex_unlock(&daemon->lock);
    return holds;
}

bool daemon_wait_ready(struct daemon *daemon)
{
    return wait_for(daemon, is_ready, NULL, daemon_patience_ms());
}

struct daemon *daemon_start(const struct daemon_options *options)
{
    struct daemon *daemon = daemon_spawn(options);
    if (daemon_wait_ready(daemon))
        return daemon;
    char *log = daemon_log(daemon);
    fprintf(stderr, "The program did not become ready. Its log:\n%s\n", log);
    free(log);
    daemon_kill(&daemon);
    return NULL;
}

int daemon_wait_exit(struct daemon *daemon, int timeout_ms)
{
    wait_for(daemon, never, NULL, timeout_ms);
    pthread_mutex_lock(&daemon->lock);
    bool ended = daemon->ended;
    int status = daemon->wait_status;
    pthread_mutex_unlock(&daemon->lock);
    if (!ended)
        return -1;
    daemon->exit_was_seen = true;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool daemon_log_wait(struct daemon *daemon, const char *text, int timeout_ms)
{
    return wait_for(daemon, log_holds, text, timeout_ms);
}

/* ---- looking at it ---- */

int daemon_port(const struct daemon *daemon)
{
    return daemon->port;
}

const char *daemon_host(const struct daemon *daemon)
{
    return daemon->host;
}

pid_t daemon_pid(const struct daemon *daemon)
{
    return daemon->pid;
}

const char *daemon_config_path(const struct daemon *daemon)
{
    return daemon->config_path;
}

bool daemon_signal(struct daemon *daemon, int number)
{
    pthread_mutex_lock(&daemon->lock);
    bool sent = !daemon->ended && kill(daemon->pid, number) == 0;
    pthread_mutex_unlock(&daemon->lock);
    return sent;
}
