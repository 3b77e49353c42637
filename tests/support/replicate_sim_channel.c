/* What a prediction of the simulated Replicate says, and when: its pieces by the pace of its plan, and the events that
 * tell its streams of them. */
#include "replicate_sim_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"

/* As a time: not by itself. */
enum { NEVER = -1 };

static const struct sim_stream_plan *stream_plan(const struct prediction *prediction)
{
    return &prediction->plan->settings.stream;
}

/* How much later than GET a stream is told. */
static int64_t stream_delay_ms(const struct prediction *prediction)
{
    int64_t lag_ms = stream_plan(prediction)->lag_ms;
    return lag_ms < 0 ? -lag_ms : 0;
}

static int64_t made_ms(const struct replicate_sim *sim, const struct prediction *prediction, size_t piece)
{
    return prediction->channel.made_us[piece] / 1000 - sim->start_ms;
}

/* --- Pieces ----------------------------------------------------------------------------------------------------- */

/* What is no array is one piece; only its end makes it. */
void sim_channel_init(struct prediction *prediction)
{
    struct sim_channel *channel = &prediction->channel;
    const json_t *output = prediction->output;
    channel->count = json_is_array(output) ? json_array_size(output) : json_is_null(output) ? 0 : 1;
    channel->made_us = xcalloc(channel->count + 1, sizeof(*channel->made_us));
    channel->finish_ms = NEVER;
    list_init(&channel->streams);
}

void sim_channel_dispose(struct replicate_sim *sim, struct prediction *prediction)
{
    sim_timer_clear(sim, &prediction->channel.timer);
    free(prediction->channel.made_us);
    free(prediction->channel.events);
}

static void piece_text(const struct prediction *prediction, size_t piece, struct buf *text)
{
    const json_t *output = prediction->output, *one = json_is_array(output) ? json_array_get(output, piece) : output;
    if (json_is_string(one))
        buf_append(text, json_string_value(one), json_string_length(one));
    else
        json_append(text, one);
}

/* The stamp is put into the output itself, so that GET shows the same text as the stream. */
static void stamp(struct prediction *prediction, size_t piece)
{
    struct buf text;
    buf_init(&text, SIM_BODY_MAX_BYTES);
    buf_printf(&text, "%lld:", (long long)prediction->channel.made_us[piece]);
    piece_text(prediction, piece, &text);
    json_array_set_new(prediction->output, piece, json_string(buf_text(&text)));
    buf_dispose(&text);
}

static void make_piece(struct replicate_sim *sim, struct prediction *prediction)
{
    struct sim_channel *channel = &prediction->channel;
    size_t piece = channel->made++;
    channel->made_us[piece] = sim_monotonic_us();
    if (prediction->plan->settings.stamp_pieces && !prediction->plan->output)
        stamp(prediction, piece);
    sim->has_changed = true;
}

/* What never ran has said nothing. */
static void make_all(struct replicate_sim *sim, struct prediction *prediction)
{
    while (prediction->started_ms >= 0 && prediction->channel.made < prediction->channel.count)
        make_piece(sim, prediction);
}

/* A failure without pieces of its own does not echo. */
static bool fails_silently(const struct prediction *prediction)
{
    const struct sim_plan *settings = &prediction->plan->settings;
    return settings->end_status && strcmp(settings->end_status, "failed") == 0 && !settings->pieces;
}

/* When the next piece is to be made. Without a pace of their own the last one comes with the end. */
static int64_t next_piece_ms(const struct prediction *prediction)
{
    const struct sim_plan *settings = &prediction->plan->settings;
    int64_t count = (int64_t)prediction->channel.count, next = (int64_t)prediction->channel.made + 1;
    int64_t run_ms = settings->run_ms, begin_ms = prediction->started_ms + settings->first_piece_ms;
    bool makes = prediction->phase == PHASE_PROCESSING && !prediction->lingers && !fails_silently(prediction);
    if (!makes || next > count || settings->output_json || settings->piece_ms == SIM_HOLD)
        return NEVER;
    if (settings->piece_ms > 0)
        return begin_ms + (next - 1) * settings->piece_ms;
    if (next == count)
        return NEVER;
    if (run_ms == SIM_HOLD)
        return begin_ms;
    int64_t span_ms = run_ms > settings->first_piece_ms ? run_ms - settings->first_piece_ms : 0;
    return prediction->started_ms + run_ms - span_ms + (next * span_ms + count - 1) / count;
}

int64_t sim_channel_run_ms(const struct prediction *prediction)
{
    const struct sim_plan *settings = &prediction->plan->settings;
    int64_t count = (int64_t)prediction->channel.count;
    if (settings->run_ms == SIM_HOLD || settings->piece_ms == SIM_HOLD)
        return SIM_HOLD;
    int64_t last_ms = count > 0 ? settings->first_piece_ms + (count - 1) * settings->piece_ms : 0;
    return settings->piece_ms > 0 && last_ms > settings->run_ms ? last_ms : settings->run_ms;
}

size_t sim_channel_shown(const struct replicate_sim *sim, const struct prediction *prediction)
{
    int64_t lag_ms = stream_plan(prediction)->lag_ms, now_ms = sim_now(sim);
    size_t shown = prediction->channel.made;
    while (lag_ms > 0 && shown > 0 && made_ms(sim, prediction, shown - 1) + lag_ms > now_ms)
        shown--;
    return shown;
}

int64_t replicate_sim_piece_us(struct replicate_sim *sim, size_t i, size_t k)
{
    int64_t at_us = -1;
    sim_lock(sim);
    if (i < sim->counters.created && k < sim->predictions[i]->channel.made)
        at_us = sim->predictions[i]->channel.made_us[k];
    sim_unlock(sim);
    return at_us;
}

/* --- Events ----------------------------------------------------------------------------------------------------- */

/* Ids are those of a message queue: the second, and a number within it. */
static struct sim_event *add_event(struct replicate_sim *sim, struct sim_channel *channel, enum sim_event_kind kind)
{
    if (channel->event_count == channel->event_capacity) {
        channel->event_capacity = channel->event_capacity ? channel->event_capacity * 2 : 8;
        channel->events = xrealloc(channel->events, channel->event_capacity * sizeof(struct sim_event));
    }
    struct sim_event *event = &channel->events[channel->event_count++];
    *event = (struct sim_event){.kind = kind, .second = (sim->start_wall_us + sim_now(sim) * 1000) / 1000000};
    if (channel->event_count > 1 && event[-1].second == event->second)
        event->number = event[-1].number + 1;
    return event;
}

/* Where a text can be cut inside a character: before its last continuation byte. 0 = nowhere. */
static size_t inside_character(const char *text, size_t length)
{
    while (length > 0 && ((unsigned char)text[length - 1] & 0xc0) != 0x80)
        length--;
    return length > 0 ? length - 1 : 0;
}

static void add_output(struct replicate_sim *sim, struct sim_channel *channel, size_t piece, size_t from, size_t length)
{
    struct sim_event *event = add_event(sim, channel, SIM_EVENT_OUTPUT);
    event->piece = piece;
    event->from = from;
    event->length = length;
}

static void publish_piece(struct replicate_sim *sim, struct prediction *prediction)
{
    struct sim_channel *channel = &prediction->channel;
    size_t piece = channel->published++;
    struct buf text;
    buf_init(&text, SIM_BODY_MAX_BYTES);
    piece_text(prediction, piece, &text);
    size_t cut = stream_plan(prediction)->half_characters ? inside_character(buf_text(&text), text.length) : 0;
    if (cut > 0)
        add_output(sim, channel, piece, 0, cut);
    add_output(sim, channel, piece, cut, text.length - cut);
    buf_dispose(&text);
}

/* An event for each line, without its end. */
static void publish_logs(struct replicate_sim *sim, struct prediction *prediction)
{
    const char *logs = prediction->plan->settings.logs, *line = logs;
    while (stream_plan(prediction)->logs && line && *line) {
        struct sim_event *event = add_event(sim, &prediction->channel, SIM_EVENT_LOGS);
        event->from = (size_t)(line - logs);
        event->length = strcspn(line, "\n");
        line += event->length;
        line += *line == '\n';
    }
}

/* The last words. Pieces that a plan of a late stream still held back come before them. */
static void finish(struct replicate_sim *sim, struct prediction *prediction, enum ending ending)
{
    struct sim_channel *channel = &prediction->channel;
    const char *word = prediction->plan->settings.end_status, *data = "{\"reason\":\"canceled\"}";
    bool failed = ending == ENDING_PLAN && word && strcmp(word, "failed") == 0;
    if (ending == ENDING_PLAN) {
        while (channel->published < channel->made)
            publish_piece(sim, prediction);
        if (failed)
            add_event(sim, channel, SIM_EVENT_ERROR);
        if (!word || strcmp(word, "succeeded") == 0)
            data = "{}";
        else if (failed)
            data = "{\"reason\":\"error\"}";
    }
    add_event(sim, channel, SIM_EVENT_DONE)->done_data = data;
    channel->finished = true;
    channel->finish_ms = NEVER;
}

/* The data of an `error` event. */
static void error_data(const struct prediction *prediction, struct buf *data)
{
    json_t *error = sim_prediction_error(prediction->plan), *object = json_pack("{s:O}", "detail", error);
    if (!stream_plan(prediction)->plain_error)
        json_append(data, object);
    else if (json_is_string(error))
        buf_append_text(data, json_string_value(error));
    else
        json_append(data, error);
    json_decref(object);
    json_decref(error);
}

void sim_channel_data(const struct prediction *prediction, const struct sim_event *event, struct buf *data)
{
    struct buf piece;
    switch (event->kind) {
    case SIM_EVENT_OUTPUT:
        buf_init(&piece, SIM_BODY_MAX_BYTES);
        piece_text(prediction, event->piece, &piece);
        buf_append(data, buf_text(&piece) + event->from, event->length);
        buf_dispose(&piece);
        break;
    case SIM_EVENT_LOGS:
        buf_append(data, prediction->plan->settings.logs + event->from, event->length);
        break;
    case SIM_EVENT_ERROR:
        error_data(prediction, data);
        break;
    case SIM_EVENT_DONE:
        buf_append_text(data, event->done_data);
        break;
    }
}

/* --- Time ------------------------------------------------------------------------------------------------------- */

/* Telling a stream may end it, hence the look ahead. */
static void tell_streams(struct replicate_sim *sim, struct prediction *prediction)
{
    struct list *streams = &prediction->channel.streams;
    struct list_link *link = list_first(streams);
    while (link) {
        struct sim_stream *stream = list_entry(link, struct sim_stream, link);
        link = list_next(streams, link);
        sim_stream_pump(sim, stream);
    }
}

static bool is_sooner(int64_t due_ms, int64_t than_ms)
{
    return due_ms != NEVER && (than_ms == NEVER || due_ms < than_ms);
}

/* When there is something to do again. */
static int64_t next_due_ms(const struct replicate_sim *sim, const struct prediction *prediction)
{
    const struct sim_channel *channel = &prediction->channel;
    int64_t due_ms = next_piece_ms(prediction);
    if (channel->published < channel->made && !channel->finished && stream_plan(prediction)->offered) {
        int64_t publish_ms = made_ms(sim, prediction, channel->published) + stream_delay_ms(prediction);
        due_ms = is_sooner(publish_ms, due_ms) ? publish_ms : due_ms;
    }
    return is_sooner(channel->finish_ms, due_ms) ? channel->finish_ms : due_ms;
}

/* All that is due by now, and one write for it. */
static void tick(struct replicate_sim *sim, struct prediction *prediction)
{
    struct sim_channel *channel = &prediction->channel;
    int64_t now_ms = sim_now(sim), delay_ms = stream_delay_ms(prediction), due_ms;
    while ((due_ms = next_piece_ms(prediction)) != NEVER && due_ms <= now_ms)
        make_piece(sim, prediction);
    while (stream_plan(prediction)->offered && !channel->finished && channel->published < channel->made &&
           made_ms(sim, prediction, channel->published) + delay_ms <= now_ms)
        publish_piece(sim, prediction);
    if (channel->finish_ms != NEVER && channel->finish_ms <= now_ms)
        finish(sim, prediction, prediction->ending);
    tell_streams(sim, prediction);
    due_ms = next_due_ms(sim, prediction);
    if (due_ms != NEVER)
        sim_timer_set(sim, &channel->timer, due_ms);
    else
        sim_timer_clear(sim, &channel->timer);
}

static void on_timer(struct replicate_sim *sim, struct sim_timer *timer)
{
    tick(sim, list_entry(timer, struct prediction, channel.timer));
}

void sim_channel_start(struct replicate_sim *sim, struct prediction *prediction)
{
    prediction->channel.timer.fire = on_timer;
    if (stream_plan(prediction)->offered)
        publish_logs(sim, prediction);
    tick(sim, prediction);
}

bool sim_channel_release(struct replicate_sim *sim, struct prediction *prediction)
{
    struct sim_channel *channel = &prediction->channel;
    if (prediction->plan->settings.piece_ms != SIM_HOLD || prediction->lingers || channel->made == channel->count)
        return false;
    make_piece(sim, prediction);
    tick(sim, prediction);
    return true;
}

bool sim_channel_ends_first(struct replicate_sim *sim, struct prediction *prediction)
{
    const struct sim_plan *settings = &prediction->plan->settings;
    if (!settings->stream.offered || settings->stream.lag_ms <= 0 || prediction->channel.finished)
        return false;
    if (sim_prediction_is_whole(prediction, settings->end_status))
        make_all(sim, prediction);
    finish(sim, prediction, ENDING_PLAN);
    tick(sim, prediction);
    return true;
}

/* A cancel ends the stream at once; a plan's end comes to it as late as everything else. */
void sim_channel_end(struct replicate_sim *sim, struct prediction *prediction)
{
    struct sim_channel *channel = &prediction->channel;
    int64_t delay_ms = stream_delay_ms(prediction);
    channel->timer.fire = on_timer;
    if (prediction->ending == ENDING_PLAN && sim_prediction_is_whole(prediction, prediction->status))
        make_all(sim, prediction);
    if (stream_plan(prediction)->offered && !channel->finished) {
        if (prediction->ending == ENDING_PLAN && delay_ms > 0)
            channel->finish_ms = prediction->ended_ms + delay_ms;
        else
            finish(sim, prediction, prediction->ending);
    }
    tick(sim, prediction);
}

void sim_channel_linger(struct replicate_sim *sim, struct prediction *prediction)
{
    make_all(sim, prediction);
    tick(sim, prediction);
}
