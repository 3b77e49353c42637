/* What the mapping needs to know of messages besides their text. */
#ifndef OPENAI_PROMPT_INT_H
#define OPENAI_PROMPT_INT_H

#include <jansson.h>
#include <stdbool.h>

/* Is this part of a content text (as opposed to an image, a sound, a file)? */
bool prompt_part_is_text(const json_t *part);

/* Is this a message of the system or of the developer? */
bool prompt_is_instruction(const json_t *message);

#endif
