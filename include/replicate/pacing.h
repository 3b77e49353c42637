/* How often Replicate may be asked: for each API token one budget for creates and one for all other calls, shared by
 * all workers.
 *
 * Replicate counts by token, and counts what it refuses as well; so whoever meets a limit makes all who use the same
 * token keep it. The budgets learn from what answers say: how many calls remain until when, and, of a refusal, how long
 * to wait and how many a minute there may be.
 *
 * struct pacing, struct budget: any thread, one mutex inside. The functions at the end are pure. */
#ifndef REPLICATE_PACING_H
#define REPLICATE_PACING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct pacing; /* the budgets of all tokens */
struct budget; /* those of one token; counted. Only a hash of the token is kept */

/* Replicate allows 3000 calls a minute besides creates, and 600 creates; short bursts above are allowed. */
struct pacing_rates {
    int64_t polls_per_minute, creates_per_minute;
};

enum { PACING_IDLE_MAX = 256 }; /* tokens that nobody uses for now and of which something is remembered */

enum budget_kind { BUDGET_CALLS, BUDGET_CREATES, BUDGET_KIND_COUNT };

struct pacing *pacing_new(const struct pacing_rates *rates);
void pacing_free(struct pacing *pacing); /* no budget may be held any more */
void pacing_set_rates(struct pacing *pacing, const struct pacing_rates *rates);

/* How many calls of this kind may be made at once, with the token that has the fewest left; with none in use, all that
 * the rates allow at once. */
int64_t pacing_remaining(struct pacing *pacing, enum budget_kind kind, int64_t now_ms);

/* The budgets of this token at this base URL: a reference for budget_unref. */
struct budget *budget_of(struct pacing *pacing, const char *base_url, const char *token);
void budget_unref(struct budget **budget); /* nulls the pointer; NULL inside is fine */

/* ---- calls: polls, and whatever else is no create ---- */

/* Takes one place in the budget and returns when it comes up: now_ms, or later when the budget is used up. Places are
 * given in the order of asking. */
int64_t budget_reserve(struct budget *budget, int64_t now_ms);

/* Is a hold on? Whoever reserved a place before it began must reserve anew. */
bool budget_is_held(struct budget *budget, int64_t now_ms);

/* ---- creates ---- */

/* Somebody's turn to create; embedded in its owner, all zero at first. */
struct budget_turn {
    struct list_link link; /* among those who wait */
    struct budget *budget; /* NULL until it first asked */
    uint64_t number;       /* in the order of asking; kept when a create is refused, so that it goes first again */
    bool is_waiting;       /* as its owner knows without a lock; the link is moved by others, too */
};

struct budget_forecast {
    int64_t place_ms;     /* when its turn is likely to come; now, where it has come */
    int64_t ask_again_ms; /* until when to wait, at most: a turn may come sooner, when others leave */
};

/* True: its turn has come and is taken, so create now. False: ask again then; until that it waits in line, unless it
 * leaves. A token's very first create goes alone, so that its answer tells the limit. */
bool budget_turn_ask(struct budget *budget, struct budget_turn *turn, int64_t now_ms, struct budget_forecast *forecast);
void budget_turn_leave(struct budget_turn *turn); /* harmless where it does not wait */

/* A create that went out was not answered, so it told nothing. */
void budget_turn_unanswered(struct budget *budget);

/* ---- what answers tell ---- */

/* Of an answer that was no 429, and its ratelimit headers (negative: not said): nobody asks before a used-up limit is
 * reset, and what little is left is made to last until then. */
void budget_learn(struct budget *budget, enum budget_kind kind, int64_t now_ms, int64_t remaining, int64_t reset_ms);

struct budget_refusal {
    int64_t wait_ms;    /* nobody asks before */
    int64_t per_minute; /* how many there may be from now on; 0 = it does not say */
    int64_t burst;      /* how many of them at once; 0 = it does not say */
};

/* Of a 429. What it says of rates holds for ten minutes, or until answers show that there is more again. */
void budget_refused(struct budget *budget, enum budget_kind kind, int64_t now_ms, const struct budget_refusal *refusal);

/* ---- how many wait ---- */

/* How often waiting predictions are polled; of one, or summed up (poll_plan.h). */
struct poll_demand {
    double seldom_per_ms;               /* polls of those that are asked as seldom as may be */
    double often_per_ms, often_urgency; /* of those that are asked as often as may be, and their urgency */
    double urgency;                     /* of the others */
};

/* What one waiting prediction contributes to its token's load; embedded in its owner, all zero at first. */
struct budget_share {
    struct poll_demand demand;
    bool is_counted;
};

/* The load without one's own share: what a poll plan is made from. */
struct budget_load {
    double calls_per_ms; /* what the budget allows */
    struct poll_demand demand;
    size_t waiting;     /* how many others */
    int64_t backlog_ms; /* how far ahead places are given already */
};

void budget_load(struct budget *budget, const struct budget_share *own, int64_t now_ms, struct budget_load *load);
void budget_share_set(struct budget *budget, struct budget_share *own, const struct poll_demand *demand);
void budget_share_clear(struct budget *budget, struct budget_share *own);

/* ---- pauses ---- */

/* The pause before a prediction's next poll where there is budget to spare: short at first, longer while it boots,
 * shorter again once it runs, `longest_ms` at most. `polls` = those made in its present status. */
int64_t pacing_poll_delay_ms(int polls, bool running, int64_t longest_ms);

/* The pause before try number `attempt` (from 1) of something that failed: doubling, with a cap. */
int64_t pacing_backoff_ms(int attempt);

#endif
