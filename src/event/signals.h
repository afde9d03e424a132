/* signals: SIGTERM, SIGINT and SIGHUP as calls on a loop instead of interruptions.
 *
 * signals_block comes first in main, before any thread is made: a signal that some thread leaves unblocked would be
 * delivered there and end the process. Threads made by thread_start block everything. */
#pragma once

#include "event/loop.h"

/* Blocks the three signals in the calling thread and those it will make, and ignores SIGPIPE: a closed connection is an
 * error of the call that writes to it. */
void signals_block(void);

/* Embedded in its owner; the loop borrows it. */
struct signals {
    struct watch watch;
    struct loop *loop;
    void (*caught)(struct signals *signals, int number);
};

/* From now on `caught` is called on the loop for each signal. ERR_IO when the kernel refuses the descriptor. */
enum err signals_open(struct signals *signals, struct loop *loop,
                      void (*caught)(struct signals *signals, int number));
void signals_close(struct signals *signals);
