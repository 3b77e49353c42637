/* What the files of the models endpoints share: models.c (OpenAI's) and models_info.c (what is known of a model). */
#ifndef OPENAI_MODELS_INT_H
#define OPENAI_MODELS_INT_H

#include <jansson.h>

#include "base/job.h"
#include "openai/models.h"

/* Appends `,"replibridge":{…}` for GET /models/{model}. */
void models_append_facts(struct buf *out, const struct route *route, const struct target *target,
                         const struct model_schema *schema);

/* Is the alias one that lists show to this key? Wildcards stand for models without number. */
bool models_is_listed(const struct route *route, const struct key *key);

/* False and err where the answer got too large. */
bool models_check_room(const struct buf *out, struct error *err);

#endif
