/* Many numbers, of which only few are told: the shares of them that lie below. */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct samples {
    int64_t *values;
    size_t count, capacity;
};

void samples_add(struct samples *samples, int64_t value);
void samples_dispose(struct samples *samples);

/* Sorts them, and writes `,"name":{...}` with their number, least, median, p1, p99 and most. */
void samples_print(struct samples *samples, const char *name, FILE *out);

#endif
