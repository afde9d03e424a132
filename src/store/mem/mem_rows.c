/* Views, rows and cursors of the memory engine. */
#include "store/mem/mem_int.h"

#include <assert.h>
#include <string.h>

/* Room for any key that may be stored, and for one that is too long to be found. */
enum { KEY_BUF_MAX = 64 << 20 };

struct mem_cursor {
    struct cursor base;
    /* What cursor_next looks for: the first key not below `next`, if it is below `end`. The map is looked up anew each time,
     * so a cursor of an update sees what the update writes. */
    struct buf next, end;
    struct arena *arena;
};

static struct mem_tx *tx_of(struct tx *tx)
{
    return container_of(tx, struct mem_tx, base);
}

static struct mem_cursor *cursor_of(struct cursor *cursor)
{
    return container_of(cursor, struct mem_cursor, base);
}

enum err mem_view_begin(struct engine *base, enum view_flags flags, struct tx **out_tx)
{
    struct mem_engine *engine = container_of(base, struct mem_engine, base);
    struct mem_tx *tx = mem_new(struct mem_tx);
    tx->base = (struct tx){.engine = base, .flags = flags};
    pthread_mutex_lock(&engine->mutex);
    tx->rows = engine->rows;
    node_hold(tx->rows);
    pthread_mutex_unlock(&engine->mutex);
    *out_tx = &tx->base;
    return OK;
}

void mem_view_end(struct tx *base)
{
    struct mem_tx *tx = tx_of(base);
    node_drop(tx->rows);
    mem_free(tx);
}

/* Sets the columns that are not part of the key. The strings point into `value`. */
static enum err decode_entry(const struct table *table, struct entry *entry, str value, void *row)
{
    TRY(row_value_decode(table, value, row));
    struct blob *blob = row_blob(table, row);
    if (blob)
        *blob = (struct blob){
            .length = entry->blob.len,
            .crc32c = entry->blob_crc32c,
            .location = {(uintptr_t)entry},
        };
    return OK;
}

enum err mem_row_get(struct tx *base, const struct table *table, void *row, struct arena *arena)
{
    BUF_SCOPED struct buf key;
    buf_init(&key, KEY_BUF_MAX);
    row_key_encode(table, row, &key);
    TRY(buf_err(&key));
    struct entry *entry = node_find(tx_of(base)->rows, buf_str(&key));
    if (!entry)
        return ERR_NOT_FOUND;
    return decode_entry(table, entry, arena_str(arena, entry->value), row);
}

enum err mem_blob_read(struct tx *tx, const struct blob *blob, void *dst)
{
    (void)tx;
    const struct entry *entry = (const struct entry *)(uintptr_t)blob->location[0];
    assert(blob->length == entry->blob.len);
    memcpy(dst, entry->blob.ptr, entry->blob.len);
    return OK;
}

/* ---- Cursors ---- */

enum err mem_cursor_open(struct tx *tx, const struct table *table, const void *from,
                         size_t prefix_count, struct cursor **out_cursor)
{
    struct mem_cursor *cursor = mem_new(struct mem_cursor);
    cursor->base = (struct cursor){.tx = tx, .table = table};
    cursor->arena = arena_new(KEY_BUF_MAX);
    buf_init(&cursor->next, KEY_BUF_MAX);
    buf_init(&cursor->end, KEY_BUF_MAX);
    row_key_encode(table, from, &cursor->next);
    row_key_encode_end(table, from, prefix_count, &cursor->end);
    if (buf_err(&cursor->next) != OK || buf_err(&cursor->end) != OK) {
        mem_cursor_close(&cursor->base);
        return ERR_TOO_LARGE;
    }
    *out_cursor = &cursor->base;
    return OK;
}

void mem_cursor_close(struct cursor *base)
{
    struct mem_cursor *cursor = cursor_of(base);
    buf_release(&cursor->next);
    buf_release(&cursor->end);
    arena_free(cursor->arena);
    mem_free(cursor);
}

enum err mem_cursor_next(struct cursor *base, void *out_row)
{
    struct mem_cursor *cursor = cursor_of(base);
    struct entry *entry = node_find_from(tx_of(base->tx)->rows, buf_str(&cursor->next));
    if (!entry || str_cmp(entry->key, buf_str(&cursor->end)) >= 0)
        return ERR_NOT_FOUND;
    /* Copied, because an update may go on to change or delete the row. */
    arena_reset(cursor->arena);
    str key = arena_str(cursor->arena, entry->key);
    TRY(row_key_decode(base->table, key, cursor->arena, out_row));
    TRY(decode_entry(base->table, entry, arena_str(cursor->arena, entry->value), out_row));
    buf_clear(&cursor->next);
    buf_append(&cursor->next, key);
    buf_append_char(&cursor->next, '\0');
    return buf_err(&cursor->next);
}

enum err mem_cursor_seek(struct cursor *base, const void *from)
{
    struct mem_cursor *cursor = cursor_of(base);
    BUF_SCOPED struct buf key;
    buf_init(&key, KEY_BUF_MAX);
    row_key_encode(base->table, from, &key);
    TRY(buf_err(&key));
    if (str_cmp(buf_str(&key), buf_str(&cursor->next)) <= 0)
        return OK;
    buf_clear(&cursor->next);
    buf_append(&cursor->next, buf_str(&key));
    return buf_err(&cursor->next);
}

enum err mem_row_find_before(struct tx *base, const struct table *table, const void *from,
                             size_t prefix_count, void *out_row, struct arena *arena)
{
    BUF_SCOPED struct buf key, first;
    buf_init(&key, KEY_BUF_MAX);
    buf_init(&first, KEY_BUF_MAX);
    row_key_encode(table, from, &key);
    row_key_encode_prefix(table, from, prefix_count, &first);
    TRY(buf_err(&key));
    TRY(buf_err(&first));
    struct entry *entry = node_find_before(tx_of(base)->rows, buf_str(&key));
    if (!entry || str_cmp(entry->key, buf_str(&first)) < 0)
        return ERR_NOT_FOUND;
    TRY(row_key_decode(table, arena_str(arena, entry->key), arena, out_row));
    return decode_entry(table, entry, arena_str(arena, entry->value), out_row);
}

/* ---- Writing ---- */

/* Takes the reference to `rows`. */
static void replace_rows(struct mem_tx *tx, struct node *rows)
{
    tx->replaced =
        mem_room(tx->replaced, tx->replaced_count, &tx->replaced_capacity, sizeof(struct node *));
    tx->replaced[tx->replaced_count++] = tx->rows;
    tx->rows = rows;
}

static str blob_bytes(const struct table *table, const void *row)
{
    const struct blob *blob = row_blob_const(table, row);
    if (!blob || blob->length == 0)
        return (str){0};
    if (blob->bytes)
        return str_of(blob->bytes, blob->length);
    return ((const struct entry *)(uintptr_t)blob->location[0])->blob;
}

enum err mem_row_put(struct tx *base, const struct table *table, const void *row)
{
    struct mem_tx *tx = tx_of(base);
    BUF_SCOPED struct buf key, value;
    buf_init(&key, ROW_KEY_MAX);
    buf_init(&value, ROW_VALUE_MAX);
    row_key_encode(table, row, &key);
    row_value_encode(table, row, &value);
    TRY(buf_err(&key));
    TRY(buf_err(&value));
    str blob = blob_bytes(table, row);
    size_t size = key.len + value.len;
    if (blob.len > ROW_BLOB_MAX || size + blob.len > UPDATE_BYTES_MAX - tx->written_bytes)
        return ERR_TOO_LARGE;
    tx->written_bytes += size + blob.len;
    struct entry *entry = entry_new(buf_str(&key), buf_str(&value), blob);
    replace_rows(tx, node_put(tx->rows, entry));
    entry_drop(entry);
    return OK;
}

enum err mem_row_delete(struct tx *base, const struct table *table, const void *row)
{
    struct mem_tx *tx = tx_of(base);
    BUF_SCOPED struct buf key;
    buf_init(&key, ROW_KEY_MAX);
    row_key_encode(table, row, &key);
    if (buf_err(&key) == ERR_TOO_LARGE)
        return OK;
    TRY(buf_err(&key));
    replace_rows(tx, node_remove(tx->rows, buf_str(&key)));
    return OK;
}
