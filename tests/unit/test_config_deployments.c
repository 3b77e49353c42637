/* The native dialect: several models under one name, and the names that stand in for others. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "check_main.h"
#include "config/config.h"
#include "config_case.h"

/* ---- several models under one name ---- */

START_TEST(a_list_of_models_shares_the_name)
{
    struct config *config =
        config_case_must_load("models:\n  kimi:\n    - moonshotai/kimi-k2-thinking\n"
                              "    - {model: deployments/acme/kimi, weight: 3, token: other-token}\n"
                              "    - {model: replicate/a/b, weight: 0, allowed_fails: 0, cooldown_time: 1m}\n"
                              "  llama: [meta/llama]\n");
    ck_assert_uint_eq(config->route_count, 2);
    const struct route *first = config_find_route(config, "kimi"), *second = first->next, *third = second->next;
    ck_assert_str_eq(first->reference, "moonshotai/kimi-k2-thinking");
    ck_assert_int_eq(first->weight, 1);
    ck_assert_int_eq(first->deployment, 0);
    ck_assert_int_eq(first->allowed_fails, 3);
    ck_assert_int_eq(first->cooldown_ms, 5000);
    ck_assert_str_eq(second->reference, "deployments/acme/kimi");
    ck_assert_str_eq(second->token, "other-token");
    ck_assert_str_eq(first->token, "test-token");
    ck_assert_int_eq(second->weight, 3);
    ck_assert_int_eq(second->deployment, 1);
    ck_assert_str_eq(third->reference, "a/b");
    ck_assert_str_eq(third->alias, "kimi");
    ck_assert_int_eq(third->weight, 0);
    ck_assert_int_eq(third->deployment, 2);
    ck_assert_int_eq(third->allowed_fails, 0);
    ck_assert_int_eq(third->cooldown_ms, 60000);
    ck_assert_ptr_null(third->next);
    ck_assert(json_is_object(third->input) && json_is_object(third->map) && json_is_object(third->params));
    ck_assert_ptr_null(config_find_route(config, "llama")->next);
    config_unref(config);
}
END_TEST

START_TEST(what_counts_for_the_name_stands_at_the_first_and_holds_for_all)
{
    struct config *config = config_case_must_load(
        "models:\n  m:\n    - {model: a/b, timeout: 42s, keepalive: 3s, on_disconnect: keep, grace: 1s, rpm: 7,\n"
        "       max_parallel_requests: 2, fallbacks: [n]}\n    - {model: a/c, timeout: , params: {seed: 1}}\n  n: "
        "a/d\n");
    const struct route *second = config_find_route(config, "m")->next;
    ck_assert_int_eq(second->timeout_ms, 42000);
    ck_assert_int_eq(second->stream_timeout_ms, 42000);
    ck_assert_str_eq(second->timeout_key, "timeout under models.m");
    ck_assert_int_eq(second->keepalive_ms, 3000);
    ck_assert_int_eq(second->on_disconnect, DISCONNECT_KEEP);
    ck_assert_int_eq(second->grace_ms, 1000);
    ck_assert_int_eq(second->limits.requests_per_minute, 7);
    ck_assert_int_eq(second->limits.max_parallel, 2);
    ck_assert_uint_eq(second->fallback_count, 1);
    ck_assert_uint_eq(json_object_size(config_find_route(config, "m")->params), 0);
    config_unref(config);
}
END_TEST

START_TEST(a_wildcard_may_stand_for_several_models_too)
{
    struct config *config = config_case_must_load("models:\n  \"any/*\": [\"*/b\", \"c/*\"]\n");
    struct target target;
    const struct route *first = config_find_route(config, "any/x");
    ck_assert(route_target(first->next, "any/x", &target, NULL));
    ck_assert_str_eq(target.name, "c/x");
    target_dispose(&target);
    config_unref(config);
}
END_TEST

START_TEST(a_name_has_64_models_at_most)
{
    struct buf text;
    buf_init(&text, 1 << 16);
    buf_append_text(&text, "models:\n  m:\n");
    for (int i = 0; i < 64; i++)
        buf_printf(&text, "    - a/b%d\n", i);
    struct config *config = config_case_must_load(buf_text(&text));
    const struct route *last = config->routes[0];
    while (last->next != NULL)
        last = last->next;
    ck_assert_int_eq(last->deployment, 63);
    config_unref(config);
    buf_append_text(&text, "    - a/one-more\n");
    config_case_refuses(buf_text(&text),
                        "config.yaml:67: models.m[64]: one name has 64 deployments at most; remove some of them");
    buf_dispose(&text);
}
END_TEST

/* ---- the names that stand in ---- */

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

START_TEST(fallbacks_of_the_file_hold_where_a_model_has_none_of_its_own)
{
    struct config *config =
        config_case_must_load("fallbacks: [b, a]\nmodels:\n  a: x/a\n  b: {model: x/b, fallbacks: c}\n"
                              "  c: {model: x/c, fallbacks: []}\n  d: {model: x/d, fallbacks: }\n");
    expect_fallbacks(config, "a", "b");
    expect_fallbacks(config, "b", "c");
    expect_fallbacks(config, "c", "");
    expect_fallbacks(config, "d", "b a");
    ck_assert_uint_eq(config_find_route(config, "a")->content_policy_fallback_count, 0);
    config_unref(config);
}
END_TEST

START_TEST(what_a_safety_filter_refuses_has_a_list_of_its_own)
{
    struct config *config =
        config_case_must_load("content_policy_fallbacks: [b]\nmodels:\n  a: x/a\n  b: x/b\n"
                              "  c: {model: x/c, fallbacks: [a], content_policy_fallbacks: [a, b]}\n");
    const struct route *a = config_find_route(config, "a"), *c = config_find_route(config, "c");
    expect_names(a->content_policy_fallbacks, a->content_policy_fallback_count, "b");
    expect_names(c->content_policy_fallbacks, c->content_policy_fallback_count, "a b");
    expect_fallbacks(config, "a", "");
    expect_fallbacks(config, "c", "a");
    config_unref(config);
}
END_TEST

START_TEST(no_model_stands_in_for_itself)
{
    struct config *config = config_case_must_load("models:\n  a: {model: x/a, fallbacks: [a, b]}\n  b: x/b\n");
    expect_fallbacks(config, "a", "b");
    config_unref(config);
}
END_TEST

START_TEST(a_name_that_a_wildcard_serves_can_stand_in)
{
    struct config *config = config_case_must_load(
        "models:\n  a: {model: x/a, fallbacks: [replicate/meta/llama]}\n  \"replicate/*\": \"*\"\n");
    expect_fallbacks(config, "a", "replicate/meta/llama");
    ck_assert_str_eq(config_find_fallback(config, "replicate/meta/llama")->alias, "replicate/*");
    config_unref(config);
}
END_TEST

START_TEST(a_new_list_counts_after_the_old_one_is_gone)
{
    struct config *old = config_case_must_load("models:\n  a: {model: x/a, fallbacks: [b]}\n  b: [x/b, x/c]\n");
    struct config *new = config_case_must_load("models:\n  a: {model: x/a}\n  b: x/b\n");
    char keys[64];
    config_restart_keys(old, new, keys, sizeof keys);
    ck_assert_str_eq(keys, "");
    config_unref(old);
    expect_fallbacks(new, "a", "");
    config_unref(new);
}
END_TEST

/* ---- faults ---- */

#define SEVENTEEN "a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, b3, b4, b5, b6"

static const struct {
    const char *text, *part;
} faults[] = {
    {"models:\n  m: []\n", "config.yaml:2: models.m: the list is empty; write at least one model in it"},
    {"models:\n  m:\n    - a/b\n    - nonsense\n", "config.yaml:4: models.m[1]: the model must be owner/name"},
    {"models:\n  m:\n    - a/b\n    - [a/c]\n", "config.yaml:4: models.m[1]: this must be a map of keys and values"},
    {"models:\n  m:\n    - a/b\n    -\n", "config.yaml:4: models.m[1]: the model is missing; write model: owner/name"},
    {"models:\n  m:\n    - a/b\n    - {wieght: 3, model: a/c}\n",
     "config.yaml:4: models.m[1].wieght: unknown key; did you mean \"weight\"?"},
    {"models:\n  m:\n    - {model: a/b, fallbacks: [n]}\n    - {model: a/c, fallbacks: []}\n  n: a/d\n",
     "config.yaml:4: models.m[1].fallbacks: this counts for the name, not for one model of its list; write it at the "
     "first of them"},
    {"models:\n  m:\n    - a/b\n    - {model: a/c, timeout: 5}\n", "models.m[1].timeout: this counts for the name"},
    {"models:\n  m:\n    - a/b\n    - {model: a/c, rpm: 5}\n", "models.m[1].rpm: this counts for the name"},
    {"models:\n  m:\n    - a/b\n    - {model: a/c, content_policy_fallbacks: [x]}\n",
     "models.m[1].content_policy_fallbacks: this counts for the name"},
    {"models: {kimi-k2: a/b}\nfallbacks:\n  - kimi-k3\n",
     "config.yaml:3: fallbacks[0]: there is no model \"kimi-k3\" to fall back to; did you mean \"kimi-k2\"?"},
    {"models: {m: a/b}\nfallbacks: [nowhere]\n",
     "config.yaml:2: fallbacks[0]: there is no model \"nowhere\" to fall back to; write the name of one that the file "
     "configures"},
    {"models: {m: a/b}\nfallbacks: nowhere\n", "config.yaml:2: fallbacks: there is no model \"nowhere\" to fall back"},
    {"models:\n  m: a/b\n  n:\n    model: a/c\n    content_policy_fallbacks: [m, q]\n",
     "config.yaml:5: models.n.content_policy_fallbacks[1]: there is no model \"q\""},
    {"models: {'*': '*', m: {model: a/b, fallbacks: [nonsense]}}\n",
     "models.m.fallbacks[0]: \"nonsense\" is served by a wildcard, and is no model of Replicate; write owner/name"},
    {"models: {'*': '*', m: {model: a/b, fallbacks: ['a/*']}}\n",
     "models.m.fallbacks[0]: a model to fall back to is named without wildcards (*)"},
    {"models: {m: a/b}\nfallbacks: [{model: a/b}]\n",
     "config.yaml:2: fallbacks[0]: this must be the name of a model; a fallback has no parameters of its own"},
    {"models: {m: a/b}\nfallbacks: {m: [n]}\n", "fallbacks: this must be a list of names of models, at most 16"},
    {"models: {m: a/b}\nfallbacks: ['']\n", "fallbacks[0]: this must be the name of a model"},
    {"models: {m: a/b}\nfallbacks: [m, m]\n", "fallbacks[1]: this name is given twice; remove one of them"},
    {"models: {m: a/b}\nfallbacks: [" SEVENTEEN "]\n", "fallbacks: this must be a list of names of models, at most 16"},
    {"models: {m: a/b}\nweight: 3\n", "config.yaml:2: weight: unknown key here; it belongs under a model"},
};

START_TEST(a_fault_is_said_with_its_place_and_its_mend)
{
    config_case_refuses(faults[_i].text, faults[_i].part);
}
END_TEST

static Suite *config_deployments_suite(void)
{
    Suite *suite = suite_create("config_deployments");
    TCase *tcase = tcase_create("deployments");
    tcase_add_checked_fixture(tcase, config_case_setup, config_case_teardown);
    tcase_add_test(tcase, a_list_of_models_shares_the_name);
    tcase_add_test(tcase, what_counts_for_the_name_stands_at_the_first_and_holds_for_all);
    tcase_add_test(tcase, a_wildcard_may_stand_for_several_models_too);
    tcase_add_test(tcase, a_name_has_64_models_at_most);
    tcase_add_test(tcase, fallbacks_of_the_file_hold_where_a_model_has_none_of_its_own);
    tcase_add_test(tcase, what_a_safety_filter_refuses_has_a_list_of_its_own);
    tcase_add_test(tcase, no_model_stands_in_for_itself);
    tcase_add_test(tcase, a_name_that_a_wildcard_serves_can_stand_in);
    tcase_add_test(tcase, a_new_list_counts_after_the_old_one_is_gone);
    tcase_add_loop_test(tcase, a_fault_is_said_with_its_place_and_its_mend, 0, sizeof faults / sizeof faults[0]);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(config_deployments_suite());
}
