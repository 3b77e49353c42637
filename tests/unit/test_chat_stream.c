/* Streamed chat completions: the same text as a whole answer's, however the model's output was cut into pieces. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "call_help.h"
#include "check_main.h"
#include "openai/mapping.h"
#include "stream_help.h"

#define HEAD "{'model':'kimi','messages':[{'role':'user','content':'Hi'}],'stream':true"

static struct call call;
static struct telling telling;
static struct heard heard;
static bool is_telling;

static void setup(void)
{
    call_init(&call);
    heard_init(&heard);
    is_telling = false;
}

static void teardown(void)
{
    heard_dispose(&heard);
    if (is_telling)
        telling_dispose(&telling);
    call_dispose(&call);
}

static void quote(char *text)
{
    for (; *text != '\0'; text++)
        *text = *text == '\'' ? '"' : *text;
}

static json_t *json_of(const char *text)
{
    char quoted[1024];
    ck_assert_int_lt(snprintf(quoted, sizeof quoted, "%s", text), (int)sizeof quoted);
    quote(quoted);
    return help_json(quoted);
}

static struct outcome *outcome_of(const char *text)
{
    json_t *description = json_of(text);
    struct outcome *outcome = help_outcome(description);
    json_decref(description);
    return outcome;
}

/* Decodes and maps a request with these further members, for a route of this description. */
static void prepare(struct call *request, const char *more, const char *route_text)
{
    char body[1024], quoted_route[256];
    struct route route;
    struct error err = {0};
    ck_assert_int_lt(snprintf(body, sizeof body, HEAD "%s}", more), (int)sizeof body);
    snprintf(quoted_route, sizeof quoted_route, "%s", route_text);
    quote(body);
    quote(quoted_route);
    help_route(&route, quoted_route);
    ck_assert_msg(help_decode(request, body, &err), "%s", err.message);
    ck_assert(request->is_stream);
    json_t *input = mapping_input(request, &route, NULL, &err);
    ck_assert_msg(input != NULL, "%s", err.message);
    json_decref(input);
    help_route_dispose(&route);
}

static void begin(const char *more, const char *route_text)
{
    prepare(&call, more, route_text);
    telling_begin(&telling, &call);
    is_telling = true;
}

static void give(size_t index, const char *piece)
{
    telling_piece(&telling, index, piece, strlen(piece));
}

static void finish(size_t index, const char *outcome_text)
{
    struct outcome *outcome = outcome_of(outcome_text);
    telling_end(&telling, index, outcome);
    outcome_free(outcome);
}

static void hear(void)
{
    heard_read(&heard, &call, buf_text(&telling.out), telling.out.length);
    buf_clear(&telling.out);
}

static void expect_choice(size_t index, const char *reasoning, const char *content, const char *finish_reason)
{
    const struct heard_choice *choice = &heard.choices[index];
    ck_assert_str_eq(buf_text(&choice->reasoning), reasoning);
    ck_assert_str_eq(buf_text(&choice->content), content);
    ck_assert_str_eq(choice->finish_reason, finish_reason);
    ck_assert_uint_eq(choice->roles, 1);
}

/* ---- the text ---- */

static const struct sameness {
    const char *more, *route, *text;
} samenesses[] = {
    {"", "{}", "Hello there"},
    {"", "{}", ""},
    {"", "{}", "<think>Let me see.</think>\n\nIt is 4."},
    {"", "{}", " \n<think>\nLet me see.\n</think>It is 4.</think> <think>no</think>"},
    {"", "{}", "<think>never closed </thin"},
    {"", "{}", "<thin ice"},
    {"", "{}", "<think></think>"},
    {"", "{}", "so <think>this is text</thin k>"},
    {"", "{'reasoning':'opened'}", "Let me see.</think>\nIt is 4."},
    {"", "{'reasoning':'off'}", "<think>Let me see.</think>\nIt is 4."},
    {"", "{}", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80 and a broken \xE2\x82 one \xFF"},
    {"", "{}", "\"quoted\" \\ \x01\x1F\x7F line\r\nend"},
    {",'stop':['END']", "{}", "<think>END is no end</think>one EN two END three"},
    {",'stop':['END','two E']", "{}", "one two END three"},
    {",'stop':['END']", "{}", "one EN"},
    {",'stop':['END']", "{}", "END"},
    {",'stop':'\\n\\n'", "{}", "<think>a\n\nb</think>\n\nc\nd\n\ne"},
    {",'stop':['aab','ab']", "{}", "aaaab"},
};

/* What the whole answer to the same request says. */
struct whole {
    json_t *answer;
    const char *reasoning, *content, *finish_reason;
};

static void ask_whole(const struct sameness *row, struct whole *whole)
{
    struct call request;
    struct error err;
    struct buf out;
    buf_init(&out, 1 << 16);
    struct outcome *outcome = outcome_new();
    outcome->succeeded = true;
    outcome->output = json_string_lossy(row->text, strlen(row->text));
    prepare(&request, row->more, row->route);
    ck_assert(request.endpoint->finish(&request, &outcome, &out, &err));
    whole->answer = help_json(buf_text(&out));
    const json_t *choice = json_array_get(json_object_get(whole->answer, "choices"), 0);
    const json_t *message = json_object_get(choice, "message");
    whole->reasoning = json_text(message, "reasoning");
    whole->content = json_text(message, "content");
    whole->finish_reason = json_text(choice, "finish_reason");
    ck_assert_pstr_eq(json_text(message, "reasoning_content"), whole->reasoning);
    outcome_free(outcome);
    buf_dispose(&out);
    call_dispose(&request);
}

/* Cuts after `first` bytes and then every `step` bytes. */
static void expect_same_in_pieces(const struct sameness *row, const struct whole *whole, size_t first, size_t step)
{
    size_t length = strlen(row->text), at = 0;
    setup();
    begin(row->more, row->route);
    for (size_t piece = first; at < length; at += piece, piece = step)
        telling_piece(&telling, 0, row->text + at, piece < length - at ? piece : length - at);
    finish(0, "{'output':'is known from the pieces'}");
    hear();
    ck_assert(heard.is_done);
    expect_choice(0, whole->reasoning == NULL ? "" : whole->reasoning, whole->content, whole->finish_reason);
    teardown();
}

START_TEST(however_it_is_cut_the_text_is_that_of_the_whole_answer)
{
    const struct sameness *row = &samenesses[_i];
    struct whole whole;
    ask_whole(row, &whole);
    for (size_t first = 1; first <= strlen(row->text); first++)
        expect_same_in_pieces(row, &whole, first, SIZE_MAX / 2);
    if (row->text[0] != '\0')
        expect_same_in_pieces(row, &whole, 1, 1);
    json_decref(whole.answer);
    setup();
}
END_TEST

START_TEST(a_piece_is_passed_on_at_once)
{
    begin("", "{}");
    hear();
    ck_assert_uint_eq(heard.choices[0].roles, 1);
    ck_assert_uint_eq(heard.choices[0].deltas, 0);
    give(0, "<think>Hm");
    hear();
    ck_assert_str_eq(buf_text(&heard.choices[0].reasoning), "Hm");
    give(0, "</think>Yes");
    hear();
    ck_assert_str_eq(buf_text(&heard.choices[0].content), "Yes");
    give(0, ", it is");
    hear();
    ck_assert_uint_eq(heard.choices[0].deltas, 3);
    finish(0, "{'output':'<think>Hm</think>Yes, it is'}");
    hear();
    expect_choice(0, "Hm", "Yes, it is", "stop");
}
END_TEST

START_TEST(a_stop_string_ends_its_choice_at_once_and_is_estimated)
{
    begin(",'stop':'END','stream_options':{'include_usage':true}", "{}");
    give(0, "12345678 EN");
    ck_assert(!call.endpoint->stream->is_stopped(&call, 0));
    ck_assert(!telling.is_over[0]);
    give(0, "D and what nobody reads");
    ck_assert(telling.is_over[0]);
    hear();
    expect_choice(0, "", "12345678 ", "stop");
    ck_assert(heard.is_done);
    ck_assert_int_eq(json_integer_value(json_object_get(heard.usage, "completion_tokens")), 3);
    ck_assert_str_eq(call.usage_source, "estimated");
}
END_TEST

START_TEST(three_choices_are_kept_apart)
{
    begin(",'n':3", "{}");
    give(1, "<think>one");
    give(0, "ze");
    give(2, "\xF0\x9F");
    give(1, "</think>1");
    finish(0, "{'output':'ze'}");
    give(2, "\x98\x80");
    hear();
    ck_assert(!heard.is_done);
    expect_choice(0, "", "ze", "stop");
    finish(2, "{'output':'x'}");
    finish(1, "{'output':'x'}");
    hear();
    expect_choice(1, "one", "1", "stop");
    expect_choice(2, "", "\xF0\x9F\x98\x80", "stop");
    ck_assert(heard.is_done);
}
END_TEST

START_TEST(every_choice_has_its_role_before_the_first_piece)
{
    begin(",'n':3", "{}");
    hear();
    ck_assert_uint_eq(heard.chunks, 3);
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(heard.choices[i].roles, 1);
}
END_TEST

static const struct single {
    const char *output, *content;
} singles[] = {
    {"{'output':''}", ""},
    {"{'output':[]}", ""},
    {"{}", ""},
    {"{'output':7}", "7"},
    {"{'output':{'text':'t'}}", "t"},
    {"{'output':{'a':[1,'b']}}", "{\"a\":[1,\"b\"]}"},
    {"{'output':['a',1]}", "[\"a\",1]"},
};

START_TEST(what_does_not_come_by_pieces_comes_with_the_outcome)
{
    begin("", "{}");
    give(0, "");
    finish(0, singles[_i].output);
    hear();
    expect_choice(0, "", singles[_i].content, "stop");
    ck_assert_uint_eq(heard.choices[0].deltas, singles[_i].content[0] != '\0');
    ck_assert(heard.is_done);
}
END_TEST

START_TEST(an_output_at_once_has_its_thoughts_and_stops_too)
{
    begin(",'stop':'END'", "{}");
    finish(0, "{'output':{'text':'Hm</think>\\nYes END no'}}");
    hear();
    expect_choice(0, "Hm", "Yes ", "stop");
}
END_TEST

/* ---- the frames ---- */

/* Each of these many times in one piece. */
static const char *const many[] = {"a", "\x01", "\"\\", "\xC3\xA9", "\xF0\x9F\x98\x80", "a\xE2\x82\xAC"};

static void expect_much(const char *unit, const char *before)
{
    enum { UNITS = 5000 };
    struct buf text;
    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < UNITS; i++)
        buf_append_text(&text, unit);
    begin("", "{}");
    give(0, before);
    telling_piece(&telling, 0, text.data, text.length);
    finish(0, "{}");
    hear();
    bool is_reasoning = before[0] != '\0';
    expect_choice(0, is_reasoning ? buf_text(&text) : "", is_reasoning ? "" : buf_text(&text), "stop");
    ck_assert_uint_le(heard.longest_frame, 4000);
    ck_assert_uint_ge(heard.choices[0].deltas, text.length / 2048);
    buf_dispose(&text);
}

START_TEST(a_large_piece_is_cut_into_frames_that_fit_a_write)
{
    expect_much(many[_i], "");
}
END_TEST

START_TEST(large_thoughts_are_cut_too)
{
    expect_much(many[_i], "<think>");
}
END_TEST

START_TEST(an_odd_alias_is_escaped_and_a_long_one_leaves_room_for_text)
{
    char alias[6000];
    memset(alias, '"', sizeof alias - 1);
    alias[sizeof alias - 1] = '\0';
    prepare(&call, "", "{}");
    free(call.alias);
    call.alias = xstrdup(alias);
    telling_begin(&telling, &call);
    is_telling = true;
    for (size_t i = 0; i < 100; i++)
        give(0, "Hello there, all of you. ");
    finish(0, "{}");
    hear();
    ck_assert_uint_eq(heard.choices[0].content.length, 2500);
    ck_assert(heard.is_done);
}
END_TEST

static const struct counting {
    const char *outcomes[2], *more;
    int64_t prompt, completion, reasoning;
    const char *source;
} countings[] = {
    {{"{'usage':{'input_tokens':5,'output_tokens':7,'reasoning_tokens':2}}",
      "{'usage':{'input_tokens':5,'output_tokens':8,'reasoning_tokens':1}}"},
     "",
     10,
     15,
     3,
     "reported"},
    {{"{'usage':{'input_tokens':5,'output_tokens':7}}", "{}"}, "", 6, 10, 0, "estimated"},
    {{"{}", "{}"}, "", 2, 6, 0, "estimated"},
};

/* Both choices say ten bytes: four of thoughts, six of content. */
static void run_two(const struct counting *row, bool include_usage)
{
    begin(include_usage ? ",'n':2,'stream_options':{'include_usage':true}" : ",'n':2", "{}");
    for (size_t i = 0; i < 2; i++) {
        give(i, "<think>1234</think>123456");
        finish(i, row->outcomes[i]);
    }
    hear();
    ck_assert(heard.is_done);
    ck_assert_str_eq(call.usage_source, row->source);
}

START_TEST(usage_comes_last_to_those_who_asked_for_it)
{
    const struct counting *row = &countings[_i];
    run_two(row, true);
    const json_t *details = json_object_get(heard.usage, "completion_tokens_details");
    ck_assert_int_eq(json_integer_value(json_object_get(heard.usage, "prompt_tokens")), row->prompt);
    ck_assert_int_eq(json_integer_value(json_object_get(heard.usage, "completion_tokens")), row->completion);
    ck_assert_int_eq(json_integer_value(json_object_get(heard.usage, "total_tokens")), row->prompt + row->completion);
    ck_assert_int_eq(json_integer_value(json_object_get(details, "reasoning_tokens")), row->reasoning);
}
END_TEST

START_TEST(others_see_no_usage)
{
    run_two(&countings[_i], false);
    ck_assert_ptr_null(heard.usage);
}
END_TEST

static const struct ending {
    const char *more, *piece, *outcome, *reason;
} endings[] = {
    {",'max_tokens':10", "text", "{'usage':{'output_tokens':9}}", "stop"},
    {",'max_tokens':10", "text", "{'usage':{'output_tokens':10}}", "length"},
    {",'max_tokens':10", "a long text of which nobody knows the tokens", "{}", "stop"},
    {",'max_tokens':10,'stop':'END'", "text E", "{'usage':{'output_tokens':10}}", "length"},
    {",'max_tokens':10,'stop':'END'", "text END", "{'usage':{'output_tokens':10}}", "stop"},
    {"", "text", "{'usage':{'output_tokens':10}}", "stop"},
};

START_TEST(length_is_said_where_the_limit_was_used_up)
{
    begin(endings[_i].more, "{}");
    give(0, endings[_i].piece);
    finish(0, endings[_i].outcome);
    hear();
    ck_assert_str_eq(heard.choices[0].finish_reason, endings[_i].reason);
}
END_TEST

/* ---- the end before the end ---- */

/* 0: before anything was said. 1: after the first frames. 2: in the midst of the text. */
START_TEST(an_error_is_one_frame_and_the_last)
{
    struct error error;
    error_set(&error, ERROR_TIMEOUT, NULL, "The model did not \"answer\".\nSorry.");
    prepare(&call, ",'stop':'END'", "{}");
    if (_i > 0)
        telling_begin(&telling, &call);
    else
        buf_init(&telling.out, 1 << 16);
    is_telling = true;
    if (_i > 1)
        give(0, "some text E");
    /* In parentheses, because Check has a macro of this name. */
    ck_assert((call.endpoint->stream->fail)(&call, &error, &telling.out));
    hear();
    ck_assert_str_eq(json_text(heard.error, "message"), error.message);
    ck_assert_str_eq(json_text(heard.error, "type"), "server_error");
    ck_assert_str_eq(json_text(heard.error, "code"), "timeout");
    ck_assert(json_is_null(json_object_get(heard.error, "param")));
    ck_assert(!heard.is_done);
    ck_assert_uint_eq(heard.chunks, (size_t)_i);
}
END_TEST

START_TEST(what_does_not_fit_is_said_to_overflow)
{
    struct buf small;
    struct outcome *outcome = outcome_of("{'output':{'text':'Hi'}}");
    buf_init(&small, 400);
    prepare(&call, "", "{}");
    const struct endpoint_stream *stream = call.endpoint->stream;
    ck_assert(stream->begin(&call, &small));
    ck_assert(_i == 0 ? !stream->piece(&call, 0, "Hi, this is it", 14, &small)
                      : !stream->choice_end(&call, 0, outcome, &small));
    ck_assert(small.overflowed);
    outcome_free(outcome);
    buf_dispose(&small);
}
END_TEST

static Suite *chat_stream_suite(void)
{
    enum { MANY = sizeof many / sizeof many[0], COUNTINGS = sizeof countings / sizeof countings[0] };
    Suite *suite = suite_create("chat_stream");
    TCase *text = tcase_create("text"), *frames = tcase_create("frames");
    tcase_add_checked_fixture(text, setup, teardown);
    tcase_add_loop_test(text, however_it_is_cut_the_text_is_that_of_the_whole_answer, 0,
                        sizeof samenesses / sizeof samenesses[0]);
    tcase_add_test(text, a_piece_is_passed_on_at_once);
    tcase_add_test(text, a_stop_string_ends_its_choice_at_once_and_is_estimated);
    tcase_add_test(text, three_choices_are_kept_apart);
    tcase_add_test(text, every_choice_has_its_role_before_the_first_piece);
    tcase_add_loop_test(text, what_does_not_come_by_pieces_comes_with_the_outcome, 0,
                        sizeof singles / sizeof singles[0]);
    tcase_add_test(text, an_output_at_once_has_its_thoughts_and_stops_too);
    suite_add_tcase(suite, text);
    tcase_add_checked_fixture(frames, setup, teardown);
    tcase_add_loop_test(frames, a_large_piece_is_cut_into_frames_that_fit_a_write, 0, MANY);
    tcase_add_loop_test(frames, large_thoughts_are_cut_too, 0, MANY);
    tcase_add_test(frames, an_odd_alias_is_escaped_and_a_long_one_leaves_room_for_text);
    tcase_add_loop_test(frames, usage_comes_last_to_those_who_asked_for_it, 0, COUNTINGS);
    tcase_add_loop_test(frames, others_see_no_usage, 0, COUNTINGS);
    tcase_add_loop_test(frames, length_is_said_where_the_limit_was_used_up, 0, sizeof endings / sizeof endings[0]);
    tcase_add_loop_test(frames, an_error_is_one_frame_and_the_last, 0, 3);
    tcase_add_loop_test(frames, what_does_not_fit_is_said_to_overflow, 0, 2);
    suite_add_tcase(suite, frames);
    return suite;
}

int main(void)
{
    return suite_run(chat_stream_suite());
}
