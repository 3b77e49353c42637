/* Kept connections: those that the server closes while nothing is on its way do not stay open for long, and those that
 * a crowd needs are kept. */
#include <check.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "check_main.h"
#include "transfer_fixture.h"

enum { FDS = 256, PATIENCE_MS = 20000 };

static const struct script_answer closing = {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", SCRIPT_CLOSE, 0, 0};
static const struct script_answer keeping = {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", SCRIPT_KEEP, 0, 0};

/* Descriptors of this process that are in this state of TCP's. */
static int count_sockets(int state)
{
    int count = 0;
    for (int fd = 0; fd < FDS; fd++) {
        struct tcp_info info = {0};
        socklen_t size = sizeof info;
        if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_state == state)
            count++;
    }
    return count;
}

static void expect_pruned(void)
{
    int64_t end_ms = clock_now_ms() + PATIENCE_MS;
    while (clock_now_ms() < end_ms && count_sockets(TCP_CLOSE_WAIT) > 0)
        loop_turn(fixture_loop, 100);
    ck_assert_int_eq(count_sockets(TCP_CLOSE_WAIT), 0);
}

START_TEST(what_the_server_has_closed_is_closed_here_too)
{
    struct transfer_request request = fixture_get("/");
    script_server_play(fixture_server, &closing, 1);
    for (size_t round = 1; round <= 2; round++) {
        ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_ANSWERED);
        ck_assert(script_server_await_closed(fixture_server, round));
        ck_assert_int_eq(count_sockets(TCP_CLOSE_WAIT), 1);
        expect_pruned();
    }
    /* Nothing was sent for that. */
    ck_assert_uint_eq(script_server_requests(fixture_server), 2);
    ck_assert_uint_eq(script_server_connections(fixture_server), 2);
}
END_TEST

START_TEST(what_the_server_keeps_is_kept)
{
    struct transfer_request request = fixture_get("/");
    script_server_play(fixture_server, &keeping, 1);
    ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_ANSWERED);
    request.is_on_new = true;
    script_server_play(fixture_server, &closing, 1);
    ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_ANSWERED);
    ck_assert(script_server_await_closed(fixture_server, 1));
    expect_pruned();
    request.is_on_new = false;
    script_server_play(fixture_server, &keeping, 1);
    ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_ANSWERED);
    ck_assert_uint_eq(script_server_connections(fixture_server), 2);
}
END_TEST

/* All kinds are under way at once: curl closes what is beyond the number that it may keep, also while it is needed. */
START_TEST(a_crowd_of_every_kind_goes_through_as_many_connections_as_it_needs)
{
    enum { ACTIVE = 4, EACH = 100, KINDS = 2 };
    static const enum transfer_kind kinds[KINDS] = {TRANSFER_CALL, TRANSFER_CREATE};
    static struct seen seen[EACH * KINDS];
    struct transfer_request request = fixture_get("/");
    script_server_play(fixture_server, &keeping, 1);
    fixture_renew(&(struct transfers_options){.max_active = ACTIVE});
    for (size_t i = 0; i < EACH * KINDS; i++) {
        request.kind = kinds[i % KINDS];
        transfer_start(fixture_transfers, &request, fixture_on_done, &seen[i]);
    }
    for (size_t i = 0; i < EACH * KINDS; i++)
        fixture_run(&seen[i].calls, 1);
    ck_assert_uint_eq(script_server_requests(fixture_server), EACH * KINDS);
    ck_assert_uint_le(script_server_connections(fixture_server), ACTIVE * KINDS);
}
END_TEST

/* The fixture fails the test for what is left. */
START_TEST(a_set_may_be_freed_at_any_moment_of_it)
{
    struct transfer_request request = fixture_get("/");
    script_server_play(fixture_server, &closing, 1);
    ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_ANSWERED);
    ck_assert(script_server_await_closed(fixture_server, 1));
    int64_t end_ms = clock_now_ms() + _i * 500;
    while (clock_now_ms() < end_ms)
        loop_turn(fixture_loop, 50);
}
END_TEST

static Suite *prune_suite(void)
{
    Suite *suite = suite_create("transfer prune");
    TCase *cases = tcase_create("kept connections");
    tcase_add_checked_fixture(cases, fixture_setup, fixture_teardown);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, what_the_server_has_closed_is_closed_here_too);
    tcase_add_test(cases, what_the_server_keeps_is_kept);
    tcase_add_test(cases, a_crowd_of_every_kind_goes_through_as_many_connections_as_it_needs);
    tcase_add_loop_test(cases, a_set_may_be_freed_at_any_moment_of_it, 0, 6);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    return suite_run(prune_suite());
}
