/* Aim: each checksum equals a bitwise model over random lengths, alignments and splits; combining equals computing over the
 * whole; lengths beyond an int work. */
#include "base/crc.h"

#include "../unit.h"

#include <sys/mman.h>

/* The three behind one type, so that each test is written once. */
static uint64_t update32(uint64_t crc, const void *data, size_t len)
{
    return crc32_update((uint32_t)crc, data, len);
}
static uint64_t update32c(uint64_t crc, const void *data, size_t len)
{
    return crc32c_update((uint32_t)crc, data, len);
}
static uint64_t combine32(uint64_t a, uint64_t b, uint64_t len_b)
{
    return crc32_combine((uint32_t)a, (uint32_t)b, len_b);
}
static uint64_t combine32c(uint64_t a, uint64_t b, uint64_t len_b)
{
    return crc32c_combine((uint32_t)a, (uint32_t)b, len_b);
}

static const struct kind {
    uint64_t (*update)(uint64_t crc, const void *data, size_t len);
    uint64_t (*combine)(uint64_t a, uint64_t b, uint64_t len_b);
    uint64_t polynomial;
    uint64_t ones;  /* all bits of the register */
    uint64_t check; /* of "123456789" */
} kinds[] = {
    {update32, combine32, 0xedb88320, UINT32_MAX, 0xcbf43926},
    {update32c, combine32c, 0x82f63b78, UINT32_MAX, 0xe3069283},
    {crc64nvme_update, crc64nvme_combine, 0x9a6c9329ac4bc9b5, UINT64_MAX, 0xae8b14860a799888},
};

static uint64_t model(const struct kind *kind, uint64_t crc, const uint8_t *data, size_t len)
{
    uint64_t reg = crc ^ kind->ones;
    for (size_t i = 0; i < len; i++) {
        reg ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            reg = reg & 1 ? reg >> 1 ^ kind->polynomial : reg >> 1;
    }
    return reg ^ kind->ones;
}

static void test_published_values(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        assert_true(kinds[k].update(0, "123456789", 9) == kinds[k].check);
        assert_true(kinds[k].update(0, "", 0) == 0);
    }
    uint8_t zeroes[32] = {0}; /* RFC 3720, B.4 */
    assert_int_equal(crc32c_update(0, zeroes, sizeof(zeroes)), 0x8a9136aa);
}

static void test_agrees_with_bits(void **state)
{
    (void)state;
    enum { LEN = 5000 };
    static uint8_t data[LEN];
    struct unit_random random = {6};
    unit_random_fill(&random, data, LEN);
    for (int round = 0; round < 600; round++) {
        const struct kind *kind = &kinds[round % 3];
        size_t from = unit_random_below(&random, 70);
        size_t len = unit_random_below(&random, round % 2 ? LEN - from : 400);
        size_t split = unit_random_below(&random, len + 1);
        uint64_t crc = unit_random_u64(&random) & kind->ones;
        uint64_t expected = model(kind, crc, data + from, len);
        assert_true(kind->update(crc, data + from, len) == expected);
        uint64_t first = kind->update(crc, data + from, split);
        assert_true(kind->update(first, data + from + split, len - split) == expected);
    }
}

static void test_combine(void **state)
{
    (void)state;
    enum { LEN = 3000 };
    static uint8_t data[LEN];
    struct unit_random random = {7};
    unit_random_fill(&random, data, LEN);
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        const struct kind *kind = &kinds[k];
        for (int round = 0; round < 200; round++) {
            size_t len = unit_random_below(&random, LEN);
            size_t split = round == 0 ? 0 : round == 1 ? len : unit_random_below(&random, len + 1);
            uint64_t a = kind->update(0, data, split);
            uint64_t b = kind->update(0, data + split, len - split);
            assert_true(kind->combine(a, b, len - split) == kind->update(0, data, len));
        }
    }
}

/* Two ways to put three pieces together must agree even where no computer could hold the pieces. */
static void test_combine_of_enormous_lengths(void **state)
{
    (void)state;
    struct unit_random random = {8};
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        const struct kind *kind = &kinds[k];
        for (int round = 0; round < 100; round++) {
            uint64_t a = unit_random_u64(&random) & kind->ones;
            uint64_t b = unit_random_u64(&random) & kind->ones;
            uint64_t c = unit_random_u64(&random) & kind->ones;
            uint64_t len_b = unit_random_u64(&random) >> 1, len_c = unit_random_u64(&random) >> 1;
            uint64_t left = kind->combine(kind->combine(a, b, len_b), c, len_c);
            uint64_t right = kind->combine(a, kind->combine(b, c, len_c), len_b + len_c);
            assert_true(left == right);
        }
    }
}

/* ISA-L takes the length of a CRC32C as an int. */
static void test_longer_than_an_int(void **state)
{
    (void)state;
    size_t half = (size_t)1 << 30, len = 2 * half + 5;
    const char *zeroes =
        mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (zeroes == MAP_FAILED)
        skip();
    uint64_t a = update32c(0, zeroes, half);
    uint64_t expected = combine32c(combine32c(a, a, half), update32c(0, zeroes, 5), 5);
    assert_true(update32c(0, zeroes, len) == expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_values),
        cmocka_unit_test(test_agrees_with_bits),
        cmocka_unit_test(test_combine),
        cmocka_unit_test(test_combine_of_enormous_lengths),
        cmocka_unit_test(test_longer_than_an_int),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
