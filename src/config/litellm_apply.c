/* LiteLLM's keys applied: by the table, and the few that need more than the native key they stand for. */
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "dialect_int.h"
#include "litellm_int.h"
#include "value_int.h"

/* Most of LiteLLM's keys are a native key by another name: type, range and message come from its row. */
static bool set_native(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    struct schema_objects objects = {.config = scope->loader->config, .route = scope->route};
    const struct schema_row *row = schema_find(scope->row->native_section, scope->row->native);
    ensure(row != NULL);
    return schema_set(scope->loader, row, &objects, node, path);
}

bool apply_native(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    return scope->row->native == NULL || set_native(scope, node, path);
}

bool apply_timeout(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    struct route *route = scope->route;
    bool is_of_streams = strcmp(scope->row->native, "stream_timeout") == 0;
    const char **key = is_of_streams ? &route->stream_timeout_key : &route->timeout_key;
    if (!set_native(scope, node, path))
        return false;
    free((char *)*key);
    /* An entry's place in the list says little; its name is what one searches for. */
    *key = route->alias != NULL ? xasprintf("litellm_params.%s of %s", path->name, route->alias) : path_text(path);
    return true;
}

/* A narrower range than our own key has; 0 turns comments off in both. */
bool apply_keepalive(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    if (!set_native(scope, node, path))
        return false;
    int64_t ms = scope->route->keepalive_ms;
    return ms == 0 || (ms >= 1000 && ms <= 300000) ||
           loader_fail(scope->loader, path, "this must be a number of seconds from 1 to 300, or 0 to turn it off");
}

/* An entry's own is looked at before anything else of it (litellm.c); one among the defaults is kept for all entries.
 */
bool apply_provider(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    if (node->type != NODE_SCALAR || node->text[0] == '\0')
        return loader_fail(scope->loader, path, "this must be the name of a provider, such as replicate");
    if (scope->route == scope->loader->defaults)
        scope->loader->default_provider = node->text;
    return true;
}

bool apply_api_base(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    struct schema_objects objects = {.config = scope->loader->config, .route = scope->route};
    struct node url = *node;
    if (node->type != NODE_SCALAR)
        return loader_fail(scope->loader, path, "this must be an address such as https://api.replicate.com/v1");
    url.text = url_with_version(node->text);
    bool ok = schema_set(scope->loader, schema_find(SCHEMA_MODEL, "base_url"), &objects, &url, path);
    free(url.text);
    if (ok)
        loader_warn(scope->loader, path, "%s", scope->row->sentence);
    return ok;
}

/* Said only where retries were asked for: 0 promises nothing that is not kept. */
bool apply_retries(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    if (!set_native(scope, node, path))
        return false;
    if (scope->route->create_retries > 0)
        loader_warn(scope->loader, path, "%s", scope->row->sentence);
    return true;
}

bool litellm_set_member(const struct litellm_scope *scope, json_t **object, const struct node *node,
                        const struct path *path)
{
    if (*object == NULL)
        *object = json_object();
    json_t *value = value_json(node, true);
    if (json_object_set_new(*object, path->name, value) == 0)
        return true;
    return loader_fail(scope->loader, path, "a text in this value is not valid UTF-8");
}

bool apply_parameter(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    return litellm_set_member(scope, &scope->route->params, node, path);
}

static bool read_flag(const struct litellm_scope *scope, const struct node *node, const struct path *path, bool *flag)
{
    return value_boolean(node, flag) || loader_fail(scope->loader, path, "this must be true or false, without quotes");
}

bool apply_system_prompt(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    bool flag;
    if (!read_flag(scope, node, path, &flag))
        return false;
    if (scope->route->map == NULL)
        scope->route->map = json_object();
    /* False over a default of true takes the default away. */
    if (flag)
        json_object_set_new(scope->route->map, "system", json_string("system_prompt"));
    else
        json_object_del(scope->route->map, "system");
    return true;
}

/* What is merged is the text as the model wrote it, tags included. False over a default of true takes that back. */
bool apply_merge_reasoning(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    bool flag;
    if (!read_flag(scope, node, path, &flag))
        return false;
    scope->route->reasoning = flag ? REASONING_OFF : REASONING_AUTO;
    return true;
}

bool apply_verbose(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    bool flag;
    if (!read_flag(scope, node, path, &flag))
        return false;
    if (flag)
        scope->loader->config->log.level = LOG_LEVEL_DEBUG;
    return true;
}

bool apply_json_logs(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    bool flag;
    if (!read_flag(scope, node, path, &flag))
        return false;
    if (flag)
        scope->loader->config->log.format = LOG_FORMAT_JSON;
    return true;
}

bool apply_master_key(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    struct config *config = scope->loader->config;
    if (node->type == NODE_SCALAR && (node_is_null(node) || node->text[0] == '\0'))
        return loader_fail(scope->loader, path, "the key is empty; remove it to let everybody in");
    /* A second file may replace the key of the first; there is one master. */
    struct key *key = config->key_count > 0 ? &config->keys[0] : loader_add_key(scope->loader);
    struct schema_objects objects = {.config = config, .key = key};
    if (key->name == NULL)
        key->name = xstrdup("master");
    return schema_set(scope->loader, schema_find(SCHEMA_KEY, "key"), &objects, node, path);
}

/* Behind several proxies the two go by different addresses, so it is said where it is switched on. */
bool apply_forwarded_for(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    if (!set_native(scope, node, path))
        return false;
    if (scope->loader->config->use_x_forwarded_for)
        loader_warn(scope->loader, path, "%s", scope->row->sentence);
    return true;
}

/* A number of mebibytes, also a fraction. */
bool apply_request_size(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    if (node->type != NODE_SCALAR)
        return loader_fail(scope->loader, path, "this must be a number of megabytes");
    struct node size = *node;
    size.text = xasprintf("%sMiB", node->text);
    struct schema_objects objects = {.config = scope->loader->config, .route = scope->route};
    bool ok = schema_set(scope->loader, schema_find(SCHEMA_ROOT, "max_body"), &objects, &size, path);
    free(size.text);
    return ok;
}

/* The limit over all is no native key; a route that lives here only borrows the range of a route's own limit. */
bool apply_global_parallel(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    struct route over_all = {0};
    struct schema_objects objects = {.config = scope->loader->config, .route = &over_all};
    if (!schema_set(scope->loader, schema_find(SCHEMA_MODEL, "max_parallel_requests"), &objects, node, path))
        return false;
    scope->loader->config->limits.max_parallel = over_all.limits.max_parallel;
    return true;
}

bool apply_completion_model(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    if (node->type != NODE_SCALAR || node->text[0] == '\0')
        return loader_fail(scope->loader, path, "this must be a model_name");
    free(scope->loader->config->completion_model);
    scope->loader->config->completion_model = xstrdup(node->text);
    return true;
}

/* Who may use a model is access; its mode tells what clients may expect of it. Everything else of it is only shown. */
bool apply_model_info(const struct litellm_scope *scope, const struct node *node, const struct path *path)
{
    if (!set_native(scope, node, path))
        return false;
    for (size_t i = 0; i < node->count; i++) {
        const struct node *value = node->members[i].value;
        struct path member = path_member(path, node, i);
        bool is_empty = litellm_is_off(value) || (value->type != NODE_SCALAR && value->count == 0);
        if (strcmp(member.name, "access_groups") == 0 && !is_empty)
            return loader_fail(scope->loader, &member, "%s", litellm_find(LITELLM_GENERAL, "custom_auth")->sentence);
        if (strcmp(member.name, "mode") == 0 && !node_is_null(value) &&
            (value->type != NODE_SCALAR ||
             (strcmp(value->text, "chat") != 0 && strcmp(value->text, "completion") != 0)))
            loader_warn(scope->loader, &member, "this release serves chat only");
    }
    return true;
}

bool litellm_is_off(const struct node *node)
{
    bool flag;
    return node_is_null(node) || (value_boolean(node, &flag) && !flag);
}

/* Variables are filled in only where the value is used: a key without effect must not fail for one that is missing. */
static bool apply_row(struct litellm_scope *scope, struct node *node, const struct path *path)
{
    const struct litellm_row *row = scope->row;
    switch (row->treatment) {
    case LITELLM_WARN:
        if (!litellm_is_off(node))
            loader_warn(scope->loader, path, "%s", row->sentence);
        return true;
    case LITELLM_REFUSE:
        return litellm_is_off(node) || (row->empty_is_off && node->type != NODE_SCALAR && node->count == 0) ||
               loader_fail(scope->loader, path, "%s", row->sentence);
    default:
        break;
    }
    if (row->apply == NULL && row->native == NULL)
        return true; /* structure, read by litellm.c */
    if (!loader_interpolate(scope->loader, node, path))
        return false;
    /* Alone of all keys, an empty master key is no "not said": it would let everybody in. */
    if (node_is_null(node) && row->apply != apply_master_key)
        return true;
    return row->apply != NULL ? row->apply(scope, node, path) : apply_native(scope, node, path);
}

bool litellm_apply(struct loader *loader, enum litellm_section section, struct route *route, struct node *node,
                   const struct path *path)
{
    if (node_is_null(node))
        return true;
    if (node->type != NODE_MAP)
        return loader_fail(loader, path, "this must be a map of keys and values");
    for (size_t i = 0; i < node->count; i++) {
        struct path member = path_member(path, node, i);
        struct litellm_scope scope = {loader, litellm_find(section, member.name), route};
        bool ok = scope.row != NULL ? apply_row(&scope, node->members[i].value, &member)
                                    : litellm_apply_unknown(&scope, section, node->members[i].value, &member);
        if (!ok)
            return false;
    }
    return true;
}
