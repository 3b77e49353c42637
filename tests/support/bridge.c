/* What nearly every end-to-end test begins with: a simulated Replicate, and the program in front of it. */
#include "bridge.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/json.h"
#include "prometheus.h"

void bridge_start_sim(struct bridge *bridge)
{
    memset(bridge, 0, sizeof *bridge);
    bridge->sim = replicate_sim_start(NULL);
}

char *bridge_config(const struct bridge *bridge, const char *more)
{
    return xasprintf("workers: 2\nmodels:\n  writer: %s\nreplicate:\n  base_url: %s\n  token: test-token\n%s",
                     BRIDGE_MODEL, replicate_sim_base_url(bridge->sim), more);
}

void bridge_start(struct bridge *bridge, const struct sim_plan *plan, const char *more)
{
    static const struct sim_plan quick = {.model = BRIDGE_MODEL, .official = true};
    bridge_start_sim(bridge);
    replicate_sim_plan(bridge->sim, plan != NULL ? plan : &quick);
    char *config = bridge_config(bridge, more);
    bridge->daemon = daemon_start(&(struct daemon_options){.config = config});
    free(config);
    ck_assert_msg(bridge->daemon != NULL, "the program did not become ready");
    bridge->port = daemon_port(bridge->daemon);
}

void bridge_stop(struct bridge *bridge)
{
    char daemon_report[8192], sim_report[SIM_REPORT_BYTES] = "";
    bool daemon_is_fine = daemon_stop(&bridge->daemon, daemon_report, sizeof daemon_report);
    bool sim_is_fine = bridge->sim == NULL || replicate_sim_stop(&bridge->sim, sim_report, sizeof sim_report);
    ck_assert_msg(daemon_is_fine, "the program: %s", daemon_report);
    ck_assert_msg(sim_is_fine, "the simulated Replicate: %s", sim_report);
}

char *bridge_chat_body(const char *model, const char *content, const char *more)
{
    return xasprintf("{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]%s}", model, content,
                     more);
}

struct http_connection *bridge_chat_begin(const struct bridge *bridge, const char *model, const char *content)
{
    struct http_connection *connection = http_connect(bridge->port);
    ck_assert_msg(connection != NULL, "the program does not accept a connection");
    char *body = bridge_chat_body(model, content, "");
    ck_assert(http_send_request(connection, &(struct http_request){.path = "/v1/chat/completions", .body = body}));
    free(body);
    return connection;
}

void bridge_chat(const struct bridge *bridge, const char *model, const char *content, struct http_response *response)
{
    struct http_connection *connection = bridge_chat_begin(bridge, model, content);
    bool complete = http_read(connection, response, daemon_patience_ms());
    http_close(&connection);
    ck_assert_msg(complete, "no complete answer arrived (status %d)", response->status);
}

int bridge_get(const struct bridge *bridge, const char *path, struct http_response *response)
{
    struct http_response own = {0};
    struct http_response *answer = response != NULL ? response : &own;
    http_exchange(bridge->port, &(struct http_request){.path = path}, answer, daemon_patience_ms());
    int status = answer->status;
    http_response_dispose(&own);
    return status;
}

json_t *bridge_json(const struct http_response *response)
{
    struct error err = {0};
    ck_assert_msg(response->body != NULL, "there is no answer");
    json_t *value = json_parse(response->body, response->body_length, &err);
    ck_assert_msg(value != NULL, "the body is not JSON (%s): %.500s", err.message, response->body);
    return value;
}

/* A member that must be this text, or null where `expected` is NULL. */
static void expect_member(const json_t *object, const char *key, const char *expected)
{
    const json_t *member = json_object_get(object, key);
    ck_assert_msg(member != NULL, "the error has no member %s", key);
    if (expected == NULL)
        ck_assert_msg(json_is_null(member), "%s is not null but %s", key, json_string_value(member));
    else if (strcmp(expected, "*") != 0)
        ck_assert_msg(json_is_string(member) && strcmp(json_string_value(member), expected) == 0, "%s is %s, not %s",
                      key, json_string_value(member), expected);
}

void bridge_expect_error(const struct http_response *response, int status, const char *code, const char *param)
{
    char type[64];
    ck_assert_msg(response->status == status, "the status is %d, not %d: %.500s", response->status, status,
                  response->body != NULL ? response->body : "(nothing arrived)");
    http_answer_header(response, "content-type", type, sizeof type);
    ck_assert_msg(strncmp(type, "application/json", 16) == 0, "the type of an error is %s", type);
    json_t *body = bridge_json(response);
    const json_t *error = json_object_get(body, "error");
    ck_assert_uint_eq(json_object_size(body), 1);
    ck_assert_uint_eq(json_object_size(error), 4);
    expect_member(error, "code", code);
    expect_member(error, "param", param);
    expect_member(error, "type", "*");
    const char *message = json_text(error, "message");
    ck_assert_msg(message != NULL && message[0] != '\0', "an error without a message");
    json_decref(body);
}

long bridge_metric(const struct bridge *bridge, const char *name)
{
    struct http_response response = {0};
    ck_assert_int_eq(bridge_get(bridge, "/metrics", &response), 200);
    long value = (long)prometheus_value(response.body, name);
    http_response_dispose(&response);
    return value;
}

/* The waits below ask again and again: each request is a turn for the workers, and nothing tells a test when a worker
 * has come round. */
void bridge_expect_metric(const struct bridge *bridge, const char *name, long value)
{
    int64_t deadline_ms = clock_now_ms() + daemon_patience_ms();
    long now = bridge_metric(bridge, name);
    while (now != value && clock_now_ms() < deadline_ms)
        now = bridge_metric(bridge, name);
    ck_assert_msg(now == value, "%s is %ld, not %ld", name, now, value);
}

void bridge_expect_descriptors(const struct bridge *bridge, long at_most)
{
    int64_t deadline_ms = clock_now_ms() + daemon_patience_ms();
    long now = at_most + 1;
    while (now > at_most && clock_now_ms() < deadline_ms) {
        ck_assert_int_eq(bridge_get(bridge, "/health/liveliness", NULL), 200);
        now = daemon_descriptors(bridge->daemon);
    }
    ck_assert_msg(now <= at_most, "%ld descriptors are open, more than %ld", now, at_most);
}
