/* Cursors. In a view they walk an iterator of the snapshot. In an update they walk the index and the overlay side by side, and look
 * for the next key anew each time, because the update may have written in between. */
#include "store/local/local_int.h"

#include <assert.h>
#include <string.h>

enum { KEY_BYTES_MAX = 1 << 20, ARENA_CAP = 1 << 20 };

struct local_cursor {
    struct cursor base;
    struct index_iter *iter;
    struct arena *arena; /* of strings that are escaped in a key; made when the first one comes */
    struct buf end;      /* behind the last key of the range */

    /* The next row is the first whose key is not below `next`. In a view that is so when has_next; else the iterator stands
     * on the row that was given last. */
    struct buf next;
    bool has_next;
    enum err ended; /* in a view: why there are no more rows */

    /* In an update: whether the iterator was placed, and stands on an entry. */
    bool is_iter_started, is_iter_valid;
};

static struct local_cursor *cursor_of(struct cursor *cursor)
{
    return container_of(cursor, struct local_cursor, base);
}

static const struct index_view *view_of(const struct local_tx *tx)
{
    return tx->base.is_update ? NULL : tx->snapshot->view;
}

static void copy_into(struct buf *dst, str bytes)
{
    buf_clear(dst);
    buf_append(dst, bytes);
}

enum err local_cursor_open(struct tx *base, const struct table *table, const void *from,
                           size_t prefix_count, struct cursor **out_cursor)
{
    struct local_tx *tx = local_tx_of(base);
    struct local_engine *engine = local_engine_of(base->engine);
    struct local_cursor *cursor = mem_new(struct local_cursor);
    cursor->base = (struct cursor){.tx = base, .table = table};
    cursor->has_next = true;
    buf_init(&cursor->next, KEY_BYTES_MAX);
    buf_init(&cursor->end, KEY_BYTES_MAX);
    row_key_encode(table, from, &cursor->next);
    row_key_encode_end(table, from, prefix_count, &cursor->end);
    if (buf_err(&cursor->next) != OK || buf_err(&cursor->end) != OK) {
        local_cursor_close(&cursor->base);
        return ERR_TOO_LARGE;
    }
    cursor->iter = index_iter_new(engine->index, view_of(tx), buf_str(&cursor->next),
                                  buf_str(&cursor->end), base->flags);
    *out_cursor = &cursor->base;
    return OK;
}

void local_cursor_close(struct cursor *base)
{
    struct local_cursor *cursor = cursor_of(base);
    index_iter_free(cursor->iter);
    arena_free(cursor->arena);
    buf_release(&cursor->next);
    buf_release(&cursor->end);
    mem_free(cursor);
}

/* Strings of a key that are escaped are the only ones that need memory. */
static enum err decode_row(struct local_cursor *cursor, str key, const struct row_entry *entry,
                           void *out_row)
{
    const struct table *table = cursor->base.table;
    if (!cursor->arena)
        cursor->arena = arena_new(ARENA_CAP);
    else
        arena_reset(cursor->arena);
    TRY(row_key_decode(table, key, cursor->arena, out_row));
    return local_fill_row(table, entry, out_row);
}

/* ---- In a view ---- */

static enum err next_in_view(struct local_cursor *cursor, void *out_row)
{
    if (cursor->ended == OK)
        cursor->ended = cursor->has_next ? index_iter_seek(cursor->iter, buf_str(&cursor->next))
                                         : index_iter_next(cursor->iter);
    if (cursor->ended != OK)
        return cursor->ended;
    cursor->has_next = false;
    struct row_entry entry;
    TRY(row_entry_decode(index_iter_value(cursor->iter), &entry));
    return decode_row(cursor, index_iter_key(cursor->iter), &entry, out_row);
}

/* ---- In an update ---- */

/* Moves the iterator to the first key of the index not below `key`, which never goes back. Behind its end it stays there. */
static enum err catch_up(struct local_cursor *cursor, str key)
{
    enum err err;
    if (!cursor->is_iter_started) {
        err = index_iter_seek(cursor->iter, key);
    } else {
        if (!cursor->is_iter_valid || str_cmp(index_iter_key(cursor->iter), key) >= 0)
            return OK;
        err = index_iter_next(cursor->iter);
        if (err == OK && str_cmp(index_iter_key(cursor->iter), key) < 0)
            err = index_iter_seek(cursor->iter, key);
    }
    cursor->is_iter_started = true;
    cursor->is_iter_valid = err == OK;
    return err == ERR_NOT_FOUND ? OK : err;
}

/* The entry of the smallest key not below `next`, from the overlay or the index, whichever has the smaller one; the overlay's
 * counts where both have it. A null change in *out_change: the iterator's. */
static enum err smallest(struct local_cursor *cursor, str *out_key,
                         const struct overlay_change **out_change)
{
    const struct overlay *overlay = local_tx_of(cursor->base.tx)->commit->overlay;
    const struct overlay_node *node = overlay_find_from(overlay, buf_str(&cursor->next));
    while (node && !node->change)
        node = overlay_next(node);
    if (node && str_cmp(node->key, buf_str(&cursor->end)) >= 0)
        node = NULL;
    TRY(catch_up(cursor, buf_str(&cursor->next)));
    if (!node && !cursor->is_iter_valid)
        return ERR_NOT_FOUND;
    str base_key = cursor->is_iter_valid ? index_iter_key(cursor->iter) : (str){0};
    bool is_overlaid = node && (!cursor->is_iter_valid || str_cmp(node->key, base_key) <= 0);
    *out_key = is_overlaid ? node->key : base_key;
    *out_change = is_overlaid ? node->change : NULL;
    return OK;
}

static void go_behind(struct local_cursor *cursor, str key)
{
    copy_into(&cursor->next, key);
    buf_append_char(&cursor->next, '\0');
}

static enum err next_in_update(struct local_cursor *cursor, void *out_row)
{
    str key;
    const struct overlay_change *change;
    do {
        TRY(smallest(cursor, &key, &change));
        go_behind(cursor, key);
    } while (change && change->kind == CHANGE_DELETE);
    TRY(buf_err(&cursor->next));
    /* The key and the columns stay where they are until the cursor moves: in the iterator, or in the overlay. */
    struct row_entry entry;
    if (change)
        entry = change->entry;
    else
        TRY(row_entry_decode(index_iter_value(cursor->iter), &entry));
    return decode_row(cursor, key, &entry, out_row);
}

/* ---- Both ---- */

enum err local_cursor_next(struct cursor *base, void *out_row)
{
    struct local_cursor *cursor = cursor_of(base);
    return base->tx->is_update ? next_in_update(cursor, out_row) : next_in_view(cursor, out_row);
}

/* The first key that the cursor could still give. */
static bool is_ahead(const struct local_cursor *cursor, str key)
{
    if (cursor->has_next || cursor->base.tx->is_update)
        return str_cmp(key, buf_str(&cursor->next)) > 0;
    return str_cmp(key, index_iter_key(cursor->iter)) > 0;
}

enum err local_cursor_seek(struct cursor *base, const void *from)
{
    struct local_cursor *cursor = cursor_of(base);
    BUF_SCOPED struct buf key;
    buf_init(&key, KEY_BYTES_MAX);
    row_key_encode(base->table, from, &key);
    TRY(buf_err(&key));
    if (cursor->ended != OK || !is_ahead(cursor, buf_str(&key)))
        return OK;
    copy_into(&cursor->next, buf_str(&key));
    cursor->has_next = true;
    return buf_err(&cursor->next);
}

/* ---- The last row at or before a key ---- */

/* The last of the overlay's changes below `key`, and not below `first`. */
static const struct overlay_node *overlaid_below(const struct overlay *overlay, str key, str first)
{
    const struct overlay_node *node = overlay_find_below(overlay, key);
    while (node && !node->change)
        node = overlay_find_below(overlay, node->key);
    return node && str_cmp(node->key, first) >= 0 ? node : NULL;
}

/* A row's key and entry on the way to the caller's arena. */
struct found_row {
    str key;
    struct row_entry entry;
};

static enum err iterator_row(const struct index_iter *iter, struct arena *arena,
                             struct found_row *out_found)
{
    out_found->key = arena_str(arena, index_iter_key(iter));
    TRY(row_entry_decode(index_iter_value(iter), &out_found->entry));
    out_found->entry.columns = arena_str(arena, out_found->entry.columns);
    return OK;
}

/* Walks back on both sides, past what the update has deleted. */
static enum err find_before_in_update(const struct overlay *overlay, struct index_iter *iter,
                                      str key, str first, struct arena *arena,
                                      struct found_row *out_found)
{
    const struct overlay_node *node = overlay_find(overlay, key);
    if (!node || !node->change)
        node = overlaid_below(overlay, key, first);
    enum err err = index_iter_seek_before(iter, key);
    for (;;) {
        if (err != OK && err != ERR_NOT_FOUND)
            return err;
        int order = err == OK && node ? str_cmp(index_iter_key(iter), node->key) : 0;
        if (err == OK && (!node || order > 0))
            return iterator_row(iter, arena, out_found);
        if (!node)
            return ERR_NOT_FOUND;
        if (node->change->kind == CHANGE_PUT) {
            *out_found = (struct found_row){arena_str(arena, node->key), node->change->entry};
            out_found->entry.columns = arena_str(arena, out_found->entry.columns);
            return OK;
        }
        if (err == OK && order == 0)
            err = index_iter_prev(iter);
        node = overlaid_below(overlay, node->key, first);
    }
}

enum err local_row_find_before(struct tx *base, const struct table *table, const void *from,
                               size_t prefix_count, void *out_row, struct arena *arena)
{
    struct local_tx *tx = local_tx_of(base);
    struct local_engine *engine = local_engine_of(base->engine);
    BUF_SCOPED struct buf key, first, end;
    buf_init(&key, KEY_BYTES_MAX);
    buf_init(&first, KEY_BYTES_MAX);
    buf_init(&end, KEY_BYTES_MAX);
    row_key_encode(table, from, &key);
    row_key_encode_prefix(table, from, prefix_count, &first);
    row_key_encode_end(table, from, prefix_count, &end);
    if (buf_err(&key) != OK || buf_err(&first) != OK || buf_err(&end) != OK)
        return ERR_TOO_LARGE;
    struct index_iter *iter =
        index_iter_new(engine->index, view_of(tx), buf_str(&first), buf_str(&end), base->flags);
    struct found_row found;
    enum err err;
    if (base->is_update) {
        err = find_before_in_update(tx->commit->overlay, iter, buf_str(&key), buf_str(&first),
                                    arena, &found);
    } else {
        err = index_iter_seek_before(iter, buf_str(&key));
        if (err == OK)
            err = iterator_row(iter, arena, &found);
    }
    index_iter_free(iter);
    if (err == OK)
        err = row_key_decode(table, found.key, arena, out_row);
    return err == OK ? local_fill_row(table, &found.entry, out_row) : err;
}
