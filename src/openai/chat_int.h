/* What the files of the chat endpoint share. */
#ifndef OPENAI_CHAT_INT_H
#define OPENAI_CHAT_INT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/job.h"
#include "openai/call.h"

/* The text of one choice: far beyond what an answer may hold, so that the answer's own maximum decides. */
enum { CHAT_TEXT_MAX_BYTES = 1 << 30 };

/* Where the body has no messages but `input`, as OpenAI's Responses API has it: rewrites it into the form of a chat. */
void chat_take_items(json_t *body);

/* Is `messages` (NULL = absent) a list that can be answered? The error names the path of what is wrong. */
bool chat_check_messages(const json_t *messages, struct error *err);

/* The tokens of all choices. */
struct chat_totals {
    int64_t prompt, completion, reasoning;
    bool estimated; /* those of one choice at least */
};

/* Adds the tokens of a choice: as its outcome reports them, else estimated from its text, thoughts included. `outcome`
 * is NULL where nobody waited for it. */
void chat_count(struct chat_totals *totals, const struct call *call, const struct outcome *outcome, size_t text_bytes);

/* Appends OpenAI's usage object. */
void chat_append_usage(const struct chat_totals *totals, struct buf *out);

/* Notes in the call what the answer's usage says, for its header and the log. */
void chat_note_usage(const struct chat_totals *totals, struct call *call);

/* OpenAI's word for why a choice ended; `was_stopped`: by a stop string. */
const char *chat_finish_reason(const struct call *call, const struct outcome *outcome, bool was_stopped);

#endif
