/* Bodies that lie in rows: sizes, moves, and their life in a snapshot. */
#include "support.h"

#include "base/crc.h"

static const uint64_t sizes[] = {0, 1, 511, 4096, 128 << 10, (128 << 10) + 1, 1 << 20};
enum { SIZE_COUNT = sizeof(sizes) / sizeof(sizes[0]), SIZE_MAX_USED = 1 << 20 };

static struct object_row object_with_body(struct subject *subject, uint64_t i, uint64_t size)
{
    struct object_row row = object_named(i, STR("k"));
    char *bytes = arena_alloc(subject->arena, size);
    fill(bytes, size, i);
    row.size = size;
    row.body = (struct blob){.bytes = bytes, .length = size};
    return row;
}

/* The blob, read in this transaction, holds what fill(seed) makes. */
static void expect_blob(struct subject *subject, struct tx *tx, const struct blob *blob,
                        uint64_t size, uint64_t seed)
{
    assert_int_equal(blob->length, size);
    if (size)
        assert_null(blob->bytes);
    unsigned char *expected = arena_alloc(subject->arena, size);
    unsigned char *actual = arena_alloc(subject->arena, size + 1);
    fill(expected, size, seed);
    actual[size] = 0xA5;
    assert_ok(blob_read(tx, blob, actual));
    assert_memory_equal(actual, expected, size);
    assert_int_equal(actual[size], 0xA5);
    assert_int_equal(blob->crc32c, crc32c_update(0, expected, size));
}

static void bodies_of_all_sizes_come_back(void **state)
{
    struct subject *subject = *state;
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        struct object_row row = object_with_body(subject, i, sizes[i]);
        put_row(subject, TABLE_object, &row);
    }
    struct tx *tx = begin_view(subject);
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        struct object_row row = object_named(i, STR("k"));
        assert_ok(row_get(tx, TABLE_object, &row, subject->arena));
        assert_int_equal(row.size, sizes[i]);
        expect_blob(subject, tx, &row.body, sizes[i], i);
    }
    view_end(tx);
}

static void cursors_give_bodies_too(void **state)
{
    struct subject *subject = *state;
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        struct object_row row = object_with_body(subject, i, sizes[i]);
        put_row(subject, TABLE_object, &row);
    }
    struct tx *tx = begin_view(subject);
    struct object_row from = object_named(0, (str){0}), row;
    struct cursor *cursor;
    assert_ok(cursor_open(tx, TABLE_object, &from, 0, &cursor));
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        assert_ok(cursor_next(cursor, &row));
        expect_blob(subject, tx, &row.body, sizes[i], i);
    }
    cursor_close(cursor);
    from.bucket_id = UINT64_MAX;
    assert_ok(row_find_before(tx, TABLE_object, &from, 0, &row, subject->arena));
    expect_blob(subject, tx, &row.body, sizes[SIZE_COUNT - 1], SIZE_COUNT - 1);
    view_end(tx);
}

/* Moves bucket's object to the version table, as an overwrite in a versioned bucket does, with its body. */
static enum err move_to_version(struct tx *tx, struct subject *subject, uint64_t bucket_id)
{
    struct object_row object = object_named(bucket_id, STR("k"));
    TRY(row_get(tx, TABLE_object, &object, subject->arena));
    struct version_row version = {
        .bucket_id = bucket_id,
        .key = object.key,
        .sequence = 1,
        .size = object.size,
        .body = object.body,
    };
    TRY(row_put(tx, TABLE_version, &version));
    return row_delete(tx, TABLE_object, &object);
}

static enum err move_all(struct tx *tx, void *context)
{
    for (size_t i = 0; i < SIZE_COUNT; i++)
        TRY(move_to_version(tx, context, i));
    return OK;
}

static void expect_moved(struct subject *subject)
{
    struct tx *tx = begin_view(subject);
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        struct object_row object = object_named(i, STR("k"));
        assert_err(row_get(tx, TABLE_object, &object, subject->arena), ERR_NOT_FOUND);
        struct version_row version = {.bucket_id = i, .key = STR("k"), .sequence = 1};
        assert_ok(row_get(tx, TABLE_version, &version, subject->arena));
        assert_int_equal(version.size, sizes[i]);
        expect_blob(subject, tx, &version.body, sizes[i], i);
    }
    view_end(tx);
}

static void body_moves_to_another_table(void **state)
{
    struct subject *subject = *state;
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        struct object_row row = object_with_body(subject, i, sizes[i]);
        put_row(subject, TABLE_object, &row);
    }
    assert_ok(run_update(subject, move_all, subject));
    expect_moved(subject);
}

/* The same within one update: the body that is moved was never committed. */
static enum err put_and_move(struct tx *tx, void *context)
{
    struct subject *subject = context;
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        struct object_row row = object_with_body(subject, i, sizes[i]);
        TRY(row_put(tx, TABLE_object, &row));
        struct object_row got = object_named(i, STR("k"));
        TRY(row_get(tx, TABLE_object, &got, subject->arena));
        expect_blob(subject, tx, &got.body, sizes[i], i);
    }
    return move_all(tx, context);
}

static void body_of_the_same_update_moves(void **state)
{
    assert_ok(run_update(*state, put_and_move, *state));
    expect_moved(*state);
}

/* A row is deleted before its body is put elsewhere; the body that was read stays usable to the end of the update. */
static enum err delete_then_put_elsewhere(struct tx *tx, void *context)
{
    struct subject *subject = context;
    struct object_row object = object_named(0, STR("k"));
    TRY(row_get(tx, TABLE_object, &object, subject->arena));
    TRY(row_delete(tx, TABLE_object, &object));
    object.bucket_id = 9;
    return row_put(tx, TABLE_object, &object);
}

static void deleted_row_lends_its_body(void **state)
{
    struct subject *subject = *state;
    struct object_row row = object_with_body(subject, 0, 5000);
    put_row(subject, TABLE_object, &row);
    assert_ok(run_update(subject, delete_then_put_elsewhere, subject));
    struct tx *tx = begin_view(subject);
    struct object_row got = object_named(9, STR("k"));
    assert_ok(row_get(tx, TABLE_object, &got, subject->arena));
    expect_blob(subject, tx, &got.body, 5000, 0);
    view_end(tx);
}

static enum err change_tags(struct tx *tx, void *context)
{
    struct subject *subject = context;
    struct object_row row = object_named(3, STR("k"));
    TRY(row_get(tx, TABLE_object, &row, subject->arena));
    row.tags = STR("changed");
    return row_put(tx, TABLE_object, &row);
}

static void changed_columns_keep_the_body(void **state)
{
    struct subject *subject = *state;
    struct object_row row = object_with_body(subject, 3, 70000);
    put_row(subject, TABLE_object, &row);
    for (int i = 0; i < 3; i++)
        assert_ok(run_update(subject, change_tags, subject));
    struct tx *tx = begin_view(subject);
    struct object_row got = object_named(3, STR("k"));
    assert_ok(row_get(tx, TABLE_object, &got, subject->arena));
    assert_str(got.tags, STR("changed"));
    expect_blob(subject, tx, &got.body, 70000, 3);
    view_end(tx);
}

static enum err change_and_fail(struct tx *tx, void *context)
{
    assert_ok(change_tags(tx, context));
    assert_ok(move_to_version(tx, context, 3));
    return ERR_BUSY;
}

static void failed_move_leaves_the_body(void **state)
{
    struct subject *subject = *state;
    struct object_row row = object_with_body(subject, 3, 70000);
    put_row(subject, TABLE_object, &row);
    assert_err(run_update(subject, change_and_fail, subject), ERR_BUSY);
    struct tx *tx = begin_view(subject);
    struct object_row got = object_named(3, STR("k"));
    assert_ok(row_get(tx, TABLE_object, &got, subject->arena));
    assert_str(got.tags, (str){0});
    expect_blob(subject, tx, &got.body, 70000, 3);
    view_end(tx);
}

static void old_view_reads_the_old_body(void **state)
{
    struct subject *subject = *state;
    struct object_row row = object_with_body(subject, 1, 30000);
    put_row(subject, TABLE_object, &row);
    struct tx *old = begin_view(subject);
    struct object_row got = object_named(1, STR("k"));
    assert_ok(row_get(old, TABLE_object, &got, subject->arena));
    row = object_with_body(subject, 1, 100);
    put_row(subject, TABLE_object, &row);
    delete_row(subject, TABLE_object, &row);
    expect_blob(subject, old, &got.body, 30000, 1);
    struct object_row again = object_named(1, STR("k"));
    assert_ok(row_get(old, TABLE_object, &again, subject->arena));
    expect_blob(subject, old, &again.body, 30000, 1);
    view_end(old);
}

int conform_blobs(void)
{
    const struct CMUnitTest tests[] = {
        CONFORM(bodies_of_all_sizes_come_back), CONFORM(cursors_give_bodies_too),
        CONFORM(body_moves_to_another_table),   CONFORM(body_of_the_same_update_moves),
        CONFORM(deleted_row_lends_its_body),    CONFORM(changed_columns_keep_the_body),
        CONFORM(failed_move_leaves_the_body),   CONFORM(old_view_reads_the_old_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
