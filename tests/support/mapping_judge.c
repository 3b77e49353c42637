/* Maps a request and looks for anything that does not hold of the result. */
#include "mapping_judge.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/json.h"
#include "base/model_schema.h"
#include "call_help.h"
#include "openai/mapping.h"
#include "replicate_sim_schema.h"

enum { DUMP_MAX_BYTES = 1 << 26, MARK_BYTES = 32, DEPTH_MAX = 64 };

/* One request, mapped or refused. */
struct attempt {
    struct call call;
    struct error err;
    bool is_decoded;
    json_t *input;
};

struct checking {
    const struct mapping_case *given;
    struct model_schema *schema;
    struct attempt attempt;
    char *why;
    size_t size;
};

static bool broken(struct checking *checking, const char *what, const char *which)
{
    snprintf(checking->why, checking->size, "%s: %s", what, which);
    return false;
}

static struct model_schema *parse_schema(const json_t *document)
{
    struct buf bytes;
    struct error err = {0};
    if (document == NULL)
        return NULL;
    buf_init(&bytes, DUMP_MAX_BYTES);
    ensure(json_append(&bytes, document));
    struct model_schema *schema = model_schema_parse(buf_text(&bytes), bytes.length, &err);
    ensure((schema == NULL) == (err.kind != ERROR_NONE));
    buf_dispose(&bytes);
    return schema;
}

static void try_request(const struct checking *checking, const char *request, size_t length, struct attempt *attempt)
{
    *attempt = (struct attempt){0};
    attempt->is_decoded = help_decode_bytes(&attempt->call, request, length, &attempt->err);
    if (attempt->is_decoded)
        attempt->input = mapping_input(&attempt->call, checking->given->route, checking->schema, &attempt->err);
}

static void attempt_dispose(struct attempt *attempt)
{
    json_decref(attempt->input);
    call_dispose(&attempt->call);
}

/* --- Refusals --------------------------------------------------------------------------------------------------- */

static bool is_sentence(const char *text)
{
    size_t length = strlen(text);
    unsigned char first = (unsigned char)text[0];
    return length > 10 && (isupper(first) || first == '`') && strchr(".?!", text[length - 1]) != NULL;
}

static bool check_refusal(struct checking *checking)
{
    const struct error *err = &checking->attempt.err;
    if (err->kind == ERROR_NONE)
        return broken(checking, "refused", "without an error");
    int status = error_row(err->kind)->http_status;
    if (status != 400 && status != 413)
        return broken(checking, "refused, but not as the client's fault", err->message);
    if (!is_sentence(err->message))
        return broken(checking, "the error is no sentence", err->message);
    if (checking->attempt.is_decoded && err->param[0] == '\0')
        return broken(checking, "the error names no parameter", err->message);
    return true;
}

/* --- Inputs ----------------------------------------------------------------------------------------------------- */

static bool check_fits(struct checking *checking)
{
    char sentence[512];
    const struct sim_schema schema = sim_schema_of(checking->given->document);
    if (!json_is_object(checking->attempt.input))
        return broken(checking, "the input", "is no object");
    /* Whether a text of the client's own leads to a file is not for the mapping to say. */
    return sim_schema_accepts(&schema, checking->attempt.input, SIM_SCHEMA_ANY_URI, sentence, sizeof sentence) ||
           broken(checking, "the model would not take the input", sentence);
}

/* Fails for the first mark in the text that is not in the input. */
static bool check_marks(struct checking *checking, const char *text, const char *input)
{
    for (const char *at = text; (at = strstr(at, MAPPING_MARK)) != NULL; at++) {
        char mark[MARK_BYTES];
        size_t digits = strspn(at + 2, "0123456789");
        if (digits == 0 || digits > MARK_BYTES - 4 || at[2 + digits] != 'z')
            continue;
        snprintf(mark, sizeof mark, "%.*s", (int)digits + 3, at);
        if (strstr(input, mark) == NULL)
            return broken(checking, "a text of the messages is lost", mark);
    }
    return true;
}

/* The list becomes a header, so names stand in it as far as they can be shown; and it has an end. */
static bool is_shown_as(const char *name, const char *shown)
{
    struct call call;
    call_init(&call);
    call_ignore(&call, name);
    bool is_same = strcmp(json_string_value(json_array_get(call.ignored, 0)), shown) == 0 || strcmp(shown, "...") == 0;
    call_dispose(&call);
    return is_same;
}

static bool is_ignored(const struct call *call, const char *name)
{
    size_t i;
    const json_t *ignored;
    json_array_foreach(call->ignored, i, ignored) if (is_shown_as(name, json_string_value(ignored))) return true;
    return false;
}

static bool is_sent(const struct call *call, const char *shown)
{
    const char *name;
    json_t *value;
    json_object_foreach(call->body, name, value) if (is_shown_as(name, shown)) return true;
    return false;
}

static bool check_texts(struct checking *checking)
{
    const json_t *messages = json_object_get(checking->attempt.call.body, "messages"), *message, *part;
    struct buf input;
    size_t i, j;
    bool fine = true;
    if (checking->given->route->drop_params && is_ignored(&checking->attempt.call, "messages"))
        return true; /* the model takes no text, and the operator wants that passed over */
    buf_init(&input, DUMP_MAX_BYTES);
    ensure(json_append(&input, checking->attempt.input));
    json_array_foreach(messages, i, message)
    {
        const json_t *content = json_object_get(message, "content");
        if (json_is_string(content))
            fine = fine && check_marks(checking, json_string_value(content), buf_text(&input));
        json_array_foreach(content, j, part)
        {
            const char *text = json_text(part, "text");
            fine = fine && (text == NULL || check_marks(checking, text, buf_text(&input)));
        }
    }
    buf_dispose(&input);
    return fine;
}

static bool holds_value(const json_t *tree, const json_t *value, int depth)
{
    size_t i;
    const char *key;
    json_t *member;
    if (tree == value)
        return true;
    if (depth > DEPTH_MAX)
        return false;
    json_array_foreach(tree, i, member) if (holds_value(member, value, depth + 1)) return true;
    if (json_is_object(tree))
        json_object_foreach((json_t *)tree, key, member) if (holds_value(member, value, depth + 1)) return true;
    return false;
}

/* Uploads are strings of the input itself, which are replaced in place. */
static bool check_uploads(struct checking *checking)
{
    size_t i;
    const json_t *upload;
    json_array_foreach(checking->attempt.call.uploads, i, upload)
    {
        if (!json_is_string(upload) || strncmp(json_string_value(upload), "data:", 5) != 0)
            return broken(checking, "an upload", "is no data URI");
        if (!holds_value(checking->attempt.input, upload, 0))
            return broken(checking, "an upload", "is not in the input");
    }
    return true;
}

/* --- Parameters ------------------------------------------------------------------------------------------------- */

static bool is_among(const char *name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

static bool is_text(const json_t *value, const char *text)
{
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

static bool is_empty(const json_t *value)
{
    return (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0) || is_text(value, "");
}

/* Values by which nothing is asked: defaults that many clients send always. */
static bool asks_nothing(const char *name, const json_t *value)
{
    static const char *const silent_when_empty[] = {"tools", "functions", "logit_bias", "stop", "modalities", NULL};
    static const char *const choices[] = {"tool_choice", "function_call", NULL};
    static const char *const counts[] = {"max_tokens", "max_completion_tokens", "top_logprobs", NULL};
    if (json_is_null(value) || (is_among(name, silent_when_empty) && is_empty(value)))
        return true;
    if (is_among(name, counts))
        return json_is_number(value) && json_number_value(value) < 0.5;
    if (is_among(name, choices))
        return is_text(value, "auto") || is_text(value, "none");
    if (strcmp(name, "stop") == 0)
        return json_array_size(value) > 0 && is_text(json_array_get(value, 0), "");
    if (strcmp(name, "n") == 0)
        return json_is_number(value) && json_number_value(value) < 1.5;
    if (strcmp(name, "response_format") == 0)
        return is_text(json_object_get(value, "type"), "text");
    return strcmp(name, "logprobs") == 0 ? json_is_false(value)
                                         : strcmp(name, "modalities") == 0 || strcmp(name, "parallel_tool_calls") == 0;
}

/* Read by the endpoint itself, or of no meaning to a model. */
static bool needs_no_word(const char *name)
{
    static const char *const names[] = {"model",
                                        "messages",
                                        "stream",
                                        "stream_options",
                                        "prediction",
                                        "store",
                                        "metadata",
                                        "service_tier",
                                        "user",
                                        "safety_identifier",
                                        "prompt_cache_key",
                                        "prompt_cache_retention",
                                        "prompt_cache_options",
                                        NULL};
    return is_among(name, names);
}

static void try_body(const struct checking *checking, const json_t *body, struct attempt *attempt)
{
    struct buf request;
    buf_init(&request, DUMP_MAX_BYTES);
    ensure(json_append(&request, body));
    try_request(checking, buf_text(&request), request.length, attempt);
    buf_dispose(&request);
}

static bool differ(const struct attempt *with, const struct attempt *without)
{
    return without->input == NULL || !json_equal(with->input, without->input) || with->call.n != without->call.n ||
           with->call.token_limit != without->call.token_limit ||
           json_array_size(with->call.stops) != json_array_size(without->call.stops);
}

/* Does the result for this request differ from that of the same request without the parameter? */
static bool has_effect_in(const struct checking *checking, const json_t *body, const char *name)
{
    struct attempt with, without;
    json_t *rest = json_copy((json_t *)body);
    ensure(rest != NULL && json_object_del(rest, name) == 0);
    try_body(checking, body, &with);
    try_body(checking, rest, &without);
    bool differs = with.input != NULL && differ(&with, &without);
    attempt_dispose(&with);
    attempt_dispose(&without);
    json_decref(rest);
    return differs;
}

/* Two members that ask for the same have no effect beside each other, but each has one without the other. */
static bool has_effect(const struct checking *checking, const char *name)
{
    json_t *body = checking->attempt.call.body, *ignored;
    bool differs = has_effect_in(checking, body, name);
    const char *other;
    json_object_foreach(body, other, ignored)
    {
        json_t *rest = differs || strcmp(other, name) == 0 ? NULL : json_copy(body);
        if (rest == NULL)
            continue;
        json_object_del(rest, other);
        differs = has_effect_in(checking, rest, name);
        json_decref(rest);
    }
    return differs;
}

/* Of two spellings of one parameter the preferred one is taken. */
static bool gives_way(const json_t *body, const char *name)
{
    return strcmp(name, "max_tokens") == 0 && json_is_number(json_object_get(body, "max_completion_tokens"));
}

/* The same in the model's own kind: a number as a word, as a switch, or as a number of the other kind. */
static bool says_the_same(const json_t *placed, const json_t *value)
{
    if (placed == NULL || json_equal(placed, value))
        return placed != NULL;
    if (!json_is_number(value))
        return false;
    double number = json_number_value(value);
    if (json_is_boolean(placed))
        return (json_is_true(placed) ? 1 : 0) == number;
    if (json_is_string(placed))
        return strtod(json_string_value(placed), NULL) == number;
    return json_is_number(placed) && json_number_value(placed) == number;
}

static bool check_params(struct checking *checking)
{
    const struct attempt *attempt = &checking->attempt;
    const char *name;
    json_t *value;
    json_object_foreach(attempt->call.body, name, value)
    {
        if (needs_no_word(name) || asks_nothing(name, value) || is_ignored(&attempt->call, name) ||
            gives_way(attempt->call.body, name))
            continue;
        const json_t *placed = json_object_get(attempt->input, name);
        if (!says_the_same(placed, value) && !has_effect(checking, name))
            return broken(checking, "a parameter is lost without a word", name);
    }
    return true;
}

/* Only what the client sent can be left out; parts of messages are named by their type. */
static bool check_ignored(struct checking *checking)
{
    static const char *const parts[] = {"image_url", "input_image", "input_audio", "audio_url",
                                        "video_url", "file",        "messages",    NULL};
    size_t i;
    const json_t *ignored;
    json_array_foreach(checking->attempt.call.ignored, i, ignored)
    {
        const char *name = json_string_value(ignored);
        bool is_part = checking->given->route->drop_params && is_among(name, parts);
        if (!is_part && !is_sent(&checking->attempt.call, name))
            return broken(checking, "what is named as ignored was never sent", name);
    }
    return true;
}

/* --- The whole -------------------------------------------------------------------------------------------------- */

/* The way back from a model's name never leads nowhere. */
static bool check_names(struct checking *checking)
{
    const char *name;
    json_t *value;
    json_object_foreach(checking->attempt.input, name, value)
    {
        struct error err;
        error_set(&err, ERROR_INVALID_VALUE, name, "It is wrong.");
        mapping_name_param(&checking->attempt.call, checking->given->route, checking->schema, &err);
        if (err.param[0] == '\0' && name[0] != '\0')
            return broken(checking, "an error would name no parameter for", name);
    }
    return true;
}

static bool check_all(struct checking *checking)
{
    if (checking->attempt.input == NULL)
        return check_refusal(checking);
    if (!check_uploads(checking) || !check_names(checking))
        return false;
    if (checking->given->is_free)
        return true;
    return (checking->given->document == NULL || check_fits(checking)) && check_texts(checking) &&
           check_ignored(checking) && check_params(checking);
}

enum mapping_verdict mapping_judge(const struct mapping_case *given, char *why, size_t size)
{
    struct checking checking = {.given = given, .why = why, .size = size};
    checking.schema = parse_schema(given->document);
    snprintf(why, size, "%s", "");
    try_request(&checking, given->request, given->length, &checking.attempt);
    bool holds = check_all(&checking), is_mapped = checking.attempt.input != NULL;
    attempt_dispose(&checking.attempt);
    model_schema_unref(checking.schema);
    return !holds ? MAPPING_BROKEN : is_mapped ? MAPPING_MAPPED : MAPPING_REFUSED;
}
