/* Requests whose model fails: another deployment or alias answers them, and nothing is paid for twice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "chat_case.h"
#include "chat_stream.h"
#include "check_main.h"
#include "stream_client.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof *(table)))

#define REPLICATE "replicate: {base_url: \"@SIM@\", token: test-token}\nworkers: 2\n"
#define FALLBACK                                                                                                       \
    REPLICATE "models:\n  writer: {model: acme/writer, fallbacks: [helper]}\n  helper: {model: acme/helper}\n"

static struct bridge bridge;
static struct http_response answer;
static struct stream_client client;

static const struct sim_plan overloaded = {.model = "acme/writer",
                                           .official = true,
                                           .end_status = "failed",
                                           .error_text = "The service is in high demand. (E003)"};
static const struct sim_plan helper = {.model = "acme/helper", .official = true};

static void start(const struct sim_plan *writer, const char *config)
{
    bridge_start_sim(&bridge);
    replicate_sim_plan(bridge.sim, writer);
    replicate_sim_plan(bridge.sim, &helper);
    chat_case_start(&bridge, config);
}

static void tear_down(void)
{
    stream_dispose(&client);
    http_response_dispose(&answer);
    chat_case_stop(&bridge);
}

/* Sends it, and reads into `answer`. */
static void ask(const char *more, const char *headers)
{
    http_response_dispose(&answer);
    answer = (struct http_response){0};
    chat_case_run(&bridge, &(struct chat_case){.more = more, .headers = headers}, &answer);
}

static void expect_model(const char *alias)
{
    json_t *json = bridge_json(&answer);
    ck_assert_pstr_eq(json_text(json, "model"), alias);
    json_decref(json);
}

static size_t creates_of(const char *model)
{
    struct sim_prediction_view view;
    size_t count = 0;
    for (size_t i = 0; replicate_sim_prediction(bridge.sim, i, &view); i++)
        count += strcmp(view.model, model) == 0;
    return count;
}

static void expect_creates(size_t of_writer, size_t of_helper)
{
    ck_assert_uint_eq(creates_of("acme/writer"), of_writer);
    ck_assert_uint_eq(creates_of("acme/helper"), of_helper);
}

START_TEST(a_passing_failure_is_answered_by_the_fallback)
{
    char ids[128];
    start(&overloaded, FALLBACK);
    ask("", NULL);
    chat_case_expect_text(&answer, "~" CHAT_CASE_PROMPT);
    chat_case_expect_header(&answer, "x-replibridge-model", "helper");
    expect_model("helper");
    ck_assert(http_answer_header(&answer, "x-replicate-prediction-id", ids, sizeof ids));
    struct sim_prediction_view last = chat_case_prediction(&bridge, 1);
    ck_assert_str_eq(ids, last.id);
    expect_creates(1, 1);
    bridge_expect_metric(&bridge, "replibridge_fallbacks_total{alias=\"writer\"}", 1);
}
END_TEST

START_TEST(what_was_aborted_is_answered_by_the_fallback_while_there_is_time)
{
    start(&(struct sim_plan){.model = "acme/writer", .official = true, .end_status = "aborted"}, FALLBACK);
    ask("", NULL);
    chat_case_expect_text(&answer, "~" CHAT_CASE_PROMPT);
    expect_model("helper");
    expect_creates(1, 1);
}
END_TEST

START_TEST(a_throttle_that_outlasts_the_request_is_answered_by_the_fallback)
{
    const struct sim_fault_spec throttle = {
        .fault = SIM_FAULT_STATUS, .count = SIM_FOREVER, .model = "acme/writer", .status = 429, .retry_after_s = 3600};
    bridge.sim = replicate_sim_start(&(struct replicate_sim_options){.accept_any_token = true});
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = "acme/writer", .official = true});
    replicate_sim_plan(bridge.sim, &helper);
    replicate_sim_fault(bridge.sim, SIM_CREATE, &throttle);
    /* A token of its own: else both would wait for the same budget. */
    chat_case_start(&bridge, "replicate: {base_url: \"@SIM@\", token: test-token}\nmodels:\n"
                             "  writer: {model: acme/writer, fallbacks: [helper], token: other-token}\n"
                             "  helper: {model: acme/helper}\n");
    ask("", NULL);
    chat_case_expect_text(&answer, "~" CHAT_CASE_PROMPT);
    expect_model("helper");
    expect_creates(0, 1);
}
END_TEST

START_TEST(a_create_that_may_have_been_paid_for_is_not_made_again_elsewhere)
{
    start(&(struct sim_plan){.model = "acme/writer", .official = true}, FALLBACK);
    replicate_sim_fault(bridge.sim, SIM_CREATE,
                        &(struct sim_fault_spec){.fault = SIM_FAULT_STATUS, .model = "acme/writer", .status = 503});
    ask("", NULL);
    chat_case_expect_error(&answer, &(struct chat_error){502, "server_error", "upstream_error", NULL, false, NULL});
    expect_creates(0, 0);
}
END_TEST

START_TEST(a_refused_content_goes_to_its_own_fallbacks_and_nothing_else_does)
{
    static const struct sim_plan refuses = {.model = "acme/writer",
                                            .official = true,
                                            .end_status = "failed",
                                            .error_text = "The input or output was flagged as sensitive. (E005)"};
    bool has_own = _i == 1;
    start(&refuses,
          has_own ? REPLICATE
              "models:\n  writer: {model: acme/writer, content_policy_fallbacks: [helper]}\n  helper: acme/helper\n"
                  : FALLBACK);
    ask("", NULL);
    if (has_own)
        expect_model("helper");
    else
        chat_case_expect_error(&answer, &(struct chat_error){400, "invalid_request_error", "content_policy_violation",
                                                             NULL, false, "safety filter"});
    expect_creates(1, has_own ? 1 : 0);
}
END_TEST

START_TEST(several_choices_go_on_together)
{
    start(&overloaded, FALLBACK);
    ask(",\"n\":2", NULL);
    chat_case_expect_text(&answer, "~" CHAT_CASE_PROMPT);
    expect_model("helper");
    ck_assert_uint_eq(creates_of("acme/helper"), 2);
}
END_TEST

START_TEST(a_fallback_that_the_key_may_not_use_is_not_used)
{
    start(&overloaded, FALLBACK "keys:\n  - {name: alice, key: test-key, models: [writer]}\n");
    ask("", "Authorization: Bearer test-key\r\n");
    chat_case_expect_error(
        &answer, &(struct chat_error){503, "server_error", "upstream_transient_failure", NULL, true, "high demand"});
    expect_creates(1, 0);
}
END_TEST

START_TEST(when_all_fail_the_first_error_is_told)
{
    start(&overloaded, FALLBACK);
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = "acme/helper",
                                                      .official = true,
                                                      .end_status = "failed",
                                                      .error_text = "Prediction interrupted; please retry (code: PA)"});
    ask("", NULL);
    chat_case_expect_error(&answer, &(struct chat_error){503, "server_error", "upstream_transient_failure", NULL, true,
                                                         "Another deployment or fallback failed, too."});
    char *message = chat_case_message(&answer);
    ck_assert_ptr_nonnull(strstr(message, "E003"));
    free(message);
    expect_creates(1, 1);
}
END_TEST

START_TEST(what_fails_again_and_again_is_diverted_from_without_a_create)
{
    start(&overloaded, FALLBACK "allowed_fails: 1\ncooldown_time: 10m\n");
    for (int i = 0; i < 5; i++) {
        ask("", NULL);
        expect_model("helper");
    }
    expect_creates(2, 5);
    ck_assert_int_eq(daemon_log_count(bridge.daemon, "deployment_cools_down"), 1);
}
END_TEST

START_TEST(a_group_shares_its_requests_by_weight)
{
    start(&(struct sim_plan){.model = "acme/writer", .official = true}, REPLICATE
          "models:\n  writer:\n    - {model: acme/writer, weight: 3}\n    - {model: acme/helper, weight: 1}\n");
    for (int i = 0; i < 100; i++) {
        ask("", NULL);
        ck_assert_int_eq(answer.status, 200);
        expect_model("writer");
        chat_case_expect_header(&answer, "x-replibridge-model", NULL);
    }
    expect_creates(75, 25);
}
END_TEST

START_TEST(a_group_goes_on_to_its_other_deployment)
{
    start(&overloaded, REPLICATE
          "models:\n  writer:\n    - {model: acme/writer, weight: 1}\n    - {model: acme/helper, weight: 0}\n");
    ask("", NULL);
    chat_case_expect_text(&answer, "~" CHAT_CASE_PROMPT);
    expect_model("writer");
    expect_creates(1, 1);
}
END_TEST

START_TEST(an_alias_over_its_own_rate_hands_over_to_its_fallback)
{
    start(&(struct sim_plan){.model = "acme/writer", .official = true},
          REPLICATE "models:\n  writer: {model: acme/writer, rpm: 1, fallbacks: [helper]}\n  helper: acme/helper\n");
    ask("", NULL);
    expect_model("writer");
    ask("", NULL);
    expect_model("helper");
    expect_creates(1, 1);
}
END_TEST

START_TEST(a_stream_of_comments_goes_on_and_names_who_speaks)
{
    start(&(struct sim_plan){.model = "acme/writer",
                             .official = true,
                             .boot_ms = SIM_HOLD,
                             .end_status = "failed",
                             .error_text = "The service is in high demand. (E003)"},
          FALLBACK "keepalive: 1s\n");
    chat_stream_begin(&bridge, &(struct chat_case){.more = ""}, &client);
    ck_assert(stream_read_until(&client, ": starting", daemon_patience_ms()));
    replicate_sim_advance(bridge.sim, 0);
    replicate_sim_advance(bridge.sim, 0);
    ck_assert(stream_read_until(&client, "\"model\":\"helper\"", daemon_patience_ms()));
    chat_stream_finish(&client);
    expect_creates(1, 1);
}
END_TEST

START_TEST(a_stream_that_has_spoken_ends_with_its_own_error)
{
    static const char *const pieces[] = {"Hello", " again"};
    start(&(struct sim_plan){.model = "acme/writer",
                             .official = true,
                             .pieces = pieces,
                             .piece_count = LENGTH(pieces),
                             .piece_ms = 50,
                             .end_status = "failed",
                             .error_text = "The service is in high demand. (E003)",
                             .stream.offered = true},
          FALLBACK);
    chat_stream_begin(&bridge, &(struct chat_case){.more = ""}, &client);
    ck_assert(stream_read_until(&client, "upstream_transient_failure", daemon_patience_ms()));
    expect_creates(1, 0);
}
END_TEST

/* The first try falls back while its retry waits: two predictions in all, and one answer for both. */
START_TEST(a_retry_goes_on_with_its_first_try)
{
    struct http_response first = {0}, second = {0};
    char ids[2][64];
    struct sim_plan held = overloaded, slow = helper;
    held.boot_ms = slow.boot_ms = SIM_HOLD;
    start(&held, FALLBACK);
    replicate_sim_plan(bridge.sim, &slow);
    struct http_connection *tries[2];
    tries[0] = chat_case_begin(&bridge, &(struct chat_case){.headers = "x-stainless-retry-count: 0\r\n"});
    ck_assert(replicate_sim_wait_created(bridge.sim, 1, daemon_patience_ms()));
    tries[1] = chat_case_begin(&bridge, &(struct chat_case){.headers = "x-stainless-retry-count: 1\r\n"});
    bridge_expect_metric(&bridge, "replibridge_retries_joined_total", 1);
    for (int phase = 0; phase < 2; phase++)
        replicate_sim_advance(bridge.sim, 0);
    ck_assert(replicate_sim_wait_created(bridge.sim, 2, daemon_patience_ms()));
    bridge_expect_metric(&bridge, "replibridge_retries_joined_total", 2);
    for (int phase = 0; phase < 2; phase++)
        replicate_sim_advance(bridge.sim, 1);
    chat_case_finish(&tries[0], &first);
    chat_case_finish(&tries[1], &second);
    chat_case_expect_text(&first, "~" CHAT_CASE_PROMPT);
    chat_case_expect_text(&second, "~" CHAT_CASE_PROMPT);
    chat_case_expect_header(&second, "x-replibridge-model", "helper");
    ck_assert(http_answer_header(&first, "x-replicate-prediction-id", ids[0], sizeof ids[0]));
    ck_assert(http_answer_header(&second, "x-replicate-prediction-id", ids[1], sizeof ids[1]));
    ck_assert_str_eq(ids[0], ids[1]);
    expect_creates(1, 1);
    http_response_dispose(&first);
    http_response_dispose(&second);
}
END_TEST

/* On two workers, each sees the failure in its own time; whoever does so first goes on for all. */
START_TEST(many_retries_go_on_together_and_pay_once)
{
    struct http_connection *tries[16];
    struct sim_plan held = overloaded, slow = helper;
    held.boot_ms = slow.boot_ms = SIM_HOLD;
    start(&held, FALLBACK);
    replicate_sim_plan(bridge.sim, &slow);
    for (int i = 0; i < LENGTH(tries); i++) {
        tries[i] = chat_case_begin(&bridge, &(struct chat_case){.headers = i == 0 ? "x-stainless-retry-count: 0\r\n"
                                                                                  : "x-stainless-retry-count: 1\r\n"});
        ck_assert(replicate_sim_wait_created(bridge.sim, 1, daemon_patience_ms()));
    }
    bridge_expect_metric(&bridge, "replibridge_retries_joined_total", LENGTH(tries) - 1);
    for (int phase = 0; phase < 2; phase++)
        replicate_sim_advance(bridge.sim, 0);
    bridge_expect_metric(&bridge, "replibridge_retries_joined_total", 2 * (LENGTH(tries) - 1));
    for (int phase = 0; phase < 2; phase++)
        replicate_sim_advance(bridge.sim, 1);
    for (int i = 0; i < LENGTH(tries); i++) {
        struct http_response one = {0};
        chat_case_finish(&tries[i], &one);
        chat_case_expect_text(&one, "~" CHAT_CASE_PROMPT);
        chat_case_expect_header(&one, "x-replibridge-model", "helper");
        http_response_dispose(&one);
    }
    expect_creates(1, 1);
}
END_TEST

static Suite *fallbacks_suite(void)
{
    Suite *suite = suite_create("fallbacks");
    TCase *tcase = tcase_create("fallbacks");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_add_test(tcase, a_passing_failure_is_answered_by_the_fallback);
    tcase_add_test(tcase, what_was_aborted_is_answered_by_the_fallback_while_there_is_time);
    tcase_add_test(tcase, a_throttle_that_outlasts_the_request_is_answered_by_the_fallback);
    tcase_add_test(tcase, a_create_that_may_have_been_paid_for_is_not_made_again_elsewhere);
    tcase_add_loop_test(tcase, a_refused_content_goes_to_its_own_fallbacks_and_nothing_else_does, 0, 2);
    tcase_add_test(tcase, several_choices_go_on_together);
    tcase_add_test(tcase, a_fallback_that_the_key_may_not_use_is_not_used);
    tcase_add_test(tcase, when_all_fail_the_first_error_is_told);
    tcase_add_test(tcase, what_fails_again_and_again_is_diverted_from_without_a_create);
    tcase_add_test(tcase, a_group_shares_its_requests_by_weight);
    tcase_add_test(tcase, a_group_goes_on_to_its_other_deployment);
    tcase_add_test(tcase, an_alias_over_its_own_rate_hands_over_to_its_fallback);
    tcase_add_test(tcase, a_stream_of_comments_goes_on_and_names_who_speaks);
    tcase_add_test(tcase, a_stream_that_has_spoken_ends_with_its_own_error);
    tcase_add_test(tcase, a_retry_goes_on_with_its_first_try);
    tcase_add_test(tcase, many_retries_go_on_together_and_pay_once);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(fallbacks_suite());
}
