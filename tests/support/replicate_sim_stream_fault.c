/* How streams of the simulated Replicate go wrong. */
#include "replicate_sim_int.h"

#include <string.h>

enum { DEFAULT_HUGE_BYTES = 1024 * 1024 };

/* Only the first connections of a prediction are hit, so that a client that comes again can succeed. */
enum sim_stream_fault sim_stream_fault_pick(const struct prediction *prediction)
{
    const struct sim_stream_plan *plan = &prediction->plan->settings.stream;
    size_t hits = plan->fault_count > 0 ? (size_t)plan->fault_count : 1;
    return plan->fault_count == SIM_FOREVER || prediction->channel.connections <= hits ? plan->fault : SIM_STREAM_FINE;
}

/* Says what is not so: the prediction goes on. */
static void put_error(struct replicate_sim *sim, struct sim_stream *stream)
{
    struct buf data;
    buf_init(&data, SIM_BODY_MAX_BYTES);
    buf_append_text(&data, stream->plan->plain_error ? "The simulated stream failed."
                                                     : "{\"detail\":\"The simulated stream failed.\"}");
    sim_sse_event(&stream->text, stream->plan, "error", NULL, &data);
    buf_clear(&data);
    buf_append_text(&data, "{\"reason\":\"error\"}");
    sim_sse_event(&stream->text, stream->plan, "done", NULL, &data);
    sim_stream_put(sim, stream);
    buf_dispose(&data);
}

/* One line of nothing but the same letter. */
static void put_huge_event(struct replicate_sim *sim, struct sim_stream *stream)
{
    char filling[4096];
    int64_t left = stream->plan->huge_bytes > 0 ? stream->plan->huge_bytes : DEFAULT_HUGE_BYTES;
    struct buf data;
    buf_init(&data, SIM_BODY_MAX_BYTES);
    memset(filling, 'a', sizeof(filling));
    while (left > 0 && buf_append(&data, filling, left < 4096 ? (size_t)left : 4096))
        left -= 4096;
    sim_sse_event(&stream->text, stream->plan, "output", NULL, &data);
    sim_stream_put(sim, stream);
    buf_dispose(&data);
}

/* Without the last chunk: what the client has is not the whole answer. */
static void break_off(struct replicate_sim *sim, struct sim_stream *stream, bool reset)
{
    stream->connection->close_after = true;
    stream->connection->reset_after = reset;
    stream->ended = true;
    sim_timer_clear(sim, &stream->timer);
}

/* Each fault strikes once, as soon as the connection has had its pieces. */
void sim_stream_fault_strike(struct replicate_sim *sim, struct sim_stream *stream)
{
    enum sim_stream_fault fault = stream->fault;
    if (stream->ended || fault == SIM_STREAM_FINE || stream->pieces < (size_t)stream->plan->fault_after)
        return;
    stream->fault = SIM_STREAM_FINE;
    switch (fault) {
    case SIM_STREAM_ERROR:
        put_error(sim, stream);
        sim_stream_end(sim, stream);
        break;
    case SIM_STREAM_END:
        sim_stream_end(sim, stream);
        break;
    case SIM_STREAM_RESET:
        break_off(sim, stream, true);
        break;
    case SIM_STREAM_CUT:
        stream->cuts = true;
        break;
    case SIM_STREAM_HUGE_EVENT:
        put_huge_event(sim, stream);
        break;
    case SIM_STREAM_STALL:
    case SIM_STREAM_COMMENTS:
        stream->quiet = true;
        sim_timer_clear(sim, &stream->timer);
        if (fault == SIM_STREAM_COMMENTS)
            sim_timer_set(sim, &stream->timer, sim_now(sim) + sim_second_ms(sim));
        break;
    default:
        break;
    }
}

/* Half of the event's bytes, in a chunk that promises all of them. */
void sim_stream_fault_cut(struct replicate_sim *sim, struct sim_stream *stream)
{
    struct buf *out = &stream->connection->out;
    size_t length = stream->text.length, chunk_end = stream->plan->no_chunks ? 0 : 2;
    sim_stream_put(sim, stream);
    out->length -= length - length / 2 + chunk_end;
    break_off(sim, stream, false);
}
