/* More clients than the program may open descriptors for: they wait for their turn or are told 503, nobody is given a
 * wrong answer, nothing is bought twice, and when the crowd is gone all is as before. (Memory that runs out ends the
 * program on purpose: see base/ensure.h.) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "chat_case.h"
#include "check_main.h"
#include "stream_client.h"

/* Few of a worker's own, so that what is left is for clients and Replicate. */
enum { DESCRIPTORS = 120, SPARE = 12, CLIENTS = 200 };

static struct bridge bridge;
static struct stream_client idlers[CLIENTS];

static void tear_down(void)
{
    for (int i = 0; i < CLIENTS; i++)
        stream_dispose(&idlers[i]);
    bridge_stop(&bridge);
}

static void start(const struct sim_plan *plan)
{
    bridge_start_sim(&bridge);
    replicate_sim_plan(bridge.sim, plan);
    char *config = bridge_config(&bridge, "timeout: 60s\nread_timeout: 1s\nread_schema: false\n");
    bridge.daemon = daemon_start(&(struct daemon_options){.config = config, .descriptors = DESCRIPTORS});
    free(config);
    ck_assert_msg(bridge.daemon != NULL, "the program did not become ready");
    bridge.port = daemon_port(bridge.daemon);
}

static void expect_service(void)
{
    struct http_response response = {0};
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    http_response_dispose(&response);
}

/* Kept connections to Replicate that it closes are let go by each worker when it opens its next one. */
static void expect_all_well(long descriptors_before)
{
    long now = descriptors_before + SPARE + 1;
    for (int i = 0; i < 10; i++)
        expect_service();
    bridge_expect_metric(&bridge, "replibridge_predictions", 0);
    bridge_expect_metric(&bridge, "replibridge_transfers", 0);
    int64_t deadline_ms = clock_now_ms() + daemon_patience_ms();
    while (now > descriptors_before + SPARE && clock_now_ms() < deadline_ms) {
        replicate_sim_fault(bridge.sim, SIM_ANY, &(struct sim_fault_spec){.fault = SIM_FAULT_REFUSE});
        replicate_sim_clear_faults(bridge.sim);
        expect_service();
        now = daemon_descriptors(bridge.daemon);
    }
    ck_assert_msg(now <= descriptors_before + SPARE, "%ld descriptors are open, %ld were", now, descriptors_before);
}

START_TEST(more_requests_than_descriptors_are_served_or_told_so)
{
    struct sim_counters counters;
    struct http_load_result result;
    start(&(struct sim_plan){.model = BRIDGE_MODEL, .official = true, .boot_ms = 300});
    long before = daemon_descriptors(bridge.daemon);
    char *body = bridge_chat_body("writer", "@NONCE@", "");
    ck_assert(http_load_run(&(struct http_load){.port = bridge.port,
                                                .count = CLIENTS,
                                                .path = "/v1/chat/completions",
                                                .body = body,
                                                .timeout_ms = 5 * daemon_patience_ms()},
                            &result));
    free(body);
    printf("of %d clients %zu were served, %zu told something else (first %d), %zu cut off, %zu left waiting\n",
           CLIENTS, result.ok, result.other_status, result.first_other_status, result.broken, result.late);
    ck_assert_uint_eq(result.wrong_nonce, 0);
    ck_assert_uint_eq(result.late, 0);
    ck_assert_uint_ge(result.ok, DESCRIPTORS / 4);
    ck_assert_msg(result.other_status == 0 || result.first_other_status == 503, "status %d: %s",
                  result.first_other_status, result.example);
    replicate_sim_counters(bridge.sim, &counters);
    ck_assert_uint_le(counters.created, CLIENTS);
    expect_all_well(before);
}
END_TEST

/* Whoever connects and says nothing keeps others waiting until `read_timeout`, and no longer. */
START_TEST(more_silent_connections_than_descriptors_pass)
{
    start(&(struct sim_plan){.model = BRIDGE_MODEL, .official = true});
    long before = daemon_descriptors(bridge.daemon);
    for (int i = 0; i < CLIENTS; i++)
        idlers[i].connection = http_connect(bridge.port);
    expect_all_well(before);
}
END_TEST

/* Streams hold two descriptors each, theirs and Replicate's. */
START_TEST(more_streams_than_descriptors_pass)
{
    size_t good = 0, refused = 0;
    start(&(struct sim_plan){.model = BRIDGE_MODEL, .official = true, .boot_ms = 200, .stream.offered = true});
    long before = daemon_descriptors(bridge.daemon);
    char *body = bridge_chat_body("writer", CHAT_CASE_PROMPT, ",\"stream\":true");
    for (int i = 0; i < CLIENTS; i++)
        ck_assert(stream_open(
            &idlers[i], bridge.port,
            &(struct http_request){.path = "/v1/chat/completions", .headers = "Connection: close\r\n", .body = body}));
    free(body);
    stream_read_all(idlers, CLIENTS, 5 * daemon_patience_ms());
    for (int i = 0; i < CLIENTS; i++) {
        const struct stream_client *client = &idlers[i];
        const char *last = client->frame_count > 0 ? client->frames[client->frame_count - 1].text : "";
        good += client->progress == STREAM_OVER && strcmp(last, "data: [DONE]") == 0;
        refused += client->progress == STREAM_OVER && client->answer.status == 503;
    }
    printf("of %d streams %zu came to a good end, %zu were refused\n", CLIENTS, good, refused);
    ck_assert_uint_eq(good + refused, CLIENTS);
    ck_assert_uint_ge(good, DESCRIPTORS / 4);
    expect_all_well(before);
}
END_TEST

static Suite *exhaustion_suite(void)
{
    Suite *suite = suite_create("exhaustion");
    TCase *tcase = tcase_create("descriptors");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 90);
    tcase_add_test(tcase, more_requests_than_descriptors_are_served_or_told_so);
    tcase_add_test(tcase, more_silent_connections_than_descriptors_pass);
    tcase_add_test(tcase, more_streams_than_descriptors_pass);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(exhaustion_suite());
}
