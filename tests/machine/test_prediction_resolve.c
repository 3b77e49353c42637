/* A community model named without a version: the look-up of its latest one, and what is remembered of it. */
#include "base/clock.h"
#include "check_main.h"
#include "fake_bench.h"

#define NOT_FOUND "{\"detail\":\"The requested resource could not be found.\",\"status\":404}"
#define NO_VERSION                                                                                                     \
    "{\"title\":\"Invalid version or not permitted\",\"detail\":\"The specified version does not "                     \
    "exist\",\"status\":422}"

static struct transfer *model_call(void)
{
    return bench_call("GET", BENCH_BASE "/models/acme/writer");
}

static struct transfer *version_call(const char *body)
{
    struct transfer *call = bench_call("POST", BENCH_BASE "/predictions");
    ck_assert_str_eq(call->body, body);
    return call;
}

#define WITH_VERSION "{\"version\":\"" BENCH_VERSION "\",\"input\":{\"prompt\":\"Say hi\"}}"
#define WITH_OTHER_VERSION "{\"version\":\"" BENCH_OTHER_VERSION "\",\"input\":{\"prompt\":\"Say hi\"}}"

static void to_resolving(void)
{
    bench_start_model();
    fake_transfer_answer(bench_create_call(), 404, NOT_FOUND);
    bench_expect_state(PREDICTION_RESOLVING);
}

START_TEST(creating_leads_to_resolving_on_404_and_resolving_to_creating_with_the_version)
{
    to_resolving();
    fake_transfer_answer(model_call(), 200, BENCH_MODEL);
    bench_expect_state(PREDICTION_CREATING);
    struct transfer *call = version_call(WITH_VERSION);
    ck_assert(call->never_repeat);
    fake_transfer_answer(call, 201, BENCH_SUCCEEDED);
    bench_expect_success();
    bench_expect_none();
}
END_TEST

START_TEST(a_version_that_is_remembered_is_used_at_once)
{
    model_memory_set_version(bench.models, "acme/writer", clock_now_ms(), BENCH_VERSION);
    bench_start_model();
    fake_transfer_answer(version_call(WITH_VERSION), 201, BENCH_SUCCEEDED);
    bench_expect_success();
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), 1);
}
END_TEST

START_TEST(a_resolved_version_serves_the_next_prediction)
{
    to_resolving();
    fake_transfer_answer(model_call(), 200, BENCH_MODEL);
    fake_transfer_answer(version_call(WITH_VERSION), 201, BENCH_SUCCEEDED);
    bench.finished = 0;
    bench_start_model();
    fake_transfer_answer(version_call(WITH_VERSION), 201, BENCH_SUCCEEDED);
    bench_expect_success();
}
END_TEST

/* Of several open calls the one that was started first, which has to be this one. */
static struct transfer *first_call(const char *url)
{
    struct transfer *call = fake_transfer_first(bench.transfers);
    ck_assert_ptr_nonnull(call);
    ck_assert_str_eq(call->url, url);
    return call;
}

START_TEST(of_predictions_that_came_together_one_looks_the_version_up)
{
    to_resolving();
    bench_start_model();
    fake_transfer_answer(first_call(BENCH_BASE "/models/acme/writer"), 200, BENCH_MODEL);
    fake_transfer_answer(first_call(BENCH_BASE "/models/acme/writer/predictions"), 404, NOT_FOUND);
    fake_transfer_answer(first_call(BENCH_BASE "/predictions"), 201, BENCH_SUCCEEDED);
    bench.finished = 0;
    fake_transfer_answer(version_call(WITH_VERSION), 201, BENCH_SUCCEEDED);
    bench_expect_success();
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), 5);
}
END_TEST

START_TEST(a_remembered_version_that_is_gone_is_forgotten_and_resolved_once_more)
{
    model_memory_set_version(bench.models, "acme/writer", clock_now_ms(), BENCH_OTHER_VERSION);
    bench_start_model();
    fake_transfer_answer(version_call(WITH_OTHER_VERSION), 422, NO_VERSION);
    bench_expect_state(PREDICTION_RESOLVING);
    char version[MODEL_VERSION_BYTES];
    ck_assert(!model_memory_version(bench.models, "acme/writer", clock_now_ms(), version));
    fake_transfer_answer(model_call(), 200, BENCH_MODEL);
    fake_transfer_answer(version_call(WITH_VERSION), 201, BENCH_SUCCEEDED);
    bench_expect_success();
}
END_TEST

START_TEST(a_version_just_resolved_that_is_refused_is_not_resolved_again)
{
    to_resolving();
    fake_transfer_answer(model_call(), 200, BENCH_MODEL);
    fake_transfer_answer(version_call(WITH_VERSION), 422, NO_VERSION);
    bench_expect_error(ERROR_MODEL_NOT_FOUND);
    bench_expect_none();
    char version[MODEL_VERSION_BYTES];
    ck_assert(!model_memory_version(bench.models, "acme/writer", clock_now_ms(), version));
}
END_TEST

START_TEST(an_official_model_refused_for_its_input_is_not_resolved)
{
    bench_start_model();
    fake_transfer_answer(bench_create_call(), 422, "{\"detail\":\"- input: prompt is required\",\"status\":422}");
    bench_expect_error(ERROR_INVALID_VALUE);
}
END_TEST

static const struct {
    int status;
    const char *body;
    enum error_kind kind;
} end_rows[] = {
    {404, NOT_FOUND, ERROR_MODEL_NOT_FOUND},
    {401, "{\"title\":\"Unauthenticated\"}", ERROR_UPSTREAM_AUTHENTICATION},
    {200, "{\"latest_version\":null}", ERROR_MODEL_NOT_FOUND},
    {200, "{\"latest_version\":{\"id\":\"../x\"}}", ERROR_MODEL_NOT_FOUND},
    {200, "<html>", ERROR_UPSTREAM_ERROR},
};

START_TEST(a_look_up_that_finds_nothing_is_an_error)
{
    to_resolving();
    fake_transfer_answer(model_call(), end_rows[_i].status, end_rows[_i].body);
    bench_expect_error(end_rows[_i].kind);
    bench_expect_none();
}
END_TEST

static void fail_look_up(int way)
{
    if (way == 0)
        fake_transfer_break(model_call(), TRANSFER_UNREACHABLE);
    else if (way == 1)
        fake_transfer_break(model_call(), TRANSFER_LOST);
    else
        fake_transfer_answer(model_call(), way == 2 ? 500 : 429, "{}");
}

START_TEST(a_look_up_that_fails_is_tried_again)
{
    to_resolving();
    fail_look_up(_i);
    bench_expect_state(PREDICTION_BACKOFF);
    bench_advance(500);
    bench_expect_state(PREDICTION_RESOLVING);
    fake_transfer_answer(model_call(), 200, BENCH_MODEL);
    fake_transfer_answer(version_call(WITH_VERSION), 201, BENCH_SUCCEEDED);
    bench_expect_success();
}
END_TEST

START_TEST(a_look_up_that_fails_again_and_again_is_an_error_that_may_be_retried)
{
    to_resolving();
    for (int i = 0; i < 4; i++) {
        fail_look_up(_i);
        bench_advance(500 << i);
    }
    fail_look_up(_i);
    bench_expect_error(_i == 3 ? ERROR_RATE_LIMITED : ERROR_UPSTREAM_UNAVAILABLE);
    bench_expect_none();
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), 6);
}
END_TEST

START_TEST(a_429_after_the_look_up_keeps_the_version)
{
    to_resolving();
    fake_transfer_answer(model_call(), 200, BENCH_MODEL);
    fake_transfer_answer(version_call(WITH_VERSION), 429, "{}");
    bench_advance(500);
    fake_transfer_answer(version_call(WITH_VERSION), 201, BENCH_SUCCEEDED);
    bench_expect_success();
}
END_TEST

/* ---- the one other form ---- */

#define BENCH_OTHER_MODEL "{\"latest_version\":{\"id\":\"" BENCH_OTHER_VERSION "\"}}"

/* A version is remembered, and the model does not run as that one. */
static void to_second_look(void)
{
    model_memory_set_version(bench.models, "acme/writer", clock_now_ms(), BENCH_OTHER_VERSION);
    bench_start_model();
    fake_transfer_answer(version_call(WITH_OTHER_VERSION), 422, NO_VERSION);
    bench_expect_state(PREDICTION_RESOLVING);
}

/* ... nor as its latest one, which is the same. */
static void to_its_name(void)
{
    to_second_look();
    fake_transfer_answer(model_call(), 200, BENCH_OTHER_MODEL);
    bench_expect_state(PREDICTION_CREATING);
}

static void expect_nothing_remembered(void)
{
    char version[MODEL_VERSION_BYTES];
    ck_assert(!model_memory_version(bench.models, "acme/writer", clock_now_ms(), version));
}

START_TEST(a_model_that_runs_as_no_version_is_created_by_its_name)
{
    to_its_name();
    struct transfer *call = bench_create_call();
    ck_assert_str_eq(call->body, "{\"input\":{\"prompt\":\"Say hi\"}}");
    ck_assert(call->never_repeat);
    fake_transfer_answer(call, 201, BENCH_SUCCEEDED);
    bench_expect_success();
    bench_expect_none();
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), 3);
}
END_TEST

START_TEST(what_runs_by_its_name_only_is_created_so_at_once_the_next_time)
{
    to_its_name();
    fake_transfer_answer(bench_create_call(), 201, BENCH_SUCCEEDED);
    expect_nothing_remembered();
    bench.finished = 0;
    bench_start_model();
    fake_transfer_answer(bench_create_call(), 201, BENCH_SUCCEEDED);
    bench_expect_success();
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), 4);
}
END_TEST

START_TEST(what_runs_neither_as_a_version_nor_by_its_name_is_an_error)
{
    to_its_name();
    fake_transfer_answer(bench_create_call(), _i == 0 ? 404 : 422, _i == 0 ? NOT_FOUND : NO_VERSION);
    bench_expect_error(ERROR_MODEL_NOT_FOUND);
    bench_expect_none();
    expect_nothing_remembered();
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), 3);
}
END_TEST

START_TEST(a_newer_version_that_is_refused_too_leads_to_the_name)
{
    to_second_look();
    fake_transfer_answer(model_call(), 200, BENCH_MODEL);
    fake_transfer_answer(version_call(WITH_VERSION), 422, NO_VERSION);
    fake_transfer_answer(bench_create_call(), 404, NOT_FOUND);
    bench_expect_error(ERROR_MODEL_NOT_FOUND);
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), 4);
}
END_TEST

START_TEST(a_look_up_without_a_version_leads_to_the_name)
{
    to_second_look();
    fake_transfer_answer(model_call(), _i == 0 ? 404 : 200, _i == 0 ? NOT_FOUND : "{\"latest_version\":null}");
    fake_transfer_answer(bench_create_call(), 201, BENCH_SUCCEEDED);
    bench_expect_success();
}
END_TEST

START_TEST(a_look_up_that_is_refused_leads_to_nothing)
{
    to_second_look();
    fake_transfer_answer(model_call(), 401, "{\"title\":\"Unauthenticated\"}");
    bench_expect_error(ERROR_UPSTREAM_AUTHENTICATION);
    bench_expect_none();
}
END_TEST

START_TEST(a_429_to_the_name_keeps_the_name)
{
    to_its_name();
    fake_transfer_answer(bench_create_call(), 429, "{}");
    bench_expect_state(PREDICTION_BACKOFF);
    bench_advance(500);
    fake_transfer_answer(bench_create_call(), 201, BENCH_SUCCEEDED);
    bench_expect_success();
}
END_TEST

START_TEST(the_name_that_is_refused_for_its_input_is_an_error_of_the_input)
{
    to_its_name();
    fake_transfer_answer(bench_create_call(), 422, "{\"detail\":\"- input: prompt is required\",\"status\":422}");
    bench_expect_error(ERROR_INVALID_VALUE);
    bench_expect_none();
}
END_TEST

/* The name was refused; another prediction had found a version meanwhile, which is gone by now. */
START_TEST(a_version_known_from_elsewhere_that_is_refused_is_looked_up_but_not_sent_again)
{
    bench_start_model();
    model_memory_set_version(bench.models, "acme/writer", clock_now_ms(), BENCH_OTHER_VERSION);
    fake_transfer_answer(bench_create_call(), 404, NOT_FOUND);
    fake_transfer_answer(version_call(WITH_OTHER_VERSION), 422, NO_VERSION);
    fake_transfer_answer(model_call(), 200, BENCH_OTHER_MODEL);
    bench_expect_error(ERROR_MODEL_NOT_FOUND);
    bench_expect_none();
    expect_nothing_remembered();
}
END_TEST

START_TEST(a_pinned_version_and_a_deployment_have_no_other_form)
{
    static const char *const references[] = {("acme/writer:" BENCH_VERSION), BENCH_VERSION, "deployments/acme/writer"};
    model_memory_set_version(bench.models, "acme/writer", clock_now_ms(), BENCH_OTHER_VERSION);
    bench_start(bench_job(references[_i / 2]));
    const char *path = _i / 2 == 2 ? BENCH_BASE "/deployments/acme/writer/predictions" : BENCH_BASE "/predictions";
    fake_transfer_answer(bench_call("POST", path), _i % 2 == 0 ? 404 : 422, _i % 2 == 0 ? NOT_FOUND : NO_VERSION);
    bench_expect_error(ERROR_MODEL_NOT_FOUND);
    bench_expect_none();
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), 1);
    char version[MODEL_VERSION_BYTES];
    ck_assert(model_memory_version(bench.models, "acme/writer", clock_now_ms(), version));
}
END_TEST

static Suite *resolve_suite(void)
{
    Suite *suite = suite_create("prediction_resolve");
    TCase *tcase = tcase_create("resolve");
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_test(tcase, creating_leads_to_resolving_on_404_and_resolving_to_creating_with_the_version);
    tcase_add_test(tcase, a_version_that_is_remembered_is_used_at_once);
    tcase_add_test(tcase, a_resolved_version_serves_the_next_prediction);
    tcase_add_test(tcase, of_predictions_that_came_together_one_looks_the_version_up);
    tcase_add_test(tcase, a_remembered_version_that_is_gone_is_forgotten_and_resolved_once_more);
    tcase_add_test(tcase, a_version_just_resolved_that_is_refused_is_not_resolved_again);
    tcase_add_test(tcase, an_official_model_refused_for_its_input_is_not_resolved);
    tcase_add_loop_test(tcase, a_look_up_that_finds_nothing_is_an_error, 0, 5);
    tcase_add_loop_test(tcase, a_look_up_that_fails_is_tried_again, 0, 4);
    tcase_add_loop_test(tcase, a_look_up_that_fails_again_and_again_is_an_error_that_may_be_retried, 0, 4);
    tcase_add_test(tcase, a_429_after_the_look_up_keeps_the_version);
    suite_add_tcase(suite, tcase);
    TCase *other = tcase_create("other form");
    tcase_add_checked_fixture(other, bench_setup, bench_teardown);
    tcase_add_test(other, a_model_that_runs_as_no_version_is_created_by_its_name);
    tcase_add_test(other, what_runs_by_its_name_only_is_created_so_at_once_the_next_time);
    tcase_add_loop_test(other, what_runs_neither_as_a_version_nor_by_its_name_is_an_error, 0, 2);
    tcase_add_test(other, a_newer_version_that_is_refused_too_leads_to_the_name);
    tcase_add_loop_test(other, a_look_up_without_a_version_leads_to_the_name, 0, 2);
    tcase_add_test(other, a_look_up_that_is_refused_leads_to_nothing);
    tcase_add_test(other, a_429_to_the_name_keeps_the_name);
    tcase_add_test(other, the_name_that_is_refused_for_its_input_is_an_error_of_the_input);
    tcase_add_test(other, a_version_known_from_elsewhere_that_is_refused_is_looked_up_but_not_sent_again);
    tcase_add_loop_test(other, a_pinned_version_and_a_deployment_have_no_other_form, 0, 6);
    suite_add_tcase(suite, other);
    return suite;
}

int main(void)
{
    return suite_run(resolve_suite());
}
