/* reasoning_effort → whatever a model has for it. */
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

/* A model with a prompt and these inputs; a name without `{` is one of tests/models. */
static struct model_schema *model_of(const char *inputs)
{
    struct buf text;
    struct error err = {0};
    if (strchr(inputs, '{') == NULL)
        return help_model(inputs);
    buf_init(&text, 1 << 16);
    buf_printf(&text,
               "{'latest_version':{'id':'v','openapi_schema':{'components':{'schemas':{'Input':{'type':'object',"
               "'properties':{'prompt':{'type':'string'},%s}}}}}}}",
               inputs);
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
    buf_printf(&body, "{'model':'m','messages':[{'role':'user','content':'Hi'}],%s}", params);
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

#define EFFORT(words) "'reasoning_effort':{'type':'string','enum':[" words "]}"
#define LEVEL "'thinking_level':{'type':'string','enum':['low','high']}"
#define THINKING "'thinking':{'type':'string','enum':['None','medium']}"
#define BUDGET "'thinking_budget':{'type':'integer','minimum':0,'maximum':24576}"
#define TOKENS "'thinking_budget_tokens':{'type':'integer','minimum':1024,'maximum':64000}"
#define LIMIT "'max_tokens':{'type':'integer','minimum':1024,'default':8192}"
#define SWITCH "'extended_thinking':{'type':'boolean','default':false}"
#define KWARGS "'chat_template_kwargs':{'type':'object','default':{}}"
#define CLAUDE LIMIT "," SWITCH "," TOKENS

static const struct row {
    const char *model, *params, *input, *ignored;
} rows[] = {
    /* words */
    {"openai__gpt-5", "'reasoning_effort':'low'", "{'reasoning_effort':'low'}", ""},
    {"openai__gpt-5", "'reasoning_effort':'HIGH'", "{'reasoning_effort':'high'}", ""},
    {"openai__gpt-5", "'reasoning_effort':'xhigh'", "{'reasoning_effort':'high'}", "reasoning_effort"},
    {"openai__gpt-5", "'reasoning_effort':'none'", "{'reasoning_effort':'minimal'}", "reasoning_effort"},
    {EFFORT("'none','low','medium','high'"), "'reasoning_effort':'minimal'", "{'reasoning_effort':'none'}",
     "reasoning_effort"},
    {EFFORT("'none','auto'"), "'reasoning_effort':'auto'", "{'reasoning_effort':'auto'}", ""},
    {"'reasoning_effort':{'type':'string'}", "'reasoning_effort':'high'", "{'reasoning_effort':'high'}", ""},
    {LEVEL, "'reasoning_effort':'high'", "{'thinking_level':'high'}", ""},
    {LEVEL, "'reasoning_effort':'medium'", "{'thinking_level':'high'}", "reasoning_effort"},
    {LEVEL "," BUDGET, "'reasoning_effort':'low'", "{'thinking_level':'low'}", ""},
    {THINKING, "'reasoning_effort':'medium'", "{'thinking':'medium'}", ""},
    {THINKING, "'reasoning_effort':'none'", "{'thinking':'None'}", ""},
    {THINKING, "'reasoning_effort':'high'", "{'thinking':'medium'}", "reasoning_effort"},
    /* a free text called `thinking` may be anything */
    {"'thinking':{'type':'string'}", "'reasoning_effort':'high'", "{}", "reasoning_effort"},
    /* tokens */
    {"google__gemini-2.5-flash", "'reasoning_effort':'none'", "{'thinking_budget':0}", ""},
    {"google__gemini-2.5-flash", "'reasoning_effort':'minimal'", "{'thinking_budget':0}", ""},
    {"google__gemini-2.5-flash", "'reasoning_effort':'high','max_output_tokens':300",
     "{'thinking_budget':150,'max_output_tokens':300}", "reasoning_effort"},
    {BUDGET, "'reasoning_effort':'low'", "{'thinking_budget':1024}", ""},
    {BUDGET, "'reasoning_effort':'medium'", "{'thinking_budget':8192}", ""},
    {BUDGET, "'reasoning_effort':'high'", "{'thinking_budget':24576}", ""},
    {BUDGET, "'reasoning_effort':'xhigh'", "{'thinking_budget':24576}", ""},
    {"'thinking_budget':{'type':'integer','maximum':4096}", "'reasoning_effort':'high'", "{'thinking_budget':4096}",
     ""},
    {"'thinking_budget':{'type':'integer','minimum':128}", "'reasoning_effort':'none'", "{'thinking_budget':128}",
     "reasoning_effort"},
    /* switches */
    {"'enable_thinking':{'type':'boolean'}", "'reasoning_effort':'low'", "{'enable_thinking':true}", ""},
    {"'enable_reasoning':{'type':'boolean'}", "'reasoning_effort':'none'", "{'enable_reasoning':false}", ""},
    {"'thinking':{'type':'boolean'}", "'reasoning_effort':'high'", "{'thinking':true}", ""},
    {"'enableDeepThinking':{'type':'boolean'}", "'reasoning_effort':'high'", "{'enableDeepThinking':true}", ""},
    {"'dynamic_thinking':{'type':'boolean'}", "'reasoning_effort':'high'", "{}", "reasoning_effort"},
    {"'show_thinking':{'type':'boolean'}", "'reasoning_effort':'high'", "{}", "reasoning_effort"},
    /* a switch and its tokens, below the limit on all tokens */
    {CLAUDE, "'reasoning_effort':'none'", "{'extended_thinking':false}", ""},
    {CLAUDE, "'reasoning_effort':'low'", "{'thinking_budget_tokens':1024,'extended_thinking':true}", ""},
    {CLAUDE, "'reasoning_effort':'medium'", "{'thinking_budget_tokens':4096,'extended_thinking':true}",
     "reasoning_effort"},
    {CLAUDE, "'reasoning_effort':'medium','max_tokens':20000",
     "{'max_tokens':20000,'thinking_budget_tokens':8192,'extended_thinking':true}", ""},
    {CLAUDE, "'reasoning_effort':'high','max_tokens':20000",
     "{'max_tokens':20000,'thinking_budget_tokens':10000,'extended_thinking':true}", "reasoning_effort"},
    {CLAUDE, "'reasoning_effort':'high','max_tokens':1500",
     "{'max_tokens':1500,'thinking_budget_tokens':1024,'extended_thinking':true}", "reasoning_effort"},
    {CLAUDE, "'reasoning_effort':'high','max_tokens':1024", "{'max_tokens':1024}", "reasoning_effort"},
    {CLAUDE, "'reasoning_effort':'low','max_tokens':10", "{'max_tokens':1024}", "max_tokens, reasoning_effort"},
    {"anthropic__claude-4-sonnet", "'reasoning_effort':'low'",
     "{'thinking_budget_tokens':1024,'extended_thinking':true}", ""},
    /* the chat template, where there is nothing else */
    {KWARGS, "'reasoning_effort':'high'", "{'chat_template_kwargs':{'thinking':true}}", ""},
    {KWARGS, "'reasoning_effort':'none'", "{'chat_template_kwargs':{'thinking':false}}", ""},
    {KWARGS "," BUDGET, "'reasoning_effort':'none'", "{'thinking_budget':0}", ""},
    {KWARGS, "'reasoning_effort':'high','chat_template_kwargs':{'a':1}", "{'chat_template_kwargs':{'a':1}}",
     "reasoning_effort"},
    /* the client's own name gives way to OpenAI's, and stands alone otherwise */
    {BUDGET, "'reasoning_effort':'low','thinking_budget':5", "{'thinking_budget':1024}", "thinking_budget"},
    {BUDGET, "'thinking_budget':5", "{'thinking_budget':5}", ""},
    /* nothing at all */
    {"meta__llama-2-70b-chat", "'reasoning_effort':'high'", "{}", "reasoning_effort"},
    {"meta__llama-2-70b-chat", "'reasoning_effort':'turbo'", "{}", "reasoning_effort"},
};

/* Without what every request has. */
static void forget_messages(json_t *input)
{
    json_object_del(input, "prompt");
    json_object_del(input, "messages");
}

static void assert_mapped(json_t *input, const char *expected, const char *ignored)
{
    struct buf names;
    buf_init(&names, 1024);
    forget_messages(input);
    char *text = help_dump(input), *wanted = quoted(expected);
    ck_assert_str_eq(text, wanted);
    ck_assert(call_ignored_text(&call, &names));
    ck_assert_str_eq(buf_text(&names), ignored);
    buf_dispose(&names);
    free(text);
    free(wanted);
}

START_TEST(an_effort_becomes_what_the_model_has_for_it)
{
    const struct row *row = &rows[_i];
    struct error err = {0};
    struct model_schema *schema = model_of(row->model);
    json_t *input = map(schema, "{}", row->params, &err);
    ck_assert_msg(input != NULL, "%s, %s: %s", row->model, row->params, err.message);
    assert_mapped(input, row->input, row->ignored);
    done(input, schema);
}
END_TEST

static const struct configured {
    const char *model, *route, *params, *input;
} configureds[] = {
    {BUDGET "," LEVEL, "{'map':{'reasoning_effort':'thinking_budget'}}", "'reasoning_effort':'low'",
     "{'thinking_budget':1024}"},
    {SWITCH "," LEVEL, "{'map':{'reasoning_effort':'extended_thinking'}}", "'reasoning_effort':'low'",
     "{'extended_thinking':true}"},
    {LEVEL, "{'map':{'reasoning_effort':'other'}}", "'reasoning_effort':'low'", "{'other':'low'}"},
    {KWARGS, "{'input':{'chat_template_kwargs':{'a':1}}}", "'reasoning_effort':'low'",
     "{'chat_template_kwargs':{'a':1,'thinking':true}}"},
    {CLAUDE, "{'input':{'extended_thinking':true,'thinking_budget_tokens':2048}}", "'reasoning_effort':'none'",
     "{'extended_thinking':false}"},
    {CLAUDE, "{'input':{'max_tokens':3000}}", "'reasoning_effort':'medium'",
     "{'max_tokens':3000,'thinking_budget_tokens':1500,'extended_thinking':true}"},
    {LEVEL, "{'params':{'reasoning_effort':'low'}}", "'user':'u'", "{'thinking_level':'low'}"},
};

START_TEST(what_the_operator_says_counts)
{
    const struct configured *row = &configureds[_i];
    struct error err = {0};
    struct model_schema *schema = model_of(row->model);
    json_t *input = map(schema, row->route, row->params, &err);
    ck_assert_msg(input != NULL, "%s", err.message);
    forget_messages(input);
    char *text = help_dump(input), *wanted = quoted(row->input);
    ck_assert_str_eq(text, wanted);
    free(text);
    free(wanted);
    done(input, schema);
}
END_TEST

START_TEST(an_effort_that_nobody_knows_is_refused_where_there_are_efforts)
{
    struct error err = {0};
    struct model_schema *schema = model_of(_i == 0 ? "openai__gpt-5" : _i == 1 ? BUDGET : SWITCH);
    ck_assert_ptr_null(map(schema, "{}", "'reasoning_effort':'turbo'", &err));
    ck_assert_int_eq(err.kind, ERROR_INVALID_VALUE);
    ck_assert_str_eq(err.param, "reasoning_effort");
    if (_i == 0)
        ck_assert_msg(strstr(err.message, "`minimal`, `low`, `medium`, `high`") != NULL, "%s", err.message);
    done(NULL, schema);
}
END_TEST

START_TEST(without_an_input_for_it_strict_parameters_refuse_it)
{
    struct error err = {0};
    struct model_schema *schema = model_of("meta__llama-2-70b-chat");
    ck_assert_ptr_null(map(schema, "{'strict_params':true}", "'reasoning_effort':'low'", &err));
    ck_assert_int_eq(err.kind, ERROR_UNSUPPORTED_PARAMETER);
    ck_assert_str_eq(err.param, "reasoning_effort");
    done(NULL, schema);
}
END_TEST

static Suite *mapping_reasoning_suite(void)
{
    Suite *suite = suite_create("mapping_reasoning");
    TCase *reasoning = tcase_create("reasoning");
    tcase_add_loop_test(reasoning, an_effort_becomes_what_the_model_has_for_it, 0, sizeof rows / sizeof rows[0]);
    tcase_add_loop_test(reasoning, what_the_operator_says_counts, 0, sizeof configureds / sizeof configureds[0]);
    tcase_add_loop_test(reasoning, an_effort_that_nobody_knows_is_refused_where_there_are_efforts, 0, 3);
    tcase_add_test(reasoning, without_an_input_for_it_strict_parameters_refuse_it);
    suite_add_tcase(suite, reasoning);
    return suite;
}

int main(void)
{
    return suite_run(mapping_reasoning_suite());
}
