#include "object/list.h"

#include <string.h>

#include "object/store_int.h"

bool str_successor(struct arena *arena, str s, str *out)
{
    while (s.len > 0 && (uint8_t)s.ptr[s.len - 1] == 0xff)
        s.len--;
    if (s.len == 0)
        return false;
    char *next = arena_alloc(arena, s.len);
    memcpy(next, s.ptr, s.len);
    next[s.len - 1]++;
    *out = str_of(next, s.len);
    return true;
}

bool common_prefix_of(str key, str prefix, str delimiter, str *out)
{
    if (delimiter.len == 0)
        return false;
    ptrdiff_t at = str_find(str_skip(key, prefix.len), delimiter);
    if (at < 0)
        return false;
    *out = str_slice(key, 0, prefix.len + (size_t)at + delimiter.len);
    return true;
}

struct list_walk {
    const struct list_args *args;
    struct list_visitor *visitor;
    struct arena *arena;
    struct cursor *cursor;
    struct list_result result;
    char last[KEY_MAX_BYTES];
};

/* Goes to the first key that does not begin with s; false when no key can follow. */
static bool skip_prefix(struct list_walk *walk, str s, enum err *out_err)
{
    struct object_row from = {.bucket_id = walk->args->bucket_id};
    if (!str_successor(walk->arena, s, &from.key))
        return false;
    *out_err = cursor_seek(walk->cursor, &from);
    return true;
}

bool list_start_key(const struct list_args *args, struct arena *arena, str *out_key)
{
    *out_key = args->prefix;
    if (args->after.len == 0 || str_cmp(args->after, args->prefix) < 0)
        return true;
    str shown;
    if (str_has_prefix(args->after, args->prefix) &&
        common_prefix_of(args->after, args->prefix, args->delimiter, &shown))
        return str_successor(arena, shown, out_key);
    /* The next possible key in byte order. */
    char *next = arena_alloc(arena, args->after.len + 1);
    memcpy(next, args->after.ptr, args->after.len);
    next[args->after.len] = 0;
    *out_key = str_of(next, args->after.len + 1);
    return true;
}

static enum err show(struct list_walk *walk, str name, const struct object_row *row)
{
    memcpy(walk->last, name.ptr, name.len);
    walk->result.last = str_of(walk->last, name.len);
    walk->result.count++;
    return walk->visitor->entry(walk->visitor, name, row);
}

static enum err walk_all(struct list_walk *walk)
{
    const struct list_args *args = walk->args;
    struct object_row row;
    enum err err;
    while ((err = cursor_next(walk->cursor, &row)) == OK && str_has_prefix(row.key, args->prefix)) {
        if (walk->result.count == args->max_count) {
            walk->result.is_truncated = true;
            return OK;
        }
        str common;
        if (!common_prefix_of(row.key, args->prefix, args->delimiter, &common)) {
            TRY(show(walk, row.key, &row));
            continue;
        }
        TRY(show(walk, common, NULL));
        if (!skip_prefix(walk, walk->result.last, &err))
            return OK;
        TRY(err);
    }
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err object_list(struct tx *tx, const struct list_args *args, struct list_visitor *visitor,
                     struct arena *arena, struct list_result *out_result)
{
    struct list_walk *walk = arena_new_of(arena, struct list_walk);
    walk->args = args;
    walk->visitor = visitor;
    walk->arena = arena;
    struct object_row from = {.bucket_id = args->bucket_id};
    if (args->max_count > 0 && list_start_key(args, arena, &from.key)) {
        TRY(cursor_open(tx, TABLE_object, &from, 1, &walk->cursor));
        enum err err = walk_all(walk);
        cursor_close(walk->cursor);
        TRY(err);
    }
    *out_result = walk->result;
    return OK;
}
