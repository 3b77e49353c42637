/* How a model takes a conversation: what the operator says of it, else what its schema shows. */
#include "mapping_messages_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"

static const char prompt_names[] =
    "prompt|text|question|query|instruction|user_prompt|user_message|message|text_prompt|input_text|text_input|"
    "user_input|input_prompt|input|inputs|content|"
    "*prompt*|*question*|*message*|*query*|*instruction*|*text*|"
    "!*system*|!*developer*|!*assistant*|!*negative*|!*template*|!*image*|!*video*|!*voice*|!*audio*|!*speaker*|!*"
    "style*|"
    "!*format*|!*language*|!*lang|!*type*|!*mode*|!*file*|!*url*|!*strength*|!*history*|!*context*|!*texture*|!*output*"
    "|"
    "!*prefix*|!*suffix*|!*token*|!*color*|!*font*|!*id|!*img*|!*picture*|!*photo*|!*mask*|!*reference*";

static const char system_names[] =
    "system_prompt|system_instruction|system_instructions|instructions|system|system_message|developer_message|"
    "sysprompt|"
    "*system*prompt*|*system*instruction*|*system*message*|*system*text*|*system*words*|*system*hint*|*system*role*|"
    "*developer*message*|*developer*prompt*|*developer*instruction*|!*template*|!*type*|!*mode*|!*file*|!*url*|!*id";

bool mapping_holds_files(const struct model_value *value)
{
    if (value->words != NULL || value->is_secret)
        return false;
    bool holds = value->is_uri || (value->items != NULL && value->items->is_uri);
    for (size_t i = 0; i < value->variant_count && !holds; i++)
        holds = mapping_holds_files(&value->variants[i]);
    return holds;
}

static bool is_plain_text(const struct model_value *value)
{
    return (value->types & VALUE_STRING) != 0 && !value->is_secret && value->words == NULL &&
           !mapping_holds_files(value);
}

static bool is_text_list(const struct model_value *value)
{
    return (value->types & VALUE_ARRAY) != 0 && (value->items == NULL || is_plain_text(value->items));
}

static bool is_object_list(const struct model_value *value)
{
    return (value->types & VALUE_ARRAY) != 0 && (value->items == NULL || (value->items->types & VALUE_OBJECT) != 0);
}

static bool is_message_list(const struct model_value *value)
{
    return is_object_list(value) || (is_plain_text(value) && (value->types & VALUE_ARRAY) == 0);
}

static const struct search prompt_search = {SEARCH_PROMPT, prompt_names, 0, is_plain_text};
static const struct search system_search = {SEARCH_SYSTEM, system_names, 0, is_plain_text};
static const struct search messages_search = {SEARCH_MESSAGES, "messages", 0, is_message_list};
static const struct search items_search = {SEARCH_ITEMS, "input_item_list", 0, is_object_list};
static const struct search history_search = {SEARCH_HISTORY, "history", 0, is_text_list};
static const struct search template_search = {SEARCH_TEMPLATE, "prompt_template", 0, is_plain_text};

static const char *name_of(const struct model_input *input)
{
    return input != NULL ? input->name : NULL;
}

/* What a model cannot do without, and has no answer to of its own, is what it is asked: if it is one text alone, and by
 * its name nothing else. */
static const struct model_input *only_required_text(const struct model_schema *schema)
{
    const struct model_input *only = NULL;
    for (size_t i = 0; schema != NULL && i < schema->input_count; i++) {
        const struct model_input *input = &schema->inputs[i];
        if (!input->is_required || input->fallback != NULL || !is_plain_text(&input->value) ||
            model_view_excludes(prompt_names, input->name))
            continue;
        if (only != NULL)
            return NULL;
        only = input;
    }
    return only;
}

const char *model_view_prompt_input(const struct model_view *model)
{
    const char *name = NULL;
    if (mapping_map_says(model->route, "prompt", &name))
        return name;
    if (model->schema == NULL)
        return "prompt";
    const struct model_input *input = model_view_pick(model, &prompt_search);
    return name_of(input != NULL ? input : only_required_text(model->schema));
}

const char *model_view_system_input(const struct model_view *model)
{
    const char *name = NULL;
    if (mapping_map_says(model->route, "system", &name))
        return name;
    name = name_of(model_view_pick(model, &system_search));
    const char *prompt = model_view_prompt_input(model);
    return name != NULL && prompt != NULL && strcmp(name, prompt) == 0 ? NULL : name;
}

static bool is_required(const struct model_view *model, const char *name)
{
    const struct model_input *input = name != NULL ? model_schema_find(model->schema, name) : NULL;
    return input != NULL && input->is_required;
}

/* The kind of a list that the operator names: as the schema has it, else as the configured default shows. */
static enum conversation_kind kind_of_list(const struct model_view *model, const char *list)
{
    const struct model_input *input = model_schema_find(model->schema, list);
    if (strcmp(list, "input_item_list") == 0)
        return CONVERSATION_ITEMS;
    bool is_text = input != NULL ? (input->value.types & VALUE_ARRAY) == 0
                                 : json_is_string(json_object_get(model->route->input, list));
    return is_text ? CONVERSATION_TEXT : CONVERSATION_LIST;
}

static bool find_list(const struct model_view *model, struct conversation_inputs *inputs)
{
    const struct model_input *list = model_view_pick(model, &messages_search);
    if (list == NULL)
        list = model_view_pick(model, &items_search);
    /* A prompt that has to be there is where the model looks. */
    if (list == NULL || (!list->is_required && is_required(model, model_view_prompt_input(model))))
        return false;
    inputs->kind = kind_of_list(model, list->name);
    inputs->list = list->name;
    return true;
}

static void find_prompt(const struct model_view *model, bool may_be_history, struct conversation_inputs *inputs)
{
    inputs->prompt = model_view_prompt_input(model);
    inputs->system = model_view_system_input(model);
    if (inputs->prompt == NULL)
        return;
    const struct model_input *history = model_view_pick(model, &history_search);
    const struct model_input *shown = model_view_pick(model, &template_search);
    if (history != NULL && may_be_history) {
        inputs->kind = CONVERSATION_HISTORY;
        inputs->list = history->name;
    } else if (shown != NULL) {
        inputs->kind = CONVERSATION_TEMPLATE;
        inputs->prompt_template = shown->name;
        inputs->template_default = shown->fallback;
    }
}

struct conversation_inputs model_view_conversation(const struct model_view *model)
{
    struct conversation_inputs inputs = {.kind = CONVERSATION_PROMPT};
    const char *list = NULL, *prompt = NULL, *system = NULL;
    bool says_list = mapping_map_says(model->route, "messages", &list);
    mapping_map_says(model->route, "prompt", &prompt);
    mapping_map_says(model->route, "system", &system);
    if (list != NULL) {
        inputs.kind = kind_of_list(model, list);
        inputs.list = list;
    } else if (says_list || prompt != NULL || system != NULL || !find_list(model, &inputs)) {
        find_prompt(model, !says_list, &inputs);
    }
    if (inputs.kind == CONVERSATION_ITEMS)
        inputs.system = model_view_system_input(model);
    return inputs;
}
