#include "object/usage.h"

#include "object/bucket.h"

static enum err read_entry(struct tx *tx, const struct bucket_row *bucket, struct arena *arena,
                           struct usage_entry *out)
{
    struct usage_row sum;
    TRY(bucket_usage(tx, bucket->id, &sum));
    *out = (struct usage_entry){
        .bucket = arena_str(arena, bucket->name),
        .object_count = sum.object_count,
        .object_bytes = sum.object_bytes,
        .version_count = sum.version_count,
        .version_bytes = sum.version_bytes,
        .upload_count = sum.upload_count,
    };
    return OK;
}

static enum err read_entries(struct tx *tx, struct cursor *cursor, struct arena *arena,
                             struct usage_entry *entry, size_t *count)
{
    size_t max_count = *count;
    struct bucket_row bucket;
    *count = 0;
    enum err err = OK;
    while (err == OK && *count < max_count && (err = cursor_next(cursor, &bucket)) == OK) {
        err = read_entry(tx, &bucket, arena, &entry[*count]);
        *count += err == OK;
    }
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err usage_list(struct store *store, size_t max_count, struct arena *arena,
                    struct usage_entry **out_entry, size_t *out_count, bool *out_is_truncated)
{
    struct tx *tx;
    TRY(view_begin(store_engine(store), VIEW_WAIT, &tx));
    struct usage_entry *entry = arena_new_array(arena, struct usage_entry, max_count + 1);
    /* One more than asked for tells whether there are more. */
    size_t count = max_count + 1;
    struct bucket_row from = {0};
    struct cursor *cursor = NULL;
    enum err err = cursor_open(tx, TABLE_bucket, &from, 0, &cursor);
    if (err == OK)
        err = read_entries(tx, cursor, arena, entry, &count);
    cursor_close(cursor);
    view_end(tx);
    if (err != OK)
        return err;
    *out_is_truncated = count > max_count;
    *out_count = count < max_count ? count : max_count;
    *out_entry = entry;
    return OK;
}

void store_stats(struct store *store, struct engine_stats *out_stats)
{
    *out_stats = (struct engine_stats){0};
    engine_stats(store_engine(store), out_stats);
}
