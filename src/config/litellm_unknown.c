/* LiteLLM's keys that the table lacks: inputs of a model, slips, and what is newer than the table. A slip or a new key
 * that limits money or access must not pass with a warning, so its name decides. */
#include <string.h>

#include "litellm_int.h"

static const char *const section_names[LITELLM_SECTION_COUNT] = {
    [LITELLM_TOP] = "the top of the file", [LITELLM_ENTRY] = "an entry of model_list",
    [LITELLM_PARAMS] = "litellm_params",   [LITELLM_SETTINGS] = "litellm_settings",
    [LITELLM_ROUTER] = "router_settings",  [LITELLM_GENERAL] = "general_settings",
};

static bool holds_word(const char *name, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strstr(name, words[i]) != NULL)
            return true;
    return false;
}

/* Models have budgets of their own, counted in tokens: thinking_budget, thinking_budget_tokens. */
static bool is_budget_of_model(const char *name)
{
    static const char *const words[] = {"think", "reason", "token"};
    return holds_word(name, words, sizeof words / sizeof words[0]);
}

static bool names_guarded_thing(const char *name)
{
    static const char *const words[] = {"guardrail", "auth",   "allow", "block",       "enforce",
                                        "public",    "access", "rpm",   "max_parallel"};
    return holds_word(name, words, sizeof words / sizeof words[0]);
}

/* The tree's depth is bounded, so the recursion is. */
static bool holds_budget(const struct node *node)
{
    for (size_t i = 0; i < node->count; i++) {
        const struct member *member = &node->members[i];
        bool is_budget = member->key != NULL && strstr(member->key, "budget") != NULL;
        if ((is_budget && !litellm_is_off(member->value)) || holds_budget(member->value))
            return true;
    }
    return false;
}

/* The rows of a section stand together in the table. */
static const char *nearest_of_section(enum litellm_section section, const char *name)
{
    size_t count, first = 0, own = 0;
    const struct litellm_row *rows = litellm_rows(&count);
    for (size_t i = 0; i < count; i++) {
        first = rows[i].section == section && own == 0 ? i : first;
        own += rows[i].section == section;
    }
    return nearest_name(name, &rows[first].key, own, sizeof rows[0]);
}

/* Does a known key of this name, in whatever section, limit money or access? */
static bool is_guarded(const char *key)
{
    static const char *const done[] = {"master_key", "rpm", "max_parallel_requests", "allowed_ips", "use_x_forwarded_for"};
    size_t count;
    const struct litellm_row *rows = litellm_rows(&count);
    for (size_t i = 0; i < sizeof done / sizeof done[0]; i++)
        if (strcmp(done[i], key) == 0)
            return true;
    for (size_t i = 0; i < count; i++)
        if (rows[i].treatment == LITELLM_REFUSE && strcmp(rows[i].key, key) == 0)
            return true;
    return false;
}

static bool fail_budget(struct loader *loader, const struct path *path)
{
    return loader_fail(loader, path, "%s", litellm_find(LITELLM_SETTINGS, "max_budget")->sentence);
}

static bool fail_near(struct loader *loader, const struct path *path, const char *nearest)
{
    return loader_fail(loader, path,
                       "unknown key; did you mean \"%s\"? A limit or a rule of access is never left out in silence; "
                       "mend or remove the key",
                       nearest);
}

/* An input of the model. What is near to a known key goes to the model too, but not without a word. */
static bool apply_input(const struct litellm_scope *scope, struct node *node, const struct path *path)
{
    struct loader *loader = scope->loader;
    if (strstr(path->name, "budget") != NULL && !is_budget_of_model(path->name))
        return litellm_is_off(node) || fail_budget(loader, path);
    const char *nearest = nearest_of_section(LITELLM_PARAMS, path->name);
    if (nearest != NULL && litellm_find(LITELLM_PARAMS, nearest)->treatment == LITELLM_REFUSE)
        return litellm_is_off(node) || fail_near(loader, path, nearest);
    if (nearest != NULL)
        loader_warn(loader, path, "is sent to the model as its input; did you mean %s?", nearest);
    return loader_interpolate(loader, node, path) && litellm_set_member(scope, &scope->route->input, node, path);
}

/* Fails where the key would limit money or access by its name, by the name it is near to, or by what it holds. */
static bool check_guarded(struct loader *loader, const struct node *node, const struct path *path)
{
    size_t count;
    const struct litellm_row *rows = litellm_rows(&count), *param = litellm_find(LITELLM_PARAMS, path->name);
    if (strstr(path->name, "budget") != NULL || holds_budget(node))
        return fail_budget(loader, path);
    if (param != NULL && param->treatment == LITELLM_DO && is_guarded(path->name))
        return loader_fail(loader, path, "this limit would not hold here; write it under litellm_params of a model");
    const char *nearest = nearest_name(path->name, &rows[0].key, count, sizeof rows[0]);
    if (nearest != NULL && strcmp(nearest, path->name) != 0 && is_guarded(nearest))
        return fail_near(loader, path, nearest);
    return !names_guarded_thing(path->name) ||
           loader_fail(loader, path,
                       "by its name this is a limit or a rule of access, which is not supported, and leaving it out in "
                       "silence would open a door; remove the key");
}

bool litellm_apply_unknown(const struct litellm_scope *scope, enum litellm_section section, struct node *node,
                           const struct path *path)
{
    struct loader *loader = scope->loader;
    if (section == LITELLM_PARAMS)
        return apply_input(scope, node, path);
    if (litellm_is_off(node))
        return true;
    if (section == LITELLM_TOP && schema_find(SCHEMA_ROOT, path->name) != NULL)
        return loader_fail(loader, path,
                           "this key belongs to our own form of the file, the rest to LiteLLM's; keep to one of them");
    if (!check_guarded(loader, node, path))
        return false;
    const char *nearest = nearest_of_section(section, path->name);
    if (nearest != NULL)
        loader_warn(loader, path, "unknown key, without effect; did you mean \"%s\"?", nearest);
    else
        loader_warn(loader, path, "unknown key under %s, without effect", section_names[section]);
    return true;
}
