/* Growable bytes with a maximum fixed at birth.
 *
 * Appending beyond the maximum appends nothing, sets `overflowed` and returns
 * false, and so does every later append until buf_clear: a chain of appends may
 * be checked once, at its end. The bytes are
 * always followed by a NUL that `length` does not count (data is NULL while
 * nothing was ever appended; use buf_text). One thread at a time. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data;
    size_t length, capacity, maximum;
    bool overflowed;
};

void buf_init(struct buf *buf, size_t maximum_bytes);
void buf_dispose(struct buf *buf); /* frees; the maximum stays, so it can be used again */
void buf_clear(struct buf *buf);   /* length 0, overflow forgotten, memory kept */

/* Makes room for so many bytes more, for the sake of speed alone: where it is known about how many will come, the buf
 * does not grow from one size to the next for them. Beyond the maximum it does nothing. */
void buf_reserve(struct buf *buf, size_t length);

bool buf_append(struct buf *buf, const void *bytes, size_t length);
bool buf_append_text(struct buf *buf, const char *text);
char *buf_extend(struct buf *buf, size_t length); /* so many bytes more, which the caller fills; NULL on overflow */
bool buf_append_integer(struct buf *buf, int64_t integer); /* in decimal digits */
bool buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* `text` into an array of `size` bytes, cut where it does not fit, with its NUL: what snprintf's "%s" takes ten times as
 * long for. */
void buf_copy_text(char *array, size_t size, const char *text);

/* Forgets the first `length` bytes; the rest moves up. */
void buf_shift(struct buf *buf, size_t length);

/* The bytes with their NUL; "" when empty. Valid until the next append. */
const char *buf_text(const struct buf *buf);

/* Hands the bytes over, NUL-terminated, never NULL; the caller frees. The buf is empty afterwards. */
char *buf_take(struct buf *buf, size_t *length);

#endif
