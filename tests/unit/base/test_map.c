/* Aim: a long random history of set, find and remove agrees with a plain array; keys are copied. */
#include "base/map.h"

#include "../unit.h"

#include <stdio.h>

enum { KEYS = 700, STEPS = 60000 };

static int values[2 * KEYS];

static str make_key(char dst[16], size_t number)
{
    int len = snprintf(dst, 16, "k%zu", number);
    return number ? str_of(dst, (size_t)len) : (str){0}; /* the empty key is one like others */
}

static void assert_same(const struct map *map, void *const *model)
{
    size_t cursor = 0, walked = 0, expected = 0;
    str key;
    void *value;
    char text[16];
    while (map_next(map, &cursor, &key, &value)) {
        assert_ptr_equal(map_find(map, key), value);
        walked++;
    }
    for (size_t i = 0; i < KEYS; i++) {
        assert_ptr_equal(map_find(map, make_key(text, i)), model[i]);
        expected += model[i] != NULL;
    }
    assert_int_equal(walked, expected);
    assert_int_equal(map_count(map), expected);
}

static void test_agrees_with_an_array(void **state)
{
    (void)state;
    struct map *map = map_new();
    void *model[KEYS] = {0};
    struct unit_random random = {3};
    char text[16];
    for (size_t step = 0; step < STEPS; step++) {
        /* The number of keys swells and shrinks. */
        size_t used = step / 5000 % 2 ? KEYS / 20 : KEYS;
        size_t number = unit_random_below(&random, used);
        str key = make_key(text, number);
        if (unit_random_below(&random, 2)) {
            void *value = &values[unit_random_below(&random, 2 * KEYS)];
            assert_ptr_equal(map_set(map, key, value), model[number]);
            model[number] = value;
        } else {
            assert_ptr_equal(map_remove(map, key), model[number]);
            model[number] = NULL;
        }
        memset(text, 'x', sizeof(text));
        if (step % 1000 == 0)
            assert_same(map, model);
    }
    assert_same(map, model);
    map_free(map);
}

static void test_empty(void **state)
{
    (void)state;
    struct map *map = map_new();
    size_t cursor = 0;
    str key;
    void *value;
    assert_null(map_find(map, STR("a")));
    assert_null(map_remove(map, STR("a")));
    assert_int_equal(map_count(map), 0);
    assert_false(map_next(map, &cursor, &key, &value));
    map_free(map);
    map_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees_with_an_array),
        cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
