/* The table of functions behind store/engine.h. One per function of the contract, whose words hold here too; engine.c
 * checks what a caller owes before it calls them, so an engine may rely on it:
 *  - writes come only with the transaction of an update,
 *  - a table is given as its description,
 *  - a blob to be read has a length, a table with a prefix count has that many key columns.
 *
 * The structs below begin every engine's own structs of the same role, so that the way back to the engine is one pointer.
 * Included by store/engine.h; engines include that. */
#pragma once

struct tx {
    struct engine *engine;
    enum view_flags flags;
    bool is_update; /* row_put and row_delete are allowed */
};

struct cursor {
    struct tx *tx;
    const struct table *table;
};

struct extent_writer {
    struct engine *engine;
};

struct extent_reader {
    struct engine *engine;
};

struct engine_ops {
    const char *name;
    size_t extent_block_size;

    enum err (*view_begin)(struct engine *engine, enum view_flags flags, struct tx **out_tx);
    void (*view_end)(struct tx *tx);
    enum err (*row_get)(struct tx *tx, const struct table *table, void *row, struct arena *arena);
    enum err (*blob_read)(struct tx *tx, const struct blob *blob, void *dst);
    enum err (*cursor_open)(struct tx *tx, const struct table *table, const void *from,
                            size_t prefix_count, struct cursor **out_cursor);
    enum err (*cursor_next)(struct cursor *cursor, void *out_row);
    enum err (*cursor_seek)(struct cursor *cursor, const void *from);
    enum err (*row_find_before)(struct tx *tx, const struct table *table, const void *from,
                                size_t prefix_count, void *out_row, struct arena *arena);
    void (*cursor_close)(struct cursor *cursor);

    void (*update)(struct engine *engine, struct update *update);
    enum err (*row_put)(struct tx *tx, const struct table *table, const void *row);
    enum err (*row_delete)(struct tx *tx, const struct table *table, const void *row);

    enum err (*extent_begin)(struct engine *engine, uint64_t size_hint,
                             struct extent_writer **out_writer);
    enum err (*extent_write)(struct extent_writer *writer, const void *data, size_t len,
                             uint64_t offset);
    enum err (*extent_seal)(struct extent_writer *writer, uint64_t length, struct arena *arena,
                            struct extent_row *out_row);
    void (*extent_abort)(struct extent_writer *writer);
    enum err (*extent_open)(struct engine *engine, const struct extent_row *row,
                            enum view_flags flags, struct extent_reader **out_reader);
    enum err (*extent_read)(struct extent_reader *reader, uint64_t offset, void *dst, size_t len,
                            enum view_flags flags, str *out_data);
    enum err (*extent_span)(struct extent_reader *reader, uint64_t offset, int *out_fd,
                            uint64_t *out_file_offset);
    void (*extent_close)(struct extent_reader *reader);
    enum err (*extent_drop)(struct engine *engine, uint64_t id);
    enum err (*extent_each)(struct engine *engine, enum err (*seen)(void *context, uint64_t id),
                            void *context);

    void (*stats)(struct engine *engine, struct engine_stats *out_stats);
    void (*close)(struct engine *engine);
};
