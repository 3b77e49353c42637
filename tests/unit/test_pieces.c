/* Counting what was given of a text, and finding where to go on in a longer one. */
#include <string.h>

#include "base/json.h"
#include "check_main.h"
#include "replicate/pieces.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

#define LINK "https://example.com/a.png"

static struct pieces pieces;
static struct buf rest;
static size_t text_bytes;

static void setup(void)
{
    pieces_init(&pieces);
    buf_init(&rest, 4096);
}

static void teardown(void)
{
    buf_dispose(&rest);
}

static void give(const char *text)
{
    pieces_count(&pieces, text, strlen(text));
}

static enum pieces_match compare(const char *json)
{
    struct error err;
    json_t *output = json == NULL ? NULL : json_parse(json, strlen(json), &err);
    ck_assert(json == NULL || output != NULL);
    buf_clear(&rest);
    enum pieces_match match = pieces_compare(&pieces, output, &rest, &text_bytes);
    json_decref(output);
    return match;
}

static const struct {
    const char *given, *output;
    enum pieces_match match;
    const char *rest;
} rows[] = {
    {"", NULL, PIECES_MATCH, ""},
    {"", "[]", PIECES_MATCH, ""},
    {"", "\"Hi\"", PIECES_MATCH, "Hi"},
    {"", "[\"\",\"H\",\"i\",\"\"]", PIECES_MATCH, "Hi"},
    {"Hi", "\"Hi\"", PIECES_MATCH, ""},
    {"Hi", "[\"H\",\"i there\",\"!\"]", PIECES_MATCH, " there!"},
    {"Hi there", "[\"Hi\",\" there\",\"!\"]", PIECES_MATCH, "!"},
    {"Hi", "[\"Hi\",\"\",\" all\"]", PIECES_MATCH, " all"},
    {"\xC3", "\"\xC3\xA4\"", PIECES_MATCH, "\xA4"},
    {"Hi", NULL, PIECES_BEHIND, NULL},
    {"Hi", "\"H\"", PIECES_BEHIND, NULL},
    {"Hi", "[]", PIECES_BEHIND, NULL},
    {"Hi", "\"Ho there\"", PIECES_DIFFER, NULL},
    {"Hi", "[\"i\",\"H\"]", PIECES_DIFFER, NULL},
    {"", "{\"text\":\"Hi\"}", PIECES_NO_TEXT, NULL},
    {"", "7", PIECES_NO_TEXT, NULL},
    {"Hi", "[\"Hi\",7]", PIECES_NO_TEXT, NULL},
    /* Files are no text, as long as there is nothing else. */
    {"", "\"" LINK "\"", PIECES_NO_TEXT, NULL},
    {"", "[\"" LINK "\"]", PIECES_NO_TEXT, NULL},
    {"", "[\"\",\"" LINK "\",\"data:image/png;base64,AAAA\"]", PIECES_NO_TEXT, NULL},
    {"", "\"https://example.com/\"", PIECES_MATCH, "https://example.com/"},
    {"", "[\"See \",\"" LINK "\"]", PIECES_MATCH, "See " LINK},
    {"", "[\"" LINK "\",\" is it\"]", PIECES_MATCH, LINK " is it"},
    {"See ", "[\"See \",\"" LINK "\"]", PIECES_MATCH, LINK},
    {"https://example.com/a", "\"" LINK "\"", PIECES_MATCH, ".png"},
    {LINK, "[\"" LINK "\"]", PIECES_MATCH, ""},
    {"\r", "\"" LINK "\"", PIECES_MATCH, LINK},
    /* An event stream carries no carriage returns, so they are no difference, and are not given twice. */
    {"a\nb", "\"a\\r\\nb\\r\\nc\"", PIECES_MATCH, "\r\nc"},
    {"a\r", "[\"a\\r\",\"\\nb\"]", PIECES_MATCH, "\nb"},
    {"a\r", "[\"a\",\"\\r\",\"\\r\\nb\"]", PIECES_MATCH, "\r\nb"},
    {"a\r\n", "\"a\\r\\nb\"", PIECES_MATCH, "b"},
    {"\r", "\"\\rx\\r\"", PIECES_MATCH, "x\r"},
};

START_TEST(a_text_is_gone_on_with_where_it_was_left)
{
    give(rows[_i].given);
    ck_assert_int_eq(compare(rows[_i].output), rows[_i].match);
    if (rows[_i].rest != NULL)
        ck_assert_str_eq(buf_text(&rest), rows[_i].rest);
}
END_TEST

START_TEST(the_cuts_between_pieces_do_not_matter)
{
    give("One");
    give("");
    give(" two");
    give(" three");
    ck_assert_uint_eq(pieces.given_bytes, strlen("One two three"));
    ck_assert_int_eq(compare("[\"O\",\"ne tw\",\"o thr\",\"ee four\"]"), PIECES_MATCH);
    ck_assert_str_eq(buf_text(&rest), " four");
    ck_assert_uint_eq(text_bytes, strlen("One two three four"));
}
END_TEST

START_TEST(the_length_of_a_text_leaves_out_carriage_returns)
{
    ck_assert_int_eq(compare("[\"a\\r\\n\",\"b\\r\"]"), PIECES_MATCH);
    ck_assert_uint_eq(text_bytes, 3);
}
END_TEST

static Suite *pieces_suite(void)
{
    Suite *suite = suite_create("pieces");
    TCase *tcase = tcase_create("pieces");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, a_text_is_gone_on_with_where_it_was_left, 0, ROWS(rows));
    tcase_add_test(tcase, the_cuts_between_pieces_do_not_matter);
    tcase_add_test(tcase, the_length_of_a_text_leaves_out_carriage_returns);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(pieces_suite());
}
