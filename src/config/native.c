/* The native dialect: what the table of keys does not say by itself, which is models, clients' keys and where a timeout
 * came from. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "config/schema.h"
#include "dialect_int.h"
#include "route_int.h"

/* Remembers that `map` set this timeout, where it did: the map is a model's, or with an `alias` of NULL the file's. */
static void note_timeout(const struct node *map, const char *name, const char *alias, const char **key)
{
    const struct node *timeout = node_get(map, name);
    if (timeout == NULL || node_is_null(timeout))
        return;
    free((char *)*key);
    *key = alias == NULL ? xstrdup(name) : xasprintf("%s under models.%s", name, alias);
}

/* Keys that would have to be alike at all deployments of a name stand at the first alone. */
static bool check_later(struct loader *loader, const struct node *map, const struct path *path)
{
    for (size_t i = 0; i < map->count; i++) {
        struct path member = path_member(path, map, i);
        const struct schema_row *row = schema_find(SCHEMA_MODEL, member.name);
        if (row != NULL && row->of_name && !node_is_null(map->members[i].value))
            return loader_fail(loader, &member,
                               "this counts for the name, not for one model of its list; write it at the first of "
                               "them");
    }
    return true;
}

/* One deployment of the alias: a reference, or a map of keys. */
static bool load_deployment(struct loader *loader, const char *alias, const struct node *node, const struct path *path)
{
    bool is_later = loader_find_route(loader, alias) != NULL;
    if (is_later && node->type == NODE_MAP && !check_later(loader, node, path))
        return false;
    struct route *route = loader_new_route(loader, alias);
    struct schema_objects objects = {.config = loader->config, .route = route};
    bool ok;
    if (node->type == NODE_SCALAR) {
        ok = schema_set(loader, schema_find(SCHEMA_MODEL, "model"), &objects, node, path);
    } else {
        ok = schema_set_section(loader, SCHEMA_MODEL, &objects, node, path);
        note_timeout(node, "timeout", route->alias, &route->timeout_key);
        note_timeout(node, "stream_timeout", route->alias, &route->stream_timeout_key);
    }
    if (ok && route->reference == NULL)
        ok = loader_fail(loader, path, "the model is missing; write model: owner/name");
    if (ok)
        return loader_add_route(loader, route, path);
    route_free(route);
    return false;
}

/* A model: an alias with one deployment, or with a list of them. */
static bool load_model(struct loader *loader, const struct node *node, const struct path *path)
{
    if (node->type != NODE_LIST)
        return load_deployment(loader, path->name, node, path);
    if (node->count == 0)
        return loader_fail(loader, path, "the list is empty; write at least one model in it");
    for (size_t i = 0; i < node->count; i++) {
        struct path member = path_member(path, node, i);
        if (!load_deployment(loader, path->name, node->members[i].value, &member))
            return false;
    }
    return true;
}

/* Two maps of models cannot occur: the tree refuses a key that is given twice. */
static bool load_models(struct loader *loader, const struct node *root, const struct path *document)
{
    for (size_t i = 0; i < root->count; i++) {
        const struct node *models = root->members[i].value;
        if (strcmp(root->members[i].key, "models") != 0 || node_is_null(models))
            continue;
        struct path path = path_member(document, root, i);
        if (models->type != NODE_MAP)
            return loader_fail(loader, &path, "this must be a map of names to models, such as kimi-k2: owner/name");
        for (size_t j = 0; j < models->count; j++) {
            struct path member = path_member(&path, models, j);
            if (!load_model(loader, models->members[j].value, &member))
                return false;
        }
    }
    if (loader->config->route_count == 0)
        return loader_fail(loader, document, "no model is configured; write models: with at least one name in it");
    return true;
}

/* Names must differ because logs and limits tell clients apart by them. */
static bool check_key(struct loader *loader, const struct path *path)
{
    const struct config *config = loader->config;
    struct key *key = &config->keys[config->key_count - 1];
    if (key->digest == NULL)
        return loader_fail(loader, path, "the key is missing; write key: with what the client sends");
    if (key->name == NULL)
        key->name = xasprintf("key-%zu", config->key_count);
    for (size_t i = 0; i + 1 < config->key_count; i++) {
        if (strcmp(config->keys[i].digest, key->digest) == 0)
            return loader_fail(loader, path,
                               "this key is given twice (as it is or by its hash), first as \"%.120s\"; remove one of "
                               "them",
                               config->keys[i].name);
        if (strcmp(config->keys[i].name, key->name) == 0)
            return loader_fail(loader, path, "two keys have this name; give each its own");
    }
    return true;
}

/* A slip in the name of a model would only show when the client is turned away. */
static void warn_models_unserved(struct loader *loader, const struct path *path)
{
    const struct config *config = loader->config;
    const struct key *key = &config->keys[config->key_count - 1];
    for (size_t i = 0; i < key->model_count; i++) {
        bool is_served = strchr(key->models[i], '*') != NULL;
        for (size_t j = 0; !is_served && j < config->route_count; j++)
            is_served = route_matches(config->routes[j]->alias, key->models[i], NULL, 0);
        if (!is_served)
            loader_warn(loader, path, "the key may use \"%.120s\", which is no name under models", key->models[i]);
    }
}

static void warn_expired(struct loader *loader, const struct path *path)
{
    const struct key *key = &loader->config->keys[loader->config->key_count - 1];
    if (key->expires_s > 0 && key->expires_s <= clock_wall_s())
        loader_warn(loader, path, "this key has expired, so nobody can use it; remove it, or give it a later `expires`");
}

static bool load_key(struct loader *loader, const struct node *node, const struct path *path)
{
    struct schema_objects objects = {.config = loader->config, .key = loader_add_key(loader)};
    bool ok = node->type == NODE_MAP ? schema_set_section(loader, SCHEMA_KEY, &objects, node, path)
                                     : schema_set(loader, schema_find(SCHEMA_KEY, "key"), &objects, node, path);
    if (!ok || !check_key(loader, path))
        return false;
    warn_models_unserved(loader, path);
    warn_expired(loader, path);
    return true;
}

/* `keys` is a list of maps or of texts, or one text. A list without elements would look like "nobody" and mean
 * "everybody", so it is refused. */
static bool load_keys(struct loader *loader, const struct node *root, const struct path *document)
{
    for (size_t i = 0; i < root->count; i++) {
        const struct node *keys = root->members[i].value;
        if (strcmp(root->members[i].key, "keys") != 0)
            continue;
        struct path path = path_member(document, root, i);
        if (keys->type == NODE_MAP || (keys->type == NODE_LIST && keys->count == 0) || node_is_null(keys))
            return loader_fail(loader, &path,
                               "this must be a list of keys with at least one in it; leave it out to let everybody in");
        if (keys->type == NODE_SCALAR && !load_key(loader, keys, &path))
            return false;
        for (size_t j = 0; j < keys->count; j++) {
            struct path member = path_member(&path, keys, j);
            if (!load_key(loader, keys->members[j].value, &member))
                return false;
        }
    }
    return true;
}

/* Variables first, in the whole file: then every reader sees plain values. */
bool native_load(struct loader *loader, struct node *root)
{
    struct path document = path_document(root);
    struct schema_objects objects = {.config = loader->config, .route = loader->defaults};
    if (!environment_defaults(loader) || !loader_interpolate(loader, root, &document) ||
        !schema_set_section(loader, SCHEMA_ROOT, &objects, root, &document))
        return false;
    note_timeout(root, "timeout", NULL, &loader->defaults->timeout_key);
    note_timeout(root, "stream_timeout", NULL, &loader->defaults->stream_timeout_key);
    return load_models(loader, root, &document) && load_keys(loader, root, &document);
}

/* A wildcard over all models is safe here, because the operator named no list and the address is loopback by default.
 */
bool quick_start(struct loader *loader)
{
    struct path path = {.file = "--model"};
    const char *model = loader->options->model;
    if (!environment_defaults(loader))
        return false;
    if (model == NULL && loader->defaults->token == NULL) {
        path.file = "configuration";
        return loader_fail(loader, &path,
                           "there is nothing to serve: set the environment variable REPLICATE_API_TOKEN to serve any "
                           "model of Replicate by its owner/name, or name a file with --config FILE");
    }
    struct route *route = route_copy(loader->defaults);
    static const char prefix[] = "replicate/";
    const char *reference = model == NULL ? "*" : model;
    if (strncmp(reference, prefix, sizeof prefix - 1) == 0)
        reference += sizeof prefix - 1;
    route->reference = xstrdup(reference);
    route->alias = xstrdup(model == NULL || loader->options->alias == NULL ? reference : loader->options->alias);
    return loader_add_route(loader, route, &path);
}
