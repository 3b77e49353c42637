/* Plans for the simulated Replicate from a JSON file: one row of a table per key. */
#include "replicate_sim_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"

enum { FILE_MAX_BYTES = 16 * 1024 * 1024 };

/* TEXT a string, TEXTS an array of them, VALUE any JSON, FLAG a boolean, NUMBER an int, TIME an int64_t, SHIFT one
 * that may be negative; the others are words for an enum. */
enum key_kind {
    KEY_TEXT,
    KEY_TEXTS,
    KEY_VALUE,
    KEY_FLAG,
    KEY_NUMBER,
    KEY_TIME,
    KEY_SHIFT,
    KEY_TOKENS,
    KEY_WAIT,
    KEY_BLANK,
    KEY_FAULT,
    KEY_END
};

#define KEY(kind, name, member, meaning)                                                                               \
    {                                                                                                                  \
        KEY_##kind, name, offsetof(struct sim_plan, member), meaning                                                   \
    }

static const struct key {
    enum key_kind kind;
    const char *name;
    size_t offset;
    const char *meaning;
} keys[] = {
    KEY(TEXT, "model", model, "owner/name; required"),
    KEY(TEXT, "deployment", deployment, "owner/name of a deployment that runs it"),
    KEY(TEXT, "shown_model", shown_model, "the model that its predictions name, where it differs"),
    KEY(FLAG, "official", official, "true: runs by name; false: only by version"),
    KEY(FLAG, "only_unversioned", only_unversioned, "not official, yet runs by name only"),
    KEY(FLAG, "no_latest_version", no_latest_version, "latest_version is null"),
    KEY(FLAG, "no_schema", no_schema, "openapi_schema is null"),
    KEY(TEXTS, "versions", versions, "array of 64 hex, newest first"),
    KEY(TEXT, "document", document, "file with the model's document; shown, and inputs are checked against it"),
    KEY(VALUE, "input_schema", input_schema_json, "the schema Input; {} takes anything"),
    KEY(VALUE, "more_schemas", more_schemas_json, "object of further schemas, for $ref"),
    KEY(VALUE, "output_schema", output_schema_json, "the schema Output"),
    KEY(TIME, "boot_ms", boot_ms, "time in `starting`; -1 = for ever"),
    KEY(TIME, "run_ms", run_ms, "time in `processing`; -1 = for ever"),
    KEY(TEXTS, "pieces", pieces, "the output, as it grows; \"{{prompt}}\" is the prompt, \"{{words}}\" its words"),
    KEY(VALUE, "output", output_json, "the output, whole, any JSON"),
    KEY(FLAG, "output_at_end", output_at_end, "pieces do not grow"),
    KEY(TEXT, "starting_word", starting_word, "a word instead of `starting`"),
    KEY(TEXT, "processing_word", processing_word, "a word instead of `processing`"),
    KEY(TEXT, "end_status", end_status, "succeeded, failed, canceled, aborted, or a word that never ends"),
    KEY(TEXT, "error_text", error_text, "the error of a failure"),
    KEY(VALUE, "error", error_json, "an error that is no string"),
    KEY(TEXT, "logs", logs, "its logs"),
    KEY(VALUE, "metrics", metrics_json, "object, joined to predict_time and total_time"),
    KEY(FLAG, "no_metrics", no_metrics, "no metrics at all"),
    KEY(TOKENS, "tokens", tokens, "where words are counted: none, metrics, old_metrics, logs"),
    KEY(BLANK, "blank_output", blank_output, "no output is: null, missing, empty"),
    KEY(BLANK, "blank_logs", blank_logs, "no logs are: null, missing, empty"),
    KEY(BLANK, "blank_started_at", blank_started_at, "no started_at is: null, missing, empty"),
    KEY(TIME, "piece_ms", piece_ms, "time between pieces; 0 = evenly over run_ms"),
    KEY(TIME, "first_piece_ms", first_piece_ms, "time in `processing` before any piece"),
    KEY(NUMBER, "repeat_pieces", repeat_pieces, "how many times over the pieces come"),
    KEY(FLAG, "stamp_pieces", stamp_pieces, "each piece begins with the monotonic microseconds and a colon"),
    KEY(FLAG, "stream", stream.offered, "true: urls.stream is there, and streams"),
    KEY(SHIFT, "stream_lag_ms", stream.lag_ms, "GET comes that much later than the stream; negative: sooner"),
    KEY(FAULT, "stream_fault", stream.fault,
        "status, html, end, cut, reset, stall, comments, error, huge_event: befalls the stream …"),
    KEY(NUMBER, "stream_fault_after", stream.fault_after, "… after so many pieces of a connection"),
    KEY(NUMBER, "stream_fault_count", stream.fault_count, "… on so many connections of a prediction; -1 = all"),
    KEY(NUMBER, "stream_fault_status", stream.fault_status, "… with this status (status, html)"),
    KEY(TIME, "stream_huge_bytes", stream.huge_bytes, "… with so many bytes (huge_event)"),
    KEY(END, "stream_end", stream.end, "how it ends: done, done_twice, done_empty, done_missing, done_open"),
    KEY(FLAG, "stream_no_ids", stream.no_ids, "events have no id"),
    KEY(FLAG, "stream_ignores_last_id", stream.ignores_last_id, "every connection is told all from the start"),
    KEY(FLAG, "stream_from_now", stream.from_now, "without Last-Event-ID only what comes from now on"),
    KEY(FLAG, "stream_plain_error", stream.plain_error, "the data of `error` are no JSON"),
    KEY(FLAG, "stream_logs", stream.logs, "with `logs` events"),
    KEY(FLAG, "stream_half_characters", stream.half_characters, "events end inside UTF-8 characters"),
    KEY(FLAG, "stream_bytewise", stream.bytewise, "one byte per write"),
    KEY(FLAG, "stream_crlf", stream.crlf, "lines end with CR LF"),
    KEY(FLAG, "stream_no_space", stream.no_space, "no space after the colon"),
    KEY(FLAG, "stream_no_chunks", stream.no_chunks, "not chunked: it ends with the connection"),
    KEY(TEXT, "stream_content_type", stream.content_type, "instead of text/event-stream"),
    KEY(TEXT, "stream_url", stream_url, "urls.stream, wherever it leads"),
    KEY(FLAG, "no_web_url", no_web_url, "no urls.web"),
    KEY(TIME, "retention_ms", retention_ms, "after the end, until its data are removed; 0 = never"),
    KEY(NUMBER, "create_status", create_status, "status of the answer to a create; 0 = 201"),
    KEY(WAIT, "wait_answer", wait_answer, "Prefer: wait shows: processing, all_processing, terminal, ignored"),
    KEY(FLAG, "no_preference_applied", no_preference_applied, "no Preference-Applied header"),
    KEY(FLAG, "ignores_cancel", ignores_cancel, "a cancel changes nothing"),
    KEY(NUMBER, "cancel_finished_status", cancel_finished_status, "status of the cancel of an ended prediction"),
};

enum { KEY_COUNT = sizeof(keys) / sizeof(keys[0]), OWNED_MAX = 256 };

const char *replicate_sim_plan_keys(void)
{
    static char text[8192];
    size_t used = 0;
    for (size_t i = 0; i < KEY_COUNT && used < sizeof(text); i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "  %-24s%s\n", keys[i].name, keys[i].meaning);
    return text;
}

/* Texts live until the plan has been copied. */
struct loading {
    struct sim_plan plan;
    char *texts[OWNED_MAX];
    size_t text_count;
    const char **lists[2];
    size_t list_count;
};

/* Plans take JSON as text, so what was parsed is written again. */
static bool set_value(struct loading *loading, void *member, const json_t *value)
{
    struct buf text;
    if (loading->text_count == OWNED_MAX)
        return false;
    buf_init(&text, FILE_MAX_BYTES);
    json_append(&text, value);
    char *taken = buf_take(&text, NULL);
    loading->texts[loading->text_count++] = taken;
    *(const char **)member = taken;
    return true;
}

/* The strings stay the parsed array's; only the list is ours. */
static bool set_texts(struct loading *loading, const struct key *key, void *member, const json_t *value)
{
    size_t count = json_array_size(value), i;
    const json_t *one;
    if (!json_is_array(value))
        return false;
    const char **list = calloc(count + 1, sizeof(*list));
    if (!list)
        return false;
    loading->lists[loading->list_count++] = list;
    json_array_foreach(value, i, one)
    {
        if (!json_is_string(one))
            return false;
        list[i] = json_string_value(one);
    }
    *(const char *const **)member = list;
    if (key->offset == offsetof(struct sim_plan, versions))
        loading->plan.version_count = count;
    else
        loading->plan.piece_count = count;
    return true;
}

/* The place of a word in a list of words, as the enum has it. */
static bool set_word(int *member, const json_t *value, const char *const *words)
{
    for (int i = 0; json_is_string(value) && words[i]; i++) {
        if (strcmp(words[i], json_string_value(value)) == 0) {
            *member = i;
            return true;
        }
    }
    return false;
}

static bool set_key(struct loading *loading, const struct key *key, const json_t *value)
{
    static const char *const tokens[] = {"none", "metrics", "old_metrics", "logs", NULL};
    static const char *const waits[] = {"processing", "all_processing", "terminal", "ignored", NULL};
    static const char *const blanks[] = {"default", "null", "missing", "empty", NULL};
    static const char *const faults[] = {"fine",  "status",   "html",  "end",        "cut", "reset",
                                         "stall", "comments", "error", "huge_event", NULL};
    static const char *const ends[] = {"done", "done_twice", "done_empty", "done_missing", "done_open", NULL};
    void *member = (char *)&loading->plan + key->offset;
    switch (key->kind) {
    case KEY_TEXT:
        *(const char **)member = json_string_value(value);
        return json_is_string(value);
    case KEY_TEXTS:
        return set_texts(loading, key, member, value);
    case KEY_VALUE:
        return set_value(loading, member, value);
    case KEY_FLAG:
        *(bool *)member = json_is_true(value);
        return json_is_boolean(value);
    case KEY_NUMBER:
        *(int *)member = (int)json_integer_value(value);
        return json_is_integer(value);
    case KEY_TIME:
        *(int64_t *)member = json_integer_value(value);
        return json_is_integer(value) && json_integer_value(value) >= SIM_HOLD;
    case KEY_SHIFT:
        *(int64_t *)member = json_integer_value(value);
        return json_is_integer(value);
    case KEY_TOKENS:
        return set_word(member, value, tokens);
    case KEY_WAIT:
        return set_word(member, value, waits);
    case KEY_BLANK:
        return set_word(member, value, blanks);
    case KEY_FAULT:
        return set_word(member, value, faults);
    case KEY_END:
        return set_word(member, value, ends);
    }
    return false;
}

static bool set_by_name(struct loading *loading, const char *name, const json_t *value)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (strcmp(keys[i].name, name) == 0)
            return set_key(loading, &keys[i], value);
    return false;
}

/* An unknown key is an error: a plan that is not what its author meant proves nothing. */
static bool load_plan(struct replicate_sim *sim, const json_t *object, char *message, size_t size)
{
    struct loading loading = {0};
    bool good = json_is_object(object);
    const char *name, *bad = "";
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        if (set_by_name(&loading, name, value))
            continue;
        good = false;
        bad = name;
    }
    if (good && (!loading.plan.model || !strchr(loading.plan.model, '/'))) {
        good = false;
        bad = "model";
    }
    if (good && loading.plan.document && access(loading.plan.document, R_OK) != 0) {
        good = false;
        bad = "document";
    }
    if (good)
        replicate_sim_plan(sim, &loading.plan);
    else
        snprintf(message, size, "A plan's key \"%s\" is unknown, missing, or has a value of the wrong type.", bad);
    for (size_t i = 0; i < loading.text_count; i++)
        free(loading.texts[i]);
    for (size_t i = 0; i < loading.list_count; i++)
        free(loading.lists[i]);
    return good;
}

bool sim_plan_read_file(const char *path, struct buf *bytes)
{
    char part[4096];
    size_t count;
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    while ((count = fread(part, 1, sizeof(part), file)) > 0)
        buf_append(bytes, part, count);
    bool good = !ferror(file) && !bytes->overflowed;
    fclose(file);
    return good;
}

bool replicate_sim_load_plans(struct replicate_sim *sim, const char *path, char *message, size_t size)
{
    struct buf bytes;
    struct error err = {0};
    buf_init(&bytes, FILE_MAX_BYTES);
    if (!sim_plan_read_file(path, &bytes)) {
        snprintf(message, size, "The file of plans %s cannot be read: %s", path, strerror(errno));
        buf_dispose(&bytes);
        return false;
    }
    json_t *plans = json_parse(buf_text(&bytes), bytes.length, &err), *one;
    bool good = json_is_array(plans);
    size_t i;
    if (!good)
        snprintf(message, size, "The file of plans %s is not a JSON array: %s", path, err.message);
    json_array_foreach(plans, i, one)
    {
        good = good && load_plan(sim, one, message, size);
    }
    json_decref(plans);
    buf_dispose(&bytes);
    return good;
}
