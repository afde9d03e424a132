/* Threads with a name and without signals: signals are taken by one descriptor on one loop (event/signals.h). */
#pragma once

#include <pthread.h>

#include "base/str.h"

/* Runs fn(context) on a new thread. The name is what ps and top show, cut at 15 bytes. ERR_NO_MEMORY when the system
 * refuses another thread. */
enum err thread_start(pthread_t *out_thread, const char *name, void (*fn)(void *context),
                      void *context);

/* Waits for its end. */
void thread_join(pthread_t thread);
