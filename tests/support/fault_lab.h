/* A laboratory for faults of Replicate: each kind of fault strikes in a simulated Replicate of its own, with one
 * program in front of them all, so that a whole row of the matrix "each fault in each phase" runs side by side.
 *
 * What a case has to come to stands in a table, as text; what differs is collected, and fails the test at its end with
 * all that was wrong at once. Use it on the test's thread only. */
#ifndef SUPPORT_FAULT_LAB_H
#define SUPPORT_FAULT_LAB_H

#include "base/buf.h"
#include "bridge.h"
#include "stream_client.h"

/* Every way in which an answer of Replicate's can go wrong, or be odd: name in tables, name in reports, the fault. */
#define FAULT_KINDS(X)                                                                                                 \
    X(REFUSED, "connections refused", .fault = SIM_FAULT_REFUSE, .delay_ms = 300)                                      \
    X(SILENT, "silence", .fault = SIM_FAULT_SILENT)                                                                    \
    X(CLOSED, "closed without being served", .fault = SIM_FAULT_CLOSE_BEFORE_HEADERS)                                  \
    X(SERVED_AND_CLOSED, "served and closed", .fault = SIM_FAULT_READ_AND_CLOSE)                                       \
    X(RESET, "reset without being served", .fault = SIM_FAULT_RESET)                                                   \
    X(SERVED_AND_RESET, "served and reset", .fault = SIM_FAULT_RESET_AFTER)                                            \
    X(CUT_HEAD, "closed within the headers", .fault = SIM_FAULT_CLOSE_IN_HEADERS)                                      \
    X(CUT_BODY, "closed within the body", .fault = SIM_FAULT_CUT_BODY)                                                 \
    X(TOO_LONG, "a length that is too long", .fault = SIM_FAULT_LENGTH_TOO_LONG)                                       \
    X(TOO_SHORT, "a length that is too short", .fault = SIM_FAULT_LENGTH_TOO_SHORT)                                    \
    X(ENDLESS, "a body without end", .fault = SIM_FAULT_HUGE_BODY)                                                     \
    X(NOT_JSON, "no JSON", .fault = SIM_FAULT_INVALID_JSON)                                                            \
    X(PAGE_200, "a web page and 200", .fault = SIM_FAULT_HTML, .status = 200)                                          \
    X(PAGE_502, "a web page and 502", .fault = SIM_FAULT_HTML, .status = 502)                                          \
    X(STATUS_302, "302", .fault = SIM_FAULT_STATUS, .status = 302, .headers = "Location: http://127.0.0.1:1/\r\n")     \
    X(STATUS_400, "400", .fault = SIM_FAULT_STATUS, .status = 400)                                                     \
    X(STATUS_401, "401", .fault = SIM_FAULT_STATUS, .status = 401)                                                     \
    X(STATUS_402, "402", .fault = SIM_FAULT_STATUS, .status = 402)                                                     \
    X(STATUS_403, "403", .fault = SIM_FAULT_STATUS, .status = 403)                                                     \
    X(STATUS_404, "404", .fault = SIM_FAULT_STATUS, .status = 404)                                                     \
    X(STATUS_413, "413", .fault = SIM_FAULT_STATUS, .status = 413)                                                     \
    X(STATUS_422, "422", .fault = SIM_FAULT_STATUS, .status = 422, .body = "{\"detail\":\"It is not right.\"}")        \
    X(STATUS_429, "429 that says how long", .fault = SIM_FAULT_STATUS, .status = 429, .retry_after_s = 1)              \
    X(STATUS_429_HEADER, "429 with a header", .fault = SIM_FAULT_STATUS, .status = 429, .retry_after_header = true,    \
      .no_retry_after_in_body = true)                                                                                  \
    X(STATUS_429_BARE, "429 without a hint", .fault = SIM_FAULT_STATUS, .status = 429, .body = "{}")                   \
    X(STATUS_500, "500", .fault = SIM_FAULT_STATUS, .status = 500)                                                     \
    X(STATUS_502, "502", .fault = SIM_FAULT_STATUS, .status = 502)                                                     \
    X(STATUS_503, "503", .fault = SIM_FAULT_STATUS, .status = 503)                                                     \
    X(STATUS_504, "504", .fault = SIM_FAULT_STATUS, .status = 504)                                                     \
    X(SERVED_AND_500, "served and 500", .fault = SIM_FAULT_STATUS_AFTER, .status = 500)                                \
    /* odd, and valid */                                                                                               \
    X(NO_LENGTH, "no length", .fault = SIM_FAULT_NO_LENGTH)                                                            \
    X(CHUNKED, "chunks", .fault = SIM_FAULT_CHUNKED)                                                                   \
    X(SLOW, "a slow answer", .fault = SIM_FAULT_SLOW, .delay_ms = 300)                                                 \
    X(DRIP, "byte by byte", .fault = SIM_FAULT_BYTEWISE)

enum fault_kind {
#define X(name, ...) FAULT_##name,
    FAULT_KINDS(X)
#undef X
        FAULT_KIND_COUNT
};

const char *fault_kind_name(enum fault_kind kind);

struct fault_lab {
    struct daemon *daemon;
    struct bridge cells[FAULT_KIND_COUNT]; /* of each kind: its own simulator, and the one program */
    struct buf wrong;
};

/* Starts the simulators and the program. `timeout_ms`: of each request, twice that under a sanitizer; 0 = the
 * program's default. `more`: whole lines of configuration at the top level; may be "". */
void fault_lab_open(struct fault_lab *lab, const struct replicate_sim_options *options, int timeout_ms,
                    const char *more);

/* How the model of this kind's simulator behaves; the plan's own `model` is not looked at. */
void fault_lab_plan(struct fault_lab *lab, enum fault_kind kind, const struct sim_plan *plan);

/* From now on it strikes requests to this endpoint: so many of them (SIM_FOREVER = all), after having spared some. */
void fault_lab_strike(struct fault_lab *lab, enum fault_kind kind, enum sim_endpoint endpoint, int count, int after);

/* Sends a chat completion to this kind's model; `more` are further members of the body, `headers` whole lines. */
struct http_connection *fault_lab_ask(struct fault_lab *lab, enum fault_kind kind, const char *more,
                                      const char *headers);
/* The same with a whole JSON text as its `messages`. */
struct http_connection *fault_lab_ask_messages(struct fault_lab *lab, enum fault_kind kind, const char *messages);
/* The same as fault_lab_ask of all kinds at once, streamed. */
void fault_lab_open_streams(struct fault_lab *lab, struct stream_client clients[FAULT_KIND_COUNT]);

/* What an answer is, in the words of the tables. */
#define FAULT_ANSWERED "answered"
#define FAULT_LOST "502 upstream_error, final"
#define FAULT_BAD_TOKEN "502 upstream_authentication_error, final"
#define FAULT_NO_CREDIT "429 insufficient_quota, final"
#define FAULT_THROTTLED "429 rate_limit_exceeded, may retry"
#define FAULT_UNAVAILABLE "503 upstream_unavailable, may retry"
#define FAULT_INVALID "400 invalid_value, final"
#define FAULT_NOT_FOUND "404 model_not_found, final"
#define FAULT_TOO_LARGE "413 request_too_large, final"
#define FAULT_TIMEOUT "504 timeout, final"

/* The test is told of what is not so; NULL as what is expected is a hole in a table. */
void fault_lab_expect_answer(struct fault_lab *lab, enum fault_kind kind, const struct http_response *response,
                             const char *expected);
/* Of an answer that was read to its end; `text` is what the whole one says. */
void fault_lab_expect_stream(struct fault_lab *lab, enum fault_kind kind, const struct stream_client *client,
                             const char *text, const char *expected);
void fault_lab_expect_count(struct fault_lab *lab, enum fault_kind kind, const char *what, size_t found,
                            size_t expected);
void fault_lab_complain(struct fault_lab *lab, enum fault_kind kind, const char *what);

/* Reads the answers of all kinds that were asked for, and compares them with the table. */
void fault_lab_expect_answers(struct fault_lab *lab, struct http_connection *clients[FAULT_KIND_COUNT],
                              const char *const expected[FAULT_KIND_COUNT]);

/* The test fails unless nothing runs at any simulator, and the program follows nothing any more: its gauges are 0. */
void fault_lab_expect_rest(struct fault_lab *lab);

/* Stops all. The test fails when anything was not as expected, the program does not end with 0, its log tells the token
 * or the prompt, or a simulator has something to complain of. Fine after a failure too. */
void fault_lab_close(struct fault_lab *lab);

#endif
