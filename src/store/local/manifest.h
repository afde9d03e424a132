/* The manifest of a backup: which files it has, and what they are. Format: docs/format/backup.md. Both directions work line by line, so
 * that memory does not grow with the backup. One thread at a time. */
#pragma once

#include "base/buf.h"
#include "base/fail.h"
#include "store/local/log.h"

/* In the order of the manifest. */
enum manifest_kind {
    MANIFEST_NAMED, /* "format", "master-key", ... */
    MANIFEST_LIMIT, /* "extents/limit" */
    MANIFEST_SEGMENT,
    MANIFEST_EXTENT,
};

/* The files of a data folder that are copied as they are. */
enum { MANIFEST_NAME_COUNT = 3 };
extern const char *const manifest_names[MANIFEST_NAME_COUNT];

struct manifest_file {
    enum manifest_kind kind;
    uint64_t
        id; /* of a segment or an extent; of a named one, its place in manifest_names; else 0 */
    uint64_t size;
    uint32_t crc32c;
};

enum { MANIFEST_PATH_MAX = 64 };
/* As seen from the backup's folder. */
void manifest_path(const struct manifest_file *file, char dst[MANIFEST_PATH_MAX]);
/* Their order: kind, then id. */
int manifest_compare(const struct manifest_file *a, const struct manifest_file *b);

struct manifest_head {
    uint8_t store_id[STORE_ID_SIZE];
    int64_t taken_ms;
    struct log_position position;
};

struct manifest_sum {
    uint64_t file_count, byte_count;
};

/* ---- Writing: under the name "manifest.new" until the commit ---- */

struct manifest_writer {
    const struct io *io;
    int dir_fd; /* the caller's */
    int fd;
    uint64_t offset;
    uint32_t check;
    struct manifest_sum sum;
    struct buf text;
};

enum err manifest_begin(struct manifest_writer *writer, const struct io *io, int dir_fd,
                        const struct manifest_head *head);
/* In order. */
enum err manifest_add(struct manifest_writer *writer, const struct manifest_file *file);
/* Durably in place when it returns OK. */
enum err manifest_commit(struct manifest_writer *writer);
/* After a commit, and instead of it; allowed on a zeroed one. */
void manifest_end(struct manifest_writer *writer);

/* ---- Reading ---- */

struct manifest_reader {
    const struct io *io;
    int fd;
    uint64_t offset; /* behind what was read */
    struct buf text;
    size_t taken;   /* of the text */
    uint32_t check; /* of the lines taken */
    uint64_t files_at;
    struct manifest_head head;
    struct manifest_sum sum;    /* as the manifest says */
    struct manifest_sum so_far; /* as the lines say */
    struct manifest_file last;
};

/* Reads it once from end to end, so that what manifest_next gives is known to be whole. ERR_NOT_FOUND: there is none; ERR_CORRUPT;
 * ERR_BAD_INPUT: of a version that is not known. */
enum err manifest_open(struct manifest_reader *reader, const struct io *io, int dir_fd,
                       struct fail *fail);
/* ERR_NOT_FOUND behind the last. */
enum err manifest_next(struct manifest_reader *reader, struct manifest_file *out_file);
/* Back to the first file. */
void manifest_rewind(struct manifest_reader *reader);
void manifest_close(struct manifest_reader *reader); /* allowed on a zeroed one */
