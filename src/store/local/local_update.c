/* Writing rows in an update: each becomes a change in the batch's bytes, and a node of the overlay. */
#include "store/local/local_int.h"

#include <assert.h>
#include <string.h>

#include "base/crc.h"

void local_set_base(struct overlay_node *node, const struct row_entry *entry)
{
    node->is_base_known = true;
    node->has_base = entry != NULL;
    node->base_segment = entry ? entry->segment : 0;
    node->base_offset = entry ? entry->offset : 0;
    node->base_length = entry ? entry->length : 0;
}

/* Asks the index what it has of the node's key, unless that is known. */
static enum err learn_base(struct local_engine *engine, struct overlay_node *node)
{
    if (node->is_base_known)
        return OK;
    struct index_pin pin = {0};
    struct row_entry entry;
    enum err err = index_get(engine->index, NULL, node->key, VIEW_WAIT, &pin);
    if (err == OK)
        err = row_entry_decode(pin.value, &entry);
    index_pin_release(&pin);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    local_set_base(node, err == OK ? &entry : NULL);
    return OK;
}

enum err local_node_of(struct local_engine *engine, struct overlay *overlay, str key,
                       struct overlay_node **out_node)
{
    struct overlay_node *node = overlay_make(overlay, key);
    TRY(learn_base(engine, node));
    *out_node = node;
    return OK;
}

/* The bytes of the record that is being made. */
static size_t record_bytes(const struct log_batch *batch)
{
    return batch->bytes.len - batch->record[batch->record_count - 1].offset;
}

/* The blob of a row that was read lies in the log or in this batch; it is copied, because what a row points to must lie in its own
 * change. */
static enum err append_blob(struct local_tx *tx, const struct blob *blob)
{
    struct buf *bytes = &tx->commit->batch.bytes;
    char *dst = buf_reserve(bytes, blob->length);
    if (!dst)
        return buf_err(bytes);
    if (blob->bytes)
        memcpy(dst, blob->bytes, blob->length);
    else
        TRY(local_blob_read(&tx->base, blob, dst));
    buf_commit(bytes, blob->length);
    return OK;
}

enum err local_append_change(struct local_tx *tx, const struct change *change,
                             const struct blob *blob, struct overlay_node *node)
{
    struct commit *commit = tx->commit;
    struct buf *bytes = &commit->batch.bytes;
    size_t size = RECORD_HEADER_SIZE + change->key.len + change->value.len + change->blob_length;
    if (size > UPDATE_BYTES_MAX - record_bytes(&commit->batch))
        return ERR_TOO_LARGE;
    size_t offset = bytes->len;
    change_encode(change, bytes);
    enum err err = change->blob_length ? append_blob(tx, blob) : buf_err(bytes);
    if (err != OK) {
        bytes->len = offset;
        return err;
    }
    tx->change_count++;
    overlay_set(commit->overlay, node,
                &(struct overlay_change){
                    .kind = change->kind,
                    .entry = {.offset = offset,
                              .length = bytes->len - offset,
                              .blob_length = change->blob_length,
                              .blob_crc32c = change->blob_crc32c,
                              .columns = change->value},
                });
    return OK;
}

enum err local_row_put(struct tx *base, const struct table *table, const void *row)
{
    struct local_tx *tx = local_tx_of(base);
    const struct blob *blob = row_blob_const(table, row);
    struct change change = {.kind = CHANGE_PUT, .blob_length = blob ? blob->length : 0};
    buf_clear(&tx->key);
    buf_clear(&tx->value);
    row_key_encode(table, row, &tx->key);
    row_value_encode(table, row, &tx->value);
    TRY(buf_err(&tx->key));
    TRY(buf_err(&tx->value));
    if (tx->key.len > ROW_KEY_MAX || change.blob_length > ROW_BLOB_MAX)
        return ERR_TOO_LARGE;
    if (change.blob_length)
        change.blob_crc32c =
            blob->bytes ? crc32c_update(0, blob->bytes, blob->length) : blob->crc32c;
    struct overlay_node *node;
    TRY(local_node_of(local_engine_of(base->engine), tx->commit->overlay, buf_str(&tx->key),
                      &node));
    change.key = node->key;
    change.value = buf_str(&tx->value);
    return local_append_change(tx, &change, blob, node);
}

enum err local_row_delete(struct tx *base, const struct table *table, const void *row)
{
    struct local_tx *tx = local_tx_of(base);
    buf_clear(&tx->key);
    row_key_encode(table, row, &tx->key);
    if (buf_err(&tx->key) != OK || tx->key.len > ROW_KEY_MAX)
        return OK;
    struct overlay_node *node;
    TRY(local_node_of(local_engine_of(base->engine), tx->commit->overlay, buf_str(&tx->key),
                      &node));
    bool is_there = node->change ? node->change->kind == CHANGE_PUT : node->has_base;
    if (!is_there)
        return OK;
    struct change change = {.kind = CHANGE_DELETE, .key = node->key};
    return local_append_change(tx, &change, NULL, node);
}
