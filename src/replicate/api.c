/* Replicate's prediction and model objects, read with no more trust than they need. */
#include "replicate/api.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "base/output.h"
#include "api_int.h"

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

bool api_copy_token(char *out, size_t size, const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    if (text == NULL)
        return false;
    size_t length = strspn(text, allowed);
    if (length == 0 || length >= size || text[length] != '\0')
        return false;
    memcpy(out, text, length + 1);
    return true;
}

void api_quote_value(char *out, size_t size, const json_t *value, const char *secret)
{
    out[0] = '\0';
    if (value == NULL || json_is_null(value))
        return;
    if (json_is_string(value)) {
        error_quote(out, size, json_string_value(value), json_string_length(value), secret);
        return;
    }
    /* Replicate types `error` and `detail` loosely, so objects and lists occur. */
    /* More than this is of no use in a sentence; what does not fit is named by its type. */
    struct buf dump;
    buf_init(&dump, 64 * 1024);
    if (!json_append(&dump, value)) {
        buf_clear(&dump);
        buf_append_text(&dump, json_type_name(value));
    }
    error_quote(out, size, buf_text(&dump), dump.length, secret);
    buf_dispose(&dump);
}

/* Replicate leaves a member out, sets it to null, or to "", all meaning the same. */
static json_t *present_member(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    if (value == NULL || json_is_null(value))
        return NULL;
    if (json_is_string(value) && json_string_length(value) == 0)
        return NULL;
    return value;
}

static void parse_usage(const json_t *root, struct usage *usage)
{
    api_usage_from_metrics(json_object_get(root, "metrics"), usage);
    struct usage logged;
    api_usage_from_logs(json_text(root, "logs"), &logged);
    /* Metrics never tell thoughts apart; the logs of some models do. */
    if (usage->reported)
        usage->reasoning_tokens = logged.reasoning_tokens;
    else
        *usage = logged;
}

/* The id goes into URLs and the status decides about everything; without either there is nothing to follow. The other
 * members may be missing or of any type. */
static bool parse_object(const json_t *root, const char *token, struct api_prediction *prediction)
{
    const char *status = json_text(root, "status");
    if (status == NULL || !api_copy_token(prediction->id, sizeof prediction->id, json_text(root, "id")))
        return false;
    prediction->status = parse_status(status);
    if (!api_copy_token(prediction->version, sizeof prediction->version, json_text(root, "version")))
        prediction->version[0] = '\0';
    prediction->output = json_incref(present_member(root, "output"));
    parse_usage(root, &prediction->usage);
    prediction->ran_after_ms = api_ms_between(json_text(root, "created_at"), json_text(root, "started_at"));
    prediction->ended_after_ms = api_ms_between(json_text(root, "created_at"), json_text(root, "completed_at"));
    const char *stream_url = json_text(json_object_get(root, "urls"), "stream");
    /* A URL that is cut is another URL. */
    if (stream_url != NULL && strlen(stream_url) < sizeof prediction->stream_url)
        memcpy(prediction->stream_url, stream_url, strlen(stream_url) + 1);
    api_quote_value(prediction->error_text, API_QUOTE_BYTES + 1, present_member(root, "error"), token);
    return true;
}

static json_t *read_urls(struct json_scan *scan)
{
    static const struct json_wanted wanted[] = {{"stream", json_build}, {NULL, NULL}};
    return json_build_members(scan, wanted);
}

/* Neither message quotes the answer: whatever sent it may not be Replicate at all, but a proxy with a page of its own.
 */
bool api_prediction_parse(const char *bytes, size_t length, const char *token, struct api_prediction *prediction,
                          struct error *err)
{
    /* The rest may be large: the input comes back with every answer. */
    static const struct json_wanted members[] = {
        {"id", json_build},         {"status", json_build},     {"version", json_build},      {"output", output_read},
        {"error", json_build},      {"metrics", json_build},    {"logs", json_build},         {"urls", read_urls},
        {"created_at", json_build}, {"started_at", json_build}, {"completed_at", json_build}, {NULL, NULL},
    };
    memset(prediction, 0, sizeof *prediction);
    json_t *root = json_parse_members(bytes, length, members);
    if (root == NULL)
        return error_set(err, ERROR_UPSTREAM_ERROR, NULL,
                         "Replicate sent an answer that is not JSON where a prediction was expected.");
    bool ok = parse_object(root, token, prediction);
    json_decref(root);
    if (!ok) {
        memset(prediction, 0, sizeof *prediction);
        return error_set(err, ERROR_UPSTREAM_ERROR, NULL,
                         "Replicate sent JSON that is no prediction: it has no usable id or no status.");
    }
    return true;
}

void api_prediction_dispose(struct api_prediction *prediction)
{
    json_decref(prediction->output);
    prediction->output = NULL;
}

/* A private or unfinished model has a null here. The id is sent back as "version", so it is held to the same letters.
 */
bool api_latest_version(const char *bytes, size_t length, const char *name, char version[80], struct error *err)
{
    json_t *root = json_parse_lenient(bytes, length);
    if (root == NULL)
        return error_set(err, ERROR_UPSTREAM_ERROR, NULL,
                         "Replicate sent an answer that is not JSON where the model %s was expected.", name);
    const json_t *latest = json_object_get(root, "latest_version");
    bool ok = api_copy_token(version, 80, json_text(latest, "id"));
    json_decref(root);
    if (!ok)
        return error_set(
            err, ERROR_MODEL_NOT_FOUND, NULL,
            "The model %s has no version on Replicate that could be run. Name another model, or a version.", name);
    return true;
}

/* Both go into a URL, so they are held to what a reference in the configuration is. A version of another form, such as
 * the word that stands in for an official model's, is left out: then the model's own document is the nearest. */
static bool parse_release(const json_t *release, struct target *target)
{
    const char *model = json_text(release, "model");
    const char *version = json_text(release, "version");
    if (model == NULL || strlen(model) > API_NAME_BYTES)
        return false;
    bool is_whole = false;
    if (version != NULL && strlen(version) < API_NAME_BYTES) {
        char *reference = xasprintf("%s:%s", model, version);
        is_whole = target_parse(reference, target, NULL);
        free(reference);
    }
    if (!is_whole && !target_parse(model, target, NULL))
        return false;
    if (target->kind == TARGET_MODEL || (target->kind == TARGET_VERSION && target->name != NULL))
        return true;
    target_dispose(target);
    return false;
}

bool api_deployment_release(const char *bytes, size_t length, const char *name, struct target *release,
                            struct error *err)
{
    json_t *root = json_parse_lenient(bytes, length);
    bool ok = parse_release(json_object_get(root, "current_release"), release);
    json_decref(root);
    if (!ok)
        return error_set(err, ERROR_UPSTREAM_ERROR, NULL,
                         "Replicate does not tell which model the deployment %s runs. Check that it has a release.",
                         name);
    return true;
}
