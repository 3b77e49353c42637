/* What the checks of messages and of their parts share. */
#ifndef OPENAI_CHAT_MESSAGES_INT_H
#define OPENAI_CHAT_MESSAGES_INT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

/* Fill err for what stands, or lacks, at `path`; return false. `wanted`: "a string", "an object" … */
bool message_missing(const char *path, struct error *err);
bool message_wrong_type(const char *path, const char *wanted, const json_t *value, struct error *err);

#endif
