/* What the simulated Replicate refuses in an input: the part of JSON schema that models use, in the words of the
 * validator that Replicate runs. */
#include "replicate_sim_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"

void sim_plan_add_problem(json_t *problems, const char *type, const char *field, const char *description)
{
    json_array_append_new(problems,
                          json_pack("{s:s,s:s,s:s}", "type", type, "field", field, "description", description));
}

/* The schema itself, behind the reference by which Cog writes enums: allOf with one $ref. */
static const json_t *resolve(const struct plan *plan, const json_t *schema)
{
    const json_t *first = json_array_get(json_object_get(schema, "allOf"), 0);
    const char *reference = json_text(first ? first : schema, "$ref");
    const char *name = reference ? strrchr(reference, '/') : NULL;
    const json_t *named = name ? json_object_get(plan->more_schemas, name + 1) : NULL;
    return named ? named : schema;
}

/* An integral real is an integer, as in JSON schema: 5.0 is 5. */
static bool has_type(const json_t *value, const char *type)
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
    /* Models of today refuse an explicit null, `nullable` or not. */
    return false;
}

static const char *go_type_name(const json_t *value)
{
    static const char *const names[] = {"object", "array", "string", "integer", "number", "boolean", "boolean", "null"};
    return names[json_typeof(value)];
}

/* A value of the wrong type has only that problem: its range says nothing. */
static bool check_type(const json_t *schema, const json_t *value, const char *field, json_t *problems)
{
    const char *type = json_text(schema, "type");
    if (!type || has_type(value, type))
        return true;
    char text[256];
    snprintf(text, sizeof(text), "Invalid type. Expected: %s, given: %s", type, go_type_name(value));
    sim_plan_add_problem(problems, "invalid_type", field, text);
    return false;
}

static void check_range(const json_t *schema, const json_t *value, const char *field, json_t *problems)
{
    const json_t *minimum = json_object_get(schema, "minimum"), *maximum = json_object_get(schema, "maximum");
    char text[256];
    if (!json_is_number(value))
        return;
    if (json_is_number(minimum) && json_number_value(value) < json_number_value(minimum)) {
        snprintf(text, sizeof(text), "Must be greater than or equal to %.15g", json_number_value(minimum));
        sim_plan_add_problem(problems, "number_gte", field, text);
    }
    if (json_is_number(maximum) && json_number_value(value) > json_number_value(maximum)) {
        snprintf(text, sizeof(text), "Must be less than or equal to %.15g", json_number_value(maximum));
        sim_plan_add_problem(problems, "number_lte", field, text);
    }
}

/* The field's name stands in the text too; that is how the validator writes it. */
static void check_enum(const json_t *schema, const json_t *value, const char *field, json_t *problems)
{
    const json_t *allowed = json_object_get(schema, "enum"), *one;
    size_t i;
    if (!json_is_array(allowed))
        return;
    json_array_foreach(allowed, i, one)
    {
        if (json_equal(one, value))
            return;
    }
    struct buf text;
    buf_init(&text, 4096);
    buf_printf(&text, "%s must be one of the following: ", field);
    json_array_foreach(allowed, i, one)
    {
        buf_append_text(&text, i ? ", " : "");
        json_append(&text, one);
    }
    sim_plan_add_problem(problems, "enum", field, buf_text(&text));
    buf_dispose(&text);
}

/* A missing member is a problem of `input`, not of the member: it has no place of its own. */
static void check_required(const struct plan *plan, const json_t *input, json_t *problems)
{
    const json_t *name;
    size_t i;
    json_array_foreach(json_object_get(plan->input_schema, "required"), i, name)
    {
        char text[256];
        if (json_object_get(input, json_string_value(name)))
            continue;
        snprintf(text, sizeof(text), "%s is required", json_string_value(name));
        sim_plan_add_problem(problems, "required", "input", text);
    }
}

/* Members that the schema does not know are ignored in silence, as Replicate does. */
void sim_plan_check_input(const struct plan *plan, const json_t *input, json_t *problems)
{
    check_required(plan, input, problems);
    const char *name;
    json_t *property;
    json_object_foreach(json_object_get(plan->input_schema, "properties"), name, property)
    {
        const json_t *value = json_object_get(input, name), *schema = resolve(plan, property);
        char field[160];
        if (!value)
            continue;
        snprintf(field, sizeof(field), "input.%s", name);
        if (!check_type(schema, value, field, problems))
            continue;
        check_range(schema, value, field, problems);
        check_enum(schema, value, field, problems);
    }
}
