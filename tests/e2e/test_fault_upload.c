/* Each fault of Replicate × the upload of a file, and × its deletion. An upload costs nothing, so it is made again
 * where that may help; where it fails, nothing is created. A deletion that fails is nothing that a client would hear
 * of. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "chat_case.h"
#include "check_main.h"
#include "fault_lab.h"

enum { FILE_DIGITS = 400 * 1024 }; /* more than may stand in an input */

static struct fault_lab lab;
static struct http_connection *clients[FAULT_KIND_COUNT];

static void tear_down(void)
{
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        http_close(&clients[kind]);
    fault_lab_close(&lab);
}

static char *messages_with_image(void)
{
    char *digits = xmalloc(FILE_DIGITS + 1);
    memset(digits, 'A', FILE_DIGITS);
    digits[FILE_DIGITS] = '\0';
    char *messages = xasprintf("[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"" CHAT_CASE_PROMPT
                               "\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,%s\"}}]}]",
                               digits);
    free(digits);
    return messages;
}

/* Silence lasts as long whether it strikes once or for good, so once is enough. */
static bool is_asked(int kind, int count)
{
    return kind != FAULT_SILENT || count == 1;
}

/* Without a fault: that there is an input for images is known afterwards. */
static void teach(void)
{
    static const char schema[] = "{\"properties\":{\"prompt\":{\"type\":\"string\"},\"image\":{\"type\":\"string\","
                                 "\"format\":\"uri\"}}}";
    const char *outcomes[FAULT_KIND_COUNT];
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        outcomes[kind] = FAULT_ANSWERED;
        fault_lab_plan(&lab, (enum fault_kind)kind, &(struct sim_plan){.official = true, .input_schema_json = schema});
        clients[kind] = fault_lab_ask(&lab, (enum fault_kind)kind, "", NULL);
    }
    fault_lab_expect_answers(&lab, clients, outcomes);
}

/* The fault strikes after so many requests to the files API. */
static void ask_all(int count, int after)
{
    char *messages = messages_with_image();
    teach();
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        struct replicate_sim *sim = lab.cells[kind].sim;
        /* What is served and never heard of cannot be deleted; it expires at Replicate. And what was deleted already is
         * not found when it is deleted again. */
        replicate_sim_expect(sim, SIM_EXPECT_FILES, SIM_FOREVER);
        replicate_sim_expect(sim, SIM_EXPECT_UNKNOWN_PATH, SIM_FOREVER);
        if (!is_asked(kind, count))
            continue;
        if (after == 0 || kind != FAULT_REFUSED)
            fault_lab_strike(&lab, (enum fault_kind)kind, SIM_FILES, count, after);
        clients[kind] = fault_lab_ask_messages(&lab, (enum fault_kind)kind, messages);
    }
    free(messages);
}

/* ---- up ---- */

struct cell {
    const char *once, *lasting;
    size_t lost; /* files that stay behind at Replicate when it strikes once */
};

static const struct cell uploads[FAULT_KIND_COUNT] = {
    [FAULT_REFUSED] = {FAULT_ANSWERED, FAULT_UNAVAILABLE, 0},
    [FAULT_SILENT] = {FAULT_TIMEOUT, FAULT_TIMEOUT, 1}, /* an upload is given longer than this deadline */
    [FAULT_CLOSED] = {FAULT_ANSWERED, FAULT_UNAVAILABLE, 0},
    [FAULT_SERVED_AND_CLOSED] = {FAULT_ANSWERED, FAULT_UNAVAILABLE, 1},
    [FAULT_RESET] = {FAULT_ANSWERED, FAULT_UNAVAILABLE, 0},
    [FAULT_SERVED_AND_RESET] = {FAULT_ANSWERED, FAULT_UNAVAILABLE, 1},
    [FAULT_CUT_HEAD] = {FAULT_ANSWERED, FAULT_UNAVAILABLE, 1},
    [FAULT_CUT_BODY] = {FAULT_ANSWERED, FAULT_UNAVAILABLE, 1},
    [FAULT_TOO_LONG] = {FAULT_ANSWERED, FAULT_UNAVAILABLE, 1},
    [FAULT_TOO_SHORT] = {FAULT_LOST, FAULT_LOST, 1},
    [FAULT_ENDLESS] = {FAULT_ANSWERED, FAULT_UNAVAILABLE, 1},
    [FAULT_NOT_JSON] = {FAULT_LOST, FAULT_LOST, 1},
    [FAULT_PAGE_200] = {FAULT_LOST, FAULT_LOST, 0},
    [FAULT_PAGE_502] = {FAULT_ANSWERED, FAULT_UNAVAILABLE, 0},
    [FAULT_STATUS_302] = {FAULT_LOST, FAULT_LOST, 0},
    [FAULT_STATUS_400] = {FAULT_INVALID, FAULT_INVALID, 0},
    [FAULT_STATUS_401] = {FAULT_BAD_TOKEN, FAULT_BAD_TOKEN, 0},
    [FAULT_STATUS_402] = {FAULT_NO_CREDIT, FAULT_NO_CREDIT, 0},
    [FAULT_STATUS_403] = {FAULT_BAD_TOKEN, FAULT_BAD_TOKEN, 0},
    [FAULT_STATUS_404] = {FAULT_LOST, FAULT_LOST, 0},
    [FAULT_STATUS_413] = {FAULT_TOO_LARGE, FAULT_TOO_LARGE, 0},
    [FAULT_STATUS_422] = {FAULT_INVALID, FAULT_INVALID, 0},
    [FAULT_STATUS_429] = {FAULT_ANSWERED, FAULT_THROTTLED, 0},
    [FAULT_STATUS_429_HEADER] = {FAULT_ANSWERED, FAULT_THROTTLED, 0},
    [FAULT_STATUS_429_BARE] = {FAULT_ANSWERED, FAULT_THROTTLED, 0},
    [FAULT_STATUS_500] = {FAULT_ANSWERED, FAULT_UNAVAILABLE, 0},
    [FAULT_STATUS_502] = {FAULT_ANSWERED, FAULT_UNAVAILABLE, 0},
    [FAULT_STATUS_503] = {FAULT_ANSWERED, FAULT_UNAVAILABLE, 0},
    [FAULT_STATUS_504] = {FAULT_ANSWERED, FAULT_UNAVAILABLE, 0},
    [FAULT_SERVED_AND_500] = {FAULT_ANSWERED, FAULT_UNAVAILABLE, 1},
    [FAULT_NO_LENGTH] = {FAULT_ANSWERED, FAULT_ANSWERED, 0},
    [FAULT_CHUNKED] = {FAULT_ANSWERED, FAULT_ANSWERED, 0},
    [FAULT_SLOW] = {FAULT_ANSWERED, FAULT_ANSWERED, 0},
    [FAULT_DRIP] = {FAULT_ANSWERED, FAULT_ANSWERED, 0},
};

static const int counts[] = {1, SIM_FOREVER};

static void expect_cell(enum fault_kind kind, int count)
{
    struct sim_counters counters;
    const struct cell *cell = &uploads[kind];
    bool is_run = strcmp(count == 1 ? cell->once : cell->lasting, FAULT_ANSWERED) == 0;
    replicate_sim_counters(lab.cells[kind].sim, &counters);
    fault_lab_expect_count(&lab, kind, "creates", chat_case_creates(&lab.cells[kind]), 1 + is_run);
    if (count == 1)
        fault_lab_expect_count(&lab, kind, "files left", counters.files_open, cell->lost);
    if (kind != FAULT_REFUSED && counters.faulted == 0)
        fault_lab_complain(&lab, kind, "the fault hit nothing");
}

START_TEST(each_fault_of_an_upload_has_its_outcome)
{
    const char *outcomes[FAULT_KIND_COUNT];
    fault_lab_open(&lab, NULL, 7000, "");
    ask_all(counts[_i], 0);
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        outcomes[kind] = counts[_i] == 1 ? uploads[kind].once : uploads[kind].lasting;
    fault_lab_expect_answers(&lab, clients, outcomes);
    fault_lab_expect_rest(&lab);
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        if (is_asked(kind, counts[_i]))
            expect_cell((enum fault_kind)kind, counts[_i]);
}
END_TEST

/* ---- and down ---- */

/* Each may be sent twice, where a kept connection breaks: libcurl does that by itself, and it is harmless here. */
enum { DELETIONS = 3 };

/* Struck once: does the file stay at Replicate? A refusal that will not pass is not argued with. */
static bool stays(enum fault_kind kind)
{
    switch (kind) {
    case FAULT_PAGE_200:
    case FAULT_STATUS_302:
    case FAULT_STATUS_400:
    case FAULT_STATUS_401:
    case FAULT_STATUS_402:
    case FAULT_STATUS_403:
    case FAULT_STATUS_404:
    case FAULT_STATUS_413:
    case FAULT_STATUS_422:
        return true;
    default:
        return false;
    }
}

START_TEST(no_fault_of_a_deletion_is_heard_of)
{
    const char *outcomes[FAULT_KIND_COUNT];
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        outcomes[kind] = FAULT_ANSWERED;
    fault_lab_open(&lab, NULL, 0, "");
    ask_all(counts[_i], 1);
    fault_lab_expect_answers(&lab, clients, outcomes);
    fault_lab_expect_rest(&lab);
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        struct sim_counters counters;
        if (!is_asked(kind, counts[_i]))
            continue;
        replicate_sim_counters(lab.cells[kind].sim, &counters);
        fault_lab_expect_count(&lab, (enum fault_kind)kind, "creates", chat_case_creates(&lab.cells[kind]), 2);
        fault_lab_expect_count(&lab, (enum fault_kind)kind, "uploads", counters.files_uploaded, 1);
        if (counts[_i] == 1)
            fault_lab_expect_count(&lab, (enum fault_kind)kind, "files left", counters.files_open,
                                   stays((enum fault_kind)kind));
        else if (replicate_sim_request_count(lab.cells[kind].sim, SIM_FILES) > 1 + 2 * DELETIONS)
            fault_lab_complain(&lab, (enum fault_kind)kind, "the file was deleted too often");
    }
}
END_TEST

static Suite *upload_suite(void)
{
    Suite *suite = suite_create("faults: upload");
    TCase *tcase = tcase_create("upload");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, each_fault_of_an_upload_has_its_outcome, 0, 2);
    tcase_add_loop_test(tcase, no_fault_of_a_deletion_is_heard_of, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(upload_suite());
}
