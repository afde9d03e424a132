/* The cache of rows: what it gives out is what the snapshot has, or nothing. */
#include "local_support.h"

#include <stdio.h>

#include "store/local/row_cache.h"

static struct row_cache *cache;
static struct buf got;

static int set_up(void **state)
{
    (void)state;
    cache = row_cache_new();
    buf_init(&got, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    row_cache_free(cache);
    buf_release(&got);
    return 0;
}

static bool get(str key, uint64_t snapshot)
{
    buf_clear(&got);
    return row_cache_get(cache, key, snapshot, &got);
}

static void what_was_put_is_found(void **state)
{
    (void)state;
    assert_false(get(STR("k"), 1));
    row_cache_put(cache, STR("k"), 1, STR("one"));
    assert_true(get(STR("k"), 1));
    assert_true(str_eq(buf_str(&got), STR("one")));
    assert_true(get(STR("k"), 7));
    assert_true(get(STR("k"), ROW_CACHE_NEWEST));
    assert_false(get(STR("kk"), 1));
}

static void a_changed_row_is_not_found_by_anybody(void **state)
{
    (void)state;
    row_cache_put(cache, STR("k"), 1, STR("one"));
    row_cache_change(cache, STR("k"), 2);
    assert_false(get(STR("k"), 1));
    assert_false(get(STR("k"), 2));
    /* A reader that began before the change comes late. */
    row_cache_put(cache, STR("k"), 1, STR("one"));
    assert_false(get(STR("k"), 1));
    assert_false(get(STR("k"), 2));
    row_cache_put(cache, STR("k"), 2, STR("two"));
    assert_true(get(STR("k"), 2));
    assert_true(str_eq(buf_str(&got), STR("two")));
    /* One that is older than the change may not see what came with it. */
    assert_false(get(STR("k"), 1));
}

static void places_are_shared(void **state)
{
    (void)state;
    char text[8];
    for (unsigned i = 0; i < 2000; i++) {
        (void)snprintf(text, sizeof(text), "%u", i);
        row_cache_put(cache, str_from(text), 1, str_from(text));
        assert_true(get(str_from(text), 1));
    }
    unsigned kept = 0;
    for (unsigned i = 0; i < 2000; i++) {
        (void)snprintf(text, sizeof(text), "%u", i);
        if (!get(str_from(text), 1))
            continue;
        assert_true(str_eq(buf_str(&got), str_from(text)));
        kept++;
    }
    assert_in_range(kept, 1, 256);
    /* A change of one row makes its neighbours' old values useless for older snapshots, never wrong. */
    for (unsigned i = 0; i < 2000; i++) {
        (void)snprintf(text, sizeof(text), "%u", i);
        row_cache_change(cache, str_from(text), 5);
        assert_false(get(str_from(text), 5));
    }
}

static void large_rows_are_not_kept(void **state)
{
    (void)state;
    static char large[4096];
    row_cache_put(cache, STR("k"), 1, str_of(large, sizeof(large)));
    assert_false(get(STR("k"), 1));
    row_cache_put(cache, str_of(large, 1000), 1, str_of(large, 1048));
    assert_true(get(str_of(large, 1000), 1));
    assert_int_equal(got.len, 1048);
    row_cache_put(cache, str_of(large, 1001), 1, str_of(large, 1048));
    assert_false(get(str_of(large, 1001), 1));
}

#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(what_was_put_is_found),
        CACHE_TEST(a_changed_row_is_not_found_by_anybody),
        CACHE_TEST(places_are_shared),
        CACHE_TEST(large_rows_are_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
