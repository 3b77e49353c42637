/* The built program as a child process of a test.
 *
 * The child gets a clean environment (no REPLICATE_* or proxy variables of whoever runs the tests), port 0
 * unless told otherwise, and dies with the test. A thread of ours drains its standard output and standard error
 * into one log, so that it never blocks on a full pipe. Which program: the environment's REPLIBRIDGE, else
 * BUILD_DIR/replibridge. Use it on the test's thread only. */
#ifndef SUPPORT_DAEMON_H
#define SUPPORT_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct daemon;

/* `@CONFIG@` in an argument or a variable stands for the path of the configuration file. */
struct daemon_options {
    const char *config;             /* the text of the configuration file; NULL: none is given */
    const char *const *arguments;   /* further arguments, NULL-terminated; may be NULL */
    const char *const *environment; /* further NAME=VALUE, NULL-terminated; may be NULL */
    bool bare;                      /* give neither `--config FILE` nor `--port 0`: only `arguments` */
    int descriptors;                /* how many it may open, also if it asks for more; 0: as the test */
};

/* How long any wait below may take before the test gives up; ten times as long under a sanitizer, and where
 * CK_TIMEOUT_MULTIPLIER is set: under valgrind. */
int daemon_patience_ms(void);

/* Starts the program and does not wait. Never NULL: a program that cannot be started exits with 127. */
struct daemon *daemon_spawn(const struct daemon_options *options);

/* Waits for the ready line. False when the program ended or said nothing in time. */
bool daemon_wait_ready(struct daemon *daemon);

/* Spawns and waits. NULL, with the reason and the log on standard error, when it does not become ready. */
struct daemon *daemon_start(const struct daemon_options *options);

int daemon_port(const struct daemon *daemon);         /* from the ready line; 0 before */
const char *daemon_host(const struct daemon *daemon); /* from the ready line; "" before */
pid_t daemon_pid(const struct daemon *daemon);
const char *daemon_config_path(const struct daemon *daemon); /* the temporary file; "" when there is none */

/* Replaces the configuration file's text, as an editor would (rename); the program is not told. */
bool daemon_write_config(struct daemon *daemon, const char *text);

bool daemon_signal(struct daemon *daemon, int number);

/* Waits for the end: the exit code, 128 + the signal that killed it, or -1 when it still runs at the deadline. The log
 * is complete afterwards. May be called again. */
int daemon_wait_exit(struct daemon *daemon, int timeout_ms);

/* Everything it wrote so far, NUL-terminated; the caller frees. */
char *daemon_log(struct daemon *daemon);
bool daemon_log_contains(struct daemon *daemon, const char *text);
int daemon_log_count(struct daemon *daemon, const char *text); /* how often */
/* Waits until the log holds `text`; false at the deadline or when the program ended without it. */
bool daemon_log_wait(struct daemon *daemon, const char *text, int timeout_ms);

/* Lines at level error that hold `text` are expected: daemon_stop does not complain of them. */
void daemon_allow_error(struct daemon *daemon, const char *text);

/* From /proc: threads and resident memory of the child; -1 when it is gone. */
long daemon_threads(const struct daemon *daemon);
long daemon_rss_kib(const struct daemon *daemon);
long daemon_descriptors(const struct daemon *daemon); /* open ones */

/* Stops it with SIGTERM (unless it ended before), frees it and nulls the pointer. True when it exited with 0 (or ended
 * before with a code that the test has seen through daemon_wait_exit), no sanitizer complained, and no line at level
 * error stands in the log that was not allowed. Else `report` says what was wrong, with the end of the log. NULL inside
 * is fine. */
bool daemon_stop(struct daemon **daemon, char *report, size_t size);

/* Ends it without a check; for teardowns after a failure. */
void daemon_kill(struct daemon **daemon);

#endif
