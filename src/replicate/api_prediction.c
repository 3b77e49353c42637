/* A prediction object, read in one pass and without a tree: every create and every poll is answered by one, and only
 * its output is wanted as more than a few words and numbers. */
#include "replicate/api.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "base/json_scan.h"
#include "base/output.h"
#include "api_int.h"

enum { SMALL_BYTES = 256 };

/* ---- statuses ---- */

static const struct {
    const char *word;
    bool is_terminal;
} statuses[] = {[API_STATUS_UNKNOWN] = {"unknown", false},
#define X(name, text, terminal) [API_STATUS_##name] = {text, terminal},
                API_STATUSES(X)
#undef X
};

enum { STATUS_COUNT = sizeof statuses / sizeof statuses[0] };

bool api_status_is_terminal(enum api_status status)
{
    return (size_t)status < STATUS_COUNT && statuses[status].is_terminal;
}

const char *api_status_word(enum api_status status)
{
    return statuses[(size_t)status < STATUS_COUNT ? status : API_STATUS_UNKNOWN].word;
}

/* A word that is new to us is not an end: Replicate has added words before, and clients that guessed hung or failed. */
static enum api_status parse_status(const char *word)
{
    for (size_t i = 1; i < STATUS_COUNT; i++)
        if (strcmp(word, statuses[i].word) == 0)
            return (enum api_status)i;
    return API_STATUS_UNKNOWN;
}

/* ---- texts ---- */

/* A text being read. Of members of one name the last one counts, whatever it is: each takes back what one before it
 * said. */
struct reading {
    struct json_scan scan;
    struct api_prediction *prediction;
    const char *token;
    bool has_id, has_status;
    struct usage measured, logged; /* from the metrics, from the logs */
    int64_t created_ms, started_ms, completed_ms;
    char small[SMALL_BYTES], *large; /* the string that was read last */
};

/* The next value's characters, with a NUL behind them, until the next call; NULL where it is no string. */
static const char *next_text(struct reading *reading)
{
    struct json_scanned value;
    if (!json_scan_whole(&reading->scan, &value) || value.kind != JSON_SCAN_STRING)
        return NULL;
    char *text = reading->small;
    if (value.length >= sizeof reading->small)
        text = reading->large = xrealloc(reading->large, value.length + 1);
    text[json_scan_unescape(&value, text)] = '\0';
    return text;
}

/* ---- the members ---- */

static void read_id(struct reading *reading)
{
    struct api_prediction *prediction = reading->prediction;
    reading->has_id = api_copy_token(prediction->id, sizeof prediction->id, next_text(reading));
}

static void read_status(struct reading *reading)
{
    const char *word = next_text(reading);
    reading->has_status = word != NULL;
    reading->prediction->status = word != NULL ? parse_status(word) : API_STATUS_UNKNOWN;
}

static void read_version(struct reading *reading)
{
    struct api_prediction *prediction = reading->prediction;
    if (!api_copy_token(prediction->version, sizeof prediction->version, next_text(reading)))
        prediction->version[0] = '\0';
}

/* Replicate leaves a member out, sets it to null, or to "", all meaning the same. */
static void read_output(struct reading *reading)
{
    json_t *output = output_read(&reading->scan);
    bool is_nothing = json_is_null(output) || (json_is_string(output) && json_string_length(output) == 0);
    json_decref(reading->prediction->output);
    reading->prediction->output = is_nothing ? NULL : json_incref(output);
    json_decref(output);
}

/* What is no string is quoted as JSON: only then a tree is worth its while. */
static void read_error(struct reading *reading)
{
    struct json_scan again = reading->scan;
    char *quoted = reading->prediction->error_text;
    const char *text = next_text(reading);
    if (reading->scan.fault != JSON_SCAN_FINE)
        return;
    if (text != NULL) {
        error_quote(quoted, API_QUOTE_BYTES + 1, text, strlen(text), reading->token);
        return;
    }
    json_t *value = json_build(&again);
    api_quote_value(quoted, API_QUOTE_BYTES + 1, value, reading->token);
    json_decref(value);
}

static void read_metrics(struct reading *reading)
{
    api_usage_from_metrics(&reading->scan, &reading->measured);
}

static void read_logs(struct reading *reading)
{
    api_usage_from_logs(next_text(reading), &reading->logged);
}

static int64_t next_time_ms(struct reading *reading)
{
    const char *text = next_text(reading);
    return text != NULL ? api_time_ms(text) : -1;
}

static void read_created_at(struct reading *reading)
{
    reading->created_ms = next_time_ms(reading);
}

static void read_started_at(struct reading *reading)
{
    reading->started_ms = next_time_ms(reading);
}

static void read_completed_at(struct reading *reading)
{
    reading->completed_ms = next_time_ms(reading);
}

/* A URL that is cut is another URL. */
static void read_stream_url(struct reading *reading)
{
    char *url = reading->prediction->stream_url;
    const char *text = next_text(reading);
    size_t length = text != NULL ? strlen(text) : 0;
    if (length >= API_STREAM_URL_BYTES)
        length = 0;
    memcpy(url, text != NULL ? text : "", length);
    url[length] = '\0';
}

static void read_urls(struct reading *reading)
{
    struct json_scanned key;
    reading->prediction->stream_url[0] = '\0';
    if (!json_scan_enter(&reading->scan))
        return;
    while (json_scan_member(&reading->scan, &key)) {
        if (json_scan_is(&key, "stream"))
            read_stream_url(reading);
        else
            json_scan_skip(&reading->scan);
    }
}

typedef void read_fn(struct reading *reading);

/* The rest may be large: the input comes back with every answer. */
static const struct member {
    const char *name;
    size_t length;
    read_fn *read;
} members[] = {
#define MEMBER(name) {#name, sizeof #name - 1, read_##name},
    MEMBER(id) MEMBER(status) MEMBER(version) MEMBER(output) MEMBER(error) MEMBER(metrics) MEMBER(logs) MEMBER(urls)
        MEMBER(created_at) MEMBER(started_at) MEMBER(completed_at)
#undef MEMBER
};

enum { MEMBER_COUNT = sizeof members / sizeof members[0] };

static bool is_named(const struct json_scanned *key, const struct member *member)
{
    if (key->has_escapes)
        return json_scan_is(key, member->name);
    return key->length == member->length && memcmp(key->text, member->name, member->length) == 0;
}

static void read_member(struct reading *reading, const struct json_scanned *key)
{
    size_t i = 0;
    while (i < MEMBER_COUNT && !is_named(key, &members[i]))
        i++;
    if (i < MEMBER_COUNT)
        members[i].read(reading);
    else
        json_scan_skip(&reading->scan);
}

/* ---- the whole ---- */

static int64_t between_ms(int64_t from_ms, int64_t to_ms)
{
    return from_ms >= 0 && to_ms >= from_ms ? to_ms - from_ms : -1;
}

static void settle(struct reading *reading)
{
    struct api_prediction *prediction = reading->prediction;
    /* Metrics never tell thoughts apart; the logs of some models do. */
    prediction->usage = reading->logged;
    if (reading->measured.reported) {
        prediction->usage = reading->measured;
        prediction->usage.reasoning_tokens = reading->logged.reasoning_tokens;
    }
    prediction->ran_after_ms = between_ms(reading->created_ms, reading->started_ms);
    prediction->ended_after_ms = between_ms(reading->created_ms, reading->completed_ms);
}

/* False where it is not JSON. What is no object is no prediction, either, but that is told by what it lacks. */
static bool read_text(struct reading *reading, const char *bytes, size_t length)
{
    struct json_scanned key;
    *reading = (struct reading){
        .prediction = reading->prediction,
        .token = reading->token,
        .created_ms = -1,
        .started_ms = -1,
        .completed_ms = -1,
    };
    memset(reading->prediction, 0, sizeof *reading->prediction);
    json_scan_init(&reading->scan, bytes, length);
    bool is_object = json_scan_enter(&reading->scan);
    while (is_object && json_scan_member(&reading->scan, &key))
        read_member(reading, &key);
    free(reading->large);
    if (json_scan_end(&reading->scan))
        return true;
    api_prediction_dispose(reading->prediction);
    return false;
}

static bool read_mended(struct reading *reading, const char *bytes, size_t length)
{
    struct buf mended;
    bool is_json = json_mend(bytes, length, &mended) && read_text(reading, buf_text(&mended), mended.length);
    buf_dispose(&mended);
    return is_json;
}

/* The id goes into URLs and the status decides about everything; without either there is nothing to follow. The other
 * members may be missing or of any type. Neither message quotes the answer: whatever sent it may not be Replicate at
 * all, but a proxy with a page of its own. */
bool api_prediction_parse(const char *bytes, size_t length, const char *token, struct api_prediction *prediction,
                          struct error *err)
{
    struct reading reading = {.prediction = prediction, .token = token};
    bool is_json = read_text(&reading, bytes, length) || read_mended(&reading, bytes, length);
    if (is_json && reading.has_id && reading.has_status) {
        settle(&reading);
        return true;
    }
    api_prediction_dispose(prediction);
    memset(prediction, 0, sizeof *prediction);
    return error_set(err, ERROR_UPSTREAM_ERROR, NULL, "%s",
                     is_json ? "Replicate sent JSON that is no prediction: it has no usable id or no status."
                             : "Replicate sent an answer that is not JSON where a prediction was expected.");
}

void api_prediction_dispose(struct api_prediction *prediction)
{
    json_decref(prediction->output);
    prediction->output = NULL;
}
