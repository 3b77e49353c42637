/* What is wrong in a native file is said with file, line, key and the mend, and never with a secret. */
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "config/config.h"
#include "config_case.h"

static const struct {
    const char *text, *part;
} faults[] = {
    {"models:\n  kimi-k2:\n    model: a/b\n    timeuot: 1\n",
     "config.yaml:4: models.kimi-k2.timeuot: unknown key; did you mean \"timeout\"?"},
    {"modles: {m: a/b}\n", "config.yaml:1: modles: unknown key; did you mean \"models\"?"},
    {"models: {m: a/b}\nbase_url: https://x/v1\n",
     "config.yaml:2: base_url: unknown key here; it belongs under replicate"},
    {"models: {m: a/b}\nkeepalive_seconds: 10\n", "config.yaml:2: keepalive_seconds: unknown key"},
    {"models: {m: a/b}\ncache_dri: /tmp\n", "config.yaml:2: cache_dri: unknown key; did you mean \"cache_dir\"?"},
    {"models: {m: a/b}\nlog: {lvl: info}\n", "config.yaml:2: log.lvl: unknown key"},
    {"models: {m: a/b}\nlog: info\n", "config.yaml:2: log: this must be a map"},
    {"models: {m: a/b}\nkeys:\n  - {key: k, modles: m}\n", "config.yaml:3: keys[0].modles: unknown key; did you mean"},
    {"timeout: 5\n", "no model is configured"},
    {"models: {}\n", "no model is configured"},
    {"models: [a/b]\n", "config.yaml:1: models: this must be a map"},
    {"- a\n", "the file must be a map"},
    {"models: {m: {timeout: 5}}\n", "config.yaml:1: models.m: the model is missing"},
    {"models:\n  m:\n", "config.yaml:2: models.m: the model is missing"},
    {"models: {m: nonsense}\n", "config.yaml:1: models.m: the model must be owner/name"},
    {"models: {m: 'a/*'}\n", "models.m: the model has more wildcards (*)"},
    {"models: {'a*b*c*d*e*f*g*h*i*': a/b}\n", "8 wildcards (*) at most"},
    {"models: {m: a/b}\nmodel_list: []\n", "the file mixes two forms"},
    {"models: {m: a/b}\nkeys: []\n", "config.yaml:2: keys: this must be a list of keys with at least one"},
    {"models: {m: a/b}\nkeys:\n", "config.yaml:2: keys: this must be a list of keys with at least one"},
    {"models: {m: a/b}\nkeys: {a: b}\n", "config.yaml:2: keys: this must be a list"},
    {"models: {m: a/b}\nkeys:\n  - {name: x}\n", "config.yaml:3: keys[0]: the key is missing"},
    {"models: {m: a/b}\nkeys: [same, same]\n", "config.yaml:2: keys[1]: this key is given twice"},
    {"models: {m: a/b}\nkeys:\n  - {name: x, key: a}\n  - {name: x, key: b}\n", "keys[1]: two keys have this name"},
    {"models: {m: a/b}\nkeys: [{key: k, models: []}]\n", "keys[0].models: this must be a list of texts with at least"},
    {"models: {m: a/b}\nkeys: [{key: k, models: [{a: b}]}]\n", "keys[0].models: this must be a list of texts"},
    {"models: {m: {model: a/b, input: 5}}\n", "models.m.input: this must be a map"},
    {"models: {m: {model: a/b, map: {promt: x}}}\n", "models.m.map.promt: unknown name; did you mean \"prompt\"?"},
    {"models: {m: {model: a/b, map: {zzzzzz: x}}}\n", "models.m.map.zzzzzz: unknown name; map takes"},
    {"models: {m: {model: a/b, map: {prompt: [x]}}}\n", "models.m.map.prompt: this must be the name of one"},
    {"models: {m: {model: a/b, map: {max_tokens: x, max_completion_tokens: y}}}\n", "are one; give one of them"},
    {"models: {m: {model: a/b, params: {temprature: 1}}}\n", "params.temprature: unknown parameter; did you mean"},
    {"models: {m: {model: a/b, params: {guidance: 1}}}\n", "params.guidance: this is no parameter of OpenAI's API"},
    {"models: {m: a/b}\nreplicate: {headers: {authorization: x}}\n", "headers.authorization: this header carries"},
    {"models: {m: a/b}\nreplicate: {headers: {Content-Length: 5}}\n", "headers.Content-Length: this header is set"},
    {"models: {m: a/b}\nreplicate: {headers: {'a b': x}}\n", "this is not the name of a header"},
    {"models: {m: a/b}\nreplicate: {headers: {A: \"x\\ny\"}}\n", "must not hold line breaks"},
    {"models: {m: a/b}\nreplicate: {headers: {A: [x]}}\n", "the value of a header must be a text"},
    {"models: {m: a/b}\nreplicate: {headers: x}\n", "replicate.headers: this must be a map"},
    {"models: {m: a/b}\nreplicate: {base_url: ftp://x}\n", "replicate.base_url: the address must begin with https://"},
    {"models: {m: a/b}\nreplicate: {base_url: 'https://'}\n", "replicate.base_url: the address needs a host"},
    {"models: {m: a/b}\nreplicate: {base_url: 'https://u:p@x/v1'}\n", "must not hold a user name"},
    {"models: {m: a/b}\nreplicate: {base_url: 'https://x y'}\n", "must not hold blanks"},
    {"models: {m: a/b}\nreplicate: {base_url: [x]}\n", "replicate.base_url: this must be an address"},
    {"models: {m: a/b}\nreplicate: {proxy: \"a\\nb\"}\n", "replicate.proxy: this must not hold line breaks"},
    {"models: {m: a/b}\nport: 4000\n", "config.yaml:2: port: unknown key; write listen: HOST:PORT"},
    {"models: {m: a/b}\nhost: 0.0.0.0\n", "config.yaml:2: host: unknown key; write listen: HOST:PORT"},
    {"models: {m: a/b}\nreplicate: {ca_file: /nonexistent/ca.pem}\n",
     "config.yaml:2: replicate.ca_file: the file cannot be read: No such file"},
    {"models: {m: a/b}\nreplicate: {proxy: 'proxy:3128'}\n", "replicate.proxy: the address must begin with http://"},
    {"models: {m: a/b}\nreplicate: {proxy: 'ftp://proxy'}\n", "replicate.proxy: the address must begin with http://"},
    {"models: {m: a/b}\nreplicate: {proxy: 'http://'}\n", "replicate.proxy: the address needs a host"},
    {"models: {m: a/b}\nreplicate: {proxy: 'http://:3128'}\n", "replicate.proxy: the address needs a host"},
    {"models: {m: a/b}\nreplicate: {proxy: 'socks5://u:w@/x'}\n", "replicate.proxy: the address needs a host"},
    {"models: {m: a/b}\nreplicate: {proxy: 'http://a b'}\n", "replicate.proxy: the address must not hold blanks"},
    {"models: {m: a/b}\nreplicate: {ca_file: {}}\n", "replicate.ca_file: this must be a text"},
    {"models: {m: a/b}\ncors_origins: ['https://a/path']\n", "config.yaml:2: cors_origins: an origin is"},
    {"models: {m: a/b}\ncors_origins: nonsense\n", "config.yaml:2: cors_origins: an origin is"},
    {"models: {m: a/b}\nlisten: '[::1'\n", "config.yaml:2: listen: this must be host:port"},
    {"models: {m: a/b}\nlisten: ::1:4000\n", "config.yaml:2: listen: this must be host:port"},
    {"models: {m: a/b}\nlisten: 'a b:4000'\n", "config.yaml:2: listen: this must be host:port"},
    {"models:\n  m: a/b\n  m: c/d\n", "config.yaml:3: the key \"m\" is given twice, first on line 2"},
};

START_TEST(a_fault_is_said_with_its_place_and_its_mend)
{
    config_case_refuses(faults[_i].text, faults[_i].part);
}
END_TEST

START_TEST(a_secret_with_blanks_is_refused_without_being_shown)
{
    static const char *const values[] = {"\"hidden secret\"", "\"hidden\\n\"", "\"hidden\\x01\"", "\" hidden\""};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "models: {m: a/b}\nreplicate:\n  token: %s\n", values[i]);
        config_case_refuses(text, "config.yaml:3: replicate.token: the value holds blanks");
        ck_assert_ptr_null(strstr(config_case_message(), "hidden"));
        snprintf(text, sizeof text, "models: {m: a/b}\nkeys: [%s]\n", values[i]);
        config_case_refuses(text, "config.yaml:2: keys[0]: the value holds blanks");
        ck_assert_ptr_null(strstr(config_case_message(), "hidden"));
    }
}
END_TEST

START_TEST(a_reference_in_another_form_is_no_secret)
{
    static const char *const values[] = {"$HIDDEN", "os.environ/HIDDEN", "'$HIDDEN'"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "models: {m: a/b}\nreplicate:\n  token: %s\n", values[i]);
        config_case_refuses(text, "config.yaml:3: replicate.token: this is the name of a variable, not a secret; in "
                                  "this form of the file a variable is written ${NAME}");
        ck_assert_ptr_null(strstr(config_case_message(), "HIDDEN"));
        snprintf(text, sizeof text, "models: {m: a/b}\nkeys: [%s]\n", values[i]);
        config_case_refuses(text, "config.yaml:2: keys[0]: this is the name of a variable");
        ck_assert_ptr_null(strstr(config_case_message(), "HIDDEN"));
    }
}
END_TEST

START_TEST(a_value_in_the_wrong_place_is_not_repeated)
{
    static const char *const keys[] = {"timeout", "listen", "workers", "max_body", "on_disconnect", "strict_params"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "models: {m: a/b}\n%s: ${SECRET}\n", keys[i]);
        config_case_variable("SECRET", "hidden-token");
        config_case_refuses(text, keys[i]);
        ck_assert_ptr_null(strstr(config_case_message(), "hidden"));
    }
}
END_TEST

START_TEST(the_memory_for_all_bodies_holds_the_largest_of_them)
{
    config_case_refuses("models: {m: a/b}\nmax_body: 2MiB\nmax_body_memory: 1MiB\n",
                        "max_body_memory: this is less than max_body");
    config_unref(config_case_must_load("models: {m: a/b}\nmax_body: 2MiB\nmax_body_memory: 2MiB\n"));
}
END_TEST

START_TEST(a_token_used_as_a_key_is_masked)
{
    config_case_refuses("r8_0123456789abcdefghijklmnopqrstuvwxyz012: x\nmodels: {m: a/b}\n", "unknown key");
    ck_assert_ptr_null(strstr(config_case_message(), "0123456789abcdef"));
    config_case_refuses("models: {m: a/b}\nr8_0123456789abcdefghijklmnopqrstuvwxyz012: x\n"
                        "r8_0123456789abcdefghijklmnopqrstuvwxyz012: y\n",
                        "is given twice, first on line 2");
    ck_assert_ptr_null(strstr(config_case_message(), "0123456789abcdef"));
    config_case_refuses("models: {m: a/b}\n\"a\\e[2J\": x\n\"a\\e[2J\": y\n", "is given twice");
    ck_assert_ptr_null(strchr(config_case_message(), 0x1b));
}
END_TEST

START_TEST(a_missing_token_is_an_error_that_names_the_variable)
{
    config_case_variable("REPLICATE_API_KEY", "");
    config_case_refuses("models: {m: a/b}\n", "config.yaml:1: models.m: there is no Replicate token");
    ck_assert_ptr_nonnull(strstr(config_case_message(), "REPLICATE_API_TOKEN"));
}
END_TEST

START_TEST(what_others_could_reach_or_read_is_warned_about)
{
    struct config *config = config_case_must_load("models: {m: a/b}\nlisten: 0.0.0.0:4000\n");
    ck_assert(config_case_warns(config, "listen: everybody who reaches this address"));
    config_unref(config);
    config = config_case_must_load("models: {m: a/b}\nlisten: 0.0.0.0:4000\nkeys: a-key\n");
    ck_assert_uint_eq(config->warning_count, 0);
    config_unref(config);
    config = config_case_must_load("models: {m: a/b}\nreplicate:\n  base_url: http://replicate.example/v1\n");
    ck_assert(config_case_warns(config, "config.yaml:3: replicate.base_url: the token would travel unencrypted"));
    config_unref(config);
    static const char *const near[] = {"http://127.0.0.1:99/v1", "http://localhost/v1", "http://[::1]:99/v1"};
    for (size_t i = 0; i < sizeof near / sizeof near[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "models: {m: a/b}\nreplicate: {base_url: '%s'}\n", near[i]);
        config = config_case_must_load(text);
        ck_assert_uint_eq(config->warning_count, 0);
        config_unref(config);
    }
}
END_TEST

static Suite *config_faults_suite(void)
{
    Suite *suite = suite_create("config_faults");
    TCase *native = tcase_create("native");
    tcase_add_checked_fixture(native, config_case_setup, config_case_teardown);
    tcase_add_loop_test(native, a_fault_is_said_with_its_place_and_its_mend, 0,
                        (int)(sizeof faults / sizeof faults[0]));
    tcase_add_test(native, a_secret_with_blanks_is_refused_without_being_shown);
    tcase_add_test(native, a_reference_in_another_form_is_no_secret);
    tcase_add_test(native, a_value_in_the_wrong_place_is_not_repeated);
    tcase_add_test(native, the_memory_for_all_bodies_holds_the_largest_of_them);
    tcase_add_test(native, a_token_used_as_a_key_is_masked);
    tcase_add_test(native, a_missing_token_is_an_error_that_names_the_variable);
    tcase_add_test(native, what_others_could_reach_or_read_is_warned_about);
    suite_add_tcase(suite, native);
    return suite;
}

int main(void)
{
    return suite_run(config_faults_suite());
}
