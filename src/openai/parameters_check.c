/* The checks of the table of parameters: one function a type, each with the sentence that tells the client what is
 * wrong. */
#include "parameters_int.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "openai/call.h"

enum { QUOTE_BYTES = 65 };

static bool wrong_type(const char *param, const char *wanted, const json_t *value, struct error *err)
{
    return error_set(err, ERROR_INVALID_TYPE, param, "`%s` has to be %s, but it is %s.", param, wanted,
                     json_type_name(value));
}

static bool keep(json_t *value, json_t **checked)
{
    *checked = json_incref(value);
    return true;
}

static bool out_of_range(const struct parameter *row, struct error *err)
{
    /* The bounds of token limits and seeds are those of the number itself; they tell nobody anything. */
    if (row->maximum > 1e9)
        return error_set(err, ERROR_INVALID_VALUE, row->name, "`%s` is out of range.", row->name);
    return error_set(err, ERROR_INVALID_VALUE, row->name, "`%s` has to be between %g and %g.", row->name, row->minimum,
                     row->maximum);
}

static bool check_number(const struct parameter *row, json_t *value, json_t **checked, struct error *err)
{
    if (!json_is_number(value))
        return wrong_type(row->name, "a number", value, err);
    double number = json_number_value(value);
    if (!(number >= row->minimum && number <= row->maximum))
        return out_of_range(row, err);
    return keep(value, checked);
}

/* Reals far out hold no fraction any more, so they are integers out of range; others are of a wrong type. */
static bool check_whole(const struct parameter *row, const json_t *value, int64_t *number, struct error *err)
{
    if (!json_is_number(value))
        return wrong_type(row->name, "an integer", value, err);
    if (json_whole_number(value, number))
        return ((double)*number >= row->minimum && (double)*number <= row->maximum) || out_of_range(row, err);
    double real = json_number_value(value);
    if (real > -9e15 && real < 9e15)
        return error_set(err, ERROR_INVALID_TYPE, row->name, "`%s` has to be an integer, but it has a fraction.",
                         row->name);
    return out_of_range(row, err);
}

static bool check_integer(const struct parameter *row, json_t *value, json_t **checked, struct error *err)
{
    int64_t number;
    if (!check_whole(row, value, &number, err))
        return false;
    *checked = json_integer(number);
    return true;
}

/* Clients write "no limit" as -1 or as 0. */
static bool check_tokens(const struct parameter *row, json_t *value, json_t **checked, struct error *err)
{
    int64_t number;
    if (!check_whole(row, value, &number, err))
        return false;
    *checked = number <= 0 ? NULL : json_integer(number);
    return true;
}

static bool check_seed(const struct parameter *row, json_t *value, json_t **checked, struct error *err)
{
    if (json_is_real(value)) {
        double real = json_real_value(value);
        bool just_beyond = (real >= 9.2e18 && real <= row->maximum) || (real <= -9.2e18 && real >= row->minimum);
        if (just_beyond) {
            *checked = json_integer(real > 0 ? INT64_MAX : INT64_MIN);
            return true;
        }
    }
    return check_integer(row, value, checked, err);
}

static bool check_objects(const struct parameter *row, json_t *value, json_t **checked, struct error *err)
{
    if (!json_is_array(value))
        return wrong_type(row->name, "an array", value, err);
    size_t index;
    json_t *item;
    json_array_foreach(value, index, item)
    {
        char path[ERROR_PARAM_BYTES];
        snprintf(path, sizeof path, "%s[%zu]", row->name, index);
        if (!json_is_object(item))
            return wrong_type(path, "an object", item, err);
    }
    return keep(value, checked);
}

static bool check_words(const struct parameter *row, json_t *value, json_t **checked, struct error *err)
{
    if (!json_is_array(value))
        return wrong_type(row->name, "an array", value, err);
    size_t index;
    json_t *item;
    json_array_foreach(value, index, item)
    {
        char path[ERROR_PARAM_BYTES];
        snprintf(path, sizeof path, "%s[%zu]", row->name, index);
        if (!json_is_string(item))
            return wrong_type(path, "a string", item, err);
    }
    return keep(value, checked);
}

/* A stop string that is empty would end every answer before its first byte; whoever sends one means none. */
static json_t *without_empty(const json_t *texts)
{
    json_t *kept = json_array();
    ensure(kept != NULL);
    size_t index;
    json_t *text;
    json_array_foreach(texts, index, text)
    {
        if (json_string_length(text) > 0)
            ensure(json_array_append(kept, text) == 0);
    }
    return kept;
}

static bool check_stop(const struct parameter *row, json_t *value, json_t **checked, struct error *err)
{
    json_t *given = NULL;
    if (json_is_string(value)) {
        given = json_pack("[O]", value);
        ensure(given != NULL);
    } else if (!json_is_array(value)) {
        return wrong_type(row->name, "a string or an array of strings", value, err);
    } else if (!check_words(row, value, &given, err)) {
        return false;
    }
    json_t *stops = without_empty(given);
    json_decref(given);
    size_t count = json_array_size(stops);
    if (count > CALL_MAX_STOPS) {
        json_decref(stops);
        return error_set(err, ERROR_INVALID_VALUE, row->name, "`stop` holds %zu strings; it may hold up to %d.", count,
                         (int)CALL_MAX_STOPS);
    }
    *checked = stops;
    return true;
}

static bool check_schema(const json_t *schema, struct error *err)
{
    static const char path[] = "response_format.json_schema", name_path[] = "response_format.json_schema.name";
    if (schema == NULL)
        return error_set(err, ERROR_MISSING_PARAMETER, path, "`%s` is missing.", path);
    if (!json_is_object(schema))
        return wrong_type(path, "an object", schema, err);
    const json_t *name = json_object_get(schema, "name");
    if (name == NULL)
        return error_set(err, ERROR_MISSING_PARAMETER, name_path, "`%s` is missing.", name_path);
    return json_is_string(name) || wrong_type(name_path, "a string", name, err);
}

static bool check_format(const struct parameter *row, json_t *value, json_t **checked, struct error *err)
{
    static const char path[] = "response_format.type";
    if (!json_is_object(value))
        return wrong_type(row->name, "an object", value, err);
    const json_t *type = json_object_get(value, "type");
    if (type == NULL)
        return error_set(err, ERROR_MISSING_PARAMETER, path, "`%s` is missing.", path);
    if (!json_is_string(type))
        return wrong_type(path, "a string", type, err);
    const char *word = json_string_value(type);
    if (strcmp(word, "json_schema") == 0) {
        if (!check_schema(json_object_get(value, "json_schema"), err))
            return false;
    } else if (strcmp(word, "text") != 0 && strcmp(word, "json_object") != 0) {
        char quoted[QUOTE_BYTES];
        error_quote(quoted, sizeof quoted, word, strlen(word), NULL);
        return error_set(err, ERROR_INVALID_VALUE, path, "`%s` has to be text, json_object or json_schema, not `%s`.",
                         path, quoted);
    }
    return keep(value, checked);
}

bool parameter_check(const struct parameter *row, json_t *value, json_t **checked, struct error *err)
{
    switch (row->type) {
    case TYPE_ANY:
        return keep(value, checked);
    case TYPE_BOOL:
        return json_is_boolean(value) ? keep(value, checked) : wrong_type(row->name, "true or false", value, err);
    case TYPE_NUMBER:
        return check_number(row, value, checked, err);
    case TYPE_INTEGER:
        return check_integer(row, value, checked, err);
    case TYPE_TOKENS:
        return check_tokens(row, value, checked, err);
    case TYPE_SEED:
        return check_seed(row, value, checked, err);
    case TYPE_TEXT:
        return json_is_string(value) ? keep(value, checked) : wrong_type(row->name, "a string", value, err);
    case TYPE_OBJECT:
        return json_is_object(value) ? keep(value, checked) : wrong_type(row->name, "an object", value, err);
    case TYPE_TEXT_OR_OBJECT:
        return json_is_string(value) || json_is_object(value)
                   ? keep(value, checked)
                   : wrong_type(row->name, "a string or an object", value, err);
    case TYPE_OBJECTS:
        return check_objects(row, value, checked, err);
    case TYPE_WORDS:
        return check_words(row, value, checked, err);
    case TYPE_STOP:
        return check_stop(row, value, checked, err);
    case TYPE_FORMAT:
        break;
    }
    return check_format(row, value, checked, err);
}
