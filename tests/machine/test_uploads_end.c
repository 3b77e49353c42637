/* The files of requests that nobody needs any more: when they are deleted, how hard that is tried, and what becomes of
 * those that are still on their way up. */
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "fake_uploads.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct uploads_case request;

/* A request with one file, which is there as "abc". */
static void upload_one(void)
{
    uploads_begin(&request, 1);
    uploads_advance(0);
    uploads_accept("0", "abc");
    uploads_expect_ready(&request);
}

START_TEST(files_are_deleted_after_the_last_reference)
{
    upload_one();
    struct uploads *second = uploads_ref(request.uploads), *third = uploads_ref(request.uploads);
    uploads_leave(&request);
    uploads_unref(third);
    uploads_advance(3600 * 1000);
    ck_assert_int_eq(uploads_open(), 0);
    ck_assert_uint_eq(uploader_count(uploads_bench.uploader), 0);
    uploads_unref(second);
    ck_assert_uint_eq(uploader_count(uploads_bench.uploader), 1);
    struct transfer *deleting = uploads_deleting("abc");
    ck_assert_ptr_nonnull(deleting);
    ck_assert_int_eq(deleting->timeout_ms, 10000);
    uploads_delete_ok("abc");
    ck_assert_uint_eq(uploader_count(uploads_bench.uploader), 0);
}
END_TEST

START_TEST(no_reference_at_all_is_fine_to_give_up)
{
    uploads_unref(NULL);
    ck_assert_uint_eq(uploader_count(uploads_bench.uploader), 0);
}
END_TEST

/* Deletions that failed for good, or did not; status 0 = lost. */
static const struct {
    int status;
    bool again;
} answers[] = {{0, true},    {429, true},  {500, true},  {200, false},
               {204, false}, {404, false}, {403, false}, {400, false}};

START_TEST(a_deletion_is_tried_three_times_where_that_may_help)
{
    upload_one();
    uploads_leave(&request);
    for (int i = 0; i < (answers[_i].again ? 3 : 1); i++) {
        struct transfer *deleting = uploads_deleting("abc");
        ck_assert_ptr_nonnull(deleting);
        if (answers[_i].status == 0)
            fake_transfer_break(deleting, TRANSFER_LOST);
        else
            fake_transfer_answer(deleting, answers[_i].status, "{}");
        ck_assert_int_eq(uploads_open(), 0);
        uploads_advance(500 << i);
    }
    ck_assert_int_eq(uploads_open(), 0);
    ck_assert_uint_eq(uploader_count(uploads_bench.uploader), 0);
}
END_TEST

START_TEST(a_deletion_is_given_up_after_ten_seconds)
{
    upload_one();
    uploads_leave(&request);
    uploads_advance(8000);
    fake_transfer_break(uploads_deleting("abc"), TRANSFER_LOST);
    uploads_advance(500);
    struct transfer *second = uploads_deleting("abc");
    ck_assert_ptr_nonnull(second);
    ck_assert_int_eq(second->timeout_ms, 1500);
    uploads_advance(1000);
    /* The next pause would be a second long, which is more than is left. */
    fake_transfer_break(second, TRANSFER_LOST);
    ck_assert_uint_eq(uploader_count(uploads_bench.uploader), 0);
}
END_TEST

START_TEST(whoever_leaves_before_the_end_hears_nothing_and_nothing_more_is_sent)
{
    uploads_begin(&request, 3);
    if (_i > 0)
        uploads_advance(0);
    uploads_leave(&request);
    uploads_advance(0);
    ck_assert_int_eq(uploads_open(), _i > 0 ? 2 : 0);
    ck_assert_uint_eq(uploader_count(uploads_bench.uploader), _i > 0 ? 1 : 0);
    if (_i > 0) {
        /* What is under way tells its id yet, or does not. */
        uploads_accept("1", "id-1");
        fake_transfer_break(uploads_sending("0"), TRANSFER_LOST);
        uploads_advance(10000);
        ck_assert_int_eq(uploads_open(), 1);
        uploads_delete_ok("id-1");
    }
    uploads_advance(UPLOADS_TIME_MS);
    ck_assert_int_eq(request.done, 0);
}
END_TEST

START_TEST(an_upload_that_still_waits_behind_others_is_given_up_at_once)
{
    uploads_begin(&request, 2);
    uploads_advance(0);
    uploads_sending("1")->queued = true;
    uploads_leave(&request);
    ck_assert_ptr_null(uploads_sending("1"));
    uploads_accept("0", "id-0");
    uploads_delete_ok("id-0");
}
END_TEST

START_TEST(whoever_leaves_in_a_pause_leaves_nothing_behind)
{
    uploads_begin(&request, 1);
    uploads_advance(0);
    fake_transfer_break(uploads_sending("0"), TRANSFER_UNREACHABLE);
    uploads_leave(&request);
    ck_assert_uint_eq(uploader_count(uploads_bench.uploader), 0);
    ck_assert_uint_eq(fake_loop_timers(uploads_bench.loop), 0);
}
END_TEST

START_TEST(the_last_reference_may_go_inside_done)
{
    uploads_bench.leaves_when_done = true;
    uploads_begin(&request, 2);
    uploads_advance(0);
    uploads_accept("0", "id-0");
    if (_i == 0)
        uploads_accept("1", "id-1");
    else
        fake_transfer_answer(uploads_sending("1"), 413, "{}");
    ck_assert_int_eq(request.done, 1);
    ck_assert_ptr_null(request.uploads);
    uploads_delete_ok("id-0");
    if (_i == 0)
        uploads_delete_ok("id-1");
}
END_TEST

START_TEST(an_upload_that_nobody_waits_for_keeps_its_place_until_its_end)
{
    static struct uploads_case others[2];
    struct uploads_case last;
    for (int i = 0; i < 2; i++)
        uploads_begin(&others[i], 2);
    uploads_advance(0);
    for (int i = 0; i < 2; i++)
        uploads_leave(&others[i]);
    json_t *values = json_array();
    json_array_append_new(values, json_string("data:text/plain,last"));
    uploads_begin_values(&last, values);
    uploads_advance(0);
    ck_assert_ptr_null(uploads_sending("last"));
    fake_transfer_break(uploads_sending("0"), TRANSFER_LOST);
    uploads_advance(0);
    uploads_accept("last", "id-last");
    uploads_expect_ready(&last);
    uploads_leave(&last);
    uploads_delete_ok("id-last");
    fake_transfer_break(uploads_sending("0"), TRANSFER_LOST);
    fake_transfer_break(uploads_sending("1"), TRANSFER_LOST);
    fake_transfer_break(uploads_sending("1"), TRANSFER_LOST);
}
END_TEST

/* A file that is cut off on its way up is none, and one that was not yet deleted expires. */
START_TEST(what_nobody_needs_is_given_up_after_a_while)
{
    struct uploads_case other = {0};
    uploads_begin(&request, 1);
    uploads_advance(0);
    uploads_leave(&request);
    uploads_advance(14999);
    ck_assert_uint_eq(uploader_count(uploads_bench.uploader), 1);
    ck_assert_ptr_nonnull(uploads_sending("0"));
    uploads_advance(1);
    ck_assert_uint_eq(uploader_count(uploads_bench.uploader), 0);
    ck_assert_int_eq(uploads_open(), 0);
    /* Its place is free. */
    uploads_begin(&other, 2);
    uploads_advance(0);
    uploads_accept("0", "id-0");
    uploads_accept("1", "id-1");
    uploads_expect_ready(&other);
    uploads_leave(&other);
    uploads_delete_ok("id-0");
    uploads_delete_ok("id-1");
}
END_TEST

START_TEST(an_uploader_that_goes_drops_what_is_under_way)
{
    struct uploads_case other;
    upload_one();
    uploads_begin(&other, 1);
    uploads_advance(0);
    uploads_leave(&request);
    uploads_leave(&other);
    ck_assert_int_eq(uploads_open(), 2);
    ck_assert_uint_eq(uploader_count(uploads_bench.uploader), 2);
    if (_i > 0)
        fake_transfer_break(uploads_deleting("abc"), TRANSFER_LOST);
    uploader_free(uploads_bench.uploader);
    ck_assert_int_eq(uploads_open(), 0);
    ck_assert_uint_eq(fake_loop_timers(uploads_bench.loop), 0);
    uploads_bench.uploader = uploader_new(uploads_bench.loop, uploads_bench.transfers);
}
END_TEST

static Suite *uploads_end_suite(void)
{
    Suite *suite = suite_create("uploads, their end");
    TCase *cases = tcase_create("end");
    tcase_add_checked_fixture(cases, uploads_setup, uploads_teardown);
    tcase_add_test(cases, files_are_deleted_after_the_last_reference);
    tcase_add_test(cases, no_reference_at_all_is_fine_to_give_up);
    tcase_add_loop_test(cases, a_deletion_is_tried_three_times_where_that_may_help, 0, ROWS(answers));
    tcase_add_test(cases, a_deletion_is_given_up_after_ten_seconds);
    tcase_add_loop_test(cases, whoever_leaves_before_the_end_hears_nothing_and_nothing_more_is_sent, 0, 2);
    tcase_add_test(cases, an_upload_that_still_waits_behind_others_is_given_up_at_once);
    tcase_add_test(cases, whoever_leaves_in_a_pause_leaves_nothing_behind);
    tcase_add_loop_test(cases, the_last_reference_may_go_inside_done, 0, 2);
    tcase_add_test(cases, an_upload_that_nobody_waits_for_keeps_its_place_until_its_end);
    tcase_add_test(cases, what_nobody_needs_is_given_up_after_a_while);
    tcase_add_loop_test(cases, an_uploader_that_goes_drops_what_is_under_way, 0, 2);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    return suite_run(uploads_end_suite());
}
