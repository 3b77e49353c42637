/* Strict JSON: what is read and refused, and what is written to the byte. */
#include "check_main.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct buf out;

static void set_up(void)
{
    buf_init(&out, 1 << 20);
}

static void tear_down(void)
{
    buf_dispose(&out);
}

/* What is read, and how it is written again. */
static const struct {
    const char *text, *written;
} accepted[] = {
    {"{}", "{}"},
    {" [1 , 2]\r\n\t", "[1,2]"},
    {"null", "null"},
    {"true", "true"},
    {"\"text\"", "\"text\""},
    {"\"\"", "\"\""},
    {"0.1", "0.1"},
    {"[0.1,0.2,0.3,1.5,100.25]", "[0.1,0.2,0.3,1.5,100.25]"},
    {"1.0", "1.0"},
    {"-0", "0"},
    {"9223372036854775807", "9223372036854775807"},
    {"-9223372036854775808", "-9223372036854775808"},
    {"9223372036854775808", "9.22337203685478e18"},
    {"-9223372036854776000", "-9.22337203685478e18"},
    {"1e308", "1e308"},
    {"1e-999", "0.0"},
    {"{\"seed\":9223372036854776000,\"n\":[100,{\"m\":-3}],\"t\":0.5}",
     "{\"seed\":9.22337203685478e18,\"n\":[100,{\"m\":-3}],\"t\":0.5}"},
    {"{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}"},
    {"\"caf\\u00e9 \\ud83d\\ude00 \\/ \\n\"", "\"caf\xC3\xA9 \xF0\x9F\x98\x80 / \\n\""},
    {"\"\xF4\x8F\xBF\xBF\xE2\x80\xA8\"", "\"\xF4\x8F\xBF\xBF\xE2\x80\xA8\""},
    {"\"[[[ {{{ \\\" [[[\"", "\"[[[ {{{ \\\" [[[\""},
    {"{\"\":1}", "{\"\":1}"},
};

START_TEST(valid_json_is_read_and_written)
{
    struct error err = {.kind = ERROR_NONE};
    json_t *value = json_parse(accepted[_i].text, strlen(accepted[_i].text), &err);
    ck_assert_msg(value, "%s: %s", accepted[_i].text, err.message);
    ck_assert_int_eq(err.kind, ERROR_NONE);
    ck_assert(json_append(&out, value));
    ck_assert_str_eq(buf_text(&out), accepted[_i].written);
    json_decref(value);
}
END_TEST

#define INVALID "The request body is not valid JSON: "

/* `length` is 0 where the text is as long as its C string. */
static const struct {
    const char *text;
    size_t length;
    const char *message;
} refused[] = {
    {"", 0, "The request body is empty. Send a JSON object."},
    {" \r\n\t", 0, "The request body is empty. Send a JSON object."},
    {"{\"secret prompt\": hello}", 0, INVALID "invalid token near byte 23."},
    {"{\"secret\"", 0, INVALID "it ends too early near byte 9."},
    {"[1,]", 0, INVALID "invalid token near byte 4."},
    {"{'a':1}", 0, INVALID "invalid token"},
    {"NaN", 0, INVALID "invalid token"},
    {"Infinity", 0, INVALID "invalid token"},
    {"01", 0, INVALID},
    {"+1", 0, INVALID "invalid token"},
    {".5", 0, INVALID "invalid token"},
    {"1e999", 0, INVALID "a number is too large"},
    {"[9223372036854775808,-1e999]", 0, INVALID "a number is too large"},
    {"{} secret", 0, INVALID "there is more text after the end of the value near byte"},
    {"{}{}", 0, INVALID "there is more text after the end"},
    {"\"half", 0, INVALID "it ends too early"},
    {"\"a\nb\"", 0, INVALID "a string holds an unescaped control character near byte"},
    {"\"a\x01z\"", 0, INVALID "a string holds an unescaped control character near byte"},
    {"\"\\x\"", 0, INVALID "a string holds an invalid escape"},
    {"\"a\\u0000b\"", 0, INVALID "a string holds the NUL character (\\u0000), which is not allowed"},
    {"{\"a\\u0000b\":1}", 0, INVALID "a string holds the NUL character (\\u0000), which is not allowed"},
    {"\"a\0b\"", 5, INVALID "a string holds an unescaped control character"},
    {"{}\0", 3, INVALID},
    {"\0{}", 3, INVALID},
    {"\"\\ud83d\"", 0, INVALID "an escape is half of a surrogate pair"},
    {"\"\\ud83dx\"", 0, INVALID "an escape is half of a surrogate pair"},
    {"\"\\ude00\"", 0, INVALID "an escape is half of a surrogate pair"},
    {"\"\\ud83d\\u0041\"", 0, INVALID "an escape is half of a surrogate pair"},
    {"\"\xFF\"", 0, INVALID "it has bytes that are not UTF-8 near byte"},
    {"\"\x80\"", 0, INVALID "it has bytes that are not UTF-8"},
    {"\"\xC0\xAF\"", 0, INVALID "it has bytes that are not UTF-8"},
    {"\"\xE0\x80\xAF\"", 0, INVALID "it has bytes that are not UTF-8"},
    {"\"\xED\xA0\x80\"", 0, INVALID "it has bytes that are not UTF-8"},
    {"\"\xF4\x90\x80\x80\"", 0, INVALID "it has bytes that are not UTF-8"},
    {"\"\xF8\x88\x80\x80\x80\"", 0, INVALID "it has bytes that are not UTF-8"},
    {"\"\xE2\x82\"", 0, INVALID "it has bytes that are not UTF-8"},
    {"\xEF\xBB\xBF{}", 0, INVALID "invalid token near byte"},
    {"\xFF\xFE{\0}\0", 6, INVALID "it has bytes that are not UTF-8"},
};

START_TEST(invalid_json_is_refused_in_our_own_words)
{
    const char *text = refused[_i].text;
    size_t length = refused[_i].length ? refused[_i].length : strlen(text);
    struct error err = {.kind = ERROR_NONE};
    ck_assert_ptr_null(json_parse(text, length, &err));
    ck_assert_int_eq(err.kind, ERROR_BAD_REQUEST);
    ck_assert_str_eq(err.param, "");
    ck_assert_msg(strncmp(err.message, refused[_i].message, strlen(refused[_i].message)) == 0, "row %d: %s", _i,
                  err.message);
    ck_assert_ptr_null(strstr(err.message, "secret"));
    ck_assert_ptr_null(json_parse(text, length, NULL));
}
END_TEST

#define REPLACED "\xEF\xBF\xBD"

static const struct {
    const char *text, *dump; /* NULL: still refused */
} mended[] = {
    {"[1,\"\\u00e9\"]", "[1,\"\xC3\xA9\"]"},
    {"\"a\\u0000b\"", "\"a" REPLACED "b\""},
    {"{\"a\\u0000\":1}", "{\"a" REPLACED "\":1}"},
    {"\"\\ud83d\"", "\"" REPLACED "\""},
    {"\"\\uD83Dx\"", "\"" REPLACED "x\""},
    {"\"\\ude00\\ud83d\"", "\"" REPLACED REPLACED "\""},
    {"\"\\ud83d\\ud83d\\ude00\"", "\"" REPLACED "\xF0\x9F\x98\x80\""},
    {"\"\\ud83d\\u0041\"", "\"" REPLACED "A\""},
    {"\"\\\\u0000\\u0000\"", "\"\\\\u0000" REPLACED "\""},
    {"\"\\\\\\ud83d\\\"\"", "\"\\\\" REPLACED "\\\"\""},
    {"\"\xFF\xE2\x82\xE2\x82\xAC\"", "\"" REPLACED REPLACED REPLACED "\xE2\x82\xAC\""},
    {"{\"o\":[\"\\u0000\"],\"n\":12}", "{\"o\":[\"" REPLACED "\"],\"n\":12}"},
    {"", NULL},
    {" ", NULL},
    {"<html>\xFF</html>", NULL},
    {"{\"o\":\"\\u0000\"", NULL},
    {"{\"o\":\"\\ud83d", NULL},
    {"\"\\u00", NULL},
    {"\"\\", NULL},
    {"\\u0000", NULL},
};

START_TEST(the_answers_of_others_are_mended)
{
    const char *text = mended[_i].text;
    json_t *value = json_parse_lenient(text, strlen(text));
    ck_assert_msg((value != NULL) == (mended[_i].dump != NULL), "row %d", _i);
    if (value == NULL)
        return;
    struct buf dump;
    buf_init(&dump, 1024);
    ck_assert(json_append(&dump, value));
    ck_assert_str_eq(buf_text(&dump), mended[_i].dump);
    buf_dispose(&dump);
    json_decref(value);
}
END_TEST

/* Integers beside one that is too large for 64 bits stay what they are. */
START_TEST(one_huge_integer_leaves_the_others_exact)
{
    static const char text[] = "[9223372036854775808,9007199254740993,2.0]";
    json_t *value = json_parse(text, strlen(text), NULL);
    ck_assert(json_append(&out, value));
    ck_assert_str_eq(buf_text(&out), "[9.22337203685478e18,9007199254740993,2.0]");
    json_decref(value);
}
END_TEST

static const struct {
    double real;
    const char *written;
} reals[] = {
    {0, "0.0"},
    {-0.0, "-0.0"},
    {1e15, "1e15"},
    {123456789012345.0, "123456789012345.0"},
    {1e-5, "1e-5"},
    {1e100, "1e100"},
    {1e-100, "1e-100"},
    {-2.5e-7, "-2.5e-7"},
    {0.0001, "0.0001"},
    {1.0 / 3, "0.333333333333333"},
    {5e-324, "4.94065645841247e-324"},
};

START_TEST(a_real_is_written_so_that_it_stays_one)
{
    json_t *value = json_real(reals[_i].real);
    ck_assert(json_append(&out, value));
    ck_assert_str_eq(buf_text(&out), reals[_i].written);
    json_decref(value);
}
END_TEST

START_TEST(text_that_is_no_utf8_is_not_written)
{
    json_t *value = json_pack("[s, o]", "fine", json_string_nocheck("\xC3("));
    buf_append_text(&out, "> ");
    ck_assert(!json_append(&out, value));
    ck_assert_str_eq(buf_text(&out), "> ");
    json_decref(value);
}
END_TEST

/* `depth` times `opening`, then as many times `closing`; the caller frees. */
static char *nested(size_t depth, const char *opening, const char *closing)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < depth; i++)
        buf_append_text(&text, opening);
    buf_append_text(&text, "1");
    for (size_t i = 0; i < depth; i++)
        buf_append_text(&text, closing);
    ck_assert(!text.overflowed);
    return buf_take(&text, NULL);
}

static const struct {
    size_t depth;
    const char *opening, *closing;
    bool is_fine;
} depths[] = {
    {511, "[", "]", true},          {512, "[", "]", true},        {513, "[", "]", false},
    {512, "{\"a\":", "}", true},    {513, "{\"a\":", "}", false}, {256, "[{\"]\":", "}]", true},
    {257, "[{\"]\":", "}]", false}, {10000, "[", "]", false},     {10000, "{\"a\":", "}", false},
    {10000, "[", "", false},
};

START_TEST(nesting_is_refused_over_512_levels)
{
    char *text = nested(depths[_i].depth, depths[_i].opening, depths[_i].closing);
    struct error err = {.kind = ERROR_NONE};
    json_t *value = json_parse(text, strlen(text), &err);
    ck_assert_int_eq(value != NULL, depths[_i].is_fine);
    if (!value)
        ck_assert_ptr_nonnull(strstr(err.message, "more than 512 levels"));
    json_decref(value);
    free(text);
}
END_TEST

START_TEST(a_long_flat_document_is_not_deep)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_append_text(&text, "[");
    for (int i = 0; i < 10000; i++)
        buf_append_text(&text, "[],{\"a\":\"[{\\\"\"},");
    buf_append_text(&text, "0]");
    struct error err;
    json_t *value = json_parse(text.data, text.length, &err);
    ck_assert_uint_eq(json_array_size(value), 20001);
    json_decref(value);
    buf_dispose(&text);
}
END_TEST

static const struct {
    const char *bytes;
    size_t length;
    const char *written;
} strings[] = {
    {"", 0, "\"\""},
    {"plain", 5, "\"plain\""},
    {"a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\""},
    {"\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\""},
    {"\x01\x1f\x7f", 3, "\"\\u0001\\u001f\\u007f\""},
    {"a\0b", 3, "\"a\\u0000b\""},
    {"caf\xC3\xA9\xF0\x9F\x98\x80", 9, "\"caf\xC3\xA9\xF0\x9F\x98\x80\""},
    {"\xFFx", 2, "\"\xEF\xBF\xBDx\""},
    {"\xC0\xAF", 2, "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
    {"\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    {"\xF4\x90\x80\x80", 4, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    {"x\xE2\x82", 3, "\"x\xEF\xBF\xBD\xEF\xBF\xBD\""},
    {"\xE2\x82\xAC", 2, "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
    {"\xF0\x9F\x98(", 4, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD(\""},
};

START_TEST(a_string_is_escaped_and_repaired)
{
    ck_assert(json_append_string(&out, strings[_i].bytes, strings[_i].length));
    ck_assert_str_eq(buf_text(&out), strings[_i].written);
}
END_TEST

START_TEST(both_ways_to_write_a_string_mean_the_same)
{
    struct error err;
    ck_assert(json_append_string(&out, strings[_i].bytes, strings[_i].length));
    json_t *lossy = json_string_lossy(strings[_i].bytes, strings[_i].length);
    ck_assert_ptr_nonnull(lossy);
    /* What we wrote is valid JSON, except that reading never lets NUL in. */
    json_t *read = json_parse(out.data, out.length, &err);
    if (memchr(strings[_i].bytes, 0, strings[_i].length))
        ck_assert_ptr_null(read);
    else
        ck_assert(json_equal(read, lossy));
    json_decref(read);
    json_decref(lossy);
}
END_TEST

START_TEST(appending_obeys_the_maximum_of_the_buf)
{
    json_t *value = json_pack("{s:s}", "key", "value");
    static const char written[] = "{\"key\":\"value\"}";
    struct buf small;
    buf_init(&small, 2 + strlen(written));
    buf_append_text(&small, "> ");
    ck_assert(json_append(&small, value));
    ck_assert_str_eq(buf_text(&small), "> {\"key\":\"value\"}");
    buf_dispose(&small);

    buf_init(&small, 1 + strlen(written));
    buf_append_text(&small, "> ");
    ck_assert(!json_append(&small, value));
    ck_assert(small.overflowed);
    ck_assert_str_eq(buf_text(&small), "> ");
    ck_assert_uint_eq(small.length, 2);
    buf_dispose(&small);
    json_decref(value);
}
END_TEST

START_TEST(appending_a_string_obeys_the_maximum_of_the_buf)
{
    for (size_t maximum = 0; maximum < 8; maximum++) {
        struct buf small;
        buf_init(&small, maximum);
        bool fits = json_append_string(&small, "ab\n\"", 4);
        ck_assert(!fits);
        ck_assert_str_eq(buf_text(&small), "");
        ck_assert(small.overflowed);
        buf_dispose(&small);
    }
    struct buf exact;
    buf_init(&exact, 8);
    ck_assert(json_append_string(&exact, "ab\n\"", 4));
    ck_assert_str_eq(buf_text(&exact), "\"ab\\n\\\"\"");
    buf_dispose(&exact);
}
END_TEST

START_TEST(text_is_given_only_for_string_members)
{
    json_t *object = json_pack("{s:s, s:i, s:n}", "a", "text", "b", 1, "c");
    ck_assert_pstr_eq(json_text(object, "a"), "text");
    ck_assert_ptr_null(json_text(object, "b"));
    ck_assert_ptr_null(json_text(object, "c"));
    ck_assert_ptr_null(json_text(object, "d"));
    ck_assert_ptr_null(json_text(NULL, "a"));
    json_decref(object);
}
END_TEST

static const struct {
    const char *text, *name;
} types[] = {
    {"{}", "an object"}, {"[]", "an array"},    {"\"\"", "a string"},   {"1", "an integer"},
    {"1.5", "a number"}, {"true", "a boolean"}, {"false", "a boolean"}, {"null", "null"},
};

START_TEST(types_have_names_for_messages)
{
    struct error err;
    json_t *value = json_parse(types[_i].text, strlen(types[_i].text), &err);
    ck_assert_str_eq(json_type_name(value), types[_i].name);
    json_decref(value);
    ck_assert_str_eq(json_type_name(NULL), "nothing");
}
END_TEST

static Suite *json_suite(void)
{
    Suite *suite = suite_create("json");
    TCase *tcase = tcase_create("json");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, valid_json_is_read_and_written, 0, ROWS(accepted));
    tcase_add_loop_test(tcase, invalid_json_is_refused_in_our_own_words, 0, ROWS(refused));
    tcase_add_loop_test(tcase, the_answers_of_others_are_mended, 0, ROWS(mended));
    tcase_add_test(tcase, one_huge_integer_leaves_the_others_exact);
    tcase_add_loop_test(tcase, a_real_is_written_so_that_it_stays_one, 0, ROWS(reals));
    tcase_add_test(tcase, text_that_is_no_utf8_is_not_written);
    tcase_add_loop_test(tcase, nesting_is_refused_over_512_levels, 0, ROWS(depths));
    tcase_add_test(tcase, a_long_flat_document_is_not_deep);
    tcase_add_loop_test(tcase, a_string_is_escaped_and_repaired, 0, ROWS(strings));
    tcase_add_loop_test(tcase, both_ways_to_write_a_string_mean_the_same, 0, ROWS(strings));
    tcase_add_test(tcase, appending_obeys_the_maximum_of_the_buf);
    tcase_add_test(tcase, appending_a_string_obeys_the_maximum_of_the_buf);
    tcase_add_test(tcase, text_is_given_only_for_string_members);
    tcase_add_loop_test(tcase, types_have_names_for_messages, 0, ROWS(types));
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(json_suite());
}
