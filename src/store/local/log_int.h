/* What log.c and log_scan.c share. */
#pragma once

#include "store/local/log.h"

struct free_file {
    uint64_t id, size;
};

enum { FREE_FILES_MAX = 4 };

struct store_log {
    struct segment_dir dir;
    uint64_t segment_bytes;

    /* Guards the list and what segment.h says. Never held across I/O. */
    pthread_mutex_t mutex;
    struct segment **segment; /* by id */
    size_t segment_count, segment_capacity;
    struct segment *prepared; /* at most one, the last of the list */
    size_t open_count, open_max;
    uint64_t use_clock;
    struct free_file free_file[FREE_FILES_MAX];
    size_t free_count;

    void (*lost)(void *context, const struct log_loss *loss); /* null: damage is an error */
    void *lost_context;

    /* One prepares at a time. Taken before `mutex`. */
    pthread_mutex_t prepare_mutex;

    /* The commit thread's. `active` is changed under the mutex as well. */
    struct segment *active; /* null: the next batch takes the prepared one */
    uint64_t end_offset;
    uint64_t active_syncs; /* of the active segment */
    uint64_t sequence;     /* of the last record that was written */
    uint64_t durable;      /* of the last record that was synced */
    uint32_t chain;
    uint64_t salt; /* random; another one at each start, and when a write failed */
};

/* Its descriptor stays open until it is let go. ERR_WOULD_BLOCK, ERR_CORRUPT. */
enum err log_hold(struct store_log *log, uint64_t id, enum view_flags flags,
                  struct segment **out_segment, struct fail *fail);
void log_let(struct store_log *log, struct segment *segment);

/* Takes a segment that nobody holds off the list. */
void store_log_forget(struct store_log *log, uint64_t id);

/* With the mutex held. Null when there is none. */
struct segment *log_find(const struct store_log *log, uint64_t id);
