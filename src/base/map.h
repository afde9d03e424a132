/* map: from byte strings to pointers. Open addressing, grows by doubling. Keys are copied; values are the caller's. Not
 * thread-safe. */
#pragma once

#include "base/str.h"

struct map;

struct map *map_new(void);
void map_free(struct map *map); /* null is allowed; values are not touched */

/* The value, or null when absent. set and remove return the former one; a value is not null. */
void *map_find(const struct map *map, str key);
void *map_set(struct map *map, str key, void *value);
void *map_remove(struct map *map, str key);
size_t map_count(const struct map *map);

/* Walks in no order: start with *cursor = 0; false at the end. The map must not change meanwhile. */
bool map_next(const struct map *map, size_t *cursor, str *out_key, void **out_value);
