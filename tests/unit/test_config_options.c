/* Command line, environment and file: who goes before whom; variables in values; references and restarts. */
#include <string.h>

#include "check_main.h"
#include "config/config.h"
#include "config_case.h"

static const char plain[] = "models: {m: a/b}\n";

START_TEST(without_a_file_any_model_is_served)
{
    struct config_options options = config_case_options();
    struct config *config = config_case_load_options(&options);
    ck_assert_ptr_nonnull(config);
    ck_assert_uint_eq(config->route_count, 1);
    ck_assert_str_eq(config->routes[0]->alias, "*");
    ck_assert_str_eq(config->routes[0]->token, "test-token");
    struct target target;
    ck_assert(route_target(config->routes[0], "replicate/a/b", &target, NULL));
    ck_assert_str_eq(target.name, "a/b");
    target_dispose(&target);
    config_unref(config);
}
END_TEST

START_TEST(one_model_can_be_named_on_the_command_line)
{
    struct config_options options = config_case_options();
    options.model = "replicate/a/b";
    struct config *config = config_case_load_options(&options);
    ck_assert_str_eq(config->routes[0]->alias, "a/b");
    config_unref(config);
    options.alias = "short";
    config = config_case_load_options(&options);
    ck_assert_uint_eq(config->route_count, 1);
    ck_assert_str_eq(config->routes[0]->alias, "short");
    ck_assert_str_eq(config->routes[0]->reference, "a/b");
    config_unref(config);
    options.model = NULL;
    ck_assert_ptr_null(config_case_load_options(&options));
    ck_assert_str_eq(config_case_message(), "--alias: an alias needs a model; add --model owner/name");
    options.model = "nonsense";
    ck_assert_ptr_null(config_case_load_options(&options));
    ck_assert_ptr_nonnull(strstr(config_case_message(), "--model: the model must be owner/name"));
    options.file = config_case_file("config.yaml", plain);
    ck_assert_ptr_null(config_case_load_options(&options));
    ck_assert_ptr_nonnull(strstr(config_case_message(), "--model works without a file only"));
}
END_TEST

START_TEST(with_nothing_at_all_both_ways_to_start_are_told)
{
    config_case_variable("REPLICATE_API_KEY", "");
    struct config_options options = config_case_options();
    ck_assert_ptr_null(config_case_load_options(&options));
    ck_assert_ptr_nonnull(strstr(config_case_message(), "REPLICATE_API_TOKEN"));
    ck_assert_ptr_nonnull(strstr(config_case_message(), "--config FILE"));
}
END_TEST

START_TEST(the_file_may_be_named_by_the_environment)
{
    config_case_variable("CONFIG_FILE_PATH", config_case_file("other.yaml", "models: {named: a/b}\n"));
    struct config_options options = config_case_options();
    struct config *config = config_case_load_options(&options);
    ck_assert_str_eq(config->routes[0]->alias, "named");
    config_unref(config);
}
END_TEST

START_TEST(the_command_line_goes_before_the_environment_and_that_before_the_file)
{
    static const char text[] = "listen: 127.0.0.1:1111\nworkers: 2\nlog: {level: error}\nmodels: {m: a/b}\n";
    struct config *config = config_case_must_load(text);
    ck_assert_int_eq(config->port, 1111);
    ck_assert_int_eq(config->workers, 2);
    config_unref(config);
    config_case_variable("HOST", "localhost");
    config_case_variable("PORT", "2222");
    config_case_variable("NUM_WORKERS", "3");
    config_case_variable("LITELLM_LOG", "DEBUG");
    config_case_variable("JSON_LOGS", "true");
    config = config_case_must_load(text);
    ck_assert_str_eq(config->host, "localhost");
    ck_assert_int_eq(config->port, 2222);
    ck_assert_int_eq(config->workers, 3);
    ck_assert_int_eq(config->log.level, LOG_LEVEL_DEBUG);
    ck_assert_int_eq(config->log.format, LOG_FORMAT_JSON);
    config_unref(config);
    struct config_options options = config_case_options();
    options.file = config_case_file("config.yaml", text);
    options.host = "127.0.0.2";
    options.port = 0;
    options.workers = 4;
    options.log_level = "warn";
    config = config_case_load_options(&options);
    ck_assert_str_eq(config->host, "127.0.0.2");
    ck_assert_int_eq(config->port, 0);
    ck_assert_int_eq(config->workers, 4);
    ck_assert_int_eq(config->log.level, LOG_LEVEL_WARN);
    config_unref(config);
}
END_TEST

START_TEST(limits_of_the_command_line_go_before_the_file)
{
    static const char text[] = "max_in_flight: 7\nidle_timeout: 8s\nmodels: {m: a/b}\n";
    struct config *config = config_case_must_load(text);
    ck_assert_int_eq(config->max_in_flight, 7);
    ck_assert_int_eq(config->idle_timeout_ms, 8000);
    config_unref(config);
    config_case_variable("KEEPALIVE_TIMEOUT", "9");
    config = config_case_must_load(text);
    ck_assert_int_eq(config->idle_timeout_ms, 9000);
    config_unref(config);
    struct config_options options = config_case_options();
    options.file = config_case_file("config.yaml", text);
    options.max_in_flight = 10;
    options.idle_timeout_ms = 11000;
    config = config_case_load_options(&options);
    ck_assert_int_eq(config->max_in_flight, 10);
    ck_assert_int_eq(config->idle_timeout_ms, 11000);
    config_unref(config);
}
END_TEST

START_TEST(a_number_of_the_command_line_that_is_out_of_range_is_said_with_its_flag)
{
    struct config_options options = config_case_options();
    options.workers = 65;
    ck_assert_ptr_null(config_case_load_options(&options));
    ck_assert_str_eq(config_case_message(), "--num_workers: this is out of range: from 1 to 64");
    options = config_case_options();
    options.max_in_flight = -1;
    ck_assert_ptr_null(config_case_load_options(&options));
    ck_assert_str_eq(config_case_message(), "--limit_concurrency: this is out of range: from 1 to 1000000");
    options = config_case_options();
    options.idle_timeout_ms = 99;
    ck_assert_ptr_null(config_case_load_options(&options));
    ck_assert_str_eq(config_case_message(), "--keepalive_timeout: this is out of range: from 100 ms to 3600000 ms");
}
END_TEST

static const struct {
    const char *name, *value, *part;
} wrong_variables[] = {
    {"PORT", "65536", "environment: PORT: the port must be a number"},
    {"PORT", "http", "environment: PORT: the port must be a number"},
    {"PORT", "-1", "environment: PORT: the port must be a number"},
    {"NUM_WORKERS", "0", "environment: NUM_WORKERS: this is out of range"},
    {"KEEPALIVE_TIMEOUT", "soon", "environment: KEEPALIVE_TIMEOUT: this must be a duration"},
    {"KEEPALIVE_TIMEOUT", "0", "environment: KEEPALIVE_TIMEOUT: this is out of range"},
    {"LITELLM_MAX_STREAMING_DURATION_SECONDS", "x",
     "environment: LITELLM_MAX_STREAMING_DURATION_SECONDS: this must be a duration"},
    {"LITELLM_LOG", "loud", "environment: LITELLM_LOG: this must be one of"},
    {"JSON_LOGS", "maybe", "environment: JSON_LOGS: this must be true or false"},
    {"LITELLM_DROP_PARAMS", "maybe", "environment: LITELLM_DROP_PARAMS: this must be true or false"},
    {"LITELLM_REQUEST_TIMEOUT", "soon", "environment: LITELLM_REQUEST_TIMEOUT: this must be a duration"},
    {"REQUEST_TIMEOUT", "0", "environment: REQUEST_TIMEOUT: this is out of range"},
    {"REPLICATE_POLLING_DELAY_SECONDS", "x", "environment: REPLICATE_POLLING_DELAY_SECONDS: this must be a duration"},
    {"REPLICATE_API_BASE", "nonsense", "environment: REPLICATE_API_BASE: the address must begin with"},
    {"REPLICATE_API_TOKEN", "hidden\n\n", "environment: REPLICATE_API_TOKEN: the value holds blanks"},
    {"LITELLM_MASTER_KEY", "hidden key", "environment: LITELLM_MASTER_KEY: the value holds blanks"},
};

START_TEST(a_wrong_variable_is_named_and_not_shown)
{
    config_case_variable(wrong_variables[_i].name, wrong_variables[_i].value);
    config_case_refuses(plain, wrong_variables[_i].part);
    ck_assert_ptr_null(strstr(config_case_message(), "hidden"));
}
END_TEST

START_TEST(words_of_other_programs_in_debug_mean_nothing_here)
{
    config_case_variable("DEBUG", "express:*");
    config_case_variable("DETAILED_DEBUG", "maybe");
    struct config *config = config_case_must_load(plain);
    ck_assert_int_eq(config->log.level, LOG_LEVEL_INFO);
    config_unref(config);
    config_case_variable("DEBUG", "true");
    config = config_case_must_load(plain);
    ck_assert_int_eq(config->log.level, LOG_LEVEL_DEBUG);
    config_unref(config);
}
END_TEST

START_TEST(json_logs_of_the_command_line_go_before_the_file)
{
    struct config_options options = config_case_options();
    options.file = config_case_file("config.yaml", "log: {format: text}\nmodels: {m: a/b}\n");
    struct config *config = config_case_load_options(&options);
    ck_assert_int_eq(config->log.format, LOG_FORMAT_TEXT);
    config_unref(config);
    options.log_json = true;
    config = config_case_load_options(&options);
    ck_assert_int_eq(config->log.format, LOG_FORMAT_JSON);
    config_unref(config);
}
END_TEST

START_TEST(variables_stand_in_where_the_file_is_silent)
{
    config_case_variable("REPLICATE_API_TOKEN", "native-first");
    config_case_variable("REPLICATE_API_BASE", "http://127.0.0.1:99/");
    config_case_variable("REPLICATE_POLLING_DELAY_SECONDS", "0.5");
    config_case_variable("LITELLM_DROP_PARAMS", "True");
    config_case_variable("LITELLM_MASTER_KEY", "sk-test");
    config_case_variable("DETAILED_DEBUG", "1");
    struct config *config = config_case_must_load(plain);
    const struct route *route = config->routes[0];
    ck_assert_str_eq(route->token, "native-first");
    ck_assert_str_eq(route->base_url, "http://127.0.0.1:99/v1");
    ck_assert_int_eq(route->poll_interval_ms, 500);
    ck_assert(route->drop_params);
    ck_assert_str_eq(config->keys[0].name, "master");
    ck_assert_str_eq(config->keys[0].digest, "f3abf2a6cc4f00987743db5f544ba345b4899ae31f326d8ee9c4816de153c9e0");
    ck_assert_int_eq(config->log.level, LOG_LEVEL_DEBUG);
    config_unref(config);
    config = config_case_must_load("keys: own-key\nreplicate: {token: file-token, base_url: 'https://f/v2', "
                                   "poll_interval: 3s}\nmodels: {m: a/b}\n");
    ck_assert_str_eq(config->routes[0]->token, "file-token");
    ck_assert_str_eq(config->routes[0]->base_url, "https://f/v2");
    ck_assert_int_eq(config->routes[0]->poll_interval_ms, 3000);
    ck_assert_uint_eq(config->key_count, 1);
    ck_assert_str_eq(config->keys[0].digest, "2e2053071f16c12ede0aca2fc804367c8f16afa63442149df5fa799019c348a8");
    config_unref(config);
}
END_TEST

static void assert_token(const char *expected)
{
    struct config *config = config_case_must_load(plain);
    ck_assert_str_eq(config->routes[0]->token, expected);
    config_unref(config);
}

START_TEST(a_token_may_lie_in_a_file_that_a_variable_names)
{
    config_case_variable("REPLICATE_API_KEY", "");
    config_case_variable("REPLICATE_API_TOKEN_FILE", config_case_file("token", "from-file\r\n"));
    assert_token("from-file");
    config_case_variable("REPLICATE_API_TOKEN", "from-variable");
    assert_token("from-variable");
}
END_TEST

static const char *const bad_token_files[] = {"", "\n", "hidden token", "hidden\ntoken\n"};

START_TEST(a_file_without_one_token_is_refused_and_not_shown)
{
    config_case_variable("REPLICATE_API_KEY", "");
    config_case_variable("REPLICATE_API_TOKEN_FILE", config_case_file("token", bad_token_files[_i]));
    config_case_refuses(plain, "environment: REPLICATE_API_TOKEN_FILE: the ");
    ck_assert_ptr_null(strstr(config_case_message(), "hidden"));
    config_case_variable("REPLICATE_API_TOKEN_FILE", "/nonexistent/token");
    config_case_refuses(plain, "environment: REPLICATE_API_TOKEN_FILE: the file cannot be read");
}
END_TEST

static void assert_timeout(const char *text, int64_t timeout_ms, const char *key)
{
    struct config *config = config_case_must_load(text);
    ck_assert_int_eq(config->routes[0]->timeout_ms, timeout_ms);
    ck_assert_str_eq(config->routes[0]->timeout_key, key);
    config_unref(config);
}

START_TEST(a_timeout_comes_from_the_first_place_that_sets_it)
{
    assert_timeout(plain, 600000, "timeout (default 10m)");
    config_case_variable("REQUEST_TIMEOUT", "61");
    assert_timeout(plain, 61000, "REQUEST_TIMEOUT");
    config_case_variable("LITELLM_REPLICATE_POLL_TIMEOUT", "62");
    assert_timeout(plain, 62000, "LITELLM_REPLICATE_POLL_TIMEOUT");
    config_case_variable("LITELLM_REQUEST_TIMEOUT", "63");
    assert_timeout(plain, 63000, "LITELLM_REQUEST_TIMEOUT");
    assert_timeout("models: {m: a/b}\ntimeout: 64s\n", 64000, "timeout");
    assert_timeout("models: {m: {model: a/b, timeout: 65s}}\ntimeout: 64s\n", 65000, "timeout under models.m");
    assert_timeout("models: {m: {model: a/b, timeout: null}}\ntimeout:\n", 63000, "LITELLM_REQUEST_TIMEOUT");
}
END_TEST

START_TEST(variables_are_filled_into_values)
{
    config_case_variable("OWNER", "meta");
    config_case_variable("LIMIT", "12");
    config_case_variable("EMPTY", "");
    struct config *config = config_case_must_load(
        "models:\n  m:\n    model: ${OWNER}/${NAME:-llama}\n    rpm: ${LIMIT}\n"
        "    input:\n      price: $$5\n      lone: 5$\n      text: \"${LIMIT}\"\n      number: ${LIMIT}\n"
        "      gone: \"${EMPTY:-}\"\n");
    const struct route *route = config->routes[0];
    ck_assert_str_eq(route->reference, "meta/llama");
    ck_assert_int_eq(route->limits.requests_per_minute, 12);
    ck_assert_str_eq(json_string_value(json_object_get(route->input, "price")), "$5");
    ck_assert_str_eq(json_string_value(json_object_get(route->input, "lone")), "5$");
    ck_assert_str_eq(json_string_value(json_object_get(route->input, "text")), "12");
    ck_assert_int_eq(json_integer_value(json_object_get(route->input, "number")), 12);
    ck_assert_str_eq(json_string_value(json_object_get(route->input, "gone")), "");
    config_unref(config);
}
END_TEST

START_TEST(a_reference_that_cannot_be_filled_is_said_with_its_place)
{
    config_case_variable("EMPTY", "");
    config_case_variable("BROKEN", "\xff\xfe");
    config_case_refuses("models: {m: a/b}\nreplicate:\n  token: ${NO_SUCH_TOKEN}\n",
                        "config.yaml:3: replicate.token: the environment variable NO_SUCH_TOKEN is not set");
    config_case_refuses("models: {m: '${EMPTY}/b'}\n", "models.m: the environment variable EMPTY is not set");
    config_case_refuses("models: {m: 'a${/b'}\n", "models.m: a reference to a variable is written ${NAME}");
    config_case_refuses("models: {m: 'a${1X}/b'}\n", "models.m: a reference to a variable is written ${NAME}");
    config_case_refuses("models: {m: 'a${X-y}/b'}\n", "models.m: a reference to a variable is written ${NAME}");
    config_case_refuses("models: {m: {model: a/b, input: {x: '${BROKEN}'}}}\n", "models.m.input: a text in this map");
}
END_TEST

START_TEST(a_snapshot_lives_as_long_as_it_is_referenced)
{
    struct config *config = config_case_must_load(plain);
    ck_assert_ptr_eq(config_ref(config), config);
    config_unref(config);
    ck_assert_str_eq(config->routes[0]->alias, "m");
    config_unref(config);
    config_unref(NULL);
}
END_TEST

START_TEST(what_needs_a_restart_is_named)
{
    struct config *old = config_case_must_load("models: {m: a/b}\nworkers: 1\n");
    struct config *same = config_case_must_load("models: {m: c/d}\ntimeout: 5m\nworkers: 1\n");
    struct config *other = config_case_must_load("models: {m: a/b}\nlisten: 127.0.0.1:1\nworkers: 2\nidle_timeout: "
                                                 "5s\nreplicate: {proxy: 'http://p:1', connect_timeout: 1s}\n");
    char keys[256], few[8];
    config_restart_keys(old, same, keys, sizeof keys);
    ck_assert_str_eq(keys, "");
    config_restart_keys(old, other, keys, sizeof keys);
    ck_assert_str_eq(keys, "listen, workers, idle_timeout, replicate.proxy, replicate.connect_timeout");
    config_restart_keys(old, other, few, sizeof few);
    ck_assert_str_eq(few, "listen,");
    config_unref(old);
    config_unref(same);
    config_unref(other);
}
END_TEST

START_TEST(a_small_buffer_for_the_message_is_enough)
{
    struct config_options options = config_case_options();
    options.file = "/nonexistent/config.yaml";
    char message[16];
    ck_assert_ptr_null(config_load(&options, message, sizeof message));
    ck_assert_str_eq(message, "/nonexistent/co");
}
END_TEST

static Suite *config_options_suite(void)
{
    Suite *suite = suite_create("config_options");
    TCase *options = tcase_create("options");
    tcase_add_checked_fixture(options, config_case_setup, config_case_teardown);
    tcase_add_test(options, without_a_file_any_model_is_served);
    tcase_add_test(options, one_model_can_be_named_on_the_command_line);
    tcase_add_test(options, with_nothing_at_all_both_ways_to_start_are_told);
    tcase_add_test(options, the_file_may_be_named_by_the_environment);
    tcase_add_test(options, the_command_line_goes_before_the_environment_and_that_before_the_file);
    tcase_add_test(options, limits_of_the_command_line_go_before_the_file);
    tcase_add_test(options, a_number_of_the_command_line_that_is_out_of_range_is_said_with_its_flag);
    tcase_add_loop_test(options, a_wrong_variable_is_named_and_not_shown, 0,
                        (int)(sizeof wrong_variables / sizeof wrong_variables[0]));
    tcase_add_test(options, words_of_other_programs_in_debug_mean_nothing_here);
    tcase_add_test(options, json_logs_of_the_command_line_go_before_the_file);
    tcase_add_test(options, variables_stand_in_where_the_file_is_silent);
    tcase_add_test(options, a_token_may_lie_in_a_file_that_a_variable_names);
    tcase_add_loop_test(options, a_file_without_one_token_is_refused_and_not_shown, 0,
                        sizeof bad_token_files / sizeof bad_token_files[0]);
    tcase_add_test(options, a_timeout_comes_from_the_first_place_that_sets_it);
    tcase_add_test(options, variables_are_filled_into_values);
    tcase_add_test(options, a_reference_that_cannot_be_filled_is_said_with_its_place);
    tcase_add_test(options, a_snapshot_lives_as_long_as_it_is_referenced);
    tcase_add_test(options, what_needs_a_restart_is_named);
    tcase_add_test(options, a_small_buffer_for_the_message_is_enough);
    suite_add_tcase(suite, options);
    return suite;
}

int main(void)
{
    return suite_run(config_options_suite());
}
