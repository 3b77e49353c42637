/* Content parts that are no text: images, sounds, videos and files, in all the spellings that clients use. Pure. */
#ifndef OPENAI_MEDIA_PART_INT_H
#define OPENAI_MEDIA_PART_INT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum media_kind { MEDIA_IMAGE, MEDIA_AUDIO, MEDIA_VIDEO, MEDIA_FILE, MEDIA_KIND_COUNT };

enum { MEDIA_PARTS_MAX = 100, MEDIA_TYPE_BYTES = 128 };

struct media_part {
    enum media_kind kind;
    json_t *text;                 /* borrowed of the part: a URI, or base64 alone */
    bool is_bare;                 /* base64 alone */
    char type[MEDIA_TYPE_BYTES];  /* of the data, as its bytes show or else as the client says; "" for a URL */
    bool is_retyped;              /* a data: URI that names another type than this */
    char path[ERROR_PARAM_BYTES]; /* of the text: "messages[1].content[0].image_url.url" */
};

/* Is it a part of one of these kinds, whatever is in it? */
bool media_part_is(const json_t *part);

/* Checks the part at `path`: a URL of http or https, or data that is well-formed, not too large, and of the part's
 * kind. False and err (MISSING_PARAMETER, INVALID_TYPE, INVALID_VALUE, UNSUPPORTED_PARAMETER) at the path of what is
 * wrong. */
bool media_part_check(const json_t *part, const char *path, struct error *err);

/* Reads a part that was checked, without going through its data, which may be large, once more. False and err as above,
 * as far as that shows. */
bool media_part_read(const json_t *part, const char *path, struct media_part *media, struct error *err);

/* The URI to send, as a new reference: the part's own string wherever that is already right. */
json_t *media_part_uri(const struct media_part *media);

/* What a file of that type is: image/png an image, application/pdf a file. */
enum media_kind media_kind_of(const char *type);

#endif
