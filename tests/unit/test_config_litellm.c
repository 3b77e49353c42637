/* LiteLLM's dialect: the file of the well-known issue, every row of the table, and what they say together. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "check_main.h"
#include "config/config.h"
#include "config/litellm.h"
#include "config_case.h"

#define ENTRY(params) "model_list:\n  - model_name: m\n    litellm_params:\n      model: replicate/a/b\n" params

START_TEST(the_file_of_the_issue_loads_unchanged)
{
    struct config_options options = config_case_options();
    options.file = "config/litellm-issue-16801.yaml";
    struct config *config = config_case_load_options(&options);
    ck_assert_msg(config != NULL, "%s", config_case_message());
    ck_assert_uint_eq(config->route_count, 1);
    const struct route *route = config->routes[0];
    ck_assert_str_eq(route->alias, "kimi-k2");
    ck_assert_str_eq(route->reference, "moonshotai/kimi-k2-thinking");
    ck_assert_str_eq(route->token, "test-token");
    ck_assert_int_eq(route->timeout_ms, 60000);
    ck_assert_str_eq(route->timeout_key, "litellm_params.timeout of kimi-k2");
    ck_assert_int_eq(route->create_retries, 0);
    ck_assert_uint_eq(json_object_size(route->input), 0);
    ck_assert_int_eq(config->log.level, LOG_LEVEL_DEBUG);
    ck_assert_uint_eq(config->warning_count, 1);
    ck_assert_ptr_nonnull(strstr(config->warnings[0],
                                 "16801.yaml:8: model_list[0].litellm_params.replicate_deployment: "
                                 "has no effect; write model: replicate/deployments/owner/name"));
    config_unref(config);
}
END_TEST

/* A value that the key takes, for the rows that are done. */
static const char *sample(const struct litellm_row *row)
{
    static const struct {
        const char *key, *value;
    } samples[] = {
        {"drop_params", "true"},
        {"supports_system_prompt", "true"},
        {"merge_reasoning_content_in_choices", "true"},
        {"set_verbose", "true"},
        {"json_logs", "true"},
        {"extra_headers", "{X-A: b}"},
        {"model_group_alias", "{other: m}"},
        {"custom_llm_provider", "replicate"},
        {"default_litellm_params", "{temperature: 1}"},
        {"model_info", "{mode: chat}"},
        {"master_key", "sk-test"},
        {"completion_model", "m"},
        {"api_key", "test-key"},
        {"api_base", "'https://r.example'"},
        {"base_url", "'https://r.example'"},
        {"timeout", "77"},
        {"request_timeout", "77"},
        {"default_fallbacks", "[m]"},
        {"fallbacks", "[{m: [m]}]"},
        {"content_policy_fallbacks", "[{m: [m]}]"},
        {"disable_cooldowns", "true"},
        {"allowed_ips", "[10.0.0.1]"},
        {"use_x_forwarded_for", "true"},
    };
    if (row->section == LITELLM_PARAMS && row->native != NULL && strstr(row->native, "fallbacks") != NULL)
        return "[m]";
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        if (strcmp(samples[i].key, row->key) == 0)
            return samples[i].value;
    return "5";
}

/* A name that the row's pattern takes. */
static void name_for(const struct litellm_row *row, char *name, size_t size)
{
    snprintf(name, size, "%s", strcmp(row->key, "*_cost*") == 0 ? "input_cost_per_token" : row->key);
    if (strcmp(row->key, "redis_*") == 0)
        snprintf(name, size, "redis_host");
}

/* The smallest file in which the row's key stands, and its line. */
static char *file_with(const struct litellm_row *row, int *line)
{
    const char *value = sample(row);
    char key[64];
    name_for(row, key, sizeof key);
    static const char *const names[] = {[LITELLM_SETTINGS] = "litellm_settings",
                                        [LITELLM_ROUTER] = "router_settings",
                                        [LITELLM_GENERAL] = "general_settings"};
    *line = row->section == LITELLM_TOP || row->section == LITELLM_ENTRY || row->section == LITELLM_PARAMS ? 5 : 6;
    if (row->section == LITELLM_TOP)
        return xasprintf(ENTRY("%s: [x]\n"), key);
    if (row->section == LITELLM_ENTRY)
        return xasprintf(ENTRY("    %s: %s\n"), key, value);
    if (row->section == LITELLM_PARAMS)
        return xasprintf(ENTRY("      %s: %s\n"), key, value);
    return xasprintf(ENTRY("%s:\n  %s: %s\n"), names[row->section], key, value);
}

static bool is_structure(const struct litellm_row *row)
{
    static const char *const keys[] = {"model_list", "litellm_settings", "router_settings",       "general_settings",
                                       "model_name", "litellm_params",   "environment_variables", "include",
                                       "model"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(keys[i], row->key) == 0)
            return true;
    return false;
}

START_TEST(every_row_does_what_it_says)
{
    size_t count;
    const struct litellm_row *row = &litellm_rows(&count)[_i];
    char name[64];
    name_for(row, name, sizeof name);
    ck_assert_ptr_eq(litellm_find(row->section, name), row);
    if (is_structure(row))
        return; /* the other tests cannot do without it */
    int line;
    char *text = file_with(row, &line), *place = xasprintf("config.yaml:%d: ", line);
    struct config *config = config_case_load(text);
    if (row->treatment == LITELLM_REFUSE) {
        ck_assert_msg(config == NULL, "%s is not refused", row->key);
        ck_assert_msg(strstr(config_case_message(), place) != NULL, "%s", config_case_message());
        ck_assert_msg(strstr(config_case_message(), row->key) != NULL, "%s", config_case_message());
        ck_assert_msg(strstr(config_case_message(), row->sentence) != NULL, "%s", config_case_message());
    } else {
        ck_assert_msg(config != NULL, "%s: %s", row->key, config_case_message());
        ck_assert_uint_eq(config->warning_count, row->sentence != NULL ? 1 : 0);
        ck_assert(row->sentence == NULL || config_case_warns(config, row->sentence));
        ck_assert(row->sentence == NULL || config_case_warns(config, place));
        const struct route *route = config_find_route(config, "m");
        ck_assert_msg(json_object_get(route->input, name) == NULL, "%s went into the input", row->key);
    }
    config_unref(config);
    free(place);
    free(text);
}
END_TEST

START_TEST(what_limits_money_or_access_is_never_only_warned_about)
{
    static const char *const words[] = {"max_budget",    "allowed",   "auth",      "credential_name",
                                        "public_routes", "forwarded", "key_header"};
    size_t count;
    const struct litellm_row *rows = litellm_rows(&count);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < sizeof words / sizeof words[0]; j++)
            if (strstr(rows[i].key, words[j]) != NULL && strncmp(rows[i].key, "allowed_fails", 13) != 0 &&
                strcmp(rows[i].key, "allowed_openai_params") != 0 && strstr(rows[i].key, "clientside") == NULL)
                ck_assert_msg(rows[i].treatment == LITELLM_REFUSE || rows[i].treatment == LITELLM_DO, "%s",
                              rows[i].key);
}
END_TEST

START_TEST(parameters_inputs_and_limits_go_where_they_belong)
{
    struct config *config = config_case_must_load(
        ENTRY("      temperature: 0.5\n      stop: [END]\n      max_tokens: 100\n      top_k: 50\n      debug: yes\n"
              "      rpm: 60\n      max_parallel_requests: 3\n      supports_system_prompt: true\n"
              "      drop_params: true\n      extra_headers: {X-Team: a}\n      max_retries: 4\n"
              "      api_key: own-key\n      api_base: http://127.0.0.1:9\n    model_info: {mode: chat}\n"));
    const struct route *route = config->routes[0];
    ck_assert_double_eq(json_real_value(json_object_get(route->params, "temperature")), 0.5);
    ck_assert_uint_eq(json_object_size(route->params), 3);
    ck_assert_int_eq(json_integer_value(json_object_get(route->input, "top_k")), 50);
    ck_assert(json_is_true(json_object_get(route->input, "debug")));
    ck_assert_uint_eq(json_object_size(route->input), 2);
    ck_assert_int_eq(route->limits.requests_per_minute, 60);
    ck_assert_int_eq(route->limits.max_parallel, 3);
    ck_assert_str_eq(json_string_value(json_object_get(route->map, "system")), "system_prompt");
    ck_assert(route->drop_params);
    ck_assert_str_eq(route->headers[0].name, "X-Team");
    ck_assert_int_eq(route->create_retries, 4);
    ck_assert(config_case_warns(config, "max_retries: applies only before a prediction exists"));
    ck_assert_str_eq(route->token, "own-key");
    ck_assert_str_eq(route->base_url, "http://127.0.0.1:9/v1");
    ck_assert_str_eq(json_string_value(json_object_get(route->info, "mode")), "chat");
    config_unref(config);
}
END_TEST

START_TEST(general_settings_reach_their_fields)
{
    struct config *config = config_case_must_load(
        ENTRY("  - {model_name: n, litellm_params: {model: replicate/c/d}}\n"
              "general_settings:\n  master_key: os.environ/REPLICATE_API_KEY\n  max_parallel_requests: 5\n"
              "  global_max_parallel_requests: 9\n  max_request_size_mb: 1.5\n  completion_model: m\n"
              "litellm_settings: {json_logs: true}\n"));
    ck_assert_uint_eq(config->key_count, 1);
    ck_assert_str_eq(config->keys[0].name, "master");
    ck_assert_str_eq(config->keys[0].digest, "4c5dc9b7708905f77f5e5d16316b5dfb425e68cb326dcd55a860e90a7707031e");
    ck_assert_int_eq(config->routes[0]->limits.max_parallel, 5);
    ck_assert_int_eq(config->limits.max_parallel, 9);
    ck_assert_int_eq(config->max_body_bytes, 1536 * 1024);
    ck_assert_str_eq(config->completion_model, "m");
    ck_assert_str_eq(config_find_route(config, "n")->alias, "m");
    ck_assert_str_eq(config_find_route(config, "anything")->alias, "m");
    ck_assert_int_eq(config->log.format, LOG_FORMAT_JSON);
    config_unref(config);
}
END_TEST

START_TEST(a_completion_model_behind_a_wildcard_gets_a_route_of_its_own)
{
    struct config *config =
        config_case_must_load("model_list:\n  - {model_name: 'r/*', litellm_params: {model: 'replicate/*'}}\n"
                              "general_settings: {completion_model: r/a/b}\n");
    const struct route *route = config_find_route(config, "r/x/y");
    struct target target;
    ck_assert(route_target(route, "r/x/y", &target, NULL));
    ck_assert_str_eq(target.name, "a/b");
    target_dispose(&target);
    config_unref(config);
}
END_TEST

START_TEST(defaults_for_all_entries_lie_under_their_own_values)
{
    struct config *config = config_case_must_load(
        ENTRY("      temperature: 1\n  - {model_name: n, litellm_params: {model: replicate/c/d, timeout: 9}}\n"
              "router_settings:\n  default_litellm_params: {temperature: 0, seed: 7, top_k: 5, timeout: 11}\n"
              "  timeout: 10\n  num_retries: 1\n  default_max_parallel_requests: 2\n"
              "litellm_settings: {request_timeout: 12, num_retries: 3, drop_params: true}\n"));
    const struct route *m = config_find_route(config, "m"), *n = config_find_route(config, "n");
    ck_assert_int_eq(json_integer_value(json_object_get(m->params, "temperature")), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(n->params, "temperature")), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(m->params, "seed")), 7);
    ck_assert_int_eq(json_integer_value(json_object_get(m->input, "top_k")), 5);
    ck_assert_int_eq(m->timeout_ms, 11000);
    ck_assert_str_eq(m->timeout_key, "router_settings.default_litellm_params.timeout");
    ck_assert_int_eq(n->timeout_ms, 9000);
    ck_assert_str_eq(n->timeout_key, "litellm_params.timeout of n");
    ck_assert_int_eq(m->create_retries, 1);
    ck_assert_int_eq(m->limits.max_parallel, 2);
    ck_assert(m->drop_params);
    config_unref(config);
}
END_TEST

START_TEST(the_router_goes_before_litellm_settings)
{
    struct config *config =
        config_case_must_load("router_settings: {timeout: 10}\nlitellm_settings: {request_timeout: 12}\n" ENTRY(""));
    ck_assert_int_eq(config->routes[0]->timeout_ms, 10000);
    ck_assert_str_eq(config->routes[0]->timeout_key, "router_settings.timeout");
    config_unref(config);
    config_case_variable("LITELLM_REQUEST_TIMEOUT", "13");
    config = config_case_must_load("litellm_settings: {request_timeout: 12}\n" ENTRY(""));
    ck_assert_str_eq(config->routes[0]->timeout_key, "litellm_settings.request_timeout");
    config_unref(config);
    config = config_case_must_load(ENTRY(""));
    ck_assert_int_eq(config->routes[0]->timeout_ms, 13000);
    config_unref(config);
}
END_TEST

START_TEST(keys_of_streams_reach_their_fields)
{
    struct config *config = config_case_must_load(
        ENTRY("      keepalive_seconds: 300\n      merge_reasoning_content_in_choices: true\n      stream_timeout: 70\n"
              "      allow_client_keepalive_override: true\n"
              "  - {model_name: n, litellm_params: {model: replicate/c/d, timeout: 9}}\n"
              "litellm_settings: {sse_keepalive_ping_interval_seconds: 15}\nrouter_settings: {stream_timeout: 80}\n"));
    const struct route *m = config_find_route(config, "m"), *n = config_find_route(config, "n");
    ck_assert_int_eq(m->keepalive_ms, 300000);
    ck_assert_int_eq(m->reasoning, REASONING_OFF);
    ck_assert_int_eq(m->stream_timeout_ms, 70000);
    ck_assert_str_eq(m->stream_timeout_key, "litellm_params.stream_timeout of m");
    ck_assert_uint_eq(json_object_size(m->input), 0);
    ck_assert_int_eq(n->keepalive_ms, 15000);
    ck_assert_int_eq(n->reasoning, REASONING_AUTO);
    ck_assert_int_eq(n->timeout_ms, 9000);
    ck_assert_int_eq(n->stream_timeout_ms, 80000);
    ck_assert_str_eq(n->stream_timeout_key, "router_settings.stream_timeout");
    ck_assert_uint_eq(config->warning_count, 1);
    ck_assert(config_case_warns(config, "allow_client_keepalive_override: has no effect: clients cannot set"));
    config_unref(config);
}
END_TEST

START_TEST(an_entry_takes_back_what_the_defaults_say_of_streams)
{
    struct config *config = config_case_must_load(
        ENTRY("      keepalive_seconds: 0\n      merge_reasoning_content_in_choices: false\n      timeout: 9\n"
              "router_settings:\n  default_litellm_params:\n    merge_reasoning_content_in_choices: true\n"
              "    keepalive_seconds: 1\n    stream_timeout: 11\n"));
    const struct route *route = config->routes[0];
    ck_assert_int_eq(route->keepalive_ms, 0);
    ck_assert_int_eq(route->reasoning, REASONING_AUTO);
    ck_assert_int_eq(route->stream_timeout_ms, 11000);
    ck_assert_str_eq(route->stream_timeout_key, "router_settings.default_litellm_params.stream_timeout");
    config_unref(config);
}
END_TEST

START_TEST(a_stream_of_litellm_falls_back_to_the_variable_and_then_to_its_timeout)
{
    struct config *config = config_case_must_load(ENTRY("      timeout: 9\n"));
    ck_assert_int_eq(config->routes[0]->stream_timeout_ms, 9000);
    ck_assert_str_eq(config->routes[0]->stream_timeout_key, "litellm_params.timeout of m");
    config_unref(config);
    config_case_variable("LITELLM_MAX_STREAMING_DURATION_SECONDS", "12.5");
    config = config_case_must_load(ENTRY("      timeout: 9\n"));
    ck_assert_int_eq(config->routes[0]->stream_timeout_ms, 12500);
    ck_assert_str_eq(config->routes[0]->stream_timeout_key, "LITELLM_MAX_STREAMING_DURATION_SECONDS");
    ck_assert_uint_eq(config->warning_count, 0);
    config_unref(config);
    config = config_case_must_load(ENTRY("      stream_timeout: 8\n"));
    ck_assert_int_eq(config->routes[0]->stream_timeout_ms, 8000);
    config_unref(config);
}
END_TEST

START_TEST(what_is_switched_off_needs_no_warning_and_no_refusal)
{
    struct config *config =
        config_case_must_load(ENTRY("      replicate_deployment: false\n      max_budget: null\n      timeout: null\n"
                                    "general_settings: {use_x_forwarded_for: false}\nlitellm_settings: {cache: False}\n"
                                    "router_settings:\n"));
    ck_assert_uint_eq(config->warning_count, 0);
    ck_assert_uint_eq(config->key_count, 0);
    config_unref(config);
}
END_TEST

static Suite *config_litellm_suite(void)
{
    Suite *suite = suite_create("config_litellm");
    size_t count;
    litellm_rows(&count);
    TCase *keys = tcase_create("keys");
    tcase_add_checked_fixture(keys, config_case_setup, config_case_teardown);
    tcase_add_test(keys, the_file_of_the_issue_loads_unchanged);
    tcase_add_loop_test(keys, every_row_does_what_it_says, 0, (int)count);
    tcase_add_test(keys, what_limits_money_or_access_is_never_only_warned_about);
    tcase_add_test(keys, parameters_inputs_and_limits_go_where_they_belong);
    tcase_add_test(keys, general_settings_reach_their_fields);
    tcase_add_test(keys, a_completion_model_behind_a_wildcard_gets_a_route_of_its_own);
    tcase_add_test(keys, defaults_for_all_entries_lie_under_their_own_values);
    tcase_add_test(keys, the_router_goes_before_litellm_settings);
    tcase_add_test(keys, keys_of_streams_reach_their_fields);
    tcase_add_test(keys, an_entry_takes_back_what_the_defaults_say_of_streams);
    tcase_add_test(keys, a_stream_of_litellm_falls_back_to_the_variable_and_then_to_its_timeout);
    tcase_add_test(keys, what_is_switched_off_needs_no_warning_and_no_refusal);
    suite_add_tcase(suite, keys);
    return suite;
}

int main(void)
{
    return suite_run(config_litellm_suite());
}
