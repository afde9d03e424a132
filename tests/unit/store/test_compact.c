/* Giving back the log's space: overwriting and deleting does not make the log grow for ever, nothing that counts is lost, nothing that was
 * deleted comes back from a rebuild, and a view keeps what it can read. */
#include "local_support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { BODY = 8000, KEYS = 20, WAIT_STEPS = 600, STEP_US = 20000 };

struct compacting {
    char path[TEST_PATH_MAX];
    struct engine *engine;
};

static int setup(void **state)
{
    struct compacting *test = mem_new(struct compacting);
    fault_clear();
    make_folder(test->path);
    test->engine = open_store(test->path);
    *state = test;
    return 0;
}

static int teardown(void **state)
{
    struct compacting *test = *state;
    engine_close(test->engine);
    remove_folder(test->path);
    mem_free(test);
    return 0;
}

static uint64_t log_bytes(struct engine *engine)
{
    struct engine_stats stats;
    engine_stats(engine, &stats);
    assert_true(stats.log_live_bytes <= stats.log_bytes);
    return stats.log_bytes;
}

static bool shrinks_to(struct engine *engine, uint64_t limit)
{
    for (int i = 0; i < WAIT_STEPS; i++) {
        if (log_bytes(engine) <= limit)
            return true;
        /* The keeper is woken by writing. */
        assert_ok(put_setting(engine, "tick", STR("x")));
        (void)usleep(STEP_US);
    }
    return false;
}

static void put_bodies(struct engine *engine, uint64_t count, uint64_t keys)
{
    static char body[BODY];
    for (uint64_t i = 0; i < count; i++) {
        fill_bytes(body, BODY, i % keys);
        assert_ok(put_body(engine, i % keys, body, BODY));
    }
}

static void check_bodies(struct engine *engine, uint64_t keys)
{
    for (uint64_t i = 0; i < keys; i++)
        assert_ok(check_body(engine, i, BODY));
}

static void rebuild(struct compacting *test)
{
    struct local_options options = {.data_dir = test->path, .segment_bytes = 256 << 10};
    struct fail fail = {0};
    engine_close(test->engine);
    assert_ok(local_rebuild_index(&options, NULL, NULL, &fail));
    test->engine = open_store(test->path);
}

static void overwritten_bodies_give_their_space_back(void **state)
{
    struct compacting *test = *state;
    put_bodies(test->engine, 1000, KEYS);
    assert_true(shrinks_to(test->engine, 2 << 20));
    check_bodies(test->engine, KEYS);
    rebuild(test);
    check_bodies(test->engine, KEYS);
    put_bodies(test->engine, 100, KEYS);
    check_bodies(test->engine, KEYS);
}

/* Every segment keeps three of five bodies, so none is sparse by itself: the log as a whole is. */
static void evenly_dying_bodies_give_their_space_back(void **state)
{
    enum { MANY = 1000, DYING_OF_FIVE = 2, LARGE_BODY = 24000 };
    struct compacting *test = *state;
    static char body[LARGE_BODY];
    for (uint64_t i = 0; i < MANY; i++) {
        fill_bytes(body, LARGE_BODY, i);
        assert_ok(put_body(test->engine, i, body, LARGE_BODY));
    }
    for (uint64_t i = 0; i < MANY; i++)
        if (i % 5 < DYING_OF_FIVE)
            assert_ok(delete_body(test->engine, i));
    uint64_t live = (uint64_t)(MANY / 5 * (5 - DYING_OF_FIVE)) * LARGE_BODY;
    assert_true(log_bytes(test->engine) > live / 100 * 155);
    assert_true(shrinks_to(test->engine, live / 100 * 145));
    for (uint64_t i = 0; i < MANY; i++)
        if (i % 5 >= DYING_OF_FIVE)
            assert_ok(check_body(test->engine, i, LARGE_BODY));
}

/* Rows that are written once lie among others that die; they are moved, and live on. */
static void rows_that_count_are_moved(void **state)
{
    struct compacting *test = *state;
    char name[32];
    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof(name), "kept%d", i);
        assert_ok(put_setting(test->engine, name, str_from(name)));
        put_bodies(test->engine, 10, KEYS);
    }
    assert_true(shrinks_to(test->engine, 2 << 20));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 100; i++) {
            char value[32];
            (void)snprintf(name, sizeof(name), "kept%d", i);
            int len = get_setting(test->engine, name, value, sizeof(value));
            assert_int_equal(len, strlen(name));
            assert_memory_equal(value, name, strlen(name));
        }
        check_bodies(test->engine, 10);
        rebuild(test);
    }
}

/* The deletions themselves take space as long as older puts could come back, and not longer. */
static void deleted_rows_do_not_come_back(void **state)
{
    struct compacting *test = *state;
    char name[64];
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 2000; i++) {
            (void)snprintf(name, sizeof(name), "a-rather-long-name-of-a-setting-%d-%d", round, i);
            assert_ok(put_setting(test->engine, name, STR("value")));
        }
        for (int i = 0; i < 2000; i++) {
            (void)snprintf(name, sizeof(name), "a-rather-long-name-of-a-setting-%d-%d", round, i);
            assert_ok(delete_setting(test->engine, name));
        }
    }
    assert_true(shrinks_to(test->engine, 3 << 20));
    rebuild(test);
    for (int round = 0; round < 4; round++)
        for (int i = 0; i < 2000; i++) {
            char value[8];
            (void)snprintf(name, sizeof(name), "a-rather-long-name-of-a-setting-%d-%d", round, i);
            assert_int_equal(get_setting(test->engine, name, value, sizeof(value)), -1);
        }
}

/* A deletion lies in a segment that is emptied; what it deletes lies in an older one that is full of what counts, and stays. */
static void deletion_is_kept_as_long_as_what_it_deletes(void **state)
{
    enum { DENSE = 33, FIRST_KEY = 5000 }; /* a segment full */
    static char body[BODY];
    struct compacting *test = *state;
    char value[8];
    assert_ok(put_setting(test->engine, "ghost", STR("value")));
    for (uint64_t i = 0; i < DENSE; i++) {
        fill_bytes(body, BODY, FIRST_KEY + i);
        assert_ok(put_body(test->engine, FIRST_KEY + i, body, BODY));
    }
    assert_ok(delete_setting(test->engine, "ghost"));
    put_bodies(test->engine, 1000, KEYS);
    assert_true(shrinks_to(test->engine, 3 << 19));
    rebuild(test);
    assert_int_equal(get_setting(test->engine, "ghost", value, sizeof(value)), -1);
    check_bodies(test->engine, KEYS);
    for (uint64_t i = 0; i < DENSE; i++)
        assert_ok(check_body(test->engine, FIRST_KEY + i, BODY));
}

struct many_rows {
    struct update update;
    unsigned count;
    bool deletes;
};

static enum err apply_many(struct update *update, struct tx *tx)
{
    const struct many_rows *many = (struct many_rows *)(void *)update;
    for (unsigned i = 0; i < many->count; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "row-%08u", i);
        struct setting_row row = {.name = str_from(name), .value = STR("value")};
        if (many->deletes)
            TRY(row_delete(tx, TABLE_setting, &row));
        else
            TRY(row_put(tx, TABLE_setting, &row));
    }
    return OK;
}

static bool index_comes_to(struct engine *engine, uint64_t least, uint64_t most)
{
    struct engine_stats stats;
    for (int i = 0; i < WAIT_STEPS; i++) {
        engine_stats(engine, &stats);
        if (stats.index_bytes >= least && stats.index_bytes <= most)
            return true;
        (void)usleep(STEP_US);
    }
    print_error("the index has %llu bytes\n", (unsigned long long)stats.index_bytes);
    return false;
}

/* At rest what was written goes to the index on disk, and what was deleted out of it: otherwise every walk would pass over it. */
static void index_is_tidied_at_rest(void **state)
{
    enum { MANY = 20000 };
    struct compacting *test = *state;
    struct many_rows many = {.update = {.apply = apply_many}, .count = MANY};
    assert_ok(catalog_update_wait(test->engine, &many.update));
    assert_true(index_comes_to(test->engine, (uint64_t)MANY * 8, UINT64_MAX));
    many.deletes = true;
    assert_ok(catalog_update_wait(test->engine, &many.update));
    assert_true(index_comes_to(test->engine, 0, 10000));
}

static void view_keeps_what_it_can_read(void **state)
{
    struct compacting *test = *state;
    struct arena *arena = arena_new(1 << 20);
    struct tx *tx;
    struct object_row row[KEYS];
    uint64_t key[KEYS];
    put_bodies(test->engine, KEYS, KEYS);
    assert_ok(view_begin(test->engine, VIEW_WAIT, &tx));
    for (uint64_t i = 0; i < KEYS; i++) {
        key[i] = i;
        row[i] = (struct object_row){.bucket_id = 1, .key = str_of(&key[i], sizeof(key[i]))};
        assert_ok(row_get(tx, TABLE_object, &row[i], arena));
    }
    for (int round = 0; round < 10; round++) {
        static char zeroes[BODY];
        for (uint64_t i = 0; i < KEYS; i++)
            assert_ok(put_body(test->engine, i, zeroes, BODY));
        for (uint64_t i = 0; i < KEYS; i++) {
            char actual[BODY], expected[BODY];
            fill_bytes(expected, BODY, i);
            assert_ok(blob_read(tx, &row[i].body, actual));
            assert_memory_equal(actual, expected, BODY);
        }
        (void)usleep(50000);
    }
    view_end(tx);
    put_bodies(test->engine, KEYS, KEYS);
    assert_true(shrinks_to(test->engine, 2 << 20));
    check_bodies(test->engine, KEYS);
    arena_free(arena);
}

/* ---- While a batch is published ---- */

static struct window {
    _Atomic bool is_armed, is_held;
    _Atomic unsigned emptied_count;
} window;

/* Holds the commit thread between the index and the snapshot, until a segment was emptied meanwhile or would have been long ago. */
static void hold_the_window(const char *place)
{
    enum { STEPS = 100 };
    if (strcmp(place, "segment.emptied") == 0)
        window.emptied_count++;
    if (strcmp(place, "index.applied") != 0 || !window.is_armed)
        return;
    window.is_armed = false;
    window.is_held = true;
    for (int i = 0; i < STEPS && window.emptied_count == 0; i++)
        (void)usleep(STEP_US);
}

static void *delete_the_last(void *engine)
{
    assert_ok(delete_body(engine, 5));
    return NULL;
}

/* The index is ahead of the newest snapshot for a moment: a segment in which nothing counts any more by the one still has a row of the
 * other. */
static void segment_stays_until_the_snapshot_is_published(void **state)
{
    enum { LEN = 20000, COUNT = 60, FIRST = 12, LAST = 5 };
    struct compacting *test = *state;
    static char bytes[LEN];
    uint64_t key = LAST;
    pthread_t thread;
    struct tx *tx;
    struct object_row row = {.bucket_id = 1, .key = str_of(&key, sizeof(key))};
    struct arena *arena = arena_new(1 << 20);
    engine_close(test->engine);
    test->engine = open_store_with(test->path, &fault_io);
    for (uint64_t i = 0; i < COUNT; i++) {
        fill_bytes(bytes, LEN, i);
        assert_ok(put_body(test->engine, i, bytes, LEN));
    }
    for (uint64_t i = 0; i < FIRST; i++)
        if (i != LAST)
            assert_ok(delete_body(test->engine, i));
    window = (struct window){.is_armed = true};
    fault_set_reached(hold_the_window);
    assert_int_equal(pthread_create(&thread, NULL, delete_the_last, test->engine), 0);
    while (!window.is_held)
        (void)usleep(STEP_US);
    assert_ok(view_begin(test->engine, VIEW_WAIT, &tx));
    assert_ok(row_get(tx, TABLE_object, &row, arena));
    (void)pthread_join(thread, NULL);
    for (int i = 0; i < WAIT_STEPS && window.emptied_count == 0; i++)
        (void)usleep(STEP_US);
    (void)usleep(10 * STEP_US);
    enum err err = blob_read(tx, &row.body, bytes);
    view_end(tx);
    fault_set_reached(NULL);
    arena_free(arena);
    assert_ok(err);
}

/* A store that rests is left in peace. */
static void nothing_is_done_without_need(void **state)
{
    struct compacting *test = *state;
    put_bodies(test->engine, 600, KEYS);
    assert_true(shrinks_to(test->engine, 2 << 20));
    struct engine_stats before, after;
    (void)usleep(2500000);
    engine_stats(test->engine, &before);
    (void)usleep(2500000);
    engine_stats(test->engine, &after);
    assert_int_equal(after.batches, before.batches);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define COMPACT_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        COMPACT_TEST(overwritten_bodies_give_their_space_back),
        COMPACT_TEST(evenly_dying_bodies_give_their_space_back),
        COMPACT_TEST(rows_that_count_are_moved),
        COMPACT_TEST(deleted_rows_do_not_come_back),
        COMPACT_TEST(deletion_is_kept_as_long_as_what_it_deletes),
        COMPACT_TEST(index_is_tidied_at_rest),
        COMPACT_TEST(view_keeps_what_it_can_read),
        COMPACT_TEST(segment_stays_until_the_snapshot_is_published),
        COMPACT_TEST(nothing_is_done_without_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
