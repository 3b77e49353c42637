/* Numbers that look like chance and come again with the same seed (splitmix64). */
#ifndef SOAK_RANDOM_H
#define SOAK_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct soak_random {
    uint64_t state;
};

static inline uint64_t soak_random_next(struct soak_random *random)
{
    uint64_t mixed = random->state += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

/* 0 … limit - 1. */
static inline int soak_random_below(struct soak_random *random, int limit)
{
    return (int)(soak_random_next(random) % (uint64_t)limit);
}

static inline bool soak_random_percent(struct soak_random *random, int percent)
{
    return soak_random_below(random, 100) < percent;
}

#endif
