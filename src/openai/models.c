/* GET /models and GET /models/{model}: what the configuration serves, as OpenAI lists its models. */
#include "openai/models.h"

#include <inttypes.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "models_int.h"

enum { QUOTE_BYTES = 65 };

bool models_decode(struct call *call, const struct call_request *request, struct error *err)
{
    (void)err; /* a path that was found leaves nothing to refuse */
    if (request->path_model != NULL && request->path_model[0] != '\0')
        call->alias = xstrdup(request->path_model);
    call->created_s = request->now_s;
    return true;
}

/* The model's owner on Replicate; a bare version does not tell. */
static size_t owner_length(const struct target *target)
{
    return target->name == NULL ? 0 : strcspn(target->name, "/");
}

/* What the operator says of the model (its name, its context length …) stands beside OpenAI's members, never over them.
 */
static void append_info(struct buf *out, const json_t *info)
{
    static const char *const own[] = {"id", "object", "created", "owned_by", "replibridge"};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)info, key, value)
    {
        bool is_own = false;
        for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
            is_own |= strcmp(key, own[i]) == 0;
        if (is_own)
            continue;
        buf_append_text(out, ",");
        json_append_string(out, key, strlen(key));
        buf_append_text(out, ":");
        json_append(out, value);
    }
}

static void append_members(struct buf *out, const char *alias, const struct route *route, const struct target *target)
{
    size_t owner = owner_length(target);
    buf_append_text(out, "{\"id\":");
    json_append_string(out, alias, strlen(alias));
    buf_printf(out, ",\"object\":\"model\",\"created\":%" PRId64 ",\"owned_by\":", route->created_s);
    if (owner > 0)
        json_append_string(out, target->name, owner);
    else
        buf_append_text(out, "\"replicate\"");
    append_info(out, route->info);
}

bool models_check_room(const struct buf *out, struct error *err)
{
    return !out->overflowed ||
           error_set(err, ERROR_INTERNAL, NULL, "The list of models is larger than an answer may be.");
}

bool models_is_listed(const struct route *route, const struct key *key)
{
    return strchr(route->alias, '*') == NULL && endpoint_key_allows(key, route->alias);
}

bool models_are_unlisted(const struct config *config)
{
    for (size_t i = 0; i < config->route_count; i++)
        if (strchr(config->routes[i]->alias, '*') == NULL)
            return false;
    return true;
}

bool models_list(const struct call *call, const struct local *local, struct buf *out, struct error *err)
{
    const struct config *config = local->config;
    (void)call;
    buf_append_text(out, "{\"object\":\"list\",\"data\":[");
    bool first = true;
    for (size_t i = 0; i < config->route_count; i++) {
        const struct route *route = config->routes[i];
        struct target target;
        if (!models_is_listed(route, local->key) || !route_target(route, route->alias, &target, NULL))
            continue;
        if (!first)
            buf_append_text(out, ",");
        first = false;
        append_members(out, route->alias, route, &target);
        buf_append_text(out, "}");
        target_dispose(&target);
    }
    buf_append_text(out, "]}");
    return models_check_room(out, err);
}

/* To a key that may not use it, a model is as good as absent: nobody learns from here what others have. */
bool models_get(const struct call *call, const struct local *local, struct buf *out, struct error *err)
{
    ensure(call->alias != NULL);
    const struct route *route = config_find_route(local->config, call->alias);
    struct target target;
    if (route == NULL || !endpoint_key_allows(local->key, call->alias) ||
        !route_target(route, call->alias, &target, NULL)) {
        char quoted[QUOTE_BYTES];
        error_quote(quoted, sizeof quoted, call->alias, strlen(call->alias), NULL);
        return error_set(err, ERROR_MODEL_NOT_FOUND, NULL,
                         "The model `%s` does not exist or you do not have access to it. %s", quoted,
                         models_are_unlisted(local->config) ? "Use a model reference such as owner/name."
                                                            : "GET /v1/models lists what there is.");
    }
    struct model_schema *schema = local->schema_of(local->arg, route, call->alias);
    append_members(out, call->alias, route, &target);
    models_append_facts(out, route, &target, schema);
    buf_append_text(out, "}");
    model_schema_unref(schema);
    target_dispose(&target);
    return models_check_room(out, err);
}
