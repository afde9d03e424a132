/* Any bytes as the key and as the columns of a row of any table. What is accepted encodes to the same bytes: a row has one
 * form. The first byte chooses the table, the second where the key ends. */
#include "fuzz.h"

#include "base/buf.h"
#include "store/rows.h"

enum { ROW_BYTES_MAX = 2048 };

static void check_key(const struct table *table, str key, struct arena *arena, void *row)
{
    if (row_key_decode(table, key, arena, row) != OK)
        return;
    BUF_SCOPED struct buf again, end;
    buf_init(&again, SIZE_MAX);
    buf_init(&end, SIZE_MAX);
    row_key_encode(table, row, &again);
    FUZZ_CHECK(str_eq(buf_str(&again), key));
    for (size_t count = 0; count <= table->key_count; count++) {
        buf_clear(&again);
        buf_clear(&end);
        row_key_encode_prefix(table, row, count, &again);
        row_key_encode_end(table, row, count, &end);
        FUZZ_CHECK(str_cmp(buf_str(&again), key) <= 0 && str_cmp(key, buf_str(&end)) < 0);
    }
}

static void check_value(const struct table *table, str value, void *row)
{
    if (row_value_decode(table, value, row) != OK)
        return;
    BUF_SCOPED struct buf again;
    buf_init(&again, SIZE_MAX);
    row_value_encode(table, row, &again);
    FUZZ_CHECK(str_eq(buf_str(&again), value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const struct table *table = table_of((enum table_id)(1 + data[0] % (TABLE_ID_END - 1)));
    str rest = str_skip(fuzz_input(data, size), 2);
    size_t key_len = data[1] < rest.len ? data[1] : rest.len;
    _Alignas(max_align_t) char row[ROW_BYTES_MAX] = {0};
    struct arena *arena = arena_new(1 << 20);
    check_key(table, str_slice(rest, 0, key_len), arena, row);
    check_value(table, str_skip(rest, key_len), row);
    arena_free(arena);
    return 0;
}
