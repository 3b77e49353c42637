/* Streams: what is delivered and when, what is collected instead, how they end, and that very many live beside the
 * calls. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "check_main.h"
#include "stream_peer.h"

#define LENGTH_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

static struct viewer viewer, other;

static void setup(void)
{
    peer_setup();
    viewer = other = (struct viewer){0};
}

static void teardown(void)
{
    viewer_dispose(&viewer);
    viewer_dispose(&other);
    ck_assert_uint_eq(transfers_count(fixture_transfers), 0);
    peer_teardown();
}

/* ---- what goes out ---- */

START_TEST(a_stream_says_what_it_accepts_and_wants_no_copy)
{
    viewer_start(&viewer, NULL);
    peer_accept();
    ck_assert_ptr_nonnull(strstr(peer_last_request(), "\r\nAccept: text/event-stream\r\n"));
    ck_assert_ptr_nonnull(strstr(peer_last_request(), "\r\nCache-Control: no-store\r\n"));
}
END_TEST

START_TEST(a_type_without_a_viewer_is_sent_and_the_answer_collected)
{
    static const struct script_answer ok = {STREAM_HEAD "Content-Length: 2\r\n\r\nok", SCRIPT_KEEP, 0, 0};
    script_server_play(fixture_server, &ok, 1);
    struct transfer_request request = fixture_get("/");
    request.accept = "text/event-stream";
    ck_assert_str_eq(fixture_fetch(&request).body, "ok");
    ck_assert_ptr_nonnull(strstr(script_server_request(fixture_server, 0), "\r\nAccept: text/event-stream\r\n"));
    ck_assert_ptr_null(strstr(script_server_request(fixture_server, 0), "Cache-Control"));
}
END_TEST

/* ---- delivery and end ---- */

struct framing {
    const char *head, *pieces[3], *end;
    bool closes;
};

static const struct framing framings[] = {
    {"Transfer-Encoding: chunked\r\n\r\n", {"5\r\none, \r\n", "5\r\ntwo, \r\n", "5\r\nthree\r\n"}, "0\r\n\r\n", false},
    {"Content-Length: 15\r\n\r\n", {"one, ", "two, ", "three"}, "", false},
    {"\r\n", {"one, ", "two, ", "three"}, "", true},
};

START_TEST(every_piece_is_seen_before_the_next_is_sent)
{
    const struct framing *framing = &framings[_i];
    static const char *const seen_after[] = {"one, ", "one, two, ", "one, two, three"};
    viewer_start(&viewer, NULL);
    int fd = peer_accept();
    peer_say(fd, STREAM_HEAD);
    peer_say(fd, framing->head);
    for (int i = 0; i < LENGTH_OF(seen_after); i++) {
        ck_assert_int_eq(viewer.seen.calls, 0);
        peer_say(fd, framing->pieces[i]);
        TURN_UNTIL(viewer.length >= strlen(seen_after[i]));
        ck_assert_str_eq(viewer.bytes, seen_after[i]);
    }
    peer_say(fd, framing->end);
    if (framing->closes)
        peer_close(fd);
    TURN_UNTIL(viewer.seen.calls);
    ck_assert_int_eq(viewer.seen.result, TRANSFER_ANSWERED);
    ck_assert_int_eq(viewer.seen.status, 200);
    ck_assert_uint_eq(viewer.seen.body_length, 0);
    ck_assert_str_eq(viewer.bytes, "one, two, three");
}
END_TEST

START_TEST(a_stream_that_comes_at_once_with_its_end_is_delivered_before_its_done)
{
    const struct framing *framing = &framings[_i];
    char all[512];
    snprintf(all, sizeof(all), "%s%s%s%s%s%s", STREAM_HEAD, framing->head, framing->pieces[0], framing->pieces[1],
             framing->pieces[2], framing->end);
    viewer_start(&viewer, NULL);
    int fd = peer_accept();
    peer_say(fd, all);
    if (framing->closes)
        peer_close(fd);
    TURN_UNTIL(viewer.seen.calls);
    ck_assert_int_eq(viewer.seen.result, TRANSFER_ANSWERED);
    ck_assert_str_eq(viewer.bytes, "one, two, three");
}
END_TEST

START_TEST(a_stream_may_be_empty)
{
    viewer_start(&viewer, NULL);
    peer_say(peer_accept(), STREAM_HEAD "Content-Length: 0\r\n\r\n");
    TURN_UNTIL(viewer.seen.calls);
    ck_assert_int_eq(viewer.seen.result, TRANSFER_ANSWERED);
    ck_assert_int_eq(viewer.pieces, 0);
}
END_TEST

START_TEST(a_stream_is_not_bounded_as_collected_answers_are)
{
    enum { BYTES = 1 << 20 };
    char *bytes = xmalloc(BYTES);
    memset(bytes, 'x', BYTES);
    struct transfer_request request = peer_request();
    request.max_answer_bytes = 10;
    viewer_start(&viewer, &request);
    int fd = peer_accept();
    peer_say(fd, STREAM_HEAD "\r\n");
    peer_send(fd, bytes, BYTES);
    peer_close(fd);
    TURN_UNTIL(viewer.seen.calls);
    ck_assert_int_eq(viewer.seen.result, TRANSFER_ANSWERED);
    ck_assert_uint_eq(viewer.length, BYTES);
    free(bytes);
}
END_TEST

START_TEST(a_stream_that_is_cut_is_lost_after_what_came)
{
    viewer_start(&viewer, NULL);
    int fd = peer_accept();
    peer_say(fd, STREAM_HEAD);
    peer_say(fd, framings[_i % 2].head);
    peer_say(fd, framings[_i % 2].pieces[0]);
    TURN_UNTIL(viewer.length);
    if (_i / 2)
        peer_reset(fd);
    else
        peer_close(fd);
    TURN_UNTIL(viewer.seen.calls);
    ck_assert_int_eq(viewer.seen.result, TRANSFER_LOST);
    ck_assert_str_ne(viewer.seen.detail, "");
    ck_assert_str_eq(viewer.bytes, "one, ");
}
END_TEST

START_TEST(a_limit_for_the_whole_ends_a_stream_too)
{
    struct transfer_request request = peer_request();
    request.timeout_ms = 50;
    viewer_start(&viewer, &request);
    peer_say(peer_accept(), STREAM_HEAD "\r\nsome");
    TURN_UNTIL(viewer.seen.calls);
    ck_assert_int_eq(viewer.seen.result, TRANSFER_LOST);
    ck_assert_str_eq(viewer.bytes, "some");
}
END_TEST

/* ---- what is no stream ---- */

struct other_answer {
    const char *text;
    int status;
    bool streamed;
};

static const struct other_answer other_answers[] = {
    {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\nok", 200, false},
    {"HTTP/1.1 200 OK\r\nContent-Type: text/event\r\nContent-Length: 2\r\n\r\nok", 200, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, false},
    {"HTTP/1.1 404 Not Found\r\nContent-Type: text/event-stream\r\nContent-Length: 2\r\n\r\nok", 404, false},
    {"HTTP/1.1 302 Found\r\nContent-Type: text/event-stream\r\nContent-Length: 2\r\n\r\nok", 302, false},
    {"HTTP/1.1 103 Early Hints\r\nContent-Type: text/event-stream\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
     "2\r\n\r\nok",
     200, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Type\r\n\r\n"
     "1\r\no\r\n1\r\nk\r\n0\r\nContent-Type: text/event-stream\r\n\r\n",
     200, false},
    {STREAM_HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\nContent-Type: text/plain\r\n\r\n", 200,
     true},
    {"HTTP/1.1 201 Created\r\ncontent-type:TEXT/Event-Stream\r\nContent-Length: 2\r\n\r\nok", 201, true},
};

START_TEST(only_a_successful_answer_of_the_type_asked_for_is_a_stream)
{
    const struct other_answer *answer = &other_answers[_i];
    viewer_start(&viewer, NULL);
    peer_say(peer_accept(), answer->text);
    TURN_UNTIL(viewer.seen.calls);
    ck_assert_int_eq(viewer.seen.result, TRANSFER_ANSWERED);
    ck_assert_int_eq(viewer.seen.status, answer->status);
    ck_assert_str_eq(viewer.seen.body, answer->streamed ? "" : "ok");
    ck_assert_str_eq(viewer.bytes ? viewer.bytes : "", answer->streamed ? "ok" : "");
}
END_TEST

START_TEST(what_is_collected_for_a_stream_is_bounded)
{
    struct transfer_request request = peer_request();
    request.max_answer_bytes = 3;
    viewer_start(&viewer, &request);
    peer_say(peer_accept(), "HTTP/1.1 500 Sorry\r\nContent-Type: text/event-stream\r\nContent-Length: 4\r\n\r\nfour");
    TURN_UNTIL(viewer.seen.calls);
    ck_assert_int_eq(viewer.seen.result, TRANSFER_LOST);
    ck_assert_int_eq(viewer.pieces, 0);
}
END_TEST

/* ---- cancelling ---- */

START_TEST(a_stream_may_be_cancelled_by_its_own_piece)
{
    viewer.cancels_itself = true;
    viewer_start(&viewer, NULL);
    int fd = peer_accept();
    /* The second time its end comes with the piece. */
    peer_say(fd, _i == 0 ? STREAM_HEAD "\r\nsome" : STREAM_HEAD "Content-Length: 4\r\n\r\nsome");
    TURN_UNTIL(viewer.pieces);
    ck_assert_uint_eq(transfers_count(fixture_transfers), 0);
    if (_i == 0)
        TURN_UNTIL(peer_sees_close(fd));
    for (int i = 0; i < 5; i++)
        loop_turn(fixture_loop, 1);
    ck_assert_int_eq(viewer.pieces, 1);
    ck_assert_int_eq(viewer.seen.calls, 0);
}
END_TEST

START_TEST(a_piece_may_cancel_another_stream_that_has_one_too)
{
    viewer.victim = &other;
    other.victim = &viewer;
    viewer_start(&viewer, NULL);
    int first = peer_accept();
    viewer_start(&other, NULL);
    int second = peer_accept();
    peer_say(first, STREAM_HEAD "\r\nsome");
    peer_say(second, STREAM_HEAD "\r\nsome");
    TURN_UNTIL(viewer.pieces + other.pieces > 0);
    ck_assert_int_eq(viewer.pieces + other.pieces, 1);
    ck_assert_uint_eq(transfers_count(fixture_transfers), 1);
    for (int i = 0; i < 5; i++)
        loop_turn(fixture_loop, 1);
    ck_assert_int_eq(viewer.pieces + other.pieces, 1);
}
END_TEST

/* ---- many ---- */

START_TEST(six_hundred_streams_live_beside_the_calls)
{
    enum { COUNT = 600, KEPT_IDLE = 32 };
    static struct viewer viewers[COUNT];
    static int fds[COUNT];
    static const struct script_answer ok = {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", SCRIPT_KEEP, 0, 0};
    struct transfers_options options = {.max_active = 1};
    fixture_renew(&options);
    for (int i = 0; i < COUNT; i++) {
        viewer_start(&viewers[i], NULL);
        ck_assert(!transfer_is_queued(viewers[i].transfer));
    }
    for (int i = 0; i < COUNT; i++) {
        fds[i] = peer_accept();
        peer_say(fds[i], STREAM_HEAD "Content-Length: 8\r\n\r\nhalf");
    }
    for (int i = 0; i < COUNT; i++)
        TURN_UNTIL(viewers[i].length == 4);
    ck_assert_uint_eq(transfers_count(fixture_transfers), COUNT);

    script_server_play(fixture_server, &ok, 1);
    struct transfer_request request = fixture_get("/");
    struct seen seen = {0};
    transfer_start(fixture_transfers, &request, fixture_on_done, &seen);
    fixture_run(&seen.calls, 1);
    ck_assert_int_eq(seen.result, TRANSFER_ANSWERED);

    for (int i = 0; i < COUNT; i++)
        peer_say(fds[i], "half");
    for (int i = 0; i < COUNT; i++) {
        TURN_UNTIL(viewers[i].seen.calls);
        ck_assert_int_eq(viewers[i].seen.result, TRANSFER_ANSWERED);
        ck_assert_str_eq(viewers[i].bytes, "halfhalf");
        viewer_dispose(&viewers[i]);
    }
    /* Only one of the multis is kept, and of its connections only some. */
    int open = 0;
    for (int i = 0; i < COUNT; i++)
        open += !peer_sees_close(fds[i]);
    ck_assert_int_le(open, KEPT_IDLE);
    ck_assert_int_gt(open, 0);
}
END_TEST

/* Each step goes through the sets of streams from another side. */
START_TEST(streams_come_and_go_in_any_order)
{
    enum { COUNT = 1100 };
    static struct viewer viewers[COUNT];
    for (int i = 0; i < COUNT; i++)
        viewer_start(&viewers[i], NULL);
    for (int i = 0; i < COUNT; i++) {
        int which = (i * 7) % COUNT;
        viewer_dispose(&viewers[which]);
        if (i % 3 == 0)
            viewer_start(&viewers[which], NULL);
    }
    for (int i = COUNT - 1; i >= 0; i--)
        viewer_dispose(&viewers[i]);
    ck_assert_uint_eq(transfers_count(fixture_transfers), 0);
    viewer_start(&viewer, NULL);
    peer_say(peer_accept(), STREAM_HEAD "Content-Length: 4\r\n\r\nsome");
    TURN_UNTIL(viewer.seen.calls);
    ck_assert_str_eq(viewer.bytes, "some");
}
END_TEST

/* ---- the queue ---- */

static void on_queue_done(void *arg, const struct transfer_answer *answer)
{
    (void)answer;
    struct transfer **transfer = arg;
    ck_assert(!transfer_is_queued(*transfer));
    *transfer = NULL;
}

START_TEST(a_transfer_is_queued_until_a_place_is_free)
{
    static const struct script_answer ok = {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", SCRIPT_KEEP, 0, 0};
    script_server_play(fixture_server, &ok, 1);
    fixture_renew(&(struct transfers_options){.max_active = 1});
    struct transfer_request request = fixture_get("/");
    struct transfer *first = transfer_start(fixture_transfers, &request, on_queue_done, &first);
    struct transfer *second = transfer_start(fixture_transfers, &request, on_queue_done, &second);
    struct transfer *third = transfer_start(fixture_transfers, &request, on_queue_done, &third);
    ck_assert(!transfer_is_queued(first));
    ck_assert(transfer_is_queued(second));
    transfer_cancel(&first);
    ck_assert(!transfer_is_queued(second));
    ck_assert(transfer_is_queued(third));
    TURN_UNTIL(!second);
    ck_assert(!third || !transfer_is_queued(third));
    TURN_UNTIL(!third);
}
END_TEST

START_TEST(ten_thousand_streams_are_the_limit_and_further_ones_wait)
{
    enum { COUNT = 10000 };
    static struct viewer viewers[COUNT + 1];
    for (int i = 0; i <= COUNT; i++)
        viewer_start(&viewers[i], NULL);
    ck_assert(!transfer_is_queued(viewers[COUNT - 1].transfer));
    ck_assert(transfer_is_queued(viewers[COUNT].transfer));
    /* One that waits can be paused like any other. */
    viewer_pause(&viewers[COUNT]);
    viewer_dispose(&viewers[0]);
    ck_assert(!transfer_is_queued(viewers[COUNT].transfer));
    for (int i = 1; i <= COUNT; i++)
        viewer_dispose(&viewers[i]);
}
END_TEST

static Suite *transfer_stream_suite(void)
{
    Suite *suite = suite_create("transfer stream");
    TCase *cases = tcase_create("streams");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 30);
    tcase_add_test(cases, a_stream_says_what_it_accepts_and_wants_no_copy);
    tcase_add_test(cases, a_type_without_a_viewer_is_sent_and_the_answer_collected);
    tcase_add_loop_test(cases, every_piece_is_seen_before_the_next_is_sent, 0, LENGTH_OF(framings));
    tcase_add_loop_test(cases, a_stream_that_comes_at_once_with_its_end_is_delivered_before_its_done, 0,
                        LENGTH_OF(framings));
    tcase_add_test(cases, a_stream_may_be_empty);
    tcase_add_test(cases, a_stream_is_not_bounded_as_collected_answers_are);
    tcase_add_loop_test(cases, a_stream_that_is_cut_is_lost_after_what_came, 0, 4);
    tcase_add_test(cases, a_limit_for_the_whole_ends_a_stream_too);
    tcase_add_loop_test(cases, only_a_successful_answer_of_the_type_asked_for_is_a_stream, 0, LENGTH_OF(other_answers));
    tcase_add_test(cases, what_is_collected_for_a_stream_is_bounded);
    tcase_add_loop_test(cases, a_stream_may_be_cancelled_by_its_own_piece, 0, 2);
    tcase_add_test(cases, a_piece_may_cancel_another_stream_that_has_one_too);
    tcase_add_test(cases, six_hundred_streams_live_beside_the_calls);
    tcase_add_test(cases, streams_come_and_go_in_any_order);
    tcase_add_test(cases, a_transfer_is_queued_until_a_place_is_free);
    tcase_add_test(cases, ten_thousand_streams_are_the_limit_and_further_ones_wait);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    return suite_run(transfer_stream_suite());
}
