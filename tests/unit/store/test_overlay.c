/* The overlay against a plain array, and the undoing of failed updates; entries of the index as bytes. */
#include "local_support.h"

#include <stdio.h>

#include "store/local/overlay.h"

enum { KEYS = 50, STEPS = 4000 };

static str key_text(size_t i, char dst[8])
{
    (void)snprintf(dst, 8, "%04zu", i);
    return str_of(dst, 4);
}

/* 0: no change; else the length of the change. */
struct model {
    uint64_t length[KEYS];
    bool is_known[KEYS]; /* a node was made */
};

static void check(const struct overlay *overlay, const struct model *model)
{
    size_t count = 0;
    char text[8];
    const struct overlay_node *walk = overlay_find_from(overlay, (str){0}), *below = NULL;
    for (size_t i = 0; i < KEYS; i++) {
        str key = key_text(i, text);
        assert_ptr_equal(overlay_find_below(overlay, key), below);
        const struct overlay_node *node = overlay_find(overlay, key);
        assert_int_equal(node != NULL, model->is_known[i]);
        assert_ptr_equal(overlay_find_from(overlay, key), walk);
        if (!node)
            continue;
        assert_ptr_equal(node, walk);
        assert_int_equal(node->change ? node->change->entry.length : 0, model->length[i]);
        below = node;
        walk = overlay_next(walk);
        count++;
    }
    assert_null(walk);
    assert_int_equal(overlay_count(overlay), count);
}

static void behaves_like_an_array(void **state)
{
    (void)state;
    struct overlay *overlay = overlay_new();
    struct model model = {0}, marked = {0};
    size_t mark = 0;
    uint64_t random = 5;
    for (size_t i = 0; i < STEPS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t key = random >> 33 & 0xFFFF, what = key % 16;
        char text[8];
        key = key / 16 % KEYS;
        if (what < 10) {
            struct overlay_node *node = overlay_make(overlay, key_text(key, text));
            struct overlay_change change = {.kind = CHANGE_PUT, .entry = {.length = i + 1}};
            model.is_known[key] = marked.is_known[key] = true;
            if (what > 0) {
                overlay_set(overlay, node, &change);
                model.length[key] = i + 1;
            }
        } else if (what < 13) {
            mark = overlay_mark(overlay);
            memcpy(marked.length, model.length, sizeof(model.length));
        } else if (what < 15) {
            overlay_undo(overlay, mark);
            memcpy(model.length, marked.length, sizeof(model.length));
        } else if (i % 7 == 0) {
            overlay_clear(overlay);
            mark = 0;
            memset(&model, 0, sizeof(model));
            memset(&marked, 0, sizeof(marked));
        }
        check(overlay, &model);
    }
    overlay_free(overlay);
}

static void columns_and_keys_are_copied(void **state)
{
    (void)state;
    struct overlay *overlay = overlay_new();
    char key[] = "key", columns[] = "columns";
    struct overlay_node *node = overlay_make(overlay, str_from(key));
    overlay_set(overlay, node, &(struct overlay_change){.entry = {.columns = str_from(columns)}});
    memset(key, 'x', 3);
    memset(columns, 'x', 7);
    assert_true(str_eq(node->key, STR("key")));
    assert_true(str_eq(node->change->entry.columns, STR("columns")));
    overlay_free(overlay);
}

/* ---- Entries ---- */

static void row_entries_come_back(void **state)
{
    (void)state;
    static const struct row_entry cases[] = {
        {.segment = 1, .offset = 4096 + 56, .length = 20, .columns = STR_INIT("\x00")},
        {.segment = UINT64_MAX, .offset = UINT64_MAX - 10, .length = 10, .columns = STR_INIT("")},
        {.segment = 300,
         .offset = 1 << 20,
         .length = 5000,
         .blob_length = 4096,
         .blob_crc32c = 0xFFFFFFFF,
         .columns = STR_INIT("columns")},
        {.segment = 2, .offset = 5, .length = 7, .blob_length = 7, .columns = STR_INIT("")},
    };
    BUF_SCOPED struct buf bytes;
    buf_init(&bytes, 1 << 16);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct row_entry got;
        buf_clear(&bytes);
        row_entry_encode(&cases[i], &bytes);
        assert_ok(row_entry_decode(buf_str(&bytes), &got));
        assert_true(got.segment == cases[i].segment && got.offset == cases[i].offset);
        assert_int_equal(got.length, cases[i].length);
        assert_int_equal(got.blob_length, cases[i].blob_length);
        assert_int_equal(got.blob_crc32c, cases[i].blob_crc32c);
        assert_true(str_eq(got.columns, cases[i].columns));
        assert_true(row_entry_blob_offset(&got) == got.offset + got.length - got.blob_length);
    }
}

static void damaged_row_entries_are_refused(void **state)
{
    (void)state;
    static const str cases[] = {
        STR_INIT(""),
        STR_INIT("\x01\x01\x01"),
        STR_INIT("\x00\x01\x01\x00"),         /* segment 0 */
        STR_INIT("\x01\x01\x05\x06\1\1\1\1"), /* a blob longer than its change */
        STR_INIT("\x01\x01\x05\x05\1\1\1"),   /* half a checksum */
        STR_INIT("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01\x00"), /* beyond all numbers */
    };
    struct row_entry got;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_err(row_entry_decode(cases[i], &got), ERR_CORRUPT);
}

static void positions_and_figures_come_back(void **state)
{
    (void)state;
    BUF_SCOPED struct buf bytes;
    buf_init(&bytes, 1 << 16);
    struct log_position position = {3, 4096, 77, 0x12345678}, got = {0};
    position_encode(&position, &bytes);
    assert_ok(position_decode(buf_str(&bytes), &got));
    assert_memory_equal(&got.segment, &position.segment, 3 * sizeof(uint64_t));
    assert_int_equal(got.chain, position.chain);
    assert_err(position_decode(str_slice(buf_str(&bytes), 0, bytes.len - 1), &got), ERR_CORRUPT);
    buf_append_char(&bytes, 'x');
    assert_err(position_decode(buf_str(&bytes), &got), ERR_CORRUPT);
    buf_clear(&bytes);
    struct log_figures figures = {.size = 1 << 20, .live_bytes = 300, .tombstone_bytes = 0}, seen;
    figures_encode(&figures, &bytes);
    assert_ok(figures_decode(buf_str(&bytes), &seen));
    assert_int_equal(seen.size, figures.size);
    assert_int_equal(seen.live_bytes, 300);
    assert_int_equal(seen.tombstone_bytes, 0);
    assert_err(figures_decode(STR("\x01\x01"), &seen), ERR_CORRUPT);
    assert_err(figures_decode(STR("\x01\x01\x01\x01"), &seen), ERR_CORRUPT);
    char key[ENTRY_KEY_MAX];
    uint64_t id;
    assert_ok(segment_key_decode(segment_key(0x0102030405060708, key), &id));
    assert_true(id == 0x0102030405060708);
    assert_err(segment_key_decode(STR("\0\2short"), &id), ERR_CORRUPT);
    assert_err(segment_key_decode(STR("\0\3\0\0\0\0\0\0\0\1"), &id), ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behaves_like_an_array),
        cmocka_unit_test(columns_and_keys_are_copied),
        cmocka_unit_test(row_entries_come_back),
        cmocka_unit_test(damaged_row_entries_are_refused),
        cmocka_unit_test(positions_and_figures_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
