/* Aim: timers leave the heap in the order of their times, whatever was moved or removed in between, and each knows its
 * slot at every moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "event/heap.h"

enum { TIMER_COUNT = 500, ROUNDS = 20000 };

static void never(struct timer *timer)
{
    (void)timer;
    fail();
}

/* A small generator of our own, so that a failure repeats. */
static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

static void check_invariants(const struct heap *heap)
{
    for (size_t i = 0; i < heap->count; i++) {
        assert_int_equal(heap->timer[i]->slot, i);
        if (i > 0)
            assert_true(heap->timer[(i - 1) / 2]->at_us <= heap->timer[i]->at_us);
    }
}

static void test_empty(void **state)
{
    (void)state;
    struct heap heap = {0};
    struct timer timer;
    timer_init(&timer, never);
    assert_null(heap_first(&heap));
    heap_remove(&heap, &timer); /* not set: nothing happens */
    assert_int_equal(timer.slot, SIZE_MAX);
    heap_release(&heap);
}

static void test_random_moves(void **state)
{
    (void)state;
    struct heap heap = {0};
    static struct timer timer[TIMER_COUNT];
    uint32_t random = 1;
    for (size_t i = 0; i < TIMER_COUNT; i++)
        timer_init(&timer[i], never);
    for (int round = 0; round < ROUNDS; round++) {
        struct timer *chosen = &timer[next_random(&random) % TIMER_COUNT];
        if (next_random(&random) % 4 == 0)
            heap_remove(&heap, chosen);
        else
            heap_set(&heap, chosen, next_random(&random) % 1000);
        if (round % 100 == 0)
            check_invariants(&heap);
    }
    int64_t before = INT64_MIN;
    while (heap.count > 0) {
        struct timer *first = heap_first(&heap);
        assert_true(first->at_us >= before);
        before = first->at_us;
        heap_remove(&heap, first);
        check_invariants(&heap);
    }
    for (size_t i = 0; i < TIMER_COUNT; i++)
        assert_int_equal(timer[i].slot, SIZE_MAX);
    heap_release(&heap);
}

static void test_release_forgets(void **state)
{
    (void)state;
    struct heap heap = {0};
    struct timer timer;
    timer_init(&timer, never);
    heap_set(&heap, &timer, 5);
    heap_release(&heap);
    assert_int_equal(timer.slot, SIZE_MAX);
    heap_set(&heap, &timer, 7); /* usable again */
    assert_ptr_equal(heap_first(&heap), &timer);
    heap_release(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_random_moves),
        cmocka_unit_test(test_release_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
