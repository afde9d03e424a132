#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rand.h"

enum { READ_STEP = 65536 };

void fd_close_scoped(int *fd)
{
    /* close is not repeated after EINTR: on Linux the descriptor is gone already. */
    if (*fd >= 0)
        (void)close(*fd);
}

int fd_take(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

enum err fd_pread_full(int fd, void *dst, size_t len, uint64_t offset)
{
    char *at = dst;
    while (len) {
        ssize_t got = pread(fd, at, len, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_from_errno(errno);
        if (got == 0)
            return ERR_CORRUPT;
        at += got;
        len -= (size_t)got;
        offset += (uint64_t)got;
    }
    return OK;
}

enum err fd_pwrite_full(int fd, const void *src, size_t len, uint64_t offset)
{
    const char *at = src;
    while (len) {
        ssize_t put = pwrite(fd, at, len, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_from_errno(errno);
        at += put;
        len -= (size_t)put;
        offset += (uint64_t)put;
    }
    return OK;
}

enum err fd_write_full(int fd, const void *src, size_t len)
{
    const char *at = src;
    while (len) {
        ssize_t put = write(fd, at, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_from_errno(errno);
        at += put;
        len -= (size_t)put;
    }
    return OK;
}

static int open_at(int dir_fd, const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = openat(dir_fd, path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* One step of reading to the end. A full buffer may still be the whole file, so a byte that does not belong to it is
 * asked for. */
static enum err read_step(int fd, struct buf *out, bool *out_at_end)
{
    char beyond;
    size_t room = out->cap_bytes - out->len;
    size_t step = room < READ_STEP ? room : READ_STEP;
    char *dst = step ? buf_reserve(out, step) : &beyond;
    if (!dst)
        return buf_err(out);
    ssize_t got = read(fd, dst, step ? step : 1);
    if (got < 0)
        return errno == EINTR ? OK : err_from_errno(errno);
    if (got > 0 && step == 0)
        return ERR_TOO_LARGE;
    buf_commit(out, (size_t)got);
    *out_at_end = got == 0;
    return OK;
}

static enum err read_to_end(int fd, struct buf *out)
{
    for (bool at_end = false; !at_end;)
        TRY(read_step(fd, out, &at_end));
    return OK;
}

enum err file_read(int dir_fd, const char *path, struct buf *out)
{
    FD_SCOPED int fd = open_at(dir_fd, path, O_RDONLY, 0);
    if (fd < 0)
        return err_from_errno(errno);
    size_t len = out->len;
    enum err err = read_to_end(fd, out);
    if (err != OK)
        out->len = len;
    return err;
}

static enum err sync_fd(int fd)
{
    /* Only an interrupted sync is repeated: after a failed one the kernel may have dropped the pages. */
    while (fsync(fd) < 0)
        if (errno != EINTR)
            return err_from_errno(errno);
    return OK;
}

enum err dir_sync(int dir_fd)
{
    return sync_fd(dir_fd);
}

/* The folder that the entry `path` lies in. */
static int open_parent(int dir_fd, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return open_at(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0);
    size_t len = (size_t)(slash - path) + 1; /* the slash stays: "/x" lies in "/" */
    MEM_SCOPED char *parent = mem_zalloc(len + 1);
    memcpy(parent, path, len);
    return open_at(dir_fd, parent, O_RDONLY | O_DIRECTORY, 0);
}

enum err dir_make(int dir_fd, const char *path, mode_t mode)
{
    if (mkdirat(dir_fd, path, mode) < 0)
        return err_from_errno(errno);
    FD_SCOPED int parent = open_parent(dir_fd, path);
    return parent < 0 ? err_from_errno(errno) : dir_sync(parent);
}

static enum err write_new(int parent, const char *name, str content, mode_t mode)
{
    FD_SCOPED int fd = open_at(parent, name, O_WRONLY | O_CREAT | O_EXCL, mode);
    if (fd < 0)
        return err_from_errno(errno);
    TRY(fd_write_full(fd, content.ptr, content.len));
    return sync_fd(fd);
}

static enum err replace_in(int parent, const char *name, const char *temporary, str content,
                           mode_t mode)
{
    enum err err = write_new(parent, temporary, content, mode);
    if (err == OK && renameat(parent, temporary, parent, name) < 0)
        err = err_from_errno(errno);
    if (err != OK) {
        (void)unlinkat(parent, temporary, 0);
        return err;
    }
    return dir_sync(parent);
}

enum err file_replace(int dir_fd, const char *path, str content, mode_t mode)
{
    FD_SCOPED int parent = open_parent(dir_fd, path);
    if (parent < 0)
        return err_from_errno(errno);
    const char *slash = strrchr(path, '/');
    char temporary[32];
    (void)snprintf(temporary, sizeof(temporary), ".new-%016llx", (unsigned long long)rand_u64());
    return replace_in(parent, slash ? slash + 1 : path, temporary, content, mode);
}

enum err file_open_append(int dir_fd, const char *path, mode_t mode, int *out_fd)
{
    int fd = open_at(dir_fd, path, O_WRONLY | O_APPEND | O_CREAT, mode);
    if (fd < 0)
        return err_from_errno(errno);
    *out_fd = fd;
    return OK;
}
