/* What the files of the admission share: admission.c (gates and their counts), admission_line.c (who is next) and
 * admission_room.c (those who wait, as their worker sees them). But for the first two functions, all with the mutex
 * held. */
#ifndef SERVER_ADMISSION_INT_H
#define SERVER_ADMISSION_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/admission.h"

/* The counts of one limited thing. It stays for the life of the process: there are as many as the
 * configurations that were ever loaded have limited names. */
struct admission_scope {
    struct list_link link;
    char *name; /* "model kimi-k2", "key alice", "all" */
    int64_t in_flight;
    double allowance; /* requests that may come in now, refilled by the minute */
    int64_t filled_ms;
    struct list line;       /* of struct admission_wait, in the order of their arrival */
    size_t keepers;         /* those whose gate this is and who keep their turn */
    struct list_link dirty; /* its line is to be looked at */
};

struct admission {
    atomic_int_least64_t in_flight;
    pthread_mutex_t mutex; /* guards all below, and every struct admission_wait that is not idle */
    struct list scopes;
    struct list keepers; /* who keep their turn, in the order of their arrival */
    struct list dirty;   /* scopes */
    uint64_t arrivals;
    struct config *newest; /* NULL = there was no reload */
    bool is_closed;
};

struct admission_room {
    struct admission *admission;
    struct loop *loop;
    struct loop_timer refill; /* set while somebody waits for a place of the minute */
    size_t count;
    atomic_bool has_news;
    struct list let_in; /* not told yet; behind the mutex */
};

void admission_lock(struct admission *admission);
void admission_unlock(struct admission *admission);

/* ---- admission.c ---- */

/* Has the gate a place? Where it has none, `err` (may be NULL) says so, with the time to the next one. */
bool admission_gate_has_room(const struct admission_gate *gate, struct error *err);
/* Takes a place at each gate, or gives it back unused. */
void admission_take(const struct admission_gate *gates, size_t count, struct admission_ticket *ticket);
void admission_untake(const struct admission_gate *gates, size_t count, struct admission_ticket *ticket);
/* Is it that of an alias? Needs no mutex. */
bool admission_is_of_alias(const struct admission_scope *scope);
/* The gates by the newest configuration. */
void admission_update_limits(const struct admission *admission, struct admission_gate *gates, size_t count);

/* ---- admission_line.c ---- */

/* The first gate that does not let the one with this number pass, or `count`. */
size_t admission_first_closed(struct admission *admission, const struct admission_gate *gates, size_t count,
                              uint64_t number, struct error *err);
/* The line of the scope is to be looked at by the next admission_settle. */
void admission_touch(struct admission *admission, struct admission_scope *scope);
/* Lets in everybody whose turn has come. */
void admission_settle(struct admission *admission);
/* Joins the line of its gate `at`, and leaves whatever it is in. */
void admission_join_line(struct admission_wait *wait, size_t at);
void admission_leave_line(struct admission *admission, struct admission_wait *wait);
/* There is news for those of this room. */
void admission_announce(struct admission_room *room);
/* Lets in one whose turn it is by now, or says why it is not. */
bool admission_try(struct admission *admission, struct admission_wait *wait, struct error *err);
/* When a place of the minute comes back for which somebody waits, in clock_now_ms(); INT64_MAX = never. */
int64_t admission_next_refill_ms(const struct admission *admission);

/* ---- admission_room.c ---- */

/* Puts one whose gates, ticket and end are set into the line of its gate `at`. */
void admission_begin_waiting(struct admission_room *room, struct admission_wait *wait, size_t at);

#endif
