/* The memory of deployments: a list, the one looked at last at its end, under one mutex. */
#include "server/deployments.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/list.h"
#include "base/log.h"

struct deployment {
    struct list_link link;
    char *alias, *reference;
    int place;
    int64_t in_flight;
    int64_t credit;           /* how far it is behind its share */
    int64_t fails, window_ms; /* failures since then; 0 = none yet */
    int64_t cools_until_ms;   /* 0 = it does not, and is not on trial */
};

struct deployments {
    pthread_mutex_t mutex; /* guards all */
    struct list by_use;    /* the one looked at last at the end */
};

struct deployments *deployments_new(void)
{
    struct deployments *deployments = xcalloc(1, sizeof *deployments);
    ensure(pthread_mutex_init(&deployments->mutex, NULL) == 0);
    list_init(&deployments->by_use);
    return deployments;
}

static void forget(struct deployment *deployment)
{
    free(deployment->alias);
    free(deployment->reference);
    free(deployment);
}

void deployments_free(struct deployments *deployments)
{
    if (deployments == NULL)
        return;
    for (struct list_link *link; (link = list_shift(&deployments->by_use)) != NULL;)
        forget(list_entry(link, struct deployment, link));
    pthread_mutex_destroy(&deployments->mutex);
    free(deployments);
}

/* ---- the list; with the mutex held ---- */

static struct deployment *find(struct deployments *deployments, const char *alias, const struct route *route)
{
    struct list *list = &deployments->by_use;
    for (struct list_link *link = list_first(list); link != NULL; link = list_next(list, link)) {
        struct deployment *found = list_entry(link, struct deployment, link);
        if (found->place == route->deployment && strcmp(found->alias, alias) == 0 &&
            strcmp(found->reference, route->reference) == 0)
            return found;
    }
    return NULL;
}

/* Room for one more: the first that nobody uses was not looked at for longest, and is forgotten. */
static bool make_room(struct deployments *deployments)
{
    struct list *list = &deployments->by_use;
    if (list->length < DEPLOYMENTS_MAX)
        return true;
    for (struct list_link *link = list_first(list); link != NULL; link = list_next(list, link)) {
        struct deployment *oldest = list_entry(link, struct deployment, link);
        if (oldest->in_flight > 0)
            continue;
        list_remove(link);
        forget(oldest);
        return true;
    }
    return false;
}

static struct deployment *get(struct deployments *deployments, const char *alias, const struct route *route)
{
    struct deployment *deployment = find(deployments, alias, route);
    if (deployment == NULL) {
        if (!make_room(deployments))
            return NULL;
        deployment = xcalloc(1, sizeof *deployment);
        deployment->alias = xstrdup(alias);
        deployment->reference = xstrdup(route->reference);
        deployment->place = route->deployment;
    } else {
        list_remove(&deployment->link);
    }
    list_append(&deployments->by_use, &deployment->link);
    return deployment;
}

/* ---- which one ---- */

bool deployments_was_tried(const struct deployments_request *request, const struct route *route)
{
    for (size_t i = 0; i < request->try_count; i++) {
        const struct route_try *try = &request->tries[i];
        if ((try->route == NULL || try->route == route) && strcmp(try->alias, request->alias) == 0)
            return true;
    }
    return false;
}

/* What is known of one that may be chosen; `known` is NULL where there was no room to remember it. */
struct candidate {
    const struct route *route;
    struct deployment *known;
};

static int64_t in_flight(const struct candidate *candidate)
{
    return candidate->known == NULL ? 0 : candidate->known->in_flight;
}

static int64_t cools_until_ms(const struct candidate *candidate)
{
    return candidate->known == NULL ? 0 : candidate->known->cools_until_ms;
}

/* Those without a weight share evenly, once it comes to them. */
static int64_t weight(const struct route *route)
{
    return route->weight > 0 ? route->weight : 1;
}

/* Below 0: `a` is to run before `b`; 0: either, and their shares decide. */
static int compare(const struct candidate *a, const struct candidate *b)
{
    if ((a->route->weight > 0) != (b->route->weight > 0))
        return a->route->weight > 0 ? -1 : 1;
    double left = (double)in_flight(a) / (double)weight(a->route);
    double right = (double)in_flight(b) / (double)weight(b->route);
    return left < right ? -1 : left > right;
}

/* Of a huge group only the first are remembered: they must not push each other out while one of them is chosen. */
static struct candidate candidate_of(struct deployments *deployments, const struct deployments_request *request,
                                     const struct route *route)
{
    bool is_remembered = route->deployment < DEPLOYMENTS_MAX / 2;
    return (struct candidate){route, is_remembered ? get(deployments, request->alias, route) : NULL};
}

static bool is_open(const struct deployments_request *request, const struct candidate *candidate, int64_t now_ms)
{
    return !deployments_was_tried(request, candidate->route) && cools_until_ms(candidate) <= now_ms;
}

/* The least loaded of those that are well; its route is NULL where none is. */
static struct candidate least_loaded(struct deployments *deployments, const struct deployments_request *request,
                                     int64_t now_ms)
{
    struct candidate best = {0};
    for (const struct route *route = request->first; route != NULL; route = route->next) {
        struct candidate candidate = candidate_of(deployments, request, route);
        if (is_open(request, &candidate, now_ms) && (best.route == NULL || compare(&candidate, &best) < 0))
            best = candidate;
    }
    return best;
}

/* Each of the equals earns its weight, and the one that has earned most pays for the turn with what all have earned: so
 * each gets its share, evenly spread. */
static const struct route *share(struct deployments *deployments, const struct deployments_request *request,
                                 int64_t now_ms)
{
    struct candidate best = least_loaded(deployments, request, now_ms), chosen = best;
    int64_t earned = 0;
    if (best.route == NULL)
        return NULL;
    for (const struct route *route = request->first; route != NULL; route = route->next) {
        struct candidate candidate = candidate_of(deployments, request, route);
        if (candidate.known == NULL || !is_open(request, &candidate, now_ms) || compare(&candidate, &best) != 0)
            continue;
        candidate.known->credit += weight(route);
        earned += weight(route);
        if (chosen.known == NULL || candidate.known->credit > chosen.known->credit)
            chosen = candidate;
    }
    if (chosen.known != NULL)
        chosen.known->credit -= earned;
    return chosen.route;
}

static const struct route *well_first(struct deployments *deployments, const struct deployments_request *request)
{
    struct candidate best = {0};
    for (const struct route *route = request->first; route != NULL; route = route->next) {
        struct candidate candidate = candidate_of(deployments, request, route);
        if (deployments_was_tried(request, route))
            continue;
        if (best.route == NULL || cools_until_ms(&candidate) < cools_until_ms(&best))
            best = candidate;
    }
    return best.route;
}

const struct route *deployments_pick(struct deployments *deployments, const struct deployments_request *request)
{
    ensure(pthread_mutex_lock(&deployments->mutex) == 0);
    const struct route *picked = share(deployments, request, clock_now_ms());
    if (picked == NULL && request->takes_any)
        picked = well_first(deployments, request);
    ensure(pthread_mutex_unlock(&deployments->mutex) == 0);
    return picked;
}

/* ---- what becomes of it ---- */

struct deployment *deployments_begin(struct deployments *deployments, const char *alias, const struct route *route)
{
    ensure(pthread_mutex_lock(&deployments->mutex) == 0);
    struct deployment *deployment = get(deployments, alias, route);
    if (deployment != NULL)
        deployment->in_flight++;
    ensure(pthread_mutex_unlock(&deployments->mutex) == 0);
    return deployment;
}

enum deployment_end deployments_judge(const struct error *error)
{
    switch (error->kind) {
    case ERROR_NONE:
        return DEPLOYMENT_WELL;
    case ERROR_UPSTREAM_UNAVAILABLE:
    case ERROR_UPSTREAM_TRANSIENT:
    case ERROR_UPSTREAM_AUTHENTICATION:
    case ERROR_INSUFFICIENT_QUOTA:
    case ERROR_RATE_LIMITED:
    case ERROR_TIMEOUT:
        return DEPLOYMENT_FAILED;
    default:
        return DEPLOYMENT_LEFT;
    }
}

/* True: it begins to cool down. */
static bool count_failure(struct deployment *deployment, const struct route *route, int64_t now_ms)
{
    bool is_on_trial = deployment->cools_until_ms != 0;
    if (route->cooldown_ms <= 0 || now_ms < deployment->cools_until_ms)
        return false;
    if (deployment->fails == 0 || now_ms - deployment->window_ms >= DEPLOYMENTS_WINDOW_MS) {
        deployment->fails = 0;
        deployment->window_ms = now_ms;
    }
    deployment->fails++;
    if (deployment->fails <= route->allowed_fails && !is_on_trial)
        return false;
    deployment->fails = 0;
    deployment->cools_until_ms = now_ms + route->cooldown_ms;
    return true;
}

/* True: it was not, and is again. */
static bool count_success(struct deployment *deployment)
{
    bool was_unwell = deployment->cools_until_ms != 0;
    deployment->fails = 0;
    deployment->cools_until_ms = 0;
    return was_unwell;
}

void deployments_end(struct deployments *deployments, struct deployment **handle, const struct route *route,
                     enum deployment_end end)
{
    struct deployment *deployment = *handle;
    *handle = NULL;
    if (deployment == NULL)
        return;
    ensure(pthread_mutex_lock(&deployments->mutex) == 0);
    ensure(deployment->in_flight > 0);
    bool cools = end == DEPLOYMENT_FAILED && count_failure(deployment, route, clock_now_ms());
    bool is_well_again = end == DEPLOYMENT_WELL && count_success(deployment);
    if (cools || is_well_again)
        log_write(LOG_LEVEL_INFO, cools ? "deployment_cools_down" : "deployment_well_again",
                  log_text("model", deployment->alias), log_text("reference", deployment->reference),
                  log_number("deployment", deployment->place), log_number("ms", cools ? route->cooldown_ms : 0));
    deployment->in_flight--;
    ensure(pthread_mutex_unlock(&deployments->mutex) == 0);
}
