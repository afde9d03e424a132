#include "client/bench_histogram.h"

#include <assert.h>
#include <math.h>

/* Values below 2^BITS are their own bucket. Above, the BITS bits behind the leading one choose the step inside the
 * power of two; the powers follow each other without gaps. */
static size_t bucket_of(uint64_t value)
{
    if (value < BENCH_HISTOGRAM_STEPS)
        return (size_t)value;
    unsigned leading = 63 - (unsigned)__builtin_clzll(value);
    unsigned shift = leading - BENCH_HISTOGRAM_BITS;
    size_t step = (size_t)(value >> shift) - BENCH_HISTOGRAM_STEPS;
    return (size_t)(shift + 1) * BENCH_HISTOGRAM_STEPS + step;
}

/* The largest value that falls into the bucket. */
static uint64_t bucket_end(size_t bucket)
{
    if (bucket < BENCH_HISTOGRAM_STEPS)
        return bucket;
    unsigned shift = (unsigned)(bucket / BENCH_HISTOGRAM_STEPS) - 1;
    uint64_t first = (uint64_t)(bucket % BENCH_HISTOGRAM_STEPS + BENCH_HISTOGRAM_STEPS) << shift;
    return first + ((UINT64_C(1) << shift) - 1);
}

void bench_histogram_add(struct bench_histogram *histogram, uint64_t value)
{
    histogram->count[bucket_of(value)]++;
    histogram->total++;
    histogram->sum += value;
    if (value > histogram->max)
        histogram->max = value;
}

void bench_histogram_merge(struct bench_histogram *into, const struct bench_histogram *from)
{
    for (size_t i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++)
        into->count[i] += from->count[i];
    into->total += from->total;
    into->sum += from->sum;
    if (from->max > into->max)
        into->max = from->max;
}

uint64_t bench_histogram_percentile(const struct bench_histogram *histogram, double percent)
{
    assert(percent >= 0 && percent <= 100);
    if (!histogram->total)
        return 0;
    /* The rank of the value asked for, from 1; the tiny step down keeps 99.9 % of 1000 at 999 in spite of rounding. */
    double exact = percent / 100 * (double)histogram->total;
    uint64_t rank = (uint64_t)ceil(exact - 1e-9 * exact);
    if (rank == 0)
        rank = 1;
    uint64_t seen = 0;
    for (size_t i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->count[i];
        if (seen >= rank)
            return bucket_end(i) < histogram->max ? bucket_end(i) : histogram->max;
    }
    return histogram->max;
}

double bench_histogram_mean(const struct bench_histogram *histogram)
{
    return histogram->total ? (double)histogram->sum / (double)histogram->total : 0;
}
