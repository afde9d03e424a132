#include "audit.h"

#include <unistd.h>

#include "base/bytes.h"
#include "base/map.h"
#include "object/store_int.h"
#include "object/version.h"

#define ULL(number) ((unsigned long long)(number))

enum { COUNTER_KEY_BYTES = 9, AUDIT_ARENA_BYTES = 1 << 30 };

/* Numbers by a kind and an id. */
struct counters {
    struct map *map;
};

struct audit {
    struct tx *tx;
    struct arena *arena;
    struct counters references; /* by garbage_kind of what is named: extent or manifest */
    struct counters exists;     /* by garbage_kind: rows that are there */
    struct counters garbage;    /* by garbage_kind */
};

static str counter_key(char dst[COUNTER_KEY_BYTES], unsigned kind, uint64_t id)
{
    dst[0] = (char)kind;
    put_le64(dst + 1, id);
    return str_of(dst, COUNTER_KEY_BYTES);
}

static uint64_t counter_get(const struct counters *counters, unsigned kind, uint64_t id)
{
    char key[COUNTER_KEY_BYTES];
    return (uintptr_t)map_find(counters->map, counter_key(key, kind, id));
}

static void counter_add(struct counters *counters, unsigned kind, uint64_t id)
{
    char key[COUNTER_KEY_BYTES];
    uintptr_t count = counter_get(counters, kind, id) + 1;
    (void)map_set(counters->map, counter_key(key, kind, id), (void *)count);
}

/* ---- Walks ---- */

/* Calls see(audit, row) for each row of a table. */
static void each_row(struct audit *audit, enum table_id table, void *from, void *row,
                     void (*see)(struct audit *audit, const void *row))
{
    struct cursor *cursor;
    enum err err;
    assert_ok(cursor_open(audit->tx, table, from, 0, &cursor));
    while ((err = cursor_next(cursor, row)) == OK)
        see(audit, row);
    assert_err(err, ERR_NOT_FOUND);
    cursor_close(cursor);
}

#define EACH_ROW(audit, table, see)                                                                \
    each_row((audit), TABLE_##table, &(struct table##_row){0}, &(struct table##_row){0}, (see))

static void see_garbage(struct audit *audit, const void *row)
{
    const struct garbage_row *garbage = row;
    counter_add(&audit->garbage, (unsigned)garbage->kind, garbage->id);
}

static void see_bucket_id(struct audit *audit, const void *row)
{
    const struct bucket_row *bucket = row;
    assert_int_equal(counter_get(&audit->exists, GARBAGE_BUCKET, bucket->id), 0);
    counter_add(&audit->exists, GARBAGE_BUCKET, bucket->id);
}

static void see_upload(struct audit *audit, const void *row)
{
    const struct upload_row *upload = row;
    bool has_bucket = counter_get(&audit->exists, GARBAGE_BUCKET, upload->bucket_id) > 0 ||
                      counter_get(&audit->garbage, GARBAGE_BUCKET, upload->bucket_id) > 0;
    if (!has_bucket)
        fail_msg("upload %llx is of no bucket", ULL(upload->id));
    assert_int_equal(counter_get(&audit->exists, GARBAGE_UPLOAD, upload->id), 0);
    counter_add(&audit->exists, GARBAGE_UPLOAD, upload->id);
}

static void see_manifest_id(struct audit *audit, const void *row)
{
    counter_add(&audit->exists, GARBAGE_MANIFEST, ((const struct manifest_row *)row)->id);
}

static void see_object(struct audit *audit, const void *row)
{
    const struct object_row *object = row;
    if (counter_get(&audit->exists, GARBAGE_BUCKET, object->bucket_id) == 0)
        fail_msg("object \"%.*s\" is of no bucket", STR_ARG(object->key));
    assert_int_equal(object->md5.len, is_delete_marker(object) ? 0 : MD5_BYTES);
    bool is_inline = object->extent_id == 0 && object->manifest_id == 0;
    assert_true(object->extent_id == 0 || object->manifest_id == 0);
    assert_int_equal(object->body.length, is_inline ? object->size : 0);
    if (object->extent_id != 0) {
        struct extent_row extent = {.id = object->extent_id};
        assert_ok(row_get(audit->tx, TABLE_extent, &extent, audit->arena));
        assert_true(object->extent_offset + object->size <= extent.length);
        counter_add(&audit->references, GARBAGE_EXTENT, object->extent_id);
    }
    if (object->manifest_id != 0) {
        struct manifest_row manifest = {.id = object->manifest_id};
        assert_ok(row_get(audit->tx, TABLE_manifest, &manifest, audit->arena));
        assert_int_equal(manifest.size, object->size);
        counter_add(&audit->references, GARBAGE_MANIFEST, object->manifest_id);
    }
}

static void see_current(struct audit *audit, const void *row)
{
    assert_false(is_delete_marker(row));
    see_object(audit, row);
}

static void see_version(struct audit *audit, const void *row)
{
    struct object_row object;
    version_as_object(row, &object);
    assert_true(!is_delete_marker(&object) || object.size == 0);
    see_object(audit, &object);
}

static void see_range(struct audit *audit, uint64_t extent_id, uint64_t offset, uint64_t length)
{
    struct extent_row extent = {.id = extent_id};
    assert_ok(row_get(audit->tx, TABLE_extent, &extent, audit->arena));
    assert_true(length > 0);
    assert_true(offset + length <= extent.length);
    counter_add(&audit->references, GARBAGE_EXTENT, extent_id);
}

static void see_part(struct audit *audit, const void *row)
{
    const struct part_row *part = row;
    struct range *range;
    size_t count;
    uint64_t size = 0;
    bool has_upload = counter_get(&audit->exists, GARBAGE_UPLOAD, part->upload_id) > 0 ||
                      counter_get(&audit->garbage, GARBAGE_UPLOAD, part->upload_id) > 0;
    if (!has_upload)
        fail_msg("part %llu is of no upload", ULL(part->number));
    assert_ok(ranges_decode(part->ranges, audit->arena, &range, &count));
    for (size_t i = 0; i < count; i++) {
        see_range(audit, range[i].extent_id, range[i].offset, range[i].length);
        size += range[i].length;
    }
    assert_int_equal(size, part->size);
}

static void see_piece(struct audit *audit, const void *row)
{
    const struct piece_row *piece = row;
    bool has_manifest = counter_get(&audit->exists, GARBAGE_MANIFEST, piece->manifest_id) > 0 ||
                        counter_get(&audit->garbage, GARBAGE_MANIFEST, piece->manifest_id) > 0;
    if (!has_manifest)
        fail_msg("the piece at %llu is of no manifest", ULL(piece->offset));
    see_range(audit, piece->extent_id, piece->extent_offset, piece->length);
}

/* ---- Comparisons ---- */

static void check_extent(struct audit *audit, const void *row)
{
    uint64_t id = ((const struct extent_row *)row)->id;
    struct extent_use_row use = {.id = id};
    uint64_t count = counter_get(&audit->references, GARBAGE_EXTENT, id);
    enum err err = row_get(audit->tx, TABLE_extent_use, &use, audit->arena);
    assert_err(err, count > 0 ? OK : ERR_NOT_FOUND);
    if (use.reference_count != count)
        fail_msg("extent %llu counts %llu references, and has %llu", ULL(id),
                 ULL(use.reference_count), ULL(count));
    uint64_t garbage = counter_get(&audit->garbage, GARBAGE_EXTENT, id);
    if ((count == 0) != (garbage > 0))
        fail_msg("extent %llu has %llu references, and %llu rows of garbage", ULL(id), ULL(count),
                 ULL(garbage));
}

static void check_extent_use(struct audit *audit, const void *row)
{
    struct extent_row extent = {.id = ((const struct extent_use_row *)row)->id};
    assert_ok(row_get(audit->tx, TABLE_extent, &extent, audit->arena));
}

static void check_manifest_pieces(struct audit *audit, const struct manifest_row *manifest)
{
    struct piece_row from = {.manifest_id = manifest->id}, piece;
    struct cursor *cursor;
    uint64_t offset = 0, count = 0;
    enum err err;
    assert_ok(cursor_open(audit->tx, TABLE_piece, &from, 1, &cursor));
    while ((err = cursor_next(cursor, &piece)) == OK) {
        assert_int_equal(piece.offset, offset);
        offset += piece.length;
        count++;
    }
    cursor_close(cursor);
    assert_err(err, ERR_NOT_FOUND);
    assert_int_equal(offset, manifest->size);
    assert_int_equal(count, manifest->piece_count);
}

static void check_manifest(struct audit *audit, const void *row)
{
    const struct manifest_row *manifest = row;
    uint64_t count = counter_get(&audit->references, GARBAGE_MANIFEST, manifest->id);
    if (count == 0 || count != manifest->reference_count)
        fail_msg("manifest %llx counts %llu references, and has %llu", ULL(manifest->id),
                 ULL(manifest->reference_count), ULL(count));
    assert_int_equal(counter_get(&audit->garbage, GARBAGE_MANIFEST, manifest->id), 0);
    check_manifest_pieces(audit, manifest);
}

/* Of one key: the newest version, and the null version among all of them. */
struct chain {
    struct object_row newest;
    uint64_t null_sequence;
    bool has_null;
};

static void chain_add(struct chain *chain, const struct object_row *row)
{
    if (row->version_id.len > 0)
        return;
    if (chain->has_null)
        fail_msg("\"%.*s\" has two null versions", STR_ARG(row->key));
    chain->has_null = true;
    chain->null_sequence = row->sequence;
}

static void chain_check(const struct chain *chain)
{
    bool is_other = chain->has_null && chain->null_sequence != chain->newest.sequence;
    assert_int_equal(chain->newest.null_sequence, is_other ? chain->null_sequence : 0);
}

static void chain_begin(struct audit *audit, struct chain *chain, const struct object_row *first)
{
    *chain = (struct chain){0};
    chain->newest = (struct object_row){.bucket_id = first->bucket_id,
                                        .key = arena_str(audit->arena, first->key)};
    if (row_get(audit->tx, TABLE_object, &chain->newest, audit->arena) == OK) {
        assert_true(chain->newest.sequence > first->sequence);
        chain_add(chain, &chain->newest);
        return;
    }
    if (!is_delete_marker(first))
        fail_msg("\"%.*s\" has versions and none is current", STR_ARG(first->key));
    chain->newest.sequence = first->sequence;
    chain->newest.null_sequence = first->null_sequence;
}

/* All that is in `version` of a bucket, counted, key by key. */
static void check_chains(struct audit *audit, uint64_t bucket_id, struct usage_row *counted)
{
    struct version_row from = {.bucket_id = bucket_id, .sequence = UINT64_MAX}, version;
    struct chain chain = {0};
    struct cursor *cursor;
    assert_ok(cursor_open(audit->tx, TABLE_version, &from, 1, &cursor));
    while (cursor_next(cursor, &version) == OK) {
        struct object_row row;
        version_as_object(&version, &row);
        if (!str_eq(row.key, chain.newest.key)) {
            chain_check(&chain);
            chain_begin(audit, &chain, &row);
        }
        chain_add(&chain, &row);
        counted->version_count++;
        counted->version_bytes += row.size;
    }
    chain_check(&chain);
    cursor_close(cursor);
}

/* A null version that the current one names is there, also where check_chains does not come. */
static void check_null(struct audit *audit, const struct object_row *object)
{
    struct version_row null = {
        .bucket_id = object->bucket_id, .key = object->key, .sequence = object->null_sequence};
    if (object->null_sequence != 0)
        assert_ok(row_get(audit->tx, TABLE_version, &null, audit->arena));
}

static void check_usage(struct audit *audit, const struct bucket_row *bucket)
{
    struct object_row from = {.bucket_id = bucket->id}, object;
    struct upload_row upload_from = {.bucket_id = bucket->id}, upload;
    struct usage_row sum, counted = {0};
    struct cursor *cursor;
    assert_ok(cursor_open(audit->tx, TABLE_object, &from, 1, &cursor));
    while (cursor_next(cursor, &object) == OK) {
        counted.object_count++;
        counted.object_bytes += object.size;
        check_null(audit, &object);
    }
    cursor_close(cursor);
    assert_ok(cursor_open(audit->tx, TABLE_upload, &upload_from, 1, &cursor));
    while (cursor_next(cursor, &upload) == OK)
        counted.upload_count++;
    cursor_close(cursor);
    assert_ok(bucket_usage(audit->tx, bucket->id, &sum));
    assert_int_equal(sum.object_count, counted.object_count);
    assert_int_equal(sum.object_bytes, counted.object_bytes);
    check_chains(audit, bucket->id, &counted);
    assert_int_equal(sum.version_count, counted.version_count);
    assert_int_equal(sum.version_bytes, counted.version_bytes);
    assert_int_equal(sum.upload_count, counted.upload_count);
}

static void check_bucket(struct audit *audit, const void *row)
{
    const struct bucket_row *bucket = row;
    struct owned_bucket_row owned = {.owner = bucket->owner, .name = bucket->name};
    assert_ok(row_get(audit->tx, TABLE_owned_bucket, &owned, audit->arena));
    assert_int_equal(owned.created_ms, bucket->created_ms);
    check_usage(audit, bucket);
}

static void check_owned_bucket(struct audit *audit, const void *row)
{
    const struct owned_bucket_row *owned = row;
    struct bucket_row bucket = {.name = owned->name};
    assert_ok(row_get(audit->tx, TABLE_bucket, &bucket, audit->arena));
    assert_str(bucket.owner, owned->owner);
}

/* A usage row outlives its bucket only by mistake. */
static void check_usage_owner(struct audit *audit, const void *row)
{
    assert_int_equal(
        counter_get(&audit->exists, GARBAGE_BUCKET, ((const struct usage_row *)row)->bucket_id), 1);
}

void audit(struct client *client)
{
    struct audit audit = {.arena = arena_new(AUDIT_ARENA_BYTES),
                          .references.map = map_new(),
                          .exists.map = map_new(),
                          .garbage.map = map_new()};
    assert_ok(view_begin(store_engine(client->store), VIEW_WAIT, &audit.tx));
    EACH_ROW(&audit, garbage, see_garbage);
    EACH_ROW(&audit, bucket, see_bucket_id);
    EACH_ROW(&audit, upload, see_upload);
    EACH_ROW(&audit, manifest, see_manifest_id);
    EACH_ROW(&audit, object, see_current);
    EACH_ROW(&audit, version, see_version);
    EACH_ROW(&audit, part, see_part);
    EACH_ROW(&audit, piece, see_piece);
    EACH_ROW(&audit, extent, check_extent);
    EACH_ROW(&audit, extent_use, check_extent_use);
    EACH_ROW(&audit, manifest, check_manifest);
    EACH_ROW(&audit, bucket, check_bucket);
    EACH_ROW(&audit, owned_bucket, check_owned_bucket);
    EACH_ROW(&audit, usage, check_usage_owner);
    view_end(audit.tx);
    map_free(audit.references.map);
    map_free(audit.exists.map);
    map_free(audit.garbage.map);
    arena_free(audit.arena);
}

/* ---- At rest ---- */

static void count_one(struct audit *audit, const void *row)
{
    (void)row;
    counter_add(&audit->exists, 0, 0);
}

/* Room for a row of any table. */
union any_row {
#define ANY_ROW(number, name) struct name##_row name;
    TABLES(ANY_ROW)
#undef ANY_ROW
};

size_t count_rows(struct client *client, enum table_id table)
{
    struct audit audit = {.exists.map = map_new()};
    union any_row from = {0}, row;
    assert_ok(view_begin(store_engine(client->store), VIEW_WAIT, &audit.tx));
    each_row(&audit, table, &from, &row, count_one);
    view_end(audit.tx);
    size_t count = counter_get(&audit.exists, 0, 0);
    map_free(audit.exists.map);
    return count;
}

void settle(struct client *client)
{
    enum { ROUNDS_MAX = 200, WAIT_US = 1500 };
    struct janitor_report report;
    struct fail fail = {0};
    for (int round = 0; count_rows(client, TABLE_garbage) > 0; round++) {
        if (round == ROUNDS_MAX)
            fail_msg("the janitor finds no end: %llu rows are left",
                     ULL(count_rows(client, TABLE_garbage)));
        usleep(WAIT_US); /* the grace of a millisecond */
        assert_ok(janitor_run(client->store, &report, &fail));
    }
    audit(client);
    assert_int_equal(count_rows(client, TABLE_extent), count_rows(client, TABLE_extent_use));
}
