/* Aim: preconditions decide as RFC 9110 section 13 says, a tag before a date, whole seconds, lists and stars; and an entity tag
 * reads as the one that was written. */
#include "../unit.h"

#include "object/conditions.h"

/* MD5 of nothing; its tag is d41d8cd98f00b204e9800998ecf8427e. */
static const str md5 = STR_INIT("\xd4\x1d\x8c\xd9\x8f\x00\xb2\x04\xe9\x80\x09\x98\xec\xf8\x42\x7e");
#define TAG "d41d8cd98f00b204e9800998ecf8427e"
#define OTHER "00000000000000000000000000000000"

static void test_format(void **state)
{
    (void)state;
    static const struct {
        uint64_t part_count;
        str expected;
    } cases[] = {
        {0, STR_INIT(TAG)},
        {1, STR_INIT(TAG "-1")},
        {10, STR_INIT(TAG "-10")},
        {10000, STR_INIT(TAG "-10000")},
        {999999999, STR_INIT(TAG "-999999999")},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[ETAG_TEXT_MAX];
        assert_str(etag_format(md5, cases[i].part_count, text), cases[i].expected);
    }
}

static void test_matches(void **state)
{
    (void)state;
    static const struct {
        str list;
        uint64_t part_count;
        bool expected;
    } cases[] = {
        {STR_INIT(""), 0, false},
        {STR_INIT("*"), 0, true},
        {STR_INIT(" * "), 7, true},
        {STR_INIT("\"" TAG "\""), 0, true},
        {STR_INIT(TAG), 0, true},
        {STR_INIT("D41D8CD98F00B204E9800998ECF8427E"), 0, true},
        {STR_INIT("W/\"" TAG "\""), 0, true},
        {STR_INIT("  \"" TAG "\"\t"), 0, true},
        {STR_INIT("\"" OTHER "\", \"" TAG "\""), 0, true},
        {STR_INIT("\"" OTHER "\",\"" OTHER "\""), 0, false},
        {STR_INIT(","), 0, false},
        {STR_INIT("\"\""), 0, false},
        {STR_INIT("\""), 0, false},
        {STR_INIT("\"" TAG), 0, false},
        {STR_INIT(TAG "\""), 0, false},
        {STR_INIT("\"" TAG "-1\""), 0, false},
        {STR_INIT("\"" TAG "-1\""), 1, true},
        {STR_INIT("\"" TAG "-1\""), 11, false},
        {STR_INIT("\"" TAG "\""), 1, false},
        {STR_INIT("\"" TAG "0\""), 0, false},
        {STR_INIT("\"*\""), 0, false}, /* a tag that reads so, not the star */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (etag_matches(cases[i].list, md5, cases[i].part_count) != cases[i].expected)
            fail_msg("%zu: %.*s", i, STR_ARG(cases[i].list));
}

/* Where one tag is wanted, as of a part, neither the star nor a list is one. */
static void test_single(void **state)
{
    (void)state;
    assert_true(etag_is(STR("\"" TAG "\""), md5, 0));
    assert_true(etag_is(STR(TAG), md5, 0));
    assert_false(etag_is(STR("*"), md5, 0));
    assert_false(etag_is(STR("\"" OTHER "\", \"" TAG "\""), md5, 0));
    assert_false(etag_is(STR(TAG "," TAG), md5, 0));
    assert_false(etag_is(STR(""), md5, 0));
}

enum { NOW_MS = 1000 * 1000 + 999 }; /* modified in the last millisecond of a second */

static void test_read(void **state)
{
    (void)state;
    static const str tag = STR_INIT("\"" TAG "\""), other = STR_INIT("\"" OTHER "\""), none = {0};
    const int64_t before = 999000, same = 1000000, after = 1001000;
    const struct {
        struct conditions conditions;
        enum err expected;
    } cases[] = {
        {{none, none, 0, 0}, OK},
        {{tag, none, 0, 0}, OK},
        {{other, none, 0, 0}, ERR_PRECONDITION_FAILED},
        {{none, tag, 0, 0}, ERR_NOT_MODIFIED},
        {{none, other, 0, 0}, OK},
        {{none, STR("*"), 0, 0}, ERR_NOT_MODIFIED},
        {{STR("*"), none, 0, 0}, OK},
        /* Dates alone: the second of the modification counts as not modified since. */
        {{none, none, before, 0}, OK},
        {{none, none, same, 0}, ERR_NOT_MODIFIED},
        {{none, none, after, 0}, ERR_NOT_MODIFIED},
        {{none, none, 0, before}, ERR_PRECONDITION_FAILED},
        {{none, none, 0, same}, OK},
        {{none, none, 0, after}, OK},
        {{none, none, 0, 1}, ERR_PRECONDITION_FAILED}, /* the first second of 1970 */
        /* A tag that holds outweighs a date that does not, of its own pair. */
        {{tag, none, 0, before}, OK},
        {{none, other, after, 0}, OK},
        {{other, none, 0, after}, ERR_PRECONDITION_FAILED},
        {{none, tag, before, 0}, ERR_NOT_MODIFIED},
        /* Both pairs: the first refusal in RFC 9110's order. */
        {{tag, tag, 0, 0}, ERR_NOT_MODIFIED},
        {{other, tag, 0, 0}, ERR_PRECONDITION_FAILED},
        {{none, none, same, before}, ERR_PRECONDITION_FAILED},
        {{none, tag, 0, before}, ERR_PRECONDITION_FAILED},
    };
    const struct object_row row = {.md5 = md5, .modified_ms = NOW_MS};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum err err = conditions_check_read(&cases[i].conditions, &row);
        if (err != cases[i].expected)
            fail_msg("%zu: %s, expected %s", i, err_name(err), err_name(cases[i].expected));
    }
}

static void test_write(void **state)
{
    (void)state;
    static const str tag = STR_INIT("\"" TAG "\""), other = STR_INIT("\"" OTHER "\""),
                     star = STR_INIT("*"), none = {0};
    const struct {
        struct conditions conditions;
        enum err on_nothing, on_current;
    } cases[] = {
        {{none, none, 0, 0}, OK, OK},
        {{tag, none, 0, 0}, ERR_NO_SUCH_KEY, OK},
        {{other, none, 0, 0}, ERR_NO_SUCH_KEY, ERR_PRECONDITION_FAILED},
        {{star, none, 0, 0}, ERR_NO_SUCH_KEY, OK},
        {{none, star, 0, 0}, OK, ERR_PRECONDITION_FAILED},
        {{none, tag, 0, 0}, OK, ERR_PRECONDITION_FAILED},
        {{none, other, 0, 0}, OK, OK},
        {{tag, star, 0, 0}, ERR_NO_SUCH_KEY, ERR_PRECONDITION_FAILED},
    };
    const struct object_row row = {.md5 = md5};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_err(conditions_check_write(&cases[i].conditions, NULL), cases[i].on_nothing);
        assert_err(conditions_check_write(&cases[i].conditions, &row), cases[i].on_current);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format), cmocka_unit_test(test_matches),
        cmocka_unit_test(test_single), cmocka_unit_test(test_read),
        cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
