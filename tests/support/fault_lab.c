/* A laboratory for faults: simulators side by side, one program before them, and a list of what was not as expected. */
#include "fault_lab.h"

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/json.h"
#include "chat_case.h"
#include "chat_stream.h"

enum {
    CONFIG_MAX_BYTES = 64 * 1024,
    WRONG_MAX_BYTES = 64 * 1024,
    OUTCOME_BYTES = 160,
    NAME_BYTES = 64,
    LOOK_MS = 20,
    USUAL_PATIENCE_MS = 10000
};

static const struct {
    const char *name;
    struct sim_fault_spec spec;
} kinds[FAULT_KIND_COUNT] = {
#define X(kind, text, ...) [FAULT_##kind] = {text, {__VA_ARGS__}},
    FAULT_KINDS(X)
#undef X
};

const char *fault_kind_name(enum fault_kind kind)
{
    return kinds[kind].name;
}

/* Of its own for each kind: what the program learns of a model holds for every place where it is served. */
static void model_name(enum fault_kind kind, char name[NAME_BYTES])
{
    snprintf(name, NAME_BYTES, "acme/model-%d", (int)kind);
}

/* ---- life ---- */

/* With a wildcard nobody asks for the model before a request names it. */
static char *make_config(const struct fault_lab *lab, int timeout_ms, const char *more)
{
    bool is_sanitized = daemon_patience_ms() > USUAL_PATIENCE_MS;
    struct buf out;
    buf_init(&out, CONFIG_MAX_BYTES);
    if (timeout_ms > 0)
        buf_printf(&out, "timeout: %dms\n", is_sanitized ? 2 * timeout_ms : timeout_ms);
    buf_printf(&out,
               "workers: 2\n%sreplicate:\n  base_url: %s\n  token: test-token\n  poll_interval: 100ms\n"
               "  polls_per_minute: 60000\n  creates_per_minute: 60000\nmodels:\n",
               more, replicate_sim_base_url(lab->cells[0].sim));
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        buf_printf(&out, "  \"case-%d/*\": {model: \"*\", base_url: \"%s\"}\n", kind,
                   replicate_sim_base_url(lab->cells[kind].sim));
    return buf_take(&out, NULL);
}

void fault_lab_open(struct fault_lab *lab, const struct replicate_sim_options *options, int timeout_ms,
                    const char *more)
{
    memset(lab, 0, sizeof *lab);
    buf_init(&lab->wrong, WRONG_MAX_BYTES);
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        lab->cells[kind].sim = replicate_sim_start(options);
    char *config = make_config(lab, timeout_ms, more);
    lab->daemon = daemon_start(&(struct daemon_options){.config = config});
    free(config);
    ck_assert_msg(lab->daemon != NULL, "the program did not become ready");
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        lab->cells[kind].daemon = lab->daemon;
        lab->cells[kind].port = daemon_port(lab->daemon);
    }
}

static void stop_simulators(struct fault_lab *lab)
{
    char report[SIM_REPORT_BYTES];
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        if (lab->cells[kind].sim != NULL && !replicate_sim_stop(&lab->cells[kind].sim, report, sizeof report))
            fault_lab_complain(lab, (enum fault_kind)kind, report);
}

void fault_lab_close(struct fault_lab *lab)
{
    char report[8192];
    bool is_discreet = lab->daemon == NULL || (!daemon_log_contains(lab->daemon, "test-token") &&
                                               !daemon_log_contains(lab->daemon, CHAT_CASE_PROMPT));
    bool is_fine = daemon_stop(&lab->daemon, report, sizeof report);
    stop_simulators(lab);
    char *wrong = buf_take(&lab->wrong, NULL);
    ck_assert_msg(wrong == NULL || wrong[0] == '\0', "not as expected:\n%s", wrong);
    free(wrong);
    ck_assert_msg(is_fine, "the program: %s", report);
    ck_assert_msg(is_discreet, "the log tells the token or the prompt");
}

/* ---- what happens ---- */

void fault_lab_plan(struct fault_lab *lab, enum fault_kind kind, const struct sim_plan *plan)
{
    char name[NAME_BYTES];
    struct sim_plan own = *plan;
    model_name(kind, name);
    own.model = name;
    replicate_sim_plan(lab->cells[kind].sim, &own);
}

/* Refused connections come to an end by themselves, unless they are to last. */
void fault_lab_strike(struct fault_lab *lab, enum fault_kind kind, enum sim_endpoint endpoint, int count, int after)
{
    struct sim_fault_spec spec = kinds[kind].spec;
    spec.count = count;
    spec.after = after;
    if (kind == FAULT_REFUSED && count == SIM_FOREVER)
        spec.delay_ms = 0;
    replicate_sim_fault(lab->cells[kind].sim, endpoint, &spec);
}

static void alias_name(enum fault_kind kind, char alias[2 * NAME_BYTES])
{
    char name[NAME_BYTES];
    model_name(kind, name);
    snprintf(alias, 2 * NAME_BYTES, "case-%d/%s", (int)kind, name);
}

struct http_connection *fault_lab_ask(struct fault_lab *lab, enum fault_kind kind, const char *more,
                                      const char *headers)
{
    char alias[2 * NAME_BYTES];
    alias_name(kind, alias);
    return chat_case_begin(&lab->cells[kind], &(struct chat_case){.model = alias, .more = more, .headers = headers});
}

struct http_connection *fault_lab_ask_messages(struct fault_lab *lab, enum fault_kind kind, const char *messages)
{
    char alias[2 * NAME_BYTES];
    alias_name(kind, alias);
    char *body = xasprintf("{\"model\":\"%s\",\"messages\":%s}", alias, messages);
    struct http_connection *client = http_connect(lab->cells[kind].port);
    ck_assert_msg(client != NULL &&
                      http_send_request(client, &(struct http_request){.path = "/v1/chat/completions", .body = body}),
                  "the program does not take the request");
    free(body);
    return client;
}

void fault_lab_open_streams(struct fault_lab *lab, struct stream_client clients[FAULT_KIND_COUNT])
{
    char alias[2 * NAME_BYTES];
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        alias_name((enum fault_kind)kind, alias);
        chat_stream_begin(&lab->cells[kind], &(struct chat_case){.model = alias}, &clients[kind]);
    }
}

/* ---- what came of it ---- */

void fault_lab_complain(struct fault_lab *lab, enum fault_kind kind, const char *what)
{
    buf_printf(&lab->wrong, "  %s: %.500s\n", kinds[kind].name, what);
}

void fault_lab_expect_count(struct fault_lab *lab, enum fault_kind kind, const char *what, size_t found,
                            size_t expected)
{
    if (found != expected)
        buf_printf(&lab->wrong, "  %s: %zu %s, not %zu\n", kinds[kind].name, found, what, expected);
}

static void expect_outcome(struct fault_lab *lab, enum fault_kind kind, const char *found, const char *expected)
{
    if (expected == NULL)
        buf_printf(&lab->wrong, "  %s: the table has a hole (it is: %s)\n", kinds[kind].name, found);
    else if (strcmp(found, expected) != 0)
        buf_printf(&lab->wrong, "  %s: %s, not %s\n", kinds[kind].name, found, expected);
}

static void describe_error(const struct http_response *response, char out[OUTCOME_BYTES])
{
    char retry[16];
    struct error err = {0};
    json_t *body = json_parse(response->body, response->body_length, &err);
    const json_t *error = json_object_get(body, "error");
    const char *code = json_text(error, "code"), *message = json_text(error, "message");
    http_answer_header(response, "x-should-retry", retry, sizeof retry);
    bool is_discreet =
        message != NULL && strstr(message, "test-token") == NULL && strstr(message, CHAT_CASE_PROMPT) == NULL;
    snprintf(out, OUTCOME_BYTES, "%d %s, %s%s", response->status, code != NULL ? code : "without a code",
             strcmp(retry, "true") == 0    ? "may retry"
             : strcmp(retry, "false") == 0 ? "final"
                                           : "says nothing of retries",
             is_discreet ? "" : ", tells the token or the prompt");
    json_decref(body);
}

void fault_lab_expect_answer(struct fault_lab *lab, enum fault_kind kind, const struct http_response *response,
                             const char *expected)
{
    char found[OUTCOME_BYTES] = "no whole answer";
    if (response->complete && response->status == 200)
        snprintf(found, sizeof found, "%s",
                 strstr(response->body, CHAT_CASE_PROMPT) != NULL ? FAULT_ANSWERED : "200 without the text");
    else if (response->complete)
        describe_error(response, found);
    expect_outcome(lab, kind, found, expected);
}

/* A 200 that ends in an error is told apart from one that ends well. */
static void describe_stream(const struct stream_client *client, const char *text, char out[OUTCOME_BYTES])
{
    struct chat_stream heard;
    chat_stream_hear(client, &heard);
    const char *content = buf_text(&heard.choices[0].content);
    if (heard.error != NULL)
        snprintf(out, OUTCOME_BYTES, "200, then %s", json_text(heard.error, "code"));
    else if (!heard.is_done || strcmp(heard.choices[0].finish_reason, "stop") != 0)
        snprintf(out, OUTCOME_BYTES, "200 without an end");
    else if (strcmp(content, text) != 0)
        snprintf(out, OUTCOME_BYTES, "200 with the text \"%.100s\"", content);
    else
        snprintf(out, OUTCOME_BYTES, FAULT_ANSWERED);
    chat_stream_dispose(&heard);
}

void fault_lab_expect_stream(struct fault_lab *lab, enum fault_kind kind, const struct stream_client *client,
                             const char *text, const char *expected)
{
    char found[OUTCOME_BYTES] = "no whole answer";
    if (client->progress == STREAM_OVER && client->answer.status == 200)
        describe_stream(client, text, found);
    else if (client->progress == STREAM_OVER)
        describe_error(&client->answer, found);
    expect_outcome(lab, kind, found, expected);
}

void fault_lab_expect_answers(struct fault_lab *lab, struct http_connection *clients[FAULT_KIND_COUNT],
                              const char *const expected[FAULT_KIND_COUNT])
{
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        struct http_response response = {0};
        if (clients[kind] == NULL)
            continue;
        http_read(clients[kind], &response, 3 * daemon_patience_ms());
        fault_lab_expect_answer(lab, (enum fault_kind)kind, &response, expected[kind]);
        http_response_dispose(&response);
        http_close(&clients[kind]);
    }
}

/* Longer than other waits: a create that is met with silence is waited for 15 s after its deadline, for its id. */
static void expect_gauge(struct fault_lab *lab, const char *name)
{
    int64_t deadline_ms = clock_now_ms() + 3 * daemon_patience_ms();
    long value = bridge_metric(&lab->cells[0], name);
    while (value != 0 && clock_now_ms() < deadline_ms) {
        poll(NULL, 0, LOOK_MS); /* so that the looking does not keep the program busy all that time */
        value = bridge_metric(&lab->cells[0], name);
    }
    ck_assert_msg(value == 0, "%s stays at %ld. Not as expected besides:\n%s", name, value, buf_text(&lab->wrong));
}

void fault_lab_expect_rest(struct fault_lab *lab)
{
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++)
        if (!replicate_sim_wait_idle(lab->cells[kind].sim, daemon_patience_ms()))
            fault_lab_complain(lab, (enum fault_kind)kind, "a prediction runs on");
    expect_gauge(lab, "replibridge_requests_in_flight");
    expect_gauge(lab, "replibridge_predictions");
    expect_gauge(lab, "replibridge_transfers");
}
