/* Rows: put, get, delete; what a transaction sees of itself; limits. */
#include "support.h"

static void absent_row_is_not_found_and_leaves_the_row_alone(void **state)
{
    struct object_row row = object_named(1, STR("nothing"));
    row.size = 42;
    row.owner = STR("kept");
    assert_err(get_row(*state, TABLE_object, &row), ERR_NOT_FOUND);
    assert_int_equal(row.size, 42);
    assert_str(row.owner, STR("kept"));
    assert_str(row.key, STR("nothing"));
}

static void all_kinds_of_columns_come_back(void **state)
{
    struct version_row put = {
        .bucket_id = UINT64_MAX,
        .key = str_of("a\0b\xff", 4),
        .sequence = 7,
        .version_id = STR("v"),
        .flags = 1,
        .size = UINT64_MAX,
        .md5 = str_of("\0\0\0\1", 4),
        .metadata = STR("pairs"),
        .tag_count = 127,
        .checksum_kind = 128,
        .null_sequence = 1,
    };
    put_row(*state, TABLE_version, &put);
    struct version_row got = {.bucket_id = UINT64_MAX, .key = put.key, .sequence = 7};
    got.owner = STR("must become empty");
    assert_ok(get_row(*state, TABLE_version, &got));
    assert_str(got.version_id, put.version_id);
    assert_str(got.md5, put.md5);
    assert_str(got.metadata, put.metadata);
    assert_str(got.owner, (str){0});
    assert_int_equal(got.flags, 1);
    assert_true(got.size == UINT64_MAX);
    assert_int_equal(got.tag_count, 127);
    assert_int_equal(got.checksum_kind, 128);
    assert_int_equal(got.null_sequence, 1);
    assert_int_equal(got.modified_ms, 0);
    assert_int_equal(got.body.length, 0);
}

static void every_table_takes_a_row_of_its_keys_alone(void **state)
{
#define EMPTY_ROW(number, table)                                                                   \
    {                                                                                              \
        struct table##_row row;                                                                    \
        memset(&row, 0, sizeof(row));                                                              \
        assert_err(get_row(*state, TABLE_##table, &row), ERR_NOT_FOUND);                           \
        put_row(*state, TABLE_##table, &row);                                                      \
        assert_ok(get_row(*state, TABLE_##table, &row));                                           \
    }
    TABLES(EMPTY_ROW)
}

static void second_put_replaces_all_columns(void **state)
{
    struct bucket_row row = {.name = STR("b"), .id = 1, .owner = STR("first"), .lock_days = 3};
    put_row(*state, TABLE_bucket, &row);
    row = (struct bucket_row){.name = STR("b"), .id = 2, .region = STR("r")};
    put_row(*state, TABLE_bucket, &row);
    struct bucket_row got = {.name = STR("b")};
    assert_ok(get_row(*state, TABLE_bucket, &got));
    assert_int_equal(got.id, 2);
    assert_int_equal(got.lock_days, 0);
    assert_str(got.owner, (str){0});
    assert_str(got.region, STR("r"));
}

static uint64_t id_in(struct subject *subject, struct tx *tx)
{
    struct bucket_row row = {.name = STR("b")};
    enum err err = row_get(tx, TABLE_bucket, &row, subject->arena);
    if (err != ERR_NOT_FOUND)
        assert_ok(err);
    return err == OK ? row.id : 0;
}

static enum err look_in_update(struct tx *tx, void *context)
{
    struct subject *subject = context;
    (void)id_in(subject, tx);
    return OK;
}

enum { STATES = 20 };

/* Each view sees its own state however often rows are read in between, by whomever: an engine may keep what is read often. */
static void rows_that_are_read_often_are_those_of_the_view(void **state)
{
    struct subject *subject = *state;
    struct tx *view[STATES];
    for (uint64_t i = 0; i < STATES; i++) {
        struct bucket_row row = {.name = STR("b"), .id = i};
        if (i % 5 == 0)
            delete_row(subject, TABLE_bucket, &row);
        else
            put_row(subject, TABLE_bucket, &row);
        view[i] = begin_view(subject);
        for (uint64_t old = i + 1; old-- > 0;)
            assert_int_equal(id_in(subject, view[old]), old % 5 ? old : 0);
        assert_ok(run_update(subject, look_in_update, subject));
        assert_int_equal(id_in(subject, view[i]), i % 5 ? i : 0);
    }
    for (uint64_t i = 0; i < STATES; i++)
        view_end(view[i]);
}

static void deleted_row_is_gone_and_deleting_again_is_fine(void **state)
{
    struct setting_row row = {.name = STR("s"), .value = STR("v")};
    delete_row(*state, TABLE_setting, &row);
    put_row(*state, TABLE_setting, &row);
    assert_ok(get_row(*state, TABLE_setting, &row));
    delete_row(*state, TABLE_setting, &row);
    assert_err(get_row(*state, TABLE_setting, &row), ERR_NOT_FOUND);
    delete_row(*state, TABLE_setting, &row);
    put_row(*state, TABLE_setting, &row);
    assert_ok(get_row(*state, TABLE_setting, &row));
}

/* The same key bytes in two tables are two rows. */
static void tables_are_apart(void **state)
{
    struct user_row user = {.name = STR("x"), .email = STR("user")};
    put_row(*state, TABLE_user, &user);
    struct setting_row setting = {.name = STR("x")};
    assert_err(get_row(*state, TABLE_setting, &setting), ERR_NOT_FOUND);
    delete_row(*state, TABLE_setting, &setting);
    assert_ok(get_row(*state, TABLE_user, &user));
}

/* Strings of the row that was put are the caller's and may change afterwards; those of a row that was read outlive the view. */
static void strings_are_copied_both_ways(void **state)
{
    struct subject *subject = *state;
    char value[] = "first";
    struct setting_row row = {.name = STR("s"), .value = str_from(value)};
    put_row(subject, TABLE_setting, &row);
    memset(value, 'x', 5);
    assert_ok(get_row(subject, TABLE_setting, &row));
    row.name = STR("s");
    put_row(subject, TABLE_setting, &(struct setting_row){.name = STR("s"), .value = STR("other")});
    assert_str(row.value, STR("first"));
}

static enum err write_and_look(struct tx *tx, void *context)
{
    struct subject *subject = context;
    struct setting_row row = {.name = STR("own"), .value = STR("1")};
    assert_err(row_get(tx, TABLE_setting, &row, subject->arena), ERR_NOT_FOUND);
    assert_ok(row_put(tx, TABLE_setting, &row));
    struct setting_row got = {.name = STR("own")};
    assert_ok(row_get(tx, TABLE_setting, &got, subject->arena));
    assert_str(got.value, STR("1"));
    row.value = STR("2");
    assert_ok(row_put(tx, TABLE_setting, &row));
    assert_ok(row_get(tx, TABLE_setting, &got, subject->arena));
    assert_str(got.value, STR("2"));
    assert_ok(row_delete(tx, TABLE_setting, &row));
    assert_err(row_get(tx, TABLE_setting, &got, subject->arena), ERR_NOT_FOUND);
    assert_err(row_find_before(tx, TABLE_setting, &row, 1, &got, subject->arena), ERR_NOT_FOUND);
    row.value = STR("3");
    assert_ok(row_put(tx, TABLE_setting, &row));
    /* A row that was there before the update is seen changed and gone, too. */
    struct setting_row old = {.name = STR("old")};
    assert_ok(row_get(tx, TABLE_setting, &old, subject->arena));
    assert_str(old.value, STR("before"));
    assert_ok(row_delete(tx, TABLE_setting, &old));
    assert_err(row_get(tx, TABLE_setting, &old, subject->arena), ERR_NOT_FOUND);
    return OK;
}

static void update_sees_its_own_writes(void **state)
{
    put_row(*state, TABLE_setting,
            &(struct setting_row){.name = STR("old"), .value = STR("before")});
    assert_ok(run_update(*state, write_and_look, *state));
    struct setting_row got = {.name = STR("own")};
    assert_ok(get_row(*state, TABLE_setting, &got));
    assert_str(got.value, STR("3"));
    got.name = STR("old");
    assert_err(get_row(*state, TABLE_setting, &got), ERR_NOT_FOUND);
}

static enum err write_and_fail(struct tx *tx, void *context)
{
    (void)context;
    assert_ok(row_put(tx, TABLE_setting, &(struct setting_row){.name = STR("new")}));
    assert_ok(row_put(tx, TABLE_setting,
                      &(struct setting_row){.name = STR("old"), .value = STR("changed")}));
    assert_ok(row_delete(tx, TABLE_setting, &(struct setting_row){.name = STR("gone")}));
    return ERR_PRECONDITION_FAILED;
}

static void failed_update_leaves_nothing(void **state)
{
    struct setting_row old = {.name = STR("old"), .value = STR("kept")};
    struct setting_row gone = {.name = STR("gone"), .value = STR("also kept")};
    put_row(*state, TABLE_setting, &old);
    put_row(*state, TABLE_setting, &gone);
    assert_err(run_update(*state, write_and_fail, NULL), ERR_PRECONDITION_FAILED);
    struct setting_row got = {.name = STR("new")};
    assert_err(get_row(*state, TABLE_setting, &got), ERR_NOT_FOUND);
    got.name = STR("old");
    assert_ok(get_row(*state, TABLE_setting, &got));
    assert_str(got.value, STR("kept"));
    got.name = STR("gone");
    assert_ok(get_row(*state, TABLE_setting, &got));
    assert_str(got.value, STR("also kept"));
}

struct put_attempt {
    enum table_id table;
    const void *row;
};

static enum err attempt_put(struct tx *tx, void *context)
{
    const struct put_attempt *attempt = context;
    return row_put(tx, attempt->table, attempt->row);
}

static void limits_of_a_row(void **state)
{
    struct subject *subject = *state;
    char *big = arena_zalloc(subject->arena, ROW_BLOB_MAX + 1);
    struct {
        size_t key, value;
        uint64_t blob;
        enum err expected;
    } cases[] = {
        {ROW_KEY_MAX - 9, 0, 0, OK}, /* a byte of table and eight of bucket come first */
        {ROW_KEY_MAX - 8, 0, 0, ERR_TOO_LARGE},
        {1, ROW_VALUE_MAX / 2, 0, OK},
        {1, ROW_VALUE_MAX, 0, ERR_TOO_LARGE},
        {1, 0, ROW_BLOB_MAX, OK},
        {1, 0, ROW_BLOB_MAX + 1, ERR_TOO_LARGE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct object_row row = object_named(i, str_of(big, cases[i].key));
        row.metadata = str_of(big, cases[i].value);
        row.body = (struct blob){.bytes = big, .length = cases[i].blob};
        struct put_attempt attempt = {TABLE_object, &row};
        assert_err(run_update(subject, attempt_put, &attempt), cases[i].expected);
        struct object_row got = object_named(i, row.key);
        assert_err(get_row(subject, TABLE_object, &got),
                   cases[i].expected == OK ? OK : ERR_NOT_FOUND);
        if (cases[i].expected == OK)
            assert_int_equal(got.body.length, cases[i].blob);
    }
    struct object_row too_long = object_named(0, str_of(big, ROW_KEY_MAX));
    delete_row(subject, TABLE_object, &too_long);
}

static enum err put_too_much(struct tx *tx, void *context)
{
    for (uint64_t i = 0;; i++) {
        struct object_row row = object_named(1, str_of(&i, sizeof(i)));
        row.body = (struct blob){.bytes = context, .length = 1 << 20};
        enum err err = row_put(tx, TABLE_object, &row);
        if (err != OK)
            return i >= 24 ? err : ERR_INTERNAL;
        if (i * (1 << 20) > UPDATE_BYTES_MAX)
            return OK;
    }
}

static void limit_of_an_update(void **state)
{
    struct subject *subject = *state;
    void *bytes = arena_zalloc(subject->arena, 1 << 20);
    assert_err(run_update(subject, put_too_much, bytes), ERR_TOO_LARGE);
    uint64_t first = 0;
    struct object_row row = object_named(1, str_of(&first, sizeof(first)));
    assert_err(get_row(subject, TABLE_object, &row), ERR_NOT_FOUND);
    put_row(subject, TABLE_object, &row);
}

int conform_rows(void)
{
    const struct CMUnitTest tests[] = {
        CONFORM(absent_row_is_not_found_and_leaves_the_row_alone),
        CONFORM(all_kinds_of_columns_come_back),
        CONFORM(every_table_takes_a_row_of_its_keys_alone),
        CONFORM(second_put_replaces_all_columns),
        CONFORM(rows_that_are_read_often_are_those_of_the_view),
        CONFORM(deleted_row_is_gone_and_deleting_again_is_fine),
        CONFORM(tables_are_apart),
        CONFORM(strings_are_copied_both_ways),
        CONFORM(update_sees_its_own_writes),
        CONFORM(failed_update_leaves_nothing),
        CONFORM(limits_of_a_row),
        CONFORM(limit_of_an_update),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
