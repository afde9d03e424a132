#include "object/damage.h"

#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/map.h"
#include "base/mem.h"
#include "object/store_int.h"
#include "object/upload.h"

enum { ROW_ARENA_BYTES = 64 << 20 };

/* Numbers as keys of a map. */
struct number {
    char bytes[8];
};

static str number_key(struct number *number, uint64_t value)
{
    memcpy(number->bytes, &value, sizeof(number->bytes));
    return str_of(number->bytes, sizeof(number->bytes));
}

static bool has_number(const struct map *map, uint64_t value)
{
    struct number number;
    return map_find(map, number_key(&number, value)) != NULL;
}

struct damage {
    struct map *extents, *rows;
    struct map *manifests; /* that have a piece of a damaged extent; found by a search */
    uint64_t forgotten_count;
};

struct damage *damage_new(void)
{
    struct damage *damage = mem_new(struct damage);
    damage->extents = map_new();
    damage->rows = map_new();
    damage->manifests = map_new();
    return damage;
}

void damage_free(struct damage *damage)
{
    if (!damage)
        return;
    map_free(damage->extents);
    map_free(damage->rows);
    map_free(damage->manifests);
    mem_free(damage);
}

static void remember(struct damage *damage, struct map *map, str key)
{
    if (map_count(map) < DAMAGE_MAX || map_find(map, key))
        (void)map_set(map, key, damage);
    else
        damage->forgotten_count++;
}

void damage_add_extent(struct damage *damage, uint64_t extent_id)
{
    struct number number;
    remember(damage, damage->extents, number_key(&number, extent_id));
}

void damage_add_row(struct damage *damage, str row_key)
{
    remember(damage, damage->rows, row_key);
}

bool damage_is_empty(const struct damage *damage)
{
    return map_count(damage->extents) == 0 && map_count(damage->rows) == 0;
}

uint64_t damage_forgotten_count(const struct damage *damage)
{
    return damage->forgotten_count;
}

/* ---- The search ---- */

struct finder {
    struct damage *damage;
    struct tx *tx;
    const struct damage_search *search;
    struct arena *arena; /* of one row */
    struct buf key;
    str bucket;
};

static enum err go_on(struct finder *finder)
{
    arena_reset(finder->arena);
    const bool *stop = finder->search->stop;
    return stop && __atomic_load_n(stop, __ATOMIC_RELAXED) ? ERR_CANCELLED : OK;
}

/* All rows that agree with *from in prefix_count columns. */
static enum err each_row(struct finder *finder, enum table_id table, const void *from,
                         size_t prefix_count,
                         enum err (*fn)(struct finder *finder, const void *row))
{
    _Alignas(max_align_t) char row[4096] = {0};
    struct cursor *cursor;
    TRY(cursor_open(finder->tx, table, from, prefix_count, &cursor));
    enum err err;
    while ((err = cursor_next(cursor, row)) == OK) {
        err = fn(finder, row);
        if (err != OK)
            break;
    }
    cursor_close(cursor);
    return err == ERR_NOT_FOUND ? OK : err;
}

static enum err see_piece(struct finder *finder, const void *row)
{
    const struct piece_row *piece = row;
    struct number number;
    if (has_number(finder->damage->extents, piece->extent_id))
        (void)map_set(finder->damage->manifests, number_key(&number, piece->manifest_id),
                      finder->damage);
    return go_on(finder);
}

/* Whether the body of the row, which the engine cannot read whole, is hit: columns are in the catalogue all the same. */
static enum err is_body_lost(struct finder *finder, const struct blob *body, bool *out_lost)
{
    *out_lost = false;
    if (body->length == 0)
        return OK;
    char *dst = arena_try_alloc(finder->arena, body->length);
    if (!dst)
        return ERR_TOO_LARGE;
    enum err err = blob_read(finder->tx, body, dst);
    *out_lost = err != OK;
    return OK;
}

static bool is_row_damaged(struct finder *finder, enum table_id table, const void *row)
{
    if (map_count(finder->damage->rows) == 0)
        return false;
    buf_clear(&finder->key);
    row_key_encode(table_of(table), row, &finder->key);
    return map_find(finder->damage->rows, buf_str(&finder->key)) != NULL;
}

static void tell_version(struct finder *finder, const char *what, str key, str version_id)
{
    finder->search->hit(finder->search->context,
                        &(struct damage_hit){
                            .what = what,
                            .bucket = finder->bucket,
                            .key = key,
                            .version_id = version_id.len ? version_id : STR("null"),
                        });
}

static bool is_far_body_damaged(const struct finder *finder, uint64_t extent_id,
                                uint64_t manifest_id)
{
    return (extent_id && has_number(finder->damage->extents, extent_id)) ||
           (manifest_id && has_number(finder->damage->manifests, manifest_id));
}

static enum err see_object(struct finder *finder, const void *row)
{
    const struct object_row *object = row;
    bool is_hit = is_far_body_damaged(finder, object->extent_id, object->manifest_id);
    if (!is_hit && is_row_damaged(finder, TABLE_object, row))
        TRY(is_body_lost(finder, &object->body, &is_hit));
    if (is_hit)
        tell_version(finder, "the object", object->key, object->version_id);
    return go_on(finder);
}

static enum err see_version(struct finder *finder, const void *row)
{
    const struct version_row *version = row;
    bool is_hit = is_far_body_damaged(finder, version->extent_id, version->manifest_id);
    if (!is_hit && is_row_damaged(finder, TABLE_version, row))
        TRY(is_body_lost(finder, &version->body, &is_hit));
    if (is_hit)
        tell_version(finder, "an old version", version->key, version->version_id);
    return go_on(finder);
}

static enum err is_part_hit(struct finder *finder, const struct part_row *part, bool *out_hit)
{
    struct range *range;
    size_t count;
    *out_hit = false;
    TRY(ranges_decode(part->ranges, finder->arena, &range, &count));
    for (size_t i = 0; i < count; i++)
        *out_hit |= has_number(finder->damage->extents, range[i].extent_id);
    return OK;
}

static enum err see_upload(struct finder *finder, const void *row)
{
    const struct upload_row *upload = row;
    struct part_row from = {.upload_id = upload->id}, part;
    struct cursor *cursor;
    char text[UPLOAD_ID_TEXT];
    bool is_hit;
    TRY(cursor_open(finder->tx, TABLE_part, &from, 1, &cursor));
    enum err err;
    while ((err = cursor_next(cursor, &part)) == OK) {
        err = is_part_hit(finder, &part, &is_hit);
        if (err != OK)
            break;
        if (is_hit)
            finder->search->hit(finder->search->context,
                                &(struct damage_hit){
                                    .what = "a part of an unfinished upload",
                                    .bucket = finder->bucket,
                                    .key = upload->key,
                                    .upload_id = upload_id_format(upload->id, text),
                                    .part_number = part.number,
                                });
    }
    cursor_close(cursor);
    TRY(err == ERR_NOT_FOUND ? OK : err);
    return go_on(finder);
}

static enum err see_bucket(struct finder *finder, const void *row)
{
    const struct bucket_row *bucket = row;
    struct object_row object = {.bucket_id = bucket->id};
    struct version_row version = {.bucket_id = bucket->id};
    struct upload_row upload = {.bucket_id = bucket->id};
    finder->bucket = bucket->name;
    TRY(each_row(finder, TABLE_object, &object, 1, see_object));
    TRY(each_row(finder, TABLE_version, &version, 1, see_version));
    return each_row(finder, TABLE_upload, &upload, 1, see_upload);
}

static enum err find_hits(struct finder *finder)
{
    struct piece_row piece = {0};
    struct bucket_row bucket = {0};
    if (map_count(finder->damage->extents) > 0)
        TRY(each_row(finder, TABLE_piece, &piece, 0, see_piece));
    return each_row(finder, TABLE_bucket, &bucket, 0, see_bucket);
}

/* An extent whose row alone is damaged is read by what the catalogue knows of it, and so nothing is lost by that. */
enum err damage_name(struct damage *damage, struct engine *engine,
                     const struct damage_search *search)
{
    struct finder finder = {.damage = damage, .search = search};
    TRY(view_begin(engine, VIEW_WAIT, &finder.tx));
    finder.arena = arena_new(ROW_ARENA_BYTES);
    buf_init(&finder.key, ROW_KEY_MAX);
    enum err err = find_hits(&finder);
    buf_release(&finder.key);
    arena_free(finder.arena);
    view_end(finder.tx);
    return err;
}

/* ---- Mending ---- */

struct mend {
    struct update update;
    struct arena *arena;
    str row_key;
};

static enum err write_again(struct update *update, struct tx *tx)
{
    _Alignas(max_align_t) char row[4096] = {0};
    struct mend *mend = container_of(update, struct mend, update);
    const struct table *table = table_of((enum table_id)mend->row_key.ptr[0]);
    arena_reset(mend->arena);
    TRY(row_key_decode(table, mend->row_key, mend->arena, row));
    TRY(row_get(tx, table->id, row, mend->arena));
    return row_put(tx, table->id, row);
}

enum err damage_mend_rows(struct damage *damage, struct engine *engine, uint64_t *out_mended,
                          uint64_t *out_left)
{
    struct mend mend = {.arena = arena_new(ROW_ARENA_BYTES)};
    uint64_t mended = 0, left = 0;
    size_t cursor = 0;
    void *value;
    enum err err = OK;
    while (err == OK && map_next(damage->rows, &cursor, &mend.row_key, &value)) {
        mend.update = (struct update){.apply = write_again};
        err = catalog_update_wait(engine, &mend.update);
        mended += err == OK;
        left += err == ERR_CORRUPT;
        if (err == ERR_CORRUPT || err == ERR_NOT_FOUND)
            err = OK;
    }
    arena_free(mend.arena);
    if (err != OK)
        return err;
    *out_mended = mended;
    *out_left = left;
    return OK;
}
