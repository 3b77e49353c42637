/* A streamed answer: begun with the first piece or after a while of waiting, kept alive while the model is silent, and
 * slowed down where the client reads slowly. */
#include "exchange_int.h"

#include "base/clock.h"
#include "base/sse.h"

/* So long a client hears nothing at first, so that what fails quickly can still fail with a status code. */
enum { FIRST_BYTE_MS = 5000 };

/* What one piece, or an end, becomes. */
static const size_t frames_max_bytes = 256 * 1024 * 1024;

static const struct endpoint_stream *encoder(const struct exchange *exchange)
{
    return exchange->endpoint->stream;
}

static void pause_all(struct exchange *exchange)
{
    for (size_t i = 0; i < exchange->choices; i++)
        if (exchange->predictions[i] != NULL)
            prediction_pause(exchange->predictions[i]);
}

static void on_drained(void *arg)
{
    struct exchange *exchange = arg;
    for (size_t i = 0; i < exchange->choices; i++)
        if (exchange->predictions[i] != NULL)
            prediction_resume(exchange->predictions[i]);
}

/* A little early: a proxy in front whose patience is just as long must not win by a millisecond. */
static void arm_keepalive(struct exchange *exchange)
{
    int64_t keepalive_ms = exchange->routes.timed->keepalive_ms;
    if (keepalive_ms > 0)
        loop_timer_set(exchange->worker->loop, &exchange->keepalive, clock_now_ms() + keepalive_ms - keepalive_ms / 10);
}

/* Gives frames to the client; `frames` is used up. */
static void write_frames(struct exchange *exchange, struct buf *frames)
{
    if (frames->length > 0 && !reply_write(&exchange->request->reply, frames))
        pause_all(exchange);
    if (frames->length > 0)
        arm_keepalive(exchange);
    buf_dispose(frames);
}

/* The 200 and its headers. */
static void begin_reply(struct exchange *exchange)
{
    struct reply *reply = &exchange->request->reply;
    if (exchange->state == EXCHANGE_STREAMING)
        return;
    exchange_collect_ids(exchange);
    exchange_add_headers(exchange, "text/event-stream; charset=utf-8");
    reply_header(reply, "Cache-Control", "no-cache");
    reply_header(reply, "X-Accel-Buffering", "no"); /* nginx in front must not collect what is to be seen at once */
    exchange_set_state(exchange, EXCHANGE_STREAMING);
    reply_stream_begin(reply, 200, exchange->config->write_timeout_ms, on_drained);
}

static void begin_answer(struct exchange *exchange, struct buf *frames)
{
    begin_reply(exchange);
    if (!exchange->has_begun_answer)
        encoder(exchange)->begin(&exchange->call, frames);
    exchange->has_begun_answer = true;
}

static void on_keepalive(void *arg)
{
    struct exchange *exchange = arg;
    const char *word = exchange_is_in_line(exchange) ? "queued" : exchange->choices == 0 ? "starting" : "processing";
    for (size_t i = exchange->choices; i-- > 0;)
        if (exchange->predictions[i] != NULL)
            word = prediction_status_word(exchange->predictions[i]);
    struct buf comment;
    buf_init(&comment, 256);
    sse_append_comment(&comment, word);
    begin_reply(exchange);
    write_frames(exchange, &comment);
}

void exchange_stream_init(struct exchange *exchange)
{
    loop_timer_init(&exchange->keepalive, on_keepalive, exchange);
}

void exchange_stream_start(struct exchange *exchange)
{
    if (exchange->routes.timed->keepalive_ms > 0)
        loop_timer_set(exchange->worker->loop, &exchange->keepalive, exchange->timeline.received_ms + FIRST_BYTE_MS);
}

static void finish(struct exchange *exchange, struct buf *frames)
{
    exchange_collect_ids(exchange); /* for the log: some may not have been known when the headers went out */
    encoder(exchange)->end(&exchange->call, frames);
    loop_timer_clear(exchange->worker->loop, &exchange->keepalive);
    reply_write(&exchange->request->reply, frames);
    reply_stream_end(&exchange->request->reply);
    exchange_set_state(exchange, EXCHANGE_REPLYING);
}

/* Frames that are too large to be built are a fault of the model's output, not to be passed on half. */
static bool are_whole(struct exchange *exchange, struct buf *frames)
{
    if (!frames->overflowed)
        return true;
    struct error err = {0};
    error_set(&err, ERROR_UPSTREAM_ERROR, NULL,
              "The model's output is larger than an answer may be. Ask for a smaller one.");
    buf_dispose(frames);
    exchange_fail(exchange, &err);
    return false;
}

/* Ends the choice, and with the last one the answer. */
static void end_choice(struct exchange *exchange, size_t index, struct buf *frames)
{
    encoder(exchange)->choice_end(&exchange->call, index, exchange->outcomes[index], frames);
    if (!are_whole(exchange, frames))
        return;
    if (exchange->pending > 0) {
        write_frames(exchange, frames);
        return;
    }
    finish(exchange, frames);
    buf_dispose(frames);
}

void exchange_stream_piece(struct exchange *exchange, size_t index, const char *bytes, size_t length)
{
    struct buf frames;
    if (exchange->timeline.first_piece_ms == 0)
        exchange->timeline.first_piece_ms = clock_now_ms();
    buf_init(&frames, frames_max_bytes);
    begin_answer(exchange, &frames);
    encoder(exchange)->piece(&exchange->call, index, bytes, length, &frames);
    if (!are_whole(exchange, &frames))
        return;
    if (!encoder(exchange)->is_stopped(&exchange->call, index)) {
        write_frames(exchange, &frames);
        return;
    }
    /* A stop string has ended the text: what the model goes on to say would only cost money. */
    exchange_collect_ids(exchange);
    exchange_leave(exchange, index, METRIC_REASON_stop, 0);
    exchange->pending--;
    end_choice(exchange, index, &frames);
}

void exchange_stream_choice_end(struct exchange *exchange, size_t index)
{
    struct buf frames;
    buf_init(&frames, frames_max_bytes);
    begin_answer(exchange, &frames);
    end_choice(exchange, index, &frames);
}

void exchange_stream_fail(struct exchange *exchange, const struct error *error)
{
    struct buf frames;
    buf_init(&frames, frames_max_bytes);
    encoder(exchange)->fail(&exchange->call, error, &frames);
    reply_write(&exchange->request->reply, &frames);
    reply_stream_end(&exchange->request->reply);
    exchange_set_state(exchange, EXCHANGE_REPLYING);
    buf_dispose(&frames);
}
