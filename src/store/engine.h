/* The engine contract: what a store must do so that src/object can give S3's semantics on it. An
 * engine knows no S3.
 *
 * Two halves. The catalogue holds typed rows in ordered tables (store/rows.def); everything that
 * must be atomic is one update. Extents are immutable, checksummed runs of bytes for large bodies.
 *
 * Promises every engine keeps (numbers are those of docs/reliability.md):  1. When an update's
 * `done` says OK, and when extent_seal returned OK, it is on stable storage.  2. After a crash
 * every update is there whole or not at all, and those that were acknowledged are there.  3. A view
 * that begins after an update's `done` sees the update.  4. Wrong bytes are never given out: damage
 * is ERR_CORRUPT.
 *
 * Threads: every function may be called from any thread, unless it says "worker": it may block and
 * must not run on a loop. With VIEW_NOWAIT a read never waits for the disk or a lock that is held
 * across I/O: it returns ERR_WOULD_BLOCK instead, and the caller asks again from a worker. An
 * engine may always answer ERR_WOULD_BLOCK to it.
 */
#pragma once

#include "base/fail.h"
#include "store/rows.h"

struct engine;
struct tx; /* a read-only view, or the transaction of an update */
struct cursor;

enum view_flags { VIEW_WAIT = 0, VIEW_NOWAIT = 1 << 0 };

/* ---- Catalogue: reading ---- */

/* Opens a view on a snapshot. ERR_WOULD_BLOCK (with VIEW_NOWAIT), ERR_UNAVAILABLE. Ended by
 * view_end, soon: a view holds space back. A view belongs to one thread at a time. */
enum err view_begin(struct engine *engine, enum view_flags flags, struct tx **out_tx);
void view_end(struct tx *tx); /* null is allowed */

/* Reads the row whose key columns are set in *row, and fills the others. Strings live in the
 * arena. ERR_NOT_FOUND leaves the row as it was. */
enum err row_get(struct tx *tx, enum table_id table, void *row, struct arena *arena);

/* The blob of a row that was read in this transaction: blob->length bytes to dst, verified. */
enum err blob_read(struct tx *tx, const struct blob *blob, void *dst);

/* Walks rows in key order. Only rows that agree with *from in its first prefix_count key
 * columns; starts at the first row whose key is not below *from's. The columns of *from must all
 * be set up to the last of the key. A cursor of an update sees what the update has written by
 * the time of each call, so rows may be put and deleted while it walks. */
enum err cursor_open(struct tx *tx, enum table_id table, const void *from, size_t prefix_count,
                     struct cursor **out_cursor);
/* The next row; ERR_NOT_FOUND at the end, ERR_WOULD_BLOCK where the view is NOWAIT and the next
 * row lies on the disk (ask again later, or go on from the last row that was seen with a cursor
 * of another view), ERR_CORRUPT. The row's strings are valid until the next call on this cursor. */
enum err cursor_next(struct cursor *cursor, void *out_row);
/* Moves on: cursor_next then gives the first row whose key is not below *from's. Never moves
 * back. */
enum err cursor_seek(struct cursor *cursor, const void *from);
/* The last row whose key is not above *from's and that agrees in prefix_count columns;
 * ERR_NOT_FOUND. Strings live in the arena. */
enum err row_find_before(struct tx *tx, enum table_id table, const void *from, size_t prefix_count,
                         void *out_row, struct arena *arena);
void cursor_close(struct cursor *cursor); /* null is allowed; before view_end */

/* ---- Catalogue: writing ---- */

enum update_flags {
    UPDATE_FREES =
        1 << 0, /* a deletion: allowed to use the space that is kept back when the disk is full */
};

/* One atomic change. Embedded in the caller's struct, which stays alive until `done`.
 *
 * `apply` reads with row_get and cursors (it sees what it wrote itself) and writes with row_put
 * and row_delete. It may be run again after a conflict, possibly on another thread, and so has
 * no effect outside of the transaction and its own struct, which it must set anew each time. An
 * error from it undoes its writes and becomes the result. It must not wait for anything.
 *
 * `done` comes exactly once, on a thread of the engine, when the change is durable or has
 * failed; it must be short. */
struct update {
    struct update *next; /* the engine's, while it waits */
    enum update_flags flags;
    enum err (*apply)(struct update *update, struct tx *tx);
    void (*done)(struct update *update, enum err result);
};
void catalog_update(struct engine *engine, struct update *update);
/* The same, waited for; worker. `done` is not used. */
enum err catalog_update_wait(struct engine *engine, struct update *update);

/* Writes the row, replacing one of the same key. Strings and blob bytes are copied.
 * ERR_TOO_LARGE: see store/rows.h; the update as a whole may be UPDATE_BYTES_MAX. */
enum { UPDATE_BYTES_MAX = 32 << 20 };
enum err row_put(struct tx *tx, enum table_id table, const void *row);
/* Removes it; OK when it was not there. */
enum err row_delete(struct tx *tx, enum table_id table, const void *row);

/* ---- Extents ---- */

struct extent_writer;

/* Writes go to offsets that are multiples of extent_block_size; each but the last is a multiple
 * of it long. Several threads may write at once to different places of one extent. Buffers come
 * from mem_alloc_aligned(4096, ...). */
size_t extent_block_size(const struct engine *engine);
/* size_hint: expected length, 0 when not known. Worker. ERR_NO_SPACE, ERR_IO, ERR_READ_ONLY. */
enum err extent_begin(struct engine *engine, uint64_t size_hint, struct extent_writer **out_writer);
enum err extent_write(struct extent_writer *writer, const void *data, size_t len,
                      uint64_t offset); /* worker */
/* length: the end of what was written; ERR_BAD_INPUT when that is not so, or when a piece before
 * it is missing. Makes it durable and fills id, length, block_size, block_crcs (in the arena)
 * and created_ms of the row, which the caller then puts. The writer is gone after it,
 * whatever it returns. Until that row is committed the extent belongs to nobody: a crash, or
 * extent_drop, removes it. Worker. */
enum err extent_seal(struct extent_writer *writer, uint64_t length, struct arena *arena,
                     struct extent_row *out_row);
void extent_abort(
    struct extent_writer *writer); /* removes what was written; null is allowed; worker */

/* An extent opened for reading: a value that holds it (an open descriptor, say), so that a drop
 * that comes meanwhile does no harm. The row's strings must outlive it. ERR_NOT_FOUND when there
 * is no such extent: it was dropped, or, if the row is still there, is lost. ERR_CORRUPT when
 * the row contradicts itself. */
struct extent_reader;
enum err extent_open(struct engine *engine, const struct extent_row *row, enum view_flags flags,
                     struct extent_reader **out_reader);
/* Gives bytes from `offset` on, which is below the length: at most len, at least one, verified
 * block by block (whole blocks are read into dst, which has room for len bytes and len >= 2
 * blocks). *out_data is the part of dst that begins at offset. Any thread with VIEW_NOWAIT, else
 * worker. Several threads may read through one reader. */
enum err extent_read(struct extent_reader *reader, uint64_t offset, void *dst, size_t len,
                     enum view_flags flags, str *out_data);
/* The descriptor and file position of a span that may be sent unverified (sendfile);
 * ERR_NOT_IMPLEMENTED where there is none. */
enum err extent_span(struct extent_reader *reader, uint64_t offset, int *out_fd,
                     uint64_t *out_file_offset);
void extent_close(struct extent_reader *reader); /* null is allowed */

/* Removes it for good; OK when it is gone already. Worker. Only after the commit that removed
 * its row. */
enum err extent_drop(struct engine *engine, uint64_t id);
/* Calls `seen` for every sealed extent that was there when the engine was opened, in no order:
 * to find those that no row names. Worker. */
enum err extent_each(struct engine *engine, enum err (*seen)(void *context, uint64_t id),
                     void *context);

/* ---- The whole ---- */

struct engine_stats {
    uint64_t updates, batches, syncs;   /* since start */
    uint64_t log_bytes, log_live_bytes; /* on disk; of them still referred to */
    uint64_t index_bytes;
    uint64_t index_cached_bytes; /* of them in memory */
    uint64_t disk_free_bytes, disk_total_bytes;
    bool is_read_only; /* after a failed sync: only a restart helps */
    char read_only_reason[128];
};
void engine_stats(struct engine *engine, struct engine_stats *out_stats);
/* Flushes what makes the next start quick, stops threads, releases everything. No call may be
 * under way. */
void engine_close(struct engine *engine);

/* ---- For engines: the table of functions behind all of the above. `struct engine` begins every
 * engine's own struct. ---- */
struct engine_ops;
struct engine {
    const struct engine_ops *ops;
};
#include "store/engine_ops.h"
