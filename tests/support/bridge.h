/* What nearly every end-to-end test begins with: a simulated Replicate, and the program in front of it. */
#ifndef SUPPORT_BRIDGE_H
#define SUPPORT_BRIDGE_H

#include <jansson.h>

#include "daemon.h"
#include "http_client.h"
#include "replicate_sim.h"

struct bridge {
    struct replicate_sim *sim;
    struct daemon *daemon;
    int port;
};

/* The model that bridge_config gives the alias `writer`; it answers with an echo of the prompt. */
#define BRIDGE_MODEL "acme/writer"

/* Starts a simulator without any plan. */
void bridge_start_sim(struct bridge *bridge);

/* A native configuration: this simulator, `writer`, two workers, and what `more` says: first indented lines, which go
 * on with the section `replicate`, then whole lines at the top level; may be "". The caller frees. */
char *bridge_config(const struct bridge *bridge, const char *more);

/* Starts a simulator with this plan of BRIDGE_MODEL (NULL = official, answers at once) and the program with
 * bridge_config(more). The test fails when it does not become ready. */
void bridge_start(struct bridge *bridge, const struct sim_plan *plan, const char *more);

/* Stops both. The test fails when either has something to complain of. */
void bridge_stop(struct bridge *bridge);

/* A chat completion of the model with this content; `more` are further members of the body, each with its comma before
 * it, such as ",\"stream\":true". The caller frees. */
char *bridge_chat_body(const char *model, const char *content, const char *more);

/* One chat completion on a connection of its own. The test fails when no complete answer arrives. */
void bridge_chat(const struct bridge *bridge, const char *model, const char *content, struct http_response *response);

/* Sends a chat completion and goes on: the answer is read later. */
struct http_connection *bridge_chat_begin(const struct bridge *bridge, const char *model, const char *content);

/* GET on a connection of its own: the status; `response` may be NULL. */
int bridge_get(const struct bridge *bridge, const char *path, struct http_response *response);

/* The answer's body as JSON; the test fails when it is none. The caller owns it. */
json_t *bridge_json(const struct http_response *response);

/* The test fails unless the answer is an error of that status in OpenAI's form: all four keys, this code (NULL = null),
 * `param` naming this (NULL = null, "*" = anything), a message that is not empty, and JSON as its type. */
void bridge_expect_error(const struct http_response *response, int status, const char *code, const char *param);

/* The value of a metric (`replibridge_…`), with its labels or summed over them, or -1 when it is not there. */
long bridge_metric(const struct bridge *bridge, const char *name);

/* Waits until the metric has this value: a worker says what it holds at the end of its turn. The test fails when it
 * never has. */
void bridge_expect_metric(const struct bridge *bridge, const char *name, long value);

/* Waits until the program has at most so many descriptors open: it notices a hang-up a moment later. The test fails
 * when it keeps more. */
void bridge_expect_descriptors(const struct bridge *bridge, long at_most);

#endif
