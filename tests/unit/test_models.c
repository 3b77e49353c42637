/* The models list, and one model of it, from a snapshot built by hand. */
#include <string.h>

#include "base/ensure.h"
#include "call_help.h"
#include "check_main.h"
#include "openai/models.h"

#define VERSION "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct route routes[5];
static struct route *route_list[5];
static struct config config;
static struct buf out;

static void setup(void)
{
    static const char *const texts[] = {
        "{\"alias\":\"kimi-k2\",\"reference\":\"moonshotai/kimi-k2-thinking\"}",
        "{\"alias\":\"mine\",\"reference\":\"deployments/acme/chat\"}",
        "{\"alias\":\"pinned\",\"reference\":\"" VERSION "\"}",
        "{\"alias\":\"a \\\"quoted\\\" name\",\"reference\":\"meta/llama\"}",
        "{\"alias\":\"replicate/*\",\"reference\":\"*\"}",
    };
    for (size_t i = 0; i < 5; i++) {
        help_route(&routes[i], texts[i]);
        route_list[i] = &routes[i];
    }
    config = (struct config){.routes = route_list, .route_count = 5};
    buf_init(&out, 1 << 16);
}

static void teardown(void)
{
    for (size_t i = 0; i < 5; i++)
        help_route_dispose(&routes[i]);
    buf_dispose(&out);
}

static bool get(const char *id, const struct key *key, struct error *err)
{
    struct call call;
    struct call_request request = {.path_model = id, .unique = HELP_UNIQUE, .now_s = HELP_NOW_S};
    call_init(&call);
    ensure(models_decode(&call, &request, err));
    bool fine = models_get(&call, &config, key, &out, err);
    call_dispose(&call);
    return fine;
}

#define ITEM(id, owner) "{\"id\":\"" id "\",\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"" owner "\"}"

START_TEST(the_list_holds_every_plain_alias_with_its_owner)
{
    struct call call;
    struct error err = {0};
    call_init(&call);
    ck_assert(models_list(&call, &config, NULL, &out, &err));
    ck_assert_str_eq(buf_text(&out),
                     "{\"object\":\"list\",\"data\":[" ITEM("kimi-k2", "moonshotai") "," ITEM("mine", "acme") "," ITEM(
                         "pinned", "replicate") "," ITEM("a \\\"quoted\\\" name", "meta") "]}");
    call_dispose(&call);
}
END_TEST

START_TEST(a_key_sees_what_it_may_use)
{
    char *patterns[] = {"kimi*"};
    struct key key = {.models = patterns, .model_count = 1};
    struct call call;
    struct error err = {0};
    call_init(&call);
    ck_assert(models_list(&call, &config, &key, &out, &err));
    ck_assert_str_eq(buf_text(&out), "{\"object\":\"list\",\"data\":[" ITEM("kimi-k2", "moonshotai") "]}");
    call_dispose(&call);
}
END_TEST

START_TEST(a_list_of_nothing_is_an_empty_list)
{
    struct config empty = {0};
    struct call call;
    struct error err = {0};
    call_init(&call);
    ck_assert(models_list(&call, &empty, NULL, &out, &err));
    ck_assert_str_eq(buf_text(&out), "{\"object\":\"list\",\"data\":[]}");
    call_dispose(&call);
}
END_TEST

START_TEST(a_list_that_does_not_fit_is_an_error)
{
    struct call call;
    struct error err = {0};
    struct buf small;
    buf_init(&small, 40);
    call_init(&call);
    ck_assert(!models_list(&call, &config, NULL, &small, &err));
    ck_assert_int_eq(err.kind, ERROR_INTERNAL);
    call_dispose(&call);
    buf_dispose(&small);
}
END_TEST

START_TEST(one_model_is_one_object)
{
    struct error err = {0};
    ck_assert_msg(get("kimi-k2", NULL, &err), "%s", err.message);
    ck_assert_str_eq(buf_text(&out), ITEM("kimi-k2", "moonshotai"));
}
END_TEST

START_TEST(what_the_operator_says_of_a_model_is_shown_beside_the_rest)
{
    struct error err = {0};
    routes[0].info =
        help_json("{\"id\":\"other\",\"name\":\"Kimi \\u00b7 K2\",\"owned_by\":7,\"context_length\":128000}");
    ck_assert_msg(get("kimi-k2", NULL, &err), "%s", err.message);
    json_decref(routes[0].info);
    ck_assert_str_eq(buf_text(&out), "{\"id\":\"kimi-k2\",\"object\":\"model\",\"created\":1700000000,"
                                     "\"owned_by\":\"moonshotai\",\"name\":\"Kimi \xC2\xB7 K2\","
                                     "\"context_length\":128000}");
}
END_TEST

START_TEST(a_message_points_to_the_list_only_where_it_holds_something)
{
    struct config wild = {.routes = &route_list[4], .route_count = 1};
    struct call call = {.alias = "unknown"};
    struct error listed = {0}, unlisted = {0};
    ck_assert(!models_are_unlisted(&config));
    ck_assert(models_are_unlisted(&wild));
    ck_assert(!models_get(&call, &config, NULL, &out, &listed));
    ck_assert_ptr_nonnull(strstr(listed.message, "GET /v1/models"));
    ck_assert(!models_get(&call, &wild, NULL, &out, &unlisted));
    ck_assert_ptr_null(strstr(unlisted.message, "GET /v1/models"));
    ck_assert_ptr_nonnull(strstr(unlisted.message, "owner/name"));
}
END_TEST

START_TEST(a_wildcard_serves_ids_that_no_list_shows)
{
    struct error err = {0};
    ck_assert_msg(get("replicate/openai/gpt-5", NULL, &err), "%s", err.message);
    ck_assert_str_eq(buf_text(&out), ITEM("replicate/openai/gpt-5", "openai"));
}
END_TEST

START_TEST(what_no_route_serves_does_not_exist)
{
    static const char *const ids[] = {"unknown", "replicate/no-model", "KIMI-K2", "replicate/"};
    struct error err = {0};
    ck_assert(!get(ids[_i], NULL, &err));
    ck_assert_int_eq(err.kind, ERROR_MODEL_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.message, ids[_i]));
    ck_assert_uint_eq(out.length, 0);
}
END_TEST

START_TEST(what_a_key_may_not_use_does_not_exist_for_it)
{
    char *patterns[] = {"kimi*"};
    struct key key = {.models = patterns, .model_count = 1};
    struct error err = {0};
    ck_assert(get("kimi-k2", &key, &err));
    ck_assert(!get("mine", &key, &err));
    ck_assert_int_eq(err.kind, ERROR_MODEL_NOT_FOUND);
}
END_TEST

static Suite *models_suite(void)
{
    Suite *suite = suite_create("models");
    TCase *models = tcase_create("models");
    tcase_add_checked_fixture(models, setup, teardown);
    tcase_add_test(models, the_list_holds_every_plain_alias_with_its_owner);
    tcase_add_test(models, a_key_sees_what_it_may_use);
    tcase_add_test(models, a_list_of_nothing_is_an_empty_list);
    tcase_add_test(models, a_list_that_does_not_fit_is_an_error);
    tcase_add_test(models, one_model_is_one_object);
    tcase_add_test(models, what_the_operator_says_of_a_model_is_shown_beside_the_rest);
    tcase_add_test(models, a_message_points_to_the_list_only_where_it_holds_something);
    tcase_add_test(models, a_wildcard_serves_ids_that_no_list_shows);
    tcase_add_loop_test(models, what_no_route_serves_does_not_exist, 0, 4);
    tcase_add_test(models, what_a_key_may_not_use_does_not_exist_for_it);
    suite_add_tcase(suite, models);
    return suite;
}

int main(void)
{
    return suite_run(models_suite());
}
