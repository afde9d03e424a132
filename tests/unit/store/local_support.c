#include "local_support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Folders ---- */

void make_folder(char path[TEST_PATH_MAX])
{
    const char *parent = getenv("TMPDIR");
    (void)snprintf(path, TEST_PATH_MAX, "%s/pail-store-XXXXXX", parent ? parent : "/tmp");
    assert_non_null(mkdtemp(path));
}

static void run(const char *format, const char *a, const char *b)
{
    char command[3 * TEST_PATH_MAX];
    (void)snprintf(command, sizeof(command), "%s '%s' '%s'", format, a, b);
    assert_int_equal(system(command), 0);
}

void remove_folder(const char *path)
{
    run("rm -rf", path, path);
}

void copy_folder(const char *from, const char *to)
{
    run("rm -rf", to, to);
    run("cp -r --sparse=always", from, to);
}

const char *file_in(const char *path, const char *name)
{
    static char joined[2 * TEST_PATH_MAX];
    (void)snprintf(joined, sizeof(joined), "%s/%s", path, name);
    return joined;
}

void flip_byte(const char *file, uint64_t offset)
{
    char byte;
    int fd = open(file, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
    byte = (char)(byte ^ 0x10);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
    close(fd);
}

uint64_t file_size(const char *file)
{
    struct stat status;
    assert_int_equal(stat(file, &status), 0);
    return (uint64_t)status.st_size;
}

bool nth_file(const char *folder, const char *ending, size_t n, char out_path[TEST_PATH_MAX])
{
    struct dirent **entry;
    int count = scandir(folder, &entry, NULL, alphasort);
    bool found = false;
    for (int i = 0; i < count; i++) {
        if (str_has_suffix(str_from(entry[i]->d_name), str_from(ending)) && n-- == 0) {
            int len = snprintf(out_path, TEST_PATH_MAX, "%s/%s", folder, entry[i]->d_name);
            found = len > 0 && len < TEST_PATH_MAX;
        }
        free(entry[i]);
    }
    free(entry);
    return found;
}

size_t count_files(const char *path, const char *folder)
{
    char file[TEST_PATH_MAX];
    size_t count = 0;
    while (nth_file(file_in(path, folder), "", count, file))
        count++;
    return count - 2; /* "." and ".." */
}

/* ---- Faults ---- */

static struct {
    unsigned count;
    bool is_set, is_sticky;
    unsigned nth;
    int error;
} faults[FAULT_CALLS];
/* Set by the test while threads of the engine read them. */
static _Atomic size_t partial_write, short_len;
static _Atomic bool are_syncs_skipped;
static _Atomic uint64_t told_free_bytes, told_total_bytes;
static void (*_Atomic reached_hook)(const char *place);

void fault_clear(void)
{
    memset(faults, 0, sizeof(faults));
    partial_write = 0;
    short_len = 0;
    are_syncs_skipped = false;
    told_total_bytes = 0;
    fault_set_reached(NULL);
}

void fault_set(enum fault_call call, unsigned nth, int error, bool is_sticky)
{
    faults[call].nth = __atomic_load_n(&faults[call].count, __ATOMIC_RELAXED) + nth;
    faults[call].error = error;
    faults[call].is_sticky = is_sticky;
    __atomic_store_n(&faults[call].is_set, true, __ATOMIC_RELEASE);
}

void fault_set_short(size_t len)
{
    short_len = len;
}

void fault_skip_syncs(void)
{
    are_syncs_skipped = true;
}

void fault_set_partial_write(size_t len)
{
    partial_write = len;
}

unsigned fault_count(enum fault_call call)
{
    return __atomic_load_n(&faults[call].count, __ATOMIC_RELAXED);
}

void fault_set_space(uint64_t free_bytes, uint64_t total_bytes)
{
    told_free_bytes = free_bytes;
    told_total_bytes = total_bytes;
}

void fault_set_reached(void (*reached)(const char *place))
{
    reached_hook = reached;
}

/* Counts the call; whether it is to fail, with errno set. */
static bool fails(enum fault_call call)
{
    unsigned n = __atomic_fetch_add(&faults[call].count, 1, __ATOMIC_RELAXED);
    if (!__atomic_load_n(&faults[call].is_set, __ATOMIC_ACQUIRE))
        return false;
    if (n != faults[call].nth && !(faults[call].is_sticky && n > faults[call].nth))
        return false;
    errno = faults[call].error;
    return true;
}

static int fault_open(int dir_fd, const char *path, int flags, mode_t mode)
{
    return fails(FAULT_OPEN) ? -1 : io_system.open(dir_fd, path, flags, mode);
}

/* What passes O_DIRECT must stay aligned. */
static size_t shortened(int fd, size_t len)
{
    enum { PAGE = 4096 };
    int flags = fcntl(fd, F_GETFL);
    size_t most = flags >= 0 && flags & O_DIRECT ? PAGE : short_len;
    return short_len && most < len ? most : len;
}

static ssize_t fault_preadv2(int fd, const struct iovec *piece, int count, off_t offset, int flags)
{
    struct iovec first = {piece->iov_base, shortened(fd, piece->iov_len)};
    if (fails(FAULT_READ))
        return -1;
    if (first.iov_len < piece->iov_len)
        return io_system.preadv2(fd, &first, 1, offset, flags);
    return io_system.preadv2(fd, piece, count, offset, flags);
}

static ssize_t fault_pwrite(int fd, const void *src, size_t len, off_t offset)
{
    if (!fails(FAULT_WRITE))
        return io_system.pwrite(fd, src, shortened(fd, len), offset);
    int error = errno;
    if (partial_write && partial_write < len)
        (void)io_system.pwrite(fd, src, partial_write, offset);
    errno = error;
    return -1;
}

static int fault_fdatasync(int fd)
{
    if (fails(FAULT_SYNC_DATA))
        return -1;
    return are_syncs_skipped ? 0 : io_system.fdatasync(fd);
}

static int fault_fsync(int fd)
{
    if (fails(FAULT_SYNC))
        return -1;
    return are_syncs_skipped ? 0 : io_system.fsync(fd);
}

static int fault_ftruncate(int fd, off_t len)
{
    return fails(FAULT_TRUNCATE) ? -1 : io_system.ftruncate(fd, len);
}

static int fault_fallocate(int fd, int mode, off_t offset, off_t len)
{
    return fails(FAULT_ALLOCATE) ? -1 : io_system.fallocate(fd, mode, offset, len);
}

static int fault_rename(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    return fails(FAULT_RENAME) ? -1 : io_system.rename(from_dir, from, to_dir, to, flags);
}

static int fault_unlink(int dir_fd, const char *path)
{
    return fails(FAULT_UNLINK) ? -1 : io_system.unlink(dir_fd, path);
}

static int fault_mkdir(int dir_fd, const char *path, mode_t mode)
{
    return fails(FAULT_MKDIR) ? -1 : io_system.mkdir(dir_fd, path, mode);
}

static int fault_statvfs(int fd, struct statvfs *out)
{
    if (fails(FAULT_STATVFS))
        return -1;
    int result = io_system.statvfs(fd, out);
    if (told_total_bytes) {
        out->f_frsize = 1;
        out->f_blocks = told_total_bytes;
        out->f_bavail = told_free_bytes;
    }
    return result;
}

static int fault_link(int from_dir, const char *from, int to_dir, const char *to)
{
    return fails(FAULT_LINK) ? -1 : io_system.link(from_dir, from, to_dir, to);
}

static void fault_reached(const char *place)
{
    void (*hook)(const char *) = reached_hook;
    if (hook)
        hook(place);
}

const struct io fault_io = {
    .open = fault_open,
    .preadv2 = fault_preadv2,
    .pwrite = fault_pwrite,
    .fdatasync = fault_fdatasync,
    .fsync = fault_fsync,
    .ftruncate = fault_ftruncate,
    .fallocate = fault_fallocate,
    .rename = fault_rename,
    .unlink = fault_unlink,
    .mkdir = fault_mkdir,
    .statvfs = fault_statvfs,
    .link = fault_link,
    .reached = fault_reached,
};

/* ---- Rows ---- */

enum { ARENA_CAP = 64 << 20, SEGMENT_BYTES = 256 << 10 };

struct engine *open_store_with(const char *path, const struct io *io)
{
    struct fail fail = {0};
    struct engine *engine = NULL;
    struct local_options options = {.data_dir = path, .segment_bytes = SEGMENT_BYTES, .io = io};
    enum err err = local_engine_open(&options, &engine, &fail);
    if (err != OK)
        print_error("%s\n", fail.detail);
    assert_ok(err);
    return engine;
}

struct engine *open_store(const char *path)
{
    return open_store_with(path, NULL);
}

struct row_update {
    struct update update;
    enum table_id table;
    const void *row;
};

static enum err apply_put(struct update *update, struct tx *tx)
{
    struct row_update *one = (struct row_update *)(void *)update;
    return row_put(tx, one->table, one->row);
}

static enum err apply_delete(struct update *update, struct tx *tx)
{
    struct row_update *one = (struct row_update *)(void *)update;
    return row_delete(tx, one->table, one->row);
}

enum err put_setting(struct engine *engine, const char *name, str value)
{
    struct setting_row row = {.name = str_from(name), .value = value};
    struct row_update update = {{.apply = apply_put}, TABLE_setting, &row};
    return catalog_update_wait(engine, &update.update);
}

enum err delete_setting(struct engine *engine, const char *name)
{
    struct setting_row row = {.name = str_from(name)};
    struct row_update update = {
        {.apply = apply_delete, .flags = UPDATE_FREES}, TABLE_setting, &row};
    return catalog_update_wait(engine, &update.update);
}

int get_setting(struct engine *engine, const char *name, char *value, size_t room)
{
    struct arena *arena = arena_new(ARENA_CAP);
    struct setting_row row = {.name = str_from(name)};
    struct tx *tx;
    int len = -1;
    assert_ok(view_begin(engine, VIEW_WAIT, &tx));
    enum err err = row_get(tx, TABLE_setting, &row, arena);
    if (err == OK) {
        assert_true(row.value.len <= room);
        if (row.value.len)
            memcpy(value, row.value.ptr, row.value.len);
        len = (int)row.value.len;
    } else {
        assert_err(err, ERR_NOT_FOUND);
    }
    view_end(tx);
    arena_free(arena);
    return len;
}

enum err put_body(struct engine *engine, uint64_t number, const void *bytes, size_t len)
{
    struct object_row row = {.bucket_id = 1,
                             .key = str_of(&number, sizeof(number)),
                             .size = len,
                             .body = {.bytes = bytes, .length = len}};
    struct row_update update = {{.apply = apply_put}, TABLE_object, &row};
    return catalog_update_wait(engine, &update.update);
}

enum err delete_body(struct engine *engine, uint64_t number)
{
    struct object_row row = {.bucket_id = 1, .key = str_of(&number, sizeof(number))};
    struct row_update update = {{.apply = apply_delete, .flags = UPDATE_FREES}, TABLE_object, &row};
    return catalog_update_wait(engine, &update.update);
}

enum err check_body(struct engine *engine, uint64_t number, size_t len)
{
    struct arena *arena = arena_new(ARENA_CAP);
    struct object_row row = {.bucket_id = 1, .key = str_of(&number, sizeof(number))};
    struct tx *tx;
    assert_ok(view_begin(engine, VIEW_WAIT, &tx));
    enum err err = row_get(tx, TABLE_object, &row, arena);
    if (err == OK) {
        char *actual = arena_alloc(arena, len), *expected = arena_alloc(arena, len);
        assert_int_equal(row.body.length, len);
        err = blob_read(tx, &row.body, actual);
        fill_bytes(expected, len, number);
        if (err == OK)
            assert_memory_equal(actual, expected, len);
    }
    view_end(tx);
    arena_free(arena);
    return err;
}

enum err store_extent(struct engine *engine, struct extent_row *out_row)
{
    struct extent_writer *writer;
    struct arena *arena = arena_new(1 << 20);
    char *bytes = mem_alloc_aligned(4096, 10000);
    fill_bytes(bytes, 10000, 1);
    enum err err = extent_begin(engine, 10000, &writer);
    if (err == OK) {
        err = extent_write(writer, bytes, 10000, 0);
        if (err == OK)
            err = extent_seal(writer, 10000, arena, out_row);
        else
            extent_abort(writer);
    }
    mem_free(bytes);
    arena_free(arena);
    return err;
}

void fill_bytes(void *dst, size_t len, uint64_t seed)
{
    unsigned char *at = dst;
    uint64_t x = (seed + 1) * 0x9E3779B97F4A7C15u;
    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        at[i] = (unsigned char)(x >> 24);
    }
}
