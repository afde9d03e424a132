/* The system calls by which the store reads, writes, syncs and renames, in one table, so that a test can make any of them
 * fail, or stop the process between two of them. Everything in local/ that touches its files goes through here (RocksDB does
 * its own).
 *
 * The helpers restart after EINTR, finish short writes, and translate errno. */
#pragma once

#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/str.h"

struct io {
    int (*open)(int dir_fd, const char *path, int flags, mode_t mode);
    ssize_t (*preadv2)(int fd, const struct iovec *piece, int count, off_t offset, int flags);
    ssize_t (*pwrite)(int fd, const void *src, size_t len, off_t offset);
    int (*fdatasync)(int fd);
    int (*fsync)(int fd);
    int (*ftruncate)(int fd, off_t len);
    int (*fallocate)(int fd, int mode, off_t offset, off_t len);
    int (*rename)(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
    int (*unlink)(int dir_fd, const char *path);
    int (*mkdir)(int dir_fd, const char *path, mode_t mode);
    int (*statvfs)(int fd, struct statvfs *out);
    int (*link)(int from_dir, const char *from, int to_dir, const char *to);
    /* Called at the named places between calls where a crash is of interest; null outside of tests. */
    void (*reached)(const char *place);
};

extern const struct io io_system;
/* The system's, but nothing can be made, changed or removed (EROFS); files are opened for reading whatever was asked for, and syncs do
 * nothing. */
extern const struct io io_read_only;

static inline void io_reached(const struct io *io, const char *place)
{
    if (io->reached)
        io->reached(place);
}

/* O_CLOEXEC is added. */
enum err io_open(const struct io *io, int dir_fd, const char *path, int flags, int *out_fd);
/* For reading, and only if the way to the file is in memory; else ERR_WOULD_BLOCK. */
enum err io_open_now(int dir_fd, const char *path, int *out_fd);
/* All bytes; a file that ends early is ERR_CORRUPT. */
enum err io_read(const struct io *io, int fd, void *dst, size_t len, uint64_t offset);
/* The same without waiting for the disk: ERR_WOULD_BLOCK when that is not possible. */
enum err io_read_now(const struct io *io, int fd, void *dst, size_t len, uint64_t offset);
/* As much as there is up to len. */
enum err io_read_some(const struct io *io, int fd, void *dst, size_t len, uint64_t offset,
                      size_t *out_len);
/* ERR_BAD_INPUT: not aligned as O_DIRECT wants it. */
enum err io_write(const struct io *io, int fd, const void *src, size_t len, uint64_t offset);
/* Data and what is needed to find it. Never retried after a failure. */
enum err io_sync_data(const struct io *io, int fd);
/* Also for folders: the entries in it. */
enum err io_sync(const struct io *io, int fd);
/* Room for [0, len), so that writing there cannot fail for lack of it. OK where the file system cannot promise that. */
enum err io_allocate(const struct io *io, int fd, uint64_t len);
/* ERR_EXISTS instead of replacing. */
enum err io_rename_new(const struct io *io, int from_dir, const char *from, int to_dir,
                       const char *to);
/* OK when it is gone already. */
enum err io_unlink(const struct io *io, int dir_fd, const char *path);
/* OK when it exists already. */
enum err io_mkdir(const struct io *io, int dir_fd, const char *path);

/* A second name for a file. */
enum err io_link(const struct io *io, int from_dir, const char *from, int to_dir, const char *to);
/* Calls `seen` with the name of each entry but "." and "..", until it returns an error. */
enum err io_each_entry(int dir_fd, enum err (*seen)(void *context, int dir_fd, const char *name),
                       void *context);

struct io_space {
    uint64_t free_bytes; /* for this process */
    uint64_t total_bytes;
};
enum err io_space(const struct io *io, int fd, struct io_space *out_space);
