/* progress: what the commands tell while a long task on a store runs, on standard error. */
#pragma once

#include "store/local/local_engine.h"

/* A line that is written over, for a person who watches; nothing in a file or pipe. */
void progress_show(void *context, const struct local_progress *progress);
/* The end of that line, before something else is told. */
void progress_end(void);
/* Damage, as a line of its own: "pail: WHERE: WHAT". */
void progress_found(void *context, const struct local_finding *finding);

/* SIGINT and SIGTERM from now on ask the task to stop, instead of ending the process: what it has made so far is then taken back. */
const bool *progress_stop_on_signal(void);
