/* File descriptors bound to a scope, and whole reads and writes of files. Every call restarts after EINTR. */
#pragma once

#include <sys/types.h>

#include "base/fail.h"
#include "base/str.h"

struct buf;

/* `FD_SCOPED int fd = ...` is closed when the scope ends, when it is not negative; fd_take lets it leave. */
void fd_close_scoped(int *fd);
#define FD_SCOPED __attribute__((cleanup(fd_close_scoped)))
int fd_take(int *fd);

/* All bytes at the offset or an error; a file that ends early is ERR_CORRUPT on read. */
enum err fd_pread_full(int fd, void *dst, size_t len, uint64_t offset);
enum err fd_pwrite_full(int fd, const void *src, size_t len, uint64_t offset);
enum err fd_write_full(int fd, const void *src, size_t len);

/* Reads a whole file, at most the buffer's cap. */
enum err file_read(int dir_fd, const char *path, struct buf *out);
/* Replaces a file durably: temporary name, write, fsync, rename, fsync of the folder. */
enum err file_replace(int dir_fd, const char *path, str content, mode_t mode);
enum err dir_sync(int dir_fd);
/* Makes a folder durably: the one that it lies in is synced. ERR_EXISTS: there is something already. */
enum err dir_make(int dir_fd, const char *path, mode_t mode);
/* Opens for appending, made with `mode` when missing. The caller closes it. */
enum err file_open_append(int dir_fd, const char *path, mode_t mode, int *out_fd);
