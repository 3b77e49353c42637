/* What must be known about UTF-8 to cut, mask and escape text safely. Any thread. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

/* The length (1 to 4) of the valid UTF-8 sequence at `bytes`, of which `available` may be read; 0 when the
 * first byte begins none (a stray or missing continuation byte, overlong, a surrogate, over U+10FFFF). */
size_t utf8_sequence(const char *bytes, size_t available);

/* How many bytes at the start of `text` are whole, valid characters. */
size_t utf8_valid_length(const char *text, size_t length);

/* The longest length, at most `maximum`, at which `text` of `length` bytes can be cut without splitting a character. */
size_t utf8_cut(const char *text, size_t length, size_t maximum);

enum { UTF8_ESCAPE_BYTES = 8 };

/* Writes to `out` the character at `text` (`length` bytes, at least one) as it stands inside a JSON string:
 * quotes, backslashes and control characters (DEL and U+0080 to U+009F too) are escaped, a bad byte becomes
 * U+FFFD. `*used` gets how many bytes of `text` that was. Returns the length written; no NUL is. */
size_t utf8_escape(char out[UTF8_ESCAPE_BYTES], const char *text, size_t length, size_t *used);

#endif
