/* The only file that parses and dumps JSON: jansson, kept strict where security asks for it and made wider
 * where OpenAI's clients need it. */
#include "base/json.h"

#include <string.h>

#include "base/ensure.h"
#include "base/utf8.h"

enum { DEEPEST_NESTING = 512 };

/* Beyond this an integral real no longer tells which integer was meant. */
static const double largest_exact_real = 9007199254740992.0;

/* Counts brackets outside of strings before anything recurses; whether they match is the parser's business. */
static bool is_nested_too_deeply(const char *bytes, size_t length)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < length; i++) {
        char byte = bytes[i];
        if (in_string) {
            if (byte == '\\')
                i++;
            else if (byte == '"')
                in_string = false;
        } else if (byte == '"') {
            in_string = true;
        } else if (byte == '[' || byte == '{') {
            if (++depth > DEEPEST_NESTING)
                return true;
        } else if ((byte == ']' || byte == '}') && depth > 0) {
            depth--;
        }
    }
    return false;
}

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

static bool is_blank(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!memchr(" \t\r\n", bytes[i], 4))
            return false;
    }
    return true;
}

/* Our own words: jansson's text quotes what the client sent, which may be a prompt. */
static const char *reason(const json_error_t *failure)
{
    switch (json_error_code(failure)) {
    case json_error_invalid_utf8:
        return "it has bytes that are not UTF-8";
    case json_error_premature_end_of_input:
        return "it ends too early";
    case json_error_end_of_input_expected:
        return "there is more text after the end of the value";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "a string holds the NUL character (\\u0000), which is not allowed";
    case json_error_numeric_overflow:
        return "a number is too large for a double-precision value";
    default:
        break;
    }
    if (strncmp(failure->text, "invalid Unicode", 15) == 0)
        return "an escape is half of a surrogate pair, as when text is cut in the midst of an emoji";
    if (strncmp(failure->text, "control character", 17) == 0 || strncmp(failure->text, "unexpected newline", 18) == 0)
        return "a string holds an unescaped control character";
    if (strncmp(failure->text, "invalid escape", 14) == 0)
        return "a string holds an invalid escape";
    return "invalid token";
}

/* Parsed again with integers as reals, every integer of the document became a real. Those that fit become
 * integers again, so that one huge seed does not turn `"max_tokens": 100` into 100.0. */
static json_t *narrowed(json_t *value)
{
    int64_t whole;
    if (json_is_real(value) && json_whole_number(value, &whole)) {
        json_decref(value);
        return json_integer(whole);
    }
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++)
            json_array_set_new(value, i, narrowed(json_incref(json_array_get(value, i))));
    } else if (json_is_object(value)) {
        const char *key;
        json_t *member;
        void *next;
        json_object_foreach_safe(value, next, key, member)
        {
            json_object_set_new_nocheck(value, key, narrowed(json_incref(member)));
        }
    }
    return value;
}

json_t *json_parse(const char *bytes, size_t length, struct error *err)
{
    if (is_blank(bytes, length)) {
        error_set(err, ERROR_BAD_REQUEST, NULL, "The request body is empty. Send a JSON object.");
        return NULL;
    }
    if (is_nested_too_deeply(bytes, length)) {
        error_set(err, ERROR_BAD_REQUEST, NULL,
                  "The request body nests arrays and objects more than %d levels deep. Send flatter JSON.",
                  (int)DEEPEST_NESTING);
        return NULL;
    }
    json_error_t failure;
    json_t *value = json_loadb(bytes, length, JSON_DECODE_ANY, &failure);
    if (!value && json_error_code(&failure) == json_error_numeric_overflow) {
        value = json_loadb(bytes, length, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &failure);
        if (value)
            value = narrowed(value);
    }
    if (!value)
        error_set(err, ERROR_BAD_REQUEST, NULL, "The request body is not valid JSON: %s near byte %d.",
                  reason(&failure), failure.position);
    return value;
}

/* ---- mending ---- */

/* The code unit of an escape `\uXXXX` at `text`; -1 where there is none. */
static int escaped_unit(const char *text, size_t length)
{
    int unit = 0;
    if (length < 6 || text[0] != '\\' || text[1] != 'u')
        return -1;
    for (size_t i = 2; i < 6; i++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char *digit = text[i] == '\0' ? NULL : strchr(digits, text[i]);
        if (digit == NULL)
            return -1;
        unit = unit * 16 + (int)((digit - digits) % 16);
    }
    return unit;
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

/* True where anything was replaced. */
static bool mend(const char *bytes, size_t length, struct buf *mended)
{
    bool is_changed = false;
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
    json_t *value = json_parse(bytes, length, NULL);
    if (value != NULL || length == 0)
        return value;
    struct buf mended;
    buf_init(&mended, length * 3);
    if (mend(bytes, length, &mended))
        value = json_parse(buf_text(&mended), mended.length, NULL);
    buf_dispose(&mended);
    return value;
}

/* ---- writing ---- */

/* Half a value is worth nothing: what an append that overflowed has left is taken back. */
static bool settle(struct buf *out, size_t length_before, bool succeeded)
{
    if (!succeeded && out->length > length_before) {
        out->length = length_before;
        out->data[length_before] = '\0';
    }
    return succeeded;
}

static int append_chunk(const char *chunk, size_t length, void *out)
{
    return buf_append(out, chunk, length) ? 0 : -1;
}

bool json_append(struct buf *out, const json_t *value)
{
    ensure(value);
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15);
    size_t before = out->length;
    int failed = json_dump_callback(value, append_chunk, out, flags);
    return settle(out, before, failed == 0 && !out->overflowed);
}

/* How many bytes at the start of `text` stand in a JSON string as they are. */
static size_t plain_length(const char *text, size_t length)
{
    size_t at = 0;
    while (at < length) {
        unsigned char byte = (unsigned char)text[at];
        if (byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7F)
            break;
        size_t sequence = byte < 0x80 ? 1 : utf8_sequence(text + at, length - at);
        if (sequence == 0)
            break;
        at += sequence;
    }
    return at;
}

bool json_append_string(struct buf *out, const char *text, size_t length)
{
    size_t before = out->length;
    buf_append(out, "\"", 1);
    for (size_t at = 0; at < length && !out->overflowed;) {
        size_t plain = plain_length(text + at, length - at);
        if (plain) {
            buf_append(out, text + at, plain);
            at += plain;
            continue;
        }
        char escaped[UTF8_ESCAPE_BYTES];
        size_t used;
        size_t escaped_length = utf8_escape(escaped, text + at, length - at, &used);
        buf_append(out, escaped, escaped_length);
        at += used;
    }
    return settle(out, before, buf_append(out, "\"", 1));
}

json_t *json_string_lossy(const char *text, size_t length)
{
    json_t *string = json_stringn(text, length);
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
    string = json_stringn(buf_text(&repaired), repaired.length);
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
    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return true;
    }
    if (!json_is_real(value))
        return false;
    double real = json_real_value(value);
    /* The range first: converting a larger one is undefined. */
    if (!(real >= -largest_exact_real && real <= largest_exact_real) || (double)(int64_t)real != real)
        return false;
    *out = (int64_t)real;
    return true;
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
