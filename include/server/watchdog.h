/* systemd's watchdog: a sign of life as long as every worker's loop turns. The main thread.
 *
 * The interval comes from WATCHDOG_USEC, as sd_watchdog_enabled(3) has it. A loop that hangs is not hidden by a main
 * thread that is well: each worker is woken, and has to have turned before the next sign is given. */
#ifndef SERVER_WATCHDOG_H
#define SERVER_WATCHDOG_H

#include <stddef.h>
#include <stdint.h>

#include "server/worker.h"

enum { WATCHDOG_MAX_WORKERS = 64 };

struct watchdog {
    int64_t period_ms; /* between two signs; 0 = nobody waits for any */
    int64_t next_ms;   /* clock_now_ms() */
    unsigned turns[WATCHDOG_MAX_WORKERS];
};

/* Reads the environment: with no watchdog, or one that waits for another process, there is no period. */
void watchdog_init(struct watchdog *watchdog);

/* When watchdog_look is due, in clock_now_ms(); -1 = never. */
int64_t watchdog_due_ms(const struct watchdog *watchdog);

/* Gives the sign, if it is due and all workers have turned since the last look, and wakes them for the next. */
void watchdog_look(struct watchdog *watchdog, struct worker *const *workers, size_t count);

#endif
