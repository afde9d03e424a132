/* Aim: the tables and the folding give the same register as one bit at a time, for every length around the strides and
 * every alignment. */
#include "base/crc64.h"

#include "../unit.h"

static uint64_t bit_by_bit(uint64_t reg, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        reg ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            reg = reg & 1 ? reg >> 1 ^ CRC64NVME_POLYNOMIAL : reg >> 1;
    }
    return reg;
}

static void test_agrees_with_bits(void **state)
{
    (void)state;
    enum { LEN = 5200, ALIGNMENTS = 17 };
    static uint8_t data[LEN + ALIGNMENTS];
    struct unit_random random = {5};
    unit_random_fill(&random, data, sizeof(data));
    for (size_t len = 0; len <= LEN; len += len < 300 ? 1 : 13) {
        const uint8_t *at = data + len % ALIGNMENTS;
        uint64_t reg = unit_random_u64(&random);
        uint64_t expected = bit_by_bit(reg, at, len);
        assert_true(crc64_table_update(reg, at, len) == expected);
        if (crc64_clmul_works())
            assert_true(crc64_clmul_update(reg, at, len) == expected);
        if (crc64_wide_works())
            assert_true(crc64_wide_update(reg, at, len) == expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_agrees_with_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
