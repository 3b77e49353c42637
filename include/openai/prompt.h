/* A list of chat messages → prompt texts, for models that take nothing else. Pure; any thread.
 *
 * `messages` were checked by the endpoint, and hold text parts only (the media were taken out before). */
#ifndef OPENAI_PROMPT_H
#define OPENAI_PROMPT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

/* Appends to `system` the text of all system and developer messages (joined by blank lines) and to `prompt` the rest: one user
 * turn as it is; several turns as labelled text ("User: …", "Assistant: …") that ends with an open "Assistant:". False and err
 * (UNSUPPORTED_PARAMETER with its path) where a part is no text. */
bool prompt_from_messages(const json_t *messages, struct buf *system, struct buf *prompt, struct error *err);

/* Appends the text of one message's content: a string, an array of text parts, a number, or null (nothing). */
bool prompt_content_text(const json_t *content, const char *path, struct buf *out, struct error *err);

/* Is it one user turn, with or without instructions, so that no history has to be told? */
bool prompt_is_one_turn(const json_t *messages);

/* A model's own form of a conversation, recognised by its default template. */
enum prompt_family {
    PROMPT_FAMILY_NONE,    /* none, or none that is known: labelled text */
    PROMPT_FAMILY_LLAMA3,  /* <|start_header_id|> */
    PROMPT_FAMILY_LLAMA2,  /* [INST] with <<SYS>> */
    PROMPT_FAMILY_MISTRAL, /* [INST] */
    PROMPT_FAMILY_CHATML,  /* <|im_start|> */
};

enum prompt_family prompt_family_of(const char *prompt_template);

/* Appends the whole conversation, instructions included, in the family's form, to be sent with the template "{prompt}". The
 * special tokens of the form are taken out of the messages' own text, so that no text can pose as another speaker. */
bool prompt_render(enum prompt_family family, const json_t *messages, struct buf *out, struct error *err);

#endif
