/* Each fault of Replicate × the look at a model's document: for its schema, without which a request goes on with the
 * common names, and for the version of a community model, without which there is nothing to be run. Some single faults
 * are in test_schema.c and test_creates.c, too. */
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

static void expect_one_prediction(enum fault_kind kind, size_t creates)
{
    struct sim_counters counters;
    replicate_sim_counters(lab.cells[kind].sim, &counters);
    fault_lab_expect_count(&lab, kind, "creates", chat_case_creates(&lab.cells[kind]), creates);
    fault_lab_expect_count(&lab, kind, "predictions", counters.created, 1);
}

/* ---- the schema ---- */

/* Struck once: is the document asked for again, and so known to the first request already? */
static const bool is_had_again[FAULT_KIND_COUNT] = {
    [FAULT_REFUSED] = true,         [FAULT_CLOSED] = true,           [FAULT_SERVED_AND_CLOSED] = true,
    [FAULT_RESET] = true,           [FAULT_SERVED_AND_RESET] = true, [FAULT_CUT_HEAD] = true,
    [FAULT_CUT_BODY] = true,        [FAULT_TOO_LONG] = true,         [FAULT_ENDLESS] = true,
    [FAULT_PAGE_502] = true,        [FAULT_STATUS_429] = true,       [FAULT_STATUS_429_HEADER] = true,
    [FAULT_STATUS_429_BARE] = true, [FAULT_STATUS_500] = true,       [FAULT_STATUS_502] = true,
    [FAULT_STATUS_503] = true,      [FAULT_STATUS_504] = true,       [FAULT_SERVED_AND_500] = true,
};

static bool is_valid(int kind)
{
    return kind == FAULT_NO_LENGTH || kind == FAULT_CHUNKED || kind == FAULT_SLOW || kind == FAULT_DRIP;
}

/* Where the schema is known, max_tokens has the name that the model gives it. */
static void expect_cell(enum fault_kind kind, bool is_known)
{
    const struct sim_request *create = replicate_sim_request(lab.cells[kind].sim, SIM_CREATE, 0);
    bool was_known = create != NULL && strstr(create->body, "reply_token_limit") != NULL;
    if (was_known != is_known)
        fault_lab_complain(&lab, kind, is_known ? "the schema is not known" : "the schema is known all the same");
    expect_one_prediction(kind, 1);
}

static void ask(enum fault_kind kind, int count)
{
    static const char schema[] = "{\"properties\":{\"prompt\":{\"type\":\"string\"},\"reply_token_limit\":{\"type\":"
                                 "\"integer\"}}}";
    fault_lab_plan(&lab, kind, &(struct sim_plan){.official = true, .input_schema_json = schema});
    fault_lab_strike(&lab, kind, SIM_MODEL, count, 0);
    clients[kind] = fault_lab_ask(&lab, kind, ",\"max_tokens\":20", NULL);
}

static const int counts[] = {1, SIM_FOREVER};

START_TEST(no_fault_of_a_models_document_fails_a_request)
{
    const char *outcomes[FAULT_KIND_COUNT];
    fault_lab_open(&lab, NULL, 0, "");
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        bool is_lasting_silence = kind == FAULT_SILENT || (kind == FAULT_REFUSED && counts[_i] == SIM_FOREVER);
        outcomes[kind] = FAULT_ANSWERED;
        if (!is_lasting_silence)
            ask((enum fault_kind)kind, counts[_i]);
    }
    fault_lab_expect_answers(&lab, clients, outcomes);
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        if (replicate_sim_request_count(lab.cells[kind].sim, SIM_ANY) > 0)
            expect_cell((enum fault_kind)kind, is_valid(kind) || (counts[_i] == 1 && is_had_again[kind]));
    fault_lab_expect_rest(&lab);
}
END_TEST

/* A request waits for the document for ten seconds and then does without; the look itself goes on behind. */
START_TEST(silence_about_a_model_holds_a_request_up_for_ten_seconds)
{
    struct http_response response = {0};
    fault_lab_open(&lab, NULL, 0, "");
    ask(FAULT_SILENT, 1);
    http_read(clients[FAULT_SILENT], &response, 2 * daemon_patience_ms());
    fault_lab_expect_answer(&lab, FAULT_SILENT, &response, FAULT_ANSWERED);
    expect_cell(FAULT_SILENT, false);
    ck_assert_int_ge(response.complete_ms, 9900);
    http_response_dispose(&response);
}
END_TEST

/* ---- the version of a community model ---- */

struct cell {
    const char *once, *lasting;
};

static const struct cell versions[FAULT_KIND_COUNT] = {
    [FAULT_REFUSED] = {FAULT_ANSWERED, FAULT_UNAVAILABLE},
    [FAULT_SILENT] = {FAULT_TIMEOUT, FAULT_TIMEOUT}, /* a look is given longer than this deadline */
    [FAULT_CLOSED] = {FAULT_ANSWERED, FAULT_UNAVAILABLE},
    [FAULT_SERVED_AND_CLOSED] = {FAULT_ANSWERED, FAULT_UNAVAILABLE},
    [FAULT_RESET] = {FAULT_ANSWERED, FAULT_UNAVAILABLE},
    [FAULT_SERVED_AND_RESET] = {FAULT_ANSWERED, FAULT_UNAVAILABLE},
    [FAULT_CUT_HEAD] = {FAULT_ANSWERED, FAULT_UNAVAILABLE},
    [FAULT_CUT_BODY] = {FAULT_ANSWERED, FAULT_UNAVAILABLE},
    [FAULT_TOO_LONG] = {FAULT_ANSWERED, FAULT_UNAVAILABLE},
    [FAULT_TOO_SHORT] = {FAULT_LOST, FAULT_LOST},
    [FAULT_ENDLESS] = {FAULT_ANSWERED, FAULT_UNAVAILABLE},
    [FAULT_NOT_JSON] = {FAULT_LOST, FAULT_LOST},
    [FAULT_PAGE_200] = {FAULT_LOST, FAULT_LOST},
    [FAULT_PAGE_502] = {FAULT_ANSWERED, FAULT_UNAVAILABLE},
    [FAULT_STATUS_302] = {FAULT_LOST, FAULT_LOST},
    [FAULT_STATUS_400] = {FAULT_INVALID, FAULT_INVALID},
    [FAULT_STATUS_401] = {FAULT_BAD_TOKEN, FAULT_BAD_TOKEN},
    [FAULT_STATUS_402] = {FAULT_NO_CREDIT, FAULT_NO_CREDIT},
    [FAULT_STATUS_403] = {FAULT_BAD_TOKEN, FAULT_BAD_TOKEN},
    [FAULT_STATUS_404] = {FAULT_NOT_FOUND, FAULT_NOT_FOUND},
    [FAULT_STATUS_413] = {FAULT_INVALID, FAULT_INVALID},
    [FAULT_STATUS_422] = {FAULT_INVALID, FAULT_INVALID},
    [FAULT_STATUS_429] = {FAULT_ANSWERED, FAULT_THROTTLED},
    [FAULT_STATUS_429_HEADER] = {FAULT_ANSWERED, FAULT_THROTTLED},
    [FAULT_STATUS_429_BARE] = {FAULT_ANSWERED, FAULT_THROTTLED},
    [FAULT_STATUS_500] = {FAULT_ANSWERED, FAULT_UNAVAILABLE},
    [FAULT_STATUS_502] = {FAULT_ANSWERED, FAULT_UNAVAILABLE},
    [FAULT_STATUS_503] = {FAULT_ANSWERED, FAULT_UNAVAILABLE},
    [FAULT_STATUS_504] = {FAULT_ANSWERED, FAULT_UNAVAILABLE},
    [FAULT_SERVED_AND_500] = {FAULT_ANSWERED, FAULT_UNAVAILABLE},
    [FAULT_NO_LENGTH] = {FAULT_ANSWERED, FAULT_ANSWERED},
    [FAULT_CHUNKED] = {FAULT_ANSWERED, FAULT_ANSWERED},
    [FAULT_SLOW] = {FAULT_ANSWERED, FAULT_ANSWERED},
    [FAULT_DRIP] = {FAULT_ANSWERED, FAULT_ANSWERED},
};

static void expect_version_cell(enum fault_kind kind, const char *outcome)
{
    struct sim_counters counters;
    bool is_run = strcmp(outcome, FAULT_ANSWERED) == 0;
    replicate_sim_counters(lab.cells[kind].sim, &counters);
    fault_lab_expect_count(&lab, kind, "predictions", counters.created, is_run);
    /* By its name, which is refused, and then by its version. */
    bool is_cut_off = kind == FAULT_REFUSED;
    if (!is_cut_off)
        fault_lab_expect_count(&lab, kind, "creates", chat_case_creates(&lab.cells[kind]), is_run ? 2 : 1);
}

START_TEST(each_fault_of_the_look_for_a_version_has_its_outcome)
{
    const char *outcomes[FAULT_KIND_COUNT];
    fault_lab_open(&lab, NULL, 12000, "read_schema: false\n");
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        outcomes[kind] = counts[_i] == 1 ? versions[kind].once : versions[kind].lasting;
        fault_lab_plan(&lab, (enum fault_kind)kind, &(struct sim_plan){.official = false});
        fault_lab_strike(&lab, (enum fault_kind)kind, SIM_MODEL, counts[_i], 0);
        clients[kind] = fault_lab_ask(&lab, (enum fault_kind)kind, "", NULL);
    }
    fault_lab_expect_answers(&lab, clients, outcomes);
    fault_lab_expect_rest(&lab);
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        expect_version_cell((enum fault_kind)kind, outcomes[kind]);
}
END_TEST

static Suite *schema_suite(void)
{
    Suite *suite = suite_create("faults: schema");
    TCase *tcase = tcase_create("schema");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, no_fault_of_a_models_document_fails_a_request, 0, 2);
    tcase_add_test(tcase, silence_about_a_model_holds_a_request_up_for_ten_seconds);
    tcase_add_loop_test(tcase, each_fault_of_the_look_for_a_version_has_its_outcome, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(schema_suite());
}
