/* A sync that failed: Linux keeps the pages, calls them clean, and says OK to the next sync. A program that is started again after one
 * must not take for durable what the disk never got. */
#include "local_support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { RANGES_MAX = 4096, BODY = 3000 };

/* A disk beneath the first file of the log: a sync brings what was written since the one before to it; one that fails brings nothing, and
 * forgets what it was to bring. */
static struct disk {
    int fd; /* -1: none */
    struct range {
        off_t at;
        size_t len;
    } dirty[RANGES_MAX];
    size_t dirty_count;
    bool fails_next;
} disk = {.fd = -1};

static bool is_log(int fd)
{
    char link[64], path[TEST_PATH_MAX * 2] = {0};
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    return readlink(link, path, sizeof(path) - 1) > 0 &&
           strstr(path, "/log/0000000000000001.log") != NULL;
}

static ssize_t write_to_memory(int fd, const void *src, size_t len, off_t at)
{
    ssize_t put = pwrite(fd, src, len, at);
    if (disk.fd >= 0 && put > 0 && is_log(fd)) {
        assert_true(disk.dirty_count < RANGES_MAX);
        disk.dirty[disk.dirty_count++] = (struct range){at, (size_t)put};
    }
    return put;
}

static int sync_to_disk(int fd)
{
    if (disk.fd < 0 || !is_log(fd))
        return fdatasync(fd);
    size_t count = disk.dirty_count;
    disk.dirty_count = 0;
    if (disk.fails_next) {
        disk.fails_next = false;
        errno = EIO;
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        MEM_SCOPED char *bytes = mem_alloc(disk.dirty[i].len);
        ssize_t len = (ssize_t)disk.dirty[i].len;
        assert_int_equal(pread(fd, bytes, disk.dirty[i].len, disk.dirty[i].at), len);
        assert_int_equal(pwrite(disk.fd, bytes, disk.dirty[i].len, disk.dirty[i].at), len);
    }
    return 0;
}

static void copy_file(const char *from, const char *to)
{
    char command[3 * TEST_PATH_MAX];
    (void)snprintf(command, sizeof(command), "cp '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
}

/* Fails a sync, starts the program again, writes, and loses the memory of the machine; with the index as the second run left it, or
 * without one. */
static void restart_after_a_failed_sync(bool keeps_index)
{
    char path[TEST_PATH_MAX], log[TEST_PATH_MAX + 64], beneath[TEST_PATH_MAX + 64], value[64];
    static char body[BODY];
    struct io io = io_system;
    struct engine *engine;
    make_folder(path);
    (void)snprintf(log, sizeof(log), "%s/log/0000000000000001.log", path);
    (void)snprintf(beneath, sizeof(beneath), "%s.disk", path);
    io.pwrite = write_to_memory;
    io.fdatasync = sync_to_disk;
    engine = open_store_with(path, &io);
    assert_ok(put_setting(engine, "a", STR("1")));
    copy_file(log, beneath);
    disk.fd = open(beneath, O_RDWR | O_CLOEXEC);
    assert_true(disk.fd >= 0);
    disk.fails_next = true;
    fill_bytes(body, BODY, 2);
    assert_err(put_body(engine, 2, body, BODY), ERR_IO);
    engine_close(engine);
    engine = open_store_with(path, &io);
    enum err after = check_body(engine, 2, BODY);
    assert_ok(put_setting(engine, "c", STR("3")));
    engine_close(engine);
    copy_file(beneath, log);
    (void)close(disk.fd);
    disk = (struct disk){.fd = -1};
    if (!keeps_index)
        remove_folder(file_in(path, "index"));
    engine = open_store(path);
    assert_int_equal(get_setting(engine, "a", value, sizeof(value)), 1);
    assert_int_equal(get_setting(engine, "c", value, sizeof(value)), 1);
    /* What was there after the restart was read by somebody, perhaps. */
    assert_err(check_body(engine, 2, BODY), after);
    engine_close(engine);
    remove_folder(path);
    (void)unlink(beneath);
}

static void log_alone_has_all(void **state)
{
    (void)state;
    restart_after_a_failed_sync(false);
}

static void index_names_nothing_that_is_lost(void **state)
{
    (void)state;
    restart_after_a_failed_sync(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_alone_has_all),
        cmocka_unit_test(index_names_nothing_that_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
