/* Takes the place of replicate/transfer.c: keeps what was asked, and answers as it is told. */
#include "fake_transfer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ensure.h"

struct transfers {
    struct list open;
    size_t started, pretended;
};

struct transfers *transfers_new(struct loop *loop, const struct transfers_options *options)
{
    (void)loop;
    (void)options;
    struct transfers *transfers = xcalloc(1, sizeof *transfers);
    list_init(&transfers->open);
    return transfers;
}

void transfers_free(struct transfers *transfers)
{
    ensure(list_is_empty(&transfers->open));
    free(transfers);
}

size_t transfers_count(const struct transfers *transfers)
{
    return transfers->open.length + transfers->pretended;
}

static struct header *copy_headers(const struct transfer_request *request)
{
    struct header *headers = xcalloc(request->header_count + 1, sizeof *headers);
    for (size_t i = 0; i < request->header_count; i++)
        headers[i] = (struct header){xstrdup(request->headers[i].name), xstrdup(request->headers[i].value)};
    return headers;
}

static void copy_body(struct transfer *transfer, const struct transfer_request *request)
{
    struct buf body;
    if (request->body_taken != NULL) {
        transfer->body = buf_take(request->body_taken, &transfer->body_length);
    } else if (request->body != NULL) {
        buf_init(&body, request->body_length);
        ensure(buf_append(&body, request->body, request->body_length));
        transfer->body = buf_take(&body, &transfer->body_length);
    }
}

struct transfer *transfer_start(struct transfers *transfers, const struct transfer_request *request,
                                transfer_done_fn on_done, void *arg)
{
    struct transfer *transfer = xcalloc(1, sizeof *transfer);
    transfer->method = xstrdup(request->method);
    transfer->url = xstrdup(request->url);
    transfer->token = xstrdup(request->token);
    transfer->kind = request->kind;
    copy_body(transfer, request);
    transfer->headers = copy_headers(request);
    transfer->header_count = request->header_count;
    transfer->never_repeat = request->never_repeat;
    transfer->is_on_new = request->is_on_new;
    transfer->timeout_ms = request->timeout_ms;
    transfer->max_answer_bytes = request->max_answer_bytes;
    transfer->accept = xstrdup(request->accept);
    transfer->idle_timeout_ms = request->idle_timeout_ms;
    transfer->on_data = request->on_data;
    transfer->on_done = on_done;
    transfer->arg = arg;
    transfers->started++;
    list_append(&transfers->open, &transfer->link);
    return transfer;
}

static void transfer_free(struct transfer *transfer)
{
    list_remove(&transfer->link);
    for (size_t i = 0; i < transfer->header_count; i++) {
        free(transfer->headers[i].name);
        free(transfer->headers[i].value);
    }
    free(transfer->headers);
    free(transfer->method);
    free(transfer->url);
    free(transfer->token);
    free(transfer->body);
    free(transfer->accept);
    free(transfer);
}

void transfer_cancel(struct transfer **transfer)
{
    if (*transfer != NULL)
        transfer_free(*transfer);
    *transfer = NULL;
}

void transfer_pause(struct transfer *transfer)
{
    ensure(transfer->accept && transfer->on_data);
    transfer->paused = true;
}

void transfer_resume(struct transfer *transfer)
{
    ensure(transfer->accept && transfer->on_data);
    transfer->paused = false;
}

bool transfer_is_queued(const struct transfer *transfer)
{
    return transfer->queued;
}

void transfer_global_init(void)
{
}

void transfer_global_cleanup(void)
{
}

struct transfer *fake_transfer_first(const struct transfers *transfers)
{
    struct list_link *link = list_first(&transfers->open);
    return link == NULL ? NULL : list_entry(link, struct transfer, link);
}

size_t fake_transfer_started(const struct transfers *transfers)
{
    return transfers->started;
}

void fake_transfer_pretend_busy(struct transfers *transfers, size_t count)
{
    transfers->pretended = count;
}

const char *fake_transfer_header(const struct transfer *transfer, const char *name)
{
    for (size_t i = 0; i < transfer->header_count; i++)
        if (strcasecmp(transfer->headers[i].name, name) == 0)
            return transfer->headers[i].value;
    return NULL;
}

void fake_transfer_data(struct transfer *transfer, const char *bytes, size_t length)
{
    ensure(transfer->accept && transfer->on_data);
    transfer->on_data(transfer->arg, bytes, length);
}

void fake_transfer_answer_with(struct transfer *transfer, const struct transfer_answer *answer)
{
    transfer_done_fn on_done = transfer->on_done;
    void *arg = transfer->arg;
    transfer_free(transfer);
    on_done(arg, answer);
}

void fake_transfer_answer(struct transfer *transfer, int status, const char *body)
{
    const struct transfer_answer answer = {
        .result = TRANSFER_ANSWERED,
        .status = status,
        .body = body,
        .body_length = strlen(body),
        .retry_after_ms = -1,
        .ratelimit_remaining = -1,
        .ratelimit_reset_ms = -1,
        .detail = "",
    };
    fake_transfer_answer_with(transfer, &answer);
}

void fake_transfer_break(struct transfer *transfer, enum transfer_result result)
{
    const struct transfer_answer answer = {
        .result = result,
        .body = "",
        .retry_after_ms = -1,
        .ratelimit_remaining = -1,
        .ratelimit_reset_ms = -1,
        .detail = "Connection refused",
    };
    fake_transfer_answer_with(transfer, &answer);
}
