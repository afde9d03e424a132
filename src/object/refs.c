/* Who refers to which bytes. Extents and manifests have counts of their references; the counts
 * change in the same update as what refers to them, so after a crash they agree. A body nobody
 * refers to any more becomes a row of `garbage` in the same update; its bytes go later, when no
 * reader can be on them (object/janitor.c). */
#include <assert.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "object/store_int.h"

enum err garbage_add(struct tx *tx, enum garbage_kind kind, uint64_t id)
{
    struct garbage_row row = {.kind = kind, .id = id, .since_ms = (uint64_t)clock_real_ms()};
    return row_put(tx, TABLE_garbage, &row);
}

/* A count that names something absent is damage, not the caller's mistake. */
static enum err must_exist(enum err err)
{
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

enum err extent_add(struct tx *tx, const struct extent_row *row)
{
    const struct extent_use_row use = {.id = row->id, .reference_count = 1};
    TRY(row_put(tx, TABLE_extent, row));
    return row_put(tx, TABLE_extent_use, &use);
}

enum err extent_hold(struct tx *tx, uint64_t extent_id, struct arena *arena)
{
    struct extent_use_row use = {.id = extent_id};
    TRY(must_exist(row_get(tx, TABLE_extent_use, &use, arena)));
    use.reference_count++;
    return row_put(tx, TABLE_extent_use, &use);
}

enum err extent_let_go(struct tx *tx, uint64_t extent_id, struct arena *arena)
{
    struct extent_use_row use = {.id = extent_id};
    TRY(must_exist(row_get(tx, TABLE_extent_use, &use, arena)));
    if (--use.reference_count > 0)
        return row_put(tx, TABLE_extent_use, &use);
    TRY(row_delete(tx, TABLE_extent_use, &use));
    /* The extent's own row stays until the janitor comes: who reads it right now still needs its
     * checksums. */
    return garbage_add(tx, GARBAGE_EXTENT, extent_id);
}

enum err manifest_hold(struct tx *tx, uint64_t manifest_id, struct arena *arena)
{
    struct manifest_row row = {.id = manifest_id};
    TRY(must_exist(row_get(tx, TABLE_manifest, &row, arena)));
    row.reference_count++;
    return row_put(tx, TABLE_manifest, &row);
}

enum err manifest_let_go(struct tx *tx, uint64_t manifest_id, struct arena *arena)
{
    struct manifest_row row = {.id = manifest_id};
    TRY(must_exist(row_get(tx, TABLE_manifest, &row, arena)));
    if (--row.reference_count > 0)
        return row_put(tx, TABLE_manifest, &row);
    TRY(row_delete(tx, TABLE_manifest, &row));
    return garbage_add(tx, GARBAGE_MANIFEST, manifest_id);
}

enum err version_body_hold(struct tx *tx, const struct object_row *row, struct arena *arena)
{
    if (row->extent_id != 0)
        return extent_hold(tx, row->extent_id, arena);
    if (row->manifest_id != 0)
        return manifest_hold(tx, row->manifest_id, arena);
    return OK;
}

enum err version_body_let_go(struct tx *tx, const struct object_row *row, struct arena *arena)
{
    if (row->extent_id != 0)
        return extent_let_go(tx, row->extent_id, arena);
    if (row->manifest_id != 0)
        return manifest_let_go(tx, row->manifest_id, arena);
    return OK;
}

enum err part_let_go(struct tx *tx, const struct part_row *part, struct arena *arena)
{
    struct range *range;
    size_t count;
    TRY(ranges_decode(part->ranges, arena, &range, &count));
    for (size_t i = 0; i < count; i++)
        TRY(extent_let_go(tx, range[i].extent_id, arena));
    return OK;
}

enum { RANGE_MIN_BYTES = 3, RANGE_MAX_BYTES = 30 };

enum err ranges_decode(str packed, struct arena *arena, struct range **out_range, size_t *out_count)
{
    struct reader reader = reader_of(packed);
    struct range *range = arena_new_array(arena, struct range, packed.len / RANGE_MIN_BYTES + 1);
    size_t count = 0;
    while (reader.left > 0 && !reader.failed) {
        uint64_t extent_id = reader_varint(&reader);
        uint64_t offset = reader_varint(&reader);
        uint64_t length = reader_varint(&reader);
        range[count++] = (struct range){.extent_id = extent_id, .offset = offset, .length = length};
    }
    if (reader.failed)
        return ERR_CORRUPT;
    *out_range = range;
    *out_count = count;
    return OK;
}

str ranges_encode(struct arena *arena, const struct range *range, size_t count)
{
    struct buf packed;
    buf_init(&packed, mem_size_mul(count, RANGE_MAX_BYTES) + 1);
    for (size_t i = 0; i < count; i++) {
        buf_append_varint(&packed, range[i].extent_id);
        buf_append_varint(&packed, range[i].offset);
        buf_append_varint(&packed, range[i].length);
    }
    assert(buf_err(&packed) == OK);
    str kept = arena_str(arena, buf_str(&packed));
    buf_release(&packed);
    return kept;
}
