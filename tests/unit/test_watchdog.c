/* The sign of life: given when all workers turn, withheld when one hangs. */
#include "server/watchdog.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check_main.h"

enum { WORKERS = 3 };

static struct worker workers[WORKERS];
static struct worker *pointers[WORKERS];
static int receiver;

static void setup(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    snprintf(name, sizeof name, "@test-watchdog-%ld", (long)getpid());
    memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
    receiver = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    ck_assert_int_eq(bind(receiver, (const struct sockaddr *)&address, length), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    setenv("WATCHDOG_USEC", "1000000", 1);
    unsetenv("WATCHDOG_PID");
    for (int i = 0; i < WORKERS; i++) {
        workers[i].loop = loop_new();
        ck_assert_ptr_nonnull(workers[i].loop);
        atomic_init(&workers[i].turns, 0);
        pointers[i] = &workers[i];
    }
}

static void teardown(void)
{
    for (int i = 0; i < WORKERS; i++)
        loop_free(workers[i].loop);
    close(receiver);
}

static void all_turn_but(int hanging)
{
    for (int i = 0; i < WORKERS; i++)
        if (i != hanging)
            atomic_fetch_add(&workers[i].turns, 1);
}

static void look(struct watchdog *watchdog)
{
    watchdog->next_ms = 0; /* it is due */
    watchdog_look(watchdog, pointers, WORKERS);
}

static bool has_heard(void)
{
    char text[32];
    ssize_t length = recv(receiver, text, sizeof text, 0);
    return length == (ssize_t)strlen("WATCHDOG=1") && memcmp(text, "WATCHDOG=1", (size_t)length) == 0;
}

START_TEST(a_sign_is_given_twice_as_often_as_is_waited_for)
{
    struct watchdog watchdog;
    watchdog_init(&watchdog);
    ck_assert_int_eq(watchdog.period_ms, 500);
    ck_assert_int_ge(watchdog_due_ms(&watchdog), 0);
}
END_TEST

START_TEST(a_worker_that_hangs_keeps_the_sign_back_until_it_turns_again)
{
    struct watchdog watchdog;
    watchdog_init(&watchdog);
    all_turn_but(-1);
    look(&watchdog);
    ck_assert(has_heard());
    all_turn_but(_i);
    look(&watchdog);
    ck_assert(!has_heard());
    all_turn_but(-1);
    look(&watchdog);
    ck_assert(has_heard());
}
END_TEST

START_TEST(workers_that_had_nothing_to_do_yet_do_not_hang)
{
    struct watchdog watchdog;
    watchdog_init(&watchdog);
    look(&watchdog);
    ck_assert(has_heard());
    look(&watchdog);
    ck_assert(!has_heard());
}
END_TEST

START_TEST(before_it_is_due_nothing_is_said)
{
    struct watchdog watchdog;
    watchdog_init(&watchdog);
    all_turn_but(-1);
    look(&watchdog);
    ck_assert(has_heard());
    all_turn_but(-1);
    watchdog_look(&watchdog, pointers, WORKERS);
    ck_assert(!has_heard());
}
END_TEST

static const struct {
    const char *usec, *pid;
} without[] = {{NULL, NULL},   {"", NULL},   {"0", NULL},      {"1000", NULL},
               {"soon", NULL}, {"-5", NULL}, {"1000000", "1"}, {"99999999999999999999", NULL},
               {"1e6", NULL}};

START_TEST(where_nobody_waits_no_sign_is_given)
{
    struct watchdog watchdog;
    without[_i].usec == NULL ? unsetenv("WATCHDOG_USEC") : setenv("WATCHDOG_USEC", without[_i].usec, 1);
    if (without[_i].pid != NULL)
        setenv("WATCHDOG_PID", without[_i].pid, 1);
    watchdog_init(&watchdog);
    ck_assert_int_eq(watchdog_due_ms(&watchdog), -1);
    all_turn_but(-1);
    look(&watchdog);
    ck_assert(!has_heard());
}
END_TEST

static Suite *watchdog_suite(void)
{
    Suite *suite = suite_create("watchdog");
    TCase *tcase = tcase_create("watchdog");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_sign_is_given_twice_as_often_as_is_waited_for);
    tcase_add_loop_test(tcase, a_worker_that_hangs_keeps_the_sign_back_until_it_turns_again, 0, WORKERS);
    tcase_add_test(tcase, workers_that_had_nothing_to_do_yet_do_not_hang);
    tcase_add_test(tcase, before_it_is_due_nothing_is_said);
    tcase_add_loop_test(tcase, where_nobody_waits_no_sign_is_given, 0, sizeof without / sizeof without[0]);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(watchdog_suite());
}
