/* Which deployment runs next: shares, load, and those that cool down; on a clock that stands still. */
#include "server/deployments.h"

#include <stdio.h>

#include "base/ensure.h"
#include "check_main.h"
#include "fake_clock.h"

enum { START_MS = 1000000, COOLDOWN_MS = 5000 };

static struct deployments *deployments;
static struct route first, second, third;

static struct route make(char *reference, int place, int64_t weight)
{
    return (struct route){.alias = "group",
                          .reference = reference,
                          .deployment = place,
                          .weight = weight,
                          .allowed_fails = 1,
                          .cooldown_ms = COOLDOWN_MS};
}

static void setup(void)
{
    fake_clock_set(START_MS);
    deployments = deployments_new();
    first = make("acme/a", 0, 3);
    second = make("acme/b", 1, 1);
    third = make("acme/c", 2, 0);
    first.next = &second;
}

static void teardown(void)
{
    deployments_free(deployments);
}

static const struct route *pick_of(const struct route_try *tries, size_t count, bool takes_any)
{
    const struct deployments_request request = {
        .alias = "group", .first = &first, .tries = tries, .try_count = count, .takes_any = takes_any};
    return deployments_pick(deployments, &request);
}

static const struct route *pick(void)
{
    return pick_of(NULL, 0, false);
}

static void run(const struct route *route, enum deployment_end end)
{
    struct deployment *use = deployments_begin(deployments, "group", route);
    ck_assert_ptr_nonnull(use);
    deployments_end(deployments, &use, route, end);
    ck_assert_ptr_null(use);
}

static void fail_often(const struct route *route, int times)
{
    for (int i = 0; i < times; i++)
        run(route, DEPLOYMENT_FAILED);
}

START_TEST(requests_one_after_another_are_shared_by_weight)
{
    int firsts = 0;
    for (int i = 0; i < 100; i++) {
        const struct route *route = pick();
        firsts += route == &first;
        run(route, DEPLOYMENT_WELL);
    }
    ck_assert_int_eq(firsts, 75);
}
END_TEST

START_TEST(requests_at_the_same_time_are_shared_by_weight)
{
    struct deployment *uses[8];
    const struct route *routes[8];
    int firsts = 0;
    for (int i = 0; i < 8; i++) {
        routes[i] = pick();
        firsts += routes[i] == &first;
        uses[i] = deployments_begin(deployments, "group", routes[i]);
    }
    ck_assert_int_eq(firsts, 6);
    for (int i = 0; i < 8; i++)
        deployments_end(deployments, &uses[i], routes[i], DEPLOYMENT_LEFT);
}
END_TEST

START_TEST(the_less_loaded_one_goes_before_the_one_with_more_weight)
{
    struct deployment *use = deployments_begin(deployments, "group", &first);
    ck_assert_ptr_eq(pick(), &second);
    deployments_end(deployments, &use, &first, DEPLOYMENT_LEFT);
}
END_TEST

START_TEST(without_weight_it_runs_only_when_no_other_is_well)
{
    second.next = &third;
    for (int i = 0; i < 20; i++)
        ck_assert_ptr_ne(pick(), &third);
    fail_often(&first, 2);
    fail_often(&second, 2);
    ck_assert_ptr_eq(pick(), &third);
}
END_TEST

START_TEST(one_that_fails_too_often_is_left_alone_for_a_while)
{
    fail_often(&first, 1);
    ck_assert_ptr_eq(pick_of(&(struct route_try){"group", &second}, 1, false), &first);
    fail_often(&first, 1);
    for (int i = 0; i < 20; i++)
        ck_assert_ptr_eq(pick(), &second);
    fake_clock_set(START_MS + COOLDOWN_MS);
    ck_assert_ptr_eq(pick_of(&(struct route_try){"group", &second}, 1, false), &first);
}
END_TEST

START_TEST(what_fails_again_on_trial_cools_down_at_once)
{
    fail_often(&first, 2);
    fake_clock_set(START_MS + COOLDOWN_MS);
    fail_often(&first, 1);
    ck_assert_ptr_eq(pick(), &second);
    fake_clock_set(START_MS + 2 * COOLDOWN_MS);
    run(&first, DEPLOYMENT_WELL);
    fail_often(&first, 1);
    ck_assert_ptr_eq(pick_of(&(struct route_try){"group", &second}, 1, false), &first);
}
END_TEST

START_TEST(a_success_makes_failures_forgotten_and_so_does_a_minute)
{
    static const struct route_try tried = {"group", &second};
    fail_often(&first, 1);
    run(&first, DEPLOYMENT_WELL);
    fail_often(&first, 1);
    ck_assert_ptr_eq(pick_of(&tried, 1, false), &first);
    fake_clock_set(START_MS + DEPLOYMENTS_WINDOW_MS);
    fail_often(&first, 1);
    ck_assert_ptr_eq(pick_of(&tried, 1, false), &first);
    fail_often(&first, 1);
    ck_assert_ptr_null(pick_of(&tried, 1, false));
}
END_TEST

START_TEST(when_all_cool_down_the_first_to_be_well_again_is_better_than_none)
{
    fail_often(&second, 2);
    fake_clock_set(START_MS + 1000);
    fail_often(&first, 2);
    ck_assert_ptr_null(pick());
    ck_assert_ptr_eq(pick_of(NULL, 0, true), &second);
    ck_assert_ptr_eq(pick_of(&(struct route_try){"group", &second}, 1, true), &first);
}
END_TEST

START_TEST(what_was_tried_is_not_picked_again)
{
    const struct route_try both[] = {{"group", &first}, {"group", &second}}, whole = {"group", NULL};
    const struct route_try other = {"another", NULL};
    ck_assert_ptr_null(pick_of(both, 2, true));
    ck_assert_ptr_null(pick_of(&whole, 1, true));
    ck_assert_ptr_nonnull(pick_of(&other, 1, true));
}
END_TEST

START_TEST(a_cooldown_of_zero_is_none)
{
    first.cooldown_ms = 0;
    fail_often(&first, 10);
    ck_assert_ptr_eq(pick_of(&(struct route_try){"group", &second}, 1, false), &first);
}
END_TEST

START_TEST(what_is_remembered_outlives_a_reload)
{
    fail_often(&first, 2);
    struct route reloaded = make("acme/a", 0, 3);
    reloaded.next = &second;
    const struct deployments_request request = {.alias = "group", .first = &reloaded};
    ck_assert_ptr_eq(deployments_pick(deployments, &request), &second);
    struct route replaced = make("acme/new", 0, 3);
    const struct deployments_request another = {.alias = "group", .first = &replaced};
    ck_assert_ptr_eq(deployments_pick(deployments, &another), &replaced);
}
END_TEST

START_TEST(any_number_of_aliases_leaves_those_in_use)
{
    struct deployment *use = deployments_begin(deployments, "group", &first);
    for (int i = 0; i < 2 * DEPLOYMENTS_MAX; i++) {
        char alias[32];
        snprintf(alias, sizeof alias, "alias-%d", i);
        const struct deployments_request request = {.alias = alias, .first = &first};
        ck_assert_ptr_nonnull(deployments_pick(deployments, &request));
    }
    ck_assert_ptr_eq(pick(), &second);
    deployments_end(deployments, &use, &first, DEPLOYMENT_LEFT);
}
END_TEST

START_TEST(where_all_are_in_use_a_new_one_is_not_remembered_and_runs)
{
    static struct deployment *uses[DEPLOYMENTS_MAX];
    for (int i = 0; i < DEPLOYMENTS_MAX; i++) {
        char alias[32];
        snprintf(alias, sizeof alias, "alias-%d", i);
        uses[i] = deployments_begin(deployments, alias, &first);
    }
    ck_assert_ptr_eq(pick(), &first);
    ck_assert_ptr_null(deployments_begin(deployments, "group", &first));
    for (int i = 0; i < DEPLOYMENTS_MAX; i++)
        deployments_end(deployments, &uses[i], &first, DEPLOYMENT_LEFT);
}
END_TEST

START_TEST(errors_that_another_request_would_get_count_and_others_do_not)
{
    static const struct {
        enum error_kind kind;
        enum deployment_end end;
    } rows[] = {{ERROR_NONE, DEPLOYMENT_WELL},
                {ERROR_UPSTREAM_UNAVAILABLE, DEPLOYMENT_FAILED},
                {ERROR_UPSTREAM_TRANSIENT, DEPLOYMENT_FAILED},
                {ERROR_UPSTREAM_AUTHENTICATION, DEPLOYMENT_FAILED},
                {ERROR_INSUFFICIENT_QUOTA, DEPLOYMENT_FAILED},
                {ERROR_RATE_LIMITED, DEPLOYMENT_FAILED},
                {ERROR_TIMEOUT, DEPLOYMENT_FAILED},
                {ERROR_CONTENT_POLICY, DEPLOYMENT_LEFT},
                {ERROR_INVALID_VALUE, DEPLOYMENT_LEFT},
                {ERROR_PREDICTION_FAILED, DEPLOYMENT_LEFT}};
    const struct error error = {.kind = rows[_i].kind};
    ck_assert_int_eq(deployments_judge(&error), rows[_i].end);
}
END_TEST

static Suite *deployments_suite(void)
{
    Suite *suite = suite_create("deployments");
    TCase *tcase = tcase_create("deployments");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, requests_one_after_another_are_shared_by_weight);
    tcase_add_test(tcase, requests_at_the_same_time_are_shared_by_weight);
    tcase_add_test(tcase, the_less_loaded_one_goes_before_the_one_with_more_weight);
    tcase_add_test(tcase, without_weight_it_runs_only_when_no_other_is_well);
    tcase_add_test(tcase, one_that_fails_too_often_is_left_alone_for_a_while);
    tcase_add_test(tcase, what_fails_again_on_trial_cools_down_at_once);
    tcase_add_test(tcase, a_success_makes_failures_forgotten_and_so_does_a_minute);
    tcase_add_test(tcase, when_all_cool_down_the_first_to_be_well_again_is_better_than_none);
    tcase_add_test(tcase, what_was_tried_is_not_picked_again);
    tcase_add_test(tcase, a_cooldown_of_zero_is_none);
    tcase_add_test(tcase, what_is_remembered_outlives_a_reload);
    tcase_add_test(tcase, any_number_of_aliases_leaves_those_in_use);
    tcase_add_test(tcase, where_all_are_in_use_a_new_one_is_not_remembered_and_runs);
    tcase_add_loop_test(tcase, errors_that_another_request_would_get_count_and_others_do_not, 0, 10);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(deployments_suite());
}
