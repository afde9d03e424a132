#include "object/janitor.h"

#include "base/clock.h"
#include "object/store_int.h"

enum {
    SWEEP_ROWS_MAX = 256, /* rows changed in one update */
    GARBAGE_BATCH_MAX = 256,
    JANITOR_ARENA_BYTES = 64 << 20,
    CLOCK_SLACK_MS =
        60 * 60 * 1000, /* that a clock may be set back by without being taken for wrong */
};

struct sweep {
    struct update update;
    struct arena *arena;
    struct garbage_row garbage;
    bool is_finished; /* nothing is left of it: the garbage row went too */
};

/* ---- One step of each kind, inside an update ---- */

static enum err extent_row_remove(struct sweep *sweep, struct tx *tx)
{
    TRY(row_delete(tx, TABLE_extent, &(struct extent_row){.id = sweep->garbage.id}));
    sweep->is_finished = true;
    return OK;
}

static enum err manifest_step(struct sweep *sweep, struct tx *tx)
{
    struct piece_row from = {.manifest_id = sweep->garbage.id}, row;
    struct piece_row piece[SWEEP_ROWS_MAX];
    struct cursor *cursor;
    TRY(cursor_open(tx, TABLE_piece, &from, 1, &cursor));
    size_t count = 0;
    enum err err = OK;
    while (count < SWEEP_ROWS_MAX && (err = cursor_next(cursor, &row)) == OK)
        piece[count++] = row;
    cursor_close(cursor);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    for (size_t i = 0; i < count; i++) {
        TRY(extent_let_go(tx, piece[i].extent_id, sweep->arena));
        TRY(row_delete(tx, TABLE_piece, &piece[i]));
    }
    sweep->is_finished = count < SWEEP_ROWS_MAX;
    return OK;
}

static enum err upload_step(struct sweep *sweep, struct tx *tx)
{
    struct part_row from = {.upload_id = sweep->garbage.id}, row;
    struct part_row part[SWEEP_ROWS_MAX];
    struct cursor *cursor;
    TRY(cursor_open(tx, TABLE_part, &from, 1, &cursor));
    size_t count = 0;
    enum err err = OK;
    while (count < SWEEP_ROWS_MAX && (err = cursor_next(cursor, &row)) == OK) {
        row.ranges = arena_str(sweep->arena, row.ranges);
        part[count++] = row;
    }
    cursor_close(cursor);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    for (size_t i = 0; i < count; i++) {
        TRY(part_let_go(tx, &part[i], sweep->arena));
        TRY(row_delete(tx, TABLE_part, &part[i]));
    }
    sweep->is_finished = count < SWEEP_ROWS_MAX;
    return OK;
}

/* A deleted bucket has no objects; its unfinished uploads become garbage of their own. */
static enum err bucket_step(struct sweep *sweep, struct tx *tx)
{
    struct upload_row from = {.bucket_id = sweep->garbage.id}, row;
    struct upload_row upload[SWEEP_ROWS_MAX];
    struct cursor *cursor;
    TRY(cursor_open(tx, TABLE_upload, &from, 1, &cursor));
    size_t count = 0;
    enum err err = OK;
    while (count < SWEEP_ROWS_MAX && (err = cursor_next(cursor, &row)) == OK) {
        row.key = arena_str(sweep->arena, row.key);
        upload[count++] = row;
    }
    cursor_close(cursor);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    for (size_t i = 0; i < count; i++) {
        TRY(row_delete(tx, TABLE_upload, &upload[i]));
        TRY(garbage_add(tx, GARBAGE_UPLOAD, upload[i].id));
    }
    sweep->is_finished = count < SWEEP_ROWS_MAX;
    return OK;
}

static enum err sweep_apply(struct update *update, struct tx *tx)
{
    struct sweep *sweep = container_of(update, struct sweep, update);
    arena_reset(sweep->arena);
    enum err err = ERR_CORRUPT;
    switch ((enum garbage_kind)sweep->garbage.kind) {
    case GARBAGE_EXTENT:
        err = extent_row_remove(sweep, tx);
        break;
    case GARBAGE_MANIFEST:
        err = manifest_step(sweep, tx);
        break;
    case GARBAGE_UPLOAD:
        err = upload_step(sweep, tx);
        break;
    case GARBAGE_BUCKET:
        err = bucket_step(sweep, tx);
        break;
    }
    TRY(err);
    return sweep->is_finished ? row_delete(tx, TABLE_garbage, &sweep->garbage) : OK;
}

/* ---- The rounds ---- */

static enum err remove_rows(struct store *store, struct sweep *sweep)
{
    do {
        sweep->is_finished = false;
        sweep->update = (struct update){.flags = UPDATE_FREES, .apply = sweep_apply};
        TRY(catalog_update_wait(store->engine, &sweep->update));
    } while (!sweep->is_finished);
    return OK;
}

/* The row goes before the file does, as engine.h asks for: whoever reads an older state, a backup
 * say, finds the file of every row. A crash in between leaves a file without a row, which the next
 * start finds. Only when the disk is so full that not even the row can go, the file makes room. */
static enum err extent_work_off(struct store *store, struct sweep *sweep)
{
    enum err err = remove_rows(store, sweep);
    if (err != OK && err != ERR_NO_SPACE)
        return err;
    TRY(extent_drop(store->engine, sweep->garbage.id));
    return err == OK ? OK : remove_rows(store, sweep);
}

static enum err garbage_work_off(struct store *store, struct sweep *sweep)
{
    return sweep->garbage.kind == GARBAGE_EXTENT ? extent_work_off(store, sweep)
                                                 : remove_rows(store, sweep);
}

static void report_count(struct janitor_report *report, uint64_t kind)
{
    if (kind == GARBAGE_EXTENT)
        report->extents_dropped++;
    else if (kind == GARBAGE_MANIFEST)
        report->manifests_freed++;
    else if (kind == GARBAGE_UPLOAD)
        report->uploads_freed++;
}

/* Garbage of the future is of a time when the clock was wrong. */
static bool is_ripe(struct store *store, const struct garbage_row *row, int64_t now_ms)
{
    int64_t age_ms = now_ms - (int64_t)row->since_ms;
    bool is_old = age_ms >= store->garbage_grace_ms || age_ms < -CLOCK_SLACK_MS;
    return is_old && !is_pinned(&store->pins, (enum garbage_kind)row->kind, row->id);
}

/* The next ripe rows behind *from. */
static enum err garbage_collect(struct store *store, const struct garbage_row *from,
                                struct garbage_row *ripe, size_t *out_count,
                                uint64_t *left_for_later)
{
    struct tx *tx;
    struct cursor *cursor;
    struct garbage_row row;
    int64_t now_ms = clock_real_ms();
    size_t count = 0;
    TRY(view_begin(store->engine, VIEW_WAIT, &tx));
    enum err err = cursor_open(tx, TABLE_garbage, from, 0, &cursor);
    if (err == OK) {
        while (count < GARBAGE_BATCH_MAX && (err = cursor_next(cursor, &row)) == OK) {
            if (is_ripe(store, &row, now_ms))
                ripe[count++] = row;
            else
                ++*left_for_later;
        }
        cursor_close(cursor);
    }
    view_end(tx);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    *out_count = count;
    return OK;
}

enum err janitor_run(struct store *store, struct janitor_report *out_report, struct fail *fail)
{
    struct janitor_report report = {0};
    struct garbage_row ripe[GARBAGE_BATCH_MAX], from = {0};
    size_t count = GARBAGE_BATCH_MAX;
    struct arena *arena = arena_new(JANITOR_ARENA_BYTES);
    enum err err = OK, first_err = OK;
    while (err == OK && count == GARBAGE_BATCH_MAX) {
        err = garbage_collect(store, &from, ripe, &count, &report.left_for_later);
        for (size_t i = 0; i < count && err == OK; i++) {
            struct sweep sweep = {.arena = arena, .garbage = ripe[i]};
            enum err one = garbage_work_off(store, &sweep);
            from = ripe[i];
            if (one == OK)
                report_count(&report, ripe[i].kind);
            else if (first_err == OK)
                first_err = one; /* the others need not wait for it */
        }
    }
    arena_free(arena);
    if (err == OK)
        err = first_err;
    if (err != OK)
        return fail_set(fail, err, NULL,
                        "what was deleted could not be taken apart; it is tried again later");
    *out_report = report;
    return OK;
}

struct orphan_search {
    struct store *store;
    struct arena *arena;
    uint64_t dropped;
    enum err err; /* the first failure; the search goes on */
};

static enum err drop_if_orphan(void *context, uint64_t id)
{
    struct orphan_search *search = context;
    struct tx *tx;
    arena_reset(search->arena);
    TRY(view_begin(search->store->engine, VIEW_WAIT, &tx));
    struct extent_row row = {.id = id};
    enum err err = row_get(tx, TABLE_extent, &row, search->arena);
    view_end(tx);
    if (err == OK)
        return OK;
    if (err == ERR_NOT_FOUND)
        err = extent_drop(search->store->engine, id);
    search->dropped += err == OK;
    if (search->err == OK)
        search->err = err;
    return OK;
}

enum err janitor_drop_orphans(struct store *store, uint64_t *out_dropped, struct fail *fail)
{
    struct orphan_search search = {.store = store, .arena = arena_new(JANITOR_ARENA_BYTES)};
    enum err err = extent_each(store->engine, drop_if_orphan, &search);
    arena_free(search.arena);
    *out_dropped = search.dropped;
    if (err == OK)
        err = search.err;
    return err == OK ? OK
                     : fail_set(fail, err, NULL,
                                "not all left-over extents could be removed; it is tried again");
}
