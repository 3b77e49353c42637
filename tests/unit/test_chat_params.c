/* Checking the parameters of chat completion requests: every one with every wrong type, ranges, and defaults. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "call_help.h"
#include "check_main.h"
#include "openai/chat.h"

#define HEAD "{\"model\":\"kimi\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"

/* Decodes a request with the one member `name`: `value`, given with single quotes. */
static bool decode_with(const char *name, const char *value, struct call *call, struct error *err)
{
    char body[2048];
    int length = snprintf(body, sizeof body, HEAD ",\"%s\":%s}", name, value);
    ck_assert_int_lt(length, (int)sizeof body);
    for (char *c = body; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    return help_decode(call, body, err);
}

/* The JSON types a parameter takes. */
enum { BOOL = 1, NUMBER = 2, TEXT = 4, LIST = 8, OBJECT = 16 };

static const struct typed {
    const char *name;
    unsigned types;
} typed_rows[] = {
    {"stream", BOOL},
    {"stream_options", OBJECT},
    {"max_completion_tokens", NUMBER},
    {"max_tokens", NUMBER},
    {"temperature", NUMBER},
    {"top_p", NUMBER},
    {"n", NUMBER},
    {"stop", TEXT | LIST},
    {"presence_penalty", NUMBER},
    {"frequency_penalty", NUMBER},
    {"logit_bias", OBJECT},
    {"logprobs", BOOL},
    {"top_logprobs", NUMBER},
    {"seed", NUMBER},
    {"response_format", OBJECT},
    {"tools", LIST},
    {"tool_choice", TEXT | OBJECT},
    {"parallel_tool_calls", BOOL},
    {"functions", LIST},
    {"function_call", TEXT | OBJECT},
    {"reasoning_effort", TEXT},
    {"verbosity", TEXT},
    {"modalities", LIST},
    {"audio", OBJECT},
    {"prediction", OBJECT},
    {"store", BOOL},
    {"metadata", OBJECT},
    {"service_tier", TEXT},
    {"user", TEXT | OBJECT},
    {"safety_identifier", TEXT},
    {"prompt_cache_key", TEXT},
    {"prompt_cache_retention", TEXT},
    {"prompt_cache_options", OBJECT},
    {"web_search_options", OBJECT},
    {"moderation", OBJECT},
};

static const struct sample {
    unsigned type;
    const char *value;
} samples[] = {
    {BOOL, "false"}, {NUMBER, "1"}, {TEXT, "'auto'"}, {LIST, "[]"}, {OBJECT, "{'type':'text'}"},
};

START_TEST(a_parameter_takes_its_types_and_no_others)
{
    const struct typed *row = &typed_rows[_i];
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct call call;
        struct error err = {0};
        bool fine = decode_with(row->name, samples[i].value, &call, &err);
        ck_assert_msg(fine == ((row->types & samples[i].type) != 0), "%s: %s %s", row->name, samples[i].value,
                      err.message);
        ck_assert_msg(fine || err.kind == ERROR_INVALID_TYPE, "%s: %s", row->name, err.message);
        ck_assert_str_eq(err.param, fine ? "" : row->name);
        call_dispose(&call);
    }
}
END_TEST

START_TEST(null_is_as_good_as_absent)
{
    struct call call;
    struct error err = {0};
    ck_assert_msg(decode_with(typed_rows[_i].name, "null", &call, &err), "%s", err.message);
    ck_assert_uint_eq(call.params.rows, 0);
    ck_assert_int_eq(call.n, 1);
    call_dispose(&call);
}
END_TEST

static const struct refusal {
    const char *name, *value;
    enum error_kind kind;
    const char *param;
} refusals[] = {
    {"stream_options", "{'include_usage':1}", ERROR_INVALID_TYPE, "stream_options.include_usage"},
    {"stream_options", "{'include_usage':'yes'},'stream':true", ERROR_INVALID_TYPE, "stream_options.include_usage"},
    {"temperature", "-0.1", ERROR_INVALID_VALUE, "temperature"},
    {"temperature", "2.1", ERROR_INVALID_VALUE, "temperature"},
    {"temperature", "1e300", ERROR_INVALID_VALUE, "temperature"},
    {"top_p", "1.01", ERROR_INVALID_VALUE, "top_p"},
    {"top_p", "-1", ERROR_INVALID_VALUE, "top_p"},
    {"presence_penalty", "-2.5", ERROR_INVALID_VALUE, "presence_penalty"},
    {"frequency_penalty", "3", ERROR_INVALID_VALUE, "frequency_penalty"},
    {"n", "0", ERROR_INVALID_VALUE, "n"},
    {"n", "-1", ERROR_INVALID_VALUE, "n"},
    {"n", "129", ERROR_INVALID_VALUE, "n"},
    {"n", "1e30", ERROR_INVALID_VALUE, "n"},
    {"n", "99999999999999999999999999", ERROR_INVALID_VALUE, "n"},
    {"n", "1.5", ERROR_INVALID_TYPE, "n"},
    {"top_logprobs", "21", ERROR_INVALID_VALUE, "top_logprobs"},
    {"top_logprobs", "-1", ERROR_INVALID_VALUE, "top_logprobs"},
    {"max_tokens", "-2", ERROR_INVALID_VALUE, "max_tokens"},
    {"max_tokens", "0.5", ERROR_INVALID_TYPE, "max_tokens"},
    {"max_completion_tokens", "1e30", ERROR_INVALID_VALUE, "max_completion_tokens"},
    {"seed", "1.5", ERROR_INVALID_TYPE, "seed"},
    {"seed", "1e300", ERROR_INVALID_VALUE, "seed"},
    {"stop", "['',7]", ERROR_INVALID_TYPE, "stop[1]"},
    {"stop", "['a',7]", ERROR_INVALID_TYPE, "stop[1]"},
    {"stop", "['1','2','3','4','5','6','7','8','9','10','11','12','13','14','15','16','17']", ERROR_INVALID_VALUE,
     "stop"},
    {"tools", "[7]", ERROR_INVALID_TYPE, "tools[0]"},
    {"functions", "[{},'f']", ERROR_INVALID_TYPE, "functions[1]"},
    {"modalities", "['text',1]", ERROR_INVALID_TYPE, "modalities[1]"},
    {"response_format", "{}", ERROR_MISSING_PARAMETER, "response_format.type"},
    {"response_format", "{'type':7}", ERROR_INVALID_TYPE, "response_format.type"},
    {"response_format", "{'type':'xml'}", ERROR_INVALID_VALUE, "response_format.type"},
    {"response_format", "{'type':'json_schema'}", ERROR_MISSING_PARAMETER, "response_format.json_schema"},
    {"response_format", "{'type':'json_schema','json_schema':[]}", ERROR_INVALID_TYPE, "response_format.json_schema"},
    {"response_format", "{'type':'json_schema','json_schema':{}}", ERROR_MISSING_PARAMETER,
     "response_format.json_schema.name"},
    {"response_format", "{'type':'json_schema','json_schema':{'name':1}}", ERROR_INVALID_TYPE,
     "response_format.json_schema.name"},
};

START_TEST(a_wrong_value_is_refused_by_its_name)
{
    const struct refusal *row = &refusals[_i];
    struct call call;
    struct error err = {0};
    ck_assert_msg(!decode_with(row->name, row->value, &call, &err), "%s: %s was accepted", row->name, row->value);
    ck_assert_msg(err.kind == row->kind, "%s: %s: %s", row->name, row->value, err.message);
    ck_assert_str_eq(err.param, row->param);
    ck_assert_ptr_nonnull(strstr(err.message, row->name));
    call_dispose(&call);
}
END_TEST

static const struct streaming {
    const char *stream, *options;
    bool is_stream, include_usage;
} streamings[] = {
    {"true", "null", true, false},
    {"true", "{}", true, false},
    {"true", "{'include_usage':true}", true, true},
    {"true", "{'include_usage':false}", true, false},
    {"true", "{'include_usage':null,'include_obfuscation':false}", true, false},
    {"false", "{'include_usage':true}", false, false},
    {"null", "{'include_usage':true}", false, false},
};

START_TEST(a_stream_is_asked_for_with_or_without_its_usage)
{
    const struct streaming *row = &streamings[_i];
    struct call call;
    struct error err = {0};
    char value[128];
    snprintf(value, sizeof value, "%s,'stream_options':%s", row->stream, row->options);
    ck_assert_msg(decode_with("stream", value, &call, &err), "%s", err.message);
    ck_assert_int_eq(call.is_stream, row->is_stream);
    ck_assert_int_eq(call.include_usage, row->include_usage);
    call_dispose(&call);
}
END_TEST

START_TEST(an_endpoint_that_cannot_stream_says_so)
{
    static const struct endpoint whole_only = {.name = "whole.only"};
    static const char body[] = HEAD ",\"stream\":true}";
    const struct call_request request = {
        .endpoint = &whole_only, .body = body, .body_length = sizeof body - 1, .unique = HELP_UNIQUE};
    struct call call;
    struct error err = {0};
    call_init(&call);
    ck_assert(!chat_decode(&call, &request, &err));
    ck_assert_int_eq(err.kind, ERROR_UNSUPPORTED_VALUE);
    ck_assert_str_eq(err.param, "stream");
    ck_assert_ptr_nonnull(strstr(err.message, "answers whole"));
    call_dispose(&call);
}
END_TEST

/* What the params hold after one member was read. */
static const struct canonical {
    const char *name, *value, *params;
} canonicals[] = {
    {"temperature", "0", "{'temperature':0}"},
    {"temperature", "0.1", "{'temperature':0.1}"},
    {"n", "128", "{'n':128}"},
    {"n", "1.0", "{'n':1}"},
    {"max_tokens", "100", "{'max_tokens':100}"},
    {"max_tokens", "100.0", "{'max_tokens':100}"},
    {"max_completion_tokens", "100", "{'max_tokens':100}"},
    {"max_tokens", "0", "{}"},
    {"max_tokens", "-1", "{}"},
    {"max_completion_tokens", "-1", "{}"},
    {"max_completion_tokens", "9,'max_tokens':5", "{'max_tokens':9}"},
    {"max_completion_tokens", "-1,'max_tokens':5", "{'max_tokens':5}"},
    {"max_tokens", "5,'max_completion_tokens':9", "{'max_tokens':9}"},
    {"seed", "-7", "{'seed':-7}"},
    {"seed", "9223372036854775807", "{'seed':9223372036854775807}"},
    {"seed", "9223372036854776000", "{'seed':9223372036854775807}"},
    {"seed", "-9223372036854776000", "{'seed':-9223372036854775808}"},
    {"stop", "'END'", "{'stop':['END']}"},
    {"stop", "['a','b']", "{'stop':['a','b']}"},
    {"stop", "[]", "{}"},
    {"stop", "''", "{}"},
    {"stop", "['','']", "{}"},
    {"stop", "['','a','']", "{'stop':['a']}"},
    {"stop", "['','','','','','','','','','','','','','','','','a']", "{'stop':['a']}"},
    {"tools", "[]", "{}"},
    {"tools", "[{'type':'function'}]", "{'tools':[{'type':'function'}]}"},
    {"functions", "[]", "{}"},
    {"tool_choice", "'none'", "{}"},
    {"tool_choice", "'auto'", "{}"},
    {"tool_choice", "'auto','tools':[{}]", "{'tools':[{}]}"},
    {"tool_choice", "'none','tools':[{}]", "{'tools':[{}],'tool_choice':'none'}"},
    {"tool_choice", "'required'", "{'tool_choice':'required'}"},
    {"function_call", "'auto'", "{}"},
    {"function_call", "{'name':'f'}", "{'function_call':{'name':'f'}}"},
    {"parallel_tool_calls", "true", "{}"},
    {"parallel_tool_calls", "false,'tools':[{}]", "{'parallel_tool_calls':false,'tools':[{}]}"},
    {"response_format", "{'type':'text'}", "{}"},
    {"response_format", "{'type':'json_object'}", "{'response_format':{'type':'json_object'}}"},
    {"logprobs", "false", "{}"},
    {"logprobs", "true", "{'logprobs':true}"},
    {"top_logprobs", "0", "{}"},
    {"top_logprobs", "2", "{'top_logprobs':2}"},
    {"modalities", "['text']", "{}"},
    {"modalities", "['text','audio']", "{'modalities':['text','audio']}"},
    {"logit_bias", "{}", "{}"},
    {"user", "{'id':1}", "{'user':{'id':1}}"},
    {"stream", "false", "{}"},
    {"top_k", "5", "{}"},
};

START_TEST(params_hold_checked_values_under_canonical_names)
{
    const struct canonical *row = &canonicals[_i];
    struct call call;
    struct error err = {0};
    ck_assert_msg(decode_with(row->name, row->value, &call, &err), "%s: %s", row->name, err.message);
    char *params = help_dump_params(&call), expected[256];
    snprintf(expected, sizeof expected, "%s", row->params);
    for (char *c = expected; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    ck_assert_str_eq(params, expected);
    free(params);
    call_dispose(&call);
}
END_TEST

static Suite *chat_params_suite(void)
{
    Suite *suite = suite_create("chat_params");
    TCase *params = tcase_create("params");
    enum { TYPED = sizeof typed_rows / sizeof typed_rows[0] };
    tcase_add_loop_test(params, a_parameter_takes_its_types_and_no_others, 0, TYPED);
    tcase_add_loop_test(params, null_is_as_good_as_absent, 0, TYPED);
    tcase_add_loop_test(params, a_wrong_value_is_refused_by_its_name, 0, sizeof refusals / sizeof refusals[0]);
    tcase_add_loop_test(params, a_stream_is_asked_for_with_or_without_its_usage, 0,
                        sizeof streamings / sizeof streamings[0]);
    tcase_add_test(params, an_endpoint_that_cannot_stream_says_so);
    tcase_add_loop_test(params, params_hold_checked_values_under_canonical_names, 0,
                        sizeof canonicals / sizeof canonicals[0]);
    suite_add_tcase(suite, params);
    return suite;
}

int main(void)
{
    return suite_run(chat_params_suite());
}
