/* Counts the rows that are asked of an engine, by standing in front of its functions in the table
 * where views, updates and cursors find them. What the engine does to answer is its own affair. */
#pragma once

#include "store/engine.h"

struct row_counts {
    unsigned reads;  /* row_get, row_find_before, cursor_next */
    unsigned seeks;  /* cursor_open, cursor_seek */
    unsigned writes; /* row_put, row_delete */
};

struct row_counter;
/* From now on. Borrows the engine; its own threads may be at work, and find either table. */
struct row_counter *row_counter_new(struct engine *engine);
/* After the engine was closed. */
void row_counter_free(struct row_counter *counter);
/* Since the counter was made, or since the last call of this. */
struct row_counts row_counter_take(struct row_counter *counter);
