/* A streamed chat completion of an end-to-end test: sent, and understood as strictly as any client would. */
#ifndef SUPPORT_CHAT_STREAM_H
#define SUPPORT_CHAT_STREAM_H

#include <jansson.h>

#include "base/buf.h"
#include "chat_case.h"
#include "stream_client.h"

enum { CHAT_STREAM_CHOICES = 4 };

/* What a client has understood. Begins all zero. */
struct chat_stream {
    struct chat_stream_choice {
        struct buf content, reasoning; /* the deltas, put together */
        size_t roles, deltas;
        char finish_reason[16]; /* "" = none yet */
    } choices[CHAT_STREAM_CHOICES];
    size_t comments, chunks;
    json_t *usage; /* of the last chunk; NULL = none */
    json_t *error; /* the object in the error's frame; NULL = none */
    bool is_done;  /* the terminator came */
};

/* Sends the case with `stream: true`; the answer is read with stream_client.h. */
void chat_stream_begin(const struct bridge *bridge, const struct chat_case *request, struct stream_client *client);

/* Reads it to its end. The test fails when it comes to none. */
void chat_stream_finish(struct stream_client *client);

/* Understands what the client has received so far. The test fails wherever a client could stumble: at an answer that is
 * no stream, a frame that is no event, a field too much or too few, an order that is not OpenAI's, anything after the
 * end. Dispose of it afterwards. */
void chat_stream_hear(const struct stream_client *client, struct chat_stream *heard);
void chat_stream_dispose(struct chat_stream *heard);

/* The test fails unless the answer (read to its end) is one choice with exactly this content, in good order. `name`
 * says which answer it was. */
void chat_stream_expect_text(const struct stream_client *client, const char *name, const char *text);

/* The test fails unless the answer (read to its end) is the beginning of one choice, then this error, and nothing more.
 * The status is not looked at: it was 200. */
void chat_stream_expect_broken(const struct stream_client *client, const char *text, const struct chat_error *error);

/* The test fails unless the answer (read to its end) is no stream but this error. */
void chat_stream_expect_refused(const struct stream_client *client, const struct chat_error *error);

#endif
