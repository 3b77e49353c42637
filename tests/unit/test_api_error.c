/* What Replicate's refusals and failures become for our client. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "check_main.h"
#include "replicate/api.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct job *job;

static void make_job(void)
{
    struct error err;
    job = job_new();
    job->token = xstrdup("test-token");
    ck_assert(target_parse("acme/writer", &job->target, &err));
}

static void drop_job(void)
{
    job_free(job);
}

#define INVALID_FIELD(type, field, description)                                                                        \
    "{\"detail\":\"- input: wrong\\n\",\"status\":422,\"title\":\"Input validation failed\",\"invalid_fields\":[{"     \
    "\"type\":\"" type "\",\"field\":\"" field "\",\"description\":\"" description "\"},{\"field\":\"input.other\"}]}"

static const struct {
    int status;
    const char *body;
    enum error_kind kind;
    const char *param, *words;
} create_rows[] = {
    {400, "{\"detail\":\"Failed to parse request body as JSON\"}", ERROR_INVALID_VALUE, "",
     "\"Failed to parse request body as JSON\""},
    {401, "{\"title\":\"Unauthenticated\",\"detail\":\"You did not pass a valid authentication token\",\"status\":401}",
     ERROR_UPSTREAM_AUTHENTICATION, "", "REPLICATE_API_TOKEN"},
    {403, "<html>forbidden</html>", ERROR_UPSTREAM_AUTHENTICATION, "", "an answer that is not JSON"},
    {402, "{\"title\":\"Insufficient credit\",\"detail\":\"You have insufficient credit\"}", ERROR_INSUFFICIENT_QUOTA,
     "", "\"You have insufficient credit\""},
    {404, "{\"detail\":\"Not found.\"}", ERROR_MODEL_NOT_FOUND, "", "no model acme/writer"},
    {413, "{\"detail\":\"too large\"}", ERROR_INVALID_VALUE, "", "HTTP 413"},
    {418, "{}", ERROR_INVALID_VALUE, "", "an answer without a reason"},
    {422, "{\"title\":\"Invalid version or not permitted\",\"detail\":\"The specified version does not exist\"}",
     ERROR_MODEL_NOT_FOUND, "", "acme/writer"},
    {422, INVALID_FIELD("number_lte", "input.top_k", "Must be less"), ERROR_INVALID_VALUE, "input.top_k",
     "\"- input: wrong\""},
    {422, INVALID_FIELD("required", "input", "prompt is required"), ERROR_INVALID_VALUE, "input.prompt", "wrong"},
    {422, INVALID_FIELD("required", "input", "it is missing"), ERROR_INVALID_VALUE, "input", "wrong"},
    {422, INVALID_FIELD("enum", "", "x"), ERROR_INVALID_VALUE, "", "wrong"},
    {422, "{\"detail\":\"x\",\"invalid_fields\":[7]}", ERROR_INVALID_VALUE, "", "\"x\""},
    {422, "{\"detail\":\"x\",\"invalid_fields\":{}}", ERROR_INVALID_VALUE, "", "\"x\""},
    {422, "{\"detail\":[{\"loc\":[\"body\"]}]}", ERROR_INVALID_VALUE, "", "[{\"loc\":[\"body\"]}]"},
    {422, "<html>no</html>", ERROR_INVALID_VALUE, "", "an answer that is not JSON"},
    {429, "{\"detail\":\"Request was throttled.\"}", ERROR_RATE_LIMITED, "", "rate limit"},
    {500, "", ERROR_UPSTREAM_ERROR, "", "HTTP 500"},
    {502, "<html>bad</html>", ERROR_UPSTREAM_ERROR, "", "an answer that is not JSON"},
    {504, "{\"detail\":\"slow\"}", ERROR_UPSTREAM_ERROR, "", "may have been created"},
    {302, "", ERROR_UPSTREAM_ERROR, "", "base URL"},
    {0, "", ERROR_UPSTREAM_ERROR, "", "HTTP 0"},
    {400, "{\"detail\":\"token test-token r8_secretsecret\"}", ERROR_INVALID_VALUE, "", "token *** ***"},
};

START_TEST(a_refused_create_says_what_to_do)
{
    struct error err = {0};
    const char *body = create_rows[_i].body;
    api_create_error(create_rows[_i].status, body, strlen(body), -1, job, &err);
    ck_assert_str_eq(error_row(err.kind)->name, error_row(create_rows[_i].kind)->name);
    ck_assert_str_eq(err.param, create_rows[_i].param);
    ck_assert_msg(strstr(err.message, create_rows[_i].words) != NULL, "%s", err.message);
    ck_assert_ptr_null(strstr(err.message, "<html>"));
    ck_assert_ptr_null(strstr(err.message, "test-token"));
    if (create_rows[_i].kind != ERROR_RATE_LIMITED)
        ck_assert_ptr_null(strstr(err.message, "rate limit"));
}
END_TEST

static const struct {
    const char *reference, *words;
} missing_rows[] = {
    {"deployments/acme/writer", "no deployment acme/writer,"},
    {"39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b",
     "no model version 39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b,"},
    {"acme/writer:39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b",
     "no model version acme/writer:39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b,"},
};

START_TEST(a_missing_target_is_named)
{
    struct error err = {0};
    target_dispose(&job->target);
    ck_assert(target_parse(missing_rows[_i].reference, &job->target, &err));
    api_create_error(404, "{}", 2, -1, job, &err);
    ck_assert_int_eq(err.kind, ERROR_MODEL_NOT_FOUND);
    ck_assert_msg(strstr(err.message, missing_rows[_i].words) != NULL, "%s", err.message);
}
END_TEST

START_TEST(a_long_reason_is_cut_to_500_bytes)
{
    char body[3000], longest[502];
    memset(longest, 'x', sizeof longest);
    longest[499] = '\0';
    memset(body, 'x', sizeof body);
    memcpy(body, "{\"detail\":\"", 11);
    memcpy(body + sizeof body - 3, "\"}", 3);
    struct error err = {0};
    api_create_error(400, body, strlen(body), -1, job, &err);
    ck_assert_ptr_null(strstr(err.message, longest));
    longest[498] = '\0';
    ck_assert_ptr_nonnull(strstr(err.message, longest));
}
END_TEST

static const struct {
    const char *body;
    int64_t wait_ms;
} wait_rows[] = {
    {"{\"detail\":\"Your rate limit resets in ~5s.\",\"status\":429,\"retry_after\":8}", 8000},
    {"{\"retry_after\":0}", 0},
    {"{\"retry_after\":0.25}", 250},
    {"{\"retry_after\":1e300}", 86400000},
    {"{\"retry_after\":-3}", -1},
    {"{\"retry_after\":\"5\"}", -1},
    {"{\"detail\":\"Request was throttled. Your rate limit resets in ~30s.\"}", 30000},
    {"{\"detail\":\"Request was throttled. Expected available in 1 second.\"}", 1000},
    {"{\"detail\":\"Expected available in 12 seconds.\"}", 12000},
    {"{\"detail\":\"less than $5.0 in credit. Your rate limit resets in ~5s.\"}", 5000},
    {"{\"detail\":\"in 5 minutes\"}", -1},
    {"{\"detail\":\"soon\"}", -1},
    {"{\"detail\":7}", -1},
    {"{}", -1},
    {"resets in ~5s", -1},
    {"", -1},
};

START_TEST(the_wait_of_a_429_is_read_from_its_body)
{
    const char *body = wait_rows[_i].body;
    ck_assert_int_eq(api_retry_after_ms(body, strlen(body)), wait_rows[_i].wait_ms);
    struct error err = {0};
    api_create_error(429, body, strlen(body), -1, job, &err);
    ck_assert_int_eq(err.retry_after_ms, wait_rows[_i].wait_ms > 0 ? wait_rows[_i].wait_ms : 0);
    api_create_error(429, body, strlen(body), 1234, job, &err);
    ck_assert_int_eq(err.retry_after_ms, 1234);
}
END_TEST

static const struct {
    int status;
    const char *body;
    bool is_wrong;
} form_rows[] = {
    {404, "", true},
    {404, "{\"detail\":\"Not found.\"}", true},
    {422, "{\"title\":\"Invalid version or not permitted\"}", true},
    {422, "{\"detail\":\"The specified version does not exist (or perhaps ...)\"}", true},
    {422, "{\"title\":\"Input validation failed\",\"detail\":\"- input: prompt is required\"}", false},
    {422, "<html>", false},
    {400, "{\"title\":\"Invalid version or not permitted\"}", false},
    {500, "", false},
};

START_TEST(another_form_is_tried_only_where_the_form_is_wrong)
{
    ck_assert_int_eq(api_is_wrong_form(form_rows[_i].status, form_rows[_i].body, strlen(form_rows[_i].body)),
                     form_rows[_i].is_wrong);
}
END_TEST

static const struct {
    const char *text;
    enum error_kind kind;
} failure_rows[] = {
    {"The input or output was flagged as sensitive. Please try again with different inputs. (E005)",
     ERROR_CONTENT_POLICY},
    {"Something. (E005) (uIJ6l3ruRD)", ERROR_CONTENT_POLICY},
    {"NSFW content detected. Try running it again, or try a different prompt.", ERROR_CONTENT_POLICY},
    {"Potential nsfw content", ERROR_CONTENT_POLICY},
    {"Blocked by our safety system", ERROR_CONTENT_POLICY},
    {"Service is currently unavailable due to high demand. Please try again (E003)", ERROR_UPSTREAM_TRANSIENT},
    {"Service is temporarily unavailable (E004)", ERROR_UPSTREAM_TRANSIENT},
    {"Prediction interrupted; please retry (code: PA)", ERROR_UPSTREAM_TRANSIENT},
    {"Something else (code: PA)", ERROR_UPSTREAM_TRANSIENT},
    {"Something else (code: PAX)", ERROR_PREDICTION_FAILED},
    {"Director: unexpected error handling prediction (E6716)", ERROR_UPSTREAM_TRANSIENT},
    {"Director: unexpected error handling prediction (E8367)", ERROR_UPSTREAM_TRANSIENT},
    {"Director: unexpected error handling prediction (E9828)", ERROR_UPSTREAM_TRANSIENT},
    {"Director: unexpected error handling prediction", ERROR_UPSTREAM_TRANSIENT},
    {"Director: unexpected error handling prediction (E1001)", ERROR_PREDICTION_FAILED},
    {"Director: unexpected error handling prediction (E7777)", ERROR_UPSTREAM_TRANSIENT},
    {"Queue is full", ERROR_UPSTREAM_TRANSIENT},
    {"CUDA out of memory. Tried to allocate 2 GiB", ERROR_PREDICTION_FAILED},
    {"ValueError: E00512 is no code, nor TYPE005, nor E005x", ERROR_PREDICTION_FAILED},
    {"E1", ERROR_PREDICTION_FAILED},
    {"", ERROR_PREDICTION_FAILED},
};

START_TEST(a_failure_is_sorted_by_its_code_and_words)
{
    struct api_prediction prediction = {.id = "abc", .status = API_STATUS_FAILED};
    snprintf(prediction.error_text, sizeof prediction.error_text, "%s", failure_rows[_i].text);
    struct error err = {0};
    api_failure_error(&prediction, &err);
    ck_assert_str_eq(error_row(err.kind)->name, error_row(failure_rows[_i].kind)->name);
    ck_assert_ptr_nonnull(strstr(err.message, "prediction abc"));
    ck_assert_ptr_nonnull(strstr(err.message, failure_rows[_i].text));
}
END_TEST

START_TEST(canceled_and_aborted_are_errors_of_their_own)
{
    struct api_prediction prediction = {.id = "abc", .status = _i == 0 ? API_STATUS_CANCELED : API_STATUS_ABORTED};
    struct error err = {0};
    api_failure_error(&prediction, &err);
    ck_assert_int_eq(err.kind, _i == 0 ? ERROR_PREDICTION_CANCELED : ERROR_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(err.message, "prediction abc"));
    ck_assert_ptr_nonnull(strstr(err.message, _i == 0 ? "canceled" : "aborted"));
}
END_TEST

static Suite *error_suite(void)
{
    Suite *suite = suite_create("api_error");
    TCase *tcase = tcase_create("error");
    tcase_add_checked_fixture(tcase, make_job, drop_job);
    tcase_add_loop_test(tcase, a_refused_create_says_what_to_do, 0, ROWS(create_rows));
    tcase_add_loop_test(tcase, a_missing_target_is_named, 0, ROWS(missing_rows));
    tcase_add_test(tcase, a_long_reason_is_cut_to_500_bytes);
    tcase_add_loop_test(tcase, the_wait_of_a_429_is_read_from_its_body, 0, ROWS(wait_rows));
    tcase_add_loop_test(tcase, another_form_is_tried_only_where_the_form_is_wrong, 0, ROWS(form_rows));
    tcase_add_loop_test(tcase, a_failure_is_sorted_by_its_code_and_words, 0, ROWS(failure_rows));
    tcase_add_loop_test(tcase, canceled_and_aborted_are_errors_of_their_own, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(error_suite());
}
