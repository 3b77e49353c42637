/* The table of endpoints: which row a request line finds, and what model id is in it. */
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "openai/endpoint.h"

static const struct found {
    const char *method, *path, *name, *model;
} found_rows[] = {
    {"POST", "/v1/chat/completions", "chat.completions", ""},
    {"POST", "/chat/completions", "chat.completions", ""},
    {"POST", "/v1/chat/completions/", "chat.completions", ""},
    {"POST", "/v1/engines/kimi/chat/completions", "chat.completions", "kimi"},
    {"POST", "/engines/moonshotai/kimi-k2/chat/completions", "chat.completions", "moonshotai/kimi-k2"},
    {"POST", "/openai/deployments/a%2Fb/chat/completions", "chat.completions", "a/b"},
    {"POST", "/v1/openai/deployments/kimi/chat/completions/", "chat.completions", "kimi"},
    {"GET", "/v1/models", "models.list", ""},
    {"GET", "/models/", "models.list", ""},
    {"HEAD", "/v1/models", "models.list", ""},
    {"GET", "/v1/models/kimi", "models.get", "kimi"},
    {"HEAD", "/models/kimi", "models.get", "kimi"},
    {"GET", "/v1/models/meta/meta-llama-3-8b-instruct", "models.get", "meta/meta-llama-3-8b-instruct"},
    {"GET", "/v1/models/meta%2Fmeta-llama-3-8b-instruct", "models.get", "meta/meta-llama-3-8b-instruct"},
    {"GET", "/v1/models/meta%2fllama/", "models.get", "meta/llama"},
    {"GET", "/v1/models/owner/name:0123", "models.get", "owner/name:0123"},
    {"GET", "/v1/models/a%252Fb", "models.get", "a%2Fb"},
    {"GET", "/v1/models/a%20b%3F", "models.get", "a b?"},
    {"GET", "/v1/models/models", "models.get", "models"},
    {"GET", "/v1/models/v1/models", "models.get", "v1/models"},
    {"GET", "/v1/models/%C3%A9", "models.get", "\xC3\xA9"},
};

START_TEST(a_known_request_line_finds_its_row)
{
    const struct found *row = &found_rows[_i];
    char model[256];
    const char *allow = NULL;
    struct error err = {0};
    const struct endpoint *endpoint = endpoint_find(row->method, row->path, model, sizeof model, &allow, &err);
    ck_assert_msg(endpoint != NULL, "%s %s: %s", row->method, row->path, err.message);
    ck_assert_str_eq(endpoint->name, row->name);
    ck_assert_str_eq(model, row->model);
    ck_assert_int_eq(err.kind, ERROR_NONE);
    ck_assert_ptr_null(allow);
}
END_TEST

static const struct missed {
    const char *method, *path;
    enum error_kind kind;
    const char *allow;
} missed_rows[] = {
    {"GET", "/v1/chat/completions", ERROR_METHOD_NOT_SUPPORTED, "POST"},
    {"HEAD", "/v1/chat/completions", ERROR_METHOD_NOT_SUPPORTED, "POST"},
    {"DELETE", "/engines/kimi/chat/completions", ERROR_METHOD_NOT_SUPPORTED, "POST"},
    {"POST", "/v1/models", ERROR_METHOD_NOT_SUPPORTED, "GET, HEAD"},
    {"DELETE", "/v1/models/kimi", ERROR_METHOD_NOT_SUPPORTED, "GET, HEAD"},
    {"get", "/v1/models", ERROR_METHOD_NOT_SUPPORTED, "GET, HEAD"},
    {"POST", "/v1/foo", ERROR_UNKNOWN_PATH, NULL},
    {"POST", "", ERROR_UNKNOWN_PATH, NULL},
    {"GET", "/", ERROR_UNKNOWN_PATH, NULL},
    {"GET", "/v1", ERROR_UNKNOWN_PATH, NULL},
    {"GET", "/v1/", ERROR_UNKNOWN_PATH, NULL},
    {"GET", "/v1models", ERROR_UNKNOWN_PATH, NULL},
    {"GET", "/v2/models", ERROR_UNKNOWN_PATH, NULL},
    {"GET", "/v1/v1/models", ERROR_UNKNOWN_PATH, NULL},
    {"GET", "/v1/models//", ERROR_UNKNOWN_PATH, NULL},
    {"GET", "/v1/models//kimi", ERROR_UNKNOWN_PATH, NULL},
    {"POST", "/engines//chat/completions", ERROR_UNKNOWN_PATH, NULL},
    {"POST", "/engines/chat/completions", ERROR_UNKNOWN_PATH, NULL},
    {"POST", "/engines/kimi/chat", ERROR_UNKNOWN_PATH, NULL},
    {"POST", "/v1/chat/completions//", ERROR_UNKNOWN_PATH, NULL},
    {"POST", "/v1/CHAT/completions", ERROR_UNKNOWN_PATH, NULL},
    {"GET", "/v1/models/%", ERROR_BAD_REQUEST, NULL},
    {"GET", "/v1/models/%4", ERROR_BAD_REQUEST, NULL},
    {"GET", "/v1/models/%zz", ERROR_BAD_REQUEST, NULL},
    {"GET", "/v1/models/a%00b", ERROR_BAD_REQUEST, NULL},
    {"GET", "/v1/models/%FF", ERROR_BAD_REQUEST, NULL},
    {"GET", "/v1/models/%ED%A0%80", ERROR_BAD_REQUEST, NULL},
    {"GET", "/nothing%", ERROR_BAD_REQUEST, NULL},
};

START_TEST(any_other_request_line_is_refused)
{
    const struct missed *row = &missed_rows[_i];
    char model[256];
    const char *allow = NULL;
    struct error err = {0};
    ck_assert_ptr_null(endpoint_find(row->method, row->path, model, sizeof model, &allow, &err));
    ck_assert_msg(err.kind == row->kind, "%s %s: %s", row->method, row->path, err.message);
    ck_assert_pstr_eq(allow, row->allow);
    ck_assert(err.message[0] != '\0');
}
END_TEST

START_TEST(a_model_id_has_to_fit)
{
    char model[8];
    const char *allow = NULL;
    struct error err = {0};
    ck_assert_ptr_nonnull(endpoint_find("GET", "/models/1234567", model, sizeof model, &allow, &err));
    ck_assert_str_eq(model, "1234567");
    ck_assert_ptr_null(endpoint_find("GET", "/models/12345678", model, sizeof model, &allow, &err));
    ck_assert_int_eq(err.kind, ERROR_BAD_REQUEST);
}
END_TEST

START_TEST(a_refusal_quotes_little_of_a_long_path)
{
    char path[5000], model[256];
    const char *allow = NULL;
    struct error err = {0};
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    ck_assert_ptr_null(endpoint_find("POST", path, model, sizeof model, &allow, &err));
    ck_assert_uint_lt(strlen(err.message), 300);
    ck_assert_ptr_nonnull(strstr(err.message, "Unknown request URL: POST /xxx"));
}
END_TEST

START_TEST(every_row_is_whole)
{
    size_t count;
    const struct endpoint *rows = endpoint_rows(&count);
    ck_assert_uint_eq(count, 6);
    for (size_t i = 0; i < count; i++) {
        ck_assert(rows[i].decode != NULL);
        ck_assert_int_eq(rows[i].answer != NULL, rows[i].kind == ENDPOINT_LOCAL);
        ck_assert_int_eq(rows[i].finish != NULL, rows[i].kind == ENDPOINT_RUN);
    }
}
END_TEST

START_TEST(a_key_may_use_what_its_patterns_match)
{
    char *patterns[] = {"kimi-*", "gpt"};
    struct key open = {0}, narrow = {.models = patterns, .model_count = 2};
    ck_assert(endpoint_key_allows(NULL, "anything"));
    ck_assert(endpoint_key_allows(&open, "anything"));
    ck_assert(endpoint_key_allows(&narrow, "kimi-k2"));
    ck_assert(endpoint_key_allows(&narrow, "gpt"));
    ck_assert(!endpoint_key_allows(&narrow, "gpt-5"));
    ck_assert(!endpoint_key_allows(&narrow, ""));
}
END_TEST

static Suite *endpoint_suite(void)
{
    Suite *suite = suite_create("endpoint");
    TCase *paths = tcase_create("paths");
    tcase_add_loop_test(paths, a_known_request_line_finds_its_row, 0, sizeof found_rows / sizeof found_rows[0]);
    tcase_add_loop_test(paths, any_other_request_line_is_refused, 0, sizeof missed_rows / sizeof missed_rows[0]);
    tcase_add_test(paths, a_model_id_has_to_fit);
    tcase_add_test(paths, a_refusal_quotes_little_of_a_long_path);
    tcase_add_test(paths, every_row_is_whole);
    tcase_add_test(paths, a_key_may_use_what_its_patterns_match);
    suite_add_tcase(suite, paths);
    return suite;
}

int main(void)
{
    return suite_run(endpoint_suite());
}
