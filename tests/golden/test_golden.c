/* Golden tests: files in, exact bytes out, through decoding, mapping and answering.
 *
 * A case is the files tests/golden/chat/CASE.*: given are request.json (the body as it came), and, where the defaults
 * will not do, route.json and outcome.json (an array of outcomes); expected are input.json (where it was mapped),
 * response.json (the answer or the error) and headers.txt. With GOLDEN_UPDATE=1 in the environment the expected files
 * are written instead of compared; look at the difference before you keep it. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/json.h"
#include "call_help.h"
#include "check_main.h"
#include "openai/chat.h"
#include "openai/error_body.h"
#include "openai/mapping.h"

#define FOLDER "tests/golden/chat"
#define GIVEN_SUFFIX ".request.json"

enum { CASES_MAX = 256, NAME_BYTES = 128, FILE_MAX_BYTES = 1 << 20 };

static char cases[CASES_MAX][NAME_BYTES];
static int case_count;

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* One run at the start; adding a case is adding files. */
static void find_cases(void)
{
    DIR *folder = opendir(FOLDER);
    ensure(folder != NULL); /* run from the root of the repository */
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        size_t length = strlen(entry->d_name), suffix = strlen(GIVEN_SUFFIX);
        if (length <= suffix || strcmp(entry->d_name + length - suffix, GIVEN_SUFFIX) != 0)
            continue;
        ensure(case_count < CASES_MAX && length - suffix < NAME_BYTES);
        memcpy(cases[case_count], entry->d_name, length - suffix);
        case_count++;
    }
    closedir(folder);
    qsort(cases, (size_t)case_count, NAME_BYTES, compare_names);
}

static void path_of(char *out, size_t size, const char *name, const char *suffix)
{
    ck_assert_int_lt(snprintf(out, size, FOLDER "/%s.%s", name, suffix), (int)size);
}

/* False where there is no such file. */
static bool read_case_file(const char *name, const char *suffix, struct buf *out)
{
    char path[512], piece[4096];
    path_of(path, sizeof path, name, suffix);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    for (size_t length; (length = fread(piece, 1, sizeof piece, file)) > 0;)
        ck_assert(buf_append(out, piece, length));
    fclose(file);
    return true;
}

static void write_case_file(const char *name, const char *suffix, const char *text)
{
    char path[512];
    path_of(path, sizeof path, name, suffix);
    if (text == NULL) {
        remove(path);
        return;
    }
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, strlen(text), file), strlen(text));
    ck_assert_int_eq(fclose(file), 0);
}

/* `text` NULL: there must be no such file. */
static void expect(const char *name, const char *suffix, const char *text)
{
    if (getenv("GOLDEN_UPDATE") != NULL) {
        write_case_file(name, suffix, text);
        return;
    }
    struct buf expected;
    buf_init(&expected, FILE_MAX_BYTES);
    bool exists = read_case_file(name, suffix, &expected);
    ck_assert_msg(exists == (text != NULL), "%s.%s %s", name, suffix, exists ? "is not expected" : "is missing");
    if (text != NULL)
        ck_assert_msg(strcmp(buf_text(&expected), text) == 0, "%s.%s:\nexpected %s\ngot      %s", name, suffix,
                      buf_text(&expected), text);
    buf_dispose(&expected);
}

static void load_route(const char *name, struct route *route)
{
    struct buf text;
    buf_init(&text, FILE_MAX_BYTES);
    help_route(route, read_case_file(name, "route.json", &text) ? buf_text(&text) : "{}");
    buf_dispose(&text);
}

/* Without a file every prediction answers the same short text. */
static json_t *load_outcomes(const char *name)
{
    struct buf text;
    buf_init(&text, FILE_MAX_BYTES);
    bool exists = read_case_file(name, "outcome.json", &text);
    json_t *outcomes = help_json(exists ? buf_text(&text) : "[{\"output\":[\"Hello\",\" there\"]}]");
    buf_dispose(&text);
    return outcomes;
}

/* The n-th prediction ends as the n-th outcome says; the last one stands for all behind it. */
static bool finish(struct call *call, const char *name, struct buf *response, struct error *err)
{
    struct outcome *outcomes[CALL_MAX_CHOICES];
    json_t *descriptions = load_outcomes(name);
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
    expect(name, suffix, buf_text(line));
}

static void expect_headers(const char *name, const struct call *call, const struct error *err)
{
    struct buf headers;
    buf_init(&headers, FILE_MAX_BYTES);
    buf_printf(&headers, "status: %d\nchoices: %d\n", err->kind == ERROR_NONE ? 200 : error_row(err->kind)->http_status,
               call->n);
    if (call->ignored != NULL) {
        buf_append_text(&headers, "ignored: ");
        call_ignored_text(call, &headers);
        buf_append_text(&headers, "\n");
    }
    if (call->usage_source != NULL)
        buf_printf(&headers, "usage: %s\n", call->usage_source);
    expect(name, "headers.txt", buf_text(&headers));
    buf_dispose(&headers);
}

START_TEST(a_request_becomes_exactly_this_input_and_this_answer)
{
    const char *name = cases[_i];
    struct call call;
    struct route route;
    struct error err = {0};
    struct buf request, input_text, response;
    buf_init(&request, FILE_MAX_BYTES);
    buf_init(&input_text, FILE_MAX_BYTES);
    buf_init(&response, FILE_MAX_BYTES);
    ck_assert(read_case_file(name, "request.json", &request));
    load_route(name, &route);
    json_t *input = NULL;
    if (help_decode_bytes(&call, buf_text(&request), request.length, &err))
        input = mapping_input(&call, &route, &err);
    if (input != NULL) {
        ck_assert(json_append(&input_text, input));
        expect_line(name, "input.json", &input_text);
        ck_assert(finish(&call, name, &response, &err));
    } else {
        expect(name, "input.json", NULL);
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
    ck_assert_int_gt(case_count, 0);
}
END_TEST

static Suite *golden_suite(void)
{
    find_cases();
    Suite *suite = suite_create("golden");
    TCase *chat = tcase_create("chat");
    tcase_add_test(chat, there_are_cases);
    tcase_add_loop_test(chat, a_request_becomes_exactly_this_input_and_this_answer, 0, case_count);
    suite_add_tcase(suite, chat);
    return suite;
}

int main(void)
{
    return suite_run(golden_suite());
}
