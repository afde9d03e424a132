/* The timers' binary heap. Invariant: timer[i]->slot == i, and timer[i] is not due before timer[(i - 1) / 2]. */
#include "event/heap.h"

#include <assert.h>

#include "base/mem.h"

void heap_release(struct heap *heap)
{
    for (size_t i = 0; i < heap->count; i++)
        heap->timer[i]->slot = SIZE_MAX;
    mem_free(heap->timer);
    *heap = (struct heap){0};
}

struct timer *heap_first(const struct heap *heap)
{
    return heap->count == 0 ? NULL : heap->timer[0];
}

static void place(struct heap *heap, size_t slot, struct timer *timer)
{
    heap->timer[slot] = timer;
    timer->slot = slot;
}

/* Finds the place of a timer that may be due before those above `slot`. */
static void sift_up(struct heap *heap, size_t slot, struct timer *timer)
{
    while (slot > 0) {
        size_t parent = (slot - 1) / 2;
        if (heap->timer[parent]->at_us <= timer->at_us)
            break;
        place(heap, slot, heap->timer[parent]);
        slot = parent;
    }
    place(heap, slot, timer);
}

/* Finds the place of a timer that may be due after those below `slot`. */
static void sift_down(struct heap *heap, size_t slot, struct timer *timer)
{
    for (;;) {
        size_t child = slot * 2 + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && heap->timer[child + 1]->at_us < heap->timer[child]->at_us)
            child++;
        if (heap->timer[child]->at_us >= timer->at_us)
            break;
        place(heap, slot, heap->timer[child]);
        slot = child;
    }
    place(heap, slot, timer);
}

/* One of the two directions moves it, the other finds it in place. */
static void settle(struct heap *heap, size_t slot, struct timer *timer)
{
    sift_up(heap, slot, timer);
    sift_down(heap, timer->slot, timer);
}

void heap_set(struct heap *heap, struct timer *timer, int64_t at_us)
{
    timer->at_us = at_us;
    if (timer->slot == SIZE_MAX) {
        heap->timer = mem_room(heap->timer, heap->count, &heap->capacity, sizeof(struct timer *));
        sift_up(heap, heap->count++, timer);
        return;
    }
    assert(timer->slot < heap->count && heap->timer[timer->slot] == timer);
    settle(heap, timer->slot, timer);
}

void heap_remove(struct heap *heap, struct timer *timer)
{
    if (timer->slot == SIZE_MAX)
        return;
    assert(timer->slot < heap->count && heap->timer[timer->slot] == timer);
    size_t slot = timer->slot;
    timer->slot = SIZE_MAX;
    struct timer *last = heap->timer[--heap->count];
    if (last != timer)
        settle(heap, slot, last);
}
