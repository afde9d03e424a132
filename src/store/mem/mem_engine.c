/* Opening, closing, and the thread that applies updates. */
#include "store/mem/mem_engine.h"

#include <assert.h>
#include <string.h>

#include "store/mem/mem_int.h"

static struct mem_engine *engine_of(struct engine *engine)
{
    return container_of(engine, struct mem_engine, base);
}

static void submit(struct engine *base, struct update *update)
{
    struct mem_engine *engine = engine_of(base);
    update->next = NULL;
    pthread_mutex_lock(&engine->mutex);
    if (engine->last)
        engine->last->next = update;
    else
        engine->first = update;
    engine->last = update;
    pthread_cond_signal(&engine->has_work);
    pthread_mutex_unlock(&engine->mutex);
}

static void release_tx(struct mem_tx *tx)
{
    for (size_t i = 0; i < tx->replaced_count; i++)
        node_drop(tx->replaced[i]);
    mem_free(tx->replaced);
    node_drop(tx->rows);
}

static void run(struct mem_engine *engine, struct update *update)
{
    struct mem_tx tx = {.base = {.engine = &engine->base, .is_update = true}, .rows = engine->rows};
    node_hold(tx.rows);
    enum err result = update->apply(update, &tx.base);
    if (result == OK) {
        pthread_mutex_lock(&engine->mutex);
        struct node *former = engine->rows;
        engine->rows = tx.rows;
        engine->update_count++;
        pthread_mutex_unlock(&engine->mutex);
        tx.rows = former;
    }
    release_tx(&tx);
    update->done(update, result);
}

/* The next update, or null when the engine closes and none is left. */
static struct update *wait_for_update(struct mem_engine *engine)
{
    pthread_mutex_lock(&engine->mutex);
    while (!engine->first && !engine->is_closing)
        pthread_cond_wait(&engine->has_work, &engine->mutex);
    struct update *update = engine->first;
    if (update) {
        engine->first = update->next;
        if (!engine->first)
            engine->last = NULL;
    }
    pthread_mutex_unlock(&engine->mutex);
    return update;
}

static void *run_updates(void *context)
{
    struct mem_engine *engine = context;
    for (struct update *update; (update = wait_for_update(engine));)
        run(engine, update);
    return NULL;
}

static void stats(struct engine *base, struct engine_stats *out_stats)
{
    struct mem_engine *engine = engine_of(base);
    pthread_mutex_lock(&engine->mutex);
    *out_stats = (struct engine_stats){
        .updates = engine->update_count,
        .batches = engine->update_count,
    };
    pthread_mutex_unlock(&engine->mutex);
}

static void close_engine(struct engine *base)
{
    struct mem_engine *engine = engine_of(base);
    pthread_mutex_lock(&engine->mutex);
    engine->is_closing = true;
    pthread_cond_signal(&engine->has_work);
    pthread_mutex_unlock(&engine->mutex);
    pthread_join(engine->thread, NULL);
    mem_extents_release(engine);
    node_drop(engine->rows);
    pthread_cond_destroy(&engine->has_work);
    pthread_mutex_destroy(&engine->mutex);
    mem_free(engine);
}

static const struct engine_ops ops = {
    .name = "mem",
    .extent_block_size = MEM_BLOCK_SIZE,
    .view_begin = mem_view_begin,
    .view_end = mem_view_end,
    .row_get = mem_row_get,
    .blob_read = mem_blob_read,
    .cursor_open = mem_cursor_open,
    .cursor_next = mem_cursor_next,
    .cursor_seek = mem_cursor_seek,
    .row_find_before = mem_row_find_before,
    .cursor_close = mem_cursor_close,
    .update = submit,
    .row_put = mem_row_put,
    .row_delete = mem_row_delete,
    .extent_begin = mem_extent_begin,
    .extent_write = mem_extent_write,
    .extent_seal = mem_extent_seal,
    .extent_abort = mem_extent_abort,
    .extent_open = mem_extent_open,
    .extent_read = mem_extent_read,
    .extent_span = mem_extent_span,
    .extent_close = mem_extent_close,
    .extent_drop = mem_extent_drop,
    .extent_each = mem_extent_each,
    .stats = stats,
    .close = close_engine,
};

enum err mem_engine_open(struct engine **out_engine)
{
    struct mem_engine *engine = mem_new(struct mem_engine);
    engine->base.ops = &ops;
    engine->extents = map_new();
    pthread_mutex_init(&engine->mutex, NULL);
    pthread_cond_init(&engine->has_work, NULL);
    if (pthread_create(&engine->thread, NULL, run_updates, engine) != 0) {
        pthread_cond_destroy(&engine->has_work);
        pthread_mutex_destroy(&engine->mutex);
        map_free(engine->extents);
        mem_free(engine);
        return ERR_NO_MEMORY;
    }
    *out_engine = &engine->base;
    return OK;
}
