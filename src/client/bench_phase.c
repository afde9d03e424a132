#include "client/bench_phase.h"

#include <assert.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client/bench_worker.h"
#include "event/thread.h"

struct lane {
    struct bench_worker *worker;
    pthread_t thread;
    int64_t begin_us;
    bool is_running;
};

static void run_lane(void *context)
{
    struct lane *lane = context;
    bench_worker_run(lane->worker, lane->begin_us);
}

/* Starts the threads; those that run already end at once when one is refused. */
static enum err start_lanes(const struct bench_phase *phase, struct lane *lane)
{
    for (uint64_t i = 0; i < phase->threads; i++) {
        lane[i].worker = bench_worker_new(phase, i);
        if (!lane[i].worker)
            return ERR_NO_MEMORY;
    }
    int64_t begin_us = clock_mono_us();
    for (uint64_t i = 0; i < phase->threads; i++) {
        lane[i].begin_us = begin_us;
        TRY(thread_start(&lane[i].thread, "pail-bench", run_lane, &lane[i]));
        lane[i].is_running = true;
    }
    return OK;
}

enum err bench_phase_run(const struct bench_phase *phase, struct bench_stats *stats)
{
    assert(phase->threads && phase->threads <= phase->concurrency);
    struct lane *lane = mem_new_array(struct lane, (size_t)phase->threads);
    enum err err = start_lanes(phase, lane);
    if (err != OK)
        atomic_store(&phase->plan->is_aborted, true);
    for (uint64_t i = 0; i < phase->threads; i++) {
        if (lane[i].is_running)
            thread_join(lane[i].thread);
        if (lane[i].worker)
            bench_stats_merge(stats, bench_worker_stats(lane[i].worker));
        bench_worker_free(lane[i].worker);
    }
    mem_free(lane);
    return err;
}
