/* ListObjectVersions: two walks side by side, over the current objects and over what is older or
 * a delete marker, joined in the order of keys. */
#include <string.h>

#include "object/list.h"
#include "object/store_int.h"
#include "object/version.h"

/* One of the two walks, a row ahead. */
struct side {
    struct cursor *cursor; /* null: no row can follow */
    struct object_row row;
    bool has_row;
};

struct version_walk {
    const struct list_args *args;
    struct version_visitor *visitor;
    struct tx *tx;
    struct arena *arena;
    struct side current, older;
    struct version_list_result result;
    char last[KEY_MAX_BYTES]; /* result.last */
    char seen[KEY_MAX_BYTES]; /* the key of which the newest version was passed */
    str seen_key;
    bool has_seen;
};

/* ---- The two sides ---- */

static enum err current_next(struct version_walk *walk)
{
    struct side *side = &walk->current;
    enum err err = side->cursor ? cursor_next(side->cursor, &side->row) : ERR_NOT_FOUND;
    side->has_row = err == OK && str_has_prefix(side->row.key, walk->args->prefix);
    return err == ERR_NOT_FOUND ? OK : err;
}

static enum err older_next(struct version_walk *walk)
{
    struct side *side = &walk->older;
    struct version_row row;
    enum err err = side->cursor ? cursor_next(side->cursor, &row) : ERR_NOT_FOUND;
    side->has_row = err == OK && str_has_prefix(row.key, walk->args->prefix);
    if (side->has_row)
        version_as_object(&row, &side->row);
    return err == ERR_NOT_FOUND ? OK : err;
}

/* Where in the versions of args->after the page begins: those below this sequence. 0: behind them all. */
static enum err resume_sequence(struct version_walk *walk, str after_version,
                                uint64_t *out_sequence)
{
    const struct list_args *args = walk->args;
    struct object_row newest;
    str shown;
    *out_sequence = 0;
    if (after_version.len == 0 || !str_has_prefix(args->after, args->prefix) ||
        common_prefix_of(args->after, args->prefix, args->delimiter, &shown))
        return OK;
    enum err err = version_newest(walk->tx, args->bucket_id, args->after, walk->arena, &newest);
    if (err == OK)
        err = version_sequence(walk->tx, args->bucket_id, args->after, after_version, walk->arena,
                               out_sequence);
    if (err != OK)
        return err == ERR_NOT_FOUND ? OK : err;
    walk->seen_key = args->after;
    walk->has_seen = newest.sequence >= *out_sequence;
    return OK;
}

static enum err open_sides(struct version_walk *walk, str after_version)
{
    const struct list_args *args = walk->args;
    struct object_row current = {.bucket_id = args->bucket_id};
    if (!list_start_key(args, walk->arena, &current.key))
        return OK;
    struct version_row older = {
        .bucket_id = args->bucket_id, .key = current.key, .sequence = UINT64_MAX};
    uint64_t before;
    TRY(resume_sequence(walk, after_version, &before));
    if (before > 0) {
        current.key = older.key = args->after;
        older.sequence = before - 1;
    }
    TRY(cursor_open(walk->tx, TABLE_object, &current, 1, &walk->current.cursor));
    TRY(cursor_open(walk->tx, TABLE_version, &older, 1, &walk->older.cursor));
    TRY(current_next(walk));
    TRY(older_next(walk));
    /* Shown on the page before; unless it has come to light since, by a deletion. */
    const struct side *side = &walk->current;
    if (before > 0 && side->has_row && str_eq(side->row.key, args->after) &&
        side->row.sequence >= before)
        return current_next(walk);
    return OK;
}

/* Both behind all keys that begin with s; a side that is there already keeps its row. */
static enum err skip_prefix(struct version_walk *walk, str s)
{
    struct object_row current = {.bucket_id = walk->args->bucket_id};
    bool skips_current = walk->current.has_row && str_has_prefix(walk->current.row.key, s);
    bool skips_older = walk->older.has_row && str_has_prefix(walk->older.row.key, s);
    if (!str_successor(walk->arena, s, &current.key)) {
        walk->current.has_row = walk->older.has_row = false;
        return OK;
    }
    const struct version_row older = {
        .bucket_id = walk->args->bucket_id, .key = current.key, .sequence = UINT64_MAX};
    if (skips_current) {
        TRY(cursor_seek(walk->current.cursor, &current));
        TRY(current_next(walk));
    }
    if (!skips_older)
        return OK;
    TRY(cursor_seek(walk->older.cursor, &older));
    return older_next(walk);
}

/* ---- The walk ---- */

static enum err show(struct version_walk *walk, str name, const struct object_row *row,
                     bool is_latest)
{
    struct version_list_result *result = &walk->result;
    memcpy(walk->last, name.ptr, name.len);
    result->last = str_of(walk->last, name.len);
    result->last_version = row ? version_marker_format(walk->arena, row) : (str){0};
    result->count++;
    return walk->visitor->entry(walk->visitor, name, row, is_latest);
}

/* Which side has the next version: of one key the current object comes first. Null at the end. */
static struct side *next_side(struct version_walk *walk)
{
    struct side *current = &walk->current, *older = &walk->older;
    if (current->has_row && older->has_row)
        return str_cmp(current->row.key, older->row.key) <= 0 ? current : older;
    if (current->has_row)
        return current;
    return older->has_row ? older : NULL;
}

static bool is_first_of_key(struct version_walk *walk, str key)
{
    if (walk->has_seen && str_eq(walk->seen_key, key))
        return false;
    memcpy(walk->seen, key.ptr, key.len);
    walk->seen_key = str_of(walk->seen, key.len);
    walk->has_seen = true;
    return true;
}

static enum err walk_all(struct version_walk *walk)
{
    const struct list_args *args = walk->args;
    for (struct side *side; (side = next_side(walk)) != NULL;) {
        str common;
        if (walk->result.count == args->max_count) {
            walk->result.is_truncated = true;
            return OK;
        }
        if (common_prefix_of(side->row.key, args->prefix, args->delimiter, &common)) {
            TRY(show(walk, common, NULL, false));
            TRY(skip_prefix(walk, walk->result.last));
            continue;
        }
        TRY(show(walk, side->row.key, &side->row, is_first_of_key(walk, side->row.key)));
        TRY(side == &walk->current ? current_next(walk) : older_next(walk));
    }
    return OK;
}

enum err object_version_list(struct tx *tx, const struct list_args *args, str after_version,
                             struct version_visitor *visitor, struct arena *arena,
                             struct version_list_result *out_result)
{
    struct version_walk *walk = arena_new_of(arena, struct version_walk);
    walk->args = args;
    walk->visitor = visitor;
    walk->tx = tx;
    walk->arena = arena;
    if (args->max_count > 0) {
        enum err err = open_sides(walk, after_version);
        if (err == OK)
            err = walk_all(walk);
        cursor_close(walk->current.cursor);
        cursor_close(walk->older.cursor);
        TRY(err);
    }
    *out_result = walk->result;
    return OK;
}
