/* Counters and gauges: sums over slots that come and go, and the text that a scraper reads. */
#include "check_main.h"

#include <pthread.h>
#include <string.h>

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
    metrics_add(first, METRIC_cancels_total, 5);
    metrics_free(first);
    first = NULL;
    ck_assert_int_eq(metrics_sum(METRIC_cancels_total) - before, 5);
    metrics_add(second, METRIC_cancels_total, 2);
    ck_assert_int_eq(metrics_sum(METRIC_cancels_total) - before, 7);
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
    int64_t before = metrics_sum(METRIC_requests_total);
    metrics_add(NULL, METRIC_requests_total, 1);
    metrics_set(NULL, METRIC_exchanges, 1);
    metrics_free(NULL);
    ck_assert_int_eq(metrics_sum(METRIC_requests_total), before);
    ck_assert_int_eq(metrics_sum(METRIC_exchanges), 0);
}
END_TEST

START_TEST(the_exposition_names_helps_and_types_every_metric)
{
    static const char *const names[] = {
#define X(name, type, help) "# HELP replibridge_" #name " " help "\n# TYPE replibridge_" #name " ",
        METRICS(X)
#undef X
    };
    struct buf text;
    buf_init(&text, 1 << 16);
    metrics_write(&text);
    const char *at = buf_text(&text);
    for (int i = 0; i < METRIC_COUNT; i++) {
        at = strstr(at, names[i]);
        ck_assert_msg(at, "%s", names[i]);
    }
    ck_assert_int_eq(text.data[text.length - 1], '\n');
    buf_dispose(&text);
}
END_TEST

START_TEST(the_exposition_has_the_values)
{
    metrics_set(first, METRIC_predictions, 7);
    int64_t requests = metrics_sum(METRIC_requests_total) + 12;
    metrics_add(second, METRIC_requests_total, 12);
    struct buf text, line;
    buf_init(&text, 1 << 16);
    buf_init(&line, 256);
    metrics_write(&text);
    ck_assert_ptr_nonnull(strstr(buf_text(&text), "# TYPE replibridge_predictions gauge\nreplibridge_predictions 7\n"));
    buf_printf(&line, "# TYPE replibridge_requests_total counter\nreplibridge_requests_total %lld\n",
               (long long)requests);
    ck_assert_ptr_nonnull(strstr(buf_text(&text), buf_text(&line)));
    buf_dispose(&text);
    buf_dispose(&line);
}
END_TEST

enum { WRITERS = 4, ROUNDS = 20000, READS = 50 };

static pthread_t writers[WRITERS];
static int64_t before_writers;

/* Counts in a slot of its own, and gives it up at the end, as a worker does. */
static void *count(void *unused)
{
    struct metrics *slot = metrics_new();
    for (int i = 0; i < ROUNDS; i++)
        metrics_add(slot, METRIC_predictions_created_total, 1);
    metrics_free(slot);
    return unused;
}

static void start_writers(void)
{
    before_writers = metrics_sum(METRIC_predictions_created_total);
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_create(&writers[i], NULL, count, NULL), 0);
}

static void join_writers(void)
{
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    ck_assert_int_eq(metrics_sum(METRIC_predictions_created_total) - before_writers, WRITERS * ROUNDS);
}

START_TEST(sums_never_fall_while_workers_count_and_leave)
{
    int64_t last = before_writers;
    for (int i = 0; i < READS; i++) {
        int64_t sum = metrics_sum(METRIC_predictions_created_total);
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
    tcase_add_test(tcase, a_gauge_is_the_sum_of_what_living_slots_have_set);
    tcase_add_test(tcase, without_a_slot_nothing_is_counted);
    tcase_add_test(tcase, the_exposition_names_helps_and_types_every_metric);
    tcase_add_test(tcase, the_exposition_has_the_values);
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
