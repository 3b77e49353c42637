/* Streamed chat completions: their frames, to the letter; thoughts, stop strings, usage, and several choices. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "chat_stream.h"
#include "check_main.h"

#define LENGTH(table) (sizeof(table) / sizeof *(table))

static struct bridge bridge;
static struct stream_client client;

static const char *const greeting[] = {"Hello", ", ", "you."};

static const struct sim_plan greeter = {.model = BRIDGE_MODEL,
                                        .official = true,
                                        .pieces = greeting,
                                        .piece_count = LENGTH(greeting),
                                        .piece_ms = 20,
                                        .tokens = SIM_TOKENS_METRICS,
                                        .stream.offered = true};

static void tear_down(void)
{
    stream_dispose(&client);
    chat_case_stop(&bridge);
}

static void run(const char *more)
{
    chat_stream_begin(&bridge, &(struct chat_case){.more = more}, &client);
    chat_stream_finish(&client);
}

/* Every prediction one piece on. */
static void advance(size_t which)
{
    replicate_sim_advance(bridge.sim, which);
}

/* ---- frames ---- */

START_TEST(frames_are_what_openai_sends)
{
    static const char *const ends[] = {
        ("\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},\"logprobs\":null,"
         "\"finish_reason\":null}]}"),
        "\"delta\":{\"content\":\"Hello\"},\"logprobs\":null,\"finish_reason\":null}]}",
        "\"delta\":{\"content\":\", \"},\"logprobs\":null,\"finish_reason\":null}]}",
        "\"delta\":{\"content\":\"you.\"},\"logprobs\":null,\"finish_reason\":null}]}",
        "\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]}",
        "data: [DONE]",
    };
    bridge_start(&bridge, &greeter, "");
    run("");
    chat_stream_expect_text(&client, "the answer", "Hello, you.");
    ck_assert_uint_eq(client.frame_count, LENGTH(ends));
    for (size_t i = 0; i < LENGTH(ends); i++) {
        const char *text = client.frames[i].text;
        size_t length = strlen(ends[i]);
        ck_assert_msg(client.frames[i].length >= length &&
                          strcmp(text + client.frames[i].length - length, ends[i]) == 0,
                      "frame %zu is %s", i, text);
        ck_assert_msg(i + 1 == LENGTH(ends) || strncmp(text, "data: {\"id\":\"chatcmpl-", 22) == 0, "frame %zu is %s",
                      i, text);
    }
}
END_TEST

START_TEST(the_head_of_a_stream_is_that_of_events)
{
    char id[256];
    bridge_start(&bridge, &greeter, "");
    chat_stream_begin(&bridge,
                      &(struct chat_case){.headers = "x-request-id: test-17\r\n", .more = ",\"verbosity\":\"low\""},
                      &client);
    chat_stream_finish(&client);
    chat_case_expect_header(&client.answer, "x-request-id", "test-17");
    chat_case_expect_header(&client.answer, "x-accel-buffering", "no");
    chat_case_expect_header(&client.answer, "x-replibridge-ignored", "verbosity");
    chat_case_expect_header(&client.answer, "content-length", NULL);
    ck_assert(http_answer_header(&client.answer, "x-replicate-prediction-id", id, sizeof id));
    ck_assert_str_eq(id, chat_case_prediction(&bridge, 0).id);
    ck_assert(daemon_log_wait(bridge.daemon, "test-17", daemon_patience_ms()));
}
END_TEST

START_TEST(each_piece_comes_when_the_model_has_it)
{
    struct sim_plan held = greeter;
    held.piece_ms = SIM_HOLD;
    bridge_start(&bridge, &held, "");
    chat_stream_begin(&bridge, &(struct chat_case){0}, &client);
    ck_assert(replicate_sim_wait_streams(bridge.sim, 1, daemon_patience_ms()));
    for (size_t i = 0; i < LENGTH(greeting); i++) {
        char *content = xasprintf("\"content\":\"%s\"", greeting[i]);
        advance(0);
        ck_assert_msg(stream_read_until(&client, content, daemon_patience_ms()), "piece %zu did not come", i);
        free(content);
        /* The role comes first, and nothing after the piece. */
        ck_assert_uint_eq(client.frame_count, i + 2);
    }
    advance(0);
    chat_stream_finish(&client);
    chat_stream_expect_text(&client, "the answer", "Hello, you.");
}
END_TEST

START_TEST(the_connection_serves_the_next_request)
{
    struct http_response response = {0};
    bridge_start(&bridge, &greeter, "");
    run("");
    ck_assert_uint_eq(client.received.length, 0);
    chat_case_run_on(client.connection, &(struct chat_case){0}, &response);
    chat_case_expect_text(&response, "Hello, you.");
    http_response_dispose(&response);
}
END_TEST

/* A whole answer and a stream of the same pieces say the same. */
START_TEST(a_model_without_pieces_is_streamed_too)
{
    static const struct sim_plan at_once = {
        .model = BRIDGE_MODEL, .official = true, .output_json = "\"All of it.\"", .stream.offered = true};
    static const struct sim_plan late = {
        .model = BRIDGE_MODEL, .official = true, .pieces = greeting, .piece_count = 3, .output_at_end = true};
    bridge_start(&bridge, _i == 0 ? &at_once : &late, "");
    run("");
    chat_stream_expect_text(&client, "the answer", _i == 0 ? "All of it." : "Hello, you.");
}
END_TEST

START_TEST(a_long_piece_becomes_frames_that_fit_into_one_write)
{
    enum { LONG_BYTES = 100 * 1000, FRAME_MAX_BYTES = 4096 };
    static char piece[LONG_BYTES + 1];
    static const char *const pieces[] = {piece};
    static const struct sim_plan long_winded = {
        .model = BRIDGE_MODEL, .official = true, .pieces = pieces, .piece_count = 1, .stream.offered = true};
    for (size_t i = 0; i < LONG_BYTES; i++)
        piece[i] = "\"abcd\\e\n g"[i % 10];
    bridge_start(&bridge, &long_winded, "");
    run("");
    chat_stream_expect_text(&client, "the answer", piece);
    for (size_t i = 0; i < client.frame_count; i++)
        ck_assert_uint_le(client.frames[i].length, FRAME_MAX_BYTES);
}
END_TEST

/* ---- usage ---- */

START_TEST(usage_comes_last_and_only_where_it_was_asked_for)
{
    struct chat_stream heard;
    bridge_start(&bridge, &greeter, "");
    run(_i == 0 ? ",\"stream_options\":{\"include_usage\":true}" : ",\"stream_options\":{\"include_usage\":false}");
    chat_stream_expect_text(&client, "the answer", "Hello, you.");
    chat_stream_hear(&client, &heard);
    ck_assert((heard.usage != NULL) == (_i == 0));
    for (size_t i = 0; i + 1 < client.frame_count; i++)
        ck_assert_msg((strstr(client.frames[i].text, "\"usage\":") != NULL) == (_i == 0), "frame %zu is %s", i,
                      client.frames[i].text);
    if (_i == 0) {
        const char *last = client.frames[client.frame_count - 2].text;
        ck_assert_msg(strstr(last, "\"choices\":[],\"usage\":{") != NULL, "the last chunk is %s", last);
        ck_assert_int_gt(json_integer_value(json_object_get(heard.usage, "prompt_tokens")), 0);
        ck_assert_int_eq(json_integer_value(json_object_get(heard.usage, "completion_tokens")), LENGTH(greeting));
    }
    chat_stream_dispose(&heard);
}
END_TEST

/* ---- thoughts ---- */

static const struct thought {
    const char *pieces[8];
    const char *reasoning, *content;
    const char *setting;
} thoughts[] = {
    {{"<think>", "Hm", "m.", "</think>", "\n\n", "Yes."}, "Hmm.", "Yes.", ""},
    {{"<th", "ink>Hm</", "thi", "nk>\n", "\nYe", "s."}, "Hm", "Yes.", ""},
    {{"<think>Never", " closed"}, "Never closed", "", ""},
    {{"It opened", " itself</think>", "\n\nYes."}, "It opened itself", "Yes.", "reasoning: opened\n"},
    {{"Yes <think>", "no</think>"}, "", "Yes <think>no</think>", ""},
    {{"<think>Hm</think>", "Yes."}, "", "<think>Hm</think>Yes.", "reasoning: off\n"},
};

START_TEST(thoughts_are_told_apart_from_content)
{
    const struct thought *thought = &thoughts[_i];
    struct sim_plan thinker = greeter;
    struct chat_stream heard;
    thinker.pieces = thought->pieces;
    thinker.piece_count = 0;
    while (thinker.piece_count < LENGTH(thought->pieces) && thought->pieces[thinker.piece_count] != NULL)
        thinker.piece_count++;
    bridge_start(&bridge, &thinker, thought->setting);
    run("");
    chat_stream_expect_text(&client, "the answer", thought->content);
    chat_stream_hear(&client, &heard);
    ck_assert_str_eq(buf_text(&heard.choices[0].reasoning), thought->reasoning);
    chat_stream_dispose(&heard);
}
END_TEST

START_TEST(thoughts_come_as_they_are_thought)
{
    static const char *const pieces[] = {"<think>", "Hm", "</think>", "Yes."};
    struct sim_plan thinker = greeter;
    thinker.pieces = pieces;
    thinker.piece_count = LENGTH(pieces);
    thinker.piece_ms = SIM_HOLD;
    bridge_start(&bridge, &thinker, "");
    chat_stream_begin(&bridge, &(struct chat_case){0}, &client);
    ck_assert(replicate_sim_wait_streams(bridge.sim, 1, daemon_patience_ms()));
    advance(0);
    advance(0);
    ck_assert(stream_read_until(&client, "\"reasoning_content\":\"Hm\",\"reasoning\":\"Hm\"", daemon_patience_ms()));
    advance(0);
    advance(0);
    ck_assert(stream_read_until(&client, "\"content\":\"Yes.\"", daemon_patience_ms()));
    advance(0);
    chat_stream_finish(&client);
}
END_TEST

/* ---- stop strings ---- */

static const struct stop {
    const char *pieces[6];
    const char *stop, *content;
} stops[] = {
    {{"one ", "two ST", "OP three", " four"}, "\"STOP\"", "one two "},
    {{"a\n", "\n", "b", "c"}, "[\"\\n\\n\"]", "a"},
    {{"S", "T", "O", "P", "x", "y"}, "[\"never\",\"STOP\"]", ""},
    {{"STSTSTO", "P here", "x", "y"}, "\"STOP\"", "STST"},
};

/* The model has no input for it, so the text is cut here; and what it would go on to say is not paid for. */
START_TEST(a_stop_string_ends_the_text_and_the_prediction)
{
    struct sim_plan talker = greeter;
    talker.pieces = stops[_i].pieces;
    for (talker.piece_count = 0; talker.piece_count < LENGTH(stops[_i].pieces);)
        if (stops[_i].pieces[talker.piece_count++] == NULL) {
            talker.piece_count--;
            break;
        }
    talker.piece_ms = SIM_HOLD;
    bridge_start(&bridge, &talker, "");
    char *more = xasprintf(",\"stop\":%s", stops[_i].stop);
    chat_stream_begin(&bridge, &(struct chat_case){.more = more}, &client);
    ck_assert(replicate_sim_wait_streams(bridge.sim, 1, daemon_patience_ms()));
    for (size_t i = 0; i + 1 < talker.piece_count; i++)
        advance(0);
    chat_stream_finish(&client);
    chat_stream_expect_text(&client, "the answer", stops[_i].content);
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 1, daemon_patience_ms()));
    free(more);
}
END_TEST

START_TEST(what_only_looks_like_a_stop_string_is_let_through)
{
    static const char *const pieces[] = {"S", "TO", "RE and ST", "O"};
    struct sim_plan talker = greeter;
    talker.pieces = pieces;
    talker.piece_count = LENGTH(pieces);
    bridge_start(&bridge, &talker, "");
    run(",\"stop\":[\"STOP\",\"x\"]");
    chat_stream_expect_text(&client, "the answer", "STORE and STO");
    ck_assert_uint_eq(replicate_sim_request_count(bridge.sim, SIM_CANCEL), 0);
}
END_TEST

/* ---- several choices ---- */

/* Which choice is which prediction: they are created at the same time, so their order at Replicate is not ours. */
static void expect_index_of_last_frame(bool seen[3])
{
    const char *index = strstr(client.frames[client.frame_count - 1].text, "\"index\":");
    ck_assert_ptr_nonnull(index);
    int number = index[strlen("\"index\":")] - '0';
    ck_assert_msg(number >= 0 && number < 3 && !seen[number], "index %d comes again", number);
    seen[number] = true;
}

START_TEST(several_choices_come_side_by_side)
{
    static const char *const pieces[] = {"a", "b"};
    static const size_t order[] = {2, 0, 1};
    struct sim_plan held = greeter;
    struct chat_stream heard;
    held.pieces = pieces;
    held.piece_count = LENGTH(pieces);
    held.piece_ms = SIM_HOLD;
    bridge_start(&bridge, &held, "");
    chat_stream_begin(&bridge, &(struct chat_case){.more = ",\"n\":3,\"stream_options\":{\"include_usage\":true}"},
                      &client);
    ck_assert(replicate_sim_wait_streams(bridge.sim, 3, daemon_patience_ms()));
    for (size_t round = 0; round < LENGTH(pieces); round++) {
        bool seen[3] = {0};
        for (size_t i = 0; i < LENGTH(order); i++) {
            advance(order[i]);
            ck_assert(stream_read_frames(&client, 3 + 3 * round + i + 1, daemon_patience_ms()));
            expect_index_of_last_frame(seen);
        }
    }
    advance(SIM_ALL);
    chat_stream_finish(&client);
    chat_stream_hear(&client, &heard);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_str_eq(buf_text(&heard.choices[i].content), "ab");
        ck_assert_str_eq(heard.choices[i].finish_reason, "stop");
    }
    ck_assert(heard.is_done && heard.choices[3].roles == 0);
    ck_assert_int_eq(json_integer_value(json_object_get(heard.usage, "completion_tokens")), 3 * 2);
    chat_stream_dispose(&heard);
}
END_TEST

START_TEST(where_one_of_several_choices_fails_the_stream_ends_and_the_others_are_cancelled)
{
    static const struct chat_error failed = {422, "server_error", "prediction_failed", NULL, false, "only this one"};
    static const char *const pieces[] = {"a", "b"};
    struct sim_plan fails = greeter;
    struct chat_stream heard;
    fails.pieces = pieces;
    fails.piece_count = LENGTH(pieces);
    fails.piece_ms = SIM_HOLD;
    fails.end_status = "failed";
    fails.error_text = "only this one broke";
    bridge_start(&bridge, &fails, "  poll_interval: 100ms\n");
    chat_stream_begin(&bridge, &(struct chat_case){.more = ",\"n\":3"}, &client);
    ck_assert(replicate_sim_wait_streams(bridge.sim, 3, daemon_patience_ms()));
    if (_i > 0)
        advance(SIM_ALL);
    ck_assert(_i == 0 || stream_read_frames(&client, 6, daemon_patience_ms()));
    for (int left = 3 - _i; left > 0; left--)
        advance(1);
    chat_stream_finish(&client);
    chat_stream_hear(&client, &heard);
    ck_assert_msg(heard.error != NULL, "the stream ends without an error");
    ck_assert_pstr_eq(json_text(heard.error, "code"), failed.code);
    ck_assert_ptr_nonnull(strstr(json_text(heard.error, "message"), failed.says));
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 2, daemon_patience_ms()));
    ck_assert_int_eq(chat_case_prediction(&bridge, 1).first_cancel_ms, -1);
    chat_stream_dispose(&heard);
}
END_TEST

static Suite *stream_suite(void)
{
    Suite *suite = suite_create("streams");
    TCase *tcase = tcase_create("frames");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, frames_are_what_openai_sends);
    tcase_add_test(tcase, the_head_of_a_stream_is_that_of_events);
    tcase_add_test(tcase, each_piece_comes_when_the_model_has_it);
    tcase_add_test(tcase, the_connection_serves_the_next_request);
    tcase_add_loop_test(tcase, a_model_without_pieces_is_streamed_too, 0, 2);
    tcase_add_test(tcase, a_long_piece_becomes_frames_that_fit_into_one_write);
    tcase_add_loop_test(tcase, usage_comes_last_and_only_where_it_was_asked_for, 0, 2);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("text");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, thoughts_are_told_apart_from_content, 0, LENGTH(thoughts));
    tcase_add_test(tcase, thoughts_come_as_they_are_thought);
    tcase_add_loop_test(tcase, a_stop_string_ends_the_text_and_the_prediction, 0, LENGTH(stops));
    tcase_add_test(tcase, what_only_looks_like_a_stop_string_is_let_through);
    tcase_add_test(tcase, several_choices_come_side_by_side);
    tcase_add_loop_test(tcase, where_one_of_several_choices_fails_the_stream_ends_and_the_others_are_cancelled, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(stream_suite());
}
