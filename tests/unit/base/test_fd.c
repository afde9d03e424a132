/* Aim: whole reads and writes despite signals and short ones; every failure is told; a replaced file is the old or the new
 * one and leaves nothing behind. */
#include "base/fd.h"

#include "../unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

/* A folder for the test in *state, as a descriptor. */
struct folder {
    int fd;
    char path[64];
};

static int make_folder(void **state)
{
    struct folder *folder = mem_new(struct folder);
    (void)snprintf(folder->path, sizeof(folder->path), "/tmp/pail-test-fd-XXXXXX");
    if (!mkdtemp(folder->path))
        return -1;
    folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = folder;
    return folder->fd < 0 ? -1 : 0;
}

static size_t remove_entries(int folder_fd)
{
    size_t count = 0;
    DIR *dir = fdopendir(openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        count++;
        if (unlinkat(folder_fd, entry->d_name, 0) != 0)
            (void)unlinkat(folder_fd, entry->d_name, AT_REMOVEDIR);
    }
    (void)closedir(dir);
    return count;
}

static int remove_folder(void **state)
{
    struct folder *folder = *state;
    (void)remove_entries(folder->fd);
    (void)close(folder->fd);
    int result = rmdir(folder->path);
    mem_free(folder);
    return result;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void test_scope(void **state)
{
    (void)state;
    int closed, left;
    {
        FD_SCOPED int first = open("/dev/null", O_RDONLY | O_CLOEXEC);
        FD_SCOPED int second = open("/dev/null", O_RDONLY | O_CLOEXEC);
        FD_SCOPED int none = -1;
        (void)none;
        closed = first;
        left = fd_take(&second);
        assert_int_equal(second, -1);
    }
    assert_false(is_open(closed));
    assert_true(is_open(left));
    (void)close(left);
}

static void test_at_offsets(void **state)
{
    struct folder *folder = *state;
    FD_SCOPED int fd = openat(folder->fd, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    char text[4] = "";
    assert_ok(fd_pwrite_full(fd, "abcdef", 6, 10));
    assert_ok(fd_pread_full(fd, text, 3, 12));
    assert_memory_equal(text, "cde", 3);
    assert_ok(fd_pread_full(fd, text, 0, 99));
    assert_err(fd_pread_full(fd, text, 3, 14), ERR_CORRUPT);
    assert_err(fd_pread_full(fd, text, 1, 16), ERR_CORRUPT);
    assert_err(fd_pread_full(-1, text, 1, 0), ERR_IO);
    assert_err(fd_pwrite_full(-1, text, 1, 0), ERR_IO);
    assert_err(fd_write_full(-1, text, 1), ERR_IO);
}

static void test_full_disk(void **state)
{
    (void)state;
    FD_SCOPED int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_err(fd_write_full(fd, "a", 1), ERR_NO_SPACE);
    assert_err(fd_pwrite_full(fd, "a", 1, 0), ERR_NO_SPACE);
}

enum { LARGE = 3000000 };

static void *read_slowly(void *ctx)
{
    int fd = *(int *)ctx;
    static char bytes[5000];
    size_t sum = 0;
    for (ssize_t got; (got = read(fd, bytes, sizeof(bytes))) > 0;)
        sum += (size_t)got;
    return (void *)sum;
}

static void do_nothing(int number)
{
    (void)number;
}

/* A pipe takes 64 KiB at once, and a timer interrupts the waiting. */
static void test_short_and_interrupted_writes(void **state)
{
    (void)state;
    int end[2];
    assert_int_equal(pipe(end), 0);
    sigset_t alarm_set;
    (void)sigemptyset(&alarm_set);
    (void)sigaddset(&alarm_set, SIGALRM);
    (void)pthread_sigmask(SIG_BLOCK, &alarm_set,
                          NULL); /* the reader inherits: only the writer is hit */
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_slowly, &end[0]), 0);
    struct sigaction action = {.sa_handler = do_nothing}; /* without SA_RESTART */
    (void)sigaction(SIGALRM, &action, NULL);
    (void)pthread_sigmask(SIG_UNBLOCK, &alarm_set, NULL);
    struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
    (void)setitimer(ITIMER_REAL, &often, NULL);
    char *bytes = mem_zalloc(LARGE);
    enum err err = fd_write_full(end[1], bytes, LARGE);
    (void)setitimer(ITIMER_REAL, &never, NULL);
    (void)close(end[1]);
    void *sum;
    (void)pthread_join(reader, &sum);
    (void)close(end[0]);
    mem_free(bytes);
    assert_ok(err);
    assert_int_equal((size_t)sum, LARGE);
}

static void test_read_of_a_file(void **state)
{
    struct folder *folder = *state;
    assert_ok(file_replace(folder->fd, "f", STR("hello"), 0600));
    static const struct {
        size_t cap;
        enum err expected;
    } cases[] = {{100, OK}, {6, OK}, {5, OK}, {4, ERR_TOO_LARGE}, {0, ERR_TOO_LARGE}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        BUF_SCOPED struct buf buf;
        buf_init(&buf, cases[i].cap);
        assert_err(file_read(folder->fd, "f", &buf), cases[i].expected);
        assert_str(buf_str(&buf), cases[i].expected == OK ? STR("hello") : STR(""));
    }
    BUF_SCOPED struct buf buf;
    buf_init(&buf, 100);
    buf_append(&buf, STR("kept "));
    assert_err(file_read(folder->fd, "absent", &buf), ERR_NOT_FOUND);
    assert_err(file_read(folder->fd, ".", &buf), ERR_IO);
    assert_str(buf_str(&buf), STR("kept "));
    assert_ok(file_read(folder->fd, "f", &buf));
    assert_str(buf_str(&buf), STR("kept hello"));
}

static void test_read_of_a_large_file(void **state)
{
    struct folder *folder = *state;
    char *bytes = mem_alloc(LARGE);
    struct unit_random random = {11};
    unit_random_fill(&random, bytes, LARGE);
    assert_ok(file_replace(folder->fd, "large", str_of(bytes, LARGE), 0600));
    for (size_t cap = LARGE; cap <= LARGE + 1; cap++) {
        BUF_SCOPED struct buf buf;
        buf_init(&buf, cap);
        assert_ok(file_read(folder->fd, "large", &buf));
        assert_true(str_eq(buf_str(&buf), str_of(bytes, LARGE)));
    }
    mem_free(bytes);
}

static void test_replace(void **state)
{
    struct folder *folder = *state;
    (void)remove_entries(folder->fd);
    assert_int_equal(mkdirat(folder->fd, "sub", 0700), 0);
    static const char *const paths[] = {"f", "sub/f", "./f"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        BUF_SCOPED struct buf buf;
        buf_init(&buf, 100);
        assert_ok(file_replace(folder->fd, paths[i], STR("first, longer"), 0600));
        assert_ok(file_replace(folder->fd, paths[i], STR("second"), 0640));
        assert_ok(file_read(folder->fd, paths[i], &buf));
        assert_str(buf_str(&buf), STR("second"));
        struct stat stat;
        assert_int_equal(fstatat(folder->fd, paths[i], &stat, 0), 0);
        assert_int_equal(stat.st_mode & 0777, 0640);
    }
    char absolute[100];
    (void)snprintf(absolute, sizeof(absolute), "%s/g", folder->path);
    assert_ok(file_replace(AT_FDCWD, absolute, STR(""), 0600));
    assert_int_equal(unlinkat(folder->fd, "sub/f", 0), 0);
    assert_int_equal(remove_entries(folder->fd), 3); /* f, g and sub: no temporary file */
}

static void test_failed_replace_leaves_nothing(void **state)
{
    struct folder *folder = *state;
    (void)remove_entries(folder->fd);
    assert_int_equal(mkdirat(folder->fd, "sub", 0700), 0);
    assert_err(file_replace(folder->fd, "sub", STR("x"), 0600),
               ERR_IO); /* a folder is in the way */
    assert_err(file_replace(folder->fd, "absent/f", STR("x"), 0600), ERR_NOT_FOUND);
    assert_int_equal(remove_entries(folder->fd), 1);
}

static void test_dir_sync(void **state)
{
    struct folder *folder = *state;
    assert_ok(dir_sync(folder->fd));
    assert_err(dir_sync(-1), ERR_IO);
}

static void test_dir_make(void **state)
{
    struct folder *folder = *state;
    struct stat status;
    (void)remove_entries(folder->fd);
    assert_ok(dir_make(folder->fd, "made", 0700));
    assert_int_equal(fstatat(folder->fd, "made", &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_ok(dir_make(folder->fd, "made/deeper", 0700));
    assert_err(dir_make(folder->fd, "made", 0700), ERR_EXISTS);
    assert_err(dir_make(folder->fd, "absent/made", 0700), ERR_NOT_FOUND);
    assert_int_equal(unlinkat(folder->fd, "made/deeper", AT_REMOVEDIR), 0);
    assert_int_equal(unlinkat(folder->fd, "made", AT_REMOVEDIR), 0);
}

/* Appending goes on where another writer left off, and a file that is not there is made. */
static void test_open_append(void **state)
{
    struct folder *folder = *state;
    (void)remove_entries(folder->fd);
    for (int i = 0; i < 2; i++) {
        FD_SCOPED int fd = -1;
        assert_ok(file_open_append(folder->fd, "log", 0640, &fd));
        assert_ok(fd_write_full(fd, "line\n", 5));
    }
    BUF_SCOPED struct buf content;
    buf_init(&content, 100);
    assert_ok(file_read(folder->fd, "log", &content));
    assert_str(buf_str(&content), STR("line\nline\n"));
    int untouched = -7;
    assert_err(file_open_append(folder->fd, "absent/log", 0640, &untouched), ERR_NOT_FOUND);
    assert_int_equal(untouched, -7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scope),          cmocka_unit_test(test_at_offsets),
        cmocka_unit_test(test_full_disk),      cmocka_unit_test(test_short_and_interrupted_writes),
        cmocka_unit_test(test_read_of_a_file), cmocka_unit_test(test_read_of_a_large_file),
        cmocka_unit_test(test_replace),        cmocka_unit_test(test_failed_replace_leaves_nothing),
        cmocka_unit_test(test_dir_sync),       cmocka_unit_test(test_dir_make),
        cmocka_unit_test(test_open_append),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
