/* POST /chat/completions: OpenAI's chat, whole answers and streams. Rows of endpoint.c point here. Pure; any thread. */
#ifndef OPENAI_CHAT_H
#define OPENAI_CHAT_H

#include "openai/endpoint.h"

bool chat_decode(struct call *call, const struct call_request *request, struct error *err);
bool chat_finish(struct call *call, struct outcome *const *outcomes, struct buf *out, struct error *err);
extern const struct endpoint_stream chat_stream;

#endif
