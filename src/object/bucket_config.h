/* The documents of a bucket: tags, and what else comes in a form of its own. What one says is the
 * caller's business; here it is bytes. */
#pragma once

#include "object/store.h"

/* Inside a view. ERR_NOT_FOUND when the bucket has none of that kind. In the arena. */
enum err bucket_config_get(struct tx *tx, const struct bucket_row *bucket,
                           enum bucket_config_kind kind, struct arena *arena, str *out_document);

struct bucket_set_config {
    struct obj_op op;
    str name;
    enum bucket_config_kind kind;
    bool is_removed; /* else the document is put, in place of the one before */
    str document;
};
void bucket_set_config_start(struct bucket_set_config *set);

/* For src/object's own use. The first sets a flag in *bucket, which the caller puts. */
enum err bucket_config_put(struct tx *tx, struct bucket_row *bucket, enum bucket_config_kind kind,
                           str document);
/* Those of a bucket that is being deleted. */
enum err bucket_config_remove_all(struct tx *tx, const struct bucket_row *bucket);
