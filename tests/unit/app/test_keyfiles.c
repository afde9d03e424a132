/* Aim: the secrets beside the data are made once, read back as they were, private from their first moment, and anything else
 * in their place is refused, not replaced. */
#include "app/keyfiles.h"

#include "../unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

struct folder {
    char path[64];
    char file[100];
};

static int make_folder(void **state)
{
    struct folder *folder = calloc(1, sizeof(*folder));
    (void)snprintf(folder->path, sizeof(folder->path), "/tmp/pail-test-keys-XXXXXX");
    *state = folder;
    return mkdtemp(folder->path) ? 0 : -1;
}

static const char *file_in(struct folder *folder, const char *name)
{
    (void)snprintf(folder->file, sizeof(folder->file), "%s/%s", folder->path, name);
    return folder->file;
}

static int remove_folder(void **state)
{
    struct folder *folder = *state;
    (void)unlink(file_in(folder, "master-key"));
    (void)unlink(file_in(folder, "root-keys"));
    int result = rmdir(folder->path); /* also the proof that no temporary file is left */
    free(folder);
    return result;
}

static void write_file(struct folder *folder, const char *name, const char *text)
{
    assert_ok(file_replace(AT_FDCWD, file_in(folder, name), str_from(text), 0600));
}

static unsigned mode_of(struct folder *folder, const char *name)
{
    struct stat stat_now;
    assert_int_equal(stat(file_in(folder, name), &stat_now), 0);
    return stat_now.st_mode & 0777;
}

static void test_master_key_is_made_once(void **state)
{
    struct folder *folder = *state;
    uint8_t first[SECRET_MASTER_SIZE], second[SECRET_MASTER_SIZE], zero[SECRET_MASTER_SIZE] = {0};
    bool is_made;
    struct fail fail = {0};
    assert_ok(master_key_get(folder->path, first, &is_made, &fail));
    assert_true(is_made);
    assert_memory_not_equal(first, zero, sizeof(zero));
    assert_int_equal(mode_of(folder, "master-key"), 0600);
    assert_ok(master_key_get(folder->path, second, &is_made, &fail));
    assert_false(is_made);
    assert_memory_equal(first, second, sizeof(first));
    master_key_discard(folder->path);
    assert_ok(master_key_get(folder->path, second, &is_made, &fail));
    assert_true(is_made);
    assert_memory_not_equal(first, second, sizeof(first));
}

#define DIGITS_32 "0123456789abcdef0123456789ABCDEF"

static void test_forms_of_the_master_key(void **state)
{
    const struct {
        const char *text;
        enum err expected;
    } cases[] = {
        {DIGITS_32 DIGITS_32 "\n", OK},
        {DIGITS_32 DIGITS_32, OK},
        {DIGITS_32 DIGITS_32 "\r\n", OK},
        {"", ERR_CORRUPT},
        {"\n", ERR_CORRUPT},
        {DIGITS_32, ERR_CORRUPT},
        {DIGITS_32 DIGITS_32 "00", ERR_CORRUPT},
        {DIGITS_32 DIGITS_32 " ", ERR_CORRUPT},
        {DIGITS_32 "0123456789abcdef0123456789ABCDEG", ERR_CORRUPT},
    };
    struct folder *folder = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t key[SECRET_MASTER_SIZE];
        bool is_made;
        struct fail fail = {0};
        write_file(folder, "master-key", cases[i].text);
        assert_err(master_key_get(folder->path, key, &is_made, &fail), cases[i].expected);
        assert_int_equal(fail.detail[0] != '\0', cases[i].expected != OK);
        if (cases[i].expected != OK)
            assert_null(strstr(fail.detail, "0123456789")); /* half a key is still a secret */
    }
}

static void test_root_keys_are_made_once(void **state)
{
    struct folder *folder = *state;
    struct root_keys first, second;
    bool is_made;
    struct fail fail = {0};
    assert_err(root_keys_read(folder->path, &first, &fail), ERR_NOT_FOUND);
    fail = (struct fail){0};
    assert_ok(root_keys_get(folder->path, &first, &is_made, &fail));
    assert_true(is_made);
    assert_true(str_has_prefix(str_from(first.access_key), STR("pailroot")));
    assert_int_equal(strlen(first.secret_key), ACCESS_KEY_SECRET_LEN);
    assert_int_equal(mode_of(folder, "root-keys"), 0600);
    assert_ok(root_keys_get(folder->path, &second, &is_made, &fail));
    assert_false(is_made);
    assert_memory_equal(&first, &second, sizeof(first));
}

#define ACCESS "PAIL_ROOT_ACCESS_KEY="
#define SECRET "PAIL_ROOT_SECRET_KEY="

static void test_forms_of_the_root_keys(void **state)
{
    const struct {
        const char *text, *access_key; /* null: refused */
    } cases[] = {
        {ACCESS "myroot\n" SECRET "mysecret1\n", "myroot"},
        {SECRET "mysecret1\n" ACCESS "myroot", "myroot"},
        {"# " ACCESS "no\n\n" ACCESS " myroot \r\n" SECRET "mysecret1\r\n", "myroot"},
        {ACCESS "myroot\n" SECRET "my=secret\n", "myroot"},
        {ACCESS "myroot\n", NULL},
        {SECRET "mysecret1\n", NULL},
        {ACCESS "my\n" SECRET "mysecret1\n", NULL},
        {ACCESS "my root\n" SECRET "mysecret1\n", NULL},
        {ACCESS "myroot\n" SECRET "short\n", NULL},
        {"", NULL},
        {"nonsense", NULL},
    };
    struct folder *folder = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct root_keys keys;
        bool is_made;
        struct fail fail = {0};
        write_file(folder, "root-keys", cases[i].text);
        enum err err = root_keys_get(folder->path, &keys, &is_made, &fail);
        assert_int_equal(err, cases[i].access_key ? OK : ERR_CORRUPT);
        if (cases[i].access_key)
            assert_string_equal(keys.access_key, cases[i].access_key);
        else
            assert_null(strstr(fail.detail, "mysecret1"));
    }
}

static void test_no_folder(void **state)
{
    (void)state;
    struct root_keys keys;
    uint8_t key[SECRET_MASTER_SIZE];
    bool is_made;
    struct fail fail = {0};
    assert_err(root_keys_get("/nonexistent", &keys, &is_made, &fail), ERR_NOT_FOUND);
    assert_non_null(strstr(fail.detail, "/nonexistent"));
    fail = (struct fail){0};
    assert_err(master_key_get("/nonexistent", key, &is_made, &fail), ERR_NOT_FOUND);
    assert_non_null(strstr(fail.detail, "/nonexistent"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_master_key_is_made_once), CASE(test_forms_of_the_master_key),
        CASE(test_root_keys_are_made_once), CASE(test_forms_of_the_root_keys),
        cmocka_unit_test(test_no_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
