/* Aim: ids decide whose parts and pieces are whose, so no two are the same, whatever the clock says and however many threads
 * ask at once. */
#include "../unit.h"

#include "base/mem.h"
#include "event/thread.h"
#include "object/store_int.h"
#include "store/mem/mem_engine.h"

enum { THREADS = 4, IDS = 20000 };

static struct store *store;
static struct engine *engine;

static int set_up(void **state)
{
    (void)state;
    assert_ok(mem_engine_open(&engine));
    store = store_new(&(struct store_options){.engine = engine});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_free(store);
    engine_close(engine);
    return 0;
}

static void take_ids(void *context)
{
    uint64_t *id = context;
    for (size_t i = 0; i < IDS; i++)
        id[i] = store_id_new(store);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void test_ids_differ(void **state)
{
    (void)state;
    uint64_t *id = mem_new_array(uint64_t, THREADS * IDS);
    pthread_t thread[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_ok(thread_start(&thread[i], "ids", take_ids, id + i * IDS));
    for (size_t i = 0; i < THREADS; i++)
        thread_join(thread[i]);
    for (size_t i = 0; i < THREADS; i++)
        for (size_t k = 1; k < IDS; k++)
            assert_true(id[i * IDS + k] > id[i * IDS + k - 1]);
    qsort(id, THREADS * IDS, sizeof *id, compare);
    for (size_t i = 1; i < THREADS * IDS; i++)
        assert_true(id[i] > id[i - 1]);
    mem_free(id);
}

/* As after a step back of the clock. */
static void test_ids_ascend_without_the_clock(void **state)
{
    (void)state;
    uint64_t future = UINT64_MAX / 2;
    store->last_id = future;
    assert_int_equal(store_id_new(store), future + 1);
    assert_int_equal(store_id_new(store), future + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ids_differ, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ids_ascend_without_the_clock, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
