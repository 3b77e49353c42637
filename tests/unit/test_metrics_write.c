/* The text that a scraper reads: every metric of the table, escaped labels, buckets, and what is left out. */
#include "check_main.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/metrics.h"
#include "base/version.h"
#include "prometheus.h"

static struct metrics *slot;
static struct buf text;

static void set_up(void)
{
    slot = metrics_new();
    buf_init(&text, 1 << 24);
}

static void tear_down(void)
{
    metrics_on_read(NULL, NULL);
    metrics_free(slot);
    buf_dispose(&text);
}

static const char *write(void)
{
    buf_clear(&text);
    metrics_write(&text);
    ck_assert(!text.overflowed);
    prometheus_check(buf_text(&text), text.length);
    return buf_text(&text);
}

static void expect_value(const char *series, double value)
{
    double found = prometheus_value(buf_text(&text), series);
    ck_assert_msg(found == value, "%s is %g, not %g", series, found, value);
}

START_TEST(every_metric_has_its_help_and_type)
{
    static const char *const heads[] = {
#define X(name, type, first_label, second_label, help)                                                                 \
    "# HELP replibridge_" #name " " help "\n# TYPE replibridge_" #name " ",
        METRICS(X)
#undef X
#define X(name, type, labels, help) "# HELP " #name " " help "\n# TYPE " #name " ",
            METRICS_PROCESS(X)
#undef X
    };
    const char *at = write();
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        at = strstr(at, heads[i]);
        ck_assert_msg(at != NULL, "%s", heads[i]);
    }
}
END_TEST

START_TEST(series_of_fixed_labels_are_there_from_the_start)
{
    write();
    expect_value("replibridge_polls_total", 0);
    expect_value("replibridge_cancels_total{reason=\"client_gone\"}", 0);
    expect_value("replibridge_errors_total{kind=\"upstream_authentication\"}", 0);
    expect_value("replibridge_upstream_duration_seconds_count{call=\"stream_open\"}", 0);
    expect_value("replibridge_tokens_total", -1);
    expect_value("replibridge_requests_total", -1);
    expect_value("replibridge_errors_total{kind=\"none\"}", -1);
}
END_TEST

START_TEST(each_kind_of_error_has_a_series)
{
    char series[128];
    for (int kind = ERROR_NONE + 1; kind < ERROR_KIND_COUNT; kind++)
        metrics_add_at(slot, METRIC_errors_total, (size_t)kind, 0, kind);
    write();
    for (int kind = ERROR_NONE + 1; kind < ERROR_KIND_COUNT; kind++) {
        snprintf(series, sizeof series, "replibridge_errors_total{kind=\"%s\"}",
                 error_row((enum error_kind)kind)->name);
        expect_value(series, kind);
    }
}
END_TEST

START_TEST(two_labels_stand_side_by_side)
{
    metrics_word(METRIC_LABEL_endpoint, 3, "chat.completions");
    metrics_add_at(slot, METRIC_requests_total, 3, 200, 12);
    metrics_add_at(slot, METRIC_requests_total, 3, 504, 1);
    write();
    expect_value("replibridge_requests_total{endpoint=\"chat.completions\",code=\"200\"}", 12);
    expect_value("replibridge_requests_total{endpoint=\"chat.completions\",code=\"504\"}", 1);
    expect_value("replibridge_requests_total", 13);
}
END_TEST

static const struct {
    const char *name, *shown;
} escapes[] = {
    {"a\"b", "a\\\"b"},
    {"a\\b", "a\\\\b"},
    {"a\nb", "a\\nb"},
    {"owner/*", "owner/*"},
    {"\xc3\xbc}, {=", "\xc3\xbc}, {="},
};

START_TEST(the_values_of_labels_are_escaped)
{
    char series[128];
    metrics_add_at(slot, METRIC_fallbacks_total, metrics_name(METRIC_LABEL_alias, escapes[_i].name), 0, 4);
    snprintf(series, sizeof series, "\nreplibridge_fallbacks_total{alias=\"%s\"} 4\n", escapes[_i].shown);
    ck_assert_ptr_nonnull(strstr(write(), series));
}
END_TEST

static const struct {
    int64_t ms;
    const char *first_bucket; /* that counts it */
    const char *below;        /* the one before, which does not; NULL = none */
    const char *sum;
} observations[] = {
    {-5, "0.001", NULL, "0"},       {0, "0.001", NULL, "0"},        {1, "0.001", NULL, "0.001"},
    {2, "0.002", "0.001", "0.002"}, {3, "0.005", "0.002", "0.003"}, {1000, "1", "0.5", "1"},
    {5000, "5", "2.5", "5"},        {5001, "+Inf", "5", "5.001"},   {86400000, "+Inf", "5", "86400"},
};

START_TEST(an_observation_is_counted_from_the_first_bound_that_it_does_not_exceed)
{
    char series[128], sum[128];
    metrics_observe(slot, METRIC_loop_lag_seconds, 0, observations[_i].ms);
    write();
    snprintf(series, sizeof series, "replibridge_loop_lag_seconds_bucket{le=\"%s\"}", observations[_i].first_bucket);
    expect_value(series, 1);
    expect_value("replibridge_loop_lag_seconds_bucket{le=\"+Inf\"}", 1);
    expect_value("replibridge_loop_lag_seconds_count", 1);
    if (observations[_i].below != NULL) {
        snprintf(series, sizeof series, "replibridge_loop_lag_seconds_bucket{le=\"%s\"}", observations[_i].below);
        expect_value(series, 0);
    }
    snprintf(sum, sizeof sum, "\nreplibridge_loop_lag_seconds_sum %s\n", observations[_i].sum);
    ck_assert_ptr_nonnull(strstr(buf_text(&text), sum));
}
END_TEST

START_TEST(a_histogram_of_an_alias_is_shown_once_something_was_observed)
{
    size_t quick = metrics_name(METRIC_LABEL_alias, "quick");
    metrics_name(METRIC_LABEL_alias, "idle");
    metrics_observe(slot, METRIC_prediction_boot_seconds, quick, 0);
    write();
    expect_value("replibridge_prediction_boot_seconds_count{alias=\"quick\"}", 1);
    expect_value("replibridge_prediction_boot_seconds_bucket{alias=\"quick\",le=\"0.1\"}", 1);
    expect_value("replibridge_prediction_boot_seconds_count{alias=\"idle\"}", -1);
}
END_TEST

static void set_transfers(void *arg)
{
    metrics_set(slot, METRIC_transfers, *(int *)arg);
}

START_TEST(gauges_can_be_set_just_before_they_are_read)
{
    int transfers = 17;
    metrics_on_read(set_transfers, &transfers);
    write();
    expect_value("replibridge_transfers", 17);
}
END_TEST

START_TEST(the_process_tells_of_itself)
{
    metrics_identify("0.9.75", "7.88 \"odd\"");
    const char *at = write();
    ck_assert_ptr_nonnull(strstr(at, "\nreplibridge_build_info{version=\"" REPLIBRIDGE_VERSION
                                     "\",mhd=\"0.9.75\",curl=\"7.88 \\\"odd\\\"\",jansson=\""));
    ck_assert(prometheus_value(at, "process_start_time_seconds") > 1e9);
    ck_assert(prometheus_value(at, "process_cpu_seconds_total") >= 0);
    ck_assert(prometheus_value(at, "process_resident_memory_bytes") > 100000);
    ck_assert(prometheus_value(at, "process_virtual_memory_bytes") >
              prometheus_value(at, "process_resident_memory_bytes"));
    double open = prometheus_value(at, "process_open_fds");
    FILE *more = tmpfile();
    ck_assert(prometheus_value(write(), "process_open_fds") == open + 1);
    fclose(more);
    ck_assert(prometheus_value(buf_text(&text), "process_max_fds") > open);
}
END_TEST

START_TEST(promtool_agrees)
{
    for (size_t code = 1; code < 600; code += 99)
        metrics_add_at(slot, METRIC_requests_total, 0, code, 1);
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++)
        metrics_observe(slot, METRIC_request_duration_seconds, metrics_name(METRIC_LABEL_alias, escapes[i].name), 1);
    metrics_identify("1", "2");
    write();
    ck_assert(prometheus_promtool_agrees(buf_text(&text), text.length));
}
END_TEST

static Suite *write_suite(void)
{
    Suite *suite = suite_create("metrics: the text");
    TCase *tcase = tcase_create("text");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, every_metric_has_its_help_and_type);
    tcase_add_test(tcase, series_of_fixed_labels_are_there_from_the_start);
    tcase_add_test(tcase, each_kind_of_error_has_a_series);
    tcase_add_test(tcase, two_labels_stand_side_by_side);
    tcase_add_loop_test(tcase, the_values_of_labels_are_escaped, 0, sizeof escapes / sizeof escapes[0]);
    tcase_add_loop_test(tcase, an_observation_is_counted_from_the_first_bound_that_it_does_not_exceed, 0,
                        sizeof observations / sizeof observations[0]);
    tcase_add_test(tcase, a_histogram_of_an_alias_is_shown_once_something_was_observed);
    tcase_add_test(tcase, gauges_can_be_set_just_before_they_are_read);
    tcase_add_test(tcase, the_process_tells_of_itself);
    tcase_add_test(tcase, promtool_agrees);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(write_suite());
}
