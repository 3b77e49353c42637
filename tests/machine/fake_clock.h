/* The clock of the machine tests: it stands still until it is moved. */
#ifndef FAKE_CLOCK_H
#define FAKE_CLOCK_H

#include <stdint.h>

void fake_clock_set(int64_t now_ms);

#endif
