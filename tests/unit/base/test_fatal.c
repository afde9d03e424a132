/* Aim: fatal says why on standard error, in bounds, and aborts. */
#include "base/fatal.h"

#include "death.h"

static char long_message[1000];

static void die_shortly(void)
{
    fatal("the reason");
}

static void die_at_length(void)
{
    fatal(long_message);
}

static void test_message(void **state)
{
    (void)state;
    assert_dies(die_shortly, "pail: the reason\n");
}

static void test_long_message_is_cut(void **state)
{
    (void)state;
    memset(long_message, 'x', sizeof(long_message) - 1);
    char expected[300] = "pail: ";
    memset(expected + 6, 'x', 256);
    expected[6 + 256] = '\n';
    assert_dies(die_at_length, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_long_message_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
