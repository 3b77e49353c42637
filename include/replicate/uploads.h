/* Files of a request that are too large for a prediction's input: uploaded to Replicate's files API before, and deleted
 * there when nobody needs them any more.
 *
 * start → handle with one reference; `done` exactly once, never from inside start. Predictions hold further references
 * (job->hold); with the last one, whatever was uploaded is deleted, and what is under way is given up. Uploading costs
 * nothing, so it is tried again. Loop's thread. */
#ifndef REPLICATE_UPLOADS_H
#define REPLICATE_UPLOADS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/job.h"
#include "replicate/loop.h"
#include "replicate/transfer.h"

struct uploader; /* one per worker */
struct uploads;  /* the files of one request */

struct uploader *uploader_new(struct loop *loop, struct transfers *transfers);
void uploader_free(struct uploader *uploader); /* no struct uploads may be left; deletions under way are dropped */
/* Requests that upload, and those whose files are being deleted. */
size_t uploader_count(const struct uploader *uploader);

struct uploads_request {
    json_t *values; /* an array of strings that are sound data: URIs; each becomes the URL of its file, in place */
    const char *base_url, *token;
    const struct header *headers;
    size_t header_count;
    int64_t deadline_ms;    /* clock_now_ms() */
    const char *request_id; /* for log lines */
    /* For the message of a timeout, as in struct job; 0 and NULL where they are not known. */
    int64_t timeout_ms;
    const char *timeout_hint;
};

/* `error` is NULL when all are there; else what to answer (nothing was created). */
typedef void (*uploads_done_fn)(void *arg, const struct error *error);

struct uploads *uploads_start(struct uploader *uploader, const struct uploads_request *request, uploads_done_fn on_done,
                              void *arg);
struct uploads *uploads_ref(struct uploads *uploads);
void uploads_unref(struct uploads *uploads); /* of the last one: no callback after this. NULL is fine */

#endif
