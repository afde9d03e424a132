/* Row structs and table descriptions made from rows.def: `struct object_row`, `TABLE_object`,
 * and one `struct table` with each column's type and place, from which engines encode, copy and
 * compare rows without knowing any table by name. */
#pragma once

#include "base/arena.h"
#include "store/rows.def"

/* A body that lies in the catalogue. In a row to be written: bytes points at it. In a row that
 * was read: bytes is null, `length` tells its size, and blob_read fetches it while the
 * transaction is open. To keep the body of a row that was read when writing it back (or to
 * another table), leave the blob as it is: the engine moves it. */
struct blob {
    const void *bytes;
    uint64_t length;
    uint32_t crc32c;      /* of the bytes; set by the engine when it reads a row */
    uint64_t location[2]; /* the engine's own */
};

#define ROW_TYPE_U64 uint64_t
#define ROW_TYPE_U64_DESC uint64_t
#define ROW_TYPE_STR str
#define ROW_TYPE_BLOB struct blob
#define ROW_FIELD(type, name) ROW_TYPE_##type name;
#define ROW_STRUCT(number, table)                                                                  \
    struct table##_row {                                                                           \
        table##_COLUMNS(ROW_FIELD, ROW_FIELD)                                                      \
    };
TABLES(ROW_STRUCT)
#undef ROW_STRUCT
#undef ROW_FIELD

enum table_id {
#define ROW_ENUM(number, table) TABLE_##table = number,
    TABLES(ROW_ENUM)
#undef ROW_ENUM
        TABLE_ID_END
};

enum column_type { COLUMN_U64, COLUMN_U64_DESC, COLUMN_STR, COLUMN_BLOB };

struct column {
    const char *name;
    enum column_type type;
    size_t offset; /* in the row struct */
};

struct table {
    const char *name;
    enum table_id id;
    size_t row_size;
    const struct column *column; /* key columns first */
    size_t column_count;
    size_t key_count;
    bool has_blob; /* then it is the last column */
};

/* The description; asserts that the id exists. */
const struct table *table_of(enum table_id id);

/* The blob column of a row, or null when its table has none. */
struct blob *row_blob(const struct table *table, void *row);
const struct blob *row_blob_const(const struct table *table, const void *row);

/* What a row may be at most; row_put answers ERR_TOO_LARGE beyond. */
enum {
    ROW_KEY_MAX = 4096,      /* encoded key columns */
    ROW_VALUE_MAX = 4 << 20, /* encoded other columns */
    ROW_BLOB_MAX = 16 << 20,
};

/* Keys as bytes whose memcmp order is the order of the rows: table number, then each key column:
 * U64 big-endian, U64_DESC its complement, STR raw when it is the last column, else with 00 as
 * 00 FF and ended by 00 01. */
struct buf;
void row_key_encode(const struct table *table, const void *row, struct buf *out);
/* Only the first `count` key columns: the common front of all rows that agree in them. */
void row_key_encode_prefix(const struct table *table, const void *row, size_t count,
                           struct buf *out);
/* The end of those rows: the smallest byte string above the keys of all rows that agree in the
 * first `count` key columns. */
void row_key_encode_end(const struct table *table, const void *row, size_t count, struct buf *out);
/* Sets the key columns. Strings point into `key` where they lie there as they are, else into the
 * arena. ERR_CORRUPT; the row is then not to be used. */
enum err row_key_decode(const struct table *table, str key, struct arena *arena, void *out_row);

/* The columns that are neither key nor blob: a varint with a bit for each column present (not 0,
 * not empty), then each: U64 as varint, STR as varint length and bytes. Strings of a decoded row
 * point into `value`. Decoding sets every column that is not part of the key, the blob to empty;
 * after ERR_CORRUPT the row is not to be used. */
void row_value_encode(const struct table *table, const void *row, struct buf *out);
enum err row_value_decode(const struct table *table, str value, void *out_row);
