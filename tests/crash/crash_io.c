#include "crash_io.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum { SECTOR = 512, PAGE = 4096, PENDING_MAX = 4096, NAME_BYTES = 64 };

/* A write that may not have reached the disk. */
struct pending_write {
    dev_t device;
    ino_t inode;
    int fd; /* a descriptor of its own, without O_DIRECT */
    uint64_t offset;
    size_t len;
    char *former; /* what stood there */
};

/* A renaming that may not have. */
struct pending_rename {
    int from_dir, to_dir;
    char from[NAME_BYTES], to[NAME_BYTES];
    unsigned flags; /* what takes it back: two names that were exchanged are so once more */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct pending_write writes[PENDING_MAX];
static size_t write_count;
static struct pending_rename renames[PENDING_MAX];
static size_t rename_count;
static char crash_place[NAME_BYTES];
static unsigned crash_countdown;
static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Another way to the same file, that needs no alignment. */
static int reopen_plain(int fd)
{
    char path[64] = "/proc/self/fd/";
    char digits[16];
    size_t count = 0, at = strlen(path);
    do
        digits[count++] = (char)('0' + fd % 10);
    while ((fd /= 10) > 0);
    while (count)
        path[at++] = digits[--count];
    path[at] = '\0';
    return open(path, O_RDWR | O_CLOEXEC);
}

/* ---- Taking note ---- */

static ssize_t noting_pwrite(int fd, const void *src, size_t len, off_t offset)
{
    struct stat file;
    struct pending_write write = {.fd = reopen_plain(fd), .offset = (uint64_t)offset, .len = len};
    pthread_mutex_lock(&mutex);
    if (write.fd < 0 || fstat(fd, &file) != 0 || write_count == PENDING_MAX)
        abort();
    write.device = file.st_dev;
    write.inode = file.st_ino;
    write.former = mem_zalloc(len);
    if (pread(write.fd, write.former, len, offset) < 0)
        abort();
    writes[write_count++] = write;
    pthread_mutex_unlock(&mutex);
    return pwrite(fd, src, len, offset);
}

static void forget_writes(int fd)
{
    struct stat file;
    size_t kept = 0;
    if (fstat(fd, &file) != 0)
        abort();
    for (size_t i = 0; i < write_count; i++) {
        if (writes[i].device != file.st_dev || writes[i].inode != file.st_ino) {
            writes[kept++] = writes[i];
            continue;
        }
        mem_free(writes[i].former);
        close(writes[i].fd);
    }
    write_count = kept;
}

static bool is_same_folder(int a, int b)
{
    struct stat x, y;
    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* A renaming into "xx/..." is on the disk when that folder was synced. */
static bool is_into(const struct pending_rename *rename, int folder)
{
    if (!strchr(rename->to, '/'))
        return is_same_folder(rename->to_dir, folder);
    char name[NAME_BYTES];
    (void)memcpy(name, rename->to, sizeof(name));
    *strchr(name, '/') = '\0';
    int fd = openat(rename->to_dir, name, O_RDONLY | O_DIRECTORY);
    bool is_same = fd >= 0 && is_same_folder(fd, folder);
    close(fd);
    return is_same;
}

static void forget_renames(int folder)
{
    size_t kept = 0;
    for (size_t i = 0; i < rename_count; i++)
        if (!is_into(&renames[i], folder))
            renames[kept++] = renames[i];
    rename_count = kept;
}

static int noting_fdatasync(int fd)
{
    int result = fdatasync(fd);
    pthread_mutex_lock(&mutex);
    forget_writes(fd);
    pthread_mutex_unlock(&mutex);
    return result;
}

static int noting_fsync(int fd)
{
    int result = fsync(fd);
    pthread_mutex_lock(&mutex);
    forget_writes(fd);
    forget_renames(fd);
    pthread_mutex_unlock(&mutex);
    return result;
}

static int noting_rename(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    int result = io_system.rename(from_dir, from, to_dir, to, flags);
    if (result != 0)
        return result;
    pthread_mutex_lock(&mutex);
    if (rename_count == PENDING_MAX || strlen(from) >= NAME_BYTES || strlen(to) >= NAME_BYTES)
        abort();
    struct pending_rename *rename = &renames[rename_count++];
    *rename = (struct pending_rename){
        .from_dir = from_dir, .to_dir = to_dir, .flags = flags & RENAME_EXCHANGE};
    memcpy(rename->from, from, strlen(from) + 1);
    memcpy(rename->to, to, strlen(to) + 1);
    pthread_mutex_unlock(&mutex);
    return result;
}

/* ---- The crash ---- */

/* How much of it is lost: nothing, everything, or each sector by chance. */
static void lose_write(const struct pending_write *write, uint64_t how)
{
    for (size_t at = 0; at < write->len; at += SECTOR) {
        size_t len = write->len - at < SECTOR ? write->len - at : SECTOR;
        bool is_lost = how == 1 || (how == 2 && next_random() % 2);
        if (is_lost && pwrite(write->fd, write->former + at, len, (off_t)(write->offset + at)) < 0)
            abort();
    }
}

void crash_now(void)
{
    uint64_t how = next_random() % 3;
    pthread_mutex_lock(&mutex);
    /* From the newest to the oldest, as what is undone lies on top of what is kept. */
    for (size_t i = write_count; i-- > 0;)
        lose_write(&writes[i], how);
    for (size_t i = rename_count; i-- > 0;)
        if (next_random() % 2)
            (void)io_system.rename(renames[i].to_dir, renames[i].to, renames[i].from_dir,
                                   renames[i].from, renames[i].flags);
    (void)kill(getpid(), SIGKILL);
    for (;;)
        (void)pause();
}

static void reached(const char *place)
{
    pthread_mutex_lock(&mutex);
    bool is_it = strcmp(place, crash_place) == 0 && crash_countdown-- == 0;
    pthread_mutex_unlock(&mutex);
    if (is_it)
        crash_now();
}

void crash_at(const char *place, unsigned nth, uint64_t seed)
{
    if (strlen(place) >= NAME_BYTES)
        abort();
    memcpy(crash_place, place, strlen(place) + 1);
    crash_countdown = nth;
    random_state = seed * 0x9E3779B97F4A7C15u + 1;
}

static int plain_open(int dir_fd, const char *path, int flags, mode_t mode)
{
    return io_system.open(dir_fd, path, flags, mode);
}

static int plain_fallocate(int fd, int mode, off_t offset, off_t len)
{
    return io_system.fallocate(fd, mode, offset, len);
}

static int plain_unlink(int dir_fd, const char *path)
{
    return io_system.unlink(dir_fd, path);
}

static int plain_link(int from_dir, const char *from, int to_dir, const char *to)
{
    return io_system.link(from_dir, from, to_dir, to);
}

const struct io crash_io = {
    .open = plain_open,
    .preadv2 = preadv2,
    .pwrite = noting_pwrite,
    .fdatasync = noting_fdatasync,
    .fsync = noting_fsync,
    .ftruncate = ftruncate,
    .fallocate = plain_fallocate,
    .rename = noting_rename,
    .unlink = plain_unlink,
    .mkdir = mkdirat,
    .statvfs = fstatvfs,
    .link = plain_link,
    .reached = reached,
};
