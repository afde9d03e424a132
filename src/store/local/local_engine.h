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
    const struct io *io;         /* null: the system's. For tests */
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

/* Makes the index anew from the log alone, of a folder that no process has open. The old index is replaced when the new one is
 * complete. progress may be null. */
enum err local_rebuild_index(const struct local_options *options, local_progress_fn progress,
                             void *context, struct fail *fail);
