/* What one load of a configuration carries along: where it stands, what it has warned about, what variables it sees.
 * Main thread; lives on config_load's stack. */
#ifndef CONFIG_LOADER_INT_H
#define CONFIG_LOADER_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "config/config.h"
#include "config/yaml_tree.h"

/* The way from the top of a document to a value, link by link on the stack of whoever descends. */
struct path {
    const struct path *up; /* NULL: the document itself */
    const char *name;      /* NULL: an element of a list */
    size_t index;
    const char *file;
    int line; /* 0 = not in a file */
};

enum dialect { DIALECT_NATIVE, DIALECT_LITELLM };

struct variable {
    char *name, *value;
};

/* Where a deployment was written. */
struct origin {
    const struct route *route;
    char *file, *key;
    int line;
    int64_t order; /* LiteLLM's: the lower, the sooner it is used; INT64_MAX = not said */
};

/* A name in some list of fallbacks, to be looked up once all models are known. */
struct fallback_name {
    char *name, *file, *key;
    int line;
};

/* LiteLLM's fallbacks of one model_name; they wait for it to come. */
struct fallback_rule {
    const char *alias; /* belongs to the tree, as does the node */
    const struct node *node;
    const struct schema_row *row;
    char *key;
    bool is_used;
};

struct loader {
    const struct config_options *options;
    struct config *config;
    struct route *defaults; /* what every route starts from */
    enum dialect dialect;
    struct error error;           /* the first failure */
    const char *default_provider; /* custom_llm_provider of LiteLLM's default_litellm_params; belongs to the tree */
    struct variable *variables;   /* set by the file itself; they go before the environment */
    size_t variable_count;
    char **skipped; /* names of LiteLLM's entries for other providers */
    size_t skipped_count;
    struct origin *origins; /* of every deployment in `config` */
    size_t origin_count;
    struct fallback_name *fallback_names;
    size_t fallback_name_count;
    struct fallback_rule *rules;
    size_t rule_count;
    int64_t order;         /* of the entry of LiteLLM's that is being read */
    int64_t max_fallbacks; /* LiteLLM's; -1 = not said */
    bool has_no_cooldowns; /* LiteLLM's disable_cooldowns, which goes over every cooldown_time */
    char *exposed_file;    /* the last that was warned about as everybody may read it */
};

void loader_init(struct loader *loader, const struct config_options *options);
void loader_dispose(struct loader *loader); /* not the configuration */
void loader_forget_places(struct loader *loader);

struct path path_document(const struct node *root);
struct path path_member(const struct path *up, const struct node *parent, size_t index);

/* The keys of `path` joined: "models.kimi-k2.timeout", "model_list[0]". The caller frees. */
char *path_text(const struct path *path);

/* Fills loader->error with "FILE:LINE: KEY: sentence" and returns false. The sentence never quotes a value: it could
 * be a secret. */
bool loader_fail(struct loader *loader, const struct path *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void loader_warn(struct loader *loader, const struct path *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The variable's value; NULL where it is not set or empty. */
const char *loader_variable(const struct loader *loader, const char *name);
void loader_set_variable(struct loader *loader, const char *name, const char *value);

/* Replaces the references to variables in every scalar of `node`, as the dialect writes them. */
bool loader_interpolate(struct loader *loader, struct node *node, const struct path *path);

/* A route with the defaults of all. Where the alias is there already, it is to be one more deployment of it and has
 * what counts for that name, but not its limits. */
struct route *loader_new_route(struct loader *loader, const char *alias);

/* Gives the route to the configuration, as a new name or as the last deployment of one that is there; on false (no
 * usable model or token, or too many deployments) it is freed. */
bool loader_add_route(struct loader *loader, struct route *route, const struct path *path);

/* The first deployment of exactly this alias, or NULL. */
struct route *loader_find_route(const struct loader *loader, const char *alias);

struct origin *loader_origin(const struct loader *loader, const struct route *route);
struct path origin_path(const struct origin *origin);

/* Is this the name of an entry of LiteLLM's for another provider? */
bool loader_is_skipped(const struct loader *loader, const char *alias);

/* Notes that a list of fallbacks names `name`, which fallbacks_settle looks up. */
void loader_name_fallback(struct loader *loader, const char *name, const struct path *path);

/* After all models: checks the names in all lists of fallbacks, and takes those out that could never be used. */
bool fallbacks_settle(struct loader *loader);

/* Adds a client's key. */
struct key *loader_add_key(struct loader *loader);

/* Does this token say that each client brings its own? */
bool token_is_of_client(const char *token);

/* Is this a secret that a header can carry: visible ASCII only? */
bool secret_is_clean(const char *text);

/* Is `host` a loopback address or `localhost`? */
bool host_is_loopback(const char *host);

/* Is the URL plain http to another machine? */
bool url_is_exposed(const char *url);

/* The one of `count` names nearest to `word`, where it is near enough for a misspelling; else NULL. `stride` is the
 * distance in bytes from one name to the next. */
const char *nearest_name(const char *word, const char *const *names, size_t count, size_t stride);

#endif
