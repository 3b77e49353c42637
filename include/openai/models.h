/* GET /models, GET /models/{model} and LiteLLM's GET /model/info: the aliases of the configuration, and what is known
 * of the models behind them. Pure; any thread. */
#ifndef OPENAI_MODELS_H
#define OPENAI_MODELS_H

#include "openai/endpoint.h"

bool models_decode(struct call *call, const struct call_request *request, struct error *err);
/* Does the list of models stay empty, since all are served by wildcards? Then no message should point to it. */
bool models_are_unlisted(const struct config *config);

bool models_list(const struct call *call, const struct local *local, struct buf *out, struct error *err);

/* OpenAI's object, with one member more: `replibridge`, which tells the model at Replicate, its inputs with their
 * types, ranges and defaults, and what becomes of OpenAI's parameters (mapping_describe). */
bool models_get(const struct call *call, const struct local *local, struct buf *out, struct error *err);

/* What LiteLLM's proxy answers, for front ends that ask it: the aliases with what they support. */
bool models_info(const struct call *call, const struct local *local, struct buf *out, struct error *err);

#endif
