#include "object/store.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "object/store_int.h"

enum {
    GARBAGE_GRACE_DEFAULT_MS = 2000,
    ID_RANDOM_BITS = 22,
    SMALL_SHARE = 4, /* of the memory for uploads: one part in so many is for small ones alone */
    PATIENCE_US = 1000 * 1000,
    HASH_THREADS_DEFAULT = 2,
};

/* Random bits alone would give two of one millisecond the same id about once in four million
 * pairs: too often for what decides whose bytes are whose. */
uint64_t store_id_new(struct store *store)
{
    uint64_t random = rand_u64() & ((UINT64_C(1) << ID_RANDOM_BITS) - 1);
    uint64_t fresh = (uint64_t)clock_real_ms() << ID_RANDOM_BITS | random, id;
    uint64_t last = atomic_load(&store->last_id);
    do {
        id = fresh > last ? fresh : last + 1;
    } while (!atomic_compare_exchange_weak(&store->last_id, &last, id));
    return id;
}

struct store *store_new(const struct store_options *options)
{
    unsigned hash_threads =
        options->hash_threads > 0 ? options->hash_threads : HASH_THREADS_DEFAULT;
    struct hasher *hasher = hasher_new(hash_threads);
    if (hasher == NULL)
        return NULL;
    struct store *store = mem_new(struct store);
    store->hasher = hasher;
    store->engine = options->engine;
    store->workers = options->workers;
    store->inline_max_bytes = options->inline_max_bytes;
    store->verify_reads = options->verify_reads;
    store->garbage_grace_ms =
        options->garbage_grace_ms > 0 ? options->garbage_grace_ms : GARBAGE_GRACE_DEFAULT_MS;
    size_t half = options->io_buffer_bytes / 2;
    budget_init(&store->small_budget, half / SMALL_SHARE);
    budget_init(&store->upload_budget, half - half / SMALL_SHARE);
    budget_init(&store->download_budget, half);
    store->patience_us = PATIENCE_US;
    buffers_init(&store->upload_buffers, UPLOAD_BUFFER_BYTES);
    buffers_init(&store->download_buffers, DOWNLOAD_BUFFER_BYTES);
    pins_init(&store->pins);
    return store;
}

void store_free(struct store *store)
{
    if (store == NULL)
        return;
    hasher_free(store->hasher);
    pins_release(&store->pins);
    buffers_release(&store->download_buffers);
    buffers_release(&store->upload_buffers);
    budget_release(&store->download_budget);
    budget_release(&store->upload_budget);
    budget_release(&store->small_budget);
    mem_free(store);
}

struct engine *store_engine(struct store *store)
{
    return store->engine;
}

struct workers *store_workers(struct store *store)
{
    return store->workers;
}

static void op_done(struct update *update, enum err result)
{
    struct obj_op *op = container_of(update, struct obj_op, update);
    op->done(op, result);
}

void obj_op_start(struct obj_op *op, enum update_flags flags,
                  enum err (*apply)(struct update *update, struct tx *tx))
{
    op->update = (struct update){.flags = flags, .apply = apply, .done = op_done};
    catalog_update(op->store->engine, &op->update);
}

enum err bucket_get(struct tx *tx, str name, struct arena *arena, struct bucket_row *out_row)
{
    struct bucket_row row = {.name = name};
    enum err err = row_get(tx, TABLE_bucket, &row, arena);
    if (err != OK)
        return err == ERR_NOT_FOUND ? ERR_NO_SUCH_BUCKET : err;
    *out_row = row;
    return OK;
}

enum err bucket_get_same(struct tx *tx, str name, uint64_t id, struct arena *arena,
                         struct bucket_row *out_row)
{
    struct bucket_row row;
    TRY(bucket_get(tx, name, arena, &row));
    if (id != 0 && row.id != id)
        return ERR_NO_SUCH_BUCKET;
    *out_row = row;
    return OK;
}

enum err op_bucket_get(struct obj_op *op, struct tx *tx, str name, struct bucket_row *out_row)
{
    TRY(bucket_get_same(tx, name, op->bucket_id, op->arena, out_row));
    op->versioning = (enum versioning)out_row->versioning;
    return OK;
}

enum err usage_add(struct tx *tx, uint64_t bucket_id, const struct usage_change *change,
                   struct arena *arena)
{
    struct usage_row row = {.bucket_id = bucket_id};
    enum err err = row_get(tx, TABLE_usage, &row, arena);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    row.object_count += (uint64_t)change->object_count;
    row.object_bytes += (uint64_t)change->object_bytes;
    row.version_count += (uint64_t)change->version_count;
    row.version_bytes += (uint64_t)change->version_bytes;
    row.upload_count += (uint64_t)change->upload_count;
    return row_put(tx, TABLE_usage, &row);
}
