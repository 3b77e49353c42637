/* What the files of the module `schemas` share: schemas.c (one worker's fetches and those who wait on it),
 * schema_cache.c (what is known, for all workers) and schema_store.c (the same on disk). */
#ifndef REPLICATE_SCHEMAS_INT_H
#define REPLICATE_SCHEMAS_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replicate/schemas.h"

enum {
    SCHEMA_ENTRIES_MAX = 1024,
    SCHEMA_KEY_BYTES = 4 * 1024, /* a client may name a model of any length */
    SCHEMA_DOCUMENT_BYTES = 8 * 1024 * 1024,
};

/* --- schema_store.c: any thread --- */

struct schema_store;

/* NULL where there is no directory to be used. */
struct schema_store *schema_store_new(const char *directory);
void schema_store_free(struct schema_store *store);

/* The document that was kept under the key, and how long ago; the caller frees. NULL where there is none. A store that
 * is NULL has none and keeps none. */
char *schema_store_read(struct schema_store *store, const char *key, size_t *length, int64_t *age_ms);
void schema_store_write(struct schema_store *store, const char *key, const char *bytes, size_t length);

/* --- schema_cache.c: any thread --- */

/* Under what a source's schema is kept: its base URL, a blank, and its reference. The caller frees. NULL where it has
 * none: a bare version, or a name that no model has. */
char *schema_key(const struct schema_source *source);
const char *schema_key_reference(const char *key);

/* Whoever asks, and so how old a schema may be. */
enum schema_need {
    SCHEMA_NEED_ANY,    /* to warm it */
    SCHEMA_NEED_FRESH,  /* for a request */
    SCHEMA_NEED_NEWEST, /* after a refusal */
};

struct schema_view {
    struct model_schema *schema; /* a reference for the caller; NULL = none known */
    bool must_fetch;             /* it fell to the caller to fetch it, and to say in the end what came of it */
    bool must_wait;              /* somebody is fetching it, and it is worth waiting for … */
    int64_t wait_until_ms;       /* … until then */
};

void schema_cache_ask(struct schema_cache *cache, const char *key, enum schema_need need, struct schema_view *view);

/* What came of a fetch. The cache takes a reference of its own; `bytes` is the document. A failure is passing where
 * another try may fare better. */
void schema_cache_keep(struct schema_cache *cache, const char *key, struct model_schema *schema, const char *bytes,
                       size_t length);
void schema_cache_fail(struct schema_cache *cache, const char *key, bool is_passing);

/* Is there nothing left to wait for? *schema is what is known (a reference for the caller), or NULL. */
bool schema_cache_is_decided(struct schema_cache *cache, const char *key, struct model_schema **schema);

/* Somebody has waited in vain for as long as it could: nobody waits for this fetch any more. */
void schema_cache_stop_waits(struct schema_cache *cache, const char *key);

/* Loops of workers, to be woken when something is decided. The generation grows with each such decision. */
struct schema_listener {
    struct list_link link;
    struct loop *loop;
};
void schema_cache_listen(struct schema_cache *cache, struct schema_listener *listener);
void schema_cache_leave(struct schema_cache *cache, struct schema_listener *listener);
uint64_t schema_cache_generation(const struct schema_cache *cache);

#endif
