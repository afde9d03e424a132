/* Workers: one queue under one mutex. A job is at least a disk read or the hashing of many kilobytes, so the lock is not
 * what costs; a worker is woken only when one sleeps.
 *
 * A strand lets go of its lock before it submits, so no two locks are ever held together; a post to a loop takes none. */
#include "event/workers.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/mem.h"
#include "event/thread.h"

enum {
    /* A strand gives its worker back after so many jobs, so that one long body does not keep a thread. */
    STRAND_BATCH = 8,
    NAME_SIZE = 24,
};

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t has_work;
    struct task *first;
    struct task *last;
    unsigned idle_count;
    bool is_stopping;
    unsigned thread_count;
    pthread_t thread[];
};

/* ---- Queue of links, used by both ---- */

static void push(struct task **first, struct task **last, struct task *link)
{
    link->next = NULL;
    if (*first == NULL)
        *first = link;
    else
        (*last)->next = link;
    *last = link;
}

static struct job *pop(struct task **first)
{
    struct task *link = *first;
    *first = link->next;
    return container_of(link, struct job, link);
}

/* ---- Running a job ---- */

static void job_done(struct task *task)
{
    struct job *job = container_of(task, struct job, link);
    job->done(job);
}

/* The job must not be touched after this: its owner may free it at any time. */
static void finish(struct job *job)
{
    if (job->loop == NULL) {
        job->done(job);
        return;
    }
    job->link.run = job_done;
    loop_post(job->loop, &job->link);
}

static void run_job(struct job *job)
{
    bool has_done = job->done != NULL; /* without it, run may have freed the job */
    job->run(job);
    if (has_done)
        finish(job);
}

static void work(void *context)
{
    struct workers *workers = context;
    pthread_mutex_lock(&workers->lock);
    for (;;) {
        while (workers->first == NULL && !workers->is_stopping) {
            workers->idle_count++;
            pthread_cond_wait(&workers->has_work, &workers->lock);
            workers->idle_count--;
        }
        if (workers->first == NULL)
            break; /* stopping, and nothing is left */
        struct job *job = pop(&workers->first);
        pthread_mutex_unlock(&workers->lock);
        run_job(job);
        pthread_mutex_lock(&workers->lock);
    }
    pthread_mutex_unlock(&workers->lock);
}

/* ---- Life ---- */

struct workers *workers_new(unsigned thread_count)
{
    assert(thread_count > 0);
    struct workers *workers =
        mem_zalloc(mem_size_add(sizeof(*workers), mem_size_mul(thread_count, sizeof(pthread_t))));
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->has_work, NULL);
    for (unsigned i = 0; i < thread_count; i++) {
        char name[NAME_SIZE];
        (void)snprintf(name, sizeof(name), "worker-%u", i);
        if (thread_start(&workers->thread[i], name, work, workers) != OK) {
            workers_free(workers);
            return NULL;
        }
        workers->thread_count++;
    }
    return workers;
}

void workers_free(struct workers *workers)
{
    if (workers == NULL)
        return;
    pthread_mutex_lock(&workers->lock);
    workers->is_stopping = true;
    pthread_cond_broadcast(&workers->has_work);
    pthread_mutex_unlock(&workers->lock);
    for (unsigned i = 0; i < workers->thread_count; i++)
        thread_join(workers->thread[i]);
    pthread_cond_destroy(&workers->has_work);
    pthread_mutex_destroy(&workers->lock);
    mem_free(workers);
}

void workers_submit(struct workers *workers, struct job *job)
{
    assert(job->run != NULL);
    job->workers = workers;
    pthread_mutex_lock(&workers->lock);
    push(&workers->first, &workers->last, &job->link);
    bool is_wake_needed = workers->idle_count > 0;
    pthread_mutex_unlock(&workers->lock);
    if (is_wake_needed)
        pthread_cond_signal(&workers->has_work);
}

/* ---- Strand ---- */

/* Posts `done` and takes the next job in one step under the lock: so the order of completions is the order of jobs, and
 * once the last completion is seen the strand is idle and may be released. */
static struct job *strand_next(struct strand *strand, struct job *finished)
{
    pthread_mutex_lock(&strand->lock);
    if (finished != NULL)
        finish(finished);
    struct job *next = strand->first == NULL ? NULL : pop(&strand->first);
    if (next == NULL)
        strand->is_running = false;
    pthread_mutex_unlock(&strand->lock);
    return next;
}

/* Puts a job that was taken back at the front and lets other work come before it. */
static void strand_yield(struct strand *strand, struct job *next)
{
    pthread_mutex_lock(&strand->lock);
    next->link.next = strand->first;
    if (strand->first == NULL)
        strand->last = &next->link;
    strand->first = &next->link;
    pthread_mutex_unlock(&strand->lock);
    workers_submit(strand->workers, &strand->pump);
}

/* Returns the job when its `done` is still owed to a loop. */
static struct job *strand_run(struct job *job)
{
    bool has_done = job->done != NULL; /* without it, run may have freed the job */
    job->run(job);
    if (!has_done)
        return NULL;
    if (job->loop != NULL)
        return job;
    job->done(job);
    return NULL;
}

static void strand_pump(struct job *pump)
{
    struct strand *strand = container_of(pump, struct strand, pump);
    struct job *job = strand_next(strand, NULL);
    for (int count = 1; job != NULL; count++) {
        struct job *finished = strand_run(job);
        job = strand_next(strand, finished);
        if (job != NULL && count == STRAND_BATCH) {
            strand_yield(strand, job);
            return;
        }
    }
}

void strand_init(struct strand *strand, struct workers *workers)
{
    *strand = (struct strand){.workers = workers, .pump = {.run = strand_pump}};
    pthread_mutex_init(&strand->lock, NULL);
}

void strand_submit(struct strand *strand, struct job *job)
{
    assert(job->run != NULL);
    job->workers = strand->workers;
    pthread_mutex_lock(&strand->lock);
    push(&strand->first, &strand->last, &job->link);
    bool is_pump_needed = !strand->is_running;
    strand->is_running = true;
    pthread_mutex_unlock(&strand->lock);
    if (is_pump_needed)
        workers_submit(strand->workers, &strand->pump);
}

void strand_release(struct strand *strand)
{
    pthread_mutex_lock(&strand->lock);
    assert(strand->first == NULL && !strand->is_running);
    pthread_mutex_unlock(&strand->lock);
    pthread_mutex_destroy(&strand->lock);
}
