/* Who may do what: clients' keys as they are and as hashes, when they end, tokens that clients bring, addresses, and
 * files that others may read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "check_main.h"
#include "config_case.h"

/* SHA-256 of "test-key". */
#define DIGEST "62af8704764faf8ea82fc61ce9c4c3908b6cb97d463a634e9e587d7c885db0ef"
#define DIGEST_BUT_ONE "62af8704764faf8ea82fc61ce9c4c3908b6cb97d463a634e9e587d7c885db0e"

/* ---- keys ---- */

START_TEST(a_key_is_kept_as_its_hash_however_it_is_written)
{
    static const char *const values[] = {"test-key", ("sha256:" DIGEST), "${KEY}"};
    config_case_variable("KEY", "test-key");
    char *text = xasprintf("models: {m: a/b}\nkeys: [{name: alice, key: \"%s\"}]\n", values[_i]);
    struct config *config = config_case_must_load(text);
    ck_assert_str_eq(config->keys[0].digest, DIGEST);
    ck_assert_int_eq(config->keys[0].expires_s, 0);
    config_unref(config);
    free(text);
}
END_TEST

START_TEST(the_digits_of_a_hash_may_be_capitals)
{
    struct config *config = config_case_must_load(
        "models: {m: a/b}\nkeys: [\"sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD\"]\n");
    ck_assert_str_eq(config->keys[0].digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    config_unref(config);
}
END_TEST

static const struct {
    const char *keys, *part;
} faults[] = {
    {"[\"sha256:" DIGEST_BUT_ONE "\"]", "keys[0]: after sha256: come 64 hexadecimal digits, and here are 63"},
    {"[\"sha256:" DIGEST "0\"]", "keys[0]: after sha256: come 64 hexadecimal digits, and here are 65"},
    {"[\"sha256:\"]", "keys[0]: after sha256: come 64 hexadecimal digits, and here are 0"},
    {"[{key: \"sha256:" DIGEST_BUT_ONE "g\"}]",
     "keys[0].key: after sha256: come 64 hexadecimal digits (0 to 9, a to f)"},
    {"[{name: a, key: test-key}, {name: b, key: test-key}]", "keys[1]: this key is given twice (as it is or by its"},
    {"[{name: a, key: test-key}, {name: b, key: \"sha256:" DIGEST "\"}]", "keys[1]: this key is given twice"},
    {"[{name: a, key: \"sha256:" DIGEST "\"}, test-key]", "hash), first as \"a\"; remove one of them"},
    {"[{key: test-key, expires: soon}]", "keys[0].expires: this must be a date such as 2030-12-31"},
    {"[{key: test-key, expires: []}]", "keys[0].expires: this must be a date"},
    {"[{key: test-key, expires: 2030-02-30}]", "keys[0].expires: this must be a date"},
};

START_TEST(a_wrong_key_is_named_by_its_place_and_not_shown)
{
    char *text = xasprintf("models: {m: a/b}\nkeys: %s\n", faults[_i].keys);
    config_case_refuses(text, faults[_i].part);
    ck_assert_ptr_null(strstr(config_case_message(), "test-key"));
    ck_assert_ptr_null(strstr(config_case_message(), DIGEST_BUT_ONE));
    free(text);
}
END_TEST

/* ---- when a key ends ---- */

static const struct {
    const char *text;
    int64_t expires_s; /* -1 = no time */
} times[] = {
    {"2030-12-31", 1924992000}, /* the first second of 2031 */
    {"2030-12-31T00:00:00Z", 1924905600},
    {"2030-12-31T23:59:59Z", 1924991999},
    {"2030-12-31 12:30:00z", 1924950600},
    {"2030-12-31T12:30:00.25+02:00", 1924943400},
    {"2030-12-31T12:30:00-01:30", 1924956000},
    {"2032-02-29", 1961712000},
    {"2031-02-29", -1},
    {"2030-13-01", -1},
    {"2030-00-10", -1},
    {"2030-12-00", -1},
    {"2030-12-32", -1},
    {"30-12-31", -1},
    {"2030-1-31", -1},
    {"2030-12-31T", -1},
    {"2030-12-31T12:30", -1},
    {"2030-12-31T12:30:00", -1},
    {"2030-12-31T24:00:00Z", -1},
    {"2030-12-31T12:60:00Z", -1},
    {"2030-12-31T12:30:60Z", -1},
    {"2030-12-31T12:30:00.Z", -1},
    {"2030-12-31T12:30:00Zulu", -1},
    {"2030-12-31T12:30:00+2:00", -1},
    {"2030-12-31T12:30:00+24:00", -1},
    {"2030-12-31Z", -1},
    {"1924905600", -1},
    {"never", -1},
};

START_TEST(a_key_ends_with_a_day_or_at_a_time)
{
    char *text = xasprintf("models: {m: a/b}\nkeys: [{key: test-key, expires: \"%s\"}]\n", times[_i].text);
    struct config *config = config_case_load(text);
    if (times[_i].expires_s >= 0) {
        ck_assert_msg(config != NULL, "%s", config_case_message());
        ck_assert_int_eq(config->keys[0].expires_s, times[_i].expires_s);
    } else {
        ck_assert_msg(config == NULL, "%s is taken", times[_i].text);
    }
    config_unref(config);
    free(text);
}
END_TEST

START_TEST(a_key_that_has_ended_is_warned_about_and_stays_a_key)
{
    struct config *config = config_case_must_load("models: {m: a/b}\nkeys: [{key: test-key, expires: 1960-01-01}]\n");
    ck_assert(config_case_warns(config, "config.yaml:2: keys[0]: this key has expired"));
    ck_assert_uint_eq(config->key_count, 1);
    ck_assert_int_gt(config->keys[0].expires_s, 0);
    ck_assert_int_lt(config->keys[0].expires_s, clock_wall_s());
    config_unref(config);
}
END_TEST

/* ---- tokens ---- */

START_TEST(with_passthrough_no_token_is_needed_and_none_is_kept)
{
    static const char *const texts[] = {
        "models: {m: a/b}\nreplicate: {token: passthrough}\n",
        "models: {m: {model: a/b, token: passthrough}}\n",
    };
    config_case_variable("REPLICATE_API_KEY", _i == 0 ? "" : "test-token");
    struct config *config = config_case_must_load(texts[_i]);
    ck_assert_ptr_null(config->routes[0]->token);
    config_unref(config);
}
END_TEST

START_TEST(passthrough_is_of_the_model_that_says_it)
{
    struct config *config = config_case_must_load(
        "replicate: {token: passthrough}\nmodels: {own: {model: a/b, token: test-token}, theirs: a/b}\n");
    ck_assert_pstr_eq(config_find_route(config, "own")->token, "test-token");
    ck_assert_ptr_null(config_find_route(config, "theirs")->token);
    config_unref(config);
}
END_TEST

START_TEST(where_clients_pay_for_themselves_an_open_address_needs_no_warning)
{
    struct config *config =
        config_case_must_load("listen: 0.0.0.0:4000\nreplicate: {token: passthrough}\nmodels: {m: a/b}\n");
    ck_assert_uint_eq(config->warning_count, 0);
    config_unref(config);
    config = config_case_must_load("listen: 0.0.0.0:4000\nreplicate: {token: passthrough}\n"
                                   "models: {m: {model: a/b, token: \"${REPLICATE_API_KEY}\"}, n: a/b}\n");
    ck_assert(config_case_warns(config, "everybody who reaches this address"));
    config_unref(config);
}
END_TEST

START_TEST(in_litellm_s_form_there_is_no_passthrough)
{
    config_case_refuses("model_list: [{model_name: m, litellm_params: {model: replicate/a/b, api_key: passthrough}}]\n",
                        "litellm_params.api_key: clients bring tokens of their own only in our own form of the file");
}
END_TEST

START_TEST(one_line_break_at_the_end_of_a_variable_is_left_out)
{
    static const struct {
        const char *value, *token; /* NULL = it is refused */
    } rows[] = {{"test-token\n", "test-token"}, {"test-token\r\n", "test-token"}, {"test-token\n\n", NULL},
                {"test\ntoken", NULL},          {"\ntest-token", NULL},           {"\n", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        config_case_variable("TOKEN", rows[i].value);
        struct config *config = config_case_load("models: {m: a/b}\nreplicate: {token: \"${TOKEN}\"}\n");
        ck_assert_int_eq(config != NULL, rows[i].token != NULL);
        if (config != NULL)
            ck_assert_str_eq(config->routes[0]->token, rows[i].token);
        else
            ck_assert_ptr_nonnull(strstr(config_case_message(), "replicate.token: the value holds blanks"));
        config_unref(config);
    }
}
END_TEST

/* ---- addresses ---- */

START_TEST(addresses_and_ranges_may_be_let_in)
{
    struct config *config =
        config_case_must_load("models: {m: a/b}\nallowed_ips: [192.0.2.1, 10.0.0.0/8, \"2001:db8::/32\"]\n");
    ck_assert_uint_eq(config->allowed_ip_count, 3);
    ck_assert_uint_eq(config->allowed_ips[1].bits, 104);
    ck_assert_uint_eq(config->allowed_ips[2].bits, 32);
    config_unref(config);
}
END_TEST

START_TEST(a_list_of_addresses_that_lets_in_nobody_or_everybody_by_mistake_is_refused)
{
    static const char *const values[] = {
        "", "[]", "{}", "\"\"", "[localhost]", "[10.0.0.0/33]", "[10.0.0.1, [10.0.0.2]]"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char *text = xasprintf("models: {m: a/b}\nallowed_ips: %s\n", values[i]);
        config_case_refuses(text, "config.yaml:2: allowed_ips: ");
        free(text);
    }
}
END_TEST

START_TEST(litellm_s_list_of_addresses_is_kept_and_its_proxy_is_taken_at_its_last_word)
{
    struct config *config =
        config_case_must_load("model_list: [{model_name: m, litellm_params: {model: replicate/a/b}}]\n"
                              "general_settings: {allowed_ips: [10.0.0.1], use_x_forwarded_for: true}\n");
    ck_assert_uint_eq(config->allowed_ip_count, 1);
    ck_assert(config->use_x_forwarded_for);
    ck_assert(config_case_warns(config, "use_x_forwarded_for: goes by the last address of X-Forwarded-For"));
    config_unref(config);
}
END_TEST

/* ---- files that others may read ---- */

static const struct {
    const char *text;
    mode_t mode;
    bool warns;
} files[] = {
    {"models: {m: a/b}\nkeys: [test-key]\n", 0644, true},
    {"models: {m: a/b}\nkeys: [test-key]\n", 0640, false},
    {"models: {m: a/b}\nkeys: [test-key]\n", 0600, false},
    {"models: {m: a/b}\nkeys: [\"sha256:" DIGEST "\"]\n", 0644, false},
    {"models: {m: a/b}\nkeys: [\"${REPLICATE_API_KEY}\"]\n", 0644, false},
    {"models: {m: a/b}\nreplicate: {token: test-token}\n", 0644, true},
    {"models: {m: a/b}\nreplicate: {token: passthrough}\n", 0644, false},
    {"models: {m: {model: a/b, token: test-token}}\n", 0644, true},
    {"models: {m: a/b}\n", 0644, false},
    {"model_list: [{model_name: m, litellm_params: {model: replicate/a/b, api_key: test-token}}]\n", 0644, true},
    {"model_list: [{model_name: m, litellm_params: {model: replicate/a/b, api_key: os.environ/REPLICATE_API_KEY}}]\n",
     0644, false},
    {"environment_variables: {TOKEN: test-token}\n"
     "model_list: [{model_name: m, litellm_params: {model: replicate/a/b, api_key: os.environ/TOKEN}}]\n",
     0644, true},
    {"model_list: [{model_name: m, litellm_params: {model: replicate/a/b}}]\ngeneral_settings: {master_key: "
     "test-key}\n",
     0644, true},
};

START_TEST(a_secret_in_a_file_that_everybody_may_read_is_warned_about_once)
{
    struct config_options options = config_case_options();
    options.file = config_case_file("config.yaml", files[_i].text);
    ck_assert_int_eq(chmod(options.file, files[_i].mode), 0);
    struct config *config = config_case_load_options(&options);
    ck_assert_msg(config != NULL, "%s", config_case_message());
    ck_assert_uint_eq(config->warning_count, files[_i].warns ? 1 : 0);
    ck_assert(!files[_i].warns || config_case_warns(config, "everybody on this machine may read this file"));
    config_unref(config);
}
END_TEST

START_TEST(two_secrets_in_one_file_are_one_warning)
{
    struct config_options options = config_case_options();
    options.file = config_case_file("config.yaml", "models: {m: a/b}\nkeys: [one-key, another-key]\n");
    ck_assert_int_eq(chmod(options.file, 0644), 0);
    struct config *config = config_case_load_options(&options);
    ck_assert_uint_eq(config->warning_count, 1);
    ck_assert(config_case_warns(config, "config.yaml:2: keys[0]: "));
    ck_assert(!config_case_warns(config, "one-key"));
    config_unref(config);
}
END_TEST

static Suite *config_access_suite(void)
{
    Suite *suite = suite_create("config_access");
    TCase *tcase = tcase_create("access");
    tcase_add_checked_fixture(tcase, config_case_setup, config_case_teardown);
    tcase_add_loop_test(tcase, a_key_is_kept_as_its_hash_however_it_is_written, 0, 3);
    tcase_add_test(tcase, the_digits_of_a_hash_may_be_capitals);
    tcase_add_loop_test(tcase, a_wrong_key_is_named_by_its_place_and_not_shown, 0, sizeof faults / sizeof faults[0]);
    tcase_add_loop_test(tcase, a_key_ends_with_a_day_or_at_a_time, 0, sizeof times / sizeof times[0]);
    tcase_add_test(tcase, a_key_that_has_ended_is_warned_about_and_stays_a_key);
    tcase_add_loop_test(tcase, with_passthrough_no_token_is_needed_and_none_is_kept, 0, 2);
    tcase_add_test(tcase, passthrough_is_of_the_model_that_says_it);
    tcase_add_test(tcase, where_clients_pay_for_themselves_an_open_address_needs_no_warning);
    tcase_add_test(tcase, in_litellm_s_form_there_is_no_passthrough);
    tcase_add_test(tcase, one_line_break_at_the_end_of_a_variable_is_left_out);
    tcase_add_test(tcase, addresses_and_ranges_may_be_let_in);
    tcase_add_test(tcase, a_list_of_addresses_that_lets_in_nobody_or_everybody_by_mistake_is_refused);
    tcase_add_test(tcase, litellm_s_list_of_addresses_is_kept_and_its_proxy_is_taken_at_its_last_word);
    tcase_add_loop_test(tcase, a_secret_in_a_file_that_everybody_may_read_is_warned_about_once, 0,
                        sizeof files / sizeof files[0]);
    tcase_add_test(tcase, two_secrets_in_one_file_are_one_warning);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(config_access_suite());
}
