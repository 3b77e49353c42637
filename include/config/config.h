/* The configuration: an immutable, counted snapshot.
 *
 * load → validate → publish → ref → unref. The main thread loads; a request holds a reference from
 * its first byte to its last, on any thread; the last to let go frees. Nothing in here changes after load.
 * Both dialects (native, LiteLLM's) give the same snapshot. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/job.h"
#include "base/log.h"
#include "base/network.h"
#include "config/route.h"

/* A client's key. */
struct key {
    char *name;   /* for logs; never the secret */
    char *digest; /* SHA-256 of what the client sends, 64 hexadecimal digits in lower case; the secret is kept nowhere */
    int64_t expires_s; /* Unix; from then on it is refused; 0 = never */
    char **models; /* alias patterns it may use; none = all */
    size_t model_count;
    struct limits limits;
};

struct config {
    /* where we listen; a reload cannot change these */
    char *host;
    int port; /* 0 = the kernel picks */
    int workers;

    /* Replicate; what the routes fall back to is already in each route */
    char *ca_file; /* NULL = the system's bundle */
    char *proxy;   /* NULL = none */
    int64_t polls_per_minute, creates_per_minute; /* of each token */
    char *cache_dir; /* keeps the schemas of models over restarts; NULL = nowhere */
    int64_t connect_timeout_ms;

    /* requests */
    int64_t drain_timeout_ms;
    int64_t read_timeout_ms;  /* for a whole request to arrive */
    int64_t write_timeout_ms; /* a client that takes nothing of a stream for this long is given up */
    int64_t idle_timeout_ms;  /* for the next request of a kept connection to begin; a reload cannot change it */
    int64_t max_body_bytes;
    int64_t max_body_memory_bytes; /* of all bodies together; above it: 503 */
    int64_t queue_timeout_ms;      /* above `limits`, and those of aliases and keys, a request waits in line; then 429 */
    int64_t max_in_flight; /* requests being worked on, over all; above it: 503 */
    struct limits limits;  /* over all aliases and keys */
    char **cors_origins;   /* "*" or exact origins; none = CORS off */
    size_t cors_origin_count;

    struct network *allowed_ips; /* who may connect, health checks apart; none = all */
    size_t allowed_ip_count;
    bool use_x_forwarded_for; /* for that, the address is the last one of X-Forwarded-For, not the peer's */

    struct key *keys; /* none = open to everybody */
    size_t key_count;
    bool has_token; /* a model runs on a token of ours: who asks for it need not bring one */

    struct log_options log; /* its `file` is owned by the snapshot */
    bool log_prompts;       /* what clients ask is logged, too */

    struct route **routes; /* most specific first; of each alias its first deployment */
    size_t route_count;
    size_t exact_count;     /* the first so many have names without wildcards, and are in the order of strcmp */
    char *completion_model; /* an alias that every request gets, whatever it names; NULL = none */

    char **warnings; /* "FILE:LINE: KEY: sentence" for every key ignored or mended */
    size_t warning_count;
};

/* What the command line and the environment say; they override the file. */
struct config_options {
    const char *file;          /* NULL: no file */
    const char *host;          /* NULL: not said */
    int port;                  /* -1: not said */
    int workers;               /* 0: not said */
    int64_t max_in_flight;     /* --limit_concurrency; 0: not said */
    int64_t idle_timeout_ms;   /* --keepalive_timeout; 0: not said */
    const char *model, *alias; /* --model with --alias (alias NULL = the model's own name); NULL: not said */
    const char *log_level;     /* NULL: not said */
    bool log_json;             /* --json-logs or JSON_LOGS */
    const char *(*getenv)(const char *name); /* the environment; tests give their own */
};

/* A new snapshot with one reference, or NULL and a sentence in `message` (of `size` bytes): "FILE:LINE: KEY: what is
 * wrong; the mend". Touches no network, logs nothing. */
struct config *config_load(const struct config_options *options, char *message, size_t size);

struct config *config_ref(struct config *config);
void config_unref(struct config *config); /* NULL is fine */

/* The route, the first of its deployments, for a model id that a client named: an exact alias first, else the most
 * specific wildcard. NULL: none. With a `completion_model` it is always that one's. */
const struct route *config_find_route(const struct config *config, const char *alias);

/* The route for an alias in some route's `fallbacks`: the same, but a `completion_model` does not stand before it. */
const struct route *config_find_fallback(const struct config *config, const char *alias);

/* The target of `route` for a client's `alias`: a wildcard's `*` filled in. False and err (ERROR_MODEL_NOT_FOUND) where
 * that gives no model reference. The caller disposes of `target`. */
bool route_target(const struct route *route, const char *alias, struct target *target, struct error *err);

/* Names of the keys that differ between the two and need a restart, joined by ", "; "" when none. */
void config_restart_keys(const struct config *old, const struct config *new, char *out, size_t size);

#endif
