/* What the files of LiteLLM's dialect share. Main thread. */
#ifndef CONFIG_LITELLM_INT_H
#define CONFIG_LITELLM_INT_H

#include "config/litellm.h"
#include "loader_int.h"

/* Where a key is applied. */
struct litellm_scope {
    struct loader *loader;
    const struct litellm_row *row;
    struct route *route; /* the entry's, or the defaults of all */
};

/* Applies every key of a map by the table. `node` may be any node; its variables are filled in key by key, because a
 * key without effect must not fail for a variable that is missing. */
bool litellm_apply(struct loader *loader, enum litellm_section section, struct route *route, struct node *node,
                   const struct path *path);

/* Keys that the table hands to these. */
litellm_apply_fn apply_native, apply_timeout, apply_keepalive, apply_merge_reasoning, apply_provider, apply_api_base,
    apply_retries, apply_parameter, apply_system_prompt, apply_verbose, apply_json_logs, apply_master_key,
    apply_forwarded_for, apply_request_size, apply_global_parallel, apply_completion_model, apply_model_info;

/* Of litellm_group.c. */
litellm_apply_fn apply_weight, apply_order, apply_no_cooldowns, apply_strategy;
/* Of litellm_fallbacks.c. */
litellm_apply_fn apply_fallbacks, apply_max_fallbacks;

/* Gives the route the fallbacks that the settings have for its alias. */
bool litellm_use_rules(struct loader *loader, struct route *route);

/* Fails where the settings have fallbacks for a name that no entry has. After the models and aliases. */
bool litellm_check_rules(struct loader *loader);

/* A weight that no key has said. */
enum { LITELLM_NO_WEIGHT = -1 };

/* Does what this entry says of its whole group agree with the first entry of that name? Called before it is added. */
bool litellm_check_group(struct loader *loader, struct route *route, const struct path *path);

/* Limits, weights and order of all groups, once their entries are complete. */
bool litellm_settle_groups(struct loader *loader);

/* Adds a value to the object, which is made where it is NULL. */
bool litellm_set_member(const struct litellm_scope *scope, json_t **object, const struct node *node,
                        const struct path *path);

/* What is switched off needs neither a warning nor a refusal. */
bool litellm_is_off(const struct node *node);

/* A key without a row: an input of the model, or a slip, or something newer than the table. */
bool litellm_apply_unknown(const struct litellm_scope *scope, enum litellm_section section, struct node *node,
                           const struct path *path);

#endif
