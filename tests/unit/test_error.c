/* Errors as values: the table of kinds, cutting, and the masking of secrets in quoted text. */
#include "check_main.h"

#include <ctype.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"

START_TEST(every_kind_has_a_lower_case_name_and_an_error_status)
{
    const struct error_row *row = error_row((enum error_kind)_i);
    ck_assert_uint_gt(strlen(row->name), 1);
    for (const char *c = row->name; *c; c++)
        ck_assert_msg(islower((unsigned char)*c) || *c == '_', "%s", row->name);
    ck_assert_int_ge(row->http_status, 400);
    ck_assert_int_lt(row->http_status, 600);
    ck_assert_ptr_nonnull(row->type);
}
END_TEST

START_TEST(a_row_says_what_its_kind_means)
{
    const struct error_row *row = error_row(ERROR_MODEL_NOT_FOUND);
    ck_assert_str_eq(row->name, "model_not_found");
    ck_assert_int_eq(row->http_status, 404);
    ck_assert_str_eq(row->type, "invalid_request_error");
    ck_assert_str_eq(row->code, "model_not_found");
    ck_assert(!row->client_may_retry);
    ck_assert_ptr_null(error_row(ERROR_BAD_REQUEST)->code);
    ck_assert(error_row(ERROR_RATE_LIMITED)->client_may_retry);
}
END_TEST

START_TEST(set_fills_everything_and_returns_false)
{
    struct error err;
    memset(&err, 'x', sizeof err);
    ck_assert(!error_set(&err, ERROR_INVALID_VALUE, "n", "n is %d.", 129));
    ck_assert_int_eq(err.kind, ERROR_INVALID_VALUE);
    ck_assert_int_eq(err.retry_after_ms, 0);
    ck_assert_str_eq(err.param, "n");
    ck_assert_str_eq(err.message, "n is 129.");
    ck_assert(!error_set(&err, ERROR_INTERNAL, NULL, "x"));
    ck_assert_str_eq(err.param, "");
    ck_assert(!error_set(NULL, ERROR_INTERNAL, NULL, "nobody listens"));
}
END_TEST

START_TEST(set_may_quote_the_error_that_it_replaces)
{
    struct error err;
    error_set(&err, ERROR_INVALID_VALUE, "tools[0]", "It is broken.");
    error_set(&err, ERROR_INTERNAL, err.param, "In short: %s", err.message);
    ck_assert_str_eq(err.message, "In short: It is broken.");
    ck_assert_str_eq(err.param, "tools[0]");
}
END_TEST

/* A text of `plain` letters and then U+1F600, four bytes: where is it cut? */
START_TEST(texts_are_cut_between_characters)
{
    static const struct {
        int plain;
        size_t message, param;
    } rows[] = {
        {ERROR_MESSAGE_BYTES - 6, ERROR_MESSAGE_BYTES - 2, ERROR_PARAM_BYTES - 1},
        {ERROR_MESSAGE_BYTES - 5, ERROR_MESSAGE_BYTES - 1, ERROR_PARAM_BYTES - 1},
        {ERROR_MESSAGE_BYTES - 4, ERROR_MESSAGE_BYTES - 4, ERROR_PARAM_BYTES - 1},
        {ERROR_MESSAGE_BYTES - 3, ERROR_MESSAGE_BYTES - 3, ERROR_PARAM_BYTES - 1},
        {ERROR_MESSAGE_BYTES - 2, ERROR_MESSAGE_BYTES - 2, ERROR_PARAM_BYTES - 1},
        {ERROR_MESSAGE_BYTES - 1, ERROR_MESSAGE_BYTES - 1, ERROR_PARAM_BYTES - 1},
        {ERROR_MESSAGE_BYTES, ERROR_MESSAGE_BYTES - 1, ERROR_PARAM_BYTES - 1},
        {ERROR_PARAM_BYTES - 5, ERROR_PARAM_BYTES - 1, ERROR_PARAM_BYTES - 1},
        {ERROR_PARAM_BYTES - 4, ERROR_PARAM_BYTES, ERROR_PARAM_BYTES - 4},
        {ERROR_PARAM_BYTES - 2, ERROR_PARAM_BYTES + 2, ERROR_PARAM_BYTES - 2},
    };
    char text[ERROR_MESSAGE_BYTES + 8];
    memset(text, 'a', sizeof text);
    memcpy(text + rows[_i].plain, "\xF0\x9F\x98\x80", 5);
    struct error err;
    error_set(&err, ERROR_INTERNAL, text, "%s", text);
    ck_assert_uint_eq(strlen(err.message), rows[_i].message);
    ck_assert_uint_eq(strlen(err.param), rows[_i].param);
    ck_assert_mem_eq(err.message, text, rows[_i].message);
}
END_TEST

static const struct quote_row {
    const char *text, *secret, *expected;
} quote_rows[] = {
    {"plain text", NULL, "plain text"},
    {"", NULL, ""},
    {"token r8_FakeFakeFake is bad", NULL, "token *** is bad"},
    {"r8_FakeFakeFake", NULL, "***"},
    {"\"r8_FakeFakeFake\"", NULL, "\"***\""},
    {"key=r8_Fake,sk-fake", NULL, "key=***,***"},
    {"sk-proj-Fake_Fake.Fake/Fake+Fake=", NULL, "***"},
    {"a\\nr8_Fake", NULL, "a\\n***"},
    {"q=%20r8_Fake", NULL, "q=%20***"},
    {"the task-force is risk-free", NULL, "the task-force is risk-free"},
    {"R8_ is no prefix", NULL, "R8_ is no prefix"},
    {"Authorization: Bearer fake!token:1 sent", NULL, "Authorization: Bearer *** sent"},
    {"bearer   fake", NULL, "bearer   ***"},
    {"BEARER\tfake", NULL, "BEARER ***"},
    {"{\"h\":\"Bearer fake\"}", NULL, "{\"h\":\"Bearer ***\"}"},
    {"Bearer r8_Fake", NULL, "Bearer ***"},
    {"Bearer", NULL, "Bearer"},
    {"Bearer ", NULL, "Bearer "},
    {"xtest-tokenx, test-token", "test-token", "x***x, ***"},
    {"test-tokentest-token", "test-token", "******"},
    {"cut off at test-to", "test-token", "cut off at ***"},
    {"test-tok and test-token", "test-token", "test-tok and ***"},
    {"abc", "abc", "abc"},
    {"abcd", "abcd", "***"},
    {"text", "", "text"},
    {"a\nb\tc\x1b[0m\x7f|", NULL, "a b c [0m |"},
    {"C1 \xC2\x9B|\xC2\xA0", NULL, "C1  |\xC2\xA0"},
    {"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", NULL, "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"},
    {"bad \xFF\xC3|", NULL, "bad ??|"},
    {"overlong \xC0\xAF", NULL, "overlong ??"},
    {"surrogate \xED\xA0\x80", NULL, "surrogate ???"},
    {"too large \xF4\x90\x80\x80", NULL, "too large ????"},
    {"cut \xE2\x82", NULL, "cut ??"},
};

START_TEST(a_quoted_text_shows_no_secret_and_no_control_character)
{
    const struct quote_row *row = &quote_rows[_i];
    char out[128];
    error_quote(out, sizeof out, row->text, strlen(row->text), row->secret);
    ck_assert_str_eq(out, row->expected);
}
END_TEST

START_TEST(a_quoted_text_may_hold_nul)
{
    char out[16];
    error_quote(out, sizeof out, "a\0r8_Fake\0b", 11, NULL);
    ck_assert_str_eq(out, "a *** b");
}
END_TEST

START_TEST(a_quoted_text_is_cut_between_characters_and_masks)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"1234567", "1234567"},
        {"12345678", "1234567"},
        {"123456\xC3\xA9", "123456"},
        {"12345\xC3\xA9", "12345\xC3\xA9"},
        {"1234 sk-fake", "1234 "},
        {"123 sk-fake", "123 ***"},
        {"sk-fakefakefake 1234", "*** 123"},
    };
    char out[8];
    error_quote(out, sizeof out, rows[_i].text, strlen(rows[_i].text), NULL);
    ck_assert_str_eq(out, rows[_i].expected);
}
END_TEST

START_TEST(the_smallest_outputs_are_respected)
{
    char out[2] = "zz";
    out[1] = 'z';
    error_quote(out, 0, "abc", 3, NULL);
    ck_assert_mem_eq(out, "zz", 2);
    error_quote(out, 1, "abc", 3, NULL);
    ck_assert_mem_eq(out, "\0z", 2);
}
END_TEST

static const struct {
    const char *bytes;
    size_t length;
} sequence_rows[] = {
    {"a", 1},
    {"\x7F", 1},
    {"\xC2\x80", 2},
    {"\xDF\xBF", 2},
    {"\xE0\xA0\x80", 3},
    {"\xED\x9F\xBF", 3},
    {"\xEE\x80\x80", 3},
    {"\xEF\xBF\xBF", 3},
    {"\xF0\x90\x80\x80", 4},
    {"\xF4\x8F\xBF\xBF", 4},
    {"\x80", 0},
    {"\xBF", 0},
    {"\xC0\x80", 0},
    {"\xC1\xBF", 0},
    {"\xC2", 0},
    {"\xC2\x41", 0},
    {"\xC2\xC0", 0},
    {"\xE0\x9F\xBF", 0},
    {"\xE0\xA0", 0},
    {"\xE0\xA0\x41", 0},
    {"\xED\xA0\x80", 0},
    {"\xED\xBF\xBF", 0},
    {"\xF0\x8F\xBF\xBF", 0},
    {"\xF0\x90\x80", 0},
    {"\xF4\x90\x80\x80", 0},
    {"\xF5\x80\x80\x80", 0},
    {"\xFE", 0},
    {"\xFF", 0},
};

START_TEST(utf8_is_told_from_what_only_resembles_it)
{
    const char *bytes = sequence_rows[_i].bytes;
    ck_assert_uint_eq(utf8_sequence(bytes, strlen(bytes)), sequence_rows[_i].length);
}
END_TEST

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static Suite *error_suite(void)
{
    Suite *suite = suite_create("error");
    TCase *tcase = tcase_create("error");
    tcase_add_loop_test(tcase, every_kind_has_a_lower_case_name_and_an_error_status, 1, ERROR_KIND_COUNT);
    tcase_add_test(tcase, a_row_says_what_its_kind_means);
    tcase_add_test(tcase, set_fills_everything_and_returns_false);
    tcase_add_test(tcase, set_may_quote_the_error_that_it_replaces);
    tcase_add_loop_test(tcase, texts_are_cut_between_characters, 0, 10);
    tcase_add_loop_test(tcase, a_quoted_text_shows_no_secret_and_no_control_character, 0, ROWS(quote_rows));
    tcase_add_test(tcase, a_quoted_text_may_hold_nul);
    tcase_add_loop_test(tcase, a_quoted_text_is_cut_between_characters_and_masks, 0, 7);
    tcase_add_test(tcase, the_smallest_outputs_are_respected);
    tcase_add_loop_test(tcase, utf8_is_told_from_what_only_resembles_it, 0, ROWS(sequence_rows));
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(error_suite());
}
