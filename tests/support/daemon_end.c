/* Looks at the program that a test runs (its log, what /proc says of it) and judges it at its end. */
#include "daemon_int.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ensure.h"

enum { REPORT_TAIL_BYTES = 3000 };

static const char *const sanitizer_marks[] = {
    "ERROR: AddressSanitizer", "runtime error:", "WARNING: ThreadSanitizer", "LeakSanitizer", "FATAL: ThreadSanitizer",
};

char *daemon_log(struct daemon *daemon)
{
    pthread_mutex_lock(&daemon->lock);
    char *copy = xstrdup(buf_text(&daemon->log));
    pthread_mutex_unlock(&daemon->lock);
    return copy;
}

int daemon_log_count(struct daemon *daemon, const char *text)
{
    char *log = daemon_log(daemon);
    int count = 0;
    for (const char *at = strstr(log, text); at != NULL; at = strstr(at + strlen(text), text))
        count++;
    free(log);
    return count;
}

bool daemon_log_contains(struct daemon *daemon, const char *text)
{
    return daemon_log_count(daemon, text) > 0;
}

void daemon_allow_error(struct daemon *daemon, const char *text)
{
    ensure(daemon->allowed_count < MAX_ALLOWED);
    daemon->allowed[daemon->allowed_count++] = xstrdup(text);
}

/* A number from the line of /proc/PID/status that begins with `name`. */
static long status_number(const struct daemon *daemon, const char *name)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", (int)daemon->pid);
    FILE *file = fopen(path, "re");
    long number = -1;
    while (file != NULL && number < 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            number = strtol(line + strlen(name), NULL, 10);
    if (file != NULL)
        fclose(file);
    return number;
}

long daemon_threads(const struct daemon *daemon)
{
    return status_number(daemon, "Threads:");
}

long daemon_rss_kib(const struct daemon *daemon)
{
    return status_number(daemon, "VmRSS:");
}

long daemon_descriptors(const struct daemon *daemon)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)daemon->pid);
    DIR *directory = opendir(path);
    if (directory == NULL)
        return -1;
    long count = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

/* ---- the end ---- */

static bool is_allowed(const struct daemon *daemon, const char *line)
{
    for (size_t i = 0; i < daemon->allowed_count; i++)
        if (strstr(line, daemon->allowed[i]) != NULL)
            return true;
    return false;
}

static const char *complaint(const struct daemon *daemon, char *line)
{
    for (size_t i = 0; i < sizeof sanitizer_marks / sizeof *sanitizer_marks; i++)
        if (strstr(line, sanitizer_marks[i]) != NULL)
            return "a sanitizer complained";
    bool is_error = strstr(line, "\"level\":\"error\"") != NULL || strstr(line, "Z error ") != NULL;
    return is_error && !is_allowed(daemon, line) ? "a line at level error that the test did not expect" : NULL;
}

/* The first line of the log that must not be there is copied to `line`; what is wrong with it, or NULL. */
static const char *find_complaint(struct daemon *daemon, char *line, size_t size)
{
    char *log = daemon_log(daemon), *rest = log, *each;
    const char *wrong = NULL;
    while (wrong == NULL && (each = strsep(&rest, "\n")) != NULL) {
        wrong = complaint(daemon, each);
        if (wrong != NULL)
            snprintf(line, size, "%s", each);
    }
    free(log);
    return wrong;
}

static void write_report(struct daemon *daemon, const char *wrong, const char *line, char *report, size_t size)
{
    char *log = daemon_log(daemon);
    size_t length = strlen(log);
    const char *tail = length > REPORT_TAIL_BYTES ? log + length - REPORT_TAIL_BYTES : log;
    snprintf(report, size, "%s: %s\nThe end of its log:\n%s", wrong, line, tail);
    free(log);
}

bool daemon_stop(struct daemon **pointer, char *report, size_t size)
{
    struct daemon *daemon = *pointer;
    report[0] = '\0';
    if (daemon == NULL)
        return true;
    bool code_was_seen = daemon->exit_was_seen;
    daemon_signal(daemon, SIGTERM);
    int code = daemon_wait_exit(daemon, 2 * daemon_patience_ms());
    char line[1024];
    snprintf(line, sizeof line, "exit code %d", code);
    const char *wrong = NULL;
    if (code < 0)
        wrong = "it did not end after SIGTERM";
    else if (code != 0 && !code_was_seen)
        wrong = "it did not end cleanly";
    if (wrong == NULL)
        wrong = find_complaint(daemon, line, sizeof line);
    if (wrong != NULL)
        write_report(daemon, wrong, line, report, size);
    daemon_kill(pointer);
    return wrong == NULL;
}

void daemon_kill(struct daemon **pointer)
{
    struct daemon *daemon = *pointer;
    *pointer = NULL;
    if (daemon == NULL)
        return;
    daemon_signal(daemon, SIGKILL);
    pthread_join(daemon->drain, NULL);
    close(daemon->log_fd);
    if (daemon->config_path[0] != '\0') {
        unlink(daemon->config_path);
        rmdir(daemon->directory);
    }
    for (size_t i = 0; i < daemon->allowed_count; i++)
        free(daemon->allowed[i]);
    pthread_cond_destroy(&daemon->changed);
    pthread_mutex_destroy(&daemon->lock);
    buf_dispose(&daemon->log);
    free(daemon);
}
