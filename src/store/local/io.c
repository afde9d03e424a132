#include "store/local/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

static int system_open(int dir_fd, const char *path, int flags, mode_t mode)
{
    return openat(dir_fd, path, flags, mode);
}

static int system_unlink(int dir_fd, const char *path)
{
    return unlinkat(dir_fd, path, 0);
}

static int system_fallocate(int fd, int mode, off_t offset, off_t len)
{
    return fallocate(fd, mode, offset, len);
}

static int system_link(int from_dir, const char *from, int to_dir, const char *to)
{
    return linkat(from_dir, from, to_dir, to, 0);
}

const struct io io_system = {
    .open = system_open,
    .preadv2 = preadv2,
    .pwrite = pwrite,
    .fdatasync = fdatasync,
    .fsync = fsync,
    .ftruncate = ftruncate,
    .fallocate = system_fallocate,
    .rename = renameat2,
    .unlink = system_unlink,
    .mkdir = mkdirat,
    .link = system_link,
    .statvfs = fstatvfs,
};

/* ---- Reading only ---- */

static int refuse(void)
{
    errno = EROFS;
    return -1;
}

static int refuse_open(int dir_fd, const char *path, int flags, mode_t mode)
{
    return flags & (O_CREAT | O_TRUNC)
               ? refuse()
               : system_open(dir_fd, path, (flags & ~O_ACCMODE) | O_RDONLY, mode);
}

static ssize_t refuse_pwrite(int fd, const void *src, size_t len, off_t offset)
{
    (void)fd, (void)src, (void)len, (void)offset;
    return refuse();
}

static int pass_sync(int fd)
{
    (void)fd;
    return 0;
}

static int refuse_ftruncate(int fd, off_t len)
{
    (void)fd, (void)len;
    return refuse();
}

static int refuse_fallocate(int fd, int mode, off_t offset, off_t len)
{
    (void)fd, (void)mode, (void)offset, (void)len;
    return refuse();
}

static int refuse_rename(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    (void)from_dir, (void)from, (void)to_dir, (void)to, (void)flags;
    return refuse();
}

static int refuse_unlink(int dir_fd, const char *path)
{
    (void)dir_fd, (void)path;
    return refuse();
}

static int refuse_mkdir(int dir_fd, const char *path, mode_t mode)
{
    (void)dir_fd, (void)path, (void)mode;
    return refuse();
}

static int refuse_link(int from_dir, const char *from, int to_dir, const char *to)
{
    (void)from_dir, (void)from, (void)to_dir, (void)to;
    return refuse();
}

const struct io io_read_only = {
    .open = refuse_open,
    .preadv2 = preadv2,
    .pwrite = refuse_pwrite,
    .fdatasync = pass_sync,
    .fsync = pass_sync,
    .ftruncate = refuse_ftruncate,
    .fallocate = refuse_fallocate,
    .rename = refuse_rename,
    .unlink = refuse_unlink,
    .mkdir = refuse_mkdir,
    .statvfs = fstatvfs,
    .link = refuse_link,
};

/* ---- Helpers ---- */

/* Repeats a call that a signal has interrupted. */
#define RETRIED(result, call)                                                                      \
    do {                                                                                           \
        (result) = (call);                                                                         \
    } while ((result) < 0 && errno == EINTR)

enum err io_open(const struct io *io, int dir_fd, const char *path, int flags, int *out_fd)
{
    int fd;
    RETRIED(fd, io->open(dir_fd, path, flags | O_CLOEXEC, 0600));
    if (fd < 0)
        return err_from_errno(errno);
    *out_fd = fd;
    return OK;
}

enum err io_open_now(int dir_fd, const char *path, int *out_fd)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_CACHED};
    long fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
    if (fd < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_WOULD_BLOCK;
    *out_fd = (int)fd;
    return OK;
}

static enum err read_piece(const struct io *io, int fd, struct iovec *piece, uint64_t offset,
                           int flags, size_t *out_len)
{
    ssize_t got;
    RETRIED(got, io->preadv2(fd, piece, 1, (off_t)offset, flags));
    if (got < 0)
        return errno == EOPNOTSUPP ? ERR_WOULD_BLOCK : err_from_errno(errno);
    *out_len = (size_t)got;
    return OK;
}

static enum err read_all(const struct io *io, int fd, struct iovec piece, uint64_t offset,
                         int flags)
{
    while (piece.iov_len) {
        size_t got;
        TRY(read_piece(io, fd, &piece, offset, flags, &got));
        if (got == 0)
            return ERR_CORRUPT;
        /* Less than was asked for: the rest is not in memory, or the file ends; the next call tells. */
        piece.iov_base = (char *)piece.iov_base + got;
        piece.iov_len -= got;
        offset += got;
    }
    return OK;
}

enum err io_read(const struct io *io, int fd, void *dst, size_t len, uint64_t offset)
{
    return read_all(io, fd, (struct iovec){dst, len}, offset, 0);
}

enum err io_read_now(const struct io *io, int fd, void *dst, size_t len, uint64_t offset)
{
    return read_all(io, fd, (struct iovec){dst, len}, offset, RWF_NOWAIT);
}

enum err io_read_some(const struct io *io, int fd, void *dst, size_t len, uint64_t offset,
                      size_t *out_len)
{
    char *at = dst;
    size_t left = len, got;
    do {
        struct iovec piece = {.iov_base = at, .iov_len = left};
        TRY(read_piece(io, fd, &piece, offset, 0, &got));
        at += got;
        offset += got;
        left -= got;
    } while (left && got);
    *out_len = len - left;
    return OK;
}

enum err io_write(const struct io *io, int fd, const void *src, size_t len, uint64_t offset)
{
    const char *at = src;
    while (len) {
        ssize_t put;
        RETRIED(put, io->pwrite(fd, at, len, (off_t)offset));
        if (put < 0)
            return errno == EINVAL ? ERR_BAD_INPUT : err_from_errno(errno);
        if (put == 0)
            return ERR_IO;
        at += put;
        len -= (size_t)put;
        offset += (uint64_t)put;
    }
    return OK;
}

enum err io_sync_data(const struct io *io, int fd)
{
    /* Only an interrupted sync is repeated: after a failed one the kernel may have dropped the pages. */
    int result;
    RETRIED(result, io->fdatasync(fd));
    return result < 0 ? err_from_errno(errno) : OK;
}

enum err io_sync(const struct io *io, int fd)
{
    int result;
    RETRIED(result, io->fsync(fd));
    return result < 0 ? err_from_errno(errno) : OK;
}

enum err io_allocate(const struct io *io, int fd, uint64_t len)
{
    int result;
    RETRIED(result, io->fallocate(fd, 0, 0, (off_t)len));
    if (result == 0)
        return OK;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return err_from_errno(errno);
    RETRIED(result, io->ftruncate(fd, (off_t)len));
    return result < 0 ? err_from_errno(errno) : OK;
}

enum err io_rename_new(const struct io *io, int from_dir, const char *from, int to_dir,
                       const char *to)
{
    if (io->rename(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
        return OK;
    return err_from_errno(errno);
}

enum err io_unlink(const struct io *io, int dir_fd, const char *path)
{
    if (io->unlink(dir_fd, path) == 0 || errno == ENOENT)
        return OK;
    return err_from_errno(errno);
}

enum err io_mkdir(const struct io *io, int dir_fd, const char *path)
{
    if (io->mkdir(dir_fd, path, 0700) == 0 || errno == EEXIST)
        return OK;
    return err_from_errno(errno);
}

enum err io_link(const struct io *io, int from_dir, const char *from, int to_dir, const char *to)
{
    return io->link(from_dir, from, to_dir, to) == 0 ? OK : err_from_errno(errno);
}

enum err io_each_entry(int dir_fd, enum err (*seen)(void *context, int dir_fd, const char *name),
                       void *context)
{
    FD_SCOPED int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return err_from_errno(errno);
    (void)fd_take(&fd);
    enum err err = OK;
    for (struct dirent *entry; err == OK && (entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            err = seen(context, dir_fd, entry->d_name);
    (void)closedir(dir);
    return err;
}

enum err io_space(const struct io *io, int fd, struct io_space *out_space)
{
    struct statvfs fs;
    int result;
    RETRIED(result, io->statvfs(fd, &fs));
    if (result < 0)
        return err_from_errno(errno);
    *out_space = (struct io_space){
        .free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize,
        .total_bytes = (uint64_t)fs.f_blocks * fs.f_frsize,
    };
    return OK;
}
