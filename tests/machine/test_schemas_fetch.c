/* What is fetched for a schema, what becomes of bad answers, what is learnt besides, and what the start warms. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "check_main.h"
#include "fake_schema_bench.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define DEPLOYMENT_URL SCHEMA_BASE "/deployments/acme/fast"
#define DEPLOYMENT "{\"current_release\":{\"model\":\"acme/writer\",\"version\":\"" VERSION_1 "\"}}"
#define VERSION_URL WRITER_URL "/versions/" VERSION_1

enum { HOUR_MS = 60 * 60 * 1000, MINUTE_MS = 60 * 1000, WARMING = 4, ROOM = 1024 };

static struct asker asker;

static void setup(void)
{
    schema_bench_setup();
    asker = (struct asker){0};
}

static void teardown(void)
{
    asker_dispose(&asker);
    schema_bench_teardown();
}

/* ---- answers ---- */

START_TEST(a_pinned_version_has_a_document_of_its_own)
{
    ck_assert(!ask(&asker, 0, "acme/writer:" VERSION_1));
    fake_transfer_answer(schema_call(0, VERSION_URL), 200, VERSION_DOCUMENT(VERSION_1));
    expect_told(&asker, VERSION_1);
}
END_TEST

START_TEST(a_deployment_is_asked_what_it_runs_and_then_that_version)
{
    ck_assert(!ask(&asker, 0, "deployments/acme/fast"));
    fake_transfer_answer(schema_call(0, DEPLOYMENT_URL), 200, DEPLOYMENT);
    expect_waiting(&asker);
    fake_transfer_answer(schema_call(0, VERSION_URL), 200, VERSION_DOCUMENT(VERSION_1));
    expect_told(&asker, VERSION_1);
    struct asker again = {0};
    ck_assert(ask(&again, 1, "deployments/acme/fast"));
    ck_assert_ptr_nonnull(again.schema);
    asker_dispose(&again);
}
END_TEST

static const char *const lost_deployments[] = {"{}", "<html>", "{\"current_release\":null}"};

START_TEST(a_deployment_that_does_not_say_what_it_runs_has_no_schema)
{
    ck_assert(!ask(&asker, 0, "deployments/acme/fast"));
    fake_transfer_answer(schema_call(0, DEPLOYMENT_URL), 200, lost_deployments[_i]);
    expect_told(&asker, NULL);
}
END_TEST

START_TEST(a_deployment_whose_version_is_gone_has_no_schema)
{
    ck_assert(!ask(&asker, 0, "deployments/acme/fast"));
    fake_transfer_answer(schema_call(0, DEPLOYMENT_URL), 200, DEPLOYMENT);
    fake_transfer_answer(schema_call(0, VERSION_URL), 404, "{}");
    expect_told(&asker, NULL);
}
END_TEST

START_TEST(a_document_without_inputs_is_an_answer_too)
{
    ask_and_wait(&asker, 0);
    fake_transfer_answer(schema_call(0, WRITER_URL), 200,
                         "{\"owner\":\"acme\",\"name\":\"writer\",\"latest_version\":null}");
    expect_told(&asker, "");
    ck_assert(!asker.schema->has_inputs);
    ask_and_get(1, "");
}
END_TEST

static const struct {
    int status;
    const char *body;
} final_rows[] = {
    {404, "{\"detail\":\"no such model\"}"},
    {401, "{}"},
    {403, "{}"},
    {302, ""},
    {200, "{\"owner\":\"acme\",\"na"},
    {200, ""},
    {200, "[]"},
    {200, "{\"detail\":\"hello\"}"},
    {200, "<html>"},
};

START_TEST(an_answer_that_is_no_document_is_a_failure_at_once)
{
    ask_and_wait(&asker, 0);
    ck_assert(writer_may_come());
    fake_transfer_answer(schema_call(0, WRITER_URL), final_rows[_i].status, final_rows[_i].body);
    expect_told(&asker, NULL);
    ck_assert(!writer_may_come());
    ck_assert_uint_eq(fake_loop_timers(schema_bench.workers[0].loop), 0);
    expect_no_call(0);
}
END_TEST

/* What is too large for the transfer is lost, too. */
static void break_call(int way)
{
    struct transfer *call = schema_call(0, WRITER_URL);
    if (way < 2)
        fake_transfer_break(call, way == 0 ? TRANSFER_UNREACHABLE : TRANSFER_LOST);
    else
        fake_transfer_answer(call, way == 2 ? 503 : 429, "{}");
}

START_TEST(a_fetch_that_fails_for_a_passing_reason_is_tried_again)
{
    ask_and_wait(&asker, 0);
    for (int i = 0; i < 3; i++) {
        break_call(_i);
        schema_advance((500 << i) - 1);
        expect_no_call(0);
        schema_advance(1);
    }
    expect_waiting(&asker);
    fake_transfer_answer(schema_call(0, WRITER_URL), 200, DOCUMENT_1);
    expect_told(&asker, VERSION_1);
    ck_assert(!writer_may_come());
}
END_TEST

START_TEST(a_fetch_is_tried_four_times_and_no_more)
{
    ask_and_wait(&asker, 0);
    for (int i = 0; i < 3; i++) {
        break_call(_i);
        schema_advance(500 << i);
    }
    break_call(_i);
    expect_told(&asker, NULL);
    ck_assert(writer_may_come());
    schema_advance(MINUTE_MS - 1);
    ask_and_get(0, NULL);
    expect_no_call(0);
}
END_TEST

START_TEST(a_429_is_waited_out_unless_that_takes_too_long)
{
    static const int64_t waits_ms[] = {4000, MINUTE_MS};
    struct transfer_answer answer = {.result = TRANSFER_ANSWERED,
                                     .status = 429,
                                     .body = "",
                                     .retry_after_ms = waits_ms[_i],
                                     .ratelimit_remaining = 0,
                                     .ratelimit_reset_ms = 4000,
                                     .detail = ""};
    ask_and_wait(&asker, 0);
    fake_transfer_answer_with(schema_call(0, WRITER_URL), &answer);
    struct budget *budget = budget_of(schema_bench.pacing, SCHEMA_BASE, "test-token");
    ck_assert(budget_is_held(budget, clock_now_ms()));
    budget_unref(&budget);
    if (_i == 1) {
        expect_told(&asker, NULL);
        return;
    }
    schema_advance(3999);
    expect_no_call(0);
    schema_advance(1);
    fake_transfer_answer(schema_call(0, WRITER_URL), 200, DOCUMENT_1);
    expect_told(&asker, VERSION_1);
}
END_TEST

/* ---- what is learnt ---- */

static const struct {
    const char *reference, *url, *document, *version; /* NULL: none is learnt */
} learnt_rows[] = {
    {"acme/writer", WRITER_URL, MODEL_DOCUMENT(VERSION_1, "false"), VERSION_1},
    {"acme/writer", WRITER_URL, MODEL_DOCUMENT(VERSION_1, "true"), NULL},
    {"acme/writer", WRITER_URL, MODEL_DOCUMENT(VERSION_1, "null"), NULL},
    {"acme/writer", WRITER_URL, MODEL_DOCUMENT("../x", "false"), NULL},
    {"acme/writer", WRITER_URL, "{\"is_official\":false,\"latest_version\":null}", NULL},
    {"acme/writer:" VERSION_1, VERSION_URL, MODEL_DOCUMENT(VERSION_2, "false"), NULL},
};

START_TEST(the_version_of_a_model_that_is_not_official_is_learnt)
{
    char version[MODEL_VERSION_BYTES];
    ck_assert(!ask(&asker, 0, learnt_rows[_i].reference));
    fake_transfer_answer(schema_call(0, learnt_rows[_i].url), 200, learnt_rows[_i].document);
    ck_assert_int_eq(asker.told, 1);
    ck_assert_int_eq(model_memory_version(schema_bench.models, "acme/writer", clock_now_ms(), version),
                     learnt_rows[_i].version != NULL);
    if (learnt_rows[_i].version != NULL)
        ck_assert_str_eq(version, learnt_rows[_i].version);
}
END_TEST

START_TEST(a_refresh_teaches_too)
{
    char version[MODEL_VERSION_BYTES];
    ask_and_wait(&asker, 0);
    fake_transfer_answer(schema_call(0, WRITER_URL), 200, MODEL_DOCUMENT(VERSION_1, "false"));
    schema_advance(HOUR_MS);
    ask_and_get(0, VERSION_1);
    fake_transfer_answer(schema_call(0, WRITER_URL), 200, MODEL_DOCUMENT(VERSION_2, "false"));
    ck_assert(model_memory_version(schema_bench.models, "acme/writer", clock_now_ms(), version));
    ck_assert_str_eq(version, VERSION_2);
}
END_TEST

/* ---- warming ---- */

static const char *model_name(int number)
{
    static char name[32];
    snprintf(name, sizeof name, "acme/model-%d", number);
    return name;
}

static size_t open_calls(int worker)
{
    return transfers_count(schema_bench.workers[worker].transfers);
}

static void answer_first(int status)
{
    fake_transfer_answer(fake_transfer_first(schema_bench.workers[0].transfers), status, DOCUMENT_1);
}

START_TEST(what_is_warmed_is_fetched_a_few_at_a_time)
{
    for (int i = 0; i < 10; i++)
        warm(0, model_name(i));
    for (int i = 0; i < 10; i++) {
        ck_assert_uint_eq(open_calls(0), i < 10 - WARMING ? WARMING : (size_t)(10 - i));
        answer_first(i % 2 == 0 ? 200 : 404);
    }
    ck_assert_uint_eq(fake_transfer_started(schema_bench.workers[0].transfers), 10);
    ck_assert(ask(&asker, 1, model_name(8)));
    ck_assert_ptr_nonnull(asker.schema);
}
END_TEST

START_TEST(whoever_asks_for_what_is_still_to_be_warmed_goes_first)
{
    for (int i = 0; i < 6; i++)
        warm(0, model_name(i));
    ck_assert(!ask(&asker, 0, model_name(5)));
    ck_assert_uint_eq(open_calls(0), WARMING + 1);
    for (int i = 0; i < 6; i++)
        answer_first(200);
    expect_told(&asker, VERSION_1);
    expect_no_call(0);
    ck_assert_uint_eq(fake_transfer_started(schema_bench.workers[0].transfers), 6);
}
END_TEST

START_TEST(whoever_asks_for_what_is_being_warmed_waits_for_it)
{
    warm(1, "acme/writer");
    ask_and_wait(&asker, 0);
    fake_transfer_answer(schema_call(1, WRITER_URL), 200, DOCUMENT_1);
    schema_turns();
    expect_told(&asker, VERSION_1);
}
END_TEST

START_TEST(what_is_known_is_not_warmed_however_old)
{
    ask_and_wait(&asker, 0);
    fake_transfer_answer(schema_call(0, WRITER_URL), 200, DOCUMENT_1);
    schema_advance(2 * HOUR_MS);
    warm(0, "acme/writer");
    warm(0, VERSION_1);
    schema_advance(0);
    expect_no_call(0);
}
END_TEST

/* It may have to be read from disk. */
START_TEST(what_is_known_is_passed_over_one_a_turn)
{
    ask_and_wait(&asker, 0);
    fake_transfer_answer(schema_call(0, WRITER_URL), 200, DOCUMENT_1);
    warm(0, "acme/writer");
    warm(0, "acme/painter");
    expect_no_call(0);
    schema_advance(0);
    fake_transfer_answer(schema_call(0, SCHEMA_BASE "/models/acme/painter"), 200, DOCUMENT_2);
}
END_TEST

START_TEST(a_worker_that_ends_leaves_what_it_was_to_warm)
{
    for (int i = 0; i < 10; i++)
        warm(0, model_name(i));
    schema_bench_free_worker(0);
    ck_assert(!ask(&asker, 1, model_name(9)));
    ck_assert_uint_eq(open_calls(1), 1);
    asker_dispose(&asker);
    schema_bench_free_worker(1);
}
END_TEST

/* ---- bounds ---- */

START_TEST(the_least_recently_used_is_forgotten)
{
    for (int i = 0; i < ROOM; i++) {
        ck_assert(!ask(&asker, 0, model_name(i)));
        answer_first(200);
    }
    ck_assert(ask(&asker, 0, model_name(0))); /* used again: the next is the oldest now */
    ck_assert(!ask(&asker, 0, model_name(ROOM)));
    answer_first(200);
    ck_assert(ask(&asker, 0, model_name(0)));
    ck_assert(ask(&asker, 0, model_name(2)));
    ck_assert(!ask(&asker, 0, model_name(1)));
    answer_first(200);
}
END_TEST

START_TEST(what_is_being_fetched_is_not_forgotten_however_many_come)
{
    static struct asker askers[ROOM];
    memset(askers, 0, sizeof askers);
    for (int i = 0; i < ROOM - 1; i++)
        ck_assert(!ask(&askers[i], i % 2, model_name(i)));
    for (int i = 0; i < 10; i++) {
        ck_assert(!ask(&asker, 0, model_name(ROOM + i)));
        schemas_forget(&asker.wait);
        struct list *open = fake_transfer_first(schema_bench.workers[0].transfers)->link.list;
        struct transfer *last = list_entry(open->ends.previous, struct transfer, link);
        fake_transfer_answer(last, 200, DOCUMENT_1);
    }
    ck_assert(!ask(&asker, 1, model_name(-1)));
    struct asker late = {0};
    ck_assert(ask(&late, 0, model_name(-2))); /* no room */
    ck_assert_ptr_null(late.schema);
    for (int i = 0; i < ROOM; i++)
        fake_transfer_answer(fake_transfer_first(schema_bench.workers[i % 2].transfers), 200, DOCUMENT_1);
    schema_turns();
    for (int i = 0; i < ROOM - 1; i++) {
        expect_told(&askers[i], VERSION_1);
        asker_dispose(&askers[i]);
    }
}
END_TEST

/* ---- over restarts ---- */

static char directory[] = "/tmp/replibridge-schemas-XXXXXX";

/* The age of the one file that there is. */
static void set_age(int64_t age_ms)
{
    DIR *open_directory = opendir(directory);
    ck_assert_ptr_nonnull(open_directory);
    const struct timespec time = {(clock_wall_ms() - age_ms) / 1000, 0}, times[2] = {time, time};
    for (const struct dirent *entry = readdir(open_directory); entry != NULL; entry = readdir(open_directory))
        if (entry->d_name[0] != '.')
            ck_assert_int_eq(utimensat(dirfd(open_directory), entry->d_name, times, 0), 0);
    closedir(open_directory);
}

static void remove_directory(void)
{
    DIR *open_directory = opendir(directory);
    for (const struct dirent *entry = readdir(open_directory); entry != NULL; entry = readdir(open_directory))
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(open_directory), entry->d_name, 0);
    closedir(open_directory);
    ck_assert_int_eq(rmdir(directory), 0);
}

static void setup_directory(void)
{
    setup();
    memcpy(directory + strlen(directory) - 6, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(directory));
    schema_bench_restart(directory);
    struct asker before = {0};
    ask_and_wait(&before, 0);
    fake_transfer_answer(schema_call(0, WRITER_URL), 200, DOCUMENT_1);
    asker_dispose(&before);
}

static void teardown_directory(void)
{
    teardown();
    remove_directory();
}

START_TEST(a_restart_is_served_from_disk)
{
    set_age(HOUR_MS - MINUTE_MS);
    schema_bench_restart(directory);
    ask_and_get(0, VERSION_1);
    expect_no_call(0);
    schema_advance(MINUTE_MS);
    ask_and_get(0, VERSION_1);
    fake_transfer_answer(schema_call(0, WRITER_URL), 200, DOCUMENT_2);
    ask_and_get(1, VERSION_2);
}
END_TEST

START_TEST(what_is_old_on_disk_serves_at_once_and_is_fetched_anew_behind)
{
    set_age(_i == 0 ? 30 * (int64_t)HOUR_MS : -HOUR_MS);
    schema_bench_restart(directory);
    warm(0, "acme/writer");
    expect_no_call(0);
    ask_and_get(0, VERSION_1);
    ask_and_get(1, VERSION_1);
    expect_no_call(1);
    fake_transfer_answer(schema_call(0, WRITER_URL), 200, DOCUMENT_2);
    set_age(MINUTE_MS);
    schema_bench_restart(directory);
    ask_and_get(0, VERSION_2);
    expect_no_call(0);
}
END_TEST

START_TEST(a_failure_leaves_what_is_on_disk)
{
    set_age(2 * HOUR_MS);
    schema_bench_restart(directory);
    ask_and_get(0, VERSION_1);
    fake_transfer_answer(schema_call(0, WRITER_URL), 404, "{}");
    schema_bench_restart(directory);
    ask_and_get(0, VERSION_1);
    fake_transfer_answer(schema_call(0, WRITER_URL), 200, DOCUMENT_2);
}
END_TEST

static void add_answers(Suite *suite)
{
    TCase *tcase = tcase_create("answers");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_pinned_version_has_a_document_of_its_own);
    tcase_add_test(tcase, a_deployment_is_asked_what_it_runs_and_then_that_version);
    tcase_add_loop_test(tcase, a_deployment_that_does_not_say_what_it_runs_has_no_schema, 0, ROWS(lost_deployments));
    tcase_add_test(tcase, a_deployment_whose_version_is_gone_has_no_schema);
    tcase_add_test(tcase, a_document_without_inputs_is_an_answer_too);
    tcase_add_loop_test(tcase, an_answer_that_is_no_document_is_a_failure_at_once, 0, ROWS(final_rows));
    tcase_add_loop_test(tcase, a_fetch_that_fails_for_a_passing_reason_is_tried_again, 0, 4);
    tcase_add_loop_test(tcase, a_fetch_is_tried_four_times_and_no_more, 0, 4);
    tcase_add_loop_test(tcase, a_429_is_waited_out_unless_that_takes_too_long, 0, 2);
    tcase_add_loop_test(tcase, the_version_of_a_model_that_is_not_official_is_learnt, 0, ROWS(learnt_rows));
    tcase_add_test(tcase, a_refresh_teaches_too);
    suite_add_tcase(suite, tcase);
}

static Suite *fetch_suite(void)
{
    Suite *suite = suite_create("schemas_fetch");
    add_answers(suite);
    TCase *tcase = tcase_create("warming and bounds");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, what_is_warmed_is_fetched_a_few_at_a_time);
    tcase_add_test(tcase, whoever_asks_for_what_is_still_to_be_warmed_goes_first);
    tcase_add_test(tcase, whoever_asks_for_what_is_being_warmed_waits_for_it);
    tcase_add_test(tcase, what_is_known_is_not_warmed_however_old);
    tcase_add_test(tcase, what_is_known_is_passed_over_one_a_turn);
    tcase_add_test(tcase, a_worker_that_ends_leaves_what_it_was_to_warm);
    tcase_add_test(tcase, the_least_recently_used_is_forgotten);
    tcase_add_test(tcase, what_is_being_fetched_is_not_forgotten_however_many_come);
    suite_add_tcase(suite, tcase);
    TCase *restarts = tcase_create("restarts");
    tcase_add_checked_fixture(restarts, setup_directory, teardown_directory);
    tcase_add_test(restarts, a_restart_is_served_from_disk);
    tcase_add_loop_test(restarts, what_is_old_on_disk_serves_at_once_and_is_fetched_anew_behind, 0, 2);
    tcase_add_test(restarts, a_failure_leaves_what_is_on_disk);
    suite_add_tcase(suite, restarts);
    return suite;
}

int main(void)
{
    return suite_run(fetch_suite());
}
