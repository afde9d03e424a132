/* What a durable engine still knows when it is opened again. */
#include "support.h"

static void rows_and_bodies_survive(void **state)
{
    struct subject *subject = *state;
    enum { COUNT = 100, BODY = 3000 };
    for (uint64_t round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < COUNT; i++) {
            char body[BODY];
            struct object_row row = object_named(round, str_of(&i, sizeof(i)));
            row.size = i;
            row.body = (struct blob){.bytes = body, .length = i % 2 ? BODY : 0};
            fill(body, BODY, i);
            put_row(subject, TABLE_object, &row);
            if (i % 5 == 0)
                delete_row(subject, TABLE_object, &row);
        }
        subject_kind->reopen(subject);
        struct tx *tx = begin_view(subject);
        for (uint64_t i = 0; i < COUNT * (round + 1); i++) {
            uint64_t n = i % COUNT;
            struct object_row row = object_named(i / COUNT, str_of(&n, sizeof(n)));
            enum err err = row_get(tx, TABLE_object, &row, subject->arena);
            assert_err(err, n % 5 == 0 ? ERR_NOT_FOUND : OK);
            if (err != OK)
                continue;
            assert_int_equal(row.size, n);
            char body[BODY] = {0}, expected[BODY];
            fill(expected, BODY, n);
            assert_ok(blob_read(tx, &row.body, body));
            assert_int_equal(row.body.length, n % 2 ? BODY : 0);
            assert_memory_equal(body, expected, row.body.length);
        }
        view_end(tx);
    }
}

struct seen_ids {
    uint64_t wanted[2];
    size_t count[2], others;
};

static enum err see(void *context, uint64_t id)
{
    struct seen_ids *seen = context;
    for (size_t i = 0; i < 2; i++)
        if (seen->wanted[i] == id) {
            seen->count[i]++;
            return OK;
        }
    seen->others++;
    return OK;
}

static uint64_t store_small(struct subject *subject, struct extent_row *out_row)
{
    char *bytes = mem_alloc_aligned(4096, 4096);
    fill(bytes, 4096, 1);
    struct extent_writer *writer;
    assert_ok(extent_begin(subject->engine, 4096, &writer));
    assert_ok(extent_write(writer, bytes, 4096, 0));
    assert_ok(extent_seal(writer, 4096, subject->arena, out_row));
    mem_free(bytes);
    return out_row->id;
}

static void extents_survive_and_are_listed(void **state)
{
    struct subject *subject = *state;
    struct extent_row row, other;
    struct seen_ids seen = {.wanted = {store_small(subject, &row), store_small(subject, &other)}};
    uint64_t dropped = store_small(subject, &other);
    assert_ok(extent_drop(subject->engine, dropped));
    /* Begun, never sealed. */
    struct extent_writer *writer;
    assert_ok(extent_begin(subject->engine, 0, &writer));
    extent_abort(writer);
    subject_kind->reopen(subject);
    (void)store_small(subject, &other);
    assert_ok(extent_each(subject->engine, see, &seen));
    assert_int_equal(seen.count[0], 1);
    assert_int_equal(seen.count[1], 1);
    assert_int_equal(seen.others, 0);
    size_t room = 2 * extent_block_size(subject->engine);
    char *dst = mem_alloc_aligned(4096, room), expected[4096];
    fill(expected, sizeof(expected), 1);
    struct extent_reader *reader;
    str data;
    assert_ok(extent_open(subject->engine, &row, VIEW_WAIT, &reader));
    assert_ok(extent_read(reader, 1, dst, room, VIEW_WAIT, &data));
    assert_str(data, str_of(expected + 1, 4095));
    extent_close(reader);
    mem_free(dst);
}

static enum err stop_at_first(void *context, uint64_t id)
{
    (void)id;
    ++*(size_t *)context;
    return ERR_CANCELLED;
}

static void listing_stops_with_the_callers_error(void **state)
{
    struct subject *subject = *state;
    struct extent_row row;
    (void)store_small(subject, &row);
    (void)store_small(subject, &row);
    subject_kind->reopen(subject);
    size_t count = 0;
    assert_err(extent_each(subject->engine, stop_at_first, &count), ERR_CANCELLED);
    assert_int_equal(count, 1);
}

int conform_reopen(void)
{
    if (!subject_kind->reopen)
        return 0;
    const struct CMUnitTest tests[] = {
        CONFORM(rows_and_bodies_survive),
        CONFORM(extents_survive_and_are_listed),
        CONFORM(listing_stops_with_the_callers_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
