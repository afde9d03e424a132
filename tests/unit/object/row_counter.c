#include "row_counter.h"

#include <stdatomic.h>

#include "base/list.h"
#include "base/mem.h"

struct row_counter {
    struct engine_ops ops; /* the engine's, but for what is counted */
    const struct engine_ops *own;
    atomic_uint reads, seeks, writes; /* updates run on a thread of the engine */
};

static struct row_counter *counter_of(struct tx *tx)
{
    return container_of((uintptr_t)tx->engine->ops, struct row_counter, ops);
}

static enum err counted_row_get(struct tx *tx, const struct table *table, void *row,
                                struct arena *arena)
{
    struct row_counter *counter = counter_of(tx);
    atomic_fetch_add(&counter->reads, 1);
    return counter->own->row_get(tx, table, row, arena);
}

static enum err counted_row_find_before(struct tx *tx, const struct table *table, const void *from,
                                        size_t prefix_count, void *out_row, struct arena *arena)
{
    struct row_counter *counter = counter_of(tx);
    atomic_fetch_add(&counter->reads, 1);
    return counter->own->row_find_before(tx, table, from, prefix_count, out_row, arena);
}

static enum err counted_cursor_open(struct tx *tx, const struct table *table, const void *from,
                                    size_t prefix_count, struct cursor **out_cursor)
{
    struct row_counter *counter = counter_of(tx);
    atomic_fetch_add(&counter->seeks, 1);
    return counter->own->cursor_open(tx, table, from, prefix_count, out_cursor);
}

static enum err counted_cursor_next(struct cursor *cursor, void *out_row)
{
    struct row_counter *counter = counter_of(cursor->tx);
    atomic_fetch_add(&counter->reads, 1);
    return counter->own->cursor_next(cursor, out_row);
}

static enum err counted_cursor_seek(struct cursor *cursor, const void *from)
{
    struct row_counter *counter = counter_of(cursor->tx);
    atomic_fetch_add(&counter->seeks, 1);
    return counter->own->cursor_seek(cursor, from);
}

static enum err counted_row_put(struct tx *tx, const struct table *table, const void *row)
{
    struct row_counter *counter = counter_of(tx);
    atomic_fetch_add(&counter->writes, 1);
    return counter->own->row_put(tx, table, row);
}

static enum err counted_row_delete(struct tx *tx, const struct table *table, const void *row)
{
    struct row_counter *counter = counter_of(tx);
    atomic_fetch_add(&counter->writes, 1);
    return counter->own->row_delete(tx, table, row);
}

/* The engine's threads read the pointer while it is exchanged, and one of both tables is as good as the other: nothing for the
 * thread sanitizer. */
__attribute__((no_sanitize("thread"))) static void exchange_table(struct engine *engine,
                                                                  const struct engine_ops *ops)
{
    engine->ops = ops;
}

struct row_counter *row_counter_new(struct engine *engine)
{
    struct row_counter *counter = mem_new(struct row_counter);
    counter->own = engine->ops;
    counter->ops = *engine->ops;
    counter->ops.row_get = counted_row_get;
    counter->ops.row_find_before = counted_row_find_before;
    counter->ops.cursor_open = counted_cursor_open;
    counter->ops.cursor_next = counted_cursor_next;
    counter->ops.cursor_seek = counted_cursor_seek;
    counter->ops.row_put = counted_row_put;
    counter->ops.row_delete = counted_row_delete;
    exchange_table(engine, &counter->ops);
    return counter;
}

void row_counter_free(struct row_counter *counter)
{
    mem_free(counter);
}

struct row_counts row_counter_take(struct row_counter *counter)
{
    return (struct row_counts){
        .reads = atomic_exchange(&counter->reads, 0),
        .seeks = atomic_exchange(&counter->seeks, 0),
        .writes = atomic_exchange(&counter->writes, 0),
    };
}
