/* Aim: each operation's habit of choosing keys, the ends of plans, shares of a mix, and names and sizes that reader and
 * writer agree on. */
#include "../unit.h"

#include "client/bench_plan.h"

static struct bench_options make_options(uint64_t objects)
{
    return (struct bench_options){
        .objects = objects, .concurrency = 4, .size_min = 10, .size_max = 10};
}

static void test_put_goes_round(void **state)
{
    (void)state;
    struct bench_options options = make_options(3);
    struct bench_random random = {1};
    struct bench_plan plan;
    struct bench_choice choice;
    options.weight[BENCH_PUT] = 1;
    bench_plan_init_main(&plan, &options);
    for (uint64_t i = 0; i < 10; i++) {
        assert_true(bench_plan_next(&plan, &random, true, &choice));
        assert_int_equal(choice.op, BENCH_PUT);
        assert_int_equal(choice.index, i % 3);
    }
    assert_int_equal(bench_plan_highest(&plan), 3);
}

static void test_each_ends(void **state)
{
    (void)state;
    static const enum bench_op ops[] = {BENCH_PUT, BENCH_DELETE, BENCH_MAKE_BUCKET};
    for (size_t i = 0; i < COUNT_OF(ops); i++) {
        struct bench_options options = make_options(5);
        struct bench_random random = {1};
        struct bench_plan plan;
        struct bench_choice choice = {.index = 77};
        bench_plan_init_each(&plan, &options, ops[i], 7);
        for (uint64_t n = 0; n < 7; n++) {
            assert_true(bench_plan_next(&plan, &random, true, &choice));
            assert_int_equal(choice.op, ops[i]);
            if (ops[i] != BENCH_MAKE_BUCKET)
                assert_int_equal(choice.index, n);
        }
        uint64_t last = choice.index;
        assert_false(bench_plan_next(&plan, &random, true, &choice));
        assert_int_equal(choice.index, last);
    }
}

static void test_delete_takes_each_key_once(void **state)
{
    (void)state;
    struct bench_options options = make_options(4);
    struct bench_random random = {1};
    struct bench_plan plan;
    struct bench_choice choice;
    options.weight[BENCH_DELETE] = 3;
    bench_plan_init_main(&plan, &options);
    for (uint64_t i = 0; i < 4; i++) {
        assert_true(
            bench_plan_next(&plan, &random, i > 1, &choice)); /* the warm-up's are gone too */
        assert_int_equal(choice.index, i);
    }
    assert_false(bench_plan_next(&plan, &random, true, &choice));
}

static void test_reads_take_each_key_once(void **state)
{
    (void)state;
    static const uint64_t counts[] = {1, 2, 3, 4, 10, 50, 1000, 4999};
    static bool is_read[5000];
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        struct bench_options options = make_options(counts[i]);
        options.each_once = true;
        options.weight[i % 2 ? BENCH_HEAD : BENCH_GET] = 1;
        struct bench_random random = {1};
        struct bench_plan plan;
        struct bench_choice choice;
        bench_plan_init_main(&plan, &options);
        memset(is_read, 0, sizeof(is_read));
        for (uint64_t n = 0, last = 0; n < counts[i]; n++, last = choice.index) {
            assert_true(bench_plan_next(&plan, &random, true, &choice));
            assert_true(choice.index < counts[i] && !is_read[choice.index]);
            is_read[choice.index] = true;
            uint64_t step = choice.index > last ? choice.index - last : last - choice.index;
            assert_true(n == 0 || counts[i] < 10 || step > counts[i] / 4);
        }
        assert_false(bench_plan_next(&plan, &random, true, &choice));
    }
}

/* Lists and mixes choose at random whatever is said about reads. */
static void test_others_do_not_end(void **state)
{
    (void)state;
    for (unsigned is_mix = 0; is_mix < 2; is_mix++) {
        struct bench_options options = make_options(3);
        options.each_once = true;
        options.weight[BENCH_GET] = options.weight[BENCH_PUT] = is_mix;
        options.weight[BENCH_LIST] = !is_mix;
        struct bench_random random = {1};
        struct bench_plan plan;
        struct bench_choice choice;
        bench_plan_init_main(&plan, &options);
        for (int n = 0; n < 100; n++)
            assert_true(bench_plan_next(&plan, &random, true, &choice));
    }
}

static void test_limit_is_of_counted_requests(void **state)
{
    (void)state;
    struct bench_options options = make_options(10);
    struct bench_random random = {1};
    struct bench_plan plan;
    struct bench_choice choice;
    options.weight[BENCH_GET] = 1;
    options.requests = 2;
    bench_plan_init_main(&plan, &options);
    for (int i = 0; i < 5; i++)
        assert_true(bench_plan_next(&plan, &random, false, &choice));
    assert_true(bench_plan_next(&plan, &random, true, &choice));
    assert_true(bench_plan_next(&plan, &random, true, &choice));
    assert_false(bench_plan_next(&plan, &random, true, &choice));
}

static void test_abort(void **state)
{
    (void)state;
    struct bench_options options = make_options(10);
    struct bench_random random = {1};
    struct bench_plan plan;
    struct bench_choice choice;
    options.weight[BENCH_GET] = 1;
    bench_plan_init_main(&plan, &options);
    assert_true(bench_plan_next(&plan, &random, true, &choice));
    atomic_store(&plan.is_aborted, true);
    assert_false(bench_plan_next(&plan, &random, true, &choice));
}

/* Within three standard deviations of its share, and reads among the prepared keys only. */
static void test_shares_of_a_mix(void **state)
{
    (void)state;
    enum { ROUNDS = 20000 };
    struct bench_options options = make_options(100);
    struct bench_random random = {1};
    struct bench_plan plan;
    struct bench_choice choice;
    unsigned seen[BENCH_OP_COUNT] = {0};
    options.weight[BENCH_GET] = 70;
    options.weight[BENCH_PUT] = 20;
    options.weight[BENCH_LIST] = 10;
    bench_plan_init_main(&plan, &options);
    for (int i = 0; i < ROUNDS; i++) {
        assert_true(bench_plan_next(&plan, &random, true, &choice));
        assert_true(choice.index < 100);
        seen[choice.op]++;
    }
    assert_in_range(seen[BENCH_GET], 14000 - 200, 14000 + 200);
    assert_in_range(seen[BENCH_PUT], 4000 - 170, 4000 + 170);
    assert_in_range(seen[BENCH_LIST], 2000 - 130, 2000 + 130);
    assert_int_equal(seen[BENCH_HEAD] + seen[BENCH_DELETE], 0);
    assert_int_equal(bench_plan_highest(&plan), 100);
}

/* Deletes take only what the same mix has put, in order, and not the newest, which may still be on their way. */
static void test_deletes_of_a_mix(void **state)
{
    (void)state;
    struct bench_options options = make_options(10);
    struct bench_random random = {1};
    struct bench_plan plan;
    struct bench_choice choice;
    uint64_t puts = 0, deletes = 0;
    options.weight[BENCH_PUT] = 1;
    options.weight[BENCH_DELETE] = 9;
    bench_plan_init_main(&plan, &options);
    for (int i = 0; i < 1000; i++) {
        assert_true(bench_plan_next(&plan, &random, true, &choice));
        if (choice.op == BENCH_PUT) {
            assert_int_equal(choice.index, 10 + puts++);
        } else {
            assert_int_equal(choice.op, BENCH_DELETE);
            assert_int_equal(choice.index, 10 + deletes++);
            assert_true(deletes + options.concurrency <= puts);
        }
    }
    assert_true(deletes > 400);
    assert_int_equal(bench_plan_highest(&plan), 10 + puts);
}

static void test_key_names(void **state)
{
    (void)state;
    static const struct {
        const char *prefix;
        uint64_t folders, index;
        const char *key;
    } cases[] = {
        {"bench/", 0, 0, "bench/0000000000"},
        {"", 0, 9999999999, "9999999999"},
        {"p", 10, 27, "p00007/0000000027"},
        {"p/", 100000, 100001, "p/00001/0000100001"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bench_options options = {.prefix = str_from(cases[i].prefix),
                                        .folders = cases[i].folders};
        struct buf key;
        buf_init(&key, 1024);
        bench_key_append(&options, cases[i].index, &key);
        assert_str(buf_str(&key), str_from(cases[i].key));
        buf_release(&key);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    struct bench_options one = {.size_min = 5, .size_max = 5};
    struct bench_options range = {.size_min = 0, .size_max = 3};
    unsigned seen[4] = {0};
    for (uint64_t i = 0; i < 4000; i++) {
        assert_int_equal(bench_key_size(&one, i), 5);
        uint64_t size = bench_key_size(&range, i);
        assert_true(size <= 3);
        assert_int_equal(bench_key_size(&range, i), size);
        seen[size]++;
    }
    for (size_t i = 0; i < 4; i++)
        assert_in_range(seen[i], 850, 1150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_goes_round),
        cmocka_unit_test(test_each_ends),
        cmocka_unit_test(test_delete_takes_each_key_once),
        cmocka_unit_test(test_reads_take_each_key_once),
        cmocka_unit_test(test_others_do_not_end),
        cmocka_unit_test(test_limit_is_of_counted_requests),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_shares_of_a_mix),
        cmocka_unit_test(test_deletes_of_a_mix),
        cmocka_unit_test(test_key_names),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
