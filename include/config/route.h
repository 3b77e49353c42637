/* A route: what an alias stands for. Part of the configuration snapshot, immutable, freed with it. */
#ifndef CONFIG_ROUTE_H
#define CONFIG_ROUTE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/job.h"

/* What becomes of a prediction whose client hung up. */
enum on_disconnect {
    DISCONNECT_GRACE,  /* cancel at once; after `grace_ms` where the client said that it may retry */
    DISCONNECT_CANCEL, /* cancel at once, always */
    DISCONNECT_KEEP,   /* let it run to its end */
};

/* Where a model's thoughts go: `<think>…</think>` in its output. */
enum reasoning_mode {
    REASONING_AUTO,   /* to the answer's reasoning; opened by `<think>` at the start of the output */
    REASONING_OPENED, /* the same, but the model's template has opened it already: reasoning until `</think>` */
    REASONING_OFF,    /* nowhere: everything is content, tags included */
};

/* Limits of an alias, a key, or of the daemon; server/admission.c keeps the counts. 0 = none. */
struct limits {
    int64_t requests_per_minute; /* rpm */
    int64_t max_parallel;        /* requests at the same time: max_parallel_requests */
};

struct route {
    char *alias;     /* as clients name it; may hold `*` */
    char *reference; /* the model as configured, `replicate/` stripped; may hold `*` where the alias does */

    /* upstream */
    char *base_url;
    char *token; /* NULL = each client brings its own */
    struct header *headers;
    size_t header_count;
    int create_retries;
    int64_t prefer_wait_ms, poll_interval_ms;

    /* time */
    int64_t timeout_ms;             /* from the request's arrival to its answer */
    int64_t stream_timeout_ms;      /* the same for streams */
    const char *timeout_key;        /* which key set it, to name it in a 504: "models.kimi-k2.timeout", "timeout",
                                       "LITELLM_REQUEST_TIMEOUT" … */
    const char *stream_timeout_key; /* the same for streams: equal to timeout_key where it has no key of its own */
    enum on_disconnect on_disconnect;
    int64_t grace_ms;
    int64_t keepalive_ms; /* a stream is never silent for longer; 0 = no comments, the 200 only with the first piece */

    /* mapping (openai/mapping.h) */
    json_t *input;      /* object: defaults for the model's own inputs */
    json_t *map;        /* object: canonical name → the model's input name, or null; only what is configured */
    json_t *params;     /* object: OpenAI parameters the client's request lacks (temperature, max_tokens, …) */
    bool strict_params; /* hints that the model has no input for are refused, not left out */
    enum reasoning_mode reasoning;
    bool drop_params; /* what changes the answer's meaning is left out and named, not refused */
    char **dropped;   /* parameters that are left out and named whatever the model takes: additional_drop_params */
    size_t dropped_count;
    bool read_schema; /* the model's own schema is fetched and followed; else only what is configured and common */

    /* Several deployments may stand under one alias, and other aliases may stand in where it fails
     * (server/deployments.h). The configuration lists the first deployment of each alias; each owns the next. */
    struct route *next; /* NULL = the last */
    int deployment;     /* its place: 0 for the first */
    int64_t weight;     /* its share of the requests; 0 = only while no other is well */
    char **fallbacks;   /* aliases to go on with, in this order; those of the first deployment count */
    size_t fallback_count;
    char **content_policy_fallbacks; /* the same where a safety filter refused */
    size_t content_policy_fallback_count;
    int64_t allowed_fails; /* more failures than this within a minute … */
    int64_t cooldown_ms;   /* … and it is left alone for this long; 0 = never */

    size_t metrics_index; /* of its alias among the names of the metrics; set once, when the configuration is loaded */
    struct limits limits;
    json_t *info;      /* object or NULL: LiteLLM's model_info, to be shown */
    int64_t created_s; /* `created` in the models list: when the configuration was loaded */
};

/* Is `alias` matched by `pattern`, whose `*` match any text, also none? Where it is and `rest` is not NULL, `rest` (of
 * `size` bytes) gets what the first `*` matched ("" without a `*`). */
bool route_matches(const char *pattern, const char *alias, char *rest, size_t size);

#endif
