/* Each fault of Replicate × the create, for clients that stream; whole answers to such faults are in test_creates.c and
 * test_errors.c. A create that may have created something is never sent again, and what it did create ends with its
 * Cancel-After. */
#include <stdlib.h>
#include <string.h>

#include "chat_case.h"
#include "check_main.h"
#include "fault_lab.h"

/* Seconds are short at the simulator: the five that a Cancel-After has at least are over within half of one. */
enum { SECOND_MS = 100 };

static struct fault_lab lab;
static struct stream_client clients[FAULT_KIND_COUNT];

static void tear_down(void)
{
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        stream_dispose(&clients[kind]);
    fault_lab_close(&lab);
}

struct cell {
    const char *outcome;
    size_t creates; /* that reached Replicate */
    size_t created; /* predictions that came of them */
};

/* Struck once. Only those go out again of which nothing can have come. */
static const struct cell once[FAULT_KIND_COUNT] = {
    [FAULT_REFUSED] = {FAULT_ANSWERED, 1, 1},
    [FAULT_SILENT] = {FAULT_TIMEOUT, 1, 1},
    [FAULT_CLOSED] = {FAULT_LOST, 1, 0},
    [FAULT_SERVED_AND_CLOSED] = {FAULT_LOST, 1, 1},
    [FAULT_RESET] = {FAULT_LOST, 1, 0},
    [FAULT_SERVED_AND_RESET] = {FAULT_LOST, 1, 1},
    [FAULT_CUT_HEAD] = {FAULT_LOST, 1, 1},
    [FAULT_CUT_BODY] = {FAULT_LOST, 1, 1},
    [FAULT_TOO_LONG] = {FAULT_LOST, 1, 1},
    [FAULT_TOO_SHORT] = {FAULT_LOST, 1, 1},
    [FAULT_ENDLESS] = {FAULT_LOST, 1, 1},
    [FAULT_NOT_JSON] = {FAULT_LOST, 1, 1},
    [FAULT_PAGE_200] = {FAULT_LOST, 1, 0},
    [FAULT_PAGE_502] = {FAULT_LOST, 1, 0},
    [FAULT_STATUS_302] = {FAULT_LOST, 1, 0},
    [FAULT_STATUS_400] = {FAULT_INVALID, 1, 0},
    [FAULT_STATUS_401] = {FAULT_BAD_TOKEN, 1, 0},
    [FAULT_STATUS_402] = {FAULT_NO_CREDIT, 1, 0},
    [FAULT_STATUS_403] = {FAULT_BAD_TOKEN, 1, 0},
    [FAULT_STATUS_404] = {FAULT_ANSWERED, 2, 1}, /* by its name, in vain, and by its version */
    [FAULT_STATUS_413] = {FAULT_INVALID, 1, 0},
    [FAULT_STATUS_422] = {FAULT_INVALID, 1, 0},
    [FAULT_STATUS_429] = {FAULT_ANSWERED, 2, 1},
    [FAULT_STATUS_429_HEADER] = {FAULT_ANSWERED, 2, 1},
    [FAULT_STATUS_429_BARE] = {FAULT_ANSWERED, 2, 1},
    [FAULT_STATUS_500] = {FAULT_LOST, 1, 0},
    [FAULT_STATUS_502] = {FAULT_LOST, 1, 0},
    [FAULT_STATUS_503] = {FAULT_LOST, 1, 0},
    [FAULT_STATUS_504] = {FAULT_LOST, 1, 0},
    [FAULT_SERVED_AND_500] = {FAULT_LOST, 1, 1},
    [FAULT_NO_LENGTH] = {FAULT_ANSWERED, 1, 1},
    [FAULT_CHUNKED] = {FAULT_ANSWERED, 1, 1},
    [FAULT_SLOW] = {FAULT_ANSWERED, 1, 1},
    [FAULT_DRIP] = {FAULT_ANSWERED, 1, 1},
};

/* What is created and never heard of runs on until its Cancel-After. */
static void start(void)
{
    fault_lab_open(&lab, &(struct replicate_sim_options){.second_ms = SECOND_MS}, 2400, "read_schema: false\n");
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        bool is_heard_of = strcmp(once[kind].outcome, FAULT_ANSWERED) == 0;
        fault_lab_plan(
            &lab, (enum fault_kind)kind,
            &(struct sim_plan){.official = true, .boot_ms = is_heard_of ? 10 : SIM_HOLD, .stream.offered = true});
        replicate_sim_expect(lab.cells[kind].sim, SIM_EXPECT_DEADLINE, is_heard_of ? 0 : 1);
    }
}

static void expect_cell(enum fault_kind kind, const struct cell *cell)
{
    struct sim_counters counters;
    struct sim_prediction_view view;
    fault_lab_expect_stream(&lab, kind, &clients[kind], "You said: " CHAT_CASE_PROMPT, cell->outcome);
    replicate_sim_counters(lab.cells[kind].sim, &counters);
    fault_lab_expect_count(&lab, kind, "creates", chat_case_creates(&lab.cells[kind]), cell->creates);
    fault_lab_expect_count(&lab, kind, "predictions", counters.created, cell->created);
    if (replicate_sim_prediction(lab.cells[kind].sim, 0, &view) && view.deadline_ms < 0)
        fault_lab_complain(&lab, kind, "the create had no Cancel-After");
}

START_TEST(each_fault_of_a_create_has_its_outcome)
{
    start();
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        fault_lab_strike(&lab, (enum fault_kind)kind, SIM_CREATE, 1, 0);
    fault_lab_open_streams(&lab, clients);
    stream_read_all(clients, FAULT_KIND_COUNT, 2 * daemon_patience_ms());
    fault_lab_expect_rest(&lab);
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        expect_cell((enum fault_kind)kind, &once[kind]);
}
END_TEST

/* Lasting faults that a create outlives when they pass: what the client is told when they do not. */
static const struct {
    enum fault_kind kind;
    const char *outcome;
} lasting[] = {
    {FAULT_REFUSED, FAULT_UNAVAILABLE},       {FAULT_STATUS_404, FAULT_NOT_FOUND},
    {FAULT_STATUS_429, FAULT_THROTTLED},      {FAULT_STATUS_429_HEADER, FAULT_THROTTLED},
    {FAULT_STATUS_429_BARE, FAULT_THROTTLED},
};

START_TEST(what_a_create_outlives_when_it_passes_is_told_when_it_lasts)
{
    enum fault_kind kind = lasting[_i].kind;
    struct http_response response = {0};
    start();
    fault_lab_strike(&lab, kind, SIM_CREATE, SIM_FOREVER, 0);
    struct http_connection *client = fault_lab_ask(&lab, kind, "", NULL);
    http_read(client, &response, daemon_patience_ms());
    fault_lab_expect_answer(&lab, kind, &response, lasting[_i].outcome);
    fault_lab_expect_rest(&lab);
    struct sim_counters counters;
    replicate_sim_counters(lab.cells[kind].sim, &counters);
    ck_assert_uint_eq(counters.created, 0);
    http_response_dispose(&response);
    http_close(&client);
}
END_TEST

static Suite *create_suite(void)
{
    Suite *suite = suite_create("faults: create");
    TCase *tcase = tcase_create("create");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, each_fault_of_a_create_has_its_outcome);
    tcase_add_loop_test(tcase, what_a_create_outlives_when_it_passes_is_told_when_it_lasts, 0,
                        sizeof lasting / sizeof *lasting);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(create_suite());
}
