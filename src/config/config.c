/* The snapshot: loading, counting references, and what a reload cannot change. */
#include "config/config.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/machine.h"
#include "config/schema.h"
#include "dialect_int.h"
#include "route_int.h"

enum { MAXIMUM_WORKERS = 64 };

/* The count stands beside the snapshot, so that what readers see is constant in every byte. */
struct counted {
    struct config config;
    atomic_size_t references;
};

static struct counted *counted_of(struct config *config)
{
    return (struct counted *)(void *)((char *)config - offsetof(struct counted, config));
}

struct config *config_ref(struct config *config)
{
    atomic_fetch_add_explicit(&counted_of(config)->references, 1, memory_order_relaxed);
    return config;
}

/* What has a row in the table of keys is freed by the table; here is the rest. */
static void config_free(struct config *config)
{
    for (size_t i = 0; i < config->route_count; i++)
        route_free(config->routes[i]);
    for (size_t i = 0; i < config->key_count; i++)
        schema_dispose_key(&config->keys[i]);
    for (size_t i = 0; i < config->warning_count; i++)
        free(config->warnings[i]);
    schema_dispose_config(config);
    free(config->routes);
    free(config->keys);
    free(config->warnings);
    free(config->completion_model);
    free(counted_of(config));
}

void config_unref(struct config *config)
{
    if (config == NULL)
        return;
    /* Release, then acquire by the last: it must see everything that others did before they let go. */
    if (atomic_fetch_sub_explicit(&counted_of(config)->references, 1, memory_order_acq_rel) == 1)
        config_free(config);
}

static struct config *config_new(void)
{
    struct counted *counted = xcalloc(1, sizeof *counted);
    atomic_init(&counted->references, 1);
    return &counted->config;
}

/* The keys at the top tell the dialect. A mixture is refused, because half of it would have no effect. */
static bool load_tree(struct loader *loader, struct node *root)
{
    bool is_litellm = litellm_is_dialect(root);
    struct path document = path_document(root);
    if (is_litellm && node_get(root, "models") != NULL)
        return loader_fail(loader, &document,
                           "the file mixes two forms: models belongs to ours, model_list and its like to LiteLLM's; "
                           "keep one of them");
    loader->dialect = is_litellm ? DIALECT_LITELLM : DIALECT_NATIVE;
    return is_litellm ? litellm_load(loader, root) : native_load(loader, root);
}

static bool load_file(struct loader *loader, const char *file)
{
    struct path path = {.file = file};
    struct yaml_tree tree;
    if (loader->options->model != NULL)
        return loader_fail(loader, &path, "--model works without a file only; name the model in the file instead");
    if (!yaml_tree_read(&tree, file, &loader->error))
        return false;
    bool ok = tree.root->type == NODE_MAP ? load_tree(loader, tree.root)
                                          : loader_fail(loader, &path, "the file must be a map of keys and values");
    yaml_tree_dispose(&tree);
    return ok;
}

/* A file, or the little that the command line and the environment can say without one. */
static bool load_source(struct loader *loader)
{
    const struct config_options *options = loader->options;
    struct path path = {.file = "--alias"};
    if (options->file != NULL)
        return load_file(loader, options->file);
    if (options->alias != NULL && options->model == NULL)
        return loader_fail(loader, &path, "an alias needs a model; add --model owner/name");
    /* A model on the command line was said more directly than a file in the environment. */
    const char *file = options->model == NULL ? loader_variable(loader, "CONFIG_FILE_PATH") : NULL;
    return file != NULL ? load_file(loader, file) : quick_start(loader);
}

static bool add_completion_route(struct loader *loader, const struct route *found, const struct path *path)
{
    const char *alias = loader->config->completion_model;
    struct target target;
    if (!route_target(found, alias, &target, NULL))
        return loader_fail(loader, path, "this is no model of Replicate; write owner/name");
    struct route *route = route_copy(found);
    free(route->alias);
    free(route->reference);
    route->alias = xstrdup(alias);
    route->reference = target.kind == TARGET_VERSION && target.name == NULL ? xstrdup(target.version)
                       : target.kind == TARGET_VERSION    ? xasprintf("%s:%s", target.name, target.version)
                       : target.kind == TARGET_DEPLOYMENT ? xasprintf("deployments/%s", target.name)
                                                          : xstrdup(target.name);
    target_dispose(&target);
    return loader_add_route(loader, route, path);
}

/* A model for every request must be one that is served; where only a wildcard serves it, it gets a route of its own. */
static bool settle_completion_model(struct loader *loader)
{
    struct config *config = loader->config;
    struct path path = {.file = "general_settings.completion_model"};
    if (config->completion_model == NULL)
        return true;
    const struct route *found = config_find_route(config, config->completion_model);
    if (found == NULL)
        return loader_fail(loader, &path, "no model_name matches this; name one of model_list");
    if (strchr(found->alias, '*') == NULL)
        return true;
    for (; found != NULL; found = found->next)
        if (!add_completion_route(loader, found, &path))
            return false;
    return true;
}

static void sort_routes(struct config *config)
{
    if (config->route_count > 0)
        qsort(config->routes, config->route_count, sizeof *config->routes, route_compare);
    config->exact_count = 0;
    while (config->exact_count < config->route_count && strchr(config->routes[config->exact_count]->alias, '*') == NULL)
        config->exact_count++;
}

/* Only now is it known which timeout a stream without one of its own falls back to. */
static void settle_stream_timeout(struct route *route)
{
    if (route->stream_timeout_ms > 0)
        return;
    route->stream_timeout_ms = route->timeout_ms;
    route->stream_timeout_key = xstrdup(route->timeout_key);
}

/* Until now the word said it, as copies of a route are made by its fields. */
static void settle_token(struct route *route)
{
    if (!token_is_of_client(route->token))
        return;
    free(route->token);
    route->token = NULL;
}

/* The JSON objects are never NULL afterwards, so that no reader of a route needs to ask. */
static void finish_route(struct route *route)
{
    route->input = route->input != NULL ? route->input : json_object();
    route->map = route->map != NULL ? route->map : json_object();
    route->params = route->params != NULL ? route->params : json_object();
    settle_stream_timeout(route);
    settle_token(route);
}

static bool has_token(const struct config *config)
{
    for (size_t i = 0; i < config->route_count; i++)
        for (const struct route *route = config->routes[i]; route != NULL; route = route->next)
            if (route->token != NULL)
                return true;
    return false;
}

static void warn_open(struct loader *loader)
{
    const struct config *config = loader->config;
    struct path path = {.file = loader->options->file != NULL ? loader->options->file : "address", .name = "listen"};
    if (config->has_token && config->key_count == 0 && config->allowed_ip_count == 0 && !host_is_loopback(config->host))
        loader_warn(loader, &path,
                    "everybody who reaches this address can run models on your bill; configure keys, or listen on "
                    "127.0.0.1");
}

/* A quarter: what is made of a body takes about three times as much again. A few bodies of the largest size must always
 * fit, or the limit on one would not mean what it says. */
static bool settle_body_memory(struct loader *loader)
{
    struct config *config = loader->config;
    struct path path = {.file = loader->options->file != NULL ? loader->options->file : "default",
                        .name = "max_body_memory"};
    if (config->max_body_memory_bytes == 0) {
        int64_t quarter = machine_memory_bytes("") / 4, four = config->max_body_bytes * 4;
        config->max_body_memory_bytes = quarter > four ? quarter : four;
    }
    return config->max_body_memory_bytes >= config->max_body_bytes ||
           loader_fail(loader, &path,
                       "this is less than max_body, so that the largest bodies would never fit; raise "
                       "it, or lower max_body");
}

/* What can only be said once everything is known. */
static void finish(struct loader *loader)
{
    struct config *config = loader->config;
    if (config->workers == 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        config->workers = online < 1 ? 1 : online > MAXIMUM_WORKERS ? MAXIMUM_WORKERS : (int)online;
    }
    for (size_t i = 0; i < config->route_count; i++)
        for (struct route *route = config->routes[i]; route != NULL; route = route->next) {
            finish_route(route);
            route->limits = config->routes[i]->limits; /* they count for the name */
        }
    loader->config->has_token = has_token(loader->config);
    warn_open(loader);
}

/* The order is the precedence: defaults, variables that a file may override, the file, what overrides it. */
static bool load(struct loader *loader)
{
    struct schema_objects objects = {.config = loader->config, .route = loader->defaults};
    schema_defaults(loader, &objects);
    if (!load_source(loader) || !environment_overrides(loader))
        return false;
    sort_routes(loader->config);
    if (!settle_completion_model(loader) || !settle_body_memory(loader))
        return false;
    sort_routes(loader->config);
    if (!fallbacks_settle(loader))
        return false;
    finish(loader);
    return true;
}

struct config *config_load(const struct config_options *options, char *message, size_t size)
{
    struct loader loader;
    loader_init(&loader, options);
    loader.config = config_new();
    loader.defaults = route_new();
    bool ok = load(&loader);
    if (!ok)
        snprintf(message, size, "%s", loader.error.message);
    struct config *config = loader.config;
    loader_dispose(&loader);
    if (ok)
        return config;
    config_unref(config);
    return NULL;
}

void config_restart_keys(const struct config *old, const struct config *new, char *out, size_t size)
{
    struct buf names;
    size_t count;
    const struct schema_row *rows = schema_rows(&count);
    buf_init(&names, 4096);
    for (size_t i = 0; i < count; i++)
        if (rows[i].needs_restart && !schema_equal(&rows[i], old, new))
            buf_printf(&names, "%s%s%s", names.length > 0 ? ", " : "",
                       rows[i].section == SCHEMA_REPLICATE ? "replicate." : "", rows[i].name);
    snprintf(out, size, "%s", buf_text(&names));
    buf_dispose(&names);
}
