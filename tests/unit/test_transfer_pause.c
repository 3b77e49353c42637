/* Paused streams: they hold back the sender, lose and double nothing, and silence counts only while nobody pauses. */
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "check_main.h"
#include "stream_peer.h"

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

static void turn_for(int64_t duration_ms)
{
    for (int64_t end_ms = clock_now_ms() + duration_ms; clock_now_ms() < end_ms;)
        loop_turn(fixture_loop, 1);
}

/* The byte at this place of every long stream here: no piece that is lost or doubled leaves the rest as it should be.
 */
static char byte_at(size_t place)
{
    uint32_t mixed = (uint32_t)place * 2654435761u;
    return (char)('!' + (mixed >> 24) % 90);
}

static char *make_bytes(size_t length)
{
    char *bytes = xmalloc(length);
    for (size_t i = 0; i < length; i++)
        bytes[i] = byte_at(i);
    return bytes;
}

static void assert_all_seen(size_t length)
{
    ck_assert_uint_eq(viewer.length, length);
    size_t right = 0;
    while (right < length && viewer.bytes[right] == byte_at(right))
        right++;
    ck_assert_uint_eq(right, length);
}

/* ---- holding back ---- */

START_TEST(a_paused_stream_holds_back_its_sender_and_then_delivers_all)
{
    enum { OFFERED = 16 << 20, CONNECTION_BUFFERS = 8 << 20, PIECE = 16384, QUIET_TURNS = 30 };
    char *bytes = make_bytes(OFFERED);
    viewer.pauses_itself = true;
    viewer_start(&viewer, NULL);
    int fd = peer_accept();
    peer_say(fd, STREAM_HEAD "\r\n");
    size_t sent = 0;
    for (int quiet = 0; quiet < QUIET_TURNS && sent < OFFERED; quiet++) {
        size_t taken = peer_offer(fd, bytes + sent, PIECE);
        quiet = taken > 0 ? 0 : quiet;
        sent += taken;
        loop_turn(fixture_loop, 1);
    }
    /* The kernel has some megabytes of it at most, and the viewer nothing more. */
    ck_assert_uint_lt(sent, CONNECTION_BUFFERS);
    ck_assert_int_eq(viewer.pieces, 1);
    ck_assert_uint_le(viewer.length, 64 * 1024);

    viewer.pauses_itself = false;
    viewer_resume(&viewer);
    ck_assert_int_eq(viewer.pieces, 1);
    TURN_UNTIL(viewer.length == sent);
    peer_send(fd, bytes + sent, PIECE);
    peer_close(fd);
    TURN_UNTIL(viewer.seen.calls);
    ck_assert_int_eq(viewer.seen.result, TRANSFER_ANSWERED);
    assert_all_seen(sent + PIECE);
    free(bytes);
}
END_TEST

START_TEST(a_stream_paused_before_its_answer_delivers_nothing_until_resumed)
{
    viewer_start(&viewer, NULL);
    viewer_pause(&viewer);
    viewer_pause(&viewer);
    int fd = peer_accept();
    peer_say(fd, _i == 0 ? STREAM_HEAD "Content-Length: 4\r\n\r\nsome"
                         : STREAM_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nso\r\n2\r\nme\r\n0\r\n\r\n");
    turn_for(20);
    ck_assert_int_eq(viewer.pieces + viewer.seen.calls, 0);
    viewer_resume(&viewer);
    transfer_resume(viewer.transfer);
    ck_assert_int_eq(viewer.pieces + viewer.seen.calls, 0);
    TURN_UNTIL(viewer.seen.calls);
    ck_assert_int_eq(viewer.seen.result, TRANSFER_ANSWERED);
    ck_assert_str_eq(viewer.bytes, "some");
}
END_TEST

START_TEST(a_pause_right_after_a_resume_still_holds)
{
    viewer_start(&viewer, NULL);
    viewer_pause(&viewer);
    peer_say(peer_accept(), STREAM_HEAD "\r\nsome");
    turn_for(20);
    viewer_resume(&viewer);
    viewer_pause(&viewer);
    turn_for(20);
    ck_assert_int_eq(viewer.pieces, 0);
    viewer_resume(&viewer);
    TURN_UNTIL(viewer.length == 4);
}
END_TEST

START_TEST(a_paused_stream_that_is_answered_otherwise_ends)
{
    viewer_start(&viewer, NULL);
    viewer_pause(&viewer);
    peer_say(peer_accept(), "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone");
    TURN_UNTIL(viewer.seen.calls);
    ck_assert_int_eq(viewer.seen.status, 404);
    ck_assert_str_eq(viewer.seen.body, "gone");
}
END_TEST

START_TEST(a_paused_stream_may_be_cancelled)
{
    viewer.pauses_itself = _i == 0;
    viewer_start(&viewer, NULL);
    int fd = peer_accept();
    if (_i != 0)
        viewer_pause(&viewer);
    peer_say(fd, STREAM_HEAD "\r\nsome");
    turn_for(10);
    peer_say(fd, "more");
    turn_for(10);
    if (_i == 2)
        viewer_resume(&viewer);
    transfer_cancel(&viewer.transfer);
    ck_assert_uint_eq(transfers_count(fixture_transfers), 0);
    TURN_UNTIL(peer_sees_close(fd));
    ck_assert_int_eq(viewer.pieces, _i == 0);
    ck_assert_int_eq(viewer.seen.calls, 0);
}
END_TEST

/* ---- many cycles ---- */

/* Not rand(): the same numbers everywhere. */
static uint32_t random_state;

static size_t random_below(size_t bound)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % bound;
}

enum framing { CHUNKED, COUNTED, UNTIL_CLOSE, FRAMINGS };

/* The whole answer as it goes over the wire. */
static void frame(struct buf *wire, enum framing framing, size_t length)
{
    char *bytes = make_bytes(length);
    buf_append_text(wire, STREAM_HEAD);
    if (framing == COUNTED)
        buf_printf(wire, "Content-Length: %zu\r\n", length);
    buf_append_text(wire, framing == CHUNKED ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
    if (framing != CHUNKED)
        buf_append(wire, bytes, length);
    for (size_t done = 0, chunk; framing == CHUNKED && done < length; done += chunk) {
        chunk = random_below(2) ? random_below(200) + 1 : random_below(40000) + 1;
        chunk = chunk < length - done ? chunk : length - done;
        buf_printf(wire, "%zx\r\n", chunk);
        buf_append(wire, bytes + done, chunk);
        buf_append_text(wire, "\r\n");
    }
    if (framing == CHUNKED)
        buf_append_text(wire, "0\r\n\r\n");
    ck_assert(!wire->overflowed);
    free(bytes);
}

/* Whatever a user might do between two turns. */
static void meddle(void)
{
    if (!viewer.transfer)
        return;
    size_t mood = random_below(8);
    if (viewer.paused ? mood < 4 : mood == 0) {
        if (viewer.paused)
            viewer_resume(&viewer);
        else
            viewer_pause(&viewer);
    }
    viewer.pauses_itself = random_below(3) == 0;
    if (viewer.transfer && random_below(16) == 0) {
        viewer_pause(&viewer);
        viewer_resume(&viewer);
    }
}

START_TEST(nothing_is_lost_or_doubled_over_many_pauses_with_random_cuts)
{
    enum { LENGTH = 400000 };
    random_state = (uint32_t)_i;
    struct buf wire;
    buf_init(&wire, LENGTH * 10);
    frame(&wire, (enum framing)(_i % FRAMINGS), LENGTH);
    viewer_start(&viewer, NULL);
    int fd = peer_accept();
    size_t sent = 0, cut_bound = _i / FRAMINGS % 2 ? 60000 : 3000;
    for (int64_t deadline_ms = clock_now_ms() + 20000; sent < wire.length && clock_now_ms() < deadline_ms;) {
        size_t cut = random_below(cut_bound) + 1;
        sent += peer_offer(fd, wire.data + sent, cut < wire.length - sent ? cut : wire.length - sent);
        loop_turn(fixture_loop, 0);
        meddle();
    }
    ck_assert_uint_eq(sent, wire.length);
    if (_i % FRAMINGS == UNTIL_CLOSE)
        peer_close(fd);
    for (int64_t deadline_ms = clock_now_ms() + 20000; !viewer.seen.calls && clock_now_ms() < deadline_ms;) {
        loop_turn(fixture_loop, 1);
        meddle();
    }
    ck_assert_int_eq(viewer.seen.calls, 1);
    ck_assert_int_eq(viewer.seen.result, TRANSFER_ANSWERED);
    ck_assert_int_gt(viewer.pieces, 10);
    assert_all_seen(LENGTH);
    buf_dispose(&wire);
}
END_TEST

/* ---- silence ---- */

START_TEST(a_silent_stream_is_lost)
{
    struct transfer_request request = peer_request();
    request.idle_timeout_ms = 60;
    int64_t began_ms = clock_now_ms();
    viewer_start(&viewer, &request);
    int fd = peer_accept();
    if (_i > 0)
        peer_say(fd, STREAM_HEAD "\r\n");
    if (_i > 1)
        peer_say(fd, "some");
    TURN_UNTIL(viewer.seen.calls);
    ck_assert_int_ge(clock_now_ms() - began_ms, 60);
    ck_assert_int_eq(viewer.seen.result, TRANSFER_LOST);
    ck_assert_str_eq(viewer.seen.detail, "The stream was silent for 60 ms");
    ck_assert_int_eq(viewer.pieces, _i > 1);
    TURN_UNTIL(peer_sees_close(fd));
}
END_TEST

START_TEST(a_stream_with_a_byte_now_and_then_is_not_silent)
{
    struct transfer_request request = peer_request();
    request.idle_timeout_ms = 200;
    int64_t began_ms = clock_now_ms();
    viewer_start(&viewer, &request);
    int fd = peer_accept();
    peer_say(fd, STREAM_HEAD "\r\n");
    while (clock_now_ms() - began_ms < 500) {
        peer_say(fd, ".");
        turn_for(20);
        ck_assert_int_eq(viewer.seen.calls, 0);
    }
    peer_close(fd);
    TURN_UNTIL(viewer.seen.calls);
    ck_assert_int_eq(viewer.seen.result, TRANSFER_ANSWERED);
}
END_TEST

START_TEST(silence_does_not_count_while_paused_and_begins_anew_after_it)
{
    struct transfer_request request = peer_request();
    request.idle_timeout_ms = 60;
    viewer_start(&viewer, &request);
    viewer_pause(&viewer);
    int fd = peer_accept();
    peer_say(fd, _i == 0 ? STREAM_HEAD "\r\nsome" : "");
    turn_for(150);
    ck_assert_int_eq(viewer.seen.calls, 0);
    int64_t resumed_ms = clock_now_ms();
    viewer_resume(&viewer);
    TURN_UNTIL(viewer.seen.calls);
    ck_assert_int_ge(clock_now_ms() - resumed_ms, 60);
    ck_assert_int_eq(viewer.seen.result, TRANSFER_LOST);
    ck_assert_str_eq(viewer.bytes ? viewer.bytes : "", _i == 0 ? "some" : "");
}
END_TEST

/* ---- two at a time ---- */

/* Both have bytes held back and further ones, with the end, in their sockets: curl then brings the rest of both at
 * once. */
static void stall_both(void)
{
    struct viewer *viewers[] = {&viewer, &other};
    int fds[2];
    for (int i = 0; i < 2; i++) {
        viewer_start(viewers[i], NULL);
        viewer_pause(viewers[i]);
        viewers[i]->meddles_after = 4;
        fds[i] = peer_accept();
        peer_say(fds[i], STREAM_HEAD "Content-Length: 8\r\n\r\nsome");
    }
    turn_for(20);
    peer_say(fds[0], "more");
    peer_say(fds[1], "more");
}

START_TEST(a_piece_may_pause_another_stream_whose_end_came_at_the_same_time)
{
    viewer.sleeper = &other;
    other.sleeper = &viewer;
    stall_both();
    viewer_resume(&viewer);
    viewer_resume(&other);
    TURN_UNTIL(viewer.seen.calls + other.seen.calls);
    turn_for(20);
    ck_assert_int_eq(viewer.seen.calls + other.seen.calls, 1);
    struct viewer *sleeper = viewer.seen.calls ? &other : &viewer;
    ck_assert(sleeper->paused);
    ck_assert_uint_le(sleeper->length, 4);
    if (_i == 0) {
        transfer_cancel(&sleeper->transfer);
        return;
    }
    viewer_resume(sleeper);
    TURN_UNTIL(sleeper->seen.calls);
    ck_assert_int_eq(sleeper->seen.result, TRANSFER_ANSWERED);
    ck_assert_str_eq(sleeper->bytes, "somemore");
}
END_TEST

START_TEST(a_piece_may_cancel_another_stream_whose_end_came_at_the_same_time)
{
    viewer.victim = &other;
    other.victim = &viewer;
    stall_both();
    viewer_resume(&viewer);
    viewer_resume(&other);
    TURN_UNTIL(viewer.seen.calls + other.seen.calls);
    turn_for(20);
    ck_assert_int_eq(viewer.seen.calls + other.seen.calls, 1);
    ck_assert_uint_le(viewer.seen.calls ? other.length : viewer.length, 4);
    ck_assert_uint_eq(viewer.seen.calls ? viewer.length : other.length, 8);
}
END_TEST

static Suite *transfer_pause_suite(void)
{
    Suite *suite = suite_create("transfer pause");
    TCase *cases = tcase_create("pauses");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_paused_stream_holds_back_its_sender_and_then_delivers_all);
    tcase_add_loop_test(cases, a_stream_paused_before_its_answer_delivers_nothing_until_resumed, 0, 2);
    tcase_add_test(cases, a_pause_right_after_a_resume_still_holds);
    tcase_add_test(cases, a_paused_stream_that_is_answered_otherwise_ends);
    tcase_add_loop_test(cases, a_paused_stream_may_be_cancelled, 0, 3);
    tcase_add_loop_test(cases, nothing_is_lost_or_doubled_over_many_pauses_with_random_cuts, 0, 18);
    tcase_add_loop_test(cases, a_silent_stream_is_lost, 0, 3);
    tcase_add_test(cases, a_stream_with_a_byte_now_and_then_is_not_silent);
    tcase_add_loop_test(cases, silence_does_not_count_while_paused_and_begins_anew_after_it, 0, 2);
    tcase_add_loop_test(cases, a_piece_may_pause_another_stream_whose_end_came_at_the_same_time, 0, 2);
    tcase_add_test(cases, a_piece_may_cancel_another_stream_whose_end_came_at_the_same_time);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    return suite_run(transfer_pause_suite());
}
