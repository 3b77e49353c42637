/* The program's own limits: requests per minute, at the same time, and in flight over all; each refuses what is too
 * much without asking Replicate, and lets in again what has room. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "chat_case.h"
#include "check_main.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof *(table)))
#define HEAD "queue_timeout: 0\nreplicate: {base_url: \"@SIM@\", token: test-token}\n"
#define ALICE "Authorization: Bearer test-key-alice\r\n"
#define BOB "Authorization: Bearer test-key-bob\r\n"

static struct bridge bridge;

static const struct chat_error limited = {429, "rate_limit_error", "rate_limit_exceeded", NULL, true, NULL};
static const struct chat_error overloaded = {503, "server_error", "overloaded", NULL, true, "max_in_flight"};

static void tear_down(void)
{
    chat_case_stop(&bridge);
}

static void start(const struct sim_plan *plan, const char *config)
{
    bridge_start_sim(&bridge);
    replicate_sim_plan(bridge.sim, plan);
    chat_case_start(&bridge, config);
}

static void let_end(size_t i)
{
    replicate_sim_advance(bridge.sim, i);
    replicate_sim_advance(bridge.sim, i);
}

/* ---- requests per minute ---- */

static const struct {
    const char *config;
    struct chat_case limited, free; /* the same limit does not hold for `free` */
} per_minute[] = {
    {HEAD "models: {writer: {model: acme/writer, rpm: 2}, other: acme/writer}\n",
     {.model = "writer"},
     {.model = "other"}},
    {HEAD "models: {writer: acme/writer}\n"
          "keys: [{name: alice, key: test-key-alice, rpm: 2}, {name: bob, key: test-key-bob}]\n",
     {.headers = ALICE},
     {.headers = BOB}},
};

START_TEST(a_limit_per_minute_refuses_what_is_too_much)
{
    static const struct sim_plan quick = {.model = BRIDGE_MODEL, .official = true};
    struct http_response response = {0};
    start(&quick, per_minute[_i].config);
    for (int i = 0; i < 2; i++) {
        chat_case_run(&bridge, &per_minute[_i].limited, &response);
        chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    }
    chat_case_run(&bridge, &per_minute[_i].limited, &response);
    chat_case_expect_error(&response, &limited);
    chat_case_expect_retry_after(&response, 1, 30001);
    chat_case_run(&bridge, &per_minute[_i].free, &response);
    chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    ck_assert_uint_eq(chat_case_creates(&bridge), 3);
    http_response_dispose(&response);
}
END_TEST

/* The refusal says when there is room again; it is asked for until then, which uses nothing up. */
START_TEST(a_limit_per_minute_fills_up_again)
{
    static const struct sim_plan quick = {.model = BRIDGE_MODEL, .official = true};
    struct http_response response = {0};
    size_t refused = 0;
    /* Wrong in a way that is found after the limit was counted, so that no prediction slows this down. */
    const struct chat_case wrong = {.more = ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]"};
    start(&quick, HEAD "models: {writer: {model: acme/writer, rpm: 100}}\n");
    for (int i = 0; i < 100; i++) {
        chat_case_run(&bridge, &wrong, &response);
        ck_assert_int_eq(response.status, 400);
    }
    for (;; refused++) {
        chat_case_run(&bridge, &wrong, &response);
        if (response.status != 429)
            break;
        chat_case_expect_error(&response, &limited);
        chat_case_expect_retry_after(&response, 1, 601);
    }
    ck_assert_int_eq(response.status, 400);
    ck_assert_uint_ge(refused, 1);
    http_response_dispose(&response);
}
END_TEST

/* ---- at the same time ---- */

static const struct {
    const char *config;
    struct chat_case limited, free;
} parallel[] = {
    {HEAD "models: {writer: {model: acme/writer, max_parallel_requests: 2}, other: acme/writer}\n",
     {.model = "writer"},
     {.model = "other"}},
    {HEAD "models: {writer: acme/writer}\n"
          "keys: [{name: alice, key: test-key-alice, max_parallel_requests: 2}, {name: bob, key: test-key-bob}]\n",
     {.headers = ALICE},
     {.headers = BOB}},
};

START_TEST(a_limit_on_requests_at_the_same_time_counts_those_that_run)
{
    static const struct sim_plan held = {.model = BRIDGE_MODEL, .official = true, .boot_ms = SIM_HOLD};
    struct http_connection *running[3];
    struct http_response response = {0};
    start(&held, parallel[_i].config);
    for (size_t i = 0; i < 2; i++) {
        running[i] = chat_case_begin(&bridge, &parallel[_i].limited);
        ck_assert(replicate_sim_wait_created(bridge.sim, i + 1, daemon_patience_ms()));
    }
    chat_case_run(&bridge, &parallel[_i].limited, &response);
    struct chat_error too_many = limited;
    too_many.says = "at the same time";
    chat_case_expect_error(&response, &too_many);
    chat_case_expect_retry_after(&response, 1, 60000);
    running[2] = chat_case_begin(&bridge, &parallel[_i].free);
    ck_assert(replicate_sim_wait_created(bridge.sim, 3, daemon_patience_ms()));

    /* One ends well, and one hangs up: each makes room for one. */
    let_end(0);
    chat_case_finish(&running[0], &response);
    ck_assert_int_eq(response.status, 200);
    http_close(&running[1]);
    ck_assert(replicate_sim_wait_cancelled(bridge.sim, 1, daemon_patience_ms()));
    for (size_t i = 0; i < 2; i++) {
        running[i] = chat_case_begin(&bridge, &parallel[_i].limited);
        ck_assert(replicate_sim_wait_created(bridge.sim, i + 4, daemon_patience_ms()));
    }
    for (size_t i = 2; i < 5; i++)
        let_end(i);
    for (size_t i = 0; i < 3; i++) {
        chat_case_finish(&running[i], &response);
        ck_assert_msg(response.status == 200, "status %d: %s", response.status, response.body);
    }
    http_response_dispose(&response);
}
END_TEST

START_TEST(requests_in_flight_are_limited_over_all_and_health_is_not)
{
    static const struct sim_plan held = {.model = BRIDGE_MODEL, .official = true, .boot_ms = SIM_HOLD};
    struct http_response response = {0};
    start(&held, HEAD "max_in_flight: 1\nmodels: {writer: acme/writer, other: acme/writer}\n");
    struct http_connection *running = chat_case_begin(&bridge, &(struct chat_case){0});
    ck_assert(replicate_sim_wait_created(bridge.sim, 1, daemon_patience_ms()));
    chat_case_run(&bridge, &(struct chat_case){.model = "other"}, &response);
    chat_case_expect_error(&response, &overloaded);
    chat_case_expect_retry_after(&response, 1, 60000);
    ck_assert_int_eq(bridge_get(&bridge, "/health/readiness", NULL), 200);
    ck_assert_int_eq(bridge_get(&bridge, "/v1/models", NULL), 200);
    let_end(0);
    chat_case_finish(&running, &response);
    ck_assert_int_eq(response.status, 200);
    running = chat_case_begin(&bridge, &(struct chat_case){0});
    ck_assert_msg(replicate_sim_wait_created(bridge.sim, 2, daemon_patience_ms()), "there is no room again");
    let_end(1);
    chat_case_finish(&running, &response);
    ck_assert_int_eq(response.status, 200);
    http_response_dispose(&response);
}
END_TEST

/* What is refused for another reason must give its place back. */
static const char *const wrong[] = {",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]", ",\"n\":200",
                                    ",\"temperature\":\"hot\""};

START_TEST(a_request_that_is_refused_gives_its_place_back)
{
    static const struct sim_plan quick = {.model = BRIDGE_MODEL, .official = true};
    struct http_response response = {0};
    start(&quick, HEAD "max_in_flight: 1\nmodels: {writer: {model: acme/writer, max_parallel_requests: 1}}\n");
    for (int i = 0; i < 3; i++) {
        chat_case_run(&bridge, &(struct chat_case){.more = wrong[_i]}, &response);
        ck_assert_int_eq(response.status, 400);
        chat_case_run(&bridge, &(struct chat_case){0}, &response);
        chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    }
    http_response_dispose(&response);
}
END_TEST

/* Whoever asks one thing after the other is never told that he asks too much at once. Many rounds, because the answer
 * and the return of the place would race. */
START_TEST(who_has_an_answer_finds_the_place_free)
{
    static const struct sim_plan quick = {.model = BRIDGE_MODEL, .official = true};
    struct http_response response = {0};
    start(&quick,
          HEAD "max_in_flight: 1\nworkers: 4\nmodels: {writer: {model: acme/writer, max_parallel_requests: 1}}\n");
    for (int i = 0; i < 300; i++) {
        chat_case_run(&bridge, &(struct chat_case){.more = wrong[0]}, &response);
        ck_assert_msg(response.status == 400, "round %d: status %d: %s", i, response.status, response.body);
    }
    http_response_dispose(&response);
}
END_TEST

static Suite *limits_suite(void)
{
    Suite *suite = suite_create("limits");
    TCase *tcase = tcase_create("limits");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_limit_per_minute_refuses_what_is_too_much, 0, LENGTH(per_minute));
    tcase_add_test(tcase, a_limit_per_minute_fills_up_again);
    tcase_add_loop_test(tcase, a_limit_on_requests_at_the_same_time_counts_those_that_run, 0, LENGTH(parallel));
    tcase_add_test(tcase, requests_in_flight_are_limited_over_all_and_health_is_not);
    tcase_add_loop_test(tcase, a_request_that_is_refused_gives_its_place_back, 0, LENGTH(wrong));
    tcase_add_test(tcase, who_has_an_answer_finds_the_place_free);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(limits_suite());
}
