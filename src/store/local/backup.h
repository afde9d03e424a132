/* Backups: a copy of what the store holds at one position of its log, taken while it goes on. docs/format/backup.md. */
#pragma once

#include "store/local/local_engine.h"

struct local_backup_options {
    const char *
        target; /* a folder: new, in one that exists, or empty, or with what a backup left that did not end */
    const char *
        base; /* an earlier backup, files of which are linked where they have not changed; null: none */
    uint64_t rate_bytes; /* a second; 0: as fast as it goes */

    local_found_fn found;       /* what is damaged in the store */
    local_progress_fn progress; /* may be null */
    void *context;              /* of both */
    const bool *stop;           /* looked at several times a second; null: never */
};

struct local_backup_result {
    int64_t taken_ms;  /* what was acknowledged before is in it */
    uint64_t sequence; /* of the last record of the log in it */
    uint64_t file_count, byte_count;
    uint64_t linked_file_count, linked_byte_count; /* of them */
};

/* Of an open store of the embedded engine. The log and the extents that the backup needs are kept until it has ended, so a slow
 * one costs space; it gives up when the store's disk runs full.
 *
 * ERR_EXISTS: the target is not empty. ERR_BAD_INPUT: the target lies in the data folder, or the base is no backup of this store.
 * ERR_NO_SPACE, with a detail that says where. ERR_CORRUPT: something in the store is damaged; all of it was told to
 * `found`. ERR_CANCELLED. After any error the target is as it was, but for what could not be removed. Worker. */
enum err local_backup(struct engine *engine, const struct local_backup_options *options,
                      struct local_backup_result *out_result, struct fail *fail);
