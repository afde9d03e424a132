/* Steps of a history that list and count: pages compared with the model's. */
#include "history_int.h"

#include "../unit/object/audit.h"
#include "base/bytes.h"
#include "base/mem.h"

struct model_listing some_listing(struct history *h)
{
    static const str prefixes[] = {{0},
                                   {0},
                                   STR_INIT("a"),
                                   STR_INIT("a/"),
                                   STR_INIT("b--"),
                                   STR_INIT("\xff"),
                                   STR_INIT("a\0"),
                                   STR_INIT("q")};
    static const str delimiters[] = {{0},           STR_INIT("/"), STR_INIT("/"), STR_INIT("--"),
                                     STR_INIT("b"), STR_INIT("\0")};
    static const str between[] = {STR_INIT("a."),     STR_INIT("a/bb"), STR_INIT("b--"),
                                  STR_INIT("b--c--"), STR_INIT("zz"),   STR_INIT("\xff\xff\xff")};
    static const size_t counts[] = {0, 1, 2, 3, 5, 1000};
    struct model_listing listing = {.prefix = prefixes[below(h, COUNT_OF(prefixes))],
                                    .delimiter = delimiters[below(h, COUNT_OF(delimiters))],
                                    .max_count = counts[below(h, COUNT_OF(counts))]};
    if (one_in(h, 2))
        listing.after =
            one_in(h, 2) ? model_key(below(h, KEYS)) : between[below(h, COUNT_OF(between))];
    return listing;
}

struct collector {
    struct list_visitor visitor;
    struct history *history;
    size_t bucket;
    struct model_page page;
};

static enum err collect(struct list_visitor *visitor, str name, const struct object_row *row)
{
    struct collector *collector = container_of(visitor, struct collector, visitor);
    struct arena *arena = collector->history->world.client.arena;
    assert_true(collector->page.count < ENTRIES_MAX);
    for (size_t key = 0; row != NULL && key < KEYS; key++)
        if (str_eq(model_key(key), name))
            check_row(collector->history, row,
                      &collector->history->model.bucket[collector->bucket].object[key]);
    collector->page.entry[collector->page.count++] =
        (struct model_entry){.name = arena_str(arena, name), .is_prefix = row == NULL};
    return OK;
}

void compare_pages(struct history *h, const struct model_page *page,
                   const struct model_page *wanted)
{
    bool is_same = page->count == wanted->count && page->is_truncated == wanted->is_truncated;
    for (size_t i = 0; is_same && i < page->count; i++)
        is_same = str_eq(page->entry[i].name, wanted->entry[i].name) &&
                  page->entry[i].is_prefix == wanted->entry[i].is_prefix &&
                  page->entry[i].upload_id == wanted->entry[i].upload_id &&
                  str_eq(page->entry[i].version_id, wanted->entry[i].version_id) &&
                  page->entry[i].is_latest == wanted->entry[i].is_latest &&
                  page->entry[i].is_marker == wanted->entry[i].is_marker;
    if (!is_same)
        fail_msg("%s: %zu entries, truncated %d; the model has %zu, %d", h->step_name, page->count,
                 page->is_truncated, wanted->count, wanted->is_truncated);
}

bool begin_listing(struct history *h, size_t bucket, struct bucket_row *row, struct tx **tx)
{
    assert_ok(view_begin(store_engine(h->world.store), VIEW_WAIT, tx));
    bool exists = h->model.bucket[bucket].exists;
    expect(h, bucket_find(*tx, model_bucket_name(bucket), h->world.client.arena, row),
           exists ? OK : ERR_NO_SUCH_BUCKET);
    if (!exists)
        view_end(*tx);
    return exists;
}

struct list_args args_of(uint64_t bucket_id, const struct model_listing *listing)
{
    return (struct list_args){.bucket_id = bucket_id,
                              .prefix = listing->prefix,
                              .delimiter = listing->delimiter,
                              .after = listing->after,
                              .max_count = listing->max_count};
}

void step_list_objects(struct history *h)
{
    size_t bucket = some_bucket(h);
    struct model_listing listing = some_listing(h);
    struct collector collector = {.visitor.entry = collect, .history = h, .bucket = bucket};
    struct list_result result;
    struct bucket_row row;
    struct tx *tx;
    if (!begin_listing(h, bucket, &row, &tx))
        return;
    const struct list_args args = args_of(row.id, &listing);
    expect(h, object_list(tx, &args, &collector.visitor, h->world.client.arena, &result), OK);
    view_end(tx);
    struct model_page wanted;
    model_list_objects(&h->model.bucket[bucket], &listing, &wanted);
    collector.page.is_truncated = result.is_truncated;
    compare_pages(h, &collector.page, &wanted);
}

void step_list_uploads(struct history *h)
{
    size_t bucket = some_bucket(h);
    struct model_listing listing = some_listing(h);
    struct model_page page = {0}, wanted;
    struct upload_entry *entry;
    struct bucket_row row;
    struct tx *tx;
    const struct model_upload *upload = some_upload(h);
    if (upload != NULL && one_in(h, 2)) {
        listing.after = model_key(upload->key);
        listing.has_id_after = true;
        listing.id_after = upload->id;
    }
    if (!begin_listing(h, bucket, &row, &tx))
        return;
    const struct upload_list_args args = {.bucket_id = row.id,
                                          .prefix = listing.prefix,
                                          .delimiter = listing.delimiter,
                                          .key_after = listing.after,
                                          .has_id_after = listing.has_id_after,
                                          .id_after = listing.id_after,
                                          .max_count = listing.max_count};
    expect(h,
           upload_list(tx, &args, h->world.client.arena, &entry, &page.count, &page.is_truncated),
           OK);
    view_end(tx);
    for (size_t i = 0; i < page.count; i++)
        page.entry[i] =
            (struct model_entry){.name = entry[i].key_or_prefix,
                                 .is_prefix = entry[i].row == NULL,
                                 .upload_id = entry[i].row != NULL ? entry[i].row->id : 0};
    model_list_uploads(&h->model, bucket, &listing, &wanted);
    compare_pages(h, &page, &wanted);
}

void step_usage(struct history *h)
{
    size_t bucket = some_bucket(h);
    struct usage_row usage;
    struct bucket_row row;
    struct tx *tx;
    const struct model_bucket *model = &h->model.bucket[bucket];
    uint64_t objects = 0, bytes = 0, versions = 0, version_bytes = 0, uploads = 0;
    if (!begin_listing(h, bucket, &row, &tx))
        return;
    assert_ok(bucket_usage(tx, row.id, &usage));
    view_end(tx);
    for (size_t key = 0; key < KEYS; key++) {
        objects += model->object[key].exists;
        bytes += model->object[key].exists ? model->object[key].content.size : 0;
        versions += model->older_count[key];
        for (size_t i = 0; i < model->older_count[key]; i++)
            version_bytes += model->older[key][i].content.size;
    }
    for (size_t i = 0; i < h->model.upload_count; i++)
        uploads += h->model.upload[i].exists && h->model.upload[i].bucket == bucket;
    assert_int_equal(usage.object_count, objects);
    assert_int_equal(usage.object_bytes, bytes);
    assert_int_equal(usage.version_count, versions);
    assert_int_equal(usage.version_bytes, version_bytes);
    assert_int_equal(usage.upload_count, uploads);
}
