/* Streams that are cut, refused, over-long or garbage: wherever it happens, the text is the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "check_main.h"
#include "fake_stream.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

enum cut { CUT_CLOSED, CUT_SILENT, CUT_LOST, CUT_MID_EVENT, CUT_WAYS };

static void cut_stream(enum cut cut)
{
    switch (cut) {
    case CUT_CLOSED:
        stream_close();
        break;
    case CUT_SILENT:
        stream_time_out();
        break;
    case CUT_MID_EVENT:
        stream_raw("event: output\nid: 100:77\ndata: half an eve");
        /* fall through */
    default:
        fake_transfer_break(stream_call(), TRANSFER_LOST);
        break;
    }
}

/* Once closed for silence it is connected again at once, else after half a second. */
static void expect_reconnect(enum cut cut)
{
    bench_expect_state(PREDICTION_STREAMING);
    ck_assert_ptr_null(stream_call());
    if (cut != CUT_SILENT)
        bench_advance(499);
    ck_assert_ptr_null(stream_call());
    bench_advance(cut == CUT_SILENT ? 0 : 1);
    ck_assert_ptr_nonnull(stream_call());
    ck_assert_str_eq(stream_call()->url, STREAM_URL);
}

START_TEST(a_stream_with_ids_goes_on_where_it_was_cut)
{
    int tokens = _i % (STORY_TOKENS + 1);
    enum cut cut = (enum cut)(_i / (STORY_TOKENS + 1) % CUT_WAYS);
    bool is_replayed = _i / (STORY_TOKENS + 1) / CUT_WAYS == 1;
    stream_start();
    stream_tell(0, tokens, true);
    cut_stream(cut);
    expect_reconnect(cut);
    const char *last_id = fake_transfer_header(stream_call(), "Last-Event-ID");
    if (tokens == 0) {
        ck_assert_ptr_null(last_id);
    } else {
        char id[16];
        snprintf(id, sizeof id, "100:%d", tokens - 1);
        ck_assert_str_eq(last_id, id);
    }
    stream_tell(is_replayed ? 0 : tokens, STORY_TOKENS, true);
    stream_done();
    stream_expect_story();
}
END_TEST

START_TEST(a_stream_without_ids_goes_on_by_polls)
{
    int tokens = _i % (STORY_TOKENS + 1);
    enum cut cut = (enum cut)(_i / (STORY_TOKENS + 1));
    bool is_given = tokens > 1; /* the first one is empty */
    stream_start();
    stream_tell(0, tokens, false);
    cut_stream(cut);
    if (!is_given) {
        expect_reconnect(cut);
        ck_assert_ptr_null(fake_transfer_header(stream_call(), "Last-Event-ID"));
        stream_tell(0, STORY_TOKENS, false);
        stream_done();
    } else {
        bench_expect_state(PREDICTION_SLEEPING);
        bench_advance(200);
        bench_expect_state(PREDICTION_POLLING);
        stream_answer_poll("processing", tokens - 1);
        bench_advance(260);
        stream_answer_poll("processing", (tokens + STORY_TOKENS) / 2);
        stream_expect_given(stream_text((tokens + STORY_TOKENS) / 2));
        bench_advance(400);
        stream_answer_poll("succeeded", STORY_TOKENS);
    }
    stream_expect_story();
}
END_TEST

START_TEST(a_stream_may_be_cut_after_every_single_piece)
{
    stream_start();
    for (int i = 0; i < STORY_TOKENS; i++) {
        stream_tell(0, i + 1, true);
        fake_transfer_break(stream_call(), TRANSFER_LOST);
        bench_advance(500);
        if (story[i][0] == '\0')
            bench_advance(500);
    }
    ck_assert_ptr_nonnull(stream_call());
    stream_done();
    stream_expect_story();
}
END_TEST

START_TEST(a_stream_that_begins_anew_may_number_its_events_then)
{
    stream_start();
    stream_tell(0, 1, false);
    stream_time_out();
    bench_advance(0);
    stream_tell(0, 5, true);
    stream_time_out();
    bench_advance(0);
    ck_assert_str_eq(fake_transfer_header(stream_call(), "Last-Event-ID"), "100:4");
    stream_tell(5, STORY_TOKENS, true);
    stream_done();
    stream_expect_story();
}
END_TEST

static const char *const mixed_ids[][2] = {
    {"100:0", NULL},    /* the second shows the id of the first */
    {NULL, "100:0"},    /* the first has none */
    {"100:5", "100:4"}, /* they do not grow */
    {"a", "b"},         /* they cannot be compared */
    {"100:0", "b"},
};

START_TEST(ids_that_do_not_grow_are_no_reason_to_reconnect)
{
    stream_start();
    stream_say("output", mixed_ids[_i][0], story[1]);
    stream_say("output", mixed_ids[_i][1], story[2]);
    stream_expect_given(stream_text(3));
    stream_time_out();
    bench_expect_state(PREDICTION_SLEEPING);
    bench_advance(200);
    stream_answer_poll("succeeded", STORY_TOKENS);
    stream_expect_story();
}
END_TEST

START_TEST(a_resumed_stream_that_shows_no_ids_is_left_before_it_gives_anything)
{
    static const char *const ids[] = {NULL, "b", "100"};
    stream_start();
    stream_tell(0, 4, true);
    stream_time_out();
    bench_advance(0);
    stream_say("output", ids[_i], story[1]);
    ck_assert_ptr_null(stream_call());
    bench_expect_state(PREDICTION_SLEEPING);
    stream_expect_given(stream_text(4));
    bench_advance(200);
    stream_answer_poll("succeeded", STORY_TOKENS);
    stream_expect_story();
}
END_TEST

START_TEST(reconnecting_in_vain_ends_after_five_times)
{
    stream_start();
    stream_tell(0, 3, true);
    for (int i = 0; i < 5; i++) {
        if (_i == 0)
            stream_time_out();
        else
            fake_transfer_break(stream_call(), _i == 1 ? TRANSFER_LOST : TRANSFER_UNREACHABLE);
        ck_assert_ptr_null(stream_call());
        bench_advance(_i == 0 ? 0 : 500 << i);
        ck_assert_ptr_nonnull(stream_call());
        if (stream_poll_call() != NULL)
            stream_answer_poll("processing", 3);
        /* What was said before does not count as an event. */
        stream_tell(0, 3, true);
    }
    fake_transfer_break(stream_call(), TRANSFER_LOST);
    ck_assert(engine_count_in(bench.engine, PREDICTION_STREAMING) == 0);
    bench_advance(2000);
    stream_answer_poll("succeeded", STORY_TOKENS);
    stream_expect_story();
}
END_TEST

START_TEST(a_stream_kept_open_and_closed_for_silence_is_connected_again_and_again)
{
    struct job *job = stream_job();
    job->deadline_ms += 600000;
    bench_start(job);
    fake_transfer_answer(bench_create_call(), 201,
                         "{\"id\":\"" BENCH_ID "\",\"status\":\"starting\",\"urls\":{\"stream\":\"" STREAM_URL "\"}}");
    for (int i = 0; i < 12; i++) {
        for (int s = 0; s < 15; s++) {
            bench_advance(2000);
            if (stream_poll_call() != NULL)
                stream_answer_poll("starting", 0);
        }
        stream_time_out();
        bench_advance(0);
        ck_assert_ptr_nonnull(stream_call());
    }
    stream_tell(0, STORY_TOKENS, true);
    stream_say("done", NULL, "{}");
    bench_advance(0);
    stream_answer_poll("succeeded", STORY_TOKENS);
    stream_expect_story();
}
END_TEST

START_TEST(a_stream_that_answers_otherwise_is_not_tried_again)
{
    static const struct {
        int status;
        const char *body;
    } answers[] = {{404, ""}, {401, "{}"}, {429, "{}"}, {500, "oops"}, {302, ""}, {200, "<html>"}};
    stream_start();
    fake_transfer_answer(stream_call(), answers[_i].status, answers[_i].body);
    bench_expect_state(PREDICTION_SLEEPING);
    bench_advance(250);
    stream_answer_poll("processing", 4);
    /* What it showed again does not begin it anew. */
    bench_expect_state(PREDICTION_SLEEPING);
    stream_expect_given(stream_text(4));
    bench_advance(200);
    stream_answer_poll("succeeded", STORY_TOKENS);
    stream_expect_story();
}
END_TEST

/* Just within the limit of an event it is a piece, beyond it the stream is of no use. */
START_TEST(an_event_that_is_too_long_leads_to_polling)
{
    size_t length = (size_t)1024 * 1024 - (_i == 0 ? strlen("data: ") : 0);
    char *data = xcalloc(1, length + 1);
    memset(data, 'a', length);
    stream_start();
    if (_i == 2)
        stream_raw(data); /* no line end at all, and one byte more */
    if (_i == 2)
        stream_raw("a");
    else
        stream_say("output", "100:0", data);
    bench_expect_state(_i == 0 ? PREDICTION_STREAMING : PREDICTION_SLEEPING);
    ck_assert_int_eq(bench.pieces, _i == 0);
    bench_advance(2000);
    char *output = xasprintf("[\"%s\",\"b\"]", data);
    stream_answer_poll_raw("succeeded", output);
    bench_expect_success();
    ck_assert_uint_eq(bench.given.length, length + 1);
    free(output);
    free(data);
}
END_TEST

START_TEST(garbage_is_no_output)
{
    static const char *const garbage[] = {"\x01\x02\xFF\n\n", "{\"output\":\"x\"}\n\n", "output\n\n",
                                          "event output\ndata x\n\n", "data: x\n\n"};
    stream_start();
    for (int i = 0; i < ROWS(garbage); i++)
        stream_raw(garbage[i]);
    bench_advance(2000);
    stream_answer_poll("processing", 5);
    bench_advance(1000);
    bench_expect_state(PREDICTION_POLLING);
    stream_answer_poll("processing", 5);
    stream_expect_given(stream_text(5));
    bench_advance(260);
    stream_answer_poll("succeeded", STORY_TOKENS);
    stream_expect_story();
}
END_TEST

static Suite *cut_suite(void)
{
    enum { CUTS = STORY_TOKENS + 1 };
    Suite *suite = suite_create("prediction_stream_cut");
    TCase *tcase = tcase_create("cut");
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_stream_with_ids_goes_on_where_it_was_cut, 0, CUTS * CUT_WAYS * 2);
    tcase_add_loop_test(tcase, a_stream_without_ids_goes_on_by_polls, 0, CUTS * CUT_WAYS);
    tcase_add_test(tcase, a_stream_may_be_cut_after_every_single_piece);
    tcase_add_test(tcase, a_stream_that_begins_anew_may_number_its_events_then);
    tcase_add_loop_test(tcase, ids_that_do_not_grow_are_no_reason_to_reconnect, 0, ROWS(mixed_ids));
    tcase_add_loop_test(tcase, a_resumed_stream_that_shows_no_ids_is_left_before_it_gives_anything, 0, 3);
    tcase_add_loop_test(tcase, reconnecting_in_vain_ends_after_five_times, 0, 3);
    tcase_add_test(tcase, a_stream_kept_open_and_closed_for_silence_is_connected_again_and_again);
    tcase_add_loop_test(tcase, a_stream_that_answers_otherwise_is_not_tried_again, 0, 6);
    tcase_add_loop_test(tcase, an_event_that_is_too_long_leads_to_polling, 0, 3);
    tcase_add_test(tcase, garbage_is_no_output);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(cut_suite());
}
