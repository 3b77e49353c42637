/* Each fault of Replicate × the cancel of a prediction. The client is told what it would be told without the fault, and
 * what cannot be cancelled ends with its Cancel-After. Four single faults are in test_cancel.c, too, for clients that
 * hang up. */
#include <stdlib.h>
#include <string.h>

#include "chat_case.h"
#include "check_main.h"
#include "fault_lab.h"

static struct fault_lab lab;
static struct http_connection *clients[FAULT_KIND_COUNT];

static void tear_down(void)
{
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        http_close(&clients[kind]);
    fault_lab_close(&lab);
}

enum end { CANCELLED, LEFT_TO_CANCEL_AFTER };

struct cell {
    enum end once, lasting;
    size_t calls; /* cancels that reach Replicate when it strikes once */
};

/* A refusal means that there is nothing to cancel, unless it may pass: then it is sent again, as after an answer that
 * was lost or did not come in 2 s; here Replicate did as it was asked. */
static const struct cell cells[FAULT_KIND_COUNT] = {
    [FAULT_REFUSED] = {CANCELLED, LEFT_TO_CANCEL_AFTER, 1},
    [FAULT_SILENT] = {CANCELLED, CANCELLED, 2},
    [FAULT_CLOSED] = {CANCELLED, LEFT_TO_CANCEL_AFTER, 2},
    [FAULT_SERVED_AND_CLOSED] = {CANCELLED, CANCELLED, 2},
    [FAULT_RESET] = {CANCELLED, LEFT_TO_CANCEL_AFTER, 2},
    [FAULT_SERVED_AND_RESET] = {CANCELLED, CANCELLED, 2},
    [FAULT_CUT_HEAD] = {CANCELLED, CANCELLED, 2},
    [FAULT_CUT_BODY] = {CANCELLED, CANCELLED, 2},
    [FAULT_TOO_LONG] = {CANCELLED, CANCELLED, 2},
    [FAULT_TOO_SHORT] = {CANCELLED, CANCELLED, 1},
    [FAULT_ENDLESS] = {CANCELLED, CANCELLED, 2},
    [FAULT_NOT_JSON] = {CANCELLED, CANCELLED, 1},
    [FAULT_PAGE_200] = {LEFT_TO_CANCEL_AFTER, LEFT_TO_CANCEL_AFTER, 1},
    [FAULT_PAGE_502] = {CANCELLED, LEFT_TO_CANCEL_AFTER, 2},
    [FAULT_STATUS_302] = {LEFT_TO_CANCEL_AFTER, LEFT_TO_CANCEL_AFTER, 1},
    [FAULT_STATUS_400] = {LEFT_TO_CANCEL_AFTER, LEFT_TO_CANCEL_AFTER, 1},
    [FAULT_STATUS_401] = {CANCELLED, LEFT_TO_CANCEL_AFTER, 2},
    [FAULT_STATUS_402] = {LEFT_TO_CANCEL_AFTER, LEFT_TO_CANCEL_AFTER, 1},
    [FAULT_STATUS_403] = {CANCELLED, LEFT_TO_CANCEL_AFTER, 2},
    [FAULT_STATUS_404] = {CANCELLED, LEFT_TO_CANCEL_AFTER, 2},
    [FAULT_STATUS_413] = {LEFT_TO_CANCEL_AFTER, LEFT_TO_CANCEL_AFTER, 1},
    [FAULT_STATUS_422] = {LEFT_TO_CANCEL_AFTER, LEFT_TO_CANCEL_AFTER, 1},
    [FAULT_STATUS_429] = {CANCELLED, LEFT_TO_CANCEL_AFTER, 2},
    [FAULT_STATUS_429_HEADER] = {CANCELLED, LEFT_TO_CANCEL_AFTER, 2},
    [FAULT_STATUS_429_BARE] = {CANCELLED, LEFT_TO_CANCEL_AFTER, 2},
    [FAULT_STATUS_500] = {CANCELLED, LEFT_TO_CANCEL_AFTER, 2},
    [FAULT_STATUS_502] = {CANCELLED, LEFT_TO_CANCEL_AFTER, 2},
    [FAULT_STATUS_503] = {CANCELLED, LEFT_TO_CANCEL_AFTER, 2},
    [FAULT_STATUS_504] = {CANCELLED, LEFT_TO_CANCEL_AFTER, 2},
    [FAULT_SERVED_AND_500] = {CANCELLED, CANCELLED, 2},
    [FAULT_NO_LENGTH] = {CANCELLED, CANCELLED, 1},
    [FAULT_CHUNKED] = {CANCELLED, CANCELLED, 1},
    [FAULT_SLOW] = {CANCELLED, CANCELLED, 1},
    [FAULT_DRIP] = {CANCELLED, CANCELLED, 1},
};

/* How long a simulated second lasts, of the five that a Cancel-After has at least: so long that it ends nothing while
 * the program still tries to, once more or for the 5 s that it may. */
enum { SECOND_MS = 600, LONG_SECOND_MS = 1600 };

/* All at once: a prediction that nobody ends, and cancels that fail. */
static void start(int count, const char *config)
{
    int second_ms = count == 1 ? SECOND_MS : LONG_SECOND_MS;
    fault_lab_open(&lab, &(struct replicate_sim_options){.second_ms = second_ms}, 0, config);
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        enum end end = count == 1 ? cells[kind].once : cells[kind].lasting;
        replicate_sim_expect(lab.cells[kind].sim, SIM_EXPECT_DEADLINE, end == LEFT_TO_CANCEL_AFTER);
        fault_lab_plan(&lab, (enum fault_kind)kind, &(struct sim_plan){.official = true, .boot_ms = SIM_HOLD});
        if (kind != FAULT_REFUSED)
            fault_lab_strike(&lab, (enum fault_kind)kind, SIM_CANCEL, count, 0);
        clients[kind] = fault_lab_ask(&lab, (enum fault_kind)kind, "", NULL);
    }
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        ck_assert(replicate_sim_wait_created(lab.cells[kind].sim, 1, daemon_patience_ms()));
    fault_lab_strike(&lab, FAULT_REFUSED, SIM_CANCEL, count, 0);
}

static void expect_ends(int count)
{
    fault_lab_expect_rest(&lab);
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        struct sim_counters counters;
        enum end end = count == 1 ? cells[kind].once : cells[kind].lasting;
        replicate_sim_counters(lab.cells[kind].sim, &counters);
        fault_lab_expect_count(&lab, (enum fault_kind)kind, "cancelled", counters.cancelled, end == CANCELLED);
        fault_lab_expect_count(&lab, (enum fault_kind)kind, "ended", counters.ended, 1);
        fault_lab_expect_count(&lab, (enum fault_kind)kind, "creates", chat_case_creates(&lab.cells[kind]), 1);
        size_t calls = replicate_sim_request_count(lab.cells[kind].sim, SIM_CANCEL);
        if (count == 1)
            fault_lab_expect_count(&lab, (enum fault_kind)kind, "cancel calls", calls, cells[kind].calls);
        else if (calls > 5) /* after 0, 0.5, 1.5, 3.5 s, and no more within the bound of 5 s */
            fault_lab_complain(&lab, (enum fault_kind)kind, "it was cancelled too often");
    }
}

static const int counts[] = {1, SIM_FOREVER};

START_TEST(a_fault_of_the_cancel_does_not_change_what_the_client_is_told)
{
    const char *outcomes[FAULT_KIND_COUNT];
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        outcomes[kind] = FAULT_TIMEOUT;
    start(counts[_i], "timeout: 1500ms\nread_schema: false\n");
    fault_lab_expect_answers(&lab, clients, outcomes);
    expect_ends(counts[_i]);
}
END_TEST

START_TEST(whoever_hangs_up_the_prediction_comes_to_its_end)
{
    start(counts[_i], "timeout: 5s\nread_schema: false\n");
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        http_close(&clients[kind]);
    expect_ends(counts[_i]);
}
END_TEST

static Suite *cancel_suite(void)
{
    Suite *suite = suite_create("faults: cancel");
    TCase *tcase = tcase_create("cancel");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_fault_of_the_cancel_does_not_change_what_the_client_is_told, 0, 2);
    tcase_add_loop_test(tcase, whoever_hangs_up_the_prediction_comes_to_its_end, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(cancel_suite());
}
