/* The loop of the machine tests: timers alone, on the fake clock. */
#ifndef FAKE_LOOP_H
#define FAKE_LOOP_H

#include <stddef.h>
#include <stdint.h>

#include "replicate/loop.h"

/* Moves the clock by `ms`, stopping at every timer on the way to run it, in the order in which they are due. */
void fake_loop_advance(struct loop *loop, int64_t ms);

size_t fake_loop_timers(const struct loop *loop);

/* How often it was woken. */
size_t fake_loop_wakes(const struct loop *loop);

#endif
