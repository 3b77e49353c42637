/* A client of the simulated Replicate for the tests of its streams. */
#include "stream_case.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

struct replicate_sim *stream_case_sim;
struct http_response stream_case_answer;
char stream_case_path[128];

void stream_case_start(void)
{
    stream_case_sim = replicate_sim_start(NULL);
}

void stream_case_stop(void)
{
    http_response_dispose(&stream_case_answer);
    if (stream_case_sim)
        replicate_sim_stop(&stream_case_sim, NULL, 0);
}

void stream_case_start_with(const struct replicate_sim_options *options)
{
    replicate_sim_stop(&stream_case_sim, NULL, 0);
    stream_case_sim = replicate_sim_start(options);
}

void stream_case_stop_clean(void)
{
    char report[SIM_REPORT_BYTES];
    ck_assert_msg(replicate_sim_stop(&stream_case_sim, report, sizeof(report)), "%s", report);
}

void stream_case_plan(const struct sim_plan *plan)
{
    struct sim_plan official = *plan;
    official.model = "acme/writer";
    official.official = true;
    replicate_sim_plan(stream_case_sim, &official);
}

int stream_case_ask(const char *method, const char *path, const char *body)
{
    const struct http_request request = {
        .method = method, .path = path, .headers = "Authorization: Bearer test-token\r\n", .body = body};
    ck_assert(
        http_exchange(replicate_sim_port(stream_case_sim), &request, &stream_case_answer, STREAM_CASE_PATIENCE_MS));
    return stream_case_answer.status;
}

/* The URL's port is part of what is tested: the stream is to be where the prediction says. */
void stream_case_create(const char *prompt)
{
    char body[256], origin[64];
    snprintf(body, sizeof(body), "{\"input\":{\"prompt\":\"%s\"}}", prompt);
    ck_assert_int_eq(stream_case_ask("POST", "/v1/models/acme/writer/predictions", body), 201);
    snprintf(origin, sizeof(origin), "\"stream\":\"http://127.0.0.1:%d/", replicate_sim_stream_port(stream_case_sim));
    const char *url = strstr(stream_case_answer.body, origin);
    const char *path = url ? url + strlen(origin) - 1 : "";
    snprintf(stream_case_path, sizeof(stream_case_path), "%.*s", (int)strcspn(path, "\""), path);
}

static int ask_first(const char *method, const char *tail)
{
    struct sim_prediction_view view;
    char path[80];
    ck_assert(replicate_sim_prediction(stream_case_sim, 0, &view));
    snprintf(path, sizeof(path), "/v1/predictions/%s%s", view.id, tail);
    return stream_case_ask(method, path, *tail ? "" : NULL);
}

void stream_case_expect_first(const char *part)
{
    ck_assert_int_eq(ask_first("GET", ""), 200);
    ck_assert_msg(strstr(stream_case_answer.body, part) != NULL, "%s is not in %s", part, stream_case_answer.body);
}

void stream_case_cancel_first(void)
{
    ck_assert_int_eq(ask_first("POST", "/cancel"), 200);
}

bool stream_case_read(const char *headers)
{
    const struct http_request request = {.path = stream_case_path, .headers = headers};
    ck_assert_str_ne(stream_case_path, "");
    return http_exchange(replicate_sim_stream_port(stream_case_sim), &request, &stream_case_answer,
                         STREAM_CASE_PATIENCE_MS);
}

struct http_connection *stream_case_open(struct http_response *response, const char *headers)
{
    const struct http_request request = {.path = stream_case_path, .headers = headers};
    struct http_connection *connection = http_connect(replicate_sim_stream_port(stream_case_sim));
    ck_assert_ptr_nonnull(connection);
    ck_assert(http_send_request(connection, &request));
    ck_assert_int_eq(http_read_head(connection, response, STREAM_CASE_PATIENCE_MS), HTTP_MORE);
    return connection;
}

void stream_case_drop_ids(void)
{
    char *to = stream_case_answer.body;
    for (const char *line = to; *line;) {
        size_t length = strcspn(line, "\n");
        length += line[length] == '\n';
        if (strncmp(line, "id:", 3) != 0) {
            memmove(to, line, length);
            to += length;
        }
        line += length;
    }
    *to = '\0';
}
