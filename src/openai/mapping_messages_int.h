/* What the files share that map messages, each with one way of telling a model a conversation. */
#ifndef OPENAI_MAPPING_MESSAGES_INT_H
#define OPENAI_MAPPING_MESSAGES_INT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "mapping_int.h"

/* Far above what any body may hold; what it bounds is a mistake of ours. */
#define MESSAGES_MAX_BYTES ((size_t)1 << 30)

/* --- mapping_conversation.c --- */

/* Does an input hold files (as their URIs), one or many? */
bool mapping_holds_files(const struct model_value *value);

/* The inputs for a prompt and for system text, whether or not a conversation goes there; NULL where there is none. */
const char *model_view_prompt_input(const struct model_view *model);
const char *model_view_system_input(const struct model_view *model);

/* --- mapping_media.c --- */

/* Did mapping_place_media fill an input? */
bool mapping_has_media(const struct mapping *mapping);

/* --- mapping_messages.c --- */

/* The bytes as a JSON string, a new reference. */
json_t *mapping_text(const struct buf *text);

/* Sees to it that the input stays empty: neither the operator's default nor the client may fill it. NULL is fine. */
void mapping_block(struct mapping *mapping, const char *name);

/* The same for a text beside the list that the messages went to, for a model that has both would have to choose. One
 * that is the list itself stays. */
void mapping_block_beside(struct mapping *mapping, const char *list, const char *name);

/* The messages, and before them the system text that the operator has set as the default of the input for it, where the
 * client gives none: a model that gets its instructions with the messages does not look at that input. A new reference.
 */
json_t *mapping_with_default_instructions(const struct mapping *mapping, json_t *messages);

/* A prompt and a system text, as labelled text where there is a history. */
bool mapping_place_prompt(struct mapping *mapping, const struct conversation_inputs *inputs, const json_t *messages,
                          struct error *err);

/* --- mapping_turns.c --- */

bool mapping_place_items(struct mapping *mapping, const struct conversation_inputs *inputs, const json_t *messages,
                         struct error *err);
bool mapping_place_history(struct mapping *mapping, const struct conversation_inputs *inputs, const json_t *messages,
                           struct error *err);
bool mapping_place_template(struct mapping *mapping, const struct conversation_inputs *inputs, json_t *messages,
                            struct error *err);

#endif
