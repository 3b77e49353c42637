/* Documents that are made up: every form that JSON Schema has for the same thing, and what is hostile or half there. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/model_schema.h"
#include "check_main.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

enum { DOCUMENT_BYTES = 1 << 24, HOSTILE_COUNT = 5000 };

static struct model_schema *schema;
static struct error err;

static void teardown(void)
{
    model_schema_unref(schema);
    schema = NULL;
}

static void read_document(const char *json)
{
    model_schema_unref(schema);
    err = (struct error){0};
    schema = model_schema_parse(json, strlen(json), &err);
}

/* A version whose inputs, other components and output are these members. */
static void read_version(const char *properties, const char *components)
{
    char *json =
        xasprintf("{\"id\":\"v1\",\"openapi_schema\":{\"components\":{\"schemas\":{\"Input\":{\"type\":\"object\","
                  "\"properties\":{%s}}%s%s}}}}",
                  properties, components[0] != '\0' ? "," : "", components);
    read_document(json);
    ck_assert_msg(schema != NULL, "%s", json);
    ck_assert(schema->has_inputs);
    free(json);
}

static const struct model_value *value_of(const char *name)
{
    const struct model_input *input = model_schema_find(schema, name);
    ck_assert_msg(input != NULL, "%s", name);
    return &input->value;
}

/* ---- documents ---- */

static const char *const strangers[] = {
    "",
    "null",
    "7",
    "[]",
    "\"text\"",
    "{}",
    "{\"detail\":\"Not found.\",\"status\":404}",
    "<html>",
    "{\"id\":\"x\"}",
    "{\"latest_version\":",
    "{\"id\":\"x\",\"status\":\"starting\",\"urls\":{}}",
};

START_TEST(what_describes_no_model_is_an_error)
{
    read_document(strangers[_i]);
    ck_assert_ptr_null(schema);
    ck_assert_int_eq(err.kind, ERROR_UPSTREAM_ERROR);
    ck_assert_ptr_nonnull(strstr(err.message, "description of a model"));
    ck_assert_ptr_null(model_schema_parse(strangers[_i], strlen(strangers[_i]), NULL));
}
END_TEST

static const struct {
    const char *json, *name, *version;
    enum model_official official;
    bool has_inputs;
} halves[] = {
    {"{\"owner\":\"o\",\"name\":\"n\",\"is_official\":true}", "o/n", "", MODEL_OFFICIAL, false},
    {"{\"owner\":\"o\",\"name\":\"n\",\"is_official\":false,\"latest_version\":null}", "o/n", "", MODEL_COMMUNITY,
     false},
    {"{\"owner\":\"o\",\"name\":7,\"latest_version\":7,\"is_official\":\"yes\"}", "", "", MODEL_OFFICIAL_UNKNOWN,
     false},
    {"{\"latest_version\":{\"id\":\"v\"}}", "", "v", MODEL_OFFICIAL_UNKNOWN, false},
    {"{\"latest_version\":{\"id\":7,\"openapi_schema\":null}}", "", "", MODEL_OFFICIAL_UNKNOWN, false},
    {"{\"latest_version\":{\"id\":\"v\",\"openapi_schema\":{\"components\":[]}}}", "", "v", MODEL_OFFICIAL_UNKNOWN,
     false},
    {"{\"id\":\"v\",\"cog_version\":\"0.1\"}", "", "v", MODEL_OFFICIAL_UNKNOWN, false},
    {"{\"id\":\"v\",\"openapi_schema\":{\"components\":{\"schemas\":{}}}}", "", "v", MODEL_OFFICIAL_UNKNOWN, false},
    {"{\"id\":\"v\",\"openapi_schema\":{\"components\":{\"schemas\":{\"Input\":[]}}}}", "", "v", MODEL_OFFICIAL_UNKNOWN,
     false},
    {"{\"id\":\"v\",\"openapi_schema\":{\"components\":{\"schemas\":{\"Input\":{\"properties\":[]}}}}}", "", "v",
     MODEL_OFFICIAL_UNKNOWN, false},
    {"{\"id\":\"v\",\"openapi_schema\":{\"components\":{\"schemas\":{\"Input\":{\"type\":\"object\"}}}}}", "", "v",
     MODEL_OFFICIAL_UNKNOWN, true},
    {"{\"id\":\"v\",\"openapi_schema\":{\"components\":{\"schemas\":{\"Input\":"
     "{\"$ref\":\"#/components/schemas/Input\"}}}}}",
     "", "v", MODEL_OFFICIAL_UNKNOWN, false},
    {"{\"id\":\"v\\u0000\",\"openapi_schema\":{}}", "", "v\xEF\xBF\xBD", MODEL_OFFICIAL_UNKNOWN, false},
    {"{\"id\":\"01234567890123456789012345678901234567890123456789012345678901234567890123456789\","
     "\"openapi_schema\":{}}",
     "", "", MODEL_OFFICIAL_UNKNOWN, false},
};

START_TEST(a_document_may_be_half_there)
{
    read_document(halves[_i].json);
    ck_assert_msg(schema != NULL, "%s", err.message);
    ck_assert_str_eq(schema->name, halves[_i].name);
    ck_assert_str_eq(schema->version, halves[_i].version);
    ck_assert_int_eq(schema->official, halves[_i].official);
    ck_assert_int_eq(schema->has_inputs, halves[_i].has_inputs);
    ck_assert_uint_eq(schema->input_count, 0);
    ck_assert_int_eq(schema->output, MODEL_OUTPUT_OTHER);
    ck_assert_ptr_null(model_schema_find(schema, "prompt"));
}
END_TEST

/* ---- types ---- */

#define REF(name) "\"$ref\":\"#/components/schemas/" name "\""

static const struct {
    const char *schema;
    unsigned types;
    const char *name;
} types[] = {
    {"{\"type\":\"string\"}", VALUE_STRING, "string"},
    {"{\"type\":\"number\"}", VALUE_NUMBER, "number"},
    {"{\"type\":[\"integer\",\"null\"]}", VALUE_INTEGER, "integer"},
    {"{\"type\":[\"number\",\"integer\"]}", VALUE_NUMBER, "number"},
    {"{\"type\":[\"boolean\",\"string\"]}", VALUE_BOOLEAN | VALUE_STRING, "any"},
    {"{}", VALUE_ANY, "any"},
    {"true", VALUE_ANY, "any"},
    {"{\"type\":\"file\"}", VALUE_ANY, "any"},
    {"{\"type\":{\"a\":1}}", VALUE_ANY, "any"},
    {"{\"type\":\"null\"}", VALUE_ANY, "any"},
    {"{\"enum\":[1,2]}", VALUE_INTEGER, "integer"},
    {"{\"enum\":[\"a\",2]}", VALUE_STRING | VALUE_INTEGER, "any"},
    {"{\"const\":true}", VALUE_BOOLEAN, "boolean"},
    {"{" REF("word") "}", VALUE_STRING, "string"},
    {"{\"allOf\":[{" REF("word") "}]}", VALUE_STRING, "string"},
    {"{\"allOf\":[{\"type\":\"number\"},{\"type\":\"integer\"}]}", VALUE_INTEGER, "integer"},
    {"{\"allOf\":[{\"type\":\"string\"},{\"type\":\"integer\"}]}", VALUE_STRING, "string"},
    {"{" REF("nothing") "}", VALUE_ANY, "any"},
    {"{" REF("loop") "}", VALUE_ANY, "any"},
    {"{\"$ref\":\"https://example.com/schema#/components/schemas/word\"}", VALUE_ANY, "any"},
    {"{\"$ref\":7,\"type\":\"array\"}", VALUE_ARRAY, "array"},
    {"{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"null\"}]}", VALUE_INTEGER, "integer"},
    {"{\"oneOf\":[{\"type\":\"null\"},{" REF("word") "}]}", VALUE_STRING, "string"},
    {"{\"anyOf\":[{\"type\":[\"null\"]},{\"enum\":[null]},{\"const\":null},{\"type\":\"object\"}]}", VALUE_OBJECT,
     "object"},
    {"{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"number\"}]}", VALUE_NUMBER, "number"},
    {"{\"anyOf\":[{\"type\":\"null\"}]}", VALUE_ANY, "any"},
    {"{\"anyOf\":[]}", VALUE_ANY, "any"},
    {"{\"anyOf\":{}}", VALUE_ANY, "any"},
};

static const char others[] =
    "\"word\":{\"type\":\"string\",\"enum\":[\"a\",null,\"b\"]},"
    "\"loop\":{\"allOf\":[{" REF("loop") "},{" REF("loop") "}]},"
                                                           "\"tree\":{\"type\":\"array\",\"items\":{" REF("tree") "}}";

START_TEST(a_type_is_found_in_all_its_forms)
{
    char *property = xasprintf("\"x\":%s", types[_i].schema);
    read_version(property, others);
    ck_assert_msg(value_of("x")->types == types[_i].types, "%s: %u", property, value_of("x")->types);
    ck_assert_str_eq(model_value_type_name(value_of("x")), types[_i].name);
    free(property);
}
END_TEST

START_TEST(null_is_no_word)
{
    read_version("\"a\":{\"allOf\":[{" REF("word") "}],\"default\":\"b\"},\"b\":{" REF(
                     "word") "},"
                             "\"c\":{\"enum\":[null]},\"d\":{\"enum\":[]},\"e\":{\"enum\":7},\"f\":{\"const\":null}",
                 others);
    ck_assert_uint_eq(json_array_size(value_of("a")->words), 2);
    ck_assert_uint_eq(json_array_size(value_of("b")->words), 2);
    ck_assert_str_eq(json_string_value(json_array_get(value_of("b")->words, 1)), "b");
    for (const char *name = "c\0d\0e\0f\0"; *name != '\0'; name += 2)
        ck_assert_ptr_null(value_of(name)->words);
}
END_TEST

START_TEST(a_union_has_variants)
{
    read_version(
        "\"mood\":{\"anyOf\":[{\"const\":\"low\"},{\"enum\":[\"mid\",\"high\"]},{\"type\":\"null\"}]},"
        "\"size\":{\"anyOf\":[{\"type\":\"integer\",\"minimum\":1},{" REF(
            "word") "},{\"type\":\"null\"}]},"
                    "\"image\":{\"anyOf\":[{\"type\":\"string\",\"format\":\"uri\"},"
                    "{\"type\":\"array\",\"items\":{\"type\":\"string\",\"format\":\"uri\"}}]},"
                    "\"key\":{\"anyOf\":[{\"type\":\"string\",\"format\":\"password\"},{\"type\":\"integer\"}]}",
        others);
    const struct model_value *size = value_of("size"), *mood = value_of("mood");
    ck_assert_uint_eq(size->variant_count, 2);
    ck_assert(mood->variant_count == 0 && json_array_size(mood->words) == 3); /* one enum, whatever it is written as */
    ck_assert_uint_eq(size->types, VALUE_INTEGER | VALUE_STRING);
    ck_assert(size->variants[0].has_minimum && !size->has_minimum);
    ck_assert_uint_eq(json_array_size(size->variants[1].words), 2);
    const struct model_value *image = value_of("image");
    ck_assert(image->variants[0].is_uri && image->variants[1].items->is_uri);
    ck_assert(value_of("key")->is_secret && !image->is_secret);
}
END_TEST

START_TEST(items_are_values_of_their_own)
{
    read_version("\"words\":{\"type\":\"array\",\"items\":{" REF(
                     "word") "},\"maxItems\":3},"
                             "\"any\":{\"type\":\"array\"},\"odd\":{\"type\":\"array\",\"items\":[1],\"maxItems\":-1},"
                             "\"tree\":{" REF("tree") "}",
                 others);
    ck_assert_uint_eq(value_of("words")->max_items, 3);
    ck_assert_uint_eq(json_array_size(value_of("words")->items->words), 2);
    ck_assert_ptr_null(value_of("any")->items);
    ck_assert_ptr_null(value_of("odd")->items);
    ck_assert_uint_eq(value_of("odd")->max_items, 0);
    int depth = 0;
    for (const struct model_value *value = value_of("tree"); value != NULL; value = value->items)
        depth++;
    ck_assert_int_gt(depth, 2);
    ck_assert_int_le(depth, 9);
}
END_TEST

/* ---- bounds ---- */

static const struct {
    const char *schema;
    bool has_minimum, has_maximum;
    double minimum, maximum;
    bool excludes_minimum, excludes_maximum;
} bounds[] = {
    {"\"type\":\"number\",\"minimum\":0,\"maximum\":1.5", true, true, 0, 1.5, false, false},
    {"\"type\":\"number\",\"minimum\":0,\"exclusiveMinimum\":true", true, false, 0, 0, true, false},
    {"\"type\":\"number\",\"minimum\":0,\"exclusiveMinimum\":false", true, false, 0, 0, false, false},
    {"\"type\":\"number\",\"exclusiveMinimum\":0,\"exclusiveMaximum\":1", true, true, 0, 1, true, true},
    {"\"type\":\"number\",\"maximum\":2,\"exclusiveMaximum\":1", false, true, 0, 1, false, true},
    {"\"type\":\"number\",\"maximum\":1,\"exclusiveMaximum\":2", false, true, 0, 1, false, false},
    {"\"type\":\"number\",\"maximum\":1,\"exclusiveMaximum\":1", false, true, 0, 1, false, true},
    {"\"type\":\"integer\",\"minimum\":1.0,\"maximum\":4", true, true, 1, 4, false, false},
    {"\"type\":\"integer\",\"minimum\":0.5,\"maximum\":4.5", true, true, 1, 4, false, false},
    {"\"type\":\"integer\",\"minimum\":0,\"exclusiveMinimum\":true,\"maximum\":4,\"exclusiveMaximum\":true", true, true,
     1, 3, false, false},
    {"\"type\":\"integer\",\"exclusiveMinimum\":-1,\"exclusiveMaximum\":4.5", true, true, 0, 4, false, false},
    {"\"allOf\":[{\"type\":\"integer\",\"minimum\":2}],\"minimum\":1", true, false, 2, 0, false, false},
    {"\"anyOf\":[{\"type\":\"integer\",\"maximum\":9},{\"type\":\"null\"}]", false, true, 0, 9, false, false},
    {"\"type\":\"number\",\"minimum\":3,\"maximum\":2", false, false, 0, 0, false, false},
    {"\"type\":\"number\",\"minimum\":2,\"exclusiveMaximum\":2", false, false, 0, 0, false, false},
    {"\"type\":\"integer\",\"exclusiveMinimum\":1,\"exclusiveMaximum\":2", false, false, 0, 0, false, false},
    {"\"type\":\"integer\",\"minimum\":3,\"maximum\":3", true, true, 3, 3, false, false},
    {"\"type\":\"number\",\"minimum\":\"0\",\"maximum\":null", false, false, 0, 0, false, false},
    {"\"type\":\"number\",\"maximum\":1e300", false, true, 0, 1e300, false, false},
};

START_TEST(bounds_are_read_in_both_dialects)
{
    char *property = xasprintf("\"x\":{%s}", bounds[_i].schema);
    read_version(property, others);
    const struct model_value *value = value_of("x");
    ck_assert_int_eq(value->has_minimum, bounds[_i].has_minimum);
    ck_assert_int_eq(value->has_maximum, bounds[_i].has_maximum);
    ck_assert_double_eq(value->minimum, bounds[_i].minimum);
    ck_assert_double_eq(value->maximum, bounds[_i].maximum);
    ck_assert_int_eq(value->excludes_minimum, bounds[_i].excludes_minimum);
    ck_assert_int_eq(value->excludes_maximum, bounds[_i].excludes_maximum);
    free(property);
}
END_TEST

/* ---- inputs ---- */

START_TEST(the_order_is_that_of_x_order_and_then_of_names)
{
    static const char *const names[] = {"z", "b", "m", "c", "a", "y"};
    read_version(
        "\"y\":{\"x-order\":\"1\"},\"a\":{},\"b\":{\"x-order\":0},\"c\":{\"x-order\":7.0},\"m\":{\"x-order\":0},"
        "\"z\":{\"x-order\":-5},\"n1\":null,\"n2\":7,\"n3\":[],\"\":{\"type\":\"string\"}",
        "");
    ck_assert_uint_eq(schema->input_count, ROWS(names));
    for (int i = 0; i < ROWS(names); i++) {
        ck_assert_str_eq(schema->inputs[i].name, names[i]);
        ck_assert_int_eq(schema->inputs[i].order, i);
    }
}
END_TEST

START_TEST(an_input_is_described)
{
    read_version("\"a\":{\"type\":\"string\",\"maxLength\":5,\"deprecated\":true,\"description\":\"What it is\","
                 "\"default\":null},\"b\":{\"description\":7,\"default\":0,\"writeOnly\":true,\"maxLength\":\"5\"},"
                 "\"c\":{\"x-cog-secret\":true,\"format\":\"uri\",\"nullable\":true,\"default\":{\"k\":[1]}}",
                 "\"Output\":{\"type\":\"string\"}");
    const struct model_input *a = model_schema_find(schema, "a"), *b = model_schema_find(schema, "b");
    const struct model_input *c = model_schema_find(schema, "c");
    ck_assert(a->is_deprecated && !b->is_deprecated && !a->is_required);
    ck_assert_str_eq(a->description, "What it is");
    ck_assert_str_eq(b->description, "");
    ck_assert_uint_eq(a->value.max_length, 5);
    ck_assert_uint_eq(b->value.max_length, 0);
    ck_assert_ptr_null(a->fallback);
    ck_assert_int_eq(json_integer_value(b->fallback), 0);
    ck_assert_uint_eq(json_object_size(c->fallback), 1);
    ck_assert(!a->value.is_secret && b->value.is_secret && c->value.is_secret && c->value.is_uri);
    ck_assert_int_eq(schema->output, MODEL_OUTPUT_TEXT);
}
END_TEST

START_TEST(required_names_that_are_no_inputs_mean_nothing)
{
    read_document("{\"id\":\"v\",\"openapi_schema\":{\"components\":{\"schemas\":{\"Input\":{\"required\":"
                  "[\"b\",\"zzz\",7,null,\"b\"],\"properties\":{\"a\":{},\"b\":{}}}}}}}");
    ck_assert(!model_schema_find(schema, "a")->is_required);
    ck_assert(model_schema_find(schema, "b")->is_required);
}
END_TEST

/* ---- outputs ---- */

static const struct {
    const char *schema;
    enum model_output output;
} outputs[] = {
    {"{\"type\":\"string\"}", MODEL_OUTPUT_TEXT},
    {"{\"type\":\"string\",\"format\":\"uri\"}", MODEL_OUTPUT_FILES},
    {"{\"type\":\"array\",\"items\":{\"type\":\"string\"}}", MODEL_OUTPUT_TEXT},
    {"{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"x-cog-array-type\":\"iterator\"}",
     MODEL_OUTPUT_TEXT_STREAM},
    {"{\"type\":\"array\",\"items\":{\"type\":\"string\",\"format\":\"uri\"},\"x-cog-array-type\":\"iterator\"}",
     MODEL_OUTPUT_FILES},
    {"{\"anyOf\":[{\"type\":\"string\",\"format\":\"uri\"},{\"type\":\"null\"}]}", MODEL_OUTPUT_FILES},
    {"{" REF("word") "}", MODEL_OUTPUT_TEXT},
    {"{\"type\":\"object\"}", MODEL_OUTPUT_OTHER},
    {"{\"type\":\"array\",\"items\":{\"type\":\"number\"}}", MODEL_OUTPUT_OTHER},
    {"{\"type\":\"array\"}", MODEL_OUTPUT_OTHER},
    {"{}", MODEL_OUTPUT_OTHER},
    {"7", MODEL_OUTPUT_OTHER},
};

START_TEST(the_output_is_what_it_is_declared_to_be)
{
    char *components = xasprintf("%s,\"Output\":%s", others, outputs[_i].schema);
    read_version("", components);
    ck_assert_msg(schema->output == outputs[_i].output, "%s", outputs[_i].schema);
    free(components);
}
END_TEST

/* ---- too much ---- */

/* "before" and "after" with `count` of `item` in between; an @ in it is the number. */
static char *repeated(const char *before, const char *item, int count, const char *after)
{
    struct buf text;
    buf_init(&text, DOCUMENT_BYTES);
    buf_append_text(&text, before);
    for (int i = 0; i < count; i++) {
        const char *number = strchr(item, '@');
        buf_append_text(&text, i > 0 ? "," : "");
        if (number == NULL)
            buf_append_text(&text, item);
        else
            buf_printf(&text, "%.*s%d%s", (int)(number - item), item, i, number + 1);
    }
    ck_assert(buf_append_text(&text, after));
    return buf_take(&text, NULL);
}

START_TEST(there_is_an_end_to_inputs)
{
    char *properties = repeated("", "\"i@\":{\"type\":\"string\"}", HOSTILE_COUNT, "");
    read_version(properties, "");
    ck_assert_uint_eq(schema->input_count, MODEL_INPUTS_MAX);
    ck_assert_ptr_nonnull(model_schema_find(schema, "i0"));
    free(properties);
}
END_TEST

START_TEST(an_enum_beyond_the_bound_is_none)
{
    char *few = repeated("\"x\":{\"enum\":[", "@", 4096, "]}");
    read_version(few, "");
    ck_assert_uint_eq(json_array_size(value_of("x")->words), 4096);
    free(few);
    char *many = repeated("\"x\":{\"enum\":[", "@", 4097, "]}");
    read_version(many, "");
    ck_assert_ptr_null(value_of("x")->words);
    free(many);
}
END_TEST

START_TEST(a_union_beyond_the_bound_allows_anything)
{
    char *many = repeated("\"x\":{\"anyOf\":[", "{\"type\":\"string\"}", 33, "]}");
    read_version(many, "");
    ck_assert_uint_eq(value_of("x")->variant_count, 0);
    ck_assert_uint_eq(value_of("x")->types, VALUE_ANY);
    free(many);
}
END_TEST

static size_t count_values(const struct model_value *value)
{
    size_t count = 1;
    for (size_t i = 0; i < value->variant_count; i++)
        count += count_values(&value->variants[i]);
    return value->items != NULL ? count + count_values(value->items) : count;
}

/* Each reference leads to thirty more: eight levels of them would be 30^8 values. */
START_TEST(references_that_multiply_come_to_an_end)
{
    char *bomb = repeated("\"bomb\":{\"anyOf\":[", "{" REF("bomb") "}", 30, "]}");
    char *all = repeated("\"all\":{\"allOf\":[", "{" REF("all") "}", 3000, "]}");
    char *components = xasprintf("%s,%s", bomb, all);
    read_version("\"a\":{" REF("bomb") "},\"b\":{" REF("all") "},\"c\":{" REF("bomb") "}", components);
    ck_assert_uint_le(count_values(value_of("a")) + count_values(value_of("c")), 20000);
    ck_assert_uint_gt(count_values(value_of("a")), 1000);
    ck_assert_uint_eq(value_of("b")->types, VALUE_ANY);
    free(bomb);
    free(all);
    free(components);
}
END_TEST

/* Lists that name lists, and one that is long, read as often as they are named, would take minutes. */
START_TEST(lists_that_multiply_come_to_an_end)
{
    char *lists = repeated("\"all\":{\"allOf\":[", "{" REF("all") "}", 100000, "]}");
    char *names = repeated("\"long\":{\"type\":[", "\"string\"", 400000, "]}");
    char *inputs = repeated("\"x\":{" REF("all") "},", "\"i@\":{" REF("long") "}", 500, "");
    char *components = xasprintf("%s,%s", lists, names);
    read_version(inputs, components);
    ck_assert_uint_eq(value_of("x")->types, VALUE_ANY);
    ck_assert_uint_eq(schema->input_count, 501);
    free(lists);
    free(names);
    free(inputs);
    free(components);
}
END_TEST

START_TEST(long_names_are_left_out_and_long_descriptions_cut_between_characters)
{
    char name[130];
    memset(name, 'n', sizeof name);
    struct buf property;
    buf_init(&property, DOCUMENT_BYTES);
    buf_printf(&property, "\"%.128s\":{},\"%.129s\":{},\"x\":{\"description\":\"a", name, name);
    /* One byte, and then characters of two. */
    for (int i = 0; i < 300; i++)
        buf_append_text(&property, "\xC3\xA4");
    buf_append_text(&property, "\"}");
    read_version(buf_text(&property), "");
    ck_assert_uint_eq(schema->input_count, 2);
    ck_assert_uint_eq(strlen(model_schema_find(schema, "x")->description), MODEL_DESCRIPTION_BYTES - 1);
    buf_dispose(&property);
}
END_TEST

static Suite *model_schema_suite(void)
{
    Suite *suite = suite_create("model_schema_odd");
    TCase *tcase = tcase_create("odd");
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_loop_test(tcase, what_describes_no_model_is_an_error, 0, ROWS(strangers));
    tcase_add_loop_test(tcase, a_document_may_be_half_there, 0, ROWS(halves));
    tcase_add_loop_test(tcase, a_type_is_found_in_all_its_forms, 0, ROWS(types));
    tcase_add_test(tcase, null_is_no_word);
    tcase_add_test(tcase, a_union_has_variants);
    tcase_add_test(tcase, items_are_values_of_their_own);
    tcase_add_loop_test(tcase, bounds_are_read_in_both_dialects, 0, ROWS(bounds));
    tcase_add_test(tcase, the_order_is_that_of_x_order_and_then_of_names);
    tcase_add_test(tcase, an_input_is_described);
    tcase_add_test(tcase, required_names_that_are_no_inputs_mean_nothing);
    tcase_add_loop_test(tcase, the_output_is_what_it_is_declared_to_be, 0, ROWS(outputs));
    tcase_add_test(tcase, there_is_an_end_to_inputs);
    tcase_add_test(tcase, an_enum_beyond_the_bound_is_none);
    tcase_add_test(tcase, a_union_beyond_the_bound_allows_anything);
    tcase_add_test(tcase, references_that_multiply_come_to_an_end);
    tcase_add_test(tcase, lists_that_multiply_come_to_an_end);
    tcase_add_test(tcase, long_names_are_left_out_and_long_descriptions_cut_between_characters);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(model_schema_suite());
}
