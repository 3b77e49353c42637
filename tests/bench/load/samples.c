/* Samples and their shares; see the header. */
#include "samples.h"

#include <stdlib.h>

#include "base/ensure.h"

void samples_add(struct samples *samples, int64_t value)
{
    if (samples->count == samples->capacity) {
        samples->capacity = samples->capacity > 0 ? 2 * samples->capacity : 1024;
        samples->values = realloc(samples->values, samples->capacity * sizeof(int64_t));
        ensure(samples->values != NULL);
    }
    samples->values[samples->count++] = value;
}

void samples_dispose(struct samples *samples)
{
    free(samples->values);
    *samples = (struct samples){0};
}

static int by_size(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static long long share(const struct samples *samples, size_t per_mille)
{
    return samples->count == 0 ? 0 : (long long)samples->values[(samples->count - 1) * per_mille / 1000];
}

void samples_print(struct samples *samples, const char *name, FILE *out)
{
    if (samples->count > 0)
        qsort(samples->values, samples->count, sizeof(int64_t), by_size);
    fprintf(out,
            ",\"%s\":{\"count\":%zu,\"least\":%lld,\"p1\":%lld,\"p50\":%lld,\"p99\":%lld,\"p999\":%lld,\"most\":%lld}",
            name, samples->count, share(samples, 0), share(samples, 10), share(samples, 500), share(samples, 990),
            share(samples, 999), share(samples, 1000));
}
