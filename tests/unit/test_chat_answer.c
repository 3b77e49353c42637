/* Chat completions from outcomes: the text out of every shape of output, stops, usage, and why it ended. */
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "call_help.h"
#include "check_main.h"
#include "openai/chat.h"

enum { OUTCOMES_MAX = 4 };

static struct call call;
static struct buf out;
static struct outcome *outcomes[OUTCOMES_MAX];

static void setup(void)
{
    call_init(&call);
    call.alias = xstrdup("kimi");
    call.created_s = HELP_NOW_S;
    snprintf(call.id, sizeof call.id, "%s", HELP_ID);
    buf_init(&out, 1 << 16);
}

static void teardown(void)
{
    for (int i = 0; i < OUTCOMES_MAX; i++) {
        outcome_free(outcomes[i]);
        outcomes[i] = NULL;
    }
    buf_dispose(&out);
    call_dispose(&call);
}

static json_t *json_of(const char *text)
{
    char quoted[1024];
    size_t length = strlen(text);
    ensure(length < sizeof quoted);
    for (size_t i = 0; i <= length; i++)
        quoted[i] = text[i] == '\'' ? '"' : text[i];
    return help_json(quoted);
}

static void add_outcome(int index, const char *text)
{
    json_t *description = json_of(text);
    outcomes[index] = help_outcome(description);
    call.n = index + 1;
    json_decref(description);
}

static json_t *finish(void)
{
    struct error err = {0};
    ck_assert_msg(chat_finish(&call, outcomes, &out, &err), "%s", err.message);
    return help_json(buf_text(&out));
}

static const json_t *choice(const json_t *answer, size_t index)
{
    return json_array_get(json_object_get(answer, "choices"), index);
}

static const char *content(const json_t *answer, size_t index)
{
    return json_text(json_object_get(choice(answer, index), "message"), "content");
}

START_TEST(an_answer_is_openais_object_to_the_letter)
{
    add_outcome(0, "{'output':['Hel','lo'],'usage':{'input_tokens':9,'output_tokens':12,'reasoning_tokens':3}}");
    json_decref(finish());
    ck_assert_str_eq(
        buf_text(&out),
        "{\"id\":\"" HELP_ID "\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"kimi\",\"choices\":["
        "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hello\",\"refusal\":null,\"annotations\":[]},"
        "\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":12,"
        "\"total_tokens\":21,\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
        "\"completion_tokens_details\":{\"reasoning_tokens\":3,\"audio_tokens\":0,\"accepted_prediction_tokens\":0,"
        "\"rejected_prediction_tokens\":0}}}");
    ck_assert_str_eq(call.usage_source, "reported");
}
END_TEST

static const struct shape {
    const char *outcome, *text;
} shapes[] = {
    {"{'output':'text'}", "text"},
    {"{'output':''}", ""},
    {"{'output':['','a','b','']}", "ab"},
    {"{'output':[]}", ""},
    {"{'output':null}", ""},
    {"{}", ""},
    {"{'output':7}", "7"},
    {"{'output':0.1}", "0.1"},
    {"{'output':true}", "true"},
    {"{'output':['a',1]}", "[\"a\",1]"},
    {"{'output':[{'x':1}]}", "[{\"x\":1}]"},
    {"{'output':{'text':'t','output':'o'}}", "t"},
    {"{'output':{'transcription':'t'}}", "t"},
    {"{'output':{'output':'o'}}", "o"},
    {"{'output':{'text_output':'o'}}", "o"},
    {"{'output':{'generated_text':'g'}}", "g"},
    {"{'output':{'json_output':'{}'}}", "{}"},
    {"{'output':{'text':null,'json_output':{'a':1}}}", "{\"a\":1}"},
    {"{'output':['https://example.com/a.png','https://example.com/b.mp4']}",
     "![image](https://example.com/a.png)\n[file](https://example.com/b.mp4)"},
    {"{'output':{}}", "{}"},
    {"{'output':'\\u00e9\\ud83d\\ude00 \\n\\t'}", "\xC3\xA9\xF0\x9F\x98\x80 \n\t"},
    {"{'output':'x<think>y'}", "x<think>y"},
};

START_TEST(every_shape_of_output_has_its_text)
{
    add_outcome(0, shapes[_i].outcome);
    json_t *answer = finish();
    ck_assert_pstr_eq(content(answer, 0), shapes[_i].text);
    json_decref(answer);
}
END_TEST

/* Reasoning NULL: the answer does not mention any. */
static const struct thoughts {
    enum reasoning_mode mode;
    const char *outcome, *reasoning, *content;
} thoughts[] = {
    {REASONING_AUTO, "{'output':'<think>x</think>y'}", "x", "y"},
    {REASONING_AUTO, "{'output':['<thi','nk>x</th','ink>\\n\\ny']}", "x", "y"},
    {REASONING_AUTO, "{'output':'x</think>\\ny'}", "x", "y"},
    {REASONING_AUTO, "{'output':'x</think>y'}", NULL, "x</think>y"},
    {REASONING_AUTO, "{'output':'<think>x'}", "x", ""},
    {REASONING_AUTO, "{'output':'<think></think>y'}", NULL, "y"},
    {REASONING_AUTO, "{'output':{'text':'<think>x</think>y'}}", "x", "y"},
    {REASONING_AUTO, "{'output':'x'}", NULL, "x"},
    {REASONING_OPENED, "{'output':'x</think>y'}", "x", "y"},
    {REASONING_OPENED, "{'output':'x'}", "x", ""},
    {REASONING_OFF, "{'output':'<think>x</think>y'}", NULL, "<think>x</think>y"},
};

START_TEST(thoughts_stand_beside_the_content)
{
    const struct thoughts *row = &thoughts[_i];
    add_outcome(0, row->outcome);
    call.reasoning = row->mode;
    json_t *answer = finish();
    const json_t *message = json_object_get(choice(answer, 0), "message");
    ck_assert_str_eq(content(answer, 0), row->content);
    ck_assert_pstr_eq(json_text(message, "reasoning_content"), row->reasoning);
    ck_assert_pstr_eq(json_text(message, "reasoning"), row->reasoning);
    ck_assert_uint_eq(json_object_size(message), row->reasoning == NULL ? 4 : 6);
    json_decref(answer);
}
END_TEST

static const struct cut {
    const char *output, *stops, *text;
} cuts[] = {
    {"{'output':'one END two'}", "['END']", "one "},
    {"{'output':'one END two'}", "['two','END']", "one "},
    {"{'output':['one E','ND two']}", "['END']", "one "},
    {"{'output':'one'}", "['END']", "one"},
    {"{'output':'END'}", "['END']", ""},
    {"{'output':''}", "['END']", ""},
    {"{'output':'a\\u00e9b'}", "['\\u00e9']", "a"},
    {"{'output':'aab'}", "['ab','aab']", ""},
    {"{'output':'<think>END</think>one END two'}", "['END']", "one "},
};

START_TEST(the_earliest_stop_string_ends_the_text)
{
    add_outcome(0, cuts[_i].output);
    call.stops = json_of(cuts[_i].stops);
    json_t *answer = finish();
    ck_assert_pstr_eq(content(answer, 0), cuts[_i].text);
    ck_assert_str_eq(json_text(choice(answer, 0), "finish_reason"), "stop");
    json_decref(answer);
}
END_TEST

static const struct ending {
    const char *outcome;
    int64_t limit;
    const char *stops, *reason;
} endings[] = {
    {"{'output':'a','usage':{'output_tokens':10}}", 0, NULL, "stop"},
    {"{'output':'a','usage':{'output_tokens':9}}", 10, NULL, "stop"},
    {"{'output':'a','usage':{'output_tokens':10}}", 10, NULL, "length"},
    {"{'output':'a','usage':{'output_tokens':11}}", 10, NULL, "length"},
    {"{'output':'a long text of which nobody knows the tokens'}", 1, NULL, "stop"},
    {"{'output':'aXb','usage':{'output_tokens':10}}", 10, "['X']", "stop"},
    {"{'output':'ab','usage':{'output_tokens':10}}", 10, "['X']", "length"},
};

START_TEST(length_is_said_where_the_limit_was_used_up)
{
    add_outcome(0, endings[_i].outcome);
    call.token_limit = endings[_i].limit;
    call.stops = endings[_i].stops == NULL ? NULL : json_of(endings[_i].stops);
    json_t *answer = finish();
    ck_assert_str_eq(json_text(choice(answer, 0), "finish_reason"), endings[_i].reason);
    json_decref(answer);
}
END_TEST

static const struct counting {
    const char *outcomes[2];
    size_t prompt_bytes;
    int64_t prompt, completion, total, reasoning;
    const char *source;
} countings[] = {
    {{"{'output':'abcde'}", NULL}, 9, 3, 2, 5, 0, "estimated"},
    {{"{'output':'a'}", NULL}, 1, 1, 1, 2, 0, "estimated"},
    {{"{}", NULL}, 0, 0, 0, 0, 0, "estimated"},
    {{"{'output':'<think>abcd</think>efgh'}", NULL}, 0, 0, 2, 2, 0, "estimated"},
    {{"{'output':'a','usage':{}}", NULL}, 8, 0, 0, 0, 0, "reported"},
    {{"{'output':'a','usage':{'input_tokens':5,'output_tokens':7,'reasoning_tokens':2}}",
      "{'output':'b','usage':{'input_tokens':5,'output_tokens':8,'reasoning_tokens':1}}"},
     8,
     10,
     15,
     25,
     3,
     "reported"},
    {{"{'output':'a','usage':{'input_tokens':5,'output_tokens':7}}", "{'output':'12345678'}"},
     8,
     7,
     9,
     16,
     0,
     "estimated"},
    {{"{'output':'a','usage':{'input_tokens':-5,'output_tokens':-7,'reasoning_tokens':-1}}", NULL},
     8,
     0,
     0,
     0,
     0,
     "reported"},
    {{"{'output':'a','usage':{'input_tokens':9223372036854775807,'output_tokens':9}}",
      "{'output':'a','usage':{'input_tokens':9223372036854775807,'output_tokens':9}}"},
     8,
     INT64_MAX,
     18,
     INT64_MAX,
     0,
     "reported"},
};

static int64_t count(const json_t *usage, const char *key)
{
    const json_t *value = json_object_get(usage, key);
    ck_assert(json_is_integer(value));
    return json_integer_value(value);
}

START_TEST(usage_is_summed_over_the_predictions)
{
    const struct counting *row = &countings[_i];
    for (int i = 0; i < 2 && row->outcomes[i] != NULL; i++)
        add_outcome(i, row->outcomes[i]);
    call.prompt_bytes = row->prompt_bytes;
    json_t *answer = finish();
    const json_t *usage = json_object_get(answer, "usage");
    ck_assert_int_eq(count(usage, "prompt_tokens"), row->prompt);
    ck_assert_int_eq(count(usage, "completion_tokens"), row->completion);
    ck_assert_int_eq(count(usage, "total_tokens"), row->total);
    ck_assert_int_eq(count(json_object_get(usage, "completion_tokens_details"), "reasoning_tokens"), row->reasoning);
    ck_assert_str_eq(call.usage_source, row->source);
    json_decref(answer);
}
END_TEST

START_TEST(several_choices_stand_in_order)
{
    add_outcome(0, "{'output':'first'}");
    add_outcome(1, "{'output':'second'}");
    add_outcome(2, "{'output':'third'}");
    json_t *answer = finish();
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "choices")), 3);
    ck_assert_str_eq(content(answer, 0), "first");
    ck_assert_str_eq(content(answer, 2), "third");
    ck_assert_int_eq(count(choice(answer, 2), "index"), 2);
    json_decref(answer);
}
END_TEST

START_TEST(an_answer_that_does_not_fit_is_an_error)
{
    struct error err = {0};
    struct buf small;
    buf_init(&small, 200);
    add_outcome(0, "{'output':'text'}");
    ck_assert(!chat_finish(&call, outcomes, &small, &err));
    ck_assert_int_eq(err.kind, ERROR_UPSTREAM_ERROR);
    buf_dispose(&small);
}
END_TEST

START_TEST(an_odd_alias_is_escaped)
{
    free(call.alias);
    call.alias = xstrdup("a\"b\\c");
    add_outcome(0, "{'output':'x'}");
    json_t *answer = finish();
    ck_assert_str_eq(json_text(answer, "model"), "a\"b\\c");
    json_decref(answer);
}
END_TEST

static Suite *chat_answer_suite(void)
{
    Suite *suite = suite_create("chat_answer");
    TCase *answers = tcase_create("answers");
    tcase_add_checked_fixture(answers, setup, teardown);
    tcase_add_test(answers, an_answer_is_openais_object_to_the_letter);
    tcase_add_loop_test(answers, every_shape_of_output_has_its_text, 0, sizeof shapes / sizeof shapes[0]);
    tcase_add_loop_test(answers, thoughts_stand_beside_the_content, 0, sizeof thoughts / sizeof thoughts[0]);
    tcase_add_loop_test(answers, the_earliest_stop_string_ends_the_text, 0, sizeof cuts / sizeof cuts[0]);
    tcase_add_loop_test(answers, length_is_said_where_the_limit_was_used_up, 0, sizeof endings / sizeof endings[0]);
    tcase_add_loop_test(answers, usage_is_summed_over_the_predictions, 0, sizeof countings / sizeof countings[0]);
    tcase_add_test(answers, several_choices_stand_in_order);
    tcase_add_test(answers, an_answer_that_does_not_fit_is_an_error);
    tcase_add_test(answers, an_odd_alias_is_escaped);
    suite_add_tcase(suite, answers);
    return suite;
}

int main(void)
{
    return suite_run(chat_answer_suite());
}
