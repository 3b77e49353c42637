/* What the checks of messages and of their parts share, and what others look at in a message. */
#ifndef OPENAI_CHAT_MESSAGES_INT_H
#define OPENAI_CHAT_MESSAGES_INT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

/* Fill err for what stands, or lacks, at `path`; return false. `wanted`: "a string", "an object" … */
bool message_missing(const char *path, struct error *err);
bool message_wrong_type(const char *path, const char *wanted, const json_t *value, struct error *err);

/* What most that is done with a message asks for; of what is no object, nothing. */
struct message_view {
    const char *role; /* NULL where it is no string */
    json_t *content;  /* NULL where there is none */
};

/* Both in one walk over the members, of which a message has few. All borrowed. */
struct message_view message_view_of(const json_t *message);

#endif
