/* Counters, gauges and histograms: sums over slots that come and go, over labels, and while others count. */
#include "check_main.h"

#include <pthread.h>
#include <stdio.h>

#include "base/error.h"
#include "base/metrics.h"

static struct metrics *first, *second;

static void set_up(void)
{
    first = metrics_new();
    second = metrics_new();
}

static void tear_down(void)
{
    metrics_free(first);
    metrics_free(second);
}

START_TEST(counters_are_summed_over_all_slots)
{
    int64_t before = metrics_sum(METRIC_polls_total);
    metrics_add(first, METRIC_polls_total, 1);
    metrics_add(first, METRIC_polls_total, 2);
    metrics_add(second, METRIC_polls_total, 40);
    ck_assert_int_eq(metrics_sum(METRIC_polls_total) - before, 43);
}
END_TEST

START_TEST(a_counter_does_not_fall_when_its_slot_is_freed)
{
    int64_t before = metrics_sum(METRIC_cancels_total);
    metrics_add_at(first, METRIC_cancels_total, METRIC_REASON_stop, 0, 5);
    metrics_free(first);
    first = NULL;
    ck_assert_int_eq(metrics_sum_at(METRIC_cancels_total, METRIC_REASON_stop, 0), before + 5);
    metrics_add_at(second, METRIC_cancels_total, METRIC_REASON_drain, 0, 2);
    ck_assert_int_eq(metrics_sum(METRIC_cancels_total) - before, 7);
}
END_TEST

START_TEST(a_histogram_does_not_fall_when_its_slot_is_freed)
{
    metrics_observe(first, METRIC_loop_lag_seconds, 0, 3);
    metrics_free(first);
    first = NULL;
    metrics_observe(second, METRIC_loop_lag_seconds, 0, 3);
    ck_assert_int_eq(metrics_sum(METRIC_loop_lag_seconds), 2);
}
END_TEST

START_TEST(a_gauge_is_the_sum_of_what_living_slots_have_set)
{
    ck_assert_int_eq(metrics_sum(METRIC_transfers), 0);
    metrics_set(first, METRIC_transfers, 9);
    metrics_set(first, METRIC_transfers, 3);
    metrics_set(second, METRIC_transfers, 4);
    metrics_add(second, METRIC_transfers, -1);
    ck_assert_int_eq(metrics_sum(METRIC_transfers), 6);
    metrics_free(first);
    first = NULL;
    ck_assert_int_eq(metrics_sum(METRIC_transfers), 3);
}
END_TEST

START_TEST(without_a_slot_nothing_is_counted)
{
    metrics_add(NULL, METRIC_polls_total, 1);
    metrics_set(NULL, METRIC_transfers, 1);
    metrics_observe(NULL, METRIC_loop_lag_seconds, 0, 1);
    metrics_free(NULL);
    ck_assert_int_eq(metrics_sum(METRIC_polls_total), 0);
    ck_assert_int_eq(metrics_sum(METRIC_transfers), 0);
    ck_assert_int_eq(metrics_sum(METRIC_loop_lag_seconds), 0);
}
END_TEST

/* ---- labels ---- */

START_TEST(each_combination_of_labels_counts_by_itself)
{
    enum { ENDPOINTS = 40, CODES = 600 };
    for (size_t endpoint = 0; endpoint < ENDPOINTS; endpoint++)
        metrics_add_at(first, METRIC_requests_total, endpoint, CODES - 1 - endpoint, (int64_t)endpoint + 1);
    for (size_t endpoint = 0; endpoint < ENDPOINTS; endpoint++)
        ck_assert_int_eq(metrics_sum_at(METRIC_requests_total, endpoint, CODES - 1 - endpoint), (int64_t)endpoint + 1);
    ck_assert_int_eq(metrics_sum(METRIC_requests_total), ENDPOINTS * (ENDPOINTS + 1) / 2);
    ck_assert_int_eq(metrics_sum(METRIC_requests_in_flight), 0); /* its neighbour in the table */
}
END_TEST

START_TEST(an_index_beyond_a_label_counts_as_other)
{
    metrics_add_at(first, METRIC_requests_total, 40, 600, 3);
    ck_assert_int_eq(metrics_sum_at(METRIC_requests_total, 0, 0), 3);
    metrics_observe(first, METRIC_request_duration_seconds, (size_t)-1, 3);
    ck_assert_int_eq(metrics_sum_at(METRIC_request_duration_seconds, 0, 0), 1);
}
END_TEST

START_TEST(a_name_keeps_its_index_and_so_its_counts_over_reloads)
{
    size_t writer = metrics_name(METRIC_LABEL_alias, "writer");
    metrics_add_at(first, METRIC_fallbacks_total, writer, 0, 2);
    size_t painter = metrics_name(METRIC_LABEL_alias, "painter");
    ck_assert_uint_ne(writer, 0);
    ck_assert_uint_ne(painter, writer);
    ck_assert_uint_eq(metrics_name(METRIC_LABEL_alias, "writer"), writer);
    metrics_add_at(second, METRIC_fallbacks_total, writer, 0, 1);
    ck_assert_int_eq(metrics_sum_at(METRIC_fallbacks_total, writer, 0), 3);
    ck_assert_int_eq(metrics_sum_at(METRIC_fallbacks_total, painter, 0), 0);
}
END_TEST

START_TEST(of_names_beyond_a_thousand_all_are_other)
{
    char name[32];
    for (int i = 1; i <= 1000; i++) {
        snprintf(name, sizeof name, "model-%d", i);
        ck_assert_uint_eq(metrics_name(METRIC_LABEL_alias, name), (size_t)i);
    }
    ck_assert_uint_eq(metrics_name(METRIC_LABEL_alias, "one-too-many"), 0);
    ck_assert_uint_eq(metrics_name(METRIC_LABEL_alias, "model-1000"), 1000);
    metrics_add_at(first, METRIC_tokens_total, 1000, METRIC_TOKEN_reasoning, 7);
    ck_assert_int_eq(metrics_sum_at(METRIC_tokens_total, 1000, METRIC_TOKEN_reasoning), 7);
    ck_assert_int_eq(metrics_sum(METRIC_errors_total), 0); /* its neighbour in the table */
}
END_TEST

/* ---- threads ---- */

enum { WRITERS = 4, ROUNDS = 20000, READS = 50 };

static pthread_t writers[WRITERS];
static int64_t before_writers;

/* Counts in a slot of its own, and gives it up at the end, as a worker does. */
static void *count(void *unused)
{
    struct metrics *slot = metrics_new();
    for (int i = 0; i < ROUNDS; i++)
        metrics_observe(slot, METRIC_upstream_duration_seconds, METRIC_CALL_poll, i % 100);
    metrics_free(slot);
    return unused;
}

static void start_writers(void)
{
    before_writers = metrics_sum(METRIC_upstream_duration_seconds);
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_create(&writers[i], NULL, count, NULL), 0);
}

static void join_writers(void)
{
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    ck_assert_int_eq(metrics_sum(METRIC_upstream_duration_seconds) - before_writers, WRITERS * ROUNDS);
}

START_TEST(sums_never_fall_while_workers_count_and_leave)
{
    int64_t last = before_writers;
    for (int i = 0; i < READS; i++) {
        int64_t sum = metrics_sum(METRIC_upstream_duration_seconds);
        ck_assert_int_ge(sum, last);
        last = sum;
    }
    ck_assert_int_le(last - before_writers, WRITERS * ROUNDS);
}
END_TEST

static Suite *metrics_suite(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tcase = tcase_create("metrics");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, counters_are_summed_over_all_slots);
    tcase_add_test(tcase, a_counter_does_not_fall_when_its_slot_is_freed);
    tcase_add_test(tcase, a_histogram_does_not_fall_when_its_slot_is_freed);
    tcase_add_test(tcase, a_gauge_is_the_sum_of_what_living_slots_have_set);
    tcase_add_test(tcase, without_a_slot_nothing_is_counted);
    tcase_add_test(tcase, each_combination_of_labels_counts_by_itself);
    tcase_add_test(tcase, an_index_beyond_a_label_counts_as_other);
    tcase_add_test(tcase, a_name_keeps_its_index_and_so_its_counts_over_reloads);
    tcase_add_test(tcase, of_names_beyond_a_thousand_all_are_other);
    suite_add_tcase(suite, tcase);
    TCase *threads = tcase_create("threads");
    tcase_add_checked_fixture(threads, start_writers, join_writers);
    tcase_add_test(threads, sums_never_fall_while_workers_count_and_leave);
    suite_add_tcase(suite, threads);
    return suite;
}

int main(void)
{
    return suite_run(metrics_suite());
}
