/* Opening and closing, and what concerns the whole. */
#include "store/local/local_engine.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "store/local/local_int.h"

enum {
    SEGMENT_BYTES_DEFAULT = 64 << 20,
    SEGMENT_BYTES_MIN = 64 << 10,
    CACHE_BYTES_DEFAULT = 32 << 20,
    MEMTABLE_BYTES_DEFAULT = 16 << 20,
    RESERVE_BYTES = 64 << 20,
    RESERVE_PART = 20, /* of the disk: one in so many bytes */
};

/* ---- The state of the whole ---- */

void local_set_read_only(struct local_engine *engine, const char *what, enum err err)
{
    pthread_mutex_lock(&engine->failure_mutex);
    if (!engine->is_read_only) {
        (void)snprintf(engine->read_only_reason, sizeof(engine->read_only_reason), "%s: %s", what,
                       err_fact(err));
        __atomic_store_n(&engine->is_read_only, true, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&engine->failure_mutex);
}

bool local_is_read_only(const struct local_engine *engine)
{
    return __atomic_load_n(&engine->is_read_only, __ATOMIC_ACQUIRE);
}

bool local_is_final(enum err err)
{
    return err != OK && err != ERR_NO_SPACE && err != ERR_UNAVAILABLE;
}

bool local_is_full(struct local_engine *engine, uint64_t wanted_bytes)
{
    struct io_space space;
    if (io_space(engine->io, engine->dir.fd, &space) != OK)
        return false;
    uint64_t reserve = space.total_bytes / RESERVE_PART;
    if (reserve > RESERVE_BYTES)
        reserve = RESERVE_BYTES;
    return space.free_bytes < reserve || space.free_bytes - reserve < wanted_bytes;
}

static void stats(struct engine *base, struct engine_stats *out_stats)
{
    struct local_engine *engine = local_engine_of(base);
    *out_stats = (struct engine_stats){
        .updates = __atomic_load_n(&engine->update_count, __ATOMIC_RELAXED),
        .batches = __atomic_load_n(&engine->batch_count, __ATOMIC_RELAXED),
        .syncs = __atomic_load_n(&engine->sync_count, __ATOMIC_RELAXED),
        .index_bytes = index_disk_bytes(engine->index),
        .index_cached_bytes = index_cached_bytes(engine->index),
    };
    struct log_figures figures = {0};
    while (store_log_next_segment(engine->log, figures.id, &figures)) {
        out_stats->log_bytes += figures.size;
        out_stats->log_live_bytes += figures.live_bytes;
    }
    struct io_space space;
    if (io_space(engine->io, engine->dir.fd, &space) == OK) {
        out_stats->disk_free_bytes = space.free_bytes;
        out_stats->disk_total_bytes = space.total_bytes;
    }
    pthread_mutex_lock(&engine->failure_mutex);
    out_stats->is_read_only = engine->is_read_only;
    memcpy(out_stats->read_only_reason, engine->read_only_reason,
           sizeof(out_stats->read_only_reason));
    pthread_mutex_unlock(&engine->failure_mutex);
}

/* ---- Opening ---- */

static const struct engine_ops ops;

void local_close_parts(struct local_engine *engine)
{
    index_close(engine->index);
    store_log_close(engine->log);
    extent_store_close(engine->extents);
    datadir_close(&engine->dir);
    freezes_release(&engine->freezes);
    pthread_mutex_destroy(&engine->queue_mutex);
    pthread_mutex_destroy(&engine->failure_mutex);
    pthread_cond_destroy(&engine->has_updates);
    pthread_cond_destroy(&engine->has_chores);
    mem_free(engine);
}

static enum err open_index(struct local_engine *engine, const struct local_options *options,
                           const char *path, struct fail *fail)
{
    struct index_options index = {
        .path = path,
        .cache_bytes =
            options->index_cache_bytes ? options->index_cache_bytes : CACHE_BYTES_DEFAULT,
        .memtable_bytes =
            options->index_memtable_bytes ? options->index_memtable_bytes : MEMTABLE_BYTES_DEFAULT,
    };
    return index_open(&index, &engine->index, fail);
}

enum err local_open_log(struct local_engine *engine, const struct local_options *options,
                        struct fail *fail)
{
    struct store_log_options log = {
        .io = engine->io,
        .dir_fd = engine->dir.log_fd,
        .segment_bytes = options->segment_bytes ? options->segment_bytes : SEGMENT_BYTES_DEFAULT,
    };
    assert(log.segment_bytes >= SEGMENT_BYTES_MIN);
    memcpy(log.store_id, engine->dir.store_id, STORE_ID_SIZE);
    return store_log_open(&log, &engine->log, fail);
}

/* Timeouts are by the clock that never goes back. */
static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

static enum err fill_parts(struct local_engine *engine, const struct local_options *options,
                           const struct local_opening *opening, struct fail *fail)
{
    TRY(opening->scratch ? datadir_open_backup(options->data_dir, opening->scratch, engine->io,
                                               &engine->dir, fail)
                         : datadir_open(options->data_dir, engine->io, &engine->dir, fail));
    TRY(index_destroy(engine->dir.new_index_path, fail));
    TRY(local_open_log(engine, options, fail));
    const char *path = opening->rebuild ? engine->dir.new_index_path : engine->dir.index_path;
    TRY(open_index(engine, options, path, fail));
    TRY(extent_store_open(engine, &engine->extents, fail));
    if (opening->is_as_left)
        return OK;
    if (opening->lost)
        store_log_salvage(engine->log, opening->lost, opening->lost_context);
    return local_replay(engine, opening->progress, opening->context, fail);
}

/* Names of files are told as they are below the data folder, so it must be named, too. */
static enum err tell_folder(const char *path, enum err err, const struct fail *why,
                            struct fail *fail)
{
    if (strstr(why->detail, path))
        return fail_set(fail, err, NULL, "%s", why->detail);
    return fail_set(fail, err, NULL, "the data folder \"%s\" cannot be opened: %s", path,
                    why->detail[0] ? why->detail : err_fact(err));
}

enum err local_open_parts(const struct local_options *options, const struct local_opening *opening,
                          struct local_engine **out_engine, struct fail *fail)
{
    struct local_engine *engine = mem_new(struct local_engine);
    engine->base.ops = &ops;
    engine->io = options->io ? options->io : &io_system;
    engine->body_fd_max = options->body_fd_max ? options->body_fd_max : INT_MAX;
    freezes_init(&engine->freezes);
    pthread_mutex_init(&engine->queue_mutex, NULL);
    pthread_mutex_init(&engine->failure_mutex, NULL);
    init_condition(&engine->has_updates);
    init_condition(&engine->has_chores);
    struct fail why = {0};
    enum err err = fill_parts(engine, options, opening, &why);
    if (err != OK) {
        local_close_parts(engine);
        return tell_folder(options->data_dir, err, &why, fail);
    }
    *out_engine = engine;
    return OK;
}

static void stop_commit_thread(struct local_engine *engine)
{
    pthread_mutex_lock(&engine->queue_mutex);
    engine->is_closing = true;
    pthread_cond_signal(&engine->has_updates);
    pthread_mutex_unlock(&engine->queue_mutex);
    pthread_join(engine->commit_thread, NULL);
}

/* The keeper ends first, because it has updates of its own. */
static void stop_threads(struct local_engine *engine)
{
    pthread_mutex_lock(&engine->queue_mutex);
    engine->is_keeper_closing = true;
    pthread_cond_signal(&engine->has_chores);
    pthread_mutex_unlock(&engine->queue_mutex);
    pthread_join(engine->keeper_thread, NULL);
    stop_commit_thread(engine);
}

static enum err start_threads(struct local_engine *engine)
{
    if (pthread_create(&engine->commit_thread, NULL, local_commit_thread, engine) != 0)
        return ERR_NO_MEMORY;
    (void)pthread_setname_np(engine->commit_thread, "pail-commit");
    if (pthread_create(&engine->keeper_thread, NULL, local_keeper_thread, engine) == 0) {
        (void)pthread_setname_np(engine->keeper_thread, "pail-keeper");
        return OK;
    }
    stop_commit_thread(engine);
    return ERR_NO_MEMORY;
}

static void close_engine(struct engine *base)
{
    struct local_engine *engine = local_engine_of(base);
    if (engine->commit)
        stop_threads(engine);
    commit_free(engine->commit);
    snapshots_release(&engine->snapshots);
    row_cache_free(engine->row_cache);
    /* A disk that has failed is left as it is; the next start replays. */
    if (!local_is_read_only(engine))
        (void)index_flush(engine->index);
    local_close_parts(engine);
}

static const struct engine_ops ops = {
    .name = "local",
    .extent_block_size = LOCAL_BLOCK_SIZE,
    .view_begin = local_view_begin,
    .view_end = local_view_end,
    .row_get = local_row_get,
    .blob_read = local_blob_read,
    .cursor_open = local_cursor_open,
    .cursor_next = local_cursor_next,
    .cursor_seek = local_cursor_seek,
    .row_find_before = local_row_find_before,
    .cursor_close = local_cursor_close,
    .update = local_update,
    .row_put = local_row_put,
    .row_delete = local_row_delete,
    .extent_begin = local_extent_begin,
    .extent_write = local_extent_write,
    .extent_seal = local_extent_seal,
    .extent_abort = local_extent_abort,
    .extent_open = local_extent_open,
    .extent_read = local_extent_read,
    .extent_span = local_extent_span,
    .extent_close = local_extent_close,
    .extent_drop = local_extent_drop,
    .extent_each = local_extent_each,
    .stats = stats,
    .close = close_engine,
};

enum err local_engine_open(const struct local_options *options, struct engine **out_engine,
                           struct fail *fail)
{
    struct local_engine *engine;
    TRY(local_open_parts(options, &(struct local_opening){0}, &engine, fail));
    engine->commit = commit_new();
    engine->row_cache = row_cache_new();
    snapshots_init(&engine->snapshots);
    (void)snapshot_publish(&engine->snapshots, engine->index);
    enum err err = start_threads(engine);
    if (err != OK) {
        commit_free(engine->commit);
        snapshots_release(&engine->snapshots);
        row_cache_free(engine->row_cache);
        local_close_parts(engine);
        return fail_set(fail, err, NULL, "the store's threads cannot be started");
    }
    *out_engine = &engine->base;
    return OK;
}

/* ---- Rebuilding the index ---- */

/* The new index takes the old one's name: in one step where the file system can exchange two names, else in two, between which a
 * start would find no index and make one from the log. */
static enum err swap_indexes(const struct local_engine *engine, struct fail *fail)
{
    const struct io *io = engine->io;
    int dir = engine->dir.fd;
    io_reached(io, "index.swapping");
    bool is_swapped = io->rename(dir, "index.new", dir, "index", RENAME_EXCHANGE) == 0;
    if (!is_swapped) {
        TRY(index_destroy(engine->dir.index_path, fail));
        is_swapped = io->rename(dir, "index.new", dir, "index", 0) == 0;
    }
    if (!is_swapped)
        return fail_set(fail, ERR_IO, NULL, "the new index cannot be given its name");
    io_reached(io, "index.swapped");
    TRY(io_sync(io, dir));
    io_reached(io, "index.renamed");
    return index_destroy(engine->dir.new_index_path, fail);
}

static enum err finish_rebuild(struct local_engine *engine, struct fail *fail)
{
    enum err err = index_flush(engine->index);
    index_close(engine->index);
    engine->index = NULL;
    if (err != OK)
        return fail_set(fail, err, NULL, "the new index cannot be written");
    return swap_indexes(engine, fail);
}

enum err local_rebuild_index(const struct local_options *options, local_progress_fn progress,
                             void *context, struct fail *fail)
{
    struct local_opening opening = {.rebuild = true, .progress = progress, .context = context};
    struct local_engine *engine;
    TRY(local_open_parts(options, &opening, &engine, fail));
    enum err err = finish_rebuild(engine, fail);
    local_close_parts(engine);
    return err;
}

struct repair {
    local_found_fn found;
    void *context;
};

static void tell_loss(void *context, const struct log_loss *loss)
{
    const struct repair *repair = context;
    struct local_finding finding = {.err = ERR_CORRUPT};
    finding.part = LOCAL_LOG;
    (void)snprintf(finding.where, sizeof(finding.where),
                   "log/%016" PRIx64 ".log, offsets %" PRIu64 " to %" PRIu64, loss->segment,
                   loss->from, loss->to);
    if (loss->from == 0)
        (void)snprintf(finding.what, sizeof(finding.what), "its headers are damaged; put aside");
    else if (loss->to == 0)
        (void)snprintf(finding.what, sizeof(finding.what),
                       "records from number %" PRIu64 " to the end of the file are lost",
                       loss->first_sequence);
    else
        (void)snprintf(finding.what, sizeof(finding.what),
                       "records %" PRIu64 " to %" PRIu64 " are lost", loss->first_sequence,
                       loss->last_sequence);
    repair->found(repair->context, &finding);
}

enum err local_repair(const struct local_options *options, local_found_fn found,
                      local_progress_fn progress, void *context, struct fail *fail)
{
    struct repair repair = {found, context};
    struct local_opening opening = {.rebuild = true,
                                    .progress = progress,
                                    .context = context,
                                    .lost = tell_loss,
                                    .lost_context = &repair};
    struct local_engine *engine;
    TRY(local_open_parts(options, &opening, &engine, fail));
    enum err err = finish_rebuild(engine, fail);
    local_close_parts(engine);
    return err;
}
