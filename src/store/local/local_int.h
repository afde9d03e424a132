/* What the files of the embedded engine share. Lock order: queue_mutex, snapshot_mutex, failure_mutex, freezes.mutex and the
 * log's own are leaves: none is taken while another one is held. */
#pragma once

#include <pthread.h>

#include "base/list.h"
#include "store/local/datadir.h"
#include "store/local/freeze.h"
#include "store/local/index.h"
#include "store/local/local_engine.h"
#include "store/local/log.h"
#include "store/local/overlay.h"
#include "store/local/row_cache.h"
#include "store/local/snapshot.h"

enum {
    /* No batch takes more updates, or goes on when its records have reached this size. */
    BATCH_UPDATES_MAX = 1024,
    BATCH_BYTES_GOAL = 4 << 20,
    /* The index is flushed when the log is ahead of what it has on disk by so much: what a start replays, in less than a second. */
    REPLAY_BYTES_MAX = 128 << 20,
    REPLAY_CHANGES_MAX = 150000,
    LOCAL_BLOCK_SIZE = 128 << 10,
};

/* An update with its result, until all of its batch are answered. */
struct answered {
    struct update *update;
    enum err result;
};

/* The batch that the commit thread is making; nobody else looks at it. */
struct commit {
    struct log_batch batch;
    struct overlay *overlay;
    struct index_batch *index_batch;
    struct answered answered[BATCH_UPDATES_MAX];
    size_t answered_count;

    /* How many updates seem to be in flight, and how long a sync takes: see commit.c, "The queue". */
    size_t crowd;
    int64_t sync_us;
};

struct local_engine {
    struct engine base;
    const struct io *io;
    int body_fd_max; /* INT_MAX: no bound */
    struct datadir dir;
    struct store_log *log;
    struct index *index;
    struct snapshots snapshots;
    struct row_cache *row_cache; /* of an engine that is open for use */
    struct freezes freezes;
    struct extent_store *extents;

    pthread_mutex_t queue_mutex;
    pthread_cond_t has_updates;
    struct update *first, *last; /* waiting */
    size_t waiting_count;
    size_t
        wanted_count; /* the commit thread is to be woken when so many wait; 0: it is not asleep */
    bool is_closing;
    pthread_t commit_thread;
    struct commit *commit; /* null: opened to be looked at, without threads */
    bool is_tail_unknown;  /* which segments are complete was not found out */

    /* The thread that prepares segments, flushes the index and empties segments. Woken under queue_mutex. */
    pthread_t keeper_thread;
    pthread_cond_t has_chores;
    bool is_keeper_wanted, is_keeper_closing;

    pthread_mutex_t failure_mutex;
    bool is_read_only; /* read without the mutex, set once */
    char read_only_reason[128];

    /* Relaxed counters. */
    uint64_t update_count, batch_count, sync_count;
    uint64_t unflushed_bytes, unflushed_changes; /* in the index, perhaps not on disk */
};

static inline struct local_engine *local_engine_of(struct engine *engine)
{
    return container_of(engine, struct local_engine, base);
}

/* A view, or the transaction of an update. */
struct local_tx {
    struct tx base;
    struct snapshot *snapshot; /* of a view */
    struct commit *commit;     /* of an update */
    uint32_t change_count;     /* of an update */
    struct buf key, value;     /* scratch */
};

static inline struct local_tx *local_tx_of(struct tx *tx)
{
    return container_of(tx, struct local_tx, base);
}

void local_tx_init(struct local_tx *tx, struct local_engine *engine, enum view_flags flags);
void local_tx_release(struct local_tx *tx);

/* The engine writes no more, for the reason that the parts make. */
void local_set_read_only(struct local_engine *engine, const char *what, enum err err);
bool local_is_read_only(const struct local_engine *engine);
/* Whether nobody knows after such a failure to write what the disk holds. No room, or too many open files (which strangers can
 * bring about by opening connections), say nothing about the disk: what is refused for that is refused, and that is all. */
bool local_is_final(enum err err);
/* Updates that are not deletions are refused, so that deletions and the index find room. */
bool local_is_full(struct local_engine *engine, uint64_t wanted_bytes);

/* Rows: local_rows.c */
enum err local_view_begin(struct engine *engine, enum view_flags flags, struct tx **out_tx);
void local_view_end(struct tx *tx);
enum err local_row_get(struct tx *tx, const struct table *table, void *row, struct arena *arena);
enum err local_blob_read(struct tx *tx, const struct blob *blob, void *dst);
/* Sets the columns that are not part of the key from an entry; strings point into it. */
enum err local_fill_row(const struct table *table, const struct row_entry *entry, void *row);

/* Calls `visit` with every row of a table, in order of keys; the row is valid during the call. view may be null. */
typedef enum err (*local_row_fn)(void *context, const void *row);
enum err local_each_row(struct local_engine *engine, const struct index_view *view,
                        enum table_id table, local_row_fn visit, void *context);

/* Cursors: local_cursor.c */
enum err local_cursor_open(struct tx *tx, const struct table *table, const void *from,
                           size_t prefix_count, struct cursor **out_cursor);
enum err local_cursor_next(struct cursor *cursor, void *out_row);
enum err local_cursor_seek(struct cursor *cursor, const void *from);
enum err local_row_find_before(struct tx *tx, const struct table *table, const void *from,
                               size_t prefix_count, void *out_row, struct arena *arena);
void local_cursor_close(struct cursor *cursor);

/* Rows of updates: local_update.c */
enum err local_row_put(struct tx *tx, const struct table *table, const void *row);
enum err local_row_delete(struct tx *tx, const struct table *table, const void *row);
/* Takes note of what the index has of the node's key; null: nothing. */
void local_set_base(struct overlay_node *node, const struct row_entry *entry);
/* Adds a change to the record that is being made, and to the overlay. The blob may be null when the change has none. */
enum err local_append_change(struct local_tx *tx, const struct change *change,
                             const struct blob *blob, struct overlay_node *node);
/* The node of a key with what the index has of it. */
enum err local_node_of(struct local_engine *engine, struct overlay *overlay, str key,
                       struct overlay_node **out_node);

/* The commit thread: commit.c */
void local_update(struct engine *engine, struct update *update);
void *local_commit_thread(void *engine);
struct commit *commit_new(void);
void commit_free(struct commit *commit);
/* Writes the overlay's changes, the figures of the segments concerned and the position to the index, and empties the overlay. Places
 * in the batch's bytes (segment 0) begin at `place`. */
enum err local_apply_overlay(struct local_engine *engine, struct overlay *overlay,
                             struct index_batch *batch, const struct log_place *place,
                             const struct log_position *position);

/* Bringing the index up to the log: replay.c */
enum err local_replay(struct local_engine *engine, local_progress_fn progress, void *context,
                      struct fail *fail);

/* The position that a state of the index has; view may be null. All 0 for a store that was never written to. */
enum err local_read_position(struct local_engine *engine, const struct index_view *view,
                             struct log_position *out_position);

/* Chores: keeper.c */
void *local_keeper_thread(void *engine);
void local_wake_keeper(struct local_engine *engine);
/* Those that others wait for: the next log segment, and the index on disk. */
void local_urgent_chores(struct local_engine *engine);
bool local_is_keeper_closing(struct local_engine *engine);
enum err local_flush_index(struct local_engine *engine);

/* Giving back space: compact.c. Both on the keeper's thread. */
/* Empties the segment that is worth it most, if any is. ERR_NOT_FOUND: none is. */
enum err local_compact_one(struct local_engine *engine);
/* Gives back the segments that were emptied and that no view can read any more. */
enum err local_give_back(struct local_engine *engine);

/* Opening without threads: local_engine.c. An engine whose index has all that the log has. */
struct local_opening {
    bool rebuild;    /* the index is a new one beside the old */
    bool is_as_left; /* the index stays without what the log has more; the log cannot be written */
    /* Not null: the data folder is a backup, which is only read; the index is made in this folder. */
    const char *scratch;
    local_progress_fn progress;
    void *context;
    void (*lost)(void *context,
                 const struct log_loss *loss); /* null: damage of the log is an error */
    void *lost_context;
};
enum err local_open_parts(const struct local_options *options, const struct local_opening *opening,
                          struct local_engine **out_engine, struct fail *fail);
void local_close_parts(struct local_engine *engine);
/* The log alone; the data folder is open. */
enum err local_open_log(struct local_engine *engine, const struct local_options *options,
                        struct fail *fail);

/* Reads everything, of an engine without threads: check.c */
enum err local_check_parts(struct local_engine *engine, const struct local_scrub *scrub);

/* Extents: extents.c */
enum err extent_store_open(struct local_engine *engine, struct extent_store **out_store,
                           struct fail *fail);
void extent_store_close(struct extent_store *store);
enum err local_extent_begin(struct engine *engine, uint64_t size_hint,
                            struct extent_writer **out_writer);
enum err local_extent_write(struct extent_writer *writer, const void *data, size_t len,
                            uint64_t offset);
enum err local_extent_seal(struct extent_writer *writer, uint64_t length, struct arena *arena,
                           struct extent_row *out_row);
void local_extent_abort(struct extent_writer *writer);
enum err local_extent_open(struct engine *engine, const struct extent_row *row,
                           enum view_flags flags, struct extent_reader **out_reader);
enum err local_extent_read(struct extent_reader *reader, uint64_t offset, void *dst, size_t len,
                           enum view_flags flags, str *out_data);
enum err local_extent_span(struct extent_reader *reader, uint64_t offset, int *out_fd,
                           uint64_t *out_file_offset);
void local_extent_close(struct extent_reader *reader);
/* Moves the file aside instead while a frozen state needs it (freeze.h). */
enum err local_extent_drop(struct engine *engine, uint64_t id);
/* "xx/<id>", as seen from extents/. */
enum { EXTENT_PATH_MAX = 32 };
void extent_path(uint64_t id, char dst[EXTENT_PATH_MAX]);
enum err local_extent_each(struct engine *engine, enum err (*seen)(void *context, uint64_t id),
                           void *context);
