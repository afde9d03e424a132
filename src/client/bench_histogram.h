/* bench_histogram: counts of durations in buckets that grow with the value, so that any percentile is known to one part
 * in 128 while adding costs a shift and an increment. The shape is that of an HDR histogram: below 2^7 every value has
 * its own bucket; above, each power of two is split into 128 equal ones.
 *
 * A plain value of about 57 KiB: zeroed is empty. Not thread-safe; each thread has its own, and they are merged at the
 * end. Units are the caller's; the bench counts microseconds. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
    BENCH_HISTOGRAM_BITS = 7,
    BENCH_HISTOGRAM_STEPS = 1 << BENCH_HISTOGRAM_BITS,
    BENCH_HISTOGRAM_BUCKETS = (64 - BENCH_HISTOGRAM_BITS + 1) * BENCH_HISTOGRAM_STEPS,
};

struct bench_histogram {
    uint64_t total; /* values added */
    uint64_t sum;   /* of the values, exact unless it passes 2^64 */
    uint64_t max;   /* exact; 0 when empty */
    uint64_t count[BENCH_HISTOGRAM_BUCKETS];
};

void bench_histogram_add(struct bench_histogram *histogram, uint64_t value);
void bench_histogram_merge(struct bench_histogram *into, const struct bench_histogram *from);

/* The smallest value that at least `percent` (0 to 100) of the added values do not pass, rounded up to the end of its
 * bucket but never above the maximum. 0 when empty. */
uint64_t bench_histogram_percentile(const struct bench_histogram *histogram, double percent);

/* Arithmetic mean; 0 when empty. */
double bench_histogram_mean(const struct bench_histogram *histogram);
