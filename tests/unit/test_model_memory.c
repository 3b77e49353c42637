/* What is remembered of models: versions for an hour, durations as a mean, and never more than there is room for. */
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "replicate/model_memory.h"

enum { NOW = 1000000, HOUR_MS = 60 * 60 * 1000, ROOM = 4096 };

static struct model_memory *memory;
static char version[MODEL_VERSION_BYTES];

static void make(void)
{
    memory = model_memory_new();
    memset(version, 0, sizeof version);
}

static void drop(void)
{
    model_memory_free(memory);
}

static const char *name_of(int number)
{
    static char name[32];
    snprintf(name, sizeof name, "acme/model-%d", number);
    return name;
}

static void learn_duration(const char *name, int64_t duration_ms)
{
    model_memory_learn(memory, name, &(struct model_times){.duration_ms = duration_ms, .phase_ms = {-1, -1}});
}

START_TEST(a_version_is_known_for_an_hour)
{
    ck_assert(!model_memory_version(memory, "acme/writer", NOW, version));
    model_memory_set_version(memory, "acme/writer", NOW, "v1");
    ck_assert(model_memory_version(memory, "acme/writer", NOW + HOUR_MS, version));
    ck_assert_str_eq(version, "v1");
    ck_assert(!model_memory_version(memory, "acme/writer", NOW + HOUR_MS + 1, version));
    model_memory_set_version(memory, "acme/writer", NOW + HOUR_MS, "v2");
    ck_assert(model_memory_version(memory, "acme/writer", NOW + HOUR_MS + 1, version));
    ck_assert_str_eq(version, "v2");
}
END_TEST

START_TEST(a_forgotten_version_is_unknown_but_the_duration_stays)
{
    model_memory_set_version(memory, "acme/writer", NOW, "v1");
    learn_duration("acme/writer", 700);
    model_memory_forget_version(memory, "acme/writer");
    model_memory_forget_version(memory, "acme/never-seen");
    ck_assert(!model_memory_version(memory, "acme/writer", NOW, version));
    ck_assert_int_eq(model_memory_duration_ms(memory, "acme/writer"), 700);
}
END_TEST

START_TEST(a_duration_is_a_mean_that_follows_the_latest)
{
    ck_assert_int_eq(model_memory_duration_ms(memory, "acme/writer"), -1);
    learn_duration("acme/writer", 180000);
    ck_assert_int_eq(model_memory_duration_ms(memory, "acme/writer"), 180000);
    for (int i = 0; i < 7; i++)
        learn_duration("acme/writer", 1000);
    ck_assert_int_lt(model_memory_duration_ms(memory, "acme/writer"), 5000);
    ck_assert_int_gt(model_memory_duration_ms(memory, "acme/writer"), 1000);
    learn_duration("acme/writer", -1);
    learn_duration("acme/writer", INT64_MAX);
    ck_assert_int_lt(model_memory_duration_ms(memory, "acme/writer"), 5000);
}
END_TEST

START_TEST(of_each_phase_only_what_is_known_is_learnt)
{
    struct usual_time usual;
    model_memory_learn(memory, "acme/writer", &(struct model_times){.duration_ms = -1, .phase_ms = {9000, -1}});
    model_memory_learn(memory, "acme/writer", &(struct model_times){.duration_ms = -1, .phase_ms = {9000, 4000}});
    ck_assert_int_eq(model_memory_duration_ms(memory, "acme/writer"), -1);
    model_memory_usual(memory, "acme/writer", MODEL_WHOLE, &usual);
    ck_assert_int_eq(usual.samples, 2);
    model_memory_usual(memory, "acme/writer", MODEL_RUN, &usual);
    ck_assert_int_eq(usual.samples, 1);
    model_memory_usual(memory, "acme/other", MODEL_RUN, &usual);
    ck_assert_int_eq(usual.samples, 0);
}
END_TEST

START_TEST(the_least_recently_used_is_forgotten_when_the_room_is_full)
{
    for (int i = 0; i < ROOM; i++)
        learn_duration(name_of(i), i);
    ck_assert_int_eq(model_memory_duration_ms(memory, name_of(0)), 0); /* used again: the next is the oldest now */
    learn_duration("acme/newcomer", 9);
    ck_assert_int_eq(model_memory_duration_ms(memory, name_of(1)), -1);
    ck_assert_int_eq(model_memory_duration_ms(memory, name_of(0)), 0);
    ck_assert_int_eq(model_memory_duration_ms(memory, "acme/newcomer"), 9);
    for (int i = 2; i < ROOM; i++)
        ck_assert_int_eq(model_memory_duration_ms(memory, name_of(i)), i);
}
END_TEST

START_TEST(it_stays_right_when_much_more_comes_than_fits)
{
    for (int i = 0; i < 5 * ROOM; i++)
        model_memory_set_version(memory, name_of(i), NOW, name_of(i));
    for (int i = 0; i < 5 * ROOM; i++) {
        bool is_known = model_memory_version(memory, name_of(i), NOW, version);
        ck_assert_int_eq(is_known, i >= 4 * ROOM);
        if (is_known)
            ck_assert_str_eq(version, name_of(i));
    }
}
END_TEST

START_TEST(what_is_too_long_is_not_kept)
{
    char name[400], long_version[100];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    memset(long_version, 'v', sizeof long_version);
    long_version[sizeof long_version - 1] = '\0';
    learn_duration(name, 5);
    model_memory_set_version(memory, name, NOW, "v1");
    ck_assert_int_eq(model_memory_duration_ms(memory, name), -1);
    ck_assert(!model_memory_version(memory, name, NOW, version));
    model_memory_set_version(memory, "acme/writer", NOW, long_version);
    ck_assert(!model_memory_version(memory, "acme/writer", NOW, version));
}
END_TEST

static Suite *memory_suite(void)
{
    Suite *suite = suite_create("model_memory");
    TCase *tcase = tcase_create("memory");
    tcase_add_checked_fixture(tcase, make, drop);
    tcase_add_test(tcase, a_version_is_known_for_an_hour);
    tcase_add_test(tcase, a_forgotten_version_is_unknown_but_the_duration_stays);
    tcase_add_test(tcase, a_duration_is_a_mean_that_follows_the_latest);
    tcase_add_test(tcase, of_each_phase_only_what_is_known_is_learnt);
    tcase_add_test(tcase, the_least_recently_used_is_forgotten_when_the_room_is_full);
    tcase_add_test(tcase, it_stays_right_when_much_more_comes_than_fits);
    tcase_add_test(tcase, what_is_too_long_is_not_kept);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(memory_suite());
}
