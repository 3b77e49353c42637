/* What the status page is told: runs by age, errors by time, health by alias, a minute of requests. */
#include "server/board.h"

#include <stdio.h>
#include <string.h>

#include "check_main.h"

static struct board *board;

static void setup(void)
{
    board = board_new();
}

static void teardown(void)
{
    board_free(board);
}

static struct board_run run(const char *alias, int64_t since_ms)
{
    struct board_run made = {.state = "starting", .since_ms = since_ms};
    snprintf(made.alias, sizeof made.alias, "%s", alias);
    return made;
}

START_TEST(the_runs_of_all_workers_come_the_oldest_first)
{
    const struct board_run first[] = {run("b", 20), run("d", 40)}, second[] = {run("a", 10), run("c", 30)};
    struct board_run runs[8];
    size_t total;
    board_publish(board, 0, first, 2, 2);
    board_publish(board, BOARD_WORKERS - 1, second, 2, 7);
    ck_assert_uint_eq(board_runs(board, runs, 8, &total), 4);
    ck_assert_uint_eq(total, 9);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(runs[i].alias[0], 'a' + i);
    ck_assert_uint_eq(board_runs(board, runs, 2, &total), 2);
    ck_assert_int_eq(runs[1].alias[0], 'b');
}
END_TEST

START_TEST(what_a_worker_publishes_replaces_what_it_had)
{
    const struct board_run old = run("old", 1);
    size_t total;
    board_publish(board, 3, &old, 1, 1);
    board_publish(board, 3, NULL, 0, 0);
    ck_assert_uint_eq(board_runs(board, NULL, 0, &total), 0);
    ck_assert_uint_eq(total, 0);
}
END_TEST

START_TEST(only_the_latest_errors_are_kept_and_come_first)
{
    struct board_error errors[BOARD_ERRORS];
    for (int i = 0; i < BOARD_ERRORS + 7; i++) {
        const struct board_error error = {.at_s = i, .kind = ERROR_TIMEOUT};
        board_failed(board, &error);
    }
    ck_assert_uint_eq(board_errors(board, errors), BOARD_ERRORS);
    for (int i = 0; i < BOARD_ERRORS; i++)
        ck_assert_int_eq(errors[i].at_s, BOARD_ERRORS + 6 - i);
}
END_TEST

START_TEST(the_health_of_an_alias_is_its_last_answer_and_its_last_failure)
{
    ck_assert_int_eq(board_health(board, 5).answered_s, 0);
    board_note(board, 5, ERROR_NONE);
    ck_assert_int_gt(board_health(board, 5).answered_s, 0);
    ck_assert_int_eq(board_health(board, 5).failed_s, 0);
    board_note(board, 5, ERROR_TIMEOUT);
    ck_assert_int_gt(board_health(board, 5).failed_s, 0);
    ck_assert_int_eq(board_health(board, 5).kind, ERROR_TIMEOUT);
    ck_assert_int_eq(board_health(board, 6).failed_s, 0);
}
END_TEST

START_TEST(an_alias_without_a_place_of_its_own_is_counted_with_the_others)
{
    board_note(board, BOARD_ALIASES + 5, ERROR_NONE);
    ck_assert_int_gt(board_health(board, 0).answered_s, 0);
}
END_TEST

START_TEST(the_last_minute_is_the_sum_over_all_workers)
{
    for (int i = 0; i < 30; i++)
        board_count(board, (size_t)i % 3);
    ck_assert_int_eq(board_last_minute(board), 30);
    ck_assert_int_eq(board_total(board), 30);
}
END_TEST

static Suite *board_suite(void)
{
    Suite *suite = suite_create("board");
    TCase *tcase = tcase_create("board");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_runs_of_all_workers_come_the_oldest_first);
    tcase_add_test(tcase, what_a_worker_publishes_replaces_what_it_had);
    tcase_add_test(tcase, only_the_latest_errors_are_kept_and_come_first);
    tcase_add_test(tcase, the_health_of_an_alias_is_its_last_answer_and_its_last_failure);
    tcase_add_test(tcase, an_alias_without_a_place_of_its_own_is_counted_with_the_others);
    tcase_add_test(tcase, the_last_minute_is_the_sum_over_all_workers);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(board_suite());
}
