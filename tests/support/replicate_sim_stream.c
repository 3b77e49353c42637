/* Streams of the simulated Replicate: connections that are told of a prediction's events until its last one. */
#include "replicate_sim_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"

enum { ID_LENGTH = SIM_ID_BYTES - 1 };

/* --- Tokens ----------------------------------------------------------------------------------------------------- */

/* 52 characters that look like chance, the second half of which is the prediction's id backwards. */
void sim_stream_token(const struct prediction *prediction, char token[SIM_TOKEN_BYTES])
{
    for (size_t i = 0; i < ID_LENGTH; i++) {
        token[i] = prediction->id[(i * 7 + 3) % ID_LENGTH];
        token[ID_LENGTH + i] = prediction->id[ID_LENGTH - 1 - i];
    }
    token[2 * ID_LENGTH] = '\0';
}

struct prediction *sim_stream_find(struct replicate_sim *sim, const char *token)
{
    char id[SIM_ID_BYTES] = "", whole[SIM_TOKEN_BYTES];
    if (strlen(token) != 2 * ID_LENGTH)
        return NULL;
    for (size_t i = 0; i < ID_LENGTH; i++)
        id[i] = token[2 * ID_LENGTH - 1 - i];
    struct prediction *prediction = sim_prediction_find(sim, id, ID_LENGTH);
    if (!prediction)
        return NULL;
    sim_stream_token(prediction, whole);
    return strcmp(whole, token) == 0 ? prediction : NULL;
}

/* --- Telling ---------------------------------------------------------------------------------------------------- */

/* A chunk is one event, or where a client reads slowly as many as wait for it. */
void sim_stream_put(struct replicate_sim *sim, struct sim_stream *stream)
{
    struct buf *out = &stream->connection->out;
    if (!stream->plan->no_chunks)
        buf_printf(out, "%zx\r\n", stream->text.length);
    buf_append(out, buf_text(&stream->text), stream->text.length);
    if (!stream->plan->no_chunks)
        buf_append_text(out, "\r\n");
    sim->counters.stream_bytes += stream->text.length;
    buf_clear(&stream->text);
}

void sim_stream_end(struct replicate_sim *sim, struct sim_stream *stream)
{
    if (!stream->plan->no_chunks)
        buf_append_text(&stream->connection->out, "0\r\n\r\n");
    stream->connection->close_after = true;
    stream->ended = true;
    sim_timer_clear(sim, &stream->timer);
}

/* Each event begins the wait for the next one anew. */
static void restart_timeout(struct replicate_sim *sim, struct sim_stream *stream)
{
    if (!stream->quiet && !stream->ended)
        sim_timer_set(sim, &stream->timer, sim_now(sim) + SIM_STREAM_TIMEOUT_S * sim_second_ms(sim));
}

/* The event as its plan writes it: `done` may come twice, without data, or not at all. */
static void write_event(struct sim_stream *stream, const struct sim_event *event)
{
    static const char *const names[] = {"output", "logs", "error", "done"};
    const struct sim_stream_plan *plan = stream->plan;
    bool done = event->kind == SIM_EVENT_DONE;
    char id[48];
    struct buf data;
    buf_init(&data, SIM_BODY_MAX_BYTES);
    sim_channel_data(stream->prediction, event, &data);
    snprintf(id, sizeof(id), "%lld:%u", (long long)event->second, event->number);
    int times = !done ? 1 : plan->end == SIM_STREAM_DONE_MISSING ? 0 : plan->end == SIM_STREAM_DONE_TWICE ? 2 : 1;
    for (int i = 0; i < times; i++)
        sim_sse_event(&stream->text, plan, names[event->kind], plan->no_ids ? NULL : id,
                      done && plan->end == SIM_STREAM_DONE_EMPTY ? NULL : &data);
    buf_dispose(&data);
}

static void tell(struct replicate_sim *sim, struct sim_stream *stream)
{
    const struct sim_event *event = &stream->prediction->channel.events[stream->cursor++];
    write_event(stream, event);
    if (stream->cuts) {
        sim_stream_fault_cut(sim, stream);
        return;
    }
    if (stream->text.length > 0)
        sim_stream_put(sim, stream);
    if (event->kind == SIM_EVENT_OUTPUT) {
        stream->pieces++;
        sim->counters.stream_pieces++;
    } else if (event->kind == SIM_EVENT_DONE && stream->plan->end != SIM_STREAM_DONE_OPEN) {
        sim_stream_end(sim, stream);
    }
}

/* What waits for the socket, or for a fault's delay, goes out with what was there before. */
static void flush(struct replicate_sim *sim, struct connection *connection)
{
    if (!connection->writes && !connection->timer.slot)
        sim_connection_write(sim, connection);
}

/* The stream may be gone afterwards, as its connection may be. */
void sim_stream_pump(struct replicate_sim *sim, struct sim_stream *stream)
{
    struct connection *connection = stream->connection;
    size_t told = stream->cursor;
    sim_stream_fault_strike(sim, stream);
    while (!stream->ended && !stream->quiet && stream->cursor < stream->prediction->channel.event_count) {
        tell(sim, stream);
        sim_stream_fault_strike(sim, stream);
    }
    if (stream->cursor > told) {
        sim->has_changed = true;
        restart_timeout(sim, stream);
    }
    if (connection->out.length > 0 || stream->ended)
        flush(sim, connection);
}

/* Thirty seconds without an event; or one of a stream that says nothing but that it is there. */
static void on_timer(struct replicate_sim *sim, struct sim_timer *timer)
{
    struct sim_stream *stream = list_entry(timer, struct sim_stream, timer);
    if (stream->quiet) {
        sim_sse_comment(&stream->text, stream->plan, " still here");
        sim_stream_put(sim, stream);
        sim_timer_set(sim, timer, sim_now(sim) + sim_second_ms(sim));
    } else {
        sim_sse_comment(&stream->text, stream->plan, "408: 408 Request Timeout");
        sim_stream_put(sim, stream);
        sim_stream_end(sim, stream);
        sim->counters.stream_timeouts++;
    }
    sim->has_changed = true;
    flush(sim, stream->connection);
}

/* --- Beginning and end ------------------------------------------------------------------------------------------ */

/* After its retention a stream has nothing to tell, and without an id only new things where the plan says so. */
static size_t first_event(struct replicate_sim *sim, const struct prediction *prediction,
                          const struct sim_request *request)
{
    const struct sim_channel *channel = &prediction->channel;
    const struct sim_plan *settings = &prediction->plan->settings;
    char value[64];
    long long second;
    unsigned number;
    size_t cursor = 0;
    bool ended = prediction->phase == PHASE_ENDED;
    if (settings->retention_ms && ended && sim_now(sim) >= prediction->ended_ms + settings->retention_ms)
        return channel->event_count;
    if (settings->stream.ignores_last_id)
        return 0;
    bool has_id = sim_request_header(request, "last-event-id", value, sizeof(value)) &&
                  sscanf(value, "%lld:%u", &second, &number) == 2;
    if (!has_id)
        return settings->stream.from_now ? channel->event_count : 0;
    while (cursor < channel->event_count &&
           (channel->events[cursor].second < second ||
            (channel->events[cursor].second == second && channel->events[cursor].number <= number)))
        cursor++;
    return cursor;
}

static void put_head(struct sim_stream *stream)
{
    const struct sim_stream_plan *plan = stream->plan;
    buf_printf(&stream->connection->out,
               "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nCache-Control: no-cache\r\n%sConnection: close\r\n\r\n",
               plan->content_type ? plan->content_type : "text/event-stream; charset=utf-8",
               plan->no_chunks ? "" : "Transfer-Encoding: chunked\r\n");
}

/* All of it before the first write, which may end the stream already. */
static void open_stream(struct replicate_sim *sim, struct connection *connection, struct prediction *prediction,
                        enum sim_stream_fault fault)
{
    struct sim_counters *counters = &sim->counters;
    const struct fault *delay = connection->fault;
    struct sim_stream *stream = xcalloc(1, sizeof(*stream));
    stream->prediction = prediction;
    stream->connection = connection;
    stream->plan = &prediction->plan->settings.stream;
    stream->fault = fault;
    stream->timer.fire = on_timer;
    stream->cursor = first_event(sim, prediction, connection->request);
    buf_init(&stream->text, SIM_BODY_MAX_BYTES);
    connection->stream = stream;
    connection->bytewise = stream->plan->bytewise;
    list_append(&prediction->channel.streams, &stream->link);
    counters->streams_opened++;
    counters->open_streams++;
    if (counters->peak_streams < counters->open_streams)
        counters->peak_streams = counters->open_streams;

    if (delay && delay->spec.delay_ms > 0)
        sim_timer_set(sim, &connection->timer, sim_now(sim) + delay->spec.delay_ms);
    put_head(stream);
    sim_sse_comment(&stream->text, stream->plan, " hi");
    sim_stream_put(sim, stream);
    restart_timeout(sim, stream);
    sim_stream_pump(sim, stream);
}

void sim_stream_detach(struct replicate_sim *sim, struct connection *connection)
{
    struct sim_stream *stream = connection->stream;
    if (!stream)
        return;
    connection->stream = NULL;
    connection->bytewise = false;
    sim_timer_clear(sim, &stream->timer);
    list_remove(&stream->link);
    buf_dispose(&stream->text);
    free(stream);
    sim->counters.open_streams--;
}

/* Whether a fault bends how bytes travel, and not what the whole answer is. */
static bool lets_stream(const struct fault *fault)
{
    return !fault || fault->spec.fault == SIM_FAULT_SLOW || fault->spec.fault == SIM_FAULT_BYTEWISE ||
           fault->spec.fault == SIM_FAULT_CHUNKED;
}

bool sim_stream_serve(struct replicate_sim *sim, struct connection *connection, const struct route *route,
                      struct answer *answer)
{
    char value[8];
    struct prediction *prediction = sim_stream_find(sim, route->id);
    sim->counters.stream_authorized += sim_request_header(connection->request, "authorization", value, sizeof(value));
    if (!prediction || !prediction->plan->settings.stream.offered) {
        sim->counters.unknown_paths++;
        sim_answer_problem(answer, 404, NULL, "The requested resource could not be found.");
        return true;
    }
    prediction->channel.connections++;
    enum sim_stream_fault fault = sim_stream_fault_pick(prediction);
    if (fault == SIM_STREAM_STATUS || fault == SIM_STREAM_HTML) {
        const struct sim_stream_plan *plan = &prediction->plan->settings.stream;
        const struct fault refusal = {.spec = {.fault = fault == SIM_STREAM_HTML ? SIM_FAULT_HTML : SIM_FAULT_STATUS,
                                               .status = plan->fault_status         ? plan->fault_status
                                                         : fault == SIM_STREAM_HTML ? 502
                                                                                    : 404}};
        sim_fault_refuse(answer, &refusal);
        return true;
    }
    if (!lets_stream(connection->fault)) {
        answer->status = 200;
        answer->content_type = "text/event-stream; charset=utf-8";
        buf_append_text(&answer->body, ": hi\n\n");
        return true;
    }
    open_stream(sim, connection, prediction, fault);
    return false;
}
