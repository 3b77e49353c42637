/* The scanner of JSON: eight bytes at a time where a string is plain, since most bytes of a large request are, and a
 * byte at a time everywhere else. */
#include "base/json_scan.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/utf8.h"
#include "json_scan_int.h"

enum { NUMBER_BYTES = 64 };

static const uint64_t every_byte = UINT64_C(0x0101010101010101);

/* ---- faults ---- */

static bool fail(struct json_scan *scan, enum json_scan_fault fault, const char *at)
{
    if (scan->fault == JSON_SCAN_FINE) {
        scan->fault = fault;
        scan->at = at;
    }
    return false;
}

/* Something stands at `at` that may not stand there; what it is, is told as the reader of the whole would see it. */
static bool fail_at(struct json_scan *scan, const char *at)
{
    if (at >= scan->end)
        return fail(scan, JSON_SCAN_TOO_EARLY, scan->end);
    size_t sequence = utf8_sequence(at, (size_t)(scan->end - at));
    if (sequence == 0)
        return fail(scan, JSON_SCAN_BAD_UTF8, at + 1);
    const char *last = at + sequence;
    while (last < scan->end && ((*last >= 'a' && *last <= 'z') || (*last >= 'A' && *last <= 'Z')))
        last++;
    return fail(scan, JSON_SCAN_BAD_TOKEN, last);
}

/* ---- strings ---- */

static uint64_t read_word(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* Zero where all eight bytes are ASCII that needs no escape. Taking away from each byte what must not be there borrows
 * from its highest bit; a borrow that runs into the next byte can only begin at one that is found anyway. */
static uint64_t odd_bytes(uint64_t word)
{
    uint64_t controls = word - every_byte * 0x20;
    uint64_t quotes = (word ^ every_byte * '"') - every_byte;
    uint64_t backslashes = (word ^ every_byte * '\\') - every_byte;
    return (word | controls | quotes | backslashes) & (every_byte * 0x80);
}

static bool is_plain_ascii(char byte)
{
    return (unsigned char)byte >= 0x20 && (unsigned char)byte < 0x80 && byte != '"' && byte != '\\';
}

/* The place of the first odd byte, of which there is one. */
static size_t first_odd(const char *bytes, uint64_t odd)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    (void)bytes;
    return (size_t)__builtin_ctzll(odd) / 8; /* what borrows set stands above it */
#else
    size_t place = 0;
    (void)odd;
    while (is_plain_ascii(bytes[place]))
        place++;
    return place;
#endif
}

/* Most strings end in their first eight bytes. */
static size_t plain_ascii_length(const char *text, size_t length)
{
    uint64_t first_word = length >= 8 ? odd_bytes(read_word(text)) : 0;
    if (first_word != 0)
        return first_odd(text, first_word);
    size_t at = length >= 8 ? 8 : 0;
    for (; length - at >= 32; at += 32) {
        uint64_t first = odd_bytes(read_word(text + at)) | odd_bytes(read_word(text + at + 8));
        uint64_t second = odd_bytes(read_word(text + at + 16)) | odd_bytes(read_word(text + at + 24));
        if ((first | second) != 0)
            break;
    }
    for (; length - at >= 8; at += 8) {
        uint64_t odd = odd_bytes(read_word(text + at));
        if (odd != 0)
            return at + first_odd(text + at, odd);
    }
    while (at < length && is_plain_ascii(text[at]))
        at++;
    return at;
}

size_t json_plain_length(const char *text, size_t length)
{
    size_t at = plain_ascii_length(text, length);
    while (at < length && (unsigned char)text[at] >= 0x80) {
        size_t sequence = utf8_sequence(text + at, length - at);
        if (sequence == 0)
            return at;
        at += sequence;
        /* Among other alphabets one more call for each letter would cost more than it saves. */
        if (at < length && (unsigned char)text[at] < 0x80)
            at += plain_ascii_length(text + at, length - at);
    }
    return at;
}

/* An escape's length, from its backslash on; 0 where it is none, `*fault` what is wrong with a character that was
 * named. */
static size_t escape_length(const char *at, const char *end, enum json_scan_fault *fault)
{
    static const char letters[] = "\"\\/bfnrt";
    if (end - at < 2)
        return 0;
    if (at[1] != 'u')
        return at[1] != '\0' && strchr(letters, at[1]) != NULL ? 2 : 0;
    int unit = json_scan_unit(at + 2, end);
    if (unit < 0)
        return 0;
    if (unit == 0 && *fault == JSON_SCAN_FINE)
        *fault = JSON_SCAN_NUL;
    if (unit < 0xD800 || unit > 0xDFFF)
        return 6;
    int low = end - at >= 12 && at[6] == '\\' && at[7] == 'u' ? json_scan_unit(at + 8, end) : -1;
    if (unit <= 0xDBFF && low >= 0xDC00 && low <= 0xDFFF)
        return 12;
    *fault = JSON_SCAN_SURROGATE;
    return 6;
}

static bool fail_in_string(struct json_scan *scan, const char *at)
{
    if (at >= scan->end)
        return fail(scan, JSON_SCAN_TOO_EARLY, scan->end);
    if ((unsigned char)*at < 0x20)
        return fail(scan, JSON_SCAN_CONTROL, at + 1);
    if ((unsigned char)*at >= 0x80)
        return fail(scan, JSON_SCAN_BAD_UTF8, at + 1);
    if (scan->end - at < 2)
        return fail(scan, JSON_SCAN_TOO_EARLY, scan->end);
    return fail(scan, JSON_SCAN_BAD_ESCAPE, at + 2);
}

/* Goes on at the first byte that is not plain. What is wrong with a character is told at the string's end: that the
 * string has one comes first. */
static bool scan_escaped(struct json_scan *scan, struct json_scanned *value, const char *at)
{
    enum json_scan_fault fault = JSON_SCAN_FINE;
    while (at == scan->end || *at != '"') {
        size_t escape = at < scan->end && *at == '\\' ? escape_length(at, scan->end, &fault) : 0;
        if (escape == 0)
            return fail_in_string(scan, at);
        value->has_escapes = true;
        at += escape;
        at += json_plain_length(at, (size_t)(scan->end - at));
    }
    value->length = (size_t)(at - value->text);
    scan->at = at + 1;
    return fault == JSON_SCAN_FINE || fail(scan, fault, scan->at);
}

static bool scan_string(struct json_scan *scan, struct json_scanned *value)
{
    const char *text = scan->at + 1;
    size_t plain = json_plain_length(text, (size_t)(scan->end - text));
    *value = (struct json_scanned){.kind = JSON_SCAN_STRING, .text = text, .length = plain};
    if (text + plain == scan->end || text[plain] != '"')
        return scan_escaped(scan, value, text + plain);
    scan->at = text + plain + 1;
    return true;
}

/* ---- numbers ---- */

/* At least one of them; `*at` is then behind them. */
static bool take_digits(const char **at, const char *end)
{
    const char *begin = *at;
    while (*at < end && **at >= '0' && **at <= '9')
        ++*at;
    return *at > begin;
}

/* Goes to the end of the number at `*at`, or to where it turns out to be none. */
static bool take_number(const char **at, const char *end, bool *is_real)
{
    *is_real = false;
    *at += **at == '-';
    if (*at < end && **at == '0')
        ++*at;
    else if (!take_digits(at, end))
        return false;
    if (*at < end && **at == '.') {
        *is_real = true;
        ++*at;
        if (!take_digits(at, end))
            return false;
    }
    if (*at == end || (**at != 'e' && **at != 'E'))
        return true;
    *is_real = true;
    ++*at;
    *at += *at < end && (**at == '+' || **at == '-');
    return take_digits(at, end);
}

/* False where 64 bits do not hold it. */
static bool read_integer(const char *at, const char *end, int64_t *integer)
{
    bool is_negative = *at == '-';
    uint64_t limit = (uint64_t)INT64_MAX + is_negative, number = 0;
    for (at += is_negative; at < end; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (number > (limit - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *integer = is_negative ? (int64_t)(0 - number) : (int64_t)number;
    return true;
}

/* Through a copy: the C library wants a NUL behind the digits. The process keeps the locale "C", with its point. */
static bool read_real(const char *at, const char *end, double *real)
{
    char small[NUMBER_BYTES];
    size_t length = (size_t)(end - at);
    char *copy = length < sizeof small ? small : xmalloc(length + 1);
    memcpy(copy, at, length);
    copy[length] = '\0';
    *real = strtod(copy, NULL);
    if (copy != small)
        free(copy);
    return isfinite(*real);
}

static bool scan_number(struct json_scan *scan, struct json_scanned *value)
{
    const char *begin = scan->at, *end = begin;
    bool is_real;
    if (!take_number(&end, scan->end, &is_real))
        return fail_at(scan, end);
    scan->at = end;
    *value = (struct json_scanned){.kind = JSON_SCAN_INTEGER, .text = begin, .length = (size_t)(end - begin)};
    if (!is_real && read_integer(begin, end, &value->integer))
        return true;
    value->kind = JSON_SCAN_REAL;
    return read_real(begin, end, &value->real) || fail(scan, JSON_SCAN_OVERFLOW, end);
}

/* ---- the walk ---- */

void json_scan_init(struct json_scan *scan, const char *bytes, size_t length)
{
    *scan = (struct json_scan){.begin = bytes, .at = bytes, .end = bytes + length};
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static void skip_blanks(struct json_scan *scan)
{
    /* Nothing that machines write for each other has blanks: one comparison tells. */
    while (scan->at < scan->end && (unsigned char)*scan->at <= ' ' && is_blank(*scan->at))
        scan->at++;
}

/* Passes over blanks; is `byte` next? */
static bool is_next(struct json_scan *scan, char byte)
{
    if (scan->fault != JSON_SCAN_FINE)
        return false;
    skip_blanks(scan);
    return scan->at < scan->end && *scan->at == byte;
}

static bool take(struct json_scan *scan, char byte)
{
    bool is_there = is_next(scan, byte);
    scan->at += is_there;
    return is_there;
}

static bool scan_word(struct json_scan *scan, struct json_scanned *value)
{
    static const struct {
        const char *text;
        enum json_scan_kind kind;
    } words[] = {{"null", JSON_SCAN_NULL}, {"false", JSON_SCAN_FALSE}, {"true", JSON_SCAN_TRUE}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t length = strlen(words[i].text);
        if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, words[i].text, length) != 0)
            continue;
        *value = (struct json_scanned){.kind = words[i].kind, .text = scan->at, .length = length};
        scan->at += length;
        return true;
    }
    return fail_at(scan, scan->at);
}

static bool open_nested(struct json_scan *scan, struct json_scanned *value)
{
    value->kind = *scan->at == '[' ? JSON_SCAN_ARRAY : JSON_SCAN_OBJECT;
    scan->at++;
    scan->is_opened = true;
    return ++scan->depth <= JSON_SCAN_DEPTH || fail(scan, JSON_SCAN_TOO_DEEP, scan->at);
}

bool json_scan_value(struct json_scan *scan, struct json_scanned *value)
{
    if (scan->fault != JSON_SCAN_FINE)
        return false;
    skip_blanks(scan);
    if (scan->at == scan->end)
        return fail(scan, scan->depth > 0 ? JSON_SCAN_TOO_EARLY : JSON_SCAN_EMPTY, scan->end);
    switch (*scan->at) {
    case '"':
        return scan_string(scan, value);
    case '[':
    case '{':
        return open_nested(scan, value);
    case 'n':
    case 'f':
    case 't':
        return scan_word(scan, value);
    default:
        return scan_number(scan, value);
    }
}

/* Is there another item or member? False also at the bracket that closes. */
static bool go_on(struct json_scan *scan, char closing)
{
    bool is_first = scan->is_opened;
    scan->is_opened = false;
    if (scan->fault != JSON_SCAN_FINE)
        return false;
    skip_blanks(scan);
    char next = scan->at < scan->end ? *scan->at : '\0';
    if (next == closing) {
        scan->at++;
        scan->depth--;
        return false;
    }
    if (is_first)
        return true;
    if (next != ',')
        return fail_at(scan, scan->at);
    scan->at++;
    return true;
}

bool json_scan_item(struct json_scan *scan)
{
    return go_on(scan, ']');
}

bool json_scan_member(struct json_scan *scan, struct json_scanned *key)
{
    if (!go_on(scan, '}'))
        return false;
    if (!is_next(scan, '"'))
        return scan->fault == JSON_SCAN_FINE && fail_at(scan, scan->at);
    return scan_string(scan, key) && (take(scan, ':') || fail_at(scan, scan->at));
}

/* The rest of what was opened just now. Without recursion: which bracket closes what was opened how deep is kept. */
static bool skip_nested(struct json_scan *scan, enum json_scan_kind kind)
{
    unsigned char is_array[JSON_SCAN_DEPTH + 1];
    struct json_scanned value;
    int outside = scan->depth - 1;
    is_array[scan->depth] = kind == JSON_SCAN_ARRAY;
    while (scan->depth > outside) {
        bool goes_on = is_array[scan->depth] ? json_scan_item(scan) : json_scan_member(scan, &value);
        if (goes_on && json_scan_value(scan, &value) && scan->is_opened)
            is_array[scan->depth] = value.kind == JSON_SCAN_ARRAY;
        if (scan->fault != JSON_SCAN_FINE)
            return false;
    }
    return true;
}

bool json_scan_whole(struct json_scan *scan, struct json_scanned *value)
{
    return json_scan_value(scan, value) && (!scan->is_opened || skip_nested(scan, value->kind));
}

bool json_scan_skip(struct json_scan *scan)
{
    struct json_scanned value;
    return json_scan_whole(scan, &value);
}

bool json_scan_enter(struct json_scan *scan)
{
    struct json_scanned value;
    if (!json_scan_value(scan, &value))
        return false;
    if (value.kind == JSON_SCAN_ARRAY)
        skip_nested(scan, value.kind);
    return value.kind == JSON_SCAN_OBJECT;
}

bool json_scan_end(struct json_scan *scan)
{
    if (scan->fault != JSON_SCAN_FINE)
        return false;
    skip_blanks(scan);
    if (scan->at == scan->end)
        return true;
    bool is_text = utf8_sequence(scan->at, (size_t)(scan->end - scan->at)) > 0;
    return fail(scan, is_text ? JSON_SCAN_TOO_LATE : JSON_SCAN_BAD_UTF8, scan->at + 1);
}
