/* Parameters → a model's input: defaults, names, classes, stops, extensions. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
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

/* Maps a request with the members `params` (each preceded by a comma) on a route. */
static json_t *map(const char *route_text, const char *params, struct error *err)
{
    struct buf body;
    buf_init(&body, 1 << 16);
    buf_printf(&body, "{'model':'kimi','messages':[{'role':'user','content':'Hi'}]%s}", params);
    char *route_json = quoted(route_text), *body_json = quoted(buf_text(&body));
    help_route(&route, route_json);
    bool fine = help_decode(&call, body_json, err);
    json_t *input = fine ? mapping_input(&call, &route, NULL, err) : NULL;
    free(route_json);
    free(body_json);
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
    const char *route, *params, *input, *ignored;
} rows[] = {
    /* names */
    {"{}", "", "{'prompt':'Hi'}", ""},
    {"{}", ",'temperature':0.1,'top_p':1,'seed':7,'presence_penalty':1,'frequency_penalty':-1",
     "{'prompt':'Hi','temperature':0.1,'top_p':1,'presence_penalty':1,'frequency_penalty':-1,'seed':7}", ""},
    {"{}", ",'max_completion_tokens':9", "{'prompt':'Hi','max_tokens':9}", ""},
    {"{'map':{'max_tokens':'max_new_tokens'}}", ",'max_completion_tokens':9", "{'prompt':'Hi','max_new_tokens':9}", ""},
    {"{'map':{'max_completion_tokens':'max_output_tokens'}}", ",'max_tokens':9",
     "{'prompt':'Hi','max_output_tokens':9}", ""},
    {"{'map':{'temperature':'temp'}}", ",'temperature':1", "{'prompt':'Hi','temp':1}", ""},
    {"{'map':{'prompt':'text'}}", "", "{'text':'Hi'}", ""},
    {"{'map':{'user':'user_id'}}", ",'user':'u'", "{'prompt':'Hi','user_id':'u'}", ""},
    {"{'map':{'tools':'tools','tool_choice':'choice'}}", ",'tools':[{}],'tool_choice':'none'",
     "{'prompt':'Hi','tools':[{}],'choice':'none'}", ""},
    {"{'map':{'response_format':'format'}}", ",'response_format':{'type':'json_object'}",
     "{'prompt':'Hi','format':{'type':'json_object'}}", ""},
    {"{'map':{'reasoning_effort':'effort','verbosity':'verbosity'}}", ",'reasoning_effort':'low','verbosity':'high'",
     "{'prompt':'Hi','effort':'low','verbosity':'high'}", ""},
    /* defaults */
    {"{'input':{'top_k':5,'temperature':0.2}}", "", "{'top_k':5,'temperature':0.2,'prompt':'Hi'}", ""},
    {"{'input':{'temperature':0.2}}", ",'temperature':1", "{'temperature':1,'prompt':'Hi'}", ""},
    {"{'input':{'max_new_tokens':500}}", ",'max_tokens':9", "{'max_new_tokens':9,'prompt':'Hi'}", ""},
    {"{'input':{'max_tokens':500},'map':{'max_tokens':'max_new_tokens'}}", ",'max_tokens':9",
     "{'prompt':'Hi','max_new_tokens':9}", ""},
    {"{'input':{'prompt':'default'}}", "", "{'prompt':'Hi'}", ""},
    {"{'params':{'temperature':0.3,'max_tokens':7}}", "", "{'prompt':'Hi','max_tokens':7,'temperature':0.3}", ""},
    {"{'params':{'temperature':0.3,'max_tokens':7}}", ",'temperature':1,'max_completion_tokens':9",
     "{'prompt':'Hi','max_tokens':9,'temperature':1}", ""},
    {"{'params':{'max_tokens':7}}", ",'max_tokens':-1", "{'prompt':'Hi','max_tokens':7}", ""},
    {"{'params':{'response_format':{'type':'json_object'}}}", ",'response_format':{'type':'text'}", "{'prompt':'Hi'}",
     ""},
    {"{'params':{'verbosity':'low'}}", "", "{'prompt':'Hi'}", ""},
    {"{'params':{'max_tokens':7,'temperature':null}}", ",'temperature':null", "{'prompt':'Hi','max_tokens':7}", ""},
    {"{'input':{'top_k':null}}", "", "{'prompt':'Hi'}", ""},
    /* what the operator drops */
    {"{'dropped':['temperature','top_k']}", ",'temperature':1,'top_k':5,'top_p':1", "{'prompt':'Hi','top_p':1}",
     "temperature, top_k"},
    {"{'dropped':['max_completion_tokens']}", ",'max_tokens':5", "{'prompt':'Hi'}", "max_tokens"},
    {"{'dropped':['tools','user'],'strict_params':true}", ",'tools':[{}],'user':'u'", "{'prompt':'Hi'}", "tools, user"},
    {"{'dropped':['temperature','messages'],'params':{'temperature':1}}", "", "{'prompt':'Hi'}", ""},
    /* no meaning, hints */
    {"{}", ",'user':'u','store':true,'metadata':{},'service_tier':'auto','stream_options':{}", "{'prompt':'Hi'}", ""},
    {"{}", ",'reasoning_effort':'low','verbosity':'low','logit_bias':{'1':2}", "{'prompt':'Hi'}",
     "reasoning_effort, verbosity, logit_bias"},
    {"{'map':{'temperature':null,'max_tokens':null}}", ",'temperature':1,'max_completion_tokens':9", "{'prompt':'Hi'}",
     "max_completion_tokens, temperature"},
    {"{'strict_params':true}", ",'temperature':1,'user':'u'", "{'prompt':'Hi','temperature':1}", ""},
    {"{}", ",'tools':[],'logprobs':false,'response_format':{'type':'text'},'modalities':['text']", "{'prompt':'Hi'}",
     ""},
    /* what changes the meaning, where leaving it out is allowed */
    {"{'drop_params':true}", ",'tools':[{}],'response_format':{'type':'json_object'},'logprobs':true,'top_logprobs':2",
     "{'prompt':'Hi'}", "tools, response_format, logprobs, top_logprobs"},
    {"{'drop_params':true}", ",'audio':{},'modalities':['audio'],'web_search_options':{},'functions':[{}]",
     "{'prompt':'Hi'}", "functions, modalities, audio, web_search_options"},
    /* stops */
    {"{}", ",'stop':['a','b']", "{'prompt':'Hi'}", ""},
    {"{'map':{'stop':null}}", ",'stop':'a'", "{'prompt':'Hi'}", ""},
    {"{'map':{'stop':'stop'}}", ",'stop':'a'", "{'prompt':'Hi','stop':['a']}", ""},
    {"{'map':{'stop':'stop_sequences'}}", ",'stop':['a','x,y','b']", "{'prompt':'Hi','stop_sequences':'a,b'}", ""},
    {"{'map':{'stop':'stop_sequences'}}", ",'stop':'x,y'", "{'prompt':'Hi'}", ""},
    {"{'map':{'stop':'ends'},'input':{'ends':'END'}}", ",'stop':['a','b']", "{'ends':'END,a,b','prompt':'Hi'}", ""},
    {"{'map':{'stop':'stop_sequences'},'input':{'stop_sequences':'<|end|>'}}", ",'stop':'x,y'",
     "{'stop_sequences':'<|end|>','prompt':'Hi'}", ""},
    {"{'map':{'stop':'ends'},'input':{'ends':''}}", ",'stop':'a'", "{'ends':'a','prompt':'Hi'}", ""},
    {"{'map':{'stop':'stop'}}", ",'stop':['','a','']", "{'prompt':'Hi','stop':['a']}", ""},
    {"{'map':{'stop':'stop'}}", ",'stop':''", "{'prompt':'Hi'}", ""},
    {"{'map':{'stop':'ends'},'input':{'ends':['END']}}", ",'stop':['a','b']", "{'ends':['END','a','b'],'prompt':'Hi'}",
     ""},
    /* names that OpenAI does not know */
    {"{}", ",'top_k':5,'prompt_template':'{prompt}'", "{'prompt':'Hi','top_k':5,'prompt_template':'{prompt}'}", ""},
    {"{}", ",'odd':1,'other':null,'input':{}", "{'prompt':'Hi'}", "odd, input"},
    {"{'input':{'odd':0}}", ",'odd':1", "{'odd':1,'prompt':'Hi'}", ""},
    {"{'map':{'temperature':'temp'}}", ",'temp':1", "{'prompt':'Hi','temp':1}", ""},
    {"{'map':{'temperature':'temp'}}", ",'temp':1,'temperature':2", "{'prompt':'Hi','temp':2}", "temp"},
    {"{}", ",'prompt':'other'", "{'prompt':'Hi'}", "prompt"},
    {"{'map':{'messages':'messages'}}", ",'prompt':'other'", "{'messages':[{'role':'user','content':'Hi'}]}", "prompt"},
    {"{}", ",'max_new_tokens':5", "{'prompt':'Hi','max_new_tokens':5}", ""},
    {"{'input':{'max_tokens':500}}", ",'max_new_tokens':5", "{'prompt':'Hi','max_new_tokens':5}", ""},
    {"{}", ",'max_new_tokens':5,'max_tokens':9", "{'prompt':'Hi','max_tokens':9}", "max_new_tokens"},
    {"{}", ",'max_new_tokens':5,'max_length':6", "{'prompt':'Hi','max_new_tokens':5}", "max_length"},
};

START_TEST(parameters_become_this_input)
{
    const struct row *row = &rows[_i];
    struct error err = {0};
    json_t *input = map(row->route, row->params, &err);
    ck_assert_msg(input != NULL, "%s %s: %s", row->route, row->params, err.message);
    char *text = help_dump(input), *expected = quoted(row->input);
    ck_assert_str_eq(text, expected);
    struct buf ignored;
    buf_init(&ignored, 1024);
    ck_assert(call_ignored_text(&call, &ignored));
    ck_assert_str_eq(buf_text(&ignored), row->ignored);
    buf_dispose(&ignored);
    free(text);
    free(expected);
    done(input);
}
END_TEST

static const struct refusal {
    const char *route, *params;
    enum error_kind kind;
    const char *param, *hint;
} refusals[] = {
    {"{}", ",'tools':[{}]", ERROR_UNSUPPORTED_PARAMETER, "tools", "drop_params"},
    {"{}", ",'tool_choice':'required'", ERROR_UNSUPPORTED_PARAMETER, "tool_choice", "`map`"},
    {"{}", ",'functions':[{}]", ERROR_UNSUPPORTED_PARAMETER, "functions", "drop_params"},
    {"{}", ",'response_format':{'type':'json_object'}", ERROR_UNSUPPORTED_PARAMETER, "response_format", "drop_params"},
    {"{}", ",'response_format':{'type':'json_schema','json_schema':{'name':'x'}}", ERROR_UNSUPPORTED_PARAMETER,
     "response_format", "drop_params"},
    {"{}", ",'logprobs':true", ERROR_UNSUPPORTED_PARAMETER, "logprobs", "drop_params"},
    {"{}", ",'top_logprobs':1", ERROR_UNSUPPORTED_PARAMETER, "top_logprobs", "drop_params"},
    {"{}", ",'audio':{}", ERROR_UNSUPPORTED_PARAMETER, "audio", "drop_params"},
    {"{}", ",'modalities':['audio']", ERROR_UNSUPPORTED_PARAMETER, "modalities", "drop_params"},
    {"{}", ",'web_search_options':{}", ERROR_UNSUPPORTED_PARAMETER, "web_search_options", "drop_params"},
    {"{'map':{'tools':null}}", ",'tools':[{}]", ERROR_UNSUPPORTED_PARAMETER, "tools", "drop_params"},
    {"{'strict_params':true}", ",'verbosity':'low'", ERROR_UNSUPPORTED_PARAMETER, "verbosity", "strict_params"},
    {"{'strict_params':true,'map':{'max_tokens':null}}", ",'max_completion_tokens':5", ERROR_UNSUPPORTED_PARAMETER,
     "max_completion_tokens", "strict_params"},
    {"{'strict_params':true,'drop_params':true}", ",'seed':5,'verbosity':'low'", ERROR_UNSUPPORTED_PARAMETER,
     "verbosity", "strict_params"},
    {"{'map':{'prompt':null}}", "", ERROR_UNSUPPORTED_PARAMETER, "messages", "`map`"},
    {"{'params':{'temperature':'hot'}}", "", ERROR_INTERNAL, "", "temperature"},
    {"{'params':{'n':500}}", "", ERROR_INTERNAL, "", "`n`"},
};

START_TEST(what_cannot_be_done_faithfully_is_refused)
{
    const struct refusal *row = &refusals[_i];
    struct error err = {0};
    json_t *input = map(row->route, row->params, &err);
    ck_assert_msg(input == NULL, "%s %s was accepted", row->route, row->params);
    ck_assert_msg(err.kind == row->kind, "%s", err.message);
    ck_assert_str_eq(err.param, row->param);
    ck_assert_msg(strstr(err.message, row->hint) != NULL, "%s", err.message);
    done(input);
}
END_TEST

START_TEST(stops_are_kept_for_the_answer)
{
    static const char *const routes[] = {"{}", "{'map':{'stop':'stop'}}", "{'map':{'stop':'stop_sequences'}}",
                                         "{'params':{'stop':['a','x,y']}}"};
    struct error err = {0};
    json_t *input = map(routes[_i], _i == 3 ? "" : ",'stop':['a','x,y']", &err);
    ck_assert_ptr_nonnull(input);
    char *stops = help_dump(call.stops);
    ck_assert_str_eq(stops, "[\"a\",\"x,y\"]");
    free(stops);
    done(input);
}
END_TEST

static const struct limit {
    const char *route, *params;
    int64_t limit;
} limits[] = {
    {"{}", "", 0},
    {"{}", ",'max_tokens':9", 9},
    {"{'params':{'max_tokens':7}}", "", 7},
    {"{'input':{'max_tokens':5}}", "", 5},
    {"{'input':{'max_tokens':5}}", ",'max_tokens':9", 9},
    {"{'map':{'max_tokens':'length'}}", ",'max_tokens':9", 9},
    {"{}", ",'max_new_tokens':4", 4},
    {"{}", ",'max_new_tokens':'4'", 0},
    /* a model that was not told cannot have used it up */
    {"{'map':{'max_tokens':null}}", ",'max_tokens':9", 0},
};

START_TEST(the_limit_that_was_sent_is_remembered)
{
    struct error err = {0};
    json_t *input = map(limits[_i].route, limits[_i].params, &err);
    ck_assert_msg(input != NULL, "%s", err.message);
    ck_assert_int_eq(call.token_limit, limits[_i].limit);
    done(input);
}
END_TEST

START_TEST(the_number_of_choices_may_be_configured)
{
    struct error err = {0};
    json_t *input = map("{'params':{'n':3}}", _i == 0 ? "" : ",'n':2", &err);
    ck_assert_ptr_nonnull(input);
    ck_assert_int_eq(call.n, _i == 0 ? 3 : 2);
    ck_assert_ptr_null(json_object_get(input, "n"));
    done(input);
}
END_TEST

START_TEST(the_routes_defaults_are_never_changed)
{
    struct error err = {0};
    json_t *input = map("{'input':{'max_new_tokens':1,'nested':{'a':1}}}", ",'max_tokens':9", &err);
    ck_assert_ptr_nonnull(input);
    json_object_set_new(json_object_get(input, "nested"), "a", json_integer(2));
    char *defaults = help_dump(route.input);
    ck_assert_str_eq(defaults, "{\"max_new_tokens\":1,\"nested\":{\"a\":1}}");
    free(defaults);
    done(input);
}
END_TEST

static const struct check {
    const char *route, *param; /* NULL: fine */
} checks[] = {
    {"{}", NULL},
    {"{'params':{'temperature':2,'max_tokens':-1,'stop':'','tools':[],'n':2,'user':null,'odd':[]}}", NULL},
    {"{'params':{'temperature':3}}", "temperature"},
    {"{'params':{'max_completion_tokens':'9'}}", "max_completion_tokens"},
    {"{'params':{'stop':['a',7]}}", "stop[1]"},
    {"{'params':{'response_format':{}}}", "response_format.type"},
};

START_TEST(the_parameters_of_a_route_can_be_checked_before_they_are_used)
{
    struct error err = {0};
    char *text = quoted(checks[_i].route);
    help_route(&route, text);
    free(text);
    ck_assert_int_eq(mapping_check(&route, &err), checks[_i].param == NULL);
    ck_assert_str_eq(err.param, checks[_i].param == NULL ? "" : checks[_i].param);
    help_route_dispose(&route);
}
END_TEST

START_TEST(a_route_without_objects_is_fine)
{
    struct error err = {0};
    struct route bare = {.alias = "kimi", .reference = "a/b"};
    ck_assert(mapping_check(&bare, &err));
    ck_assert(help_decode(&call, "{\"model\":\"kimi\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}", &err));
    json_t *input = mapping_input(&call, &bare, NULL, &err);
    ck_assert_ptr_nonnull(input);
    ck_assert_str_eq(json_text(input, "prompt"), "Hi");
    json_decref(input);
    call_dispose(&call);
}
END_TEST

static const struct naming {
    const char *route, *params, *param, *named;
} namings[] = {
    {"{}", "", "", ""},
    {"{}", "", "input.prompt", "messages"},
    {"{}", "", "prompt", "messages"},
    {"{'map':{'prompt':'text'}}", "", "input.text", "messages"},
    {"{'map':{'system':'system_prompt'}}", "", "system_prompt", "messages"},
    {"{'map':{'messages':'messages'}}", "", "input.messages.0.content", "messages.0.content"},
    {"{'map':{'max_tokens':'max_new_tokens'}}", ",'max_tokens':1", "input.max_new_tokens", "max_tokens"},
    {"{'map':{'max_tokens':'max_new_tokens'}}", ",'max_completion_tokens':1", "max_new_tokens",
     "max_completion_tokens"},
    {"{}", ",'max_completion_tokens':1", "input.max_tokens", "max_completion_tokens"},
    {"{'map':{'max_tokens':'max_new_tokens'}}", "", "max_new_tokens", "max_tokens"},
    {"{'map':{'stop':'stop_sequences'}}", ",'stop':'a'", "input.stop_sequences", "stop"},
    {"{'map':{'temperature':'temp'}}", ",'temp':1", "input.temp", "temp"},
    {"{}", "", "input.temperature", "temperature"},
    {"{}", ",'top_k':1", "input.top_k", "top_k"},
    {"{}", "", "unknown.thing", "unknown.thing"},
    {"{}", "", "version", "version"},
    {"{}", "", "input", "input"},
    {"{}", "", "input.", ""},
};

START_TEST(an_error_names_what_the_client_knows)
{
    const struct naming *row = &namings[_i];
    struct error err = {0};
    json_t *input = map(row->route, row->params, &err);
    ck_assert_ptr_nonnull(input);
    for (int is_forgotten = 0; is_forgotten < 2; is_forgotten++) {
        error_set(&err, ERROR_INVALID_VALUE, row->param, "No.");
        mapping_name_param(&call, &route, NULL, &err);
        ck_assert_str_eq(err.param, row->named);
        call_forget_messages(&call);
    }
    done(input);
}
END_TEST

static Suite *mapping_suite(void)
{
    Suite *suite = suite_create("mapping");
    TCase *mapping = tcase_create("mapping");
    tcase_add_loop_test(mapping, parameters_become_this_input, 0, sizeof rows / sizeof rows[0]);
    tcase_add_loop_test(mapping, what_cannot_be_done_faithfully_is_refused, 0, sizeof refusals / sizeof refusals[0]);
    tcase_add_loop_test(mapping, stops_are_kept_for_the_answer, 0, 4);
    tcase_add_loop_test(mapping, the_limit_that_was_sent_is_remembered, 0, sizeof limits / sizeof limits[0]);
    tcase_add_loop_test(mapping, the_number_of_choices_may_be_configured, 0, 2);
    tcase_add_test(mapping, the_routes_defaults_are_never_changed);
    tcase_add_loop_test(mapping, the_parameters_of_a_route_can_be_checked_before_they_are_used, 0,
                        sizeof checks / sizeof checks[0]);
    tcase_add_test(mapping, a_route_without_objects_is_fine);
    tcase_add_loop_test(mapping, an_error_names_what_the_client_knows, 0, sizeof namings / sizeof namings[0]);
    suite_add_tcase(suite, mapping);
    return suite;
}

int main(void)
{
    return suite_run(mapping_suite());
}
