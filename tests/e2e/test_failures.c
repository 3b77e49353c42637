/* Predictions that fail: Replicate's free text decides what the client is told to do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "chat_case.h"
#include "check_main.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof *(table)))

static struct bridge bridge;

static void tear_down(void)
{
    chat_case_stop(&bridge);
}

enum kind { POLICY, TRANSIENT, FAILED };

static const struct chat_error kinds[] = {
    [POLICY] = {400, "invalid_request_error", "content_policy_violation", NULL, false, NULL},
    [TRANSIENT] = {503, "server_error", "upstream_transient_failure", NULL, true, NULL},
    [FAILED] = {422, "server_error", "prediction_failed", NULL, false, NULL},
};

static const struct {
    const char *text;
    enum kind kind;
} failures[] = {
    {"The input or output was flagged as sensitive. Please try again with different inputs. (E005)", POLICY},
    {"NSFW content detected. Try running it again, or try a different prompt.", POLICY},
    {"E005 (aBcDeFgHiJ)", POLICY},
    {"Service is currently unavailable due to high demand. Please try again later. (E003)", TRANSIENT},
    {"Service is temporarily unavailable. Please try again later. (E004)", TRANSIENT},
    {"Prediction failed for an unknown reason. It might have run out of memory? (E6716)", TRANSIENT},
    {"Prediction interrupted; please retry (code: PA)", TRANSIENT},
    {"Director: unexpected error handling prediction (E9828)", TRANSIENT},
    {"Something unexpected happened (E8367)", TRANSIENT},
    {"CUDA out of memory. Tried to allocate 2.00 GiB", FAILED},
    {"This word is not a code: SEE0051", FAILED},
    {"list index out of range", FAILED},
    {"The model failed its health checks (E8765)", FAILED},
    {"\xE6\xA8\xA1\xE5\x9E\x8B failed: \xF0\x9F\x92\xA5 \"quoted\" \\ and\ttabbed", FAILED},
};

START_TEST(the_text_of_a_failure_decides_what_it_is)
{
    const struct sim_plan plan = {
        .model = BRIDGE_MODEL, .official = true, .end_status = "failed", .error_text = failures[_i].text};
    struct http_response response = {0};
    bridge_start(&bridge, &plan, "");
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    struct chat_error expected = kinds[failures[_i].kind];
    struct sim_prediction_view view = chat_case_prediction(&bridge, 0);
    expected.says = view.id;
    chat_case_expect_error(&response, &expected);
    chat_case_expect_header(&response, "x-replicate-prediction-id", view.id);
    char *message = chat_case_message(&response);
    if (strchr(failures[_i].text, '\t') == NULL)
        ck_assert_msg(strstr(message, failures[_i].text) != NULL, "Replicate's text is not in: %s", message);
    free(message);
    ck_assert_uint_eq(chat_case_creates(&bridge), 1);
    http_response_dispose(&response);
}
END_TEST

static char *repeated(char letter, size_t length)
{
    char *text = xmalloc(length + 1);
    memset(text, letter, length);
    text[length] = '\0';
    return text;
}

START_TEST(a_long_text_of_replicates_is_cut)
{
    char *text = repeated('x', 3000);
    const struct sim_plan plan = {.model = BRIDGE_MODEL, .official = true, .end_status = "failed", .error_text = text};
    struct http_response response = {0};
    bridge_start(&bridge, &plan, "");
    free(text);
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_error(&response, &kinds[FAILED]);
    char *message = chat_case_message(&response);
    size_t shown = strspn(strstr(message, "xxx"), "x");
    ck_assert_msg(shown >= 400 && shown <= 500, "%zu bytes of it are shown", shown);
    free(message);
    http_response_dispose(&response);
}
END_TEST

START_TEST(secrets_in_a_text_of_replicates_are_masked)
{
    static const struct sim_plan plan = {.model = BRIDGE_MODEL,
                                         .official = true,
                                         .end_status = "failed",
                                         .error_text =
                                             "called with test-token, r8_abcdefghijklmnopqrstuvwxyz0123456789 "
                                             "and sk-abcdefghijklmnop, so it broke"};
    struct http_response response = {0};
    bridge_start(&bridge, &plan, "");
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_error(&response, &kinds[FAILED]);
    ck_assert_ptr_nonnull(strstr(response.body, "so it broke"));
    ck_assert_ptr_null(strstr(response.body, "abcdefgh"));
    http_response_dispose(&response);
}
END_TEST

static const char *const odd_errors[] = {
    "{\"code\":17,\"why\":\"because\"}", "[\"one\",\"two\"]", "17", "true", "null", "\"\"",
};

START_TEST(an_error_that_is_no_text_is_a_failure_all_the_same)
{
    const struct sim_plan plan = {
        .model = BRIDGE_MODEL, .official = true, .end_status = "failed", .error_json = odd_errors[_i]};
    struct http_response response = {0};
    bridge_start(&bridge, &plan, "");
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_error(&response, &kinds[FAILED]);
    http_response_dispose(&response);
}
END_TEST

/* ---- the deadline ---- */

static const struct {
    int64_t boot_ms, run_ms;
    const char *says;
} late[] = {{SIM_HOLD, 0, "starting"}, {0, SIM_HOLD, "processing"}};

START_TEST(at_the_deadline_the_client_is_told_which_key_to_raise_and_the_prediction_is_cancelled)
{
    const struct sim_plan plan = {
        .model = BRIDGE_MODEL, .official = true, .boot_ms = late[_i].boot_ms, .run_ms = late[_i].run_ms};
    static const struct chat_error timeout = {504, "server_error", "timeout", NULL, false, "raise timeout"};
    struct http_response response = {0};
    bridge_start(&bridge, &plan, "timeout: 700ms\n");
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_error(&response, &timeout);
    ck_assert_msg(response.complete_ms >= 690 && response.complete_ms < 2000, "it took %lld ms",
                  (long long)response.complete_ms);
    struct sim_prediction_view view = chat_case_prediction(&bridge, 0);
    char *message = chat_case_message(&response);
    ck_assert_msg(strstr(message, view.id) != NULL, "the id is not in: %s", message);
    ck_assert_msg(strstr(message, late[_i].says) != NULL, "\"%s\" is not in: %s", late[_i].says, message);
    free(message);
    chat_case_expect_header(&response, "x-replicate-prediction-id", view.id);
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 1, daemon_patience_ms()));
    http_response_dispose(&response);
}
END_TEST

START_TEST(the_alias_own_deadline_goes_before_the_general_one)
{
    static const struct chat_error timeout = {504,  "server_error", "timeout",
                                              NULL, false,          "raise timeout under models.quick"};
    struct http_response response = {0};
    bridge_start_sim(&bridge);
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = BRIDGE_MODEL, .official = true, .boot_ms = SIM_HOLD});
    chat_case_start(&bridge, "replicate: {base_url: \"@SIM@\", token: test-token}\n"
                             "timeout: 5m\n"
                             "models: {quick: {model: acme/writer, timeout: 500ms}}\n");
    chat_case_run(&bridge, &(struct chat_case){.model = "quick"}, &response);
    chat_case_expect_error(&response, &timeout);
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 1, daemon_patience_ms()));
    http_response_dispose(&response);
}
END_TEST

static Suite *failures_suite(void)
{
    Suite *suite = suite_create("failures");
    TCase *tcase = tcase_create("texts");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 30);
    tcase_add_loop_test(tcase, the_text_of_a_failure_decides_what_it_is, 0, LENGTH(failures));
    tcase_add_test(tcase, a_long_text_of_replicates_is_cut);
    tcase_add_test(tcase, secrets_in_a_text_of_replicates_are_masked);
    tcase_add_loop_test(tcase, an_error_that_is_no_text_is_a_failure_all_the_same, 0, LENGTH(odd_errors));
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("the deadline");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 30);
    tcase_add_loop_test(tcase, at_the_deadline_the_client_is_told_which_key_to_raise_and_the_prediction_is_cancelled, 0,
                        LENGTH(late));
    tcase_add_test(tcase, the_alias_own_deadline_goes_before_the_general_one);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(failures_suite());
}
