/* Streams of the simulated Replicate: their bytes, their pace, how they are taken up again, and how they end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "stream_case.h"

/* --- What is on the wire -------------------------------------------------------------------------------------- */

#define HI ": hi\n\n"
#define OUTPUT(data) "event: output\n" data "\n"
#define DONE(data) "event: done\n" data "\n"
#define ALL HI OUTPUT("data: Once\n") OUTPUT("data:  upon\ndata: a time.\ndata: \n")

static const char *const story[] = {"Once", " upon\na time.\n"};
static const char *const accents[] = {"d\xc3\xa9j\xc3\xa0", "vu"};
static const char *const empty[] = {""};

/* Plans, and all that their streams say, without ids. */
static const struct {
    struct sim_plan plan;
    const char *body;
} streams[] = {
    {{.pieces = story}, ALL DONE("data: {}\n")},
    {{.pieces = story, .stream.no_chunks = true}, ALL DONE("data: {}\n")},
    {{.pieces = story, .stream.bytewise = true}, ALL DONE("data: {}\n")},
    {{.pieces = story, .stream.no_ids = true}, ALL DONE("data: {}\n")},
    {{.pieces = story, .run_ms = 20}, ALL DONE("data: {}\n")},
    {{.pieces = story, .stream.lag_ms = 20}, ALL DONE("data: {}\n")},
    {{.pieces = story, .stream.lag_ms = -20}, ALL DONE("data: {}\n")},
    {{.pieces = empty, .piece_count = 1}, HI OUTPUT("data: \n") DONE("data: {}\n")},
    {{.pieces = story, .piece_count = 1, .repeat_pieces = 2},
     HI OUTPUT("data: Once\n") OUTPUT("data: Once\n") DONE("data: {}\n")},
    {{.output_json = "\"a text\""}, HI OUTPUT("data: a text\n") DONE("data: {}\n")},
    {{.output_json = "[\"a\",\"b\"]"}, HI OUTPUT("data: a\n") OUTPUT("data: b\n") DONE("data: {}\n")},
    {{.output_json = "{\"a\":1}"}, HI OUTPUT("data: {\"a\":1}\n") DONE("data: {}\n")},
    {{.output_json = "null"}, HI DONE("data: {}\n")},
    {{.pieces = story, .stream.crlf = true},
     ": hi\r\n\r\nevent: output\r\ndata: Once\r\n\r\nevent: output\r\ndata:  upon\r\ndata: a time.\r\ndata: \r\n\r\n"
     "event: done\r\ndata: {}\r\n\r\n"},
    {{.pieces = story, .stream.no_space = true},
     ": hi\n\nevent:output\ndata:Once\n\nevent:output\ndata:  upon\ndata:a time.\ndata:\n\nevent:done\ndata:{}\n\n"},
    {{.pieces = accents, .stream.half_characters = true},
     HI OUTPUT("data: d\xc3\xa9j\xc3\n") OUTPUT("data: \xa0\n") OUTPUT("data: vu\n") DONE("data: {}\n")},
    {{.pieces = story, .logs = "one\ntwo\n", .stream.logs = true, .piece_count = 1},
     HI "event: logs\ndata: one\n\nevent: logs\ndata: two\n\n" OUTPUT("data: Once\n") DONE("data: {}\n")},
    {{.pieces = story, .end_status = "failed", .error_text = "out of memory"},
     ALL "event: error\ndata: {\"detail\":\"out of memory\"}\n\n" DONE("data: {\"reason\":\"error\"}\n")},
    {{.pieces = story, .end_status = "failed", .error_text = "out of memory", .stream.plain_error = true},
     ALL "event: error\ndata: out of memory\n\n" DONE("data: {\"reason\":\"error\"}\n")},
    {{.end_status = "failed", .error_json = "{\"code\":1}"},
     HI "event: error\ndata: {\"detail\":{\"code\":1}}\n\n" DONE("data: {\"reason\":\"error\"}\n")},
    {{.pieces = story, .end_status = "canceled"}, ALL DONE("data: {\"reason\":\"canceled\"}\n")},
    {{.pieces = story, .stream.end = SIM_STREAM_DONE_TWICE}, ALL DONE("data: {}\n") DONE("data: {}\n")},
    {{.pieces = story, .stream.end = SIM_STREAM_DONE_EMPTY}, ALL DONE("")},
    {{.pieces = story, .stream.end = SIM_STREAM_DONE_MISSING}, ALL},
    {{.pieces = story, .stream.fault = SIM_STREAM_END}, HI},
    {{.pieces = story, .stream = {.fault = SIM_STREAM_END, .fault_after = 1}}, HI OUTPUT("data: Once\n")},
    {{.pieces = story, .stream = {.fault = SIM_STREAM_ERROR, .fault_after = 1}},
     HI OUTPUT("data: Once\n") "event: error\ndata: {\"detail\":\"The simulated stream failed.\"}\n\n" DONE(
         "data: {\"reason\":\"error\"}\n")},
    {{.pieces = story, .stream = {.fault = SIM_STREAM_HUGE_EVENT, .fault_after = 2, .huge_bytes = 5}},
     ALL OUTPUT("data: aaaaa\n") DONE("data: {}\n")},
};

START_TEST(a_stream_says_what_its_plan_says)
{
    struct sim_plan plan = streams[_i].plan;
    plan.stream.offered = true;
    if (plan.pieces && plan.piece_count == 0)
        plan.piece_count = 2;
    stream_case_plan(&plan);
    stream_case_create("hello");
    ck_assert(stream_case_read(NULL));
    stream_case_drop_ids();
    ck_assert_str_eq(stream_case_answer.body, streams[_i].body);
    ck_assert(replicate_sim_wait_idle(stream_case_sim, STREAM_CASE_PATIENCE_MS));
    stream_case_stop_clean();
}
END_TEST

START_TEST(a_stream_is_chunked_server_sent_events_and_needs_no_token)
{
    char value[64];
    stream_case_plan(&(struct sim_plan){.stream.offered = true});
    stream_case_create("hello");
    ck_assert(stream_case_read(NULL));
    ck_assert_int_eq(stream_case_answer.status, 200);
    ck_assert_int_eq(stream_case_answer.framing, HTTP_CHUNKED);
    http_answer_header(&stream_case_answer, "content-type", value, sizeof(value));
    ck_assert_str_eq(value, "text/event-stream; charset=utf-8");
    stream_case_stop_clean();
}
END_TEST

START_TEST(a_token_that_reaches_a_stream_is_seen)
{
    struct sim_counters counters;
    char value[64];
    stream_case_plan(&(struct sim_plan){.stream.offered = true});
    stream_case_create("hello");
    ck_assert(stream_case_read(NULL));
    replicate_sim_counters(stream_case_sim, &counters);
    ck_assert_uint_eq(counters.stream_authorized, 0);
    ck_assert(stream_case_read("Authorization: Bearer test-token\r\n"));
    replicate_sim_counters(stream_case_sim, &counters);
    ck_assert_uint_eq(counters.stream_authorized, 1);
    ck_assert_uint_eq(replicate_sim_request_count(stream_case_sim, SIM_STREAM), 2);
    ck_assert(sim_request_header(replicate_sim_request(stream_case_sim, SIM_STREAM, 1), "authorization", value, 64));
    ck_assert_str_eq(value, "Bearer test-token");
    stream_case_stop_clean();
}
END_TEST

START_TEST(a_model_without_a_stream_offers_none)
{
    stream_case_plan(&(struct sim_plan){.run_ms = 1});
    stream_case_create("hello");
    ck_assert_str_eq(stream_case_path, "");
    ck_assert_int_eq(stream_case_ask("GET", "/v1/streams/abc", NULL), 404);
    replicate_sim_expect(stream_case_sim, SIM_EXPECT_UNKNOWN_PATH, 1);
    stream_case_stop_clean();
}
END_TEST

START_TEST(streams_may_have_an_origin_of_their_own)
{
    stream_case_start_with(&(struct replicate_sim_options){.separate_streams = true});
    ck_assert_int_ne(replicate_sim_stream_port(stream_case_sim), replicate_sim_port(stream_case_sim));
    stream_case_plan(&(struct sim_plan){.stream.offered = true});
    stream_case_create("hello");
    ck_assert(stream_case_read(NULL));
    ck_assert_ptr_nonnull(strstr(stream_case_answer.body, "event: done\n"));
    ck_assert_int_eq(stream_case_ask("GET", stream_case_path, NULL), 404);
    const struct http_request account = {.path = "/v1/account", .headers = "Authorization: Bearer test-token\r\n"};
    ck_assert(http_exchange(replicate_sim_stream_port(stream_case_sim), &account, &stream_case_answer, 5000));
    ck_assert_int_eq(stream_case_answer.status, 404);
    replicate_sim_expect(stream_case_sim, SIM_EXPECT_UNKNOWN_PATH, 2);
    stream_case_stop_clean();
}
END_TEST

/* --- Pace ----------------------------------------------------------------------------------------------------- */

static const struct sim_plan held = {
    .pieces = story, .piece_count = 2, .piece_ms = SIM_HOLD, .stream = {.offered = true, .no_ids = true}};

START_TEST(each_step_releases_a_piece_to_every_stream_and_to_get)
{
    struct http_response answers[2] = {0};
    struct http_connection *clients[2];
    stream_case_plan(&held);
    stream_case_create("hello");
    for (int i = 0; i < 2; i++)
        clients[i] = stream_case_open(&answers[i], NULL);
    replicate_sim_advance(stream_case_sim, 0);
    for (int i = 0; i < 2; i++)
        ck_assert(http_read_until(clients[i], &answers[i], "data: Once\n\n", STREAM_CASE_PATIENCE_MS));
    stream_case_expect_first("\"output\":[\"Once\"]");
    replicate_sim_advance(stream_case_sim, 0);
    for (int i = 0; i < 2; i++)
        ck_assert(http_read_until(clients[i], &answers[i], "data: a time.", STREAM_CASE_PATIENCE_MS));
    stream_case_expect_first("\"status\":\"processing\"");
    replicate_sim_advance(stream_case_sim, 0);
    for (int i = 0; i < 2; i++) {
        ck_assert(http_read_until(clients[i], &answers[i], "event: done", STREAM_CASE_PATIENCE_MS));
        http_close(&clients[i]);
        http_response_dispose(&answers[i]);
    }
    stream_case_expect_first("\"status\":\"succeeded\"");
    stream_case_stop_clean();
}
END_TEST

START_TEST(pieces_come_at_their_pace)
{
    struct sim_prediction_view view;
    stream_case_plan(&(struct sim_plan){.pieces = story,
                                        .piece_count = 2,
                                        .repeat_pieces = 3,
                                        .first_piece_ms = 15,
                                        .piece_ms = 10,
                                        .stream.offered = true});
    stream_case_create("hello");
    ck_assert(stream_case_read(NULL));
    ck_assert(replicate_sim_prediction(stream_case_sim, 0, &view));
    ck_assert_uint_eq(view.pieces, 6);
    ck_assert_int_ge(view.ended_ms - view.started_ms, 65);
    for (size_t k = 1; k < 6; k++)
        ck_assert_int_ge(replicate_sim_piece_us(stream_case_sim, 0, k),
                         replicate_sim_piece_us(stream_case_sim, 0, k - 1));
    ck_assert_int_eq(replicate_sim_piece_us(stream_case_sim, 0, 6), -1);
    ck_assert_int_eq(replicate_sim_piece_us(stream_case_sim, 1, 0), -1);
    stream_case_stop_clean();
}
END_TEST

START_TEST(a_stamped_piece_says_when_it_was_made)
{
    int64_t before_us = replicate_sim_now_us();
    char text[64];
    stream_case_plan(
        &(struct sim_plan){.pieces = story, .piece_count = 1, .stamp_pieces = true, .stream.offered = true});
    stream_case_create("hello");
    ck_assert(stream_case_read(NULL));
    int64_t made_us = replicate_sim_piece_us(stream_case_sim, 0, 0);
    ck_assert_int_ge(made_us, before_us);
    ck_assert_int_le(made_us, replicate_sim_now_us());
    snprintf(text, sizeof(text), "data: %lld:Once\n", (long long)made_us);
    ck_assert_ptr_nonnull(strstr(stream_case_answer.body, text));
    snprintf(text, sizeof(text), "\"output\":[\"%lld:Once\"]", (long long)made_us);
    stream_case_expect_first(text);
    stream_case_stop_clean();
}
END_TEST

START_TEST(the_prompt_comes_word_by_word)
{
    static const char *const words[] = {SIM_PROMPT_WORDS};
    stream_case_plan(&(struct sim_plan){.pieces = words, .piece_count = 1, .stream.offered = true});
    stream_case_create("one  two three");
    ck_assert(stream_case_read(NULL));
    stream_case_drop_ids();
    ck_assert_str_eq(stream_case_answer.body,
                     HI OUTPUT("data: one\n") OUTPUT("data:   two\n") OUTPUT("data:  three\n") DONE("data: {}\n"));
    stream_case_stop_clean();
}
END_TEST

START_TEST(done_may_come_before_the_status_is_terminal)
{
    stream_case_plan(
        &(struct sim_plan){.pieces = story, .piece_count = 2, .stream = {.offered = true, .lag_ms = 60000}});
    stream_case_create("hello");
    ck_assert(stream_case_read(NULL));
    ck_assert_ptr_nonnull(strstr(stream_case_answer.body, "event: done\n"));
    stream_case_expect_first("\"status\":\"processing\"");
    stream_case_expect_first("\"output\":null");
    replicate_sim_advance(stream_case_sim, 0);
    stream_case_expect_first("\"status\":\"succeeded\"");
    stream_case_stop_clean();
}
END_TEST

START_TEST(the_status_may_be_terminal_before_done_comes)
{
    struct http_response answer = {0};
    stream_case_plan(
        &(struct sim_plan){.pieces = story, .piece_count = 2, .stream = {.offered = true, .lag_ms = -60000}});
    stream_case_create("hello");
    struct http_connection *client = stream_case_open(&answer, NULL);
    ck_assert(replicate_sim_wait_idle(stream_case_sim, STREAM_CASE_PATIENCE_MS));
    ck_assert(http_read_until(client, &answer, HI, STREAM_CASE_PATIENCE_MS));
    ck_assert_str_eq(answer.body, HI);
    stream_case_expect_first("\"status\":\"succeeded\"");
    http_close(&client);
    http_response_dispose(&answer);
    ck_assert(replicate_sim_wait_streams_closed(stream_case_sim, STREAM_CASE_PATIENCE_MS));
    stream_case_stop_clean();
}
END_TEST

/* --- Taken up again ------------------------------------------------------------------------------------------- */

/* The header that resumes after the i-th event of the body. */
static void last_event_id(size_t i, char header[80])
{
    const char *at = stream_case_answer.body;
    for (size_t passed = 0; (at = strstr(at, "\nid: ")) && passed < i; passed++)
        at++;
    ck_assert_ptr_nonnull(at);
    snprintf(header, 80, "Last-Event-ID: %.*s\r\n", (int)strcspn(at + 5, "\n"), at + 5);
}

START_TEST(a_stream_goes_on_after_the_last_event_id)
{
    char header[80];
    stream_case_plan(&(struct sim_plan){
        .pieces = story, .piece_count = 2, .stream = {.offered = true, .fault = SIM_STREAM_CUT, .fault_after = 1}});
    stream_case_create("hello");
    ck_assert(!stream_case_read(NULL));
    last_event_id(0, header);
    ck_assert(stream_case_read(header));
    stream_case_drop_ids();
    ck_assert_str_eq(stream_case_answer.body, HI OUTPUT("data:  upon\ndata: a time.\ndata: \n") DONE("data: {}\n"));
    stream_case_stop_clean();
}
END_TEST

START_TEST(a_stream_without_an_id_or_that_ignores_it_begins_again)
{
    char header[80];
    stream_case_plan(
        &(struct sim_plan){.pieces = story, .piece_count = 2, .stream = {.offered = true, .ignores_last_id = _i == 1}});
    stream_case_create("hello");
    ck_assert(stream_case_read(NULL));
    last_event_id(1, header);
    ck_assert(stream_case_read(_i == 1 ? header : "Last-Event-ID: nonsense\r\n"));
    stream_case_drop_ids();
    ck_assert_str_eq(stream_case_answer.body, ALL DONE("data: {}\n"));
    stream_case_stop_clean();
}
END_TEST

START_TEST(a_stream_may_tell_only_what_comes_from_now_on)
{
    struct http_response answer = {0};
    struct sim_plan plan = held;
    plan.stream.from_now = true;
    stream_case_plan(&plan);
    stream_case_create("hello");
    replicate_sim_advance(stream_case_sim, 0);
    struct http_connection *client = stream_case_open(&answer, NULL);
    replicate_sim_advance(stream_case_sim, 0);
    replicate_sim_advance(stream_case_sim, 0);
    ck_assert(http_read_until(client, &answer, "event: done", STREAM_CASE_PATIENCE_MS));
    ck_assert_ptr_null(strstr(answer.body, "Once"));
    ck_assert_ptr_nonnull(strstr(answer.body, "a time."));
    http_close(&client);
    http_response_dispose(&answer);
    stream_case_stop_clean();
}
END_TEST

/* --- Ends ----------------------------------------------------------------------------------------------------- */

START_TEST(a_stream_that_has_nothing_to_tell_times_out)
{
    struct sim_counters counters;
    stream_case_start_with(&(struct replicate_sim_options){.second_ms = 2});
    stream_case_plan(&(struct sim_plan){.boot_ms = SIM_HOLD, .stream.offered = true});
    stream_case_create("hello");
    ck_assert(stream_case_read(NULL));
    ck_assert_str_eq(stream_case_answer.body, HI ":408: 408 Request Timeout\n\n");
    replicate_sim_counters(stream_case_sim, &counters);
    ck_assert_uint_eq(counters.stream_timeouts, 1);
    replicate_sim_advance(stream_case_sim, 0);
    replicate_sim_advance(stream_case_sim, 0);
    stream_case_stop_clean();
}
END_TEST

START_TEST(after_the_retention_a_stream_only_times_out)
{
    stream_case_start_with(&(struct replicate_sim_options){.second_ms = 2});
    stream_case_plan(&(struct sim_plan){.retention_ms = 1, .stream.offered = true});
    stream_case_create("hello");
    for (int polls = 0; polls < 10000 && !strstr(stream_case_answer.body, "\"data_removed\":true"); polls++)
        stream_case_expect_first("\"data_removed\":");
    ck_assert(stream_case_read(NULL));
    ck_assert_str_eq(stream_case_answer.body, HI ":408: 408 Request Timeout\n\n");
    stream_case_stop_clean();
}
END_TEST

START_TEST(a_cancel_ends_the_stream)
{
    struct http_response answer = {0};
    stream_case_plan(&held);
    stream_case_create("hello");
    struct http_connection *client = stream_case_open(&answer, NULL);
    replicate_sim_advance(stream_case_sim, 0);
    ck_assert(http_read_until(client, &answer, "data: Once", STREAM_CASE_PATIENCE_MS));
    stream_case_cancel_first();
    while (http_read_piece(client, &answer, STREAM_CASE_PATIENCE_MS) == HTTP_MORE)
        ;
    ck_assert(answer.complete);
    ck_assert_str_eq(answer.body, HI OUTPUT("data: Once\n") DONE("data: {\"reason\":\"canceled\"}\n"));
    http_close(&client);
    http_response_dispose(&answer);
    stream_case_stop_clean();
}
END_TEST

START_TEST(streams_are_counted)
{
    struct sim_counters counters;
    struct sim_prediction_view view;
    struct http_response answer = {0};
    stream_case_plan(&held);
    stream_case_create("hello");
    struct http_connection *client = stream_case_open(&answer, NULL);
    replicate_sim_advance(stream_case_sim, 0);
    ck_assert(replicate_sim_wait_stream_pieces(stream_case_sim, 1, STREAM_CASE_PATIENCE_MS));
    ck_assert(replicate_sim_prediction(stream_case_sim, 0, &view));
    ck_assert_uint_eq(view.open_streams, 1);
    ck_assert(http_read_until(client, &answer, "data: Once\n\n", STREAM_CASE_PATIENCE_MS));
    replicate_sim_counters(stream_case_sim, &counters);
    ck_assert_uint_eq(counters.stream_bytes, answer.body_length);
    ck_assert_uint_eq(counters.open_streams, 1);
    http_close(&client);
    http_response_dispose(&answer);
    ck_assert(replicate_sim_wait_streams_closed(stream_case_sim, STREAM_CASE_PATIENCE_MS));
    replicate_sim_counters(stream_case_sim, &counters);
    ck_assert_uint_eq(counters.streams_opened, 1);
    ck_assert_uint_eq(counters.peak_streams, 1);
    stream_case_cancel_first();
    stream_case_stop_clean();
}
END_TEST

static Suite *stream_suite(void)
{
    Suite *suite = suite_create("replicate_sim_stream");
    TCase *cases = tcase_create("stream");
    tcase_add_checked_fixture(cases, stream_case_start, stream_case_stop);
    tcase_add_loop_test(cases, a_stream_says_what_its_plan_says, 0, (int)(sizeof(streams) / sizeof(streams[0])));
    tcase_add_test(cases, a_stream_is_chunked_server_sent_events_and_needs_no_token);
    tcase_add_test(cases, a_token_that_reaches_a_stream_is_seen);
    tcase_add_test(cases, a_model_without_a_stream_offers_none);
    tcase_add_test(cases, streams_may_have_an_origin_of_their_own);
    tcase_add_test(cases, each_step_releases_a_piece_to_every_stream_and_to_get);
    tcase_add_test(cases, pieces_come_at_their_pace);
    tcase_add_test(cases, a_stamped_piece_says_when_it_was_made);
    tcase_add_test(cases, the_prompt_comes_word_by_word);
    tcase_add_test(cases, done_may_come_before_the_status_is_terminal);
    tcase_add_test(cases, the_status_may_be_terminal_before_done_comes);
    tcase_add_test(cases, a_stream_goes_on_after_the_last_event_id);
    tcase_add_loop_test(cases, a_stream_without_an_id_or_that_ignores_it_begins_again, 0, 2);
    tcase_add_test(cases, a_stream_may_tell_only_what_comes_from_now_on);
    tcase_add_test(cases, a_stream_that_has_nothing_to_tell_times_out);
    tcase_add_test(cases, after_the_retention_a_stream_only_times_out);
    tcase_add_test(cases, a_cancel_ends_the_stream);
    tcase_add_test(cases, streams_are_counted);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    return suite_run(stream_suite());
}
