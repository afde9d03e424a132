/* Rows that nearly every request reads and that seldom change, as the index has them: those of `bucket`. A read through the index costs
 * some two microseconds of CPU, and a request needs its bucket once on the loop and once in the commit.
 *
 * A place holds one row, and the number of the snapshot with which a row of that place changed last. What it holds is the truth for
 * that snapshot and all later ones; earlier ones do not find it. Any thread. */
#pragma once

#include "base/buf.h"
#include "store/rows.h"

struct row_cache;

struct row_cache *row_cache_new(void);
void row_cache_free(struct row_cache *cache); /* null is allowed */

static inline bool row_cache_has(enum table_id table)
{
    return table == TABLE_bucket;
}

/* What the commit thread gives for the number of its snapshot: it reads the newest state, and only it changes that. */
#define ROW_CACHE_NEWEST UINT64_MAX

/* Appends the index's value of the key to *out; false when the cache does not have it for that snapshot. */
bool row_cache_get(struct row_cache *cache, str key, uint64_t snapshot, struct buf *out);
/* Takes note of what was read from that snapshot, unless the row may have changed since. */
void row_cache_put(struct row_cache *cache, str key, uint64_t snapshot, str value);
/* The row changes with that snapshot. Before it is published; commit thread. */
void row_cache_change(struct row_cache *cache, str key, uint64_t snapshot);
