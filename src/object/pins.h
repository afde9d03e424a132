/* pins: which manifests and extents are being read in this process. The janitor takes nothing
 * apart that is pinned. Thread-safe. */
#pragma once

#include <pthread.h>

#include "object/types.h"

struct map;

struct pins {
    pthread_mutex_t lock;
    struct map *count_by_id;
};
void pins_init(struct pins *pins);
void pins_release(struct pins *pins);
void pin(struct pins *pins, enum garbage_kind kind, uint64_t id);
void unpin(struct pins *pins, enum garbage_kind kind, uint64_t id);
bool is_pinned(struct pins *pins, enum garbage_kind kind, uint64_t id);
