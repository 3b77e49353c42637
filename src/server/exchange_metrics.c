/* What is counted of a request: once at the end of each of its predictions, and once at its own. */
#include "exchange_int.h"

#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "server/admin.h"

/* Nothing was answered; nginx logs the same code for it. */
enum { CODE_CLIENT_GONE = 499 };

enum { ENDPOINT_OTHER, ENDPOINT_ADMIN, ENDPOINT_FIRST_ROW, ROWS_MAX = 64 };

static size_t row_indexes[ROWS_MAX]; /* of the endpoints' labels; written before there are workers */

static const char *const state_words[] = {
#define X(name, word) [EXCHANGE_##name] = word,
    EXCHANGE_STATES(X)
#undef X
};

/* Several rows may be one endpoint under several paths: then they are one series, too. */
static void name_endpoints(void)
{
    size_t count, next = ENDPOINT_FIRST_ROW;
    const struct endpoint *rows = endpoint_rows(&count);
    ensure(count <= ROWS_MAX);
    metrics_word(METRIC_LABEL_endpoint, ENDPOINT_OTHER, "other");
    metrics_word(METRIC_LABEL_endpoint, ENDPOINT_ADMIN, "admin");
    for (size_t row = 0; row < count; row++) {
        size_t same = 0;
        while (strcmp(rows[same].name, rows[row].name) != 0)
            same++;
        row_indexes[row] = same < row ? row_indexes[same] : next++;
        metrics_word(METRIC_LABEL_endpoint, row_indexes[row], rows[row].name);
    }
}

void exchange_name_metrics(void)
{
    name_endpoints();
    for (size_t state = 0; state < EXCHANGE_CLOSED; state++)
        metrics_word(METRIC_LABEL_request_state, state, state_words[state]);
}

static void count_tokens(struct metrics *metrics, size_t alias, const struct usage *usage)
{
    metrics_add_at(metrics, METRIC_tokens_total, alias, METRIC_TOKEN_input, usage->input_tokens);
    metrics_add_at(metrics, METRIC_tokens_total, alias, METRIC_TOKEN_output, usage->output_tokens);
    metrics_add_at(metrics, METRIC_tokens_total, alias, METRIC_TOKEN_reasoning, usage->reasoning_tokens);
}

/* Whoever follows an earlier try came late, and saw neither the beginning nor the boot. */
void exchange_count_outcome(const struct exchange *exchange, const struct outcome *outcome)
{
    struct metrics *metrics = exchange->worker->metrics;
    size_t alias = exchange->route->metrics_index;
    count_tokens(metrics, alias, &outcome->usage);
    if (exchange->is_second)
        return;
    if (outcome->boot_ms >= 0)
        metrics_observe(metrics, METRIC_prediction_boot_seconds, alias, outcome->boot_ms);
    if (outcome->succeeded && outcome->run_ms >= 0)
        metrics_observe(metrics, METRIC_prediction_run_seconds, alias, outcome->run_ms);
}

static size_t endpoint_index(const struct exchange *exchange)
{
    size_t count;
    if (exchange->endpoint != NULL)
        return row_indexes[exchange->endpoint - endpoint_rows(&count)];
    return admin_find(exchange->request->path) != NULL ? ENDPOINT_ADMIN : ENDPOINT_OTHER;
}

void exchange_count(const struct exchange *exchange)
{
    struct metrics *metrics = exchange->worker->metrics;
    const struct timeline *timeline = &exchange->timeline;
    int status = exchange->request->reply.status;
    metrics_add_at(metrics, METRIC_requests_total, endpoint_index(exchange),
                   status > 0 ? (size_t)status : CODE_CLIENT_GONE, 1);
    if (exchange->error != NULL)
        metrics_add_at(metrics, METRIC_errors_total, exchange->error->kind, 0, 1);
    if (exchange->client_is_gone)
        metrics_add(metrics, METRIC_clients_gone_total, 1);
    if (exchange->route == NULL)
        return;
    size_t alias = exchange->route->metrics_index;
    metrics_observe(metrics, METRIC_request_duration_seconds, alias, clock_now_ms() - timeline->received_ms);
    if (timeline->first_piece_ms > 0)
        metrics_observe(metrics, METRIC_first_piece_seconds, alias, timeline->first_piece_ms - timeline->received_ms);
}

/* A request that fails gives up its other choices, whatever the reason. */
enum metric_reason exchange_cancel_reason(const struct exchange *exchange)
{
    if (exchange->client_is_gone)
        return METRIC_REASON_client_gone;
    if (exchange_error_kind(exchange) == ERROR_SHUTTING_DOWN)
        return METRIC_REASON_drain;
    return exchange_error_kind(exchange) == ERROR_TIMEOUT ? METRIC_REASON_deadline : METRIC_REASON_sibling;
}
