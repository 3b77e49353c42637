/* Any document of a model and any chat request through the mapping: it is refused with a sentence, or becomes an input
 * that the model takes and in which nothing is lost without a word.
 *
 * What comes before the first line `%%` is the document, what comes behind it the request. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "base/model_schema.h"
#include "call_help.h"
#include "mapping_judge.h"
#include "replicate_sim_schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX_BYTES = 1 << 16, WORDS_MAX = 64, DEPTH_MAX = 4 };

static const char separator[] = "\n%%\n";

static bool is_type(const json_t *type)
{
    static const char *const types[] = {"string", "integer", "number", "boolean", "array", "object"};
    for (size_t i = 0; json_is_string(type) && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i], json_string_value(type)) == 0)
            return true;
    return false;
}

static bool is_scalar(const json_t *value)
{
    return json_is_string(value) || json_is_number(value) || json_is_boolean(value);
}

/* Words that the type allows, no more of them than anybody writes. */
static bool are_words(const json_t *words)
{
    size_t i;
    const json_t *word;
    if (!json_is_array(words) || json_array_size(words) == 0 || json_array_size(words) > WORDS_MAX)
        return false;
    json_array_foreach(words, i, word) if (!json_is_string(word)) return false;
    return true;
}

/* Bounds that leave a whole number between them. */
static bool are_bounds(const json_t *schema)
{
    const json_t *minimum = json_object_get(schema, "minimum"), *maximum = json_object_get(schema, "maximum");
    return !json_is_number(minimum) || !json_is_number(maximum) ||
           json_number_value(maximum) - json_number_value(minimum) >= 1;
}

/* Does it say of the value only what such documents say, in the usual form, so that there is one way to read it? */
static bool is_regular_value(const json_t *schema, int depth)
{
    const char *key;
    json_t *value;
    if (!json_is_object(schema) || !is_type(json_object_get(schema, "type")) || !are_bounds(schema) ||
        depth > DEPTH_MAX)
        return false;
    bool is_text = strcmp(json_text(schema, "type"), "string") == 0;
    bool is_number =
        strcmp(json_text(schema, "type"), "integer") == 0 || strcmp(json_text(schema, "type"), "number") == 0;
    json_object_foreach((json_t *)schema, key, value)
    {
        bool fine = true;
        if (strcmp(key, "enum") == 0)
            fine = is_text && are_words(value);
        else if (strcmp(key, "minimum") == 0 || strcmp(key, "maximum") == 0)
            fine = is_number && json_is_number(value) && json_number_value(value) > -1e15 &&
                   json_number_value(value) < 1e15;
        else if (strcmp(key, "maxLength") == 0 || strcmp(key, "maxItems") == 0)
            fine = json_is_integer(value) && json_integer_value(value) > 0 && json_integer_value(value) < 1000000;
        else if (strcmp(key, "items") == 0)
            fine = is_regular_value(value, depth + 1);
        else if (strcmp(key, "allOf") == 0 || strcmp(key, "anyOf") == 0 || strcmp(key, "oneOf") == 0 ||
                 strcmp(key, "$ref") == 0 || strncmp(key, "exclusive", 9) == 0)
            fine = false;
        else if (strcmp(key, "format") == 0)
            fine = is_text && json_is_string(value);
        else if (strcmp(key, "default") == 0)
            fine = is_scalar(value);
        if (!fine)
            return false;
    }
    return true;
}

static bool is_regular(const json_t *document)
{
    const struct sim_schema schema = sim_schema_of(document);
    json_t *properties = json_object_get(schema.input, "properties"), *required, *property;
    const char *name;
    size_t i;
    if (!json_is_object(json_object_get(document, "latest_version")) || json_object_size(properties) == 0 ||
        json_object_size(properties) > WORDS_MAX)
        return false;
    json_object_foreach(properties, name, property) if (!is_regular_value(property, 0) || name[0] == '\0') return false;
    required = json_object_get(schema.input, "required");
    if (required != NULL && !json_is_array(required))
        return false;
    json_array_foreach(required, i, property)
    {
        if (!json_is_string(property) || json_object_get(properties, json_string_value(property)) == NULL)
            return false;
    }
    return true;
}

/* Whatever the bytes are, reading them does no harm. */
static void parse_only(const char *bytes, size_t length)
{
    struct error err = {0};
    model_schema_unref(model_schema_parse(bytes, length, &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    const char *middle = size < INPUT_MAX_BYTES ? memmem(bytes, size, separator, sizeof separator - 1) : NULL;
    struct route route;
    char why[1024];
    if (middle == NULL)
        return 0;
    size_t length = (size_t)(middle - bytes);
    parse_only(bytes, length);
    json_t *document = json_parse(bytes, length, NULL);
    help_route(&route, "{}");
    const struct mapping_case given = {
        .document = document,
        .request = middle + sizeof separator - 1,
        .length = size - length - (sizeof separator - 1),
        .route = &route,
        .is_free = !is_regular(document),
    };
    enum mapping_verdict verdict = mapping_judge(&given, why, sizeof why);
    if (verdict == MAPPING_BROKEN)
        fprintf(stderr, "%s\n", why);
    ensure(verdict != MAPPING_BROKEN);
    help_route_dispose(&route);
    json_decref(document);
    return 0;
}
