/* Errors as values, and the one table of kinds of them.
 *
 * A `struct error` lives on its owner's stack or inside its object and needs no
 * cleanup. Functions that the world can make fail return bool and take
 * `struct error *err` last: filled on false, untouched on true. Any thread. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One row a kind: name, HTTP status, OpenAI's type, OpenAI's code (NULL = null), may the client
 * retry (x-should-retry), is it an incident for the operator (logged as a warning). */
#define ERROR_KINDS(X)                                                                                      \
    X(BAD_REQUEST, 400, "invalid_request_error", NULL, false, false)                                        \
    X(MISSING_PARAMETER, 400, "invalid_request_error", "missing_required_parameter", false, false)          \
    X(INVALID_TYPE, 400, "invalid_request_error", "invalid_type", false, false)                             \
    X(INVALID_VALUE, 400, "invalid_request_error", "invalid_value", false, false)                           \
    X(UNSUPPORTED_PARAMETER, 400, "invalid_request_error", "unsupported_parameter", false, false)           \
    X(UNSUPPORTED_VALUE, 400, "invalid_request_error", "unsupported_value", false, false)                   \
    X(IDEMPOTENCY_KEY_REUSED, 422, "invalid_request_error", "idempotency_key_reused", false, false)         \
    X(NO_KEY, 401, "invalid_request_error", NULL, false, false)                                             \
    X(WRONG_KEY, 401, "invalid_request_error", "invalid_api_key", false, false)                             \
    X(ACCESS_DENIED, 403, "invalid_request_error", "ip_not_allowed", false, false)                          \
    X(MODEL_NOT_ALLOWED, 403, "invalid_request_error", "model_not_allowed", false, false)                   \
    X(MODEL_NOT_FOUND, 404, "invalid_request_error", "model_not_found", false, false)                       \
    X(UNKNOWN_PATH, 404, "invalid_request_error", NULL, false, false)                                       \
    X(METHOD_NOT_SUPPORTED, 405, "invalid_request_error", "method_not_supported", false, false)             \
    X(REQUEST_TIMEOUT, 408, "invalid_request_error", "request_timeout", false, false)                       \
    X(REQUEST_TOO_LARGE, 413, "invalid_request_error", "request_too_large", false, false)                   \
    X(UPSTREAM_AUTHENTICATION, 502, "server_error", "upstream_authentication_error", false, true)           \
    X(INSUFFICIENT_QUOTA, 429, "insufficient_quota", "insufficient_quota", false, true)                     \
    X(RATE_LIMITED, 429, "rate_limit_error", "rate_limit_exceeded", true, false)                            \
    X(OVERLOADED, 503, "server_error", "overloaded", true, true)                                            \
    X(UPSTREAM_UNAVAILABLE, 503, "server_error", "upstream_unavailable", true, true)                        \
    X(UPSTREAM_ERROR, 502, "server_error", "upstream_error", false, true)                                   \
    X(CONTENT_POLICY, 400, "invalid_request_error", "content_policy_violation", false, false)               \
    X(UPSTREAM_TRANSIENT, 503, "server_error", "upstream_transient_failure", true, true)                    \
    X(PREDICTION_FAILED, 422, "server_error", "prediction_failed", false, false)                            \
    X(PREDICTION_CANCELED, 422, "server_error", "prediction_canceled", false, false)                        \
    X(TIMEOUT, 504, "server_error", "timeout", false, true)                                                 \
    X(SHUTTING_DOWN, 503, "server_error", "shutting_down", true, false)                                     \
    X(INTERNAL, 500, "server_error", "internal_error", false, true)

enum error_kind {
    ERROR_NONE = 0,
#define X(name, status, type, code, retry, incident) ERROR_##name,
    ERROR_KINDS(X)
#undef X
    ERROR_KIND_COUNT
};

struct error_row {
    const char *name; /* lower case, for logs and metrics: "model_not_found" */
    int http_status;
    const char *type, *code;
    bool client_may_retry, is_incident;
};

enum { ERROR_PARAM_BYTES = 128, ERROR_MESSAGE_BYTES = 1024 };

struct error {
    enum error_kind kind;
    int64_t retry_after_ms; /* 0 = say nothing */
    char param[ERROR_PARAM_BYTES]; /* "" = null */
    char message[ERROR_MESSAGE_BYTES]; /* whole sentences for the client */
};

/* The row of a kind other than ERROR_NONE. */
const struct error_row *error_row(enum error_kind kind);

/* Fills `err` (which may be NULL: then nothing) and returns false, so that a caller may write
 * `return error_set(err, …)`. `param` may be NULL. Text that does not fit is cut at a UTF-8 boundary. */
bool error_set(struct error *err, enum error_kind kind, const char *param, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Copies `text` of `length` bytes to `out` (of `size` bytes, NUL-terminated) as it may be shown to a
 * client: at most size - 1 bytes cut at a UTF-8 boundary, control characters as spaces, and whatever looks
 * like a secret (words that begin `r8_`, `sk-`, `Bearer `) masked. `secret` (may be NULL or "") is masked too. */
void error_quote(char *out, size_t size, const char *text, size_t length, const char *secret);

#endif
