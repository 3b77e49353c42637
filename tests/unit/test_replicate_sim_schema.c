/* The simulated Replicate's judge of inputs: other tests believe what it says. */
#include <string.h>

#include "call_help.h"
#include "check_main.h"
#include "replicate_sim_schema.h"

/* The schema of the input `x`, a value for it as JSON, and what is to be said; NULL = nothing. */
static const struct {
    const char *schema, *value, *problem;
} cases[] = {
    {"{\"type\":\"string\"}", "\"a\"", NULL},
    {"{\"type\":\"string\"}", "1", "Expected: string, given: integer"},
    {"{\"type\":\"integer\"}", "5.0", NULL},
    {"{\"type\":\"integer\"}", "5.5", "Expected: integer, given: number"},
    {"{\"type\":\"integer\"}", "true", "Expected: integer, given: boolean"},
    {"{\"type\":\"number\"}", "5", NULL},
    {"{\"type\":\"boolean\"}", "0", "Expected: boolean, given: integer"},
    {"{\"type\":\"array\"}", "{}", "Expected: array, given: object"},
    {"{\"type\":\"object\"}", "[]", "Expected: object, given: array"},
    {"{}", "[1,\"a\",{}]", NULL},
    {"{}", "null", "given: null"},
    {"{\"type\":\"string\",\"nullable\":true}", "null", "given: null"},
    {"{\"type\":[\"string\",\"null\"]}", "\"a\"", NULL},
    {"{\"type\":[\"string\",\"null\"]}", "null", "given: null"},
    {"{\"type\":[\"string\",\"integer\"]}", "1.5", "Expected: [string,integer], given: number"},
    {"{\"enum\":[\"a\",\"b\"]}", "\"b\"", NULL},
    {"{\"enum\":[\"a\",\"b\"]}", "\"c\"", "input.x must be one of the following: \"a\", \"b\""},
    {"{\"type\":\"integer\",\"enum\":[4,8]}", "8.0", NULL},
    {"{\"type\":\"integer\",\"enum\":[4,8]}", "5", "must be one of the following: 4, 8"},
    {"{\"allOf\":[{\"$ref\":\"#/components/schemas/Words\"}]}", "\"low\"", NULL},
    {"{\"allOf\":[{\"$ref\":\"#/components/schemas/Words\"}]}", "\"odd\"", "must be one of"},
    {"{\"allOf\":[{\"$ref\":\"#/components/schemas/Words\"}]}", "1", "Expected: string, given: integer"},
    {"{\"$ref\":\"#/components/schemas/Words\"}", "\"odd\"", "must be one of"},
    {"{\"$ref\":\"#/components/schemas/Nobody\"}", "\"odd\"", NULL},
    {"{\"$ref\":\"#/components/schemas/Circle\"}", "1", NULL},
    {"{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"null\"}]}", "1", NULL},
    {"{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"null\"}]}", "\"1\"", "Must validate at least one schema"},
    {"{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"number\"}]}", "1", NULL},
    {"{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"number\"}]}", "\"1\"", "Must validate at least one schema"},
    {"{\"type\":\"number\",\"minimum\":0.5}", "0.5", NULL},
    {"{\"type\":\"number\",\"minimum\":0.5}", "0.4", "greater than or equal to 0.5"},
    {"{\"type\":\"number\",\"maximum\":2}", "2.1", "less than or equal to 2"},
    {"{\"type\":\"number\",\"exclusiveMinimum\":0}", "0", "greater than 0"},
    {"{\"type\":\"number\",\"exclusiveMaximum\":1}", "1", "less than 1"},
    {"{\"type\":\"number\",\"minimum\":0,\"exclusiveMinimum\":true}", "0", "greater than 0"},
    {"{\"type\":\"number\",\"maximum\":1,\"exclusiveMaximum\":true}", "1.0", "less than 1"},
    {"{\"type\":\"number\",\"minimum\":0,\"exclusiveMinimum\":false}", "0", NULL},
    {"{\"type\":\"string\",\"maxLength\":2}", "\"é☃\"", NULL},
    {"{\"type\":\"string\",\"maxLength\":2}", "\"abc\"", "less than or equal to 2"},
    {"{\"type\":\"string\",\"format\":\"uri\"}", "\"https://files.example/a\"", NULL},
    {"{\"type\":\"string\",\"format\":\"uri\"}", "\"data:text/plain,a\"", NULL},
    {"{\"type\":\"string\",\"format\":\"uri\"}", "\"a picture\"", "Does not match format 'uri'"},
    {"{\"type\":\"array\",\"maxItems\":1}", "[1,2]", "at most 1 items"},
    {"{\"type\":\"array\",\"items\":{\"type\":\"string\"}}", "[\"a\",2]", "input.x.1`: Invalid type"},
    {"{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Words\"}}", "[\"low\"]", NULL},
    {"{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Words\"}}", "[\"odd\"]", "must be one of"},
};

static bool accepts(const char *input_schema, const char *input, unsigned options, char *sentence, size_t size)
{
    json_t *schemas = help_json("{\"Words\":{\"type\":\"string\",\"enum\":[\"low\",\"high\"]},"
                                "\"Circle\":{\"$ref\":\"#/components/schemas/Circle\"}}");
    json_t *schema = help_json(input_schema), *given = help_json(input);
    const struct sim_schema judge = {.input = schema, .schemas = schemas};
    bool fine = sim_schema_accepts(&judge, given, options, sentence, size);
    json_decref(given);
    json_decref(schema);
    json_decref(schemas);
    return fine;
}

START_TEST(a_value_fits_its_schema_or_is_told_why_not)
{
    char schema[512], input[128], sentence[512];
    snprintf(schema, sizeof schema, "{\"properties\":{\"x\":%s}}", cases[_i].schema);
    snprintf(input, sizeof input, "{\"x\":%s}", cases[_i].value);
    bool fine = accepts(schema, input, 0, sentence, sizeof sentence);
    ck_assert_msg(fine == (cases[_i].problem == NULL), "%s", sentence);
    if (cases[_i].problem != NULL)
        ck_assert_msg(strstr(sentence, cases[_i].problem) != NULL, "%s", sentence);
}
END_TEST

START_TEST(what_is_required_has_to_be_there)
{
    char sentence[512];
    ck_assert(!accepts("{\"required\":[\"x\"],\"properties\":{\"x\":{}}}", "{}", 0, sentence, sizeof sentence));
    ck_assert_str_eq(sentence, "At `input`: x is required.");
    ck_assert(accepts("{\"required\":[\"x\"],\"properties\":{\"x\":{}}}", "{\"x\":0}", 0, sentence, sizeof sentence));
}
END_TEST

START_TEST(names_that_the_schema_lacks_are_told_unless_they_are_allowed)
{
    char sentence[512];
    ck_assert(!accepts("{\"properties\":{\"x\":{}}}", "{\"x\":1,\"y\":2}", 0, sentence, sizeof sentence));
    ck_assert_str_eq(sentence, "The model has no input `y`.");
    ck_assert(
        accepts("{\"properties\":{\"x\":{}}}", "{\"x\":1,\"y\":2}", SIM_SCHEMA_ANY_NAME, sentence, sizeof sentence));
    ck_assert(accepts("{}", "{\"y\":2}", 0, sentence, sizeof sentence));
}
END_TEST

START_TEST(only_what_is_to_be_passed_over_is_passed_over)
{
    static const char link[] = "{\"properties\":{\"x\":{\"type\":\"string\",\"format\":\"uri\",\"maxLength\":3}}}";
    char sentence[512];
    ck_assert(!accepts(link, "{\"x\":\"a\"}", SIM_SCHEMA_ANY_NAME, sentence, sizeof sentence));
    ck_assert(accepts(link, "{\"x\":\"a\"}", SIM_SCHEMA_ANY_URI, sentence, sizeof sentence));
    ck_assert(!accepts(link, "{\"x\":\"abcd\"}", SIM_SCHEMA_ANY_URI, sentence, sizeof sentence));
}
END_TEST

START_TEST(the_schema_is_found_in_the_documents_of_models_and_of_versions)
{
    json_t *model = help_json("{\"latest_version\":{\"openapi_schema\":{\"components\":{\"schemas\":{\"Input\":"
                              "{\"properties\":{\"x\":{\"allOf\":[{\"$ref\":\"#/components/schemas/X\"}]}}},"
                              "\"X\":{\"type\":\"string\"}}}}}}");
    const json_t *version = json_object_get(model, "latest_version");
    const struct sim_schema of_model = sim_schema_of(model), of_version = sim_schema_of(version);
    ck_assert_ptr_nonnull(of_model.input);
    ck_assert_ptr_eq(of_model.input, of_version.input);
    ck_assert_str_eq(json_string_value(json_object_get(sim_schema_property(&of_model, "x"), "type")), "string");
    ck_assert_ptr_null(sim_schema_property(&of_model, "y"));
    json_decref(model);
}
END_TEST

static Suite *schema_suite(void)
{
    Suite *suite = suite_create("replicate_sim_schema");
    TCase *judge = tcase_create("judge");
    tcase_add_loop_test(judge, a_value_fits_its_schema_or_is_told_why_not, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(judge, what_is_required_has_to_be_there);
    tcase_add_test(judge, names_that_the_schema_lacks_are_told_unless_they_are_allowed);
    tcase_add_test(judge, only_what_is_to_be_passed_over_is_passed_over);
    tcase_add_test(judge, the_schema_is_found_in_the_documents_of_models_and_of_versions);
    suite_add_tcase(suite, judge);
    return suite;
}

int main(void)
{
    return suite_run(schema_suite());
}
