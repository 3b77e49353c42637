/* One chat completion of an end-to-end test: how it is sent, and what its answer has to be. */
#ifndef SUPPORT_CHAT_CASE_H
#define SUPPORT_CHAT_CASE_H

#include "bridge.h"

/* What is sent where a case names nothing else. It must never be seen again in an error or a log. */
#define CHAT_CASE_PROMPT "whisper-of-the-prompt"

struct chat_case {
    const char *model;   /* NULL = "writer" */
    const char *more;    /* further members of the body, as in bridge_chat_body; may be NULL */
    const char *headers; /* whole lines, each with its CRLF; may be NULL */
};

/* An error as the client must see it. */
struct chat_error {
    int status;
    const char *type;
    const char *code;  /* NULL = null */
    const char *param; /* NULL = null */
    bool may_retry;
    const char *says; /* must stand in the message; may be NULL */
};

/* Starts the program with this whole configuration, in which `@SIM@` stands for the simulator's base URL. The simulator
 * must have been started. The test fails when the program does not become ready. */
void chat_case_start(struct bridge *bridge, const char *config);

/* As bridge_start, but with options for the simulator, such as the length of a second. */
void chat_case_start_with(struct bridge *bridge, const struct replicate_sim_options *options,
                          const struct sim_plan *plan, const char *more);

/* As bridge_stop; and the test fails when the log tells the token or the prompt. */
void chat_case_stop(struct bridge *bridge);

/* Sends it and goes on. */
struct http_connection *chat_case_begin(const struct bridge *bridge, const struct chat_case *request);

/* Sends it and reads the answer, on a connection of its own or on this one. The test fails when none arrives. */
void chat_case_run(const struct bridge *bridge, const struct chat_case *request, struct http_response *response);
void chat_case_run_on(struct http_connection *client, const struct chat_case *request, struct http_response *response);

/* Reads what a connection of chat_case_begin is answered, and closes it. */
void chat_case_finish(struct http_connection **client, struct http_response *response);

/* The test fails unless the answer is 200 and its first choice's content is (or, behind a "~", holds) this text. */
void chat_case_expect_text(const struct http_response *response, const char *text);

/* The test fails unless the answer is this error in every respect: the status, the four members, the headers, and a
 * message that is a whole sentence and tells neither token nor prompt, nor speaks of a rate limit that is none. */
void chat_case_expect_error(const struct http_response *response, const struct chat_error *expected);

/* The test fails unless retry-after and retry-after-ms are there, agree, and lie within these bounds. */
void chat_case_expect_retry_after(const struct http_response *response, long at_least_ms, long at_most_ms);

/* The test fails unless the answer has this header with this value (NULL = it must be missing). */
void chat_case_expect_header(const struct http_response *response, const char *name, const char *value);

/* The message of an error. The caller frees. */
char *chat_case_message(const struct http_response *response);

/* How many creates reached the simulator, those with faults too. */
size_t chat_case_creates(const struct bridge *bridge);

/* The i-th prediction at the simulator; the test fails when there is none. */
struct sim_prediction_view chat_case_prediction(const struct bridge *bridge, size_t i);

#endif
