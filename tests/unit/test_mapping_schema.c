/* Parameters → a model's input by the model's own schema: documents of real models, and others like nothing seen
 * before. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
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

/* A model with these inputs, `required` those that it requires; a name without `{` is one of tests/models. */
static struct model_schema *model_of(const char *inputs, const char *required)
{
    struct buf text;
    struct error err = {0};
    if (strchr(inputs, '{') == NULL)
        return help_model(inputs);
    buf_init(&text, 1 << 16);
    buf_printf(&text,
               "{'latest_version':{'id':'v','openapi_schema':{'components':{'schemas':{'Input':{'type':'object',"
               "'properties':{%s},'required':[%s]}}}}}}",
               inputs, required);
    char *json = quoted(buf_text(&text));
    struct model_schema *schema = model_schema_parse(json, strlen(json), &err);
    ck_assert_msg(schema != NULL, "%s: %s", inputs, err.message);
    free(json);
    buf_dispose(&text);
    return schema;
}

static json_t *map(const struct model_schema *schema, const char *route_text, const char *params, struct error *err)
{
    struct buf body;
    buf_init(&body, 1 << 16);
    buf_printf(&body, "{'model':'m','messages':[{'role':'user','content':'Hi'}]%s}", params);
    char *json = quoted(buf_text(&body)), *route_json = quoted(route_text);
    help_route(&route, route_json);
    ck_assert_msg(help_decode(&call, json, err), "%s", err->message);
    json_t *input = mapping_input(&call, &route, schema, err);
    free(route_json);
    free(json);
    buf_dispose(&body);
    return input;
}

static void done(json_t *input, struct model_schema *schema)
{
    json_decref(input);
    call_dispose(&call);
    help_route_dispose(&route);
    model_schema_unref(schema);
}

static void assert_mapped(const json_t *input, const char *expected, const char *ignored)
{
    struct buf names;
    buf_init(&names, 1024);
    char *text = help_dump(input), *wanted = quoted(expected);
    ck_assert_str_eq(text, wanted);
    ck_assert(call_ignored_text(&call, &names));
    ck_assert_str_eq(buf_text(&names), ignored);
    buf_dispose(&names);
    free(text);
    free(wanted);
}

#define LLAMA2 "meta__llama-2-70b-chat"
#define LLAMA3 "meta__meta-llama-3-8b-instruct"
#define GPT4O "openai__gpt-4o"
#define STRUCTURED "openai__gpt-5-structured"
#define CLAUDE "anthropic__claude-4-sonnet"
#define KIMI "moonshotai__kimi-k2-thinking"
#define ARCTIC "snowflake__snowflake-arctic-instruct"

#define SAMPLING ",'temperature':0,'top_p':0.5,'presence_penalty':1,'frequency_penalty':-1,'seed':7"
#define USER_MESSAGE "[{'role':'user','content':'Hi'}]"

/* Three models like no other: a camel, a shouter, and one that keeps its words in unions. */
#define CAMEL                                                                                                          \
    "'question_text':{'type':'string'},'responseTokenLimit':{'type':'integer','minimum':16,'maximum':900},"            \
    "'samplingTemperature':{'type':'number','exclusiveMinimum':0,'maximum':1},'Top-P':{'type':'number'},"              \
    "'randomSeed':{'type':'integer','minimum':0,'maximum':65535},'stopPhrases':{'type':'array',"                       \
    "'items':{'type':'string'},'maxItems':2},'apiToken':{'type':'string','format':'password'}"
#define SHOUTER                                                                                                        \
    "'USER_QUERY':{'type':'string'},'N_PREDICT':{'type':'number'},'TEMPERATURE':{'type':'number'},"                    \
    "'STOP_AT':{'type':'string','default':'<end>'},'REPETITION_PENALTY':{'type':'number'},"                            \
    "'MAX_INPUT_TOKENS':{'type':'integer'},'RANDOM_SEED':{'type':'integer'}"
#define UNIONS                                                                                                         \
    "'message':{'type':'string'},'output_length':{'anyOf':[{'type':'integer','maximum':100},{'type':'null'}]},"        \
    "'answer_verbosity':{'anyOf':[{'const':'low'},{'const':'high'}]},"                                                 \
    "'thinking_effort':{'oneOf':[{'const':'OFF'},{'const':'STANDARD'},{'const':'MAX'}]},"                              \
    "'mood':{'oneOf':[{'const':'calm'},{'const':'wild'}]}"

static const struct row {
    const char *model, *route, *params, *input, *ignored;
} rows[] = {
    /* names, ranges */
    {KIMI, "{}", SAMPLING, "{'prompt':'Hi','temperature':0,'top_p':0.5,'presence_penalty':1,'frequency_penalty':-1}",
     "seed"},
    {LLAMA2, "{}", SAMPLING, "{'prompt':'Hi','temperature':0.01,'top_p':0.5,'seed':7}",
     "temperature, presence_penalty, frequency_penalty"},
    {GPT4O, "{}", ",'temperature':2,'seed':1", "{'messages':" USER_MESSAGE ",'temperature':2}", "seed"},
    {CLAUDE, "{}", SAMPLING, "{'prompt':'Hi'}", "temperature, top_p, presence_penalty, frequency_penalty, seed"},
    {KIMI, "{}", ",'user':'u','store':true,'metadata':{},'n':2", "{'prompt':'Hi'}", ""},
    {KIMI, "{}", ",'verbosity':'low','logit_bias':{'1':2}", "{'prompt':'Hi'}", "verbosity, logit_bias"},
    {"openai__gpt-5", "{}", ",'verbosity':'high'", "{'messages':" USER_MESSAGE ",'verbosity':'high'}", ""},
    {"'prompt':{'type':'string'},'user_id':{'type':'string'}", "{}", ",'user':'u'", "{'prompt':'Hi','user_id':'u'}",
     ""},
    {"'prompt':{'type':'string'},'user_id':{'type':'string'}", "{}", ",'user':{'a':1}", "{'prompt':'Hi'}", ""},
    {"'prompt':{'type':'string'},'user':{'type':'string'}", "{}", ",'user':'u'", "{'prompt':'Hi'}", ""},
    {"'prompt':{'type':'string'},'repetition_penalty':{'type':'number'},'length_penalty':{'type':'number'}", "{}",
     ",'presence_penalty':1", "{'prompt':'Hi'}", "presence_penalty"},
    {"'prompt':{'type':'string'},'enable_web_search':{'type':'boolean'}", "{}", ",'web_search_options':{}",
     "{'prompt':'Hi','enable_web_search':true}", ""},
    {"'prompt':{'type':'string'},'enable_web_search':{'type':'boolean'}", "{}",
     ",'web_search_options':{'search_context_size':'low'}", "{'prompt':'Hi','enable_web_search':true}",
     "web_search_options"},
    {"'prompt':{'type':'string'},'temperature_decay':{'type':'number'},'top_p_decay':{'type':'number'}", "{}",
     ",'temperature':1,'top_p':0.5", "{'prompt':'Hi'}", "temperature, top_p"},
    /* the token limit: one name, whatever it is called */
    {KIMI, "{}", ",'max_completion_tokens':9", "{'prompt':'Hi','max_tokens':9}", ""},
    {LLAMA2, "{}", ",'max_tokens':9", "{'prompt':'Hi','max_new_tokens':9}", ""},
    {LLAMA3, "{}", ",'max_tokens':9", "{'prompt':'Hi','max_tokens':9}", ""},
    {LLAMA3, "{'input':{'max_new_tokens':500}}", ",'max_tokens':9", "{'max_new_tokens':9,'prompt':'Hi'}", ""},
    {LLAMA3, "{}", ",'max_tokens':9,'max_new_tokens':5", "{'prompt':'Hi','max_tokens':9}", "max_new_tokens"},
    {LLAMA3, "{'input':{'max_tokens':500}}", ",'max_new_tokens':5", "{'prompt':'Hi','max_new_tokens':5}", ""},
    {LLAMA2, "{'input':{'max_tokens':500}}", ",'max_tokens':9", "{'prompt':'Hi','max_new_tokens':9}", ""},
    {GPT4O, "{}", ",'max_tokens':9", "{'messages':" USER_MESSAGE ",'max_completion_tokens':9}", ""},
    {"google__gemini-2.5-flash", "{}", ",'max_tokens':100000", "{'prompt':'Hi','max_output_tokens':65535}",
     "max_tokens"},
    {CLAUDE, "{}", ",'max_completion_tokens':5", "{'prompt':'Hi','max_tokens':1024}", "max_completion_tokens"},
    {CLAUDE, "{'params':{'max_tokens':5}}", "", "{'prompt':'Hi','max_tokens':1024}", ""},
    {"'prompt':{'type':'string'},'max_tokens':{'type':'integer','deprecated':true},'max_gen_len':{'type':'integer'}",
     "{}", ",'max_tokens':5", "{'prompt':'Hi','max_gen_len':5}", ""},
    {"'prompt':{'type':'string'},'max_tokens':{'type':'integer','deprecated':true}", "{}", ",'max_tokens':5",
     "{'prompt':'Hi','max_tokens':5}", ""},
    {"'prompt':{'type':'string'},'max_input_tokens':{'type':'integer'},'thinking_max_tokens':{'type':'integer'}", "{}",
     ",'max_tokens':5", "{'prompt':'Hi'}", "max_tokens"},
    /* what the operator says goes before what the schema says */
    {KIMI, "{'map':{'temperature':null}}", ",'temperature':1", "{'prompt':'Hi'}", "temperature"},
    {KIMI, "{'map':{'seed':'odd'}}", ",'seed':7", "{'prompt':'Hi','odd':7}", ""},
    {KIMI, "{'map':{'temperature':'max_tokens'}}", ",'temperature':0.7", "{'prompt':'Hi','max_tokens':1}",
     "temperature"},
    {KIMI, "{'input':{'odd':1,'none':null,'temperature':5}}", "", "{'odd':1,'temperature':5,'prompt':'Hi'}", ""},
    {KIMI, "{'dropped':['temperature','odd','max_completion_tokens']}", ",'temperature':1,'odd':1,'max_tokens':5",
     "{'prompt':'Hi'}", "temperature, max_tokens, odd"},
    {KIMI, "{'dropped':['top_p'],'params':{'top_p':0.5}}", "", "{'prompt':'Hi'}", ""},
    {LLAMA2, "{'dropped':['top_k','tools']}", ",'top_k':1,'tools':[{}]", "{'prompt':'Hi'}", "tools, top_k"},
    /* a placeholder is no schema */
    {"'name':{'type':'string'}", "{'map':{'prompt':'prompt'}}", ",'temperature':1,'top_k':4",
     "{'prompt':'Hi','temperature':1,'top_k':4}", ""},
    /* the model's own names */
    {LLAMA2, "{}", ",'top_k':5,'debug':true,'min_p':0.1", "{'prompt':'Hi','top_k':5,'debug':true}", "min_p"},
    {LLAMA2, "{}", ",'top_k':-5,'debug':'true'", "{'prompt':'Hi','top_k':0,'debug':true}", "top_k"},
    {LLAMA2, "{}", ",'prompt':'other'", "{'prompt':'Hi'}", "prompt"},
    {LLAMA2, "{'input':{'odd':1}}", ",'odd':'x'", "{'odd':'x','prompt':'Hi'}", ""},
    {LLAMA2, "{}", ",'system_prompt':'Be.','top_k':null", "{'prompt':'Hi','system_prompt':'Be.'}", ""},
    /* the messages stay where they are, whatever else goes by that name */
    {"'effort':{'type':'string'}", "{}", ",'reasoning_effort':'low'", "{'effort':'Hi'}", "reasoning_effort"},
    /* formats */
    {STRUCTURED, "{}", ",'response_format':{'type':'json_schema','json_schema':{'name':'x','strict':true,'schema':{}}}",
     "{'input_item_list':[{'role':'user','content':[{'type':'input_text','text':'Hi'}]}],'json_schema':{'format':"
     "{'type':'json_schema','name':'x','strict':true,'schema':{}}}}",
     ""},
    {"'prompt':{'type':'string'},'response_format':{'type':'object'}", "{}",
     ",'response_format':{'type':'json_object'}", "{'prompt':'Hi','response_format':{'type':'json_object'}}", ""},
    {KIMI, "{'drop_params':true}", ",'response_format':{'type':'json_object'}", "{'prompt':'Hi'}", "response_format"},
    {"ibm-granite__granite-3.3-8b-instruct", "{'map':{'tools':'tools'}}", ",'tools':[{}]",
     "{'messages':" USER_MESSAGE ",'tools':[{}]}", ""},
    /* stops: the model's own are kept */
    {LLAMA2, "{}", ",'stop':['a','x,y','b']", "{'prompt':'Hi','stop_sequences':'a,b'}", ""},
    {LLAMA3, "{}", ",'stop':['a','<|eot_id|>']", "{'prompt':'Hi','stop_sequences':'a,<|eot_id|>,<|end_of_text|>'}", ""},
    {LLAMA3, "{'input':{'stop_sequences':'<|x|>'}}", ",'stop':'a'",
     "{'stop_sequences':'<|x|>,a,<|end_of_text|>,<|eot_id|>','prompt':'Hi'}", ""},
    {ARCTIC, "{'map':{'stop':null}}", ",'stop':'a'", "{'prompt':'Hi'}", ""},
    {KIMI, "{}", ",'stop':'a'", "{'prompt':'Hi'}", ""},
    {"'prompt':{'type':'string'},'stop':{'type':'array','items':{'type':'string'},'default':['<e>']}", "{}",
     ",'stop':'a,b'", "{'prompt':'Hi','stop':['a,b','<e>']}", ""},
    {"'prompt':{'type':'string'},'stop':{'type':'array','items':{'type':'string'},'maxItems':2,'default':['<e>']}",
     "{}", ",'stop':['a','b']", "{'prompt':'Hi','stop':['a','<e>']}", ""},
    {"'prompt':{'type':'string'},'stop_time':{'type':'string'},'nonstop':{'type':'string'}", "{}", ",'stop':'a'",
     "{'prompt':'Hi'}", ""},
    {"'prompt':{'type':'string'},'stop_mode':{'type':'string','enum':['x','y']}", "{}", ",'stop':'a'",
     "{'prompt':'Hi'}", ""},
    {"'prompt':{'type':'string'},'early_stopping':{'type':'boolean'}", "{}", ",'stop':'a'", "{'prompt':'Hi'}", ""},
    /* models like no other */
    {CAMEL, "{}", ",'max_tokens':1000,'temperature':0,'top_p':0.5,'seed':70000,'stop':['a','b','c'],'apiToken':'t'",
     "{'question_text':'Hi','responseTokenLimit':900,'samplingTemperature':0.001,'Top-P':0.5,'randomSeed':65535,"
     "'stopPhrases':['a','b'],'apiToken':'t'}",
     "max_tokens, temperature, seed"},
    {CAMEL, "{}", ",'responseTokenLimit':20,'max_new_tokens':5", "{'question_text':'Hi','responseTokenLimit':20}",
     "max_new_tokens"},
    {SHOUTER, "{}", ",'max_tokens':5,'temperature':1.5,'stop':'a','frequency_penalty':1,'seed':3",
     "{'USER_QUERY':'Hi','N_PREDICT':5,'TEMPERATURE':1.5,'RANDOM_SEED':3,'STOP_AT':'a,<end>'}", "frequency_penalty"},
    {UNIONS, "{}", ",'max_tokens':500,'verbosity':'medium','reasoning_effort':'low','mood':'CALM'",
     "{'message':'Hi','output_length':100,'thinking_effort':'STANDARD','answer_verbosity':'high','mood':'calm'}",
     "max_tokens, reasoning_effort, verbosity"},
    /* what is required and has a default is sent with it */
    {"'prompt':{'type':'string'},'task':{'type':'string','default':'chat'}", "{}", "", "{'prompt':'Hi','task':'chat'}",
     ""},
};

START_TEST(a_request_becomes_what_this_model_takes)
{
    const struct row *row = &rows[_i];
    struct error err = {0};
    const char *required = strstr(row->model, "'task'") != NULL     ? "'task'"
                           : strstr(row->model, "'effort'") != NULL ? "'effort'"
                                                                    : "";
    struct model_schema *schema = model_of(row->model, required);
    json_t *input = map(schema, row->route, row->params, &err);
    ck_assert_msg(input != NULL, "%s, %s: %s", row->model, row->params, err.message);
    assert_mapped(input, row->input, row->ignored);
    done(input, schema);
}
END_TEST

static const struct refusal {
    const char *model, *required, *route, *params;
    enum error_kind kind;
    const char *param, *hint;
} refusals[] = {
    {KIMI, "", "{}", ",'tools':[{}]", ERROR_UNSUPPORTED_PARAMETER, "tools", "`map`"},
    {"ibm-granite__granite-3.3-8b-instruct", "", "{}", ",'tools':[{}]", ERROR_UNSUPPORTED_PARAMETER, "tools", "`map`"},
    {KIMI, "", "{}", ",'response_format':{'type':'json_object'}", ERROR_UNSUPPORTED_PARAMETER, "response_format",
     "drop_params"},
    {STRUCTURED, "", "{}", ",'response_format':{'type':'json_object'}", ERROR_UNSUPPORTED_PARAMETER, "response_format",
     "drop_params"},
    {KIMI, "", "{}", ",'logprobs':true", ERROR_UNSUPPORTED_PARAMETER, "logprobs", "drop_params"},
    {CLAUDE, "", "{'strict_params':true}", ",'temperature':1", ERROR_UNSUPPORTED_PARAMETER, "temperature",
     "strict_params"},
    {LLAMA2, "", "{}", ",'top_k':'many'", ERROR_INVALID_VALUE, "top_k", "an integer from 0"},
    {UNIONS, "", "{}", ",'mood':'sad'", ERROR_INVALID_VALUE, "mood", "one of `calm`, `wild`"},
    {"yorickvp__llava-13b", "", "{}", "", ERROR_MISSING_PARAMETER, "messages", "add an `image_url` part to a message"},
    {"'prompt':{'type':'string'},'key':{'type':'string','x-cog-secret':true}", "'key'", "{}", "",
     ERROR_MISSING_PARAMETER, "key", "configure it under `input`"},
    {"'prompt':{'type':'string'},'voice':{'type':'string','enum':['a','b']}", "'voice'", "{}", "",
     ERROR_MISSING_PARAMETER, "voice", "a member of the request (one of `a`, `b`)"},
};

START_TEST(what_this_model_cannot_do_faithfully_is_refused)
{
    const struct refusal *row = &refusals[_i];
    struct error err = {0};
    struct model_schema *schema = model_of(row->model, row->required);
    ck_assert_msg(map(schema, row->route, row->params, &err) == NULL, "%s %s was accepted", row->model, row->params);
    ck_assert_msg(err.kind == row->kind, "%s", err.message);
    ck_assert_str_eq(err.param, row->param);
    ck_assert_msg(strstr(err.message, row->hint) != NULL, "%s", err.message);
    done(NULL, schema);
}
END_TEST

START_TEST(what_is_required_may_be_configured_or_sent)
{
    struct error err = {0};
    struct model_schema *schema = model_of("'prompt':{'type':'string'},'voice':{'type':'string'}", "'voice'");
    json_t *input = map(schema, _i == 0 ? "{'input':{'voice':'a'}}" : "{}", _i == 0 ? "" : ",'voice':'a'", &err);
    ck_assert_msg(input != NULL, "%s", err.message);
    ck_assert_str_eq(json_text(input, "voice"), "a");
    done(input, schema);
}
END_TEST

static const struct limit {
    const char *model, *params;
    int64_t limit;
} limits[] = {
    {CLAUDE, ",'max_tokens':5", 1024},       {CLAUDE, "", 0},
    {LLAMA2, ",'max_tokens':9", 9},          {CAMEL, ",'max_tokens':5000", 900},
    {CAMEL, ",'responseTokenLimit':20", 20}, {"google__veo-3", ",'max_tokens':9", 0},
    {LLAMA3, ",'max_new_tokens':'7'", 7},
};

START_TEST(the_limit_that_was_sent_is_remembered)
{
    struct error err = {0};
    struct model_schema *schema = model_of(limits[_i].model, "");
    json_t *input = map(schema, "{}", limits[_i].params, &err);
    ck_assert_msg(input != NULL, "%s", err.message);
    ck_assert_int_eq(call.token_limit, limits[_i].limit);
    done(input, schema);
}
END_TEST

START_TEST(stops_are_cut_here_whatever_the_model_was_told)
{
    struct error err = {0};
    struct model_schema *schema = model_of(_i == 0 ? LLAMA3 : KIMI, "");
    json_t *input = map(schema, "{}", ",'stop':['a','x,y']", &err);
    ck_assert_ptr_nonnull(input);
    char *stops = help_dump(call.stops);
    ck_assert_str_eq(stops, "[\"a\",\"x,y\"]");
    free(stops);
    done(input, schema);
}
END_TEST

START_TEST(a_number_of_choices_that_is_dropped_is_one)
{
    struct error err = {0};
    struct model_schema *schema = model_of(KIMI, "");
    json_t *input = map(schema, "{'dropped':['n']}", ",'n':3", &err);
    ck_assert_ptr_nonnull(input);
    ck_assert_int_eq(call.n, 1);
    done(input, schema);
}
END_TEST

static const struct naming {
    const char *model, *route, *params, *param, *named;
} namings[] = {
    {LLAMA2, "{}", ",'max_tokens':1", "input.max_new_tokens", "max_tokens"},
    {LLAMA2, "{}", ",'max_completion_tokens':1", "max_new_tokens", "max_completion_tokens"},
    {LLAMA2, "{}", ",'stop':'a'", "input.stop_sequences", "stop"},
    {LLAMA2, "{}", "", "input.system_prompt", "messages"},
    {LLAMA2, "{}", ",'top_k':1", "input.top_k", "top_k"},
    {CAMEL, "{}", "", "input.question_text", "messages"},
    {CAMEL, "{}", ",'seed':1", "input.randomSeed", "seed"},
    {"google__gemini-2.5-flash", "{}", ",'reasoning_effort':'low'", "input.thinking_budget", "reasoning_effort"},
    {"google__gemini-2.5-flash", "{}", "", "input.images.0", "messages"},
    {"google__gemini-2.5-flash", "{}", ",'images':[]", "input.images.0", "images.0"},
    {CLAUDE, "{}", ",'reasoning_effort':'low'", "input.thinking_budget_tokens", "reasoning_effort"},
    {STRUCTURED, "{}", ",'response_format':{'type':'json_schema','json_schema':{'name':'x'}}", "input.json_schema",
     "response_format"},
    {KIMI, "{}", "", "input.unheard_of", "unheard_of"},
    {KIMI, "{}", "", "input", "input"},
};

START_TEST(an_error_names_what_the_client_knows)
{
    const struct naming *row = &namings[_i];
    struct error err = {0};
    struct model_schema *schema = model_of(row->model, "");
    json_t *input = map(schema, row->route, row->params, &err);
    ck_assert_msg(input != NULL, "%s", err.message);
    for (int is_forgotten = 0; is_forgotten < 2; is_forgotten++) {
        error_set(&err, ERROR_INVALID_VALUE, row->param, "No.");
        mapping_name_param(&call, &route, schema, &err);
        ck_assert_str_eq(err.param, row->named);
        call_forget_messages(&call);
    }
    done(input, schema);
}
END_TEST

static Suite *mapping_schema_suite(void)
{
    Suite *suite = suite_create("mapping_schema");
    TCase *schema = tcase_create("schema");
    tcase_add_loop_test(schema, a_request_becomes_what_this_model_takes, 0, sizeof rows / sizeof rows[0]);
    tcase_add_loop_test(schema, what_this_model_cannot_do_faithfully_is_refused, 0,
                        sizeof refusals / sizeof refusals[0]);
    tcase_add_loop_test(schema, what_is_required_may_be_configured_or_sent, 0, 2);
    tcase_add_loop_test(schema, the_limit_that_was_sent_is_remembered, 0, sizeof limits / sizeof limits[0]);
    tcase_add_loop_test(schema, stops_are_cut_here_whatever_the_model_was_told, 0, 2);
    tcase_add_test(schema, a_number_of_choices_that_is_dropped_is_one);
    tcase_add_loop_test(schema, an_error_names_what_the_client_knows, 0, sizeof namings / sizeof namings[0]);
    suite_add_tcase(suite, schema);
    return suite;
}

int main(void)
{
    return suite_run(mapping_schema_suite());
}
