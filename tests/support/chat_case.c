/* One chat completion of an end-to-end test: how it is sent, and what its answer has to be. */
#include "chat_case.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/json.h"

enum { CONFIG_MAX_BYTES = 64 * 1024 };

/* ---- starting ---- */

static char *with_sim_url(const struct bridge *bridge, const char *config)
{
    static const char mark[] = "@SIM@";
    struct buf out;
    buf_init(&out, CONFIG_MAX_BYTES);
    for (const char *at; (at = strstr(config, mark)) != NULL; config = at + strlen(mark))
        buf_printf(&out, "%.*s%s", (int)(at - config), config, replicate_sim_base_url(bridge->sim));
    buf_append_text(&out, config);
    return buf_take(&out, NULL);
}

void chat_case_start(struct bridge *bridge, const char *config)
{
    char *text = with_sim_url(bridge, config);
    bridge->daemon = daemon_start(&(struct daemon_options){.config = text});
    free(text);
    ck_assert_msg(bridge->daemon != NULL, "the program did not become ready");
    bridge->port = daemon_port(bridge->daemon);
}

void chat_case_start_with(struct bridge *bridge, const struct replicate_sim_options *options,
                          const struct sim_plan *plan, const char *more)
{
    memset(bridge, 0, sizeof *bridge);
    bridge->sim = replicate_sim_start(options);
    replicate_sim_plan(bridge->sim, plan);
    char *config = bridge_config(bridge, more);
    chat_case_start(bridge, config);
    free(config);
}

void chat_case_stop(struct bridge *bridge)
{
    bool is_discreet = bridge->daemon == NULL || (!daemon_log_contains(bridge->daemon, "test-token") &&
                                                  !daemon_log_contains(bridge->daemon, CHAT_CASE_PROMPT));
    bridge_stop(bridge);
    ck_assert_msg(is_discreet, "the log tells the token or the prompt");
}

/* ---- sending and reading ---- */

static void send_chat(struct http_connection *client, const struct chat_case *request)
{
    ck_assert_msg(client != NULL, "the program does not accept a connection");
    char *body = bridge_chat_body(request->model != NULL ? request->model : "writer", CHAT_CASE_PROMPT,
                                  request->more != NULL ? request->more : "");
    bool is_sent = http_send_request(
        client, &(struct http_request){.path = "/v1/chat/completions", .headers = request->headers, .body = body});
    free(body);
    ck_assert_msg(is_sent, "the program closed the connection before the request was sent");
}

struct http_connection *chat_case_begin(const struct bridge *bridge, const struct chat_case *request)
{
    struct http_connection *client = http_connect(bridge->port);
    send_chat(client, request);
    return client;
}

static void read_answer(struct http_connection *client, struct http_response *response)
{
    ck_assert_msg(http_read(client, response, 2 * daemon_patience_ms()), "no complete answer arrived (status %d)",
                  response->status);
}

void chat_case_finish(struct http_connection **client, struct http_response *response)
{
    read_answer(*client, response);
    http_close(client);
}

void chat_case_run(const struct bridge *bridge, const struct chat_case *request, struct http_response *response)
{
    struct http_connection *client = chat_case_begin(bridge, request);
    chat_case_finish(&client, response);
}

void chat_case_run_on(struct http_connection *client, const struct chat_case *request, struct http_response *response)
{
    send_chat(client, request);
    read_answer(client, response);
}

/* ---- looking ---- */

void chat_case_expect_text(const struct http_response *response, const char *text)
{
    ck_assert_msg(response->status == 200, "status %d: %.1000s", response->status, response->body);
    json_t *body = bridge_json(response);
    const json_t *choice = json_array_get(json_object_get(body, "choices"), 0);
    const char *content = json_text(json_object_get(choice, "message"), "content");
    ck_assert_msg(content != NULL, "no content: %.1000s", response->body);
    bool is_part = text[0] == '~';
    bool fits = is_part ? strstr(content, text + 1) != NULL : strcmp(content, text) == 0;
    ck_assert_msg(fits, "the content is \"%s\", not \"%s\"", content, text);
    json_decref(body);
}

char *chat_case_message(const struct http_response *response)
{
    json_t *body = bridge_json(response);
    const char *message = json_text(json_object_get(body, "error"), "message");
    ck_assert_msg(message != NULL, "an error without a message: %.1000s", response->body);
    char *copy = xstrdup(message);
    json_decref(body);
    return copy;
}

static void expect_message(const struct http_response *response, const struct chat_error *expected)
{
    char *message = chat_case_message(response);
    size_t length = strlen(message);
    bool begins_well = (message[0] >= 'A' && message[0] <= 'Z') || strchr("`/", message[0]) != NULL;
    bool ends_well = length > 0 && strchr(".\"?!", message[length - 1]) != NULL;
    ck_assert_msg(length > 15 && begins_well && ends_well, "no whole sentence: %s", message);
    ck_assert_msg(strstr(message, "test-token") == NULL, "the token is told: %s", message);
    ck_assert_msg(strstr(message, CHAT_CASE_PROMPT) == NULL, "the prompt is told: %s", message);
    bool is_rate_limit = expected->code != NULL && strcmp(expected->code, "rate_limit_exceeded") == 0;
    ck_assert_msg(is_rate_limit || strcasestr(message, "rate limit") == NULL, "this is no rate limit: %s", message);
    if (expected->says != NULL)
        ck_assert_msg(strstr(message, expected->says) != NULL, "\"%s\" is not in: %s", expected->says, message);
    free(message);
}

void chat_case_expect_header(const struct http_response *response, const char *name, const char *value)
{
    char found[1024];
    bool is_there = http_answer_header(response, name, found, sizeof found);
    if (value == NULL)
        ck_assert_msg(!is_there, "%s is there: %s", name, found);
    else
        ck_assert_msg(is_there && strcmp(found, value) == 0, "%s is \"%s\", not \"%s\"", name, found, value);
}

void chat_case_expect_error(const struct http_response *response, const struct chat_error *expected)
{
    char id[256];
    bridge_expect_error(response, expected->status, expected->code, expected->param);
    json_t *body = bridge_json(response);
    ck_assert_pstr_eq(json_text(json_object_get(body, "error"), "type"), expected->type);
    json_decref(body);
    chat_case_expect_header(response, "content-type", "application/json");
    chat_case_expect_header(response, "x-should-retry", expected->may_retry ? "true" : "false");
    ck_assert_msg(http_answer_header(response, "x-request-id", id, sizeof id) && id[0] != '\0', "no x-request-id");
    expect_message(response, expected);
}

void chat_case_expect_retry_after(const struct http_response *response, long at_least_ms, long at_most_ms)
{
    char seconds_text[64], ms_text[64];
    ck_assert_msg(http_answer_header(response, "retry-after", seconds_text, sizeof seconds_text), "no retry-after");
    ck_assert_msg(http_answer_header(response, "retry-after-ms", ms_text, sizeof ms_text), "no retry-after-ms");
    long ms = strtol(ms_text, NULL, 10), seconds = strtol(seconds_text, NULL, 10);
    ck_assert_msg(ms >= at_least_ms && ms <= at_most_ms, "retry-after-ms is %ld, not within %ld and %ld", ms,
                  at_least_ms, at_most_ms);
    ck_assert_msg(seconds == (ms + 999) / 1000, "retry-after is %ld, retry-after-ms %ld", seconds, ms);
}

size_t chat_case_creates(const struct bridge *bridge)
{
    return replicate_sim_request_count(bridge->sim, SIM_CREATE);
}

struct sim_prediction_view chat_case_prediction(const struct bridge *bridge, size_t i)
{
    struct sim_prediction_view view;
    ck_assert_msg(replicate_sim_prediction(bridge->sim, i, &view), "prediction %zu was not created", i);
    return view;
}
