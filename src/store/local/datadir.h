/* The data folder: its lock, its format file, its subfolders (docs/format/datadir.md). */
#pragma once

#include "base/fail.h"
#include "store/local/io.h"
#include "store/local/record.h"

struct datadir {
    int fd, lock_fd, log_fd, extents_fd, tmp_fd;
    char *index_path; /* RocksDB opens by path */
    char *new_index_path;
    uint8_t store_id[STORE_ID_SIZE];
};

/* Makes what is missing, takes the lock, empties tmp/. ERR_BUSY, ERR_BAD_INPUT, ERR_CORRUPT with a detail. */
enum err datadir_open(const char *path, const struct io *io, struct datadir *out_dir,
                      struct fail *fail);
/* A backup as if it were a data folder: it is not locked, nothing is made in it, and the index belongs in `scratch`. With an io that
 * refuses to write (io_read_only). ERR_NOT_FOUND, ERR_BAD_INPUT, ERR_CORRUPT with a detail. */
enum err datadir_open_backup(const char *path, const char *scratch, const struct io *io,
                             struct datadir *out_dir, struct fail *fail);
/* Makes again the small files without which the folder cannot be opened, if they are damaged and what they hold can be known:
 * "format" from the headers of the log, and "extents/limit", which guards only against a clock that was put back. Each that was
 * made is told. ERR_BUSY, ERR_CORRUPT: the format is damaged and the log does not tell the store's number. */
enum err datadir_mend(const char *path, const struct io *io,
                      void (*mended)(void *context, const char *file, const char *what),
                      void *context, struct fail *fail);
void datadir_close(struct datadir *dir); /* allowed on a zeroed one, and twice */

/* The format file as text, for datadir.c and its test. */
struct datadir_format {
    uint8_t store_id[STORE_ID_SIZE];
    uint64_t compatible, incompatible;
};
struct buf;
void datadir_format_write(const struct datadir_format *format, struct buf *out);
/* ERR_CORRUPT when it is damaged, ERR_BAD_INPUT when it is of a version that is not known. */
enum err datadir_format_parse(str text, struct datadir_format *out_format, struct fail *fail);
