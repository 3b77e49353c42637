/* For tests of the OpenAI side: calls from JSON texts, routes from JSON texts, and the texts back. */
#ifndef SUPPORT_CALL_HELP_H
#define SUPPORT_CALL_HELP_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/job.h"
#include "base/model_schema.h"
#include "config/route.h"
#include "openai/call.h"
#include "openai/endpoint.h"

#define HELP_UNIQUE "abcdefghijklmnopqrstuvwxyz0123456789"
#define HELP_ID "chatcmpl-abcdefghijklmnopqrstuvwxyz012"

enum { HELP_NOW_S = 1700000000 };

/* The value of a JSON text that has to be right. */
json_t *help_json(const char *text);

/* Compact JSON; the caller frees. */
char *help_dump(const json_t *value);

/* The checked parameters of a decoded call as a JSON object, dumped in the same way. */
char *help_dump_params(const struct call *call);

/* The row of chat completions. */
const struct endpoint *help_chat(void);

/* Decodes `body` as a chat completion into `call`, which help_decode initialises. */
bool help_decode(struct call *call, const char *body, struct error *err);
bool help_decode_bytes(struct call *call, const char *body, size_t length, struct error *err);

/* A route from {"alias", "reference", "input", "map", "params", "strict_params", "drop_params", "dropped",
 * "read_schema", "reasoning"}, all optional; `dropped` is an array of names, `read_schema` is true unless it says
 * otherwise, `reasoning` is "auto", "opened" or "off". */
void help_route(struct route *route, const char *text);
void help_route_dispose(struct route *route);

/* The schema in a document of tests/models, such as "openai__gpt-4o": a new reference. Run from the root of the
 * repository. */
struct model_schema *help_model(const char *name);

/* That document itself: a new reference. */
json_t *help_document(const char *name);

/* A succeeded outcome from {"output", "usage": {"input_tokens", "output_tokens", "reasoning_tokens"}}; without `usage`
 * nothing was reported. */
struct outcome *help_outcome(const json_t *description);

#endif
