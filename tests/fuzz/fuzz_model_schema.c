/* Any bytes as the document of a model: nothing, or a schema that keeps what its header promises. */
#include <stdint.h>
#include <string.h>

#include "base/ensure.h"
#include "base/model_schema.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NAME_BYTES_MAX = 128, WORDS_MAX = 4096, VALUES_MAX = 20000, DEPTH_MAX = 8 };

static void walk_words(const json_t *words)
{
    size_t index;
    json_t *word;
    ensure(json_array_size(words) > 0 && json_array_size(words) <= WORDS_MAX);
    json_array_foreach(words, index, word)
    {
        ensure(!json_is_null(word));
    }
}

static void walk_value(const struct model_value *value, size_t *count, int depth)
{
    ensure(++*count <= VALUES_MAX && depth <= DEPTH_MAX);
    ensure(value->types != 0 && (value->types & ~(unsigned)VALUE_ANY) == 0);
    ensure(strlen(model_value_type_name(value)) > 0);
    ensure(value->has_minimum || !value->excludes_minimum);
    ensure(value->has_maximum || !value->excludes_maximum);
    if (value->has_minimum && value->has_maximum)
        ensure(value->minimum <= value->maximum);
    if ((value->types & (VALUE_INTEGER | VALUE_NUMBER)) == VALUE_INTEGER)
        ensure(!value->excludes_minimum && !value->excludes_maximum);
    if (value->words != NULL)
        walk_words(value->words);
    if (value->items != NULL)
        walk_value(value->items, count, depth + 1);
    ensure((value->variants != NULL) == (value->variant_count > 1));
    for (size_t i = 0; i < value->variant_count; i++)
        walk_value(&value->variants[i], count, depth + 1);
}

static void walk(const struct model_schema *schema)
{
    size_t count = 0;
    ensure(schema->input_count <= MODEL_INPUTS_MAX);
    ensure(schema->has_inputs || schema->input_count == 0);
    ensure(memchr(schema->version, '\0', sizeof schema->version) != NULL && schema->name != NULL);
    for (size_t i = 0; i < schema->input_count; i++) {
        const struct model_input *input = &schema->inputs[i];
        size_t length = strlen(input->description);
        ensure(input->order == (int)i);
        ensure(input->name[0] != '\0' && strlen(input->name) <= NAME_BYTES_MAX);
        ensure(length <= MODEL_DESCRIPTION_BYTES && utf8_cut(input->description, length, length) == length);
        ensure(input->fallback == NULL || !json_is_null(input->fallback));
        ensure(model_schema_find(schema, input->name) == input);
        walk_value(&input->value, &count, 0);
    }
    ensure(model_schema_find(schema, "") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct model_schema *schema = model_schema_parse((const char *)data, size, &err);
    if (schema == NULL) {
        ensure(err.kind == ERROR_UPSTREAM_ERROR && err.message[0] != '\0');
        return 0;
    }
    ensure(err.kind == ERROR_NONE);
    struct model_schema *other = model_schema_ref(schema);
    model_schema_unref(schema);
    walk(other);
    model_schema_unref(other);
    return 0;
}
