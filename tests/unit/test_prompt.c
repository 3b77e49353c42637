/* Messages as one text: when it is labelled, what the labels are, and what is no text. */
#include <string.h>

#include "call_help.h"
#include "check_main.h"
#include "openai/prompt.h"

static const struct rendering {
    const char *messages, *system, *prompt;
} renderings[] = {
    {"[{'role':'user','content':'Hi'}]", "", "Hi"},
    {"[{'role':'user','content':''}]", "", ""},
    {"[{'role':'user','content':[]}]", "", ""},
    {"[{'role':'user','content':7}]", "", "7"},
    {"[{'role':'user','content':0.1}]", "", "0.1"},
    {"[{'role':'user','content':[{'type':'text','text':'a'},{'type':'input_text','text':'b'}]}]", "", "a\nb"},
    {"[{'role':'system','content':'S'},{'role':'user','content':'Hi'}]", "S", "Hi"},
    {"[{'role':'developer','content':'D'},{'role':'user','content':'Hi'},{'role':'system','content':'S'}]", "D\n\nS",
     "Hi"},
    {"[{'role':'system','content':'only'}]", "only", ""},
    {"[{'role':'user','content':'a'},{'role':'assistant','content':'b'},{'role':'user','content':'c'}]", "",
     "User: a\n\nAssistant: b\n\nUser: c\n\nAssistant:"},
    {"[{'role':'user','name':'bob','content':'a'},{'role':'user','name':'','content':'b'}]", "",
     "User (bob): a\n\nUser: b\n\nAssistant:"},
    {"[{'role':'user','content':'a'},{'role':'user','content':'b'}]", "", "User: a\n\nUser: b\n\nAssistant:"},
    {"[{'role':'system','content':'S'},{'role':'user','content':'a'},{'role':'assistant','content':'b'}]", "S",
     "User: a\n\nAssistant: b\n\nAssistant:"},
    {"[{'role':'assistant','content':'b'}]", "", "Assistant: b\n\nAssistant:"},
    {"[{'role':'user','content':'a'},{'role':'assistant','content':[{'type':'refusal','refusal':'no'}]}]", "",
     "User: a\n\nAssistant: no\n\nAssistant:"},
    {"[{'role':'user','content':'w?'},{'role':'assistant','content':null,'tool_calls':[{'id':'call_1','type':'function'"
     ","
     "'function':{'name':'weather','arguments':'{}'}}]},{'role':'tool','tool_call_id':'call_1','content':'sunny'}]",
     "", "User: w?\n\nTool call call_1: weather({})\n\nTool result call_1: sunny\n\nAssistant:"},
    {"[{'role':'assistant','tool_calls':[{'id':'c','type':'custom','custom':{'name':'sh','input':'ls'}}]}]", "",
     "Tool call c: sh(ls)\n\nAssistant:"},
    {"[{'role':'assistant','function_call':{'name':'f','arguments':'{}'}},{'role':'function','name':'f','content':null}"
     "]",
     "", "Tool call: f({})\n\nTool result f: \n\nAssistant:"},
    {"[{'role':'assistant','tool_calls':[{}]}]", "", "Tool call: ()\n\nAssistant:"},
    {"[{'role':'assistant','tool_calls':[{'function':{'name':'f','arguments':{'a':1}}}]}]", "",
     "Tool call: f({\"a\":1})\n\nAssistant:"},
    {"[{'role':'tool','tool_call_id':'c','content':{'t':[1,2]}}]", "", "Tool result c: {\"t\":[1,2]}\n\nAssistant:"},
};

/* Tables are written with single quotes. */
static json_t *messages_of(const char *text)
{
    char quoted[1024];
    size_t length = strlen(text);
    ck_assert_uint_lt(length, sizeof quoted);
    for (size_t i = 0; i <= length; i++)
        quoted[i] = text[i] == '\'' ? '"' : text[i];
    return help_json(quoted);
}

START_TEST(messages_become_this_text)
{
    const struct rendering *row = &renderings[_i];
    json_t *messages = messages_of(row->messages);
    struct buf system, prompt;
    struct error err = {0};
    buf_init(&system, 4096);
    buf_init(&prompt, 4096);
    ck_assert(prompt_from_messages(messages, &system, &prompt, &err));
    ck_assert_str_eq(buf_text(&system), row->system);
    ck_assert_str_eq(buf_text(&prompt), row->prompt);
    buf_dispose(&system);
    buf_dispose(&prompt);
    json_decref(messages);
}
END_TEST

static const char *const media[] = {
    "[{'role':'user','content':[{'type':'text','text':'a'},{'type':'image_url','image_url':{'url':'http://x/'}}]}]",
    "[{'role':'user','content':[{'type':'text','text':'a'},{'type':'file','file':{}}]}]",
    "[{'role':'system','content':[{'type':'text','text':'a'},{'type':'input_audio','input_audio':{}}]}]",
};

START_TEST(a_part_that_is_no_text_is_named_by_its_path)
{
    json_t *messages = messages_of(media[_i]);
    struct buf system, prompt;
    struct error err = {0};
    buf_init(&system, 4096);
    buf_init(&prompt, 4096);
    ck_assert(!prompt_from_messages(messages, &system, &prompt, &err));
    ck_assert_int_eq(err.kind, ERROR_UNSUPPORTED_PARAMETER);
    ck_assert_str_eq(err.param, "messages[0].content[1]");
    ck_assert_ptr_nonnull(strstr(err.message, "drop_params"));
    buf_dispose(&system);
    buf_dispose(&prompt);
    json_decref(messages);
}
END_TEST

START_TEST(a_prompt_that_does_not_fit_is_an_error)
{
    json_t *messages = messages_of(_i == 0 ? "[{'role':'user','content':'123456789'}]"
                                           : "[{'role':'user','content':'1'},{'role':'user','content':'2'}]");
    struct buf system, prompt;
    struct error err = {0};
    buf_init(&system, 8);
    buf_init(&prompt, 8);
    ck_assert(!prompt_from_messages(messages, &system, &prompt, &err));
    ck_assert_int_eq(err.kind, ERROR_REQUEST_TOO_LARGE);
    buf_dispose(&system);
    buf_dispose(&prompt);
    json_decref(messages);
}
END_TEST

START_TEST(an_absent_content_is_no_text)
{
    struct buf out;
    struct error err = {0};
    buf_init(&out, 8);
    ck_assert(prompt_content_text(NULL, "messages[0].content", &out, &err));
    ck_assert_str_eq(buf_text(&out), "");
    buf_dispose(&out);
}
END_TEST

static Suite *prompt_suite(void)
{
    Suite *suite = suite_create("prompt");
    TCase *prompts = tcase_create("prompts");
    tcase_add_loop_test(prompts, messages_become_this_text, 0, sizeof renderings / sizeof renderings[0]);
    tcase_add_loop_test(prompts, a_part_that_is_no_text_is_named_by_its_path, 0, sizeof media / sizeof media[0]);
    tcase_add_loop_test(prompts, a_prompt_that_does_not_fit_is_an_error, 0, 2);
    tcase_add_test(prompts, an_absent_content_is_no_text);
    suite_add_tcase(suite, prompts);
    return suite;
}

int main(void)
{
    return suite_run(prompt_suite());
}
