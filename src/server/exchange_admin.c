/* Requests for the daemon's own endpoints, and what the status page is told of all other requests. */
#include "exchange_int.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/data_uri.h"
#include "server/admin.h"
#include "server/auth.h"

enum { PAGE_MAX_BYTES = 16 * 1024 * 1024, PASSWORD_MAX_BYTES = 4096 };

/* ---- answering ---- */

/* What a browser sends once it has asked for a name and a password (RFC 7617); the key is the password. NULL where
 * there is none. */
static const char *password_of(const struct exchange *exchange, struct buf *decoded)
{
    static const char scheme[] = "Basic ";
    const char *header = http_header(exchange->request, "Authorization");
    if (header == NULL || strncasecmp(header, scheme, sizeof scheme - 1) != 0)
        return NULL;
    const char *payload = header + sizeof scheme - 1;
    const struct data_uri text = {.payload = payload, .payload_length = strlen(payload), .is_base64 = true};
    const char *colon = data_uri_decode(&text, decoded) ? strchr(buf_text(decoded), ':') : NULL;
    return colon == NULL ? NULL : colon + 1;
}

static bool check_guard(struct exchange *exchange, struct error *err)
{
    struct buf decoded;
    buf_init(&decoded, PASSWORD_MAX_BYTES);
    const char *password = password_of(exchange, &decoded);
    const struct credentials credentials = {.x_api_key = password};
    bool is_allowed = password != NULL ? auth_check(exchange->config, &credentials, clock_wall_s(), &exchange->key, err)
                                       : exchange_check_key(exchange, err);
    buf_dispose(&decoded);
    if (is_allowed)
        return true;
    reply_header(&exchange->request->reply, "WWW-Authenticate", "Basic realm=\"replibridge\", charset=\"UTF-8\"");
    return false;
}

static void answer(struct exchange *exchange, const struct admin_endpoint *endpoint)
{
    struct worker *worker = exchange->worker;
    struct buf body;
    struct admin_answer answer = {0};
    const struct admin_request request = {.config = exchange->config,
                                          .board = worker->shared->board,
                                          .key = exchange->key,
                                          .is_draining = atomic_load(&worker->shared->is_draining),
                                          .nonce = exchange_unique(exchange)};
    buf_init(&body, PAGE_MAX_BYTES);
    endpoint->answer(&request, &body, &answer);
    if (answer.policy[0] != '\0') {
        reply_header(&exchange->request->reply, "Content-Security-Policy", answer.policy);
        reply_header(&exchange->request->reply, "Cache-Control", "no-store");
    }
    exchange_answer(exchange, answer.status, answer.content_type, &body);
}

bool exchange_answer_admin(struct exchange *exchange)
{
    const struct admin_endpoint *endpoint = admin_find(exchange->request->path);
    const char *method = exchange->request->method;
    struct error err = {0};
    if (endpoint == NULL)
        return false;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        reply_header(&exchange->request->reply, "Allow", "GET, HEAD");
        error_set(&err, ERROR_METHOD_NOT_SUPPORTED, NULL, "%s takes only GET and HEAD.", endpoint->path);
        exchange_fail(exchange, &err);
    } else if (endpoint->is_guarded && !check_guard(exchange, &err)) {
        exchange_fail(exchange, &err);
    } else {
        answer(exchange, endpoint);
    }
    return true;
}

/* ---- telling the status page ---- */

/* As the client named it, cut between characters; where it is a key in the wrong place, masked. */
static void take_alias(const struct exchange *exchange, char out[BOARD_TEXT_BYTES])
{
    const char *alias = exchange->call.alias == NULL ? "" : exchange->call.alias;
    error_quote(out, BOARD_TEXT_BYTES, alias, strlen(alias), NULL);
}

static void take_run(const struct exchange *exchange, struct board_run *run)
{
    static const char *const words[] = {
#define X(name, word) [EXCHANGE_##name] = word,
        EXCHANGE_STATES(X)
#undef X
    };
    const struct prediction *prediction = exchange->choices > 0 ? exchange->predictions[0] : NULL;
    *run = (struct board_run){.since_ms = exchange->timeline.received_ms};
    take_alias(exchange, run->alias);
    snprintf(run->id, sizeof run->id, "%s", prediction == NULL ? "" : prediction_id(prediction));
    run->state = prediction == NULL || run->id[0] == '\0' ? words[exchange->state] : prediction_status_word(prediction);
}

/* The lists are in the order in which their exchanges came into them: the oldest stand in front. */
void exchange_publish(struct worker *worker)
{
    struct board_run runs[BOARD_RUNS];
    size_t count = 0, total = 0;
    for (int state = EXCHANGE_STREAMING; state >= EXCHANGE_READING + 1; state--) {
        const struct list *list = &worker->exchanges.in[state];
        total += list->length;
        for (struct list_link *link = list_first(list); link != NULL && count < BOARD_RUNS;
             link = list_next(list, link))
            take_run(list_entry(link, struct exchange, link), &runs[count++]);
    }
    board_publish(worker->shared->board, worker->index, runs, count, total);
}

/* What a client did wrong says nothing of the model, nor does what its own token has run out of, nor that this daemon
 * has enough to do or ends. */
static bool is_of_model(const struct route *route, enum error_kind kind)
{
    switch (kind) {
    case ERROR_OVERLOADED:
    case ERROR_SHUTTING_DOWN:
        return false;
    case ERROR_PREDICTION_FAILED:
        return true;
    case ERROR_INSUFFICIENT_QUOTA:
        return route->token != NULL;
    default:
        return error_row(kind)->http_status >= 500;
    }
}

void exchange_note_route(const struct exchange *exchange, const struct route *route, enum error_kind kind)
{
    if (kind == ERROR_NONE || is_of_model(route, kind))
        board_note(exchange->worker->shared->board, route->metrics_index, kind);
}

/* The paths of the daemon itself count as little as whoever left before there was an answer. */
void exchange_note_end(const struct exchange *exchange)
{
    struct board *board = exchange->worker->shared->board;
    enum error_kind kind = exchange_error_kind(exchange);
    if (exchange->client_is_gone)
        return;
    if (exchange->endpoint != NULL)
        board_count(board, exchange->worker->index);
    if (exchange->route != NULL)
        exchange_note_route(exchange, exchange->route, kind);
    if (kind == ERROR_NONE)
        return;
    struct board_error error = {.at_s = clock_wall_s(), .kind = kind};
    take_alias(exchange, error.alias);
    snprintf(error.request_id, sizeof error.request_id, "%s", exchange->request_id);
    snprintf(error.prediction_id, sizeof error.prediction_id, "%s", buf_text(&exchange->prediction_ids));
    board_failed(board, &error);
}
