/* Model references in all their forms, and the lives of jobs and outcomes. */
#include "check_main.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/job.h"

#define LOWER "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define MIXED "0123456789ABCDEF0123456789abcdef0123456789ABCDEF0123456789abcdef"
#define SHORT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"

static const struct accepted_row {
    const char *reference;
    enum target_kind kind;
    const char *name, *version;
} accepted[] = {
    {"meta/llama-3", TARGET_MODEL, "meta/llama-3", NULL},
    {"a/b", TARGET_MODEL, "a/b", NULL},
    {"A.b_c-9/9.x_Y-z", TARGET_MODEL, "A.b_c-9/9.x_Y-z", NULL},
    {"owner/..x", TARGET_MODEL, "owner/..x", NULL},
    {"replicate/meta/llama-3", TARGET_MODEL, "meta/llama-3", NULL},
    {"replicate/hello-world", TARGET_MODEL, "replicate/hello-world", NULL},
    {"replicate/replicate/hello-world", TARGET_MODEL, "replicate/hello-world", NULL},
    {"replicate/" SHORT, TARGET_MODEL, "replicate/" SHORT, NULL},
    {"meta/llama-3:" LOWER, TARGET_VERSION, "meta/llama-3", LOWER},
    {"meta/llama-3:" MIXED, TARGET_VERSION, "meta/llama-3", LOWER},
    {"replicate/meta/llama-3:" LOWER, TARGET_VERSION, "meta/llama-3", LOWER},
    {"replicate/hello-world:" LOWER, TARGET_VERSION, "replicate/hello-world", LOWER},
    {LOWER, TARGET_VERSION, NULL, LOWER},
    {MIXED, TARGET_VERSION, NULL, LOWER},
    {"replicate/" LOWER, TARGET_VERSION, NULL, LOWER},
    {"deployments/acme/chat", TARGET_DEPLOYMENT, "acme/chat", NULL},
    {"replicate/deployments/acme/chat", TARGET_DEPLOYMENT, "acme/chat", NULL},
};

START_TEST(every_form_of_reference_is_read)
{
    const struct accepted_row *row = &accepted[_i];
    struct target target;
    struct error err = {.kind = ERROR_NONE};
    ck_assert_msg(target_parse(row->reference, &target, &err), "%s: %s", row->reference, err.message);
    ck_assert_int_eq(err.kind, ERROR_NONE);
    ck_assert_int_eq(target.kind, row->kind);
    ck_assert_pstr_eq(target.name, row->name);
    ck_assert_pstr_eq(target.version, row->version);
    target_dispose(&target);
    ck_assert_ptr_null(target.name);
    ck_assert_ptr_null(target.version);
}
END_TEST

static const char *const refused[] = {
    "",
    "/",
    "gpt-4o",
    "owner/",
    "/name",
    "owner//name",
    "owner/name/",
    "owner/name/more",
    "../predictions",
    "owner/..",
    "./name",
    "owner/.",
    "owner/na me",
    "owner/name?x=1",
    "owner/name#x",
    "owner/%2e%2e",
    "owner/na\nme",
    "owner/n\xC3\xA4me",
    "owner/name:",
    "owner/name:latest",
    "owner/name:" SHORT,
    "owner/name:" LOWER "0",
    "owner/name:" LOWER ":" LOWER,
    ":" LOWER,
    SHORT,
    LOWER "0",
    "replicate/",
    "replicate",
    "replicate/a/b/c",
    "replicate/replicate/a/b",
    "deployments/",
    "deployments/acme",
    "deployments/acme/chat/x",
    "deployments/acme/chat:" LOWER,
    "deployments/" LOWER,
    " owner/name",
    "owner/name ",
};

START_TEST(anything_else_is_refused_with_the_forms_that_are_accepted)
{
    struct target target = {0};
    struct error err = {.kind = ERROR_NONE};
    ck_assert_msg(!target_parse(refused[_i], &target, &err), "%s", refused[_i]);
    ck_assert_int_eq(err.kind, ERROR_INVALID_VALUE);
    ck_assert_ptr_nonnull(strstr(err.message, "owner/name:VERSION"));
    ck_assert_ptr_nonnull(strstr(err.message, "64 hexadecimal digits"));
    ck_assert_ptr_nonnull(strstr(err.message, "deployments/owner/name"));
}
END_TEST

START_TEST(a_refused_reference_is_quoted_without_secrets_and_not_whole)
{
    struct target target;
    struct error err;
    char huge[5000];
    memset(huge, 'x', sizeof huge);
    huge[sizeof huge - 1] = '\0';
    ck_assert(!target_parse(huge, &target, &err));
    ck_assert_ptr_nonnull(strstr(err.message, "names consist of"));
    ck_assert(!target_parse("r8_FakeFakeFake", &target, &err));
    ck_assert_ptr_null(strstr(err.message, "Fake"));
}
END_TEST

START_TEST(a_copied_target_lives_on_its_own)
{
    struct target target, copy;
    struct error err;
    ck_assert(target_parse("meta/llama-3:" LOWER, &target, &err));
    target_copy(&copy, &target);
    target_dispose(&target);
    ck_assert_int_eq(copy.kind, TARGET_VERSION);
    ck_assert_str_eq(copy.name, "meta/llama-3");
    ck_assert_str_eq(copy.version, LOWER);
    target_dispose(&copy);

    ck_assert(target_parse(LOWER, &target, &err));
    target_copy(&copy, &target);
    ck_assert_ptr_null(copy.name);
    target_dispose(&target);
    target_dispose(&copy);
}
END_TEST

START_TEST(a_job_frees_everything_that_it_holds)
{
    struct job *job = job_new();
    ck_assert_int_eq(job->prefer_wait_ms, 0);
    ck_assert_uint_eq(job->header_count, 0);
    job_free(job); /* with nothing in it */

    job = job_new();
    struct error err;
    ck_assert(target_parse("meta/llama-3", &job->target, &err));
    job->base_url = xstrdup("http://127.0.0.1/v1");
    job->token = xstrdup("test-token");
    job->timeout_hint = xstrdup("Raise it.");
    job->request_id = xstrdup("req_1");
    job->follow_id = xstrdup("pred-1");
    job->headers = xcalloc(2, sizeof *job->headers);
    job->header_count = 2;
    job->headers[0] = (struct header){xstrdup("x-a"), xstrdup("1")};
    job->headers[1] = (struct header){xstrdup("x-b"), xstrdup("2")};
    json_t *input = json_object();
    job->input = json_incref(input);
    job_free(job);
    ck_assert_uint_eq(input->refcount, 1);
    json_decref(input);
    job_free(NULL);
}
END_TEST

START_TEST(an_outcome_starts_as_nothing_created_and_releases_its_output)
{
    struct outcome *outcome = outcome_new();
    ck_assert_int_eq(outcome->created_after_ms, -1);
    ck_assert(!outcome->succeeded);
    ck_assert(!outcome->usage.reported);
    ck_assert_str_eq(outcome->prediction_id, "");
    json_t *output = json_array();
    outcome->output = json_incref(output);
    outcome_free(outcome);
    ck_assert_uint_eq(output->refcount, 1);
    json_decref(output);
    outcome_free(NULL);
}
END_TEST

START_TEST(taking_leaves_null_with_the_giver)
{
    struct job *job = job_new(), *same_job = job;
    struct job *taken_job = job_take(&job);
    ck_assert_ptr_eq(taken_job, same_job);
    ck_assert_ptr_null(job);
    ck_assert_ptr_null(job_take(&job));
    job_free(taken_job);

    struct outcome *outcome = outcome_new(), *same_outcome = outcome;
    struct outcome *taken_outcome = outcome_take(&outcome);
    ck_assert_ptr_eq(taken_outcome, same_outcome);
    ck_assert_ptr_null(outcome);
    outcome_free(taken_outcome);
}
END_TEST

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static Suite *job_suite(void)
{
    Suite *suite = suite_create("job");
    TCase *tcase = tcase_create("job");
    tcase_add_loop_test(tcase, every_form_of_reference_is_read, 0, ROWS(accepted));
    tcase_add_loop_test(tcase, anything_else_is_refused_with_the_forms_that_are_accepted, 0, ROWS(refused));
    tcase_add_test(tcase, a_refused_reference_is_quoted_without_secrets_and_not_whole);
    tcase_add_test(tcase, a_copied_target_lives_on_its_own);
    tcase_add_test(tcase, a_job_frees_everything_that_it_holds);
    tcase_add_test(tcase, an_outcome_starts_as_nothing_created_and_releases_its_output);
    tcase_add_test(tcase, taking_leaves_null_with_the_giver);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(job_suite());
}
