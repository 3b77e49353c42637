/* A value made to fit what an input may be: types, ranges, words, lists, unions; and what is told where it cannot. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "call_help.h"
#include "check_main.h"
#include "openai/mapping.h"

static struct call call;
static struct route route;

/* Single quotes → double quotes; the caller frees. */
static char *quoted(const char *text)
{
    char *copy = strdup(text);
    ck_assert_ptr_nonnull(copy);
    for (char *c = copy; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    return copy;
}

/* A model with a prompt and the input `x` of this kind. */
static struct model_schema *model_with(const char *kind)
{
    struct buf text;
    struct error err = {0};
    buf_init(&text, 1 << 16);
    buf_printf(&text,
               "{'latest_version':{'id':'v','openapi_schema':{'components':{'schemas':{'size':{'type':'string',"
               "'enum':['small','large']},'Input':{'type':'object','properties':{'prompt':{'type':'string'},"
               "'x':%s}}}}}}}",
               kind);
    char *json = quoted(buf_text(&text));
    struct model_schema *schema = model_schema_parse(json, strlen(json), &err);
    ck_assert_msg(schema != NULL, "%s: %s", kind, err.message);
    free(json);
    buf_dispose(&text);
    return schema;
}

/* Sends `given` as `x`, which OpenAI does not know. */
static json_t *map(const struct model_schema *schema, const char *given, struct error *err)
{
    struct buf body;
    buf_init(&body, 1 << 16);
    buf_printf(&body, "{'model':'m','messages':[{'role':'user','content':'Hi'}],'x':%s}", given);
    char *json = quoted(buf_text(&body));
    help_route(&route, "{}");
    ck_assert_msg(help_decode(&call, json, err), "%s", err->message);
    json_t *input = mapping_input(&call, &route, schema, err);
    free(json);
    buf_dispose(&body);
    return input;
}

static void done(json_t *input)
{
    json_decref(input);
    call_dispose(&call);
    help_route_dispose(&route);
}

static const struct row {
    const char *kind, *given, *fitted; /* NULL: it does not fit */
    bool changed;
} rows[] = {
    /* as it is */
    {"{'type':'integer'}", "7", "7", false},
    {"{'type':'number'}", "0.25", "0.25", false},
    {"{'type':'number'}", "1", "1", false},
    {"{'type':'string'}", "'a'", "'a'", false},
    {"{'type':'string'}", "''", "''", false},
    {"{'type':'boolean'}", "false", "false", false},
    {"{'type':'object'}", "{'a':[1,null]}", "{'a':[1,null]}", false},
    {"{'type':'array'}", "[1,'a']", "[1,'a']", false},
    {"{}", "{'a':1}", "{'a':1}", false},
    {"{}", "'5'", "'5'", false},
    {"{'type':'string','nullable':true}", "'a'", "'a'", false},
    {"{'anyOf':[{'type':'integer'},{'type':'null'}]}", "3", "3", false},
    /* ranges */
    {"{'type':'integer','minimum':1,'maximum':10}", "11", "10", true},
    {"{'type':'integer','minimum':1,'maximum':10}", "-3", "1", true},
    {"{'type':'integer','minimum':1,'maximum':10}", "10", "10", false},
    {"{'type':'integer','minimum':1.0,'maximum':10.0}", "99", "10", true},
    {"{'type':'number','minimum':0.01,'maximum':5}", "0", "0.01", true},
    {"{'type':'number','minimum':0.01,'maximum':5}", "6.5", "5", true},
    {"{'type':'integer','exclusiveMinimum':0}", "0", "1", true},
    {"{'type':'integer','exclusiveMaximum':8}", "8", "7", true},
    {"{'type':'number','exclusiveMinimum':0,'maximum':2}", "0", "0.002", true},
    {"{'type':'number','minimum':0,'maximum':1,'exclusiveMaximum':true}", "1", "0.999", true},
    {"{'type':'number','exclusiveMinimum':0}", "0", "0.001", true},
    {"{'type':'integer','maximum':2147483647}", "9007199254740993", "2147483647", true},
    {"{'type':'integer'}", "9223372036854775807", "9223372036854775807", false},
    {"{'type':'integer'}", "1e300", "9223372036854775807", true},
    {"{'type':'integer'}", "-1e300", "-9223372036854775808", true},
    {"{'type':'integer','minimum':5,'maximum':1}", "3", "3", false},
    /* numbers */
    {"{'type':'integer'}", "5.0", "5", false},
    {"{'type':'integer'}", "5.4", "5", true},
    {"{'type':'integer'}", "-5.6", "-6", true},
    {"{'type':'integer','maximum':5}", "5.4", "5", true},
    {"{'type':'integer'}", "'5'", "5", false},
    {"{'type':'number'}", "'0.5'", "0.5", false},
    {"{'type':'integer','maximum':4}", "'5'", "4", true},
    {"{'type':'integer'}", "'five'", NULL, false},
    {"{'type':'integer'}", "''", NULL, false},
    {"{'type':'number'}", "'nan'", NULL, false},
    {"{'type':'number'}", "'Infinity'", NULL, false},
    {"{'type':'number'}", "'0x10'", NULL, false},
    {"{'type':'number'}", "'1e999'", NULL, false},
    {"{'type':'integer'}", "true", "1", false},
    {"{'type':'integer'}", "{}", NULL, false},
    /* texts and booleans */
    {"{'type':'string'}", "5", "'5'", false},
    {"{'type':'string'}", "0.5", "'0.5'", false},
    {"{'type':'string'}", "true", "'true'", false},
    {"{'type':'string'}", "{'a':1}", NULL, false},
    {"{'type':'string','maxLength':3}", "'äöü'", "'äöü'", false},
    {"{'type':'string','maxLength':3}", "'abcd'", NULL, false},
    {"{'type':'boolean'}", "'True'", "true", false},
    {"{'type':'boolean'}", "'false'", "false", false},
    {"{'type':'boolean'}", "1", "true", false},
    {"{'type':'boolean'}", "0", "false", false},
    {"{'type':'boolean'}", "2", NULL, false},
    {"{'type':'boolean'}", "'yes'", NULL, false},
    /* words */
    {"{'type':'string','enum':['webp','jpg']}", "'jpg'", "'jpg'", false},
    {"{'type':'string','enum':['webp','jpg']}", "'JPG'", "'jpg'", false},
    {"{'type':'string','enum':['webp','jpg']}", "'png'", NULL, false},
    {"{'allOf':[{'$ref':'#/components/schemas/size'}]}", "'LARGE'", "'large'", false},
    {"{'type':'string','enum':['1','0.25']}", "0.25", "'0.25'", false},
    {"{'type':'string','enum':['1','0.25']}", "1.0", "'1'", false},
    {"{'type':'string','enum':['1','0.25']}", "3", "'1'", true},
    {"{'type':'integer','enum':[4,8,12]}", "8", "8", false},
    {"{'type':'integer','enum':[4,8,12]}", "'8'", "8", false},
    {"{'type':'integer','enum':[4,8,12]}", "10.5", "12", true},
    {"{'type':'integer','enum':[4,8,12]}", "'many'", NULL, false},
    {"{'type':'string','enum':['auto','2','4']}", "9", "'4'", true},
    {"{'type':'string','enum':['16:9','1:1']}", "1", NULL, false},
    {"{'type':'boolean','enum':[true]}", "'true'", "true", false},
    {"{'type':'string','enum':['true','false']}", "false", "'false'", false},
    {"{'type':'string','enum':['a','b']}", "['b']", "'b'", false},
    {"{'type':'string','enum':['a','b']}", "['a','b']", NULL, false},
    {"{'type':'string','enum':['a',null]}", "'A'", "'a'", false},
    /* words in an order */
    {"{'type':'string','enum':['minimal','low','medium','high']}", "'xhigh'", "'high'", true},
    {"{'type':'string','enum':['minimal','low','medium','high']}", "'none'", "'minimal'", true},
    {"{'type':'string','enum':['low','high']}", "'medium'", "'high'", true},
    {"{'type':'string','enum':['low','high']}", "'minimal'", "'low'", true},
    {"{'type':'string','enum':['None','medium']}", "'low'", "'medium'", true},
    {"{'type':'string','enum':['None','medium']}", "'minimal'", "'None'", true},
    {"{'type':'string','enum':['off','standard','max']}", "'none'", "'off'", false},
    {"{'type':'string','enum':['off','standard','max']}", "'xhigh'", "'max'", false},
    {"{'type':'string','enum':['standard','pro']}", "'high'", NULL, false},
    /* lists */
    {"{'type':'array','items':{'type':'string'}}", "'a'", "['a']", false},
    {"{'type':'array','items':{'type':'string'}}", "[1,'a']", "['1','a']", false},
    {"{'type':'array','items':{'type':'integer','maximum':3}}", "[1,9]", "[1,3]", true},
    {"{'type':'array','items':{'type':'integer'}}", "['a']", NULL, false},
    {"{'type':'array','items':{'type':'object'}}", "{'a':1}", "[{'a':1}]", false},
    {"{'type':'array'}", "5", "[5]", false},
    {"{'type':'array'}", "[null]", NULL, false},
    {"{'type':'array','items':{'type':'string'},'maxItems':2}", "['a','b','c']", NULL, false},
    {"{'type':'array','items':{'type':'string'}}", "[]", "[]", false},
    {"{'type':'string'}", "['a']", "'a'", false},
    {"{'type':'string'}", "[['a']]", "'a'", false},
    {"{'type':'string'}", "['a','b']", NULL, false},
    {"{'type':'string'}", "[]", NULL, false},
    {"{'type':'integer','maximum':3}", "['7']", "3", true},
    /* unions */
    {"{'anyOf':[{'type':'integer'},{'type':'string'}]}", "'5'", "'5'", false},
    {"{'anyOf':[{'type':'integer'},{'type':'string'}]}", "5", "5", false},
    {"{'anyOf':[{'type':'integer'},{'type':'string'}]}", "5.5", "'5.5'", false},
    {"{'anyOf':[{'type':'integer','maximum':3},{'type':'boolean'}]}", "9", "3", true},
    {"{'anyOf':[{'type':'integer','maximum':3},{'type':'integer','maximum':9}]}", "9", "9", false},
    {"{'anyOf':[{'type':'integer'},{'type':'boolean'}]}", "'x'", NULL, false},
    {"{'anyOf':[{'type':'string','enum':['auto']},{'type':'integer'}]}", "'AUTO'", "'auto'", false},
    {"{'anyOf':[{'type':'string','enum':['auto']},{'type':'integer'}]}", "7", "7", false},
    {"{'anyOf':[{'type':'string'},{'type':'array','items':{'type':'string'}}]}", "['a','b']", "['a','b']", false},
    {"{'anyOf':[{'const':'low'},{'const':'high'}]}", "'medium'", "'high'", true},
    {"{'oneOf':[{'const':2},{'const':4}]}", "'4'", "4", false},
};

START_TEST(a_value_is_made_to_fit)
{
    const struct row *row = &rows[_i];
    struct error err = {0};
    struct model_schema *schema = model_with(row->kind);
    json_t *input = map(schema, row->given, &err);
    if (row->fitted == NULL) {
        ck_assert_msg(input == NULL, "%s took %s", row->kind, row->given);
        ck_assert_int_eq(err.kind, ERROR_INVALID_VALUE);
        ck_assert_str_eq(err.param, "x");
    } else {
        ck_assert_msg(input != NULL, "%s, %s: %s", row->kind, row->given, err.message);
        char *text = help_dump(json_object_get(input, "x")), *expected = quoted(row->fitted);
        ck_assert_str_eq(text, expected);
        ck_assert_msg((json_array_size(call.ignored) == 1) == row->changed, "%s, %s", row->kind, row->given);
        free(text);
        free(expected);
    }
    done(input);
    model_schema_unref(schema);
}
END_TEST

static const struct told {
    const char *kind, *given, *text;
} tellings[] = {
    {"{'type':'integer','minimum':1,'maximum':64000}", "'x'", "an integer from 1 to 64000."},
    {"{'type':'number','exclusiveMinimum':0}", "'x'", "a number above 0."},
    {"{'type':'number','maximum':2}", "'x'", "a number up to 2."},
    {"{'type':'boolean'}", "'x'", "true or false."},
    {"{'type':'string','enum':['a','b']}", "'x'", "one of `a`, `b`."},
    {"{'type':'string','enum':['a','b','c','d','e','f','g','h','i','j','k','l']}", "'x'", "`i`, `j` and 2 more."},
    {"{'type':'integer','enum':[4,8]}", "'x'", "one of 4, 8."},
    {"{'type':'string','maxLength':3}", "'long'", "a string of up to 3 characters."},
    {"{'type':'array','items':{'type':'integer'},'maxItems':2}", "[1,2,3]",
     "an array of up to 2 items, each of them an integer."},
    {"{'anyOf':[{'type':'integer'},{'type':'string','enum':['auto']}]}", "'x'", "an integer, or `auto`."},
};

START_TEST(who_sends_a_wrong_value_is_told_what_the_input_takes)
{
    const struct told *row = &tellings[_i];
    struct error err = {0};
    struct model_schema *schema = model_with(row->kind);
    ck_assert_ptr_null(map(schema, row->given, &err));
    ck_assert_msg(strstr(err.message, row->text) != NULL, "%s", err.message);
    done(NULL);
    model_schema_unref(schema);
}
END_TEST

START_TEST(a_wrong_value_is_never_told)
{
    struct error err = {0};
    struct model_schema *schema = model_with("{'type':'integer','x-cog-secret':true}");
    ck_assert_ptr_null(map(schema, "'hidden-token'", &err));
    ck_assert_ptr_null(strstr(err.message, "hidden"));
    done(NULL);
    model_schema_unref(schema);
}
END_TEST

START_TEST(what_is_sent_never_shares_the_schema)
{
    struct error err = {0};
    struct model_schema *schema = model_with("{'type':'string','enum':['small','large']}");
    json_t *input = map(schema, "'LARGE'", &err);
    ck_assert_ptr_nonnull(input);
    json_t *value = json_object_get(input, "x");
    json_t *words = model_schema_find(schema, "x")->value.words;
    ck_assert_ptr_ne(value, json_array_get(words, 1));
    json_string_set(value, "changed");
    ck_assert_str_eq(json_string_value(json_array_get(words, 1)), "large");
    done(input);
    model_schema_unref(schema);
}
END_TEST

START_TEST(null_is_never_sent)
{
    struct error err = {0};
    struct model_schema *schema = model_with("{'type':'string'}");
    json_t *input = map(schema, "null", &err);
    ck_assert_ptr_nonnull(input);
    ck_assert_ptr_null(json_object_get(input, "x"));
    ck_assert_ptr_null(call.ignored);
    done(input);
    model_schema_unref(schema);
}
END_TEST

static Suite *mapping_fit_suite(void)
{
    Suite *suite = suite_create("mapping_fit");
    TCase *fit = tcase_create("fit");
    tcase_add_loop_test(fit, a_value_is_made_to_fit, 0, sizeof rows / sizeof rows[0]);
    tcase_add_loop_test(fit, who_sends_a_wrong_value_is_told_what_the_input_takes, 0,
                        sizeof tellings / sizeof tellings[0]);
    tcase_add_test(fit, a_wrong_value_is_never_told);
    tcase_add_test(fit, what_is_sent_never_shares_the_schema);
    tcase_add_test(fit, null_is_never_sent);
    suite_add_tcase(suite, fit);
    return suite;
}

int main(void)
{
    return suite_run(mapping_fit_suite());
}
