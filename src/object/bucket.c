#include "object/bucket.h"

#include "base/clock.h"
#include "base/mem.h"
#include "object/bucket_config.h"
#include "object/store_int.h"

enum { NAME_MIN_BYTES = 3, NAME_MAX_BYTES = 63 };

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool looks_like_ipv4(str name)
{
    unsigned dots = 0;
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '.')
            dots++;
        else if (name.ptr[i] < '0' || name.ptr[i] > '9')
            return false;
    }
    return dots == 3;
}

/* Amazon S3 user guide, "General purpose bucket naming rules". */
enum err bucket_name_check(str name)
{
    static const str forbidden_prefix[] = {STR_INIT("xn--"), STR_INIT("sthree-"),
                                           STR_INIT("amzn-s3-demo-")};
    static const str forbidden_suffix[] = {STR_INIT("-s3alias"), STR_INIT("--ol-s3"),
                                           STR_INIT(".mrap"), STR_INIT("--x-s3"),
                                           STR_INIT("--table-s3")};
    if (name.len < NAME_MIN_BYTES || name.len > NAME_MAX_BYTES || !is_alnum(name.ptr[0]) ||
        !is_alnum(name.ptr[name.len - 1]) || looks_like_ipv4(name))
        return ERR_BAD_BUCKET_NAME;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!is_alnum(c) && c != '-' && c != '.')
            return ERR_BAD_BUCKET_NAME;
        /* Labels are those of host names: none is empty, begins or ends with a hyphen. */
        char before = i > 0 ? name.ptr[i - 1] : 'a';
        if ((c == '.' && (before == '.' || before == '-')) || (c == '-' && before == '.'))
            return ERR_BAD_BUCKET_NAME;
    }
    for (size_t i = 0; i < sizeof forbidden_prefix / sizeof forbidden_prefix[0]; i++)
        if (str_has_prefix(name, forbidden_prefix[i]))
            return ERR_BAD_BUCKET_NAME;
    for (size_t i = 0; i < sizeof forbidden_suffix / sizeof forbidden_suffix[0]; i++)
        if (str_has_suffix(name, forbidden_suffix[i]))
            return ERR_BAD_BUCKET_NAME;
    return OK;
}

static enum err create_apply(struct update *update, struct tx *tx)
{
    struct bucket_create *create = container_of(update, struct bucket_create, op.update);
    enum err err = bucket_get(tx, create->name, create->op.arena, &create->row);
    if (err == OK)
        return str_eq(create->row.owner, create->owner) ? ERR_BUCKET_OWNED : ERR_BUCKET_EXISTS;
    if (err != ERR_NO_SUCH_BUCKET)
        return err;
    create->row = (struct bucket_row){
        .name = create->name,
        .id = store_id_new(create->op.store),
        .created_ms = (uint64_t)clock_real_ms(),
        .owner = create->owner,
        .region = create->region,
    };
    const struct owned_bucket_row owned = {
        .owner = create->owner, .name = create->name, .created_ms = create->row.created_ms};
    const struct usage_row usage = {.bucket_id = create->row.id};
    if (create->tags.len > 0)
        TRY(bucket_config_put(tx, &create->row, CONFIG_TAGS, create->tags));
    TRY(row_put(tx, TABLE_bucket, &create->row));
    TRY(row_put(tx, TABLE_owned_bucket, &owned));
    return row_put(tx, TABLE_usage, &usage);
}

void bucket_create_start(struct bucket_create *create)
{
    obj_op_start(&create->op, 0, create_apply);
}

/* The counts are exact, and reading them costs the same however much lay in the bucket before: a walk would pass over all that was
 * deleted of it lately, while every other update waits. */
static enum err must_be_empty(struct tx *tx, uint64_t bucket_id)
{
    struct usage_row usage;
    TRY(bucket_usage(tx, bucket_id, &usage));
    return usage.object_count == 0 && usage.version_count == 0 ? OK : ERR_BUCKET_NOT_EMPTY;
}

static enum err delete_apply(struct update *update, struct tx *tx)
{
    struct bucket_delete *del = container_of(update, struct bucket_delete, op.update);
    struct bucket_row row;
    TRY(op_bucket_get(&del->op, tx, del->name, &row));
    TRY(must_be_empty(tx, row.id));
    TRY(bucket_config_remove_all(tx, &row));
    TRY(row_delete(tx, TABLE_bucket, &row));
    TRY(row_delete(tx, TABLE_owned_bucket,
                   &(struct owned_bucket_row){.owner = row.owner, .name = row.name}));
    TRY(row_delete(tx, TABLE_usage, &(struct usage_row){.bucket_id = row.id}));
    return garbage_add(tx, GARBAGE_BUCKET, row.id);
}

void bucket_delete_start(struct bucket_delete *del)
{
    obj_op_start(&del->op, UPDATE_FREES, delete_apply);
}

static enum err set_versioning_apply(struct update *update, struct tx *tx)
{
    struct bucket_set_versioning *set =
        container_of(update, struct bucket_set_versioning, op.update);
    struct bucket_row row;
    TRY(op_bucket_get(&set->op, tx, set->name, &row));
    row.versioning = set->versioning;
    return row_put(tx, TABLE_bucket, &row);
}

void bucket_set_versioning_start(struct bucket_set_versioning *set)
{
    obj_op_start(&set->op, 0, set_versioning_apply);
}

enum err bucket_list(struct tx *tx, const struct bucket_list_args *args, struct arena *arena,
                     struct bucket_entry **out_entry, size_t *out_count, bool *out_is_truncated)
{
    struct owned_bucket_row from = {.owner = args->owner, .name = args->prefix}, row;
    if (str_cmp(args->after, from.name) > 0)
        from.name = args->after;
    struct cursor *cursor;
    TRY(cursor_open(tx, TABLE_owned_bucket, &from, 1, &cursor));
    struct bucket_entry *entry = NULL;
    size_t count = 0, capacity = 0;
    bool is_truncated = false;
    enum err err;
    while ((err = cursor_next(cursor, &row)) == OK) {
        if (args->after.len > 0 && str_cmp(row.name, args->after) <= 0)
            continue;
        if (!str_has_prefix(row.name, args->prefix))
            break;
        if (count == args->max_count) {
            is_truncated = true;
            break;
        }
        entry = arena_room(arena, entry, count, &capacity, sizeof(*entry));
        entry[count++] = (struct bucket_entry){.name = arena_str(arena, row.name),
                                               .created_ms = (int64_t)row.created_ms};
    }
    cursor_close(cursor);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    *out_entry = entry;
    *out_count = count;
    *out_is_truncated = is_truncated;
    return OK;
}

enum err bucket_usage(struct tx *tx, uint64_t bucket_id, struct usage_row *out_sum)
{
    struct usage_row from = {.bucket_id = bucket_id}, row, sum = from;
    struct cursor *cursor;
    TRY(cursor_open(tx, TABLE_usage, &from, 1, &cursor));
    enum err err;
    while ((err = cursor_next(cursor, &row)) == OK) {
        sum.object_count += row.object_count;
        sum.object_bytes += row.object_bytes;
        sum.version_count += row.version_count;
        sum.version_bytes += row.version_bytes;
        sum.upload_count += row.upload_count;
    }
    cursor_close(cursor);
    if (err != ERR_NOT_FOUND)
        return err;
    *out_sum = sum;
    return OK;
}
