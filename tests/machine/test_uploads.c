/* The files of requests on their way up: which is sent when, what is tried again, and how a request hears of its end.
 */
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "fake_uploads.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct uploads_case request;

/* Gives the request up, and deletes this file of it (NULL = none). */
static void leave(const char *id)
{
    uploads_leave(&request);
    if (id != NULL)
        uploads_delete_ok(id);
}

START_TEST(a_file_is_sent_as_a_form_and_its_value_becomes_its_url)
{
    uploads_begin(&request, 1);
    ck_assert_int_eq(uploads_open(), 0);
    ck_assert_uint_eq(uploader_count(uploads_bench.uploader), 1);
    uploads_advance(0);
    struct transfer *sending = uploads_sending("0");
    ck_assert_ptr_nonnull(sending);
    ck_assert_str_eq(fake_transfer_header(sending, "Content-Type"),
                     "multipart/form-data; boundary=replibridge-00000000");
    ck_assert_int_eq(strncmp(sending->body, "--replibridge-00000000\r\n", 24), 0);
    ck_assert_uint_eq(strlen(sending->body), sending->body_length);
    ck_assert(!sending->never_repeat);
    ck_assert_int_eq(sending->timeout_ms, 30000 + (int64_t)sending->body_length / 32);
    json_t *value = json_array_get(request.values, 0);
    uploads_accept("0", "abc");
    uploads_expect_ready(&request);
    ck_assert_uint_eq(uploader_count(uploads_bench.uploader), 0);
    ck_assert_ptr_eq(json_array_get(request.values, 0), value);
    ck_assert_str_eq(json_string_value(value), "http://files.test/abc");
    leave("abc");
}
END_TEST

START_TEST(two_of_a_request_are_sent_at_a_time_and_each_gets_its_own_url)
{
    uploads_begin(&request, 4);
    uploads_advance(0);
    ck_assert_int_eq(uploads_open(), 2);
    uploads_accept("1", "id-1");
    uploads_advance(0);
    ck_assert_int_eq(uploads_open(), 2);
    uploads_accept("2", "id-2");
    uploads_advance(0);
    uploads_accept("3", "id-3");
    uploads_advance(0);
    uploads_expect_unfinished(&request);
    ck_assert_str_eq(uploads_value(&request, 0), "data:text/plain,0");
    uploads_accept("0", "id-0");
    uploads_expect_ready(&request);
    static const char *const urls[] = {"http://files.test/id-0", "http://files.test/id-1", "http://files.test/id-2",
                                       "http://files.test/id-3"};
    for (size_t i = 0; i < 4; i++)
        ck_assert_str_eq(uploads_value(&request, i), urls[i]);
    leave("id-0");
    uploads_delete_ok("id-1");
    uploads_delete_ok("id-2");
    uploads_delete_ok("id-3");
}
END_TEST

/* A file is decoded when it is sent, so those that are sent are all that is in memory decoded. */
START_TEST(four_of_a_worker_are_sent_at_a_time_first_come_first_served)
{
    static struct uploads_case requests[4];
    uploads_bench.leaves_when_done = true;
    for (int i = 0; i < 4; i++) {
        json_t *values = json_array();
        json_array_append_new(values, json_sprintf("data:text/plain,%d-a", i));
        json_array_append_new(values, json_sprintf("data:text/plain,%d-b", i));
        uploads_begin_values(&requests[i], values);
    }
    uploads_advance(0);
    ck_assert_int_eq(uploads_open(), 4);
    static const char *const order[] = {"0-a", "0-b", "1-a", "1-b", "2-a", "2-b", "3-a", "3-b"};
    for (int i = 0; i < ROWS(order); i++) {
        for (int j = i; j < i + 4 && j < ROWS(order); j++)
            ck_assert_ptr_nonnull(uploads_sending(order[j]));
        uploads_accept(order[i], order[i]);
        if (i % 2 == 1) {
            uploads_expect_ready(&requests[i / 2]);
            uploads_delete_ok(order[i - 1]);
            uploads_delete_ok(order[i]);
        }
        uploads_advance(0);
    }
}
END_TEST

static void count_open(void *arg)
{
    *(int *)arg = uploads_open();
}

/* To decode a file takes time, and others want to be served. */
START_TEST(whoever_else_is_due_comes_between_two_files)
{
    struct loop_timer timer;
    int open = -1;
    loop_timer_init(&timer, count_open, &open);
    uploads_begin(&request, 2);
    loop_timer_set(uploads_bench.loop, &timer, clock_now_ms());
    uploads_advance(0);
    ck_assert_int_eq(open, 1);
    ck_assert_int_eq(uploads_open(), 2);
    uploads_accept("0", "id-0");
    uploads_accept("1", "id-1");
    uploads_expect_ready(&request);
    leave("id-0");
    uploads_delete_ok("id-1");
}
END_TEST

START_TEST(a_value_that_stands_in_two_places_is_sent_once)
{
    json_t *values = json_array(), *value = json_string("data:text/plain,x");
    json_array_append(values, value);
    json_array_append_new(values, json_string("data:text/plain,y"));
    json_array_append_new(values, value);
    uploads_begin_values(&request, values);
    uploads_advance(0);
    ck_assert_int_eq(uploads_open(), 2);
    uploads_accept("x", "id-x");
    uploads_advance(0);
    ck_assert_int_eq(uploads_open(), 1);
    uploads_accept("y", "id-y");
    uploads_expect_ready(&request);
    ck_assert_str_eq(uploads_value(&request, 2), "http://files.test/id-x");
    leave("id-x");
    uploads_delete_ok("id-y");
}
END_TEST

START_TEST(a_request_without_files_is_ready_at_the_next_turn)
{
    uploads_begin(&request, 0);
    uploads_advance(0);
    uploads_expect_ready(&request);
    leave(NULL);
}
END_TEST

/* ---- what fails ---- */

static void answer(const char *text, int status, const char *body, int64_t retry_after_ms)
{
    const struct transfer_answer told = {
        .result = TRANSFER_ANSWERED,
        .status = status,
        .body = body,
        .body_length = strlen(body),
        .retry_after_ms = retry_after_ms,
        .ratelimit_remaining = -1,
        .ratelimit_reset_ms = -1,
        .detail = "",
    };
    struct transfer *sending = uploads_sending(text);
    ck_assert_msg(sending != NULL, "the file %s is not being sent", text);
    fake_transfer_answer_with(sending, &told);
}

/* What may pass; status 0 = no answer. */
static const struct {
    enum transfer_result result;
    int status;
    enum error_kind kind;
} passing[] = {
    {TRANSFER_UNREACHABLE, 0, ERROR_UPSTREAM_UNAVAILABLE}, {TRANSFER_LOST, 0, ERROR_UPSTREAM_UNAVAILABLE},
    {TRANSFER_ANSWERED, 500, ERROR_UPSTREAM_UNAVAILABLE},  {TRANSFER_ANSWERED, 503, ERROR_UPSTREAM_UNAVAILABLE},
    {TRANSFER_ANSWERED, 429, ERROR_RATE_LIMITED},
};

static void let_fail(int row)
{
    if (passing[row].status == 0)
        fake_transfer_break(uploads_sending("0"), passing[row].result);
    else
        answer("0", passing[row].status, "{}", -1);
}

START_TEST(what_may_pass_is_tried_again_three_times_and_then_given_up)
{
    uploads_begin(&request, 1);
    uploads_advance(0);
    for (int i = 0; i < 3; i++) {
        let_fail(_i);
        ck_assert_int_eq(uploads_open(), 0);
        uploads_advance((500 << i) - 1);
        ck_assert_int_eq(uploads_open(), 0);
        uploads_advance(1);
        ck_assert_int_eq(uploads_open(), 1);
    }
    uploads_expect_unfinished(&request);
    let_fail(_i);
    uploads_expect_error(&request, passing[_i].kind);
    ck_assert_int_eq(request.error.retry_after_ms, passing[_i].status == 429 ? 4000 : 0);
    ck_assert_ptr_nonnull(strstr(request.error.message, "no prediction was created"));
    ck_assert_str_eq(uploads_value(&request, 0), "data:text/plain,0");
    leave(NULL);
}
END_TEST

START_TEST(what_passed_is_sent_whole_again)
{
    uploads_begin(&request, 1);
    uploads_advance(0);
    let_fail(_i);
    uploads_advance(500);
    uploads_accept("0", "abc");
    uploads_expect_ready(&request);
    leave("abc");
}
END_TEST

START_TEST(a_429_is_waited_out_as_long_as_it_says_where_there_is_time)
{
    uploads_begin(&request, 1);
    uploads_advance(0);
    answer("0", 429, "{}", 7000);
    uploads_advance(6999);
    ck_assert_int_eq(uploads_open(), 0);
    uploads_advance(1);
    answer("0", 429, "{\"retry_after\":55}", -1);
    uploads_expect_error(&request, ERROR_RATE_LIMITED);
    ck_assert_int_eq(request.error.retry_after_ms, 55000);
    leave(NULL);
}
END_TEST

START_TEST(nothing_is_tried_again_that_cannot_be_before_the_deadline)
{
    uploads_begin(&request, 1);
    uploads_advance(0);
    uploads_advance(UPLOADS_TIME_MS - 400);
    let_fail(0);
    uploads_expect_error(&request, ERROR_UPSTREAM_UNAVAILABLE);
    leave(NULL);
}
END_TEST

static const struct {
    int status;
    const char *body;
    enum error_kind kind;
} final[] = {
    {413, "{\"detail\":\"Files must be less than 100MB in size\"}", ERROR_REQUEST_TOO_LARGE},
    {401, "{\"detail\":\"test-token?\"}", ERROR_UPSTREAM_AUTHENTICATION},
    {403, "{}", ERROR_UPSTREAM_AUTHENTICATION},
    {402, "{}", ERROR_INSUFFICIENT_QUOTA},
    {422, "{\"detail\":\"Not so\"}", ERROR_INVALID_VALUE},
    {404, "{}", ERROR_UPSTREAM_ERROR},
    {201, "{}", ERROR_UPSTREAM_ERROR},
    {201, "<html>", ERROR_UPSTREAM_ERROR},
    {201, "{\"id\":\"a/b\",\"urls\":{\"get\":\"http://files.test/x\"}}", ERROR_UPSTREAM_ERROR},
};

START_TEST(what_does_not_pass_ends_the_request_at_once)
{
    uploads_begin(&request, 3);
    uploads_advance(0);
    uploads_accept("1", "id-1");
    answer("0", final[_i].status, final[_i].body, -1);
    uploads_expect_error(&request, final[_i].kind);
    uploads_advance(0);
    /* The third had not begun, and does not any more. */
    ck_assert_int_eq(uploads_open(), 0);
    leave("id-1");
}
END_TEST

START_TEST(a_file_whose_url_cannot_be_used_is_deleted)
{
    uploads_begin(&request, 1);
    uploads_advance(0);
    answer("0", 201, "{\"id\":\"abc\",\"urls\":{\"get\":\"file:///etc/passwd\"}}", -1);
    uploads_expect_error(&request, ERROR_UPSTREAM_ERROR);
    ck_assert_str_eq(uploads_value(&request, 0), "data:text/plain,0");
    leave("abc");
}
END_TEST

START_TEST(a_value_that_is_not_sound_ends_the_request_but_not_inside_its_start)
{
    json_t *values = json_array();
    json_array_append_new(values, json_string("data:;base64,????"));
    json_array_append_new(values, json_string("data:text/plain,1"));
    uploads_begin_values(&request, values);
    uploads_expect_unfinished(&request);
    uploads_advance(0);
    uploads_expect_error(&request, ERROR_INVALID_VALUE);
    ck_assert_int_eq(uploads_open(), 0);
    leave(NULL);
}
END_TEST

START_TEST(a_request_that_fails_leaves_the_turn_to_others)
{
    struct uploads_case other;
    json_t *values = json_array();
    json_array_append_new(values, json_string("data:;base64,????"));
    json_array_append_new(values, json_string("data:text/plain,lost"));
    uploads_bench.leaves_when_done = true;
    uploads_begin_values(&request, values);
    uploads_begin(&other, 2);
    uploads_advance(0);
    uploads_expect_error(&request, ERROR_INVALID_VALUE);
    ck_assert_ptr_null(uploads_sending("lost"));
    uploads_accept("0", "id-0");
    uploads_accept("1", "id-1");
    uploads_expect_ready(&other);
    uploads_delete_ok("id-0");
    uploads_delete_ok("id-1");
}
END_TEST

/* ---- the deadline ---- */

START_TEST(the_deadline_ends_a_request_in_the_words_of_a_timeout)
{
    uploads_begin(&request, 2);
    uploads_advance(0);
    uploads_accept("0", "id-0");
    uploads_advance(UPLOADS_TIME_MS - 1);
    uploads_expect_unfinished(&request);
    uploads_advance(1);
    uploads_expect_error(&request, ERROR_TIMEOUT);
    ck_assert_str_eq(request.error.message,
                     "The model did not answer within 60 s: Replicate had not yet taken all files of the request, so "
                     "no prediction was created. Raise timeout to wait longer.");
    /* What is under way may have made a file, so its answer is waited for. */
    uploads_leave(&request);
    ck_assert_uint_eq(uploader_count(uploads_bench.uploader), 1);
    uploads_delete_ok("id-0");
    uploads_accept("1", "id-1");
    uploads_delete_ok("id-1");
}
END_TEST

START_TEST(an_answer_between_the_deadline_and_the_last_reference_is_kept_for_it)
{
    uploads_begin(&request, 1);
    uploads_advance(UPLOADS_TIME_MS);
    uploads_expect_error(&request, ERROR_TIMEOUT);
    uploads_accept("0", "id-0");
    ck_assert_int_eq(uploads_open(), 0);
    leave("id-0");
}
END_TEST

START_TEST(the_deadline_ends_a_pause_too)
{
    uploads_begin(&request, 1);
    uploads_advance(UPLOADS_TIME_MS - 600);
    let_fail(0);
    uploads_advance(500);
    ck_assert_int_eq(uploads_open(), 1);
    uploads_advance(100);
    uploads_expect_error(&request, ERROR_TIMEOUT);
    let_fail(1);
    ck_assert_int_eq(uploads_open(), 0);
    leave(NULL);
}
END_TEST

static void add_failures(TCase *cases)
{
    tcase_add_loop_test(cases, what_may_pass_is_tried_again_three_times_and_then_given_up, 0, ROWS(passing));
    tcase_add_loop_test(cases, what_passed_is_sent_whole_again, 0, ROWS(passing));
    tcase_add_test(cases, a_429_is_waited_out_as_long_as_it_says_where_there_is_time);
    tcase_add_test(cases, nothing_is_tried_again_that_cannot_be_before_the_deadline);
    tcase_add_loop_test(cases, what_does_not_pass_ends_the_request_at_once, 0, ROWS(final));
    tcase_add_test(cases, a_file_whose_url_cannot_be_used_is_deleted);
    tcase_add_test(cases, a_value_that_is_not_sound_ends_the_request_but_not_inside_its_start);
    tcase_add_test(cases, a_request_that_fails_leaves_the_turn_to_others);
    tcase_add_test(cases, the_deadline_ends_a_request_in_the_words_of_a_timeout);
    tcase_add_test(cases, an_answer_between_the_deadline_and_the_last_reference_is_kept_for_it);
    tcase_add_test(cases, the_deadline_ends_a_pause_too);
}

static Suite *uploads_suite(void)
{
    Suite *suite = suite_create("uploads");
    TCase *sent = tcase_create("sent"), *failures = tcase_create("failures");
    tcase_add_checked_fixture(sent, uploads_setup, uploads_teardown);
    tcase_add_checked_fixture(failures, uploads_setup, uploads_teardown);
    tcase_add_test(sent, a_file_is_sent_as_a_form_and_its_value_becomes_its_url);
    tcase_add_test(sent, two_of_a_request_are_sent_at_a_time_and_each_gets_its_own_url);
    tcase_add_test(sent, four_of_a_worker_are_sent_at_a_time_first_come_first_served);
    tcase_add_test(sent, whoever_else_is_due_comes_between_two_files);
    tcase_add_test(sent, a_value_that_stands_in_two_places_is_sent_once);
    tcase_add_test(sent, a_request_without_files_is_ready_at_the_next_turn);
    add_failures(failures);
    suite_add_tcase(suite, sent);
    suite_add_tcase(suite, failures);
    return suite;
}

int main(void)
{
    return suite_run(uploads_suite());
}
