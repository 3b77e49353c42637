/* Which prediction runs for which request, so that a client's retry finds it instead of paying for a second one.
 *
 * The first try of a request that may be repeated enters a join here; a retry finds it, and follows the very same
 * predictions upstream by their ids, on whatever worker it came in. Only ids, errors and counts are kept, never an
 * answer: Replicate has it.
 *
 * The create of the first try told Replicate that try's deadline (Cancel-After), which nobody can move later. So a
 * retry, whose own time ends later, may see the prediction cancelled by that: it is told of a timeout.
 *
 * struct join: one request, with as many places as it has choices; counted. Its *interest* is the number of exchanges
 * that want its answer: while there is any, nobody cancels its predictions. Those of them that have predictions of
 * their own, made or followed, are its *followers*: while there is none, nobody lets go of its predictions either, for
 * whoever still waits for an id could not cancel what it has none of. Any thread, one mutex inside; bounded: where
 * there is no room, a request is not entered, and a retry of it is a new one.
 *
 * A request may go on elsewhere when its predictions fail, and its retries go with it. Whoever has predictions and
 * could go on *holds* the join: as long as one does, a failure is told to nobody, and those who wait go on waiting. The
 * first to go on makes the join's successor, which takes over its place in the table and all its interest; whoever
 * comes to it later, by a failure of its own or by waiting, is led to the successor and follows what runs there. The
 * predictions of the old one have lost all interest, so whoever has some left cancels them. */
#ifndef REPLICATE_JOINS_H
#define REPLICATE_JOINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"

enum { JOIN_ENDED_MS = 60 * 1000, JOIN_CHOICES_MAX = 128, JOIN_ID_BYTES = 64, JOINS_MAX = 65536 };

struct joins;
struct join;

struct joins *joins_new(void);
void joins_free(struct joins *joins); /* no join may be held any more */

/* What makes two requests the same; joins_hash_init gives the hash to make it with. */
struct join_identity {
    unsigned char body[HASH_BYTES]; /* of credential, alias and body */
    unsigned char key[HASH_BYTES];  /* of credential and Idempotency-Key */
    bool has_key;
    bool is_retry; /* the client says that it tried before */
};

struct join_request {
    struct join_identity identity;
    size_t choices; /* 1..JOIN_CHOICES_MAX: its predictions */
    int64_t now_ms, deadline_ms;
    const char *alias; /* where it runs: a deployment of this alias. Copied */
    int deployment;
};
void joins_hash_init(const struct joins *joins, struct hash *hash);

enum join_result {
    JOIN_FIRST,    /* nothing to join: run it. *join is the new one; NULL where there was no room for it */
    JOIN_SECOND,   /* *join is that of an earlier try */
    JOIN_CONFLICT, /* the Idempotency-Key was used with another body; *join is NULL */
};

/* A join is found by an equal key; or, for a retry, by an equal body, those first whose client has left. *join comes
 * with a reference and an interest, for join_leave. */
enum join_result joins_enter(struct joins *joins, const struct join_request *request, struct join **join);

/* Goes on elsewhere: *join, which is left, becomes its successor, with the caller's interest. JOIN_FIRST: it is new,
 * and the caller's to run; JOIN_SECOND: another one went on before. A NULL stays NULL and is the first. The key and the
 * body are those of the old one. */
enum join_result joins_go_on(struct join **join, const struct join_request *request);
bool join_has_gone_on(struct join *join);

/* Where its predictions run, and how many there are; valid while the join is. */
const char *join_alias(const struct join *join);
int join_deployment(const struct join *join);
size_t join_choices(const struct join *join);

/* One's own interest and reference are given back; *join becomes NULL. NULL is fine. */
void join_leave(struct join **join);

struct join *join_ref(struct join *join);
void join_unref(struct join *join); /* NULL is fine */

/* All below: NULL is fine, as a request that was never entered. */

void join_created(struct join *join, size_t index, const char *id);

/* It has ended: in success (error NULL) or not. Can be joined for JOIN_ENDED_MS from now on; not at all where the error
 * is one after which a client may retry: then it was not to be joined. Only the first end counts; but among several
 * choices a failure counts after a success, too. */
void join_ended(struct join *join, const struct error *error, int64_t now_ms);

/* Nothing of it will ever run, and no error is to be told: whoever joined it has to begin anew. */
void join_gone(struct join *join);

/* The caller, who has an interest, has predictions of its own; and, before it leaves, has none any more. */
void join_follow(struct join *join);
void join_unfollow(struct join *join);

/* The caller has predictions of its own, and could go on elsewhere; it can no longer, or leaves. `is_decided`: a
 * failure of it is final; else it is as if there had been none, and when nobody else holds it, whoever waits begins
 * anew. */
void join_hold(struct join *join);
void join_release(struct join *join, bool is_decided);

/* When the time of the first try is over. */
int64_t join_deadline_ms(const struct join *join);

/* May whoever has a prediction of it forget that, without a cancel: does another follow it, or has it succeeded? */
bool join_may_let_go(struct join *join);

/* May its predictions be cancelled: is there no interest beyond `own` (0 or 1) of the caller's? When yes, nobody can
 * join it any more, unless to be told the error that it has ended with. */
bool join_may_cancel(struct join *join, size_t own);

/* Of several that have the same prediction and want it no longer, one cancels it: true for the first that asks. */
bool join_claim_cancel(struct join *join, size_t index, const char *id);

enum join_state {
    JOIN_WAITING, /* not all of its predictions are created yet, or it has failed and may go on elsewhere */
    JOIN_RUNNING, /* all are: follow them by their ids */
    JOIN_FAILED,  /* it ended with this error */
    JOIN_GONE,    /* enter anew */
    JOIN_GONE_ON, /* elsewhere: joins_go_on leads there */
};

/* How far a join is; fills `ids` (one per choice) or `error`. */
enum join_state join_look(struct join *join, char (*ids)[JOIN_ID_BYTES], struct error *error);

#endif
