/* A random history: steps on the store and on the model, whose answers must be the same. */
#pragma once

#include "model.h"

#include "../unit/object/world.h"

struct history {
    uint64_t seed;
    bool is_traced; /* each step is printed */
    struct unit_random random;
    struct world world;
    struct model model;
    size_t step;              /* so far */
    const char *step_name;    /* of the one under way */
    uint64_t text_count;      /* seeds of texts given out */
    unsigned answer_count[2]; /* refusals, successes: a history of one kind only tests nothing */
};

void history_init(struct history *history, uint64_t seed);
/* One step, compared. A difference fails the test. */
void history_step(struct history *history);
/* Everything is read once more, and the catalogue audited at rest. */
void history_finish(struct history *history);
