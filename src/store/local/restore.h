/* Restoring a backup (backup.h), and proving it: a data folder is made from it that holds what the backup holds, all of it read and
 * compared with its checksums. docs/format/backup.md. */
#pragma once

#include "store/local/local_engine.h"

struct local_restore_options {
    const char *from; /* the backup; only read */
    const char *
        data_dir; /* new, in a folder that exists, or empty; null: the backup is proved where it lies */
    const char
        *scratch; /* for the index of a backup that is proved where it lies: a folder that exists */

    local_found_fn found;       /* what is damaged */
    local_progress_fn progress; /* may be null */
    void *context;              /* of both */
    const bool
        *stop; /* looked at several times a second while bytes are copied or checked; null: never */
};

/* What was proved. */
struct local_restored {
    int64_t taken_ms;  /* what was acknowledged before is there */
    uint64_t sequence; /* of the log's last record */
    uint64_t file_count, byte_count;
    uint64_t object_count, object_bytes;   /* current ones */
    uint64_t version_count, version_bytes; /* others, delete markers among them */
    uint64_t extent_count, extent_bytes;
};

/* ERR_EXISTS: the data folder is not empty. ERR_NOT_FOUND: `from` is no backup, or one that did not end. ERR_BAD_INPUT: of a version that is
 * not known. ERR_CORRUPT: the backup is damaged, each file was told to `found`. ERR_NO_SPACE, ERR_CANCELLED, ERR_IO. After any error
 * the data folder is as it was. Worker. */
enum err local_restore(const struct local_restore_options *options,
                       struct local_restored *out_restored, struct fail *fail);
