/* A disk that is really full: a small file system of its own, where the process may mount one. Writes are refused cleanly, reads and
 * deletions go on, and writing resumes by itself when there is room. */
#include "local_support.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

enum { BODY = 20000, BODIES_MAX = 20000, TRIES = 400, TRY_US = 50000 };

static char path[TEST_PATH_MAX];

/* In a name space of this process alone, so that nothing is left when it ends; made before any thread is. */
static bool has_name_space;

static bool mount_small(void)
{
    make_folder(path);
    if (has_name_space && mount("tmpfs", path, "tmpfs", 0, "size=96m") == 0)
        return true;
    print_message("no file system could be mounted (%d); test_faults plays a full disk\n", errno);
    remove_folder(path);
    return false;
}

static struct engine *open_small(void)
{
    struct fail fail = {0};
    struct engine *engine = NULL;
    struct local_options options = {.data_dir = file_in(path, "store")};
    enum err err = local_engine_open(&options, &engine, &fail);
    if (err != OK)
        print_error("%s\n", fail.detail);
    assert_ok(err);
    return engine;
}

/* Puts bodies from `first` on until there is no more space; how many there are then. */
static uint64_t fill_up(struct engine *engine, uint64_t first)
{
    static char body[BODY];
    for (uint64_t i = first; i < BODIES_MAX; i++) {
        fill_bytes(body, BODY, i);
        enum err err = put_body(engine, i, body, BODY);
        if (err == OK)
            continue;
        assert_err(err, ERR_NO_SPACE);
        return i;
    }
    fail_msg("the disk did not become full");
    return 0;
}

static void expect_writable(struct engine *engine)
{
    struct engine_stats stats;
    engine_stats(engine, &stats);
    if (stats.is_read_only)
        print_error("%s\n", stats.read_only_reason);
    assert_false(stats.is_read_only);
}

static void check_range(struct engine *engine, uint64_t from, uint64_t to, uint64_t deleted_step)
{
    for (uint64_t i = from; i < to; i++) {
        bool is_deleted = deleted_step && i % deleted_step != 0;
        assert_err(check_body(engine, i, BODY), is_deleted ? ERR_NOT_FOUND : OK);
    }
}

static bool resumes(struct engine *engine, uint64_t number)
{
    static char body[BODY];
    fill_bytes(body, BODY, number);
    for (int i = 0; i < TRIES; i++) {
        if (put_body(engine, number, body, BODY) == OK)
            return true;
        (void)usleep(TRY_US);
    }
    return false;
}

static void full_disk_is_survived(void **state)
{
    (void)state;
    if (!mount_small())
        return;
    struct engine *engine = open_small();
    uint64_t count = fill_up(engine, 0);
    assert_true(count > 1500);
    expect_writable(engine);
    check_range(engine, 0, count, 0);
    struct extent_writer *writer;
    assert_err(extent_begin(engine, 1 << 20, &writer), ERR_NO_SPACE);
    /* Also for one who starts anew. */
    engine_close(engine);
    engine = open_small();
    check_range(engine, 0, count, 0);
    for (uint64_t i = 0; i < count; i++)
        if (i % 4)
            assert_ok(delete_body(engine, i));
    expect_writable(engine);
    check_range(engine, 0, count, 4);
    /* Three quarters are free, once their segments were emptied; here and there a writer meets the limit while that goes on. */
    uint64_t again = count;
    while (again < count + count / 2)
        assert_true(resumes(engine, again++));
    expect_writable(engine);
    check_range(engine, 0, count, 4);
    check_range(engine, count, again, 0);
    engine_close(engine);
    engine = open_small();
    check_range(engine, 0, count, 4);
    check_range(engine, count, again, 0);
    engine_close(engine);
    assert_int_equal(umount(path), 0);
    remove_folder(path);
}

/* Writes a file that is not the store's until nothing is left. */
static void fill_with_foreign_file(void)
{
    static char bytes[1 << 16];
    int fd = open(file_in(path, "foreign"), O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    for (size_t len = sizeof(bytes); len; len /= 2)
        while (write(fd, bytes, len) == (ssize_t)len)
            ;
    close(fd);
}

/* Somebody else takes the last byte, so that not even the index finds room. What can be answered is answered; when there is room again,
 * everything is as before. */
static void not_a_byte_is_left(void **state)
{
    (void)state;
    if (!mount_small())
        return;
    struct engine *engine = open_small();
    static char body[BODY];
    enum { COUNT = 1000, SMALL = 500 };
    for (uint64_t i = 0; i < COUNT; i++) {
        fill_bytes(body, BODY, i);
        assert_ok(put_body(engine, i, body, BODY));
    }
    fill_with_foreign_file();
    for (uint64_t i = 0; i < COUNT; i++) {
        fill_bytes(body, SMALL, i);
        assert_err(put_body(engine, COUNT + i, body, SMALL), ERR_NO_SPACE);
        enum err err = delete_body(engine, i);
        if (err != OK)
            assert_err(err, ERR_NO_SPACE);
        if (i % 100 == 0)
            (void)usleep(TRY_US); /* lets the keeper meet the full disk */
    }
    (void)usleep(20 * TRY_US);
    expect_writable(engine);
    for (uint64_t i = 0; i < COUNT; i++) {
        enum err err = check_body(engine, i, BODY);
        if (err != OK)
            assert_err(err, ERR_NOT_FOUND);
    }
    assert_int_equal(unlink(file_in(path, "foreign")), 0);
    for (uint64_t i = 0; i < COUNT; i++)
        assert_true(resumes(engine, i));
    expect_writable(engine);
    engine_close(engine);
    engine = open_small();
    check_range(engine, 0, COUNT, 0);
    engine_close(engine);
    assert_int_equal(umount(path), 0);
    remove_folder(path);
}

int main(void)
{
    has_name_space =
        unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_disk_is_survived),
        cmocka_unit_test(not_a_byte_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
