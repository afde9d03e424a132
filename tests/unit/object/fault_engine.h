/* An engine around another one that fails, waits or repeats where a test tells it to: for the paths that a healthy engine
 * never takes. Views and updates are the inner engine's own; writers and readers of extents are wrapped. */
#pragma once

#include "store/engine.h"

enum fault_place {
    FAULT_EXTENT_BEGIN,
    FAULT_EXTENT_WRITE,
    FAULT_EXTENT_SEAL,
    FAULT_EXTENT_DROP,
    FAULT_UPDATE,         /* not applied */
    FAULT_UPDATE_UNKNOWN, /* applied, and then told as failed */
    FAULT_PLACE_END
};

struct fault_engine;
struct fault_engine *fault_engine_new(struct engine *inner); /* borrows the inner engine */
void fault_engine_free(
    struct fault_engine *faults); /* null is allowed; the inner engine stays open */
struct engine *fault_engine_base(struct fault_engine *faults);

/* The place fails with err once, after `skip` calls that succeed. */
void fault_arm(struct fault_engine *faults, enum fault_place place, unsigned skip, enum err err);
/* Calls of the place wait until fault_open_gate. */
void fault_close_gate(struct fault_engine *faults, enum fault_place place);
void fault_open_gate(struct fault_engine *faults, enum fault_place place);
/* Waits until that many calls of the place have come, since the engine was made. */
void fault_await_calls(struct fault_engine *faults, enum fault_place place, unsigned count);
unsigned fault_calls(struct fault_engine *faults, enum fault_place place);

/* Every update is applied, undone and applied again, as after a conflict. */
void fault_repeat_updates(struct fault_engine *faults, bool does_repeat);
/* What may say ERR_WOULD_BLOCK to VIEW_NOWAIT does so. */
void fault_block_nowait(struct fault_engine *faults, bool does_block);
