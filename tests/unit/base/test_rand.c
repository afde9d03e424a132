/* Aim: the bytes asked for are written, all of them and no others, and differ from call to call. */
#include "base/rand.h"

#include "../unit.h"

static void test_fills_exactly(void **state)
{
    (void)state;
    /* Larger than what the kernel gives in one piece when it is interrupted. */
    enum { LEN = 70000, GUARD = 8 };
    static uint8_t bytes[LEN + GUARD];
    rand_bytes(bytes, LEN);
    for (size_t i = LEN; i < LEN + GUARD; i++)
        assert_int_equal(bytes[i], 0);
    /* 64 zeroes in a row somewhere mean that a stretch was not written. */
    for (size_t i = 0, zeroes = 0; i < LEN; i++) {
        zeroes = bytes[i] ? 0 : zeroes + 1;
        assert_true(zeroes < 64);
    }
    rand_bytes(NULL, 0);
}

static void test_differs(void **state)
{
    (void)state;
    assert_true(rand_u64() != rand_u64());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fills_exactly),
        cmocka_unit_test(test_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
