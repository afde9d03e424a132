/* Aim: every function of str, at its boundaries: empty and null slices, whole matches, overflow, broken UTF-8. */
#include "../unit.h"

static const str null_str = {NULL, 0};

static void test_equality(void **state)
{
    (void)state;
    static const struct {
        str a, b;
        bool equal, equal_nocase;
    } cases[] = {
        {STR_INIT(""), STR_INIT(""), true, true},
        {{NULL, 0}, STR_INIT(""), true, true},
        {STR_INIT("a"), STR_INIT(""), false, false},
        {STR_INIT("a"), STR_INIT("a"), true, true},
        {STR_INIT("Az"), STR_INIT("aZ"), false, true},
        {STR_INIT("a\0b"), STR_INIT("a\0c"), false, false},
        {STR_INIT("@["), STR_INIT("`{"), false, false}, /* the neighbours of the letters */
        {STR_INIT("\xc4"), STR_INIT("\xe4"), false, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(str_eq(cases[i].a, cases[i].b), cases[i].equal);
        assert_int_equal(str_eq_constant_time(cases[i].a, cases[i].b), cases[i].equal);
        assert_int_equal(str_eq_nocase(cases[i].a, cases[i].b), cases[i].equal_nocase);
        assert_int_equal(str_eq_nocase(cases[i].b, cases[i].a), cases[i].equal_nocase);
    }
    assert_str(str_from(NULL), STR(""));
    assert_str(str_from("abc"), STR("abc"));
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

static void test_order_is_by_bytes(void **state)
{
    (void)state;
    static const str ascending[] = {STR_INIT(""),  STR_INIT("\0"),   STR_INIT("A"),
                                    STR_INIT("a"), STR_INIT("a\0"),  STR_INIT("aa"),
                                    STR_INIT("b"), STR_INIT("\x7f"), STR_INIT("\x80")};
    for (size_t i = 0; i < COUNT_OF(ascending); i++)
        for (size_t j = 0; j < COUNT_OF(ascending); j++)
            assert_int_equal(sign(str_cmp(ascending[i], ascending[j])), (i > j) - (i < j));
    assert_int_equal(str_cmp(null_str, STR("")), 0);
}

static void test_prefix_and_suffix(void **state)
{
    (void)state;
    assert_true(str_has_prefix(STR("abc"), STR("ab")));
    assert_true(str_has_prefix(STR("abc"), STR("abc")));
    assert_true(str_has_prefix(STR("abc"), null_str));
    assert_true(str_has_prefix(null_str, null_str));
    assert_false(str_has_prefix(str_of("abc", 2), STR("abc")));
    assert_false(str_has_prefix_nocase(str_of("abc", 2), STR("abc")));
    assert_false(str_has_prefix(STR("abc"), STR("AB")));
    assert_true(str_has_prefix_nocase(STR("abc"), STR("AB")));
    assert_false(str_has_prefix_nocase(STR("a"), STR("AB")));
    assert_true(str_has_suffix(STR("abc"), STR("bc")));
    assert_true(str_has_suffix(STR("abc"), null_str));
    assert_false(str_has_suffix(STR("abc"), STR("ab")));
    assert_false(str_has_suffix(STR("c"), STR("bc")));
}

static void test_find(void **state)
{
    (void)state;
    assert_int_equal(str_find_char(STR("abca"), 'a'), 0);
    assert_int_equal(str_find_char(STR("abca"), 'c'), 2);
    assert_int_equal(str_find_char(STR("abca"), 'x'), -1);
    assert_int_equal(str_find_char(null_str, 'x'), -1);
    assert_int_equal(str_find(STR("abcabd"), STR("abd")), 3);
    assert_int_equal(str_find(STR("abc"), STR("abcd")), -1);
    assert_int_equal(str_find(STR("abc"), null_str), 0);
    assert_int_equal(str_find(null_str, null_str), 0);
    assert_int_equal(str_find(null_str, STR("a")), -1);
}

static void test_slices(void **state)
{
    (void)state;
    assert_str(str_skip(STR("abc"), 0), STR("abc"));
    assert_str(str_skip(STR("abc"), 3), STR(""));
    assert_str(str_skip(null_str, 0), STR(""));
    assert_str(str_slice(STR("abcd"), 1, 3), STR("bc"));
    assert_str(str_slice(STR("abcd"), 4, 4), STR(""));
    assert_str(str_slice(null_str, 0, 0), STR(""));
}

static void test_cut(void **state)
{
    (void)state;
    static const struct {
        str text, head, rest;
        bool found;
    } cases[] = {
        {STR_INIT("a=b=c"), STR_INIT("a"), STR_INIT("b=c"), true},
        {STR_INIT("=b"), STR_INIT(""), STR_INIT("b"), true},
        {STR_INIT("a="), STR_INIT("a"), STR_INIT(""), true},
        {STR_INIT("a"), STR_INIT("a"), STR_INIT(""), false},
        {{NULL, 0}, STR_INIT(""), STR_INIT(""), false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        str head = STR("unset"), rest = STR("unset");
        assert_int_equal(str_cut(cases[i].text, '=', &head, &rest), cases[i].found);
        assert_str(head, cases[i].head);
        assert_str(rest, cases[i].rest);
    }
}

static void test_trim(void **state)
{
    (void)state;
    assert_str(str_trim(STR(" \ta b\t ")), STR("a b"));
    assert_str(str_trim(STR(" \t ")), STR(""));
    assert_str(str_trim(null_str), STR(""));
    assert_str(str_trim(STR("\na\r")), STR("\na\r"));
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        str text;
        bool u64_is_ok, i64_is_ok;
        int64_t value; /* of those that fit an int64_t */
    } cases[] = {
        {STR_INIT("0"), true, true, 0},
        {STR_INIT("007"), true, true, 7},
        {STR_INIT("-0"), false, true, 0},
        {STR_INIT("-1"), false, true, -1},
        {STR_INIT("9223372036854775807"), true, true, INT64_MAX},
        {STR_INIT("-9223372036854775808"), false, true, INT64_MIN},
        {STR_INIT("9223372036854775808"), true, false, 0},
        {STR_INIT("-9223372036854775809"), false, false, 0},
        {STR_INIT("18446744073709551615"), true, false, 0},
        {STR_INIT("18446744073709551616"), false, false, 0},
        {STR_INIT("99999999999999999999999"), false, false, 0},
        {STR_INIT(""), false, false, 0},
        {STR_INIT("-"), false, false, 0},
        {STR_INIT("--1"), false, false, 0},
        {STR_INIT("+1"), false, false, 0},
        {STR_INIT(" 1"), false, false, 0},
        {STR_INIT("1 "), false, false, 0},
        {STR_INIT("1a"), false, false, 0},
        {STR_INIT("/"), false, false, 0}, /* the neighbours of the digits */
        {STR_INIT(":"), false, false, 0},
        {STR_INIT("\xb1"), false, false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t u64 = 77;
        int64_t i64 = 77;
        assert_err(str_to_u64(cases[i].text, &u64), cases[i].u64_is_ok ? OK : ERR_BAD_INPUT);
        assert_err(str_to_i64(cases[i].text, &i64), cases[i].i64_is_ok ? OK : ERR_BAD_INPUT);
        assert_int_equal(i64, cases[i].i64_is_ok ? cases[i].value : 77);
        if (!cases[i].u64_is_ok)
            assert_int_equal(u64, 77);
        else if (cases[i].i64_is_ok)
            assert_int_equal(u64, (uint64_t)cases[i].value);
    }
    uint64_t largest;
    assert_ok(str_to_u64(STR("18446744073709551615"), &largest));
    assert_true(largest == UINT64_MAX);
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        str text;
        size_t first_len; /* 0: not UTF-8 */
    } cases[] = {
        {STR_INIT("a"), 1},
        {STR_INIT("\x7f"), 1},
        {STR_INIT("\xc2\x80"), 2},
        {STR_INIT("\xdf\xbf"), 2},
        {STR_INIT("\xe0\xa0\x80"), 3},
        {STR_INIT("\xed\x9f\xbf"), 3},
        {STR_INIT("\xee\x80\x80"), 3},
        {STR_INIT("\xef\xbf\xbf"), 3},
        {STR_INIT("\xf0\x90\x80\x80"), 4},
        {STR_INIT("\xf4\x8f\xbf\xbf"), 4},
        {STR_INIT("\x80"), 0},             /* continuation alone */
        {STR_INIT("\xc1\xbf"), 0},         /* overlong */
        {STR_INIT("\xe0\x9f\xbf"), 0},     /* overlong */
        {STR_INIT("\xf0\x8f\xbf\xbf"), 0}, /* overlong */
        {STR_INIT("\xed\xa0\x80"), 0},     /* surrogate */
        {STR_INIT("\xf4\x90\x80\x80"), 0}, /* above U+10FFFF */
        {STR_INIT("\xf5\x80\x80\x80"), 0},
        {STR_INIT("\xff"), 0},
        {STR_INIT("\xc3"), 0}, /* cut */
        {STR_INIT("\xe2\x82"), 0},
        {STR_INIT("\xf0\x90\x80"), 0},
        {STR_INIT("\xc3\x28"), 0}, /* a continuation is missing */
        {STR_INIT("\xe2\x28\xa1"), 0},
        {STR_INIT("\xe2\x82\x28"), 0},
        {STR_INIT("\xf0\x90\x28\x80"), 0},
    };
    assert_true(str_is_utf8(null_str));
    assert_int_equal(str_utf8_len(null_str), 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        str text = cases[i].text;
        assert_int_equal(str_utf8_len(text), cases[i].first_len);
        /* Behind every number of ASCII characters, for the steps of eight. */
        for (size_t before = 0; before < 20; before++) {
            char padded[64];
            memset(padded, 'x', sizeof(padded));
            memcpy(padded + before, text.ptr, text.len);
            bool valid = cases[i].first_len != 0;
            assert_int_equal(str_is_utf8(str_of(padded, before + text.len)), valid);
            assert_int_equal(str_is_utf8(str_of(padded, sizeof(padded))), valid);
        }
    }
}

static void test_hash(void **state)
{
    (void)state;
    assert_true(str_hash(STR("abc")) == str_hash(str_slice(STR("xabcx"), 1, 4)));
    assert_true(str_hash(STR("abc")) != str_hash(STR("abd")));
    assert_true(str_hash(STR("")) != str_hash(STR("\0")));
    assert_true(str_hash(null_str) == str_hash(STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_order_is_by_bytes),
        cmocka_unit_test(test_prefix_and_suffix),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
