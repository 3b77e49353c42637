/* Who may come in. One atomic for all requests; a scope by name, under the mutex, for what has limits of its own. */
#include "admission_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"

enum { MINUTE_MS = 60000, RETRY_SOON_MS = 1000 };

/* What stands before the name of an alias or a key in the name of its scope. */
static const char ALL[] = "all", MODEL[] = "model ", KEY[] = "key ";

struct admission *admission_new(void)
{
    struct admission *admission = xcalloc(1, sizeof *admission);
    ensure(pthread_mutex_init(&admission->mutex, NULL) == 0);
    list_init(&admission->scopes);
    list_init(&admission->keepers);
    list_init(&admission->dirty);
    return admission;
}

void admission_free(struct admission *admission)
{
    for (struct list_link *link; (link = list_shift(&admission->scopes)) != NULL;) {
        struct admission_scope *scope = list_entry(link, struct admission_scope, link);
        ensure(list_is_empty(&scope->line));
        free(scope->name);
        free(scope);
    }
    config_unref(admission->newest);
    pthread_mutex_destroy(&admission->mutex);
    free(admission);
}

void admission_lock(struct admission *admission)
{
    ensure(pthread_mutex_lock(&admission->mutex) == 0);
}

void admission_unlock(struct admission *admission)
{
    ensure(pthread_mutex_unlock(&admission->mutex) == 0);
}

/* ---- the counts of a gate ---- */

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
    list_init(&scope->line);
    list_append(&admission->scopes, &scope->link);
    return scope;
}

/* A worker whose time stands still may come after one that is ahead of it: that takes nothing away. */
static void refill(struct admission_scope *scope, int64_t per_minute)
{
    int64_t now_ms = clock_now_ms();
    if (now_ms < scope->filled_ms)
        return;
    scope->allowance += (double)(now_ms - scope->filled_ms) * (double)per_minute / MINUTE_MS;
    if (scope->allowance > (double)per_minute)
        scope->allowance = (double)per_minute;
    scope->filled_ms = now_ms;
}

static void say(struct error *err, int64_t retry_after_ms)
{
    if (err != NULL)
        err->retry_after_ms = retry_after_ms;
}

bool admission_gate_has_room(const struct admission_gate *gate, struct error *err)
{
    struct admission_scope *scope = gate->scope;
    const struct limits *limits = &gate->limits;
    if (limits->max_parallel > 0 && scope->in_flight >= limits->max_parallel) {
        error_set(err, ERROR_RATE_LIMITED, NULL,
                  "The limit of %lld requests at the same time is reached (%s). Try again when one has ended.",
                  (long long)limits->max_parallel, scope->name);
        say(err, RETRY_SOON_MS);
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
    say(err, (int64_t)((1 - scope->allowance) * MINUTE_MS / (double)limits->requests_per_minute) + 1);
    return false;
}

void admission_take(const struct admission_gate *gates, size_t count, struct admission_ticket *ticket)
{
    for (size_t i = 0; i < count; i++) {
        gates[i].scope->in_flight++;
        gates[i].scope->allowance -= gates[i].limits.requests_per_minute > 0;
        ticket->scopes[i] = gates[i].scope;
    }
}

void admission_untake(const struct admission_gate *gates, size_t count, struct admission_ticket *ticket)
{
    for (size_t i = 0; i < count; i++) {
        gates[i].scope->in_flight--;
        gates[i].scope->allowance += gates[i].limits.requests_per_minute > 0;
        ticket->scopes[i] = NULL;
    }
}

/* ---- reloads ---- */

/* NULL where the configuration has no such name any more. */
static const struct limits *limits_of(const struct config *config, const char *name)
{
    if (strcmp(name, ALL) == 0)
        return &config->limits;
    for (size_t i = 0; strncmp(name, MODEL, strlen(MODEL)) == 0 && i < config->route_count; i++)
        if (strcmp(config->routes[i]->alias, name + strlen(MODEL)) == 0)
            return &config->routes[i]->limits;
    for (size_t i = 0; strncmp(name, KEY, strlen(KEY)) == 0 && i < config->key_count; i++)
        if (strcmp(config->keys[i].name, name + strlen(KEY)) == 0)
            return &config->keys[i].limits;
    return NULL;
}

void admission_update_limits(const struct admission *admission, struct admission_gate *gates, size_t count)
{
    for (size_t i = 0; admission->newest != NULL && i < count; i++) {
        const struct limits *limits = limits_of(admission->newest, gates[i].scope->name);
        if (limits != NULL)
            gates[i].limits = *limits;
    }
}

static void update_line(struct admission *admission, struct admission_scope *scope)
{
    for (struct list_link *link = list_first(&scope->line); link != NULL; link = list_next(&scope->line, link)) {
        struct admission_wait *wait = list_entry(link, struct admission_wait, link);
        admission_update_limits(admission, wait->gates, wait->gate_count);
        admission_announce(wait->room); /* a place of the minute may come at another time now */
    }
    admission_touch(admission, scope);
}

void admission_reload(struct admission *admission, struct config *config)
{
    config_ref(config);
    admission_lock(admission);
    struct config *old = admission->newest;
    admission->newest = config;
    for (struct list_link *link = list_first(&admission->scopes); link != NULL;
         link = list_next(&admission->scopes, link))
        update_line(admission, list_entry(link, struct admission_scope, link));
    admission_settle(admission);
    admission_unlock(admission);
    config_unref(old);
}

void admission_close(struct admission *admission)
{
    admission_lock(admission);
    admission->is_closed = true;
    admission_unlock(admission);
}

/* ---- coming in ---- */

/* What one request has to pass. */
struct gates {
    struct limits limits[ADMISSION_GATES_MAX];
    char names[ADMISSION_GATES_MAX][160];
    size_t count;
};

static void add_gate(struct gates *gates, const struct limits *limits, const char *what, const char *name)
{
    if (limits->max_parallel <= 0 && limits->requests_per_minute <= 0)
        return;
    gates->limits[gates->count] = *limits;
    snprintf(gates->names[gates->count], sizeof gates->names[0], "%s%s", what, name);
    gates->count++;
}

static void add_gates(struct gates *gates, const struct admission_entrant *who)
{
    gates->count = 0;
    add_gate(gates, &who->config->limits, ALL, "");
    add_gate(gates, &who->route->limits, MODEL, who->route->alias);
    if (who->key != NULL)
        add_gate(gates, &who->key->limits, KEY, who->key->name);
}

/* All gates or none: a request that is refused at one uses up nothing at the others. `wait` has the gates afterwards;
 * it is idle unless the answer says so. */
static enum admission_answer pass(struct admission *admission, const struct gates *gates, struct admission_room *room,
                                  struct admission_wait *wait, struct error *err)
{
    enum admission_answer answer = ADMISSION_REFUSED;
    struct error why = {0};
    admission_lock(admission);
    wait->gate_count = gates->count;
    for (size_t i = 0; i < gates->count; i++) {
        wait->gates[i] =
            (struct admission_gate){get_scope(admission, gates->names[i], &gates->limits[i]), gates->limits[i]};
        admission_touch(admission, wait->gates[i].scope);
    }
    admission_update_limits(admission, wait->gates, wait->gate_count);
    admission_settle(admission);
    size_t closed = admission_first_closed(admission, wait->gates, wait->gate_count, UINT64_MAX, &why);
    if (closed == wait->gate_count) {
        admission_take(wait->gates, wait->gate_count, wait->ticket);
        answer = ADMISSION_ENTERED;
    } else if (room != NULL && wait->until_ms > clock_now_ms()) {
        admission_begin_waiting(room, wait, closed);
        answer = ADMISSION_WAITS;
    } else {
        wait->ticket->is_alias_full = admission_is_of_alias(wait->gates[closed].scope);
        if (err != NULL)
            *err = why;
    }
    admission_unlock(admission);
    return answer;
}

/* `room` is NULL for one that does not wait. */
static enum admission_answer come(struct admission *admission, const struct admission_entrant *who,
                                  struct admission_room *room, struct admission_wait *wait, struct error *err)
{
    struct gates gates;
    *wait->ticket = (struct admission_ticket){.is_counted = true};
    wait->until_ms = who->until_ms;
    if (atomic_fetch_add(&admission->in_flight, 1) >= who->config->max_in_flight) {
        admission_leave(admission, wait->ticket);
        error_set(err, ERROR_OVERLOADED, NULL,
                  "This server works on as many requests as it may (%lld, `max_in_flight`). Try again in a moment.",
                  (long long)who->config->max_in_flight);
        say(err, RETRY_SOON_MS);
        return ADMISSION_REFUSED;
    }
    add_gates(&gates, who);
    enum admission_answer answer = gates.count == 0 ? ADMISSION_ENTERED : pass(admission, &gates, room, wait, err);
    if (answer == ADMISSION_REFUSED)
        admission_leave(admission, wait->ticket);
    return answer;
}

bool admission_enter(struct admission *admission, const struct config *config, const struct route *route,
                     const struct key *key, struct admission_ticket *ticket, struct error *err)
{
    const struct admission_entrant who = {.config = config, .route = route, .key = key};
    struct admission_wait wait = {.ticket = ticket};
    return come(admission, &who, NULL, &wait, err) == ADMISSION_ENTERED;
}

enum admission_answer admission_line_up(struct admission_room *room, const struct admission_entrant *who,
                                        struct admission_ticket *ticket, struct admission_wait *wait, struct error *err)
{
    ensure(!admission_is_waiting(wait));
    wait->ticket = ticket;
    return come(room->admission, who, room, wait, err);
}

/* ---- going on under another alias ---- */

bool admission_is_of_alias(const struct admission_scope *scope)
{
    return strncmp(scope->name, MODEL, strlen(MODEL)) == 0;
}

/* The alias's scope of a ticket leaves it; the others close up. */
static void leave_alias(struct admission *admission, struct admission_ticket *ticket)
{
    size_t kept = 0;
    for (size_t i = 0; i < ADMISSION_GATES_MAX; i++) {
        struct admission_scope *scope = ticket->scopes[i];
        ticket->scopes[i] = NULL;
        if (scope != NULL && admission_is_of_alias(scope)) {
            scope->in_flight--;
            admission_touch(admission, scope);
        } else if (scope != NULL) {
            ticket->scopes[kept++] = scope;
        }
    }
}

bool admission_move(struct admission *admission, const struct route *route, struct admission_ticket *ticket,
                    struct error *err)
{
    struct gates gates = {0};
    struct admission_ticket passed = {0};
    struct admission_wait wait = {.ticket = &passed};
    ensure(ticket->is_counted);
    add_gate(&gates, &route->limits, MODEL, route->alias);
    if (gates.count > 0 && pass(admission, &gates, NULL, &wait, err) != ADMISSION_ENTERED)
        return false;
    if (ticket->scopes[0] == NULL && passed.scopes[0] == NULL)
        return true;
    admission_lock(admission);
    leave_alias(admission, ticket);
    size_t at = 0;
    while (ticket->scopes[at] != NULL) /* two at most are left: the daemon's and the key's */
        at++;
    ticket->scopes[at] = passed.scopes[0];
    admission_settle(admission); /* its place at the old alias may be somebody's turn */
    admission_unlock(admission);
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
    admission_lock(admission);
    for (size_t i = 0; i < ADMISSION_GATES_MAX && ticket->scopes[i] != NULL; i++) {
        ticket->scopes[i]->in_flight--;
        admission_touch(admission, ticket->scopes[i]);
    }
    admission_settle(admission);
    admission_unlock(admission);
}
