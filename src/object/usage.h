/* usage: what the store holds, for metrics and the console. A bucket's figures are exact: the
 * counts that each change keeps. */
#pragma once

#include "object/store.h"

struct usage_entry {
    str bucket;
    uint64_t object_count, object_bytes;   /* current versions */
    uint64_t version_count, version_bytes; /* versions and delete markers behind them */
    uint64_t upload_count;                 /* unfinished */
};

/* The first max_count buckets in name order, all owners. Strings in the arena.
 * *out_is_truncated: there are more. Worker. */
enum err usage_list(struct store *store, size_t max_count, struct arena *arena,
                    struct usage_entry **out_entry, size_t *out_count, bool *out_is_truncated);

/* The engine's figures. May look at the file system; worker. */
void store_stats(struct store *store, struct engine_stats *out_stats);
