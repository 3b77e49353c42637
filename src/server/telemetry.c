/* Words for the labels, once; and what is counted of the daemon as a whole, in a slot of the main thread's. */
#include "server/telemetry.h"

#include "base/clock.h"
#include "replicate/prediction.h"
#include "replicate/transfer.h"
#include "server/exchange.h"
#include "server/http.h"

static struct metrics *slot;

static void name_predictions(void)
{
    for (size_t state = 0; state < PREDICTION_STATE_COUNT; state++)
        metrics_word(METRIC_LABEL_prediction_state, state, prediction_state_word((enum prediction_state)state));
}

static void collect(void *pacing)
{
    int64_t now_ms = clock_now_ms();
    metrics_set_at(slot, METRIC_upstream_budget_remaining, METRIC_BUDGET_calls,
                   pacing_remaining(pacing, BUDGET_CALLS, now_ms));
    metrics_set_at(slot, METRIC_upstream_budget_remaining, METRIC_BUDGET_creates,
                   pacing_remaining(pacing, BUDGET_CREATES, now_ms));
}

void telemetry_open(struct pacing *pacing)
{
    slot = metrics_new();
    exchange_name_metrics();
    name_predictions();
    metrics_identify(http_library_version(), transfer_curl_version());
    metrics_set(slot, METRIC_config_last_reload_successful, 1);
    metrics_set(slot, METRIC_config_last_reload_success_timestamp_seconds, clock_wall_s());
    metrics_on_read(collect, pacing);
}

void telemetry_close(void)
{
    metrics_on_read(NULL, NULL);
    metrics_free(slot);
    slot = NULL;
}

void telemetry_name_routes(struct config *config)
{
    for (size_t i = 0; i < config->route_count; i++)
        for (struct route *route = config->routes[i]; route != NULL; route = route->next)
            route->metrics_index = metrics_name(METRIC_LABEL_alias, config->routes[i]->alias);
}

/* The start counts as a load that went well, but is no reload. */
void telemetry_note_load(enum metric_result result)
{
    metrics_add_at(slot, METRIC_config_reloads_total, (size_t)result, 0, 1);
    metrics_set(slot, METRIC_config_last_reload_successful, result == METRIC_RESULT_success);
    if (result == METRIC_RESULT_success)
        metrics_set(slot, METRIC_config_last_reload_success_timestamp_seconds, clock_wall_s());
}
