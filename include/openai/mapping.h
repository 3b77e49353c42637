/* Canonical parameters → a model's `input`, by the model's own schema. Pure; any thread.
 *
 * Which input of the model takes a parameter is said, in this order, by the route's `map`; by the model's schema, in
 * which the table of parameters (parameters.c) looks for its names; and, where no schema is known, by the common names.
 * Values are made to fit: converted, clamped, snapped to an enum. What the model has no input for is left out and named
 * (call_ignore), emulated, or refused: see the classes in that table. */
#ifndef OPENAI_MAPPING_H
#define OPENAI_MAPPING_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/model_schema.h"
#include "config/route.h"
#include "openai/call.h"

/* The prediction's `input` as a new reference; fills ignored, stops, token_limit, reasoning, prompt_bytes and uploads
 * of `call`. `schema` is NULL where none is known. With a schema only names that it has are sent (besides those that
 * the route configures), every value fits it, and nothing that it requires is missing. NULL and err
 * (UNSUPPORTED_PARAMETER, INVALID_VALUE, MISSING_REQUIRED_PARAMETER …) where the request cannot be mapped faithfully.
 */
json_t *mapping_input(struct call *call, const struct route *route, const struct model_schema *schema,
                      struct error *err);

/* The input of choice `index` of a mapped call, as a new reference: `input` itself, unless it holds a seed. Equal seeds
 * would give equal answers, so those of further choices go on from it. */
json_t *mapping_input_of_choice(const struct call *call, json_t *input, size_t index);

/* Can the parameters that the route sets (route->params) be sent at all? A wrong one would refuse every request that
 * lacks it. False and err, its message the sentence and its param the name, for the first that cannot. */
bool mapping_check(const struct route *route, struct error *err);

/* Replaces err->param, where it names an input of the model ("input.max_new_tokens", "max_new_tokens"), by the name
 * under which the client knows it ("max_tokens", "messages"); leaves others as they are, without "input.". */
void mapping_name_param(const struct call *call, const struct route *route, const struct model_schema *schema,
                        struct error *err);

/* What becomes of OpenAI's parameters for this model, as a new object:
 *   "messages": {"as": "messages" | "messages_text" | "input_items" | "history" | "template" | "prompt",
 *                "inputs": [names that take them]},
 *   "parameters": {OpenAI's name: the model's input, …}, those that the model takes;
 *   "media": {"image" | "audio" | "video" | "file": the model's input, …};
 *   "emulated": [names done here], "ignored": [left out and named], "refused": [refused where a request asks for them],
 *   "extra": [the model's further inputs, which may be sent under their own names] */
json_t *mapping_describe(const struct route *route, const struct model_schema *schema);

#endif
