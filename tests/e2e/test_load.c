/* Many requests at once: all are answered with their own answer, on a handful of threads, and memory does not grow. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "check_main.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { AT_ONCE = 200, WARM_UP = 300, LONG_RUN = 1500, IS_SANITIZED = 1 };
#else
enum { AT_ONCE = 2000, WARM_UP = 1000, LONG_RUN = 9000, IS_SANITIZED = 0 };
#endif

enum { WORKERS = 2, BOOT_AND_RUN_MS = 5000 };

/* The simulator has no limit, and Replicate's would be what these tests measure. */
#define FAST_POLLS "  polls_per_minute: 1000000\n  creates_per_minute: 1000000\n"

static struct bridge bridge;
static long threads_under_load;

static void tear_down(void)
{
    bridge_stop(&bridge);
}

static void look_at_threads(void *arg)
{
    (void)arg;
    ck_assert(replicate_sim_wait_created(bridge.sim, AT_ONCE / 2, 6 * daemon_patience_ms()));
    threads_under_load = daemon_threads(bridge.daemon);
}

static void expect_all_right(const struct http_load_result *result, size_t count)
{
    printf("%zu requests: median %lld ms, 99 %% within %lld ms, slowest %lld ms\n", count, (long long)result->median_ms,
           (long long)result->p99_ms, (long long)result->max_ms);
    ck_assert_msg(
        result->ok == count,
        "%zu of %zu are right; wrong nonce %zu, other status %zu (first %d), broken %zu, late %zu; such as: %s",
        result->ok, count, result->wrong_nonce, result->other_status, result->first_other_status, result->broken,
        result->late, result->example);
}

static void expect_nothing_left(size_t created)
{
    struct sim_counters counters;
    ck_assert_msg(replicate_sim_wait_idle(bridge.sim, daemon_patience_ms()), "predictions are left running");
    replicate_sim_counters(bridge.sim, &counters);
    ck_assert_uint_eq(counters.created, created);
    ck_assert_uint_eq(counters.succeeded, created);
    bridge_expect_metric(&bridge, "replibridge_predictions", 0);
    bridge_expect_metric(&bridge, "replibridge_transfers", 0);
}

static struct http_load_result send_load(size_t count, size_t in_flight, void (*all_sent)(void *))
{
    char *body = bridge_chat_body("writer", "@NONCE@", "");
    struct http_load_result result;
    bool ran = http_load_run(&(struct http_load){.port = bridge.port,
                                                 .count = count,
                                                 .in_flight = in_flight,
                                                 .path = "/v1/chat/completions",
                                                 .body = body,
                                                 .keep_alive = true,
                                                 .timeout_ms = 12 * daemon_patience_ms(),
                                                 .all_sent = all_sent},
                             &result);
    free(body);
    ck_assert_msg(ran, "the test may not open enough descriptors");
    return result;
}

START_TEST(slow_predictions_of_many_clients_share_two_workers)
{
    const struct sim_plan plan = {
        .model = BRIDGE_MODEL, .official = true, .boot_ms = BOOT_AND_RUN_MS - 1000, .run_ms = 1000};
    bridge_start(&bridge, &plan, FAST_POLLS "timeout: 10m\n");
    struct http_load_result result = send_load(AT_ONCE, 0, look_at_threads);
    expect_all_right(&result, AT_ONCE);
    expect_nothing_left(AT_ONCE);
    /* A sanitizer has a thread of its own. */
    ck_assert_msg(threads_under_load <= WORKERS + 2 + IS_SANITIZED, "%ld threads", threads_under_load);
}
END_TEST

START_TEST(memory_after_many_requests_is_what_it_was_after_a_few)
{
    bridge_start(&bridge, NULL, FAST_POLLS);
    struct http_load_result result = send_load(WARM_UP, 200, NULL);
    expect_all_right(&result, WARM_UP);
    long before_kib = daemon_rss_kib(bridge.daemon);
    result = send_load(LONG_RUN, 200, NULL);
    expect_all_right(&result, LONG_RUN);
    long after_kib = daemon_rss_kib(bridge.daemon);
    printf("resident: %ld KiB after %d requests, %ld KiB after %d\n", before_kib, WARM_UP, after_kib,
           WARM_UP + LONG_RUN);
    expect_nothing_left(WARM_UP + LONG_RUN);
    /* A sanitizer keeps freed memory for a while, to find its use. */
    if (!IS_SANITIZED)
        ck_assert_msg(after_kib < before_kib * 3 / 2 + 4096, "it grew from %ld to %ld KiB", before_kib, after_kib);
}
END_TEST

START_TEST(clients_beyond_the_limit_are_told_so_and_the_rest_is_served)
{
    const struct sim_plan plan = {.model = BRIDGE_MODEL, .official = true, .boot_ms = 500};
    bridge_start(&bridge, &plan, FAST_POLLS "max_in_flight: 10\n");
    struct http_load_result result = send_load(60, 0, NULL);
    ck_assert_uint_eq(result.answered, 60);
    ck_assert_uint_eq(result.ok + result.other_status, 60);
    ck_assert_uint_ge(result.ok, 10);
    ck_assert_uint_ge(result.other_status, 1);
    ck_assert_int_eq(result.first_other_status, 503);
    ck_assert_msg(strstr(result.example, "overloaded") != NULL, "%s", result.example);
    expect_nothing_left(result.ok);
}
END_TEST

static Suite *load_suite(void)
{
    Suite *suite = suite_create("load");
    TCase *tcase = tcase_create("many at once");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 150);
    tcase_add_test(tcase, slow_predictions_of_many_clients_share_two_workers);
    tcase_add_test(tcase, memory_after_many_requests_is_what_it_was_after_a_few);
    tcase_add_test(tcase, clients_beyond_the_limit_are_told_so_and_the_rest_is_served);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(load_suite());
}
