/* Uploads over real connections to the simulated Replicate: what arrives is what was in the values, and nothing of it
 * is left there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "check_main.h"
#include "replicate/uploads.h"
#include "replicate_sim.h"

enum { PATIENCE_MS = 20000, LARGE_BYTES = 12 * 1024 * 1024 };

static struct loop *loop;
static struct transfers *transfers;
static struct uploader *uploader;
static struct replicate_sim *sim;
static int done;
static struct error outcome;

static void setup(void)
{
    transfer_global_init();
    sim = replicate_sim_start(NULL);
    loop = loop_new();
    transfers = transfers_new(loop, &(struct transfers_options){.connect_timeout_ms = PATIENCE_MS});
    uploader = uploader_new(loop, transfers);
    done = 0;
}

/* The connections of the worker are closed before the simulator looks. */
static void teardown(void)
{
    char report[SIM_REPORT_BYTES];
    uploader_free(uploader);
    transfers_free(transfers);
    loop_free(loop);
    transfer_global_cleanup();
    ck_assert_msg(replicate_sim_stop(&sim, report, sizeof report), "%s", report);
}

static void on_done(void *arg, const struct error *error)
{
    (void)arg;
    done++;
    outcome = error == NULL ? (struct error){0} : *error;
}

static struct uploads *start(json_t *values)
{
    const struct uploads_request request = {
        .values = values,
        .base_url = replicate_sim_base_url(sim),
        .token = "test-token",
        .deadline_ms = clock_now_ms() + PATIENCE_MS,
        .request_id = "req-1",
    };
    return uploads_start(uploader, &request, on_done, NULL);
}

static void run_until_done(void)
{
    int64_t until_ms = clock_now_ms() + PATIENCE_MS;
    while (done == 0) {
        ck_assert_int_lt(clock_now_ms(), until_ms);
        loop_turn(loop, 100);
    }
}

static void run_until_idle(void)
{
    int64_t until_ms = clock_now_ms() + PATIENCE_MS;
    while (uploader_count(uploader) > 0) {
        ck_assert_int_lt(clock_now_ms(), until_ms);
        loop_turn(loop, 100);
    }
}

/* Every three bytes are four characters, so that a long text is a long file. */
static json_t *large_value(char letter)
{
    static const char prefix[] = "data:application/pdf;base64,";
    size_t length = (size_t)LARGE_BYTES / 3 * 4;
    char *text = xmalloc(sizeof prefix + length);
    memcpy(text, prefix, sizeof prefix - 1);
    memset(text + sizeof prefix - 1, letter, length);
    json_t *value = json_stringn(text, sizeof prefix - 1 + length);
    free(text);
    return value;
}

START_TEST(files_arrive_as_they_are_and_are_gone_when_nobody_needs_them)
{
    enum { COUNT = 5 };
    json_t *values = json_array();
    json_array_append_new(values, large_value('A'));
    json_array_append_new(values, large_value('/'));
    json_array_append_new(values, json_string("data:text/plain,--replibridge-00000000--%0D%0A"));
    json_array_append_new(values, json_string("data:,"));
    json_array_append_new(values, json_string("data:image/png;base64,iVBORw0KGgoAAAANSUhEUg"));
    struct uploads *uploads = start(values);
    run_until_done();
    ck_assert_msg(outcome.kind == ERROR_NONE, "%s", outcome.message);
    static const size_t lengths[COUNT] = {LARGE_BYTES, LARGE_BYTES, 26, 0, 16};
    for (size_t i = 0; i < COUNT; i++) {
        struct sim_file_view view;
        ck_assert(replicate_sim_file(sim, i, &view));
        /* They may have arrived in another order than they stand in. */
        const char *url = json_string_value(json_array_get(values, i));
        for (size_t j = 0; strstr(url, view.id) == NULL; j++)
            ck_assert(replicate_sim_file(sim, j, &view));
        ck_assert_uint_eq(view.length, lengths[i]);
        if (i < 2) {
            ck_assert_int_eq((unsigned char)view.bytes[0], i == 0 ? 0x00 : 0xFF);
            ck_assert_int_eq(memcmp(view.bytes, view.bytes + 1, view.length - 1), 0);
        }
        if (i == 2)
            ck_assert_str_eq(view.bytes, "--replibridge-00000000--\r\n");
        if (i == 4)
            ck_assert_str_eq(view.name, "file.png");
    }
    uploads_unref(uploads);
    run_until_idle();
    ck_assert(replicate_sim_wait_files_deleted(sim, COUNT, 0));
    json_decref(values);
}
END_TEST

START_TEST(a_lost_answer_and_a_503_are_made_up_for)
{
    json_t *values = json_array();
    json_array_append_new(values, json_string("data:text/plain,once"));
    replicate_sim_fault(sim, SIM_FILES, &(struct sim_fault_spec){.fault = SIM_FAULT_STATUS, .status = 503});
    replicate_sim_fault(sim, SIM_FILES, &(struct sim_fault_spec){.fault = SIM_FAULT_CLOSE_BEFORE_HEADERS});
    struct uploads *uploads = start(values);
    run_until_done();
    ck_assert_int_eq(outcome.kind, ERROR_NONE);
    ck_assert_ptr_nonnull(strstr(json_string_value(json_array_get(values, 0)), "http://127.0.0.1"));
    replicate_sim_fault(sim, SIM_FILES, &(struct sim_fault_spec){.fault = SIM_FAULT_STATUS, .status = 500});
    uploads_unref(uploads);
    run_until_idle();
    ck_assert(replicate_sim_wait_files_deleted(sim, 1, 0));
    json_decref(values);
}
END_TEST

START_TEST(what_is_under_way_when_its_user_leaves_is_deleted_too)
{
    json_t *values = json_array();
    json_array_append_new(values, json_string("data:text/plain,late"));
    replicate_sim_fault(sim, SIM_FILES, &(struct sim_fault_spec){.fault = SIM_FAULT_SLOW, .delay_ms = 100});
    struct uploads *uploads = start(values);
    int64_t until_ms = clock_now_ms() + PATIENCE_MS;
    while (!replicate_sim_wait_files_uploaded(sim, 1, 0)) {
        ck_assert_int_lt(clock_now_ms(), until_ms);
        loop_turn(loop, 10);
    }
    uploads_unref(uploads);
    json_decref(values);
    run_until_idle();
    ck_assert_int_eq(done, 0);
    ck_assert(replicate_sim_wait_files_deleted(sim, 1, 0));
}
END_TEST

static Suite *uploads_wire_suite(void)
{
    Suite *suite = suite_create("uploads on the wire");
    TCase *cases = tcase_create("wire");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, files_arrive_as_they_are_and_are_gone_when_nobody_needs_them);
    tcase_add_test(cases, a_lost_answer_and_a_503_are_made_up_for);
    tcase_add_test(cases, what_is_under_way_when_its_user_leaves_is_deleted_too);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    return suite_run(uploads_wire_suite());
}
