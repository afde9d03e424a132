/* The embedded engine: a store in a folder of one machine, owned by one process. A log is the truth, an index over it finds rows,
 * large bodies are files. README.md tells how they work together; docs/format/ what is on disk. */
#pragma once

#include "base/fail.h"
#include "store/engine.h"

struct io;

struct local_options {
    const char *data_dir;        /* made when it does not exist, in a folder that does */
    size_t segment_bytes;        /* of a log file, when full-grown; 0: 64 MiB; at least 64 KiB */
    size_t index_cache_bytes;    /* 0: 32 MiB */
    size_t index_memtable_bytes; /* 0: 16 MiB; up to three of them are in use */
    int body_fd_max; /* large bodies get no descriptor from this number on, so that log and index have some left; 0: they get all */
    const struct io *io; /* null: the system's. For tests */
};

/* ERR_BUSY: another process has the folder (the detail says which). ERR_CORRUPT: damage that must not be passed over; the detail
 * names the file. ERR_BAD_INPUT: the folder is something else, or of a newer version. */
enum err local_engine_open(const struct local_options *options, struct engine **out_engine,
                           struct fail *fail);

/* How far a long task is. Called now and then on the calling thread. */
struct local_progress {
    const char *task;
    uint64_t done, total; /* bytes */
};
typedef void (*local_progress_fn)(void *context, const struct local_progress *progress);

/* What a finding is about, for who wants to mend it or to tell what is lost by it. */
enum local_part {
    LOCAL_LOG,      /* records of the log */
    LOCAL_INDEX,    /* the index: it can be made again from the log */
    LOCAL_ROW,      /* one row: the log does not hold it any more, or not as the index knows it */
    LOCAL_EXTENT,   /* one large body */
    LOCAL_LEFTOVER, /* a file that nothing needs */
    LOCAL_OTHER,    /* another file of the folder */
};

/* Something that a check has found. */
struct local_finding {
    /* ERR_CORRUPT: bytes are not what they were. ERR_NOT_FOUND: something that a row needs is missing. OK: harmless. */
    enum err err;
    enum local_part part;
    char where[160]; /* a file and offset, or a row */
    char what[256];
    uint64_t extent_id; /* of LOCAL_EXTENT */
    str row_key;        /* of LOCAL_ROW, as row_key_encode makes it; valid during the call */
};
typedef void (*local_found_fn)(void *context, const struct local_finding *finding);

/* Reads everything that is stored, of a folder that no process has open: every record of the log, every row with its place in
 * the log and its body, every extent. What is wrong goes to `found`; of a store that cannot be opened, as much is read as
 * local_open_damaged can, and the reason is a finding. OK when it got to the end, whatever it found. progress may be null. */
enum err local_check(const struct local_options *options, local_found_fn found,
                     local_progress_fn progress, void *context, struct fail *fail);
/* The same of an open store, as of now, beside its work; what is not sealed yet of the log is passed over, and so is what is deleted
 * meanwhile. Worker. `pause_us` is slept after each MiB, to bound the rate. ERR_CANCELLED when *stop becomes true (null:
 * never). */
struct local_scrub {
    local_found_fn found;
    local_progress_fn progress;
    void *context;
    int64_t pause_us;
    const bool *stop;
};
enum err local_check_open(struct engine *engine, const struct local_scrub *scrub);

/* Opens as much as can be opened of a folder that no process has open, to look at it: updates answer ERR_READ_ONLY. What stands in the
 * way of an ordinary opening goes to `found`, and then: behind damage of the log, the index is taken as it is, without what the log
 * has more; instead of an index that cannot be read, one is made from the log and thrown away in the end. ERR_CORRUPT:
 * neither is left, and what can be read of the log has been checked. Closed with engine_close. */
enum err local_open_damaged(const struct local_options *options, const struct local_scrub *told,
                            struct engine **out_engine, struct fail *fail);

/* Makes again small damaged files that the folder cannot be opened without, where what they held can be known; each goes to `found`. What
 * is sound is not touched. ERR_BUSY, ERR_CORRUPT. */
enum err local_repair_files(const struct local_options *options, local_found_fn found,
                            void *context, struct fail *fail);

/* Makes the index anew from the log alone, of a folder that no process has open. The old index is replaced when the new one is
 * complete. progress may be null. */
enum err local_rebuild_index(const struct local_options *options, local_progress_fn progress,
                             void *context, struct fail *fail);

/* The same of a log that is damaged: each run of records that cannot be read goes to `found`, and what lies behind it is taken.
 * Afterwards the store can be opened. What the lost records had put is gone; what they had deleted may be back. */
enum err local_repair(const struct local_options *options, local_found_fn found,
                      local_progress_fn progress, void *context, struct fail *fail);
