/* budget: a bounded number of bytes for I/O buffers, shared by all bodies under way, so that
 * load becomes back-pressure and not growth. Who gets nothing waits in line, and is called on
 * its own loop when its turn has come. Thread-safe.
 *
 * A wish for which there is room may pass one at the head of the line for which there is none,
 * but only BUDGET_PASS_MAX times: then everything that comes back is saved for the head. */
#pragma once

#include <pthread.h>

#include "event/loop.h"

enum { BUDGET_PASS_MAX = 32 };

struct budget {
    pthread_mutex_t lock;
    size_t free_bytes;
    size_t total_bytes;
    struct list waiting;   /* struct budget_waiter */
    unsigned passed_count; /* wishes that have passed the head of the line */
};

struct budget_waiter {
    struct list link;
    struct task task;
    struct loop *loop;
    size_t bytes;
    bool is_waiting;
    void (*granted)(struct budget_waiter *waiter); /* on the loop; the bytes are the waiter's now */
};

void budget_init(struct budget *budget, size_t total_bytes);
void budget_release(struct budget *budget);

/* Takes at once or not at all; never before those who wait. A wish above the total is granted
 * when all else is free. */
bool budget_try_take(struct budget *budget, size_t bytes);
/* As above, but only while more than half is free: for buffers that make things faster, not
 * possible. */
bool budget_try_take_extra(struct budget *budget, size_t bytes);
/* Takes at once (true), or waits: `granted` comes later. */
bool budget_take(struct budget *budget, struct budget_waiter *waiter, size_t bytes);
/* Gives up waiting. False: the grant is on its way already, and `granted` will come. Loop of the
 * waiter. */
bool budget_cancel(struct budget *budget, struct budget_waiter *waiter);
void budget_give(struct budget *budget, size_t bytes);
