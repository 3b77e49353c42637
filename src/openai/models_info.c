/* What is known of a model, as answers tell it: its inputs by its own schema, and what becomes of OpenAI's parameters.
 */
#include <stdlib.h>

#include "base/ensure.h"
#include "base/json.h"
#include "models_int.h"
#include "openai/mapping.h"

static void set(json_t *object, const char *name, json_t *value)
{
    ensure(value != NULL && json_object_set_new(object, name, value) == 0);
}

static json_t *text_or_null(const char *text)
{
    return text == NULL || text[0] == '\0' ? json_null() : json_string(text);
}

/* ---- GET /models/{model} ---- */

static json_t *bound(double value)
{
    bool is_whole = value >= -9e15 && value <= 9e15 && (double)(json_int_t)value == value;
    return is_whole ? json_integer((json_int_t)value) : json_real(value);
}

static json_t *describe_input(const struct model_input *input)
{
    const struct model_value *value = &input->value;
    json_t *object = json_object();
    set(object, "type", json_string(value->is_uri ? "file" : model_value_type_name(value)));
    if (value->items != NULL && value->items->is_uri)
        set(object, "items", json_string("file"));
    set(object, "required", json_boolean(input->is_required));
    if (input->fallback != NULL && !value->is_secret)
        set(object, "default", json_deep_copy(input->fallback));
    if (value->words != NULL)
        set(object, "enum", json_deep_copy(value->words));
    if (value->has_minimum)
        set(object, "minimum", bound(value->minimum));
    if (value->has_maximum)
        set(object, "maximum", bound(value->maximum));
    if (value->max_items > 0)
        set(object, "max_items", json_integer((json_int_t)value->max_items));
    if (value->is_secret)
        set(object, "secret", json_true());
    if (input->is_deprecated)
        set(object, "deprecated", json_true());
    if (input->description[0] != '\0')
        set(object, "description", json_string(input->description));
    return object;
}

static json_t *describe_inputs(const struct model_schema *schema)
{
    if (schema == NULL || !schema->has_inputs)
        return json_null();
    json_t *inputs = json_object();
    for (size_t i = 0; i < schema->input_count; i++)
        set(inputs, schema->inputs[i].name, describe_input(&schema->inputs[i]));
    return inputs;
}

static json_t *official(const struct model_schema *schema)
{
    if (schema == NULL || schema->official == MODEL_OFFICIAL_UNKNOWN)
        return json_null();
    return json_boolean(schema->official == MODEL_OFFICIAL);
}

/* Where no schema is known yet nothing is guessed: null. */
static json_t *streams(const struct model_schema *schema)
{
    if (schema == NULL || !schema->has_inputs)
        return json_null();
    return json_boolean(schema->output == MODEL_OUTPUT_TEXT_STREAM);
}

void models_append_facts(struct buf *out, const struct route *route, const struct target *target,
                         const struct model_schema *schema)
{
    json_t *facts = json_object();
    const char *version = target->version != NULL ? target->version : schema != NULL ? schema->version : NULL;
    set(facts, "model", text_or_null(target->name));
    set(facts, "version", text_or_null(version));
    set(facts, "official", official(schema));
    set(facts, "streams", streams(schema));
    set(facts, "inputs", describe_inputs(schema));
    set(facts, "mapping", mapping_describe(route, schema));
    buf_append_text(out, ",\"replibridge\":");
    json_append(out, facts);
    json_decref(facts);
}

/* ---- GET /model/info ---- */

/* OpenAI's parameters that the model takes or that are done here, under the names that clients send. */
static json_t *supported(const json_t *mapping)
{
    json_t *names = json_array();
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(mapping, "parameters"), name, value)
    {
        ensure(json_array_append_new(names, json_string(name)) == 0);
    }
    ensure(json_array_extend(names, json_object_get(mapping, "emulated")) == 0);
    return names;
}

static const struct model_input *token_limit(const json_t *mapping, const struct model_schema *schema)
{
    const char *name = json_text(json_object_get(mapping, "parameters"), "max_tokens");
    return name == NULL ? NULL : model_schema_find(schema, name);
}

static bool is_one_of_several(const struct route *route)
{
    return route->next != NULL || route->deployment > 0;
}

/* Of several deployments under one alias each has an id of its own. */
static json_t *id_of(const struct route *route)
{
    if (!is_one_of_several(route))
        return json_string(route->alias);
    char *text = xasprintf("%s#%d", route->alias, route->deployment + 1);
    json_t *id = json_string(text);
    free(text);
    return id;
}

static json_t *describe_model(const struct route *route, const struct model_schema *schema)
{
    json_t *mapping = mapping_describe(route, schema);
    const json_t *media = json_object_get(mapping, "media");
    const json_t *parameters = json_object_get(mapping, "parameters");
    const struct model_input *limit = token_limit(mapping, schema);
    json_t *most = limit != NULL && limit->value.has_maximum ? bound(limit->value.maximum) : json_null();
    json_t *info = json_object();
    set(info, "id", id_of(route));
    set(info, "db_model", json_false());
    set(info, "mode", json_string("chat"));
    set(info, "litellm_provider", json_string("replicate"));
    set(info, "max_tokens", json_incref(most));
    set(info, "max_output_tokens", most);
    set(info, "supports_system_messages", json_true());
    set(info, "supports_vision", json_boolean(json_object_get(media, "image") != NULL));
    set(info, "supports_audio_input", json_boolean(json_object_get(media, "audio") != NULL));
    set(info, "supports_video_input", json_boolean(json_object_get(media, "video") != NULL));
    set(info, "supports_pdf_input", json_boolean(json_object_get(media, "file") != NULL));
    set(info, "supports_function_calling", json_boolean(json_object_get(parameters, "tools") != NULL));
    set(info, "supports_response_schema", json_boolean(json_object_get(parameters, "response_format") != NULL));
    set(info, "supports_reasoning", json_boolean(json_object_get(parameters, "reasoning_effort") != NULL));
    set(info, "supports_native_streaming", streams(schema));
    set(info, "supported_openai_params", supported(mapping));
    json_decref(mapping);
    json_t *said = json_deep_copy(route->info); /* the snapshot's values are other threads', too */
    if (said != NULL)                           /* what the operator says is right */
        ensure(json_object_update(info, said) == 0);
    json_decref(said);
    return info;
}

static json_t *describe_entry(const struct local *local, const struct route *route)
{
    struct model_schema *schema = local->schema_of(local->arg, route, route->alias);
    json_t *params = json_object();
    char *reference = xasprintf("replicate/%s", route->reference);
    set(params, "model", json_string(reference));
    if (is_one_of_several(route))
        set(params, "weight", json_integer(route->weight));
    free(reference);
    json_t *entry = json_object();
    set(entry, "model_name", json_string(route->alias));
    set(entry, "litellm_params", params);
    set(entry, "model_info", describe_model(route, schema));
    model_schema_unref(schema);
    return entry;
}

/* An entry for each deployment, as LiteLLM has it. */
static void append_entries(const struct local *local, const struct route *first, struct buf *out)
{
    for (const struct route *route = first; route != NULL; route = route->next) {
        if (route != first)
            buf_append_text(out, ",");
        json_t *entry = describe_entry(local, route);
        json_append(out, entry);
        json_decref(entry);
    }
}

bool models_info(const struct call *call, const struct local *local, struct buf *out, struct error *err)
{
    (void)call;
    buf_append_text(out, "{\"data\":[");
    bool first = true;
    for (size_t i = 0; i < local->config->route_count; i++) {
        if (!models_is_listed(local->config->routes[i], local->key))
            continue;
        if (!first)
            buf_append_text(out, ",");
        first = false;
        append_entries(local, local->config->routes[i], out);
    }
    buf_append_text(out, "]}");
    return models_check_room(out, err);
}
