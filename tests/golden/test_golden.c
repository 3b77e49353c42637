/* Golden tests: files in, exact bytes out, through decoding, mapping and answering.
 *
 * These know no schema of the model; test_golden_models.c is about models' own ones. A case is the files
 * tests/golden/chat/CASE.*: given are request.json (the body as it came), and, where the defaults will not do,
 * route.json and outcome.json (an array of outcomes); expected are input.json (where it was mapped), response.json (the
 * answer or the error) and headers.txt; see tests/support/golden.h for how they are written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "call_help.h"
#include "check_main.h"
#include "golden.h"
#include "openai/chat.h"
#include "openai/error_body.h"
#include "openai/mapping.h"

static struct golden golden;

/* The n-th prediction ends as the n-th outcome says; the last one stands for all behind it. */
static bool finish(struct call *call, const char *name, struct buf *response, struct error *err)
{
    struct outcome *outcomes[CALL_MAX_CHOICES];
    /* Without a file every prediction answers the same short text. */
    json_t *descriptions = golden_json(&golden, name, "outcome.json", "[{\"output\":[\"Hello\",\" there\"]}]");
    size_t count = json_array_size(descriptions);
    ck_assert_uint_gt(count, 0);
    for (size_t i = 0; i < (size_t)call->n; i++)
        outcomes[i] = help_outcome(json_array_get(descriptions, i < count ? i : count - 1));
    json_decref(descriptions);
    bool fine = chat_finish(call, outcomes, response, err);
    for (int i = 0; i < call->n; i++)
        outcome_free(outcomes[i]);
    return fine;
}

static void expect_line(const char *name, const char *suffix, struct buf *line)
{
    buf_append_text(line, "\n");
    golden_expect(&golden, name, suffix, buf_text(line));
}

static void expect_headers(const char *name, const struct call *call, const struct error *err)
{
    struct buf headers;
    buf_init(&headers, GOLDEN_FILE_MAX_BYTES);
    buf_printf(&headers, "status: %d\nchoices: %d\n", err->kind == ERROR_NONE ? 200 : error_row(err->kind)->http_status,
               call->n);
    if (call->ignored != NULL) {
        buf_append_text(&headers, "ignored: ");
        call_ignored_text(call, &headers);
        buf_append_text(&headers, "\n");
    }
    if (call->usage_source != NULL)
        buf_printf(&headers, "usage: %s\n", call->usage_source);
    golden_expect(&golden, name, "headers.txt", buf_text(&headers));
    buf_dispose(&headers);
}

START_TEST(a_request_becomes_exactly_this_input_and_this_answer)
{
    const char *name = golden.cases[_i];
    struct call call;
    struct route route;
    struct error err = {0};
    struct buf request, input_text, response;
    buf_init(&request, GOLDEN_FILE_MAX_BYTES);
    buf_init(&input_text, GOLDEN_FILE_MAX_BYTES);
    buf_init(&response, GOLDEN_FILE_MAX_BYTES);
    ck_assert(golden_read(&golden, name, "request.json", &request));
    golden_route(&golden, name, &route);
    json_t *input = NULL;
    if (help_decode_bytes(&call, buf_text(&request), request.length, &err))
        input = mapping_input(&call, &route, NULL, &err);
    if (input != NULL) {
        ck_assert(json_append(&input_text, input));
        expect_line(name, "input.json", &input_text);
        ck_assert(finish(&call, name, &response, &err));
    } else {
        golden_expect(&golden, name, "input.json", NULL);
        ck_assert(error_body_append(&response, &err));
    }
    expect_line(name, "response.json", &response);
    expect_headers(name, &call, &err);
    json_decref(input);
    call_dispose(&call);
    help_route_dispose(&route);
    buf_dispose(&response);
    buf_dispose(&input_text);
    buf_dispose(&request);
}
END_TEST

START_TEST(there_are_cases)
{
    ck_assert_int_gt(golden.count, 0);
}
END_TEST

static Suite *golden_suite(void)
{
    golden_find(&golden, "tests/golden/chat");
    Suite *suite = suite_create("golden");
    TCase *chat = tcase_create("chat");
    tcase_add_test(chat, there_are_cases);
    tcase_add_loop_test(chat, a_request_becomes_exactly_this_input_and_this_answer, 0, golden.count);
    suite_add_tcase(suite, chat);
    return suite;
}

int main(void)
{
    return suite_run(golden_suite());
}
