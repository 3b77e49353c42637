/* The uploader under test, on fake time and a fake network, with assertions that the tests share. */
#include "fake_uploads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/log.h"
#include "fake_clock.h"

struct uploads_bench uploads_bench;

void uploads_setup(void)
{
    struct error err;
    const struct log_options quiet = {LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, NULL};
    ck_assert(log_open(&quiet, &err));
    fake_clock_set(1000000);
    memset(&uploads_bench, 0, sizeof uploads_bench);
    uploads_bench.loop = loop_new();
    uploads_bench.transfers = transfers_new(uploads_bench.loop, &(struct transfers_options){0});
    uploads_bench.uploader = uploader_new(uploads_bench.loop, uploads_bench.transfers);
}

void uploads_teardown(void)
{
    ck_assert_uint_eq(uploader_count(uploads_bench.uploader), 0);
    ck_assert_int_eq(uploads_open(), 0);
    uploader_free(uploads_bench.uploader);
    ck_assert_uint_eq(fake_loop_timers(uploads_bench.loop), 0);
    transfers_free(uploads_bench.transfers);
    loop_free(uploads_bench.loop);
}

static void on_done(void *arg, const struct error *error)
{
    struct uploads_case *request = arg;
    ck_assert_msg(!uploads_bench.is_starting, "the request ended inside its start");
    ck_assert_ptr_nonnull(request->uploads);
    request->done++;
    request->failed = error != NULL;
    if (error != NULL)
        request->error = *error;
    if (uploads_bench.leaves_when_done)
        uploads_leave(request);
}

void uploads_begin_values(struct uploads_case *request, json_t *values)
{
    static char name[] = "x-team", value[] = "blue";
    static const struct header headers[] = {{name, value}};
    const struct uploads_request wanted = {
        .values = values,
        .base_url = UPLOADS_BASE,
        .token = "test-token",
        .headers = headers,
        .header_count = 1,
        .deadline_ms = clock_now_ms() + UPLOADS_TIME_MS,
        .request_id = "req-1",
        .timeout_ms = UPLOADS_TIME_MS,
        .timeout_hint = "Raise timeout to wait longer.",
    };
    *request = (struct uploads_case){.values = values};
    uploads_bench.is_starting = true;
    request->uploads = uploads_start(uploads_bench.uploader, &wanted, on_done, request);
    uploads_bench.is_starting = false;
}

void uploads_begin(struct uploads_case *request, int count)
{
    json_t *values = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(values, json_sprintf("data:text/plain,%d", i));
    uploads_begin_values(request, values);
}

void uploads_leave(struct uploads_case *request)
{
    json_decref(request->values);
    request->values = NULL;
    uploads_unref(request->uploads);
    request->uploads = NULL;
}

void uploads_advance(int64_t ms)
{
    fake_loop_advance(uploads_bench.loop, ms);
}

static struct transfer *next_of(struct transfer *transfer)
{
    struct list_link *next = list_next(transfer->link.list, &transfer->link);
    return next == NULL ? NULL : list_entry(next, struct transfer, link);
}

int uploads_open(void)
{
    int count = 0;
    for (struct transfer *at = fake_transfer_first(uploads_bench.transfers); at != NULL; at = next_of(at))
        count++;
    return count;
}

static bool holds(const struct transfer *transfer, const char *text)
{
    char *end = xasprintf("\r\n\r\n%s\r\n--", text);
    bool found = transfer->body != NULL && strstr(transfer->body, end) != NULL;
    free(end);
    return found;
}

struct transfer *uploads_sending(const char *text)
{
    for (struct transfer *at = fake_transfer_first(uploads_bench.transfers); at != NULL; at = next_of(at)) {
        if (strcmp(at->method, "POST") != 0 || !holds(at, text))
            continue;
        ck_assert_str_eq(at->url, UPLOADS_BASE "/files");
        ck_assert_str_eq(at->token, "test-token");
        ck_assert_int_eq(at->kind, TRANSFER_UPLOAD);
        ck_assert_str_eq(fake_transfer_header(at, "x-team"), "blue");
        return at;
    }
    return NULL;
}

struct transfer *uploads_deleting(const char *id)
{
    struct transfer *found = NULL;
    char *url = xasprintf(UPLOADS_BASE "/files/%s", id);
    for (struct transfer *at = fake_transfer_first(uploads_bench.transfers); at != NULL; at = next_of(at)) {
        if (strcmp(at->method, "DELETE") != 0 || strcmp(at->url, url) != 0)
            continue;
        ck_assert_str_eq(at->token, "test-token");
        ck_assert_str_eq(fake_transfer_header(at, "x-team"), "blue");
        ck_assert_ptr_null(found);
        found = at;
    }
    free(url);
    return found;
}

void uploads_accept(const char *text, const char *id)
{
    struct transfer *transfer = uploads_sending(text);
    ck_assert_msg(transfer != NULL, "the file %s is not being sent", text);
    char *body = xasprintf("{\"id\":\"%s\",\"urls\":{\"get\":\"http://files.test/%s\"}}", id, id);
    fake_transfer_answer(transfer, 201, body);
    free(body);
}

void uploads_delete_ok(const char *id)
{
    struct transfer *transfer = uploads_deleting(id);
    ck_assert_msg(transfer != NULL, "the file %s is not being deleted", id);
    fake_transfer_answer(transfer, 204, "");
}

void uploads_expect_unfinished(const struct uploads_case *request)
{
    ck_assert_int_eq(request->done, 0);
}

void uploads_expect_ready(const struct uploads_case *request)
{
    ck_assert_int_eq(request->done, 1);
    ck_assert_msg(!request->failed, "%s", request->error.message);
}

void uploads_expect_error(const struct uploads_case *request, enum error_kind kind)
{
    ck_assert_int_eq(request->done, 1);
    ck_assert(request->failed);
    ck_assert_str_eq(error_row(request->error.kind)->name, error_row(kind)->name);
    ck_assert_ptr_null(strstr(request->error.message, "test-token"));
}

const char *uploads_value(const struct uploads_case *request, size_t i)
{
    return json_string_value(json_array_get(request->values, i));
}
