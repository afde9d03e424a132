/* Extents as files (docs/format/extent.md). Written past the page cache where that is possible, read through it. */
#include "store/local/extent_limit.h"
#include "store/local/local_int.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/rand.h"
#include "store/blocks.h"

enum {
    PAGE = 4096, /* what O_DIRECT is aligned to */
    ALLOCATE_STEP =
        64 << 20, /* never more than this ahead of what is written: a hint is a client's word */
    ALLOCATE_UNKNOWN = 4 << 20, /* the step where there is no hint */
    SEQUENTIAL_BYTES = 1 << 20, /* from this length on the kernel is asked to read further ahead */
    ID_RANDOM_BITS = 22,
    LIMIT_AHEAD_MS = 60000,
    FOLDER_COUNT = 256,
    NAME_MAX_LEN = 32,
};

struct extent_store {
    const struct io *io;
    int dir_fd, tmp_fd; /* the data folder's */

    pthread_mutex_t id_mutex; /* may be held across a sync, once a minute */
    uint64_t floor_ms;        /* ids of this run are not below it, all others are */
    uint64_t limit_ms;        /* what the file "limit" says */

    pthread_mutex_t folder_mutex; /* held across a sync, once for each folder */
    bool has_folder[FOLDER_COUNT];
};

struct local_writer {
    struct extent_writer base;
    struct block_crcs crcs;
    int fd;
    char name[NAME_MAX_LEN]; /* in tmp/ */
    bool is_direct;

    pthread_mutex_t mutex;
    uint64_t size_hint, allocated_bytes;
};

struct local_reader {
    struct extent_reader base;
    int fd;
    struct extent_row row; /* its strings are the caller's */
};

static struct extent_store *store_of(struct engine *engine)
{
    return local_engine_of(engine)->extents;
}

static struct local_writer *writer_of(struct extent_writer *writer)
{
    return container_of(writer, struct local_writer, base);
}

static struct local_reader *reader_of_extent(struct extent_reader *reader)
{
    return container_of(reader, struct local_reader, base);
}

/* ---- Opening ---- */

enum err extent_store_open(struct local_engine *engine, struct extent_store **out_store,
                           struct fail *fail)
{
    struct extent_store *store = mem_new(struct extent_store);
    *store = (struct extent_store){
        .io = engine->io, .dir_fd = engine->dir.extents_fd, .tmp_fd = engine->dir.tmp_fd};
    enum err err = extent_limit_read(store->dir_fd, &store->limit_ms);
    if (err != OK) {
        mem_free(store);
        return fail_set(fail, err, NULL, "the file \"extents/limit\" cannot be used: %s",
                        err_fact(err));
    }
    uint64_t now = (uint64_t)clock_real_ms();
    store->floor_ms = now > store->limit_ms ? now : store->limit_ms + 1;
    pthread_mutex_init(&store->id_mutex, NULL);
    pthread_mutex_init(&store->folder_mutex, NULL);
    *out_store = store;
    return OK;
}

void extent_store_close(struct extent_store *store)
{
    if (!store)
        return;
    pthread_mutex_destroy(&store->id_mutex);
    pthread_mutex_destroy(&store->folder_mutex);
    mem_free(store);
}

/* ---- Names ---- */

/* With id_mutex held. */
static enum err raise_limit(struct extent_store *store, uint64_t ms)
{
    char text[EXTENT_LIMIT_TEXT_MAX];
    uint64_t limit_ms = ms + LIMIT_AHEAD_MS;
    if (limit_ms >> EXTENT_TIME_BITS != 0)
        return ERR_UNAVAILABLE; /* the clock is wrong, and an id has no room for it */
    int len = snprintf(text, sizeof(text), "%016" PRIx64 "\n", limit_ms);
    TRY(file_replace(store->dir_fd, "limit", str_of(text, (size_t)len), 0600));
    store->limit_ms = limit_ms;
    return OK;
}

static enum err make_id(struct extent_store *store, uint64_t *out_id)
{
    pthread_mutex_lock(&store->id_mutex);
    uint64_t ms = (uint64_t)clock_real_ms();
    if (ms < store->floor_ms)
        ms = store->floor_ms;
    enum err err = ms > store->limit_ms ? raise_limit(store, ms) : OK;
    pthread_mutex_unlock(&store->id_mutex);
    TRY(err);
    *out_id = ms << ID_RANDOM_BITS | (rand_u64() & ((1u << ID_RANDOM_BITS) - 1));
    return OK;
}

static unsigned folder_of(uint64_t id)
{
    return (unsigned)(id % FOLDER_COUNT);
}

void extent_path(uint64_t id, char dst[EXTENT_PATH_MAX])
{
    (void)snprintf(dst, EXTENT_PATH_MAX, "%02x/%016" PRIx64, folder_of(id), id);
}

static enum err make_folder(struct extent_store *store, unsigned folder, const char *name)
{
    if (store->has_folder[folder])
        return OK;
    TRY(io_mkdir(store->io, store->dir_fd, name));
    /* Also when it was there: nobody knows whether it is durable. */
    TRY(io_sync(store->io, store->dir_fd));
    store->has_folder[folder] = true;
    return OK;
}

/* The folder of an id, itself durably there. */
static enum err open_folder(struct extent_store *store, unsigned folder, int *out_fd)
{
    char name[NAME_MAX_LEN];
    (void)snprintf(name, sizeof(name), "%02x", folder);
    pthread_mutex_lock(&store->folder_mutex);
    enum err err = make_folder(store, folder, name);
    pthread_mutex_unlock(&store->folder_mutex);
    TRY(err);
    return io_open(store->io, store->dir_fd, name, O_RDONLY | O_DIRECTORY, out_fd);
}

/* Numbers are given from below, so a high one says that nearly all are in use. */
static enum err check_fd(const struct local_engine *engine, int *fd)
{
    if (*fd < engine->body_fd_max)
        return OK;
    fd_close_scoped(fd);
    return ERR_UNAVAILABLE;
}

/* ---- Writing ---- */

static void set_direct(struct local_writer *writer, bool is_direct)
{
    int flags = fcntl(writer->fd, F_GETFL);
    int wanted = is_direct ? flags | O_DIRECT : flags & ~O_DIRECT;
    writer->is_direct = flags >= 0 && fcntl(writer->fd, F_SETFL, wanted) == 0 && is_direct;
}

static void writer_free(struct local_writer *writer)
{
    fd_close_scoped(&writer->fd);
    block_crcs_release(&writer->crcs);
    pthread_mutex_destroy(&writer->mutex);
    mem_free(writer);
}

enum err local_extent_begin(struct engine *base, uint64_t size_hint,
                            struct extent_writer **out_writer)
{
    struct local_engine *engine = local_engine_of(base);
    struct extent_store *store = engine->extents;
    if (local_is_read_only(engine))
        return ERR_READ_ONLY;
    if (local_is_full(engine, size_hint))
        return ERR_NO_SPACE;
    struct local_writer *writer = mem_new(struct local_writer);
    writer->base.engine = base;
    writer->fd = -1;
    writer->size_hint = size_hint;
    block_crcs_init(&writer->crcs, LOCAL_BLOCK_SIZE);
    pthread_mutex_init(&writer->mutex, NULL);
    (void)snprintf(writer->name, sizeof(writer->name), "%016" PRIx64, rand_u64());
    enum err err =
        io_open(store->io, store->tmp_fd, writer->name, O_RDWR | O_CREAT | O_EXCL, &writer->fd);
    if (err == OK && (err = check_fd(engine, &writer->fd)) != OK)
        (void)io_unlink(store->io, store->tmp_fd, writer->name);
    if (err != OK) {
        writer_free(writer);
        return err;
    }
    set_direct(writer, true);
    *out_writer = &writer->base;
    return OK;
}

void local_extent_abort(struct extent_writer *base)
{
    struct local_writer *writer = writer_of(base);
    struct extent_store *store = store_of(base->engine);
    (void)io_unlink(store->io, store->tmp_fd, writer->name);
    writer_free(writer);
}

/* Room up to `end` and some way further. With the mutex held. */
static enum err allocate_to(const struct io *io, struct local_writer *writer, uint64_t end)
{
    if (end <= writer->allocated_bytes)
        return OK;
    uint64_t step = writer->size_hint > end ? writer->size_hint - end : 0;
    if (writer->size_hint == 0)
        step = ALLOCATE_UNKNOWN;
    if (step > ALLOCATE_STEP)
        step = ALLOCATE_STEP;
    uint64_t wanted = (end + step + PAGE - 1) / PAGE * PAGE;
    TRY(io_allocate(io, writer->fd, wanted));
    writer->allocated_bytes = wanted;
    return OK;
}

static enum err write_tail(const struct io *io, int fd, const char *data, size_t len,
                           uint64_t offset)
{
    MEM_SCOPED char *page = mem_alloc_aligned(PAGE, PAGE);
    memcpy(page, data, len);
    memset(page + len, 0, PAGE - len);
    return io_write(io, fd, page, PAGE, offset);
}

static enum err write_direct(const struct io *io, int fd, const char *data, size_t len,
                             uint64_t offset)
{
    size_t tail = len % PAGE, whole = len - tail;
    if (whole)
        TRY(io_write(io, fd, data, whole, offset));
    return tail ? write_tail(io, fd, data + whole, tail, offset + whole) : OK;
}

enum err local_extent_write(struct extent_writer *base, const void *data, size_t len,
                            uint64_t offset)
{
    struct local_writer *writer = writer_of(base);
    struct local_engine *engine = local_engine_of(base->engine);
    if (local_is_full(engine, len))
        return ERR_NO_SPACE;
    TRY(block_crcs_add(&writer->crcs, data, len, offset));
    pthread_mutex_lock(&writer->mutex);
    enum err err = allocate_to(engine->io, writer, offset + len);
    pthread_mutex_unlock(&writer->mutex);
    TRY(err);
    io_reached(engine->io, "extent.writing");
    if (!writer->is_direct)
        return io_write(engine->io, writer->fd, data, len, offset);
    err = write_direct(engine->io, writer->fd, data, len, offset);
    if (err != ERR_BAD_INPUT)
        return err;
    /* The file system takes O_DIRECT but not this alignment. */
    set_direct(writer, false);
    return io_write(engine->io, writer->fd, data, len, offset);
}

/* Links the file in under an id that is free, durably. */
static enum err link_in(struct extent_store *store, const struct local_writer *writer,
                        uint64_t *out_id)
{
    for (;;) {
        uint64_t id;
        FD_SCOPED int folder = -1;
        TRY(make_id(store, &id));
        TRY(open_folder(store, folder_of(id), &folder));
        char path[EXTENT_PATH_MAX];
        extent_path(id, path);
        enum err err = io_rename_new(store->io, store->tmp_fd, writer->name, store->dir_fd, path);
        if (err == ERR_EXISTS)
            continue;
        TRY(err);
        io_reached(store->io, "extent.linked");
        err = io_sync(store->io, folder);
        if (err != OK)
            (void)io_unlink(store->io, store->dir_fd, path);
        io_reached(store->io, "extent.named");
        *out_id = id;
        return err;
    }
}

static enum err make_durable(struct extent_store *store, const struct local_writer *writer,
                             uint64_t length, uint64_t *out_id)
{
    io_reached(store->io, "extent.written");
    if (store->io->ftruncate(writer->fd, (off_t)length) < 0)
        return err_from_errno(errno);
    TRY(io_sync_data(store->io, writer->fd));
    io_reached(store->io, "extent.synced");
    return link_in(store, writer, out_id);
}

enum err local_extent_seal(struct extent_writer *base, uint64_t length, struct arena *arena,
                           struct extent_row *out_row)
{
    struct local_writer *writer = writer_of(base);
    struct local_engine *engine = local_engine_of(base->engine);
    struct extent_row row = {.created_ms = (uint64_t)clock_real_ms()};
    enum err err = local_is_read_only(engine) ? ERR_READ_ONLY : OK;
    if (err == OK)
        err = block_crcs_finish(&writer->crcs, length, arena, &row);
    bool is_complete = err == OK;
    if (is_complete)
        err = make_durable(engine->extents, writer, length, &row.id);
    if (err != OK) {
        if (is_complete && local_is_final(err))
            local_set_read_only(engine, "storing an extent failed", err);
        local_extent_abort(base);
        return err;
    }
    writer_free(writer);
    *out_row = row;
    return OK;
}

/* ---- Reading ---- */

enum err local_extent_open(struct engine *base, const struct extent_row *row, enum view_flags flags,
                           struct extent_reader **out_reader)
{
    struct extent_store *store = store_of(base);
    TRY(extent_row_check(row));
    char path[EXTENT_PATH_MAX];
    extent_path(row->id, path);
    int fd = -1;
    enum err err = flags & VIEW_NOWAIT ? io_open_now(store->dir_fd, path, &fd)
                                       : io_open(store->io, store->dir_fd, path, O_RDONLY, &fd);
    if (err == ERR_NOT_FOUND && !(flags & VIEW_NOWAIT))
        err = local_freeze_open(local_engine_of(base), row->id, &fd);
    TRY(err);
    TRY(check_fd(local_engine_of(base), &fd));
    if (row->length > SEQUENTIAL_BYTES)
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    struct local_reader *reader = mem_new(struct local_reader);
    *reader = (struct local_reader){.base = {.engine = base}, .fd = fd, .row = *row};
    *out_reader = &reader->base;
    return OK;
}

enum err local_extent_read(struct extent_reader *base, uint64_t offset, void *dst, size_t len,
                           enum view_flags flags, str *out_data)
{
    struct local_reader *reader = reader_of_extent(base);
    const struct io *io = local_engine_of(base->engine)->io;
    struct block_span span;
    TRY(block_span_of(&reader->row, offset, len, &span));
    TRY(flags & VIEW_NOWAIT ? io_read_now(io, reader->fd, dst, span.len, span.start)
                            : io_read(io, reader->fd, dst, span.len, span.start));
    TRY(block_span_verify(&reader->row, &span, dst));
    *out_data = str_skip(str_of(dst, span.len), span.skip);
    return OK;
}

enum err local_extent_span(struct extent_reader *base, uint64_t offset, int *out_fd,
                           uint64_t *out_file_offset)
{
    struct local_reader *reader = reader_of_extent(base);
    assert(offset <= reader->row.length);
    *out_fd = reader->fd;
    *out_file_offset = offset;
    return OK;
}

void local_extent_close(struct extent_reader *base)
{
    struct local_reader *reader = reader_of_extent(base);
    fd_close_scoped(&reader->fd);
    mem_free(reader);
}

/* ---- Dropping and listing ---- */

enum err local_extent_drop(struct engine *base, uint64_t id)
{
    struct extent_store *store = store_of(base);
    char path[EXTENT_PATH_MAX];
    bool is_kept;
    TRY(local_freeze_keep(local_engine_of(base), id, &is_kept));
    if (is_kept)
        return OK;
    extent_path(id, path);
    io_reached(store->io, "extent.dropping");
    TRY(io_unlink(store->io, store->dir_fd, path));
    io_reached(store->io, "extent.dropped");
    return OK;
}

struct listing {
    const struct extent_store *store;
    enum err (*seen)(void *context, uint64_t id);
    void *context;
};

static enum err list_folder(const struct listing *listing, unsigned folder)
{
    char name[NAME_MAX_LEN];
    (void)snprintf(name, sizeof(name), "%02x", folder);
    FD_SCOPED int fd = -1;
    enum err err =
        io_open(listing->store->io, listing->store->dir_fd, name, O_RDONLY | O_DIRECTORY, &fd);
    if (err == ERR_NOT_FOUND)
        return OK;
    TRY(err);
    DIR *dir = fdopendir(fd);
    if (!dir)
        return err_from_errno(errno);
    (void)fd_take(&fd);
    for (struct dirent *entry; err == OK && (entry = readdir(dir));) {
        uint64_t id;
        if (segment_name_parse(entry->d_name, "", &id) && folder_of(id) == folder &&
            id >> ID_RANDOM_BITS < listing->store->floor_ms)
            err = listing->seen(listing->context, id);
    }
    (void)closedir(dir);
    return err;
}

enum err local_extent_each(struct engine *engine, enum err (*seen)(void *context, uint64_t id),
                           void *context)
{
    struct listing listing = {store_of(engine), seen, context};
    for (unsigned folder = 0; folder < FOLDER_COUNT; folder++)
        TRY(list_folder(&listing, folder));
    return OK;
}
