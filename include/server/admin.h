/* The daemon's own endpoints: health, readiness, metrics. No key, no prediction, ever. Any thread. */
#ifndef SERVER_ADMIN_H
#define SERVER_ADMIN_H

#include <stdbool.h>

#include "base/buf.h"
#include "config/config.h"

struct admin_answer {
    int status;
    const char *content_type;
};

struct admin_endpoint {
    const char *path;
    void (*answer)(const struct config *config, bool is_draining, struct buf *out, struct admin_answer *answer);
};

/* The row for a path (GET and HEAD only, with or without /v1), or NULL. */
const struct admin_endpoint *admin_find(const char *path);

/* Is it one that probes ask, from wherever they are? */
bool admin_is_health(const char *path);

#endif
