/* What the files of the simulated Replicate share. Everything here is called with the simulator's lock held, by its
 * own thread or by a test's.
 *
 *  connection (…_http.c) ─ request ─▶ serve (…_api.c) ─▶ prediction (…_prediction.c) by its plan (…_plan.c)
 *       ▲                                  │ answer
 *       └──── bytes, bent by a fault (…_fault.c) ◀┘
 *
 * What a prediction says goes through its channel (…_channel.c), piece by piece, to GET and to its streams
 * (…_stream.c), which are connections that go on. */
#ifndef SUPPORT_REPLICATE_SIM_INT_H
#define SUPPORT_REPLICATE_SIM_INT_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/list.h"
#include "replicate_sim.h"

enum {
    SIM_ID_BYTES = 27,
    SIM_NAME_BYTES = 160,
    SIM_BODY_MAX_BYTES = 256 * 1024 * 1024, /* as nobody knows Replicate's own */
    SIM_HEADER_MAX_BYTES = 64 * 1024,
    SIM_BOUNDARY_MAX_BYTES = 70
};

/* --- Time (replicate_sim_time.c) -------------------------------------------------------------------------------- */

struct sim_timer {
    int64_t due_ms;
    size_t slot; /* its place in the heap, from 1; 0 = not set */
    void (*fire)(struct replicate_sim *sim, struct sim_timer *timer);
};

/* A binary heap: the timers of ten thousand predictions cost a handful of comparisons each. */
struct sim_timers {
    struct sim_timer **heap; /* heap[0] is not used */
    size_t count, capacity;
};

int64_t sim_monotonic_us(void);
int64_t sim_monotonic_ms(void);
int64_t sim_now(const struct replicate_sim *sim); /* since the start */
void sim_timer_set(struct replicate_sim *sim, struct sim_timer *timer, int64_t due_ms);
void sim_timer_clear(struct replicate_sim *sim, struct sim_timer *timer);
int64_t sim_timers_next(const struct sim_timers *timers); /* when; -1 = never */
void sim_timers_fire(struct replicate_sim *sim);

/* RFC 3339 in UTC, with so many digits of a second's fraction. */
void sim_timestamp(const struct replicate_sim *sim, int64_t at_ms, int digits, char out[40]);

/* A budget that refills evenly. */
struct sim_bucket {
    double level;
    int64_t at_ms;
};

/* Takes one; otherwise false and how many seconds until there is one. */
bool sim_bucket_take(struct sim_bucket *bucket, int per_minute, int capacity, int64_t now_ms, int *wait_s);

/* --- Plans (replicate_sim_plan.c) ------------------------------------------------------------------------------- */

struct plan {
    struct sim_plan settings;                                                       /* its strings are ours */
    json_t *input_schema, *more_schemas, *output_schema, *metrics, *output, *error; /* parsed; NULL where none */
    json_t *document;                                                               /* of a model; NULL = made up */
    char version[65];                                                               /* used when it names none */
    struct list_link link; /* plans are kept until the stop: predictions point to them */
};

struct plan *sim_plan_new(const struct sim_plan *settings);
void sim_plan_free(struct plan *plan);
bool sim_plan_read_file(const char *path, struct buf *bytes);

/* The latest plan for a model, a version (64 hex), a deployment; else that of any model; else NULL. */
struct plan *sim_plan_find(struct replicate_sim *sim, const char *model);
struct plan *sim_plan_find_version(struct replicate_sim *sim, const char *version);
struct plan *sim_plan_find_deployment(struct replicate_sim *sim, const char *deployment);

/* The i-th version of a model with this plan, newest first; NULL when there are not that many. */
const char *sim_plan_version(const struct plan *plan, const char *model, size_t i, char made[65]);
bool sim_plan_has_version(const struct replicate_sim *sim, const struct plan *plan, const char *model,
                          const char *version);

json_t *sim_plan_model_object(struct replicate_sim *sim, const struct plan *plan, const char *model);
json_t *sim_plan_version_object(struct replicate_sim *sim, const struct plan *plan, const char *version);
json_t *sim_plan_deployment_object(struct replicate_sim *sim, const struct plan *plan, const char *deployment);

/* Appends {"type","field","description"} to `problems` for each thing that is wrong with an input. */
void sim_plan_check_input(const struct plan *plan, const json_t *input, json_t *problems);
/* Counts and keeps the names of an input that the plan's document lacks. */
void sim_plan_count_lost(struct replicate_sim *sim, const struct plan *plan, const json_t *input);
void sim_plan_add_problem(json_t *problems, const char *type, const char *field, const char *description);

/* --- What a prediction says (replicate_sim_channel.c) ----------------------------------------------------------- */

enum sim_event_kind { SIM_EVENT_OUTPUT, SIM_EVENT_LOGS, SIM_EVENT_ERROR, SIM_EVENT_DONE };

/* What streams are told; it stays, so that any connection can be told from any event on. */
struct sim_event {
    enum sim_event_kind kind;
    size_t piece, from, length; /* of OUTPUT: which part of which piece; of LOGS: which part of them */
    const char *done_data;
    int64_t second; /* its id: the wall clock's second, and how many there were before it in that second */
    unsigned number;
};

/* Pieces are first made, then published to the streams, and both in order. */
struct sim_channel {
    size_t count, made, published;
    int64_t *made_us; /* of each piece */
    struct sim_event *events;
    size_t event_count, event_capacity;
    bool finished;      /* no event will follow */
    int64_t finish_ms;  /* when the last events are due, where that is after the prediction's end; else -1 */
    size_t connections; /* ever */
    struct list streams;
    struct sim_timer timer;
};

/* --- Predictions (replicate_sim_prediction.c, _render.c) -------------------------------------------------------- */

enum phase { PHASE_STARTING, PHASE_PROCESSING, PHASE_ENDED };
enum ending { ENDING_NONE, ENDING_PLAN, ENDING_CANCEL, ENDING_DEADLINE };

struct prediction {
    char id[SIM_ID_BYTES];
    const struct plan *plan;
    char *model, *version, *deployment; /* as shown; deployment may be NULL */
    json_t *input, *extras;             /* extras: webhook and its filter, echoed */
    json_t *output;                     /* all of it, as it will be */
    const char *status;
    enum phase phase;
    enum ending ending;
    bool lingers; /* its end has a word that is not terminal */
    int64_t created_ms, started_ms, ended_ms, deadline_ms, first_cancel_ms;
    size_t cancel_calls, polls;
    struct sim_timer phase_timer, deadline_timer;
    struct connection *waiter; /* the create that Prefer: wait holds */
    struct sim_channel channel;
};

void sim_channel_init(struct prediction *prediction);
void sim_channel_dispose(struct replicate_sim *sim, struct prediction *prediction);
void sim_channel_start(struct replicate_sim *sim, struct prediction *prediction); /* processing has begun */
int64_t sim_channel_run_ms(const struct prediction *prediction);                  /* how long it lasts, or SIM_HOLD */
/* One piece, where they are held; false when none is. */
bool sim_channel_release(struct replicate_sim *sim, struct prediction *prediction);
/* Ends what the streams are told before the prediction itself ends. False when that need not wait. */
bool sim_channel_ends_first(struct replicate_sim *sim, struct prediction *prediction);
void sim_channel_end(struct replicate_sim *sim, struct prediction *prediction);                 /* it has ended */
void sim_channel_linger(struct replicate_sim *sim, struct prediction *prediction);              /* it never will */
size_t sim_channel_shown(const struct replicate_sim *sim, const struct prediction *prediction); /* pieces, in GET */
/* The data of an event. */
void sim_channel_data(const struct prediction *prediction, const struct sim_event *event, struct buf *data);

/* How a prediction is to be shown. */
enum view { VIEW_CREATED, VIEW_NOW, VIEW_WAITED, VIEW_CANCEL };

struct prediction_options {
    const struct plan *plan;
    const char *model, *version, *deployment;
    const json_t *body;      /* the request's */
    int64_t cancel_after_ms; /* 0 = none */
};

struct prediction *sim_prediction_create(struct replicate_sim *sim, const struct prediction_options *options);
void sim_prediction_free(struct replicate_sim *sim, struct prediction *prediction);
struct prediction *sim_prediction_find(struct replicate_sim *sim, const char *id, size_t length); /* or NULL */
void sim_prediction_step(struct replicate_sim *sim, struct prediction *prediction);               /* one phase on */
void sim_prediction_cancel(struct replicate_sim *sim, struct prediction *prediction);
json_t *sim_prediction_output(const struct plan *plan, const json_t *input); /* what the plan makes of an input */
bool sim_prediction_is_whole(const struct prediction *prediction, const char *end_status); /* its output is shown */
json_t *sim_prediction_error(const struct plan *plan);                                     /* of a failure */
json_t *sim_prediction_object(struct replicate_sim *sim, const struct prediction *prediction, enum view view);

/* --- Connections (replicate_sim_http.c) ------------------------------------------------------------------------- */

struct answer {
    int status;
    const char *content_type; /* NULL = by the status */
    struct buf headers;       /* further lines, each with its \r\n */
    struct buf body;
};

struct fault;

struct connection {
    int fd;
    uint64_t number;
    struct buf in, out;
    size_t taken, sent;          /* of `in`: parsed; of `out`: written */
    size_t walked;               /* of the chunks of a body that is still coming */
    struct sim_request *request; /* the one being served; NULL between requests */
    const struct fault *fault;   /* what befalls it */
    char *held_headers;          /* of the answer that Prefer: wait holds back */
    struct prediction *waits_for;
    struct sim_timer timer;    /* the end of a wait, or of a delay */
    struct sim_stream *stream; /* NULL while the answer is none */
    bool other_origin;         /* it came to the port of streams */
    bool serving, closed, continued, bytewise;
    bool close_after, reset_after; /* when `out` is written */
    bool request_kept;             /* for inspection: not ours to free */
    bool writes;                   /* EPOLLOUT is asked for */
    struct list_link link;
};

void sim_connections_accept(struct replicate_sim *sim, int listen_fd);
void sim_connection_event(struct replicate_sim *sim, struct connection *connection, uint32_t events);
void sim_connection_close(struct replicate_sim *sim, struct connection *connection, bool reset);
void sim_connection_parse(struct replicate_sim *sim, struct connection *connection); /* serves what has been read */
void sim_connection_write(struct replicate_sim *sim, struct connection *connection); /* `out` has been filled */
void sim_connections_bury(struct replicate_sim *sim); /* frees those that were closed in this turn */
void sim_request_free(struct sim_request *request);

/* --- The API (replicate_sim_api.c, _create.c) ------------------------------------------------------------------- */

enum route_kind {
    ROUTE_NONE,
    ROUTE_CREATE,
    ROUTE_CREATE_MODEL,
    ROUTE_CREATE_DEPLOYMENT,
    ROUTE_LIST,
    ROUTE_GET,
    ROUTE_CANCEL,
    ROUTE_MODEL,
    ROUTE_VERSIONS,
    ROUTE_VERSION,
    ROUTE_DEPLOYMENT,
    ROUTE_ACCOUNT,
    ROUTE_HARDWARE,
    ROUTE_STREAM,
    ROUTE_FILE_UPLOAD,
    ROUTE_FILE_LIST,
    ROUTE_FILE_GET,
    ROUTE_FILE_DELETE,
    ROUTE_FILE_DOWNLOAD,
    ROUTE_WRONG_METHOD,
};

/* What a request is about, read from its path. */
struct route {
    enum sim_endpoint endpoint;
    enum route_kind kind;
    char model[SIM_NAME_BYTES]; /* owner/name of the path */
    char id[SIM_NAME_BYTES];    /* prediction, version, file or token of a stream */
};

void sim_answer_init(struct answer *answer);
void sim_answer_dispose(struct answer *answer);
void sim_answer_json(struct answer *answer, int status, json_t *body); /* takes the reference */
void sim_answer_problem(struct answer *answer, int status, const char *title,
                        const char *detail); /* title may be NULL */
void sim_answer_invalid(struct answer *answer, const json_t *problems);

void sim_route_find(const char *method, const char *path, struct route *route);

/* The model that a request is about; "" when it is about none (or one that is not known). */
void sim_route_model(struct replicate_sim *sim, const struct route *route, const struct sim_request *request,
                     char model[SIM_NAME_BYTES]);

/* Serves a request that has been read; the answer comes now or later through fault_answer. */
void sim_api_serve(struct replicate_sim *sim, struct connection *connection);

/* False when the answer will come later: the connection waits for its prediction. */
bool sim_api_create(struct replicate_sim *sim, struct connection *connection, const struct route *route,
                    struct answer *answer);
/* The end of such a wait: the prediction's, or that of the time. */
void sim_api_create_waited(struct replicate_sim *sim, struct prediction *prediction);

/* --- Streams (replicate_sim_stream.c, _stream_fault.c, _sse.c) --------------------------------------------------- */

enum { SIM_TOKEN_BYTES = 2 * SIM_ID_BYTES - 1, SIM_STREAM_TIMEOUT_S = 30 };

struct sim_stream {
    struct prediction *prediction;
    struct connection *connection;
    const struct sim_stream_plan *plan;
    size_t cursor, pieces;       /* events told of; pieces sent on this connection */
    enum sim_stream_fault fault; /* what is still to befall it */
    bool cuts;                   /* the next event is cut */
    bool ended, quiet;           /* quiet: neither events nor the timeout come */
    struct buf text;             /* of the event being written */
    struct sim_timer timer;
    struct list_link link;
};

/* The end of urls.stream, and the prediction that it leads to (or NULL). */
void sim_stream_token(const struct prediction *prediction, char token[SIM_TOKEN_BYTES]);
struct prediction *sim_stream_find(struct replicate_sim *sim, const char *token);

/* Begins a stream, and returns false; or true with another answer. */
bool sim_stream_serve(struct replicate_sim *sim, struct connection *connection, const struct route *route,
                      struct answer *answer);
void sim_stream_pump(struct replicate_sim *sim, struct sim_stream *stream); /* tells it of what is new */
void sim_stream_detach(struct replicate_sim *sim, struct connection *connection);
void sim_stream_put(struct replicate_sim *sim, struct sim_stream *stream); /* `text` as a chunk */
void sim_stream_end(struct replicate_sim *sim, struct sim_stream *stream); /* the answer, in good order */

/* The fault of a new connection; what befalls an open one by now; every second of one that is quiet. */
enum sim_stream_fault sim_stream_fault_pick(const struct prediction *prediction);
void sim_stream_fault_strike(struct replicate_sim *sim, struct sim_stream *stream);
void sim_stream_fault_cut(struct replicate_sim *sim, struct sim_stream *stream);

/* Appends an event: `id` NULL = without one; `data` NULL = without any. */
void sim_sse_event(struct buf *out, const struct sim_stream_plan *style, const char *name, const char *id,
                   const struct buf *data);
void sim_sse_comment(struct buf *out, const struct sim_stream_plan *style, const char *text);

/* --- Files (replicate_sim_files.c, _form.c) --------------------------------------------------------------------- */

/* Kept until the stop, deleted or not. */
struct sim_file {
    char id[64], name[256], media_type[128];
    char *bytes;
    size_t length;
    json_t *metadata;
    int64_t uploaded_ms, deleted_ms; /* -1 = not yet */
};

/* A part of a form; points into its body. */
struct sim_part {
    char name[64], file_name[600], media_type[128]; /* "" where there is none */
    const char *bytes;
    size_t length;
};

struct sim_form {
    const char *at, *end;                       /* what is not read yet */
    char delimiter[SIM_BOUNDARY_MAX_BYTES + 8]; /* with the line end before it */
    size_t delimiter_length;
    const char *problem; /* what is wrong with the form; NULL = nothing */
};

/* False, and a problem, where it is no form. */
bool sim_form_open(const struct sim_request *request, struct sim_form *form);
/* The next part. False at the form's end, and where there is a problem. */
bool sim_form_next(struct sim_form *form, struct sim_part *part);

void sim_files_serve(struct replicate_sim *sim, const struct sim_request *request, const struct route *route,
                     struct answer *answer);
struct sim_file *sim_file_find(struct replicate_sim *sim, const char *id); /* NULL when unknown or deleted */
void sim_files_free(struct replicate_sim *sim);

/* --- Faults (replicate_sim_fault.c) ----------------------------------------------------------------------------- */

struct fault {
    struct sim_fault_spec spec; /* its strings are ours */
    enum sim_endpoint endpoint;
    int spared, left; /* left: SIM_FOREVER or how many more */
    struct list_link link;
};

/* The fault that takes this request, or NULL. */
const struct fault *sim_fault_pick(struct replicate_sim *sim, enum sim_endpoint endpoint, const char *model);
bool sim_fault_does_nothing(const struct fault *fault); /* the request is not to be carried out */
/* Answers a request that is not carried out. */
void sim_fault_refuse(struct answer *answer, const struct fault *fault);
/* Sends the answer, as the connection's fault will have it. */
void sim_fault_answer(struct replicate_sim *sim, struct connection *connection, struct answer *answer);
/* More of a body without end. */
void sim_fault_refill(struct connection *connection);
const char *sim_fault_reason(int status); /* the reason phrase of a status */
void sim_fault_free(struct fault *fault);

/* --- The whole (replicate_sim.c) -------------------------------------------------------------------------------- */

struct replicate_sim {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool has_changed, stopping;
    struct replicate_sim_options options;
    char *token, base_url[64];
    int port, stream_port, listen_fd, stream_listen_fd, epoll_fd, wake_fd; /* stream_listen_fd: -1 = none */
    int64_t start_ms, start_wall_us;
    struct sim_timers timers;
    struct sim_timer listen_timer; /* the end of a refusal */
    struct list plans, retired_plans, faults, retired_faults, connections, closed_connections;
    struct plan *any_model;
    struct prediction **predictions;
    size_t prediction_capacity;
    struct sim_file **files; /* counters.files_uploaded of them */
    struct sim_request **requests;
    size_t request_count, request_capacity, request_limit;
    struct sim_bucket creates, calls;
    uint64_t connection_numbers;
    struct sim_counters counters;
    json_t *lost_names; /* some of counters.lost_inputs */
    int expected[SIM_EXPECTATION_COUNT];
};

void sim_lock(struct replicate_sim *sim);
void sim_unlock(struct replicate_sim *sim);                                    /* tells the loop and whoever waits */
bool sim_keep_request(struct replicate_sim *sim, struct sim_request *request); /* takes it, if true */
void sim_refuse_connections(struct replicate_sim *sim, int64_t for_ms);
void sim_listen(struct replicate_sim *sim);
int64_t sim_second_ms(const struct replicate_sim *sim);
bool sim_report(struct replicate_sim *sim, char *report, size_t size); /* false when anything is unclaimed */

#endif
