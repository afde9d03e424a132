/* Threads: names, and a signal mask that is set before the thread can run. */
#include "event/thread.h"

#include <assert.h>
#include <signal.h>
#include <string.h>

#include "base/mem.h"

enum { NAME_SIZE = 16 }; /* the kernel's limit, terminator included */

struct start {
    void (*fn)(void *context);
    void *context;
    char name[NAME_SIZE];
};

static void *run(void *argument)
{
    struct start start = *(struct start *)argument;
    mem_free(argument);
    (void)pthread_setname_np(pthread_self(), start.name);
    start.fn(start.context);
    return NULL;
}

enum err thread_start(pthread_t *out_thread, const char *name, void (*fn)(void *context),
                      void *context)
{
    struct start *start = mem_new(struct start);
    start->fn = fn;
    start->context = context;
    size_t len = strnlen(name, NAME_SIZE - 1);
    memcpy(start->name, name, len);

    /* The new thread inherits the mask, so there is no moment in which it could take a signal. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(out_thread, NULL, run, start);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed == 0)
        return OK;
    mem_free(start);
    return ERR_NO_MEMORY;
}

void thread_join(pthread_t thread)
{
    int failed = pthread_join(thread, NULL);
    assert(failed == 0);
}
