#include "object/object.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "object/reader.h"
#include "object/store_int.h"
#include "object/version.h"

/* ---- Reading ---- */

enum err bucket_find(struct tx *tx, str name, struct arena *arena, struct bucket_row *out_row)
{
    return bucket_get(tx, name, arena, out_row);
}

static enum err whole_as_part(const struct object_row *row, uint64_t number,
                              struct object_part *out_part)
{
    if (number != 1)
        return ERR_BAD_PART_NUMBER;
    *out_part = (struct object_part){.number = 1, .size = row->size};
    return OK;
}

enum err object_part_find(struct tx *tx, const struct object_row *row, uint64_t number,
                          struct arena *arena, struct object_part *out_part)
{
    if (row->manifest_id == 0)
        return whole_as_part(row, number, out_part);
    struct object_part *part;
    size_t count;
    bool more;
    TRY(object_part_list(tx, row, number - 1, 1, arena, &part, &count, &more));
    if (count == 0 || part->number != number)
        return ERR_BAD_PART_NUMBER;
    *out_part = *part;
    return OK;
}

/* Part numbers ascend with the offset, so the first piece of a number above `after` is found by
 * bisection: a part costs the same however many there are. */
static enum err piece_offset_after(struct tx *tx, const struct object_row *row, uint64_t after,
                                   struct arena *arena, uint64_t *out_offset)
{
    uint64_t low = 0, high = row->size;
    while (after > 0 && low < high) {
        struct piece_row from = {.manifest_id = row->manifest_id, .offset = low + (high - low) / 2};
        struct piece_row piece;
        TRY(row_find_before(tx, TABLE_piece, &from, 1, &piece, arena));
        if (piece.part_number > after)
            high = piece.offset;
        else
            low = piece.offset + piece.length;
    }
    *out_offset = low;
    return OK;
}

enum err object_part_list(struct tx *tx, const struct object_row *row, uint64_t after,
                          size_t max_count, struct arena *arena, struct object_part **out_part,
                          size_t *out_count, bool *out_is_truncated)
{
    struct piece_row from = {.manifest_id = row->manifest_id};
    struct piece_row piece;
    struct cursor *cursor;
    TRY(piece_offset_after(tx, row, after, arena, &from.offset));
    TRY(cursor_open(tx, TABLE_piece, &from, 1, &cursor));
    struct object_part *part = arena_new_array(arena, struct object_part, max_count + 1);
    size_t count = 0;
    bool is_truncated = false;
    enum err err;
    while ((err = cursor_next(cursor, &piece)) == OK) {
        if (piece.part_size == 0 && count > 0)
            continue; /* a further piece of the part before */
        if (count == max_count) {
            is_truncated = max_count > 0; /* an empty page has no place to go on from */
            break;
        }
        part[count++] = (struct object_part){.number = piece.part_number,
                                             .offset = piece.offset,
                                             .size = piece.part_size,
                                             .part_count = row->part_count,
                                             .checksum = arena_str(arena, piece.part_checksum)};
    }
    cursor_close(cursor);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    *out_part = part;
    *out_count = count;
    *out_is_truncated = is_truncated;
    return OK;
}

/* ---- Writing ---- */

/* The body's place in the row; an extent's row comes into the catalogue here, with its first
 * reference. */
static enum err body_place(struct tx *tx, const struct body *body, struct object_row *row)
{
    str bytes = body_inline(body);
    row->body = (struct blob){.bytes = bytes.ptr, .length = bytes.len};
    const struct extent_row *sealed = body_extent(body);
    if (sealed == NULL)
        return OK;
    row->extent_id = sealed->id;
    row->extent_offset = 0;
    return extent_add(tx, sealed);
}

static enum err put_apply(struct update *update, struct tx *tx)
{
    struct object_put *put = container_of(update, struct object_put, op.update);
    struct arena *arena = put->op.arena;
    struct bucket_row bucket;
    struct object_row row, *current;
    TRY(op_bucket_get(&put->op, tx, put->bucket, &bucket));
    TRY(version_current(tx, bucket.id, put->row.key, arena, &row, &current));
    TRY(conditions_check_write(&put->conditions, current));
    TRY(body_place(tx, put->body, &put->row));
    return version_add(tx, &bucket, current, &put->row, arena);
}

void object_put_start(struct object_put *put)
{
    put->row.size = body_length(put->body);
    obj_op_start(&put->op, 0, put_apply);
}

/* S3's extra conditions on DELETE (size, time) are checked besides If-Match. */
static enum err delete_conditions(const struct object_delete_entry *entry,
                                  const struct object_row *current)
{
    TRY(conditions_check_write(&entry->conditions, current));
    if (current == NULL)
        return OK;
    if (entry->if_size != UINT64_MAX && entry->if_size != current->size)
        return ERR_PRECONDITION_FAILED;
    if (entry->if_modified_ms != 0 &&
        entry->if_modified_ms / 1000 != (int64_t)current->modified_ms / 1000)
        return ERR_PRECONDITION_FAILED;
    return OK;
}

/* Without versions the object goes; with them it is hidden behind a delete marker. */
static enum err delete_current(struct object_delete *del, struct tx *tx,
                               const struct bucket_row *bucket, struct object_delete_entry *entry)
{
    struct arena *arena = del->op.arena;
    struct object_row row, *current;
    TRY(version_current(tx, bucket->id, entry->key, arena, &row, &current));
    TRY(delete_conditions(entry, current));
    if (bucket->versioning != VERSIONING_NEVER) {
        struct object_row marker = {
            .key = entry->key, .flags = VERSION_IS_DELETE_MARKER, .owner = del->owner};
        TRY(version_add(tx, bucket, current, &marker, arena));
        entry->made_marker = true;
        entry->deleted_version_id = version_id_shown(marker.version_id);
        return OK;
    }
    if (current == NULL)
        return OK;
    TRY(version_body_let_go(tx, current, arena));
    TRY(row_delete(tx, TABLE_object, current));
    const struct usage_change change = {.object_count = -1,
                                        .object_bytes = -(int64_t)current->size};
    return usage_add(tx, bucket->id, &change, arena);
}

static enum err delete_version(struct tx *tx, const struct bucket_row *bucket,
                               struct object_delete_entry *entry, struct arena *arena)
{
    struct object_row row;
    enum err err = object_find(tx, bucket, entry->key, entry->version_id, arena, &row);
    bool is_there = err == OK || err == ERR_IS_DELETE_MARKER;
    if (!is_there && err != ERR_NO_SUCH_VERSION)
        return err;
    TRY(delete_conditions(entry, is_there ? &row : NULL));
    entry->deleted_version_id = entry->version_id;
    if (!is_there)
        return OK; /* it is deleted already */
    entry->removed_marker = is_delete_marker(&row);
    return version_remove(tx, bucket, &row, arena);
}

static enum err delete_one(struct object_delete *del, struct tx *tx,
                           const struct bucket_row *bucket, struct object_delete_entry *entry)
{
    entry->made_marker = entry->removed_marker = false;
    entry->deleted_version_id = (str){0};
    if (entry->key.len > KEY_MAX_BYTES)
        return ERR_KEY_TOO_LONG;
    return entry->version_id.len > 0 ? delete_version(tx, bucket, entry, del->op.arena)
                                     : delete_current(del, tx, bucket, entry);
}

/* Refusals belong to one entry; anything else is the whole update's failure. */
static bool is_refusal(enum err err)
{
    return err == ERR_PRECONDITION_FAILED || err == ERR_NO_SUCH_KEY || err == ERR_NO_SUCH_VERSION ||
           err == ERR_KEY_TOO_LONG;
}

/* Entries of one update where versions are kept: each may move a small body from one table to the
 * other, and all must fit UPDATE_BYTES_MAX. */
enum { DELETE_STEP_COUNT = 16 };

static enum err delete_apply(struct update *update, struct tx *tx)
{
    struct object_delete *del = container_of(update, struct object_delete, op.update);
    struct bucket_row bucket;
    TRY(op_bucket_get(&del->op, tx, del->bucket, &bucket));
    size_t step = bucket.versioning == VERSIONING_NEVER ? del->count : DELETE_STEP_COUNT;
    size_t end = del->count - del->first < step ? del->count : del->first + step;
    for (size_t i = del->first; i < end; i++) {
        struct object_delete_entry *entry = &del->entry[i];
        entry->result = delete_one(del, tx, &bucket, entry);
        if (entry->result != OK && !is_refusal(entry->result))
            return entry->result;
    }
    del->end = end;
    return OK;
}

static void delete_submit(struct object_delete *del);

/* What a step has deleted stays deleted, whatever comes of the others: each entry stands for
 * itself. */
static void delete_done(struct update *update, enum err result)
{
    struct object_delete *del = container_of(update, struct object_delete, op.update);
    for (size_t i = del->first; del->first > 0 && result != OK && i < del->count; i++)
        del->entry[i].result = result;
    if (result != OK || del->end == del->count) {
        del->op.done(&del->op, del->first > 0 ? OK : result);
        return;
    }
    del->first = del->end;
    delete_submit(del);
}

/* A marker frees nothing, so it has no claim on the space that is kept back for deletions. */
static void delete_submit(struct object_delete *del)
{
    enum update_flags flags = UPDATE_FREES;
    for (size_t i = del->first; i < del->count; i++)
        if (del->makes_markers && del->entry[i].version_id.len == 0)
            flags = 0;
    del->op.update = (struct update){.flags = flags, .apply = delete_apply, .done = delete_done};
    catalog_update(del->op.store->engine, &del->op.update);
}

void object_delete_start(struct object_delete *del)
{
    del->first = 0;
    delete_submit(del);
}

/* ---- Copy ---- */

static void keep_source_headers(const struct object_row *source, struct object_row *row)
{
    row->content_type = source->content_type;
    row->content_encoding = source->content_encoding;
    row->content_disposition = source->content_disposition;
    row->content_language = source->content_language;
    row->cache_control = source->cache_control;
    row->expires = source->expires;
    row->metadata = source->metadata;
}

/* The new version refers to the source's body; inline bytes are small, and the engine moves
 * them. */
static void share_body(const struct object_row *source, struct object_row *row)
{
    row->size = source->size;
    row->md5 = source->md5;
    row->part_count = source->part_count;
    row->extent_id = source->extent_id;
    row->extent_offset = source->extent_offset;
    row->manifest_id = source->manifest_id;
    row->encryption = source->encryption;
    row->encryption_key_id = source->encryption_key_id;
    row->encryption_state = source->encryption_state;
    row->body = source->body;
    row->upload_id = (str){0};
}

static void copy_checksum(const struct object_copy *copy, struct object_row *row)
{
    if (copy->checksum_kind == CHECKSUM_NONE) {
        row->checksum_kind = copy->source.checksum_kind;
        row->checksum_type = copy->source.checksum_type;
        row->checksum = copy->source.checksum;
        return;
    }
    row->checksum_kind = copy->checksum_kind;
    row->checksum_type = CHECKSUM_FULL_OBJECT;
    row->checksum = copy->checksum;
}

static enum err copy_source_get(struct object_copy *copy, struct tx *tx)
{
    struct bucket_row bucket;
    TRY(bucket_get_same(tx, copy->source_bucket, copy->source_bucket_id, copy->op.arena, &bucket));
    TRY(object_find(tx, &bucket, copy->source_key, copy->source_version_id, copy->op.arena,
                    &copy->source));
    if (copy->expected_sequence != 0 && copy->source.sequence != copy->expected_sequence)
        return ERR_RETRY;
    enum err err = conditions_check_read(&copy->source_conditions, &copy->source);
    return err == ERR_NOT_MODIFIED ? ERR_PRECONDITION_FAILED : err;
}

static enum err copy_apply(struct update *update, struct tx *tx)
{
    struct object_copy *copy = container_of(update, struct object_copy, op.update);
    struct arena *arena = copy->op.arena;
    struct bucket_row bucket;
    struct object_row row, *current;
    TRY(copy_source_get(copy, tx));
    TRY(op_bucket_get(&copy->op, tx, copy->bucket, &bucket));
    TRY(version_current(tx, bucket.id, copy->row.key, arena, &row, &current));
    TRY(conditions_check_write(&copy->conditions, current));
    if (!copy->replaces_metadata)
        keep_source_headers(&copy->source, &copy->row);
    if (!copy->replaces_tags) {
        copy->row.tags = copy->source.tags;
        copy->row.tag_count = copy->source.tag_count;
    }
    share_body(&copy->source, &copy->row);
    copy_checksum(copy, &copy->row);
    /* Held before the old version is let go: it may be the same body. */
    TRY(version_body_hold(tx, &copy->source, arena));
    return version_add(tx, &bucket, current, &copy->row, arena);
}

void object_copy_start(struct object_copy *copy)
{
    obj_op_start(&copy->op, 0, copy_apply);
}

/* ---- Tags ---- */

static enum err set_tags_apply(struct update *update, struct tx *tx)
{
    struct object_set_tags *set = container_of(update, struct object_set_tags, op.update);
    struct bucket_row bucket;
    TRY(op_bucket_get(&set->op, tx, set->bucket, &bucket));
    TRY(object_find(tx, &bucket, set->key, set->version_id, set->op.arena, &set->row));
    set->row.tags = set->tags;
    set->row.tag_count = set->tag_count;
    return version_rewrite(tx, &set->row, set->op.arena);
}

void object_set_tags_start(struct object_set_tags *set)
{
    obj_op_start(&set->op, 0, set_tags_apply);
}

/* ---- Checksums of what is stored ---- */

enum { CHECKSUM_STEP_BYTES = 8 << 20 }; /* some 10 ms */

static void nothing(void *context)
{
    (void)context;
}

static void checksum_release(void *context)
{
    struct object_checksum *sum = context;
    if (sum->reader != NULL)
        obj_reader_close(mem_take(&sum->reader));
    digest_release(&sum->digest);
}

struct object_checksum *object_checksum_new(struct store *store,
                                            const struct object_checksum_args *args,
                                            struct arena *arena)
{
    struct object_checksum *sum = arena_new_of(arena, struct object_checksum);
    sum->store = store;
    sum->args = *args;
    sum->arena = arena;
    digest_init(&sum->digest, DIGEST_BIT(args->kind));
    arena_on_reset(arena, checksum_release, sum);
    return sum;
}

/* Finds the version and opens the range in one view, since inline bytes belong to it. */
static enum err checksum_find(struct object_checksum *sum, struct tx *tx)
{
    const struct object_checksum_args *args = &sum->args;
    struct bucket_row bucket;
    TRY(bucket_get(tx, args->bucket, sum->arena, &bucket));
    TRY(object_find(tx, &bucket, args->key, args->version_id, sum->arena, &sum->row));
    uint64_t length = args->length > 0 ? args->length : sum->row.size;
    if (length == 0)
        return OK;
    if (args->offset > sum->row.size || length > sum->row.size - args->offset)
        return ERR_BAD_RANGE;
    const struct obj_reader_options options = {.store = sum->store,
                                               .arena = sum->arena,
                                               .row = &sum->row,
                                               .offset = args->offset,
                                               .length = length,
                                               .ready = nothing};
    return obj_reader_open(tx, VIEW_WAIT, &options, &sum->reader);
}

static enum err checksum_open(struct object_checksum *sum)
{
    struct tx *tx;
    TRY(view_begin(sum->store->engine, VIEW_WAIT, &tx));
    enum err err = checksum_find(sum, tx);
    view_end(tx);
    sum->is_open = err == OK;
    return err;
}

enum err object_checksum_step(struct object_checksum *sum)
{
    if (!sum->is_open)
        TRY(checksum_open(sum));
    enum err err = sum->reader != NULL ? OK : ERR_NOT_FOUND;
    for (size_t done = 0; err == OK && done < CHECKSUM_STEP_BYTES;) {
        str bytes;
        err = obj_reader_read_wait(sum->reader, &bytes);
        if (err == OK) {
            digest_update(&sum->digest, bytes.ptr, bytes.len);
            done += bytes.len;
        }
    }
    if (err == OK)
        return ERR_WOULD_BLOCK;
    if (err != ERR_NOT_FOUND)
        return err;
    digest_finish(&sum->digest);
    sum->checksum = arena_str(sum->arena, digest_checksum(&sum->digest, sum->args.kind));
    return OK;
}
