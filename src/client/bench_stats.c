#include "client/bench_stats.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

const char *bench_cause_words(enum bench_cause cause)
{
    static const char *const words[BENCH_CAUSE_COUNT] = {
#define X(name, text) [BENCH_CAUSE_##name] = (text),
        BENCH_CAUSES(X)
#undef X
    };
    return words[cause];
}

struct bench_stats *bench_stats_new(void)
{
    return mem_new(struct bench_stats);
}

void bench_stats_free(struct bench_stats *stats)
{
    mem_free(stats);
}

static void merge_op(struct bench_op_stats *into, const struct bench_op_stats *from)
{
    bench_histogram_merge(&into->latency, &from->latency);
    into->bytes += from->bytes;
    into->keys += from->keys;
    into->failures += from->failures;
}

void bench_stats_merge(struct bench_stats *into, const struct bench_stats *from)
{
    for (size_t i = 0; i < BENCH_OP_COUNT; i++)
        merge_op(&into->op[i], &from->op[i]);
    for (size_t i = 0; i < BENCH_STATUS_END; i++)
        into->status[i] += from->status[i];
    for (size_t i = 0; i < BENCH_CAUSE_COUNT; i++)
        into->cause[i] += from->cause[i];
    into->reconnects += from->reconnects;
    into->not_started += from->not_started;
    into->requests += from->requests;
    into->cpu_us += from->cpu_us;
    if (!into->first_us || (from->first_us && from->first_us < into->first_us))
        into->first_us = from->first_us;
    if (from->last_us > into->last_us)
        into->last_us = from->last_us;
    if (!into->sample[0])
        memcpy(into->sample, from->sample, sizeof(into->sample));
}

uint64_t bench_stats_failures(const struct bench_stats *stats)
{
    uint64_t count = 0;
    for (size_t i = 0; i < BENCH_STATUS_END; i++)
        count += stats->status[i];
    for (size_t i = 0; i < BENCH_CAUSE_COUNT; i++)
        count += stats->cause[i];
    return count;
}

void bench_stats_sample(struct bench_stats *stats, const char *format, ...)
{
    if (stats->sample[0])
        return;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(stats->sample, sizeof(stats->sample), format, args);
    va_end(args);
    for (char *at = stats->sample; *at; at++) {
        if (*at < ' ' || *at > '~')
            *at = '.';
    }
}
