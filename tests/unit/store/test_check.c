/* The check of a whole store: a sound one has no findings, every kind of damage is found and named. */
#include "local_support.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { BODIES = 30, BODY = 3000, EXTENT = 300000, FINDINGS_MAX = 64 };

struct checked {
    char path[TEST_PATH_MAX];
    struct extent_row extent[3];
    struct arena *arena;
    struct local_finding finding[FINDINGS_MAX];
    size_t count;
};

static void take_finding(void *context, const struct local_finding *finding)
{
    struct checked *checked = context;
    if (checked->count < FINDINGS_MAX)
        checked->finding[checked->count++] = *finding;
}

struct put_extent {
    struct update update;
    const struct extent_row *row;
};

static enum err apply_extent(struct update *update, struct tx *tx)
{
    return row_put(tx, TABLE_extent, ((struct put_extent *)(void *)update)->row);
}

static void add_extent(struct engine *engine, struct checked *checked, size_t i, bool with_row)
{
    struct extent_writer *writer;
    char *bytes = mem_alloc_aligned(4096, EXTENT);
    fill_bytes(bytes, EXTENT, i);
    assert_ok(extent_begin(engine, EXTENT, &writer));
    assert_ok(extent_write(writer, bytes, EXTENT, 0));
    assert_ok(extent_seal(writer, EXTENT, checked->arena, &checked->extent[i]));
    mem_free(bytes);
    struct put_extent put = {{.apply = apply_extent}, &checked->extent[i]};
    if (with_row)
        assert_ok(catalog_update_wait(engine, &put.update));
}

/* A store with rows, bodies in several segments, and extents. */
static int setup(void **state)
{
    struct checked *checked = mem_new(struct checked);
    char body[BODY];
    fault_clear();
    checked->arena = arena_new(1 << 20);
    make_folder(checked->path);
    struct engine *engine = open_store(checked->path);
    for (uint64_t i = 0; i < BODIES; i++) {
        fill_bytes(body, BODY, i);
        assert_ok(put_body(engine, i, body, BODY));
    }
    for (size_t i = 0; i < 2; i++)
        add_extent(engine, checked, i, true);
    assert_ok(put_setting(engine, "quote\"d", STR("value")));
    /* More than fits into the first segments. */
    static char large[100000];
    for (uint64_t i = 0; i < 8; i++)
        assert_ok(put_body(engine, 100 + i, large, sizeof(large)));
    engine_close(engine);
    *state = checked;
    return 0;
}

static int teardown(void **state)
{
    struct checked *checked = *state;
    arena_free(checked->arena);
    remove_folder(checked->path);
    mem_free(checked);
    return 0;
}

static void check(struct checked *checked)
{
    struct local_options options = {.data_dir = checked->path, .segment_bytes = 256 << 10};
    struct fail fail = {0};
    checked->count = 0;
    assert_ok(local_check(&options, take_finding, NULL, checked, &fail));
}

/* A finding with these words. */
static bool was_found(const struct checked *checked, enum err err, const char *where,
                      const char *what)
{
    for (size_t i = 0; i < checked->count; i++) {
        const struct local_finding *finding = &checked->finding[i];
        if (finding->err == err && strstr(finding->where, where) && strstr(finding->what, what))
            return true;
    }
    for (size_t i = 0; i < checked->count; i++)
        print_message("%s: %s: %s\n", err_name(checked->finding[i].err), checked->finding[i].where,
                      checked->finding[i].what);
    return false;
}

static void sound_store_has_no_findings(void **state)
{
    struct checked *checked = *state;
    check(checked);
    assert_int_equal(checked->count, 0);
    check(checked);
    assert_int_equal(checked->count, 0);
}

static void damaged_body_is_named(void **state)
{
    struct checked *checked = *state;
    char file[TEST_PATH_MAX];
    assert_true(nth_file(file_in(checked->path, "log"), ".log", 0, file));
    flip_byte(file, 4096 + 1000);
    check(checked);
    /* The log's record, and the row whose body it was. */
    assert_true(was_found(checked, ERR_CORRUPT, "log/0000000000000001.log at offset 4096", ""));
    assert_true(was_found(checked, ERR_CORRUPT, "object 1 \"", "0000000000000001.log"));
    assert_int_equal(checked->count, 2);
}

static void extent_path(const struct checked *checked, size_t i, char out_path[2 * TEST_PATH_MAX])
{
    uint64_t id = checked->extent[i].id;
    (void)snprintf(out_path, 2 * TEST_PATH_MAX, "%s/extents/%02x/%016" PRIx64, checked->path,
                   (unsigned)(id & 0xFF), id);
}

static void damaged_and_missing_extents_are_named(void **state)
{
    struct checked *checked = *state;
    char file[2 * TEST_PATH_MAX], name[64];
    extent_path(checked, 0, file);
    flip_byte(file, EXTENT - 1);
    check(checked);
    (void)snprintf(name, sizeof(name), "extent %" PRIu64, checked->extent[0].id);
    assert_true(was_found(checked, ERR_CORRUPT, name, "is damaged"));
    assert_int_equal(checked->count, 1);
    flip_byte(file, EXTENT - 1);
    assert_int_equal(truncate(file, EXTENT - 1), 0);
    check(checked);
    assert_true(was_found(checked, ERR_CORRUPT, name, "is damaged"));
    assert_int_equal(unlink(file), 0);
    check(checked);
    assert_true(was_found(checked, ERR_NOT_FOUND, name, "is missing"));
    assert_int_equal(checked->count, 1);
}

static void orphan_is_told_and_harmless(void **state)
{
    struct checked *checked = *state;
    struct engine *engine = open_store(checked->path);
    add_extent(engine, checked, 2, false);
    engine_close(engine);
    check(checked);
    assert_true(was_found(checked, OK, "extents/", "no row needs it"));
    assert_int_equal(checked->count, 1);
}

static void damaged_index_is_named(void **state)
{
    struct checked *checked = *state;
    char file[TEST_PATH_MAX];
    size_t found = 0, n = 0;
    while (nth_file(file_in(checked->path, "index"), ".sst", n, file))
        n++;
    assert_true(n > 0);
    assert_true(nth_file(file_in(checked->path, "index"), ".sst", n - 1, file));
    uint64_t size = file_size(file);
    for (uint64_t offset = 10; offset < size; offset += size / 6) {
        flip_byte(file, offset);
        check(checked);
        found += checked->count > 0;
        for (size_t i = 0; i < checked->count; i++)
            assert_err(checked->finding[i].err, ERR_CORRUPT);
        flip_byte(file, offset);
    }
    assert_true(found > 0);
}

static void store_that_cannot_be_opened_is_read_as_far_as_possible(void **state)
{
    struct checked *checked = *state;
    char file[TEST_PATH_MAX];
    assert_true(nth_file(file_in(checked->path, "log"), ".log", 1, file));
    assert_int_equal(unlink(file), 0);
    assert_true(nth_file(file_in(checked->path, "log"), ".log", 0, file));
    flip_byte(file, 4096 + 1000);
    check(checked);
    assert_true(was_found(checked, ERR_CORRUPT, checked->path, "is missing"));
    assert_true(was_found(checked, ERR_CORRUPT, "log/0000000000000001.log", "damaged"));
}

static void open_store_is_checked_beside_its_work(void **state)
{
    struct checked *checked = *state;
    struct engine *engine = open_store(checked->path);
    struct local_scrub scrub = {.found = take_finding, .context = checked, .pause_us = 100};
    bool stop = false;
    scrub.stop = &stop;
    checked->count = 0;
    assert_ok(local_check_open(engine, &scrub));
    assert_int_equal(checked->count, 0);
    char file[2 * TEST_PATH_MAX];
    extent_path(checked, 1, file);
    flip_byte(file, 5);
    assert_ok(local_check_open(engine, &scrub));
    assert_int_equal(checked->count, 1);
    stop = true;
    assert_err(local_check_open(engine, &scrub), ERR_CANCELLED);
    engine_close(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CHECK_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        CHECK_TEST(sound_store_has_no_findings),
        CHECK_TEST(damaged_body_is_named),
        CHECK_TEST(damaged_and_missing_extents_are_named),
        CHECK_TEST(orphan_is_told_and_harmless),
        CHECK_TEST(damaged_index_is_named),
        CHECK_TEST(store_that_cannot_be_opened_is_read_as_far_as_possible),
        CHECK_TEST(open_store_is_checked_beside_its_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
