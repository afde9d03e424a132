/* Rows as bytes. Everything here is pure: it knows columns and bytes, and neither engines nor files. The formats are
 * docs/format/row.md. Decoders take bytes from the disk and trust nothing in them. */
#include "store/rows.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"

/* The columns of a table are named without their row struct, so each description is made inside a function of its own
 * in which row_t is that struct. */
#define ROW_COLUMN(type_, name_)                                                                   \
    {.name = #name_, .type = COLUMN_##type_, .offset = offsetof(row_t, name_)},
#define ROW_COUNT(type, name) +1
#define ROW_NO_COUNT(type, name) +0
#define ROW_IS_BLOB_U64 0
#define ROW_IS_BLOB_U64_DESC 0
#define ROW_IS_BLOB_STR 0
#define ROW_IS_BLOB_BLOB 1
#define ROW_COUNT_BLOB(type, name) +ROW_IS_BLOB_##type
#define ROW_DESCRIBE(number, name_)                                                                \
    static const struct table *describe_##name_(void)                                              \
    {                                                                                              \
        typedef struct name_##_row row_t;                                                          \
        static const struct column columns[] = {name_##_COLUMNS(ROW_COLUMN, ROW_COLUMN)};          \
        static const struct table description = {                                                  \
            .name = #name_,                                                                        \
            .id = TABLE_##name_,                                                                   \
            .row_size = sizeof(row_t),                                                             \
            .column = columns,                                                                     \
            .column_count = sizeof(columns) / sizeof(columns[0]),                                  \
            .key_count = 0 name_##_COLUMNS(ROW_COUNT, ROW_NO_COUNT),                               \
            .has_blob = 0 name_##_COLUMNS(ROW_COUNT_BLOB, ROW_COUNT_BLOB),                         \
        };                                                                                         \
        _Static_assert(sizeof(columns) / sizeof(columns[0]) <= 64, "a bit for each column");       \
        _Static_assert(TABLE_##name_ > 0 && TABLE_##name_ < 255, "a table number is one byte");    \
        return &description;                                                                       \
    }
TABLES(ROW_DESCRIBE)

const struct table *table_of(enum table_id id)
{
#define ROW_CASE(number, name_)                                                                    \
    case TABLE_##name_:                                                                            \
        return describe_##name_();
    switch (id) {
        TABLES(ROW_CASE)
    case TABLE_ID_END:
    default:
        assert(!"a table of rows.def");
        __builtin_unreachable();
    }
}

static uint64_t u64_at(const void *row, const struct column *column)
{
    uint64_t value;
    memcpy(&value, (const char *)row + column->offset, sizeof(value));
    return value;
}

static void set_u64(void *row, const struct column *column, uint64_t value)
{
    memcpy((char *)row + column->offset, &value, sizeof(value));
}

static str str_at(const void *row, const struct column *column)
{
    str value;
    memcpy(&value, (const char *)row + column->offset, sizeof(value));
    return value;
}

static void set_str(void *row, const struct column *column, str value)
{
    memcpy((char *)row + column->offset, &value, sizeof(value));
}

struct blob *row_blob(const struct table *table, void *row)
{
    if (!table->has_blob)
        return NULL;
    return (struct blob *)(void *)((char *)row + table->column[table->column_count - 1].offset);
}

const struct blob *row_blob_const(const struct table *table, const void *row)
{
    if (!table->has_blob)
        return NULL;
    return (const struct blob *)(const void *)((const char *)row +
                                               table->column[table->column_count - 1].offset);
}

/* ---- Keys ---- */

enum { ESCAPE = 0x00, ESCAPED_ZERO = 0xFF, END_OF_STR = 0x01 };

/* A string that is followed by other columns: 00 becomes 00 FF, and 00 01 ends it, which sorts before any further byte
 * of a longer string. */
static void escape_str(str value, struct buf *out)
{
    while (value.len) {
        const char *zero = memchr(value.ptr, ESCAPE, value.len);
        size_t plain = zero ? (size_t)(zero - value.ptr) : value.len;
        buf_append(out, str_slice(value, 0, plain));
        if (!zero)
            break;
        buf_append(out, STR("\x00\xFF"));
        value = str_skip(value, plain + 1);
    }
    buf_append(out, STR("\x00\x01"));
}

static void encode_key_column(const struct table *table, size_t i, const void *row, struct buf *out)
{
    const struct column *column = &table->column[i];
    if (column->type == COLUMN_STR && i + 1 == table->key_count) {
        buf_append(out, str_at(row, column));
        return;
    }
    if (column->type == COLUMN_STR) {
        escape_str(str_at(row, column), out);
        return;
    }
    assert(column->type != COLUMN_BLOB);
    uint64_t value = u64_at(row, column);
    char bytes[8];
    put_be64(bytes, column->type == COLUMN_U64_DESC ? ~value : value);
    buf_append(out, str_of(bytes, sizeof(bytes)));
}

void row_key_encode_prefix(const struct table *table, const void *row, size_t count,
                           struct buf *out)
{
    assert(count <= table->key_count);
    buf_append_char(out, (char)table->id);
    for (size_t i = 0; i < count; i++)
        encode_key_column(table, i, row, out);
}

void row_key_encode(const struct table *table, const void *row, struct buf *out)
{
    row_key_encode_prefix(table, row, table->key_count, out);
}

/* The smallest byte string above all that begin with what lies in *out from `start` on. There is one, because the table
 * number is never FF. */
static void make_successor(struct buf *out, size_t start)
{
    while (out->len > start && (unsigned char)out->ptr[out->len - 1] == 0xFF)
        out->len--;
    assert(out->len > start);
    out->ptr[out->len - 1]++;
}

void row_key_encode_end(const struct table *table, const void *row, size_t count, struct buf *out)
{
    size_t start = out->len;
    row_key_encode_prefix(table, row, count, out);
    if (buf_err(out) != OK)
        return;
    /* A whole key may be the front of a longer one when its last column is a string: the next key is then the same with
     * a zero byte. For the other types that is an equally good bound. */
    if (count == table->key_count)
        buf_append_char(out, '\0');
    else
        make_successor(out, start);
}

/* The length of the escaped string at the front of `key`, its two ending bytes not included, and how many zeroes are
 * escaped in it. */
static enum err measure_escaped(str key, size_t *out_len, size_t *out_zero_count)
{
    size_t zero_count = 0;
    for (size_t at = 0;;) {
        const char *zero = at < key.len ? memchr(key.ptr + at, ESCAPE, key.len - at) : NULL;
        if (!zero)
            return ERR_CORRUPT;
        at = (size_t)(zero - key.ptr);
        if (key.len - at < 2)
            return ERR_CORRUPT;
        unsigned char what = (unsigned char)zero[1];
        if (what == END_OF_STR) {
            *out_len = at;
            *out_zero_count = zero_count;
            return OK;
        }
        if (what != ESCAPED_ZERO)
            return ERR_CORRUPT;
        zero_count++;
        at += 2;
    }
}

static str unescape(str escaped, size_t zero_count, struct arena *arena)
{
    char *dst = arena_alloc(arena, escaped.len - zero_count), *at = dst;
    for (size_t i = 0; i < escaped.len; i++) {
        *at++ = escaped.ptr[i];
        if (escaped.ptr[i] == ESCAPE)
            i++;
    }
    assert((size_t)(at - dst) == escaped.len - zero_count);
    return str_of(dst, (size_t)(at - dst));
}

static enum err decode_escaped(str *key, struct arena *arena, str *out_value)
{
    size_t len, zero_count;
    TRY(measure_escaped(*key, &len, &zero_count));
    str escaped = str_slice(*key, 0, len);
    *key = str_skip(*key, len + 2);
    *out_value = zero_count ? unescape(escaped, zero_count, arena) : escaped;
    return OK;
}

static enum err decode_key_column(const struct table *table, size_t i, str *key,
                                  struct arena *arena, void *out_row)
{
    const struct column *column = &table->column[i];
    if (column->type == COLUMN_STR) {
        str value = *key;
        if (i + 1 == table->key_count)
            *key = (str){0};
        else
            TRY(decode_escaped(key, arena, &value));
        set_str(out_row, column, value);
        return OK;
    }
    if (key->len < 8)
        return ERR_CORRUPT;
    uint64_t value = get_be64(key->ptr);
    set_u64(out_row, column, column->type == COLUMN_U64_DESC ? ~value : value);
    *key = str_skip(*key, 8);
    return OK;
}

enum err row_key_decode(const struct table *table, str key, struct arena *arena, void *out_row)
{
    if (key.len == 0 || (unsigned char)key.ptr[0] != table->id)
        return ERR_CORRUPT;
    key = str_skip(key, 1);
    for (size_t i = 0; i < table->key_count; i++)
        TRY(decode_key_column(table, i, &key, arena, out_row));
    return key.len == 0 ? OK : ERR_CORRUPT;
}

/* ---- Values ---- */

/* The columns [key_count, value_end) are encoded here. */
static size_t value_end(const struct table *table)
{
    return table->column_count - table->has_blob;
}

enum { VARINT_MAX = 10 };

static char *write_varint(char *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (char)(value | 0x80);
    *at++ = (char)value;
    return at;
}

/* Which columns hold something, and a bound of the encoded length. */
static uint64_t present_columns(const struct table *table, const void *row, size_t *out_bound)
{
    uint64_t present = 0;
    size_t bound = VARINT_MAX;
    for (size_t i = table->key_count; i < value_end(table); i++) {
        const struct column *column = &table->column[i];
        bool is_str = column->type == COLUMN_STR;
        uint64_t size = is_str ? str_at(row, column).len : u64_at(row, column);
        if (size == 0)
            continue;
        present |= (uint64_t)1 << (i - table->key_count);
        bound = mem_size_add(bound, VARINT_MAX + (is_str ? size : 0));
    }
    *out_bound = bound;
    return present;
}

void row_value_encode(const struct table *table, const void *row, struct buf *out)
{
    size_t bound;
    uint64_t present = present_columns(table, row, &bound);
    char *start = buf_reserve(out, bound);
    if (!start)
        return;
    char *at = write_varint(start, present);
    for (uint64_t left = present; left; left &= left - 1) {
        const struct column *column =
            &table->column[table->key_count + (size_t)__builtin_ctzll(left)];
        if (column->type != COLUMN_STR) {
            at = write_varint(at, u64_at(row, column));
            continue;
        }
        str value = str_at(row, column);
        at = write_varint(at, value.len);
        memcpy(at, value.ptr, value.len);
        at += value.len;
    }
    buf_commit(out, (size_t)(at - start));
}

static void clear_value(const struct table *table, void *row)
{
    if (table->key_count == table->column_count)
        return;
    size_t from = table->column[table->key_count].offset;
    memset((char *)row + from, 0, table->row_size - from);
}

static enum err decode_value(const struct table *table, struct reader *reader, uint64_t present,
                             void *out_row)
{
    for (uint64_t left = present; left; left &= left - 1) {
        const struct column *column =
            &table->column[table->key_count + (size_t)__builtin_ctzll(left)];
        uint64_t number = reader_varint(reader);
        if (reader->failed || number == 0 || (column->type == COLUMN_STR && number > reader->left))
            return ERR_CORRUPT;
        if (column->type == COLUMN_STR)
            set_str(out_row, column, reader_bytes(reader, number));
        else
            set_u64(out_row, column, number);
    }
    return reader->left == 0 ? OK : ERR_CORRUPT;
}

enum err row_value_decode(const struct table *table, str value, void *out_row)
{
    struct reader reader = reader_of(value);
    uint64_t present = reader_varint(&reader);
    size_t count = value_end(table) - table->key_count;
    if (reader.failed || (count < 64 && present >> count))
        return ERR_CORRUPT;
    clear_value(table, out_row);
    return decode_value(table, &reader, present, out_row);
}
