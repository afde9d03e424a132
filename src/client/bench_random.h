/* bench_random: a fast pseudo-random sequence that a seed repeats (splitmix64, G. Steele, D. Lea, C. Flood, 2014). For
 * choosing keys and filling objects, never for secrets. A value; one per thread. */
#pragma once

#include <stdint.h>

/* For products that pass 64 bits before they are divided. */
__extension__ typedef unsigned __int128 bench_wide;

struct bench_random {
    uint64_t state;
};

/* Mixes all bits: neighbouring inputs give unrelated outputs. */
static inline uint64_t bench_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static inline uint64_t bench_random_next(struct bench_random *random)
{
    random->state += UINT64_C(0x9e3779b97f4a7c15);
    return bench_mix(random->state);
}

/* From 0 to bound - 1; bound is not 0. The bias is below bound / 2^64. */
static inline uint64_t bench_random_below(struct bench_random *random, uint64_t bound)
{
    return (uint64_t)((bench_wide)bench_random_next(random) * bound >> 64);
}
