/* The worker, the configuration and the door of the tests of exchanges. */
#include "fake_door.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/json.h"
#include "base/log.h"
#include "machine/fake_clock.h"

struct bench bench;

static struct route make_route(char *alias, char *reference)
{
    static struct header headers[] = {{"X-Team", "red"}};
    return (struct route){.alias = alias,
                          .reference = reference,
                          .base_url = "http://replicate.test/v1",
                          .token = "test-token",
                          .headers = headers,
                          .header_count = 1,
                          .create_retries = 2,
                          .prefer_wait_ms = 5000,
                          .poll_interval_ms = 2000,
                          .timeout_ms = BENCH_TIMEOUT_MS,
                          .timeout_key = "models.writer.timeout",
                          .stream_timeout_ms = BENCH_STREAM_TIMEOUT_MS,
                          .stream_timeout_key = "models.writer.stream_timeout",
                          .keepalive_ms = BENCH_KEEPALIVE_MS,
                          .grace_ms = BENCH_GRACE_MS,
                          .weight = 1,
                          .allowed_fails = 3,
                          .cooldown_ms = 5000,
                          .input = json_object(),
                          .map = json_object(),
                          .params = json_object()};
}

static void dispose_route(struct route *route)
{
    json_decref(route->input);
    json_decref(route->map);
    json_decref(route->params);
}

static void open_log(void)
{
    struct error err;
    snprintf(bench.log_path, sizeof bench.log_path, "/tmp/test-exchange-XXXXXX");
    int fd = mkstemp(bench.log_path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    const struct log_options options = {LOG_LEVEL_INFO, LOG_FORMAT_JSON, bench.log_path};
    ck_assert(log_open(&options, &err));
}

void bench_setup(void)
{
    memset(&bench, 0, sizeof bench);
    fake_clock_set(BENCH_START_MS);
    open_log();
    bench.writer = make_route("writer", "acme/writer");
    bench.any = make_route("replicate/*", "*");
    bench.helper = make_route("helper", "acme/helper");
    bench.spare = make_route("spare", "acme/spare");
    bench.twin = make_route("writer", "acme/twin");
    bench.twin.deployment = 1;
    bench.routes[0] = &bench.writer;
    bench.routes[1] = &bench.any;
    bench.config = (struct config){.read_timeout_ms = BENCH_READ_TIMEOUT_MS,
                                   .write_timeout_ms = BENCH_WRITE_TIMEOUT_MS,
                                   .max_body_bytes = 1000,
                                   .max_body_memory_bytes = 1 << 20,
                                   .max_in_flight = 100,
                                   .routes = bench.routes,
                                   .route_count = 2};
    bench.shared.admission = admission_new();
    bench.shared.board = board_new();
    bench.shared.joins = joins_new();
    bench.shared.deployments = deployments_new();
    bench.worker.shared = &bench.shared;
    bench.worker.config = config_ref(&bench.config);
    bench.worker.loop = loop_new();
    bench.worker.metrics = metrics_new();
    bench.worker.admission_room = admission_room_new(bench.shared.admission, bench.worker.loop);
    exchange_lists_init(&bench.worker.exchanges);
}

void bench_use_fallbacks(void)
{
    static char *names[] = {"helper", "spare"};
    bench.routes[0] = &bench.writer;
    bench.routes[1] = &bench.helper;
    bench.routes[2] = &bench.spare;
    bench.routes[3] = &bench.any;
    bench.config.route_count = 4;
    bench.writer.fallbacks = names;
    bench.writer.fallback_count = 2;
}

/* With room for one, one comes in and a second does not: so nothing is in, neither too few nor too many. */
static void expect_nobody_in(void)
{
    struct admission_ticket first = {0}, second = {0};
    struct error err;
    const struct route plain = {.alias = "plain"};
    bench.config.max_in_flight = 1;
    bench.config.limits = (struct limits){0};
    ck_assert_msg(admission_enter(bench.shared.admission, &bench.config, &plain, NULL, &first, &err),
                  "a request did not give its place back");
    ck_assert_msg(!admission_enter(bench.shared.admission, &bench.config, &plain, NULL, &second, &err),
                  "a request gave its place back twice");
    admission_leave(bench.shared.admission, &first);
}

static size_t count_log_lines(void)
{
    size_t lines = 0;
    for (json_t *line; (line = bench_log_line(lines)) != NULL; lines++)
        json_decref(line);
    return lines;
}

void bench_teardown(void)
{
    ck_assert_uint_eq(exchange_lists_open(&bench.worker.exchanges), 0);
    ck_assert_uint_eq(bench_in(EXCHANGE_CLOSED), 0);
    ck_assert_uint_eq(fake_loop_timers(bench.worker.loop), 0);
    ck_assert_int_eq(fake_config_references(&bench.config), 1);
    ck_assert_int_eq(atomic_load(&bench.shared.body_memory.used_bytes), 0);
    ck_assert_uint_eq(count_log_lines(), bench.closed);
    for (size_t i = 0; i < fake_predictions_count(); i++)
        ck_assert_msg(fake_prediction_at(i)->is_finished || fake_prediction_at(i)->is_abandoned,
                      "prediction %zu neither ended nor was it let go", i);
    expect_nobody_in();
    fake_predictions_reset();
    metrics_free(bench.worker.metrics);
    admission_room_free(bench.worker.admission_room);
    loop_free(bench.worker.loop);
    config_unref(bench.worker.config);
    joins_free(bench.shared.joins);
    deployments_free(bench.shared.deployments);
    admission_free(bench.shared.admission);
    board_free(bench.shared.board);
    dispose_route(&bench.writer);
    dispose_route(&bench.any);
    dispose_route(&bench.helper);
    dispose_route(&bench.spare);
    dispose_route(&bench.twin);
    struct error err;
    const struct log_options quiet = {LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, NULL};
    ck_assert(log_open(&quiet, &err));
    unlink(bench.log_path);
}

json_t *bench_log_line(size_t index)
{
    char text[4200];
    json_t *found = NULL;
    FILE *file = fopen(bench.log_path, "r");
    ck_assert_ptr_nonnull(file);
    while (found == NULL && fgets(text, sizeof text, file) != NULL) {
        struct error err;
        json_t *line = json_parse(text, strlen(text), &err);
        ck_assert_msg(line != NULL, "a log line is no JSON: %s", text);
        if (strcmp(json_text(line, "event"), "request") == 0 && index-- == 0)
            found = json_incref(line);
        json_decref(line);
    }
    fclose(file);
    return found;
}

size_t bench_in(enum exchange_state state)
{
    return bench.worker.exchanges.in[state].length;
}

/* ---- requests ---- */

struct door *door_new(const char *method, const char *path)
{
    struct door *door = xcalloc(1, sizeof *door);
    door->request.method = method;
    door->request.path = xstrdup(path);
    buf_init(&door->request.body, 0);
    return door;
}

void door_header(struct door *door, const char *name, const char *value)
{
    ck_assert_uint_lt(door->header_count, sizeof door->headers / sizeof door->headers[0]);
    door->headers[door->header_count].name = name;
    door->headers[door->header_count++].value = value;
}

void door_open(struct door *door, int64_t content_length)
{
    door->request.content_length = content_length;
    door->request.has_body = strcmp(door->request.method, "POST") == 0;
    door->request.exchange = exchange_open(&bench.worker, &door->request, NULL);
}

void door_body(struct door *door, const char *piece)
{
    exchange_body(door->request.exchange, piece, strlen(piece));
}

void door_done(struct door *door)
{
    if (!door->request.reply.is_ready)
        exchange_body_done(door->request.exchange);
    door->request.reply.is_suspended = !door->request.reply.is_ready;
}

struct door *door_post(const char *path, const char *body, const char *header, const char *value)
{
    struct door *door = door_new("POST", path);
    if (header != NULL)
        door_header(door, header, value);
    door_open(door, (int64_t)strlen(body));
    door_body(door, body);
    door_done(door);
    return door;
}

struct door *door_chat(const char *body)
{
    return door_post(BENCH_CHAT_PATH, body, NULL, NULL);
}

void door_hang_up(struct door *door)
{
    const struct reply *reply = &door->request.reply;
    ck_assert(reply->is_stream ? !reply->is_ended : reply->is_suspended && !reply->is_ready);
    exchange_client_gone(door->request.exchange);
}

void door_drain(struct door *door)
{
    struct reply *reply = &door->request.reply;
    ck_assert(door->is_full && reply->is_stream && !reply->is_ended && !reply->is_dropped);
    door->is_full = false;
    reply->on_drained(door->request.exchange);
}

void door_close(struct door *door, bool sent)
{
    struct reply *reply = &door->request.reply;
    exchange_closed(door->request.exchange, sent);
    for (size_t i = 0; i < reply->header_count; i++)
        free(reply->headers[i].value);
    free(reply->headers);
    buf_dispose(&reply->body);
    buf_dispose(&door->request.body);
    free(door->request.path);
    free(door);
    bench.closed++;
    ck_assert_uint_eq(bench_in(EXCHANGE_CLOSED), 1);
    exchange_sweep(&bench.worker.exchanges);
}

/* ---- answers ---- */

const char *door_answer(const struct door *door, const char *name)
{
    const struct reply *reply = &door->request.reply;
    const char *found = NULL;
    for (size_t i = 0; i < reply->header_count; i++) {
        if (strcasecmp(reply->headers[i].name, name) != 0)
            continue;
        ck_assert_msg(found == NULL, "the header %s is there twice", name);
        found = reply->headers[i].value;
    }
    return found;
}

void door_expect_waiting(const struct door *door)
{
    ck_assert(!door->request.reply.is_ready && door->request.reply.is_suspended);
    ck_assert_uint_ge(bench_in(EXCHANGE_RUNNING), 1);
}

void door_expect_status(const struct door *door, int status)
{
    ck_assert(door->request.reply.is_ready && !door->request.reply.is_dropped);
    ck_assert_int_eq(door->request.reply.status, status);
    ck_assert_ptr_nonnull(door_answer(door, "x-request-id"));
    ck_assert_uint_ge(bench_in(EXCHANGE_REPLYING), 1);
}

json_t *door_json(const struct door *door)
{
    struct error err;
    const struct buf *body = &door->request.reply.body;
    json_t *json = json_parse(buf_text(body), body->length, &err);
    ck_assert_msg(json != NULL, "the answer is no JSON: %s", buf_text(body));
    return json;
}

void door_expect_error(const struct door *door, enum error_kind kind)
{
    const struct error_row *row = error_row(kind);
    json_t *json = door_json(door), *error = json_object_get(json, "error");
    ck_assert_str_eq(json_text(error, "type"), row->type);
    if (row->code == NULL)
        ck_assert(json_is_null(json_object_get(error, "code")));
    else
        ck_assert_pstr_eq(json_text(error, "code"), row->code);
    door_expect_status(door, row->http_status);
    ck_assert_str_eq(door_answer(door, "Content-Type"), "application/json");
    ck_assert_str_eq(door_answer(door, "x-should-retry"), row->client_may_retry ? "true" : "false");
    ck_assert_ptr_null(door_answer(door, "x-replibridge-usage"));
    json_decref(json);
}
