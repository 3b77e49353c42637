/* The form that a file is sent as, byte by byte, and what is made of Replicate's answers to it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "check_main.h"
#include "replicate/api_files.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define PNG "iVBORw0KGgoAAAANSUhEUg=="
#define PNG_BYTES "\x89PNG\r\n\x1a\n\0\0\0\rIHDR"

static struct buf form;
static char content_type[API_FORM_TYPE_BYTES];
static struct error err;

static void setup(void)
{
    buf_init(&form, (size_t)API_FILE_MAX_BYTES + API_FORM_LINES_BYTES);
    err = (struct error){0};
}

static void teardown(void)
{
    buf_dispose(&form);
}

static bool write_form(const char *value)
{
    return api_file_form(value, strlen(value), &form, content_type, &err);
}

static void expect_form(const char *bytes, size_t length)
{
    ck_assert_uint_eq(form.length, length);
    ck_assert_mem_eq(form.data, bytes, length);
}

START_TEST(a_form_holds_the_file_its_type_and_a_name_made_up_here)
{
    static const char expected[] = "--replibridge-00000000\r\n"
                                   "Content-Disposition: form-data; name=\"content\"; filename=\"file.png\"\r\n"
                                   "Content-Type: image/png\r\n"
                                   "\r\n" PNG_BYTES "\r\n"
                                   "--replibridge-00000000--\r\n";
    ck_assert(write_form("data:image/png;name=secret.exe;base64," PNG));
    expect_form(expected, sizeof expected - 1);
    ck_assert_str_eq(content_type, "multipart/form-data; boundary=replibridge-00000000");
}
END_TEST

START_TEST(an_empty_file_is_a_file)
{
    static const char expected[] = "--replibridge-00000000\r\n"
                                   "Content-Disposition: form-data; name=\"content\"; filename=\"file.bin\"\r\n"
                                   "Content-Type: application/octet-stream\r\n"
                                   "\r\n\r\n"
                                   "--replibridge-00000000--\r\n";
    ck_assert(write_form("data:,"));
    expect_form(expected, sizeof expected - 1);
}
END_TEST

/* What the sender declares, what the bytes show, and which of the two is said. */
static const struct {
    const char *value, *type, *name;
} types[] = {
    {"data:image/jpeg;base64," PNG, "image/png", "file.png"},
    {"data:IMAGE/PNG;base64," PNG, "image/png", "file.png"},
    {"data:;base64," PNG, "image/png", "file.png"},
    {"data:application/octet-stream;base64," PNG, "image/png", "file.png"},
    {"data:application/x-mine;base64," PNG, "application/x-mine", "file.bin"},
    {"data:text/plain,hello", "text/plain", NULL},
    {"data:no type at all,hello", "application/octet-stream", "file.bin"},
    {"data:image/,hello", "application/octet-stream", "file.bin"},
    {"data:/png,hello", "application/octet-stream", "file.bin"},
    {"data:image/png/x,hello", "application/octet-stream", "file.bin"},
    {"data:image/png\r\nX-Evil: 1,hello", "application/octet-stream", "file.bin"},
    {"data:a/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,x",
     "application/octet-stream", "file.bin"},
};

START_TEST(the_type_is_what_the_bytes_show_or_else_what_the_sender_says)
{
    char line[128];
    ck_assert(write_form(types[_i].value));
    snprintf(line, sizeof line, "\r\nContent-Type: %s\r\n\r\n", types[_i].type);
    ck_assert_msg(strstr(form.data, line) != NULL, "%s", form.data);
    ck_assert_ptr_null(strstr(form.data, "X-Evil"));
    if (types[_i].name == NULL)
        return;
    snprintf(line, sizeof line, "; filename=\"%s\"\r\n", types[_i].name);
    ck_assert_msg(strstr(form.data, line) != NULL, "%s", form.data);
}
END_TEST

/* Files that hold boundaries, and the number that is left. */
static const struct {
    const char *file;
    unsigned number;
} boundaries[] = {
    {"nothing of the kind", 0},
    {"replibridge-00000000", 1},
    {"replibridge-00000001", 0},
    {"replibridge-0000000", 0},
    {"replibridge-0000000x", 0},
    {"replibridge-", 0},
    {"replibridge-replibridge-00000000", 1},
    {"--replibridge-00000001 replibridge-00000000", 2},
    {"replibridge-00000000replibridge-00000002replibridge-00000001", 3},
    {"replibridge-00000000replibridge-00000000replibridge-00000001", 2},
    {"replibridge-99999999replibridge-00000000", 1},
};

START_TEST(the_boundary_is_one_that_the_file_does_not_hold)
{
    char expected[512], boundary[64];
    char *value = xasprintf("data:text/plain,%s", boundaries[_i].file);
    snprintf(boundary, sizeof boundary, "replibridge-%08u", boundaries[_i].number);
    ck_assert(write_form(value));
    snprintf(expected, sizeof expected, "multipart/form-data; boundary=%s", boundary);
    ck_assert_str_eq(content_type, expected);
    int head = snprintf(expected, sizeof expected, "--%s\r\n", boundary);
    ck_assert_mem_eq(form.data, expected, (size_t)head);
    int tail = snprintf(expected, sizeof expected, "\r\n\r\n%s\r\n--%s--\r\n", boundaries[_i].file, boundary);
    ck_assert_str_eq(form.data + form.length - tail, expected);
    ck_assert_ptr_null(strstr(boundaries[_i].file, boundary));
    free(value);
}
END_TEST

START_TEST(a_file_made_of_boundaries_alone_costs_one_pass)
{
    enum { COUNT = 200000, LENGTH = 20 };
    struct buf value;
    char end[64];
    buf_init(&value, (size_t)COUNT * LENGTH + 100);
    ck_assert(buf_append_text(&value, "data:,"));
    for (unsigned i = COUNT; i > 0; i--)
        ck_assert(buf_printf(&value, "replibridge-%08u", i - 1));
    ck_assert(write_form(buf_text(&value)));
    snprintf(end, sizeof end, "\r\n--replibridge-%08u--\r\n", COUNT);
    ck_assert_str_eq(form.data + form.length - strlen(end), end);
    buf_dispose(&value);
}
END_TEST

static const char *const unsound[] = {"data:image/png;base64,%%%", "data:image/png;base64", "data:;base64,AAAAA"};

START_TEST(what_is_no_sound_data_uri_is_refused)
{
    ck_assert(!write_form(unsound[_i]));
    ck_assert_int_eq(err.kind, ERROR_INVALID_VALUE);
    ck_assert_ptr_nonnull(strstr(err.message, "no prediction was created"));
}
END_TEST

START_TEST(a_file_over_the_limit_is_refused_and_one_at_it_is_not)
{
    static const char prefix[] = "data:,";
    size_t length = sizeof prefix - 1 + API_FILE_MAX_BYTES + (_i == 0 ? 0 : 1);
    char *value = xmalloc(length);
    memset(value, 'x', length);
    memcpy(value, prefix, sizeof prefix - 1);
    ck_assert_int_eq(api_file_form(value, length, &form, content_type, &err), _i == 0);
    ck_assert_int_eq(err.kind, _i == 0 ? ERROR_NONE : ERROR_REQUEST_TOO_LARGE);
    free(value);
}
END_TEST

/* ---- answers ---- */

#define LONG                                                                                                           \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    const char *body, *id, *url;
} receipts[] = {
    {"{\"id\":\"abc\",\"urls\":{\"get\":\"https://r.test/files/abc?sig=x%2F\"}}", "abc",
     "https://r.test/files/abc?sig=x%2F"},
    {"{\"id\":\"abc\",\"urls\":{\"get\":\"HTTP://r.test/f\"}}", "abc", "HTTP://r.test/f"},
    {"{\"id\":\"a/../b\",\"urls\":{\"get\":\"https://r.test/f\"}}", "", "https://r.test/f"},
    {"{\"id\":\"\",\"urls\":{\"get\":\"https://r.test/f\"}}", "", "https://r.test/f"},
    {"{\"id\":7,\"urls\":[]}", "", ""},
    {"{\"id\":\"" LONG LONG "\"}", "", ""},
    {"{\"id\":\"abc\",\"urls\":{\"get\":\"ftp://r.test/f\"}}", "abc", ""},
    {"{\"id\":\"abc\",\"urls\":{\"get\":\"https://\"}}", "abc", ""},
    {"{\"id\":\"abc\",\"urls\":{\"get\":\"https://r.test/a b\"}}", "abc", ""},
    {"{\"id\":\"abc\",\"urls\":{\"get\":\"https://r.test/a\\nb\"}}", "abc", ""},
    {"{\"id\":\"abc\",\"urls\":{\"get\":\"https://r.test/\\u0000\"}}", "abc", ""},
    {"{\"id\":\"abc\",\"urls\":{\"get\":\"https://r.test/\\u00e4\"}}", "abc", ""},
    {"{\"id\":\"abc\",\"urls\":{\"get\":\"data:text/plain,x\"}}", "abc", ""},
    {"{\"id\":\"abc\",\"urls\":\"https://r.test/f\"}", "abc", ""},
    {"[]", "", ""},
    {"<html>", "", ""},
    {"", "", ""},
};

START_TEST(a_receipt_gives_an_id_and_a_url_that_can_be_used_or_none)
{
    struct api_file receipt;
    api_file_parse(receipts[_i].body, strlen(receipts[_i].body), &receipt);
    ck_assert_str_eq(receipt.id, receipts[_i].id);
    ck_assert_str_eq(receipt.url, receipts[_i].url);
}
END_TEST

START_TEST(a_url_of_any_length_is_taken_whole_or_not_at_all)
{
    size_t length = (size_t)API_FILE_URL_BYTES - 1 + (size_t)_i;
    char *url = xmalloc(length + 1);
    struct api_file receipt;
    memset(url, 'u', length);
    url[length] = '\0';
    memcpy(url, "https://", 8);
    char *body = xasprintf("{\"id\":\"abc\",\"urls\":{\"get\":\"%s\"}}", url);
    api_file_parse(body, strlen(body), &receipt);
    ck_assert_str_eq(receipt.url, _i == 0 ? url : "");
    free(body);
    free(url);
}
END_TEST

static const struct {
    enum transfer_result result;
    int status;
    const char *body;
    bool passing;
    enum error_kind kind;
    const char *words;
} refusals[] = {
    {TRANSFER_UNREACHABLE, 0, "", true, ERROR_UPSTREAM_UNAVAILABLE, "(Connection refused)"},
    {TRANSFER_LOST, 0, "", true, ERROR_UPSTREAM_UNAVAILABLE, "no prediction was created"},
    {TRANSFER_ANSWERED, 500, "<html>", true, ERROR_UPSTREAM_UNAVAILABLE, "HTTP 500: an answer without a reason"},
    {TRANSFER_ANSWERED, 503, "{\"detail\":\"Busy\"}", true, ERROR_UPSTREAM_UNAVAILABLE, "HTTP 503: \"Busy\""},
    {TRANSFER_ANSWERED, 429, "{\"detail\":\"Throttled.\"}", true, ERROR_RATE_LIMITED, "rate limit"},
    {TRANSFER_ANSWERED, 413, "{\"detail\":\"Files must be less than 100MB in size\"}", false, ERROR_REQUEST_TOO_LARGE,
     "Send a smaller one"},
    {TRANSFER_ANSWERED, 401, "{\"detail\":\"Who? test-token\"}", false, ERROR_UPSTREAM_AUTHENTICATION,
     "REPLICATE_API_TOKEN"},
    {TRANSFER_ANSWERED, 403, "{}", false, ERROR_UPSTREAM_AUTHENTICATION, "REPLICATE_API_TOKEN"},
    {TRANSFER_ANSWERED, 402, "{}", false, ERROR_INSUFFICIENT_QUOTA, "credit"},
    {TRANSFER_ANSWERED, 400, "{\"detail\":\"No test-token\"}", false, ERROR_INVALID_VALUE, "HTTP 400: \"No "},
    {TRANSFER_ANSWERED, 422, "{\"detail\":\"Not this\"}", false, ERROR_INVALID_VALUE, "HTTP 422: \"Not this\""},
    {TRANSFER_ANSWERED, 404, "{}", false, ERROR_UPSTREAM_ERROR, "base URL"},
    {TRANSFER_ANSWERED, 302, "", false, ERROR_UPSTREAM_ERROR, "base URL"},
    {TRANSFER_ANSWERED, 201, "{}", false, ERROR_UPSTREAM_ERROR, "names no file"},
};

START_TEST(what_is_no_receipt_is_the_clients_error)
{
    char token[] = "test-token";
    const struct job job = {.token = token};
    const struct transfer_answer answer = {
        .result = refusals[_i].result,
        .status = refusals[_i].status,
        .body = refusals[_i].body,
        .body_length = strlen(refusals[_i].body),
        .retry_after_ms = -1,
        .detail = "Connection refused",
    };
    api_file_error(&answer, &job, &err);
    ck_assert_str_eq(error_row(err.kind)->name, error_row(refusals[_i].kind)->name);
    ck_assert_msg(strstr(err.message, refusals[_i].words) != NULL, "%s", err.message);
    ck_assert_ptr_null(strstr(err.message, "test-token"));
    ck_assert_int_eq(strstr(err.message, "rate limit") != NULL, err.kind == ERROR_RATE_LIMITED);
    ck_assert_int_eq(api_file_is_passing(&answer), refusals[_i].passing);
}
END_TEST

START_TEST(a_429_is_waited_out_as_long_as_it_says)
{
    struct transfer_answer answer = {.status = 429, .body = "{\"retry_after\":5}", .body_length = 17};
    answer.retry_after_ms = 7000;
    ck_assert_int_eq(api_file_wait_ms(&answer, 1), 7000);
    answer.retry_after_ms = -1;
    ck_assert_int_eq(api_file_wait_ms(&answer, 1), 5000);
    answer.body_length = 0;
    ck_assert_int_eq(api_file_wait_ms(&answer, 2), 1000);
    answer.status = 503;
    answer.retry_after_ms = 7000;
    ck_assert_int_eq(api_file_wait_ms(&answer, 1), 500);
}
END_TEST

static Suite *uploads_form_suite(void)
{
    Suite *suite = suite_create("uploads form");
    TCase *cases = tcase_create("form and answer");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 30);
    tcase_add_test(cases, a_form_holds_the_file_its_type_and_a_name_made_up_here);
    tcase_add_test(cases, an_empty_file_is_a_file);
    tcase_add_loop_test(cases, the_type_is_what_the_bytes_show_or_else_what_the_sender_says, 0, ROWS(types));
    tcase_add_loop_test(cases, the_boundary_is_one_that_the_file_does_not_hold, 0, ROWS(boundaries));
    tcase_add_loop_test(cases, what_is_no_sound_data_uri_is_refused, 0, ROWS(unsound));
    tcase_add_loop_test(cases, a_receipt_gives_an_id_and_a_url_that_can_be_used_or_none, 0, ROWS(receipts));
    tcase_add_loop_test(cases, a_url_of_any_length_is_taken_whole_or_not_at_all, 0, 2);
    tcase_add_loop_test(cases, what_is_no_receipt_is_the_clients_error, 0, ROWS(refusals));
    tcase_add_test(cases, a_429_is_waited_out_as_long_as_it_says);
    suite_add_tcase(suite, cases);
    TCase *large = tcase_create("large");
    tcase_set_tags(large, "large");
    tcase_add_checked_fixture(large, setup, teardown);
    tcase_add_test(large, a_file_made_of_boundaries_alone_costs_one_pass);
    tcase_add_loop_test(large, a_file_over_the_limit_is_refused_and_one_at_it_is_not, 0, 2);
    suite_add_tcase(suite, large);
    return suite;
}

int main(void)
{
    return suite_run(uploads_form_suite());
}
