/* A list of chat messages → one prompt text. Pure; any thread. */
#ifndef OPENAI_PROMPT_H
#define OPENAI_PROMPT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

/* Appends to `system` the text of all system and developer messages (joined by blank lines) and to `prompt` the rest: one user
 * turn as it is; several turns as labelled text ("User: …", "Assistant: …") that ends with an open "Assistant:". `messages` was
 * checked by the endpoint. False and err (UNSUPPORTED_PARAMETER with its path) where a part is no text. */
bool prompt_from_messages(const json_t *messages, struct buf *system, struct buf *prompt, struct error *err);

/* Appends the text of one message's content: a string, an array of text parts, a number, or null (nothing). */
bool prompt_content_text(const json_t *content, const char *path, struct buf *out, struct error *err);

#endif
