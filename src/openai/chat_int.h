/* What the files of the chat endpoint share. */
#ifndef OPENAI_CHAT_INT_H
#define OPENAI_CHAT_INT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

/* Is `messages` (NULL = absent) a list that can be answered? The error names the path of what is wrong. */
bool chat_check_messages(const json_t *messages, struct error *err);

#endif
