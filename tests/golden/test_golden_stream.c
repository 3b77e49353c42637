/* Golden tests of streams: a request and its predictions' pieces in, exact bytes out.
 *
 * A case is the files tests/golden/chat_stream/CASE.*: given are request.json, steps.json and, where the defaults will
 * not do, route.json; expected is stream.txt. The steps are an array: [0,"text"] is a piece of choice 0;
 * [0,{"output":…, "usage":…}] the end of its prediction; a text alone is the message of an error. See
 * tests/support/golden.h for how expected files are written. */
#include <string.h>

#include "base/json.h"
#include "call_help.h"
#include "check_main.h"
#include "golden.h"
#include "openai/mapping.h"
#include "stream_help.h"

static struct golden golden;

static void tell_error(struct telling *telling, const char *message)
{
    struct error error;
    error_set(&error, ERROR_UPSTREAM_ERROR, NULL, "%s", message);
    ck_assert((telling->call->endpoint->stream->fail)(telling->call, &error, &telling->out));
}

static void take_step(struct telling *telling, const json_t *step)
{
    if (json_is_string(step)) {
        tell_error(telling, json_string_value(step));
        return;
    }
    size_t index = (size_t)json_integer_value(json_array_get(step, 0));
    const json_t *what = json_array_get(step, 1);
    ck_assert_uint_lt(index, (size_t)telling->call->n);
    if (json_is_string(what)) {
        telling_piece(telling, index, json_string_value(what), json_string_length(what));
        return;
    }
    struct outcome *outcome = help_outcome(what);
    telling_end(telling, index, outcome);
    outcome_free(outcome);
}

static void prepare(struct call *call, const char *name)
{
    struct buf request;
    struct route route;
    struct error err = {0};
    buf_init(&request, GOLDEN_FILE_MAX_BYTES);
    ck_assert(golden_read(&golden, name, "request.json", &request));
    golden_route(&golden, name, &route);
    ck_assert_msg(help_decode_bytes(call, buf_text(&request), request.length, &err), "%s", err.message);
    ck_assert(call->is_stream);
    json_t *input = mapping_input(call, &route, NULL, &err);
    ck_assert_msg(input != NULL, "%s", err.message);
    json_decref(input);
    help_route_dispose(&route);
    buf_dispose(&request);
}

START_TEST(pieces_become_exactly_these_events)
{
    const char *name = golden.cases[_i];
    struct call call;
    struct telling telling;
    struct heard heard;
    size_t index;
    json_t *step, *steps = golden_json(&golden, name, "steps.json", "[]");
    prepare(&call, name);
    telling_begin(&telling, &call);
    json_array_foreach(steps, index, step) take_step(&telling, step);
    /* A client has to be content with it, too, before it may be taken for golden. */
    heard_init(&heard);
    heard_read(&heard, &call, buf_text(&telling.out), telling.out.length);
    ck_assert(heard.is_done || heard.error != NULL);
    golden_expect(&golden, name, "stream.txt", buf_text(&telling.out));
    heard_dispose(&heard);
    telling_dispose(&telling);
    call_dispose(&call);
    json_decref(steps);
}
END_TEST

START_TEST(there_are_cases)
{
    ck_assert_int_gt(golden.count, 0);
}
END_TEST

static Suite *golden_stream_suite(void)
{
    golden_find(&golden, "tests/golden/chat_stream");
    Suite *suite = suite_create("golden: streams");
    TCase *streams = tcase_create("streams");
    tcase_add_test(streams, there_are_cases);
    tcase_add_loop_test(streams, pieces_become_exactly_these_events, 0, golden.count);
    suite_add_tcase(suite, streams);
    return suite;
}

int main(void)
{
    return suite_run(golden_stream_suite());
}
