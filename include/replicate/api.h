/* Replicate's HTTP API: URLs, headers, JSON shapes, error shapes. Pure: bytes in, values out; any thread.
 * The facts are those of Replicate's OpenAPI document and of recorded traffic (October 2026). */
#ifndef REPLICATE_API_H
#define REPLICATE_API_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/job.h"

/* What a status word means to us. Words not known yet mean: go on waiting. */
#define API_STATUSES(X)                                                                                                \
    X(STARTING, "starting", false)                                                                                     \
    X(PROCESSING, "processing", false)                                                                                 \
    X(SUCCEEDED, "succeeded", true)                                                                                    \
    X(FAILED, "failed", true)                                                                                          \
    X(CANCELED, "canceled", true)                                                                                      \
    X(ABORTED, "aborted", true)

enum api_status {
    API_STATUS_UNKNOWN = 0,
#define X(name, word, terminal) API_STATUS_##name,
    API_STATUSES(X)
#undef X
};

bool api_status_is_terminal(enum api_status status);
const char *api_status_word(enum api_status status); /* "unknown" for the others */

enum { API_STREAM_URL_BYTES = 1024 };

/* A prediction object as far as we need it. */
struct api_prediction {
    char id[64];
    char version[80];
    enum api_status status;
    json_t *output; /* owned; NULL when missing, null or "" */
    struct usage usage;
    char error_text[512];                  /* Replicate's own text, quoted for showing; "" when none */
    char stream_url[API_STREAM_URL_BYTES]; /* as it stands there: see api_stream_url; "" when none */
    int64_t ran_after_ms, ended_after_ms;  /* since its creation, by Replicate's clock; -1 = not said */
};

/* False and err (ERROR_UPSTREAM_ERROR) where it is no prediction: not JSON, no usable id or status. `token` is masked
 * in texts. */
bool api_prediction_parse(const char *bytes, size_t length, const char *token, struct api_prediction *prediction,
                          struct error *err);
void api_prediction_dispose(struct api_prediction *prediction);

/* Where to create and what to send. `version` (may be NULL) is a resolved one: then POST /predictions. */
bool api_create_url(const struct job *job, const char *version, struct buf *url);
bool api_create_body(const struct job *job, const char *version, struct buf *body);
bool api_prediction_url(const struct job *job, const char *id, struct buf *url);
bool api_cancel_url(const struct job *job, const char *id, struct buf *url);
bool api_model_url(const struct job *job, struct buf *url);

/* Where the document of a target stands: of a model, of a version of it, or of a deployment (which names its version, see
 * api_deployment_release). Not for a bare version, which has none. */
bool api_document_url(const char *base_url, const struct target *target, struct buf *url);

/* Where the prediction's events may be read: NULL where it offers no stream, or one that is not to be trusted. Only
 * https on the API's own host, *.replicate.com or *.replicate.net; plain http on the API's own host alone, where the
 * API has no more. */
const char *api_stream_url(const struct job *job, const struct api_prediction *prediction);
/* Is it the API's own scheme, host and port? To no other goes the token. */
bool api_is_own_origin(const struct job *job, const char *url);

/* The text of a stream's `error` event, quoted for showing. */
void api_stream_error_text(const char *data, size_t length, const char *token, char out[512]);

enum { API_EVENT_ID_BYTES = 40 };

/* The ids of a stream's events, `<seconds>:<number>`, grow. False where it is of another form. */
struct api_event_id {
    uint64_t seconds, number;
    char text[API_EVENT_ID_BYTES]; /* as it came */
};
bool api_event_id_parse(const char *text, struct api_event_id *id);
bool api_event_id_is_after(const struct api_event_id *id, const struct api_event_id *other);

/* The value of Cancel-After for a remaining time: whole seconds, at least 5 (Replicate's minimum). */
void api_cancel_after(int64_t remaining_ms, char out[32]);
/* The value of Prefer for a wait: "wait=N", N in 1..60; "" for 0. */
void api_prefer(int64_t wait_ms, char out[32]);

/* latest_version.id of a model document. False and err (ERROR_MODEL_NOT_FOUND) when it has none. */
bool api_latest_version(const char *bytes, size_t length, const char *name, char version[80], struct error *err);

/* What a deployment's document says that it runs: a version of a model, or the model where its version is no usable one.
 * The caller disposes of it. False and err (ERROR_UPSTREAM_ERROR) where it says nothing usable. `name` is its own. */
bool api_deployment_release(const char *bytes, size_t length, const char *name, struct target *release,
                            struct error *err);

/* An answer to a create that is not 2xx, as the client's error. 422 names its field in err->param ("input.top_k" or
 * ""). For a 429, err->retry_after_ms is what headers or body say (retry_after_header_ms: -1 = none), 0 when nothing
 * does. */
void api_create_error(int status, const char *body, size_t length, int64_t retry_after_header_ms, const struct job *job,
                      struct error *err);

/* Does this 404 or 422 say that the model or version cannot be run this way, so that its other form may be tried? */
bool api_is_wrong_form(int status, const char *body, size_t length);

/* A terminal prediction that did not succeed, as the client's error. */
void api_failure_error(const struct api_prediction *prediction, struct error *err);

/* Seconds to wait that a 429's body names (retry_after, "resets in ~5s", "in 1 second"), in ms; -1 when none. */
int64_t api_retry_after_ms(const char *body, size_t length);

/* The rate that a 429's body names ("reduced to 6 requests per minute with a burst of 1 requests"); 0 for what it does not
 * say. */
void api_told_rate(const char *body, size_t length, int64_t *per_minute, int64_t *burst);

/* Token counts from log lines such as "Input token count: 263". */
void api_usage_from_logs(const char *logs, struct usage *usage);

#endif
