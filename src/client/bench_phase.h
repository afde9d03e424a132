/* bench_phase: runs one plan against the service: preparation, the load itself, clean-up. It starts the threads, gives each
 * its share of connections, paces the requests and gathers what they saw.
 *
 * Closed loop (rate 0): a connection starts its next request when the last one is answered; latency counts from there.
 * Open loop (rate > 0): request k is due at k / rate, whatever became of the others. It is started by the first connection
 * that is free, and its latency counts from when it was due, so a stall of the server is charged to every request that it
 * delayed, not only to those that happened to be on their way. */
#pragma once

#include <sys/socket.h>

#include "client/bench_content.h"
#include "client/bench_plan.h"
#include "client/bench_stats.h"

struct bench_phase {
    const struct bench_options *options;
    const struct bench_content *content;
    const struct sockaddr_storage *address;
    socklen_t address_len;
    struct bench_plan *plan;
    uint64_t concurrency, threads; /* at least 1; threads not above concurrency */
    uint64_t duration_us;          /* 0: until the plan ends */
    uint64_t warmup_us;
    uint64_t rate; /* a second; 0: closed loop */
};

/* Blocks until the phase is over and every request was answered or given up. Adds to `stats`. ERR_NO_MEMORY when the
 * system refuses a thread or a loop. A service that cannot be reached for some seconds aborts the plan. */
enum err bench_phase_run(const struct bench_phase *phase, struct bench_stats *stats);
