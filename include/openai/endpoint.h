/* The table of OpenAI endpoints: a new endpoint is one file and one row.
 *
 * Constant data and pure functions; any thread. */
#ifndef OPENAI_ENDPOINT_H
#define OPENAI_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/job.h"
#include "base/model_schema.h"
#include "config/config.h"
#include "openai/call.h"

enum endpoint_kind {
    ENDPOINT_LOCAL, /* answered from the configuration: `answer` */
    ENDPOINT_RUN,   /* runs predictions and holds the client until they end: `finish` */
};

/* What an answer that needs no prediction is made from. */
struct local {
    const struct config *config;
    const struct key *key; /* the client's; NULL where keys are not configured */
    /* What is known of the model that a route leads to for `alias`: a reference for the caller, or NULL. Asks nobody. */
    struct model_schema *(*schema_of)(void *arg, const struct route *route, const char *alias);
    void *arg;
};

struct endpoint {
    const char *method;  /* "GET" also serves HEAD */
    const char *pattern; /* without /v1; `{model}` stands for one or more path segments */
    const char *name;    /* for logs and metrics: "chat.completions" */
    enum endpoint_kind kind;

    /* Reads the request into `call` (initialised, endpoint set). */
    bool (*decode)(struct call *call, const struct call_request *request, struct error *err);

    /* LOCAL: appends the answer's JSON. */
    bool (*answer)(const struct call *call, const struct local *local, struct buf *out, struct error *err);

    /* RUN: appends the answer's JSON from call->n outcomes, all succeeded. Sets call->usage_source. */
    bool (*finish)(struct call *call, struct outcome *const *outcomes, struct buf *out, struct error *err);

    /* RUN with call->is_stream: the same answer as events; NULL where the endpoint has none. Each appends whole frames, possibly none. */
    const struct endpoint_stream *stream;
};

/* How an endpoint's answer is streamed. Order of calls: begin; then pieces and choice ends of all choices, interleaved; then end. `index`
 * is the choice. Frames are complete events with their blank line; never an event without data. */
struct endpoint_stream {
    /* The first frames. The call was mapped. */
    bool (*begin)(struct call *call, struct buf *out);
    /* More of a choice's text. Afterwards is_stopped may be true. */
    bool (*piece)(struct call *call, size_t index, const char *bytes, size_t length, struct buf *out);
    /* Has a stop string ended this choice? Then no further piece of it is of use, and its prediction may be cancelled. */
    bool (*is_stopped)(const struct call *call, size_t index);
    /* A choice is complete. `outcome` is its prediction's, succeeded; NULL where a stop string ended it before. */
    bool (*choice_end)(struct call *call, size_t index, const struct outcome *outcome, struct buf *out);
    /* All choices are complete: usage where it was asked for, the terminator. Sets call->usage_source. */
    bool (*end)(struct call *call, struct buf *out);
    /* Instead of all that may still come, also of begin: the error as the stream's last frame. */
    bool (*fail)(struct call *call, const struct error *error, struct buf *out);
};

/* The row for a request. `path` is as it stands in the request line, still percent-encoded, without the query; a leading
 * /v1 is optional. What `{model}` matched is decoded once into `model` (of `size` bytes; "" where the pattern has none).
 * NULL with err: ERROR_UNKNOWN_PATH, or ERROR_METHOD_NOT_SUPPORTED with `allow` set to the methods that the path
 * takes ("GET, HEAD"), or ERROR_BAD_REQUEST for broken percent-encoding. */
const struct endpoint *endpoint_find(const char *method, const char *path, char *model, size_t size,
                                     const char **allow, struct error *err);

/* All rows, for tests and metrics. */
const struct endpoint *endpoint_rows(size_t *count);

/* May `key` (NULL = keys are not configured) use the model id `alias`? */
bool endpoint_key_allows(const struct key *key, const char *alias);

#endif
