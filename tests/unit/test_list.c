/* The intrusive list: order, length, and links that know where they are. */
#include "check_main.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"

struct item {
    int number;
    struct list_link link;
};

static struct list list;
static struct item items[4];

static void set_up(void)
{
    list_init(&list);
    for (int i = 0; i < 4; i++) {
        items[i] = (struct item){.number = i};
        list_append(&list, &items[i].link);
    }
}

static int number_of(struct list_link *link)
{
    return list_entry(link, struct item, link)->number;
}

/* Checks that exactly the numbers stand in the list, in this order, read forwards and backwards. */
static void assert_list(const int *numbers, size_t count)
{
    ck_assert_uint_eq(list.length, count);
    size_t i = 0;
    for (struct list_link *link = list_first(&list); link; link = list_next(&list, link)) {
        ck_assert_uint_lt(i, count);
        ck_assert_int_eq(number_of(link), numbers[i++]);
    }
    ck_assert_uint_eq(i, count);
    for (struct list_link *link = list.ends.previous; link != &list.ends; link = link->previous)
        ck_assert_int_eq(number_of(link), numbers[--i]);
    ck_assert_uint_eq(i, 0);
}

START_TEST(an_empty_list_has_no_first_link)
{
    struct list empty;
    list_init(&empty);
    ck_assert(list_is_empty(&empty));
    ck_assert_ptr_null(list_first(&empty));
    ck_assert_ptr_null(list_shift(&empty));
    ck_assert_uint_eq(empty.length, 0);
}
END_TEST

START_TEST(a_link_can_be_put_before_another)
{
    struct item between = {.number = 7}, first = {.number = 8};
    list_insert_before(&items[2].link, &between.link);
    list_insert_before(&items[0].link, &first.link);
    assert_list((const int[]){8, 0, 1, 7, 2, 3}, 6);
    list_remove(&between.link);
    list_remove(&first.link);
    assert_list((const int[]){0, 1, 2, 3}, 4);
}
END_TEST

START_TEST(links_stand_in_the_order_of_their_appending)
{
    assert_list((const int[]){0, 1, 2, 3}, 4);
    ck_assert(!list_is_empty(&list));
}
END_TEST

START_TEST(a_prepended_link_is_the_first)
{
    struct item first = {.number = 7}, only = {.number = 8};
    struct list empty;
    list_prepend(&list, &first.link);
    assert_list((const int[]){7, 0, 1, 2, 3}, 5);
    list_init(&empty);
    list_prepend(&empty, &only.link);
    ck_assert_ptr_eq(list_shift(&empty), &only.link);
    ck_assert(list_is_empty(&empty));
}
END_TEST

START_TEST(any_link_can_be_removed)
{
    static const int left[4][3] = {{1, 2, 3}, {0, 2, 3}, {0, 1, 3}, {0, 1, 2}};
    list_remove(&items[_i].link);
    assert_list(left[_i], 3);
    ck_assert_ptr_null(items[_i].link.list);
}
END_TEST

START_TEST(removing_a_link_twice_does_nothing)
{
    list_remove(&items[1].link);
    list_remove(&items[1].link);
    assert_list((const int[]){0, 2, 3}, 3);
}
END_TEST

START_TEST(a_removed_link_can_be_appended_again)
{
    list_remove(&items[0].link);
    list_append(&list, &items[0].link);
    assert_list((const int[]){1, 2, 3, 0}, 4);
    ck_assert_ptr_eq(items[0].link.list, &list);
}
END_TEST

START_TEST(shift_takes_links_from_the_front_until_none_is_left)
{
    for (int i = 0; i < 4; i++) {
        struct list_link *link = list_shift(&list);
        ck_assert_ptr_nonnull(link);
        ck_assert_int_eq(number_of(link), i);
        ck_assert_ptr_null(link->list);
        ck_assert_uint_eq(list.length, (size_t)(3 - i));
    }
    ck_assert_ptr_null(list_shift(&list));
}
END_TEST

START_TEST(every_link_can_be_removed_while_walking)
{
    struct list_link *next;
    for (struct list_link *link = list_first(&list); link; link = next) {
        next = list_next(&list, link);
        list_remove(link);
    }
    assert_list(NULL, 0);
}
END_TEST

START_TEST(a_link_in_two_lists_aborts)
{
    struct list other;
    list_init(&other);
    list_append(&other, &items[0].link);
}
END_TEST

START_TEST(walking_on_from_a_removed_link_aborts)
{
    list_remove(&items[1].link);
    list_next(&list, &items[1].link);
}
END_TEST

static int tests_fork(void)
{
    const char *wish = getenv("CK_FORK");
    return !wish || strcmp(wish, "no") != 0;
}

static Suite *list_suite(void)
{
    Suite *suite = suite_create("list");
    TCase *tcase = tcase_create("list");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, an_empty_list_has_no_first_link);
    tcase_add_test(tcase, a_link_can_be_put_before_another);
    tcase_add_test(tcase, links_stand_in_the_order_of_their_appending);
    tcase_add_test(tcase, a_prepended_link_is_the_first);
    tcase_add_loop_test(tcase, any_link_can_be_removed, 0, 4);
    tcase_add_test(tcase, removing_a_link_twice_does_nothing);
    tcase_add_test(tcase, a_removed_link_can_be_appended_again);
    tcase_add_test(tcase, shift_takes_links_from_the_front_until_none_is_left);
    tcase_add_test(tcase, every_link_can_be_removed_while_walking);
    /* These two end their process, so they exist only where each test has its own. */
    if (tests_fork()) {
        tcase_add_test_raise_signal(tcase, a_link_in_two_lists_aborts, SIGABRT);
        tcase_add_test_raise_signal(tcase, walking_on_from_a_removed_link_aborts, SIGABRT);
    }
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(list_suite());
}
