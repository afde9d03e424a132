/* Loaded into `pail serve` by the dynamic linker (LD_PRELOAD), between the program and the C library: ends the process right
 * before or after a chosen system call on the data folder, can play a disk that has lost what was not synced, and can let calls
 * fail. So the program that is tested is the one that is shipped. RocksDB's calls pass here too.
 *
 *   CRASH_SHIM_DIR      the data folder; calls on anything else pass untouched
 *   CRASH_SHIM_AT       SIDE:CALL:FOLDER:N: SIDE is "before" or "after", CALL as in the names below, FOLDER one of those in the
 *                       data folder, N how many passes are let by; for a renaming, FOLDER is where it leads to. A crash there
 *                       is told in a line on the standard error output
 *   CRASH_SHIM_FORGETS  1: of what was not synced in log/, extents/ and tmp/, nothing, all, or a part by chance is lost;
 *                       renamings and new folders there too. Writes of the index are kept: RocksDB asks for no syncs of its
 *                       own here that a row depends on, and power cuts of a real file system test it (oracle.py --mode power)
 *   CRASH_SHIM_FAULT    CALL:FOLDER:ERROR:COUNT: while faults are on, so many of these calls fail with that number of errno; 0: all
 *                       of them. CALL also "open" and "read"; "short": reads and writes do a part of what was asked for
 *   CRASH_SHIM_FD       the reading end of a pipe: "!" means that passes count from now on, "f" and "o" put faults on and off; when
 *                       the pipe's writer closes it, the crash comes at once. Without a pipe passes count from the start, and
 *                       faults are on
 *   CRASH_SHIM_SEED     for the chance
 *   CRASH_SHIM_SLOW_MS  a disk that takes so much longer to sync the log
 *
 * The model of a disk: a write may be lost, sector by sector, until its file was synced; a name may be lost until its
 * folder was synced. */

/* Both names of a call are defined here, so the headers must not make one of the other, nor define them themselves. */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static_assert(sizeof(off_t) == 8, "offsets are 64 bits wide under both names");

enum { SECTOR = 512, PATH_BYTES = 512, PENDING_MAX = 1 << 16, NAME_BYTES = 16 };

struct pending_write {
    dev_t device;
    ino_t inode;
    int fd; /* a descriptor of its own, without O_DIRECT */
    off_t offset;
    size_t len;
    char *former; /* what stood there */
};

/* A name that may not have reached the disk: a renamed file, or with an empty `from` a new folder. */
struct pending_name {
    char from[PATH_BYTES], to[PATH_BYTES];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char data_dir[PATH_BYTES];
static size_t data_dir_len;
static char point_side[NAME_BYTES], point_call[NAME_BYTES], point_folder[NAME_BYTES];
static unsigned long point_passes;
static bool has_point, is_counting, forgets;
static char fault_call[NAME_BYTES], fault_folder[NAME_BYTES];
static unsigned long fault_error, fault_count; /* of those that are left; 0: no end */
static bool has_fault, is_faulty;
static struct timespec slowness;
static uint64_t random_state = 1;
static struct pending_write *writes;
static size_t write_count;
static struct pending_name *names;
static size_t name_count;

/* ---- The calls behind ---- */

static long raw_pwrite(int fd, const void *src, size_t len, off_t offset)
{
    return syscall(SYS_pwrite64, fd, src, len, offset);
}

static long raw_rename(const char *from, const char *to)
{
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

static void crash(void);

/* ---- Start ---- */

enum { WORDS = 4 };

/* Four words with colons between them; the copy holds them. False when they are fewer. */
static bool split(const char *text, char copy[PATH_BYTES], char *word[WORDS])
{
    char *rest = copy;
    if (!text || strlen(text) >= PATH_BYTES)
        return false;
    memcpy(copy, text, strlen(text) + 1);
    for (size_t i = 0; i < WORDS; i++)
        word[i] = strsep(&rest, ":");
    return word[WORDS - 1] != NULL;
}

static uint64_t number_in(const char *text)
{
    uint64_t number = 0;
    for (; text && *text >= '0' && *text <= '9'; text++)
        number = number * 10 + (uint64_t)(*text - '0');
    return number;
}

static uint64_t number_of(const char *variable)
{
    return number_in(getenv(variable));
}

static void read_point(void)
{
    char copy[PATH_BYTES], *word[WORDS];
    has_point = split(getenv("CRASH_SHIM_AT"), copy, word);
    if (!has_point)
        return;
    (void)snprintf(point_side, sizeof(point_side), "%s", word[0]);
    (void)snprintf(point_call, sizeof(point_call), "%s", word[1]);
    (void)snprintf(point_folder, sizeof(point_folder), "%s", word[2]);
    point_passes = number_in(word[3]);
}

static void read_fault(void)
{
    char copy[PATH_BYTES], *word[WORDS];
    has_fault = split(getenv("CRASH_SHIM_FAULT"), copy, word);
    if (!has_fault)
        return;
    (void)snprintf(fault_call, sizeof(fault_call), "%s", word[0]);
    (void)snprintf(fault_folder, sizeof(fault_folder), "%s", word[1]);
    fault_error = number_in(word[2]);
    fault_count = number_in(word[3]);
}

static void *wait_for_order(void *context)
{
    char byte;
    ssize_t got;
    while ((got = read((int)(intptr_t)context, &byte, 1)) != 0) {
        pthread_mutex_lock(&mutex);
        is_counting = is_counting || (got > 0 && byte == '!');
        if (got > 0 && (byte == 'f' || byte == 'o'))
            is_faulty = byte == 'f';
        pthread_mutex_unlock(&mutex);
    }
    pthread_mutex_lock(&mutex);
    crash();
    return NULL;
}

/* A thread that takes none of the program's signals. */
static void start_waiting(int fd)
{
    pthread_t thread;
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    if (pthread_create(&thread, NULL, wait_for_order, (void *)(intptr_t)fd) != 0)
        abort();
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

__attribute__((constructor)) static void start(void)
{
    const char *dir = getenv("CRASH_SHIM_DIR");
    if (!dir)
        return;
    (void)snprintf(data_dir, sizeof(data_dir), "%s/", dir);
    data_dir_len = strlen(data_dir);
    read_point();
    read_fault();
    forgets = number_of("CRASH_SHIM_FORGETS") == 1;
    random_state = number_of("CRASH_SHIM_SEED") * 0x9E3779B97F4A7C15u + 1;
    uint64_t slow_ms = number_of("CRASH_SHIM_SLOW_MS");
    slowness = (struct timespec){(time_t)(slow_ms / 1000), (long)(slow_ms % 1000) * 1000000};
    writes = calloc(PENDING_MAX, sizeof(*writes));
    names = calloc(PENDING_MAX, sizeof(*names));
    if (!writes || !names)
        abort();
    /* A child would not be the server. */
    (void)unsetenv("LD_PRELOAD");
    is_counting = is_faulty = !getenv("CRASH_SHIM_FD");
    if (!is_counting)
        start_waiting((int)number_of("CRASH_SHIM_FD"));
}

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* ---- Where a call goes ---- */

/* The path of a descriptor; empty when it is none of the data folder's. */
static void path_of(int fd, char dst[PATH_BYTES])
{
    char link[64];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = data_dir_len ? readlink(link, dst, PATH_BYTES - 1) : -1;
    dst[len < 0 ? 0 : len] = '\0';
}

static void path_at(int dir_fd, const char *name, char dst[PATH_BYTES])
{
    char dir[PATH_BYTES];
    if (name[0] == '/' || dir_fd == AT_FDCWD) {
        (void)snprintf(dst, PATH_BYTES, "%s", name);
        return;
    }
    path_of(dir_fd, dir);
    if (snprintf(dst, PATH_BYTES, "%s/%s", dir, name) >= PATH_BYTES)
        abort();
}

/* Whether the path lies in that folder of the data folder, or is it. */
static bool is_in(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    return data_dir_len && strncmp(path, data_dir, data_dir_len) == 0 &&
           strncmp(path + data_dir_len, folder, len) == 0 &&
           (path[data_dir_len + len] == '/' || path[data_dir_len + len] == '\0');
}

static bool is_forgotten(const char *path)
{
    return forgets && (is_in(path, "log") || is_in(path, "extents") || is_in(path, "tmp"));
}

static bool is_data_dir(const char *path)
{
    return strlen(path) + 1 == data_dir_len && strncmp(path, data_dir, data_dir_len - 1) == 0;
}

/* ---- What is not synced ---- */

/* With the mutex held. */
static void note_write(int fd, size_t len, off_t offset)
{
    char link[64];
    struct stat file;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    struct pending_write *write = &writes[write_count];
    *write =
        (struct pending_write){.fd = open(link, O_RDWR | O_CLOEXEC), .offset = offset, .len = len};
    write->former = calloc(1, len ? len : 1);
    if (write_count == PENDING_MAX - 1 || write->fd < 0 || !write->former ||
        fstat(fd, &file) != 0 || pread(write->fd, write->former, len, offset) < 0)
        abort();
    write->device = file.st_dev;
    write->inode = file.st_ino;
    write_count++;
}

static void forget_pending_writes(int fd)
{
    struct stat file;
    size_t kept = 0;
    if (fstat(fd, &file) != 0)
        return;
    for (size_t i = 0; i < write_count; i++) {
        if (writes[i].device != file.st_dev || writes[i].inode != file.st_ino) {
            writes[kept++] = writes[i];
            continue;
        }
        free(writes[i].former);
        close(writes[i].fd);
    }
    write_count = kept;
}

static void note_name(const char *from, const char *to)
{
    if (name_count == PENDING_MAX)
        abort();
    struct pending_name *name = &names[name_count++];
    (void)snprintf(name->from, PATH_BYTES, "%s", from);
    (void)snprintf(name->to, PATH_BYTES, "%s", to);
}

/* A synced folder keeps the names in it. */
static void keep_names_in(const char *folder)
{
    size_t kept = 0;
    for (size_t i = 0; i < name_count; i++) {
        size_t len = (size_t)(strrchr(names[i].to, '/') - names[i].to);
        if (strlen(folder) != len || strncmp(folder, names[i].to, len) != 0)
            names[kept++] = names[i];
    }
    name_count = kept;
}

static void lose_write(const struct pending_write *write, uint64_t how)
{
    for (size_t at = 0; at < write->len; at += SECTOR) {
        size_t len = write->len - at < SECTOR ? write->len - at : SECTOR;
        if (how == 1 || (how == 2 && next_random() % 2))
            (void)raw_pwrite(write->fd, write->former + at, len, write->offset + (off_t)at);
    }
}

static void lose_name(const struct pending_name *name)
{
    char lost[PATH_BYTES + 64];
    if (name->from[0]) {
        (void)raw_rename(name->to, name->from);
        return;
    }
    /* A folder goes with all that is in it. */
    (void)snprintf(lost, sizeof(lost), "%.*s.lost-%llx", (int)data_dir_len - 1, data_dir,
                   (unsigned long long)next_random());
    (void)raw_rename(name->to, lost);
}

/* With the mutex held, so that nothing is written meanwhile. */
static void crash(void)
{
    uint64_t how = next_random() % 3;
    for (size_t i = write_count; forgets && i-- > 0;)
        lose_write(&writes[i], how);
    for (size_t i = name_count; forgets && i-- > 0;)
        if (how == 1 || (how == 2 && next_random() % 2))
            lose_name(&names[i]);
    (void)kill(getpid(), SIGKILL);
    for (;;)
        (void)pause();
}

/* ---- Points ---- */

/* So that this end can be told from any other one. Past this file's own write(), which wants the mutex. */
static void tell_point(void)
{
    static const char text[] = "crash_shim: at the point\n";
    (void)syscall(SYS_write, STDERR_FILENO, text, sizeof(text) - 1);
}

/* With the mutex held. */
static void pass(const char *side, const char *call, const char *path)
{
    if (!has_point || !is_counting || strcmp(side, point_side) != 0 ||
        strcmp(call, point_call) != 0 || !is_in(path, point_folder))
        return;
    if (point_passes-- > 0)
        return;
    tell_point();
    crash();
}

static void before(const char *call, const char *path)
{
    pthread_mutex_lock(&mutex);
    pass("before", call, path);
    pthread_mutex_unlock(&mutex);
}

static void after(const char *call, const char *path)
{
    int error = errno;
    pthread_mutex_lock(&mutex);
    pass("after", call, path);
    pthread_mutex_unlock(&mutex);
    errno = error;
}

/* ---- Faults ---- */

/* Whether the call is to fail, with errno set. */
static bool fails(const char *call, const char *path)
{
    if (!has_fault || strcmp(call, fault_call) != 0 || !is_in(path, fault_folder))
        return false;
    pthread_mutex_lock(&mutex);
    bool is_failing = is_faulty;
    if (is_failing && fault_count && --fault_count == 0)
        has_fault = false;
    pthread_mutex_unlock(&mutex);
    errno = (int)fault_error;
    return is_failing;
}

/* What a write or read does of what is asked for. What passes O_DIRECT must stay aligned. */
static size_t shortened(int fd, const char *path, size_t len)
{
    enum { PAGE = 4096, FEW = 700 };
    if (len <= FEW || !fails("short", path))
        return len;
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && !(flags & O_DIRECT))
        return FEW;
    return len > PAGE ? PAGE : len;
}

/* ---- The calls ---- */

static ssize_t shim_pwrite(int fd, const void *src, size_t len, off_t offset)
{
    char path[PATH_BYTES];
    path_of(fd, path);
    if (fails("pwrite", path))
        return -1;
    len = shortened(fd, path, len);
    if (!is_forgotten(path)) {
        before("pwrite", path);
        long result = raw_pwrite(fd, src, len, offset);
        after("pwrite", path);
        return result;
    }
    /* Noted and written in one: what a later writer finds there is what this one leaves. */
    pthread_mutex_lock(&mutex);
    pass("before", "pwrite", path);
    note_write(fd, len, offset);
    long result = raw_pwrite(fd, src, len, offset);
    int error = errno;
    pass("after", "pwrite", path);
    pthread_mutex_unlock(&mutex);
    errno = error;
    return result;
}

ssize_t pwrite(int fd, const void *src, size_t len, off_t offset)
{
    return shim_pwrite(fd, src, len, offset);
}

ssize_t pwrite64(int fd, const void *src, size_t len, off_t offset)
{
    return shim_pwrite(fd, src, len, offset);
}

ssize_t write(int fd, const void *src, size_t len)
{
    char path[PATH_BYTES];
    path_of(fd, path);
    if (fails("write", path))
        return -1;
    before("write", path);
    long result = syscall(SYS_write, fd, src, shortened(fd, path, len));
    after("write", path);
    return result;
}

/* What was noted before the sync began is kept by it; what is written during it may be or not. */
static int shim_sync(const char *call, long number, int fd)
{
    char path[PATH_BYTES];
    path_of(fd, path);
    if (fails(call, path))
        return -1;
    before(call, path);
    if (is_in(path, "log"))
        (void)nanosleep(&slowness, NULL);
    if (!is_forgotten(path) && !(forgets && is_data_dir(path))) {
        long result = syscall(number, fd);
        after(call, path);
        return (int)result;
    }
    pthread_mutex_lock(&mutex);
    int result = (int)syscall(number, fd);
    if (result == 0) {
        forget_pending_writes(fd);
        if (number == SYS_fsync)
            keep_names_in(path);
    }
    int error = errno;
    pass("after", call, path);
    pthread_mutex_unlock(&mutex);
    errno = error;
    return result;
}

int fdatasync(int fd)
{
    return shim_sync("fdatasync", SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return shim_sync("fsync", SYS_fsync, fd);
}

static int shim_rename(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    char from_path[PATH_BYTES], to_path[PATH_BYTES];
    path_at(from_dir, from, from_path);
    path_at(to_dir, to, to_path);
    if (fails("rename", to_path))
        return -1;
    pthread_mutex_lock(&mutex);
    pass("before", "rename", to_path);
    int result = (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    int error = errno;
    /* One that replaces a file cannot be undone here; extents/limit is the only one. */
    if (result == 0 && is_forgotten(to_path) && flags)
        note_name(from_path, to_path);
    pass("after", "rename", to_path);
    pthread_mutex_unlock(&mutex);
    errno = error;
    return result;
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    return shim_rename(from_dir, from, to_dir, to, flags);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return shim_rename(from_dir, from, to_dir, to, 0);
}

int rename(const char *from, const char *to)
{
    return shim_rename(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int mkdirat(int dir_fd, const char *name, mode_t mode)
{
    char path[PATH_BYTES];
    path_at(dir_fd, name, path);
    if (fails("mkdir", path))
        return -1;
    pthread_mutex_lock(&mutex);
    pass("before", "mkdir", path);
    int result = (int)syscall(SYS_mkdirat, dir_fd, name, mode);
    int error = errno;
    if (result == 0 && is_in(path, "extents") && is_forgotten(path))
        note_name("", path);
    pass("after", "mkdir", path);
    pthread_mutex_unlock(&mutex);
    errno = error;
    return result;
}

int unlinkat(int dir_fd, const char *name, int flags)
{
    char path[PATH_BYTES];
    path_at(dir_fd, name, path);
    if (fails("unlink", path))
        return -1;
    before("unlink", path);
    long result = syscall(SYS_unlinkat, dir_fd, name, flags);
    after("unlink", path);
    return (int)result;
}

int unlink(const char *name)
{
    return unlinkat(AT_FDCWD, name, 0);
}

static int shim_ftruncate(int fd, off_t len)
{
    char path[PATH_BYTES];
    path_of(fd, path);
    if (fails("ftruncate", path))
        return -1;
    before("ftruncate", path);
    long result = syscall(SYS_ftruncate, fd, len);
    after("ftruncate", path);
    return (int)result;
}

int ftruncate(int fd, off_t len)
{
    return shim_ftruncate(fd, len);
}

int ftruncate64(int fd, off_t len)
{
    return shim_ftruncate(fd, len);
}

static int shim_fallocate(int fd, int mode, off_t offset, off_t len)
{
    char path[PATH_BYTES];
    path_of(fd, path);
    if (fails("fallocate", path))
        return -1;
    before("fallocate", path);
    long result = syscall(SYS_fallocate, fd, mode, offset, len);
    after("fallocate", path);
    return (int)result;
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
    return shim_fallocate(fd, mode, offset, len);
}

int fallocate64(int fd, int mode, off_t offset, off_t len)
{
    return shim_fallocate(fd, mode, offset, len);
}

/* ---- Calls that only fail ---- */

static ssize_t shim_pread(int fd, void *dst, size_t len, off_t offset)
{
    char path[PATH_BYTES];
    path_of(fd, path);
    if (fails("read", path))
        return -1;
    return syscall(SYS_pread64, fd, dst, shortened(fd, path, len), offset);
}

ssize_t pread(int fd, void *dst, size_t len, off_t offset)
{
    return shim_pread(fd, dst, len, offset);
}

ssize_t pread64(int fd, void *dst, size_t len, off_t offset)
{
    return shim_pread(fd, dst, len, offset);
}

static ssize_t shim_preadv2(int fd, const struct iovec *piece, int count, off_t offset, int flags)
{
    char path[PATH_BYTES];
    path_of(fd, path);
    if (fails("read", path))
        return -1;
    struct iovec first = {piece->iov_base, shortened(fd, path, piece->iov_len)};
    if (first.iov_len < piece->iov_len)
        return syscall(SYS_preadv2, fd, &first, 1, offset, 0, flags);
    return syscall(SYS_preadv2, fd, piece, count, offset, 0, flags);
}

ssize_t preadv2(int fd, const struct iovec *piece, int count, off_t offset, int flags)
{
    return shim_preadv2(fd, piece, count, offset, flags);
}

ssize_t preadv64v2(int fd, const struct iovec *piece, int count, off_t offset, int flags)
{
    return shim_preadv2(fd, piece, count, offset, flags);
}

static int shim_open(int dir_fd, const char *name, int flags, va_list arguments)
{
    char path[PATH_BYTES];
    bool has_mode = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
    mode_t mode = has_mode ? va_arg(arguments, mode_t) : 0;
    path_at(dir_fd, name, path);
    return fails("open", path) ? -1 : (int)syscall(SYS_openat, dir_fd, name, flags, mode);
}

#define OPEN_WITHOUT_FOLDER(open)                                                                  \
    int open(const char *name, int flags, ...)                                                     \
    {                                                                                              \
        va_list arguments;                                                                         \
        va_start(arguments, flags);                                                                \
        int fd = shim_open(AT_FDCWD, name, flags, arguments);                                      \
        va_end(arguments);                                                                         \
        return fd;                                                                                 \
    }
#define OPEN_IN_FOLDER(openat)                                                                     \
    int openat(int dir_fd, const char *name, int flags, ...)                                       \
    {                                                                                              \
        va_list arguments;                                                                         \
        va_start(arguments, flags);                                                                \
        int fd = shim_open(dir_fd, name, flags, arguments);                                        \
        va_end(arguments);                                                                         \
        return fd;                                                                                 \
    }
OPEN_WITHOUT_FOLDER(open)
OPEN_WITHOUT_FOLDER(open64)
OPEN_IN_FOLDER(openat)
OPEN_IN_FOLDER(openat64)
