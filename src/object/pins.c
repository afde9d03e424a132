#include "object/pins.h"

#include <assert.h>

#include "base/bytes.h"
#include "base/map.h"

enum { PIN_KEY_BYTES = 9 };

static str pin_key(char dst[PIN_KEY_BYTES], enum garbage_kind kind, uint64_t id)
{
    dst[0] = (char)kind;
    put_le64(dst + 1, id);
    return str_of(dst, PIN_KEY_BYTES);
}

void pins_init(struct pins *pins)
{
    pthread_mutex_init(&pins->lock, NULL);
    pins->count_by_id = map_new();
}

void pins_release(struct pins *pins)
{
    assert(map_count(pins->count_by_id) == 0);
    map_free(pins->count_by_id);
    pthread_mutex_destroy(&pins->lock);
}

/* The map's value is the count itself, carried in the pointer. */
static void change_count(struct pins *pins, enum garbage_kind kind, uint64_t id, intptr_t by)
{
    char bytes[PIN_KEY_BYTES];
    str key = pin_key(bytes, kind, id);
    pthread_mutex_lock(&pins->lock);
    intptr_t count = (intptr_t)map_find(pins->count_by_id, key) + by;
    assert(count >= 0);
    if (count == 0)
        (void)map_remove(pins->count_by_id, key);
    else
        (void)map_set(pins->count_by_id, key, (void *)count);
    pthread_mutex_unlock(&pins->lock);
}

void pin(struct pins *pins, enum garbage_kind kind, uint64_t id)
{
    change_count(pins, kind, id, 1);
}

void unpin(struct pins *pins, enum garbage_kind kind, uint64_t id)
{
    change_count(pins, kind, id, -1);
}

bool is_pinned(struct pins *pins, enum garbage_kind kind, uint64_t id)
{
    char bytes[PIN_KEY_BYTES];
    pthread_mutex_lock(&pins->lock);
    bool found = map_find(pins->count_by_id, pin_key(bytes, kind, id)) != NULL;
    pthread_mutex_unlock(&pins->lock);
    return found;
}
