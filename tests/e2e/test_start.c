/* Starting the program: its command line, its environment, its exit codes, and the one line that says it is ready. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ensure.h"
#include "bridge.h"
#include "check_main.h"

static struct bridge bridge;

static void set_up(void)
{
    bridge_start_sim(&bridge);
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = BRIDGE_MODEL, .official = true});
}

static void tear_down(void)
{
    bridge_stop(&bridge);
}

/* Runs the program to its end; the exit code. What it wrote can be looked at until the test ends. */
static int run_to_end(const struct daemon_options *options)
{
    bridge.daemon = daemon_spawn(options);
    return daemon_wait_exit(bridge.daemon, daemon_patience_ms());
}

static void expect_log(const char *text)
{
    char *log = daemon_log(bridge.daemon);
    ck_assert_msg(strstr(log, text) != NULL, "\"%s\" is not in: %s", text, log);
    free(log);
}

static void start(const struct daemon_options *options)
{
    bridge.daemon = daemon_start(options);
    ck_assert_ptr_nonnull(bridge.daemon);
    bridge.port = daemon_port(bridge.daemon);
}

/* The model answers with what it was asked, so it was reached. */
static void expect_echo(const char *model)
{
    struct http_response response = {0};
    bridge_chat(&bridge, model, "hello there", &response);
    ck_assert_msg(response.status == 200, "status %d: %s", response.status, response.body);
    ck_assert_ptr_nonnull(strstr(response.body, "hello there"));
    http_response_dispose(&response);
}

/* A port that is free now, held by nobody. */
static int free_port(int *holder)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    *holder = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(*holder, 0);
    ck_assert_int_eq(bind(*holder, (struct sockaddr *)&address, length), 0);
    ck_assert_int_eq(listen(*holder, 1), 0);
    ck_assert_int_eq(getsockname(*holder, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin_port);
}

/* ---- told and done ---- */

static const struct {
    const char *flag, *answer;
} informative[] = {
    {"--version", "replibridge "},
    {"-v", "replibridge "},
    {"--help", "Usage: replibridge"},
};

START_TEST(a_question_about_the_program_is_answered_and_ends_with_0)
{
    const char *arguments[] = {informative[_i].flag, NULL};
    ck_assert_int_eq(run_to_end(&(struct daemon_options){.bare = true, .arguments = arguments}), 0);
    expect_log(informative[_i].answer);
}
END_TEST

static const struct {
    const char *arguments[3];
    const char *named;
} misused[] = {
    {{"--nonsense"}, "nonsense"},
    {{"--port", "many"}, "--port"},
    {{"--port", "65536"}, "--port"},
    {{"--port", "-1"}, "--port"},
    {{"--port"}, "port"},
    {{"--log-level", "loud"}, "--log-level"},
    {{"stray"}, "stray"},
    {{"--alias", "fast"}, "--model"},
    {{"--num_workers", "0"}, "--num_workers"},
    {{"--max_budget", "5"}, "--max_budget: spending is not counted here"},
    {{"--test"}, "--test: no test request is sent"},
    {{"--ssl_keyfile_path", "x"}, "--ssl_keyfile_path: TLS is not spoken here"},
    {{"--ssl_certfile_path", "x"}, "--ssl_certfile_path: TLS is not spoken here"},
    {{"--port", ""}, "--port"},
};

START_TEST(bad_usage_ends_with_2_and_names_the_flag)
{
    const struct daemon_options options = {.bare = true,
                                           .arguments = misused[_i].arguments,
                                           .environment = (const char *[]){"REPLICATE_API_TOKEN=test-token", NULL}};
    ck_assert_int_eq(run_to_end(&options), 2);
    expect_log(misused[_i].named);
}
END_TEST

#define WITH_PARAMS "replicate:\n  token: test-token\nmodels:\n  a:\n    model: acme/writer\n    params: "

static const struct {
    const char *config;
    const char *said[3];
} broken[] = {
    {"models:\n  a: acme/writer\ntiemout: 5s\n", {":3:", "tiemout", "timeout"}},
    {"models:\n  a:\n    model: acme/writer\n    timeout: soon\n", {":4:", "timeout"}},
    {"models:\n  a: acme/writer\nworkers: 1000\n", {":3:", "workers"}},
    {"models:\n  a: acme/writer\nreplicate:\n  token: ${NO_SUCH_VARIABLE}\n", {":4:", "NO_SUCH_VARIABLE"}},
    {"models:\n  a: not a model\n", {":2:", "owner/name"}},
    {"models: [\n", {"config.yaml:"}},
    {WITH_PARAMS "{temperature: 9}\n", {"config.yaml: model `a`", "`temperature`", "between 0 and 2"}},
    {WITH_PARAMS "{top_p: 0.5, stop: [7]}\n", {"config.yaml: model `a`", "stop[0]"}},
    {"models:\n  a: [acme/writer, {model: acme/other, params: {temperature: 9}}]\nreplicate: {token: test-token}\n",
     {"config.yaml: model `a`", "`temperature`", "between 0 and 2"}},
    {"listen: 127.0.0.1:0\n", {"models"}},
    {"", {"models"}},
    {"models:\n  a: acme/writer\nreplicate:\n  token: test-token\nkeys: []\n", {":5:", "keys"}},
};

START_TEST(a_bad_configuration_ends_with_1_and_names_file_line_and_key)
{
    ck_assert_int_eq(run_to_end(&(struct daemon_options){.config = broken[_i].config}), 1);
    for (size_t i = 0; i < 3 && broken[_i].said[i] != NULL; i++)
        expect_log(broken[_i].said[i]);
}
END_TEST

START_TEST(a_check_says_the_same_of_a_bad_configuration)
{
    const struct daemon_options options = {.config = broken[_i].config, .arguments = (const char *[]){"--check", NULL}};
    ck_assert_int_eq(run_to_end(&options), 1);
    expect_log(broken[_i].said[0]);
}
END_TEST

START_TEST(a_file_that_is_not_there_ends_with_1)
{
    const char *arguments[] = {"--config", "/nonexistent/replibridge.yaml", NULL};
    ck_assert_int_eq(run_to_end(&(struct daemon_options){.bare = true, .arguments = arguments}), 1);
    expect_log("/nonexistent/replibridge.yaml");
}
END_TEST

START_TEST(with_neither_a_file_nor_a_token_it_says_what_to_set)
{
    ck_assert_int_eq(run_to_end(&(struct daemon_options){.bare = true}), 1);
    expect_log("REPLICATE_API_TOKEN");
}
END_TEST

START_TEST(a_port_that_is_taken_ends_with_3_and_is_named)
{
    int holder, port = free_port(&holder);
    char text[16], *config = bridge_config(&bridge, "");
    snprintf(text, sizeof text, "%d", port);
    const struct daemon_options options = {
        .bare = true, .config = config, .arguments = (const char *[]){"-c", "@CONFIG@", "--port", text, NULL}};
    int code = run_to_end(&options);
    close(holder);
    free(config);
    ck_assert_int_eq(code, 3);
    expect_log(text);
}
END_TEST

static const char *const check_flags[] = {"--check", "--validate_config"};

START_TEST(a_check_lists_what_is_ignored_and_touches_no_network)
{
    char *config =
        xasprintf("model_list:\n  - model_name: kimi\n    litellm_params:\n      model: replicate/acme/writer\n"
                  "      api_base: %s\n      api_key: test-token\n"
                  "litellm_settings:\n  telemetry: false\n  no_such_setting: 1\n",
                  replicate_sim_base_url(bridge.sim));
    const struct daemon_options options = {.config = config, .arguments = (const char *[]){check_flags[_i], NULL}};
    int code = run_to_end(&options);
    free(config);
    ck_assert_int_eq(code, 0);
    expect_log("no_such_setting");
    expect_log("config OK");
    ck_assert(!daemon_log_contains(bridge.daemon, "listening on"));
    struct sim_counters counters;
    replicate_sim_counters(bridge.sim, &counters);
    ck_assert_uint_eq(counters.accepted_connections, 0);
}
END_TEST

/* ---- serving ---- */

START_TEST(a_file_is_served_once_the_ready_line_is_out)
{
    char *config = bridge_config(&bridge, "");
    start(&(struct daemon_options){.config = config});
    free(config);
    ck_assert_str_eq(daemon_host(bridge.daemon), "127.0.0.1");
    ck_assert_int_eq(daemon_log_count(bridge.daemon, "listening on"), 1);
    expect_echo("writer");
}
END_TEST

START_TEST(a_token_alone_serves_any_model_by_its_own_name)
{
    char *base = xasprintf("REPLICATE_API_BASE=%s", replicate_sim_base_url(bridge.sim));
    start(&(struct daemon_options){.environment = (const char *[]){"REPLICATE_API_TOKEN=test-token", base, NULL}});
    free(base);
    expect_echo(BRIDGE_MODEL);
    expect_echo("replicate/" BRIDGE_MODEL);
}
END_TEST

/* Where all models come by wildcards, the list that messages else point to is empty. */
START_TEST(with_wildcards_alone_messages_say_how_to_name_a_model)
{
    static const char *const bodies[] = {"{\"model\":\"other\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}",
                                         "{\"model\":\"\"}", "{}"};
    char *config = xasprintf("replicate:\n  token: test-token\n  base_url: %s\nmodels:\n  \"acme/*\": \"acme/*\"\n",
                             replicate_sim_base_url(bridge.sim));
    start(&(struct daemon_options){.config = config});
    free(config);
    expect_echo(BRIDGE_MODEL);
    struct http_response response = {0};
    const struct http_request request = {.path = "/v1/chat/completions", .body = bodies[_i]};
    ck_assert(http_exchange(bridge.port, &request, &response, daemon_patience_ms()));
    ck_assert_int_eq(response.status, _i == 0 ? 404 : 400);
    ck_assert_msg(strstr(response.body, "Use a model reference such as owner/name.") != NULL, "%s", response.body);
    ck_assert_ptr_null(strstr(response.body, "GET /v1/models"));
    http_response_dispose(&response);
}
END_TEST

START_TEST(one_alias_needs_no_file)
{
    char *base = xasprintf("REPLICATE_API_BASE=%s", replicate_sim_base_url(bridge.sim));
    start(&(struct daemon_options){.environment = (const char *[]){"REPLICATE_API_TOKEN=test-token", base, NULL},
                                   .arguments = (const char *[]){"--model", BRIDGE_MODEL, "--alias", "fast", NULL}});
    free(base);
    expect_echo("fast");
    struct http_response response = {0};
    bridge_chat(&bridge, BRIDGE_MODEL, "hello", &response);
    bridge_expect_error(&response, 404, "model_not_found", "*");
    http_response_dispose(&response);
}
END_TEST

START_TEST(the_environment_can_name_the_file_the_host_and_the_port)
{
    int holder, port = free_port(&holder);
    close(holder);
    char *config = bridge_config(&bridge, "listen: 127.0.0.1:1\n");
    char text[32];
    snprintf(text, sizeof text, "PORT=%d", port);
    const char *environment[] = {"CONFIG_FILE_PATH=@CONFIG@", "HOST=localhost", text, NULL};
    start(&(struct daemon_options){.bare = true, .config = config, .environment = environment});
    free(config);
    ck_assert_str_eq(daemon_host(bridge.daemon), "localhost");
    ck_assert_int_eq(bridge.port, port);
}
END_TEST

START_TEST(flags_override_the_environment_and_the_file)
{
    char *config = bridge_config(&bridge, "listen: 127.0.0.1:1\n");
    const char *environment[] = {"HOST=192.0.2.1", "PORT=2", NULL};
    start(&(struct daemon_options){
        .config = config, .environment = environment, .arguments = (const char *[]){"--host", "127.0.0.1", NULL}});
    free(config);
    ck_assert_str_eq(daemon_host(bridge.daemon), "127.0.0.1");
    expect_echo("writer");
}
END_TEST

START_TEST(a_flag_of_litellms_without_meaning_is_named_and_ignored)
{
    char *config = bridge_config(&bridge, "");
    start(&(struct daemon_options){.config = config,
                                   .arguments = (const char *[]){"--telemetry", "False", "--detailed_debug", NULL}});
    free(config);
    expect_log("--telemetry");
    expect_echo("writer");
}
END_TEST

START_TEST(json_logs_go_before_the_format_of_the_file)
{
    static const char *const flags[] = {"--json_logs", "--json-logs"};
    char *config = bridge_config(&bridge, "log: {format: text}\n");
    start(&(struct daemon_options){.config = config, .arguments = (const char *[]){flags[_i], NULL}});
    free(config);
    expect_echo("writer");
    ck_assert(daemon_log_wait(bridge.daemon, "{\"", daemon_patience_ms()));
}
END_TEST

static Suite *start_suite(void)
{
    Suite *suite = suite_create("start");
    TCase *tcase = tcase_create("told and done");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 30);
    tcase_add_loop_test(tcase, a_question_about_the_program_is_answered_and_ends_with_0, 0,
                        sizeof informative / sizeof *informative);
    tcase_add_loop_test(tcase, bad_usage_ends_with_2_and_names_the_flag, 0, sizeof misused / sizeof *misused);
    tcase_add_loop_test(tcase, a_bad_configuration_ends_with_1_and_names_file_line_and_key, 0,
                        sizeof broken / sizeof *broken);
    tcase_add_loop_test(tcase, a_check_says_the_same_of_a_bad_configuration, 0, sizeof broken / sizeof *broken);
    tcase_add_test(tcase, a_file_that_is_not_there_ends_with_1);
    tcase_add_test(tcase, with_neither_a_file_nor_a_token_it_says_what_to_set);
    tcase_add_test(tcase, a_port_that_is_taken_ends_with_3_and_is_named);
    tcase_add_loop_test(tcase, a_check_lists_what_is_ignored_and_touches_no_network, 0,
                        sizeof check_flags / sizeof *check_flags);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("serving");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, a_file_is_served_once_the_ready_line_is_out);
    tcase_add_test(tcase, a_token_alone_serves_any_model_by_its_own_name);
    tcase_add_loop_test(tcase, with_wildcards_alone_messages_say_how_to_name_a_model, 0, 3);
    tcase_add_test(tcase, one_alias_needs_no_file);
    tcase_add_test(tcase, the_environment_can_name_the_file_the_host_and_the_port);
    tcase_add_test(tcase, flags_override_the_environment_and_the_file);
    tcase_add_test(tcase, a_flag_of_litellms_without_meaning_is_named_and_ignored);
    tcase_add_loop_test(tcase, json_logs_go_before_the_format_of_the_file, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(start_suite());
}
