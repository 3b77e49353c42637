/* What only this model knows: inputs that the client gives under the model's own names, and those that the model
 * requires and nobody gave. */
#include "openai/mapping.h"

#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "mapping_int.h"

enum { QUOTE_BYTES = 65, WORDS_SHOWN = 10, KIND_BYTES = 400 };

bool mapping_is_token_limit(const struct mapping *mapping, const char *name)
{
    return parameter_is_token_limit(name) || (mapping->token_limit != NULL && strcmp(mapping->token_limit, name) == 0);
}

/* --- what an input takes, in words --- */

static void append_words(struct buf *out, const json_t *words)
{
    size_t count = json_array_size(words);
    buf_append_text(out, count == 1 ? "" : "one of ");
    for (size_t i = 0; i < count && i < WORDS_SHOWN; i++) {
        const json_t *word = json_array_get(words, i);
        char quoted[QUOTE_BYTES];
        buf_append_text(out, i == 0 ? "" : ", ");
        if (!json_is_string(word)) {
            json_append(out, word);
            continue;
        }
        error_quote(quoted, sizeof quoted, json_string_value(word), json_string_length(word), NULL);
        buf_printf(out, "`%s`", quoted);
    }
    if (count > WORDS_SHOWN)
        buf_printf(out, " and %zu more", count - WORDS_SHOWN);
}

static void append_range(struct buf *out, const struct model_value *kind)
{
    bool is_closed = kind->has_minimum && !kind->excludes_minimum && kind->has_maximum && !kind->excludes_maximum;
    if (is_closed) {
        buf_printf(out, " from %.15g to %.15g", kind->minimum, kind->maximum);
        return;
    }
    if (kind->has_minimum)
        buf_printf(out, " %s %.15g", kind->excludes_minimum ? "above" : "from", kind->minimum);
    if (kind->has_maximum)
        buf_printf(out, " %s %.15g", kind->excludes_maximum ? "below" : "up to", kind->maximum);
}

static void append_type(struct buf *out, const struct model_value *kind)
{
    static const struct {
        unsigned type;
        const char *text;
    } names[] = {
        {VALUE_INTEGER, "an integer"}, {VALUE_NUMBER, "a number"}, {VALUE_BOOLEAN, "true or false"},
        {VALUE_STRING, "a string"},    {VALUE_ARRAY, "an array"},  {VALUE_OBJECT, "an object"},
    };
    const char *before = "";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!(kind->types & names[i].type))
            continue;
        buf_printf(out, "%s%s", before, names[i].text);
        if (names[i].type & (VALUE_INTEGER | VALUE_NUMBER))
            append_range(out, kind);
        if (names[i].type == VALUE_STRING && kind->max_length > 0)
            buf_printf(out, " of up to %zu characters", kind->max_length);
        if (names[i].type == VALUE_ARRAY && kind->max_items > 0)
            buf_printf(out, " of up to %zu items", kind->max_items);
        before = ", or ";
    }
}

void mapping_append_kind(struct buf *out, const struct model_value *kind)
{
    const char *before = "";
    if (kind->words != NULL) {
        append_words(out, kind->words);
    } else if (kind->variant_count == 0) {
        append_type(out, kind);
        if (kind->types == VALUE_ARRAY && kind->items != NULL) {
            buf_append_text(out, ", each of them ");
            mapping_append_kind(out, kind->items);
        }
    }
    for (size_t i = 0; i < kind->variant_count; i++) {
        buf_append_text(out, before);
        mapping_append_kind(out, &kind->variants[i]);
        before = ", or ";
    }
}

/* --- the model's own names --- */

static bool map_mentions(const json_t *map, const char *input)
{
    const char *canonical;
    json_t *name;
    json_object_foreach((json_t *)map, canonical, name)
    {
        if (json_is_string(name) && strcmp(json_string_value(name), input) == 0)
            return true;
    }
    return false;
}

static bool has_placed_token_limit(const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->placed.count; i++)
        if (mapping_is_token_limit(mapping, mapping->placed.names[i]))
            return true;
    return false;
}

/* May the client's `name`, which OpenAI does not know, go to the model? */
static bool is_input(const struct mapping *mapping, const char *name)
{
    const struct model_view *model = &mapping->model;
    if (mapping_has_placed(mapping, name) || mapping_is_dropped(model->route, name))
        return false;
    bool is_known =
        model->schema != NULL ? model_schema_find(model->schema, name) != NULL : parameter_is_common_input(name);
    if (!is_known && json_object_get(model->route->input, name) == NULL && !map_mentions(model->route->map, name))
        return false;
    return !mapping_is_token_limit(mapping, name) || !has_placed_token_limit(mapping);
}

/* The value is not told: it may be a secret. */
static bool refuse_value(const char *name, const struct model_input *input, struct error *err)
{
    char quoted[QUOTE_BYTES];
    struct buf kind;
    buf_init(&kind, KIND_BYTES);
    mapping_append_kind(&kind, &input->value);
    error_quote(quoted, sizeof quoted, name, strlen(name), NULL);
    error_set(err, ERROR_INVALID_VALUE, name, "The value of `%s` does not fit this model's input. It has to be %s.",
              quoted, kind.length > 0 ? buf_text(&kind) : "of another kind");
    buf_dispose(&kind);
    return false;
}

bool mapping_place_extensions(struct mapping *mapping, struct error *err)
{
    const char *name;
    json_t *value;
    if (!mapping->call->has_extensions)
        return true;
    json_object_foreach(mapping->call->body, name, value)
    {
        bool changed = false;
        if (parameter_find(name) != NULL || json_is_null(value))
            continue;
        if (!is_input(mapping, name)) {
            call_ignore(mapping->call, name);
            continue;
        }
        const struct model_input *input = model_schema_find(mapping->model.schema, name);
        if (!mapping_place_fitting(mapping, name, json_incref(value), &changed))
            return refuse_value(name, input, err);
        if (input != NULL)
            mapping_note_files(mapping, input);
        if (mapping_is_token_limit(mapping, name))
            mapping_keep_one_token_limit(mapping, name);
        if (changed)
            call_ignore(mapping->call, name);
    }
    return true;
}

/* --- what the model requires --- */

/* The kind of media that this input is for; NULL where it is for none. */
static const char *media_kind_of(const struct model_view *model, const char *input)
{
    for (const char *const *kind = media_kinds; *kind != NULL; kind++) {
        const char *name = model_view_media_input(model, *kind);
        if (name != NULL && strcmp(name, input) == 0)
            return *kind;
    }
    return NULL;
}

static bool refuse_without_media(const char *name, const char *kind, struct error *err)
{
    static const char *const parts[][2] = {
        {"image", "an `image_url`"},
        {"audio", "an `input_audio`"},
        {"video", "a `video_url`"},
    };
    const char *part = "a `file`";
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strcmp(parts[i][0], kind) == 0)
            part = parts[i][1];
    return error_set(err, ERROR_MISSING_PARAMETER, "messages",
                     "This model requires the input `%s`, which comes from the messages: add %s part to a message.",
                     name, part);
}

static bool refuse_without(const struct model_view *model, const struct model_input *input, struct error *err)
{
    char name[QUOTE_BYTES];
    error_quote(name, sizeof name, input->name, strlen(input->name), NULL);
    const char *kind = media_kind_of(model, input->name);
    if (kind != NULL)
        return refuse_without_media(name, kind, err);
    if (input->value.is_secret)
        return error_set(err, ERROR_MISSING_PARAMETER, input->name,
                         "This model requires the secret input `%s`. Have the operator configure it under `input`.",
                         name);
    struct buf takes;
    buf_init(&takes, KIND_BYTES);
    mapping_append_kind(&takes, &input->value);
    error_set(err, ERROR_MISSING_PARAMETER, input->name,
              "This model requires the input `%s`. Send it as a member of the request (%s), or have the operator "
              "configure a default under `input`.",
              name, takes.length > 0 ? buf_text(&takes) : "any value");
    buf_dispose(&takes);
    return false;
}

/* Its own default, which documents get wrong now and then; or, where it is placed and yet not there, nothing: it is
 * meant to stay empty, as a prompt beside messages. NULL where it takes neither. */
static json_t *required_value(const struct mapping *mapping, const struct model_input *input)
{
    bool changed = false, is_placed = mapping_has_placed(mapping, input->name);
    json_t *value = NULL, *fitted = NULL;
    if (input->fallback != NULL && !json_is_null(input->fallback))
        value = json_deep_copy(input->fallback);
    else if (is_placed)
        value = json_string("");
    if (value == NULL || !mapping_fit(&input->value, value, &fitted, &changed) || changed) {
        json_decref(fitted);
        fitted = NULL;
    }
    json_decref(value);
    return fitted;
}

bool mapping_fill_required(struct mapping *mapping, struct error *err)
{
    const struct model_schema *schema = mapping->model.schema;
    for (size_t i = 0; schema != NULL && i < schema->input_count; i++) {
        const struct model_input *input = &schema->inputs[i];
        if (!input->is_required || json_object_get(mapping->input, input->name) != NULL)
            continue;
        json_t *value = required_value(mapping, input);
        if (value == NULL)
            return refuse_without(&mapping->model, input, err);
        ensure(json_object_set_new(mapping->input, input->name, value) == 0);
    }
    return true;
}
