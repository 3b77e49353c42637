/* One file on its way up: decoded, sent, tried again where that may help, and its value replaced by its URL. */
#include "uploads_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/data_uri.h"
#include "base/ensure.h"
#include "base/log.h"
#include "replicate/pacing.h"

enum {
    TRIES_AGAIN = 3,
    SEND_MS = 30 * 1000,
    SLOWEST_BYTES_PER_MS = 32,     /* an upload may be as slow as this */
    AFTER_DEADLINE_MS = 15 * 1000, /* for the id of a file that nobody waits for any longer */
    ANSWER_BYTES = 1024 * 1024,
};

static void send_soon_again(struct upload *upload, const struct transfer_answer *answer)
{
    struct uploads *uploads = upload->uploads;
    struct error error = {0};
    int64_t now_ms = clock_now_ms(), wait_ms = api_file_wait_ms(answer, ++upload->failures);
    if (upload->failures <= TRIES_AGAIN && wait_ms < uploads->job->deadline_ms - now_ms) {
        upload->state = UPLOAD_PAUSING;
        loop_timer_set(uploads->uploader->loop, &upload->again, now_ms + wait_ms);
        return;
    }
    upload->state = UPLOAD_GONE;
    api_file_error(answer, uploads->job, &error);
    if (error.kind == ERROR_RATE_LIMITED)
        error.retry_after_ms = wait_ms;
    upload_fail(upload, &error);
}

/* A file that was lost on its way may lie at Replicate all the same; it expires there. */
static void refused(struct upload *upload, const struct transfer_answer *answer)
{
    struct error error = {0};
    if (upload->uploads->is_done) {
        upload_gone(upload);
    } else if (api_file_is_passing(answer)) {
        send_soon_again(upload, answer);
    } else {
        upload->state = UPLOAD_GONE;
        api_file_error(answer, upload->uploads->job, &error);
        upload_fail(upload, &error);
    }
}

/* Without an id a file cannot be deleted, so it is not used either: something other than Replicate must have answered.
 */
static void accepted(struct upload *upload, const struct transfer_answer *answer)
{
    struct uploads *uploads = upload->uploads;
    struct api_file file;
    struct error error = {0};
    api_file_parse(answer->body, answer->body_length, &file);
    memcpy(upload->id, file.id, sizeof upload->id);
    upload->state = file.id[0] == '\0' ? UPLOAD_GONE : UPLOAD_THERE;
    log_write(LOG_LEVEL_DEBUG, "file_uploaded", log_text("request_id", uploads->job->request_id),
              log_text("file_id", upload->id[0] == '\0' ? NULL : upload->id),
              log_number("bytes", (int64_t)upload->form_bytes));
    if (uploads->is_done && upload->state == UPLOAD_GONE) {
        upload_gone(upload);
    } else if (uploads->is_done) {
        if (uploads->references == 0)
            upload_delete(upload);
    } else if (file.id[0] == '\0' || file.url[0] == '\0') {
        api_file_error(answer, uploads->job, &error);
        upload_fail(upload, &error);
    } else {
        ensure(json_string_set(json_array_get(uploads->values, upload->index), file.url) == 0);
        upload_ready(upload);
    }
}

static void on_sent(void *arg, const struct transfer_answer *answer)
{
    struct upload *upload = arg;
    struct uploader *uploader = upload->uploads->uploader;
    upload->transfer = NULL;
    uploader->sending--;
    uploader_kick(uploader);
    if (answer->result == TRANSFER_ANSWERED && answer->status >= 200 && answer->status < 300)
        accepted(upload, answer);
    else
        refused(upload, answer);
}

/* An upload that is under way at the deadline is waited for a little longer: without its id it cannot be deleted. */
static int64_t timeout_ms(const struct job *job, size_t bytes)
{
    int64_t longest_ms = job->deadline_ms - clock_now_ms() + AFTER_DEADLINE_MS;
    int64_t needed_ms = SEND_MS + (int64_t)(bytes / SLOWEST_BYTES_PER_MS);
    if (longest_ms < 1)
        longest_ms = 1;
    return needed_ms < longest_ms ? needed_ms : longest_ms;
}

static void start_transfer(struct upload *upload, struct buf *form, char *content_type)
{
    struct uploads *uploads = upload->uploads;
    const struct job *job = uploads->job;
    char name[] = "Content-Type";
    char *url = xasprintf("%s/files", job->base_url);
    struct header *headers = xcalloc(job->header_count + 1, sizeof *headers);
    headers[0] = (struct header){name, content_type};
    for (size_t i = 0; i < job->header_count; i++)
        headers[i + 1] = job->headers[i];
    upload->form_bytes = form->length;
    const struct transfer_request request = {
        .kind = TRANSFER_UPLOAD,
        .call = METRIC_CALL_upload,
        .method = "POST",
        .url = url,
        .token = job->token,
        .headers = headers,
        .header_count = job->header_count + 1,
        .body_taken = form,
        .timeout_ms = timeout_ms(job, form->length),
        .max_answer_bytes = ANSWER_BYTES,
    };
    upload->state = UPLOAD_SENDING;
    uploads->uploader->sending++;
    upload->transfer = transfer_start(uploads->uploader->transfers, &request, on_sent, upload);
    free(headers);
    free(url);
}

void upload_send(struct upload *upload)
{
    const json_t *value = json_array_get(upload->uploads->values, upload->index);
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);
    struct error error = {0};
    char content_type[API_FORM_TYPE_BYTES];
    struct buf form;
    ensure(text != NULL);
    /* The same value may stand in two places, and was replaced when it was met first. */
    if (!data_uri_is(text, length)) {
        upload->state = UPLOAD_GONE;
        upload_ready(upload);
        return;
    }
    buf_init(&form, (size_t)API_FILE_MAX_BYTES + API_FORM_LINES_BYTES);
    if (api_file_form(text, length, &form, content_type, &error)) {
        start_transfer(upload, &form, content_type);
    } else {
        upload->state = UPLOAD_GONE;
        upload_fail(upload, &error);
    }
    buf_dispose(&form);
}

void upload_stop(struct upload *upload)
{
    struct uploader *uploader = upload->uploads->uploader;
    switch (upload->state) {
    case UPLOAD_SENDING:
        if (!transfer_is_queued(upload->transfer))
            return;
        transfer_cancel(&upload->transfer);
        uploader->sending--;
        uploader_kick(uploader);
        break;
    case UPLOAD_THERE:
        return;
    default:
        break;
    }
    list_remove(&upload->link);
    loop_timer_clear(uploader->loop, &upload->again);
    upload->state = UPLOAD_GONE;
}
