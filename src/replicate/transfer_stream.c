/* Streams: the body of an answer is given to its user as it comes, no faster than the user wants it, and a stream that
 * falls silent is ended.
 *
 * What curl brings is kept until curl has returned. That is little: beyond a bound, and while the user pauses, curl is
 * told to hold back. It then keeps at most what it has just read, no longer reads the socket, and the sender's window
 * closes. */
#include "replicate/transfer.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "transfer_int.h"

enum { MAX_PENDING_BYTES = 64 * 1024 }; /* several times of what curl offers at once, 16 KB at most */

static void on_resume_due(void *arg);
static void on_idle_due(void *arg);

void transfer_stream_init(struct transfer *transfer, const struct transfer_request *request)
{
    struct transfer_stream *stream = &transfer->stream;
    stream->on_data = request->accept ? request->on_data : NULL;
    stream->idle_timeout_ms = stream->on_data ? request->idle_timeout_ms : 0;
    buf_init(&stream->pending, MAX_PENDING_BYTES);
    loop_timer_init(&stream->resume_timer, on_resume_due, transfer);
    loop_timer_init(&stream->idle_timer, on_idle_due, transfer);
}

void transfer_stream_dispose(struct transfer *transfer)
{
    struct transfer_stream *stream = &transfer->stream;
    loop_timer_clear(transfer->transfers->loop, &stream->resume_timer);
    loop_timer_clear(transfer->transfers->loop, &stream->idle_timer);
    list_remove(&stream->ready_link);
    buf_dispose(&stream->pending);
}

/* ---- silence ---- */

/* The timer is not moved for every byte: when it is due, it looks when the last one came. */
static void watch_for_silence(struct transfer *transfer)
{
    struct transfer_stream *stream = &transfer->stream;
    if (stream->idle_timeout_ms > 0 && !stream->paused && transfer->handle)
        loop_timer_set(transfer->transfers->loop, &stream->idle_timer, stream->last_byte_ms + stream->idle_timeout_ms);
}

static void on_idle_due(void *arg)
{
    struct transfer *transfer = arg;
    if (!transfer->handle)
        return;
    if (clock_now_ms() - transfer->stream.last_byte_ms < transfer->stream.idle_timeout_ms) {
        watch_for_silence(transfer);
        return;
    }
    struct transfer_end end = {.result = TRANSFER_LOST};
    snprintf(end.detail, sizeof(end.detail), "The stream was silent for %" PRId64 " ms",
             transfer->stream.idle_timeout_ms);
    transfer_curl_take(transfer);
    transfer_ended(transfer, &end);
}

void transfer_stream_begin(struct transfer *transfer)
{
    transfer->stream.last_byte_ms = clock_now_ms();
    watch_for_silence(transfer);
}

void transfer_stream_heard(struct transfer *transfer)
{
    if (!transfer->stream.on_data)
        return;
    transfer->stream.last_byte_ms = clock_now_ms();
    transfer_time(transfer);
}

/* ---- bytes ---- */

enum transfer_taken transfer_stream_take(struct transfer *transfer, const char *bytes, size_t length)
{
    struct transfer_stream *stream = &transfer->stream;
    const struct transfer_headers *headers = &transfer->headers;
    /* Once for all: chunked answers may have further header lines after their body. */
    if (stream->body == TRANSFER_BODY_UNDECIDED)
        stream->body = stream->on_data && headers->complete && headers->success && headers->accepted
                           ? TRANSFER_BODY_STREAMED
                           : TRANSFER_BODY_COLLECTED;
    transfer_stream_heard(transfer);
    if (stream->body == TRANSFER_BODY_COLLECTED)
        return buf_append(&transfer->answer, bytes, length) ? TRANSFER_TAKEN : TRANSFER_REFUSED;
    if (stream->paused || length > MAX_PENDING_BYTES - stream->pending.length) {
        stream->stalled = true;
        return TRANSFER_HELD_BACK;
    }
    ensure(buf_append(&stream->pending, bytes, length));
    if (!stream->ready_link.list)
        list_append(&transfer->transfers->ready, &stream->ready_link);
    return TRANSFER_TAKEN;
}

/* The timer lets curl go on from the loop, not from within a user's call, and lets others have their turn in between.
 */
static void go_on_soon(struct transfer *transfer)
{
    loop_timer_set(transfer->transfers->loop, &transfer->stream.resume_timer, clock_now_ms());
}

/* The user may cancel the transfer in here, pause it, and whatever else. */
static void deliver(struct transfer *transfer)
{
    struct transfers *transfers = transfer->transfers;
    struct transfer_stream *stream = &transfer->stream;
    if (stream->paused || stream->pending.length == 0)
        return;
    struct buf bytes = stream->pending;
    buf_init(&stream->pending, MAX_PENDING_BYTES);
    transfers->delivering = transfer;
    stream->on_data(transfer->arg, bytes.data, bytes.length);
    bool cancelled = transfers->delivering != transfer;
    transfers->delivering = NULL;
    buf_dispose(&bytes);
    if (cancelled)
        return;
    if (transfer->has_ended)
        transfer_finish(transfer);
    else if (stream->stalled && !stream->paused)
        go_on_soon(transfer);
}

void transfer_stream_deliver(struct transfers *transfers)
{
    struct list_link *link;
    while ((link = list_shift(&transfers->ready)))
        deliver(list_entry(link, struct transfer, stream.ready_link));
}

static void on_resume_due(void *arg)
{
    struct transfer *transfer = arg;
    struct transfers *transfers = transfer->transfers;
    struct transfer_stream *stream = &transfer->stream;
    if (stream->pending.length > 0) {
        deliver(transfer);
        return;
    }
    if (!stream->stalled || !transfer->handle)
        return;
    stream->stalled = false;
    transfer_curl_unpause(transfer);
    transfer_stream_deliver(transfers);
}

/* ---- what others call ---- */

void transfer_pause(struct transfer *transfer)
{
    struct transfer_stream *stream = &transfer->stream;
    ensure(stream->on_data);
    /* Curl learns of it when it next has bytes: a pause that is brief then costs nothing. */
    stream->paused = true;
    loop_timer_clear(transfer->transfers->loop, &stream->resume_timer);
    loop_timer_clear(transfer->transfers->loop, &stream->idle_timer);
}

void transfer_resume(struct transfer *transfer)
{
    struct transfer_stream *stream = &transfer->stream;
    ensure(stream->on_data);
    if (!stream->paused)
        return;
    stream->paused = false;
    stream->last_byte_ms = clock_now_ms();
    watch_for_silence(transfer);
    if (stream->stalled || stream->pending.length > 0)
        go_on_soon(transfer);
}
