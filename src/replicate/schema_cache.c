/* What is known of models' schemas, for all workers: a hash table whose entries are also in a list, least recently used
 * first, behind one mutex.
 *
 * An entry says who may fetch and who must wait; the fetching itself is done by the worker that was told to. Files are
 * read, parsed and written outside the mutex. */
#include "schemas_int.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/sha256.h"

enum { BUCKETS = 2048 /* a power of two */ };

struct entry {
    struct list_link link;
    struct entry *next_in_bucket;
    char *key;
    struct model_schema *schema; /* NULL = none known */
    int64_t fetched_ms;          /* clock_now_ms(); before our start where it came from disk */
    int64_t quiet_until_ms;      /* after a failure nobody asks before */
    bool has_failed_for_now;     /* the last fetch, for a reason that may pass */
    bool is_fetching;            /* by the one worker that was told to */
    int64_t asked_ms;            /* when that began */
    bool has_kept_waiting;       /* for an answer, a failure or as long as it could: nobody waits a second time */
};

struct schema_cache {
    struct schema_store *store; /* NULL = none */
    atomic_uint_least64_t generation;
    pthread_mutex_t mutex; /* guards all below */
    struct list by_use;
    struct entry *buckets[BUCKETS];
    struct list listeners;
};

struct schema_cache *schema_cache_new(const char *directory)
{
    struct schema_cache *cache = xcalloc(1, sizeof *cache);
    cache->store = schema_store_new(directory);
    atomic_init(&cache->generation, 0);
    ensure(pthread_mutex_init(&cache->mutex, NULL) == 0);
    list_init(&cache->by_use);
    list_init(&cache->listeners);
    return cache;
}

static void entry_free(struct entry *entry)
{
    model_schema_unref(entry->schema);
    free(entry->key);
    free(entry);
}

void schema_cache_free(struct schema_cache *cache)
{
    if (cache == NULL)
        return;
    ensure(list_is_empty(&cache->listeners));
    for (struct list_link *link = list_shift(&cache->by_use); link != NULL; link = list_shift(&cache->by_use))
        entry_free(list_entry(link, struct entry, link));
    pthread_mutex_destroy(&cache->mutex);
    schema_store_free(cache->store);
    free(cache);
}

/* ---- keys ---- */

/* Holds a blank, as do the parts of a key that follow it. */
static const char private_mark[] = " client:";

/* Of a private one the token is in the key, as a hash: whoever has the same token finds it. */
static bool append_owner(const struct schema_source *source, struct buf *key)
{
    enum { DIGITS = 32 };
    char digest[SHA256_HEX_BYTES];
    if (!source->is_private)
        return true;
    const char *token = source->token == NULL ? "" : source->token;
    sha256_hex(token, strlen(token), digest);
    return buf_append_text(key, private_mark) && buf_append(key, digest, DIGITS);
}

static bool is_private_key(const char *key)
{
    return strstr(key, private_mark) != NULL;
}

/* The blank between the parts is in none of them. */
char *schema_key(const struct schema_source *source)
{
    const struct target *target = source->target;
    if (target->name == NULL)
        return NULL;
    struct buf key;
    buf_init(&key, SCHEMA_KEY_BYTES);
    bool ok = buf_append_text(&key, source->base_url) && append_owner(source, &key) && buf_append_text(&key, " ") &&
              buf_append_text(&key, target->kind == TARGET_DEPLOYMENT ? "deployments/" : "") &&
              buf_append_text(&key, target->name);
    if (ok && target->kind == TARGET_VERSION)
        ok = buf_append_text(&key, ":") && buf_append_text(&key, target->version);
    char *text = ok ? buf_take(&key, NULL) : NULL;
    buf_dispose(&key);
    return text;
}

const char *schema_key_reference(const char *key)
{
    const char *blank = strrchr(key, ' ');
    ensure(blank != NULL);
    return blank + 1;
}

/* ---- entries; the mutex is held ---- */

/* The place that points to the entry of `key`, or the end of its chain. */
static struct entry **place_of(struct schema_cache *cache, const char *key)
{
    uint32_t hash = UINT32_C(2166136261);
    for (const char *at = key; *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * UINT32_C(16777619);
    struct entry **place = &cache->buckets[hash & (BUCKETS - 1)];
    while (*place != NULL && strcmp((*place)->key, key) != 0)
        place = &(*place)->next_in_bucket;
    return place;
}

/* To be asked for is to be used. */
static struct entry *find(struct schema_cache *cache, const char *key)
{
    struct entry *entry = *place_of(cache, key);
    if (entry != NULL) {
        list_remove(&entry->link);
        list_append(&cache->by_use, &entry->link);
    }
    return entry;
}

/* What is being fetched must stay: somebody may wait for it. False where that is all there is. */
static bool drop_oldest(struct schema_cache *cache)
{
    struct list_link *link = list_first(&cache->by_use);
    while (link != NULL && list_entry(link, struct entry, link)->is_fetching)
        link = list_next(&cache->by_use, link);
    if (link == NULL)
        return false;
    struct entry *entry = list_entry(link, struct entry, link);
    list_remove(link);
    *place_of(cache, entry->key) = entry->next_in_bucket;
    entry_free(entry);
    return true;
}

/* NULL where there is no room. */
static struct entry *add(struct schema_cache *cache, const char *key)
{
    if (cache->by_use.length >= SCHEMA_ENTRIES_MAX && !drop_oldest(cache))
        return NULL;
    struct entry *entry = xcalloc(1, sizeof *entry);
    entry->key = xstrdup(key);
    entry->quiet_until_ms = INT64_MIN;
    *place_of(cache, key) = entry;
    list_append(&cache->by_use, &entry->link);
    return entry;
}

/* ---- from disk ---- */

struct stored {
    struct model_schema *schema; /* NULL = none */
    int64_t age_ms;
};

static struct stored read_stored(struct schema_cache *cache, const char *key)
{
    struct stored stored = {NULL, 0};
    size_t length = 0;
    char *bytes = is_private_key(key) ? NULL : schema_store_read(cache->store, key, &length, &stored.age_ms);
    if (bytes != NULL)
        stored.schema = model_schema_parse(bytes, length, NULL);
    free(bytes);
    return stored;
}

/* Somebody may have been quicker meanwhile, and what was fetched is newer than any file. */
static void adopt(struct entry *entry, struct stored *stored)
{
    if (entry->schema != NULL || stored->schema == NULL)
        return;
    entry->schema = stored->schema;
    entry->fetched_ms = clock_now_ms() - stored->age_ms;
    stored->schema = NULL;
}

/* Locks, and finds the entry; the disk is looked at before one is made. One of which nothing is known is made only
 * where `adds`; then NULL says that there is no room. */
static struct entry *lock_entry(struct schema_cache *cache, const char *key, bool adds)
{
    pthread_mutex_lock(&cache->mutex);
    struct entry *entry = find(cache, key);
    if (entry != NULL)
        return entry;
    pthread_mutex_unlock(&cache->mutex);
    struct stored stored = read_stored(cache, key);
    pthread_mutex_lock(&cache->mutex);
    entry = find(cache, key);
    if (entry == NULL && (adds || stored.schema != NULL))
        entry = add(cache, key);
    if (entry != NULL)
        adopt(entry, &stored);
    model_schema_unref(stored.schema);
    return entry;
}

static struct model_schema *reference(struct model_schema *schema)
{
    return schema == NULL ? NULL : model_schema_ref(schema);
}

/* ---- asking ---- */

static bool is_due(const struct entry *entry, enum schema_need need, int64_t now_ms)
{
    if (entry->is_fetching || now_ms < entry->quiet_until_ms)
        return false;
    if (entry->schema == NULL)
        return true;
    int64_t age_ms = now_ms - entry->fetched_ms;
    return (need == SCHEMA_NEED_FRESH && age_ms >= SCHEMA_LIFE_MS) ||
           (need == SCHEMA_NEED_NEWEST && age_ms >= SCHEMA_REFRESH_LEAST_MS);
}

void schema_cache_ask(struct schema_cache *cache, const char *key, enum schema_need need, struct schema_view *view)
{
    *view = (struct schema_view){0};
    struct entry *entry = lock_entry(cache, key, true);
    if (entry != NULL) {
        int64_t now_ms = clock_now_ms();
        view->must_fetch = is_due(entry, need, now_ms);
        if (view->must_fetch) {
            entry->is_fetching = true;
            entry->asked_ms = now_ms;
        }
        view->wait_until_ms = entry->asked_ms + SCHEMA_WAIT_MS;
        view->must_wait =
            entry->schema == NULL && entry->is_fetching && !entry->has_kept_waiting && now_ms < view->wait_until_ms;
        view->schema = reference(entry->schema);
    }
    pthread_mutex_unlock(&cache->mutex);
}

struct model_schema *schema_cache_peek(struct schema_cache *cache, const struct schema_source *source)
{
    char *key = schema_key(source);
    if (key == NULL)
        return NULL;
    struct entry *entry = lock_entry(cache, key, false);
    struct model_schema *schema = entry == NULL ? NULL : reference(entry->schema);
    pthread_mutex_unlock(&cache->mutex);
    free(key);
    return schema;
}

bool schema_cache_may_come(struct schema_cache *cache, const struct schema_source *source)
{
    char *key = schema_key(source);
    if (key == NULL)
        return false;
    pthread_mutex_lock(&cache->mutex);
    const struct entry *entry = *place_of(cache, key);
    bool may_come = entry != NULL && entry->schema == NULL && (entry->is_fetching || entry->has_failed_for_now);
    pthread_mutex_unlock(&cache->mutex);
    free(key);
    return may_come;
}

/* ---- deciding ---- */

/* The entry of a fetch that has ended, which is there: what is being fetched is not forgotten. */
static struct entry *end_fetch(struct schema_cache *cache, const char *key)
{
    struct entry *entry = find(cache, key);
    ensure(entry != NULL && entry->is_fetching);
    entry->is_fetching = false;
    entry->has_kept_waiting = true;
    return entry;
}

/* Woken with the mutex held: no loop leaves meanwhile. */
static void announce(struct schema_cache *cache)
{
    atomic_fetch_add(&cache->generation, 1);
    for (struct list_link *link = list_first(&cache->listeners); link != NULL;
         link = list_next(&cache->listeners, link))
        loop_wake(list_entry(link, struct schema_listener, link)->loop);
}

/* Written last: who waits need not wait for the disk. */
void schema_cache_keep(struct schema_cache *cache, const char *key, struct model_schema *schema, const char *bytes,
                       size_t length)
{
    pthread_mutex_lock(&cache->mutex);
    struct entry *entry = end_fetch(cache, key);
    struct model_schema *old = entry->schema;
    entry->schema = model_schema_ref(schema);
    entry->fetched_ms = clock_now_ms();
    announce(cache);
    pthread_mutex_unlock(&cache->mutex);
    model_schema_unref(old);
    if (!is_private_key(key))
        schema_store_write(cache->store, key, bytes, length);
}

/* What was known before goes on to serve. */
void schema_cache_fail(struct schema_cache *cache, const char *key, bool is_passing)
{
    pthread_mutex_lock(&cache->mutex);
    struct entry *entry = end_fetch(cache, key);
    entry->quiet_until_ms = clock_now_ms() + SCHEMA_FAILED_MS;
    entry->has_failed_for_now = is_passing;
    announce(cache);
    pthread_mutex_unlock(&cache->mutex);
}

/* An entry that is gone was decided, and forgotten since; one that has a schema may be fetched anew already. */
bool schema_cache_is_decided(struct schema_cache *cache, const char *key, struct model_schema **schema)
{
    pthread_mutex_lock(&cache->mutex);
    struct entry *entry = *place_of(cache, key);
    bool is_decided = entry == NULL || entry->schema != NULL || !entry->is_fetching;
    *schema = entry == NULL ? NULL : reference(entry->schema);
    pthread_mutex_unlock(&cache->mutex);
    return is_decided;
}

void schema_cache_stop_waits(struct schema_cache *cache, const char *key)
{
    pthread_mutex_lock(&cache->mutex);
    struct entry *entry = *place_of(cache, key);
    if (entry != NULL)
        entry->has_kept_waiting = true;
    pthread_mutex_unlock(&cache->mutex);
}

/* ---- listeners ---- */

void schema_cache_listen(struct schema_cache *cache, struct schema_listener *listener)
{
    pthread_mutex_lock(&cache->mutex);
    list_append(&cache->listeners, &listener->link);
    pthread_mutex_unlock(&cache->mutex);
}

void schema_cache_leave(struct schema_cache *cache, struct schema_listener *listener)
{
    pthread_mutex_lock(&cache->mutex);
    list_remove(&listener->link);
    pthread_mutex_unlock(&cache->mutex);
}

uint64_t schema_cache_generation(const struct schema_cache *cache)
{
    return atomic_load(&cache->generation);
}
