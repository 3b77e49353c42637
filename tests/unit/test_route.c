/* Which route a name finds, and which model that is. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "check_main.h"
#include "config/config.h"
#include "config_case.h"

static const struct {
    const char *pattern, *alias, *rest; /* rest NULL: no match */
} matches[] = {
    {"kimi", "kimi", ""},
    {"kimi", "kimi-k2", NULL},
    {"kimi", "Kimi", NULL},
    {"", "", ""},
    {"", "a", NULL},
    {"*", "", ""},
    {"*", "a/b", "a/b"},
    {"replicate/*", "replicate/a/b", "a/b"},
    {"replicate/*", "replicate/", ""},
    {"replicate/*", "replicat/a", NULL},
    {"*-k2", "kimi-k2", "kimi"},
    {"*-k2", "kimi-k2-k2", "kimi-k2"},
    {"*-k2", "kimi-k2x", NULL},
    {"a*b*c", "aXbYc", "X"},
    {"a*b*c", "abbc", ""},
    {"a*b*c", "abc", ""},
    {"a*b*c", "acb", NULL},
    {"aa*aa", "aaa", NULL},
    {"aa*aa", "aaaa", ""},
    {"**", "x", ""},
    {"fo::*:static::*", "fo::hi:static::there", "hi"},
};

START_TEST(a_pattern_matches_or_not)
{
    char rest[64] = "unset";
    bool matched = route_matches(matches[_i].pattern, matches[_i].alias, rest, sizeof rest);
    ck_assert_int_eq(matched, matches[_i].rest != NULL);
    ck_assert_str_eq(rest, matched ? matches[_i].rest : "unset");
    ck_assert_int_eq(route_matches(matches[_i].pattern, matches[_i].alias, NULL, 0), matched);
}
END_TEST

START_TEST(a_rest_that_is_too_long_is_cut)
{
    char rest[4];
    ck_assert(route_matches("x*", "xabcdef", rest, sizeof rest));
    ck_assert_str_eq(rest, "abc");
}
END_TEST

START_TEST(a_hostile_pattern_takes_no_time)
{
    char pattern[401] = "", alias[40001];
    for (size_t i = 0; i < 400; i += 2)
        memcpy(pattern + i, "*a", 3);
    memset(alias, 'a', sizeof alias - 1);
    alias[sizeof alias - 2] = 'b';
    alias[sizeof alias - 1] = '\0';
    int64_t begin = clock_now_ms();
    ck_assert(!route_matches(pattern, alias, NULL, 0));
    ck_assert_int_lt(clock_now_ms() - begin, 1000);
}
END_TEST

static const char several[] = "models:\n"
                              "  '*': '*'\n"
                              "  'replicate/*': '*'\n"
                              "  'replicate/meta/*': 'meta/*'\n"
                              "  'replicate/*/*': '*/*'\n"
                              "  replicate/meta/llama: meta/exact\n"
                              "  'swap:*:*': '*/*'\n"
                              "  'fixed/*': owner/one\n"
                              "  kimi: moonshotai/kimi-k2-thinking\n";

static const struct {
    const char *alias, *found; /* the alias of the route */
    enum target_kind kind;
    const char *name; /* of the target; NULL: there is none */
} routes[] = {
    {"kimi", "kimi", TARGET_MODEL, "moonshotai/kimi-k2-thinking"},
    {"replicate/meta/llama", "replicate/meta/llama", TARGET_MODEL, "meta/exact"},
    {"replicate/meta/other", "replicate/meta/*", TARGET_MODEL, "meta/other"},
    {"replicate/x/y", "replicate/*/*", TARGET_MODEL, "x/y"},
    {"replicate/deployments", "replicate/*", TARGET_MODEL, NULL},
    {"replicate/deployments/a/b", "replicate/*/*", TARGET_DEPLOYMENT, "a/b"},
    {"swap:a:b", "swap:*:*", TARGET_MODEL, "a/b"},
    {"fixed/anything", "fixed/*", TARGET_MODEL, "owner/one"},
    {"any/thing", "*", TARGET_MODEL, "any/thing"},
    {"nonsense", "*", TARGET_MODEL, NULL},
    {"", "*", TARGET_MODEL, NULL},
};

START_TEST(the_most_specific_route_is_found_and_its_wildcards_filled_in)
{
    struct config *config = config_case_must_load(several);
    const struct route *route = config_find_route(config, routes[_i].alias);
    ck_assert_ptr_nonnull(route);
    ck_assert_str_eq(route->alias, routes[_i].found);
    struct target target;
    struct error err = {0};
    bool ok = route_target(route, routes[_i].alias, &target, &err);
    ck_assert_int_eq(ok, routes[_i].name != NULL);
    if (ok) {
        ck_assert_int_eq(target.kind, routes[_i].kind);
        ck_assert_str_eq(target.name, routes[_i].name);
        target_dispose(&target);
    } else {
        ck_assert_int_eq(err.kind, ERROR_MODEL_NOT_FOUND);
        ck_assert_str_eq(err.param, "model");
    }
    config_unref(config);
}
END_TEST

START_TEST(among_many_names_each_finds_its_own_and_others_the_pattern)
{
    enum { NAMES = 500 };
    struct buf text;
    char name[32];
    buf_init(&text, NAMES * 64);
    buf_append_text(&text, "models:\n  'm*': a/pattern\n");
    for (int i = 0; i < NAMES; i++)
        buf_printf(&text, "  m%d: a/b\n", i * 7919 % NAMES);
    struct config *config = config_case_must_load(buf_text(&text));
    for (int i = 0; i < 2 * NAMES; i++) {
        snprintf(name, sizeof name, "m%d", i);
        ck_assert_str_eq(config_find_route(config, name)->alias, i < NAMES ? name : "m*");
    }
    ck_assert_ptr_null(config_find_route(config, "a"));
    ck_assert_ptr_null(config_find_route(config, "z"));
    config_unref(config);
    buf_dispose(&text);
}
END_TEST

START_TEST(a_name_that_no_pattern_matches_finds_nothing)
{
    struct config *config = config_case_must_load("models: {kimi: a/b, 'x/*': '*'}\n");
    ck_assert_ptr_null(config_find_route(config, "kim"));
    ck_assert_ptr_null(config_find_route(config, "y/x/z"));
    ck_assert_ptr_nonnull(config_find_route(config, "x/z"));
    config_unref(config);
}
END_TEST

START_TEST(routes_stand_in_the_order_in_which_they_are_tried)
{
    struct config *config = config_case_must_load(several);
    static const char *const order[] = {
        "kimi", "replicate/meta/llama", "replicate/meta/*", "replicate/*/*", "replicate/*", "swap:*:*", "fixed/*", "*"};
    ck_assert_uint_eq(config->route_count, sizeof order / sizeof order[0]);
    for (size_t i = 0; i < config->route_count; i++)
        ck_assert_str_eq(config->routes[i]->alias, order[i]);
    config_unref(config);
}
END_TEST

START_TEST(a_version_in_a_reference_reaches_the_target)
{
    static const char text[] = "models: {v: 'a/b:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'}\n";
    struct config *config = config_case_must_load(text);
    struct target target;
    ck_assert(route_target(config->routes[0], "v", &target, NULL));
    ck_assert_int_eq(target.kind, TARGET_VERSION);
    ck_assert_uint_eq(strlen(target.version), 64);
    target_dispose(&target);
    config_unref(config);
}
END_TEST

START_TEST(a_very_long_name_is_no_model)
{
    struct config *config = config_case_must_load("models: {'*': '*'}\n");
    char alias[5000];
    memset(alias, 'x', sizeof alias - 1);
    alias[10] = '/';
    alias[sizeof alias - 1] = '\0';
    struct target target;
    struct error err = {0};
    ck_assert(!route_target(config_find_route(config, alias), alias, &target, &err));
    ck_assert_int_eq(err.kind, ERROR_MODEL_NOT_FOUND);
    config_unref(config);
}
END_TEST

static Suite *route_suite(void)
{
    Suite *suite = suite_create("route");
    TCase *patterns = tcase_create("patterns");
    tcase_add_loop_test(patterns, a_pattern_matches_or_not, 0, (int)(sizeof matches / sizeof matches[0]));
    tcase_add_test(patterns, a_rest_that_is_too_long_is_cut);
    tcase_add_test(patterns, a_hostile_pattern_takes_no_time);
    suite_add_tcase(suite, patterns);
    TCase *finding = tcase_create("finding");
    tcase_add_checked_fixture(finding, config_case_setup, config_case_teardown);
    tcase_add_loop_test(finding, the_most_specific_route_is_found_and_its_wildcards_filled_in, 0,
                        (int)(sizeof routes / sizeof routes[0]));
    tcase_add_test(finding, among_many_names_each_finds_its_own_and_others_the_pattern);
    tcase_add_test(finding, a_name_that_no_pattern_matches_finds_nothing);
    tcase_add_test(finding, routes_stand_in_the_order_in_which_they_are_tried);
    tcase_add_test(finding, a_version_in_a_reference_reaches_the_target);
    tcase_add_test(finding, a_very_long_name_is_no_model);
    suite_add_tcase(suite, finding);
    return suite;
}

int main(void)
{
    return suite_run(route_suite());
}
