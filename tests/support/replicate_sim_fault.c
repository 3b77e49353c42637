/* Faults of the simulated Replicate: which request they hit, what Replicate says in each kind of trouble, and how an
 * answer is bent on its way out. */
#include "replicate_sim_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"

/* Reason phrase, and the body that Replicate was seen to send (NULL title: it sends none). */
static const struct {
    int status;
    const char *reason, *title, *detail;
} statuses[] = {
    {200, "OK", NULL, NULL},
    {201, "Created", NULL, NULL},
    {202, "Accepted", NULL, NULL},
    {204, "No Content", NULL, NULL},
    {400, "Bad Request", NULL, "Failed to parse request body as JSON: unexpected end of JSON input"},
    {401, "Unauthorized", "Unauthenticated", "You did not pass a valid authentication token"},
    {402, "Payment Required", "Insufficient credit",
     "You have insufficient credit to run this model. Go to https://replicate.com/account/billing#billing to purchase "
     "credit. Once you purchase credit, please wait a few minutes before trying again."},
    {403, "Forbidden", NULL, "You do not have permission to perform this action."},
    {404, "Not Found", NULL, "The requested resource could not be found."},
    {405, "Method Not Allowed", NULL, NULL},
    {413, "Content Too Large", NULL, "Request body too large"},
    {422, "Unprocessable Entity", "Invalid version or not permitted",
     "The specified version does not exist (or perhaps you don't have permission to use it?)"},
    {429, "Too Many Requests", NULL, NULL},
    {500, "Internal Server Error", NULL, "Internal server error"},
    {502, "Bad Gateway", NULL, "Bad gateway"},
    {503, "Service Unavailable", NULL, "Service unavailable"},
    {504, "Gateway Timeout", NULL, "Gateway timeout"},
};

enum { STATUS_COUNT = sizeof(statuses) / sizeof(statuses[0]), REFILL_BYTES = 65536, CHUNK_BYTES = 7 };

const char *sim_fault_reason(int status)
{
    for (size_t i = 0; i < STATUS_COUNT; i++)
        if (statuses[i].status == status)
            return statuses[i].reason;
    return "Unknown";
}

/* --- Which request ---------------------------------------------------------------------------------------------- */

void replicate_sim_fault(struct replicate_sim *sim, enum sim_endpoint endpoint, const struct sim_fault_spec *spec)
{
    sim_lock(sim);
    if (spec->fault == SIM_FAULT_REFUSE) {
        sim_refuse_connections(sim, spec->delay_ms);
    } else if (spec->fault != SIM_FAULT_NONE) {
        struct fault *fault = xcalloc(1, sizeof(*fault));
        fault->spec = *spec;
        fault->spec.model = xstrdup(spec->model);
        fault->spec.headers = xstrdup(spec->headers);
        fault->spec.body = xstrdup(spec->body);
        fault->endpoint = endpoint;
        fault->spared = spec->after;
        fault->left = spec->count == 0 ? 1 : spec->count;
        list_append(&sim->faults, &fault->link);
    }
    sim_unlock(sim);
}

void replicate_sim_clear_faults(struct replicate_sim *sim)
{
    struct list_link *link;
    sim_lock(sim);
    /* Kept until the stop: a request under way may still be looking at its fault. */
    while ((link = list_shift(&sim->faults)))
        list_append(&sim->retired_faults, link);
    sim_timer_clear(sim, &sim->listen_timer);
    sim_listen(sim);
    sim_unlock(sim);
}

void sim_fault_free(struct fault *fault)
{
    free((char *)fault->spec.model);
    free((char *)fault->spec.headers);
    free((char *)fault->spec.body);
    free(fault);
}

/* A fault for one model leaves requests about no model alone. */
static bool fits(const struct fault *fault, enum sim_endpoint endpoint, const char *model)
{
    return (fault->endpoint == SIM_ANY || fault->endpoint == endpoint) &&
           (!fault->spec.model || strcmp(fault->spec.model, model) == 0);
}

const struct fault *sim_fault_pick(struct replicate_sim *sim, enum sim_endpoint endpoint, const char *model)
{
    for (struct list_link *link = list_first(&sim->faults); link; link = list_next(&sim->faults, link)) {
        struct fault *fault = list_entry(link, struct fault, link);
        if (!fits(fault, endpoint, model))
            continue;
        if (fault->spared > 0) {
            fault->spared--;
            continue;
        }
        if (fault->left != SIM_FOREVER && --fault->left == 0) {
            list_remove(&fault->link);
            list_append(&sim->retired_faults, &fault->link);
        }
        sim->counters.faulted++;
        return fault;
    }
    return NULL;
}

/* The difference between "surely not created" and "who knows" is what a client must get right. */
bool sim_fault_does_nothing(const struct fault *fault)
{
    switch (fault->spec.fault) {
    case SIM_FAULT_CLOSE_BEFORE_HEADERS:
    case SIM_FAULT_HTML:
    case SIM_FAULT_STATUS:
    case SIM_FAULT_RESET:
        return true;
    default:
        return false;
    }
}

/* --- What is said ----------------------------------------------------------------------------------------------- */

/* The short texts come alone; the long ones with status and retry_after. */
static void throttled(struct answer *answer, const struct sim_fault_spec *spec)
{
    int seconds = spec->retry_after_s ? spec->retry_after_s : 1;
    bool is_short = spec->throttle == SIM_THROTTLE_SHORT || spec->throttle == SIM_THROTTLE_OLD;
    char detail[512];
    if (spec->throttle == SIM_THROTTLE_OLD)
        snprintf(detail, sizeof(detail), "Request was throttled. Expected available in %d second%s.", seconds,
                 seconds == 1 ? "" : "s");
    else if (spec->throttle == SIM_THROTTLE_SHORT)
        snprintf(detail, sizeof(detail), "Request was throttled. Your rate limit resets in ~%ds.", seconds);
    else
        snprintf(detail, sizeof(detail),
                 "Request was throttled. Your rate limit for creating predictions is reduced to 6 requests per minute "
                 "with a burst of 1 requests %s. Your rate limit resets in ~%ds.",
                 spec->throttle == SIM_THROTTLE_NO_PAYMENT ? "until you add a payment method"
                                                           : "while you have less than $5.0 in credit",
                 seconds);
    json_t *body = json_pack("{s:s}", "detail", detail);
    if (!is_short)
        json_object_set_new(body, "status", json_integer(429));
    if (!is_short && !spec->no_retry_after_in_body)
        json_object_set_new(body, "retry_after", json_integer(seconds));
    sim_answer_json(answer, 429, body);
    if (spec->retry_after_header)
        buf_printf(&answer->headers, "Retry-After: %d\r\n", seconds);
}

/* What stands before Replicate speaks HTML, not JSON. */
static void html_page(struct answer *answer, int status)
{
    answer->status = status;
    answer->content_type = "text/html; charset=UTF-8";
    buf_clear(&answer->body);
    buf_printf(&answer->body,
               "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head><title>api.replicate.com | %d: %s</title></head>\n"
               "<body><div id=\"cf-wrapper\"><h1>%s <span>Error code %d</span></h1>\n"
               "<p>The web server reported an error.</p></div></body>\n</html>\n",
               status, sim_fault_reason(status), sim_fault_reason(status), status);
    buf_append_text(&answer->headers, "Server: cloudflare\r\n");
}

/* The usual body of a status, or the one that the test gave. */
static void say_status(struct answer *answer, const struct sim_fault_spec *spec)
{
    int status = spec->status ? spec->status : 500;
    const char *title = NULL, *detail = NULL;
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        if (statuses[i].status == status) {
            title = statuses[i].title;
            detail = statuses[i].detail;
        }
    }
    if (status == 429)
        throttled(answer, spec);
    else
        sim_answer_problem(answer, status, title, detail ? detail : sim_fault_reason(status));
    if (spec->body) {
        buf_clear(&answer->body);
        buf_append_text(&answer->body, spec->body);
    }
}

/* For a connection that is only closed there is nothing to say: the empty answer is cut away later. */
void sim_fault_refuse(struct answer *answer, const struct fault *fault)
{
    const struct sim_fault_spec *spec = &fault->spec;
    if (spec->fault == SIM_FAULT_STATUS)
        say_status(answer, spec);
    else if (spec->fault == SIM_FAULT_HTML)
        html_page(answer, spec->status ? spec->status : 502);
}

/* --- How it is sent --------------------------------------------------------------------------------------------- */

enum framing { FRAMING_LENGTH, FRAMING_LONGER, FRAMING_SHORTER, FRAMING_CHUNKED, FRAMING_NONE };

static enum framing framing_of(enum sim_fault fault)
{
    switch (fault) {
    case SIM_FAULT_LENGTH_TOO_LONG:
        return FRAMING_LONGER;
    case SIM_FAULT_LENGTH_TOO_SHORT:
        return FRAMING_SHORTER;
    case SIM_FAULT_CHUNKED:
        return FRAMING_CHUNKED;
    case SIM_FAULT_NO_LENGTH:
    case SIM_FAULT_HUGE_BODY:
        return FRAMING_NONE;
    default:
        return FRAMING_LENGTH;
    }
}

/* Lies about the length by half of it and one, so that it is a lie for an empty body too. */
static void put_framing(struct connection *connection, enum framing framing, size_t length)
{
    size_t shift = length / 2 + 1;
    if (framing == FRAMING_CHUNKED)
        buf_append_text(&connection->out, "Transfer-Encoding: chunked\r\n");
    else if (framing != FRAMING_NONE)
        buf_printf(&connection->out, "Content-Length: %zu\r\n",
                   framing == FRAMING_LONGER                      ? length + shift
                   : framing == FRAMING_SHORTER && length > shift ? length - shift
                                                                  : length);
    if (framing == FRAMING_LONGER || framing == FRAMING_NONE)
        connection->close_after = true;
    if (connection->close_after)
        buf_append_text(&connection->out, "Connection: close\r\n");
}

/* Chunks of a few bytes, so that they split words, numbers and UTF-8 characters. */
static void put_body(struct connection *connection, enum framing framing, const struct buf *body)
{
    if (framing != FRAMING_CHUNKED) {
        buf_append(&connection->out, buf_text(body), body->length);
        return;
    }
    for (size_t at = 0; at < body->length; at += CHUNK_BYTES) {
        size_t left = body->length - at, length = left < CHUNK_BYTES ? left : CHUNK_BYTES;
        buf_printf(&connection->out, "%zx\r\n", length);
        buf_append(&connection->out, body->data + at, length);
        buf_append_text(&connection->out, "\r\n");
    }
    buf_append_text(&connection->out, "0\r\n\r\n");
}

/* The whole answer in `out`; returns how many bytes its headers are. */
static size_t put_answer(struct connection *connection, const struct answer *answer, enum sim_fault fault)
{
    struct buf *out = &connection->out;
    enum framing framing = framing_of(fault);
    bool has_body = answer->status != 204;
    buf_printf(out, "HTTP/1.1 %d %s\r\n", answer->status, sim_fault_reason(answer->status));
    if (has_body)
        buf_printf(out, "Content-Type: %s\r\n", answer->content_type ? answer->content_type : "application/json");
    buf_append_text(out, buf_text(&answer->headers));
    if (has_body || framing != FRAMING_LENGTH)
        put_framing(connection, framing, answer->body.length);
    buf_append_text(out, "\r\n");
    size_t headers = out->length;
    if (fault != SIM_FAULT_HUGE_BODY)
        put_body(connection, framing, &answer->body);
    else
        buf_append_text(out, "{\"id\":\"");
    return headers;
}

/* Inside a JSON string, so that a parser has no reason to stop before its owner does. */
void sim_fault_refill(struct connection *connection)
{
    char filling[REFILL_BYTES];
    memset(filling, 'a', sizeof(filling));
    buf_clear(&connection->out);
    connection->sent = 0;
    buf_append(&connection->out, filling, sizeof(filling));
}

/* What the test wants said otherwise. */
static void rewrite(struct answer *answer, const struct sim_fault_spec *spec)
{
    if (spec->fault == SIM_FAULT_STATUS_AFTER)
        say_status(answer, spec);
    if (spec->fault == SIM_FAULT_INVALID_JSON) {
        buf_clear(&answer->body);
        buf_append_text(&answer->body, spec->body ? spec->body : "{\"id\": \"abc\", \"status\": succ");
    } else if (spec->fault == SIM_FAULT_HTML && spec->body) {
        buf_clear(&answer->body);
        buf_append_text(&answer->body, spec->body);
    }
    if (spec->headers)
        buf_append_text(&answer->headers, spec->headers);
}

/* Cuts the answer short where the fault says so. */
static void cut(struct connection *connection, const struct sim_fault_spec *spec, size_t headers)
{
    size_t keep = connection->out.length, body = keep - headers;
    switch (spec->fault) {
    case SIM_FAULT_CLOSE_BEFORE_HEADERS:
    case SIM_FAULT_READ_AND_CLOSE:
    case SIM_FAULT_RESET:
    case SIM_FAULT_RESET_AFTER:
        keep = 0;
        break;
    case SIM_FAULT_CLOSE_IN_HEADERS:
        keep = headers / 2;
        break;
    case SIM_FAULT_CUT_BODY:
        keep = headers + (spec->cut_at && spec->cut_at < body ? spec->cut_at : body / 2);
        break;
    default:
        return;
    }
    connection->out.length = keep;
    connection->close_after = true;
    connection->reset_after = spec->fault == SIM_FAULT_RESET || spec->fault == SIM_FAULT_RESET_AFTER;
}

/* A request that is kept silent stays in service: its connection answers nothing more, but notices a hang-up. */
void sim_fault_answer(struct replicate_sim *sim, struct connection *connection, struct answer *answer)
{
    const struct fault *fault = connection->fault;
    enum sim_fault kind = fault ? fault->spec.fault : SIM_FAULT_NONE;
    if (kind == SIM_FAULT_SILENT) {
        sim_answer_dispose(answer);
        return;
    }
    if (fault)
        rewrite(answer, &fault->spec);
    size_t headers = put_answer(connection, answer, kind);
    if (fault)
        cut(connection, &fault->spec, headers);
    sim_answer_dispose(answer);
    if (fault && fault->spec.delay_ms > 0)
        sim_timer_set(sim, &connection->timer, sim_now(sim) + fault->spec.delay_ms);
    else
        sim_connection_write(sim, connection);
}
