/* bench_stats: what a phase has seen. One per thread while it runs, merged at the end. Nothing that went wrong is left
 * out: failures are counted by status or cause, and the first one is kept in words. */
#pragma once

#include "client/bench_histogram.h"
#include "client/bench_options.h"

/* Why a request failed without a status. X(NAME, "words") */
#define BENCH_CAUSES(X)                                                                            \
    X(CONNECT, "could not connect")                                                                \
    X(CLOSED, "connection lost during a request")                                                  \
    X(MALFORMED, "the reply was no valid HTTP")                                                    \
    X(TIMEOUT, "no progress within the time-out")                                                  \
    X(MISMATCH, "the content was not what was put")                                                \
    X(LOCAL, "the request could not be made")

enum bench_cause {
#define X(name, words) BENCH_CAUSE_##name,
    BENCH_CAUSES(X)
#undef X
        BENCH_CAUSE_COUNT
};

const char *bench_cause_words(enum bench_cause cause);

enum { BENCH_STATUS_END = 600, BENCH_SAMPLE_MAX = 512 };

struct bench_op_stats {
    struct bench_histogram latency; /* microseconds; successes only */
    uint64_t bytes;                 /* of bodies, of successes */
    uint64_t keys;                  /* keys and prefixes shown by lists */
    uint64_t failures;
};

struct bench_stats {
    struct bench_op_stats op[BENCH_OP_COUNT];
    uint64_t status[BENCH_STATUS_END]; /* failures by HTTP status */
    uint64_t cause[BENCH_CAUSE_COUNT]; /* failures by cause */
    uint64_t reconnects;       /* connections that the server ended between requests; no failures */
    uint64_t not_started;      /* due by the rate, but no connection was free before the end */
    uint64_t requests;         /* all that were answered, the warm-up's too */
    uint64_t cpu_us;           /* of the client's threads */
    int64_t first_us, last_us; /* monotonic: counting began; the last counted request ended */
    char sample
        [BENCH_SAMPLE_MAX]; /* the first failure in words, printable ASCII, terminated; may be empty */
};

struct bench_stats *bench_stats_new(void);
void bench_stats_free(struct bench_stats *stats); /* null is allowed */
void bench_stats_merge(struct bench_stats *into, const struct bench_stats *from);

/* Failures of all operations, and those of connections that had no request yet. */
uint64_t bench_stats_failures(const struct bench_stats *stats);

/* Keeps the words if none are kept yet; what is not printable ASCII becomes '.'. */
void bench_stats_sample(struct bench_stats *stats, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
