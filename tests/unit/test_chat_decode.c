/* Reading chat completion requests: what is accepted, and how each mistake is refused. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "call_help.h"
#include "check_main.h"
#include "openai/chat.h"

#define HEAD "{\"model\":\"kimi\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"

/* Tables are written with single quotes. The caller frees. */
static char *body_of(const char *text)
{
    char *body = strdup(text);
    ck_assert_ptr_nonnull(body);
    for (char *c = body; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    return body;
}

static void assert_refused(const char *text, enum error_kind kind, const char *param)
{
    struct call call;
    struct error err = {0};
    char *body = body_of(text);
    ck_assert_msg(!help_decode(&call, body, &err), "%s was accepted", body);
    ck_assert_msg(err.kind == kind, "%s: kind %d, %s", body, (int)err.kind, err.message);
    ck_assert_msg(strcmp(err.param, param) == 0, "%s: param %s", body, err.param);
    ck_assert_ptr_null(strstr(err.message, "rate limit"));
    ck_assert(err.message[0] != '\0');
    call_dispose(&call);
    free(body);
}

static const struct refusal {
    const char *body;
    enum error_kind kind;
    const char *param;
} bodies[] = {
    {"", ERROR_BAD_REQUEST, ""},
    {"nonsense", ERROR_BAD_REQUEST, ""},
    {"{'model':'kimi'", ERROR_BAD_REQUEST, ""},
    {"{'model':'kimi'} {}", ERROR_BAD_REQUEST, ""},
    {"{'model':'a\\u0000b','messages':[]}", ERROR_BAD_REQUEST, ""},
    {"{'model':'\\ud83d','messages':[]}", ERROR_BAD_REQUEST, ""},
    {"{'model':'\xff','messages':[]}", ERROR_BAD_REQUEST, ""},
    {"{'model':'kimi','messages':[{'role':'user','content':'x'}],'temperature':1e999}", ERROR_BAD_REQUEST, ""},
    {"{'model':'kimi','messages':[{'role':'user','content':'x'}],'temperature':NaN}", ERROR_BAD_REQUEST, ""},
    {"[]", ERROR_INVALID_TYPE, ""},
    {"null", ERROR_INVALID_TYPE, ""},
    {"'text'", ERROR_INVALID_TYPE, ""},
    {"7", ERROR_INVALID_TYPE, ""},
    {"{}", ERROR_MISSING_PARAMETER, "model"},
    {"{'model':null}", ERROR_MISSING_PARAMETER, "model"},
    {"{'model':7}", ERROR_INVALID_TYPE, "model"},
    {"{'model':['a']}", ERROR_INVALID_TYPE, "model"},
    {"{'model':''}", ERROR_INVALID_VALUE, "model"},
    {"{'model':'kimi'}", ERROR_MISSING_PARAMETER, "messages"},
    {"{'model':'kimi','messages':null}", ERROR_MISSING_PARAMETER, "messages"},
    {"{'model':'kimi','messages':'Hi'}", ERROR_INVALID_TYPE, "messages"},
    {"{'model':'kimi','messages':{}}", ERROR_INVALID_TYPE, "messages"},
    {"{'model':'kimi','messages':[]}", ERROR_INVALID_VALUE, "messages"},
};

START_TEST(a_body_that_is_no_request_is_refused)
{
    assert_refused(bodies[_i].body, bodies[_i].kind, bodies[_i].param);
}
END_TEST

static const struct refusal messages[] = {
    {"7", ERROR_INVALID_TYPE, "messages[1]"},
    {"null", ERROR_INVALID_TYPE, "messages[1]"},
    {"{}", ERROR_MISSING_PARAMETER, "messages[1].role"},
    {"{'role':1}", ERROR_INVALID_TYPE, "messages[1].role"},
    {"{'role':null}", ERROR_INVALID_TYPE, "messages[1].role"},
    {"{'role':'robot','content':'x'}", ERROR_INVALID_VALUE, "messages[1].role"},
    {"{'role':'User','content':'x'}", ERROR_INVALID_VALUE, "messages[1].role"},
    {"{'role':'user'}", ERROR_MISSING_PARAMETER, "messages[1].content"},
    {"{'role':'system'}", ERROR_MISSING_PARAMETER, "messages[1].content"},
    {"{'role':'developer'}", ERROR_MISSING_PARAMETER, "messages[1].content"},
    {"{'role':'user','content':null}", ERROR_INVALID_TYPE, "messages[1].content"},
    {"{'role':'user','content':true}", ERROR_INVALID_TYPE, "messages[1].content"},
    {"{'role':'user','content':{}}", ERROR_INVALID_TYPE, "messages[1].content"},
    {"{'role':'assistant','content':{}}", ERROR_INVALID_TYPE, "messages[1].content"},
    {"{'role':'tool','content':'x'}", ERROR_MISSING_PARAMETER, "messages[1].tool_call_id"},
    {"{'role':'tool','content':'x','tool_call_id':1}", ERROR_INVALID_TYPE, "messages[1].tool_call_id"},
    {"{'role':'tool','tool_call_id':'c'}", ERROR_MISSING_PARAMETER, "messages[1].content"},
    {"{'role':'function','content':'x'}", ERROR_MISSING_PARAMETER, "messages[1].name"},
    {"{'role':'assistant','tool_calls':{}}", ERROR_INVALID_TYPE, "messages[1].tool_calls"},
    {"{'role':'assistant','tool_calls':[{},7]}", ERROR_INVALID_TYPE, "messages[1].tool_calls[1]"},
    {"{'role':'assistant','function_call':'x'}", ERROR_INVALID_TYPE, "messages[1].function_call"},
    {"{'role':'user','content':['x']}", ERROR_INVALID_TYPE, "messages[1].content[0]"},
    {"{'role':'user','content':[{}]}", ERROR_MISSING_PARAMETER, "messages[1].content[0].type"},
    {"{'role':'user','content':[{'type':1}]}", ERROR_INVALID_TYPE, "messages[1].content[0].type"},
    {"{'role':'user','content':[{'type':'hologram'}]}", ERROR_INVALID_VALUE, "messages[1].content[0].type"},
    {"{'role':'user','content':[{'type':'text','text':'a'},{'type':'text'}]}", ERROR_MISSING_PARAMETER,
     "messages[1].content[1].text"},
    {"{'role':'user','content':[{'type':'text','text':'a'},{'type':'text','text':1}]}", ERROR_INVALID_TYPE,
     "messages[1].content[1].text"},
    {"{'role':'user','content':[{'type':'text','text':{}}]}", ERROR_INVALID_TYPE, "messages[1].content[0].text"},
    {"{'role':'assistant','content':[{'type':'refusal'}]}", ERROR_MISSING_PARAMETER, "messages[1].content[0].refusal"},
    {"{'role':'user','content':[{'type':'image_url'}]}", ERROR_MISSING_PARAMETER, "messages[1].content[0].image_url"},
    {"{'role':'user','content':[{'type':'image_url','image_url':7}]}", ERROR_INVALID_TYPE,
     "messages[1].content[0].image_url"},
    {"{'role':'user','content':[{'type':'input_audio','input_audio':'x'}]}", ERROR_INVALID_TYPE,
     "messages[1].content[0].input_audio"},
    {"{'role':'user','content':[{'type':'file','file':[]}]}", ERROR_INVALID_TYPE, "messages[1].content[0].file"},
};

START_TEST(a_wrong_message_is_refused_by_its_path)
{
    char text[1024];
    snprintf(text, sizeof text, "{'model':'kimi','messages':[{'role':'user','content':'Hi'},%s]}", messages[_i].body);
    assert_refused(text, messages[_i].kind, messages[_i].param);
}
END_TEST

static const char *const fine_messages[] = {
    "{'role':'user','content':''}",
    "{'role':'user','content':[]}",
    "{'role':'user','content':3.5}",
    "{'role':'user','content':'x','name':'alice'}",
    "{'role':'assistant'}",
    "{'role':'assistant','content':null}",
    "{'role':'assistant','content':null,'tool_calls':null,'function_call':null}",
    "{'role':'assistant','content':'','tool_calls':[],'reasoning_content':'hm'}",
    "{'role':'assistant','content':[{'type':'refusal','refusal':'no'}]}",
    "{'role':'tool','tool_call_id':'c','content':{'a':1}}",
    "{'role':'tool','tool_call_id':'c','content':'x','name':'f'}",
    "{'role':'function','name':'f','content':null}",
    "{'role':'system','content':'late'}",
    "{'role':'developer','content':[{'type':'text','text':'x','cache_control':{}}]}",
    "{'role':'user','content':[{'type':'input_text','text':'x'}]}",
    "{'role':'user','content':[{'type':'image_url','image_url':'http://x/'}]}",
    "{'role':'user','content':[{'type':'image_url','image_url':{'url':'http://x/','detail':'auto'}}]}",
    "{'role':'user','content':[{'type':'input_image','image_url':'data:image/gif;base64,R0lGODlh'}]}",
    "{'role':'user','content':[{'type':'video_url','video_url':{'url':'http://x/'}}]}",
};

START_TEST(what_clients_in_the_field_send_is_accepted)
{
    char text[1024];
    snprintf(text, sizeof text, "{'model':'kimi','messages':[{'role':'user','content':'Hi'},%s]}", fine_messages[_i]);
    char *body = body_of(text);
    struct call call;
    struct error err = {0};
    ck_assert_msg(help_decode(&call, body, &err), "%s: %s", body, err.message);
    ck_assert_uint_eq(json_array_size(call.messages), 2);
    call_dispose(&call);
    free(body);
}
END_TEST

START_TEST(a_decoded_call_knows_what_was_asked)
{
    struct call call;
    struct error err = {0};
    ck_assert_msg(help_decode(&call, HEAD ",\"n\":2.0,\"temperature\":0.5,\"stream\":null,\"top_k\":3}", &err), "%s",
                  err.message);
    ck_assert_str_eq(call.alias, "kimi");
    ck_assert_int_eq(call.n, 2);
    ck_assert_str_eq(call.id, HELP_ID);
    ck_assert_int_eq(call.created_s, HELP_NOW_S);
    ck_assert_uint_eq(json_array_size(call.messages), 1);
    char *params = help_dump_params(&call);
    ck_assert_str_eq(params, "{\"temperature\":0.5,\"n\":2}");
    ck_assert_ptr_null(call.ignored);
    ck_assert_ptr_null(call.stops);
    free(params);
    call_dispose(&call);
}
END_TEST

START_TEST(of_two_equal_keys_the_last_counts)
{
    struct call call;
    struct error err = {0};
    ck_assert(help_decode(&call, HEAD ",\"model\":\"other\",\"n\":2,\"n\":3}", &err));
    ck_assert_str_eq(call.alias, "other");
    ck_assert_int_eq(call.n, 3);
    call_dispose(&call);
}
END_TEST

static const struct {
    const char *path_model, *body_model, *alias;
} path_models[] = {
    {"path", "{", "path"},
    {"path", "{\"model\":\"body\",", "path"},
    {"path", "{\"model\":null,", "path"},
    {"path", "{\"model\":\"\",", "path"},
    {"", "{\"model\":\"body\",", "body"},
};

START_TEST(the_model_in_the_path_goes_first)
{
    char body[256];
    snprintf(body, sizeof body, "%s\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}", path_models[_i].body_model);
    struct call_request request = {.path_model = path_models[_i].path_model,
                                   .body = body,
                                   .body_length = strlen(body),
                                   .unique = HELP_UNIQUE,
                                   .now_s = HELP_NOW_S};
    struct call call;
    struct error err = {0};
    call_init(&call);
    ck_assert_msg(chat_decode(&call, &request, &err), "%s", err.message);
    ck_assert_str_eq(call.alias, path_models[_i].alias);
    call_dispose(&call);
}
END_TEST

START_TEST(a_deeply_nested_body_is_refused)
{
    struct buf body;
    struct call call;
    struct error err = {0};
    buf_init(&body, 1 << 20);
    buf_append_text(&body, HEAD ",\"metadata\":");
    for (int i = 0; i < 10000; i++)
        buf_append_text(&body, _i == 0 ? "[" : "{\"a\":");
    ck_assert(!help_decode(&call, buf_text(&body), &err));
    ck_assert_int_eq(err.kind, ERROR_BAD_REQUEST);
    call_dispose(&call);
    buf_dispose(&body);
}
END_TEST

START_TEST(ten_thousand_messages_are_no_trouble)
{
    struct buf body;
    struct call call;
    struct error err = {0};
    buf_init(&body, 1 << 20);
    buf_append_text(&body, "{\"model\":\"kimi\",\"messages\":[");
    for (int i = 0; i < 10000; i++)
        buf_append_text(&body, "{\"role\":\"user\",\"content\":\"Hi\"},");
    buf_append_text(&body, "{\"role\":\"user\"}]}");
    ck_assert(!help_decode(&call, buf_text(&body), &err));
    ck_assert_str_eq(err.param, "messages[10000].content");
    call_dispose(&call);
    buf_dispose(&body);
}
END_TEST

START_TEST(a_refusal_quotes_little_of_a_long_word)
{
    char body[4096] = "{\"model\":\"kimi\",\"messages\":[{\"role\":\"";
    size_t length = strlen(body);
    memset(body + length, 'x', 3000);
    memcpy(body + length + 3000, "\"}]}", 5);
    struct call call;
    struct error err = {0};
    ck_assert(!help_decode(&call, body, &err));
    ck_assert_int_eq(err.kind, ERROR_INVALID_VALUE);
    ck_assert_uint_lt(strlen(err.message), 300);
    call_dispose(&call);
}
END_TEST

static Suite *chat_decode_suite(void)
{
    Suite *suite = suite_create("chat_decode");
    TCase *decode = tcase_create("decode");
    tcase_add_loop_test(decode, a_body_that_is_no_request_is_refused, 0, sizeof bodies / sizeof bodies[0]);
    tcase_add_loop_test(decode, a_wrong_message_is_refused_by_its_path, 0, sizeof messages / sizeof messages[0]);
    tcase_add_loop_test(decode, what_clients_in_the_field_send_is_accepted, 0,
                        sizeof fine_messages / sizeof fine_messages[0]);
    tcase_add_test(decode, a_decoded_call_knows_what_was_asked);
    tcase_add_test(decode, of_two_equal_keys_the_last_counts);
    tcase_add_loop_test(decode, the_model_in_the_path_goes_first, 0, sizeof path_models / sizeof path_models[0]);
    tcase_add_loop_test(decode, a_deeply_nested_body_is_refused, 0, 2);
    tcase_add_test(decode, ten_thousand_messages_are_no_trouble);
    tcase_add_test(decode, a_refusal_quotes_little_of_a_long_word);
    suite_add_tcase(suite, decode);
    return suite;
}

int main(void)
{
    return suite_run(chat_decode_suite());
}
