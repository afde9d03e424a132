/* The data folder: who may use it, and what is refused. */
#include "local_support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/buf.h"
#include "store/local/datadir.h"

static void format_comes_back(void **state)
{
    (void)state;
    BUF_SCOPED struct buf text;
    buf_init(&text, 4096);
    struct datadir_format format = {.compatible = 0xAB}, got;
    memset(format.store_id, 0x8F, STORE_ID_SIZE);
    datadir_format_write(&format, &text);
    struct fail fail = {0};
    assert_ok(datadir_format_parse(buf_str(&text), &got, &fail));
    assert_memory_equal(got.store_id, format.store_id, STORE_ID_SIZE);
    assert_int_equal(got.compatible, 0xAB);
    assert_int_equal(got.incompatible, 0);
    /* Any other byte is seen; so is any cut. */
    for (size_t i = 0; i < text.len; i++) {
        text.ptr[i] = (char)(text.ptr[i] ^ 1);
        assert_err(datadir_format_parse(buf_str(&text), &got, &fail), ERR_CORRUPT);
        text.ptr[i] = (char)(text.ptr[i] ^ 1);
        assert_true(datadir_format_parse(str_of(text.ptr, i), &got, &fail) != OK);
    }
}

static void what_is_newer_is_refused(void **state)
{
    (void)state;
    BUF_SCOPED struct buf text;
    buf_init(&text, 4096);
    struct datadir_format format = {.incompatible = 4}, got;
    struct fail fail = {0};
    datadir_format_write(&format, &text);
    assert_err(datadir_format_parse(buf_str(&text), &got, &fail), ERR_BAD_INPUT);
    assert_non_null(strstr(fail.detail, "does not know"));
    fail = (struct fail){0};
    static const char lines[] = "pail data folder\nversion 2\nanything\n";
    char newer[128];
    int len = snprintf(newer, sizeof(newer), "%scheck %08x\n", lines,
                       crc32c_update(0, lines, sizeof(lines) - 1));
    assert_err(datadir_format_parse(str_of(newer, (size_t)len), &got, &fail), ERR_BAD_INPUT);
    assert_non_null(strstr(fail.detail, "version 2"));
    assert_err(datadir_format_parse(STR("pail data folder\nversion 2\nanything\n"), &got, &fail),
               ERR_CORRUPT);
}

static int setup(void **state)
{
    char *path = mem_zalloc(TEST_PATH_MAX);
    fault_clear();
    make_folder(path);
    *state = path;
    return 0;
}

static int teardown(void **state)
{
    remove_folder(*state);
    mem_free(*state);
    return 0;
}

static enum err try_open(const char *path, struct fail *fail)
{
    struct datadir dir;
    *fail = (struct fail){0};
    enum err err = datadir_open(path, &io_system, &dir, fail);
    if (err == OK)
        datadir_close(&dir);
    return err;
}

static void write_file(const char *path, const char *name, const char *text)
{
    int fd = open(file_in(path, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void folder_is_made_and_opened_again(void **state)
{
    char path[TEST_PATH_MAX + 8];
    (void)snprintf(path, sizeof(path), "%s/new", (const char *)*state);
    struct datadir dir;
    struct fail fail = {0};
    uint8_t id[STORE_ID_SIZE];
    assert_ok(datadir_open(path, &io_system, &dir, &fail));
    memcpy(id, dir.store_id, sizeof(id));
    struct stat status;
    assert_int_equal(fstat(dir.fd, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(stat(file_in(path, "format"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    datadir_close(&dir);
    datadir_close(&dir);
    static const char *const left[] = {"tmp/left", ".new-0123456789abcdef",
                                       "extents/.new-0123456789abcdef"};
    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
        write_file(path, left[i], "of a crash");
    write_file(path, "extents/limit", "0000000000000001\n");
    assert_ok(datadir_open(path, &io_system, &dir, &fail));
    assert_memory_equal(id, dir.store_id, sizeof(id));
    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
        assert_int_not_equal(access(file_in(path, left[i]), F_OK), 0);
    assert_int_equal(access(file_in(path, "extents/limit"), F_OK), 0);
    datadir_close(&dir);
    (void)snprintf(path, sizeof(path), "%s/a/b", (const char *)*state);
    assert_err(try_open(path, &fail), ERR_NOT_FOUND);
    assert_non_null(strstr(fail.detail, "cannot be made"));
}

static void second_process_is_told_who_has_it(void **state)
{
    const char *path = *state;
    struct datadir dir;
    struct fail fail = {0};
    char text[64];
    assert_ok(datadir_open(path, &io_system, &dir, &fail));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        enum err err = try_open(path, &fail);
        (void)snprintf(text, sizeof(text), "in use by process %ld", (long)getppid());
        _exit(err == ERR_BUSY && strstr(fail.detail, text) && strstr(fail.detail, path) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    /* In the same process, too. */
    assert_err(try_open(path, &fail), ERR_BUSY);
    datadir_close(&dir);
    assert_ok(try_open(path, &fail));
}

static void foreign_folders_are_refused(void **state)
{
    const char *path = *state;
    struct fail fail;
    write_file(path, "holiday.jpg", "somebody's");
    assert_err(try_open(path, &fail), ERR_BAD_INPUT);
    assert_non_null(strstr(fail.detail, "not empty"));
    assert_int_equal(unlink(file_in(path, "holiday.jpg")), 0);
    /* What a first start that was cut short leaves. */
    assert_int_equal(mkdir(file_in(path, "log"), 0700), 0);
    write_file(path, ".new-0123456789abcdef", "pail da");
    assert_ok(try_open(path, &fail));
    /* A store that lost its format is not made into a new one. */
    assert_int_equal(unlink(file_in(path, "format")), 0);
    write_file(path, "log/0000000000000001.log", "records");
    assert_err(try_open(path, &fail), ERR_BAD_INPUT);
    write_file(path, "format", "nonsense\n");
    assert_err(try_open(path, &fail), ERR_CORRUPT);
}

static void parts_of_two_stores_are_not_mixed(void **state)
{
    char one[TEST_PATH_MAX + 8], two[TEST_PATH_MAX + 8], from[TEST_PATH_MAX + 16];
    (void)snprintf(one, sizeof(one), "%s/1", (const char *)*state);
    (void)snprintf(two, sizeof(two), "%s/2", (const char *)*state);
    for (int i = 0; i < 2; i++) {
        struct engine *engine = open_store(i ? two : one);
        assert_ok(put_setting(engine, "a", STR("1")));
        engine_close(engine);
    }
    static const char *const parts[] = {"index", "log"};
    for (int i = 0; i < 2; i++) {
        char kept[TEST_PATH_MAX + 16], to[TEST_PATH_MAX + 16];
        (void)snprintf(from, sizeof(from), "%s/%s", one, parts[i]);
        (void)snprintf(to, sizeof(to), "%s/%s", two, parts[i]);
        (void)snprintf(kept, sizeof(kept), "%s/kept", (const char *)*state);
        copy_folder(to, kept);
        copy_folder(from, to);
        struct engine *engine;
        struct fail fail = {0};
        struct local_options options = {.data_dir = two};
        assert_err(local_engine_open(&options, &engine, &fail), ERR_CORRUPT);
        assert_non_null(strstr(fail.detail, "another store"));
        copy_folder(kept, to);
    }
    engine_close(open_store(two));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format_comes_back),
        cmocka_unit_test(what_is_newer_is_refused),
        cmocka_unit_test_setup_teardown(folder_is_made_and_opened_again, setup, teardown),
        cmocka_unit_test_setup_teardown(second_process_is_told_who_has_it, setup, teardown),
        cmocka_unit_test_setup_teardown(foreign_folders_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_of_two_stores_are_not_mixed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
