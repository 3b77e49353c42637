/* Replicate's files API: the form that a file is uploaded as, and what comes back. Pure; any thread. */
#ifndef REPLICATE_API_FILES_H
#define REPLICATE_API_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/job.h"
#include "replicate/transfer.h"

enum {
    API_FILE_ID_BYTES = 128,
    API_FILE_URL_BYTES = 4096,
    API_FORM_TYPE_BYTES = 96,
    API_FORM_LINES_BYTES = 1024, /* what a form is longer than its file, at most */
    API_FILE_MAX_BYTES = 100 * 1024 * 1024,
};

/* Writes the form that carries the file of a data: URI to `form`, which is empty and has room for API_FORM_LINES_BYTES
 * beyond the file, and the Content-Type that names its boundary. Nothing of the sender's is in it but the file's bytes
 * and, where it is one, its media type: the file's name is made up here. False and err where the value is no sound
 * data: URI, or its file too large. */
bool api_file_form(const char *value, size_t length, struct buf *form, char content_type[API_FORM_TYPE_BYTES],
                   struct error *err);

/* A file that Replicate says it has. */
struct api_file {
    char id[API_FILE_ID_BYTES];   /* "" where it cannot be used: then the file cannot be deleted either */
    char url[API_FILE_URL_BYTES]; /* "" where it is none that may be sent on */
};

/* Of an answer that is no such thing, both are "". */
void api_file_parse(const char *bytes, size_t length, struct api_file *file);

/* What else came of an upload, as the client's error: no prediction was created. Of a 429 the time to wait is not in
 * it.
 */
void api_file_error(const struct transfer_answer *answer, const struct job *job, struct error *err);

/* May the same call succeed in a while? Then after so long, when it has failed so often. */
bool api_file_is_passing(const struct transfer_answer *answer);
int64_t api_file_wait_ms(const struct transfer_answer *answer, int failures);

#endif
