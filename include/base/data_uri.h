/* data: URIs and base64 (RFC 2397, RFC 4648), and what kind of file some bytes are. Pure; any thread. */
#ifndef BASE_DATA_URI_H
#define BASE_DATA_URI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Borrowed parts of a data URI. */
struct data_uri {
    const char *media_type; /* without parameters; not NUL-terminated; length 0 where there is none */
    size_t media_type_length;
    const char *payload;
    size_t payload_length;
    bool is_base64; /* else percent-encoded */
};

/* Does the text begin with "data:" (in any case)? */
bool data_uri_is(const char *text, size_t length);

/* False where it is none, or has no comma. */
bool data_uri_parse(const char *text, size_t length, struct data_uri *uri);

/* Appends the bytes. False where the payload is broken (base64 of both alphabets, with and without padding and with white
 * space in between is accepted), or where the buf is full (out->overflowed). */
bool data_uri_decode(const struct data_uri *uri, struct buf *out);

/* The first bytes alone, at most `size`: enough to tell the kind. Returns how many. */
size_t data_uri_peek(const struct data_uri *uri, unsigned char *bytes, size_t size);

/* Is the whole payload well-formed? `*size` is how many bytes it holds, up to the first fault. All of it is read. */
bool data_uri_measure(const struct data_uri *uri, size_t *size);

/* The same, each alone; the size of what is not well-formed is an upper bound. */
size_t data_uri_size(const struct data_uri *uri);
bool data_uri_is_sound(const struct data_uri *uri);

/* The media type that the first bytes show (image/png, image/jpeg, image/gif, image/webp, image/avif, image/heic, image/bmp,
 * image/tiff, image/svg+xml, audio/wav, audio/mpeg, audio/ogg, audio/flac, audio/mp4, audio/aac, video/mp4, video/webm,
 * video/quicktime, application/pdf, application/zip); NULL where they show none of these. 64 bytes are enough. */
const char *media_type_sniff(const unsigned char *bytes, size_t length);

/* A file name's usual extension for a media type, without a dot: "png"; "bin" where none is known. */
const char *media_type_extension(const char *media_type);

#endif
