#include "object/reader.h"

#include <assert.h>

#include "base/mem.h"
#include "object/store_int.h"

struct obj_reader {
    struct obj_reader_options options; /* without arena and row: the reader may outlive them */
    uint64_t extent_id, extent_offset, manifest_id, size;
    uint64_t offset, end; /* in the object: what is still to come */
    str inline_bytes;

    /* The extent under the offset. For an object in one extent, piece is made up from its row. */
    struct piece_row piece;
    struct extent_row extent;
    struct extent_reader *extent_reader;
    struct arena *piece_arena; /* of the extent row's strings; reset at each piece */

    char *buffer;
    size_t buffer_bytes;
    bool is_buffer_unbudgeted;
    struct budget_waiter waiter;
    bool is_waiting;

    struct job job;
    bool is_working;
    enum err result; /* of the worker's step, until it is taken */
    bool has_result;
    str data; /* what the worker's step gave */

    bool is_closing;
};

enum { PIECE_ARENA_BYTES = 8 << 20 };

/* ---- Opening ---- */

static enum err load_inline(struct obj_reader *reader, struct tx *tx,
                            const struct obj_reader_options *options)
{
    const struct blob *body = &options->row->body;
    if (body->length != reader->size)
        return ERR_CORRUPT;
    char *bytes = arena_alloc(options->arena, body->length);
    TRY(blob_read(tx, body, bytes));
    reader->inline_bytes = str_of(bytes + reader->offset, reader->end - reader->offset);
    return OK;
}

static void piece_close(struct obj_reader *reader)
{
    extent_close(mem_take(&reader->extent_reader));
}

/* An extent that is not there: dropped since `tx` began, or lost, if the newest state still has its row. */
static enum err why_missing(struct obj_reader *reader, enum view_flags flags)
{
    struct tx *tx;
    struct extent_row row = {.id = reader->piece.extent_id};
    TRY(view_begin(reader->options.store->engine, flags, &tx));
    enum err err = row_get(tx, TABLE_extent, &row, reader->piece_arena);
    view_end(tx);
    if (err == OK)
        return ERR_CORRUPT;
    return err == ERR_NOT_FOUND ? ERR_RETRY : err;
}

/* Opens the extent of reader->piece. A row that is gone was let go of longer ago than the grace. */
static enum err piece_open_extent(struct obj_reader *reader, struct tx *tx, enum view_flags flags)
{
    reader->extent = (struct extent_row){.id = reader->piece.extent_id};
    enum err err = row_get(tx, TABLE_extent, &reader->extent, reader->piece_arena);
    if (err != OK)
        return err == ERR_NOT_FOUND ? ERR_RETRY : err;
    err =
        extent_open(reader->options.store->engine, &reader->extent, flags, &reader->extent_reader);
    return err == ERR_NOT_FOUND ? why_missing(reader, flags) : err;
}

static enum err piece_open(struct obj_reader *reader, struct tx *tx, enum view_flags flags)
{
    if (reader->piece_arena == NULL)
        reader->piece_arena = arena_new(PIECE_ARENA_BYTES);
    arena_reset(reader->piece_arena);
    if (reader->extent_id != 0) {
        reader->piece = (struct piece_row){.length = reader->size,
                                           .extent_id = reader->extent_id,
                                           .extent_offset = reader->extent_offset};
        return piece_open_extent(reader, tx, flags);
    }
    struct piece_row from = {.manifest_id = reader->manifest_id, .offset = reader->offset};
    enum err err = row_find_before(tx, TABLE_piece, &from, 1, &reader->piece, reader->piece_arena);
    if (err != OK)
        return err == ERR_NOT_FOUND ? ERR_RETRY : err;
    if (reader->offset - reader->piece.offset >= reader->piece.length)
        return ERR_CORRUPT;
    return piece_open_extent(reader, tx, flags);
}

static void buffer_give(struct obj_reader *reader)
{
    struct store *store = reader->options.store;
    buffers_give(&store->download_buffers, mem_take(&reader->buffer));
    if (!reader->is_buffer_unbudgeted)
        budget_give(&store->download_budget, reader->buffer_bytes);
}

static void reader_free(struct obj_reader *reader)
{
    struct store *store = reader->options.store;
    piece_close(reader);
    arena_free(mem_take(&reader->piece_arena));
    if (reader->buffer != NULL)
        buffer_give(reader);
    if (reader->manifest_id != 0)
        unpin(&store->pins, GARBAGE_MANIFEST, reader->manifest_id);
    mem_free(reader);
}

static void budget_granted(struct budget_waiter *waiter);

enum err obj_reader_open(struct tx *tx, enum view_flags flags,
                         const struct obj_reader_options *options, struct obj_reader **out_reader)
{
    assert(options->length > 0 && options->offset + options->length <= options->row->size);
    const struct object_row *row = options->row;
    struct obj_reader *reader = mem_new(struct obj_reader);
    reader->options = *options;
    reader->options.row = NULL;
    reader->options.arena = NULL;
    reader->extent_id = row->extent_id;
    reader->extent_offset = row->extent_offset;
    reader->manifest_id = row->manifest_id;
    reader->size = row->size;
    reader->offset = options->offset;
    reader->end = options->offset + options->length;
    reader->waiter = (struct budget_waiter){.loop = options->loop, .granted = budget_granted};
    if (reader->manifest_id != 0)
        pin(&options->store->pins, GARBAGE_MANIFEST, reader->manifest_id);
    bool is_inline = reader->manifest_id == 0 && reader->extent_id == 0;
    enum err err = is_inline ? load_inline(reader, tx, options) : piece_open(reader, tx, flags);
    if (err != OK) {
        reader_free(reader);
        return err;
    }
    *out_reader = reader;
    return OK;
}

/* ---- Reading ---- */

/* Bytes from the offset on, from the extent that is open, or from the next piece's. */
static enum err read_step(struct obj_reader *reader, enum view_flags flags, str *out_data)
{
    uint64_t piece_end = reader->piece.offset + reader->piece.length;
    if (reader->extent_reader != NULL && reader->offset >= piece_end)
        piece_close(reader);
    if (reader->extent_reader == NULL) {
        struct tx *tx;
        TRY(view_begin(reader->options.store->engine, flags, &tx));
        enum err err = piece_open(reader, tx, flags);
        view_end(tx);
        TRY(err);
        piece_end = reader->piece.offset + reader->piece.length;
    }
    uint64_t in_extent = reader->piece.extent_offset + (reader->offset - reader->piece.offset);
    str data;
    TRY(extent_read(reader->extent_reader, in_extent, reader->buffer, reader->buffer_bytes, flags,
                    &data));
    uint64_t left = (piece_end < reader->end ? piece_end : reader->end) - reader->offset;
    *out_data = data.len > left ? str_slice(data, 0, left) : data;
    return OK;
}

static void work_run(struct job *job)
{
    struct obj_reader *reader = container_of(job, struct obj_reader, job);
    reader->result = read_step(reader, VIEW_WAIT, &reader->data);
}

static void work_done(struct job *job)
{
    struct obj_reader *reader = container_of(job, struct obj_reader, job);
    reader->is_working = false;
    reader->has_result = true;
    if (reader->is_closing)
        reader_free(reader);
    else
        reader->options.ready(reader->options.context);
}

static void buffer_take(struct obj_reader *reader)
{
    reader->buffer_bytes = DOWNLOAD_BUFFER_BYTES;
    reader->buffer = buffers_take(&reader->options.store->download_buffers);
}

static void budget_granted(struct budget_waiter *waiter)
{
    struct obj_reader *reader = container_of(waiter, struct obj_reader, waiter);
    reader->is_waiting = false;
    buffer_take(reader);
    if (reader->is_closing)
        reader_free(reader);
    else
        reader->options.ready(reader->options.context);
}

static enum err need_buffer(struct obj_reader *reader)
{
    if (reader->buffer != NULL)
        return OK;
    if (!budget_take(&reader->options.store->download_budget, &reader->waiter,
                     DOWNLOAD_BUFFER_BYTES)) {
        reader->is_waiting = true;
        return ERR_PENDING;
    }
    buffer_take(reader);
    return OK;
}

/* A span of the file for sendfile, where the operator trusts the file system below;
 * ERR_NOT_IMPLEMENTED where there is none. */
static enum err next_span(struct obj_reader *reader, struct obj_piece *out_piece)
{
    uint64_t in_piece = reader->offset - reader->piece.offset;
    /* What a worker has read of this place comes first: it would be given out for a later one. */
    if (reader->options.store->verify_reads || reader->has_result ||
        in_piece >= reader->piece.length || reader->extent_reader == NULL)
        return ERR_NOT_IMPLEMENTED;
    struct obj_piece piece = {.fd = -1};
    TRY(extent_span(reader->extent_reader, reader->piece.extent_offset + in_piece, &piece.fd,
                    &piece.file_offset));
    piece.file_length = reader->piece.length - in_piece;
    if (piece.file_length > reader->end - reader->offset)
        piece.file_length = reader->end - reader->offset;
    reader->offset += piece.file_length;
    *out_piece = piece;
    return OK;
}

static enum err next_bytes(struct obj_reader *reader, str *out_bytes)
{
    TRY(need_buffer(reader));
    enum err err =
        reader->has_result ? reader->result : read_step(reader, VIEW_NOWAIT, &reader->data);
    reader->has_result = false;
    if (err == ERR_WOULD_BLOCK) {
        reader->is_working = true;
        reader->job =
            (struct job){.loop = reader->options.loop, .run = work_run, .done = work_done};
        workers_submit(reader->options.store->workers, &reader->job);
        return ERR_PENDING;
    }
    TRY(err);
    *out_bytes = reader->data;
    reader->offset += reader->data.len;
    return OK;
}

enum err obj_reader_next(struct obj_reader *reader, struct obj_piece *out_piece)
{
    assert(!reader->is_working && !reader->is_waiting && !reader->is_closing);
    assert(reader->offset < reader->end);
    if (reader->inline_bytes.len > 0) {
        *out_piece = (struct obj_piece){.bytes = reader->inline_bytes, .fd = -1};
        reader->offset = reader->end;
        return OK;
    }
    enum err err = next_span(reader, out_piece);
    if (err != ERR_NOT_IMPLEMENTED)
        return err;
    str bytes;
    TRY(next_bytes(reader, &bytes));
    *out_piece = (struct obj_piece){.bytes = bytes, .fd = -1};
    return OK;
}

/* Reading from within a block gives the rest of it and the next one: as far as before, or
 * further. */
void obj_reader_park(struct obj_reader *reader, size_t unsent)
{
    assert(!reader->is_working && !reader->is_waiting && !reader->is_closing);
    assert(reader->buffer != NULL && unsent <= reader->data.len);
    reader->offset -= unsent;
    reader->data = (str){0};
    buffer_give(reader);
}

str obj_reader_inline(const struct obj_reader *reader)
{
    return reader->inline_bytes;
}

void obj_reader_close(struct obj_reader *reader)
{
    assert(!reader->is_closing);
    reader->is_closing = true;
    if (reader->is_waiting &&
        !budget_cancel(&reader->options.store->download_budget, &reader->waiter))
        return;
    if (!reader->is_working)
        reader_free(reader);
}

enum err obj_reader_read_wait(struct obj_reader *reader, str *out_bytes)
{
    if (reader->offset >= reader->end)
        return ERR_NOT_FOUND;
    if (reader->inline_bytes.len > 0) {
        *out_bytes = reader->inline_bytes;
        reader->offset = reader->end;
        return OK;
    }
    if (reader->buffer == NULL) {
        /* A worker cannot wait in the budget's line; few of these run at once, one a worker. */
        reader->buffer_bytes = DOWNLOAD_BUFFER_BYTES;
        reader->buffer = buffers_take(&reader->options.store->download_buffers);
        reader->is_buffer_unbudgeted = true;
    }
    TRY(read_step(reader, VIEW_WAIT, out_bytes));
    reader->offset += out_bytes->len;
    return OK;
}
