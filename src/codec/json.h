/* JSON (RFC 8259): a streaming writer, and a reader over jansson that gives a tree in an arena. Nothing of jansson shows
 * here; its own names begin with json_ too, so new functions must not take one of them. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/fail.h"

/* Writer. In an object each value has a name; in an array, and for the one value at the top, the name is null. Names and
 * texts are escaped. Commas are the writer's business. */
enum { JSON_DEPTH_MAX = 32 };
struct json_writer {
    struct buf *out; /* borrows */
    unsigned depth;
    bool is_array[JSON_DEPTH_MAX];
    bool has_items[JSON_DEPTH_MAX];
    bool is_named; /* json_name wrote the next value's name */
};
void json_begin(struct json_writer *w, struct buf *out);
void json_open_object(struct json_writer *w, const char *name);
void json_open_array(struct json_writer *w, const char *name);
void json_close(struct json_writer *w); /* the innermost object or array */
void json_text(struct json_writer *w, const char *name, str value);
void json_u64(struct json_writer *w, const char *name, uint64_t value);
void json_i64(struct json_writer *w, const char *name, int64_t value);
void json_bool(struct json_writer *w, const char *name, bool value);
void json_null_value(struct json_writer *w, const char *name);
void json_time(struct json_writer *w, const char *name, int64_t real_ms);
/* For names that are data: the next value's name; that value is then written with a null name. */
void json_name(struct json_writer *w, str name);

/* Reader. */
enum json_kind {
    JSON_KIND_NULL,
    JSON_KIND_BOOL,
    JSON_KIND_INTEGER,
    JSON_KIND_REAL,
    JSON_KIND_TEXT,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT,
};
struct json_value {
    enum json_kind kind;
    bool boolean;
    int64_t integer;
    double real;
    str name;                 /* of an object's member */
    str text;                 /* well-formed UTF-8 without zero bytes */
    struct json_value *child; /* first member or item, in the document's order */
    struct json_value *next;  /* next sibling */
};

/* Reads an object or an array. ERR_BAD_INPUT, with line and column in fail, for what is not JSON, has a member twice, holds a
 * number that does not fit, nests deeper than JSON_DEPTH_MAX or has more than JSON_VALUES_MAX values; ERR_TOO_LARGE
 * for a longer document, or when the arena's cap does not allow it; ERR_NO_MEMORY. */
enum { JSON_BYTES_MAX = 1 << 20, JSON_VALUES_MAX = 50000 };
enum err json_parse(struct arena *arena, str document, struct json_value **out_root,
                    struct fail *fail);
/* The member of that name, or null when there is none or the value is not an object (it may be null). */
const struct json_value *json_member(const struct json_value *object, const char *name);
/* The member's text; the empty str when it is absent or not a text. */
str json_member_text(const struct json_value *object, const char *name);
/* Number of members or items. */
size_t json_count(const struct json_value *value);
