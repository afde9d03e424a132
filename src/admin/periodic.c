#include "admin/periodic.h"

#include "base/list.h"
#include "base/log.h"

static void run_once(struct job *job)
{
    struct periodic *periodic = container_of(job, struct periodic, job);
    periodic->fail = (struct fail){0};
    periodic->err = periodic->run(periodic->context, &periodic->fail);
}

/* A full disk would fail every second: it is told once, and once more when it is over. */
static void tell_change(struct periodic *periodic)
{
    bool is_failing = periodic->err != OK;
    if (is_failing == periodic->is_failing)
        return;
    periodic->is_failing = is_failing;
    if (is_failing)
        log_event(LOG_ERROR, periodic->name, err_fact(periodic->err),
                  LOG_STR("detail", str_from(periodic->fail.detail)));
    else
        log_event(LOG_INFO, periodic->name, "works again");
}

static void ran(struct job *job)
{
    struct periodic *periodic = container_of(job, struct periodic, job);
    tell_change(periodic);
    if (!periodic->is_stopped)
        timer_set(periodic->loop, &periodic->timer,
                  loop_now_us(periodic->loop) + periodic->interval_ms * 1000);
}

static void due(struct timer *timer)
{
    struct periodic *periodic = container_of(timer, struct periodic, timer);
    workers_submit(periodic->workers, &periodic->job);
}

void periodic_start(struct periodic *periodic, struct loop *loop, struct workers *workers)
{
    periodic->loop = loop;
    periodic->workers = workers;
    periodic->job = (struct job){.loop = loop, .run = run_once, .done = ran};
    timer_init(&periodic->timer, due);
    workers_submit(workers, &periodic->job);
}

void periodic_stop(struct periodic *periodic)
{
    periodic->is_stopped = true;
    if (periodic->loop)
        timer_cancel(periodic->loop, &periodic->timer);
}
