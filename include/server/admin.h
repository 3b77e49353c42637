/* The daemon's own endpoints: health, readiness, metrics, the status page. No prediction, ever. Any thread. */
#ifndef SERVER_ADMIN_H
#define SERVER_ADMIN_H

#include <stdbool.h>

#include "base/buf.h"
#include "config/config.h"
#include "server/board.h"

struct admin_request {
    const struct config *config;
    struct board *board;
    const struct key *key; /* which the client presented; NULL where none was asked for */
    bool is_draining;
    const char *nonce; /* letters and digits that nobody can guess, for a page with a script */
};

struct admin_answer {
    int status;
    const char *content_type;
    char policy[300]; /* the Content-Security-Policy; "" = none */
};

struct admin_endpoint {
    const char *path;
    void (*answer)(const struct admin_request *request, struct buf *out, struct admin_answer *answer);
    bool is_guarded; /* where there are keys, it asks for one */
    bool is_health;  /* probes ask it, from wherever they are */
};

/* The row for a path (GET and HEAD only, with or without /v1), or NULL. */
const struct admin_endpoint *admin_find(const char *path);

/* Is it one that probes ask? */
bool admin_is_health(const char *path);

#endif
