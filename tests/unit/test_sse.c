/* The parser of event streams, cut at every place, and the writer. */
#include "check_main.h"

#include <string.h>

#include "base/buf.h"
#include "base/sse.h"

enum { MAXIMUM = 64 };

static struct sse_parser parser;
static struct buf transcript; /* what was delivered, as text: `type|id|data;` and `#comment;` */

static void write_event(void *arg, const struct sse_event *event)
{
    ck_assert_ptr_eq(arg, &transcript);
    ck_assert(event->data[event->data_length] == '\0');
    buf_printf(&transcript, "%s|%s|", event->type, event->id);
    buf_append(&transcript, event->data, event->data_length);
    buf_append_text(&transcript, ";");
}

static void write_comment(void *arg, const char *text, size_t length)
{
    ck_assert_ptr_eq(arg, &transcript);
    ck_assert(text[length] == '\0');
    buf_append_text(&transcript, "#");
    buf_append(&transcript, text, length);
    buf_append_text(&transcript, ";");
}

static void set_up(void)
{
    buf_init(&transcript, 4096);
    sse_parser_init(&parser, MAXIMUM, write_event, write_comment, &transcript);
}

static void tear_down(void)
{
    sse_parser_dispose(&parser);
    buf_dispose(&transcript);
}

static void start_again(void)
{
    tear_down();
    set_up();
}

static bool feed(const char *text)
{
    return sse_parser_feed(&parser, text, strlen(text));
}

struct row {
    const char *stream;
    size_t length;
    const char *expected;
    size_t expected_length;
};

#define ROW(stream, expected)                                                                                          \
    {                                                                                                                  \
        stream, sizeof stream - 1, expected, sizeof expected - 1                                                       \
    }

static const struct row rows[] = {
    ROW("", ""),
    ROW("data: a\n\n", "message||a;"),
    ROW("data: a\r\n\r\n", "message||a;"),
    ROW("data: a\r\r", "message||a;"),
    ROW("data: a\rdata: b\r\ndata: c\n\n\r\n\r", "message||a\nb\nc;"),
    ROW("data: a\r\n\rdata: b\n\r\n", "message||a;message||b;"),
    ROW(": hi\n\n", "#hi;"),
    ROW(":hi\n:  hi \n:\n: \n\n", "#hi;# hi ;#;#;"),
    ROW(": hi\n\nevent: output\nid: 1760000000:0\ndata: Once\n\nevent: output\nid: 1760000000:1\ndata:  upon a time.\n"
        "data: \n\nevent: done\nid: 1760000001:0\ndata: {}\n\n",
        "#hi;output|1760000000:0|Once;output|1760000000:1| upon a time.\n;done|1760000001:0|{};"),
    ROW("data: a\n\n:408: 408 Request Timeout\n\n", "message||a;#408: 408 Request Timeout;"),
    ROW("data:x\n\n", "message||x;"),
    ROW("data:  x\n\n", "message|| x;"),
    ROW("data: x \n\n", "message||x ;"),
    ROW("data:\tx\n\n", "message||\tx;"),
    ROW("data: a: b\n\n", "message||a: b;"),
    ROW("data: a\ndata: \n\n", "message||a\n;"),
    ROW("data: a\ndata:\ndata\n\n", "message||a\n\n;"),
    ROW("data\n\n", "message||;"),
    ROW("data:\n\n", "message||;"),
    ROW("data\ndata\n\n", "message||\n;"),
    ROW("data: a\n: between\ndata: b\n\n", "#between;message||a\nb;"),
    ROW("event: done\n\n", ""),
    ROW("event: done\n\ndata: a\n\n", "message||a;"),
    ROW("event: a\nevent: b\ndata: c\n\ndata: d\n\n", "b||c;message||d;"),
    ROW("event: a\nevent\ndata: c\n\n", "message||c;"),
    ROW("event:  a\ndata: c\n\n", " a||c;"),
    ROW("id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", "message|1|a;message|1|b;message||c;"),
    ROW("id: 1\n\ndata: a\n\n", "message|1|a;"),
    ROW("id: 1\nid: 2\ndata: a\n\n", "message|2|a;"),
    ROW("id: 1\nid: 2\0003\ndata: a\n\n", "message|1|a;"),
    ROW("event: a\nevent: done\0x\ndata: a\n\n", "a||a;"),
    ROW("data: a\0b\n\n", "message||a\0b;"),
    ROW(":a\0b\n", "#a\0b;"),
    ROW("retry: 10\nDATA: a\ndata : b\n data: c\ndatax: d\nunknown\n:e\n\n", "#e;"),
    ROW("\xEF\xBB\xBF"
        "data: a\n\n",
        "message||a;"),
    ROW("\xEF\xBB\xBF\xEF\xBB\xBF"
        "data: a\n\n",
        ""),
    ROW("\xEF\xBB\xBF\ndata: a\n\n", "message||a;"),
    ROW("data: a\n\n\xEF\xBB\xBF"
        "data: b\n\n",
        "message||a;"),
    ROW("\xEF\xBB"
        "data: a\n\n",
        ""),
    ROW("data: \xC3\xA9\xF0\x9F\x98\x80\n\n", "message||\xC3\xA9\xF0\x9F\x98\x80;"),
    ROW("data: a\n\ndata: b\n", "message||a;"),
    ROW("data: a\n\ndata: b", "message||a;"),
};

enum { ROW_COUNT = sizeof rows / sizeof *rows };

/* Feeds the row in three pieces, each of which may be empty. */
static void check_cuts(const struct row *row, size_t first, size_t second)
{
    start_again();
    ck_assert(sse_parser_feed(&parser, row->stream, first));
    ck_assert(sse_parser_feed(&parser, row->stream + first, second - first));
    ck_assert(sse_parser_feed(&parser, row->stream + second, row->length - second));
    bool is_equal = transcript.length == row->expected_length &&
                    memcmp(buf_text(&transcript), row->expected, row->expected_length) == 0;
    ck_assert_msg(is_equal, "cut at %zu and %zu: \"%s\" instead of \"%s\"", first, second, buf_text(&transcript),
                  row->expected);
}

START_TEST(a_stream_says_the_same_wherever_it_is_cut)
{
    const struct row *row = &rows[_i];
    for (size_t first = 0; first <= row->length; first++) {
        for (size_t second = first; second <= row->length; second++)
            check_cuts(row, first, second);
    }
}
END_TEST

START_TEST(a_stream_says_the_same_byte_by_byte)
{
    const struct row *row = &rows[_i];
    for (size_t i = 0; i < row->length; i++)
        ck_assert(sse_parser_feed(&parser, row->stream + i, 1));
    ck_assert_mem_eq(buf_text(&transcript), row->expected, row->expected_length);
    ck_assert_uint_eq(transcript.length, row->expected_length);
}
END_TEST

START_TEST(an_event_is_delivered_with_the_last_byte_it_needs)
{
    static const char *const streams[] = {"data: a\n\n", "data: a\r\r", "data: a\r\n\r"};
    const char *stream = streams[_i];
    ck_assert(sse_parser_feed(&parser, stream, strlen(stream) - 1));
    ck_assert_str_eq(buf_text(&transcript), "");
    ck_assert(feed(stream + strlen(stream) - 1));
    ck_assert_str_eq(buf_text(&transcript), "message||a;");
}
END_TEST

START_TEST(without_a_callback_comments_are_skipped)
{
    sse_parser_dispose(&parser);
    sse_parser_init(&parser, MAXIMUM, write_event, NULL, &transcript);
    ck_assert(feed(": hi\n\ndata: a\n\n"));
    ck_assert_str_eq(buf_text(&transcript), "message||a;");
}
END_TEST

/* `data:` and as many x as make the line that long; `count` of such lines. */
static void append_lines(struct buf *stream, size_t line_length, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_append_text(stream, "data:");
        for (size_t j = 5; j < line_length; j++)
            buf_append_text(stream, "x");
        buf_append_text(stream, "\n");
    }
}

struct long_row {
    size_t line_length, count;
    bool is_accepted;
};

static const struct long_row long_rows[] = {
    {MAXIMUM, 1, true},
    {MAXIMUM + 1, 1, false},
    {1000, 1, false},
    {5 + 32, 1, true},
    /* Each of two lines fits alone; with the line end between them, 31 bytes each do and 32 do not. */
    {5 + 31, 2, true},
    {5 + 32, 2, false},
    {5, MAXIMUM + 1, true},
    {5, MAXIMUM + 2, false},
};

START_TEST(the_maximum_holds_to_the_byte_wherever_the_stream_is_cut)
{
    const struct long_row *row = &long_rows[_i];
    struct buf stream;
    buf_init(&stream, 4096);
    buf_append_text(&stream, "data:1\n\n");
    append_lines(&stream, row->line_length, row->count);
    buf_append_text(&stream, "\n");
    for (size_t cut = 0; cut <= stream.length; cut++) {
        start_again();
        bool first = sse_parser_feed(&parser, stream.data, cut);
        bool second = sse_parser_feed(&parser, stream.data + cut, stream.length - cut);
        ck_assert_int_eq(second, row->is_accepted);
        ck_assert(first || !second);
        /* What was whole before is delivered, nothing that is too long is. */
        ck_assert_int_eq(strcmp(buf_text(&transcript), "message||1;") == 0, !row->is_accepted);
    }
    buf_dispose(&stream);
}
END_TEST

START_TEST(a_line_that_never_ends_is_not_stored)
{
    bool is_accepted = true;
    for (int i = 0; i < 10000; i++)
        is_accepted = feed(": endless ");
    ck_assert(!is_accepted);
    ck_assert_uint_le(parser.line.length, MAXIMUM);
    ck_assert_str_eq(buf_text(&transcript), "");
}
END_TEST

START_TEST(comments_and_ids_without_end_do_not_add_up)
{
    for (int i = 0; i < 1000; i++)
        ck_assert(feed(": hi\nid: 1\nevent: a\n"));
    ck_assert(feed("data: b\n\n"));
    ck_assert_ptr_nonnull(strstr(buf_text(&transcript), "a|1|b;"));
}
END_TEST

START_TEST(after_too_much_only_a_restart_helps)
{
    ck_assert(feed("id: 1\ndata: a\n\n"));
    struct buf stream;
    buf_init(&stream, 4096);
    append_lines(&stream, MAXIMUM + 1, 1);
    ck_assert(!feed(buf_text(&stream)));
    buf_dispose(&stream);
    ck_assert(!feed("\n\ndata: b\n\n"));
    ck_assert(!sse_parser_feed(&parser, "", 0));
    sse_parser_restart(&parser);
    ck_assert(feed("data: c\n\n"));
    ck_assert_str_eq(buf_text(&transcript), "message|1|a;message|1|c;");
}
END_TEST

START_TEST(a_restart_forgets_half_an_event_and_keeps_the_last_id)
{
    ck_assert(feed("id: 1\ndata: a\n\nevent: output\nid: 2\ndata: b\nda"));
    sse_parser_restart(&parser);
    ck_assert_str_eq(sse_parser_last_id(&parser), "1");
    ck_assert(feed("\xEF\xBB\xBF"
                   "data: c\n\n"));
    ck_assert_str_eq(buf_text(&transcript), "message|1|a;message|1|c;");
}
END_TEST

/* The LF is a line of its own then, so that the mark after it is not at the start. */
START_TEST(a_restart_forgets_half_a_line_end)
{
    ck_assert(feed("data: a\r"));
    sse_parser_restart(&parser);
    ck_assert(feed("\n\xEF\xBB\xBF"
                   "data: b\n\ndata: c\n\n"));
    ck_assert_str_eq(buf_text(&transcript), "message||c;");
}
END_TEST

START_TEST(the_last_id_is_that_of_a_whole_event)
{
    ck_assert_str_eq(sse_parser_last_id(&parser), "");
    ck_assert(feed("id: 1\ndata: a\n"));
    ck_assert_str_eq(sse_parser_last_id(&parser), "");
    ck_assert(feed("\n"));
    ck_assert_str_eq(sse_parser_last_id(&parser), "1");
    ck_assert(feed("data: b\n\n"));
    ck_assert_str_eq(sse_parser_last_id(&parser), "1");
    ck_assert(feed("id: 2\n\n"));
    ck_assert_str_eq(sse_parser_last_id(&parser), "2");
    ck_assert(feed("id\n\n"));
    ck_assert_str_eq(sse_parser_last_id(&parser), "");
}
END_TEST

START_TEST(frames_are_one_data_line_and_a_blank_one)
{
    struct buf out;
    buf_init(&out, 64);
    ck_assert(sse_append_data(&out, "{\"a\":1}ignored", 7));
    ck_assert(sse_append_data(&out, "[DONE]", 6));
    ck_assert_str_eq(buf_text(&out), "data: {\"a\":1}\n\ndata: [DONE]\n\n");
    buf_dispose(&out);
}
END_TEST

START_TEST(comments_are_one_line_and_a_blank_one)
{
    struct buf out;
    buf_init(&out, 64);
    ck_assert(sse_append_comment(&out, "processing"));
    ck_assert_str_eq(buf_text(&out), ": processing\n\n");
    buf_dispose(&out);
}
END_TEST

START_TEST(what_is_written_can_be_read)
{
    struct buf out;
    buf_init(&out, 128);
    ck_assert(sse_append_comment(&out, " x"));
    ck_assert(sse_append_data(&out, "  a b ", 6));
    ck_assert(sse_append_data(&out, "", 0));
    ck_assert(sse_parser_feed(&parser, out.data, out.length));
    ck_assert_str_eq(buf_text(&transcript), "# x;message||  a b ;message||;");
    buf_dispose(&out);
}
END_TEST

START_TEST(a_frame_that_does_not_fit_is_noticed)
{
    struct buf out;
    for (size_t maximum = 0; maximum < 10; maximum++) {
        buf_init(&out, maximum);
        ck_assert_int_eq(sse_append_data(&out, "ab", 2), maximum >= sizeof "data: ab\n\n" - 1);
        buf_dispose(&out);
        buf_init(&out, maximum);
        ck_assert_int_eq(sse_append_comment(&out, "ab"), maximum >= sizeof ": ab\n\n" - 1);
        buf_dispose(&out);
    }
}
END_TEST

static Suite *sse_suite(void)
{
    Suite *suite = suite_create("sse");
    TCase *reading = tcase_create("reading");
    tcase_add_checked_fixture(reading, set_up, tear_down);
    tcase_add_loop_test(reading, a_stream_says_the_same_wherever_it_is_cut, 0, ROW_COUNT);
    tcase_add_loop_test(reading, a_stream_says_the_same_byte_by_byte, 0, ROW_COUNT);
    tcase_add_loop_test(reading, an_event_is_delivered_with_the_last_byte_it_needs, 0, 3);
    tcase_add_test(reading, without_a_callback_comments_are_skipped);
    tcase_add_loop_test(reading, the_maximum_holds_to_the_byte_wherever_the_stream_is_cut, 0,
                        sizeof long_rows / sizeof *long_rows);
    tcase_add_test(reading, a_line_that_never_ends_is_not_stored);
    tcase_add_test(reading, comments_and_ids_without_end_do_not_add_up);
    tcase_add_test(reading, after_too_much_only_a_restart_helps);
    tcase_add_test(reading, a_restart_forgets_half_an_event_and_keeps_the_last_id);
    tcase_add_test(reading, a_restart_forgets_half_a_line_end);
    tcase_add_test(reading, the_last_id_is_that_of_a_whole_event);
    suite_add_tcase(suite, reading);
    TCase *writing = tcase_create("writing");
    tcase_add_checked_fixture(writing, set_up, tear_down);
    tcase_add_test(writing, frames_are_one_data_line_and_a_blank_one);
    tcase_add_test(writing, comments_are_one_line_and_a_blank_one);
    tcase_add_test(writing, what_is_written_can_be_read);
    tcase_add_test(writing, a_frame_that_does_not_fit_is_noticed);
    suite_add_tcase(suite, writing);
    return suite;
}

int main(void)
{
    return suite_run(sse_suite());
}
