/* The table of block checksums: the limit of a row, and spans at the edges. What extents do with it is in tests/engine. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "store/blocks.h"

#define assert_err(actual, expected) assert_string_equal(err_name(actual), err_name(expected))

enum { BLOCK = 4096 };

static void too_many_blocks_for_a_row(void **state)
{
    (void)state;
    struct block_crcs crcs;
    block_crcs_init(&crcs, BLOCK);
    uint64_t last = (uint64_t)ROW_VALUE_MAX / 8 - 1;
    assert_err(block_crcs_add(&crcs, "x", 1, last * BLOCK), OK);
    assert_err(block_crcs_add(&crcs, "x", 1, (last + 1) * BLOCK), ERR_TOO_LARGE);
    assert_err(block_crcs_add(&crcs, "x", 1, UINT64_MAX - BLOCK + 1), ERR_TOO_LARGE);
    block_crcs_release(&crcs);
}

static void spans_are_whole_blocks(void **state)
{
    (void)state;
    static const struct {
        uint64_t length, offset;
        size_t room;
        uint64_t start;
        size_t len, skip;
    } cases[] = {
        {1, 0, 2 * BLOCK, 0, 1, 0},
        {BLOCK, BLOCK - 1, 2 * BLOCK, 0, BLOCK, BLOCK - 1},
        {BLOCK + 1, BLOCK, 2 * BLOCK, BLOCK, 1, 0},
        {5 * BLOCK, BLOCK + 1, 2 * BLOCK, BLOCK, 2 * BLOCK, 1},
        {5 * BLOCK, BLOCK + 1, 4 * BLOCK - 1, BLOCK, 3 * BLOCK, 1},
        {5 * BLOCK + 9, 4 * BLOCK, 9 * BLOCK, 4 * BLOCK, BLOCK + 9, 0},
        {UINT64_MAX, UINT64_MAX - 1, 2 * BLOCK, UINT64_MAX - (BLOCK - 1), BLOCK - 1, BLOCK - 2},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct extent_row row = {.length = cases[i].length, .block_size = BLOCK};
        struct block_span span;
        assert_err(block_span_of(&row, cases[i].offset, cases[i].room, &span), OK);
        assert_int_equal(span.start, cases[i].start);
        assert_int_equal(span.len, cases[i].len);
        assert_int_equal(span.skip, cases[i].skip);
    }
    struct extent_row row = {.length = BLOCK, .block_size = BLOCK};
    struct block_span span;
    assert_err(block_span_of(&row, 0, 2 * BLOCK - 1, &span), ERR_TOO_LARGE);
}

static void rows_that_contradict_themselves(void **state)
{
    (void)state;
    static const struct {
        uint64_t length, block_size;
        size_t crc_bytes;
        enum err expected;
    } cases[] = {
        {0, BLOCK, 0, OK},
        {1, BLOCK, 4, OK},
        {BLOCK, BLOCK, 4, OK},
        {BLOCK + 1, BLOCK, 8, OK},
        {BLOCK + 1, BLOCK, 4, ERR_CORRUPT},
        {BLOCK, BLOCK, 5, ERR_CORRUPT},
        {0, BLOCK, 4, ERR_CORRUPT},
        {BLOCK, 0, 4, ERR_CORRUPT},
        {BLOCK, BLOCK + 1, 4, ERR_CORRUPT},
        {BLOCK, 512, 32, ERR_CORRUPT},
        {BLOCK, 32 << 20, 4, ERR_CORRUPT},
        {UINT64_MAX, BLOCK, 4, ERR_CORRUPT},
    };
    char crcs[32] = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct extent_row row = {.length = cases[i].length,
                                 .block_size = cases[i].block_size,
                                 .block_crcs = str_of(crcs, cases[i].crc_bytes)};
        assert_err(extent_row_check(&row), cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_many_blocks_for_a_row),
        cmocka_unit_test(spans_are_whole_blocks),
        cmocka_unit_test(rows_that_contradict_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
