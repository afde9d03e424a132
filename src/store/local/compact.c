/* Giving back the log's space. What still counts in a sparse segment is committed again, in slices that are updates like all others;
 * then nothing points into the segment, and its file can be used again. Rules: docs/format/log.md, "Giving back space", and index.md,
 * "Rules".
 *
 * A change counts when the index points to it. That is asked twice: when the segment is read, so that little is copied in vain, and
 * when the slice is applied, which decides. */
#include "store/local/local_int.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/crc.h"

enum {
    /* The segment of which the least counts is emptied when that is less than this part of it, in per cent; when the disk
     * is nearly full, almost any. */
    SPARSE_PERCENT = 50,
    SPARSE_PERCENT_FULL = 80,
    /* It is emptied as well when less than this part of all counts: segments that die evenly would else be half empty, all of
     * them at once. In a small log nobody would see the difference. */
    DENSE_PERCENT = 72,
    DENSE_FROM_BYTES = 16 << 20,
    /* Deletions are needed until the oldest segment goes. When they are more than this part of the log, it goes. */
    TOMBSTONE_PERCENT = 12,
    SLICE_BYTES = 256 << 10,
    SLICE_PART =
        16, /* of the segment: what does not fit behind another leaves the end of a segment empty */
    SLICE_CHANGES = 512,
    ARENA_CAP = 1 << 30,
};

/* A change that counted when it was read. */
struct kept_change {
    struct change change;
    const void *blob;
    uint64_t offset;
    struct kept_change *next;
};

struct slice {
    struct update update;
    struct local_engine *engine;
    uint64_t segment;
    bool keeps_deletions; /* there is an older segment */
    struct arena *arena;
    struct kept_change *first, **last;
    size_t count, bytes, bytes_max;
    int64_t begun_us;
};

/* ---- Choosing ---- */

static uint64_t percent_of(uint64_t part, uint64_t whole)
{
    return whole ? part * 100 / whole : 100;
}

/* The segment that the index's newest position lies in; those before it may be given up. */
static enum err position_segment(struct local_engine *engine, uint64_t *out_segment)
{
    struct index_pin pin = {0};
    struct log_position position;
    TRY(index_get(engine->index, NULL, position_key(), VIEW_WAIT, &pin));
    enum err err = position_decode(pin.value, &position);
    index_pin_release(&pin);
    *out_segment = position.segment;
    return err;
}

struct choice {
    uint64_t segment, size;
    uint64_t percent;
    bool is_oldest;
};

/* What of a segment would be copied. */
static uint64_t counting_bytes(const struct log_figures *figures, bool is_oldest)
{
    return figures->live_bytes + (is_oldest ? 0 : figures->tombstone_bytes);
}

/* Takes one more segment into account. */
static void weigh(struct choice *choice, const struct log_figures *figures, bool is_oldest)
{
    uint64_t percent = percent_of(counting_bytes(figures, is_oldest), figures->size);
    if (choice->segment && percent >= choice->percent)
        return;
    *choice = (struct choice){figures->id, figures->size, percent, is_oldest};
}

static uint64_t sparse_limit(struct local_engine *engine, uint64_t counting, uint64_t sealed)
{
    if (local_is_full(engine, 0))
        return SPARSE_PERCENT_FULL;
    /* Of one segment at least, no more counts than of all. */
    bool is_wasteful = sealed >= DENSE_FROM_BYTES && percent_of(counting, sealed) < DENSE_PERCENT;
    return is_wasteful ? DENSE_PERCENT : SPARSE_PERCENT;
}

static enum err choose(struct local_engine *engine, struct choice *out_choice)
{
    struct choice best = {0}, oldest = {0};
    struct log_figures figures = {0};
    uint64_t end, size = 0, tombstones = 0, sealed = 0, counting = 0;
    TRY(position_segment(engine, &end));
    for (bool is_first = true; store_log_next_segment(engine->log, figures.id, &figures);
         is_first = false) {
        size += figures.size;
        tombstones += figures.tombstone_bytes;
        if (figures.state != SEGMENT_SEALED || figures.is_damaged || figures.id >= end)
            continue;
        sealed += figures.size;
        counting += counting_bytes(&figures, is_first);
        weigh(&best, &figures, is_first);
        if (is_first)
            weigh(&oldest, &figures, true);
    }
    if (oldest.segment && percent_of(tombstones, size) > TOMBSTONE_PERCENT)
        best = oldest;
    else if (!best.segment || best.percent >= sparse_limit(engine, counting, sealed))
        return ERR_NOT_FOUND;
    *out_choice = best;
    return OK;
}

/* ---- Applying a slice ---- */

static bool still_counts(const struct slice *slice, const struct kept_change *kept,
                         const struct overlay_node *node)
{
    if (node->change)
        return false;
    if (kept->change.kind == CHANGE_DELETE)
        return !node->has_base;
    return node->has_base && node->base_segment == slice->segment &&
           node->base_offset == kept->offset;
}

static enum err apply_slice(struct update *update, struct tx *base)
{
    struct slice *slice = (struct slice *)(void *)update;
    struct local_tx *tx = local_tx_of(base);
    for (const struct kept_change *kept = slice->first; kept; kept = kept->next) {
        struct overlay_node *node;
        TRY(local_node_of(slice->engine, tx->commit->overlay, kept->change.key, &node));
        if (!still_counts(slice, kept, node))
            continue;
        struct blob blob = {.bytes = kept->blob, .length = kept->change.blob_length};
        TRY(local_append_change(tx, &kept->change, &blob, node));
    }
    return OK;
}

static void clear_slice(struct slice *slice)
{
    arena_reset(slice->arena);
    slice->first = NULL;
    slice->last = &slice->first;
    slice->count = slice->bytes = 0;
    slice->begun_us = clock_mono_us();
}

/* As long as the slice took: half of the time is left to others, unless space is wanted badly. */
static void pause_after(struct slice *slice)
{
    int64_t took_us = clock_mono_us() - slice->begun_us;
    if (local_is_full(slice->engine, 0))
        return;
    struct timespec pause = {.tv_sec = took_us / 1000000, .tv_nsec = took_us % 1000000 * 1000};
    (void)nanosleep(&pause, NULL);
}

static enum err commit_slice(struct slice *slice)
{
    if (local_is_keeper_closing(slice->engine))
        return ERR_CANCELLED;
    if (slice->count) {
        io_reached(slice->engine->io, "slice.writing");
        TRY(catalog_update_wait(&slice->engine->base, &slice->update));
        io_reached(slice->engine->io, "slice.written");
    }
    local_urgent_chores(slice->engine);
    pause_after(slice);
    clear_slice(slice);
    return OK;
}

/* ---- Reading the segment ---- */

/* Whether the index says now that the change counts. */
static enum err counts_now(const struct slice *slice, const struct change *change, uint64_t offset,
                           bool *out_counts)
{
    struct index_pin pin = {0};
    struct row_entry entry;
    *out_counts = false;
    if (change->kind == CHANGE_DELETE && !slice->keeps_deletions)
        return OK;
    enum err err = index_get(slice->engine->index, NULL, change->key, VIEW_WAIT, &pin);
    if (err == OK)
        err = row_entry_decode(pin.value, &entry);
    index_pin_release(&pin);
    if (err == ERR_NOT_FOUND) {
        *out_counts = change->kind == CHANGE_DELETE;
        return OK;
    }
    TRY(err);
    *out_counts =
        change->kind == CHANGE_PUT && entry.segment == slice->segment && entry.offset == offset;
    return OK;
}

/* The change's bytes end where the blob ends. */
static void keep(struct slice *slice, const struct change *change, const char *end, uint64_t offset)
{
    struct kept_change *kept = arena_new_of(slice->arena, struct kept_change);
    kept->change = *change;
    kept->change.key = arena_str(slice->arena, change->key);
    kept->change.value = arena_str(slice->arena, change->value);
    str blob = str_of(end - change->blob_length, change->blob_length);
    kept->blob = arena_str(slice->arena, blob).ptr;
    kept->offset = offset;
    *slice->last = kept;
    slice->last = &kept->next;
    slice->count++;
    slice->bytes += change->key.len + change->value.len + change->blob_length;
}

static enum err read_record(void *context, const struct log_found *found)
{
    struct slice *slice = context;
    str payload = found->payload;
    uint64_t offset = found->place.offset;
    while (payload.len) {
        struct change change;
        size_t length;
        bool counts;
        TRY(change_decode(&payload, &change, &length));
        TRY(counts_now(slice, &change, offset, &counts));
        if (counts)
            keep(slice, &change, payload.ptr, offset);
        offset += length;
        if (slice->count >= SLICE_CHANGES || slice->bytes >= slice->bytes_max)
            TRY(commit_slice(slice));
    }
    return OK;
}

enum err local_compact_one(struct local_engine *engine)
{
    struct choice choice;
    uint64_t end;
    TRY(choose(engine, &choice));
    struct slice slice = {
        .update = {.flags = UPDATE_FREES, .apply = apply_slice},
        .engine = engine,
        .segment = choice.segment,
        .keeps_deletions = !choice.is_oldest,
        .bytes_max =
            choice.size / SLICE_PART < SLICE_BYTES ? choice.size / SLICE_PART : SLICE_BYTES,
        .arena = arena_new(ARENA_CAP),
    };
    clear_slice(&slice);
    enum err err =
        store_log_scan_segment(engine->log, choice.segment, read_record, &slice, &end, NULL);
    if (err == OK)
        err = commit_slice(&slice);
    /* What the index said may be of a batch whose snapshot is not the newest yet. An update, even an empty one, ends after it is. */
    if (err == OK)
        err = catalog_update_wait(&engine->base, &slice.update);
    if (err == OK)
        store_log_set_empty(engine->log, choice.segment, snapshot_newest(&engine->snapshots));
    else if (err == ERR_CORRUPT)
        store_log_set_damaged(engine->log, choice.segment);
    arena_free(slice.arena);
    return err;
}

/* ---- Giving back ---- */

/* The index forgets the segments that are EMPTY. */
static enum err forget_figures(struct local_engine *engine)
{
    struct index_batch *batch = index_batch_new();
    struct log_figures figures = {0};
    while (store_log_next_segment(engine->log, figures.id, &figures)) {
        char key[ENTRY_KEY_MAX];
        if (figures.state == SEGMENT_EMPTY)
            index_batch_delete(batch, segment_key(figures.id, key));
    }
    enum err err = index_write(engine->index, batch);
    index_batch_free(batch);
    return err;
}

enum err local_give_back(struct local_engine *engine)
{
    /* A backup copies one segment after the other. One that it has, with a row in it that was deleted, must not go meanwhile: the
     * next one, which has the deletion, would then be the oldest, drop it, and go too. */
    if (local_is_frozen(engine))
        return OK;
    uint64_t oldest = snapshot_oldest(&engine->snapshots);
    if (!store_log_has_retirable(engine->log, oldest))
        return OK;
    TRY(forget_figures(engine));
    TRY(local_flush_index(engine));
    return store_log_retire_empty(engine->log, oldest);
}
