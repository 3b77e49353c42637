/* The growable buffer: its contents, and its maximum to the byte. */
#include "check_main.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static struct buf buf;

static void set_up(void)
{
    buf_init(&buf, 8);
}

static void tear_down(void)
{
    buf_dispose(&buf);
}

static void assert_holds(const char *text)
{
    ck_assert_str_eq(buf_text(&buf), text);
    ck_assert_uint_eq(buf.length, strlen(text));
}

START_TEST(a_new_buf_is_empty_text)
{
    ck_assert_ptr_null(buf.data);
    assert_holds("");
}
END_TEST

START_TEST(appends_follow_each_other)
{
    ck_assert(buf_append(&buf, "ab", 2));
    ck_assert(buf_append_text(&buf, "cd"));
    ck_assert(buf_printf(&buf, "%d-%s", 7, "x"));
    assert_holds("abcd7-x");
    ck_assert(!buf.overflowed);
}
END_TEST

START_TEST(exactly_the_maximum_fits)
{
    ck_assert(buf_append_text(&buf, "12345678"));
    assert_holds("12345678");
    ck_assert(buf_append(&buf, "", 0));
    ck_assert(!buf.overflowed);
}
END_TEST

START_TEST(room_that_is_reserved_holds_nothing_yet)
{
    buf_reserve(&buf, 8);
    assert_holds("");
    const char *before = buf.data;
    memcpy(buf_extend(&buf, 3), "123", 3);
    ck_assert(buf_append_text(&buf, "45678"));
    assert_holds("12345678");
    ck_assert_ptr_eq(buf.data, before);
    ck_assert_ptr_null(buf_extend(&buf, 1));
    assert_holds("12345678");
    ck_assert(buf.overflowed);
}
END_TEST

START_TEST(one_byte_over_the_maximum_appends_nothing)
{
    ck_assert(buf_append_text(&buf, "123"));
    ck_assert(!buf_append_text(&buf, "456789"));
    ck_assert(buf.overflowed);
    assert_holds("123");
}
END_TEST

START_TEST(printf_obeys_the_same_maximum)
{
    ck_assert(buf_printf(&buf, "%08d", 5));
    assert_holds("00000005");
    buf_clear(&buf);
    ck_assert(!buf_printf(&buf, "%09d", 5));
    ck_assert(buf.overflowed);
    assert_holds("");
}
END_TEST

START_TEST(integers_are_written_in_decimal_to_their_least_and_greatest)
{
    struct buf numbers;
    buf_init(&numbers, 64);
    ck_assert(buf_append_integer(&numbers, 0) && buf_append_text(&numbers, " ") &&
              buf_append_integer(&numbers, INT64_MIN) && buf_append_text(&numbers, " ") &&
              buf_append_integer(&numbers, INT64_MAX));
    ck_assert_str_eq(buf_text(&numbers), "0 -9223372036854775808 9223372036854775807");
    buf_dispose(&numbers);
}
END_TEST

START_TEST(after_an_overflow_even_a_short_append_fails)
{
    ck_assert(!buf_append_text(&buf, "123456789"));
    ck_assert(!buf_append_text(&buf, "a"));
    ck_assert(!buf_append(&buf, "", 0));
    ck_assert(!buf_printf(&buf, "b"));
    assert_holds("");
}
END_TEST

START_TEST(clear_forgets_the_overflow_and_keeps_the_memory)
{
    buf_append_text(&buf, "12345678");
    const char *memory = buf.data;
    ck_assert(!buf_append_text(&buf, "9"));
    buf_clear(&buf);
    ck_assert(!buf.overflowed);
    assert_holds("");
    ck_assert(buf_append_text(&buf, "abc"));
    ck_assert_ptr_eq(buf.data, memory);
    assert_holds("abc");
}
END_TEST

START_TEST(a_length_near_the_largest_size_does_not_wrap_around)
{
    ck_assert(buf_append_text(&buf, "12"));
    ck_assert(!buf_append(&buf, "x", (size_t)-1));
    assert_holds("12");
}
END_TEST

START_TEST(a_maximum_of_zero_takes_nothing_but_nothing)
{
    struct buf none;
    buf_init(&none, 0);
    ck_assert(buf_append(&none, NULL, 0));
    ck_assert(!buf_append(&none, "x", 1));
    ck_assert_str_eq(buf_text(&none), "");
    buf_dispose(&none);
}
END_TEST

START_TEST(bytes_may_hold_nul)
{
    ck_assert(buf_append(&buf, "a\0b", 3));
    ck_assert_uint_eq(buf.length, 3);
    ck_assert_mem_eq(buf.data, "a\0b", 4);
}
END_TEST

START_TEST(take_hands_the_bytes_over_and_leaves_a_usable_buf)
{
    buf_append_text(&buf, "abc");
    size_t length = 99;
    char *taken = buf_take(&buf, &length);
    ck_assert_str_eq(taken, "abc");
    ck_assert_uint_eq(length, 3);
    free(taken);
    assert_holds("");
    ck_assert(buf_append_text(&buf, "12345678"));
    ck_assert(!buf_append_text(&buf, "9"));
}
END_TEST

START_TEST(take_of_an_empty_buf_is_empty_text)
{
    char *taken = buf_take(&buf, NULL);
    ck_assert_ptr_nonnull(taken);
    ck_assert_str_eq(taken, "");
    free(taken);
}
END_TEST

START_TEST(dispose_keeps_the_maximum)
{
    buf_append_text(&buf, "abc");
    buf_dispose(&buf);
    ck_assert_ptr_null(buf.data);
    ck_assert(buf_append_text(&buf, "12345678"));
    ck_assert(!buf_append_text(&buf, "9"));
}
END_TEST

START_TEST(a_large_buf_grows_byte_by_byte_to_its_maximum)
{
    enum { MAXIMUM = 100003 };
    struct buf large;
    buf_init(&large, MAXIMUM);
    for (int i = 0; i < MAXIMUM; i++)
        ck_assert(buf_append(&large, &"0123456789"[i % 10], 1));
    ck_assert(!buf_append(&large, "x", 1));
    ck_assert_uint_eq(large.length, MAXIMUM);
    ck_assert_uint_le(large.capacity, MAXIMUM + 1);
    for (int i = 0; i < MAXIMUM; i++)
        ck_assert_int_eq(large.data[i], '0' + i % 10);
    buf_dispose(&large);
}
END_TEST

START_TEST(reserving_more_than_the_maximum_does_nothing)
{
    buf_reserve(&buf, 9);
    ck_assert_ptr_null(buf.data);
    ck_assert(!buf.overflowed);
    ck_assert(buf_append_text(&buf, "12345678"));
}
END_TEST

START_TEST(a_text_is_copied_into_an_array_as_far_as_it_fits)
{
    char array[] = "........";
    buf_copy_text(array, 5, "abc");
    ck_assert_mem_eq(array, "abc\0....", 9);
    buf_copy_text(array, 5, "abcdefgh");
    ck_assert_mem_eq(array, "abcd\0...", 9);
    buf_copy_text(array, 1, "abc");
    ck_assert_str_eq(array, "");
}
END_TEST

static Suite *buf_suite(void)
{
    Suite *suite = suite_create("buf");
    TCase *tcase = tcase_create("buf");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_text_is_copied_into_an_array_as_far_as_it_fits);
    tcase_add_test(tcase, a_new_buf_is_empty_text);
    tcase_add_test(tcase, appends_follow_each_other);
    tcase_add_test(tcase, exactly_the_maximum_fits);
    tcase_add_test(tcase, room_that_is_reserved_holds_nothing_yet);
    tcase_add_test(tcase, one_byte_over_the_maximum_appends_nothing);
    tcase_add_test(tcase, printf_obeys_the_same_maximum);
    tcase_add_test(tcase, integers_are_written_in_decimal_to_their_least_and_greatest);
    tcase_add_test(tcase, after_an_overflow_even_a_short_append_fails);
    tcase_add_test(tcase, clear_forgets_the_overflow_and_keeps_the_memory);
    tcase_add_test(tcase, a_length_near_the_largest_size_does_not_wrap_around);
    tcase_add_test(tcase, a_maximum_of_zero_takes_nothing_but_nothing);
    tcase_add_test(tcase, bytes_may_hold_nul);
    tcase_add_test(tcase, take_hands_the_bytes_over_and_leaves_a_usable_buf);
    tcase_add_test(tcase, take_of_an_empty_buf_is_empty_text);
    tcase_add_test(tcase, dispose_keeps_the_maximum);
    tcase_add_test(tcase, reserving_more_than_the_maximum_does_nothing);
    tcase_add_test(tcase, a_large_buf_grows_byte_by_byte_to_its_maximum);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(buf_suite());
}
