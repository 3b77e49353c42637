/* The one clock of the program: tests link another file with these symbols. Any thread. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_now_ms(void); /* monotonic; for deadlines and durations */
int64_t clock_wall_s(void); /* Unix seconds; for `created` fields */
int64_t clock_wall_ms(void); /* Unix milliseconds; for log lines */

#endif
