/* Extents: sizes around blocks, ranges, several writers, giving up, dropping, damage. */
#include "support.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { ALIGNMENT = 4096 };

/* The bytes of an extent as fill(seed) makes them, aligned as writers want them. */
static char *make_bytes(size_t len, uint64_t seed)
{
    char *bytes = mem_alloc_aligned(ALIGNMENT, len);
    fill(bytes, len, seed);
    return bytes;
}

static struct extent_writer *begin_extent(struct subject *subject, uint64_t size_hint)
{
    struct extent_writer *writer = NULL;
    assert_ok(extent_begin(subject->engine, size_hint, &writer));
    assert_non_null(writer);
    return writer;
}

/* Writes len bytes in pieces of `step` (a multiple of the block size; 0: all at once) and seals. */
static struct extent_row store_extent(struct subject *subject, const char *bytes, size_t len,
                                      size_t step)
{
    struct extent_writer *writer = begin_extent(subject, step ? 0 : len);
    if (step == 0)
        step = len;
    for (size_t at = 0; at < len; at += step)
        assert_ok(extent_write(writer, bytes + at, len - at < step ? len - at : step, at));
    struct extent_row row = {.id = 77};
    assert_ok(extent_seal(writer, len, subject->arena, &row));
    return row;
}

static struct extent_reader *open_extent(struct subject *subject, const struct extent_row *row)
{
    struct extent_reader *reader = NULL;
    assert_ok(extent_open(subject->engine, row, VIEW_WAIT, &reader));
    assert_non_null(reader);
    return reader;
}

/* Reads [offset, length) with a buffer of `room` and compares. */
static void expect_bytes_from(struct extent_reader *reader, const char *bytes, size_t length,
                              size_t offset, size_t room)
{
    char *dst = mem_alloc_aligned(ALIGNMENT, room);
    while (offset < length) {
        str data = {0};
        assert_ok(extent_read(reader, offset, dst, room, VIEW_WAIT, &data));
        assert_true(data.len > 0 && data.len <= length - offset);
        assert_true(data.ptr >= dst && data.ptr + data.len <= dst + room);
        assert_memory_equal(data.ptr, bytes + offset, data.len);
        offset += data.len;
    }
    mem_free(dst);
}

static void sizes_around_blocks(void **state)
{
    struct subject *subject = *state;
    size_t block = extent_block_size(subject->engine);
    const size_t sizes[] = {1,         511,           4095,      4096,         4097,
                            block - 1, block,         block + 1, 2 * block,    2 * block + 4096,
                            3 * block, 5 * block + 7, 8 * block, 8 * block + 1};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t len = sizes[i];
        char *bytes = make_bytes(len, i);
        struct extent_row row = store_extent(subject, bytes, len, i % 2 ? block : 0);
        assert_int_equal(row.length, len);
        assert_int_equal(row.block_size, block);
        assert_int_equal(row.block_crcs.len, (len + block - 1) / block * 4);
        assert_true(row.created_ms > 1600000000000);
        struct extent_reader *reader = open_extent(subject, &row);
        const size_t offsets[] = {0, 1, 4095, block - 1, block, block + 1, len / 2, len - 1};
        for (size_t j = 0; j < sizeof(offsets) / sizeof(offsets[0]); j++)
            expect_bytes_from(reader, bytes, len, offsets[j], j % 2 ? 2 * block : 3 * block + 512);
        extent_close(reader);
        mem_free(bytes);
    }
}

static void empty_extent_may_be_sealed(void **state)
{
    struct subject *subject = *state;
    struct extent_row row = store_extent(subject, NULL, 0, 0);
    assert_int_equal(row.length, 0);
    assert_int_equal(row.block_crcs.len, 0);
    extent_close(open_extent(subject, &row));
    extent_close(NULL);
}

struct piece_writer {
    struct extent_writer *writer;
    const char *bytes;
    size_t len, block, first;
};

enum { PIECE_WRITERS = 4 };

static void *write_every_fourth(void *context)
{
    struct piece_writer *piece = context;
    size_t count = (piece->len + piece->block - 1) / piece->block;
    /* From the end to the front, so that nothing comes in order. */
    for (size_t i = count; i-- > 0;) {
        if (i % PIECE_WRITERS != piece->first)
            continue;
        size_t at = i * piece->block;
        size_t len = piece->len - at < piece->block ? piece->len - at : piece->block;
        if (extent_write(piece->writer, piece->bytes + at, len, at) != OK)
            abort();
    }
    return NULL;
}

static void several_threads_write_one_extent(void **state)
{
    struct subject *subject = *state;
    size_t block = extent_block_size(subject->engine), len = 33 * block + 1000;
    char *bytes = make_bytes(len, 3);
    struct extent_writer *writer = begin_extent(subject, len);
    struct piece_writer piece[PIECE_WRITERS];
    pthread_t thread[PIECE_WRITERS];
    for (size_t i = 0; i < PIECE_WRITERS; i++) {
        piece[i] = (struct piece_writer){writer, bytes, len, block, i};
        assert_int_equal(pthread_create(&thread[i], NULL, write_every_fourth, &piece[i]), 0);
    }
    for (size_t i = 0; i < PIECE_WRITERS; i++)
        pthread_join(thread[i], NULL);
    struct extent_row row;
    assert_ok(extent_seal(writer, len, subject->arena, &row));
    struct extent_reader *reader = open_extent(subject, &row);
    expect_bytes_from(reader, bytes, len, 0, 4 * block);
    extent_close(reader);
    mem_free(bytes);
}

/* What is written of three blocks, and the length that is claimed. */
static void incomplete_extents_are_refused(void **state)
{
    struct subject *subject = *state;
    size_t block = extent_block_size(subject->engine);
    char *bytes = make_bytes(3 * block, 1);
    struct {
        bool first, second;
        size_t last_len, length;
    } cases[] = {
        {true, false, block, 3 * block},    {false, true, block, 3 * block},
        {true, true, block, 3 * block + 1}, {true, true, block, 4 * block},
        {true, true, block, 2 * block},     {true, true, block, 3 * block - 1},
        {true, true, 100, 2 * block + 101}, {true, true, 100, 2 * block + 99},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct extent_writer *writer = begin_extent(subject, 0);
        if (cases[i].first)
            assert_ok(extent_write(writer, bytes, block, 0));
        if (cases[i].second)
            assert_ok(extent_write(writer, bytes + block, block, block));
        assert_ok(extent_write(writer, bytes + 2 * block, cases[i].last_len, 2 * block));
        struct extent_row row = {.id = 99};
        assert_err(extent_seal(writer, cases[i].length, subject->arena, &row), ERR_BAD_INPUT);
        assert_int_equal(row.id, 99);
    }
    mem_free(bytes);
}

static void given_up_extents_are_fine(void **state)
{
    struct subject *subject = *state;
    size_t block = extent_block_size(subject->engine);
    char *bytes = make_bytes(block, 1);
    extent_abort(begin_extent(subject, 0));
    extent_abort(begin_extent(subject, 10 * block));
    struct extent_writer *writer = begin_extent(subject, 10 * block);
    assert_ok(extent_write(writer, bytes, block, 0));
    extent_abort(writer);
    extent_abort(NULL);
    mem_free(bytes);
}

static void dropped_extent_is_gone_but_for_its_readers(void **state)
{
    struct subject *subject = *state;
    size_t block = extent_block_size(subject->engine), len = 3 * block + 5;
    char *bytes = make_bytes(len, 8);
    struct extent_row row = store_extent(subject, bytes, len, 0);
    struct extent_reader *reader = open_extent(subject, &row);
    expect_bytes_from(reader, bytes, len, 0, 2 * block);
    assert_ok(extent_drop(subject->engine, row.id));
    expect_bytes_from(reader, bytes, len, 7, 2 * block);
    struct extent_reader *late;
    assert_err(extent_open(subject->engine, &row, VIEW_WAIT, &late), ERR_NOT_FOUND);
    assert_ok(extent_drop(subject->engine, row.id));
    extent_close(reader);
    mem_free(bytes);
}

static void damaged_block_is_never_given_out(void **state)
{
    struct subject *subject = *state;
    size_t block = extent_block_size(subject->engine), len = 4 * block + 10;
    char *bytes = make_bytes(len, 5), *dst = mem_alloc_aligned(ALIGNMENT, 2 * block);
    const size_t places[] = {0, block - 1, 2 * block + 77, 4 * block, len - 1};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct extent_row row = store_extent(subject, bytes, len, 0);
        subject_kind->damage_extent(subject, row.id, places[i]);
        struct extent_reader *reader = open_extent(subject, &row);
        size_t damaged = places[i] / block;
        for (size_t at = 0; at < 5; at++) {
            str data;
            enum err err = extent_read(reader, at * block, dst, 2 * block, VIEW_WAIT, &data);
            /* A read takes two blocks, so it also fails one block ahead of the damage. */
            bool is_hit = damaged == at || damaged == at + 1;
            assert_err(err, is_hit ? ERR_CORRUPT : OK);
        }
        extent_close(reader);
    }
    mem_free(dst);
    mem_free(bytes);
}

static void contradictory_rows_are_damage(void **state)
{
    struct subject *subject = *state;
    size_t block = extent_block_size(subject->engine);
    char *bytes = make_bytes(2 * block, 5), *dst = mem_alloc_aligned(ALIGNMENT, 2 * block);
    struct extent_row good = store_extent(subject, bytes, 2 * block, 0);
    struct extent_reader *reader;
    struct extent_row row = good;
    row.block_crcs.len = 4;
    assert_err(extent_open(subject->engine, &row, VIEW_WAIT, &reader), ERR_CORRUPT);
    row = good;
    row.block_size = 0;
    assert_err(extent_open(subject->engine, &row, VIEW_WAIT, &reader), ERR_CORRUPT);
    row = good;
    row.length++;
    assert_err(extent_open(subject->engine, &row, VIEW_WAIT, &reader), ERR_CORRUPT);
    /* Shorter by one byte within the last block: seen when that block is read, at the latest. */
    row = good;
    row.length--;
    enum err err = extent_open(subject->engine, &row, VIEW_WAIT, &reader);
    if (err == OK) {
        str data;
        err = extent_read(reader, block, dst, 2 * block, VIEW_WAIT, &data);
        extent_close(reader);
    }
    assert_err(err, ERR_CORRUPT);
    mem_free(dst);
    mem_free(bytes);
}

static void span_leads_to_the_same_bytes(void **state)
{
    struct subject *subject = *state;
    size_t block = extent_block_size(subject->engine), len = 2 * block + 100;
    char *bytes = make_bytes(len, 6), *dst = mem_alloc(len);
    struct extent_row row = store_extent(subject, bytes, len, 0);
    struct extent_reader *reader = open_extent(subject, &row);
    int fd = -1;
    uint64_t file_offset = 0;
    enum err err = extent_span(reader, block + 9, &fd, &file_offset);
    if (err != ERR_NOT_IMPLEMENTED) {
        assert_ok(err);
        ssize_t got = pread(fd, dst, len - block - 9, (off_t)file_offset);
        assert_int_equal(got, len - block - 9);
        assert_memory_equal(dst, bytes + block + 9, len - block - 9);
    }
    extent_close(reader);
    mem_free(dst);
    mem_free(bytes);
}

static void nowait_reads_answer_alike_or_not_at_all(void **state)
{
    struct subject *subject = *state;
    size_t block = extent_block_size(subject->engine), len = 2 * block;
    char *bytes = make_bytes(len, 6), *dst = mem_alloc_aligned(ALIGNMENT, len);
    struct extent_row row = store_extent(subject, bytes, len, 0);
    struct extent_reader *reader;
    enum err err = extent_open(subject->engine, &row, VIEW_NOWAIT, &reader);
    if (err != ERR_WOULD_BLOCK) {
        assert_ok(err);
        str data;
        err = extent_read(reader, 10, dst, len, VIEW_NOWAIT, &data);
        if (err != ERR_WOULD_BLOCK) {
            assert_ok(err);
            assert_memory_equal(data.ptr, bytes + 10, data.len);
        }
        extent_close(reader);
    }
    mem_free(dst);
    mem_free(bytes);
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void ids_are_never_used_twice(void **state)
{
    struct subject *subject = *state;
    enum { COUNT = 200 };
    char *bytes = make_bytes(1, 1);
    uint64_t id[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        id[i] = store_extent(subject, bytes, 1, 0).id;
        if (i % 2)
            assert_ok(extent_drop(subject->engine, id[i]));
        assert_true(id[i] != 0);
    }
    qsort(id, COUNT, sizeof(id[0]), compare_ids);
    for (size_t i = 1; i < COUNT; i++)
        assert_true(id[i] != id[i - 1]);
    mem_free(bytes);
}

static enum err see_none(void *context, uint64_t id)
{
    (void)context, (void)id;
    return ERR_INTERNAL;
}

static void extents_of_this_run_are_not_listed(void **state)
{
    struct subject *subject = *state;
    char *bytes = make_bytes(1, 1);
    (void)store_extent(subject, bytes, 1, 0);
    assert_ok(extent_each(subject->engine, see_none, NULL));
    mem_free(bytes);
}

int conform_extents(void)
{
    const struct CMUnitTest tests[] = {
        CONFORM(sizes_around_blocks),
        CONFORM(empty_extent_may_be_sealed),
        CONFORM(several_threads_write_one_extent),
        CONFORM(incomplete_extents_are_refused),
        CONFORM(given_up_extents_are_fine),
        CONFORM(dropped_extent_is_gone_but_for_its_readers),
        CONFORM(damaged_block_is_never_given_out),
        CONFORM(contradictory_rows_are_damage),
        CONFORM(span_leads_to_the_same_bytes),
        CONFORM(nowait_reads_answer_alike_or_not_at_all),
        CONFORM(ids_are_never_used_twice),
        CONFORM(extents_of_this_run_are_not_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
