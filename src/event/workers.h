/* workers: threads for what may block (disk) or takes long (hashing). A job runs on a worker as straight-line code, then
 * its `done` runs on the loop that is named in it. Jobs are embedded in their owners, which keep them alive until `done`.
 *
 * strand: a queue whose jobs run one after the other, in order, on whichever worker is free: for a body's running digest. */
#pragma once

#include "event/loop.h"

struct workers;

struct workers *workers_new(unsigned thread_count);
void workers_free(struct workers *workers); /* waits for what is queued */

struct job {
    struct task link;
    struct loop *loop;             /* where done runs; null: done runs on the worker itself */
    struct workers *workers;       /* set by submit */
    void (*run)(struct job *job);  /* on a worker */
    void (*done)(struct job *job); /* on the loop; the job may be reused or freed there; may be null */
};
void workers_submit(struct workers *workers, struct job *job); /* any thread */

struct strand {
    struct workers *workers;
    /* internal */
    void *lock_and_queue[12];
};
void strand_init(struct strand *strand, struct workers *workers);
void strand_submit(struct strand *strand, struct job *job); /* any thread */
void strand_release(struct strand *strand);                 /* asserts that it is empty */
