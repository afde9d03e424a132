/* Aim: what is told of each bucket is the sum of its counts, for as many buckets as were asked for, in name order. */
#include <stdio.h>

#include "base/list.h"
#include "object/usage.h"
#include "store/mem/mem_engine.h"
#include "../unit.h"

struct fixture {
    struct engine *engine;
    struct workers *workers;
    struct store *store;
    struct arena *arena;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_ok(mem_engine_open(&f->engine));
    f->workers = workers_new(1);
    f->store = store_new(&(struct store_options){
        .engine = f->engine, .workers = f->workers, .io_buffer_bytes = 16 << 20});
    f->arena = arena_new(1 << 20);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    workers_free(f->workers);
    store_free(f->store);
    engine_close(f->engine);
    arena_free(f->arena);
    free(f);
    return 0;
}

struct put {
    struct update update;
    enum table_id table;
    const void *row;
};

static enum err apply_put(struct update *update, struct tx *tx)
{
    struct put *put = container_of(update, struct put, update);
    return row_put(tx, put->table, put->row);
}

static void put_row(struct fixture *f, enum table_id table, const void *row)
{
    struct put put = {.update.apply = apply_put, .table = table, .row = row};
    assert_ok(catalog_update_wait(f->engine, &put.update));
}

static void put_bucket(struct fixture *f, const char *name, uint64_t id)
{
    put_row(f, TABLE_bucket, &(struct bucket_row){.name = str_from(name), .id = id});
}

static void test_sums(void **state)
{
    struct fixture *f = *state;
    put_bucket(f, "full", 7);
    put_bucket(f, "empty", 8);
    /* Two shards, one of them "negative": what was written on one and deleted on the other. */
    put_row(
        f, TABLE_usage,
        &(struct usage_row){
            .bucket_id = 7, .shard = 0, .object_count = 5, .object_bytes = 500, .upload_count = 1});
    put_row(f, TABLE_usage,
            &(struct usage_row){.bucket_id = 7,
                                .shard = 1,
                                .object_count = (uint64_t)-2,
                                .object_bytes = (uint64_t)-200,
                                .version_count = 3,
                                .version_bytes = 30});
    put_row(f, TABLE_usage,
            &(struct usage_row){.bucket_id = 9, .object_count = 99}); /* of no bucket */
    struct usage_entry *entry;
    size_t count;
    bool is_truncated;
    assert_ok(usage_list(f->store, 10, f->arena, &entry, &count, &is_truncated));
    assert_int_equal(count, 2);
    assert_false(is_truncated);
    assert_str(entry[0].bucket, STR("empty"));
    assert_int_equal(entry[0].object_count, 0);
    assert_str(entry[1].bucket, STR("full"));
    assert_int_equal(entry[1].object_count, 3);
    assert_int_equal(entry[1].object_bytes, 300);
    assert_int_equal(entry[1].version_count, 3);
    assert_int_equal(entry[1].version_bytes, 30);
    assert_int_equal(entry[1].upload_count, 1);
}

static void test_limit(void **state)
{
    struct fixture *f = *state;
    const struct {
        size_t max, expected;
        bool is_truncated;
    } cases[] = {{0, 0, true}, {1, 1, true}, {4, 4, true}, {5, 5, false}, {6, 5, false}};
    for (uint64_t i = 0; i < 5; i++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "b%u", (unsigned)i);
        put_bucket(f, name, i + 1);
    }
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct usage_entry *entry;
        size_t count;
        bool is_truncated;
        assert_ok(usage_list(f->store, cases[i].max, f->arena, &entry, &count, &is_truncated));
        assert_int_equal(count, cases[i].expected);
        assert_int_equal(is_truncated, cases[i].is_truncated);
    }
}

static void test_no_bucket(void **state)
{
    struct fixture *f = *state;
    struct usage_entry *entry;
    size_t count = 7;
    bool is_truncated = true;
    assert_ok(usage_list(f->store, 10, f->arena, &entry, &count, &is_truncated));
    assert_int_equal(count, 0);
    assert_false(is_truncated);
}

static void test_stats(void **state)
{
    struct fixture *f = *state;
    struct engine_stats stats;
    memset(&stats, 0xff, sizeof(stats));
    put_bucket(f, "one", 1);
    store_stats(f->store, &stats);
    assert_int_equal(stats.updates, 1);
    assert_false(stats.is_read_only);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_sums),
        CASE(test_limit),
        CASE(test_no_bucket),
        CASE(test_stats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
