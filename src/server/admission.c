/* Who may come in. One atomic for all requests; a scope by name, under the mutex, for what has limits of its own. */
#include "server/admission.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/list.h"

enum { MINUTE_MS = 60000, RETRY_SOON_MS = 1000 };

/* The counts of one limited thing. It stays for the life of the process: there are as many as the
 * configurations that were ever loaded have limited names. */
struct admission_scope {
    struct list_link link;
    char *name; /* "alias kimi-k2", "key alice", "all" */
    int64_t in_flight;
    double allowance; /* requests that may come in now, refilled by the minute */
    int64_t filled_ms;
};

struct admission {
    atomic_int_least64_t in_flight;
    pthread_mutex_t mutex; /* guards all below */
    struct list scopes;
};

struct admission *admission_new(void)
{
    struct admission *admission = xcalloc(1, sizeof *admission);
    ensure(pthread_mutex_init(&admission->mutex, NULL) == 0);
    list_init(&admission->scopes);
    return admission;
}

void admission_free(struct admission *admission)
{
    for (struct list_link *link; (link = list_shift(&admission->scopes)) != NULL;) {
        struct admission_scope *scope = list_entry(link, struct admission_scope, link);
        free(scope->name);
        free(scope);
    }
    pthread_mutex_destroy(&admission->mutex);
    free(admission);
}

static struct admission_scope *get_scope(struct admission *admission, const char *name, const struct limits *limits)
{
    for (struct list_link *l = list_first(&admission->scopes); l != NULL; l = list_next(&admission->scopes, l)) {
        struct admission_scope *scope = list_entry(l, struct admission_scope, link);
        if (strcmp(scope->name, name) == 0)
            return scope;
    }
    struct admission_scope *scope = xcalloc(1, sizeof *scope);
    scope->name = xstrdup(name);
    scope->allowance = (double)limits->requests_per_minute;
    scope->filled_ms = clock_now_ms();
    list_append(&admission->scopes, &scope->link);
    return scope;
}

static void refill(struct admission_scope *scope, int64_t per_minute)
{
    int64_t now_ms = clock_now_ms();
    scope->allowance += (double)(now_ms - scope->filled_ms) * (double)per_minute / MINUTE_MS;
    if (scope->allowance > (double)per_minute)
        scope->allowance = (double)per_minute;
    scope->filled_ms = now_ms;
}

static bool has_room(struct admission_scope *scope, const struct limits *limits, struct error *err)
{
    if (limits->max_parallel > 0 && scope->in_flight >= limits->max_parallel) {
        error_set(err, ERROR_RATE_LIMITED, NULL,
                  "The limit of %lld requests at the same time is reached (%s). Try again when one has ended.",
                  (long long)limits->max_parallel, scope->name);
        err->retry_after_ms = RETRY_SOON_MS;
        return false;
    }
    if (limits->requests_per_minute <= 0)
        return true;
    refill(scope, limits->requests_per_minute);
    if (scope->allowance >= 1)
        return true;
    error_set(err, ERROR_RATE_LIMITED, NULL,
              "The rate limit of %lld request%s per minute is reached (%s). Try again later.",
              (long long)limits->requests_per_minute, limits->requests_per_minute == 1 ? "" : "s", scope->name);
    err->retry_after_ms = (int64_t)((1 - scope->allowance) * MINUTE_MS / (double)limits->requests_per_minute) + 1;
    return false;
}

#define ALIAS_SCOPE "model"

static bool is_of_alias(const char *scope_name)
{
    return strncmp(scope_name, ALIAS_SCOPE " ", sizeof ALIAS_SCOPE) == 0;
}

/* What one request has to pass. */
struct gates {
    struct limits limits[3];
    char names[3][160];
    size_t count;
};

static void add_gate(struct gates *gates, const struct limits *limits, const char *what, const char *name)
{
    if (limits->max_parallel <= 0 && limits->requests_per_minute <= 0)
        return;
    gates->limits[gates->count] = *limits;
    snprintf(gates->names[gates->count], sizeof gates->names[0], "%s%s%s", what, name[0] == '\0' ? "" : " ", name);
    gates->count++;
}

/* All gates or none: a request that is refused at one uses up nothing at the others. */
static bool pass(struct admission *admission, const struct gates *gates, struct admission_ticket *ticket,
                 struct error *err)
{
    bool is_in = true;
    ensure(pthread_mutex_lock(&admission->mutex) == 0);
    for (size_t i = 0; i < gates->count && is_in; i++) {
        ticket->scopes[i] = get_scope(admission, gates->names[i], &gates->limits[i]);
        is_in = has_room(ticket->scopes[i], &gates->limits[i], err);
        ticket->is_alias_full = !is_in && is_of_alias(gates->names[i]);
    }
    for (size_t i = 0; i < gates->count; i++) {
        if (!is_in) {
            ticket->scopes[i] = NULL;
            continue;
        }
        ticket->scopes[i]->in_flight++;
        ticket->scopes[i]->allowance -= gates->limits[i].requests_per_minute > 0;
    }
    ensure(pthread_mutex_unlock(&admission->mutex) == 0);
    return is_in;
}

bool admission_enter(struct admission *admission, const struct config *config, const struct route *route,
                     const struct key *key, struct admission_ticket *ticket, struct error *err)
{
    *ticket = (struct admission_ticket){.is_counted = true};
    struct gates gates = {0};
    if (atomic_fetch_add(&admission->in_flight, 1) >= config->max_in_flight) {
        admission_leave(admission, ticket);
        error_set(err, ERROR_OVERLOADED, NULL,
                  "This server works on as many requests as it may (%lld, `max_in_flight`). Try again in a moment.",
                  (long long)config->max_in_flight);
        err->retry_after_ms = RETRY_SOON_MS;
        return false;
    }
    add_gate(&gates, &config->limits, "all", "");
    add_gate(&gates, &route->limits, ALIAS_SCOPE, route->alias);
    if (key != NULL)
        add_gate(&gates, &key->limits, "key", key->name);
    if (gates.count == 0 || pass(admission, &gates, ticket, err))
        return true;
    admission_leave(admission, ticket);
    return false;
}

/* The alias's scope of a ticket leaves it; the others close up. */
static void leave_alias(struct admission_ticket *ticket)
{
    size_t kept = 0;
    for (size_t i = 0; i < 3; i++) {
        struct admission_scope *scope = ticket->scopes[i];
        ticket->scopes[i] = NULL;
        if (scope != NULL && is_of_alias(scope->name))
            scope->in_flight--;
        else if (scope != NULL)
            ticket->scopes[kept++] = scope;
    }
}

bool admission_move(struct admission *admission, const struct route *route, struct admission_ticket *ticket,
                    struct error *err)
{
    struct gates gates = {0};
    struct admission_ticket passed = {0};
    ensure(ticket->is_counted);
    add_gate(&gates, &route->limits, ALIAS_SCOPE, route->alias);
    if (gates.count > 0 && !pass(admission, &gates, &passed, err))
        return false;
    if (ticket->scopes[0] == NULL && passed.scopes[0] == NULL)
        return true;
    ensure(pthread_mutex_lock(&admission->mutex) == 0);
    leave_alias(ticket);
    size_t at = 0;
    while (ticket->scopes[at] != NULL) /* two at most are left: the daemon's and the key's */
        at++;
    ticket->scopes[at] = passed.scopes[0];
    ensure(pthread_mutex_unlock(&admission->mutex) == 0);
    return true;
}

void admission_leave(struct admission *admission, struct admission_ticket *ticket)
{
    if (!ticket->is_counted)
        return;
    ticket->is_counted = false;
    atomic_fetch_sub(&admission->in_flight, 1);
    bool has_scopes = ticket->scopes[0] != NULL;
    if (!has_scopes)
        return;
    ensure(pthread_mutex_lock(&admission->mutex) == 0);
    for (size_t i = 0; i < 3 && ticket->scopes[i] != NULL; i++)
        ticket->scopes[i]->in_flight--;
    ensure(pthread_mutex_unlock(&admission->mutex) == 0);
}
