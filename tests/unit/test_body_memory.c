/* The memory that bodies take: never more than the limit, on however many threads, and given back to the byte. */
#include "server/body_memory.h"

#include <pthread.h>
#include <string.h>

#include "check_main.h"

enum { LIMIT = 1000, THREADS = 4, ROUNDS = 20000 };

static struct body_memory memory;
static struct error err;
static _Atomic int64_t most;

static void setup(void)
{
    memset(&memory, 0, sizeof memory);
    err = (struct error){0};
}

START_TEST(what_fits_is_taken_and_can_be_given_back)
{
    ck_assert(body_memory_take(&memory, LIMIT, 0, 600, &err));
    ck_assert(body_memory_take(&memory, LIMIT, 0, 400, &err));
    ck_assert(!body_memory_take(&memory, LIMIT, 0, 1, &err));
    ck_assert_int_eq(err.kind, ERROR_OVERLOADED);
    ck_assert_int_gt(err.retry_after_ms, 0);
    body_memory_give(&memory, 400);
    ck_assert(body_memory_take(&memory, LIMIT, 600, 400, &err));
}
END_TEST

START_TEST(what_would_never_fit_is_told_so)
{
    ck_assert(!body_memory_take(&memory, LIMIT, 0, LIMIT + 1, &err));
    ck_assert_int_eq(err.kind, ERROR_REQUEST_TOO_LARGE);
    ck_assert(body_memory_take(&memory, LIMIT, 0, 600, &err));
    ck_assert(!body_memory_take(&memory, LIMIT, 600, 401, &err));
    ck_assert_int_eq(err.kind, ERROR_REQUEST_TOO_LARGE);
    ck_assert_int_eq(atomic_load(&memory.used_bytes), 600);
}
END_TEST

/* A reload may have lowered the limit below what is used. */
START_TEST(above_the_limit_nothing_more_is_taken)
{
    ck_assert(body_memory_take(&memory, LIMIT, 0, LIMIT, &err));
    ck_assert(!body_memory_take(&memory, LIMIT / 2, 0, 1, &err));
    ck_assert_int_eq(err.kind, ERROR_OVERLOADED);
}
END_TEST

static void *take_and_give(void *arg)
{
    (void)arg;
    struct error refused;
    for (int i = 0; i < ROUNDS; i++) {
        if (!body_memory_take(&memory, LIMIT, 0, 300 + i % 200, &refused))
            continue;
        int64_t used = atomic_load(&memory.used_bytes);
        if (used > atomic_load(&most))
            atomic_store(&most, used);
        body_memory_give(&memory, 300 + i % 200);
    }
    return NULL;
}

static void setup_threads(void)
{
    pthread_t threads[THREADS];
    setup();
    atomic_store(&most, 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_and_give, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}

START_TEST(several_threads_together_keep_to_the_limit)
{
    ck_assert_int_le(atomic_load(&most), LIMIT);
    ck_assert_int_ge(atomic_load(&most), 300);
    ck_assert_int_eq(atomic_load(&memory.used_bytes), 0);
}
END_TEST

static Suite *body_memory_suite(void)
{
    Suite *suite = suite_create("memory of bodies");
    TCase *tcase = tcase_create("count"), *threads = tcase_create("threads");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, what_fits_is_taken_and_can_be_given_back);
    tcase_add_test(tcase, what_would_never_fit_is_told_so);
    tcase_add_test(tcase, above_the_limit_nothing_more_is_taken);
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(threads, setup_threads, NULL);
    tcase_add_test(threads, several_threads_together_keep_to_the_limit);
    suite_add_tcase(suite, threads);
    return suite;
}

int main(void)
{
    return suite_run(body_memory_suite());
}
