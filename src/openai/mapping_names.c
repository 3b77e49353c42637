/* The names on both sides: which input of the model an OpenAI parameter goes to, and the way back for error messages.
 */
#include "openai/mapping.h"

#include <stdio.h>
#include <string.h>

#include "mapping_int.h"

bool mapping_map_says(const struct route *route, const char *canonical, const char **name)
{
    const json_t *entry = json_object_get(route->map, canonical);
    if (!json_is_string(entry) && !json_is_null(entry))
        return false;
    *name = json_string_value(entry); /* NULL for null */
    return true;
}

/* Operators may write any of the client's spellings on the left side of a map. */
static bool map_says_of(const struct route *route, const struct parameter *row, const char **name)
{
    if (mapping_map_says(route, row->canonical, name))
        return true;
    size_t count;
    const struct parameter *other = parameter_rows(&count);
    for (const struct parameter *end = other + count; other < end; other++)
        if (strcmp(other->canonical, row->canonical) == 0 && mapping_map_says(route, other->name, name))
            return true;
    return false;
}

/* A default under one of the token limit's names tells which of them this model has; two of them at once are refused by
 * some models. */
static const char *configured_token_limit(const struct route *route)
{
    const char *name;
    json_t *value;
    json_object_foreach(route->input, name, value) if (parameter_is_token_limit(name)) return name;
    return NULL;
}

const char *mapping_input_name(const struct route *route, const struct parameter *row)
{
    const char *name = NULL;
    if (map_says_of(route, row, &name))
        return name;
    if (row->type == TYPE_TOKENS)
        name = configured_token_limit(route);
    return name != NULL ? name : row->input;
}

struct message_names mapping_message_names(const struct route *route)
{
    struct message_names names = {NULL, "prompt", NULL};
    mapping_map_says(route, "messages", &names.list);
    mapping_map_says(route, "prompt", &names.prompt);
    mapping_map_says(route, "system", &names.system);
    return names;
}

static bool is_name(const char *name, const char *text)
{
    return name != NULL && strcmp(name, text) == 0;
}

/* The client's word for an input of the model; NULL where it knows the input under no other name. */
static const char *client_name(const struct call *call, const struct route *route, const char *input)
{
    struct message_names names = mapping_message_names(route);
    if (is_name(names.list, input) || is_name(names.prompt, input) || is_name(names.system, input))
        return "messages";
    if (parameter_find(input) == NULL && json_object_get(call->body, input) != NULL)
        return NULL;
    size_t count;
    const struct parameter *row = parameter_rows(&count);
    for (const struct parameter *end = row + count; row < end; row++) {
        if (row->class == CLASS_ENDPOINT || strcmp(row->name, row->canonical) != 0 ||
            !is_name(mapping_input_name(route, row), input))
            continue;
        const struct parameter *given = parameter_given(row->canonical, call->body);
        return given != NULL ? given->name : row->name;
    }
    return NULL;
}

void mapping_name_param(const struct call *call, const struct route *route, struct error *err)
{
    static const char prefix[] = "input.";
    char path[ERROR_PARAM_BYTES], head[ERROR_PARAM_BYTES];
    bool has_prefix = strncmp(err->param, prefix, sizeof prefix - 1) == 0;
    snprintf(path, sizeof path, "%s", err->param + (has_prefix ? sizeof prefix - 1 : 0));
    /* What stands behind the input's own name (an index, a member) is of use only under that name. */
    snprintf(head, sizeof head, "%.*s", (int)strcspn(path, ".["), path);
    const char *name = client_name(call, route, head);
    bool renamed = name != NULL && strcmp(name, head) != 0;
    snprintf(err->param, sizeof err->param, "%s", renamed ? name : path);
}
