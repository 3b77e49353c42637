/* BerriAI/litellm#16801 in real time: its configuration unchanged, its curl command, and a model that boots for six
 * seconds. Longer boots are in test_issue_slow.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "check_main.h"
#include "issue.h"

static struct replicate_sim *sim;
static struct daemon *daemon_of_test;

static void set_up(void)
{
    sim = replicate_sim_start(NULL);
}

static void tear_down(void)
{
    char daemon_report[8192], sim_report[SIM_REPORT_BYTES];
    bool daemon_is_fine = daemon_stop(&daemon_of_test, daemon_report, sizeof daemon_report);
    bool sim_is_fine = replicate_sim_stop(&sim, sim_report, sizeof sim_report);
    ck_assert_msg(daemon_is_fine, "the program: %s", daemon_report);
    ck_assert_msg(sim_is_fine, "the simulated Replicate: %s", sim_report);
}

static void start(int64_t boot_ms)
{
    replicate_sim_plan(sim, &(struct sim_plan){.model = ISSUE_MODEL, .official = true, .boot_ms = boot_ms});
    char *config = issue_config();
    daemon_of_test = issue_start(sim, config);
    free(config);
}

static void expect_completion(const struct curl_answer *answer)
{
    struct error err = {0};
    ck_assert_int_eq(answer->exit_code, 0);
    ck_assert_msg(answer->status == 200, "curl printed: %s", answer->text);
    json_t *body = json_parse(answer->body, strlen(answer->body), &err);
    ck_assert_pstr_eq(json_text(body, "object"), "chat.completion");
    ck_assert_pstr_eq(json_text(body, "model"), "kimi-k2");
    const json_t *message = json_object_get(json_array_get(json_object_get(body, "choices"), 0), "message");
    ck_assert_ptr_nonnull(strstr(json_text(message, "content"), ISSUE_PROMPT));
    json_decref(body);
}

START_TEST(a_model_that_boots_for_six_seconds_answers)
{
    struct curl_answer answer;
    start(6000);
    struct curl_run *curl = curl_begin(daemon_of_test);
    curl_finish(&curl, &answer);
    expect_completion(&answer);
    ck_assert_msg(answer.took_ms >= 6000 && answer.took_ms < 6000 + 5000, "it took %lld ms", (long long)answer.took_ms);
    free(answer.text);
}
END_TEST

/* LiteLLM passes this key on into the input, where a strict model refuses it. */
START_TEST(the_odd_key_of_the_file_is_named_and_not_sent)
{
    struct curl_answer answer;
    start(0);
    struct curl_run *curl = curl_begin(daemon_of_test);
    curl_finish(&curl, &answer);
    expect_completion(&answer);
    free(answer.text);
    const struct sim_request *create = replicate_sim_request(sim, SIM_CREATE, 0);
    ck_assert_str_eq(create->path, "/v1/models/" ISSUE_MODEL "/predictions");
    ck_assert_ptr_null(strstr(create->body, "replicate_deployment"));
    ck_assert_ptr_null(strstr(create->body, "num_retries"));
    char cancel_after[32];
    ck_assert(sim_request_header(create, "cancel-after", cancel_after, sizeof cancel_after));
    ck_assert_str_eq(cancel_after, "60s");
    ck_assert(daemon_log_contains(daemon_of_test, "replicate_deployment"));
}
END_TEST

START_TEST(an_interrupted_curl_has_its_prediction_cancelled)
{
    struct curl_answer answer;
    start(SIM_HOLD);
    struct curl_run *curl = curl_begin(daemon_of_test);
    ck_assert(replicate_sim_wait_created(sim, 1, daemon_patience_ms()));
    ck_assert(replicate_sim_wait_polls(sim, 1, daemon_patience_ms()));
    curl_interrupt(curl);
    ck_assert_msg(replicate_sim_wait_cancelled(sim, 1, daemon_patience_ms() / 10), "no cancel within a second");
    curl_finish(&curl, &answer);
    ck_assert_int_eq(answer.status, 0);
    free(answer.text);
}
END_TEST

static Suite *issue_suite(void)
{
    Suite *suite = suite_create("the issue");
    TCase *tcase = tcase_create("real time");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_model_that_boots_for_six_seconds_answers);
    tcase_add_test(tcase, the_odd_key_of_the_file_is_named_and_not_sent);
    tcase_add_test(tcase, an_interrupted_curl_has_its_prediction_cancelled);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(issue_suite());
}
