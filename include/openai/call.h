/* A call: what a client asked, endpoint-neutral. Decoded by an endpoint, mapped to jobs by mapping.c,
 * run by server/exchange.c, and encoded by the same endpoint.
 *
 * Pure values: no clock, no socket, no thread. One owner, who calls call_dispose. */
#ifndef OPENAI_CALL_H
#define OPENAI_CALL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "config/route.h"

struct endpoint;

/* What the door knows of a request. Everything is borrowed for the call of decode. */
struct call_request {
    const struct endpoint *endpoint;
    const char *path_model; /* the model id in the path, decoded; NULL where the pattern has none */
    const char *body;
    size_t body_length;
    bool is_unlisted;   /* the list of models is empty, as all are served by wildcards */
    const char *unique; /* at least 29 letters and digits, for the ids of answers */
    int64_t now_s;      /* Unix seconds, for `created` */
};

enum { CALL_MAX_CHOICES = 128, CALL_MAX_STOPS = 16 };

/* Checked values of OpenAI's parameters, by their rows in the table of parameters: those that are there stand side by
 * side, in the table's order. */
struct call_params {
    uint64_t rows;   /* a bit for each row that has a value */
    json_t **values; /* owned, the array and what is in it */
};

struct call {
    const struct endpoint *endpoint;
    char *alias;        /* the model id that the client named; NULL where the endpoint needs none */
    int n;              /* predictions to run, 1..CALL_MAX_CHOICES */
    bool is_stream;     /* the answer is wanted as events */
    bool include_usage; /* a stream is to end with its usage */
    char id[48];        /* of the answer: "chatcmpl-…" */
    int64_t created_s;

    json_t *body;              /* the decoded request object, whole; owned; NULL for requests without one, and once it
                                  is forgotten */
    json_t *messages;          /* borrowed from body: a checked, non-empty array; NULL where the endpoint has none */
    struct call_params params; /* by canonical name, for mapping; nulls left out; none once forgotten */
    uint64_t given;            /* a bit for each row that the body has a member for, other than null */
    bool has_extensions;       /* the body has other members, such as those that OpenAI does not know */

    /* filled by mapping_input */
    json_t *ignored;               /* owned array of names left out or clamped, in the client's spelling */
    json_t *stops;                 /* owned array of strings where the answer is cut; NULL = none */
    int64_t token_limit;           /* the limit on output tokens that was asked for; 0 = none */
    enum reasoning_mode reasoning; /* where the model's thoughts go */
    size_t prompt_bytes;           /* text sent to the model, for estimating usage */
    char *seed_input;              /* owned; the input that got the seed; NULL = none */
    json_t *uploads; /* owned array; NULL = none. Its items are strings of the input itself, data: URIs that
                        are too large for it: to be uploaded, and replaced in place by the file's URL */

    /* filled by the endpoint's finish */
    const char *usage_source;            /* "reported" or "estimated"; NULL where the answer has no usage */
    int64_t input_tokens, output_tokens; /* what that usage says */

    /* the endpoint's own, while it streams */
    void *state;
    void (*state_free)(void *state);
};

void call_init(struct call *call);
void call_dispose(struct call *call);

/* Frees the messages and the parameters once they are mapped: they may be large, and the wait for the model long. */
void call_forget_messages(struct call *call);

/* Forgets what mapping and encoding have made of it, so that it can be mapped again for another model; only while its
 * messages are there and nothing of an answer has been given away. `choices` are those that the client asked for. */
void call_reset_mapping(struct call *call, int choices);

/* Notes that the client's parameter `name` was left out or clamped; once each. */
void call_ignore(struct call *call, const char *name);

/* The ignored names joined by ", "; "" when none. False where the buf is full. */
bool call_ignored_text(const struct call *call, struct buf *out);

#endif
