/* Conversations for every model: which of its inputs take the messages, and in which form. */
#include "unit/mapping_case.h"

#define SYSTEM "{'role':'system','content':'S'}"
#define DEVELOPER "{'role':'developer','content':'D'}"
#define USER "{'role':'user','content':'u1'}"
#define ANSWER "{'role':'assistant','content':'a1'}"
#define AGAIN "{'role':'user','content':'u2'}"
#define RESULT "{'role':'tool','tool_call_id':'c','content':'r'}"
#define CALL "{'role':'assistant','content':null,'tool_calls':[{'id':'c','function':{'name':'f','arguments':'x'}}]}"
#define SILENT_CALL                                                                                                    \
    "{'role':'assistant','content':'','tool_calls':[{'id':'c','function':{'name':'f','arguments':'x'}}]}"

#define TEXT(name) "'" name "':{'type':'string'}"
#define OBJECTS(name) "'" name "':{'type':'array','items':{'type':'object'}}"
#define MODEL(properties) "{'properties':{" properties "}}"
#define REQUIRES(required, properties) "{'required':[" required "],'properties':{" properties "}}"

#define MISTRAL "'prompt_template':{'type':'string','default':'<s>[INST] {prompt} [/INST] '}"
#define HISTORY "'history':{'type':'array','items':{'type':'string'}}"

static const struct row {
    const char *model, *route, *messages, *input;
    size_t prompt_bytes;
} lists[] = {
    {"openai__gpt-4o", "{}", SYSTEM "," USER,
     "{'messages':[{'role':'system','content':'S'},{'role':'user','content':'u1'}]}", 64},
    {"openai__gpt-4o", "{}", DEVELOPER "," USER, "{'messages':[{'role':'system','content':'D'}," USER "]}", 64},
    {"openai__gpt-4o", "{}", "{'role':'user','content':[{'type':'text','text':'a'},{'type':'input_text','text':'b'}]}",
     "{'messages':[{'role':'user','content':'a\\nb'}]}", 34},
    {"openai__gpt-4o", "{}", "{'role':'user','content':7}", "{'messages':[{'role':'user','content':'7'}]}", 31},
    {"openai__gpt-4o", "{}",
     USER ",{'role':'assistant','content':'a1','refusal':null,'audio':null,'tool_calls':null,'name':'x'}",
     "{'messages':[" USER ",{'role':'assistant','content':'a1','name':'x'}]}", 79},
    /* Nothing said is an empty text. */
    {"openai__gpt-4o", "{}", USER "," CALL "," RESULT, "{'messages':[" USER "," SILENT_CALL "," RESULT "]}", 181},
    {"openai__gpt-4o", "{}", USER ",{'role':'assistant','tool_calls':[]}",
     "{'messages':[" USER ",{'role':'assistant','tool_calls':[],'content':''}]}", 82},
    /* What answers hold and requests do not. */
    {"openai__gpt-4o", "{}",
     USER ",{'role':'assistant','content':'a1','reasoning_content':'t','reasoning':'t','annotations':[],'name':'x'}",
     "{'messages':[" USER ",{'role':'assistant','content':'a1','name':'x'}]}", 79},
    {"openai__gpt-4o", "{'input':{'prompt':'p','system_prompt':'Be kind.'}}", USER,
     "{'messages':[{'role':'system','content':'Be kind.'}," USER "]}", 71},
    {"openai__gpt-4o", "{'input':{'system_prompt':'Be kind.'}}", SYSTEM "," USER, "{'messages':[" SYSTEM "," USER "]}",
     64},
    {"openai__gpt-4o", "{'map':{'prompt':'prompt'}}", SYSTEM "," USER, "{'system_prompt':'S','prompt':'u1'}", 3},
    {"openai__gpt-4o", "{'map':{'messages':null}}", USER, "{'prompt':'u1'}", 2},
    {"openai__gpt-4o", "{'map':{'system':'prompt','prompt':'system_prompt'}}", SYSTEM "," USER,
     "{'prompt':'S','system_prompt':'u1'}", 3},
    {"ibm-granite__granite-3.3-8b-instruct", "{}", USER, "{'messages':[" USER "]}", 32},
    {"ibm-granite__granite-3.3-8b-instruct", "{'map':{'messages':'messages'}}", DEVELOPER,
     "{'messages':[" DEVELOPER "]}", 36},
    {"prunaai__gpt-oss-20b", "{}", DEVELOPER "," USER,
     "{'messages':'[{\\'role\\':\\'system\\',\\'content\\':\\'D\\'},{\\'role\\':\\'user\\',\\'content\\':\\'u1\\'}]'}",
     64},
    {MODEL(OBJECTS("messages")), "{}", USER, "{'messages':[" USER "]}", 32},
    {MODEL(TEXT("system_messages")), "{'map':{'messages':'system_messages'}}", USER,
     "{'system_messages':'[{\\'role\\':\\'user\\',\\'content\\':\\'u1\\'}]'}", 32},
    {MODEL("'messages':{}"), "{}", USER, "{'messages':[" USER "]}", 32},
    {MODEL("'messages':{'anyOf':[{'type':'string'},{'type':'array','items':{'type':'object'}}]}"), "{}", USER,
     "{'messages':[" USER "]}", 32},
    /* A prompt that has to be there is where the model looks. */
    {REQUIRES("'prompt'", TEXT("prompt") "," OBJECTS("messages")), "{}", USER, "{'prompt':'u1'}", 2},
    {MODEL("'messages':{'type':'array','items':{'type':'string'}}," TEXT("prompt")), "{}", USER, "{'prompt':'u1'}", 2},
};

static const struct row items[] = {
    {"openai__gpt-5-structured", "{}", SYSTEM "," DEVELOPER "," USER "," ANSWER "," AGAIN,
     "{'instructions':'S\\n\\nD','input_item_list':[{'role':'user','content':[{'type':'input_text','text':'u1'}]},"
     "{'role':'assistant','content':[{'type':'output_text','text':'a1'}]},"
     "{'role':'user','content':[{'type':'input_text','text':'u2'}]}]}",
     10},
    {"openai__gpt-5-structured", "{'input':{'prompt':'p','instructions':'I'}}", USER,
     "{'instructions':'I','input_item_list':[{'role':'user','content':[{'type':'input_text','text':'u1'}]}]}", 2},
    {"openai__gpt-5-structured", "{}", USER "," CALL "," RESULT,
     "{'input_item_list':[{'role':'user','content':[{'type':'input_text','text':'u1'}]},"
     "{'role':'assistant','content':[{'type':'output_text','text':'Tool call c: f(x)'}]},"
     "{'role':'user','content':[{'type':'input_text','text':'Tool result c: r'}]}]}",
     35},
    {"openai__gpt-5-structured", "{}", SYSTEM,
     "{'input_item_list':[{'role':'system','content':[{'type':'input_text','text':'S'}]}]}", 1},
    {REQUIRES("'input_item_list'", "'input_item_list':{}"), "{}", USER,
     "{'input_item_list':[{'role':'user','content':[{'type':'input_text','text':'u1'}]}]}", 2},
    {MODEL(OBJECTS("input_item_list")), "{}", SYSTEM "," USER,
     "{'input_item_list':[{'role':'system','content':[{'type':'input_text','text':'S'}]},"
     "{'role':'user','content':[{'type':'input_text','text':'u1'}]}]}",
     3},
};

#define LLAVA MODEL(TEXT("prompt") "," HISTORY)
#define LLAVA_WITH_SYSTEM MODEL(TEXT("prompt") "," TEXT("system_prompt") "," HISTORY)

static const struct row histories[] = {
    {LLAVA, "{}", USER, "{'prompt':'u1'}", 2},
    {LLAVA, "{}", SYSTEM "," USER, "{'prompt':'S\\n\\nu1'}", 3},
    {LLAVA, "{}", USER "," ANSWER "," AGAIN, "{'history':['u1','a1'],'prompt':'u2'}", 6},
    {LLAVA, "{}", SYSTEM "," USER "," ANSWER "," AGAIN, "{'history':['S\\n\\nu1','a1'],'prompt':'u2'}", 7},
    {LLAVA_WITH_SYSTEM, "{}", SYSTEM "," USER "," ANSWER "," AGAIN,
     "{'system_prompt':'S','history':['u1','a1'],'prompt':'u2'}", 7},
    {LLAVA, "{}", USER "," AGAIN "," ANSWER "," USER "," AGAIN, "{'history':['u1\\n\\nu2','a1'],'prompt':'u1\\n\\nu2'}",
     14},
    {LLAVA, "{}", USER "," AGAIN, "{'prompt':'User: u1\\n\\nUser: u2\\n\\nAssistant:'}", 30},
    {LLAVA, "{}", USER "," CALL "," RESULT, "{'history':['u1','Tool call c: f(x)'],'prompt':'Tool result c: r'}", 35},
    {LLAVA, "{}", ANSWER "," AGAIN, "{'prompt':'Assistant: a1\\n\\nUser: u2\\n\\nAssistant:'}", 35},
    {LLAVA, "{}", USER "," ANSWER, "{'prompt':'User: u1\\n\\nAssistant: a1\\n\\nAssistant:'}", 35},
    {LLAVA, "{'map':{'messages':null}}", USER "," ANSWER "," AGAIN,
     "{'prompt':'User: u1\\n\\nAssistant: a1\\n\\nUser: u2\\n\\nAssistant:'}", 45},
    {MODEL(TEXT("prompt") ",'history':{'type':'string'}"), "{}", USER "," AGAIN,
     "{'prompt':'User: u1\\n\\nUser: u2\\n\\nAssistant:'}", 30},
};

#define RENDERED_LLAMA3                                                                                                \
    "'<|begin_of_text|><|start_header_id|>user<|end_header_id|>\\n\\nu1<|eot_id|>"                                     \
    "<|start_header_id|>assistant<|end_header_id|>\\n\\na1<|eot_id|>"                                                  \
    "<|start_header_id|>user<|end_header_id|>\\n\\nu2<|eot_id|><|start_header_id|>assistant<|end_header_id|>\\n\\n'"

static const struct row templates[] = {
    {"meta__meta-llama-3-8b-instruct", "{}", SYSTEM "," USER, "{'system_prompt':'S','prompt':'u1'}", 3},
    {"meta__meta-llama-3-8b-instruct", "{}", USER "," ANSWER "," AGAIN,
     "{'prompt_template':'{prompt}','prompt':" RENDERED_LLAMA3 "}", 231},
    {"meta__meta-llama-3-8b-instruct", "{}", SYSTEM, "{'prompt':'S'}", 1},
    {"mistralai__mixtral-8x7b-instruct-v0.1", "{}", USER, "{'prompt':'u1'}", 2},
    {"mistralai__mixtral-8x7b-instruct-v0.1", "{}", SYSTEM "," USER,
     "{'prompt_template':'{prompt}','prompt':'<s>[INST] S\\n\\nu1 [/INST]'}", 23},
    {"mistralai__mixtral-8x7b-instruct-v0.1", "{}", USER "," ANSWER "," AGAIN,
     "{'prompt_template':'{prompt}','prompt':'<s>[INST] u1 [/INST] a1</s>[INST] u2 [/INST]'}", 44},
    {MODEL(MISTRAL "," TEXT("prompt") "," TEXT("system_prompt")), "{'input':{'system_prompt':'Default.'}}",
     USER "," ANSWER "," AGAIN,
     "{'prompt_template':'{prompt}','prompt':'<s>[INST] Default.\\n\\nu1 [/INST] a1</s>[INST] u2 [/INST]'}", 54},
    {"mistralai__mixtral-8x7b-instruct-v0.1", "{'input':{'prompt_template':'Q: {prompt}'}}", USER "," AGAIN,
     "{'prompt_template':'Q: {prompt}','prompt':'User: u1\\n\\nUser: u2\\n\\nAssistant:'}", 30},
    /* No template of a known family. */
    {"meta__meta-llama-3.1-405b-instruct", "{}", SYSTEM "," USER "," AGAIN,
     "{'system_prompt':'S','prompt':'User: u1\\n\\nUser: u2\\n\\nAssistant:'}", 31},
    {MODEL(TEXT("prompt") ",'prompt_template':{'type':'string','default':'{prompt}'}"), "{}", SYSTEM "," USER,
     "{'prompt':'S\\n\\nu1'}", 3},
};

static const struct row prompts[] = {
    {"moonshotai__kimi-k2-thinking", "{}", SYSTEM "," USER, "{'prompt':'S\\n\\nu1'}", 3},
    {"google__gemini-2.5-flash", "{}", SYSTEM "," USER, "{'system_instruction':'S','prompt':'u1'}", 3},
    {"anthropic__claude-4-sonnet", "{}", "{'role':'system','content':''}," USER, "{'system_prompt':'','prompt':'u1'}",
     2},
    {"meta__llama-2-70b-chat", "{}", SYSTEM "," USER "," ANSWER "," AGAIN,
     "{'system_prompt':'S','prompt':'User: u1\\n\\nAssistant: a1\\n\\nUser: u2\\n\\nAssistant:'}", 46},
    {MODEL(TEXT("question") "," TEXT("text")), "{}", USER, "{'text':'u1'}", 2},
    {MODEL(TEXT("my_question") "," TEXT("negative_prompt") "," TEXT("system_hint")), "{}", SYSTEM "," USER,
     "{'my_question':'u1','system_hint':'S'}", 3},
    {MODEL(TEXT("prompt") "," TEXT("system_fingerprint") "," TEXT("operating_system")), "{}", SYSTEM "," USER,
     "{'prompt':'S\\n\\nu1'}", 3},
    {MODEL("'prompt':{'type':'string','format':'uri'}," TEXT("query")), "{}", USER, "{'query':'u1'}", 2},
    {MODEL("'prompt':{'type':'string','enum':['a','b']}," TEXT("Instruction")), "{}", USER, "{'Instruction':'u1'}", 2},
    {MODEL("'text':{'type':'string','x-cog-secret':true,'format':'password'}," TEXT("message")), "{}", USER,
     "{'message':'u1'}", 2},
    {REQUIRES("'poem'", TEXT("poem") "," TEXT("lang")), "{}", USER, "{'poem':'u1'}", 2},
    {REQUIRES("'poem','img'", TEXT("poem") ",'img':{'type':'string'}"), "{'input':{'img':'i'}}", USER,
     "{'poem':'u1','img':'i'}", 2},
    {MODEL(TEXT("prompt") "," TEXT("words")), "{'map':{'prompt':'words'}}", USER, "{'words':'u1'}", 2},
    /* A schema that lacks what the operator names is a placeholder. */
    {MODEL(TEXT("name")), "{'map':{'prompt':'prompt','system':'hint'}}", SYSTEM "," USER, "{'hint':'S','prompt':'u1'}",
     3},
};

static void check_row(const struct row *row)
{
    struct mapped mapped;
    case_map(&mapped, row->model, row->route, row->messages, "");
    case_expect_input(&mapped, row->input);
    case_expect_ignored(&mapped, "");
    ck_assert_uint_eq(mapped.call.prompt_bytes, row->prompt_bytes);
    case_dispose(&mapped);
}

START_TEST(a_model_with_a_list_gets_the_messages_as_models_know_them)
{
    check_row(&lists[_i]);
}
END_TEST

START_TEST(a_model_with_items_gets_items)
{
    check_row(&items[_i]);
}
END_TEST

START_TEST(a_model_with_a_history_gets_alternating_turns)
{
    check_row(&histories[_i]);
}
END_TEST

START_TEST(a_model_with_a_template_gets_its_own_form)
{
    check_row(&templates[_i]);
}
END_TEST

START_TEST(any_other_model_gets_a_prompt)
{
    check_row(&prompts[_i]);
}
END_TEST

/* What the client sends under the model's own names. */
static const struct client {
    const char *model, *messages, *extra, *input, *ignored;
} clients[] = {
    {"openai__gpt-4o", USER, ",'prompt':'p','system_prompt':'s'", "{'messages':[" USER "]}", "prompt, system_prompt"},
    {"mistralai__mixtral-8x7b-instruct-v0.1", USER "," AGAIN, ",'prompt_template':'Q: {prompt}'",
     "{'prompt_template':'Q: {prompt}','prompt':'User: u1\\n\\nUser: u2\\n\\nAssistant:'}", ""},
    {"mistralai__mixtral-8x7b-instruct-v0.1", SYSTEM "," USER, ",'prompt_template':'Q: {prompt}'",
     "{'prompt_template':'Q: {prompt}','prompt':'S\\n\\nu1'}", ""},
    {"mistralai__mixtral-8x7b-instruct-v0.1", SYSTEM "," USER, ",'prompt_template':null",
     "{'prompt_template':'{prompt}','prompt':'<s>[INST] S\\n\\nu1 [/INST]'}", ""},
};

START_TEST(a_client_s_own_inputs_stand_behind_its_messages_and_before_our_template)
{
    struct mapped mapped;
    case_map(&mapped, clients[_i].model, "{}", clients[_i].messages, clients[_i].extra);
    case_expect_input(&mapped, clients[_i].input);
    case_expect_ignored(&mapped, clients[_i].ignored);
    case_dispose(&mapped);
}
END_TEST

static const struct refusal {
    const char *model, *route, *messages;
    enum error_kind kind;
    const char *words;
} refusals[] = {
    {MODEL("'image':{'type':'string','format':'uri'}"), "{}", USER, ERROR_UNSUPPORTED_PARAMETER, "`kimi`"},
    {MODEL(TEXT("prompt")), "{'map':{'prompt':null}}", USER, ERROR_UNSUPPORTED_PARAMETER, "configured"},
    {REQUIRES("'voice'", TEXT("voice")), "{}", USER, ERROR_UNSUPPORTED_PARAMETER, "`map`"},
    {REQUIRES("'negative_prompt'", TEXT("negative_prompt")), "{}", USER, ERROR_UNSUPPORTED_PARAMETER, "`map`"},
    {REQUIRES("'one','two'", TEXT("one") "," TEXT("two")), "{}", USER, ERROR_UNSUPPORTED_PARAMETER, "`map`"},
    {MODEL("'prompt':{'type':'string','maxLength':2}"), "{}", "{'role':'user','content':'\u00e9\u00e9\u00e9'}",
     ERROR_INVALID_VALUE, "at most 2 characters"},
    {MODEL("'messages':{'type':'array','maxItems':1,'items':{'type':'object'}}"), "{}", USER "," AGAIN,
     ERROR_INVALID_VALUE, "at most 1 items"},
};

START_TEST(messages_that_a_model_cannot_be_told_are_refused)
{
    struct mapped mapped;
    case_map(&mapped, refusals[_i].model, refusals[_i].route, refusals[_i].messages, "");
    case_expect_refused(&mapped, refusals[_i].kind, "messages", refusals[_i].words);
    case_dispose(&mapped);
}
END_TEST

START_TEST(as_many_characters_as_fit_are_taken)
{
    struct mapped mapped;
    case_map(&mapped, MODEL("'prompt':{'type':'string','maxLength':2}"), "{}",
             "{'role':'user','content':'\u00e9\u00e9'}", "");
    case_expect_input(&mapped, "{'prompt':'\u00e9\u00e9'}");
    case_dispose(&mapped);
}
END_TEST

static Suite *mapping_conversation_suite(void)
{
    Suite *suite = suite_create("mapping_conversation");
    TCase *kinds = tcase_create("kinds");
    tcase_add_loop_test(kinds, a_model_with_a_list_gets_the_messages_as_models_know_them, 0,
                        sizeof lists / sizeof lists[0]);
    tcase_add_loop_test(kinds, a_model_with_items_gets_items, 0, sizeof items / sizeof items[0]);
    tcase_add_loop_test(kinds, a_model_with_a_history_gets_alternating_turns, 0,
                        sizeof histories / sizeof histories[0]);
    tcase_add_loop_test(kinds, a_model_with_a_template_gets_its_own_form, 0, sizeof templates / sizeof templates[0]);
    tcase_add_loop_test(kinds, any_other_model_gets_a_prompt, 0, sizeof prompts / sizeof prompts[0]);
    tcase_add_loop_test(kinds, a_client_s_own_inputs_stand_behind_its_messages_and_before_our_template, 0,
                        sizeof clients / sizeof clients[0]);
    tcase_add_loop_test(kinds, messages_that_a_model_cannot_be_told_are_refused, 0,
                        sizeof refusals / sizeof refusals[0]);
    tcase_add_test(kinds, as_many_characters_as_fit_are_taken);
    suite_add_tcase(suite, kinds);
    return suite;
}

int main(void)
{
    return suite_run(mapping_conversation_suite());
}
