/* Lists of fallbacks, once all models are known: every name in them must be one that is served. */
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "loader_int.h"

static const char *nearest_alias(const struct config *config, const char *name)
{
    const char **aliases = xcalloc(config->route_count, sizeof *aliases);
    for (size_t i = 0; i < config->route_count; i++)
        aliases[i] = config->routes[i]->alias;
    const char *nearest = nearest_name(name, aliases, config->route_count, sizeof *aliases);
    free(aliases);
    return nearest;
}

/* A name that only a wildcard serves must also give a model. */
static bool is_usable(struct loader *loader, const struct route *route, const char *name, const struct path *path)
{
    struct target target;
    if (!route_target(route, name, &target, NULL))
        return loader_fail(loader, path,
                           "\"%.120s\" is served by a wildcard, and is no model of Replicate; write "
                           "owner/name",
                           name);
    target_dispose(&target);
    return true;
}

static bool check_name(struct loader *loader, const struct fallback_name *fallback)
{
    struct path path = {.file = fallback->file, .name = fallback->key, .line = fallback->line};
    const struct route *route = config_find_fallback(loader->config, fallback->name);
    if (route != NULL)
        return is_usable(loader, route, fallback->name, &path);
    if (loader_is_skipped(loader, fallback->name)) {
        loader_warn(loader, &path, "\"%.100s\" is left out of these fallbacks: it is not a model of Replicate",
                    fallback->name);
        return true;
    }
    const char *nearest = nearest_alias(loader->config, fallback->name);
    if (nearest != NULL)
        return loader_fail(loader, &path, "there is no model \"%.120s\" to fall back to; did you mean \"%.120s\"?",
                           fallback->name, nearest);
    return loader_fail(loader, &path,
                       "there is no model \"%.120s\" to fall back to; write the name of one that the "
                       "file configures",
                       fallback->name);
}

/* Whoever failed is no help against its own failure, and who is not served is none at all. */
static void prune(const struct loader *loader, const char *alias, char **names, size_t *count)
{
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        bool is_over = loader->max_fallbacks >= 0 && (int64_t)kept >= loader->max_fallbacks;
        bool is_unserved =
            loader_is_skipped(loader, names[i]) && config_find_fallback(loader->config, names[i]) == NULL;
        if (is_over || is_unserved || strcmp(names[i], alias) == 0)
            free(names[i]);
        else
            names[kept++] = names[i];
    }
    *count = kept;
}

bool fallbacks_settle(struct loader *loader)
{
    for (size_t i = 0; i < loader->fallback_name_count; i++)
        if (!check_name(loader, &loader->fallback_names[i]))
            return false;
    for (size_t i = 0; i < loader->config->route_count; i++) {
        for (struct route *route = loader->config->routes[i]; route != NULL; route = route->next) {
            prune(loader, route->alias, route->fallbacks, &route->fallback_count);
            prune(loader, route->alias, route->content_policy_fallbacks, &route->content_policy_fallback_count);
        }
    }
    return true;
}
