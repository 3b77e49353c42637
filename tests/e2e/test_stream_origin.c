/* Where a stream's URL may lead, and who is shown the token: the API's own origin, and nobody else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "chat_stream.h"
#include "check_main.h"

static struct bridge bridge;
static struct stream_client client;

static const char *const pieces[] = {"no", " secrets", " here"};

static struct sim_plan telling_plan(void)
{
    return (struct sim_plan){.model = BRIDGE_MODEL,
                             .official = true,
                             .pieces = pieces,
                             .piece_count = 3,
                             .piece_ms = 30,
                             .stream.offered = true};
}

static void start(bool separate_streams, const struct sim_plan *plan, const char *more)
{
    chat_case_start_with(&bridge, &(struct replicate_sim_options){.separate_streams = separate_streams}, plan, more);
}

static void tear_down(void)
{
    stream_dispose(&client);
    chat_case_stop(&bridge);
}

static void run(void)
{
    chat_stream_begin(&bridge, &(struct chat_case){0}, &client);
    chat_stream_finish(&client);
    chat_stream_expect_text(&client, "the answer", "no secrets here");
}

/* No request for a stream holds this header, and none the token anywhere. */
static void expect_no_stream_was_shown(const char *header)
{
    char value[256];
    size_t count = replicate_sim_request_count(bridge.sim, SIM_STREAM);
    for (size_t i = 0; i < count; i++) {
        const struct sim_request *request = replicate_sim_request(bridge.sim, SIM_STREAM, i);
        ck_assert_msg(!sim_request_header(request, header, value, sizeof value), "a stream was shown %s", header);
        ck_assert_msg(strstr(request->headers, "test-token") == NULL, "a stream was shown the token");
        ck_assert_ptr_null(strstr(request->path, "test-token"));
    }
}

/* Another port is another origin, although the host may be talked to. */
START_TEST(another_origin_never_sees_the_token)
{
    struct sim_counters counters;
    struct sim_plan plan = telling_plan();
    plan.stream.fault = _i == 0 ? SIM_STREAM_FINE : SIM_STREAM_CUT;
    plan.stream.fault_after = 1;
    start(true, &plan, "");
    run();
    replicate_sim_counters(bridge.sim, &counters);
    ck_assert_uint_eq(counters.streams_opened, _i == 0 ? 1 : 2); /* and with an id, when it is gone on with */
    ck_assert_uint_eq(counters.stream_authorized, 0);
    expect_no_stream_was_shown("Authorization");
}
END_TEST

START_TEST(another_origin_never_sees_the_headers_of_the_operator)
{
    char value[64];
    struct sim_plan plan = telling_plan();
    start(true, &plan, "  headers: {X-Team-Secret: test-secret}\n");
    run();
    ck_assert_uint_eq(replicate_sim_request_count(bridge.sim, SIM_STREAM), 1);
    expect_no_stream_was_shown("X-Team-Secret");
    ck_assert(
        sim_request_header(replicate_sim_request(bridge.sim, SIM_CREATE, 0), "X-Team-Secret", value, sizeof value));
}
END_TEST

START_TEST(a_request_for_a_stream_asks_for_events_that_are_fresh)
{
    char value[64];
    struct sim_plan plan = telling_plan();
    start(false, &plan, "");
    run();
    const struct sim_request *request = replicate_sim_request(bridge.sim, SIM_STREAM, 0);
    ck_assert_ptr_nonnull(request);
    ck_assert_str_eq(request->method, "GET");
    ck_assert(sim_request_header(request, "Accept", value, sizeof value));
    ck_assert_str_eq(value, "text/event-stream");
    ck_assert(sim_request_header(request, "Cache-Control", value, sizeof value));
    ck_assert_str_eq(value, "no-store");
    ck_assert(!sim_request_header(request, "Last-Event-ID", value, sizeof value));
}
END_TEST

START_TEST(a_stream_that_is_gone_on_with_names_the_last_event)
{
    char value[64];
    struct sim_plan plan = telling_plan();
    plan.stream.fault = SIM_STREAM_END;
    plan.stream.fault_after = 2;
    start(false, &plan, "");
    run();
    ck_assert_uint_eq(replicate_sim_request_count(bridge.sim, SIM_STREAM), 2);
    const struct sim_request *again = replicate_sim_request(bridge.sim, SIM_STREAM, 1);
    ck_assert(sim_request_header(again, "Last-Event-ID", value, sizeof value));
    ck_assert_ptr_nonnull(strchr(value, ':'));
}
END_TEST

/* A URL that the answer of a create names may lead anywhere: it is not followed, and the text is polled. */
static const char *const strange_urls[] = {
    "http://localhost:%d/v1/streams/abc",
    "http://127.0.0.2:%d/v1/streams/abc",
    "http://127.0.0.1.example.com:%d/v1/streams/abc",
    "http://replicate.com@127.0.0.1:%d/v1/streams/abc",
    "http://2130706433:%d/v1/streams/abc",
    "ftp://127.0.0.1:%d/v1/streams/abc",
    "//127.0.0.1:%d/v1/streams/abc",
    "http://127.0.0.1:%d/v1/streams/a b\\r\\nX-Smuggled: 1",
};

START_TEST(a_stream_of_a_stranger_is_not_asked_for)
{
    struct sim_plan plan = telling_plan();
    bridge_start_sim(&bridge);
    char *url = xasprintf("%s", strange_urls[_i]), *at = strstr(url, "%d");
    char *whole = xasprintf("%.*s%d%s", (int)(at - url), url, replicate_sim_port(bridge.sim), at + 2);
    plan.stream_url = whole;
    replicate_sim_plan(bridge.sim, &plan);
    char *config = bridge_config(&bridge, "");
    chat_case_start(&bridge, config);
    run();
    ck_assert_uint_eq(replicate_sim_request_count(bridge.sim, SIM_STREAM), 0);
    ck_assert_uint_eq(replicate_sim_request_count(bridge.sim, SIM_UNKNOWN), 0);
    free(config);
    free(whole);
    free(url);
}
END_TEST

/* The second port stands for a stranger: it is reached by a redirect alone. */
START_TEST(a_redirect_takes_the_token_nowhere)
{
    struct sim_counters counters;
    struct sim_plan plan = telling_plan();
    bridge.sim = replicate_sim_start(&(struct replicate_sim_options){.separate_streams = true});
    char *url = xasprintf("http://127.0.0.1:%d/v1/redirected", replicate_sim_port(bridge.sim));
    char *location =
        xasprintf("Location: http://localhost:%d/v1/streams/abc\r\n", replicate_sim_stream_port(bridge.sim));
    plan.stream_url = url;
    replicate_sim_plan(bridge.sim, &plan);
    replicate_sim_expect(bridge.sim, SIM_EXPECT_UNKNOWN_PATH, SIM_FOREVER);
    replicate_sim_fault(
        bridge.sim, SIM_UNKNOWN,
        &(struct sim_fault_spec){
            .fault = SIM_FAULT_STATUS, .status = _i == 0 ? 302 : 307, .headers = location, .count = SIM_FOREVER});
    char *config = bridge_config(&bridge, "");
    chat_case_start(&bridge, config);
    run();
    replicate_sim_counters(bridge.sim, &counters);
    ck_assert_uint_ge(replicate_sim_request_count(bridge.sim, SIM_UNKNOWN), 1);
    ck_assert_uint_eq(counters.stream_authorized, 0);
    ck_assert_uint_eq(replicate_sim_request_count(bridge.sim, SIM_STREAM), 0);
    free(config);
    free(location);
    free(url);
}
END_TEST

static Suite *origin_suite(void)
{
    Suite *suite = suite_create("origins of streams");
    TCase *tcase = tcase_create("the token");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, another_origin_never_sees_the_token, 0, 2);
    tcase_add_test(tcase, another_origin_never_sees_the_headers_of_the_operator);
    tcase_add_test(tcase, a_request_for_a_stream_asks_for_events_that_are_fresh);
    tcase_add_test(tcase, a_stream_that_is_gone_on_with_names_the_last_event);
    tcase_add_loop_test(tcase, a_stream_of_a_stranger_is_not_asked_for, 0, sizeof strange_urls / sizeof *strange_urls);
    tcase_add_loop_test(tcase, a_redirect_takes_the_token_nowhere, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(origin_suite());
}
