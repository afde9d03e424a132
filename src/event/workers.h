/* workers: threads for what may block (disk) or takes long (hashing). A job runs on a worker as straight-line code, then
 * its `done` runs on the loop that is named in it. Jobs are embedded in their owners, which keep them alive until `done`.
 *
 * strand: a queue whose jobs run one after the other, in order, on whichever worker is free: for a body's running digest. */
#pragma once

#include <pthread.h>

#include "event/loop.h"

struct workers;

/* Null when the system refuses the threads. */
struct workers *workers_new(unsigned thread_count);
void workers_free(struct workers *workers); /* waits for what is queued; null is allowed */

struct job {
    struct task link;
    struct loop *loop;            /* where done runs; null: done runs on the worker itself */
    struct workers *workers;      /* set by submit */
    void (*run)(struct job *job); /* on a worker */
    /* On the loop; the job may be reused or freed there. Null: nobody is told, and run itself may free the job. */
    void (*done)(struct job *job);
};
void workers_submit(struct workers *workers, struct job *job); /* any thread */

/* The `done` of its jobs are posted in the order of the jobs, too. */
struct strand {
    struct workers *workers;
    /* internal */
    pthread_mutex_t lock;
    struct task *first;
    struct task *last;
    bool is_running;
    struct job pump;
};
void strand_init(struct strand *strand, struct workers *workers);
void strand_submit(struct strand *strand, struct job *job); /* any thread */
/* Asserts that it is empty: after the last job's `done` on the loop it is. Not from a `done` that runs on a worker. */
void strand_release(struct strand *strand);
