#include "object/version.h"

#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "base/rand.h"
#include "object/store_int.h"

/* ---- Names ---- */

static bool id_decode(str text, uint64_t *out_sequence)
{
    uint8_t bytes[VERSION_ID_TEXT / 2];
    if (text.len != VERSION_ID_TEXT || hex_decode(text, bytes) != OK)
        return false;
    *out_sequence = get_be64(bytes);
    return true;
}

static str id_encode(struct arena *arena, uint64_t sequence, uint64_t random)
{
    uint8_t bytes[VERSION_ID_TEXT / 2];
    char *text = arena_alloc(arena, VERSION_ID_TEXT);
    put_be64(bytes, sequence);
    put_be64(bytes + sizeof(sequence), random);
    hex_encode(bytes, sizeof(bytes), text);
    return str_of(text, VERSION_ID_TEXT);
}

bool version_id_is_known_form(str text)
{
    uint64_t sequence;
    return str_eq(text, STR("null")) || id_decode(text, &sequence);
}

str version_id_shown(str version_id)
{
    return version_id.len > 0 ? version_id : STR("null");
}

str version_marker_format(struct arena *arena, const struct object_row *row)
{
    return row->version_id.len > 0 ? arena_str(arena, row->version_id)
                                   : id_encode(arena, row->sequence, 0);
}

/* ---- Rows of one table as rows of the other ---- */

#define TAKE_COLUMN(type, name) to->name = from->name;

void version_as_object(const struct version_row *from, struct object_row *to)
{
    to->bucket_id = from->bucket_id;
    to->key = from->key;
    to->sequence = from->sequence;
    VERSION_COLUMNS(TAKE_COLUMN)
    to->body = from->body;
}

static void as_version(const struct object_row *from, struct version_row *to)
{
    to->bucket_id = from->bucket_id;
    to->key = from->key;
    to->sequence = from->sequence;
    VERSION_COLUMNS(TAKE_COLUMN)
    to->body = from->body;
}

static enum err version_put(struct tx *tx, const struct object_row *row)
{
    struct version_row version;
    as_version(row, &version);
    return row_put(tx, TABLE_version, &version);
}

static enum err version_delete(struct tx *tx, const struct object_row *row)
{
    const struct version_row version = {
        .bucket_id = row->bucket_id, .key = row->key, .sequence = row->sequence};
    return row_delete(tx, TABLE_version, &version);
}

/* ---- Reading ---- */

static enum err current_get(struct tx *tx, uint64_t bucket_id, str key, struct arena *arena,
                            struct object_row *out_row)
{
    *out_row = (struct object_row){.bucket_id = bucket_id, .key = key};
    return row_get(tx, TABLE_object, out_row, arena);
}

static enum err version_get(struct tx *tx, uint64_t bucket_id, str key, uint64_t sequence,
                            struct arena *arena, struct object_row *out_row)
{
    struct version_row row = {.bucket_id = bucket_id, .key = key, .sequence = sequence};
    TRY(row_get(tx, TABLE_version, &row, arena));
    version_as_object(&row, out_row);
    return OK;
}

/* The newest of the key's rows in `version`: its newest version, if it has none in `object`. */
static enum err first_below(struct tx *tx, uint64_t bucket_id, str key, struct arena *arena,
                            struct object_row *out_row)
{
    struct version_row from = {.bucket_id = bucket_id, .key = key, .sequence = UINT64_MAX}, row;
    struct cursor *cursor;
    TRY(cursor_open(tx, TABLE_version, &from, 2, &cursor));
    enum err err = cursor_next(cursor, &row);
    if (err == OK)
        err = version_get(tx, bucket_id, key, row.sequence, arena, out_row);
    cursor_close(cursor);
    return err;
}

enum err version_newest(struct tx *tx, uint64_t bucket_id, str key, struct arena *arena,
                        struct object_row *out_row)
{
    enum err err = current_get(tx, bucket_id, key, arena, out_row);
    return err == ERR_NOT_FOUND ? first_below(tx, bucket_id, key, arena, out_row) : err;
}

/* The sequence of the null version, seen from the newest; 0: there is none. */
static uint64_t null_sequence_from(const struct object_row *newest)
{
    return newest->version_id.len == 0 ? newest->sequence : newest->null_sequence;
}

enum err version_sequence(struct tx *tx, uint64_t bucket_id, str key, str version_id,
                          struct arena *arena, uint64_t *out_sequence)
{
    struct object_row newest;
    if (id_decode(version_id, out_sequence))
        return OK;
    if (!str_eq(version_id, STR("null")))
        return ERR_NOT_FOUND;
    TRY(version_newest(tx, bucket_id, key, arena, &newest));
    *out_sequence = null_sequence_from(&newest);
    return *out_sequence != 0 ? OK : ERR_NOT_FOUND;
}

static enum err named_find(struct tx *tx, const struct bucket_row *bucket, str key, str version_id,
                           struct arena *arena, struct object_row *out_row)
{
    uint64_t sequence;
    TRY(version_sequence(tx, bucket->id, key, version_id, arena, &sequence));
    enum err err = current_get(tx, bucket->id, key, arena, out_row);
    if (err == ERR_NOT_FOUND || (err == OK && out_row->sequence != sequence))
        err = version_get(tx, bucket->id, key, sequence, arena, out_row);
    TRY(err);
    if (!str_eq(version_id_shown(out_row->version_id), version_id))
        return ERR_NOT_FOUND;
    return is_delete_marker(out_row) ? ERR_IS_DELETE_MARKER : OK;
}

/* Why a key has no current version. */
static enum err hidden_find(struct tx *tx, const struct bucket_row *bucket, str key,
                            struct arena *arena, struct object_row *out_row)
{
    if (bucket->versioning == VERSIONING_NEVER)
        return ERR_NO_SUCH_KEY;
    enum err err = first_below(tx, bucket->id, key, arena, out_row);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    /* A version that is none must be a marker: what is newest of the others stands in `object`. */
    return err == OK && !is_delete_marker(out_row) ? ERR_CORRUPT : ERR_NO_SUCH_KEY;
}

enum err object_find(struct tx *tx, const struct bucket_row *bucket, str key, str version_id,
                     struct arena *arena, struct object_row *out_row)
{
    struct object_row row = {0};
    enum err err;
    if (version_id.len > 0) {
        err = named_find(tx, bucket, key, version_id, arena, &row);
        if (err == ERR_NOT_FOUND) {
            /* What was read may have the place of the one that was named, and another name. */
            row = (struct object_row){0};
            err = ERR_NO_SUCH_VERSION;
        }
    } else {
        err = current_get(tx, bucket->id, key, arena, &row);
        if (err == ERR_NOT_FOUND) {
            row = (struct object_row){0};
            err = hidden_find(tx, bucket, key, arena, &row);
        }
    }
    *out_row = row;
    return err;
}

/* ---- Changes ---- */

enum err version_current(struct tx *tx, uint64_t bucket_id, str key, struct arena *arena,
                         struct object_row *row, struct object_row **out_current)
{
    enum err err = current_get(tx, bucket_id, key, arena, row);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    *out_current = err == OK ? row : NULL;
    return OK;
}

/* Later than all that the key has, also when the clock has gone back. */
static void stamp(struct object_row *row, uint64_t newest_sequence)
{
    int64_t now_us = clock_real_us();
    row->sequence = (uint64_t)now_us;
    if (row->sequence <= newest_sequence)
        row->sequence = newest_sequence + 1;
    row->modified_ms = (uint64_t)(now_us / 1000);
}

/* How the bucket's counts change when this row comes or goes. */
static void count(struct usage_change *change, const struct object_row *row, bool is_current,
                  int sign)
{
    int64_t bytes = (int64_t)row->size;
    if (is_current) {
        change->object_count += sign;
        change->object_bytes += sign * bytes;
    } else {
        change->version_count += sign;
        change->version_bytes += sign * bytes;
    }
}

/* The current version becomes one of the older ones. Its row in `object` is the caller's to
 * replace. */
static enum err retire(struct tx *tx, const struct object_row *current, struct usage_change *change)
{
    count(change, current, true, -1);
    count(change, current, false, 1);
    return version_put(tx, current);
}

/* An older version goes for good. */
static enum err drop_older(struct tx *tx, const struct object_row *row, struct usage_change *change,
                           struct arena *arena)
{
    count(change, row, false, -1);
    TRY(version_body_let_go(tx, row, arena));
    return version_delete(tx, row);
}

/* A new null version takes the place of the one before it, wherever that is. */
static enum err drop_null(struct tx *tx, const struct object_row *current,
                          const struct object_row *newest, struct usage_change *change,
                          struct arena *arena)
{
    uint64_t sequence = null_sequence_from(newest);
    struct object_row old;
    if (current != NULL && current->version_id.len == 0) {
        count(change, current, true, -1);
        return version_body_let_go(tx, current, arena);
    }
    if (sequence != 0) {
        enum err err = version_get(tx, newest->bucket_id, newest->key, sequence, arena, &old);
        TRY(err == ERR_NOT_FOUND ? ERR_CORRUPT : err);
        TRY(drop_older(tx, &old, change, arena));
    }
    return current != NULL ? retire(tx, current, change) : OK;
}

enum err version_add(struct tx *tx, const struct bucket_row *bucket,
                     const struct object_row *current, struct object_row *row, struct arena *arena)
{
    struct object_row newest = {.bucket_id = bucket->id, .key = row->key};
    struct usage_change change = {0};
    bool has_newest = current != NULL;
    if (current != NULL) {
        newest = *current;
    } else if (bucket->versioning != VERSIONING_NEVER) {
        enum err err = first_below(tx, bucket->id, row->key, arena, &newest);
        if (err != OK && err != ERR_NOT_FOUND)
            return err;
        has_newest = err == OK;
    }
    row->bucket_id = bucket->id;
    stamp(row, newest.sequence);
    row->null_sequence = 0;
    row->version_id = (str){0};
    if (bucket->versioning == VERSIONING_ENABLED) {
        row->version_id = id_encode(arena, row->sequence, rand_u64());
        row->null_sequence = has_newest ? null_sequence_from(&newest) : 0;
        if (current != NULL)
            TRY(retire(tx, current, &change));
    } else if (has_newest) {
        TRY(drop_null(tx, current, &newest, &change, arena));
    }
    bool is_current = !is_delete_marker(row);
    count(&change, row, is_current, 1);
    if (is_current)
        TRY(row_put(tx, TABLE_object, row));
    else
        TRY(version_put(tx, row));
    if (!is_current && current != NULL)
        TRY(row_delete(tx, TABLE_object, current));
    return usage_add(tx, bucket->id, &change, arena);
}

/* The newest is gone: the next older version takes its place, and what it knew of the null version. */
static enum err uncover(struct tx *tx, const struct object_row *gone, struct usage_change *change,
                        struct arena *arena)
{
    struct object_row next;
    enum err err = first_below(tx, gone->bucket_id, gone->key, arena, &next);
    if (err != OK)
        return err == ERR_NOT_FOUND ? OK : err;
    next.null_sequence = next.version_id.len > 0 ? gone->null_sequence : 0;
    if (is_delete_marker(&next))
        return version_put(tx, &next);
    count(change, &next, false, -1);
    count(change, &next, true, 1);
    TRY(version_delete(tx, &next));
    return row_put(tx, TABLE_object, &next);
}

/* The newest must not go on to name a null version that is gone. */
static enum err forget_null(struct tx *tx, struct object_row *newest, bool is_current)
{
    newest->null_sequence = 0;
    return is_current ? row_put(tx, TABLE_object, newest) : version_put(tx, newest);
}

enum err version_remove(struct tx *tx, const struct bucket_row *bucket,
                        const struct object_row *row, struct arena *arena)
{
    struct object_row newest;
    struct usage_change change = {0};
    TRY(version_newest(tx, bucket->id, row->key, arena, &newest));
    bool is_current = !is_delete_marker(&newest);
    if (newest.sequence != row->sequence) {
        TRY(drop_older(tx, row, &change, arena));
        if (newest.null_sequence == row->sequence)
            TRY(forget_null(tx, &newest, is_current));
    } else if (is_current) {
        count(&change, row, true, -1);
        TRY(version_body_let_go(tx, row, arena));
        TRY(row_delete(tx, TABLE_object, row));
        TRY(uncover(tx, row, &change, arena));
    } else {
        TRY(drop_older(tx, row, &change, arena));
        TRY(uncover(tx, row, &change, arena));
    }
    return usage_add(tx, bucket->id, &change, arena);
}

enum err version_rewrite(struct tx *tx, const struct object_row *row, struct arena *arena)
{
    struct object_row found, *current;
    TRY(version_current(tx, row->bucket_id, row->key, arena, &found, &current));
    bool is_current = current != NULL && current->sequence == row->sequence;
    return is_current ? row_put(tx, TABLE_object, row) : version_put(tx, row);
}
