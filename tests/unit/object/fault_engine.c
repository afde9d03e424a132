#include "fault_engine.h"

#include <assert.h>
#include <pthread.h>

#include "base/list.h"
#include "base/mem.h"

struct place {
    unsigned calls;
    unsigned skip;
    enum err err; /* OK: not armed */
    bool is_closed;
};

struct fault_engine {
    struct engine base;
    struct engine_ops ops; /* the inner block size is known only then */
    struct engine *inner;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct place place[FAULT_PLACE_END];
    bool does_repeat, does_block;
};

struct fault_writer {
    struct extent_writer base;
    struct extent_writer *inner;
};

struct fault_reader {
    struct extent_reader base;
    struct extent_reader *inner;
};

static struct fault_engine *faults_of(struct engine *engine)
{
    return container_of(engine, struct fault_engine, base);
}

/* Counts the call, waits at the gate, and tells whether it is to fail. */
static enum err pass(struct fault_engine *faults, enum fault_place id)
{
    struct place *place = &faults->place[id];
    enum err err = OK;
    pthread_mutex_lock(&faults->mutex);
    place->calls++;
    pthread_cond_broadcast(&faults->changed);
    while (place->is_closed)
        pthread_cond_wait(&faults->changed, &faults->mutex);
    if (place->err != OK && place->skip-- == 0) {
        err = place->err;
        place->err = OK;
    }
    pthread_mutex_unlock(&faults->mutex);
    return err;
}

/* ---- Updates ---- */

struct fault_update {
    struct update update;
    struct update *inner;
    struct fault_engine *faults;
    bool was_undone;
    enum err told; /* instead of success */
};

static enum err fault_apply(struct update *update, struct tx *tx)
{
    struct fault_update *own = container_of(update, struct fault_update, update);
    enum err err = own->inner->apply(own->inner, tx);
    if (err == OK && own->faults->does_repeat && !own->was_undone) {
        own->was_undone = true;
        return ERR_RETRY;
    }
    if (own->was_undone && err == ERR_RETRY)
        own->was_undone = false; /* the caller's own: not to be taken for ours */
    return err;
}

static void fault_done(struct update *update, enum err result)
{
    struct fault_update *own = container_of(update, struct fault_update, update);
    if (result == ERR_RETRY && own->was_undone) {
        catalog_update(own->faults->inner, update);
        return;
    }
    struct update *inner = own->inner;
    if (result == OK && own->told != OK)
        result = own->told;
    mem_free(own);
    inner->done(inner, result);
}

static void fault_update(struct engine *engine, struct update *update)
{
    struct fault_engine *faults = faults_of(engine);
    enum err err = pass(faults, FAULT_UPDATE);
    if (err != OK) {
        update->done(update, err);
        return;
    }
    struct fault_update *own = mem_new(struct fault_update);
    own->update = (struct update){.flags = update->flags, .apply = fault_apply, .done = fault_done};
    own->inner = update;
    own->faults = faults;
    own->told = pass(faults, FAULT_UPDATE_UNKNOWN);
    catalog_update(faults->inner, &own->update);
}

static enum err fault_view_begin(struct engine *engine, enum view_flags flags, struct tx **out_tx)
{
    struct fault_engine *faults = faults_of(engine);
    if (faults->does_block && (flags & VIEW_NOWAIT) != 0)
        return ERR_WOULD_BLOCK;
    return view_begin(faults->inner, flags, out_tx);
}

/* ---- Extents ---- */

static enum err fault_extent_begin(struct engine *engine, uint64_t size_hint,
                                   struct extent_writer **out_writer)
{
    struct fault_engine *faults = faults_of(engine);
    struct extent_writer *inner;
    TRY(pass(faults, FAULT_EXTENT_BEGIN));
    TRY(extent_begin(faults->inner, size_hint, &inner));
    struct fault_writer *writer = mem_new(struct fault_writer);
    writer->base.engine = engine;
    writer->inner = inner;
    *out_writer = &writer->base;
    return OK;
}

static enum err fault_extent_write(struct extent_writer *base, const void *data, size_t len,
                                   uint64_t offset)
{
    struct fault_writer *writer = container_of(base, struct fault_writer, base);
    TRY(pass(faults_of(base->engine), FAULT_EXTENT_WRITE));
    return extent_write(writer->inner, data, len, offset);
}

static enum err fault_extent_seal(struct extent_writer *base, uint64_t length, struct arena *arena,
                                  struct extent_row *out_row)
{
    struct fault_writer *writer = container_of(base, struct fault_writer, base);
    enum err err = pass(faults_of(base->engine), FAULT_EXTENT_SEAL);
    if (err != OK)
        extent_abort(writer->inner);
    else
        err = extent_seal(writer->inner, length, arena, out_row);
    mem_free(writer);
    return err;
}

static void fault_extent_abort(struct extent_writer *base)
{
    struct fault_writer *writer = container_of(base, struct fault_writer, base);
    extent_abort(writer->inner);
    mem_free(writer);
}

static enum err fault_extent_open(struct engine *engine, const struct extent_row *row,
                                  enum view_flags flags, struct extent_reader **out_reader)
{
    struct fault_engine *faults = faults_of(engine);
    struct extent_reader *inner;
    if (faults->does_block && (flags & VIEW_NOWAIT) != 0)
        return ERR_WOULD_BLOCK;
    TRY(extent_open(faults->inner, row, flags, &inner));
    struct fault_reader *reader = mem_new(struct fault_reader);
    reader->base.engine = engine;
    reader->inner = inner;
    *out_reader = &reader->base;
    return OK;
}

static enum err fault_extent_read(struct extent_reader *base, uint64_t offset, void *dst,
                                  size_t len, enum view_flags flags, str *out_data)
{
    struct fault_reader *reader = container_of(base, struct fault_reader, base);
    if (faults_of(base->engine)->does_block && (flags & VIEW_NOWAIT) != 0)
        return ERR_WOULD_BLOCK;
    return extent_read(reader->inner, offset, dst, len, flags, out_data);
}

static enum err fault_extent_span(struct extent_reader *base, uint64_t offset, int *out_fd,
                                  uint64_t *out_file_offset)
{
    struct fault_reader *reader = container_of(base, struct fault_reader, base);
    return extent_span(reader->inner, offset, out_fd, out_file_offset);
}

static void fault_extent_close(struct extent_reader *base)
{
    struct fault_reader *reader = container_of(base, struct fault_reader, base);
    extent_close(reader->inner);
    mem_free(reader);
}

static bool has_row(struct engine *engine, uint64_t id)
{
    struct extent_row row = {.id = id};
    struct arena *arena = arena_new(8 << 20);
    struct tx *tx;
    enum err err = view_begin(engine, VIEW_WAIT, &tx);
    if (err == OK) {
        err = row_get(tx, TABLE_extent, &row, arena);
        view_end(tx);
    }
    arena_free(arena);
    return err == OK;
}

/* The contract: only after the commit that removed its row. A backup of an older state rests on it. */
static enum err fault_extent_drop(struct engine *engine, uint64_t id)
{
    struct fault_engine *faults = faults_of(engine);
    assert(!has_row(faults->inner, id));
    TRY(pass(faults, FAULT_EXTENT_DROP));
    return extent_drop(faults->inner, id);
}

static enum err fault_extent_each(struct engine *engine,
                                  enum err (*seen)(void *context, uint64_t id), void *context)
{
    return extent_each(faults_of(engine)->inner, seen, context);
}

static void fault_stats(struct engine *engine, struct engine_stats *out_stats)
{
    engine_stats(faults_of(engine)->inner, out_stats);
}

/* ---- Life ---- */

struct fault_engine *fault_engine_new(struct engine *inner)
{
    struct fault_engine *faults = mem_new(struct fault_engine);
    faults->inner = inner;
    faults->ops = (struct engine_ops){
        .name = "faults",
        .extent_block_size = extent_block_size(inner),
        .view_begin = fault_view_begin,
        .update = fault_update,
        .extent_begin = fault_extent_begin,
        .extent_write = fault_extent_write,
        .extent_seal = fault_extent_seal,
        .extent_abort = fault_extent_abort,
        .extent_open = fault_extent_open,
        .extent_read = fault_extent_read,
        .extent_span = fault_extent_span,
        .extent_close = fault_extent_close,
        .extent_drop = fault_extent_drop,
        .extent_each = fault_extent_each,
        .stats = fault_stats,
    };
    faults->base.ops = &faults->ops;
    pthread_mutex_init(&faults->mutex, NULL);
    pthread_cond_init(&faults->changed, NULL);
    return faults;
}

void fault_engine_free(struct fault_engine *faults)
{
    if (faults == NULL)
        return;
    pthread_cond_destroy(&faults->changed);
    pthread_mutex_destroy(&faults->mutex);
    mem_free(faults);
}

struct engine *fault_engine_base(struct fault_engine *faults)
{
    return &faults->base;
}

/* ---- What a test asks for ---- */

void fault_arm(struct fault_engine *faults, enum fault_place place, unsigned skip, enum err err)
{
    pthread_mutex_lock(&faults->mutex);
    faults->place[place].skip = skip;
    faults->place[place].err = err;
    pthread_mutex_unlock(&faults->mutex);
}

static void set_gate(struct fault_engine *faults, enum fault_place place, bool is_closed)
{
    pthread_mutex_lock(&faults->mutex);
    faults->place[place].is_closed = is_closed;
    pthread_cond_broadcast(&faults->changed);
    pthread_mutex_unlock(&faults->mutex);
}

void fault_close_gate(struct fault_engine *faults, enum fault_place place)
{
    set_gate(faults, place, true);
}

void fault_open_gate(struct fault_engine *faults, enum fault_place place)
{
    set_gate(faults, place, false);
}

void fault_await_calls(struct fault_engine *faults, enum fault_place place, unsigned count)
{
    pthread_mutex_lock(&faults->mutex);
    while (faults->place[place].calls < count)
        pthread_cond_wait(&faults->changed, &faults->mutex);
    pthread_mutex_unlock(&faults->mutex);
}

unsigned fault_calls(struct fault_engine *faults, enum fault_place place)
{
    pthread_mutex_lock(&faults->mutex);
    unsigned calls = faults->place[place].calls;
    pthread_mutex_unlock(&faults->mutex);
    return calls;
}

void fault_repeat_updates(struct fault_engine *faults, bool does_repeat)
{
    faults->does_repeat = does_repeat;
}

void fault_block_nowait(struct fault_engine *faults, bool does_block)
{
    faults->does_block = does_block;
}
