/* Bringing the index up to the log: at a start what lies behind the index's position, in a rebuild everything. */
#include "store/local/local_int.h"

#include <inttypes.h>
#include <string.h>

enum {
    /* The overlay is written to the index when it has grown to this. */
    OVERLAY_NODES_MAX = 20000,
    OVERLAY_BYTES_MAX = 16 << 20,
    PROGRESS_STEP = 64 << 20,
};

struct replay {
    struct local_engine *engine;
    struct overlay *overlay;
    struct index_batch *batch;
    struct log_position position;
    local_progress_fn progress;
    void *context;
    uint64_t done_bytes, total_bytes, reported_bytes;
};

static enum err replay_change(struct replay *replay, const struct change *change,
                              const struct log_place *place, size_t length)
{
    struct overlay_node *node;
    TRY(local_node_of(replay->engine, replay->overlay, change->key, &node));
    overlay_set(replay->overlay, node,
                &(struct overlay_change){
                    .kind = change->kind,
                    .entry = {.segment = place->segment,
                              .offset = place->offset,
                              .length = length,
                              .blob_length = change->blob_length,
                              .blob_crc32c = change->blob_crc32c,
                              .columns = change->value},
                });
    return OK;
}

static enum err write_to_index(struct replay *replay)
{
    return local_apply_overlay(replay->engine, replay->overlay, replay->batch,
                               &(struct log_place){0}, &replay->position);
}

static void report(struct replay *replay, size_t bytes)
{
    replay->done_bytes += bytes;
    if (!replay->progress || replay->done_bytes - replay->reported_bytes < PROGRESS_STEP)
        return;
    replay->reported_bytes = replay->done_bytes;
    replay->progress(
        replay->context,
        &(struct local_progress){"replaying the log", replay->done_bytes, replay->total_bytes});
}

static enum err replay_record(void *context, const struct log_found *found)
{
    struct replay *replay = context;
    str payload = found->payload;
    struct log_place place = found->place;
    uint32_t count = 0;
    for (; payload.len; count++) {
        struct change change;
        size_t length;
        TRY(change_decode(&payload, &change, &length));
        TRY(replay_change(replay, &change, &place, length));
        place.offset += length;
    }
    if (count != found->record->change_count)
        return ERR_CORRUPT;
    replay->position = (struct log_position){
        .segment = place.segment,
        .offset = place.offset,
        .sequence = found->record->sequence,
        .chain = found->record->check,
    };
    report(replay, found->payload.len);
    bool is_large = overlay_count(replay->overlay) > OVERLAY_NODES_MAX ||
                    overlay_bytes(replay->overlay) > OVERLAY_BYTES_MAX;
    return is_large ? write_to_index(replay) : OK;
}

/* ---- What the index knows ---- */

enum err local_read_position(struct local_engine *engine, const struct index_view *view,
                             struct log_position *out_position)
{
    struct index_pin pin = {0};
    *out_position = (struct log_position){0};
    enum err err = index_get(engine->index, view, position_key(), VIEW_WAIT, &pin);
    if (err == OK)
        err = position_decode(pin.value, out_position);
    index_pin_release(&pin);
    return err == ERR_NOT_FOUND ? OK : err;
}

static enum err take_figures(struct local_engine *engine, const struct index_iter *iter,
                             struct fail *fail)
{
    struct log_figures figures;
    uint64_t id;
    TRY(segment_key_decode(index_iter_key(iter), &id));
    TRY(figures_decode(index_iter_value(iter), &figures));
    figures.id = id;
    if (store_log_set_figures(engine->log, &figures))
        return OK;
    return fail_set(fail, ERR_CORRUPT, NULL,
                    "log/%016" PRIx64 ".log is missing, and with it %" PRIu64
                    " bytes that rows point to; rebuild-index drops them",
                    id, figures.live_bytes);
}

/* A segment that the index knows must be there. */
static enum err read_figures(struct local_engine *engine, struct fail *fail)
{
    struct index_iter *iter =
        index_iter_new(engine->index, NULL, segment_key_front(), store_key(), VIEW_WAIT);
    enum err err = index_iter_seek(iter, segment_key_front());
    while (err == OK) {
        err = take_figures(engine, iter, fail);
        if (err == OK)
            err = index_iter_next(iter);
    }
    index_iter_free(iter);
    return err == ERR_NOT_FOUND ? OK : err;
}

/* Version and store of the index; a new one gets them. */
static enum err check_store(struct local_engine *engine, struct fail *fail)
{
    enum { INDEX_VERSION = 1 };
    char expected[1 + STORE_ID_SIZE] = {INDEX_VERSION};
    memcpy(expected + 1, engine->dir.store_id, STORE_ID_SIZE);
    struct index_pin pin = {0};
    enum err err = index_get(engine->index, NULL, store_key(), VIEW_WAIT, &pin);
    if (err == OK && !str_eq(pin.value, str_of(expected, sizeof(expected))))
        err = fail_set(fail, ERR_CORRUPT, NULL, "index/ belongs to another store or version");
    index_pin_release(&pin);
    if (err != ERR_NOT_FOUND)
        return err;
    struct index_batch *batch = index_batch_new();
    index_batch_put(batch, store_key(), str_of(expected, sizeof(expected)));
    err = index_write(engine->index, batch);
    index_batch_free(batch);
    return err;
}

/* ---- Replaying ---- */

static uint64_t bytes_from(struct local_engine *engine, uint64_t segment)
{
    uint64_t bytes = 0;
    struct log_figures figures = {.id = segment ? segment - 1 : 0};
    while (store_log_next_segment(engine->log, figures.id, &figures))
        bytes += figures.size;
    return bytes;
}

static enum err run_replay(struct replay *replay, struct fail *fail)
{
    struct local_engine *engine = replay->engine;
    struct log_position end = replay->position;
    TRY(store_log_recover(engine->log, &end, replay_record, replay, fail));
    /* The position stays behind the last update: a seal that follows it must be seen by the next start, too. An empty store
     * has none. */
    return replay->position.segment ? write_to_index(replay) : OK;
}

enum err local_replay(struct local_engine *engine, local_progress_fn progress, void *context,
                      struct fail *fail)
{
    struct replay replay = {.engine = engine, .progress = progress, .context = context};
    TRY(check_store(engine, fail));
    TRY(read_figures(engine, fail));
    TRY(local_read_position(engine, NULL, &replay.position));
    replay.total_bytes = bytes_from(engine, replay.position.segment);
    replay.overlay = overlay_new();
    replay.batch = index_batch_new();
    enum err err = run_replay(&replay, fail);
    overlay_free(replay.overlay);
    index_batch_free(replay.batch);
    return err;
}
