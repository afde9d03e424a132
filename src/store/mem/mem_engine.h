/* The reference engine: the whole store in memory, gone when it is closed. For tests, and as the plainest reading of the
 * contract: a snapshot is a pointer to a map that never changes, an update makes the next map.
 *
 * Updates are applied one by one by a thread of the engine, which also calls `done`; nothing ever blocks for long. */
#pragma once

#include "store/engine.h"

enum err mem_engine_open(struct engine **out_engine);

/* For tests of damage: changes a byte of a sealed extent. */
void mem_engine_damage_extent(struct engine *engine, uint64_t id, uint64_t offset);
