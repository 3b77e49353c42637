/* What the log says of a request: one line at its end, with where its time went; and before, where that is wanted, what
 * was asked. */
#include "exchange_int.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
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

/* ---- what was asked ---- */

/* What follows the texts, such as images, is named by its type alone. */
static void append_content(const json_t *content, struct buf *out)
{
    size_t index;
    json_t *part;
    if (json_is_string(content))
        buf_append(out, json_string_value(content), json_string_length(content));
    json_array_foreach(content, index, part)
    {
        const char *text = json_text(part, "text"), *type = json_text(part, "type");
        if (index > 0)
            buf_append_text(out, " ");
        if (text != NULL)
            buf_append_text(out, text);
        else
            buf_printf(out, "[%s]", type == NULL ? "part" : type);
    }
}

void exchange_log_prompt(const struct exchange *exchange)
{
    /* More than a line takes, for the log to cut where it must. */
    enum { PROMPT_BYTES = 8 * 1024 };
    size_t index;
    json_t *message;
    struct buf text;
    char shown[PROMPT_BYTES + 1];
    if (!exchange->config->log_prompts || exchange->call.messages == NULL || !log_is_on(LOG_LEVEL_INFO))
        return;
    buf_init(&text, 64 * 1024 * 1024);
    json_array_foreach(exchange->call.messages, index, message)
    {
        const char *role = json_text(message, "role");
        buf_printf(&text, "%s%s: ", index == 0 ? "" : " ", role == NULL ? "" : role);
        append_content(json_object_get(message, "content"), &text);
        if (text.length > PROMPT_BYTES)
            break;
    }
    error_quote(shown, sizeof shown, buf_text(&text), text.length < PROMPT_BYTES ? text.length : PROMPT_BYTES,
                exchange_token(exchange));
    log_write(LOG_LEVEL_INFO, "prompt", log_text("id", exchange->request_id), log_text("model", exchange->call.alias),
              log_text("prompt", shown));
    buf_dispose(&text);
}

/* ---- the end ---- */

static const char *outcome_word(const struct exchange *exchange, bool sent)
{
    return exchange->client_is_gone ? "client_gone" : sent ? "sent" : "not_sent";
}

/* A name or a path that nothing here has may be a key that somebody put in the wrong place. */
enum { UNKNOWN_BYTES = 1024 };

static const char *unknown_model(const struct exchange *exchange, char room[UNKNOWN_BYTES])
{
    const char *alias = exchange->call.alias;
    if (alias == NULL || exchange->route != NULL)
        return alias;
    error_quote(room, UNKNOWN_BYTES, alias, strlen(alias), NULL);
    return room;
}

static const char *unknown_path(const struct exchange *exchange, char room[UNKNOWN_BYTES])
{
    const char *path = exchange->request->path;
    if (exchange->endpoint != NULL)
        return NULL;
    error_quote(room, UNKNOWN_BYTES, path, strlen(path), NULL);
    return room;
}

void exchange_log(const struct exchange *exchange, bool sent)
{
    const struct reply *reply = &exchange->request->reply;
    const struct timeline *timeline = &exchange->timeline;
    const struct error_row *row = exchange->error == NULL ? NULL : error_row(exchange->error->kind);
    bool is_incident = row != NULL && row->is_incident;
    bool is_fallback = exchange->routes.asked_name != NULL;
    char model[UNKNOWN_BYTES], path[UNKNOWN_BYTES];
    /* Never limited, however often the same goes wrong: each request has its line. */
    const struct log_field fields[] = {
        log_text("id", exchange->request_id),
        log_text("method", exchange->request->method),
        log_text("endpoint", exchange->endpoint == NULL ? NULL : exchange->endpoint->name),
        log_text("path", unknown_path(exchange, path)),
        log_number("status", reply->status),
        log_text("error", row == NULL ? NULL : row->name),
        log_text("reason", is_incident ? exchange->error->message : NULL),
        log_text("outcome", outcome_word(exchange, sent)),
        log_text("model", is_fallback ? exchange->routes.asked_name : unknown_model(exchange, model)),
        log_text("fallback", is_fallback ? exchange->call.alias : NULL),
        log_number("attempts", exchange->routes.attempts),
        log_text("reference", exchange->route == NULL ? NULL : exchange->route->reference),
        log_text("version", exchange->version),
        log_text("prediction", exchange->prediction_ids.length == 0 ? NULL : buf_text(&exchange->prediction_ids)),
        log_text("key", exchange->key == NULL ? NULL : exchange->key->name),
        log_text("usage", exchange->call.usage_source),
        tokens(exchange, "input_tokens", exchange->call.input_tokens),
        tokens(exchange, "output_tokens", exchange->call.output_tokens),
        log_text("joined", exchange->is_second ? "an earlier try" : NULL),
        log_number("polls", exchange->polls),
        log_number("bytes_in", (int64_t)exchange->request_bytes),
        log_number("bytes", (int64_t)reply->body_bytes),
        moment(exchange, "queued_ms", timeline->admitted_ms),
        moment(exchange, "started_ms", timeline->started_ms),
        moment(exchange, "created_ms", timeline->created_ms),
        moment(exchange, "booted_ms", timeline->booted_ms),
        moment(exchange, "first_piece_ms", timeline->first_piece_ms),
        moment(exchange, "finished_ms", timeline->finished_ms),
        log_number("total_ms", clock_now_ms() - timeline->received_ms),
        {0}};
    log_event(is_incident ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "request", fields);
}
