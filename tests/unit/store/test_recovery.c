/* Restarts of the embedded engine: what was acknowledged is there after a crash at any moment, after the loss of the index, and after a
 * rebuild; damage is named and never turned into wrong bytes. A crash is a copy of the folder of an open engine. */
#include "local_support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

enum { ROWS = 150, BODY_MAX = 6000, ARENA_CAP = 64 << 20 };

struct stores {
    char parent[TEST_PATH_MAX];
    char path[TEST_PATH_MAX + 8];
    char copy[TEST_PATH_MAX + 8];
};

static int setup(void **state)
{
    struct stores *stores = mem_new(struct stores);
    fault_clear();
    make_folder(stores->parent);
    (void)snprintf(stores->path, sizeof(stores->path), "%s/store", stores->parent);
    (void)snprintf(stores->copy, sizeof(stores->copy), "%s/copy", stores->parent);
    *state = stores;
    return 0;
}

static int teardown(void **state)
{
    struct stores *stores = *state;
    remove_folder(stores->parent);
    mem_free(stores);
    return 0;
}

/* ---- A history of puts, overwrites and deletes that can be told from a number ---- */

static size_t body_size(uint64_t i)
{
    return (size_t)(i * 1237 % BODY_MAX) + 1;
}

static void write_history(struct engine *engine, uint64_t from, uint64_t to)
{
    static char body[BODY_MAX];
    char name[32];
    for (uint64_t i = from; i < to; i++) {
        fill_bytes(body, body_size(i), i);
        assert_ok(put_body(engine, i, body, body_size(i)));
        (void)snprintf(name, sizeof(name), "s%llu", (unsigned long long)(i % 10));
        assert_ok(put_setting(engine, name, str_of(&i, sizeof(i))));
        (void)snprintf(name, sizeof(name), "gone%llu", (unsigned long long)i);
        assert_ok(put_setting(engine, name, STR("x")));
        if (i % 3)
            assert_ok(delete_setting(engine, name));
    }
}

static void check_history(struct engine *engine, uint64_t to)
{
    char name[32];
    uint64_t value = 0;
    for (uint64_t i = 0; i < to; i++) {
        assert_ok(check_body(engine, i, body_size(i)));
        (void)snprintf(name, sizeof(name), "gone%llu", (unsigned long long)i);
        assert_int_equal(get_setting(engine, name, (char *)&value, sizeof(value)), i % 3 ? -1 : 1);
    }
    assert_err(check_body(engine, to, 1), ERR_NOT_FOUND);
    for (uint64_t i = 0; i < 10 && i < to; i++) {
        (void)snprintf(name, sizeof(name), "s%llu", (unsigned long long)i);
        assert_int_equal(get_setting(engine, name, (char *)&value, sizeof(value)), sizeof(value));
        assert_int_equal(value, (to - 1 - i) / 10 * 10 + i);
    }
}

/* All rows of all tables, as text, to compare two stores. */
static void dump(struct engine *engine, struct buf *out)
{
    struct arena *arena = arena_new(ARENA_CAP);
    struct tx *tx;
    assert_ok(view_begin(engine, VIEW_WAIT, &tx));
    for (enum table_id id = 1; id < TABLE_ID_END; id++) {
        const struct table *table = table_of(id);
        _Alignas(max_align_t) char from[2048] = {0}, row[2048];
        struct cursor *cursor;
        enum err err;
        /* Columns that sort downwards begin with the largest. */
        for (size_t i = 0; i < table->key_count; i++)
            if (table->column[i].type == COLUMN_U64_DESC)
                memset(from + table->column[i].offset, 0xFF, sizeof(uint64_t));
        assert_ok(cursor_open(tx, id, from, 0, &cursor));
        while ((err = cursor_next(cursor, row)) == OK) {
            const struct blob *blob = row_blob_const(table, row);
            row_key_encode(table, row, out);
            row_value_encode(table, row, out);
            if (blob && blob->length) {
                char *dst = buf_reserve(out, blob->length);
                assert_non_null(dst);
                assert_ok(blob_read(tx, blob, dst));
                buf_commit(out, blob->length);
            }
        }
        assert_err(err, ERR_NOT_FOUND);
        cursor_close(cursor);
    }
    view_end(tx);
    arena_free(arena);
}

static void expect_equal(struct engine *a, struct engine *b)
{
    BUF_SCOPED struct buf x, y;
    buf_init(&x, ARENA_CAP);
    buf_init(&y, ARENA_CAP);
    dump(a, &x);
    dump(b, &y);
    assert_int_equal(x.len, y.len);
    assert_true(x.len > 0);
    assert_memory_equal(x.ptr, y.ptr, x.len);
}

/* ---- Tests ---- */

static void killed_store_comes_back(void **state)
{
    struct stores *stores = *state;
    struct engine *engine = open_store(stores->path);
    for (uint64_t i = 0; i < ROWS; i += 25) {
        write_history(engine, i, i + 25);
        copy_folder(stores->path, stores->copy);
        struct engine *copy = open_store(stores->copy);
        check_history(copy, i + 25);
        expect_equal(engine, copy);
        /* It works, and survives a second crash. */
        assert_ok(put_setting(copy, "after", STR("x")));
        engine_close(copy);
        copy = open_store(stores->copy);
        check_history(copy, i + 25);
        engine_close(copy);
    }
    engine_close(engine);
    engine = open_store(stores->path);
    check_history(engine, ROWS);
    engine_close(engine);
}

static void lost_index_is_made_again(void **state)
{
    struct stores *stores = *state;
    struct engine *engine = open_store(stores->path);
    write_history(engine, 0, ROWS);
    copy_folder(stores->path, stores->copy);
    remove_folder(file_in(stores->copy, "index"));
    struct engine *copy = open_store(stores->copy);
    check_history(copy, ROWS);
    expect_equal(engine, copy);
    engine_close(copy);
    engine_close(engine);
}

static void count_progress(void *context, const struct local_progress *progress)
{
    assert_true(progress->done <= progress->total);
    ++*(int *)context;
}

static void rebuilt_index_is_equal(void **state)
{
    struct stores *stores = *state;
    struct engine *engine = open_store(stores->path);
    write_history(engine, 0, ROWS);
    copy_folder(stores->path, stores->copy);
    struct local_options options = {.data_dir = stores->copy, .segment_bytes = 256 << 10};
    struct fail fail = {0};
    int calls = 0;
    for (int round = 0; round < 2; round++) {
        assert_ok(local_rebuild_index(&options, count_progress, &calls, &fail));
        struct engine *copy = open_store(stores->copy);
        expect_equal(engine, copy);
        engine_close(copy);
    }
    engine_close(engine);
    /* Not while it is open. */
    engine = open_store(stores->copy);
    assert_err(local_rebuild_index(&options, NULL, NULL, &fail), ERR_BUSY);
    engine_close(engine);
}

static void empty_store_reopens(void **state)
{
    struct stores *stores = *state;
    for (int i = 0; i < 3; i++)
        engine_close(open_store(stores->path));
    struct local_options options = {.data_dir = stores->path};
    struct fail fail = {0};
    assert_ok(local_rebuild_index(&options, NULL, NULL, &fail));
    struct engine *engine = open_store(stores->path);
    assert_ok(put_setting(engine, "a", STR("b")));
    engine_close(engine);
}

static enum err open_result(const char *path, struct fail *fail)
{
    struct engine *engine;
    struct local_options options = {.data_dir = path, .segment_bytes = 256 << 10};
    *fail = (struct fail){0};
    enum err err = local_engine_open(&options, &engine, fail);
    if (err == OK)
        engine_close(engine);
    return err;
}

/* ---- Damage ---- */

static void missing_segment_is_named(void **state)
{
    struct stores *stores = *state;
    struct engine *engine = open_store(stores->path);
    write_history(engine, 0, ROWS);
    engine_close(engine);
    char file[TEST_PATH_MAX];
    struct fail fail;
    assert_true(nth_file(file_in(stores->path, "log"), ".log", 1, file));
    assert_int_equal(unlink(file), 0);
    assert_err(open_result(stores->path, &fail), ERR_CORRUPT);
    assert_non_null(strstr(fail.detail, "0000000000000002.log is missing"));
    /* What is left can be had. */
    struct local_options options = {.data_dir = stores->path};
    assert_ok(local_rebuild_index(&options, NULL, NULL, &fail));
    assert_ok(open_result(stores->path, &fail));
}

static void shortened_log_is_damage(void **state)
{
    struct stores *stores = *state;
    struct engine *engine = open_store(stores->path);
    write_history(engine, 0, 10);
    engine_close(engine);
    char file[TEST_PATH_MAX];
    struct fail fail;
    assert_true(nth_file(file_in(stores->path, "log"), ".log", 0, file));
    assert_int_equal(truncate(file, 8192), 0);
    assert_err(open_result(stores->path, &fail), ERR_CORRUPT);
    assert_non_null(strstr(fail.detail, "0000000000000001.log"));
}

/* Every byte of a body's place in the log, one at a time: the read is refused, others are not. */
static void damaged_body_is_never_given_out(void **state)
{
    struct stores *stores = *state;
    struct engine *engine = open_store(stores->path);
    char body[3000];
    for (uint64_t i = 0; i < 3; i++) {
        fill_bytes(body, sizeof(body), i);
        assert_ok(put_body(engine, i, body, sizeof(body)));
    }
    char file[TEST_PATH_MAX];
    assert_true(nth_file(file_in(stores->path, "log"), ".log", 0, file));
    uint64_t size = file_size(file), hits = 0;
    for (uint64_t offset = 4096; offset < 4096 + 3 * 3584 && offset < size; offset += 101) {
        flip_byte(file, offset);
        unsigned damaged = 0;
        for (uint64_t i = 0; i < 3; i++) {
            enum err err = check_body(engine, i, sizeof(body));
            if (err != OK)
                assert_err(err, ERR_CORRUPT);
            damaged += err != OK;
        }
        assert_true(damaged <= 1);
        hits += damaged;
        flip_byte(file, offset);
    }
    assert_true(hits > 80);
    engine_close(engine);
}

/* Each byte of the index's table files in turn would take too long; every 97th does. Reads are refused or right. */
static void damaged_index_is_never_believed(void **state)
{
    struct stores *stores = *state;
    struct engine *engine = open_store(stores->path);
    write_history(engine, 0, 40);
    engine_close(engine);
    char name[TEST_PATH_MAX], file[TEST_PATH_MAX];
    assert_true(nth_file(file_in(stores->path, "index"), ".sst", 0, name));
    uint64_t size = file_size(name), refused = 0;
    for (uint64_t offset = 0; offset < size; offset += size / 40 + 1) {
        copy_folder(stores->path, stores->copy);
        assert_true(nth_file(file_in(stores->copy, "index"), ".sst", 0, file));
        flip_byte(file, offset);
        struct fail fail = {0};
        struct local_options options = {.data_dir = stores->copy, .segment_bytes = 256 << 10};
        if (local_engine_open(&options, &engine, &fail) != OK) {
            refused++;
            assert_ok(local_rebuild_index(&options, NULL, NULL, &fail));
            engine = open_store(stores->copy);
            check_history(engine, 40);
            engine_close(engine);
            continue;
        }
        for (uint64_t i = 0; i < 40; i++) {
            enum err err = check_body(engine, i, body_size(i));
            if (err != OK) {
                assert_err(err, ERR_CORRUPT);
                refused++;
            }
        }
        engine_close(engine);
    }
    assert_true(refused > 10);
}

/* Of a log that is replayed: damage where something was acknowledged stops the start, with the file's name. */
static void damaged_log_stops_the_start(void **state)
{
    struct stores *stores = *state;
    struct engine *engine = open_store(stores->path);
    write_history(engine, 0, 40);
    char crashed[TEST_PATH_MAX + 16], file[TEST_PATH_MAX];
    (void)snprintf(crashed, sizeof(crashed), "%s.crashed", stores->copy);
    copy_folder(stores->path, crashed);
    engine_close(engine);
    size_t refused = 0, count = 0;
    for (uint64_t offset = 4096; offset < 60000; offset += 1777, count++) {
        struct fail fail;
        copy_folder(crashed, stores->copy);
        assert_true(nth_file(file_in(stores->copy, "log"), ".log", 0, file));
        flip_byte(file, offset);
        enum err err = open_result(stores->copy, &fail);
        if (err == OK) /* it was padding between batches */
            continue;
        assert_err(err, ERR_CORRUPT);
        assert_non_null(strstr(fail.detail, "acknowledged records are lost"));
        refused++;
    }
    assert_true(refused > count / 2);
}

/* A log that was written when the format was made (golden/): three bodies, a setting put twice, one put and deleted. */
static void golden_log_reads_as_ever(void **state)
{
    struct stores *stores = *state;
    const char *root = getenv("PAIL_SOURCE_ROOT");
    char golden[TEST_PATH_MAX], value[8];
    (void)snprintf(golden, sizeof(golden), "%s/tests/unit/store/golden", root ? root : ".");
    assert_int_equal(mkdir(stores->path, 0700), 0);
    assert_int_equal(mkdir(file_in(stores->path, "log"), 0700), 0);
    char to[2 * TEST_PATH_MAX];
    (void)snprintf(to, sizeof(to), "%s/format", stores->path);
    copy_folder(file_in(golden, "format"), to);
    (void)snprintf(to, sizeof(to), "%s/log/0000000000000001.log", stores->path);
    copy_folder(file_in(golden, "0000000000000001.log"), to);
    for (int round = 0; round < 2; round++) {
        struct engine *engine = open_store(stores->path);
        for (uint64_t i = 0; i < 3; i++)
            assert_ok(check_body(engine, i, 700));
        assert_int_equal(get_setting(engine, "kept", value, sizeof(value)), 5);
        assert_memory_equal(value, "newer", 5);
        assert_int_equal(get_setting(engine, "gone", value, sizeof(value)), -1);
        assert_ok(put_setting(engine, "since", STR("then")));
        engine_close(engine);
    }
}

struct losses {
    size_t count;
    char where[8][160];
};

static void count_loss(void *context, const struct local_finding *finding)
{
    struct losses *losses = context;
    assert_err(finding->err, ERR_CORRUPT);
    if (losses->count < 8)
        memcpy(losses->where[losses->count], finding->where, sizeof(finding->where));
    losses->count++;
}

/* The damage costs the records that it hit, and no others. */
static void repair_keeps_what_can_be_read(void **state)
{
    struct stores *stores = *state;
    struct engine *engine = open_store(stores->path);
    write_history(engine, 0, 100);
    engine_close(engine);
    char file[TEST_PATH_MAX];
    struct fail fail = {0};
    struct local_options options = {.data_dir = stores->path, .segment_bytes = 256 << 10};
    /* Three places in one segment, and the header of another. */
    assert_true(nth_file(file_in(stores->path, "log"), ".log", 0, file));
    for (uint64_t offset = 10000; offset < 200000; offset += 70000)
        flip_byte(file, offset);
    assert_true(nth_file(file_in(stores->path, "log"), ".log", 1, file));
    flip_byte(file, 20);
    flip_byte(file, 2048 + 20);
    assert_err(local_rebuild_index(&options, NULL, NULL, &fail), ERR_CORRUPT);
    struct losses losses = {0};
    assert_ok(local_repair(&options, count_loss, NULL, &losses, &fail));
    assert_in_range(losses.count, 2, 4);
    engine = open_store(stores->path);
    size_t found = 0;
    for (uint64_t i = 0; i < 100; i++) {
        enum err err = check_body(engine, i, body_size(i));
        if (err != OK)
            assert_err(err, ERR_NOT_FOUND);
        found += err == OK;
    }
    /* Some 60 of the bodies lie in the first segment, of which three at most were hit. */
    assert_in_range(found, 50, 99);
    write_history(engine, 0, 20);
    engine_close(engine);
    /* It is an ordinary store again. */
    engine = open_store(stores->path);
    for (uint64_t i = 0; i < 20; i++)
        assert_ok(check_body(engine, i, body_size(i)));
    engine_close(engine);
}

static void repair_of_a_sound_store_changes_nothing(void **state)
{
    struct stores *stores = *state;
    struct engine *engine = open_store(stores->path);
    write_history(engine, 0, ROWS);
    engine_close(engine);
    struct local_options options = {.data_dir = stores->path, .segment_bytes = 256 << 10};
    struct losses losses = {0};
    struct fail fail = {0};
    assert_ok(local_repair(&options, count_loss, NULL, &losses, &fail));
    assert_int_equal(losses.count, 0);
    engine = open_store(stores->path);
    check_history(engine, ROWS);
    engine_close(engine);
}

/* ---- What a failed write leaves ---- */

/* A write that found no room half-way may have left whole records; who was told so must not meet them after a restart. */
static void refused_update_stays_refused(void **state)
{
    struct stores *stores = *state;
    char value[64];
    struct engine *engine = open_store_with(stores->path, &fault_io);
    assert_ok(put_setting(engine, "a", STR("1")));
    fault_set(FAULT_WRITE, 0, ENOSPC, false);
    fault_set_partial_write(512);
    assert_err(put_setting(engine, "b", STR("2")), ERR_NO_SPACE);
    engine_close(engine);
    fault_clear();
    engine = open_store_with(stores->path, &fault_io);
    assert_int_equal(get_setting(engine, "b", value, sizeof(value)), -1);
    assert_int_equal(get_setting(engine, "a", value, sizeof(value)), 1);
    assert_ok(put_setting(engine, "c", STR("3")));
    engine_close(engine);
}

/* Files of the log behind the index's position cannot have been given back, so one that is not there is missed. */
static void lost_segment_behind_the_index_is_named(void **state)
{
    enum { COUNT = 40, LEN = 20000 };
    struct stores *stores = *state;
    static char bytes[LEN];
    char folder[TEST_PATH_MAX + 16], file[TEST_PATH_MAX];
    struct engine *engine = open_store(stores->path);
    assert_ok(put_setting(engine, "first", STR("1")));
    engine_close(engine); /* the index is on disk, and its position in the first segment */
    engine = open_store(stores->path);
    for (uint64_t i = 0; i < COUNT; i++) {
        fill_bytes(bytes, LEN, i);
        assert_ok(put_body(engine, i, bytes, LEN));
    }
    copy_folder(stores->path, stores->copy);
    engine_close(engine);
    (void)snprintf(folder, sizeof(folder), "%s/log", stores->copy);
    assert_true(nth_file(folder, ".log", 1, file));
    assert_int_equal(unlink(file), 0);
    struct fail fail = {0};
    const struct local_options options = {.data_dir = stores->copy, .segment_bytes = 256 << 10};
    assert_err(local_engine_open(&options, &engine, &fail), ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define RECOVERY_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        RECOVERY_TEST(killed_store_comes_back),
        RECOVERY_TEST(lost_index_is_made_again),
        RECOVERY_TEST(rebuilt_index_is_equal),
        RECOVERY_TEST(empty_store_reopens),
        RECOVERY_TEST(missing_segment_is_named),
        RECOVERY_TEST(shortened_log_is_damage),
        RECOVERY_TEST(damaged_body_is_never_given_out),
        RECOVERY_TEST(damaged_index_is_never_believed),
        RECOVERY_TEST(damaged_log_stops_the_start),
        RECOVERY_TEST(golden_log_reads_as_ever),
        RECOVERY_TEST(repair_keeps_what_can_be_read),
        RECOVERY_TEST(repair_of_a_sound_store_changes_nothing),
        RECOVERY_TEST(refused_update_stays_refused),
        RECOVERY_TEST(lost_segment_behind_the_index_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
