/* Lengths that stand on the disk are not believed either: before room is made for one, it is compared with what may be. Whatever was
 * written there, the answer is damage, not the end of the process for want of memory. */
#include "local_support.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "store/blocks.h"
#include "store/local/entry.h"
#include "store/local/record.h"
#include "store/local/segment.h"

/* ---- Entries of the index ---- */

static void lengths_of_bodies_in_the_index(void **state)
{
    (void)state;
    static const struct {
        uint64_t offset, length, blob_length;
        bool is_right;
    } cases[] = {
        {4096, 100, 50, true},
        {4096, ROW_BLOB_MAX + 100, ROW_BLOB_MAX, true},
        {4096, ROW_BLOB_MAX + 100, ROW_BLOB_MAX + 1, false},
        {4096, 1ull << 40, 1ull << 40, false},
        {0, UINT64_MAX, UINT64_MAX, false},
        {4096, UINT64_MAX - 1, 10, false},
        {UINT64_MAX, 1, 0, false},
        {4096, 10, 11, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        BUF_SCOPED struct buf value;
        buf_init(&value, 1000);
        struct row_entry entry = {.segment = 1,
                                  .offset = cases[i].offset,
                                  .length = cases[i].length,
                                  .blob_length = cases[i].blob_length};
        row_entry_encode(&entry, &value);
        assert_err(row_entry_decode(buf_str(&value), &entry), cases[i].is_right ? OK : ERR_CORRUPT);
    }
}

/* ---- Rows of extents ---- */

static void sizes_of_extents(void **state)
{
    (void)state;
    static const struct {
        uint64_t length, block_size, crc_bytes;
        bool is_right;
    } cases[] = {
        {100000, 128 << 10, 4, true},
        {200000, 128 << 10, 8, true},
        {200000, 128 << 10, 4, false},
        {UINT64_MAX, 128 << 10, 4, false},
        {1ull << 62, 1ull << 62, 4, false},
        {100, 0, 4, false},
        {100, 1, 400, false},
        {100, UINT64_MAX, 4, false},
    };
    static const char crcs[400];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct extent_row row = {.length = cases[i].length,
                                 .block_size = cases[i].block_size,
                                 .block_crcs = str_of(crcs, cases[i].crc_bytes)};
        assert_err(extent_row_check(&row), cases[i].is_right ? OK : ERR_CORRUPT);
    }
}

/* What a client announces is no more than a hint. */
static void absurd_hints(void **state)
{
    static const uint64_t hints[] = {1ull << 50, INT64_MAX, UINT64_MAX};
    struct engine *engine = open_store(*state);
    struct extent_writer *writer;
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
        assert_err(extent_begin(engine, hints[i], &writer), ERR_NO_SPACE);
    engine_close(engine);
}

/* ---- Records of the log ---- */

/* The last record of the first segment, given another length. */
static void set_length(const char *file, uint32_t length)
{
    enum { ROOM = 1 << 20, MAGIC = 0x43524C50, LENGTH_OFFSET = 12 };
    static char bytes[ROOM];
    int fd = open(file, O_RDWR);
    ssize_t got = pread(fd, bytes, sizeof(bytes), 0);
    off_t last = 0;
    for (off_t at = SEGMENT_HEADER_SIZE; at + 4 <= got; at += 4)
        if (get_le32(bytes + at) == MAGIC)
            last = at;
    assert_true(last > 0);
    char text[4];
    put_le32(text, length);
    assert_int_equal(pwrite(fd, text, sizeof(text), last + LENGTH_OFFSET), sizeof(text));
    close(fd);
}

static void lengths_of_records(void **state)
{
    static const uint32_t lengths[] = {2 * UPDATE_BYTES_MAX - RECORD_HEADER_SIZE,
                                       2 * UPDATE_BYTES_MAX - RECORD_HEADER_SIZE + 1, INT32_MAX,
                                       UINT32_MAX};
    char path[TEST_PATH_MAX + 16], file[TEST_PATH_MAX];
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%zu", (const char *)*state, i);
        struct engine *engine = open_store(path);
        assert_ok(put_setting(engine, "a", STR("1")));
        assert_ok(put_setting(engine, "b", STR("2")));
        engine_close(engine);
        assert_true(nth_file(file_in(path, "log"), ".log", 0, file));
        set_length(file, lengths[i]);
        /* The end of a log cannot be told from one that was torn, so it goes; the index knows better, and says so. */
        struct local_options options = {.data_dir = path, .segment_bytes = 256 << 10};
        struct fail fail = {0};
        enum err err = local_rebuild_index(&options, NULL, NULL, &fail);
        if (err != OK)
            assert_err(err, ERR_CORRUPT);
    }
}

static int setup(void **state)
{
    *state = mem_alloc(TEST_PATH_MAX);
    make_folder(*state);
    return 0;
}

static int teardown(void **state)
{
    remove_folder(*state);
    mem_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_of_bodies_in_the_index),
        cmocka_unit_test(sizes_of_extents),
        cmocka_unit_test_setup_teardown(absurd_hints, setup, teardown),
        cmocka_unit_test_setup_teardown(lengths_of_records, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
