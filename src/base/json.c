/* Trees of JSON: built of what the scanner reads, since jansson's own parser takes many times as long, and mended
 * where others sent what it refuses. */
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/utf8.h"
#include "json_scan_int.h"

enum { SMALL_BYTES = 128 };

/* ---- counting ---- */

/* Behind the quote that ends the string in whose midst `at` is. */
static const char *string_end(const char *at, const char *end)
{
    for (const char *from = at; (at = memchr(from, '"', (size_t)(end - from))) != NULL; from = at + 1) {
        const char *before = at;
        while (before > from && before[-1] == '\\')
            before--;
        if ((at - before) % 2 == 0)
            return at + 1;
    }
    return end;
}

size_t json_count_values(const char *bytes, size_t length)
{
    const char *end = bytes + length;
    size_t count = 1;
    for (const char *at = bytes; at < end;) {
        char byte = *at++;
        if (byte == '"')
            at = string_end(at, end);
        else if (byte == ',' || byte == ':' || byte == '[' || byte == '{')
            count++;
    }
    return count;
}

/* ---- building ---- */

/* The characters with a NUL behind them, in `small` where they fit; else the caller frees. */
static char *take_text(const struct json_scanned *value, char small[SMALL_BYTES], size_t *length)
{
    char *text = value->length < SMALL_BYTES ? small : xmalloc(value->length + 1);
    *length = json_scan_unescape(value, text);
    text[*length] = '\0';
    return text;
}

/* The scanner has seen that it is UTF-8. */
static json_t *build_string(const struct json_scanned *value)
{
    char small[SMALL_BYTES];
    size_t length;
    if (!value->has_escapes)
        return json_stringn_nocheck(value->text, value->length);
    char *text = take_text(value, small, &length);
    json_t *string = json_stringn_nocheck(text, length);
    if (text != small)
        free(text);
    return string;
}

static json_t *build_array(struct json_scan *scan)
{
    json_t *array = json_array();
    while (json_scan_item(scan)) {
        json_t *item = json_build(scan);
        if (item != NULL)
            ensure(json_array_append_new(array, item) == 0);
    }
    return array;
}

/* Of members of one name the last one counts. */
static void build_member(struct json_scan *scan, const struct json_scanned *key, json_t *object)
{
    char small[SMALL_BYTES];
    size_t length;
    char *name = take_text(key, small, &length);
    json_t *member = json_build(scan);
    if (member != NULL)
        ensure(json_object_set_new_nocheck(object, name, member) == 0);
    if (name != small)
        free(name);
}

static json_t *build_object(struct json_scan *scan)
{
    json_t *object = json_object();
    struct json_scanned key;
    while (json_scan_member(scan, &key))
        build_member(scan, &key, object);
    return object;
}

static json_t *build_scanned(struct json_scan *scan, const struct json_scanned *value)
{
    switch (value->kind) {
    case JSON_SCAN_FALSE:
        return json_false();
    case JSON_SCAN_TRUE:
        return json_true();
    case JSON_SCAN_INTEGER:
        return json_integer(value->integer);
    case JSON_SCAN_REAL:
        return json_real(value->real);
    case JSON_SCAN_STRING:
        return build_string(value);
    case JSON_SCAN_ARRAY:
        return build_array(scan);
    case JSON_SCAN_OBJECT:
        return build_object(scan);
    case JSON_SCAN_NULL:
        break;
    }
    return json_null();
}

/* A list or an object may be half of itself where the scanner met a fault. */
json_t *json_build(struct json_scan *scan)
{
    struct json_scanned value;
    if (!json_scan_value(scan, &value))
        return NULL;
    json_t *built = build_scanned(scan, &value);
    ensure(built != NULL);
    return built;
}

/* In our own words, which never quote what was sent: it may be a prompt. */
static const char *const reasons[] = {
    [JSON_SCAN_BAD_TOKEN] = "invalid token",
    [JSON_SCAN_BAD_UTF8] = "it has bytes that are not UTF-8",
    [JSON_SCAN_BAD_ESCAPE] = "a string holds an invalid escape",
    [JSON_SCAN_SURROGATE] = "an escape is half of a surrogate pair, as when text is cut in the midst of an emoji",
    [JSON_SCAN_CONTROL] = "a string holds an unescaped control character",
    [JSON_SCAN_NUL] = "a string holds the NUL character (\\u0000), which is not allowed",
    [JSON_SCAN_OVERFLOW] = "a number is too large for a double-precision value",
    [JSON_SCAN_TOO_EARLY] = "it ends too early",
    [JSON_SCAN_TOO_LATE] = "there is more text after the end of the value",
};

static bool refuse(const struct json_scan *scan, struct error *err)
{
    if (scan->fault == JSON_SCAN_TOO_DEEP)
        return error_set(err, ERROR_BAD_REQUEST, NULL,
                         "The request body nests arrays and objects more than %d levels deep. Send flatter JSON.",
                         (int)JSON_SCAN_DEPTH);
    if (scan->fault == JSON_SCAN_EMPTY)
        return error_set(err, ERROR_BAD_REQUEST, NULL, "The request body is empty. Send a JSON object.");
    return error_set(err, ERROR_BAD_REQUEST, NULL, "The request body is not valid JSON: %s near byte %zu.",
                     reasons[scan->fault], (size_t)(scan->at - scan->begin));
}

json_t *json_parse(const char *bytes, size_t length, struct error *err)
{
    struct json_scan scan;
    json_scan_init(&scan, bytes, length);
    json_t *value = json_build(&scan);
    if (json_scan_end(&scan))
        return value;
    refuse(&scan, err);
    json_decref(value);
    return NULL;
}

/* ---- mending ---- */

/* The code unit of an escape `\uXXXX` at `text`; -1 where there is none. */
static int escaped_unit(const char *text, size_t length)
{
    return length >= 6 && text[0] == '\\' && text[1] == 'u' ? json_scan_unit(text + 2, text + length) : -1;
}

/* How many bytes at `text`, which begins with a backslash, are one escape; `*is_good` says whether a character comes of
 * it. Two backslashes are taken as one escape, so that the second does not begin another. */
static size_t escape_length(const char *text, size_t length, bool *is_good)
{
    int unit = escaped_unit(text, length);
    *is_good = true;
    if (unit < 0)
        return length > 1 && text[1] == '\\' ? 2 : 1;
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        int next = escaped_unit(text + 6, length - 6);
        *is_good = next >= 0xDC00 && next <= 0xDFFF;
        return *is_good ? 12 : 6;
    }
    *is_good = unit != 0 && !(unit >= 0xDC00 && unit <= 0xDFFF);
    return 6;
}

bool json_mend(const char *bytes, size_t length, struct buf *mended)
{
    bool is_changed = false;
    buf_init(mended, length * 3);
    for (size_t at = 0; at < length;) {
        bool is_good = true;
        size_t taken = bytes[at] == '\\' ? escape_length(bytes + at, length - at, &is_good)
                                         : utf8_sequence(bytes + at, length - at);
        if (taken == 0 || !is_good) {
            buf_append(mended, "\xEF\xBF\xBD", 3);
            is_changed = true;
        } else {
            buf_append(mended, bytes + at, taken);
        }
        at += taken > 0 ? taken : 1;
    }
    return is_changed;
}

json_t *json_parse_lenient(const char *bytes, size_t length)
{
    struct buf mended;
    json_t *value = json_parse(bytes, length, NULL);
    if (value != NULL)
        return value;
    if (json_mend(bytes, length, &mended))
        value = json_parse(buf_text(&mended), mended.length, NULL);
    buf_dispose(&mended);
    return value;
}

/* What is not plain, but ASCII, needs an escape when it is written, and nothing here. */
static bool is_utf8(const char *text, size_t length)
{
    for (size_t at = 0; at < length; at++) {
        at += json_plain_length(text + at, length - at);
        if (at < length && (unsigned char)text[at] >= 0x80)
            return false;
    }
    return true;
}

json_t *json_string_of(const char *text, size_t length)
{
    return is_utf8(text, length) ? json_stringn_nocheck(text, length) : NULL;
}

json_t *json_string_lossy(const char *text, size_t length)
{
    json_t *string = json_string_of(text, length);
    if (string)
        return string;
    /* Not valid UTF-8. The replacement is three bytes where there was one. */
    struct buf repaired;
    buf_init(&repaired, length * 3);
    for (size_t at = 0; at < length;) {
        size_t sequence = utf8_sequence(text + at, length - at);
        if (sequence)
            buf_append(&repaired, text + at, sequence);
        else
            buf_append(&repaired, "\xEF\xBF\xBD", 3);
        at += sequence ? sequence : 1;
    }
    string = json_string_of(buf_text(&repaired), repaired.length);
    buf_dispose(&repaired);
    ensure(string);
    return string;
}

const char *json_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

bool json_whole_number(const json_t *value, int64_t *out)
{
    struct json_scanned number = {.kind = JSON_SCAN_NULL};
    if (json_is_integer(value))
        number = (struct json_scanned){.kind = JSON_SCAN_INTEGER, .integer = json_integer_value(value)};
    else if (json_is_real(value))
        number = (struct json_scanned){.kind = JSON_SCAN_REAL, .real = json_real_value(value)};
    return json_scan_whole_number(&number, out);
}

const char *json_type_name(const json_t *value)
{
    if (!value)
        return "nothing";
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        break;
    }
    return "null";
}
