/* What was learnt of models, shared by all workers: the latest version of a community model, and how long a model's
 * predictions take. Any thread, one mutex inside. Bounded: the least recently used is forgotten. */
#ifndef REPLICATE_MODEL_MEMORY_H
#define REPLICATE_MODEL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replicate/poll_plan.h"

struct model_memory;

enum { MODEL_VERSION_BYTES = 80 };

struct model_memory *model_memory_new(void);
void model_memory_free(struct model_memory *memory);

/* The resolved version of the community model `name` ("owner/name"). False when unknown, or older than an hour. */
bool model_memory_version(struct model_memory *memory, const char *name, int64_t now_ms,
                          char version[MODEL_VERSION_BYTES]);
void model_memory_set_version(struct model_memory *memory, const char *name, int64_t now_ms, const char *version);
void model_memory_forget_version(struct model_memory *memory, const char *name);

/* The usual time from create to end of `key` (a model, version or deployment), in ms; -1 when unknown. */
int64_t model_memory_duration_ms(struct model_memory *memory, const char *key);

/* How long predictions of `key` usually take: from their creation to their end, and from when they begin to run. */
enum model_phase { MODEL_WHOLE, MODEL_RUN, MODEL_PHASE_COUNT };

void model_memory_usual(struct model_memory *memory, const char *key, enum model_phase phase,
                        struct usual_time *usual); /* all zero when unknown */

/* What one prediction took; -1 = not known. */
struct model_times {
    int64_t duration_ms; /* from create to end, as we saw it */
    int64_t phase_ms[MODEL_PHASE_COUNT];
};

void model_memory_learn(struct model_memory *memory, const char *key, const struct model_times *times);

#endif
