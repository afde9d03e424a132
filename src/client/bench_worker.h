/* bench_worker: one thread of a phase (bench_phase.h): a loop, its connections and the pace of its requests. */
#pragma once

#include "client/bench_phase.h"

struct bench_worker;

/* `number` of phase->threads, from 0. Borrows the phase. Null when the system refuses a loop. */
struct bench_worker *bench_worker_new(const struct bench_phase *phase, uint64_t number);
void bench_worker_free(struct bench_worker *worker); /* null is allowed */

/* Runs to the phase's end; blocks. begin_us is the monotonic time from which all workers count. */
void bench_worker_run(struct bench_worker *worker, int64_t begin_us);

const struct bench_stats *bench_worker_stats(const struct bench_worker *worker);
