/* Log lines to the byte, what is cut, and a file that is reopened while threads write to it. */
#include "check_main.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/json.h"
#include "base/log.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static char directory[64];
static char *path, *moved_path;
static struct buf content;

static void set_up(void)
{
    snprintf(directory, sizeof directory, "/tmp/test-log-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    path = xasprintf("%s/log", directory);
    moved_path = xasprintf("%s/log.1", directory);
    buf_init(&content, 64 << 20);
}

static void tear_down(void)
{
    log_open(&(struct log_options){LOG_LEVEL_INFO, LOG_FORMAT_JSON, NULL}, NULL);
    unlink(path);
    unlink(moved_path);
    rmdir(directory);
    free(path);
    free(moved_path);
    buf_dispose(&content);
}

static void open_log(enum log_level level, enum log_format format)
{
    struct error err;
    ck_assert_msg(log_open(&(struct log_options){level, format, path}, &err), "%s", err.message);
}

/* Everything in the file so far. */
static const char *read_file(const char *name)
{
    buf_clear(&content);
    int descriptor = open(name, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(descriptor, 0);
    char chunk[65536];
    ssize_t length;
    while ((length = read(descriptor, chunk, sizeof chunk)) > 0)
        ck_assert(buf_append(&content, chunk, (size_t)length));
    close(descriptor);
    return buf_text(&content);
}

/* The one line of the file after its time, which must have its form. */
static const char *line_after_time(const char *prefix)
{
    static const char form[] = "0000-00-00T00:00:00.000Z";
    const char *text = read_file(path);
    ck_assert_msg(strncmp(text, prefix, strlen(prefix)) == 0, "%s", text);
    text += strlen(prefix);
    for (size_t i = 0; form[i]; i++) {
        if (form[i] == '0')
            ck_assert_msg(text[i] >= '0' && text[i] <= '9', "%s", text);
        else
            ck_assert_int_eq(text[i], form[i]);
    }
    return text + strlen(form);
}

static const struct {
    struct log_field field;
    const char *text, *json;
} fields[] = {
    {{"path", LOG_TEXT, "/v1/models", 0}, " path=/v1/models", ",\"path\":\"/v1/models\""},
    {{"a", LOG_TEXT, "two words", 0}, " a=\"two words\"", ",\"a\":\"two words\""},
    {{"a", LOG_TEXT, "", 0}, " a=\"\"", ",\"a\":\"\""},
    {{"a", LOG_TEXT, "k=v", 0}, " a=\"k=v\"", ",\"a\":\"k=v\""},
    {{"a", LOG_TEXT, "\"\\", 0}, " a=\"\\\"\\\\\"", ",\"a\":\"\\\"\\\\\""},
    {{"a", LOG_TEXT, "x\n2026 info forged", 0}, " a=\"x\\n2026 info forged\"", ",\"a\":\"x\\n2026 info forged\""},
    {{"a", LOG_TEXT, "\x1b[2J\x7f", 0}, " a=\"\\u001b[2J\\u007f\"", ",\"a\":\"\\u001b[2J\\u007f\""},
    {{"a", LOG_TEXT, "\xC2\x9B", 0}, " a=\"\\u009b\"", ",\"a\":\"\\u009b\""},
    {{"a", LOG_TEXT, "\xC3\xA9\xFF", 0}, " a=\"\xC3\xA9\xEF\xBF\xBD\"", ",\"a\":\"\xC3\xA9\xEF\xBF\xBD\""},
    {{"a", LOG_TEXT, NULL, 0}, "", ""},
    {{"n", LOG_NUMBER, NULL, 0}, " n=0", ",\"n\":0"},
    {{"n", LOG_NUMBER, NULL, INT64_MIN}, " n=-9223372036854775808", ",\"n\":-9223372036854775808"},
};

START_TEST(a_text_line_has_time_level_event_and_fields)
{
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_write(LOG_LEVEL_INFO, "request", fields[_i].field, log_number("ms", 12));
    char *expected = xasprintf(" info  request%s ms=12\n", fields[_i].text);
    ck_assert_str_eq(line_after_time(""), expected);
    free(expected);
}
END_TEST

START_TEST(a_json_line_has_time_level_event_and_fields)
{
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_write(LOG_LEVEL_WARN, "request", fields[_i].field, log_text("id", "req_1"));
    char *expected = xasprintf("\",\"level\":\"warn\",\"event\":\"request\"%s,\"id\":\"req_1\"}\n", fields[_i].json);
    ck_assert_str_eq(line_after_time("{\"time\":\""), expected);
    free(expected);
}
END_TEST

START_TEST(only_lines_up_to_the_level_are_written)
{
    static const char *const words[] = {"error", "warn", "info", "debug"};
    open_log((enum log_level)_i, LOG_FORMAT_TEXT);
    for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        ck_assert_int_eq(log_is_on((enum log_level)level), level <= _i);
        log_event((enum log_level)level, "event", NULL);
    }
    const char *text = read_file(path);
    for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++)
        ck_assert_int_eq(strstr(text, words[level]) != NULL, level <= _i);
}
END_TEST

START_TEST(a_file_gets_json_when_the_format_is_automatic)
{
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_AUTO);
    log_write(LOG_LEVEL_INFO, "start", log_text("a", "b"));
    ck_assert_str_eq(line_after_time("{\"time\":\""), "\",\"level\":\"info\",\"event\":\"start\",\"a\":\"b\"}\n");
}
END_TEST

START_TEST(a_terminal_gets_text_when_the_format_is_automatic)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(master, 0);
    ck_assert_int_eq(grantpt(master), 0);
    ck_assert_int_eq(unlockpt(master), 0);
    struct error err;
    ck_assert(log_open(&(struct log_options){LOG_LEVEL_INFO, LOG_FORMAT_AUTO, ptsname(master)}, &err));
    log_write(LOG_LEVEL_ERROR, "start", log_text("a", "b"));
    char line[256];
    ssize_t length = read(master, line, sizeof line - 1);
    ck_assert_int_gt(length, 0);
    line[length] = '\0';
    ck_assert_ptr_nonnull(strstr(line, "Z error start a=b"));
    close(master);
}
END_TEST

/* Fields of `length` bytes each, of a character that takes `_i` bytes or, for 0, six bytes once escaped. */
START_TEST(a_huge_line_is_cut_and_stays_one_valid_line)
{
    static const char *const characters[] = {"\x01", "x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    struct buf value;
    buf_init(&value, 1 << 16);
    for (int i = 0; i < 3000; i++)
        buf_append_text(&value, characters[_i]);
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_write(LOG_LEVEL_INFO, "big", log_text("a", buf_text(&value)), log_text("id", "req_1"),
              log_text("b", buf_text(&value)), log_text("c", buf_text(&value)), log_number("n", 1));
    read_file(path);
    ck_assert_uint_le(content.length, 4096);
    ck_assert_uint_gt(content.length, 4000);
    ck_assert_ptr_eq(strchr(content.data, '\n'), content.data + content.length - 1);
    struct error err;
    json_t *line = json_parse(content.data, content.length, &err);
    ck_assert_msg(line, "%s", err.message);
    ck_assert_pstr_eq(json_text(line, "id"), "req_1");
    ck_assert_ptr_nonnull(json_text(line, "a"));
    ck_assert_uint_gt(strlen(json_text(line, "a")), 300);
    ck_assert_uint_le(strlen(json_text(line, "a")), 2048);
    json_decref(line);
    buf_dispose(&value);
}
END_TEST

/* Whatever length brings the line to its limit, it ends in quote, brace and newline. */
START_TEST(a_line_is_whole_around_its_limit)
{
    enum { FIRST = 1900, LAST = 2060 };
    static char first[2049], second[LAST + 1];
    memset(first, 'x', sizeof first - 1);
    open_log(LOG_LEVEL_INFO, _i ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
    for (size_t length = FIRST; length <= LAST; length++) {
        memset(second, 'y', length);
        second[length] = '\0';
        log_write(LOG_LEVEL_INFO, "e", log_text("a", first), log_text("b", second), log_number("n", 123456789));
    }
    read_file(path);
    size_t lines = 0;
    for (char *line = content.data, *end; (end = strchr(line, '\n')); line = end + 1) {
        ck_assert_int_le(end + 1 - line, 4096);
        struct error err;
        json_t *parsed = _i ? json_parse(line, (size_t)(end - line), &err) : json_null();
        ck_assert_ptr_nonnull(parsed);
        json_decref(parsed);
        lines++;
    }
    ck_assert_uint_eq(lines, LAST - FIRST + 1);
}
END_TEST

START_TEST(a_file_that_cannot_be_opened_leaves_the_old_target)
{
    open_log(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    struct error err = {.kind = ERROR_NONE};
    ck_assert(!log_open(&(struct log_options){LOG_LEVEL_DEBUG, LOG_FORMAT_JSON, "/nonexistent/log"}, &err));
    ck_assert_int_eq(err.kind, ERROR_INTERNAL);
    ck_assert_ptr_nonnull(strstr(err.message, "\"/nonexistent/log\" cannot be opened"));
    ck_assert(!log_is_on(LOG_LEVEL_INFO));
    log_event(LOG_LEVEL_WARN, "still-here", NULL);
    ck_assert_str_eq(line_after_time(""), " warn  still-here\n");
}
END_TEST

START_TEST(the_name_of_the_file_is_copied_and_reopened)
{
    char name[128];
    snprintf(name, sizeof name, "%s", path);
    struct error err;
    ck_assert(log_open(&(struct log_options){LOG_LEVEL_INFO, LOG_FORMAT_TEXT, name}, &err));
    memset(name, 'z', sizeof name - 1);
    log_event(LOG_LEVEL_INFO, "before", NULL);
    ck_assert_int_eq(rename(path, moved_path), 0);
    log_event(LOG_LEVEL_INFO, "between", NULL);
    ck_assert(log_reopen(&err));
    log_event(LOG_LEVEL_INFO, "after", NULL);
    ck_assert_str_eq(line_after_time(""), " info  after\n");
    ck_assert_ptr_nonnull(strstr(read_file(moved_path), "between\n"));
    ck_assert_ptr_null(strstr(read_file(moved_path), "after"));
}
END_TEST

START_TEST(a_reopen_that_fails_keeps_the_old_file)
{
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    char *subdirectory = xasprintf("%s.moved", directory);
    ck_assert_int_eq(rename(directory, subdirectory), 0);
    struct error err;
    ck_assert(!log_reopen(&err));
    log_event(LOG_LEVEL_INFO, "kept", NULL);
    ck_assert_int_eq(rename(subdirectory, directory), 0);
    free(subdirectory);
    ck_assert_str_eq(line_after_time(""), " info  kept\n");
}
END_TEST

START_TEST(a_file_is_appended_to)
{
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_event(LOG_LEVEL_INFO, "one", NULL);
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_event(LOG_LEVEL_INFO, "two", NULL);
    const char *text = read_file(path);
    ck_assert_ptr_nonnull(strstr(text, "one\n"));
    ck_assert_ptr_nonnull(strstr(text, "two\n"));
}
END_TEST

START_TEST(standard_error_is_the_target_without_a_file_and_reopening_it_does_nothing)
{
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    int ends[2], real_stderr = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    struct error err;
    bool opened = log_open(&(struct log_options){LOG_LEVEL_INFO, LOG_FORMAT_TEXT, NULL}, &err);
    bool reopened = log_reopen(&err);
    log_event(LOG_LEVEL_INFO, "to-stderr", NULL);
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    char line[256] = "";
    ck_assert_int_gt(read(ends[0], line, sizeof line - 1), 0);
    close(ends[0]);
    close(ends[1]);
    ck_assert(opened && reopened);
    ck_assert_ptr_nonnull(strstr(line, " info  to-stderr\n"));
    ck_assert_str_eq(read_file(path), "");
}
END_TEST

static const struct {
    const char *word;
    bool is_level;
    enum log_level level;
} level_rows[] = {
    {"error", true, LOG_LEVEL_ERROR},  {"warn", true, LOG_LEVEL_WARN},    {"info", true, LOG_LEVEL_INFO},
    {"debug", true, LOG_LEVEL_DEBUG},  {"warning", true, LOG_LEVEL_WARN}, {"critical", true, LOG_LEVEL_ERROR},
    {"WARNING", true, LOG_LEVEL_WARN}, {"", false, LOG_LEVEL_ERROR},      {"verbose", false, LOG_LEVEL_ERROR},
    {"infos", false, LOG_LEVEL_ERROR}, {" info", false, LOG_LEVEL_ERROR},
};

START_TEST(levels_have_words)
{
    enum log_level level = LOG_LEVEL_ERROR;
    ck_assert_int_eq(log_level_parse(level_rows[_i].word, &level), level_rows[_i].is_level);
    ck_assert_int_eq(level, level_rows[_i].level);
}
END_TEST

enum { WRITERS = 3, LINES = 2000, REOPENS = 50 };

static pthread_t writers[WRITERS];

static void *write_lines(void *argument)
{
    for (int i = 0; i < LINES; i++)
        log_write(LOG_LEVEL_INFO, "line", log_text("who", argument), log_number("i", i));
    return NULL;
}

static void start_writers(void)
{
    static char names[WRITERS][2] = {"a", "b", "c"};
    set_up();
    open_log(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_create(&writers[i], NULL, write_lines, names[i]), 0);
}

/* Once all threads are done, every line must have reached the file, whole. */
static void join_writers(void)
{
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    read_file(path);
    int lines = 0;
    for (char *line = content.data, *end; (end = strchr(line, '\n')); line = end + 1) {
        ck_assert_mem_eq(line, "{\"time\":\"", 9);
        ck_assert_int_eq(end[-1], '}');
        lines++;
    }
    ck_assert_int_eq(lines, WRITERS * LINES);
    tear_down();
}

START_TEST(no_line_is_lost_or_torn_while_the_file_is_reopened)
{
    for (int i = 0; i < REOPENS; i++)
        ck_assert(log_reopen(NULL));
}
END_TEST

static Suite *log_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *tcase = tcase_create("log");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, a_text_line_has_time_level_event_and_fields, 0, ROWS(fields));
    tcase_add_loop_test(tcase, a_json_line_has_time_level_event_and_fields, 0, ROWS(fields));
    tcase_add_loop_test(tcase, only_lines_up_to_the_level_are_written, 0, 4);
    tcase_add_test(tcase, a_file_gets_json_when_the_format_is_automatic);
    tcase_add_test(tcase, a_terminal_gets_text_when_the_format_is_automatic);
    tcase_add_loop_test(tcase, a_huge_line_is_cut_and_stays_one_valid_line, 0, 5);
    tcase_add_loop_test(tcase, a_line_is_whole_around_its_limit, 0, 2);
    tcase_add_test(tcase, a_file_that_cannot_be_opened_leaves_the_old_target);
    tcase_add_test(tcase, the_name_of_the_file_is_copied_and_reopened);
    tcase_add_test(tcase, a_reopen_that_fails_keeps_the_old_file);
    tcase_add_test(tcase, a_file_is_appended_to);
    tcase_add_test(tcase, standard_error_is_the_target_without_a_file_and_reopening_it_does_nothing);
    tcase_add_loop_test(tcase, levels_have_words, 0, ROWS(level_rows));
    suite_add_tcase(suite, tcase);
    TCase *threads = tcase_create("threads");
    tcase_add_checked_fixture(threads, start_writers, join_writers);
    tcase_add_test(threads, no_line_is_lost_or_torn_while_the_file_is_reopened);
    suite_add_tcase(suite, threads);
    return suite;
}

int main(void)
{
    return suite_run(log_suite());
}
