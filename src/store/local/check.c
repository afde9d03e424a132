/* Reading everything: that what is stored is still what was stored.
 *
 * A row is right when its key and columns can be decoded, and the change that its entry points to, in the log, is a put of the same key
 * and columns whose blob has the checksum. So the index and the log are compared with each other, and every body that can be read is read. */
#include "store/local/local_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/crc.h"
#include "base/encode.h"

enum {
    EXTENT_READ_BYTES = 1 << 20,
    PAUSE_STEP_BYTES = 1 << 20,
    PROGRESS_STEP_BYTES = 64 << 20,
    WHERE_KEY_MAX = 100,
    /* A change with its key, columns and blob. */
    CHANGE_BYTES_MAX = ROW_KEY_MAX + ROW_VALUE_MAX + ROW_BLOB_MAX + 64,
    ARENA_CAP = 64 << 20,
};

struct check {
    struct local_engine *engine;
    const struct index_view *view; /* null: the newest state, nobody writes */
    struct local_scrub scrub;
    const char *task;
    struct arena *arena; /* of one row */
    struct buf change;
    uint64_t done_bytes, total_bytes, paused_at, reported_at;
};

/* ---- Telling ---- */

static void tell(struct check *check, enum err err, const char *where, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void tell(struct check *check, enum err err, const char *where, const char *format, ...)
{
    struct local_finding finding = {.err = err};
    va_list args;
    va_start(args, format);
    (void)snprintf(finding.where, sizeof(finding.where), "%s", where);
    (void)vsnprintf(finding.what, sizeof(finding.what), format, args);
    va_end(args);
    check->scrub.found(check->scrub.context, &finding);
}

static bool is_stopped(const struct check *check)
{
    return check->scrub.stop && __atomic_load_n(check->scrub.stop, __ATOMIC_RELAXED);
}

/* Counts what was read, keeps to the rate; ERR_CANCELLED. */
static enum err advance(struct check *check, uint64_t bytes)
{
    check->done_bytes += bytes;
    if (check->scrub.progress && check->done_bytes - check->reported_at >= PROGRESS_STEP_BYTES) {
        check->reported_at = check->done_bytes;
        check->scrub.progress(
            check->scrub.context,
            &(struct local_progress){check->task, check->done_bytes, check->total_bytes});
    }
    if (check->scrub.pause_us && check->done_bytes - check->paused_at >= PAUSE_STEP_BYTES) {
        uint64_t steps = (check->done_bytes - check->paused_at) / PAUSE_STEP_BYTES;
        uint64_t pause_us = steps * (uint64_t)check->scrub.pause_us;
        struct timespec pause = {.tv_sec = (time_t)(pause_us / 1000000),
                                 .tv_nsec = (long)(pause_us % 1000000 * 1000)};
        check->paused_at = check->done_bytes;
        (void)nanosleep(&pause, NULL);
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
    (void)snprintf(where, sizeof(where), "log/%016" PRIx64 ".log at offset %" PRIu64, id, end);
    tell(check, err, where, "%s", fail.detail[0] ? fail.detail : err_fact(err));
    return OK;
}

static enum err check_log(struct check *check)
{
    struct log_figures figures = {0};
    check->task = "reading the log";
    while (store_log_next_segment(check->engine->log, figures.id, &figures))
        if (figures.state == SEGMENT_SEALED)
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
        tell(check, err, where, "log/%016" PRIx64 ".log does not hold it at offset %" PRIu64,
             entry->segment, entry->offset);
}

/* ---- Extents ---- */

static enum err read_extent(struct check *check, struct extent_reader *reader,
                            const struct extent_row *row, char *dst, size_t room)
{
    for (uint64_t at = 0; at < row->length;) {
        str data;
        TRY(extent_read(reader, at, dst, room, VIEW_WAIT, &data));
        at += data.len;
        TRY(advance(check, data.len));
    }
    return OK;
}

static enum err check_extent(struct check *check, const char *where, const struct extent_row *row)
{
    struct extent_reader *reader;
    enum err err = extent_open(&check->engine->base, row, VIEW_WAIT, &reader);
    if (err == OK) {
        size_t room = EXTENT_READ_BYTES;
        if (room < 2 * row->block_size)
            room = 2 * row->block_size;
        char *dst = mem_alloc_aligned(4096, room);
        err = read_extent(check, reader, row, dst, room);
        mem_free(dst);
        extent_close(reader);
    }
    if (err == ERR_CANCELLED)
        return err;
    if (err == ERR_NOT_FOUND)
        tell(check, err, where, "its file extents/%02x/%016" PRIx64 " is missing",
             (unsigned)(row->id & 0xFF), row->id);
    else if (err != OK)
        tell(check, err, where, "its file extents/%02x/%016" PRIx64 " is damaged",
             (unsigned)(row->id & 0xFF), row->id);
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
        tell(check, err, where, "its entry in the index cannot be understood");
        return OK;
    }
    check_place(check, where, key, &entry);
    TRY(advance(check, entry.length));
    return table->id == TABLE_extent
               ? check_extent(check, where, (const struct extent_row *)(const void *)row)
               : OK;
}

static enum err check_table(struct check *check, const struct table *table)
{
    char first = (char)table->id, end = (char)(table->id + 1);
    struct index_iter *iter = index_iter_new(check->engine->index, check->view, str_of(&first, 1),
                                             str_of(&end, 1), VIEW_WAIT);
    enum err err = index_iter_seek(iter, str_of(&first, 1)), step = OK;
    while (err == OK && step == OK) {
        step = check_entry(check, table, index_iter_key(iter), index_iter_value(iter));
        if (step == OK)
            err = index_iter_next(iter);
    }
    index_iter_free(iter);
    if (err != OK && err != ERR_NOT_FOUND)
        tell(check, err, "index/", "the rows of table %s cannot be read to the end", table->name);
    return step;
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
    BUF_SCOPED struct buf key;
    buf_init(&key, ROW_KEY_MAX);
    row_key_encode(table_of(TABLE_extent), &row, &key);
    enum err err = index_get(check->engine->index, check->view, buf_str(&key), VIEW_WAIT, &pin);
    index_pin_release(&pin);
    if (err == ERR_NOT_FOUND) {
        char where[64];
        (void)snprintf(where, sizeof(where), "extents/%02x/%016" PRIx64, (unsigned)(id & 0xFF), id);
        tell(check, OK, where, "no row needs it");
    }
    return is_stopped(check) ? ERR_CANCELLED : OK;
}

/* ---- The whole ---- */

static enum err check_all(struct check *check)
{
    struct engine_stats stats;
    check->engine->base.ops->stats(&check->engine->base, &stats);
    check->total_bytes = stats.log_bytes + stats.log_live_bytes;
    TRY(check_log(check));
    TRY(check_rows(check));
    return local_extent_each(&check->engine->base, check_orphan, check);
}

enum err local_check_parts(struct local_engine *engine, const struct index_view *view,
                           const struct local_scrub *scrub)
{
    struct check check = {
        .engine = engine, .view = view, .scrub = *scrub, .arena = arena_new(ARENA_CAP)};
    buf_init(&check.change, CHANGE_BYTES_MAX);
    enum err err = check_all(&check);
    buf_release(&check.change);
    arena_free(check.arena);
    return err;
}

enum err local_check_open(struct engine *base, const struct local_scrub *scrub)
{
    struct local_engine *engine = local_engine_of(base);
    struct freeze freeze;
    local_freeze_begin(engine, &freeze);
    enum err err = local_check_parts(engine, freeze.snapshot->view, scrub);
    local_freeze_end(engine, &freeze);
    return err;
}

/* The log of a store that cannot be opened; the last two segments, of which one is being written and one is prepared, are covered by
 * the reason for that. */
static enum err check_log_alone(const struct local_options *options,
                                const struct local_scrub *scrub)
{
    struct local_engine engine = {.io = options->io ? options->io : &io_system};
    struct check check = {.engine = &engine, .scrub = *scrub, .task = "reading the log"};
    struct fail fail = {0};
    if (datadir_open(options->data_dir, engine.io, &engine.dir, &fail) != OK)
        return OK;
    enum err err = local_open_log(&engine, options, &fail);
    struct log_figures figures = {0}, later;
    while (err == OK && store_log_next_segment(engine.log, figures.id, &figures))
        if (store_log_next_segment(engine.log, figures.id, &later) &&
            store_log_next_segment(engine.log, later.id, &later))
            err = check_segment(&check, figures.id);
    store_log_close(engine.log);
    datadir_close(&engine.dir);
    return err == ERR_CANCELLED ? err : OK;
}

enum err local_check(const struct local_options *options, local_found_fn found,
                     local_progress_fn progress, void *context, struct fail *fail)
{
    struct local_engine *engine;
    struct local_scrub scrub = {.found = found, .progress = progress, .context = context};
    struct local_opening opening = {.progress = progress, .context = context};
    enum err err = local_open_parts(options, &opening, &engine, fail);
    if (err == ERR_CORRUPT) {
        struct check check = {.scrub = scrub};
        tell(&check, err, options->data_dir, "%s", fail->detail);
        return check_log_alone(options, &scrub);
    }
    TRY(err);
    err = local_check_parts(engine, NULL, &scrub);
    local_close_parts(engine);
    return err;
}
