/* Clients that hang up: their predictions are cancelled within a second in every phase, unless they may come back. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "chat_case.h"
#include "check_main.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof *(table)))

enum { NOTICED_WITHIN_MS = 1000 };

static struct bridge bridge;
static struct http_connection *client;

static const struct sim_plan held = {.model = BRIDGE_MODEL, .official = true, .boot_ms = SIM_HOLD};

static void tear_down(void)
{
    http_close(&client);
    chat_case_stop(&bridge);
}

/* A sanitizer slows everything down tenfold. */
static int64_t within_ms(void)
{
    return daemon_patience_ms() > 50000 ? 10 * NOTICED_WITHIN_MS : NOTICED_WITHIN_MS;
}

static void begin(const char *headers)
{
    client = chat_case_begin(&bridge, &(struct chat_case){.headers = headers});
    ck_assert_msg(replicate_sim_wait_created(bridge.sim, 1, daemon_patience_ms()), "no prediction was created");
}

/* ---- ways to go ---- */

static void go_by_closing(void)
{
    http_close(&client);
}

static void go_by_reset(void)
{
    http_reset(&client);
}

/* Whoever can send no more is gone, as far as anybody can tell: HTTP clients do not half-close. */
static void go_by_half_closing(void)
{
    ck_assert(http_half_close(client));
}

static void (*const goodbyes[])(void) = {go_by_closing, go_by_reset, go_by_half_closing};

enum { GOODBYES = sizeof goodbyes / sizeof *goodbyes };

static void expect_cancel_in_time(void)
{
    int64_t began_ms = clock_now_ms();
    ck_assert_msg(replicate_sim_wait_cancel_calls(bridge.sim, 1, within_ms()), "no cancel within a second");
    ck_assert_int_le(clock_now_ms() - began_ms, within_ms());
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 1, daemon_patience_ms()));
    bridge_expect_metric(&bridge, "replibridge_predictions", 0);
}

/* ---- phases ---- */

START_TEST(who_hangs_up_between_two_polls_is_noticed)
{
    bridge_start(&bridge, &held, "");
    begin(NULL);
    ck_assert(replicate_sim_wait_polls(bridge.sim, 1, daemon_patience_ms()));
    goodbyes[_i]();
    expect_cancel_in_time();
    ck_assert(daemon_log_wait(bridge.daemon, "client_gone", daemon_patience_ms()));
}
END_TEST

START_TEST(who_hangs_up_during_a_poll_is_noticed)
{
    bridge_start(&bridge, &held, "");
    replicate_sim_fault(bridge.sim, SIM_GET,
                        &(struct sim_fault_spec){.fault = SIM_FAULT_SLOW, .delay_ms = 5000, .count = SIM_FOREVER});
    begin(NULL);
    ck_assert(replicate_sim_wait_polls(bridge.sim, 1, daemon_patience_ms()));
    goodbyes[_i]();
    expect_cancel_in_time();
}
END_TEST

START_TEST(who_hangs_up_while_the_model_runs_is_noticed)
{
    static const struct sim_plan runs = {.model = BRIDGE_MODEL, .official = true, .run_ms = SIM_HOLD};
    bridge_start(&bridge, &runs, "");
    begin(NULL);
    ck_assert(replicate_sim_wait_polls(bridge.sim, 1, daemon_patience_ms()));
    goodbyes[_i]();
    expect_cancel_in_time();
}
END_TEST

/* The id is not known before the answer, so the cancel follows the answer. */
START_TEST(who_hangs_up_during_the_create_is_noticed_and_the_cancel_follows_the_id)
{
    enum { CREATE_MS = 500 };
    bridge_start(&bridge, &held, "");
    replicate_sim_fault(bridge.sim, SIM_CREATE,
                        &(struct sim_fault_spec){.fault = SIM_FAULT_SLOW, .delay_ms = CREATE_MS});
    begin(NULL);
    goodbyes[_i]();
    ck_assert_msg(replicate_sim_wait_cancelled(bridge.sim, 1, CREATE_MS + within_ms()), "no cancel in time");
    struct sim_prediction_view view = chat_case_prediction(&bridge, 0);
    int64_t after_ms = view.first_cancel_ms - view.created_ms;
    ck_assert_msg(after_ms >= CREATE_MS - 1 && after_ms <= CREATE_MS + within_ms(), "the cancel came after %lld ms",
                  (long long)after_ms);
    ck_assert_uint_eq(replicate_sim_request_count(bridge.sim, SIM_GET), 0);
}
END_TEST

START_TEST(who_hangs_up_during_a_held_create_is_noticed)
{
    struct http_response response = {0};
    bridge_start(&bridge, NULL, "  prefer_wait: 1s\n");
    chat_case_run(&bridge, &(struct chat_case){0}, &response); /* now the model is known to be quick */
    http_response_dispose(&response);
    replicate_sim_plan(bridge.sim, &held);
    client = chat_case_begin(&bridge, &(struct chat_case){0});
    ck_assert(replicate_sim_wait_waiting(bridge.sim, 1, daemon_patience_ms()));
    goodbyes[_i]();
    ck_assert_msg(replicate_sim_wait_cancelled(bridge.sim, 1, 1000 + within_ms()), "no cancel in time");
    bridge_expect_metric(&bridge, "replibridge_predictions", 0);
}
END_TEST

START_TEST(who_hangs_up_before_anything_was_created_costs_nothing)
{
    static const struct sim_plan community = {.model = BRIDGE_MODEL};
    bridge_start(&bridge, &community, "read_schema: false\n");
    if (_i == 0)
        replicate_sim_fault(bridge.sim, SIM_MODEL, &(struct sim_fault_spec){.fault = SIM_FAULT_SLOW, .delay_ms = 400});
    else
        replicate_sim_fault(bridge.sim, SIM_CREATE,
                            &(struct sim_fault_spec){.fault = SIM_FAULT_STATUS, .status = 429, .retry_after_s = 30});
    client = chat_case_begin(&bridge, &(struct chat_case){0});
    ck_assert(replicate_sim_wait_requests(bridge.sim, _i == 0 ? 2 : 1, daemon_patience_ms()));
    http_close(&client);
    bridge_expect_metric(&bridge, "replibridge_predictions", 0);
    struct sim_counters counters;
    replicate_sim_counters(bridge.sim, &counters);
    ck_assert_uint_eq(counters.created, 0);
    ck_assert_uint_eq(chat_case_creates(&bridge), 1);
}
END_TEST

/* ---- the cancel itself ---- */

static const struct sim_fault_spec cancel_faults[] = {
    {.fault = SIM_FAULT_STATUS, .status = 500},
    {.fault = SIM_FAULT_STATUS, .status = 429, .retry_after_s = 1},
    {.fault = SIM_FAULT_RESET},
    {.fault = SIM_FAULT_HTML, .status = 502},
};

START_TEST(a_cancel_that_fails_is_sent_again)
{
    bridge_start(&bridge, &held, "");
    replicate_sim_fault(bridge.sim, SIM_CANCEL, &cancel_faults[_i]);
    begin(NULL);
    http_close(&client);
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 1, daemon_patience_ms()));
    ck_assert_uint_eq(replicate_sim_request_count(bridge.sim, SIM_CANCEL), 2);
    bridge_expect_metric(&bridge, "replibridge_predictions", 0);
}
END_TEST

/* ---- those who may come back ---- */

static const char *const may_retry[] = {"x-stainless-retry-count: 0\r\n", "Idempotency-Key: test-key-1\r\n"};

START_TEST(who_may_come_back_is_waited_for)
{
    enum { GRACE_MS = 700 };
    bridge_start(&bridge, &held, "grace: 700ms\n");
    begin(may_retry[_i]);
    int64_t left_ms = clock_now_ms();
    http_close(&client);
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 1, GRACE_MS + within_ms()));
    int64_t after_ms = clock_now_ms() - left_ms;
    ck_assert_msg(after_ms >= GRACE_MS - 50, "the cancel came after %lld ms, within the grace", (long long)after_ms);
    bridge_expect_metric(&bridge, "replibridge_predictions", 0);
}
END_TEST

START_TEST(what_ends_within_the_grace_is_not_cancelled)
{
    bridge_start(&bridge, &held, "  poll_interval: 100ms\ngrace: 5m\n");
    begin(may_retry[_i]);
    http_close(&client);
    ck_assert(daemon_log_wait(bridge.daemon, "client_gone", daemon_patience_ms()));
    replicate_sim_advance(bridge.sim, 0);
    replicate_sim_advance(bridge.sim, 0);
    ck_assert(replicate_sim_wait_ended(bridge.sim, 1, daemon_patience_ms()));
    bridge_expect_metric(&bridge, "replibridge_predictions", 0);
    ck_assert_uint_eq(replicate_sim_request_count(bridge.sim, SIM_CANCEL), 0);
}
END_TEST

START_TEST(the_operator_may_have_it_cancelled_at_once)
{
    bridge_start(&bridge, &held, "on_disconnect: cancel\ngrace: 5m\n");
    begin(may_retry[_i]);
    http_close(&client);
    expect_cancel_in_time();
}
END_TEST

START_TEST(the_operator_may_have_it_run_on)
{
    bridge_start(&bridge, &held, "on_disconnect: keep\n");
    begin(_i == 0 ? NULL : may_retry[0]);
    http_close(&client);
    ck_assert(daemon_log_wait(bridge.daemon, "client_gone", daemon_patience_ms()));
    bridge_expect_metric(&bridge, "replibridge_predictions", 0);
    ck_assert_uint_eq(replicate_sim_request_count(bridge.sim, SIM_CANCEL), 0);
    replicate_sim_advance(bridge.sim, 0);
    replicate_sim_advance(bridge.sim, 0);
    ck_assert(replicate_sim_wait_ended(bridge.sim, 1, daemon_patience_ms()));
}
END_TEST

START_TEST(at_the_end_of_the_program_nobody_comes_back)
{
    bridge_start(&bridge, &held, "grace: 5m\ndrain_timeout: 10m\n");
    begin(may_retry[_i]);
    http_close(&client);
    ck_assert(daemon_log_wait(bridge.daemon, "client_gone", daemon_patience_ms()));
    ck_assert(daemon_signal(bridge.daemon, SIGTERM));
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 1, daemon_patience_ms()));
    ck_assert_int_eq(daemon_wait_exit(bridge.daemon, daemon_patience_ms()), 0);
}
END_TEST

/* ---- several at once ---- */

static void expect_three_ids(const struct http_response *response)
{
    char ids[256], expected[256];
    snprintf(expected, sizeof expected, "%s, %s, %s", chat_case_prediction(&bridge, 0).id,
             chat_case_prediction(&bridge, 1).id, chat_case_prediction(&bridge, 2).id);
    ck_assert(http_answer_header(response, "x-replicate-prediction-id", ids, sizeof ids));
    for (size_t i = 0; i < 3; i++)
        ck_assert_msg(strstr(ids, chat_case_prediction(&bridge, i).id) != NULL, "prediction %zu is not in %s", i, ids);
    ck_assert_uint_eq(strlen(ids), strlen(expected));
}

START_TEST(where_one_choice_fails_the_others_are_cancelled)
{
    static const struct sim_plan fails = {.model = BRIDGE_MODEL,
                                          .official = true,
                                          .boot_ms = SIM_HOLD,
                                          .end_status = "failed",
                                          .error_text = "only this one broke"};
    static const struct chat_error failed = {422, "server_error", "prediction_failed", NULL, false, "only this one"};
    struct http_response response = {0};
    bridge_start(&bridge, &fails, "  poll_interval: 100ms\n");
    client = chat_case_begin(&bridge, &(struct chat_case){.more = ",\"n\":3"});
    ck_assert(replicate_sim_wait_created(bridge.sim, 3, daemon_patience_ms()));
    ck_assert(replicate_sim_wait_polls(bridge.sim, 3, daemon_patience_ms()));
    replicate_sim_advance(bridge.sim, 1);
    replicate_sim_advance(bridge.sim, 1);
    chat_case_finish(&client, &response);
    chat_case_expect_error(&response, &failed);
    expect_three_ids(&response);
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 2, daemon_patience_ms()));
    ck_assert_int_eq(chat_case_prediction(&bridge, 1).first_cancel_ms, -1);
    http_response_dispose(&response);
}
END_TEST

START_TEST(where_one_choice_cannot_be_created_the_others_are_cancelled)
{
    static const struct chat_error lost = {502, "server_error", "upstream_error", NULL, false, NULL};
    struct http_response response = {0};
    bridge_start(&bridge, &held, "");
    replicate_sim_fault(bridge.sim, SIM_CREATE,
                        &(struct sim_fault_spec){.fault = SIM_FAULT_STATUS, .status = 500, .after = 2});
    chat_case_run(&bridge, &(struct chat_case){.more = ",\"n\":3"}, &response);
    chat_case_expect_error(&response, &lost);
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 2, daemon_patience_ms()));
    ck_assert_uint_eq(chat_case_creates(&bridge), 3);
    http_response_dispose(&response);
}
END_TEST

START_TEST(who_hangs_up_on_several_choices_has_them_all_cancelled)
{
    bridge_start(&bridge, &held, "");
    client = chat_case_begin(&bridge, &(struct chat_case){.more = ",\"n\":3"});
    ck_assert(replicate_sim_wait_created(bridge.sim, 3, daemon_patience_ms()));
    http_close(&client);
    ck_assert_msg(replicate_sim_wait_cancelled(bridge.sim, 3, within_ms()), "not all were cancelled within a second");
}
END_TEST

static Suite *cancel_suite(void)
{
    Suite *suite = suite_create("cancel");
    TCase *tcase = tcase_create("phases");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, who_hangs_up_between_two_polls_is_noticed, 0, GOODBYES);
    tcase_add_loop_test(tcase, who_hangs_up_during_a_poll_is_noticed, 0, GOODBYES);
    tcase_add_loop_test(tcase, who_hangs_up_while_the_model_runs_is_noticed, 0, GOODBYES);
    tcase_add_loop_test(tcase, who_hangs_up_during_the_create_is_noticed_and_the_cancel_follows_the_id, 0, GOODBYES);
    tcase_add_loop_test(tcase, who_hangs_up_during_a_held_create_is_noticed, 0, GOODBYES);
    tcase_add_loop_test(tcase, who_hangs_up_before_anything_was_created_costs_nothing, 0, 2);
    tcase_add_loop_test(tcase, a_cancel_that_fails_is_sent_again, 0, LENGTH(cancel_faults));
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("grace and choices");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, who_may_come_back_is_waited_for, 0, LENGTH(may_retry));
    tcase_add_loop_test(tcase, what_ends_within_the_grace_is_not_cancelled, 0, LENGTH(may_retry));
    tcase_add_loop_test(tcase, the_operator_may_have_it_cancelled_at_once, 0, LENGTH(may_retry));
    tcase_add_loop_test(tcase, the_operator_may_have_it_run_on, 0, LENGTH(may_retry));
    tcase_add_loop_test(tcase, at_the_end_of_the_program_nobody_comes_back, 0, LENGTH(may_retry));
    tcase_add_test(tcase, where_one_choice_fails_the_others_are_cancelled);
    tcase_add_test(tcase, where_one_choice_cannot_be_created_the_others_are_cancelled);
    tcase_add_test(tcase, who_hangs_up_on_several_choices_has_them_all_cancelled);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(cancel_suite());
}
