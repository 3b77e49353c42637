/* The two dialects and the environment, as config_load calls them. Main thread. */
#ifndef CONFIG_DIALECT_INT_H
#define CONFIG_DIALECT_INT_H

#include "loader_int.h"

/* Read the whole configuration from the tree. `file`: to find the files that it includes. */
bool native_load(struct loader *loader, struct node *root);
bool litellm_load(struct loader *loader, struct node *root);

/* Is this LiteLLM's dialect? */
bool litellm_is_dialect(const struct node *root);

/* Without a file: one model, or any that a client names. */
bool quick_start(struct loader *loader);

/* `url` with /v1 where it has no path at all. The caller frees. */
char *url_with_version(const char *url);

/* What a file may override: token, base URL, timeouts, polling. Before the file is read. */
bool environment_defaults(struct loader *loader);

/* What overrides the file: address, threads, logging. After it. */
bool environment_overrides(struct loader *loader);

#endif
