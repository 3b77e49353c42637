/* Takes data: URIs apart, and reads base64 as leniently as browsers do. */
#include "base/data_uri.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { CHUNK_BYTES = 3 * 1024 };

/* What a character of base64 is: its six bits, or one of these. */
enum { CODE_SPACE = 64, CODE_PADDING = 65, CODE_BAD = 66 };

/* clang-format off */
static const unsigned char codes[256] = {
    66, 66, 66, 66, 66, 66, 66, 66, 66, 64, 64, 66, 64, 64, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    64, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 62, 66, 62, 66, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 66, 66, 66, 65, 66, 66,
    66,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 66, 66, 66, 66, 63,
    66, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
};
/* clang-format on */

/* A payload being read. */
struct reader {
    const char *at, *end;
    bool is_base64, is_broken;
    uint32_t held; /* the bits of up to four characters of base64 */
    int held_count, padding;
};

bool data_uri_is(const char *text, size_t length)
{
    return length >= strlen("data:") && strncasecmp(text, "data:", strlen("data:")) == 0;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* Is one of the parameters, each behind a semicolon, "base64"? By the standard it is the last one. */
static bool has_base64(const char *at, const char *end)
{
    static const char word[] = "base64";
    while (at < end) {
        const char *begin = at + 1;
        const char *next = memchr(begin, ';', (size_t)(end - begin));
        at = next != NULL ? next : end;
        const char *last = at;
        while (begin < last && is_blank(*begin))
            begin++;
        while (last > begin && is_blank(last[-1]))
            last--;
        if ((size_t)(last - begin) == sizeof word - 1 && strncasecmp(begin, word, sizeof word - 1) == 0)
            return true;
    }
    return false;
}

bool data_uri_parse(const char *text, size_t length, struct data_uri *uri)
{
    if (!data_uri_is(text, length))
        return false;
    const char *type = text + strlen("data:"), *end = text + length;
    const char *comma = memchr(type, ',', (size_t)(end - type));
    if (comma == NULL)
        return false;
    const char *parameters = memchr(type, ';', (size_t)(comma - type));
    const char *type_end = parameters != NULL ? parameters : comma;
    while (type < type_end && is_blank(*type))
        type++;
    while (type_end > type && is_blank(type_end[-1]))
        type_end--;
    *uri = (struct data_uri){
        .media_type = type,
        .media_type_length = (size_t)(type_end - type),
        .payload = comma + 1,
        .payload_length = (size_t)(end - comma - 1),
        .is_base64 = parameters != NULL && has_base64(parameters, comma),
    };
    return true;
}

/* ---- base64 ---- */

/* As many groups of four characters as have nothing unusual among them: nearly all of nearly every file. Returns how
 * many bytes that were. */
static size_t take_groups(struct reader *reader, unsigned char *out, size_t size)
{
    if (reader->held_count > 0 || reader->padding > 0 || reader->is_broken)
        return 0;
    size_t groups = (size_t)(reader->end - reader->at) / 4, count = 0;
    if (groups > size / 3)
        groups = size / 3;
    for (const unsigned char *at = (const unsigned char *)reader->at; count < groups; count++, at += 4, out += 3) {
        const unsigned a = codes[at[0]], b = codes[at[1]], c = codes[at[2]], d = codes[at[3]];
        if ((a | b | c | d) >= CODE_SPACE)
            break;
        out[0] = (unsigned char)(a << 2 | b >> 4);
        out[1] = (unsigned char)(b << 4 | c >> 2);
        out[2] = (unsigned char)(c << 6 | d);
    }
    reader->at += 4 * count;
    return 3 * count;
}

static void take_one(struct reader *reader)
{
    unsigned code = codes[(unsigned char)*reader->at++];
    if (code == CODE_SPACE)
        return;
    if (code == CODE_PADDING) {
        reader->is_broken = ++reader->padding > 2;
    } else if (code == CODE_BAD || reader->padding > 0) {
        reader->is_broken = true;
    } else {
        reader->held = reader->held << 6 | code;
        reader->held_count++;
    }
}

/* The bytes of what is held; it may be less than four characters at the end alone. */
static size_t flush(struct reader *reader, unsigned char out[3])
{
    size_t count = (size_t)reader->held_count * 6 / 8;
    uint32_t bits = reader->held << (24 - reader->held_count * 6);
    for (size_t i = 0; i < count; i++)
        out[i] = (unsigned char)(bits >> (16 - 8 * i));
    reader->held = 0;
    reader->held_count = 0;
    return count;
}

/* Padding may be left out, but not be wrong. */
static size_t end_base64(struct reader *reader, unsigned char out[3])
{
    bool is_padded = reader->padding == 0 || (reader->held_count > 0 && reader->held_count + reader->padding == 4);
    if (reader->is_broken || reader->held_count == 1 || !is_padded) {
        reader->is_broken = true;
        return 0;
    }
    reader->padding = 0;
    return flush(reader, out);
}

static size_t read_base64(struct reader *reader, unsigned char *out, size_t size)
{
    size_t count = 0;
    while (size - count >= 3) {
        size_t taken = take_groups(reader, out + count, size - count);
        count += taken;
        if (taken > 0)
            continue;
        if (reader->held_count == 4) {
            count += flush(reader, out + count);
        } else if (reader->at == reader->end || reader->is_broken) {
            return count + end_base64(reader, out + count);
        } else {
            take_one(reader);
        }
    }
    return count;
}

/* ---- percent-encoding ---- */

static int hex_digit(char byte)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *digit = byte != '\0' ? strchr(digits, byte) : NULL;
    return digit != NULL ? (int)((digit - digits) % 16) : -1;
}

/* A percent sign that begins no escape stands for itself: pictures written by hand are full of them. */
static size_t read_percent(struct reader *reader, unsigned char *out, size_t size)
{
    size_t count = 0;
    for (; count < size && reader->at < reader->end; count++) {
        int high = -1, low = -1;
        if (*reader->at == '%' && reader->end - reader->at >= 3) {
            high = hex_digit(reader->at[1]);
            low = hex_digit(reader->at[2]);
        }
        bool is_escape = high >= 0 && low >= 0;
        out[count] = is_escape ? (unsigned char)(high * 16 + low) : (unsigned char)*reader->at;
        reader->at += is_escape ? 3 : 1;
    }
    return count;
}

/* ---- both ---- */

static struct reader reader_of(const struct data_uri *uri)
{
    return (struct reader){.at = uri->payload, .end = uri->payload + uri->payload_length, .is_base64 = uri->is_base64};
}

/* The next bytes, none at the end; `size` is at least 3. */
static size_t read_some(struct reader *reader, unsigned char *out, size_t size)
{
    return reader->is_base64 ? read_base64(reader, out, size) : read_percent(reader, out, size);
}

bool data_uri_decode(const struct data_uri *uri, struct buf *out)
{
    unsigned char chunk[CHUNK_BYTES];
    struct reader reader = reader_of(uri);
    size_t before = out->length;
    bool fits = true;
    for (size_t count; fits && (count = read_some(&reader, chunk, sizeof chunk)) > 0;)
        fits = buf_append(out, chunk, count);
    if (fits && !reader.is_broken)
        return true;
    /* Half a file is worth nothing. */
    if (out->length > before) {
        out->length = before;
        out->data[before] = '\0';
    }
    return false;
}

size_t data_uri_peek(const struct data_uri *uri, unsigned char *bytes, size_t size)
{
    unsigned char chunk[48];
    struct reader reader = reader_of(uri);
    size_t length = 0;
    while (length < size) {
        size_t count = read_some(&reader, chunk, sizeof chunk);
        size_t taken = count < size - length ? count : size - length;
        if (count == 0)
            break;
        memcpy(bytes + length, chunk, taken);
        length += taken;
    }
    return length;
}

/* How many groups of four characters at the start have nothing unusual among them; up to three of such may be left out.
 */
static size_t plain_groups(const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t groups = length / 4, count = 0;
    for (; groups - count >= 4; count += 4, at += 16) {
        unsigned first = codes[at[0]] | codes[at[1]] | codes[at[2]] | codes[at[3]];
        unsigned second = codes[at[4]] | codes[at[5]] | codes[at[6]] | codes[at[7]];
        unsigned third = codes[at[8]] | codes[at[9]] | codes[at[10]] | codes[at[11]];
        unsigned fourth = codes[at[12]] | codes[at[13]] | codes[at[14]] | codes[at[15]];
        if ((first | second | third | fourth) >= CODE_SPACE)
            break;
    }
    return count;
}

/* What is plain is counted, and the rest read as if it were decoded. */
static size_t measure(struct reader *reader)
{
    unsigned char chunk[48];
    size_t size = 0, count;
    do {
        if (reader->is_base64 && reader->held_count == 0 && reader->padding == 0 && !reader->is_broken) {
            size_t groups = plain_groups(reader->at, (size_t)(reader->end - reader->at));
            reader->at += 4 * groups;
            size += 3 * groups;
        }
        count = read_some(reader, chunk, sizeof chunk);
        size += count;
    } while (count > 0);
    return size;
}

bool data_uri_measure(const struct data_uri *uri, size_t *size)
{
    struct reader reader = reader_of(uri);
    *size = measure(&reader);
    return !reader.is_broken;
}

size_t data_uri_size(const struct data_uri *uri)
{
    size_t size;
    return data_uri_measure(uri, &size) ? size : uri->payload_length;
}

bool data_uri_is_sound(const struct data_uri *uri)
{
    size_t size;
    return data_uri_measure(uri, &size);
}
