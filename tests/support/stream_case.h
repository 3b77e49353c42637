/* A client of the simulated Replicate for the tests of its streams: one simulator, one model, one prediction.
 *
 * Everything asserts; use it on the test's thread only. */
#ifndef SUPPORT_STREAM_CASE_H
#define SUPPORT_STREAM_CASE_H

#include "http_client.h"
#include "replicate_sim.h"

enum { STREAM_CASE_PATIENCE_MS = 5000 };

extern struct replicate_sim *stream_case_sim;
extern struct http_response stream_case_answer; /* the last answer of the functions below */
extern char stream_case_path[128];              /* of the created prediction; "" = it has none */

/* As fixtures; instead of the simulator that runs; and at the end of a test that left nothing unclaimed. */
void stream_case_start(void);
void stream_case_stop(void);
void stream_case_start_with(const struct replicate_sim_options *options);
void stream_case_stop_clean(void);

/* How the official model acme/writer behaves. */
void stream_case_plan(const struct sim_plan *plan);
void stream_case_create(const char *prompt);
/* The status of any other call. */
int stream_case_ask(const char *method, const char *path, const char *body);
/* GETs the first prediction, and looks for this in its JSON; cancels it. */
void stream_case_expect_first(const char *part);
void stream_case_cancel_first(void);

/* Reads the stream to its end with these header lines (or NULL); true when it ended in good order. */
bool stream_case_read(const char *headers);
/* Opens it, and reads the head. The caller closes, and disposes of the response. */
struct http_connection *stream_case_open(struct http_response *response, const char *headers);
/* Takes the lines that begin with `id:` out of the response's body. */
void stream_case_drop_ids(void);

#endif
