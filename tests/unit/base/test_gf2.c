/* Aim: the field's laws hold, and powers of x agree with shifting one bit at a time. */
#include "base/gf2.h"

#include "../unit.h"

static const struct gf2 fields[] = {
    {0xedb88320, 32}, {0x82f63b78, 32}, {0x9a6c9329ac4bc9b5, 64}, {0x8, 4} /* x^4 + 1 */
};

static void test_powers_by_single_steps(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        uint64_t expected = (uint64_t)1 << (fields[i].width - 1);
        for (uint64_t n = 0; n < 300; n++) {
            assert_true(gf2_x_pow(fields[i], n) == expected);
            expected = expected >> 1 ^ (expected & 1 ? fields[i].polynomial : 0);
        }
    }
}

static void test_laws(void **state)
{
    (void)state;
    struct unit_random random = {4};
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        struct gf2 f = fields[i];
        uint64_t one = (uint64_t)1 << (f.width - 1), mask = one | (one - 1);
        for (int round = 0; round < 100; round++) {
            uint64_t a = unit_random_u64(&random) & mask, b = unit_random_u64(&random) & mask;
            uint64_t c = unit_random_u64(&random) & mask;
            assert_true(gf2_mul(f, a, one) == a);
            assert_true(gf2_mul(f, a, 0) == 0);
            assert_true(gf2_mul(f, a, b) == gf2_mul(f, b, a));
            assert_true(gf2_mul(f, a, b ^ c) == (gf2_mul(f, a, b) ^ gf2_mul(f, a, c)));
            uint64_t m = a >> 1, n = b >> 1; /* the sum must not overflow */
            assert_true(gf2_mul(f, gf2_x_pow(f, m), gf2_x_pow(f, n)) == gf2_x_pow(f, m + n));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_powers_by_single_steps),
        cmocka_unit_test(test_laws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
