/* What the files of the memory engine share. */
#pragma once

#include <pthread.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "store/mem/mem_engine.h"
#include "store/mem/treap.h"

struct mem_engine {
    struct engine base;

    /* Guards everything below; held for moments only. */
    pthread_mutex_t mutex;
    pthread_cond_t has_work;
    struct update *first, *last; /* waiting */
    bool is_closing;
    struct node *rows; /* the newest map */
    uint64_t update_count;

    struct map *extents; /* by their id's 8 bytes: struct mem_extent */
    uint64_t last_extent_id;

    pthread_t thread;
};

struct mem_tx {
    struct tx base;
    struct node *rows; /* held */
    /* Maps that the update has replaced: blobs and strings that it read from them stay valid until it ends. */
    struct node **replaced;
    size_t replaced_count, replaced_capacity;
    size_t written_bytes; /* at most UPDATE_BYTES_MAX */
};

/* Catalogue: mem_rows.c */
enum err mem_view_begin(struct engine *engine, enum view_flags flags, struct tx **out_tx);
void mem_view_end(struct tx *tx);
enum err mem_row_get(struct tx *tx, const struct table *table, void *row, struct arena *arena);
enum err mem_blob_read(struct tx *tx, const struct blob *blob, void *dst);
enum err mem_cursor_open(struct tx *tx, const struct table *table, const void *from,
                         size_t prefix_count, struct cursor **out_cursor);
enum err mem_cursor_next(struct cursor *cursor, void *out_row);
enum err mem_cursor_seek(struct cursor *cursor, const void *from);
enum err mem_row_find_before(struct tx *tx, const struct table *table, const void *from,
                             size_t prefix_count, void *out_row, struct arena *arena);
void mem_cursor_close(struct cursor *cursor);
enum err mem_row_put(struct tx *tx, const struct table *table, const void *row);
enum err mem_row_delete(struct tx *tx, const struct table *table, const void *row);

/* Extents: mem_extents.c */
enum { MEM_BLOCK_SIZE = 128 << 10 };
enum err mem_extent_begin(struct engine *engine, uint64_t size_hint,
                          struct extent_writer **out_writer);
enum err mem_extent_write(struct extent_writer *writer, const void *data, size_t len,
                          uint64_t offset);
enum err mem_extent_seal(struct extent_writer *writer, uint64_t length, struct arena *arena,
                         struct extent_row *out_row);
void mem_extent_abort(struct extent_writer *writer);
enum err mem_extent_open(struct engine *engine, const struct extent_row *row, enum view_flags flags,
                         struct extent_reader **out_reader);
enum err mem_extent_read(struct extent_reader *reader, uint64_t offset, void *dst, size_t len,
                         enum view_flags flags, str *out_data);
enum err mem_extent_span(struct extent_reader *reader, uint64_t offset, int *out_fd,
                         uint64_t *out_file_offset);
void mem_extent_close(struct extent_reader *reader);
enum err mem_extent_drop(struct engine *engine, uint64_t id);
enum err mem_extent_each(struct engine *engine, enum err (*seen)(void *context, uint64_t id),
                         void *context);
void mem_extents_release(struct mem_engine *engine);
