/* The keeper: a thread for chores that would hold up the commit thread. It makes the next log segment ready, flushes the index
 * before too much of the log would have to be replayed, and empties sparse segments (compact.c). */
#include "store/local/local_int.h"

#include <time.h>

#include "base/clock.h"
#include "base/log.h"

enum {
    PAUSE_SECONDS = 1,
    QUIET_US = 3 * 1000 * 1000,
    QUIET_CHANGES_MIN = 2000,
};

void local_wake_keeper(struct local_engine *engine)
{
    pthread_mutex_lock(&engine->queue_mutex);
    engine->is_keeper_wanted = true;
    pthread_cond_signal(&engine->has_chores);
    pthread_mutex_unlock(&engine->queue_mutex);
}

bool local_is_keeper_closing(struct local_engine *engine)
{
    pthread_mutex_lock(&engine->queue_mutex);
    bool is_closing = engine->is_keeper_closing;
    pthread_mutex_unlock(&engine->queue_mutex);
    return is_closing;
}

/* Until somebody asks, or a while has passed; false when the engine closes. */
static bool wait_for_chores(struct local_engine *engine)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PAUSE_SECONDS;
    pthread_mutex_lock(&engine->queue_mutex);
    if (!engine->is_keeper_wanted && !engine->is_keeper_closing)
        (void)pthread_cond_timedwait(&engine->has_chores, &engine->queue_mutex, &until);
    engine->is_keeper_wanted = false;
    bool goes_on = !engine->is_keeper_closing;
    pthread_mutex_unlock(&engine->queue_mutex);
    return goes_on;
}

static bool is_flush_due(struct local_engine *engine)
{
    return __atomic_load_n(&engine->unflushed_bytes, __ATOMIC_RELAXED) > REPLAY_BYTES_MAX ||
           __atomic_load_n(&engine->unflushed_changes, __ATOMIC_RELAXED) > REPLAY_CHANGES_MAX;
}

/* When nobody has written for a while, and how many updates there had been by then. */
struct quiet {
    uint64_t update_count;
    int64_t since_us;
};

/* What was changed last is in memory, where every walk passes over all that was deleted; at rest it may as well be on the disk, where a
 * compaction drops it, and the next start has less to replay. */
static bool is_quiet_flush_due(struct local_engine *engine, struct quiet *quiet)
{
    uint64_t count = __atomic_load_n(&engine->update_count, __ATOMIC_RELAXED);
    int64_t now_us = clock_mono_us();
    if (count != quiet->update_count)
        *quiet = (struct quiet){count, now_us};
    return now_us - quiet->since_us >= QUIET_US &&
           __atomic_load_n(&engine->unflushed_changes, __ATOMIC_RELAXED) >= QUIET_CHANGES_MIN;
}

enum err local_flush_index(struct local_engine *engine)
{
    uint64_t bytes = __atomic_load_n(&engine->unflushed_bytes, __ATOMIC_RELAXED);
    uint64_t changes = __atomic_load_n(&engine->unflushed_changes, __ATOMIC_RELAXED);
    io_reached(engine->io, "index.flushing");
    TRY(index_flush(engine->index));
    io_reached(engine->io, "index.flushed");
    __atomic_sub_fetch(&engine->unflushed_bytes, bytes, __ATOMIC_RELAXED);
    __atomic_sub_fetch(&engine->unflushed_changes, changes, __ATOMIC_RELAXED);
    return OK;
}

/* A chore that fails is tried again later: none of them is needed for what was answered. But a disk that has failed under
 * one that writes is not written to any more. */
static void note(struct local_engine *engine, const char *chore, enum err err, bool is_writing)
{
    if (is_writing && local_is_final(err))
        local_set_read_only(engine, chore, err);
    if (err != OK && err != ERR_NOT_FOUND && err != ERR_CANCELLED)
        log_event(LOG_DEBUG, "store", chore, LOG_STR("error", str_from(err_name(err))));
}

void local_urgent_chores(struct local_engine *engine)
{
    note(engine, "preparing a log segment failed", store_log_prepare(engine->log), true);
    if (is_flush_due(engine))
        note(engine, "flushing the index failed", local_flush_index(engine), true);
}

void *local_keeper_thread(void *context)
{
    struct local_engine *engine = context;
    struct quiet quiet = {.since_us = clock_mono_us()};
    while (wait_for_chores(engine)) {
        if (local_is_read_only(engine))
            continue;
        local_urgent_chores(engine);
        if (is_quiet_flush_due(engine, &quiet))
            note(engine, "flushing the index failed", local_flush_index(engine), true);
        note(engine, "giving back log segments failed", local_give_back(engine), true);
        enum err err = local_compact_one(engine);
        note(engine, "emptying a log segment failed", err, false);
        if (err == OK) {
            io_reached(engine->io, "segment.emptied");
            local_wake_keeper(engine); /* there may be more to do */
        }
    }
    return NULL;
}
