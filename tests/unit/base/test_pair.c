/* Aim: the first pair of a name is found, with and without regard to case; absence is null. */
#include "base/pair.h"

#include "../unit.h"

static void test_find(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {STR_INIT("Host"), STR_INIT("1")},
        {STR_INIT("host"), STR_INIT("2")},
        {STR_INIT("host"), STR_INIT("3")},
        {STR_INIT(""), STR_INIT("4")},
    };
    size_t count = COUNT_OF(pairs);
    assert_ptr_equal(pair_find(pairs, count, STR("host")), &pairs[1]);
    assert_ptr_equal(pair_find(pairs, count, STR("")), &pairs[3]);
    assert_null(pair_find(pairs, count, STR("HOST")));
    assert_null(pair_find(pairs, 1, STR("host")));
    assert_null(pair_find(NULL, 0, STR("host")));
    assert_ptr_equal(pair_find_nocase(pairs, count, STR("hOST")), &pairs[0]);
    assert_null(pair_find_nocase(pairs, count, STR("hosts")));
    assert_null(pair_find_nocase(NULL, 0, STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_find)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
