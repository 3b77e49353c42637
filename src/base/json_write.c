/* Writes trees and strings as compact JSON. Strings are copied in runs of what needs no escape, which is most of most.
 */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json_scan.h"
#include "base/utf8.h"

enum { REAL_DIGITS = 15, REAL_BYTES = 40 };

/* Half a value is worth nothing: what an append that overflowed has left is taken back. */
static bool settle(struct buf *out, size_t length_before, bool succeeded)
{
    if (!succeeded && out->length > length_before) {
        out->length = length_before;
        out->data[length_before] = '\0';
    }
    return succeeded;
}

/* ---- trees ---- */

/* What may not stand in a string: a quote, a backslash or a control character. False where it is none of them. */
static bool append_escaped(struct buf *out, char byte)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *found = byte != '\0' ? strchr(plain, byte) : NULL;
    if (found != NULL)
        return buf_append(out, (const char[]){'\\', letters[found - plain]}, 2);
    return (unsigned char)byte < 0x20 && buf_printf(out, "\\u%04X", (unsigned)(unsigned char)byte);
}

static bool append_with_escapes(struct buf *out, const char *text, size_t length, size_t plain)
{
    if (!buf_append(out, "\"", 1))
        return false;
    for (size_t at = 0; at < length; plain = json_plain_length(text + at, length - at)) {
        if (!buf_append(out, text + at, plain))
            return false;
        at += plain;
        if (at < length && !append_escaped(out, text[at++]))
            return false;
    }
    return buf_append(out, "\"", 1);
}

/* A tree may hold strings that nobody has looked at. They are not repaired here: whoever made one has made a mistake.
 */
static bool append_text(struct buf *out, const char *text, size_t length)
{
    size_t plain = json_plain_length(text, length);
    if (plain < length)
        return append_with_escapes(out, text, length, plain);
    char *place = buf_extend(out, length + 2);
    if (place == NULL)
        return false;
    place[0] = '"';
    memcpy(place + 1, text, length);
    place[length + 1] = '"';
    return true;
}

/* Appends what has four decimals at most, as people write numbers. False where it has more: then printf has to work out
 * which ones. Here it is an integer and a point, for with so few digits no other decimal is read as this real. */
static bool append_decimal(struct buf *out, double real)
{
    double size = fabs(real);
    int64_t scale = 1, digits;
    if (!(size >= 0.0001 && size < 1e9))
        return false;
    do {
        scale *= 10;
        digits = (int64_t)(size * (double)scale + 0.5);
    } while (scale < 10000 && (double)digits / (double)scale != size);
    if ((double)digits / (double)scale != size)
        return false;
    buf_append_text(out, real < 0 ? "-" : "");
    buf_append_integer(out, digits / scale);
    size_t point = out->length;
    if (buf_append_integer(out, scale + digits % scale)) /* a 1, and the decimals with their zeros */
        out->data[point] = '.';
    return true;
}

/* With a point or an exponent, so that it is read as a real again, and no more zeros and signs than that needs. */
static bool append_real(struct buf *out, double real)
{
    char text[REAL_BYTES];
    if (append_decimal(out, real))
        return !out->overflowed;
    size_t length = (size_t)snprintf(text, sizeof text, "%.*g", REAL_DIGITS, real);
    char *exponent = strchr(text, 'e');
    if (exponent == NULL)
        return buf_append(out, text, length) && (strchr(text, '.') != NULL || buf_append_text(out, ".0"));
    char *digits = exponent + 1 + (exponent[1] == '-');
    size_t needless = strspn(digits, "+0");
    memmove(digits, digits + needless, strlen(digits + needless) + 1);
    return buf_append_text(out, text);
}

static bool append_tree(struct buf *out, const json_t *value);

static bool append_array(struct buf *out, const json_t *array)
{
    size_t index;
    json_t *item;
    bool fits = buf_append(out, "[", 1);
    json_array_foreach(array, index, item)
    {
        fits = fits && (index == 0 || buf_append(out, ",", 1)) && append_tree(out, item);
    }
    return fits && buf_append(out, "]", 1);
}

/* In the order in which the members came. */
static bool append_object(struct buf *out, const json_t *object)
{
    json_t *members = (json_t *)object; /* jansson walks nothing that is const */
    bool fits = buf_append(out, "{", 1), is_first = true;
    for (void *at = json_object_iter(members); fits && at != NULL; at = json_object_iter_next(members, at)) {
        const char *key = json_object_iter_key(at);
        fits = (is_first || buf_append(out, ",", 1)) && append_text(out, key, strlen(key)) && buf_append(out, ":", 1) &&
               append_tree(out, json_object_iter_value(at));
        is_first = false;
    }
    return fits && buf_append(out, "}", 1);
}

static bool append_tree(struct buf *out, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return append_object(out, value);
    case JSON_ARRAY:
        return append_array(out, value);
    case JSON_STRING:
        return append_text(out, json_string_value(value), json_string_length(value));
    case JSON_INTEGER:
        return buf_append_integer(out, json_integer_value(value));
    case JSON_REAL:
        return append_real(out, json_real_value(value));
    case JSON_TRUE:
        return buf_append(out, "true", 4);
    case JSON_FALSE:
        return buf_append(out, "false", 5);
    case JSON_NULL:
        break;
    }
    return buf_append(out, "null", 4);
}

bool json_append(struct buf *out, const json_t *value)
{
    ensure(value);
    size_t before = out->length;
    return settle(out, before, append_tree(out, value));
}

/* ---- strings ---- */

/* DEL is no control character to JSON, but one to terminals. */
static size_t printable_length(const char *text, size_t length)
{
    size_t plain = json_plain_length(text, length);
    const char *found = memchr(text, 0x7F, plain);
    return found != NULL ? (size_t)(found - text) : plain;
}

bool json_append_string(struct buf *out, const char *text, size_t length)
{
    size_t before = out->length;
    buf_append(out, "\"", 1);
    for (size_t at = 0; at < length && !out->overflowed;) {
        size_t plain = printable_length(text + at, length - at);
        if (plain > 0) {
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
