/* Replicate that is not to be reached, or not to be trusted: a name that does not resolve, a port where nobody listens,
 * TLS that fails. Nothing is created then, so the client may try again; and neither its prompt nor the token goes out.
 *
 * Clocks that jump have no test: the program reads no clock for its waits but the monotonic one (base/clock.c), and the
 * other cannot be turned for one process without tools that are seldom installed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "chat_case.h"
#include "chat_stream.h"
#include "check_main.h"
#include "tls_server.h"

static struct bridge bridge;
static struct tls_server *tls;
static struct stream_client client;

static void tear_down(void)
{
    stream_dispose(&client);
    chat_case_stop(&bridge);
    tls_server_stop(&tls);
}

static const struct chat_error unavailable = {503, "server_error", "upstream_unavailable", NULL, true, NULL};

/* With the place of Replicate as it is to be, and what else stands in that section. */
static void start(const char *base_url, const char *more, bool reads_schema)
{
    char *config = xasprintf("models: {writer: acme/writer}\ntimeout: 20s\nread_schema: %s\n"
                             "replicate: {base_url: \"%s\", token: test-token, retries: 1, connect_timeout: 2s%s}\n",
                             reads_schema ? "true" : "false", base_url, more);
    chat_case_start(&bridge, config);
    free(config);
}

/* Whole, and streamed. */
static void expect_unavailable(const char *says)
{
    struct http_response response = {0};
    struct chat_error expected = unavailable;
    expected.says = says;
    chat_case_run(&bridge, &(struct chat_case){0}, &response);
    chat_case_expect_error(&response, &expected);
    chat_case_expect_header(&response, "x-replicate-prediction-id", NULL);
    http_response_dispose(&response);
    chat_stream_begin(&bridge, &(struct chat_case){0}, &client);
    chat_stream_finish(&client);
    chat_stream_expect_refused(&client, &expected);
    bridge_expect_metric(&bridge, "replibridge_predictions", 0);
}

static const char *const unreachable[] = {
    "http://nonexistent.invalid/v1", /* the name is reserved for that */
    "https://nonexistent.invalid/v1",
    "http://127.0.0.1:1/v1", /* nobody listens */
    "http://[::1]:1/v1",
};

START_TEST(who_cannot_be_reached_is_said_to_be_unavailable)
{
    start(unreachable[_i], "", false);
    expect_unavailable("could not be reached");
}
END_TEST

START_TEST(a_proxy_that_cannot_be_reached_is_no_different)
{
    static const char *const proxies[] = {", proxy: \"http://127.0.0.1:1\"", ", proxy: \"socks5h://127.0.0.1:1\"",
                                          ", proxy: \"http://nonexistent.invalid:3128\""};
    start("http://127.0.0.1:1/v1", proxies[_i], false);
    expect_unavailable("could not be reached");
}
END_TEST

/* The simulator hears the beginning of TLS, which is no request. */
START_TEST(tls_with_somebody_who_speaks_plain_http_fails)
{
    bridge_start_sim(&bridge);
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = BRIDGE_MODEL, .official = true});
    replicate_sim_expect(bridge.sim, SIM_EXPECT_INVALID, SIM_FOREVER);
    replicate_sim_expect(bridge.sim, SIM_EXPECT_UNKNOWN_PATH, SIM_FOREVER);
    char *base_url = xasprintf("https://127.0.0.1:%d/v1", replicate_sim_port(bridge.sim));
    start(base_url, "", false);
    free(base_url);
    expect_unavailable("could not be reached");
    ck_assert_uint_eq(chat_case_creates(&bridge), 0);
}
END_TEST

START_TEST(a_certificate_that_nobody_vouches_for_is_not_trusted)
{
    if (!tls_server_is_possible())
        return;
    tls = tls_server_start();
    char *base_url = xasprintf("https://127.0.0.1:%d/v1", tls_server_port(tls));
    start(base_url, "", false);
    free(base_url);
    expect_unavailable("certificate");
}
END_TEST

/* The same one, once the operator vouches for it: now the server is spoken to, and is not Replicate. */
START_TEST(a_certificate_that_the_operator_names_is_trusted)
{
    if (!tls_server_is_possible())
        return;
    tls = tls_server_start();
    char *base_url = xasprintf("https://127.0.0.1:%d/v1", tls_server_port(tls));
    char *more = xasprintf(", ca_file: \"%s\"", tls_server_certificate(tls));
    start(base_url, more, true);
    free(base_url);
    free(more);
    /* The server's page about itself is no document of a model. */
    ck_assert(daemon_log_wait(bridge.daemon, "schema_failed", daemon_patience_ms()));
    ck_assert_msg(!daemon_log_contains(bridge.daemon, "certificate"), "it is not trusted");
}
END_TEST

START_TEST(a_certificate_for_another_name_is_not_trusted)
{
    if (!tls_server_is_possible())
        return;
    tls = tls_server_start();
    char *base_url = xasprintf("https://localhost:%d/v1", tls_server_port(tls));
    char *more = xasprintf(", ca_file: \"%s\"", tls_server_certificate(tls));
    start(base_url, more, false);
    free(base_url);
    free(more);
    expect_unavailable("localhost");
}
END_TEST

static Suite *network_suite(void)
{
    Suite *suite = suite_create("faults: network");
    TCase *tcase = tcase_create("network");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 90);
    tcase_add_loop_test(tcase, who_cannot_be_reached_is_said_to_be_unavailable, 0,
                        sizeof unreachable / sizeof *unreachable);
    tcase_add_loop_test(tcase, a_proxy_that_cannot_be_reached_is_no_different, 0, 3);
    tcase_add_test(tcase, tls_with_somebody_who_speaks_plain_http_fails);
    tcase_add_test(tcase, a_certificate_that_nobody_vouches_for_is_not_trusted);
    tcase_add_test(tcase, a_certificate_that_the_operator_names_is_trusted);
    tcase_add_test(tcase, a_certificate_for_another_name_is_not_trusted);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(network_suite());
}
