/* One file of the log: making it, opening it, giving it back. Which segments there are, and which of them is written, is
 * log.h's. Format: docs/format/log.md. */
#pragma once

#include "base/fail.h"
#include "store/local/io.h"
#include "store/local/record.h"

/*   (none) -> PREPARED -> ACTIVE -> SEALED -> EMPTY -> RETIRING -> (none)
 *
 * PREPARED  store_log_prepare   made, waiting for the active one to be full
 * ACTIVE    store_log_append    written by the commit thread
 * SEALED    store_log_append    complete
 * EMPTY     store_log_set_empty no row points into it any more; a view that is older may still read it
 * RETIRING  store_log_retire_empty: being renamed; nobody reads it */
enum segment_state {
    SEGMENT_PREPARED,
    SEGMENT_ACTIVE,
    SEGMENT_SEALED,
    SEGMENT_EMPTY,
    SEGMENT_RETIRING,
};

struct segment {
    uint64_t id;
    enum segment_state state;
    uint64_t size; /* of the file */

    /* Guarded by the log's mutex. */
    int fd;              /* -1: not open now */
    unsigned user_count; /* who reads through fd; it stays open while there are any */
    uint64_t last_used;

    /* From the header; 0 until it was read. */
    uint64_t epoch;
    uint32_t header_check;

    /* What rows point to, and deletions (docs/format/index.md). Changed by the commit thread under the log's mutex. */
    uint64_t live_bytes, tombstone_bytes;
    uint64_t emptied_at; /* EMPTY: number of the first snapshot that does not need it */
    bool is_damaged;     /* it could not be read through, and so is not emptied */
};

enum { SEGMENT_NAME_MAX = 32 };
/* "<16 hexadecimal digits>.log", or with another ending. */
void segment_name(char dst[SEGMENT_NAME_MAX], uint64_t id, const char *ending);
/* Whether a file name is of that form. */
bool segment_name_parse(const char *name, const char *ending, uint64_t *out_id);

/* Where segments lie. */
struct segment_dir {
    const struct io *io;
    int fd;
    uint8_t store_id[STORE_ID_SIZE];
};

struct segment_plan {
    uint64_t id, size;
    uint64_t reuse_id;     /* 0, or of the file "<id>.free" that is to be used */
    bool is_written_ahead; /* a new file is filled with zeroes: syncs into it are cheaper then */
};
/* Makes "<id>.log" with a synced header, name and space. The segment's fd is open, its state PREPARED. */
enum err segment_create(const struct segment_dir *dir, const struct segment_plan *plan,
                        struct segment *out_segment);

/* Opens the file and checks its header against id and store; the caller gets the descriptor. */
enum err segment_open(const struct segment_dir *dir, uint64_t id, int flags,
                      struct segment_header *out_header, int *out_fd, struct fail *fail);

/* Renames to "<id>.free" (or another ending) and syncs the folder. */
enum err segment_retire(const struct segment_dir *dir, uint64_t id);
enum err segment_rename(const struct segment_dir *dir, uint64_t id, const char *ending);
