#include "client/bench_worker.h"

#include <assert.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client/bench_conn.h"

enum {
    TICK_US = 50 * 1000,
    SECOND_US = 1000 * 1000,
    /* So long nothing but useless connections, and the service is taken for gone. */
    GIVE_UP_US = 3 * SECOND_US,
};

struct bench_worker {
    const struct bench_phase *phase;
    uint64_t number;
    struct bench_shared shared;
    struct bench_random random;
    struct bench_conn *conn; /* array, owned */
    size_t conn_count;
    struct list idle;    /* connected, nothing to do */
    struct list waiting; /* closed, to be opened at the next tick */
    struct timer tick;
    struct watch
        pace; /* timerfd, set to when the next request is due; the loop's timers are too coarse for it */
    int64_t begin_us, count_from_us, end_us; /* end_us is INT64_MAX without a duration */
    uint64_t slot; /* open loop: requests that this thread has started or is about to start */
    int64_t useless_since_us; /* 0: the last connection that ended had been of use */
    bool is_ending;
};

static struct bench_worker *worker_of(const struct bench_conn *conn)
{
    return conn->owner;
}

/* ---- Pace ---- */

/* When this thread's request number `slot` is due; the threads take turns. */
static int64_t due_us(const struct bench_worker *worker, uint64_t slot)
{
    uint64_t request = slot * worker->phase->threads + worker->number;
    return worker->begin_us + (int64_t)((bench_wide)request * SECOND_US / worker->phase->rate);
}

/* Edge-triggered: each setting rearms it, so the count of expirations is never read. */
static void on_pace(struct watch *watch, uint32_t events);

static void arm_pace(struct bench_worker *worker)
{
    int64_t at_us = due_us(worker, worker->slot);
    struct itimerspec when = {
        .it_value = {.tv_sec = at_us / SECOND_US, .tv_nsec = at_us % SECOND_US * 1000}};
    int failed = timerfd_settime(worker->pace.fd, TFD_TIMER_ABSTIME, &when, NULL);
    assert(failed == 0);
}

/* Those that were due before the end and were not started: no connection was free, or this program stood still. With one free,
 * what fell due in the last instant is not worth telling. */
static void count_not_started(struct bench_worker *worker)
{
    if (!worker->phase->rate || worker->end_us == INT64_MAX)
        return;
    double seconds = (double)(worker->end_us - worker->begin_us) / SECOND_US;
    double all = seconds * (double)worker->phase->rate / (double)worker->phase->threads;
    double behind = all - (double)worker->slot;
    double instant = list_is_empty(&worker->idle) ? 1 : 1 + all / 100;
    if (behind > instant)
        worker->shared.stats->not_started += (uint64_t)behind;
}

/* ---- Ends ---- */

static void stop_if_done(struct bench_worker *worker)
{
    if (worker->is_ending && !worker->shared.busy_count)
        loop_stop(worker->shared.loop);
}

static void end_load(struct bench_worker *worker, bool by_time)
{
    if (worker->is_ending)
        return;
    worker->is_ending = true;
    if (by_time)
        count_not_started(worker);
}

static void check_time(struct bench_worker *worker, int64_t now_us)
{
    if (now_us >= worker->end_us)
        end_load(worker, true);
    if (atomic_load_explicit(&worker->phase->plan->is_aborted, memory_order_relaxed))
        end_load(worker, false);
}

/* ---- Requests ---- */

/* Gives a free connection its next request; false when there is none now. */
static bool start_request(struct bench_worker *worker, struct bench_conn *conn)
{
    int64_t now_us = clock_mono_us(), at_us = now_us;
    struct bench_choice choice;
    check_time(worker, now_us);
    if (worker->is_ending)
        return false;
    if (worker->phase->rate) {
        at_us = due_us(worker, worker->slot);
        if (at_us > now_us)
            return false;
    }
    bool is_counted = at_us >= worker->count_from_us;
    if (!bench_plan_next(worker->phase->plan, &worker->random, is_counted, &choice)) {
        end_load(worker, false);
        return false;
    }
    worker->slot++;
    bench_conn_request(conn, choice, at_us, is_counted);
    return true;
}

static void on_idle(struct bench_conn *conn)
{
    struct bench_worker *worker = worker_of(conn);
    if (conn->was_used)
        worker->useless_since_us = 0;
    if (start_request(worker, conn))
        return;
    list_push_back(&worker->idle, &conn->link);
    if (worker->phase->rate && !worker->is_ending)
        arm_pace(worker);
    stop_if_done(worker);
}

static void on_pace(struct watch *watch, uint32_t events)
{
    struct bench_worker *worker = container_of(watch, struct bench_worker, pace);
    (void)events;
    struct list *link;
    while ((link = list_pop_front(&worker->idle)) != NULL) {
        if (start_request(worker, container_of(link, struct bench_conn, link)))
            continue;
        list_push_front(&worker->idle, link);
        if (!worker->is_ending)
            arm_pace(worker);
        break;
    }
    stop_if_done(worker);
}

/* ---- Connections ---- */

/* One that was of use is replaced at once; after one that was not, a little time passes, so that a service that is down is
 * not hammered. */
static void on_closed(struct bench_conn *conn)
{
    struct bench_worker *worker = worker_of(conn);
    list_remove(&conn->link);
    bool is_wanted = !worker->is_ending || bench_conn_has_request(conn);
    if (is_wanted && conn->was_used) {
        bench_conn_open(conn);
    } else if (is_wanted) {
        if (!worker->useless_since_us)
            worker->useless_since_us = clock_mono_us();
        list_push_back(&worker->waiting, &conn->link);
    }
    stop_if_done(worker);
}

static void open_waiting(struct bench_worker *worker)
{
    struct list *link;
    while ((link = list_pop_front(&worker->waiting)) != NULL)
        bench_conn_open(container_of(link, struct bench_conn, link));
}

static void on_tick(struct timer *timer)
{
    struct bench_worker *worker = container_of(timer, struct bench_worker, tick);
    int64_t now_us = loop_now_us(worker->shared.loop);
    worker->shared.now_ms = clock_real_ms();
    if (worker->useless_since_us && now_us - worker->useless_since_us > GIVE_UP_US)
        atomic_store(&worker->phase->plan->is_aborted, true);
    check_time(worker, now_us);
    int64_t before_us = now_us - (int64_t)worker->phase->options->timeout_us;
    for (size_t i = 0; i < worker->conn_count; i++)
        bench_conn_expire(&worker->conn[i], before_us);
    open_waiting(worker);
    timer_set(worker->shared.loop, &worker->tick, now_us + TICK_US);
    stop_if_done(worker);
}

/* ---- Life ---- */

static void init_connections(struct bench_worker *worker)
{
    const struct bench_phase *phase = worker->phase;
    worker->conn_count =
        (size_t)((phase->concurrency + phase->threads - 1 - worker->number) / phase->threads);
    worker->conn = mem_new_array(struct bench_conn, worker->conn_count);
    for (size_t i = 0; i < worker->conn_count; i++)
        bench_conn_init(&worker->conn[i], &worker->shared, worker);
}

struct bench_worker *bench_worker_new(const struct bench_phase *phase, uint64_t number)
{
    struct bench_worker *worker = mem_new(struct bench_worker);
    worker->phase = phase;
    worker->number = number;
    worker->random = (struct bench_random){bench_mix(phase->options->seed) + number};
    list_init(&worker->idle);
    list_init(&worker->waiting);
    timer_init(&worker->tick, on_tick);
    worker->shared = (struct bench_shared){
        .options = phase->options,
        .content = phase->content,
        .address = phase->address,
        .address_len = phase->address_len,
        .loop = loop_new(),
        .maker = bench_maker_new(phase->options, phase->content),
        .stats = bench_stats_new(),
        .scratch = mem_alloc(BENCH_SCRATCH_SIZE),
        .now_ms = clock_real_ms(),
        .idle = on_idle,
        .closed = on_closed,
    };
    worker->pace = (struct watch){.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
                                  .events = EPOLLIN | EPOLLET,
                                  .ready = on_pace};
    init_connections(worker);
    if (worker->shared.loop && worker->pace.fd >= 0 &&
        watch_add(worker->shared.loop, &worker->pace) == OK)
        return worker;
    bench_worker_free(worker);
    return NULL;
}

void bench_worker_free(struct bench_worker *worker)
{
    if (!worker)
        return;
    for (size_t i = 0; i < worker->conn_count; i++)
        bench_conn_release(&worker->conn[i]);
    mem_free(worker->conn);
    if (worker->pace.fd >= 0)
        close(worker->pace.fd);
    bench_maker_free(worker->shared.maker);
    bench_stats_free(worker->shared.stats);
    mem_free(worker->shared.scratch);
    loop_free(worker->shared.loop);
    mem_free(worker);
}

void bench_worker_run(struct bench_worker *worker, int64_t begin_us)
{
    const struct bench_phase *phase = worker->phase;
    worker->begin_us = begin_us;
    worker->count_from_us = begin_us + (int64_t)phase->warmup_us;
    worker->end_us =
        phase->duration_us ? worker->count_from_us + (int64_t)phase->duration_us : INT64_MAX;
    worker->shared.stats->first_us = worker->count_from_us;

    int64_t cpu_before_us = clock_thread_cpu_us();
    for (size_t i = 0; i < worker->conn_count; i++)
        bench_conn_open(&worker->conn[i]);
    timer_set(worker->shared.loop, &worker->tick, begin_us + TICK_US);
    loop_run(worker->shared.loop);
    worker->shared.stats->cpu_us += (uint64_t)(clock_thread_cpu_us() - cpu_before_us);
}

const struct bench_stats *bench_worker_stats(const struct bench_worker *worker)
{
    return worker->shared.stats;
}
