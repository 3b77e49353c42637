/* Stop strings. The answer is always cut here; where the model has an input for them it is told too, which saves the
 * tokens behind. What the operator or the model's author set is kept, for they know where this model's turns end. */
#include "mapping_int.h"

#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/json.h"

enum { STOPS_MAX_BYTES = 1 << 28 };

static const char stop_picks[] =
    "stop|stop_sequences|stop_sequence|stop_words|stop_strings|stops|stop_on|stop_at|*stop*seq*|*stop*word*|"
    "*stop*str*|*stop*token*|*stop*text*|*stop*phrase*|!*early*|!*token_id*|!*mode*|"
    "!*reason*|!*threshold*|!*language*|!*nonstop*|!*non_stop*";

static const struct search stop_search = {SEARCH_STOPS, stop_picks, VALUE_STRING | VALUE_ARRAY, NULL};

const char *mapping_stops_input(const struct model_view *model)
{
    const struct model_input *input = model_view_pick(model, &stop_search);
    bool is_free = input != NULL && input->value.words == NULL && !input->value.is_uri;
    return is_free ? input->name : NULL;
}

/* Adds a stop of `length` bytes, unless it is empty or there already. */
static void add(json_t *stops, const char *text, size_t length)
{
    size_t index;
    json_t *stop;
    json_array_foreach(stops, index, stop)
    {
        if (json_string_length(stop) == length && memcmp(json_string_value(stop), text, length) == 0)
            return;
    }
    if (length > 0)
        ensure(json_array_append_new(stops, json_stringn(text, length)) == 0);
}

/* Adds the stops of a value of either form: a list, or a text that holds them between commas. */
static void add_all(json_t *stops, const json_t *value)
{
    size_t index;
    json_t *stop;
    json_array_foreach(value, index, stop)
    {
        if (json_is_string(stop))
            add(stops, json_string_value(stop), json_string_length(stop));
    }
    const char *text = json_string_value(value);
    while (text != NULL) {
        const char *comma = strchr(text, ',');
        add(stops, text, comma != NULL ? (size_t)(comma - text) : strlen(text));
        text = comma != NULL ? comma + 1 : NULL;
    }
}

/* One text, which the model splits at commas; those that hold a comma are cut here only. NULL without any. */
static json_t *joined(const json_t *stops)
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
    json_t *value = text.length > 0 && !text.overflowed ? json_stringn(text.data, text.length) : NULL;
    buf_dispose(&text);
    return value;
}

/* Does the input take one text? By its type; where that says nothing, by what is set there already, else by its name.
 */
static bool takes_text(const char *name, const struct model_input *input, const json_t *set)
{
    unsigned types = input != NULL ? input->value.types & (VALUE_STRING | VALUE_ARRAY) : 0;
    if (types == VALUE_STRING || types == VALUE_ARRAY)
        return types == VALUE_STRING;
    return json_is_string(set) || (!json_is_array(set) && strcmp(name, "stop_sequences") == 0);
}

/* Some inputs take so many stops and no more; then the client's, which stand between `first` and `end`, are left to the
 * cut here, the last ones first. */
static void shorten(json_t *stops, size_t first, size_t end, const struct model_input *input)
{
    size_t most = input != NULL ? input->value.max_items : 0;
    for (; most > 0 && json_array_size(stops) > most && end > first; end--)
        json_array_remove(stops, end - 1);
    while (most > 0 && json_array_size(stops) > most)
        json_array_remove(stops, json_array_size(stops) - 1);
}

static void tell_model(struct mapping *mapping, const char *name, const json_t *given)
{
    const struct model_input *input = model_schema_find(mapping->model.schema, name);
    const json_t *configured = json_object_get(mapping->input, name);
    const json_t *fallback = input != NULL ? input->fallback : NULL;
    bool is_text = takes_text(name, input, configured != NULL ? configured : fallback), changed;
    json_t *stops = json_array();
    ensure(stops != NULL);
    add_all(stops, configured);
    size_t first = json_array_size(stops);
    add_all(stops, given);
    size_t end = json_array_size(stops);
    add_all(stops, fallback);
    shorten(stops, first, end, input);
    json_t *value = is_text ? joined(stops) : json_incref(stops);
    if (value != NULL)
        (void)mapping_place_fitting(mapping, name, value, &changed);
    json_decref(stops);
}

void mapping_place_stops(struct mapping *mapping)
{
    const char *name = NULL;
    json_t *stops = params_find(mapping->params, "stop");
    if (stops == NULL)
        return;
    mapping->call->stops = json_incref(stops);
    if (!mapping_map_says_of(mapping->model.route, parameter_find("stop"), &name))
        name = mapping_stops_input(&mapping->model);
    if (name != NULL)
        tell_model(mapping, name, stops);
}
