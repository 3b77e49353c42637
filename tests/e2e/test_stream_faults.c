/* Whatever becomes of a prediction's event stream: the client gets the identical text, and exactly one end. */
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "chat_stream.h"
#include "check_main.h"

#define LENGTH(table) (sizeof(table) / sizeof *(table))

static const char *const pieces[] = {
    "The",
    " na\xc3\xafve",
    " \xf0\x9f\x90\xb1 cat",
    "",
    ":",
    " said\n\n",
    "data: \xe2\x80\x9c",
    "  two words",
    "\n\xe2\x82\xac",
    " ",
    "end.",
};

static const char text[] = "The na\xc3\xafve \xf0\x9f\x90\xb1 cat: said\n\ndata: \xe2\x80\x9c  two words\n\xe2\x82\xac "
                           "end.";

#define FOR_EVER(kind) .fault = (kind), .fault_count = SIM_FOREVER

struct fault_case {
    const char *name;
    struct sim_stream_plan stream;
    const char *url;  /* instead of the prediction's own stream */
    int64_t piece_ms; /* 0 = 20 */
    int64_t first_piece_ms;
    enum sim_fault spoilt; /* how the answer to the request for the stream is */
};

static const struct fault_case fault_cases[] = {
    {.name = "no fault", .stream = {.offered = true}},
    {.name = "no stream at all", .stream = {.offered = false}},
    {.name = "a URL that is empty", .url = ""},
    {.name = "a URL that is none", .url = "stream of 17"},
    {.name = "a URL of a stranger", .url = "https://stream.example.com/v1/streams/abc"},
    {.name = "a URL of a stranger who looks like Replicate", .url = "https://stream.replicate.com.example.com/abc"},
    {.name = "a URL with a user name", .url = "https://stream.replicate.com@127.0.0.1/abc"},
    {.name = "a URL of a file", .url = "file:///etc/hostname"},
    {.name = "a port where nobody listens", .url = "http://127.0.0.1:1/v1/streams/abc"},

    {.name = "404", .stream = {.offered = true, FOR_EVER(SIM_STREAM_STATUS), .fault_status = 404}},
    {.name = "401", .stream = {.offered = true, FOR_EVER(SIM_STREAM_STATUS), .fault_status = 401}},
    {.name = "429", .stream = {.offered = true, FOR_EVER(SIM_STREAM_STATUS), .fault_status = 429}},
    {.name = "500", .stream = {.offered = true, FOR_EVER(SIM_STREAM_STATUS), .fault_status = 500}},
    {.name = "500 once", .stream = {.offered = true, .fault = SIM_STREAM_STATUS, .fault_status = 500}},
    {.name = "HTML and 502", .stream = {.offered = true, FOR_EVER(SIM_STREAM_HTML), .fault_status = 502}},
    {.name = "HTML and 200", .stream = {.offered = true, FOR_EVER(SIM_STREAM_HTML), .fault_status = 200}},
    {.name = "plain text", .stream = {.offered = true, .content_type = "text/plain"}},
    {.name = "another charset", .stream = {.offered = true, .content_type = "Text/Event-Stream"}},
    {.name = "no answer", .stream = {.offered = true}, .spoilt = SIM_FAULT_SILENT, .piece_ms = 300},
    {.name = "no head", .stream = {.offered = true}, .spoilt = SIM_FAULT_CLOSE_IN_HEADERS},
    {.name = "a reset", .stream = {.offered = true}, .spoilt = SIM_FAULT_RESET},
    {.name = "a greeting alone", .stream = {.offered = true}, .spoilt = SIM_FAULT_NO_LENGTH},
    {.name = "rubbish without end", .stream = {.offered = true}, .spoilt = SIM_FAULT_HUGE_BODY},

    {.name = "silence from the start", .stream = {.offered = true, FOR_EVER(SIM_STREAM_STALL)}, .piece_ms = 300},
    {.name = "silence", .stream = {.offered = true, FOR_EVER(SIM_STREAM_STALL), .fault_after = 3}, .piece_ms = 300},
    {.name = "comments alone", .stream = {.offered = true, FOR_EVER(SIM_STREAM_COMMENTS)}, .piece_ms = 300},
    {.name = "comments at last",
     .stream = {.offered = true, FOR_EVER(SIM_STREAM_COMMENTS), .fault_after = 4},
     .piece_ms = 300},
    {.name = "silence, then the end", .stream = {.offered = true, .fault = SIM_STREAM_STALL, .fault_after = 10}},
    {.name = "a model that thinks first", .stream = {.offered = true}, .first_piece_ms = 3500},

    {.name = "half characters", .stream = {.offered = true, .half_characters = true}},
    {.name = "byte by byte", .stream = {.offered = true, .bytewise = true}},
    {.name = "half characters byte by byte", .stream = {.offered = true, .bytewise = true, .half_characters = true}},
    {.name = "CR LF", .stream = {.offered = true, .crlf = true, .bytewise = true}},
    {.name = "no space", .stream = {.offered = true, .no_space = true}},
    {.name = "no chunks", .stream = {.offered = true, .no_chunks = true}},
    {.name = "no ids", .stream = {.offered = true, .no_ids = true}},

    {.name = "an error that is none", .stream = {.offered = true, .fault = SIM_STREAM_ERROR, .fault_after = 5}},
    {.name = "a plain error that is none",
     .stream = {.offered = true, .fault = SIM_STREAM_ERROR, .fault_after = 2, .plain_error = true}},
    {.name = "an error at once", .stream = {.offered = true, FOR_EVER(SIM_STREAM_ERROR)}},
    {.name = "done twice", .stream = {.offered = true, .end = SIM_STREAM_DONE_TWICE}},
    {.name = "done without data", .stream = {.offered = true, .end = SIM_STREAM_DONE_EMPTY}},
    {.name = "done missing", .stream = {.offered = true, .end = SIM_STREAM_DONE_MISSING}},
    {.name = "done missing and no ids",
     .stream = {.offered = true, .end = SIM_STREAM_DONE_MISSING, .no_ids = true, .no_chunks = true}},
    {.name = "done and still open", .stream = {.offered = true, .end = SIM_STREAM_DONE_OPEN}},
    {.name = "done before the prediction", .stream = {.offered = true, .lag_ms = 700}},
    {.name = "done long before the prediction", .stream = {.offered = true, .lag_ms = 2500}},
    {.name = "done after the prediction", .stream = {.offered = true, .lag_ms = -700}},
    {.name = "far behind the prediction", .stream = {.offered = true, .lag_ms = -4000}, .piece_ms = 300},

    {.name = "an event too long",
     .stream = {.offered = true, .fault = SIM_STREAM_HUGE_EVENT, .fault_after = 4, .huge_bytes = 3 * 1024 * 1024}},
    {.name = "an event too long at once",
     .stream = {.offered = true, .fault = SIM_STREAM_HUGE_EVENT, .huge_bytes = 3 * 1024 * 1024}},
    {.name = "all from the start again",
     .stream = {.offered = true, .fault = SIM_STREAM_END, .fault_after = 4, .ignores_last_id = true}},
    {.name = "all from the start again and again",
     .stream = {.offered = true, FOR_EVER(SIM_STREAM_CUT), .fault_after = 4, .ignores_last_id = true}},
    {.name = "all from the start again without ids",
     .stream = {.offered = true, .fault = SIM_STREAM_RESET, .fault_after = 6, .no_ids = true}},
    {.name = "cut again and again", .stream = {.offered = true, FOR_EVER(SIM_STREAM_CUT), .fault_after = 1}},
    /* Where a server begins with what is new, the connection must stand before there is anything. */
    {.name = "only what is new", .stream = {.offered = true, .from_now = true}, .first_piece_ms = 1500},
    {.name = "only what is new after an end",
     .stream = {.offered = true, .from_now = true, .fault = SIM_STREAM_END, .fault_after = 0},
     .first_piece_ms = 2500},
    {.name = "only what is new after a break",
     .stream = {.offered = true, .from_now = true, .fault = SIM_STREAM_CUT, .fault_after = 3},
     .first_piece_ms = 1500},
    {.name = "only what is new without ids",
     .stream = {.offered = true, .from_now = true, .no_ids = true, .fault = SIM_STREAM_CUT, .fault_after = 3},
     .first_piece_ms = 1500},
};

enum { CUT_KINDS = 3, CUTS = LENGTH(pieces) + 1 };

static const enum sim_stream_fault cut_kinds[CUT_KINDS] = {SIM_STREAM_END, SIM_STREAM_CUT, SIM_STREAM_RESET};
static const char *const cut_names[CUT_KINDS] = {"ended in good order", "cut", "reset"};

static struct bridge bridge;
static struct stream_client clients[LENGTH(fault_cases)];
static struct stream_client cut_clients[CUTS * CUT_KINDS];

static void set_up(void)
{
    bridge_start_sim(&bridge);
    chat_case_start(&bridge, "models:\n  \"replicate/*\": \"*\"\nreplicate:\n  base_url: @SIM@\n  token: test-token\n"
                             "  poll_interval: 100ms\n  polls_per_minute: 60000\n");
}

static void tear_down(void)
{
    for (size_t i = 0; i < LENGTH(clients); i++)
        stream_dispose(&clients[i]);
    for (size_t i = 0; i < LENGTH(cut_clients); i++)
        stream_dispose(&cut_clients[i]);
    chat_case_stop(&bridge);
}

/* Asks a model of its own, which behaves like this. */
static void begin(struct stream_client *client, size_t number, const struct fault_case *fault)
{
    char *model = xasprintf("acme/model-%zu", number), *alias = xasprintf("replicate/%s", model);
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = model,
                                                      .official = true,
                                                      .pieces = pieces,
                                                      .piece_count = LENGTH(pieces),
                                                      .first_piece_ms = fault->first_piece_ms,
                                                      .piece_ms = fault->piece_ms != 0 ? fault->piece_ms : 20,
                                                      .stream = fault->stream,
                                                      .stream_url = fault->url});
    if (fault->spoilt != SIM_FAULT_NONE)
        replicate_sim_fault(bridge.sim, SIM_STREAM,
                            &(struct sim_fault_spec){.fault = fault->spoilt, .model = model, .count = SIM_FOREVER});
    chat_stream_begin(&bridge, &(struct chat_case){.model = alias}, client);
    free(alias);
    free(model);
}

/* One run of the model for each request: nothing was begun anew because a stream failed. */
static void expect_one_prediction_each(size_t count)
{
    struct sim_counters counters;
    bridge_expect_metric(&bridge, "replibridge_predictions", 0);
    replicate_sim_counters(bridge.sim, &counters);
    ck_assert_uint_eq(counters.created, count);
    ck_assert_uint_eq(counters.cancel_calls, 0);
}

START_TEST(no_fault_of_a_stream_changes_the_text)
{
    for (size_t i = 0; i < LENGTH(fault_cases); i++)
        begin(&clients[i], i, &fault_cases[i]);
    stream_read_all(clients, LENGTH(clients), 6 * daemon_patience_ms());
    for (size_t i = 0; i < LENGTH(fault_cases); i++)
        chat_stream_expect_text(&clients[i], fault_cases[i].name, text);
    expect_one_prediction_each(LENGTH(fault_cases));
}
END_TEST

/* With ids and without them, and with a stream that is told anew from its start. */
START_TEST(a_stream_that_breaks_after_any_number_of_pieces_gives_the_same_text)
{
    char *names[LENGTH(cut_clients)];
    for (size_t i = 0; i < LENGTH(cut_clients); i++) {
        size_t kind = i % CUT_KINDS, after = i / CUT_KINDS;
        struct fault_case fault = {.stream = {.offered = true,
                                              .fault = cut_kinds[kind],
                                              .fault_after = (int)after,
                                              .no_ids = _i == 1,
                                              .ignores_last_id = _i == 2,
                                              .half_characters = _i == 3}};
        names[i] = xasprintf("%s after %zu pieces", cut_names[kind], after);
        begin(&cut_clients[i], i, &fault);
    }
    stream_read_all(cut_clients, LENGTH(cut_clients), 3 * daemon_patience_ms());
    for (size_t i = 0; i < LENGTH(cut_clients); i++) {
        chat_stream_expect_text(&cut_clients[i], names[i], text);
        free(names[i]);
    }
    expect_one_prediction_each(LENGTH(cut_clients));
}
END_TEST

/* While the model goes on: its end must not be waited for. */
START_TEST(what_a_silent_stream_does_not_tell_is_polled)
{
    static const struct sim_stream_plan silent[] = {
        {.offered = true, FOR_EVER(SIM_STREAM_STALL)},
        {.offered = true, FOR_EVER(SIM_STREAM_STALL), .fault_after = 2},
        {.offered = true, FOR_EVER(SIM_STREAM_COMMENTS), .fault_after = 2, .no_ids = true},
        {.offered = true, .lag_ms = -60 * 1000},
        {.offered = false},
    };
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = "acme/holds",
                                                      .official = true,
                                                      .pieces = pieces,
                                                      .piece_count = LENGTH(pieces),
                                                      .run_ms = SIM_HOLD, /* with all pieces but the last */
                                                      .stream = silent[_i]});
    chat_stream_begin(&bridge, &(struct chat_case){.model = "replicate/acme/holds"}, &clients[0]);
    ck_assert_msg(stream_read_until(&clients[0], "two words\\n\xe2\x82\xac ", daemon_patience_ms()),
                  "the text does not grow with the model's");
    replicate_sim_advance(bridge.sim, 0);
    chat_stream_finish(&clients[0]);
    chat_stream_expect_text(&clients[0], "the answer", text);
    expect_one_prediction_each(1);
}
END_TEST

/* What was said cannot be taken back: then the client must not believe it. */
START_TEST(a_stream_that_says_what_the_model_did_not_is_no_good_answer)
{
    static const struct chat_error differs = {200, "server_error", "upstream_error", NULL, false, "does not match"};
    begin(&clients[0], 0,
          &(struct fault_case){
              .stream = {.offered = true, .fault = SIM_STREAM_HUGE_EVENT, .fault_after = 1, .huge_bytes = 6}});
    chat_stream_finish(&clients[0]);
    chat_stream_expect_broken(&clients[0],
                              "Theaaaaaa na\xc3\xafve \xf0\x9f\x90\xb1 cat: said\n\ndata: \xe2\x80\x9c"
                              "  two words\n\xe2\x82\xac end.",
                              &differs);
}
END_TEST

static Suite *faults_suite(void)
{
    Suite *suite = suite_create("faults of streams");
    TCase *tcase = tcase_create("the text");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 90);
    tcase_add_test(tcase, no_fault_of_a_stream_changes_the_text);
    tcase_add_loop_test(tcase, a_stream_that_breaks_after_any_number_of_pieces_gives_the_same_text, 0, 4);
    tcase_add_loop_test(tcase, what_a_silent_stream_does_not_tell_is_polled, 0, 5);
    tcase_add_test(tcase, a_stream_that_says_what_the_model_did_not_is_no_good_answer);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(faults_suite());
}
