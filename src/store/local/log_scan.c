/* Reading the log in order: where it ends, what has torn off at the end, and what is damage. The rules are those of
 * docs/format/log.md, "Crash states". */
#include "store/local/log.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "store/local/log_int.h"

enum {
    WINDOW_BYTES = 1 << 20,
    /* An update's bytes and what its changes are wrapped in. */
    RECORD_BYTES_MAX = 2 * UPDATE_BYTES_MAX,
};

/* A part of a segment's file in memory. */
struct window {
    const struct io *io;
    int fd;
    uint64_t offset; /* of bytes in the file */
    struct buf bytes;
};

static void window_init(struct window *window, const struct io *io, int fd)
{
    *window = (struct window){.io = io, .fd = fd};
    buf_init(&window->bytes, RECORD_BYTES_MAX + WINDOW_BYTES);
}

/* Up to len bytes at the offset; fewer where the file ends. They are valid until the next call. */
static enum err window_get(struct window *window, uint64_t offset, size_t len, str *out_bytes)
{
    uint64_t end = window->offset + window->bytes.len;
    if (offset < window->offset || offset + len > end) {
        size_t wanted = len > WINDOW_BYTES ? len : WINDOW_BYTES, got;
        buf_clear(&window->bytes);
        char *dst = buf_reserve(&window->bytes, wanted);
        if (!dst)
            return buf_err(&window->bytes);
        TRY(io_read_some(window->io, window->fd, dst, wanted, offset, &got));
        buf_commit(&window->bytes, got);
        window->offset = offset;
        end = offset + got;
    }
    uint64_t left = end - offset;
    *out_bytes = str_of(window->bytes.ptr + (offset - window->offset), left < len ? left : len);
    return OK;
}

/* A segment on its way through a scan. */
struct scan {
    struct window window;
    uint64_t segment, epoch;
    /* Behind the last record that belongs. */
    uint64_t offset;
    uint64_t sequence;
    uint32_t chain;
    uint64_t durable;     /* what the records so far say was on stable storage */
    uint64_t unsure_from; /* the first record that none says that of */
    bool
        may_skip; /* the next sequence may be any larger one: segments before this one have been given back */
    bool is_sealed;
};

/* A whole, unharmed record of the segment at that place; ERR_NOT_FOUND when there is none. */
static enum err load_record(struct window *window, uint64_t epoch, uint64_t offset,
                            struct record *out_record, str *out_payload)
{
    str bytes = {0};
    struct record record;
    TRY(window_get(window, offset, RECORD_HEADER_SIZE, &bytes));
    if (record_header_decode(bytes, &record) != OK || record.epoch != epoch ||
        record.payload_length > RECORD_BYTES_MAX - RECORD_HEADER_SIZE)
        return ERR_NOT_FOUND;
    size_t len = RECORD_HEADER_SIZE + (size_t)record.payload_length;
    TRY(window_get(window, offset, len, &bytes));
    if (bytes.len < len || record_verify(&record, bytes.ptr) != OK)
        return ERR_NOT_FOUND;
    *out_record = record;
    *out_payload = str_skip(bytes, RECORD_HEADER_SIZE);
    return OK;
}

static bool is_next(const struct scan *scan, const struct record *record)
{
    return record->chain == scan->chain &&
           (scan->may_skip ? record->sequence > scan->sequence
                           : record->sequence == scan->sequence + 1);
}

/* The record that follows, right behind the last one or at the next multiple; ERR_NOT_FOUND. Moves on behind it. */
static enum err next_record(struct scan *scan, struct record *out_record, str *out_payload)
{
    uint64_t places[] = {scan->offset, record_aligned(scan->offset)};
    for (size_t i = places[0] == places[1]; i < 2; i++) {
        enum err err = load_record(&scan->window, scan->epoch, places[i], out_record, out_payload);
        if (err == OK && !is_next(scan, out_record))
            err = ERR_NOT_FOUND;
        if (err == ERR_NOT_FOUND)
            continue;
        TRY(err);
        if (out_record->durable > scan->durable) {
            scan->durable = out_record->durable;
            scan->unsure_from = places[i];
        }
        scan->offset = places[i] + RECORD_HEADER_SIZE + out_record->payload_length;
        scan->sequence = out_record->sequence;
        scan->chain = out_record->check;
        scan->may_skip = false;
        scan->is_sealed = out_record->kind == RECORD_SEAL;
        return OK;
    }
    return ERR_NOT_FOUND;
}

/* Visits records until none follows. */
static enum err scan_records(struct scan *scan, log_visit visit, void *context)
{
    struct record record;
    str payload;
    enum err err = OK;
    while (!scan->is_sealed && (err = next_record(scan, &record, &payload)) == OK) {
        struct log_found found = {
            .record = &record,
            .payload = payload,
            .place = {scan->segment, scan->offset - payload.len},
        };
        if (!scan->is_sealed)
            TRY(visit(context, &found));
    }
    return err == ERR_NOT_FOUND ? OK : err;
}

/* Whether a valid record stands anywhere from the offset on whose writer knew the missing sequence to be durable. */
static enum err find_evidence(struct scan *scan, uint64_t from, uint64_t missing, bool *out_found)
{
    *out_found = false;
    for (uint64_t offset = record_aligned(from);; offset += RECORD_ALIGNMENT) {
        str bytes, payload;
        struct record record;
        TRY(window_get(&scan->window, offset, RECORD_HEADER_SIZE, &bytes));
        if (bytes.len < RECORD_HEADER_SIZE)
            return OK;
        if (record_header_decode(bytes, &record) != OK || record.epoch != scan->epoch)
            continue;
        enum err err = load_record(&scan->window, scan->epoch, offset, &record, &payload);
        if (err == OK && record.durable >= missing) {
            *out_found = true;
            return OK;
        }
        if (err != ERR_NOT_FOUND)
            TRY(err);
    }
}

static void scan_init(struct scan *scan, const struct store_log *log, const struct segment *segment)
{
    *scan = (struct scan){
        .segment = segment->id,
        .epoch = segment->epoch,
        .offset = SEGMENT_HEADER_SIZE,
        .chain = segment->header_check,
    };
    window_init(&scan->window, log->dir.io, segment->fd);
}

static void scan_release(struct scan *scan)
{
    buf_release(&scan->window.bytes);
}

/* ---- Recovery ---- */

static enum err damage(const struct scan *scan, struct fail *fail)
{
    return fail_set(fail, ERR_CORRUPT, NULL,
                    "acknowledged records are lost: log/%016" PRIx64
                    ".log is damaged at offset %" PRIu64 ", behind record %" PRIu64,
                    scan->segment, scan->offset, scan->sequence);
}

/* Records behind the end of *at in its own segment or in a later one mean that what lies between was lost. */
static enum err check_end(struct store_log *log, struct scan *at, struct fail *fail)
{
    bool found;
    uint64_t missing = at->sequence + 1;
    TRY(find_evidence(at, at->offset, missing, &found));
    struct log_figures next = {.id = at->segment};
    while (!found && store_log_next_segment(log, next.id, &next)) {
        struct segment *segment;
        struct scan scan;
        TRY(log_hold(log, next.id, VIEW_WAIT, &segment, fail));
        scan_init(&scan, log, segment);
        enum err err = find_evidence(&scan, scan.offset, missing, &found);
        scan_release(&scan);
        log_let(log, segment);
        TRY(err);
    }
    return found ? damage(at, fail) : OK;
}

/* The segment to begin with: that of the position, or the first there is. */
static enum err first_segment(struct store_log *log, const struct log_position *from,
                              struct log_figures *out_figures, struct fail *fail)
{
    uint64_t after = from->segment ? from->segment - 1 : 0;
    if (!store_log_next_segment(log, after, out_figures))
        return from->segment ? fail_set(fail, ERR_CORRUPT, NULL, "the log's newest file is missing")
                             : ERR_NOT_FOUND;
    if (from->segment && out_figures->id != from->segment)
        return fail_set(fail, ERR_CORRUPT, NULL, "log/%016" PRIx64 ".log is missing",
                        from->segment);
    if (from->offset > out_figures->size)
        return fail_set(fail, ERR_CORRUPT, NULL,
                        "acknowledged records are lost: log/%016" PRIx64
                        ".log ends before what the index knows of it",
                        from->segment);
    return OK;
}

struct recovery {
    struct store_log *log;
    struct log_position position; /* behind the last record that was read */
    bool is_sealed;               /* the segment that it lies in */
    bool has_gap;                 /* records between it and the next segment were lost */
    bool is_whole; /* from the first segment there is: some may have been given back */
    log_visit visit;
    void *context;
    struct fail *fail;
};

/* Where reading a segment begins: at the position, or at its first record. */
static void place_scan(const struct recovery *recovery, uint64_t id, struct scan *scan)
{
    const struct log_position *position = &recovery->position;
    scan->sequence = position->sequence;
    if (position->segment == id) {
        scan->offset = position->offset;
        scan->chain = position->chain;
    } else {
        /* Only neighbours follow each other without a gap; between others, segments were given back. Behind the index's position none
         * can have been: that takes an index on the disk that reaches further. */
        scan->may_skip = (recovery->is_whole && position->segment + 1 != id) || recovery->has_gap;
    }
}

/* The next record of the segment that can be read, behind what is damaged; ERR_NOT_FOUND. */
static enum err find_next_record(struct scan *scan, uint64_t *out_offset, struct record *out_record)
{
    for (uint64_t offset = record_aligned(scan->offset);; offset += RECORD_ALIGNMENT) {
        str bytes = {0}, payload; /* gcc does not see that a success sets it */
        TRY(window_get(&scan->window, offset, RECORD_HEADER_SIZE, &bytes));
        if (bytes.len < RECORD_HEADER_SIZE)
            return ERR_NOT_FOUND;
        enum err err = load_record(&scan->window, scan->epoch, offset, out_record, &payload);
        if (err == ERR_NOT_FOUND || (err == OK && out_record->sequence <= scan->sequence))
            continue;
        *out_offset = offset;
        return err;
    }
}

/* Goes on behind the damage. Where nothing follows in this segment, what follows is looked for in the next. */
static enum err pass_over(struct recovery *recovery, struct scan *scan)
{
    struct log_loss loss = {
        .segment = scan->segment, .from = scan->offset, .first_sequence = scan->sequence + 1};
    struct record record;
    enum err err = find_next_record(scan, &loss.to, &record);
    if (err == OK) {
        loss.last_sequence = record.sequence - 1;
        scan->offset = loss.to;
        scan->chain = record.chain;
        scan->may_skip = true;
    } else if (err == ERR_NOT_FOUND) {
        scan->is_sealed = recovery->has_gap = true;
    } else {
        return err;
    }
    recovery->log->lost(recovery->log->lost_context, &loss);
    return OK;
}

/* To the end of the segment, over damage where that is asked for. */
static enum err recover_records(struct recovery *recovery, struct scan *scan)
{
    struct store_log *log = recovery->log;
    for (;;) {
        TRY(scan_records(scan, recovery->visit, recovery->context));
        if (scan->is_sealed)
            return OK;
        enum err err = check_end(log, scan, log->lost ? NULL : recovery->fail);
        if (err != ERR_CORRUPT || !log->lost)
            return err;
        TRY(pass_over(recovery, scan));
    }
}

static enum err pass_by(void *context, const struct log_found *found)
{
    (void)context;
    (void)found;
    return OK;
}

static enum err write_again(const struct store_log *log, int fd, const struct scan *scan)
{
    MEM_SCOPED char *bytes = mem_alloc(WINDOW_BYTES);
    for (uint64_t at = scan->unsure_from; at < scan->offset;) {
        uint64_t left = scan->offset - at;
        size_t len = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
        TRY(io_read(log->dir.io, fd, bytes, len, at));
        TRY(io_write(log->dir.io, fd, bytes, len, at));
        at += len;
    }
    return OK;
}

static bool is_followed(struct store_log *log, uint64_t id)
{
    struct log_figures next;
    return store_log_next_segment(log, id, &next) && store_log_next_segment(log, next.id, &next);
}

/* What stands at the end may have been written by a process that was killed before it could sync, or by one whose sync failed: that
 * leaves pages in memory which count as written, and the next sync says OK (fsync(2)). So what no later record calls durable is written
 * again and synced, before the index, which may be flushed at any time, hears of it. Only the last segment with records can have such,
 * and behind it there is none but the prepared one: a seal is synced before anything is written to the next. */
static enum err settle_end(struct recovery *recovery, struct segment *segment, uint64_t id)
{
    struct store_log *log = recovery->log;
    struct scan scan;
    if (log->dir.io == &io_read_only || is_followed(log, id))
        return OK;
    scan_init(&scan, log, segment);
    place_scan(recovery, id, &scan);
    scan.unsure_from = scan.offset;
    enum err err = scan_records(&scan, pass_by, NULL);
    if (err == OK)
        err = write_again(log, segment->fd, &scan);
    if (err == OK)
        err = io_sync_data(log->dir.io, segment->fd);
    scan_release(&scan);
    return err;
}

static enum err recover_segment(struct recovery *recovery, uint64_t id)
{
    struct store_log *log = recovery->log;
    struct segment *segment;
    struct scan scan;
    TRY(log_hold(log, id, VIEW_WAIT, &segment, recovery->fail));
    enum err err = settle_end(recovery, segment, id);
    scan_init(&scan, log, segment);
    place_scan(recovery, id, &scan);
    recovery->has_gap = false;
    if (err == OK)
        err = recover_records(recovery, &scan);
    /* For what was read behind damage. */
    if (err == OK)
        err = io_sync_data(log->dir.io, segment->fd);
    if (err == OK)
        recovery->position = (struct log_position){id, scan.offset, scan.sequence, scan.chain};
    recovery->is_sealed = scan.is_sealed;
    scan_release(&scan);
    log_let(log, segment);
    if (err == OK)
        return OK;
    return fail_set(recovery->fail, err, NULL, "log/%016" PRIx64 ".log cannot be read", id);
}

/* The segments behind the end hold no records: the first waits to be used, the others are given back. */
static void take_prepared(struct store_log *log, uint64_t after)
{
    struct log_figures next = {.id = after};
    while (store_log_next_segment(log, next.id, &next)) {
        struct segment *segment;
        if (log_hold(log, next.id, VIEW_WAIT, &segment, NULL) != OK)
            continue;
        log_let(log, segment);
        pthread_mutex_lock(&log->mutex);
        if (log->prepared)
            segment->state = SEGMENT_EMPTY;
        else
            (log->prepared = segment)->state = SEGMENT_PREPARED;
        pthread_mutex_unlock(&log->mutex);
    }
}

static enum err take_end(struct store_log *log, const struct log_position *end, bool is_sealed)
{
    log->end_offset = record_aligned(end->offset);
    log->sequence = log->durable = end->sequence;
    log->chain = end->chain;
    if (end->segment == 0 || is_sealed)
        return OK;
    struct segment *segment;
    TRY(log_hold(log, end->segment, VIEW_WAIT, &segment, NULL));
    /* Stays held while it is active. */
    pthread_mutex_lock(&log->mutex);
    segment->state = SEGMENT_ACTIVE;
    log->active = segment;
    pthread_mutex_unlock(&log->mutex);
    return OK;
}

void store_log_salvage(struct store_log *log, void (*lost)(void *context, const struct log_loss *),
                       void *context)
{
    log->lost = lost;
    log->lost_context = context;
}

/* Without a header nobody knows which records are a segment's own. */
static enum err put_aside_headless(struct store_log *log)
{
    struct log_figures figures = {0};
    while (store_log_next_segment(log, figures.id, &figures)) {
        struct segment *segment;
        enum err err = log_hold(log, figures.id, VIEW_WAIT, &segment, NULL);
        if (err == OK)
            log_let(log, segment);
        if (err != ERR_CORRUPT) {
            TRY(err);
            continue;
        }
        log->lost(log->lost_context, &(struct log_loss){.segment = figures.id});
        store_log_forget(log, figures.id);
        TRY(segment_rename(&log->dir, figures.id, ".damaged"));
    }
    return OK;
}

enum err store_log_recover(struct store_log *log, struct log_position *from, log_visit visit,
                           void *context, struct fail *fail)
{
    struct recovery recovery = {
        .log = log, .position = *from, .visit = visit, .context = context, .fail = fail};
    recovery.is_whole = from->segment == 0;
    struct log_figures figures;
    if (log->lost)
        TRY(put_aside_headless(log));
    enum err err = first_segment(log, from, &figures, fail);
    if (err == OK) {
        do
            TRY(recover_segment(&recovery, figures.id));
        while (recovery.is_sealed && store_log_next_segment(log, figures.id, &figures));
    } else if (err != ERR_NOT_FOUND) {
        return err;
    }
    TRY(take_end(log, &recovery.position, recovery.is_sealed));
    take_prepared(log, recovery.position.segment);
    TRY(store_log_retire_empty(log, UINT64_MAX));
    *from = recovery.position;
    return OK;
}

enum err store_log_scan_segment(struct store_log *log, uint64_t id, log_visit visit, void *context,
                                uint64_t *out_end, struct fail *fail)
{
    struct segment *segment;
    struct scan scan;
    TRY(log_hold(log, id, VIEW_WAIT, &segment, fail));
    /* From the disk, not from memory. */
    (void)posix_fadvise(segment->fd, 0, 0, POSIX_FADV_DONTNEED);
    scan_init(&scan, log, segment);
    scan.may_skip = true;
    enum err err = scan_records(&scan, visit, context);
    *out_end = scan.offset;
    if (err == OK && !scan.is_sealed)
        err = fail_set(fail, ERR_CORRUPT, NULL,
                       "log/%016" PRIx64 ".log is damaged at offset %" PRIu64, id, scan.offset);
    scan_release(&scan);
    log_let(log, segment);
    return err;
}
