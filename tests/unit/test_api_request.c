/* What is sent to Replicate: URLs from the base and an id alone, bodies with no key too many, values of headers. */
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "check_main.h"
#include "replicate/api.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define VERSION "39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b"
#define OTHER "aaaa52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b"
#define INPUT "\"input\":{\"prompt\":\"Say \\\"hi\\\"\"}"

static struct job *job;
static struct buf out;

static void make_job(void)
{
    job = job_new();
    job->base_url = xstrdup("http://gateway.test/replicate/v1");
    job->input = json_pack("{s:s}", "prompt", "Say \"hi\"");
    buf_init(&out, 4096);
}

static void drop_job(void)
{
    buf_dispose(&out);
    job_free(job);
}

static void name_target(const char *reference)
{
    struct error err;
    ck_assert(target_parse(reference, &job->target, &err));
}

static const struct {
    const char *reference, *version, *path, *body;
} create_rows[] = {
    {"acme/writer-1.5_x", NULL, "/models/acme/writer-1.5_x/predictions", "{" INPUT "}"},
    {"acme/writer", "", "/models/acme/writer/predictions", "{" INPUT "}"},
    {"acme/writer", VERSION, "/predictions", "{\"version\":\"" VERSION "\"," INPUT "}"},
    {"acme/writer:" VERSION, NULL, "/predictions", "{\"version\":\"" VERSION "\"," INPUT "}"},
    {VERSION, NULL, "/predictions", "{\"version\":\"" VERSION "\"," INPUT "}"},
    {"acme/writer:" VERSION, OTHER, "/predictions", "{\"version\":\"" OTHER "\"," INPUT "}"},
    {"deployments/acme/writer", NULL, "/deployments/acme/writer/predictions", "{" INPUT "}"},
};

START_TEST(each_kind_of_target_has_its_path_and_body)
{
    name_target(create_rows[_i].reference);
    ck_assert(api_create_url(job, create_rows[_i].version, &out));
    ck_assert(strncmp(buf_text(&out), job->base_url, strlen(job->base_url)) == 0);
    ck_assert_str_eq(buf_text(&out) + strlen(job->base_url), create_rows[_i].path);
    buf_clear(&out);
    ck_assert(api_create_body(job, create_rows[_i].version, &out));
    ck_assert_str_eq(buf_text(&out), create_rows[_i].body);
}
END_TEST

START_TEST(a_body_may_be_exactly_as_large_as_its_room)
{
    struct buf exact, short_of_one;
    name_target("acme/writer");
    buf_init(&exact, strlen("{" INPUT "}"));
    buf_init(&short_of_one, strlen("{" INPUT "}") - 1);
    ck_assert(api_create_body(job, NULL, &exact));
    ck_assert_str_eq(buf_text(&exact), "{" INPUT "}");
    ck_assert(!api_create_body(job, NULL, &short_of_one));
    buf_dispose(&exact);
    buf_dispose(&short_of_one);
}
END_TEST

START_TEST(later_urls_are_built_from_the_base_and_the_id)
{
    name_target("acme/writer");
    ck_assert(api_prediction_url(job, "abc", &out));
    ck_assert_str_eq(buf_text(&out), "http://gateway.test/replicate/v1/predictions/abc");
    buf_clear(&out);
    ck_assert(api_cancel_url(job, "abc", &out));
    ck_assert_str_eq(buf_text(&out), "http://gateway.test/replicate/v1/predictions/abc/cancel");
    buf_clear(&out);
    ck_assert(api_model_url(job, &out));
    ck_assert_str_eq(buf_text(&out), "http://gateway.test/replicate/v1/models/acme/writer");
}
END_TEST

static const struct {
    const char *reference, *path;
} document_rows[] = {
    {"acme/writer", "/models/acme/writer"},
    {"acme/writer:" VERSION, "/models/acme/writer/versions/" VERSION},
    {"deployments/acme/writer", "/deployments/acme/writer"},
};

START_TEST(each_kind_of_target_has_a_document)
{
    name_target(document_rows[_i].reference);
    ck_assert(api_document_url("http://gateway.test/v1", &job->target, &out));
    ck_assert_int_eq(strncmp(buf_text(&out), "http://gateway.test/v1", 22), 0);
    ck_assert_str_eq(buf_text(&out) + 22, document_rows[_i].path);
}
END_TEST

START_TEST(a_document_of_a_strange_name_is_nowhere_else)
{
    char name[] = "acme/a?b#c", version[] = "1?2 %";
    const struct target target = {TARGET_VERSION, name, version};
    ck_assert(api_document_url("http://gateway.test/v1", &target, &out));
    ck_assert_str_eq(buf_text(&out), "http://gateway.test/v1/models/acme/a%3Fb%23c/versions/1%3F2%20%25");
}
END_TEST

START_TEST(a_strange_name_cannot_choose_another_path)
{
    job->target = (struct target){TARGET_MODEL, xstrdup("acme/a?b#c d%\xC3\xA9"), NULL};
    ck_assert(api_model_url(job, &out));
    ck_assert_str_eq(buf_text(&out), "http://gateway.test/replicate/v1/models/acme/a%3Fb%23c%20d%25%C3%A9");
}
END_TEST

START_TEST(what_does_not_fit_is_refused_not_cut)
{
    static char reference[5001];
    memset(reference, 'a', sizeof reference - 1);
    reference[5] = '/';
    name_target(reference);
    ck_assert(!api_create_url(job, NULL, &out));
    buf_clear(&out);
    json_object_set_new(job->input, "prompt", json_string(reference));
    ck_assert(!api_create_body(job, NULL, &out));
}
END_TEST

static const struct {
    int64_t remaining_ms;
    const char *value;
} cancel_rows[] = {
    {INT64_MIN, "5s"}, {-1, "5s"},       {0, "5s"},
    {1, "5s"},         {5000, "5s"},     {5001, "6s"},
    {60000, "60s"},    {600000, "600s"}, {INT64_MAX, "9223372036854776s"},
};

START_TEST(cancel_after_is_rounded_up_and_at_least_five_seconds)
{
    char value[32];
    api_cancel_after(cancel_rows[_i].remaining_ms, value);
    ck_assert_str_eq(value, cancel_rows[_i].value);
}
END_TEST

static const struct {
    int64_t wait_ms;
    const char *value;
} prefer_rows[] = {
    {-1, ""}, {0, ""}, {1, "wait=1"}, {1999, "wait=1"}, {5000, "wait=5"}, {60000, "wait=60"}, {INT64_MAX, "wait=60"},
};

START_TEST(prefer_is_between_one_and_sixty_seconds)
{
    char value[32];
    api_prefer(prefer_rows[_i].wait_ms, value);
    ck_assert_str_eq(value, prefer_rows[_i].value);
}
END_TEST

static Suite *request_suite(void)
{
    Suite *suite = suite_create("api_request");
    TCase *tcase = tcase_create("request");
    tcase_add_checked_fixture(tcase, make_job, drop_job);
    tcase_add_loop_test(tcase, each_kind_of_target_has_its_path_and_body, 0, ROWS(create_rows));
    tcase_add_test(tcase, a_body_may_be_exactly_as_large_as_its_room);
    tcase_add_test(tcase, later_urls_are_built_from_the_base_and_the_id);
    tcase_add_loop_test(tcase, each_kind_of_target_has_a_document, 0, ROWS(document_rows));
    tcase_add_test(tcase, a_document_of_a_strange_name_is_nowhere_else);
    tcase_add_test(tcase, a_strange_name_cannot_choose_another_path);
    tcase_add_test(tcase, what_does_not_fit_is_refused_not_cut);
    tcase_add_loop_test(tcase, cancel_after_is_rounded_up_and_at_least_five_seconds, 0, ROWS(cancel_rows));
    tcase_add_loop_test(tcase, prefer_is_between_one_and_sixty_seconds, 0, ROWS(prefer_rows));
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(request_suite());
}
