/* A checked request → the input of the model: the route's defaults, then OpenAI's parameters under the model's names,
 * then what the client sent for this very model. */
#include "openai/mapping.h"

#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/json.h"
#include "mapping_int.h"

enum { QUOTE_BYTES = 65, STOPS_MAX_BYTES = 1 << 28 };

void mapping_place(struct mapping *mapping, const char *name, json_t *value)
{
    ensure(value != NULL && json_object_set_new(mapping->input, name, value) == 0);
    ensure(json_object_set_new(mapping->placed, name, json_true()) == 0);
}

/* A default that the operator wrote is checked like a client's value, but its mistake is not the client's. */
static bool read_default(const struct parameter *row, const json_t *defaults, json_t **value, struct error *err)
{
    struct error wrong = {0};
    if (parameter_read(row, defaults, value, &wrong))
        return true;
    return error_set(err, ERROR_INTERNAL, NULL, "The configured default of this model cannot be used: %s",
                     wrong.message);
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
    if (json_object_get(call->params, row->canonical) != NULL)
        return true;
    return row->type != TYPE_TOKENS && parameter_given(row->canonical, call->body) != NULL;
}

static bool merge_params(struct mapping *mapping, struct error *err)
{
    size_t count;
    const struct parameter *row = parameter_rows(&count);
    for (const struct parameter *end = row + count; row < end; row++) {
        json_t *value;
        if (row->class == CLASS_ENDPOINT || client_decided(mapping->call, row) ||
            json_object_get(mapping->params, row->canonical) != NULL)
            continue;
        if (!read_default(row, mapping->route->params, &value, err))
            return false;
        if (value != NULL)
            ensure(json_object_set_new(mapping->params, row->canonical, value) == 0);
    }
    return mapping->call->params == NULL || json_object_update(mapping->params, mapping->call->params) == 0;
}

/* Of the names for the token limit a model takes one; what is not `kept` gives way. */
static void keep_one_token_limit(struct mapping *mapping, const char *kept)
{
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(mapping->input, next, name,
                             value) if (parameter_is_token_limit(name) && strcmp(name, kept) != 0)
        json_object_del(mapping->input, name);
}

static bool refuse(const struct mapping *mapping, const char *name, const char *way_out, struct error *err)
{
    char alias[QUOTE_BYTES];
    const char *text = mapping->call->alias != NULL ? mapping->call->alias : mapping->route->alias;
    error_quote(alias, sizeof alias, text, strlen(text), NULL);
    return error_set(err, ERROR_UNSUPPORTED_PARAMETER, name,
                     "The model `%s` has no input for `%s`. Leave it out, or have the operator name one under `map`, "
                     "or %s.",
                     alias, name, way_out);
}

/* What the model cannot be told: by its class it is passed over, named, or refused. */
static bool leave_out(struct mapping *mapping, const struct parameter *row, struct error *err)
{
    const struct parameter *given = parameter_given(row->canonical, mapping->call->body);
    const char *name = given != NULL ? given->name : row->name;
    if (row->class == CLASS_IDLE)
        return true;
    if (row->class == CLASS_MEANING && !mapping->route->drop_params)
        return refuse(mapping, name, "allow leaving it out with `drop_params: true`", err);
    if (row->class == CLASS_HINT && given == NULL)
        return true; /* a default of the operator's, who knows the model; nothing of the client's is lost */
    if (row->class == CLASS_HINT && mapping->route->strict_params)
        return refuse(mapping, name, "allow leaving it out with `strict_params: false`", err);
    call_ignore(mapping->call, name);
    return true;
}

static bool place_params(struct mapping *mapping, struct error *err)
{
    size_t count;
    const struct parameter *row = parameter_rows(&count);
    for (const struct parameter *end = row + count; row < end; row++) {
        json_t *value = json_object_get(mapping->params, row->canonical);
        /* Several names, one value; `n` and `stop` are not for the model alone. */
        if (value == NULL || strcmp(row->name, row->canonical) != 0 || row->type == TYPE_STOP ||
            strcmp(row->name, "n") == 0)
            continue;
        const char *name = mapping_input_name(mapping->route, row);
        if (name == NULL) {
            if (!leave_out(mapping, row, err))
                return false;
            continue;
        }
        if (row->type == TYPE_TOKENS)
            keep_one_token_limit(mapping, name);
        mapping_place(mapping, name, json_incref(value));
    }
    return true;
}

/* The stops as one text, for models that split it at commas; those that hold a comma are cut here only. NULL without
 * any. */
static json_t *joined_stops(const json_t *stops)
{
    struct buf text;
    buf_init(&text, STOPS_MAX_BYTES);
    size_t index;
    json_t *stop;
    json_array_foreach(stops, index, stop)
    {
        if (strchr(json_string_value(stop), ',') != NULL)
            continue;
        if (text.length > 0)
            buf_append_text(&text, ",");
        buf_append(&text, json_string_value(stop), json_string_length(stop));
    }
    /* A list too long to send is no loss: every stop is applied to the answer as well. */
    json_t *joined = text.length > 0 && !text.overflowed ? json_stringn(text.data, text.length) : NULL;
    buf_dispose(&text);
    return joined;
}

/* The operator's stops and the client's in one value of the form that the input has; NULL where there is nothing to
 * add. What the operator configured stays: whoever wrote it knows where this model's turns end. */
static json_t *stops_for_model(const char *name, const json_t *configured, json_t *stops)
{
    if (json_is_array(configured)) {
        json_t *all = json_copy((json_t *)configured);
        ensure(all != NULL && json_array_extend(all, stops) == 0);
        return all;
    }
    if (!json_is_string(configured) && strcmp(name, "stop_sequences") != 0)
        return json_incref(stops);
    json_t *joined = joined_stops(stops);
    if (joined == NULL || json_string_length(configured) == 0)
        return joined;
    json_t *both = json_sprintf("%s,%s", json_string_value(configured), json_string_value(joined));
    ensure(both != NULL);
    json_decref(joined);
    return both;
}

/* Stops are always cut here. Where the model has an input for them it is told too, which saves the tokens behind. */
static void place_stops(struct mapping *mapping)
{
    json_t *stops = json_object_get(mapping->params, "stop");
    const char *name = NULL;
    if (stops == NULL)
        return;
    mapping->call->stops = json_incref(stops);
    if (!mapping_map_says(mapping->route, "stop", &name) || name == NULL)
        return;
    json_t *value = stops_for_model(name, json_object_get(mapping->route->input, name), stops);
    if (value != NULL)
        mapping_place(mapping, name, value);
}

static bool map_mentions(const json_t *map, const char *input)
{
    const char *canonical;
    json_t *name;
    json_object_foreach((json_t *)map, canonical,
                        name) if (json_is_string(name) && strcmp(json_string_value(name), input) == 0) return true;
    return false;
}

static bool has_placed_token_limit(const struct mapping *mapping)
{
    const char *name;
    json_t *value;
    json_object_foreach(mapping->placed, name, value) if (parameter_is_token_limit(name)) return true;
    return false;
}

/* May the client's `name`, which OpenAI does not know, go to the model as it is? */
static bool is_input(const struct mapping *mapping, const char *name)
{
    if (json_object_get(mapping->placed, name) != NULL)
        return false;
    if (parameter_is_token_limit(name) && has_placed_token_limit(mapping))
        return false;
    return json_object_get(mapping->route->input, name) != NULL || map_mentions(mapping->route->map, name) ||
           parameter_is_common_input(name);
}

/* What only this model knows goes in last, and never over what stands there on OpenAI's terms. */
static void place_extensions(struct mapping *mapping)
{
    const char *name;
    json_t *value;
    json_object_foreach(mapping->call->body, name, value)
    {
        if (parameter_find(name) != NULL || json_is_null(value))
            continue;
        if (!is_input(mapping, name)) {
            call_ignore(mapping->call, name);
            continue;
        }
        if (parameter_is_token_limit(name))
            keep_one_token_limit(mapping, name);
        mapping_place(mapping, name, json_incref(value));
    }
}

/* Whoever set it, the client, the operator, or a name of the model's own: an answer that used it up was cut short. */
static int64_t sent_token_limit(const json_t *input)
{
    const char *name;
    json_t *value;
    int64_t limit;
    json_object_foreach((json_t *)input, name, value) if (parameter_is_token_limit(name) &&
                                                          json_whole_number(value, &limit) && limit > 0) return limit;
    return 0;
}

static void note_limits(struct mapping *mapping)
{
    const struct parameter *row = parameter_find("max_tokens");
    const char *name = mapping_input_name(mapping->route, row);
    const json_t *asked = json_object_get(mapping->params, row->canonical);
    if (asked != NULL && name != NULL)
        mapping->call->token_limit = json_integer_value(asked);
    else
        mapping->call->token_limit = sent_token_limit(mapping->input);
    const json_t *n = json_object_get(mapping->params, "n");
    if (n != NULL)
        mapping->call->n = (int)json_integer_value(n);
}

json_t *mapping_input(struct call *call, const struct route *route, struct error *err)
{
    struct mapping mapping = {
        .call = call,
        .route = route,
        .params = json_object(),
        .input = route->input != NULL ? json_deep_copy(route->input) : json_object(),
        .placed = json_object(),
    };
    ensure(mapping.params != NULL && mapping.input != NULL && mapping.placed != NULL);
    call->reasoning = route->reasoning;
    bool fine = merge_params(&mapping, err) && mapping_place_messages(&mapping, err) && place_params(&mapping, err);
    if (fine) {
        place_stops(&mapping);
        place_extensions(&mapping);
        note_limits(&mapping);
    } else {
        json_decref(mapping.input);
        mapping.input = NULL;
    }
    json_decref(mapping.placed);
    json_decref(mapping.params);
    return mapping.input;
}
