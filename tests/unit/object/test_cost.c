/* Aim: promise 5 (docs/reliability.md): the cost of an operation depends on the operation, never on
 * how much is stored. Each operation on objects, versions, uploads, lists and buckets runs on a
 * store with a hundred rows of each kind around what it is about, and on one with ten thousand. It
 * must ask the engine for the same number of rows on both, and for few. */
#include "object/bucket_config.h"
#include "object/store_int.h"
#include "object/usage.h"
#include "row_counter.h"
#include "world.h"

enum {
    FEW = 100,
    MANY = 10000,
    BATCH = 500, /* of one update that fills */
    FOLDERS = 10,
    PAGE = 20,
    PIECE_BYTES = 1000,
    LOOKUP_MOST = 10, /* rows */
    CHANGE_MOST = 20,
    PAGE_MOST = 3 * PAGE + LOOKUP_MOST,
    INLINE_MAX = 64 << 10,
};

/* Ids of what is put into the tables by hand, out of the way of those that the store gives. */
enum {
    ID_UPLOAD = 1,
    ID_BUCKET = 1 << 20,
    ID_FILM = 1 << 21,
    ID_EXTENT,
    ID_LEAVING_UPLOAD = 1 << 22
};

#define OTHER STR("other")
#define KEPT STR("kept")
#define LEAVING STR("leaving")
#define SLASH STR("/")
#define OLD STR("old")   /* a key of "kept" with as many versions as the store has rows */
#define FILM STR("film") /* an object of "photos" with as many parts */

struct stage {
    struct world world;
    struct client *client;
    struct row_counter *counter;
    size_t count; /* of each kind */
    uint64_t photos_id, other_id, kept_id, leaving_id;
    uint64_t upload_id; /* of "photos", of the key "reel": with as many parts as there are rows */
};

/* ---- Rows put by hand: what a store that was used for long has ---- */

static str key_of(struct arena *arena, size_t i)
{
    return arena_printf(arena, "dir-%zu/%06zu", i % FOLDERS, i);
}

static str version_id_of(struct arena *arena, uint64_t sequence)
{
    return arena_printf(arena, "%016llx%016x", (unsigned long long)sequence, 0);
}

static struct object_row object_of(uint64_t bucket_id, str key, uint64_t sequence)
{
    return (struct object_row){.bucket_id = bucket_id,
                               .key = key,
                               .sequence = sequence,
                               .size = 1,
                               .md5 = STR("0123456789abcdef"),
                               .body = {.bytes = "x", .length = 1}};
}

static struct version_row version_of(struct arena *arena, uint64_t bucket_id, str key,
                                     uint64_t sequence)
{
    return (struct version_row){.bucket_id = bucket_id,
                                .key = key,
                                .sequence = sequence,
                                .version_id = version_id_of(arena, sequence),
                                .size = 1,
                                .md5 = STR("0123456789abcdef"),
                                .body = {.bytes = "x", .length = 1}};
}

static enum err put_objects(struct tx *tx, const struct stage *stage, struct arena *arena, size_t i)
{
    str key = key_of(arena, i);
    const struct object_row photo = object_of(stage->photos_id, key, 1),
                            other = object_of(stage->other_id, key, 1);
    struct object_row kept = object_of(stage->kept_id, key, 2);
    struct version_row before = version_of(arena, stage->kept_id, key, 1),
                       old = version_of(arena, stage->kept_id, OLD, i + 1);
    kept.version_id = version_id_of(arena, 2);
    if (i == 0)
        old.version_id = (str){0}; /* the null version */
    TRY(row_put(tx, TABLE_object, &photo));
    TRY(row_put(tx, TABLE_object, &other));
    TRY(row_put(tx, TABLE_object, &kept));
    TRY(row_put(tx, TABLE_version, &before));
    return row_put(tx, TABLE_version, &old);
}

static enum err put_uploads(struct tx *tx, const struct stage *stage, struct arena *arena, size_t i)
{
    const struct upload_row upload = {
        .bucket_id = stage->photos_id, .key = key_of(arena, i), .id = ID_UPLOAD + i};
    const struct upload_row leaving = {
        .bucket_id = stage->leaving_id, .key = key_of(arena, i), .id = ID_LEAVING_UPLOAD + i};
    const struct part_row part = {.upload_id = ID_UPLOAD + i, .number = 1};
    const struct part_row reel_part = {.upload_id = stage->upload_id, .number = i + 3};
    const struct piece_row piece = {.manifest_id = ID_FILM,
                                    .offset = i * PIECE_BYTES,
                                    .length = PIECE_BYTES,
                                    .extent_id = ID_EXTENT,
                                    .part_number = i + 1,
                                    .part_size = PIECE_BYTES};
    TRY(row_put(tx, TABLE_upload, &upload));
    TRY(row_put(tx, TABLE_upload, &leaving));
    TRY(row_put(tx, TABLE_part, &part));
    TRY(row_put(tx, TABLE_part, &reel_part));
    return row_put(tx, TABLE_piece, &piece);
}

static enum err put_buckets(struct tx *tx, struct arena *arena, size_t i)
{
    str name = arena_printf(arena, "bucket-%06zu", i);
    const struct bucket_row bucket = {.name = name, .id = ID_BUCKET + i, .owner = OWNER};
    const struct owned_bucket_row owned = {.owner = OWNER, .name = name};
    const struct usage_row usage = {.bucket_id = bucket.id};
    TRY(row_put(tx, TABLE_bucket, &bucket));
    TRY(row_put(tx, TABLE_owned_bucket, &owned));
    return row_put(tx, TABLE_usage, &usage);
}

/* What there is once. */
static enum err put_heads(struct tx *tx, const struct stage *stage, struct arena *arena)
{
    struct object_row old = object_of(stage->kept_id, OLD, stage->count + 1);
    struct object_row film = object_of(stage->photos_id, FILM, 1);
    const struct manifest_row manifest = {.id = ID_FILM,
                                          .reference_count = 1,
                                          .size = stage->count * PIECE_BYTES,
                                          .piece_count = stage->count};
    const struct extent_use_row use = {.id = ID_EXTENT, .reference_count = stage->count};
    const struct usage_row usage[] = {
        {.bucket_id = stage->photos_id,
         .object_count = stage->count + 1,
         .upload_count = stage->count},
        {.bucket_id = stage->kept_id, .object_count = stage->count + 1},
        {.bucket_id = stage->other_id, .object_count = stage->count},
    };
    old.version_id = version_id_of(arena, old.sequence);
    old.null_sequence = 1;
    film.manifest_id = manifest.id;
    film.size = manifest.size;
    film.part_count = stage->count;
    film.body = (struct blob){0};
    for (size_t i = 0; i < COUNT_OF(usage); i++)
        TRY(row_put(tx, TABLE_usage, &usage[i]));
    TRY(row_put(tx, TABLE_manifest, &manifest));
    TRY(row_put(tx, TABLE_extent_use, &use));
    TRY(row_put(tx, TABLE_object, &old));
    return row_put(tx, TABLE_object, &film);
}

struct fill {
    struct update update;
    const struct stage *stage;
    size_t first;
};

static enum err fill_apply(struct update *update, struct tx *tx)
{
    const struct fill *fill = container_of(update, struct fill, update);
    const struct stage *stage = fill->stage;
    struct arena *arena = stage->client->arena;
    if (fill->first == 0)
        TRY(put_heads(tx, stage, arena));
    for (size_t i = fill->first; i < stage->count && i < fill->first + BATCH; i++) {
        TRY(put_objects(tx, stage, arena, i));
        TRY(put_uploads(tx, stage, arena, i));
        TRY(put_buckets(tx, arena, i));
    }
    return OK;
}

static struct tx *begin(struct stage *stage)
{
    struct tx *tx;
    assert_ok(view_begin(stage->world.engine, VIEW_WAIT, &tx));
    return tx;
}

static uint64_t make_bucket(struct stage *stage, str name)
{
    struct bucket_row row;
    enum err err = create_bucket(stage->client, name);
    assert_true(err == OK || err == ERR_BUCKET_OWNED);
    struct tx *tx = begin(stage);
    assert_ok(bucket_find(tx, name, stage->client->arena, &row));
    view_end(tx);
    return row.id;
}

static void stage_open(struct stage *stage, size_t count)
{
    *stage = (struct stage){.count = count};
    world_open(&stage->world, NULL);
    struct client *client = stage->client = &stage->world.client;
    stage->photos_id = make_bucket(stage, PHOTOS);
    stage->other_id = make_bucket(stage, OTHER);
    stage->kept_id = make_bucket(stage, KEPT);
    stage->leaving_id = make_bucket(stage, LEAVING);
    assert_ok(set_versioning(client, KEPT, VERSIONING_ENABLED));
    assert_ok(create_upload(client, &(struct upload_args){.bucket = PHOTOS, .key = STR("reel")},
                            &stage->upload_id));
    for (size_t first = 0; first < count; first += BATCH) {
        struct fill fill = {.update.apply = fill_apply, .stage = stage, .first = first};
        assert_ok(catalog_update_wait(stage->world.engine, &fill.update));
    }
    stage->counter = row_counter_new(stage->world.engine);
}

static void stage_close(struct stage *stage)
{
    world_close(&stage->world);
    row_counter_free(stage->counter);
}

/* What came before belongs to the preparation. */
static void count_from_here(struct stage *stage)
{
    (void)row_counter_take(stage->counter);
}

/* ---- Looking at one thing ---- */

static void find_the_bucket(struct stage *stage)
{
    struct bucket_row row;
    struct tx *tx = begin(stage);
    assert_ok(bucket_find(tx, PHOTOS, stage->client->arena, &row));
    view_end(tx);
}

static void head(struct stage *stage)
{
    struct object_row row;
    assert_ok(find_object(stage->client, PHOTOS, key_of(stage->client->arena, 42), &row));
}

static void head_of_nothing(struct stage *stage)
{
    struct object_row row;
    assert_err(find_object(stage->client, KEPT, STR("nothing"), &row), ERR_NO_SUCH_KEY);
}

static void get(struct stage *stage)
{
    assert_object(stage->client, PHOTOS, key_of(stage->client->arena, 42), STR("x"));
}

static void get_large(struct stage *stage)
{
    str bytes = bytes_of(stage->client->arena, 1, 2 * INLINE_MAX), found;
    assert_ok(put_bytes(stage->client, PHOTOS, STR("large"), bytes));
    count_from_here(stage);
    assert_ok(get_range(stage->client, PHOTOS, STR("large"), INLINE_MAX, 9, &found));
    assert_str(found, str_slice(bytes, INLINE_MAX, INLINE_MAX + 9));
}

static void get_old_version(struct stage *stage)
{
    str bytes, id = version_id_of(stage->client->arena, stage->count / 2);
    assert_ok(get_version(stage->client, KEPT, OLD, id, &bytes));
    assert_str(bytes, STR("x"));
}

static void get_null_version(struct stage *stage)
{
    str bytes;
    assert_ok(get_version(stage->client, KEPT, OLD, STR("null"), &bytes));
}

static void find_part(struct stage *stage)
{
    struct object_row row;
    struct object_part part;
    assert_ok(find_object(stage->client, PHOTOS, FILM, &row));
    struct tx *tx = begin(stage);
    assert_ok(object_part_find(tx, &row, stage->count - 1, stage->client->arena, &part));
    view_end(tx);
    assert_int_equal(part.offset, (stage->count - 2) * PIECE_BYTES);
}

/* ---- Changes of objects ---- */

static void put_new(struct stage *stage)
{
    assert_ok(put_bytes(stage->client, PHOTOS, STR("dir-5/new"), STR("bytes")));
}

static void put_large(struct stage *stage)
{
    str bytes = bytes_of(stage->client->arena, 2, 2 * INLINE_MAX);
    assert_ok(put_bytes(stage->client, PHOTOS, STR("dir-5/large"), bytes));
}

static void overwrite(struct stage *stage)
{
    assert_ok(put_bytes(stage->client, PHOTOS, key_of(stage->client->arena, 7), STR("bytes")));
}

static void overwrite_film(struct stage *stage)
{
    assert_ok(put_bytes(stage->client, PHOTOS, FILM, STR("bytes")));
}

static void put_version(struct stage *stage)
{
    assert_ok(put_bytes(stage->client, KEPT, OLD, STR("bytes")));
}

static void put_null_version(struct stage *stage)
{
    assert_ok(set_versioning(stage->client, KEPT, VERSIONING_SUSPENDED));
    count_from_here(stage);
    assert_ok(put_bytes(stage->client, KEPT, OLD, STR("bytes")));
}

static void set_tags(struct stage *stage, str version_id)
{
    struct pending pending;
    struct object_set_tags set = {.op = client_op(stage->client, &pending),
                                  .bucket = KEPT,
                                  .key = OLD,
                                  .version_id = version_id};
    object_set_tags_start(&set);
    assert_ok(client_wait_op(&pending));
}

static void tag_object(struct stage *stage)
{
    set_tags(stage, (str){0});
}

static void tag_old_version(struct stage *stage)
{
    set_tags(stage, version_id_of(stage->client->arena, stage->count / 2));
}

static void delete_one(struct stage *stage)
{
    assert_ok(delete_object(stage->client, PHOTOS, key_of(stage->client->arena, 8)));
}

static void put_marker(struct stage *stage)
{
    assert_ok(delete_object(stage->client, KEPT, OLD));
}

static void delete_old_version(struct stage *stage)
{
    struct object_delete_entry entry = {.key = OLD,
                                        .version_id =
                                            version_id_of(stage->client->arena, stage->count / 3),
                                        .if_size = UINT64_MAX};
    assert_ok(delete_entry(stage->client, KEPT, &entry));
}

/* The one under it comes to light. */
static void delete_newest_version(struct stage *stage)
{
    struct object_row row;
    assert_ok(find_object(stage->client, KEPT, OLD, &row));
    struct object_delete_entry entry = {
        .key = OLD, .version_id = row.version_id, .if_size = UINT64_MAX};
    count_from_here(stage);
    assert_ok(delete_entry(stage->client, KEPT, &entry));
}

static void copy(struct stage *stage, str source, str key)
{
    struct object_copy args = {
        .source_bucket = PHOTOS, .source_key = source, .bucket = OTHER, .row.key = key};
    assert_ok(copy_object(stage->client, &args));
}

static void copy_small(struct stage *stage)
{
    copy(stage, key_of(stage->client->arena, 9), STR("dir-5/copy"));
}

static void copy_film(struct stage *stage)
{
    copy(stage, FILM, STR("dir-5/film"));
}

/* ---- Multipart ---- */

static void begin_upload(struct stage *stage)
{
    uint64_t id;
    assert_ok(create_upload(stage->client,
                            &(struct upload_args){.bucket = PHOTOS, .key = STR("dir-5/up")}, &id));
}

static struct completed_part put_reel_part(struct stage *stage, uint64_t number, size_t len)
{
    struct part_row row;
    const struct part_args args = {.bucket = PHOTOS,
                                   .key = STR("reel"),
                                   .upload_id = stage->upload_id,
                                   .number = number,
                                   .bytes = bytes_of(stage->client->arena, number, len)};
    assert_ok(put_part(stage->client, &args, &row));
    return completed_part_of(stage->client, &row);
}

static void add_part(struct stage *stage)
{
    (void)put_reel_part(stage, 1, INLINE_MAX);
}

static void replace_part(struct stage *stage)
{
    (void)put_reel_part(stage, 1, INLINE_MAX);
}

/* A range over two pieces in the middle of an object that has many. */
static void copy_range_as_part(struct stage *stage)
{
    uint64_t first = stage->count / 2 * PIECE_BYTES + 1;
    struct upload_part_copy args = {.source_bucket = PHOTOS,
                                    .source_key = FILM,
                                    .has_range = true,
                                    .range_first = first,
                                    .range_last = first + PIECE_BYTES,
                                    .bucket = PHOTOS,
                                    .key = STR("reel"),
                                    .upload_id = stage->upload_id,
                                    .row.number = 2};
    assert_ok(copy_part(stage->client, &args));
}

/* Two parts; the many others of the upload are left out. */
static void complete(struct stage *stage)
{
    struct completed_part part[] = {put_reel_part(stage, 1, PART_MIN_BYTES),
                                    put_reel_part(stage, 2, 1)};
    struct upload_complete args = {.bucket = PHOTOS,
                                   .key = STR("reel"),
                                   .upload_id = stage->upload_id,
                                   .part = part,
                                   .part_count = COUNT_OF(part),
                                   .expected_size = UINT64_MAX};
    count_from_here(stage);
    assert_ok(complete_upload(stage->client, &args));
}

static void abort_one(struct stage *stage)
{
    assert_ok(
        abort_upload(stage->client, PHOTOS, key_of(stage->client->arena, 50), ID_UPLOAD + 50));
}

/* ---- Pages ---- */

static enum err see(struct list_visitor *visitor, str name, const struct object_row *row)
{
    (void)visitor, (void)name, (void)row;
    return OK;
}

static void list(struct stage *stage, struct list_args args, size_t expected)
{
    struct list_visitor visitor = {.entry = see};
    struct list_result result;
    args.bucket_id = stage->photos_id;
    args.max_count = PAGE;
    struct tx *tx = begin(stage);
    assert_ok(object_list(tx, &args, &visitor, stage->client->arena, &result));
    view_end(tx);
    assert_int_equal(result.count, expected);
}

static void list_keys(struct stage *stage)
{
    list(stage, (struct list_args){0}, PAGE);
}

static void list_keys_after_one(struct stage *stage)
{
    list(stage, (struct list_args){.after = key_of(stage->client->arena, 55)}, PAGE);
}

static void list_folders(struct stage *stage)
{
    list(stage, (struct list_args){.prefix = STR("dir-"), .delimiter = SLASH}, FOLDERS);
}

static void list_folders_after_one(struct stage *stage)
{
    list(stage,
         (struct list_args){.prefix = STR("dir-"), .delimiter = SLASH, .after = STR("dir-6/")},
         FOLDERS - 7);
}

static enum err see_version(struct version_visitor *visitor, str name, const struct object_row *row,
                            bool is_latest)
{
    (void)visitor, (void)name, (void)row, (void)is_latest;
    return OK;
}

static void list_versions(struct stage *stage, struct list_args args, str after_version,
                          size_t expected)
{
    struct version_visitor visitor = {.entry = see_version};
    struct version_list_result result;
    args.bucket_id = stage->kept_id;
    args.max_count = PAGE;
    struct tx *tx = begin(stage);
    assert_ok(
        object_version_list(tx, &args, after_version, &visitor, stage->client->arena, &result));
    view_end(tx);
    assert_int_equal(result.count, expected);
}

static void list_versions_of_keys(struct stage *stage)
{
    list_versions(stage, (struct list_args){0}, (str){0}, PAGE);
}

static void list_versions_of_folders(struct stage *stage)
{
    list_versions(stage, (struct list_args){.prefix = STR("dir-"), .delimiter = SLASH}, (str){0},
                  FOLDERS);
}

static void list_versions_of_one_key(struct stage *stage)
{
    list_versions(stage, (struct list_args){.after = OLD},
                  version_id_of(stage->client->arena, stage->count / 2), PAGE);
}

static void list_uploads(struct stage *stage)
{
    const struct upload_list_args args = {.bucket_id = stage->photos_id,
                                          .prefix = STR("dir-"),
                                          .delimiter = SLASH,
                                          .max_count = PAGE};
    struct upload_entry *entry;
    size_t count;
    bool is_truncated;
    struct tx *tx = begin(stage);
    assert_ok(upload_list(tx, &args, stage->client->arena, &entry, &count, &is_truncated));
    view_end(tx);
    assert_int_equal(count, FOLDERS);
}

static void list_parts_of_upload(struct stage *stage)
{
    struct part_row *part;
    size_t count;
    bool is_truncated;
    struct tx *tx = begin(stage);
    assert_ok(upload_part_list(tx, stage->upload_id, stage->count / 2, PAGE, stage->client->arena,
                               &part, &count, &is_truncated));
    view_end(tx);
    assert_int_equal(count, PAGE);
}

static void list_parts_of_object(struct stage *stage)
{
    struct object_row row;
    struct object_part *part;
    size_t count;
    bool is_truncated;
    assert_ok(find_object(stage->client, PHOTOS, FILM, &row));
    struct tx *tx = begin(stage);
    assert_ok(object_part_list(tx, &row, stage->count / 2, PAGE, stage->client->arena, &part,
                               &count, &is_truncated));
    view_end(tx);
    assert_int_equal(count, PAGE);
}

/* ---- Buckets ---- */

static void list_buckets(struct stage *stage)
{
    const struct bucket_list_args args = {
        .owner = OWNER, .after = STR("bucket-000050"), .max_count = PAGE};
    struct bucket_entry *entry;
    size_t count;
    bool is_truncated;
    struct tx *tx = begin(stage);
    assert_ok(bucket_list(tx, &args, stage->client->arena, &entry, &count, &is_truncated));
    view_end(tx);
    assert_int_equal(count, PAGE);
}

static void sum_usage(struct stage *stage)
{
    struct usage_row sum;
    struct tx *tx = begin(stage);
    assert_ok(bucket_usage(tx, stage->other_id, &sum));
    view_end(tx);
    assert_true(sum.object_count >= stage->count);
}

static void tag_bucket(struct stage *stage)
{
    struct pending pending;
    struct bucket_set_config set = {.op = client_op(stage->client, &pending),
                                    .name = PHOTOS,
                                    .kind = CONFIG_TAGS,
                                    .document = STR("tags")};
    bucket_set_config_start(&set);
    assert_ok(client_wait_op(&pending));
}

static void list_usage(struct stage *stage)
{
    struct usage_entry *entry;
    size_t count;
    bool is_truncated;
    assert_ok(usage_list(stage->client->store, PAGE, stage->client->arena, &entry, &count,
                         &is_truncated));
    assert_int_equal(count, PAGE);
}

static void make_new_bucket(struct stage *stage)
{
    assert_ok(create_bucket(stage->client, STR("new-bucket")));
}

/* It has no objects, and many unfinished uploads. */
static void delete_left_bucket(struct stage *stage)
{
    assert_ok(delete_bucket(stage->client, LEAVING));
}

static void delete_full_bucket(struct stage *stage)
{
    assert_err(delete_bucket(stage->client, OTHER), ERR_BUCKET_NOT_EMPTY);
}

/* ---- The comparison ---- */

static const struct operation {
    const char *name;
    void (*run)(struct stage *stage);
    unsigned most;     /* rows */
    unsigned may_grow; /* from FEW to MANY; what is found by bisection takes seven steps more */
} operations[] = {
    {"bucket", find_the_bucket, LOOKUP_MOST, 0},
    {"HEAD", head, LOOKUP_MOST, 0},
    {"HEAD of nothing", head_of_nothing, LOOKUP_MOST, 0},
    {"GET", get, LOOKUP_MOST, 0},
    {"GET of a range of a large body", get_large, LOOKUP_MOST, 0},
    {"GET of an old version", get_old_version, LOOKUP_MOST, 0},
    {"GET of the null version", get_null_version, LOOKUP_MOST, 0},
    {"HEAD of a part", find_part, 3 * LOOKUP_MOST, 9},
    {"PUT", put_new, CHANGE_MOST, 0},
    {"PUT of a large body", put_large, CHANGE_MOST, 0},
    {"PUT over an object", overwrite, CHANGE_MOST, 0},
    {"PUT of a version", put_version, CHANGE_MOST, 0},
    {"tags of an object", tag_object, CHANGE_MOST, 0},
    {"tags of an old version", tag_old_version, CHANGE_MOST, 0},
    {"DELETE", delete_one, CHANGE_MOST, 0},
    {"DELETE of an old version", delete_old_version, CHANGE_MOST, 0},
    {"DELETE of the newest version", delete_newest_version, CHANGE_MOST, 0},
    {"DELETE with a marker", put_marker, CHANGE_MOST, 0},
    {"PUT of a null version", put_null_version, CHANGE_MOST, 0},
    {"copy", copy_small, CHANGE_MOST, 0},
    {"copy of an object of parts", copy_film, CHANGE_MOST, 0},
    {"a new upload", begin_upload, CHANGE_MOST, 0},
    {"a part", add_part, CHANGE_MOST, 0},
    {"a part again", replace_part, CHANGE_MOST, 0},
    {"a part copied from parts", copy_range_as_part, CHANGE_MOST, 0},
    {"list of keys", list_keys, PAGE_MOST, 0},
    {"list of keys, a later page", list_keys_after_one, PAGE_MOST, 0},
    {"list of folders", list_folders, PAGE_MOST, 0},
    {"list of folders, a later page", list_folders_after_one, PAGE_MOST, 0},
    {"list of versions", list_versions_of_keys, PAGE_MOST, 0},
    {"list of versions, folders", list_versions_of_folders, PAGE_MOST, 0},
    {"list of versions of one key, a later page", list_versions_of_one_key, PAGE_MOST, 0},
    {"list of uploads, folders", list_uploads, PAGE_MOST, 0},
    {"list of parts of an upload", list_parts_of_upload, PAGE_MOST, 0},
    {"list of parts of an object", list_parts_of_object, PAGE_MOST, 9},
    {"list of buckets", list_buckets, PAGE_MOST, 0},
    {"complete", complete, CHANGE_MOST, 0},
    {"abort", abort_one, CHANGE_MOST, 0},
    {"PUT over an object of parts", overwrite_film, CHANGE_MOST, 0},
    {"tags of a bucket", tag_bucket, CHANGE_MOST, 0},
    {"usage of a bucket", sum_usage, LOOKUP_MOST, 0},
    {"usage of buckets", list_usage, 4 * PAGE + LOOKUP_MOST, 0},
    {"a new bucket", make_new_bucket, CHANGE_MOST, 0},
    {"DELETE of a bucket", delete_left_bucket, CHANGE_MOST, 0},
    {"DELETE of a bucket with objects", delete_full_bucket, LOOKUP_MOST, 0},
};

static void measure(size_t count, struct row_counts *counts)
{
    static struct stage stage;
    stage_open(&stage, count);
    for (size_t i = 0; i < COUNT_OF(operations); i++) {
        count_from_here(&stage);
        operations[i].run(&stage);
        counts[i] = row_counter_take(stage.counter);
    }
    stage_close(&stage);
}

static unsigned sum_of(struct row_counts counts)
{
    return counts.reads + counts.seeks + counts.writes;
}

static bool is_dear(const struct operation *operation, struct row_counts few,
                    struct row_counts many)
{
    return sum_of(many) > sum_of(few) + operation->may_grow || sum_of(few) == 0 ||
           sum_of(many) > operation->most;
}

static void test_cost_does_not_grow_with_the_store(void **state)
{
    (void)state;
    struct row_counts few[COUNT_OF(operations)], many[COUNT_OF(operations)];
    unsigned dear_count = 0;
    measure(FEW, few);
    measure(MANY, many);
    for (size_t i = 0; i < COUNT_OF(operations); i++) {
        if (!is_dear(&operations[i], few[i], many[i]))
            continue;
        print_error("%s: of %d rows %u are read, %u places sought, %u rows written; of %d: %u, %u, "
                    "%u; at most %u\n",
                    operations[i].name, FEW, few[i].reads, few[i].seeks, few[i].writes, MANY,
                    many[i].reads, many[i].seeks, many[i].writes, operations[i].most);
        dear_count++;
    }
    assert_int_equal(dear_count, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cost_does_not_grow_with_the_store),
    };
    return world_choose(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
