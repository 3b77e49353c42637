/* `kill -9`: the program ends without a word, and Replicate ends every prediction that it had created, because each
 * create says when that is to be (Cancel-After). Nothing runs on, and nothing is paid for that nobody will fetch. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "chat_stream.h"
#include "check_main.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof *(table)))

/* Simulated seconds are short: the 20 that a request may take, and so its prediction, are over in two real ones. */
enum { CLIENTS = 20, TIMEOUT_S = 20, SECOND_MS = 100, GRAIN_MS = 50 };

static struct bridge bridge;
static struct stream_client clients[CLIENTS];

static void tear_down(void)
{
    for (int i = 0; i < CLIENTS; i++)
        stream_dispose(&clients[i]);
    daemon_kill(&bridge.daemon); /* in case that it still runs */
    bridge_stop(&bridge);
}

static const char *const pieces[] = {"and", " so", " on,"};

/* What the predictions are at when the program dies. */
static const struct phase {
    const char *name;
    struct sim_plan plan;
    bool is_streamed;
    struct sim_fault_spec create_fault;
} phases[] = {
    {.name = "a boot", .plan = {.boot_ms = SIM_HOLD}},
    {.name = "a run", .plan = {.run_ms = SIM_HOLD}},
    {.name = "a stream",
     .plan = {.pieces = pieces, .piece_count = 3, .piece_ms = 20, .repeat_pieces = 2000, .stream.offered = true},
     .is_streamed = true},
    {.name = "a stream of a model that boots",
     .plan = {.boot_ms = SIM_HOLD, .stream.offered = true},
     .is_streamed = true},
    {.name = "a create whose answer is on its way",
     .plan = {.boot_ms = SIM_HOLD},
     .create_fault = {.fault = SIM_FAULT_SLOW, .delay_ms = 60000, .count = SIM_FOREVER}},
    {.name = "a community model", .plan = {.boot_ms = SIM_HOLD, .deployment = "acme/desk"}},
};

static void begin(const struct phase *phase)
{
    struct sim_plan plan = phase->plan;
    plan.model = BRIDGE_MODEL;
    plan.official = plan.deployment == NULL;
    char *config = xasprintf("timeout: %ds\n", TIMEOUT_S);
    chat_case_start_with(&bridge, &(struct replicate_sim_options){.second_ms = SECOND_MS}, &plan, config);
    free(config);
    replicate_sim_expect(bridge.sim, SIM_EXPECT_DEADLINE, CLIENTS);
    if (phase->create_fault.fault != SIM_FAULT_NONE)
        replicate_sim_fault(bridge.sim, SIM_CREATE, &phase->create_fault);
    char *body = bridge_chat_body("writer", CHAT_CASE_PROMPT, phase->is_streamed ? ",\"stream\":true" : "");
    for (int i = 0; i < CLIENTS; i++)
        ck_assert(stream_open(&clients[i], bridge.port,
                              &(struct http_request){.path = "/v1/chat/completions", .body = body}));
    free(body);
    ck_assert(replicate_sim_wait_created(bridge.sim, CLIENTS, daemon_patience_ms()));
    for (int i = 0; i < CLIENTS && plan.piece_count > 0; i++)
        ck_assert(stream_read_until(&clients[i], "and", daemon_patience_ms()));
}

static void kill_hard(void)
{
    ck_assert(daemon_signal(bridge.daemon, SIGKILL));
    ck_assert_int_eq(daemon_wait_exit(bridge.daemon, daemon_patience_ms()), 128 + SIGKILL);
}

/* By Replicate, and when its time was over. */
static void expect_ended_in_time(size_t i)
{
    struct sim_prediction_view view = chat_case_prediction(&bridge, i);
    ck_assert_msg(view.ended && !view.cancelled, "prediction %zu is %s", i, view.status);
    ck_assert_msg(view.deadline_ms >= 0, "prediction %zu had no Cancel-After", i);
    int64_t lived_ms = view.ended_ms - view.created_ms;
    ck_assert_msg(lived_ms <= (TIMEOUT_S + 1) * SECOND_MS + GRAIN_MS, "prediction %zu ran on for %lld ms", i,
                  (long long)lived_ms);
}

START_TEST(whatever_it_was_at_every_prediction_is_ended_by_replicate)
{
    struct sim_counters counters;
    begin(&phases[_i]);
    kill_hard();
    ck_assert_msg(replicate_sim_wait_idle(bridge.sim, daemon_patience_ms()), "during %s: predictions run on",
                  phases[_i].name);
    replicate_sim_counters(bridge.sim, &counters);
    ck_assert_uint_eq(counters.created, CLIENTS);
    ck_assert_uint_eq(counters.aborted + counters.deadline_canceled, CLIENTS);
    ck_assert_uint_eq(counters.cancel_calls, 0);
    for (size_t i = 0; i < CLIENTS; i++)
        expect_ended_in_time(i);
}
END_TEST

/* Whoever starts it again on the same address is not kept waiting by what the dead one left behind. */
START_TEST(another_one_takes_its_place_at_once)
{
    struct http_response response = {0};
    char port[16];
    begin(&phases[0]);
    kill_hard();
    snprintf(port, sizeof port, "%d", bridge.port);
    const char *arguments[] = {"--config", "@CONFIG@", "--port", port, NULL};
    char *config = bridge_config(&bridge, "");
    daemon_kill(&bridge.daemon);
    bridge.daemon = daemon_start(&(struct daemon_options){.config = config, .bare = true, .arguments = arguments});
    free(config);
    ck_assert_msg(bridge.daemon != NULL, "it does not start again");
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = BRIDGE_MODEL, .official = true});
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    http_response_dispose(&response);
    ck_assert(replicate_sim_wait_idle(bridge.sim, daemon_patience_ms()));
}
END_TEST

static Suite *crash_suite(void)
{
    Suite *suite = suite_create("crash");
    TCase *tcase = tcase_create("kill -9");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, whatever_it_was_at_every_prediction_is_ended_by_replicate, 0, LENGTH(phases));
    tcase_add_test(tcase, another_one_takes_its_place_at_once);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(crash_suite());
}
