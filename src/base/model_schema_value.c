/* What JSON Schema says of one value, in the forms that Cog has written over the years: OpenAPI 3.0 and 3.1, enums
 * inline and elsewhere, unions with null for what may be left out.
 *
 * Whatever is not understood narrows nothing, for a value that is refused here could not be sent at all, while one that
 * is sent in error is still refused by the model. */
#include "model_schema_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"

enum { DEPTH_MAX = 8, WORDS_MAX = 4096, VARIANTS_MAX = 32, TYPES_MAX = 16 };

static void read_nested(struct schema_reader *reader, json_t *schema, struct model_value *value, int depth);

/* References multiply: a short document may describe a tree without end. */
static bool spend(struct schema_reader *reader, size_t count)
{
    if (count > reader->left)
        return false;
    reader->left -= count;
    return true;
}

/* NULL where it is no reference to a part of the document. */
static json_t *referred(const struct schema_reader *reader, const json_t *schema)
{
    static const char prefix[] = "#/components/schemas/";
    const char *reference = json_text(schema, "$ref");
    if (reference == NULL || strncmp(reference, prefix, sizeof prefix - 1) != 0)
        return NULL;
    return json_object_get(reader->components, reference + sizeof prefix - 1);
}

/* A reference that leads nowhere says nothing: then what stands beside it counts. */
json_t *schema_resolve(const struct schema_reader *reader, json_t *schema)
{
    for (int depth = 0; depth < DEPTH_MAX; depth++) {
        json_t *next = referred(reader, schema);
        if (next == NULL)
            return schema;
        schema = next;
    }
    return NULL;
}

/* ---- types ---- */

static unsigned type_bit(const json_t *word)
{
    static const struct {
        const char *name;
        unsigned bit;
    } types[] = {
        {"string", VALUE_STRING},   {"integer", VALUE_INTEGER}, {"number", VALUE_NUMBER},
        {"boolean", VALUE_BOOLEAN}, {"array", VALUE_ARRAY},     {"object", VALUE_OBJECT},
    };
    const char *name = json_string_value(word);
    for (size_t i = 0; name != NULL && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(name, types[i].name) == 0)
            return types[i].bit;
    return 0;
}

static unsigned type_bit_of(const json_t *word)
{
    static const unsigned bits[] = {
        [JSON_OBJECT] = VALUE_OBJECT, [JSON_ARRAY] = VALUE_ARRAY,
        [JSON_STRING] = VALUE_STRING, [JSON_INTEGER] = VALUE_INTEGER,
        [JSON_REAL] = VALUE_NUMBER,   [JSON_TRUE] = VALUE_BOOLEAN,
        [JSON_FALSE] = VALUE_BOOLEAN, [JSON_NULL] = 0,
    };
    return bits[json_typeof(word)];
}

/* Every integer is a number. What two parts of a schema contradict each other about stays as it was. */
static void narrow_types(struct model_value *value, unsigned types)
{
    unsigned had = value->types & VALUE_NUMBER ? value->types | VALUE_INTEGER : value->types;
    unsigned both = had & (types & VALUE_NUMBER ? types | VALUE_INTEGER : types);
    if (both == 0)
        return;
    value->types = both != VALUE_ANY && (both & VALUE_NUMBER) ? both & ~(unsigned)VALUE_INTEGER : both;
}

static void apply_type(const json_t *schema, struct model_value *value)
{
    const json_t *type = json_object_get(schema, "type");
    unsigned types = type_bit(type);
    size_t index;
    json_t *word;
    json_array_foreach(type, index, word)
    {
        if (index >= TYPES_MAX) /* there are seven */
            return;
        types |= type_bit(word);
    }
    narrow_types(value, types);
}

static bool is_null_word(const json_t *word)
{
    return json_is_string(word) && strcmp(json_string_value(word), "null") == 0;
}

/* Does it allow null alone? */
static bool is_null_schema(const struct schema_reader *reader, json_t *schema)
{
    const json_t *resolved = schema_resolve(reader, schema);
    const json_t *type = json_object_get(resolved, "type");
    if (json_array_size(type) == 1)
        type = json_array_get(type, 0);
    const json_t *words = json_object_get(resolved, "enum");
    bool has_null_enum = json_array_size(words) == 1 && json_is_null(json_array_get(words, 0));
    return is_null_word(type) || has_null_enum || json_is_null(json_object_get(resolved, "const"));
}

/* ---- words ---- */

/* Null among the words says only that the input may be left out. From the end, where nothing has to move up. Where
 * there is nothing else, one stays, so that the schema can still be told to be one of null. */
static void drop_nulls(json_t *words)
{
    for (size_t i = json_array_size(words); i > 0 && json_array_size(words) > 1; i--)
        if (json_is_null(json_array_get(words, i - 1)))
            json_array_remove(words, i - 1);
}

/* Half an enum would refuse good words, so it is taken whole or not at all. */
static void apply_words(const json_t *schema, struct model_value *value)
{
    json_t *words = json_object_get(schema, "enum");
    json_t *constant = json_object_get(schema, "const");
    if (value->words != NULL)
        return;
    if (constant != NULL && !json_is_null(constant)) {
        value->words = json_array();
        json_array_append(value->words, constant);
    } else if (json_is_array(words) && json_array_size(words) <= WORDS_MAX) {
        drop_nulls(words);
        const json_t *first = json_array_get(words, 0);
        value->words = first != NULL && !json_is_null(first) ? json_incref(words) : NULL;
    }
}

static unsigned types_of_words(const json_t *words)
{
    unsigned types = 0;
    size_t index;
    json_t *word;
    json_array_foreach(words, index, word)
    {
        types |= type_bit_of(word);
    }
    return types;
}

/* ---- bounds ---- */

static void raise_minimum(struct model_value *value, double minimum, bool excludes)
{
    if (value->has_minimum && minimum < value->minimum)
        return;
    bool is_same = value->has_minimum && minimum == value->minimum;
    value->excludes_minimum = excludes || (is_same && value->excludes_minimum);
    value->has_minimum = true;
    value->minimum = minimum;
}

static void lower_maximum(struct model_value *value, double maximum, bool excludes)
{
    if (value->has_maximum && maximum > value->maximum)
        return;
    bool is_same = value->has_maximum && maximum == value->maximum;
    value->excludes_maximum = excludes || (is_same && value->excludes_maximum);
    value->has_maximum = true;
    value->maximum = maximum;
}

/* An exclusive bound is a boolean beside the bound (OpenAPI 3.0), or a bound of its own (3.1). */
static void apply_bounds(const json_t *schema, struct model_value *value)
{
    const json_t *minimum = json_object_get(schema, "minimum");
    const json_t *above = json_object_get(schema, "exclusiveMinimum");
    const json_t *maximum = json_object_get(schema, "maximum");
    const json_t *below = json_object_get(schema, "exclusiveMaximum");
    if (json_is_number(minimum))
        raise_minimum(value, json_number_value(minimum), json_is_true(above));
    if (json_is_number(above))
        raise_minimum(value, json_number_value(above), true);
    if (json_is_number(maximum))
        lower_maximum(value, json_number_value(maximum), json_is_true(below));
    if (json_is_number(below))
        lower_maximum(value, json_number_value(below), true);
}

static void round_bounds(struct model_value *value)
{
    if (value->has_minimum)
        value->minimum = value->excludes_minimum ? floor(value->minimum) + 1 : ceil(value->minimum);
    if (value->has_maximum)
        value->maximum = value->excludes_maximum ? ceil(value->maximum) - 1 : floor(value->maximum);
    value->excludes_minimum = value->excludes_maximum = false;
}

/* Bounds that leave no number between them are a mistake of the document. */
static void settle_bounds(struct model_value *value)
{
    if ((value->types & (VALUE_INTEGER | VALUE_NUMBER)) == VALUE_INTEGER)
        round_bounds(value);
    bool excludes = value->excludes_minimum || value->excludes_maximum;
    bool is_empty = value->maximum < value->minimum || (excludes && value->maximum == value->minimum);
    if (value->has_minimum && value->has_maximum && is_empty) {
        value->has_minimum = value->has_maximum = false;
        value->excludes_minimum = value->excludes_maximum = false;
        value->minimum = value->maximum = 0;
    }
}

static void apply_size(const json_t *schema, const char *key, size_t *size)
{
    int64_t number;
    bool is_size = json_whole_number(json_object_get(schema, key), &number) && number > 0;
    if (is_size && (*size == 0 || (size_t)number < *size))
        *size = (size_t)number;
}

/* ---- what it is for ---- */

static void apply_format(const json_t *schema, struct model_value *value)
{
    const char *format = json_text(schema, "format");
    if (format != NULL && strcmp(format, "uri") == 0)
        value->is_uri = true;
    if ((format != NULL && strcmp(format, "password") == 0) || json_is_true(json_object_get(schema, "writeOnly")) ||
        json_is_true(json_object_get(schema, "x-cog-secret")))
        value->is_secret = true;
}

/* ---- values within ---- */

static void apply_items(struct schema_reader *reader, const json_t *schema, struct model_value *value, int depth)
{
    json_t *items = json_object_get(schema, "items");
    if (value->items != NULL || !json_is_object(items) || !spend(reader, 1))
        return;
    value->items = xcalloc(1, sizeof *value->items);
    read_nested(reader, items, value->items, depth + 1);
}

static void apply(struct schema_reader *reader, json_t *schema, struct model_value *value, int depth);

/* An enum may be written as a union of single words. NULL where it is another union. */
static json_t *words_of_variants(const struct model_value *value)
{
    json_t *words = json_array();
    for (size_t i = 0; i < value->variant_count; i++) {
        const struct model_value *variant = &value->variants[i];
        bool is_word = variant->words != NULL && !(variant->types & (VALUE_ARRAY | VALUE_OBJECT));
        if (!is_word || json_array_size(words) + json_array_size(variant->words) > WORDS_MAX) {
            json_decref(words);
            return NULL;
        }
        json_array_extend(words, variant->words);
    }
    return words;
}

static void merge_words(struct model_value *value)
{
    json_t *words = value->words == NULL ? words_of_variants(value) : NULL;
    if (words == NULL)
        return;
    for (size_t i = 0; i < value->variant_count; i++)
        model_value_dispose(&value->variants[i]);
    free(value->variants);
    value->variants = NULL;
    value->variant_count = 0;
    value->words = words;
}

static void read_variants(struct schema_reader *reader, json_t *const *schemas, size_t count, struct model_value *value,
                          int depth)
{
    unsigned types = 0;
    value->variants = xcalloc(count, sizeof *value->variants);
    value->variant_count = count;
    for (size_t i = 0; i < count; i++) {
        struct model_value *variant = &value->variants[i];
        read_nested(reader, schemas[i], variant, depth);
        types |= variant->types;
        value->is_secret = value->is_secret || variant->is_secret;
    }
    narrow_types(value, types);
    merge_words(value);
}

/* With null put aside, one that is left alone is no union. */
static void apply_union(struct schema_reader *reader, json_t *schema, struct model_value *value, int depth)
{
    json_t *schemas[VARIANTS_MAX];
    size_t count = 0, index;
    json_t *variant;
    json_t *all = json_object_get(schema, "anyOf");
    if (!json_is_array(all))
        all = json_object_get(schema, "oneOf");
    if (value->variants != NULL || json_array_size(all) > VARIANTS_MAX)
        return;
    json_array_foreach(all, index, variant)
    {
        if (!is_null_schema(reader, variant))
            schemas[count++] = variant;
    }
    if (count == 1)
        apply(reader, schemas[0], value, depth + 1);
    else if (count > 1 && spend(reader, count))
        read_variants(reader, schemas, count, value, depth + 1);
}

/* ---- all of it ---- */

/* Narrows the value by one schema and those that it is made of. */
static void apply(struct schema_reader *reader, json_t *schema, struct model_value *value, int depth)
{
    size_t index;
    json_t *part, *parts = json_object_get(schema, "allOf");
    if (!json_is_object(schema) || depth >= DEPTH_MAX || !spend(reader, 1))
        return;
    apply_type(schema, value);
    apply_words(schema, value);
    apply_bounds(schema, value);
    apply_size(schema, "maxLength", &value->max_length);
    apply_size(schema, "maxItems", &value->max_items);
    apply_format(schema, value);
    apply_items(reader, schema, value, depth);
    apply(reader, referred(reader, schema), value, depth + 1);
    json_array_foreach(parts, index, part)
    {
        /* Not one step more than there are schemas to look at: lists that name lists would take for ever. */
        if (depth + 1 >= DEPTH_MAX || reader->left == 0)
            break;
        apply(reader, part, value, depth + 1);
    }
    apply_union(reader, schema, value, depth);
}

static void read_nested(struct schema_reader *reader, json_t *schema, struct model_value *value, int depth)
{
    *value = (struct model_value){.types = VALUE_ANY};
    apply(reader, schema, value, depth);
    if (value->types == VALUE_ANY && value->words != NULL)
        narrow_types(value, types_of_words(value->words));
    settle_bounds(value);
}

void model_value_read(struct schema_reader *reader, json_t *schema, struct model_value *value)
{
    read_nested(reader, schema, value, 0);
}

void model_value_dispose(struct model_value *value)
{
    for (size_t i = 0; i < value->variant_count; i++)
        model_value_dispose(&value->variants[i]);
    if (value->items != NULL)
        model_value_dispose(value->items);
    free(value->variants);
    free(value->items);
    json_decref(value->words);
}

const char *model_value_type_name(const struct model_value *value)
{
    switch (value->types) {
    case VALUE_STRING:
        return "string";
    case VALUE_INTEGER:
        return "integer";
    case VALUE_NUMBER:
    case VALUE_NUMBER | VALUE_INTEGER:
        return "number";
    case VALUE_BOOLEAN:
        return "boolean";
    case VALUE_ARRAY:
        return "array";
    case VALUE_OBJECT:
        return "object";
    default:
        return "any";
    }
}
