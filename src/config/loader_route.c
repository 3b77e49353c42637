/* The routes and keys that one load of a configuration gathers, and where each was written. */
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "config/schema.h"
#include "loader_int.h"
#include "route_int.h"

enum {
    MAXIMUM_DEPLOYMENTS = 64, /* of one alias */
};

void loader_forget_places(struct loader *loader)
{
    for (size_t i = 0; i < loader->origin_count; i++) {
        free(loader->origins[i].file);
        free(loader->origins[i].key);
    }
    for (size_t i = 0; i < loader->fallback_name_count; i++) {
        free(loader->fallback_names[i].name);
        free(loader->fallback_names[i].file);
        free(loader->fallback_names[i].key);
    }
    free(loader->origins);
    free(loader->fallback_names);
}

struct route *loader_find_route(const struct loader *loader, const char *alias)
{
    for (size_t i = 0; i < loader->config->route_count; i++)
        if (strcmp(loader->config->routes[i]->alias, alias) == 0)
            return loader->config->routes[i];
    return NULL;
}

bool loader_is_skipped(const struct loader *loader, const char *alias)
{
    for (size_t i = 0; i < loader->skipped_count; i++)
        if (strcmp(loader->skipped[i], alias) == 0)
            return true;
    return false;
}

struct origin *loader_origin(const struct loader *loader, const struct route *route)
{
    for (size_t i = 0; i < loader->origin_count; i++)
        if (loader->origins[i].route == route)
            return &loader->origins[i];
    ensure(false); /* every deployment came through loader_add_route */
    return NULL;
}

struct path origin_path(const struct origin *origin)
{
    return (struct path){.file = origin->file, .name = origin->key, .line = origin->line};
}

void loader_name_fallback(struct loader *loader, const char *name, const struct path *path)
{
    size_t count = loader->fallback_name_count + 1;
    loader->fallback_names = xrealloc(loader->fallback_names, count * sizeof *loader->fallback_names);
    loader->fallback_names[count - 1] =
        (struct fallback_name){xstrdup(name), xstrdup(path->file), path_text(path), path->line};
    loader->fallback_name_count = count;
}

struct route *loader_new_route(struct loader *loader, const char *alias)
{
    struct route *route = route_copy(loader->defaults);
    const struct route *first = loader_find_route(loader, alias);
    if (first != NULL) {
        struct limits limits = route->limits;
        schema_copy_name(route, first);
        route_copy_timeout_keys(route, first);
        route->limits = limits;
    }
    free(route->alias);
    route->alias = xstrdup(alias);
    return route;
}

static bool check_route(struct loader *loader, const struct route *route, const struct path *path)
{
    const char *problem = route_problem(route);
    if (problem != NULL)
        return loader_fail(loader, path, "%s", problem);
    return route->token != NULL ||
           loader_fail(loader, path,
                       "there is no Replicate token for this model; set the environment variable "
                       "REPLICATE_API_TOKEN, or write %s",
                       loader->dialect == DIALECT_NATIVE ? "replicate.token" : "litellm_params.api_key");
}

static void append_alias(struct config *config, struct route *route)
{
    config->routes = xrealloc(config->routes, (config->route_count + 1) * sizeof *config->routes);
    config->routes[config->route_count++] = route;
}

static void append_origin(struct loader *loader, const struct route *route, const struct path *path)
{
    loader->origins = xrealloc(loader->origins, (loader->origin_count + 1) * sizeof *loader->origins);
    loader->origins[loader->origin_count++] =
        (struct origin){route, xstrdup(path->file), path_text(path), path->line, loader->order};
}

bool loader_add_route(struct loader *loader, struct route *route, const struct path *path)
{
    struct route *last = loader_find_route(loader, route->alias);
    while (last != NULL && last->next != NULL)
        last = last->next;
    route->deployment = last == NULL ? 0 : last->deployment + 1;
    bool ok = check_route(loader, route, path) &&
              (route->deployment < MAXIMUM_DEPLOYMENTS ||
               loader_fail(loader, path, "one name has 64 deployments at most; remove some of them"));
    if (!ok) {
        route_free(route);
        return false;
    }
    if (last == NULL)
        append_alias(loader->config, route);
    else
        last->next = route;
    append_origin(loader, route, path);
    return true;
}

struct key *loader_add_key(struct loader *loader)
{
    struct config *config = loader->config;
    config->keys = xrealloc(config->keys, (config->key_count + 1) * sizeof *config->keys);
    struct key *key = &config->keys[config->key_count++];
    *key = (struct key){0};
    return key;
}
