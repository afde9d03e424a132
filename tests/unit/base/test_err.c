/* Aim: every error has a name and a fact of its own, and errno values are translated as documented. */
#include "../unit.h"

#include <errno.h>

#include "base/err.h"

static void test_each_row_has_name_and_fact(void **state)
{
    (void)state;
    for (int i = 0; i < ERR_COUNT; i++) {
        assert_true(err_name((enum err)i)[0] != '\0');
        assert_true(err_fact((enum err)i)[0] != '\0');
        for (int j = 0; j < i; j++)
            assert_string_not_equal(err_name((enum err)i), err_name((enum err)j));
    }
    assert_string_equal(err_name(ERR_NO_SUCH_KEY), "NO_SUCH_KEY");
    assert_string_equal(err_fact(ERR_NO_SUCH_KEY), "the key does not exist");
    assert_int_equal(OK, 0);
}

static void test_errno(void **state)
{
    (void)state;
    static const struct {
        int number;
        enum err expected;
    } cases[] = {
        {ENOSPC, ERR_NO_SPACE},    {EDQUOT, ERR_NO_SPACE},
        {ENOMEM, ERR_NO_MEMORY},   {EROFS, ERR_READ_ONLY},
        {ENOENT, ERR_NOT_FOUND},   {EEXIST, ERR_EXISTS},
        {EAGAIN, ERR_WOULD_BLOCK}, {EIO, ERR_IO},
        {EPERM, ERR_IO},           {0, ERR_IO},
        {EMFILE, ERR_UNAVAILABLE}, {ENFILE, ERR_UNAVAILABLE},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_err(err_from_errno(cases[i].number), cases[i].expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_row_has_name_and_fact),
        cmocka_unit_test(test_errno),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
