/* The output of a prediction as text, whatever its shape: the value decides, not the schema that the model declares.
 *
 * Text is: a string; an array of strings, put together; of an object the member that holds its text. Files (whole strings
 * that are links to one) become Markdown: an image `![image](URL)`, anything else `[file](URL)`, one per line. Anything else
 * is JSON text. Pure; any thread. */
#ifndef BASE_OUTPUT_H
#define BASE_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/json_scan.h"

/* Appends the text; nothing for NULL and null. */
void output_append_text(const json_t *output, struct buf *out);

/* Reads the next value as an output, a new reference: as it is, but an array of strings none of which is a
 * link becomes the one string that they are together, which is the same to all functions here. NULL on a fault of the scanner. */
json_t *output_read(struct json_scan *scan);

/* Is it plain text that may be given piece by piece as it grows: a string or an array of strings, and no file? */
bool output_is_plain_text(const json_t *output);

/* Is this whole string a link to a file: a data URI, or an http(s) URL without spaces whose host keeps Replicate's files
 * (replicate.delivery and its subdomains, storage.googleapis.com/replicate-files) or whose path ends in the extension
 * of an image, sound, video, document or archive? */
bool output_is_file_link(const char *text, size_t length);

#endif
