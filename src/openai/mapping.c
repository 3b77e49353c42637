/* A checked request → the input of the model: the route's defaults, then OpenAI's parameters under the model's names,
 * then what the client sent for this very model. */
#include "openai/mapping.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "mapping_int.h"

enum { PLACED_STEP = 16 };

void mapping_note_placed(struct mapping *mapping, const char *name)
{
    struct placed_inputs *placed = &mapping->placed;
    if (placed->count % PLACED_STEP == 0)
        placed->names = xrealloc(placed->names, (placed->count + PLACED_STEP) * sizeof *placed->names);
    placed->names[placed->count++] = name;
}

bool mapping_has_placed(const struct mapping *mapping, const char *name)
{
    for (size_t i = 0; i < mapping->placed.count; i++)
        if (strcmp(mapping->placed.names[i], name) == 0)
            return true;
    return false;
}

/* The names of inputs come out of parsed text, so they are UTF-8. */
void mapping_place(struct mapping *mapping, const char *name, json_t *value)
{
    ensure(value != NULL && json_object_set_new_nocheck(mapping->input, name, value) == 0);
    mapping_note_placed(mapping, name);
}

bool mapping_place_fitting(struct mapping *mapping, const char *name, json_t *value, bool *changed)
{
    const struct model_input *input = model_schema_find(mapping->model.schema, name);
    json_t *fitted = NULL;
    *changed = false;
    ensure(value != NULL);
    /* What is there already came first because it matters more: the messages, for one. */
    bool is_free = !mapping_has_placed(mapping, name);
    if (is_free && input == NULL) {
        mapping_place(mapping, name, value);
        return true;
    }
    bool fits = is_free && mapping_fit(&input->value, value, &fitted, changed);
    json_decref(value);
    if (fits)
        mapping_place(mapping, name, fitted);
    return fits;
}

/* --- which parameters there are --- */

/* A default that the operator wrote is checked like a client's value, but its mistake is not the client's. The value is
 * copied: the route serves other threads too. */
static bool read_default(const struct parameter *row, const json_t *defaults, json_t **value, struct error *err)
{
    struct error wrong = {0};
    json_t *shared = NULL;
    *value = NULL;
    if (!parameter_read(row, defaults, &shared, &wrong))
        return error_set(err, ERROR_INTERNAL, NULL, "The configured default of this model cannot be used: %s",
                         wrong.message);
    *value = json_deep_copy(shared);
    json_decref(shared);
    return true;
}

bool mapping_check(const struct route *route, struct error *err)
{
    size_t count;
    const struct parameter *row = parameter_rows(&count);
    for (const struct parameter *end = row + count; row < end; row++) {
        json_t *value = NULL;
        if (row->class != CLASS_ENDPOINT && !parameter_read(row, route->params, &value, err))
            return false;
        json_decref(value);
    }
    return true;
}

/* "No limit" counts as not given; any other value, even one that asks for nothing, is the client's word. */
static bool client_decided(const struct call *call, const struct parameter *row)
{
    if (params_get(&call->params, row) != NULL)
        return true;
    return row->type != TYPE_TOKENS && parameter_given(call, row->canonical) != NULL;
}

static bool merge_defaults(struct mapping *mapping, struct error *err)
{
    const json_t *defaults = mapping->model.route->params;
    struct parameter_set set = parameters_in(defaults);
    for (const struct parameter *row; (row = parameters_next(&set)) != NULL;) {
        json_t *value;
        if (row->class == CLASS_ENDPOINT || client_decided(mapping->call, row) ||
            params_get(&mapping->merged, row) != NULL)
            continue;
        if (!read_default(row, defaults, &value, err))
            return false;
        if (value != NULL)
            params_set(&mapping->merged, row, value);
    }
    return true;
}

bool mapping_is_dropped(const struct route *route, const char *name)
{
    for (size_t i = 0; i < route->dropped_count; i++)
        if (strcmp(route->dropped[i], name) == 0)
            return true;
    return false;
}

/* What the operator wants left out is as if nobody had given it, but for being named. */
static void drop_params(struct mapping *mapping)
{
    const struct route *route = mapping->model.route;
    for (size_t i = 0; i < route->dropped_count; i++) {
        const struct parameter *row = parameter_find(route->dropped[i]);
        if (row == NULL || row->class == CLASS_ENDPOINT)
            continue;
        const struct parameter *given = parameter_given(mapping->call, row->canonical);
        if (given != NULL)
            call_ignore(mapping->call, given->name);
        params_remove(&mapping->merged, row);
        if (row->way == WAY_CHOICES)
            mapping->call->n = 1;
    }
}

static bool merge_params(struct mapping *mapping, struct error *err)
{
    const struct route *route = mapping->model.route;
    const struct call_params *given = &mapping->call->params;
    mapping->params = given;
    if (json_object_size(route->params) == 0 && route->dropped_count == 0)
        return true;
    mapping->params = &mapping->merged;
    if (!merge_defaults(mapping, err))
        return false;
    struct parameter_set set = params_rows(given);
    for (const struct parameter *row; (row = parameters_next(&set)) != NULL;)
        params_set(&mapping->merged, row, json_incref(params_get(given, row)));
    drop_params(mapping);
    return true;
}

/* --- what the model cannot be told --- */

static const char *client_spelling(const struct mapping *mapping, const struct parameter *row)
{
    const struct parameter *given = parameter_given(mapping->call, row->canonical);
    return given != NULL ? given->name : row->name;
}

const char *mapping_quote_alias(const struct mapping *mapping, char quoted[MAPPING_ALIAS_BYTES])
{
    const char *alias = mapping->call->alias != NULL ? mapping->call->alias : mapping->model.route->alias;
    error_quote(quoted, MAPPING_ALIAS_BYTES, alias, strlen(alias), NULL);
    return quoted;
}

static bool refuse(const struct mapping *mapping, const char *name, const char *way_out, struct error *err)
{
    char alias[MAPPING_ALIAS_BYTES];
    return error_set(err, ERROR_UNSUPPORTED_PARAMETER, name,
                     "The model `%s` has no input for `%s`. Leave it out, or have the operator name one under `map`, "
                     "or %s.",
                     mapping_quote_alias(mapping, alias), name, way_out);
}

/* By its class it is passed over, named, or refused. */
static bool leave_out(struct mapping *mapping, const struct parameter *row, struct error *err)
{
    const struct route *route = mapping->model.route;
    const char *name = client_spelling(mapping, row);
    if (row->class == CLASS_IDLE)
        return true;
    if (row->class == CLASS_MEANING && !route->drop_params)
        return refuse(mapping, name, "allow leaving it out with `drop_params: true`", err);
    if (row->class == CLASS_HINT && parameter_given(mapping->call, row->canonical) == NULL)
        return true; /* a default of the operator's, who knows the model; nothing of the client's is lost */
    if (row->class == CLASS_HINT && route->strict_params)
        return refuse(mapping, name, "allow leaving it out with `strict_params: false`", err);
    call_ignore(mapping->call, name);
    return true;
}

/* What was sent is not quite what the client asked for; nobody else has to hear of it. */
static void note_changed(struct mapping *mapping, const struct parameter *row)
{
    const struct parameter *given = parameter_given(mapping->call, row->canonical);
    if (given != NULL && row->class != CLASS_IDLE)
        call_ignore(mapping->call, given->name);
}

/* --- the ways of a value --- */

/* OpenAI's Responses API has the same format one level flatter, which is what an input named `json_schema` takes. */
static json_t *wrapped_schema(const json_t *format)
{
    json_t *flat = json_pack("{s:s}", "type", "json_schema");
    ensure(flat != NULL && json_object_update_missing(flat, json_object_get(format, "json_schema")) == 0);
    json_t *wrapped = json_pack("{s:o}", "format", flat);
    ensure(wrapped != NULL);
    return wrapped;
}

/* NULL where the input can take this format in no form. */
static json_t *format_for(const struct mapping *mapping, const char *name, json_t *format)
{
    bool takes_schema = model_schema_find(mapping->model.schema, name) != NULL && strcmp(name, "json_schema") == 0;
    if (!takes_schema)
        return json_incref(format);
    return strcmp(json_text(format, "type"), "json_schema") == 0 ? wrapped_schema(format) : NULL;
}

/* Options for which the model has a mere yes; what they said beyond that is lost. */
static json_t *switch_for(const struct mapping *mapping, const char *name, json_t *options, bool *lost)
{
    const struct model_input *input = model_schema_find(mapping->model.schema, name);
    if (input == NULL || (input->value.types & VALUE_OBJECT) || !(input->value.types & VALUE_BOOLEAN))
        return json_incref(options);
    *lost = json_object_size(options) > 0;
    return json_true();
}

/* True when the input was filled. */
static bool place_value(struct mapping *mapping, const struct parameter *row, json_t *value)
{
    bool changed = false, lost = false;
    const char *name = mapping_input_name(&mapping->model, row);
    if (name == NULL)
        return false;
    json_t *form = json_incref(value);
    if (row->way == WAY_FORMAT || row->way == WAY_SWITCH) {
        form = row->way == WAY_FORMAT ? format_for(mapping, name, value) : switch_for(mapping, name, value, &lost);
        json_decref(value);
    }
    if (form == NULL || !mapping_place_fitting(mapping, name, form, &changed))
        return false;
    if (row->type == TYPE_TOKENS)
        mapping_keep_one_token_limit(mapping, name);
    if (row->type == TYPE_SEED) {
        free(mapping->call->seed_input);
        mapping->call->seed_input = xstrdup(name);
    }
    if (changed || lost)
        note_changed(mapping, row);
    return true;
}

/* An effort that neither we nor the model know is a mistake, where the model has efforts at all. */
static bool place_reasoning(struct mapping *mapping, const struct parameter *row, const char *effort, struct error *err)
{
    bool changed;
    if (mapping_place_reasoning(mapping, effort, &changed)) {
        if (changed)
            note_changed(mapping, row);
        return true;
    }
    const char *name = mapping_input_name(&mapping->model, row);
    const struct model_input *input = model_schema_find(mapping->model.schema, name != NULL ? name : "");
    if (input == NULL || mapping_effort_rank(effort) >= 0)
        return leave_out(mapping, row, err);
    struct buf kind;
    buf_init(&kind, ERROR_MESSAGE_BYTES / 2);
    mapping_append_kind(&kind, &input->value);
    error_set(err, ERROR_INVALID_VALUE, row->name,
              "`%s` has to be none, minimal, low, medium, high or xhigh; this model's `%s` takes %s.", row->name, name,
              buf_text(&kind));
    buf_dispose(&kind);
    return false;
}

static bool place_params(struct mapping *mapping, struct error *err)
{
    struct parameter_set set = params_rows(mapping->params);
    for (const struct parameter *row; (row = parameters_next(&set)) != NULL;) {
        json_t *value = params_get(mapping->params, row);
        if (row->way == WAY_STOPS || row->way == WAY_CHOICES)
            continue; /* not for the model alone */
        if (row->way == WAY_REASONING) {
            if (!place_reasoning(mapping, row, json_string_value(value), err))
                return false;
        } else if (!place_value(mapping, row, value) && !leave_out(mapping, row, err)) {
            return false;
        }
    }
    return true;
}

/* --- limits --- */

void mapping_keep_one_token_limit(struct mapping *mapping, const char *kept)
{
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(mapping->input, next, name, value)
    {
        /* A limit is a number: whatever else goes by such a name is another input, perhaps the prompt. */
        if (json_is_number(value) && strcmp(name, kept) != 0 && mapping_is_token_limit(mapping, name))
            json_object_del(mapping->input, name);
    }
}

/* Whoever set it, the client, the operator, or a name of the model's own: an answer that used it up was cut short. What
 * counts is the number that was sent. */
static int64_t sent_token_limit(const struct mapping *mapping)
{
    const char *name;
    json_t *value;
    int64_t limit;
    json_object_foreach(mapping->input, name, value)
    {
        if (json_is_number(value) && json_whole_number(value, &limit) && limit > 0 &&
            mapping_is_token_limit(mapping, name))
            return limit;
    }
    return 0;
}

static void note_limits(struct mapping *mapping)
{
    const json_t *n = params_find(mapping->params, "n");
    mapping->call->token_limit = sent_token_limit(mapping);
    if (n != NULL)
        mapping->call->n = (int)json_integer_value(n);
}

/* --- all of it --- */

/* Null stands for "not sent" in every dialect, and models refuse it. */
static json_t *configured_input(const struct route *route)
{
    const char *name;
    json_t *value;
    void *next;
    json_t *input = json_object_size(route->input) > 0 ? json_deep_copy(route->input) : json_object();
    json_object_foreach_safe(input, next, name, value)
    {
        if (json_is_null(value))
            json_object_del(input, name);
    }
    return input;
}

json_t *mapping_input(struct call *call, const struct route *route, const struct model_schema *schema,
                      struct error *err)
{
    struct mapping mapping = {
        .call = call,
        .model = model_view_of(route, schema),
        .input = configured_input(route),
    };
    ensure(mapping.input != NULL);
    mapping.token_limit = mapping_input_name(&mapping.model, parameter_find("max_tokens"));
    call->reasoning = route->reasoning;
    bool fine = merge_params(&mapping, err) && mapping_place_messages(&mapping, err) && place_params(&mapping, err);
    if (fine)
        mapping_place_stops(&mapping);
    fine = fine && mapping_place_extensions(&mapping, err) && mapping_fill_required(&mapping, err);
    if (fine) {
        note_limits(&mapping);
    } else {
        json_decref(mapping.input);
        mapping.input = NULL;
    }
    free(mapping.placed.names);
    params_dispose(&mapping.merged);
    return mapping.input;
}

json_t *mapping_input_of_choice(const struct call *call, json_t *input, size_t index)
{
    json_t *seed = call->seed_input == NULL ? NULL : json_object_get(input, call->seed_input);
    if (index == 0 || !json_is_integer(seed))
        return json_incref(input);
    /* Many models take 31 bits; none takes more than there are. */
    json_int_t first = json_integer_value(seed), step = (json_int_t)index;
    bool fits = first <= INT32_MAX - step || (first > INT32_MAX && first <= INT64_MAX - step);
    json_t *own = json_copy(input);
    ensure(own != NULL &&
           json_object_set_new(own, call->seed_input, json_integer(fits ? first + step : first - step)) == 0);
    return own;
}
