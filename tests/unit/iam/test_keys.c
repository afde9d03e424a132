/* Aim: made ids and secrets have their form, differ, and use every character of their alphabet evenly; names that a person
 * chooses are accepted and refused at their exact bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "iam/keys.h"

enum { ROUNDS = 2000 };

static bool all_of(str s, const char *alphabet)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\0' || !strchr(alphabet, s.ptr[i]))
            return false;
    }
    return true;
}

static void test_forms(void **state)
{
    (void)state;
    const char *base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    char id[ACCESS_KEY_ID_LEN], root[ACCESS_KEY_ROOT_ID_LEN], secret[ACCESS_KEY_SECRET_LEN];
    char canonical[CANONICAL_ID_LEN], last[ACCESS_KEY_ID_LEN] = "";
    for (size_t i = 0; i < ROUNDS; i++) {
        access_key_make_id(id);
        access_key_make_root_id(root);
        access_key_make_secret(secret);
        canonical_id_make(canonical);
        assert_true(str_has_prefix(str_of(id, sizeof id), STR("pail-")));
        assert_true(all_of(str_of(id + 5, sizeof id - 5), base32));
        assert_true(str_has_prefix(str_of(root, sizeof root), STR("pailroot")));
        assert_true(all_of(str_of(root + 8, sizeof root - 8), base32));
        assert_true(access_key_id_is_valid(str_of(id, sizeof id)));
        assert_true(access_key_id_is_valid(str_of(root, sizeof root)));
        assert_true(access_key_secret_is_valid(str_of(secret, sizeof secret)));
        assert_true(canonical_id_is_valid(str_of(canonical, sizeof canonical)));
        assert_memory_not_equal(id, last, sizeof id);
        memcpy(last, id, sizeof id);
    }
}

/* With 80,000 characters each of the 62 is expected 1,290 times, with a deviation of 36. A remainder taken without care
 * would favour the first eight by a quarter. */
static void test_even_distribution(void **state)
{
    (void)state;
    unsigned seen[256] = {0}, different = 0;
    for (size_t i = 0; i < ROUNDS; i++) {
        char secret[ACCESS_KEY_SECRET_LEN];
        access_key_make_secret(secret);
        for (size_t k = 0; k < sizeof secret; k++)
            seen[(unsigned char)secret[k]]++;
    }
    for (size_t c = 0; c < 256; c++) {
        if (seen[c] == 0)
            continue;
        different++;
        assert_in_range(seen[c], 1290 - 220, 1290 + 220);
    }
    assert_int_equal(different, 62);
}

static void test_validation(void **state)
{
    (void)state;
    char longest[130];
    memset(longest, 'a', sizeof longest);
    const struct {
        bool (*is_valid)(str);
        str text;
        bool expected;
    } row[] = {
        {access_key_id_is_valid, STR(""), false},
        {access_key_id_is_valid, STR("ab"), false},
        {access_key_id_is_valid, STR("abc"), true},
        {access_key_id_is_valid, str_of(longest, 128), true},
        {access_key_id_is_valid, str_of(longest, 129), false},
        {access_key_id_is_valid, STR("minioadmin"), true},
        {access_key_id_is_valid, STR("a!~=:@b"), true},
        {access_key_id_is_valid, STR("a b"), false},
        {access_key_id_is_valid, STR("a,b"), false},
        {access_key_id_is_valid, STR("a/b"), false},
        {access_key_id_is_valid, STR("ab\x7f"), false},
        {access_key_id_is_valid, STR("ab\xc3\xa4"), false},
        {access_key_id_is_valid, STR("ab\0"), false},
        {access_key_id_is_valid, STR("ab\n"), false},
        {access_key_secret_is_valid, STR("1234567"), false},
        {access_key_secret_is_valid, STR("12345678"), true},
        {access_key_secret_is_valid, str_of(longest, 128), true},
        {access_key_secret_is_valid, str_of(longest, 129), false},
        {access_key_secret_is_valid, STR("pass, word/+="), true},
        {access_key_secret_is_valid, STR(" 12345678"), false},
        {access_key_secret_is_valid, STR("12345678 "), false},
        {access_key_secret_is_valid, STR("1234567\n"), false},
        {access_key_secret_is_valid, STR("1234567\0"), false},
        {access_key_secret_is_valid, STR("1234567\xc3\xa4"), false},
        {user_name_is_valid, STR(""), false},
        {user_name_is_valid, STR("a"), true},
        {user_name_is_valid, STR("A.z_0-9+=,@"), true},
        {user_name_is_valid, str_of(longest, 64), true},
        {user_name_is_valid, str_of(longest, 65), false},
        {user_name_is_valid, STR("a b"), false},
        {user_name_is_valid, STR("a/b"), false},
        {user_name_is_valid, STR("a\0"), false},
        {user_name_is_valid, STR("\xc3\xa4"), false},
        {canonical_id_is_valid, str_of(longest, 64), true},
        {canonical_id_is_valid, str_of(longest, 63), false},
        {canonical_id_is_valid, str_of(longest, 65), false},
        {canonical_id_is_valid, STR(""), false},
        {canonical_id_is_valid,
         STR("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeF"), false},
        {canonical_id_is_valid,
         STR("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeg"), false},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        if (row[i].is_valid(row[i].text) != row[i].expected)
            fail_msg("row %zu: \"%.*s\"", i, STR_ARG(row[i].text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_even_distribution),
        cmocka_unit_test(test_validation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
