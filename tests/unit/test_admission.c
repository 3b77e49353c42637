/* Who may come in: each limit alone, several at once, and that every place is given back exactly once. */
#include "server/admission.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "check_main.h"

static struct admission *admission;
static struct config config;
static struct route route;
static struct key key;
static struct error err;

static void setup(void)
{
    admission = admission_new();
    config = (struct config){.max_in_flight = 1000};
    route = (struct route){.alias = "writer"};
    key = (struct key){.name = "alice"};
    err = (struct error){0};
}

static void teardown(void)
{
    admission_free(admission);
}

static bool enter_as(const struct route *by, const struct key *with, struct admission_ticket *ticket)
{
    *ticket = (struct admission_ticket){0};
    return admission_enter(admission, &config, by, with, ticket, &err);
}

static bool enter(struct admission_ticket *ticket)
{
    return enter_as(&route, &key, ticket);
}

/* With room for one, one comes in and a second does not. */
static void expect_nobody_in(void)
{
    struct admission_ticket first, second;
    const struct route plain = {.alias = "plain"};
    config.max_in_flight = 1;
    config.limits = (struct limits){0};
    ck_assert(enter_as(&plain, NULL, &first));
    ck_assert(!enter_as(&plain, NULL, &second));
    admission_leave(admission, &first);
}

static void expect_limited(void)
{
    ck_assert_int_eq(err.kind, ERROR_RATE_LIMITED);
    ck_assert_int_gt(err.retry_after_ms, 0);
}

/* The three things that can have limits: the daemon, the alias, the key. */
enum { GATES = 3 };

static struct limits *limits_of(int gate)
{
    struct limits *const all[GATES] = {&config.limits, &route.limits, &key.limits};
    return all[gate];
}

static const char *const gate_names[GATES] = {"(all)", "(model writer)", "(key alice)"};

START_TEST(without_limits_everybody_enters)
{
    struct admission_ticket tickets[200];
    for (size_t i = 0; i < 200; i++)
        ck_assert(enter(&tickets[i]));
    for (size_t i = 0; i < 200; i++)
        admission_leave(admission, &tickets[i]);
    expect_nobody_in();
}
END_TEST

START_TEST(the_daemon_takes_so_many_requests_and_no_more)
{
    struct admission_ticket first, second, third;
    config.max_in_flight = 2;
    ck_assert(enter(&first));
    ck_assert(enter_as(&route, NULL, &second));
    /* Being refused uses nothing up, however often. */
    for (int i = 0; i < 3; i++) {
        ck_assert(!enter(&third));
        ck_assert_int_eq(err.kind, ERROR_OVERLOADED);
        ck_assert_int_gt(err.retry_after_ms, 0);
        ck_assert(!third.is_counted);
    }
    admission_leave(admission, &first);
    ck_assert(enter(&third));
    admission_leave(admission, &second);
    admission_leave(admission, &third);
    expect_nobody_in();
}
END_TEST

START_TEST(a_ticket_is_good_once)
{
    struct admission_ticket ticket, other, never = {0};
    limits_of(_i)->max_parallel = 2;
    ck_assert(enter(&ticket));
    ck_assert(enter(&other));
    admission_leave(admission, &ticket);
    admission_leave(admission, &ticket);
    admission_leave(admission, &never);
    ck_assert(enter(&ticket));
    struct admission_ticket third;
    ck_assert(!enter(&third));
    admission_leave(admission, &third);
    admission_leave(admission, &ticket);
    admission_leave(admission, &other);
    expect_nobody_in();
}
END_TEST

START_TEST(so_many_are_in_at_the_same_time_and_no_more)
{
    struct admission_ticket first, second;
    limits_of(_i)->max_parallel = 1;
    ck_assert(enter(&first));
    for (int i = 0; i < 2; i++) {
        ck_assert(!enter(&second));
        expect_limited();
        ck_assert_ptr_nonnull(strstr(err.message, gate_names[_i]));
        /* It is none, and clients treat one differently. */
        ck_assert_ptr_null(strstr(err.message, "rate limit"));
    }
    admission_leave(admission, &first);
    ck_assert(enter(&second));
    admission_leave(admission, &second);
    expect_nobody_in();
}
END_TEST

START_TEST(so_many_enter_a_minute_and_no_more)
{
    struct admission_ticket ticket;
    limits_of(_i)->requests_per_minute = 3;
    for (int i = 0; i < 3; i++) {
        ck_assert(enter(&ticket));
        admission_leave(admission, &ticket);
    }
    ck_assert(!enter(&ticket));
    expect_limited();
    ck_assert_int_le(err.retry_after_ms, 20001);
    ck_assert_ptr_nonnull(strstr(err.message, gate_names[_i]));
    expect_nobody_in();
}
END_TEST

/* Bit by bit, which of the three gates have a limit. */
START_TEST(the_narrowest_of_several_limits_counts)
{
    struct admission_ticket tickets[4];
    int narrowest = 4;
    for (int gate = 0; gate < GATES; gate++)
        if (_i & (1 << gate)) {
            limits_of(gate)->max_parallel = gate + 1;
            narrowest = narrowest < gate + 1 ? narrowest : gate + 1;
        }
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(enter(&tickets[i]), i < narrowest);
    for (int i = 0; i < 4; i++)
        admission_leave(admission, &tickets[i]);
    ck_assert(enter(&tickets[0]));
    admission_leave(admission, &tickets[0]);
    expect_nobody_in();
}
END_TEST

START_TEST(who_is_refused_at_one_gate_uses_up_nothing_at_the_others)
{
    const struct key bob = {.name = "bob", .limits = {.max_parallel = 1}};
    struct admission_ticket first, refused, second;
    config.limits = (struct limits){.requests_per_minute = 2, .max_parallel = 2};
    route.limits = (struct limits){.requests_per_minute = 2, .max_parallel = 2};
    key.limits.max_parallel = 1;
    ck_assert(enter(&first));
    for (int i = 0; i < 5; i++) {
        ck_assert(!enter(&refused));
        ck_assert_ptr_nonnull(strstr(err.message, "(key alice)"));
        admission_leave(admission, &refused);
    }
    ck_assert(enter_as(&route, &bob, &second));
    admission_leave(admission, &first);
    admission_leave(admission, &second);
    expect_nobody_in();
}
END_TEST

START_TEST(each_alias_and_each_key_has_limits_of_its_own)
{
    const struct route painter = {.alias = "painter", .limits = {.max_parallel = 1}};
    const struct key bob = {.name = "bob", .limits = {.max_parallel = 1}};
    struct admission_ticket tickets[2], refused;
    route.limits.max_parallel = key.limits.max_parallel = 1;
    ck_assert(enter(&tickets[0]));
    ck_assert(!enter_as(&painter, &key, &refused));
    ck_assert(!enter_as(&route, &bob, &refused));
    ck_assert(enter_as(&painter, &bob, &tickets[1]));
    admission_leave(admission, &tickets[0]);
    admission_leave(admission, &tickets[1]);
}
END_TEST

START_TEST(an_alias_and_a_key_of_the_same_name_are_two_things)
{
    struct admission_ticket first, second;
    struct route other = {.alias = "other"};
    key.name = route.alias;
    route.limits.max_parallel = key.limits.max_parallel = 1;
    ck_assert(enter_as(&other, &key, &first));
    ck_assert(enter_as(&route, NULL, &second));
    admission_leave(admission, &first);
    admission_leave(admission, &second);
}
END_TEST

/* ---- reloads: the same names in another snapshot ---- */

START_TEST(who_is_in_stays_counted_over_a_reload)
{
    struct admission_ticket first, second, third;
    char alias[] = "writer";
    route.limits.max_parallel = 2;
    const struct route reloaded = {.alias = alias, .limits = {.max_parallel = 1}};
    ck_assert(enter(&first));
    ck_assert(enter(&second));
    ck_assert(!enter_as(&reloaded, &key, &third));
    admission_leave(admission, &first);
    ck_assert(!enter_as(&reloaded, &key, &third));
    admission_leave(admission, &second);
    ck_assert(enter_as(&reloaded, &key, &third));
    admission_leave(admission, &third);
    expect_nobody_in();
}
END_TEST

START_TEST(who_came_in_without_a_limit_owes_nothing_to_a_later_one)
{
    struct admission_ticket before, first, second;
    ck_assert(enter(&before));
    route.limits.max_parallel = 1;
    ck_assert(enter(&first));
    admission_leave(admission, &before);
    ck_assert(!enter(&second));
    admission_leave(admission, &first);
    ck_assert(enter(&second));
    admission_leave(admission, &second);
    expect_nobody_in();
}
END_TEST

START_TEST(a_limit_that_is_lifted_lets_everybody_in)
{
    struct admission_ticket first, second;
    route.limits.max_parallel = 1;
    ck_assert(enter(&first));
    route.limits.max_parallel = 0;
    ck_assert(enter(&second));
    admission_leave(admission, &first);
    admission_leave(admission, &second);
    expect_nobody_in();
}
END_TEST

/* ---- many workers ---- */

enum { THREADS = 4, ROUNDS = 2000 };

static size_t entered[THREADS];
static bool exceeded[THREADS];
static _Atomic int inside;

static void *come_and_go(void *arg)
{
    size_t me = (size_t)((size_t *)arg - entered);
    for (int i = 0; i < ROUNDS; i++) {
        struct admission_ticket ticket = {0};
        struct error why;
        if (!admission_enter(admission, &config, &route, &key, &ticket, &why))
            continue;
        entered[me]++;
        exceeded[me] |= ++inside > 2;
        inside--;
        admission_leave(admission, &ticket);
    }
    return NULL;
}

static void setup_threads(void)
{
    pthread_t threads[THREADS];
    setup();
    route.limits.max_parallel = 2;
    memset(entered, 0, sizeof entered);
    memset(exceeded, 0, sizeof exceeded);
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go, &entered[i]), 0);
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}

START_TEST(several_workers_together_keep_to_the_limit)
{
    struct admission_ticket tickets[2], third;
    size_t all = 0; /* one thread alone may find the place taken at every one of its tries */
    for (size_t i = 0; i < THREADS; i++) {
        all += entered[i];
        ck_assert(!exceeded[i]);
    }
    ck_assert_uint_gt(all, 0);
    ck_assert(enter(&tickets[0]));
    ck_assert(enter(&tickets[1]));
    ck_assert(!enter(&third));
    admission_leave(admission, &tickets[0]);
    admission_leave(admission, &tickets[1]);
    expect_nobody_in();
}
END_TEST

static const struct limits one_at_a_time = {.max_parallel = 1};

static void *enter_elsewhere(void *arg)
{
    int64_t until_ms = *(int64_t *)arg + 20;
    while (clock_now_ms() < until_ms)
        (void)poll(NULL, 0, 1);
    struct admission_ticket ticket;
    bool is_in = enter(&ticket);
    admission_leave(admission, &ticket);
    return is_in ? admission : NULL;
}

/* Its time stands still for a while; another worker is ahead of it. */
START_TEST(a_worker_whose_time_stands_takes_nothing_away)
{
    struct admission_ticket ticket;
    pthread_t other;
    void *is_in;
    key.limits.requests_per_minute = 2;
    clock_stand();
    int64_t now_ms = clock_now_ms();
    ck_assert_int_eq(pthread_create(&other, NULL, enter_elsewhere, &now_ms), 0);
    ck_assert_int_eq(pthread_join(other, &is_in), 0);
    ck_assert_ptr_nonnull(is_in);
    ck_assert(enter(&ticket));
    clock_run();
    admission_leave(admission, &ticket);
    ck_assert(!enter(&ticket));
}
END_TEST

START_TEST(a_request_that_moves_changes_its_alias_and_nothing_else)
{
    const struct route other = {.alias = "helper", .limits = one_at_a_time}, plain = {.alias = "plain"};
    struct admission_ticket ticket, next;
    route.limits = key.limits = config.limits = one_at_a_time;
    ck_assert(enter(&ticket));
    ck_assert(admission_move(admission, &other, &ticket, &err));
    key.limits = config.limits = (struct limits){0};
    ck_assert(enter_as(&route, NULL, &next)); /* its old place is free */
    admission_leave(admission, &next);
    ck_assert(!enter_as(&other, NULL, &next));
    expect_limited();
    key.limits = one_at_a_time;
    ck_assert(!enter_as(&plain, &key, &next)); /* it still counts for its key */
    ck_assert(!next.is_alias_full);
    ck_assert(admission_move(admission, &plain, &ticket, &err));
    ck_assert(enter_as(&other, NULL, &next));
    admission_leave(admission, &next);
    admission_leave(admission, &ticket);
    ck_assert(enter_as(&route, &key, &ticket));
    admission_leave(admission, &ticket);
    expect_nobody_in();
}
END_TEST

START_TEST(a_move_that_finds_no_room_changes_nothing)
{
    const struct route other = {.alias = "helper", .limits = one_at_a_time};
    struct admission_ticket ticket, there, next;
    route.limits = one_at_a_time;
    ck_assert(enter_as(&other, NULL, &there));
    ck_assert(enter_as(&route, NULL, &ticket));
    ck_assert(!admission_move(admission, &other, &ticket, &err));
    expect_limited();
    ck_assert(!enter_as(&route, NULL, &next));
    ck_assert(next.is_alias_full);
    admission_leave(admission, &ticket);
    admission_leave(admission, &there);
    expect_nobody_in();
}
END_TEST

static Suite *admission_suite(void)
{
    Suite *suite = suite_create("admission");
    TCase *limits = tcase_create("limits"), *threads = tcase_create("threads");
    tcase_add_checked_fixture(limits, setup, teardown);
    tcase_add_test(limits, without_limits_everybody_enters);
    tcase_add_test(limits, the_daemon_takes_so_many_requests_and_no_more);
    tcase_add_loop_test(limits, a_ticket_is_good_once, 0, GATES);
    tcase_add_loop_test(limits, so_many_are_in_at_the_same_time_and_no_more, 0, GATES);
    tcase_add_loop_test(limits, so_many_enter_a_minute_and_no_more, 0, GATES);
    tcase_add_loop_test(limits, the_narrowest_of_several_limits_counts, 0, 1 << GATES);
    tcase_add_test(limits, who_is_refused_at_one_gate_uses_up_nothing_at_the_others);
    tcase_add_test(limits, each_alias_and_each_key_has_limits_of_its_own);
    tcase_add_test(limits, an_alias_and_a_key_of_the_same_name_are_two_things);
    tcase_add_test(limits, who_is_in_stays_counted_over_a_reload);
    tcase_add_test(limits, who_came_in_without_a_limit_owes_nothing_to_a_later_one);
    tcase_add_test(limits, a_limit_that_is_lifted_lets_everybody_in);
    tcase_add_test(limits, a_request_that_moves_changes_its_alias_and_nothing_else);
    tcase_add_test(limits, a_move_that_finds_no_room_changes_nothing);
    suite_add_tcase(suite, limits);
    tcase_add_checked_fixture(threads, setup_threads, teardown);
    tcase_add_test(threads, several_workers_together_keep_to_the_limit);
    tcase_add_test(threads, a_worker_whose_time_stands_takes_nothing_away);
    suite_add_tcase(suite, threads);
    return suite;
}

int main(void)
{
    return suite_run(admission_suite());
}
