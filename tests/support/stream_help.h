/* For tests of streamed chat completions: drives the encoder as an exchange does, and reads what it wrote as a strict
 * client would. Whatever a client could stumble over ends the program. */
#ifndef SUPPORT_STREAM_HELP_H
#define SUPPORT_STREAM_HELP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/job.h"
#include "openai/call.h"

enum { HEARD_CHOICES_MAX = 4 };

/* What a client has understood. */
struct heard {
    struct heard_choice {
        struct buf reasoning, content; /* the deltas, put together */
        size_t roles, deltas;
        char finish_reason[16]; /* "" = none yet */
    } choices[HEARD_CHOICES_MAX];
    size_t chunks, longest_frame;
    json_t *usage; /* of the last chunk; NULL = none */
    json_t *error; /* the object in the error's frame; NULL = none */
    bool is_done;  /* the terminator was there */
};

void heard_init(struct heard *heard);
void heard_dispose(struct heard *heard);

/* Reads frames, whole ones, as those of the answer to `call`. May be called again with what follows. */
void heard_read(struct heard *heard, const struct call *call, const char *bytes, size_t length);

/* The call's stream under way, and all that it has written. */
struct telling {
    struct call *call;
    struct buf out;
    bool is_over[CALL_MAX_CHOICES];
    int choices_over;
};

/* Begins to answer `call`, which has been mapped and must live as long. */
void telling_begin(struct telling *telling, struct call *call);
void telling_dispose(struct telling *telling);

/* A piece, unless the choice is over; a stop string in it ends the choice. */
void telling_piece(struct telling *telling, size_t index, const char *bytes, size_t length);
/* Ends the choice, unless it is over, and with the last one the stream. */
void telling_end(struct telling *telling, size_t index, const struct outcome *outcome);

#endif
