/* What was learnt of models: a hash table whose entries are also in a list, least recently used first.
 *
 * Only names that Replicate has answered for get in, and keys are bounded, so the memory is bounded too. */
#include "replicate/model_memory.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/list.h"

enum {
    ENTRY_MAX = 4096,
    BUCKETS = 8192, /* a power of two */
    KEY_BYTES = 256,
    VERSION_LIFE_MS = 60 * 60 * 1000,
};

/* Longer is a mistake of a clock, and would spoil the mean. */
static const int64_t DURATION_MAX_MS = INT64_C(7) * 24 * 60 * 60 * 1000;

struct entry {
    struct list_link link;
    struct entry *next_in_bucket;
    char key[KEY_BYTES];
    char version[MODEL_VERSION_BYTES]; /* "" = unknown */
    int64_t version_at_ms;
    int64_t duration_ms; /* -1 = unknown */
    struct usual_time usual[MODEL_PHASE_COUNT];
};

struct model_memory {
    pthread_mutex_t mutex;
    struct list by_use;
    struct entry *buckets[BUCKETS];
};

struct model_memory *model_memory_new(void)
{
    struct model_memory *memory = xcalloc(1, sizeof *memory);
    ensure(pthread_mutex_init(&memory->mutex, NULL) == 0);
    list_init(&memory->by_use);
    return memory;
}

void model_memory_free(struct model_memory *memory)
{
    if (memory == NULL)
        return;
    for (struct list_link *link = list_shift(&memory->by_use); link != NULL; link = list_shift(&memory->by_use))
        free(list_entry(link, struct entry, link));
    pthread_mutex_destroy(&memory->mutex);
    free(memory);
}

/* The place that points to the entry of `key`, or the end of its chain. */
static struct entry **place_of(struct model_memory *memory, const char *key)
{
    uint32_t hash = UINT32_C(2166136261);
    for (const char *at = key; *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * UINT32_C(16777619);
    struct entry **place = &memory->buckets[hash & (BUCKETS - 1)];
    while (*place != NULL && strcmp((*place)->key, key) != 0)
        place = &(*place)->next_in_bucket;
    return place;
}

/* To be asked for is to be used. */
static struct entry *find(struct model_memory *memory, const char *key)
{
    struct entry *entry = *place_of(memory, key);
    if (entry != NULL) {
        list_remove(&entry->link);
        list_append(&memory->by_use, &entry->link);
    }
    return entry;
}

/* The first of the list is the one that was not asked for the longest. */
static void drop_oldest(struct model_memory *memory)
{
    struct entry *entry = list_entry(list_shift(&memory->by_use), struct entry, link);
    *place_of(memory, entry->key) = entry->next_in_bucket;
    free(entry);
}

/* The entry of `key`, made when there is none; NULL where the key is too long to be kept. */
static struct entry *find_or_add(struct model_memory *memory, const char *key)
{
    struct entry *entry = find(memory, key);
    if (entry != NULL)
        return entry;
    size_t length = strlen(key);
    if (length >= KEY_BYTES)
        return NULL;
    if (memory->by_use.length >= ENTRY_MAX)
        drop_oldest(memory);
    entry = xcalloc(1, sizeof *entry);
    memcpy(entry->key, key, length + 1);
    entry->duration_ms = -1;
    *place_of(memory, key) = entry;
    list_append(&memory->by_use, &entry->link);
    return entry;
}

bool model_memory_version(struct model_memory *memory, const char *name, int64_t now_ms,
                          char version[MODEL_VERSION_BYTES])
{
    pthread_mutex_lock(&memory->mutex);
    struct entry *entry = find(memory, name);
    bool is_known = entry != NULL && entry->version[0] != '\0' && now_ms - entry->version_at_ms <= VERSION_LIFE_MS;
    if (is_known)
        memcpy(version, entry->version, MODEL_VERSION_BYTES);
    pthread_mutex_unlock(&memory->mutex);
    return is_known;
}

void model_memory_set_version(struct model_memory *memory, const char *name, int64_t now_ms, const char *version)
{
    if (strlen(version) >= MODEL_VERSION_BYTES)
        return;
    pthread_mutex_lock(&memory->mutex);
    struct entry *entry = find_or_add(memory, name);
    if (entry != NULL) {
        snprintf(entry->version, sizeof entry->version, "%s", version);
        entry->version_at_ms = now_ms;
    }
    pthread_mutex_unlock(&memory->mutex);
}

void model_memory_forget_version(struct model_memory *memory, const char *name)
{
    pthread_mutex_lock(&memory->mutex);
    struct entry *entry = find(memory, name);
    if (entry != NULL)
        entry->version[0] = '\0';
    pthread_mutex_unlock(&memory->mutex);
}

int64_t model_memory_duration_ms(struct model_memory *memory, const char *key)
{
    pthread_mutex_lock(&memory->mutex);
    struct entry *entry = find(memory, key);
    int64_t duration_ms = entry == NULL ? -1 : entry->duration_ms;
    pthread_mutex_unlock(&memory->mutex);
    return duration_ms;
}

void model_memory_usual(struct model_memory *memory, const char *key, enum model_phase phase, struct usual_time *usual)
{
    pthread_mutex_lock(&memory->mutex);
    struct entry *entry = find(memory, key);
    *usual = (struct usual_time){0};
    if (entry != NULL)
        *usual = entry->usual[phase];
    pthread_mutex_unlock(&memory->mutex);
}

static bool is_believable(int64_t took_ms)
{
    return took_ms >= 0 && took_ms <= DURATION_MAX_MS;
}

static void learn(struct entry *entry, const struct model_times *times)
{
    int64_t new_ms = times->duration_ms;
    /* Half of each new one: after one slow boot, a few quick runs make a model count as quick again. */
    if (is_believable(new_ms))
        entry->duration_ms = entry->duration_ms < 0 ? new_ms : (entry->duration_ms + new_ms) / 2;
    for (int phase = 0; phase < MODEL_PHASE_COUNT; phase++)
        if (is_believable(times->phase_ms[phase]))
            usual_time_learn(&entry->usual[phase], times->phase_ms[phase]);
}

void model_memory_learn(struct model_memory *memory, const char *key, const struct model_times *times)
{
    pthread_mutex_lock(&memory->mutex);
    struct entry *entry = find_or_add(memory, key);
    if (entry != NULL)
        learn(entry, times);
    pthread_mutex_unlock(&memory->mutex);
}
