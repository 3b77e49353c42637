/* Each fault of Replicate × the request for a prediction's stream, once and for good: the client gets the whole text,
 * streamed, by polls where need be. Faults within streams that have begun are in test_stream_faults.c. */
#include <stdlib.h>
#include <string.h>

#include "chat_case.h"
#include "check_main.h"
#include "fault_lab.h"

static const char *const pieces[] = {"One", " two", " \xe2\x82\xac", " four", " five."};
static const char text[] = "One two \xe2\x82\xac four five.";

static struct fault_lab lab;
static struct stream_client clients[FAULT_KIND_COUNT];

static void tear_down(void)
{
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        stream_dispose(&clients[kind]);
    fault_lab_close(&lab);
}

static void expect_cell(enum fault_kind kind)
{
    struct sim_counters counters;
    fault_lab_expect_stream(&lab, kind, &clients[kind], text, FAULT_ANSWERED);
    replicate_sim_counters(lab.cells[kind].sim, &counters);
    fault_lab_expect_count(&lab, kind, "creates", chat_case_creates(&lab.cells[kind]), 1);
    fault_lab_expect_count(&lab, kind, "cancels", counters.cancel_calls, 0);
    /* It did what it is here for. */
    if (kind != FAULT_REFUSED && counters.faulted == 0)
        fault_lab_complain(&lab, kind, "the fault hit nothing");
}

static const int counts[] = {1, SIM_FOREVER};

START_TEST(no_fault_of_a_streams_request_changes_the_text)
{
    fault_lab_open(&lab, NULL, 60000, "read_schema: false\n");
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        fault_lab_plan(&lab, (enum fault_kind)kind,
                       &(struct sim_plan){.official = true,
                                          .pieces = pieces,
                                          .piece_count = sizeof pieces / sizeof *pieces,
                                          .piece_ms = 400,
                                          .stream.offered = true});
        if (kind != FAULT_REFUSED)
            fault_lab_strike(&lab, (enum fault_kind)kind, SIM_STREAM, counts[_i], 0);
    }
    fault_lab_open_streams(&lab, clients);
    /* While connections are refused nothing is told at all, so that must pass. */
    ck_assert(replicate_sim_wait_streams(lab.cells[FAULT_REFUSED].sim, 1, daemon_patience_ms()));
    fault_lab_strike(&lab, FAULT_REFUSED, SIM_STREAM, 1, 0);
    stream_read_all(clients, FAULT_KIND_COUNT, 3 * daemon_patience_ms());
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        expect_cell((enum fault_kind)kind);
    fault_lab_expect_rest(&lab);
}
END_TEST

static Suite *stream_suite(void)
{
    Suite *suite = suite_create("faults: stream");
    TCase *tcase = tcase_create("stream");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, no_fault_of_a_streams_request_changes_the_text, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(stream_suite());
}
