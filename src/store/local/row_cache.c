#include "store/local/row_cache.h"

#include <pthread.h>
#include <string.h>

#include "base/crc.h"
#include "base/mem.h"

enum {
    PLACES = 256,           /* a power of two */
    ENTRY_BYTES_MAX = 2048, /* of key and value together; larger rows are not kept */
};

struct place {
    pthread_mutex_t mutex;
    uint64_t changed_at; /* number of a snapshot */
    char *bytes;         /* the key, then the value; null: empty */
    size_t key_len, value_len;
};

struct row_cache {
    struct place place[PLACES];
};

struct row_cache *row_cache_new(void)
{
    struct row_cache *cache = mem_new(struct row_cache);
    for (size_t i = 0; i < PLACES; i++)
        pthread_mutex_init(&cache->place[i].mutex, NULL);
    return cache;
}

static void empty(struct place *place)
{
    mem_free(place->bytes);
    place->bytes = NULL;
}

void row_cache_free(struct row_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < PLACES; i++) {
        empty(&cache->place[i]);
        pthread_mutex_destroy(&cache->place[i].mutex);
    }
    mem_free(cache);
}

/* Locked. */
static struct place *place_of(struct row_cache *cache, str key)
{
    struct place *place = &cache->place[crc32c_update(0, key.ptr, key.len) & (PLACES - 1)];
    pthread_mutex_lock(&place->mutex);
    return place;
}

static bool holds(const struct place *place, str key)
{
    return place->bytes && str_eq(str_of(place->bytes, place->key_len), key);
}

bool row_cache_get(struct row_cache *cache, str key, uint64_t snapshot, struct buf *out)
{
    struct place *place = place_of(cache, key);
    bool is_found = holds(place, key) && snapshot >= place->changed_at;
    if (is_found)
        buf_append(out, str_of(place->bytes + place->key_len, place->value_len));
    pthread_mutex_unlock(&place->mutex);
    return is_found;
}

static void fill(struct place *place, str key, str value)
{
    empty(place);
    place->bytes = mem_alloc(key.len + value.len);
    memcpy(place->bytes, key.ptr, key.len);
    memcpy(place->bytes + key.len, value.ptr, value.len);
    place->key_len = key.len;
    place->value_len = value.len;
}

void row_cache_put(struct row_cache *cache, str key, uint64_t snapshot, str value)
{
    if (key.len > ENTRY_BYTES_MAX || value.len > ENTRY_BYTES_MAX - key.len)
        return;
    struct place *place = place_of(cache, key);
    if (snapshot >= place->changed_at && !holds(place, key))
        fill(place, key, value);
    pthread_mutex_unlock(&place->mutex);
}

void row_cache_change(struct row_cache *cache, str key, uint64_t snapshot)
{
    struct place *place = place_of(cache, key);
    place->changed_at = snapshot;
    /* A neighbour of the same place goes too: the place has one number for all. */
    empty(place);
    pthread_mutex_unlock(&place->mutex);
}
