/* The scanner of JSON: what a walk sees, what is refused and where, and that words of eight bytes hide nothing. */
#include "check_main.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/json_scan.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

enum { TEXT_BYTES = 1 << 16 };

static struct buf seen;

static void set_up(void)
{
    buf_init(&seen, TEXT_BYTES);
}

static void tear_down(void)
{
    buf_dispose(&seen);
}

static void see_text(const struct json_scanned *value)
{
    char *text = xmalloc(value->length + 1);
    size_t length = json_scan_unescape(value, text);
    ck_assert_uint_le(length, value->length);
    buf_append_text(&seen, "<");
    buf_append(&seen, text, length);
    buf_append_text(&seen, ">");
    free(text);
}

/* Notes a value: arrays in brackets, objects in braces, strings as their characters, numbers by their kind. */
static void see(struct json_scan *scan)
{
    static const char *const words[] = {"null", "false", "true"};
    struct json_scanned value, key;
    if (!json_scan_value(scan, &value))
        return;
    if (value.kind <= JSON_SCAN_TRUE)
        buf_append_text(&seen, words[value.kind]);
    if (value.kind == JSON_SCAN_INTEGER)
        buf_printf(&seen, "i%lld", (long long)value.integer);
    if (value.kind == JSON_SCAN_REAL)
        buf_printf(&seen, "r%g", value.real);
    if (value.kind == JSON_SCAN_STRING)
        see_text(&value);
    if (value.kind == JSON_SCAN_ARRAY) {
        buf_append_text(&seen, "[");
        while (json_scan_item(scan))
            see(scan);
        buf_append_text(&seen, "]");
    }
    if (value.kind == JSON_SCAN_OBJECT) {
        buf_append_text(&seen, "{");
        while (json_scan_member(scan, &key)) {
            see_text(&key);
            see(scan);
        }
        buf_append_text(&seen, "}");
    }
}

static const struct {
    const char *text, *seen;
} walks[] = {
    {"null", "null"},
    {" \t\r\n[ ] ", "[]"},
    {"{ }", "{}"},
    {"[true,false , null]", "[truefalsenull]"},
    {"[[],[[]],{}]", "[[][[]]{}]"},
    {"{\"a\":{\"b\":[1]},\"c\":\"d\"}", "{<a>{<b>[i1]}<c><d>}"},
    {"{\"a\":1,\"a\":2}", "{<a>i1<a>i2}"},
    {"[0,-0,12,-7]", "[i0i0i12i-7]"},
    {"[9223372036854775807,-9223372036854775808]", "[i9223372036854775807i-9223372036854775808]"},
    {"[9223372036854775808,-9223372036854775809]", "[r9.22337e+18r-9.22337e+18]"},
    {"[1.0,0.5e1,1E-2,1e+3,-0.0]", "[r1r5r0.01r1000r-0]"},
    {"[1e-999,5e-324]", "[r0r4.94066e-324]"},
    {"\"\"", "<>"},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "<\"\\/\b\f\n\r\t>"},
    {"\"\\u0041\\u00e9\\u20AC\\uD83D\\uDE00\\uFFFF\"", "<A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xEF\xBF\xBF>"},
    {"\"\\u007f\\u0080\\u07ff\\u0800\"", "<\x7f\xC2\x80\xDF\xBF\xE0\xA0\x80>"},
    {"\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\x7f\"", "<\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\x7f>"},
    {"{\"\\u0061\\n\":0,\"\":1}", "{<a\n>i0<>i1}"},
};

START_TEST(a_walk_sees_every_value)
{
    struct json_scan scan;
    json_scan_init(&scan, walks[_i].text, strlen(walks[_i].text));
    see(&scan);
    ck_assert_msg(json_scan_end(&scan), "%s: fault %d", walks[_i].text, (int)scan.fault);
    ck_assert_str_eq(buf_text(&seen), walks[_i].seen);
    ck_assert_int_eq(scan.depth, 0);
}
END_TEST

START_TEST(what_is_skipped_is_passed_over_whole)
{
    struct json_scan scan;
    buf_append_text(&seen, "[");
    buf_append_text(&seen, walks[_i].text);
    buf_append_text(&seen, ",7]");
    json_scan_init(&scan, buf_text(&seen), seen.length);
    struct json_scanned value;
    ck_assert(json_scan_value(&scan, &value) && value.kind == JSON_SCAN_ARRAY);
    ck_assert(json_scan_item(&scan) && json_scan_skip(&scan));
    ck_assert(json_scan_item(&scan) && json_scan_value(&scan, &value));
    ck_assert_int_eq(value.integer, 7);
    ck_assert(!json_scan_item(&scan));
    ck_assert(json_scan_end(&scan));
}
END_TEST

/* Of each row in an array: is it an object? Then its members follow, else what is behind it. */
START_TEST(only_an_object_is_entered)
{
    struct json_scan scan;
    struct json_scanned value, key;
    buf_append_text(&seen, "[");
    buf_append_text(&seen, walks[_i].text);
    buf_append_text(&seen, ",7]");
    json_scan_init(&scan, buf_text(&seen), seen.length);
    ck_assert(json_scan_value(&scan, &value) && json_scan_item(&scan));
    bool is_object = json_scan_enter(&scan);
    ck_assert(is_object == (walks[_i].text[0] == '{'));
    while (is_object && json_scan_member(&scan, &key))
        ck_assert(json_scan_whole(&scan, &value));
    ck_assert(json_scan_item(&scan) && json_scan_whole(&scan, &value));
    ck_assert_int_eq(value.integer, 7);
    ck_assert(!json_scan_item(&scan));
    ck_assert(json_scan_end(&scan));
}
END_TEST

/* `place` is the byte behind the one that is wrong; -1 where any will do. */
static const struct {
    const char *text;
    size_t length; /* 0: as long as the C string */
    enum json_scan_fault fault;
    long place;
} faults[] = {
    {"", 0, JSON_SCAN_EMPTY, 0},
    {" \n", 0, JSON_SCAN_EMPTY, 2},
    {"nul", 0, JSON_SCAN_BAD_TOKEN, 3},
    {"hello", 0, JSON_SCAN_BAD_TOKEN, 5},
    {"truex", 0, JSON_SCAN_TOO_LATE, -1},
    {"[1,]", 0, JSON_SCAN_BAD_TOKEN, 4},
    {"[,1]", 0, JSON_SCAN_BAD_TOKEN, 2},
    {"[1,,2]", 0, JSON_SCAN_BAD_TOKEN, 4},
    {"[1 2]", 0, JSON_SCAN_BAD_TOKEN, 4},
    {"[1}", 0, JSON_SCAN_BAD_TOKEN, 3},
    {"{\"a\":1]", 0, JSON_SCAN_BAD_TOKEN, 7},
    {"{\"a\":1,}", 0, JSON_SCAN_BAD_TOKEN, 8},
    {"{\"a\" 1}", 0, JSON_SCAN_BAD_TOKEN, 6},
    {"{\"a\"}", 0, JSON_SCAN_BAD_TOKEN, 5},
    {"{a:1}", 0, JSON_SCAN_BAD_TOKEN, 2},
    {"{1:1}", 0, JSON_SCAN_BAD_TOKEN, 2},
    {"]", 0, JSON_SCAN_BAD_TOKEN, 1},
    {"[", 0, JSON_SCAN_TOO_EARLY, 1},
    {"[1", 0, JSON_SCAN_TOO_EARLY, 2},
    {"[1,", 0, JSON_SCAN_TOO_EARLY, 3},
    {"{\"a\":", 0, JSON_SCAN_TOO_EARLY, 5},
    {"{\"a\"", 0, JSON_SCAN_TOO_EARLY, 4},
    {"{", 0, JSON_SCAN_TOO_EARLY, 1},
    {"{} {}", 0, JSON_SCAN_TOO_LATE, 4},
    {"1]", 0, JSON_SCAN_TOO_LATE, 2},
    {"{}\0", 3, JSON_SCAN_TOO_LATE, 3},
    {"[1\0]", 4, JSON_SCAN_BAD_TOKEN, 3},
    {"{} \xFF", 0, JSON_SCAN_BAD_UTF8, 4},
    {"-", 0, JSON_SCAN_TOO_EARLY, 1},
    {"-x", 0, JSON_SCAN_BAD_TOKEN, 2},
    {"+1", 0, JSON_SCAN_BAD_TOKEN, 1},
    {"01", 0, JSON_SCAN_TOO_LATE, 2},
    {"-01", 0, JSON_SCAN_TOO_LATE, 3},
    {"1.", 0, JSON_SCAN_TOO_EARLY, 2},
    {"[1.]", 0, JSON_SCAN_BAD_TOKEN, 4},
    {"[.5]", 0, JSON_SCAN_BAD_TOKEN, 2},
    {"[1e]", 0, JSON_SCAN_BAD_TOKEN, 4},
    {"[1e+]", 0, JSON_SCAN_BAD_TOKEN, 5},
    {"[1e999]", 0, JSON_SCAN_OVERFLOW, 6},
    {"\"half", 0, JSON_SCAN_TOO_EARLY, 5},
    {"\"\\", 0, JSON_SCAN_TOO_EARLY, 2},
    {"\"\\x\"", 0, JSON_SCAN_BAD_ESCAPE, 3},
    {"\"\\u00g0\"", 0, JSON_SCAN_BAD_ESCAPE, -1},
    {"\"\\u 041\"", 0, JSON_SCAN_BAD_ESCAPE, -1},
    {"\"\\\0\"", 4, JSON_SCAN_BAD_ESCAPE, -1},
    {"\"a\nb\"", 0, JSON_SCAN_CONTROL, 3},
    {"\"a\0b\"", 5, JSON_SCAN_CONTROL, 3},
    {"\"\\u0000\"", 0, JSON_SCAN_NUL, 8},
    {"{\"\\u0000\":1}", 0, JSON_SCAN_NUL, 9},
    {"\"\\ud83d\"", 0, JSON_SCAN_SURROGATE, 8},
    {"\"\\ud83dx\\ude00\"", 0, JSON_SCAN_SURROGATE, -1},
    {"\"\\ude00\"", 0, JSON_SCAN_SURROGATE, -1},
    {"\"\\ud83d\\ud83d\\ude00\"", 0, JSON_SCAN_SURROGATE, -1},
    {"\"\\u0000\\ud83d\"", 0, JSON_SCAN_SURROGATE, -1},
    {"\"\\ud83d", 0, JSON_SCAN_TOO_EARLY, 7},
    {"\"\xFF\"", 0, JSON_SCAN_BAD_UTF8, 2},
    {"\"\xC0\xAF\"", 0, JSON_SCAN_BAD_UTF8, 2},
    {"\"\xED\xA0\x80\"", 0, JSON_SCAN_BAD_UTF8, 2},
    {"\"\xE2\x82\"", 0, JSON_SCAN_BAD_UTF8, 2},
    {"[\xFF]", 0, JSON_SCAN_BAD_UTF8, 2},
    {"[\xE2\x82\xAC]", 0, JSON_SCAN_BAD_TOKEN, 4},
    {"\xEF\xBB\xBF{}", 0, JSON_SCAN_BAD_TOKEN, 3},
};

/* At a step beyond the text a sanitizer speaks up. */
static char *exact_copy(const char *text, size_t length)
{
    char *copy = xmalloc(length > 0 ? length : 1);
    memcpy(copy, text, length);
    return copy;
}

START_TEST(a_fault_is_found_where_it_is)
{
    size_t length = faults[_i].length > 0 ? faults[_i].length : strlen(faults[_i].text);
    char *text = exact_copy(faults[_i].text, length);
    for (int is_walked = 0; is_walked < 2; is_walked++) {
        struct json_scan scan;
        json_scan_init(&scan, text, length);
        if (is_walked)
            see(&scan);
        else
            json_scan_skip(&scan);
        ck_assert(!json_scan_end(&scan));
        ck_assert_msg(scan.fault == faults[_i].fault, "%s: fault %d", faults[_i].text, (int)scan.fault);
        if (faults[_i].place >= 0)
            ck_assert_int_eq(scan.at - scan.begin, faults[_i].place);
    }
    free(text);
}
END_TEST

START_TEST(a_fault_stays)
{
    struct json_scan scan;
    struct json_scanned value;
    json_scan_init(&scan, "[x,1]", 5);
    ck_assert(json_scan_value(&scan, &value) && json_scan_item(&scan));
    ck_assert(!json_scan_value(&scan, &value));
    const char *at = scan.at;
    ck_assert(!json_scan_item(&scan) && !json_scan_member(&scan, &value));
    ck_assert(!json_scan_value(&scan, &value) && !json_scan_skip(&scan) && !json_scan_end(&scan));
    ck_assert_ptr_eq(scan.at, at);
    ck_assert_int_eq(scan.fault, JSON_SCAN_BAD_TOKEN);
}
END_TEST

START_TEST(nesting_has_its_limit)
{
    for (size_t depth = JSON_SCAN_DEPTH - 1; depth <= JSON_SCAN_DEPTH + 1; depth++) {
        struct json_scan scan;
        buf_clear(&seen);
        for (size_t i = 0; i < depth; i++)
            buf_append_text(&seen, i % 2 == 0 ? "[" : "{\"k\":");
        buf_append_text(&seen, "1");
        for (size_t i = depth; i-- > 0;)
            buf_append_text(&seen, i % 2 == 0 ? "]" : "}");
        json_scan_init(&scan, buf_text(&seen), seen.length);
        json_scan_skip(&scan);
        ck_assert_int_eq(json_scan_end(&scan), depth <= JSON_SCAN_DEPTH);
        ck_assert_int_eq(scan.fault, depth <= JSON_SCAN_DEPTH ? JSON_SCAN_FINE : JSON_SCAN_TOO_DEEP);
    }
}
END_TEST

/* The tests of words of eight bytes look at all at once: each byte is to be seen at each place among others. */
START_TEST(every_byte_is_seen_at_every_place)
{
    static const char others[] = {'a', 0x20, 0x21, 0x23, 0x5B, 0x5D, 0x7F};
    int byte = _i;
    bool is_plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
    for (size_t other = 0; other < sizeof others; other++) {
        for (size_t place = 0; place < 80; place++) {
            char text[80];
            memset(text, others[other], sizeof text);
            text[place] = (char)byte;
            ck_assert_uint_eq(json_plain_length(text, sizeof text), is_plain ? sizeof text : place);
            ck_assert_uint_eq(json_plain_length(text, place), place);
        }
    }
}
END_TEST

START_TEST(letters_of_other_alphabets_are_plain_at_every_place)
{
    static const char letter[] = "\xF0\x9F\x98\x80";
    for (size_t place = 0; place < 40; place++) {
        char text[48];
        memset(text, 'a', sizeof text);
        memcpy(text + place, letter, 4);
        ck_assert_uint_eq(json_plain_length(text, sizeof text), sizeof text);
        ck_assert_uint_eq(json_plain_length(text, place + 3), place);
        memcpy(text + place + 4, letter, 4);
        ck_assert_uint_eq(json_plain_length(text, sizeof text), sizeof text);
        text[place + 6] = '\"';
        ck_assert_uint_eq(json_plain_length(text, sizeof text), place + 4);
    }
}
END_TEST

static const struct {
    const char *json, *text;
    bool is_same;
} names[] = {
    {"\"output\"", "output", true},
    {"\"output\"", "outpu", false},
    {"\"outpu\"", "output", false},
    {"\"\"", "", true},
    {"\"\\u006futput\"", "output", true},
    {"\"\\u006F\\u0075\\u0074\\u0070\\u0075\\u0074\"", "output", true},
    {"\"\\u006F\\u0075\\u0074\\u0070\\u0075\\u0074\\u0074\"", "output", false},
    {"\"\\u006Futpus\"", "output", false},
    {"\"\\n\"", "n", false},
    {"\"\\n\"", "\n", true},
};

START_TEST(a_name_is_known_however_it_is_escaped)
{
    struct json_scan scan;
    struct json_scanned value;
    json_scan_init(&scan, names[_i].json, strlen(names[_i].json));
    ck_assert(json_scan_value(&scan, &value));
    ck_assert_int_eq(json_scan_is(&value, names[_i].text), names[_i].is_same);
}
END_TEST

static Suite *json_scan_suite(void)
{
    Suite *suite = suite_create("json_scan");
    TCase *tcase = tcase_create("json_scan");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, a_walk_sees_every_value, 0, ROWS(walks));
    tcase_add_loop_test(tcase, what_is_skipped_is_passed_over_whole, 0, ROWS(walks));
    tcase_add_loop_test(tcase, only_an_object_is_entered, 0, ROWS(walks));
    tcase_add_loop_test(tcase, a_fault_is_found_where_it_is, 0, ROWS(faults));
    tcase_add_test(tcase, a_fault_stays);
    tcase_add_test(tcase, nesting_has_its_limit);
    tcase_add_loop_test(tcase, every_byte_is_seen_at_every_place, 0, 256);
    tcase_add_test(tcase, letters_of_other_alphabets_are_plain_at_every_place);
    tcase_add_loop_test(tcase, a_name_is_known_however_it_is_escaped, 0, ROWS(names));
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(json_scan_suite());
}
