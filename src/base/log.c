/* One event, one line, never cut in two by a write: lines of several threads never mix, in a pipe or in a file. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log_repeat.h"
#include "base/utf8.h"
#include "log_int.h"

enum {
    LINE_BYTES = 4096,
    /* One huge value must not push the fields after it, such as the request id, off the line. */
    VALUE_BYTES = 2048,
    ENDING_BYTES = 2, /* the brace and the newline */
    NUMBER_BYTES = 24,
    UTF8_CHARACTER_BYTES = 4,
};

/* What log_event reads, in any thread. LOG_FORMAT_AUTO stands only until the first log_open. */
static atomic_int current_level = LOG_LEVEL_INFO;
static atomic_int current_format = LOG_FORMAT_AUTO;
static atomic_int current_descriptor = STDERR_FILENO;

/* Of the main thread. The number of our own descriptor never changes once there is one: a new file is put under
 * it with dup3, so a worker that is just about to write can never hit a descriptor that became something else. */
static int own_descriptor = -1;
static char *file_name;

static const char *const level_words[] = {"error", "warn", "info", "debug"};

static int open_file(const char *name, struct error *err)
{
    int descriptor = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    if (descriptor < 0)
        error_set(err, ERROR_INTERNAL, NULL,
                  "The log file \"%s\" cannot be opened: %s. Check its path and who may write there.", name,
                  strerror(errno));
    return descriptor;
}

/* Puts `descriptor`, which is given away, under our own number. */
static void adopt(int descriptor)
{
    if (own_descriptor < 0) {
        own_descriptor = descriptor;
        return;
    }
    ensure(dup3(descriptor, own_descriptor, O_CLOEXEC) == own_descriptor);
    close(descriptor);
}

/* An old file would stay open, and keep its disk space, while we write to standard error. */
static void release_old_file(void)
{
    if (own_descriptor >= 0)
        dup3(STDERR_FILENO, own_descriptor, O_CLOEXEC);
}

bool log_open(const struct log_options *options, struct error *err)
{
    int target = STDERR_FILENO;
    if (options->file) {
        int opened = open_file(options->file, err);
        if (opened < 0)
            return false;
        adopt(opened);
        target = own_descriptor;
    }
    enum log_format format = options->format;
    if (format == LOG_FORMAT_AUTO)
        format = isatty(target) ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON;
    atomic_store(&current_level, (int)options->level);
    atomic_store(&current_format, (int)format);
    atomic_store(&current_descriptor, target);
    if (!options->file)
        release_old_file();
    /* Copied before the old name is freed: the caller may pass the one that we hold. */
    char *name = xstrdup(options->file);
    free(file_name);
    file_name = name;
    return true;
}

bool log_reopen(struct error *err)
{
    if (!file_name)
        return true;
    int opened = open_file(file_name, err);
    if (opened < 0)
        return false;
    adopt(opened);
    return true;
}

bool log_level_parse(const char *word, enum log_level *level)
{
    static const struct {
        const char *word;
        enum log_level level;
    } words[] = {
        {"error", LOG_LEVEL_ERROR}, {"warn", LOG_LEVEL_WARN},    {"info", LOG_LEVEL_INFO},
        {"debug", LOG_LEVEL_DEBUG}, {"warning", LOG_LEVEL_WARN}, {"critical", LOG_LEVEL_ERROR},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(word, words[i].word) == 0) {
            *level = words[i].level;
            return true;
        }
    }
    return false;
}

bool log_is_on(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&current_level, memory_order_relaxed);
}

struct line {
    char bytes[LINE_BYTES];
    size_t length;
    bool is_json;
};

static size_t room(const struct line *line)
{
    return LINE_BYTES - ENDING_BYTES - line->length;
}

/* All of it or nothing. */
static bool add(struct line *line, const char *bytes, size_t length)
{
    if (length > room(line))
        return false;
    memcpy(line->bytes + line->length, bytes, length);
    line->length += length;
    return true;
}

static void add_text(struct line *line, const char *text)
{
    add(line, text, strlen(text));
}

/* Nearly all of a line's bytes mean themselves. */
static bool is_plain(char byte)
{
    return byte >= ' ' && byte < 0x7F && byte != '"' && byte != '\\';
}

/* Adds the bytes from here on that mean themselves, at most `limit`. */
static size_t add_plain(struct line *line, const char *text, size_t limit)
{
    size_t length = 0;
    for (char *out = line->bytes + line->length; length < limit && is_plain(text[length]); length++)
        out[length] = text[length];
    line->length += length;
    return length;
}

/* Escaped, without quotes, at most `limit` bytes, cut between characters. */
static void add_escaped(struct line *line, const char *text, size_t limit)
{
    if (limit > room(line))
        limit = room(line);
    for (;;) {
        char piece[UTF8_ESCAPE_BYTES];
        size_t used, plain = add_plain(line, text, limit);
        text += plain;
        limit -= plain;
        if (limit == 0 || *text == '\0')
            return;
        size_t length = utf8_escape(piece, text, strnlen(text, UTF8_CHARACTER_BYTES), &used);
        if (length > limit)
            return;
        add(line, piece, length);
        limit -= length;
        text += used;
    }
}

static void add_quoted(struct line *line, const char *text)
{
    size_t limit = room(line) - 2 < VALUE_BYTES ? room(line) - 2 : VALUE_BYTES;
    add(line, "\"", 1);
    add_escaped(line, text, limit);
    add(line, "\"", 1);
}

/* A text line's value needs no quotes when nobody could mistake where it ends. */
static bool is_bare(const char *text)
{
    size_t length = 0;
    for (; text[length]; length++) {
        unsigned char byte = (unsigned char)text[length];
        if (byte <= ' ' || byte >= 0x7F || byte == '"' || byte == '\\' || byte == '=')
            return false;
    }
    return length > 0 && length <= VALUE_BYTES;
}

/* By hand, since a line has many of them. The length; no NUL. */
static size_t put_number(char out[NUMBER_BYTES], int64_t number)
{
    char digits[NUMBER_BYTES];
    size_t at = sizeof digits;
    /* The lowest number has no positive counterpart. */
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        digits[--at] = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (number < 0)
        digits[--at] = '-';
    memcpy(out, digits + at, sizeof digits - at);
    return sizeof digits - at;
}

/* What stands before a field's value. There is room for it. */
static void add_name(struct line *line, const char *name, size_t length)
{
    char *out = line->bytes + line->length;
    *out++ = line->is_json ? ',' : ' ';
    if (line->is_json)
        *out++ = '"';
    memcpy(out, name, length);
    out += length;
    if (line->is_json)
        *out++ = '"';
    *out++ = line->is_json ? ':' : '=';
    line->length = (size_t)(out - line->bytes);
}

/* Fields are written whole or, when not even their name and a little of their value fit, left out whole. */
static void add_field(struct line *line, const struct log_field *field)
{
    if (field->type == LOG_TEXT && !field->text)
        return;
    size_t name_length = strlen(field->name);
    if (room(line) < name_length + strlen(",\"\":") + NUMBER_BYTES)
        return;
    add_name(line, field->name, name_length);
    if (field->type == LOG_NUMBER)
        line->length += put_number(line->bytes + line->length, field->number);
    else if (line->is_json || !is_bare(field->text) || !add(line, field->text, strlen(field->text)))
        add_quoted(line, field->text);
}

/* Written once a second for each thread: it is the dearest part of a line. */
static const char *date_of(time_t seconds)
{
    static _Thread_local time_t written;
    static _Thread_local char date[32];
    if (seconds != written || date[0] == '\0') {
        struct tm parts;
        gmtime_r(&seconds, &parts);
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
        written = seconds;
    }
    return date;
}

static void add_head(struct line *line, enum log_level level, const char *event)
{
    int64_t now_ms = clock_wall_ms();
    const char *date = date_of((time_t)(now_ms / 1000));
    int ms = (int)(now_ms % 1000);
    const char fraction[] = {'.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10), 'Z'};
    if (line->is_json)
        add_text(line, "{\"time\":\"");
    add_text(line, date);
    add(line, fraction, sizeof fraction);
    add_text(line, line->is_json ? "\",\"level\":\"" : " ");
    add_text(line, level_words[level]);
    if (line->is_json)
        add_text(line, "\",\"event\":");
    else
        add(line, "  ", 6 - strlen(level_words[level])); /* to where a word of five letters and a blank end */
    if (line->is_json)
        add_quoted(line, event);
    else
        add_escaped(line, event, VALUE_BYTES);
}

/* A target that is full or gone (EAGAIN, EPIPE, ENOSPC) costs the line, never the daemon. */
static void write_whole(int descriptor, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(descriptor, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        bytes += written;
        length -= (size_t)written;
    }
}

void log_put(const char *lines, size_t length)
{
    write_whole(atomic_load(&current_descriptor), lines, length);
}

void log_event(enum log_level level, const char *event, const struct log_field *fields)
{
    if (!log_is_on(level))
        return;
    int format = atomic_load(&current_format);
    if (format == LOG_FORMAT_AUTO)
        format = isatty(atomic_load(&current_descriptor)) ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON;

    struct line line;
    line.length = 0;
    line.is_json = format == LOG_FORMAT_JSON;
    add_head(&line, level, event);
    for (const struct log_field *field = fields; field && field->name; field++)
        add_field(&line, field);
    /* Past this point the ending may use the room that was kept for it. */
    if (line.is_json)
        line.bytes[line.length++] = '}';
    line.bytes[line.length++] = '\n';
    if (!log_gather_line(line.bytes, line.length, level <= LOG_LEVEL_WARN))
        log_put(line.bytes, line.length);
}

void log_flush_repeats(bool all)
{
    struct log_repeats repeats;
    while (log_repeat_take(clock_now_ms(), all, &repeats)) {
        char note[64];
        snprintf(note, sizeof note, "repeated %" PRId64 " times more", repeats.count);
        bool has_text = repeats.field[0] != '\0';
        log_event(repeats.level, repeats.event,
                  (const struct log_field[]){log_text(has_text ? repeats.field : "reason", has_text ? repeats.text : NULL),
                                             log_text("note", note), log_number("repeated", repeats.count), {0}});
    }
}

void log_event_limited(enum log_level level, const char *event, const struct log_field *fields)
{
    log_flush_repeats(false);
    if (log_repeat_allows(level, event, fields, clock_now_ms()))
        log_event(level, event, fields);
}
