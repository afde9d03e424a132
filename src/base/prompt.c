/* Linux runs, among those who have had no more than their share, the thread whose turn ends first; since 6.12 a thread may choose how
 * long its turns are, and one with short turns interrupts one with long turns when it wakes. The turn is the field sched_runtime
 * of sched_setattr(2).
 *
 * Measured with PUTs of 4 KiB at a fixed rate on two busy cores, commit thread and loops with turns of 0.1 ms against the default of
 * a few: p50 0.9 ms instead of 3.4, p99 14 ms instead of 30. */
#include "base/prompt.h"

#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TURN_NS = 100 * 1000 };

bool prompt_ask(void)
{
    /* What is not asked for is given back as it was: policy, niceness, flags. */
    struct sched_attr attributes = {.size = sizeof(attributes)};
    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) != 0)
        return false;
    if (attributes.sched_policy != SCHED_NORMAL && attributes.sched_policy != SCHED_BATCH)
        return false; /* of another policy the field means something else */
    attributes.sched_runtime = TURN_NS;
    return syscall(SYS_sched_setattr, 0, &attributes, 0) == 0;
}
