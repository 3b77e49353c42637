/* Who waits for a model's schema, for whose answer, and for how long; and who never does. */
#include <string.h>

#include "check_main.h"
#include "fake_schema_bench.h"

enum { HOUR_MS = 60 * 60 * 1000, MINUTE_MS = 60 * 1000 };

static struct schema_worker *first, *second;

static void setup(void)
{
    schema_bench_setup();
    first = &schema_bench.workers[0];
    second = &schema_bench.workers[1];
}

/* The first one asks, and is answered. */
static void know(const char *document, const char *version)
{
    struct asker asker = {0};
    ask_and_wait(&asker, 0);
    fake_transfer_answer(schema_call(0, WRITER_URL), 200, document);
    expect_told(&asker, version);
    asker_dispose(&asker);
}

static void fetch_in_vain(void)
{
    struct asker asker = {0};
    ask_and_wait(&asker, 0);
    fake_transfer_answer(schema_call(0, WRITER_URL), 404, "{}");
    expect_told(&asker, NULL);
    asker_dispose(&asker);
}

START_TEST(the_first_who_asks_waits_and_is_told)
{
    struct asker asker = {0};
    ask_and_wait(&asker, 0);
    struct transfer *call = schema_call(0, WRITER_URL);
    ck_assert_int_eq(call->timeout_ms, 30000);
    ck_assert_uint_eq(call->max_answer_bytes, 8 * 1024 * 1024);
    fake_transfer_answer(call, 200, DOCUMENT_1);
    expect_told(&asker, VERSION_1);
    ck_assert_ptr_nonnull(model_schema_find(asker.schema, "prompt"));
    ck_assert_uint_eq(fake_loop_timers(first->loop), 0);
    asker_dispose(&asker);
}
END_TEST

START_TEST(all_who_ask_meanwhile_wait_for_the_same_answer)
{
    struct asker askers[5] = {0};
    for (int i = 0; i < 5; i++)
        ask_and_wait(&askers[i], i % 2);
    expect_no_call(1);
    size_t wakes = fake_loop_wakes(second->loop);
    fake_transfer_answer(schema_call(0, WRITER_URL), 200, DOCUMENT_1);
    expect_told(&askers[4], VERSION_1);
    expect_waiting(&askers[1]); /* it is the other worker's to tell, on its own thread */
    ck_assert_uint_gt(fake_loop_wakes(second->loop), wakes);
    schema_turns();
    for (int i = 0; i < 5; i++) {
        expect_told(&askers[i], VERSION_1);
        asker_dispose(&askers[i]);
    }
    ck_assert_uint_eq(fake_transfer_started(first->transfers) + fake_transfer_started(second->transfers), 1);
}
END_TEST

START_TEST(models_are_asked_for_apart_from_each_other)
{
    struct asker writer = {0}, painter = {0};
    ask_and_wait(&writer, 0);
    ck_assert(!ask(&painter, 1, "acme/painter"));
    fake_transfer_answer(schema_call(0, WRITER_URL), 200, DOCUMENT_1);
    schema_turns();
    expect_told(&writer, VERSION_1);
    expect_waiting(&painter);
    fake_transfer_answer(schema_call(1, SCHEMA_BASE "/models/acme/painter"), 200, DOCUMENT_2);
    expect_told(&painter, VERSION_2);
    asker_dispose(&writer);
    asker_dispose(&painter);
}
END_TEST

START_TEST(what_is_known_serves_at_once_on_every_worker)
{
    know(DOCUMENT_1, VERSION_1);
    schema_advance(HOUR_MS - 1);
    ask_and_get(0, VERSION_1);
    ask_and_get(1, VERSION_1);
    expect_no_call(0);
    expect_no_call(1);
}
END_TEST

START_TEST(what_is_old_serves_at_once_and_is_fetched_anew_behind_exactly_once)
{
    know(DOCUMENT_1, VERSION_1);
    schema_advance(HOUR_MS);
    ask_and_get(1, VERSION_1);
    ask_and_get(1, VERSION_1);
    ask_and_get(0, VERSION_1);
    expect_no_call(0);
    fake_transfer_answer(schema_call(1, WRITER_URL), 200, DOCUMENT_2);
    ask_and_get(0, VERSION_2);
    schema_advance(HOUR_MS - 1);
    ask_and_get(0, VERSION_2);
    expect_no_call(0);
}
END_TEST

START_TEST(what_is_old_goes_on_to_serve_when_it_cannot_be_fetched_anew)
{
    know(DOCUMENT_1, VERSION_1);
    schema_advance(HOUR_MS);
    ask_and_get(0, VERSION_1);
    fake_transfer_answer(schema_call(0, WRITER_URL), 404, "{}");
    schema_advance(MINUTE_MS - 1);
    ask_and_get(0, VERSION_1);
    expect_no_call(0);
    schema_advance(1);
    ask_and_get(0, VERSION_1);
    fake_transfer_answer(schema_call(0, WRITER_URL), 200, DOCUMENT_2);
    ask_and_get(0, VERSION_2);
}
END_TEST

START_TEST(after_a_failure_nobody_asks_for_a_minute_and_nobody_ever_waits_again)
{
    fetch_in_vain();
    ask_and_get(1, NULL);
    schema_advance(MINUTE_MS - 1);
    ask_and_get(0, NULL);
    expect_no_call(0);
    schema_advance(1);
    ask_and_get(0, NULL);
    ask_and_get(1, NULL);
    expect_no_call(1);
    fake_transfer_answer(schema_call(0, WRITER_URL), 200, DOCUMENT_1);
    ask_and_get(1, VERSION_1);
}
END_TEST

START_TEST(nobody_waits_longer_than_the_limit_though_the_fetch_goes_on)
{
    struct asker early = {0}, late = {0}, elsewhere = {0};
    ask_and_wait(&early, 0);
    schema_advance(SCHEMA_WAIT_MS / 2);
    ask_and_wait(&late, 0);
    ask_and_wait(&elsewhere, 1);
    schema_advance(SCHEMA_WAIT_MS / 2 - 1);
    expect_waiting(&early);
    schema_advance(1);
    expect_told(&early, NULL);
    expect_told(&late, NULL);
    expect_told(&elsewhere, NULL);
    ask_and_get(0, NULL); /* whoever comes now does not wait for what is so slow */
    ask_and_get(1, NULL);
    fake_transfer_answer(schema_call(0, WRITER_URL), 200, DOCUMENT_1);
    schema_turns();
    expect_told(&early, NULL);
    ask_and_get(1, VERSION_1);
    asker_dispose(&early);
    asker_dispose(&late);
    asker_dispose(&elsewhere);
}
END_TEST

/* Impatient clients that come and go would else each wait anew. */
START_TEST(the_limit_counts_from_the_question_though_those_who_waited_have_left)
{
    struct asker gone = {0}, late = {0};
    ask_and_wait(&gone, 0);
    schemas_forget(&gone.wait);
    schema_advance(SCHEMA_WAIT_MS - 1);
    ask_and_wait(&late, 1);
    schema_advance(1);
    expect_told(&late, NULL);
    ask_and_get(0, NULL);
    fake_transfer_answer(schema_call(0, WRITER_URL), 200, DOCUMENT_1);
    asker_dispose(&late);
}
END_TEST

START_TEST(nobody_waits_for_what_another_has_given_up)
{
    struct asker impatient = {0}, earlier = {0};
    ask_and_wait(&earlier, 0);
    ask_and_wait(&impatient, 0);
    schema_advance(2000);
    schemas_give_up(&impatient.wait);
    ask_and_get(0, NULL);
    ask_and_get(1, NULL);
    fake_transfer_answer(schema_call(0, WRITER_URL), 200, DOCUMENT_1);
    expect_told(&earlier, VERSION_1);
    ck_assert_int_eq(impatient.told, 0);
    asker_dispose(&earlier);
}
END_TEST

START_TEST(whoever_forgets_is_not_told)
{
    struct asker gone = {0}, stays = {0};
    ask_and_wait(&gone, 0);
    ask_and_wait(&stays, 0);
    schemas_forget(&gone.wait);
    schemas_forget(&gone.wait);
    fake_transfer_answer(schema_call(0, WRITER_URL), 200, DOCUMENT_1);
    expect_told(&stays, VERSION_1);
    ck_assert_int_eq(gone.told, 0);
    asker_dispose(&stays);
    ask_and_get(0, VERSION_1);
}
END_TEST

START_TEST(whoever_is_told_may_make_the_next_forget)
{
    struct asker askers[3] = {0};
    askers[0].drops = &askers[1];
    for (int i = 0; i < 3; i++)
        ask_and_wait(&askers[i], 0);
    fake_transfer_answer(schema_call(0, WRITER_URL), 200, DOCUMENT_1);
    expect_told(&askers[0], VERSION_1);
    ck_assert_int_eq(askers[1].told, 0);
    expect_told(&askers[2], VERSION_1);
    asker_dispose(&askers[0]);
    asker_dispose(&askers[2]);
}
END_TEST

/* Zeroed memory is an idle wait. */
START_TEST(forgetting_is_harmless_where_nobody_waits)
{
    struct schema_wait wait = {0};
    schemas_forget(&wait);
    ck_assert_ptr_null(wait.schemas);
    ck_assert_ptr_null(wait.key);
}
END_TEST

START_TEST(a_worker_that_ends_lets_those_of_others_go)
{
    struct asker own = {0}, other = {0};
    ask_and_wait(&own, 0);
    ask_and_wait(&other, 1);
    schema_call(0, WRITER_URL);
    schema_bench_free_worker(0);
    schema_turns();
    expect_told(&other, NULL);
    ck_assert_int_eq(own.told, 0);
    ck_assert_ptr_null(own.wait.schemas);
    ask_and_get(1, NULL);
    expect_no_call(1);
    schema_advance(MINUTE_MS);
    ask_and_get(1, NULL);
    fake_transfer_answer(schema_call(1, WRITER_URL), 200, DOCUMENT_1);
    ask_and_get(1, VERSION_1);
    asker_dispose(&own);
    asker_dispose(&other);
}
END_TEST

START_TEST(a_worker_that_ends_while_it_waits_to_try_again_leaves_nothing)
{
    struct asker own = {0}, other = {0};
    ask_and_wait(&own, 0);
    ask_and_wait(&other, 1);
    fake_transfer_answer(schema_call(0, WRITER_URL), 500, "{}");
    expect_no_call(0);
    schema_bench_free_worker(0);
    schema_turns();
    expect_told(&other, NULL);
    asker_dispose(&other);
}
END_TEST

START_TEST(a_bare_version_has_no_schema_and_nobody_is_asked)
{
    struct asker asker = {0};
    ck_assert(ask(&asker, 0, VERSION_1));
    ck_assert_ptr_null(asker.schema);
    expect_no_call(0);
}
END_TEST

START_TEST(a_name_without_end_has_no_schema)
{
    static char name[8000];
    memset(name, 'a', sizeof name - 1);
    name[4] = '/';
    struct asker asker = {0};
    ck_assert(ask(&asker, 0, name));
    ck_assert_ptr_null(asker.schema);
    expect_no_call(0);
}
END_TEST

START_TEST(a_refusal_refreshes_at_most_once_a_minute)
{
    know(DOCUMENT_1, VERSION_1);
    schema_advance(MINUTE_MS - 1);
    refresh_writer(0);
    expect_no_call(0);
    schema_advance(1);
    refresh_writer(0);
    refresh_writer(1);
    expect_no_call(1);
    ask_and_get(0, VERSION_1);
    fake_transfer_answer(schema_call(0, WRITER_URL), 200, DOCUMENT_2);
    ask_and_get(1, VERSION_2);
    refresh_writer(1);
    expect_no_call(1);
}
END_TEST

START_TEST(a_refresh_that_fails_is_not_repeated_at_once)
{
    know(DOCUMENT_1, VERSION_1);
    schema_advance(MINUTE_MS);
    refresh_writer(0);
    fake_transfer_answer(schema_call(0, WRITER_URL), 403, "{}");
    refresh_writer(1);
    expect_no_call(1);
    ask_and_get(1, VERSION_1);
}
END_TEST

START_TEST(a_refresh_fetches_what_is_not_known_at_all)
{
    refresh_writer(1);
    fake_transfer_answer(schema_call(1, WRITER_URL), 200, DOCUMENT_1);
    ask_and_get(0, VERSION_1);
}
END_TEST

static Suite *schemas_suite(void)
{
    Suite *suite = suite_create("schemas");
    TCase *tcase = tcase_create("waiting");
    tcase_add_checked_fixture(tcase, setup, schema_bench_teardown);
    tcase_add_test(tcase, the_first_who_asks_waits_and_is_told);
    tcase_add_test(tcase, all_who_ask_meanwhile_wait_for_the_same_answer);
    tcase_add_test(tcase, models_are_asked_for_apart_from_each_other);
    tcase_add_test(tcase, what_is_known_serves_at_once_on_every_worker);
    tcase_add_test(tcase, what_is_old_serves_at_once_and_is_fetched_anew_behind_exactly_once);
    tcase_add_test(tcase, what_is_old_goes_on_to_serve_when_it_cannot_be_fetched_anew);
    tcase_add_test(tcase, after_a_failure_nobody_asks_for_a_minute_and_nobody_ever_waits_again);
    tcase_add_test(tcase, nobody_waits_longer_than_the_limit_though_the_fetch_goes_on);
    tcase_add_test(tcase, the_limit_counts_from_the_question_though_those_who_waited_have_left);
    tcase_add_test(tcase, nobody_waits_for_what_another_has_given_up);
    tcase_add_test(tcase, whoever_forgets_is_not_told);
    tcase_add_test(tcase, whoever_is_told_may_make_the_next_forget);
    tcase_add_test(tcase, forgetting_is_harmless_where_nobody_waits);
    tcase_add_test(tcase, a_worker_that_ends_lets_those_of_others_go);
    tcase_add_test(tcase, a_worker_that_ends_while_it_waits_to_try_again_leaves_nothing);
    tcase_add_test(tcase, a_bare_version_has_no_schema_and_nobody_is_asked);
    tcase_add_test(tcase, a_name_without_end_has_no_schema);
    tcase_add_test(tcase, a_refusal_refreshes_at_most_once_a_minute);
    tcase_add_test(tcase, a_refresh_that_fails_is_not_repeated_at_once);
    tcase_add_test(tcase, a_refresh_fetches_what_is_not_known_at_all);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(schemas_suite());
}
