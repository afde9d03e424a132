/* Aim: contents are the same for the same seed, key and offset however they are cut, and any other stretch, block or object
 * is told apart. */
#include "../unit.h"

#include "client/bench_content.h"

enum { PERIOD = BENCH_CONTENT_PERIOD };

static int make(void **state)
{
    *state = bench_content_new(1);
    return 0;
}

static int drop(void **state)
{
    bench_content_free(*state);
    return 0;
}

static void test_pieces_fit_together(void **state)
{
    static const uint64_t offsets[] = {
        0, 1, 4095, PERIOD - 1, PERIOD, PERIOD + 1, UINT64_C(5) << 40};
    static const uint64_t sizes[] = {1, 2, 4096, PERIOD - 1, PERIOD};
    for (uint64_t index = 0; index < 5; index++) {
        for (size_t o = 0; o < COUNT_OF(offsets); o++) {
            for (size_t s = 0; s < COUNT_OF(sizes); s++) {
                str piece = bench_content_at(*state, index, offsets[o], sizes[s]);
                assert_int_equal(piece.len, sizes[s]);
                assert_true(bench_content_matches(*state, index, offsets[o], piece));
                str rest = bench_content_at(*state, index, offsets[o] + 1, sizes[s] - 1);
                assert_str(str_skip(piece, 1), rest);
            }
        }
    }
    assert_int_equal(bench_content_at(*state, 0, 0, UINT64_MAX).len, PERIOD);
    assert_int_equal(bench_content_at(*state, 0, 0, 0).len, 0);
}

/* More than a period in one comparison, as one read may bring. */
static void test_long_comparison(void **state)
{
    size_t size = 2 * PERIOD + 12345;
    char *bytes = malloc(size);
    for (size_t at = 0; at < size;) {
        str piece = bench_content_at(*state, 7, 99 + at, size - at);
        memcpy(bytes + at, piece.ptr, piece.len);
        at += piece.len;
    }
    assert_true(bench_content_matches(*state, 7, 99, str_of(bytes, size)));
    bytes[size - 1] ^= 1;
    assert_false(bench_content_matches(*state, 7, 99, str_of(bytes, size)));
    free(bytes);
}

static void test_wrong_bytes_are_seen(void **state)
{
    char bytes[4096];
    str good = bench_content_at(*state, 3, 0, sizeof(bytes));
    for (size_t at = 0; at < sizeof(bytes); at += 455) {
        memcpy(bytes, good.ptr, sizeof(bytes));
        bytes[at] ^= 0x20;
        assert_false(bench_content_matches(*state, 3, 0, str_of(bytes, sizeof(bytes))));
    }
    assert_false(bench_content_matches(*state, 4, 0, good)); /* another object's */
    for (unsigned shift = 9; shift < 31; shift++)            /* another block of the same object */
        assert_false(bench_content_matches(*state, 3, UINT64_C(1) << shift, good));
}

static void test_seeds(void **state)
{
    struct bench_content *same = bench_content_new(1), *other = bench_content_new(2);
    assert_str(bench_content_at(same, 5, 0, 4096), bench_content_at(*state, 5, 0, 4096));
    assert_false(str_eq(bench_content_at(other, 5, 0, 4096), bench_content_at(*state, 5, 0, 4096)));
    bench_content_free(same);
    bench_content_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_fit_together),
        cmocka_unit_test(test_long_comparison),
        cmocka_unit_test(test_wrong_bytes_are_seen),
        cmocka_unit_test(test_seeds),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
