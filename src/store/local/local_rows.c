/* Views and single rows. */
#include "store/local/local_int.h"

#include <assert.h>
#include <string.h>

#include "base/crc.h"

enum {
    /* Keys that are looked for may be longer than those that can be stored; they are just not found. */
    KEY_BYTES_MAX = 1 << 20,
    ROW_STRUCT_MAX = 4096,
};

void local_tx_init(struct local_tx *tx, struct local_engine *engine, enum view_flags flags)
{
    *tx = (struct local_tx){.base = {.engine = &engine->base, .flags = flags}};
    buf_init(&tx->key, KEY_BYTES_MAX);
    buf_init(&tx->value, ROW_VALUE_MAX);
}

void local_tx_release(struct local_tx *tx)
{
    buf_release(&tx->key);
    buf_release(&tx->value);
}

enum err local_view_begin(struct engine *base, enum view_flags flags, struct tx **out_tx)
{
    struct local_engine *engine = local_engine_of(base);
    struct local_tx *tx = mem_new(struct local_tx);
    local_tx_init(tx, engine, flags);
    tx->snapshot = snapshot_hold(&engine->snapshots);
    *out_tx = &tx->base;
    return OK;
}

void local_view_end(struct tx *base)
{
    struct local_tx *tx = local_tx_of(base);
    snapshot_let(&local_engine_of(base->engine)->snapshots, tx->snapshot);
    local_tx_release(tx);
    mem_free(tx);
}

enum err local_fill_row(const struct table *table, const struct row_entry *entry, void *row)
{
    TRY(row_value_decode(table, entry->columns, row));
    struct blob *blob = row_blob(table, row);
    if (blob && entry->blob_length)
        *blob = (struct blob){
            .length = entry->blob_length,
            .crc32c = entry->blob_crc32c,
            .location = {entry->segment, row_entry_blob_offset(entry)},
        };
    return OK;
}

static enum err fill_copied(const struct table *table, const struct row_entry *entry, void *row,
                            struct arena *arena)
{
    struct row_entry copy = *entry;
    copy.columns = arena_str(arena, entry->columns);
    return local_fill_row(table, &copy, row);
}

/* What the index has under tx->key. Afterwards the entry's strings lie in the pin or in tx->value. */
static enum err read_entry(struct local_tx *tx, const struct table *table,
                           struct row_entry *out_entry, struct index_pin *out_pin)
{
    struct local_engine *engine = local_engine_of(tx->base.engine);
    bool is_cached = row_cache_has(table->id);
    str key = buf_str(&tx->key);
    uint64_t number = tx->snapshot ? tx->snapshot->number : ROW_CACHE_NEWEST;
    buf_clear(&tx->value);
    if (is_cached && row_cache_get(engine->row_cache, key, number, &tx->value))
        return row_entry_decode(buf_str(&tx->value), out_entry);
    const struct index_view *view = tx->snapshot ? tx->snapshot->view : NULL;
    TRY(index_get(engine->index, view, key, tx->base.flags, out_pin));
    TRY(row_entry_decode(out_pin->value, out_entry));
    if (is_cached)
        row_cache_put(engine->row_cache, key, number, out_pin->value);
    return OK;
}

static enum err get_from_index(struct local_tx *tx, const struct table *table, void *row,
                               struct arena *arena)
{
    struct index_pin pin = {0};
    struct row_entry entry;
    enum err err = read_entry(tx, table, &entry, &pin);
    if (err == OK)
        err = fill_copied(table, &entry, row, arena);
    index_pin_release(&pin);
    return err;
}

/* What the batch has changed counts; else what the index has, of which the node takes note. */
static enum err get_in_update(struct local_tx *tx, const struct table *table, void *row,
                              struct arena *arena)
{
    struct overlay *overlay = tx->commit->overlay;
    struct overlay_node *node = overlay_find(overlay, buf_str(&tx->key));
    if (node && node->change)
        return node->change->kind == CHANGE_DELETE
                   ? ERR_NOT_FOUND
                   : fill_copied(table, &node->change->entry, row, arena);
    if (node && node->is_base_known && !node->has_base)
        return ERR_NOT_FOUND;
    struct index_pin pin = {0};
    struct row_entry entry;
    enum err err = read_entry(tx, table, &entry, &pin);
    if (err == OK || err == ERR_NOT_FOUND) {
        if (!node)
            node = overlay_make(overlay, buf_str(&tx->key));
        local_set_base(node, err == OK ? &entry : NULL);
    }
    if (err == OK)
        err = fill_copied(table, &entry, row, arena);
    index_pin_release(&pin);
    return err;
}

enum err local_row_get(struct tx *base, const struct table *table, void *row, struct arena *arena)
{
    struct local_tx *tx = local_tx_of(base);
    buf_clear(&tx->key);
    row_key_encode(table, row, &tx->key);
    if (buf_err(&tx->key) != OK || tx->key.len > ROW_KEY_MAX)
        return ERR_NOT_FOUND;
    if (base->is_update)
        return get_in_update(tx, table, row, arena);
    return get_from_index(tx, table, row, arena);
}

enum err local_blob_read(struct tx *base, const struct blob *blob, void *dst)
{
    struct local_tx *tx = local_tx_of(base);
    uint64_t segment = blob->location[0], offset = blob->location[1];
    if (segment == 0) {
        /* Of this batch, and not in the log yet. */
        assert(base->is_update && offset + blob->length <= tx->commit->batch.bytes.len);
        memcpy(dst, tx->commit->batch.bytes.ptr + offset, blob->length);
        return OK;
    }
    TRY(store_log_read(local_engine_of(base->engine)->log, segment, offset, dst, blob->length,
                       base->flags));
    return crc32c_update(0, dst, blob->length) == blob->crc32c ? OK : ERR_CORRUPT;
}

/* ---- All rows of a table ---- */

static enum err visit_entry(const struct table *table, const struct index_iter *iter,
                            struct arena *arena, local_row_fn visit, void *context)
{
    _Alignas(max_align_t) char row[ROW_STRUCT_MAX] = {0};
    struct row_entry entry;
    arena_reset(arena);
    TRY(row_key_decode(table, index_iter_key(iter), arena, row));
    TRY(row_entry_decode(index_iter_value(iter), &entry));
    TRY(local_fill_row(table, &entry, row));
    return visit(context, row);
}

enum err local_each_row(struct local_engine *engine, const struct index_view *view,
                        enum table_id id, local_row_fn visit, void *context)
{
    const struct table *table = table_of(id);
    char first = (char)id, end = (char)(id + 1);
    struct arena *arena = arena_new(2 * ROW_KEY_MAX);
    assert(table->row_size <= ROW_STRUCT_MAX);
    struct index_iter *iter =
        index_iter_new(engine->index, view, str_of(&first, 1), str_of(&end, 1), VIEW_WAIT);
    enum err err = index_iter_seek(iter, str_of(&first, 1)), result = OK;
    while (err == OK && result == OK) {
        result = visit_entry(table, iter, arena, visit, context);
        if (result == OK)
            err = index_iter_next(iter);
    }
    index_iter_free(iter);
    arena_free(arena);
    if (result != OK)
        return result;
    return err == ERR_NOT_FOUND ? OK : err;
}
