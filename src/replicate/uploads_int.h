/* What the files of the module `uploads` share: uploads.c (a request's files: which is whose turn, and their end),
 * uploads_send.c (one file on its way up) and uploads_delete.c (its way down). */
#ifndef UPLOADS_INT_H
#define UPLOADS_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/job.h"
#include "base/list.h"
#include "replicate/api_files.h"
#include "replicate/uploads.h"

/* --- one file --- */

enum upload_state {
    UPLOAD_IDLE,     /* its turn has not come */
    UPLOAD_QUEUED,   /* in the uploader's queue */
    UPLOAD_SENDING,  /* its transfer is under way */
    UPLOAD_PAUSING,  /* before it is tried again */
    UPLOAD_THERE,    /* Replicate has it: its id is known */
    UPLOAD_DELETING, /* the call, or the pause before the next */
    UPLOAD_GONE,     /* nothing of it is left to do */
};

struct upload {
    struct list_link link; /* in the uploader's queue */
    struct uploads *uploads;
    size_t index; /* of its value */
    enum upload_state state;
    struct transfer *transfer;
    struct loop_timer again; /* the next try, of a deletion too */
    int failures;            /* of what it is doing */
    size_t form_bytes;
    char id[API_FILE_ID_BYTES];
    int64_t delete_until_ms;
};

/* --- uploads.c --- */

struct uploads {
    struct list_link link; /* in one list of the uploader */
    struct uploader *uploader;
    size_t references;
    bool is_done; /* told, or nobody is left to be told */
    uploads_done_fn on_done;
    void *arg;
    struct job *job; /* how to reach Replicate, until when and for whom; it has neither target nor input */
    json_t *values;  /* NULL once done: they are large */
    struct loop_timer deadline;
    size_t begun, ready, count;
    struct upload files[];
};

struct uploader {
    struct loop *loop;
    struct transfers *transfers;
    struct list uploading, held, leaving; /* requests: not done, done, without a reference */
    struct list queue;                    /* of files, first come, first served */
    struct loop_timer kick;               /* begins with the queue from the loop, never from inside a user's call */
    size_t sending;
};

/* Lets the queue go on soon. */
void uploader_kick(struct uploader *uploader);
void upload_enqueue(struct upload *upload);

/* Its value is a URL by now. The request may be freed in here, and in each of the following. */
void upload_ready(struct upload *upload);
/* It ends the request, which hears of it. */
void upload_fail(struct upload *upload, const struct error *error);
/* Nothing of it is left to do. */
void upload_gone(struct upload *upload);

/* --- uploads_send.c --- */

void upload_send(struct upload *upload);
/* Nobody wants it any more. An upload under way goes on: it may have made a file, and only its answer tells its id. */
void upload_stop(struct upload *upload);

/* --- uploads_delete.c --- */

void upload_delete(struct upload *upload);

#endif
