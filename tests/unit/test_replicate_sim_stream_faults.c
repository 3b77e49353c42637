/* Streams of the simulated Replicate that go wrong, and what of them is unclaimed at the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_main.h"
#include "stream_case.h"

static const char *const story[] = {"Once", " upon a time."};

static void plan_fault(enum sim_stream_fault fault, int after)
{
    stream_case_plan(&(struct sim_plan){
        .pieces = story, .piece_count = 2, .stream = {.offered = true, .fault = fault, .fault_after = after}});
    stream_case_create("hello");
}

/* --- No stream at all ----------------------------------------------------------------------------------------- */

static const struct {
    enum sim_stream_fault fault;
    int status, answered;
    const char *part;
} refusals[] = {
    {SIM_STREAM_STATUS, 0, 404, "could not be found"},
    {SIM_STREAM_STATUS, 500, 500, "Internal server error"},
    {SIM_STREAM_STATUS, 429, 429, "throttled"},
    {SIM_STREAM_HTML, 0, 502, "<html"},
    {SIM_STREAM_HTML, 200, 200, "<html"},
};

START_TEST(a_stream_may_be_refused_once)
{
    stream_case_plan(&(struct sim_plan){
        .stream = {.offered = true, .fault = refusals[_i].fault, .fault_status = refusals[_i].status}});
    stream_case_create("hello");
    ck_assert(stream_case_read(NULL));
    ck_assert_int_eq(stream_case_answer.status, refusals[_i].answered);
    ck_assert_ptr_nonnull(strstr(stream_case_answer.body, refusals[_i].part));
    ck_assert(stream_case_read(NULL));
    ck_assert_ptr_nonnull(strstr(stream_case_answer.body, "event: done"));
    stream_case_stop_clean();
}
END_TEST

START_TEST(a_fault_may_hit_every_connection)
{
    stream_case_plan(
        &(struct sim_plan){.stream = {.offered = true, .fault = SIM_STREAM_STATUS, .fault_count = SIM_FOREVER}});
    stream_case_create("hello");
    for (int i = 0; i < 3; i++) {
        ck_assert(stream_case_read(NULL));
        ck_assert_int_eq(stream_case_answer.status, 404);
    }
    stream_case_stop_clean();
}
END_TEST

START_TEST(a_stream_may_have_another_content_type)
{
    char value[64];
    stream_case_plan(&(struct sim_plan){.stream = {.offered = true, .content_type = "application/json"}});
    stream_case_create("hello");
    ck_assert(stream_case_read(NULL));
    http_answer_header(&stream_case_answer, "content-type", value, sizeof(value));
    ck_assert_str_eq(value, "application/json");
    stream_case_stop_clean();
}
END_TEST

/* Faults of any endpoint, and whether a whole answer comes of them, with which status. */
static const struct {
    enum sim_fault fault;
    bool whole;
    int status;
    const char *part;
} common[] = {
    {SIM_FAULT_STATUS, true, 503, "Service unavailable"}, {SIM_FAULT_HTML, true, 503, "<html"},
    {SIM_FAULT_CLOSE_BEFORE_HEADERS, false, 0, ""},       {SIM_FAULT_RESET, false, 0, ""},
    {SIM_FAULT_CLOSE_IN_HEADERS, false, 0, ""},           {SIM_FAULT_CUT_BODY, false, 200, ": "},
    {SIM_FAULT_SLOW, true, 200, "event: done"},           {SIM_FAULT_BYTEWISE, true, 200, "event: done"},
};

START_TEST(faults_of_any_endpoint_hit_streams_too)
{
    plan_fault(SIM_STREAM_FINE, 0);
    replicate_sim_fault(stream_case_sim, SIM_STREAM,
                        &(struct sim_fault_spec){.fault = common[_i].fault,
                                                 .status = 503,
                                                 .model = "acme/writer",
                                                 .delay_ms = common[_i].fault == SIM_FAULT_SLOW ? 30 : 0});
    ck_assert_int_eq(stream_case_read(NULL), common[_i].whole);
    ck_assert_int_eq(stream_case_answer.status, common[_i].status);
    if (common[_i].status)
        ck_assert_ptr_nonnull(strstr(stream_case_answer.body, common[_i].part));
    if (common[_i].fault == SIM_FAULT_SLOW)
        ck_assert_int_ge(stream_case_answer.first_byte_ms, 29);
    stream_case_stop_clean();
}
END_TEST

/* --- Streams that break off ----------------------------------------------------------------------------------- */

START_TEST(a_stream_may_be_cut_inside_an_event)
{
    plan_fault(SIM_STREAM_CUT, 1);
    ck_assert(!stream_case_read(NULL));
    ck_assert_ptr_nonnull(strstr(stream_case_answer.body, "data: Once\n\n"));
    ck_assert_ptr_null(strstr(stream_case_answer.body, "time"));
    size_t length = stream_case_answer.body_length;
    ck_assert_str_ne(stream_case_answer.body + length - 2, "\n\n");
    stream_case_stop_clean();
}
END_TEST

START_TEST(a_stream_may_be_reset)
{
    plan_fault(SIM_STREAM_RESET, 1);
    ck_assert(!stream_case_read(NULL));
    ck_assert_ptr_null(strstr(stream_case_answer.body, "time"));
    ck_assert(stream_case_read(NULL));
    ck_assert_ptr_nonnull(strstr(stream_case_answer.body, "time"));
    stream_case_stop_clean();
}
END_TEST

/* --- Streams that fall silent --------------------------------------------------------------------------------- */

START_TEST(a_silent_stream_may_send_a_comment_every_second)
{
    struct http_response answer = {0};
    stream_case_start_with(&(struct replicate_sim_options){.second_ms = 3});
    plan_fault(SIM_STREAM_COMMENTS, 1);
    struct http_connection *client = stream_case_open(&answer, NULL);
    ck_assert(
        http_read_until(client, &answer, ": still here\n\n: still here\n\n: still here\n\n", STREAM_CASE_PATIENCE_MS));
    ck_assert_ptr_nonnull(strstr(answer.body, "Once"));
    ck_assert_ptr_null(strstr(answer.body, "time"));
    http_close(&client);
    http_response_dispose(&answer);
    stream_case_stop_clean();
}
END_TEST

/* A stall whose prediction has ended, with a client that stays. */
START_TEST(an_open_stream_of_an_ended_prediction_is_unclaimed)
{
    struct http_response answer = {0};
    char report[SIM_REPORT_BYTES];
    stream_case_start_with(&(struct replicate_sim_options){.stop_grace_ms = 20, .allow_open_connections = _i == 1});
    plan_fault(SIM_STREAM_STALL, 0);
    struct http_connection *client = stream_case_open(&answer, NULL);
    ck_assert(replicate_sim_wait_idle(stream_case_sim, STREAM_CASE_PATIENCE_MS));
    if (_i == 2)
        replicate_sim_expect(stream_case_sim, SIM_EXPECT_OPEN_STREAMS, 1);
    ck_assert_int_eq(replicate_sim_stop(&stream_case_sim, report, sizeof(report)), _i == 2);
    ck_assert_str_eq(report, _i == 2 ? "" : "Unclaimed: 1 streams of ended predictions are still open. ");
    http_close(&client);
    http_response_dispose(&answer);
}
END_TEST

START_TEST(a_stream_may_stay_open_after_done_until_it_times_out)
{
    stream_case_start_with(&(struct replicate_sim_options){.second_ms = 2});
    stream_case_plan(&(struct sim_plan){.stream = {.offered = true, .end = SIM_STREAM_DONE_OPEN}});
    stream_case_create("hello");
    ck_assert(stream_case_read(NULL));
    ck_assert_ptr_nonnull(strstr(stream_case_answer.body, "data: {}\n\n:408: 408 Request Timeout\n\n"));
    stream_case_stop_clean();
}
END_TEST

/* --- Plans from a file ---------------------------------------------------------------------------------------- */

START_TEST(all_of_it_can_be_planned_in_a_file)
{
    static const char text[] =
        "[{\"model\":\"acme/writer\",\"official\":true,\"pieces\":[\"a\",\"b\"],\"piece_ms\":1,\"first_piece_ms\":1,"
        "\"repeat_pieces\":2,\"stamp_pieces\":false,\"stream\":true,\"stream_lag_ms\":-1,\"stream_fault\":\"end\","
        "\"stream_fault_after\":1,\"stream_fault_count\":1,\"stream_fault_status\":0,\"stream_huge_bytes\":1,"
        "\"stream_end\":\"done_twice\",\"stream_no_ids\":true,\"stream_ignores_last_id\":true,"
        "\"stream_from_now\":false,\"stream_plain_error\":true,\"stream_logs\":true,\"logs\":\"x\","
        "\"stream_half_characters\":true,\"stream_bytewise\":true,\"stream_crlf\":true,\"stream_no_space\":true,"
        "\"stream_no_chunks\":true,\"stream_content_type\":\"text/plain\"}]";
    char path[] = "/tmp/replicate-sim-plans-XXXXXX", message[256] = "";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, sizeof(text) - 1), (ssize_t)sizeof(text) - 1);
    close(fd);
    ck_assert_msg(replicate_sim_load_plans(stream_case_sim, path, message, sizeof(message)), "%s", message);
    unlink(path);
    stream_case_create("hello");
    ck_assert(stream_case_read(NULL));
    ck_assert_str_eq(stream_case_answer.body, ": hi\r\n\r\nevent:logs\r\ndata:x\r\n\r\nevent:output\r\ndata:a\r\n\r\n");
    ck_assert(stream_case_read(NULL));
    ck_assert_ptr_nonnull(strstr(stream_case_answer.body, "data:b\r\n\r\nevent:output\r\ndata:a\r\n\r\n"));
    ck_assert_ptr_nonnull(strstr(stream_case_answer.body, "event:done\r\ndata:{}\r\n\r\nevent:done\r\ndata:{}\r\n"));
    stream_case_stop_clean();
}
END_TEST

static Suite *stream_faults_suite(void)
{
    Suite *suite = suite_create("replicate_sim_stream_faults");
    TCase *cases = tcase_create("stream faults");
    tcase_add_checked_fixture(cases, stream_case_start, stream_case_stop);
    tcase_add_loop_test(cases, a_stream_may_be_refused_once, 0, (int)(sizeof(refusals) / sizeof(refusals[0])));
    tcase_add_test(cases, a_fault_may_hit_every_connection);
    tcase_add_test(cases, a_stream_may_have_another_content_type);
    tcase_add_loop_test(cases, faults_of_any_endpoint_hit_streams_too, 0, (int)(sizeof(common) / sizeof(common[0])));
    tcase_add_test(cases, a_stream_may_be_cut_inside_an_event);
    tcase_add_test(cases, a_stream_may_be_reset);
    tcase_add_test(cases, a_silent_stream_may_send_a_comment_every_second);
    tcase_add_loop_test(cases, an_open_stream_of_an_ended_prediction_is_unclaimed, 0, 3);
    tcase_add_test(cases, a_stream_may_stay_open_after_done_until_it_times_out);
    tcase_add_test(cases, all_of_it_can_be_planned_in_a_file);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    return suite_run(stream_faults_suite());
}
