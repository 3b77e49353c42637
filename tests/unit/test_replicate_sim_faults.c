/* The simulated Replicate when it is told to misbehave, and when thousands talk to it at once. */
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "http_client.h"
#include "replicate_sim.h"

enum { PATIENCE_MS = 5000, CROWD = 3000, CROWD_MS = 60000 };

static struct replicate_sim *sim;
static struct http_response response;
static char report[SIM_REPORT_BYTES];

static const char token[] = "Authorization: Bearer test-token\r\n";

static const struct http_request create_request = {.path = "/v1/models/acme/writer/predictions",
                                                   .headers = "Authorization: Bearer test-token\r\n",
                                                   .body = "{\"input\":{\"prompt\":\"hello\"}}"};

static void start(void)
{
    sim = replicate_sim_start(NULL);
    replicate_sim_plan(sim, &(struct sim_plan){.model = "acme/writer", .official = true});
}

static void stop(void)
{
    http_response_dispose(&response);
    if (sim)
        replicate_sim_stop(&sim, NULL, 0);
}

static void stop_clean(void)
{
    ck_assert_msg(replicate_sim_stop(&sim, report, sizeof(report)), "%s", report);
}

static bool create(int timeout_ms)
{
    http_response_dispose(&response);
    return http_exchange(replicate_sim_port(sim), &create_request, &response, timeout_ms);
}

static size_t created(void)
{
    struct sim_counters counters;
    replicate_sim_counters(sim, &counters);
    return counters.created;
}

/* What a client sees of each fault of a create, and whether the prediction exists afterwards. */
static const struct {
    enum sim_fault fault;
    int given_status; /* of the spec */
    int status;       /* 0 = no answer */
    bool complete;
    size_t created;
    const char *part; /* of the body */
} faults[] = {
    {SIM_FAULT_CLOSE_BEFORE_HEADERS, 0, 0, false, 0, NULL},
    {SIM_FAULT_READ_AND_CLOSE, 0, 0, false, 1, NULL},
    {SIM_FAULT_CLOSE_IN_HEADERS, 0, 0, false, 1, NULL},
    {SIM_FAULT_CUT_BODY, 0, 201, false, 1, "\"id\""},
    {SIM_FAULT_LENGTH_TOO_LONG, 0, 201, false, 1, "\"urls\""},
    {SIM_FAULT_LENGTH_TOO_SHORT, 0, 201, true, 1, "\"id\""},
    {SIM_FAULT_NO_LENGTH, 0, 201, true, 1, "\"urls\""},
    {SIM_FAULT_CHUNKED, 0, 201, true, 1, "\"urls\""},
    {SIM_FAULT_BYTEWISE, 0, 201, true, 1, "\"urls\""},
    {SIM_FAULT_INVALID_JSON, 0, 201, true, 1, "succ"},
    {SIM_FAULT_HTML, 0, 502, true, 0, "<!DOCTYPE html>"},
    {SIM_FAULT_STATUS, 402, 402, true, 0, "Insufficient credit"},
    {SIM_FAULT_STATUS, 401, 401, true, 0, "Unauthenticated"},
    {SIM_FAULT_STATUS, 404, 404, true, 0, "could not be found"},
    {SIM_FAULT_STATUS, 422, 422, true, 0, "Invalid version"},
    {SIM_FAULT_STATUS, 429, 429, true, 0, "\"retry_after\":1"},
    {SIM_FAULT_STATUS, 503, 503, true, 0, "\"status\":503"},
    {SIM_FAULT_STATUS, 599, 599, true, 0, "\"status\":599"},
    {SIM_FAULT_STATUS_AFTER, 500, 500, true, 1, "\"status\":500"},
    {SIM_FAULT_RESET, 0, 0, false, 0, NULL},
    {SIM_FAULT_RESET_AFTER, 0, 0, false, 1, NULL},
};

START_TEST(each_fault_looks_as_promised_and_hits_one_request)
{
    replicate_sim_fault(sim, SIM_CREATE,
                        &(struct sim_fault_spec){.fault = faults[_i].fault, .status = faults[_i].given_status});
    bool complete = create(PATIENCE_MS);
    ck_assert_int_eq(response.status, faults[_i].status);
    ck_assert_int_eq(complete, faults[_i].complete);
    ck_assert_uint_eq(created(), faults[_i].created);
    if (faults[_i].part)
        ck_assert_msg(strstr(response.body, faults[_i].part) != NULL, "%s", response.body);
    ck_assert(create(PATIENCE_MS));
    ck_assert_int_eq(response.status, 201);
    ck_assert_int_eq(replicate_sim_request(sim, SIM_CREATE, 0)->fault, faults[_i].fault);
    ck_assert_int_eq(replicate_sim_request(sim, SIM_CREATE, 1)->fault, SIM_FAULT_NONE);
    stop_clean();
}
END_TEST

/* The known texts of a 429. */
static const struct {
    struct sim_fault_spec spec;
    const char *detail, *retry_after; /* the member, NULL = none */
    const char *header;               /* NULL = none */
} throttles[] = {
    {{.throttle = SIM_THROTTLE_LOW_CREDIT, .retry_after_s = 5}, "less than $5.0 in credit", "\"retry_after\":5", NULL},
    {{.throttle = SIM_THROTTLE_NO_PAYMENT, .retry_after_header = true}, "payment method", "\"retry_after\":1", "1"},
    {{.throttle = SIM_THROTTLE_SHORT, .retry_after_s = 30}, "resets in ~30s.", NULL, NULL},
    {{.throttle = SIM_THROTTLE_OLD}, "available in 1 second.", NULL, NULL},
    {{.no_retry_after_in_body = true, .retry_after_header = true, .retry_after_s = 7}, "~7s", NULL, "7"},
};

START_TEST(a_429_comes_in_each_known_form)
{
    struct sim_fault_spec spec = throttles[_i].spec;
    char value[32];
    spec.fault = SIM_FAULT_STATUS;
    spec.status = 429;
    replicate_sim_fault(sim, SIM_ANY, &spec);
    ck_assert(create(PATIENCE_MS));
    ck_assert_int_eq(response.status, 429);
    ck_assert_msg(strstr(response.body, throttles[_i].detail) != NULL, "%s", response.body);
    const char *member = throttles[_i].retry_after ? throttles[_i].retry_after : "retry_after";
    ck_assert_int_eq(strstr(response.body, member) != NULL, throttles[_i].retry_after != NULL);
    http_answer_header(&response, "retry-after", value, sizeof(value));
    ck_assert_str_eq(value, throttles[_i].header ? throttles[_i].header : "");
    stop_clean();
}
END_TEST

START_TEST(a_fault_spares_the_first_and_other_models_and_endpoints)
{
    replicate_sim_plan(sim, &(struct sim_plan){.model = "acme/other", .official = true});
    struct http_request other = create_request;
    other.path = "/v1/predictions";
    other.body = "{\"version\":\"acme/other\",\"input\":{\"prompt\":\"x\"}}";
    replicate_sim_fault(sim, SIM_CREATE,
                        &(struct sim_fault_spec){
                            .fault = SIM_FAULT_STATUS, .status = 503, .after = 1, .count = 2, .model = "acme/writer"});
    static const int statuses[] = {201, 503, 503, 201};
    for (size_t i = 0; i < 4; i++) {
        http_response_dispose(&response);
        ck_assert(http_exchange(replicate_sim_port(sim), &other, &response, PATIENCE_MS));
        ck_assert_int_eq(response.status, 201);
        ck_assert(create(PATIENCE_MS));
        ck_assert_int_eq(response.status, statuses[i]);
    }
    ck_assert(replicate_sim_wait_faulted(sim, 2, 0));
    stop_clean();
}
END_TEST

START_TEST(a_slow_answer_comes_late_but_its_work_is_done_at_once)
{
    replicate_sim_fault(sim, SIM_CREATE, &(struct sim_fault_spec){.fault = SIM_FAULT_SLOW, .delay_ms = 80});
    ck_assert(create(PATIENCE_MS));
    ck_assert_int_eq(response.status, 201);
    ck_assert_int_ge(response.first_byte_ms, 40);
    struct sim_prediction_view view;
    ck_assert(replicate_sim_prediction(sim, 0, &view));
    ck_assert_int_le(view.created_ms, replicate_sim_request(sim, SIM_CREATE, 0)->at_ms + 40);
    stop_clean();
}
END_TEST

START_TEST(silence_lasts_until_the_client_hangs_up)
{
    replicate_sim_fault(sim, SIM_CREATE, &(struct sim_fault_spec){.fault = SIM_FAULT_SILENT});
    ck_assert(!create(50));
    ck_assert_int_eq(response.status, 0);
    ck_assert_uint_eq(created(), 1);
    ck_assert(replicate_sim_wait_disconnected(sim, PATIENCE_MS));
    stop_clean();
}
END_TEST

START_TEST(a_refusal_closes_idle_connections_and_lasts_until_it_is_cleared)
{
    int port = replicate_sim_port(sim);
    struct http_connection *idle = http_connect(port);
    ck_assert_ptr_nonnull(idle);
    ck_assert(http_send_request(idle, &create_request));
    ck_assert(http_read(idle, &response, PATIENCE_MS));
    replicate_sim_fault(sim, SIM_ANY, &(struct sim_fault_spec){.fault = SIM_FAULT_REFUSE});
    ck_assert(http_wait_closed(idle, PATIENCE_MS));
    ck_assert_ptr_null(http_connect(port));
    replicate_sim_clear_faults(sim);
    ck_assert(create(PATIENCE_MS));
    ck_assert_int_eq(response.status, 201);
    http_close(&idle);
    stop_clean();
}
END_TEST

START_TEST(a_body_without_end_goes_on_until_the_client_has_enough)
{
    replicate_sim_fault(sim, SIM_CREATE, &(struct sim_fault_spec){.fault = SIM_FAULT_HUGE_BODY});
    struct http_connection *connection = http_connect(replicate_sim_port(sim));
    ck_assert(http_send_request(connection, &create_request));
    ck_assert_int_eq(http_read_head(connection, &response, PATIENCE_MS), HTTP_MORE);
    while (response.body_length < 1024 * 1024)
        ck_assert_int_eq(http_read_piece(connection, &response, PATIENCE_MS), HTTP_MORE);
    http_close(&connection);
    stop_clean();
}
END_TEST

START_TEST(thousands_of_waits_are_held_at_once_and_each_gets_its_own_echo)
{
    char headers[128];
    snprintf(headers, sizeof(headers), "%sPrefer: wait=60\r\n", token);
    replicate_sim_plan(
        sim, &(struct sim_plan){
                 .model = "acme/writer", .official = true, .boot_ms = 200, .run_ms = 50, .create_status = 200});
    const struct http_load load = {.port = replicate_sim_port(sim),
                                   .count = CROWD,
                                   .path = create_request.path,
                                   .headers = headers,
                                   .body = "{\"input\":{\"prompt\":\"@NONCE@\"}}",
                                   .timeout_ms = CROWD_MS};
    struct http_load_result result;
    ck_assert(http_load_run(&load, &result));
    ck_assert_msg(result.ok == CROWD, "%zu of %d, for example %s", result.ok, CROWD, result.example);
    ck_assert_uint_eq(created(), CROWD);
    stop_clean();
}
END_TEST

static Suite *faults_suite(void)
{
    Suite *suite = suite_create("replicate_sim_faults");
    TCase *cases = tcase_create("faults");
    tcase_add_checked_fixture(cases, start, stop);
    tcase_add_loop_test(cases, each_fault_looks_as_promised_and_hits_one_request, 0,
                        (int)(sizeof(faults) / sizeof(faults[0])));
    tcase_add_loop_test(cases, a_429_comes_in_each_known_form, 0, (int)(sizeof(throttles) / sizeof(throttles[0])));
    tcase_add_test(cases, a_fault_spares_the_first_and_other_models_and_endpoints);
    tcase_add_test(cases, a_slow_answer_comes_late_but_its_work_is_done_at_once);
    tcase_add_test(cases, silence_lasts_until_the_client_hangs_up);
    tcase_add_test(cases, a_refusal_closes_idle_connections_and_lasts_until_it_is_cleared);
    tcase_add_test(cases, a_body_without_end_goes_on_until_the_client_has_enough);
    suite_add_tcase(suite, cases);

    TCase *crowd = tcase_create("crowd");
    tcase_set_timeout(crowd, 90);
    tcase_add_checked_fixture(crowd, start, stop);
    tcase_add_test(crowd, thousands_of_waits_are_held_at_once_and_each_gets_its_own_echo);
    suite_add_tcase(suite, crowd);
    return suite;
}

int main(void)
{
    return suite_run(faults_suite());
}
