/* Listing: keys in byte order, with prefix and delimiter. A common prefix is shown once and then
 * skipped by one seek, so a page costs what it shows, never what it hides. */
#pragma once

#include "object/store.h"

struct list_args {
    uint64_t bucket_id;
    str prefix;
    str delimiter; /* empty: none; any length */
    str after; /* entries above this one: a key, or a common prefix, whose keys are all skipped; empty: from the start */
    size_t max_count; /* keys and prefixes together */
};

/* Told of each entry in order. `row` is null for a common prefix. Strings are valid during the
 * call. An error ends the walk. */
struct list_visitor {
    enum err (*entry)(struct list_visitor *visitor, str key_or_prefix,
                      const struct object_row *row);
};

struct list_result {
    bool is_truncated;
    str last; /* the last entry shown, in the arena: the next page's `after` */
    size_t count;
};
enum err object_list(struct tx *tx, const struct list_args *args, struct list_visitor *visitor,
                     struct arena *arena, struct list_result *out_result);

/* The same over all versions: for each key newest first, delete markers too. args->after is a key
 * all of whose versions are skipped, unless after_version names one: then only those up to it
 * are. */
struct version_visitor {
    enum err (*entry)(struct version_visitor *visitor, str key_or_prefix,
                      const struct object_row *row, bool is_latest);
};
struct version_list_result {
    bool is_truncated;
    str last;         /* the last entry shown: a key or a common prefix; in the arena */
    str last_version; /* its version-id-marker (object/version.h); empty for a prefix */
    size_t count;
};
enum err object_version_list(struct tx *tx, const struct list_args *args, str after_version,
                             struct version_visitor *visitor, struct arena *arena,
                             struct version_list_result *out_result);

/* Where a walk begins: at the prefix, or behind `after`, and behind all keys of `after` when
 * that is, or lies under, a common prefix. False when no key can follow. In the arena, or
 * borrowed from the arguments. */
bool list_start_key(const struct list_args *args, struct arena *arena, str *out_key);

/* The smallest byte string above all those that begin with s; false when there is none (all FF).
 * The result is in the arena. */
bool str_successor(struct arena *arena, str s, str *out);

/* The part of the key up to and with the first delimiter behind the prefix (which the key begins
 * with); false when there is none. */
bool common_prefix_of(str key, str prefix, str delimiter, str *out);
