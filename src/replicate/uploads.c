/* The files of requests: whose turn it is, who waits for them, and when nobody needs them any more.
 *
 * A decoded file is large, so a file is decoded when its upload begins and not before: two of a request at once, four
 * of a worker. A request outlives its last reference for a while, in which files of it are deleted. */
#include "replicate/uploads.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "uploads_int.h"

enum {
    OF_A_REQUEST_AT_ONCE = 2,
    OF_A_WORKER_AT_ONCE = 4,
    LEAVING_MS = 15 * 1000, /* for what nobody needs any more: a daemon that stops waits for it */
};

static void uploads_free(struct uploads *uploads)
{
    struct uploader *uploader = uploads->uploader;
    for (size_t i = 0; i < uploads->count; i++) {
        if (uploads->files[i].state == UPLOAD_SENDING) {
            uploader->sending--;
            uploader_kick(uploader);
        }
        transfer_cancel(&uploads->files[i].transfer);
        loop_timer_clear(uploader->loop, &uploads->files[i].again);
    }
    loop_timer_clear(uploader->loop, &uploads->deadline);
    list_remove(&uploads->link);
    json_decref(uploads->values);
    job_free(uploads->job);
    free(uploads);
}

/* ---- the uploader ---- */

/* One in a turn: to decode a file takes time, in which nobody else is served. */
static void on_kick_due(void *arg)
{
    struct uploader *uploader = arg;
    struct list_link *link = uploader->sending < OF_A_WORKER_AT_ONCE ? list_shift(&uploader->queue) : NULL;
    if (link == NULL)
        return;
    upload_send(list_entry(link, struct upload, link));
    uploader_kick(uploader);
}

struct uploader *uploader_new(struct loop *loop, struct transfers *transfers)
{
    struct uploader *uploader = xcalloc(1, sizeof *uploader);
    uploader->loop = loop;
    uploader->transfers = transfers;
    list_init(&uploader->uploading);
    list_init(&uploader->held);
    list_init(&uploader->leaving);
    list_init(&uploader->queue);
    loop_timer_init(&uploader->kick, on_kick_due, uploader);
    return uploader;
}

void uploader_free(struct uploader *uploader)
{
    if (uploader == NULL)
        return;
    ensure(list_is_empty(&uploader->uploading) && list_is_empty(&uploader->held));
    for (struct list_link *link = list_first(&uploader->leaving); link != NULL; link = list_first(&uploader->leaving))
        uploads_free(list_entry(link, struct uploads, link));
    loop_timer_clear(uploader->loop, &uploader->kick);
    free(uploader);
}

size_t uploader_count(const struct uploader *uploader)
{
    return uploader->uploading.length + uploader->leaving.length;
}

void uploader_kick(struct uploader *uploader)
{
    if (!list_is_empty(&uploader->queue))
        loop_timer_set(uploader->loop, &uploader->kick, clock_now_ms());
}

void upload_enqueue(struct upload *upload)
{
    upload->state = UPLOAD_QUEUED;
    list_append(&upload->uploads->uploader->queue, &upload->link);
    uploader_kick(upload->uploads->uploader);
}

/* ---- a request ---- */

static void begin_more(struct uploads *uploads)
{
    while (uploads->begun < uploads->count && uploads->begun - uploads->ready < OF_A_REQUEST_AT_ONCE)
        upload_enqueue(&uploads->files[uploads->begun++]);
}

static bool is_over(const struct uploads *uploads)
{
    for (size_t i = 0; i < uploads->count; i++)
        if (uploads->files[i].state != UPLOAD_GONE)
            return false;
    return true;
}

/* Whoever is told may give up the last reference, so nothing follows that. */
static void finish(struct uploads *uploads, const struct error *error)
{
    uploads->is_done = true;
    loop_timer_clear(uploads->uploader->loop, &uploads->deadline);
    json_decref(uploads->values);
    uploads->values = NULL;
    for (size_t i = 0; i < uploads->count; i++)
        upload_stop(&uploads->files[i]);
    list_remove(&uploads->link);
    list_append(&uploads->uploader->held, &uploads->link);
    if (uploads->references > 0)
        uploads->on_done(uploads->arg, error);
}

void upload_ready(struct upload *upload)
{
    struct uploads *uploads = upload->uploads;
    if (++uploads->ready == uploads->count)
        finish(uploads, NULL);
    else
        begin_more(uploads);
}

void upload_fail(struct upload *upload, const struct error *error)
{
    finish(upload->uploads, error);
}

void upload_gone(struct upload *upload)
{
    struct uploads *uploads = upload->uploads;
    upload->state = UPLOAD_GONE;
    if (uploads->references == 0 && is_over(uploads))
        uploads_free(uploads);
}

/* In the words of a prediction's timeout, for that is what the client waits for. */
static void timeout_error(const struct job *job, struct error *error)
{
    char time[48] = "the time allowed";
    if (job->timeout_ms > 0 && job->timeout_ms % 1000 == 0)
        snprintf(time, sizeof time, "%" PRId64 " s", job->timeout_ms / 1000);
    else if (job->timeout_ms > 0)
        snprintf(time, sizeof time, "%" PRId64 " ms", job->timeout_ms);
    error_set(error, ERROR_TIMEOUT, NULL,
              "The model did not answer within %s: Replicate had not yet taken all files of the request, so no "
              "prediction was created.%s%s",
              time, job->timeout_hint == NULL ? "" : " ", job->timeout_hint == NULL ? "" : job->timeout_hint);
}

static void on_deadline_due(void *arg)
{
    struct uploads *uploads = arg;
    struct error error = {0};
    if (uploads->references == 0) {
        log_write(LOG_LEVEL_DEBUG, "files_given_up", log_text("request_id", uploads->job->request_id));
        uploads_free(uploads);
        return;
    }
    if (uploads->ready == uploads->count) {
        finish(uploads, NULL);
        return;
    }
    timeout_error(uploads->job, &error);
    finish(uploads, &error);
}

static struct job *make_job(const struct uploads_request *request)
{
    struct job *job = job_new();
    job->base_url = xstrdup(request->base_url);
    job->token = xstrdup(request->token);
    job->headers = xcalloc(request->header_count + 1, sizeof *job->headers);
    job->header_count = request->header_count;
    for (size_t i = 0; i < request->header_count; i++)
        job->headers[i] = (struct header){xstrdup(request->headers[i].name), xstrdup(request->headers[i].value)};
    job->deadline_ms = request->deadline_ms;
    job->timeout_ms = request->timeout_ms;
    job->timeout_hint = xstrdup(request->timeout_hint);
    job->request_id = xstrdup(request->request_id);
    return job;
}

static void on_again_due(void *arg)
{
    struct upload *upload = arg;
    if (upload->state == UPLOAD_PAUSING)
        upload_enqueue(upload);
    else
        upload_delete(upload);
}

struct uploads *uploads_start(struct uploader *uploader, const struct uploads_request *request, uploads_done_fn on_done,
                              void *arg)
{
    size_t count = json_array_size(request->values);
    struct uploads *uploads = xcalloc(1, sizeof *uploads + count * sizeof(struct upload));
    uploads->uploader = uploader;
    uploads->references = 1;
    uploads->on_done = on_done;
    uploads->arg = arg;
    uploads->job = make_job(request);
    uploads->values = json_incref(request->values);
    uploads->count = count;
    for (size_t i = 0; i < count; i++) {
        uploads->files[i].uploads = uploads;
        uploads->files[i].index = i;
        loop_timer_init(&uploads->files[i].again, on_again_due, &uploads->files[i]);
    }
    list_append(&uploader->uploading, &uploads->link);
    loop_timer_init(&uploads->deadline, on_deadline_due, uploads);
    /* Without files all are there; that too is told from the loop alone. */
    loop_timer_set(uploader->loop, &uploads->deadline, count == 0 ? clock_now_ms() : request->deadline_ms);
    begin_more(uploads);
    return uploads;
}

struct uploads *uploads_ref(struct uploads *uploads)
{
    ensure(uploads->references > 0);
    uploads->references++;
    return uploads;
}

void uploads_unref(struct uploads *uploads)
{
    if (uploads == NULL || --uploads->references > 0)
        return;
    if (!uploads->is_done)
        finish(uploads, NULL);
    list_remove(&uploads->link);
    list_append(&uploads->uploader->leaving, &uploads->link);
    for (size_t i = 0; i < uploads->count; i++)
        if (uploads->files[i].state == UPLOAD_THERE)
            upload_delete(&uploads->files[i]);
    if (is_over(uploads))
        uploads_free(uploads);
    else
        loop_timer_set(uploads->uploader->loop, &uploads->deadline, clock_now_ms() + LEAVING_MS);
}
