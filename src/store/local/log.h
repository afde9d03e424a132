/* The log: the segments there are, the end that is written to, and reading by place. Format: docs/format/log.md.
 *
 * Threads: store_log_append, store_log_sync and what they change belong to the commit thread; store_log_prepare to any worker; the rest to any
 * thread. */
#pragma once

#include <pthread.h>

#include "base/buf.h"
#include "store/engine.h"
#include "store/local/segment.h"

struct store_log;

struct store_log_options {
    const struct io *io;
    int dir_fd; /* of log/; stays the caller's */
    uint8_t store_id[STORE_ID_SIZE];
    uint64_t segment_bytes; /* of a full-grown segment; the first ones are smaller */
};

/* Lists what is there; removes what was being made or waits to be used again. Nothing is read yet. */
enum err store_log_open(const struct store_log_options *options, struct store_log **out_log,
                        struct fail *fail);
void store_log_close(struct store_log *log); /* null is allowed */

/* A place between two records. */
struct log_position {
    uint64_t segment;  /* id; 0: before the first record of all */
    uint64_t offset;   /* in its file */
    uint64_t sequence; /* of the last record before it */
    uint32_t chain;    /* its check, or that of the segment's header */
};

/* ---- Writing ---- */

/* Records on their way into the log. */
struct log_batch {
    struct buf bytes; /* records behind each other, with room for their headers */
    struct log_batch_record {
        size_t offset; /* of its header, in bytes */
        uint32_t change_count;
    } * record;
    size_t record_count, record_capacity;
};

void log_batch_init(struct log_batch *batch);
void log_batch_release(struct log_batch *batch);
void log_batch_clear(
    struct log_batch *batch); /* also gives back memory that one large update took */
/* Begins a record: what is appended to bytes from now on is its payload. */
void log_batch_begin(struct log_batch *batch);
/* Takes the last begun record back. */
void log_batch_undo(struct log_batch *batch);
/* Ends it. */
void log_batch_end(struct log_batch *batch, uint32_t change_count);

/* Where the batch's bytes begin. */
struct log_place {
    uint64_t segment;
    uint64_t offset;
};
/* Gives the records their numbers and writes them behind the last batch, in the next segment if they do not fit. Not yet
 * durable. ERR_NO_SPACE, ERR_UNAVAILABLE (no segment could be made): the batch is not in the log, which goes on. ERR_IO: the log is
 * not to be written any more. */
enum err store_log_append(struct store_log *log, struct log_batch *batch,
                          struct log_place *out_place);
/* What was appended is durable. Any error is final. */
enum err store_log_sync(struct store_log *log);
/* Behind what was appended last. */
struct log_position store_log_end(const struct store_log *log);

/* Makes the next segment ready, unless there is one or it is too early to need one. Worker. */
enum err store_log_prepare(struct store_log *log);
bool store_log_wants_segment(struct store_log *log);

/* ---- Reading ---- */

/* Bytes of a segment; flags as in the contract: ERR_WOULD_BLOCK. ERR_CORRUPT when the segment is gone or ends early. */
enum err store_log_read(struct store_log *log, uint64_t segment, uint64_t offset, void *dst,
                        size_t len, enum view_flags flags);

/* What log_scan finds. The payload is valid during the call. */
struct log_found {
    const struct record *record;
    str payload;
    struct log_place place; /* of the payload */
};
typedef enum err (*log_visit)(void *context, const struct log_found *found);

/* Reads all records behind *from, and ends where the log ends: then *from is that place, writing goes on there, and what was
 * read is synced. Tells a torn end from damage (docs/format/log.md): ERR_CORRUPT says that acknowledged records are lost.
 * Before the first append. */
enum err store_log_recover(struct store_log *log, struct log_position *from, log_visit visit,
                           void *context, struct fail *fail);

/* A run of the log that store_log_recover passed over because it is damaged. */
struct log_loss {
    uint64_t segment;
    uint64_t from, to; /* offsets; to is 0 when nothing behind it could be read */
    uint64_t first_sequence,
        last_sequence; /* of the records that were there; 0 for last: not known */
};
/* From now on store_log_recover tells damage to `lost` and goes on behind it, instead of failing. A segment without a header is
 * renamed to "<id>.damaged". */
void store_log_salvage(struct store_log *log, void (*lost)(void *context, const struct log_loss *),
                       void *context);

/* Reads the records of one sealed segment. ERR_CORRUPT: *out_end is where a record does not belong. */
enum err store_log_scan_segment(struct store_log *log, uint64_t segment, log_visit visit,
                                void *context, uint64_t *out_end, struct fail *fail);

/* ---- Segments ---- */

/* Adds to the figures of a segment; ids that are not there are passed over. Commit thread. Returns the sum in *out_segment, a
 * copy, or false. */
struct log_figures {
    uint64_t id, size;
    uint64_t live_bytes, tombstone_bytes;
    enum segment_state state;
    bool is_damaged;
};
bool store_log_account(struct store_log *log, uint64_t segment, int64_t live_bytes,
                       int64_t tombstone_bytes, struct log_figures *out_figures);
/* Takes the figures that the index knew; false when there is no such segment. */
bool store_log_set_figures(struct store_log *log, const struct log_figures *figures);
bool store_log_has_segment(struct store_log *log, uint64_t segment);

/* All segments in order of their ids: store_log_next_segment(log, 0, &figures) gives the first, with its id the next. */
bool store_log_next_segment(struct store_log *log, uint64_t after, struct log_figures *out_figures);

/* Not to be emptied again in this run. */
void store_log_set_damaged(struct store_log *log, uint64_t segment);
/* Nothing in it is needed by views that begin at snapshot `emptied_at` or later. */
void store_log_set_empty(struct store_log *log, uint64_t segment, uint64_t emptied_at);
/* Gives back the EMPTY segments of which no snapshot before `oldest_snapshot` can read: the index that does not know them is
 * on stable storage. Worker. */
enum err store_log_retire_empty(struct store_log *log, uint64_t oldest_snapshot);
/* Whether one would be given back by it. */
bool store_log_has_retirable(struct store_log *log, uint64_t oldest_snapshot);
