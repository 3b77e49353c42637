/* Numbers of JSON: which are whole, and how reals are written. */
#include "check_main.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct buf out;

static void set_up(void)
{
    buf_init(&out, 4096);
}

static void tear_down(void)
{
    buf_dispose(&out);
}

static const struct {
    const char *text;
    bool is_whole;
    int64_t whole;
} numbers[] = {
    {"0", true, 0},
    {"-7", true, -7},
    {"1.0", true, 1},
    {"-0.0", true, 0},
    {"1e3", true, 1000},
    {"1.5", false, 0},
    {"9223372036854775807", true, INT64_MAX},
    {"-9223372036854775808", true, INT64_MIN},
    {"9007199254740992.0", true, 9007199254740992},
    {"-9007199254740992.0", true, -9007199254740992},
    {"9007199254740994.0", false, 0},
    {"-9007199254740994.0", false, 0},
    {"9223372036854775808", false, 0},
    {"1e300", false, 0},
    {"-1e300", false, 0},
    {"\"1\"", false, 0},
    {"true", false, 0},
    {"null", false, 0},
    {"[1]", false, 0},
};

/* Numbers of a few decimals are not left to printf. */
START_TEST(reals_are_written_as_printf_would_with_15_digits)
{
    char expected[64];
    for (int64_t i = -30000; i < 30000; i++) {
        double real = (double)(i * 7919) / (double[]){1, 10, 100, 1000, 10000, 100000, 3}[(i + 30000) % 7];
        json_t *value = json_real(real);
        snprintf(expected, sizeof expected, "%.15g", real);
        if (strpbrk(expected, ".e") == NULL)
            memcpy(expected + strlen(expected), ".0", 3);
        buf_clear(&out);
        ck_assert(json_append(&out, value));
        if (strchr(expected, 'e') == NULL)
            ck_assert_str_eq(buf_text(&out), expected);
        json_decref(value);
    }
}
END_TEST

START_TEST(whole_numbers_are_integers_and_integral_reals)
{
    struct error err;
    json_t *value = json_parse(numbers[_i].text, strlen(numbers[_i].text), &err);
    ck_assert_ptr_nonnull(value);
    int64_t whole = 12345;
    ck_assert_int_eq(json_whole_number(value, &whole), numbers[_i].is_whole);
    ck_assert_int_eq(whole, numbers[_i].is_whole ? numbers[_i].whole : 12345);
    json_decref(value);
}
END_TEST

START_TEST(nothing_is_no_whole_number)
{
    int64_t whole = 12345;
    ck_assert(!json_whole_number(NULL, &whole));
    ck_assert_int_eq(whole, 12345);
}
END_TEST

static Suite *json_numbers_suite(void)
{
    Suite *suite = suite_create("json: numbers");
    TCase *tcase = tcase_create("numbers");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, reals_are_written_as_printf_would_with_15_digits);
    tcase_add_loop_test(tcase, whole_numbers_are_integers_and_integral_reals, 0, ROWS(numbers));
    tcase_add_test(tcase, nothing_is_no_whole_number);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(json_numbers_suite());
}
