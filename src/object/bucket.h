/* Buckets: create, delete, list, and their usage. */
#pragma once

#include "object/store.h"

/* The general rules: 3 to 63 of a-z 0-9 . -, begins and ends with a letter or digit, no "..",
 * not an IPv4 address, none of the reserved prefixes and suffixes. ERR_BAD_BUCKET_NAME. */
enum err bucket_name_check(str name);

struct bucket_create {
    struct obj_op op;
    str name, owner, region;
    str tags;              /* a CONFIG_TAGS document; empty: none */
    struct bucket_row row; /* out */
};
/* ERR_BUCKET_OWNED, ERR_BUCKET_EXISTS. */
void bucket_create_start(struct bucket_create *create);

struct bucket_delete {
    struct obj_op op;
    str name;
};
/* ERR_NO_SUCH_BUCKET, ERR_BUCKET_NOT_EMPTY. Unfinished uploads do not count; they become
 * garbage. */
void bucket_delete_start(struct bucket_delete *del);

/* Versioning once enabled is never off again, only suspended. */
struct bucket_set_versioning {
    struct obj_op op;
    str name;
    enum versioning versioning; /* ENABLED or SUSPENDED */
};
void bucket_set_versioning_start(struct bucket_set_versioning *set);

struct bucket_list_args {
    str owner;
    str prefix;
    str after; /* names above this one */
    size_t max_count;
};
struct bucket_entry {
    str name;
    int64_t created_ms;
};
/* Of one owner, in name order. Strings in the arena. */
enum err bucket_list(struct tx *tx, const struct bucket_list_args *args, struct arena *arena,
                     struct bucket_entry **out_entry, size_t *out_count, bool *out_is_truncated);

enum err bucket_usage(struct tx *tx, uint64_t bucket_id, struct usage_row *out_sum);
