/* Reading everything: that what is stored is still what was stored.
 *
 * A row is right when its key and columns can be decoded, and the change that its entry points to, in the log, is a put of the same key
 * and columns whose blob has the checksum. So the index and the log are compared with each other, and every body that can be read is read.
 *
 * Beside the store's work, what is deleted while it is being read is no damage, so a finding is looked at again in the newest state;
 * and the snapshot is a fresh one every so often, because an old one keeps the log from being emptied. */
#include "store/local/local_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <fcntl.h>
#include <time.h>

#include "base/crc.h"
#include "base/encode.h"

enum {
    EXTENT_READ_BYTES = 1 << 20,
    PAUSE_STEP_BYTES = 1 << 20,
    PAUSE_SLICE_US = 100000, /* so that it can be stopped */
    PROGRESS_STEP_BYTES = 4 << 20,
    VIEW_BYTES_MAX = 64 << 20, /* read on one snapshot */
    WHERE_KEY_MAX = 100,
    /* A change with its key, columns and blob. */
    CHANGE_BYTES_MAX = ROW_KEY_MAX + ROW_VALUE_MAX + ROW_BLOB_MAX + 64,
    ARENA_CAP = 64 << 20,
};

struct check {
    struct local_engine *engine;
    struct snapshot *snapshot;
    struct local_scrub scrub;
    const char *task;
    struct arena *arena; /* of one row */
    struct buf change;
    struct buf key; /* where a table is gone on with on another snapshot */
    uint64_t done_bytes, total_bytes, paused_at, reported_at, viewed_at;
};

static enum err stored_entry(struct check *check, str key, struct index_pin *out_pin)
{
    return index_get(check->engine->index, NULL, key, VIEW_WAIT, out_pin);
}

/* ---- Telling ---- */

/* Sets the texts of the finding and gives it on. */
static void tell(struct check *check, struct local_finding finding, const char *where,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

static void tell(struct check *check, struct local_finding finding, const char *where,
                 const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)snprintf(finding.where, sizeof(finding.where), "%s", where);
    (void)vsnprintf(finding.what, sizeof(finding.what), format, args);
    va_end(args);
    check->scrub.found(check->scrub.context, &finding);
}

/* The part, and what else is known, as members behind it. */
#define ABOUT(err_, ...) ((struct local_finding){.err = (err_), .part = __VA_ARGS__})

static bool is_stopped(const struct check *check)
{
    return check->scrub.stop && __atomic_load_n(check->scrub.stop, __ATOMIC_RELAXED);
}

static void report(struct check *check)
{
    if (!check->scrub.progress)
        return;
    /* The total is what it was at the beginning; a store that grows meanwhile is not "more than all". */
    if (check->total_bytes < check->done_bytes)
        check->total_bytes = check->done_bytes;
    check->reported_at = check->done_bytes;
    check->scrub.progress(
        check->scrub.context,
        &(struct local_progress){check->task, check->done_bytes, check->total_bytes});
}

static void rest(const struct check *check, uint64_t pause_us)
{
    while (pause_us && !is_stopped(check)) {
        uint64_t slice_us = pause_us < PAUSE_SLICE_US ? pause_us : PAUSE_SLICE_US;
        struct timespec pause = {.tv_nsec = (long)(slice_us * 1000)};
        (void)nanosleep(&pause, NULL);
        pause_us -= slice_us;
    }
}

/* Counts what was read, keeps to the rate; ERR_CANCELLED. */
static enum err advance(struct check *check, uint64_t bytes)
{
    check->done_bytes += bytes;
    if (check->done_bytes - check->reported_at >= PROGRESS_STEP_BYTES)
        report(check);
    if (check->scrub.pause_us && check->done_bytes - check->paused_at >= PAUSE_STEP_BYTES) {
        uint64_t steps = (check->done_bytes - check->paused_at) / PAUSE_STEP_BYTES;
        check->paused_at += steps * PAUSE_STEP_BYTES;
        rest(check, steps * (uint64_t)check->scrub.pause_us);
    }
    return is_stopped(check) ? ERR_CANCELLED : OK;
}

/* "object 1 \"photos/cat.jpg\"" */
static void name_row(const struct table *table, const void *row,
                     char dst[sizeof(((struct local_finding *)0)->where)])
{
    BUF_SCOPED struct buf text;
    buf_init(&text, ARENA_CAP);
    buf_append(&text, str_from(table->name));
    for (size_t i = 0; i < table->key_count; i++) {
        const struct column *column = &table->column[i];
        const void *at = (const char *)row + column->offset;
        if (column->type != COLUMN_STR) {
            buf_printf(&text, " %" PRIu64, *(const uint64_t *)at);
            continue;
        }
        str value = *(const str *)at;
        buf_append(&text, STR(" \""));
        json_escape(&text,
                    str_slice(value, 0, value.len < WHERE_KEY_MAX ? value.len : WHERE_KEY_MAX));
        buf_append(&text, STR("\""));
    }
    (void)snprintf(dst, sizeof(((struct local_finding *)0)->where), "%.*s", (int)text.len,
                   text.ptr);
}

/* ---- The log ---- */

static enum err count_record(void *context, const struct log_found *found)
{
    struct check *check = context;
    str payload = found->payload;
    uint32_t count = 0;
    for (; payload.len; count++) {
        struct change change;
        size_t length;
        TRY(change_decode(&payload, &change, &length));
    }
    if (count != found->record->change_count)
        return ERR_CORRUPT;
    return advance(check, RECORD_HEADER_SIZE + found->payload.len);
}

static enum err check_segment(struct check *check, uint64_t id)
{
    char where[64];
    uint64_t end = 0;
    struct fail fail = {0};
    enum err err = store_log_scan_segment(check->engine->log, id, count_record, check, &end, &fail);
    if (err == OK || err == ERR_CANCELLED)
        return err;
    /* It may have been given back meanwhile. */
    struct log_figures figures;
    if (!store_log_next_segment(check->engine->log, id - 1, &figures) || figures.id != id ||
        figures.state != SEGMENT_SEALED)
        return OK;
    (void)snprintf(where, sizeof(where), "log/%016" PRIx64 ".log at offset %" PRIu64, id, end);
    tell(check, ABOUT(err, LOCAL_LOG), where, "%s", fail.detail[0] ? fail.detail : err_fact(err));
    return OK;
}

/* Of a log that was not read to its end, the last two segments may be incomplete: the one that is written and the one that
 * waits. What is wrong with them is the reason why it was not read. */
static bool is_complete(const struct check *check, const struct log_figures *figures)
{
    struct log_figures later;
    if (figures->state != SEGMENT_SEALED)
        return false;
    return !check->engine->is_tail_unknown ||
           (store_log_next_segment(check->engine->log, figures->id, &later) &&
            store_log_next_segment(check->engine->log, later.id, &later));
}

static enum err check_log(struct check *check)
{
    struct log_figures figures = {0};
    check->task = "reading the log";
    while (store_log_next_segment(check->engine->log, figures.id, &figures))
        if (is_complete(check, &figures))
            TRY(check_segment(check, figures.id));
    return OK;
}

/* ---- Rows ---- */

/* The change in the log that the entry points to. */
static enum err read_change(struct check *check, const struct row_entry *entry,
                            struct change *out_change)
{
    size_t length;
    buf_clear(&check->change);
    char *dst = buf_reserve(&check->change, entry->length);
    if (!dst)
        return ERR_CORRUPT;
    TRY(store_log_read(check->engine->log, entry->segment, entry->offset, dst, entry->length,
                       VIEW_WAIT));
    buf_commit(&check->change, entry->length);
    str payload = buf_str(&check->change);
    TRY(change_decode(&payload, out_change, &length));
    return length == entry->length ? OK : ERR_CORRUPT;
}

static bool is_same(const struct check *check, str key, const struct row_entry *entry,
                    const struct change *change)
{
    if (change->kind != CHANGE_PUT || !str_eq(change->key, key) ||
        !str_eq(change->value, entry->columns) || change->blob_length != entry->blob_length)
        return false;
    if (entry->blob_length == 0)
        return true;
    const char *blob = check->change.ptr + check->change.len - entry->blob_length;
    return change->blob_crc32c == entry->blob_crc32c &&
           crc32c_update(0, blob, entry->blob_length) == entry->blob_crc32c;
}

static void check_place(struct check *check, const char *where, str key,
                        const struct row_entry *entry)
{
    struct change change;
    enum err err = read_change(check, entry, &change);
    if (err == OK && !is_same(check, key, entry, &change))
        err = ERR_CORRUPT;
    if (err != OK)
        tell(check, ABOUT(err, LOCAL_ROW, .row_key = key), where,
             "log/%016" PRIx64 ".log does not hold it at offset %" PRIu64, entry->segment,
             entry->offset);
}

/* ---- Extents ---- */

/* *out_at: how far it is right. */
static enum err read_extent(struct check *check, struct extent_reader *reader,
                            const struct extent_row *row, size_t room, uint64_t *out_at)
{
    char *dst = mem_alloc_aligned(4096, room);
    enum err err = OK;
    uint64_t at = *out_at;
    while (err == OK && at < row->length) {
        str data = {0};
        err = extent_read(reader, at, dst, room, VIEW_WAIT, &data);
        at += data.len;
        if (err == OK)
            err = advance(check, data.len);
    }
    mem_free(dst);
    *out_at = at;
    return err;
}

/* From the disk, not from memory: what the kernel still has of the file is put out of the way. */
static void forget_cached(struct extent_reader *reader)
{
    int fd;
    uint64_t offset;
    if (extent_span(reader, 0, &fd, &offset) == OK)
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static enum err read_whole_extent(struct check *check, const struct extent_row *row,
                                  uint64_t *out_at)
{
    struct extent_reader *reader;
    TRY(extent_open(&check->engine->base, row, VIEW_WAIT, &reader));
    forget_cached(reader);
    size_t least = 2 * row->block_size;
    enum err err = read_extent(check, reader, row,
                               least > EXTENT_READ_BYTES ? least : EXTENT_READ_BYTES, out_at);
    /* Again in small steps, for the place. */
    if (err != OK && err != ERR_CANCELLED)
        err = read_extent(check, reader, row, least, out_at);
    forget_cached(reader);
    extent_close(reader);
    return err;
}

static enum err check_extent(struct check *check, const char *where, str key,
                             const struct extent_row *row)
{
    uint64_t at = 0;
    enum err err = read_whole_extent(check, row, &at);
    if (err == OK || err == ERR_CANCELLED)
        return err;
    struct index_pin pin = {0};
    enum err stored = stored_entry(check, key, &pin);
    index_pin_release(&pin);
    if (stored == ERR_NOT_FOUND)
        return OK; /* deleted meanwhile */
    struct local_finding finding = ABOUT(err, LOCAL_EXTENT, .extent_id = row->id);
    if (err == ERR_NOT_FOUND)
        tell(check, finding, where, "its file extents/%02x/%016" PRIx64 " is missing",
             (unsigned)(row->id & 0xFF), row->id);
    else
        tell(check, finding, where,
             "its file extents/%02x/%016" PRIx64 " is damaged at offset %" PRIu64,
             (unsigned)(row->id & 0xFF), row->id, at);
    return OK;
}

/* ---- All rows ---- */

static enum err check_entry(struct check *check, const struct table *table, str key, str value)
{
    _Alignas(max_align_t) char row[4096] = {0};
    char where[sizeof(((struct local_finding *)0)->where)];
    struct row_entry entry;
    arena_reset(check->arena);
    (void)snprintf(where, sizeof(where), "a row of table %s", table->name);
    enum err err = row_key_decode(table, key, check->arena, row);
    if (err == OK) {
        name_row(table, row, where);
        err = row_entry_decode(value, &entry);
    }
    if (err == OK)
        err = local_fill_row(table, &entry, row);
    if (err != OK) {
        tell(check, ABOUT(err, LOCAL_INDEX), where, "its entry in the index cannot be understood");
        return OK;
    }
    check_place(check, where, key, &entry);
    TRY(advance(check, entry.length));
    return table->id == TABLE_extent
               ? check_extent(check, where, key, (const struct extent_row *)(const void *)row)
               : OK;
}

/* From the key on, as far as one snapshot goes. *out_err: ERR_NOT_FOUND at the end of the table, OK when check->key is where to
 * go on, or why it cannot be read. */
static enum err check_stretch(struct check *check, const struct table *table, str end,
                              enum err *out_err)
{
    struct index_iter *iter = index_iter_new(check->engine->index, check->snapshot->view,
                                             buf_str(&check->key), end, VIEW_WAIT);
    enum err err = index_iter_seek(iter, buf_str(&check->key)), step = OK;
    while (err == OK && step == OK && check->done_bytes - check->viewed_at < VIEW_BYTES_MAX) {
        step = check_entry(check, table, index_iter_key(iter), index_iter_value(iter));
        if (step == OK)
            err = index_iter_next(iter);
    }
    if (err == OK && step == OK) {
        buf_clear(&check->key);
        buf_append(&check->key, index_iter_key(iter));
    }
    index_iter_free(iter);
    *out_err = err;
    return step;
}

static void renew_snapshot(struct check *check)
{
    struct snapshots *snapshots = &check->engine->snapshots;
    snapshot_let(snapshots, check->snapshot);
    check->snapshot = snapshot_hold(snapshots);
    check->viewed_at = check->done_bytes;
}

static enum err check_table(struct check *check, const struct table *table)
{
    char end = (char)(table->id + 1);
    enum err err = OK;
    buf_clear(&check->key);
    buf_append_char(&check->key, (char)table->id);
    while (err == OK) {
        renew_snapshot(check);
        TRY(check_stretch(check, table, str_of(&end, 1), &err));
    }
    if (err != ERR_NOT_FOUND)
        tell(check, ABOUT(err, LOCAL_INDEX), "index/",
             "the rows of table %s cannot be read to the end", table->name);
    return OK;
}

static enum err check_rows(struct check *check)
{
    check->task = "reading rows and bodies";
    for (enum table_id id = 1; id < TABLE_ID_END; id++)
        TRY(check_table(check, table_of(id)));
    return OK;
}

/* A file that no row names is what a crash leaves; the janitor drops it. */
static enum err check_orphan(void *context, uint64_t id)
{
    struct check *check = context;
    struct index_pin pin = {0};
    struct extent_row row = {.id = id};
    buf_clear(&check->key);
    row_key_encode(table_of(TABLE_extent), &row, &check->key);
    enum err err = stored_entry(check, buf_str(&check->key), &pin);
    index_pin_release(&pin);
    if (err == ERR_NOT_FOUND) {
        char where[64];
        (void)snprintf(where, sizeof(where), "extents/%02x/%016" PRIx64, (unsigned)(id & 0xFF), id);
        tell(check, ABOUT(OK, LOCAL_LEFTOVER), where, "no row needs it");
    }
    return is_stopped(check) ? ERR_CANCELLED : OK;
}

/* ---- The whole ---- */

/* Extents are most of what there is to read; their rows know their lengths. What cannot be read here is told later. */
static uint64_t extent_bytes(const struct check *check)
{
    char first = TABLE_extent, end = TABLE_extent + 1;
    struct index_iter *iter = index_iter_new(check->engine->index, check->snapshot->view,
                                             str_of(&first, 1), str_of(&end, 1), VIEW_WAIT);
    uint64_t bytes = 0;
    enum err err = index_iter_seek(iter, str_of(&first, 1));
    for (; err == OK && !is_stopped(check); err = index_iter_next(iter)) {
        struct extent_row row = {0};
        struct row_entry entry;
        if (row_entry_decode(index_iter_value(iter), &entry) == OK &&
            local_fill_row(table_of(TABLE_extent), &entry, &row) == OK)
            bytes += row.length;
    }
    index_iter_free(iter);
    return bytes;
}

static enum err check_all(struct check *check)
{
    struct engine_stats stats;
    check->engine->base.ops->stats(&check->engine->base, &stats);
    check->total_bytes = stats.log_bytes + stats.log_live_bytes + extent_bytes(check);
    TRY(check_log(check));
    TRY(check_rows(check));
    TRY(local_extent_each(&check->engine->base, check_orphan, check));
    check->total_bytes = check->done_bytes;
    report(check);
    return OK;
}

static void check_init(struct check *check, struct local_engine *engine,
                       const struct local_scrub *scrub)
{
    *check = (struct check){.engine = engine, .scrub = *scrub};
    check->arena = arena_new(ARENA_CAP);
    buf_init(&check->change, CHANGE_BYTES_MAX);
    buf_init(&check->key, ROW_KEY_MAX + 1);
}

static void check_release(struct check *check)
{
    buf_release(&check->change);
    buf_release(&check->key);
    arena_free(check->arena);
}

enum err local_check_open(struct engine *base, const struct local_scrub *scrub)
{
    struct local_engine *engine = local_engine_of(base);
    struct check check;
    check_init(&check, engine, scrub);
    check.snapshot = snapshot_hold(&engine->snapshots);
    enum err err = check_all(&check);
    snapshot_let(&engine->snapshots, check.snapshot);
    check_release(&check);
    return err;
}

/* ---- A store that is not open ---- */

enum err local_check_parts(struct local_engine *engine, const struct local_scrub *scrub)
{
    snapshots_init(&engine->snapshots);
    (void)snapshot_publish(&engine->snapshots, engine->index);
    enum err err = local_check_open(&engine->base, scrub);
    snapshots_release(&engine->snapshots);
    return err;
}

static enum err check_log_alone(const struct local_options *options,
                                const struct local_scrub *scrub)
{
    struct local_engine engine = {.io = options->io ? options->io : &io_system,
                                  .is_tail_unknown = true};
    struct check check;
    struct fail fail = {0};
    if (datadir_open(options->data_dir, engine.io, &engine.dir, &fail) != OK)
        return OK;
    check_init(&check, &engine, scrub);
    enum err err = local_open_log(&engine, options, &fail);
    if (err == OK)
        err = check_log(&check);
    store_log_close(engine.log);
    datadir_close(&engine.dir);
    check_release(&check);
    return err == ERR_CANCELLED ? err : OK;
}

/* The ways in, from the best to the last. */
static enum err open_somehow(const struct local_options *options, const struct local_scrub *told,
                             struct local_engine **out_engine, struct fail *fail)
{
    struct local_opening opening = {.progress = told->progress, .context = told->context};
    struct fail later = {0};
    enum err err = local_open_parts(options, &opening, out_engine, fail);
    if (err != ERR_CORRUPT)
        return err;
    struct check check = {.scrub = *told};
    struct local_opening as_left = {.is_as_left = true};
    err = local_open_parts(options, &as_left, out_engine, &later);
    enum local_part part = err == OK ? LOCAL_LOG : LOCAL_INDEX;
    if (err == OK)
        (*out_engine)->is_tail_unknown = true;
    opening.rebuild = true;
    if (err == ERR_CORRUPT)
        err = local_open_parts(options, &opening, out_engine, &later);
    if (err == ERR_CORRUPT)
        part = LOCAL_OTHER;
    tell(&check, ABOUT(ERR_CORRUPT, part), options->data_dir, "%s", fail->detail);
    return err;
}

enum err local_open_damaged(const struct local_options *options, const struct local_scrub *told,
                            struct engine **out_engine, struct fail *fail)
{
    struct local_engine *engine;
    enum err err = open_somehow(options, told, &engine, fail);
    if (err == ERR_CORRUPT) {
        TRY(check_log_alone(options, told));
        return err;
    }
    TRY(err);
    snapshots_init(&engine->snapshots);
    (void)snapshot_publish(&engine->snapshots, engine->index);
    *out_engine = &engine->base;
    return OK;
}

enum err local_check(const struct local_options *options, local_found_fn found,
                     local_progress_fn progress, void *context, struct fail *fail)
{
    struct engine *engine;
    struct local_scrub scrub = {.found = found, .progress = progress, .context = context};
    enum err err = local_open_damaged(options, &scrub, &engine, fail);
    if (err == ERR_CORRUPT)
        return OK;
    TRY(err);
    err = local_check_open(engine, &scrub);
    engine_close(engine);
    return err;
}

/* ---- Small files ---- */

static void tell_mended(void *context, const char *file, const char *what)
{
    tell(context, ABOUT(OK, LOCAL_OTHER), file, "%s", what);
}

enum err local_repair_files(const struct local_options *options, local_found_fn found,
                            void *context, struct fail *fail)
{
    struct check check = {.scrub = {.found = found, .context = context}};
    return datadir_mend(options->data_dir, options->io ? options->io : &io_system, tell_mended,
                        &check, fail);
}
