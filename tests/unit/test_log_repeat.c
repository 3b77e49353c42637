/* Warnings that come again and again: ten are written, the rest are counted and said in one line. */
#include "base/log_repeat.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ensure.h"
#include "check_main.h"

static bool allows(enum log_level level, const char *event, const char *field, const char *text, int64_t now_ms)
{
    const struct log_field fields[] = {log_number("n", now_ms), log_text(field, text), {0}};
    return log_repeat_allows(level, event, fields, now_ms);
}

static int count_allowed(const char *event, const char *text, int times, int64_t now_ms)
{
    int allowed = 0;
    for (int i = 0; i < times; i++)
        allowed += allows(LOG_LEVEL_WARN, event, "reason", text, now_ms);
    return allowed;
}

START_TEST(ten_of_a_kind_are_written_and_the_rest_is_counted)
{
    struct log_repeats repeats;
    ck_assert_int_eq(count_allowed("cancel_given_up", "timeout", 25, 1000), 10);
    ck_assert(!log_repeat_take(10999, false, &repeats));
    ck_assert(log_repeat_take(11000, false, &repeats));
    ck_assert_int_eq(repeats.count, 15);
    ck_assert_int_eq(repeats.level, LOG_LEVEL_WARN);
    ck_assert_str_eq(repeats.event, "cancel_given_up");
    ck_assert_str_eq(repeats.field, "reason");
    ck_assert_str_eq(repeats.text, "timeout");
    ck_assert(!log_repeat_take(99999, true, &repeats));
}
END_TEST

START_TEST(a_new_window_begins_when_the_old_one_is_over)
{
    struct log_repeats repeats;
    ck_assert_int_eq(count_allowed("e", "r", 10, 1000), 10);
    ck_assert(!log_repeat_take(20000, true, &repeats));
    ck_assert_int_eq(count_allowed("e", "r", 11, 11000), 10);
    ck_assert(log_repeat_take(11000, true, &repeats));
    ck_assert_int_eq(repeats.count, 1);
    ck_assert_int_eq(count_allowed("e", "r", 10, 11001), 10);
}
END_TEST

START_TEST(other_kinds_are_counted_apart)
{
    ck_assert_int_eq(count_allowed("e", "one", 12, 0), 10);
    ck_assert_int_eq(count_allowed("e", "two", 12, 0), 10);
    ck_assert_int_eq(count_allowed("f", "one", 12, 0), 10);
    ck_assert(allows(LOG_LEVEL_ERROR, "e", "reason", "one", 0));
    ck_assert(allows(LOG_LEVEL_WARN, "e", "error", "one", 0));
    ck_assert(!allows(LOG_LEVEL_WARN, "e", "reason", "one", 0));
}
END_TEST

START_TEST(what_is_no_warning_is_never_left_out)
{
    struct log_repeats repeats;
    for (int i = 0; i < 100; i++) {
        ck_assert(allows(LOG_LEVEL_INFO, "e", "reason", "one", 0));
        ck_assert(allows(LOG_LEVEL_DEBUG, "e", "reason", "one", 0));
    }
    ck_assert(!log_repeat_take(0, true, &repeats));
}
END_TEST

/* More kinds than there are places: nothing is lost, what was left out is told of each that was counted. */
START_TEST(of_more_kinds_than_places_none_goes_missing)
{
    enum { KINDS = 3 * LOG_REPEAT_KINDS };
    struct log_repeats repeats;
    int written = 0;
    int64_t told = 0;
    char text[32];
    for (int kind = 0; kind < KINDS; kind++) {
        snprintf(text, sizeof text, "kind %d", kind);
        written += count_allowed("e", text, 20, kind);
    }
    while (log_repeat_take(0, true, &repeats))
        told += repeats.count;
    ck_assert_int_eq(written + told, 20 * KINDS);
    ck_assert_int_eq(told, 10 * LOG_REPEAT_KINDS);
}
END_TEST

static void *flood(void *arg)
{
    int *allowed = arg;
    *allowed = count_allowed("e", "r", 1000, 0);
    return NULL;
}

START_TEST(threads_count_together)
{
    pthread_t threads[4];
    int allowed[4] = {0}, sum = 0;
    struct log_repeats repeats;
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, flood, &allowed[i]), 0);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        sum += allowed[i];
    }
    ck_assert_int_eq(sum, 10);
    ck_assert(log_repeat_take(0, true, &repeats));
    ck_assert_int_eq(repeats.count, 3990);
}
END_TEST

/* ---- in the log ---- */

static char *write_twenty(enum log_level level, bool is_limited)
{
    char path[] = "/tmp/test-log-repeat-XXXXXX", *text = xmalloc(64 * 1024);
    struct error err;
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert(log_open(&(struct log_options){LOG_LEVEL_INFO, LOG_FORMAT_TEXT, path}, &err));
    for (int i = 0; i < 20; i++) {
        if (is_limited)
            log_write(level, "trouble", log_text("reason", "no route"), log_number("i", i));
        else
            log_event(level, "trouble", (const struct log_field[]){log_text("reason", "no route"), {0}});
    }
    log_flush_repeats(true);
    ssize_t length = pread(fd, text, 64 * 1024 - 1, 0);
    ck_assert_int_ge(length, 0);
    text[length] = '\0';
    close(fd);
    unlink(path);
    return text;
}

static int count_lines(const char *text)
{
    int lines = 0;
    for (; (text = strchr(text, '\n')) != NULL; text++)
        lines++;
    return lines;
}

START_TEST(one_line_says_how_many_were_left_out)
{
    char *text = write_twenty(LOG_LEVEL_WARN, true);
    ck_assert_int_eq(count_lines(text), 11);
    ck_assert_ptr_nonnull(
        strstr(text, " warn  trouble reason=\"no route\" note=\"repeated 10 times more\" repeated=10\n"));
    ck_assert_ptr_nonnull(strstr(text, "i=9\n"));
    ck_assert_ptr_null(strstr(text, "i=10\n"));
    free(text);
}
END_TEST

START_TEST(lines_that_are_told_one_by_one_are_all_written)
{
    char *text = _i == 0 ? write_twenty(LOG_LEVEL_INFO, true) : write_twenty(LOG_LEVEL_WARN, false);
    ck_assert_int_eq(count_lines(text), 20);
    free(text);
}
END_TEST

static Suite *log_repeat_suite(void)
{
    Suite *suite = suite_create("log_repeat");
    TCase *tcase = tcase_create("repeats");
    tcase_add_test(tcase, ten_of_a_kind_are_written_and_the_rest_is_counted);
    tcase_add_test(tcase, a_new_window_begins_when_the_old_one_is_over);
    tcase_add_test(tcase, other_kinds_are_counted_apart);
    tcase_add_test(tcase, what_is_no_warning_is_never_left_out);
    tcase_add_test(tcase, of_more_kinds_than_places_none_goes_missing);
    tcase_add_test(tcase, threads_count_together);
    tcase_add_test(tcase, one_line_says_how_many_were_left_out);
    tcase_add_loop_test(tcase, lines_that_are_told_one_by_one_are_all_written, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(log_repeat_suite());
}
