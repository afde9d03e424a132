/* Aim: what is pinned stays pinned until as many have let go as had taken hold, and neither another id nor another kind of the
 * same id is touched by it. */
#include "../unit.h"

#include "event/thread.h"
#include "object/pins.h"

static void test_counts(void **state)
{
    (void)state;
    struct pins pins;
    pins_init(&pins);
    assert_false(is_pinned(&pins, GARBAGE_MANIFEST, 7));
    pin(&pins, GARBAGE_MANIFEST, 7);
    pin(&pins, GARBAGE_MANIFEST, 7);
    assert_true(is_pinned(&pins, GARBAGE_MANIFEST, 7));
    assert_false(is_pinned(&pins, GARBAGE_EXTENT, 7));
    assert_false(is_pinned(&pins, GARBAGE_MANIFEST, 8));
    assert_false(is_pinned(&pins, GARBAGE_MANIFEST, UINT64_C(7) << 56));
    unpin(&pins, GARBAGE_MANIFEST, 7);
    assert_true(is_pinned(&pins, GARBAGE_MANIFEST, 7));
    unpin(&pins, GARBAGE_MANIFEST, 7);
    assert_false(is_pinned(&pins, GARBAGE_MANIFEST, 7));
    pins_release(&pins); /* asserts that none is left */
}

static void hold_and_let_go(void *context)
{
    struct pins *pins = context;
    for (uint64_t i = 0; i < 5000; i++) {
        pin(pins, GARBAGE_MANIFEST, i % 5);
        assert_true(is_pinned(pins, GARBAGE_MANIFEST, i % 5));
        unpin(pins, GARBAGE_MANIFEST, i % 5);
    }
}

static void test_threads(void **state)
{
    (void)state;
    struct pins pins;
    pthread_t thread[3];
    pins_init(&pins);
    for (size_t i = 0; i < COUNT_OF(thread); i++)
        assert_ok(thread_start(&thread[i], "pins", hold_and_let_go, &pins));
    for (size_t i = 0; i < COUNT_OF(thread); i++)
        thread_join(thread[i]);
    for (uint64_t id = 0; id < 5; id++)
        assert_false(is_pinned(&pins, GARBAGE_MANIFEST, id));
    pins_release(&pins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
