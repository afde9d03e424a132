/* CompleteMultipartUpload: one update that checks the client's list against the parts, makes the
 * manifest, and replaces the object. The parts' references pass to the pieces; parts that the
 * list leaves out let theirs go. */
#include "object/upload.h"

#include "base/mem.h"
#include "object/object.h"
#include "object/store_int.h"
#include "object/version.h"

struct completion {
    struct upload_complete *args;
    struct tx *tx;
    struct arena *arena;
    struct upload_row upload;
    struct part_row *part; /* those of the list, in order */
    uint64_t size;
    uint64_t piece_count;
    enum checksum_type checksum_type;
};

static enum err refuse_part(struct completion *c, size_t index, enum err err)
{
    c->args->refused = &c->args->part[index];
    c->args->refused_size = c->part[index].size;
    return err;
}

static enum err part_check(struct completion *c, size_t index)
{
    const struct completed_part *wanted = &c->args->part[index];
    struct part_row *part = &c->part[index];
    *part = (struct part_row){.upload_id = c->upload.id, .number = wanted->number};
    enum err err = row_get(c->tx, TABLE_part, part, c->arena);
    if (err == ERR_NOT_FOUND)
        return refuse_part(c, index, ERR_BAD_PART);
    TRY(err);
    if (!etag_is(wanted->etag, part->md5, 0))
        return refuse_part(c, index, ERR_BAD_PART);
    /* A part of an upload without a kind may have been protected by another kind than the one
     * that is kept: what the client says of that one here cannot be compared. */
    bool is_comparable =
        c->upload.checksum_kind != CHECKSUM_NONE || part->checksum_kind == wanted->checksum_kind;
    if (wanted->checksum.len > 0 && is_comparable &&
        (part->checksum_kind != wanted->checksum_kind || !str_eq(part->checksum, wanted->checksum)))
        return refuse_part(c, index, ERR_BAD_PART);
    bool is_last = index + 1 == c->args->part_count;
    if (!is_last && part->size < PART_MIN_BYTES)
        return refuse_part(c, index, ERR_ENTITY_TOO_SMALL);
    c->size += part->size;
    return c->size > OBJECT_MAX_BYTES ? ERR_ENTITY_TOO_LARGE : OK;
}

static enum err parts_check(struct completion *c)
{
    c->part = arena_new_array(c->arena, struct part_row, c->args->part_count);
    for (size_t i = 1; i < c->args->part_count; i++)
        if (c->args->part[i].number <= c->args->part[i - 1].number)
            return ERR_BAD_PART_ORDER;
    for (size_t i = 0; i < c->args->part_count; i++)
        TRY(part_check(c, i));
    return OK;
}

/* MD5 of the parts' MD5s. */
static void join_md5(struct completion *c, struct object_row *row)
{
    uint8_t *md5 = arena_alloc(c->arena, MD5_BYTES);
    struct hash hash = {0};
    hash_init(&hash, HASH_MD5);
    for (size_t i = 0; i < c->args->part_count; i++)
        hash_update(&hash, c->part[i].md5.ptr, c->part[i].md5.len);
    hash_final(&hash, md5);
    hash_release(&hash);
    row->md5 = str_of(md5, MD5_BYTES);
    row->part_count = c->args->part_count;
}

/* An upload without a checksum of its own still has CRC64NVME parts, which give the whole's. */
static enum err join_checksum(struct completion *c, struct object_row *row)
{
    const struct upload_complete *args = c->args;
    enum checksum_kind kind = (enum checksum_kind)c->upload.checksum_kind;
    enum checksum_type type = (enum checksum_type)c->upload.checksum_type;
    if (kind == CHECKSUM_NONE) {
        kind = CHECKSUM_CRC64NVME;
        type = CHECKSUM_FULL_OBJECT;
    }
    for (size_t i = 0; i < args->part_count; i++)
        if (c->part[i].checksum_kind !=
            kind) /* none can be told of the whole, and none be compared */
            return args->checksum_kind != CHECKSUM_NONE || args->has_checksum_type
                       ? ERR_BAD_UPLOAD_CHECKSUM
                       : OK;
    if (args->has_checksum_type && args->checksum_type != type)
        return ERR_BAD_UPLOAD_CHECKSUM;
    struct checksum_joiner joiner;
    checksum_joiner_init(&joiner, kind, type);
    for (size_t i = 0; i < args->part_count; i++)
        checksum_joiner_add(&joiner, c->part[i].checksum, c->part[i].size);
    uint8_t *value = arena_alloc(c->arena, CHECKSUM_SIZE_MAX);
    checksum_joiner_finish(&joiner, value);
    row->checksum_kind = kind;
    row->checksum_type = type;
    row->checksum = str_of(value, checksum_size(kind));
    if (args->checksum_kind == CHECKSUM_NONE)
        return OK;
    bool is_same = args->checksum_kind == kind && str_eq(args->checksum, row->checksum);
    return is_same ? OK : ERR_BAD_CHECKSUM;
}

static void upload_headers(const struct upload_row *upload, struct object_row *row)
{
    row->key = upload->key;
    row->owner = upload->owner;
    row->content_type = upload->content_type;
    row->content_encoding = upload->content_encoding;
    row->content_disposition = upload->content_disposition;
    row->content_language = upload->content_language;
    row->cache_control = upload->cache_control;
    row->expires = upload->expires;
    row->website_redirect = upload->website_redirect;
    row->metadata = upload->metadata;
    row->tags = upload->tags;
    row->tag_count = upload->tag_count;
    row->storage_class = upload->storage_class;
    row->encryption = upload->encryption;
    row->encryption_key_id = upload->encryption_key_id;
    row->encryption_state = upload->encryption_state;
    row->lock_mode = upload->lock_mode;
    row->lock_until_ms = upload->lock_until_ms;
    row->legal_hold = upload->legal_hold;
    row->acl = upload->acl;
}

/* The pieces of one part; an empty part has none, and is then known by an empty piece of its own
 * only when it is the sole one, which a manifest cannot hold: parts without bytes are simply not
 * there to be asked for. */
static enum err pieces_put(struct completion *c, uint64_t manifest_id, size_t index,
                           uint64_t offset)
{
    const struct part_row *part = &c->part[index];
    struct range *range;
    size_t count;
    TRY(ranges_decode(part->ranges, c->arena, &range, &count));
    if (count > PIECE_MAX_COUNT - c->piece_count)
        return fail_set(&c->args->op.fail, ERR_BAD_REQUEST, "Part",
                        "The parts were copied from more than %d pieces of other objects; upload "
                        "the bytes of some of them instead.",
                        PIECE_MAX_COUNT);
    for (size_t i = 0; i < count; i++) {
        const struct piece_row piece = {
            .manifest_id = manifest_id,
            .offset = offset,
            .length = range[i].length,
            .extent_id = range[i].extent_id,
            .extent_offset = range[i].offset,
            .part_number =
                index + 1, /* its place: the numbers that it was uploaded by are forgotten */
            .part_size = i == 0 ? part->size : 0,
            .part_md5 = i == 0 ? part->md5 : (str){0},
            .part_checksum = i == 0 ? part->checksum : (str){0},
        };
        TRY(row_put(c->tx, TABLE_piece, &piece));
        offset += range[i].length;
        c->piece_count++;
    }
    return OK;
}

static enum err manifest_make(struct completion *c, struct object_row *row)
{
    if (c->size == 0)
        return OK;
    struct manifest_row manifest = {
        .id = store_id_new(c->args->op.store), .reference_count = 1, .size = c->size};
    uint64_t offset = 0;
    for (size_t i = 0; i < c->args->part_count; i++) {
        TRY(pieces_put(c, manifest.id, i, offset));
        TRY(row_delete(c->tx, TABLE_part, &c->part[i]));
        offset += c->part[i].size;
    }
    manifest.piece_count = c->piece_count;
    row->manifest_id = manifest.id;
    return row_put(c->tx, TABLE_manifest, &manifest);
}

/* The upload is over. Parts that were not asked for are left to the janitor. */
static enum err upload_end(struct completion *c, uint64_t bucket_id)
{
    TRY(row_delete(c->tx, TABLE_upload, &c->upload));
    TRY(garbage_add(c->tx, GARBAGE_UPLOAD, c->upload.id));
    return usage_add(c->tx, bucket_id, &(struct usage_change){.upload_count = -1}, c->arena);
}

/* The retry of a Complete whose answer got lost: the object says which upload made it. */
static enum err completed_before(struct upload_complete *args, const struct object_row *current)
{
    char text[UPLOAD_ID_TEXT];
    if (current == NULL || !str_eq(current->upload_id, upload_id_format(args->upload_id, text)))
        return ERR_NO_SUCH_UPLOAD;
    args->row = *current;
    return OK;
}

static enum err complete_apply(struct update *update, struct tx *tx)
{
    struct upload_complete *args = container_of(update, struct upload_complete, op.update);
    struct completion c = {.args = args, .tx = tx, .arena = args->op.arena};
    struct bucket_row bucket;
    struct object_row old, *current;
    args->refused = NULL; /* of a run before this one */
    args->op.fail = (struct fail){0};
    TRY(op_bucket_get(&args->op, tx, args->bucket, &bucket));
    TRY(version_current(tx, bucket.id, args->key, c.arena, &old, &current));
    enum err err = upload_find(tx, bucket.id, args->key, args->upload_id, c.arena, &c.upload);
    if (err == ERR_NO_SUCH_UPLOAD)
        return completed_before(args, current);
    TRY(err);
    TRY(conditions_check_write(&args->conditions, current));
    TRY(parts_check(&c));
    if (args->expected_size != UINT64_MAX && args->expected_size != c.size)
        return fail_set(&args->op.fail, ERR_BAD_REQUEST, "x-amz-mp-object-size",
                        "the parts have %llu bytes", (unsigned long long)c.size);
    struct object_row row = {.size = c.size};
    upload_headers(&c.upload, &row);
    join_md5(&c, &row);
    TRY(join_checksum(&c, &row));
    char *id = arena_alloc(c.arena, UPLOAD_ID_TEXT);
    row.upload_id = upload_id_format(args->upload_id, id);
    TRY(manifest_make(&c, &row));
    TRY(upload_end(&c, bucket.id));
    TRY(version_add(tx, &bucket, current, &row, c.arena));
    args->row = row;
    return OK;
}

void upload_complete_start(struct upload_complete *complete)
{
    obj_op_start(&complete->op, 0, complete_apply);
}
