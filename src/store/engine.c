/* The way from the contract to an engine: each function checks what the caller owes, then calls the engine's own. What
 * all engines would do alike is here: updates that are waited for, and blobs of no bytes. */
#include "store/engine.h"

#include <assert.h>
#include <pthread.h>

enum err view_begin(struct engine *engine, enum view_flags flags, struct tx **out_tx)
{
    return engine->ops->view_begin(engine, flags, out_tx);
}

void view_end(struct tx *tx)
{
    if (!tx)
        return;
    assert(!tx->is_update);
    tx->engine->ops->view_end(tx);
}

enum err row_get(struct tx *tx, enum table_id table, void *row, struct arena *arena)
{
    return tx->engine->ops->row_get(tx, table_of(table), row, arena);
}

enum err blob_read(struct tx *tx, const struct blob *blob, void *dst)
{
    if (blob->length == 0)
        return OK;
    assert(!blob->bytes);
    return tx->engine->ops->blob_read(tx, blob, dst);
}

enum err cursor_open(struct tx *tx, enum table_id table, const void *from, size_t prefix_count,
                     struct cursor **out_cursor)
{
    const struct table *description = table_of(table);
    assert(prefix_count <= description->key_count);
    return tx->engine->ops->cursor_open(tx, description, from, prefix_count, out_cursor);
}

enum err cursor_next(struct cursor *cursor, void *out_row)
{
    return cursor->tx->engine->ops->cursor_next(cursor, out_row);
}

enum err cursor_seek(struct cursor *cursor, const void *from)
{
    return cursor->tx->engine->ops->cursor_seek(cursor, from);
}

enum err row_find_before(struct tx *tx, enum table_id table, const void *from, size_t prefix_count,
                         void *out_row, struct arena *arena)
{
    const struct table *description = table_of(table);
    assert(prefix_count <= description->key_count);
    return tx->engine->ops->row_find_before(tx, description, from, prefix_count, out_row, arena);
}

void cursor_close(struct cursor *cursor)
{
    if (cursor)
        cursor->tx->engine->ops->cursor_close(cursor);
}

void catalog_update(struct engine *engine, struct update *update)
{
    assert(update->apply && update->done);
    engine->ops->update(engine, update);
}

/* An update of its own that carries the caller's, so that `done` finds whom to wake. */
struct waited_update {
    struct update update;
    struct update *inner;
    pthread_mutex_t mutex;
    pthread_cond_t is_done;
    bool done;
    enum err result;
};

static enum err apply_inner(struct update *update, struct tx *tx)
{
    struct update *inner = ((struct waited_update *)(void *)update)->inner;
    return inner->apply(inner, tx);
}

static void wake(struct update *update, enum err result)
{
    struct waited_update *waited = (struct waited_update *)(void *)update;
    pthread_mutex_lock(&waited->mutex);
    waited->result = result;
    waited->done = true;
    /* Under the lock: the waiter's stack, this struct with it, goes as soon as it can take the lock. */
    pthread_cond_signal(&waited->is_done);
    pthread_mutex_unlock(&waited->mutex);
}

enum err catalog_update_wait(struct engine *engine, struct update *update)
{
    assert(update->apply);
    struct waited_update waited = {
        .update = {.flags = update->flags, .apply = apply_inner, .done = wake},
        .inner = update,
        .mutex = PTHREAD_MUTEX_INITIALIZER,
        .is_done = PTHREAD_COND_INITIALIZER,
    };
    engine->ops->update(engine, &waited.update);
    pthread_mutex_lock(&waited.mutex);
    while (!waited.done)
        pthread_cond_wait(&waited.is_done, &waited.mutex);
    pthread_mutex_unlock(&waited.mutex);
    pthread_cond_destroy(&waited.is_done);
    pthread_mutex_destroy(&waited.mutex);
    return waited.result;
}

enum err row_put(struct tx *tx, enum table_id table, const void *row)
{
    assert(tx->is_update);
    return tx->engine->ops->row_put(tx, table_of(table), row);
}

enum err row_delete(struct tx *tx, enum table_id table, const void *row)
{
    assert(tx->is_update);
    return tx->engine->ops->row_delete(tx, table_of(table), row);
}

size_t extent_block_size(const struct engine *engine)
{
    return engine->ops->extent_block_size;
}

enum err extent_begin(struct engine *engine, uint64_t size_hint, struct extent_writer **out_writer)
{
    return engine->ops->extent_begin(engine, size_hint, out_writer);
}

enum err extent_write(struct extent_writer *writer, const void *data, size_t len, uint64_t offset)
{
    assert(len > 0 && offset % extent_block_size(writer->engine) == 0);
    return writer->engine->ops->extent_write(writer, data, len, offset);
}

enum err extent_seal(struct extent_writer *writer, uint64_t length, struct arena *arena,
                     struct extent_row *out_row)
{
    return writer->engine->ops->extent_seal(writer, length, arena, out_row);
}

void extent_abort(struct extent_writer *writer)
{
    if (writer)
        writer->engine->ops->extent_abort(writer);
}

enum err extent_open(struct engine *engine, const struct extent_row *row, enum view_flags flags,
                     struct extent_reader **out_reader)
{
    return engine->ops->extent_open(engine, row, flags, out_reader);
}

enum err extent_read(struct extent_reader *reader, uint64_t offset, void *dst, size_t len,
                     enum view_flags flags, str *out_data)
{
    assert(len >= 2 * extent_block_size(reader->engine));
    return reader->engine->ops->extent_read(reader, offset, dst, len, flags, out_data);
}

enum err extent_span(struct extent_reader *reader, uint64_t offset, int *out_fd,
                     uint64_t *out_file_offset)
{
    return reader->engine->ops->extent_span(reader, offset, out_fd, out_file_offset);
}

void extent_close(struct extent_reader *reader)
{
    if (reader)
        reader->engine->ops->extent_close(reader);
}

enum err extent_drop(struct engine *engine, uint64_t id)
{
    return engine->ops->extent_drop(engine, id);
}

enum err extent_each(struct engine *engine, enum err (*seen)(void *context, uint64_t id),
                     void *context)
{
    return engine->ops->extent_each(engine, seen, context);
}

void engine_stats(struct engine *engine, struct engine_stats *out_stats)
{
    engine->ops->stats(engine, out_stats);
}

void engine_close(struct engine *engine)
{
    if (engine)
        engine->ops->close(engine);
}
