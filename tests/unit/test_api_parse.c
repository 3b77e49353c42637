/* Replicate's objects: predictions in every shape that was seen, their token counts, and the latest version of a model.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "replicate/api.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct api_prediction parsed;
static struct error err;

static bool parse(const char *json)
{
    err = (struct error){0};
    return api_prediction_parse(json, strlen(json), "test-token", &parsed, &err);
}

START_TEST(a_whole_prediction_is_read)
{
    ck_assert(parse("{\"id\":\"pw050dtb51rj40cjb2vrcw97b8\",\"model\":\"acme/writer\",\"version\":\"hidden\","
                    "\"output\":[\"Hi\",\" there\",\"\"],\"logs\":\"\",\"error\":null,\"status\":\"succeeded\","
                    "\"metrics\":{\"predict_time\":0.5,\"input_token_count\":12,\"output_token_count\":3},"
                    "\"urls\":{\"get\":\"https://elsewhere.test/x\"}}"));
    ck_assert_str_eq(parsed.id, "pw050dtb51rj40cjb2vrcw97b8");
    ck_assert_str_eq(parsed.version, "hidden");
    ck_assert_int_eq(parsed.status, API_STATUS_SUCCEEDED);
    ck_assert_str_eq(json_string_value(parsed.output), "Hi there");
    ck_assert(parsed.usage.reported);
    ck_assert_int_eq(parsed.usage.input_tokens, 12);
    ck_assert_int_eq(parsed.usage.output_tokens, 3);
    ck_assert_str_eq(parsed.error_text, "");
    api_prediction_dispose(&parsed);
    ck_assert_ptr_null(parsed.output);
}
END_TEST

/* Python's json.dumps writes such escapes; the prediction has run and is paid for all the same. */
START_TEST(a_prediction_with_characters_that_are_none_is_read_all_the_same)
{
    ck_assert(parse("{\"id\":\"abc\",\"output\":[\"a\\u0000b\",\"\\ud83d\",\"\xFF\"],\"logs\":\"\\u0000\","
                    "\"status\":\"succeeded\"}"));
    ck_assert_int_eq(parsed.status, API_STATUS_SUCCEEDED);
    ck_assert_str_eq(json_string_value(parsed.output), "a\xEF\xBF\xBD"
                                                       "b\xEF\xBF\xBD\xEF\xBF\xBD");
    api_prediction_dispose(&parsed);
}
END_TEST

/* Also what is of another type: it takes back what came before it. */
START_TEST(of_members_of_one_name_the_last_one_counts)
{
    ck_assert(parse("{\"id\":7,\"status\":\"failed\",\"version\":\"v1\",\"output\":\"one\",\"error\":\"bad\","
                    "\"metrics\":{\"input_token_count\":1,\"input_token_count\":2},\"logs\":\"Reasoning tokens: 5\","
                    "\"urls\":{\"stream\":\"https://a.test/\"},\"i\\u0064\":\"abc\",\"status\":\"succeeded\","
                    "\"version\":[\"v2\"],\"output\":[\"tw\",\"o\"],\"error\":null,\"urls\":[{\"stream\":\"x\"}],"
                    "\"logs\":{},\"metrics\":{\"input_token_count\":\"7\",\"\\u0074oken_input_count\":3.0}}"));
    ck_assert_str_eq(parsed.id, "abc");
    ck_assert_int_eq(parsed.status, API_STATUS_SUCCEEDED);
    ck_assert_str_eq(parsed.version, "");
    ck_assert_str_eq(json_string_value(parsed.output), "two");
    ck_assert_str_eq(parsed.error_text, "");
    ck_assert_str_eq(parsed.stream_url, "");
    ck_assert_int_eq(parsed.usage.input_tokens, 3);
    ck_assert_int_eq(parsed.usage.reasoning_tokens, 0);
    api_prediction_dispose(&parsed);
    ck_assert(parse("{\"id\":\"abc\",\"status\":\"failed\",\"output\":\"one\",\"output\":\"\"}"));
    ck_assert_ptr_null(parsed.output);
    ck_assert(!parse("{\"id\":\"abc\",\"status\":\"failed\",\"output\":\"one\",\"status\":{\"status\":\"failed\"}}"));
    ck_assert_ptr_null(parsed.output);
}
END_TEST

static const struct {
    const char *from, *to;
    int64_t ms;
} time_rows[] = {
    {"2026-03-01T10:20:30.123456Z", "2026-03-01T10:20:31Z", 877},
    {"2026-03-01T10:20:30Z", "2026-03-01T10:20:30.5+00:00", 500},
    {"2023-12-31T23:59:59Z", "2024-01-01T00:00:00Z", 1000},
    {"2023-02-28T00:00:00Z", "2023-03-01T00:00:00Z", 86400000},
    {"2024-02-28T00:00:00Z", "2024-03-01T00:00:00Z", INT64_C(2) * 86400000},
    {"2100-02-28T00:00:00Z", "2100-03-01T00:00:00Z", 86400000},
    {"2024-01-31T00:00:00Z", "2024-12-31T00:00:00Z", INT64_C(335) * 86400000},
    {"1970-01-01T00:00:00Z", "2026-11-21T19:50:20Z", INT64_C(1795290620) * 1000},
    {"2026-03-01T10:20:31Z", "2026-03-01T10:20:30Z", -1},
    {"2026-03-01T10:20:30", "2026-03-01T10:20:31Z", -1},
    {"2026-03-01T10:20:30+01:00", "2026-03-01T10:20:31Z", -1},
    {"2026-13-01T10:20:30Z", "2026-13-01T10:20:31Z", -1},
    {"2026-3-01T10:20:30Z", "2026-3-01T10:20:31Z", -1},
    {"2026-03-01 10:20:30Z", "2026-03-01 10:20:31Z", -1},
    {"2026-03-01T10:2", "2026-03-01T10:20:31Z", -1},
    {"", "2026-03-01T10:20:31Z", -1},
    {"yesterday", "today", -1},
};

START_TEST(the_time_between_two_timestamps_is_told)
{
    char json[512];
    snprintf(json, sizeof json,
             "{\"id\":\"abc\",\"status\":\"processing\",\"created_at\":\"%s\",\"started_at\":\"%s\"}",
             time_rows[_i].from, time_rows[_i].to);
    ck_assert(parse(json));
    ck_assert_int_eq(parsed.ran_after_ms, time_rows[_i].ms);
    ck_assert_int_eq(parsed.ended_after_ms, -1);
    api_prediction_dispose(&parsed);
}
END_TEST

static const struct {
    const char *word;
    enum api_status status;
    bool is_terminal;
} status_rows[] = {
    {"starting", API_STATUS_STARTING, false},  {"processing", API_STATUS_PROCESSING, false},
    {"succeeded", API_STATUS_SUCCEEDED, true}, {"failed", API_STATUS_FAILED, true},
    {"canceled", API_STATUS_CANCELED, true},   {"aborted", API_STATUS_ABORTED, true},
    {"queued", API_STATUS_UNKNOWN, false},     {"", API_STATUS_UNKNOWN, false},
    {"SUCCEEDED", API_STATUS_UNKNOWN, false},  {"successful", API_STATUS_UNKNOWN, false},
};

START_TEST(a_status_is_one_of_six_words_or_unknown)
{
    char json[128];
    snprintf(json, sizeof json, "{\"id\":\"abc\",\"status\":\"%s\"}", status_rows[_i].word);
    ck_assert(parse(json));
    ck_assert_int_eq(parsed.status, status_rows[_i].status);
    ck_assert_int_eq(api_status_is_terminal(parsed.status), status_rows[_i].is_terminal);
    ck_assert_str_eq(api_status_word(parsed.status),
                     status_rows[_i].status == API_STATUS_UNKNOWN ? "unknown" : status_rows[_i].word);
}
END_TEST

static const char *const empty_rows[] = {
    "{\"id\":\"abc\",\"status\":\"starting\"}",
    "{\"id\":\"abc\",\"status\":\"starting\",\"output\":null,\"logs\":null,\"error\":null,\"metrics\":null,\"version\":"
    "null}",
    "{\"id\":\"abc\",\"status\":\"starting\",\"output\":\"\",\"logs\":\"\",\"error\":\"\",\"metrics\":\"\",\"version\":"
    "\"\"}",
    "{\"id\":\"abc\",\"status\":\"starting\",\"logs\":7,\"metrics\":[1],\"version\":{}}",
};

START_TEST(missing_null_and_empty_mean_the_same)
{
    ck_assert(parse(empty_rows[_i]));
    ck_assert_ptr_null(parsed.output);
    ck_assert_str_eq(parsed.error_text, "");
    ck_assert_str_eq(parsed.version, "");
    ck_assert(!parsed.usage.reported);
}
END_TEST

static const char *const refused_rows[] = {
    "",
    "<html>busy</html>",
    "{}",
    "[]",
    "null",
    "\"starting\"",
    "{\"id\":\"abc\"}",
    "{\"status\":\"starting\"}",
    "{\"id\":\"abc\",\"status\":null}",
    "{\"id\":\"abc\",\"status\":1}",
    "{\"id\":7,\"status\":\"starting\"}",
    "{\"id\":\"\",\"status\":\"starting\"}",
    "{\"id\":\"a/b\",\"status\":\"starting\"}",
    "{\"id\":\"..\",\"status\":\"starting\"}",
    "{\"id\":\"a?b\",\"status\":\"starting\"}",
    "{\"id\":\"a b\",\"status\":\"starting\"}",
    "{\"id\":\"\\u00e9\",\"status\":\"starting\"}",
    "{\"id\":\"0123456789012345678901234567890123456789012345678901234567890123\",\"status\":\"starting\"}",
    "{\"id\":\"abc\",\"status\":\"starting\",\"output\":\"r8_",
};

START_TEST(what_is_no_prediction_is_refused)
{
    ck_assert(!parse(refused_rows[_i]));
    ck_assert_int_eq(err.kind, ERROR_UPSTREAM_ERROR);
    ck_assert_str_ne(err.message, "");
    ck_assert_ptr_null(parsed.output);
}
END_TEST

START_TEST(the_longest_id_has_63_characters)
{
    ck_assert(
        parse("{\"id\":\"012345678901234567890123456789012345678901234567890123456789-_A\",\"status\":\"failed\"}"));
    ck_assert_uint_eq(strlen(parsed.id), 63);
}
END_TEST

static const struct {
    const char *json, *text;
} error_rows[] = {
    {"\"boom\"", "boom"},
    {"{\"detail\":\"boom\"}", "{\"detail\":\"boom\"}"},
    {"[1,null]", "[1,null]"},
    {"7", "7"},
    {"\"two\\nlines\"", "two lines"},
    {"\"key test-token and r8_abcdefghijk leaked\"", "key *** and *** leaked"},
};

START_TEST(an_error_of_any_type_is_quoted_without_secrets)
{
    char json[256];
    snprintf(json, sizeof json, "{\"id\":\"abc\",\"status\":\"failed\",\"error\":%s}", error_rows[_i].json);
    ck_assert(parse(json));
    ck_assert_str_eq(parsed.error_text, error_rows[_i].text);
}
END_TEST

START_TEST(a_long_error_is_cut_and_a_huge_one_is_named_by_its_type)
{
    char *json = malloc(300000);
    int head = snprintf(json, 300000, "{\"id\":\"abc\",\"status\":\"failed\",\"error\":%s\"", _i == 0 ? "" : "[");
    memset(json + head, 'x', 200000);
    snprintf(json + head + 200000, 90000, "\"%s}", _i == 0 ? "" : "]");
    ck_assert(parse(json));
    if (_i == 0)
        ck_assert_uint_eq(strlen(parsed.error_text), 500);
    else
        ck_assert_str_eq(parsed.error_text, "an array");
    free(json);
}
END_TEST

static const struct {
    const char *members;
    int64_t input, output, reasoning; /* input -1: not reported */
} usage_rows[] = {
    {"\"metrics\":{\"input_token_count\":12,\"output_token_count\":3}", 12, 3, 0},
    {"\"metrics\":{\"token_input_count\":12,\"token_output_count\":3}", 12, 3, 0},
    {"\"metrics\":{\"input_token_count\":12.0,\"output_token_count\":3.0}", 12, 3, 0},
    {"\"metrics\":{\"output_token_count\":3}", 0, 3, 0},
    {"\"metrics\":{\"predict_time\":1}", -1, 0, 0},
    {"\"metrics\":{\"input_token_count\":-1,\"output_token_count\":\"3\"}", -1, 0, 0},
    {"\"metrics\":{\"input_token_count\":1e300,\"output_token_count\":2.5}", -1, 0, 0},
    {"\"metrics\":{\"input_token_count\":99999999999999999999}", -1, 0, 0},
    {"\"metrics\":{\"predict_time\":1},\"logs\":\"Input token count: 263\\nOutput token count: 515\\n\"", 263, 515, 0},
    {"\"metrics\":{\"input_token_count\":12,\"output_token_count\":3},\"logs\":\"Input token count: 1\\n- Reasoning "
     "tokens: 2\"",
     12, 3, 2},
};

START_TEST(usage_comes_from_the_metrics_else_from_the_logs)
{
    char json[512];
    snprintf(json, sizeof json, "{\"id\":\"abc\",\"status\":\"succeeded\",%s}", usage_rows[_i].members);
    ck_assert(parse(json));
    ck_assert_int_eq(parsed.usage.reported, usage_rows[_i].input >= 0);
    if (parsed.usage.reported)
        ck_assert_int_eq(parsed.usage.input_tokens, usage_rows[_i].input);
    ck_assert_int_eq(parsed.usage.output_tokens, usage_rows[_i].output);
    ck_assert_int_eq(parsed.usage.reasoning_tokens, usage_rows[_i].reasoning);
}
END_TEST

static const struct {
    const char *logs;
    int64_t input, output, reasoning;
} log_rows[] = {
    {NULL, -1, 0, 0},
    {"", -1, 0, 0},
    {"Input token count: 644\nOutput token count: 757\n- Reasoning tokens: 742\nTotal token count: 1401\n", 644, 757,
     742},
    {"  - input token count:644\r\n\t-\tOutput Token Count:\t757", 644, 757, 0},
    {"Input text token count: 711\nInput image token count: 646\nOutput token count: 4160", 1357, 4160, 0},
    {"Output text token count: 5", 0, 5, 0},
    {"Input token count: 1\nInput token count: 2\n", 2, 0, 0},
    {"The Input token count: 9\nInput token count is 9\nInput token count: nine\n", -1, 0, 0},
    {"Input token count: 99999999999999999999999999\nOutput token count: 1000000000001", -1, 0, 0},
    {"Reasoning tokens: 7", -1, 0, 7},
};

START_TEST(log_lines_are_read_line_by_line)
{
    struct usage usage;
    api_usage_from_logs(log_rows[_i].logs, &usage);
    ck_assert_int_eq(usage.reported, log_rows[_i].input >= 0);
    ck_assert_int_eq(usage.input_tokens, log_rows[_i].input < 0 ? 0 : log_rows[_i].input);
    ck_assert_int_eq(usage.output_tokens, log_rows[_i].output);
    ck_assert_int_eq(usage.reasoning_tokens, log_rows[_i].reasoning);
}
END_TEST

static const struct {
    const char *json, *version;
    enum error_kind kind;
} version_rows[] = {
    {"{\"latest_version\":{\"id\":\"39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b\"}}",
     "39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b", ERROR_NONE},
    {"{\"latest_version\":null}", NULL, ERROR_MODEL_NOT_FOUND},
    {"{}", NULL, ERROR_MODEL_NOT_FOUND},
    {"[]", NULL, ERROR_MODEL_NOT_FOUND},
    {"{\"latest_version\":{\"id\":7}}", NULL, ERROR_MODEL_NOT_FOUND},
    {"{\"latest_version\":{\"id\":\"a\\\"b\"}}", NULL, ERROR_MODEL_NOT_FOUND},
    {"<html>", NULL, ERROR_UPSTREAM_ERROR},
};

START_TEST(the_latest_version_is_read_from_the_model)
{
    char version[80] = "";
    const char *json = version_rows[_i].json;
    err = (struct error){0};
    ck_assert_int_eq(api_latest_version(json, strlen(json), "acme/writer", version, &err),
                     version_rows[_i].version != NULL);
    ck_assert_int_eq(err.kind, version_rows[_i].kind);
    if (version_rows[_i].version != NULL)
        ck_assert_str_eq(version, version_rows[_i].version);
    else
        ck_assert_ptr_nonnull(strstr(err.message, "acme/writer"));
}
END_TEST

#define VERSION "39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b"

static const struct {
    const char *json, *name, *version; /* name NULL: an error */
} release_rows[] = {
    {"{\"owner\":\"acme\",\"name\":\"fast\",\"current_release\":{\"number\":1,\"model\":\"acme/"
     "writer\",\"version\":\"" VERSION "\"}}",
     "acme/writer", VERSION},
    {"{\"current_release\":{\"model\":\"acme/writer\",\"version\":\"hidden\"}}", "acme/writer", NULL},
    {"{\"current_release\":{\"model\":\"acme/writer\",\"version\":null}}", "acme/writer", NULL},
    {"{\"current_release\":{\"model\":\"acme/writer\"}}", "acme/writer", NULL},
    {"{\"current_release\":{\"model\":\"acme/writer\",\"version\":\"" VERSION "/../x\"}}", "acme/writer", NULL},
    {"{\"current_release\":{\"model\":\"acme\",\"version\":\"" VERSION "\"}}", NULL, NULL},
    {"{\"current_release\":{\"model\":\"../writer\",\"version\":\"" VERSION "\"}}", NULL, NULL},
    {"{\"current_release\":{\"model\":\"acme/writer/predictions\"}}", NULL, NULL},
    {"{\"current_release\":{\"model\":\"deployments/acme/writer\"}}", NULL, NULL},
    {"{\"current_release\":{\"model\":\"" VERSION "\"}}", NULL, NULL},
    {"{\"current_release\":{\"model\":7,\"version\":\"" VERSION "\"}}", NULL, NULL},
    {"{\"current_release\":{\"version\":\"" VERSION "\"}}", NULL, NULL},
    {"{\"current_release\":null}", NULL, NULL},
    {"{\"current_release\":[]}", NULL, NULL},
    {"{}", NULL, NULL},
    {"[]", NULL, NULL},
    {"<html>", NULL, NULL},
};

START_TEST(what_a_deployment_runs_is_read_from_its_release)
{
    const char *json = release_rows[_i].json, *name = release_rows[_i].name, *version = release_rows[_i].version;
    struct target target = {0};
    err = (struct error){0};
    ck_assert_int_eq(api_deployment_release(json, strlen(json), "acme/fast", &target, &err), name != NULL);
    ck_assert_int_eq(err.kind, name != NULL ? ERROR_NONE : ERROR_UPSTREAM_ERROR);
    if (name == NULL) {
        ck_assert_ptr_nonnull(strstr(err.message, "acme/fast"));
        return;
    }
    ck_assert_str_eq(target.name, name);
    ck_assert_int_eq(target.kind, version != NULL ? TARGET_VERSION : TARGET_MODEL);
    ck_assert_pstr_eq(target.version, version);
    target_dispose(&target);
}
END_TEST

START_TEST(a_release_with_a_name_without_end_is_none)
{
    char json[600];
    int length = snprintf(json, sizeof json, "{\"current_release\":{\"model\":\"acme/%0300d\"}}", 1);
    struct target target = {0};
    err = (struct error){0};
    ck_assert(!api_deployment_release(json, (size_t)length, "acme/fast", &target, &err));
    ck_assert_ptr_null(target.name);
}
END_TEST

static void dispose_parsed(void)
{
    api_prediction_dispose(&parsed);
}

static void forget_parsed(void)
{
    memset(&parsed, 0, sizeof parsed);
}

static Suite *parse_suite(void)
{
    Suite *suite = suite_create("api_parse");
    TCase *tcase = tcase_create("parse");
    tcase_add_checked_fixture(tcase, forget_parsed, dispose_parsed);
    tcase_add_test(tcase, a_whole_prediction_is_read);
    tcase_add_loop_test(tcase, the_time_between_two_timestamps_is_told, 0, ROWS(time_rows));
    tcase_add_test(tcase, a_prediction_with_characters_that_are_none_is_read_all_the_same);
    tcase_add_test(tcase, of_members_of_one_name_the_last_one_counts);
    tcase_add_loop_test(tcase, a_status_is_one_of_six_words_or_unknown, 0, ROWS(status_rows));
    tcase_add_loop_test(tcase, missing_null_and_empty_mean_the_same, 0, ROWS(empty_rows));
    tcase_add_loop_test(tcase, what_is_no_prediction_is_refused, 0, ROWS(refused_rows));
    tcase_add_test(tcase, the_longest_id_has_63_characters);
    tcase_add_loop_test(tcase, an_error_of_any_type_is_quoted_without_secrets, 0, ROWS(error_rows));
    tcase_add_loop_test(tcase, a_long_error_is_cut_and_a_huge_one_is_named_by_its_type, 0, 2);
    tcase_add_loop_test(tcase, usage_comes_from_the_metrics_else_from_the_logs, 0, ROWS(usage_rows));
    tcase_add_loop_test(tcase, log_lines_are_read_line_by_line, 0, ROWS(log_rows));
    tcase_add_loop_test(tcase, the_latest_version_is_read_from_the_model, 0, ROWS(version_rows));
    tcase_add_loop_test(tcase, what_a_deployment_runs_is_read_from_its_release, 0, ROWS(release_rows));
    tcase_add_test(tcase, a_release_with_a_name_without_end_is_none);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(parse_suite());
}
