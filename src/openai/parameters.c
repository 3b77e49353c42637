/* The table of chat parameters, and the reading of a request by it. */
#include "parameters_int.h"

#include <string.h>

#include "base/model_schema.h"

#define EXACT_INTEGER 9007199254740992.0 /* 2^53: beyond it doubles skip integers */

/* A schema's names are tried from left to right; those with stars are for names that nobody has seen yet, and what they
 * must not catch by accident stands behind the exclamation marks. */
#define TOKEN_LIMIT_PICKS                                                                                              \
    "max_completion_tokens|max_output_tokens|max_tokens|max_new_tokens|max_length|max_length_tokens|max*token*|"       \
    "*token*limit*|*output*length*|max_gen*|num_predict|n_predict|!*input*|!*prompt*|!*context*|!*think*|!*reason*|!*" \
    "budget*|"                                                                                                         \
    "!*image*|!*min*|!*per_*"
#define TEMPERATURE_PICKS                                                                                              \
    "temperature|sampling_temperature|text_temperature|text_temp|temp|*temperature*|!*increment*|!*color*|!*audio*|"   \
    "!*wave*|!*image*|!*unit*|!*decay*|!*fallback*|!*schedule*"
#define TOP_P_PICKS                                                                                                    \
    "top_p|topp|nucleus_p|nucleus|nucleus_sampling|*top_p|*top_p_*|*topp|*nucleus*|!*stop*|!*decay*|!*keep*|!*"        \
    "schedule*"
#define PRESENCE_PICKS "presence_penalty|presencepenalty|*presence*penalty*|!*repet*|!*length*"
#define FREQUENCY_PICKS "frequency_penalty|frequencypenalty|*frequency*penalty*|!*repet*|!*length*"
#define SEED_PICKS "seed|random_seed|rng_seed|*seed|seed_*|!*strength*|!*scale*|!*count*|!*variation*"
#define SEARCH_PICKS "enable_web_search|web_search|google_search|use_web_search|*web_search*|*websearch*|!*disable*"

#define NUMERIC (VALUE_INTEGER | VALUE_NUMBER)

/* Name, canonical name, common input, type, range, class; then the way, and the names and types in a schema, for those
 * that a schema may have. A parameter that the endpoint reads itself stands here too, so that nobody takes it for one
 * that OpenAI does not know. What could not be told apart in the answer (tool calls, log probabilities, sound) is
 * picked from no schema: only an operator's map may name an input for it. */
static const struct parameter rows[] = {
    {"model", "model", NULL, TYPE_ANY, 0, 0, CLASS_ENDPOINT, WAY_VALUE, NULL, 0},
    {"messages", "messages", NULL, TYPE_ANY, 0, 0, CLASS_ENDPOINT, WAY_VALUE, NULL, 0},
    {"stream", "stream", NULL, TYPE_BOOL, 0, 0, CLASS_ENDPOINT, WAY_VALUE, NULL, 0},

    {"max_completion_tokens", "max_tokens", "max_tokens", TYPE_TOKENS, -1, EXACT_INTEGER, CLASS_HINT, WAY_VALUE,
     TOKEN_LIMIT_PICKS, NUMERIC},
    {"max_tokens", "max_tokens", "max_tokens", TYPE_TOKENS, -1, EXACT_INTEGER, CLASS_HINT, WAY_VALUE, TOKEN_LIMIT_PICKS,
     NUMERIC},
    {"temperature", "temperature", "temperature", TYPE_NUMBER, 0, 2, CLASS_HINT, WAY_VALUE, TEMPERATURE_PICKS, NUMERIC},
    {"top_p", "top_p", "top_p", TYPE_NUMBER, 0, 1, CLASS_HINT, WAY_VALUE, TOP_P_PICKS, NUMERIC},
    {"presence_penalty", "presence_penalty", "presence_penalty", TYPE_NUMBER, -2, 2, CLASS_HINT, WAY_VALUE,
     PRESENCE_PICKS, NUMERIC},
    {"frequency_penalty", "frequency_penalty", "frequency_penalty", TYPE_NUMBER, -2, 2, CLASS_HINT, WAY_VALUE,
     FREQUENCY_PICKS, NUMERIC},
    {"seed", "seed", "seed", TYPE_SEED, -9.3e18, 9.3e18, CLASS_HINT, WAY_VALUE, SEED_PICKS, NUMERIC},
    {"reasoning_effort", "reasoning_effort", NULL, TYPE_TEXT, 0, 0, CLASS_HINT, WAY_REASONING, NULL, 0},
    {"verbosity", "verbosity", NULL, TYPE_TEXT, 0, 0, CLASS_HINT, WAY_VALUE, "verbosity|*verbosity*|!*log*",
     VALUE_STRING},
    {"logit_bias", "logit_bias", NULL, TYPE_OBJECT, 0, 0, CLASS_HINT, WAY_VALUE, "logit_bias", VALUE_OBJECT},
    {"parallel_tool_calls", "parallel_tool_calls", NULL, TYPE_BOOL, 0, 0, CLASS_HINT, WAY_VALUE, "parallel_tool_calls",
     VALUE_BOOLEAN},
    {"moderation", "moderation", NULL, TYPE_OBJECT, 0, 0, CLASS_HINT, WAY_VALUE, NULL, 0},

    {"n", "n", NULL, TYPE_INTEGER, 1, 128, CLASS_MEANING, WAY_CHOICES, NULL, 0},
    {"stop", "stop", NULL, TYPE_STOP, 0, 0, CLASS_MEANING, WAY_STOPS, NULL, 0},
    {"tools", "tools", NULL, TYPE_OBJECTS, 0, 0, CLASS_MEANING, WAY_VALUE, NULL, 0},
    {"tool_choice", "tool_choice", NULL, TYPE_TEXT_OR_OBJECT, 0, 0, CLASS_MEANING, WAY_VALUE, NULL, 0},
    {"functions", "functions", NULL, TYPE_OBJECTS, 0, 0, CLASS_MEANING, WAY_VALUE, NULL, 0},
    {"function_call", "function_call", NULL, TYPE_TEXT_OR_OBJECT, 0, 0, CLASS_MEANING, WAY_VALUE, NULL, 0},
    {"response_format", "response_format", NULL, TYPE_FORMAT, 0, 0, CLASS_MEANING, WAY_FORMAT,
     "response_format|json_schema", VALUE_OBJECT},
    {"logprobs", "logprobs", NULL, TYPE_BOOL, 0, 0, CLASS_MEANING, WAY_VALUE, NULL, 0},
    {"top_logprobs", "top_logprobs", NULL, TYPE_INTEGER, 0, 20, CLASS_MEANING, WAY_VALUE, NULL, 0},
    {"modalities", "modalities", NULL, TYPE_WORDS, 0, 0, CLASS_MEANING, WAY_VALUE, NULL, 0},
    {"audio", "audio", NULL, TYPE_OBJECT, 0, 0, CLASS_MEANING, WAY_VALUE, NULL, 0},
    {"web_search_options", "web_search_options", NULL, TYPE_OBJECT, 0, 0, CLASS_MEANING, WAY_SWITCH, SEARCH_PICKS,
     VALUE_BOOLEAN},

    {"stream_options", "stream_options", NULL, TYPE_OBJECT, 0, 0, CLASS_IDLE, WAY_VALUE, NULL, 0},
    {"prediction", "prediction", NULL, TYPE_OBJECT, 0, 0, CLASS_IDLE, WAY_VALUE, NULL, 0},
    {"store", "store", NULL, TYPE_BOOL, 0, 0, CLASS_IDLE, WAY_VALUE, NULL, 0},
    {"metadata", "metadata", NULL, TYPE_OBJECT, 0, 0, CLASS_IDLE, WAY_VALUE, NULL, 0},
    {"service_tier", "service_tier", NULL, TYPE_TEXT, 0, 0, CLASS_IDLE, WAY_VALUE, NULL, 0},
    /* A string by the specification; Open WebUI's pipelines send an object. */
    {"user", "user", NULL, TYPE_TEXT_OR_OBJECT, 0, 0, CLASS_IDLE, WAY_VALUE, "user_id", VALUE_STRING},
    {"safety_identifier", "safety_identifier", NULL, TYPE_TEXT, 0, 0, CLASS_IDLE, WAY_VALUE, NULL, 0},
    {"prompt_cache_key", "prompt_cache_key", NULL, TYPE_TEXT, 0, 0, CLASS_IDLE, WAY_VALUE, NULL, 0},
    {"prompt_cache_retention", "prompt_cache_retention", NULL, TYPE_TEXT, 0, 0, CLASS_IDLE, WAY_VALUE, NULL, 0},
    {"prompt_cache_options", "prompt_cache_options", NULL, TYPE_OBJECT, 0, 0, CLASS_IDLE, WAY_VALUE, NULL, 0},
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };
_Static_assert((int)ROW_COUNT <= (int)PARAMETER_ROWS_MAX, "each row has a bit in a set");

/* Names under which models take the limit on output tokens. */
static const char *const token_limits[] = {
    "max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens", "max_length", "max_length_tokens",
};

/* Inputs that language models on Replicate share and OpenAI's chat lacks. Models drop inputs that they do not know, so
 * a name belongs here only if it means the same wherever it occurs. */
static const char *const common_inputs[] = {
    "top_k",
    "min_p",
    "min_tokens",
    "min_new_tokens",
    "max_new_tokens",
    "max_output_tokens",
    "max_length",
    "max_length_tokens",
    "repetition_penalty",
    "length_penalty",
    "prompt_template",
    "chat_template",
    "chat_template_kwargs",
    "add_generation_prompt",
    "system_prompt",
    "system_instruction",
    "stop_sequences",
    "thinking",
    "thinking_level",
    "thinking_budget",
    "thinking_budget_tokens",
    "dynamic_thinking",
    "extended_thinking",
    "enable_web_search",
    "documents",
    "previous_response_id",
    "replicate_weights",
    "log_performance_metrics",
};

static bool is_among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

bool parameter_is_common_input(const char *name)
{
    return is_among(name, common_inputs, sizeof common_inputs / sizeof common_inputs[0]);
}

bool parameter_is_token_limit(const char *name)
{
    return is_among(name, token_limits, sizeof token_limits / sizeof token_limits[0]);
}

const struct parameter *parameter_rows(size_t *count)
{
    *count = ROW_COUNT;
    return rows;
}

/* Asked for each member of each request: most names differ in their first letter. */
const struct parameter *parameter_find(const char *name)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].name[0] == name[0] && strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

struct parameter_set parameters_in(const json_t *object)
{
    struct parameter_set set = {0};
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        const struct parameter *row = json_is_null(value) ? NULL : parameter_find(name);
        if (row != NULL)
            set.bits |= (uint64_t)1 << (row - rows);
    }
    return set;
}

size_t parameters_count(const struct parameter_set *set)
{
    return (size_t)__builtin_popcountll(set->bits);
}

const struct parameter *parameters_next(struct parameter_set *set)
{
    if (set->bits == 0)
        return NULL;
    size_t first = (size_t)__builtin_ctzll(set->bits);
    set->bits &= set->bits - 1;
    return &rows[first];
}

const struct parameter *parameter_given(const struct call *call, const char *canonical)
{
    struct parameter_set set = {call->given};
    const struct parameter *row;
    do
        row = parameters_next(&set);
    while (row != NULL && strcmp(row->canonical, canonical) != 0);
    return row;
}

static bool is_text(const json_t *value, const char *text)
{
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

static bool is_empty(const json_t *value)
{
    return (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

static bool only_text(const json_t *modalities)
{
    size_t index;
    json_t *item;
    json_array_foreach(modalities, index, item) if (!is_text(item, "text")) return false;
    return true;
}

/* "auto" is what a model with tools does anyway; without tools "none" is what it cannot help doing. */
static bool choice_says_nothing(const json_t *choice, const json_t *tools)
{
    bool has_tools = json_is_array(tools) && json_array_size(tools) > 0;
    return is_text(choice, "auto") || (is_text(choice, "none") && !has_tools);
}

/* Many clients send every parameter with its default. Such a value asks for nothing, so nothing is refused for it.
 * Numbers that are no counts, and texts, always ask for something. */
static bool says_nothing(const struct parameter *row, const json_t *value, const json_t *source)
{
    const char *name = row->canonical;
    if (row->type == TYPE_NUMBER || row->type == TYPE_TOKENS || row->type == TYPE_SEED || row->type == TYPE_TEXT)
        return false;
    if (strcmp(name, "tools") == 0 || strcmp(name, "functions") == 0 || strcmp(name, "logit_bias") == 0 ||
        strcmp(name, "stop") == 0)
        return is_empty(value);
    if (strcmp(name, "tool_choice") == 0)
        return choice_says_nothing(value, json_object_get(source, "tools"));
    if (strcmp(name, "function_call") == 0)
        return choice_says_nothing(value, json_object_get(source, "functions"));
    if (strcmp(name, "parallel_tool_calls") == 0)
        return json_array_size(json_object_get(source, "tools")) == 0;
    if (strcmp(name, "response_format") == 0)
        return is_text(json_object_get(value, "type"), "text");
    if (strcmp(name, "logprobs") == 0)
        return json_is_false(value);
    if (strcmp(name, "top_logprobs") == 0)
        return json_integer_value(value) == 0;
    if (strcmp(name, "modalities") == 0)
        return only_text(value);
    return false;
}

bool parameter_read(const struct parameter *row, const json_t *source, json_t **value, struct error *err)
{
    *value = NULL;
    json_t *given = json_object_get(source, row->name);
    if (given == NULL || json_is_null(given))
        return true;
    json_t *checked = NULL;
    if (!parameter_check(row, given, &checked, err))
        return false;
    if (checked != NULL && says_nothing(row, checked, source)) {
        json_decref(checked);
        checked = NULL;
    }
    *value = checked;
    return true;
}
