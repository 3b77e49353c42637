/* A prediction of the simulated Replicate as JSON, in each of the shapes in which Replicate shows one. */
#include "replicate_sim_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"

/* `usual` is what Replicate was recorded to write here. */
static void set_blank(json_t *object, const char *key, enum sim_blank blank, enum sim_blank usual)
{
    switch (blank == SIM_BLANK_DEFAULT ? usual : blank) {
    case SIM_BLANK_NULL:
        json_object_set_new(object, key, json_null());
        break;
    case SIM_BLANK_EMPTY:
        json_object_set_new(object, key, json_string(""));
        break;
    default:
        break; /* missing */
    }
}

/* Words stand for tokens: close enough to be plausible, and simple enough for a test to compute. */
static size_t count_words(const json_t *value)
{
    size_t words = 0, i;
    const json_t *one;
    json_array_foreach(value, i, one)
    {
        words += count_words(one);
    }
    bool inside = false;
    for (const char *c = json_is_string(value) ? json_string_value(value) : ""; *c; c++) {
        bool blank = *c == ' ' || *c == '\n' || *c == '\t' || *c == '\r';
        words += !blank && !inside;
        inside = !blank;
    }
    return words;
}

/* The answer of a wait is made before the prediction is closed: it shows the output, but still as `processing`. */
static bool is_waited_success(const struct prediction *prediction, enum view view)
{
    enum sim_wait_answer answer = prediction->plan->settings.wait_answer;
    if (view != VIEW_WAITED || prediction->phase != PHASE_ENDED || prediction->ending != ENDING_PLAN)
        return false;
    return answer == SIM_WAIT_ALL_PROCESSING ||
           (answer == SIM_WAIT_PROCESSING && strcmp(prediction->status, "succeeded") == 0);
}

bool sim_prediction_is_whole(const struct prediction *prediction, const char *end_status)
{
    const struct sim_plan *settings = &prediction->plan->settings;
    return settings->pieces || settings->output_json || !end_status || strcmp(end_status, "succeeded") == 0;
}

/* What there is of the output; NULL when there is none. */
static json_t *visible_output(struct replicate_sim *sim, const struct prediction *prediction, enum view view)
{
    const struct sim_plan *settings = &prediction->plan->settings;
    if (prediction->phase == PHASE_STARTING || view == VIEW_CREATED)
        return NULL;
    if (prediction->phase == PHASE_ENDED) {
        bool whole = prediction->ending == ENDING_PLAN && sim_prediction_is_whole(prediction, prediction->status);
        return whole ? json_incref(prediction->output) : NULL;
    }
    if (prediction->lingers)
        return json_incref(prediction->output);
    if (settings->output_json || settings->output_at_end)
        return NULL;
    size_t count = sim_channel_shown(sim, prediction);
    if (count == 0)
        return NULL;
    json_t *pieces = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append(pieces, json_array_get(prediction->output, i));
    return pieces;
}

/* A planned null is no output either, so that every way of writing that can be had. */
static void set_output(struct replicate_sim *sim, json_t *object, const struct prediction *prediction, enum view view)
{
    json_t *output = visible_output(sim, prediction, view);
    if (output && !json_is_null(output))
        json_object_set(object, "output", output);
    else
        set_blank(object, "output", prediction->plan->settings.blank_output, SIM_BLANK_NULL);
    json_decref(output);
}

/* A cancelled prediction was recorded with null for its logs, whatever it had logged. */
static void set_logs(json_t *object, const struct prediction *prediction, enum view view)
{
    const struct sim_plan *settings = &prediction->plan->settings;
    struct buf logs;
    buf_init(&logs, SIM_BODY_MAX_BYTES);
    bool recorded_null = prediction->ending == ENDING_CANCEL || view == VIEW_CANCEL;
    if (settings->logs && prediction->phase != PHASE_STARTING && !recorded_null)
        buf_append_text(&logs, settings->logs);
    if (settings->tokens == SIM_TOKENS_LOGS && prediction->phase == PHASE_ENDED && !recorded_null)
        buf_printf(&logs, "%sInput token count: %zu\nOutput token count: %zu\n", logs.length ? "\n" : "",
                   count_words(json_object_get(prediction->input, "prompt")), count_words(prediction->output));
    if (logs.length)
        json_object_set_new(object, "logs", json_string(buf_text(&logs)));
    else
        set_blank(object, "logs", settings->blank_logs, recorded_null ? SIM_BLANK_NULL : SIM_BLANK_EMPTY);
    buf_dispose(&logs);
}

/* Official clients type it as unknown, so it may be more than a text. */
json_t *sim_prediction_error(const struct plan *plan)
{
    const char *text = plan->settings.error_text;
    return plan->error ? json_incref(plan->error) : json_string(text ? text : "The simulated model failed.");
}

static void set_error(json_t *object, const struct prediction *prediction, bool failed)
{
    json_object_set_new(object, "error", failed ? sim_prediction_error(prediction->plan) : json_null());
}

/* Both spellings exist among the models of today. */
static void set_token_metrics(json_t *metrics, const struct prediction *prediction, double run_s)
{
    enum sim_tokens tokens = prediction->plan->settings.tokens;
    json_int_t in = (json_int_t)count_words(json_object_get(prediction->input, "prompt"));
    json_int_t out = (json_int_t)count_words(prediction->output);
    if (tokens == SIM_TOKENS_METRICS) {
        json_object_set_new(metrics, "input_token_count", json_integer(in));
        json_object_set_new(metrics, "output_token_count", json_integer(out));
        json_object_set_new(metrics, "tokens_per_second", json_real(run_s > 0 ? (double)out / run_s : (double)out));
        json_object_set_new(metrics, "time_to_first_token", json_real(run_s / 2));
    } else if (tokens == SIM_TOKENS_OLD_METRICS) {
        json_object_set_new(metrics, "token_input_count", json_integer(in));
        json_object_set_new(metrics, "token_output_count", json_integer(out));
    }
}

/* Only what has ended has metrics, and predict_time only what has run. */
static void set_metrics(json_t *object, const struct prediction *prediction)
{
    const struct plan *plan = prediction->plan;
    if (prediction->phase != PHASE_ENDED || plan->settings.no_metrics)
        return;
    double total_s = (double)(prediction->ended_ms - prediction->created_ms) / 1000.0, run_s = 0;
    json_t *metrics = json_object();
    if (prediction->started_ms >= 0) {
        run_s = (double)(prediction->ended_ms - prediction->started_ms) / 1000.0;
        json_object_set_new(metrics, "predict_time", json_real(run_s));
    }
    json_object_set_new(metrics, "total_time", json_real(total_s));
    if (prediction->ending == ENDING_PLAN)
        set_token_metrics(metrics, prediction, run_s);
    if (plan->metrics)
        json_object_update(metrics, plan->metrics);
    json_object_set_new(object, "metrics", metrics);
}

static void set_time(const struct replicate_sim *sim, json_t *object, const char *key, int64_t at_ms, int digits)
{
    char text[40];
    if (at_ms < 0)
        return;
    sim_timestamp(sim, at_ms, digits, text);
    json_object_set_new(object, key, json_string(text));
}

/* Fractions of 3 and of 6 digits both occur, so both are shown. */
static void set_times(const struct replicate_sim *sim, json_t *object, const struct prediction *prediction,
                      enum view view)
{
    set_time(sim, object, "created_at", prediction->created_ms, view == VIEW_CANCEL ? 6 : 3);
    set_time(sim, object, "deadline", prediction->deadline_ms, 3);
    if (is_waited_success(prediction, view))
        return;
    if (prediction->started_ms >= 0)
        set_time(sim, object, "started_at", prediction->started_ms, 6);
    else
        set_blank(object, "started_at", prediction->plan->settings.blank_started_at, SIM_BLANK_MISSING);
    set_time(sim, object, "completed_at", prediction->ended_ms, 6);
}

/* get and cancel lead back here; web, as on Replicate, leads to a page for people. */
static void set_urls(const struct replicate_sim *sim, json_t *object, const struct prediction *prediction,
                     enum view view)
{
    const struct sim_plan *settings = &prediction->plan->settings;
    char url[160];
    json_t *urls = json_object();
    snprintf(url, sizeof(url), "%s/predictions/%s/cancel", sim->base_url, prediction->id);
    json_object_set_new(urls, "cancel", json_string(url));
    snprintf(url, sizeof(url), "%s/predictions/%s", sim->base_url, prediction->id);
    json_object_set_new(urls, "get", json_string(url));
    if (settings->stream_url) {
        json_object_set_new(urls, "stream", json_string(settings->stream_url));
    } else if (settings->stream.offered) {
        char token[SIM_TOKEN_BYTES];
        sim_stream_token(prediction, token);
        snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1/streams/%s", sim->stream_port, token);
        json_object_set_new(urls, "stream", json_string(url));
    }
    snprintf(url, sizeof(url), "https://replicate.com/p/%s", prediction->id);
    if (!settings->no_web_url && view != VIEW_CANCEL)
        json_object_set_new(urls, "web", json_string(url));
    json_object_set_new(object, "urls", urls);
}

/* After its retention a prediction still has its status, but nothing that anybody said. */
static void remove_data(json_t *object)
{
    json_object_set_new(object, "input", json_object());
    json_object_set_new(object, "output", json_null());
    json_object_set_new(object, "logs", json_string(""));
    json_object_set_new(object, "data_removed", json_true());
}

/* What tomorrow may bring: a client must not mind, not even where a familiar key is nested in it. */
static void set_stray(json_t *object)
{
    json_object_set_new(object, "webhook_completed", json_null());
    json_object_set_new(object, "x_unknown", json_pack("{s:[i,n,{s:s}]}", "nested", 1, "status", "succeeded"));
}

json_t *sim_prediction_object(struct replicate_sim *sim, const struct prediction *prediction, enum view view)
{
    const struct sim_plan *settings = &prediction->plan->settings;
    bool waited = is_waited_success(prediction, view);
    const char *processing = settings->processing_word ? settings->processing_word : "processing";
    const char *status = waited ? processing : prediction->status;
    json_t *object = json_object();
    if (sim->options.stray_fields)
        set_stray(object);
    json_object_set_new(object, "id", json_string(prediction->id));
    json_object_set_new(object, "model", json_string(prediction->model));
    json_object_set_new(object, "version", json_string(prediction->version));
    if (prediction->deployment)
        json_object_set_new(object, "deployment", json_string(prediction->deployment));
    if (prediction->phase == PHASE_ENDED && !waited && view == VIEW_NOW)
        json_object_set_new(object, "source", json_string("api"));
    json_object_set(object, "input", prediction->input);
    set_logs(object, prediction, view);
    set_output(sim, object, prediction, view);
    if (view != VIEW_CANCEL)
        json_object_set_new(object, "data_removed", json_false());
    set_error(object, prediction, strcmp(status, "failed") == 0);
    json_object_set_new(object, "status", json_string(status));
    set_times(sim, object, prediction, view);
    if (!waited)
        set_metrics(object, prediction);
    json_object_update(object, prediction->extras);
    set_urls(sim, object, prediction, view);
    if (settings->retention_ms && prediction->phase == PHASE_ENDED &&
        sim_now(sim) >= prediction->ended_ms + settings->retention_ms)
        remove_data(object);
    return object;
}
