/* Many transfers: their order, their end before their time, kept connections, and that a create never goes out twice.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "check_main.h"
#include "transfer_fixture.h"

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static const struct script_answer ok = {OK_ANSWER, SCRIPT_KEEP, 0, 0};
static const struct script_answer silence = {NULL, SCRIPT_KEEP, 0, 0};

/* ---- the queue ---- */

struct tally {
    int calls, answered;
    int order[512]; /* which ended as the how manyth */
};

struct member {
    struct tally *tally;
    int index;
};

static void on_member_done(void *arg, const struct transfer_answer *answer)
{
    struct member *member = arg;
    struct tally *tally = member->tally;
    tally->order[tally->calls++] = member->index;
    if (answer->result == TRANSFER_ANSWERED)
        tally->answered++;
}

static void start_numbered(struct member *members, struct tally *tally, int count)
{
    for (int i = 0; i < count; i++) {
        char path[32];
        snprintf(path, sizeof(path), "/%d", i);
        struct transfer_request request = fixture_get(path);
        members[i] = (struct member){tally, i};
        ck_assert_ptr_nonnull(transfer_start(fixture_transfers, &request, on_member_done, &members[i]));
    }
}

static int number_of_request(size_t position)
{
    const char *request = script_server_request(fixture_server, position);
    ck_assert_ptr_nonnull(request);
    ck_assert_int_eq(strncmp(request, "GET /", 5), 0);
    return (int)strtol(request + 5, NULL, 10);
}

START_TEST(five_hundred_transfers_go_through_sixteen_connections_first_come_first_served)
{
    enum { COUNT = 500, ACTIVE = 16 };
    static struct member members[COUNT];
    static struct tally tally;
    script_server_play(fixture_server, &ok, 1);
    fixture_renew(&(struct transfers_options){.max_active = ACTIVE});
    start_numbered(members, &tally, COUNT);
    ck_assert_uint_eq(transfers_count(fixture_transfers), COUNT);
    ck_assert_int_eq(tally.calls, 0);
    fixture_run(&tally.calls, COUNT);
    ck_assert_int_eq(tally.answered, COUNT);
    ck_assert_uint_eq(script_server_requests(fixture_server), COUNT);
    ck_assert_uint_le(script_server_connections(fixture_server), ACTIVE);
    /* Nobody is let in before all but fifteen of those ahead are through. */
    for (int position = 0; position < COUNT; position++)
        ck_assert_int_le(number_of_request((size_t)position), position + ACTIVE - 1);
}
END_TEST

START_TEST(one_at_a_time_they_go_in_the_order_of_their_starts)
{
    enum { COUNT = 50 };
    static struct member members[COUNT];
    static struct tally tally;
    script_server_play(fixture_server, &ok, 1);
    fixture_renew(&(struct transfers_options){.max_active = 1});
    start_numbered(members, &tally, COUNT);
    fixture_run(&tally.calls, COUNT);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(number_of_request((size_t)i), i);
        ck_assert_int_eq(tally.order[i], i);
    }
    ck_assert_uint_eq(script_server_connections(fixture_server), 1);
}
END_TEST

START_TEST(waiting_in_the_queue_takes_nothing_of_the_time_for_the_transfer)
{
    static const struct script_answer answers[] = {{NULL, SCRIPT_KEEP, 0, 0}, {OK_ANSWER, SCRIPT_KEEP, 0, 0}};
    script_server_play(fixture_server, answers, 2);
    fixture_renew(&(struct transfers_options){.max_active = 1});
    struct seen first = {0}, second = {0};
    struct transfer_request request = fixture_get("/");
    request.timeout_ms = 400;
    transfer_start(fixture_transfers, &request, fixture_on_done, &first);
    request.timeout_ms = 300;
    transfer_start(fixture_transfers, &request, fixture_on_done, &second);
    fixture_run(&second.calls, 1);
    ck_assert_int_eq(first.result, TRANSFER_LOST);
    ck_assert_int_eq(second.result, TRANSFER_ANSWERED);
}
END_TEST

/* ---- starting and cancelling ---- */

static void turn_until_requests(size_t count)
{
    int64_t deadline_ms = clock_now_ms() + 10000;
    while (script_server_requests(fixture_server) < count) {
        ck_assert_int_lt(clock_now_ms(), deadline_ms);
        loop_turn(fixture_loop, 1);
    }
}

START_TEST(calls_that_hang_hold_up_neither_creates_nor_cancels)
{
    struct seen hanging = {0}, queued = {0}, create = {0}, cancel = {0};
    struct transfer_request request = fixture_get("/");
    script_server_play(fixture_server, &silence, 1);
    fixture_renew(&(struct transfers_options){.max_active = 1});
    struct transfer *first = transfer_start(fixture_transfers, &request, fixture_on_done, &hanging);
    turn_until_requests(1);
    script_server_play(fixture_server, &ok, 1);
    struct transfer *second = transfer_start(fixture_transfers, &request, fixture_on_done, &queued);
    request.kind = TRANSFER_CREATE;
    transfer_start(fixture_transfers, &request, fixture_on_done, &create);
    request.kind = TRANSFER_CANCEL;
    transfer_start(fixture_transfers, &request, fixture_on_done, &cancel);
    fixture_run(&create.calls, 1);
    fixture_run(&cancel.calls, 1);
    ck_assert_int_eq(create.result, TRANSFER_ANSWERED);
    ck_assert_int_eq(cancel.result, TRANSFER_ANSWERED);
    ck_assert_int_eq(hanging.calls + queued.calls, 0);
    ck_assert(transfer_is_queued(second));
    transfer_cancel(&second);
    transfer_cancel(&first);
}
END_TEST

START_TEST(of_uploads_four_are_under_way_at_once_and_hold_up_nobody_else)
{
    enum { COUNT = 6, AT_ONCE = 4 };
    struct seen seen = {0}, call = {0};
    struct transfer *uploads[COUNT];
    struct transfer_request request = fixture_post("{}");
    request.kind = TRANSFER_UPLOAD;
    script_server_play(fixture_server, &silence, 1);
    for (int i = 0; i < COUNT; i++) {
        uploads[i] = transfer_start(fixture_transfers, &request, fixture_on_done, &seen);
        ck_assert_int_eq(transfer_is_queued(uploads[i]), i >= AT_ONCE);
    }
    turn_until_requests(AT_ONCE);
    script_server_play(fixture_server, &ok, 1);
    request.kind = TRANSFER_CALL;
    transfer_start(fixture_transfers, &request, fixture_on_done, &call);
    fixture_run(&call.calls, 1);
    ck_assert_int_eq(seen.calls, 0);
    transfer_cancel(&uploads[0]);
    fixture_run(&seen.calls, 2);
    for (int i = 0; i < AT_ONCE; i++)
        transfer_cancel(&uploads[i]);
    ck_assert_uint_eq(script_server_requests(fixture_server), COUNT + 1);
}
END_TEST

START_TEST(a_cancelled_transfer_says_nothing_more_whether_active_or_queued)
{
    struct seen active = {0}, queued = {0}, last = {0};
    struct transfer_request request = fixture_get("/");
    script_server_play(fixture_server, &silence, 1);
    fixture_renew(&(struct transfers_options){.max_active = 1});
    struct transfer *first = transfer_start(fixture_transfers, &request, fixture_on_done, &active);
    struct transfer *second = transfer_start(fixture_transfers, &request, fixture_on_done, &queued);
    transfer_start(fixture_transfers, &request, fixture_on_done, &last);
    turn_until_requests(1);
    script_server_play(fixture_server, &ok, 1);
    transfer_cancel(&second);
    ck_assert_ptr_null(second);
    ck_assert_uint_eq(transfers_count(fixture_transfers), 2);
    transfer_cancel(&first);
    ck_assert_ptr_null(first);
    transfer_cancel(&first);
    fixture_run(&last.calls, 1);
    ck_assert_int_eq(last.result, TRANSFER_ANSWERED);
    ck_assert_int_eq(active.calls + queued.calls, 0);
    ck_assert_uint_eq(script_server_requests(fixture_server), 2);
    /* The connection of the cancelled one cannot be used for another, so it is closed at once. */
    ck_assert(script_server_await_closed(fixture_server, 1));
}
END_TEST

START_TEST(a_transfer_can_be_cancelled_at_once_after_its_start)
{
    struct seen seen = {0};
    struct transfer_request request = fixture_get("/");
    struct transfer *transfer = transfer_start(fixture_transfers, &request, fixture_on_done, &seen);
    transfer_cancel(&transfer);
    ck_assert_uint_eq(transfers_count(fixture_transfers), 0);
    for (int i = 0; i < 5; i++)
        loop_turn(fixture_loop, 1);
    ck_assert_int_eq(seen.calls, 0);
}
END_TEST

struct pair {
    struct transfer *transfers[2];
    int calls;
};

static void on_pair_done(void *arg, const struct transfer_answer *answer)
{
    (void)answer;
    struct pair *pair = arg;
    pair->calls++;
    /* One of them is this one's own, whose end is already here. */
    transfer_cancel(&pair->transfers[0]);
    transfer_cancel(&pair->transfers[1]);
}

START_TEST(a_done_may_cancel_the_other_and_itself)
{
    struct pair pair = {.calls = 0};
    struct seen seen = {0};
    struct transfer_request request = fixture_get("/");
    script_server_play(fixture_server, &ok, 1);
    fixture_renew(&(struct transfers_options){.max_active = _i == 0 ? 1 : 2});
    for (int i = 0; i < 2; i++)
        pair.transfers[i] = transfer_start(fixture_transfers, &request, on_pair_done, &pair);
    transfer_start(fixture_transfers, &request, fixture_on_done, &seen);
    fixture_run(&seen.calls, 1);
    ck_assert_int_eq(pair.calls, 1);
    ck_assert_uint_eq(transfers_count(fixture_transfers), 0);
}
END_TEST

struct chain {
    int calls, length;
    bool inside_start;
};

static void on_chain_done(void *arg, const struct transfer_answer *answer)
{
    struct chain *chain = arg;
    (void)answer;
    ck_assert(!chain->inside_start);
    if (++chain->calls == chain->length)
        return;
    struct transfer_request request = fixture_get("/");
    chain->inside_start = true;
    transfer_start(fixture_transfers, &request, on_chain_done, chain);
    chain->inside_start = false;
}

START_TEST(a_done_may_start_the_next_one_and_all_share_a_connection)
{
    struct chain chain = {.length = 100};
    struct transfer_request request = fixture_get("/");
    script_server_play(fixture_server, &ok, 1);
    transfer_start(fixture_transfers, &request, on_chain_done, &chain);
    fixture_run(&chain.calls, chain.length);
    ck_assert_uint_eq(script_server_requests(fixture_server), 100);
    /* The next begins while its forerunner's connection is just becoming free. */
    ck_assert_uint_le(script_server_connections(fixture_server), 2);
}
END_TEST

START_TEST(whoever_waits_goes_before_whom_a_done_starts)
{
    struct chain chain = {.length = 2};
    struct seen waiting = {0};
    script_server_play(fixture_server, &ok, 1);
    fixture_renew(&(struct transfers_options){.max_active = 1});
    struct transfer_request request = fixture_get("/chain");
    transfer_start(fixture_transfers, &request, on_chain_done, &chain);
    request = fixture_get("/waiting");
    transfer_start(fixture_transfers, &request, fixture_on_done, &waiting);
    fixture_run(&chain.calls, 2);
    ck_assert_int_eq(waiting.calls, 1);
    ck_assert_ptr_nonnull(strstr(script_server_request(fixture_server, 1), "/waiting"));
}
END_TEST

/* ---- kept connections ---- */

START_TEST(a_connection_is_kept_and_closed_with_the_set)
{
    script_server_play(fixture_server, &ok, 1);
    struct transfer_request request = fixture_get("/");
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_ANSWERED);
    ck_assert_uint_eq(script_server_connections(fixture_server), 1);
    fixture_renew(&(struct transfers_options){.max_active = 1});
    ck_assert(script_server_await_closed(fixture_server, 1));
}
END_TEST

START_TEST(a_kept_connection_that_the_server_closes_does_not_keep_the_loop_busy)
{
    static const struct script_answer closing = {OK_ANSWER, SCRIPT_CLOSE, 0, 0};
    script_server_play(fixture_server, &closing, 1);
    struct transfer_request request = fixture_get("/");
    fixture_fetch(&request);
    ck_assert(script_server_await_closed(fixture_server, 1));
    int turns = 0;
    for (int64_t end_ms = clock_now_ms() + 60; clock_now_ms() < end_ms; turns++)
        loop_turn(fixture_loop, 60);
    ck_assert_int_le(turns, 5);
}
END_TEST

/* Fetches once, so that a connection is kept, then lets the server answer by `answers`. */
static void keep_a_connection(const struct script_answer *answers, size_t count)
{
    struct transfer_request request = fixture_get("/first");
    script_server_play(fixture_server, &ok, 1);
    ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_ANSWERED);
    script_server_play(fixture_server, answers, count);
}

static const struct script_answer deaths[][2] = {
    {{NULL, SCRIPT_CLOSE, 0, 0}, {OK_ANSWER, SCRIPT_KEEP, 0, 0}},
    {{NULL, SCRIPT_RESET, 0, 0}, {OK_ANSWER, SCRIPT_KEEP, 0, 0}},
};

START_TEST(a_create_goes_out_once_when_its_kept_connection_dies)
{
    keep_a_connection(deaths[_i], 2);
    size_t received = script_server_received(fixture_server);
    struct transfer_request request = fixture_post("{\"input\":1}");
    request.never_repeat = true;
    struct seen seen = fixture_fetch(&request);
    ck_assert_int_eq(seen.result, TRANSFER_LOST);
    ck_assert_uint_eq(script_server_requests(fixture_server), 2);
    /* Not even in part: all that came is this one request. */
    received = script_server_received(fixture_server) - received;
    ck_assert_uint_eq(received, strlen(script_server_request(fixture_server, 1)));
    ck_assert_ptr_nonnull(strstr(script_server_request(fixture_server, 1), "{\"input\":1}"));
}
END_TEST

/* The counterpart, which shows that it is never_repeat that keeps a create from going out again. */
START_TEST(what_may_be_repeated_is_repeated_when_its_kept_connection_dies)
{
    keep_a_connection(deaths[_i], 2);
    struct transfer_request request = fixture_post("{\"input\":1}");
    ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_ANSWERED);
    ck_assert_uint_eq(script_server_requests(fixture_server), 3);
    ck_assert_uint_eq(script_server_connections(fixture_server), 2);
}
END_TEST

START_TEST(a_bodyless_post_that_must_not_be_repeated_is_not)
{
    keep_a_connection(deaths[_i], 2);
    struct transfer_request request = fixture_post("");
    request.never_repeat = true;
    ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_LOST);
    ck_assert_uint_eq(script_server_requests(fixture_server), 2);
}
END_TEST

START_TEST(what_asks_for_a_new_connection_gets_one)
{
    keep_a_connection(&ok, 1);
    struct transfer_request request = fixture_post("");
    ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_ANSWERED);
    ck_assert_uint_eq(script_server_connections(fixture_server), 1);
    request.is_on_new = true;
    ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_ANSWERED);
    ck_assert_uint_eq(script_server_connections(fixture_server), 2);
}
END_TEST

START_TEST(a_create_that_is_cut_while_it_goes_out_is_lost)
{
    enum { MORE_THAN_THE_SERVER_TAKES = 9 << 20 };
    char *body = xmalloc(MORE_THAN_THE_SERVER_TAKES);
    memset(body, 'x', MORE_THAN_THE_SERVER_TAKES);
    body[MORE_THAN_THE_SERVER_TAKES - 1] = '\0';
    keep_a_connection(&ok, 1);
    struct transfer_request request = fixture_post(body);
    request.never_repeat = true;
    ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_LOST);
    ck_assert_uint_eq(script_server_requests(fixture_server), 1);
    /* Both heads are small; a body that had begun again would show. */
    ck_assert_uint_le(script_server_received(fixture_server), MORE_THAN_THE_SERVER_TAKES + 1000);
    free(body);
}
END_TEST

START_TEST(a_create_succeeds_when_the_server_closed_the_kept_connection_before)
{
    static const struct script_answer answers[] = {{OK_ANSWER, SCRIPT_CLOSE, 0, 0}, {OK_ANSWER, SCRIPT_KEEP, 0, 0}};
    script_server_play(fixture_server, answers, 2);
    struct transfer_request request = fixture_post("{}");
    request.never_repeat = true;
    ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_ANSWERED);
    ck_assert(script_server_await_closed(fixture_server, 1));
    loop_turn(fixture_loop, 0); /* as any idle worker would at once */
    ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_ANSWERED);
    ck_assert_uint_eq(script_server_connections(fixture_server), 2);
    ck_assert_uint_eq(script_server_requests(fixture_server), 2);
}
END_TEST

START_TEST(a_server_that_closed_before_and_is_gone_is_unreachable)
{
    static const struct script_answer quitting = {OK_ANSWER, SCRIPT_QUIT, 0, 0};
    script_server_play(fixture_server, &quitting, 1);
    struct transfer_request request = fixture_post("{}");
    request.never_repeat = true;
    ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_ANSWERED);
    ck_assert(script_server_await_closed(fixture_server, 1));
    loop_turn(fixture_loop, 0); /* as any idle worker would at once */
    ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_UNREACHABLE);
}
END_TEST

START_TEST(a_server_that_took_the_request_and_is_gone_is_not_unreachable)
{
    static const struct script_answer quitting = {NULL, SCRIPT_QUIT, 0, 0};
    keep_a_connection(&quitting, 1);
    /* Curl connects again by itself and is refused, but the first attempt did arrive. */
    struct transfer_request request = fixture_post("{}");
    request.never_repeat = _i == 1;
    ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_LOST);
    ck_assert_uint_eq(script_server_requests(fixture_server), 2);
}
END_TEST

static TCase *queue_cases(void)
{
    TCase *cases = tcase_create("queue");
    tcase_add_checked_fixture(cases, fixture_setup, fixture_teardown);
    tcase_set_timeout(cases, 30);
    tcase_add_test(cases, five_hundred_transfers_go_through_sixteen_connections_first_come_first_served);
    tcase_add_test(cases, one_at_a_time_they_go_in_the_order_of_their_starts);
    tcase_add_test(cases, waiting_in_the_queue_takes_nothing_of_the_time_for_the_transfer);
    tcase_add_test(cases, calls_that_hang_hold_up_neither_creates_nor_cancels);
    tcase_add_test(cases, of_uploads_four_are_under_way_at_once_and_hold_up_nobody_else);
    tcase_add_test(cases, a_cancelled_transfer_says_nothing_more_whether_active_or_queued);
    tcase_add_test(cases, a_transfer_can_be_cancelled_at_once_after_its_start);
    tcase_add_loop_test(cases, a_done_may_cancel_the_other_and_itself, 0, 2);
    tcase_add_test(cases, a_done_may_start_the_next_one_and_all_share_a_connection);
    tcase_add_test(cases, whoever_waits_goes_before_whom_a_done_starts);
    return cases;
}

static TCase *connection_cases(void)
{
    TCase *cases = tcase_create("kept connections");
    tcase_add_checked_fixture(cases, fixture_setup, fixture_teardown);
    tcase_set_timeout(cases, 30);
    tcase_add_test(cases, a_connection_is_kept_and_closed_with_the_set);
    tcase_add_test(cases, a_kept_connection_that_the_server_closes_does_not_keep_the_loop_busy);
    tcase_add_loop_test(cases, a_create_goes_out_once_when_its_kept_connection_dies, 0, 2);
    tcase_add_loop_test(cases, what_may_be_repeated_is_repeated_when_its_kept_connection_dies, 0, 2);
    tcase_add_loop_test(cases, a_bodyless_post_that_must_not_be_repeated_is_not, 0, 2);
    tcase_add_test(cases, what_asks_for_a_new_connection_gets_one);
    tcase_add_test(cases, a_create_that_is_cut_while_it_goes_out_is_lost);
    tcase_add_test(cases, a_create_succeeds_when_the_server_closed_the_kept_connection_before);
    tcase_add_test(cases, a_server_that_closed_before_and_is_gone_is_unreachable);
    tcase_add_loop_test(cases, a_server_that_took_the_request_and_is_gone_is_not_unreachable, 0, 2);
    return cases;
}

static Suite *transfer_queue_suite(void)
{
    Suite *suite = suite_create("transfer queue");
    suite_add_tcase(suite, queue_cases());
    suite_add_tcase(suite, connection_cases());
    return suite;
}

int main(void)
{
    return suite_run(transfer_queue_suite());
}
