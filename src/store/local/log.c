/* The list of segments, the writing end, and reading by place. */
#include "store/local/log.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/rand.h"
#include "store/local/log_int.h"

enum {
    FIRST_SEGMENT_BYTES = 1 << 20, /* so that an empty store is small */
    /* Segments have at most one in LOG_PARTS bytes of the log, so that what is prepared or waits to be used again stays
     * a small part of it; but not less than this, because each seal costs a sync. */
    SMALL_SEGMENT_BYTES = 16 << 20,
    LOG_PARTS = 32,
    FREE_PART = 16, /* files that wait to be used again: one in so many bytes of the log */
    SMALL_SYNC_BYTES = 64 << 10,
    PAGE = 4096, /* the system's; segments are of whole pages */
    /* Descriptors of segments that nobody reads at the moment: so many, but not more than a part of what the process may open. A
     * read of another segment has to open it first, which a loop leaves to a worker. */
    OPEN_MAX = 768,
    OPEN_MIN = 64,
    OPEN_PART = 8,
};

/* ---- The list ---- */

/* Where the id stands, or would stand. */
static size_t place_of(const struct store_log *log, uint64_t id)
{
    size_t low = 0, high = log->segment_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (log->segment[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct segment *log_find(const struct store_log *log, uint64_t id)
{
    size_t i = place_of(log, id);
    return i < log->segment_count && log->segment[i]->id == id ? log->segment[i] : NULL;
}

/* A copy of what is given, at the end of the list or where its id belongs. */
static struct segment *add_segment(struct store_log *log, const struct segment *segment)
{
    log->segment = mem_room(log->segment, log->segment_count, &log->segment_capacity,
                            sizeof(struct segment *));
    size_t at = place_of(log, segment->id);
    memmove(&log->segment[at + 1], &log->segment[at],
            (log->segment_count - at) * sizeof(struct segment *));
    log->segment_count++;
    struct segment *copy = mem_new(struct segment);
    *copy = *segment;
    log->segment[at] = copy;
    if (copy->fd >= 0)
        log->open_count++;
    return copy;
}

static void remove_segment(struct store_log *log, struct segment *segment)
{
    size_t at = place_of(log, segment->id);
    assert(log->segment[at] == segment);
    log->segment_count--;
    memmove(&log->segment[at], &log->segment[at + 1],
            (log->segment_count - at) * sizeof(struct segment *));
    if (segment->fd >= 0)
        log->open_count--;
}

void store_log_forget(struct store_log *log, uint64_t id)
{
    pthread_mutex_lock(&log->mutex);
    struct segment *segment = log_find(log, id);
    assert(segment && segment->user_count == 0);
    remove_segment(log, segment);
    pthread_mutex_unlock(&log->mutex);
    fd_close_scoped(&segment->fd);
    mem_free(segment);
}

/* With the mutex held. */
static uint64_t log_size(const struct store_log *log)
{
    uint64_t size = 0;
    for (size_t i = 0; i < log->segment_count; i++)
        size += log->segment[i]->size;
    return size;
}

/* Of a segment of a log of that size. */
static uint64_t grown_size(const struct store_log *log, uint64_t log_bytes)
{
    uint64_t size = SMALL_SEGMENT_BYTES;
    while (size < log->segment_bytes && size * 2 * LOG_PARTS <= log_bytes)
        size *= 2;
    return size < log->segment_bytes ? size : log->segment_bytes;
}

static void unlink_free(const struct store_log *log, uint64_t id)
{
    char name[SEGMENT_NAME_MAX];
    segment_name(name, id, ".free");
    (void)io_unlink(log->dir.io, log->dir.fd, name);
}

/* At least one file is kept, if it has the size of those that are made now. */
static bool is_free_wanted(const struct store_log *log, uint64_t size)
{
    uint64_t log_bytes = log_size(log), kept = size;
    for (size_t i = 0; i < log->free_count; i++)
        kept += log->free_file[i].size;
    return size == grown_size(log, log_bytes) && log->free_count < FREE_FILES_MAX &&
           (log->free_count == 0 || kept <= log_bytes / FREE_PART);
}

static void keep_or_unlink_free(struct store_log *log, uint64_t id, uint64_t size)
{
    pthread_mutex_lock(&log->mutex);
    bool is_kept = is_free_wanted(log, size);
    if (is_kept)
        log->free_file[log->free_count++] = (struct free_file){id, size};
    pthread_mutex_unlock(&log->mutex);
    if (!is_kept)
        unlink_free(log, id);
}

/* ---- Opening and closing ---- */

static enum err take_file(struct store_log *log, const char *name)
{
    uint64_t id;
    struct stat file;
    if (segment_name_parse(name, ".new", &id))
        return io_unlink(log->dir.io, log->dir.fd, name);
    bool is_free = segment_name_parse(name, ".free", &id);
    if (!is_free && !segment_name_parse(name, ".log", &id))
        return OK;
    if (fstatat(log->dir.fd, name, &file, 0) < 0)
        return ERR_IO;
    if (is_free) {
        keep_or_unlink_free(log, id, (uint64_t)file.st_size);
        return OK;
    }
    struct segment segment = {
        .id = id, .state = SEGMENT_SEALED, .size = (uint64_t)file.st_size, .fd = -1};
    add_segment(log, &segment);
    return OK;
}

static enum err list_files(struct store_log *log, struct fail *fail)
{
    FD_SCOPED int fd = -1;
    TRY(io_open(log->dir.io, log->dir.fd, ".", O_RDONLY | O_DIRECTORY, &fd));
    DIR *dir = fdopendir(fd);
    if (!dir)
        return fail_set(fail, ERR_IO, NULL, "log/ cannot be listed");
    (void)fd_take(&fd);
    enum err err = OK;
    for (struct dirent *entry; err == OK && (entry = readdir(dir));)
        err = take_file(log, entry->d_name);
    (void)closedir(dir);
    return err == OK ? OK : fail_set(fail, err, NULL, "log/ cannot be listed");
}

static size_t open_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < OPEN_MIN * OPEN_PART)
        return OPEN_MIN;
    return limit.rlim_cur / OPEN_PART < OPEN_MAX ? (size_t)limit.rlim_cur / OPEN_PART : OPEN_MAX;
}

enum err store_log_open(const struct store_log_options *options, struct store_log **out_log,
                        struct fail *fail)
{
    struct store_log *log = mem_new(struct store_log);
    log->dir = (struct segment_dir){.io = options->io, .fd = options->dir_fd};
    memcpy(log->dir.store_id, options->store_id, STORE_ID_SIZE);
    log->segment_bytes = (options->segment_bytes + PAGE - 1) / PAGE * (uint64_t)PAGE;
    assert(log->segment_bytes > SEGMENT_HEADER_SIZE);
    log->salt = rand_u64();
    log->open_max = open_max();
    pthread_mutex_init(&log->mutex, NULL);
    pthread_mutex_init(&log->prepare_mutex, NULL);
    enum err err = list_files(log, fail);
    if (err != OK) {
        store_log_close(log);
        return err;
    }
    *out_log = log;
    return OK;
}

void store_log_close(struct store_log *log)
{
    if (!log)
        return;
    for (size_t i = 0; i < log->segment_count; i++) {
        fd_close_scoped(&log->segment[i]->fd);
        mem_free(log->segment[i]);
    }
    mem_free(log->segment);
    pthread_mutex_destroy(&log->mutex);
    pthread_mutex_destroy(&log->prepare_mutex);
    mem_free(log);
}

/* ---- Batches ---- */

enum {
    BATCH_BYTES_MAX = 128 << 20, /* never reached: the commit thread stops at a smaller bound */
    BATCH_KEEP_BYTES = 1 << 20,
};

void log_batch_init(struct log_batch *batch)
{
    *batch = (struct log_batch){0};
    buf_init(&batch->bytes, BATCH_BYTES_MAX);
}

void log_batch_release(struct log_batch *batch)
{
    buf_release(&batch->bytes);
    mem_free(batch->record);
    batch->record = NULL;
}

void log_batch_clear(struct log_batch *batch)
{
    batch->record_count = 0;
    if (batch->bytes.capacity > BATCH_KEEP_BYTES)
        buf_release(&batch->bytes);
    buf_clear(&batch->bytes);
}

void log_batch_begin(struct log_batch *batch)
{
    batch->record = mem_room(batch->record, batch->record_count, &batch->record_capacity,
                             sizeof(*batch->record));
    batch->record[batch->record_count++] = (struct log_batch_record){.offset = batch->bytes.len};
    if (buf_reserve(&batch->bytes, RECORD_HEADER_SIZE))
        buf_commit(&batch->bytes, RECORD_HEADER_SIZE);
}

void log_batch_undo(struct log_batch *batch)
{
    assert(batch->record_count > 0);
    batch->bytes.len = batch->record[--batch->record_count].offset;
    batch->bytes.failure = OK;
}

void log_batch_end(struct log_batch *batch, uint32_t change_count)
{
    assert(batch->record_count > 0);
    batch->record[batch->record_count - 1].change_count = change_count;
}

/* ---- Making segments ---- */

/* Segments grow with the log, and stay small where there is little room. */
static uint64_t next_size(const struct store_log *log, uint64_t last, uint64_t log_bytes,
                          uint64_t min_size)
{
    uint64_t size = last < FIRST_SEGMENT_BYTES ? FIRST_SEGMENT_BYTES : 2 * last;
    uint64_t grown = grown_size(log, log_bytes);
    struct io_space space;
    if (size > grown)
        size = grown;
    if (io_space(log->dir.io, log->dir.fd, &space) == OK && size > space.free_bytes / 4)
        size = space.free_bytes / 4;
    if (size < FIRST_SEGMENT_BYTES)
        size = FIRST_SEGMENT_BYTES;
    if (size > log->segment_bytes)
        size = log->segment_bytes;
    if (size < min_size)
        size = min_size;
    return (size + PAGE - 1) / PAGE * PAGE;
}

/* A file of that size that can be used again, or 0. Those of another size go: the log has grown, or shrunk. */
static uint64_t take_free_file(struct store_log *log, uint64_t size)
{
    struct free_file file;
    do {
        file = (struct free_file){0};
        pthread_mutex_lock(&log->mutex);
        if (log->free_count)
            file = log->free_file[--log->free_count];
        pthread_mutex_unlock(&log->mutex);
        if (file.id && file.size != size)
            unlink_free(log, file.id);
    } while (file.id && file.size != size);
    return file.id;
}

/* Zeroes that are written ahead save each sync the file system's own bookkeeping, and cost every byte a second write: worth it while syncs
 * are of few bytes. */
static bool has_small_syncs(const struct store_log *log)
{
    return __atomic_load_n(&log->end_offset, __ATOMIC_RELAXED) <
           __atomic_load_n(&log->active_syncs, __ATOMIC_RELAXED) * SMALL_SYNC_BYTES;
}

/* With prepare_mutex held. Urgent: a batch waits for it. */
static enum err make_prepared(struct store_log *log, uint64_t min_size, bool is_urgent)
{
    if (log->prepared)
        return OK;
    pthread_mutex_lock(&log->mutex);
    struct segment segment = {0};
    if (log->segment_count)
        segment = *log->segment[log->segment_count - 1];
    uint64_t log_bytes = log_size(log);
    pthread_mutex_unlock(&log->mutex);
    struct segment_plan plan = {
        .id = segment.id + 1,
        .size = next_size(log, segment.size, log_bytes, min_size),
        .is_written_ahead = !is_urgent && has_small_syncs(log),
    };
    plan.reuse_id = take_free_file(log, plan.size);
    TRY(segment_create(&log->dir, &plan, &segment));
    pthread_mutex_lock(&log->mutex);
    log->prepared = add_segment(log, &segment);
    pthread_mutex_unlock(&log->mutex);
    return OK;
}

bool store_log_wants_segment(struct store_log *log)
{
    pthread_mutex_lock(&log->mutex);
    bool wants = !log->prepared && log->active &&
                 __atomic_load_n(&log->end_offset, __ATOMIC_RELAXED) > log->active->size / 2;
    pthread_mutex_unlock(&log->mutex);
    return wants;
}

enum err store_log_prepare(struct store_log *log)
{
    if (!store_log_wants_segment(log))
        return OK;
    pthread_mutex_lock(&log->prepare_mutex);
    enum err err = make_prepared(log, 0, false);
    pthread_mutex_unlock(&log->prepare_mutex);
    return err;
}

/* ---- Writing ---- */

/* The prepared segment, made now if need be, becomes the active one. */
static enum err activate_next(struct store_log *log, uint64_t min_size)
{
    pthread_mutex_lock(&log->prepare_mutex);
    enum err err = make_prepared(log, min_size, true);
    if (err == OK) {
        pthread_mutex_lock(&log->mutex);
        log->active = log->prepared;
        log->active->state = SEGMENT_ACTIVE;
        log->active->user_count++; /* keeps the descriptor open */
        log->prepared = NULL;
        log->chain = log->active->header_check;
        log->end_offset = SEGMENT_HEADER_SIZE;
        log->active_syncs = 0;
        pthread_mutex_unlock(&log->mutex);
    }
    pthread_mutex_unlock(&log->prepare_mutex);
    return err;
}

/* A write that found no room may have left its first records whole, which a start would take for committed when nothing is written
 * over them before: so that is done now, and durably. */
static enum err take_back(struct store_log *log)
{
    const struct io *io = log->dir.io;
    static const char zeroes[RECORD_ALIGNMENT];
    char header[RECORD_HEADER_SIZE];
    size_t len;
    struct record record;
    TRY(io_read_some(io, log->active->fd, header, sizeof(header), log->end_offset, &len));
    if (record_header_decode(str_of(header, len), &record) != OK ||
        record.epoch != log->active->epoch)
        return OK;
    TRY(io_write(io, log->active->fd, zeroes, sizeof(zeroes), log->end_offset));
    return io_sync_data(io, log->active->fd);
}

/* What a write without room has left is never taken for records: its beginning is taken back, and the chain does not lead to the
 * rest, even if what is written next is equal but for the salt. After any other failure nobody knows what the file holds. */
static enum err write_at_end(struct store_log *log, str bytes)
{
    enum err err = io_write(log->dir.io, log->active->fd, bytes.ptr, bytes.len, log->end_offset);
    if (err == OK)
        return OK;
    log->salt = rand_u64();
    return err == ERR_NO_SPACE && take_back(log) == OK ? ERR_NO_SPACE : ERR_IO;
}

/* Nothing follows in the active segment, and that is durable before the next one is written. */
static enum err seal_active(struct store_log *log)
{
    char bytes[PAGE] = {0};
    struct record record = {
        .kind = RECORD_SEAL,
        .epoch = log->active->epoch,
        .sequence = log->sequence + 1,
        .durable = log->durable,
        .chain = log->chain,
        .salt = log->salt,
    };
    record_encode(&record, bytes);
    TRY(write_at_end(log, str_of(bytes, PAGE - log->end_offset % PAGE)));
    if (io_sync_data(log->dir.io, log->active->fd) != OK)
        return ERR_IO;
    io_reached(log->dir.io, "log.sealed");
    log->durable = ++log->sequence;
    pthread_mutex_lock(&log->mutex);
    log->active->state = SEGMENT_SEALED;
    log->active->user_count--;
    log->active = NULL;
    pthread_mutex_unlock(&log->mutex);
    return OK;
}

/* There is always room for a seal behind what is written. */
static bool fits(const struct store_log *log, uint64_t len)
{
    return log->active && log->end_offset + len + RECORD_ALIGNMENT <= log->active->size;
}

static enum err make_room(struct store_log *log, uint64_t len)
{
    while (!fits(log, len)) {
        if (log->active)
            TRY(seal_active(log));
        TRY(activate_next(log, SEGMENT_HEADER_SIZE + len + RECORD_ALIGNMENT));
    }
    return OK;
}

static struct record encode_records(const struct store_log *log, struct log_batch *batch)
{
    struct record record = {.sequence = log->sequence, .check = log->chain};
    for (size_t i = 0; i < batch->record_count; i++) {
        size_t offset = batch->record[i].offset;
        size_t end = i + 1 < batch->record_count ? batch->record[i + 1].offset : batch->bytes.len;
        record = (struct record){
            .kind = RECORD_UPDATE,
            .payload_length = (uint32_t)(end - offset - RECORD_HEADER_SIZE),
            .change_count = batch->record[i].change_count,
            .epoch = log->active->epoch,
            .sequence = record.sequence + 1,
            .durable = log->durable,
            .chain = record.check,
            .salt = log->salt,
        };
        record_encode(&record, batch->bytes.ptr + offset);
    }
    return record;
}

/* Zeroes up to the end of the page: half a page would have to be read before it is written. The next batch is written over them. */
static void pad(const struct store_log *log, struct buf *bytes)
{
    static const char zeroes[PAGE];
    uint64_t into_page = (log->end_offset + bytes->len) % PAGE;
    buf_append(bytes, str_of(zeroes, into_page ? PAGE - into_page : 0));
}

enum err store_log_append(struct store_log *log, struct log_batch *batch,
                          struct log_place *out_place)
{
    assert(batch->record_count > 0);
    uint64_t len = record_aligned(batch->bytes.len);
    TRY(make_room(log, len));
    struct record last = encode_records(log, batch);
    pad(log, &batch->bytes);
    TRY(buf_err(&batch->bytes));
    io_reached(log->dir.io, "log.writing");
    TRY(write_at_end(log, buf_str(&batch->bytes)));
    io_reached(log->dir.io, "log.written");
    *out_place = (struct log_place){log->active->id, log->end_offset};
    __atomic_store_n(&log->end_offset, log->end_offset + len, __ATOMIC_RELAXED);
    log->sequence = last.sequence;
    log->chain = last.check;
    return OK;
}

enum err store_log_sync(struct store_log *log)
{
    TRY(io_sync_data(log->dir.io, log->active->fd));
    log->durable = log->sequence;
    __atomic_add_fetch(&log->active_syncs, 1, __ATOMIC_RELAXED);
    io_reached(log->dir.io, "log.synced");
    return OK;
}

struct log_position store_log_end(const struct store_log *log)
{
    return (struct log_position){
        .segment = log->active ? log->active->id : 0,
        .offset = log->end_offset,
        .sequence = log->sequence,
        .chain = log->chain,
    };
}

/* ---- Reading ---- */

/* Closes the descriptor that was not used for the longest time. With the mutex held. */
static int take_idle_descriptor(struct store_log *log)
{
    struct segment *oldest = NULL;
    for (size_t i = 0; i < log->segment_count; i++) {
        struct segment *segment = log->segment[i];
        if (segment->fd >= 0 && segment->user_count == 0 && segment->state != SEGMENT_PREPARED &&
            (!oldest || segment->last_used < oldest->last_used))
            oldest = segment;
    }
    if (!oldest)
        return -1;
    log->open_count--;
    return fd_take(&oldest->fd);
}

/* Opens the file of a segment that is held already. */
static enum err open_held(struct store_log *log, struct segment *segment, struct fail *fail)
{
    struct segment_header header;
    FD_SCOPED int fd = -1;
    int idle = -1;
    TRY(segment_open(&log->dir, segment->id, O_RDWR, &header, &fd, fail));
    pthread_mutex_lock(&log->mutex);
    if (segment->fd < 0) {
        segment->fd = fd_take(&fd);
        segment->epoch = header.epoch;
        segment->header_check = header.check;
        if (++log->open_count > log->open_max)
            idle = take_idle_descriptor(log);
    }
    pthread_mutex_unlock(&log->mutex);
    fd_close_scoped(&idle);
    return OK;
}

enum err log_hold(struct store_log *log, uint64_t id, enum view_flags flags,
                  struct segment **out_segment, struct fail *fail)
{
    pthread_mutex_lock(&log->mutex);
    struct segment *segment = log_find(log, id);
    if (segment && segment->state == SEGMENT_RETIRING)
        segment = NULL;
    bool is_open = segment && segment->fd >= 0;
    bool is_refused = !segment || (!is_open && (flags & VIEW_NOWAIT));
    if (!is_refused) {
        segment->user_count++;
        segment->last_used = ++log->use_clock;
    }
    pthread_mutex_unlock(&log->mutex);
    if (!segment)
        return fail_set(fail, ERR_CORRUPT, NULL, "log segment %llu does not exist",
                        (unsigned long long)id);
    if (is_refused)
        return ERR_WOULD_BLOCK;
    enum err err = is_open ? OK : open_held(log, segment, fail);
    if (err != OK) {
        log_let(log, segment);
        return err;
    }
    *out_segment = segment;
    return OK;
}

void log_let(struct store_log *log, struct segment *segment)
{
    pthread_mutex_lock(&log->mutex);
    assert(segment->user_count > 0);
    segment->user_count--;
    pthread_mutex_unlock(&log->mutex);
}

enum err store_log_read(struct store_log *log, uint64_t id, uint64_t offset, void *dst, size_t len,
                        enum view_flags flags)
{
    struct segment *segment;
    TRY(log_hold(log, id, flags, &segment, NULL));
    enum err err = flags & VIEW_NOWAIT ? io_read_now(log->dir.io, segment->fd, dst, len, offset)
                                       : io_read(log->dir.io, segment->fd, dst, len, offset);
    log_let(log, segment);
    return err;
}

/* ---- Figures ---- */

static struct log_figures figures_of(const struct segment *segment)
{
    return (struct log_figures){
        .id = segment->id,
        .size = segment->size,
        .live_bytes = segment->live_bytes,
        .tombstone_bytes = segment->tombstone_bytes,
        .state = segment->state,
        .is_damaged = segment->is_damaged,
    };
}

bool store_log_account(struct store_log *log, uint64_t id, int64_t live_bytes,
                       int64_t tombstone_bytes, struct log_figures *out_figures)
{
    pthread_mutex_lock(&log->mutex);
    struct segment *segment = log_find(log, id);
    if (segment) {
        segment->live_bytes += (uint64_t)live_bytes;
        segment->tombstone_bytes += (uint64_t)tombstone_bytes;
        *out_figures = figures_of(segment);
    }
    pthread_mutex_unlock(&log->mutex);
    return segment != NULL;
}

bool store_log_set_figures(struct store_log *log, const struct log_figures *figures)
{
    pthread_mutex_lock(&log->mutex);
    struct segment *segment = log_find(log, figures->id);
    if (segment) {
        segment->live_bytes = figures->live_bytes;
        segment->tombstone_bytes = figures->tombstone_bytes;
    }
    pthread_mutex_unlock(&log->mutex);
    return segment != NULL;
}

bool store_log_next_segment(struct store_log *log, uint64_t after, struct log_figures *out_figures)
{
    pthread_mutex_lock(&log->mutex);
    size_t at = place_of(log, after + 1);
    bool found = at < log->segment_count;
    if (found)
        *out_figures = figures_of(log->segment[at]);
    pthread_mutex_unlock(&log->mutex);
    return found;
}

/* ---- Giving back ---- */

void store_log_set_empty(struct store_log *log, uint64_t id, uint64_t emptied_at)
{
    pthread_mutex_lock(&log->mutex);
    struct segment *segment = log_find(log, id);
    assert(segment && segment->state == SEGMENT_SEALED);
    segment->state = SEGMENT_EMPTY;
    segment->emptied_at = emptied_at;
    pthread_mutex_unlock(&log->mutex);
}

void store_log_set_damaged(struct store_log *log, uint64_t id)
{
    pthread_mutex_lock(&log->mutex);
    struct segment *segment = log_find(log, id);
    if (segment)
        segment->is_damaged = true;
    pthread_mutex_unlock(&log->mutex);
}

/* With the mutex held. */
static struct segment *find_retirable(const struct store_log *log, uint64_t oldest_snapshot)
{
    for (size_t i = 0; i < log->segment_count; i++) {
        struct segment *segment = log->segment[i];
        if (segment->state == SEGMENT_EMPTY && segment->user_count == 0 &&
            segment->emptied_at <= oldest_snapshot)
            return segment;
    }
    return NULL;
}

bool store_log_has_retirable(struct store_log *log, uint64_t oldest_snapshot)
{
    pthread_mutex_lock(&log->mutex);
    bool found = find_retirable(log, oldest_snapshot) != NULL;
    pthread_mutex_unlock(&log->mutex);
    return found;
}

enum err store_log_retire_empty(struct store_log *log, uint64_t oldest_snapshot)
{
    for (;;) {
        pthread_mutex_lock(&log->mutex);
        struct segment *segment = find_retirable(log, oldest_snapshot);
        if (segment)
            segment->state = SEGMENT_RETIRING;
        pthread_mutex_unlock(&log->mutex);
        if (!segment)
            return OK;
        /* It leaves the list only when that is durable: whether a deletion is still needed is told by the list. */
        enum err err = segment_retire(&log->dir, segment->id);
        pthread_mutex_lock(&log->mutex);
        if (err == OK)
            remove_segment(log, segment);
        else
            segment->state = SEGMENT_EMPTY;
        pthread_mutex_unlock(&log->mutex);
        TRY(err);
        fd_close_scoped(&segment->fd);
        keep_or_unlink_free(log, segment->id, segment->size);
        mem_free(segment);
    }
}
