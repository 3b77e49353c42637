/* LiteLLM's dialect: entries, aliases, included files, variables, and everything that does not load. */
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "config/config.h"
#include "config_case.h"

#define ENTRY "model_list:\n  - {model_name: m, litellm_params: {model: replicate/a/b}}\n"

START_TEST(model_strings_become_references)
{
    static const struct {
        const char *params, *reference; /* NULL: the entry is skipped */
    } rows[] = {
        {"{model: replicate/owner/name}", "owner/name"},
        {"{model: replicate/deployments/owner/name}", "deployments/owner/name"},
        {"{model: owner/name, custom_llm_provider: replicate}", "owner/name"},
        {"{model: replicate/owner/name, custom_llm_provider: replicate}", "owner/name"},
        {"{model: owner/name}", NULL},
        {"{model: openai/gpt-4o}", NULL},
        {"{model: my-replicate-thing/x}", NULL},
        {"{model: replicate/owner/name, custom_llm_provider: openai}", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, ENTRY "  - model_name: x\n    litellm_params: %s\n", rows[i].params);
        struct config *config = config_case_must_load(text);
        const struct route *route = config_find_route(config, "x");
        if (rows[i].reference != NULL) {
            ck_assert_ptr_nonnull(route);
            ck_assert_str_eq(route->reference, rows[i].reference);
        } else {
            ck_assert_ptr_null(route);
            ck_assert(
                config_case_warns(config, "config.yaml:3: model_list[1]: \"x\" is skipped: it is not a model of"));
        }
        config_unref(config);
    }
}
END_TEST

START_TEST(a_provider_among_the_defaults_counts_for_entries_that_name_none)
{
    config_case_variable("PROVIDER", "replicate");
    struct config *config = config_case_must_load(
        "router_settings: {default_litellm_params: {custom_llm_provider: os.environ/PROVIDER}}\n"
        "model_list:\n  - {model_name: bare, litellm_params: {model: owner/name}}\n"
        "  - {model_name: prefixed, litellm_params: {model: replicate/c/d}}\n"
        "  - {model_name: other, litellm_params: {model: owner/name, custom_llm_provider: openai}}\n");
    ck_assert_str_eq(config_find_route(config, "bare")->reference, "owner/name");
    ck_assert_str_eq(config_find_route(config, "prefixed")->reference, "c/d");
    ck_assert_ptr_null(config_find_route(config, "other"));
    ck_assert_uint_eq(config->warning_count, 1);
    config_unref(config);
    config = config_case_must_load(
        "router_settings: {default_litellm_params: {custom_llm_provider: openai}}\n"
        "model_list:\n  - {model_name: own, litellm_params: {model: a/b, custom_llm_provider: replicate}}\n"
        "  - {model_name: none, litellm_params: {model: owner/name}}\n");
    ck_assert_ptr_nonnull(config_find_route(config, "own"));
    ck_assert_ptr_null(config_find_route(config, "none"));
    config_unref(config);
}
END_TEST

START_TEST(a_skipped_entry_needs_none_of_its_variables)
{
    struct config *config = config_case_must_load(
        ENTRY "  - model_name: gpt\n    litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_KEY}\n"
              "general_settings: {database_url: os.environ/NO_DATABASE}\n");
    ck_assert_uint_eq(config->route_count, 1);
    ck_assert_uint_eq(config->warning_count, 2);
    config_unref(config);
}
END_TEST

START_TEST(variables_are_filled_in_and_the_file_may_set_them)
{
    config_case_variable("LIMIT", "30");
    config_case_variable("FLAG", "True");
    struct config *config = config_case_must_load(
        "environment_variables: {MY_TOKEN: file-token, REPLICATE_API_KEY: from-file, COPY: os.environ/LIMIT}\n"
        "model_list:\n  - model_name: m\n    litellm_params:\n      model: replicate/a/b\n"
        "      api_key: os.environ/MY_TOKEN\n      timeout: \"os.environ/COPY\"\n      drop_params: os.environ/FLAG\n"
        "      top_k: os.environ/LIMIT\n  - {model_name: n, litellm_params: {model: replicate/c/d}}\n");
    const struct route *m = config_find_route(config, "m");
    ck_assert_str_eq(m->token, "file-token");
    ck_assert_int_eq(m->timeout_ms, 30000);
    ck_assert(m->drop_params);
    ck_assert_int_eq(json_integer_value(json_object_get(m->input, "top_k")), 30);
    ck_assert_str_eq(config_find_route(config, "n")->token, "from-file");
    config_unref(config);
}
END_TEST

START_TEST(the_key_goes_before_the_token)
{
    config_case_variable("REPLICATE_API_TOKEN", "second");
    struct config *config = config_case_must_load(ENTRY);
    ck_assert_str_eq(config->routes[0]->token, "test-token");
    config_unref(config);
    config_case_variable("REPLICATE_API_KEY", "");
    config = config_case_must_load(ENTRY);
    ck_assert_str_eq(config->routes[0]->token, "second");
    config_unref(config);
    config_case_variable("LITELLM_MASTER_KEY", "sk-env");
    config = config_case_must_load(ENTRY "general_settings: {master_key: sk-file}\n");
    ck_assert_uint_eq(config->key_count, 1);
    ck_assert_str_eq(config->keys[0].digest, "56db4979a65adef275237c149b4301c860444dccffc0121484d9d7993c682527");
    config_unref(config);
}
END_TEST

START_TEST(aliases_of_the_router_are_routes)
{
    struct config *config = config_case_must_load(
        ENTRY "router_settings:\n  model_group_alias:\n    gpt-4: m\n    gpt-5: {model: m, hidden: true}\n");
    ck_assert_str_eq(config_find_route(config, "gpt-4")->reference, "a/b");
    ck_assert_str_eq(config_find_route(config, "gpt-5")->reference, "a/b");
    ck_assert(config_case_warns(config, "model_group_alias.gpt-5: hidden has no effect"));
    config_unref(config);
}
END_TEST

START_TEST(an_alias_is_skipped_with_its_model)
{
    struct config *config =
        config_case_must_load(ENTRY "  - {model_name: gpt, litellm_params: {model: openai/gpt-4o}}\n"
                                    "router_settings: {model_group_alias: {fast: gpt, slow: m}}\n");
    ck_assert_ptr_null(config_find_route(config, "fast"));
    ck_assert_ptr_nonnull(config_find_route(config, "slow"));
    ck_assert_uint_eq(config->warning_count, 2);
    ck_assert(config_case_warns(config, "config.yaml:4: router_settings.model_group_alias.fast: skipped with its"));
    config_unref(config);
}
END_TEST

START_TEST(included_files_are_found_beside_the_file_and_added)
{
    config_case_file("more.yaml", "model_list:\n  - {model_name: more, litellm_params: {model: replicate/c/d}}\n"
                                  "include: [deeper.yaml]\n");
    config_case_file("deeper.yaml", "litellm_settings: {request_timeout: 42}\nenvironment_variables: {X: 1}\n");
    struct config *config = config_case_must_load(ENTRY "include: more.yaml\n");
    ck_assert_uint_eq(config->route_count, 2);
    ck_assert_int_eq(config_find_route(config, "more")->timeout_ms, 42000);
    ck_assert_str_eq(config_find_route(config, "m")->timeout_key, "litellm_settings.request_timeout");
    config_unref(config);
    config_case_refuses(ENTRY "include:\n  - absent.yaml\n", "absent.yaml: the file cannot be opened");
    config_case_file("more.yaml", "litellm_settings:\n  fallbacks: [x]\n");
    config_case_refuses(ENTRY "include: [more.yaml]\n",
                        "more.yaml:2: litellm_settings.fallbacks[0]: this must be a map such as");
    config_case_file("more.yaml", "- list\n");
    config_case_refuses(ENTRY "include: [more.yaml]\n", "config.yaml:3: include[0]: the included file must be a map");
}
END_TEST

START_TEST(files_that_include_each_other_are_refused)
{
    config_case_refuses(ENTRY "include: [config.yaml]\n", "config.yaml:3: include[0]: this file includes itself");
    config_case_file("one.yaml", "include: [./two.yaml]\n");
    config_case_file("two.yaml", "include: [one.yaml]\n");
    config_case_refuses(ENTRY "include: [one.yaml]\n", "two.yaml:1: include[0]: this file includes itself");
    /* No circle, but each file twice as often as the one before: the number of files is bounded. */
    const char *const names[] = {"a.yaml", "b.yaml", "c.yaml", "d.yaml", "e.yaml", "f.yaml", "g.yaml"};
    for (size_t i = 0; i + 1 < sizeof names / sizeof names[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "include: [%s, %s]\n", names[i + 1], names[i + 1]);
        config_case_file(names[i], text);
    }
    config_case_file("g.yaml", "litellm_settings:\n");
    config_case_refuses(ENTRY "include: [a.yaml]\n", "or more than 32 in all");
}
END_TEST

static const struct {
    const char *text, *part;
} faults[] = {
    {"model_list:\n", "no entry of model_list is a model of Replicate"},
    {"model_list: []\n", "no entry of model_list is a model of Replicate"},
    {"model_list: [{model_name: x, litellm_params: {model: openai/gpt-4o}}]\n", "no entry of model_list is a model"},
    {"litellm_settings: {}\n", "no entry of model_list"},
    {"model_list: {}\n", "config.yaml:1: model_list: this must be a list of entries"},
    {"model_list: [text]\n", "config.yaml:1: model_list[0]: an entry needs model_name and litellm_params"},
    {"model_list: [{model_name: x}]\n", "model_list[0]: an entry needs model_name and litellm_params"},
    {"model_list: [{litellm_params: {model: replicate/a/b}}]\n", "model_list[0]: an entry needs model_name"},
    {"model_list: [{model_name: x, litellm_params: {model: replicate/nonsense}}]\n",
     "model_list[0]: the model must be"},
    {"model_list: [{model_name: '', litellm_params: {model: replicate/a/b}}]\n", "model_list[0]: a model needs a name"},
    {ENTRY "router_settings: {model_group_alias: {m: m}}\n", "model_group_alias.m: the name \"m\" is used twice"},
    {ENTRY "router_settings: {model_group_alias: {x: y}}\n", "model_group_alias.x: no model_name of model_list"},
    {ENTRY "router_settings: {model_group_alias: [x]}\n", "router_settings.model_group_alias: this must be a map"},
    {ENTRY "router_settings: {model_group_alias: {x: [m]}}\n", "model_group_alias.x: this must be a model_name"},
    {ENTRY "general_settings: {completion_model: nobody}\n", "completion_model: no model_name matches this"},
    {ENTRY "general_settings: {completion_model: [x]}\n", "completion_model: this must be a model_name"},
    {ENTRY "general_settings: {max_request_size_mb: big}\n", "max_request_size_mb: this must be a size"},
    {ENTRY "general_settings: {max_request_size_mb: [1]}\n", "max_request_size_mb: this must be a number"},
    {ENTRY "general_settings: {master_key: 'a b'}\n", "general_settings.master_key: the value holds blanks"},
    {ENTRY "general_settings: {global_max_parallel_requests: x}\n", "this must be a whole number"},
    {ENTRY "general_settings: {some_new_budget: 5}\n", "some_new_budget: spending is not counted here"},
    {ENTRY "litellm_settings: {set_verbose: \"True\"}\n", "litellm_settings.set_verbose: this must be true or false"},
    {ENTRY "litellm_settings: {json_logs: 1}\n", "litellm_settings.json_logs: this must be true or false"},
    {ENTRY "litellm_settings: [x]\n", "config.yaml:3: litellm_settings: this must be a map"},
    {ENTRY "environment_variables: [x]\n", "environment_variables: this must be a map"},
    {ENTRY "environment_variables: {A: [x]}\n", "environment_variables.A: the value of a variable must be a text"},
    {ENTRY "include: {a: b}\n", "config.yaml:3: include: this must be a list of file names"},
    {ENTRY "include: [[x]]\n", "config.yaml:3: include[0]: this must be a list of file names"},
    {ENTRY "keys: [x]\n", "config.yaml:3: keys: this key belongs to our own form"},
    {ENTRY "models: {m: a/b}\n", "the file mixes two forms"},
    {"model_list:\n  - model_name: m\n    litellm_params:\n      model: replicate/a/b\n      timeout: later\n",
     "config.yaml:5: model_list[0].litellm_params.timeout: this must be a duration"},
    {"model_list:\n  - model_name: m\n    litellm_params:\n      model: replicate/a/b\n      api_key: "
     "os.environ/GONE\n",
     "config.yaml:5: model_list[0].litellm_params.api_key: the environment variable GONE is not set"},
    {"model_list:\n  - model_name: m\n    litellm_params:\n      model: replicate/a/b\n"
     "      extra_headers: {Authorization: x}\n",
     "litellm_params.extra_headers.Authorization: this header carries the token"},
    {"model_list:\n  - model_name: m\n    litellm_params: {model: replicate/a/b, supports_system_prompt: 1}\n",
     "supports_system_prompt: this must be true or false"},
    {"model_list: [{model_name: m, litellm_params: {model: replicate/a/b, keepalive_seconds: 301}}]\n",
     "litellm_params.keepalive_seconds: this must be a number of seconds from 1 to 300, or 0 to turn it off"},
    {"model_list: [{model_name: m, litellm_params: {model: replicate/a/b, keepalive_seconds: 0.5}}]\n",
     "litellm_params.keepalive_seconds: this must be a number of seconds from 1 to 300"},
    {"model_list: [{model_name: m, litellm_params: {model: replicate/a/b, keepalive_seconds: x}}]\n",
     "litellm_params.keepalive_seconds: this must be a duration"},
    {"model_list: [{model_name: m, litellm_params: {model: replicate/a/b, stream_timeout: later}}]\n",
     "litellm_params.stream_timeout: this must be a duration"},
    {"model_list: [{model_name: m, litellm_params: {model: replicate/a/b, custom_llm_provider: [x]}}]\n",
     "litellm_params.custom_llm_provider: this must be the name of a provider"},
    {"model_list: [{model_name: m, litellm_params: {model: replicate/a/b, "
     "merge_reasoning_content_in_choices: 1}}]\n",
     "merge_reasoning_content_in_choices: this must be true or false"},
    {ENTRY "litellm_settings: {sse_keepalive_ping_interval_seconds: -1}\n", "_seconds: this must be a duration"},
    {"model_list:\n  - model_name: m\n    litellm_params: {model: replicate/a/b, api_base: [x]}\n",
     "api_base: this must be an address"},
};

START_TEST(a_fault_is_said_with_its_place_and_its_mend)
{
    config_case_refuses(faults[_i].text, faults[_i].part);
}
END_TEST

START_TEST(a_missing_token_is_an_error_that_names_the_variable)
{
    config_case_variable("REPLICATE_API_KEY", "");
    config_case_refuses(ENTRY, "config.yaml:2: model_list[0]: there is no Replicate token for this model; set the "
                               "environment variable REPLICATE_API_TOKEN, or write litellm_params.api_key");
}
END_TEST

START_TEST(unknown_keys_are_warned_about_by_name)
{
    struct config *config = config_case_must_load(ENTRY "litellm_settings: {num_retires: 1}\n"
                                                        "general_settings: {something_new: 1}\nmcp_servers: {}\n");
    ck_assert(config_case_warns(config, "config.yaml:3: litellm_settings.num_retires: unknown key, without effect; did "
                                        "you mean \"num_retries\"?"));
    ck_assert(config_case_warns(config, "config.yaml:4: general_settings.something_new: unknown key under "
                                        "general_settings, without effect"));
    ck_assert(config_case_warns(config, "config.yaml:5: mcp_servers: unknown key"));
    ck_assert_uint_eq(config->warning_count, 3);
    config_unref(config);
}
END_TEST

START_TEST(variables_of_litellm_without_effect_are_warned_about)
{
    static const char *const names[] = {"DEFAULT_REPLICATE_POLLING_RETRIES", "DEFAULT_REPLICATE_POLLING_DELAY_SECONDS",
                                        "LITELLM_MODE", "LITELLM_SALT_KEY", "DATABASE_URL"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        config_case_variable(names[i], "x");
    struct config *config = config_case_must_load(ENTRY);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        ck_assert_msg(config_case_warns(config, names[i]), "%s", names[i]);
    config_unref(config);
    config = config_case_must_load("models: {m: a/b}\n");
    ck_assert_uint_eq(config->warning_count, 0);
    config_unref(config);
}
END_TEST

static Suite *config_litellm_files_suite(void)
{
    Suite *suite = suite_create("config_litellm_files");
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, config_case_setup, config_case_teardown);
    tcase_add_test(files, model_strings_become_references);
    tcase_add_test(files, a_provider_among_the_defaults_counts_for_entries_that_name_none);
    tcase_add_test(files, a_skipped_entry_needs_none_of_its_variables);
    tcase_add_test(files, variables_are_filled_in_and_the_file_may_set_them);
    tcase_add_test(files, the_key_goes_before_the_token);
    tcase_add_test(files, aliases_of_the_router_are_routes);
    tcase_add_test(files, an_alias_is_skipped_with_its_model);
    tcase_add_test(files, included_files_are_found_beside_the_file_and_added);
    tcase_add_test(files, files_that_include_each_other_are_refused);
    tcase_add_loop_test(files, a_fault_is_said_with_its_place_and_its_mend, 0, (int)(sizeof faults / sizeof faults[0]));
    tcase_add_test(files, a_missing_token_is_an_error_that_names_the_variable);
    tcase_add_test(files, unknown_keys_are_warned_about_by_name);
    tcase_add_test(files, variables_of_litellm_without_effect_are_warned_about);
    suite_add_tcase(suite, files);
    return suite;
}

int main(void)
{
    return suite_run(config_litellm_files_suite());
}
