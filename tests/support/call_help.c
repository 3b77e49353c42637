/* Calls, routes and outcomes for tests, written as JSON texts. */
#include "call_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "openai/chat.h"
#include "../../src/openai/parameters_int.h"

enum { HELP_DOCUMENT_MAX_BYTES = 1 << 24 };

json_t *help_json(const char *text)
{
    json_t *value = json_parse(text, strlen(text), NULL);
    ensure(value != NULL);
    return value;
}

char *help_dump(const json_t *value)
{
    struct buf out;
    buf_init(&out, (size_t)1 << 26);
    ensure(json_append(&out, value));
    return buf_take(&out, NULL);
}

char *help_dump_params(const struct call *call)
{
    json_t *object = json_object();
    struct parameter_set set = params_rows(&call->params);
    for (const struct parameter *row; (row = parameters_next(&set)) != NULL;)
        ensure(json_object_set(object, row->canonical, params_get(&call->params, row)) == 0);
    char *text = help_dump(object);
    json_decref(object);
    return text;
}

const struct endpoint *help_chat(void)
{
    struct error err;
    const char *allow;
    char model[8];
    const struct endpoint *endpoint = endpoint_find("POST", "/v1/chat/completions", model, sizeof model, &allow, &err);
    ensure(endpoint != NULL);
    return endpoint;
}

bool help_decode_bytes(struct call *call, const char *body, size_t length, struct error *err)
{
    struct call_request request = {
        .endpoint = help_chat(),
        .body = body,
        .body_length = length,
        .unique = HELP_UNIQUE,
        .now_s = HELP_NOW_S,
    };
    call_init(call);
    return chat_decode(call, &request, err);
}

bool help_decode(struct call *call, const char *body, struct error *err)
{
    return help_decode_bytes(call, body, strlen(body), err);
}

static char *text_or(const json_t *object, const char *key, const char *fallback)
{
    const char *text = json_text(object, key);
    return xstrdup(text != NULL ? text : fallback);
}

static enum reasoning_mode reasoning_of(const json_t *description)
{
    const char *word = json_text(description, "reasoning");
    if (word == NULL || strcmp(word, "auto") == 0)
        return REASONING_AUTO;
    ensure(strcmp(word, "opened") == 0 || strcmp(word, "off") == 0);
    return strcmp(word, "opened") == 0 ? REASONING_OPENED : REASONING_OFF;
}

/* Configured objects are never NULL in a snapshot. */
static json_t *object_or_empty(const json_t *object, const char *key)
{
    json_t *member = json_object_get(object, key);
    return member != NULL ? json_deep_copy(member) : json_object();
}

static char **texts_of(const json_t *array, size_t *count)
{
    size_t i;
    const json_t *text;
    *count = json_array_size(array);
    char **texts = *count > 0 ? xcalloc(*count, sizeof *texts) : NULL;
    json_array_foreach(array, i, text) texts[i] = xstrdup(json_string_value(text));
    return texts;
}

void help_route(struct route *route, const char *text)
{
    json_t *description = help_json(text);
    *route = (struct route){
        .alias = text_or(description, "alias", "kimi"),
        .reference = text_or(description, "reference", "moonshotai/kimi-k2-thinking"),
        .input = object_or_empty(description, "input"),
        .map = object_or_empty(description, "map"),
        .params = object_or_empty(description, "params"),
        .strict_params = json_is_true(json_object_get(description, "strict_params")),
        .reasoning = reasoning_of(description),
        .drop_params = json_is_true(json_object_get(description, "drop_params")),
        .read_schema = !json_is_false(json_object_get(description, "read_schema")),
        .created_s = HELP_NOW_S,
    };
    route->dropped = texts_of(json_object_get(description, "dropped"), &route->dropped_count);
    json_decref(description);
}

void help_route_dispose(struct route *route)
{
    free(route->alias);
    free(route->reference);
    json_decref(route->input);
    json_decref(route->map);
    json_decref(route->params);
    for (size_t i = 0; i < route->dropped_count; i++)
        free(route->dropped[i]);
    free(route->dropped);
}

static void read_document(const char *name, struct buf *bytes)
{
    char path[256], piece[4096];
    snprintf(path, sizeof path, "tests/models/%s.json", name);
    FILE *file = fopen(path, "rb");
    ensure(file != NULL); /* run from the root of the repository */
    for (size_t length; (length = fread(piece, 1, sizeof piece, file)) > 0;)
        ensure(buf_append(bytes, piece, length));
    fclose(file);
}

struct model_schema *help_model(const char *name)
{
    struct buf bytes;
    struct error err = {0};
    buf_init(&bytes, HELP_DOCUMENT_MAX_BYTES);
    read_document(name, &bytes);
    struct model_schema *schema = model_schema_parse(buf_text(&bytes), bytes.length, &err);
    ensure(schema != NULL);
    buf_dispose(&bytes);
    return schema;
}

json_t *help_document(const char *name)
{
    struct buf bytes;
    buf_init(&bytes, HELP_DOCUMENT_MAX_BYTES);
    read_document(name, &bytes);
    json_t *document = json_parse(buf_text(&bytes), bytes.length, NULL);
    ensure(document != NULL);
    buf_dispose(&bytes);
    return document;
}

static int64_t count(const json_t *usage, const char *key)
{
    return json_integer_value(json_object_get(usage, key));
}

struct outcome *help_outcome(const json_t *description)
{
    const json_t *usage = json_object_get(description, "usage");
    json_t *output = json_object_get(description, "output");
    struct outcome *outcome = outcome_new();
    outcome->succeeded = true;
    outcome->output = output == NULL || json_is_null(output) ? NULL : json_incref(output);
    outcome->usage = (struct usage){
        .reported = usage != NULL,
        .input_tokens = count(usage, "input_tokens"),
        .output_tokens = count(usage, "output_tokens"),
        .reasoning_tokens = count(usage, "reasoning_tokens"),
    };
    return outcome;
}
