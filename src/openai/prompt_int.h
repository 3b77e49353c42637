/* What the mapping and the templates need to know of messages besides their text. */
#ifndef OPENAI_PROMPT_INT_H
#define OPENAI_PROMPT_INT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

/* Is this part of a content text (as opposed to an image, a sound, a file)? */
bool prompt_part_is_text(const json_t *part);

/* Is this a message of the system or of the developer? */
bool prompt_is_instruction(const json_t *message);
bool prompt_has_instructions(const json_t *messages);

/* Is it one user turn, and at most one message of instructions, each with a text for its content? Gives the two, which
 * stay the messages' own; `*system` is NULL without instructions. */
bool prompt_is_written(const json_t *messages, json_t **system, json_t **prompt);

/* How many messages are no instructions. */
size_t prompt_count_turns(const json_t *messages);

/* Fills err for a part that is no text, of a model of which nothing else is known than that it takes text. */
bool prompt_refuse_part(const char *path, struct error *err);

/* Appends the text of all system and developer messages, joined by blank lines. */
bool prompt_instructions(const json_t *messages, struct buf *system, struct error *err);

/* False and err where a text grew beyond its maximum. */
bool prompt_check_room(const struct buf *out, struct error *err);

enum prompt_speaker { PROMPT_USER, PROMPT_ASSISTANT };

/* What one of the two said. Results of tools are the user's, as labelled text; calls of tools the assistant's. */
struct prompt_turn {
    enum prompt_speaker speaker;
    struct buf text;
};

struct prompt_turns {
    struct prompt_turn *items;
    size_t count;
};

/* The messages other than instructions as turns of the two. `joined`: neighbours of one speaker become one turn, with a
 * blank line in between, so that the two alternate. Always to be disposed of, also after false. */
bool prompt_turns_of(const json_t *messages, bool joined, struct prompt_turns *turns, struct error *err);
void prompt_turns_dispose(struct prompt_turns *turns);

#endif
