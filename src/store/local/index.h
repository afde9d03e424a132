/* The index: an ordered map from keys to entries on disk, with snapshots, over RocksDB. Nothing above this file knows RocksDB, so
 * the choice can be made again. What the entries mean is entry.h's; docs/format/index.md.
 *
 * It has no log of its own: a batch that was written is seen at once, and is on stable storage after index_flush, or earlier.
 * Batches reach stable storage in their order.
 *
 * Any thread may read; batches are written by one thread at a time. */
#pragma once

#include "base/fail.h"
#include "store/engine.h"

struct index;

struct index_options {
    const char *path;   /* of the folder; made when it does not exist */
    size_t cache_bytes; /* of blocks that were read, at most */
    size_t
        memtable_bytes; /* of entries that are not on disk; up to three times as much while they are written */
};

enum err index_open(const struct index_options *options, struct index **out_index,
                    struct fail *fail);
/* Writes everything to disk. null is allowed. */
void index_close(struct index *index);
/* Removes the files of an index that is not open. */
enum err index_destroy(const char *path, struct fail *fail);

/* What was written so far is on stable storage when it returns. Worker. */
enum err index_flush(struct index *index);
uint64_t index_disk_bytes(struct index *index);
uint64_t index_cached_bytes(struct index *index); /* in memory, of what is on disk */

/* ---- Reading. Errors: ERR_WOULD_BLOCK (with VIEW_NOWAIT), ERR_CORRUPT, ERR_IO ---- */

/* The state after the last batch, kept. Cheap. */
struct index_view *index_view_new(struct index *index);
void index_view_free(struct index_view *view); /* null is allowed; its iterators are freed before */

/* A value in the index's own memory. */
struct index_pin {
    str value;
    void *handle;
};
/* view may be null: the newest state. ERR_NOT_FOUND. The pin is to be released after OK. */
enum err index_get(struct index *index, const struct index_view *view, str key,
                   enum view_flags flags, struct index_pin *out_pin);
void index_pin_release(struct index_pin *pin); /* allowed on a zeroed one */

/* Keys in [from, end); both are copied. It stands nowhere at first. view may be null: the state now. */
struct index_iter *index_iter_new(struct index *index, const struct index_view *view, str from,
                                  str end, enum view_flags flags);
void index_iter_free(struct index_iter *iter); /* null is allowed */
/* Each goes to an entry: OK, or ERR_NOT_FOUND when there is none in the range. After another error it stands nowhere. */
enum err index_iter_seek(struct index_iter *iter, str key);        /* the first not below key */
enum err index_iter_seek_before(struct index_iter *iter, str key); /* the last not above key */
enum err index_iter_next(struct index_iter *iter);
enum err index_iter_prev(struct index_iter *iter);
/* Where it stands; valid until it moves. */
str index_iter_key(const struct index_iter *iter);
str index_iter_value(const struct index_iter *iter);

/* ---- Writing ---- */

struct index_batch;
struct index_batch *index_batch_new(void);
void index_batch_free(struct index_batch *batch); /* null is allowed */
void index_batch_put(struct index_batch *batch, str key, str value);
void index_batch_delete(struct index_batch *batch, str key);
/* All of it or nothing, seen by views made from now on. Empties the batch. ERR_NO_SPACE: the batch is kept, to be written again
 * later: an index that found the disk full when it wrote what it holds in memory takes nothing until it has found room, which it
 * tries by itself every few seconds. Any other error is final. */
enum err index_write(struct index *index, struct index_batch *batch);
