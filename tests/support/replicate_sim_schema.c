/* Checks the input of a prediction against the schema in its model's document: the part of JSON schema that models use.
 */
#include "replicate_sim_schema.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/json.h"

enum { DEPTH_MAX = 16, TEXT_BYTES = 512, ENUM_MAX_BYTES = 1 << 20 };

/* One value on its way through a schema. */
struct check {
    const json_t *schemas;
    const char *field;
    int depth;
    unsigned options;
    json_t *problems;
};

static void add(const struct check *check, const char *type, const char *description)
{
    ensure(json_array_append_new(check->problems, json_pack("{s:s,s:s,s:s}", "type", type, "field", check->field,
                                                            "description", description)) == 0);
}

struct sim_schema sim_schema_of(const json_t *document)
{
    const json_t *version = json_object_get(document, "latest_version");
    const json_t *openapi = json_object_get(version != NULL ? version : document, "openapi_schema");
    const json_t *schemas = json_object_get(json_object_get(openapi, "components"), "schemas");
    return (struct sim_schema){.input = json_object_get(schemas, "Input"), .schemas = schemas};
}

/* A reference to another document, or to nothing, says nothing. */
static const json_t *referred(const json_t *schemas, const json_t *schema)
{
    const char *reference = json_text(schema, "$ref");
    const char *name = reference != NULL ? strrchr(reference, '/') : NULL;
    return name != NULL ? json_object_get(schemas, name + 1) : NULL;
}

const json_t *sim_schema_property(const struct sim_schema *schema, const char *name)
{
    const json_t *property = json_object_get(json_object_get(schema->input, "properties"), name);
    const json_t *first = json_array_get(json_object_get(property, "allOf"), 0);
    const json_t *behind = referred(schema->schemas, first != NULL ? first : property);
    return behind != NULL ? behind : property;
}

/* An integral real is an integer, as in JSON schema: 5.0 is 5. */
static bool is_of_type(const json_t *value, const char *type)
{
    int64_t whole;
    switch (json_typeof(value)) {
    case JSON_STRING:
        return strcmp(type, "string") == 0;
    case JSON_INTEGER:
        return strcmp(type, "integer") == 0 || strcmp(type, "number") == 0;
    case JSON_REAL:
        return strcmp(type, "number") == 0 || (strcmp(type, "integer") == 0 && json_whole_number(value, &whole));
    case JSON_TRUE:
    case JSON_FALSE:
        return strcmp(type, "boolean") == 0;
    case JSON_ARRAY:
        return strcmp(type, "array") == 0;
    case JSON_OBJECT:
        return strcmp(type, "object") == 0;
    case JSON_NULL:
        break;
    }
    return strcmp(type, "null") == 0;
}

static bool is_of_types(const json_t *value, const json_t *types)
{
    size_t i;
    const json_t *type;
    if (json_is_string(types))
        return is_of_type(value, json_string_value(types));
    json_array_foreach(types, i,
                       type) if (json_is_string(type) && is_of_type(value, json_string_value(type))) return true;
    return !json_is_array(types) || json_array_size(types) == 0;
}

static const char *go_type_name(const json_t *value)
{
    static const char *const names[] = {"object", "array", "string", "integer", "number", "boolean", "boolean", "null"};
    return names[json_typeof(value)];
}

/* The expected types as the validator lists them: `string`, or `[string,null]`. */
static void name_types(const json_t *types, char *out, size_t size)
{
    size_t used = 0, i;
    const json_t *type;
    if (json_is_string(types)) {
        snprintf(out, size, "%s", json_string_value(types));
        return;
    }
    snprintf(out, size, "%s", "[");
    json_array_foreach(types, i, type)
    {
        used = strlen(out);
        snprintf(out + used, size - used, "%s%s", i > 0 ? "," : "", json_string_value(type));
    }
    used = strlen(out);
    snprintf(out + used, size - used, "]");
}

/* A value of the wrong type has only that problem: its range says nothing. */
static bool check_type(const struct check *check, const json_t *schema, const json_t *value)
{
    char expected[128], text[TEXT_BYTES];
    const json_t *types = json_object_get(schema, "type");
    if (is_of_types(value, types))
        return true;
    name_types(types, expected, sizeof expected);
    snprintf(text, sizeof text, "Invalid type. Expected: %s, given: %s", expected, go_type_name(value));
    add(check, "invalid_type", text);
    return false;
}

static void add_bound(const struct check *check, const char *type, const char *words, double bound)
{
    char text[TEXT_BYTES];
    snprintf(text, sizeof text, "Must be %s %.15g", words, bound);
    add(check, type, text);
}

/* Exclusive bounds are written in two ways: as a flag beside the bound, and as the bound itself. */
static void check_range(const struct check *check, const json_t *schema, const json_t *value)
{
    const json_t *minimum = json_object_get(schema, "minimum"), *maximum = json_object_get(schema, "maximum");
    const json_t *above = json_object_get(schema, "exclusiveMinimum");
    const json_t *below = json_object_get(schema, "exclusiveMaximum");
    if (!json_is_number(value))
        return;
    double number = json_number_value(value);
    above = json_is_true(above) ? minimum : above;
    below = json_is_true(below) ? maximum : below;
    if (json_is_number(above) && !(number > json_number_value(above)))
        add_bound(check, "number_gt", "greater than", json_number_value(above));
    if (json_is_number(minimum) && minimum != above && !(number >= json_number_value(minimum)))
        add_bound(check, "number_gte", "greater than or equal to", json_number_value(minimum));
    if (json_is_number(below) && !(number < json_number_value(below)))
        add_bound(check, "number_lt", "less than", json_number_value(below));
    if (json_is_number(maximum) && maximum != below && !(number <= json_number_value(maximum)))
        add_bound(check, "number_lte", "less than or equal to", json_number_value(maximum));
}

static bool is_same(const json_t *one, const json_t *other)
{
    if (json_is_number(one) && json_is_number(other))
        return json_number_value(one) >= json_number_value(other) && json_number_value(one) <= json_number_value(other);
    return json_equal(one, other);
}

/* The field's name stands in the text too; that is how the validator writes it. */
static void check_enum(const struct check *check, const json_t *schema, const json_t *value)
{
    const json_t *allowed = json_object_get(schema, "enum"), *one;
    size_t i;
    if (!json_is_array(allowed))
        return;
    json_array_foreach(allowed, i, one) if (is_same(one, value)) return;
    struct buf text;
    buf_init(&text, ENUM_MAX_BYTES);
    buf_printf(&text, "%s must be one of the following: ", check->field);
    json_array_foreach(allowed, i, one)
    {
        buf_append_text(&text, i > 0 ? ", " : "");
        json_append(&text, one);
    }
    add(check, "enum", buf_text(&text));
    buf_dispose(&text);
}

static size_t count_characters(const json_t *text)
{
    size_t count = 0;
    for (const char *byte = json_string_value(text); *byte != '\0'; byte++)
        count += ((unsigned char)*byte & 0xc0) != 0x80;
    return count;
}

/* A URI has a scheme; more is not looked at. */
static bool is_uri(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char others[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.";
    return text[0] != '\0' && strchr(letters, text[0]) != NULL && text[strspn(text, others)] == ':';
}

static void check_string(const struct check *check, const json_t *schema, const json_t *value)
{
    char text[TEXT_BYTES];
    const json_t *most = json_object_get(schema, "maxLength");
    const char *format = json_text(schema, "format");
    if (!json_is_string(value))
        return;
    if (json_is_integer(most) && count_characters(value) > (size_t)json_integer_value(most)) {
        snprintf(text, sizeof text, "String length must be less than or equal to %lld",
                 (long long)json_integer_value(most));
        add(check, "string_lte", text);
    }
    if ((check->options & SIM_SCHEMA_ANY_URI) == 0 && format != NULL && strcmp(format, "uri") == 0 &&
        !is_uri(json_string_value(value)))
        add(check, "format", "Does not match format 'uri'");
}

static void check_value(const struct check *check, const json_t *schema, const json_t *value);

static void check_items(const struct check *check, const json_t *schema, const json_t *value)
{
    size_t i;
    const json_t *item, *most = json_object_get(schema, "maxItems"), *kind = json_object_get(schema, "items");
    if (!json_is_array(value))
        return;
    if (json_is_integer(most) && json_array_size(value) > (size_t)json_integer_value(most)) {
        char text[TEXT_BYTES];
        snprintf(text, sizeof text, "Array must have at most %lld items", (long long)json_integer_value(most));
        add(check, "array_max_items", text);
    }
    json_array_foreach(value, i, item)
    {
        char field[TEXT_BYTES];
        struct check below = *check;
        snprintf(field, sizeof field, "%.400s.%zu", check->field, i);
        below.field = field;
        check_value(&below, kind, item);
    }
}

static bool passes(const struct check *check, const json_t *schema, const json_t *value)
{
    struct check apart = *check;
    apart.problems = json_array();
    ensure(apart.problems != NULL);
    check_value(&apart, schema, value);
    bool good = json_array_size(apart.problems) == 0;
    json_decref(apart.problems);
    return good;
}

/* What several members of a union take (1 is an integer and a number) is as good as what one takes: Replicate's models
 * do not tell `oneOf` from `anyOf` either. */
static void check_union(const struct check *check, const json_t *schema, const char *key, const json_t *value)
{
    size_t i;
    const json_t *member, *members = json_object_get(schema, key);
    if (!json_is_array(members))
        return;
    json_array_foreach(members, i, member) if (passes(check, member, value)) return;
    add(check, "number_any_of", "Must validate at least one schema (anyOf)");
}

static void check_value(const struct check *check, const json_t *schema, const json_t *value)
{
    struct check below = *check;
    size_t i;
    const json_t *part, *behind = referred(check->schemas, schema);
    if (++below.depth > DEPTH_MAX)
        return;
    if (behind != NULL)
        check_value(&below, behind, value);
    json_array_foreach(json_object_get(schema, "allOf"), i, part) check_value(&below, part, value);
    check_union(&below, schema, "anyOf", value);
    check_union(&below, schema, "oneOf", value);
    if (!check_type(check, schema, value))
        return;
    check_range(check, schema, value);
    check_enum(check, schema, value);
    check_string(check, schema, value);
    check_items(&below, schema, value);
}

/* A missing member is a problem of `input`, not of the member: it has no place of its own. */
static void check_required(const struct sim_schema *schema, const json_t *input, json_t *problems)
{
    const struct check check = {.field = "input", .problems = problems};
    const json_t *name;
    size_t i;
    json_array_foreach(json_object_get(schema->input, "required"), i, name)
    {
        char text[TEXT_BYTES];
        if (!json_is_string(name) || json_object_get(input, json_string_value(name)) != NULL)
            continue;
        snprintf(text, sizeof text, "%s is required", json_string_value(name));
        add(&check, "required", text);
    }
}

static void check_input(const struct sim_schema *schema, const json_t *input, unsigned options, json_t *problems)
{
    const char *name;
    json_t *property;
    check_required(schema, input, problems);
    json_object_foreach(json_object_get(schema->input, "properties"), name, property)
    {
        char field[TEXT_BYTES];
        const json_t *value = json_object_get(input, name);
        struct check check = {.schemas = schema->schemas, .field = field, .options = options, .problems = problems};
        snprintf(field, sizeof field, "input.%s", name);
        /* Models of today refuse an explicit null, `nullable` or not. */
        if (json_is_null(value))
            add(&check, "invalid_type", "Invalid type. Expected: a value, given: null");
        else if (value != NULL)
            check_value(&check, property, value);
    }
}

void sim_schema_check(const struct sim_schema *schema, const json_t *input, json_t *problems)
{
    check_input(schema, input, 0, problems);
}

void sim_schema_unknown(const struct sim_schema *schema, const json_t *input, json_t *names)
{
    const json_t *properties = json_object_get(schema->input, "properties");
    const char *name;
    json_t *value;
    if (!json_is_object(properties))
        return;
    json_object_foreach((json_t *)input, name, value) if (json_object_get(properties, name) == NULL)
        ensure(json_array_append_new(names, json_string(name)) == 0);
}

bool sim_schema_accepts(const struct sim_schema *schema, const json_t *input, unsigned options, char *sentence,
                        size_t size)
{
    json_t *problems = json_array(), *names = json_array();
    ensure(problems != NULL && names != NULL);
    snprintf(sentence, size, "%s", "");
    check_input(schema, input, options, problems);
    if ((options & SIM_SCHEMA_ANY_NAME) == 0)
        sim_schema_unknown(schema, input, names);
    const json_t *first = json_array_get(problems, 0);
    if (first != NULL)
        snprintf(sentence, size, "At `%s`: %s.", json_text(first, "field"), json_text(first, "description"));
    else if (json_array_size(names) > 0)
        snprintf(sentence, size, "The model has no input `%s`.", json_string_value(json_array_get(names, 0)));
    json_decref(problems);
    json_decref(names);
    return sentence[0] == '\0';
}
