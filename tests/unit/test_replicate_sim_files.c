/* The files of the simulated Replicate: what it takes, what it refuses, what it gives back, and what it complains of.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/json.h"
#include "check_main.h"
#include "http_client.h"
#include "replicate_sim.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define AUTH "Authorization: Bearer test-token\r\n"
#define FORM_TYPE "Content-Type: multipart/form-data; boundary=xyz\r\n"
#define HEAD                                                                                                           \
    "--xyz\r\nContent-Disposition: form-data; name=\"content\"; filename=\"a.txt\"\r\nContent-Type: "                  \
    "text/plain\r\n\r\n"
#define END "\r\n--xyz--\r\n"

enum { PATIENCE_MS = 20000 };

static struct replicate_sim *sim;
static struct http_response response;
static char report[SIM_REPORT_BYTES];

static void start(void)
{
    sim = replicate_sim_start(&(struct replicate_sim_options){.stop_grace_ms = 50});
}

static void restart(const struct replicate_sim_options *options)
{
    replicate_sim_stop(&sim, NULL, 0);
    sim = replicate_sim_start(options);
}

static void stop(void)
{
    http_response_dispose(&response);
    if (sim)
        replicate_sim_stop(&sim, NULL, 0);
}

static void stop_clean(void)
{
    ck_assert_msg(replicate_sim_stop(&sim, report, sizeof(report)), "%s", report);
}

static int ask(const struct http_request *request)
{
    http_response_dispose(&response);
    http_exchange(replicate_sim_port(sim), request, &response, PATIENCE_MS);
    return response.status;
}

static int call(const char *method, const char *path)
{
    return ask(&(struct http_request){.method = method, .path = path, .headers = AUTH});
}

static int upload(const char *form, size_t length)
{
    return ask(
        &(struct http_request){.path = "/v1/files", .headers = AUTH FORM_TYPE, .body = form, .body_length = length});
}

/* Uploads this as a.txt; the path of its document goes to `path`. */
static void upload_text(const char *text, char path[128])
{
    char *form = xasprintf(HEAD "%s" END, text);
    ck_assert_int_eq(upload(form, strlen(form)), 201);
    json_t *document = json_parse(response.body, response.body_length, NULL);
    snprintf(path, 128, "/v1/files/%s", json_text(document, "id"));
    json_decref(document);
    free(form);
}

static struct sim_counters counted(void)
{
    struct sim_counters counters;
    replicate_sim_counters(sim, &counters);
    return counters;
}

START_TEST(a_file_is_taken_shown_listed_given_back_and_deleted)
{
    static const char form[] = HEAD "a\0b\r\n--xy\r\n" END;
    struct sim_file_view view;
    char path[128], url[160];
    ck_assert_int_eq(upload(form, sizeof(form) - 1), 201);
    ck_assert(replicate_sim_file(sim, 0, &view));
    ck_assert(!replicate_sim_file(sim, 1, &view));
    ck_assert_str_eq(view.name, "a.txt");
    ck_assert_str_eq(view.media_type, "text/plain");
    ck_assert_uint_eq(strlen(view.id), 48);
    ck_assert_uint_eq(view.length, 11);
    ck_assert_mem_eq(view.bytes, "a\0b\r\n--xy\r\n", 11);
    json_t *document = json_parse(response.body, response.body_length, NULL);
    snprintf(path, sizeof(path), "/v1/files/%s", view.id);
    snprintf(url, sizeof(url), "%s/files/%s", replicate_sim_base_url(sim), view.id);
    ck_assert_str_eq(json_text(document, "id"), view.id);
    ck_assert_str_eq(json_text(document, "content_type"), "text/plain");
    ck_assert_int_eq(json_integer_value(json_object_get(document, "size")), 11);
    ck_assert_str_eq(json_text(json_object_get(document, "urls"), "get"), url);
    ck_assert_int_eq(call("GET", path), 200);
    json_t *again = json_parse(response.body, response.body_length, NULL);
    ck_assert(json_equal(document, again));
    ck_assert_int_eq(call("GET", "/v1/files"), 200);
    json_t *list = json_parse(response.body, response.body_length, NULL);
    ck_assert(json_equal(document, json_array_get(json_object_get(list, "results"), 0)));
    json_decref(list);
    json_decref(again);
    json_decref(document);
    snprintf(url, sizeof(url), "%s/download", path);
    ck_assert_int_eq(call("GET", url), 200);
    ck_assert_uint_eq(response.body_length, 11);
    ck_assert_mem_eq(response.body, "a\0b\r\n--xy\r\n", 11);
    ck_assert_int_eq(call("DELETE", path), 204);
    ck_assert_uint_eq(response.body_length, 0);
    ck_assert(replicate_sim_wait_files_deleted(sim, 1, 0));
    ck_assert_uint_eq(replicate_sim_request_count(sim, SIM_FILES), 5);
    stop_clean();
}
END_TEST

START_TEST(what_was_deleted_is_not_there_any_more_but_for_the_test)
{
    char path[128], download[160];
    struct sim_file_view view;
    upload_text("first", path);
    upload_text("second", path);
    ck_assert_int_eq(call("DELETE", path), 204);
    snprintf(download, sizeof(download), "%s/download", path);
    static const char *const methods[] = {"GET", "DELETE"};
    for (int i = 0; i < ROWS(methods); i++) {
        ck_assert_int_eq(call(methods[i], path), 404);
        ck_assert_ptr_nonnull(strstr(response.body, "\"File not found\""));
    }
    ck_assert_int_eq(call("GET", download), 404);
    ck_assert_int_eq(call("GET", "/v1/files"), 200);
    ck_assert_ptr_null(strstr(response.body, path + strlen("/v1/files/")));
    ck_assert(replicate_sim_file(sim, 1, &view));
    ck_assert(view.deleted);
    ck_assert_str_eq(view.bytes, "second");
    ck_assert(replicate_sim_file(sim, 0, &view));
    ck_assert(!view.deleted);
    ck_assert_uint_eq(counted().files_uploaded, 2);
    ck_assert_uint_eq(counted().files_deleted, 1);
    ck_assert_uint_eq(counted().files_open, 1);
    replicate_sim_expect(sim, SIM_EXPECT_UNKNOWN_PATH, 3);
    replicate_sim_expect(sim, SIM_EXPECT_FILES, 1);
    stop_clean();
}
END_TEST

START_TEST(a_file_that_is_left_fails_the_test)
{
    char path[128];
    upload_text("left", path);
    ck_assert(!replicate_sim_stop(&sim, report, sizeof(report)));
    ck_assert_str_eq(report, "Unclaimed: 1 files were uploaded and not deleted. ");
}
END_TEST

/* ---- forms ---- */

#define PART(disposition, type, text) "--xyz\r\nContent-Disposition: " disposition "\r\n" type "\r\n" text
#define CONTENT PART("form-data; name=\"content\"; filename=\"a.txt\"", "Content-Type: text/plain\r\n", "x")

static const struct {
    const char *type, *form;
    int status;
} forms[] = {
    {FORM_TYPE, CONTENT END, 201},
    {FORM_TYPE, CONTENT "\r\n--xyz--", 201},
    {"Content-Type: multipart/form-data; boundary=\"x y\"\r\n",
     "--x y\r\nContent-Disposition: form-data; name=\"content\"; filename=\"a\"\r\nContent-Type: a/b\r\n\r\nx\r\n--x "
     "y--",
     201},
    {FORM_TYPE, PART("form-data; name=\"metadata\"", "Content-Type: application/json\r\n", "{\"a\":1}\r\n") CONTENT END,
     201},
    {FORM_TYPE, PART("form-data; name=\"type\"", "", "text/plain\r\n") CONTENT END, 201},
    {FORM_TYPE, PART("form-data; name=\"content\"; filename=\"\xC3\xA4\"", "Content-Type: a/b\r\n", "") END, 201},
    {"Content-Type: application/json\r\n", "{}", 400},
    {"Content-Type: multipart/form-data\r\n", CONTENT END, 400},
    {"Content-Type: multipart/form-data; boundary=\r\n", CONTENT END, 400},
    {"Content-Type: multipart/form-data; boundary=xyz; charset=utf-8\r\n", CONTENT END, 400},
    {"Content-Type: multipart/form-data; boundary=\"xyz \"\r\n", CONTENT END, 400},
    {"Content-Type: multipart/form-data; boundary=x y\r\n", CONTENT END, 400},
    {"Content-Type: multipart/form-data; boundary=abc\r\n", CONTENT END, 400},
    {"Content-Type: multipart/mixed; boundary=xyz\r\n", CONTENT END, 400},
    {FORM_TYPE, "", 400},
    {FORM_TYPE, "--xyz--\r\n", 400},
    {FORM_TYPE, "preamble\r\n" CONTENT END, 400},
    {FORM_TYPE, CONTENT "\r\n--xyz", 400},
    {FORM_TYPE, CONTENT "\r\n", 400},
    {FORM_TYPE, CONTENT END "more", 400},
    {FORM_TYPE, CONTENT "\r\n--xyz0\r\n" END, 400},
    {FORM_TYPE, CONTENT "\n--xyz--\r\n", 400},
    {FORM_TYPE, CONTENT "\r\n" CONTENT END, 400},
    {FORM_TYPE, PART("form-data; name=\"file\"; filename=\"a\"", "Content-Type: a/b\r\n", "x") END, 400},
    {FORM_TYPE, PART("form-data; name=content; filename=\"a\"", "Content-Type: a/b\r\n", "x") END, 400},
    {FORM_TYPE, PART("form-data; name=\"content\"", "Content-Type: a/b\r\n", "x") END, 400},
    {FORM_TYPE, PART("form-data; name=\"content\"; filename=\"\"", "Content-Type: a/b\r\n", "x") END, 400},
    {FORM_TYPE, PART("form-data; name=\"content\"; filename=\"a\\\"b\"", "Content-Type: a/b\r\n", "x") END, 400},
    {FORM_TYPE, PART("form-data; name=\"content\"; filename=\"\xFF\"", "Content-Type: a/b\r\n", "x") END, 400},
    {FORM_TYPE, PART("form-data; name=\"content\"; filename=\"a\"", "", "x") END, 400},
    {FORM_TYPE, PART("form-data; name=\"content\"; filename=\"a\"", "Content-Type: text\r\n", "x") END, 400},
    {FORM_TYPE, PART("attachment; name=\"content\"; filename=\"a\"", "Content-Type: a/b\r\n", "x") END, 400},
    {FORM_TYPE, "--xyz\r\nContent-Disposition: form-data; name=\"content\"", 400},
    {FORM_TYPE, PART("form-data; name=\"metadata\"", "Content-Type: application/json\r\n", "[]\r\n") CONTENT END, 400},
    {FORM_TYPE, PART("form-data; name=\"metadata\"", "Content-Type: text/plain\r\n", "{}\r\n") CONTENT END, 400},
};

START_TEST(a_form_is_taken_to_the_letter_or_not_at_all)
{
    char *headers = xasprintf(AUTH "%s", forms[_i].type);
    int status =
        ask(&(struct http_request){.method = "POST", .path = "/v1/files", .headers = headers, .body = forms[_i].form});
    free(headers);
    ck_assert_msg(status == forms[_i].status, "%d: %s", status, response.body);
    ck_assert_uint_eq(counted().invalid, status == 400);
    ck_assert_uint_eq(counted().files_uploaded, status == 201);
    replicate_sim_expect(sim, SIM_EXPECT_INVALID, 1);
    replicate_sim_expect(sim, SIM_EXPECT_FILES, 1);
    stop_clean();
}
END_TEST

START_TEST(a_name_has_255_bytes_at_most)
{
    for (size_t length = 255; length <= 256; length++) {
        char name[300] = "";
        memset(name, 'n', length);
        char *form =
            xasprintf(PART("form-data; name=\"content\"; filename=\"%s\"", "Content-Type: a/b\r\n", "x") END, name);
        ck_assert_int_eq(upload(form, strlen(form)), length == 255 ? 201 : 400);
        free(form);
    }
    replicate_sim_expect(sim, SIM_EXPECT_INVALID, 1);
    replicate_sim_expect(sim, SIM_EXPECT_FILES, 1);
    stop_clean();
}
END_TEST

START_TEST(a_file_over_the_limit_is_too_large)
{
    char path[128];
    restart(&(struct replicate_sim_options){.file_limit_bytes = 5});
    upload_text("12345", path);
    ck_assert_int_eq(call("DELETE", path), 204);
    static const char form[] = HEAD "123456" END;
    ck_assert_int_eq(upload(form, sizeof(form) - 1), 413);
    ck_assert_ptr_nonnull(strstr(response.body, "Files must be less than 100MB in size"));
    stop_clean();
}
END_TEST

START_TEST(nobody_without_the_token_gets_at_files)
{
    ck_assert_int_eq(ask(&(struct http_request){.path = "/v1/files", .headers = FORM_TYPE, .body = CONTENT END}), 401);
    ck_assert_uint_eq(counted().files_uploaded, 0);
    replicate_sim_expect(sim, SIM_EXPECT_UNAUTHORIZED, 1);
    stop_clean();
}
END_TEST

START_TEST(faults_hit_files_too)
{
    char path[128];
    replicate_sim_fault(sim, SIM_FILES, &(struct sim_fault_spec){.fault = SIM_FAULT_STATUS, .status = 503});
    ck_assert_int_eq(upload(CONTENT END, strlen(CONTENT END)), 503);
    ck_assert_uint_eq(counted().files_uploaded, 0);
    replicate_sim_fault(sim, SIM_FILES, &(struct sim_fault_spec){.fault = SIM_FAULT_READ_AND_CLOSE});
    ck_assert_int_eq(upload(CONTENT END, strlen(CONTENT END)), 0);
    ck_assert_uint_eq(counted().files_uploaded, 1);
    upload_text("whole", path);
    replicate_sim_fault(sim, SIM_FILES, &(struct sim_fault_spec){.fault = SIM_FAULT_BYTEWISE});
    ck_assert_int_eq(call("DELETE", path), 204);
    replicate_sim_expect(sim, SIM_EXPECT_FILES, 1);
    stop_clean();
}
END_TEST

/* Whatever its framing, a body costs no more than its length: with a cost by the square this takes hours. */
START_TEST(seventy_megabytes_are_read)
{
    enum { LENGTH = 70 * 1024 * 1024, PIECE = 16 * 1024 };
    struct sim_file_view view;
    struct buf form;
    buf_init(&form, 2 * (size_t)LENGTH);
    char *zeros = xcalloc(1, PIECE);
    bool chunked = _i == 1;
    if (chunked)
        buf_printf(&form, "%zx\r\n" HEAD "\r\n", sizeof(HEAD) - 1);
    else
        buf_append_text(&form, HEAD);
    for (int i = 0; i < LENGTH / PIECE; i++) {
        if (chunked)
            buf_printf(&form, "%x\r\n", PIECE);
        buf_append(&form, zeros, PIECE);
        if (chunked)
            buf_append_text(&form, "\r\n");
    }
    free(zeros);
    if (chunked)
        buf_printf(&form, "%zx\r\n" END "\r\n0\r\n\r\n", sizeof(END) - 1);
    else
        buf_append_text(&form, END);
    struct http_connection *connection = http_connect(replicate_sim_port(sim));
    ck_assert_ptr_nonnull(connection);
    char length[64];
    snprintf(length, sizeof(length), "Content-Length: %zu", form.length);
    char *head = xasprintf("POST /v1/files HTTP/1.1\r\nHost: x\r\n" AUTH FORM_TYPE "%s\r\n\r\n",
                           chunked ? "Transfer-Encoding: chunked" : length);
    ck_assert(http_send_text(connection, head));
    ck_assert(http_send(connection, form.data, form.length));
    free(head);
    buf_dispose(&form);
    ck_assert(http_read(connection, &response, 100 * 1000));
    http_close(&connection);
    ck_assert_int_eq(response.status, 201);
    ck_assert(replicate_sim_file(sim, 0, &view));
    ck_assert_uint_eq(view.length, LENGTH);
    replicate_sim_expect(sim, SIM_EXPECT_FILES, 1);
    stop_clean();
}
END_TEST

static Suite *replicate_sim_files_suite(void)
{
    Suite *suite = suite_create("simulated Replicate, files");
    TCase *cases = tcase_create("files");
    tcase_add_checked_fixture(cases, start, stop);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_file_is_taken_shown_listed_given_back_and_deleted);
    tcase_add_test(cases, what_was_deleted_is_not_there_any_more_but_for_the_test);
    tcase_add_test(cases, a_file_that_is_left_fails_the_test);
    tcase_add_loop_test(cases, a_form_is_taken_to_the_letter_or_not_at_all, 0, ROWS(forms));
    tcase_add_test(cases, a_name_has_255_bytes_at_most);
    tcase_add_test(cases, a_file_over_the_limit_is_too_large);
    tcase_add_test(cases, nobody_without_the_token_gets_at_files);
    tcase_add_test(cases, faults_hit_files_too);
    suite_add_tcase(suite, cases);
    TCase *large = tcase_create("large");
    tcase_set_tags(large, "large");
    tcase_add_checked_fixture(large, start, stop);
    tcase_set_timeout(large, 120);
    tcase_add_loop_test(large, seventy_megabytes_are_read, 0, 2);
    suite_add_tcase(suite, large);
    return suite;
}

int main(void)
{
    return suite_run(replicate_sim_files_suite());
}
