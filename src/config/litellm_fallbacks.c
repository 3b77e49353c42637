/* LiteLLM's lists of fallbacks: [{model_name: [others]}]. They come before the models in what is read, so each is kept
 * until its model_name comes. */
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "litellm_int.h"
#include "value_int.h"

static void keep_rule(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    struct loader *loader = scope->loader;
    loader->rules = xrealloc(loader->rules, (loader->rule_count + 1) * sizeof *loader->rules);
    loader->rules[loader->rule_count++] =
        (struct fallback_rule){.alias = path->name,
                               .node = node,
                               .row = schema_find(scope->row->native_section, scope->row->native),
                               .key = path_text(path)};
}

/* "*" stands for all names that have no fallbacks of their own, as in LiteLLM. */
static bool use_member(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    if (node_is_null(node))
        return true;
    if (strcmp(path->name, "*") == 0)
        return apply_native(scope, node, path);
    keep_rule(scope, node, path);
    return true;
}

/* A map of all names would say the same, so it is taken too. */
bool apply_fallbacks(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    if (node->type == NODE_MAP) {
        for (size_t i = 0; i < node->count; i++) {
            struct path member = path_member(path, node, i);
            if (!use_member(scope, node->members[i].value, &member))
                return false;
        }
        return true;
    }
    for (size_t i = 0; i < node->count; i++) {
        struct path member = path_member(path, node, i);
        if (node->members[i].value->type != NODE_MAP)
            return loader_fail(scope->loader, &member, "this must be a map such as {model_name: [other_model_name]}");
        if (!apply_fallbacks(scope, node->members[i].value, &member))
            return false;
    }
    return node->type == NODE_LIST ||
           loader_fail(scope->loader, path, "this must be a list of maps such as {model_name: [other_model_name]}");
}

bool apply_max_fallbacks(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    int64_t most = 0;
    if (node->type != NODE_SCALAR || !value_integer(node->text, &most) || most < 0)
        return loader_fail(scope->loader, path, "this must be a whole number, 0 for no fallbacks");
    scope->loader->max_fallbacks = most;
    return true;
}

bool litellm_use_rules(struct loader *loader, struct route *route)
{
    struct schema_objects objects = {.config = loader->config, .route = route};
    for (size_t i = 0; i < loader->rule_count; i++) {
        struct fallback_rule *rule = &loader->rules[i];
        struct path path = {.file = rule->node->file, .name = rule->key, .line = rule->node->line};
        if (strcmp(rule->alias, route->alias) != 0)
            continue;
        if (!schema_set(loader, rule->row, &objects, rule->node, &path))
            return false;
        rule->is_used = true;
    }
    return true;
}

bool litellm_check_rules(struct loader *loader)
{
    for (size_t i = 0; i < loader->rule_count; i++) {
        const struct fallback_rule *rule = &loader->rules[i];
        struct path path = {.file = rule->node->file, .name = rule->key, .line = rule->node->line};
        if (rule->is_used || loader_is_skipped(loader, rule->alias))
            continue;
        return loader_fail(loader, &path,
                           "no model_name of model_list is \"%.120s\", so these fallbacks would never be used; correct "
                           "the name or remove it",
                           rule->alias);
    }
    return true;
}
