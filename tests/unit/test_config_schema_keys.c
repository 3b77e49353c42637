/* The keys that say how a model's own schema is followed: read_schema, cache_dir, map, additional_drop_params. */
#include "check_main.h"
#include "config/config.h"
#include "config_case.h"

START_TEST(schemas_are_read_and_kept_nowhere_unless_said_otherwise)
{
    struct config *config = config_case_must_load("models: {m: a/b}\n");
    ck_assert(config->routes[0]->read_schema);
    ck_assert_uint_eq(config->routes[0]->dropped_count, 0);
    ck_assert_ptr_null(config->cache_dir);
    config_unref(config);
}
END_TEST

START_TEST(a_model_says_otherwise_than_all_models)
{
    struct config *config = config_case_must_load("read_schema: false\nadditional_drop_params: [seed, top_p]\n"
                                                  "cache_dir: /var/cache/replibridge\nmodels:\n"
                                                  "  m: {model: a/b, read_schema: true, additional_drop_params: user}\n"
                                                  "  n: a/c\n");
    const struct route *m = config_find_route(config, "m"), *n = config_find_route(config, "n");
    ck_assert_str_eq(config->cache_dir, "/var/cache/replibridge");
    ck_assert(m->read_schema);
    ck_assert(!n->read_schema);
    ck_assert_uint_eq(m->dropped_count, 1);
    ck_assert_str_eq(m->dropped[0], "user");
    ck_assert_uint_eq(n->dropped_count, 2);
    ck_assert_str_eq(n->dropped[1], "top_p");
    config_unref(config);
}
END_TEST

START_TEST(parts_of_a_parameter_cannot_be_left_out)
{
    config_case_refuses("models: {m: a/b}\nadditional_drop_params: ['tools[*].strict']\n", "whole parameters");
    config_case_refuses("models: {m: a/b}\nadditional_drop_params: []\n", "at least one");
}
END_TEST

START_TEST(a_map_names_inputs_for_images_and_other_files)
{
    struct config *config = config_case_must_load(
        "models:\n  m: {model: a/b, map: {image: picture, audio: sound, video: clip, file: null}}\n");
    const json_t *map = config->routes[0]->map;
    ck_assert_str_eq(json_string_value(json_object_get(map, "image")), "picture");
    ck_assert_str_eq(json_string_value(json_object_get(map, "audio")), "sound");
    ck_assert(json_is_null(json_object_get(map, "file")));
    config_unref(config);
}
END_TEST

START_TEST(litellms_additional_drop_params_are_done)
{
    struct config *config =
        config_case_must_load("model_list:\n"
                              "  - model_name: m\n"
                              "    litellm_params: {model: replicate/a/b, additional_drop_params: [logit_bias]}\n"
                              "  - model_name: n\n"
                              "    litellm_params: {model: replicate/a/c}\n"
                              "litellm_settings: {additional_drop_params: [seed]}\n");
    ck_assert_str_eq(config_find_route(config, "m")->dropped[0], "logit_bias");
    ck_assert_str_eq(config_find_route(config, "n")->dropped[0], "seed");
    ck_assert(!config_case_warns(config, "additional_drop_params"));
    config_unref(config);
}
END_TEST

static Suite *config_schema_keys_suite(void)
{
    Suite *suite = suite_create("config_schema_keys");
    TCase *keys = tcase_create("keys");
    tcase_add_checked_fixture(keys, config_case_setup, config_case_teardown);
    tcase_add_test(keys, schemas_are_read_and_kept_nowhere_unless_said_otherwise);
    tcase_add_test(keys, a_model_says_otherwise_than_all_models);
    tcase_add_test(keys, parts_of_a_parameter_cannot_be_left_out);
    tcase_add_test(keys, a_map_names_inputs_for_images_and_other_files);
    tcase_add_test(keys, litellms_additional_drop_params_are_done);
    suite_add_tcase(suite, keys);
    return suite;
}

int main(void)
{
    return suite_run(config_schema_keys_suite());
}
