/* Each fault of Replicate × the polls of a prediction: bursts of it, and faults that last. Single ones are in
 * test_predictions.c. No fault of a poll creates anything anew, and a prediction whose end cannot be learnt of is
 * cancelled. */
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

static bool is_throttle(int kind)
{
    return kind == FAULT_STATUS_429 || kind == FAULT_STATUS_429_HEADER || kind == FAULT_STATUS_429_BARE;
}

static void ask(const struct sim_plan *plan, int count, bool (*is_meant)(int kind))
{
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        if (!is_meant(kind))
            continue;
        fault_lab_plan(&lab, (enum fault_kind)kind, plan);
        /* Where the whole Replicate is not to be reached, not even a create would come through. */
        if (kind != FAULT_REFUSED)
            fault_lab_strike(&lab, (enum fault_kind)kind, SIM_GET, count, 0);
        clients[kind] = fault_lab_ask(&lab, (enum fault_kind)kind, "", NULL);
    }
    if (clients[FAULT_REFUSED] == NULL)
        return;
    ck_assert(replicate_sim_wait_polls(lab.cells[FAULT_REFUSED].sim, 1, daemon_patience_ms()));
    fault_lab_strike(&lab, FAULT_REFUSED, SIM_GET, count, 0);
}

static bool is_any(int kind)
{
    (void)kind;
    return true;
}

/* A few 404s in a row are taken at their word, sooner or later than the deadline: see test_predictions.c. */
static bool is_for_the_deadline(int kind)
{
    return !is_throttle(kind) && kind != FAULT_STATUS_404;
}

/* And this many cancels. */
static void expect_one_create(enum fault_kind kind, size_t cancels)
{
    fault_lab_expect_count(&lab, kind, "creates", chat_case_creates(&lab.cells[kind]), 1);
    fault_lab_expect_count(&lab, kind, "cancels", replicate_sim_request_count(lab.cells[kind].sim, SIM_CANCEL),
                           cancels);
}

/* Two in a row: a third refusal of the token would be taken at its word. */
START_TEST(a_burst_of_any_fault_while_polling_is_outlived)
{
    const char *outcomes[FAULT_KIND_COUNT];
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        outcomes[kind] = FAULT_ANSWERED;
    outcomes[FAULT_SILENT] = FAULT_TIMEOUT; /* a poll is given longer than this deadline */
    fault_lab_open(&lab, NULL, 12000, "read_schema: false\n");
    ask(&(struct sim_plan){.official = true, .boot_ms = 300, .run_ms = 10}, 2, is_any);
    fault_lab_expect_answers(&lab, clients, outcomes);
    fault_lab_expect_rest(&lab);
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        expect_one_create((enum fault_kind)kind, kind == FAULT_SILENT);
}
END_TEST

/* What lasts beyond the deadline. */
static const char *const lasting[FAULT_KIND_COUNT] = {
    [FAULT_REFUSED] = FAULT_TIMEOUT,
    [FAULT_SILENT] = FAULT_TIMEOUT,
    [FAULT_CLOSED] = FAULT_TIMEOUT,
    [FAULT_SERVED_AND_CLOSED] = FAULT_TIMEOUT,
    [FAULT_RESET] = FAULT_TIMEOUT,
    [FAULT_SERVED_AND_RESET] = FAULT_TIMEOUT,
    [FAULT_CUT_HEAD] = FAULT_TIMEOUT,
    [FAULT_CUT_BODY] = FAULT_TIMEOUT,
    [FAULT_TOO_LONG] = FAULT_TIMEOUT,
    [FAULT_TOO_SHORT] = FAULT_TIMEOUT,
    [FAULT_ENDLESS] = FAULT_TIMEOUT,
    [FAULT_NOT_JSON] = FAULT_TIMEOUT,
    [FAULT_PAGE_200] = FAULT_TIMEOUT,
    [FAULT_PAGE_502] = FAULT_TIMEOUT,
    [FAULT_STATUS_302] = FAULT_TIMEOUT,
    [FAULT_STATUS_400] = FAULT_TIMEOUT,
    [FAULT_STATUS_401] = FAULT_BAD_TOKEN,
    [FAULT_STATUS_402] = FAULT_TIMEOUT,
    [FAULT_STATUS_403] = FAULT_BAD_TOKEN,
    [FAULT_STATUS_413] = FAULT_TIMEOUT,
    [FAULT_STATUS_422] = FAULT_TIMEOUT,
    [FAULT_STATUS_429] = FAULT_TIMEOUT,
    [FAULT_STATUS_429_HEADER] = FAULT_TIMEOUT,
    [FAULT_STATUS_429_BARE] = FAULT_TIMEOUT,
    [FAULT_STATUS_500] = FAULT_TIMEOUT,
    [FAULT_STATUS_502] = FAULT_TIMEOUT,
    [FAULT_STATUS_503] = FAULT_TIMEOUT,
    [FAULT_STATUS_504] = FAULT_TIMEOUT,
    [FAULT_SERVED_AND_500] = FAULT_TIMEOUT,
    [FAULT_NO_LENGTH] = FAULT_TIMEOUT,
    [FAULT_CHUNKED] = FAULT_TIMEOUT,
    [FAULT_SLOW] = FAULT_TIMEOUT,
    [FAULT_DRIP] = FAULT_TIMEOUT,
};

/* The model never ends, so nothing but a cancel (or, where none comes through, Cancel-After) ends what was created. A
 * 429 holds up the polls of all, so those faults are apart from the others. */
START_TEST(a_fault_of_all_polls_ends_in_the_right_error_and_a_cancel)
{
    static bool (*const groups[])(int kind) = {is_for_the_deadline, is_throttle};
    fault_lab_open(&lab, &(struct replicate_sim_options){.second_ms = 1500}, 4000, "read_schema: false\n");
    replicate_sim_expect(lab.cells[FAULT_REFUSED].sim, SIM_EXPECT_DEADLINE, 1);
    ask(&(struct sim_plan){.official = true, .boot_ms = SIM_HOLD}, SIM_FOREVER, groups[_i]);
    fault_lab_expect_answers(&lab, clients, lasting);
    fault_lab_expect_rest(&lab);
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        if (groups[_i](kind))
            expect_one_create((enum fault_kind)kind, kind != FAULT_REFUSED);
}
END_TEST

/* A poll that is never answered is given up after ten seconds, and the next one tells the end. */
START_TEST(a_silent_poll_is_given_up_and_made_again)
{
    const struct sim_plan plan = {.model = BRIDGE_MODEL, .official = true, .boot_ms = 100};
    struct http_response response = {0};
    fault_lab_open(&lab, NULL, 25000, "read_schema: false\n");
    fault_lab_plan(&lab, FAULT_SILENT, &plan);
    fault_lab_strike(&lab, FAULT_SILENT, SIM_GET, 1, 0);
    struct http_connection *client = fault_lab_ask(&lab, FAULT_SILENT, "", NULL);
    http_read(client, &response, 6 * daemon_patience_ms());
    fault_lab_expect_answer(&lab, FAULT_SILENT, &response, FAULT_ANSWERED);
    http_response_dispose(&response);
    http_close(&client);
}
END_TEST

static Suite *poll_suite(void)
{
    Suite *suite = suite_create("faults: poll");
    TCase *tcase = tcase_create("poll");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_burst_of_any_fault_while_polling_is_outlived);
    tcase_add_loop_test(tcase, a_fault_of_all_polls_ends_in_the_right_error_and_a_cancel, 0, 2);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("slow");
    tcase_set_tags(tcase, "slow");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 90);
    tcase_add_test(tcase, a_silent_poll_is_given_up_and_made_again);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(poll_suite());
}
