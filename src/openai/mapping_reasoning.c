/* reasoning_effort and its relatives: one word of OpenAI's, and whatever a model has for it: a word of its own, a
 * number of tokens, a switch, or a variable of its chat template.
 *
 * A word that is no effort (`auto`, say) is for those models alone that list it. */
#include "mapping_int.h"

#include <string.h>

#include "base/ensure.h"
#include "base/json.h"

/* What an input takes an effort as. */
enum effort_form {
    FORM_WORD,     /* a text, free or of an enum */
    FORM_ENUM,     /* a text of an enum only: without one the name says too little */
    FORM_TOKENS,   /* so many tokens of thought; 0 = none */
    FORM_SWITCH,   /* thought or none; a number of tokens may stand beside it */
    FORM_TEMPLATE, /* variables of the chat template */
};

static const char token_picks[] = "thinking_budget|thinking_budget_tokens|reasoning_budget|reasoning_max_tokens|"
                                  "max_thinking_tokens|*think*budget*|*reason*budget*|*think*token*|*reason*token*|"
                                  "!*dynamic*|!*min*";
static const char switch_picks[] = "extended_thinking|enable_thinking|enable_reasoning|thinking|reasoning|use_thinking|"
                                   "use_reasoning|thinking_mode|*enable*think*|*enable*reason*|*think*enable*|"
                                   "*reason*enable*|!*dynamic*|!*disable*|!*show*|!*return*|!*include*|!*hide*";

static const struct search token_search = {SEARCH_THINKING_TOKENS, token_picks, VALUE_INTEGER | VALUE_NUMBER, NULL};

/* In order of preference: the first that the model has and that can tell the effort is used, and no other. */
static const struct effort_row {
    enum effort_form form;
    const char *picks;
    unsigned types;
} effort_rows[] = {
    {FORM_WORD, "reasoning_effort|effort|thinking_effort|*reason*effort*|*think*effort*", VALUE_STRING},
    {FORM_WORD, "thinking_level|reasoning_level|*think*level*|*reason*level*", VALUE_STRING},
    {FORM_ENUM, "thinking|reasoning|*think*mode*|*reason*mode*|*think*depth*|*reason*depth*", VALUE_STRING},
    {FORM_SWITCH, switch_picks, VALUE_BOOLEAN},
    {FORM_TOKENS, token_picks, VALUE_INTEGER | VALUE_NUMBER},
    {FORM_TEMPLATE, "chat_template_kwargs", VALUE_OBJECT},
};

enum { EFFORT_ROW_COUNT = sizeof effort_rows / sizeof effort_rows[0] };
_Static_assert((size_t)SEARCH_EFFORT + EFFORT_ROW_COUNT <= SEARCH_MEDIA, "each form has a number");

/* `minimal` is off where a model knows on and off alone. */
static bool asks_for_thought(int rank)
{
    return rank > EFFORT_MINIMAL;
}

static double tokens_for(int rank, const struct model_value *kind)
{
    enum { LOW_TOKENS = 1024, MEDIUM_TOKENS = 8192, HIGH_TOKENS = 24576, MOST_TOKENS = 32768 };
    if (!asks_for_thought(rank))
        return 0;
    if (rank >= EFFORT_MOST)
        return kind->has_maximum && kind->maximum < 1e15 ? kind->maximum : MOST_TOKENS;
    if (rank >= EFFORT_HIGH)
        return HIGH_TOKENS;
    return rank >= EFFORT_MEDIUM ? MEDIUM_TOKENS : LOW_TOKENS;
}

/* The limit on all tokens, thoughts included: what is sent, else what the model takes by itself. 0 = not known. */
static int64_t token_limit(const struct mapping *mapping)
{
    int64_t limit = 0;
    const char *name = mapping->token_limit;
    if (name == NULL)
        return 0;
    const json_t *sent = json_object_get(mapping->input, name), *own = json_object_get(mapping->call->body, name);
    const struct model_input *input = model_schema_find(mapping->model.schema, name);
    if (!mapping_has_placed(mapping, name) && json_is_number(own))
        sent = own; /* by the model's own name, which is placed last */
    if (sent == NULL && input != NULL)
        sent = input->fallback;
    return json_whole_number(sent, &limit) && limit > 0 ? limit : 0;
}

/* The numbers behind the words are ours, so that fitting them to the input's own range changes nothing that was asked.
 * Below the limit on all tokens half of it is left for the answer, where the input's minimum allows. False where there
 * is no room for any thought. */
static bool choose_tokens(const struct mapping *mapping, const struct model_value *kind, int rank, int64_t *tokens,
                          bool *changed)
{
    double wanted = tokens_for(rank, kind), least = kind->has_minimum ? kind->minimum : 0;
    int64_t limit = asks_for_thought(rank) ? token_limit(mapping) : 0;
    if (kind->has_maximum && wanted > kind->maximum)
        wanted = kind->maximum;
    if (wanted < least) {
        *changed = !asks_for_thought(rank); /* this model cannot help thinking */
        wanted = least;
    }
    if (limit > 0 && wanted >= (double)limit) {
        *changed = true;
        wanted = (double)(limit / 2) > least ? (double)(limit / 2) : least;
        if (wanted >= (double)limit || wanted < 1)
            return false;
    }
    *tokens = (int64_t)wanted;
    return true;
}

static bool place_tokens(struct mapping *mapping, const struct model_input *input, int rank, bool *changed)
{
    int64_t tokens;
    bool adjusted = false, fitted = false;
    if (rank < 0 || !choose_tokens(mapping, &input->value, rank, &tokens, &adjusted) ||
        !mapping_place_fitting(mapping, input->name, json_integer(tokens), &fitted))
        return false;
    *changed = adjusted;
    return true;
}

/* The tokens of a switch that is off mean nothing, so they are sent with one that is on only; and a switch whose tokens
 * find no room stays off. */
static bool place_switch(struct mapping *mapping, const struct model_input *input, int rank, bool *changed)
{
    const struct model_input *budget = model_view_pick(&mapping->model, &token_search);
    if (rank < 0)
        return false;
    if (!asks_for_thought(rank) && budget != NULL)
        json_object_del(mapping->input, budget->name);
    if (asks_for_thought(rank) && budget != NULL && !place_tokens(mapping, budget, rank, changed)) {
        /* Not even the operator's own switch may stay on: the model would refuse the request. */
        json_object_del(mapping->input, input->name);
        json_object_del(mapping->input, budget->name);
        return false;
    }
    mapping_place(mapping, input->name, json_boolean(asks_for_thought(rank)));
    return true;
}

/* The client's own variables are more exact than a word for many models, so they stay alone. */
static bool place_template(struct mapping *mapping, const struct model_input *input, int rank)
{
    const json_t *configured = json_object_get(mapping->input, input->name);
    const json_t *own = json_object_get(mapping->call->body, input->name);
    if (rank < 0 || !(input->value.types & VALUE_OBJECT) || (own != NULL && !json_is_null(own)))
        return false;
    json_t *variables = json_is_object(configured) ? json_deep_copy(configured) : json_object();
    ensure(variables != NULL && json_object_set_new(variables, "thinking", json_boolean(asks_for_thought(rank))) == 0);
    mapping_place(mapping, input->name, variables);
    return true;
}

/* --- which, and in what form --- */

static const struct model_input *input_of(const struct model_view *model, const struct effort_row *row)
{
    const struct search search = {SEARCH_EFFORT + (size_t)(row - effort_rows), row->picks, row->types, NULL};
    const struct model_input *input = model_view_pick(model, &search);
    bool says_too_little =
        input != NULL && row->form == FORM_ENUM && input->value.words == NULL && input->value.variant_count == 0;
    return says_too_little ? NULL : input;
}

static bool place_as(struct mapping *mapping, const struct model_input *input, enum effort_form form,
                     const char *effort, bool *changed)
{
    int rank = mapping_effort_rank(effort);
    switch (form) {
    case FORM_WORD:
    case FORM_ENUM:
        return mapping_place_fitting(mapping, input->name, json_string(effort), changed);
    case FORM_TOKENS:
        return place_tokens(mapping, input, rank, changed);
    case FORM_SWITCH:
        return place_switch(mapping, input, rank, changed);
    case FORM_TEMPLATE:
        break;
    }
    return place_template(mapping, input, rank);
}

/* An input that the operator named says by its type what it takes. */
static enum effort_form form_of(const struct model_value *kind)
{
    if (kind->types & VALUE_STRING)
        return FORM_WORD;
    if (kind->types & VALUE_BOOLEAN)
        return FORM_SWITCH;
    return kind->types & (VALUE_INTEGER | VALUE_NUMBER) ? FORM_TOKENS : FORM_TEMPLATE;
}

static bool place_mapped(struct mapping *mapping, const char *name, const char *effort, bool *changed)
{
    const struct model_input *input = model_schema_find(mapping->model.schema, name);
    if (input != NULL)
        return place_as(mapping, input, form_of(&input->value), effort, changed);
    mapping_place(mapping, name, json_string(effort));
    return true;
}

bool mapping_place_reasoning(struct mapping *mapping, const char *effort, bool *changed)
{
    const char *name = NULL;
    *changed = false;
    if (mapping_map_says_of(mapping->model.route, parameter_find("reasoning_effort"), &name))
        return name != NULL && place_mapped(mapping, name, effort, changed);
    for (size_t i = 0; i < EFFORT_ROW_COUNT; i++) {
        const struct model_input *input = input_of(&mapping->model, &effort_rows[i]);
        if (input != NULL && place_as(mapping, input, effort_rows[i].form, effort, changed))
            return true;
    }
    return false;
}

const char *mapping_reasoning_input(const struct model_view *model)
{
    for (size_t i = 0; i < EFFORT_ROW_COUNT; i++) {
        const struct model_input *input = input_of(model, &effort_rows[i]);
        if (input != NULL)
            return input->name;
    }
    return NULL;
}

bool mapping_reasoning_uses(const struct model_view *model, const char *input)
{
    const struct model_input *budget = model_view_pick(model, &token_search);
    const char *name = mapping_reasoning_input(model);
    return (budget != NULL && strcmp(budget->name, input) == 0) || (name != NULL && strcmp(name, input) == 0);
}
