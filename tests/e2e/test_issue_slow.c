/* BerriAI/litellm#16801 with boots of 20 and 70 seconds in real time, all at once, because no clock of the program's
 * can be turned. CK_EXCLUDE_TAGS=slow leaves this out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "check_main.h"
#include "issue.h"

static struct replicate_sim *sim;
static struct daemon *as_reported, *with_more_time;

static void set_up(void)
{
    sim = replicate_sim_start(NULL);
}

static void stop_one(struct daemon **daemon)
{
    char report[8192];
    bool is_fine = daemon_stop(daemon, report, sizeof report);
    ck_assert_msg(is_fine, "the program: %s", report);
}

static void tear_down(void)
{
    char report[SIM_REPORT_BYTES];
    stop_one(&as_reported);
    stop_one(&with_more_time);
    bool is_fine = replicate_sim_stop(&sim, report, sizeof report);
    ck_assert_msg(is_fine, "the simulated Replicate: %s", report);
}

/* Predictions keep the plan they began with, so the next one may boot for another time. */
static struct curl_run *ask(const struct daemon *daemon, size_t index, int64_t boot_ms)
{
    replicate_sim_plan(sim, &(struct sim_plan){.model = ISSUE_MODEL, .official = true, .boot_ms = boot_ms});
    struct curl_run *run = curl_begin(daemon);
    ck_assert(replicate_sim_wait_created(sim, index + 1, daemon_patience_ms()));
    return run;
}

static void expect_completion(struct curl_run **run, int64_t boot_ms)
{
    struct curl_answer answer;
    curl_finish(run, &answer);
    ck_assert_msg(answer.exit_code == 0 && answer.status == 200, "curl printed: %s", answer.text);
    ck_assert_ptr_nonnull(strstr(answer.body, ISSUE_PROMPT));
    ck_assert_msg(answer.took_ms >= boot_ms && answer.took_ms < boot_ms + 5000, "a boot of %lld ms took %lld ms",
                  (long long)boot_ms, (long long)answer.took_ms);
    free(answer.text);
}

/* The 504 says what to raise, and that nothing goes on behind the client's back. */
static void expect_timeout(struct curl_run **run, size_t index)
{
    struct curl_answer answer;
    struct error err = {0};
    struct sim_prediction_view view;
    curl_finish(run, &answer);
    ck_assert_msg(answer.exit_code == 0 && answer.status == 504, "curl printed: %s", answer.text);
    ck_assert_msg(answer.took_ms >= 59900 && answer.took_ms < 63000, "it took %lld ms", (long long)answer.took_ms);
    json_t *body = json_parse(answer.body, strlen(answer.body), &err);
    const char *message = json_text(json_object_get(body, "error"), "message");
    ck_assert_pstr_eq(json_text(json_object_get(body, "error"), "code"), "timeout");
    ck_assert_msg(message != NULL && strstr(message, "60 s") != NULL && strstr(message, "timeout") != NULL &&
                      strstr(message, "kimi-k2") != NULL,
                  "it does not name the key to raise: %s", message);
    /* Replicate's own end of the prediction is due a moment after ours, so it may have won. */
    ck_assert(replicate_sim_wait_cancel_calls(sim, 1, daemon_patience_ms()));
    ck_assert(replicate_sim_prediction(sim, index, &view));
    ck_assert_msg(view.ended && (view.cancelled || view.aborted), "the prediction is %s", view.status);
    ck_assert_uint_eq(view.cancel_calls, 1);
    ck_assert_ptr_nonnull(strstr(message, view.id));
    json_decref(body);
    free(answer.text);
}

START_TEST(slow_boots_are_waited_for_as_long_as_the_file_allows)
{
    char *config = issue_config(), *longer = issue_config_with_timeout(120);
    as_reported = issue_start(sim, config);
    with_more_time = issue_start(sim, longer);
    free(config);
    free(longer);
    replicate_sim_expect(sim, SIM_EXPECT_DEADLINE, 1);
    struct curl_run *twenty = ask(as_reported, 0, 20000);
    struct curl_run *too_long = ask(as_reported, 1, 70000);
    struct curl_run *allowed = ask(with_more_time, 2, 70000);
    expect_completion(&twenty, 20000);
    expect_timeout(&too_long, 1);
    expect_completion(&allowed, 70000);
    struct sim_counters counters;
    replicate_sim_counters(sim, &counters);
    ck_assert_uint_eq(counters.create_calls, 3);
}
END_TEST

static Suite *issue_slow_suite(void)
{
    Suite *suite = suite_create("the issue, slow");
    TCase *tcase = tcase_create("slow");
    tcase_set_tags(tcase, "slow");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, slow_boots_are_waited_for_as_long_as_the_file_allows);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(issue_slow_suite());
}
