/* Aim: a sealed secret opens under its master key and for its access key only; any bit changed, any byte missing or added
 * is damage; and the program agrees with the worked example of docs/format/secret.md, which was made by another program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/fd.h"
#include "iam/secret.h"

static const uint8_t MASTER[SECRET_MASTER_SIZE] = {1, 2, 3};

/* The value of "| name | `value` |" in the format's document. */
static str find_example(str document, str name)
{
    str line, value = STR("");
    while (document.len > 0) {
        (void)str_cut(document, '\n', &line, &document);
        ptrdiff_t at = str_find(line, name);
        if (at != 2)
            continue;
        (void)str_cut(line, '`', &line, &value);
        (void)str_cut(value, '`', &value, &line);
    }
    assert_true(value.len > 0);
    return value;
}

static void test_document_example(void **state)
{
    (void)state;
    char path[256];
    const char *root = getenv("PAIL_SOURCE_ROOT");
    uint8_t master[SECRET_MASTER_SIZE], sealed[SECRET_SEALED_MAX];
    struct secret secret;
    struct buf document BUF_SCOPED;
    buf_init(&document, 65536);
    (void)snprintf(path, sizeof path, "%s/docs/format/secret.md", root ? root : ".");
    assert_int_equal(file_read(AT_FDCWD, path, &document), OK);
    str text = buf_str(&document);
    assert_int_equal(hex_decode(find_example(text, STR("master key |")), master), OK);
    str hex = find_example(text, STR("sealed |"));
    assert_int_equal(hex_decode(hex, sealed), OK);
    str bytes = str_of(sealed, hex.len / 2);
    str access_key = find_example(text, STR("access key id |"));
    assert_int_equal(secret_open(master, access_key, bytes, &secret), OK);
    assert_true(str_eq(secret_str(&secret), find_example(text, STR("secret |"))));
}

static void test_round_trip(void **state)
{
    (void)state;
    char text[SECRET_TEXT_MAX + 1];
    memset(text, 's', sizeof text);
    for (size_t len = 0; len <= sizeof text; len++) {
        struct secret_sealed sealed = {.len = 999};
        struct secret secret;
        enum err err = secret_seal(MASTER, STR("key"), str_of(text, len), &sealed);
        if (len == 0 || len > SECRET_TEXT_MAX) {
            assert_int_equal(err, ERR_BAD_ARGUMENT);
            assert_int_equal(sealed.len, 999);
            continue;
        }
        assert_int_equal(err, OK);
        assert_int_equal(sealed.len, len + SECRET_OVERHEAD);
        assert_int_equal(secret_open(MASTER, STR("key"), secret_sealed_str(&sealed), &secret), OK);
        assert_true(str_eq(secret_str(&secret), str_of(text, len)));
        secret_wipe(&secret);
        assert_int_equal(secret.len, 0);
    }
}

static void test_sealings_differ(void **state)
{
    (void)state;
    struct secret_sealed first, second;
    assert_int_equal(secret_seal(MASTER, STR("key"), STR("the secret"), &first), OK);
    assert_int_equal(secret_seal(MASTER, STR("key"), STR("the secret"), &second), OK);
    assert_memory_not_equal(first.bytes + 1, second.bytes + 1, 12);
    assert_memory_not_equal(first.bytes + 13, second.bytes + 13, 10);
    assert_int_equal(str_find(secret_sealed_str(&first), STR("the secret")), -1);
}

static void expect_corrupt(const uint8_t *master, str access_key, str sealed)
{
    struct secret secret = {.text = "kept", .len = 4};
    assert_int_equal(secret_open(master, access_key, sealed, &secret), ERR_CORRUPT);
    assert_true(str_eq(secret_str(&secret), STR("kept")));
}

static void test_damage(void **state)
{
    (void)state;
    uint8_t bytes[SECRET_SEALED_MAX + 8] = {0};
    struct secret_sealed sealed;
    struct secret secret;
    assert_int_equal(secret_seal(MASTER, STR("key"), STR("the secret"), &sealed), OK);
    memcpy(bytes, sealed.bytes, sealed.len);
    for (size_t bit = 0; bit < 8 * sealed.len; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        expect_corrupt(MASTER, STR("key"), str_of(bytes, sealed.len));
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t len = 0; len < sizeof bytes; len++) {
        if (len != sealed.len)
            expect_corrupt(MASTER, STR("key"), str_of(bytes, len));
    }
    uint8_t other_master[SECRET_MASTER_SIZE] = {1, 2, 4};
    expect_corrupt(other_master, STR("key"), secret_sealed_str(&sealed));
    expect_corrupt(MASTER, STR("kez"), secret_sealed_str(&sealed));
    expect_corrupt(MASTER, STR("key "), secret_sealed_str(&sealed));
    expect_corrupt(MASTER, STR(""), secret_sealed_str(&sealed));
    assert_int_equal(secret_open(MASTER, STR("key"), str_of(bytes, sealed.len), &secret), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document_example),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_sealings_differ),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
