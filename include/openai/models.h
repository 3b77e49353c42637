/* GET /models and GET /models/{model}: the aliases of the configuration. Pure; any thread. */
#ifndef OPENAI_MODELS_H
#define OPENAI_MODELS_H

#include "openai/endpoint.h"

bool models_decode(struct call *call, const struct call_request *request, struct error *err);
/* Does the list of models stay empty, since all are served by wildcards? Then no message should point to it. */
bool models_are_unlisted(const struct config *config);

bool models_list(const struct call *call, const struct config *config, const struct key *key, struct buf *out,
                 struct error *err);
bool models_get(const struct call *call, const struct config *config, const struct key *key, struct buf *out,
                struct error *err);

#endif
