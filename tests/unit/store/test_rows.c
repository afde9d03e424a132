/* Rows as bytes: the documented examples, the order of keys, round trips, and damage. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "store/rows.h"

#define assert_err(actual, expected) assert_string_equal(err_name(actual), err_name(expected))

enum { BUF_MAX = 1 << 20 };

/* A generator of its own, so that a failure can be repeated. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void assert_bytes(const struct buf *buf, str expected)
{
    assert_err(buf_err(buf), OK);
    assert_int_equal(buf->len, expected.len);
    assert_memory_equal(buf->ptr, expected.ptr, expected.len);
}

/* ---- The examples of docs/format/row.md ---- */

static void keys_are_encoded_as_documented(void **state)
{
    (void)state;
    BUF_SCOPED struct buf out;
    buf_init(&out, BUF_MAX);
    struct object_row object = {.bucket_id = 258, .key = str_of("a\0b", 3)};
    row_key_encode(table_of(TABLE_object), &object, &out);
    assert_bytes(&out, STR("\x02\0\0\0\0\0\0\x01\x02"
                           "a\0b"));
    buf_clear(&out);
    struct version_row version = {.bucket_id = 1, .key = str_of("a\0b", 3), .sequence = 1};
    row_key_encode(table_of(TABLE_version), &version, &out);
    assert_bytes(&out, STR("\x03\0\0\0\0\0\0\0\x01"
                           "a\0\xff"
                           "b\0\x01\xff\xff\xff\xff\xff\xff\xff\xfe"));
    buf_clear(&out);
    row_key_encode_prefix(table_of(TABLE_version), &version, 2, &out);
    assert_bytes(&out, STR("\x03\0\0\0\0\0\0\0\x01"
                           "a\0\xff"
                           "b\0\x01"));
    buf_clear(&out);
    row_key_encode_prefix(table_of(TABLE_version), &version, 0, &out);
    assert_bytes(&out, STR("\x03"));
}

static void ends_are_just_above_all_that_agree(void **state)
{
    (void)state;
    BUF_SCOPED struct buf out;
    buf_init(&out, BUF_MAX);
    struct piece_row piece = {.manifest_id = 0x00000000000001FF, .offset = 5};
    row_key_encode_end(table_of(TABLE_piece), &piece, 1, &out);
    assert_bytes(&out, STR("\x05\0\0\0\0\0\0\x02"));
    buf_clear(&out);
    piece.manifest_id = UINT64_MAX;
    row_key_encode_end(table_of(TABLE_piece), &piece, 1, &out);
    assert_bytes(&out, STR("\x06"));
    buf_clear(&out);
    row_key_encode_end(table_of(TABLE_piece), &piece, 0, &out);
    assert_bytes(&out, STR("\x06"));
    buf_clear(&out);
    struct setting_row setting = {.name = STR("x")};
    row_key_encode_end(table_of(TABLE_setting), &setting, 1, &out);
    assert_bytes(&out, STR("\x0ex\0"));
}

static void values_are_encoded_as_documented(void **state)
{
    (void)state;
    BUF_SCOPED struct buf out;
    buf_init(&out, BUF_MAX);
    /* Columns after the key: id 0, created_ms 1, owner 2, ... lock_years 8. */
    struct bucket_row bucket = {
        .name = STR("photos"), .id = 300, .owner = STR("me"), .lock_years = 1};
    row_value_encode(table_of(TABLE_bucket), &bucket, &out);
    assert_bytes(&out, STR("\x85\x02\xac\x02\x02me\x01"));
    buf_clear(&out);
    row_value_encode(table_of(TABLE_bucket), &(struct bucket_row){0}, &out);
    assert_bytes(&out, STR("\0"));
}

static void descriptions_match_the_list(void **state)
{
    (void)state;
    const struct table *version = table_of(TABLE_version);
    assert_string_equal(version->name, "version");
    assert_int_equal(version->key_count, 3);
    assert_true(version->has_blob);
    assert_int_equal(version->column[2].type, COLUMN_U64_DESC);
    assert_int_equal(version->column[version->column_count - 1].type, COLUMN_BLOB);
    struct version_row row;
    assert_ptr_equal(row_blob(version, &row), &row.body);
    assert_null(row_blob(table_of(TABLE_bucket), &row));
#define SEEN(number, table)                                                                        \
    assert_int_equal(table_of(TABLE_##table)->id, number);                                         \
    assert_string_equal(table_of(TABLE_##table)->name, #table);                                    \
    assert_int_equal(table_of(TABLE_##table)->row_size, sizeof(struct table##_row));
    TABLES(SEEN)
}

/* ---- Properties, over random rows of every table ---- */

/* Short strings over few bytes, so that equal fronts and zeroes are common. */
static str random_str(uint64_t *seed, struct arena *arena)
{
    static const char alphabet[] = {0, 1, 'a', 'b', (char)0xFE, (char)0xFF};
    size_t len = next_random(seed) % 6;
    char *text = arena_alloc(arena, len);
    for (size_t i = 0; i < len; i++)
        text[i] = alphabet[next_random(seed) % sizeof(alphabet)];
    return str_of(text, len);
}

static uint64_t random_number(uint64_t *seed)
{
    uint64_t value = next_random(seed);
    return value % 3 == 0 ? value >> (value % 64) : value % 3;
}

static void random_row(const struct table *table, uint64_t *seed, struct arena *arena, void *row)
{
    memset(row, 0, table->row_size);
    for (size_t i = 0; i < table->column_count; i++) {
        void *at = (char *)row + table->column[i].offset;
        if (table->column[i].type == COLUMN_STR)
            *(str *)at = random_str(seed, arena);
        else if (table->column[i].type != COLUMN_BLOB)
            *(uint64_t *)at = random_number(seed);
    }
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_column(const struct column *column, const void *a, const void *b)
{
    const void *x = (const char *)a + column->offset, *y = (const char *)b + column->offset;
    switch (column->type) {
    case COLUMN_STR:
        return str_cmp(*(const str *)x, *(const str *)y);
    case COLUMN_U64:
        return compare_numbers(*(const uint64_t *)x, *(const uint64_t *)y);
    case COLUMN_U64_DESC:
        return compare_numbers(*(const uint64_t *)y, *(const uint64_t *)x);
    case COLUMN_BLOB:
        break;
    }
    return 0;
}

/* The order of two rows in their first `count` columns. */
static int compare_rows(const struct table *table, const void *a, const void *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int order = compare_column(&table->column[i], a, b);
        if (order != 0)
            return order < 0 ? -1 : 1;
    }
    return 0;
}

static int sign(int n)
{
    return n < 0 ? -1 : n > 0;
}

enum { ROW_BYTES_MAX = 2048, ROUNDS = 4000 };

static void check_pair(const struct table *table, const void *a, const void *b)
{
    BUF_SCOPED struct buf x, y;
    buf_init(&x, BUF_MAX);
    buf_init(&y, BUF_MAX);
    row_key_encode(table, a, &x);
    row_key_encode(table, b, &y);
    assert_int_equal(sign(str_cmp(buf_str(&x), buf_str(&y))),
                     compare_rows(table, a, b, table->key_count));
    for (size_t count = 0; count <= table->key_count; count++) {
        bool agree = compare_rows(table, a, b, count) == 0;
        buf_clear(&y);
        row_key_encode_prefix(table, b, count, &y);
        bool is_from = str_cmp(buf_str(&x), buf_str(&y)) >= 0;
        buf_clear(&y);
        row_key_encode_end(table, b, count, &y);
        bool is_below_end = str_cmp(buf_str(&x), buf_str(&y)) < 0;
        assert_int_equal(agree, is_from && is_below_end);
    }
}

static void order_of_keys_is_order_of_rows(void **state)
{
    (void)state;
    struct arena *arena = arena_new(BUF_MAX);
    uint64_t seed = 42;
    for (size_t i = 0; i < ROUNDS; i++) {
        const struct table *table = table_of((enum table_id)(1 + i % (TABLE_ID_END - 1)));
        _Alignas(max_align_t) char a[ROW_BYTES_MAX], b[ROW_BYTES_MAX];
        assert_true(table->row_size <= ROW_BYTES_MAX);
        random_row(table, &seed, arena, a);
        random_row(table, &seed, arena, b);
        check_pair(table, a, b);
        check_pair(table, a, a);
        arena_reset(arena);
    }
    arena_free(arena);
}

static void rows_come_back(void **state)
{
    (void)state;
    struct arena *arena = arena_new(BUF_MAX);
    BUF_SCOPED struct buf key, value;
    buf_init(&key, BUF_MAX);
    buf_init(&value, BUF_MAX);
    uint64_t seed = 43;
    for (size_t i = 0; i < ROUNDS; i++) {
        const struct table *table = table_of((enum table_id)(1 + i % (TABLE_ID_END - 1)));
        _Alignas(max_align_t) char a[ROW_BYTES_MAX], b[ROW_BYTES_MAX];
        random_row(table, &seed, arena, a);
        memset(b, 0x5A, sizeof(b));
        buf_clear(&key);
        buf_clear(&value);
        row_key_encode(table, a, &key);
        row_value_encode(table, a, &value);
        assert_err(row_key_decode(table, buf_str(&key), arena, b), OK);
        assert_err(row_value_decode(table, buf_str(&value), b), OK);
        assert_int_equal(compare_rows(table, a, b, table->column_count), 0);
        if (table->has_blob)
            assert_int_equal(row_blob(table, b)->length, 0);
        arena_reset(arena);
    }
    arena_free(arena);
}

/* A column that is new in this version reads as empty in a row of an older one; the other way round is damage. */
static void shorter_rows_are_older_ones(void **state)
{
    (void)state;
    struct usage_row row;
    memset(&row, 0xEE, sizeof(row));
    assert_err(row_value_decode(table_of(TABLE_usage), STR("\x01\x07"), &row), OK);
    assert_int_equal(row.object_count, 7);
    assert_int_equal(row.upload_count, 0);
}

/* ---- Damage ---- */

static void damaged_values_are_refused(void **state)
{
    (void)state;
    static const str cases[] = {
        STR_INIT(""),                                             /* nothing */
        STR_INIT("\x01"),                                         /* the column is missing */
        STR_INIT("\x01\x80"),                                     /* its number is cut */
        STR_INIT("\x01\x00"),                                     /* present but zero */
        STR_INIT("\x01\x81\x00"),                                 /* not the shortest form */
        STR_INIT("\x01\x05\x05"),                                 /* more bytes than columns */
        STR_INIT("\x20\x01"),                                     /* a column that does not exist */
        STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), /* no number at all */
    };
    struct usage_row row;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_err(row_value_decode(table_of(TABLE_usage), cases[i], &row), ERR_CORRUPT);
    static const str strings[] = {
        STR_INIT("\x01"),
        STR_INIT("\x01\x03"
                 "ab"),
        STR_INIT("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                 "ab"),
        STR_INIT("\x01\x00"),
    };
    struct setting_row setting;
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
        assert_err(row_value_decode(table_of(TABLE_setting), strings[i], &setting), ERR_CORRUPT);
}

static void damaged_keys_are_refused(void **state)
{
    (void)state;
    static const str cases[] = {
        STR_INIT(""),
        STR_INIT("\x03"),
        STR_INIT("\x02\0\0\0\0\0\0\0\x01k\0\x01\0\0\0\0\0\0\0\0"),       /* another table */
        STR_INIT("\x03\0\0\0\0\0\0\0"),                                  /* a cut number */
        STR_INIT("\x03\0\0\0\0\0\0\0\x01k"),                             /* a string without end */
        STR_INIT("\x03\0\0\0\0\0\0\0\x01k\0"),                           /* half an escape */
        STR_INIT("\x03\0\0\0\0\0\0\0\x01k\0\x02\0\x01\0\0\0\0\0\0\0\0"), /* no such escape */
        STR_INIT("\x03\0\0\0\0\0\0\0\x01k\0\x01\0\0\0\0\0\0\0"),         /* the last is cut */
        STR_INIT("\x03\0\0\0\0\0\0\0\x01k\0\x01\0\0\0\0\0\0\0\0\0"),     /* and too long */
    };
    struct arena *arena = arena_new(BUF_MAX);
    struct version_row row;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_err(row_key_decode(table_of(TABLE_version), cases[i], arena, &row), ERR_CORRUPT);
    arena_free(arena);
}

/* Any bytes decode to a row that encodes to the same bytes, or are refused; none crash. */
static void random_bytes_are_refused_or_canonical(void **state)
{
    (void)state;
    struct arena *arena = arena_new(BUF_MAX);
    BUF_SCOPED struct buf out;
    buf_init(&out, BUF_MAX);
    uint64_t seed = 44;
    size_t accepted = 0;
    for (size_t i = 0; i < 20 * ROUNDS; i++) {
        const struct table *table = table_of((enum table_id)(1 + i % (TABLE_ID_END - 1)));
        _Alignas(max_align_t) char row[ROW_BYTES_MAX] = {0};
        char *bytes = arena_alloc(arena, 12);
        size_t len = next_random(&seed) % 12;
        for (size_t j = 0; j < len; j++)
            bytes[j] = (char)(next_random(&seed) % 5);
        if (row_value_decode(table, str_of(bytes, len), row) == OK) {
            buf_clear(&out);
            row_value_encode(table, row, &out);
            assert_bytes(&out, str_of(bytes, len));
            accepted++;
        }
        if (len)
            bytes[0] = (char)table->id;
        if (row_key_decode(table, str_of(bytes, len), arena, row) == OK) {
            buf_clear(&out);
            row_key_encode(table, row, &out);
            assert_bytes(&out, str_of(bytes, len));
            accepted++;
        }
        arena_reset(arena);
    }
    assert_true(accepted > 100);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_encoded_as_documented),
        cmocka_unit_test(ends_are_just_above_all_that_agree),
        cmocka_unit_test(values_are_encoded_as_documented),
        cmocka_unit_test(descriptions_match_the_list),
        cmocka_unit_test(order_of_keys_is_order_of_rows),
        cmocka_unit_test(rows_come_back),
        cmocka_unit_test(shorter_rows_are_older_ones),
        cmocka_unit_test(damaged_values_are_refused),
        cmocka_unit_test(damaged_keys_are_refused),
        cmocka_unit_test(random_bytes_are_refused_or_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
