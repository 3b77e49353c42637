/* The table by which a client's retry finds its running prediction. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "check_main.h"
#include "replicate/joins.h"

static struct joins *joins;

static void setup(void)
{
    joins = joins_new();
}

static void teardown(void)
{
    joins_free(joins);
}

/* A request with this body and Idempotency-Key (NULL = none), at this time. */
static struct join_request request(const char *body, const char *key, bool is_retry, int64_t now_ms)
{
    struct join_request made = {
        .identity = {.has_key = key != NULL, .is_retry = is_retry}, .choices = 1, .now_ms = now_ms};
    struct hash hash;
    joins_hash_init(joins, &hash);
    hash_add_text(&hash, body);
    hash_end(&hash, made.identity.body);
    joins_hash_init(joins, &hash);
    hash_add_text(&hash, key);
    hash_end(&hash, made.identity.key);
    made.deadline_ms = now_ms + 10000;
    return made;
}

static enum join_result enter(struct join **join, const char *body, const char *key, bool is_retry)
{
    struct join_request made = request(body, key, is_retry, 1000);
    return joins_enter(joins, &made, join);
}

static enum join_state look(struct join *join, char id[JOIN_ID_BYTES])
{
    char ids[1][JOIN_ID_BYTES] = {""};
    struct error error = {0};
    enum join_state state = join_look(join, ids, &error);
    snprintf(id, JOIN_ID_BYTES, "%s", ids[0]);
    return state;
}

START_TEST(a_retry_finds_the_prediction_of_the_first_try)
{
    struct join *first, *second;
    char id[JOIN_ID_BYTES];
    ck_assert_int_eq(enter(&first, "a", NULL, false), JOIN_FIRST);
    ck_assert_int_eq(enter(&second, "a", NULL, true), JOIN_SECOND);
    ck_assert_ptr_eq(first, second);
    ck_assert_int_eq(look(second, id), JOIN_WAITING);
    join_created(first, 0, "pred-1");
    ck_assert_int_eq(look(second, id), JOIN_RUNNING);
    ck_assert_str_eq(id, "pred-1");
    join_leave(&first);
    join_leave(&second);
}
END_TEST

START_TEST(equal_first_tries_stay_apart)
{
    struct join *first, *second;
    ck_assert_int_eq(enter(&first, "a", NULL, false), JOIN_FIRST);
    ck_assert_int_eq(enter(&second, "a", NULL, false), JOIN_FIRST);
    ck_assert_ptr_ne(first, second);
    join_leave(&first);
    join_leave(&second);
}
END_TEST

START_TEST(another_body_is_another_request)
{
    struct join *first, *second;
    enter(&first, "a", NULL, false);
    ck_assert_int_eq(enter(&second, "b", NULL, true), JOIN_FIRST);
    join_leave(&first);
    join_leave(&second);
}
END_TEST

START_TEST(an_equal_key_joins_a_first_try_too)
{
    struct join *first, *second;
    enter(&first, "a", "key", false);
    ck_assert_int_eq(enter(&second, "a", "key", false), JOIN_SECOND);
    join_leave(&first);
    join_leave(&second);
}
END_TEST

START_TEST(a_key_with_another_body_is_a_conflict)
{
    struct join *first, *second;
    enter(&first, "a", "key", false);
    ck_assert_int_eq(enter(&second, "b", "key", true), JOIN_CONFLICT);
    ck_assert_ptr_null(second);
    join_leave(&first);
}
END_TEST

START_TEST(a_retry_takes_the_place_of_the_try_whose_client_has_left)
{
    struct join *stays, *leaves, *kept, *retry;
    enter(&stays, "a", NULL, false);
    enter(&leaves, "a", NULL, false);
    kept = leaves;
    join_ref(kept);
    join_leave(&leaves);
    ck_assert_int_eq(enter(&retry, "a", NULL, true), JOIN_SECOND);
    ck_assert_ptr_eq(retry, kept);
    join_leave(&retry);
    join_leave(&stays);
    join_unref(kept);
}
END_TEST

START_TEST(what_somebody_waits_for_is_not_cancelled)
{
    struct join *first, *second, *third;
    enter(&first, "a", NULL, false);
    enter(&second, "a", NULL, true);
    ck_assert(!join_may_cancel(first, 1));
    struct join *held = join_ref(first);
    join_leave(&first);
    ck_assert(!join_may_cancel(held, 0));
    ck_assert(join_may_cancel(held, 1));
    /* From now on nobody comes in. */
    ck_assert_int_eq(enter(&third, "a", NULL, true), JOIN_FIRST);
    join_leave(&second);
    join_leave(&third);
    join_unref(held);
    ck_assert(join_may_cancel(NULL, 0));
}
END_TEST

START_TEST(an_error_is_told_to_the_retry_unless_it_may_be_tried_anew)
{
    struct join *first, *second;
    struct error error = {0}, told = {0};
    char ids[1][JOIN_ID_BYTES];
    enter(&first, "a", NULL, false);
    error_set(&error, ERROR_PREDICTION_FAILED, NULL, "It failed.");
    join_ended(first, &error, 2000);
    ck_assert_int_eq(enter(&second, "a", NULL, true), JOIN_SECOND);
    ck_assert_int_eq(join_look(second, ids, &told), JOIN_FAILED);
    ck_assert_str_eq(told.message, "It failed.");
    join_leave(&first);
    join_leave(&second);
    enter(&first, "b", NULL, false);
    enter(&second, "b", NULL, true);
    error_set(&error, ERROR_UPSTREAM_TRANSIENT, NULL, "Later.");
    join_ended(first, &error, 2000);
    ck_assert_int_eq(join_look(second, ids, &told), JOIN_GONE);
    join_leave(&second);
    ck_assert_int_eq(enter(&second, "b", NULL, true), JOIN_FIRST);
    join_leave(&first);
    join_leave(&second);
}
END_TEST

START_TEST(only_the_first_end_counts)
{
    struct join *join;
    struct error error = {0}, told = {0};
    char ids[1][JOIN_ID_BYTES];
    enter(&join, "a", NULL, false);
    join_created(join, 0, "pred-1");
    join_ended(join, NULL, 2000);
    error_set(&error, ERROR_TIMEOUT, NULL, "Too late.");
    join_ended(join, &error, 3000);
    ck_assert_int_eq(join_look(join, ids, &told), JOIN_RUNNING);
    join_leave(&join);
}
END_TEST

/* Else a retry would wait for the id of what will never be created. */
START_TEST(among_several_choices_a_failure_counts_after_a_success)
{
    struct join *join;
    struct error error = {0}, told = {0};
    char ids[2][JOIN_ID_BYTES];
    struct join_request made = request("a", NULL, false, 1000);
    made.choices = 2;
    joins_enter(joins, &made, &join);
    join_created(join, 0, "pred-1");
    join_ended(join, NULL, 2000);
    ck_assert_int_eq(join_look(join, ids, &told), JOIN_WAITING);
    ck_assert(!join_may_let_go(join));
    error_set(&error, ERROR_UPSTREAM_ERROR, NULL, "Lost.");
    join_ended(join, &error, 3000);
    ck_assert_int_eq(join_look(join, ids, &told), JOIN_FAILED);
    ck_assert_str_eq(told.message, "Lost.");
    join_leave(&join);
}
END_TEST

START_TEST(what_is_followed_or_has_succeeded_may_be_let_go)
{
    struct join *join;
    enter(&join, "a", NULL, false);
    ck_assert(!join_may_let_go(join));
    join_follow(join);
    ck_assert(join_may_let_go(join));
    join_unfollow(join);
    ck_assert(!join_may_let_go(join));
    join_ended(join, NULL, 2000);
    ck_assert(join_may_let_go(join));
    join_leave(&join);
    ck_assert(!join_may_let_go(NULL));
}
END_TEST

START_TEST(of_several_that_were_left_the_last_is_found)
{
    struct join *older, *newer, *retry;
    enter(&older, "a", NULL, false);
    enter(&newer, "a", NULL, false);
    struct join *kept = join_ref(newer);
    join_leave(&older);
    join_leave(&newer);
    enter(&retry, "a", NULL, true);
    ck_assert_ptr_eq(retry, kept);
    join_leave(&retry);
    join_unref(kept);
}
END_TEST

START_TEST(what_never_ran_is_begun_anew)
{
    struct join *first, *second;
    char id[JOIN_ID_BYTES];
    enter(&first, "a", "key", false);
    enter(&second, "a", "key", true);
    join_gone(first);
    ck_assert_int_eq(look(second, id), JOIN_GONE);
    join_leave(&second);
    ck_assert_int_eq(enter(&second, "a", "key", true), JOIN_FIRST);
    join_leave(&first);
    join_leave(&second);
}
END_TEST

/* The end, and one millisecond more than it is kept. */
static const struct {
    int64_t now_ms;
    enum join_result result;
} ages[] = {{5000 + JOIN_ENDED_MS, JOIN_SECOND}, {5001 + JOIN_ENDED_MS, JOIN_FIRST}};

START_TEST(an_ended_one_is_joined_for_a_minute)
{
    struct join *first, *second;
    enter(&first, "a", NULL, false);
    join_created(first, 0, "pred-1");
    join_ended(first, NULL, 5000);
    join_leave(&first);
    struct join_request late = request("a", NULL, true, ages[_i].now_ms);
    ck_assert_int_eq(joins_enter(joins, &late, &second), ages[_i].result);
    join_leave(&second);
}
END_TEST

START_TEST(the_table_does_not_grow_without_bound)
{
    char body[32];
    struct join *join, *last = NULL;
    for (int i = 0; i < JOINS_MAX + 10; i++) {
        snprintf(body, sizeof body, "%d", i);
        ck_assert_int_eq(enter(&join, body, NULL, false), JOIN_FIRST);
        last = join;
        join_leave(&join);
    }
    ck_assert_ptr_null(last); /* no room: the request runs, and is not entered */
    /* Later, those that are over make room. */
    struct join_request late = request("new", NULL, false, 1000000);
    ck_assert_int_eq(joins_enter(joins, &late, &join), JOIN_FIRST);
    ck_assert_ptr_nonnull(join);
    join_leave(&join);
}
END_TEST

enum { THREADS = 4, ROUNDS = 5000 };

/* Threads that enter, look, end and leave the same few requests. */
static void *hammer(void *arg)
{
    unsigned seed = *(unsigned *)arg;
    for (int i = 0; i < ROUNDS; i++) {
        char body[8], ids[1][JOIN_ID_BYTES];
        struct join *join;
        struct error error = {0};
        seed = seed * 1103515245 + 12345;
        snprintf(body, sizeof body, "%u", (seed >> 16) % 4);
        struct join_request made = request(body, (seed >> 20) % 2 ? body : NULL, (seed >> 21) % 2, i);
        joins_enter(joins, &made, &join);
        if (join == NULL)
            continue;
        join_created(join, 0, "pred");
        ensure(join_look(join, ids, &error) != JOIN_WAITING);
        if ((seed >> 22) % 4 == 0)
            join_ended(join, NULL, i);
        (void)join_may_cancel(join, 1);
        join_leave(&join);
    }
    return NULL;
}

static pthread_t threads[THREADS];
static unsigned seeds[THREADS];

static void start_threads(void)
{
    setup();
    for (unsigned i = 0; i < THREADS; i++) {
        seeds[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer, &seeds[i]), 0);
    }
}

START_TEST(several_threads_may_use_it_at_once)
{
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    struct join *join;
    enter(&join, "of its own", NULL, false);
    ck_assert(join_may_cancel(join, 1));
    join_leave(&join);
}
END_TEST

START_TEST(one_that_goes_on_takes_its_place_and_its_interest_along)
{
    struct join *first, *second, *late;
    char id[JOIN_ID_BYTES];
    struct join_request made = request("a", NULL, true, 1000);
    enter(&first, "a", NULL, false);
    enter(&second, "a", NULL, true);
    made.alias = "helper";
    made.deployment = 1;
    ck_assert_int_eq(joins_go_on(&first, &made), JOIN_FIRST);
    ck_assert_str_eq(join_alias(first), "helper");
    ck_assert_int_eq(join_deployment(first), 1);
    ck_assert_int_eq(look(first, id), JOIN_WAITING);
    ck_assert(!join_has_gone_on(first) && join_has_gone_on(second));
    ck_assert_int_eq(look(second, id), JOIN_GONE_ON);
    ck_assert_int_eq(enter(&late, "a", NULL, true), JOIN_SECOND);
    ck_assert_ptr_eq(late, first);
    ck_assert(join_may_cancel(second, 0));
    ck_assert(!join_may_cancel(first, 2));
    join_leave(&late);
    join_leave(&first);
    ck_assert_int_eq(joins_go_on(&second, &made), JOIN_SECOND);
    ck_assert(join_may_cancel(second, 1));
    join_leave(&second);
}
END_TEST

START_TEST(a_failure_is_told_to_nobody_while_one_may_go_on)
{
    bool is_decided = _i == 0;
    struct join *first, *second, *late;
    struct error error = {0};
    char id[JOIN_ID_BYTES];
    enter(&first, "a", NULL, false);
    enter(&second, "a", NULL, true);
    join_hold(first);
    join_created(first, 0, "pred-1");
    error_set(&error, ERROR_INSUFFICIENT_QUOTA, NULL, "It has failed.");
    join_ended(first, &error, 1000);
    join_gone(first); /* another of its predictions never came to be */
    ck_assert_int_eq(look(second, id), JOIN_WAITING);
    ck_assert_int_eq(enter(&late, "a", NULL, true), JOIN_SECOND);
    join_release(first, is_decided);
    ck_assert_int_eq(look(second, id), is_decided ? JOIN_FAILED : JOIN_GONE);
    join_leave(&first);
    join_leave(&second);
    join_leave(&late);
    ck_assert_int_eq(enter(&late, "a", NULL, true), JOIN_FIRST);
    join_leave(&late);
}
END_TEST

START_TEST(a_failure_after_which_a_client_may_retry_is_joined_until_it_is_decided)
{
    struct join *first, *second;
    struct error error = {0};
    enter(&first, "a", NULL, false);
    join_hold(first);
    error_set(&error, ERROR_UPSTREAM_TRANSIENT, NULL, "It has failed.");
    join_ended(first, &error, 1000);
    ck_assert_int_eq(enter(&second, "a", NULL, true), JOIN_SECOND);
    join_leave(&second);
    join_release(first, true);
    ck_assert_int_eq(enter(&second, "a", NULL, true), JOIN_FIRST);
    join_leave(&second);
    join_leave(&first);
}
END_TEST

static Suite *joins_suite(void)
{
    Suite *suite = suite_create("joins");
    TCase *tcase = tcase_create("joins");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_retry_finds_the_prediction_of_the_first_try);
    tcase_add_test(tcase, equal_first_tries_stay_apart);
    tcase_add_test(tcase, another_body_is_another_request);
    tcase_add_test(tcase, an_equal_key_joins_a_first_try_too);
    tcase_add_test(tcase, a_key_with_another_body_is_a_conflict);
    tcase_add_test(tcase, a_retry_takes_the_place_of_the_try_whose_client_has_left);
    tcase_add_test(tcase, what_somebody_waits_for_is_not_cancelled);
    tcase_add_test(tcase, an_error_is_told_to_the_retry_unless_it_may_be_tried_anew);
    tcase_add_test(tcase, only_the_first_end_counts);
    tcase_add_test(tcase, among_several_choices_a_failure_counts_after_a_success);
    tcase_add_test(tcase, what_is_followed_or_has_succeeded_may_be_let_go);
    tcase_add_test(tcase, of_several_that_were_left_the_last_is_found);
    tcase_add_test(tcase, what_never_ran_is_begun_anew);
    tcase_add_loop_test(tcase, an_ended_one_is_joined_for_a_minute, 0, 2);
    tcase_add_test(tcase, the_table_does_not_grow_without_bound);
    tcase_add_test(tcase, one_that_goes_on_takes_its_place_and_its_interest_along);
    tcase_add_loop_test(tcase, a_failure_is_told_to_nobody_while_one_may_go_on, 0, 2);
    tcase_add_test(tcase, a_failure_after_which_a_client_may_retry_is_joined_until_it_is_decided);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("threads");
    tcase_add_checked_fixture(tcase, start_threads, teardown);
    tcase_add_test(tcase, several_threads_may_use_it_at_once);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(joins_suite());
}
