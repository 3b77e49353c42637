/* What the tests of streamed predictions share: a story in tokens, the events that tell it, and the polls that show it.
 *
 * Wherever a stream is cut, and whatever else happens, the observer must have been given exactly this story. */
#ifndef FAKE_STREAM_H
#define FAKE_STREAM_H

#include "fake_bench.h"

#define STREAM_URL "https://stream-b.svc.ric1.c.replicate.net/v1/streams/abc"

enum { STORY_TOKENS = 9 };

/* Tokens begin with blanks, hold line ends, are empty, and cut characters in two. */
extern const char *const story[STORY_TOKENS];

/* The first tokens of the story, put together. */
const char *stream_text(int tokens);

struct job *stream_job(void); /* the usual one, wanting pieces */
void stream_start(void);      /* leads it to STREAMING, by a create that offers STREAM_URL */

/* The open transfers of such a prediction; NULL where there is none. */
struct transfer *stream_call(void);
struct transfer *stream_poll_call(void);

/* Event bytes on the open stream. `id` and `data` may be NULL. */
void stream_say(const char *type, const char *id, const char *data);
void stream_raw(const char *bytes);
/* Tokens from..to - 1 as output events, with ids 100:0, 100:1 … or without. */
void stream_tell(int from, int to, bool has_ids);
void stream_done(void); /* `done`, and the poll that follows says `succeeded` with the whole story */

/* The end of the open stream. */
void stream_close(void);    /* by Replicate, in order */
void stream_time_out(void); /* the same, with the comment that says it was for silence */

/* Answers the open poll with a status, and the first tokens as its output. */
void stream_answer_poll(const char *status, int tokens);
void stream_answer_poll_raw(const char *status, const char *output_json);

/* It succeeded, and the observer was given the whole story. */
void stream_expect_story(void);
void stream_expect_given(const char *text);

#endif
