/* The client at the other end of a streamed answer, for the tests of exchanges: what it has heard, and how the exchange
 * stands towards it. One stream a test. */
#ifndef FAKE_LISTENER_H
#define FAKE_LISTENER_H

#include "fake_door.h"
#include "stream_help.h"

#define LISTENER_HELLO "\"messages\":[{\"role\":\"user\",\"content\":\"Say hi\"}],\"stream\":true"
#define LISTENER_STREAM "{\"model\":\"writer\"," LISTENER_HELLO "}"
#define LISTENER_STREAM_OF_TWO "{\"model\":\"writer\",\"n\":2," LISTENER_HELLO "}"

struct listener {
    struct heard heard;
    struct call asked; /* what the client knows of its own request: set include_usage where it is asked for */
};

extern struct listener listener;

/* With bench_setup and bench_teardown. */
void listener_setup(void);
void listener_teardown(void);

/* Reads all that has been written since the last time. The test fails unless the comments in it, joined by spaces, are
 * these. */
void listener_expect_comments(struct door *door, const char *expected);

/* The same, without any comment. */
void listener_hear(struct door *door);

/* All the content heard of a choice so far, and its finish_reason ("" = none yet). */
void listener_expect_choice(size_t index, const char *content, const char *finish_reason);

/* The 200 is out, and the end is not. */
void listener_expect_streaming(const struct door *door);
void listener_expect_ended(const struct door *door);

/* Reads; the last frame has to be this error, and the answer has to have ended. */
void listener_expect_error(struct door *door, enum error_kind kind);

/* A prediction whose id is known now. */
struct prediction *listener_named(size_t index, const char *id);

#endif
