/* The native dialect, key by key: a right value, a wrong one, one out of range; and what keys say together. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "check_main.h"
#include "config/config.h"
#include "config/schema.h"
#include "config_case.h"

/* The fields, one function each, so that a row of the table that wrote elsewhere would be seen. */
#define FIELD(name, expression)                                                                                        \
    static int64_t get_##name(const struct config *config)                                                             \
    {                                                                                                                  \
        const struct route *route = config->routes[0];                                                                 \
        (void)route;                                                                                                   \
        return (int64_t)(expression);                                                                                  \
    }
FIELD(port, config->port)
FIELD(workers, config->workers)
FIELD(timeout, route->timeout_ms)
FIELD(stream_timeout, route->stream_timeout_ms)
FIELD(keepalive, route->keepalive_ms)
FIELD(drain_timeout, config->drain_timeout_ms)
FIELD(on_disconnect, route->on_disconnect)
FIELD(grace, route->grace_ms)
FIELD(max_in_flight, config->max_in_flight)
FIELD(max_body, config->max_body_bytes)
FIELD(read_timeout, config->read_timeout_ms)
FIELD(write_timeout, config->write_timeout_ms)
FIELD(idle_timeout, config->idle_timeout_ms)
FIELD(reasoning, route->reasoning)
FIELD(strict_params, route->strict_params)
FIELD(drop_params, route->drop_params)
FIELD(read_schema, route->read_schema)
FIELD(prefer_wait, route->prefer_wait_ms)
FIELD(poll_interval, route->poll_interval_ms)
FIELD(polls_per_minute, config->polls_per_minute)
FIELD(creates_per_minute, config->creates_per_minute)
FIELD(connect_timeout, config->connect_timeout_ms)
FIELD(retries, route->create_retries)
FIELD(level, config->log.level)
FIELD(format, config->log.format)
FIELD(weight, route->weight)
FIELD(allowed_fails, route->allowed_fails)
FIELD(cooldown, route->cooldown_ms)
FIELD(rpm, route->limits.requests_per_minute)
FIELD(parallel, route->limits.max_parallel)
FIELD(use_x_forwarded_for, config->use_x_forwarded_for)
FIELD(prompts, config->log_prompts)
FIELD(key_rpm, config->keys[0].limits.requests_per_minute)
FIELD(key_parallel, config->keys[0].limits.max_parallel)

/* The value goes where %s is; the key stands on the last line. */
#define ROOT "models: {m: a/b}\n%s"
#define REPLICATE "models: {m: a/b}\nreplicate:\n  %s"
#define LOGGING "models: {m: a/b}\nlog:\n  %s"
#define MODEL "models:\n  m:\n    model: a/b\n    %s"
#define KEY "models: {m: a/b}\nkeys:\n  - key: test-key\n    %s"

static const struct number_case {
    const char *frame, *key, *good;
    int64_t (*get)(const struct config *config);
    int64_t expected;
    const char *wrong, *wrong_sentence;
    const char *beyond; /* out of range; NULL where there is no range */
} number_cases[] = {
    {ROOT, "listen", "'[::1]:4100'", get_port, 4100, "host", "host:port", "1.2.3.4:65536"},
    {ROOT, "workers", "3", get_workers, 3, "many", "a whole number", "65"},
    {ROOT, "timeout", "90s", get_timeout, 90000, "soon", "a duration such as", "8d"},
    {ROOT, "stream_timeout", "2h", get_stream_timeout, 7200000, "never", "a duration such as", "9ms"},
    {ROOT, "keepalive", "0", get_keepalive, 0, "always", "a duration such as", "61m"},
    {ROOT, "drain_timeout", "1.5m", get_drain_timeout, 90000, "[1]", "a duration such as", "2d"},
    {ROOT, "on_disconnect", "keep", get_on_disconnect, DISCONNECT_KEEP, "kept", "grace|cancel|keep", NULL},
    {ROOT, "grace", "0", get_grace, 0, "-1s", "a duration such as", "61m"},
    {ROOT, "max_in_flight", "500", get_max_in_flight, 500, "1.5", "a whole number", "0"},
    {ROOT, "max_body", "10MB", get_max_body, 10000000, "10 apples", "a size such as", "10"},
    {ROOT, "read_timeout", "500ms", get_read_timeout, 500, "1 year", "a duration such as", "99ms"},
    {ROOT, "write_timeout", "1s", get_write_timeout, 1000, "-1", "a duration such as", "999ms"},
    {ROOT, "idle_timeout", "1h", get_idle_timeout, 3600000, "long", "a duration such as", "61m"},
    {ROOT, "reasoning", "off", get_reasoning, REASONING_OFF, "false", "auto|opened|off", NULL},
    {ROOT, "strict_params", "yes", get_strict_params, 1, "\"true\"", "true or false", NULL},
    {ROOT, "drop_params", "on", get_drop_params, 1, "maybe", "true or false", NULL},
    {ROOT, "read_schema", "off", get_read_schema, 0, "auto", "true or false", NULL},
    {ROOT, "allowed_fails", "0", get_allowed_fails, 0, "never", "a whole number", "-1"},
    {ROOT, "cooldown_time", "0", get_cooldown, 0, "a while", "a duration such as", "25h"},
    {ROOT, "use_x_forwarded_for", "true", get_use_x_forwarded_for, 1, "first", "true or false", NULL},
    {REPLICATE, "prefer_wait", "0", get_prefer_wait, 0, "true", "a duration such as", "61s"},
    {REPLICATE, "poll_interval", "0.25", get_poll_interval, 250, "{}", "a duration such as", "61s"},
    {REPLICATE, "polls_per_minute", "100", get_polls_per_minute, 100, "1e3", "a whole number", "0"},
    {REPLICATE, "creates_per_minute", "6", get_creates_per_minute, 6, "six", "a whole number", "0"},
    {REPLICATE, "connect_timeout", "3", get_connect_timeout, 3000, "x", "a duration such as", "6m"},
    {REPLICATE, "retries", "0", get_retries, 0, "no", "a whole number", "101"},
    {LOGGING, "level", "debug", get_level, LOG_LEVEL_DEBUG, "loud", "error|warn|info|debug", NULL},
    {LOGGING, "format", "json", get_format, LOG_FORMAT_JSON, "xml", "auto|text|json", NULL},
    {LOGGING, "prompts", "true", get_prompts, 1, "some", "true or false", NULL},
    {MODEL, "timeout", "1h", get_timeout, 3600000, "1w", "a duration such as", "1ms"},
    {MODEL, "stream_timeout", "20m", get_stream_timeout, 1200000, "[]", "a duration such as", "8d"},
    {MODEL, "keepalive", "2.5s", get_keepalive, 2500, "x", "a duration such as", "2h"},
    {MODEL, "reasoning", "opened", get_reasoning, REASONING_OPENED, "open", "auto|opened|off", NULL},
    {MODEL, "on_disconnect", "cancel", get_on_disconnect, DISCONNECT_CANCEL, "1", "grace|cancel|keep", NULL},
    {MODEL, "grace", "30s", get_grace, 30000, "a while", "a duration such as", "2h"},
    {MODEL, "strict_params", "On", get_strict_params, 1, "2", "true or false", NULL},
    {MODEL, "drop_params", "TRUE", get_drop_params, 1, "tRue", "true or false", NULL},
    {MODEL, "read_schema", "false", get_read_schema, 0, "0", "true or false", NULL},
    {MODEL, "retries", "7", get_retries, 7, "''", "a whole number", "-1"},
    {MODEL, "prefer_wait", "60s", get_prefer_wait, 60000, "long", "a duration such as", "2m"},
    {MODEL, "poll_interval", "100ms", get_poll_interval, 100, "often", "a duration such as", "99ms"},
    {MODEL, "weight", "0", get_weight, 0, "0.5", "a whole number", "1000001"},
    {MODEL, "allowed_fails", "9", get_allowed_fails, 9, "0.5", "a whole number", "1000001"},
    {MODEL, "cooldown_time", "1.5s", get_cooldown, 1500, "[5]", "a duration such as", "2d"},
    {MODEL, "rpm", "60", get_rpm, 60, "sixty", "a whole number", "0"},
    {MODEL, "max_parallel_requests", "8", get_parallel, 8, "[8]", "a whole number", "0"},
    {KEY, "rpm", "5", get_key_rpm, 5, "5/s", "a whole number", "0"},
    {KEY, "max_parallel_requests", "2", get_key_parallel, 2, "two", "a whole number", "0"},
};

static char *fill(const struct number_case *row, const char *value)
{
    char *line = xasprintf("%s: %s", row->key, value);
    const char *slot = strstr(row->frame, "%s");
    char *text = xasprintf("%.*s%s\n", (int)(slot - row->frame), row->frame, line);
    free(line);
    return text;
}

/* "config.yaml:LINE: " with the line on which the key stands, the last. */
static char *place(const struct number_case *row)
{
    int line = 1;
    for (const char *at = row->frame; (at = strchr(at, '\n')) != NULL; at++)
        line++;
    return xasprintf("config.yaml:%d: ", line);
}

static void assert_refused(const struct number_case *row, const char *value, const char *sentence)
{
    char *text = fill(row, value), *where = place(row), *key = xasprintf("%s: this ", row->key);
    config_case_refuses(text, where);
    ck_assert_msg(strstr(config_case_message(), key) != NULL, "%s: %s", key, config_case_message());
    ck_assert_msg(strstr(config_case_message(), sentence) != NULL, "%s: %s", sentence, config_case_message());
    free(text);
    free(where);
    free(key);
}

START_TEST(a_key_takes_its_value_and_refuses_others_with_line_and_key)
{
    const struct number_case *row = &number_cases[_i];
    char *text = fill(row, row->good);
    struct config *config = config_case_must_load(text);
    ck_assert_int_eq(row->get(config), row->expected);
    config_unref(config);
    free(text);
    assert_refused(row, row->wrong, row->wrong_sentence);
    if (row->beyond != NULL)
        assert_refused(row, row->beyond, strcmp(row->key, "listen") == 0 ? "65535" : "out of range: from");
}
END_TEST

START_TEST(every_number_of_the_schema_is_in_the_table_above)
{
    size_t count;
    const struct schema_row *rows = schema_rows(&count);
    static const char *const frames[] = {ROOT, REPLICATE, LOGGING, MODEL, KEY};
    for (size_t i = 0; i < count; i++) {
        bool found = rows[i].type < SCHEMA_LISTEN || rows[i].type > SCHEMA_WORD;
        for (size_t j = 0; j < sizeof number_cases / sizeof number_cases[0]; j++)
            found = found || (strcmp(number_cases[j].key, rows[i].name) == 0 &&
                              strcmp(number_cases[j].frame, frames[rows[i].section]) == 0);
        ck_assert_msg(found, "no case for %s", rows[i].name);
    }
}
END_TEST

START_TEST(the_defaults_are_those_that_are_promised)
{
    struct config *config = config_case_must_load("models: {kimi-k2: moonshotai/kimi-k2-thinking}\n");
    const struct route *route = config->routes[0];
    ck_assert_str_eq(config->host, "127.0.0.1");
    ck_assert_int_eq(config->port, 4000);
    ck_assert_int_ge(config->workers, 1);
    ck_assert_int_eq(config->drain_timeout_ms, 30000);
    ck_assert_int_eq(config->read_timeout_ms, 60000);
    ck_assert_int_eq(config->write_timeout_ms, 60000);
    ck_assert_int_eq(config->idle_timeout_ms, 75000);
    ck_assert_int_eq(config->max_body_bytes, 64LL << 20);
    ck_assert_int_eq(config->max_in_flight, 10000);
    ck_assert_int_eq(config->polls_per_minute, 2700);
    ck_assert_int_eq(config->creates_per_minute, 600);
    ck_assert_int_eq(config->connect_timeout_ms, 10000);
    ck_assert_uint_eq(config->key_count + config->cors_origin_count + config->warning_count, 0);
    ck_assert_int_eq(config->log.level, LOG_LEVEL_INFO);
    ck_assert_ptr_null(config->log.file);
    ck_assert_str_eq(route->alias, "kimi-k2");
    ck_assert_str_eq(route->reference, "moonshotai/kimi-k2-thinking");
    ck_assert_str_eq(route->base_url, "https://api.replicate.com/v1");
    ck_assert_str_eq(route->token, "test-token");
    ck_assert_int_eq(route->timeout_ms, 600000);
    ck_assert_str_eq(route->timeout_key, "timeout (default 10m)");
    ck_assert_int_eq(route->stream_timeout_ms, 600000);
    ck_assert_str_eq(route->stream_timeout_key, "timeout (default 10m)");
    ck_assert_int_eq(route->keepalive_ms, 10000);
    ck_assert_int_eq(route->reasoning, REASONING_AUTO);
    ck_assert_int_eq(route->prefer_wait_ms, 5000);
    ck_assert_int_eq(route->poll_interval_ms, 2000);
    ck_assert_int_eq(route->create_retries, 2);
    ck_assert_int_eq(route->on_disconnect, DISCONNECT_GRACE);
    ck_assert_int_eq(route->grace_ms, 10000);
    ck_assert_uint_eq(json_object_size(route->input) + json_object_size(route->map), 0);
    ck_assert(json_is_object(route->params));
    config_unref(config);
}
END_TEST

START_TEST(a_model_starts_from_the_general_values_and_overrides_them)
{
    struct config *config =
        config_case_must_load("timeout: 5m\non_disconnect: keep\n"
                              "replicate:\n  token: general-token\n  base_url: https://r.example/v1/\n"
                              "  headers: {X-Team: a, X-Other: b}\n"
                              "models:\n  one: a/b\n  two:\n    model: replicate/c/d\n"
                              "    timeout: 7m\n    token: own-token\n"
                              "    base_url: https://own.example/v1\n    headers: {x-team: c}\n");
    const struct route *one = config_find_route(config, "one"), *two = config_find_route(config, "two");
    ck_assert_str_eq(one->token, "general-token");
    ck_assert_str_eq(one->base_url, "https://r.example/v1");
    ck_assert_int_eq(one->timeout_ms, 300000);
    ck_assert_str_eq(one->timeout_key, "timeout");
    ck_assert_str_eq(one->headers[0].value, "a");
    ck_assert_str_eq(two->reference, "c/d");
    ck_assert_str_eq(two->token, "own-token");
    ck_assert_str_eq(two->base_url, "https://own.example/v1");
    ck_assert_int_eq(two->timeout_ms, 420000);
    ck_assert_str_eq(two->timeout_key, "timeout under models.two");
    ck_assert_int_eq(two->on_disconnect, DISCONNECT_KEEP);
    ck_assert_uint_eq(two->header_count, 2);
    ck_assert_str_eq(two->headers[0].value, "c");
    ck_assert_str_eq(two->headers[1].value, "b");
    config_unref(config);
}
END_TEST

static void assert_stream_timeout(const struct config *config, const char *alias, int64_t ms, const char *key)
{
    const struct route *route = config_find_route(config, alias);
    ck_assert_int_eq(route->stream_timeout_ms, ms);
    ck_assert_str_eq(route->stream_timeout_key, key);
}

START_TEST(a_stream_without_a_timeout_of_its_own_has_that_of_its_model)
{
    static const char models[] = "models:\n  one: a/b\n  two: {model: a/b, timeout: 2s}\n"
                                 "  three: {model: a/b, timeout: 2s, stream_timeout: 3s}\n";
    struct config *config = config_case_must_load(models);
    assert_stream_timeout(config, "one", 600000, "timeout (default 10m)");
    assert_stream_timeout(config, "two", 2000, "timeout under models.two");
    assert_stream_timeout(config, "three", 3000, "stream_timeout under models.three");
    config_unref(config);
    char *text = xasprintf("timeout: 4s\nstream_timeout: 5s\nkeepalive: 6s\nreasoning: off\n%s", models);
    config = config_case_must_load(text);
    assert_stream_timeout(config, "one", 5000, "stream_timeout");
    assert_stream_timeout(config, "two", 5000, "stream_timeout");
    assert_stream_timeout(config, "three", 3000, "stream_timeout under models.three");
    const struct route *three = config_find_route(config, "three");
    ck_assert_int_eq(three->timeout_ms, 2000);
    ck_assert_str_eq(three->timeout_key, "timeout under models.three");
    ck_assert_int_eq(three->keepalive_ms, 6000);
    ck_assert_int_eq(three->reasoning, REASONING_OFF);
    config_unref(config);
    free(text);
}
END_TEST

START_TEST(input_map_params_and_info_become_json)
{
    struct config *config = config_case_must_load(
        "models:\n  m:\n    model: a/b\n"
        "    input: {top_k: 50, ratio: 0.5, flag: true, text: \"50\", word: no, list: [1, x], none: null, big: 1e400}\n"
        "    map: {max_completion_tokens: max_new_tokens, system: null}\n"
        "    params: {temperature: 0.7, stop: [END]}\n    info: {mode: chat}\n");
    const struct route *route = config->routes[0];
    ck_assert_int_eq(json_integer_value(json_object_get(route->input, "top_k")), 50);
    ck_assert_double_eq(json_real_value(json_object_get(route->input, "ratio")), 0.5);
    ck_assert(json_is_true(json_object_get(route->input, "flag")));
    ck_assert_str_eq(json_string_value(json_object_get(route->input, "text")), "50");
    ck_assert_str_eq(json_string_value(json_object_get(route->input, "word")), "no");
    ck_assert_uint_eq(json_array_size(json_object_get(route->input, "list")), 2);
    ck_assert(json_is_null(json_object_get(route->input, "none")));
    ck_assert_str_eq(json_string_value(json_object_get(route->input, "big")), "1e400");
    ck_assert_str_eq(json_string_value(json_object_get(route->map, "max_tokens")), "max_new_tokens");
    ck_assert(json_is_null(json_object_get(route->map, "system")));
    ck_assert_double_eq(json_real_value(json_object_get(route->params, "temperature")), 0.7);
    ck_assert_str_eq(json_string_value(json_object_get(route->info, "mode")), "chat");
    config_unref(config);
}
END_TEST

START_TEST(keys_may_be_one_text_a_list_of_texts_or_maps)
{
    struct config *config = config_case_must_load("models: {m: a/b}\nkeys: only-key\n");
    ck_assert_uint_eq(config->key_count, 1);
    ck_assert_str_eq(config->keys[0].digest, "e2dfb464d63c62c5cf433bbe542eaea10ccb79174cc991e32c913a21226cc179");
    ck_assert_str_eq(config->keys[0].name, "key-1");
    config_unref(config);
    config = config_case_must_load("models: {m: a/b}\nkeys:\n  - first-key\n"
                                   "  - {name: bob, key: second-key, models: [m, 'x/*'], rpm: 5}\n"
                                   "  - {key: third-key, models: m}\n");
    ck_assert_uint_eq(config->key_count, 3);
    ck_assert_str_eq(config->keys[1].name, "bob");
    ck_assert_uint_eq(config->keys[1].model_count, 2);
    ck_assert_str_eq(config->keys[1].models[1], "x/*");
    ck_assert_uint_eq(config->keys[2].model_count, 1);
    ck_assert_uint_eq(config->keys[0].model_count, 0);
    config_unref(config);
}
END_TEST

START_TEST(durations_and_sizes_may_be_spelt_in_many_ways)
{
    static const struct {
        const char *timeout, *size;
        int64_t ms, bytes;
    } spellings[] = {
        {"2", "2048", 2000, 2048},          {"'2'", "2048B", 2000, 2048},
        {"2.5", "2k", 2500, 2000},          {"250ms", "2KB", 250, 2000},
        {"2 s", "2 KiB", 2000, 2048},       {"2S", "2.5kib", 2000, 2560},
        {"1.5min", "1M", 90000, 1000000},   {"0.25h", "0.5MiB", 900000, 524288},
        {"1d", "1g", 86400000, 1000000000}, {"7d", "4GiB", 604800000, 4294967296},
    };
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        char *text =
            xasprintf("models: {m: a/b}\ntimeout: %s\nmax_body: %s\n", spellings[i].timeout, spellings[i].size);
        struct config *config = config_case_must_load(text);
        ck_assert_int_eq(config->routes[0]->timeout_ms, spellings[i].ms);
        ck_assert_int_eq(config->max_body_bytes, spellings[i].bytes);
        config_unref(config);
        free(text);
    }
    static const char *const wrong[] = {"1..5", ".5", "1e3", "0x10", "1 2", "inf", "1s1", "+1", "9999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char *text = xasprintf("models: {m: a/b}\ntimeout: '%s'\n", wrong[i]);
        config_case_refuses(text, "config.yaml:2: timeout: this must be a duration");
        free(text);
    }
    config_case_refuses("models: {m: a/b}\ntimeout: 999999999999d\n", "config.yaml:2: timeout: this ");
}
END_TEST

START_TEST(texts_and_lists_reach_their_fields)
{
    const char *certificates = config_case_file("ca.pem", "");
    char text[512];
    snprintf(text, sizeof text,
             "models: {m: a/b}\ncors_origins: ['https://a.example', '*']\n"
             "replicate: {ca_file: %s, proxy: 'http://proxy:3128'}\nlog: {file: /tmp/x.log}\n",
             certificates);
    struct config *config = config_case_must_load(text);
    ck_assert_uint_eq(config->cors_origin_count, 2);
    ck_assert_str_eq(config->cors_origins[0], "https://a.example");
    ck_assert_str_eq(config->ca_file, certificates);
    ck_assert_str_eq(config->proxy, "http://proxy:3128");
    ck_assert_str_eq(config->log.file, "/tmp/x.log");
    config_unref(config);
}
END_TEST

START_TEST(a_proxy_is_a_scheme_and_a_host)
{
    static const char *const proxies[] = {"https://p", "SOCKS5://p:1", "socks5h://u:w@p:1/", "socks4://[::1]:1"};
    for (size_t i = 0; i < sizeof proxies / sizeof proxies[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "models: {m: a/b}\nreplicate: {proxy: '%s'}\n", proxies[i]);
        struct config *config = config_case_must_load(text);
        ck_assert_str_eq(config->proxy, proxies[i]);
        config_unref(config);
    }
}
END_TEST

START_TEST(long_integers_reach_the_input_whole)
{
    struct config *config = config_case_must_load(
        "models: {m: {model: a/b, input: {ref: 1234567890123456, top: 9223372036854775807, low: -9223372036854775808, "
        "beyond: 9223372036854775808, zeros: +007}}}\n");
    const json_t *input = config->routes[0]->input;
    ck_assert(json_integer_value(json_object_get(input, "ref")) == 1234567890123456);
    ck_assert(json_integer_value(json_object_get(input, "top")) == INT64_MAX);
    ck_assert(json_integer_value(json_object_get(input, "low")) == INT64_MIN);
    ck_assert(json_is_real(json_object_get(input, "beyond")));
    ck_assert_int_eq(json_integer_value(json_object_get(input, "zeros")), 7);
    config_unref(config);
}
END_TEST

START_TEST(every_parameter_that_can_be_mapped_is_known_by_name)
{
    static const char *const names[] = {"functions",           "function_call", "web_search_options",
                                        "parallel_tool_calls", "audio",         "modalities"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "models: {m: {model: a/b, map: {%s: own}}}\n", names[i]);
        struct config *config = config_case_must_load(text);
        ck_assert_str_eq(json_string_value(json_object_get(config->routes[0]->map, names[i])), "own");
        config_unref(config);
    }
}
END_TEST

START_TEST(a_key_for_a_model_that_is_not_served_is_warned_about)
{
    struct config *config = config_case_must_load("models: {m: a/b, 'r/*': '*'}\n"
                                                  "keys:\n  - {key: k, models: [m, r/c/d, 'x*', typo]}\n");
    ck_assert_uint_eq(config->warning_count, 1);
    ck_assert(config_case_warns(config, "config.yaml:3: keys[0]: the key may use \"typo\", which is no name under"));
    config_unref(config);
}
END_TEST

static Suite *config_native_suite(void)
{
    Suite *suite = suite_create("config_native");
    TCase *keys = tcase_create("keys");
    tcase_add_checked_fixture(keys, config_case_setup, config_case_teardown);
    tcase_add_loop_test(keys, a_key_takes_its_value_and_refuses_others_with_line_and_key, 0,
                        (int)(sizeof number_cases / sizeof number_cases[0]));
    tcase_add_test(keys, every_number_of_the_schema_is_in_the_table_above);
    tcase_add_test(keys, the_defaults_are_those_that_are_promised);
    tcase_add_test(keys, a_model_starts_from_the_general_values_and_overrides_them);
    tcase_add_test(keys, a_stream_without_a_timeout_of_its_own_has_that_of_its_model);
    tcase_add_test(keys, input_map_params_and_info_become_json);
    tcase_add_test(keys, keys_may_be_one_text_a_list_of_texts_or_maps);
    tcase_add_test(keys, durations_and_sizes_may_be_spelt_in_many_ways);
    tcase_add_test(keys, texts_and_lists_reach_their_fields);
    tcase_add_test(keys, a_proxy_is_a_scheme_and_a_host);
    tcase_add_test(keys, long_integers_reach_the_input_whole);
    tcase_add_test(keys, every_parameter_that_can_be_mapped_is_known_by_name);
    tcase_add_test(keys, a_key_for_a_model_that_is_not_served_is_warned_about);
    suite_add_tcase(suite, keys);
    return suite;
}

int main(void)
{
    return suite_run(config_native_suite());
}
