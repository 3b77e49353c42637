/* How the requests per minute come back with time. */
#include "server/admission.h"

#include "check_main.h"
#include "fake_clock.h"

enum { START_MS = 5000000 };

static struct admission *admission;
static struct route route;
static struct error err;

static void setup(void)
{
    fake_clock_set(START_MS);
    admission = admission_new();
    route = (struct route){.alias = "writer", .limits = {.requests_per_minute = 6}};
    err = (struct error){0};
}

static void teardown(void)
{
    admission_free(admission);
}

static bool come_and_go(void)
{
    static const struct config config = {.max_in_flight = 10};
    struct admission_ticket ticket = {0};
    bool is_in = admission_enter(admission, &config, &route, NULL, &ticket, &err);
    admission_leave(admission, &ticket);
    return is_in;
}

static int use_up(void)
{
    int count = 0;
    while (count < 1000 && come_and_go())
        count++;
    return count;
}

START_TEST(a_place_comes_back_when_it_was_said_to)
{
    ck_assert_int_eq(use_up(), 6);
    ck_assert_int_eq(err.retry_after_ms, 10001);
    fake_clock_set(START_MS + 4000);
    ck_assert(!come_and_go());
    ck_assert_int_eq(err.retry_after_ms, 6001);
    fake_clock_set(START_MS + 4000 + err.retry_after_ms);
    ck_assert(come_and_go());
    ck_assert(!come_and_go());
}
END_TEST

START_TEST(asking_in_vain_does_not_put_it_off)
{
    ck_assert_int_eq(use_up(), 6);
    for (int ms = 0; ms < 10000; ms += 7) {
        fake_clock_set(START_MS + ms);
        ck_assert_msg(!come_and_go(), "a place came back after %d ms", ms);
    }
    fake_clock_set(START_MS + 10001);
    ck_assert(come_and_go());
}
END_TEST

START_TEST(a_long_silence_saves_up_no_more_than_a_minute)
{
    ck_assert_int_eq(use_up(), 6);
    fake_clock_set(START_MS + INT64_C(3600000));
    ck_assert_int_eq(use_up(), 6);
}
END_TEST

START_TEST(over_an_hour_it_is_what_the_limit_says)
{
    int count = 0;
    for (int64_t ms = 0; ms < INT64_C(3600000); ms += 500) {
        fake_clock_set(START_MS + ms);
        count += come_and_go();
    }
    /* the first minute's share is there from the beginning */
    ck_assert_int_ge(count, 360);
    ck_assert_int_le(count, 366);
}
END_TEST

START_TEST(a_reload_changes_the_pace_at_once)
{
    ck_assert_int_eq(use_up(), 6);
    route.limits.requests_per_minute = 60;
    ck_assert(!come_and_go());
    ck_assert_int_eq(err.retry_after_ms, 1001);
    fake_clock_set(START_MS + 1001);
    ck_assert(come_and_go());
    route.limits.requests_per_minute = 1;
    fake_clock_set(START_MS + INT64_C(3600000));
    ck_assert_int_eq(use_up(), 1);
}
END_TEST

static Suite *refill_suite(void)
{
    Suite *suite = suite_create("admission: requests per minute");
    TCase *tcase = tcase_create("refill");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_place_comes_back_when_it_was_said_to);
    tcase_add_test(tcase, asking_in_vain_does_not_put_it_off);
    tcase_add_test(tcase, a_long_silence_saves_up_no_more_than_a_minute);
    tcase_add_test(tcase, over_an_hour_it_is_what_the_limit_says);
    tcase_add_test(tcase, a_reload_changes_the_pace_at_once);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(refill_suite());
}
