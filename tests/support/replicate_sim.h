/* A simulated Replicate on loopback, for tests and for trying things out without a token.
 *
 * One thread and one epoll loop over raw sockets: an HTTP library would not misbehave on request. It behaves like
 * Replicate's HTTP API (plans say how each model behaves), injects faults, records everything it is sent, and fails
 * the test at its end for whatever is unclaimed: a prediction neither ended nor cancelled, a request that no endpoint
 * covers, a connection still open.
 *
 * A typical test:
 *
 *     struct replicate_sim *sim = replicate_sim_start(NULL);
 *     replicate_sim_plan(sim, &(struct sim_plan){.model = "acme/writer", .official = true, .boot_ms = 50});
 *     … point the client at replicate_sim_base_url(sim), token "test-token" …
 *     ck_assert(replicate_sim_wait_cancelled(sim, 1, 2000));
 *     char report[SIM_REPORT_BYTES];
 *     ck_assert_msg(replicate_sim_stop(&sim, report, sizeof(report)), "%s", report);
 *
 * Every function may be called from any thread while the simulator's own thread runs (one mutex). Structs that are
 * passed in are copied; a member left at zero means its default. Time is the real monotonic clock. */
#ifndef SUPPORT_REPLICATE_SIM_H
#define SUPPORT_REPLICATE_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct replicate_sim;
struct sim_plan;

enum {
    SIM_HOLD = -1,    /* as boot_ms or run_ms: until replicate_sim_advance, cancel, or the deadline */
    SIM_FOREVER = -1, /* as a count: without end */
    SIM_REPORT_BYTES = 1024
};

/* As the index of a prediction: all of them. */
#define SIM_ALL ((size_t)-1)
/* A piece that is replaced by the input's `prompt`; by a piece for each of its words. */
#define SIM_PROMPT "{{prompt}}"
#define SIM_PROMPT_WORDS "{{words}}"

/* --- Life ----------------------------------------------------------------------------------------------------- */

struct replicate_sim_options {
    int port;          /* on 127.0.0.1; 0 = the kernel picks */
    const char *token; /* the only token accepted; NULL = "test-token" */
    bool accept_any_token;

    /* Enforced limits, as a bucket that holds a minute's worth (or `…_burst`); 0 = no limit. */
    int creates_per_minute, create_burst;
    int calls_per_minute, call_burst;          /* everything but creates */
    bool rejected_calls_count;                 /* a 429 uses up budget, too */
    bool retry_after_header;                   /* a 429 of these limits carries Retry-After … */
    bool no_retry_after_in_body;               /* … and has no retry_after member */
    bool rate_headers_on_429, no_rate_headers; /* ratelimit-remaining and ratelimit-reset: on a 429 too; nowhere */

    const struct sim_plan *any_model; /* the plan of every model, version and deployment without a plan; NULL = 404 */
    bool stray_fields;                /* adds members to every object that no document mentions */
    bool location_header;             /* a create answers with Location, as the documents say and no recording shows */

    size_t file_limit_bytes; /* larger files are refused with a 413; 0 = 100 MiB */

    bool separate_streams; /* streams come from a port of their own, which is another origin */

    /* How long a second of Prefer: wait, Cancel-After and streams lasts, so that tests are fast; 0 = 1000. */
    int64_t second_ms;
    int64_t stop_grace_ms;       /* how long replicate_sim_stop waits for what is still going on; 0 = 1000 */
    bool allow_open_connections; /* connections open at the stop are fine */
    int request_limit;           /* requests kept for inspection; 0 = 20,000, -1 = none. The rest is only counted */
};

/* Listening when it returns. NULL options = all defaults. Aborts when there is no socket to be had. */
struct replicate_sim *replicate_sim_start(const struct replicate_sim_options *options);

/* "http://127.0.0.1:PORT/v1"; valid until the stop. */
const char *replicate_sim_base_url(const struct replicate_sim *sim);
int replicate_sim_port(const struct replicate_sim *sim);
int replicate_sim_stream_port(const struct replicate_sim *sim); /* the same one without `separate_streams` */

/* Stops, frees, sets *sim to NULL. False when anything is unclaimed; `report` (may be NULL) then says what, in
 * sentences, else it is "". */
bool replicate_sim_stop(struct replicate_sim **sim, char *report, size_t size);

/* --- Plans ---------------------------------------------------------------------------------------------------- */

/* How "there is none" is written; Replicate uses all three. */
enum sim_blank { SIM_BLANK_DEFAULT = 0, SIM_BLANK_NULL, SIM_BLANK_MISSING, SIM_BLANK_EMPTY /* "" */ };

enum sim_wait_answer {
    SIM_WAIT_PROCESSING = 0, /* a success is shown as `processing` with its output, without metrics: as recorded */
    SIM_WAIT_ALL_PROCESSING, /* so is a failure: what looks complete fails later */
    SIM_WAIT_TERMINAL,       /* the true end status, with metrics */
    SIM_WAIT_IGNORED         /* Prefer is not honoured: answers at once */
};

/* Where token counts (words, counted) are reported. */
enum sim_tokens {
    SIM_TOKENS_NONE = 0,
    SIM_TOKENS_METRICS,     /* input_token_count, output_token_count, tokens_per_second, time_to_first_token */
    SIM_TOKENS_OLD_METRICS, /* token_input_count, token_output_count */
    SIM_TOKENS_LOGS         /* "Input token count: 3" lines in `logs` */
};

/* What befalls a stream, after `fault_after` pieces of a connection. */
enum sim_stream_fault {
    SIM_STREAM_FINE = 0,
    SIM_STREAM_STATUS,    /* no stream: the answer is `fault_status` (0 = 404), as Replicate says it */
    SIM_STREAM_HTML,      /* no stream: a proxy's HTML page with `fault_status` (0 = 502; 200 too) */
    SIM_STREAM_END,       /* the answer ends in good order, without `done` */
    SIM_STREAM_CUT,       /* the connection closes in the middle of the next event */
    SIM_STREAM_RESET,     /* the connection is reset */
    SIM_STREAM_STALL,     /* nothing more comes, not even the timeout; the connection stays open */
    SIM_STREAM_COMMENTS,  /* a comment every second and nothing else */
    SIM_STREAM_ERROR,     /* an `error` event and `done`, while the prediction goes on as if nothing were */
    SIM_STREAM_HUGE_EVENT /* an `output` event of `huge_bytes` that is in no output; then it goes on */
};

/* How a stream ends when its prediction has. */
enum sim_stream_end {
    SIM_STREAM_DONE = 0,
    SIM_STREAM_DONE_TWICE,
    SIM_STREAM_DONE_EMPTY,   /* a `done` event without data */
    SIM_STREAM_DONE_MISSING, /* the answer ends without one */
    SIM_STREAM_DONE_OPEN     /* after `done` the connection stays open until the timeout */
};

/* Behind urls.stream: server-sent events as Replicate sends them. A comment `: hi`; `output` events with ids; for a
 * failure an `error` event; `done`. A connection without an event for 30 seconds gets the comment
 * `:408: 408 Request Timeout` and ends. Last-Event-ID resumes; without it all is told from the start. The token is not
 * asked for. */
struct sim_stream_plan {
    bool offered;   /* urls.stream is there */
    int64_t lag_ms; /* what GET shows, its end too, comes that much later than the stream's; negative: sooner */

    enum sim_stream_fault fault;
    int fault_after, fault_count; /* fault_count: the first connections of a prediction; 0 = one, SIM_FOREVER */
    int fault_status;
    int64_t huge_bytes; /* 0 = 1 MiB */
    enum sim_stream_end end;

    bool no_ids, ignores_last_id; /* the latter tells all from the start again */
    bool from_now;                /* without Last-Event-ID only what comes from now on */
    bool plain_error;             /* the data of `error` are plain text and not {"detail": …} */
    bool logs;                    /* the plan's `logs`, a `logs` event a line, before the first piece */
    bool half_characters;         /* pieces are cut in two in the middle of a UTF-8 character, where they have one */
    bool bytewise;                /* one byte per write */
    bool crlf, no_space;          /* line ends; none after the colon (but where the data begin with one) */
    bool no_chunks;               /* the answer ends with the connection instead of being chunked */
    const char *content_type;     /* NULL = "text/event-stream; charset=utf-8" */
};

struct sim_plan {
    const char *model;       /* "owner/name"; required (ignored in any_model) */
    const char *deployment;  /* "owner/name" of a deployment that runs this model; NULL = none */
    const char *shown_model; /* the `model` of its predictions, where it differs */

    bool official;               /* runs by name; otherwise (community) only by version */
    bool only_unversioned;       /* is_official is false, yet it runs by name and refuses every version with a 422 */
    bool no_latest_version;      /* latest_version is null */
    bool no_schema;              /* openapi_schema is null */
    const char *const *versions; /* 64 hex each, newest first; NULL = one, see replicate_sim_version */
    size_t version_count;

    /* The path of a file with what GET /models/{owner}/{name} answers: shown, with this plan's names, version and
     * `official`; inputs are checked against it, and those that it lacks are counted (SIM_EXPECT_LOST_INPUTS). Goes
     * before the three members that follow. */
    const char *document;

    /* The schema `Input`, e.g. {"type":"object","required":["prompt"],"properties":{…}}: shown, and inputs are checked
     * against it (required, type, enum, minimum, maximum). NULL = that of a typical language model (required: prompt;
     * max_tokens, temperature, presence_penalty, frequency_penalty, top_p). "{}" takes anything. */
    const char *input_schema_json;
    const char *more_schemas_json;  /* an object whose members join components.schemas (enums by $ref) */
    const char *output_schema_json; /* NULL = an iterator of strings, concatenated */

    int64_t boot_ms; /* in `starting`; or SIM_HOLD */
    int64_t run_ms;  /* in `processing`; or SIM_HOLD */

    /* The output: one of these; neither = the echo {"You said: ", SIM_PROMPT}. Pieces are an array that grows while
     * processing, evenly over run_ms (all but the last one at once where it is held). */
    const char *const *pieces;
    size_t piece_count;
    const char *output_json;
    bool output_at_end; /* pieces do not grow: null until the end */

    /* Another pace of the pieces, in the stream and in GET. */
    int64_t piece_ms; /* one every so many ms, and run_ms is at least as long as all of them take; SIM_HOLD: one for
                         each replicate_sim_advance, and one more ends the prediction */
    int64_t first_piece_ms; /* none in the first so many ms of processing */
    int repeat_pieces;      /* all of them that many times over; 0 = once */
    bool stamp_pieces;      /* each begins with the time at which it was made, replicate_sim_now_us, and a colon */

    struct sim_stream_plan stream;

    const char *starting_word, *processing_word; /* instead of these words: words nobody knows yet */
    const char *end_status;                      /* NULL = "succeeded"; any word: one that is not terminal never ends */
    const char *error_text;                      /* NULL = null, or a default text when end_status is "failed" */
    const char *error_json;                      /* an error that is no string */
    const char *logs;                            /* NULL = "" */
    const char *metrics_json;                    /* an object, joined to predict_time and total_time */
    bool no_metrics;
    enum sim_tokens tokens;
    enum sim_blank blank_output, blank_logs, blank_started_at; /* DEFAULT: null, "", missing */
    const char *stream_url;                                    /* urls.stream, wherever it leads; NULL: see `stream` */
    bool no_web_url;
    int64_t retention_ms; /* after the end: then data_removed, input {} and output null; 0 = kept */

    int create_status; /* 0 = 201, or 202 when a Prefer: wait ran out */
    enum sim_wait_answer wait_answer;
    bool no_preference_applied; /* the Preference-Applied header is left out */

    bool ignores_cancel;        /* cancel answers 200 and changes nothing */
    int cancel_finished_status; /* cancel of an ended prediction; 0 = 200 with the prediction, else the body of that
                                   status */
};

/* From now on this is how the model behaves; replaces its plan. Predictions under way keep the one they began with. */
void replicate_sim_plan(struct replicate_sim *sim, const struct sim_plan *plan);

/* Plans from a file: a JSON array of objects whose keys are the members of struct sim_plan, JSON written as itself
 * (see replicate_sim_plan_keys). False, and a sentence, when the file is not that. */
bool replicate_sim_load_plans(struct replicate_sim *sim, const char *path, char *message, size_t size);
const char *replicate_sim_plan_keys(void); /* for --help: one key and its meaning a line */

/* The version that a plan without `versions` has: 64 hex, made from the model's name. */
void replicate_sim_version(const char *model, char version[65]);

/* Moves the i-th prediction (or SIM_ALL) one phase on, now: starting → processing → its end; or one piece on, where
 * the plan holds them. */
void replicate_sim_advance(struct replicate_sim *sim, size_t i);

/* --- Faults --------------------------------------------------------------------------------------------------- */

enum sim_endpoint {
    SIM_ANY = 0, /* in faults and searches: all of them */
    SIM_CREATE,  /* all three paths */
    SIM_GET,     /* GET /predictions/{id} */
    SIM_CANCEL,
    SIM_MODEL,   /* GET /models/{owner}/{name} and its versions, GET /deployments/{owner}/{name} */
    SIM_FILES,   /* /files: uploads, documents, downloads and deletions */
    SIM_OTHER,   /* list of predictions, account, hardware */
    SIM_STREAM,  /* GET of a stream. Faults that bend no answer (slow, bytewise, chunked) befall the stream; the others
                    a stream that holds nothing but `: hi` */
    SIM_UNKNOWN, /* a path or method that there is not */
    SIM_ENDPOINT_COUNT
};

enum sim_fault {
    SIM_FAULT_NONE = 0,
    SIM_FAULT_REFUSE,               /* stops listening and closes idle connections, at once; for delay_ms, or (0) until
                                       replicate_sim_clear_faults. Endpoint, count and after mean nothing here; a
                                       port of streams goes on listening */
    SIM_FAULT_SILENT,               /* reads the request, does what it asks, and never answers */
    SIM_FAULT_CLOSE_BEFORE_HEADERS, /* reads the request, does nothing, closes without an answer */
    SIM_FAULT_READ_AND_CLOSE,       /* reads the request, does what it asks, closes without an answer */
    SIM_FAULT_CLOSE_IN_HEADERS,     /* does it, closes in the middle of the answer's headers */
    SIM_FAULT_CUT_BODY,             /* does it, sends `cut_at` bytes of the body (0 = half), closes */
    SIM_FAULT_LENGTH_TOO_LONG,      /* Content-Length says more than is sent; then closes */
    SIM_FAULT_LENGTH_TOO_SHORT,     /* Content-Length says less: the rest of the body follows as if it were an answer */
    SIM_FAULT_NO_LENGTH,            /* no Content-Length: the body ends with the connection. Valid HTTP */
    SIM_FAULT_CHUNKED,              /* Transfer-Encoding: chunked, in small chunks. Valid HTTP */
    SIM_FAULT_INVALID_JSON,         /* does it; the right status, a body that is not JSON (or `body`) */
    SIM_FAULT_HTML,                 /* does nothing; a proxy's HTML page with `status` (0 = 502) */
    SIM_FAULT_STATUS,               /* does nothing; `status` with its usual body, or `body` */
    SIM_FAULT_STATUS_AFTER,         /* does it, then answers `status`: a 5xx after which the prediction exists */
    SIM_FAULT_SLOW,                 /* does it at once, answers after delay_ms */
    SIM_FAULT_BYTEWISE,             /* does it; one byte per write */
    SIM_FAULT_RESET,                /* reads the request, does nothing, resets the connection (RST) */
    SIM_FAULT_RESET_AFTER,          /* does it, then resets without an answer */
    SIM_FAULT_HUGE_BODY             /* a body without end, as fast as it is read */
};

/* The known texts of a 429. */
enum sim_throttle {
    SIM_THROTTLE_LOW_CREDIT = 0, /* "… while you have less than $5.0 in credit. Your rate limit resets in ~5s." */
    SIM_THROTTLE_NO_PAYMENT,     /* "… until you add a payment method. Your rate limit resets in ~5s." */
    SIM_THROTTLE_SHORT,          /* "Request was throttled. Your rate limit resets in ~5s." and nothing else */
    SIM_THROTTLE_OLD             /* "Request was throttled. Expected available in 5 seconds." and nothing else */
};

struct sim_fault_spec {
    enum sim_fault fault;
    int count;         /* how many requests it hits: 0 = one, SIM_FOREVER */
    int after;         /* how many requests it spares first */
    const char *model; /* only requests about this model; NULL = all */
    int status;        /* of HTML, STATUS, STATUS_AFTER: 400 401 402 403 404 413 422 429 500 502 503 504 or any other */
    const char *headers; /* added to the answer as they are, each line ended by \r\n */
    const char *body;    /* instead of the usual one */
    int64_t delay_ms;    /* the answer, or the close instead of it, comes that much later; of REFUSE: see there */
    size_t cut_at;

    /* Of a 429. */
    enum sim_throttle throttle;
    int retry_after_s;           /* 0 = 1 */
    bool retry_after_header;     /* with Retry-After */
    bool no_retry_after_in_body; /* without the retry_after member (SHORT and OLD never have it) */
};

/* Faults are looked at in the order in which they were added; the first that fits a request takes it. */
void replicate_sim_fault(struct replicate_sim *sim, enum sim_endpoint endpoint, const struct sim_fault_spec *spec);

/* Forgets all faults and listens again. Requests that are being kept silent stay so. */
void replicate_sim_clear_faults(struct replicate_sim *sim);

/* --- Observation ---------------------------------------------------------------------------------------------- */

struct sim_counters {
    size_t created;           /* predictions */
    size_t running;           /* not ended yet */
    size_t ended;             /* succeeded + failed + cancelled + aborted */
    size_t succeeded, failed; /* by their plan */
    size_t cancelled;         /* by a cancel request, in `starting` or `processing` */
    size_t deadline_canceled; /* by Cancel-After, while processing; not in `cancelled`, but in `ended` */
    size_t aborted;           /* by Cancel-After, while starting */
    size_t cancel_calls, polls, create_calls, model_calls;
    size_t throttled;     /* 429 of the enforced limits */
    size_t faulted;       /* requests that a fault hit */
    size_t requests;      /* read in whole, faulty ones included */
    size_t unknown_paths; /* 404 or 405: no such endpoint, or no such prediction */
    size_t invalid;       /* 400 or 422 for a body that breaks the rules */
    size_t unauthorized;  /* 401 by us, not by a fault */
    size_t lost_inputs;   /* inputs that the plan's `document` lacks: Replicate drops them in silence */
    size_t open_connections, peak_connections, accepted_connections;
    size_t waiting; /* creates being held by Prefer: wait */
    size_t streams_opened, open_streams, peak_streams;
    size_t stream_pieces;     /* `output` events sent, to all connections together */
    size_t stream_bytes;      /* of events and comments, likewise */
    size_t stream_timeouts;   /* ended by the 408 comment */
    size_t stream_authorized; /* requests for a stream that carried a token, which needs none */
    size_t files_uploaded, files_deleted;
    size_t files_open; /* uploaded and not deleted */
};

void replicate_sim_counters(struct replicate_sim *sim, struct sim_counters *counters);

struct sim_request {
    enum sim_endpoint endpoint;
    const char *method, *path; /* the path with its query, as sent: "/v1/predictions" */
    const char *headers;       /* the header lines as sent */
    const char *body;          /* NUL-terminated */
    size_t body_length;
    int64_t at_ms;        /* since the start of the simulator */
    uint64_t connection;  /* 1, 2, 3 …: the same number is the same connection */
    enum sim_fault fault; /* what hit it */
};

/* Requests in the order of their arrival; valid until the stop. The i-th of an endpoint (SIM_ANY = of all); NULL when
 * there are not that many. */
size_t replicate_sim_request_count(struct replicate_sim *sim, enum sim_endpoint endpoint);
const struct sim_request *replicate_sim_request(struct replicate_sim *sim, enum sim_endpoint endpoint, size_t i);

/* The value of a header (any case), copied; false and "" when it was not sent. */
bool sim_request_header(const struct sim_request *request, const char *name, char *value, size_t size);

struct sim_prediction_view {
    char id[32], model[160], version[80];
    char status[32];                /* its word now */
    bool ended, cancelled, aborted; /* cancelled: by a cancel request; aborted: by Cancel-After in any phase */
    int64_t created_ms, started_ms, ended_ms; /* since the start of the simulator; -1 = not yet */
    int64_t first_cancel_ms;                  /* -1 = never asked to */
    size_t cancel_calls, polls;
    int64_t deadline_ms; /* -1 = no Cancel-After */
    size_t pieces;       /* made so far */
    size_t streams_opened, open_streams;
};

/* The i-th prediction in the order of creation; false when there are not that many. */
bool replicate_sim_prediction(struct replicate_sim *sim, size_t i, struct sim_prediction_view *view);

/* A file that was uploaded, also when it was deleted since. */
struct sim_file_view {
    char id[64], name[256], media_type[128];
    const char *bytes; /* valid until the stop */
    size_t length;
    bool deleted;
    int64_t uploaded_ms, deleted_ms; /* since the start of the simulator; -1 = not yet */
};

/* The i-th file in the order of the uploads; false when there are not that many. */
bool replicate_sim_file(struct replicate_sim *sim, size_t i, struct sim_file_view *view);

/* Microseconds of the monotonic clock, which all processes of this machine share: now, and when the k-th piece of the
 * i-th prediction was made (-1 = not yet). */
int64_t replicate_sim_now_us(void);
int64_t replicate_sim_piece_us(struct replicate_sim *sim, size_t i, size_t k);

/* Called with the simulator's lock held: look, do not call back. */
typedef bool sim_predicate_fn(const struct sim_counters *counters, void *arg);

/* Waits until the predicate holds; false when timeout_ms have passed. It is looked at whenever anything changes. */
bool replicate_sim_wait(struct replicate_sim *sim, sim_predicate_fn *holds, void *arg, int64_t timeout_ms);

/* Until there were (at least) n. */
bool replicate_sim_wait_created(struct replicate_sim *sim, size_t n, int64_t timeout_ms);
bool replicate_sim_wait_ended(struct replicate_sim *sim, size_t n, int64_t timeout_ms);
bool replicate_sim_wait_cancelled(struct replicate_sim *sim, size_t n, int64_t timeout_ms);
bool replicate_sim_wait_cancel_calls(struct replicate_sim *sim, size_t n, int64_t timeout_ms);
bool replicate_sim_wait_polls(struct replicate_sim *sim, size_t n, int64_t timeout_ms);
bool replicate_sim_wait_requests(struct replicate_sim *sim, size_t n, int64_t timeout_ms);
bool replicate_sim_wait_faulted(struct replicate_sim *sim, size_t n, int64_t timeout_ms);
bool replicate_sim_wait_waiting(struct replicate_sim *sim, size_t n, int64_t timeout_ms);
bool replicate_sim_wait_streams(struct replicate_sim *sim, size_t n, int64_t timeout_ms);       /* opened */
bool replicate_sim_wait_stream_pieces(struct replicate_sim *sim, size_t n, int64_t timeout_ms); /* sent */
bool replicate_sim_wait_files_uploaded(struct replicate_sim *sim, size_t n, int64_t timeout_ms);
bool replicate_sim_wait_files_deleted(struct replicate_sim *sim, size_t n, int64_t timeout_ms);
/* Until no prediction runs; until no stream, no connection is open. */
bool replicate_sim_wait_idle(struct replicate_sim *sim, int64_t timeout_ms);
bool replicate_sim_wait_streams_closed(struct replicate_sim *sim, int64_t timeout_ms);
bool replicate_sim_wait_disconnected(struct replicate_sim *sim, int64_t timeout_ms);

/* --- Expectations --------------------------------------------------------------------------------------------- */

enum sim_expectation {
    SIM_EXPECT_RUNNING,          /* predictions still running at the stop */
    SIM_EXPECT_DEADLINE,         /* predictions that Cancel-After aborted or cancelled */
    SIM_EXPECT_UNKNOWN_PATH,     /* counters.unknown_paths */
    SIM_EXPECT_INVALID,          /* counters.invalid */
    SIM_EXPECT_UNAUTHORIZED,     /* counters.unauthorized */
    SIM_EXPECT_OPEN_CONNECTIONS, /* open at the stop; without the streams of ended predictions */
    SIM_EXPECT_OPEN_STREAMS,     /* streams of ended predictions that are open at the stop */
    SIM_EXPECT_LOST_INPUTS,      /* counters.lost_inputs */
    SIM_EXPECT_FILES,            /* files that were not deleted */
    SIM_EXPECTATION_COUNT
};

/* Up to `count` more of these (SIM_FOREVER: any number) are the test's intention and no failure at the stop. */
void replicate_sim_expect(struct replicate_sim *sim, enum sim_expectation what, int count);

#endif
