#include "object/bucket_config.h"

#include "base/clock.h"
#include "base/mem.h"
#include "object/store_int.h"

static uint64_t flag_of(enum bucket_config_kind kind)
{
    return UINT64_C(1) << kind;
}

enum err bucket_config_get(struct tx *tx, const struct bucket_row *bucket,
                           enum bucket_config_kind kind, struct arena *arena, str *out_document)
{
    struct bucket_config_row row = {.bucket_id = bucket->id, .kind = kind};
    if ((bucket->config_flags & flag_of(kind)) == 0)
        return ERR_NOT_FOUND;
    enum err err = row_get(tx, TABLE_bucket_config, &row, arena);
    TRY(err == ERR_NOT_FOUND ? ERR_CORRUPT : err);
    *out_document = row.document;
    return OK;
}

enum err bucket_config_put(struct tx *tx, struct bucket_row *bucket, enum bucket_config_kind kind,
                           str document)
{
    const struct bucket_config_row row = {.bucket_id = bucket->id,
                                          .kind = kind,
                                          .document = document,
                                          .modified_ms = (uint64_t)clock_real_ms()};
    bucket->config_flags |= flag_of(kind);
    return row_put(tx, TABLE_bucket_config, &row);
}

static enum err set_apply(struct update *update, struct tx *tx)
{
    struct bucket_set_config *set = container_of(update, struct bucket_set_config, op.update);
    struct bucket_row bucket;
    TRY(op_bucket_get(&set->op, tx, set->name, &bucket));
    if (set->is_removed) {
        const struct bucket_config_row row = {.bucket_id = bucket.id, .kind = set->kind};
        bucket.config_flags &= ~flag_of(set->kind);
        TRY(row_delete(tx, TABLE_bucket_config, &row));
    } else {
        TRY(bucket_config_put(tx, &bucket, set->kind, set->document));
    }
    return row_put(tx, TABLE_bucket, &bucket);
}

void bucket_set_config_start(struct bucket_set_config *set)
{
    obj_op_start(&set->op, set->is_removed ? UPDATE_FREES : 0, set_apply);
}

enum err bucket_config_remove_all(struct tx *tx, const struct bucket_row *bucket)
{
    for (unsigned kind = 1; kind < CONFIG_KIND_END; kind++) {
        const struct bucket_config_row row = {.bucket_id = bucket->id, .kind = kind};
        if ((bucket->config_flags & flag_of((enum bucket_config_kind)kind)) != 0)
            TRY(row_delete(tx, TABLE_bucket_config, &row));
    }
    return OK;
}
