/* Changes models' documents at random. */
#include "mapping_make.h"

#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "replicate_sim_schema.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct place {
    json_t *schemas, *input, *properties;
    char name[128]; /* the input that is to change */
    json_t *property;
};

static bool find_place(struct dice *dice, json_t *document, struct place *place)
{
    const struct sim_schema schema = sim_schema_of(document);
    json_t *ignored;
    const char *name = "";
    unsigned at = 0;
    *place = (struct place){.schemas = (json_t *)schema.schemas, .input = (json_t *)schema.input};
    place->properties = json_object_get(place->input, "properties");
    if (json_object_size(place->properties) == 0)
        return false;
    unsigned chosen = dice_below(dice, (unsigned)json_object_size(place->properties));
    json_object_foreach(place->properties, name, ignored) if (at++ == chosen) break;
    snprintf(place->name, sizeof place->name, "%s", name);
    place->property = json_object_get(place->properties, place->name);
    return json_is_object(place->property);
}

/* What a type has beside it holds for that type alone. */
static void drop_constraints(json_t *property)
{
    static const char *const keys[] = {
        "enum",      "allOf",    "anyOf",  "oneOf", "minimum", "maximum",         "exclusiveMinimum",
        "maxLength", "maxItems", "format", "items", "default", "exclusiveMaximum"};
    for (size_t i = 0; i < COUNT(keys); i++)
        json_object_del(property, keys[i]);
}

static const char *any_type(struct dice *dice)
{
    static const char *const types[] = {"string", "integer", "number", "boolean", "array", "object"};
    return types[dice_below(dice, COUNT(types))];
}

static void change_type(struct dice *dice, struct place *place)
{
    drop_constraints(place->property);
    json_object_set_new(place->property, "type", json_string(any_type(dice)));
}

static void change_type_list(struct dice *dice, struct place *place)
{
    drop_constraints(place->property);
    json_object_set_new(place->property, "type",
                        json_pack("[s,s]", any_type(dice), dice_one_in(dice, 2) ? "null" : any_type(dice)));
}

static void drop_type(struct dice *dice, struct place *place)
{
    (void)dice;
    drop_constraints(place->property);
    json_object_del(place->property, "type");
}

static void set_words(struct dice *dice, struct place *place)
{
    drop_constraints(place->property);
    if (dice_one_in(dice, 3)) {
        json_object_set_new(place->property, "type", json_string("integer"));
        json_object_set_new(place->property, "enum", json_pack("[i,i,i]", 4, 8, 12));
    } else {
        json_object_set_new(place->property, "type", json_string("string"));
        json_object_set_new(place->property, "enum",
                            dice_one_in(dice, 2) ? json_pack("[s,s,s]", "low", "Medium", "high")
                                                 : json_pack("[s,s,s,s]", "auto", "16:9", "1", "None"));
    }
}

static void toggle_required(struct dice *dice, struct place *place)
{
    json_t *required = json_object_get(place->input, "required"), *name;
    size_t i;
    (void)dice;
    if (!json_is_array(required)) {
        required = json_array();
        json_object_set_new(place->input, "required", required);
    }
    json_array_foreach(required, i, name)
    {
        if (strcmp(json_string_value(name), place->name) == 0) {
            json_array_remove(required, i);
            return;
        }
    }
    json_array_append_new(required, json_string(place->name));
}

static void set_bounds(struct dice *dice, struct place *place)
{
    bool is_whole = dice_one_in(dice, 2), is_exclusive = dice_one_in(dice, 3);
    int low = (int)dice_below(dice, 40) - 10, high = low + 2 + (int)dice_below(dice, 60);
    json_t *bounds[] = {is_whole ? json_integer(low) : json_real(low + 0.5),
                        is_whole ? json_integer(high) : json_real(high + 0.25)};
    drop_constraints(place->property);
    json_object_set_new(place->property, "type", json_string(is_whole ? "integer" : "number"));
    if (is_exclusive && dice_one_in(dice, 2)) {
        json_object_set_new(place->property, "exclusiveMinimum", bounds[0]);
        json_object_set_new(place->property, "exclusiveMaximum", bounds[1]);
        return;
    }
    json_object_set_new(place->property, "minimum", bounds[0]);
    json_object_set_new(place->property, "maximum", bounds[1]);
    if (is_exclusive)
        json_object_set_new(place->property, "exclusiveMinimum", json_true());
}

static void set_sizes(struct dice *dice, struct place *place)
{
    drop_constraints(place->property);
    if (dice_one_in(dice, 2)) {
        json_object_set_new(place->property, "type", json_string("string"));
        json_object_set_new(place->property, "maxLength", json_integer(1 + (json_int_t)dice_below(dice, 40)));
        return;
    }
    json_object_set_new(place->property, "type", json_string("array"));
    json_object_set_new(place->property, "maxItems", json_integer(1 + (json_int_t)dice_below(dice, 3)));
    json_object_set_new(place->property, "items", json_pack("{s:s}", "type", any_type(dice)));
}

/* The other way to write an enum; and the way of unions for what may be left out. */
static void write_otherwise(struct dice *dice, struct place *place)
{
    char name[160];
    if (json_object_get(place->property, "$ref") != NULL || json_object_get(place->property, "allOf") != NULL ||
        json_object_get(place->property, "anyOf") != NULL)
        return;
    snprintf(name, sizeof name, "Kind_%s", place->name);
    json_t *reference = json_pack("{s:o}", "$ref", json_sprintf("#/components/schemas/%s", name));
    json_object_set(place->schemas, name, place->property);
    json_t *property = dice_one_in(dice, 2) ? json_pack("{s:[o]}", "allOf", reference)
                                            : json_pack("{s:[o,{s:s}]}", "anyOf", reference, "type", "null");
    ensure(property != NULL);
    json_object_set_new(place->properties, place->name, property);
}

static void make_inline(struct dice *dice, struct place *place)
{
    const struct sim_schema schema = {.input = place->input, .schemas = place->schemas};
    (void)dice;
    const json_t *behind = sim_schema_property(&schema, place->name);
    if (behind != place->property)
        json_object_set_new(place->properties, place->name, json_deep_copy(behind));
}

static void rename_input(struct dice *dice, struct place *place)
{
    static const char *const names[] = {"prompt",       "text",           "messages",        "system_prompt",
                                        "instructions", "max_new_tokens", "max_length",      "image_input",
                                        "images",       "image",          "audio",           "history",
                                        "zeta",         "input",          "prompt_template", "temperature",
                                        "seed",         "stop_sequences", "reasoning",       "thinking_level",
                                        "user_prompt",  "Max-Tokens",     "input_item_list", "budget"};
    const char *name = names[dice_below(dice, COUNT(names))];
    json_t *required = json_object_get(place->input, "required"), *one;
    size_t i;
    if (json_object_get(place->properties, name) != NULL)
        return;
    json_object_set(place->properties, name, place->property);
    json_object_del(place->properties, place->name);
    json_array_foreach(required, i, one)
    {
        if (strcmp(json_string_value(one), place->name) == 0)
            json_array_set_new(required, i, json_string(name));
    }
}

static void remove_input(struct dice *dice, struct place *place)
{
    json_t *required = json_object_get(place->input, "required"), *one;
    size_t i;
    (void)dice;
    /* A model without any is as good as one of which nothing is known. */
    if (json_object_size(place->properties) == 1)
        return;
    json_array_foreach(required, i, one)
    {
        if (strcmp(json_string_value(one), place->name) == 0) {
            json_array_remove(required, i);
            break;
        }
    }
    json_object_del(place->properties, place->name);
}

static void drop_decoration(struct dice *dice, struct place *place)
{
    static const char *const keys[] = {"default", "x-order", "title", "description", "minimum", "maximum", "format"};
    json_object_del(place->property, keys[dice_below(dice, COUNT(keys))]);
}

static void add_decoration(struct dice *dice, struct place *place)
{
    static const char *const keys[] = {"nullable", "deprecated", "x-cog-secret", "writeOnly"};
    json_object_set_new(place->property, keys[dice_below(dice, COUNT(keys))], json_true());
    if (dice_one_in(dice, 2))
        json_object_set_new(place->property, "x-order", mapping_make_value(dice));
    if (dice_one_in(dice, 2))
        json_object_set_new(place->property, "default", mapping_make_value(dice));
}

void mapping_mutate_document(struct dice *dice, json_t *document)
{
    static void (*const changes[])(struct dice * dice, struct place * place) = {
        change_type,  change_type_list, drop_type,      set_words,       toggle_required, toggle_required,
        set_bounds,   set_bounds,       set_sizes,      write_otherwise, rename_input,    rename_input,
        remove_input, drop_decoration,  add_decoration, make_inline,     write_otherwise,
    };
    struct place place;
    for (unsigned i = 1 + dice_below(dice, 6); i > 0 && find_place(dice, document, &place); i--)
        changes[dice_below(dice, COUNT(changes))](dice, &place);
}

void mapping_spoil_document(struct dice *dice, json_t *document)
{
    static const char *const keys[] = {"type",    "enum",      "allOf",    "anyOf",   "minimum", "maximum",    "items",
                                       "default", "maxLength", "maxItems", "x-order", "format",  "description"};
    struct place place;
    for (unsigned i = 1 + dice_below(dice, 6); i > 0 && find_place(dice, document, &place); i--) {
        const char *key = keys[dice_below(dice, COUNT(keys))];
        switch (dice_below(dice, 12)) {
        case 0:
            json_object_set_new(place.properties, place.name, mapping_make_value(dice));
            break;
        case 1:
            json_object_set_new(place.input, "required", mapping_make_value(dice));
            break;
        case 2:
            json_object_set_new(place.schemas, place.name, mapping_make_value(dice));
            break;
        case 3:
            /* A reference that leads back to itself. */
            json_object_set_new(place.property, "$ref", json_string("#/components/schemas/Input"));
            break;
        case 4:
            /* Bounds that leave nothing between them. */
            json_object_set_new(place.property, "minimum", json_integer(7));
            json_object_set_new(place.property, "maximum", json_real(-2.5));
            break;
        default:
            json_object_set_new(place.property, key, mapping_make_value(dice));
        }
    }
}
