/* Lines that wait for the end of a turn: what is written when, and that nothing is lost. */
#include "check_main.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/log.h"

static int ends[2];
static char got[64 * 1024];

static void set_up(void)
{
    char name[64];
    ck_assert_int_eq(pipe(ends), 0);
    snprintf(name, sizeof name, "/proc/self/fd/%d", ends[1]);
    ck_assert(log_open(&(struct log_options){LOG_LEVEL_INFO, LOG_FORMAT_JSON, name}, NULL));
}

static void tear_down(void)
{
    log_open(&(struct log_options){LOG_LEVEL_INFO, LOG_FORMAT_JSON, NULL}, NULL);
    close(ends[0]);
    close(ends[1]);
}

/* What came since, of all writes. */
static const char *take(void)
{
    log_event(LOG_LEVEL_ERROR, "mark", NULL);
    size_t length = 0;
    do {
        ssize_t more = read(ends[0], got + length, sizeof got - 1 - length);
        ck_assert_int_gt(more, 0);
        length += (size_t)more;
        got[length] = '\0';
    } while (strstr(got, "\"mark\"") == NULL);
    return got;
}

/* Another thread has no lines of its own to write first. */
static void *take_elsewhere(void *arg)
{
    (void)arg;
    take();
    return NULL;
}

static const char *take_from_outside(void)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, take_elsewhere, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    return got;
}

START_TEST(gathered_lines_wait_for_the_flush)
{
    log_gather();
    log_event(LOG_LEVEL_INFO, "one", NULL);
    log_event(LOG_LEVEL_INFO, "two", NULL);
    ck_assert_ptr_null(strstr(take_from_outside(), "\"one\""));
    log_flush();
    const char *text = take_from_outside();
    ck_assert_ptr_nonnull(strstr(text, "\"one\"}\n"));
    ck_assert_ptr_nonnull(strstr(strstr(text, "\"one\"}\n"), "\"two\"}\n"));
    log_gather_end();
}
END_TEST

START_TEST(a_warning_goes_out_at_once_and_those_before_it_first)
{
    log_gather();
    log_event(LOG_LEVEL_INFO, "one", NULL);
    log_event(LOG_LEVEL_WARN, "bad", NULL);
    const char *text = take_from_outside();
    ck_assert_ptr_nonnull(strstr(text, "\"one\"}\n"));
    ck_assert_ptr_nonnull(strstr(strstr(text, "\"one\"}\n"), "\"bad\"}\n"));
    log_gather_end();
}
END_TEST

START_TEST(what_is_gathered_at_the_end_is_written_and_later_lines_go_out_at_once)
{
    log_gather();
    log_event(LOG_LEVEL_INFO, "one", NULL);
    log_gather_end();
    log_event(LOG_LEVEL_INFO, "two", NULL);
    const char *text = take_from_outside();
    ck_assert_ptr_nonnull(strstr(text, "\"one\""));
    ck_assert_ptr_nonnull(strstr(text, "\"two\""));
}
END_TEST

START_TEST(more_lines_than_are_gathered_at_once_are_all_written_whole)
{
    enum { LINES = 100 };
    char value[701] = "";
    log_gather();
    size_t lines = 0, length = 0;
    for (int i = 0; i < LINES; i++) {
        memset(value, 'x', (size_t)i * 7);
        log_event(LOG_LEVEL_INFO, "e", (const struct log_field[]){log_text("v", value), {0}});
    }
    log_gather_end();
    close(ends[1]);
    log_open(&(struct log_options){LOG_LEVEL_INFO, LOG_FORMAT_JSON, NULL}, NULL);
    for (ssize_t more; (more = read(ends[0], got + length, sizeof got - length)) > 0; length += (size_t)more)
        ck_assert_uint_lt(length + (size_t)more, sizeof got);
    for (char *line = got, *end; line < got + length; line = end + 1, lines++) {
        end = memchr(line, '\n', length - (size_t)(line - got));
        ck_assert_ptr_nonnull(end);
        ck_assert_mem_eq(line, "{\"time\":\"", 9);
        ck_assert_int_eq(end[-1], '}');
    }
    ck_assert_uint_eq(lines, LINES);
    ends[1] = dup(ends[0]); /* for the tear-down */
}
END_TEST

static void *gather_one(void *arg)
{
    log_gather();
    log_event(LOG_LEVEL_INFO, "other", NULL);
    ck_assert_int_eq(write(*(int *)arg, "x", 1), 1);
    for (;;)
        (void)pause();
}

/* In the child: two threads have gathered lines, one of them finds a bug. */
static void abort_with_lines(void)
{
    int ready[2];
    char byte;
    pthread_t thread;
    (void)dup2(ends[1], STDERR_FILENO); /* nobody need read what it says */
    (void)signal(SIGABRT, SIG_DFL);
    ensure(pipe(ready) == 0);
    log_gather();
    log_event(LOG_LEVEL_INFO, "own", NULL);
    ensure(pthread_create(&thread, NULL, gather_one, &ready[1]) == 0);
    ensure(read(ready[0], &byte, 1) == 1);
    ensure(false);
}

START_TEST(an_abort_loses_no_line_of_any_thread)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        abort_with_lines();
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    const char *text = take_from_outside();
    ck_assert_ptr_nonnull(strstr(text, "\"own\"}\n"));
    ck_assert_ptr_nonnull(strstr(text, "\"other\"}\n"));
}
END_TEST

static Suite *log_gather_suite(void)
{
    Suite *suite = suite_create("log: gathered lines");
    TCase *lines = tcase_create("lines");
    tcase_add_checked_fixture(lines, set_up, tear_down);
    tcase_add_test(lines, gathered_lines_wait_for_the_flush);
    tcase_add_test(lines, a_warning_goes_out_at_once_and_those_before_it_first);
    tcase_add_test(lines, what_is_gathered_at_the_end_is_written_and_later_lines_go_out_at_once);
    tcase_add_test(lines, more_lines_than_are_gathered_at_once_are_all_written_whole);
    tcase_add_test(lines, an_abort_loses_no_line_of_any_thread);
    suite_add_tcase(suite, lines);
    return suite;
}

int main(void)
{
    return suite_run(log_gather_suite());
}
