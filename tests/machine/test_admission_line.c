/* Who waits for room: in which order they come in, who may pass whom, and how they give up. */
#include <string.h>

#include "base/clock.h"
#include "check_main.h"
#include "fake_clock.h"
#include "fake_loop.h"
#include "server/admission.h"

enum { START_MS = 5000000, QUEUE_MS = 10000, GUESTS = 24 };

/* One request; `told` counts its callbacks. */
struct guest {
    struct admission_ticket ticket;
    struct admission_wait wait;
    enum admission_answer answer;
    int told;
    struct error error;
};

static struct admission *admission;
static struct loop *loops[2];
static struct admission_room *rooms[2]; /* of two workers */
static struct config config;
static struct route writer, painter;
static struct key alice, bob;
static struct guest guests[GUESTS];
static struct guest *order[GUESTS]; /* who was told that it is in, in this order */
static size_t entered;

/* Takes the place of the configuration's own count, which hand-made snapshots do not have. */
struct config *config_ref(struct config *given)
{
    return given;
}

void config_unref(struct config *given)
{
    (void)given;
}

static void on_turn(void *arg, const struct error *error)
{
    struct guest *guest = arg;
    guest->told++;
    if (error != NULL)
        guest->error = *error;
    else
        order[entered++] = guest;
}

static void setup(void)
{
    fake_clock_set(START_MS);
    admission = admission_new();
    for (int i = 0; i < 2; i++) {
        loops[i] = loop_new();
        rooms[i] = admission_room_new(admission, loops[i]);
    }
    config = (struct config){.max_in_flight = 1000};
    writer = (struct route){.alias = "writer"};
    painter = (struct route){.alias = "painter"};
    alice = (struct key){.name = "alice"};
    bob = (struct key){.name = "bob"};
    memset(guests, 0, sizeof guests);
    for (size_t i = 0; i < GUESTS; i++)
        guests[i].wait = (struct admission_wait){.on_turn = on_turn, .arg = &guests[i]};
    entered = 0;
}

static void leave(struct guest *guest)
{
    admission_forget(&guest->wait);
    admission_leave(admission, &guest->ticket);
}

/* Whoever is left leaves; nothing may be left then. */
static void teardown(void)
{
    for (size_t i = 0; i < GUESTS; i++)
        leave(&guests[i]);
    for (int i = 0; i < 2; i++) {
        admission_room_free(rooms[i]);
        ck_assert_uint_eq(fake_loop_timers(loops[i]), 0);
        loop_free(loops[i]);
    }
    admission_free(admission);
}

/* The turns of both workers. */
static void turn(void)
{
    for (int i = 0; i < 2; i++)
        admission_room_turn(rooms[i]);
}

static void advance(int64_t ms)
{
    /* Both loops share one clock: the first alone moves it, the second runs what is due by then. */
    fake_loop_advance(loops[0], ms);
    fake_loop_advance(loops[1], 0);
    turn();
}

static enum admission_answer come(size_t i, int room, const struct route *route, const struct key *key)
{
    const struct admission_entrant who = {&config, route, key, clock_now_ms() + QUEUE_MS};
    guests[i].answer = admission_line_up(rooms[room], &who, &guests[i].ticket, &guests[i].wait, &guests[i].error);
    return guests[i].answer;
}

static void expect_order(const size_t *numbers, size_t count)
{
    turn();
    ck_assert_uint_eq(entered, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(order[i] == &guests[numbers[i]], "guest %td came in as number %zu, not guest %zu",
                      order[i] - guests, i, numbers[i]);
}

#define EXPECT_ORDER(...)                                                                                              \
    expect_order((const size_t[]){__VA_ARGS__}, sizeof((const size_t[]){__VA_ARGS__}) / sizeof(size_t))

/* ---- one gate ---- */

START_TEST(who_waits_comes_in_in_the_order_of_arrival_over_all_workers)
{
    writer.limits.max_parallel = 1;
    ck_assert_int_eq(come(0, 0, &writer, NULL), ADMISSION_ENTERED);
    for (size_t i = 1; i < GUESTS; i++)
        ck_assert_int_eq(come(i, (int)(i % 2), &writer, NULL), ADMISSION_WAITS);
    for (size_t i = 0; i + 1 < GUESTS; i++) {
        leave(&guests[i]);
        turn();
        ck_assert_uint_eq(entered, i + 1);
        ck_assert_ptr_eq(order[i], &guests[i + 1]);
    }
}
END_TEST

START_TEST(who_lets_another_in_wakes_its_worker)
{
    writer.limits.max_parallel = 1;
    come(0, 0, &writer, NULL);
    come(1, 1, &writer, NULL);
    size_t wakes = fake_loop_wakes(loops[1]);
    leave(&guests[0]);
    ck_assert_uint_eq(fake_loop_wakes(loops[1]), wakes + 1);
    ck_assert_int_eq(guests[1].told, 0); /* on its own worker's turn, not before */
    admission_room_turn(rooms[0]);
    ck_assert_int_eq(guests[1].told, 0);
    admission_room_turn(rooms[1]);
    ck_assert_int_eq(guests[1].told, 1);
}
END_TEST

START_TEST(who_comes_while_others_wait_does_not_take_their_place)
{
    struct error err = {0};
    struct admission_ticket quick = {0};
    writer.limits.max_parallel = 1;
    come(0, 0, &writer, NULL);
    come(1, 0, &writer, NULL);
    leave(&guests[0]);
    ck_assert_int_eq(come(2, 1, &writer, NULL), ADMISSION_WAITS);
    ck_assert(!admission_enter(admission, &config, &writer, NULL, &quick, &err));
    ck_assert_int_eq(err.kind, ERROR_RATE_LIMITED);
    EXPECT_ORDER(1);
}
END_TEST

START_TEST(time_in_line_ends_with_the_error_of_the_limit)
{
    writer.limits.max_parallel = 1;
    come(0, 0, &writer, NULL);
    come(1, 0, &writer, NULL);
    advance(QUEUE_MS - 1);
    ck_assert_int_eq(guests[1].told, 0);
    advance(1);
    ck_assert_int_eq(guests[1].told, 1);
    ck_assert_int_eq(guests[1].error.kind, ERROR_RATE_LIMITED);
    ck_assert_int_gt(guests[1].error.retry_after_ms, 0);
    ck_assert(guests[1].ticket.is_alias_full);
    ck_assert(!admission_is_waiting(&guests[1].wait));
    leave(&guests[0]);
    expect_order(NULL, 0);
}
END_TEST

START_TEST(who_goes_on_under_another_alias_lets_in_who_waits_at_the_old_one)
{
    writer.limits.max_parallel = painter.limits.max_parallel = 1;
    come(0, 0, &writer, NULL);
    ck_assert_int_eq(come(1, 1, &writer, NULL), ADMISSION_WAITS);
    ck_assert(admission_move(admission, &painter, &guests[0].ticket, NULL));
    EXPECT_ORDER(1);
    ck_assert_int_eq(come(2, 0, &painter, NULL), ADMISSION_WAITS);
    ck_assert(!admission_move(admission, &painter, &guests[1].ticket, NULL));
    leave(&guests[0]);
    EXPECT_ORDER(1, 2);
}
END_TEST

START_TEST(who_may_not_wait_is_refused_at_once)
{
    writer.limits.max_parallel = 1;
    come(0, 0, &writer, NULL);
    const struct admission_entrant who = {&config, &writer, NULL, clock_now_ms()};
    ck_assert_int_eq(admission_line_up(rooms[0], &who, &guests[1].ticket, &guests[1].wait, &guests[1].error),
                     ADMISSION_REFUSED);
    ck_assert_int_eq(guests[1].error.kind, ERROR_RATE_LIMITED);
    ck_assert(!guests[1].ticket.is_counted);
}
END_TEST

START_TEST(who_waits_counts_as_in_flight)
{
    config.max_in_flight = 2;
    writer.limits.max_parallel = 1;
    come(0, 0, &writer, NULL);
    come(1, 0, &writer, NULL);
    ck_assert_int_eq(come(2, 0, &painter, NULL), ADMISSION_REFUSED);
    ck_assert_int_eq(guests[2].error.kind, ERROR_OVERLOADED);
    leave(&guests[1]);
    ck_assert_int_eq(come(3, 0, &painter, NULL), ADMISSION_ENTERED);
}
END_TEST

START_TEST(who_leaves_the_line_gives_up_the_place)
{
    writer.limits.max_parallel = 1;
    for (size_t i = 0; i < 4; i++)
        come(i, (int)(i % 2), &writer, NULL);
    leave(&guests[1]);
    leave(&guests[0]);
    EXPECT_ORDER(2);
    ck_assert_int_eq(guests[1].told, 0);
}
END_TEST

/* Let in by another worker, it hangs up before it is told. */
START_TEST(who_leaves_when_just_let_in_passes_the_place_on)
{
    writer.limits = (struct limits){.max_parallel = 1, .requests_per_minute = 3};
    for (size_t i = 0; i < 3; i++)
        come(i, (int)(i % 2), &writer, NULL);
    leave(&guests[0]);
    leave(&guests[1]);
    EXPECT_ORDER(2);
    ck_assert_int_eq(guests[1].told, 0);
    leave(&guests[2]); /* two places of the minute are used up, not three */
    ck_assert_int_eq(come(4, 0, &writer, NULL), ADMISSION_ENTERED);
}
END_TEST

START_TEST(places_of_the_minute_come_back_to_those_who_wait)
{
    writer.limits.requests_per_minute = 60;
    for (size_t i = 0; i < 60; i++) {
        struct admission_ticket ticket = {0};
        ck_assert(admission_enter(admission, &config, &writer, NULL, &ticket, NULL));
        admission_leave(admission, &ticket);
    }
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(come(i, (int)(i % 2), &writer, NULL), ADMISSION_WAITS);
    advance(999);
    expect_order(NULL, 0);
    advance(2);
    EXPECT_ORDER(0);
    advance(1002);
    EXPECT_ORDER(0, 1);
    advance(900);
    EXPECT_ORDER(0, 1);
    advance(102);
    EXPECT_ORDER(0, 1, 2);
}
END_TEST

START_TEST(a_place_that_is_free_before_the_minute_has_one_is_taken_when_it_has)
{
    writer.limits = (struct limits){.max_parallel = 1, .requests_per_minute = 60};
    for (size_t i = 0; i < 59; i++) {
        struct admission_ticket ticket = {0};
        ck_assert(admission_enter(admission, &config, &writer, NULL, &ticket, NULL));
        admission_leave(admission, &ticket);
    }
    ck_assert_int_eq(come(0, 0, &writer, NULL), ADMISSION_ENTERED);
    ck_assert_int_eq(come(1, 1, &writer, NULL), ADMISSION_WAITS); /* for the place, not yet for the minute */
    leave(&guests[0]);
    turn();
    expect_order(NULL, 0);
    advance(1002);
    EXPECT_ORDER(1);
}
END_TEST

/* ---- several gates ---- */

START_TEST(a_line_keeps_nobody_from_other_gates)
{
    writer.limits.max_parallel = painter.limits.max_parallel = 1;
    alice.limits.max_parallel = 2;
    come(0, 0, &writer, &bob);
    ck_assert_int_eq(come(1, 0, &writer, &alice), ADMISSION_WAITS);
    ck_assert_int_eq(come(2, 0, &writer, &alice), ADMISSION_WAITS);
    ck_assert_int_eq(come(3, 0, &writer, &alice), ADMISSION_WAITS);
    ck_assert_int_eq(come(4, 0, &painter, &alice), ADMISSION_ENTERED);
    ck_assert_int_eq(come(5, 0, &painter, &bob), ADMISSION_WAITS);
    leave(&guests[4]);
    EXPECT_ORDER(5);
    leave(&guests[0]);
    EXPECT_ORDER(5, 1);
}
END_TEST

START_TEST(who_has_used_up_a_key_keeps_nobody_from_the_alias)
{
    writer.limits.max_parallel = 2;
    alice.limits.max_parallel = 1;
    come(0, 0, &writer, &alice);
    for (size_t i = 1; i < 5; i++)
        ck_assert_int_eq(come(i, 0, &writer, &alice), ADMISSION_WAITS);
    ck_assert_int_eq(come(5, 0, &writer, &bob), ADMISSION_ENTERED);
    leave(&guests[5]);
    ck_assert_int_eq(come(6, 0, &writer, &bob), ADMISSION_ENTERED);
    leave(&guests[0]);
    EXPECT_ORDER(1);
}
END_TEST

/* Bob's request needs `writer` and his key. Whenever one of them has room the other one has none, for others take
 * turns: he would never come in. */
START_TEST(nobody_loses_more_turns_than_a_few)
{
    size_t writing = 0, painting = 1;
    writer.limits.max_parallel = bob.limits.max_parallel = 1;
    come(0, 0, &writer, NULL);
    come(1, 1, &painter, &bob);
    struct guest *unlucky = &guests[2];
    ck_assert_int_eq(come(2, 0, &writer, &bob), ADMISSION_WAITS);
    size_t next = 3;
    int rounds = 0;
    for (; unlucky->told == 0; rounds++) {
        ck_assert_int_lt(rounds, 4 * ADMISSION_TURNS_TO_LOSE);
        come(next, 0, &writer, NULL); /* behind him, at one gate each */
        come(next + 1, 1, &painter, &bob);
        leave(&guests[writing]);
        turn();
        writing = guests[next].answer == ADMISSION_ENTERED || guests[next].told > 0 ? next : writing;
        leave(&guests[painting]);
        turn();
        painting = guests[next + 1].answer == ADMISSION_ENTERED || guests[next + 1].told > 0 ? next + 1 : painting;
        next += 2;
        ck_assert_uint_lt(next + 1, GUESTS);
    }
    ck_assert_int_ge(rounds, 2); /* others did pass */
    ck_assert_int_eq(unlucky->error.kind, ERROR_NONE);
}
END_TEST

START_TEST(who_keeps_the_turn_and_gives_up_lets_the_others_go_on)
{
    writer.limits.max_parallel = bob.limits.max_parallel = 1;
    come(0, 0, &writer, NULL);
    come(1, 0, &painter, &bob);
    come(2, 0, &writer, &bob);
    guests[2].wait.lost_turns = ADMISSION_TURNS_TO_LOSE - 1;
    leave(&guests[0]); /* its turn at `writer`, but the key is used up: the last that it loses */
    ck_assert_int_eq(come(3, 0, &writer, NULL), ADMISSION_WAITS);
    expect_order(NULL, 0);
    leave(&guests[2]);
    EXPECT_ORDER(3);
}
END_TEST

/* ---- reloads ---- */

START_TEST(a_reload_counts_for_those_who_wait)
{
    struct route reloaded = {.alias = "writer", .limits.max_parallel = 3};
    struct route *routes[] = {&reloaded};
    struct config newer = {.max_in_flight = 1000, .routes = routes, .route_count = 1};
    writer.limits.max_parallel = 1;
    for (size_t i = 0; i < 5; i++)
        come(i, (int)(i % 2), &writer, NULL);
    admission_reload(admission, &newer);
    turn();
    ck_assert_uint_eq(entered, 2);
    reloaded.limits.max_parallel = 1;
    admission_reload(admission, &newer);
    leave(&guests[0]);
    leave(&guests[1]);
    turn();
    ck_assert_uint_eq(entered, 2);
    reloaded.limits.max_parallel = 0;
    admission_reload(admission, &newer);
    turn();
    ck_assert_uint_eq(entered, 4);
}
END_TEST

/* What ends on one worker then lets in nobody on another: they would create what is cancelled at once. */
START_TEST(nobody_is_let_in_once_it_is_closed)
{
    writer.limits.max_parallel = 1;
    come(0, 0, &writer, NULL);
    come(1, 1, &writer, NULL);
    admission_close(admission);
    leave(&guests[0]);
    turn();
    ck_assert_int_eq(guests[1].told, 0);
    advance(QUEUE_MS);
    ck_assert_int_eq(guests[1].told, 1);
    ck_assert_int_eq(guests[1].error.kind, ERROR_SHUTTING_DOWN);
    ck_assert_uint_eq(entered, 0);
}
END_TEST

static Suite *line_suite(void)
{
    Suite *suite = suite_create("admission: the line");
    TCase *tcase = tcase_create("line");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, who_waits_comes_in_in_the_order_of_arrival_over_all_workers);
    tcase_add_test(tcase, who_lets_another_in_wakes_its_worker);
    tcase_add_test(tcase, who_comes_while_others_wait_does_not_take_their_place);
    tcase_add_test(tcase, time_in_line_ends_with_the_error_of_the_limit);
    tcase_add_test(tcase, who_goes_on_under_another_alias_lets_in_who_waits_at_the_old_one);
    tcase_add_test(tcase, who_may_not_wait_is_refused_at_once);
    tcase_add_test(tcase, who_waits_counts_as_in_flight);
    tcase_add_test(tcase, who_leaves_the_line_gives_up_the_place);
    tcase_add_test(tcase, who_leaves_when_just_let_in_passes_the_place_on);
    tcase_add_test(tcase, places_of_the_minute_come_back_to_those_who_wait);
    tcase_add_test(tcase, a_place_that_is_free_before_the_minute_has_one_is_taken_when_it_has);
    tcase_add_test(tcase, a_line_keeps_nobody_from_other_gates);
    tcase_add_test(tcase, who_has_used_up_a_key_keeps_nobody_from_the_alias);
    tcase_add_test(tcase, nobody_loses_more_turns_than_a_few);
    tcase_add_test(tcase, who_keeps_the_turn_and_gives_up_lets_the_others_go_on);
    tcase_add_test(tcase, a_reload_counts_for_those_who_wait);
    tcase_add_test(tcase, nobody_is_let_in_once_it_is_closed);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(line_suite());
}
