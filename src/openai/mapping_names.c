/* The names on both sides: which input of the model an OpenAI parameter goes to, and the way back for error messages.
 */
#include "openai/mapping.h"

#include <stdio.h>
#include <string.h>

#include "mapping_int.h"

struct model_view model_view_of(const struct route *route, const struct model_schema *schema)
{
    static const char *const texts[] = {"prompt", "messages"};
    struct model_view model = {.route = route, .schema = schema};
    if (schema == NULL || !schema->has_inputs || schema->input_count == 0)
        model.schema = NULL;
    for (size_t i = 0; model.schema != NULL && i < sizeof texts / sizeof texts[0]; i++) {
        const char *name = NULL;
        if (mapping_map_says(route, texts[i], &name) && name != NULL && model_schema_find(schema, name) == NULL)
            model.schema = NULL;
    }
    return model;
}

bool mapping_map_says(const struct route *route, const char *canonical, const char **name)
{
    if (json_object_size(route->map) == 0)
        return false;
    const json_t *entry = json_object_get(route->map, canonical);
    if (!json_is_string(entry) && !json_is_null(entry))
        return false;
    *name = json_string_value(entry); /* NULL for null */
    return true;
}

bool mapping_map_says_of(const struct route *route, const struct parameter *row, const char **name)
{
    if (json_object_size(route->map) == 0)
        return false;
    if (mapping_map_says(route, row->canonical, name))
        return true;
    size_t count;
    const struct parameter *rows = parameter_rows(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].canonical, row->canonical) == 0 && mapping_map_says(route, rows[i].name, name))
            return true;
    return false;
}

/* --- picking a name from a schema --- */

static char folded(char letter)
{
    if (letter == '-')
        return '_';
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

/* A `*` stands for any text. When what follows the last star fails, the star takes one letter more; earlier stars need
 * never be asked again, so that no pattern takes longer than its length times the name's. */
static bool matches(const char *pattern, const char *end, const char *name)
{
    const char *star = NULL, *retry = NULL;
    while (*name != '\0') {
        if (pattern < end && *pattern == '*') {
            star = pattern++;
            retry = name;
        } else if (pattern < end && folded(*pattern) == folded(*name)) {
            pattern++;
            name++;
        } else if (star != NULL) {
            pattern = star + 1;
            name = ++retry;
        } else {
            return false;
        }
    }
    while (pattern < end && *pattern == '*')
        pattern++;
    return pattern == end;
}

enum part { PART_EXACT, PART_STARRED, PART_EXCLUDED };

struct part_of_names {
    const char *text, *end;
    enum part kind;
};

/* The next name of a list; false behind the last. */
static bool next_part(const char **names, struct part_of_names *part)
{
    if (**names == '\0')
        return false;
    part->text = *names;
    part->end = part->text + strcspn(part->text, "|");
    *names = *part->end == '|' ? part->end + 1 : part->end;
    part->kind = PART_EXACT;
    if (*part->text == '!') {
        part->text++;
        part->kind = PART_EXCLUDED;
    } else if (memchr(part->text, '*', (size_t)(part->end - part->text)) != NULL) {
        part->kind = PART_STARRED;
    }
    return true;
}

bool model_view_excludes(const char *names, const char *name)
{
    struct part_of_names part;
    while (next_part(&names, &part))
        if (part.kind == PART_EXCLUDED && matches(part.text, part.end, name))
            return true;
    return false;
}

/* A secret is the operator's: whatever it is called, nothing of a request belongs there. */
static bool may_hold(const struct model_value *value, const struct search *search)
{
    return !value->is_secret && (search->types == 0 || (value->types & search->types) != 0) &&
           (search->accepts == NULL || search->accepts(value));
}

/* One round: names of one kind, inputs that are deprecated or not. */
static const struct model_input *pick(const struct model_schema *schema, const struct search *search, enum part kind,
                                      bool deprecated)
{
    struct part_of_names part;
    for (const char *rest = search->names; next_part(&rest, &part);) {
        if (part.kind != kind)
            continue;
        for (size_t i = 0; i < schema->input_count; i++) {
            const struct model_input *input = &schema->inputs[i];
            if (input->is_deprecated == deprecated && matches(part.text, part.end, input->name) &&
                may_hold(&input->value, search) &&
                (kind == PART_EXACT || !model_view_excludes(search->names, input->name)))
                return input;
        }
    }
    return NULL;
}

static const struct model_input *pick_first(const struct model_schema *schema, const struct search *search)
{
    const struct model_input *input = NULL;
    for (int round = 0; input == NULL && round < 2; round++) {
        input = pick(schema, search, PART_EXACT, round == 1);
        if (input == NULL)
            input = pick(schema, search, PART_STARRED, round == 1);
    }
    return input;
}

const struct model_input *model_view_pick(const struct model_view *model, const struct search *search)
{
    const struct model_input *input = NULL;
    if (model->schema == NULL || search->names == NULL || model_schema_recall(model->schema, search->number, &input))
        return input;
    input = pick_first(model->schema, search);
    model_schema_remember(model->schema, search->number, input);
    return input;
}

/* --- from a parameter to an input --- */

/* A default under one of the token limit's names tells which of them this model has; two of them at once are refused by
 * some models. A schema that lacks it knows better. */
static const char *configured_token_limit(const struct model_view *model)
{
    const char *name;
    json_t *value;
    json_object_foreach(model->route->input, name, value)
    {
        if (parameter_is_token_limit(name) && (model->schema == NULL || model_schema_find(model->schema, name) != NULL))
            return name;
    }
    return NULL;
}

static const char *schema_name(const struct model_view *model, const struct parameter *row)
{
    if (row->way == WAY_REASONING)
        return mapping_reasoning_input(model);
    if (row->way == WAY_STOPS)
        return mapping_stops_input(model);
    size_t count;
    const struct search search = {SEARCH_PARAMETER + (size_t)(row - parameter_rows(&count)), row->picks,
                                  row->value_types, NULL};
    const struct model_input *input = model_view_pick(model, &search);
    return input != NULL ? input->name : NULL;
}

const char *mapping_input_name(const struct model_view *model, const struct parameter *row)
{
    const char *name = NULL;
    if (mapping_map_says_of(model->route, row, &name))
        return name;
    if (row->type == TYPE_TOKENS)
        name = configured_token_limit(model);
    if (name != NULL)
        return name;
    return model->schema != NULL ? schema_name(model, row) : row->input;
}

/* --- and back --- */

static bool is_name(const char *name, const char *text)
{
    return name != NULL && strcmp(name, text) == 0;
}

static bool is_for_messages(const struct model_view *model, const char *input)
{
    struct conversation_inputs names = model_view_conversation(model);
    return is_name(names.list, input) || is_name(names.prompt, input) || is_name(names.system, input) ||
           is_name(names.prompt_template, input);
}

static bool is_for_media(const struct model_view *model, const char *input)
{
    for (const char *const *kind = media_kinds; *kind != NULL; kind++)
        if (is_name(model_view_media_input(model, *kind), input))
            return true;
    return false;
}

static bool goes_to(const struct model_view *model, const struct parameter *row, const char *input)
{
    return is_name(mapping_input_name(model, row), input) ||
           (row->way == WAY_REASONING && mapping_reasoning_uses(model, input));
}

/* The client's word for an input of the model; NULL where it knows the input under no other name. */
static const char *client_name(const struct call *call, const struct model_view *model, const char *input)
{
    bool is_own_word = parameter_find(input) == NULL && json_object_get(call->body, input) != NULL;
    if (is_for_messages(model, input) || (!is_own_word && is_for_media(model, input)))
        return "messages";
    if (is_own_word)
        return NULL;
    size_t count;
    const struct parameter *row = parameter_rows(&count);
    for (const struct parameter *end = row + count; row < end; row++) {
        if (row->class == CLASS_ENDPOINT || strcmp(row->name, row->canonical) != 0 || !goes_to(model, row, input))
            continue;
        const struct parameter *given = parameter_given(call, row->canonical);
        return given != NULL ? given->name : row->name;
    }
    return NULL;
}

void mapping_name_param(const struct call *call, const struct route *route, const struct model_schema *schema,
                        struct error *err)
{
    static const char prefix[] = "input.";
    struct model_view model = model_view_of(route, schema);
    char path[ERROR_PARAM_BYTES], head[ERROR_PARAM_BYTES];
    bool has_prefix = strncmp(err->param, prefix, sizeof prefix - 1) == 0;
    snprintf(path, sizeof path, "%s", err->param + (has_prefix ? sizeof prefix - 1 : 0));
    /* What stands behind the input's own name (an index, a member) is of use only under that name. */
    snprintf(head, sizeof head, "%.*s", (int)strcspn(path, ".["), path);
    const char *name = head[0] != '\0' ? client_name(call, &model, head) : NULL;
    bool renamed = name != NULL && strcmp(name, head) != 0;
    snprintf(err->param, sizeof err->param, "%s", renamed ? name : path);
}
