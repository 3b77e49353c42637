/* LiteLLM's dialect: a file with those it includes, its variables, its settings, its models, in this order. */
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "dialect_int.h"
#include "litellm_int.h"
#include "route_int.h"

enum {
    INCLUDED_FILES = 32,
    INCLUDE_DEPTH = 8,
};

/* The main document and the included ones, in the order in which they apply. */
struct documents {
    struct node *roots[INCLUDED_FILES + 1];
    struct yaml_tree trees[INCLUDED_FILES]; /* of the included ones */
    size_t count;
};

/* The files that include one another, from the present one up to the first. */
struct ancestry {
    const struct ancestry *up;
    const char *file;
    int depth;
};

static bool gather(struct loader *loader, struct documents *documents, struct node *root,
                   const struct ancestry *ancestry);

bool litellm_is_dialect(const struct node *root)
{
    static const char *const keys[] = {"model_list",       "litellm_settings",      "router_settings",
                                       "general_settings", "environment_variables", "include",
                                       "credential_list",  "callback_settings"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (node_get(root, keys[i]) != NULL)
            return true;
    return false;
}

/* `name` as seen from the folder of `file`. The caller frees. */
static char *beside(const char *file, const char *name)
{
    const char *slash = strrchr(file, '/');
    if (name[0] == '/' || slash == NULL)
        return xstrdup(name);
    return xasprintf("%.*s/%s", (int)(slash - file), file, name);
}

/* Two names may mean one file, so what they resolve to is compared. */
static bool is_same_file(const char *a, const char *b)
{
    char *left = realpath(a, NULL), *right = realpath(b, NULL);
    bool same = left != NULL && right != NULL && strcmp(left, right) == 0;
    free(left);
    free(right);
    return same;
}

/* Three bounds: no file among its own ancestors, so many levels, so many files; without the last, files that include
 * two others each would double at every level. */
static bool include_file(struct loader *loader, struct documents *documents, const char *file,
                         const struct ancestry *ancestry, const struct path *path)
{
    for (const struct ancestry *at = ancestry; at != NULL; at = at->up)
        if (is_same_file(at->file, file))
            return loader_fail(loader, path, "this file includes itself; break the circle");
    if (ancestry->depth >= INCLUDE_DEPTH || documents->count > INCLUDED_FILES)
        return loader_fail(loader, path, "files are included more than 8 levels deep, or more than 32 in all");
    struct yaml_tree *tree = &documents->trees[documents->count - 1];
    if (!yaml_tree_read(tree, file, &loader->error))
        return false;
    struct ancestry child = {ancestry, file, ancestry->depth + 1};
    if (tree->root->type == NODE_MAP)
        return gather(loader, documents, tree->root, &child);
    yaml_tree_dispose(tree);
    return loader_fail(loader, path, "the included file must be a map of keys and values");
}

static bool include_named(struct loader *loader, struct documents *documents, const struct node *name,
                          const struct ancestry *ancestry, const struct path *path)
{
    if (name->type != NODE_SCALAR || name->text[0] == '\0')
        return loader_fail(loader, path, "this must be a list of file names");
    char *file = beside(ancestry->file, name->text);
    bool ok = include_file(loader, documents, file, ancestry, path);
    free(file);
    return ok;
}

/* The document and, depth first, those that it includes. */
static bool gather(struct loader *loader, struct documents *documents, struct node *root,
                   const struct ancestry *ancestry)
{
    documents->roots[documents->count++] = root;
    struct path document = path_document(root);
    for (size_t i = 0; i < root->count; i++) {
        struct node *include = root->members[i].value;
        struct path path = path_member(&document, root, i);
        if (strcmp(path.name, "include") != 0 || node_is_null(include))
            continue;
        if (include->type == NODE_MAP)
            return loader_fail(loader, &path, "this must be a list of file names");
        if (include->type == NODE_SCALAR)
            return include_named(loader, documents, include, ancestry, &path);
        for (size_t j = 0; j < include->count; j++) {
            struct path member = path_member(&path, include, j);
            if (!include_named(loader, documents, include->members[j].value, ancestry, &member))
                return false;
        }
    }
    return true;
}

/* The members named `section` of every document, one after the other: true for each, or the first false. */
typedef bool section_fn(struct loader *loader, struct node *node, const struct path *path);

static bool each_section(struct loader *loader, const struct documents *documents, const char *section, section_fn *use)
{
    for (size_t i = 0; i < documents->count; i++) {
        struct node *root = documents->roots[i];
        struct path document = path_document(root);
        for (size_t j = 0; j < root->count; j++) {
            struct path path = path_member(&document, root, j);
            struct node *node = root->members[j].value;
            if (strcmp(path.name, section) == 0 && !node_is_null(node) && !use(loader, node, &path))
                return false;
        }
    }
    return true;
}

/* Set before anything else is read, because any value may refer to them. */
static bool use_variables(struct loader *loader, struct node *node, const struct path *path)
{
    if (node->type != NODE_MAP)
        return loader_fail(loader, path, "this must be a map of variables and values");
    for (size_t i = 0; i < node->count; i++) {
        struct path member = path_member(path, node, i);
        struct node *value = node->members[i].value;
        if (!loader_interpolate(loader, value, &member))
            return false;
        if (value->type != NODE_SCALAR)
            return loader_fail(loader, &member, "the value of a variable must be a text");
        if (!node_is_null(value))
            loader_set_variable(loader, member.name, value->text);
    }
    return true;
}

static bool use_settings(struct loader *loader, struct node *node, const struct path *path)
{
    return litellm_apply(loader, LITELLM_SETTINGS, loader->defaults, node, path);
}

static bool use_general(struct loader *loader, struct node *node, const struct path *path)
{
    return litellm_apply(loader, LITELLM_GENERAL, loader->defaults, node, path);
}

static bool use_router(struct loader *loader, struct node *node, const struct path *path)
{
    return litellm_apply(loader, LITELLM_ROUTER, loader->defaults, node, path);
}

/* After all other settings of the router, whatever their order in the file, because it says more than they do. */
static bool use_default_params(struct loader *loader, struct node *router, const struct path *path)
{
    for (size_t i = 0; i < router->count; i++) {
        struct path member = path_member(path, router, i);
        if (strcmp(member.name, "default_litellm_params") == 0 &&
            !litellm_apply(loader, LITELLM_PARAMS, loader->defaults, router->members[i].value, &member))
            return false;
    }
    return true;
}

/* Is this entry for Replicate? By the provider that it or the router's defaults name, else by the prefix of its model,
 * never by a guess. */
static bool is_for_replicate(const struct loader *loader, const struct node *params)
{
    const struct node *model = node_get(params, "model"), *provider = node_get(params, "custom_llm_provider");
    if (provider != NULL && provider->type == NODE_SCALAR && !node_is_null(provider))
        return strcmp(provider->text, "replicate") == 0;
    if (loader->default_provider != NULL)
        return strcmp(loader->default_provider, "replicate") == 0;
    return model->type == NODE_SCALAR && strncmp(model->text, "replicate/", sizeof "replicate/" - 1) == 0;
}

/* The entry's own keys go over the defaults that the settings have left in loader->defaults. */
static bool load_entry(struct loader *loader, struct node *entry, const char *alias, const struct path *path)
{
    struct node *params = node_get(entry, "litellm_params");
    struct path params_path = {path, "litellm_params", 0, params->file, params->line};
    bool is_first = loader_find_route(loader, alias) == NULL;
    struct route *route = loader_new_route(loader, alias);
    loader->order = INT64_MAX;
    bool ok = (!is_first || litellm_use_rules(loader, route)) &&
              litellm_apply(loader, LITELLM_ENTRY, route, entry, path) &&
              litellm_apply(loader, LITELLM_PARAMS, route, params, &params_path);
    if (ok && route->reference == NULL)
        ok = loader_fail(loader, &params_path, "the model is missing; write model: replicate/owner/name");
    if (ok && litellm_check_group(loader, route, path))
        return loader_add_route(loader, route, path);
    route_free(route);
    return false;
}

/* An entry of another provider is no fault: the same file may serve several programs. Nothing but its name and model is
 * looked at, so its variables need not be set. */
static bool use_entry(struct loader *loader, struct node *entry, const struct path *path)
{
    struct node *name = node_get(entry, "model_name"), *params = node_get(entry, "litellm_params");
    struct node *model = node_get(params, "model");
    if (name == NULL || model == NULL || name->type != NODE_SCALAR)
        return loader_fail(loader, path,
                           "an entry needs model_name and litellm_params with model: replicate/owner/name");
    if (!loader_interpolate(loader, name, path) || !loader_interpolate(loader, model, path))
        return false;
    if (is_for_replicate(loader, params))
        return load_entry(loader, entry, name->text, path);
    loader_warn(loader, path,
                "\"%.100s\" is skipped: it is not a model of Replicate; write model: replicate/owner/name", name->text);
    loader->skipped = xrealloc(loader->skipped, (loader->skipped_count + 1) * sizeof *loader->skipped);
    loader->skipped[loader->skipped_count++] = xstrdup(name->text);
    return true;
}

static bool use_models(struct loader *loader, struct node *list, const struct path *path)
{
    if (list->type != NODE_LIST)
        return loader_fail(loader, path, "this must be a list of entries with model_name and litellm_params");
    for (size_t i = 0; i < list->count; i++) {
        struct path member = path_member(path, list, i);
        if (!use_entry(loader, list->members[i].value, &member))
            return false;
    }
    return true;
}

/* A name that comes twice is refused, never won by the last: one of the two would vanish without a word. */
static bool check_new(struct loader *loader, const struct path *path)
{
    const struct route *same = loader_find_route(loader, path->name);
    if (same == NULL)
        return true;
    const struct origin *origin = loader_origin(loader, same);
    return loader_fail(loader, path, "the name \"%.120s\" is used twice, first at %s:%d; rename one or remove it",
                       path->name, origin->file, origin->line);
}

/* All deployments once more under the name that the path ends with, which may have fallbacks of its own. */
static bool copy_group(struct loader *loader, const struct route *first, const struct path *path)
{
    for (const struct route *from = first; from != NULL; from = from->next) {
        struct route *route = route_copy(from);
        free(route->alias);
        route->alias = xstrdup(path->name);
        if (!litellm_use_rules(loader, route)) {
            route_free(route);
            return false;
        }
        if (!loader_add_route(loader, route, path))
            return false;
    }
    return true;
}

/* `alias: model_name`, or `alias: {model: model_name, hidden: …}`. */
static bool add_alias(struct loader *loader, const struct node *node, const struct path *path)
{
    const struct node *target = node->type == NODE_MAP ? node_get(node, "model") : node;
    if (target == NULL || target->type != NODE_SCALAR)
        return loader_fail(loader, path, "this must be a model_name");
    const struct route *first = loader_find_route(loader, target->text);
    if (first != NULL) {
        if (node->type == NODE_MAP && node_get(node, "hidden") != NULL)
            loader_warn(loader, path, "hidden has no effect: the alias is listed");
        return check_new(loader, path) && copy_group(loader, first, path);
    }
    if (loader_is_skipped(loader, target->text)) {
        loader_warn(loader, path, "skipped with its model, which is not one of Replicate");
        return true;
    }
    return loader_fail(loader, path, "no model_name of model_list that is served matches this");
}

/* After the models, which the aliases name. */
static bool use_aliases(struct loader *loader, struct node *router, const struct path *path)
{
    for (size_t i = 0; i < router->count; i++) {
        struct node *aliases = router->members[i].value;
        struct path section = path_member(path, router, i);
        if (strcmp(section.name, "model_group_alias") != 0 || node_is_null(aliases))
            continue;
        if (aliases->type != NODE_MAP || !loader_interpolate(loader, aliases, &section))
            return aliases->type == NODE_MAP || loader_fail(loader, &section, "this must be a map of names to names");
        for (size_t j = 0; j < aliases->count; j++) {
            struct path member = path_member(&section, aliases, j);
            if (!add_alias(loader, aliases->members[j].value, &member))
                return false;
        }
    }
    return true;
}

/* Sections in the order of their precedence, each over all documents: a later file goes over an earlier one. */
static bool load_documents(struct loader *loader, const struct documents *documents)
{
    struct node *first = documents->roots[0];
    loader->defaults->weight = LITELLM_NO_WEIGHT;
    struct path document = path_document(first);
    if (!each_section(loader, documents, "environment_variables", use_variables) || !environment_defaults(loader))
        return false;
    for (size_t i = 0; i < documents->count; i++) {
        struct path top = path_document(documents->roots[i]);
        if (!litellm_apply(loader, LITELLM_TOP, loader->defaults, documents->roots[i], &top))
            return false;
    }
    /* The router's settings go before litellm_settings, so they are applied after them. */
    if (!each_section(loader, documents, "litellm_settings", use_settings) ||
        !each_section(loader, documents, "general_settings", use_general) ||
        !each_section(loader, documents, "router_settings", use_router) ||
        !each_section(loader, documents, "router_settings", use_default_params) ||
        !each_section(loader, documents, "model_list", use_models) || !litellm_settle_groups(loader) ||
        !each_section(loader, documents, "router_settings", use_aliases) || !litellm_check_rules(loader))
        return false;
    if (loader->config->route_count == 0)
        return loader_fail(loader, &document,
                           "no entry of model_list is a model of Replicate; write at least one with model: "
                           "replicate/owner/name");
    return true;
}

bool litellm_load(struct loader *loader, struct node *root)
{
    struct documents documents = {.count = 0};
    struct ancestry self = {NULL, root->file, 0};
    bool ok = gather(loader, &documents, root, &self) && load_documents(loader, &documents);
    for (size_t i = 0; i < INCLUDED_FILES; i++)
        yaml_tree_dispose(&documents.trees[i]);
    return ok;
}
