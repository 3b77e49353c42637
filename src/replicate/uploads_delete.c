/* One file on its way down: deleted at Replicate, as well as a few tries can. What is left there expires by itself, so
 * a failure is worth no more than a line for whoever looks for it. */
#include "uploads_int.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"

enum { TRIES = 3, IN_ALL_MS = 10 * 1000, ANSWER_BYTES = 64 * 1024 };

static bool is_deleted(const struct transfer_answer *answer)
{
    /* One that Replicate does not know any more is as good. */
    return answer->result == TRANSFER_ANSWERED &&
           ((answer->status >= 200 && answer->status < 300) || answer->status == 404);
}

static void on_deleted(void *arg, const struct transfer_answer *answer)
{
    struct upload *upload = arg;
    const struct job *job = upload->uploads->job;
    int64_t now_ms = clock_now_ms();
    upload->transfer = NULL;
    bool deleted = is_deleted(answer);
    if (!deleted && api_file_is_passing(answer) && ++upload->failures < TRIES) {
        int64_t wait_ms = api_file_wait_ms(answer, upload->failures);
        if (wait_ms < upload->delete_until_ms - now_ms) {
            loop_timer_set(upload->uploads->uploader->loop, &upload->again, now_ms + wait_ms);
            return;
        }
    }
    log_write(LOG_LEVEL_DEBUG, deleted ? "file_deleted" : "file_not_deleted", log_text("request_id", job->request_id),
              log_text("file_id", upload->id), log_number("status", answer->status));
    upload_gone(upload);
}

static void try_delete(struct upload *upload)
{
    struct uploads *uploads = upload->uploads;
    const struct job *job = uploads->job;
    int64_t left_ms = upload->delete_until_ms - clock_now_ms();
    char *url = xasprintf("%s/files/%s", job->base_url, upload->id);
    const struct transfer_request request = {
        .kind = TRANSFER_CALL,
        .call = METRIC_CALL_delete,
        .method = "DELETE",
        .url = url,
        .token = job->token,
        .headers = job->headers,
        .header_count = job->header_count,
        .timeout_ms = left_ms > 0 ? left_ms : 1,
        .max_answer_bytes = ANSWER_BYTES,
    };
    upload->transfer = transfer_start(uploads->uploader->transfers, &request, on_deleted, upload);
    free(url);
}

void upload_delete(struct upload *upload)
{
    if (upload->state != UPLOAD_DELETING) {
        upload->state = UPLOAD_DELETING;
        upload->failures = 0;
        upload->delete_until_ms = clock_now_ms() + IN_ALL_MS;
    }
    try_delete(upload);
}
