/* The system calls of the embedded engine with a memory of what was not synced, so that a crash can be played in which the disk keeps
 * some of it and loses the rest: any sector of any write, and any renaming. */
#pragma once

#include "store/local/io.h"

extern const struct io crash_io;

/* When the place is reached for the nth time (0: the first), the process loses what chance says of what was not synced, and ends by
 * SIGKILL. The seed decides what is lost. */
void crash_at(const char *place, unsigned nth, uint64_t seed);
/* The same at once. */
void crash_now(void) __attribute__((noreturn));
