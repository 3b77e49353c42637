/* What the metrics need to know of the whole daemon: the words of its labels, the aliases of a configuration, how
 * reloads went, and the gauges that are read off when somebody asks. The main thread. */
#ifndef SERVER_TELEMETRY_H
#define SERVER_TELEMETRY_H

#include "base/metrics.h"
#include "config/config.h"
#include "replicate/pacing.h"

/* Before there are workers, and after all. `pacing` is asked for what is left of its budgets. */
void telemetry_open(struct pacing *pacing);
void telemetry_close(void);

/* Gives each route the index of its alias; before the configuration is published. A wildcard counts under its pattern,
 * so that no client can add a label. */
void telemetry_name_routes(struct config *config);

/* A reload has succeeded, or failed. */
void telemetry_note_load(enum metric_result result);

#endif
