#include "object/buffers.h"

#include "base/mem.h"

enum { ALIGNMENT = 4096 };

void buffers_init(struct buffers *buffers, size_t buffer_bytes)
{
    pthread_mutex_init(&buffers->lock, NULL);
    buffers->buffer_bytes = buffer_bytes;
    buffers->count = 0;
}

void buffers_release(struct buffers *buffers)
{
    while (buffers->count > 0)
        mem_free(buffers->kept[--buffers->count]);
    pthread_mutex_destroy(&buffers->lock);
}

void *buffers_take(struct buffers *buffers)
{
    pthread_mutex_lock(&buffers->lock);
    void *buffer = buffers->count > 0 ? buffers->kept[--buffers->count] : NULL;
    pthread_mutex_unlock(&buffers->lock);
    return buffer != NULL ? buffer : mem_alloc_aligned(ALIGNMENT, buffers->buffer_bytes);
}

void buffers_give(struct buffers *buffers, void *buffer)
{
    pthread_mutex_lock(&buffers->lock);
    bool is_kept = buffers->count < BUFFERS_KEPT_MAX;
    if (is_kept)
        buffers->kept[buffers->count++] = buffer;
    pthread_mutex_unlock(&buffers->lock);
    if (!is_kept)
        mem_free(buffer);
}
