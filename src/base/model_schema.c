/* Reads the document of a model or a version: which it is, its inputs in their order, and what its output is meant to
 * be. */
#include "model_schema_int.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "base/utf8.h"

enum {
    NAME_BYTES_MAX = 128,
    SCHEMAS_MAX = 8192, /* looked at in one document, references followed */
};

/* What changes stands beside the schema, so that what readers see is constant in every byte. */
struct counted {
    struct model_schema schema;
    atomic_size_t references;
    struct model_input **by_name;                                 /* sorted, for the look-up */
    _Atomic(const struct model_input *) answers[MODEL_QUESTIONS]; /* NULL = not known; &no_input = there is none */
};

static const struct model_input no_input;

static struct counted *counted_of(const struct model_schema *schema)
{
    return (struct counted *)(void *)((char *)(uintptr_t)schema - offsetof(struct counted, schema));
}

struct model_schema *model_schema_ref(struct model_schema *schema)
{
    atomic_fetch_add_explicit(&counted_of(schema)->references, 1, memory_order_relaxed);
    return schema;
}

static void schema_free(struct model_schema *schema)
{
    for (size_t i = 0; i < schema->input_count; i++) {
        struct model_input *input = &schema->inputs[i];
        free(input->name);
        free(input->description);
        json_decref(input->fallback);
        model_value_dispose(&input->value);
    }
    free(schema->inputs);
    free(schema->name);
    free(counted_of(schema)->by_name);
    free(counted_of(schema));
}

void model_schema_unref(struct model_schema *schema)
{
    if (schema == NULL)
        return;
    /* Release, then acquire by the last: it must see everything that others did before they let go. */
    if (atomic_fetch_sub_explicit(&counted_of(schema)->references, 1, memory_order_acq_rel) == 1)
        schema_free(schema);
}

/* ---- the look-up ---- */

static int compare_name(const void *name, const void *entry)
{
    const struct model_input *const *input = entry;
    return strcmp(name, (*input)->name);
}

static struct model_input *find(const struct counted *counted, const char *name)
{
    size_t count = counted->schema.input_count;
    struct model_input **entry =
        count > 0 ? bsearch(name, counted->by_name, count, sizeof *counted->by_name, compare_name) : NULL;
    return entry != NULL ? *entry : NULL;
}

const struct model_input *model_schema_find(const struct model_schema *schema, const char *name)
{
    if (schema == NULL)
        return NULL;
    return find(counted_of(schema), name);
}

/* Whoever asks at the same time finds the same, and what is pointed to is as old as the schema: no order is needed. */
bool model_schema_recall(const struct model_schema *schema, size_t question, const struct model_input **input)
{
    ensure(question < MODEL_QUESTIONS);
    const struct model_input *answer =
        atomic_load_explicit(&counted_of(schema)->answers[question], memory_order_relaxed);
    *input = answer != &no_input ? answer : NULL;
    return answer != NULL;
}

void model_schema_remember(const struct model_schema *schema, size_t question, const struct model_input *input)
{
    ensure(question < MODEL_QUESTIONS);
    atomic_store_explicit(&counted_of(schema)->answers[question], input != NULL ? input : &no_input,
                          memory_order_relaxed);
}

static int compare_entries(const void *one, const void *other)
{
    const struct model_input *const *input = one;
    return compare_name((*input)->name, other);
}

static void index_by_name(struct counted *counted)
{
    size_t count = counted->schema.input_count;
    counted->by_name = xcalloc(count + 1, sizeof *counted->by_name);
    for (size_t i = 0; i < count; i++)
        counted->by_name[i] = &counted->schema.inputs[i];
    qsort(counted->by_name, count, sizeof *counted->by_name, compare_entries);
}

/* ---- the inputs ---- */

static int order_of(const json_t *property)
{
    int64_t order;
    bool has_order = json_whole_number(json_object_get(property, "x-order"), &order);
    if (!has_order)
        return INT_MAX;
    return order < 0 ? -1 : order >= INT_MAX ? INT_MAX - 1 : (int)order;
}

static char *description_of(const json_t *property)
{
    const json_t *text = json_object_get(property, "description");
    if (!json_is_string(text))
        return xstrdup("");
    size_t length = json_string_length(text);
    return xstrndup(json_string_value(text), utf8_cut(json_string_value(text), length, MODEL_DESCRIPTION_BYTES));
}

static void read_input(struct schema_reader *reader, const char *name, json_t *property, struct model_input *input)
{
    json_t *fallback = json_object_get(property, "default");
    *input = (struct model_input){
        .name = xstrdup(name),
        .description = description_of(property),
        .order = order_of(property),
        .is_deprecated = json_is_true(json_object_get(property, "deprecated")),
        .fallback = json_is_null(fallback) ? NULL : json_incref(fallback),
    };
    model_value_read(reader, property, &input->value);
}

/* In JSON Schema `true` is a schema, too: anything will do. */
static bool is_input(const char *name, const json_t *property)
{
    size_t length = strlen(name);
    return length > 0 && length <= NAME_BYTES_MAX && (json_is_object(property) || json_is_true(property));
}

/* As their author wrote them down; those without a place come last. */
static int compare_places(const void *one, const void *other)
{
    const struct model_input *first = one, *second = other;
    if (first->order != second->order)
        return first->order < second->order ? -1 : 1;
    return strcmp(first->name, second->name);
}

static void mark_required(const struct counted *counted, const json_t *names)
{
    size_t index;
    json_t *name;
    json_array_foreach(names, index, name)
    {
        struct model_input *input = json_is_string(name) ? find(counted, json_string_value(name)) : NULL;
        if (input != NULL)
            input->is_required = true;
    }
}

static void read_inputs(struct schema_reader *reader, struct counted *counted, json_t *properties)
{
    struct model_schema *schema = &counted->schema;
    const char *name;
    json_t *property;
    schema->inputs = xcalloc(MODEL_INPUTS_MAX, sizeof *schema->inputs);
    json_object_foreach(properties, name, property)
    {
        if (schema->input_count < MODEL_INPUTS_MAX && is_input(name, property))
            read_input(reader, name, property, &schema->inputs[schema->input_count++]);
    }
    schema->inputs = xrealloc(schema->inputs, (schema->input_count + 1) * sizeof *schema->inputs);
    qsort(schema->inputs, schema->input_count, sizeof *schema->inputs, compare_places);
    for (size_t i = 0; i < schema->input_count; i++)
        schema->inputs[i].order = (int)i;
}

/* An object without properties is a model without inputs; properties that are no object tell nothing. */
static void read_input_schema(struct schema_reader *reader, struct counted *counted)
{
    json_t *input = schema_resolve(reader, json_object_get(reader->components, "Input"));
    json_t *properties = json_object_get(input, "properties");
    counted->schema.has_inputs = json_is_object(input) && (properties == NULL || json_is_object(properties));
    read_inputs(reader, counted, properties);
    index_by_name(counted);
    mark_required(counted, json_object_get(input, "required"));
}

/* ---- the output ---- */

static enum model_output output_of_value(const struct model_value *value, bool is_iterator)
{
    const struct model_value *text = value->types == VALUE_ARRAY ? value->items : value;
    if (text == NULL || text->types != VALUE_STRING)
        return MODEL_OUTPUT_OTHER;
    if (text->is_uri)
        return MODEL_OUTPUT_FILES;
    return text != value && is_iterator ? MODEL_OUTPUT_TEXT_STREAM : MODEL_OUTPUT_TEXT;
}

static enum model_output read_output(struct schema_reader *reader)
{
    json_t *output = schema_resolve(reader, json_object_get(reader->components, "Output"));
    const char *array_type = json_text(output, "x-cog-array-type");
    struct model_value value;
    model_value_read(reader, output, &value);
    enum model_output kind = output_of_value(&value, array_type != NULL && strcmp(array_type, "iterator") == 0);
    model_value_dispose(&value);
    return kind;
}

/* ---- the document ---- */

/* The version that the document describes; NULL where it describes none. `*is_known`: is it a model or a version? */
static const json_t *version_of(const json_t *document, bool *is_known)
{
    const json_t *latest = json_object_get(document, "latest_version");
    bool is_model = latest != NULL || (json_text(document, "owner") != NULL && json_text(document, "name") != NULL);
    bool is_version = json_object_get(document, "openapi_schema") != NULL ||
                      (json_text(document, "id") != NULL && json_object_get(document, "cog_version") != NULL);
    *is_known = is_model || is_version;
    return is_model ? latest : document;
}

static void read_identity(const json_t *document, const json_t *version, struct model_schema *schema)
{
    const char *owner = json_text(document, "owner"), *name = json_text(document, "name");
    const char *id = json_text(version, "id");
    const json_t *official = json_object_get(document, "is_official");
    bool has_name = owner != NULL && name != NULL && owner[0] != '\0' && name[0] != '\0';
    schema->name = has_name ? xasprintf("%s/%s", owner, name) : xstrdup("");
    /* Half an id would be that of no version. */
    if (id != NULL && strlen(id) < sizeof schema->version)
        snprintf(schema->version, sizeof schema->version, "%s", id);
    if (json_is_boolean(official))
        schema->official = json_is_true(official) ? MODEL_OFFICIAL : MODEL_COMMUNITY;
}

static struct model_schema *read_document(const json_t *document, const json_t *version)
{
    struct counted *counted = xcalloc(1, sizeof *counted);
    atomic_init(&counted->references, 1);
    const json_t *openapi = json_object_get(version, "openapi_schema");
    struct schema_reader reader = {
        .components = json_object_get(json_object_get(openapi, "components"), "schemas"),
        .left = SCHEMAS_MAX,
    };
    read_identity(document, version, &counted->schema);
    /* First, lest a document with too many inputs leaves nothing for it. */
    counted->schema.output = read_output(&reader);
    read_input_schema(&reader, counted);
    return &counted->schema;
}

struct model_schema *model_schema_parse(const char *bytes, size_t length, struct error *err)
{
    json_t *document = json_parse_lenient(bytes, length);
    bool is_known = false;
    const json_t *version = version_of(document, &is_known);
    struct model_schema *schema = is_known ? read_document(document, version) : NULL;
    json_decref(document);
    if (schema == NULL)
        error_set(err, ERROR_UPSTREAM_ERROR, NULL,
                  "Replicate's answer about the model is not the description of a model. Send the request again.");
    return schema;
}
