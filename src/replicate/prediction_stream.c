/* A prediction that is followed by its event stream, with polls beside it while the stream is silent.
 *
 * The stream is for speed alone. How the prediction ended, and whether the text was right, only its polls tell; so a
 * stream is left for good, and polls go on alone, wherever it is unclear what of the text it would give next. */
#include "prediction_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/output.h"

enum {
    EVENT_BYTES = 1024 * 1024,
    REFUSAL_BYTES = 1024 * 1024, /* of an answer that is no stream */
    SILENT_MS = 2 * 1000,        /* without a piece for so long, polls are made as well */
    CATCH_UP_MS = 1000,          /* a stream may be so far behind a poll */
    IDLE_MS = 45 * 1000,         /* Replicate itself closes a silent stream after 30 s */
    KEPT_MS = 10 * 1000,         /* one that was held open so long did what it could */
    RECONNECTS_MAX = 5,
    FOLLOWED_MAX = 400, /* predictions of a worker whose streams are read only to learn of their end */
    OWN_HEADERS = 1,
};

static void on_event(void *arg, const struct sse_event *event);
static void on_comment(void *arg, const char *text, size_t length);
static void on_reconnect_due(void *arg);
static void on_catch_up_due(void *arg);

static struct prediction_stream *new_stream(struct prediction *prediction, const char *url)
{
    struct prediction_stream *stream = xcalloc(1, sizeof *stream);
    stream->url = xstrdup(url);
    loop_timer_init(&stream->reconnect, on_reconnect_due, prediction);
    loop_timer_init(&stream->catch_up, on_catch_up_due, prediction);
    return stream;
}

/* Not in close, which an event may call for: the parser must outlive its own callbacks. */
void prediction_stream_dispose(struct prediction *prediction)
{
    struct prediction_stream *stream = prediction->stream;
    if (stream == NULL)
        return;
    if (stream->parser != NULL)
        sse_parser_dispose(stream->parser);
    free(stream->parser);
    free(stream->error_text);
    free(stream->url);
    free(stream);
}

static void disconnect(struct prediction *prediction)
{
    transfer_cancel(&prediction->stream->transfer);
    loop_timer_clear(prediction->engine->options.loop, &prediction->stream->catch_up);
}

void prediction_stream_close(struct prediction *prediction)
{
    if (prediction->stream == NULL)
        return;
    disconnect(prediction);
    loop_timer_clear(prediction->engine->options.loop, &prediction->stream->reconnect);
}

void prediction_stream_leave(struct prediction *prediction, int64_t delay_ms)
{
    log_write(LOG_LEVEL_DEBUG, "stream_left", log_text("request_id", prediction->job->request_id),
              log_text("prediction_id", prediction->id), log_number("is_done", prediction->stream->is_done),
              log_number("given_bytes", (int64_t)prediction->pieces.given_bytes));
    prediction_stream_close(prediction);
    /* A poll under way serves as well as a new one. */
    if (prediction->transfer != NULL)
        prediction_set_state(prediction, PREDICTION_POLLING);
    else
        prediction_sleep(prediction, delay_ms);
}

/* It is of no use, and nothing is known to wait for: polls go on at their usual pace. */
static void leave_useless(struct prediction *prediction)
{
    bool is_running = prediction->status == API_STATUS_PROCESSING;
    prediction_stream_leave(prediction, pacing_poll_delay_ms(0, is_running, prediction->job->poll_interval_ms));
}

/* --- what it says --- */

/* The closing comment of a stream that had nothing to say for half a minute: "408: 408 Request Timeout". */
static void on_comment(void *arg, const char *text, size_t length)
{
    struct prediction *prediction = arg;
    if (length >= 3 && memcmp(text, "408", 3) == 0)
        prediction->stream->was_silent_close = true;
}

/* False where the event was given before, or where that cannot be known. */
static bool is_news(struct prediction_stream *stream, const char *id_text)
{
    struct api_event_id id;
    bool has_id = api_event_id_parse(id_text, &id);
    bool is_after = has_id && (!stream->has_last_id || api_event_id_is_after(&id, &stream->last_id));
    if (stream->is_resumed && has_id && !is_after)
        return false;
    /* An event without an id of its own shows that of the event before it. */
    if (!is_after) {
        stream->is_unnumbered = true;
        return !stream->is_resumed;
    }
    stream->has_last_id = true;
    stream->last_id = id;
    return true;
}

static bool is_unclear(const struct prediction_stream *stream)
{
    return stream->is_resumed && stream->is_unnumbered;
}

static void take_output(struct prediction *prediction, const struct sse_event *event)
{
    if (!is_news(prediction->stream, event->id))
        return;
    if (prediction->status != API_STATUS_PROCESSING) {
        prediction->status = API_STATUS_PROCESSING;
        prediction->status_polls = 0;
        if (prediction->running_ms < 0)
            prediction->running_ms = clock_now_ms();
    }
    /* Models begin and end with empty pieces, which prove nothing. */
    if (event->data_length == 0)
        return;
    /* A file that comes by a stream of text is none the less a file. */
    bool is_first = prediction->job->wants_pieces && prediction->pieces.given_bytes == 0;
    if (is_first && output_is_file_link(event->data, event->data_length)) {
        leave_useless(prediction);
        return;
    }
    prediction->stream->heard_ms = clock_now_ms();
    prediction->stream->reconnects = 0;
    prediction_pieces_give(prediction, event->data, event->data_length);
}

/* The first one is the cause; what follows is noise. */
static void take_error(struct prediction *prediction, const struct sse_event *event)
{
    char text[512];
    if (prediction->stream->error_text != NULL)
        return;
    api_stream_error_text(event->data, event->data_length, prediction->job->token, text);
    prediction->stream->error_text = xstrdup(text);
}

/* Events that came together with one that ended it are not looked at: the observer may have left at a piece. */
static void on_event(void *arg, const struct sse_event *event)
{
    struct prediction *prediction = arg;
    struct prediction_stream *stream = prediction->stream;
    if (stream->transfer == NULL || stream->is_done || is_unclear(stream))
        return;
    if (strcmp(event->type, "output") == 0)
        take_output(prediction, event);
    else if (strcmp(event->type, "error") == 0)
        take_error(prediction, event);
    else if (strcmp(event->type, "done") == 0)
        stream->is_done = true;
}

/* Whatever reason `done` gives, the prediction itself says it better. */
static void on_data(void *arg, const char *bytes, size_t length)
{
    struct prediction *prediction = arg;
    struct prediction_stream *stream = prediction->stream;
    bool fits = sse_parser_feed(stream->parser, bytes, length);
    if (stream->transfer == NULL)
        return;
    if (stream->is_done)
        prediction_stream_leave(prediction, 0);
    else if (!fits || is_unclear(stream))
        leave_useless(prediction);
}

/* --- connecting --- */

/* How the next connection may be made, after this one ended: at once where silence was the only reason. */
static int64_t reconnect_wait_ms(const struct prediction_stream *stream, bool is_clean)
{
    int64_t active_ms = stream->heard_ms > stream->connected_ms ? stream->heard_ms : stream->connected_ms;
    bool was_silent = stream->was_silent_close || clock_now_ms() - active_ms >= SILENT_MS;
    return is_clean && was_silent ? 0 : pacing_backoff_ms(stream->reconnects);
}

/* Only where no piece can come twice: nothing was given, or all that was has numbers. */
static bool may_reconnect(const struct prediction *prediction)
{
    const struct prediction_stream *stream = prediction->stream;
    bool is_resumable = prediction->pieces.given_bytes == 0 || (stream->has_last_id && !stream->is_unnumbered);
    return is_resumable && stream->reconnects < RECONNECTS_MAX;
}

static void on_stream_done(void *arg, const struct transfer_answer *answer)
{
    struct prediction *prediction = arg;
    struct prediction_stream *stream = prediction->stream;
    stream->transfer = NULL;
    disconnect(prediction);
    bool is_answered = answer->result == TRANSFER_ANSWERED;
    bool is_refused = is_answered && (answer->status < 200 || answer->status >= 300 || answer->body_length > 0);
    /* While a model boots, Replicate closes its stream again and again: that is no failure of the stream. */
    if (is_answered && clock_now_ms() - stream->connected_ms >= KEPT_MS)
        stream->reconnects = 0;
    if (stream->error_text != NULL) {
        stream->is_done = true;
        prediction_stream_leave(prediction, 0);
    } else if (is_refused || !may_reconnect(prediction)) {
        leave_useless(prediction);
    } else {
        stream->reconnects++;
        loop_timer_set(prediction->engine->options.loop, &stream->reconnect,
                       clock_now_ms() + reconnect_wait_ms(stream, is_answered));
    }
}

/* The job's own headers are meant for the API, and may hold secrets of their own. The caller frees. */
static struct header *stream_headers(struct prediction *prediction, bool is_own, size_t *count)
{
    static char id_name[] = "Last-Event-ID";
    const struct job *job = prediction->job;
    struct header *headers = xcalloc(job->header_count + OWN_HEADERS, sizeof *headers);
    size_t used = 0;
    for (; is_own && used < job->header_count; used++)
        headers[used] = job->headers[used];
    if (prediction->stream->is_resumed)
        headers[used++] = (struct header){id_name, prediction->stream->last_id.text};
    *count = used;
    return headers;
}

/* A fresh parser, so that an event without an id cannot borrow one of the connection before. */
static void connect_stream(struct prediction *prediction)
{
    struct prediction_stream *stream = prediction->stream;
    if (stream->parser == NULL)
        stream->parser = xmalloc(sizeof *stream->parser);
    else
        sse_parser_dispose(stream->parser);
    sse_parser_init(stream->parser, EVENT_BYTES, on_event, on_comment, prediction);
    stream->is_resumed = stream->has_last_id && !stream->is_unnumbered;
    stream->has_last_id = stream->is_resumed;
    stream->is_unnumbered = false;
    stream->was_silent_close = false;
    stream->connected_ms = clock_now_ms();
    bool is_own = api_is_own_origin(prediction->job, stream->url);
    size_t header_count = 0;
    struct header *headers = stream_headers(prediction, is_own, &header_count);
    const struct transfer_request request = {
        .call = METRIC_CALL_stream_open,
        .method = "GET",
        .url = stream->url,
        .token = is_own ? prediction->job->token : NULL,
        .headers = headers,
        .header_count = header_count,
        .max_answer_bytes = REFUSAL_BYTES,
        .accept = "text/event-stream",
        .on_data = on_data,
        .idle_timeout_ms = IDLE_MS,
    };
    stream->transfer = transfer_start(prediction->engine->options.transfers, &request, on_stream_done, prediction);
    free(headers);
}

/* While the observer can take nothing, resuming connects. */
static void on_reconnect_due(void *arg)
{
    struct prediction *prediction = arg;
    if (!prediction->is_paused)
        connect_stream(prediction);
}

/* Where the pieces are not wanted, the stream still tells the end at once, which polls learn of half a pause later; but
 * each costs a connection, so of those there are not many. */
static bool is_worth_following(const struct prediction *prediction)
{
    return prediction->job->wants_pieces || engine_count_in(prediction->engine, PREDICTION_STREAMING) < FOLLOWED_MAX;
}

/* Once only, and only from the start of the text: a stream that was left is not begun again. */
bool prediction_stream_is_offered(const struct prediction *prediction, const struct api_prediction *answer)
{
    return prediction->observer != NULL && prediction->stream == NULL && prediction->pieces.given_bytes == 0 &&
           api_stream_url(prediction->job, answer) != NULL && is_worth_following(prediction);
}

void prediction_stream_start(struct prediction *prediction, const struct api_prediction *answer)
{
    struct prediction_stream *stream = new_stream(prediction, api_stream_url(prediction->job, answer));
    prediction->stream = stream;
    stream->heard_ms = clock_now_ms();
    prediction_set_state(prediction, PREDICTION_STREAMING);
    prediction_poll_after(prediction, SILENT_MS);
    if (!prediction->is_paused)
        connect_stream(prediction);
}

/* --- the polls beside it --- */

/* Resuming sets the timer again. One whose stream speaks is no load on the budget for polls. */
void prediction_stream_poll(struct prediction *prediction)
{
    if (prediction->is_paused)
        return;
    int64_t left_ms = prediction->stream->heard_ms + SILENT_MS - clock_now_ms();
    if (left_ms > 0) {
        budget_share_clear(prediction->budget, &prediction->share);
        prediction_poll_after(prediction, left_ms);
    } else {
        prediction_poll(prediction);
    }
}

static void on_catch_up_due(void *arg)
{
    struct prediction *prediction = arg;
    if (prediction->pieces.given_bytes < prediction->stream->owed_bytes)
        prediction_stream_leave(prediction, 0);
}

/* A poll may be behind the stream, and the stream a moment behind a poll; but if they differ, the stream is wrong. */
void prediction_stream_compare(struct prediction *prediction, const struct api_prediction *answer)
{
    struct prediction_stream *stream = prediction->stream;
    prediction_poll_after(prediction, prediction_plan_ms(prediction, prediction->job->poll_interval_ms));
    if (prediction->is_paused)
        return;
    struct buf rest;
    size_t text_bytes = 0;
    buf_init(&rest, PREDICTION_ANSWER_BYTES);
    enum pieces_match match = pieces_compare(&prediction->pieces, answer->output, &rest, &text_bytes);
    buf_dispose(&rest);
    if (match == PIECES_DIFFER) {
        leave_useless(prediction);
    } else if (match == PIECES_MATCH && text_bytes > prediction->pieces.given_bytes && stream->catch_up.place == 0) {
        stream->owed_bytes = text_bytes;
        loop_timer_set(prediction->engine->options.loop, &stream->catch_up, clock_now_ms() + CATCH_UP_MS);
    }
}

/* --- an observer that can take no more for now --- */

/* What the stream owes is not held against it meanwhile. */
void prediction_stream_pause(struct prediction *prediction)
{
    struct prediction_stream *stream = prediction->stream;
    loop_timer_clear(prediction->engine->options.loop, &stream->catch_up);
    if (stream->transfer != NULL)
        transfer_pause(stream->transfer);
}

void prediction_stream_resume(struct prediction *prediction)
{
    struct prediction_stream *stream = prediction->stream;
    stream->heard_ms = clock_now_ms();
    if (stream->transfer != NULL)
        transfer_resume(stream->transfer);
    else if (stream->reconnect.place == 0)
        loop_timer_set(prediction->engine->options.loop, &stream->reconnect, clock_now_ms());
    if (prediction->step.place == 0 && prediction->transfer == NULL)
        prediction_poll_after(prediction, SILENT_MS);
}
