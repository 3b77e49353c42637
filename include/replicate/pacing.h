/* How often to ask Replicate: one budget for all polls of all workers, and the pauses of one prediction.
 *
 * struct pacing: any thread, one mutex inside. The *_delay functions are pure. */
#ifndef REPLICATE_PACING_H
#define REPLICATE_PACING_H

#include <stdbool.h>
#include <stdint.h>

struct pacing;

/* Replicate allows 3000 calls a minute besides creates (its rate-limit page); short bursts above are allowed. */
struct pacing *pacing_new(int64_t per_minute);
void pacing_free(struct pacing *pacing);
void pacing_set_rate(struct pacing *pacing, int64_t per_minute);

/* Takes one place in the budget and returns when it comes up: now_ms, or later when the budget is used up. Places are
 * given in the order of asking. */
int64_t pacing_reserve(struct pacing *pacing, int64_t now_ms);

/* What an answer said: nobody asks again before a limit is reset. Negative values: not said. */
void pacing_learn(struct pacing *pacing, int64_t now_ms, int64_t remaining, int64_t reset_ms);

/* Nobody asks before `until_ms`: after a 429 to a poll. */
void pacing_hold(struct pacing *pacing, int64_t until_ms);

/* Is a hold on? Whoever reserved a place before it began must reserve anew. */
bool pacing_is_held(struct pacing *pacing, int64_t now_ms);

/* The pause before a prediction's next poll: short at first, longer while it boots, shorter again once it runs,
 * `longest_ms` at most. `polls` = those made in its present status. */
int64_t pacing_poll_delay_ms(int polls, bool running, int64_t longest_ms);

/* The pause before try number `attempt` (from 1) of something that failed: doubling, with a cap. */
int64_t pacing_backoff_ms(int attempt);

#endif
