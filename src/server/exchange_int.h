/* What the files of the exchange share: exchange.c (a request's life), exchange_access.c (who asks), exchange_prepare.c
 * (from its body to the model's input), exchange_routes.c (where it runs, and where it goes on), exchange_run.c (its
 * predictions), exchange_join.c (a client that tries again), exchange_stream.c (a streamed answer), exchange_log.c (its
 * line in the log), exchange_metrics.c (what is counted of it) and exchange_admin.c (the daemon's own endpoints). */
#ifndef SERVER_EXCHANGE_INT_H
#define SERVER_EXCHANGE_INT_H

#include "openai/call.h"
#include "openai/endpoint.h"
#include "replicate/joins.h"
#include "replicate/prediction.h"
#include "replicate/schemas.h"
#include "replicate/uploads.h"
#include "server/exchange.h"
#include "server/worker.h"

enum { UNIQUE_BYTES = 33, OWN_ID_BYTES = sizeof "req_" - 1 + UNIQUE_BYTES };

/* Where the time went, in clock_now_ms(); 0 = it did not come to that. Of several predictions the first that got so far
 * counts, and for the end the last. */
struct timeline {
    int64_t received_ms;    /* the head of the request was in */
    int64_t admitted_ms;    /* its body was in, and it was let in */
    int64_t started_ms;     /* the input was mapped, files were uploaded: the predictions were started */
    int64_t created_ms;     /* Replicate had created a prediction */
    int64_t booted_ms;      /* the model was at work */
    int64_t first_piece_ms; /* of a stream: the first of the output */
    int64_t finished_ms;    /* a prediction had ended */
};

/* Where a request runs, and may go on. Aliases are borrowed from the configuration, or are the client's own. */
struct exchange_routes {
    const struct route *asked; /* the first deployment of what the client asked for; its fallbacks count */
    const struct route *timed; /* the one that was tried first, or waited for: its time is the request's */
    const char *served;        /* the alias that was asked for … */
    const char *alias;         /* … and the one that it runs under now: equal, or a fallback's */
    const char *entered;       /* in whose limits it is counted: a retry follows its first try without a place there */
    char *asked_name;          /* the client's name for it, while call.alias names a fallback; else NULL */
    struct route_try *tries;
    size_t try_count;
    int choices;            /* that were asked for */
    int attempts;           /* that were let in */
    size_t failures;        /* with those that were not */
    struct error *error;    /* to be told when all fail; NULL = none has failed yet … */
    bool is_error_of_asked; /* … is it of the alias that was asked for? */
    bool is_asked_full;     /* limits keep it from the alias that was asked for, for now */
    bool has_more;          /* there is something that it has not tried … */
    bool has_forgotten;     /* … else its messages are not kept */
    bool is_adopted;        /* it is mapped as its earlier try was */
    struct deployment *in_use;
    json_t *originals; /* of what was uploaded; NULL = not kept */
};

/* What a request may have to wait with before it is run, which is much, and not kept while it waits for its model. */
struct exchange_waits {
    struct admission_wait admission; /* also while a stream that waits in line has begun with comments */
    struct schema_wait schema;
    struct loop_timer schema_due; /* nobody spends all their time on a schema */
};

struct exchange {
    struct list_link link; /* in its worker's list of its state */
    enum exchange_state state;
    bool client_is_gone;
    struct worker *worker;
    struct http_request *request; /* NULL once closed */
    struct config *config;        /* a reference, from the first byte to the last */
    const struct endpoint *endpoint;
    const struct key *key;     /* the client's; NULL where none is asked for */
    const struct route *route; /* known once the body is decoded; the one that runs it */
    struct exchange_routes routes;
    char *client_token; /* Replicate's, where the route has none of its own; NULL = not asked for */
    struct call call;
    size_t request_bytes;  /* of the body */
    int64_t decoded_bytes; /* what the body and its values are counted as, before there are copies of it */
    int64_t held_bytes;    /* of the memory for all bodies */
    struct admission_ticket ticket;
    struct exchange_waits *waits; /* NULL until then, and once it runs */
    struct loop_timer read_timer;
    struct loop_timer keepalive; /* of a stream */

    /* while it is prepared */
    struct target target;        /* what the route leads to */
    struct model_schema *schema; /* a reference; NULL where none is known */
    json_t *input;               /* waits for its files */
    struct uploads *uploads;     /* NULL where there are none, or they are the jobs' by now */

    /* those who share its predictions */
    struct join_identity join_identity;
    bool is_second;    /* it follows the predictions of an earlier try */
    bool holds_join;   /* its failure is not told before it is decided whether it goes on */
    struct join *join; /* with an interest of its own; NULL = none */
    struct loop_timer join_timer;

    /* one per choice, in one piece of memory: a prediction while it runs, its outcome once it has ended */
    struct prediction **predictions;
    struct outcome **outcomes;
    size_t choices, pending;
    char **ids;                /* of the predictions that were let go of; NULL for the others */
    struct buf prediction_ids; /* joined by ", ", in the order of the choices */
    const char *version;       /* the one that ran, for the log; of an outcome; NULL = none */
    int polls;
    bool has_begun_answer; /* of a stream: the endpoint's first frames are out */

    struct error *error; /* what it was answered with; owned; NULL = an answer */
    struct timeline timeline;
    char *request_id;          /* the client's, which is owned; or own_id */
    char own_id[OWN_ID_BYTES]; /* "req_", and what no other request has */
    char *model_id;            /* from the path; NULL = it has none */
};

/* exchange.c */
static inline bool exchange_is_running(const struct exchange *exchange)
{
    return exchange->state >= EXCHANGE_QUEUED && exchange->state <= EXCHANGE_STREAMING;
}

/* Adds what stands on every answer, whatever it is. */
void exchange_add_headers(struct exchange *exchange, const char *content_type);
void exchange_set_state(struct exchange *exchange, enum exchange_state state);
/* Of what it was answered with; ERROR_NONE = an answer, or nothing yet. */
static inline enum error_kind exchange_error_kind(const struct exchange *exchange)
{
    return exchange->error == NULL ? ERROR_NONE : exchange->error->kind;
}

/* Letters and digits that nobody can guess or repeat. */
static inline const char *exchange_unique(const struct exchange *exchange)
{
    return exchange->own_id + OWN_ID_BYTES - UNIQUE_BYTES;
}

void exchange_answer(struct exchange *exchange, int status, const char *content_type, struct buf *body);
/* Holds so much of the memory for bodies, all in all; less than before changes nothing. False and err where there is no
 * room. It is given back with the answer. */
bool exchange_hold_memory(struct exchange *exchange, int64_t bytes, struct error *err);

/* exchange_access.c */
bool exchange_check_address(const struct exchange *exchange, struct error *err);
bool exchange_check_key(struct exchange *exchange, struct error *err);
/* Takes the client's Replicate token where the route has none of its own, while the request's headers are there. */
bool exchange_take_token(struct exchange *exchange, struct error *err);
/* The token that the route's predictions run with. */
const char *exchange_token(const struct exchange *exchange);
/* Whatever the client presented, none included: nobody joins what another has asked for. */
void exchange_hash_client(const struct exchange *exchange, struct hash *hash);
/* A token that Replicate refuses is the client's fault where the client brought it, not the operator's. */
void exchange_blame_client_token(const struct exchange *exchange, struct error *error);

/* exchange_log.c */
/* A prediction has come so far: moments in clock_now_ms(), -1 = not yet. */
void exchange_note_times(struct exchange *exchange, const struct prediction_times *times);
/* What the client asks, in a line of its own; only where the configuration wants that. */
void exchange_log_prompt(const struct exchange *exchange);
/* The one line that each request gets. */
void exchange_log(const struct exchange *exchange, bool sent);

/* exchange_metrics.c */
/* A prediction has come to its end; and so has the request. */
void exchange_count_outcome(const struct exchange *exchange, const struct outcome *outcome);
void exchange_count(const struct exchange *exchange);
/* Why its predictions are let go of now. */
enum metric_reason exchange_cancel_reason(const struct exchange *exchange);

/* exchange_admin.c */
/* Health and its like: true when the path was one of those, which is answered. */
bool exchange_answer_admin(struct exchange *exchange);
/* The status page is told how a route fared: an error that is the client's own is left out. */
void exchange_note_route(const struct exchange *exchange, const struct route *route, enum error_kind kind);
/* The same of the whole request, at its end. */
void exchange_note_end(const struct exchange *exchange);

/* exchange_prepare.c */
/* Decodes the body, and starts the predictions as soon as their input is ready; or fails the exchange. */
void exchange_start(struct exchange *exchange);
/* Enters under the alias that was asked for, or waits in line there: for the configured time, and no longer than the
 * request has. Its turn comes later then, never from inside. */
enum admission_answer exchange_line_up(struct exchange *exchange, struct error *err);
bool exchange_is_in_line(const struct exchange *exchange);
/* It waits for nothing of the kind any more; harmless when it does not. */
void exchange_forget_waits(struct exchange *exchange);
/* Gives up what is being prepared; harmless when nothing is. */
void exchange_prepare_stop(struct exchange *exchange);
/* Replicate refused an input of the model: what we know of it may be out of date. */
void exchange_refresh_schema(struct exchange *exchange);
/* What is known of the model that `route` leads to for `alias`, as struct local wants it; `arg` is a worker. */
struct model_schema *exchange_schema_of(void *arg, const struct route *route, const char *alias);
void exchange_prepare_dispose(struct exchange *exchange);

/* Asks what the model of its route takes, and maps the call to that; goes on from there. */
void exchange_map(struct exchange *exchange);

/* The input is mapped: finds an earlier try, or uploads what must be and runs it. */
void exchange_go_on(struct exchange *exchange);

/* exchange_routes.c */
/* Settles on a deployment of the alias `served`, or where all of them cool down or are full, on a fallback's, and lets
 * the request in there. Where all of them are full, or a limit of the key or the daemon is reached, it waits in line at
 * the alias `served`. exchange->route is the alias's first. */
enum admission_answer exchange_enter(struct exchange *exchange, const char *served, struct error *err);
/* It was let in under the alias it asked for: settles on one of its deployments, or where all of them cool down, on a
 * fallback's. */
bool exchange_settle(struct exchange *exchange, struct error *err);
/* Is there anything that it has not tried and may still go on to? */
bool exchange_has_more(const struct exchange *exchange);
/* Forgets the messages, unless they may have to be mapped again; and forgets them whatever may come. */
void exchange_keep_messages(struct exchange *exchange);
void exchange_forget_messages(struct exchange *exchange);
/* What an upload is going to replace in the messages is kept as long as they are. */
void exchange_keep_originals(struct exchange *exchange);
/* The deployment is being used; no longer, and the exchange's end tells how it did. */
void exchange_begin_use(struct exchange *exchange);
void exchange_end_use(struct exchange *exchange);
/* Maps it again by the route of the earlier try that it has joined; false where it has that already. */
bool exchange_adopt(struct exchange *exchange);
/* The way of every failure of a try: it goes on elsewhere, or the client is told. */
void exchange_try_failed(struct exchange *exchange, const struct error *error);
/* The same for a call that cannot be mapped to what it was to go on to; at the first try that is the client's error. */
void exchange_unfit(struct exchange *exchange, const struct error *error);
void exchange_routes_dispose(struct exchange *exchange);

/* exchange_join.c */
void exchange_join_init(struct exchange *exchange);
/* Did the client say that it may try again? */
bool exchange_may_retry(const struct exchange *exchange);
/* Takes a hash of the body, before it is freed. */
void exchange_join_prepare(struct exchange *exchange);
/* Finds an earlier try (is_second), or enters this one for later ones; after a failure: goes on, or finds one that did.
 * False and err where its key belongs to another. */
bool exchange_join(struct exchange *exchange, struct error *err);
/* Follows the earlier try, as soon as its predictions are created. */
void exchange_join_follow(struct exchange *exchange);
/* The grace for a prediction that is let go of: another one may want it. */
int64_t exchange_join_grace_ms(struct exchange *exchange, int64_t grace_ms);
/* Wants it no longer. */
void exchange_join_leave(struct exchange *exchange);

/* exchange_run.c */
/* The same as exchange_run, for predictions that there are. */
void exchange_follow(struct exchange *exchange, char (*ids)[JOIN_ID_BYTES]);
/* Starts one prediction per choice, all of the same input. */
void exchange_run(struct exchange *exchange, json_t *input);
/* How long the client waits at most, a sentence that says which key to raise (the caller frees), and when the time is
 * over, in clock_now_ms(). */
int64_t exchange_timeout_ms(const struct exchange *exchange);
char *exchange_timeout_hint(const struct exchange *exchange);
int64_t exchange_deadline_ms(const struct exchange *exchange);
/* A try has failed, and another one is to begin: lets go of all that it has made. */
void exchange_let_go(struct exchange *exchange);
/* Lets go of the prediction of a choice, but for its id; and of all that still run. */
void exchange_leave(struct exchange *exchange, size_t index, enum metric_reason reason, int64_t grace_ms);
void exchange_abandon(struct exchange *exchange, int64_t grace_ms);
/* Writes down the ids of the predictions there are, in the order of their choices, and how far they came. */
void exchange_collect_ids(struct exchange *exchange);
/* Frees what exchange_start made. */
void exchange_run_dispose(struct exchange *exchange);

/* exchange_stream.c: how a streamed answer is written */
void exchange_stream_init(struct exchange *exchange);
/* The request was let in: from now on the client is kept company. */
void exchange_stream_start(struct exchange *exchange);
void exchange_stream_piece(struct exchange *exchange, size_t index, const char *bytes, size_t length);
/* A choice has come to its end well. */
void exchange_stream_choice_end(struct exchange *exchange, size_t index);
/* An error as the last frame of a stream that has begun. */
void exchange_stream_fail(struct exchange *exchange, const struct error *error);

#endif
