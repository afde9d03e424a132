/* Cursors and row_find_before: ranges, order of awkward keys, seeks, and walking while writing. */
#include "support.h"

/* In order. Keys that are fronts of each other, and the bytes that the encoding treats specially. */
static const str awkward[] = {
    STR_INIT(""),         STR_INIT("\x00"),      STR_INIT("\x00\x00"),     STR_INIT("\x00\x01"),
    STR_INIT("\x00\xff"), STR_INIT("\x01"),      STR_INIT("\x01\x00"),     STR_INIT("a"),
    STR_INIT("a\x00"),    STR_INIT("a\x00\x01"), STR_INIT("a\x00z"),       STR_INIT("a\x00\xff"),
    STR_INIT("a\x01"),    STR_INIT("a/"),        STR_INIT("a/b"),          STR_INIT("a0"),
    STR_INIT("aa"),       STR_INIT("b"),         STR_INIT("\xfe"),         STR_INIT("\xff"),
    STR_INIT("\xff\x00"), STR_INIT("\xff\xff"),  STR_INIT("\xff\xff\xff"),
};
enum { AWKWARD_COUNT = sizeof(awkward) / sizeof(awkward[0]) };

/* Puts them in an order that is neither theirs nor its reverse. */
static enum err put_awkward(struct tx *tx, void *context)
{
    (void)context;
    for (size_t i = 0; i < AWKWARD_COUNT; i++) {
        str key = awkward[(i * 7 + 3) % AWKWARD_COUNT];
        struct object_row object = object_named(5, key);
        object.size = (i * 7 + 3) % AWKWARD_COUNT;
        TRY(row_put(tx, TABLE_object, &object));
        for (uint64_t sequence = 1; sequence <= 2; sequence++) {
            struct version_row version = {
                .bucket_id = 5, .key = key, .sequence = sequence, .size = object.size};
            TRY(row_put(tx, TABLE_version, &version));
        }
    }
    return OK;
}

/* Rows of neighbours in the order, which must never be seen. */
static enum err put_neighbours(struct tx *tx, void *context)
{
    (void)context;
    struct object_row below = object_named(4, STR("\xff\xff\xff\xff"));
    struct object_row above = object_named(6, STR(""));
    struct version_row version = {.bucket_id = 4, .key = STR("\xff\xff"), .sequence = 0};
    TRY(row_put(tx, TABLE_object, &below));
    TRY(row_put(tx, TABLE_object, &above));
    TRY(row_put(tx, TABLE_version, &version));
    version = (struct version_row){.bucket_id = 6, .sequence = UINT64_MAX};
    return row_put(tx, TABLE_version, &version);
}

static void put_all(struct subject *subject)
{
    assert_ok(run_update(subject, put_awkward, NULL));
    assert_ok(run_update(subject, put_neighbours, NULL));
}

/* The keys that the cursor still gives are awkward[first .. AWKWARD_COUNT). */
static void expect_objects(struct cursor *cursor, size_t first)
{
    struct object_row row;
    for (size_t i = first; i < AWKWARD_COUNT; i++) {
        assert_ok(cursor_next(cursor, &row));
        assert_int_equal(row.bucket_id, 5);
        assert_str(row.key, awkward[i]);
        assert_int_equal(row.size, i);
    }
    assert_err(cursor_next(cursor, &row), ERR_NOT_FOUND);
    assert_err(cursor_next(cursor, &row), ERR_NOT_FOUND);
}

static void awkward_keys_are_found_and_in_order(void **state)
{
    struct subject *subject = *state;
    put_all(subject);
    struct tx *tx = begin_view(subject);
    for (size_t i = 0; i < AWKWARD_COUNT; i++) {
        struct object_row row = object_named(5, awkward[i]);
        assert_ok(row_get(tx, TABLE_object, &row, subject->arena));
        assert_int_equal(row.size, i);
    }
    struct object_row from = object_named(5, (str){0});
    struct cursor *cursor;
    assert_ok(cursor_open(tx, TABLE_object, &from, 1, &cursor));
    expect_objects(cursor, 0);
    cursor_close(cursor);
    view_end(tx);
}

static void strings_that_are_not_last_sort_alike(void **state)
{
    struct subject *subject = *state;
    put_all(subject);
    struct tx *tx = begin_view(subject);
    struct version_row from = {.bucket_id = 5, .sequence = UINT64_MAX}, row;
    struct cursor *cursor;
    assert_ok(cursor_open(tx, TABLE_version, &from, 1, &cursor));
    for (size_t i = 0; i < 2 * AWKWARD_COUNT; i++) {
        assert_ok(cursor_next(cursor, &row));
        assert_int_equal(row.bucket_id, 5);
        assert_str(row.key, awkward[i / 2]);
        /* The newest first: the sequence sorts from large to small. */
        assert_int_equal(row.sequence, 2 - i % 2);
    }
    assert_err(cursor_next(cursor, &row), ERR_NOT_FOUND);
    cursor_close(cursor);
    view_end(tx);
}

static void cursor_starts_in_the_middle(void **state)
{
    struct subject *subject = *state;
    put_all(subject);
    struct tx *tx = begin_view(subject);
    for (size_t i = 0; i < AWKWARD_COUNT; i++) {
        struct object_row from = object_named(5, awkward[i]);
        struct cursor *cursor;
        assert_ok(cursor_open(tx, TABLE_object, &from, 1, &cursor));
        expect_objects(cursor, i);
        cursor_close(cursor);
        /* Just behind it. */
        from.key = arena_join(subject->arena, (str[]){awkward[i], STR("\0\0")}, 2);
        assert_ok(cursor_open(tx, TABLE_object, &from, 1, &cursor));
        size_t next = i + 1;
        while (next < AWKWARD_COUNT && str_cmp(awkward[next], from.key) < 0)
            next++;
        expect_objects(cursor, next);
        cursor_close(cursor);
    }
    view_end(tx);
}

static size_t count_versions(struct tx *tx, const struct version_row *from, size_t prefix_count)
{
    struct cursor *cursor;
    assert_ok(cursor_open(tx, TABLE_version, from, prefix_count, &cursor));
    size_t count = 0;
    struct version_row row;
    enum err err;
    for (; (err = cursor_next(cursor, &row)) == OK; count++)
        if (prefix_count >= 2)
            assert_str(row.key, from->key);
    assert_err(err, ERR_NOT_FOUND);
    cursor_close(cursor);
    return count;
}

static void prefix_counts_bound_the_range(void **state)
{
    struct subject *subject = *state;
    put_all(subject);
    struct tx *tx = begin_view(subject);
    struct version_row from = {.bucket_id = 0, .sequence = UINT64_MAX};
    assert_int_equal(count_versions(tx, &from, 0), 2 * AWKWARD_COUNT + 2);
    assert_int_equal(count_versions(tx, &from, 1), 0);
    from.bucket_id = 5;
    assert_int_equal(count_versions(tx, &from, 0), 2 * AWKWARD_COUNT + 1);
    assert_int_equal(count_versions(tx, &from, 1), 2 * AWKWARD_COUNT);
    for (size_t i = 0; i < AWKWARD_COUNT; i++) {
        from.key = awkward[i];
        from.sequence = UINT64_MAX;
        assert_int_equal(count_versions(tx, &from, 2), 2);
        from.sequence = 1;
        assert_int_equal(count_versions(tx, &from, 2), 1);
        assert_int_equal(count_versions(tx, &from, 3), 1);
        from.sequence = 3;
        assert_int_equal(count_versions(tx, &from, 3), 0);
        from.sequence = 0;
        assert_int_equal(count_versions(tx, &from, 2), 0);
    }
    view_end(tx);
}

/* A whole key as prefix means that one row, even where longer keys begin with it. */
static void whole_key_as_prefix_is_one_row(void **state)
{
    struct subject *subject = *state;
    put_all(subject);
    struct tx *tx = begin_view(subject);
    for (size_t i = 0; i < AWKWARD_COUNT; i++) {
        struct object_row from = object_named(5, awkward[i]), row;
        struct cursor *cursor;
        assert_ok(cursor_open(tx, TABLE_object, &from, 2, &cursor));
        assert_ok(cursor_next(cursor, &row));
        assert_str(row.key, awkward[i]);
        assert_err(cursor_next(cursor, &row), ERR_NOT_FOUND);
        cursor_close(cursor);
    }
    view_end(tx);
}

static void seek_moves_on_and_never_back(void **state)
{
    struct subject *subject = *state;
    put_all(subject);
    struct tx *tx = begin_view(subject);
    struct object_row from = object_named(5, (str){0}), row;
    struct cursor *cursor;
    assert_ok(cursor_open(tx, TABLE_object, &from, 1, &cursor));
    assert_ok(cursor_next(cursor, &row));
    from.key = awkward[7];
    assert_ok(cursor_seek(cursor, &from));
    assert_ok(cursor_next(cursor, &row));
    assert_str(row.key, awkward[7]);
    /* To where it has been: goes on behind the last row. */
    from.key = awkward[2];
    assert_ok(cursor_seek(cursor, &from));
    assert_ok(cursor_next(cursor, &row));
    assert_str(row.key, awkward[8]);
    from.key = awkward[8];
    assert_ok(cursor_seek(cursor, &from));
    assert_ok(cursor_next(cursor, &row));
    assert_str(row.key, awkward[9]);
    /* To where no row is: the next one. */
    from.key = STR("b\x01");
    assert_ok(cursor_seek(cursor, &from));
    assert_ok(cursor_next(cursor, &row));
    assert_str(row.key, STR("\xfe"));
    /* Twice without a row between them. */
    from.key = STR("\xff");
    assert_ok(cursor_seek(cursor, &from));
    from.key = STR("\xff\x00");
    assert_ok(cursor_seek(cursor, &from));
    expect_objects(cursor, AWKWARD_COUNT - 3);
    /* Behind the end, and to another prefix. */
    from.key = awkward[0];
    assert_ok(cursor_seek(cursor, &from));
    assert_err(cursor_next(cursor, &row), ERR_NOT_FOUND);
    from.bucket_id = 6;
    assert_ok(cursor_seek(cursor, &from));
    assert_err(cursor_next(cursor, &row), ERR_NOT_FOUND);
    cursor_close(cursor);
    view_end(tx);
}

static void find_before_finds_the_row_or_the_one_below(void **state)
{
    struct subject *subject = *state;
    put_all(subject);
    struct tx *tx = begin_view(subject);
    struct object_row row;
    for (size_t i = 0; i < AWKWARD_COUNT; i++) {
        struct object_row from = object_named(5, awkward[i]);
        assert_ok(row_find_before(tx, TABLE_object, &from, 1, &row, subject->arena));
        assert_str(row.key, awkward[i]);
        assert_int_equal(row.size, i);
    }
    struct object_row from = object_named(5, STR("zzz"));
    assert_ok(row_find_before(tx, TABLE_object, &from, 1, &row, subject->arena));
    assert_str(row.key, STR("b"));
    assert_err(row_find_before(tx, TABLE_object, &from, 2, &row, subject->arena), ERR_NOT_FOUND);
    from = object_named(6, (str){0});
    assert_ok(row_find_before(tx, TABLE_object, &from, 1, &row, subject->arena));
    assert_int_equal(row.bucket_id, 6);
    from = object_named(7, STR("x"));
    assert_err(row_find_before(tx, TABLE_object, &from, 1, &row, subject->arena), ERR_NOT_FOUND);
    assert_ok(row_find_before(tx, TABLE_object, &from, 0, &row, subject->arena));
    assert_int_equal(row.bucket_id, 6);
    from = object_named(1, STR("x"));
    assert_err(row_find_before(tx, TABLE_object, &from, 0, &row, subject->arena), ERR_NOT_FOUND);
    view_end(tx);
}

/* As pieces of a manifest are found: the last at or before an offset. */
static void find_before_with_numbers(void **state)
{
    struct subject *subject = *state;
    for (uint64_t offset = 0; offset < 1000; offset += 100)
        put_row(subject, TABLE_piece, &(struct piece_row){.manifest_id = 9, .offset = offset});
    struct tx *tx = begin_view(subject);
    struct {
        uint64_t offset, expected;
    } cases[] = {{0, 0},     {99, 0},    {100, 100},       {101, 100},
                 {899, 800}, {900, 900}, {UINT64_MAX, 900}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct piece_row from = {.manifest_id = 9, .offset = cases[i].offset}, row;
        assert_ok(row_find_before(tx, TABLE_piece, &from, 1, &row, subject->arena));
        assert_int_equal(row.offset, cases[i].expected);
    }
    struct piece_row from = {.manifest_id = 8, .offset = UINT64_MAX};
    assert_err(row_find_before(tx, TABLE_piece, &from, 1, &from, subject->arena), ERR_NOT_FOUND);
    view_end(tx);
}

/* The row that is searched from may be the one that is filled. */
static void find_before_in_place(void **state)
{
    struct subject *subject = *state;
    put_row(subject, TABLE_piece, &(struct piece_row){.manifest_id = 1, .offset = 5, .length = 7});
    struct tx *tx = begin_view(subject);
    struct piece_row row = {.manifest_id = 1, .offset = 6};
    assert_ok(row_find_before(tx, TABLE_piece, &row, 1, &row, subject->arena));
    assert_int_equal(row.offset, 5);
    assert_int_equal(row.length, 7);
    view_end(tx);
}

/* Rows 0..9 are there; the update changes some and walks. */
static enum err merge_and_walk(struct tx *tx, void *context)
{
    struct subject *subject = context;
    struct part_row row = {.upload_id = 1};
    for (row.number = 10; row.number < 13; row.number++)
        assert_ok(row_put(tx, TABLE_part, &row));
    row = (struct part_row){.upload_id = 1, .number = 4, .size = 44};
    assert_ok(row_put(tx, TABLE_part, &row));
    for (row.number = 5; row.number < 8; row.number++)
        assert_ok(row_delete(tx, TABLE_part, &row));
    static const uint64_t expected[] = {0, 1, 2, 3, 4, 8, 9, 10, 11, 12};
    struct part_row from = {.upload_id = 1};
    struct cursor *cursor;
    assert_ok(cursor_open(tx, TABLE_part, &from, 1, &cursor));
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_ok(cursor_next(cursor, &row));
        assert_int_equal(row.number, expected[i]);
        assert_int_equal(row.size, row.number == 4 ? 44 : 0);
    }
    assert_err(cursor_next(cursor, &row), ERR_NOT_FOUND);
    cursor_close(cursor);
    from.number = 7;
    assert_ok(row_find_before(tx, TABLE_part, &from, 1, &row, subject->arena));
    assert_int_equal(row.number, 4);
    assert_int_equal(row.size, 44);
    from.number = 100;
    assert_ok(row_find_before(tx, TABLE_part, &from, 1, &row, subject->arena));
    assert_int_equal(row.number, 12);
    return ERR_CANCELLED;
}

static void put_parts(struct subject *subject, uint64_t count)
{
    struct part_row row = {.upload_id = 1};
    for (row.number = 0; row.number < count; row.number++)
        put_row(subject, TABLE_part, &row);
}

static void cursor_of_an_update_sees_its_writes(void **state)
{
    put_parts(*state, 10);
    assert_err(run_update(*state, merge_and_walk, *state), ERR_CANCELLED);
}

/* Deletes each row it meets, and puts one ahead of the cursor and one behind it. */
static enum err delete_while_walking(struct tx *tx, void *context)
{
    size_t *count = context;
    *count = 0;
    struct part_row from = {.upload_id = 1}, row;
    struct cursor *cursor;
    assert_ok(cursor_open(tx, TABLE_part, &from, 1, &cursor));
    enum err err;
    while ((err = cursor_next(cursor, &row)) == OK) {
        assert_int_equal(row.number, *count);
        assert_ok(row_delete(tx, TABLE_part, &row));
        if (++*count == 5) {
            struct part_row extra = {.upload_id = 1, .number = 10};
            assert_ok(row_put(tx, TABLE_part, &extra));
            extra.number = 2;
            assert_ok(row_put(tx, TABLE_part, &extra));
        }
    }
    assert_err(err, ERR_NOT_FOUND);
    cursor_close(cursor);
    return OK;
}

static void update_may_change_rows_while_it_walks(void **state)
{
    struct subject *subject = *state;
    put_parts(subject, 10);
    size_t count = 0;
    assert_ok(run_update(subject, delete_while_walking, &count));
    assert_int_equal(count, 11);
    struct tx *tx = begin_view(subject);
    struct part_row from = {.upload_id = 1}, row;
    struct cursor *cursor;
    assert_ok(cursor_open(tx, TABLE_part, &from, 1, &cursor));
    assert_ok(cursor_next(cursor, &row));
    assert_int_equal(row.number, 2);
    assert_err(cursor_next(cursor, &row), ERR_NOT_FOUND);
    cursor_close(cursor);
    view_end(tx);
}

/* A NOWAIT view may always refuse; what it does answer is right. */
static void nowait_answers_alike_or_not_at_all(void **state)
{
    struct subject *subject = *state;
    put_all(subject);
    struct tx *tx;
    enum err err = view_begin(subject->engine, VIEW_NOWAIT, &tx);
    if (err == ERR_WOULD_BLOCK)
        return;
    assert_ok(err);
    for (size_t i = 0; i < AWKWARD_COUNT; i++) {
        struct object_row row = object_named(5, awkward[i]);
        err = row_get(tx, TABLE_object, &row, subject->arena);
        if (err != ERR_WOULD_BLOCK) {
            assert_ok(err);
            assert_int_equal(row.size, i);
        }
        row.key = arena_join(subject->arena, (str[]){awkward[i], STR("?")}, 2);
        err = row_get(tx, TABLE_object, &row, subject->arena);
        assert_true(err == ERR_WOULD_BLOCK || err == ERR_NOT_FOUND);
    }
    struct object_row from = object_named(5, (str){0}), row;
    struct cursor *cursor;
    assert_ok(cursor_open(tx, TABLE_object, &from, 1, &cursor));
    size_t i = 0;
    while ((err = cursor_next(cursor, &row)) == OK)
        assert_str(row.key, awkward[i++]);
    assert_true(err == ERR_WOULD_BLOCK || (err == ERR_NOT_FOUND && i == AWKWARD_COUNT));
    cursor_close(cursor);
    view_end(tx);
}

static void several_cursors_in_one_view(void **state)
{
    struct subject *subject = *state;
    put_parts(subject, 5);
    struct tx *tx = begin_view(subject);
    struct part_row from = {.upload_id = 1}, a, b;
    struct cursor *first, *second;
    assert_ok(cursor_open(tx, TABLE_part, &from, 1, &first));
    assert_ok(cursor_next(first, &a));
    assert_ok(cursor_open(tx, TABLE_part, &from, 1, &second));
    assert_ok(cursor_next(first, &a));
    assert_ok(cursor_next(second, &b));
    assert_int_equal(a.number, 1);
    assert_int_equal(b.number, 0);
    cursor_close(first);
    assert_ok(cursor_next(second, &b));
    assert_int_equal(b.number, 1);
    cursor_close(second);
    cursor_close(NULL);
    view_end(tx);
    view_end(NULL);
}

int conform_cursors(void)
{
    const struct CMUnitTest tests[] = {
        CONFORM(awkward_keys_are_found_and_in_order),
        CONFORM(strings_that_are_not_last_sort_alike),
        CONFORM(cursor_starts_in_the_middle),
        CONFORM(prefix_counts_bound_the_range),
        CONFORM(whole_key_as_prefix_is_one_row),
        CONFORM(seek_moves_on_and_never_back),
        CONFORM(find_before_finds_the_row_or_the_one_below),
        CONFORM(find_before_with_numbers),
        CONFORM(find_before_in_place),
        CONFORM(cursor_of_an_update_sees_its_writes),
        CONFORM(update_may_change_rows_while_it_walks),
        CONFORM(nowait_answers_alike_or_not_at_all),
        CONFORM(several_cursors_in_one_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
