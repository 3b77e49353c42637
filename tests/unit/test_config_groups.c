/* LiteLLM's dialect: entries that share a model_name, and its several ways to write fallbacks. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "check_main.h"
#include "config/config.h"
#include "config_case.h"

#define M(params) "  - {model_name: m, litellm_params: {model: replicate/a/b" params "}}\n"
#define N(params) "  - {model_name: n, litellm_params: {model: replicate/a/n" params "}}\n"
#define LIST "model_list:\n"

/* "reference=weight" of each deployment. */
static void expect_weights(const struct config *config, const char *alias, const char *expected)
{
    struct buf text;
    buf_init(&text, 4096);
    for (const struct route *route = config_find_route(config, alias); route != NULL; route = route->next)
        buf_printf(&text, "%s%d", route->deployment == 0 ? "" : " ", (int)route->weight);
    ck_assert_str_eq(buf_text(&text), expected);
    buf_dispose(&text);
}

static void expect_names(char *const *names, size_t count, const char *expected)
{
    struct buf text;
    buf_init(&text, 4096);
    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "%s%s", i == 0 ? "" : " ", names[i]);
    ck_assert_str_eq(buf_text(&text), expected);
    buf_dispose(&text);
}

static void expect_fallbacks(const struct config *config, const char *alias, const char *expected)
{
    const struct route *route = config_find_route(config, alias);
    expect_names(route->fallbacks, route->fallback_count, expected);
}

/* ---- groups ---- */

START_TEST(entries_of_one_name_are_its_deployments)
{
    struct config *config = config_case_must_load(LIST M(", api_key: first, cooldown_time: 30, allowed_fails: 1") N("")
                                                      M(", api_key: second, temperature: 0.5"));
    ck_assert_uint_eq(config->route_count, 2);
    ck_assert_uint_eq(config->warning_count, 0);
    const struct route *first = config_find_route(config, "m"), *second = first->next;
    ck_assert_str_eq(first->token, "first");
    ck_assert_int_eq(first->cooldown_ms, 30000);
    ck_assert_int_eq(first->allowed_fails, 1);
    ck_assert_str_eq(second->token, "second");
    ck_assert_int_eq(second->deployment, 1);
    ck_assert_int_eq(second->cooldown_ms, 5000);
    ck_assert_int_eq(second->allowed_fails, 3);
    ck_assert_uint_eq(json_object_size(second->params), 1);
    ck_assert_uint_eq(json_object_size(first->params), 0);
    expect_weights(config, "m", "1 1");
    config_unref(config);
}
END_TEST

START_TEST(an_included_file_may_add_a_deployment)
{
    config_case_file("more.yaml", LIST M(""));
    struct config *config = config_case_must_load(LIST M("") "include: [more.yaml]\n");
    expect_weights(config, "m", "1 1");
    config_unref(config);
}
END_TEST

static const struct {
    const char *text, *weights;
    size_t warnings;
} shares[] = {
    {LIST M(", weight: 5"), "1", 0},
    {LIST M(", weight: 0"), "0", 0},
    {LIST M(", weight: 0.9") M(", weight: 0.1"), "9 1", 0},
    {LIST M(", weight: 1") M(", weight: 2") M(", weight: 0"), "1 2 0", 0},
    {LIST M(", weight: 3") M(""), "3 1", 1},
    {LIST M(", rpm: 900") M(", rpm: 10"), "90 1", 0},
    {LIST M(", rpm: 1000000000") M(", rpm: 500000"), "2 1", 0},
    {LIST M(", rpm: 900, weight: 1") M(", rpm: 10, weight: 1"), "1 1", 0},
    {LIST M(", order: 2") M(", order: 1, weight: 3") M(", order: 1, weight: 1"), "0 3 1", 1},
    {LIST M("") M(", order: 7"), "0 1", 0},
    {LIST M(", order: 1") M(", order: 2") M(", order: 3"), "1 0 0", 1},
    {LIST M(", order: 2") M(", order: 2"), "1 1", 0},
};

START_TEST(weight_order_and_rpm_share_the_requests)
{
    struct config *config = config_case_must_load(shares[_i].text);
    expect_weights(config, "m", shares[_i].weights);
    ck_assert_uint_eq(config->warning_count, shares[_i].warnings);
    config_unref(config);
}
END_TEST

START_TEST(limits_of_the_entries_hold_for_the_name_as_their_sum)
{
    struct config *config = config_case_must_load(
        LIST M(", rpm: 6, max_parallel_requests: 1") M(", rpm: 4, max_parallel_requests: 2")
            M(", rpm: 1, max_parallel_requests: 3") "router_settings: {model_group_alias: {other: m}}\n");
    for (const struct route *route = config_find_route(config, "m"); route != NULL; route = route->next) {
        ck_assert_int_eq(route->limits.requests_per_minute, 11);
        ck_assert_int_eq(route->limits.max_parallel, 6);
    }
    ck_assert_int_eq(config_find_route(config, "other")->limits.requests_per_minute, 11);
    config_unref(config);
}
END_TEST

START_TEST(times_of_the_first_entry_count_and_that_is_said)
{
    struct config *config = config_case_must_load(LIST M(", timeout: 60") M(", timeout: 90, stream_timeout: 5") M(""));
    const struct route *first = config_find_route(config, "m");
    for (const struct route *route = first; route != NULL; route = route->next) {
        ck_assert_int_eq(route->timeout_ms, 60000);
        ck_assert_int_eq(route->stream_timeout_ms, 60000);
        ck_assert_str_eq(route->timeout_key, "litellm_params.timeout of m");
    }
    ck_assert_uint_eq(config->warning_count, 1);
    ck_assert(config_case_warns(config, "config.yaml:3: model_list[1]: timeout, stream_timeout and keepalive_seconds "
                                        "count for all entries of a name; those of the first, a/b, are used"));
    config_unref(config);
}
END_TEST

START_TEST(another_name_of_a_group_is_the_whole_group)
{
    struct config *config = config_case_must_load(LIST M(", weight: 2") M(", weight: 1")
                                                      N("") "router_settings:\n  fallbacks: [{m: [n]}, {other: [m]}]\n"
                                                            "  model_group_alias: {other: m, third: m}\n");
    expect_weights(config, "other", "2 1");
    expect_fallbacks(config, "m", "n");
    expect_fallbacks(config, "other", "m");
    expect_fallbacks(config, "third", "n");
    config_unref(config);
}
END_TEST

START_TEST(the_model_for_every_request_may_have_several_deployments)
{
    struct config *config = config_case_must_load(
        LIST "  - {model_name: 'r/*', litellm_params: {model: replicate/*}}\n"
             "  - {model_name: 'r/*', litellm_params: {model: replicate/deployments/*}}\n" N(
                 "") "general_settings: {completion_model: r/a/b}\nlitellm_settings: {default_fallbacks: [n]}\n");
    const struct route *first = config_find_route(config, "whatever");
    ck_assert_str_eq(first->alias, "r/a/b");
    ck_assert_str_eq(first->reference, "a/b");
    ck_assert_str_eq(first->next->reference, "deployments/a/b");
    expect_fallbacks(config, "whatever", "n");
    ck_assert_str_eq(config_find_fallback(config, "n")->reference, "a/n");
    config_unref(config);
}
END_TEST

START_TEST(cooldowns_can_be_set_for_all_and_switched_off)
{
    struct config *config =
        config_case_must_load(LIST M(", cooldown_time: 9") N("") "litellm_settings: {allowed_fails: 7}\n"
                                                                 "router_settings: {cooldown_time: 2}\n");
    ck_assert_int_eq(config_find_route(config, "m")->cooldown_ms, 9000);
    ck_assert_int_eq(config_find_route(config, "n")->cooldown_ms, 2000);
    ck_assert_int_eq(config_find_route(config, "n")->allowed_fails, 7);
    config_unref(config);
    config = config_case_must_load(LIST M(", cooldown_time: 9") M("") N("") "router_settings: {cooldown_time: 2, "
                                                                            "disable_cooldowns: true}\n");
    ck_assert_int_eq(config_find_route(config, "m")->cooldown_ms, 0);
    ck_assert_int_eq(config_find_route(config, "m")->next->cooldown_ms, 0);
    ck_assert_int_eq(config_find_route(config, "n")->cooldown_ms, 0);
    config_unref(config);
}
END_TEST

START_TEST(another_strategy_than_shuffling_is_warned_about)
{
    struct config *config = config_case_must_load(LIST M("") "router_settings: {routing_strategy: simple-shuffle}\n");
    ck_assert_uint_eq(config->warning_count, 0);
    config_unref(config);
    config = config_case_must_load(LIST M("") "router_settings: {routing_strategy: least-busy}\n");
    ck_assert(config_case_warns(config, "config.yaml:3: router_settings.routing_strategy: has no effect: requests are "
                                        "shared by weight and by what each entry is busy with"));
    config_unref(config);
}
END_TEST

/* ---- fallbacks ---- */

START_TEST(fallbacks_are_found_wherever_litellm_has_them)
{
    struct config *config = config_case_must_load(LIST M("") N(
        ", fallbacks: [m]") "  - {model_name: o, litellm_params: {model: replicate/a/o}}\n"
                            "litellm_settings: {fallbacks: [{m: [n]}, {n: [o]}], default_fallbacks: [o, m],\n"
                            "  content_policy_fallbacks: [{m: [o]}, {\"*\": n}]}\n");
    expect_fallbacks(config, "m", "n");
    expect_fallbacks(config, "n", "m");
    expect_fallbacks(config, "o", "m");
    const struct route *m = config_find_route(config, "m"), *o = config_find_route(config, "o");
    expect_names(m->content_policy_fallbacks, m->content_policy_fallback_count, "o");
    expect_names(o->content_policy_fallbacks, o->content_policy_fallback_count, "n");
    ck_assert_uint_eq(config->warning_count, 0);
    config_unref(config);
}
END_TEST

START_TEST(the_routers_fallbacks_go_over_those_of_the_settings)
{
    struct config *config = config_case_must_load(LIST M("") N("") "router_settings: {fallbacks: [{m: []}]}\n"
                                                                   "litellm_settings: {fallbacks: [{m: [n]}]}\n");
    expect_fallbacks(config, "m", "");
    config_unref(config);
    config = config_case_must_load(LIST M("") N("") "router_settings: {fallbacks: [{\"*\": [n]}], "
                                                    "default_fallbacks: }\n");
    expect_fallbacks(config, "m", "n");
    config_unref(config);
}
END_TEST

START_TEST(entries_of_a_group_may_repeat_its_fallbacks)
{
    struct config *config = config_case_must_load(LIST M(", fallbacks: [n]") M("") M(", fallbacks: [n]")
                                                      N("") "router_settings: {fallbacks: [{m: []}]}\n");
    expect_fallbacks(config, "m", "n");
    expect_weights(config, "m", "1 1 1");
    config_unref(config);
}
END_TEST

START_TEST(a_model_of_another_provider_stands_in_for_nobody)
{
    struct config *config =
        config_case_must_load(LIST M("") N("") "  - {model_name: gpt, litellm_params: {model: openai/gpt-4o}}\n"
                                               "router_settings:\n  fallbacks: [{m: [gpt, n]}, {gpt: [m]}]\n");
    expect_fallbacks(config, "m", "n");
    ck_assert_uint_eq(config->warning_count, 2);
    ck_assert(config_case_warns(config,
                                "config.yaml:6: router_settings.fallbacks[0].m[0]: \"gpt\" is left out of these "
                                "fallbacks: it is not a model of Replicate"));
    config_unref(config);
}
END_TEST

START_TEST(the_number_of_fallbacks_can_be_bounded)
{
    struct config *config =
        config_case_must_load(LIST M("") N("") "  - {model_name: o, litellm_params: {model: replicate/a/o}}\n"
                                               "router_settings: {default_fallbacks: [m, n, o], max_fallbacks: 1}\n");
    expect_fallbacks(config, "m", "n");
    expect_fallbacks(config, "n", "m");
    config_unref(config);
}
END_TEST

/* ---- faults ---- */

static const struct {
    const char *text, *part;
} faults[] = {
    {LIST M(", weight: -1"), "model_list[0].litellm_params.weight: this must be a number from 0 to 1000"},
    {LIST M(", weight: 1001"), "weight: this must be a number from 0 to 1000"},
    {LIST M(", weight: 1s"), "weight: this must be a number from 0 to 1000"},
    {LIST M(", weight: [1]"), "weight: this must be a number from 0 to 1000"},
    {LIST M(", order: first"), "model_list[0].litellm_params.order: this must be a whole number"},
    {LIST M(", rpm: 5") M(""),
     "config.yaml:3: model_list[1]: rpm is counted for all entries of a name together, as the sum of theirs; write it "
     "at every entry of this name, or at none"},
    {LIST M("") M(", max_parallel_requests: 5"),
     "config.yaml:3: model_list[1]: max_parallel_requests is counted for all entries"},
    {LIST M("") M(", fallbacks: [n]") N(""),
     "config.yaml:3: model_list[1]: fallbacks count for all entries of a name, and the first of this one, at "},
    {LIST M(", fallbacks: [n]") M(", content_policy_fallbacks: [n]") N(""), "model_list[1]: fallbacks count for all"},
    {LIST M(", fallbacks: [{model: x}]"),
     "model_list[0].litellm_params.fallbacks[0]: this must be the name of a model; a fallback has no parameters of "
     "its own"},
    {LIST M("") "router_settings: {fallbacks: [m]}\n",
     "config.yaml:3: router_settings.fallbacks[0]: this must be a map such as {model_name: [other_model_name]}"},
    {LIST M("") "router_settings: {fallbacks: m}\n", "router_settings.fallbacks: this must be a list of maps such as"},
    {LIST M("") "router_settings: {fallbacks: [{m: [{model: x}]}]}\n",
     "router_settings.fallbacks[0].m[0]: this must be the name of a model; a fallback has no parameters"},
    {LIST M("") "router_settings:\n  fallbacks:\n    - nobody: [m]\n",
     "config.yaml:5: router_settings.fallbacks[0].nobody: no model_name of model_list is \"nobody\", so these "
     "fallbacks would never be used; correct the name or remove it"},
    {LIST M("") "router_settings:\n  fallbacks:\n    - m: [nobody]\n",
     "config.yaml:5: router_settings.fallbacks[0].m[0]: there is no model \"nobody\" to fall back to"},
    {LIST M("") "litellm_settings: {content_policy_fallbacks: [{m: [nn]}]}\n",
     "litellm_settings.content_policy_fallbacks[0].m[0]: there is no model \"nn\""},
    {LIST M("") "litellm_settings: {default_fallbacks: [nobody]}\n", "default_fallbacks[0]: there is no model"},
    {LIST M("") "router_settings: {context_window_fallbacks: [{m: [m]}]}\n",
     "router_settings.context_window_fallbacks: whether a prompt was too long for a model is not told apart from its "
     "other failures, so these would never be used; remove the key, and write fallbacks for all failures"},
    {LIST M("") "router_settings: {max_fallbacks: some}\n", "router_settings.max_fallbacks: this must be a whole"},
    {LIST M("") "router_settings: {disable_cooldowns: 1}\n", "disable_cooldowns: this must be true or false"},
    {LIST M("") "router_settings: {routing_strategy: [x]}\n", "routing_strategy: this must be the name of a strategy"},
    {LIST M("") "router_settings: {cooldown_time: soon}\n", "router_settings.cooldown_time: this must be a duration"},
};

START_TEST(a_fault_is_said_with_its_place_and_its_mend)
{
    config_case_refuses(faults[_i].text, faults[_i].part);
}
END_TEST

static Suite *config_groups_suite(void)
{
    Suite *suite = suite_create("config_groups");
    TCase *tcase = tcase_create("groups");
    tcase_add_checked_fixture(tcase, config_case_setup, config_case_teardown);
    tcase_add_test(tcase, entries_of_one_name_are_its_deployments);
    tcase_add_test(tcase, an_included_file_may_add_a_deployment);
    tcase_add_loop_test(tcase, weight_order_and_rpm_share_the_requests, 0, sizeof shares / sizeof shares[0]);
    tcase_add_test(tcase, limits_of_the_entries_hold_for_the_name_as_their_sum);
    tcase_add_test(tcase, times_of_the_first_entry_count_and_that_is_said);
    tcase_add_test(tcase, another_name_of_a_group_is_the_whole_group);
    tcase_add_test(tcase, the_model_for_every_request_may_have_several_deployments);
    tcase_add_test(tcase, cooldowns_can_be_set_for_all_and_switched_off);
    tcase_add_test(tcase, another_strategy_than_shuffling_is_warned_about);
    tcase_add_test(tcase, fallbacks_are_found_wherever_litellm_has_them);
    tcase_add_test(tcase, the_routers_fallbacks_go_over_those_of_the_settings);
    tcase_add_test(tcase, entries_of_a_group_may_repeat_its_fallbacks);
    tcase_add_test(tcase, a_model_of_another_provider_stands_in_for_nobody);
    tcase_add_test(tcase, the_number_of_fallbacks_can_be_bounded);
    tcase_add_loop_test(tcase, a_fault_is_said_with_its_place_and_its_mend, 0, sizeof faults / sizeof faults[0]);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(config_groups_suite());
}
