/* The one clock of the program: tests link another file with these symbols. Any thread.
 *
 * A thread that has an event loop may let its time stand still while it serves an event: one reading is then enough for
 * all that asks. Whatever waits (for a timer, in the kernel) first lets it run again. What threads share may therefore
 * hear of a moment that is before one it has heard of from another thread. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_now_ms(void); /* monotonic; for deadlines and durations */
int64_t clock_wall_s(void); /* Unix seconds; for `created` fields */
int64_t clock_wall_ms(void); /* Unix milliseconds; for log lines */

/* From now until clock_run all of the above say this moment, in this thread. */
void clock_stand(void);
/* Where time stands still: it is the present again, and stands there. Cheaper than clock_stand, since of the two clocks
 * it reads one: the wall's clock moves along, and is looked at anew by the next clock_stand. Else nothing. */
void clock_step(void);
/* Time runs again. */
void clock_run(void);

#endif
