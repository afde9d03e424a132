/* Linear probing over a power of two of slots, at most five eighths of them taken. A removal shifts the following entries
 * back, so there are no tombstones and a table does not age. */
#include "base/map.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

enum { FIRST_SLOTS = 16 };

struct slot {
    uint64_t hash;
    char *key; /* owned */
    size_t key_len;
    void *value; /* null: the slot is free */
};

struct map {
    struct slot *slot;
    size_t mask; /* number of slots less one */
    size_t count;
};

struct map *map_new(void)
{
    struct map *map = mem_new(struct map);
    map->slot = mem_new_array(struct slot, FIRST_SLOTS);
    map->mask = FIRST_SLOTS - 1;
    return map;
}

void map_free(struct map *map)
{
    if (!map)
        return;
    for (size_t i = 0; i <= map->mask; i++)
        mem_free(map->slot[i].key);
    mem_free(map->slot);
    mem_free(map);
}

static str slot_key(const struct slot *slot)
{
    return str_of(slot->key, slot->key_len);
}

/* The slot of the key, or the free one where it belongs. */
static struct slot *probe(const struct map *map, str key, uint64_t hash)
{
    size_t at = hash & map->mask;
    for (;; at = (at + 1) & map->mask) {
        struct slot *slot = &map->slot[at];
        if (!slot->value || (slot->hash == hash && str_eq(slot_key(slot), key)))
            return slot;
    }
}

static void grow(struct map *map)
{
    struct slot *old = map->slot;
    size_t old_mask = map->mask;
    size_t slots = mem_size_mul(old_mask + 1, 2);
    map->slot = mem_new_array(struct slot, slots);
    map->mask = slots - 1;
    for (size_t i = 0; i <= old_mask; i++)
        if (old[i].value)
            *probe(map, slot_key(&old[i]), old[i].hash) = old[i];
    mem_free(old);
}

void *map_find(const struct map *map, str key)
{
    return probe(map, key, str_hash(key))->value;
}

static char *copy_key(str key)
{
    char *copy = mem_alloc(key.len);
    if (key.len)
        memcpy(copy, key.ptr, key.len);
    return copy;
}

void *map_set(struct map *map, str key, void *value)
{
    assert(value);
    if ((map->count + 1) * 8 > (map->mask + 1) * 5)
        grow(map);
    uint64_t hash = str_hash(key);
    struct slot *slot = probe(map, key, hash);
    void *former = slot->value;
    if (former) {
        slot->value = value;
        return former;
    }
    *slot = (struct slot){.hash = hash, .key = copy_key(key), .key_len = key.len, .value = value};
    map->count++;
    return NULL;
}

/* Closes the gap: each entry of the run behind it moves in, unless it would come to stand before its home. */
static void close_gap(struct map *map, size_t gap)
{
    for (size_t at = (gap + 1) & map->mask; map->slot[at].value; at = (at + 1) & map->mask) {
        size_t distance_home = (at - map->slot[at].hash) & map->mask;
        size_t distance_gap = (at - gap) & map->mask;
        if (distance_home < distance_gap)
            continue;
        map->slot[gap] = map->slot[at];
        gap = at;
    }
    map->slot[gap] = (struct slot){0};
}

void *map_remove(struct map *map, str key)
{
    struct slot *slot = probe(map, key, str_hash(key));
    void *former = slot->value;
    if (!former)
        return NULL;
    mem_free(slot->key);
    close_gap(map, (size_t)(slot - map->slot));
    map->count--;
    return former;
}

size_t map_count(const struct map *map)
{
    return map->count;
}

bool map_next(const struct map *map, size_t *cursor, str *out_key, void **out_value)
{
    for (size_t at = *cursor; at <= map->mask; at++) {
        const struct slot *slot = &map->slot[at];
        if (!slot->value)
            continue;
        *out_key = slot_key(slot);
        *out_value = slot->value;
        *cursor = at + 1;
        return true;
    }
    return false;
}
