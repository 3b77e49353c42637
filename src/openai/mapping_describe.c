/* What the mapping would do, told instead of done: for people who ask what a model takes. */
#include "openai/mapping.h"

#include <string.h>

#include "base/ensure.h"
#include "mapping_int.h"
#include "mapping_messages_int.h"

struct telling {
    struct model_view model;
    json_t *used; /* an object whose keys are the inputs that OpenAI's terms may fill */
    json_t *parameters, *emulated, *ignored, *refused;
};

static json_t *member(json_t *parent, const char *name, json_t *value)
{
    ensure(value != NULL && json_object_set_new(parent, name, value) == 0);
    return value;
}

static void add_name(json_t *names, const char *name)
{
    ensure(json_array_append_new(names, json_string(name)) == 0);
}

static void note_used(struct telling *telling, const char *input)
{
    if (input != NULL)
        member(telling->used, input, json_true());
}

/* --- messages and media --- */

static const char *kind_name(enum conversation_kind kind)
{
    static const char *const names[] = {
        [CONVERSATION_LIST] = "messages",   [CONVERSATION_TEXT] = "messages_text", [CONVERSATION_ITEMS] = "input_items",
        [CONVERSATION_HISTORY] = "history", [CONVERSATION_TEMPLATE] = "template",  [CONVERSATION_PROMPT] = "prompt",
    };
    return names[kind];
}

static void describe_messages(struct telling *telling, json_t *out)
{
    struct conversation_inputs names = model_view_conversation(&telling->model);
    const char *const inputs[] = {names.list, names.prompt, names.system, names.prompt_template};
    json_t *messages = member(out, "messages", json_object());
    member(messages, "as", json_string(kind_name(names.kind)));
    json_t *list = member(messages, "inputs", json_array());
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        if (inputs[i] == NULL)
            continue;
        add_name(list, inputs[i]);
        note_used(telling, inputs[i]);
    }
    /* Beside a list of messages the texts are not sent, so they are nobody's. */
    note_used(telling, model_view_prompt_input(&telling->model));
    note_used(telling, model_view_system_input(&telling->model));
}

static void describe_media(struct telling *telling, json_t *out)
{
    json_t *media = member(out, "media", json_object());
    for (const char *const *kind = media_kinds; *kind != NULL; kind++) {
        const char *input = model_view_media_input(&telling->model, *kind);
        if (input != NULL)
            member(media, *kind, json_string(input));
        note_used(telling, input);
    }
}

/* --- parameters --- */

/* Without a schema stops go to an input that the operator names, and to none by habit. */
static const char *input_for(const struct telling *telling, const struct parameter *row)
{
    const char *name = NULL;
    if (row->way == WAY_CHOICES)
        return NULL;
    if (row->way == WAY_STOPS && telling->model.schema == NULL)
        return mapping_map_says_of(telling->model.route, row, &name) ? name : NULL;
    return mapping_input_name(&telling->model, row);
}

static bool drops(const struct route *route, const struct parameter *row)
{
    for (size_t i = 0; i < route->dropped_count; i++) {
        const struct parameter *dropped = parameter_find(route->dropped[i]);
        if (dropped != NULL && strcmp(dropped->canonical, row->canonical) == 0)
            return true;
    }
    return false;
}

static void describe_row(struct telling *telling, const struct parameter *row)
{
    const struct route *route = telling->model.route;
    const char *input = input_for(telling, row);
    bool is_refused = row->class == CLASS_MEANING ? !route->drop_params : route->strict_params;
    if (drops(route, row)) {
        add_name(telling->ignored, row->name);
    } else if (input != NULL) {
        member(telling->parameters, row->name, json_string(input));
        note_used(telling, input);
    } else if (row->way == WAY_STOPS || row->way == WAY_CHOICES) {
        add_name(telling->emulated, row->name);
    } else if (row->class != CLASS_IDLE) {
        add_name(is_refused ? telling->refused : telling->ignored, row->name);
    }
}

static void describe_parameters(struct telling *telling, json_t *out)
{
    size_t count;
    const struct parameter *row = parameter_rows(&count);
    telling->parameters = member(out, "parameters", json_object());
    telling->emulated = member(out, "emulated", json_array());
    telling->ignored = member(out, "ignored", json_array());
    telling->refused = member(out, "refused", json_array());
    for (const struct parameter *end = row + count; row < end; row++)
        if (row->class != CLASS_ENDPOINT)
            describe_row(telling, row);
}

/* --- the rest --- */

/* Secrets are the operator's, old names nobody's, and what OpenAI has a name for means what OpenAI says. */
static bool is_extra(const struct telling *telling, const struct model_input *input)
{
    const struct model_view *model = &telling->model;
    return !input->is_deprecated && !input->value.is_secret && json_object_get(telling->used, input->name) == NULL &&
           parameter_find(input->name) == NULL && !parameter_is_token_limit(input->name) &&
           !mapping_is_dropped(model->route, input->name);
}

static void describe_extra(struct telling *telling, json_t *out)
{
    const struct model_schema *schema = telling->model.schema;
    json_t *extra = member(out, "extra", json_array());
    for (size_t i = 0; schema != NULL && i < schema->input_count; i++)
        if (is_extra(telling, &schema->inputs[i]))
            add_name(extra, schema->inputs[i].name);
}

json_t *mapping_describe(const struct route *route, const struct model_schema *schema)
{
    struct telling telling = {.model = model_view_of(route, schema), .used = json_object()};
    json_t *out = json_object();
    ensure(out != NULL && telling.used != NULL);
    describe_messages(&telling, out);
    describe_parameters(&telling, out);
    describe_media(&telling, out);
    describe_extra(&telling, out);
    json_decref(telling.used);
    return out;
}
