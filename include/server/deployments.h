/* How well the deployments of an alias are, and which of them runs the next request.
 *
 * A deployment that fails too often cools down: it is left alone for a while, as long as there is anything else to go
 * to. A breaker only diverts, it never refuses. The rule of the choice, among those that are well and that the request
 * has not tried yet: those with a weight before those without; then the one with the fewest requests in flight for its
 * weight; and between equals the one that is furthest behind its share.
 *
 * A deployment is known by its alias, its place among the alias's deployments, and its reference, so that what is
 * remembered of it outlives a reload. Shared by all workers: any thread, one mutex inside. Bounded: where there is no
 * room, the one that was not looked at for longest is forgotten, and where all are in use, a new one is not remembered.
 * What has nothing to be diverted to should not ask: it would take a lock for nothing. */
#ifndef SERVER_DEPLOYMENTS_H
#define SERVER_DEPLOYMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/route.h"

enum { DEPLOYMENTS_MAX = 1024, DEPLOYMENTS_WINDOW_MS = 60 * 1000 };

struct deployments;
struct deployment;

struct deployments *deployments_new(void);
void deployments_free(struct deployments *deployments); /* NULL is fine; none may be in use any more */

/* What a request has tried: a deployment of an alias, or with `route` NULL the alias as a whole. */
struct route_try {
    const char *alias;
    const struct route *route;
};

struct deployments_request {
    const char *alias;         /* as the client, or the list of fallbacks, names it */
    const struct route *first; /* the alias's first deployment */
    const struct route_try *tries;
    size_t try_count;
    bool takes_any; /* where all that is left cools down, the one that is well again first; else none */
};

bool deployments_was_tried(const struct deployments_request *request, const struct route *route);

/* The deployment that is to run next; NULL where there is none. */
const struct route *deployments_pick(struct deployments *deployments, const struct deployments_request *request);

/* It runs a request from now on, until deployments_end; NULL where it is not remembered. */
struct deployment *deployments_begin(struct deployments *deployments, const char *alias, const struct route *route);

enum deployment_end {
    DEPLOYMENT_WELL,   /* it has answered: its failures are forgotten */
    DEPLOYMENT_FAILED, /* it counts against it */
    DEPLOYMENT_LEFT,   /* nothing is known: the client left, or the request was at fault */
};

/* What an error says of the deployment that gave it: one that another request would get, too, is its failure. */
enum deployment_end deployments_judge(const struct error *error);

/* *deployment becomes NULL; harmless where it is. `route` is the one it began with. More than `allowed_fails` failures
 * within DEPLOYMENTS_WINDOW_MS from the first of them let it cool down for `cooldown_ms`; afterwards it is on trial:
 * one more failure, before it has answered well, does so again. */
void deployments_end(struct deployments *deployments, struct deployment **deployment, const struct route *route,
                     enum deployment_end end);

#endif
