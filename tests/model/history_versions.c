/* Steps of a history about versions: those that are named, and the lists of all. */
#include "history_int.h"

#include "base/mem.h"

/* ---- Versioning ---- */

void step_versioning(struct history *h)
{
    size_t index = some_bucket(h);
    struct model_bucket *bucket = &h->model.bucket[index];
    enum versioning versioning = one_in(h, 3) ? VERSIONING_SUSPENDED : VERSIONING_ENABLED;
    if (one_in(h, 3) && bucket->versioning == VERSIONING_NEVER)
        return; /* some buckets never have versions */
    enum err expected = bucket->exists ? OK : ERR_NO_SUCH_BUCKET;
    expect(h, set_versioning(&h->world.client, model_bucket_name(index), versioning), expected);
    if (expected == OK)
        bucket->versioning = versioning;
}

/* ---- One version ---- */

/* A version that is there, as index of model_version, with its name; or a name that is not there, and SIZE_MAX. */
static size_t some_version(struct history *h, size_t bucket_index, size_t key, str *out_id)
{
    static const str strangers[] = {STR_INIT("null"), STR_INIT("0005dcba98765432fedcba9876543210"),
                                    STR_INIT("ffffffffffffffffffffffffffffffff"),
                                    STR_INIT("other")};
    const struct model_bucket *bucket = &h->model.bucket[bucket_index];
    str id = strangers[below(h, COUNT_OF(strangers))];
    size_t index = below(h, bucket->older_count[key] + 1);
    if (model_version(bucket, key, index) != NULL && !one_in(h, 6))
        id = model_version_id(model_version(bucket, key, index));
    *out_id = arena_str(h->world.client.arena, id);
    for (size_t i = 0; i <= bucket->older_count[key]; i++)
        if (model_version(bucket, key, i) != NULL &&
            str_eq(model_version_id(model_version(bucket, key, i)), id))
            return i;
    return SIZE_MAX;
}

static void delete_version(struct history *h, size_t bucket_index, size_t key, size_t index, str id)
{
    struct model_bucket *bucket = &h->model.bucket[bucket_index];
    struct object_delete_entry entry = {
        .key = model_key(key), .version_id = id, .if_size = UINT64_MAX};
    enum err expected = bucket->exists ? OK : ERR_NO_SUCH_BUCKET;
    expect(h, delete_entry(&h->world.client, model_bucket_name(bucket_index), &entry), expected);
    if (expected != OK)
        return;
    assert_str(entry.deleted_version_id, id);
    assert_false(entry.made_marker);
    const struct model_object *object =
        index != SIZE_MAX ? model_version(bucket, key, index) : NULL;
    assert_int_equal(entry.removed_marker, object != NULL && object->is_marker);
    if (object != NULL)
        model_remove(bucket, key, index);
}

void step_delete_version(struct history *h)
{
    size_t bucket = some_bucket(h), key = some_key(h, bucket);
    str id;
    size_t index = some_version(h, bucket, key, &id);
    delete_version(h, bucket, key, index, id);
}

void make_room(struct history *h, size_t bucket_index, size_t key)
{
    const struct model_bucket *bucket = &h->model.bucket[bucket_index];
    while (bucket->exists && bucket->older_count[key] > OLDER_MAX - ADDED_MAX - 1) {
        size_t last = bucket->older_count[key];
        str id = model_version_id(model_version(bucket, key, last));
        delete_version(h, bucket_index, key, last, arena_str(h->world.client.arena, id));
    }
}

void step_get_version(struct history *h)
{
    size_t bucket_index = some_bucket(h), key = some_key(h, bucket_index);
    const struct model_bucket *bucket = &h->model.bucket[bucket_index];
    struct client *client = &h->world.client;
    str name = model_bucket_name(bucket_index), id, found;
    struct object_row row;
    size_t index = some_version(h, bucket_index, key, &id);
    const struct model_object *object =
        index != SIZE_MAX ? model_version(bucket, key, index) : NULL;
    enum err expected = !bucket->exists     ? ERR_NO_SUCH_BUCKET
                        : object == NULL    ? ERR_NO_SUCH_VERSION
                        : object->is_marker ? ERR_IS_DELETE_MARKER
                                            : OK;
    expect(h, find_version(client, name, model_key(key), id, &row), expected);
    if (expected != OK)
        return;
    check_row(h, &row, object);
    assert_ok(get_version(client, name, model_key(key), id, &found));
    assert_true(str_eq(found, bytes_in_arena(h, &object->content)));
}

/* ---- Lists ---- */

struct collector {
    struct version_visitor visitor;
    struct history *history;
    struct model_page page;
};

static enum err collect(struct version_visitor *visitor, str name, const struct object_row *row,
                        bool is_latest)
{
    struct collector *collector = container_of(visitor, struct collector, visitor);
    struct arena *arena = collector->history->world.client.arena;
    assert_true(collector->page.count < ENTRIES_MAX);
    struct model_entry *entry = &collector->page.entry[collector->page.count++];
    *entry = (struct model_entry){
        .name = arena_str(arena, name), .is_prefix = row == NULL, .is_latest = is_latest};
    if (row == NULL)
        return OK;
    entry->version_id = arena_str(arena, version_id_shown(row->version_id));
    entry->is_marker = is_delete_marker(row);
    return OK;
}

void step_list_versions(struct history *h)
{
    size_t bucket = some_bucket(h), key = some_key(h, bucket);
    struct model_listing listing = some_listing(h);
    struct collector collector = {.visitor.entry = collect, .history = h};
    struct version_list_result result;
    struct bucket_row row;
    struct tx *tx;
    const struct model_object *object = model_version(
        &h->model.bucket[bucket], key, below(h, h->model.bucket[bucket].older_count[key] + 1));
    if (object != NULL && one_in(h, 2)) {
        listing.after = model_key(key);
        listing.version_after = model_version_id(object);
    }
    if (!begin_listing(h, bucket, &row, &tx))
        return;
    const struct list_args args = args_of(row.id, &listing);
    expect(h,
           object_version_list(tx, &args, listing.version_after, &collector.visitor,
                               h->world.client.arena, &result),
           OK);
    view_end(tx);
    struct model_page wanted;
    model_list_versions(&h->model.bucket[bucket], &listing, &wanted);
    collector.page.is_truncated = result.is_truncated;
    compare_pages(h, &collector.page, &wanted);
}
