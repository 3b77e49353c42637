/* Readers of values that are lists or maps. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ensure.h"
#include "schema_int.h"
#include "value_int.h"

/* Parameters of OpenAI's API that a configuration may give defaults for. */
static const char *const parameters[] = {
    "temperature",
    "max_tokens",
    "max_completion_tokens",
    "top_p",
    "seed",
    "stop",
    "n",
    "presence_penalty",
    "frequency_penalty",
    "reasoning_effort",
    "verbosity",
    "response_format",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "user",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "service_tier",
    "store",
    "metadata",
    "modalities",
    "moderation",
    "prediction",
    "web_search_options",
    "functions",
    "function_call",
    "safety_identifier",
    "prompt_cache_key",
};

/* What `map` may name an input for. */
static const char *const canonical_names[] = {
    "prompt",
    "system",
    "messages",
    "image",
    "audio",
    "video",
    "file",
    "max_tokens",
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "stop",
    "reasoning_effort",
    "verbosity",
    "response_format",
    "tools",
    "tool_choice",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "functions",
    "function_call",
    "web_search_options",
    "parallel_tool_calls",
    "modalities",
    "moderation",
};

enum {
    PARAMETER_COUNT = sizeof parameters / sizeof parameters[0],
    CANONICAL_COUNT = sizeof canonical_names / sizeof canonical_names[0],
};

static bool is_listed(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

bool schema_is_parameter(const char *name)
{
    return is_listed(name, parameters, PARAMETER_COUNT);
}

static bool add_element(const struct node *node, char ***texts, size_t *count)
{
    if (node->type != NODE_SCALAR || node->text[0] == '\0')
        return false;
    *texts = xrealloc(*texts, (*count + 1) * sizeof **texts);
    (*texts)[(*count)++] = xstrdup(node->text);
    return true;
}

/* One text is as good as a list of one. An empty list is refused where it could be taken for "nothing allowed". */
bool read_list(const struct reading *reading)
{
    const struct node *node = reading->node;
    char **texts = NULL;
    size_t count = 0;
    bool ok = node->type != NODE_MAP;
    if (node->type == NODE_SCALAR)
        ok = add_element(node, &texts, &count);
    for (size_t i = 0; ok && i < node->count; i++)
        ok = add_element(node->members[i].value, &texts, &count);
    if (!ok || count == 0) {
        free_texts(texts, count);
        return loader_fail(reading->loader, reading->path, "this must be a list of texts with at least one element");
    }
    free_texts(*(char ***)reading->field, *(size_t *)reading->second);
    *(char ***)reading->field = texts;
    *(size_t *)reading->second = count;
    return true;
}

bool read_names(const struct reading *reading)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    if (!read_list(reading))
        return false;
    char *const *names = *(char ***)reading->field;
    for (size_t i = 0; i < *(size_t *)reading->second; i++)
        if (names[i][strspn(names[i], allowed)] != '\0')
            return loader_fail(reading->loader, reading->path,
                               "this takes whole parameters by their names, such as logit_bias, not parts of one");
    return true;
}

enum { MAXIMUM_ALIASES = 16 };

/* A name that is none is only found out once all models are known (fallbacks.c). */
static bool check_alias(const struct reading *reading, const struct node *list, size_t index, const struct path *path)
{
    const struct node *node = list->members[index].value;
    if (node->type != NODE_SCALAR || node->text[0] == '\0')
        return loader_fail(reading->loader, path,
                           "this must be the name of a model; a fallback has no parameters of its own");
    if (strchr(node->text, '*') != NULL)
        return loader_fail(reading->loader, path, "a model to fall back to is named without wildcards (*)");
    for (size_t i = 0; i < index; i++)
        if (strcmp(list->members[i].value->text, node->text) == 0)
            return loader_fail(reading->loader, path, "this name is given twice; remove one of them");
    return true;
}

/* An empty list is one: it takes the default for all models back. */
bool read_aliases(const struct reading *reading)
{
    struct member only = {.value = (struct node *)reading->node};
    const struct node single = {.type = NODE_LIST, .members = &only, .count = 1};
    const struct node *list = reading->node->type == NODE_SCALAR ? &single : reading->node;
    if (list->type != NODE_LIST || list->count > MAXIMUM_ALIASES)
        return loader_fail(reading->loader, reading->path, "this must be a list of names of models, at most 16");
    for (size_t i = 0; i < list->count; i++) {
        struct path member = path_member(reading->path, list, i);
        const struct path *path = list == &single ? reading->path : &member;
        if (!check_alias(reading, list, i, path))
            return false;
        loader_name_fallback(reading->loader, list->members[i].value->text, path);
    }
    char ***texts = reading->field;
    size_t *count = reading->second;
    free_texts(*texts, *count);
    *texts = list->count == 0 ? NULL : xcalloc(list->count, sizeof **texts);
    *count = list->count;
    for (size_t i = 0; i < list->count; i++)
        (*texts)[i] = xstrdup(list->members[i].value->text);
    return true;
}

/* scheme://host[:port], as browsers send it: nothing after the host. */
static bool is_origin(const char *text)
{
    const char *host = strstr(text, "://");
    if (strcmp(text, "*") == 0 || strcmp(text, "null") == 0)
        return true;
    return host != NULL && host != text && host[3] != '\0' && strchr(host + 3, '/') == NULL && secret_is_clean(text);
}

bool read_origins(const struct reading *reading)
{
    if (!read_list(reading))
        return false;
    char *const *texts = *(char ***)reading->field;
    for (size_t i = 0; i < *(size_t *)reading->second; i++)
        if (!is_origin(texts[i]))
            return loader_fail(reading->loader, reading->path,
                               "an origin is \"*\" or looks like https://chat.example.com, without a path");
    return true;
}

/* A header's name is a token of HTTP. What frames the request or carries the credential is ours to set. */
static const char *header_problem(const char *name, const struct node *value)
{
    static const char *const ours[] = {"authorization", "content-length", "content-type", "transfer-encoding",
                                       "connection",    "expect",         "host",         "prefer",
                                       "cancel-after"};
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    if (name[0] == '\0' || strspn(name, token) != strlen(name))
        return "this is not the name of a header";
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (strcasecmp(ours[i], name) == 0)
            return i == 0 ? "this header carries the token; write it under token or api_key instead"
                          : "this header is set by the program itself; leave it out";
    if (value->type != NODE_SCALAR)
        return "the value of a header must be a text";
    for (const char *at = value->text; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return "the value of a header must not hold line breaks or control characters";
    return NULL;
}

/* Header names have no case, so the later spelling of the same name replaces the earlier value. */
static void set_header(struct header **headers, size_t *count, const char *name, const char *value)
{
    for (size_t i = 0; i < *count; i++) {
        if (strcasecmp((*headers)[i].name, name) == 0) {
            replace_text(&(*headers)[i].value, value);
            return;
        }
    }
    *headers = xrealloc(*headers, (*count + 1) * sizeof **headers);
    (*headers)[(*count)++] = (struct header){xstrdup(name), xstrdup(value)};
}

/* Adds to what the field has, so that a model's headers stand beside the general ones. */
bool read_headers(const struct reading *reading)
{
    if (reading->node->type != NODE_MAP)
        return loader_fail(reading->loader, reading->path, "this must be a map of header names and values");
    for (size_t i = 0; i < reading->node->count; i++) {
        const struct member *member = &reading->node->members[i];
        struct path path = path_member(reading->path, reading->node, i);
        const char *problem = header_problem(member->key, member->value);
        if (problem != NULL)
            return loader_fail(reading->loader, &path, "%s", problem);
        set_header(reading->field, reading->second, member->key, member->value->text);
    }
    return true;
}

/* Lays `value` over what the field holds already: a model's defaults over those for all models. */
static bool lay_over(const struct reading *reading, json_t *value)
{
    json_t **field = reading->field;
    if (value == NULL)
        return loader_fail(reading->loader, reading->path, "a text in this map is not valid UTF-8");
    if (*field == NULL) {
        *field = value;
        return true;
    }
    json_object_update(*field, value);
    json_decref(value);
    return true;
}

bool read_object(const struct reading *reading)
{
    if (reading->node->type != NODE_MAP)
        return loader_fail(reading->loader, reading->path, "this must be a map of keys and values");
    return lay_over(reading, value_json(reading->node, reading->loader->dialect == DIALECT_LITELLM));
}

static bool check_map_member(const struct reading *reading, const struct member *member, const struct path *path)
{
    const struct node *value = member->value;
    if (!is_listed(member->key, canonical_names, CANONICAL_COUNT) &&
        strcmp(member->key, "max_completion_tokens") != 0) {
        const char *nearest = nearest_name(member->key, canonical_names, CANONICAL_COUNT, sizeof canonical_names[0]);
        if (nearest != NULL)
            return loader_fail(reading->loader, path, "unknown name; did you mean \"%s\"?", nearest);
        return loader_fail(
            reading->loader, path,
            "unknown name; map takes prompt, system, messages, image, audio, video, file and parameters of "
            "OpenAI's API");
    }
    if (value->type != NODE_SCALAR || (value->quoted && value->text[0] == '\0'))
        return loader_fail(reading->loader, path, "this must be the name of one of the model's inputs, or null");
    return true;
}

bool read_map(const struct reading *reading)
{
    if (reading->node->type != NODE_MAP)
        return loader_fail(reading->loader, reading->path, "this must be a map of OpenAI's names to input names");
    json_t *map = json_object();
    bool ok = true;
    for (size_t i = 0; ok && i < reading->node->count; i++) {
        const struct member *member = &reading->node->members[i];
        struct path path = path_member(reading->path, reading->node, i);
        ok = check_map_member(reading, member, &path);
        if (!ok)
            break;
        /* OpenAI's newer spelling of the same limit. */
        const char *name = strcmp(member->key, "max_completion_tokens") == 0 ? "max_tokens" : member->key;
        if (json_object_get(map, name) != NULL)
            ok = loader_fail(reading->loader, &path, "max_tokens and max_completion_tokens are one; give one of them");
        else if (json_object_set_new(map, name,
                                     node_is_null(member->value) ? json_null() : json_string(member->value->text)) != 0)
            ok = loader_fail(reading->loader, &path, "this is not valid UTF-8");
    }
    if (ok)
        return lay_over(reading, map);
    json_decref(map);
    return false;
}

/* A misspelt parameter would do nothing without a word, so only known ones are taken. */
bool read_params(const struct reading *reading)
{
    if (reading->node->type != NODE_MAP)
        return loader_fail(reading->loader, reading->path, "this must be a map of parameters and values");
    for (size_t i = 0; i < reading->node->count; i++) {
        const char *name = reading->node->members[i].key;
        struct path path = path_member(reading->path, reading->node, i);
        if (schema_is_parameter(name))
            continue;
        const char *nearest = nearest_name(name, parameters, PARAMETER_COUNT, sizeof parameters[0]);
        if (nearest != NULL)
            return loader_fail(reading->loader, &path,
                               "unknown parameter; did you mean \"%s\"? The model's own inputs belong under input",
                               nearest);
        return loader_fail(reading->loader, &path,
                           "this is no parameter of OpenAI's API; the model's own inputs belong under input");
    }
    return read_object(reading);
}
