/* An error value → OpenAI's error JSON. Pure; any thread. */
#ifndef OPENAI_ERROR_BODY_H
#define OPENAI_ERROR_BODY_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

/* Appends {"error":{"message","type","param","code"}}, all four keys always. */
bool error_body_append(struct buf *out, const struct error *error);

#endif
