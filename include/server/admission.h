/* Who may come in: requests in flight over all, requests per minute and in parallel of the daemon, of aliases and keys.
 *
 * Each thing that has limits is a gate, and a request passes all of its gates at once or none. Who finds a gate closed
 * is refused, or waits in line for a while (struct admission_wait); who waits holds no place anywhere.
 *
 * The order. Each gate has its line, in the order of arrival over all workers; nobody passes at a closed gate. A
 * request that needs several gates stands in the line of one that is closed, and lets others pass at its other gates:
 * so nobody waits for a gate that is none of theirs. When its gate opens and another of its gates is closed, it has
 * lost its turn and goes to that one's line, to the place of its arrival. Who has lost its turn often enough
 * (ADMISSION_TURNS_TO_LOSE) keeps it from then on: nobody who came later passes at any of its gates until it is in or
 * gone. So nobody waits for ever while others pass, for the oldest of those who keep their turn waits only for requests
 * that run.
 *
 * Shared by all workers. Counts are kept by name, so they outlive a reload. What has no limit takes no lock. Who leaves
 * on one worker lets in who waits on another: it is told through its worker's room, by a wake of its loop. */
#ifndef SERVER_ADMISSION_H
#define SERVER_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/list.h"
#include "config/config.h"
#include "replicate/loop.h"

enum { ADMISSION_GATES_MAX = 3, ADMISSION_TURNS_TO_LOSE = 3 };

struct admission;
struct admission_scope;

/* What a request that was let in has to give back. */
struct admission_ticket {
    bool is_counted;
    bool is_alias_full; /* it was refused by the alias's own limits, so another alias may take it */
    struct admission_scope *scopes[ADMISSION_GATES_MAX]; /* those that have limits, of the daemon, the alias, the key;
                                                            then NULL */
};

struct admission *admission_new(void);
void admission_free(struct admission *admission); /* nobody waits any more */

/* False with ERROR_OVERLOADED or ERROR_RATE_LIMITED, both with retry_after_ms. `key` may be NULL. Any thread. */
bool admission_enter(struct admission *admission, const struct config *config, const struct route *route,
                     const struct key *key, struct admission_ticket *ticket, struct error *err);

/* A request that is in goes on under another alias: it leaves the limits of its alias and passes those of `route`. It
 * does not wait: false with ERROR_RATE_LIMITED, and nothing changed, where those have no room for it. Any thread. */
bool admission_move(struct admission *admission, const struct route *route, struct admission_ticket *ticket,
                    struct error *err);

/* Harmless when the ticket was given back already, or never filled. Any thread. */
void admission_leave(struct admission *admission, struct admission_ticket *ticket);

/* Who waits is judged by the newest configuration; a reference is taken. Any thread. */
void admission_reload(struct admission *admission, struct config *config);

/* Nobody who waits is let in any more; their time in line ends with ERROR_SHUTTING_DOWN. Any thread. */
void admission_close(struct admission *admission);

/* ---- waiting ---- */

/* The requests of one worker that wait. All of the following: the worker's own thread. */
struct admission_room;

struct admission_room *admission_room_new(struct admission *admission, struct loop *loop);
void admission_room_free(struct admission_room *room); /* nobody waits in it any more; NULL is fine */

/* Once a turn: tells those whose turn has come. Cheap when there is no news. */
void admission_room_turn(struct admission_room *room);

/* One gate of a request. */
struct admission_gate {
    struct admission_scope *scope;
    struct limits limits;
};

/* One that waits; embedded in its owner, who sets on_turn and arg; the rest is admission's own. */
struct admission_wait {
    /* `error` is NULL where it was let in, else why it was not (ERROR_RATE_LIMITED, ERROR_SHUTTING_DOWN). */
    void (*on_turn)(void *arg, const struct error *error);
    void *arg;
    struct admission_room *room; /* NULL while idle */
    struct admission_ticket *ticket;
    int64_t until_ms;
    struct loop_timer timer;
    struct list_link link;   /* in the line of its gate; once let in, in its room's list of those */
    struct list_link keeper; /* while it keeps its turn */
    struct admission_gate gates[ADMISSION_GATES_MAX];
    size_t gate_count, at; /* `at`: the gate in whose line it is */
    uint64_t number;       /* the order of arrival */
    int lost_turns;
    bool is_in;
};

enum admission_answer { ADMISSION_REFUSED, ADMISSION_ENTERED, ADMISSION_WAITS };

/* Who wants to come in, and how long it would wait, in clock_now_ms(). Borrowed for the call. */
struct admission_entrant {
    const struct config *config;
    const struct route *route;
    const struct key *key; /* may be NULL */
    int64_t until_ms;
};

/* As admission_enter, but who would be refused with ERROR_RATE_LIMITED waits until `until_ms` if that is still to come:
 * then on_turn comes exactly once, never from inside, unless it is forgotten before. `wait` is idle. `ticket` stays
 * where it is meanwhile; a waiting request counts as in flight. */
enum admission_answer admission_line_up(struct admission_room *room, const struct admission_entrant *who,
                                        struct admission_ticket *ticket, struct admission_wait *wait,
                                        struct error *err);

static inline bool admission_is_waiting(const struct admission_wait *wait)
{
    return wait->room != NULL;
}

/* Leaves the line, and gives up the places where it was just let in; no callback after this. The ticket is still to be
 * given back. Harmless when idle. */
void admission_forget(struct admission_wait *wait);

#endif
