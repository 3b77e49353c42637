/* One client request from its first byte to its last: opening, reading, answering, closing. */
#include "exchange_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "openai/error_body.h"
#include "server/admin.h"
#include "server/cors.h"

enum { ANSWER_MAX_BYTES = 256 * 1024 * 1024, ERROR_BODY_MAX_BYTES = 16 * 1024 };

static const char *const STATE_WORDS[] = {
#define X(name, word) [EXCHANGE_##name] = word,
    EXCHANGE_STATES(X)
#undef X
};

void exchange_lists_init(struct exchange_lists *lists)
{
    for (int state = 0; state < EXCHANGE_STATE_COUNT; state++)
        list_init(&lists->in[state]);
}

size_t exchange_lists_open(const struct exchange_lists *lists)
{
    size_t open = 0;
    for (int state = 0; state < EXCHANGE_CLOSED; state++)
        open += lists->in[state].length;
    return open;
}

bool exchange_hold_memory(struct exchange *exchange, int64_t bytes, struct error *err)
{
    int64_t more = bytes - exchange->held_bytes;
    if (more <= 0)
        return true;
    if (!body_memory_take(&exchange->worker->shared->body_memory, exchange->config->max_body_memory_bytes,
                          exchange->held_bytes, more, err))
        return false;
    exchange->held_bytes = bytes;
    return true;
}

static void give_memory_back(struct exchange *exchange)
{
    if (exchange->request != NULL)
        buf_dispose(&exchange->request->body);
    exchange_forget_messages(exchange);
    body_memory_give(&exchange->worker->shared->body_memory, exchange->held_bytes);
    exchange->held_bytes = 0;
}

void exchange_set_state(struct exchange *exchange, enum exchange_state state)
{
    list_remove(&exchange->link);
    exchange->state = state;
    list_append(&exchange->worker->exchanges.in[state], &exchange->link);
    /* Before the answer goes out: a client that has read it must find its place free. */
    if (state >= EXCHANGE_REPLYING) {
        admission_leave(exchange->worker->shared->admission, &exchange->ticket);
        exchange_join_leave(exchange);
        exchange_end_use(exchange);
        give_memory_back(exchange);
    }
    log_write(LOG_LEVEL_DEBUG, "exchange", log_text("request", exchange->request_id),
              log_text("state", STATE_WORDS[state]));
}

/* Letters and digits that nobody can guess or repeat: for the ids of requests and answers. The kernel is asked for
 * several of them at once, each for one use, and for no more than it gives without ever being interrupted. */
static void make_unique(char out[UNIQUE_BYTES])
{
    enum { EACH = UNIQUE_BYTES - 1, STOCK_BYTES = 256 / EACH * EACH };
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
    static _Thread_local unsigned char stock[STOCK_BYTES];
    static _Thread_local size_t left;
    if (left == 0) {
        ensure(getrandom(stock, sizeof stock, 0) == (ssize_t)sizeof stock);
        left = sizeof stock;
    }
    left -= EACH;
    for (size_t i = 0; i < EACH; i++)
        out[i] = digits[stock[left + i] & 31];
    out[EACH] = '\0';
}

static void make_own_id(struct exchange *exchange)
{
    enum { PREFIX_BYTES = OWN_ID_BYTES - UNIQUE_BYTES };
    memcpy(exchange->own_id, "req_", PREFIX_BYTES);
    make_unique(exchange->own_id + PREFIX_BYTES);
}

/* The client's own id when it is one that can stand in a header and a log line. */
static void take_request_id(struct exchange *exchange)
{
    enum { CLIENT_ID_MAX_BYTES = 128 };
    const char *given = http_header(exchange->request, "x-request-id");
    size_t length = given == NULL ? 0 : strlen(given);
    bool is_usable = length > 0 && length <= CLIENT_ID_MAX_BYTES;
    for (size_t i = 0; is_usable && i < length; i++)
        is_usable = given[i] > 0x20 && given[i] < 0x7f;
    exchange->request_id = is_usable ? xstrdup(given) : exchange->own_id;
}

/* ---- answering ---- */

/* Whoever stood in for the model that was asked for. */
static void add_model(struct exchange *exchange)
{
    const char *alias = exchange->call.alias;
    char shown[256];
    if (exchange->routes.asked_name == NULL || exchange->error != NULL)
        return;
    error_quote(shown, sizeof shown, alias, strlen(alias), NULL);
    reply_header(&exchange->request->reply, "x-replibridge-model", shown);
}

static void add_ignored(struct exchange *exchange)
{
    struct buf names;
    buf_init(&names, 4096);
    if (call_ignored_text(&exchange->call, &names) && names.length > 0)
        reply_header(&exchange->request->reply, "x-replibridge-ignored", buf_text(&names));
    buf_dispose(&names);
}

void exchange_add_headers(struct exchange *exchange, const char *content_type)
{
    struct reply *reply = &exchange->request->reply;
    const char *origin = http_header(exchange->request, "Origin");
    if (content_type != NULL)
        reply_header(reply, "Content-Type", content_type);
    reply_header(reply, "x-request-id", exchange->request_id);
    if (exchange->call.usage_source != NULL && exchange->error == NULL)
        reply_header(reply, "x-replibridge-usage", exchange->call.usage_source);
    if (exchange->config->cors_origin_count > 0)
        reply_header(reply, "Vary", "Origin"); /* on every answer, or a cache would give the wrong one */
    if (cors_allows(exchange->config, origin))
        cors_headers(reply, origin);
    /* Those that can be long go last, as they may be left out: see reply_header. */
    if (exchange->prediction_ids.length > 0)
        reply_header(reply, "x-replicate-prediction-id", buf_text(&exchange->prediction_ids));
    add_model(exchange);
    add_ignored(exchange);
}

void exchange_answer(struct exchange *exchange, int status, const char *content_type, struct buf *body)
{
    exchange_add_headers(exchange, content_type);
    exchange_set_state(exchange, EXCHANGE_REPLYING);
    reply_send(&exchange->request->reply, status, body);
}

static void add_error_headers(struct exchange *exchange, const struct error *error)
{
    struct reply *reply = &exchange->request->reply;
    char number[32];
    reply_header(reply, "x-should-retry", error_row(error->kind)->client_may_retry ? "true" : "false");
    if (error->retry_after_ms <= 0)
        return;
    snprintf(number, sizeof number, "%lld", (long long)((error->retry_after_ms + 999) / 1000));
    reply_header(reply, "retry-after", number);
    snprintf(number, sizeof number, "%lld", (long long)error->retry_after_ms);
    reply_header(reply, "retry-after-ms", number);
}

/* Most requests have no error, and it is the largest thing of one: so it is there only where there is one. */
static struct error *keep_error(struct exchange *exchange, const struct error *error)
{
    struct error *own = xmalloc(sizeof *own);
    *own = *error;
    free(exchange->error);
    exchange->error = own;
    return own;
}

void exchange_fail(struct exchange *exchange, const struct error *error)
{
    if (exchange->state >= EXCHANGE_REPLYING)
        return;
    struct error *own = keep_error(exchange, error);
    exchange_blame_client_token(exchange, own);
    exchange_abandon(exchange, 0);
    if (exchange->state == EXCHANGE_STREAMING) {
        exchange_stream_fail(exchange, own);
        return;
    }
    struct buf body;
    buf_init(&body, ERROR_BODY_MAX_BYTES);
    error_body_append(&body, own);
    add_error_headers(exchange, own);
    exchange_answer(exchange, error_row(own->kind)->http_status, "application/json", &body);
}

void exchange_hurry(struct exchange_lists *lists)
{
    enum { A_MOMENT_MS = 1000 };
    static const enum exchange_state states[] = {EXCHANGE_READING, EXCHANGE_REPLYING};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        struct list *list = &lists->in[states[i]];
        for (struct list_link *link = list_first(list); link != NULL; link = list_next(list, link)) {
            struct exchange *exchange = list_entry(link, struct exchange, link);
            if (exchange->read_timer.place != 0)
                loop_timer_set(exchange->worker->loop, &exchange->read_timer, clock_now_ms() + A_MOMENT_MS);
        }
    }
}

void exchange_fail_all(struct exchange_lists *lists, const struct error *error)
{
    for (int state = EXCHANGE_QUEUED; state <= EXCHANGE_STREAMING; state++)
        for (struct list_link *link; (link = list_first(&lists->in[state])) != NULL;)
            exchange_fail(list_entry(link, struct exchange, link), error);
}

/* ---- the head of a request ---- */

/* A browser asks before it asks: true when this was such a question. */
static bool answer_preflight(struct exchange *exchange)
{
    const struct http_request *request = exchange->request;
    if (strcmp(request->method, "OPTIONS") != 0 || !cors_allows(exchange->config, http_header(request, "Origin")))
        return false;
    cors_preflight_headers(&exchange->request->reply, http_header(request, "Access-Control-Request-Headers"),
                           http_header(request, "Access-Control-Request-Private-Network"));
    struct buf nothing;
    buf_init(&nothing, 0);
    exchange_answer(exchange, 204, NULL, &nothing);
    return true;
}

static bool find_endpoint(struct exchange *exchange, struct error *err)
{
    enum { MODEL_ID_BYTES = 512 };
    const struct http_request *request = exchange->request;
    const char *allow = NULL;
    char model_id[MODEL_ID_BYTES];
    exchange->endpoint = endpoint_find(request->method, request->path, model_id, sizeof model_id, &allow, err);
    if (exchange->endpoint != NULL && model_id[0] != '\0')
        exchange->model_id = xstrdup(model_id);
    if (exchange->endpoint == NULL && allow != NULL)
        reply_header(&exchange->request->reply, "Allow", allow);
    return exchange->endpoint != NULL;
}

static bool check_open(const struct exchange *exchange, struct error *err)
{
    return !atomic_load(&exchange->worker->shared->is_draining) ||
           error_set(err, ERROR_SHUTTING_DOWN, NULL, "This server is shutting down. Try again in a moment.");
}

static bool check_page(const struct exchange *exchange, struct error *err)
{
    const struct http_request *request = exchange->request;
    const struct cors_page page = {http_header(request, "Origin"), http_header(request, "Host"),
                                   http_header(request, "Content-Type")};
    return cors_check_page(exchange->config, &page, err);
}

static bool check_head(struct exchange *exchange, struct error *err)
{
    const struct http_request *request = exchange->request;
    if (!check_open(exchange, err))
        return false;
    if (!find_endpoint(exchange, err))
        return false;
    if (!exchange_check_key(exchange, err))
        return false;
    if (exchange->endpoint->kind == ENDPOINT_RUN && !check_page(exchange, err))
        return false;
    if (request->content_length > exchange->config->max_body_bytes)
        return error_set(err, ERROR_REQUEST_TOO_LARGE, NULL,
                         "The request body has %lld bytes; this server takes %lld (`max_body`). Send less.",
                         (long long)request->content_length, (long long)exchange->config->max_body_bytes);
    return exchange_hold_memory(exchange, request->content_length, err);
}

/* Endpoints that are answered from the configuration need no body. */
static void answer_local(struct exchange *exchange)
{
    struct error err = {0};
    struct buf body;
    buf_init(&body, ANSWER_MAX_BYTES);
    struct call_request call_request = {.endpoint = exchange->endpoint,
                                        .path_model = exchange->model_id,
                                        .body = "",
                                        .unique = exchange_unique(exchange),
                                        .now_s = clock_wall_s()};
    struct local local = {
        .config = exchange->config, .key = exchange->key, .schema_of = exchange_schema_of, .arg = exchange->worker};
    if (exchange->endpoint->decode(&exchange->call, &call_request, &err) &&
        exchange->endpoint->answer(&exchange->call, &local, &body, &err))
        exchange_answer(exchange, 200, "application/json", &body);
    else
        exchange_fail(exchange, &err);
    buf_dispose(&body);
}

static void on_read_timeout(void *arg)
{
    struct exchange *exchange = arg;
    struct reply *reply = &exchange->request->reply;
    if (reply->is_sent) {
        reply_cut(reply);
        return;
    }
    /* An answer that was only waiting for the end of the body goes out now. */
    if (reply->is_ready) {
        reply_send_raw(reply, reply->status, &reply->body);
        reply_cut(reply);
        return;
    }
    struct buf body;
    buf_init(&body, ERROR_BODY_MAX_BYTES);
    struct error err;
    if (check_open(exchange, &err))
        error_set(&err, ERROR_REQUEST_TIMEOUT, NULL,
                  "The request body did not arrive within %lld seconds. Send it faster, or raise `read_timeout`.",
                  (long long)exchange->config->read_timeout_ms / 1000);
    (void)keep_error(exchange, &err);
    error_body_append(&body, &err);
    add_error_headers(exchange, &err);
    exchange_add_headers(exchange, "application/json");
    reply_send_raw(reply, error_row(err.kind)->http_status, &body);
    reply_cut(reply);
    buf_dispose(&body);
    /* The rest of the body may be in the socket already: it must not start anything any more. */
    exchange_set_state(exchange, EXCHANGE_REPLYING);
    reply_drop(reply);
}

static struct exchange *new_exchange(struct worker *worker, struct http_request *request)
{
    struct exchange *exchange = xcalloc(1, sizeof *exchange);
    exchange->worker = worker;
    exchange->request = request;
    exchange->config = config_ref(worker->config);
    exchange->timeline.received_ms = clock_now_ms();
    call_init(&exchange->call);
    buf_init(&exchange->prediction_ids, CALL_MAX_CHOICES * 80);
    buf_init(&request->body, (size_t)exchange->config->max_body_bytes);
    loop_timer_init(&exchange->read_timer, on_read_timeout, exchange);
    exchange_join_init(exchange);
    exchange_stream_init(exchange);
    make_own_id(exchange);
    take_request_id(exchange);
    exchange_set_state(exchange, EXCHANGE_READING);
    return exchange;
}

struct exchange *exchange_open(struct worker *worker, struct http_request *request, const struct error *framing)
{
    struct exchange *exchange = new_exchange(worker, request);
    struct error err = {0};
    if (framing != NULL) {
        reply_header(&request->reply, "Connection", "close");
        exchange_fail(exchange, framing);
    } else if (!admin_is_health(request->path) && !exchange_check_address(exchange, &err)) {
        exchange_fail(exchange, &err);
    } else if (!answer_preflight(exchange) && !exchange_answer_admin(exchange)) {
        if (!check_head(exchange, &err))
            exchange_fail(exchange, &err);
        else if (exchange->endpoint->kind == ENDPOINT_LOCAL)
            answer_local(exchange);
        else if (request->content_length >= 0)
            buf_init(&request->body, (size_t)request->content_length); /* it grows to no more than was counted */
    }
    if (request->has_body)
        loop_timer_set(worker->loop, &exchange->read_timer,
                       exchange->timeline.received_ms + exchange->config->read_timeout_ms);
    return exchange;
}

/* ---- the body ---- */

void exchange_body(struct exchange *exchange, const char *bytes, size_t length)
{
    struct error err = {0};
    struct buf *body = &exchange->request->body;
    /* An answer is ready already: the rest of the body is read and forgotten. */
    if (exchange->request->reply.is_ready)
        return;
    if (!exchange_hold_memory(exchange, (int64_t)(body->length + length), &err)) {
        exchange_fail(exchange, &err);
        return;
    }
    if (buf_append(body, bytes, length))
        return;
    error_set(&err, ERROR_REQUEST_TOO_LARGE, NULL,
              "The request body is longer than the %lld bytes that this server takes (`max_body`). Send less.",
              (long long)exchange->config->max_body_bytes);
    exchange_fail(exchange, &err);
}

void exchange_body_done(struct exchange *exchange)
{
    struct error err = {0};
    loop_timer_clear(exchange->worker->loop, &exchange->read_timer);
    /* A body that took until after the end was announced starts nothing: it could outlive the daemon. */
    if (check_open(exchange, &err))
        exchange_start(exchange);
    else
        exchange_fail(exchange, &err);
}

/* ---- the end ---- */

/* What becomes of predictions whose client has left. Nobody can come back to a daemon that is stopping. */
static int64_t grace_ms(const struct exchange *exchange)
{
    if (exchange->route->on_disconnect == DISCONNECT_KEEP)
        return PREDICTION_KEEP;
    bool is_draining = atomic_load(&exchange->worker->shared->is_draining);
    bool has_grace = exchange->route->on_disconnect == DISCONNECT_GRACE && exchange_may_retry(exchange) && !is_draining;
    return has_grace ? exchange->route->grace_ms : 0;
}

void exchange_client_gone(struct exchange *exchange)
{
    if (!exchange_is_running(exchange))
        return;
    exchange->client_is_gone = true;
    exchange_abandon(exchange, grace_ms(exchange));
    exchange_set_state(exchange, EXCHANGE_REPLYING);
    reply_drop(&exchange->request->reply);
}

void exchange_closed(struct exchange *exchange, bool sent)
{
    if (exchange_is_running(exchange)) {
        exchange->client_is_gone = true;
        exchange_abandon(exchange, grace_ms(exchange));
    }
    if (!sent && exchange->request->reply.status == 0)
        exchange->client_is_gone = true;
    sent = sent || exchange->request->reply.was_sent_raw;
    exchange_count(exchange);
    exchange_note_end(exchange);
    exchange_log(exchange, sent);
    loop_timer_clear(exchange->worker->loop, &exchange->read_timer);
    loop_timer_clear(exchange->worker->loop, &exchange->keepalive);
    exchange->request = NULL;
    exchange_set_state(exchange, EXCHANGE_CLOSED);
}

void exchange_sweep(struct exchange_lists *lists)
{
    for (struct list_link *link; (link = list_shift(&lists->in[EXCHANGE_CLOSED])) != NULL;) {
        struct exchange *exchange = list_entry(link, struct exchange, link);
        exchange_run_dispose(exchange);
        exchange_prepare_dispose(exchange);
        exchange_routes_dispose(exchange);
        call_dispose(&exchange->call);
        buf_dispose(&exchange->prediction_ids);
        free(exchange->client_token);
        free(exchange->model_id);
        free(exchange->error);
        if (exchange->request_id != exchange->own_id)
            free(exchange->request_id);
        config_unref(exchange->config);
        free(exchange);
    }
}
