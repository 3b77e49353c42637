/* Growable bytes that refuse to grow beyond what their owner can afford. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"

enum { SMALLEST_CAPACITY = 64, LARGE_SLACK_BYTES = 64 * 1024, INTEGER_BYTES = 20 /* of INT64_MIN */ };

void buf_init(struct buf *buf, size_t maximum_bytes)
{
    /* Leaves room for the NUL and for doubling without overflow. */
    ensure(maximum_bytes < SIZE_MAX / 4);
    *buf = (struct buf){.maximum = maximum_bytes};
}

void buf_dispose(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){.maximum = buf->maximum};
}

void buf_clear(struct buf *buf)
{
    buf->length = 0;
    buf->overflowed = false;
    if (buf->data)
        buf->data[0] = '\0';
}

/* Makes room for `length` more bytes and their NUL. An overflow is final until the buf is cleared: text with a
 * hole in its middle would be worse than none. */
static bool reserve(struct buf *buf, size_t length)
{
    if (buf->overflowed || length > buf->maximum - buf->length) {
        buf->overflowed = true;
        return false;
    }
    size_t needed = buf->length + length + 1;
    if (needed <= buf->capacity)
        return true;
    size_t capacity = buf->capacity ? buf->capacity * 2 : SMALLEST_CAPACITY;
    if (capacity > buf->maximum + 1)
        capacity = buf->maximum + 1;
    if (capacity < needed)
        capacity = needed;
    buf->data = xrealloc(buf->data, capacity);
    buf->capacity = capacity;
    buf->data[buf->length] = '\0';
    return true;
}

void buf_reserve(struct buf *buf, size_t length)
{
    if (!buf->overflowed && length <= buf->maximum - buf->length)
        (void)reserve(buf, length);
}

char *buf_extend(struct buf *buf, size_t length)
{
    if (!reserve(buf, length))
        return NULL;
    char *place = buf->data + buf->length;
    place[length] = '\0';
    buf->length += length;
    return place;
}

bool buf_append(struct buf *buf, const void *bytes, size_t length)
{
    char *place = buf_extend(buf, length);
    if (place != NULL && length > 0)
        memcpy(place, bytes, length);
    return place != NULL;
}

bool buf_append_text(struct buf *buf, const char *text)
{
    return buf_append(buf, text, strlen(text));
}

/* Most of what is written about a request are such numbers, and printf takes a thousand instructions for each. */
bool buf_append_integer(struct buf *buf, int64_t integer)
{
    char digits[INTEGER_BYTES];
    size_t at = sizeof digits;
    uint64_t rest = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (integer < 0)
        digits[--at] = '-';
    return buf_append(buf, digits + at, sizeof digits - at);
}

bool buf_printf(struct buf *buf, const char *format, ...)
{
    va_list arguments, again;
    size_t room = buf->capacity - buf->length;
    va_start(arguments, format);
    va_copy(again, arguments);
    /* Straight into what is free, which mostly is enough; else once more. */
    int length = vsnprintf(room > 0 ? buf->data + buf->length : NULL, room, format, arguments);
    va_end(arguments);
    ensure(length >= 0);
    bool fits = reserve(buf, (size_t)length);
    if (fits && (size_t)length >= room)
        vsnprintf(buf->data + buf->length, (size_t)length + 1, format, again);
    if (fits)
        buf->length += (size_t)length;
    else if (buf->data != NULL)
        buf->data[buf->length] = '\0';
    va_end(again);
    return fits;
}

void buf_copy_text(char *array, size_t size, const char *text)
{
    ensure(size > 0);
    size_t length = strnlen(text, size - 1);
    memcpy(array, text, length);
    array[length] = '\0';
}

void buf_shift(struct buf *buf, size_t length)
{
    ensure(length <= buf->length);
    if (length == 0)
        return;
    buf->length -= length;
    memmove(buf->data, buf->data + length, buf->length + 1); /* the NUL too */
}

const char *buf_text(const struct buf *buf)
{
    return buf->data ? buf->data : "";
}

char *buf_take(struct buf *buf, size_t *length)
{
    /* Whoever takes it may keep it for long, and what was kept in store for growing can be as much again. */
    if (buf->capacity - buf->length > LARGE_SLACK_BYTES)
        buf->data = xrealloc(buf->data, buf->length + 1);
    char *data = buf->data ? buf->data : xstrdup("");
    if (length)
        *length = buf->length;
    *buf = (struct buf){.maximum = buf->maximum};
    return data;
}
