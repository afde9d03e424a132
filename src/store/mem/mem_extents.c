/* Extents in memory. A sealed extent is a counted reference, so a reader keeps what is dropped meanwhile. */
#include "store/mem/mem_int.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "store/blocks.h"

struct mem_extent {
    size_t references;
    uint64_t length;
    char *bytes;
};

struct mem_writer {
    struct extent_writer base;
    struct block_crcs crcs;
    pthread_mutex_t mutex; /* guards the bytes, which move as they grow */
    char *bytes;
    uint64_t capacity;
};

struct mem_reader {
    struct extent_reader base;
    struct mem_extent *extent;
    struct extent_row row; /* its strings are the caller's */
};

static struct mem_engine *engine_of(struct engine *engine)
{
    return container_of(engine, struct mem_engine, base);
}

static struct mem_writer *writer_of(struct extent_writer *writer)
{
    return container_of(writer, struct mem_writer, base);
}

static struct mem_reader *reader_of_extent(struct extent_reader *reader)
{
    return container_of(reader, struct mem_reader, base);
}

static void extent_release(struct mem_extent *extent)
{
    if (__atomic_sub_fetch(&extent->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    mem_free(extent->bytes);
    mem_free(extent);
}

static str key_of(const uint64_t *id)
{
    return str_of(id, sizeof(*id));
}

enum err mem_extent_begin(struct engine *engine, uint64_t size_hint,
                          struct extent_writer **out_writer)
{
    (void)size_hint;
    struct mem_writer *writer = mem_new(struct mem_writer);
    writer->base.engine = engine;
    block_crcs_init(&writer->crcs, MEM_BLOCK_SIZE);
    pthread_mutex_init(&writer->mutex, NULL);
    *out_writer = &writer->base;
    return OK;
}

void mem_extent_abort(struct extent_writer *base)
{
    struct mem_writer *writer = writer_of(base);
    block_crcs_release(&writer->crcs);
    pthread_mutex_destroy(&writer->mutex);
    mem_free(writer->bytes);
    mem_free(writer);
}

static enum err copy_in(struct mem_writer *writer, const void *data, size_t len, uint64_t offset)
{
    uint64_t end = offset + len;
    if (end > writer->capacity) {
        uint64_t capacity = end < 2 * writer->capacity ? 2 * writer->capacity : end;
        char *bytes = mem_try_resize(writer->bytes, capacity);
        if (!bytes)
            return ERR_NO_SPACE;
        writer->bytes = bytes;
        writer->capacity = capacity;
    }
    memcpy(writer->bytes + offset, data, len);
    return OK;
}

enum err mem_extent_write(struct extent_writer *base, const void *data, size_t len, uint64_t offset)
{
    struct mem_writer *writer = writer_of(base);
    TRY(block_crcs_add(&writer->crcs, data, len, offset));
    pthread_mutex_lock(&writer->mutex);
    enum err err = copy_in(writer, data, len, offset);
    pthread_mutex_unlock(&writer->mutex);
    return err;
}

enum err mem_extent_seal(struct extent_writer *base, uint64_t length, struct arena *arena,
                         struct extent_row *out_row)
{
    struct mem_writer *writer = writer_of(base);
    struct mem_engine *engine = engine_of(base->engine);
    struct extent_row row = {.created_ms = (uint64_t)clock_real_ms()};
    enum err err = block_crcs_finish(&writer->crcs, length, arena, &row);
    if (err == OK) {
        struct mem_extent *extent = mem_new(struct mem_extent);
        *extent = (struct mem_extent){
            .references = 1, .length = length, .bytes = mem_take(&writer->bytes)};
        pthread_mutex_lock(&engine->mutex);
        row.id = ++engine->last_extent_id;
        map_set(engine->extents, key_of(&row.id), extent);
        pthread_mutex_unlock(&engine->mutex);
        *out_row = row;
    }
    mem_extent_abort(base);
    return err;
}

enum err mem_extent_open(struct engine *base, const struct extent_row *row, enum view_flags flags,
                         struct extent_reader **out_reader)
{
    (void)flags;
    struct mem_engine *engine = engine_of(base);
    TRY(extent_row_check(row));
    pthread_mutex_lock(&engine->mutex);
    struct mem_extent *extent = map_find(engine->extents, key_of(&row->id));
    if (extent)
        __atomic_add_fetch(&extent->references, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&engine->mutex);
    if (!extent)
        return ERR_NOT_FOUND;
    struct mem_reader *reader = mem_new(struct mem_reader);
    *reader = (struct mem_reader){.base = {.engine = base}, .extent = extent, .row = *row};
    *out_reader = &reader->base;
    return OK;
}

enum err mem_extent_read(struct extent_reader *base, uint64_t offset, void *dst, size_t len,
                         enum view_flags flags, str *out_data)
{
    (void)flags;
    struct mem_reader *reader = reader_of_extent(base);
    struct block_span span;
    TRY(block_span_of(&reader->row, offset, len, &span));
    if (reader->extent->length != reader->row.length)
        return ERR_CORRUPT;
    memcpy(dst, reader->extent->bytes + span.start, span.len);
    TRY(block_span_verify(&reader->row, &span, dst));
    *out_data = str_skip(str_of(dst, span.len), span.skip);
    return OK;
}

enum err mem_extent_span(struct extent_reader *reader, uint64_t offset, int *out_fd,
                         uint64_t *out_file_offset)
{
    (void)reader, (void)offset, (void)out_fd, (void)out_file_offset;
    return ERR_NOT_IMPLEMENTED;
}

void mem_extent_close(struct extent_reader *base)
{
    struct mem_reader *reader = reader_of_extent(base);
    extent_release(reader->extent);
    mem_free(reader);
}

enum err mem_extent_drop(struct engine *base, uint64_t id)
{
    struct mem_engine *engine = engine_of(base);
    pthread_mutex_lock(&engine->mutex);
    struct mem_extent *extent = map_remove(engine->extents, key_of(&id));
    pthread_mutex_unlock(&engine->mutex);
    if (extent)
        extent_release(extent);
    return OK;
}

enum err mem_extent_each(struct engine *engine, enum err (*seen)(void *context, uint64_t id),
                         void *context)
{
    /* A memory engine begins empty. */
    (void)engine, (void)seen, (void)context;
    return OK;
}

void mem_extents_release(struct mem_engine *engine)
{
    str key;
    void *extent;
    for (size_t at = 0; map_next(engine->extents, &at, &key, &extent);)
        extent_release(extent);
    map_free(engine->extents);
}

void mem_engine_damage_extent(struct engine *base, uint64_t id, uint64_t offset)
{
    struct mem_engine *engine = engine_of(base);
    pthread_mutex_lock(&engine->mutex);
    struct mem_extent *extent = map_find(engine->extents, key_of(&id));
    assert(extent && offset < extent->length);
    extent->bytes[offset] ^= 1;
    pthread_mutex_unlock(&engine->mutex);
}
