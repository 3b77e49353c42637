/* Entries of LiteLLM's that share a model_name: what each says for the whole name, and how requests are shared. */
#include <string.h>

#include "base/ensure.h"
#include "litellm_int.h"
#include "route_int.h"
#include "value_int.h"

/* Shares may be fractions there; here they are whole numbers, of thousandths until they are reduced. */
enum { THOUSANDTHS = 1000, HEAVIEST = 1000 * 1000 };

bool apply_weight(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    /* The reader of durations takes fractions, and gives seconds in thousandths. */
    bool is_number = node->type == NODE_SCALAR && node->text[strspn(node->text, "0123456789.")] == '\0';
    if (!is_number || !value_duration(node->text, &scope->route->weight) || scope->route->weight > HEAVIEST)
        return loader_fail(scope->loader, path, "this must be a number from 0 to 1000");
    return true;
}

bool apply_order(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    return (node->type == NODE_SCALAR && value_integer(node->text, &scope->loader->order)) ||
           loader_fail(scope->loader, path, "this must be a whole number");
}

bool apply_no_cooldowns(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    return value_boolean(node, &scope->loader->has_no_cooldowns) ||
           loader_fail(scope->loader, path, "this must be true or false, without quotes");
}

/* Shuffling by weight is the default there, and what is done here but for the dice. */
bool apply_strategy(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    if (node->type != NODE_SCALAR)
        return loader_fail(scope->loader, path, "this must be the name of a strategy, such as simple-shuffle");
    if (strcmp(node->text, "simple-shuffle") != 0)
        loader_warn(scope->loader, path, "%s", scope->row->sentence);
    return true;
}

static bool equal_lists(char *const *a, size_t a_count, char *const *b, size_t b_count)
{
    bool same = a_count == b_count;
    for (size_t i = 0; same && i < a_count; i++)
        same = strcmp(a[i], b[i]) == 0;
    return same;
}

/* A deployment has no time of its own: how long a request may take is asked before one is chosen. */
static void use_times_of_first(struct loader *loader, struct route *route, const struct route *first,
                               const struct path *path)
{
    if (route->timeout_ms == first->timeout_ms && route->stream_timeout_ms == first->stream_timeout_ms &&
        route->keepalive_ms == first->keepalive_ms)
        return;
    loader_warn(loader, path,
                "timeout, stream_timeout and keepalive_seconds count for all entries of a name; those of the first, "
                "%s, are used",
                first->reference);
    struct limits limits = route->limits;
    schema_copy_name(route, first);
    route_copy_timeout_keys(route, first);
    route->limits = limits;
}

bool litellm_check_group(struct loader *loader, struct route *route, const struct path *path)
{
    const struct route *first = loader_find_route(loader, route->alias);
    if (first == NULL)
        return true;
    if (!equal_lists(route->fallbacks, route->fallback_count, first->fallbacks, first->fallback_count) ||
        !equal_lists(route->content_policy_fallbacks, route->content_policy_fallback_count,
                     first->content_policy_fallbacks, first->content_policy_fallback_count)) {
        const struct origin *origin = loader_origin(loader, first);
        return loader_fail(loader, path,
                           "fallbacks count for all entries of a name, and the first of this one, at %s:%d, has "
                           "others; write them there alone, or under router_settings",
                           origin->file, origin->line);
    }
    use_times_of_first(loader, route, first, path);
    return true;
}

/* The limits of single deployments hold for the name as their sum. One without a limit would have no sum. */
static bool settle_limit(struct loader *loader, struct route *first, size_t offset, const char *key)
{
    int64_t sum = 0;
    bool is_limited = *(int64_t *)(void *)((char *)first + offset) > 0;
    for (struct route *route = first; route != NULL; route = route->next) {
        int64_t limit = *(int64_t *)(void *)((char *)route + offset);
        struct path path = origin_path(loader_origin(loader, route));
        if ((limit > 0) != is_limited)
            return loader_fail(loader, &path,
                               "%s is counted for all entries of a name together, as the sum of theirs; write it at "
                               "every entry of this name, or at none",
                               key);
        sum += limit;
    }
    *(int64_t *)(void *)((char *)first + offset) = sum;
    return true;
}

static bool has_weight(const struct route *route)
{
    return route->weight != LITELLM_NO_WEIGHT;
}

/* Where no entry says a weight they share by their rpm, as in LiteLLM: so each gets what it is meant to take. */
static void settle_weights(struct loader *loader, struct route *first)
{
    size_t said = 0, unsaid = 0;
    for (const struct route *route = first; route != NULL; route = route->next) {
        said += has_weight(route);
        unsaid += !has_weight(route);
    }
    for (struct route *route = first; route != NULL; route = route->next) {
        if (has_weight(route))
            continue;
        struct path path = origin_path(loader_origin(loader, route));
        int64_t rpm = route->limits.requests_per_minute;
        bool is_by_rpm = said == 0 && unsaid > 1 && rpm > 0;
        route->weight = !is_by_rpm ? THOUSANDTHS : rpm < HEAVIEST ? rpm : HEAVIEST;
        if (said > 0)
            loader_warn(loader, &path, "this entry has no weight, others of its name have; it counts as 1");
    }
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static void reduce_weights(struct route *first)
{
    int64_t divisor = 0;
    for (const struct route *route = first; route != NULL; route = route->next)
        divisor = common_divisor(route->weight, divisor);
    for (struct route *route = first; route != NULL && divisor > 0; route = route->next)
        route->weight /= divisor;
}

/* Those of the lowest order share the requests; all others are a reserve, which is what a weight of 0 means. */
static void settle_order(struct loader *loader, struct route *first)
{
    int64_t lowest = INT64_MAX, next = INT64_MAX;
    for (const struct route *route = first; route != NULL; route = route->next)
        lowest = loader_origin(loader, route)->order < lowest ? loader_origin(loader, route)->order : lowest;
    for (struct route *route = first; route != NULL; route = route->next) {
        const struct origin *origin = loader_origin(loader, route);
        if (origin->order == lowest)
            continue;
        route->weight = 0;
        struct path path = origin_path(origin);
        if (next != INT64_MAX && origin->order != next)
            loader_warn(loader, &path,
                        "all entries behind the lowest order are one reserve here, whatever their own order");
        next = origin->order;
    }
}

bool litellm_settle_groups(struct loader *loader)
{
    for (size_t i = 0; i < loader->config->route_count; i++) {
        struct route *first = loader->config->routes[i];
        settle_weights(loader, first);
        settle_order(loader, first);
        reduce_weights(first);
        if (!settle_limit(loader, first, offsetof(struct route, limits.requests_per_minute), "rpm") ||
            !settle_limit(loader, first, offsetof(struct route, limits.max_parallel), "max_parallel_requests"))
            return false;
        for (struct route *route = first; route != NULL; route = route->next)
            route->cooldown_ms = loader->has_no_cooldowns ? 0 : route->cooldown_ms;
    }
    return true;
}
