/* The models list, and one model of it, from a snapshot built by hand. */
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "call_help.h"
#include "check_main.h"
#include "openai/models.h"

#define VERSION "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct route routes[5];
static struct route *route_list[5];
static struct config config;
static struct buf out;
static const char *document; /* of every model; NULL = none is known */

static struct model_schema *schema_of(void *arg, const struct route *route, const char *alias)
{
    struct error err = {0};
    ensure(arg == NULL && route != NULL && alias != NULL);
    return document == NULL ? NULL : model_schema_parse(document, strlen(document), &err);
}

static struct local local_of(const struct config *of, const struct key *key)
{
    return (struct local){.config = of, .key = key, .schema_of = schema_of};
}

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
    document = NULL;
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
    struct local local = local_of(&config, key);
    bool fine = models_get(&call, &local, &out, err);
    call_dispose(&call);
    return fine;
}

static bool list(const struct config *of, const struct key *key, struct buf *into, struct error *err)
{
    struct call call;
    struct local local = local_of(of, key);
    call_init(&call);
    bool fine = models_list(&call, &local, into, err);
    call_dispose(&call);
    return fine;
}

/* What a model's own object says beyond OpenAI's members. */
static json_t *facts(void)
{
    json_t *answer = help_json(buf_text(&out));
    json_t *member = json_incref(json_object_get(answer, "replibridge"));
    ck_assert_ptr_nonnull(member);
    json_decref(answer);
    return member;
}

/* The object begins as OpenAI's does. */
static void expect_item(const char *item)
{
    size_t length = strlen(item) - 1;
    ck_assert_msg(strncmp(buf_text(&out), item, length) == 0, "%s", buf_text(&out));
    ck_assert_int_eq(strncmp(buf_text(&out) + length, ",\"replibridge\":{", 16), 0);
}

#define ITEM(id, owner) "{\"id\":\"" id "\",\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"" owner "\"}"

START_TEST(the_list_holds_every_plain_alias_with_its_owner)
{
    struct error err = {0};
    ck_assert(list(&config, NULL, &out, &err));
    ck_assert_str_eq(buf_text(&out),
                     "{\"object\":\"list\",\"data\":[" ITEM("kimi-k2", "moonshotai") "," ITEM("mine", "acme") "," ITEM(
                         "pinned", "replicate") "," ITEM("a \\\"quoted\\\" name", "meta") "]}");
}
END_TEST

START_TEST(a_key_sees_what_it_may_use)
{
    char *patterns[] = {"kimi*"};
    struct key key = {.models = patterns, .model_count = 1};
    struct error err = {0};
    ck_assert(list(&config, &key, &out, &err));
    ck_assert_str_eq(buf_text(&out), "{\"object\":\"list\",\"data\":[" ITEM("kimi-k2", "moonshotai") "]}");
}
END_TEST

START_TEST(a_list_of_nothing_is_an_empty_list)
{
    struct config empty = {0};
    struct error err = {0};
    ck_assert(list(&empty, NULL, &out, &err));
    ck_assert_str_eq(buf_text(&out), "{\"object\":\"list\",\"data\":[]}");
}
END_TEST

START_TEST(a_list_that_does_not_fit_is_an_error)
{
    struct error err = {0};
    struct buf small;
    buf_init(&small, 40);
    ck_assert(!list(&config, NULL, &small, &err));
    ck_assert_int_eq(err.kind, ERROR_INTERNAL);
    buf_dispose(&small);
}
END_TEST

START_TEST(one_model_is_one_object)
{
    struct error err = {0};
    ck_assert_msg(get("kimi-k2", NULL, &err), "%s", err.message);
    expect_item(ITEM("kimi-k2", "moonshotai"));
}
END_TEST

START_TEST(what_the_operator_says_of_a_model_is_shown_beside_the_rest)
{
    struct error err = {0};
    routes[0].info =
        help_json("{\"id\":\"other\",\"name\":\"Kimi \\u00b7 K2\",\"owned_by\":7,\"context_length\":128000}");
    ck_assert_msg(get("kimi-k2", NULL, &err), "%s", err.message);
    json_decref(routes[0].info);
    expect_item("{\"id\":\"kimi-k2\",\"object\":\"model\",\"created\":1700000000,"
                "\"owned_by\":\"moonshotai\",\"name\":\"Kimi \xC2\xB7 K2\",\"context_length\":128000}");
}
END_TEST

START_TEST(a_message_points_to_the_list_only_where_it_holds_something)
{
    struct config wild = {.routes = &route_list[4], .route_count = 1};
    struct call call = {.alias = "unknown"};
    struct error listed = {0}, unlisted = {0};
    ck_assert(!models_are_unlisted(&config));
    ck_assert(models_are_unlisted(&wild));
    struct local many = local_of(&config, NULL), few = local_of(&wild, NULL);
    ck_assert(!models_get(&call, &many, &out, &listed));
    ck_assert_ptr_nonnull(strstr(listed.message, "GET /v1/models"));
    ck_assert(!models_get(&call, &few, &out, &unlisted));
    ck_assert_ptr_null(strstr(unlisted.message, "GET /v1/models"));
    ck_assert_ptr_nonnull(strstr(unlisted.message, "owner/name"));
}
END_TEST

START_TEST(a_wildcard_serves_ids_that_no_list_shows)
{
    struct error err = {0};
    ck_assert_msg(get("replicate/openai/gpt-5", NULL, &err), "%s", err.message);
    expect_item(ITEM("replicate/openai/gpt-5", "openai"));
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

/* A model with an input of each kind that is shown. */
static const char DOCUMENT[] =
    "{\"owner\":\"moonshotai\",\"name\":\"kimi-k2-thinking\",\"is_official\":true,\"latest_version\":{\"id\":\"v1\","
    "\"openapi_schema\":{\"components\":{\"schemas\":{\"Input\":{\"required\":[\"prompt\"],\"properties\":{"
    "\"prompt\":{\"type\":\"string\",\"description\":\"What to say\"},"
    "\"max_new_tokens\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":4096,\"default\":512},"
    "\"image\":{\"type\":\"string\",\"format\":\"uri\"},"
    "\"mode\":{\"type\":\"string\",\"enum\":[\"slow\",\"fast\"]},"
    "\"api_key\":{\"type\":\"string\",\"x-cog-secret\":true,\"default\":\"never-shown\"}}},"
    "\"Output\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"x-cog-array-type\":\"iterator\","
    "\"x-cog-array-display\":\"concatenate\"}}}}}}";

START_TEST(a_model_tells_its_inputs_and_what_becomes_of_openais_parameters)
{
    struct error err = {0};
    document = DOCUMENT;
    ck_assert_msg(get("kimi-k2", NULL, &err), "%s", err.message);
    json_t *known = facts();
    const json_t *inputs = json_object_get(known, "inputs"), *limit = json_object_get(inputs, "max_new_tokens");
    ck_assert_str_eq(json_text(known, "model"), "moonshotai/kimi-k2-thinking");
    ck_assert(json_is_true(json_object_get(known, "official")));
    ck_assert(json_is_true(json_object_get(known, "streams")));
    ck_assert_int_eq(json_integer_value(json_object_get(limit, "maximum")), 4096);
    ck_assert_int_eq(json_integer_value(json_object_get(limit, "default")), 512);
    ck_assert_str_eq(json_text(json_object_get(inputs, "image"), "type"), "file");
    ck_assert_uint_eq(json_array_size(json_object_get(json_object_get(inputs, "mode"), "enum")), 2);
    ck_assert(json_is_true(json_object_get(json_object_get(inputs, "prompt"), "required")));
    ck_assert_ptr_null(strstr(buf_text(&out), "never-shown"));
    const json_t *mapping = json_object_get(known, "mapping");
    ck_assert_str_eq(json_text(json_object_get(mapping, "parameters"), "max_tokens"), "max_new_tokens");
    json_decref(known);
}
END_TEST

START_TEST(of_a_model_without_a_schema_nothing_is_guessed)
{
    struct error err = {0};
    ck_assert_msg(get("kimi-k2", NULL, &err), "%s", err.message);
    json_t *known = facts();
    ck_assert(json_is_null(json_object_get(known, "official")));
    ck_assert(json_is_null(json_object_get(known, "streams")));
    ck_assert(json_is_null(json_object_get(known, "inputs")));
    ck_assert(json_is_object(json_object_get(known, "mapping")));
    json_decref(known);
}
END_TEST

START_TEST(front_ends_of_litellm_are_told_what_a_model_supports)
{
    struct error err = {0};
    struct call call;
    struct local local = local_of(&config, NULL);
    document = DOCUMENT;
    routes[0].info = help_json("{\"input_cost_per_token\":0.5,\"mode\":\"completion\"}");
    call_init(&call);
    ck_assert(models_info(&call, &local, &out, &err));
    json_decref(routes[0].info);
    json_t *answer = help_json(buf_text(&out));
    const json_t *entry = json_array_get(json_object_get(answer, "data"), 0),
                 *info = json_object_get(entry, "model_info");
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "data")), 4);
    ck_assert_str_eq(json_text(entry, "model_name"), "kimi-k2");
    ck_assert_str_eq(json_text(json_object_get(entry, "litellm_params"), "model"),
                     "replicate/moonshotai/kimi-k2-thinking");
    ck_assert_int_eq(json_integer_value(json_object_get(info, "max_output_tokens")), 4096);
    ck_assert(json_is_true(json_object_get(info, "supports_vision")));
    ck_assert(json_is_false(json_object_get(info, "supports_function_calling")));
    ck_assert_str_eq(json_text(info, "mode"), "completion");
    json_decref(answer);
}
END_TEST

START_TEST(each_deployment_of_a_name_is_told_but_the_name_is_listed_once)
{
    struct error err = {0};
    struct call call;
    struct local local = local_of(&config, NULL);
    struct route second;
    help_route(&second, "{\"alias\":\"kimi-k2\",\"reference\":\"deployments/acme/kimi\"}");
    second.deployment = 1;
    second.weight = 3;
    routes[0].next = &second;
    call_init(&call);
    ck_assert(models_info(&call, &local, &out, &err));
    json_t *answer = help_json(buf_text(&out));
    const json_t *data = json_object_get(answer, "data"), *entry = json_array_get(data, 1);
    ck_assert_uint_eq(json_array_size(data), 5);
    ck_assert_str_eq(json_text(entry, "model_name"), "kimi-k2");
    ck_assert_str_eq(json_text(json_object_get(entry, "litellm_params"), "model"), "replicate/deployments/acme/kimi");
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(entry, "litellm_params"), "weight")), 3);
    ck_assert_str_eq(json_text(json_object_get(entry, "model_info"), "id"), "kimi-k2#2");
    ck_assert_str_eq(json_text(json_object_get(json_array_get(data, 0), "model_info"), "id"), "kimi-k2#1");
    ck_assert_str_eq(json_text(json_object_get(json_array_get(data, 2), "model_info"), "id"), "mine");
    json_decref(answer);
    buf_clear(&out);
    ck_assert(list(&config, NULL, &out, &err));
    answer = help_json(buf_text(&out));
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "data")), 4);
    json_decref(answer);
    call_dispose(&call);
    help_route_dispose(&second);
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
    tcase_add_test(models, a_model_tells_its_inputs_and_what_becomes_of_openais_parameters);
    tcase_add_test(models, of_a_model_without_a_schema_nothing_is_guessed);
    tcase_add_test(models, front_ends_of_litellm_are_told_what_a_model_supports);
    tcase_add_test(models, each_deployment_of_a_name_is_told_but_the_name_is_listed_once);
    suite_add_tcase(suite, models);
    return suite;
}

int main(void)
{
    return suite_run(models_suite());
}
