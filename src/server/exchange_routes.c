/* Where a request runs: which deployment of its alias, and who stands in for it when that fails.
 *
 * The first try goes to a deployment that is well; after a failure that another one might not have, the request goes on
 * to what it has not tried yet: further deployments of the alias, then the alias's fallbacks in their order; after a
 * safety filter's refusal to `content_policy_fallbacks` alone. Those that are well come first, but one that cools down
 * is still better than none. All of it happens in the time that the first try was given, and only until the client has
 * been given a piece of an answer. Where a create may have been paid for (ERROR_UPSTREAM_ERROR), nothing else is tried.
 * If all fail, the client is told the error of what it asked for, and that others failed, too.
 *
 * An alias that is full is passed over as one that has failed: nobody waits where something else could take the request
 * now. Only who finds all full waits in line, at the alias that was asked for; and who has reached a limit of the key
 * or the daemon, for which no alias would change anything. */
#include "exchange_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"

static bool has_alternatives(const struct route *asked)
{
    return asked->next != NULL || asked->fallback_count > 0 || asked->content_policy_fallback_count > 0;
}

/* ---- what there is to go to ---- */

/* In the order in which they are gone to: what runs it now, what was asked for, and its fallbacks. NULL behind the
 * last. */
static const char *alias_at(const struct exchange_routes *routes, enum error_kind why, size_t index)
{
    const struct route *asked = routes->asked;
    if (why == ERROR_CONTENT_POLICY)
        return index < asked->content_policy_fallback_count ? asked->content_policy_fallbacks[index] : NULL;
    if (index < 2)
        return index == 0 ? routes->alias : routes->served;
    return index - 2 < asked->fallback_count ? asked->fallbacks[index - 2] : NULL;
}

static struct deployments_request request_for(const struct exchange *exchange, const char *alias)
{
    const struct exchange_routes *routes = &exchange->routes;
    bool is_asked = strcmp(alias, routes->served) == 0;
    bool is_allowed = is_asked || endpoint_key_allows(exchange->key, alias);
    return (struct deployments_request){.alias = alias,
                                        .first = is_asked     ? routes->asked
                                                 : is_allowed ? config_find_fallback(exchange->config, alias)
                                                              : NULL,
                                        .tries = routes->tries,
                                        .try_count = routes->try_count};
}

static bool was_begun(const struct exchange_routes *routes, const char *alias)
{
    for (size_t i = 0; i < routes->try_count; i++)
        if (strcmp(routes->tries[i].alias, alias) == 0)
            return true;
    return false;
}

/* A model that has refused a content is not asked again for it, in no deployment. */
static bool is_out(const struct exchange_routes *routes, enum error_kind why, const char *alias)
{
    return why == ERROR_CONTENT_POLICY && was_begun(routes, alias);
}

static const struct route *pick(struct exchange *exchange, enum error_kind why, bool takes_any, const char **alias)
{
    for (size_t i = 0; (*alias = alias_at(&exchange->routes, why, i)) != NULL; i++) {
        struct deployments_request request = request_for(exchange, *alias);
        request.takes_any = takes_any;
        if (request.first == NULL || is_out(&exchange->routes, why, *alias))
            continue;
        const struct route *route = deployments_pick(exchange->worker->shared->deployments, &request);
        if (route != NULL)
            return route;
    }
    return NULL;
}

static bool is_left(const struct exchange *exchange, const char *alias)
{
    const struct deployments_request request = request_for(exchange, alias);
    for (const struct route *route = request.first; route != NULL; route = route->next)
        if (!deployments_was_tried(&request, route))
            return true;
    return false;
}

/* Whatever it may be tried for. */
bool exchange_has_more(const struct exchange *exchange)
{
    static const enum error_kind reasons[] = {ERROR_NONE, ERROR_CONTENT_POLICY};
    const char *alias;
    if (!has_alternatives(exchange->routes.asked))
        return false;
    for (size_t reason = 0; reason < 2; reason++)
        for (size_t i = 0; (alias = alias_at(&exchange->routes, reasons[reason], i)) != NULL; i++)
            if (is_left(exchange, alias))
                return true;
    return false;
}

/* ---- going there ---- */

static void note_try(struct exchange_routes *routes, const char *alias, const struct route *route)
{
    routes->tries = xrealloc(routes->tries, (routes->try_count + 1) * sizeof routes->tries[0]);
    routes->tries[routes->try_count++] = (struct route_try){alias, route};
}

/* The answer names who gave it, the client's own name for it included. */
static void name_model(struct exchange *exchange, const char *alias)
{
    struct exchange_routes *routes = &exchange->routes;
    bool is_asked = strcmp(alias, routes->served) == 0;
    if (routes->asked_name != NULL) {
        free(exchange->call.alias);
        exchange->call.alias = routes->asked_name;
        routes->asked_name = NULL;
    }
    if (is_asked)
        return;
    routes->asked_name = exchange->call.alias;
    exchange->call.alias = xstrdup(alias);
}

static bool go_to(struct exchange *exchange, const char *alias, const struct route *route, struct error *err)
{
    struct exchange_routes *routes = &exchange->routes;
    exchange->route = route;
    routes->alias = alias;
    if (routes->timed == NULL)
        routes->timed = route;
    name_model(exchange, alias);
    target_dispose(&exchange->target);
    exchange->target = (struct target){0};
    return exchange_take_token(exchange, err) && route_target(route, alias, &exchange->target, err);
}

/* The error to be told is that of what the client asked for. */
static void note_failure(struct exchange_routes *routes, const char *alias, const struct error *error)
{
    bool is_asked = strcmp(alias, routes->served) == 0;
    if (routes->failures++ > 0 && (!is_asked || routes->is_error_of_asked))
        return;
    routes->is_error_of_asked = is_asked;
    if (routes->error == NULL)
        routes->error = xmalloc(sizeof *routes->error);
    *routes->error = *error;
}

static bool pass_admission(struct exchange *exchange, const char *alias, const struct route *route, struct error *err)
{
    struct admission *admission = exchange->worker->shared->admission;
    const struct route *first = request_for(exchange, alias).first;
    ensure(first != NULL && route != NULL);
    if (!exchange->ticket.is_counted)
        return admission_enter(admission, exchange->config, first, exchange->key, &exchange->ticket, err);
    return strcmp(alias, exchange->routes.entered) == 0 || admission_move(admission, first, &exchange->ticket, err);
}

/* Settles on what it has not tried yet, that which is well before that which cools down. False and err (where anything
 * was refused) where there is none. */
static bool settle(struct exchange *exchange, enum error_kind why, struct error *err)
{
    struct exchange_routes *routes = &exchange->routes;
    const struct route *route;
    const char *alias;
    while ((route = pick(exchange, why, false, &alias)) != NULL ||
           (route = pick(exchange, why, true, &alias)) != NULL) {
        bool is_in = pass_admission(exchange, alias, route, err);
        if (!is_in && !exchange->ticket.is_counted && !exchange->ticket.is_alias_full) {
            routes->is_asked_full = true; /* the key's limit, or the daemon's: no alias would change that */
            return false;
        }
        if (!is_in && strcmp(alias, routes->served) == 0)
            routes->is_asked_full = true;
        note_try(routes, alias, is_in ? route : NULL);
        if (is_in) {
            routes->attempts++;
            routes->entered = alias;
        }
        if (is_in && go_to(exchange, alias, route, err))
            return true;
        note_failure(routes, alias, err);
    }
    return false;
}

/* Names the first error, and that there were others. */
static void final_error(const struct exchange *exchange, struct error *err)
{
    const struct exchange_routes *routes = &exchange->routes;
    const struct error *first = routes->error;
    int64_t retry_after_ms = first->retry_after_ms;
    const char *param = first->param[0] == '\0' ? NULL : first->param;
    if (routes->failures == 2)
        error_set(err, first->kind, param, "%s Another deployment or fallback failed, too.", first->message);
    else if (routes->failures > 2)
        error_set(err, first->kind, param, "%s %zu other deployments or fallbacks failed, too.", first->message,
                  routes->failures - 1);
    else
        *err = *first;
    err->retry_after_ms = retry_after_ms;
}

static bool settle_first(struct exchange *exchange, struct error *err)
{
    struct exchange_routes *routes = &exchange->routes;
    if (settle(exchange, ERROR_NONE, err))
        return true;
    if (routes->failures > 0)
        final_error(exchange, err);
    exchange->route = routes->asked;
    routes->alias = routes->served;
    name_model(exchange, routes->served);
    return false;
}

/* What it was refused at may have room when its turn has come. A place that it could not use is given back. */
static enum admission_answer wait_for_asked(struct exchange *exchange, struct error *err)
{
    struct exchange_routes *routes = &exchange->routes;
    struct error refusal = *err;
    admission_leave(exchange->worker->shared->admission, &exchange->ticket);
    routes->timed = routes->asked;
    routes->entered = routes->served;
    enum admission_answer answer = exchange_line_up(exchange, err);
    if (answer == ADMISSION_REFUSED)
        *err = refusal; /* it names those that were tried, too */
    return answer;
}

bool exchange_settle(struct exchange *exchange, struct error *err)
{
    struct exchange_routes *routes = &exchange->routes;
    if (!has_alternatives(routes->asked))
        return true;
    routes->try_count = routes->failures = 0;
    routes->is_error_of_asked = false;
    return settle_first(exchange, err);
}

enum admission_answer exchange_enter(struct exchange *exchange, const char *served, struct error *err)
{
    struct exchange_routes *routes = &exchange->routes;
    routes->asked = exchange->route;
    routes->alias = routes->served = routes->entered = served;
    routes->choices = exchange->call.n;
    if (!has_alternatives(routes->asked)) {
        routes->attempts = 1;
        return go_to(exchange, served, routes->asked, err) ? exchange_line_up(exchange, err) : ADMISSION_REFUSED;
    }
    if (settle_first(exchange, err))
        return ADMISSION_ENTERED;
    if (!routes->is_asked_full)
        return ADMISSION_REFUSED;
    enum admission_answer answer = wait_for_asked(exchange, err);
    if (answer == ADMISSION_ENTERED && !exchange_settle(exchange, err))
        return ADMISSION_REFUSED;
    return answer;
}

/* ---- while it runs ---- */

void exchange_keep_messages(struct exchange *exchange)
{
    struct exchange_routes *routes = &exchange->routes;
    routes->has_more = exchange_has_more(exchange);
    if (!routes->has_more)
        exchange_forget_messages(exchange);
}

void exchange_forget_messages(struct exchange *exchange)
{
    struct exchange_routes *routes = &exchange->routes;
    json_decref(routes->originals);
    routes->originals = NULL;
    if (!routes->has_forgotten)
        call_forget_messages(&exchange->call);
    routes->has_forgotten = true;
}

/* What was wrong with a client's own token says nothing of the deployment. */
static enum deployment_end judge(const struct exchange *exchange, const struct error *error)
{
    enum error_kind kind = error->kind;
    bool is_of_token =
        kind == ERROR_UPSTREAM_AUTHENTICATION || kind == ERROR_INSUFFICIENT_QUOTA || kind == ERROR_RATE_LIMITED;
    if (exchange->client_is_gone || (is_of_token && exchange->route->token == NULL))
        return DEPLOYMENT_LEFT;
    return deployments_judge(error);
}

static void end_use(struct exchange *exchange, const struct error *error)
{
    if (exchange->routes.in_use != NULL)
        deployments_end(exchange->worker->shared->deployments, &exchange->routes.in_use, exchange->route,
                        judge(exchange, error));
}

void exchange_begin_use(struct exchange *exchange)
{
    struct exchange_routes *routes = &exchange->routes;
    if (routes->in_use == NULL && has_alternatives(routes->asked))
        routes->in_use = deployments_begin(exchange->worker->shared->deployments, routes->alias, exchange->route);
}

void exchange_end_use(struct exchange *exchange)
{
    static const struct error none = {.kind = ERROR_NONE};
    end_use(exchange, exchange->error == NULL ? &none : exchange->error);
}

/* The strings of an input are those of the messages, too. */
void exchange_keep_originals(struct exchange *exchange)
{
    struct exchange_routes *routes = &exchange->routes;
    size_t index;
    json_t *value;
    if (!routes->has_more)
        return;
    json_decref(routes->originals);
    routes->originals = json_array();
    ensure(routes->originals != NULL);
    json_array_foreach(exchange->call.uploads, index, value)
    {
        json_t *copy = json_stringn_nocheck(json_string_value(value), json_string_length(value));
        ensure(json_array_append_new(routes->originals, copy) == 0);
    }
}

/* In the messages stand the addresses of files that are deleted by now: what was uploaded takes its place again. */
static void restore_originals(struct exchange *exchange)
{
    size_t index;
    json_t *original;
    json_array_foreach(exchange->routes.originals, index, original)
    {
        json_t *value = json_array_get(exchange->call.uploads, index);
        ensure(json_string_setn_nocheck(value, json_string_value(original), json_string_length(original)) == 0);
    }
    json_decref(exchange->routes.originals);
    exchange->routes.originals = NULL;
}

static void map_anew(struct exchange *exchange)
{
    restore_originals(exchange);
    exchange_let_go(exchange);
    call_reset_mapping(&exchange->call, exchange->routes.choices);
    exchange_map(exchange);
}

/* A retry follows what its first try runs, so it has to understand it the same way. */
bool exchange_adopt(struct exchange *exchange)
{
    struct exchange_routes *routes = &exchange->routes;
    const char *alias = NULL, *wanted = join_alias(exchange->join), *settled_alias = routes->alias;
    const struct route *settled = exchange->route;
    int deployment = join_deployment(exchange->join);
    if (!has_alternatives(routes->asked) || routes->has_forgotten)
        return false;
    if (strcmp(wanted, routes->alias) == 0 && deployment == exchange->route->deployment)
        return false;
    for (int reason = 0; reason < 2 && alias == NULL; reason++) {
        size_t i = 0;
        do
            alias = alias_at(routes, reason == 0 ? ERROR_NONE : ERROR_CONTENT_POLICY, i++);
        while (alias != NULL && strcmp(alias, wanted) != 0);
    }
    const struct route *route = alias == NULL ? NULL : request_for(exchange, alias).first;
    while (route != NULL && route->deployment != deployment)
        route = route->next;
    if (route == NULL)
        return false;
    if (!go_to(exchange, alias, route, NULL)) { /* after a reload it may lack a token: what it was settled on has all */
        ensure(go_to(exchange, settled_alias, settled, NULL));
        return false;
    }
    /* What it had settled on itself it has not tried. */
    ensure(routes->try_count > 0);
    routes->tries[routes->try_count - 1] = (struct route_try){alias, route};
    routes->is_adopted = true;
    map_anew(exchange);
    return true;
}

/* ---- when it fails ---- */

static bool falls_back(enum error_kind kind)
{
    switch (kind) {
    case ERROR_UPSTREAM_UNAVAILABLE:
    case ERROR_UPSTREAM_TRANSIENT:
    case ERROR_RATE_LIMITED:
    case ERROR_INSUFFICIENT_QUOTA:
    case ERROR_TIMEOUT:
    case ERROR_CONTENT_POLICY:
        return true;
    default:
        return false;
    }
}

static bool is_in_time(const struct exchange *exchange)
{
    return clock_now_ms() < exchange_deadline_ms(exchange);
}

/* The last error has been noted. */
static void go_on_or_fail(struct exchange *exchange, enum error_kind why)
{
    struct error err = {0};
    const struct route *failed = exchange->route;
    exchange->routes.is_adopted = false;
    if (is_in_time(exchange) && !exchange->routes.has_forgotten && settle(exchange, why, &err)) {
        metrics_add_at(exchange->worker->metrics, METRIC_fallbacks_total, failed->metrics_index, 0, 1);
        exchange_note_route(exchange, failed, why);
        map_anew(exchange);
        return;
    }
    final_error(exchange, &err);
    exchange->route = exchange->routes.asked;
    name_model(exchange, exchange->routes.served);
    exchange_fail(exchange, &err);
}

/* One that nothing may follow is told as it is, even when it is that of a fallback: something may have been paid for,
 * or been given away. */
void exchange_try_failed(struct exchange *exchange, const struct error *error)
{
    struct exchange_routes *routes = &exchange->routes;
    bool may_follow = has_alternatives(routes->asked) && !exchange->has_begun_answer &&
                      (falls_back(error->kind) || join_has_gone_on(exchange->join));
    end_use(exchange, error);
    if (!may_follow) {
        exchange_fail(exchange, error);
        return;
    }
    note_failure(routes, routes->alias, error);
    go_on_or_fail(exchange, error->kind);
}

void exchange_unfit(struct exchange *exchange, const struct error *error)
{
    struct exchange_routes *routes = &exchange->routes;
    bool is_first = routes->failures == 0 && strcmp(routes->alias, routes->served) == 0;
    /* What an earlier try runs goes on, and must not be begun a second time. */
    if (is_first || routes->is_adopted) {
        exchange_fail(exchange, error);
        return;
    }
    note_failure(routes, routes->alias, error);
    go_on_or_fail(exchange, routes->error->kind == ERROR_CONTENT_POLICY ? ERROR_CONTENT_POLICY : ERROR_NONE);
}

void exchange_routes_dispose(struct exchange *exchange)
{
    free(exchange->routes.tries);
    free(exchange->routes.asked_name);
    free(exchange->routes.error);
    json_decref(exchange->routes.originals);
}
