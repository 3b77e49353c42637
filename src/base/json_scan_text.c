/* What the scanner has found, taken further: the characters of a string, which it leaves escaped as they were sent, and
 * the integer of a number. */
#include "base/json_scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "json_scan_int.h"

/* Beyond this an integral real no longer tells which integer was meant. */
static const double largest_exact_real = 9007199254740992.0;

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte = (char)(byte | 0x20);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

int json_scan_unit(const char *at, const char *end)
{
    int unit = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(at[i]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

static size_t write_character(char *out, unsigned code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = length; i-- > 1; code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)(leads[length] | code);
    return length;
}

/* Writes what the escape at `*at` means, and goes on behind it. No escape is shorter than its character. */
static size_t write_escaped(char *out, const char **at, const char *end)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *text = *at;
    if (text[1] != 'u') {
        *at += 2;
        *out = meant[strchr(letters, text[1]) - letters];
        return 1;
    }
    unsigned code = (unsigned)json_scan_unit(text + 2, end);
    *at += 6;
    if (code >= 0xD800 && code <= 0xDBFF) {
        unsigned low = (unsigned)json_scan_unit(text + 8, end);
        *at += 6;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    return write_character(out, code);
}

size_t json_scan_unescape(const struct json_scanned *value, char *out)
{
    const char *at = value->text, *end = value->text + value->length;
    size_t length = 0;
    if (!value->has_escapes) {
        memcpy(out, at, value->length);
        return value->length;
    }
    while (at < end) {
        const char *backslash = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((backslash != NULL ? backslash : end) - at);
        memcpy(out + length, at, plain);
        length += plain;
        at += plain;
        if (at < end)
            length += write_escaped(out + length, &at, end);
    }
    return length;
}

bool json_scan_is(const struct json_scanned *value, const char *text)
{
    if (!value->has_escapes)
        return (value->length == 0 || *text == *value->text) && strncmp(text, value->text, value->length) == 0 &&
               text[value->length] == '\0';
    /* An escape takes six bytes at the most for each that it means. */
    size_t length = strlen(text);
    if (value->length > length * 6)
        return false;
    char *written = xmalloc(value->length);
    bool is_same = json_scan_unescape(value, written) == length && memcmp(written, text, length) == 0;
    free(written);
    return is_same;
}

bool json_scan_whole_number(const struct json_scanned *value, int64_t *out)
{
    if (value->kind == JSON_SCAN_INTEGER) {
        *out = value->integer;
        return true;
    }
    /* The range first: converting a larger one is undefined. */
    if (value->kind != JSON_SCAN_REAL || !(value->real >= -largest_exact_real && value->real <= largest_exact_real) ||
        (double)(int64_t)value->real != value->real)
        return false;
    *out = (int64_t)value->real;
    return true;
}
