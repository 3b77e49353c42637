/* The output of a prediction as text: real shapes of real models, and made-up ones. */
#include <string.h>

#include "base/json.h"
#include "base/output.h"
#include "check_main.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define PNG "https://replicate.delivery/xezq/abc/out-0.png"
#define WAV "https://replicate.delivery/pbxt/abc/out.wav"

enum { TEXT_BYTES = 1 << 16 };

static const struct {
    const char *output, *text;
} rows[] = {
    /* Text. */
    {"null", ""},
    {"\"Hi\"", "Hi"},
    {"\"\"", ""},
    {"[\"\",\"H\",\"i\",\"\"]", "Hi"},
    {"[]", ""},
    {"\"https://example.com/\"", "https://example.com/"},
    {"[\"https://example.com/\",\"b\"]", "https://example.com/b"},
    /* What is no text. */
    {"7", "7"},
    {"0.1", "0.1"},
    {"true", "true"},
    {"false", "false"},
    {"{}", "{}"},
    {"[1,2.5]", "[1,2.5]"},
    {"[\"a\",1]", "[\"a\",1]"},
    {"[[\"a\"],[\"b\"]]", "[[\"a\"],[\"b\"]]"},
    {"{\"a\":\"b\",\"c\":\"d\"}", "{\"a\":\"b\",\"c\":\"d\"}"},
    /* Members that hold text. */
    {"{\"text\":\"Hi\",\"segments\":[{\"text\":\"no\"}]}", "Hi"},
    {"{\"transcription\":\"Hi\",\"detected_language\":\"english\",\"segments\":[]}", "Hi"},
    {"{\"score\":1,\"generated_text\":\"Hi\"}", "Hi"},
    {"{\"response\":[\"H\",\"i\"]}", "Hi"},
    {"{\"answer\":\"Hi\",\"other\":\"Ho\"}", "Hi"},
    {"{\"caption\":\"Hi\"}", "Hi"},
    {"{\"message\":{\"role\":\"assistant\",\"content\":\"Hi\"}}", "Hi"},
    {"{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"Hi\"}}],\"id\":\"x\"}", "Hi"},
    {"{\"result\":{\"output\":{\"text\":[\"H\",\"i\"]}}}", "Hi"},
    {"{\"result\":{\"foo\":\"x\"},\"caption\":\"Hi\"}", "Hi"},
    {"{\"text\":7,\"output\":\"Hi\"}", "Hi"},
    {"{\"text\":null,\"output\":null,\"a\":1}", "{\"text\":null,\"output\":null,\"a\":1}"},
    {"{\"text\":\"\",\"response_id\":\"resp_1\"}", ""},
    {"{\"text\":\"\",\"output\":\"Hi\"}", "Hi"},
    {"{\"segments\":[{\"text\":\"One\"},{\"text\":\"Two\"}],\"detected_language\":\"en\"}", "One\nTwo"},
    {"{\"segments\":[{\"text\":\"One\"},{\"start\":1}]}", "{\"segments\":[{\"text\":\"One\"},{\"start\":1}]}"},
    /* Asked for JSON. */
    {"{\"text\":\"\",\"json_output\":{\"text\":\"x\"},\"response_id\":\"resp_1\"}", "{\"text\":\"x\"}"},
    {"{\"json_output\":[\"a\",\"b\"]}", "[\"a\",\"b\"]"},
    {"{\"json_output\":\"{\\\"a\\\":1}\"}", "{\"a\":1}"},
    {"{\"json_output\":null,\"text\":\"Hi\"}", "Hi"},
    {"{\"json_output\":{\"a\":1},\"text\":\"Hi\"}", "Hi"},
    /* The only string. */
    {"{\"haiku\":\"Hi\",\"score\":0.5,\"is_safe\":true,\"error\":null}", "Hi"},
    {"{\"audio\":\"" WAV "\"}", "{\"audio\":\"" WAV "\"}"},
    {"{\"language\":\"en\",\"words\":[1]}", "{\"language\":\"en\",\"words\":[1]}"},
    /* Lists of objects. */
    {"[{\"text\":\"Caption: a dog\"}]", "Caption: a dog"},
    {"[{\"text\":\"One\"},{\"caption\":\"Two\"}]", "One\nTwo"},
    {"[{\"text\":\"One\"},{\"label\":\"Two\"}]", "[{\"text\":\"One\"},{\"label\":\"Two\"}]"},
    {"[{\"label\":\"cat\",\"score\":0.5}]", "[{\"label\":\"cat\",\"score\":0.5}]"},
    {"[{\"text\":\"One\"},\"Two\"]", "[{\"text\":\"One\"},\"Two\"]"},
    /* Files. */
    {"\"" PNG "\"", "![image](" PNG ")"},
    {"\"" WAV "\"", "[file](" WAV ")"},
    {"[\"" PNG "\",\"\",\"" WAV "\"]", "![image](" PNG ")\n[file](" WAV ")"},
    {"{\"output\":\"" PNG "\"}", "![image](" PNG ")"},
    {"\"data:image/png;base64,AAAA\"", "![image](data:image/png;base64,AAAA)"},
    {"\"data:audio/wav;base64,AAAA\"", "[file](data:audio/wav;base64,AAAA)"},
    {"[\"See \",\"" PNG "\"]", "See " PNG},
    {"\"See " PNG "\"", "See " PNG},
    {"\"https://example.com/a(1).png?b=)\"", "![image](https://example.com/a%281%29.png?b=%29)"},
    {"[\"" PNG "\",7]", "[\"" PNG "\",7]"},
};

static json_t *parse(const char *text)
{
    struct error err;
    json_t *value = json_parse(text, strlen(text), &err);
    ck_assert_msg(value != NULL, "%s", text);
    return value;
}

START_TEST(the_value_decides_what_the_text_is)
{
    json_t *output = parse(rows[_i].output);
    struct buf text;
    buf_init(&text, TEXT_BYTES);
    output_append_text(output, &text);
    ck_assert_str_eq(buf_text(&text), rows[_i].text);
    /* Behind other text it is the same. */
    buf_clear(&text);
    buf_append_text(&text, "> ");
    output_append_text(output, &text);
    ck_assert_str_eq(buf_text(&text) + 2, rows[_i].text);
    buf_dispose(&text);
    json_decref(output);
}
END_TEST

/* Of each row's value, also of those that are not to be put together; and as far as the next member. */
START_TEST(an_output_that_is_read_from_an_answer_has_the_same_text)
{
    struct buf json, text;
    struct json_scan scan;
    struct json_scanned key;
    buf_init(&json, 2 * TEXT_BYTES);
    buf_init(&text, TEXT_BYTES);
    buf_printf(&json, "{\"output\":%s,\"next\":1}", rows[_i].output);
    json_scan_init(&scan, buf_text(&json), json.length);
    ck_assert(json_scan_value(&scan, &key) && json_scan_member(&scan, &key));
    json_t *tree = parse(rows[_i].output), *output = output_read(&scan);
    output_append_text(output, &text);
    ck_assert_str_eq(buf_text(&text), rows[_i].text);
    ck_assert(output_is_plain_text(output) == output_is_plain_text(tree));
    ck_assert(json_equal(output, tree) || json_is_string(output));
    ck_assert(json_scan_member(&scan, &key) && json_scan_is(&key, "next"));
    json_decref(output);
    json_decref(tree);
    buf_dispose(&text);
    buf_dispose(&json);
}
END_TEST

/* The second one would be shown as a link to a file if it were one string. */
START_TEST(strings_of_text_that_would_be_a_link_together_are_left_alone)
{
    static const char json[] = "[\"https://example.com/\",\"a.png\"]", broken[] = "[\"a\",\"b]";
    struct json_scan scan;
    json_scan_init(&scan, json, sizeof json - 1);
    json_t *output = output_read(&scan);
    ck_assert_uint_eq(json_array_size(output), 2);
    ck_assert(json_scan_end(&scan));
    json_decref(output);
    json_scan_init(&scan, broken, sizeof broken - 1);
    json_decref(output_read(&scan));
    ck_assert(!json_scan_end(&scan));
}
END_TEST

START_TEST(strings_of_text_are_read_as_one)
{
    static const char json[] = " [\"a\", \"\", \"\\u00e9\\n\"]";
    struct json_scan scan;
    json_scan_init(&scan, json, sizeof json - 1);
    json_t *output = output_read(&scan);
    ck_assert_str_eq(json_string_value(output), "a\xC3\xA9\n");
    ck_assert(json_scan_end(&scan));
    json_decref(output);
}
END_TEST

START_TEST(without_an_output_there_is_no_text)
{
    struct buf text;
    buf_init(&text, TEXT_BYTES);
    output_append_text(NULL, &text);
    ck_assert_uint_eq(text.length, 0);
    buf_dispose(&text);
}
END_TEST

/* In a text so deep nobody would look for it. */
START_TEST(very_deep_objects_are_given_as_they_are)
{
    struct buf json, text;
    buf_init(&json, TEXT_BYTES);
    buf_init(&text, TEXT_BYTES);
    for (int i = 0; i < 400; i++)
        buf_append_text(&json, "{\"output\":");
    buf_append_text(&json, "\"Hi\"");
    for (int i = 0; i < 400; i++)
        buf_append_text(&json, "}");
    json_t *output = parse(buf_text(&json));
    output_append_text(output, &text);
    ck_assert_str_eq(buf_text(&text), buf_text(&json));
    json_decref(output);
    buf_dispose(&json);
    buf_dispose(&text);
}
END_TEST

START_TEST(a_text_that_is_too_long_is_told_by_the_buf)
{
    struct buf text;
    for (int i = 0; i < ROWS(rows); i++) {
        json_t *output = parse(rows[i].output);
        buf_init(&text, 1);
        output_append_text(output, &text);
        ck_assert(text.overflowed == (strlen(rows[i].text) > 1));
        buf_dispose(&text);
        json_decref(output);
    }
}
END_TEST

static const struct {
    const char *output;
    bool is_plain;
} plain_rows[] = {
    {"\"Hi\"", true},
    {"\"\"", true},
    {"[]", true},
    {"[\"\"]", true},
    {"[\"a\",\"b\"]", true},
    {"[\"a\",\"" PNG "\"]", true},
    {"[\"" PNG "\",\" is it\"]", true},
    {"\"https://example.com/\"", true},
    {"\"" PNG "\"", false},
    {"[\"" PNG "\"]", false},
    {"[\"\",\"" PNG "\",\"" WAV "\"]", false},
    {"[\"a\",1]", false},
    {"{\"text\":\"a\"}", false},
    {"[{\"text\":\"a\"}]", false},
    {"7", false},
    {"null", false},
};

START_TEST(only_strings_that_are_no_files_may_be_given_piece_by_piece)
{
    json_t *output = parse(plain_rows[_i].output);
    ck_assert_msg(output_is_plain_text(output) == plain_rows[_i].is_plain, "%s", plain_rows[_i].output);
    ck_assert(!output_is_plain_text(NULL));
    json_decref(output);
}
END_TEST

static const struct {
    const char *text;
    bool is_link;
} links[] = {
    {PNG, true},
    {"https://replicate.delivery/abc/output", true},
    {"https://pbxt.replicate.delivery/abc", true},
    {"https://PBXT.Replicate.Delivery:443/abc", true},
    {"https://storage.googleapis.com/replicate-files/abc/xyz", true},
    {"https://example.com/a/b.MP4?token=1#t", true},
    {"http://example.com/a.tar.gz", true},
    {"https://example.com/a.pdf", true},
    {"data:image/png;base64,AAAA", true},
    {"data:;base64,AAAA", true},
    {"data:image/svg+xml,%3Csvg%3E", true},
    {"https://replicate.delivery", false},
    {"https://replicate.delivery/", false},
    {"https://notreplicate.delivery/abc", false},
    {"https://replicate.delivery.example.com/abc", false},
    {"https://example.com/?replicate.delivery/abc", false},
    {"https://.replicate.delivery/", false},
    {"https://storage.googleapis.com/other/abc", false},
    {"https://storage.googleapis.com/replicate-files/", false},
    {"https://example.com/", false},
    {"https://example.com/page.html", false},
    {"https://example.zip", false},
    {"https://example.com/?a=b.png", false},
    {"https://example.com/a#b.png", false},
    {"https://example.com/.png", true},
    {"https://example.com/png", false},
    {"https://example.com/a.png/b", false},
    {"https:///a.png", false},
    {"https://example.com/a b.png", false},
    {"https://example.com/a.png\n", false},
    {" https://example.com/a.png", false},
    {"ftp://example.com/a.png", false},
    {"see https://example.com/a.png", false},
    {"data: the new oil, they say", false},
    {"data:1,2,3", false},
    {"data:image/png;base64", false},
    {"data:", false},
    {"a.png", false},
    {"", false},
};

START_TEST(a_link_to_a_file_is_told_from_text)
{
    ck_assert_msg(output_is_file_link(links[_i].text, strlen(links[_i].text)) == links[_i].is_link, "%s",
                  links[_i].text);
}
END_TEST

static Suite *output_suite(void)
{
    Suite *suite = suite_create("output");
    TCase *tcase = tcase_create("output");
    tcase_add_loop_test(tcase, the_value_decides_what_the_text_is, 0, ROWS(rows));
    tcase_add_loop_test(tcase, an_output_that_is_read_from_an_answer_has_the_same_text, 0, ROWS(rows));
    tcase_add_test(tcase, strings_of_text_are_read_as_one);
    tcase_add_test(tcase, strings_of_text_that_would_be_a_link_together_are_left_alone);
    tcase_add_test(tcase, without_an_output_there_is_no_text);
    tcase_add_test(tcase, very_deep_objects_are_given_as_they_are);
    tcase_add_test(tcase, a_text_that_is_too_long_is_told_by_the_buf);
    tcase_add_loop_test(tcase, only_strings_that_are_no_files_may_be_given_piece_by_piece, 0, ROWS(plain_rows));
    tcase_add_loop_test(tcase, a_link_to_a_file_is_told_from_text, 0, ROWS(links));
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(output_suite());
}
