/* Canonical parameters → a model's `input`. Pure; any thread.
 *
 * The route's `map` says which input of the model takes a canonical name; names it does not mention go by the
 * table of common names in mapping.c. What the model has no input for is left out and named
 * (call_ignore), emulated, or refused: see the classes in that table. */
#ifndef OPENAI_MAPPING_H
#define OPENAI_MAPPING_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "config/route.h"
#include "openai/call.h"

/* The prediction's `input` as a new reference; fills ignored, stops, token_limit, reasoning and prompt_bytes of `call`.
 * NULL and err (UNSUPPORTED_PARAMETER, INVALID_VALUE …) where the request cannot be mapped faithfully. */
json_t *mapping_input(struct call *call, const struct route *route, struct error *err);

/* Can the parameters that the route sets (route->params) be sent at all? A wrong one would refuse every request that
 * lacks it. False and err, its message the sentence and its param the name, for the first that cannot. */
bool mapping_check(const struct route *route, struct error *err);

/* Replaces err->param, where it names an input of the model ("input.max_new_tokens", "max_new_tokens"), by the name
 * under which the client knows it ("max_tokens", "messages"); leaves others as they are, without "input.". */
void mapping_name_param(const struct call *call, const struct route *route, struct error *err);

#endif
