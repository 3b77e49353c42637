/* LiteLLM's keys, one row each. */
#include "config/litellm.h"

#include <string.h>

#include "litellm_int.h"

#define ROW(section_, key_, treatment_, ...)                                                                           \
    {                                                                                                                  \
        .section = LITELLM_##section_, .key = (key_), .treatment = LITELLM_##treatment_, __VA_ARGS__                   \
    }
#define STRUCTURE(section_, key_, treatment_)                                                                          \
    {                                                                                                                  \
        .section = LITELLM_##section_, .key = (key_), .treatment = LITELLM_##treatment_                                \
    }
#define NATIVE(section_, key_) .native_section = SCHEMA_##section_, .native = (key_)

static const char no_effect[] = "has no effect here";
static const char no_failure_kinds[] = "has no effect: failures are counted whatever their kind; allowed_fails says "
                                       "how many";
static const char other_strategy[] = "has no effect: requests are shared by weight and by what each entry is busy with";
static const char no_tokens[] =
    "has no effect: tokens are not counted against a limit; rpm and max_parallel_requests are";
static const char no_prices[] = "has no effect: costs are not reported";
static const char no_budget[] = "spending is not counted here, so a limit on it would not hold; remove it, and set a "
                                "spend limit in your Replicate account";
static const char no_context[] = "whether a prompt was too long for a model is not told apart from its other failures, "
                                 "so these would never be used; remove the key, and write fallbacks for all failures";
static const char no_access[] = "this access rule is not supported, and leaving it out in silence would open a door; "
                                "remove the key, and enforce it in front of this program";
static const char no_guardrails[] = "guardrails are not supported, and requests would pass unchecked; remove the key";
static const char no_exposure[] = "opening further paths is not supported; remove the key";
static const char no_credentials[] = "named credentials are not supported; write api_key: os.environ/REPLICATE_API_KEY";
static const char retries_sentence[] = "applies only before a prediction exists: one that exists is waited for, and "
                                       "never created a second time";
static const char deployment_sentence[] = "has no effect; write model: replicate/deployments/owner/name to run a "
                                          "deployment";
static const char base_sentence[] = "is Replicate's base URL here; LiteLLM ignored it";

/* clang-format off */
static const struct litellm_row rows[] = {
    STRUCTURE(TOP, "model_list", DO),
    STRUCTURE(TOP, "litellm_settings", DO),
    STRUCTURE(TOP, "router_settings", DO),
    STRUCTURE(TOP, "general_settings", DO),
    STRUCTURE(TOP, "environment_variables", DO),
    STRUCTURE(TOP, "include", DO),
    ROW(TOP, "credential_list", WARN, .sentence = "has no effect: no model may name a credential of it"),
    ROW(TOP, "callback_settings", WARN, .sentence = no_effect),
    ROW(TOP, "guardrails", REFUSE, .sentence = no_guardrails, .empty_is_off = true),

    STRUCTURE(ENTRY, "model_name", DO),
    STRUCTURE(ENTRY, "litellm_params", DO),
    ROW(ENTRY, "model_info", DO, .apply = apply_model_info, NATIVE(MODEL, "info")),

    ROW(PARAMS, "model", DO, NATIVE(MODEL, "model")),
    ROW(PARAMS, "custom_llm_provider", DO, .apply = apply_provider),
    ROW(PARAMS, "api_key", DO, NATIVE(MODEL, "token")),
    ROW(PARAMS, "api_base", DO, .sentence = base_sentence, .apply = apply_api_base),
    ROW(PARAMS, "base_url", DO, .sentence = base_sentence, .apply = apply_api_base),
    ROW(PARAMS, "timeout", MAP, .apply = apply_timeout, NATIVE(MODEL, "timeout")),
    ROW(PARAMS, "stream_timeout", MAP, .apply = apply_timeout, NATIVE(MODEL, "stream_timeout")),
    ROW(PARAMS, "num_retries", MAP, .sentence = retries_sentence, .apply = apply_retries, NATIVE(MODEL, "retries")),
    ROW(PARAMS, "max_retries", MAP, .sentence = retries_sentence, .apply = apply_retries, NATIVE(MODEL, "retries")),
    ROW(PARAMS, "rpm", DO, NATIVE(MODEL, "rpm")),
    ROW(PARAMS, "max_parallel_requests", DO, NATIVE(MODEL, "max_parallel_requests")),
    ROW(PARAMS, "tpm", WARN, .sentence = no_tokens),
    ROW(PARAMS, "itpm", WARN, .sentence = no_tokens),
    ROW(PARAMS, "otpm", WARN, .sentence = no_tokens),
    ROW(PARAMS, "weight", DO, .apply = apply_weight),
    ROW(PARAMS, "order", DO, .apply = apply_order),
    ROW(PARAMS, "allowed_fails", DO, NATIVE(MODEL, "allowed_fails")),
    ROW(PARAMS, "allowed_fails_policy", WARN, .sentence = no_failure_kinds),
    ROW(PARAMS, "cooldown_time", DO, NATIVE(MODEL, "cooldown_time")),
    ROW(PARAMS, "content_policy_fallbacks", DO, NATIVE(MODEL, "content_policy_fallbacks")),
    ROW(PARAMS, "supports_system_prompt", DO, .apply = apply_system_prompt),
    ROW(PARAMS, "drop_params", DO, NATIVE(MODEL, "drop_params")),
    ROW(PARAMS, "extra_headers", DO, NATIVE(MODEL, "headers")),
    ROW(PARAMS, "keepalive_seconds", DO, .apply = apply_keepalive, NATIVE(MODEL, "keepalive")),
    ROW(PARAMS, "allow_client_keepalive_override", WARN,
        .sentence = "has no effect: clients cannot set the keep-alive here, keepalive_seconds alone does"),
    ROW(PARAMS, "merge_reasoning_content_in_choices", DO, .apply = apply_merge_reasoning),
    ROW(PARAMS, "*_cost*", WARN, .sentence = no_prices),
    ROW(PARAMS, "tags", WARN, .sentence = no_effect),
    ROW(PARAMS, "tag_regex", WARN, .sentence = no_effect),
    ROW(PARAMS, "budget_duration", WARN, .sentence = "has no effect: there are no budgets"),
    ROW(PARAMS, "mock_response", WARN, .sentence = "has no effect: the model is really run, and paid for"),
    ROW(PARAMS, "organization", WARN, .sentence = no_effect),
    ROW(PARAMS, "api_version", WARN, .sentence = no_effect),
    ROW(PARAMS, "configurable_clientside_auth_params", WARN,
        .sentence = "has no effect: clients cannot bring a token of their own"),
    ROW(PARAMS, "replicate_deployment", WARN, .sentence = deployment_sentence),
    ROW(PARAMS, "stream", WARN, .sentence = "has no effect: each request says for itself whether it streams"),
    ROW(PARAMS, "additional_drop_params", DO, NATIVE(MODEL, "additional_drop_params")),
    ROW(PARAMS, "allowed_openai_params", WARN,
        .sentence = "has no effect: every parameter that the model has an input for is sent"),
    ROW(PARAMS, "max_budget", REFUSE, .sentence = no_budget),
    ROW(PARAMS, "guardrails", REFUSE, .sentence = no_guardrails, .empty_is_off = true),
    ROW(PARAMS, "fallbacks", DO, NATIVE(MODEL, "fallbacks")),
    ROW(PARAMS, "context_window_fallbacks", REFUSE, .sentence = no_context, .empty_is_off = true),
    ROW(PARAMS, "context_window_fallback_dict", REFUSE, .sentence = no_context, .empty_is_off = true),
    ROW(PARAMS, "litellm_credential_name", REFUSE, .sentence = no_credentials),

    ROW(SETTINGS, "drop_params", DO, NATIVE(MODEL, "drop_params")),
    ROW(SETTINGS, "additional_drop_params", DO, NATIVE(MODEL, "additional_drop_params")),
    ROW(SETTINGS, "request_timeout", MAP, .apply = apply_timeout, NATIVE(ROOT, "timeout")),
    ROW(SETTINGS, "num_retries", MAP,
        .sentence = retries_sentence, .apply = apply_retries, NATIVE(REPLICATE, "retries")),
    ROW(SETTINGS, "set_verbose", DO, .apply = apply_verbose),
    ROW(SETTINGS, "json_logs", DO, .apply = apply_json_logs),
    ROW(SETTINGS, "sse_keepalive_ping_interval_seconds", DO, NATIVE(ROOT, "keepalive")),
    ROW(SETTINGS, "fallbacks", DO, .apply = apply_fallbacks, NATIVE(ROOT, "fallbacks")),
    ROW(SETTINGS, "default_fallbacks", DO, NATIVE(ROOT, "fallbacks")),
    ROW(SETTINGS, "context_window_fallbacks", REFUSE, .sentence = no_context, .empty_is_off = true),
    ROW(SETTINGS, "content_policy_fallbacks", DO, .apply = apply_fallbacks, NATIVE(ROOT, "content_policy_fallbacks")),
    ROW(SETTINGS, "max_budget", REFUSE, .sentence = no_budget),
    ROW(SETTINGS, "cache", WARN, .sentence = "has no effect: answers are not cached"),
    ROW(SETTINGS, "cache_params", WARN, .sentence = "has no effect: answers are not cached"),
    ROW(SETTINGS, "callbacks", WARN, .sentence = no_effect),
    ROW(SETTINGS, "success_callback", WARN, .sentence = no_effect),
    ROW(SETTINGS, "failure_callback", WARN, .sentence = no_effect),
    ROW(SETTINGS, "turn_off_message_logging", WARN, .sentence = "has no effect: messages are never logged"),
    ROW(SETTINGS, "force_ipv4", WARN, .sentence = no_effect),
    ROW(SETTINGS, "allowed_fails", DO, NATIVE(ROOT, "allowed_fails")),
    ROW(SETTINGS, "cooldown_time", DO, NATIVE(ROOT, "cooldown_time")),
    ROW(SETTINGS, "network_mock", WARN, .sentence = "has no effect: models are really run, and paid for"),

    ROW(ROUTER, "timeout", MAP, .apply = apply_timeout, NATIVE(ROOT, "timeout")),
    ROW(ROUTER, "stream_timeout", MAP, .apply = apply_timeout, NATIVE(ROOT, "stream_timeout")),
    ROW(ROUTER, "num_retries", MAP,
        .sentence = retries_sentence, .apply = apply_retries, NATIVE(REPLICATE, "retries")),
    STRUCTURE(ROUTER, "model_group_alias", MAP),
    STRUCTURE(ROUTER, "default_litellm_params", MAP),
    ROW(ROUTER, "default_max_parallel_requests", MAP, NATIVE(MODEL, "max_parallel_requests")),
    ROW(ROUTER, "fallbacks", DO, .apply = apply_fallbacks, NATIVE(ROOT, "fallbacks")),
    ROW(ROUTER, "default_fallbacks", DO, NATIVE(ROOT, "fallbacks")),
    ROW(ROUTER, "context_window_fallbacks", REFUSE, .sentence = no_context, .empty_is_off = true),
    ROW(ROUTER, "content_policy_fallbacks", DO, .apply = apply_fallbacks, NATIVE(ROOT, "content_policy_fallbacks")),
    ROW(ROUTER, "routing_strategy", MAP, .sentence = other_strategy, .apply = apply_strategy),
    ROW(ROUTER, "routing_strategy_args", WARN, .sentence = other_strategy),
    ROW(ROUTER, "retry_after", WARN, .sentence = "has no effect: the pause that Replicate names is kept"),
    ROW(ROUTER, "allowed_fails", DO, NATIVE(ROOT, "allowed_fails")),
    ROW(ROUTER, "allowed_fails_policy", WARN, .sentence = no_failure_kinds),
    ROW(ROUTER, "cooldown_time", DO, NATIVE(ROOT, "cooldown_time")),
    ROW(ROUTER, "disable_cooldowns", DO, .apply = apply_no_cooldowns),
    ROW(ROUTER, "retry_policy", WARN, .sentence = retries_sentence),
    ROW(ROUTER, "max_fallbacks", DO, .apply = apply_max_fallbacks),
    ROW(ROUTER, "redis_*", WARN, .sentence = "has no effect: nothing is kept in Redis"),
    ROW(ROUTER, "enable_pre_call_checks", WARN,
        .sentence = "has no effect: a prompt is not measured against what its model takes before it is sent"),

    ROW(GENERAL, "master_key", DO, .apply = apply_master_key),
    ROW(GENERAL, "max_parallel_requests", DO, NATIVE(MODEL, "max_parallel_requests")),
    ROW(GENERAL, "global_max_parallel_requests", DO, .apply = apply_global_parallel),
    ROW(GENERAL, "max_request_size_mb", DO, .apply = apply_request_size),
    ROW(GENERAL, "max_response_size_mb", REFUSE,
        .sentence = "answers have no limit of their own here; remove the key"),
    ROW(GENERAL, "completion_model", DO, .apply = apply_completion_model),
    ROW(GENERAL, "allowed_ips", DO, NATIVE(ROOT, "allowed_ips")),
    ROW(GENERAL, "use_x_forwarded_for", DO, .apply = apply_forwarded_for, NATIVE(ROOT, "use_x_forwarded_for"),
        .sentence = "goes by the last address of X-Forwarded-For, which the proxy in front has added; LiteLLM takes the "
                    "first, which anybody can make up"),
    ROW(GENERAL, "litellm_key_header_name", REFUSE, .sentence = no_access),
    ROW(GENERAL, "allowed_routes", REFUSE, .sentence = no_access),
    ROW(GENERAL, "admin_only_routes", REFUSE, .sentence = no_access),
    ROW(GENERAL, "custom_auth", REFUSE, .sentence = no_access),
    ROW(GENERAL, "enable_jwt_auth", REFUSE, .sentence = no_access),
    ROW(GENERAL, "enable_oauth2_auth", REFUSE, .sentence = no_access),
    ROW(GENERAL, "public_routes", REFUSE, .sentence = no_exposure),
    ROW(GENERAL, "pass_through_endpoints", REFUSE, .sentence = no_exposure, .empty_is_off = true),
    ROW(GENERAL, "forward_client_headers_to_llm_api", WARN,
        .sentence = "has no effect: headers of clients are never sent on"),
    ROW(GENERAL, "database_url", WARN, .sentence = "has no effect: there is no database"),
    ROW(GENERAL, "allow_requests_on_db_unavailable", WARN, .sentence = "has no effect: there is no database"),
    ROW(GENERAL, "store_model_in_db", WARN, .sentence = "has no effect: there is no database"),
    ROW(GENERAL, "alerting", WARN, .sentence = no_effect),
    ROW(GENERAL, "background_health_checks", WARN,
        .sentence = "has no effect: health checks never run a model, so they cost nothing"),
    ROW(GENERAL, "health_check_interval", WARN, .sentence = no_effect),
    ROW(GENERAL, "health_check_details", WARN, .sentence = no_effect),
};
/* clang-format on */

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

/* Parameters of OpenAI's API are many and alike, so they share one row outside of the table's order. */
static const struct litellm_row parameter_row = ROW(PARAMS, "*", DO, .apply = apply_parameter);

const struct litellm_row *litellm_rows(size_t *count)
{
    *count = ROW_COUNT;
    return rows;
}

const struct litellm_row *litellm_find(enum litellm_section section, const char *key)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].section == section && route_matches(rows[i].key, key, NULL, 0))
            return &rows[i];
    return section == LITELLM_PARAMS && schema_is_parameter(key) ? &parameter_row : NULL;
}
