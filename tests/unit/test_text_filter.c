/* The filter of a model's text: a table of texts, each cut at every place, and what must never happen on the way. */
#include "check_main.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "openai/text_filter.h"

enum { MAXIMUM = 8192 };

static struct buf reasoning, content;
static struct text_filter filter;
static json_t *stops;

/* `list` is separated by commas; "" is no stop string. */
static void begin(enum reasoning_mode mode, const char *list)
{
    stops = *list ? json_array() : NULL;
    while (*list) {
        size_t length = strcspn(list, ",");
        json_array_append_new(stops, json_stringn(list, length));
        list += length + (list[length] == ',');
    }
    text_filter_init(&filter, mode, stops);
    buf_clear(&reasoning);
    buf_clear(&content);
}

static void finish(void)
{
    text_filter_dispose(&filter);
    json_decref(stops);
    stops = NULL;
}

static void set_up(void)
{
    buf_init(&reasoning, MAXIMUM);
    buf_init(&content, MAXIMUM);
}

static void tear_down(void)
{
    buf_dispose(&reasoning);
    buf_dispose(&content);
}

static void feed(const char *text, size_t length)
{
    ck_assert(text_filter_feed(&filter, text, length, &reasoning, &content));
}

static void feed_end(void)
{
    ck_assert(text_filter_end(&filter, &reasoning, &content));
}

struct row {
    enum reasoning_mode mode;
    const char *stops; /* separated by commas */
    const char *text, *reasoning, *content;
    bool is_stopped;
};

#define AUTO REASONING_AUTO
#define OPENED REASONING_OPENED
#define OFF REASONING_OFF

#define REPLACED "\xEF\xBF\xBD"

static const struct row tag_rows[] = {
    {AUTO, "", "", "", "", false},
    {AUTO, "", "Hello", "", "Hello", false},
    {AUTO, "", "<think>a</think>b", "a", "b", false},
    {AUTO, "", " \n\t\r\n<think>a</think>b", "a", "b", false},
    {AUTO, "", "<think>\na\n</think>\n\nb\n\nc\n", "\na\n", "b\n\nc\n", false},
    {AUTO, "", "<think></think>\n \t\n\r\n  b", "", "  b", false},
    {AUTO, "", "<think>a</think> \r  b", "a", "  b", false},
    {AUTO, "", "<think>a</think> b", "a", " b", false},
    {AUTO, "", "<think>a</think>\n \n", "a", "", false},
    {AUTO, "", "<think>a</think> ", "a", "", false},
    {AUTO, "", "<think>a</think>", "a", "", false},
    {AUTO, "", "<think>a", "a", "", false},
    {AUTO, "", "<think>a</thin", "a</thin", "", false},
    {AUTO, "", "<think>a<</</think></think>b", "a<</", "</think>b", false},
    {AUTO, "", "<think>a</thin</think>b", "a</thin", "b", false},
    {AUTO, "", "<think>a<think>b</think>c<think>d</think>", "a<think>b", "c<think>d</think>", false},
    {AUTO, "", "<think>", "", "", false},
    {AUTO, "", " <thin", "", " <thin", false},
    {AUTO, "", "<thinking>a", "", "<thinking>a", false},
    {AUTO, "", "<<think>a", "", "<<think>a", false},
    {AUTO, "", "<Think>a", "", "<Think>a", false},
    {AUTO, "", " \n x", "", " \n x", false},
    {AUTO, "", " \n ", "", " \n ", false},
    {AUTO, "", "x <think>a", "", "x <think>a", false},
    {OPENED, "", "a</think>b", "a", "b", false},
    {OPENED, "", "\n <think>a</think>\n\nb", "a", "b", false},
    {OPENED, "", " a</think>b", " a", "b", false},
    {OPENED, "", "</think>b", "", "b", false},
    {OPENED, "", " </think>b", " ", "b", false},
    {OPENED, "", "a", "a", "", false},
    {OPENED, "", " <thi", " <thi", "", false},
    {OPENED, "", " ", " ", "", false},
    {OFF, "", " <think>a</think>\n\nb", "", " <think>a</think>\n\nb", false},
    {OFF, "", "<thi", "", "<thi", false},
};

static const struct row stop_rows[] = {
    {AUTO, "END", "abcENDdef", "", "abc", true},
    {AUTO, "END", "ENDdef", "", "", true},
    {AUTO, "END", "abcEN", "", "abcEN", false},
    {AUTO, "END", "abEENENDc", "", "abEEN", true},
    {AUTO, "END", "<think>aENDb</think>\n\ncENDd", "aENDb", "c", true},
    {AUTO, "END", "<think>aEN</think>D END", "aEN", "D ", true},
    {AUTO, "\n", "<think>a</think>\n\nb\nc", "a", "b", true},
    {AUTO, " ", " ", "", "", true},
    {AUTO, " ,<", " <thi", "", "", true},
    {AUTO, "<t", " <thing", "", " ", true},
    {AUTO, "</think>", "<think>a</think>b</think>c", "a", "b", true},
    {AUTO, "aab", "aaaab", "", "aa", true},
    {AUTO, "abababc", "ababababcd", "", "ab", true},
    {AUTO, "aabaaac", "aabaaabaaac", "", "aaba", true},
    {AUTO, "abcabd", "abcabcabcabd", "", "abcabc", true},
    /* Prefixes of each other: the beginning is the same. */
    {AUTO, "ab,abc", "xxabcd", "", "xx", true},
    {AUTO, "abc,ab", "xxab", "", "xx", true},
    /* The one that begins first wins, also where another one inside of it is complete sooner. */
    {AUTO, "abcdef,cd", "xabcdefy", "", "x", true},
    {AUTO, "cd,abcdef", "xabcdexy", "", "xab", true},
    {AUTO, "cd,abcdef", "xabcde", "", "xab", true},
    {AUTO, "abcdef,bcde,d", "xabcdex", "", "xa", true},
    {AUTO, "abcdef,bcdeg,d", "xabcdeg", "", "xa", true},
    {AUTO, "abcdef,bcdeg,d", "xabcdeh", "", "xabc", true},
    {AUTO, "abcdef,c,e", "xabcdex", "", "xab", true},
    {AUTO, "a,b", "xxba", "", "xx", true},
    {AUTO, "\xC3\xA9t", "\xC3\xA9 \xC3\xA9t\xC3\xA9", "", "\xC3\xA9 ", true},
    {AUTO, "a" REPLACED, "aa\xFFz", "", "a", true},
    {AUTO, "b", "acd", "", "acd", false},
};

static const struct row character_rows[] = {
    {AUTO, "", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", false},
    {AUTO, "", "\xE0\xA0\x80\xED\x9F\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", "",
     "\xE0\xA0\x80\xED\x9F\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", false},
    {AUTO, "", "<think>\xE2\x82\xAC</think>\xC3\xA9", "\xE2\x82\xAC", "\xC3\xA9", false},
    {AUTO, "", "a\xFFz", "", "a" REPLACED "z", false},
    {AUTO, "", "a\xE2\x82", "", "a" REPLACED REPLACED, false},
    {AUTO, "", "\xE2\x82z", "", REPLACED REPLACED "z", false},
    {AUTO, "", "\xE2\xC3\xA9", "", REPLACED "\xC3\xA9", false},
    {AUTO, "", "\xF0\x9F\xF0\x9F\x98\x80", "", REPLACED REPLACED "\xF0\x9F\x98\x80", false},
    {AUTO, "", "\xED\xA0\x80", "", REPLACED REPLACED REPLACED, false},
    {AUTO, "", "\xC0\xAF\x80", "", REPLACED REPLACED REPLACED, false},
    {AUTO, "", "\xF4\x90\x80\x80\xE0\x80", "", REPLACED REPLACED REPLACED REPLACED REPLACED REPLACED, false},
    {AUTO, "", "<think>a\xC3</think>b", "a" REPLACED, "b", false},
    {AUTO, "", "<think>a</think>\n\xC3", "a", REPLACED, false},
    {AUTO, "", "<thi\xC3nk>", "", "<thi" REPLACED "nk>", false},
    {OPENED, "", "\xE2\x82", REPLACED REPLACED, "", false},
};

/* What is not given away must still be able to become something else than text. */
static void check_held_back(const struct row *row, size_t fed)
{
    size_t held = filter.held.length;
    const char *bytes = buf_text(&filter.held);
    bool is_needed = held == 0;
    if (filter.place == TEXT_AT_START || filter.place == TEXT_AFTER_REASONING)
        is_needed = held <= TEXT_FILTER_SPACE_BYTES + strlen("<think>") - 1;
    if (filter.place == TEXT_REASONING)
        is_needed = held < strlen("</think>") && memcmp(bytes, "</think>", held) == 0;
    for (size_t i = 0; filter.place == TEXT_CONTENT && i < json_array_size(stops); i++) {
        const json_t *stop = json_array_get(stops, i);
        is_needed |= held < json_string_length(stop) && memcmp(bytes, json_string_value(stop), held) == 0;
    }
    ck_assert_msg(is_needed, "\"%s\": after %zu bytes \"%s\" is held back", row->text, fed, bytes);
    ck_assert_uint_lt(filter.partial_length, 4);
}

static void check_result(const struct row *row, const char *how, size_t first, size_t second)
{
    ck_assert_msg(strcmp(buf_text(&reasoning), row->reasoning) == 0 && strcmp(buf_text(&content), row->content) == 0,
                  "\"%s\" %s %zu %zu: reasoning \"%s\", content \"%s\"", row->text, how, first, second,
                  buf_text(&reasoning), buf_text(&content));
    ck_assert_int_eq(text_filter_is_stopped(&filter), row->is_stopped);
}

static void check_cuts(const struct row *row, size_t first, size_t second)
{
    size_t length = strlen(row->text);
    begin(row->mode, row->stops);
    feed(row->text, first);
    check_held_back(row, first);
    feed(row->text + first, second - first);
    check_held_back(row, second);
    feed(row->text + second, length - second);
    check_held_back(row, length);
    feed_end();
    check_result(row, "cut at", first, second);
    finish();
}

static void check_every_cut(const struct row *row)
{
    size_t length = strlen(row->text);
    for (size_t first = 0; first <= length; first++) {
        for (size_t second = first; second <= length; second++)
            check_cuts(row, first, second);
    }
}

/* Byte by byte, with empty pieces between. What has been given away must be a beginning of the result at any time. */
static void check_byte_by_byte(const struct row *row)
{
    begin(row->mode, row->stops);
    for (size_t i = 0; row->text[i]; i++) {
        feed("", 0);
        feed(row->text + i, 1);
        check_held_back(row, i + 1);
        ck_assert(strncmp(buf_text(&reasoning), row->reasoning, reasoning.length) == 0);
        ck_assert(strncmp(buf_text(&content), row->content, content.length) == 0);
    }
    feed_end();
    check_result(row, "byte by byte", 0, 0);
    finish();
}

static void check_row(const struct row *row)
{
    check_every_cut(row);
    check_byte_by_byte(row);
}

START_TEST(tags_tell_reasoning_from_content_wherever_the_text_is_cut)
{
    check_row(&tag_rows[_i]);
}
END_TEST

START_TEST(the_content_ends_at_the_first_stop_string_wherever_the_text_is_cut)
{
    check_row(&stop_rows[_i]);
}
END_TEST

START_TEST(broken_characters_are_replaced_wherever_the_text_is_cut)
{
    check_row(&character_rows[_i]);
}
END_TEST

START_TEST(a_whole_text_gives_what_its_pieces_give)
{
    static const struct {
        const struct row *rows;
        size_t count;
    } tables[] = {
        {tag_rows, sizeof tag_rows / sizeof *tag_rows},
        {stop_rows, sizeof stop_rows / sizeof *stop_rows},
        {character_rows, sizeof character_rows / sizeof *character_rows},
    };
    for (size_t i = 0; i < tables[_i].count; i++) {
        const struct row *row = &tables[_i].rows[i];
        begin(row->mode, row->stops);
        ck_assert(text_filter_whole(&filter, row->text, strlen(row->text), &reasoning, &content));
        check_result(row, "as a whole", 0, 0);
        finish();
    }
}
END_TEST

static const struct row unopened_rows[] = {
    {AUTO, "", "a</think>\n\nb", "a", "b", false},
    {AUTO, "", "a <think> b</think>c</think>d", "", "a <think> b</think>c</think>d", false},
    {AUTO, "", "</think>b", "", "b", false},
    {AUTO, "", "4, not <think>5</think>", "", "4, not <think>5</think>", false},
    {AUTO, "END", "aENDb</think>\ncENDd", "aENDb", "c", true},
    {AUTO, "", "a</think>", "a", "", false},
    {AUTO, "", "a</think>\r\nb", "a", "b", false},
    {AUTO, "", "a\n</think>b", "a\n", "b", false},
    {AUTO, "", "a\r</think> b", "a\r", " b", false},
    {AUTO, "", "a</think>b", "", "a</think>b", false},
    {AUTO, "", "a `</think>` ends b", "", "a `</think>` ends b", false},
    {AUTO, "", "a</think> b\n</think>\n", "", "a</think> b\n</think>\n", false},
    {AUTO, "", "a</think", "", "a</think", false},
    {OFF, "", "a</think>b", "", "a</think>b", false},
};

START_TEST(a_whole_text_may_close_what_it_never_opened)
{
    const struct row *row = &unopened_rows[_i];
    begin(row->mode, row->stops);
    ck_assert(text_filter_whole(&filter, row->text, strlen(row->text), &reasoning, &content));
    check_result(row, "as a whole", 0, 0);
    finish();
}
END_TEST

START_TEST(in_pieces_a_tag_that_was_never_opened_is_content)
{
    struct row row = {AUTO, "", "a</think>b", "", "a</think>b", false};
    check_row(&row);
}
END_TEST

START_TEST(white_space_is_waited_behind_only_so_long)
{
    static const char *const after[] = {"<think>a</think>b", "x"};
    char text[TEXT_FILTER_SPACE_BYTES + 32];
    for (size_t spaces = TEXT_FILTER_SPACE_BYTES - 1; spaces <= TEXT_FILTER_SPACE_BYTES + 1; spaces++) {
        memset(text, ' ', spaces);
        snprintf(text + spaces, sizeof text - spaces, "%s", after[_i]);
        bool is_tag = _i == 0 && spaces <= TEXT_FILTER_SPACE_BYTES;
        struct row row = {AUTO, "", text, is_tag ? "a" : "", is_tag ? "b" : text, false};
        check_byte_by_byte(&row);
    }
}
END_TEST

START_TEST(the_indent_after_reasoning_is_waited_behind_only_so_long)
{
    char text[TEXT_FILTER_SPACE_BYTES + 32];
    for (size_t spaces = TEXT_FILTER_SPACE_BYTES - 1; spaces <= TEXT_FILTER_SPACE_BYTES + 1; spaces++) {
        int start = snprintf(text, sizeof text, "<think></think>\n");
        snprintf(text + start, sizeof text - (size_t)start, "%*s\nb", (int)spaces, "");
        bool is_blank_line = spaces <= TEXT_FILTER_SPACE_BYTES;
        struct row row = {AUTO, "", text, "", is_blank_line ? "b" : text + start, false};
        check_byte_by_byte(&row);
    }
}
END_TEST

START_TEST(plain_text_is_given_away_at_once)
{
    begin(REASONING_AUTO, "END");
    feed("Hello", 5);
    ck_assert_str_eq(buf_text(&content), "Hello");
    feed(" wE", 3);
    ck_assert_str_eq(buf_text(&content), "Hello w");
    feed("x", 1);
    ck_assert_str_eq(buf_text(&content), "Hello wEx");
    finish();
}
END_TEST

START_TEST(reasoning_is_given_away_at_once)
{
    begin(REASONING_AUTO, "");
    feed("<think>Hm", 9);
    ck_assert_str_eq(buf_text(&reasoning), "Hm");
    feed(" <", 2);
    ck_assert_str_eq(buf_text(&reasoning), "Hm ");
    feed("b", 1);
    ck_assert_str_eq(buf_text(&reasoning), "Hm <b");
    finish();
}
END_TEST

START_TEST(a_stop_string_stops_with_its_last_byte)
{
    begin(REASONING_AUTO, "END");
    feed("aEN", 3);
    ck_assert(!text_filter_is_stopped(&filter));
    feed("D", 1);
    ck_assert(text_filter_is_stopped(&filter));
    ck_assert_str_eq(buf_text(&content), "a");
    feed("more\xC3", 5);
    feed_end();
    ck_assert_str_eq(buf_text(&content), "a");
    finish();
}
END_TEST

START_TEST(where_two_stop_strings_begin_the_shorter_one_is_enough)
{
    begin(REASONING_AUTO, "abcd,ab");
    feed("xab", 3);
    ck_assert(text_filter_is_stopped(&filter));
    ck_assert_str_eq(buf_text(&content), "x");
    finish();
}
END_TEST

START_TEST(a_stop_string_inside_another_waits_for_the_outer_one)
{
    begin(REASONING_OFF, "abcdef,cd");
    feed("xabcd", 5);
    ck_assert(!text_filter_is_stopped(&filter));
    ck_assert_str_eq(buf_text(&content), "x");
    feed("!", 1);
    ck_assert(text_filter_is_stopped(&filter));
    ck_assert_str_eq(buf_text(&content), "xab");
    finish();
}
END_TEST

START_TEST(text_may_hold_nul)
{
    begin(REASONING_AUTO, "");
    feed("a\0b", 3);
    feed_end();
    ck_assert_uint_eq(content.length, 3);
    ck_assert_mem_eq(buf_text(&content), "a\0b", 3);
    finish();
}
END_TEST

START_TEST(too_much_content_or_reasoning_is_an_error)
{
    struct buf small;
    buf_init(&small, 4);
    begin(REASONING_AUTO, "");
    ck_assert(text_filter_feed(&filter, "abcd", 4, &reasoning, &small));
    ck_assert(!text_filter_feed(&filter, "e", 1, &reasoning, &small));
    finish();
    buf_clear(&small);
    begin(REASONING_OPENED, "");
    ck_assert(text_filter_feed(&filter, "abcd<", 5, &small, &content));
    ck_assert(!text_filter_end(&filter, &small, &content));
    finish();
    buf_dispose(&small);
}
END_TEST

/* Strings that repeat themselves make a simple search start over from nearly everywhere: this would take it minutes. */
START_TEST(a_long_stop_string_that_repeats_itself_costs_linear_time)
{
    enum { LENGTH = 1024 * 1024, PIECE = 16 * 1024 };
    static char stop[LENGTH + 2];
    memset(stop, 'a', LENGTH);
    stop[LENGTH] = 'b';
    tear_down();
    buf_init(&content, (size_t)2 * LENGTH + 1);
    begin(REASONING_OFF, stop);
    for (size_t i = 0; i < 2 * LENGTH / PIECE; i++)
        feed(stop, PIECE);
    ck_assert_uint_eq(filter.held.length, LENGTH);
    feed("c", 1);
    ck_assert_uint_eq(filter.held.length, 0);
    ck_assert_uint_eq(content.length, 2 * LENGTH + 1);
    finish();
}
END_TEST

static Suite *text_filter_suite(void)
{
    Suite *suite = suite_create("text_filter");
    TCase *tables = tcase_create("tables");
    tcase_add_checked_fixture(tables, set_up, tear_down);
    tcase_add_loop_test(tables, tags_tell_reasoning_from_content_wherever_the_text_is_cut, 0,
                        sizeof tag_rows / sizeof *tag_rows);
    tcase_add_loop_test(tables, the_content_ends_at_the_first_stop_string_wherever_the_text_is_cut, 0,
                        sizeof stop_rows / sizeof *stop_rows);
    tcase_add_loop_test(tables, broken_characters_are_replaced_wherever_the_text_is_cut, 0,
                        sizeof character_rows / sizeof *character_rows);
    tcase_add_loop_test(tables, a_whole_text_gives_what_its_pieces_give, 0, 3);
    tcase_add_loop_test(tables, a_whole_text_may_close_what_it_never_opened, 0,
                        sizeof unopened_rows / sizeof *unopened_rows);
    tcase_add_test(tables, in_pieces_a_tag_that_was_never_opened_is_content);
    suite_add_tcase(suite, tables);
    TCase *behaviour = tcase_create("behaviour");
    tcase_add_checked_fixture(behaviour, set_up, tear_down);
    tcase_add_loop_test(behaviour, white_space_is_waited_behind_only_so_long, 0, 2);
    tcase_add_test(behaviour, the_indent_after_reasoning_is_waited_behind_only_so_long);
    tcase_add_test(behaviour, plain_text_is_given_away_at_once);
    tcase_add_test(behaviour, reasoning_is_given_away_at_once);
    tcase_add_test(behaviour, a_stop_string_stops_with_its_last_byte);
    tcase_add_test(behaviour, where_two_stop_strings_begin_the_shorter_one_is_enough);
    tcase_add_test(behaviour, a_stop_string_inside_another_waits_for_the_outer_one);
    tcase_add_test(behaviour, text_may_hold_nul);
    tcase_add_test(behaviour, too_much_content_or_reasoning_is_an_error);
    tcase_add_test(behaviour, a_long_stop_string_that_repeats_itself_costs_linear_time);
    suite_add_tcase(suite, behaviour);
    return suite;
}

int main(void)
{
    return suite_run(text_filter_suite());
}
