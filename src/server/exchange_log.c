/* What the log says of a request: one line at its end, with where its time went. */
#include "exchange_int.h"

#include "base/clock.h"
#include "base/log.h"

static void note_first(int64_t *moment_ms, int64_t seen_ms)
{
    if (seen_ms >= 0 && (*moment_ms == 0 || seen_ms < *moment_ms))
        *moment_ms = seen_ms;
}

void exchange_note_times(struct exchange *exchange, const struct prediction_times *times)
{
    note_first(&exchange->timeline.created_ms, times->created_ms);
    note_first(&exchange->timeline.booted_ms, times->running_ms);
}

/* Since the request was received; left out where it did not come to that. */
static struct log_field moment(const struct exchange *exchange, const char *name, int64_t moment_ms)
{
    return moment_ms == 0 ? log_text(name, NULL) : log_number(name, moment_ms - exchange->timeline.received_ms);
}

static struct log_field tokens(const struct exchange *exchange, const char *name, int64_t count)
{
    return exchange->call.usage_source == NULL ? log_text(name, NULL) : log_number(name, count);
}

static const char *outcome_word(const struct exchange *exchange, bool sent)
{
    return exchange->client_is_gone ? "client_gone" : sent ? "sent" : "not_sent";
}

void exchange_log(const struct exchange *exchange, bool sent)
{
    const struct reply *reply = &exchange->request->reply;
    const struct timeline *timeline = &exchange->timeline;
    const struct error_row *row = exchange->error.kind == ERROR_NONE ? NULL : error_row(exchange->error.kind);
    bool is_incident = row != NULL && row->is_incident;
    log_write(
        is_incident ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "request", log_text("id", exchange->request_id),
        log_text("method", exchange->request->method),
        log_text("endpoint", exchange->endpoint == NULL ? NULL : exchange->endpoint->name),
        log_text("path", exchange->endpoint == NULL ? exchange->request->path : NULL),
        log_number("status", reply->status), log_text("error", row == NULL ? NULL : row->name),
        log_text("reason", is_incident ? exchange->error.message : NULL),
        log_text("outcome", outcome_word(exchange, sent)), log_text("model", exchange->call.alias),
        log_text("reference", exchange->route == NULL ? NULL : exchange->route->reference),
        log_text("version", exchange->version[0] == '\0' ? NULL : exchange->version),
        log_text("prediction", exchange->prediction_ids.length == 0 ? NULL : buf_text(&exchange->prediction_ids)),
        log_text("key", exchange->key == NULL ? NULL : exchange->key->name),
        log_text("usage", exchange->call.usage_source), tokens(exchange, "input_tokens", exchange->call.input_tokens),
        tokens(exchange, "output_tokens", exchange->call.output_tokens),
        log_text("joined", exchange->is_second ? "an earlier try" : NULL), log_number("polls", exchange->polls),
        log_number("bytes_in", (int64_t)exchange->request_bytes), log_number("bytes", (int64_t)reply->body_bytes),
        moment(exchange, "queued_ms", timeline->admitted_ms), moment(exchange, "started_ms", timeline->started_ms),
        moment(exchange, "created_ms", timeline->created_ms), moment(exchange, "booted_ms", timeline->booted_ms),
        moment(exchange, "first_piece_ms", timeline->first_piece_ms),
        moment(exchange, "finished_ms", timeline->finished_ms),
        log_number("total_ms", clock_now_ms() - timeline->received_ms));
}
