/* Aim: the innermost text survives, the outermost code wins, and long texts are cut visibly and between characters. */
#include "base/fail.h"

#include "../unit.h"

static void test_sets_and_returns(void **state)
{
    (void)state;
    struct fail fail = {0};
    assert_err(fail_set(&fail, ERR_BAD_HEADER, "Content-MD5", "\"%s\" is no digest", "x"),
               ERR_BAD_HEADER);
    assert_err(fail.code, ERR_BAD_HEADER);
    assert_string_equal(fail.field, "Content-MD5");
    assert_string_equal(fail.detail, "\"x\" is no digest");
    assert_err(fail_set(NULL, ERR_IO, "x", "y"), ERR_IO);
}

static void test_first_detail_wins(void **state)
{
    (void)state;
    struct fail fail = {0};
    (void)fail_set(&fail, ERR_IO, NULL, "disk %d is gone", 7);
    assert_string_equal(fail.field, "");
    assert_err(fail_set(&fail, ERR_UNAVAILABLE, "field", "other"), ERR_UNAVAILABLE);
    assert_err(fail.code, ERR_UNAVAILABLE);
    assert_string_equal(fail.field, "");
    assert_string_equal(fail.detail, "disk 7 is gone");
}

static void test_long_text_is_cut(void **state)
{
    (void)state;
    char text[300];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    /* 255 characters fit; one more does not. */
    struct fail fail = {0};
    (void)fail_set(&fail, ERR_IO, NULL, "%.255s", text);
    assert_int_equal(strlen(fail.detail), 255);
    assert_int_equal(fail.detail[254], 'x');
    fail = (struct fail){0};
    (void)fail_set(&fail, ERR_IO, text, "%.256s", text);
    assert_int_equal(strlen(fail.detail), 255);
    assert_string_equal(fail.detail + 251, "x...");
    assert_int_equal(strlen(fail.field), 63);
    assert_string_equal(fail.field + 59, "x...");
}

static void test_characters_are_not_halved(void **state)
{
    (void)state;
    for (int before = 0; before < 4; before++) {
        char text[400] = "xxx";
        size_t len = (size_t)before;
        for (; len < 300; len += 4)
            memcpy(text + len, "\xf0\x9f\x98\x80", 5);
        struct fail fail = {0};
        (void)fail_set(&fail, ERR_IO, text, "%s", text);
        assert_true(str_is_utf8(str_from(fail.detail)));
        assert_true(str_has_suffix(str_from(fail.detail), STR("...")));
        assert_true(strlen(fail.detail) >= 250);
        assert_true(str_is_utf8(str_from(fail.field)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets_and_returns),
        cmocka_unit_test(test_first_detail_wins),
        cmocka_unit_test(test_long_text_is_cut),
        cmocka_unit_test(test_characters_are_not_halved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
