/* Predictions of the simulated Replicate, from their creation to their end. */
#include "replicate_sim_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/json.h"

enum { ID_LENGTH = SIM_ID_BYTES - 1, INDEX_DIGITS = 7 };

static const char id_digits[] = "abcdefghjkmnpqrstvwxyz0123456789";

/* 26 characters of which the last seven are the prediction's index: they look like Replicate's, and finding one is
 * reading its id. */
static void make_id(size_t index, char id[SIM_ID_BYTES])
{
    uint64_t noise = (index + 1) * 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < ID_LENGTH - INDEX_DIGITS; i++) {
        noise = (noise ^ (noise >> 27)) * 0x94d049bb133111ebu + i;
        id[i] = id_digits[(noise >> 40) % 32];
    }
    for (size_t i = 0; i < INDEX_DIGITS; i++) {
        id[ID_LENGTH - 1 - i] = id_digits[index % 32];
        index /= 32;
    }
    id[ID_LENGTH] = '\0';
}

struct prediction *sim_prediction_find(struct replicate_sim *sim, const char *id, size_t length)
{
    size_t index = 0;
    if (length != ID_LENGTH)
        return NULL;
    for (size_t i = ID_LENGTH - INDEX_DIGITS; i < ID_LENGTH; i++) {
        const char *digit = memchr(id_digits, id[i], 32);
        if (!digit)
            return NULL;
        index = index * 32 + (size_t)(digit - id_digits);
    }
    if (index >= sim->counters.created || memcmp(sim->predictions[index]->id, id, ID_LENGTH) != 0)
        return NULL;
    return sim->predictions[index];
}

/* Each word begins with the space before it, so that they make the text again. */
static void append_words(json_t *output, const char *text)
{
    while (*text) {
        size_t space = strspn(text, " "), length = space + strcspn(text + space, " ");
        json_array_append_new(output, json_stringn(text, length));
        text += length;
    }
}

json_t *sim_prediction_output(const struct plan *plan, const json_t *input)
{
    static const char *const echo[] = {"You said: ", SIM_PROMPT};
    if (plan->output)
        return json_incref(plan->output);
    const char *const *pieces = plan->settings.pieces ? plan->settings.pieces : echo;
    size_t count = plan->settings.pieces ? plan->settings.piece_count : 2;
    size_t times = plan->settings.repeat_pieces > 0 ? (size_t)plan->settings.repeat_pieces : 1;
    json_t *output = json_array(), *prompt = json_object_get(input, "prompt");
    for (size_t i = 0; i < count * times; i++) {
        const char *piece = pieces[i % count];
        if (strcmp(piece, SIM_PROMPT) == 0)
            json_array_append_new(output, json_is_string(prompt) ? json_copy(prompt) : json_string(""));
        else if (strcmp(piece, SIM_PROMPT_WORDS) == 0)
            append_words(output, json_is_string(prompt) ? json_string_value(prompt) : "");
        else
            json_array_append_new(output, json_string(piece));
    }
    return output;
}

/* Replicate echoes the input with its keys in order. */
static json_t *sorted_input(const json_t *input)
{
    char *text = json_dumps(input, JSON_SORT_KEYS | JSON_COMPACT);
    ensure(text != NULL);
    json_t *sorted = json_parse(text, strlen(text), NULL);
    free(text);
    ensure(sorted != NULL);
    return sorted;
}

/* Its time in this phase is over. */
static void on_phase_timer(struct replicate_sim *sim, struct sim_timer *timer)
{
    sim_prediction_step(sim, list_entry(timer, struct prediction, phase_timer));
}

/* The only way to an end: all counters move here, and whoever waits is answered last, when it is true. */
static void end(struct replicate_sim *sim, struct prediction *prediction, enum ending ending, const char *status)
{
    struct sim_counters *counters = &sim->counters;
    prediction->ended_ms = sim_now(sim);
    prediction->phase = PHASE_ENDED;
    prediction->ending = ending;
    prediction->status = status;
    sim_timer_clear(sim, &prediction->phase_timer);
    sim_timer_clear(sim, &prediction->deadline_timer);
    counters->running--;
    counters->ended++;
    counters->succeeded += ending == ENDING_PLAN && strcmp(status, "succeeded") == 0;
    counters->failed += ending == ENDING_PLAN && strcmp(status, "failed") == 0;
    counters->cancelled += ending == ENDING_CANCEL;
    sim->has_changed = true;
    sim_channel_end(sim, prediction);
    if (prediction->waiter)
        sim_api_create_waited(sim, prediction);
}

/* The deadline aborts what waits in the queue and cancels what runs. */
static void on_deadline(struct replicate_sim *sim, struct sim_timer *timer)
{
    struct prediction *prediction = list_entry(timer, struct prediction, deadline_timer);
    bool started = prediction->phase != PHASE_STARTING;
    sim->counters.aborted += !started;
    sim->counters.deadline_canceled += started;
    end(sim, prediction, ENDING_DEADLINE, started ? "canceled" : "aborted");
}

/* The four words that Replicate knows; any other leaves a client waiting. */
static bool is_terminal(const char *status)
{
    return strcmp(status, "succeeded") == 0 || strcmp(status, "failed") == 0 || strcmp(status, "canceled") == 0 ||
           strcmp(status, "aborted") == 0;
}

static void start(struct replicate_sim *sim, struct prediction *prediction)
{
    const struct sim_plan *settings = &prediction->plan->settings;
    prediction->phase = PHASE_PROCESSING;
    prediction->status = settings->processing_word ? settings->processing_word : "processing";
    prediction->started_ms = sim_now(sim);
    int64_t run_ms = sim_channel_run_ms(prediction);
    if (run_ms != SIM_HOLD)
        sim_timer_set(sim, &prediction->phase_timer, prediction->started_ms + run_ms);
    sim_channel_start(sim, prediction);
}

/* A plan that aborts never runs: that is what the word means. */
void sim_prediction_step(struct replicate_sim *sim, struct prediction *prediction)
{
    const struct sim_plan *settings = &prediction->plan->settings;
    const char *end_status = settings->end_status ? settings->end_status : "succeeded";
    sim_timer_clear(sim, &prediction->phase_timer);
    sim->has_changed = true;
    if (prediction->phase == PHASE_ENDED)
        return;
    if (prediction->phase == PHASE_STARTING && strcmp(end_status, "aborted") != 0) {
        start(sim, prediction);
    } else if (sim_channel_release(sim, prediction)) {
        return;
    } else if (!is_terminal(end_status)) {
        prediction->lingers = true;
        prediction->status = end_status;
        sim_channel_linger(sim, prediction);
    } else if (sim_channel_ends_first(sim, prediction)) {
        sim_timer_set(sim, &prediction->phase_timer, sim_now(sim) + settings->stream.lag_ms);
    } else {
        end(sim, prediction, ENDING_PLAN, end_status);
    }
}

/* Counted even when it changes nothing: a test may ask how often it was told. */
void sim_prediction_cancel(struct replicate_sim *sim, struct prediction *prediction)
{
    sim->counters.cancel_calls++;
    sim->has_changed = true;
    if (prediction->cancel_calls++ == 0)
        prediction->first_cancel_ms = sim_now(sim);
    if (prediction->phase != PHASE_ENDED && !prediction->plan->settings.ignores_cancel)
        end(sim, prediction, ENDING_CANCEL, "canceled");
}

/* Predictions are never thrown away before the stop: indices in ids and in the API for tests stay true. */
static void keep(struct replicate_sim *sim, struct prediction *prediction)
{
    size_t index = sim->counters.created++;
    if (index == sim->prediction_capacity) {
        sim->prediction_capacity = index ? index * 2 : 256;
        sim->predictions = xrealloc(sim->predictions, sim->prediction_capacity * sizeof(struct prediction *));
    }
    sim->predictions[index] = prediction;
    make_id(index, prediction->id);
    sim->counters.running++;
    sim->has_changed = true;
}

struct prediction *sim_prediction_create(struct replicate_sim *sim, const struct prediction_options *options)
{
    static const char *const echoed[] = {"webhook", "webhook_events_filter"};
    const struct sim_plan *settings = &options->plan->settings;
    struct prediction *prediction = xcalloc(1, sizeof(*prediction));
    keep(sim, prediction);
    prediction->plan = options->plan;
    prediction->model = xstrdup(settings->shown_model ? settings->shown_model : options->model);
    prediction->version = xstrdup(options->version);
    prediction->deployment = xstrdup(options->deployment);
    prediction->input = sorted_input(json_object_get(options->body, "input"));
    prediction->output = sim_prediction_output(options->plan, prediction->input);
    prediction->extras = json_object();
    for (size_t i = 0; i < 2; i++)
        json_object_set(prediction->extras, echoed[i], json_object_get(options->body, echoed[i]));
    sim_channel_init(prediction);
    prediction->status = settings->starting_word ? settings->starting_word : "starting";
    prediction->created_ms = sim_now(sim);
    prediction->started_ms = prediction->ended_ms = prediction->deadline_ms = prediction->first_cancel_ms = -1;

    /* With times of zero both timers fire at the end of this turn: the create is always answered first. */
    prediction->phase_timer.fire = on_phase_timer;
    prediction->deadline_timer.fire = on_deadline;
    if (settings->boot_ms != SIM_HOLD)
        sim_timer_set(sim, &prediction->phase_timer, prediction->created_ms + settings->boot_ms);
    if (options->cancel_after_ms) {
        prediction->deadline_ms = prediction->created_ms + options->cancel_after_ms;
        sim_timer_set(sim, &prediction->deadline_timer, prediction->deadline_ms);
    }
    return prediction;
}

void sim_prediction_free(struct replicate_sim *sim, struct prediction *prediction)
{
    sim_timer_clear(sim, &prediction->phase_timer);
    sim_timer_clear(sim, &prediction->deadline_timer);
    sim_channel_dispose(sim, prediction);
    json_decref(prediction->input);
    json_decref(prediction->output);
    json_decref(prediction->extras);
    free(prediction->model);
    free(prediction->version);
    free(prediction->deployment);
    free(prediction);
}

/* Steps a phase whatever its plan says of time; the timers of the phase it leaves are cleared with it. */
void replicate_sim_advance(struct replicate_sim *sim, size_t i)
{
    sim_lock(sim);
    size_t first = i == SIM_ALL ? 0 : i, last = i == SIM_ALL ? sim->counters.created : i + 1;
    for (size_t at = first; at < last && at < sim->counters.created; at++)
        sim_prediction_step(sim, sim->predictions[at]);
    sim_unlock(sim);
}
