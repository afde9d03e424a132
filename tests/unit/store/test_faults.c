/* A failing disk under the embedded engine: what is answered, what goes on, what a restart finds. */
#include "local_support.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct faulty {
    char path[TEST_PATH_MAX];
    struct engine *engine;
};

static int setup(void **state)
{
    struct faulty *faulty = mem_new(struct faulty);
    fault_clear();
    make_folder(faulty->path);
    faulty->engine = open_store_with(faulty->path, &fault_io);
    *state = faulty;
    return 0;
}

static int teardown(void **state)
{
    struct faulty *faulty = *state;
    fault_clear();
    engine_close(faulty->engine);
    remove_folder(faulty->path);
    mem_free(faulty);
    return 0;
}

static void reopen(struct faulty *faulty)
{
    engine_close(faulty->engine);
    fault_clear();
    faulty->engine = open_store_with(faulty->path, &fault_io);
}

static bool has(struct engine *engine, const char *name, const char *expected)
{
    char value[64];
    int len = get_setting(engine, name, value, sizeof(value));
    return len >= 0 && str_eq(str_of(value, (size_t)len), str_from(expected));
}

static bool is_read_only(struct engine *engine, const char *reason)
{
    struct engine_stats stats;
    engine_stats(engine, &stats);
    if (reason && stats.is_read_only)
        assert_non_null(strstr(stats.read_only_reason, reason));
    return stats.is_read_only;
}

/* Promise: a failed sync is never retried as if it were fine. */
static void failed_sync_of_the_log_is_final(void **state)
{
    struct faulty *faulty = *state;
    assert_ok(put_setting(faulty->engine, "a", STR("1")));
    fault_set(FAULT_SYNC_DATA, 0, EIO, false);
    assert_err(put_setting(faulty->engine, "b", STR("2")), ERR_IO);
    assert_true(is_read_only(faulty->engine, "syncing the log failed"));
    /* Although syncs would work again. */
    assert_err(put_setting(faulty->engine, "c", STR("3")), ERR_READ_ONLY);
    assert_err(delete_setting(faulty->engine, "a"), ERR_READ_ONLY);
    struct extent_writer *writer;
    assert_err(extent_begin(faulty->engine, 1, &writer), ERR_READ_ONLY);
    /* Reads go on, and see nothing of what failed. */
    assert_true(has(faulty->engine, "a", "1"));
    assert_false(has(faulty->engine, "b", "2"));
    reopen(faulty);
    assert_false(is_read_only(faulty->engine, NULL));
    assert_true(has(faulty->engine, "a", "1"));
    assert_false(has(faulty->engine, "c", "3"));
    assert_ok(put_setting(faulty->engine, "c", STR("3")));
}

static void failed_write_of_the_log_is_final(void **state)
{
    struct faulty *faulty = *state;
    assert_ok(put_setting(faulty->engine, "a", STR("1")));
    fault_set(FAULT_WRITE, 0, EIO, false);
    fault_set_partial_write(60); /* less than the record */
    assert_err(put_setting(faulty->engine, "b", STR("2")), ERR_IO);
    assert_true(is_read_only(faulty->engine, "writing the log failed"));
    assert_true(has(faulty->engine, "a", "1"));
    reopen(faulty);
    assert_true(has(faulty->engine, "a", "1"));
    assert_false(has(faulty->engine, "b", "2"));
}

/* A log file whose space is not allocated (as on some file systems) may run out in the middle of a write. */
static void full_disk_in_a_write_refuses_the_batch_and_goes_on(void **state)
{
    struct faulty *faulty = *state;
    assert_ok(put_setting(faulty->engine, "a", STR("1")));
    for (size_t partial = 0; partial < 600; partial += 50) {
        fault_set(FAULT_WRITE, 0, ENOSPC, false);
        fault_set_partial_write(partial);
        assert_err(put_setting(faulty->engine, "b", STR("2")), ERR_NO_SPACE);
        assert_false(is_read_only(faulty->engine, NULL));
        assert_false(has(faulty->engine, "b", "2"));
    }
    assert_ok(put_setting(faulty->engine, "c", STR("3")));
    reopen(faulty);
    assert_true(has(faulty->engine, "a", "1"));
    assert_false(has(faulty->engine, "b", "2"));
    assert_true(has(faulty->engine, "c", "3"));
}

static void nearly_full_disk_lets_deletions_through(void **state)
{
    struct faulty *faulty = *state;
    assert_ok(put_setting(faulty->engine, "a", STR("1")));
    static const struct {
        uint64_t free_bytes, total_bytes;
        bool is_full;
    } cases[] = {
        {(64 << 20) - 1, 1ll << 40, true},
        {64 << 20, 1ll << 40, false},
        {(5 << 20) - 1, 100 << 20, true},
        {(5 << 20) + 1, 100 << 20, false},
        {0, 100 << 20, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum err expected = cases[i].is_full ? ERR_NO_SPACE : OK;
        fault_set_space(1ll << 40, 1ll << 40);
        assert_ok(put_setting(faulty->engine, "old", STR("1")));
        fault_set_space(cases[i].free_bytes, cases[i].total_bytes);
        assert_err(put_setting(faulty->engine, "new", STR("1")), expected);
        assert_ok(delete_setting(faulty->engine, "old"));
        assert_false(has(faulty->engine, "old", "1"));
        struct extent_writer *writer;
        assert_err(extent_begin(faulty->engine, 0, &writer), expected);
        if (expected == OK)
            extent_abort(writer);
        assert_err(extent_begin(faulty->engine, 1ll << 41, &writer), ERR_NO_SPACE);
    }
    /* And resumes by itself. */
    fault_set_space(1ll << 40, 1ll << 40);
    assert_ok(put_setting(faulty->engine, "new", STR("1")));
    assert_false(is_read_only(faulty->engine, NULL));
}

/* ---- Extents ---- */

static void failures_of_extents(void **state)
{
    struct faulty *faulty = *state;
    static const struct {
        enum fault_call call;
        unsigned nth;
        int error;
        enum err expected;
        bool is_final;
    } cases[] = {
        {FAULT_OPEN, 0, EMFILE, ERR_UNAVAILABLE, false},
        {FAULT_OPEN, 1, EMFILE, ERR_UNAVAILABLE, false}, /* of extents/xx/, when all is written */
        {FAULT_ALLOCATE, 0, ENOSPC, ERR_NO_SPACE, false},
        {FAULT_WRITE, 0, ENOSPC, ERR_NO_SPACE, false},
        {FAULT_WRITE, 0, EIO, ERR_IO, false},
        {FAULT_TRUNCATE, 0, EIO, ERR_IO, true},
        {FAULT_SYNC_DATA, 0, ENOSPC, ERR_NO_SPACE, false},
        {FAULT_SYNC_DATA, 0, EIO, ERR_IO, true},
        {FAULT_SYNC, 0, EIO, ERR_IO, true}, /* of extents/ */
        {FAULT_SYNC, 1, EIO, ERR_IO, true}, /* of extents/xx/ */
        {FAULT_RENAME, 0, EIO, ERR_IO, true},
    };
    struct extent_row row;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fault_set(cases[i].call, cases[i].nth, cases[i].error, false);
        assert_err(store_extent(faulty->engine, &row), cases[i].expected);
        assert_int_equal(is_read_only(faulty->engine, "storing an extent failed"),
                         cases[i].is_final);
        assert_int_equal(count_files(faulty->path, "tmp"), 0);
        reopen(faulty);
        assert_ok(store_extent(faulty->engine, &row));
        reopen(faulty);
    }
}

/* A file system that takes the flag O_DIRECT but refuses the write. */
static void refused_direct_write_is_done_through_the_cache(void **state)
{
    struct faulty *faulty = *state;
    struct extent_row row;
    fault_set(FAULT_WRITE, 0, EINVAL, false);
    assert_ok(store_extent(faulty->engine, &row));
    char path[TEST_PATH_MAX], name[64];
    (void)snprintf(name, sizeof(name), "extents/%02x", (unsigned)(row.id & 0xFF));
    assert_true(nth_file(file_in(faulty->path, name), "", 2, path));
    assert_int_equal(file_size(path), 10000);
}

/* ---- Reading ---- */

static void failed_read_is_an_error_and_no_more(void **state)
{
    struct faulty *faulty = *state;
    char body[5000];
    fill_bytes(body, sizeof(body), 4);
    assert_ok(put_body(faulty->engine, 4, body, sizeof(body)));
    fault_set(FAULT_READ, 0, EIO, false);
    assert_err(check_body(faulty->engine, 4, sizeof(body)), ERR_IO);
    assert_ok(check_body(faulty->engine, 4, sizeof(body)));
    assert_false(is_read_only(faulty->engine, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define FAULT_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        FAULT_TEST(failed_sync_of_the_log_is_final),
        FAULT_TEST(failed_write_of_the_log_is_final),
        FAULT_TEST(full_disk_in_a_write_refuses_the_batch_and_goes_on),
        FAULT_TEST(nearly_full_disk_lets_deletions_through),
        FAULT_TEST(failures_of_extents),
        FAULT_TEST(refused_direct_write_is_done_through_the_cache),
        FAULT_TEST(failed_read_is_an_error_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
