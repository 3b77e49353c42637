/* A prediction until its id is known: what is sent, what is tried again, and what never is. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check_main.h"
#include "fake_bench.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static void answer_throttled(int64_t retry_after_ms)
{
    const struct transfer_answer answer = {
        .result = TRANSFER_ANSWERED,
        .status = 429,
        .body = "{\"detail\":\"Request was throttled.\"}",
        .body_length = strlen("{\"detail\":\"Request was throttled.\"}"),
        .retry_after_ms = retry_after_ms,
        .ratelimit_remaining = -1,
        .ratelimit_reset_ms = -1,
        .detail = "",
    };
    fake_transfer_answer_with(bench_create_call(), &answer);
}

START_TEST(start_leads_to_creating)
{
    bench_start_model();
    bench_expect_state(PREDICTION_CREATING);
    ck_assert_str_eq(prediction_id(bench.prediction), "");
    struct transfer *call = bench_create_call();
    ck_assert_str_eq(call->body, "{\"input\":{\"prompt\":\"Say hi\"}}");
    ck_assert_str_eq(fake_transfer_header(call, "Cancel-After"), "60s");
    ck_assert_ptr_null(fake_transfer_header(call, "Prefer"));
    ck_assert_ptr_null(fake_transfer_header(call, "Authorization"));
    ck_assert(call->never_repeat);
    ck_assert_int_eq(call->timeout_ms, 30000);
    fake_transfer_answer(call, 201, BENCH_SUCCEEDED);
    bench_expect_success();
}
END_TEST

START_TEST(a_create_under_way_at_the_deadline_is_given_time_to_tell_its_id)
{
    struct job *job = bench_job("acme/writer");
    job->deadline_ms = clock_now_ms() + 3000;
    bench_start(job);
    struct transfer *call = bench_create_call();
    ck_assert_int_ge(call->timeout_ms, 18000);
    ck_assert_str_eq(fake_transfer_header(call, "Cancel-After"), "5s");
    fake_transfer_answer(call, 201, BENCH_SUCCEEDED);
}
END_TEST

START_TEST(the_jobs_own_headers_go_along)
{
    struct job *job = bench_job("acme/writer");
    job->headers = calloc(1, sizeof *job->headers);
    job->header_count = 1;
    job->headers[0] = (struct header){strdup("x-team"), strdup("blue")};
    bench_start(job);
    ck_assert_str_eq(fake_transfer_header(bench_create_call(), "x-team"), "blue");
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    bench_advance(250);
    ck_assert_str_eq(fake_transfer_header(bench_poll_call(), "x-team"), "blue");
    fake_transfer_answer(bench_poll_call(), 200, BENCH_SUCCEEDED);
}
END_TEST

START_TEST(creating_leads_to_done_when_the_answer_is_terminal_already)
{
    bench_start_model();
    bench_advance(40);
    fake_transfer_answer(bench_create_call(), 201, BENCH_SUCCEEDED);
    bench_expect_success();
    bench_expect_none();
    ck_assert_uint_eq(engine_count_in(bench.engine, PREDICTION_DONE), 1);
    ck_assert_str_eq(bench.outcome->prediction_id, BENCH_ID);
    ck_assert_str_eq(json_string_value(bench.outcome->output), "Hi");
    ck_assert(bench.outcome->usage.reported);
    ck_assert_int_eq(bench.outcome->usage.input_tokens, 12);
    ck_assert_int_eq(bench.outcome->created_after_ms, 40);
    ck_assert_int_eq(bench.outcome->finished_after_ms, 40);
    ck_assert_int_eq(bench.outcome->polls, 0);
}
END_TEST

START_TEST(creating_leads_to_sleeping_when_there_is_an_id_but_no_end)
{
    bench_start_model();
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    bench_expect_state(PREDICTION_SLEEPING);
    ck_assert_str_eq(prediction_id(bench.prediction), BENCH_ID);
    bench_advance(250);
    fake_transfer_answer(bench_poll_call(), 200, BENCH_SUCCEEDED);
    bench_expect_success();
    ck_assert_str_eq(bench.outcome->version, "hidden");
}
END_TEST

START_TEST(creating_leads_to_backoff_when_replicate_is_unreachable_and_backoff_to_creating)
{
    bench_start_model();
    for (int i = 0; i < 2; i++) {
        fake_transfer_break(bench_create_call(), TRANSFER_UNREACHABLE);
        bench_expect_state(PREDICTION_BACKOFF);
        bench_expect_idle();
        bench_advance(500 << i);
        bench_expect_state(PREDICTION_CREATING);
    }
    bench_expect_unfinished();
    fake_transfer_answer(bench_create_call(), 201, BENCH_SUCCEEDED);
    bench_expect_success();
}
END_TEST

START_TEST(an_unreachable_replicate_is_given_up_after_the_configured_tries)
{
    bench_start_model();
    fake_transfer_break(bench_create_call(), TRANSFER_UNREACHABLE);
    bench_advance(500);
    fake_transfer_break(bench_create_call(), TRANSFER_UNREACHABLE);
    bench_advance(1000);
    fake_transfer_break(bench_create_call(), TRANSFER_UNREACHABLE);
    bench_expect_error(ERROR_UPSTREAM_UNAVAILABLE);
    bench_expect_none();
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), 3);
    ck_assert_int_eq(bench.outcome->created_after_ms, -1);
}
END_TEST

START_TEST(an_unreachable_replicate_is_given_up_where_the_pause_does_not_fit)
{
    struct job *job = bench_job("acme/writer");
    job->deadline_ms = clock_now_ms() + 400;
    bench_start(job);
    fake_transfer_break(bench_create_call(), TRANSFER_UNREACHABLE);
    bench_expect_error(ERROR_UPSTREAM_UNAVAILABLE);
}
END_TEST

START_TEST(a_lost_answer_is_an_error_and_the_create_is_never_repeated)
{
    bench_start_model();
    fake_transfer_break(bench_create_call(), TRANSFER_LOST);
    bench_expect_error(ERROR_UPSTREAM_ERROR);
    bench_expect_none();
    bench_advance(60000);
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), 1);
}
END_TEST

START_TEST(a_429_whose_wait_fits_is_waited_out)
{
    bench_start_model();
    answer_throttled(5000);
    bench_expect_state(PREDICTION_BACKOFF);
    bench_advance(4999);
    bench_expect_idle();
    bench_advance(1);
    bench_expect_state(PREDICTION_CREATING);
    ck_assert_str_eq(fake_transfer_header(bench_create_call(), "Cancel-After"), "55s");
    fake_transfer_answer(bench_create_call(), 201, BENCH_SUCCEEDED);
    bench_expect_success();
}
END_TEST

START_TEST(a_429_takes_its_wait_from_the_body_where_no_header_says)
{
    bench_start_model();
    fake_transfer_answer(bench_create_call(), 429, "{\"detail\":\"Request was throttled.\",\"retry_after\":7}");
    bench_advance(6999);
    bench_expect_idle();
    bench_advance(1);
    fake_transfer_answer(bench_create_call(), 201, BENCH_SUCCEEDED);
}
END_TEST

START_TEST(a_429_that_says_nothing_or_zero_is_backed_off_from)
{
    bench_start_model();
    for (int i = 0; i < 4; i++) {
        answer_throttled(i % 2 == 0 ? -1 : 0);
        bench_advance((500 << i) - 1);
        bench_expect_idle();
        bench_advance(1);
        bench_expect_state(PREDICTION_CREATING);
    }
    fake_transfer_answer(bench_create_call(), 201, BENCH_SUCCEEDED);
}
END_TEST

START_TEST(a_429_whose_wait_does_not_fit_goes_to_the_client_with_the_wait)
{
    bench_start_model();
    answer_throttled(60000);
    bench_expect_error(ERROR_RATE_LIMITED);
    ck_assert_int_eq(bench.outcome->error->retry_after_ms, 60000);
    bench_expect_none();
}
END_TEST

struct refusal_row {
    int status;
    const char *body;
    enum error_kind kind;
    const char *param;
};

static const struct refusal_row refusal_rows[] = {
    {400, "{\"detail\":\"Failed to parse request body as JSON\"}", ERROR_INVALID_VALUE, ""},
    {401, "{\"title\":\"Unauthenticated\",\"status\":401}", ERROR_UPSTREAM_AUTHENTICATION, ""},
    {402, "{\"title\":\"Insufficient credit\",\"status\":402}", ERROR_INSUFFICIENT_QUOTA, ""},
    {403, "{\"detail\":\"no\"}", ERROR_UPSTREAM_AUTHENTICATION, ""},
    {409, "{}", ERROR_INVALID_VALUE, ""},
    {413, "{\"detail\":\"too large\"}", ERROR_INVALID_VALUE, ""},
    {422, "{\"detail\":\"x\",\"invalid_fields\":[{\"type\":\"number_lte\",\"field\":\"input.top_k\"}]}",
     ERROR_INVALID_VALUE, "input.top_k"},
    {500, "", ERROR_UPSTREAM_ERROR, ""},
    {502, "<html>bad gateway</html>", ERROR_UPSTREAM_ERROR, ""},
    {503, "{\"detail\":\"later\"}", ERROR_UPSTREAM_ERROR, ""},
    {599, "{}", ERROR_UPSTREAM_ERROR, ""},
    {302, "", ERROR_UPSTREAM_ERROR, ""},
    {200, "", ERROR_UPSTREAM_ERROR, ""},
    {201, "<html>hello</html>", ERROR_UPSTREAM_ERROR, ""},
    {201, "{\"status\":\"starting\"}", ERROR_UPSTREAM_ERROR, ""},
    {201, "{\"id\":\"../../account\",\"status\":\"starting\"}", ERROR_UPSTREAM_ERROR, ""},
};

START_TEST(a_refused_create_is_one_error_and_no_second_try)
{
    const struct refusal_row *row = &refusal_rows[_i];
    bench_start_model();
    fake_transfer_answer(bench_create_call(), row->status, row->body);
    bench_expect_error(row->kind);
    ck_assert_str_eq(bench.outcome->error->param, row->param);
    ck_assert_ptr_null(bench.outcome->output);
    bench_expect_none();
    bench_advance(120000);
    ck_assert_uint_eq(fake_transfer_started(bench.transfers), 1);
    ck_assert_int_eq(bench.finished, 1);
}
END_TEST

START_TEST(the_create_is_held_open_only_for_a_model_known_to_be_quick)
{
    bench_learn_duration("acme/writer", _i == 0 ? 4999 : 5000);
    fake_transfer_pretend_busy(bench.transfers, _i == 2 ? 65 : 64);
    if (_i == 2)
        bench_learn_duration("acme/writer", 1);
    bench_start_model();
    const char *prefer = fake_transfer_header(bench_create_call(), "Prefer");
    if (_i == 0) {
        ck_assert_str_eq(prefer, "wait=5");
        ck_assert_int_eq(bench_create_call()->timeout_ms, 35000);
    } else {
        ck_assert_ptr_null(prefer);
    }
    fake_transfer_answer(bench_create_call(), 201, BENCH_SUCCEEDED);
}
END_TEST

START_TEST(a_quick_success_is_remembered)
{
    bench_start_model();
    bench_advance(100);
    fake_transfer_answer(bench_create_call(), 201, BENCH_STARTING);
    bench_advance(300);
    fake_transfer_answer(bench_poll_call(), 200, BENCH_SUCCEEDED);
    ck_assert_int_eq(model_memory_duration_ms(bench.models, "acme/writer"), 400);
}
END_TEST

START_TEST(a_version_and_a_deployment_have_paths_of_their_own)
{
    bench_start(bench_job(_i == 0 ? "acme/writer:" BENCH_VERSION : "deployments/acme/writer"));
    struct transfer *call;
    if (_i == 0) {
        call = bench_call("POST", BENCH_BASE "/predictions");
        ck_assert_str_eq(call->body, "{\"version\":\"" BENCH_VERSION "\",\"input\":{\"prompt\":\"Say hi\"}}");
    } else {
        call = bench_call("POST", BENCH_BASE "/deployments/acme/writer/predictions");
        ck_assert_str_eq(call->body, "{\"input\":{\"prompt\":\"Say hi\"}}");
    }
    /* Neither has another form that could be tried. */
    fake_transfer_answer(call, 404, "{\"detail\":\"Not found.\"}");
    bench_expect_error(ERROR_MODEL_NOT_FOUND);
    bench_expect_none();
}
END_TEST

START_TEST(a_name_too_long_for_a_url_is_an_error_after_the_start)
{
    static char reference[20001];
    memset(reference, 'a', sizeof reference - 1);
    reference[5] = '/';
    bench_start(bench_job(reference));
    bench_expect_idle();
    bench_expect_unfinished();
    bench_advance(0);
    bench_expect_error(ERROR_REQUEST_TOO_LARGE);
}
END_TEST

static Suite *create_suite(void)
{
    Suite *suite = suite_create("prediction_create");
    TCase *tcase = tcase_create("create");
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_test(tcase, start_leads_to_creating);
    tcase_add_test(tcase, a_create_under_way_at_the_deadline_is_given_time_to_tell_its_id);
    tcase_add_test(tcase, the_jobs_own_headers_go_along);
    tcase_add_test(tcase, creating_leads_to_done_when_the_answer_is_terminal_already);
    tcase_add_test(tcase, creating_leads_to_sleeping_when_there_is_an_id_but_no_end);
    tcase_add_test(tcase, creating_leads_to_backoff_when_replicate_is_unreachable_and_backoff_to_creating);
    tcase_add_test(tcase, an_unreachable_replicate_is_given_up_after_the_configured_tries);
    tcase_add_test(tcase, an_unreachable_replicate_is_given_up_where_the_pause_does_not_fit);
    tcase_add_test(tcase, a_lost_answer_is_an_error_and_the_create_is_never_repeated);
    tcase_add_test(tcase, a_429_whose_wait_fits_is_waited_out);
    tcase_add_test(tcase, a_429_takes_its_wait_from_the_body_where_no_header_says);
    tcase_add_test(tcase, a_429_that_says_nothing_or_zero_is_backed_off_from);
    tcase_add_test(tcase, a_429_whose_wait_does_not_fit_goes_to_the_client_with_the_wait);
    tcase_add_loop_test(tcase, a_refused_create_is_one_error_and_no_second_try, 0, ROWS(refusal_rows));
    tcase_add_loop_test(tcase, the_create_is_held_open_only_for_a_model_known_to_be_quick, 0, 3);
    tcase_add_test(tcase, a_quick_success_is_remembered);
    tcase_add_loop_test(tcase, a_version_and_a_deployment_have_paths_of_their_own, 0, 2);
    tcase_add_test(tcase, a_name_too_long_for_a_url_is_an_error_after_the_start);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(create_suite());
}
