/* Replicate's limits, enforced: however many requests come at once, what it allows is used up and hardly exceeded. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chat_case.h"
#include "check_main.h"

enum { CREATES = 5, WAITING = 200 };

static struct bridge bridge;

static void tear_down(void)
{
    chat_case_stop(&bridge);
}

static void send_at_once(size_t count)
{
    char *body = bridge_chat_body("writer", CHAT_CASE_PROMPT " @NONCE@", "");
    struct http_load_result result;
    bool ran = http_load_run(&(struct http_load){.port = bridge.port,
                                                 .count = count,
                                                 .path = "/v1/chat/completions",
                                                 .body = body,
                                                 .timeout_ms = 6 * daemon_patience_ms()},
                             &result);
    free(body);
    ck_assert(ran);
    ck_assert_msg(result.ok == count, "%zu of %zu are right; other status %zu (first %d), late %zu; such as: %s",
                  result.ok, count, result.other_status, result.first_other_status, result.late, result.example);
}

static struct sim_counters counters(void)
{
    struct sim_counters counters;
    replicate_sim_counters(bridge.sim, &counters);
    return counters;
}

/* ---- creates ---- */

static const struct replicate_sim_options few_creates[] = {
    {.creates_per_minute = 40, .create_burst = 1, .rejected_calls_count = true},
    {.creates_per_minute = 40,
     .create_burst = 1,
     .rejected_calls_count = true,
     .rate_headers_on_429 = true,
     .retry_after_header = true,
     .no_retry_after_in_body = true},
};

START_TEST(an_account_with_few_creates_a_minute_is_not_hammered)
{
    static const struct sim_plan quick = {.model = BRIDGE_MODEL, .official = true};
    chat_case_start_with(&bridge, &few_creates[_i], &quick, "  prefer_wait: 0\n");
    send_at_once(CREATES);
    ck_assert_uint_eq(counters().created, CREATES);
    ck_assert_msg(counters().throttled <= 2, "%zu creates were refused", counters().throttled);
}
END_TEST

/* It takes longer than the request may. */
START_TEST(who_cannot_be_created_in_time_is_told_when_to_come_again)
{
    static const struct chat_error throttled = {429, "rate_limit_error", "rate_limit_exceeded", NULL, true, NULL};
    static const struct replicate_sim_options one_a_minute = {
        .creates_per_minute = 1, .create_burst = 1, .no_rate_headers = true};
    static const struct sim_plan quick = {.model = BRIDGE_MODEL, .official = true};
    struct http_response response = {0};
    chat_case_start_with(&bridge, &one_a_minute, &quick, "  prefer_wait: 0\ntimeout: 20s\n");
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    ck_assert_int_eq(response.status, 200);
    for (int i = 0; i < 3; i++) {
        chat_case_run(&bridge, &(struct chat_case){0}, &response);
        chat_case_expect_error(&response, &throttled);
        chat_case_expect_retry_after(&response, 30000, 240000);
    }
    /* Only the first of them had to ask to know. */
    ck_assert_uint_eq(counters().throttled, 1);
    http_response_dispose(&response);
}
END_TEST

/* ---- polls ---- */

static const struct {
    const char *config;
    size_t refused_at_most;
} paces[] = {
    {"  prefer_wait: 0\n  polls_per_minute: 2200\n", 0},
    {"  prefer_wait: 0\n", 20}, /* more than there may be, which the answers tell */
};

START_TEST(the_polls_of_many_stay_within_what_is_allowed)
{
    static const struct replicate_sim_options few_calls = {.calls_per_minute = 2400, .call_burst = 40};
    static const struct sim_plan slow = {.model = BRIDGE_MODEL, .official = true, .boot_ms = 1000, .run_ms = 2000};
    chat_case_start_with(&bridge, &few_calls, &slow, paces[_i].config);
    send_at_once(WAITING);
    ck_assert_uint_eq(counters().succeeded, WAITING);
    ck_assert_uint_ge(counters().polls, WAITING);
    ck_assert_msg(counters().throttled <= paces[_i].refused_at_most, "%zu of %zu polls were refused",
                  counters().throttled, counters().polls);
}
END_TEST

static Suite *budget_suite(void)
{
    Suite *suite = suite_create("budget");
    TCase *tcase = tcase_create("budget");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, an_account_with_few_creates_a_minute_is_not_hammered, 0, 2);
    tcase_add_test(tcase, who_cannot_be_created_in_time_is_told_when_to_come_again);
    tcase_add_loop_test(tcase, the_polls_of_many_stay_within_what_is_allowed, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(budget_suite());
}
