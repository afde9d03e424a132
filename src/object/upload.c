#include "object/upload.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "object/list.h"
#include "object/object.h"
#include "object/store_int.h"
#include "object/version.h"

enum err upload_id_parse(str text, uint64_t *out_id)
{
    uint8_t bytes[UPLOAD_ID_TEXT / 2];
    if (text.len != UPLOAD_ID_TEXT || hex_decode(text, bytes) != OK)
        return ERR_NO_SUCH_UPLOAD;
    *out_id = get_be64(bytes);
    return OK;
}

str upload_id_format(uint64_t id, char dst[UPLOAD_ID_TEXT])
{
    uint8_t bytes[UPLOAD_ID_TEXT / 2];
    put_be64(bytes, id);
    hex_encode(bytes, sizeof bytes, dst);
    return str_of(dst, UPLOAD_ID_TEXT);
}

static enum err create_apply(struct update *update, struct tx *tx)
{
    struct upload_create *create = container_of(update, struct upload_create, op.update);
    struct bucket_row bucket;
    TRY(op_bucket_get(&create->op, tx, create->bucket, &bucket));
    create->row.bucket_id = bucket.id;
    create->row.id = store_id_new(create->op.store);
    create->row.created_ms = (uint64_t)clock_real_ms();
    TRY(row_put(tx, TABLE_upload, &create->row));
    return usage_add(tx, bucket.id, &(struct usage_change){.upload_count = 1}, create->op.arena);
}

void upload_create_start(struct upload_create *create)
{
    obj_op_start(&create->op, 0, create_apply);
}

enum err upload_find(struct tx *tx, uint64_t bucket_id, str key, uint64_t id, struct arena *arena,
                     struct upload_row *out_row)
{
    struct upload_row row = {.bucket_id = bucket_id, .key = key, .id = id};
    enum err err = row_get(tx, TABLE_upload, &row, arena);
    if (err != OK)
        return err == ERR_NOT_FOUND ? ERR_NO_SUCH_UPLOAD : err;
    *out_row = row;
    return OK;
}

/* ---- Parts ---- */

/* Puts the part, letting go of one of the same number that was there. */
static enum err part_replace(struct tx *tx, struct part_row *row, struct arena *arena)
{
    struct part_row old = {.upload_id = row->upload_id, .number = row->number};
    enum err err = row_get(tx, TABLE_part, &old, arena);
    if (err == OK)
        err = part_let_go(tx, &old, arena);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    row->modified_ms = (uint64_t)clock_real_ms();
    return row_put(tx, TABLE_part, row);
}

static enum err part_apply(struct update *update, struct tx *tx)
{
    struct upload_part *part = container_of(update, struct upload_part, op.update);
    struct arena *arena = part->op.arena;
    struct bucket_row bucket;
    struct upload_row upload;
    TRY(op_bucket_get(&part->op, tx, part->bucket, &bucket));
    TRY(upload_find(tx, bucket.id, part->key, part->upload_id, arena, &upload));
    part->row.upload_id = upload.id;
    const struct extent_row *sealed = body_extent(part->body);
    if (sealed != NULL) {
        TRY(extent_add(tx, sealed));
        const struct range range = {.extent_id = sealed->id, .length = sealed->length};
        part->row.ranges = ranges_encode(arena, &range, 1);
    }
    return part_replace(tx, &part->row, arena);
}

void upload_part_start(struct upload_part *part)
{
    part->row.size = body_length(part->body);
    obj_op_start(&part->op, 0, part_apply);
}

struct range_list {
    struct range *range;
    size_t count, capacity;
};

static void range_add(struct range_list *list, struct arena *arena, struct range range)
{
    list->range =
        arena_room(arena, list->range, list->count, &list->capacity, sizeof(struct range));
    list->range[list->count++] = range;
}

/* The extents under [first, end) of a manifest's body. */
static enum err manifest_ranges(struct tx *tx, const struct object_row *source, uint64_t first,
                                uint64_t end, struct arena *arena, struct range_list *list)
{
    struct piece_row from = {.manifest_id = source->manifest_id, .offset = first}, piece;
    struct cursor *cursor;
    TRY(row_find_before(tx, TABLE_piece, &from, 1, &piece, arena));
    from.offset = piece.offset;
    TRY(cursor_open(tx, TABLE_piece, &from, 1, &cursor));
    enum err err;
    while ((err = cursor_next(cursor, &piece)) == OK && piece.offset < end) {
        uint64_t skip = first > piece.offset ? first - piece.offset : 0;
        uint64_t stop = piece.offset + piece.length < end ? piece.length : end - piece.offset;
        range_add(list, arena,
                  (struct range){.extent_id = piece.extent_id,
                                 .offset = piece.extent_offset + skip,
                                 .length = stop - skip});
    }
    cursor_close(cursor);
    return err == ERR_NOT_FOUND ? OK : err;
}

static enum err source_ranges(struct tx *tx, const struct object_row *source, uint64_t first,
                              uint64_t end, struct arena *arena, struct range_list *list)
{
    if (source->manifest_id != 0)
        return manifest_ranges(tx, source, first, end, arena, list);
    if (source->extent_id == 0)
        return ERR_RETRY; /* became inline since it was looked at */
    range_add(list, arena,
              (struct range){.extent_id = source->extent_id,
                             .offset = source->extent_offset + first,
                             .length = end - first});
    return OK;
}

/* The ETag of a part that was copied by reference: the source's own MD5 when that is known for
 * exactly these bytes, else a digest of what names them: it identifies the part as well as an
 * MD5 would, and costs no reading (docs/decisions: part copies). */
static void part_copy_md5(struct upload_part_copy *copy, uint64_t first, uint64_t length)
{
    const struct object_row *source = &copy->source;
    uint8_t *md5 = arena_alloc(copy->op.arena, MD5_BYTES);
    copy->row.md5 = str_of(md5, MD5_BYTES);
    if (first == 0 && length == source->size && source->part_count == 0) {
        copy->row.md5 = arena_str(copy->op.arena, source->md5);
        return;
    }
    uint8_t name[MD5_BYTES + 3 * sizeof(uint64_t)] = {0};
    memcpy(name, source->md5.ptr, source->md5.len < MD5_BYTES ? source->md5.len : MD5_BYTES);
    put_le64(name + MD5_BYTES, source->part_count);
    put_le64(name + MD5_BYTES + sizeof(uint64_t), first);
    put_le64(name + MD5_BYTES + 2 * sizeof(uint64_t), length);
    md5_of(name, sizeof name, md5);
}

static enum err part_copy_source(struct upload_part_copy *copy, struct tx *tx)
{
    struct bucket_row bucket;
    TRY(bucket_get_same(tx, copy->source_bucket, copy->source_bucket_id, copy->op.arena, &bucket));
    TRY(object_find(tx, &bucket, copy->source_key, copy->source_version_id, copy->op.arena,
                    &copy->source));
    if (copy->expected_sequence != 0 && copy->expected_sequence != copy->source.sequence)
        return ERR_RETRY;
    enum err err = conditions_check_read(&copy->source_conditions, &copy->source);
    return err == ERR_NOT_MODIFIED ? ERR_PRECONDITION_FAILED : err;
}

static enum err part_copy_apply(struct update *update, struct tx *tx)
{
    struct upload_part_copy *copy = container_of(update, struct upload_part_copy, op.update);
    struct arena *arena = copy->op.arena;
    struct bucket_row bucket;
    struct upload_row upload;
    TRY(part_copy_source(copy, tx));
    TRY(op_bucket_get(&copy->op, tx, copy->bucket, &bucket));
    TRY(upload_find(tx, bucket.id, copy->key, copy->upload_id, arena, &upload));
    uint64_t first = copy->has_range ? copy->range_first : 0;
    uint64_t end = copy->has_range ? copy->range_last + 1 : copy->source.size;
    if (first > end || end > copy->source.size)
        return ERR_BAD_RANGE;
    struct range_list list = {0};
    if (copy->has_extent) {
        TRY(extent_add(tx, &copy->extent));
        range_add(&list, arena,
                  (struct range){.extent_id = copy->extent.id, .length = copy->extent.length});
    } else if (end > first) {
        TRY(source_ranges(tx, &copy->source, first, end, arena, &list));
        for (size_t i = 0; i < list.count; i++)
            TRY(extent_hold(tx, list.range[i].extent_id, arena));
        part_copy_md5(copy, first, end - first);
    } else {
        part_copy_md5(copy, first, 0);
    }
    copy->row.upload_id = upload.id;
    copy->row.size = end - first;
    copy->row.ranges = ranges_encode(arena, list.range, list.count);
    return part_replace(tx, &copy->row, arena);
}

void upload_part_copy_start(struct upload_part_copy *copy)
{
    obj_op_start(&copy->op, 0, part_copy_apply);
}

static enum err write_extent(struct engine *engine, str bytes, struct arena *arena,
                             struct extent_row *out_row)
{
    enum { ALIGNMENT = 4096 };
    struct extent_writer *writer;
    char *aligned = mem_alloc_aligned(ALIGNMENT, bytes.len);
    memcpy(aligned, bytes.ptr, bytes.len);
    enum err err = extent_begin(engine, bytes.len, &writer);
    if (err == OK) {
        err = extent_write(writer, aligned, bytes.len, 0);
        if (err == OK)
            err = extent_seal(writer, bytes.len, arena, out_row);
        else
            extent_abort(writer);
    }
    mem_free(aligned);
    return err;
}

/* The source's inline bytes as they are now; none when it lies in extents. */
static enum err inline_bytes(struct store *store, struct upload_part_copy *copy,
                             struct arena *arena, struct object_row *row, str *out_bytes)
{
    struct tx *tx;
    struct bucket_row bucket;
    TRY(view_begin(store->engine, VIEW_WAIT, &tx));
    enum err err = bucket_get(tx, copy->source_bucket, arena, &bucket);
    if (err == OK)
        err = object_find(tx, &bucket, copy->source_key, copy->source_version_id, arena, row);
    if (err == OK) {
        char *bytes = arena_alloc(arena, row->body.length);
        err = blob_read(tx, &row->body, bytes);
        *out_bytes = str_of(bytes, row->body.length);
    }
    view_end(tx);
    return err;
}

void upload_part_copy_drop_wait(struct store *store, struct upload_part_copy *copy)
{
    if (copy->has_extent)
        (void)extent_drop(store->engine, copy->extent.id); /* else found at the next start */
    copy->has_extent = false;
}

enum err upload_part_copy_inline_wait(struct store *store, struct upload_part_copy *copy,
                                      struct arena *arena)
{
    str bytes;
    struct object_row row;
    /* What a run before this one wrote is of a version that is no longer there. */
    if (copy->has_extent)
        TRY(extent_drop(store->engine, copy->extent.id));
    copy->has_extent = false;
    TRY(inline_bytes(store, copy, arena, &row, &bytes));
    copy->expected_sequence = row.sequence;
    if (copy->has_range && (copy->range_first > copy->range_last || copy->range_last >= row.size))
        return ERR_BAD_RANGE;
    if (copy->has_range && bytes.len > 0)
        bytes = str_slice(bytes, copy->range_first, copy->range_last + 1);
    if (bytes.len == 0)
        return OK;
    uint8_t *md5 = arena_alloc(arena, MD5_BYTES);
    md5_of(bytes.ptr, bytes.len, md5);
    copy->row.md5 = str_of(md5, MD5_BYTES);
    TRY(write_extent(store->engine, bytes, arena, &copy->extent));
    copy->has_extent = true;
    return OK;
}

/* ---- Abort ---- */

static enum err abort_apply(struct update *update, struct tx *tx)
{
    struct upload_abort *abort = container_of(update, struct upload_abort, op.update);
    struct bucket_row bucket;
    struct upload_row upload;
    TRY(op_bucket_get(&abort->op, tx, abort->bucket, &bucket));
    TRY(upload_find(tx, bucket.id, abort->key, abort->upload_id, abort->op.arena, &upload));
    TRY(row_delete(tx, TABLE_upload, &upload));
    TRY(garbage_add(tx, GARBAGE_UPLOAD, upload.id));
    return usage_add(tx, bucket.id, &(struct usage_change){.upload_count = -1}, abort->op.arena);
}

void upload_abort_start(struct upload_abort *abort)
{
    obj_op_start(&abort->op, UPDATE_FREES, abort_apply);
}

/* ---- Lists ---- */

enum err upload_part_list(struct tx *tx, uint64_t upload_id, uint64_t after, size_t max_count,
                          struct arena *arena, struct part_row **out_part, size_t *out_count,
                          bool *out_is_truncated)
{
    struct part_row from = {.upload_id = upload_id, .number = after + 1}, row;
    struct cursor *cursor;
    TRY(cursor_open(tx, TABLE_part, &from, 1, &cursor));
    struct part_row *part = arena_new_array(arena, struct part_row, max_count + 1);
    size_t count = 0;
    bool is_truncated = false;
    enum err err;
    while ((err = cursor_next(cursor, &row)) == OK) {
        if (count == max_count) {
            is_truncated = max_count > 0; /* an empty page has no place to go on from */
            break;
        }
        row.md5 = arena_str(arena, row.md5);
        row.checksum = arena_str(arena, row.checksum);
        row.ranges = (str){0};
        part[count++] = row;
    }
    cursor_close(cursor);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    *out_part = part;
    *out_count = count;
    *out_is_truncated = is_truncated;
    return OK;
}

/* The row's strings that a listing shows, kept beyond the cursor. */
static const struct upload_row *upload_keep(const struct upload_row *row, struct arena *arena)
{
    struct upload_row *kept = arena_new_of(arena, struct upload_row);
    kept->key = arena_str(arena, row->key);
    kept->id = row->id;
    kept->created_ms = row->created_ms;
    kept->initiator = arena_str(arena, row->initiator);
    kept->owner = arena_str(arena, row->owner);
    kept->storage_class = row->storage_class;
    kept->checksum_kind = row->checksum_kind;
    kept->checksum_type = row->checksum_type;
    return kept;
}

struct upload_walk {
    const struct upload_list_args *args;
    struct arena *arena;
    struct cursor *cursor;
    struct upload_entry *entry;
    size_t count;
    bool is_truncated;
};

static enum err upload_walk_all(struct upload_walk *walk)
{
    const struct upload_list_args *args = walk->args;
    struct upload_row row;
    enum err err;
    while ((err = cursor_next(walk->cursor, &row)) == OK && str_has_prefix(row.key, args->prefix)) {
        str common;
        bool is_common = common_prefix_of(row.key, args->prefix, args->delimiter, &common);
        if (walk->count == args->max_count) {
            walk->is_truncated = true;
            return OK;
        }
        struct upload_entry *entry = &walk->entry[walk->count++];
        if (!is_common) {
            entry->row = upload_keep(&row, walk->arena);
            entry->key_or_prefix = entry->row->key;
            continue;
        }
        entry->key_or_prefix = arena_str(walk->arena, common);
        struct upload_row next = {.bucket_id = args->bucket_id};
        if (!str_successor(walk->arena, entry->key_or_prefix, &next.key))
            return OK;
        TRY(cursor_seek(walk->cursor, &next));
    }
    return err == ERR_NOT_FOUND ? OK : err;
}

/* The first upload that may be shown; false when there can be none. */
static bool upload_start(const struct upload_list_args *args, struct arena *arena,
                         struct upload_row *from)
{
    const struct list_args keys = {
        .prefix = args->prefix, .delimiter = args->delimiter, .after = args->key_after};
    str common;
    bool is_in_prefix = str_has_prefix(args->key_after, args->prefix);
    bool is_hidden =
        is_in_prefix && common_prefix_of(args->key_after, args->prefix, args->delimiter, &common);
    if (args->has_id_after && args->id_after < UINT64_MAX && is_in_prefix && !is_hidden) {
        from->key = args->key_after;
        from->id = args->id_after + 1;
        return true;
    }
    return list_start_key(&keys, arena, &from->key);
}

enum err upload_list(struct tx *tx, const struct upload_list_args *args, struct arena *arena,
                     struct upload_entry **out_entry, size_t *out_count, bool *out_is_truncated)
{
    struct upload_walk walk = {.args = args, .arena = arena};
    struct upload_row from = {.bucket_id = args->bucket_id};
    walk.entry = arena_new_array(arena, struct upload_entry, args->max_count + 1);
    if (args->max_count > 0 && upload_start(args, arena, &from)) {
        TRY(cursor_open(tx, TABLE_upload, &from, 1, &walk.cursor));
        enum err err = upload_walk_all(&walk);
        cursor_close(walk.cursor);
        TRY(err);
    }
    *out_entry = walk.entry;
    *out_count = walk.count;
    *out_is_truncated = walk.is_truncated;
    return OK;
}
