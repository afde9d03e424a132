/* Aim: a mistyped word finds the one that was meant, and nonsense finds none. */
#include "app/nearest.h"

#include "../unit.h"

static void test_distances(void **state)
{
    (void)state;
    static char longest[NEAREST_MAX_LEN + 1];
    memset(longest, 'x', sizeof(longest));
    const struct {
        str a, b;
        size_t distance;
    } cases[] = {
        {STR(""), STR(""), 0},
        {STR(""), STR("abc"), 3},
        {STR("serve"), STR("serve"), 0},
        {STR("serv"), STR("serve"), 1},
        {STR("sserve"), STR("serve"), 1},
        {STR("sarve"), STR("serve"), 1},
        {STR("srevee"), STR("serve"), 2},
        {STR("esrve"), STR("serve"), 1}, /* neighbours swapped */
        {STR("SERVE"), STR("serve"), 0},
        {STR("data_dir"), STR("data-dir"), 0},
        {STR("kitten"), STR("sitting"), 3},
        {str_of(longest, NEAREST_MAX_LEN), str_of(longest, NEAREST_MAX_LEN), 0},
        {str_of(longest, NEAREST_MAX_LEN + 1), STR("x"), SIZE_MAX},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(word_distance(cases[i].a, cases[i].b), cases[i].distance);
        assert_int_equal(word_distance(cases[i].b, cases[i].a), cases[i].distance);
    }
}

static void test_what_is_near(void **state)
{
    (void)state;
    const struct {
        str written, word;
        bool is_near;
    } cases[] = {
        {STR("crate"), STR("create"), true},
        {STR("ceate"), STR("create"), true},
        {STR("xyz"), STR("create"), false},
        {STR("st"), STR("ls"), false}, /* two off, but no letter is left */
        {STR("kez"), STR("key"), true},
        {STR(""), STR("key"), false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t best = SIZE_MAX;
        assert_int_equal(word_is_nearer(cases[i].written, cases[i].word, &best), cases[i].is_near);
        assert_int_equal(best != SIZE_MAX, cases[i].is_near);
    }
    /* Equally near is not nearer: the first stays. */
    size_t best = SIZE_MAX;
    assert_true(word_is_nearer(STR("lust"), STR("list"), &best));
    assert_false(word_is_nearer(STR("lust"), STR("last"), &best));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distances),
        cmocka_unit_test(test_what_is_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
