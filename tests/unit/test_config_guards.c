/* LiteLLM's keys that limit money or access, or nearly are such a key: they are done or refused, wherever they stand,
 * and what becomes an input of the model does not do so unseen. */
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "config/config.h"
#include "config_case.h"

#define ENTRY "model_list:\n  - {model_name: m, litellm_params: {model: replicate/a/b}}\n"

static void entry_with(char *text, size_t size, const char *params)
{
    snprintf(text, size, "model_list: [{model_name: m, litellm_params: {model: replicate/a/b, %s}}]\n", params);
}

static const struct {
    const char *text, *part;
} refused[] = {
    {ENTRY "litellm_settings: {guardrails: [x]}\n", "litellm_settings.guardrails: by its name this is a limit or a"},
    {ENTRY "litellm_settings: {public_routes: [x]}\n", "litellm_settings.public_routes: by its name"},
    {ENTRY "litellm_settings: {enable_jwt_auth: true}\n", "litellm_settings.enable_jwt_auth: by its name"},
    {ENTRY "litellm_settings: {blocked_user_list: [x]}\n", "litellm_settings.blocked_user_list: by its name"},
    {ENTRY "litellm_settings: {upperbound_key_generate_params: {max_budget: 5}}\n",
     "upperbound_key_generate_params: spending is not counted here"},
    {ENTRY "litellm_settings: {default_internal_user_params: {a: [{b: {max_budget: 5}}]}}\n",
     "default_internal_user_params: spending is not counted here"},
    {ENTRY "litellm_settings: {some_new_budget: 5}\n", "some_new_budget: spending is not counted here"},
    {ENTRY "litellm_settings: {rpm: 5}\n", "litellm_settings.rpm: this limit would not hold here; write it under"},
    {ENTRY "litellm_settings: {max_parallel_requests: 5}\n", "this limit would not hold here"},
    {ENTRY "general_settings: {rpm: 5}\n", "general_settings.rpm: this limit would not hold here"},
    {ENTRY "general_settings: {enforce_user_param: true}\n", "enforce_user_param: by its name"},
    {ENTRY "general_settings: {enforced_params: [user]}\n", "enforced_params: by its name"},
    {ENTRY "general_settings: {ui_access_mode: admin_only}\n", "ui_access_mode: by its name"},
    {ENTRY "general_settings: {alow_ips: [10.0.0.1]}\n", "alow_ips: unknown key; did you mean \"allowed_ips\"?"},
    {ENTRY "general_settings: {master_keyy: sk-x}\n", "master_keyy: unknown key; did you mean \"master_key\"?"},
    {ENTRY "litellm_settings: {master_kee: sk-x}\n", "master_kee: unknown key; did you mean \"master_key\"?"},
    {"model_list:\n  - {model_name: m, litellm_params: {model: replicate/a/b}, rpm: 5}\n",
     "model_list[0].rpm: this limit would not hold here; write it under litellm_params"},
    {"model_list:\n  - {model_name: m, litellm_params: {model: replicate/a/b}, max_parallel_requests: 5}\n",
     "model_list[0].max_parallel_requests: this limit would not hold here"},
    {"model_list:\n  - {model_name: m, litellm_params: {model: replicate/a/b}, access_groups: [x]}\n",
     "model_list[0].access_groups: by its name"},
    {"model_list:\n  - {model_name: m, litellm_params: {model: replicate/a/b}, model_info: {access_groups: [x]}}\n",
     "model_list[0].model_info.access_groups: this access rule is not supported"},
    {ENTRY "general_settings: {master_key: }\n",
     "config.yaml:3: general_settings.master_key: the key is empty; remove it to let everybody in"},
    {ENTRY "general_settings: {master_key: ''}\n", "general_settings.master_key: the key is empty"},
    {ENTRY "general_settings: {master_key: '${HIDDEN}'}\n",
     "general_settings.master_key: this is the name of a variable, not a secret; in this form of the file a variable "
     "is written os.environ/NAME"},
    {ENTRY "general_settings: {allowed_ips: []}\n", "allowed_ips: this must be a list of texts with at least one element"},
    {ENTRY "general_settings: {allowed_ips: [10.0.0.1, somewhere]}\n", "allowed_ips: element 2 is no IP address"},
    {ENTRY "general_settings: {use_x_forwarded_fro: true}\n", "did you mean \"use_x_forwarded_for\"?"},
    {ENTRY "general_settings: {master_key: 'sha256:0000'}\n", "master_key: a hash is taken only under keys in our own"},
};

START_TEST(what_would_limit_money_or_access_is_refused)
{
    config_case_refuses(refused[_i].text, refused[_i].part);
    ck_assert_ptr_null(strstr(config_case_message(), "HIDDEN"));
}
END_TEST

static const struct {
    const char *params, *part;
} refused_params[] = {
    {"guardrails: [x]", "litellm_params.guardrails: guardrails are not supported"},
    {"guardrail: [x]", "litellm_params.guardrail: unknown key; did you mean \"guardrails\"?"},
    {"fallbacks: [x]", "litellm_params.fallbacks[0]: there is no model \"x\" to fall back to"},
    {"context_window_fallback_dict: {a: b}",
     "context_window_fallback_dict: whether a prompt was too long for a model is not told apart"},
    {"soft_budget: 5", "litellm_params.soft_budget: spending is not counted here"},
};

START_TEST(an_entry_does_not_send_such_keys_to_the_model)
{
    char text[256];
    entry_with(text, sizeof text, refused_params[_i].params);
    config_case_refuses(text, refused_params[_i].part);
}
END_TEST

START_TEST(an_input_near_to_a_known_key_is_named)
{
    char text[512];
    entry_with(text, sizeof text, "num_retires: 3, top_k: 5, thinking_budget: 1024, max_thinking_tokens_budget: 7");
    struct config *config = config_case_must_load(text);
    const json_t *input = config->routes[0]->input;
    ck_assert_uint_eq(config->warning_count, 1);
    ck_assert(config_case_warns(config, "litellm_params.num_retires: is sent to the model as its input; did you mean "
                                        "num_retries?"));
    ck_assert_uint_eq(json_object_size(input), 4);
    ck_assert_int_eq(json_integer_value(json_object_get(input, "thinking_budget")), 1024);
    config_unref(config);
}
END_TEST

START_TEST(keys_of_litellm_without_effect_are_no_inputs)
{
    char text[512];
    entry_with(text, sizeof text,
               "stream: true, allowed_openai_params: [tools], input_cost_per_token: 1, "
               "cache_read_input_token_cost: 1, output_cost_per_image: 1");
    struct config *config = config_case_must_load(text);
    ck_assert_uint_eq(json_object_size(config->routes[0]->input), 0);
    ck_assert_uint_eq(config->warning_count, 5);
    config_unref(config);
}
END_TEST

START_TEST(the_base_url_may_be_given_by_either_of_its_names)
{
    char text[256];
    entry_with(text, sizeof text, "base_url: 'https://r.example'");
    struct config *config = config_case_must_load(text);
    ck_assert_str_eq(config->routes[0]->base_url, "https://r.example/v1");
    ck_assert_uint_eq(json_object_size(config->routes[0]->input), 0);
    config_unref(config);
}
END_TEST

START_TEST(what_is_empty_or_off_asks_for_nothing)
{
    struct config *config = config_case_must_load(
        ENTRY "router_settings: {fallbacks: [], context_window_fallbacks: {}, allowed_fails_policy: null}\n"
              "litellm_settings: {default_fallbacks: [], content_policy_fallbacks: [], enable_jwt_auth: false,\n"
              "                   default_internal_user_params: {max_budget: null}}\n"
              "general_settings: {pass_through_endpoints: [], enforce_user_param: false, some_budget: null}\n");
    ck_assert_uint_eq(config->warning_count, 1);
    ck_assert(config_case_warns(config, "default_internal_user_params: unknown key under litellm_settings"));
    config_unref(config);
}
END_TEST

START_TEST(policies_that_open_nothing_are_only_warned_about)
{
    struct config *config =
        config_case_must_load(ENTRY "router_settings: {allowed_fails_policy: {TimeoutErrorAllowedFails: 3}}\n"
                                    "general_settings: {allow_requests_on_db_unavailable: true}\n");
    ck_assert_uint_eq(config->warning_count, 2);
    config_unref(config);
}
END_TEST

START_TEST(a_mode_that_is_not_served_is_warned_about)
{
    static const struct {
        const char *info;
        size_t warnings;
    } rows[] = {{"{mode: chat, x: 1}", 0},
                {"{mode: completion}", 0},
                {"{access_groups: [], mode: null}", 0},
                {"{mode: embedding}", 1},
                {"{mode: [chat]}", 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "model_list:\n  - {model_name: m, litellm_params: {model: replicate/a/b}, model_info: %s}\n",
                 rows[i].info);
        struct config *config = config_case_must_load(text);
        ck_assert_uint_eq(config->warning_count, rows[i].warnings);
        ck_assert(rows[i].warnings == 0 ||
                  config_case_warns(config, "config.yaml:2: model_list[0].model_info.mode: this release serves chat"));
        config_unref(config);
    }
}
END_TEST

static Suite *config_guards_suite(void)
{
    Suite *suite = suite_create("config_guards");
    TCase *guards = tcase_create("guards");
    tcase_add_checked_fixture(guards, config_case_setup, config_case_teardown);
    tcase_add_loop_test(guards, what_would_limit_money_or_access_is_refused, 0,
                        (int)(sizeof refused / sizeof refused[0]));
    tcase_add_loop_test(guards, an_entry_does_not_send_such_keys_to_the_model, 0,
                        (int)(sizeof refused_params / sizeof refused_params[0]));
    tcase_add_test(guards, an_input_near_to_a_known_key_is_named);
    tcase_add_test(guards, keys_of_litellm_without_effect_are_no_inputs);
    tcase_add_test(guards, the_base_url_may_be_given_by_either_of_its_names);
    tcase_add_test(guards, what_is_empty_or_off_asks_for_nothing);
    tcase_add_test(guards, policies_that_open_nothing_are_only_warned_about);
    tcase_add_test(guards, a_mode_that_is_not_served_is_warned_about);
    suite_add_tcase(suite, guards);
    return suite;
}

int main(void)
{
    return suite_run(config_guards_suite());
}
