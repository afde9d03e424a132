/* Aim: the number in <KeyCount> is found at every cut, and nothing else is taken for it. */
#include "../unit.h"

#include "client/bench_key_count.h"

static void test_found_at_every_cut(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_done;
        uint64_t value;
    } cases[] = {
        {"<ListBucketResult><Name>b</Name><KeyCount>1000</KeyCount><Contents>", true, 1000},
        {"<KeyCount>0</KeyCount>", true, 0},
        {"<<KeyCount>7</KeyCount><KeyCount>8</KeyCount>", true, 7},
        {"<KeyCoun<KeyCount>12</KeyCount>", true, 12},
        {"<Key>&lt;KeyCount&gt;5</Key>", false, 0},
        {"KeyCount>5</KeyCount>", false, 0},
        {"<KeyCounts>5</KeyCounts>", false, 0},
        {"<KeyCount></KeyCount>", true, 0},
        {"<KeyCount>99999999999999999999999</KeyCount>", true, 9999999999},
        {"", false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        str text = str_from(cases[i].text);
        for (size_t cut = 0; cut <= text.len; cut++) {
            struct bench_key_count count = {0};
            bench_key_count_feed(&count, str_slice(text, 0, cut));
            bench_key_count_feed(&count, str_skip(text, cut));
            assert_int_equal(count.is_done, cases[i].is_done);
            assert_int_equal(count.value, cases[i].value);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_found_at_every_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
