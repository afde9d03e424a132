/* Aim: every value falls into a bucket that holds it, percentiles err by less than one part in 128 and never pass the
 * maximum, and merging equals adding. */
#include "../unit.h"

#include "client/bench_histogram.h"

static struct bench_histogram histogram, other;

static void clear(void)
{
    memset(&histogram, 0, sizeof(histogram));
    memset(&other, 0, sizeof(other));
}

static void test_empty(void **state)
{
    (void)state;
    clear();
    assert_int_equal(bench_histogram_percentile(&histogram, 50), 0);
    assert_int_equal(bench_histogram_percentile(&histogram, 100), 0);
    assert_true(bench_histogram_mean(&histogram) == 0);
}

/* A single value, alone: its own percentile is itself, because the maximum is exact. */
static void test_single_values(void **state)
{
    (void)state;
    static const uint64_t values[] = {0,          1,
                                      126,        127,
                                      128,        129,
                                      255,        256,
                                      257,        511,
                                      512,        1000,
                                      4095,       4096,
                                      UINT32_MAX, UINT64_C(1) << 40,
                                      INT64_MAX,  UINT64_MAX - 1,
                                      UINT64_MAX};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        clear();
        bench_histogram_add(&histogram, values[i]);
        assert_int_equal(bench_histogram_percentile(&histogram, 0), values[i]);
        assert_int_equal(bench_histogram_percentile(&histogram, 50), values[i]);
        assert_int_equal(bench_histogram_percentile(&histogram, 100), values[i]);
    }
}

/* With a larger value beside it a percentile is the end of the bucket: at least the value, at most 1/128 above. */
static void test_error_is_bounded(void **state)
{
    (void)state;
    struct unit_random random = {1};
    for (int i = 0; i < 2000; i++) {
        uint64_t value = unit_random_u64(&random) >> (unit_random_u64(&random) % 63 + 1);
        clear();
        bench_histogram_add(&histogram, value);
        bench_histogram_add(&histogram, UINT64_MAX);
        uint64_t found = bench_histogram_percentile(&histogram, 50);
        assert_true(found >= value);
        assert_true(found - value <= value / 128);
    }
}

static void test_percentiles_of_a_run(void **state)
{
    (void)state;
    clear();
    for (uint64_t value = 1; value <= 100; value++)
        bench_histogram_add(&histogram, value);
    static const struct {
        double percent;
        uint64_t expected;
    } cases[] = {{0, 1}, {1, 1}, {1.5, 2}, {50, 50}, {90, 90}, {99, 99}, {99.9, 100}, {100, 100}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(bench_histogram_percentile(&histogram, cases[i].percent),
                         cases[i].expected);
    assert_true(bench_histogram_mean(&histogram) == 50.5);
}

/* 99.9 % of 1000 values is the 999th, though 0.999 * 1000 is a little more in binary. */
static void test_rank_is_not_rounded_up(void **state)
{
    (void)state;
    clear();
    for (int i = 0; i < 999; i++)
        bench_histogram_add(&histogram, 5);
    bench_histogram_add(&histogram, 100);
    assert_int_equal(bench_histogram_percentile(&histogram, 99.9), 5);
    assert_int_equal(bench_histogram_percentile(&histogram, 99.95), 100);
}

static void test_merge_equals_adding(void **state)
{
    (void)state;
    static struct bench_histogram both;
    struct unit_random random = {2};
    clear();
    memset(&both, 0, sizeof(both));
    for (int i = 0; i < 1000; i++) {
        uint64_t value = unit_random_u64(&random) >> 40;
        bench_histogram_add(i % 3 ? &histogram : &other, value);
        bench_histogram_add(&both, value);
    }
    bench_histogram_merge(&histogram, &other);
    assert_memory_equal(&histogram, &both, sizeof(both));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_single_values),
        cmocka_unit_test(test_error_is_bounded),
        cmocka_unit_test(test_percentiles_of_a_run),
        cmocka_unit_test(test_rank_is_not_rounded_up),
        cmocka_unit_test(test_merge_equals_adding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
