/* buffers: I/O buffers that were used and are kept for the next body, because fresh memory of
 * their size costs page faults on every use. Thread-safe. What may be in use at once is bounded
 * elsewhere (object/budget.h); this bounds what lies idle. */
#pragma once

#include <pthread.h>
#include <stddef.h>

enum { BUFFERS_KEPT_MAX = 16 };

struct buffers {
    pthread_mutex_t lock;
    size_t buffer_bytes; /* of each */
    size_t count;
    void *kept[BUFFERS_KEPT_MAX];
};

void buffers_init(struct buffers *buffers, size_t buffer_bytes);
void buffers_release(struct buffers *buffers);
/* Uninitialised, aligned for O_DIRECT. */
void *buffers_take(struct buffers *buffers);
void buffers_give(struct buffers *buffers, void *buffer);
