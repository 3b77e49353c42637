/* UTF-8 as RFC 3629 defines it, checked one character at a time. */
#include "base/utf8.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"

static int is_continuation(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* How many bytes the lead byte announces; 0 for bytes that can never lead (C0 and C1 would be overlong,
 * F5 and above are beyond U+10FFFF). */
static size_t announced_length(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 2;
    if (lead >= 0xE0 && lead <= 0xEF)
        return 3;
    if (lead >= 0xF0 && lead <= 0xF4)
        return 4;
    return 0;
}

/* Four lead bytes narrow the range of the second byte: this is where overlong forms, surrogates and
 * values over U+10FFFF are told from the rest. */
static int second_is_in_range(unsigned char lead, unsigned char second)
{
    switch (lead) {
    case 0xE0:
        return second >= 0xA0;
    case 0xED:
        return second <= 0x9F;
    case 0xF0:
        return second >= 0x90;
    case 0xF4:
        return second <= 0x8F;
    default:
        return 1;
    }
}

size_t utf8_sequence(const char *bytes, size_t available)
{
    if (available == 0)
        return 0;
    const unsigned char *byte = (const unsigned char *)bytes;
    size_t length = announced_length(byte[0]);
    if (length > available)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if (!is_continuation(byte[i]))
            return 0;
    }
    if (length > 1 && !second_is_in_range(byte[0], byte[1]))
        return 0;
    return length;
}

/* Most text is ASCII for long stretches. */
static size_t ascii_words_length(const char *text, size_t length)
{
    size_t at = 0;
    for (uint64_t word; length - at >= sizeof word; at += sizeof word) {
        memcpy(&word, text + at, sizeof word);
        if ((word & UINT64_C(0x8080808080808080)) != 0)
            break;
    }
    return at;
}

size_t utf8_valid_length(const char *text, size_t length)
{
    size_t at = 0, sequence;
    do {
        at += ascii_words_length(text + at, length - at);
        sequence = utf8_sequence(text + at, length - at);
        at += sequence;
    } while (sequence > 0);
    return at;
}

size_t utf8_cut(const char *text, size_t length, size_t maximum)
{
    if (length <= maximum)
        return length;
    /* Only a whole character that straddles the cut moves it; among bad bytes any place is as good as another. */
    for (size_t back = 1; back <= 3 && back <= maximum; back++) {
        size_t start = maximum - back;
        if (utf8_sequence(text + start, length - start) > back)
            return start;
    }
    return maximum;
}

static size_t escape_ascii(char out[UTF8_ESCAPE_BYTES], char character)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *found = character ? strchr(plain, character) : NULL;
    if (found) {
        out[0] = '\\';
        out[1] = letters[found - plain];
        return 2;
    }
    if ((unsigned char)character < 0x20 || character == 0x7F)
        return (size_t)snprintf(out, UTF8_ESCAPE_BYTES, "\\u%04x", (unsigned)(unsigned char)character);
    out[0] = character;
    return 1;
}

size_t utf8_escape(char out[UTF8_ESCAPE_BYTES], const char *text, size_t length, size_t *used)
{
    ensure(length > 0);
    size_t sequence = utf8_sequence(text, length);
    *used = sequence ? sequence : 1;
    if (sequence == 1)
        return escape_ascii(out, text[0]);
    if (sequence == 0) {
        memcpy(out, "\xEF\xBF\xBD", 3);
        return 3;
    }
    /* C1 control characters: some terminals obey them as they obey ESC. */
    if (sequence == 2 && (unsigned char)text[0] == 0xC2 && (unsigned char)text[1] < 0xA0)
        return (size_t)snprintf(out, UTF8_ESCAPE_BYTES, "\\u%04x", (unsigned)(unsigned char)text[1]);
    memcpy(out, text, sequence);
    return sequence;
}
