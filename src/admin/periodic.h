/* periodic: work that the server does by itself every so often (the janitor, looking for a new certificate): a timer on a
 * loop, the work on a worker, never two of one kind at once. A failure is logged here, when it begins and when it ends. */
#pragma once

#include "event/workers.h"
#include "base/fail.h"

struct periodic {
    /* Set by the owner before the start. */
    const char *name;
    int64_t interval_ms; /* from the end of one run to the next; the first run comes at once */
    enum err (*run)(void *context, struct fail *fail);
    void *context;
    /* Internal. */
    struct loop *loop;
    struct workers *workers;
    struct timer timer;
    struct job job;
    struct fail fail;
    enum err err;
    bool is_failing, is_stopped;
};

/* On the loop's thread, or before it runs; so are the others. The struct stays where it is until the workers have ended. */
void periodic_start(struct periodic *periodic, struct loop *loop, struct workers *workers);
/* No further run begins. */
void periodic_stop(struct periodic *periodic);
