/* heap: the loop's timers, a binary min-heap by due time. Each timer knows its slot, so moving and removing one costs
 * O(log n) without a search. Private to this folder. */
#pragma once

#include "event/loop.h"

/* A zeroed struct is an empty heap. The timers are borrowed. */
struct heap {
    struct timer **timer;
    size_t count;
    size_t capacity;
};

void heap_release(struct heap *heap); /* forgets the timers, frees the array */

/* The timer that is due first, or null. */
struct timer *heap_first(const struct heap *heap);

/* Inserts the timer, or moves it when it is in the heap already. */
void heap_set(struct heap *heap, struct timer *timer, int64_t at_us);

/* Nothing happens when it is not in the heap. */
void heap_remove(struct heap *heap, struct timer *timer);
