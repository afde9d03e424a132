/* The commit thread: makes batches of the updates that wait, writes and syncs them, and answers.
 *
 * Invariants:
 *  1. The log holds a batch durably before the index has any of it, so nobody sees a row that a crash could take back.
 *  2. Views that begin after `done` was called see the batch: its snapshot is published before.
 *  3. Whatever an update was told, also an error, is told after its batch is durable, because it may rest on what an earlier
 *     update of the batch wrote. If the batch fails, all of it fails. */
#include "store/local/local_int.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/prompt.h"

/* ---- The queue ----
 *
 * Callers who were answered together come back one after the other. A batch that begins with the first of them would leave the
 * rest to the next one, and so on for ever: twice as many syncs, each half full. So when fewer wait than were in flight lately, the
 * commit thread waits for them, for a small part of what a sync takes. One caller alone never waits. */

enum {
    GATHER_PART = 4, /* of the time of a sync */
    GATHER_MAX_US = 1000,
    STUCK_PAUSE_NS = 100 * 1000 * 1000,
};

void local_update(struct engine *base, struct update *update)
{
    struct local_engine *engine = local_engine_of(base);
    update->next = NULL;
    if (!engine->commit) {
        update->done(update, ERR_READ_ONLY);
        return;
    }
    pthread_mutex_lock(&engine->queue_mutex);
    if (engine->last)
        engine->last->next = update;
    else
        engine->first = update;
    engine->last = update;
    if (++engine->waiting_count == engine->wanted_count)
        pthread_cond_signal(&engine->has_updates);
    pthread_mutex_unlock(&engine->queue_mutex);
}

/* Sleeps until so many wait, or until the time has come. With the mutex held; false at a timeout. */
static bool wait_for_count(struct local_engine *engine, size_t count, const struct timespec *until)
{
    int result = 0;
    engine->wanted_count = count;
    while (engine->waiting_count < count && !engine->is_closing && result == 0)
        result = until ? pthread_cond_timedwait(&engine->has_updates, &engine->queue_mutex, until)
                       : pthread_cond_wait(&engine->has_updates, &engine->queue_mutex);
    engine->wanted_count = 0;
    return result == 0;
}

static struct timespec time_in_us(int64_t us)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + us * 1000;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    return until;
}

/* With the mutex held. */
static void gather(struct local_engine *engine)
{
    struct commit *commit = engine->commit;
    if (engine->waiting_count >= commit->crowd) {
        commit->crowd = engine->waiting_count;
        return;
    }
    int64_t wait_us = commit->sync_us / GATHER_PART;
    struct timespec until = time_in_us(wait_us < GATHER_MAX_US ? wait_us : GATHER_MAX_US);
    if (!wait_for_count(engine, commit->crowd, &until)) {
        /* They have gone, or take their time: less is expected from now on. */
        size_t expected = commit->crowd - (commit->crowd - engine->waiting_count + 7) / 8;
        commit->crowd = expected;
    }
}

/* All that wait; null when the engine closes. */
static struct update *wait_for_updates(struct local_engine *engine)
{
    pthread_mutex_lock(&engine->queue_mutex);
    (void)wait_for_count(engine, 1, NULL);
    if (engine->waiting_count)
        gather(engine);
    struct update *first = engine->first;
    engine->first = engine->last = NULL;
    engine->waiting_count = 0;
    pthread_mutex_unlock(&engine->queue_mutex);
    return first;
}

/* ---- Applying ---- */

static enum err apply_one(struct local_engine *engine, struct local_tx *tx, struct update *update)
{
    struct commit *commit = tx->commit;
    size_t mark = overlay_mark(commit->overlay);
    tx->change_count = 0;
    log_batch_begin(&commit->batch);
    enum err err = update->apply(update, &tx->base);
    if (err == OK)
        err = buf_err(&commit->batch.bytes);
    if (err != OK || tx->change_count == 0) {
        overlay_undo(commit->overlay, mark);
        log_batch_undo(&commit->batch);
        return err;
    }
    log_batch_end(&commit->batch, tx->change_count);
    __atomic_add_fetch(&engine->unflushed_changes, tx->change_count, __ATOMIC_RELAXED);
    return OK;
}

static enum err refusal(struct local_engine *engine, const struct update *update, bool is_full)
{
    if (local_is_read_only(engine))
        return ERR_READ_ONLY;
    return is_full && !(update->flags & UPDATE_FREES) ? ERR_NO_SPACE : OK;
}

/* Applies updates until the batch is large enough; returns those that are left. */
static struct update *apply_updates(struct local_engine *engine, struct update *update)
{
    struct commit *commit = engine->commit;
    struct local_tx tx;
    local_tx_init(&tx, engine, VIEW_WAIT);
    tx.base.is_update = true;
    tx.commit = commit;
    bool is_full = local_is_full(engine, 0);
    while (update && commit->answered_count < BATCH_UPDATES_MAX &&
           commit->batch.bytes.len < BATCH_BYTES_GOAL) {
        /* The struct is the caller's again once it was answered, so the link is read first. */
        struct update *next = update->next;
        enum err err = refusal(engine, update, is_full);
        if (err == OK)
            err = apply_one(engine, &tx, update);
        commit->answered[commit->answered_count++] = (struct answered){update, err};
        update = next;
    }
    local_tx_release(&tx);
    return update;
}

/* ---- Figures of segments ---- */

/* What a batch adds to the figures of a segment. */
struct account {
    uint64_t segment;
    int64_t live_bytes, tombstone_bytes;
};

struct accounts {
    struct account *account;
    size_t count, capacity;
};

static struct account *account_of(struct accounts *accounts, uint64_t segment)
{
    /* From the end: what was touched last is likely touched again. */
    for (size_t i = accounts->count; i-- > 0;)
        if (accounts->account[i].segment == segment)
            return &accounts->account[i];
    accounts->account =
        mem_room(accounts->account, accounts->count, &accounts->capacity, sizeof(struct account));
    struct account *account = &accounts->account[accounts->count++];
    *account = (struct account){.segment = segment};
    return account;
}

/* ---- To the index ---- */

static void put_node(struct index_batch *batch, const struct overlay_node *node,
                     const struct log_place *place, struct accounts *accounts, struct buf *scratch)
{
    struct row_entry entry = node->change->entry;
    if (entry.segment == 0) {
        entry.segment = place->segment;
        entry.offset += place->offset;
    }
    if (node->has_base)
        account_of(accounts, node->base_segment)->live_bytes -= (int64_t)node->base_length;
    struct account *account = account_of(accounts, entry.segment);
    if (node->change->kind == CHANGE_DELETE) {
        account->tombstone_bytes += (int64_t)entry.length;
        if (node->has_base)
            index_batch_delete(batch, node->key);
        return;
    }
    account->live_bytes += (int64_t)entry.length;
    buf_clear(scratch);
    row_entry_encode(&entry, scratch);
    index_batch_put(batch, node->key, buf_str(scratch));
}

static void put_figures(struct store_log *log, struct index_batch *batch,
                        const struct accounts *accounts, struct buf *scratch)
{
    for (size_t i = 0; i < accounts->count; i++) {
        const struct account *account = &accounts->account[i];
        struct log_figures figures;
        if (!store_log_account(log, account->segment, account->live_bytes, account->tombstone_bytes,
                               &figures))
            continue;
        char key[ENTRY_KEY_MAX];
        buf_clear(scratch);
        figures_encode(&figures, scratch);
        index_batch_put(batch, segment_key(account->segment, key), buf_str(scratch));
    }
}

enum err local_apply_overlay(struct local_engine *engine, struct overlay *overlay,
                             struct index_batch *batch, const struct log_place *place,
                             const struct log_position *position)
{
    struct accounts accounts = {0};
    BUF_SCOPED struct buf scratch;
    buf_init(&scratch, 2 * ROW_VALUE_MAX);
    for (const struct overlay_node *node = overlay_find_from(overlay, (str){0}); node;
         node = overlay_next(node))
        if (node->change)
            put_node(batch, node, place, &accounts, &scratch);
    put_figures(engine->log, batch, &accounts, &scratch);
    mem_free(accounts.account);
    buf_clear(&scratch);
    position_encode(position, &scratch);
    index_batch_put(batch, position_key(), buf_str(&scratch));
    overlay_clear(overlay);
    TRY(buf_err(&scratch));
    io_reached(engine->io, "index.applying");
    TRY(index_write(engine->index, batch));
    io_reached(engine->io, "index.applied");
    return OK;
}

/* ---- Making a batch durable ---- */

static enum err write_batch(struct local_engine *engine, struct log_place *out_place)
{
    struct commit *commit = engine->commit;
    enum err err = store_log_append(engine->log, &commit->batch, out_place);
    if (local_is_final(err)) {
        local_set_read_only(engine, "writing the log failed", err);
        return ERR_IO;
    }
    TRY(err);
    int64_t begun_us = clock_mono_us();
    err = store_log_sync(engine->log);
    /* A mean of the last few. */
    commit->sync_us += (clock_mono_us() - begun_us - commit->sync_us) / 4;
    if (err == OK)
        return OK;
    local_set_read_only(engine, "syncing the log failed", err);
    return ERR_IO;
}

/* Nobody else can be served while the index is stuck. */
static void refuse_waiting(struct local_engine *engine)
{
    pthread_mutex_lock(&engine->queue_mutex);
    struct update *update = engine->first, *next;
    engine->first = engine->last = NULL;
    engine->waiting_count = 0;
    pthread_mutex_unlock(&engine->queue_mutex);
    for (; update; update = next) {
        next = update->next;
        update->done(update, ERR_NO_SPACE);
    }
}

static bool is_closing(struct local_engine *engine)
{
    pthread_mutex_lock(&engine->queue_mutex);
    bool is_closing = engine->is_closing || engine->is_keeper_closing;
    pthread_mutex_unlock(&engine->queue_mutex);
    return is_closing;
}

/* Somebody else took the last of the disk, and the index could not write what it holds in memory. The log has the batch durably, so
 * the batch only waits until there is room. */
static enum err write_index_at_last(struct local_engine *engine)
{
    enum err err = ERR_NO_SPACE;
    while (err == ERR_NO_SPACE && !is_closing(engine)) {
        struct timespec pause = {.tv_nsec = STUCK_PAUSE_NS};
        (void)nanosleep(&pause, NULL);
        refuse_waiting(engine);
        err = index_write(engine->index, engine->commit->index_batch);
    }
    return err;
}

/* Rows that the batch changes are not to be found in the cache by those who see the batch. */
static void change_cached(struct local_engine *engine)
{
    uint64_t snapshot = snapshot_newest(&engine->snapshots) + 1;
    for (const struct overlay_node *node = overlay_find_from(engine->commit->overlay, (str){0});
         node; node = overlay_next(node))
        if (node->change && row_cache_has((enum table_id)(uint8_t)node->key.ptr[0]))
            row_cache_change(engine->row_cache, node->key, snapshot);
}

static enum err commit_batch(struct local_engine *engine)
{
    struct commit *commit = engine->commit;
    struct log_place place;
    TRY(write_batch(engine, &place));
    change_cached(engine);
    struct log_position position = store_log_end(engine->log);
    enum err err =
        local_apply_overlay(engine, commit->overlay, commit->index_batch, &place, &position);
    if (err == ERR_NO_SPACE)
        err = write_index_at_last(engine);
    if (err != OK) {
        /* The log has the batch and the index has not: a start would repair that, going on would not. */
        local_set_read_only(engine, "writing the index failed", err);
        return ERR_IO;
    }
    (void)snapshot_publish(&engine->snapshots, engine->index);
    __atomic_add_fetch(&engine->batch_count, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&engine->sync_count, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&engine->unflushed_bytes, commit->batch.bytes.len, __ATOMIC_RELAXED);
    return OK;
}

/* Answers all, and leaves the batch empty. */
static void answer(struct local_engine *engine, enum err batch_result)
{
    struct commit *commit = engine->commit;
    size_t count = commit->answered_count;
    commit->answered_count = 0;
    overlay_clear(commit->overlay);
    log_batch_clear(&commit->batch);
    __atomic_add_fetch(&engine->update_count, count, __ATOMIC_RELAXED);
    for (size_t i = 0; i < count; i++) {
        struct answered *answered = &commit->answered[i];
        enum err result = batch_result == OK ? answered->result : batch_result;
        answered->update->done(answered->update, result);
    }
}

static bool is_keeper_needed(struct local_engine *engine)
{
    return store_log_wants_segment(engine->log) ||
           __atomic_load_n(&engine->unflushed_bytes, __ATOMIC_RELAXED) > REPLAY_BYTES_MAX ||
           __atomic_load_n(&engine->unflushed_changes, __ATOMIC_RELAXED) > REPLAY_CHANGES_MAX;
}

void *local_commit_thread(void *context)
{
    struct local_engine *engine = context;
    (void)prompt_ask(); /* a sync that is done is of use to nobody until this thread has told */
    for (struct update *first; (first = wait_for_updates(engine));) {
        while (first) {
            first = apply_updates(engine, first);
            enum err err = engine->commit->batch.record_count ? commit_batch(engine) : OK;
            answer(engine, err);
            if (is_keeper_needed(engine))
                local_wake_keeper(engine);
        }
    }
    return NULL;
}

struct commit *commit_new(void)
{
    struct commit *commit = mem_new(struct commit);
    log_batch_init(&commit->batch);
    commit->overlay = overlay_new();
    commit->index_batch = index_batch_new();
    return commit;
}

void commit_free(struct commit *commit)
{
    if (!commit)
        return;
    log_batch_release(&commit->batch);
    overlay_free(commit->overlay);
    index_batch_free(commit->index_batch);
    mem_free(commit);
}
